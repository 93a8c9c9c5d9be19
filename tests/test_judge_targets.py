"""What is asked: from an address, from a system's files, and from what a running Prometheus tells."""

from __future__ import annotations

import base64
import io
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from shutil import which

import pytest

from tests.scraped_server import Target, serving
from tocsin.artefacts.exposition.syntax import Generation
from tocsin.deadline import Unmet, wait_until
from tocsin.engines.prometheus import Prometheus, PrometheusSettings
from tocsin.exposition.asking import Manner, ask
from tocsin.exposition.http import healthy
from tocsin.exposition.limits import Limits
from tocsin.exposition.scrape import Request, scrape, scrape_headers
from tocsin.exposition.scraped import Ending, Tls
from tocsin.exposition.targets import (
    Endpoint,
    JobLimits,
    endpoint_of_url,
    endpoints_of_model,
    endpoints_of_prometheus,
    settings_of,
)
from tocsin.model import Model
from tocsin.supervisor import Supervisor
from tocsin.supervisor.once import run_once
from tocsin.system import load_system

SECRET = "t0ps3cret-t0ken"  # noqa: S105


def model(folder: Path, jobs: str, files: Mapping[str, str] | None = None) -> Model:
    """Return the model of a folder with a Prometheus."""
    for name, text in {"prometheus.yml": f"scrape_configs:\n{jobs}", **(files or {})}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    declared = "schema: 1\nname: small\nartefacts: {prometheus: [prometheus.yml]}\n"
    (folder / "system.yaml").write_text(declared)
    return Model.of(folder, load_system(folder))


def test_an_address() -> None:
    """User and password become a header, the path the usual one."""
    found = endpoint_of_url(f"https://watch:{SECRET}@shop.example:9443?a=1")

    assert found.url == "https://shop.example:9443/metrics?a=1"
    assert found.settings.authorization == "Basic " + base64.b64encode(f"watch:{SECRET}".encode()).decode()
    assert SECRET not in repr(found)
    assert found.name == "https://shop.example:9443"


@pytest.mark.parametrize("url", ["ftp://shop/metrics", "http://", "http://shop:port/metrics", "shop:9100"])
def test_no_address(url: str) -> None:
    """What is no address of HTTP."""
    with pytest.raises(ValueError):  # noqa: PT011 its text is the caller's
        endpoint_of_url(url)


