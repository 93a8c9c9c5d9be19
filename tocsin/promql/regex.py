"""What can be said, from Python, of the regular expressions of label matchers, which are RE2's and anchored.

The two dialects agree on nearly everything that monitoring files hold; where they differ, the answer is the lenient
one, because `promtool check rules` has the last word.
"""

from __future__ import annotations

import math
import re
import warnings

_ESCAPED = re.compile(r"\\.", re.DOTALL)
_CLASS = re.compile(r"\[:\^?\w+:\]")
_REFUSED = re.compile(r"(?:^|[^\\])(?:\\\\)*(\(\?(?:[=!>]|<[=!])|\\(?:[1-7](?![0-7])|[89])|\(\?P=)")
_CERTAIN = ("unterminated", "unbalanced", "missing )", "bad escape (end of pattern)")
_COUNT = re.compile(r"\{([0-9]{1,9})(?=,?[0-9]*\})")
_MOST_REPEATS = 1000


def problem(pattern: str) -> str | None:
    """Return why RE2 refuses `pattern`, as far as that is certain; None otherwise."""
    refused = _REFUSED.search(pattern)
    if refused:
        return f"{refused[1]} is not known to RE2, the engine that Prometheus uses"
    if any(int(count) > _MOST_REPEATS for count in _COUNT.findall(_ESCAPED.sub("", pattern))):
        return f"it repeats something more than {_MOST_REPEATS} times"
    try:
        _compile(pattern)
    except re.error as error:
        if "\\Q" not in pattern and error.msg.startswith(_CERTAIN):
            return error.msg
    except (OverflowError, RecursionError):
        return "it is too large"
    return None


def matches_empty(pattern: str) -> bool:
    """Whether the anchored `pattern` matches the empty string; False if Python cannot tell."""
    if math.prod(int(count) or 1 for count in _COUNT.findall(pattern)) > _MOST_REPEATS:
        return False  # counts inside counts: trying them all could take for ever, and RE2 refuses them
    try:
        return _compile(pattern).fullmatch("") is not None
    except (re.error, OverflowError, RecursionError):
        return False


def _compile(pattern: str) -> re.Pattern[str]:
    plain = _CLASS.sub("a", pattern)
    if not any(doubled in plain for doubled in ("[[", "--", "&&", "~~", "||")):
        return re.compile(plain)
    with warnings.catch_warnings():  # Python warns of what a set may come to mean in later versions
        warnings.simplefilter("ignore")
        return re.compile(plain)
