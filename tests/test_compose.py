"""The reference system's docker-compose: what its files promise, and the variant without a registry, run for real.

The second half needs a Docker engine: one that answers, or a `dockerd` that root can start here (with a data folder of
its own, and without touching the machine's firewall). It builds images from Debian's archive and rings at production's
pace: a quarter of an hour.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.staged import REFERENCE, system_with
from tocsin.compression.alertmanager import compress_alertmanager
from tocsin.compression.written import yaml_text
from tocsin.deadline import Unmet, wait_until
from tocsin.drill.preparation import prepare
from tocsin.durations import scale_duration
from tocsin.sinks import webhook
from tocsin.system import load_system

COMPOSE = REFERENCE / "compose"
WHOLE = COMPOSE / "docker-compose.yml"
LOCAL = COMPOSE / "docker-compose.local.yml"
DRILL = Path(__file__).parent / "compose" / "docker-compose.drill.yml"
BASE = "dharmamind-base:trixie"
PORTS = (
    "BACKEND",
    "FRONTEND",
    "PROMETHEUS",
    "ALERTMANAGER",
    "ELASTICSEARCH",
    "TRACES",
    "NODE_EXPORTER",
    "BLACKBOX",
    "SINK",
)
PACE = 10.0
RECEIVERS = ["pager", "errors", "warnings", "security", "logbook", "deadman"]
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|ROUTING_KEY")


# --- what the files promise ---


class Tagged(yaml.SafeLoader):
    """Reads Compose's own tags as what they stand on."""