JOBS = """\
  - job_name: shop
    scheme: https
    metrics_path: /prom
    params: {module: [http, icmp], name: [x y]}
    scrape_timeout: 3s
    static_configs:
      - {targets: ['shop:8443', 'old:1'], labels: {team: web}}
    relabel_configs:
      - {source_labels: [__address__], regex: 'old.*', action: drop}
      - {source_labels: [__address__], target_label: __param_module, replacement: tcp}
  - job_name: listed
    file_sd_configs: [{files: [targets/*.json]}]
  - job_name: pods
    kubernetes_sd_configs: [{role: pod}]
"""
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
spec: {containers: [{name: web, image: web, ports: [{containerPort: 80}, {containerPort: 81}]}]}
"""
LISTED = {"targets/a.json": '[{"targets": ["10.0.0.1:9100"], "labels": {"zone": "a"}}]'}


def test_targets_of_files(tmp_path: Path) -> None:
    """Static ones and those of file_sd, after relabelling; a dropped one is told with the rule that drops it."""
    found = endpoints_of_model(model(tmp_path, JOBS, LISTED))

    asked = {each.name: each for each in found.asked}
    assert set(asked) == {"shop/shop:8443", "listed/10.0.0.1:9100"}
    assert asked["shop/shop:8443"].url == "https://shop:8443/prom?module=tcp&module=icmp&name=x+y"
    assert dict(asked["shop/shop:8443"].labels) == {"job": "shop", "instance": "shop:8443", "team": "web"}
    assert asked["shop/shop:8443"].settings.timeout_seconds == 3
    assert asked["listed/10.0.0.1:9100"].url == "http://10.0.0.1:9100/metrics"
    assert [(each.name, "prometheus.yml:10" in each.reason) for each in found.left_out] == [("shop/old:1", True)]


@pytest.mark.parametrize("action", ["keep", "drop"])
def test_targets_of_a_cluster_are_not_asked(tmp_path: Path, action: str) -> None:
    """Their addresses are in no file; nobody is told one that is made up."""
    rule = f"{{source_labels: [__meta_kubernetes_pod_name], regex: web, action: {action}}}"
    jobs = f"  - {{job_name: pods, kubernetes_sd_configs: [{{role: pod}}], relabel_configs: [{rule}]}}\n"
    found = endpoints_of_model(model(tmp_path, jobs, {"pod.yaml": POD}))

    assert found.asked == ()
    (one,) = found.left_out
    assert one.name == {"keep": "pods", "drop": "pods/Pod/web"}[action]
    assert {"keep": "elsewhere", "drop": "drops it"}[action] in one.reason


def test_addresses_of_an_environment(tmp_path: Path) -> None:
    """A job that an address is named for is asked there, with its own path and parameters."""
    found = endpoints_of_model(model(tmp_path, JOBS, LISTED), {"shop": "http://127.0.0.1:8000/base/"})

    asked = {each.name: each for each in found.asked}
    assert asked["shop/shop"].url == "http://127.0.0.1:8000/base/prom?module=http&module=icmp&name=x+y"
    assert dict(asked["shop/shop"].labels) == {"job": "shop", "instance": "127.0.0.1:8000", "team": "web"}
    assert "shop/shop:8443" not in asked


SETTINGS: dict[str, tuple[str, Mapping[str, object]]] = {
    "nothing": ("", {"authorization": "", "follows": True, "compression": True, "unsupported": ()}),
    "basic": (
        "    basic_auth: {username: u, password_file: secret}\n",
        {"authorization": "Basic " + base64.b64encode(f"u:{SECRET}".encode()).decode()},
    ),
    "bearer": ("    authorization: {credentials_file: secret}\n", {"authorization": f"Bearer {SECRET}"}),
    "another type": ("    authorization: {type: Token, credentials: x}\n", {"authorization": "Token x"}),
    "the old way": ("    bearer_token_file: secret\n", {"authorization": f"Bearer {SECRET}"}),
    "no redirects": ("    follow_redirects: false\n", {"follows": False}),
    "no compression": ("    enable_compression: false\n", {"compression": False}),
    "fallback": ("    fallback_scrape_protocol: PrometheusText0.0.4\n", {"fallback": "PrometheusText0.0.4"}),
    "limits": (
        "    sample_limit: 5\n    body_size_limit: 2KB\n    label_limit: 7\n",
        {"limits": JobLimits(body_size_limit=2048, sample_limit=5, label_limit=7)},
    ),
    "tls": (
        "    tls_config: {server_name: x, insecure_skip_verify: true}\n",
        {"tls": Tls(server_name="x", verified=False)},
    ),
}


@pytest.mark.parametrize(("lines", "expected"), SETTINGS.values(), ids=SETTINGS)
def test_settings_of_a_job(tmp_path: Path, lines: str, expected: Mapping[str, object]) -> None:
    """What a job says of how its targets are asked; secrets are read from their files."""
    (tmp_path / "secret").write_text(SECRET + "\n")
    here = model(tmp_path, f"  - job_name: shop\n{lines}    static_configs: [{{targets: ['shop:1']}}]\n")

    found = settings_of(here, here.stacks[0].jobs[0])

    assert {name: getattr(found, name) for name in expected} == expected
    assert SECRET not in repr(found)


UNSUPPORTED = {
    "oauth2": "    oauth2: {client_id: a, client_secret: b, token_url: 'http://t'}\n",
    "a proxy": "    proxy_url: http://proxy:3128\n",
    "a file that is elsewhere": "    authorization: {credentials_file: /no/such/file}\n",
    "a certificate that is elsewhere": "    tls_config: {ca_file: /no/such/ca.pem}\n",
    "a certificate that is none": "    tls_config: {ca_file: secret}\n",
}


@pytest.mark.parametrize("lines", UNSUPPORTED.values(), ids=UNSUPPORTED)
def test_what_cannot_be_asked_is_not_asked(tmp_path: Path, lines: str) -> None:
    """The target hears nothing, and there is a reason: asked otherwise it would answer another question."""
    (tmp_path / "secret").write_text(SECRET)
    here = model(tmp_path, f"  - job_name: shop\n{lines}    static_configs: [{{targets: ['shop:1']}}]\n")
    with serving(healthy) as server:
        endpoint = Endpoint("shop/shop", server.url, settings_of(here, here.stacks[0].jobs[0]))
        found = ask(endpoint, tmp_path / "asked", now=1.8e9)

        assert server.seen == []
    assert found.lacking
    assert found.answers == {}
    assert SECRET not in found.lacking


def test_only_get_is_sent(tmp_path: Path) -> None:
    """Unless other methods are asked for."""
    with serving(healthy) as server:
        ask(endpoint_of_url(server.url), tmp_path / "a", now=1.8e9)
        plain = {visit.method for visit in server.seen}
        ask(endpoint_of_url(server.url), tmp_path / "b", now=1.8e9, manner=Manner(methods=True))
        every = {visit.method for visit in server.seen}

    assert plain == {"GET"}
    assert every == {"GET", "HEAD", "OPTIONS", "POST"}


def test_no_secret_is_written(tmp_path: Path) -> None:
    """Neither credentials of ours nor cookies of theirs are in what is kept."""
    with serving(lambda v: replace(healthy(v), headers=(("Set-Cookie", f"session={SECRET}"),))) as server:
        url = server.url.replace("http://", f"http://watch:{SECRET}@") + f"?token={SECRET}"
        ask(endpoint_of_url(url), tmp_path / "asked", now=1.8e9)

        assert any(SECRET in visit.path for visit in server.seen)
    hidden = (SECRET, base64.b64encode(f"watch:{SECRET}".encode()).decode())
    texts = [path.read_text() for path in (tmp_path / "asked").iterdir()]
    assert texts
    assert not any(each in text for text in texts for each in hidden)


LIVE = """\
global: {scrape_interval: 500ms, scrape_timeout: 500ms}
scrape_configs:
  - job_name: shop
    static_configs: [{targets: ['127.0.0.1:PORT', 'old:1'], labels: {team: web}}]
    relabel_configs:
      - {source_labels: [__address__], regex: 'old.*', action: drop}
