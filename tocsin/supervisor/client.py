"""The harness's side of the supervisor process: start children, signal them, wait for their exit."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tocsin.supervisor import reaper
from tocsin.supervisor.events import ProcessEvent, ProcessEventKind, ProcessExit, ResourceUse
from tocsin.supervisor.trouble import Kind, SupervisorTrouble

STARTED_WITHIN_SECONDS = 20.0
ANSWERED_WITHIN_SECONDS = 20.0
"""Longer than anything takes on a machine that is merely busy; an answer is a matter of milliseconds."""

KILLED_WITHIN_SECONDS = 5.0
"""From SIGKILL to the end; only a process stuck in the kernel takes longer."""

_GONE = "the supervisor process is gone; if it failed by itself, supervisor.log beside the other logs says why"

_log = logging.getLogger(__name__)


class Process:
    """A child of a supervisor. It is made by Supervisor.start alone."""

    def __init__(self, supervisor: Supervisor, number: int, name: str, argv: Sequence[str], log: Path) -> None:
        self._supervisor = supervisor
        self.number = number
        """Which child of its supervisor it is, from 1."""
        self.name = name
        self.argv = tuple(argv)
        self.log = log
        """File that gets its stdout and stderr."""
        self.log_offset = 0
        """Size of the log when it started: what stands before is of an earlier process."""
        self.pid = 0
        self.started = 0.0
        """Unix time, seconds."""
        self.ends_itself = False
        """Whether it is meant to end by itself, with code 0."""
        self.expected_exit = False
        """Whether a signal of ours that is meant to end it has reached it."""
        self.exited: ProcessExit | None = None

    def __repr__(self) -> str:
        return f"<Process {self.name} pid={self.pid} {self.exited or 'running'}>"

    def wait(self, seconds: float) -> ProcessExit | None:
        """Return how it exited, as soon as it has; None if it is still running after so many seconds."""
        return self._supervisor.wait_exit(self, seconds)


class Supervisor:
    """A supervisor process of our own, which owns every child that is started through it.

    Whatever happens to this process, the whole tree of the children ends; if the supervisor process itself is
    killed, this side finds what is left by the marker in the environment, or the session, and kills it (a daemon that
    has dropped both would escape then, and then alone). Thread-safe. `on_event` is
    called on a thread of the supervisor's, in order; it must be quick and must not call the supervisor.
    """

    def __init__(
        self,
        run_id: str,
        log_directory: Path,
        on_event: Callable[[ProcessEvent], None] | None = None,
        *,
        scratch: Path | None = None,
    ) -> None:
        self.run_id = run_id
        self.scratch = scratch.absolute() if scratch is not None else None
        """A folder that the supervisor process removes if this process ends without having done so."""
        self.marker = f"{run_id}.{secrets.token_hex(6)}"
        """Value of TOCSIN_RUN in the environment of every child; of this supervisor alone."""
        self.log_directory = log_directory.absolute()
        self._on_event = on_event
        self._changed = threading.Condition()
        self._command = threading.Lock()
        self._replies: dict[int, dict[str, Any]] = {}
        self._processes: dict[int, Process] = {}
        self._numbers = 0
        self._patience = 0.0
        """The longest that any child may take to end."""
        self._closing = False
        self._over = threading.Event()
        self._popen: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.log_directory.mkdir(parents=True, exist_ok=True)
        with (self.log_directory / "supervisor.log").open("ab") as log:
            self._popen = subprocess.Popen(
                [sys.executable, "-I", "-S", reaper.__file__, str(os.getpid()), self.marker, *self._scratch],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C in the terminal is for the harness to decide on
                cwd="/",
                bufsize=0,
            )
        self._reader = threading.Thread(target=self._read, name=f"supervisor {self.run_id}", daemon=True)
        self._reader.start()
        try:
            self._reply(0, "start it", STARTED_WITHIN_SECONDS)
        except BaseException:
            self.close(seconds=0)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _scratch(self) -> list[str]:
        return [] if self.scratch is None else [str(self.scratch)]

    @property
    def alive(self) -> bool:
        """Whether the supervisor process is there to obey."""
        return self._popen is not None and not self._over.is_set()

    @property
    def pid(self) -> int:
        """Pid of the supervisor process; 0 before it was entered."""
        return self._popen.pid if self._popen else 0

    @property
    def processes(self) -> tuple[Process, ...]:
        """Every process that was started here, running or not, in order."""
        with self._changed:
            return tuple(self._processes.values())

    def start(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        log: Path | None = None,
        ends_itself: bool = False,
        patience: float = 0.0,
    ) -> Process:
        """Start a child in a session of its own, with stdin from /dev/null and all output to its log.

        `env` is its whole environment (None: ours), to which the marker is added; `log` is NAME.log in the log
        directory if None, and is appended to. When everything is ended, the child has `patience` seconds from SIGTERM
        to SIGKILL, if that is longer than the others have. Raises SupervisorTrouble if it cannot be started.
        """
        command = [str(part) for part in argv]
        path = (log or self.log_directory / f"{name}.log").absolute()
        with self._changed:
            self._numbers += 1
            process = Process(self, self._numbers, name, command, path)
            process.ends_itself = ends_itself
            self._processes[process.number] = process
        environment = dict(os.environ if env is None else env)
        try:
            where = {"cwd": str(cwd.absolute()), "log": str(path)}
            self._ask("start", process, argv=command, env=environment, patience=patience, **where)
            self._patience = max(self._patience, patience)
        except SupervisorTrouble:
            with self._changed:
                if not process.pid:
                    del self._processes[process.number]
            raise
        return process

    def signal(self, process: Process, number: int, *, tree: bool = False) -> float:
        """Send a signal to a process, or to all that comes from it too; return the unix time at which it was sent.

        Raises SupervisorTrouble if nobody was there to get it.
        """
        answer = self._ask("signal", process, signal=int(number), tree=tree)
        if not answer["delivered"]:
            raise self._trouble(f"signal {process.name}", f"it {process.exited or 'is gone'}", Kind.EXITED)
        return float(answer["time"])

    def kill(self, process: Process) -> ProcessExit:
        """SIGKILL a process and all that comes from it; return when they are gone.

        It serves a process that has exited too: what it left behind is killed. Raises SupervisorTrouble if something
        withstands.
        """
        if not self.alive and process.exited:
            return process.exited  # what it left was swept when the supervisor was lost
        answer = self._ask("kill", process, seconds=KILLED_WITHIN_SECONDS)
        exited = process.wait(KILLED_WITHIN_SECONDS)
        if exited is None or answer["left"]:
            left = ", ".join(map(str, answer["left"])) or str(process.pid)
            raise self._trouble(f"kill {process.name}", f"withstands SIGKILL: pid {left}", Kind.TIMED_OUT)
        return exited

    def stop(self, process: Process, *, seconds: float = 5.0) -> ProcessExit:
        """SIGTERM, so many seconds to end by itself, then SIGKILL; what it leaves behind is killed too.

        Return how it ended; for one that had ended before, how that was.
        """
        if process.exited is None:
            with contextlib.suppress(SupervisorTrouble):  # it may end, or the supervisor be lost, at this moment
                self.signal(process, signal.SIGTERM)
            process.wait(seconds)
        return self.kill(process)

    def close(self, *, seconds: float = 5.0) -> None:
        """End the whole tree (SIGTERM, so many seconds, SIGKILL) and the supervisor process. Idempotent."""
        with self._command:
            first, self._closing = not self._closing, True
            popen, reader = self._popen, self._reader
            if first and popen and popen.stdin and not popen.stdin.closed:
                with contextlib.suppress(OSError):
                    _write(popen.stdin, _line(do="close", number=0, seconds=seconds))
                popen.stdin.close()
        if popen is None or reader is None:
            return
        reader.join(max(seconds, self._patience) + KILLED_WITHIN_SECONDS)
        if reader.is_alive():
            popen.kill()  # the reader sees the end of the pipe, and sweeps
            reader.join(KILLED_WITHIN_SECONDS)

    def wait_exit(self, process: Process, seconds: float) -> ProcessExit | None:
        """As Process.wait."""
        with self._changed:
            self._changed.wait_for(lambda: process.exited is not None, seconds)
            return process.exited

    def _ask(self, do: str, process: Process, **arguments: Any) -> dict[str, Any]:
        """Send a command and return the answer."""
        with self._changed:
            self._numbers += 1
            number = self._numbers
        line = _line(do=do, number=number, child=process.number, **arguments)
        with self._command:
            if self._closing or not self.alive or self._popen is None or self._popen.stdin is None:
                raise self._trouble(f"{do} {process.name}", _GONE)
            try:
                _write(self._popen.stdin, line)
            except OSError as error:
                raise self._trouble(f"{do} {process.name}", _GONE) from error
        return self._reply(number, f"{do} {process.name}", ANSWERED_WITHIN_SECONDS)

    def _reply(self, number: int, what: str, seconds: float) -> dict[str, Any]:
        with self._changed:
            self._changed.wait_for(lambda: number in self._replies or self._over.is_set(), seconds)
            answer = self._replies.pop(number, None)
        if answer is None:
            over = self._over.is_set()
            detail = _GONE if over else f"no answer in {seconds:g} s"
            raise self._trouble(what, detail, Kind.EXITED if over else Kind.TIMED_OUT)
        if answer["event"] == "refused":
            raise self._trouble(what, str(answer["reason"]))
        return answer

    def _trouble(self, what: str, detail: str, kind: Kind = Kind.FAILED) -> SupervisorTrouble:
        return SupervisorTrouble(f"cannot {what}", f"supervisor {self.pid} of run {self.run_id}", detail, kind)

    def _read(self) -> None:
        """Take in events until the supervisor process is gone; the body of the reader thread."""
        popen = self._popen
        if popen is None or popen.stdout is None:
            return
        with popen.stdout:
            for event in _events(popen.stdout):
                self._take(event)
        try:
            popen.wait(KILLED_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            popen.kill()
            popen.wait()
        self._end(lost_at=time.time())

    def _take(self, event: dict[str, Any]) -> None:
        process = self._processes.get(event.get("child", 0))
        match event["event"]:
            case "started" if process:
                process.pid, process.started = event["pid"], event["time"]
                process.log_offset = event["offset"]
                self._tell(ProcessEventKind.STARTED, process.name, process.pid, time=process.started)
            case "signalled" if process and event["delivered"]:
                process.expected_exit |= event["signal"] in reaper.ENDING
                self._tell(
                    ProcessEventKind.SIGNALLED, process.name, process.pid, time=event["time"], signal=event["signal"]
                )
            case "exited" if process:
                self._exit(process, _process_exit(process, event))
                return
        if "number" in event:
            with self._changed:
                self._replies[event["number"]] = event
                self._changed.notify_all()

    def _exit(self, process: Process, exited: ProcessExit) -> None:
        with self._changed:
            process.exited = exited
            self._changed.notify_all()
        self._tell(
            ProcessEventKind.EXITED,
            process.name,
            process.pid,
            time=exited.time,
            code=exited.code,
            signal=exited.signal,
            expected=exited.expected,
            usage=exited.usage,
        )

    def _end(self, lost_at: float) -> None:
        """Account for every process when the supervisor is gone; if it was killed, end what it owned."""
        running = [process for process in self.processes if process.exited is None and process.pid]
        lost = not self._closing or bool(running)
        if lost:
            sessions = frozenset(process.pid for process in running)
            left = reaper.sweep(self.marker, sessions, seconds=KILLED_WITHIN_SECONDS)
            if left:
                _log.error("processes of run %s withstand SIGKILL: %s", self.run_id, sorted(left))
        self._over.set()
        if lost:
            self._tell(
                ProcessEventKind.SUPERVISOR_LOST,
                "supervisor",
                self.pid,
                time=lost_at,
                expected=self._closing,
                **_how(self._popen),
            )
        for process in running:
            self._exit(process, ProcessExit(time=lost_at, code=None, signal=None, expected=False, usage=None))
        with self._changed:
            self._changed.notify_all()
        with self._command:
            if self._popen and self._popen.stdin:
                with contextlib.suppress(OSError):
                    self._popen.stdin.close()

    def _tell(self, kind: ProcessEventKind, name: str, pid: int, **known: Any) -> None:
        if self._on_event is None:
            return
        try:
            self._on_event(ProcessEvent(kind=kind, process=name, pid=pid, **known))
        except Exception:  # noqa: BLE001 - evidence of the run must not end with its reader
            _log.exception("the receiver of process events failed at %s of %s", kind, name)


def _write(pipe: Any, line: bytes) -> None:
    """Write a whole line; a signal to this process can cut one write short."""
    while line:
        line = line[pipe.write(line) :]


def _line(**command: Any) -> bytes:
    return json.dumps(command).encode() + b"\n"


def _events(pipe: Any) -> Iterator[dict[str, Any]]:
    """Yield events as they come; half a line at the end is of a supervisor that was killed while writing."""
    pending = b""
    while data := pipe.read(1 << 16):
        *lines, pending = (pending + data).split(b"\n")
        for line in lines:
            yield json.loads(line)


def _process_exit(process: Process, event: Mapping[str, Any]) -> ProcessExit:
    return ProcessExit(
        time=event["time"],
        code=event["code"],
        signal=event["signal"],
        expected=event["expected"] or (process.ends_itself and event["code"] == 0),
        usage=ResourceUse(cpu_seconds=event["cpu_seconds"], max_rss_bytes=event["max_rss_bytes"]),
    )


def _how(popen: subprocess.Popen[bytes] | None) -> dict[str, int | None]:
    code = popen.returncode if popen else None
    if code is None:
        return {}
    return {"signal": -code, "code": None} if code < 0 else {"code": code, "signal": None}
