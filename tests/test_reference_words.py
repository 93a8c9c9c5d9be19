"""What the reference system's runbooks, guides and dashboards say is true: queries, commands, names and links.

Not proven: the flags of the programs in UNCHECKED. Of kubectl the verbs and flags are checked against its own help, and
what is named is looked for in the manifests; no cluster is asked.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.reference_texts import (
    DASHBOARDS,
    RULES,
    RUNBOOKS,
    SYSTEM,
    alerts,
    dashboard,
    exists,
    objects,
    page_id,
    panels,
    rules,
)
from tocsin.deadline import wait_until
from tocsin.engines.alertmanager import Alertmanager, AlertmanagerSettings, ClusterSettings
from tocsin.engines.binaries import Engine, find_engine
from tocsin.engines.node_exporter import start_node_exporter
from tocsin.engines.prometheus import Prometheus, PrometheusSettings
from tocsin.engines.service import Service, ServiceCommand, start_service
from tocsin.promql import Aggregation, VectorSelector, parse, selectors, walk
from tocsin.supervisor import Supervisor

PAGES = [*RUNBOOKS, SYSTEM / "docs/troubleshooting.md", SYSTEM / "docs/dashboards.md"]
WITH_WORLD = pytest.mark.xdist_group("reference-world")  # one worker starts it, once
SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation", "Escalation"]


# --- what there is ---


@dataclass(frozen=True)
class Text:
    """A query or a command of a page, and the line that it begins in."""

    text: str
    page: str
    line: int

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.text}"


def fences(page: Path, language: str) -> Iterator[Text]:
    """Yield the blocks of a language, without their indentation."""
    text = page.read_text()
    for match in re.finditer(rf"^( *)```{language}\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL):
        line = text.count("\n", 0, match.start()) + 2
        body = "\n".join(each.removeprefix(match[1]) for each in match[2].splitlines())
        yield Text(body, page.name, line)


def queries(page: Path) -> list[Text]:
    """Return the queries of a page: in a block an empty line is between two."""
    found = []
    for block in fences(page, "promql"):
        for match in re.finditer(r"(?:^.+$\n?)+", block.text, re.MULTILINE):
            line = block.line + block.text.count("\n", 0, match.start())
            found.append(Text(match[0].strip(), block.page, line))
    return found


FENCE = r"^ *```.*?^ *```$"
PROGRAMS = ("kubectl", "promtool", "amtool", "curl")


def commands(page: Path) -> list[Text]:
    """Return the commands of a page: each line of a block, and what stands between backticks and begins as one."""
    found = [
        Text(line, block.page, block.line + number)
        for block in fences(page, "sh")
        for number, line in enumerate(block.text.splitlines())
        if line.strip()
    ]
    prose = re.sub(FENCE, lambda m: "\n" * m[0].count("\n"), page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for match in re.finditer(rf"`((?:{'|'.join(PROGRAMS)}) [^`]+)`", prose):
        found.append(Text(" ".join(match[1].split()), page.name, prose.count("\n", 0, match.start()) + 1))
    return found


def split(command: Text) -> list[list[str]]:
    """Return the words of each program of a pipeline; what is redirected is left out."""
    lexer = shlex.shlex(command.text.removesuffix(" &"), posix=True, punctuation_chars="|<>")
    lexer.whitespace_split = True
    parts: list[list[str]] = [[]]
    skip = False
    for word in lexer:
        if word == "|":
            parts.append([])
        elif word in {"<", ">"}:
            skip = True
        elif not skip:
            parts[-1].append(word)
        else:
            skip = False
    return parts


EVERY = [(page, part) for page in PAGES for command in commands(page) for part in split(command)]


def of(program: str) -> list[tuple[Path, list[str]]]:
    """Return the words of every call of a program."""
    return [(page, words) for page, words in EVERY if words[0] == program]


# --- the pages ---


def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    """Neither is one missing, nor is one left over."""
    assert {page.stem for page in RUNBOOKS} == set(alerts())


@pytest.mark.parametrize("page", RUNBOOKS, ids=page_id)
def test_a_runbook_has_its_sections(page: Path) -> None:
    """Title, facts that are those of the rule, and five sections in order, none of them empty."""
    text = page.read_text()
    of_name = alerts()[page.stem]
    assert re.findall(r"^#+ .*$", text, re.MULTILINE) == [f"# {page.stem}", *(f"## {name}" for name in SECTIONS)]
    parts = re.split(r"^#+ .*\n", text, flags=re.MULTILINE)[1:]
    assert all(part.strip() for part in parts)
    severities = ", ".join(f"`{rule['labels']['severity']}`" for rule in of_name)
    labels, link = of_name[0]["labels"], of_name[0]["annotations"]["dashboard"]
    assert parts[0].strip() == f"{severities} · team {labels['team']} · service {labels['service']} · [panel]({link})"
    assert of_name[0]["annotations"]["runbook_url"].endswith(f"/{page.name}")
    assert queries(page), "a diagnosis without a query"


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_lead_somewhere(page: Path) -> None:
    """Every link to a file leads to one that is there, and every anchor to a heading."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
            assert anchor in {heading.lower().replace(" ", "-") for heading in headings}, target


