"""What tells of a person: addresses of mail, addresses of clients, numbers of payment cards.

Sources: RFC 5321 (a mailbox), ISO/IEC 7812 (a card's number and its check digit).
"""

from __future__ import annotations

import ipaddress
import re

_MAIL = re.compile(r"(?<![\w.+:/-])[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}([A-Za-z]{2,24})(?![\w@/:-])")
_NO_DOMAINS = frozenset(
    {
        *("service", "socket", "mount", "automount", "slice", "timer", "target", "device", "scope", "path", "swap"),
        *("local", "internal", "lan", "svc", "example", "invalid", "test", "json", "yaml", "yml", "go", "py"),
    }
)
"""What stands where a top-level domain would: kinds of systemd's units, what is no public domain, suffixes of files."""
_MACHINES = re.compile(
    r"(?:^|[^\w])(?:git|root|nobody|no-?reply|postmaster|hostmaster|admin|support|info|ops|security|kafka|rabbit\w*|celery\w*)@"
    r"|gserviceaccount\.com|@sha|@docker|@(?:users\.)?noreply\.",
    re.IGNORECASE,
)
"""Mailboxes of roles and of machines."""

CLIENTS = frozenset(
    {
        *("client", "client_ip", "clientip", "client_address", "client_addr", "remote_addr", "remote_ip", "remoteip"),
        *("remote_address", "user_ip", "userip", "visitor", "visitor_ip", "caller_ip", "source_ip", "src_ip"),
        *("x_forwarded_for", "forwarded_for", "real_ip", "x_real_ip", "ip", "ip_address", "ipaddress"),
    }
)
"""Labels that hold who asks."""

VAGUE = frozenset({"ip", "ip_address", "ipaddress"})
"""Those of the above that may hold what is measured as well."""

_CARD = re.compile(
    r"(?<![\w.-])(?:\d{4}[ -]?){3}\d{4}(?![\w-]|\.\w)|(?<![\w.-])3[47]\d{2}[ -]?\d{6}[ -]?\d{5}(?![\w-]|\.\w)"
)
_ISSUERS = re.compile(r"4|5[1-5]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)|3[47]|6(?:011|5)")


def mailbox(text: str) -> str | None:
    """Return the first address of a person's mail in a text; None if there is none."""
    if "@" not in text:
        return None
    for found in _MAIL.finditer(text, 0, 4_096):
        if found[1].lower() not in _NO_DOMAINS and not _MACHINES.search(found.group()):
            return found.group()
    return None


def client_address(label: str, value: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address of a client that a label holds; None if it holds none, or is about something else."""
    if label.lower() not in CLIENTS:
        return None
    host = value.removeprefix("[").partition("]")[0] if value.startswith("[") else value
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return None if address.is_loopback or address.is_unspecified else address


def card(text: str) -> str | None:
    """Return the first number of a payment card in a text, by issuer and check digit; None if there is none."""
    found = _CARD.search(text, 0, 4_096)
    if found is None or not _ISSUERS.match(found.group()):
        return None
    digits = [int(letter) for letter in found.group() if letter.isdigit()]
    doubled = [digit if place % 2 == 0 else digit * 2 - 9 * (digit > 4) for place, digit in enumerate(digits[::-1])]
    return found.group() if sum(doubled) % 10 == 0 and len(set(digits)) > 1 else None
