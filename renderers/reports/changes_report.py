"""The report of changes between two editions, as `text`, `html`, `json` or `github`.

Pure functions of a `Comparison`. Unchanged elements are hidden and counted.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from engine.core.problems import Position
from engine.language.diff.compare import Change
from engine.model import Procedure
from renderers.i18n.problem_messages import visible
from renderers.i18n.translations import Translations
from renderers.reports.changes import ChangeLine, ChangeWriter, ChapterLines, Comparison, plain
from renderers.reports.changes_page import changes_html
from renderers.reports.changes_summary import COUNTS, Sides, nothing, refused, remarks, summary, title
from renderers.reports.problems import annotation

_NAME: Final = 34  # columns
_WIDE: Final = 98
_TONES: Final[Mapping[str, str]] = {"safe": "\x1b[32m", "review": "\x1b[33m", "breaking": "\x1b[1;31m"}
_PLAIN: Final = "\x1b[0m"
_LEVELS: Final[Mapping[str, str]] = {"safe": "notice", "review": "warning", "breaking": "error"}


def render_changes(
    compared: Comparison,
    words: Translations,
    *,
    form: str = "text",
    language: str = "fr",
    sides: Sides | None = None,
    show_all: bool = False,
    colour: bool = False,
) -> str:
    """Return the report in one of the four forms. `sides` names the editions. If None, fingerprints are used."""
    writer = ChangeWriter(compared, words, language)
    named = sides or Sides(compared.before.fingerprint[:7], compared.after.fingerprint[:7])
    if form == "text":
        return changes_text(writer, named, show_all, colour)
    return _FORMS[form](writer, named, show_all)


# -- text --------------------------------------------------------------------------------------------------------------


def changes_text(writer: ChangeWriter, sides: Sides, show_all: bool = False, colour: bool = False) -> str:
    """Return the text that `guichet diff` prints."""
    said = nothing(writer)
    if said and not show_all:
        return "\n".join([said, *remarks(writer)]) + "\n"
    untouched = writer.compared.untouched()
    hidden = writer.say("changes.kept" if show_all else "changes.hidden", count=len(untouched))
    lines = [
        title(writer, sides),
        f"  {writer.say('changes.legend')}   {hidden}",
        f"  {writer.say('changes.legend_impact')}",
    ]
    lines += [f"  {remark}" for remark in remarks(writer)]
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
    """Return a line without control characters, except its colours."""
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
    """Return one annotation for each change, on its line of the later file, then the summary."""
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
    """Return the line of a change. A removed element is reported on the first line."""
    if change.where_after.file:
        return change.where_after
    file = after.identity.where.file
    return Position(file, 1, 1)


def _apart(one: ChangeLine, writer: ChangeWriter) -> Iterator[str]:
    """Yield before and after on their own lines if the sentence does not hold them."""
    if one.before or one.after:
        yield writer.say("changes.value", facet=writer.say("changes.before"), value=one.before)
        yield writer.say("changes.value", facet=writer.say("changes.after"), value=one.after)


# -- machines ----------------------------------------------------------------------------------------------------------


def changes_json(writer: ChangeWriter, sides: Sides, show_all: bool = False) -> str:
    """Return the report as JSON. Keys are never renamed or removed."""
    compared = writer.compared
    found: dict[str, Any] = {
        "procedure": compared.after.id,
        "before": _edition(compared.before, sides.before),
        "after": _edition(compared.after, sides.after),
        "identical": compared.identical,
        "exit_code": compared.severity,
        "summary": {one: compared.count(one) for one in COUNTS} | {"unchanged": len(compared.untouched())},
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


_FORMS: Final[Mapping[str, Callable[[ChangeWriter, Sides, bool], str]]] = {
    "github": changes_github,
    "json": changes_json,
    "html": changes_html,
}