@pytest.mark.parametrize("page", [*RUNBOOKS, SYSTEM / "docs/troubleshooting.md"], ids=page_id)
def test_lines_fit_a_terminal(page: Path) -> None:
    """Prose is at most 120 characters wide; queries, commands, tables and the line of facts are as long as they are."""
    prose = re.sub(FENCE, "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert [line for line in prose.splitlines() if len(line) > 120 and " · " not in line and "|" not in line] == []


@cache
def sources() -> str:
    """Return all that the system is made of, but for its documents."""
    kinds = {".py", ".yml", ".yaml"}
    return "\n".join(
        path.read_text() for path in sorted(SYSTEM.rglob("*")) if path.suffix in kinds and "grafana" not in path.parts
    )


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_settings_are_the_systems_own(page: Path) -> None:
    """A variable that a page names is one that the system reads, and a file that it names is there."""
    code = re.findall(r"`([^`\n]+)`", page.read_text())
    for name in {name for text in code for name in re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", text)}:
        assert re.search(rf"\b{name}\b", sources()), name
    for path in re.findall(r"\b(?:monitoring|k8s/production|grafana/boards)/[\w./-]*", page.read_text()):
        assert (SYSTEM / path.rstrip(".")).exists(), path


# --- queries ---

PSEUDO = {"ALERTS", "ALERTS_FOR_STATE", "up", "scrape_duration_seconds", "scrape_samples_scraped",
          "scrape_samples_post_metric_relabeling", "scrape_series_added"}  # fmt: skip
"""What Prometheus itself makes."""

KUBE_STATE_METRICS = {f"kube_{name}" for name in (
    "pod_info", "pod_status_phase", "pod_status_ready", "pod_container_status_restarts_total",
    "pod_container_status_waiting_reason", "pod_container_status_last_terminated_reason", "deployment_spec_replicas",
    "deployment_status_replicas_available", "horizontalpodautoscaler_status_current_replicas",
    "horizontalpodautoscaler_spec_max_replicas", "poddisruptionbudget_status_pod_disruptions_allowed",
    "poddisruptionbudget_status_expected_pods", "poddisruptionbudget_status_current_healthy",
    "poddisruptionbudget_status_desired_healthy")}  # fmt: skip
"""By its documentation (docs/metrics in its repository, v2.16): it needs a cluster, so it is not started here."""

BLACKBOX = {"probe_success", "probe_duration_seconds", "probe_http_status_code", "probe_http_duration_seconds",
            "probe_ssl_earliest_cert_expiry"}  # fmt: skip
"""By its documentation, v0.27."""

COLLECTORS = ("cpu", "meminfo", "loadavg", "filesystem", "filefd", "netdev", "netclass", "timex", "time", "pressure",
              "vmstat")  # fmt: skip

OF_THE_MACHINE = {"node_network_speed_bytes", "node_pressure_cpu_waiting_seconds_total",
                  "node_pressure_memory_waiting_seconds_total", "node_vmstat_oom_kill"}  # fmt: skip
"""By the node exporter's documentation; whether it has them depends on the kernel and the devices."""


@dataclass(frozen=True)
class World:
    """The system's own processes and the engines, all scraped, with the rules loaded."""

    prometheus: Prometheus
    alertmanager: Alertmanager
    metrics: frozenset[str]
    """The names of all series that there are."""
    values: dict[tuple[str, str], set[str]]
    """The values of a label of a metric, by the names of both."""


def start(supervisor: Supervisor, name: str, **environment: str) -> Service:
    """Start the backend or the frontend with log shipping and tracing on, to addresses where nobody listens."""
    away = {"ELASTICSEARCH_URL": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    options = ("--host", "127.0.0.1", "--port", "0", "--no-access-log", "--log-level", "info")
    command = ServiceCommand(
        name=name,
        argv=(sys.executable, "-m", "uvicorn", "app.main:app", *options),
        cwd=SYSTEM / name,
        env={**os.environ, **away, **environment},
        ready="/health/ready",
    )
    return start_service(supervisor, command)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Start everything that can be had on one machine, and wait until all of it was scraped and every rule ran."""
    place = tmp_path_factory.mktemp("world")
    with Supervisor("reference-words", place / "logs") as supervisor:
        backend = start(supervisor, "backend", DHARMAMIND_DRILL="1")
        frontend = start(supervisor, "frontend", BACKEND_URL=backend.url)
        node = start_node_exporter(supervisor, cwd=place, collectors=COLLECTORS)
        (place / "alertmanager.yml").write_text(
            "route: {receiver: nobody, group_by: [alertname, service]}\n"
            "receivers: [{name: nobody, webhook_configs: [{url: 'http://127.0.0.1:9/'}]}]\n"
        )
        cluster = ClusterSettings()  # of one: it counts its members then
        settings = AlertmanagerSettings(config=place / "alertmanager.yml", data=place / "am", cluster=cluster)
        alertmanager = Alertmanager.start(supervisor, settings)
        urls = {"backend": backend.url, "frontend": frontend.url, "node": node.url, "alertmanager": alertmanager.url}
        prometheus = start_prometheus(supervisor, place, {job: url.split("//")[1] for job, url in urls.items()})
        prometheus.await_working(jobs=[*urls, "prometheus"], rules=len(rules()))
        yield World(prometheus, alertmanager, names(prometheus), values(prometheus))


def start_prometheus(supervisor: Supervisor, place: Path, targets: dict[str, str]) -> Prometheus:
    """Start it with the system's rules; it scrapes the targets and itself."""
    jobs = [{"job_name": job, "static_configs": [{"targets": [target]}]} for job, target in targets.items()]
    rule_file = place / "rules.yml"
    rule_file.write_text(RULES.read_text().replace("interval: 15s", "interval: 1s"))
    configuration: dict[str, Any] = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rule_file)],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [targets["alertmanager"]]}]}]},
        "scrape_configs": jobs,
    }
    config = place / "prometheus.yml"
    config.write_text(yaml.safe_dump(configuration))
    settings = PrometheusSettings(config=config, data=place / "tsdb")
    prometheus = Prometheus.start(supervisor, settings)
    own = prometheus.url.split("//")[1]
    jobs.append({"job_name": "prometheus", "static_configs": [{"targets": [own]}]})
    config.write_text(yaml.safe_dump(configuration))
    prometheus.reload(rules=len(rules()))
    return prometheus


