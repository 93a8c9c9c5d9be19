"""Real engines: started on free ports, waited for until monitoring works, asked, and never mistaken for the system."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
import requests

from tocsin.deadline import Stopped, wait_until
from tocsin.engines import amtool, promtool
from tocsin.engines.alertmanager import Alertmanager, AlertmanagerSettings
from tocsin.engines.alertmanager_log import AlertmanagerEvent, AlertmanagerEventKind, fingerprint
from tocsin.engines.binaries import Engine, find_engine, version
from tocsin.engines.node_exporter import start_node_exporter
from tocsin.engines.prometheus import Prometheus, PrometheusSettings
from tocsin.engines.prometheus_api import PrometheusApi
from tocsin.engines.readiness import await_alertmanagers, await_rules, await_targets
from tocsin.engines.service import Service, ServiceCommand, start_service
from tocsin.engines.trouble import EngineTrouble
from tocsin.sinks.capture import CaptureSink
from tocsin.supervisor import Kind, Supervisor, usage

RULES = """
groups:
  - name: drill
    rules:
      - {record: "drill:eval_tick", expr: time()}
      - {alert: Down, expr: up == 0, for: 500ms, labels: {severity: critical}}
"""
ALERTS_CONFIG = """
route: {receiver: pager, group_by: [alertname], group_wait: 200ms, group_interval: 1s}
receivers: [{name: pager, webhook_configs: [{url: "%s", send_resolved: true}]}]
"""


def prometheus_config(place: Path, targets: dict[str, str], alertmanager: str = "", rules: str = RULES) -> Path:
    """Write a configuration that scrapes each job's target four times a second, and its rules."""
    (place / "rules.yml").write_text(rules)
    jobs = "".join(
        f"  - {{job_name: {job}, static_configs: [{{targets: ['{target}']}}]}}\n" for job, target in targets.items()
    )
    alerting = f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{alertmanager}']}}]}}]}}\n"
    config = place / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 250ms, scrape_timeout: 250ms, evaluation_interval: 250ms}\n"
        f"rule_files: [rules.yml]\n{alerting if alertmanager else ''}scrape_configs:\n{jobs}"
    )
    return config


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    """Give a supervisor that ends what a test started."""
    with Supervisor("test", tmp_path / "logs") as running:
        yield running


def settings_of(place: Path, config: Path, **others: object) -> PrometheusSettings:
    flags = ("--query.lookback-delta=5s", "--rules.alert.resend-delay=1s")
    return replace(PrometheusSettings(config=config, data=place / "tsdb", flags=flags), **others)


@dataclass
class Stack:
    """A sink, an Alertmanager, a node exporter and a Prometheus, of which each knows the next."""

    supervisor: Supervisor
    sink: CaptureSink
    alertmanager: Alertmanager
    target: Service
    prometheus: Prometheus


@pytest.fixture
def stack(tmp_path: Path, supervisor: Supervisor) -> Stack:
    """Start a stack; monitoring need not work yet."""
    sink = CaptureSink.start(supervisor, tmp_path / "notifications.jsonl")
    config = tmp_path / "alertmanager.yml"
    config.write_text(ALERTS_CONFIG % sink.webhook_url("pager", "webhook", 0))
    alertmanager = Alertmanager.start(supervisor, AlertmanagerSettings(config=config, data=tmp_path / "am"))
    target = start_node_exporter(supervisor, cwd=tmp_path)
    addresses = {"node": target.url.removeprefix("http://")}
    config = prometheus_config(tmp_path, addresses, alertmanager.url.removeprefix("http://"))
    prometheus = Prometheus.start(supervisor, settings_of(tmp_path, config))
    return Stack(supervisor, sink, alertmanager, target, prometheus)


