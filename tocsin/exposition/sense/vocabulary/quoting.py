"""How values are quoted in messages: short, and never a secret or what tells of a person."""

from __future__ import annotations

import re

from tocsin.exposition.sense.vocabulary.credentials import credential, hint, masked
from tocsin.exposition.sense.vocabulary.persons import card, client_address, mailbox

LONGEST = 60
"""So many characters of a value are quoted."""


_PAIR = re.compile(r"([a-zA-Z_]\w{0,100})=\"((?:[^\"\\]|\\.)*)\"")


def discreet(text: str) -> str:
    """Return a text, as a message or a selector, in which credentials and what tells of a person are hints."""
    if '="' in text:
        text = _PAIR.sub(_pair, text)
    text = masked(text)
    for find in (mailbox, card):
        for _ in range(20):
            found = find(text)
            if found is None:
                break
            text = text.replace(found, hint(found))
    return text


def _pair(found: re.Match[str]) -> str:
    label, value = found[1], found[2]
    secret = credential(label, value)
    if secret is not None:
        value = value.replace(secret[1], hint(secret[1]))
    elif client_address(label, value) is not None:
        value = hint(value)
    return f'{label}="{value}"'


def value_of(label: str, value: str) -> str:
    """Return the value of a label as it can be shown."""
    if (found := credential(label, value)) is not None:
        value = value.replace(found[1], hint(found[1]))
    if client_address(label, value) is not None:
        return hint(value)
    shown = discreet(value)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}..."


def selector(name: str, label: str, value: str) -> str:
    """Return a selector of the series that carry a label's value, as it can be shown."""
    escaped = value_of(label, value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{discreet(name)}{{{discreet(label)}="{escaped}"}}'


def listed(words: list[str], *, most: int = 3) -> str:
    """Return words in a row, and how many there are beside them."""
    more = len(words) - most
    return ", ".join(words[:most]) + (f" and {more} more" if more > 0 else "")