def names(prometheus: Prometheus) -> frozenset[str]:
    """Return the names of all series, once the names of an idle system grow no more."""
    seen: list[frozenset[str]] = [frozenset()]

    def steady() -> bool:
        seen.append(frozenset(prometheus.api.json("/api/v1/label/__name__/values")["data"]))
        return seen[-1] == seen[-2] and bool(prometheus.api.query("count(scrape_series_added) > 4"))

    wait_until(steady, seconds=20, what="the names of all series", every=1.0)
    return seen[-1]


def values(prometheus: Prometheus) -> dict[tuple[str, str], set[str]]:
    """Return the values of each label of each metric."""
    found: dict[tuple[str, str], set[str]] = {}
    for series in prometheus.api.json("/api/v1/series", params={"match[]": '{__name__=~".+"}'})["data"]:
        for label, value in series.items():
            found.setdefault((series["__name__"], label), set()).add(value)
    return found


NEVER_YET = {"status", "job", "namespace", "alertname", "alertstate", "integration"}
"""Labels whose values a system at rest need not have: an answer 429, a job of the cluster."""

NEWER = {("alertmanager_notifications_failed_total", "reason")}
"""Labels that the engines of these tests do not know yet: Alertmanager has it from 0.26 on."""


def mislabelled(query: str, known: dict[tuple[str, str], set[str]]) -> list[str]:
    """Return what a query asks of labels that the metrics of this machine do not have: names, and values by `=`."""
    wrong = []
    for node in walk(parse(query)):
        if isinstance(node, VectorSelector) and (node.name, "__name__") in known:
            for matcher in node.matchers:
                if (node.name, matcher.name) not in known:
                    wrong.append(f"{node.name} has no label {matcher.name}")
                elif matcher.op == "=" and matcher.name not in NEVER_YET:
                    there = matcher.value in known[node.name, matcher.name]
                    wrong += [] if there else [f'{node.name} never has {matcher.name}="{matcher.value}"']
        if isinstance(node, Aggregation) and node.grouping and not node.without:
            inside = {s.name for s in selectors(node.expr) if s.name and (s.name, "__name__") in known}
            labels = {label for metric, label in {*known, *NEWER} if metric in inside}
            wrong += [
                f"{sorted(inside)} have no label {label}" for label in node.grouping if inside and label not in labels
            ]
    return wrong


