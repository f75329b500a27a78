"""Machinery that knows nothing of models."""
