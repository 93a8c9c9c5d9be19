"""Which metrics, labels and buckets are known to be missing; and above all, of which nothing is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.checks.bucket_not_exported import bucket_not_exported
from tocsin.checks.label_not_exported import label_not_exported
from tocsin.checks.metric_not_exported import metric_not_exported
from tocsin.checks.metric_renamed import metric_renamed
from tocsin.model import Model
from tocsin.model.lineage import slip
from tocsin.model.metric_labels import cannot_match
from tocsin.system import FILE, load_system

SHOP = (
    "from prometheus_client import Counter, Gauge, Histogram\n"
    'Gauge("shop_carts_open", "x")\n'
    'Counter("shop_orders", "x", ["outcome"])\n'
    'Histogram("shop_answer_seconds", "x", ["route"], buckets=(0.1, 1, 2.5))\n'
)
JOBS = "scrape_configs:\n- job_name: shop\n  static_configs:\n  - targets: ['shop:8000']\n    labels: {team: carts}\n"
BODY = '# TYPE a_up gauge\na_up{zone="x"} 1\n# TYPE a_s summary\na_s{quantile="0.5"} 1\n'


def rules(expression: str, *, name: str = "alert: A") -> str:
    """Return a file of one rule."""
    return f"groups:\n- name: g\n  rules:\n  - {name}\n    expr: |\n      {expression}\n"


@dataclass
class Case:
    """A system, and what is said of it: severity and the beginning of the message."""

    files: Mapping[str, str]
    said: list[tuple[str, str]] = field(default_factory=list)


def shop(expression: str, *said: tuple[str, str], **more: str) -> Case:
    """Return the shop with one alert."""
    files = {"shop/metrics.py": SHOP, "prometheus.yml": JOBS, "rules.yml": rules(expression)}
    return Case(
        {**files, **{name.replace("__", "/").replace("_dot_", "."): text for name, text in more.items()}}, list(said)
    )


def alone(expression: str, *said: tuple[str, str], **files: str) -> Case:
    """Return a folder that holds little beside an alert."""
    return Case(
        {"rules.yml": rules(expression), **{name.replace("_dot_", "."): text for name, text in files.items()}},
        list(said),
    )


METRICS = {
    "known": shop("shop_carts_open > 1"),
    "unknown beside its like": shop("shop_carts_lost > 1", ("error", "shop_carts_lost finds nothing")),
    "part of a histogram": shop("rate(shop_answer_seconds_bucket[5m]) + rate(shop_answer_seconds_count[5m]) > 1"),
    "base of a histogram": shop("shop_answer_seconds > 1", ("error", "shop_answer_seconds finds nothing")),
    "counter without its suffix": shop("rate(shop_orders[5m]) > 1", ("error", "shop_orders finds nothing")),
    "made by Prometheus": shop("up == 0 or scrape_duration_seconds > 5 or ALERTS > 0"),
    "of somebody else": shop("mysql_up == 0 or checkout_carts_open > 1"),
    "recorded elsewhere": shop("shop:carts:sum > 1"),
    "said in another language": shop("shop_carts_lost > 1", shop__main_dot_go='Name: "carts_lost"'),
    "said alone in quotes": shop("shop_carts_lost > 1", shop__more_dot_py='export("shop_carts_lost")'),
    "used in another file": shop(
        "shop_carts_lost > 1", ("error", "shop_carts_lost finds"), shop__more_dot_py='Q = "shop_carts_lost > 1"'
    ),
    "other libraries": shop(
        "shop_carts_lost > 1", shop__more_dot_py="from starlette_exporter import PrometheusMiddleware"
    ),
    "renamed when scraped": Case(
        {
            "shop/metrics.py": SHOP,
            "rules.yml": rules("shop_carts_lost > 1"),
            "prometheus.yml": f"{JOBS}  metric_relabel_configs:\n  - {{target_label: __name__, replacement: a}}\n",
        }
    ),
    "born late": shop(
        "shop_carts_lost > 1",
        system_dot_yaml="schema: 1\nname: shop\nstatic:\n  lazily_born: {shop_carts_lost: the first is lost}\n",
    ),
    "misspelt of an exporter": alone(
        "node_load11 > 1 or node_memory_MemTotal_byte > 1", ("warning", "node_memory_MemT")
    ),
    "collectors of an exporter that were not looked at": alone("node_md_disks > 1 or node_zfs_zpool_state > 1"),
    "general names": Case(
        {
            "app/metrics.py": 'from prometheus_client import Gauge\nGauge("http_a_b", "x")\nGauge("http_a_c", "x")\n',
            "rules.yml": rules("http_a_d > 1"),
        }
    ),
    "not in the saved body of the job": alone(
        'a_down{job="a"} > 1', ("error", "a_down finds nothing: the saved /metrics"), a_dot_prom=BODY
    ),
    "of another job than the saved body's": alone('a_down{job="b"} > 1', a_dot_prom=BODY),
    "of no job": alone("a_down > 1", a_dot_prom=BODY),
    "maybe not born yet": alone(
        'a_down{job="a"} > 1', ("warning", "a_down finds"), a_dot_prom=BODY + 'go_info{version="go1"} 1\n'
    ),
    "of the other of two services": Case(
        {
            "a/Dockerfile": "",
            "a/m.py": 'from prometheus_client import Gauge\nGauge("a_x", "x")\n',
            "b/Dockerfile": "",
            "b/m.py": 'from prometheus_client import Gauge\nGauge("b_x", "x")\n',
            "prometheus.yml": "scrape_configs:\n- job_name: a\n- job_name: b\n",
            "rules.yml": rules('a_x{job="b"} > 1 or a_x{job="a"} > 1 or process_open_fds{job="b"} > 1'),
        },
        [("error", "a_x finds nothing: job b does not export it, job a does")],
    ),
}
LABELS = {
    "known": shop('rate(shop_orders_total{outcome="failed", team="carts", job="shop"}[5m]) > 1'),
    "unknown": shop(
        'rate(shop_orders_total{result="failed"}[5m]) > 1', ("error", "shop_orders_total has no label result")
    ),
    "that may be missing": shop('rate(shop_orders_total{result!="failed", kind=~"a|", other=""}[5m]) > 1'),
    "by which is summed": shop(
        "sum by (result) (rate(shop_orders_total[5m])) > 1",
        ("warning", "shop_orders_total has no label result to sum by"),
    ),
    "that are made": shop('sum by (x) (label_replace(shop_orders_total, "x", "$1", "outcome", "(.*)")) > 1'),
    "of any target": alone('shop_orders_total{cluster="x"} > 1', shop_dot_py=SHOP),
    "of no target": alone(
        'shop_orders_total{result="x"} > 1', ("warning", "shop_orders_total has no"), shop_dot_py=SHOP
    ),
    "mapped from discovery": Case(
        {
            "shop/metrics.py": SHOP,
            "rules.yml": rules('shop_carts_open{zone="x"} > 1'),
            "prometheus.yml": f"{JOBS}  relabel_configs:\n  - {{action: labelmap, regex: __meta_(.+)}}\n",
        }
    ),
    "of a saved body": alone('a_up{job="a", zone="x"} > 1', a_dot_prom=BODY),
    "values that are documented": alone(
        'kube_pod_status_phase{phase="Runing"} > 0', ("warning", "phase of kube_pod_status")
    ),
    "one of the values": alone(
        'kube_pod_status_phase{phase=~"Pending|Faild"} > 0', ("warning", "phase of kube_pod_status")
    ),
    "right values": alone('kube_pod_status_phase{phase=~"Pending|Failed", namespace="x", phase!="Unknown"} > 0'),
}
BUCKETS = {
    "there": shop('rate(shop_answer_seconds_bucket{le="0.1"}[5m]) > 1'),
    "infinite": shop('rate(shop_answer_seconds_bucket{le="+Inf"}[5m]) > 1'),
    "not there": shop(
        'rate(shop_answer_seconds_bucket{le="0.2"}[5m]) > 1', ("error", "shop_answer_seconds_bucket has no")
    ),
    "written otherwise": shop(
        'rate(shop_answer_seconds_bucket{le="1"}[5m]) > 1', ("error", "the bound is written 1.0")
    ),
    "written so": shop('rate(shop_answer_seconds_bucket{le="1.0"}[5m]) > 1'),
    "one of two": shop('rate(shop_answer_seconds_bucket{le=~"1|1.0"}[5m]) > 1'),
    "quantile": alone('a_s{quantile="0.9"} > 1', ("error", "a_s has no quantile 0.9"), a_dot_prom=BODY),
    "quantile that is there": alone('a_s{quantile="0.5"} > 1', a_dot_prom=BODY),
}
RENAMED = {
    "old": alone("node_cpu > 1", ("warning", "node_cpu is called node_cpu_seconds_total")),
    "both": alone("node_cpu > 1 or node_cpu_seconds_total > 1"),
    "recorded": Case(
        {"rules.yml": rules("node_cpu > 1"), "more.yml": rules("node_cpu_seconds_total", name="record: node_cpu")}
    ),
    "a version that has it": alone(
        "node_cpu > 1", compose_dot_yml="services:\n  node:\n    image: prom/node-exporter:v0.15.2\n"
    ),
    "a version that has it no more": alone(
        "node_cpu > 1",
        ("error", "node_cpu is called"),
        compose_dot_yml="services:\n  node:\n    image: prom/node-exporter:v1.8.2\n",
    ),
}
TABLES = [
    (metric_not_exported, METRICS),
    (label_not_exported, LABELS),
    (bucket_not_exported, BUCKETS),
    (metric_renamed, RENAMED),
]


@pytest.mark.parametrize(
    ("check", "case"),
    [pytest.param(check, case, id=f"{check.id}-{name}") for check, table in TABLES for name, case in table.items()],
)
def test_what_is_said(check: type, case: Case, tmp_path: Path) -> None:
    """Each system has these findings of the check, and no other."""
    for name, text in case.files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    model = Model.of(tmp_path, load_system(tmp_path) if FILE in case.files else None)

    found = [(str(finding.severity), finding.message) for finding in check.findings(model)]  # type: ignore[attr-defined]

    assert [severity for severity, _ in found] == [severity for severity, _ in case.said], found
    assert all(message.startswith(said) for (_, message), (_, said) in zip(found, case.said, strict=True)), found


@pytest.mark.parametrize(
    ("name", "known", "like"),
    [
        ("process_resident_memory_byte", "process_resident_memory_bytes", True),
        ("probe_sucess", "probe_success", True),
        ("shop_odrers_total", "shop_orders_total", True),
        ("shop_orders", "shop_orders_total", True),
        ("shop_orders_totl", "shop_orders_total", True),
        ("node_load5", "node_load1", False),
        ("node_load15", "node_load1", False),
        ("shop_a_total", "shop_b_count", False),
        ("shop_carts_open", "shop_carts_opened", False),
        ("up", "up1", False),
        ("http_a_b_total", "http_a_c_total", False),
        ("shop_orders_total", "shop_orders_total", False),
    ],
)
def test_slips(name: str, known: str, like: bool) -> None:
    """A slip of the hand is one, a number or another word is none; it does not matter who is whose."""
    assert slip(name, known) is like
    assert slip(known, name) is like


@given(
    st.lists(st.text("abc", min_size=4, max_size=8), min_size=2, max_size=4),
    st.integers(0, 29),
    st.sampled_from("xyz"),
)
def test_one_letter_less_or_more_is_a_slip(words: list[str], at: int, letter: str) -> None:
    """Wherever it is, in whatever words."""
    name = "_".join(words)
    at %= len(name)

    assert slip(name, name[:at] + letter + name[at:])
    assert slip(name[:at] + letter + name[at:], name)


@pytest.mark.parametrize(
    ("op", "value", "wrong"),
    [
        ("=", "a", ()),
        ("=", "x", ("x",)),
        ("=", "", ()),
        ("!=", "x", ("x",)),
        ("=~", "a|b", ()),
        ("=~", "a|x", ("x",)),
        ("=~", "a.*", ()),
        ("=~", "x.+", ("x.+",)),
        ("=~", ".*", ()),
        ("=~", "(", ()),
    ],
)
def test_values_that_cannot_be(op: str, value: str, wrong: tuple[str, ...]) -> None:
    """All of a matcher, or one of its alternatives; nothing of what cannot be told."""
    assert cannot_match(op, value, frozenset({"a", "b"})) == wrong
