"""What Prometheus refuses of a configuration, all of it at once, each at its place.

The fields and their rules are those of prometheus/prometheus, config/config.go, model/relabel/relabel.go and
discovery/*, of prometheus/common, config/http_config.go, and of prometheus/exporter-toolkit, web/tls_config.go. A field
that any version from 2.42 to 3.x knows is known here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tocsin.durations import parse_duration
from tocsin.part import Part
from tocsin.promql.regex import problem as regex_problem
from tocsin.source import nearest


@dataclass(frozen=True, slots=True)
class Refusal:
    """One thing that Prometheus refuses."""

    part: Part
    message: str
    key: bool = False
    """Whether the key is meant, and not its value."""
    before: int = 0
    """The first major version that allows it; 0, if none does."""


Kind = str | Mapping[str, Any] | list[Any]
"""The kind of a value: a word of _SCALARS, the fields of a mapping, or a list of one kind."""

_TLS: Kind = {
    "ca": "string", "cert": "string", "key": "string", "ca_file": "string", "cert_file": "string",
    "key_file": "string", "ca_ref": "string", "cert_ref": "string", "key_ref": "string", "server_name": "string",
    "insecure_skip_verify": "bool", "min_version": "tls_version", "max_version": "tls_version",
}  # fmt: skip
_PROXY: dict[str, Any] = {
    "proxy_url": "url", "no_proxy": "string", "proxy_from_environment": "bool", "proxy_connect_header": "any",
}  # fmt: skip
_HTTP: dict[str, Any] = {
    "basic_auth": {
        "username": "string", "username_file": "string", "username_ref": "string",
        "password": "string", "password_file": "string", "password_ref": "string",
    },
    "authorization": {
        "type": "string", "credentials": "string", "credentials_file": "string", "credentials_ref": "string",
    },
    "oauth2": {
        "client_id": "string", "client_secret": "string", "client_secret_file": "string",
        "client_secret_ref": "string", "scopes": ["string"], "token_url": "string", "endpoint_params": "strings",
        "tls_config": _TLS, "client_certificate_key_id": "any", "client_certificate_key": "any",
        "client_certificate_key_file": "any", "client_certificate_key_ref": "any", "signature_algorithm": "any",
        "iss": "any", "audience": "any", "claims": "any", "grant_type": "any", **_PROXY,
    },
    "bearer_token": "string", "bearer_token_file": "string", "tls_config": _TLS, "follow_redirects": "bool",
    "enable_http2": "bool", "http_headers": "any", **_PROXY,
}  # fmt: skip
_RELABEL: Kind = {
    "source_labels": ["string"], "separator": "string", "target_label": "string", "regex": "regex", "modulus": "uint",
    "replacement": "string", "action": "action",
}  # fmt: skip
_LIMITS: dict[str, Any] = {
    "body_size_limit": "bytes", "sample_limit": "uint", "target_limit": "uint", "label_limit": "uint",
    "label_name_length_limit": "uint", "label_value_length_limit": "uint", "keep_dropped_targets": "uint",
    "scrape_protocols": ["protocol"], "scrape_failure_log_file": "string", "scrape_native_histograms": "bool",
    "always_scrape_classic_histograms": "bool", "convert_classic_histograms_to_nhcb": "bool",
    "extra_scrape_metrics": "bool", "metric_name_validation_scheme": "validation_scheme",
    "metric_name_escaping_scheme": "escaping_scheme",
}  # fmt: skip
_KUBERNETES: Kind = {
    "api_server": "url", "role": "role", "kubeconfig_file": "string",
    "namespaces": {"names": ["string"], "own_namespace": "bool"},
    "selectors": [{"role": "role", "label": "string", "field": "string"}],
    "attach_metadata": {"node": "bool", "namespace": "bool"}, **_HTTP,
}  # fmt: skip
_DISCOVERIES: dict[str, Any] = {
    "static_configs": [{"targets": ["string"], "labels": "strings"}],
    "file_sd_configs": [{"files": ["target_file"], "refresh_interval": "duration"}],
    "kubernetes_sd_configs": [_KUBERNETES],
    "dns_sd_configs": [
        {"names": ["string"], "type": "record", "port": "int", "refresh_interval": "duration"}
    ],
    "http_sd_configs": [{"url": "url", "refresh_interval": "duration", **_HTTP}],
} | {
    f"{name}_sd_configs": "any"
    for name in (
        "aws", "azure", "consul", "digitalocean", "docker", "dockerswarm", "ec2", "eureka", "gce", "hetzner", "ionos",
        "kuma", "lightsail", "linode", "marathon", "nerve", "nomad", "openstack", "outscale", "ovhcloud", "puppetdb",
        "scaleway", "serverset", "stackit", "triton", "uyuni", "vultr", "xds", "elasticache", "rds", "msk", "ecs",
    )
}  # fmt: skip
SCRAPE: Kind = {
    "job_name": "string", "honor_labels": "bool", "honor_timestamps": "bool", "track_timestamps_staleness": "bool",
    "params": "parameters", "scrape_interval": "duration", "scrape_timeout": "duration",
    "fallback_scrape_protocol": "protocol", "scrape_classic_histograms": "bool", "metrics_path": "string",
    "scheme": "string", "enable_compression": "bool", "native_histogram_bucket_limit": "uint",
    "native_histogram_min_bucket_factor": "float", "relabel_configs": [_RELABEL], "metric_relabel_configs": [_RELABEL],
    **_LIMITS, **_HTTP, **_DISCOVERIES,
}  # fmt: skip
_SIGV4: Kind = {
    "region": "string", "access_key": "string", "secret_key": "string", "profile": "string", "role_arn": "string",
    "external_id": "string", "use_fips_sts_endpoint": "bool", "service_name": "string",
}  # fmt: skip
_ALERTMANAGER: Kind = {
    "scheme": "string", "path_prefix": "string", "timeout": "duration", "api_version": "api_version",
    "relabel_configs": [_RELABEL], "alert_relabel_configs": [_RELABEL], "sigv4": _SIGV4, **_HTTP, **_DISCOVERIES,
}  # fmt: skip
_REMOTE_WRITE: Kind = {
    "url": "url", "remote_timeout": "duration", "headers": "headers", "write_relabel_configs": [_RELABEL],
    "name": "string", "send_exemplars": "bool", "send_native_histograms": "bool", "round_robin_dns": "bool",
    "protobuf_message": "message",
    "queue_config": {
        "capacity": "int", "max_shards": "int", "min_shards": "int", "max_samples_per_send": "int",
        "batch_send_deadline": "duration", "min_backoff": "duration", "max_backoff": "duration",
        "retry_on_http_429": "bool", "sample_age_limit": "duration",
    },
    "metadata_config": {"send": "bool", "send_interval": "duration", "max_samples_per_send": "int"},
    "sigv4": _SIGV4, "azuread": "any", "google_iam": "any", **_HTTP,
}  # fmt: skip
_REMOTE_READ: Kind = {
    "url": "url", "remote_timeout": "duration", "chunked_read_limit": "uint", "headers": "headers",
    "read_recent": "bool", "name": "string", "required_matchers": "strings", "filter_external_labels": "bool", **_HTTP,
}  # fmt: skip
CONFIG: Kind = {
    "global": {
        "scrape_interval": "duration", "scrape_timeout": "duration", "evaluation_interval": "duration",
        "rule_query_offset": "duration", "query_log_file": "string", "external_labels": "strings", **_LIMITS,
    },
    "runtime": {"gogc": "int"},
    "alerting": {"alert_relabel_configs": [_RELABEL], "alertmanagers": [_ALERTMANAGER]},
    "rule_files": ["rule_path"], "scrape_config_files": ["rule_path"], "scrape_configs": [SCRAPE],
    "storage": {
        "tsdb": {
            "out_of_order_time_window": "duration",
            "retention": {"time": "duration", "size": "bytes", "percentage": "any"},
            "stale_series_compaction_threshold": "any",
        },
        "exemplars": {"max_exemplars": "int"},
    },
    "tracing": {
        "client_type": "tracing_client", "endpoint": "string", "sampling_fraction": "float", "insecure": "bool",
        "tls_config": _TLS, "headers": "headers", "compression": "string", "timeout": "duration",
    },
    "remote_write": [_REMOTE_WRITE], "remote_read": [_REMOTE_READ],
    "otlp": {
        "promote_all_resource_attributes": "bool", "promote_resource_attributes": ["string"],
        "ignore_resource_attributes": ["string"], "translation_strategy": "translation",
        "keep_identifying_resource_attributes": "bool", "convert_histograms_to_nhcb": "bool",
        "promote_scope_metadata": "bool", "label_name_underscore_sanitization": "bool",
        "label_name_preserve_multiple_underscores": "bool",
    },
}  # fmt: skip
WEB: Kind = {
    "tls_server_config": {
        "cert": "string", "key": "string", "client_ca": "string", "cert_file": "string", "key_file": "string",
        "client_auth_type": "client_auth", "client_ca_file": "string", "cipher_suites": ["string"],
        "curve_preferences": ["string"], "min_version": "tls_version", "max_version": "tls_version",
        "prefer_server_cipher_suites": "bool", "client_allowed_sans": ["string"],
    },
    "http_server_config": {"http2": "bool", "headers": "strings"},
    "basic_auth_users": "strings", "rate_limit": {"interval": "any", "burst": "uint"},
}  # fmt: skip
_OTHER_PROGRAMS = frozenset(
    {"stream_parse", "no_stale_markers", "series_limit", "scrape_align_interval", "scrape_offset", "disable_keepalive",
     "disable_compression", "relabel_debug", "metric_relabel_debug", "if", "max_scrape_size"}
)  # fmt: skip
"""Fields of scrape jobs that vmagent knows and Prometheus does not."""

_UNTOLD = re.compile(r"\$[({A-Za-z_]|\{\{|<<|@@|__[A-Z]+__|%[A-Z_]+%|<[A-Z_ a-z-]+>")
"""What is filled in before Prometheus reads it."""
_BYTES = re.compile(r"0|(?:[0-9]*\.?[0-9]+(?:[KMGTPE]i?)?B)+")
_RULE_PATH = re.compile(r"[^*]*(?:\*[^/]*)?", re.DOTALL)
_TARGET_FILE = re.compile(r"[^*]*(?:\*[^/]*)?\.(?:json|yml|yaml|JSON|YML|YAML)", re.DOTALL)
_BOOLS = frozenset(
    f(word) for word in ("y", "n", "yes", "no", "on", "off", "true", "false") for f in (str, str.upper, str.title)
)
_RESERVED_HEADERS = frozenset(
    {"host", "content-encoding", "content-length", "content-type", "user-agent", "connection", "keep-alive",
     "proxy-authenticate", "proxy-authorization", "www-authenticate", "accept-encoding",
     "x-prometheus-remote-write-version", "x-prometheus-remote-read-version", "x-amz-date", "x-amz-security-token",
     "x-amz-content-sha256", "authorization"}
)  # fmt: skip
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "role": ("node", "pod", "service", "endpoints", "endpointslice", "ingress"),
    "record": ("SRV", "A", "AAAA", "MX", "NS"),
    "api_version": ("v2", "v1"),
    "tls_version": ("TLS13", "TLS12", "TLS11", "TLS10"),
    "tracing_client": ("http", "grpc"),
    "validation_scheme": ("legacy", "utf8", ""),
    "escaping_scheme": ("allow-utf-8", "underscores", "dots", "values", ""),
    "protocol": (
        "PrometheusProto", "OpenMetricsText0.0.1", "OpenMetricsText1.0.0", "PrometheusText0.0.4", "PrometheusText1.0.0",
    ),
    "message": ("prometheus.WriteRequest", "io.prometheus.write.v2.Request"),
    "translation": (
        "UnderscoreEscapingWithSuffixes", "UnderscoreEscapingWithoutSuffixes", "NoUTF8EscapingWithSuffixes",
        "NoTranslation", "",
    ),
    "client_auth": (
        "NoClientCert", "RequestClientCert", "RequireAnyClientCert", "RequireClientCert", "VerifyClientCertIfGiven",
        "RequireAndVerifyClientCert", "",
    ),
}  # fmt: skip
_ACTIONS = (
    "replace", "keep", "drop", "keepequal", "dropequal", "hashmod", "labelmap", "labeldrop", "labelkeep", "lowercase",
    "uppercase",
)  # fmt: skip


def refusals(part: Part, kind: Kind = CONFIG) -> Iterator[Refusal]:
    """Yield everything that Prometheus refuses of a configuration; `kind` for a piece of one."""
    yield from _shaped(part, kind, "the configuration")
    if kind is CONFIG:
        yield from _whole(part)


def agent_refusals(part: Part) -> Iterator[Refusal]:
    """Yield what Prometheus refuses of a configuration as an agent (config/config.go, LoadFile)."""
    managers = part.get("alerting", "alertmanagers").value or part.get("alerting", "alert_relabel_configs").value
    for key, there in (
        ("alerting", bool(managers)),
        ("rule_files", bool(part.list("rule_files"))),
        ("remote_read", bool(part.list("remote_read"))),
    ):
        if there:
            yield Refusal(part.get(key), f"an agent evaluates no rules, and refuses `{key}`", key=True)


# Shape: fields, and the kinds of their values


def _shaped(part: Part, kind: Kind, name: str) -> Iterator[Refusal]:
    if part.value is None or kind == "any":
        return
    if isinstance(kind, str):
        yield from _scalar(part, kind)
    elif isinstance(kind, list):
        if not isinstance(part.value, list):
            if not _UNTOLD.search(part.text):
                yield Refusal(part, f"`{part.key}` has to be a list, and is {_shape(part)}")
            return
        for item in part.list():
            if item.value is None and not isinstance(kind[0], str):
                yield Refusal(item, f"an item of `{part.key}` is empty")
            yield from _shaped(item, kind[0], f"an item of `{part.key}`")
    elif not isinstance(part.value, dict):
        if not _UNTOLD.search(part.text):
            yield Refusal(part, f"{name} has to be a mapping, and is {_shape(part)}")
    else:
        yield from _fields(part, kind)


def _fields(part: Part, kind: Mapping[str, Any]) -> Iterator[Refusal]:
    for key, value in part.items():
        if key in kind:
            yield from _shaped(value, kind[key], f"`{key}`")
        elif key in _OTHER_PROGRAMS or _UNTOLD.search(key):
            continue
        elif not key.endswith("_sd_configs") or nearest(key, kind):
            near = nearest(key, kind, most=1)
            where = f"`{part.key}`" if part.route and not part.key.isdigit() else "an item of " + _list_of(part)
            where = where if part.route else "the configuration"
            meant = f"; did you mean `{near[0]}`?" if near else ""
            yield Refusal(value, f"{where} has no field `{key}`{meant}", key=True)


def _list_of(part: Part) -> str:
    return f"`{part.route[-2]}`" if len(part.route) > 1 else "a list"


def _shape(part: Part) -> str:
    if isinstance(part.value, dict):
        return "a mapping"
    return "a list" if isinstance(part.value, list) else f"`{part.text[:60]}`"


def _scalar(part: Part, kind: str) -> Iterator[Refusal]:
    if kind in ("strings", "headers", "parameters"):
        yield from _mapped(part, kind)
        return
    if isinstance(part.value, (dict, list)):
        yield Refusal(part, f"`{part.key}` has to be a single value, and is {_shape(part)}")
        return
    text = part.text
    if _UNTOLD.search(text) and kind not in ("regex", "string"):
        return
    if kind in _CHOICES:
        if text not in _CHOICES[kind]:
            yield Refusal(part, f"`{text}` is no value of `{_name(part)}`: it is one of {_listed(_CHOICES[kind])}")
        return
    message = _TESTS[kind](part) if kind in _TESTS else ""
    if message:
        yield Refusal(part, message)


def _name(part: Part) -> str:
    return part.key if not part.key.isdigit() else _list_of(part).strip("`")


def _listed(values: tuple[str, ...]) -> str:
    return ", ".join(value for value in values if value)


def _mapped(part: Part, kind: str) -> Iterator[Refusal]:
    if not isinstance(part.value, dict):
        if not _UNTOLD.search(part.text):
            yield Refusal(part, f"`{part.key}` has to be a mapping, and is {_shape(part)}")
        return
    for key, value in part.items():
        if kind == "parameters":
            yield from _shaped(value, ["string"], f"`{key}`")
        elif isinstance(value.value, (dict, list)):
            yield Refusal(value, f"`{key}` has to be a single value, and is {_shape(value)}")
        elif kind == "strings" and part.key in ("labels", "external_labels") and not _LABEL.fullmatch(key):
            yield Refusal(value, f"`{key}` is no name of a label before Prometheus 3", key=True, before=3)
        if kind == "headers" and key.lower() in _RESERVED_HEADERS:
            yield Refusal(value, f"the header `{key}` may not be set here", key=True)


def _duration(part: Part) -> str:
    try:
        parse_duration(part.text)
    except ValueError as error:
        return f"`{_name(part)}`: {error}"
    return ""


def _bool(part: Part) -> str:
    good = isinstance(part.value, bool) or part.text in _BOOLS - {"true", "false", "True", "False", "TRUE", "FALSE"}
    return "" if good else f"`{_name(part)}` is true or false, not `{part.text[:60]}`"


def _integer(part: Part) -> str:
    value = part.value
    good = isinstance(value, int) and not isinstance(value, bool)
    good = good or isinstance(value, float) or bool(re.fullmatch(r"0[xob][0-9a-fA-F_]+", part.text))
    return "" if good else f"`{_name(part)}` is a whole number, not `{part.text[:60]}`"


def _unsigned(part: Part) -> str:
    negative = isinstance(part.value, (int, float)) and part.value < 0
    return _integer(part) or (f"`{_name(part)}` may not be negative" if negative else "")


def _float(part: Part) -> str:
    good = isinstance(part.value, (int, float)) and not isinstance(part.value, bool)
    return "" if good else f"`{_name(part)}` is a number, not `{part.text[:60]}`"


def _url(part: Part) -> str:
    try:
        urlsplit(part.text).port  # noqa: B018 reading it is what finds a port that is none
    except ValueError as error:
        return f"`{part.text[:80]}` is no URL: {error}"
    bad = re.search(r"%(?![0-9a-fA-F]{2})|[\x00-\x1f\x7f]", part.text.partition("?")[0])
    scheme = re.match(r"[^:/?#]*:", part.text)
    if bad or (scheme and not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9+.-]*:", scheme[0])):
        return f"`{part.text[:80]}` is no URL"
    return ""


def _regex(part: Part) -> str:
    found = regex_problem(part.text)
    return f"`{part.text[:80]}` is no regular expression: {found}" if found else ""


def _action(part: Part) -> str:
    return "" if part.text.lower() in _ACTIONS else f"`{part.text}` is no action: there are {', '.join(_ACTIONS)}"


def _path(part: Part) -> str:
    if _RULE_PATH.fullmatch(part.text):
        return ""
    return f"`{part.text}` is no path: a star may only stand in its last part, and only once"


def _file(part: Part) -> str:
    if _TARGET_FILE.fullmatch(part.text):
        return ""
    return f"`{part.text}` is no file of targets: it ends in .json, .yml or .yaml, with a star in its last part alone"


def _size(part: Part) -> str:
    return "" if _BYTES.fullmatch(part.text) else f"`{_name(part)}` is a size such as 10MB, not `{part.text}`"


_TESTS: Mapping[str, Callable[[Part], str]] = {
    "duration": _duration, "bool": _bool, "int": _integer, "uint": _unsigned, "float": _float, "url": _url,
    "regex": _regex, "action": _action, "rule_path": _path, "target_file": _file, "bytes": _size,
}  # fmt: skip


# Sense: what has to agree


def _whole(part: Part) -> Iterator[Refusal]:
    top = part.get("global")
    yield from _timing(top, top, 60.0)
    names: dict[str, Part] = {}
    for job in part.list("scrape_configs"):
        if isinstance(job.value, dict):
            yield from _job(job, top)
            name = job.get("job_name")
            if name.text in names:
                yield Refusal(
                    name, f"two jobs are called `{name.text}`; the first is in line {names[name.text].place.line}"
                )
            elif name.text:
                names[name.text] = name
    alerting = part.get("alerting")
    yield from _rules(alerting.list("alert_relabel_configs"))
    for manager in alerting.list("alertmanagers"):
        yield from _client(manager)
        yield from _rules((*manager.list("relabel_configs"), *manager.list("alert_relabel_configs")))
        yield from _discovered(manager)
    for key, kind in (("remote_write", "write"), ("remote_read", "read")):
        yield from _remote(part.list(key), kind)
    tracing = part.get("tracing")
    if isinstance(tracing.value, dict) and not tracing.string("endpoint"):
        yield Refusal(tracing, "`tracing` needs an `endpoint`", key=True)


def job_refusals(job: Part, top: Part) -> Iterator[Refusal]:
    """Yield what is refused of a scrape job of another file than the main one; `top` is `global`."""
    yield from _shaped(job, SCRAPE, "a scrape job")
    yield from _job(job, top)


def _job(job: Part, top: Part) -> Iterator[Refusal]:
    if not job.string("job_name"):
        yield Refusal(job, "a scrape job needs a `job_name`")
    yield from _timing(job, top, 60.0)
    yield from _client(job)
    yield from _rules((*job.list("relabel_configs"), *job.list("metric_relabel_configs")))
    yield from _discovered(job)


def _seconds(part: Part, key: str) -> float | None:
    try:
        return parse_duration(part.string(key)) if part.string(key) else None
    except ValueError:
        return None


def _timing(part: Part, top: Part, default: float) -> Iterator[Refusal]:
    timeout = _seconds(part, "scrape_timeout")
    interval = _seconds(part, "scrape_interval") or _seconds(top, "scrape_interval") or default
    unread = any(_UNTOLD.search(each.string("scrape_interval")) for each in (part, top))
    if timeout is not None and timeout > interval and not unread:
        said = part.string("scrape_interval") or top.string("scrape_interval") or "1m by default"
        yield Refusal(
            part.get("scrape_timeout"),
            f"`scrape_timeout` {part.string('scrape_timeout')} is longer than the interval of {said}",
        )


_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_TEMPLATE = re.compile(r"(?:[a-zA-Z_]|\$(?:\{\w+\}|\w+))(?:\w|\$(?:\{\w+\}|\w+))*")
_WRITING = ("replace", "hashmod", "lowercase", "uppercase", "keepequal", "dropequal")


def _rules(rules: tuple[Part, ...]) -> Iterator[Refusal]:
    for rule in rules:
        if not isinstance(rule.value, dict):
            continue
        action = (rule.string("action") or "replace").lower()
        if "action" in rule and not rule.string("action"):
            yield Refusal(rule.get("action"), "`action` is empty")
        if action == "hashmod" and not rule.get("modulus").value:
            yield Refusal(rule, "the action `hashmod` needs a `modulus` above 0")
        if action in _WRITING and not rule.string("target_label"):
            yield Refusal(rule, f"the action `{action}` needs a `target_label`")
        if action == "labelmap" and "replacement" in rule and not rule.string("replacement"):
            yield Refusal(rule.get("replacement"), "the action `labelmap` needs a `replacement`")
        yield from _superfluous(rule, action)
        yield from _names(rule, action)


def _names(rule: Part, action: str) -> Iterator[Refusal]:
    """Yield names of labels that only Prometheus 3 allows."""
    for source in rule.list("source_labels"):
        if source.text and not _LABEL.fullmatch(source.text) and not _UNTOLD.search(source.text):
            yield _unnamed(source)
    target = rule.get("target_label")
    template = _TEMPLATE if action == "replace" and "$" in target.text else _LABEL
    if action in _WRITING and target.text and not template.fullmatch(target.text) and "{{" not in target.text:
        yield _unnamed(target)
    written = rule.get("replacement")
    if action == "labelmap" and written.text and not _TEMPLATE.fullmatch(written.text) and "{{" not in written.text:
        yield _unnamed(written)


def _unnamed(part: Part) -> Refusal:
    return Refusal(part, f"`{part.text}` is no name of a label before Prometheus 3", before=3)


def _superfluous(rule: Part, action: str) -> Iterator[Refusal]:
    given = {key for key, value in rule.items() if value.value not in (None, "") and value.value != []}
    if rule.string("separator") == ";":
        given.discard("separator")
    if rule.string("replacement") == "$1":
        given.discard("replacement")
    if rule.string("regex") == "(.*)" and action not in ("keepequal", "dropequal"):
        given.discard("regex")
    allowed = {
        "labeldrop": {"regex", "action"},
        "labelkeep": {"regex", "action"},
        "keepequal": {"source_labels", "target_label", "action"},
        "dropequal": {"source_labels", "target_label", "action"},
    }.get(action)
    if allowed is not None:
        for key in sorted(given - allowed):
            if key in ("source_labels", "separator", "target_label", "regex", "modulus", "replacement"):
                yield Refusal(rule.get(key), f"the action `{action}` allows no `{key}`", key=True)
    elif action in ("lowercase", "uppercase") and "replacement" in given:
        yield Refusal(rule.get("replacement"), f"the action `{action}` allows no `replacement`", key=True)


def _client(part: Part) -> Iterator[Refusal]:
    """Yield settings of an HTTP client that exclude each other."""
    bearer = [key for key in ("bearer_token", "bearer_token_file") if part.string(key)]
    ways = [key for key in ("basic_auth", "authorization", "oauth2", "sigv4", "azuread", "google_iam") if part.get(key)]
    if len(bearer) > 1 or (bearer and set(ways) & {"basic_auth", "authorization", "oauth2"}) or len(ways) > 1:
        both = [*ways, *bearer]
        yield Refusal(part.get(both[1]), f"`{both[0]}` and `{both[1]}` exclude each other", key=True)
    for section, groups in (
        ("basic_auth", (("username", "username_file", "username_ref"), ("password", "password_file", "password_ref"))),
        ("authorization", (("credentials", "credentials_file", "credentials_ref"),)),
        ("oauth2", (("client_secret", "client_secret_file", "client_secret_ref"),)),
        (
            "tls_config",
            (("ca", "ca_file", "ca_ref"), ("cert", "cert_file", "cert_ref"), ("key", "key_file", "key_ref")),
        ),
    ):
        for group in groups:
            given = [key for key in group if part.string(section, key)]
            if len(given) > 1:
                yield Refusal(
                    part.get(section, given[1]), f"`{given[0]}` and `{given[1]}` exclude each other", key=True
                )
    if part.string("authorization", "type").strip().lower() == "basic":
        yield Refusal(
            part.get("authorization", "type"), "`authorization` cannot be of the type basic: that is `basic_auth`"
        )
    oauth = part.get("oauth2")
    for key in ("client_id", "token_url"):
        if isinstance(oauth.value, dict) and not oauth.string(key):
            yield Refusal(oauth, f"`oauth2` needs a `{key}`", key=True)
    yield from _certificates(part.get("tls_config"))
    yield from _proxied(part)


def _certificates(tls: Part) -> Iterator[Refusal]:
    cert = any(tls.string(key) for key in ("cert", "cert_file", "cert_ref"))
    key = any(tls.string(key) for key in ("key", "key_file", "key_ref"))
    if cert != key:
        yield Refusal(tls, "a client's certificate and its key need each other", key=True)


def _proxied(part: Part) -> Iterator[Refusal]:
    proxy, environment = part.string("proxy_url"), part.get("proxy_from_environment").value is True
    if environment and proxy:
        yield Refusal(part.get("proxy_url"), "`proxy_from_environment` and `proxy_url` exclude each other", key=True)
    if environment and part.string("no_proxy"):
        yield Refusal(part.get("no_proxy"), "`proxy_from_environment` and `no_proxy` exclude each other", key=True)
    if not environment and part.string("no_proxy") and not proxy:
        yield Refusal(part.get("no_proxy"), "`no_proxy` needs a `proxy_url`", key=True)


def _discovered(part: Part) -> Iterator[Refusal]:
    """Yield what is wrong with the ways in which targets are found."""
    groups = part.list("static_configs") if not part.list("relabel_configs") else ()
    for target in (target for group in groups for target in group.list("targets")):
        if "/" in target.text and not _UNTOLD.search(target.text):
            message = f"`{target.text}` is no address: a target is a host and a port, without scheme and path"
            yield Refusal(target, message)
    for each in part.list("kubernetes_sd_configs"):
        yield from _kubernetes(each)
    for each in (each for each in part.list("file_sd_configs") if isinstance(each.value, dict)):
        if not each.list("files"):
            yield Refusal(each, "an item of `file_sd_configs` needs `files`")
    for each in part.list("dns_sd_configs"):
        if isinstance(each.value, dict):
            yield from _by_name(each)
    for each in part.list("http_sd_configs"):
        if isinstance(each.value, dict) and not re.match(r"https?://[^/]|.*(?:\$|\{\{)", each.string("url")):
            message = "an item of `http_sd_configs` needs a `url` that begins with http:// or https://"
            yield Refusal(each.get("url"), message)


def _by_name(part: Part) -> Iterator[Refusal]:
    if not part.list("names"):
        yield Refusal(part, "an item of `dns_sd_configs` needs `names`")
    kind = part.string("type") or "SRV"
    if kind.upper() != "SRV" and not part.get("port").value:
        yield Refusal(part, f"records of the type {kind} hold no port: an item of `dns_sd_configs` needs a `port`")


def _kubernetes(part: Part) -> Iterator[Refusal]:
    if not isinstance(part.value, dict):
        return
    if not part.string("role"):
        yield Refusal(part, f"an item of `kubernetes_sd_configs` needs a `role`: one of {_listed(_CHOICES['role'])}")
    yield from _client(part)
    custom = [key for key in _HTTP if part.get(key) and key not in ("follow_redirects", "enable_http2")]
    if part.string("kubeconfig_file") and (part.string("api_server") or custom):
        key = "api_server" if part.string("api_server") else custom[0]
        yield Refusal(part.get(key), f"`kubeconfig_file` and `{key}` exclude each other", key=True)
    elif custom and not part.string("api_server"):
        yield Refusal(part.get(custom[0]), f"`{custom[0]}` needs the `api_server` that it is for", key=True)


def _remote(items: tuple[Part, ...], kind: str) -> Iterator[Refusal]:
    names: set[str] = set()
    for item in items:
        if not isinstance(item.value, dict):
            continue
        if not item.get("url"):
            yield Refusal(item, f"an item of `remote_{kind}` needs a `url`")
        name = item.string("name")
        if name and name in names:
            yield Refusal(item.get("name"), f"two items of `remote_{kind}` are called `{name}`")
        names.add(name)
        yield from _client(item)
        yield from _rules(item.list("write_relabel_configs"))


# Web configurations


def web_refusals(part: Part) -> Iterator[Refusal]:
    """Yield what is refused of a file of --web.config.file."""
    yield from _shaped(part, WEB, "the web configuration")
    tls = part.get("tls_server_config")
    if isinstance(tls.value, dict) and tls.value:
        for one, other in (("cert", "cert_file"), ("key", "key_file"), ("client_ca", "client_ca_file")):
            if tls.string(one) and tls.string(other):
                yield Refusal(tls.get(other), f"`{one}` and `{other}` exclude each other", key=True)
        missing = [key for key in ("cert", "key") if not tls.string(key) and not tls.string(f"{key}_file")]
        if missing:
            yield Refusal(tls, f"`tls_server_config` needs a `{missing[0]}_file`", key=True)
        asked = tls.string("client_auth_type")
        needs = asked in ("RequireAndVerifyClientCert", "VerifyClientCertIfGiven", "RequireClientCert")
        authority = tls.string("client_ca") or tls.string("client_ca_file")
        if authority and asked in ("", "NoClientCert"):
            yield Refusal(tls, "a `client_ca_file` needs a `client_auth_type` that asks for certificates", key=True)
        if asked == "RequireAndVerifyClientCert" and needs and not authority:
            yield Refusal(tls.get("client_auth_type"), f"`{asked}` needs a `client_ca_file`")
    if part.get("http_server_config", "http2").value is True and not tls:
        yield Refusal(part.get("http_server_config", "http2"), "`http2` needs TLS")
    for user, hashed in part.get("basic_auth_users").items():
        if not re.fullmatch(r"\$2[abxy]?\$\d\d\$[./A-Za-z0-9]{53}", hashed.text) and not _UNTOLD.search(hashed.text):
            yield Refusal(hashed, f"the password of `{user}` is no hash of bcrypt")
