"""PromQL evaluated in this process as Prometheus does it: for proposals and searches, which an engine then proves.

Floats and classic histograms; native histograms (which the search takes apart) and experimental functions are refused.
What differs between generations of Prometheus is in `Generation`. Its word is never a proof: promtool has the last.
"""

from tocsin.promql.evaluation.compiled import Compiled, compile_expression
from tocsin.promql.evaluation.store import (
    PROMETHEUS_2_42,
    PROMETHEUS_2_53,
    PROMETHEUS_3,
    STALE,
    EvaluationError,
    Generation,
    Labels,
    Series,
    Store,
    Vector,
    generation_of,
    labels_of,
)

__all__ = [
    "PROMETHEUS_2_42",
    "PROMETHEUS_2_53",
    "PROMETHEUS_3",
    "STALE",
    "Compiled",
    "EvaluationError",
    "Generation",
    "Labels",
    "Series",
    "Store",
    "Vector",
    "compile_expression",
    "generation_of",
    "labels_of",
]
