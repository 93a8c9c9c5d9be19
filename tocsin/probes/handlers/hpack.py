"""Header compression of HTTP/2 (RFC 7541): all of decoding, and of encoding what a short request needs.

A probe sends half a dozen fields once per connection, so they are written as they are; a server may use everything.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

Field = tuple[str, str]
"""Name and value, each character one byte (latin-1)."""

TABLE_BYTES = 4096
"""Size of the dynamic table (RFC 7540, section 6.5.2), which a probe leaves at its default."""

ENTRY_OVERHEAD = 32
"""What each entry of the dynamic table counts beside its text (RFC 7541, section 4.1)."""


class BadCompression(Exception):
    """A header block that cannot be decoded; the connection is lost with it."""


_STATIC = """
:authority|:method=GET|:method=POST|:path=/|:path=/index.html|:scheme=http|:scheme=https|:status=200|:status=204
:status=206|:status=304|:status=400|:status=404|:status=500|accept-charset|accept-encoding=gzip, deflate
accept-language|accept-ranges|accept|access-control-allow-origin|age|allow|authorization|cache-control
content-disposition|content-encoding|content-language|content-length|content-location|content-range|content-type
cookie|date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|if-unmodified-since
last-modified|link|location|max-forwards|proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after
server|set-cookie|strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate
"""
STATIC: tuple[Field, ...] = tuple(
    (name, value) for name, _, value in (each.partition("=") for each in _STATIC.strip().replace("\n", "|").split("|"))
)
"""The fields that have a number from the start, the first of which is 1 (RFC 7541, appendix A)."""

_CODE_BITS = (
    "isxxxxxxxtzxxzxxxxxxxxzxxxxxxxxxbffhibdgffdgdbbbaaabbbbbbbcdkbhfibccccccccccccccccccccccdcdioijkbabababbbaccbb"
    "babcbaabccccckgjixprpprrrsrssssststtrstssssqrsrsstrqprrssqsrrtqrssqqrqsrssprrrsrrsvvporsruvvvwwvtuoqvwwvwtqqvv"
    "xwwwptpqrqqsrruuttvsvwvvwwwwwxwwwwwv"
)
"""Bits of each byte's code, `a` for 5 (RFC 7541, appendix B); codes of one length go up with the byte."""


@cache
def huffman_codes() -> dict[tuple[int, int], int]:
    """Return each byte by the length, in bits, and the value of its code."""
    lengths = [ord(letter) - ord("a") + 5 for letter in _CODE_BITS]
    codes, code, previous = {}, 0, 0
    for byte in sorted(range(len(lengths)), key=lambda byte: (lengths[byte], byte)):
        code <<= lengths[byte] - previous
        previous = lengths[byte]
        codes[previous, code] = byte
        code += 1
    return codes


def _unpacked(packed: bytes) -> str:
    """Decode a text in Huffman's code; it is padded with less than a byte of ones."""
    codes, text, length, code = huffman_codes(), bytearray(), 0, 0
    for each in packed:
        for shift in range(7, -1, -1):
            length, code = length + 1, code << 1 | each >> shift & 1
            byte = codes.get((length, code))
            if byte is not None:
                text.append(byte)
                length = code = 0
        if length > 30:
            raise BadCompression("a text holds the code of no character")
    if length > 7 or code != (1 << length) - 1:
        raise BadCompression("a text is padded with something else than ones")
    return text.decode("latin-1")


class _Block:
    """A header block, read from its start to its end."""

    def __init__(self, block: bytes) -> None:
        self.block = block
        self.position = 0

    @property
    def over(self) -> bool:
        return self.position >= len(self.block)

    def byte(self) -> int:
        if self.over:
            raise BadCompression("the block ends in the middle of a field")
        self.position += 1
        return self.block[self.position - 1]

    def number(self, first: int, bits: int) -> int:
        """Return an integer whose first byte, `first`, has so many bits for it (section 5.1)."""
        most = (1 << bits) - 1
        value = first & most
        if value < most:
            return value
        for shift in range(0, 35, 7):
            byte = self.byte()
            value += (byte & 0x7F) << shift
            if not byte & 0x80:
                return value
        raise BadCompression("a number is too large")

    def text(self) -> str:
        """Return a string literal (section 5.2)."""
        first = self.byte()
        length = self.number(first, 7)
        data = self.block[self.position : self.position + length]
        if len(data) < length:
            raise BadCompression("the block ends in the middle of a text")
        self.position += length
        return _unpacked(data) if first & 0x80 else data.decode("latin-1")


class Decoder:
    """Decodes the header blocks of one connection, in their order."""

    def __init__(self) -> None:
        self._dynamic: list[Field] = []
        self._size = 0
        self._most = TABLE_BYTES

    def decode(self, data: bytes) -> list[Field]:
        """Return the fields of a whole header block. Raises BadCompression."""
        block, fields = _Block(data), list[Field]()
        while not block.over:
            first = block.byte()
            if first & 0x80:
                fields.append(self._known(block.number(first, 7)))
            elif first & 0x40:
                field = self._literal(block, block.number(first, 6))
                self._add(field)
                fields.append(field)
            elif first & 0x20:
                self._resize(block.number(first, 5), first_field=not fields)
            else:
                fields.append(self._literal(block, block.number(first, 4)))
        return fields

    def _literal(self, block: _Block, index: int) -> Field:
        name = self._known(index)[0] if index else block.text()
        return name, block.text()

    def _known(self, index: int) -> Field:
        if 1 <= index <= len(STATIC):
            return STATIC[index - 1]
        if 0 < index <= len(STATIC) + len(self._dynamic):
            return self._dynamic[index - len(STATIC) - 1]
        raise BadCompression(f"no field has the number {index}")

    def _add(self, field: Field) -> None:
        self._dynamic.insert(0, field)
        self._size += _weight(field)
        self._evict()

    def _resize(self, most: int, *, first_field: bool) -> None:
        if most > TABLE_BYTES or not (first_field or not self._dynamic):  # Go minds only where there is a table
            raise BadCompression("the table's size is set where it may not be, or to more than was offered")
        self._most = most
        self._evict()

    def _evict(self) -> None:
        while self._size > self._most:
            self._size -= _weight(self._dynamic.pop())


def _weight(field: Field) -> int:
    return len(field[0]) + len(field[1]) + ENTRY_OVERHEAD


def encode(fields: Iterable[Field]) -> bytes:
    """Return a header block that any decoder reads: each field as a literal that enters no table."""
    block = bytearray()
    for field in fields:
        block.append(0)
        for text in field:
            data = text.encode("latin-1")
            block += _length(len(data)) + data
    return bytes(block)


def _length(value: int) -> bytes:
    """Return the length of a text that is not packed (section 5.1, 7 bits)."""
    if value < 0x7F:
        return bytes([value])
    value, out = value - 0x7F, bytearray([0x7F])
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
