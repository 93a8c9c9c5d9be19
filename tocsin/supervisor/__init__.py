"""Processes: the only package that starts any. Everything started here ends with the harness, however that ends."""

from tocsin.supervisor.client import Process, Supervisor
from tocsin.supervisor.events import ProcessEvent, ProcessEventKind, ProcessExit, ResourceUse
from tocsin.supervisor.log import LineReader, await_line, check_running, tail
from tocsin.supervisor.once import Completed, run_once
from tocsin.supervisor.reaper import MARKER, sweep
from tocsin.supervisor.trouble import Kind, SupervisorTrouble, Trouble
from tocsin.supervisor.usage import TreeUse, usage

__all__ = [
    "MARKER",
    "Completed",
    "Kind",
    "LineReader",
    "Process",
    "ProcessEvent",
    "ProcessEventKind",
    "ProcessExit",
    "ResourceUse",
    "Supervisor",
    "SupervisorTrouble",
    "TreeUse",
    "Trouble",
    "await_line",
    "check_running",
    "run_once",
    "sweep",
    "tail",
    "usage",
]
