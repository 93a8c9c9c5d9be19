"""Relabelling as Prometheus does it, of labels whose values may be known only in part.

The order of things is that of `model/relabel/relabel.go` and of `PopulateLabels` in `scrape/target.go`
(github.com/prometheus/prometheus, 2.42 and 3.x).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
import warnings
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from tocsin.part import Part

ACTIONS = frozenset(
    {
        "replace",
        "keep",
        "drop",
        "keepequal",
        "dropequal",
        "hashmod",
        "labelmap",
        "labeldrop",
        "labelkeep",
        "lowercase",
        "uppercase",
    }
)
"""Every action that there is; Prometheus reads them in any case."""
META = "__meta_"
"""What labels begin with that are gone after relabelling."""
_DEFAULT_REGEX = "(.*)"
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_MOST_LENGTH = 2000
"""Of a value that is matched; longer ones are taken for unknown, so that no expression costs unbounded time."""


@dataclass(frozen=True, slots=True)
class Step:
    """One relabelling rule, with its defaults."""

    action: str
    sources: tuple[str, ...]
    separator: str
    regex: str
    target: str
    replacement: str
    modulus: int
    part: Part = field(compare=False, repr=False)

    @property
    def sieves(self) -> bool:
        """Whether it lets some labels through and others not."""
        return self.action in ("keep", "drop", "keepequal", "dropequal")


@dataclass(frozen=True, slots=True)
class Relabelled:
    """What relabelling makes of one set of labels."""

    labels: Mapping[str, str]
    unknown: frozenset[str]
    """Labels that may have another value than files tell, or none."""
    open: bool
    """Whether there may be labels beyond those."""
    dropped_by: Step | None = None
    """The step that let it not through; of what is kept, None."""
    certain: bool = True
    """Whether it is known that it was kept or dropped: False if a step hung on a label whose value is not known."""
    steps: Mapping[str, Step] = field(default_factory=dict, compare=False, repr=False)
    """The step that wrote a label last."""

    @property
    def kept(self) -> bool:
        """Whether it was let through, as far as is known."""
        return self.dropped_by is None


def steps(parts: Iterable[Part]) -> tuple[Step, ...]:
    """Return the rules of a list; what is no rule is passed over."""
    return tuple(step(part) for part in parts if isinstance(part.value, dict))


def step(part: Part) -> Step:
    """Return one rule with the defaults of what it leaves out; total.

    Prometheus's own key is `source_labels`, those of the operator's objects are `sourceLabels` and `targetLabel`.
    """
    sources = part.list("source_labels") or part.list("sourceLabels")
    modulus = part.get("modulus").value
    return Step(
        action=(part.string("action") or "replace").lower(),
        sources=tuple(source.text for source in sources),
        separator=part.string("separator") if "separator" in part else ";",
        regex=part.string("regex") if part.get("regex") else _DEFAULT_REGEX,
        target=part.string("target_label") or part.string("targetLabel"),
        replacement=part.string("replacement") if "replacement" in part else "$1",
        modulus=modulus if isinstance(modulus, int) and modulus > 0 else 0,
        part=part,
    )


def relabel(
    labels: Mapping[str, str], rules: Iterable[Step], *, unknown: Collection[str] = (), further: bool = False
) -> Relabelled:
    """Return what rules make of labels.

    `unknown` names those whose values are only samples of what they may be; `further` says that there may be labels
    beyond those given. What is decided by such labels is uncertain, and so is what follows from it.
    """
    state = _State({name: value for name, value in labels.items() if value}, set(unknown), further)
    for rule in rules:
        if not state.apply(rule):
            return state.result(rule)
    return state.result(None)


class _State:
    """The labels while rules are applied to them."""

    def __init__(self, labels: dict[str, str], unknown: set[str], further: bool) -> None:
        self.labels = labels
        self.unknown = unknown
        self.further = further
        self.certain = True
        self.steps: dict[str, Step] = {}

    def result(self, dropped_by: Step | None) -> Relabelled:
        return Relabelled(
            dict(self.labels),
            frozenset(self.unknown),
            self.further,
            dropped_by,
            self.certain,
            dict(self.steps),
        )

    def set(self, name: str, value: str, rule: Step, *, unknown: bool = False) -> None:
        self.labels[name] = value
        if not value:
            del self.labels[name]
        (self.unknown.add if unknown else self.unknown.discard)(name)
        self.steps[name] = rule

    def doubtful(self, names: Iterable[str]) -> bool:
        """Whether the value of one of some labels is not known."""
        return any(n in self.unknown or (self.further and n not in self.labels and n not in self.steps) for n in names)

    def apply(self, rule: Step) -> bool:
        """Apply one rule; tell whether the labels are let through."""
        value = rule.separator.join(self.labels.get(source, "") for source in rule.sources)
        doubtful = self.doubtful(rule.sources)
        if rule.sieves:
            return self.sieved(rule, value, doubtful)
        if rule.action == "replace":
            self.replaced(rule, value, doubtful)
        elif rule.action in ("lowercase", "uppercase"):
            self.set(
                rule.target, value.lower() if rule.action == "lowercase" else value.upper(), rule, unknown=doubtful
            )
        elif rule.action == "hashmod" and rule.modulus:
            self.set(rule.target, hashmod(value, rule.modulus), rule, unknown=doubtful)
        elif rule.action in ("labelmap", "labeldrop", "labelkeep"):
            self.renamed(rule)
        return True

    def sieved(self, rule: Step, value: str, doubtful: bool) -> bool:
        if rule.action in ("keepequal", "dropequal"):
            doubtful = doubtful or self.doubtful([rule.target])
            holds: bool | None = self.labels.get(rule.target, "") == value
        else:
            holds = matches(rule.regex, value)
        if holds is None or (doubtful and not always_matches(rule)):
            self.certain = False
        if holds is None:
            return True
        return holds == rule.action.startswith("keep")

    def replaced(self, rule: Step, value: str, doubtful: bool) -> None:
        found = match(rule.regex, value)
        target, written = rule.target, rule.replacement
        if found is None:
            if _compiled(rule.regex) is None or doubtful:
                self.unknown.add(target)
            return
        target = expand(found, target)
        if not target:
            return
        if "$" in rule.target and not _LABEL_NAME.fullmatch(target):
            return
        self.set(target, expand(found, written), rule, unknown=doubtful and ("$" in written or not _takes_all(rule)))

    def renamed(self, rule: Step) -> None:
        compiled = _compiled(rule.regex)
        if compiled is None:
            self.further = True
            self.unknown.update(self.labels)
            return
        for name, value in sorted(self.labels.items()):
            found = match(rule.regex, name)
            if rule.action == "labelmap" and found is not None:
                self.set(expand(found, rule.replacement), value, rule, unknown=name in self.unknown)
            elif rule.action != "labelmap" and (found is not None) == (rule.action == "labeldrop"):
                self.set(name, "", rule)


def always_matches(rule: Step) -> bool:
    """Whether a rule's expression matches whatever there is."""
    return rule.action in ("keep", "drop") and _takes_all(rule)


