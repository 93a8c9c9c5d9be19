"""Which port a probe means: a number, or the name of a port of the same container (pkg/probe/util.go)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tocsin.probes.handlers.reason import Broken, Reason


def resolve_port(port: int | str, declared: Mapping[str, int]) -> int:
    """Return the number of a port. Raises Broken if there is none.

    `declared` holds the numbers of the container's own named ports; a name that is not among them is read as a number.
    """
    if isinstance(port, str) and port in declared:
        number = declared[port]
    elif isinstance(port, int):
        number = port
    elif re.fullmatch("[+-]?[0-9]{1,18}", port):
        number = int(port)
    else:
        raise Broken(Reason.PORT_UNKNOWN, f'strconv.Atoi: parsing "{port}": invalid syntax')
    if not 1 <= number <= 65535:
        raise Broken(Reason.PORT_UNKNOWN, f"invalid port number: {number}")
    return number
