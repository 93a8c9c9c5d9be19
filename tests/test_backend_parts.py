"""The parts of the reference system's backend, each alone."""

from __future__ import annotations

import importlib.util
import io
import json
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

APP = Path(__file__).parents[1] / "fixtures/systems/dharmamind/backend/app"


def load(path: str) -> ModuleType:
    """Import one file of the backend that needs no other; as `app` it would clash with the frontend's."""
    name = f"backend_parts_{Path(path).stem}"
    spec = importlib.util.spec_from_file_location(name, APP / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


accounts = load("accounts.py")
machine = load("monitoring/machine.py")
monitor = load("monitoring/performance_monitor.py")
processes = load("monitoring/processes.py")
sessions = load("sessions.py")
settings = load("settings.py")
sittings = load("sittings.py")
store = load("store.py")
throttle = load("throttle.py")


# --- settings ---


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"MAX_OPEN_FILES": "12.5"}, "MAX_OPEN_FILES='12.5' is not a number from 32"),
        ({"MAX_OPEN_FILES": "31"}, "MAX_OPEN_FILES='31' is not a number from 32"),
        ({"REQUESTS_PER_SECOND_PER_CLIENT": "0"}, "REQUESTS_PER_SECOND_PER_CLIENT='0' is not a positive number"),
        ({"TRACE_SAMPLING_RATIO": "1.1"}, "TRACE_SAMPLING_RATIO='1.1' is not a number from 0 to 1"),
        ({"TRACE_SAMPLING_RATIO": "nan"}, "TRACE_SAMPLING_RATIO='nan' is not a number from 0 to 1"),
        ({"SHUTDOWN_DRAIN_SECONDS": "-1"}, "SHUTDOWN_DRAIN_SECONDS='-1' is not a number from 0 to 600"),
        ({"LOG_BUFFER": "0.5"}, "LOG_BUFFER='0.5' is not a positive number"),
        ({"ELASTICSEARCH_URL": "elastic:9200"}, "ELASTICSEARCH_URL is no URL"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://"}, "OTEL_EXPORTER_OTLP_ENDPOINT is no URL"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://[x"}, "OTEL_EXPORTER_OTLP_ENDPOINT is no URL"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:yz"}, "OTEL_EXPORTER_OTLP_ENDPOINT is no URL"),
        ({"PROMETHEUS_MULTIPROC_DIR": ""}, "PROMETHEUS_MULTIPROC_DIR is set, but empty"),
        ({"PROMETHEUS_MULTIPROC_DIR": "/m"}, "STATE_DIRECTORY is not"),
        ({"PROMETHEUS_MULTIPROC_DIR": "/m", "METRICS_EXEMPLARS": "1"}, "METRICS_EXEMPLARS=1 has no effect"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(environment: dict[str, str], said: str) -> None:
    """The start ends with a message that names the variable, and never shows a URL, which may hold a password."""
    with pytest.raises(SystemExit) as raised:
        settings.Settings.from_environment(environment)
    assert said in str(raised.value)
    assert "elastic:9200" not in str(raised.value)


def test_without_variables_everything_that_can_be_off_is_off() -> None:
    """An empty variable is one that is not set."""
    empty = dict.fromkeys(("STATE_DIRECTORY", "ACCOUNTS_FILE", "ELASTICSEARCH_URL", "MAX_OPEN_FILES", "LOG_INDEX"), "")
    assert settings.Settings.from_environment(empty) == settings.Settings()
    assert settings.Settings().otlp_endpoint is None
    assert settings.Settings().log_index == "dharmamind-logs"


# --- the shared state ---


def test_workers_never_sell_a_seat_twice(tmp_path: Path) -> None:
    """Four connections that sell one by one at the same time sell as many seats as there are."""
    rooms = [sittings.Sittings(store.Store(tmp_path), capacity=100, lease_seconds=60.0) for _ in range(4)]

    def sell(room: Any) -> int:
        sold = 0
        for _ in range(50):
            try:
                room.open(1, 0.0)
            except sittings.SittingsFull:
                continue
            sold += 1
        return sold

    with ThreadPoolExecutor(4) as sellers:
        assert sum(sellers.map(sell, rooms)) == 100
    assert [room.occupied(1.0) for room in rooms] == [100] * 4
    for room in rooms:
        room._store.close()


def test_what_an_earlier_boot_left_is_gone(tmp_path: Path) -> None:
    """Times of another boot mean nothing: its state is removed, torn or not, and that of this boot is found again."""
    before = store.Store(tmp_path, boot="one")
    sittings.Sittings(before, capacity=10, lease_seconds=1e9).open(10, 0.0)
    before.close()
    again = store.Store(tmp_path, boot="one")
    assert sittings.Sittings(again, capacity=10, lease_seconds=1.0).occupied(1.0) == 10
    again.close()
    (tmp_path / "state-one.sqlite3").write_bytes(b"torn by a crash")
    after = store.Store(tmp_path, boot="two")
    assert sittings.Sittings(after, capacity=10, lease_seconds=1.0).occupied(1.0) == 0
    after.close()
    assert [path.name for path in tmp_path.glob("state-*.sqlite3")] == ["state-two.sqlite3"]


def test_a_state_that_others_no_longer_share_is_not_usable(tmp_path: Path) -> None:
    """Usable is a file to which we can write, and which the next worker will find."""
    state = store.Store(tmp_path)
    assert state.usable()
    (file,) = tmp_path.glob("state-*.sqlite3")
    file.rename(tmp_path / "elsewhere")
    assert not state.usable()
    state.close()
    assert not state.usable()


def test_a_transaction_is_undone_by_an_exception() -> None:
    """What a block wrote before it raised is not there afterwards, and the next one can begin."""
    state = store.Store()

    def break_off() -> None:
        with state.transaction() as database:
            database.execute("INSERT INTO sittings VALUES ('a', 1, 1.0)")
            raise KeyError

    with pytest.raises(KeyError):
        break_off()
    assert state.rows("SELECT * FROM sittings") == []
    assert state.usable()
    state.close()


def test_a_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """The store says so where it is opened, not at the first request."""
    (tmp_path / "file").touch()
    with pytest.raises((OSError, sqlite3.Error)):
        store.Store(tmp_path / "file")


# --- sessions and accounts ---


def test_a_session_ends_with_its_lease_and_makes_room() -> None:
    """So many sessions and no more; whose lease is over counts no longer, and is nobody's."""
    state = store.Store()
    open_sessions = sessions.Sessions(state, capacity=2, lease_seconds=10.0)
    guest, member = open_sessions.open("guest", "", 0.0), open_sessions.open("member", "ananda", 1.0)
    with pytest.raises(sessions.SessionsFull):
        open_sessions.open("guest", "", 9.9)
    assert open_sessions.open_by_kind(9.9) == {"guest": 1, "member": 1}
    assert open_sessions.member(member, 9.9) == "ananda"
    assert open_sessions.member(guest, 9.9) is None
    assert open_sessions.member(member, 11.0) is None
    assert open_sessions.open_by_kind(11.0) == {"guest": 0, "member": 0}
    open_sessions.close(open_sessions.open("guest", "", 11.0))
    open_sessions.close("\ud800 no session")
    assert open_sessions.open_by_kind(11.0) == {"guest": 0, "member": 0}
    state.close()


def test_the_store_holds_nothing_that_opens_a_door() -> None:
    """Who reads the store does not find the id of a session."""
    state = store.Store()
    member = sessions.Sessions(state, capacity=2, lease_seconds=10.0).open("member", "ananda", 0.0)
    ((digest, _, name, _),) = state.rows("SELECT * FROM sessions")
    assert (member in digest, name) == (False, "ananda")
    state.close()


@given(st.text(max_size=20), st.text(max_size=20))
@hypothesis_settings(max_examples=20)
def test_only_the_right_passphrase_fits(right: str, other: str) -> None:
    """What was written to the file and read again fits its own passphrase, and no other."""
    hashed = accounts.Hashed.parse(accounts.Hashed.of(right, n=16, p=1).text())
    assert hashed.fits(right)
    assert hashed.fits(other) == (right == other)


def test_nobody_gets_in_by_a_name_alone() -> None:
    """Name and passphrase have to be one member's; without members there is nobody to be."""
    ananda, maya = (accounts.Hashed.of(word, n=16, p=1) for word in ("breath", "body"))
    members = accounts.Accounts({"maya": maya, "ananda": ananda})
    tried = {(name, word): members.admits(name, word) for name in ("ananda", "maya", "") for word in ("breath", "body")}
    assert [pair for pair, admitted in tried.items() if admitted] == [("ananda", "breath"), ("maya", "body")]
    assert not accounts.Accounts({}).admits("ananda", "breath")
    assert members.names() == ["ananda", "maya"]


def test_the_file_that_the_module_prints_can_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`python -m app.accounts ananda` makes a file whose one member has the passphrase that was given."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("four noble\n"))
    accounts.main(["ananda"])
    (tmp_path / "accounts.json").write_text(capsys.readouterr().out)
    assert accounts.Accounts.read(tmp_path / "accounts.json").admits("ananda", "four noble")


GOOD = "scrypt$16$8$1$c2FsdHNhbHQ=$" + "A" * 43 + "="
BAD = {
    "no scheme": GOOD.removeprefix("scrypt$"),
    "another scheme": GOOD.replace("scrypt", "bcrypt"),
    "not base64": GOOD.replace("c2Fs", "!!!!"),
    "n is no power of two": GOOD.replace("$16$", "$17$"),
    "too much memory": GOOD.replace("$16$", f"${2**20}$"),
    "a list": ["breath"],
}


@pytest.mark.parametrize("entry", BAD.values(), ids=BAD)
def test_a_bad_account_is_named_and_not_shown(entry: object, tmp_path: Path) -> None:
    """The message tells whose entry it is and how to make one, and holds nothing of the hash."""
    path = tmp_path / "accounts.json"
    path.write_text(json.dumps({"maya": GOOD}))
    assert accounts.Accounts.read(path).names() == ["maya"]
    path.write_text(json.dumps({"maya": GOOD, "ananda": entry}))
    with pytest.raises(accounts.BadAccounts, match="the entry of 'ananda' is not scrypt") as raised:
        accounts.Accounts.read(path)
    assert "AAAA" not in str(raised.value)


@pytest.mark.parametrize("text", ["", "{", "[]", None])
def test_a_file_that_holds_no_accounts_is_refused(text: str | None, tmp_path: Path) -> None:
    """Absent, torn, or something else: the message names the file."""
    path = tmp_path / "accounts.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(accounts.BadAccounts, match=r"accounts\.json"):
        accounts.Accounts.read(path)


# --- the throttle ---


@given(st.floats(0.5, 100), st.lists(st.floats(0, 3), min_size=1, max_size=100))
def test_a_bucket_gives_its_burst_and_then_its_rate(rate: float, pauses: list[float]) -> None:
    """In no stretch of time does a client get more than the burst and what came back meanwhile; and it gets that."""
    buckets = throttle.TokenBuckets(rate, burst_seconds=2.0)
    now, tokens = 0.0, 2.0 * rate
    for pause in pauses:
        now += pause
        tokens = min(tokens + pause * rate, 2.0 * rate)
        wait = buckets.take("somebody", now)
        if abs(tokens - 1) > 1e-6:  # where rounding decides, either answer is right
            assert (wait == 0) == (tokens > 1)
        if wait:
            assert wait == pytest.approx((1 - tokens) / rate, abs=1e-6)
        else:
            tokens -= 1


def test_clients_do_not_pay_for_each_other_and_are_forgotten() -> None:
    """Each has a bucket of its own, and of very many only those heard of last are remembered."""
    buckets = throttle.TokenBuckets(1.0, burst_seconds=1.0, most_clients=3)
    assert [buckets.take("a", 0.0), buckets.take("b", 0.0)] == [0.0, 0.0]
    assert buckets.take("a", 0.5) == pytest.approx(0.5)
    assert buckets.take("a", 1.0) == 0.0
    for client in "cdefg":
        buckets.take(client, 1.0)
    assert list(buckets._full_at) == ["e", "f", "g"]


# --- what is read of the machine ---

TICKS = processes.TICKS


class Kernel:
    """A /proc that says what it is told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def process(
        self, pid: int, *, parent: int, used: float = 0, waited: float = 0, state: str = "S", pages: str = "9 0 0"
    ) -> None:
        """Add or change a process; its name tries to be taken for its fields."""
        fields = ["0"] * 50
        fields[0], fields[1] = state, str(parent)
        fields[11], fields[13], fields[19], fields[20] = str(int(used * TICKS)), str(int(waited * TICKS)), "500", "7"
        (self.folder / str(pid) / "fd").mkdir(parents=True, exist_ok=True)
        (self.folder / str(pid) / "stat").write_text(f"{pid} (a) S 1 (b) {' '.join(fields)}\n")
        (self.folder / str(pid) / "statm").write_text(f"{pages} 0 0 0 0\n")

    def files(self, pid: int, number: int, limit: str) -> None:
        """Let a process have so many open files, and be granted so many."""
        for at in range(number):
            (self.folder / str(pid) / "fd" / str(at)).touch()
        text = f"Limit  Soft Limit  Hard Limit  Units\nMax open files            {limit}    4096     files\n"
        (self.folder / str(pid) / "limits").write_text(text)


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    """Return a pod: server 10, workers 11 and 12 (dead, not waited for), and a stranger."""
    kernel = Kernel(tmp_path)
    (tmp_path / "stat").write_text("cpu 1 2 3\nbtime 1000\n")
    kernel.process(10, parent=1, used=1, waited=5, pages="9 40 30")
    kernel.process(11, parent=10, used=2, pages="9 100 30")
    kernel.process(12, parent=10, used=4, state="Z", pages="0 0 0")
    kernel.process(13, parent=1, used=99, pages="9 999 0")
    return kernel


def collected(of: Any) -> dict[str, float]:
    """Return what a collector shows."""
    return {sample.name: sample.value for family in of.collect() for sample in family.samples}


def test_a_pod_is_its_server_and_its_workers(kernel: Kernel) -> None:
    """Time of the dead counts, waited for or not; shared pages count once; the start is the server's."""
    kernel.files(10, 2, "100")
    kernel.files(11, 6, "10")
    pod = processes.Processes(10, proc=kernel.folder)
    assert collected(pod) == {
        "process_cpu_seconds_total": 12.0,
        "process_resident_memory_bytes": (10 + 70 + 30) * processes.PAGE_BYTES,
        "process_virtual_memory_bytes": 21.0,
        "process_start_time_seconds": 1000 + 500 / TICKS,
        "process_open_fds": 6.0,
        "process_max_fds": 10.0,
    }
    assert pod.workers() == {11}


def test_no_time_is_lost_or_doubled_when_a_worker_is_reaped(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the server waits for a worker while we read, we read again, and the sum is what it was."""
    pod = processes.Processes(10, proc=kernel.folder)
    before = pod.used()
    children = pod._children
    seen = 0

    def reaped_meanwhile(parent: int) -> Any:
        nonlocal seen
        found = children(parent)
        seen += 1
        if seen == 1:
            kernel.process(10, parent=1, used=1, waited=9, pages="9 40 30")
            (kernel.folder / "12/stat").unlink()
        return found

    monkeypatch.setattr(pod, "_children", reaped_meanwhile)
    assert (pod.used(), seen) == (before, 2)


def test_a_limit_that_is_none_is_infinite(kernel: Kernel) -> None:
    """Where the limit is `unlimited`, the ratio that an alert makes of it is 0."""
    kernel.files(11, 6, "unlimited")
    assert collected(processes.Processes(10, proc=kernel.folder))["process_max_fds"] == float("inf")


def test_a_server_that_is_gone_has_no_metrics(kernel: Kernel) -> None:
    """Orphaned workers show nothing rather than something that fell."""
    assert collected(processes.Processes(99, proc=kernel.folder)) == {}


def test_one_process_is_shown_as_the_client_library_shows_it() -> None:
    """Of a single process, names and values are those of prometheus_client's own collector."""
    from prometheus_client import CollectorRegistry, ProcessCollector  # noqa: PLC0415

    theirs = collected(ProcessCollector(registry=CollectorRegistry()))
    ours = collected(processes.Processes(None))
    assert ours.keys() == theirs.keys()
    for name in ("process_max_fds", "process_open_fds"):
        assert ours[name] == theirs[name]
    assert ours["process_start_time_seconds"] == pytest.approx(theirs["process_start_time_seconds"])
    assert ours["process_resident_memory_bytes"] == pytest.approx(theirs["process_resident_memory_bytes"], rel=0.05)
    assert ours["process_cpu_seconds_total"] == pytest.approx(theirs["process_cpu_seconds_total"], abs=1)


def test_network_bytes_leave_loopback_out(tmp_path: Path) -> None:
    """The sum over every interface but lo."""
    table = tmp_path / "dev"
    numbers = "{} 1 1 1 1 1 1 1 {} 1 1 1 1 1 1 1"
    table.write_text(
        "Inter-|   Receive\n face |bytes\n"
        f"    lo: {numbers.format(1000, 2000)}\n  eth0:{numbers.format(5, 6)}\n  eth1: {numbers.format(10, 20)}\n"
    )
    assert machine.network_bytes(table) == (15, 26)


def test_what_cannot_be_read_is_absent_and_takes_nothing_with_it() -> None:
    """A reading that fails is left out of the scrape; the others stand."""

    def fail() -> float:
        raise sqlite3.OperationalError("disk I/O error")

    readings = machine.Readings()
    readings.add(
        machine.Reading("broken", "Broken.", fail),
        machine.Reading("well_total", "Well.", lambda: 2.0),
        machine.Reading("kinds", "Kinds.", lambda: {"a": 1.0, "b": 3.0}, label="kind"),
    )
    assert {(f.name, f.type): [s.value for s in f.samples] for f in readings.collect()} == {
        ("well", "counter"): [2.0],
        ("kinds", "gauge"): [1.0, 3.0],
    }


# --- the levels ---


def test_the_levels_follow_what_the_application_sees() -> None:
    """Each signal is computed from its own source, once a second at most, and published."""
    from prometheus_client import CollectorRegistry  # noqa: PLC0415

    registry = CollectorRegistry()
    used = iter(((10.0, 60), (10.9, 60), (11.0, 60)))
    performance = monitor.PerformanceMonitor(
        registry, cpu_limit_cores=1.0, memory_limit_bytes=100.0, used=lambda: next(used)
    )
    begin, _ = performance._cpu_before
    for at in range(10):
        performance.request_ended(begin, 0.1, failed=at == 0)
    first = {s.threshold.signal: (s.value, s.level.name) for s in performance.evaluate(begin + 1.0)}
    assert first == {
        "response_time": (pytest.approx(0.1), "OK"),
        "error_rate": (0.1, "CRITICAL"),
        "cpu": (pytest.approx(0.9), "ERROR"),
        "memory": (0.6, "INFO"),
    }
    assert performance.evaluate(begin + 1.5) == performance.evaluate(begin + 1.0)
    assert registry.get_sample_value("dharmamind_performance_level", {"signal": "error_rate"}) == 4
    later = {s.threshold.signal: s.level.name for s in performance.evaluate(begin + 100.0)}
    assert (later["error_rate"], later["cpu"]) == ("OK", "OK")


def test_a_timer_observes_what_raises_too() -> None:
    """Every block is counted, by its own labels."""
    from prometheus_client import CollectorRegistry  # noqa: PLC0415

    registry = CollectorRegistry()
    performance = monitor.PerformanceMonitor(registry, cpu_limit_cores=1.0, memory_limit_bytes=1e9)
    timer = performance.timer("work_seconds", "Work.", ["kind"]).labels("hard")
    with timer.time():
        pass
    with pytest.raises(KeyError), timer.time():
        raise KeyError
    assert registry.get_sample_value("work_seconds_count", {"kind": "hard"}) == 2