def unknown(query: str, metrics: frozenset[str]) -> set[str]:
    """Return the metrics that a query reads and nobody tells."""
    read = {selector.name for selector in selectors(parse(query)) if selector.name is not None}
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    return read - metrics - recorded - PSEUDO - KUBE_STATE_METRICS - BLACKBOX - OF_THE_MACHINE


def test_there_are_queries_and_commands() -> None:
    """The pages are read at all: a change of their form would otherwise leave nothing to check."""
    assert sum(len(queries(page)) for page in PAGES) > 150
    assert Counter(words[0] for _, words in EVERY if words[0] in PROGRAMS).keys() == set(PROGRAMS)


@WITH_WORLD
@pytest.mark.parametrize("page", PAGES[:-1], ids=page_id)
def test_every_query_of_a_page_runs(page: Path, world: World) -> None:
    """Each parses, reads only what somebody tells, and is answered by a real Prometheus."""
    for query in queries(page):
        parse(query.text)
        assert unknown(query.text, world.metrics) == set(), str(query)
        assert mislabelled(query.text, world.values) == [], str(query)
        world.prometheus.api.query(query.text)


@WITH_WORLD
def test_a_metric_that_nobody_tells_is_noticed(world: World) -> None:
    """A name with a letter too many is not taken for a metric."""
    assert unknown("sum(rate(dharmamind_http_request_total[5m]))", world.metrics) == {"dharmamind_http_request_total"}


