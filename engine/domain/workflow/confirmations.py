"""Confirmed answers: which ones an agent compares with a piece, and what the dossier keeps of the comparison.

A value that differs from the answer stands beside it and never replaces it. It is refused where it would change
a condition, a price or what a register is asked: the applicant then corrects the answer.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Final

from engine.core.clock import local_day
from engine.core.problems import Refusal, Refused, refusal
from engine.core.values import Plain
from engine.domain.common.access import may_read, may_read_whole
from engine.domain.common.decision import PieceComparison
from engine.domain.fields.field_types import is_asked, kind_of
from engine.domain.fields.raw_answers import OTHER
from engine.domain.fields.scope import Values, evaluate_answers
from engine.domain.workflow.fee_quotes import quotes
from engine.domain.workflow.transition_context import Moment, TransitionContext, codes
from engine.language.expressions.compiler import expression_of, tree
from engine.language.expressions.nodes import And, Node, Not, Or
from engine.model import SYSTEM, Field, Form, Procedure, Transition
from engine.model.types import Expression, Scope
from engine.records.dossier import ConfirmedAnswer, Dossier

Confirms = Mapping[str, tuple[str, ...]]
_DETAIL: Final = f"_{OTHER}"
_NOT_CONDITIONS: Final = frozenset({  # parts of a procedure whose expressions decide nothing
    "value", "default", "example", "bounds", "definitions", "scenarios", "notices", "things", "leaving", "migrate", "accept",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class ToCompare:
    """One answer to compare with a piece: its name, the piece, its question and what is stored.

    `detail` is the text of « Autre ». Of a column of `rows`, the name is `voyageurs.0.nom`.
    """

    name: str
    piece: str
    field: Field
    kept: Plain = None
    detail: bool = False
    rows: str = ""
    row: int = 0

    @property
    def is_typed(self) -> bool:
        """Whether an agent may type what the piece says. Files, rows and computed values are only ticked."""
        return is_asked(self.field) and self.field.type not in ("evidence", "file", "photo", "rows", "note")


def confirms_of(procedure: Procedure, transition: Transition) -> Confirms:
    """Return what an act confirms, with what the later form that it fills confirms: piece → answers."""
    form = procedure.tasks.get(transition.fills or "")
    found = dict(transition.confirms)
    for piece, names in form.confirms.items() if isinstance(form, Form) else ():
        found[piece] = tuple(dict.fromkeys((*found.get(piece, ()), *names)))
    return found


def to_compare(
    moment: Moment, dossier: Dossier, confirms: Confirms, rows: str | None = None, row: int | None = None
) -> tuple[ToCompare, ...]:  # fmt: skip
    """Return the answers that the moment's actor compares, each once, piece by piece.

    With `rows` they are columns of that row, none without its number. Only agents compare. Hidden answers, and those
    that the agent may not read, are left out. So are whole rows with a column that they may not read. An answer with
    several pieces is compared with the first that is asked for.
    """
    if moment.actor.kind != "agent" or not confirms or (rows is not None and row is None):
        return ()
    procedure, values, fields = moment.procedure, moment.scope(dossier).values, moment.procedure.fields
    assert isinstance(values, Values)
    if rows is not None and row is not None:
        known = values.rows(rows)
        if row >= len(known) or not may_read(procedure, dossier, rows, moment.actor):
            return ()
        values, fields = known[row], {column.id: column for column in fields[rows].rows}
    found: dict[str, ToCompare] = {}
    for piece, names in confirms.items():
        for one in _shown(fields, values, piece, names):
            if one.name not in found and may_read_whole(procedure, dossier, one.field, moment.actor):
                found[one.name] = one
    if rows is None or row is None:
        return tuple(found.values())
    return tuple(replace(one, name=f"{rows}.{row}.{name}", rows=rows, row=row) for name, one in found.items())


def _shown(fields: Mapping[str, Field], values: Values, piece: str, names: Iterable[str]) -> Iterator[ToCompare]:
    if not values.shows(piece):
        return
    for name in names:
        detail = name not in fields
        field = fields.get(name.removesuffix(_DETAIL) if detail else name)
        if field is not None and values.shows(field.id) and not (detail and values[name] is None):
            kept = values.answers.get(name) if is_asked(field) else kind_of(field).plain(values.get(name))
            yield ToCompare(name, piece, field, kept, detail)


def all_same(asked: Iterable[ToCompare], differs: Mapping[str, Plain]) -> PieceComparison:
    """Return the comparison in which every answer is equal, except those in `differs`."""
    return PieceComparison(tuple(one.name for one in asked if one.name not in differs), differs)


def comparison_refused(asked: Iterable[ToCompare], compared: PieceComparison) -> Refusal | None:
    """Return why a comparison is not complete: `unconfirmed` with its answers, or `unknown_answer`."""
    known = {one.name: one for one in asked}
    said = {*compared.same, *compared.differs}
    strange = sorted(said - known.keys()) + sorted(name for name in compared.differs if not known[name].is_typed)
    if strange:
        return refusal("unknown_answer", field=strange[0])
    left = tuple(name for name in known if name not in said)
    return refusal("unconfirmed", fields=left) if left else None


# -- what the dossier keeps --------------------------------------------------------------------------------------------


def confirm(
    passage: TransitionContext, moment: Moment, asked: tuple[ToCompare, ...], compared: PieceComparison, role: str
) -> TransitionContext:
    """Return the context with the answers of `to_compare` confirmed. Raises `Refused`."""
    refused = comparison_refused(asked, compared)
    if refused is not None:
        raise Refused(refused)
    found = {one.name: _confirmed(moment, one, compared) for one in asked}
    changed = [one for one in asked if found[one.name].differs]
    if changed and matters(moment, passage.dossier, {one.name: found[one.name].value for one in changed}, changed[0]):
        raise Refused(refusal("difference_matters", fields=tuple(one.name for one in changed)))
    return note_confirmed(passage, found, role)


def _confirmed(moment: Moment, one: ToCompare, compared: PieceComparison) -> ConfirmedAnswer:
    value = compared.differs.get(one.name, one.kept)
    return ConfirmedAnswer(value, one.piece, moment.actor.id, moment.now, value != one.kept)


def note_confirmed(
    passage: TransitionContext, found: Mapping[str, ConfirmedAnswer], role: str
) -> TransitionContext:  # fmt: skip
    """Return the context with these answers confirmed, and a journal entry for each piece."""
    if not found:
        return passage
    passage = passage.with_(confirmed={**passage.dossier.confirmed, **found})
    for piece in dict.fromkeys(one.piece for one in found.values()):
        here = {name: one for name, one in found.items() if one.piece == piece}
        body: dict[str, Plain] = {
            "piece": piece, "by": role, "compared": codes(here),
            "differs": codes(name for name, one in here.items() if one.differs),
        }  # fmt: skip
        passage = passage.note("confirmed", body, commitments_of(here))
    return passage


def commitments_of(found: Mapping[str, ConfirmedAnswer]) -> dict[str, Plain]:
    """Return confirmed answers as the journal commits to them, with piece and person."""
    return {
        f"confirmed.{name}": {"value": one.value, "piece": one.piece, "by": one.by, "differs": one.differs}
        for name, one in found.items()
    }


def still_confirmed(
    procedure: Procedure, before: Mapping[str, Plain], after: Mapping[str, Plain], confirmed: Mapping[str, ConfirmedAnswer]
) -> Mapping[str, ConfirmedAnswer]:  # fmt: skip
    """Return the confirmations that changed answers leave: neither the answer nor its piece changed.

    A computed value may depend on any answer, so every change clears it, in a row too. Other answers of a row follow it
    to its new place.
    """
    if not confirmed or before == after:
        return confirmed
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    computed = {name for name, field in procedure.fields.items() if field.value is not None}
    computed |= {
        f"{field.id}.{one.id}" for field in procedure.fields.values() for one in field.rows if one.value is not None
    }
    found = {}
    for name, one in confirmed.items():
        rows, _, column = name.partition(".")
        if not column and not {name, f"{name}{_DETAIL}", one.piece} & changed and name not in computed:
            found[name] = one
        number, _, inner = column.partition(".")
        if not column or f"{rows}.{inner}" in computed:
            continue
        if (place := _place_of_row(before.get(rows), after.get(rows), number)) is not None:
            found[f"{rows}.{place}.{inner}"] = one
    return found


def _place_of_row(before: Plain, after: Plain, number: str) -> int | None:
    """Return where the row of that number is now, None where it changed or is gone."""
    old, new = (one if isinstance(one, list) else [] for one in (before, after))
    at = int(number)
    if at >= len(old):
        return None
    same = [place for place, row in enumerate(new) if row == old[at]]
    stays = at in same
    return at if stays else next((place for place in same if place >= len(old) or new[place] != old[place]), None)


def with_answers(passage: TransitionContext, moment: Moment, answers: Mapping[str, Plain]) -> TransitionContext:
    """Return the context with these answers, without the confirmations of changed ones."""
    before = passage.dossier
    kept = still_confirmed(moment.procedure, before.answers, answers, before.confirmed)
    return passage.with_(answers=answers, confirmed=kept)


# -- registers ---------------------------------------------------------------------------------------------------------


def matched(moment: Moment, dossier: Dossier, task: Form) -> dict[str, ConfirmedAnswer]:
    """Return the answers that a register returned equal, with its values.

    Case, accents, spaces and hyphens are ignored. A hidden or blank answer matches nothing.
    """
    values = moment.scope(dossier).values
    assert isinstance(values, Values)
    found = {}
    for mine, theirs in task.matches.items():
        given, answer = dossier.answers.get(theirs), dossier.answers.get(mine)
        if values.get(mine) is not None and given not in (None, "") and folded(answer) == folded(given):
            found[mine] = ConfirmedAnswer(given, task.id, moment.actor.id, moment.now)
    return found


def match_again(passage: TransitionContext, moment: Moment, task: Form) -> TransitionContext:
    """Return the context with what a register confirms now. What it confirmed at an earlier look-up no longer counts."""
    found = matched(moment, passage.dossier, task)
    kept = {name: one for name, one in passage.dossier.confirmed.items() if one.piece != task.id}
    return note_confirmed(passage.with_(confirmed=kept), found, SYSTEM)


def folded(plain: Plain) -> str:
    """Return an answer as one word without case, accents, spaces and hyphens, to compare it with a register's."""
    flat = unicodedata.normalize("NFKD", str(plain)).casefold()
    return "".join(sign for sign in flat if sign.isalnum())


