"""Tocsin proves that a system's monitoring works, by ringing every bell."""

__version__ = "0.1.0"
