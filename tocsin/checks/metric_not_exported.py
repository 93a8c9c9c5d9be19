"""A metric that is used, and that nobody exports who would have to."""

from collections.abc import Iterator

from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.lineage import Missing, Use

_APPLICATION = (
    "from prometheus_client import Counter, Gauge\n"
    'Gauge("shop_carts_open", "Carts that are not paid yet.")\n'
    'Counter("shop_carts_paid", "Carts that were paid.")\n'
)
_RULES = "groups:\n- name: shop\n  rules:\n  - alert: Carts\n    expr: shop_carts_opened > 100\n"


@check(
    severity=Severity.ERROR,
    fix="Use the name under which it is exported, or export it.",
    bad=Example({"shop/metrics.py": _APPLICATION, "rules.yml": _RULES}, at="shop_carts_opened"),
    good=Example({"shop/metrics.py": _APPLICATION, "rules.yml": _RULES.replace("opened", "open")}),
    origin="pint promql/series",
)
def metric_not_exported(model: Model) -> Iterator[Remark]:
    """Nothing is found by a selector of a metric that does not exist: the alert cannot fire, the panel stays empty.

    It is known to be missing where who would have told of it does not: a saved body of the job, the application's own
    source, or a known name of which it is a misspelling.
    (prometheus.io/docs/prometheus/latest/querying/basics, Instant vector selectors.)
    """
    told: set[tuple[str, str, str]] = set()
    for use in model.lineage.uses:
        missing = model.lineage.missing(use)
        key = (use.file, use.subject, use.name)
        if missing is None or key in told:
            continue
        told.add(key)
        place, width = use.at
        yield Remark(
            place,
            _message(use, missing),
            width=width,
            subject=f"{use.subject}/{use.name}",
            severity=Severity.ERROR if missing.sure and use.deciding else Severity.WARNING,
            fix=f"Use {missing.meant[0]}, or export it." if len(missing.meant) == 1 else "",
        )


def _message(use: Use, missing: Missing) -> str:
    meant = f"; did you mean {' or '.join(missing.meant)}?" if missing.meant else ""
    return f"{use.name} finds nothing: {missing.why}{meant}"
