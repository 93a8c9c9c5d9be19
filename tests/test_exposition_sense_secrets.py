"""Secrets and persons in a scrape are found, what looks like them is not, and no message repeats them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.artefacts.exposition.syntax import Syntax
from tocsin.exposition.judgement import Complaint
from tocsin.exposition.judging import judge
from tocsin.exposition.sense import complaints
from tocsin.exposition.sense.vocabulary.credentials import credentials, hint
from tocsin.exposition.sense.vocabulary.quoting import discreet

NOW = 1_795_000_000.0
SECRET, PERSON, CLIENT = "credential-exposed", "personal-data-exposed", "client-address-exposed"

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"
AWS = "AKIA" + "IOSFODNN7EXAMPLE"
GITHUB = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
SLACK = "xoxb-" + "2345678901-abcdefghij"
HOOK = "https://hooks.slack.com/services/" + "T024BE7LD/B2QHQ0TQX/abcdefghijklmnop"

SICK = [
    ("token", JWT, SECRET),
    ("cookie", f"session={JWT}", SECRET),
    ("key_id", AWS, SECRET),
    ("remote", f"https://{GITHUB}@github.com/x/y", SECRET),
    ("sender", SLACK, SECRET),
    ("webhook", HOOK, SECRET),
    ("gitlab", "glpat-" + "aB3dE6gH9jK2mN5pQ8sT", SECRET),
    ("stripe", "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc", SECRET),
    ("cert", "-----BEGIN RSA PRIVATE KEY-----\nMIIE", SECRET),
    ("url", "postgres://shop:correct-horse@db:5432/shop", SECRET),
    ("url", "redis://:correct-horse@cache:6379", SECRET),
    ("dsn", "host=db user=shop password=correct-horse", SECRET),
    ("path", "/login?token=8f14e45fceea167a", SECRET),
    ("password", "hunter22", SECRET),
    ("authorization", "Basic c2hvcDpjb3JyZWN0", SECRET),
    ("header", "Bearer 2YotnFZFEjr1zCsicMWpAA", SECRET),
    ("token", "Zx81kQpLm09RtYvB3nWs77aa", SECRET),
    ("customer", "mary.jones@example.com", PERSON),
    ("note", "order of <mary@mail.example.co.uk>", PERSON),
    ("card", "4111 1111 1111 1111", PERSON),
    ("pan", "5500005555555559", PERSON),
    ("amex", "378282246310005", PERSON),
    ("client_ip", "93.184.216.34", CLIENT),
    ("remote_addr", "93.184.216.34:51034", CLIENT),
    ("x_real_ip", "2606:2800:220:1::25", CLIENT),
    ("client", "[2606:2800:220:1::25]:443", CLIENT),
    ("client_ip", "10.20.30.40", CLIENT),
]

HEALTHY = [
    ("url", "postgres://db:5432/shop"),
    ("url", "postgres://shop:***@db:5432/shop"),
    ("url", "http://user:xxxxx@127.0.0.1:9093/api/v2/alerts"),
    ("url", "amqp://${USER}:${PASSWORD}@queue/"),
    ("dsn", "host=db user=shop password=<redacted>"),
    ("password", "******"),
    ("password", "true"),
    ("token", "valid"),
    ("secret", "default-token-x2v9q"),
    ("secret", "sh.helm.release.v1.shop.v12"),
    ("expr", 'sum(kube_secret_info{secret="shop-tls"}) by (namespace)'),
    ("expr", 'up{token=~"a|b"} == 0'),
    ("handler", "/api/v1/token"),
    ("realm", "Basic Authentication of the shop"),
    ("unit", "getty@tty1.service"),
    ("unit", "user@1000.service"),
    ("service", "shop@docker"),
    ("repo", "git@github.com:shop/web.git"),
    ("repo", "ssh://git@github.com/shop/web.git"),
    ("package", "@scope/web@1.2.3"),
    ("node", "rabbit@queue-0.queue.shop.svc.cluster.local"),
    ("account", "backup@shop-prod.iam.gserviceaccount.com"),
    ("image", "registry/shop@sha256:0f5c"),
    ("id", "4111111111111112"),
    ("id", "1234567812345670"),
    ("time", "1795000000000000000"),
    ("peer", "93.184.216.34:9094"),
    ("client_ip", "127.0.0.1"),
    ("client", "web"),
    ("version", "1.2.3.4"),
    ("method", "GET"),
]


def body(label: str, value: str, help_: str = "Something.", name: str = "x") -> str:
    """Return a scrape with one series."""
    escaped = value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    return f'# HELP {name} {help_}\n# TYPE {name} gauge\n{name}{{{label}="{escaped}"}} 1\n'


def found(text: str) -> list[Complaint]:
    """Return what makes no sense in a scrape."""
    return list(complaints(judge([text.encode()], Syntax.TEXT, now=NOW).digest, now=NOW))


def told(one: Complaint) -> str:
    """Return all words of a complaint."""
    return f"{one.series} {one.message} {one.why} {one.fix}"


@pytest.mark.parametrize(("label", "value", "check"), SICK)
def test_a_secret_in_a_label_is_found_and_never_told(label: str, value: str, check: str) -> None:
    """Of it, three characters and its length are told at most, by any check."""
    shown = found(body(label, value))

    assert [one.line for one in shown if one.check == check] == [3], shown
    secrets = [part for _, part in credentials(value)] or [value]
    for one in shown:
        for secret in secrets:
            assert secret not in told(one)
            assert secret[:6] not in told(one).replace("password", "").replace("client", "")


@pytest.mark.parametrize(("label", "value"), HEALTHY)
def test_what_looks_like_a_secret_is_left_alone(label: str, value: str) -> None:
    """Masked passwords, names of secrets, units of systemd, numbers without their check digit."""
    assert [one for one in found(body(label, value)) if one.check in (SECRET, PERSON, CLIENT)] == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (body("a", "b", help_=f"Calls with {AWS}."), 1),
        (body("a", "b", help_="Calls of postgres://shop:correct-horse@db/."), 1),
        (body("a", "b", help_="Ask mary.jones@example.com."), 1),
        (body("a", "b", help_="Such as 4111 1111 1111 1111."), 1),
        (body("a", "b", name=f"requests_{AWS}_total"), 2),
        (body(f"key_{AWS}", "b"), 3),
    ],
)
def test_help_and_names_are_looked_at_too(text: str, line: int) -> None:
    """With the line that they are on, and nothing of them in any message."""
    shown = found(text)

    assert [one.line for one in shown if one.check in (SECRET, PERSON)] == [line], shown
    for one in shown:
        for secret in (AWS, "correct-horse", "mary.jones", "4111 1111"):
            assert secret not in told(one)


@pytest.mark.parametrize(
    ("label", "value", "secret"),
    [
        ("url", "postgres://shop:correct-horse@db:5432/shop", "correct-horse"),
        ("password", "hunter22", "hunter22"),
        ("client_ip", "93.184.216.34", "93.184"),
        ("mail", "mary.jones@example.com", "mary.jones"),
    ],
)
def test_other_checks_tell_no_secret_either(label: str, value: str, secret: str) -> None:
    """Duplicates, negative counters, timestamps and refused lines name their series, without it."""
    series = f'x{{{label}="{value}"}}'
    for text in (f"{series} 1\n{series} 1\n", f"# TYPE x counter\n{series} -1\n", f"{series} 1 12\n", f"{series} 1x\n"):
        judgement = judge([text.encode()], Syntax.TEXT, now=NOW)
        assert judgement.complaints
        for one in judgement.complaints:
            assert secret not in told(one)


def test_a_private_address_of_a_client_is_a_warning() -> None:
    """It tells of nobody outside."""
    (private,) = (one for one in found(body("client_ip", "10.20.30.40")) if one.check == CLIENT)
    (public,) = (one for one in found(body("client_ip", "93.184.216.34")) if one.check == CLIENT)

    assert (private.severity, public.severity) == ("warning", "error")


def test_many_are_told_of_once() -> None:
    """One finding a label, with the number of the others."""
    series = "".join(f'x{{mail="person{n}@example.com"}} 1\n' for n in range(50))
    shown = [one for one in found(f"# HELP x X.\n# TYPE x gauge\n{series}") if one.check == PERSON]

    assert len(shown) == 1
    assert "and 49 more" in shown[0].message


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([value for _, value, check in SICK if check in (SECRET, PERSON)]),
    st.text(st.characters(codec="ascii", categories=["L", "N", "Z"]), max_size=20),
    st.text(st.characters(codec="ascii", categories=["L", "N", "Z"]), max_size=20),
)
def test_a_discreet_text_holds_no_secret(secret: str, before: str, after: str) -> None:
    """Wherever the secret stands in it."""
    text = f"{before} {secret} {after}"
    for _, part in credentials(text):
        assert part not in discreet(text)


@given(st.text(min_size=1, max_size=200))
def test_a_hint_is_short(secret: str) -> None:
    """Three characters at most, and none of a short secret."""
    shown = hint(secret).partition("...")[0]

    assert secret.startswith(shown)
    assert len(shown) <= (3 if len(secret) >= 12 else 0)
