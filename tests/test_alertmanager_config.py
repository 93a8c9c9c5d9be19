"""What Alertmanager refuses about its configuration is said, all at once, and what it accepts is not."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tocsin.artefacts.alertmanager import AlertmanagerConfig
from tocsin.checks.alertmanager_config_invalid import alertmanager_config_invalid
from tocsin.compression.written import yaml_text
from tocsin.engines import amtool
from tocsin.engines.binaries import Engine, MissingEngines, find_engine
from tocsin.part import Part
from tocsin.source import read_documents

WHOLE = """
global:
  resolve_timeout: 5m
  smtp_smarthost: "mail:25"
  smtp_from: a@b
  slack_api_url: http://slack/x
  opsgenie_api_key: k
  victorops_api_key: k
  wechat_api_secret: s
  wechat_api_corp_id: c
  http_config: {follow_redirects: true}
templates: ["t/*.tmpl"]
route:
  receiver: a
  group_by: [alertname, job]
  group_wait: 30s
  group_interval: 5m
  repeat_interval: 4h
  routes:
  - {match: {severity: critical}, match_re: {job: "a|b"}, receiver: b, continue: true, mute_time_intervals: [n]}
  - matchers: ['team="x"', 'env=~"a.*"']
    receiver: c
    active_time_intervals: [m]
    routes: [{matchers: ["x!=y"], group_by: ["..."]}]
inhibit_rules:
- {source_match: {severity: critical}, target_match_re: {severity: "w.*"}, equal: [job]}
- {source_matchers: ['a="b"'], target_matchers: ["c!~d"], equal: [alertname]}
mute_time_intervals:
- name: n
  time_intervals:
  - times: [{start_time: "02:00", end_time: "04:00"}]
    weekdays: ["monday:friday", sunday]
    days_of_month: ["1:5", "-3:-1"]
    months: ["january:march", "5"]
    years: ["2020:2025"]
time_intervals:
- {name: m, time_intervals: [{weekdays: [saturday], location: Europe/Berlin}]}
receivers:
- name: a
  webhook_configs:
  - url: http://h/
    send_resolved: false
    max_alerts: 3
    http_config: {basic_auth: {username: u, password: p}, tls_config: {insecure_skip_verify: true, min_version: TLS12}}
  email_configs: [{to: x@y, headers: {Subject: s, X-A: b}, require_tls: false, smarthost: "h:25"}]
- name: b
  pagerduty_configs: [{routing_key: k, details: {a: b}, images: [{src: x, href: y}], links: [{href: x, text: t}]}]
  slack_configs:
  - channel: "#c"
    fields: [{title: t, value: v, short: true}]
    actions: [{type: button, text: t, url: u}, {type: b, text: t, name: n, confirm: {text: x}}]
    api_url: https://s/
    mrkdwn_in: [text]
