"""Checks of every kind are read off their functions, and found by the names of their modules."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tocsin.catalogue import Described, catalogue, described
from tocsin.checks import checks
from tocsin.exposition.http import behaviours
from tocsin.exposition.many import checks as across
from tocsin.exposition.sense import senses


@dataclass(frozen=True)
class Kind:
    """What a package of these tests holds."""

    id: str


def order_lost(shop: str, now: float) -> None:
    del shop, now


order_lost.__doc__ = "Nobody gets it,\nand nobody knows.\n\n(Source.)"


def nameless(shop: str) -> None:
    del shop


def test_a_check_is_read_off_its_function() -> None:
    why = "Nobody gets it,\nand nobody knows.\n\n(Source.)"
    expected = Described("order-lost", "Nobody gets it, and nobody knows.", why, ("shop", "now"))
    assert described(order_lost) == described(order_lost, ("shop",), ("now", "then")) == expected


@pytest.mark.parametrize(("subjects", "further"), [(("till",), None), (("shop",), ()), (("shop",), ("then",))])
def test_it_looks_at_what_there_is(subjects: tuple[str, ...], further: tuple[str, ...] | None) -> None:
    with pytest.raises(TypeError, match="order_lost has no docstring, or no such arguments"):
        described(order_lost, subjects, further)


def test_it_has_a_reason() -> None:
    with pytest.raises(TypeError, match="nameless has no docstring"):
        described(nameless)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a package `shelf` with two checks, and take it out of the interpreter again."""
    shelf = tmp_path / "shelf"
    (shelf / "words").mkdir(parents=True)
    (shelf / "__init__.py").write_text("")
    (shelf / "words/__init__.py").write_text("")
    for name in ("z_last", "a_first"):
        (shelf / f"{name}.py").write_text(
            f"from test_catalogue_kind import Kind\n{name} = Kind('{name.replace('_', '-')}')\n"
        )
    monkeypatch.setitem(sys.modules, "test_catalogue_kind", sys.modules[__name__])
    monkeypatch.syspath_prepend(tmp_path)
    yield shelf
    for name in [each for each in sys.modules if each.partition(".")[0] == "shelf"]:
        del sys.modules[name]


def test_checks_are_found_in_order_by_their_modules(package: Path) -> None:
    assert list(catalogue("shelf", [str(package)], Kind, others=("words",))) == ["a-first", "z-last"]


@pytest.mark.parametrize("text", ["", "another = 1\n", "odd = 'no check'\n"])
def test_a_module_without_its_check_is_told(package: Path, text: str) -> None:
    (package / "odd.py").write_text(text)
    with pytest.raises(TypeError, match=r"shelf\.odd has no check of its own name"):
        catalogue("shelf", [str(package)], Kind, others=("words",))


def test_what_holds_no_check_is_named(package: Path) -> None:
    with pytest.raises(TypeError, match=r"shelf\.words has no check of its own name"):
        catalogue("shelf", [str(package)], Kind)


def test_no_two_checks_have_one_name() -> None:
    """Whatever they look at: a waiver, a page and an explanation are found by the name alone."""
    ids = [one for kind in (checks(), senses(), behaviours(), across()) for one in kind]
    assert len(ids) == len({*ids})
