"""The calendar and the clock of a unix time, in UTC (promql/functions.go, dateWrapper)."""

from __future__ import annotations

import math
from calendar import monthrange
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from tocsin.promql.evaluation.store import EvaluationError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _of(read: Callable[[datetime], float]) -> Callable[[float], float]:
    def called(seconds: float) -> float:
        if not math.isfinite(seconds):
            raise EvaluationError("a date of NaN or infinity is not evaluated here: the processor decides")
        try:
            return float(read(_EPOCH + timedelta(seconds=math.trunc(seconds))))
        except OverflowError as error:
            raise EvaluationError(f"a date {seconds:g} s from 1970 is not evaluated here") from error

    return called


FUNCTIONS: Mapping[str, Callable[[float], float]] = {
    "day_of_month": _of(lambda moment: moment.day),
    "day_of_week": _of(lambda moment: moment.isoweekday() % 7),
    "day_of_year": _of(lambda moment: moment.timetuple().tm_yday),
    "days_in_month": _of(lambda moment: monthrange(moment.year, moment.month)[1]),
    "hour": _of(lambda moment: moment.hour),
    "minute": _of(lambda moment: moment.minute),
    "month": _of(lambda moment: moment.month),
    "year": _of(lambda moment: moment.year),
}
