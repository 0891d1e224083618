"""Migration of a running dossier to a later edition, or the reason why it stays. Pure: services store the result.

Fixed prices and announced dates of the earlier edition remain. Everything later follows the later edition. A
dossier that would lose something by migrating stays under its edition.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from engine.core.clock import local_day
from engine.core.problems import Fact, Refused
from engine.core.values import Plain
from engine.domain.common.decision import Decision
from engine.domain.common.task_parts import fillings, is_finished, is_in_parts, sealed_anew
from engine.domain.editions.renaming import Translation, names_in_use
from engine.domain.editions.unchecked_values import unchecked_value
from engine.domain.fields.views import AnswerProblem
from engine.domain.forms.pages import check_answers, check_filling, open_fields
from engine.domain.forms.part_forms import check_part, kept_part
from engine.domain.workflow.confirmations import commitments_of
from engine.domain.workflow.due_dates import instant_of, turn_clocks
from engine.domain.workflow.tasks import ask_parts, has_paid_more, is_satisfied, price_offsets, with_corrected_prices
from engine.domain.workflow.transition_context import Moment, TransitionContext, finished
from engine.domain.workflow.transitions import advance_until_blocked
from engine.model import APPLICATION, Appointment, Fee, Form, Procedure
from engine.model.graph import Sure, surely_done
from engine.records.dossier import Dossier, Payment

_ASKED_AGAIN: Final = timedelta(days=1)  # an operator may still report a failed payment as paid
_DETAIL: Final = "_other"


@dataclass(frozen=True, slots=True)
class Stays:
    """Why a dossier does not migrate. `facts` name the cause: `at`, or the state."""

    code: str
    facts: Mapping[str, Fact]


@dataclass(frozen=True, slots=True)
class Crossing:
    """A dossier that migrates. `before` is the dossier with the names of the later edition, `decision` what then
    changes.

    `names` are the declared names that it contained.
    """

    before: Dossier
    decision: Decision
    names: Mapping[str, str | None]


def cross(
    translation: Translation, kept: Dossier, payments: Iterable[Payment], moment: Moment, asked: str = ""
) -> Crossing | Stays:  # fmt: skip
    """Return the migration of an open dossier, or why it stays.

    `moment` uses the later edition. `asked` names who requested the migration.
    """
    stays = next(_hindrances(translation, kept, payments, moment), None)
    if stays is not None:
        return stays
    there = translation.dossier(kept)
    stays = next(_misfits(translation, kept, there, moment), None)
    if stays is not None:
        return stays
    held = _held(kept) | frozenset(names_in_use(translation.before, kept.answers))
    names = {old: new for old, new in translation.names.items() if old in held}
    body: dict[str, Plain] = {
        "from": translation.before.edition, "edition": translation.after.edition, "names": dict(names),
        **({"asked": asked} if asked else {}),
    }  # fmt: skip
    confirmed = {name: one for name, one in there.confirmed.items() if kept.confirmed.get(name) != one}
    commits = {**sealed_anew(translation.after, kept.answers, there.answers), **commitments_of(confirmed)}
    passage = _stood(TransitionContext.of(there), moment).note("migrated", body, commits)
    if not kept.is_draft:
        try:
            passage = advance_until_blocked(passage, moment)
        except Refused as refused:
            return Stays("refused", {"why": refused.reason.code})
    return Crossing(there, finished(passage, moment), names)


# -- before translating ------------------------------------------------------------------------------------------------


def _hindrances(
    translation: Translation, kept: Dossier, payments: Iterable[Payment], moment: Moment
) -> Iterator[Stays]:  # fmt: skip
    before, after = translation.before, translation.after
    if not translation.comes_over:
        yield Stays("no_map", {"edition": before.edition})
    if kept.documents:
        yield Stays("documents_issued", {"at": kept.documents[-1].output})
    if any(_may_be_paid(one, moment.now) for one in payments):
        yield Stays("payment_under_way", {})
    if _raises_price(replace(moment, procedure=before), kept):
        yield Stays("correction_priced", {})
    yield from _homeless(translation, kept)
    for name, booking in kept.bookings.items():
        if booking.status == "booked" and translation.name(name) != name:
            yield Stays("slot_held", {"at": name})
    for name, owed in kept.owed.items():
        if owed.paid and translation.name(name) is None:
            yield Stays("fee_paid", {"at": name})
    into = [new for name in kept.owed if (new := translation.name(name)) is not None]
    if len(set(into)) != len(into):
        yield Stays("fees_merged", {"at": max(into, key=into.count)})
    accepted = {one.at for one in after.accept if one.id == "R801"}
    for name in sorted(_held(kept) & _ids(before)):
        if name not in translation.names and name not in _ids(after) and name not in accepted:
            yield Stays("name_unmapped", {"at": name})


def _raises_price(moment: Moment, kept: Dossier) -> bool:
    """Return True when a correction that is not sent raised a price, which its edition takes back with the answers."""
    if kept.correction is None or kept.correction.unsent is None:
        return False
    return has_paid_more(moment, kept) or with_corrected_prices(moment, kept).owed != kept.owed


def _may_be_paid(payment: Payment, now: datetime) -> bool:
    if payment.status in ("pending", "unknown"):
        return True
    return payment.status in ("failed", "expired") and (payment.ended_at or now) > now - _ASKED_AGAIN


def _homeless(translation: Translation, kept: Dossier) -> Iterator[Stays]:
    """Yield a reason when the later edition lacks the dossier's state, or that state waits for something else."""
    if kept.is_draft:
        return
    new = translation.state(kept.state)
    there = translation.after.states.get(new) if new is not None else None
    if new is None:
        yield Stays("state_dropped", {"state": kept.state})
    elif there is None:
        yield Stays("state_unmapped", {"state": kept.state})
    elif there.mode != translation.before.state(kept.state).mode:
        yield Stays("state_otherwise", {"state": kept.state, "to": new})


