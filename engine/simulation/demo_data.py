"""A demonstration with life: the stories of the procedures it serves, told again to its own office over the last three months.

Everything is done by the verbs a person, an operator or time would cause, at its own hour; whatever has not happened by now is
left to whoever looks. The people are invented, each dossier is of one of them, and none is told twice.
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

DAYS: Final = 92  # how far back the first of them begins
OFTEN: Final = 46  # dossiers of a procedure that every citizen asks for, in person
SELDOM: Final = 4  # of any other
_SELDOM_DAYS: Final = 25
_NEW: Final = 6  # of those asked for often, how many came these days
MOST_PROCEDURES: Final = 40  # whatever the catalogue holds
_DRAFTS: Final = 11  # one dossier in so many is not sent yet
_WRITES: Final = 7  # one applicant in so many asks the office something
_NEAR: Final = timedelta(days=400)  # a date of a story this near its own day goes with it
_OPENING_HOURS: Final = (time(8), time(16))
_TODAY: Final = 0.5  # of those who may still come today, how many do
_LOOKED_AT: Final = 40  # slots among which somebody chooses


class _Now(Exception):
    """The story has come to the present."""


@dataclass(frozen=True, slots=True)
class DemoScenario:
    """One dossier to be: whose, which story, begun when."""

    person: Account
    procedure: Procedure
    story: Scenario
    begins: datetime
    draft: bool
    asks: bool  # whether its owner writes to the office at the end


def before_stories(ctx: AppContext) -> AppContext:
    """The office on the day before the first of them: what it publishes then is the edition that they were sent under."""
    return replace(ctx, clock=FixedClock(ctx.now() - timedelta(days=DAYS + 3)))


def play_scenarios(ctx: AppContext, ledger: Callable[[FixedClock], SandboxOperator]) -> Iterator[str]:
    """Makes the dossiers of a demonstration that are not there yet, one at each turn: the account whose it is. `ledger` is its
    operator, told another time. No tour may go on within a turn: what is due then happens at its own hour."""
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
            except Exception:  # one that goes wrong must not keep the others
                log.exception("the story %s of %s", one.story.id, one.procedure.id)
            yield one.person.id
    finally:
        if made:
            count_again(ctx)  # they are older than what was counted


def _begun(ctx: AppContext, person: Account) -> bool:
    """Whether this one is to be told, and by this process."""
    with ctx.store.unit() as unit:
        if unit.account(person.id) is not None:
            return False
    with ctx.store.unit(write=True) as unit:
        if unit.account(person.id) is not None:
            return False
        unit.put_account(person)
    return True


# -- the bill ----------------------------------------------------------------------------------------------------------


def planned(ctx: AppContext, end: datetime) -> tuple[DemoScenario, ...]:
    """Who will have asked for what, in order of time; the same people at each start."""
    return tuple(sorted(_planned(ctx, end), key=lambda one: one.begins))


def _planned(ctx: AppContext, end: datetime) -> Iterator[DemoScenario]:
    number = 0
    for name in sorted(ctx.catalogue.procedures)[:MOST_PROCEDURES]:
        procedure = ctx.catalogue.procedures[name]
        stories = [one for one in procedure.scenarios if not one.stops and not one.refuses]
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
    """How many days ago each began: all along, and some of these days."""
    count, days, new = (OFTEN, DAYS, _NEW) if _is_everybodys(procedure) else (SELDOM, _SELDOM_DAYS, 1)
    spread = [days * (1 - (at + chance.random()) / (count - new)) for at in range(count - new)]
    return spread + [chance.uniform(0.1, 4) for _ in range(new)]


def _sex_of_examples(procedure: Procedure) -> str:
    """Whom the stories were written for: they may turn on it."""
    asked = (one for one in procedure.form.fields if one.prefill == "account.sex")
    return next((one.options[0].code for one in asked if one.options), "")


def _is_everybodys(procedure: Procedure) -> bool:
    visits = any(isinstance(task, Appointment) for task in procedure.tasks.values())
    return visits and set(procedure.identity.audience) == {"natural_person", "national"}


def _hour(end: datetime, days: float, chance: random.Random) -> datetime:
    """About so many days before, at an hour when people are awake."""
    day = local(end - timedelta(days=days))
    at = day.replace(hour=chance.randint(7, 20), minute=chance.randint(0, 59), second=0, microsecond=0)
    return min(at, end - timedelta(minutes=30))


# -- one story ---------------------------------------------------------------------------------------------------------


@dataclass
class _Stage(ScenarioEnvironment):
    """The demonstration's own office, at the hour of the story. Its people are those who may sign in."""

    agents: tuple[Account, ...] = field(kw_only=True)
    end: datetime = field(kw_only=True)
    chance: random.Random = field(kw_only=True)
    named: dict[str, int] = field(default_factory=dict)
    specimen: StoredFile | None = None

    def person(self, role: str, who: str = "") -> Actor:
        """One of the two who hold the role; whoever a story names is another than the one before."""
        if role == APPLICANT:
            return self.applicant
        which = 0 if not who else self.named.setdefault(who, (len(self.named) + 1) % 2)
        known = self.people.get(f"{role} {which}")
        if known is None:
            held = [one for one in self.agents if role in one.roles and not one.disabled]
            if not held:
                raise _Now  # nobody holds it any more: the dossier waits for them
            known = self.people[f"{role} {which}"] = self.office.person(sorted(held, key=_login)[which % len(held)])
        return known

    def pass_time(self, until: datetime) -> None:
        """Raises `_Now` once the present is reached."""
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
        """A file that can be opened."""
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
    except (_Now, ScenarioFailed):  # a day or a pace at which it goes otherwise: it stays where it came to
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
        with suppress(Refused):  # it is closed, nobody answers any more
            write_message(stage.office, stage.applicant, dossier_id, body)


