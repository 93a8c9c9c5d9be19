"""Where links lead."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dashboard_texts import dashboard, model, panel
from tocsin.model import Model


def rules(*addresses: str) -> str:
    """Return the text of a rule file whose alerts link to some addresses."""
    alerts = [
        f"  - alert: A{i}\n    expr: up == 0\n    annotations:\n      runbook_url: {address}\n"
        for i, address in enumerate(addresses)
    ]
    return f"groups:\n- name: a\n  rules:\n{''.join(alerts)}"


def lost(found: Model) -> list[str]:
    """Return the addresses that lead nowhere, and the sections that are not there."""
    return [address for _, address, _ in found.links.lost()] + [
        f"#{name}" for _, _, name in found.links.lost_sections()
    ]


BASE = "https://github.com/owner/repository/blob/main/docs"


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        ([f"{BASE}/a.md", f"{BASE}/b.md", f"{BASE}/c.md"], [f"{BASE}/c.md"]),
        (["https://runbooks.example/a", "https://runbooks.example/b", "https://runbooks.example/c"],
         ["https://runbooks.example/c"]),
        ([f"{BASE}/a.md", "https://other.example/c.md"], []),
        (["https://x.example/a.md", "https://x.example/c.md", "https://x.example/d.md"], []),
        ([f"{BASE}/a.md#what-it-means", f"{BASE}/a.md#gone"], ["#gone"]),
        ([f"{BASE}/a.md#What-It-Means", f"{BASE}/a.md#whatitmeans"], ["#whatitmeans"]),
        (["https://x.example/docs/a#what-it-means", "https://x.example/docs/a#what_it_means"], []),
        ([f"{BASE}/a.md#{{{{ $labels.alertname }}}}", f"{BASE}/a.md#what-it-means"], []),
    ],
)  # fmt: skip
def test_what_leads_nowhere_is_lost_if_its_neighbours_are_there(
    addresses: list[str], expected: list[str], tmp_path: Path
) -> None:
    pages = {"docs/a.md": "# A\n## What it means\n", "docs/b.md": "# B\n"}

    assert lost(model(tmp_path, {"rules.yml": rules(*addresses), **pages})) == expected


def test_pages_link_to_each_other(tmp_path: Path) -> None:
    pages = {
        "runbooks/a.md": "[b](b.md) [c](c.md) [gone](gone.md) [x](#none) [top](b.md#there) [x](../README.md)\n# A\n",
        "runbooks/b.md": "# B\n## There\n",
        "runbooks/c.md": "# C\n[a](a.md)\n",
        "docs/d.md": "[e](e.md) [f](f.md)",
    }

    assert lost(model(tmp_path, pages)) == ["runbooks/gone.md", "#none"]


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("https://g.example/d/a", ("https://g.example", "a", "")),
        ("https://g.example/grafana/d/a/some-title?orgId=1&viewPanel=7&x=1", ("https://g.example/grafana", "a", "7")),
        ("https://g.example/d/a?viewPanel=panel-7", ("https://g.example", "a", "7")),
        ("https://g.example/d-solo/a?panelId=7", ("https://g.example", "a", "7")),
        ("/d/a", ("", "a", "")),
        ("https://example.com/a/b", None),
    ],
)
def test_links_to_dashboards_are_read(address: str, found: tuple[str, str, str] | None, tmp_path: Path) -> None:
    links = model(tmp_path, {"rules.yml": rules(address)}).links.to_dashboards

    assert [(link.base, link.uid, link.panel) for link in links] == ([] if found is None else [found])


def test_an_address_is_trusted_if_most_of_its_dashboards_are_there(tmp_path: Path) -> None:
    files = {"rules.yml": rules("https://g/d/a", "https://g/d/b", "https://h/d/c", "https://i/d/a", "https://i/d/x",
                                "https://i/d/y")}  # fmt: skip
    files["a.json"] = dashboard(panel(1))

    assert model(tmp_path, files).links.trusted == {"https://g"}
