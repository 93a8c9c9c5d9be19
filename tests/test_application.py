"""What an application declares is read from its text as prometheus_client makes it when it runs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from tocsin.artefacts.application import DEFAULT_BUCKETS, Application, Instrument
from tocsin.model.metrics import client_bound

HEAD = "from prometheus_client import Counter, Gauge, Histogram, Summary, Info, Enum\n"


def declared(*texts: str) -> tuple[Instrument, ...]:
    """Return what some files declare."""
    return Application({f"app/file{i}.py": text for i, text in enumerate(texts)}).instruments


def names(*texts: str) -> set[str]:
    """Return the names of what some files declare; a gap is shown as a star."""
    return {instrument.name.replace("\0", "*") for instrument in declared(*texts)}


CASES = {
    "plain": ('Gauge("a_b", "x")', {"a_b"}),
    "keywords": ('Gauge(documentation="x", name="a_b")', {"a_b"}),
    "counter with its suffix": ('Counter("a_total", "x")', {"a"}),
    "namespace": ('Gauge("b", "x", namespace="a", subsystem="s", unit="seconds")', {"a_s_b_seconds"}),
    "unit that is there": ('Gauge("b_seconds", "x", unit="seconds")', {"b_seconds"}),
    "constant": ('NAME = "a"\nGauge(NAME + "_b", "x")', {"a_b"}),
    "f-string": ('P = "a"\nGauge(f"{P}_b", "x")', {"a_b"}),
    "format": ('Gauge("{}_{x}".format("a", x="b"), "x")', {"a_b"}),
    "percent": ('Gauge("%s_b" % "a", "x")', {"a_b"}),
    "join": ('Gauge("_".join(["a", "b"]), "x")', {"a_b"}),
    "unknown": ("import os\nGauge(os.environ['X'] + '_b', 'x')", {"*_b"}),
    "wholly unknown": ("import os\nGauge(os.environ['X'], 'x')", {"*"}),
    "loop": ('for n in ("a", "b"):\n    Gauge(n, "x")', {"a", "b"}),
    "loop over pairs": ('for n, d in [("a", "x"), ("b", "y")]:\n    Gauge(n, d)', {"a", "b"}),
    "loop over a table": ('T = {"a": "x"}\nT["b"] = "y"\nfor n, d in T.items():\n    Gauge(n, d)', {"a", "b"}),
    "grown table": ('T = ["a"]\nT.append(open("x").read())\nfor n in T:\n    Gauge(n, "x")', {"a", "*"}),
    "comprehension": ('M = {n: Gauge(f"a_{n}", "x") for n in ("b", "c")}', {"a_b", "a_c"}),
    "function": (
        'def g(name, help_):\n    return Gauge("a_" + name, help_)\ng("b", "x")\ng(name="c", help_="x")',
        {"a_b", "a_c"},
    ),
    "default": ('def g(name="b"):\n    return Gauge("a_" + name, "x")\ng()', {"a_b"}),
    "two functions": ('def f(n):\n    return Gauge(n, "x")\ndef g(n):\n    return f("a_" + n)\ng("b")', {"a_b"}),
    "method": ('class M:\n    def g(self, n):\n        return Gauge(n, "x")\nM().g("a_b")', {"a_b"}),
    "static method": ('class M:\n    @staticmethod\n    def g(n):\n        return Gauge(n, "x")\nM.g("a_b")', {"a_b"}),
    "alias of a method": (
        'class M:\n    def g(self, n):\n        return Gauge(n, "x")\nm = M()\ng = m.g\ng("a_b")',
        {"a_b"},
    ),
    "attribute": (
        'class M:\n    P = "a"\n    def __init__(self):\n        self.x = Gauge(self.P + "_b", "x")',
        {"a_b"},
    ),
    "constructor": (
        'class M:\n    def __init__(self, p):\n        self.p = p\n    def g(self):\n     Gauge(self.p+"_b")\nM("a")',
        {"a_b"},
    ),
    "class of makers": ('class C(Counter):\n    pass\nC("a_b", "x")', {"a_b"}),
    "maker as an argument": ('def m(kind, n):\n    return kind(n, "x")\nm(Counter, "a")\nm(Gauge, "b")', {"a", "b"}),
    "table of makers": (
        'K = {"g": Gauge, "c": Counter}\nfor k, n in (("g", "a"), ("c", "b")):\n    K[k](n, "x")',
        {"a", "b"},
    ),
    "objects": (
        (
            "from dataclasses import dataclass\n@dataclass\nclass S:\n    name: str\n    labels: tuple = ()\n"
            'for s in [S("a"), S("b", ("l",))]:\n    Gauge(s.name, "x", s.labels)'
        ),
        {"a", "b"},
    ),
    "objects that come from elsewhere": (
        (
            "class S:\n    def __init__(self, name):\n        self.name = name\ndef make(specs):\n    for s in specs:\n"
            '        Gauge(s.name, "x")\nmake(load())\nS("a")\nS("b")'
        ),
        {"a", "b"},
    ),
    "module": ('import prometheus_client as p\np.Gauge("a", "x")', {"a"}),
    "family": ('from prometheus_client.core import CounterMetricFamily as F\nF("a_total", "x")', {"a"}),
    "another counter": ("from collections import Counter\nCounter('abc')", set()),
    "recursion": ("def f(n):\n    return f(n + '_a')\nX = X + 'a'\nGauge(X, 'x')\nf('b')", {"*a"}),
    "stars": ("A = ('a', 'x')\nGauge(*A)", {"*"}),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_names(text: str, expected: set[str]) -> None:
    """Each way of saying a name."""
    assert names(HEAD.replace("Counter, ", "", 1) + text if "from collections" in text else HEAD + text) == expected


def test_what_is_imported_is_followed() -> None:
    """A constant, a class and a function of other files; each service its own."""
    texts = {
        "one/app/names.py": 'PREFIX = "one"\n',
        "one/app/metrics.py": HEAD + 'from app.names import PREFIX\nGauge(f"{PREFIX}_a", "x")\n',
        "two/app/names.py": 'PREFIX = "two"\n',
        "two/app/metrics.py": HEAD
        + 'from .names import PREFIX\ndef make(n):\n    return Gauge(f"{PREFIX}_{n}", "x")\n',
        "two/app/main.py": 'from app.metrics import make as m\nm("a")\nm("b")\n',
    }

    assert {i.name for i in Application(texts).instruments} == {"one_a", "two_a", "two_b"}


def test_the_place_is_that_of_the_name() -> None:
    """Of a wrapped instrument, the call that names it; not the wrapper."""
    text = HEAD + 'def g(n):\n    return Gauge(n, "x")\n\ng("a")\n'

    (instrument,) = declared(text)

    assert (instrument.place.line, instrument.name) == (5, "a")


@pytest.mark.parametrize(
    ("arguments", "labels", "complete"),
    [
        ('"a", "x"', set(), True),
        ('"a", "x", ["l", "m"]', {"l", "m"}, True),
        ('"a", "x", labelnames=("l",)', {"l"}, True),
        ('"a", "x", LABELS', {"l"}, True),
        ('"a", "x", [*LABELS, "m"]', {"l", "m"}, True),
        ('"a", "x", LABELS + ("m",)', {"l", "m"}, True),
        ('"a", "x", labels()', set(), False),
        ('"a", "x", ["l", name()]', {"l"}, False),
    ],
)
def test_labels(arguments: str, labels: set[str], complete: bool) -> None:
    """The names of labels, and whether those are all."""
    (instrument,) = declared(f'{HEAD}LABELS = ("l",)\nGauge({arguments})\n')

    assert (set(instrument.labels), instrument.complete) == (labels, complete)


@pytest.mark.parametrize(
    ("arguments", "buckets"),
    [
        ("", DEFAULT_BUCKETS),
        (", buckets=(1, 2.5, float('inf'))", (1.0, 2.5)),
        (", buckets=(2, 1, math.inf)", (1.0, 2.0)),
        (", buckets=[0.1, 0.5]", (0.1, 0.5)),
        (", buckets=BOUNDS", (0.1, 0.2)),
        (", buckets=(*BOUNDS, 5)", (0.1, 0.2, 5.0)),
        (", buckets=from_file()", ()),
    ],
)
def test_buckets(arguments: str, buckets: tuple[float, ...]) -> None:
    """The bounds, sorted; none where the text does not tell."""
    (instrument,) = declared(f'{HEAD}import math\nBOUNDS = (0.1, 0.2)\nHistogram("a", "x"{arguments})\n')

    assert instrument.buckets == buckets


@pytest.mark.parametrize(
    "text",
    [
        "from opentelemetry import metrics\n",
        "from starlette_exporter import PrometheusMiddleware\n",
        "class C(Counter):\n    def __init__(self, n):\n        super().__init__(n, 'x')\nC('a')\n",
        "import os\nGauge(os.environ['X'], 'x')\n",
        "def (\n",
    ],
)
def test_what_is_not_followed_leaves_the_application_open(text: str) -> None:
    """Other libraries, classes of one's own, names that nobody knows, and what is no Python."""
    assert not Application({"a.py": HEAD + text + 'Gauge("a_b", "x")\n', "b.py": HEAD + 'Gauge("b", "x")'}).whole


