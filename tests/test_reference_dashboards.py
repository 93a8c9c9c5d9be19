"""The dashboards of the reference system are those of its alert rules: expressions, thresholds, links, and their form.

Not proven: that Grafana draws them; there is none on the machines of these tests. The queries are asked of a real
Prometheus in test_reference_words.py.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from tests.reference_texts import (
    DASHBOARDS,
    RULES,
    RUNBOOKS,
    SYSTEM,
    alerts,
    dashboard,
    objects,
    page_id,
    panels,
)
from tocsin.promql import NumberLiteral, comparisons, parse, selectors, unwrapped

sys.path.insert(0, str(SYSTEM / "grafana"))
from boards import __main__ as boards  # the generator is a package of the system's own
from boards.alerting import Undrawable


def bare(text: str) -> str:
    """Return an expression without white space."""
    return re.sub(r"\s", "", text)


def test_the_dashboards_are_those_of_the_rules() -> None:
    """What is committed is what the generator makes of the rules as they are, and no dashboard is left over."""
    made = boards.files(boards.all_dashboards(RULES))
    assert {path for path in made if path.suffix == ".json"} == set(DASHBOARDS)
    assert [path.name for path, text in made.items() if path.read_text() != text] == []


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ("> 2.0\n", "> 2.5\n", {"dharmamind-service.json", "dashboards.md"}),
        ("> 14.4 * 0.005", "> 14.4 * 0.001", {"dharmamind-slo.json", "dashboards.md"}),
        (">= 0.70", ">= 0.75", {"dharmamind-business.json", "dashboards.md"}),
        ('up{job="prometheus"} == 0', 'up{job="prometheus"} == 1', {"dharmamind-monitoring.json", "dashboards.md"}),
        ("BackendDown.md", "BackendGone.md", {"dharmamind-service.json"}),
    ],
)
def test_a_rule_that_was_changed_alone_is_noticed(before: str, after: str, changed: set[str], tmp_path: Path) -> None:
    """With another threshold, expression or runbook in a rule, what is committed is no longer what is made."""
    text = RULES.read_text()
    assert before in text
    (tmp_path / "rules.yml").write_text(text.replace(before, after))
    made = boards.files(boards.all_dashboards(tmp_path / "rules.yml"))
    assert {path.name for path, text in made.items() if path.read_text() != text} == changed


def moved(text: str) -> str:
    """Let an alert's link lead to a panel that is another's."""
    return text.replace("dharmamind-service?viewPanel=2", "dharmamind-slo?viewPanel=2")


def renamed(text: str) -> str:
    """Add an alert that is on no dashboard."""
    rule = "{alert: Forgotten, expr: up == 0, labels: {severity: info}, annotations: {runbook_url: r, dashboard: d}}"
    return text.replace("- alert: Watchdog", f"- {rule}\n\n      - alert: Watchdog")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (moved, r"FrontendDown is shown on /d/dharmamind-service.*leads to .*dharmamind-slo"),
        (renamed, "Forgotten is on no"),
    ],
)
def test_a_link_that_leads_past_its_panel_is_refused(
    change: Callable[[str], str], message: str, tmp_path: Path
) -> None:
    """The generator makes nothing of rules whose links and panels do not agree."""
    (tmp_path / "rules.yml").write_text(change(RULES.read_text()))
    with pytest.raises(SystemExit, match=message):
        boards.all_dashboards(tmp_path / "rules.yml")


def test_rungs_that_compare_differently_are_refused(tmp_path: Path) -> None:
    """A ladder that is climbed and descended has no one set of thresholds."""
    text = RULES.read_text().replace('up{job="backend"} == 0', 'up{job="backend"} == 0 or up{job="backend"} == 7')
    (tmp_path / "rules.yml").write_text(text)
    with pytest.raises(Undrawable, match="BackendDown compare by =="):
        boards.all_dashboards(tmp_path / "rules.yml")


@pytest.mark.parametrize("name", sorted(alerts()))
def test_every_alert_has_a_panel_that_shows_it(name: str) -> None:
    """Where its link leads, a panel asks for what its rules compare, has a line where they ring, and its runbook."""
    for rule in alerts()[name]:
        link = rule["annotations"]["dashboard"]
        match = re.fullmatch(r"https://grafana\.dharmamind\.example/d/([\w-]+)\?viewPanel=(\d+)", link)
        assert match, link
        (panel,) = [
            each for each in panels(SYSTEM / f"grafana/dashboards/{match[1]}.json") if each["id"] == int(match[2])
        ]
        asked = {bare(target["expr"]) for target in panel["targets"]}
        source, tree = rule["expr"], parse(rule["expr"])
        deciding = comparisons(tree)
        sides = [side for c in deciding for side in (c.left, c.right) if selectors(side)]
        wanted = {bare(side.text(source)) for side in sides} or {bare(source)}
        assert wanted <= asked
        steps = {step["value"]: step["color"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]}
        if deciding and isinstance(unwrapped(deciding[0].right), NumberLiteral):
            assert unwrapped(deciding[0].right).value in steps
            assert panel["fieldConfig"]["defaults"]["custom"]["thresholdsStyle"] == {"mode": "line"}
        assert [each["url"] for each in panel["links"]] == [rule["annotations"]["runbook_url"]]
        assert f"{name} ({rule['labels']['severity']}): " in panel["description"]


@pytest.mark.parametrize("file", DASHBOARDS, ids=page_id)
def test_every_panel_says_what_it_shows(file: Path) -> None:
    """Each has a title, a description that says what is normal, a unit, legends, and the chosen data source."""
    for panel in panels(file):
        assert panel["title"]
        assert "\n\nNormal: " in panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][0]["value"] is None
        assert panel["targets"]
        assert [target["refId"] for target in panel["targets"]] == list("ABCDEFGH"[: len(panel["targets"])])
        for part in (panel, *panel["targets"]):
            assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        for target in panel["targets"]:
            assert target["legendFormat"]


@pytest.mark.parametrize("file", DASHBOARDS, ids=page_id)
def test_every_variable_is_used(file: Path) -> None:
    """A choice that changes nothing misleads; a name that is no choice gives no data."""
    board = dashboard(file)
    offered = {variable["name"] for variable in board["templating"]["list"]}
    text = json.dumps([board["panels"], [variable["query"] for variable in board["templating"]["list"]]])
    assert set(re.findall(r"\$\{?(\w+)", text)) == offered
    assert "datasource" in offered


@pytest.mark.parametrize("file", DASHBOARDS, ids=page_id)
def test_a_dashboard_has_what_grafana_loads(file: Path) -> None:
    """Classic model of schema 39, named as its file, with ids of its own, in a grid of 24 columns without overlap."""
    board = dashboard(file)
    assert (board["id"], board["uid"], board["schemaVersion"]) == (None, file.stem, 39)
    assert board["links"][0]["tags"] == board["tags"] == ["dharmamind"]
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    cells = Counter(
        (x, y)
        for panel in board["panels"]
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    )
    assert max(cells.values()) == 1
    assert max(x for x, _ in cells) < 24


def test_the_marks_are_of_the_dashboards_own_alerts() -> None:
    """Every alert but the watchdog leaves its mark on the dashboard that shows it, and on no other."""
    marked = []
    for file in DASHBOARDS:
        (expression,) = [each["expr"] for each in dashboard(file)["annotations"]["list"] if "expr" in each]
        matchers = {matcher.name: matcher.value for matcher in parse(expression).matchers}
        marked += matchers["alertname"].split("|")
    assert sorted(marked) == sorted(set(alerts()) - {"Watchdog"})


def services(*, compose: bool) -> set[str]:
    """Return the host names of the services of docker-compose, or of the Services in the cluster."""
    if compose:
        return set(yaml.safe_load((SYSTEM / "compose/docker-compose.yml").read_text())["services"])
    places = [o["metadata"] for o in objects() if o["kind"] == "Service"]
    return {f"{place['name']}.{place['namespace']}.svc.cluster.local" for place in places}


def test_provisioning_and_manifests_agree() -> None:
    """Grafana looks where the dashboards are mounted, gets every one of them, and asks servers that there are."""
    provider = yaml.safe_load((SYSTEM / "grafana/provisioning/dashboards/dharmamind.yml").read_text())["providers"][0]
    (grafana,) = [o for o in objects() if (o["kind"], o["metadata"]["name"]) == ("Deployment", "grafana")]
    pod = grafana["spec"]["template"]["spec"]
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    volumes = {v["configMap"]["name"]: mounts[v["name"]] for v in pod["volumes"] if "configMap" in v}
    made = yaml.safe_load((SYSTEM / "grafana/kustomization.yaml").read_text())["configMapGenerator"]
    assert volumes == {
        "grafana-dashboards": provider["options"]["path"],
        "grafana-datasources": "/etc/grafana/provisioning/datasources",
        "grafana-dashboard-providers": "/etc/grafana/provisioning/dashboards",
    }
    assert {each["name"] for each in made} == set(volumes)
    (listed,) = [each["files"] for each in made if each["name"] == "grafana-dashboards"]
    assert sorted(listed) == [f"dashboards/{file.name}" for file in DASHBOARDS]
    compose = yaml.safe_load((SYSTEM / "compose/docker-compose.yml").read_text())["services"]["grafana"]
    assert f"../grafana/dashboards:{provider['options']['path']}:ro" in compose["volumes"]
    assert "../grafana/provisioning:/etc/grafana/provisioning:ro" in compose["volumes"]
    sources = yaml.safe_load((SYSTEM / "grafana/provisioning/datasources/dharmamind.yml").read_text())["datasources"]
    set_in_cluster = {each["name"]: each.get("value", "") for each in pod["containers"][0]["env"]}
    for source in sources:
        variable = source["url"].removeprefix("${").removesuffix("}")
        assert urlsplit(compose["environment"][variable]).hostname in services(compose=True)
        assert urlsplit(set_in_cluster[variable]).hostname in services(compose=False)


def test_the_system_declares_its_words() -> None:
    """What system.yaml says of runbooks and dashboards finds all of them."""
    declared = yaml.safe_load((SYSTEM / "system.yaml").read_text())["artefacts"]
    assert sorted(path for each in declared["runbooks"] for path in SYSTEM.glob(each)) == RUNBOOKS
    assert sorted(path for each in declared["dashboards"] for path in SYSTEM.glob(each)) == DASHBOARDS
