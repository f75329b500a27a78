"""Flask behind gunicorn."""
