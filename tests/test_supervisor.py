"""Whatever happens to the harness or to the supervisor, no process stays behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from tocsin.deadline import wait_until
from tocsin.supervisor import (
    MARKER,
    Kind,
    Process,
    ProcessEvent,
    ProcessEventKind,
    Supervisor,
    SupervisorTrouble,
    Trouble,
    run_once,
    usage,
)

ROOT = Path(__file__).parents[1]
APP = """
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})
"""
PROFILE = """
from locust import HttpUser, constant, task
class Visitor(HttpUser):
    wait_time = constant(0.2)
    @task
    def look(self):
        self.client.get("/")
"""
IGNORES_TERM = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
DAEMON = """
import os, signal
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print("daemon", flush=True)
        signal.pause()
    os._exit(0)
signal.pause()
"""
NAMELESS_DAEMON = (
    "import os, subprocess, signal; subprocess.Popen(['env', '-i', 'setsid', 'sleep', '300']); signal.pause()"
)
TREES: dict[str, tuple[list[str], int]] = {
    "uvicorn workers": (
        [sys.executable, "-m", "uvicorn", "app:app", "--host", "127.0.0.1", "--port", "0", "--workers", "2"],
        4,  # the parent, two workers, multiprocessing's resource tracker
    ),
    "locust processes": (
        [sys.executable, "-m", "locust", "-f", "profile.py", "--headless", "-u", "2", "-r", "2", "-t", "300s",
         "--processes", "2", "--host", "http://127.0.0.1:9", "--loglevel", "ERROR", "--only-summary"],
        3,
    ),
    "ignores SIGTERM": ([sys.executable, "-c", IGNORES_TERM], 1),
    "double fork": ([sys.executable, "-c", DAEMON], 2),
    "double fork without environment": ([sys.executable, "-c", NAMELESS_DAEMON], 2),
    "shell with a background job": (["sh", "-c", "sleep 300 & sleep 300; true"], 3),
}  # fmt: skip
HARNESS = """
import json, os, signal, sys
from pathlib import Path
from tocsin.supervisor import Supervisor
directory, trees, end = Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3]
asked = []
signal.signal(signal.SIGINT, lambda *_: print("asked", flush=True))
supervisor = Supervisor("test", directory).__enter__()
pids = [supervisor.start(f"child{i}", argv, cwd=directory).pid for i, argv in enumerate(trees)]
if end == "fork" and os.fork() == 0:
    while True:
        signal.pause()
print(json.dumps({"supervisor": supervisor.pid, "marker": supervisor.marker, "pids": pids}), flush=True)
sys.stdin.readline()
if end == "raise":
    raise RuntimeError("on purpose")
"""


def tree_of(pid: int) -> list[psutil.Process]:
    """Return the processes under a pid, as psutil sees them: not by the code under test."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def living(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended; one whose pid was given to another has."""
    return [p for p in processes if lives(p)]


