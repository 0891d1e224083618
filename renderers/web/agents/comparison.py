"""Comparison of answers with pieces on the page of an act or a later form: each answer beside its piece."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from engine.core.problems import refusal
from engine.core.values import Text
from engine.domain.common.access import may_read_file
from engine.domain.fields.views import FieldView, PageView
from engine.domain.forms.comparisons import SAME, TYPED, ComparedAnswer
from engine.records.dossier import Dossier
from engine.services.applications.comparisons import Compared, ComparedPiece, read_comparison_of
from renderers.html.controls import DrawingContext, error_summary, problem_sentence
from renderers.web.agents.answers import Paper, field_named, paper, piece_value, written_lines
from renderers.web.platform.dossier_context import drawing, label
from renderers.web.platform.request_context import actor, app_ctx, language, say, site
from renderers.web.shared.agent_dossier import AgentCase, refusal_text

_DATE_BOX: Final = re.compile(r"_(?:day|month|year)$")
MARK: Final = "act-compared"  # a hidden control: the mark of what the page showed


@dataclass(frozen=True, slots=True)
class AnswerToCompare:
    """One answer: its box, and the control for what the piece says, empty where nothing can be typed."""

    name: str
    label: str
    text: str
    ticked: bool
    error: str
    control: str  # HTML
    is_open: bool


@dataclass(frozen=True, slots=True)
class PieceToCompare:
    """One piece: its files, a note where there is none, and the answers to compare with it."""

    id: str
    title: str
    files: tuple[Paper, ...]
    note: str
    answers: tuple[AnswerToCompare, ...]


@dataclass(frozen=True, slots=True)
class DrawnComparison:
    """All pieces to compare, the errors with the ids of their controls, and the mark of what is compared."""

    pieces: tuple[PieceToCompare, ...]
    errors: tuple[tuple[str, str], ...]
    mark: str = ""


def compared_of(
    one: AgentCase, name: str, raw: Mapping[str, Sequence[str]] | None, row: int | None = None
) -> Compared:  # fmt: skip
    """Return what an act, a later form or its row asks this agent to compare, with what was posted."""
    return read_comparison_of(app_ctx(), actor(), one.id, name, raw, row)


def drawn_comparison(
    one: AgentCase, name: str, raw: Mapping[str, Sequence[str]], judged: bool, row: int | None = None
) -> DrawnComparison:  # fmt: skip
    """Return the comparison as the page shows it. Errors are shown only if `judged`.

    Boxes ticked beside other answers or files than those of now are left out, with an error.
    """
    found, draw = compared_of(one, name, raw if judged or raw else None, row), drawing(one)
    changed: tuple[tuple[str, str], ...] = ()
    if is_outdated(raw, found):
        found, judged = compared_of(one, name, without_comparison(raw), row), False
        changed = (("#compare", refusal_text(one.procedure, refusal("compared_changed"))),)
    pieces = tuple(_piece(one, piece, draw, judged) for piece in found.pieces)
    errors = (error for piece in found.pieces for answer in piece.answers for error in _errors(answer, draw))
    return DrawnComparison(pieces, tuple(errors) if judged else changed, found.mark)


def first_file(comparison: DrawnComparison) -> str:
    """Return the id of the first file to compare with, empty without one."""
    return next((file.id for piece in comparison.pieces for file in piece.files), "")


def is_outdated(raw: Mapping[str, Sequence[str]], found: Compared) -> bool:
    """Return whether the page of a post showed other answers or files than those to compare now."""
    return bool(found.mark) and bool(raw.get(MARK)) and raw[MARK][-1] != found.mark


def without_comparison(raw: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return what was posted without the boxes of a comparison and what pieces say."""
    return {name: [*said] for name, said in raw.items() if name not in (SAME, MARK) and not name.startswith(TYPED)}


def differing(one: AgentCase, after: Dossier) -> list[tuple[str, str]]:
    """Return what the pieces say otherwise in an act or a form that is previewed, by the labels of the questions."""
    new = {name: kept for name, kept in after.confirmed.items() if one.dossier.confirmed.get(name) != kept}
    named = ((field_named(one, name), name, kept) for name, kept in new.items() if kept.differs)
    return [
        (say("compare.typed", label=label(field.agents_label)), piece_value(one, name, kept))
        for field, name, kept in named
        if field is not None
    ]


def written_in_comparison(one: AgentCase, raw: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Yield what was posted in a comparison: the answers that were ticked, and what pieces say otherwise."""
    ticked = [label(field.agents_label) for name in raw.get(SAME, ()) if (field := field_named(one, name))]
    if ticked:
        yield say("compare.same"), ", ".join(ticked)
    typed = (name.removeprefix(TYPED) for name in raw if name.startswith(TYPED))
    for name in dict.fromkeys(_DATE_BOX.sub("", name) if field_named(one, name) is None else name for name in typed):
        field, path = field_named(one, name), f"{TYPED}{name}"
        for title, text in written_lines(one, [field], raw, path[: -len(field.id)]) if field is not None else ():
            yield say("compare.typed", label=title), text


def _piece(one: AgentCase, piece: ComparedPiece, draw: DrawingContext, judged: bool) -> PieceToCompare:
    files = [file for file in piece.files if may_read_file(one.procedure, one.dossier, file, actor())]
    note = ""
    if not piece.files:
        on_paper = piece.how and "upload" not in piece.how
        note = say("compare.no_file" if on_paper else "compare.not_given")
    return PieceToCompare(
        piece.piece, label(piece.field.agents_label), tuple(paper(one, file) for file in files), note,
        tuple(_answer(answer, draw, judged) for answer in piece.answers),
    )  # fmt: skip


def _answer(answer: ComparedAnswer, draw: DrawingContext, judged: bool) -> AnswerToCompare:
    title = label(answer.asked.field.agents_label)
    view = _named(answer.control, title, judged) if answer.control is not None else None
    typed = view is not None and (view.value not in (None, "", []) or any(view.boxes))
    return AnswerToCompare(
        answer.asked.name, title, answer.text or say("compare.blank"), answer.ticked,
        problem_sentence(answer.problems[0], draw) if judged and answer.problems else "",
        site().pages.questions(_page(view), draw) if view is not None else "", typed,
    )  # fmt: skip


def _named(view: FieldView, title: str, judged: bool) -> FieldView:
    """Return the control with a label that says the piece. It is not drawn as optional."""
    text = Text.of({language(): say("compare.typed", label=title)})
    shown = view.problems if judged else ()
    return view.with_answer(label=text, required=True, definition=None, problems=shown)


def _page(view: FieldView) -> PageView:
    return PageView(view.id, view.label, None, (view,), 1, 1, True, True, view.problems)


def _errors(answer: ComparedAnswer, draw: DrawingContext) -> Iterator[tuple[str, str]]:
    for problem in answer.problems:
        yield f"#s-{answer.asked.name}", problem_sentence(problem, draw)
    if answer.control is not None and answer.control.problems:
        yield from error_summary(_page(answer.control), draw)
