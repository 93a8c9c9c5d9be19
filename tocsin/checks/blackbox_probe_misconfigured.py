"""A probe by the blackbox exporter that does not ask what it is meant to ask."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.prometheus import ScrapeJob
from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.processes import Process
from tocsin.model.targets import Target
from tocsin.part import Part
from tocsin.relabelling import steps
from tocsin.source import nearest, offered

_CONFIG = """global: {{}}
scrape_configs:
- job_name: probes
  metrics_path: /probe
  params: {{module: [http_2xx]}}
  static_configs: [{{targets: ["https://shop.example/"]}}]
  relabel_configs:
  - source_labels: [__address__]
    target_label: {target}
  - source_labels: [__param_target]
    target_label: instance
  - target_label: __address__
    replacement: blackbox:9115
"""
OFFICIAL = frozenset(
    {
        "http_2xx", "http_post_2xx", "tcp_connect", "pop3s_banner", "grpc", "grpc_plain", "ssh_banner",
        "ssh_banner_extract", "irc_banner", "icmp", "icmp_ttl5",
    }
)  # fmt: skip
"""The modules of the file that comes with the exporter (prometheus/blackbox_exporter, blackbox.yml)."""


@check(
    severity=Severity.ERROR,
    fix="Copy __address__ to __param_target and that to instance, and write the exporter's address to __address__.",
    bad=Example({"prometheus.yml": _CONFIG.format(target="__param_targets")}, at="__param_targets"),
    good=Example({"prometheus.yml": _CONFIG.format(target="__param_target")}),
)
def blackbox_probe_misconfigured(model: Model) -> Iterator[Remark]:
    """Every probe is answered with an error or asks something else, so what is to be watched is not.

    (github.com/prometheus/blackbox_exporter, README, "Prometheus Configuration"; prober/handler.go answers 400 to a
    request without `target` and to one with a module that it does not know.)
    """
    jobs: dict[int, list[Target]] = {}
    for target in model.targets:
        if target.kept and target.certain and target.path == "/probe":
            jobs.setdefault(id(target.job), []).append(target)
    for target in model.targets:
        if target.kept and target.certain and "target" in target.parameters and "module" in target.parameters:
            yield from _other_path(model, target)
    for found in jobs.values():
        job = found[0].job
        yield from _undirected(job, found)
        yield from _modules(model, job, found)


def _other_path(model: Model, target: Target) -> Iterator[Remark]:
    """Yield that a blackbox exporter is asked for a probe at a path that it does not serve."""
    host = target.address.partition(":")[0]
    exporter = any(p.program == "blackbox" and _is(model, p, host, target) for p in model.processes)
    if exporter and target.path != "/probe" and target.part is _first_of(model, target.job):
        part = target.job.part.get("metrics_path") or target.job.part.get("job_name")
        message = f"job `{target.job.name}` asks the blackbox exporter for {target.path}, and it probes at /probe only"
        yield at(part, message, subject=target.job.subject, fix="Set `metrics_path: /probe`.")


def _first_of(model: Model, job: ScrapeJob) -> Part:
    return next(target.part for target in model.targets if target.job is job and target.kept)


def _undirected(job: ScrapeJob, found: list[Target]) -> Iterator[Remark]:
    """Yield that a probe has no target, or is sent to what it is to probe."""
    first = found[0]
    if any(each.open for each in found):
        return
    if not any("target" in each.parameters for each in found):
        rules = [rule for rule in steps(job.relabelling) if rule.target.startswith("__param_")]
        meant = next(
            (rule.part.get("target_label") for rule in rules if nearest(rule.target, ["__param_target"])), None
        )
        message = f"job `{job.name}` asks {first.address}{first.path} without the parameter `target`"
        if meant is not None:
            yield at(meant, f"{message}: `{meant.text}` is not `__param_target`", subject=job.subject)
        else:
            yield at(job.part.get("job_name"), message, subject=job.subject)
        return
    sent = [each for each in found if each.discovered.get("__address__") == each.address and len(found) > 1]
    straight = [each for each in found if each.parameters.get("target") == each.address or "/" in each.address]
    if straight or (sent and len({each.address for each in found}) == len(found)):
        one = (straight or sent)[0]
        message = f"job `{job.name}` asks {one.address} itself for {one.path}: no rule writes the exporter's address"
        yield at(job.part.get("job_name"), message, subject=job.subject)


def _modules(model: Model, job: ScrapeJob, found: list[Target]) -> Iterator[Remark]:
    """Yield modules that the exporter's file does not have."""
    told: set[str] = set()
    for target in found:
        module = target.parameters.get("module", "http_2xx")
        known = None if not target.knows("__param_module") else _known(model, target)
        if known is None or module in known[0] or module in told:
            continue
        told.add(module)
        part = next((value for value in job.params.get("module", ()) if value.text == module), job.part.get("job_name"))
        rule = target.relabelled.steps.get("__param_module")
        part = rule.part if rule is not None else part
        message = f"job `{job.name}` probes with the module `{module}`, which {known[1]} does not have; "
        message += offered(module, sorted(known[0]))
        fix = f"Ask for a module of {known[1]}, or define it there."
        yield at(part, message, subject=f"{job.subject}/{module}", fix=fix)


def _known(model: Model, target: Target) -> tuple[set[str], str] | None:
    """Return the modules of the exporter that a target's address means, and who has them; None if unknown."""
    host = target.address.partition(":")[0]
    running = [p for p in model.processes if p.program == "blackbox" and _is(model, p, host, target)]
    if len(running) == 1:
        content = running[0].config
        if content is None:
            custom = running[0].flag("config.file") is not None or not running[0].known(running[0].config_path)
            return None if custom else (set(OFFICIAL), "the exporter's own configuration")
        file = model.folder.files.get(content.file)
        documents = file.documents if file is not None and content.part is None else ()
        modules = {name for document in documents for name, _ in Part.whole(document).get("modules").items()}
        return (modules, content.file) if modules else None
    if running:
        return None
    files = [
        (name, Part.whole(document))
        for name, file in model.folder.files.items()
        for document in file.documents
        if _is_configuration(Part.whole(document))
    ]
    if len(files) != 1:
        return None
    return {name for name, _ in files[0][1].get("modules").items()}, files[0][0]


def _is_configuration(whole: Part) -> bool:
    modules = list(whole.get("modules").items())
    return bool(modules) and set(whole.value) == {"modules"} and all(part.get("prober") for _, part in modules)


def _is(model: Model, process: Process, host: str, target: Target) -> bool:
    """Whether a container is the one that a host's name means to the Prometheus of a target."""
    if process.workload is None:
        beside = any(each.file == process.file for each in target.stack.processes)
        named = host in (process.part.key, process.part.string("container_name"), process.part.string("hostname"))
        return named and beside
    address = None if target.stack.composed else model.services.address(host)
    return address is not None and any(
        pod.object.part == process.workload.part for service in address.services for pod in service.pods
    )