def test_a_killed_target_rings_end_to_end(stack: Stack) -> None:
    """Kill, firing, received, notified; back, resolved, notified: each moment is to be had afterwards, in order."""
    stack.prometheus.await_working(jobs=["node"], rules=2)
    killed = stack.target.kill().time
    fired = stack.sink.wait_for(lambda each: each.payload["status"] == "firing", 20)
    labels = fired.payload["alerts"][0]["labels"]
    (raw,) = stack.prometheus.api.raw_samples('ALERTS{alertstate="firing"}', start=killed - 1, end=time.time() + 1)
    events = stack.alertmanager.events()
    received = next(each for each in events if each.kind is AlertmanagerEventKind.RECEIVED)
    assert received.alerts[0].name == "Down"
    assert received.alerts[0].state == "active"
    assert received.alerts[0].fingerprint == fingerprint(labels)[:7] == fired.payload["alerts"][0]["fingerprint"][:7]
    assert killed < raw.samples[0].time <= received.time <= fired.time
    assert [each["labels"] for each in stack.alertmanager.api.alerts(['alertname="Down"'])] == [labels]
    assert stack.alertmanager.api.alerts(['alertname="Up"']) == []
    assert stack.alertmanager.api.groups()[0]["receiver"]["name"] == "pager"
    assert stack.alertmanager.api.receivers() == ["pager"]
    assert [each["state"] for each in stack.prometheus.api.alerts()] == ["firing"]

    again = replace(stack.target.command, argv=_with_port(stack.target))
    start_service(stack.supervisor, again)
    resolved = stack.sink.wait_for(lambda each: each.payload["status"] == "resolved", 20)
    assert resolved.time > fired.time

    def notifications() -> list[AlertmanagerEvent]:
        return [each for each in stack.alertmanager.events() if each.kind is AlertmanagerEventKind.NOTIFIED]

    # Alertmanager logs a success when it has the sink's answer, which is after the sink told us
    notified = wait_until(lambda: len(notifications()) == 2 and notifications(), seconds=20, what="two log lines")
    events = stack.alertmanager.events()
    states = [each.alerts[0].state for each in events if each.kind is AlertmanagerEventKind.RECEIVED]
    assert states[0] == "active"
    assert states[-1] == "resolved"
    assert [(each.receiver, each.integration) for each in notified] == [("pager", "webhook[0]")] * 2
    assert all(abs(logged.time - sunk.time) < 0.5 for logged, sunk in zip(notified, (fired, resolved), strict=True))
    assert "alertmanager_notifications_total" in stack.alertmanager.api.metrics()
    assert "prometheus_notifications_dropped_total" in stack.prometheus.api.metrics()


def _with_port(service: Service) -> tuple[str, ...]:
    listen = f"--web.listen-address=127.0.0.1:{service.port}"
    return tuple(listen if part.startswith("--web.listen-address") else part for part in service.command.argv)


def test_what_prometheus_is_asked(stack: Stack) -> None:
    """Queries keep their milliseconds and their kinds; every endpoint tells what it should."""
    api = stack.prometheus.api
    stack.prometheus.await_working(jobs=["node"], rules=2)
    now = time.time()
    (up,) = api.query("up", at=now)
    assert up.labels["job"] == "node"
    assert up.samples[0].value == 1
    assert api.query("1 + 1")[0].samples[0].value == 2
    assert api.query("absent(up)") == []
    start = round(now, 3) - 0.123
    (series,) = api.query_range("vector(1)", start=start, end=start + 0.05, step=0.01)
    assert [sample.time for sample in series.samples] == pytest.approx([start + i / 100 for i in range(6)], abs=1e-6)
    (raw,) = api.raw_samples("up", start=now - 2, end=now)
    times = [sample.time for sample in raw.samples]
    assert times == sorted(times)
    assert all(0 < later - earlier < 1 for earlier, later in pairwise(times))
    assert [target["health"] for target in api.targets()] == ["up"]
    assert [rule["name"] for group in api.rule_groups() for rule in group["rules"]] == ["drill:eval_tick", "Down"]
    assert api.alertmanagers() == [f"{stack.alertmanager.url}/api/v2/alerts"]
    assert api.configuration()["scrape_configs"][0]["job_name"] == "node"
    assert api.flags()["query.lookback-delta"] == "5s"
    assert version(find_engine(Engine.PROMETHEUS)) == api.version()
    assert version(find_engine(Engine.ALERTMANAGER)) == stack.alertmanager.api.version()
    with pytest.raises(EngineTrouble, match="parse error") as caught:
        api.query("up[")
    assert caught.value.kind is Kind.ANSWERED
    with pytest.raises(EngineTrouble, match="exceeded maximum resolution") as caught:
        api.query_range("up", start=0, end=1e9, step=0.01)
    assert caught.value.kind is Kind.ANSWERED


def test_a_reload_waits_until_alerts_are_sent_again(stack: Stack, tmp_path: Path) -> None:
    """After a reload Alertmanager is known and the new rules are healthy; one that fails says why."""
    stack.prometheus.await_working(jobs=["node"], rules=2)
    rules = RULES + "      - {record: another, expr: up}\n"
    (tmp_path / "rules.yml").write_text(rules)
    stack.prometheus.reload(rules=3)
    assert len(stack.prometheus.api.alertmanagers()) == 1
    (tmp_path / "prometheus.yml").write_text("global: {scrape_interval: often}")
    with pytest.raises(EngineTrouble, match="often"):
        stack.prometheus.reload(rules=3)


