"""The scenario player: plays a scenario with the real services and checks its expectations.

Each scenario has its own test environment. Each verb calls the service that a person, an operator or a
timer would call. Only gateways are simulated: fees go through a simulated operator, and time passes
through worker passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Final, NoReturn

from engine.core.clock import ZONE
from engine.core.problems import NOWHERE, Fact, Position, Problem, Refused, problem, refusal
from engine.core.values import Plain, new_id
from engine.domain.common.decision import Act, EntryDraft
from engine.domain.common.task_parts import parts_left
from engine.domain.common.text_provider import Wording
from engine.domain.common.working_time import add_span
from engine.domain.forms.eligibility import adopt_criteria, stopped_by
from engine.domain.forms.part_forms import example_part
from engine.domain.forms.sample_answers import adopt_answers, example_answers, example_filling
from engine.domain.workflow.available_actions import grounds_of
from engine.domain.workflow.confirmations import confirms_of
from engine.domain.workflow.linked_dossiers import link_ended
from engine.domain.workflow.transition_context import codes
from engine.integrations.registers import Found, RegisterAnswer
from engine.integrations.simulated_operator import SandboxCard
from engine.language.catalogue.catalogue import Catalogue
from engine.language.source.notation import read_span
from engine.model import APPLICANT, DRAFT, Appointment, Form, Procedure, Scenario, Step
from engine.model.roles import role_key
from engine.records.dossier import SYSTEM_ACTOR, Actor, Dossier, LinkedDossier
from engine.services.applications.casework import take_transition
from engine.services.applications.draft_answers import keep_answers
from engine.services.applications.drafts import open_dossier, send_corrections, submit
from engine.services.applications.opinions import fill_form, fill_row, give_opinion
from engine.services.appointments.bookings import book_slot, mark
from engine.services.context.app_context import NotFound, WrongAnswers
from engine.services.core.call_queue import QueuedCall
from engine.services.core.commit import carry_out, keep
from engine.services.core.register_lookups import ask_now
from engine.services.payments.order_placement import place_order
from engine.services.payments.payments import least_owed, owed, payment_methods_of, start_payment
from engine.services.payments.settlement import check_payment
from engine.simulation.environment import CARD_CHOICES, PAYERS, ScenarioEnvironment, fresh_token
from engine.simulation.expectations import ObservedDossier, instead, spot, unexpected, unmet
from engine.storage.unit_of_work import Store


class ScenarioFailed(Exception):
    """A step did not go as stated. `found` names the step and what was observed."""

    def __init__(self, found: Problem) -> None:
        super().__init__(found.code)
        self.found = found


class ScenarioRun:
    """One scenario being played: its position and its present dossier."""

    def __init__(self, procedure: Procedure, scenario: Scenario, stage: ScenarioEnvironment) -> None:
        self.procedure = procedure
        self.scenario = scenario
        self.stage = stage
        self.dossier: Dossier | None = None
        self.played = 0
        self.step: Step | None = None

    # -- scenario

    def play(self) -> None:
        """Play the whole scenario. Raises `ScenarioFailed` at the first step that does not go as stated."""
        if not self.prepare():
            return
        self.submit()
        for step in self.scenario.steps:
            self.step = step
            self.do(step)
            self._check(step)
            self.played += 1

    def prepare(self) -> bool:
        """Create a draft with all answers, not submitted.

        Return False when the scenario ends before the form, as it states. Raises `ScenarioFailed`.
        """
        self._check_names()
        day, directory = self.scenario.at, self.stage.office.directory
        missing = (*self.scenario.without, *self.scenario.holds)
        answers = example_answers(self.procedure, self.scenario.given, day, directory, missing)
        criteria = adopt_criteria(self.procedure, answers, day, directory)
        stop = stopped_by(self.procedure, criteria, day, directory)
        if self.scenario.stops is not None:
            if stop is None or stop.id != self.scenario.stops:
                self._fail("T901", what="stops", expected=self.scenario.stops, found=stop.id if stop else "nothing")
            return False
        if stop is not None:
            self._fail("T901", what="stops", expected="nothing", found=stop.id)
        self._fill_draft(answers, criteria)
        return True

    def _check_names(self) -> None:
        known = set(self.procedure.fields) | {criterion.id for criterion in self.procedure.eligibility}
        known |= {f"{field.id}_other" for field in self.procedure.fields.values() if field.other}
        for name in self.scenario.given:
            if name not in known:
                self._fail("T905", name=name, allowed=tuple(sorted(known)))

    def _fill_draft(self, answers: Mapping[str, Plain], criteria: Mapping[str, Plain]) -> None:
        """Open the draft and give all answers at once."""
        stage, channel = self.stage, self.scenario.channel
        for name in self.scenario.holds:
            stage.issue_before(self.procedure, self.procedure.fields[name], answers)
        opened = open_dossier(
            stage.office, stage.applicant, self.procedure.id, criteria=dict(criteria), channel=channel,
            token=fresh_token(),
        )  # fmt: skip
        kept = {**opened.answers, **answers}
        links = {link.id: LinkedDossier("", "") for link in self.procedure.links()}  # earlier dossiers without an owner
        filled = replace(opened, answers=kept, links=links, attachments=stage.papers(self.procedure, kept, opened.id))
        with stage.office.store.unit(write=True) as unit:
            self.dossier = keep_answers(stage.office, unit, opened, filled, "saved", stage.applicant)

    def submit(self) -> None:
        """Submit the draft; a scenario may expect a refusal. Raises `ScenarioFailed`."""
        stage, draft, wanted = self.stage, self._dossier(), set(self.scenario.refuses)
        try:
            self.dossier = submit(
                stage.office, stage.applicant, draft.id, declared=True, revision=draft.revision, token=fresh_token()
            )
        except WrongAnswers as wrong:
            refused = [one for one in wrong.problems if not one.warns]
            found = {spot(one) for one in refused}
            if found != wanted:
                facts = unexpected(self.procedure, refused, {**draft.answers, **self.scenario.given}, wanted)
                self._fail("T904", expected=tuple(sorted(wanted)), found=tuple(sorted(found)), **facts)
        else:
            if wanted:
                self._fail("T904", kind="accepted", expected=tuple(sorted(wanted)), found=())

    # -- verbs

    def do(self, step: Step) -> None:
        """Do one step by its verb and reload the dossier. Raises `ScenarioFailed`."""
        if not step.verb:
            return
        verb = _VERBS.get(step.verb)
        if verb is None:
            self._fail("T902", what=step.verb, why="unknown")
        refused_on_purpose = step.options.get("refused") is True
        try:
            verb(self, step)
        except (Refused, NotFound) as refused:  # what this person may not see counts as not found
            if not refused_on_purpose:
                self._impossible(step, refused.reason.code if isinstance(refused, Refused) else "role")
        except WrongAnswers as wrong:
            if not refused_on_purpose:
                found = tuple(sorted({spot(one) for one in wrong.problems}))
                self._fail("T902", what=_called(step), why="answers", found=found)
        else:
            if refused_on_purpose:
                self._fail("T901", what="refused", expected="refused", found="accepted")
        self.dossier = self.stage.dossier(self._dossier().id)

    def _take(self, step: Step) -> None:
        name, dossier = str(step.value), self._dossier()
        transitions = [
            transition
            for transition in self.procedure.leaving.get(dossier.state, ())
            if transition.id == name and transition.event is None
        ]
        roles = transitions[0].by if transitions else tuple(self._roles_of(name))
        filling = self._filling(transitions[0].fills, step) if transitions and transitions[0].fills else {}
        reason = str(step.options["reason"]) if "reason" in step.options else None
        fields = step.options.get("fields")
        names = [str(one) for one in fields] if isinstance(fields, list) else [str(fields)] if fields else []
        person = self._person(step, roles)
        joined: tuple[str, ...] = ()
        if transitions and "attachment" in transitions[0].asks:
            dossier, joined = self._joined(dossier, name, person)
        act = Act(name, reason, dict.fromkeys(names, reason or ""), filling, joined)
        if transitions:
            known, said = grounds_of(self.procedure, transitions[0]), step.options.get("grounds")
            grounds = tuple(map(str, said)) if isinstance(said, list) else known[:1]
            compared = self.stage.compared(
                self.procedure, dossier, person, confirms_of(self.procedure, transitions[0]), step
            )
            act = replace(act, compared=compared, grounds=grounds)
        take_transition(self.stage.office, person, dossier.id, act, revision=dossier.revision, token=fresh_token())

    def _joined(self, dossier: Dossier, act: str, person: Actor) -> tuple[Dossier, tuple[str, ...]]:
        """Attach a file to the action that asks for one, as if uploaded."""
        paper = self.stage.paper(new_id(), act, by=person.id, dossier=dossier.id)
        after = replace(dossier, attachments=(*dossier.attachments, paper))
        draft = EntryDraft("attached", {"revision": dossier.revision + 1}, {f"files.{paper.id}": paper.sha256})
        with self.stage.office.store.unit(write=True) as unit:
            return keep(self.stage.office, unit, dossier, after, [draft], person), (paper.id,)

    def _pay(self, step: Step) -> None:
        stage, dossier = self.stage, self._dossier()
        due = sum(one.left for one in owed(stage.office, stage.applicant, dossier.id))
        least = least_owed(stage.office, stage.applicant, dossier.id)
        if step.value not in ("owed", due, least):
            self._fail("T903", expected=due, found=step.value if isinstance(step.value, int) else 0)
        ending = str(step.options.get("ends", "paid"))
        name = stage.paid_through(payment_methods_of(stage.office, stage.applicant, dossier.id))
        payment = start_payment(
            stage.office, stage.applicant, dossier.id, provider=name, payer=PAYERS[ending],
            part=step.value == least != due, token=fresh_token(),
        )  # fmt: skip
        place_order(stage.office, QueuedCall("order", payment.provider, payment.id))
        connector = stage.office.providers[name]
        if isinstance(connector, SandboxCard):
            connector.choose(payment.reference, CARD_CHOICES[ending])
        stage.later(5)
        check_payment(stage.office, payment.id)

    def _book(self, step: Step) -> None:
        for appointment, start in self._pairs(step):
            task = self.procedure.tasks.get(appointment)
            by = task.proposed_by if isinstance(task, Appointment) else None
            person = self._person(step, (by or APPLICANT,))
            book_slot(
                self.stage.office, person, self._dossier().id, appointment, self.office_of(appointment),
                _local(str(start)), token=fresh_token(),
            )  # fmt: skip

    def _visit(self, step: Step) -> None:
        dossier = self._dossier()
        held = [one for one in dossier.bookings.values() if one.status == "booked"]
        if not held:
            self._fail("T902", what="visit", why="nothing_booked", state=dossier.state)
        booking = held[0]
        task = self.procedure.tasks[booking.appointment]
        end = booking.start + timedelta(minutes=booking.minutes)
        self.stage.pass_time(booking.start if step.value == "attended" else end)
        what = "attended" if step.value == "attended" else "missed"
        mark(self.stage.office, self._person(step, task.by), dossier.id, booking.appointment, what, token=fresh_token())  # type: ignore[arg-type]

    def _fill(self, step: Step) -> None:
        """Fill a later form that the state waits for, whole or by row."""
        form = self.procedure.tasks.get(str(step.value))
        if not isinstance(form, Form):
            self._fail("T902", what=str(step.value), why="unknown")
        person, office = self._person(step, form.by), self.stage.office
        if form.each is None:
            filling = self._filling(form.id, step)
            compared = self.stage.compared(self.procedure, self._dossier(), person, form.confirms, step)
            fill_form(office, person, self._dossier().id, form.id, filling, token=fresh_token(), compared=compared)
            return
        rows = step.options.get("rows")
        seen = ObservedDossier(self.procedure, self._dossier(), office, self._today())
        left = parts_left(form, self._dossier(), seen.scope)
        said = rows if isinstance(rows, list) else [{} for _ in left]
        if len(said) > len(left):
            self._fail("T902", what=form.id, why="rows", found=len(left))
        for part, row in zip(left, said, strict=False):  # those not filled yet, in order
            kept, number = self._dossier(), int(part)
            filling = self._part(form, part, row if isinstance(row, dict) else {})
            found = self.stage.compared(self.procedure, kept, person, form.confirms, step, form.each, number)
            self.dossier = fill_row(
                office, person, kept.id, form.id, number, filling, token=fresh_token(), compared=found
            )  # fmt: skip

    def _give(self, step: Step) -> None:
        """Give opinions, each as its service."""
        for name, said in self._pairs(step):
            asked = self.procedure.round_of(name)
            service = asked.service(name) if asked else None
            if asked is None or service is None:
                self._fail("T902", what=name, why="unknown")
            given: dict[str, Plain] = said if isinstance(said, dict) else {"opinion": said}
            person, answers = self._person(step, service.by), self._part(asked, name, given)
            give_opinion(self.stage.office, person, self._dossier().id, name, answers, token=fresh_token())
            self.dossier = self.stage.dossier(self._dossier().id)

    def _filling(self, form: str, step: Step) -> dict[str, Plain]:
        given, directory = step.options.get("with"), self.stage.office.directory
        said = given if isinstance(given, dict) else {}
        return example_filling(self.procedure, form, self._dossier(), said, self._today(), directory)

    def _part(self, form: Form, part: str, given: Mapping[str, Plain]) -> dict[str, Plain]:
        return example_part(
            self.procedure, form, part, self._dossier(), given, self._today(), self.stage.office.directory
        )

    def _correct(self, step: Step) -> None:
        """Answer the fields named for correction, and send them back."""
        stage, dossier = self.stage, self._dossier()
        given = dict(self._pairs(step))
        office = stage.office
        changed = adopt_answers(self.procedure, dossier.typed, given, self._today(), office.directory)
        asked = dossier.correction.fields if dossier.correction else {}
        if not asked:
            self._fail("T902", what="correct", why="nothing_to_correct", state=dossier.state)
        for name in given:
            if name not in asked:
                self._fail("T902", what=name, why="not_asked", state=dossier.state)
        answers = {**dossier.typed.answers, **changed}
        made = replace(dossier.correction, made=frozenset(given)) if dossier.correction else None
        after = replace(
            dossier, answers=answers, attachments=stage.papers(self.procedure, answers, dossier.id), correction=made
        )
        with office.store.unit(write=True) as unit:
            kept = keep_answers(office, unit, dossier, after, "corrected", stage.applicant, made=codes(given))
        send_corrections(office, stage.applicant, dossier.id, revision=kept.revision, token=fresh_token())

    def _look_up(self, step: Step) -> None:
        """Let a register answer: a result, or the answers it knows."""
        for task_id, said in self._pairs(step):
            task = self.procedure.tasks.get(task_id)
            if not isinstance(task, Form) or task.register is None:
                self._fail("T902", what=task_id, why="unknown")
            answers = said if isinstance(said, dict) else {}
            known = {field.id for field in task.fields}
            for name in answers:
                if name not in known:
                    self._fail("T905", name=name, allowed=tuple(sorted(known)))
            found: Found = "found" if isinstance(said, dict) else said  # type: ignore[assignment]
            self.stage.registers.answers[task.register] = RegisterAnswer(found, answers)
            before = self._dossier()
            after = ask_now(self.stage.office, before)
            self.stage.registers.answers.pop(task.register)
            if after.revision == before.revision:
                self._fail("T902", what=task_id, why="not_awaited", state=before.state)

    def _linked(self, step: Step) -> None:
        """Let the earlier dossier end with this outcome."""
        office = self.stage.office
        for link, said in self._pairs(step):
            ended = str(said.get("end", "granted")) if isinstance(said, dict) else str(said)
            dossier = self._dossier()
            decision = link_ended(self.procedure, dossier, link, ended, office.now(), office.directory, office.wording)
            with office.store.unit(write=True) as unit:
                self.dossier = carry_out(office, unit, dossier, decision, SYSTEM_ACTOR)

    def _wait(self, step: Step) -> None:
        span = read_span(str(step.value))
        if span is None:
            self._fail("T902", what=str(step.value), why="span")
        now, calendar = self.stage.clock.now(), self.stage.office.directory.calendar
        self.stage.pass_time(add_span(now, span, calendar))

    # -- expectations

    def _check(self, step: Step) -> None:
        dossier = self._dossier()
        if step.then is not None and dossier.state != step.then:
            self._fail("T901", what="state", expected=step.then, found=dossier.state)
        if step.expect:
            seen = ObservedDossier(self.procedure, dossier, self.stage.office, self._today())
            found = unmet(seen, step.expect)
            if found is not None:
                self._fail("T901", **found)

    # -- helpers

    def _fail(self, code: str, **facts: Fact) -> NoReturn:
        where = self.step.where if self.step else self.scenario.where
        raise ScenarioFailed(
            problem(code, where if where != NOWHERE else Position("", 1, 1), at=self.scenario.id, **facts)
        )

    def _impossible(self, step: Step, why: str) -> NoReturn:
        dossier, office = self._dossier(), self.stage.office
        places = {name: self.office_of(name) for name, _ in self._pairs(step)} if step.verb == "book" else {}
        reported = instead(self.procedure, dossier, step, why, office, places)
        self._fail("T902", what=_called(step), why=why, state=dossier.state, **reported)

    def _dossier(self) -> Dossier:
        if self.dossier is None:
            raise ScenarioFailed(problem("T902", self.scenario.where, what="dossier", why="not_sent"))
        return self.dossier

    def _today(self) -> date:
        return self.stage.clock.now().astimezone(ZONE).date()

    def _person(self, step: Step, roles: Iterable[str]) -> Actor:
        role = str(step.options.get("as", next(iter(roles), APPLICANT)))
        who = str(step.options.get("who", ""))
        return self.stage.person(role if role == APPLICANT else role_key(self.procedure, role), who)

    def _roles_of(self, name: str) -> Iterable[str]:
        return next((transition.by for transition in self.procedure.transitions if transition.id == name), ())

    def office_of(self, appointment: str) -> str:
        """Return the office of an appointment: the one the procedure names, else that of the dossier."""
        task = self.procedure.tasks.get(appointment)
        chosen: Plain = None
        if isinstance(task, Appointment) and task.office is not None:
            seen = ObservedDossier(self.procedure, self._dossier(), self.stage.office, self._today())
            found = task.office.value(seen.scope)
            chosen = found if isinstance(found, str) else None
        return str(chosen or self._dossier().office or "")

    def _pairs(self, step: Step) -> list[tuple[str, Plain]]:
        return list(step.value.items()) if isinstance(step.value, dict) else []


def _called(step: Step) -> str:
    return str(step.value) if isinstance(step.value, str) else step.verb


def _local(text: str) -> datetime:
    """Return the instant of `2026-12-02 08:30` in local time. Raises Refused("date")."""
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=ZONE)
    except ValueError:
        raise Refused(refusal("date", value=text[:40])) from None


_VERBS: Final[Mapping[str, Callable[[ScenarioRun, Step], None]]] = {
    "take": ScenarioRun._take, "pay": ScenarioRun._pay, "book": ScenarioRun._book, "visit": ScenarioRun._visit, "correct": ScenarioRun._correct,
    "look_up": ScenarioRun._look_up, "wait": ScenarioRun._wait, "do": ScenarioRun._fill, "opinion": ScenarioRun._give,
    "linked": ScenarioRun._linked,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a scenario. `states` and `acts` are what it passed through, for coverage."""

    scenario: str
    story: str
    steps: int
    failure: Problem | None
    states: frozenset[str] = frozenset()
    acts: frozenset[str] = frozenset()


