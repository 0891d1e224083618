"""The sheet of changes between two editions: for people (`text`, `html`), for machines (`json`), for a forge (`github`).

Pure functions of a `Comparison`. What did not change is masked, and counted.
"""

from __future__ import annotations

import difflib
import json
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from engine.definition.diff import Change
from engine.definition.model import Procedure
from engine.problems import Position
from renderers.annotations import annotation
from renderers.change_lines import ChangeLine, ChangeWriter, ChapterLines, Comparison, plain
from renderers.html import Pages
from renderers.problem_words import visible
from renderers.words import Words, in_language

_NAME: Final = 34  # columns
_WIDE: Final = 98
_TONES: Final[Mapping[str, str]] = {"safe": "\x1b[32m", "review": "\x1b[33m", "breaking": "\x1b[1;31m"}
_PLAIN: Final = "\x1b[0m"
_LEVELS: Final[Mapping[str, str]] = {"safe": "notice", "review": "warning", "breaking": "error"}
_KINDS: Final[Mapping[str, str]] = {"safe": "ok", "review": "act", "breaking": "bad"}
_COUNTS: Final = ("safe", "review", "accepted", "breaking")
_LINES_OF_FILE: Final = 400
TEMPLATE: Final = "auditor/changes.html"


@dataclass(frozen=True, slots=True)
class Sides:
    """How each edition is called: a commit, a file name."""

    before: str = ""
    after: str = ""


def render_changes(
    compared: Comparison,
    words: Words,
    *,
    form: str = "text",
    language: str = "fr",
    sides: Sides | None = None,
    show_all: bool = False,
    colour: bool = False,
) -> str:
    """The sheet in one of the four forms. `sides`: what the editions are called, their fingerprints otherwise."""
    writer = ChangeWriter(compared, words, language)
    named = sides or Sides(compared.before.fingerprint[:7], compared.after.fingerprint[:7])
    if form == "text":
        return changes_text(writer, named, show_all, colour)
    return _FORMS[form](writer, named, show_all)


# -- what all forms say ------------------------------------------------------------------------------------------------


def title(writer: ChangeWriter, sides: Sides) -> str:
    before, after = writer.compared.before, writer.compared.after
    return writer.say(
        "changes.title", name=in_language(after.identity.title, writer.language), before=before.edition, after=after.edition,
        before_print=sides.before, after_print=sides.after,
    )  # fmt: skip


def nothing(writer: ChangeWriter) -> str:
    """What is said when no change is felt; empty when some is."""
    if writer.compared.changes:
        return ""
    return writer.say("changes.identical" if writer.compared.identical else "changes.no_effect")


def summary(writer: ChangeWriter) -> str:
    """`Bilan : 5 sûrs, 1 à revoir, 2 ruptures. 1 742 dossiers en cours.`"""
    compared = writer.compared
    counts = [(one, compared.count(one)) for one in _COUNTS]
    said = writer.say(
        "changes.summary",
        counts=", ".join(writer.say(f"changes.count.{one}", count=count) for one, count in counts if count),
    )
    running = compared.counts.dossiers if compared.counts else 0
    if running:
        said += " " + writer.say("changes.dossiers", count=writer.words.amount(running, writer.language))
    return said


def refused(writer: ChangeWriter) -> str:
    """Why it cannot be published; empty when it can."""
    breaks = [writer.say("changes.refused_one", code=one.code, at=one.at) for one in writer.compared.refused()]
    return writer.say("changes.refused", breaks=" ; ".join(dict.fromkeys(breaks))) if breaks else ""


def _remarks(writer: ChangeWriter) -> Iterator[str]:
    compared = writer.compared
    if compared.changes and compared.before.edition == compared.after.edition:
        yield writer.say("changes.same_edition")
    renames = compared.renames()
    if renames:
        yield writer.say("changes.renamed", names=", ".join(f"{old} → {new}" for old, new in renames.items()))


# -- text --------------------------------------------------------------------------------------------------------------


