"""Suite load."""
