"""Targets of one job whose series cannot be told apart."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.targets import Target
from tocsin.relabelling import with_port

_CONFIG = """global: {{}}
scrape_configs:
- job_name: probes
  metrics_path: /probe
  params: {{module: [http_2xx]}}
  static_configs: [{{targets: ["https://shop.example/", "https://till.example/"]}}]
  relabel_configs:
  - {{source_labels: [__address__], target_label: __param_target}}
{instance}  - {{target_label: __address__, replacement: "blackbox:9115"}}
"""
_INSTANCE = "  - {source_labels: [__param_target], target_label: instance}\n"


@check(
    severity=Severity.ERROR,
    fix="Give each target a label of its own: copy what tells them apart to `instance`.",
    bad=Example({"prometheus.yml": _CONFIG.format(instance="")}, at="job_name: probes"),
    good=Example({"prometheus.yml": _CONFIG.format(instance=_INSTANCE)}),
)
def target_labels_collide(model: Model) -> Iterator[Remark]:
    """Their samples go into the same series, one over the other, so an alert sees now this target and now that.

    (prometheus/prometheus, scrape/target.go: `instance` is the address where relabelling writes nothing; a series is
    known by its labels alone.)
    """
    jobs: dict[tuple[object, ...], list[Target]] = {}
    for target in model.targets:
        sure = target.kept and target.certain and not target.problem and not target.open and not target.unknown
        probed = target.path != "/probe" or "target" in target.parameters
        if sure and probed and target.pod is None:
            jobs.setdefault((id(target.job), tuple(sorted(target.labels.items()))), []).append(target)
    for same in jobs.values():
        asked = {(t.scheme, with_port(t.address, t.scheme), t.path, tuple(sorted(t.parameters.items()))) for t in same}
        if len(asked) < 2:
            continue
        first = same[0]
        names = ", ".join(f"`{target.discovered['__address__']}`" for target in same[:3])
        more = f" and {len(same) - 3} more" if len(same) > 3 else ""
        message = f"{names}{more} all have the labels {_shown(first)}: no rule writes what tells them apart"
        rule = first.relabelled.steps.get("instance")
        part = rule.part.get("target_label") if rule is not None else first.job.part.get("job_name")
        yield at(part, message, subject=first.job.subject, related=tuple(target.part.place for target in same[:3]))


def _shown(target: Target) -> str:
    pairs = ", ".join(f'{name}="{value}"' for name, value in sorted(target.labels.items()))
    return f"{{{pairs[:120]}}}"
