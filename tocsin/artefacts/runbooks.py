"""Pages of Markdown: runbooks, and what links lead to: headings, links, blocks of code, each with its lines."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from tocsin.part import Part
from tocsin.source import Document, Place

PROMQL = frozenset({"promql", "prometheus", "promQL"})
"""What a block of code is called that holds PromQL."""

_FENCE = re.compile(
    r"^(?P<indent>[ \t]*)(?:>[ \t]?)*(?:[-*+][ \t]+|\d{1,9}[.)][ \t]+)?(?P<fence>`{3,}|~{3,})(?P<info>[^`]*)$"
)
_HEADING = re.compile(r" {0,3}(?P<marks>#{1,6})(?=[ \t]|$)")
_UNDERLINE = re.compile(r"^ {0,3}(?:=+|-+)[ \t]*$")
_LINK = re.compile(
    r"\[(?P<text>[^\[\]]{0,300})\]"
    r"\((?P<target><[^<>\n]{0,2000}>|[^\s()<>]{0,2000}(?:\([^\s()]{0,300}\)[^\s()<>]{0,2000})?)"
)
_DEFINITION = re.compile(r"^ {0,3}\[(?P<text>[^\[\]]{1,300})\]:[ \t]*<?(?P<target>[^\s<>]{1,2000})>?")
_BARE = re.compile(r"(?<![(\[<\"'`\w])https?://[^\s<>()\[\]\"'`]{1,2000}|<(?P<auto>https?://[^\s<>]{1,2000})>")
_ANCHOR = re.compile(
    r"""<[a-zA-Z][^<>]{0,300}?\b(?:id|name)\s*=\s*["']([^"'<>]{1,300})["']|\{#([\w.:-]{1,300})[^}]{0,100}\}"""
)
_HTML_HEADING = re.compile(r"<h[1-6][^<>]{0,300}>(.{0,300}?)</h[1-6]>", re.IGNORECASE)
_CODE = re.compile(r"(?P<ticks>`+)(?!`)(?:(?!(?P=ticks)).){1,2000}?(?P=ticks)(?!`)")
_MARKUP = re.compile(r"!?\[([^\[\]]*)\]\([^()]*\)|[`*]|</?[a-zA-Z][^<>]{0,300}>")


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading: its level from 1, its text without markup, its place."""

    level: int
    title: str
    place: Place


@dataclass(frozen=True, slots=True)
class Link:
    """A link: what it leads to as it is written, and where that stands."""

    target: str
    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code: what it is called, its text without the fence and the indent, and where each line begins."""

    info: str
    lines: tuple[tuple[str, Place], ...]

    @property
    def text(self) -> str:
        """Its text."""
        return "\n".join(line for line, _ in self.lines)