"""


def test_targets_of_a_running_prometheus(tmp_path: Path) -> None:
    """Those that it asks, with their labels; a dropped one is told, with the rule that dropped it."""
    with serving(healthy) as server, Supervisor("targets", tmp_path / "logs") as supervisor:
        config = tmp_path / "prometheus.yml"
        config.write_text(LIVE.replace("PORT", str(server.server_port)))
        (tmp_path / "system.yaml").write_text("schema: 1\nname: small\n")
        prometheus = Prometheus.start(supervisor, PrometheusSettings(config=config, data=tmp_path / "tsdb"))
        wait_until(lambda: prometheus.api.targets() or Unmet("none"), seconds=20, what="a target")
        found = endpoints_of_prometheus(prometheus.api, Model.of(tmp_path, load_system(tmp_path)))
        bare = endpoints_of_prometheus(prometheus.api)
        prometheus.stop()

    (endpoint,) = found.asked
    assert endpoint.url == server.url
    assert dict(endpoint.labels) == {"job": "shop", "instance": f"127.0.0.1:{server.server_port}", "team": "web"}
    assert endpoint.settings.timeout_seconds == 0.5 == bare.asked[0].settings.timeout_seconds
    (dropped,) = found.left_out
    assert "`drop` of __address__ = 'old:1'" in dropped.reason
    assert dropped.place is not None
    assert str(dropped.place).startswith("prometheus.yml:6")
    assert [each.reason for each in bare.left_out] == ["the relabelling of job shop drops it"]


# TLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a certificate for `shop.test` and its key."""
    if which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    made = run_once(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=shop.test", "-addext", "subjectAltName=DNS:shop.test"],
        cwd=folder, env=None, seconds=30,
    )  # fmt: skip
    assert made.code == 0, made.stderr
    return folder


@pytest.fixture
def tls_server(certificates: Path) -> Iterator[Target]:
    """Give a server that speaks TLS, and asks for the client's certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
    context.load_verify_locations(certificates / "cert.pem")
    context.verify_mode = ssl.CERT_OPTIONAL
    with serving(healthy, context) as server:
        yield server


def tls(name: str, certificates: Path) -> Tls:
    """Return settings by a word."""
    authority = str(certificates / "cert.pem")
    return {
        "trusted": Tls(ca_file=authority, server_name="shop.test"),
        "another name": Tls(ca_file=authority),
        "nobody knows it": Tls(server_name="shop.test"),
        "unverified": Tls(verified=False),
        "with a certificate": Tls(authority, authority, str(certificates / "key.pem"), "shop.test"),
    }[name]


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("trusted", Ending.WHOLE),
        ("another name", Ending.UNREACHABLE),
        ("nobody knows it", Ending.UNREACHABLE),
        ("unverified", Ending.WHOLE),
        ("with a certificate", Ending.WHOLE),
    ],
)
def test_tls(tls_server: Target, certificates: Path, name: str, ending: Ending) -> None:
    """Certificates are verified by the authority and the name that the job says, or not at all if it says so."""
    url = tls_server.url.replace("http:", "https:")
    request = Request(url, scrape_headers(Generation.V3_5, 10), tls=tls(name, certificates))

    found = scrape(request, io.BytesIO(), Limits(seconds=20))

    assert found.ending is ending
    assert ("not trusted" in found.problem) == (ending is Ending.UNREACHABLE)


def test_plain_where_tls_is_said() -> None:
    """The scheme is wrong: https is asked for, and what listens speaks none."""
    with serving(healthy) as server:
        url = server.url.replace("http:", "https:")
        found = scrape(Request(url, scrape_headers(Generation.V3_5, 10)), io.BytesIO(), Limits(seconds=20))

    assert (found.ending, found.problem) == (Ending.UNREACHABLE, "it speaks no TLS, and the scheme is https")
