"""What a pytest session is about, where its other modules find it."""

import pytest

from tocsin.runner import RunRequest

SESSION = pytest.StashKey[RunRequest]()
"""The system under test, and the run that this session is.

Its drills are those that were selected, once that is known.
"""
