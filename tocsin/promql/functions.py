"""The functions and aggregations of PromQL, from Prometheus 2.42 to 3.x, experimental ones included.

Source: promql/parser/functions.go of both, and https://prometheus.io/docs/prometheus/latest/querying/functions/.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ValueType = Literal["scalar", "vector", "matrix", "string"]

_SHORT: dict[str, ValueType] = {"s": "scalar", "v": "vector", "m": "matrix", "t": "string"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The types that a function takes and gives.

    `optional` is how many of the last arguments may be left out; `repeats`, how often the last one may come more
    often than written here (None: any number).
    """

    args: tuple[ValueType, ...]
    gives: ValueType = "vector"
    optional: int = 0
    repeats: int | None = 0

    @property
    def least(self) -> int:
        """The fewest arguments."""
        return len(self.args) - self.optional

    @property
    def most(self) -> int | None:
        """The most arguments; None is any number."""
        return None if self.repeats is None else len(self.args) + self.repeats


def _takes(
    args: str, names: str, *, gives: str = "v", optional: int = 0, repeats: int | None = 0
) -> dict[str, Signature]:
    types = tuple(_SHORT[letter] for letter in args)
    signature = Signature(args=types, gives=_SHORT[gives], optional=optional, repeats=repeats)
    return dict.fromkeys(names.split(), signature)


TIME_OF_DAY = frozenset(
    ["day_of_month", "day_of_week", "day_of_year", "days_in_month", "hour", "minute", "month", "year"]
)
"""Functions of the calendar and the clock."""

FUNCTIONS: dict[str, Signature] = {
    **_takes(
        "v",
        "abs absent acos acosh asin asinh atan atanh ceil cos cosh deg exp floor histogram_avg histogram_count "
        "histogram_stddev histogram_stdvar histogram_sum ln log10 log2 rad sgn sin sinh sort sort_desc sqrt tan tanh "
        "timestamp",
    ),
    **_takes(
        "m",
        "absent_over_time avg_over_time changes count_over_time delta deriv first_over_time idelta increase irate "
        "last_over_time mad_over_time max_over_time min_over_time present_over_time rate resets stddev_over_time "
        "stdvar_over_time sum_over_time ts_of_first_over_time ts_of_last_over_time ts_of_max_over_time "
        "ts_of_min_over_time",
    ),
    **_takes("v", " ".join(TIME_OF_DAY), optional=1),
    **_takes("", "pi time start end step range", gives="s"),
    **_takes("v", "scalar", gives="s"),
    **_takes("s", "vector"),
    **_takes("vss", "clamp"),
    **_takes("vs", "clamp_max clamp_min"),
    **_takes("vs", "round", optional=1),
    **_takes("ssv", "histogram_fraction"),
    **_takes("sv", "histogram_quantile"),
    **_takes("vtss", "histogram_quantiles", optional=1, repeats=8),
    **_takes("mss", "double_exponential_smoothing holt_winters"),
    **_takes("ms", "predict_linear"),
    **_takes("ms", "integral", optional=1),
    **_takes("sm", "quantile_over_time"),
    **_takes("vv", "info", optional=1),
    **_takes("vtttt", "label_replace"),
    **_takes("vttt", "label_join", optional=1, repeats=None),
    **_takes("vt", "sort_by_label sort_by_label_desc", optional=1, repeats=None),
}

AGGREGATIONS: dict[str, ValueType | None] = {
    **dict.fromkeys(["avg", "count", "group", "max", "min", "stddev", "stdvar", "sum"]),
    **dict.fromkeys(["bottomk", "limit_ratio", "limitk", "quantile", "topk"], "scalar"),
    "count_values": "string",
}
"""Each aggregation, with the type of its parameter if it has one."""
