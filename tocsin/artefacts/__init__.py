"""Readers of a system's files: one module a kind, each giving immutable values that know their places."""
