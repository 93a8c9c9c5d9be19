"""Pages of Markdown: headings, anchors, links, blocks of code, with their places."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.artefacts.runbooks import Runbook, slug

PAGE = """\
Title of *old* style
====================

See [the other](Other.md#a-section) and <https://example.com/a>, or https://example.com/b.
`[no link](none.md)` and ![picture](p.png)

## What: `is` it? ##

1. Ask:

   ```promql
   up{job="a"}

   sum by (job) (
     rate(x[5m])
   )
   ```

~~~
# no heading [no](link.md)
~~~

## What is it?
## What is it?

<a name="given"></a>
<h2 align="center">In <b>HTML</b></h2>

[named]: ../third.md "title"
"""


def test_a_page_is_read() -> None:
    page = Runbook("docs/a.md", PAGE)

    assert [(each.level, each.title) for each in page.headings] == [
        (1, "Title of old style"),
        (2, "What: is it?"),
        (2, "What is it?"),
        (2, "What is it?"),
    ]
    assert page.anchors == {"title-of-old-style", "what-is-it", "what-is-it-1", "what-is-it-2", "given", "in-html"}
    targets = ["Other.md#a-section", "https://example.com/a", "https://example.com/b", "p.png", "../third.md"]
    assert sorted(link.target for link in page.links) == sorted(targets)
    for link in page.links:
        line = PAGE.split("\n")[link.place.line - 1]
        assert line[link.place.column - 1 :].lstrip("<").startswith(link.target)


def test_expressions_are_parted_by_blank_lines() -> None:
    found = list(Runbook("docs/a.md", PAGE).expressions())

    assert [part.text for part in found] == ['up{job="a"}', "sum by (job) (\n  rate(x[5m])\n)"]
    assert [part.place.line for part in found] == [12, 14]
    assert PAGE.split("\n")[11][found[0].place.column - 1 :] == 'up{job="a"}'


@pytest.mark.parametrize(
    ("title", "anchor"),
    [
        ("Alert Name: KubePodCrashLooping", "alert-name-kubepodcrashlooping"),
        ("A_b - c", "a_b---c"),
        ("Über 5 %", "über-5-"),
    ],
)
def test_anchors_are_those_of_github(title: str, anchor: str) -> None:
    assert slug(title) == anchor


@given(st.text(alphabet="#`~[]()<> \n\r-=abc:/.", max_size=300))
def test_any_text_is_a_page(text: str) -> None:
    page = Runbook("a.md", text)
    lines = text.split("\n")

    assert len(page.prose) <= len(lines)
    for place in [link.place for link in page.links] + [heading.place for heading in page.headings]:
        assert 1 <= place.line <= len(lines)
    assert sum(len(lines) for _, lines in page.sections()) + len(page.headings) <= len(page.prose) + len(page.headings)
