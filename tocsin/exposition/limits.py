"""What one scrape may cost us, whatever the target does; options override, nothing is unbounded."""

from __future__ import annotations

from dataclasses import dataclass

MEBIBYTE = 1 << 20

MOST_BODY_BYTES = 256 * MEBIBYTE
"""Decoded. A Prometheus holds a body in memory whole; nobody scrapes a quarter of a gigabyte every 15 s on purpose."""
MOST_SECONDS = 120.0
"""From the connection to the last byte, where no job says how long a scrape may take."""
MOST_JUDGING_SECONDS = 120.0
"""Of one body: 100 MB of ordinary lines take 10; nothing but broken lines take a hundred times as long."""
MOST_REDIRECTS = 10
"""As Go's client follows (net/http, client.go, defaultCheckRedirect)."""
MOST_HEADERS = 100
"""Header lines of an answer, as Python's client takes them; Go's takes 10 MiB."""
MOST_COMPARED_BYTES = 16 * MEBIBYTE
"""Bodies up to here are asked for in every format; of a larger one that would cost the target and us minutes."""
MOST_REPEATED_BYTES = 4 * MEBIBYTE
"""Bodies up to here are asked for some fifty times, and all of them kept."""
PIECE_BYTES = 1 << 16
"""How much is read, and decoded, at once."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one scrape may take."""

    body_bytes: int = MOST_BODY_BYTES
    """Decoded; what comes beyond it is not read."""
    seconds: float = MOST_SECONDS
    """One deadline for all of it: connecting, TLS, headers, redirects and body."""
    redirects: int = MOST_REDIRECTS
