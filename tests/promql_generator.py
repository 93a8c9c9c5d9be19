"""Expressions and series by chance, from a seed: what an evaluator and an engine are compared on."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tocsin.promql.evaluation import PROMETHEUS_3, STALE, Generation, Series, labels_of

SCRAPE = 30
"""Seconds between two samples."""
SAMPLES = 41


@dataclass(frozen=True, slots=True)
class Written:
    """A series as promtool reads it, and as the evaluator does."""

    selector: str
    values: str
    series: Series


class Generator:
    """What comes out of one seed."""

    def __init__(self, seed: int, generation: Generation) -> None:
        self._random = random.Random(seed)
        self._generation = generation

    def series(self) -> list[Written]:
        """Return counters, gauges, a histogram family and an info metric of a few targets."""
        r = self._random
        found = []
        for job, instance in (("a", "1"), ("a", "2"), ("b", "1")):
            target = {"job": job, "instance": instance}
            found.append(self._one("c_total", target, self._counter()))
            found.append(self._one("d_total", target | {"code": r.choice(("200", "500"))}, self._counter()))
            found.append(self._one("g", target, self._gauge()))
            if r.random() < 0.8:
                found.append(self._one("f", target, self._gauge()))
            if instance == "1":
                found.append(self._one("info", target | {"version": r.choice(("1.0", "2.0"))}, [1.0] * SAMPLES))
                found += self._histogram(target)
        return found

    def _one(self, name: str, labels: dict[str, str], values: list[float | str | None]) -> Written:
        written = ",".join(f'{k}="{v}"' for k, v in labels.items())
        shown = " ".join("_" if v == "_" else "stale" if v is None else _number(v) for v in values)
        kept = [(i * SCRAPE * 1000, v) for i, v in enumerate(values) if v != "_"]
        numbers: list[float | None] = [STALE if v is None or isinstance(v, str) else v for _, v in kept]
        series = Series(labels_of({"__name__": name, **labels}), [t for t, _ in kept], numbers)
        return Written(f"{name}{{{written}}}", shown, series)

    def _gaps(self, values: list[float]) -> list[float | str | None]:
        """Return values with some lost, and sometimes the end of the series."""
        r = self._random
        if r.random() < 0.6:
            return list(values)
        found: list[float | str | None] = ["_" if r.random() < 0.15 else v for v in values]
        if r.random() < 0.4:
            end = r.randrange(SAMPLES)
            found[end] = None
            for i in range(end + 1, SAMPLES if r.random() < 0.6 else min(SAMPLES, end + 6)):
                found[i] = "_"
        return found

    def _counter(self) -> list[float | str | None]:
        r = self._random
        value, values = float(r.choice((0, 0, 5, 1000))), []
        step = r.choice((0.0, 1.0, 2.5, 30.0))
        for _ in range(SAMPLES):
            values.append(value)
            value = 0.0 if r.random() < 0.03 else value + step * r.choice((0, 1, 1, 1, 3))
        return self._gaps(values)

    def _gauge(self) -> list[float | str | None]:
        r = self._random
        choices = r.choice(((0.0, 1.0), (0.5, 0.25, 2.0, -1.0), (10.0, 20.0, 1e6), (0.0,), (1.0, float("nan"), 3.0)))
        value, values = r.choice(choices), []
        for _ in range(SAMPLES):
            values.append(value)
            if r.random() < 0.3:
                value = r.choice(choices)
        return self._gaps(values)

    def _histogram(self, target: dict[str, str]) -> list[Written]:
        r = self._random
        bounds = r.choice((("0.1", "1", "+Inf"), ("0.5", "2", "10", "+Inf"), ("1", "+Inf"), ("-1", "0", "1", "+Inf")))
        totals, columns = [0.0] * len(bounds), [[] for _ in bounds]
        for _ in range(SAMPLES):
            added = 0.0
            for i in range(len(bounds)):
                added += r.choice((0, 0, 1, 4))
                totals[i] += added
                columns[i].append(totals[i])
        family = [
            self._one("h_bucket", target | {"le": le}, list(column)) for le, column in zip(bounds, columns, strict=True)
        ]
        return [*family, self._one("h_count", target, list(columns[-1]))]

    # Expressions

    def expression(self, depth: int = 3) -> str:
        """Return an expression that gives a vector or, seldom, a scalar."""
        return self.vector(depth) if self._random.random() < 0.95 else self.scalar(depth)

    def duration(self) -> str:
        """Return a length of a window."""
        return self._random.choice(("1m", "90s", "2m", "5m", "45s", "7m", "10m"))

    def selector(self) -> str:
        """Return an instant selector."""
        r = self._random
        name = r.choice(("c_total", "d_total", "g", "g", "f", "f", "info", "h_count", "none"))
        known = ('job="a"', 'job=~"a|b"', 'instance!="2"', 'instance="1"', 'code!~"5.."', 'job!=""', 'version=""')
        matchers = r.sample(known, r.choice((0, 0, 1, 1, 2)))
        offset = f" offset {r.choice(('1m', '2m', '-1m', '75s'))}" if r.random() < 0.12 else ""
        at = f" @ {r.choice((60, 300, 600))}" if r.random() < 0.04 else ""
        return f"{name}{{{','.join(matchers)}}}{at}{offset}"

    def matrix(self, depth: int) -> str:
        """Return a range: of a selector, or a subquery."""
        r = self._random
        if depth > 0 and r.random() < 0.12:
            step = r.choice(("", "30s", "1m", "40s"))
            return f"({self.vector(depth - 1)})[{self.duration()}:{step}]"
        selector = self.selector()
        for word in (" @", " offset"):
            if word in selector:
                head, _, tail = selector.partition(word)
                return f"{head}[{self.duration()}]{word}{tail}"
        return f"{selector}[{self.duration()}]"

    def scalar(self, depth: int) -> str:
        """Return a scalar."""
        r = self._random
        kind = r.random()
        if depth <= 0 or kind < 0.75:
            return r.choice(("0", "1", "2", "0.5", "10", "100", "-1", "1e3", "3600", "time()", "1.5"))
        if kind < 0.9:
            return f"({self.scalar(depth - 1)} {r.choice('+-*/')} {self.scalar(depth - 1)})"
        return f"scalar({self.vector(depth - 1)})"

    def vector(self, depth: int) -> str:
        """Return an instant vector."""
        r = self._random
        if depth <= 0:
            return self.selector() if r.random() < 0.7 else f"rate({self.matrix(0)})"
        made = r.choices(
            (self.selector, self._ranged, self._aggregated, self._compared, self._calculated, self._set, self._called,
             self._quantile, self._labelled),
            (1, 4, 4, 4, 4, 3, 3, 1, 1),
        )[0]  # fmt: skip
        return made() if made == self.selector else made(depth)  # type: ignore[call-arg]

    def _ranged(self, depth: int) -> str:
        r = self._random
        kind = r.random()
        if kind < 0.06:
            return f"predict_linear({self.matrix(depth)}, {r.choice(('600', '3600', '-60'))})"
        if kind < 0.12:
            return f"quantile_over_time({r.choice(('0.5', '0.9', '1', '2', '-1'))}, {self.matrix(depth)})"
        if kind < 0.15 and self._generation is not PROMETHEUS_3:  # its new name is behind a feature flag
            return f"holt_winters({self.matrix(depth)}, 0.5, 0.3)"
        name = r.choice((
            "rate", "rate", "increase", "increase", "delta", "irate", "idelta", "deriv", "changes", "resets",
            "avg_over_time", "sum_over_time", "max_over_time", "min_over_time", "count_over_time", "last_over_time",
            "present_over_time", "absent_over_time", "stddev_over_time", "stdvar_over_time"))  # fmt: skip
        return f"{name}({self.matrix(depth)})"

    def _grouping(self) -> str:
        r = self._random
        labels = ", ".join(r.sample(("job", "instance", "code", "version"), r.choice((1, 1, 2))))
        return r.choice(("", f" by ({labels})", f" by ({labels})", f" without ({labels})"))

    def _aggregated(self, depth: int) -> str:
        r = self._random
        inner, grouping = self.vector(depth - 1), self._grouping()
        kind = r.random()
        if kind < 0.08:
            return f"{r.choice(('topk', 'bottomk'))}{grouping}({r.choice(('1', '2', '10'))}, {inner})"
        if kind < 0.12:
            return f"quantile{grouping}({r.choice(('0.5', '0.9', '0'))}, {inner})"
        if kind < 0.15:
            return f'count_values{grouping}("value", {inner})'
        return (
            f"{r.choice(('sum', 'sum', 'avg', 'max', 'min', 'count', 'group', 'stddev', 'stdvar'))}{grouping}({inner})"
        )

    def _matching(self) -> str:
        r = self._random
        labels = ", ".join(r.sample(("job", "instance", "code", "version"), r.choice((1, 2, 2))))
        base = r.choice(("", "", f"on({labels})", f"ignoring({labels})"))
        if not base or r.random() < 0.6:
            return base
        include = r.choice(("", "version", "code"))
        return f"{base} {r.choice(('group_left', 'group_right'))}({'' if include in labels else include})"

    def _compared(self, depth: int) -> str:
        r = self._random
        op = r.choice((">", "<", ">=", "<=", "==", "!="))
        bool_ = r.choice(("", "", "", " bool"))
        left = self.vector(depth - 1)
        kind = r.random()
        if kind < 0.6:
            return f"({left} {op}{bool_} {self.scalar(1)})"
        if kind < 0.7:
            return f"({self.scalar(1)} {op}{bool_} {left})"
        return f"({left} {op}{bool_} {self._matching()} {self.vector(depth - 1)})"

    def _calculated(self, depth: int) -> str:
        r = self._random
        op = r.choice(("+", "-", "*", "/", "/", "%", "^", "atan2"))
        left = self.vector(depth - 1)
        kind = r.random()
        if kind < 0.4:
            return f"({left} {op} {self.scalar(1)})"
        if kind < 0.55:
            return f"({self.scalar(1)} {op} {left})"
        if kind < 0.6:
            return f"-({left})"
        return f"({left} {op} {self._matching()} {self.vector(depth - 1)})"

    def _set(self, depth: int) -> str:
        r = self._random
        matching = r.choice(
            ("", "on(job)", "ignoring(code)", "on(job, instance)", "on()", "ignoring(instance, version)")
        )
        return f"({self.vector(depth - 1)} {r.choice(('and', 'or', 'unless'))} {matching} {self.vector(depth - 1)})"

    def _called(self, depth: int) -> str:
        r = self._random
        inner = self.vector(depth - 1)
        one = r.choice((
            "abs", "ceil", "floor", "exp", "sqrt", "ln", "log2", "log10", "sgn", "timestamp", "sort", "absent", "round",
            "hour", "day_of_week", "minute", "month", "year", "day_of_month", "days_in_month"))  # fmt: skip
        return r.choice((
            f"{one}({inner})", f"{one}({inner})", f"clamp_min({inner}, {self.scalar(1)})",
            f"clamp_max({inner}, {self.scalar(1)})", f"clamp({inner}, 0, {self.scalar(1)})",
            f"vector({self.scalar(depth - 1)})", f"round({inner}, 0.3)"))  # fmt: skip

    def _quantile(self, depth: int) -> str:
        r = self._random
        inner = r.choice((
            "h_bucket", f"rate(h_bucket[{self.duration()}])", f"sum by (le) (rate(h_bucket[{self.duration()}]))",
            f"sum by (job, le) (increase(h_bucket[{self.duration()}]))", self.vector(depth - 1)))  # fmt: skip
        return f"histogram_quantile({r.choice(('0.5', '0.9', '0.99', '0', '1', '1.5', '-1'))}, {inner})"

    def _labelled(self, depth: int) -> str:
        r = self._random
        inner = self.vector(depth - 1)
        if r.random() < 0.5:
            return f'label_join({inner}, "joined", "-", "job", "instance")'
        replaced = r.choice(
            ('"$1", "instance", "(.*)"', '"x-${1}", "job", "(a)"', '"", "job", "b"', '"$2", "job", "(a)|b"')
        )
        return f'label_replace({inner}, "{r.choice(("new", "instance", "code"))}", {replaced})'


def _number(value: float | str | None) -> str:
    assert isinstance(value, float)
    return "NaN" if value != value else repr(value)  # noqa: PLR0124 a NaN differs from itself
