"""Judge a body: read it once, in pieces, and say everything that one scrape can tell."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tocsin.artefacts.exposition.batches import Stretch
from tocsin.artefacts.exposition.entries import EVERY, Entry, Kind
from tocsin.artefacts.exposition.ingest import Ingestion
from tocsin.artefacts.exposition.stream import Located, Read, read
from tocsin.artefacts.exposition.syntax import Generation, Ingest, Syntax
from tocsin.exposition.complaints import Complaints
from tocsin.exposition.digest import Digest, Digesting
from tocsin.exposition.judgement import Judgement
from tocsin.exposition.sense import complaints as complaints_of_sense
from tocsin.exposition.structure_duplicates import Duplicates
from tocsin.exposition.structure_families import Families
from tocsin.exposition.structure_keys import Keys
from tocsin.exposition.structure_letter import Letter
from tocsin.exposition.structure_values import Values
from tocsin.finding import Severity

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ufeff]")
_METADATA = (Kind.HELP, Kind.TYPE, Kind.UNIT)


def judge(chunks: Iterable[bytes], syntax: Syntax, *, now: float) -> Judgement:
    """Judge a body.

    `chunks` is the body in pieces, cut anywhere; `now` is the time of the scrape in seconds since the epoch. Never
    raises because of a body; memory does not grow with it.
    """
    judging = _Judging(syntax, now)
    for step in read(judging.counted(chunks), syntax):
        judging.take(step)
    return judging.judgement()


class _Judging:
    """The state of judging one body."""

    def __init__(self, syntax: Syntax, now: float) -> None:
        self.now = now
        self.complaints = Complaints()
        self.digest = Digest(syntax)
        self.digesting = Digesting(self.digest)
        keys = Keys()
        self.families = Families(syntax, self.digesting, self.complaints, keys)
        self.duplicates = Duplicates(syntax, self.complaints, keys)
        self.values = Values(syntax, self.complaints, now)
        self.letter = Letter(self.complaints, keys) if syntax is Syntax.OPENMETRICS else None
        self.ingestion = Ingestion()
        self.letter_kept = True
        self.ended_line = 0
        """Of a comment in the text format that looks like the end of OpenMetrics."""

    def counted(self, chunks: Iterable[bytes]) -> Iterable[bytes]:
        """Pass the body on, and count its bytes."""
        for chunk in chunks:
            self.digest.bytes += len(chunk)
            yield chunk

    def take(self, step: Read) -> None:
        """Take one step of reading."""
        for problem in step.problems:
            self._problem(problem)
        if step.entry is not None:
            self._entry(step.entry, step.line)
        if step.stretch is not None:
            self._samples(step.stretch)

    def _entry(self, entry: Entry, line: int) -> None:
        if entry.kind in _METADATA:
            self.families.metadata(entry, line)
            if self.letter is not None:
                self.letter.metadata(entry, line)
            self._control(entry.text, line, entry.name, f"the {entry.kind.value} of {entry.name}")
        elif entry.kind is Kind.COMMENT and entry.text.startswith("EOF") and not entry.text.strip("EOF \t\r"):
            self.ended_line = self.ended_line or line

    def _samples(self, stretch: Stretch) -> None:
        for name, line, _ in stretch.names:
            if self.ended_line:
                self._behind_the_end(line)
            self.families.follow(name, line)
        for batch in stretch.batches:
            family = self.families.of(batch.name, batch.line_of(0))
            self.digesting.take(family.digest, batch)
            self.duplicates.take(batch)
            self.values.take(family.type, family.name, batch)
            times = batch.timestamps
            every = times is not None and None not in times
            other = next((i for i, at in enumerate(times) if (at is None) != (times[0] is None)), 0) if times else 0
            self.families.timed(family, batch.line_of(other), some=times is not None, every=every)
            if family.histogram is not None:
                family.histogram.take(batch)
            if self.letter is not None:
                self.letter.take(batch)

    def _behind_the_end(self, line: int) -> None:
        self.complaints.add(
            "samples-after-eof",
            Severity.WARNING,
            line,
            "",
            f"samples behind `# EOF` on line {self.ended_line}",
            why="In the text format `# EOF` is a comment, and the samples count; OpenMetrics drops the scrape.",
            fix="End the body at `# EOF`, or leave it out.",
        )
        self.ended_line = 0

    def _problem(self, problem: Located) -> None:
        first = self.ingestion.note(problem)
        if problem.letter:
            self.letter_kept = False
        stopped = problem.refused | problem.crashed
        if not stopped:
            self.complaints.add(
                "not-to-the-letter",
                Severity.ERROR if problem.harms else Severity.WARNING,
                problem.line,
                "",
                problem.message,
                why=_why_letter(problem),
                fix=_sentence(problem.fix),
                column=problem.column,
            )
            return
        check = "server-crash" if problem.crashed else "not-ingested"
        severity = Severity.ERROR if stopped == EVERY or problem.harms or problem.crashed else Severity.WARNING
        why = _why_dropped(problem)
        if not first:
            why = f"A line further up already stops the server; once that is mended, this one does. {why}"
        self.complaints.add(check, severity, problem.line, "", problem.message, why=why, fix=_sentence(problem.fix),
                            column=problem.column)  # fmt: skip

    def _control(self, text: str, line: int, series: str, where: str) -> None:
        found = _CONTROL.search(text)
        if found is None:
            return
        self.complaints.add(
            "control-character",
            Severity.WARNING,
            line,
            series,
            f"{where} holds the character U+{ord(found[0]):04X}",
            why="It shows as nothing, or turns the text around it: dashboards and alerts then show what is not so.",
            fix="Clean the text where it is set, or find out what writes it.",
        )

    def _controls(self) -> None:
        """Look for control characters in what is kept of label values."""
        for family in self.digest.families.values():
            for name in family.names.values():
                for label, kept in name.labels.items():
                    for value, line in kept.values.items():
                        if not value.isprintable():
                            self._control(value, line, name.name, f"a value of {label}")

    def judgement(self) -> Judgement:
        """Return what is said of the body once it is read."""
        ordered = self.families.finish()
        self.duplicates.finish()
        self.values.finish(self.digest.samples)
        self._controls()
        if self.letter is not None:
            self.letter.finish()
        specification = (
            self.letter_kept
            and ordered
            and not self.duplicates.found
            and not self.values.broken
            and not (self.letter is not None and self.letter.broken)
        )
        verdicts = self.ingestion.whole()
        kept = any(verdict is Ingest.ACCEPT for verdict in verdicts.values())
        if kept and not self.digest.samples:
            self.complaints.add("no-samples", Severity.WARNING, 0, "", "the body holds no sample",
                                why="The scrape is kept, up is 1, and there is nothing to alert on.",
                                fix="Check the path, and that the registry served is the one filled.")  # fmt: skip
        if self.digest.more:
            self.complaints.add("too-many-names", Severity.ERROR, 0, "", "more metric names than are looked at",
                                why="Names made from data grow without end, and so does what the server stores.",
                                fix="Put what varies into a label with few values.")  # fmt: skip
        found = (*self.complaints.by_line(), *complaints_of_sense(self.digest, now=self.now))
        ranked = tuple(sorted(found, key=lambda one: (one.line, one.column, one.check)))
        return Judgement(verdicts, specification, self.digest.samples if kept else 0, ranked, self.digest)


def _servers(generations: frozenset[Generation]) -> str:
    names = [generation.value.removeprefix("prometheus-") for generation in sorted(generations)]
    if set(generations) == set(EVERY):
        return "Prometheus"
    return "Prometheus " + " and ".join(names)


def _drop(problem: Located) -> str:
    return "drop" if 1 < len(problem.refused) < len(EVERY) else "drops"


def _why_dropped(problem: Located) -> str:
    """Say what servers do with the whole scrape."""
    said = []
    if problem.crashed:
        said.append(
            f"The process of {_servers(problem.crashed)} ends with a panic, and monitoring with it, at each scrape."
        )
    if problem.refused:
        said.append(
            f"{_servers(problem.refused)} {_drop(problem)} the whole scrape at this line: no sample is kept, up is 0."
        )
    return " ".join(said)


def _why_letter(problem: Located) -> str:
    if problem.harms:
        return "Prometheus keeps the scrape without a word, and loses what is behind this place."
    return "Prometheus keeps the scrape; promtool and strict readers may drop all of it."


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