@WITH_WORLD
@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ('sum by (outcome) (rate(dharmamind_interactions_total{kind="chat"}[5m]))', []),
        ('dharmamind_interactions_total{kind="chats"}', ['dharmamind_interactions_total never has kind="chats"']),
        ('dharmamind_interactions_total{sort="chat"}', ["dharmamind_interactions_total has no label sort"]),
        ("sum by (path) (dharmamind_http_requests_total)", ["['dharmamind_http_requests_total'] have no label path"]),
    ],
)
def test_a_label_that_nobody_has_is_noticed(query: str, wrong: list[str], world: World) -> None:
    """A label or a value with a letter too many would give no data, and no error either."""
    assert mislabelled(query, world.values) == wrong


def chosen(expression: str) -> str:
    """Return an expression as Grafana sends it when everything is chosen."""
    return re.sub(r"\$\w+", ".*", expression)


@WITH_WORLD
@pytest.mark.parametrize("file", DASHBOARDS, ids=page_id)
def test_every_query_of_a_dashboard_runs(file: Path, world: World) -> None:
    """Each query of a panel, of a variable and of the marks parses, reads what is told, and is answered."""
    board = dashboard(file)
    asked = [target["expr"] for panel in panels(file) for target in panel["targets"]]
    asked += [each["expr"] for each in board["annotations"]["list"] if "expr" in each]
    for variable in board["templating"]["list"][1:]:
        match = re.fullmatch(r"label_values\((.+), \w+\)", variable["query"]["query"])
        assert match
        asked.append(match[1])
    for expression in asked:
        assert unknown(chosen(expression), world.metrics) == set(), expression
        assert mislabelled(chosen(expression), world.values) == [], expression
        world.prometheus.api.query(chosen(expression))


# --- commands ---

UNCHECKED = {"jq", "grep", "tail", "head", "sort", "uniq", "ls", "wc", "df", "du", "ss", "base64", "openssl",
             "timedatectl", "chronyc", "crictl", "systemctl"}  # fmt: skip
"""Programs whose flags are not looked at; some are on a cluster's machines only."""


def test_every_program_is_one_that_a_reader_has() -> None:
    """Nothing is called but the four programs of the trade and what a machine has."""
    assert {words[0] for _, words in EVERY} - UNCHECKED == set(PROGRAMS)


@cache
def said(*argv: str) -> tuple[int, str]:
    """Return the exit code and all that a program says."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


def flags(words: list[str]) -> list[str]:
    """Return the flags of a call, without values; what stands after `--` is another program's."""
    own = words[: words.index("--")] if "--" in words else words
    return [word.split("=")[0] for word in own if re.match(r"-{1,2}[A-Za-z]", word)]


