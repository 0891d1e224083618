"""Demonstration data: scenarios of the procedures, played over the last three months.

Everything is done by the services that a person, an operator or a timer calls, at its own hour. What
has not happened by now is left to visitors. The persons are invented, each dossier has its own, and
each scenario is played once.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Final

from engine.core.clock import ZONE, FixedClock, local, local_day
from engine.core.problems import Refused
from engine.core.values import Plain
from engine.domain.appointments.appointments import Slot
from engine.integrations.simulated_operator import SandboxOperator, SandboxProvider
from engine.model import APPLICANT, MOBILE_MONEY, Appointment, Procedure, Scenario, Step
from engine.records.dossier import Account, Actor, Attachment, Timer
from engine.services.applications.messages import write_message
from engine.services.appointments.bookings import slots
from engine.services.audit.statistics import count_again
from engine.services.context.app_context import AppContext
from engine.services.sign_in.demo_accounts import invented_applicant
from engine.services.worker.worker import deliver_letters, run_timers
from engine.simulation.environment import ScenarioEnvironment, ScenarioRegister, keep_specimen
from engine.simulation.player import ScenarioFailed, ScenarioRun
from engine.storage.files.attachments import StoredFile

log = logging.getLogger("guichet.demo")

DAYS: Final = 92  # how many days back the first one begins
OFTEN: Final = 46  # dossiers of a procedure that every citizen asks for in person
SELDOM: Final = 4  # of any other
_SELDOM_DAYS: Final = 25
_NEW: Final = 6  # of these, how many began in the last days
MOST_PROCEDURES: Final = 40  # whatever the size of the catalogue
_DRAFTS: Final = 11  # one dossier in so many is a draft
_WRITES: Final = 7  # one applicant in so many writes a message
_NEAR: Final = timedelta(days=400)  # a date of a scenario this near its day moves with it
_OPENING_HOURS: Final = (time(8), time(16))
_TODAY: Final = 0.5  # share of the bookings that take place today, where possible
_LOOKED_AT: Final = 40  # slots to choose from


class _Now(Exception):
    """The scenario has reached the present."""


@dataclass(frozen=True, slots=True)
class DemoScenario:
    """A planned dossier: its person, its scenario and its start."""

    person: Account
    procedure: Procedure
    story: Scenario
    begins: datetime
    draft: bool
    asks: bool  # whether its owner writes a message at the end


def before_stories(ctx: AppContext) -> AppContext:
    """Return the context on the day before the first scenario.

    Editions published with it apply to the dossiers of the demonstration.
    """
    return replace(ctx, clock=FixedClock(ctx.now() - timedelta(days=DAYS + 3)))


def play_scenarios(ctx: AppContext, ledger: Callable[[FixedClock], SandboxOperator]) -> Iterator[str]:
    """Create the missing dossiers of a demonstration, one at each step.

    Yield the account of each. `ledger` returns its operator for a clock. No worker pass may run during
    a step: due timers then fire at their own hour.
    """
    end, made = ctx.now(), False
    with ctx.store.unit() as unit:
        agents = unit.accounts("agent")
    try:
        for one in planned(ctx, end):
            if not _begun(ctx, one.person):
                continue
            made = True
            try:
                _report(ctx, ledger, one, agents, end)
            except Exception:  # a failure must not stop the others
                log.exception("the story %s of %s", one.story.id, one.procedure.id)
            yield one.person.id
    finally:
        if made:
            count_again(ctx)  # they are older than what was counted


def _begun(ctx: AppContext, person: Account) -> bool:
    """Return whether this process plays the scenario of a person.

    It then creates their account, which no other process has.
    """
    with ctx.store.unit() as unit:
        if unit.account(person.id) is not None:
            return False
    with ctx.store.unit(write=True) as unit:
        if unit.account(person.id) is not None:
            return False
        unit.put_account(person)
    return True


# -- plan --------------------------------------------------------------------------------------------------------------


def planned(ctx: AppContext, end: datetime) -> tuple[DemoScenario, ...]:
    """Return who asks for what, in order of time; the same persons at each start."""
    return tuple(sorted(_planned(ctx, end), key=lambda one: one.begins))


def _planned(ctx: AppContext, end: datetime) -> Iterator[DemoScenario]:
    number = 0
    for name in sorted(ctx.catalogue.procedures)[:MOST_PROCEDURES]:
        procedure = ctx.catalogue.procedures[name]
        stories = [one for one in procedure.scenarios if not one.stops and not one.refuses and not one.holds]
        chance = random.Random(procedure.id)
        for at, days in enumerate(_ages(procedure, chance) if stories else ()):
            number += 1
            story = stories[0] if at % 2 == 0 else stories[(at + 1) // 2 % len(stories)]
            draft = number % _DRAFTS == 0
            begins = _hour(end, chance.uniform(1, 20) if draft else days, chance)
            first = procedure.identity.from_
            if first is None or local_day(begins) >= first:
                person = invented_applicant(number, "" if story is stories[0] else _sex_of_examples(procedure))
                yield DemoScenario(person, procedure, story, begins, draft, number % _WRITES == 0)


def _ages(procedure: Procedure, chance: random.Random) -> list[float]:
    """Return how many days ago each dossier began: spread over the period, and some in the last days."""
    count, days, new = (OFTEN, DAYS, _NEW) if _is_everybodys(procedure) else (SELDOM, _SELDOM_DAYS, 1)
    spread = [days * (1 - (at + chance.random()) / (count - new)) for at in range(count - new)]
    return spread + [chance.uniform(0.1, 4) for _ in range(new)]


def _sex_of_examples(procedure: Procedure) -> str:
    """Return the sex the scenarios were written for: they may depend on it."""
    asked = (one for one in procedure.form.fields if one.prefill == "account.sex")
    return next((one.options[0].code for one in asked if one.options), "")


def _is_everybodys(procedure: Procedure) -> bool:
    visits = any(isinstance(task, Appointment) for task in procedure.tasks.values())
    return visits and set(procedure.identity.audience) == {"natural_person", "national"}


def _hour(end: datetime, days: float, chance: random.Random) -> datetime:
    """Return a time about so many days ago, at an hour when people are awake."""
    day = local(end - timedelta(days=days))
    at = day.replace(hour=chance.randint(7, 20), minute=chance.randint(0, 59), second=0, microsecond=0)
    return min(at, end - timedelta(minutes=30))


# -- one scenario ------------------------------------------------------------------------------------------------------


@dataclass
class _Stage(ScenarioEnvironment):
    """The context of the demonstration at the hour of the scenario.

    Its agents are the accounts that may sign in.
    """

    agents: tuple[Account, ...] = field(kw_only=True)
    end: datetime = field(kw_only=True)
    chance: random.Random = field(kw_only=True)
    named: dict[str, int] = field(default_factory=dict)
    specimen: StoredFile | None = None

    def person(self, role: str, who: str = "") -> Actor:
        """Return one of the two holders of a role; a person named in a scenario differs from the one before.

        Raises `_Now` without a holder.
        """
        if role == APPLICANT:
            return self.applicant
        which = 0 if not who else self.named.setdefault(who, (len(self.named) + 1) % 2)
        known = self.people.get(f"{role} {which}")
        if known is None:
            held = [one for one in self.agents if role in one.roles and not one.disabled]
            if not held:
                raise _Now  # no account holds it any more: the dossier waits
            known = self.people[f"{role} {which}"] = self.office.person(sorted(held, key=_login)[which % len(held)])
        return known

    def pass_time(self, until: datetime) -> None:
        """Fire timers at their hour up to a moment. Raises `_Now` once the present is reached."""
        last, tried = min(until, self.end), set[Timer]()
        while True:
            with self.office.store.unit() as unit:
                ahead = [timer for timer in unit.due_timers(last, 1 + len(tried)) if timer not in tried]
            if not ahead:
                break
            tried.add(ahead[0])
            self.clock.instant = max(self.clock.instant, ahead[0].due_at)
            run_timers(self.office)
        self.clock.instant = max(self.clock.instant, last)
        if until > self.end:
            raise _Now

    def paper(self, name: str, place: str, by: str | None = None, dossier: str = "") -> Attachment:
        """Return an attachment with real content, which can be opened."""
        if self.specimen is None:
            self.specimen = keep_specimen(self.office.attachments, place, dossier)
        kept, now = self.specimen, self.clock.now()
        return Attachment(name, place, f"{place}.png", kept.kind, kept.size, kept.sha256, now, kept.pages, by=by)


def _login(account: Account) -> str:
    return account.login


def _report(
    ctx: AppContext, ledger: Callable[[FixedClock], SandboxOperator], one: DemoScenario, agents: tuple[Account, ...],
    end: datetime,
) -> None:  # fmt: skip
    clock = FixedClock(one.begins)
    chance, registers = random.Random(one.person.id), ScenarioRegister()
    operator = chance.choice(sorted(name for name, one in ctx.providers.items() if one.method == MOBILE_MONEY))
    then = replace(
        ctx, clock=clock, registers={"*": registers}, settings=replace(ctx.settings, checkpoints=None, expects_worker=False),
        providers={operator: SandboxProvider(ledger(clock), operator)},
    )  # fmt: skip
    stage = _Stage(
        then, clock, registers, one.person.actor(), provider=operator, agents=agents, end=end, chance=chance
    )  # fmt: skip
    reported = ScenarioRun(one.procedure, _as_of(one), stage)
    try:
        if reported.prepare() and not one.draft:
            reported.submit()
            for step in reported.scenario.steps:
                _follow(reported, stage, step)
        stage.pass_time(end + timedelta(seconds=1))
    except (_Now, ScenarioFailed):  # on this day or at this pace it goes another way: the dossier stays where it is
        _catch_up(stage)
    if one.asks and reported.dossier is not None:
        _ask(stage, reported.dossier.id)
    deliver_letters(then)


def _follow(reported: ScenarioRun, stage: _Stage, step: Step) -> None:
    if not step.verb or step.options.get("refused") is True:
        return
    _think(reported, stage, step)
    if reported.dossier is not None:
        reported.dossier = stage.dossier(reported.dossier.id)
    reported.step = step
    reported.do(_with_slot(reported, stage, step) if step.verb == "book" else step)


def _catch_up(stage: _Stage) -> None:
    with suppress(_Now):
        stage.pass_time(stage.end + timedelta(seconds=1))


def _ask(stage: _Stage, dossier_id: str) -> None:
    body = stage.chance.choice(stage.office.wording.say("demo.questions", "fr", {}).split("\n"))
    if stage.dossier(dossier_id).submitted_at is not None:
        with suppress(Refused):  # it is closed to messages
            write_message(stage.office, stage.applicant, dossier_id, body)


# -- time --------------------------------------------------------------------------------------------------------------


def _think(reported: ScenarioRun, stage: _Stage, step: Step) -> None:
    """Let time pass before a step.

    Applicants act within days, agents in opening hours, most before the due date.
    """
    if step.verb in ("wait", "visit", "look_up") or reported.dossier is None:
        return
    by_agent = step.verb in ("take", "do", "opinion") and not _is_applicants(reported, step)
    chance, now, due = stage.chance, stage.clock.now(), reported.dossier.due_at
    lapse = timedelta(hours=chance.uniform(1, 60) if by_agent else chance.uniform(0.2, 40))
    if due is not None and due > now:
        strict = any(
            transition.event == "due" for transition in reported.procedure.leaving.get(reported.dossier.state, ())
        )
        lapse = min(lapse, (due - now) * (0.5 if strict or not by_agent else chance.uniform(0.4, 1.15)))
    then = now + lapse
    stage.pass_time(max(now, _at_work(stage, then)) if by_agent and then < stage.end else then)


def _is_applicants(reported: ScenarioRun, step: Step) -> bool:
    assert reported.dossier is not None
    transitions = reported.procedure.leaving.get(reported.dossier.state, ())
    return any(transition.id == step.value and APPLICANT in transition.by for transition in transitions)


def _at_work(stage: _Stage, instant: datetime) -> datetime:
    """Return a moment within opening hours: the same, or the start of the next working day."""
    at, calendar = local(instant), stage.office.directory.calendar
    if at.time() >= _OPENING_HOURS[1]:
        at = datetime.combine(at.date() + timedelta(days=1), _OPENING_HOURS[0], ZONE)
    if at.time() < _OPENING_HOURS[0]:
        at = datetime.combine(at.date(), _OPENING_HOURS[0], ZONE)
    while not calendar.works(at.date()):
        at = datetime.combine(at.date() + timedelta(days=1), _OPENING_HOURS[0], ZONE)
    return at + timedelta(minutes=stage.chance.randint(0, 50))


def _with_slot(reported: ScenarioRun, stage: _Stage, step: Step) -> Step:
    """Return the step with a free slot of the coming days, often today's. Raises `_Now` without a slot."""
    assert reported.dossier is not None
    value: dict[str, Plain] = {}
    for appointment in step.value if isinstance(step.value, dict) else ():
        place = reported.office_of(appointment)
        sheet = slots(
            stage.office, stage.applicant, reported.dossier.id, appointment, office_id=place, limit=_LOOKED_AT
        )
        free = [slot for day in sheet.days for slot in day.slots]
        if not free:
            raise _Now
        value[appointment] = f"{local(_chosen(stage, free).start):%Y-%m-%d %H:%M}"
    return replace(step, value=value)


