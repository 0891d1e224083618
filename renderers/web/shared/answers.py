"""Answers for review: question, answer, files and the link to change it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from engine.domain.fields.views import FieldView, FormView, PageView
from renderers.html.controls import control_id
from renderers.html.row_pages import is_long
from renderers.web.platform.dossier_context import DossierContext, label
from renderers.web.platform.request_context import day_of, say


@dataclass(frozen=True, slots=True)
class AnswerFile:
    """A file of an answer: address, name, and size in bytes."""

    href: str
    name: str
    size: int


@dataclass(frozen=True, slots=True)
class AnswerLine:
    """One answer.

    `lacking`: required and missing, or wrong. `href`: where it is changed, if possible. `since`: where it comes
    from, when it was not typed: an earlier request with its day, or a verified number.
    """

    label: str
    text: str
    files: tuple[AnswerFile, ...] = ()
    href: str = ""
    lacking: bool = False
    since: str = ""


@dataclass(frozen=True, slots=True)
class AnswerSection:
    """The answers of one page or row, under their title."""

    title: str
    lines: tuple[AnswerLine, ...]


def answer_sections(one: DossierContext, form: FormView, change: str = "") -> list[AnswerSection]:
    """Return the answers by page. A row with its own page is a section.

    `change` follows the address of the page in links to change an answer. If empty there are no links.
    """
    return [section for page in form.pages for section in _sections(one, page, change) if section.lines]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where questions are changed: address (empty if they are not), suffix, and paths of faults.

    `known`: the verified number answers the page.
    """

    one: DossierContext
    address: str
    change: str
    wrong: frozenset[str]
    known: bool = False


def _sections(one: DossierContext, page: PageView, change: str) -> Iterator[AnswerSection]:
    wrong = frozenset(problem.at for problem in page.errors)
    place = _Place(one, one.at(f"/demande/{page.id}") if change else "", change, wrong, page.known)
    long = [view for view in page.fields if _is_list(view)]
    lines = [line for view in page.fields if view not in long for line in _lines(place, view, place.address)]
    yield AnswerSection(label(page.title), (*lines, *(_summary(place, view) for view in long)))
    for view in long:
        yield from _row_sections(place, view, label(view.label))


def _is_list(view: FieldView) -> bool:
    return view.type == "rows" and view.shown and not view.masked and is_long(view)


def _summary(place: _Place, view: FieldView) -> AnswerLine:
    """Return the number of rows, with a link to their list."""
    href = f"{place.address}{place.change}#{control_id(view.path)}" if place.address else ""
    count = place.one.rows_kept(view.path)
    text = say("row.added", count=count) if count else ""
    return AnswerLine(label(view.label), text, (), href, view.path in place.wrong)


def _row_sections(place: _Place, view: FieldView, title: str) -> Iterator[AnswerSection]:
    for at, row in enumerate(view.rows[: place.one.rows_kept(view.path)]):
        name = say("row.of", group=title, label=row.label or say("rows.number", number=row.number))
        address = f"{place.address}/{view.path}.{at}" if place.address else ""
        long = [inner for inner in row.fields if _is_list(inner)]
        lines = [line for inner in row.fields if inner not in long for line in _lines(place, inner, address)]
        yield AnswerSection(name, tuple(lines))
        for inner in long:
            yield from _row_sections(place, inner, f"{name}, {label(inner.label)}")


def _lines(place: _Place, view: FieldView, address: str, before: str = "") -> Iterator[AnswerLine]:
    """Yield a question, or the rows of a group in its list. `before` names the row around it."""
    if not view.shown or view.type == "note":
        return
    name = f"{before} – {label(view.label)}" if before else label(view.label)
    changes = not view.computed and (view.type != "evidence" or "upload" in view.how or view.options)
    href = f"{address}{place.change}" if address and changes else ""
    if view.type != "rows":
        yield _line(place, view, name, href)
        return
    rows = view.rows[: place.one.rows_kept(view.path)]
    if not rows:
        yield AnswerLine(name, "", (), href, view.path in place.wrong)
    for row in rows:
        title = row.label or say("rows.number", number=row.number)
        for inner in row.fields:
            yield from _lines(place, inner, address, f"{before}, {title}" if before else title)


def _line(place: _Place, view: FieldView, name: str, href: str) -> AnswerLine:
    faulty = any(at == view.path or at in (f"{view.path}_other", f"{view.path}_issued") for at in place.wrong)
    files = tuple(AnswerFile(place.one.at(f"/pieces/{file.id}"), file.name, file.size) for file in view.files)
    anchor = "piece-" if view.type in ("file", "photo", "evidence") else ""
    address, said = f"{href}#{anchor}{control_id(view.path)}" if href else "", _said(view)
    since = _since(place, view) if place.address and (files or (said and anchor == "")) else ""
    return AnswerLine(name, said, files, address, faulty, since)


def _since(place: _Place, view: FieldView) -> str:
    """Return that an answer was verified, or comes from an earlier request, with its day. Empty otherwise."""
    reused = place.one.dossier.reused
    if place.known and view.type == "phone":
        return say("tasks.proven")
    if reused is None or view.path.partition(".")[0] not in reused.fields:
        return ""
    at = min((datetime.fromisoformat(file.received) for file in view.files), default=reused.sent_at)
    day = day_of(at)
    return say("reuse.paper" if view.files else "reuse.line", day=day)


def _said(view: FieldView) -> str:
    """Return the answer in words. Evidence shown or handed over says how."""
    if view.masked:
        return "•••"
    on_paper = view.type == "evidence" and "upload" not in view.how and not view.is_held
    if on_paper:
        return " ".join(say(f"piece.how.{how}") for how in view.how)
    return view.text
