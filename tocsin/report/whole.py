"""All reports of a run at once: what one drill does to a renderer must not take the reports of the others with it."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

from rich.console import Console

from tocsin.case import CaseResult
from tocsin.drill.judge import DrillResult, defective
from tocsin.report.console import print_drills
from tocsin.report.results import Results, as_json, write_results
from tocsin.source import Place
from tocsin.verdict import Verdict, inconclusive


@dataclass(frozen=True, slots=True)
class Rendered:
    """What can be written of a run."""

    results: Results
    """The results as they can be shown: a drill that no renderer can take is inconclusive in all of them."""
    page: str
    """report.html."""

    def write(self, folder: Path) -> None:
        """Write results.json and report.html into the run's folder."""
        from tocsin.report.html import write_page  # noqa: PLC0415 as below

        write_results(folder, self.results)
        write_page(folder, self.page)


def rendered(folder: Path, results: Results) -> Rendered:
    """Return the reports of a run whose folder is `folder`. A defect of a renderer is never raised.

    If a drill is what it stumbles over, that drill becomes inconclusive, with the exception named and its evidence;
    else a case of the reports themselves does, and the page says so in place of what it should have shown.
    """
    try:
        return Rendered(results, _page(folder, results))
    except Exception as error:  # noqa: BLE001 whatever it was, the reports are written
        found = _without_culprits(folder, results)
        try:
            return Rendered(found, _page(folder, found))
        except Exception:  # noqa: BLE001 no single drill is to blame
            return _bare(results, error)


def _page(folder: Path, results: Results) -> str:
    """Return the page; raises whatever any of the renderers raises on these results."""
    from tocsin.report.html import render  # noqa: PLC0415 a second of imports, which only a run's end needs

    as_json(results)
    print_drills(Console(file=io.StringIO()), results.drills, "")
    return render(folder, results)


def _without_culprits(folder: Path, results: Results) -> Results:
    drills, said = [], {}
    for drill in results.drills:
        shown = _shown(folder, results, drill)
        drills.append(shown)
        if shown is not drill:
            said[drill.name] = shown.verdict
    return replace(results, drills=drills, cases=[_case(case, said) for case in results.cases])


def _shown(folder: Path, results: Results, drill: DrillResult) -> DrillResult:
    try:
        _page(folder, replace(results, drills=[drill], cases=[]))
    except Exception as error:  # noqa: BLE001 this drill is to blame
        return defective(drill.name, drill.evidence.folder, "shown", error)
    return drill


def _case(case: CaseResult, said: dict[str, Verdict]) -> CaseResult:
    """Return the case of a drill with the verdict that it has in the reports."""
    verdict = said.get(case.subject) if case.id.startswith(f"{case.subject}@") else None
    return case if verdict is None else replace(case, verdict=verdict)


def _bare(results: Results, error: Exception) -> Rendered:
    reason = f"a defect of Tocsin, please report it: report.html could not be made: {type(error).__name__}: {error}"
    case = CaseResult(
        "reports-are-made@report.html", "static", "report.html", Place("report.html"), inconclusive(reason)
    )
    page = f"<!DOCTYPE html><title>{escape(results.system)}</title><p>{escape(reason)}; see results.json</p>"
    return Rendered(replace(results, cases=[*results.cases, case]), page)
