"""FastAPI behind uvicorn."""