def lives(process: psutil.Process) -> bool:
    """Tell whether a process has not ended; it may end between two looks."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def carriers(marker: str) -> list[int]:
    """Pids with the marker in their environment, as psutil sees it."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARKER) == marker:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def gone(processes: list[psutil.Process], seconds: float = 10) -> None:
    """Wait until all have ended."""
    wait_until(lambda: not living(processes), seconds=seconds, what=f"the end of {processes}")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Make a directory with an application and a load profile."""
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "profile.py").write_text(PROFILE)
    return tmp_path


@pytest.fixture
def events() -> list[ProcessEvent]:
    """Give the list of what the supervisor of a test tells."""
    return []


@pytest.fixture
def supervisor(place: Path, events: list[ProcessEvent]) -> Iterator[Supervisor]:
    """Give a supervisor, and check that it leaves nothing behind."""
    with Supervisor("test", place, events.append) as running:
        yield running
    assert carriers(running.marker) == []


def start_harness(
    place: Path, names: list[str], end: str = ""
) -> tuple[subprocess.Popen[str], dict, list[psutil.Process]]:
    """Start a harness of its own with these trees; return when every tree stands."""
    trees = [TREES[name][0] for name in names]
    harness = subprocess.Popen(
        [sys.executable, "-c", HARNESS, str(place), json.dumps(trees), end],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=ROOT, start_new_session=True,
    )  # fmt: skip
    said = json.loads(harness.stdout.readline() or harness.stderr.read())
    expected = sum(TREES[name][1] for name in names)
    wait_until(lambda: len(tree_of(said["supervisor"])) >= expected, seconds=30, what=f"{expected} processes")
    return harness, said, [psutil.Process(said["supervisor"]), *tree_of(said["supervisor"])]


def finish(harness: subprocess.Popen[str]) -> None:
    harness.kill()
    harness.wait(10)
    for pipe in (harness.stdin, harness.stdout, harness.stderr):
        pipe.close()


@pytest.mark.parametrize("name", TREES)
def test_kill_of_the_harness_ends_every_tree(name: str, place: Path) -> None:
    """SIGKILL of the harness leaves nothing of any kind of tree, within seconds."""
    harness, said, processes = start_harness(place, [name])
    try:
        assert len(processes) > TREES[name][1]
        harness.kill()
        gone(processes)
        assert carriers(said["marker"]) == []
    finally:
        finish(harness)


@pytest.mark.parametrize("end", ["kill", "exit", "raise", "fork", "term"])
def test_every_end_of_the_harness_ends_the_trees(end: str, place: Path) -> None:
    """The harness may be killed, exit without a word, raise, be forked while it holds the pipe, or get SIGTERM."""
    harness, said, processes = start_harness(place, ["uvicorn workers", "ignores SIGTERM", "double fork"], end)
    forked = [p for p in psutil.Process(harness.pid).children() if p.pid != said["supervisor"]]
    assert len(forked) == (end == "fork")
    try:
        match end:
            case "kill" | "fork":
                harness.kill()
            case "term":
                harness.terminate()
            case _:
                harness.stdin.write("\n")
                harness.stdin.flush()
        gone(processes)
        assert carriers(said["marker"]) == []
        assert [p.pid for p in living(forked)] == [p.pid for p in forked]
    finally:
        for process in forked:
            process.kill()
        finish(harness)


SCRATCH = """
import sys
from pathlib import Path
from tocsin.supervisor import Supervisor
directory, scratch, end = map(Path, sys.argv[1:4])
supervisor = Supervisor("test", directory, scratch=scratch).__enter__()
slow = "trap 'sleep 0.2; echo over >> said' TERM; sleep 300 & wait"
child = supervisor.start("child", ["sh", "-c", slow], cwd=scratch)
print(supervisor.pid, flush=True)
sys.stdin.readline()
if end.name == "close":
    supervisor.close()
    print("kept" if scratch.is_dir() else "gone", flush=True)
    sys.stdin.readline()
"""


@pytest.mark.parametrize("end", ["kill", "exit"])
def test_the_scratch_folder_of_a_harness_that_is_gone_is_removed(end: str, place: Path) -> None:
    """Once its children are gone, and by whoever is left: a database of seconds must not fill the machine's memory."""
    scratch, aside = place / "scratch", place / "aside"
    scratch.mkdir()
    aside.mkdir()
    (scratch / "link").symlink_to(aside)
    (aside / "file").touch()
    with subprocess.Popen(
        [sys.executable, "-c", SCRATCH, str(place), str(scratch), end],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    ) as harness:  # fmt: skip
        supervisor = psutil.Process(int(harness.stdout.readline()))
        if end == "kill":
            harness.kill()
        else:
            harness.stdin.write("\n")
            harness.stdin.flush()
        harness.wait(10)
    gone([supervisor])
    assert not scratch.exists()
    assert (aside / "file").exists(), "a link in it leads elsewhere, which is nobody's scratch"


