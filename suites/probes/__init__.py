"""Suite probes."""