- name: c
  opsgenie_configs: [{responders: [{name: n, type: team}], api_key: k, details: {a: b}}]
  victorops_configs: [{routing_key: r, custom_fields: {a: b}}]
  pushover_configs: [{user_key: u, token: t, retry: 1m, expire: 1h}]
  sns_configs: [{topic_arn: "arn:aws:sns:us-east-2:123:T", sigv4: {region: r, access_key: a, secret_key: b}}]
  telegram_configs: [{bot_token: t, chat_id: 1, parse_mode: HTML}]
  webex_configs: [{room_id: r, http_config: {authorization: {type: Bearer, credentials: x}}}]
  discord_configs: [{webhook_url: http://d/}]
  wechat_configs: [{message_type: text}]
"""
VALUES: tuple[Any, ...] = (
    *("x", "", None, True, 0, 1, -1, [], {}, ["a"], {"a": "b"}, "5m", "0s", "1.5h", "http://x", "ftp://x", 'a=~"("'),
    *("monday", "24:00", "00:00", "2:00", "[", "true", 'a="b",c=d', '{a="b}', "host:", "host", "::1:25", "a", "n", "m"),
    *("...", "31", "32", "0", "-32:1", "friday:monday", "TLS9", "1m", "Mars/Nowhere", "january", "13", "2025:2020"),
)
NEWER = ("is not a valid label name", "invalid label name")
"""What amtool 0.25 says of names that later versions take: any text may be a label's name since 0.27."""
MUTATIONS = 120


def messages(text: str) -> list[tuple[int, str]]:
    """Return what is wrong with a configuration, and in which line."""
    whole = Part.whole(read_documents(text, "alertmanager.yml", repeats=True)[0])
    found = alertmanager_config_invalid.function(AlertmanagerConfig(whole))
    return [(remark.place.line, remark.message) for remark in found]


def test_a_configuration_with_everything_is_accepted() -> None:
    assert messages(WHOLE) == []


ONE_EACH = {
    "groupby: [alertname]": "no field `groupby`",
    "group_wait: 5 minutes": "no duration",
    "group_by: [job, job]": "grouped by twice",
    "group_interval: 0s": "cannot be zero",
    "continue: maybe": "true or false",
    "receiver: nobody": "no receiver 'nobody'",
    "mute_time_intervals: [never]": "no time interval 'never'",
    "matchers: ['severity']": "not a matcher",
    "matchers: ['severity=~\"(\"']": "regular expression",
    "match: {1a: b}": "no label's name",
    "routes: {a: b}": "must be a list",
}


def test_every_error_is_told_in_one_run_at_its_line() -> None:
    """Where amtool stops at the first."""
    routes = "".join(f"  - {line}\n" for line in ONE_EACH)
    found = messages(f"route:\n  receiver: a\n  routes:\n{routes}receivers:\n- name: a\n")
    for i, words in enumerate(ONE_EACH.values()):
        assert any(line == 4 + i and words in message for line, message in found), (words, found)


RECEIVERS = {
    "webhook_configs: [{send_resolved: true}]": "`url` or `url_file`",
    "webhook_configs: [{url: 'mail:x'}]": "begins with http",
    "webhook_configs: [{url: 'http://a/', url_file: /x}]": "exclude each other",
    "email_configs: [{to: a@b, from: c@d}]": "`smarthost`",
    "email_configs: [{to: a@b, from: c@d, smarthost: mail}]": "has no port",
    "pagerduty_configs: [{severity: critical}]": "`routing_key`",
    "slack_configs: [{channel: x}]": "nor does `global` give `slack_api_url`",
    "opsgenie_configs: [{api_key: k, responders: [{type: team}]}]": "`id` or `username` or `name`",
    "telegram_configs: [{bot_token: t}]": "`chat_id`",
    "telegram_configs: [{bot_token: t, chat_id: 1, parse_mode: html}]": "there are Markdown, MarkdownV2, HTML",
    "sns_configs: [{sigv4: {}}]": "needs one of",
    "webex_configs: [{room_id: r}]": "`http_config.authorization`",
    "webhook_configs: [{url: 'http://a/', http_config: {authorization: {type: Basic}}}]": "use `basic_auth`",
    "victorops_configs: [{api_key: k, routing_key: r, custom_fields: {entity_id: x}}]": "cannot be called `entity_id`",
    "jira_configs: [{project: p, issue_type: t}]": "`jira_api_url`",
    "smoke_signals: []": "no field `smoke_signals`",
}


@pytest.mark.parametrize(("line", "words"), RECEIVERS.items(), ids=range(len(RECEIVERS)))
def test_what_an_integration_needs_is_asked_for(line: str, words: str) -> None:
    found = messages(f"route: {{receiver: a}}\nreceivers:\n- name: a\n  {line}\n")
    assert any(words in message for _, message in found), found
    assert {at for at, _ in found} == {4}


@pytest.mark.parametrize("value", ["${URL}", "{{ url }}", "<url>", "SLACK_URL", "__URL__"])
def test_what_is_filled_in_later_is_not_judged(value: str) -> None:
    text = f"route: {{receiver: a}}\nreceivers:\n- name: a\n  webhook_configs: [{{url: '{value}'}}]\n"
    assert messages(text) == []


def paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inside in inner:
        yield from paths(inside, (*path, key))


def mutated(seed: int) -> Any:
    """Return the whole configuration with one thing changed, renamed, doubled or left out."""
    chosen = random.Random(seed)
    value = copy.deepcopy(yaml.safe_load(WHOLE))
    *above, last = chosen.choice([path for path in paths(value) if path])
    around = value
    for key in above:
        around = around[key]
    kind = chosen.random()
    if kind < 0.3:
        del around[last]
    elif kind < 0.8:
        around[last] = copy.deepcopy(chosen.choice(VALUES))
    elif isinstance(around, dict):
        around[f"{last}x"] = around.pop(last)
    else:
        around.append(copy.deepcopy(around[last]))
    return value


def test_we_refuse_what_amtool_refuses(tmp_path: Path) -> None:
    """On configurations of which one thing is broken, or not."""
    try:
        find_engine(Engine.AMTOOL)
    except MissingEngines as error:
        pytest.skip(str(error))
    wrong, refused = [], 0
    for seed in range(MUTATIONS):
        path = tmp_path / "alertmanager.yml"
        text = yaml_text(mutated(seed))
        path.write_text(text)
        done = amtool.check_config(path)
        refused += done.code != 0
        said = done.stdout + done.stderr
        ours = messages(text)
        if bool(ours) != (done.code != 0) and not any(words in said for words in NEWER):
            wrong.append((seed, ours, said))
    assert wrong == []
    assert MUTATIONS / 4 < refused < MUTATIONS
