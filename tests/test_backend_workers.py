"""Several workers of the reference system's backend tell one story, and it never goes back."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from prometheus_client.multiprocess import MultiProcessCollector

from tocsin.deadline import wait_until
from tocsin.engines.service import Service, ServiceCommand, start_service
from tocsin.engines.trouble import EngineTrouble
from tocsin.supervisor import Supervisor

BACKEND = Path(__file__).parents[1] / "fixtures/systems/dharmamind/backend"
WORKERS = 4


def command(directory: Path, **environment: str) -> ServiceCommand:
    """Return how several workers are started, with state and metrics in `directory`."""
    options = ("--host", "127.0.0.1", "--port", "0", "--no-access-log", "--workers", str(WORKERS))
    shared = {"PROMETHEUS_MULTIPROC_DIR": str(directory / "metrics"), "STATE_DIRECTORY": str(directory / "state")}
    return ServiceCommand(
        name="backend",
        argv=(sys.executable, "-m", "uvicorn", "app.main:app", *options),
        cwd=BACKEND,
        env={**os.environ, "REQUESTS_PER_SECOND_PER_CLIENT": "10000", "DHARMAMIND_DRILL": "1", **shared, **environment},
        ready="/health/ready",
    )


@pytest.fixture(scope="module")
def supervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    """Own the processes of this module."""
    with Supervisor("workers", tmp_path_factory.mktemp("logs")) as running:
        yield running


def all_there(service: Service) -> Service:
    """Wait until every worker serves."""
    wait_until(lambda: scrape(service)["dharmamind_workers"] == WORKERS, seconds=30, what="every worker serves")
    return service


@pytest.fixture(scope="module")
def pod(supervisor: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Return four workers behind one port."""
    service = all_there(start_service(supervisor, command(tmp_path_factory.mktemp("pod"), SITTING_LEASE_SECONDS="60")))
    yield service
    service.stop()


def ask(service: Service, method: str, path: str, **more: Any) -> requests.Response:
    """Ask whichever worker takes the connection."""
    return requests.request(method, service.url + path, timeout=30, **more)


def scrape(service: Service) -> dict[str, float]:
    """Return the value of each series, by its text."""
    text = ask(service, "GET", "/metrics").text
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    return {series: float(value) for series, value in lines}


def counters(metrics: dict[str, float]) -> dict[str, float]:
    """Return what must never fall: counters, and all of a histogram."""
    never_fall = ("_total", "_count", "_sum", "_bucket")
    return {series: value for series, value in metrics.items() if series.split("{")[0].endswith(never_fall)}


def workers(service: Service) -> list[psutil.Process]:
    """Return the processes that serve; the other child of the server only tidies up after it, and some are dead."""
    return [child for child in psutil.Process(service.process.pid).children() if serves(child)]