def test_a_stale_marker_is_in_the_dump_alone(stack: Stack, tmp_path: Path) -> None:
    """The marker that a dead target's series get is NaN in promtool's dump, and absent from the API."""
    stack.prometheus.await_working(jobs=["node"], rules=2)
    began = time.time() - 5
    stack.target.kill()
    api = stack.prometheus.api
    wait_until(lambda: api.query("up == 0"), seconds=10, what="the dead target")
    (raw,) = api.raw_samples("node_load1", start=began, end=time.time())
    dumped = list(promtool.tsdb_dump(tmp_path / "tsdb", "node_load1", start=began, end=time.time()))
    stale = [each for each in dumped if each.value != each.value]
    assert len(stale) == 1
    assert stale[0].labels == raw.labels
    assert stale[0].time > raw.samples[-1].time
    assert [each.time for each in dumped if each.value == each.value] == [each.time for each in raw.samples]
    with pytest.raises(EngineTrouble, match="cannot read the storage"):
        promtool.tsdb_dump(tmp_path / "absent", "up", start=0, end=1)


@pytest.mark.parametrize(("panics", "read"), [(1, True), (2, True), (9, False)])
def test_a_storage_on_which_promtool_panics_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, panics: int, *, read: bool
) -> None:
    """It goes wrong on cue, so many times; then the real promtool has its say, of a storage with nothing in it."""
    counter, storage = tmp_path / "count", tmp_path / "tsdb"
    (storage / "wal").mkdir(parents=True)
    script = tmp_path / "promtool"
    script.write_text(
        f'#!/bin/sh\necho x >> "{counter}"\n'
        f'if [ $(wc -l < "{counter}") -le {panics} ]; then echo "panic: expected newly cut file" >&2; exit 2; fi\n'
        f'exec "{find_engine(Engine.PROMTOOL)}" "$@"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("TOCSIN_PROMTOOL", str(script))
    if read:
        assert list(promtool.tsdb_dump(storage, "up", start=0, end=1)) == []
    else:
        with pytest.raises(EngineTrouble, match="panic: expected"):
            promtool.tsdb_dump(storage, "up", start=0, end=1)
    assert len(counter.read_text().splitlines()) == min(panics + 1, promtool.READS)


def test_a_restart_keeps_port_and_data(stack: Stack) -> None:
    """The log is used again and holds the old address; the new one is another process on the same port and data."""
    stack.prometheus.await_working(jobs=["node"], rules=2)
    before = time.time()
    again = stack.prometheus.restarted()
    assert again.url == stack.prometheus.url
    assert again.process.pid != stack.prometheus.process.pid
    assert again.process.log == stack.prometheus.process.log
    assert again.api.raw_samples("up", start=before - 2, end=before)
    stopped = stack.prometheus.process.exited
    assert stopped is not None
    assert (stopped.code, stopped.expected) == (0, True)


FAILING_RULES = """
groups:
  - name: drill
    rules:
      - alert: Down
        expr: label_replace(up, "x", "$1", "job", "(")
"""


@pytest.mark.parametrize(
    ("barrier", "arguments", "rules", "message"),
    [
        (await_targets, {"jobs": ["self", "backend"]}, RULES, r"8 s: backend 127\.0\.0\.1:9 .*connection refused"),
        (await_targets, {"jobs": ["absent"], "seconds": 0.2}, RULES, r"job 'absent' has no target"),
        (await_targets, {"jobs": ["self"]}, RULES, None),
        (await_alertmanagers, {"seconds": 0.2}, RULES, r"knows 0 of 1: none; alerts sent now are dropped"),
        (await_alertmanagers, {"count": 0}, RULES, None),
        (await_rules, {"count": 3, "seconds": 2}, RULES, r"2 rules are loaded, 3 are expected$"),
        (await_rules, {"count": 1, "seconds": 2}, FAILING_RULES, r"drill/Down: .*invalid regular expression"),
        (await_rules, {"count": 2}, RULES, None),
    ],
)
def test_a_barrier_that_is_not_met_says_why(
    barrier: Callable, arguments: dict, rules: str, message: str | None, *, tmp_path: Path, supervisor: Supervisor
) -> None:  # fmt: skip
    """Each barrier names what stands in its way, with Prometheus's own reason; a healthy one passes."""
    targets = {"self": free_address(), "backend": "127.0.0.1:9"}
    config = prometheus_config(tmp_path, targets, rules=rules)
    port = int(targets["self"].rpartition(":")[2])
    prometheus = Prometheus.start(supervisor, settings_of(tmp_path, config), port=port)
    arguments = {"seconds": 8.0} | arguments
    if message is None:
        barrier(prometheus.api, **arguments)
        return
    with pytest.raises(EngineTrouble, match=message) as caught:
        barrier(prometheus.api, **arguments)
    assert caught.value.kind is Kind.TIMED_OUT
    assert caught.value.where == prometheus.url


def free_address() -> str:
    """Return an address on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def test_a_hang_is_told_from_a_refusal(tmp_path: Path, supervisor: Supervisor) -> None:
    """A stopped server times out after the given time; one that is gone refuses at once; neither is retried."""
    settings = settings_of(tmp_path, prometheus_config(tmp_path, {}), timeout=0.5)
    prometheus = Prometheus.start(supervisor, settings)
    asks = (prometheus.api.targets, lambda: prometheus.api.query("up"), prometheus.api.alerts, prometheus.api.metrics)
    supervisor.signal(prometheus.process, signal.SIGSTOP)
    for ask in asks:
        began = time.monotonic()
        with pytest.raises(EngineTrouble, match="did not answer in time") as caught:
            ask()
        assert caught.value.kind is Kind.TIMED_OUT
        assert time.monotonic() - began < 1.5
    supervisor.kill(prometheus.process)
    for ask in asks:
        began = time.monotonic()
        with pytest.raises(EngineTrouble) as caught:
            ask()
        assert caught.value.kind in (Kind.REFUSED, Kind.BROKEN)
        assert time.monotonic() - began < 0.5
    with pytest.raises(EngineTrouble, match="refused the connection"):
        PrometheusApi(prometheus.url).query("up")
    with pytest.raises(EngineTrouble, match="SIGKILL"):
        prometheus.await_working(jobs=[], rules=2, alertmanagers=0, seconds=30)


def test_another_server_is_not_taken_for_prometheus(tmp_path: Path, supervisor: Supervisor) -> None:
    """JSON of another form, and what is no JSON, are trouble and no traceback."""
    sink = CaptureSink.start(supervisor, tmp_path / "notifications.jsonl")
    api = PrometheusApi(sink.url)
    for ask in (api.targets, api.alerts, lambda: api.query("up")):
        with pytest.raises(EngineTrouble) as caught:
            ask()
        assert caught.value.where == sink.url
    node = PrometheusApi(start_node_exporter(supervisor, cwd=tmp_path).url)
    for ask in (node.targets, node.alerts, lambda: node.query("up")):
        with pytest.raises(EngineTrouble):
            ask()


@pytest.mark.parametrize(
    ("config", "kind", "message"),
    [
        ("global: {scrape_interval: often}", Kind.EXITED, r"prometheus exited with code \d.*often"),
        ("rule_files: [absent.yml]", None, None),
    ],
)
def test_a_start_that_fails_shows_the_log(
    config: str, kind: Kind | None, message: str | None, tmp_path: Path, supervisor: Supervisor
) -> None:
    """A configuration that Prometheus refuses is in the message, with Prometheus's words; one that it takes is not."""
    file = tmp_path / "prometheus.yml"
    file.write_text(config)
    if kind is None:
        assert Prometheus.start(supervisor, settings_of(tmp_path, file)).service.port > 0
        return
    with pytest.raises(EngineTrouble, match=re.compile(message or "", re.DOTALL)) as caught:
        Prometheus.start(supervisor, settings_of(tmp_path, file))
    assert caught.value.kind is kind


def test_an_alertmanager_that_does_not_start_shows_the_log(tmp_path: Path, supervisor: Supervisor) -> None:
    """A route to a receiver that does not exist is named."""
    config = tmp_path / "alertmanager.yml"
    config.write_text("route: {receiver: nobody}\nreceivers: [{name: pager}]")
    with pytest.raises(EngineTrouble, match="nobody"):
        Alertmanager.start(supervisor, AlertmanagerSettings(config=config, data=tmp_path / "am"))


def test_a_stop_during_a_wait_leaves_nothing(tmp_path: Path, supervisor: Supervisor) -> None:
    """The stop event ends a start that would take a minute, and what was started with it."""
    stop = threading.Event()
    command = ServiceCommand(name="silent", argv=("sleep", "300"), cwd=tmp_path)
    timer = threading.Timer(0.2, stop.set)
    timer.start()
    began = time.monotonic()
    with pytest.raises(Stopped):
        start_service(supervisor, command, seconds=60, stop=stop)
    assert time.monotonic() - began < 5
    assert psutil.Process(supervisor.pid).children() == []
    timer.join()


SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(sys.argv[1])); self.end_headers()
    def log_message(self, *_): pass
