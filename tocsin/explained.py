"""The one kind of exception whose text is the message: what, where, what follows and how to mend it."""

from __future__ import annotations


class Explained(Exception):
    """Something that its reader can understand and act on; no traceback would add to it."""
