"""The supervisor process: starts every child, reports its exit, and ends the whole tree when the harness is gone.

It is run as a script with an interpreter that loads nothing else (`python -I -S reaper.py HARNESS_PID MARKER
[SCRATCH]`), so it imports only small parts of the standard library, and nothing of this package. It is a child
subreaper (prctl(2)): what a child leaves behind is adopted by this process, never by init, so "no children left"
(ECHILD of wait4(2)) means that the whole tree is gone.

Commands come as JSON lines on stdin, events leave as JSON lines on stdout. When stdin closes, when the harness
process ends (its pidfd says so, even while a forked copy of it holds the pipe open), or on SIGTERM, SIGINT or SIGHUP,
the tree is ended: SIGTERM, a grace, SIGKILL until nothing is left. After that the harness's scratch folder (SCRATCH) is
removed, unless the harness is there to do so itself.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import sys
import time

MARKER = "TOCSIN_RUN"
"""Environment variable that every child of a supervisor carries, and with it every descendant."""

CHILD = "TOCSIN_CHILD"
"""Environment variable that says from which child of the supervisor a descendant comes."""

GRACE_SECONDS = 2.0
"""From SIGTERM to SIGKILL when the harness is gone and nobody can be asked."""

ENDING = frozenset({signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGQUIT, signal.SIGABRT})
"""Signals that are sent in order to end a process: an exit after one of them is expected."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_INHERITED_IGNORES = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
_LONGEST_POLL_SECONDS = 1.0

libc = ctypes.CDLL(None, use_errno=True)
libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]


def processes(*, ended: bool = False) -> dict[int, tuple[int, int]]:
    """Return (parent pid, session id) of every process of the machine, by pid; zombies only if asked for.

    A zombie need not have ended wholly: its first thread has, while others still hold its sockets open.
    """
    found = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208 - pathlib costs start-up time
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", "rb") as file:  # noqa: PTH123
                state, parent, _group, session = file.read().rpartition(b") ")[2].split(None, 4)[:4]
        except (OSError, ValueError):
            continue  # ended between the listing and the reading
        if ended or state not in (b"Z", b"X"):
            found[int(entry)] = (int(parent), int(session))
    return found


def descendants(table: dict[int, tuple[int, int]], root: int) -> set[int]:
    """Return the pids under `root` in what `processes` returned."""
    children: dict[int, list[int]] = {}
    for pid, (parent, _) in table.items():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    stack = list(children.get(root, ()))
    while stack:
        pid = stack.pop()
        if pid not in found:
            found.add(pid)
            stack.extend(children.get(pid, ()))
    return found


def carries(pid: int, setting: str) -> bool:
    """Return whether the process was started with `setting` (NAME=value) in its environment."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123
            return setting.encode() in file.read().split(b"\0")
    except OSError:
        return False  # ended, or of another user, who did not get it from us


def marked(marker: str, sessions: frozenset[int] = frozenset()) -> set[int]:
    """Return the pids of processes that carry the marker or belong to one of the sessions, without the caller's own."""
    setting = f"{MARKER}={marker}"
    return {
        pid
        for pid, (_, session) in processes(ended=True).items()
        if pid != os.getpid() and (session in sessions or carries(pid, setting))
    }


