"""The kubelet's probes: what they ask, when they act, and what follows for a container."""
