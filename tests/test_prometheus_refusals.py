"""What we say is refused of a Prometheus configuration is what promtool refuses, and nothing else."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tocsin.engines.promtool import check_config
from tocsin.model.prometheus_refusals import refusals, web_refusals
from tocsin.part import Part
from tocsin.source import read_documents

CONFIG = """
global: {scrape_interval: 15s, scrape_timeout: 10s, evaluation_interval: 15s, external_labels: {cluster: a}}
rule_files: ["a.yml", "rules/*.yml"]
alerting:
  alert_relabel_configs: [{regex: replica, action: labeldrop}]
  alertmanagers:
  - {scheme: http, path_prefix: /am, timeout: 5s, api_version: v2, static_configs: [{targets: ["a:9093"]}]}
remote_write:
- url: http://a/
  name: x
  remote_timeout: 5s
  headers: {a: b}
  queue_config: {capacity: 10, max_shards: 3, min_backoff: 1s}
  basic_auth: {username: u, password: p}
  write_relabel_configs: [{source_labels: [a], regex: b, action: drop}]
remote_read: [{url: http://a/, read_recent: true, required_matchers: {a: b}}]
storage: {tsdb: {out_of_order_time_window: 5m}, exemplars: {max_exemplars: 5}}
tracing: {endpoint: "a:1", client_type: grpc, sampling_fraction: 0.5, headers: {x: y}}
scrape_configs:
- job_name: one
  honor_labels: true
  params: {module: [a, b]}
  scrape_interval: 20s
  scrape_timeout: 10s
  metrics_path: /m
  scheme: https
  body_size_limit: 10MB
  sample_limit: 5
  tls_config: {ca_file: a, cert_file: b, key_file: c, insecure_skip_verify: true, min_version: TLS12}
  authorization: {type: Bearer, credentials: a}
  proxy_url: http://p:1/
  relabel_configs:
  - {source_labels: [a, b], separator: ",", regex: (.*), target_label: c, replacement: $1, action: replace}
  - {source_labels: [a], modulus: 5, target_label: d, action: hashmod}
  - {regex: (.*), replacement: $1, action: labelmap}
  metric_relabel_configs:
  - {source_labels: [__name__], regex: a, action: drop}
  - {source_labels: [a], target_label: b, action: lowercase}
  - {source_labels: [a], target_label: b, action: keepequal}
  - {regex: xxx, action: labelkeep}
  static_configs: [{targets: ["a:1", "b:2"], labels: {x: y}}]
- job_name: two
  oauth2: {client_id: a, client_secret: b, token_url: http://x/, scopes: [a]}
  file_sd_configs: [{files: ["a.yml", "b/*.json"], refresh_interval: 5m}]
  dns_sd_configs: [{names: [a], type: A, port: 5, refresh_interval: 5s}]
  http_sd_configs: [{url: http://a/, refresh_interval: 5s}]
"""
SPOILERS: tuple[Any, ...] = (
    "x",
    5,
    -1,
    1.5,
    True,
    [],
    {},
    ["a"],
    {"a": "b"},
    "5m",
    "(",
    "http://a:b/",
    "0",
    "a-b",
    {"b": [1]},
)


def wrong(text: str, *, before: int = 3) -> list[str]:
    """Return what is refused of a text; `before`: by a version under this one."""
    (document,) = read_documents(text, "prometheus.yml", repeats=True)
    found = list(refusals(Part.whole(document)))
    return [each.message for each in found if not each.before or before <= each.before]


def routes(value: Any, route: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value below the root."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inside in items:
        yield (*route, key)
        yield from routes(inside, (*route, key))


def spoilt() -> Iterator[tuple[str, Any]]:
    """Yield the configuration with one value replaced or taken away, or with one field that there is not."""
    whole = yaml.safe_load(CONFIG)
    for route in routes(whole):
        for spoiler in (*SPOILERS, "gone", "unknown"):
            changed = copy.deepcopy(whole)
            parent = changed
            for step in route[:-1]:
                parent = parent[step]
            if spoiler == "gone":
                del parent[route[-1]]
            elif spoiler == "unknown" and isinstance(parent, dict):
                parent["nonsense"] = 1
            else:
                parent[route[-1]] = spoiler
            yield f"{'.'.join(map(str, route))} = {spoiler!r}", changed


def test_the_whole_is_accepted(tmp_path: Path) -> None:
    """By promtool and by us; else the comparison below compares nothing."""
    (tmp_path / "prometheus.yml").write_text(CONFIG)
    assert check_config(tmp_path / "prometheus.yml", syntax_only=True).code == 0
    assert wrong(CONFIG) == []


def test_promtool_refuses_the_same(tmp_path: Path) -> None:
    """A sample of hundreds of spoilt configurations: the same are refused."""
    cases = random.Random(4).sample(list(spoilt()), 250)

    def compared(case: tuple[int, tuple[str, Any]]) -> str | None:
        number, (name, value) = case
        file = tmp_path / f"{number}.yml"
        file.write_text(yaml.safe_dump(value, sort_keys=False))
        done = check_config(file, syntax_only=True)
        ours = wrong(file.read_text())
        # Which addresses static targets end up with is told by the targets, not by the shape of the file.
        told = (done.stdout + done.stderr).strip().splitlines()[-1:] if done.code else []
        if (done.code != 0) == bool(ours) or any("instance" in line for line in told):
            return None
        return f"{name}: promtool {told or 'accepts it'}; we say {ours or 'nothing'}"

    with ThreadPoolExecutor(4) as pool:
        assert [each for each in pool.map(compared, enumerate(cases)) if each] == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scrape_configs: [{job_name: a, kubernetes_sd_configs: [{}]}]", "needs a `role`"),
        ("scrape_configs: [{job_name: a, kubernetes_sd_configs: [{role: pods}]}]", "`pods` is no value of `role`"),
        (
            "scrape_configs: [{job_name: a, kubernetes_sd_configs: [{role: pod, bearer_token: a}]}]",
            "needs the `api_server`",
        ),
        ("scrape_configs: [{job_name: a}, {job_name: a}]", "two jobs are called `a`"),
        ("scrape_configs: [{job_name: a, static_configs: [{targets: ['http://b']}]}]", "is no address"),
        ("scrape_configs: [{job_name: a, params: {module: b}}]", "has to be a list"),
        ("scrape_config: []", "did you mean `scrape_configs`?"),
        ("scrape_configs: [{job_name: a, scrape_timeout: 2m}]", "longer than the interval of 1m by default"),
        ("scrape_configs: [{job_name: a, labels: {a: b}}]", "no field `labels`"),
        ("rule_files: ['*/a.yml']", "only stand in its last part"),
    ],
)
def test_a_refusal_says_what_is_wrong(text: str, message: str) -> None:
    """In words with the value."""
    assert any(message in each for each in wrong(text)), wrong(text)


@pytest.mark.parametrize(
    "text",
    [
        "scrape_configs: [{job_name: a, scrape_interval: '${INTERVAL}'}]",
        "global: {scrape_interval: yes-please-{{ x }}}",
        "global:\nscrape_configs:\n",
        "scrape_configs: [{job_name: a, honor_labels: yes}]",
        "scrape_configs: [{job_name: a, stream_parse: true}]",
    ],
)
def test_what_is_filled_in_later_is_left_alone(text: str) -> None:
    """And what another program reads."""
    assert wrong(text.replace("yes-please-{{ x }}", "'{{ x }}'")) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tls_server_config: {cert_file: a, key_file: b}", ""),
        ("tls_server_config: {cert_file: a}", "needs a `key_file`"),
        ("tls_server_config: {cert_file: a, key_file: b, client_ca_file: c}", "needs a `client_auth_type`"),
        ("basic_auth_users: {a: plain}", "no hash of bcrypt"),
        ("basic_auth_users: {a: $2b$12$hNf2lSsxfm0.i4a.1kVpSOVyBCfIB51VRjgBUyv6kdnyTlgWj81Ay}", ""),
        ("tls_config: {cert_file: a}", "did you mean"),
    ],
)
def test_a_web_configuration_is_judged(text: str, message: str) -> None:
    """As promtool check web-config does."""
    (document,) = read_documents(text, "web.yml")
    found = [each.message for each in web_refusals(Part.whole(document))]
    assert any(message in each for each in found) if message else found == []


_KEYS = st.sampled_from(
    (*yaml.safe_load(CONFIG), *yaml.safe_load(CONFIG)["scrape_configs"][0], "kubernetes_sd_configs")
)
_STRANGE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=20,
)


@given(_STRANGE)
def test_nothing_is_too_strange(value: Any) -> None:
    """Whatever stands in a file, an answer comes."""
    (document,) = read_documents(yaml.safe_dump({"scrape_configs": value, "global": value}), "prometheus.yml")
    assert isinstance(list(refusals(Part.whole(document))), list)
