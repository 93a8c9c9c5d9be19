"""A glob of files to be loaded that matches none."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from tocsin.artefacts.prometheus import PrometheusConfig
from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.notifications import brought
from tocsin.model.processes import Process, content_of, glob
from tocsin.part import Part
from tocsin.source import nearest

_COMPOSE = """services:
  prometheus:
    image: prom/prometheus
    volumes:
    - ./prometheus.yml:/etc/prometheus/prometheus.yml
    - ./alerts.yml:/etc/prometheus/alerts.yml
"""
_RULES = "groups:\n- name: a\n  rules:\n  - {alert: A, expr: up == 0}\n"
_CONFIG = "global: {{}}\nrule_files:\n- {glob}\nscrape_configs: []\n"
_FILES = {"compose.yml": _COMPOSE, "alerts.yml": _RULES}


@check(
    severity=Severity.ERROR,
    fix="Name files that are there, relative to the configuration, or mount them where the glob looks.",
    bad=Example({**_FILES, "prometheus.yml": _CONFIG.format(glob="rules/*.yml")}, at="rules/*.yml"),
    good=Example({**_FILES, "prometheus.yml": _CONFIG.format(glob="alerts.yml")}),
)
def glob_matches_nothing(model: Model) -> Iterator[Remark]:
    """Whoever reads the configuration starts without those files and says nothing of it.

    (prometheus/prometheus, rules/manager.go: a pattern is expanded with filepath.Glob, and what matches nothing is
    no error; prometheus/alertmanager, template/template.go likewise.)
    """
    for config in model.prometheus_configs:
        running = _running(model, "prometheus", config.part)
        for key, parts in (("rule_files", config.rule_files), ("scrape_config_files", config.scrape_config_files)):
            for i, part in enumerate(parts):
                if not _alternative(part, parts, running):
                    yield from _unmatched(model, config.file, part, running, f"{key}/{i}")
        yield from _target_files(config, running)
    for alertmanager in model.alertmanager_configs:
        running = _running(model, "alertmanager", alertmanager.part)
        for i, part in enumerate(alertmanager.part.list("templates") if _wants_templates(alertmanager.part) else ()):
            if part.text:
                yield from _unmatched(model, alertmanager.file, part, running, f"templates/{i}")
    yield from _tests(model)


_TEMPLATE = re.compile(r"\{\{-?\s*(?:template|block)\s+[\"`]([^\"`]+)[\"`]")


def _wants_templates(alertmanager: Part) -> bool:
    """Whether a receiver uses a template that Alertmanager does not bring itself."""
    texts = (part.text for part in alertmanager.get("receivers").walk())
    return any(not brought(name) for text in texts for name in _TEMPLATE.findall(text))


def _running(model: Model, program: str, part: Part) -> list[Process]:
    return [
        process
        for process in model.processes
        if process.program == program and process.config and content_of(part.document, [process.config])
    ]


def _alternative(part: Part, parts: tuple[Part, ...], running: list[Process]) -> bool:
    """Whether a glob differs only in its suffix from another one that finds something: `*.yml` beside `*.yaml`."""
    stem = posixpath.splitext(part.text)[0]
    others = [each.text for each in parts if posixpath.splitext(each.text)[0] == stem and each.text != part.text]
    return stem.endswith("*") and any(True for process in running for each in others for _ in process.matching(each))


def _unmatched(model: Model, file: str, part: Part, running: list[Process], subject: str) -> Iterator[Remark]:
    """Yield that a glob finds nothing in a container, or beside the configuration where no container is described."""
    pattern = part.text
    if not running:
        yield from _beside(model, file, part, subject)
        return
    for process in running:
        whole = posixpath.normpath(posixpath.join(posixpath.dirname(process.config_path), pattern))
        opaque = not process.known(whole) or any(glob(whole).fullmatch(path) for path in process.opaque)
        if any(True for _ in process.matching(pattern)) or opaque or "$" in pattern:
            continue
        if process.renamed(pattern) is not None or process.left_out(pattern, model.folder.names) is not None:
            continue  # who mounts it is at fault, and `mounted-file-missing` says so
        meant = _meant(process, pattern)
        if meant is not None:
            path, _, named = meant
            message = (
                f"{process.subject} looks for {whole}, and this file stands at {path}: nothing matches `{pattern}`"
            )
            yield at(named, message, subject=f"{process.subject}/{pattern}", related=(part.place,))
            return
        folder = posixpath.dirname(whole)
        there = sorted(path for path in process.files if posixpath.dirname(path) == folder)
        said = (
            f"in {folder} there is {', '.join(map(posixpath.basename, there))}"
            if there
            else f"nothing is mounted at {folder}"
        )
        message = f"`{pattern}` matches no file in {process.subject}: {said}"
        yield at(part, message, subject=subject, related=(process.part.place,))
        return


def _meant(process: Process, pattern: str) -> tuple[str, str, Part] | None:
    """Return the file that a glob means, by its name, where it is mounted in another folder; what mounts it, too."""
    name = glob(posixpath.basename(pattern))
    here = posixpath.normpath(process.config_path)
    for path, content in process.files.items():
        named = content.named
        if path != here and name.fullmatch(posixpath.basename(path)) and named is not None and "path" in _keys(named):
            return path, content.file, named.get("path")
    return None


def _keys(part: Part) -> set[str]:
    return set(part.value) if isinstance(part.value, dict) else set()


def _beside(model: Model, file: str, part: Part, subject: str) -> Iterator[Remark]:
    """Yield that a relative name without a star stands for no file, where another one is likely meant."""
    pattern = part.text
    if posixpath.isabs(pattern) or "$" in pattern or "{{" in pattern:
        return
    folder = posixpath.dirname(posixpath.normpath(posixpath.join(posixpath.dirname(file), pattern)))
    beside = glob(posixpath.normpath(posixpath.join(posixpath.dirname(file), pattern)))
    if any(beside.fullmatch(name) for name in model.folder.names):
        return
    base = posixpath.basename(pattern)
    there = [posixpath.basename(name) for name in model.folder.names if posixpath.dirname(name) == folder]
    near = [
        name
        for name in nearest(base, there)
        if "*" not in base and posixpath.splitext(name)[1] == posixpath.splitext(base)[1]
    ]
    if near and near[0] != posixpath.basename(file):
        message = f"`{pattern}` matches no file; did you mean {near[0]}?"
        yield at(part, message, subject=subject, severity=Severity.WARNING)


def _target_files(config: PrometheusConfig, running: list[Process]) -> Iterator[Remark]:
    for job in config.jobs:
        for discovery in job.discoveries:
            if discovery.mechanism != "file_sd_configs":
                continue
            for i, part in enumerate(discovery.part.list("files")):
                for process in running:
                    whole = posixpath.normpath(posixpath.join(posixpath.dirname(process.config_path), part.text))
                    written = posixpath.dirname(whole) != posixpath.dirname(process.config_path)
                    if not written and not any(True for _ in process.matching(part.text)) and process.known(whole):
                        message = f"`{part.text}` matches no file in {process.subject}, so the job has no target"
                        yield at(part, message, subject=f"{job.subject}/files/{i}", severity=Severity.WARNING)


def _tests(model: Model) -> Iterator[Remark]:
    """Yield the globs of tests that find nothing, where the rules that they are about stand in the folder."""
    plain: dict[str, str] = {}
    for rule in model.alerts:
        if rule.part.route[:1] == ("groups",):
            plain.setdefault(rule.name, rule.file)
    for test in model.promtool_tests:
        cases = (case for each in test.list("tests") for case in each.list("alert_rule_test"))
        meant = next((plain[name] for case in cases if (name := case.string("alertname")) in plain), None)
        for i, part in enumerate(test.list("rule_files") if meant else ()):
            whole = posixpath.normpath(posixpath.join(posixpath.dirname(test.file), part.text))
            outside = whole.startswith((".", "/"))
            if part.text and not outside and not any(glob(whole).fullmatch(name) for name in model.folder.names):
                message = f"`{part.text}` matches no file; the alerts that are tested stand in {meant}"
                yield at(part, message, subject=f"rule_files/{i}", severity=Severity.WARNING)