def test_a_harness_that_lives_keeps_its_scratch_folder(place: Path) -> None:
    """What it closes itself, it may want to read, and removes itself."""
    scratch = place / "scratch"
    scratch.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", SCRATCH, str(place), str(scratch), "close"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    ) as harness:  # fmt: skip
        supervisor = psutil.Process(int(harness.stdout.readline()))
        harness.stdin.write("\n")
        harness.stdin.flush()
        assert harness.stdout.readline() == "kept\n"
        gone([supervisor])
        assert scratch.is_dir()


def test_ctrl_c_reaches_the_harness_alone(place: Path) -> None:
    """SIGINT to the terminal's process group is for the harness; the children go on until it decides."""
    harness, _, processes = start_harness(place, ["uvicorn workers"])
    try:
        os.killpg(harness.pid, signal.SIGINT)
        assert harness.stdout.readline() == "asked\n"
        assert living(processes) == processes
    finally:
        finish(harness)
        gone(processes)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_supervisor_ends_the_tree(number: int, supervisor: Supervisor, place: Path) -> None:
    """A supervisor that is asked to end ends its tree first, and the harness knows that nobody here asked."""
    child = supervisor.start("child", TREES["double fork"][0], cwd=place)
    wait_until(lambda: "daemon" in child.log.read_text(), seconds=10, what="the daemon")
    processes = tree_of(supervisor.pid)
    os.kill(supervisor.pid, number)
    exited = child.wait(10)
    assert exited is not None
    assert not exited.expected
    wait_until(lambda: not supervisor.alive, seconds=10, what="the supervisor's end")
    assert living(processes) == []


@pytest.mark.parametrize("name", [name for name in TREES if name != "double fork without environment"])
def test_kill_of_the_supervisor_leaves_nothing(
    name: str, supervisor: Supervisor, events: list[ProcessEvent], place: Path
) -> None:
    """SIGKILL of the supervisor: the harness sweeps what is left before it says that the supervisor is lost."""
    child = supervisor.start("child", TREES[name][0], cwd=place)
    wait_until(lambda: len(tree_of(supervisor.pid)) >= TREES[name][1], seconds=30, what="the tree")
    processes = tree_of(supervisor.pid)
    os.kill(supervisor.pid, signal.SIGKILL)
    exited = child.wait(15)
    assert living(processes) == []
    assert exited is not None
    assert (exited.code, exited.signal, exited.expected) == (None, None, False)
    assert "lost" in str(exited)
    wait_until(lambda: len(events) >= 3, seconds=20, what="the events")
    lost = events[1]
    assert (lost.kind, lost.signal, lost.expected) == (ProcessEventKind.SUPERVISOR_LOST, signal.SIGKILL, False)
    assert not supervisor.alive
    with pytest.raises(SupervisorTrouble, match="gone"):
        supervisor.start("another", ["true"], cwd=place)
    assert supervisor.stop(child) is exited


def test_close_ends_the_tree_and_is_idempotent(place: Path, events: list[ProcessEvent]) -> None:
    """Every exit in a close is expected, deaf and stopped children included; closing again does nothing."""
    with Supervisor("test", place, events.append) as supervisor:
        deaf = supervisor.start("deaf", TREES["ignores SIGTERM"][0], cwd=place)
        stopped = supervisor.start("stopped", ["sleep", "300"], cwd=place)
        supervisor.signal(stopped, signal.SIGSTOP)
        wait_until(lambda: "deaf" in deaf.log.read_text(), seconds=10, what="the child to be deaf")
        supervisor.close(seconds=0.3)
        supervisor.close(seconds=0.3)
        assert deaf.exited is not None
        assert (deaf.exited.signal, deaf.exited.expected) == (signal.SIGKILL, True)
        assert stopped.exited is not None
        assert (stopped.exited.signal, stopped.exited.expected) == (signal.SIGTERM, True)
    assert not psutil.pid_exists(supervisor.pid)
    assert ProcessEventKind.SUPERVISOR_LOST not in {event.kind for event in events}


