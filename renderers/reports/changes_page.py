"""The report of changes as HTML: a fragment for pages of the site, and a complete page to send or print.

Both use one `ChangePage` with finished texts. The templates evaluate nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from engine.language.diff.impact import money_steps
from renderers.html.templates import Pages
from renderers.reports.changes import ChangeLine, ChangeWriter
from renderers.reports.changes_summary import COUNTS, Sides, nothing, refused, remarks, summary, title

PAGE: Final = "auditor/changes_page.html"
_LINES_OF_FILE: Final = 400
_KINDS: Final[Mapping[str, str]] = {"safe": "ok", "review": "act", "breaking": "bad", "accepted": "act"}
_SHOWN_WHOLE: Final = frozenset({"order", "kind", "leads_to", "to", "unused"})  # a sentence is clearer than two values


@dataclass(frozen=True, slots=True)
class PageLine:
    """One row of a table.

    If both values are known, `what` names the facet and `before` and `after` hold the values. Otherwise `what` is the
    whole sentence. `kind` is the colour of the tag.
    """

    label: str
    what: str
    before: str
    after: str
    running: tuple[str, ...]
    tag: str
    kind: str
    code: str


@dataclass(frozen=True, slots=True)
class PageChapter:
    """One chapter of the HTML report with its rows."""

    id: str
    title: str
    lines: tuple[PageLine, ...]


@dataclass(frozen=True, slots=True)
class ChangePage:
    """Data of the templates.

    `tags` are the numbers of changes by impact, with their colour. `accepted` are the accepted breaks with their
    reason. `file` is the difference between both files, line by line.
    """

    title: str
    nothing: str
    summary: str
    tags: tuple[tuple[str, str], ...]
    refused: str
    remarks: tuple[str, ...]
    chapters: tuple[PageChapter, ...]
    accepted: tuple[tuple[str, str], ...]
    hidden: str
    untouched: tuple[str, ...]
    file: str


def changes_html(writer: ChangeWriter, sides: Sides, show_all: bool = False) -> str:
    """Return a complete page without external files."""
    return Pages(writer.words).render(PAGE, writer.language, {"sheet": page_of(writer, sides, show_all)})


def page_of(writer: ChangeWriter, sides: Sides, show_all: bool = False, published: bool = False) -> ChangePage:
    """Return the data of the page. With `published`, both editions are public and no refusal or repair is shown."""
    compared, untouched = writer.compared, writer.compared.untouched()
    chapters = writer.chapters()
    counts = ((one, compared.count(one)) for one in COUNTS)
    return ChangePage(
        title=title(writer, sides),
        nothing=nothing(writer),
        summary=summary(writer) if compared.changes else "",
        tags=tuple((writer.say(f"changes.count.{one}", count=count), _KINDS[one]) for one, count in counts if count),
        refused="" if published else refused(writer),
        remarks=tuple(remarks(writer, labels=published)),
        chapters=tuple(
            PageChapter(one.id, one.title, tuple(_page_line(line, writer, published) for line in one.lines))
            for one in chapters
        ),
        accepted=tuple((line.label, line.accepted) for one in chapters for line in one.lines if line.accepted),
        hidden=writer.say("changes.kept", count=len(untouched)),
        untouched=tuple(map(writer.element_label, untouched)) if show_all else (),
        file=_file_difference(writer, sides),
    )


def _page_line(one: ChangeLine, writer: ChangeWriter, published: bool) -> PageLine:
    what, before, after = _sides_of(one, writer)
    running = tuple(filter(None, [*one.notes, "" if published else one.repair]))
    code = "" if published else one.change.code  # codes are of use to authors only
    return PageLine(one.label, what, before, after, running, one.tag, _KINDS[one.impact], code)


def _sides_of(one: ChangeLine, writer: ChangeWriter) -> tuple[str, str, str]:
    """Return the name of a value and both its states, or the sentence alone."""
    change = one.change
    if one.before or one.after:
        return one.what, one.before, one.after
    if change.kind != "changed" or change.key in _SHOWN_WHOLE or change.path[0] in ("migrate", "accept"):
        return one.what, "", ""
    facet = writer.now.facet(change.noun, change.key)
    steps = money_steps(change.before, change.after)
    if change.key in ("amount", "value") and change.noun in ("lines", "rows") and len(steps) == 1:
        words = writer.words
        per = writer.unit(change)
        francs = (words.money(amount, writer.language) for amount in steps[0])
        before, after = (writer.say("changes.each", amount=one, per=per) if per else one for one in francs)
        return one.what.partition("(")[2].rstrip(")") or facet, before, after
    feel = one.what.rpartition("(")[2].rstrip(")") if change.facts.get("feel") and one.what.endswith(")") else ""
    said = writer.say("changes.felt", what=facet, feel=feel) if feel else facet
    return said, writer.then.of(change.key, change.before), writer.now.of(change.key, change.after)


def _file_difference(writer: ChangeWriter, sides: Sides) -> str:
    """Return the unified difference of both files, cut after 400 lines."""
    before, after = writer.compared.before, writer.compared.after
    lines = difflib.unified_diff(
        before.source.splitlines(), after.source.splitlines(), sides.before, sides.after, lineterm="", n=2
    )
    shown = list(islice(lines, _LINES_OF_FILE))
    left = sum(1 for _ in lines)
    return "\n".join([*shown, *([writer.say("changes.cut", count=left)] if left else [])])
