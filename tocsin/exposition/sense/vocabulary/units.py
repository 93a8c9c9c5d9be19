"""Units of measure in the names of metrics.

Sources: prometheus.io/docs/practices/naming (base units), and the linter of Prometheus' Go client, promlint.
"""

from __future__ import annotations

from collections.abc import Mapping

BASE_UNITS: Mapping[str, str] = {
    **dict.fromkeys(("seconds", "minutes", "hours", "days", "weeks"), "seconds"),
    **dict.fromkeys(("celsius", "fahrenheit", "rankine"), "celsius"),
    **dict.fromkeys(("kelvin", "kelvins"), "kelvin"),
    **dict.fromkeys(("meters", "inches", "yards", "miles"), "meters"),
    "metres": "metres",
    **dict.fromkeys(("bytes", "bits"), "bytes"),
    **dict.fromkeys(("joules", "calories"), "joules"),
    **dict.fromkeys(("grams", "pounds", "ounces"), "grams"),
    "amperes": "amperes",
    "volts": "volts",
}
"""The base unit of every unit that is known."""

PREFIXES = (
    *("pico", "nano", "micro", "milli", "centi", "deci", "deca", "hecto", "kilo", "mega", "giga", "tera", "peta"),
    *("kibi", "mibi", "mebi", "gibi", "tebi", "pebi"),
)

ABBREVIATIONS = ("s", "ms", "us", "ns", "sec", "b", "kb", "mb", "gb", "tb", "pb", "m", "h", "d")

SINGULARS: Mapping[str, str] = {
    unit.removesuffix("s"): unit for unit in ("seconds", "bytes", "meters", "joules", "grams", "amperes", "volts")
}
"""The plural of a unit's singular."""


def unit_of(name: str) -> tuple[str, str] | None:
    """Return the first unit in a metric's name and its base unit; None if there is none."""
    for word in name.split("_"):
        if word in BASE_UNITS:
            return word, BASE_UNITS[word]
        for prefix in PREFIXES:
            if word.startswith(prefix) and word[len(prefix) :] in BASE_UNITS:
                return word, BASE_UNITS[word[len(prefix) :]]
    return None


def has_word(name: str, word: str) -> bool:
    """Whether a word stands in a metric's name, after its first underscore."""
    return f"_{word}_" in name or name.endswith(f"_{word}")
