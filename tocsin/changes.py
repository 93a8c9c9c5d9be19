"""Only what a change brought: the findings that were not there before it, or that stand in lines that it touched."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from tocsin.engines.git import changes_since
from tocsin.finding import Finding
from tocsin.model import Model
from tocsin.static import Examination, Request, examine


def examine_changes(model: Model, request: Request, commits: str) -> Examination:
    """Examine a model, and show what is new since the start of a range of commits.

    The whole system is examined as it was and as it is: a metric that was renamed in one file breaks a rule in another
    that nobody touched. Raises BadSystem if git does not know the range.
    """
    changes = changes_since(model.folder.directory, commits)
    texts = {name: text for name, text in changes.before.items() if text is not None}
    gone = frozenset(name for name, text in changes.before.items() if text is None)
    before = Model(model.folder.with_texts(texts, without=gone), model.system)
    asked = replace(request, baseline=None, keep=None)
    known = Counter(each.finding.key for each in examine(before, asked).judged)

    def new(finding: Finding) -> bool:
        if known[finding.key] > 0:
            known[finding.key] -= 1
            return finding.place.line in changes.lines.get(finding.place.file, ())
        return True

    keep = request.keep
    return examine(model, replace(request, keep=lambda f: new(f) and (keep is None or keep(f))))
