"""`tocsin up`: a system to try things on."""

from __future__ import annotations

import argparse
from pathlib import Path

from tocsin.report.console import run_console
from tocsin.source import Place
from tocsin.system import BadSystem, Problem, load_system
from tocsin.up import PORT_BASE, UpRequest, stay_up


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("system", type=Path, help="folder of the system.yaml")
    parser.add_argument("--environment", help="one of the system's environments that have processes")
    parser.add_argument("--factor", type=float, help="times faster than production; default: as the environment says")
    parser.add_argument("--port-base", type=int, default=PORT_BASE, help=f"Prometheus's port; default: {PORT_BASE}")


def run(options: argparse.Namespace) -> int:
    """Start it and stay until Ctrl-C. Raises BadSystem and Trouble if it cannot be started."""
    if options.factor is not None and options.factor < 1:
        raise BadSystem((Problem(Place("--factor"), "must be 1 or more: how many times faster than production"),))
    request = UpRequest(load_system(options.system), options.environment, options.factor, options.port_base)
    stay_up(run_console(), request)
    return 0