@dataclass(frozen=True)
class Runbook:
    """A page."""

    file: str
    text: str

    @property
    def subject(self) -> str:
        """The name path by which findings know it."""
        return self.file

    @cached_property
    def _sorted(self) -> tuple[list[tuple[int, str]], list[Block]]:
        """The lines of prose with their numbers, from 1, and the blocks of code."""
        prose: list[tuple[int, str]] = []
        blocks: list[Block] = []
        fence = info = indent = ""
        inside: list[tuple[str, Place]] = []
        for number, line in enumerate(self.text.split("\n"), 1):
            line = line.rstrip("\r")  # noqa: PLW2901
            match = _FENCE.match(line)
            if fence:
                if match and match["fence"].startswith(fence) and not match["info"].strip():
                    blocks.append(Block(info, tuple(inside)))
                    fence = ""
                else:
                    cut = len(line) - len(line[: len(indent)].lstrip()) - len(line[len(indent) :])
                    inside.append((line[cut:], Place(self.file, number, cut + 1)))
            elif match:
                fence, info, inside = match["fence"], match["info"].strip(), []
                indent = line[: match.start("fence")]
            else:
                prose.append((number, line))
        if fence:
            blocks.append(Block(info, tuple(inside)))
        return prose, blocks

    @property
    def prose(self) -> list[tuple[int, str]]:
        """The lines that are no code, with their numbers from 1."""
        return self._sorted[0]

    @property
    def blocks(self) -> list[Block]:
        """The blocks of code."""
        return self._sorted[1]

    @cached_property
    def headings(self) -> tuple[Heading, ...]:
        """Its headings, in order."""
        return tuple(self._headings())

    def _headings(self) -> Iterator[Heading]:
        before = ""
        for number, line in self.prose:
            match = _HEADING.match(line)
            if match:
                title = line[match.end() :].strip()
                bare = title.rstrip("#")
                title = bare.rstrip() if not bare or bare[-1].isspace() else title
                yield Heading(len(match["marks"]), plain(title), Place(self.file, number))
            elif before.strip() and _UNDERLINE.match(line) and not before.lstrip().startswith(("|", "-", ">", "#")):
                yield Heading(1 if "=" in line else 2, plain(before.strip()), Place(self.file, number - 1))
            before = line

    @cached_property
    def anchors(self) -> frozenset[str]:
        """What a link may have after `#`: the slugs of the headings, as GitHub makes them, and given names."""
        found: set[str] = set()
        seen: Counter[str] = Counter()
        for heading in self.headings:
            made = slug(heading.title)
            found.add(f"{made}-{seen[made]}" if seen[made] else made)
            seen[made] += 1
        for _, line in self.prose:
            found.update(match[1] or match[2] for match in _ANCHOR.finditer(line))
            found.update(slug(plain(match[1])) for match in _HTML_HEADING.finditer(line))
        return frozenset(found)

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """Its links, in order."""
        return tuple(self._links())

    def _links(self) -> Iterator[Link]:
        for number, line in self.prose:
            if "](" not in line and "://" not in line and "]:" not in line:
                continue
            shown = _CODE.sub(lambda match: " " * len(match[0]), line)
            defined = _DEFINITION.match(shown)
            if defined:
                yield Link(defined["target"], defined["text"], Place(self.file, number, defined.start("target") + 1))
                continue
            taken = shown
            for match in _LINK.finditer(shown):
                target = match["target"].strip("<>")
                yield Link(target, match["text"], Place(self.file, number, match.start("target") + 1))
                taken = taken[: match.start()] + " " * len(match[0]) + taken[match.end() :]
            for match in _BARE.finditer(taken):
                target = (match["auto"] or match[0]).rstrip(".,;:!?")
                yield Link(target, "", Place(self.file, number, match.start() + 1))

    def sections(self) -> Iterator[tuple[Heading | None, tuple[tuple[int, str], ...]]]:
        """Yield each heading with the lines of prose directly under it; what stands before the first has none."""
        starts = {heading.place.line: heading for heading in self.headings}
        current: Heading | None = None
        lines: list[tuple[int, str]] = []
        for number, line in self.prose:
            if number in starts:
                yield current, tuple(lines)
                current, lines = starts[number], []
            else:
                lines.append((number, line))
        yield current, tuple(lines)

    def expressions(self) -> Iterator[Part]:
        """Yield the PromQL of its blocks of code, as scalars of their own: what blank lines part is one each."""
        for block in self.blocks:
            if block.info.split(" ")[0].split("{")[0].lower() in PROMQL:
                for lines in _paragraphs(block):
                    text = "\n".join(line for line, _ in lines)
                    yield Part(Document(self.file, text, {(): lines[0][1]}, {}), (), text)


def _paragraphs(block: Block) -> Iterator[list[tuple[str, Place]]]:
    lines: list[tuple[str, Place]] = []
    for line, place in block.lines:
        if line.strip():
            lines.append((line, place))
        elif lines:
            yield lines
            lines = []
    if lines:
        yield lines


def plain(markdown: str) -> str:
    """Return the text of a piece of Markdown without its markup."""
    return _MARKUP.sub(lambda match: match[1] or "", markdown).strip()


def slug(title: str) -> str:
    """Return the anchor that GitHub gives a heading (github.com/gjtorikian/html-pipeline, TableOfContentsFilter)."""
    return re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")
