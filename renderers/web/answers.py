"""Answers as a reader checks them: question, answer, files, and where to change it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.rules.view import FieldView, FormView, PageView
from renderers.web.base import say
from renderers.web.cases import Case, label


@dataclass(frozen=True, slots=True)
class AnswerFile:
    href: str
    name: str
    size: int


@dataclass(frozen=True, slots=True)
class AnswerLine:
    """`lacking`: required and not answered, or wrong. `href`: where it is changed, if it may be."""

    label: str
    text: str
    files: tuple[AnswerFile, ...] = ()
    href: str = ""
    lacking: bool = False


@dataclass(frozen=True, slots=True)
class AnswerSection:
    title: str
    lines: tuple[AnswerLine, ...]


def answer_sections(one: Case, form: FormView, change: str = "") -> list[AnswerSection]:
    """The form as answered. `change`: what follows the page's address in the links that change an answer."""
    sections = [AnswerSection(label(page.title), tuple(_lines(one, page, change))) for page in form.pages]
    return [section for section in sections if section.lines]


def _lines(one: Case, page: PageView, change: str) -> Iterator[AnswerLine]:
    wrong = {problem.at for problem in page.errors}
    address = one.at(f"/demande/{page.id}{change}") if change else ""
    for view in page.fields:
        if not view.shown or view.type == "note":
            continue
        changes = not view.computed and (view.type != "evidence" or "upload" in view.how or view.options)
        href = address if changes else ""
        if view.type == "rows":
            yield from _row_lines(one, view, href, wrong)
        else:
            yield _line(one, view, label(view.label), href, wrong)


def _line(one: Case, view: FieldView, title: str, href: str, wrong: set[str]) -> AnswerLine:
    faulty = any(at == view.path or at in (f"{view.path}_other", f"{view.path}_issued") for at in wrong)
    files = tuple(AnswerFile(one.at(f"/pieces/{file.id}"), file.name, file.size) for file in view.files)
    anchor = "piece-f-" if view.type in ("file", "photo", "evidence") else "f-"
    target = f"{href}#{anchor}{view.path.replace('.', '-')}" if href else ""
    return AnswerLine(title, _said(view), files, target, faulty)


def _said(view: FieldView) -> str:
    """The answer in words; a paper that is only shown or handed over says how."""
    if view.masked:
        return "•••"
    on_paper = view.type == "evidence" and "upload" not in view.how
    if on_paper:
        return " ".join(say(f"piece.how.{how}") for how in view.how)
    return view.text


def _row_lines(one: Case, view: FieldView, href: str, wrong: set[str]) -> Iterator[AnswerLine]:
    if not view.rows:
        yield AnswerLine(label(view.label), "", (), href, view.path in wrong)
    for row in view.rows:
        title = row.label or say("rows.number", number=row.number)
        for inner in row.fields:
            if inner.shown and inner.type != "note":
                yield _line(one, inner, f"{title} – {label(inner.label)}", href, wrong)