def changes_text(writer: ChangeWriter, sides: Sides, show_all: bool = False, colour: bool = False) -> str:
    """What `guichet diff` prints."""
    said = nothing(writer)
    if said and not show_all:
        return "\n".join([said, *_remarks(writer)]) + "\n"
    untouched = writer.compared.untouched()
    hidden = writer.say("changes.kept" if show_all else "changes.hidden", count=len(untouched))
    lines = [title(writer, sides), f"  {writer.say('changes.legend')}   {hidden}"]
    lines += [f"  {remark}" for remark in _remarks(writer)]
    for chapter in writer.chapters():
        lines += ["", chapter.title.upper()]
        for one in chapter.lines:
            lines += _text_of(one, writer, colour)
    if show_all:
        lines += ["", writer.say("changes.kept", count=len(untouched)).upper()]
        lines += [f"    {writer.element_label(one)}" for one in untouched]
    lines += ["", said] if said else ["", summary(writer), *filter(None, [refused(writer)])]
    return "\n".join(visible_line(line) for line in lines) + "\n"


def visible_line(line: str) -> str:
    """A line that cannot move the cursor, its colours kept."""
    kept = line
    for tone in (*_TONES.values(), _PLAIN):
        kept = kept.replace(tone, f"\ue000{tone[1:]}\ue001")
    return visible(kept).replace("\ue000", "\x1b").replace("\ue001", "")


def _text_of(one: ChangeLine, writer: ChangeWriter, colour: bool) -> Iterator[str]:
    tag = one.tag.upper() + (f"  {one.change.code}" if one.change.code else "")
    tag = f"{_TONES[one.impact]}{tag}{_PLAIN}" if colour else tag
    head = f"  {one.mark} {one.label:<{_NAME - 4}}"
    if len(head) > _NAME:
        yield head.rstrip()
        head = " " * _NAME
    first, *others = textwrap.wrap(one.what, _WIDE - _NAME - 2, break_long_words=False) or [""]
    yield f"{head + '  ' + first:<{_WIDE}}  {tag}"
    for other in others:
        yield " " * (_NAME + 2) + other
    for apart in _apart(one, writer):
        yield f"      {apart}"
    for note in one.notes:
        yield f"      {note}"
    if one.accepted:
        yield f"      {one.accepted}"
    if one.repair:
        yield "      = " + writer.say("changes.value", facet=writer.say("changes.help"), value=one.repair)


# -- a forge -----------------------------------------------------------------------------------------------------------


def changes_github(writer: ChangeWriter, sides: Sides, show_all: bool = False) -> str:
    """One annotation a change, on the line of the later file, then the summary."""
    lines = []
    for chapter in writer.chapters():
        for one in chapter.lines:
            where = _line_of(one.change, writer.compared.after)
            name = f"{chapter.title} : {one.label}" + (f" ({one.change.code})" if one.change.code else "")
            said = "\n".join(
                filter(None, [f"{one.what}  [{one.tag}]", *_apart(one, writer), *one.notes, one.accepted, one.repair])
            )
            place: dict[str, str | int] = {"file": where.file, "line": where.line, "col": where.column}
            lines.append(annotation(_LEVELS[one.impact], said, **place, title=name))
    end = nothing(writer) or " ".join(filter(None, [summary(writer), refused(writer)]))
    return "".join([*lines, annotation("notice", end, title=title(writer, sides))])


def _line_of(change: Change, after: Procedure) -> Position:
    """What vanished has no line any more: it is told at the top of the file."""
    if change.where_after.file:
        return change.where_after
    file = after.identity.where.file
    return Position(file, 1, 1)


def _apart(one: ChangeLine, writer: ChangeWriter) -> Iterator[str]:
    """Before and after, each on its line when the sentence could not hold them."""
    if one.before or one.after:
        yield writer.say("changes.value", facet=writer.say("changes.before"), value=one.before)
        yield writer.say("changes.value", facet=writer.say("changes.after"), value=one.after)


# -- machines ----------------------------------------------------------------------------------------------------------