def test_two_supervisors_do_not_touch_each_other(place: Path) -> None:
    """Of two supervisors of one run, the loss of one leaves the other's children alone."""
    with Supervisor("test", place / "one") as one, Supervisor("test", place / "two") as two:
        first = one.start("first", ["sleep", "300"], cwd=place)
        second = two.start("second", ["sleep", "300"], cwd=place)
        os.kill(one.pid, signal.SIGKILL)
        assert first.wait(10) is not None
        assert second.exited is None
        assert two.alive
        assert two.stop(second).signal == signal.SIGTERM


def test_many_children_from_many_threads(supervisor: Supervisor, events: list[ProcessEvent], place: Path) -> None:
    """Forty children, started by four threads, are all known, and all reported when they end."""
    found: list[Process] = []

    def begin(which: int) -> None:
        for i in range(10):
            found.append(supervisor.start(f"child-{which}-{i}", ["sleep", "300"], cwd=place))

    threads = [threading.Thread(target=begin, args=(which,)) for which in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {p.pid for p in found} == {p.pid for p in tree_of(supervisor.pid)}
    assert len(found) == 40
    supervisor.close()
    kinds = [event.kind for event in events]
    assert kinds.count(ProcessEventKind.STARTED) == kinds.count(ProcessEventKind.EXITED) == 40


def test_no_file_descriptor_leaks(place: Path) -> None:
    """Supervisors and children that come and go leave no descriptor open, here or in the supervisor."""

    def open_here() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    def round_() -> tuple[int, int]:
        with Supervisor("test", place) as supervisor:
            before = len(list(Path(f"/proc/{supervisor.pid}/fd").iterdir()))
            for i in range(10):
                child = supervisor.start(f"child{i}", ["true"], cwd=place)
                assert child.wait(10)
                with pytest.raises(SupervisorTrouble):
                    supervisor.start("none", ["/nonexistent"], cwd=place)
            return before, len(list(Path(f"/proc/{supervisor.pid}/fd").iterdir()))

    round_()
    before = open_here()
    for _ in range(3):
        first, last = round_()
        assert last == first
    assert open_here() == before


def test_children_inherit_nothing_but_their_own(supervisor: Supervisor, place: Path) -> None:
    """A child has three descriptors, default signals, a session of its own, its directory and its environment."""
    code = (
        "import json, os, signal; print(json.dumps([sorted(map(int, os.listdir('/proc/self/fd')))[:-1], os.getcwd(),"
        " os.getsid(0) == os.getpid(), os.readlink('/proc/self/fd/0'), sorted(os.environ)]))"
    )
    child = supervisor.start("child", [sys.executable, "-I", "-S", "-c", code], cwd=place, env={"ONE": "1"})
    exited = child.wait(10)
    assert exited is not None
    assert exited.code == 0
    files, directory, leads, stdin, names = json.loads(child.log.read_text())
    assert (files, directory, leads, stdin) == ([0, 1, 2], str(place), True, "/dev/null")
    assert set(names) - {"LC_CTYPE"} == {"ONE", MARKER, "TOCSIN_CHILD"}
    # Python and a shell's `&` ignore signals; a child that inherited that would not end at a broken pipe or Ctrl-C
    for number in (signal.SIGPIPE, signal.SIGINT):
        by = supervisor.start("by", ["sh", "-c", f"kill -{int(number)} $$; exit 0"], cwd=place).wait(10)
        assert by is not None
        assert by.signal == number


@pytest.mark.parametrize(
    ("argv", "ends_itself", "code", "number", "expected"),
    [
        (["sh", "-c", "exit 3"], False, 3, None, False),
        (["true"], False, 0, None, False),
        (["true"], True, 0, None, True),
        (["sh", "-c", "exit 3"], True, 3, None, False),
        (["sh", "-c", "kill -9 $$"], False, None, 9, False),
    ],
)
def test_an_exit_is_reported_as_it_was(
    argv: list[str], ends_itself: bool, code: int | None, number: int | None, expected: bool, *, supervisor: Supervisor
) -> None:
    """Code or signal, and whether it was to be expected: a crash is never taken for a stop of ours."""
    child = supervisor.start("child", argv, cwd=Path("/"), ends_itself=ends_itself)
    exited = child.wait(10)
    assert exited is not None
    assert (exited.code, exited.signal, exited.expected) == (code, number, expected)
    assert exited.time >= child.started
    assert exited.usage is not None
    assert exited.usage.cpu_seconds >= 0
    assert exited.usage.max_rss_bytes > 0
    assert supervisor.stop(child) is exited
    assert not child.expected_exit
    with pytest.raises(SupervisorTrouble, match=r"exited|ended"):
        supervisor.signal(child, signal.SIGTERM)


def test_an_expected_exit_is_marked(supervisor: Supervisor, events: list[ProcessEvent]) -> None:
    """A stop of ours makes the exit expected; SIGSTOP alone does not; the story is told in order."""
    child = supervisor.start("child", ["sleep", "300"], cwd=Path("/"))
    supervisor.signal(child, signal.SIGSTOP)
    assert not child.expected_exit
    moment = supervisor.signal(child, signal.SIGKILL)
    exited = child.wait(10)
    assert exited is not None
    assert exited.expected
    assert child.expected_exit
    assert 0 <= exited.time - moment < 1
    wait_until(lambda: len(events) == 4, seconds=20, what="the events")
    kinds = ["started", "signalled", "signalled", "exited"]
    assert [event.kind for event in events] == kinds
    assert [event.time for event in events] == sorted(event.time for event in events)


def serving(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_kill_ends_the_workers_too(supervisor: Supervisor, place: Path) -> None:
    """Killing a server kills its workers, which would go on serving on the socket that they share."""
    child = supervisor.start("backend", TREES["uvicorn workers"][0], cwd=place)
    wait_until(lambda: child.log.read_text().count("startup complete") == 2, seconds=30, what="two workers")
    port = int(child.log.read_text().partition("http://127.0.0.1:")[2].split()[0])
    assert serving(port)
    processes = tree_of(supervisor.pid)
    supervisor.signal(child, signal.SIGSTOP, tree=True)
    wait_until(lambda: {p.status() for p in processes} == {psutil.STATUS_STOPPED}, seconds=20, what="all to stop")
    assert supervisor.kill(child).signal == signal.SIGKILL
    assert living(processes) == []
    assert not serving(port)


def test_stop_sweeps_what_a_child_left_behind(supervisor: Supervisor, place: Path) -> None:
    """A child that has ended but left a daemon: stop ends the daemon, and touches no other child."""
    other = supervisor.start("other", TREES["double fork"][0], cwd=place)
    child = supervisor.start("child", ["sh", "-c", "setsid sleep 300 & sleep 300 & exit 0"], cwd=place)
    assert child.wait(10)

    def left_behind() -> list[psutil.Process]:
        return [p for p in tree_of(supervisor.pid) if p.name() == "sleep"]

    left = wait_until(lambda: len(left_behind()) == 2 and left_behind(), seconds=10, what="two left behind")
    supervisor.stop(child)
    assert living(left) == []
    assert other.exited is None


def test_a_start_that_fails_says_why(supervisor: Supervisor, place: Path) -> None:
    """No such program, no such directory, no place for the log: each is named, and the supervisor goes on."""
    for argv, cwd, log, message in (
        (["/nonexistent/program"], place, None, "/nonexistent/program"),
        (["true"], place / "absent", None, "absent"),
        (["true"], place, place / "no" / "log", "no/log"),
        ([str(place / "app.py")], place, None, "Permission denied"),
    ):
        with pytest.raises(SupervisorTrouble, match=message):
            supervisor.start("child", argv, cwd=cwd, log=log)
    assert supervisor.processes == ()
    assert supervisor.start("child", ["true"], cwd=place).wait(10)


def test_a_log_that_is_used_again_has_an_offset(supervisor: Supervisor, place: Path) -> None:
    """A second process appends to the log of the first, and knows where its own part begins."""
    for word in ("first", "second"):
        child = supervisor.start("child", ["echo", word], cwd=place)
        assert child.wait(10)
        assert child.log.read_bytes()[child.log_offset :] == f"{word}\n".encode()
    assert child.log_offset == len("first\n")


def test_a_failing_receiver_of_events_stops_nothing(place: Path) -> None:
    """The supervisor outlives a receiver that raises."""

    def fail(_: ProcessEvent) -> None:
        raise ValueError

    with Supervisor("test", place, fail) as supervisor:
        assert supervisor.start("child", ["true"], cwd=place).wait(10)
        assert supervisor.alive


def test_run_once_returns_what_was_said(tmp_path: Path) -> None:
    """Output, error output and code of a program that ends; input reaches it."""
    done = run_once(["sh", "-c", "cat; echo oops >&2; exit 4"], cwd=tmp_path, env=None, seconds=10, input="word")
    assert (done.code, done.stdout, done.stderr) == (4, "word", "oops\n")


def test_run_once_kills_the_group_at_the_deadline(tmp_path: Path) -> None:
    """A program that does not end is killed with what it started; nothing of it stays."""
    with pytest.raises(Trouble) as caught:
        run_once(["sh", "-c", "sleep 300 & echo $! > pid; wait"], cwd=tmp_path, env=dict(os.environ), seconds=0.5)
    assert caught.value.kind is Kind.TIMED_OUT
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: not psutil.pid_exists(pid), seconds=20, what="the end of the sleeper")
    with pytest.raises(Trouble, match="/nonexistent: no such program"):
        run_once(["/nonexistent"], cwd=tmp_path, env=None, seconds=1)


def test_run_once_ends_with_the_harness(tmp_path: Path) -> None:
    """A program that runs when the harness is killed is killed with it."""
    code = (
        "from pathlib import Path; from tocsin.supervisor import run_once;"
        " run_once(['sh', '-c', 'echo $$ > pid; sleep 300'], cwd=Path(%r), env=None, seconds=60)"
    )
    harness = subprocess.Popen([sys.executable, "-c", code % str(tmp_path)], cwd=ROOT)
    file = tmp_path / "pid"
    wait_until(lambda: file.exists() and file.read_text().strip(), seconds=10, what="the program to run")
    program = psutil.Process(int(file.read_text()))
    children = program.children()
    harness.kill()
    harness.wait(10)
    gone([program])
    for child in children:
        child.kill()


def test_usage_counts_the_whole_tree(supervisor: Supervisor, place: Path) -> None:
    """The use of a process includes that of its descendants, and a process named twice counts once."""
    child = supervisor.start("child", TREES["shell with a background job"][0], cwd=place)
    wait_until(lambda: len(tree_of(child.pid)) == 2, seconds=10, what="the shell's children")
    use = usage([child, child, child.pid])
    assert use.processes == 3
    assert use.rss_bytes > 0
    assert use.pss_bytes is None or 0 < use.pss_bytes < use.rss_bytes
    supervisor.kill(child)
    assert usage([child]).processes == 0


def test_exit_stack_of_supervisors_leaves_nothing(place: Path) -> None:
    """Ten stacks at once, each with a tree, end together."""
    with ExitStack() as stack:
        supervisors = [stack.enter_context(Supervisor("test", place / str(i))) for i in range(10)]
        for each in supervisors:
            each.start("child", TREES["shell with a background job"][0], cwd=place)
        markers = [each.marker for each in supervisors]
        assert len(set(markers)) == 10
    assert [carriers(marker) for marker in markers] == [[]] * 10
