"""Probes of pods in a cluster: watched, asked from within, and hurt and put back where their owner allows it."""