def serves(child: psutil.Process) -> bool:
    """Tell a worker that is alive from anything else."""
    try:
        return "spawn_main" in " ".join(child.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False


COUNTED = 'dharmamind_http_requests_total{method="GET",route="/api/meditations",status="200"}'
OBSERVED = 'dharmamind_http_request_duration_seconds_count{method="GET",route="/api/meditations"}'


def test_every_request_is_counted_once(pod: Service) -> None:
    """Of n requests to four workers, in parallel and with scrapes in between, the counters have n."""
    before = scrape(pod)

    def several(_: int) -> set[int]:
        answers = {ask(pod, "GET", "/api/meditations").status_code for _ in range(50)}
        scrape(pod)
        return answers

    with ThreadPoolExecutor(8) as people:
        assert set.union(*people.map(several, range(8))) == {200}
    after = scrape(pod)
    assert after[COUNTED] - before[COUNTED] == 400
    assert after[OBSERVED] - before[OBSERVED] == 400
    assert after['dharmamind_interactions_total{kind="meditation",outcome="answered"}'] >= 400


def test_no_counter_falls_when_a_worker_is_killed(pod: Service) -> None:
    """Before the kill, right after it, and with its successor: every counter is at least what it was."""
    for _ in range(40):
        ask(pod, "GET", "/api/meditations")
        ask(pod, "POST", "/api/sessions", json={"kind": "guest"})
        ask(pod, "GET", "/api/admin/accounts")
    ask(pod, "GET", "/api/sittings", headers={"X-Drill-Fault": "cpu=0.3"})
    seen = [counters(scrape(pod))]
    workers(pod)[0].kill()

    def replaced() -> bool:
        now = scrape_of_the_living(pod)
        seen.append(counters(now))
        return now["dharmamind_workers"] == WORKERS and len(seen) > 20

    wait_until(replaced, seconds=30, what="the dead worker has a successor")
    assert len(seen[0]) > 100
    for earlier, later in pairwise(seen):
        assert {s: (v, later.get(s)) for s, v in earlier.items() if later.get(s, -1.0) < v} == {}
    assert seen[-1][COUNTED] == seen[0][COUNTED]
    assert seen[-1]["process_cpu_seconds_total"] > seen[0]["process_cpu_seconds_total"]


def scrape_of_the_living(pod: Service) -> dict[str, float]:
    """Scrape; a connection that the dead worker had taken is broken, as Prometheus would see it once."""
    found: list[dict[str, float]] = []

    def answered() -> bool:
        try:
            found.append(scrape(pod))
        except requests.ConnectionError:
            return False
        return True

    wait_until(answered, seconds=10, what="somebody answers")
    return found[0]


def test_a_gauge_does_not_speak_for_the_dead(pod: Service) -> None:
    """What was in flight in a killed worker is no longer, and it is no worker any more; its start was the server's."""
    before = scrape(pod)
    with ThreadPoolExecutor(1) as asking:
        waiting = asking.submit(ask, pod, "GET", "/api/meditations", headers={"X-Drill-Fault": "latency=5"})
        wait_until(lambda: scrape(pod)["dharmamind_http_requests_in_flight"] == 1, seconds=20, what="it is in flight")
        victims = workers(pod)
        os.kill(pod.process.pid, signal.SIGSTOP)  # so that no successor comes in between
        try:
            for victim in victims[:-1]:
                victim.kill()
            wait_until(lambda: len(workers(pod)) == 1, seconds=20, what="they are dead")
            wait_until(  # a process that is killed lets go of its memory first, and is gone a moment later
                lambda: scrape_of_the_living(pod)["dharmamind_workers"] == 1, seconds=20, what="they are seen to be"
            )
            left = scrape_of_the_living(pod)
        finally:
            os.kill(pod.process.pid, signal.SIGCONT)
        in_the_last = not isinstance(waiting.exception(), requests.ConnectionError)
    assert left["dharmamind_workers"] == 1
    assert left["dharmamind_http_requests_in_flight"] == int(in_the_last)
    assert left["process_start_time_seconds"] == before["process_start_time_seconds"]
    all_there(pod)


def test_workers_share_seats_and_sessions(pod: Service) -> None:
    """A seat is sold once, whoever sells it; and a session is known to every worker."""
    with ThreadPoolExecutor(8) as groups:
        statuses = list(
            groups.map(lambda _: ask(pod, "POST", "/api/sittings", json={"participants": 9}).status_code, range(24))
        )
    assert sorted(statuses) == [201] * 11 + [409] * 13
    assert {ask(pod, "GET", "/api/sittings").json()["occupied"] for _ in range(12)} == {99}
    assert {scrape(pod)["dharmamind_seats_occupied"] for _ in range(8)} == {99}


def test_resources_are_those_of_all_workers(pod: Service) -> None:
    """Memory and processor time add up over the server and its workers, less what they share."""
    family = [psutil.Process(pod.process.pid), *psutil.Process(pod.process.pid).children()]
    memory = [process.memory_info() for process in family]
    shown = scrape(pod)
    expected = sum(m.rss - m.shared for m in memory) + max(m.shared for m in memory)
    assert shown["process_resident_memory_bytes"] == pytest.approx(expected, rel=0.05)
    assert shown["process_cpu_seconds_total"] >= sum(sum(p.cpu_times()[:2]) for p in family) - 0.5
    assert shown["process_open_fds"] == pytest.approx(max(p.num_fds() for p in family), abs=5)


def test_every_worker_says_how_it_does(pod: Service) -> None:
    """The level shown is the worst of the workers', and sinks by itself when that one has recovered or died."""

    def known() -> bool:
        for _ in range(5):  # again and again: on a busy machine the window may be over before anybody looks
            ask(pod, "GET", "/api/meditations", headers={"X-Drill-Fault": "error"})
        return written_level(pod) == 4.0

    level = 'dharmamind_performance_level{signal="error_rate"}'
    wait_until(known, seconds=30, what="it is known without anybody having asked")
    assert {scrape(pod)[level] for _ in range(8)} == {4.0}
    for worker in workers(pod):
        worker.kill()
    wait_until(lambda: len(workers(pod)) == WORKERS, seconds=30, what="they have successors")
    wait_until(lambda: scrape_of_the_living(pod)[level] == 0, seconds=30, what="nobody speaks of errors any more")
    all_there(pod)


def written_level(pod: Service) -> float:
    """Return the level of the error rate by the workers' files; a scrape would make whoever answers look anew."""
    assert pod.command.env
    folder = pod.command.env["PROMETHEUS_MULTIPROC_DIR"]
    families = MultiProcessCollector(None, folder).collect()  # type: ignore[no-untyped-call]
    samples = [s for family in families if family.name == "dharmamind_performance_level" for s in family.samples]
    return max(float(sample.value) for sample in samples if sample.labels == {"signal": "error_rate"})


def test_a_new_run_begins_at_zero(supervisor: Supervisor, tmp_path: Path) -> None:
    """What the last run left in the folder is cleared once, before the first worker counts; not by later ones."""
    first = all_there(start_service(supervisor, command(tmp_path)))
    for _ in range(8):
        ask(first, "GET", "/api/meditations")
    assert scrape(first)[COUNTED] == 8
    first.kill()
    left = {path.name for path in (tmp_path / "metrics").glob("*.db")}
    second = all_there(start_service(supervisor, command(tmp_path)))
    assert len(left) >= 2 * WORKERS
    assert not left & {path.name for path in (tmp_path / "metrics").glob("*.db")}
    assert scrape(second)[COUNTED] == 0
    ask(second, "GET", "/api/meditations")
    wait_until(lambda: scrape(second)[COUNTED] == 1, seconds=30, what="it is counted, which is after the answer")
    workers(second)[0].kill()
    wait_until(lambda: len(workers(second)) == WORKERS, seconds=30, what="the dead worker has a successor")
    all_there(second)
    assert scrape(second)[COUNTED] == 1
    second.stop()


def test_two_runs_do_not_share_a_folder(pod: Service, supervisor: Supervisor) -> None:
    """The second is refused with a message, ends instead of trying for ever, and the first one loses nothing."""
    before = counters(scrape(pod))
    metrics = pod.command.env["PROMETHEUS_MULTIPROC_DIR"] if pod.command.env else ""
    with pytest.raises(EngineTrouble, match=f"is in use by the workers of process {pod.process.pid}"):
        start_service(supervisor, command(Path(metrics).parent))
    after = counters(scrape(pod))
    assert {series for series, value in before.items() if after.get(series, -1.0) < value} == set()
