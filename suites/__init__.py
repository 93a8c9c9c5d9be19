"""The conformance suites: one folder a marker, each function a question that the plugin asks of every case."""