# -- values that differ ------------------------------------------------------------------------------------------------


def matters(moment: Moment, dossier: Dossier, changed: Mapping[str, Plain], place: ToCompare) -> bool:
    """Return True when these values would change a condition, a price or a look-up if they replaced the answers.

    A register that was asked for another name says nothing of the name on the piece. All values are of the row of
    `place`, or of no row.
    """
    other = replace(dossier, answers=_with_values(dossier.answers, changed, place))
    before, after = (_judged(moment, one, place) for one in (dossier, other))
    return before != after


def _with_values(
    answers: Mapping[str, Plain], changed: Mapping[str, Plain], place: ToCompare
) -> dict[str, Plain]:  # fmt: skip
    rows = answers.get(place.rows)
    if not place.rows or not isinstance(rows, list):
        return {**answers, **changed}
    mine = {name.rpartition(".")[2]: value for name, value in changed.items()}
    kept = [{**row, **mine} if at == place.row and isinstance(row, dict) else row for at, row in enumerate(rows)]
    return {**answers, place.rows: kept}


def _judged(moment: Moment, dossier: Dossier, place: ToCompare) -> list[object]:
    """Return the value of every condition, every price and every answer sent to a register.

    The conditions inside the row are counted too.
    """
    procedure = moment.procedure
    evaluated = evaluate_answers(procedure, dossier, local_day(moment.now), moment.directory)
    scopes = [evaluated.scope, *([evaluated.values.rows(place.rows)[place.row].scope] if place.rows else [])]
    values: list[object] = [one.value(scope) for scope in scopes for one in procedure.once(_conditions)]
    sent = [folded(dossier.answers.get(name)) for task in procedure.forms() for name in task.sends]
    return [*values, *_prices(moment, dossier, evaluated.scope), *sent]


