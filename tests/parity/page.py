"""docs/parity.md, made of the recordings: `python -m tests.parity.page` writes it anew."""

from __future__ import annotations

from pathlib import Path

from tests.parity import endpoints
from tests.parity.comparison import Compared, compare, summary, table
from tests.parity.generator import LEFT_OUT
from tests.parity.recording import Run, read

PAGE = Path(__file__).parents[2] / "docs" / "parity.md"
RECORDING = Path(__file__).with_name("kubelet-1.20.json.gz")
_PAGE = """# Compared with a real kubelet

What is foreseen of probes was compared with what a kubelet {kubelet} did, on {date}: containerd, one node, {machine}.
The runner is `tests/test_parity.py`; with `TOCSIN_KUBECONFIG` it makes another recording on any cluster,
and a job for kind ([GitHub](../deploy/parity-kind.github.yml), [GitLab](../deploy/parity-kind.gitlab-ci.yml)) does so
with a current Kubernetes.

## Changes of pods

Sixty pods, each with its probes and an endpoint that follows a script. Each row is a change that came: from when to
when it was foreseen, when it was seen (seconds since the container's first start), how wide that is, how wide it may
be, and the verdict. *open* is a change that may come within the time or not, by its interval.

```
{table}
{left_out}
{summary}
```

## Single attempts

{count} kinds of endpoints, asked by that kubelet; the handlers, which ask the same server, come to the same outcome
each time. An *error* is discarded by the kubelet: it counts neither for nor against the pod.

| endpoint | outcome | what the kubelet said |
| --- | --- | --- |
{attempts}
"""
_LONGEST = 150


def page(run: Run, found: list[Compared]) -> str:
    """Return the page."""
    taken = endpoints.recorded()["found"]
    rows = [
        f"| `{name}` | {each['outcome']} | {_cell(each['said'][0]) if each['said'] else ''} |"
        for name, each in sorted(taken.items())
    ]
    return _PAGE.format(
        kubelet=run.kubelet,
        machine=run.machine,
        date=run.date,
        table=table(found),
        left_out="\n".join(f"left out: {what}: {why}" for what, why in LEFT_OUT.items()),
        summary=summary(found),
        count=len(rows),
        attempts="\n".join(rows),
    )


def _cell(text: str) -> str:
    text = " ".join(text.replace("|", "\\|").split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


if __name__ == "__main__":
    recorded = read(RECORDING)
    PAGE.write_text(page(recorded, [compare(each) for each in recorded.recorded]), encoding="utf-8")
