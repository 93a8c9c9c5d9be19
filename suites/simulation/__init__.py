"""Suite simulation."""