# -- time --------------------------------------------------------------------------------------------------------------


def _think(reported: ScenarioRun, stage: _Stage, step: Step) -> None:
    """Nobody acts at once: people within some days, agents while doors are open, most of them before the due date."""
    if step.verb in ("wait", "visit", "look_up") or reported.dossier is None:
        return
    by_agent = step.verb in ("take", "do", "opinion") and not _is_applicants(reported, step)
    chance, now, due = stage.chance, stage.clock.now(), reported.dossier.due_at
    lapse = timedelta(hours=chance.uniform(1, 60) if by_agent else chance.uniform(0.2, 40))
    if due is not None and due > now:
        strict = any(way.event == "due" for way in reported.procedure.leaving.get(reported.dossier.state, ()))
        lapse = min(lapse, (due - now) * (0.5 if strict or not by_agent else chance.uniform(0.4, 1.15)))
    then = now + lapse
    stage.pass_time(max(now, _at_work(stage, then)) if by_agent and then < stage.end else then)


def _is_applicants(reported: ScenarioRun, step: Step) -> bool:
    assert reported.dossier is not None
    ways = reported.procedure.leaving.get(reported.dossier.state, ())
    return any(way.id == step.value and APPLICANT in way.by for way in ways)


def _at_work(stage: _Stage, instant: datetime) -> datetime:
    """The same moment while doors are open, else the beginning of the next day they are; the present at the latest."""
    at, calendar = local(instant), stage.office.directory.calendar
    if at.time() >= _OPENING_HOURS[1]:
        at = datetime.combine(at.date() + timedelta(days=1), _OPENING_HOURS[0], ZONE)
    if at.time() < _OPENING_HOURS[0]:
        at = datetime.combine(at.date(), _OPENING_HOURS[0], ZONE)
    while not calendar.works(at.date()):
        at = datetime.combine(at.date() + timedelta(days=1), _OPENING_HOURS[0], ZONE)
    return at + timedelta(minutes=stage.chance.randint(0, 50))


def _with_slot(reported: ScenarioRun, stage: _Stage, step: Step) -> Step:
    """The visit of the story at a free slot of these days; often today's, where there is one."""
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
    """The story on its new day, told by somebody else: dates that went with its day go with it, names are another's."""
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
    """What their account would fill in; where it is asked a second time, it is of a parent, who has the same name."""
    profile, said, seen = one.person.profile, dict[str, Plain](), set[str]()
    for question in one.procedure.form.fields:
        name = (question.prefill or "").removeprefix("account.")
        if name == "phone":
            said[question.id] = one.person.login
        elif name in profile and (name not in seen or name == "family_name"):
            seen.add(name)
            said[question.id] = profile[name]
    return said