def changes_json(writer: ChangeWriter, sides: Sides, show_all: bool = False) -> str:
    """A stable form: keys are never renamed nor removed."""
    compared = writer.compared
    found: dict[str, Any] = {
        "procedure": compared.after.id,
        "before": _edition(compared.before, sides.before),
        "after": _edition(compared.after, sides.after),
        "identical": compared.identical,
        "exit_code": compared.severity,
        "summary": {one: compared.count(one) for one in _COUNTS} | {"unchanged": len(compared.untouched())},
        "renamed": dict(compared.renames()),
        "changes": [_plain(one, chapter, writer) for chapter in writer.chapters() for one in chapter.lines],
    }
    if show_all:
        found["unchanged"] = [list(one.path) for one in compared.untouched()]
    return json.dumps(found, ensure_ascii=False, indent=2) + "\n"


def _edition(procedure: Procedure, name: str) -> dict[str, Any]:
    return {"edition": procedure.edition, "fingerprint": procedure.fingerprint, "name": name}


def _plain(one: ChangeLine, chapter: ChapterLines, writer: ChangeWriter) -> dict[str, Any]:
    change = one.change
    accepted = change.accepted
    return {
        "kind": change.kind,
        "chapter": chapter.id,
        "path": list(change.path),
        "key": change.key,
        "at": change.at,
        "impact": change.impact,
        "code": change.code,
        "accepted": {"because": accepted.because, "edition": accepted.edition} if accepted else None,
        "label": one.label,
        "sentence": one.what,
        "notes": list(one.notes),
        "before": plain(change.before),
        "after": plain(change.after),
        "facts": {name: list(fact) if isinstance(fact, tuple) else fact for name, fact in change.facts.items()},
        "where_before": str(change.where_before) if change.where_before.file else None,
        "where_after": str(change.where_after) if change.where_after.file else None,
    }


# -- a page ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PageLine:
    """One row of a table: `kind` is the colour of its tag."""

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
    title: str
    lines: tuple[PageLine, ...]


def changes_html(writer: ChangeWriter, sides: Sides, show_all: bool = False) -> str:
    """A fragment that stands alone: a page may hold it, or a browser open it."""
    return Pages(writer.words).render(TEMPLATE, writer.language, {"sheet": page_of(writer, sides, show_all)})


@dataclass(frozen=True, slots=True)
class ChangePage:
    """What the template shows. `file` is the difference between the two files, line by line."""

    title: str
    nothing: str
    summary: str
    refused: str
    remarks: tuple[str, ...]
    chapters: tuple[PageChapter, ...]
    hidden: str
    untouched: tuple[str, ...]
    file: str


def page_of(writer: ChangeWriter, sides: Sides, show_all: bool = False) -> ChangePage:
    untouched = writer.compared.untouched()
    return ChangePage(
        title=title(writer, sides),
        nothing=nothing(writer),
        summary=summary(writer) if writer.compared.changes else "",
        refused=refused(writer),
        remarks=tuple(_remarks(writer)),
        chapters=tuple(PageChapter(one.title, tuple(map(_page_line, one.lines))) for one in writer.chapters()),
        hidden=writer.say("changes.kept", count=len(untouched)),
        untouched=tuple(map(writer.element_label, untouched)) if show_all else (),
        file=_file_difference(writer, sides),
    )


def _page_line(one: ChangeLine) -> PageLine:
    running = tuple(filter(None, [*one.notes, one.accepted, one.repair]))
    return PageLine(
        one.label, one.what, one.before, one.after, running, one.tag, _KINDS[one.impact], one.change.code
    )  # fmt: skip


def _file_difference(writer: ChangeWriter, sides: Sides) -> str:
    """The unified difference of the files as written, cut when it is long."""
    before, after = writer.compared.before, writer.compared.after
    lines = difflib.unified_diff(
        before.source.splitlines(), after.source.splitlines(), sides.before, sides.after, lineterm="", n=2
    )
    shown = list(islice(lines, _LINES_OF_FILE))
    left = sum(1 for _ in lines)
    return "\n".join([*shown, *([writer.say("changes.cut", count=left)] if left else [])])


_FORMS: Final[Mapping[str, Callable[[ChangeWriter, Sides, bool], str]]] = {
    "github": changes_github,
    "json": changes_json,
    "html": changes_html,
}
