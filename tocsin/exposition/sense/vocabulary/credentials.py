"""What a credential looks like, and how to speak of one without repeating it.

Shapes are those that the issuers document (RFC 7519 for tokens in JSON, RFC 7468 for PEM, RFC 3986 for a password in
a URL); each has a prefix or a length that ordinary text does not have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

LONGEST = 4_096
"""So much of a text is looked at, in characters."""

_SHAPES: Mapping[str, str] = {
    "a JSON Web Token": r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
    "an access key of AWS": r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[0-9A-Z]{16}(?![A-Za-z0-9])",
    "a token of GitHub": r"(?<![A-Za-z0-9])gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,}",
    "a token of GitLab": r"(?<![A-Za-z0-9])glpat-[A-Za-z0-9_-]{20,}",
    "a token of Slack": r"(?<![A-Za-z0-9])xox[abeoprs]-[A-Za-z0-9-]{10,}",
    "a webhook of Slack": r"hooks\.slack\.com/services/[A-Za-z0-9]+/[A-Za-z0-9]+/[A-Za-z0-9]+",
    "an API key of Google": r"(?<![A-Za-z0-9])AIza[0-9A-Za-z_-]{35}",
    "a key of Stripe": r"(?<![A-Za-z0-9])[rs]k_live_[A-Za-z0-9]{16,}",
    "a private key": r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----",
    "a password in a URL": r"\b[a-z][a-z0-9+.-]{1,30}://[^\s/:@?#\"']{0,100}:[^\s/@\"']{1,200}@",
    "a bearer token": r"\b[Bb]earer\s+(?=\S{0,200}\d)[A-Za-z0-9._~+/-]{16,}=*",
    "the password of a basic authentication": r"\bBasic\s+(?=\S{0,200}[\d=])[A-Za-z0-9+/]{8,}={0,2}",
    "a password or key": (
        r"(?i:\b(?:password|passwd|pwd|client_secret|api_?key|access_?key|(?:access|auth)_?token)\s{0,3}=\s{0,3})"
        r"[\"']?[^\s&;,\"')}\]]{4,}"
    ),
    "a secret": r"(?i:\b(?:secret|token|signature)=)(?=\S{0,200}\d)[^\s&;,\"'<>(){}\[\]]{8,}",
}
_ANY = re.compile("|".join(f"(?P<shape{number}>{shape})" for number, shape in enumerate(_SHAPES.values())))
_KINDS = dict(zip((f"shape{number}" for number in range(len(_SHAPES))), _SHAPES, strict=True))
_HINT = re.compile(
    r"://|=|eyJ|AKIA|ASIA|gh[pousr]_|github_pat_|glpat-|xox|hooks\.slack|AIza|k_live_|BEGIN |earer |Basic "
)
"""Every credential holds one of these, so that most texts are looked at once."""

_MASKED = re.compile(
    r"(?:[=:]|^)[\"']?(?:[*x•.]{3,}|<[^>]*>?|\[?redacted\]?|\$\{?\w+\}?|\{\{.*|%\w+%?|masked|hidden|null|none|true|false)"
    r"(?:@|$)",
    re.IGNORECASE,
)
"""What stands where a credential was taken out."""

NAMES = frozenset(
    {
        *("password", "passwd", "pwd", "passphrase", "api_key", "apikey", "access_token", "auth_token", "bearer_token"),
        *("client_secret", "secret_key", "private_key", "authorization", "session_token", "refresh_token"),
    }
)
"""Labels whose value is a credential, whatever it looks like."""


SUSPECTS = frozenset({"token", "secret", "key", "auth", "credential", "credentials"})
"""Labels whose value may be the name of a credential, or itself."""
_RANDOM = re.compile(r"(?=[^0-9]*[0-9])(?=[^a-z]*[a-z])(?=[^A-Z]*[A-Z])[A-Za-z0-9_+/=]{20,}|[0-9a-f]{32,}")


def credentials(text: str) -> Iterator[tuple[str, str]]:
    """Yield each credential in a text: its kind, and itself."""
    if not _HINT.search(text, 0, LONGEST):
        return
    for found in _ANY.finditer(text, 0, LONGEST):
        if not _MASKED.search(found.group().rstrip("@") + ("@" if found.group().endswith("@") else "")):
            yield _KINDS[found.lastgroup or "shape0"], found.group()


def credential(label: str, value: str) -> tuple[str, str] | None:
    """Return the kind of a credential in a label, and itself; None if there is none."""
    if label.lower() in NAMES and len(value) >= 6 and not _MASKED.search(value):
        return "what its name says", value
    if label.lower() in SUSPECTS and _RANDOM.fullmatch(value, 0, LONGEST):
        return "what its name says", value
    return next(credentials(value), None)


def hint(secret: str) -> str:
    """Return as much of a secret as tells its owner which: at most three characters, and how many there are."""
    shown = secret[:3] if len(secret) >= 12 else ""
    return f"{shown}... ({len(secret)} characters)"


def masked(text: str) -> str:
    """Return a text with every credential in it replaced by a hint."""
    for _, secret in [*credentials(text)]:
        text = text.replace(secret, hint(secret))
    return text