def play(
    procedure: Procedure, catalogue: Catalogue, wording: Wording, scenario: Scenario, store: Store | None = None
) -> Outcome:  # fmt: skip
    """Play one scenario from an empty context, as if the edition were in force.

    In memory, unless an empty store is given, which is then closed. It raises no error on a wrong
    scenario: the failure is a problem with its place.
    """
    procedure = replace(procedure, identity=replace(procedure.identity, from_=None, until=None))
    catalogue = replace(catalogue, procedures=MappingProxyType({**catalogue.procedures, procedure.id: procedure}))
    stage = ScenarioEnvironment.set_for(catalogue, wording, scenario.at, store)
    reported = ScenarioRun(procedure, scenario, stage)
    failure: Problem | None = None
    try:
        reported.play()
    except ScenarioFailed as failed:
        failure = failed.found
    finally:
        stage.office.store.close()
    dossier = reported.dossier
    passed = {taken.source for taken in dossier.taken} | {taken.target for taken in dossier.taken} if dossier else set()
    states = passed | ({dossier.state} - {DRAFT} if dossier else set())
    acts = {f"{taken.source}.{taken.transition}" for taken in dossier.taken} if dossier else set()
    return Outcome(
        scenario.id, scenario.story.in_("fr"), reported.played, failure, frozenset(states), frozenset(acts)
    )  # fmt: skip
