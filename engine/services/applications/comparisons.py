"""PieceComparison of answers with pieces by an agent: the page to draw, and the check before an act or a later form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

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
    """A comparison being made: what was posted, its problems, and the pieces to draw."""

    comparison: PieceComparison
    problems: tuple[AnswerProblem, ...]
    pieces: tuple[ComparedPiece, ...]


NOTHING_COMPARED: Final = Compared(NOT_COMPARED, (), ())


def read_comparison_of(
    ctx: AppContext, actor: Actor, dossier_id: str, name: str, raw: Mapping[str, Sequence[str]] | None = None
) -> Compared:
    """Return what an act or a later form asks this person to compare, with what they posted.

    Saves nothing. Raises `NotFound`.
    """
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        procedure = pinned(ctx, unit, dossier)
    asked = to_compare(_moment(ctx, procedure, actor), dossier, _confirms(procedure, dossier, name))
    if not asked:
        return NOTHING_COMPARED
    evaluated = evaluate_answers(procedure, dossier, ctx.day(), ctx.directory)
    comparison = read_comparison(evaluated, asked, raw or {})
    problems = tuple(comparison_problems(evaluated, asked, comparison)) if raw is not None else ()
    showing = Showing(evaluated, speech_for(actor, dossier, ctx.wording), dossier, None, actor)
    lines = tuple(compared_answers(showing, asked, comparison, problems))
    pieces = dict.fromkeys(one.piece for one in asked)
    return Compared(
        comparison, problems, tuple(_piece(procedure, dossier, piece, lines) for piece in pieces)
    )  # fmt: skip


def _piece(procedure: Procedure, dossier: Dossier, piece: str, lines: tuple[ComparedAnswer, ...]) -> ComparedPiece:
    field, answer = procedure.fields[piece], dossier.answers.get(piece)
    files = (dossier.attachment(one) for one in files_of(answer))
    return ComparedPiece(
        piece, field, field.evidence.how if field.evidence else (), tuple(one for one in files if one is not None),
        tuple(one for one in lines if one.asked.piece == piece),
    )  # fmt: skip


def _confirms(procedure: Procedure, dossier: Dossier, name: str) -> Confirms:
    """Return what an act of the present state, or a later form, confirms. Nothing for another name."""
    transition = next((one for one in procedure.leaving.get(dossier.state, ()) if one.id == name), None)
    if transition is not None:
        return confirms_of(procedure, transition)
    form = procedure.tasks.get(name)
    return form.confirms if isinstance(form, Form) else {}


def check_comparison(
    ctx: AppContext, procedure: Procedure, dossier: Dossier, actor: Actor, confirms: Confirms, compared: PieceComparison
) -> None:  # fmt: skip
    """Raise `WrongAnswers` with a problem at each answer that was left, or typed wrongly."""
    asked = to_compare(_moment(ctx, procedure, actor), dossier, confirms)
    if not asked:
        return
    evaluated = evaluate_answers(procedure, dossier, ctx.day(), ctx.directory)
    found = tuple(comparison_problems(evaluated, asked, compared))
    if any(not one.warns for one in found):
        raise WrongAnswers(found)


def _moment(ctx: AppContext, procedure: Procedure, actor: Actor) -> Moment:
    return Moment(procedure, actor, ctx.now(), ctx.directory, ctx.wording)
