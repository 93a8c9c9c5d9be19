"""A flag that Prometheus or Alertmanager does not know."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.compose import image_tag, interpolated
from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.engine_flags import KNOWN, NEWEST, NOT_YET, OF_AGENT, OF_SERVER, OLDEST, REMOVED, version_of
from tocsin.model.processes import Process, program_of, split
from tocsin.source import nearest

_COMPOSE = """\
services:
  prometheus:
    image: prom/prometheus:v3.5.0
    command:
      - --config.file=/etc/prometheus/prometheus.yml
      - FLAG=30d
"""


@check(
    severity=Severity.ERROR,
    fix="Use a flag that this version knows; the program's --help lists them.",
    bad=Example({"compose.yml": _COMPOSE.replace("FLAG", "--storage.tsdb.retention")}, at="--storage.tsdb.retention"),
    good=Example({"compose.yml": _COMPOSE.replace("FLAG", "--storage.tsdb.retention.time")}),
)
def engine_flag_unknown(model: Model) -> Iterator[Remark]:
    """Whatever is started with a flag that it does not know ends at once.

    (prometheus/prometheus, cmd/prometheus/main.go, and prometheus/alertmanager, cmd/alertmanager/main.go: kingpin
    refuses a flag that is not declared; prometheus.io/docs/prometheus/latest/migration for what version 3 removed.)
    """
    for process in model.processes:
        image = interpolated(process.part.string("image"))
        if process.program in KNOWN and program_of(image) == process.program:
            yield from _unknown(process, version_of(image_tag(image)))


def _unknown(process: Process, version: tuple[int, int] | None) -> Iterator[Remark]:
    program = process.program
    if version is not None and version < OLDEST[program]:
        return
    for part in process.arguments:
        for word in split(part):
            name = word.removeprefix("--").partition("=")[0]
            if not word.startswith("--") or not name or "$" in name or "{" in name:
                continue
            told = _trouble(program, version, name) or _of_other_mode(process, name)
            if told is not None:
                message, severity = told
                yield at(part, message, subject=f"{process.subject}/{name}", severity=severity)


def _trouble(program: str, version: tuple[int, int] | None, name: str) -> tuple[str, Severity | None] | None:
    """Return what is wrong with a flag; where the version is not known, only what is wrong in each."""
    known = KNOWN[program]
    if name not in known and name.removeprefix("no-") not in known:
        near = nearest(name, known, most=1)
        sure = version is not None and version <= NEWEST[program]
        if not sure and not near:
            return None
        offer = f": did you mean --{near[0]}?" if near else ""
        return f"{program} has no flag --{name}{offer}", None if sure else Severity.WARNING
    removed, missing = REMOVED[program].get(name), NOT_YET[program].get(name)
    if version is not None and removed is not None and version >= removed:
        return f"{program} {_shown(version)} has no flag --{name} any more: it went with {_shown(removed)}", None
    if version is not None and missing is not None and version <= missing:
        return f"{program} {_shown(version)} has no flag --{name} yet", None
    return None


def _of_other_mode(process: Process, name: str) -> tuple[str, Severity | None] | None:
    """Return that a flag is for the agent only, or not for the agent (cmd/prometheus/main.go, agentOnlyFlags)."""
    if process.program != "prometheus":
        return None
    if process.agent and name.startswith(OF_SERVER):
        return f"prometheus does not start as an agent with --{name}, which is for the server only", None
    if not process.agent and name.startswith(OF_AGENT):
        return f"prometheus does not start as a server with --{name}, which is for the agent only", None
    return None


def _shown(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
