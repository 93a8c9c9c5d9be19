"""gzip as Go's reader takes it: members one after the other, and nothing behind them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from tocsin.exposition.limits import PIECE_BYTES

_GZIP = 16 + zlib.MAX_WBITS


class BadEncoding(ValueError):
    """What says that it is gzip and is none."""


class Gunzip:
    """Decodes in pieces, so that a megabyte that becomes a gigabyte can be stopped on its way."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)
        self._begun = False
        self._members = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what some bytes decode to, in pieces of a bounded size. Raises BadEncoding."""
        while data:
            if self._member.eof:
                self._member = zlib.decompressobj(_GZIP)
                self._begun = False
            try:
                decoded = self._member.decompress(data, PIECE_BYTES)
            except zlib.error as error:
                raise BadEncoding(self._problem()) from error
            self._begun = True
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            self._members += self._member.eof
            if decoded:
                yield decoded

    def finish(self) -> None:
        """Raise BadEncoding if the end is not that of a member."""
        if not self._members and not self._begun:
            raise BadEncoding("it says gzip, and is empty")
        if not self._member.eof:
            raise BadEncoding("the gzip stream is cut off")

    def _problem(self) -> str:
        if self._members:
            return "something that is no gzip follows the gzip stream"
        return "the gzip stream is damaged" if self._begun else "it says gzip, and is none"