def missing_flags(words: list[str], helped: str) -> list[str]:
    """Return the flags that a help text does not know."""
    return [flag for flag in flags(words) if not re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", helped)]


KUBECTL_TAKES_VERBS = {"rollout", "set", "auth", "top", "create"}


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on PATH")
def test_kubectl_knows_its_flags() -> None:
    """Every verb and every flag is in kubectl's own help."""
    _, everywhere = said("kubectl", "options")
    for page, words in of("kubectl"):
        plain = [word for word in words[1:] if not word.startswith("-")]
        plain = plain[1:] if words[1] == "-n" else plain
        verbs = plain[:2] if plain[0] in KUBECTL_TAKES_VERBS else plain[:1]
        if verbs == ["create", "secret"]:
            verbs = plain[:3]
        code, helped = said("kubectl", *verbs, "--help")
        assert code == 0, f"{page.name}: {words}"
        assert "Usage:" in helped
        assert missing_flags(words, helped + everywhere) == [], f"{page.name}: {words}"


@pytest.mark.parametrize("program", [Engine.PROMTOOL, Engine.AMTOOL])
def test_the_engines_tools_know_their_flags(program: Engine) -> None:
    """Every subcommand and flag is in the tool's own help."""
    name = program.names[0]
    for page, words in of(name):
        plain = [word for word in words[1:] if not word.startswith("-")]
        verbs: list[str] = []
        for word in plain:  # kingpin answers for a command that it does not know with status 1
            if said(str(find_engine(program)), *verbs, word, "--help")[0] != 0:
                break
            verbs.append(word)
        assert verbs, f"{page.name}: {words}"
        code, helped = said(str(find_engine(program)), *verbs, "--help")
        assert code == 0
        assert missing_flags(words, helped) == [], f"{page.name}: {words}"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on PATH")
def test_curl_knows_its_flags() -> None:
    """Every flag is in curl's own help."""
    _, helped = said("curl", "--help", "all")
    for page, words in of("curl"):
        assert missing_flags(words, helped) == [], f"{page.name}: {words}"


def test_a_flag_that_does_not_exist_is_noticed() -> None:
    """The help of one command does not excuse a flag of another."""
    _, helped = said(str(find_engine(Engine.AMTOOL)), "silence", "query", "--help")
    assert missing_flags(["amtool", "silence", "query", "--durations=1h", "--expired"], helped) == ["--durations"]


ELSEWHERE = ("promtool test rules", "promtool check config")
"""Not run here: the rule tests have tests of their own, and Debian's promtool knows no Kubernetes service discovery."""

LOCAL = ("http://localhost:9090", "http://localhost:9093")


def runnable() -> list[Text]:
    """Return the commands that need no cluster: they ask Prometheus or Alertmanager, or look at the system's files."""
    found = [command for page in PAGES for command in commands(page)]
    return [
        command
        for command in found
        if not command.text.startswith(ELSEWHERE)
        and split(command)[0][0] in {"promtool", "amtool", "curl"}
        and (any(url in command.text for url in LOCAL) or "monitoring/" in command.text)
    ]


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder where promtool and amtool go by their own names."""
    place = tmp_path_factory.mktemp("tools")
    for engine in (Engine.PROMTOOL, Engine.AMTOOL):
        (place / engine.names[0]).symlink_to(find_engine(engine))
    return place


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="curl or jq is not on PATH")
@pytest.mark.parametrize(
    "command", sorted({command.text: command for command in runnable()}.values(), key=str), ids=str
)
def test_a_command_that_needs_no_cluster_runs(command: Text, world: World, tools: Path) -> None:
    """Asked of the running engines, or of the system's files, each ends with status 0 and complains of nothing."""
    text = command.text
    for said_url, url in zip(LOCAL, (world.prometheus.url, world.alertmanager.url), strict=True):
        text = text.replace(said_url, url)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=SYSTEM,
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    complaints = [
        line for line in done.stderr.splitlines() if "flag overrides" not in line
    ]  # amtool, of any --config.file
    assert (done.returncode, complaints) == (0, []), done.stdout


# --- what the commands name ---

KINDS = {"deploy": "Deployment", "deployment": "Deployment", "statefulset": "StatefulSet", "svc": "Service"}


def test_what_kubectl_is_asked_for_is_in_the_manifests() -> None:
    """Deployments, StatefulSets, Services, pods of StatefulSets and labels that the commands name are made."""
    labels = {o["metadata"].get("labels", {}).get("app.kubernetes.io/name") for o in objects()}
    seen = 0
    for page, words in of("kubectl"):
        namespace = words[words.index("-n") + 1] if "-n" in words else ""
        for word in words:
            if match := re.fullmatch(r"(deploy|deployment|statefulset|svc)/([a-z-]+)", word):
                assert exists(KINDS[match[1]], match[2], namespace), f"{page.name}: {words}"
            elif match := re.fullmatch(r"(?:pod/)?(prometheus|alertmanager)-([01])", word):
                assert exists("StatefulSet", match[1], namespace), f"{page.name}: {words}"
            elif match := re.fullmatch(r"app\.kubernetes\.io/name=([a-z-]+)", word):
                assert match[1] in labels, f"{page.name}: {words}"
            else:
                continue
            seen += 1
    assert seen > 50
