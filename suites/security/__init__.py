"""Suite security."""
