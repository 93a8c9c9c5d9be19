"""Suite endpoints."""