def test_tests_and_examples_declare_nothing() -> None:
    """What is never deployed exports nothing."""
    text = HEAD + 'Gauge("a", "x")'

    assert not Application({"tests/test_a.py": text, "conftest.py": text, "examples/b.py": text}).instruments


WORDS = st.from_regex(r"[a-z][a-z0-9]{1,5}(_[a-z]{2,5}){1,2}", fullmatch=True)
LABELS = st.lists(st.from_regex(r"[a-z]{2,6}", fullmatch=True).filter(lambda n: n != "le"), max_size=3, unique=True)
BOUNDS = st.lists(st.floats(0.001, 1e12, allow_nan=False), min_size=1, max_size=4, unique=True).map(sorted)


@settings(max_examples=80, deadline=None)
@given(
    kind=st.sampled_from(["Counter", "Gauge", "Histogram", "Summary", "Enum"]),
    name=WORDS,
    labels=LABELS,
    namespace=st.sampled_from(["", "shop"]),
    unit=st.sampled_from(["", "seconds"]),
    bounds=BOUNDS,
)
def test_as_the_client_makes_it(  # noqa: PLR0917 what hypothesis gives has a name
    kind: str, name: str, labels: list[str], namespace: str, unit: str, bounds: list[float]
) -> None:
    """What runs exports the series, labels and bounds that were read from its text."""
    unit = "" if kind == "Enum" else unit
    more = {"Histogram": f", buckets={bounds!r}", "Enum": ", states=['on', 'off']"}.get(kind, "")
    text = f"{kind}({name!r}, 'x', {labels!r}, namespace={namespace!r}, unit={unit!r}{more}, registry=REGISTRY)"
    registry = CollectorRegistry()
    scope: dict[str, object] = {"REGISTRY": registry}
    exec(HEAD + f"M = {text}\n", scope)  # noqa: S102 the oracle is the client itself
    if labels:
        scope["M"].labels(*("v" for _ in labels))  # type: ignore[attr-defined]

    (instrument,) = declared(HEAD + text)

    exported: dict[str, set[str]] = {}
    seen: set[str] = set()
    for family in registry.collect():
        for sample in family.samples:
            exported.setdefault(sample.name, set()).update(sample.labels)
            seen |= {sample.labels["le"]} if "le" in sample.labels else set()
    series = {series: set(instrument.labels | more) for series, more in instrument.series}
    assert exported.items() <= series.items()
    assert seen - {"+Inf"} == {client_bound(bound) for bound in instrument.buckets}
