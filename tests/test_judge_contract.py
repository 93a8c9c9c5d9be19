"""Saved bodies: what is written, what a newer body breaks, and what rules and dashboards need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.scraped_server import serving
from tocsin.artefacts.exposition.syntax import Syntax
from tocsin.explained import Explained
from tocsin.exposition.asking import Manner, ask
from tocsin.exposition.contract import Change, NotSaved, changes, file_stem, find, read_contract, save
from tocsin.exposition.digest import Digest
from tocsin.exposition.http import OPENMETRICS, Reply
from tocsin.exposition.judging import judge
from tocsin.exposition.needs import Start, complaint_of, lacking_at_start
from tocsin.exposition.targets import Endpoint
from tocsin.exposition.verdicts import Said, said_of
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.system import load_system

NOW = 1.8e9
OLD = """\
# HELP shop_orders_total Orders that were paid.
# TYPE shop_orders_total counter
shop_orders_total{kind="book",channel="web"} 3
# HELP shop_pay_seconds Time to pay.
# TYPE shop_pay_seconds histogram
shop_pay_seconds_bucket{le="0.5"} 1
shop_pay_seconds_bucket{le="1"} 1
shop_pay_seconds_bucket{le="+Inf"} 1
shop_pay_seconds_sum 0.1
shop_pay_seconds_count 1
# HELP shop_carts Carts that are open.
# TYPE shop_carts gauge
shop_carts 1
# HELP shop_build_info Version.
# TYPE shop_build_info gauge
shop_build_info{version="1.2.3"} 1
"""
IN_OPENMETRICS = """\
# HELP shop_orders Orders that were paid.
# TYPE shop_orders counter
shop_orders_total{kind="book",channel="web"} 3
shop_orders_created{kind="book",channel="web"} 1790000000
# HELP shop_pay_seconds Time to pay.
# TYPE shop_pay_seconds histogram
shop_pay_seconds_bucket{le="0.5"} 1
shop_pay_seconds_bucket{le="1.0"} 1
shop_pay_seconds_bucket{le="+Inf"} 1
shop_pay_seconds_sum 0.1
shop_pay_seconds_count 1
# HELP shop_carts Carts that are open.
# TYPE shop_carts gauge
shop_carts 1
# HELP shop_build Version.
# TYPE shop_build info
shop_build_info{version="1.2.3"} 1
# EOF
"""


def digest(text: str, syntax: Syntax = Syntax.TEXT) -> Digest:
    """Return what is kept of a body."""
    return judge([text.encode()], syntax, now=NOW).digest


@contextmanager
def said(text: str, folder: Path, kind: str = "text/plain; version=0.0.4; charset=utf-8") -> Iterator[Said]:
    """Give what is said of a target with a body."""
    with serving(lambda _: Reply(text.encode(), kind)) as server:
        endpoint = Endpoint("shop/shop", server.url, labels={"job": "shop", "instance": "a:1"})
        yield said_of(ask(endpoint, folder, now=NOW, manner=Manner(negotiates=False)))


def without(*pieces: str) -> str:
    """Return the body without the lines that hold some pieces."""
    return "".join(line for line in OLD.splitlines(keepends=True) if not any(piece in line for piece in pieces))


CHANGES: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "nothing": (OLD, []),
    "other values, another order": (OLD.replace("} 3", "} 7"), []),
    "more": (OLD + "# TYPE more gauge\nmore 1\n", []),
    "a family is gone": (without("shop_carts"), [("metric-gone", "")]),
    "one of its names is gone": (without("shop_pay_seconds_sum"), [("metric-gone", "")]),
    "declared, and empty": (without("shop_carts 1"), [("metric-gone", "")]),
    "another type": (OLD.replace("shop_carts gauge", "shop_carts counter"), [("type-changed", "")]),
    "no type any more": (without("TYPE shop_carts"), [("type-changed", "")]),
    "a label is gone": (OLD.replace(',channel="web"', ""), [("label-gone", "channel")]),
    "a label is new": (OLD.replace("shop_carts 1", 'shop_carts{a="b"} 1'), [("label-added", "a")]),
    "a label is renamed": (
        OLD.replace("channel=", "via="),
        [("label-gone", "channel"), ("label-added", "via")],
    ),
    "another bound": (OLD.replace('le="1"', 'le="2"'), [("buckets-changed", "le")]),
    "the same bound, written otherwise": (OLD.replace('le="1"', 'le="1.0"'), []),
    "another help": (OLD.replace("Carts that are open", "Carts"), [("help-changed", "")]),
}


@pytest.mark.parametrize(("text", "expected"), CHANGES.values(), ids=CHANGES)
def test_changes(text: str, expected: list[tuple[str, str]]) -> None:
    """What a newer body has otherwise, and nothing else."""
    found = list(changes(digest(OLD), digest(text)))

    assert [(each.kind, each.label) for each in found] == expected
    assert all(each.breaks == (each.kind != "help-changed") for each in found)


def test_formats_are_no_change() -> None:
    """The same metrics in the other format break nothing, either way."""
    text, openmetrics = digest(OLD), digest(IN_OPENMETRICS, Syntax.OPENMETRICS)

    assert list(changes(text, openmetrics)) == []
    assert list(changes(openmetrics, text)) == []


def test_born_late_is_not_gone() -> None:
    """A metric that is declared so may be absent."""
    assert list(changes(digest(OLD), digest(without("shop_carts")), {"shop_carts": "the first cart"})) == []


LINES = st.lists(st.sampled_from(OLD.splitlines(keepends=True)), max_size=20)


@given(LINES, LINES)
def test_never_raises(old: list[str], new: list[str]) -> None:
    """Whatever two bodies are; and a body breaks nothing of itself."""
    one, other = digest("".join(old)), digest("".join(new))

    assert all(isinstance(each, Change) for each in changes(one, other))
    assert list(changes(one, one)) == []


def test_saved_and_read_again(tmp_path: Path) -> None:
    """The body is what was scraped; beside it stands what no body tells, and nothing that it does."""
    with said(OLD, tmp_path / "asked") as one:
        path = save(one, tmp_path / "contracts", "shop", date="2026-11-26")

    assert path.read_text() == OLD
    known = yaml.safe_load(path.with_suffix(".yaml").read_text())
    assert known == {
        "target": "shop",
        "labels": {"instance": "a:1", "job": "shop"},
        "version": "1.2.3",
        "date": "2026-11-26",
        "lazily_born": {},
    }
    assert list(changes(read_contract(path).digest, digest(OLD))) == []
    assert sorted(each.name for each in path.parent.iterdir()) == ["shop.prom", "shop.yaml"]


def test_saved_again_keeps_what_its_owner_says(tmp_path: Path) -> None:
    """What is born late stays declared; a body in the other format takes the place of the first."""
    folder = tmp_path / "contracts"
    with said(OLD, tmp_path / "1") as one:
        path = save(one, folder, "shop", date="2026-11-26")
    beside = path.with_suffix(".yaml")
    beside.write_text(beside.read_text().replace("lazily_born: {}", "lazily_born: {shop_refunds_total: a refund}"))
    with said(IN_OPENMETRICS, tmp_path / "2", OPENMETRICS) as two:
        again = save(two, folder, "shop", date="2026-11-27")

    found = find(folder, "shop")
    assert found is not None
    assert (found.path, found.date, dict(found.lazily_born)) == (
        again,
        "2026-11-27",
        {"shop_refunds_total": "a refund"},
    )
    assert sorted(each.name for each in folder.iterdir()) == ["shop.om", "shop.yaml"]


def test_a_secret_is_not_saved(tmp_path: Path) -> None:
    """Unless it is said; the reason does not tell it."""
    text = OLD + '# HELP db_up Up.\n# TYPE db_up gauge\ndb_up{url="postgres://shop:correct-horse@db/shop"} 1\n'
    with said(text, tmp_path / "asked") as one:
        with pytest.raises(NotSaved) as refused:
            save(one, tmp_path / "contracts", "shop", date="2026-11-26")
        assert "correct-horse" not in str(refused.value)
        assert not (tmp_path / "contracts").exists()
        assert save(one, tmp_path / "contracts", "shop", date="2026-11-26", anyway=True).read_text() == text


def test_nothing_is_saved_of_nothing(tmp_path: Path) -> None:
    """A target without a body."""
    with said("", tmp_path / "asked") as one, pytest.raises(NotSaved):
        save(one, tmp_path / "contracts", "shop", date="2026-11-26")


@pytest.mark.parametrize("text", ["lazily_born: [", "\x00"])
def test_what_cannot_be_read_is_explained(tmp_path: Path, text: str) -> None:
    """A broken file beside a body names itself."""
    (tmp_path / "shop.prom").write_text(OLD)
    (tmp_path / "shop.yaml").write_text(text)
    with pytest.raises(Explained, match=r"shop\.yaml"):
        find(tmp_path, "shop")


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("shop/127.0.0.1:8000", "shop-127.0.0.1-8000"),
        ("http://[::1]:9100/metrics", "1-9100-metrics"),
        ("../../etc/passwd", "etc-passwd"),
        ("", "target"),
    ],
)
def test_names_of_files(name: str, stem: str) -> None:
    """No name of a target leads out of the folder."""
    assert file_stem(name) == stem


LATE = "shop_refunds_total"
RULES = """\
groups:
  - name: shop
    rules:
      - {alert: NoOrders, expr: 'sum by (channel) (rate(shop_orders_total[5m])) == 0'}
      - {alert: Refunds, expr: 'rate(shop_refunds_total{job="shop"}[5m]) > 1'}
      - {record: 'job:carts:sum', expr: 'sum(shop_carts)'}
      - {alert: Carts, expr: 'job:carts:sum > 100'}
