"""Alertmanager's time intervals: what is wrong with one, and whether it is always or never.

An interval is a list of specifications, of which one must hold; one holds if all of its fields do, and a field that is
left out always does (Alertmanager, timeinterval/timeinterval.go, ContainsTime).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tocsin.part import Part

WEEKDAYS = {
    name: i for i, name in enumerate(("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"))
}
MONTHS = {
    name: i + 1
    for i, name in enumerate(
        (
            *("january", "february", "march", "april", "may", "june"),
            *("july", "august", "september", "october", "november", "december"),
        )
    )
}
LONGEST = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
"""The most days that a month can have, where these are not 31."""
DAY = 24 * 60
FIELDS = ("times", "weekdays", "days_of_month", "months", "years", "location")
_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00")
_WHOLE = re.compile(r"[+-]?[0-9]{1,9}")

Range = tuple[int, int]
Problem = tuple[Part, str]


def minute(text: str) -> int | None:
    """Return the minute of the day of `HH:MM`; None if it is no time."""
    return int(text[:2]) * 60 + int(text[3:]) if _TIME.fullmatch(text) else None


def span(text: str, names: Mapping[str, int] | None, *, numbers: bool = True) -> Range | str:
    """Return the two ends of `begin:end`, or of one value, or what is wrong with it."""
    lowered = text.lower()
    pieces = lowered.split(":") if ":" in lowered else [lowered, lowered]
    if len(pieces) != 2:
        return f"{text!r} has more than one colon; write begin:end"
    found: list[int] = []
    for piece in pieces:
        if names is not None and piece in names:
            found.append(names[piece])
        elif numbers and _WHOLE.fullmatch(piece):
            found.append(int(piece))
        else:
            what = "a weekday" if names is WEEKDAYS else "a month" if names is MONTHS else "a number"
            return f"{piece!r} is not {what}"
    return found[0], found[1]


def problems(spec: Part) -> Iterator[Problem]:
    """Yield what is wrong with one specification, and where."""
    for item in spec.list("times"):
        yield from _time_problems(item)
    for item in _items(spec, "weekdays"):
        found = span(item.text, WEEKDAYS, numbers=False)
        if isinstance(found, str):
            yield item, found
        elif found[0] > found[1]:
            yield item, f"{item.text!r} ends before it begins: the week begins on Sunday"
    for item in _items(spec, "days_of_month"):
        yield from _day_problems(item)
    for key, names in (("months", MONTHS), ("years", None)):
        for item in _items(spec, key):
            yield from _ordered(item, names)
    location = spec.get("location")
    if location.text and not _is_zone(location.text):
        yield location, f"{location.text!r} is no time zone"


def _items(spec: Part, key: str) -> Iterator[Part]:
    """Yield the ranges of a field that hold something."""
    return (item for item in spec.list(key) if item.text)


def _ordered(item: Part, names: Mapping[str, int] | None) -> Iterator[Problem]:
    found = span(item.text, names)
    if isinstance(found, str):
        yield item, found
    elif found[0] > found[1]:
        yield item, f"{item.text!r} ends before it begins"


def _time_problems(item: Part) -> Iterator[Problem]:
    ends = []
    for key in ("start_time", "end_time"):
        part = item.get(key)
        if not part.text:
            yield item, f"a time range needs both ends; `{key}` is missing"
            return
        found = minute(part.text)
        if found is None:
            yield part, f"{part.text!r} is not a time; write HH:MM, two digits each, up to 24:00"
            return
        ends.append(found)
    if ends[0] >= ends[1]:
        start, end = item.string("start_time"), item.string("end_time")
        message = (
            f"a time range cannot begin at {start} and end at {end}; one over midnight is two: {start} to 24:00, and "
            f"00:00 to {end}"
        )
        yield item.get("end_time"), message


def _day_problems(item: Part) -> Iterator[Problem]:
    found = span(item.text, None)
    if isinstance(found, str):
        yield item, found
        return
    begin, end = found
    for one in found:
        if one == 0 or not -31 <= one <= 31:
            yield item, f"{one} is not a day of a month: from 1 to 31, or from -1 to -31 counted from its end"
            return
    if begin < 0 < end:
        yield item, f"{item.text!r} begins at the end of the month and ends at its beginning"
    elif (begin if begin > 0 else 28 + begin) > (end if end > 0 else 28 + end):
        yield item, f"{item.text!r} ends before it begins"


def _is_zone(name: str) -> bool:
    """Whether a time zone may exist: of a name that this machine does not know only the shape can be judged."""
    if name in ("UTC", "Local", "GMT"):
        return True
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return not _has_zones()
    return True


def _has_zones() -> bool:
    try:
        ZoneInfo("Europe/Berlin")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


# Always, and never


def uncovered(specs: Iterable[Part]) -> int:
    """Return how many minutes of a week lie in none of some specifications, those of all the year taken alone.

    Each time zone is looked at alone, so the answer may be too high, never too low.
    """
    by_zone: dict[str, list[Part]] = {}
    for spec in specs:
        if isinstance(spec.value, dict) and _all_year(spec):
            by_zone.setdefault(spec.string("location"), []).append(spec)
    return min((_uncovered(group) for group in by_zone.values()), default=7 * DAY)


def _all_year(spec: Part) -> bool:
    if spec.get("years"):
        return False
    months = {m for r in _ranges(spec, "months", MONTHS) for m in range(r[0], min(r[1], 12) + 1)}
    if spec.get("months") and months < set(range(1, 13)):
        return False
    days = _ranges(spec, "days_of_month", None)
    return not spec.get("days_of_month") or any(begin == 1 and end in (31, -1) for begin, end in days)


def _uncovered(specs: list[Part]) -> int:
    left = 0
    for day in range(7):
        pieces: list[Range] = []
        for spec in specs:
            days = _ranges(spec, "weekdays", WEEKDAYS)
            if not spec.get("weekdays") or any(begin <= day <= end for begin, end in days):
                pieces += _times(spec)
        left += DAY - _length(pieces)
    return left


def _length(pieces: list[Range]) -> int:
    total, reached = 0, 0
    for begin, end in sorted(pieces):
        total += max(0, end - max(begin, reached))
        reached = max(reached, end)
    return total


def _times(spec: Part) -> list[Range]:
    if not spec.get("times"):
        return [(0, DAY)]
    found = [(minute(item.string("start_time")), minute(item.string("end_time"))) for item in spec.list("times")]
    return [(begin, end) for begin, end in found if begin is not None and end is not None]


def _ranges(spec: Part, key: str, names: Mapping[str, int] | None) -> list[Range]:
    found = [span(item.text, names) for item in spec.list(key)]
    return [one for one in found if not isinstance(one, str)]


def never(spec: Part) -> str:
    """Return why a specification never holds, whatever the year; empty if it may."""
    for key in FIELDS[:-1]:
        if spec.get(key).value == []:
            return f"`{key}` is an empty list, so no time is in it"
    months = [m for begin, end in _ranges(spec, "months", MONTHS) for m in range(begin, min(end, 12) + 1)]
    days = _ranges(spec, "days_of_month", None)
    if months and days and all(0 < LONGEST.get(month, 31) < begin for month in months for begin, _ in days):
        return "no month of it has such a day"
    return ""