print("see http://127.0.0.1:0 and http://127.0.0.1:9093 for more")
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(f"Serving on http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
"""


@pytest.mark.parametrize(
    ("code", "argument", "kind", "message"),
    [
        (SERVER, "200", None, ""),
        (SERVER, "503", Kind.TIMED_OUT, "GET /ready, asked for 1 s: HTTP 503"),
        ("print('hello'); raise SystemExit('no database')", "", Kind.EXITED, "code 1.*\nhello\nno database"),
        ("import signal; print('waiting', flush=True); signal.pause()", "", Kind.TIMED_OUT, "nothing like.*waiting"),
    ],
)
def test_a_service_is_ready_or_says_why_not(
    code: str, argument: str, kind: Kind | None, message: str, *, tmp_path: Path, supervisor: Supervisor
) -> None:
    """A service is returned when its readiness path answers 200; otherwise the error holds the end of its log."""
    command = ServiceCommand(
        name="backend", argv=(sys.executable, "-u", "-c", code, argument), cwd=tmp_path, ready="/ready"
    )
    if kind is None:
        service = start_service(supervisor, command, seconds=10)
        assert requests.get(service.url, timeout=5).status_code == 200
        assert service.port not in (0, 9093)
        assert usage([service.process]).rss_bytes > 0
        assert service.stop().signal == signal.SIGTERM
        return
    with pytest.raises(EngineTrouble, match=re.compile(message, re.DOTALL)) as caught:
        start_service(supervisor, command, seconds=1 if kind is Kind.TIMED_OUT else 10)
    assert caught.value.kind is kind
    assert psutil.Process(supervisor.pid).children() == []


@pytest.mark.parametrize(
    ("rules", "code", "message"),
    [(RULES, 0, "2 rules found"), (RULES.replace("up == 0", "up =="), 1, "unexpected end of input")],
)
def test_promtool_judges_rules(rules: str, code: int, message: str, tmp_path: Path) -> None:
    """Rules and the configuration that names them are accepted or refused, with promtool's reason."""
    config = prometheus_config(tmp_path, {"backend": "127.0.0.1:9"}, rules=rules)
    for done in (promtool.check_rules([tmp_path / "rules.yml"]), promtool.check_config(config)):
        assert done.code == code
        assert message in done.stdout + done.stderr
    assert promtool.check_config(config, syntax_only=True).code == 0


@pytest.mark.parametrize(("value", "code"), [("3", 0), ("4", 1)])
def test_promtool_runs_rule_tests(value: str, code: int, tmp_path: Path) -> None:
    """A test file that holds passes, one that does not fails."""
    prometheus_config(tmp_path, {})
    (tmp_path / "test.yml").write_text(
        "rule_files: [rules.yml]\ntests: [{interval: 1m, input_series: [{series: up, values: '3'}],"
        f" promql_expr_test: [{{expr: up, eval_time: 0m, exp_samples: [{{labels: up, value: {value}}}]}}]}}]"
    )
    assert promtool.run_rule_tests([tmp_path / "test.yml"], cwd=tmp_path).code == code


def test_amtool_judges_and_routes(tmp_path: Path) -> None:
    """A configuration is accepted or refused, and an alert's receivers are told in order."""
    config = tmp_path / "alertmanager.yml"
    config.write_text(
        "route: {receiver: mail, routes: [{receiver: pager, matchers: ['severity=\"critical\"'], continue: true},"
        " {receiver: log, matchers: ['team=\"a b\"']}]}\nreceivers: [{name: mail}, {name: pager}, {name: log}]"
    )
    assert amtool.check_config(config).code == 0
    assert amtool.route(config, {"severity": "critical", "team": "a b", "quoted": '"\\'}) == ("pager", "log")
    assert amtool.route(config, {"severity": "info"}) == ("mail",)
    config.write_text("route: {receiver: nobody}")
    assert amtool.check_config(config).code == 1
    with pytest.raises(EngineTrouble, match="nobody"):
        amtool.route(config, {})


def test_no_file_descriptor_is_left_by_a_stack(tmp_path: Path) -> None:
    """A Prometheus that came and went leaves nothing open in the harness."""

    def round_() -> int:
        with Supervisor("test", tmp_path / "logs") as supervisor:
            prometheus = Prometheus.start(supervisor, settings_of(tmp_path, prometheus_config(tmp_path, {})))
            assert prometheus.api.query("1")
            prometheus.stop()
        return len(list(Path(f"/proc/{os.getpid()}/fd").iterdir()))

    assert round_() == round_()