def _tagged(loader: Tagged, _: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    return loader.construct_sequence(node, deep=True) if isinstance(node, yaml.SequenceNode) else None


Tagged.add_multi_constructor("!", _tagged)  # type: ignore[no-untyped-call]


def declared(path: Path) -> dict[str, Any]:
    """Return a Compose file."""
    read = yaml.load(path.read_text(), Loader=Tagged)  # noqa: S506 - a SafeLoader with two tags more
    assert isinstance(read, dict)
    return read


SERVICES: dict[str, dict[str, Any]] = declared(WHOLE)["services"]


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_whole(name: str) -> None:
    """It has a pinned image, a health check, limits, restarts, and ports on loopback alone."""
    service = SERVICES[name]
    assert re.search(r":v?\d+\.\d+\.\d+$", service["image"])
    assert service["healthcheck"]["test"]
    assert service["restart"] == "unless-stopped"
    assert {"cpus", "memory", "pids"} == set(service["deploy"]["resources"]["limits"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["ports"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_the_stack_is_complete() -> None:
    """Everything that the system needs is there, and the variant changes services, and adds none."""
    whole = {"backend", "frontend", "prometheus", "alertmanager", "grafana", "node-exporter", "elasticsearch", "traces"}
    assert set(SERVICES) == whole | {"blackbox-exporter"}
    assert set(declared(LOCAL)["services"]) == set(SERVICES)
    volumes = {v.partition(":")[0] for s in SERVICES.values() for v in s.get("volumes", ()) if re.match(r"\w+:", v)}
    assert volumes == set(declared(WHOLE)["volumes"])


def defaults_of_secrets(text: str) -> list[str]:
    """Return the uses of a variable with a secret that would do without it, and secrets that stand there."""
    loose = [v for v in re.findall(r"\$\{(\w+(?::?[-+?][^}]*)?)\}", text) if SECRET.search(v) and ":?" not in v]
    assigned = [m for m in re.findall(r"^\s*(\w+): *(\S.*)$", text, re.MULTILINE) if SECRET.search(m[0])]
    written = [f"{k}: {v}" for k, v in assigned if not (k.endswith("__FILE") or "${" in v)]
    return loose + written


@pytest.mark.parametrize("path", [WHOLE, LOCAL], ids=lambda path: path.name)
def test_no_secret_has_a_default(path: Path) -> None:
    """Each comes from a file or a variable, and the command ends where the variable is missing."""
    assert defaults_of_secrets(path.read_text()) == []


@pytest.mark.parametrize(
    "text", ["a: ${DB_PASSWORD:-admin}", "a: ${DB_PASSWORD}", "  GF_SECURITY_ADMIN_PASSWORD: admin"]
)
def test_a_default_of_a_secret_is_seen(text: str) -> None:
    """A variable with a default, one that may be empty, and a password in the file are each found."""
    assert defaults_of_secrets(text)


def test_prometheus_scrapes_here_as_in_production() -> None:
    """The jobs, the intervals and the rules are production's; only what needs Kubernetes is missing."""
    here = yaml.safe_load((COMPOSE / "prometheus.yml").read_text())
    there = yaml.safe_load((REFERENCE / "monitoring/prometheus.yml").read_text())
    jobs = [{job["job_name"] for job in each["scrape_configs"]} for each in (here, there)]
    assert jobs[1] - jobs[0] == {"kube-state-metrics", "kubernetes-pods"}
    assert jobs[0] <= jobs[1]
    assert here["rule_files"] == there["rule_files"]
    for key in ("scrape_interval", "scrape_timeout", "evaluation_interval"):
        assert here["global"][key] == there["global"][key]


def test_each_file_that_is_mounted_is_there() -> None:
    """No bind mount makes an empty folder where a file was meant."""
    for name, service in SERVICES.items():
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            if source.startswith("."):
                assert (COMPOSE / source).exists(), f"{name}: {source}"


def test_alertmanager_finds_its_keys() -> None:
    """The README makes a file of each key that Alertmanager's configuration names, and of no other."""
    asked = set(re.findall(r"/etc/alertmanager/secrets/(\w+)", (REFERENCE / "monitoring/alertmanager.yml").read_text()))
    (made,) = re.findall(r"for key in (.*); do", (COMPOSE / "README.md").read_text())
    assert set(made.split()) == asked


# --- the variant without a registry ---


def output(*command: str, **environment: str) -> str:
    """Return what a command says; empty if it is not there or fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=30, env={**os.environ, **environment}
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def unusable() -> str:
    """Return why nothing can be run here; empty if it can."""
    found = re.search(r"(\d+)\.(\d+)", output("docker", "compose", "version", "--short"))
    if not found or tuple(map(int, found.groups())) < (2, 24):
        return "there is no Docker Compose 2.24 or later here"
    answers = bool(output("docker", "info", "--format", "{{.ServerVersion}}"))
    if not answers and not (shutil.which("dockerd") and os.geteuid() == 0):
        return "no Docker engine answers here, and none can be started (that takes dockerd and root)"
    if not shutil.which("debootstrap") or os.geteuid() != 0:
        return "the base image cannot be made here (that takes debootstrap and root)"
    return ""


@contextmanager
def docker_engine() -> Iterator[str]:
    """Give the address of an engine: of one that answers, or of our own, which ends with us.

    Ours leaves the machine's firewall and forwarding alone: containers reach each other on their bridge, published
    ports go through its proxy, and builds use the machine's network.
    """
    if output("docker", "info", "--format", "{{.ServerVersion}}"):
        yield os.environ.get("DOCKER_HOST", "")
        return
    with tempfile.TemporaryDirectory(prefix="tocsin-docker-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        host = f"unix://{folder}/docker.sock"
        # In a mount namespace of its own whose mounts are shared, as systemd has them: the node exporter's are slaves.
        command = ["unshare", "--mount", "--propagation", "shared"]
        command += ["dockerd", "--host", host, "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec"]
        command += ["--pidfile", f"{folder}/pid", "--bridge", "none", "--iptables=false", "--ip6tables=false"]
        command += ["--ip-forward=false", "--ip-masq=false"]
        with (folder / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as daemon:
            try:
                wait_until(
                    lambda: (
                        bool(output("docker", "info", "--format", "{{.ServerVersion}}", DOCKER_HOST=host))
                        or Unmet((folder / "log").read_text()[-2000:])
                    ),
                    seconds=60,
                    what="dockerd to answer",
                )
                yield host
            finally:
                daemon.terminate()
                daemon.wait(60)


@dataclass(frozen=True, slots=True)
class Composed:
    """The stack of one pace, up on ports of its own."""

    environment: Mapping[str, str]
    project: str
    ports: Mapping[str, int]

    def compose(self, *arguments: str, seconds: float = 900) -> str:
        """Run docker compose on the three files."""
        files = [part for path in (WHOLE, LOCAL, DRILL) for part in ("--file", str(path))]
        command = ["docker", "compose", "--project-name", self.project, *files, *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=seconds, env=dict(self.environment)
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-8000:]
        return done.stdout

    def url(self, of: str) -> str:
        """Return where something is."""
        return f"http://127.0.0.1:{self.ports[of]}"

    def prometheus(self, path: str) -> Any:
        """Ask Prometheus."""
        answer = requests.get(f"{self.url('PROMETHEUS')}/api/v1/{path}", timeout=10)
        answer.raise_for_status()
        return answer.json()["data"]

    def told(self, receiver: str, alert: str, status: str) -> bool:
        """Return whether a receiver was told of an alert."""
        taken = requests.get(f"{self.url('SINK')}/notifications", timeout=10).json()
        return any(
            each["receiver"] == receiver and one["status"] == status and one["labels"]["alertname"] == alert
            for each in taken
            for one in each["payload"]["alerts"]
        )


def free_ports() -> dict[str, int]:
    """Return a port for each address, free now."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in PORTS]
        return {name: each.getsockname()[1] for name, each in zip(PORTS, sockets, strict=True)}


def write_files(folder: Path, pace: float, system: Path) -> None:
    """Write what Prometheus and Alertmanager read: as it is at pace 1, else with its times divided."""
    (folder / "prometheus").mkdir(parents=True)
    (folder / "alertmanager").mkdir()
    alertmanager = yaml.safe_load((REFERENCE / "monitoring/alertmanager.yml").read_text())
    told = compress_alertmanager(alertmanager, pace, "http://sink:8099")
    (folder / "alertmanager/alertmanager.yml").write_text(yaml_text(told))
    config = yaml.safe_load((COMPOSE / "prometheus.yml").read_text())
    rules = {"alert_rules.yml": (REFERENCE / "monitoring/alert_rules.yml").read_text()}
    if pace != 1:
        rules = {Path(name).name: text for name, text in prepare(load_system(system), "local").rule_files.items()}
        config["global"]["scrape_timeout"] = config["global"]["scrape_interval"]
        for key in ("scrape_interval", "scrape_timeout", "evaluation_interval"):
            config["global"][key] = scale_duration(config["global"][key], pace)
        config["rule_files"] = sorted(rules)
    (folder / "prometheus/prometheus.yml").write_text(yaml.safe_dump(config, sort_keys=False))
    for name, text in rules.items():
        (folder / "prometheus" / name).write_text(text)


@contextmanager
def composed(host: str, folder: Path, pace: float, ports: Mapping[str, int], system: Path) -> Iterator[Composed]:
    """Bring the stack up, wait until all of it is healthy, and take it down with what it stored."""
    write_files(folder / "files", pace, system)
    secrets = folder / "secrets"
    (secrets / "alertmanager").mkdir(parents=True)
    (secrets / "accounts.json").write_text("{}")
    (secrets / "grafana_password").write_text("unused")
    environment = {
        **os.environ,
        **({"DOCKER_HOST": host} if host else {}),
        **{f"{name}_PORT": str(port) for name, port in ports.items()},
        "SECRETS": str(secrets),
        "ELASTIC_PASSWORD": "unused",
        "DRILL_FILES": str(folder / "files"),
        "DRILL_SINK": webhook.__file__,
        "DOCKER_BUILDKIT": "0",
    }
    stack = Composed(environment, f"tocsin-{os.getpid()}", ports)
    try:
        stack.compose("up", "--detach", "--build", "--wait", "--wait-timeout", "300")
        yield stack
    finally:
        stack.compose("down", "--volumes", "--remove-orphans", "--timeout", "10")


needs_docker = pytest.mark.skipif(bool(unusable()), reason=unusable() or "-")
pytestmark = pytest.mark.xdist_group("exclusive")


@pytest.fixture(scope="module")
def engine() -> Iterator[str]:
    """Give an engine that has the base image."""
    with docker_engine() as host:
        environment = {**os.environ, **({"DOCKER_HOST": host} if host else {})}
        if not output("docker", "image", "inspect", BASE, **environment):
            made = subprocess.run(
                [str(COMPOSE / "base-image")], capture_output=True, text=True, check=False, timeout=900, env=environment
            )
            assert made.returncode == 0, made.stdout[-2000:] + made.stderr[-2000:]
        yield host


@needs_docker
def test_the_stack_runs_and_rings(engine: str, tmp_path: Path) -> None:
    """At production's pace: all healthy, all targets up by the services' names, quiet; then BackendDown is told.

    Requests leave their lines and spans where they are shipped to. The alert is told as resolved when the backend is
    back, at the group's next turn.
    """
    with composed(engine, tmp_path, 1, free_ports(), REFERENCE) as stack:
        assert health(stack) == dict.fromkeys({*SERVICES, "sink"} - {"grafana"}, "healthy")
        wait_until(lambda: all_up(stack), seconds=60, what="every target to be up")
        for _ in range(50):
            assert requests.get(f"{stack.url('FRONTEND')}/meditations", timeout=10).status_code == 200
        wait_until(lambda: shipped(stack), seconds=60, what="lines and spans to be shipped")
        firing = {a["labels"]["alertname"] for a in stack.prometheus("alerts")["alerts"] if a["state"] == "firing"}
        assert firing <= {"Watchdog"}

        stack.compose("kill", "backend")
        wait_until(lambda: stack.told("pager", "BackendDown", "firing"), seconds=240, what="BackendDown to be told")
        stack.compose("start", "backend")
        wait_until(lambda: health(stack)["backend"] == "healthy", seconds=120, what="the backend to be healthy again")
        wait_until(lambda: stack.told("pager", "BackendDown", "resolved"), seconds=420, what="the end to be told")


def health(stack: Composed) -> dict[str, str]:
    """Return what Docker says of each service."""
    shown = [json.loads(line) for line in stack.compose("ps", "--all", "--format", "json").splitlines()]
    return {each["Service"]: each["Health"] for each in shown}


def all_up(stack: Composed) -> bool | Unmet:
    """Return whether every target was scraped, under the name of its service."""
    targets = stack.prometheus("targets?state=active")["activeTargets"]
    wrong = {t["scrapeUrl"]: t["lastError"] for t in targets if t["health"] != "up"}
    hosts = {re.sub(r"https?://([^:/]+).*", r"\1", t["scrapeUrl"]) for t in targets}
    expected = {"backend", "frontend", "node-exporter", "blackbox-exporter", "localhost", "alertmanager"}
    return (not wrong and hosts == expected) or Unmet(f"{hosts}: {wrong}")


def shipped(stack: Composed) -> bool | Unmet:
    """Return whether both stand-ins took something."""
    taken = {name: requests.get(f"{stack.url(name)}/standin/mode", timeout=10).json() for name in STANDINS}
    return all(taken[name][what] > 0 for name, what in STANDINS.items()) or Unmet(str(taken))


STANDINS = {"ELASTICSEARCH": "documents", "TRACES": "spans"}


@needs_docker
def test_the_stack_is_drilled_as_one_that_runs(engine: str, tmp_path: Path) -> None:
    """The harness drills it by its addresses on loopback: every stage of a warning is seen, and it passes."""
    ports = free_ports()
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    local = yaml.safe_load((REFERENCE / "system.yaml").read_text())["environments"]["local"]
    environment = {
        "factor": 1,
        "pace": PACE,
        **{name: {"url": urls[name.upper()]} for name in ("prometheus", "alertmanager", "sink")},
        "addresses": {name: urls[name.upper()] for name in ("backend", "frontend")},
        "hosts": ["127.0.0.1"],
        "allow_load": True,
        "allow_receivers": RECEIVERS,
        "ceilings": {"users": 50, "requests_per_second": 400, "seconds": 1800},
    }
    system = system_with(tmp_path, {"local": {**local, "factor": PACE}, "compose": environment})
    with composed(engine, tmp_path / "up", PACE, ports, system) as stack:
        wait_until(lambda: all_up(stack), seconds=60, what="every target to be up")
        command = [
            sys.executable,
            "-m",
            "tocsin.cli",
            "drill",
            str(system),
            "seats-warning",
            "--environment",
            "compose",
        ]
        done = subprocess.run(
            [*command, "--reports", str(tmp_path / "reports")], capture_output=True, text=True, check=False, timeout=900
        )
        assert done.returncode == 0, done.stdout + done.stderr
        results = json.loads((tmp_path / "reports/latest/results.json").read_text())
        stages = results["drills"][0]["expected"][0]["stages"]
        assert [name for name, at in stages.items() if not isinstance(at, float)] == []
