"""Reports: pure renderers of results and evidence, one module each."""
