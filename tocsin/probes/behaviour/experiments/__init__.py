"""Experiments, one kind a file: each says which episodes a scene has of it, and how each is made."""