def _prices(moment: Moment, dossier: Dossier, scope: Scope) -> list[tuple[str, int, bool]]:
    found = quotes(moment.procedure, scope, dossier.language, moment.wording)
    return [(one.fee, one.amount, one.exempt) for one in found]


def _conditions(procedure: Procedure) -> tuple[Expression, ...]:
    """Return every condition of a procedure, split at `and`, `or` and `not`.

    A part that decides nothing yet may decide once other answers are known.
    """
    parts = (part for one in _expressions(procedure) for part in _parts(tree(one)))
    return tuple({repr(part): expression_of(part, "") for part in parts}.values())


def _parts(node: Node) -> Iterator[Node]:
    if isinstance(node, And | Or):
        for item in node.items:
            yield from _parts(item)
    elif isinstance(node, Not):
        yield from _parts(node.item)
    else:
        yield node


def _expressions(part: object) -> Iterator[Expression]:
    if isinstance(part, Expression):
        if part.names:
            yield part
    elif is_dataclass(part):
        for one in fields(part):
            if one.name not in _NOT_CONDITIONS:
                yield from _expressions(getattr(part, one.name))
    elif isinstance(part, Mapping):
        for inner in part.values():
            yield from _expressions(inner)
    elif isinstance(part, tuple):
        for inner in part:
            yield from _expressions(inner)
