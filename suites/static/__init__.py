"""Suite static."""
