"""PieceComparison of answers with pieces by an agent: the page to draw, and the check before an act or a later form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from engine.core.values import Plain, fingerprint
from engine.domain.common.decision import NOT_COMPARED, PieceComparison
from engine.domain.fields.files import files_of
from engine.domain.fields.scope import evaluate_answers
from engine.domain.fields.views import AnswerProblem
from engine.domain.forms.comparisons import ComparedAnswer, compared_answers, comparison_problems, read_comparison
from engine.domain.forms.views_of_fields import Showing, speech_for
from engine.domain.workflow.confirmations import Confirms, confirms_of, to_compare
from engine.domain.workflow.transition_context import Moment
from engine.model import Field, Form, Procedure
from engine.records.dossier import Actor, Attachment, Dossier
from engine.services.context.app_context import AppContext, WrongAnswers, pinned, seen


@dataclass(frozen=True, slots=True)
class ComparedPiece:
    """A piece, its files, and the answers to compare with it. `how` says how it was to be given."""

    piece: str
    field: Field
    how: tuple[str, ...]
    files: tuple[Attachment, ...]
    answers: tuple[ComparedAnswer, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison being made: what was posted, its problems, and the pieces to draw.

    `mark` is a digest of the answers and files to compare. It differs once one of them changed.
    """

    comparison: PieceComparison
    problems: tuple[AnswerProblem, ...]
    pieces: tuple[ComparedPiece, ...]
    mark: str = ""


NOTHING_COMPARED: Final = Compared(NOT_COMPARED, (), ())


def read_comparison_of(
    ctx: AppContext, actor: Actor, dossier_id: str, name: str, raw: Mapping[str, Sequence[str]] | None = None,
    row: int | None = None,
) -> Compared:  # fmt: skip
    """Return what an act, a later form or its `row` asks this person to compare, with what they posted.

    Saves nothing. Raises `NotFound`.
    """
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        procedure = pinned(ctx, unit, dossier)
    confirms, rows = _confirms(procedure, dossier, name)
    asked = to_compare(_moment(ctx, procedure, actor), dossier, confirms, rows, row)
    if not asked:
        return NOTHING_COMPARED
    evaluated = evaluate_answers(procedure, dossier, ctx.day(), ctx.directory)
    comparison = read_comparison(evaluated, asked, raw or {})
    problems = tuple(comparison_problems(evaluated, asked, comparison)) if raw is not None else ()
    showing = Showing(evaluated, speech_for(actor, dossier, ctx.wording), dossier, None, actor)
    lines = tuple(compared_answers(showing, asked, comparison, problems))
    values, fields = evaluated.values, procedure.fields
    if rows is not None and row is not None:
        values, fields = values.rows(rows)[row], {column.id: column for column in fields[rows].rows}
    pieces = dict.fromkeys(one.piece for one in asked)
    drawn = tuple(_piece(fields[piece], values.answers.get(piece), dossier, lines) for piece in pieces)
    return Compared(comparison, problems, drawn, _mark(drawn))


def _mark(pieces: tuple[ComparedPiece, ...]) -> str:
    """Return the digest of all that the page shows. The text of an answer holds the detail of « Autre » too."""
    answers: list[Plain] = [[one.asked.name, one.asked.kept, one.text] for piece in pieces for one in piece.answers]
    files: list[Plain] = [[piece.piece, *(file.sha256 for file in piece.files)] for piece in pieces]
    return fingerprint([answers, files])


def _piece(field: Field, answer: Plain, dossier: Dossier, lines: tuple[ComparedAnswer, ...]) -> ComparedPiece:
    files = (dossier.attachment(one) for one in files_of(answer))
    return ComparedPiece(
        field.id, field, field.evidence.how if field.evidence else (), tuple(one for one in files if one is not None),
        tuple(one for one in lines if one.asked.piece == field.id),
    )  # fmt: skip


def _confirms(procedure: Procedure, dossier: Dossier, name: str) -> tuple[Confirms, str | None]:
    """Return what an act of the present state, or a later form, confirms, and the rows of that form.

    Nothing for another name.
    """
    transition = next((one for one in procedure.leaving.get(dossier.state, ()) if one.id == name), None)
    if transition is not None:
        return confirms_of(procedure, transition), None
    form = procedure.tasks.get(name)
    return (form.confirms, form.each) if isinstance(form, Form) else ({}, None)


def check_comparison(
    ctx: AppContext, procedure: Procedure, dossier: Dossier, actor: Actor, confirms: Confirms, compared: PieceComparison,
    rows: str | None = None, row: int | None = None,
) -> None:  # fmt: skip
    """Raise `WrongAnswers` with a problem at each answer that was left, or typed wrongly."""
    asked = to_compare(_moment(ctx, procedure, actor), dossier, confirms, rows, row)
    if not asked:
        return
    evaluated = evaluate_answers(procedure, dossier, ctx.day(), ctx.directory)
    found = tuple(comparison_problems(evaluated, asked, compared))
    if any(not one.warns for one in found):
        raise WrongAnswers(found)


def _moment(ctx: AppContext, procedure: Procedure, actor: Actor) -> Moment:
    return Moment(procedure, actor, ctx.now(), ctx.directory, ctx.wording)
