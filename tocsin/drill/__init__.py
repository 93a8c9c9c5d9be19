"""Drills: a real stimulus on a running system, and the alerts that must, and must not, follow."""
