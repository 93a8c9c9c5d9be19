"""Alerts proven in virtual time: tests made from each rule, run by the real engines."""

SIMULATION = "simulation"
"""The name of the check, in the keys of findings, that an alert fires: `simulation@file#group/alert`."""
