"""Answers for review: question, answer and files, by section with the link to change it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from engine.domain.fields.views import FieldView, FileView, FormView, PageView
from renderers.html.controls import every_field
from renderers.html.row_pages import find_row, is_long
from renderers.i18n.translations import typographic
from renderers.web.platform.dossier_context import DossierContext, label
from renderers.web.platform.request_context import day_of, language, say, site


@dataclass(frozen=True, slots=True)
class AnswerFile:
    """A file of an answer: address, name, size in bytes, and when a sent one was received."""

    href: str
    name: str
    size: int
    received: str = ""


@dataclass(frozen=True, slots=True)
class AnswerLine:
    """One answer.

    `lacking`: required and missing, or wrong. `since`: where it comes from, when it was not typed: an earlier
    request with its day, or a verified number.
    """

    label: str
    text: str
    files: tuple[AnswerFile, ...] = ()
    lacking: bool = False
    since: str = ""


@dataclass(frozen=True, slots=True)
class AnswerSection:
    """The answers of one page or row, under their title. `href`: where they are changed, if possible."""

    title: str
    lines: tuple[AnswerLine, ...]
    href: str = ""


# The second question of each pair is on the line of the first, after the text. A key names both.
_TOGETHER: Final = {
    "account.given_names": ("account.family_name", " ", ""),
    "account.birth_place": ("account.birth_date", ", ", "check.birth"),
}


def answer_sections(one: DossierContext, form: FormView, change: str = "") -> list[AnswerSection]:
    """Return the answers by page. A row is a section, with a link to change it if it has its own page.

    `change` follows the address of the page in the link to change its answers. If empty there are no links.
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

    def at(self, row: str = "") -> str:
        """Return the address of the page or of a row, empty if answers are not changed."""
        return f"{self.address}{row}{self.change}" if self.address else ""


def _sections(one: DossierContext, page: PageView, change: str) -> Iterator[AnswerSection]:
    wrong = frozenset(problem.at for problem in page.errors)
    place = _Place(one, one.at(f"/demande/{page.id}") if change else "", change, wrong, page.known)
    lists = [view for view in page.fields if _is_list(view)]
    lines = _together(place, [view for view in page.fields if view not in lists])
    yield AnswerSection(label(page.title), (*lines, *(_summary(place, view) for view in lists)), place.at())
    for view in lists:
        yield from _row_sections(place, view, label(view.label))


def _is_list(view: FieldView) -> bool:
    return view.type == "rows" and view.shown and not view.masked


def _summary(place: _Place, view: FieldView) -> AnswerLine:
    """Return the number of rows."""
    count = place.one.rows_kept(view.path)
    text = say("row.added", count=count) if count else ""
    return AnswerLine(label(view.label), text, (), view.path in place.wrong)


def _together(place: _Place, views: list[FieldView]) -> list[AnswerLine]:
    """Return the lines of questions. Two answers that are one value for people are one line."""
    found: list[AnswerLine] = []
    source = ""
    for view in views:
        lines = list(_lines(place, view))
        field = place.one.procedure.fields.get(view.path)
        first, between, key = _TOGETHER.get((field.prefill or "") if field else "", ("", "", ""))
        before = found[-1] if found and lines and first and first == source else None
        if before and before.text and lines[0].text and not (before.lacking or lines[0].lacking):
            name = say(key) if key else f"{before.label}, {lines[0].label[:1].lower()}{lines[0].label[1:]}"
            found[-1] = replace(before, label=name, text=f"{before.text}{between}{lines[0].text}")
        else:
            found += lines
        source = (field.prefill or "") if field and lines else source
    return found


def _row_sections(place: _Place, view: FieldView, title: str) -> Iterator[AnswerSection]:
    for at, row in enumerate(view.rows[: place.one.rows_kept(view.path)]):
        name = say("row.of", group=title, label=row.label or say("rows.number", number=row.number))
        lists = [inner for inner in row.fields if _is_list(inner)]
        lines = [line for inner in row.fields if inner not in lists for line in _lines(place, inner)]
        yield AnswerSection(name, tuple(lines), place.at(f"/{view.path}.{at}") if is_long(view) else "")
        for inner in lists:
            yield from _row_sections(place, inner, f"{name}, {label(inner.label)}")


def _lines(place: _Place, view: FieldView) -> Iterator[AnswerLine]:
    """Yield the line of a question that is shown."""
    if not view.shown or view.type == "note":
        return
    field = place.one.procedure.fields.get(view.path)
    name = label(field.printed_label if field else view.label)
    faulty = any(at == view.path or at in (f"{view.path}_other", f"{view.path}_issued") for at in place.wrong)
    files = tuple(
        AnswerFile(place.one.at(f"/pieces/{file.id}"), file.name, file.size, "" if place.address else received(file))
        for file in view.files
    )
    said, is_paper = _said(view), view.type in ("file", "photo", "evidence")
    since = _since(place, view) if place.address and (files or (said and not is_paper)) else ""
    yield AnswerLine(name, said, files, faulty, since)


def received(file: FileView) -> str:
    """Return the day and the hour at which a file was received."""
    at = datetime.fromisoformat(file.received)
    return say("track.file_received", day=day_of(at), at=site().words.clock(at, language()))


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
    chosen = view.type in ("choice", "choices", "evidence")  # the words of the definition, not of the applicant
    return on_paper(view) or (typographic(view.text, language()) if chosen else view.text)


def on_paper(view: FieldView) -> str:
    """Return how evidence is shown or handed over, empty for an answer that is sent."""
    if not view.shown or view.type != "evidence" or "upload" in view.how or view.is_held:
        return ""
    return " ".join(say(f"piece.how.{how}") for how in view.how)


def papers_of(form: FormView) -> list[tuple[str, str]]:
    """Return the papers that answer a question: documents already held, files with the time of receipt, what is brought."""
    asked = [(part, view) for part in form.pages for view in every_field(part)]
    held = [(_asked_in(part, view), view.text) for part, view in asked if view.is_held]
    files = [(_kind_in(part, view), f"{file.name}, {received(file)}") for part, view in asked for file in view.files]
    brought = [(label(view.label), on_paper(view)) for part in form.pages for view in part.fields if on_paper(view)]
    return held + files + brought


def _kind_in(part: PageView, view: FieldView) -> str:
    """Return the label of the question, with the kind of paper that was chosen."""
    asked = _asked_in(part, view)
    return say("text.with_kind", label=asked, kind=view.text) if view.type == "evidence" and view.text else asked


def _asked_in(part: PageView, view: FieldView) -> str:
    """Return the label of the question, with its row."""
    found = find_row(part, view.path.rpartition(".")[0])
    if found is None:
        return label(view.label)
    return say("row.of", group=found.row.label or say("rows.number", number=found.row.number), label=label(view.label))
