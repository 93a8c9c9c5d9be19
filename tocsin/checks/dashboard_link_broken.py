"""A link to a dashboard or a panel that does not exist."""

from collections.abc import Iterator

from tocsin.artefacts.dashboards import Dashboard
from tocsin.checks import Example, Remark, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.links import DashboardLink
from tocsin.part import Part
from tocsin.source import offered


def _example(panel: str) -> Example:
    url = f"https://grafana.example/d/service?viewPanel={panel}"
    return Example(
        {
            "rules.yml": "groups:\n- name: a\n  rules:\n  - alert: Down\n    expr: up == 0\n    annotations:\n"
            f"      dashboard: {url}\n",
            "dashboards/service.json": '{"uid":"service","title":"Service","schemaVersion":39,'
            '"panels":[{"id":1,"type":"stat","title":"Up","targets":[]}]}',
        },
        at="viewPanel",
    )


@check(
    severity=Severity.WARNING,
    fix="Link to a dashboard and a panel that are there.",
    bad=_example("7"),
    good=_example("1"),
)
def dashboard_link_broken(model: Model) -> Iterator[Remark]:
    """Who follows the link while something is broken finds nothing.

    (grafana.com/docs/grafana/latest/dashboards/build-dashboards/manage-dashboard-links: a dashboard is found by its
    uid, `/d/UID`, a panel of it by `viewPanel`.)
    """
    links = model.links
    for link in links.to_dashboards:
        dashboards = links.dashboards.get(link.uid, ())
        if dashboards:
            if link.panel and not any(_has(dashboard, link.panel) for dashboard in dashboards):
                yield _remark(link, _no_panel(dashboards[0], link.panel))
            elif link.panel and all(_times(dashboard, link.panel) > 1 for dashboard in dashboards):
                titles = " and ".join(p.title for p in dashboards[0].panels if p.id == link.panel)
                yield _remark(link, f"the number {link.panel} is that of two panels, {titles}; Grafana renumbers one")
        elif link.base in links.trusted and "{" not in link.uid:
            yield _remark(link, f"no dashboard has the uid {link.uid}; {offered(link.uid, sorted(links.dashboards))}")
    for rule in model.rules:
        uid, panel = (rule.part.get("annotations", name) for name in ("__dashboardUid__", "__panelId__"))
        dashboards = links.dashboards.get(uid.text, ())
        if dashboards and panel.text and not any(_has(dashboard, panel.text) for dashboard in dashboards):
            yield _of_annotation(panel, rule.subject, _no_panel(dashboards[0], panel.text))


def _remark(link: DashboardLink, message: str) -> Remark:
    return Remark(link.link.place, message, width=link.link.width, subject=link.link.subject)


def _of_annotation(part: Part, subject: str, message: str) -> Remark:
    return Remark(part.place, message, width=max(1, len(part.text)), subject=subject)


def _no_panel(dashboard: Dashboard, panel: str) -> str:
    titles = [f"{p.id} ({p.title})" for p in dashboard.panels if p.title and p.type != "row"][:12]
    more = f"; there are {', '.join(titles)}" if titles else ""
    return f"the dashboard {dashboard.title or dashboard.uid} has no panel {panel}{more}"


def _times(dashboard: Dashboard, panel: str) -> int:
    return sum(1 for each in dashboard.panels if each.id == panel)


def _has(dashboard: Dashboard, panel: str) -> bool:
    """Tell whether a dashboard has a panel of a number, or may: one without a number is given any."""
    return any(not each.id or each.id == panel for each in dashboard.panels)
