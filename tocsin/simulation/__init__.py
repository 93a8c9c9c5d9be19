"""Alerts proven in virtual time: tests made from each rule, run by the real engines."""
