"""What entering a state or taking a way does besides: documents issued or changed, fees given back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from engine.clock import local_day
from engine.definition.model import (
    Effects,
    Output,
)
from engine.records.dossier import DocumentStatus, Dossier
from engine.rules.decision import IssueOrder
from engine.rules.documents import is_in_hand, status_of
from engine.rules.passage import Moment, Passage


def apply_effects(passage: Passage, moment: Moment, effects: Effects) -> Passage:
    """Documents to issue or to change, fees to give back."""
    for output_id in effects.issues:
        new = tuple(order for order in _orders(passage, moment, output_id) if order not in passage.issue)
        passage = _replaced(replace(passage, issue=(*passage.issue, *new)), moment, new)
    passage = _restatus(passage, moment, effects.revokes, ("valid", "suspended"), "revoked")
    passage = _restatus(passage, moment, effects.suspends, ("valid",), "suspended")
    passage = _restatus(passage, moment, effects.restores, ("suspended",), "valid")
    paid = {name: percent for name, percent in effects.returns.items() if _was_paid(passage.dossier, name)}
    return replace(passage, returns=(*passage.returns, *paid.items())) if paid else passage


def _was_paid(dossier: Dossier, fee: str) -> bool:
    owed = dossier.owed.get(fee)
    return owed is not None and owed.paid > 0


def _orders(passage: Passage, moment: Moment, output_id: str) -> Iterator[IssueOrder]:
    """The documents an output calls for, save those still in hand: one, or one per row."""
    output = moment.procedure.outputs[output_id]
    scope = moment.scope(passage.dossier)
    rows = scope.get(output.per) if output.per else None
    if output.per is None:
        if output.when.holds(scope) and not _stays(passage, moment, output, None):
            yield IssueOrder(output_id)
        return
    for number, row in enumerate(rows if isinstance(rows, tuple) else ()):
        inside = scope.inside(row) if isinstance(row, Mapping) else scope
        if output.when.holds(inside) and not _stays(passage, moment, output, number):
            yield IssueOrder(output_id, number)


def _stays(passage: Passage, moment: Moment, output: Output, row: int | None) -> bool:
    """Whether the document in hand is the one. A letter tells a decision: another decision has its own, unless it is the one
    that makes the letter good again."""
    if not is_in_hand(passage.dossier, output.id, row, local_day(moment.now)):
        return False
    mine = {(one.id, "valid") for one in passage.dossier.documents if (one.output, one.row) == (output.id, row)}
    return output.kind != "letter" or bool(mine.intersection(passage.documents))


def _replaced(passage: Passage, moment: Moment, new: tuple[IssueOrder, ...]) -> Passage:
    """The letters of an earlier decision are not good any more once this one has its own."""
    wanted, day = {(order.output, order.row) for order in new}, local_day(moment.now)
    old = {
        one.id
        for one in passage.dossier.documents
        if (one.output, one.row) in wanted and status_of(one, day) in ("valid", "suspended")
    }
    return _become(passage, moment, old, "replaced")


def _restatus(
    passage: Passage, moment: Moment, outputs: Iterable[str], before: tuple[str, ...], after: DocumentStatus
) -> Passage:
    wanted = set(outputs)
    day = local_day(moment.now)
    changed = {one.id for one in passage.dossier.documents if one.output in wanted and status_of(one, day) in before}
    return _become(passage, moment, changed, after)


def _become(passage: Passage, moment: Moment, changed: Collection[str], after: DocumentStatus) -> Passage:
    if not changed:
        return passage
    kept = tuple(
        replace(one, status=after, changed_at=moment.now) if one.id in changed else one
        for one in passage.dossier.documents
    )
    told = tuple((one.id, after) for one in passage.dossier.documents if one.id in changed)
    passage = replace(passage, documents=(*passage.documents, *told))
    return passage.with_(documents=kept)