def _held(kept: Dossier) -> frozenset[str]:
    """Return every name of the procedure that the dossier contains."""
    transitions = {name for one in kept.taken for name in (one.transition.partition(".")[0], one.source, one.target)}
    parts = (kept.done, kept.owed, kept.bookings, kept.clocks, kept.links, kept.missed, kept.originals)
    answers = {name for key in (*kept.answers, *kept.typed.answers) for name in (key, key.removesuffix(_DETAIL))}
    return frozenset({kept.state, *transitions, *answers, *(name for part in parts for name in part)})


def _ids(procedure: Procedure) -> frozenset[str]:
    """Return every name that an edition gives to something a dossier may contain."""
    services = (one.id for form in procedure.forms() for one in form.services)
    acts = (transition.id.partition(".")[0] for transition in procedure.transitions)
    criteria = (one.id for one in procedure.eligibility)
    return frozenset(
        {
            *procedure.things,
            *procedure.tasks,
            *procedure.fields,
            *procedure.clocks,
            *services,
            *acts,
            *criteria,
            APPLICATION,
        }
    )


# -- once translated ---------------------------------------------------------------------------------------------------


def _misfits(translation: Translation, kept: Dossier, there: Dossier, moment: Moment) -> Iterator[Stays]:
    if not kept.is_draft:
        before = {translation.name(one) for one in translation.before.state(kept.state).waits}
        scope = moment.scope(there)
        for name in moment.procedure.state(there.state).waits:
            task = moment.procedure.tasks[name]
            asked = isinstance(task, Fee) or (isinstance(task, Form) and task.register is not None)
            if asked and name not in before and not is_satisfied(task, there, scope):
                yield Stays("task_new", {"at": name})
        unchecked = unchecked_value(translation, there, scope)
        if unchecked is not None:
            yield Stays("unchecked", {"at": unchecked})
        asked_before = {translation.name(one) for one in _left_undone(translation.before, kept, moment)}
        for name in _left_undone(translation.after, there, moment):
            if name not in asked_before:
                yield Stays("task_passed", {"at": name})
    yield from _lost_columns(translation, there)
    known = {(translation.spot(one.at), one.code) for one in _faults(translation.before, kept, moment)}
    open_ = open_fields(translation.after, there)
    for one in _faults(translation.after, there, moment):
        if (one.at, one.code) not in known and one.at.partition(".")[0] not in open_:
            yield Stays("answer_missing" if one.code in ("empty", "file") else "answer_wrong", {"at": one.at})