def _chosen(stage: _Stage, free: list[Slot]) -> Slot:
    today = [slot for slot in free if local_day(slot.start) == local_day(stage.end)]
    if today and stage.chance.random() < _TODAY:
        return stage.chance.choice(today)
    return free[min(int(stage.chance.expovariate(1 / 8)), len(free) - 1)]


# -- people ------------------------------------------------------------------------------------------------------------


def _as_of(one: DemoScenario) -> Scenario:
    """Return the scenario moved to its new day, with the data of another person."""
    day = local_day(one.begins)
    moved = {name: _moved(said, one.story.at, day) for name, said in one.story.given.items()}
    return replace(one.story, at=day, given={**_identity(one), **moved})


def _moved(said: Plain, before: date, after: date) -> Plain:
    if isinstance(said, list):
        return [_moved(one, before, after) for one in said]
    if isinstance(said, dict):
        return {name: _moved(one, before, after) for name, one in said.items()}
    if not isinstance(said, str) or len(said) != 10:
        return said
    try:
        day = date.fromisoformat(said)
    except ValueError:
        return said
    return (day + (after - before)).isoformat() if abs(day - before) < _NEAR else said


def _identity(one: DemoScenario) -> Mapping[str, Plain]:
    """Return the answers prefilled from the account.

    A repeated question is about a parent, who has the same family name.
    """
    profile, said, seen = one.person.profile, dict[str, Plain](), set[str]()
    for question in one.procedure.form.fields:
        name = (question.prefill or "").removeprefix("account.")
        if name == "phone":
            said[question.id] = one.person.login
        elif name in profile and (name not in seen or name == "family_name"):
            seen.add(name)
            said[question.id] = profile[name]
    return said
