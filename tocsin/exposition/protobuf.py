"""Protobuf bodies are not judged, only known when they are seen."""

from __future__ import annotations

_NAME_FIELD = 0x0A
_MOST_VARINT = 5


def looks_like_protobuf(begin: bytes) -> bool:
    """Tell whether a body begins as delimited metric families do: a length, then the field of the name."""
    for index, byte in enumerate(begin[:_MOST_VARINT]):
        if byte < 0x80:
            return begin[index + 1 : index + 2] == bytes([_NAME_FIELD])
    return False