def _left_undone(procedure: Procedure, dossier: Dossier, moment: Moment) -> Iterator[str]:
    """Yield the tasks that every way to the state of a dossier does in this edition, and that it has not done."""
    scope = replace(moment, procedure=procedure).scope(dossier)
    for name in sorted(procedure.once(_done_on_every_way)[dossier.state] - {APPLICATION}):
        task = procedure.tasks[name]
        parts = task if isinstance(task, Form) and is_in_parts(task) and task.when.holds(scope) else None
        if not is_satisfied(task, dossier, scope) or (parts is not None and not is_finished(parts, dossier, scope)):
            yield name


def _done_on_every_way(procedure: Procedure) -> Sure:
    """Return the tasks done on every way to each state, but for acts that declare that they need none (`without`)."""
    return surely_done(procedure, lambda transition: transition.without)


def _faults(procedure: Procedure, dossier: Dossier, moment: Moment) -> tuple[AnswerProblem, ...]:
    """Return the problems of the application, and of the later forms that were filled."""
    day, directory = local_day(moment.now), moment.directory
    found = [*check_answers(procedure, dossier, day, directory)]
    for form in procedure.forms():
        if not is_in_parts(form) and form.id in dossier.done:
            found += check_filling(procedure, form.id, dossier, {}, day, directory)
        for part in _filled_parts(form, dossier) if is_in_parts(form) else ():
            place = form.id if form.services else f"{form.each}.{part}"
            given = check_part(procedure, form, part, dossier, kept_part(form, part, dossier), day, directory)
            found += [replace(one, at=f"{place}.{one.at}") for one in given]
    return tuple(one for one in found if not one.warns)


def _filled_parts(form: Form, dossier: Dossier) -> Iterator[str]:
    if form.services:
        yield from (one.id for one in form.services if one.id in dossier.done)
    else:
        yield from (str(at) for at, one in enumerate(fillings(form.id, dossier.answers)) if one is not None)


def _lost_columns(translation: Translation, there: Dossier) -> Iterator[Stays]:
    """Yield a reason for each column in rows that the later edition does not have."""
    for name, asked in translation.after.fields.items():
        rows = there.answers.get(name)
        forms = (form for form in translation.after.forms() if form.each == name)
        known = {one.id for one in (*asked.rows, *(field for form in forms for field in form.fields))}
        for row in rows if asked.type == "rows" and isinstance(rows, list) else ():
            for column in row if isinstance(row, dict) else ():
                if column not in known and column.removesuffix(_DETAIL) not in known:
                    yield Stays("name_unmapped", {"at": f"{name}.{column}"})


def _stood(passage: TransitionContext, moment: Moment) -> TransitionContext:
    """Return the dossier in the state of its new edition.

    New legal time limits begin now, and a missing due date is computed. Parts without a remaining actor are
    done. A correction adds to the fixed prices what its answers cost more in this edition.
    """
    dossier = passage.dossier
    if dossier.is_draft:
        return passage
    state, calendar = moment.procedure.state(dossier.state), moment.directory.calendar
    known = moment.procedure.clocks.keys()
    kept = replace(dossier, clocks={name: one for name, one in dossier.clocks.items() if name in known})
    clocks = turn_clocks(moment.procedure, kept, state.id, moment.now, moment.scope(kept), calendar)
    passage = passage.with_(clocks=clocks)
    if state.due is None:
        passage = passage.with_(due_at=None, due_paused_at=None)
    elif dossier.due_at is None:
        passage = passage.with_(due_at=instant_of(state.due, moment.now, moment.scope(dossier), calendar))
    for name in state.waits:
        task = moment.procedure.tasks[name]
        if isinstance(task, Form) and not isinstance(task, Appointment) and is_in_parts(task):
            passage = ask_parts(passage, moment, task)
    correction = passage.dossier.correction
    if correction is None or state.mode != "correct":
        return passage
    offsets = price_offsets(replace(moment, now=correction.at), passage.dossier)
    return passage.with_(correction=replace(correction, offsets=offsets))
