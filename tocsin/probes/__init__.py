"""The kubelet's probes: what they ask, when they act, and what follows for a container."""

PROBES = "probes"
"""The marker, and the first word of what a waiver names: `probes@WORKLOAD/CONTAINER#QUESTION/PROBE`."""
