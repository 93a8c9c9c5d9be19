"""Real small servers that behave as endpoints do, for the handlers and for a kubelet."""