"""
CONFIG = "scrape_configs: [{job_name: shop, static_configs: [{targets: ['shop:1']}]}]\n"


def system(folder: Path, declared: str = "") -> Model:
    """Return the model of a system with rules."""
    for name, text in {"rules.yml": RULES, "prometheus.yml": CONFIG}.items():
        (folder / name).write_text(text)
    artefacts = "artefacts: {prometheus: [prometheus.yml], rules: [rules.yml]}\n"
    (folder / "system.yaml").write_text(f"schema: 1\nname: shop\n{artefacts}{declared}")
    return Model.of(folder, load_system(folder))


BROKEN: dict[str, tuple[str, Severity, list[str]]] = {
    "what an alert asks for": (without("shop_orders"), Severity.ERROR, ["NoOrders", "rules.yml:4"]),
    "a label that it groups by": (OLD.replace(',channel="web"', ""), Severity.ERROR, ["NoOrders"]),
    "a label that nobody names": (OLD.replace('kind="book",', ""), Severity.WARNING, []),
    "what a recording rule asks for": (without("shop_carts"), Severity.ERROR, ["job:carts:sum"]),
    "what nobody asks for": (without("shop_pay"), Severity.WARNING, []),
    "what is only told": (OLD.replace("Carts that are open", "Carts"), Severity.INFO, []),
}


@pytest.mark.parametrize(("text", "severity", "named"), BROKEN.values(), ids=BROKEN)
def test_what_a_change_breaks_is_named(tmp_path: Path, text: str, severity: Severity, named: list[str]) -> None:
    """Rules and dashboards with their place; what nobody uses only warns."""
    here = system(tmp_path)
    found = [complaint_of(each, here, "shop.prom") for each in changes(digest(OLD), digest(text))]

    assert {each.severity for each in found} == {severity}
    for word in named:
        assert any(word in each.message for each in found)
    assert any("it breaks" in each.message for each in found) == bool(named)


LACKING: dict[str, tuple[str, str, dict[str, str], list[str]]] = {
    "it is not there": (OLD, "", {}, ["shop_refunds_total"]),
    "it is there": (OLD + "shop_refunds_total 0\n", "", {}, []),
    "declared in system.yaml": (OLD, "static: {lazily_born: {shop_refunds_total: a refund}}\n", {}, []),
    "empty by design": (OLD, "static: {empty_by_design: {shop_refunds_total: none}}\n", {}, []),
    "declared beside the body": (OLD, "", {"shop_refunds_total": "a refund"}, []),
}


@pytest.mark.parametrize(("text", "declared", "lazy", "expected"), LACKING.values(), ids=LACKING)
def test_what_is_needed_is_there_at_the_start(
    tmp_path: Path, text: str, declared: str, lazy: dict[str, str], expected: list[str]
) -> None:
    """Or it is declared to be born late; what a recording rule makes is nobody's to expose."""
    found = list(lacking_at_start(system(tmp_path, declared), [Start("shop", digest(text), lazy)]))

    assert [complaint.series for _, complaint in found] == expected
    assert all(job == "shop" and "Refunds" in complaint.message for job, complaint in found)


def late_is_missing(model: Model) -> list[bool]:
    """Tell of each use of the metric that is born late whether it is known to be missing."""
    return [bool(model.lineage.missing(use)) for use in model.lineage.users_of(LATE)]


def test_the_model_reads_what_was_saved(tmp_path: Path) -> None:
    """Names, types and labels come from the body; what is born late from beside it."""
    with said(OLD, tmp_path / "asked") as one:
        path = save(one, tmp_path / "system" / "metrics", "shop", date="2026-11-26")
    undeclared = late_is_missing(system(tmp_path / "system"))
    beside = path.with_suffix(".yaml")
    beside.write_text(beside.read_text().replace("lazily_born: {}", "lazily_born: {shop_refunds_total: a refund}"))
    here = system(tmp_path / "system")

    (body,) = here.metrics.bodies
    assert (body.job, body.version, body.date) == ("shop", "1.2.3", "2026-11-26")
    (orders,) = here.metrics.own("shop_orders_total")
    assert (orders.type, orders.labels, orders.by) == ("counter", frozenset({"kind", "channel"}), "shop")
    assert (undeclared, late_is_missing(here)) == ([True], [False])