def send(pid: int, number: int) -> bool:
    """Send a signal; return False if there is no such process any more."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def sweep(marker: str, sessions: frozenset[int] = frozenset(), *, seconds: float) -> set[int]:
    """Kill what carries the marker until nothing does, or to a deadline; return what is left.

    For the harness, when the supervisor itself was killed and what it owned belongs to nobody any more.
    """
    deadline = time.monotonic() + seconds
    gone: set[int] = set()
    while left := marked(marker, sessions) - gone:
        if time.monotonic() > deadline:
            return left
        gone |= kill_and_await(left, deadline)
    return set()


def kill_and_await(pids: set[int], deadline: float) -> set[int]:
    """SIGKILL processes, wait for their ends to a deadline (of time.monotonic), and return those that have ended.

    A pidfd says when all threads have, and does not need whoever is the parent now to collect the zombie.
    """
    ended: set[int] = set()
    open_files: dict[int, int] = {}
    watched = select.poll()
    for pid in pids:
        if not send(pid, signal.SIGKILL):
            ended.add(pid)
            continue
        try:
            file = os.pidfd_open(pid)
        except OSError:  # collected meanwhile, or Linux before 5.3: the caller looks again
            continue
        open_files[file] = pid
        watched.register(file, select.POLLIN)
    while open_files and (remaining := deadline - time.monotonic()) > 0:
        for file, _ in watched.poll(max(1, int(remaining * 1000))):
            watched.unregister(file)
            os.close(file)
            ended.add(open_files.pop(file))
    for file in open_files:
        os.close(file)
    return ended


class Reaper:
    """The state of the supervisor process; one thread, one poll."""

    def __init__(self, harness: int, marker: str) -> None:
        self.harness = harness
        self.marker = marker
        self.running: dict[int, int] = {}
        """Number of a child by its pid, of those not reaped yet."""
        self.pids: dict[int, int] = {}
        """Pid by number of child, of all that were ever started."""
        self.expected: set[int] = set()
        self.patience: dict[int, float] = {}
        """Seconds from SIGTERM to SIGKILL at the end, by child, of those that have more than the grace."""
        self.ending = False
        self.grace = GRACE_SECONDS
        self.poll = select.poll()
        self.wake = -1

    def serve(self) -> None:
        """Obey commands until the harness closes the pipe or is gone, then end the tree."""
        if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")
        self.watch()
        self.emit(event="ready", number=0)
        pending = b""
        while not self.ending:
            ready = [file for file, _ in self.poll.poll()]
            self.drain()
            self.reap()
            if 0 in ready:
                data = os.read(0, 1 << 16)
                *lines, pending = (pending + data).split(b"\n")
                for line in lines:
                    self.obey(json.loads(line))
                if not data:
                    return
            elif self.harness in ready:
                return

    def watch(self) -> None:
        """Arrange to hear of commands, exits, signals to us, and the end of the harness."""
        read, write = os.pipe()
        os.set_blocking(read, False)
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self.finish)
        self.wake = read
        self.poll.register(0, select.POLLIN)
        self.poll.register(read, select.POLLIN)
        if os.getppid() != self.harness:
            self.ending = True  # it died before we could watch it
            return
        try:
            self.harness = os.pidfd_open(self.harness)
            self.poll.register(self.harness, select.POLLIN)
        except OSError:
            self.harness = -1  # Linux before 5.3: the pipe alone tells

    def finish(self, *_: object) -> None:
        """Handle a signal that asks us to end."""
        self.ending = True

    def drain(self) -> None:
        """Empty the pipe that signals write to."""
        try:
            while os.read(self.wake, 1024):
                pass
        except BlockingIOError:
            pass

    def emit(self, **event: object) -> None:
        """Write one event to the harness."""
        data = json.dumps(event).encode() + b"\n"
        try:
            while data:
                data = data[os.write(1, data) :]
        except BrokenPipeError:
            self.ending = True

    def obey(self, command: dict[str, object]) -> None:
        """Carry out one command; what the system refuses is told, not raised."""
        number, child = command["number"], command.get("child")
        try:
            getattr(self, f"do_{command['do']}")(number, child, command)
        except OSError as error:
            self.emit(event="refused", number=number, reason=f"{error.strerror}: {error.filename or command}")

    def do_start(self, number: int, child: int, command: dict[str, object]) -> None:
        """Start a child."""
        started = time.time()
        log = os.open(str(command["log"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        offset = os.fstat(log).st_size
        told, tell = os.pipe()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self.become(child, command, log, tell, parent)
        os.close(tell)
        os.close(log)
        with open(told, "rb") as file:  # noqa: PTH123
            failure = file.read()
        if failure:
            os.waitpid(pid, 0)
            self.emit(event="refused", number=number, reason=failure.decode(errors="replace"))
            return
        self.running[pid] = child
        self.pids[child] = pid
        self.patience[child] = float(command.get("patience", 0.0))  # type: ignore[arg-type]
        self.emit(event="started", number=number, child=child, pid=pid, time=started, offset=offset)

    def become(self, child: int, command: dict[str, object], log: int, tell: int, parent: int) -> None:
        """Turn this fork into the child; the parent-death signal ends it if the supervisor is killed."""
        try:
            os.setsid()
            libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)  # it was killed before the line above
            signal.set_wakeup_fd(-1)
            for number in _INHERITED_IGNORES:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            null = os.open(os.devnull, os.O_RDONLY)
            for source, target in ((null, 0), (log, 1), (log, 2)):
                os.dup2(source, target)
            os.chdir(str(command["cwd"]))
            argv: list[str] = command["argv"]  # type: ignore[assignment]
            environment: dict[str, str] = command["env"]  # type: ignore[assignment]
            os.execvpe(argv[0], argv, {**environment, MARKER: self.marker, CHILD: f"{self.marker}/{child}"})  # noqa: S606
        except OSError as error:
            os.write(tell, f"{error.strerror}: {error.filename or command['argv']}".encode())
        finally:
            os._exit(127)

    def do_signal(self, number: int, child: int, command: dict[str, object]) -> None:
        """Send a signal to a child, and to all that comes from it if asked."""
        signum: int = command["signal"]  # type: ignore[assignment]
        self.reap()  # an exit that came first is the child's own
        pid = self.pids[child]
        alive = pid in self.running
        if alive and signum in ENDING:
            self.expected.add(child)
        moment = time.time()
        delivered = alive and send(pid, signum)
        if command.get("tree"):
            for member in self.tree(child) - {pid}:
                delivered = send(member, signum) or delivered
        if signum == signal.SIGTERM and delivered:
            send(pid, signal.SIGCONT)  # a stopped process would keep the signal pending for ever
        self.emit(event="signalled", number=number, child=child, time=moment, signal=signum, delivered=delivered)

    def do_kill(self, number: int, child: int, command: dict[str, object]) -> None:
        """SIGKILL a child and all that comes from it, until nothing is left or to a deadline."""
        seconds: float = command["seconds"]  # type: ignore[assignment]
        self.reap()
        alive = self.pids[child] in self.running
        if alive:
            self.expected.add(child)
            self.emit(event="signalled", child=child, time=time.time(), signal=int(signal.SIGKILL), delivered=True)
        deadline = time.monotonic() + seconds
        left = self.tree(child, ended=True)
        while left and time.monotonic() < deadline:
            for pid in left:
                send(pid, signal.SIGKILL)
            self.poll_children(0.02)
            # it has ended when it is collected: a zombie's threads may still hold its sockets
            left = (left | self.tree(child, ended=True)) & descendants(processes(ended=True), os.getpid())
        self.reap()
        self.emit(event="killed", number=number, left=sorted(left))

    def do_close(self, _number: int, _child: int | None, command: dict[str, object]) -> None:
        """Leave, with the grace that the harness grants."""
        self.reap()
        self.expected.update(self.running.values())
        self.grace = command["seconds"]  # type: ignore[assignment]
        self.ending = True

    def tree(self, child: int, *, ended: bool = False) -> set[int]:
        """Return the child and all that comes from it, also what it left to us by dying; zombies only if asked for."""
        pid = self.pids[child]
        table = processes(ended=ended)
        setting = f"{CHILD}={self.marker}/{child}"
        ours = descendants(table, os.getpid())
        found = {p for p in ours if p == pid or table[p][1] == pid or carries(p, setting)}
        for member in tuple(found):
            found |= descendants(table, member)
        return found

    def reap(self) -> bool:
        """Collect and report who has exited; return whether any child is left."""
        while True:
            try:
                pid, status, use = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            child = self.running.pop(pid, None)
            if child is not None:  # else an orphan that we had adopted
                self.emit(
                    event="exited",
                    child=child,
                    time=time.time(),
                    code=os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
                    signal=os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
                    expected=child in self.expected,
                    cpu_seconds=use.ru_utime + use.ru_stime,
                    max_rss_bytes=use.ru_maxrss * 1024,
                )

    def poll_children(self, seconds: float) -> None:
        """Wait for an exit, at most so long, and collect it."""
        files = select.poll()
        files.register(self.wake, select.POLLIN)
        files.poll(max(1, int(seconds * 1000)))
        self.drain()
        self.reap()

    def end_tree(self) -> None:
        """SIGTERM to the whole tree, the grace, then SIGKILL for as long as anything is left.

        A child that was promised more time has it, alone.
        """
        began = time.monotonic()
        told: set[int] = set()
        pause = 0.02
        while self.reap():
            left = descendants(processes(), os.getpid())
            waited = time.monotonic() - began
            granted = {
                pid for pid in left if waited < max(self.grace, self.patience.get(self.running.get(pid, 0), 0.0))
            }
            for pid in granted - told:
                send(pid, signal.SIGTERM)
                send(pid, signal.SIGCONT)
            told |= granted
            for pid in left - granted:
                send(pid, signal.SIGKILL)
            if left == granted:
                self.poll_children(max(0.001, min(self.grace - waited, 0.1)) if waited < self.grace else 0.1)
            else:
                self.poll_children(pause)
                pause = min(pause * 2, _LONGEST_POLL_SECONDS)


def discard(folder: str) -> None:
    """Remove a folder that nobody else can remove any more; a link in its place is left alone."""
    import shutil  # noqa: PLC0415 - it takes a while to load, and is needed by whom the harness left alone

    shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Run the supervisor process."""
    harness, scratch = int(sys.argv[1]), sys.argv[3:]
    reaper = Reaper(harness, sys.argv[2])
    try:
        reaper.serve()
    finally:
        reaper.end_tree()
        if os.getppid() != harness:
            for folder in scratch:
                discard(folder)


if __name__ == "__main__":
    main()
