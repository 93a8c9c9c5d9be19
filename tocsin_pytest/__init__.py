"""The pytest plugin: the only place where the library meets pytest. It translates, and knows nothing of the domain.

Every pytest of an environment in which Tocsin is installed imports this: it takes in no more than the options.
"""

from tocsin_pytest.options import pytest_addoption, pytest_configure, pytest_load_initial_conftests

__all__ = ["pytest_addoption", "pytest_configure", "pytest_load_initial_conftests"]