def _takes_all(rule: Step) -> bool:
    return rule.regex in ("(.*)", ".*")


def hashmod(value: str, modulus: int) -> str:
    """Return the shard of a value: the last eight bytes of its MD5, modulo (relabel.go)."""
    digest = hashlib.md5(value.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()
    return str(int.from_bytes(digest[8:], "big") % modulus)


def matches(regex: str, value: str) -> bool | None:
    """Tell whether an anchored expression matches a value; None if that cannot be told."""
    if _compiled(regex) is None or len(value) > _MOST_LENGTH:
        return None
    return match(regex, value) is not None


def match(regex: str, value: str) -> re.Match[str] | None:
    """Return how an anchored expression matches a value; None if it does not, or cannot be tried."""
    compiled = _compiled(regex)
    return compiled.fullmatch(value) if compiled is not None and len(value) <= _MOST_LENGTH else None


def expand(found: re.Match[str], template: str) -> str:
    """Return a replacement with its `$1` and `${name}` filled in, as Go's regexp.Expand does.

    `$1x` is the group of the name `1x`, of which there is none, and so nothing.
    """
    pieces: list[str] = []
    rest = template
    while "$" in rest:
        before, _, rest = rest.partition("$")
        pieces.append(before)
        if rest.startswith("$"):
            pieces.append("$")
            rest = rest[1:]
            continue
        name, after = _reference(rest)
        if not name:
            pieces.append("$")
            continue
        pieces.append(_group(found, name))
        rest = after
    return "".join([*pieces, rest])


def references(template: str) -> tuple[str, ...]:
    """Return the groups that a replacement names."""
    names: list[str] = []
    rest = template.replace("$$", "")
    while "$" in rest:
        name, rest = _reference(rest.partition("$")[2])
        if name:
            names.append(name)
    return tuple(names)


def _reference(text: str) -> tuple[str, str]:
    """Return the name that a text behind a `$` begins with, and what follows it; no name if it is malformed."""
    brace = text.startswith("{")
    start = 1 if brace else 0
    end = start
    while end < len(text) and (text[end] == "_" or unicodedata.category(text[end])[0] == "L" or text[end].isdecimal()):
        end += 1
    if end == start or (brace and text[end : end + 1] != "}"):
        return "", text
    return text[start:end], text[end + (1 if brace else 0) :]


def _group(found: re.Match[str], name: str) -> str:
    if name.isascii() and name.isdigit() and (name == "0" or name[0] != "0"):
        return (found[int(name)] or "") if len(name) < 9 and int(name) <= found.re.groups else ""
    return (found[name] or "") if name in found.re.groupindex else ""


def groups(regex: str) -> tuple[int, frozenset[str]] | None:
    """Return how many groups an expression has, and the names of the named ones; None if it cannot be read."""
    compiled = _compiled(regex)
    return None if compiled is None else (compiled.groups, frozenset(compiled.groupindex))


# RE2's dialect in Python's

_PERL = re.compile(
    r"\\(?P<quoted>Q.*?(?:\\E|$))|\\(?P<end>z)|\\(?P<one>.)"
    r"|(?P<class>\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\])|(?P<dollar>\$)|(?P<flags>\(\?[imsU-]+\))",
    re.DOTALL,
)
_POSIX = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": "\\x00-\\x7f", "blank": "\\t ", "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9", "graph": "!-~", "lower": "a-z", "print": " -~", "punct": "!-/:-@\\[-`{-~",
    "space": "\\t\\n\\v\\f\\r ", "upper": "A-Z", "word": "0-9A-Za-z_", "xdigit": "0-9A-Fa-f",
}  # fmt: skip
_UNBOUNDED = re.compile(r"[*+]|\{[0-9]+,\}")
_NESTED = re.compile(r"[*+}]\)*\)(?:[*+]|\{)")
_MOST_UNBOUNDED = 12


@lru_cache(maxsize=4096)
def _compiled(regex: str) -> re.Pattern[str] | None:
    """Return an expression in Python's dialect; None if it cannot be had, or might take for ever."""
    bare = re.sub(r"\\.|\[[^\]]*\]", "a", regex)
    if _NESTED.search(bare) or len(_UNBOUNDED.findall(bare)) > _MOST_UNBOUNDED or len(regex) > _MOST_LENGTH:
        return None
    try:
        translated = _translated(regex)
        with warnings.catch_warnings():  # Python warns of what a set may come to mean in later versions
            warnings.simplefilter("ignore")
            return re.compile(translated, re.ASCII | re.DOTALL)
    except (re.error, ValueError, OverflowError, RecursionError):
        return None


def _translated(regex: str) -> str:
    """Return an RE2 expression as Python writes it. Raises ValueError for what Python does not have."""
    flags = ""

    def one(found: re.Match[str]) -> str:
        nonlocal flags
        if found["quoted"] is not None:
            return re.escape(found["quoted"][1:].removesuffix("\\E"))
        if found["end"] or found["dollar"]:
            return "\\Z"
        if found["one"] is not None:
            if found["one"] in "pPC":
                raise ValueError(found[0])
            return found[0]
        if found["flags"] is not None:
            if found.start() != len(flags) or not found["flags"].strip("()?is") == "":
                raise ValueError(found[0])
            flags += found["flags"]
            return found["flags"]
        if re.search(r"\\[pP]|\[:\^", found["class"]):
            raise ValueError(found[0])
        return re.sub(r"\[:(\w+):\]", lambda posix: _POSIX.get(posix[1], ""), found["class"])

    return _PERL.sub(one, regex)


# From what was discovered to what is scraped

_WITH_PORT = re.compile(r"(?:[^:\[\]]*|\[[^\[\]]*\]):[^:\[\]]*")


def has_port(address: str) -> bool:
    """Whether an address has a port, as Go's net.SplitHostPort sees it."""
    return _WITH_PORT.fullmatch(address) is not None


def address_problem(labels: Mapping[str, str]) -> str:
    """Return why Prometheus gives up a target that was kept: its address or scheme; empty if it does not."""
    address, scheme = labels.get("__address__", ""), labels.get("__scheme__", "")
    if not address:
        return "it has no address"
    if "/" in address:
        return f"{address!r} is not a valid hostname: it holds a slash"
    if scheme not in ("http", "https", ""):
        return f"the scheme {scheme!r} is neither http nor https"
    if not has_port(address) and not has_port(f"{address}:80"):
        return f"{address!r} has too many colons"
    return ""


def target_labels(relabelled: Relabelled) -> Relabelled:
    """Return the labels that the series of a target that was kept carry: those after `__`, `instance` by default."""
    labels = {name: value for name, value in relabelled.labels.items() if not name.startswith("__")}
    unknown = {name for name in relabelled.unknown if not name.startswith("__")}
    if "instance" not in labels and "instance" not in unknown and "__address__" in relabelled.labels:
        labels["instance"] = with_port(relabelled.labels["__address__"], relabelled.labels.get("__scheme__", ""))
        if "__address__" in relabelled.unknown:
            unknown.add("instance")
    return replace(relabelled, labels=labels, unknown=frozenset(unknown))


def with_port(address: str, scheme: str) -> str:
    """Return an address with the port that Prometheus 2 adds where there is none."""
    if not address or has_port(address):
        return address
    return f"{address}:{'443' if scheme == 'https' else '80'}"
