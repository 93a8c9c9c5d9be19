"""Time intervals in which no time lies."""

from collections.abc import Iterator

from tocsin.artefacts.alertmanager import AlertmanagerConfig
from tocsin.artefacts.time_intervals import never
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity

_CONFIG = """route: {receiver: chat}
time_intervals:
- name: closing
  time_intervals:
  - months: [february]
    days_of_month: ["%s"]
receivers:
- {name: chat, webhook_configs: [{url: "http://chat/"}]}
"""


@check(
    severity=Severity.WARNING,
    fix="Name times that there are; days from the end of a month are -1, -2 and so on.",
    bad=Example({"alertmanager.yml": _CONFIG % "30:31"}, at="- months"),
    good=Example({"alertmanager.yml": _CONFIG % "-2:-1"}),
)
def time_interval_never(alertmanager: AlertmanagerConfig) -> Iterator[Remark]:
    """Alerts are told that were to be muted, or are not told that were to be, for the interval never comes.

    (Alertmanager: timeinterval/timeinterval.go, ContainsTime: every field that is given must hold.)
    """
    for interval in alertmanager.time_intervals:
        for spec in interval.list("time_intervals"):
            why = never(spec) if isinstance(spec.value, dict) else ""
            if why:
                name = interval.string("name")
                yield Remark(spec.place, f"{name!r} never comes: {why}", subject=f"time_intervals/{name}/{spec.key}")
