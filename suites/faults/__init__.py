"""Suite faults."""
