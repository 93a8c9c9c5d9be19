"""Writes rewritten configurations as YAML that Go reads as it read the original."""

from __future__ import annotations

import re
from typing import Any

import yaml

# What Go's YAML takes for a number or a truth value when it is not quoted. A string field takes the text of such a
# value as it stands, whereas a number field refuses a quoted one: so these are written plain.
_PLAIN = re.compile(r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?|true|false", re.ASCII)


class _Writer(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _string(writer: _Writer, text: str) -> yaml.ScalarNode:
    if _PLAIN.fullmatch(text):
        tag = "tag:yaml.org,2002:bool" if text in ("true", "false") else _number_tag(text)
        return writer.represent_scalar(tag, text)
    return writer.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


def _number_tag(text: str) -> str:
    return "tag:yaml.org,2002:float" if "." in text else "tag:yaml.org,2002:int"


_Writer.add_representer(str, _string)


def yaml_text(value: Any) -> str:
    """Return `value` as one YAML document, keys in their order, without aliases.

    It may have been read with raw scalars, where all are strings: those that look like a number or a truth value are
    written unquoted, which suits both the fields that are numbers and the fields that are text.
    """
    return yaml.dump(value, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=4096)
