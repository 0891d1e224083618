"""Replay of a dossier under an edition: the same acts, payments and look-ups at the same times, on the same answers.

Pure. Time limits apply by themselves. Acts are repeated as they were made, and refused ones are reported. The
journal contains no values, so the answers are those at the end of the dossier.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from engine.core.clock import local_day
from engine.core.problems import Refused
from engine.core.values import Plain
from engine.domain.appointments import appointments, walk_ins
from engine.domain.common.access import is_owner
from engine.domain.common.decision import NOT_COMPARED, Act, Decision, PieceComparison
from engine.domain.common.task_parts import filling_at
from engine.domain.common.text_provider import Wording
from engine.domain.documents.retention import KEEP, KEEP_DOCUMENT
from engine.domain.editions.renaming import Translation, transition_name
from engine.domain.forms.eligibility import next_criterion, stopped_by
from engine.domain.forms.pages import check_answers, live_answers
from engine.domain.forms.posted_values import keys_of
from engine.domain.workflow import actions as workflow
from engine.domain.workflow import linked_dossiers as linking
from engine.domain.workflow import opinions as gathering
from engine.domain.workflow.available_actions import grounds_of
from engine.domain.workflow.confirmations import Confirms, all_same, confirms_of, to_compare
from engine.domain.workflow.opinions import OPINION
from engine.domain.workflow.timers import time_over
from engine.domain.workflow.transition_context import Moment
from engine.journal.chain import JournalEntry
from engine.model import APPLICANT, APPLICATION, DRAFT, SYSTEM, Appointment, Form, Link, Procedure, Transition
from engine.model.directory import Directory
from engine.model.roles import role_key
from engine.records.dossier import SYSTEM_ACTOR, Actor, Booking, Dossier, Timer

_MOST_TIMERS: Final = 1000
_SAID: Final = "rejeu"  # replaces reasons, which are confidential and have no effect on a replay


@dataclass(frozen=True, slots=True)
class ReplayRefusal:
    """A recorded act, task or eligibility question that would be refused: its name, the state and the reason."""

    at: str
    state: str
    why: str


@dataclass(frozen=True, slots=True)
class Relived:
    """The result of a replay: the final dossier, the problems of its form and the refusals."""

    dossier: Dossier
    faults: tuple[tuple[str, str], ...]  # path, code
    refused: tuple[ReplayRefusal, ...]


def relive(
    translation: Translation, kept: Dossier, entries: Iterable[JournalEntry], directory: Directory, wording: Wording
) -> Relived:
    """Return a closed dossier replayed under the later edition of a translation.

    A translation with the same edition twice replays it under its own edition.
    """
    stage = _Life(translation, kept, directory, wording)
    for entry in entries:
        stage.pass_time(entry.at)
        stage.live(entry)
    if kept.closed_at is not None:
        stage.pass_time(kept.closed_at)
    return Relived(stage.dossier, tuple(stage.faults), tuple(stage.refused))


@dataclass
class _Life:
    """One dossier during its replay."""

    translation: Translation
    kept: Dossier
    directory: Directory
    wording: Wording
    dossier: Dossier = field(init=False)
    later: dict[str, Plain] = field(init=False)  # answers given after the application, by name
    timers: tuple[Timer, ...] = ()
    fired: set[tuple[str, int]] = field(default_factory=set)
    faults: list[tuple[str, str]] = field(default_factory=list)
    refused: list[ReplayRefusal] = field(default_factory=list)
    held: int = 0  # booked slots so far
    given_up: dict[str, Booking] = field(default_factory=dict)  # for a walk-in, by appointment

    def __post_init__(self) -> None:
        there = self.translation.dossier(self.kept)
        procedure = self.definition
        form = {key for asked in procedure.form.fields for key in keys_of(asked)} | {
            one.id for one in procedure.eligibility
        }
        self.later = {name: answer for name, answer in there.answers.items() if name not in form}
        changes: dict[str, Any] = {
            "state": DRAFT, "answers": {name: one for name, one in there.answers.items() if name in form}, "done": {},
            "missed": {}, "taken": (), "correction": None, "owed": {}, "bookings": {}, "documents": (), "clocks": {},
            "closed_at": None, "submitted_at": None, "form_day": None, "due_at": None, "due_paused_at": None,
            "assigned": None, "office": None, "revision": 0, "assisted": (),
        }  # fmt: skip
        self.dossier = replace(there, **changes)

    @property
    def definition(self) -> Procedure:
        """The edition of the replay."""
        return self.translation.after

    def name(self, old: Plain) -> str:
        """Return the name in the edition of the replay, the old one when it was dropped."""
        return self.translation.name(str(old)) or str(old)

    # -- time ----------------------------------------------------------------------------------------------------------

    def pass_time(self, until: datetime) -> None:
        """Fire every timer due until then, in order and each at its time."""
        for _ in range(_MOST_TIMERS):
            due = [one for one in self.timers if one.due_at <= until and self._is_left(one)]
            if not due:
                return
            first = min(due, key=lambda one: (one.due_at, one.name))
            self.fired.add((first.name, first.entry))
            try:
                self._keep(
                    time_over(self.definition, self.dossier, first.name, first.due_at, self.directory, self.wording)
                )
            except Refused:
                continue  # the timer no longer applies

    def _is_left(self, timer: Timer) -> bool:
        kept = timer.name.partition(":")[0] in (KEEP, KEEP_DOCUMENT)
        return not kept and (timer.name, timer.entry) not in self.fired

    def _keep(self, decision: Decision) -> None:
        self.dossier = replace(decision.dossier, revision=self.dossier.revision + 1)
        self.timers = decision.timers

    # -- acts ----------------------------------------------------------------------------------------------------------

    def live(self, entry: JournalEntry) -> None:
        """Replay one entry if a person or an external system caused it. Consequences follow by themselves."""
        body = entry.body if isinstance(entry.body, dict) else {}
        verb = _VERBS.get(entry.kind)
        if verb is None or "event" in body:
            return
        part = str(body.get("part") or "")
        reported = (
            body.get("transition")
            or (part if not part.isdigit() else "")
            or body.get("task")
            or body.get("appointment")
        )
        try:
            found = verb(self, entry, body)
        except Refused as closed:
            self.refused.append(
                ReplayRefusal(self.name(reported or entry.kind), self.dossier.state, closed.reason.code)
            )
            return
        if found is not None:
            self._keep(found)

    def actor(self, entry: JournalEntry, body: Mapping[str, Plain]) -> Actor:
        """Return the actor of an entry with the role they had then."""
        by = str(body.get("by") or "")
        if by == APPLICANT:
            return self.for_owner(entry)
        roles = frozenset({by}) if "/" in by else frozenset[str]()
        return Actor(entry.actor_kind, entry.actor, roles=roles)  # type: ignore[arg-type]

    def for_owner(self, entry: JournalEntry) -> Actor:
        """Return the owner, or the person who acted for them: a representative, or an agent at a counter."""
        if entry.actor == self.dossier.owner:
            return Actor("applicant", entry.actor)
        dossiers = frozenset({self.dossier.id})
        return Actor(entry.actor_kind, entry.actor, principal=self.dossier.owner, dossiers=dossiers)  # type: ignore[arg-type]

    def help(self, entry: JournalEntry, body: Mapping[str, Plain]) -> Decision | None:
        """Record the agent as an assistant from here on. Their earlier decisions remain."""
        if entry.actor not in self.dossier.assisted:
            self.dossier = replace(self.dossier, assisted=(*self.dossier.assisted, entry.actor))
        return None

    def submit(self, entry: JournalEntry, body: Mapping[str, Plain]) -> Decision | None:
        """Submit the application. Eligibility and problems are reported without stopping the replay."""
        day = local_day(entry.at)
        stop = stopped_by(self.definition, self.dossier.answers, day, self.directory)
        if stop is not None:
            self.refused.append(ReplayRefusal(stop.id, DRAFT, "ineligible"))
        left = next_criterion(self.definition, self.dossier.answers, day, self.directory)
        if left is not None:
            self.faults.append((left.id, "empty"))
        found = check_answers(self.definition, self.dossier, day, self.directory)
        self.faults += [(one.at, one.code) for one in found if not one.warns]
        live = live_answers(self.definition, self.dossier, day, self.directory)
        self.dossier = replace(self.dossier, answers=live)
        actor = self.for_owner(entry)
        actor = actor if is_owner(self.dossier, actor) else SYSTEM_ACTOR
        return workflow.submit(self.definition, self.dossier, actor, entry.at, self.directory, self.wording)

    def take(self, entry: JournalEntry, body: Mapping[str, Plain]) -> Decision | None:
        """Take the recorded transition, with a placeholder as its reason."""
        act = transition_name(self.translation.names, str(body.get("transition")))
        transitions = [one for one in self.definition.leaving.get(self.dossier.state, ()) if one.id == act]
        fills = transitions[0].fills if transitions else None
        fields = body.get("fields")
        asked = [self.translation.spot(str(one)) for one in fields] if isinstance(fields, list) else []
        files = body.get("attachments")
        given = Act(
            act, _SAID, {one: _SAID for one in asked if one}, self.filling(fills) if fills else {},
            tuple(str(one) for one in files) if isinstance(files, list) else (),
        )  # fmt: skip
        actor = self.actor(entry, body)
        if transitions:
            compared = self.compared(actor, entry, confirms_of(self.definition, transitions[0]))
            given = replace(given, compared=compared, grounds=self.grounds(transitions[0], body))
        return workflow.take(self.definition, self.dossier, given, actor, entry.at, self.directory, self.wording)

    def compared(
        self, actor: Actor, entry: JournalEntry, confirms: Confirms, rows: str | None = None, row: int | None = None
    ) -> PieceComparison:
        """Return the comparison in which every answer is equal: a difference decides nothing."""
        moment = Moment(self.definition, actor, entry.at, self.directory, self.wording)
        return all_same(to_compare(moment, self.dossier, confirms, rows, row), {})

    def grounds(self, transition: Transition, body: Mapping[str, Plain]) -> tuple[str, ...]:
        """Return the recorded grounds that the act knows, else its first."""
        known, recorded = grounds_of(self.definition, transition), body.get("grounds")
        kept = tuple(law for one in recorded if (law := self.name(one)) in known) if isinstance(recorded, list) else ()
        return kept or known[:1]

    def filling(self, form_id: str) -> dict[str, Plain]:
        """Return the recorded answers to a later form."""
        form = self.definition.tasks.get(form_id)
        names = {key for asked in form.fields for key in keys_of(asked)} if isinstance(form, Form) else set()
        return {name: answer for name, answer in self.later.items() if name in names}

    def do(self, entry: JournalEntry, body: Mapping[str, Plain]) -> Decision | None:
        """Finish the recorded task: a link, a look-up, a correction or a form."""
        task_id = self.name(body.get("task"))
        task, common = self.definition.tasks.get(task_id), (entry.at, self.directory, self.wording)
        if isinstance(task, Link):
            return linking.link_ended(self.definition, self.dossier, task_id, str(body.get("end")), *common)
        if isinstance(task, Form) and task.register is not None:
            value = str(self.later.get(task_id, "unavailable"))
            return workflow.answer_look_up(self.definition, self.dossier, task_id, value, self.later, *common)
        if task_id == APPLICATION and self.dossier.correction is not None:
            made = frozenset(self.dossier.correction.fields)
            self.dossier = replace(self.dossier, correction=replace(self.dossier.correction, made=made))
        answers = {} if task_id == APPLICATION or isinstance(task, Appointment) else self.filling(task_id)
        actor = SYSTEM_ACTOR if body.get("by") == SYSTEM else self.actor(entry, body)
        compared = self.compared(actor, entry, task.confirms) if isinstance(task, Form) else NOT_COMPARED
        return workflow.task_done(self.definition, self.dossier, task_id, actor, *common, answers, compared)

    def do_part(self, entry: JournalEntry, body: Mapping[str, Plain]) -> Decision | None:
        """Give the recorded opinion or filling. A tacit one is left to the timers."""
        if body.get("by") == SYSTEM:
            return None  # a tacit outcome: a timer writes it
        task_id, part, actor = self.name(body.get("task")), str(body.get("part")), self.actor(entry, body)
        common = (actor, entry.at, self.directory, self.wording)
        form = self.definition.tasks.get(task_id)
        if isinstance(form, Form) and form.each:
            number = int(part) if part.isdigit() else 0
            filling = filling_at(task_id, self.later, number) or {}
            compared = self.compared(actor, entry, form.confirms, form.each, number)
            return gathering.fill_row(self.definition, self.dossier, task_id, number, filling, *common, compared)
        service, besides = self.name(part), self.later.get(task_id)
        said = besides.get(service) if isinstance(besides, dict) else None
        answers: dict[str, Plain] = {**(said if isinstance(said, dict) else {}), OPINION: self.later.get(service)}
        return gathering.give_opinion(self.definition, self.dossier, service, answers, *common)

    def pay(self, entry: JournalEntry, body: Mapping[str, Plain]) -> Decision | None:
        """Pay the fees. A fee paid in full is paid in full at its new price, and a part remains the same part."""
        fees, whole = body.get("fees"), body.get("done")
        for old, amount in fees.items() if isinstance(fees, dict) else ():
            name = self.name(old)
            owed = self.dossier.owed.get(name)
            if owed is None or name in self.dossier.done:
                continue
            full = isinstance(whole, list) and old in whole
            sum_ = owed.left if full else min(owed.left, amount if isinstance(amount, int) else 0)
            payer = Actor("provider", entry.actor)
            self._keep(
                workflow.pay(
                    self.definition, self.dossier, (name,), sum_, payer, entry.at, self.directory, self.wording
                )
            )
        return None

    def book_slot(self, entry: JournalEntry, body: Mapping[str, Plain]) -> Decision | None:
        """Book the recorded slot as if no other seat were taken. A move by an agent names a role: any that may will do."""
        self.held += 1
        name, start, mover = (
            self.name(body.get("appointment")),
            datetime.fromisoformat(str(body.get("start"))),
            SYSTEM_ACTOR,
        )
        if "by" in body and (task := self.definition.tasks.get(name)) is not None:
            mover = Actor("agent", entry.actor, roles=frozenset(role_key(self.definition, one) for one in task.by))
        return appointments.place(
            self.definition, self.dossier, name, str(body.get("office")), start, {}, mover, entry.at, self.directory,
            self.wording, booking_id=f"slot {self.held}",
        )  # fmt: skip

    def give_back(self, entry: JournalEntry, body: Mapping[str, Plain]) -> Decision | None:
        """Cancel the slot: it is lost where an agent did, whose role the entry names."""
        if "by" in body:
            return self.lose(entry, {**body, "change": appointments.BY_SERVICE})
        return self._at_visit(appointments.release, entry, body)

    def lose(self, entry: JournalEntry, body: Mapping[str, Plain]) -> Decision | None:
        """Cancel the slot because of the recorded cause."""
        name, change = self.name(body.get("appointment")), str(body.get("change"))
        common = (SYSTEM_ACTOR, entry.at, self.directory, self.wording)
        return appointments.lose(self.definition, self.dossier, name, change, *common)

    def walk_in(self, entry: JournalEntry, body: Mapping[str, Plain]) -> Decision | None:
        """Record a walk-in at the recorded office."""
        self.held += 1
        known = self.dossier.bookings.get(self.name(body.get("appointment")))
        if known is not None and "instead" in body:
            self.given_up[known.appointment] = known
        there = str(body.get("office") or (known.office if known else ""))
        return walk_ins.come(
            self.definition, self.dossier, self.name(body.get("appointment")), there, SYSTEM_ACTOR, entry.at, self.directory,
            self.wording, booking_id=f"slot {self.held}",
        )  # fmt: skip

    def not_come(self, entry: JournalEntry, body: Mapping[str, Plain]) -> Decision | None:
        """Undo a walk-in. A recorded arrival is not replayed, so only walk-ins can be undone."""
        name, seat = self.name(body.get("appointment")), body.get("seat")
        known = self.dossier.bookings.get(name)
        if known is None or known.arrived_at is None:
            return None
        former = self.given_up.get(name) if "start" in body else None
        return walk_ins.not_come(
            self.definition, self.dossier, name, SYSTEM_ACTOR, entry.at, self.directory, self.wording, former=former,
            seat=seat if isinstance(seat, int) else None,
        )  # fmt: skip

    def miss(self, entry: JournalEntry, body: Mapping[str, Plain]) -> Decision | None:
        """Record that the person did not come."""
        return self._at_visit(workflow.no_show, entry, body)

    def _at_visit(self, verb: Callable[..., Decision], entry: JournalEntry, body: Mapping[str, Plain]) -> Decision:
        name = self.name(body.get("appointment"))
        return verb(self.definition, self.dossier, name, SYSTEM_ACTOR, entry.at, self.directory, self.wording)


_Verb = Callable[[_Life, JournalEntry, Mapping[str, Plain]], "Decision | None"]
_VERBS: Final[Mapping[str, _Verb]] = {
    "assisted": _Life.help, "agreed": _Life.help, "submitted": _Life.submit, "transition": _Life.take, "task_done": _Life.do, "part_done": _Life.do_part,
    "paid": _Life.pay, "booked": _Life.book_slot, "moved": _Life.book_slot, "cancelled": _Life.give_back,
    "missed": _Life.miss, "slot_lost": _Life.lose, "walked_in": _Life.walk_in, "came_late": _Life.walk_in,
    "not_come": _Life.not_come,
}  # fmt: skip


# -- differences -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """One different result. `kind`: missing, wrong, stopped, fee, refused, end, unfinished.

    `at` names the element concerned. `before` and `after` are francs or states (empty = none).
    """

    kind: str
    at: str = ""
    before: str = ""
    after: str = ""
    state: str = ""


def is_faithful(lived: Relived, kept: Dossier) -> bool:
    """Return True when a replay under the dossier's own edition gives the same state and fees.

    Otherwise its journal is not sufficient for a comparison.
    """
    prices = {name: one.amount for name, one in kept.owed.items()}
    return (
        lived.dossier.state == kept.state
        and not lived.refused
        and {name: one.amount for name, one in lived.dossier.owed.items()} == prices
    )


def differences(translation: Translation, before: Relived, after: Relived) -> tuple[Difference, ...]:
    """Return the differences under the later edition. Of several refusals only the first, which causes the others."""
    return tuple(dict.fromkeys(_differences(translation, before, after)))


def _differences(translation: Translation, before: Relived, after: Relived) -> Iterator[Difference]:
    known = {(translation.spot(at), code) for at, code in before.faults}
    for at, code in after.faults:
        if (at, code) not in known:
            yield Difference("missing" if code in ("empty", "file") else "wrong", _without_rows(at))
    yield from _prices(translation, before.dossier, after.dossier, bool(after.refused))
    for one in after.refused[:1]:
        yield Difference("stopped" if one.why == "ineligible" else "refused", one.at, state=one.state)
    end, other = before.dossier.state, after.dossier.state
    if after.dossier.closed_at is None:
        yield Difference("unfinished", before=end, after=other)
    elif (translation.state(end) or end) != other:
        yield Difference("end", before=end, after=other)


def _without_rows(at: str) -> str:
    """Return `enfants.age` for `enfants.2.age`, because row numbers differ between dossiers."""
    return ".".join(part for part in at.split(".") if not part.isdigit())


def _prices(translation: Translation, before: Dossier, after: Dossier, stopped: bool) -> Iterator[Difference]:
    then = {translation.name(name) or name: one.amount for name, one in before.owed.items()}
    now = {name: one.amount for name, one in after.owed.items()}
    for name in sorted(then.keys() | now.keys()):
        old, new = then.get(name), now.get(name)
        if old != new and not (new is None and stopped):
            yield Difference("fee", name, "" if old is None else str(old), "" if new is None else str(new))
