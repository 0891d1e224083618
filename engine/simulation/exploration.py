"""Plays a procedure beyond its stories: every branch within reach, on the real office in memory, and tells what breaks.

The solver gives answers that open a branch (`definition/prove`), the outlook gives what may follow (`next_steps`). Each
trail begins anew and goes on until it ends or meets a situation already explored. The same seed gives the same order.
"""

from __future__ import annotations

import random
import re
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final, Literal, TypeAlias

from engine.core.gsm7 import to_gsm
from engine.core.problems import Fact
from engine.core.values import Text
from engine.domain.common.text_provider import Wording
from engine.language.catalogue.catalogue import Catalogue
from engine.language.expressions.compiler import expression_of, tree
from engine.language.expressions.nodes import And, Node, Not, Or, children
from engine.model import APPLICATION, DRAFT, Notice, Procedure, Scenario, Step, Template, Transition
from engine.model.types import Constant, Expression
from engine.records.dossier import Dossier, OutboundMessage
from engine.services.applications.drafts import check
from engine.simulation.environment import ScenarioEnvironment
from engine.simulation.next_steps import NextSteps
from engine.simulation.player import ScenarioFailed, ScenarioRun
from engine.simulation.solver_answers import StartAnswers, beginnings, leading_to

_NAME = re.compile(r"\{([a-z][a-z0-9_]*)\}")


def blanks_in(procedure: Procedure, reported: ScenarioRun, known: frozenset[str]) -> Iterator[tuple[str, str]]:
    """The event and the name of each blank in the letters sent since those of `known` ids."""
    assert reported.dossier is not None
    with reported.stage.office.store.unit() as unit:
        letters = [one for one in unit.letters_of(reported.dossier.id) if one.id not in known]
    for letter in letters:
        event = letter.dedupe.split(":", 2)[2] if letter.dedupe.count(":") > 1 else ""
        for notice in procedure.notices:
            if event.startswith(f"{notice.event}:") or event.startswith("before:"):
                yield from ((notice.event, name) for name in _blanks(notice, letter))
        yield from ((event.partition(":")[0], name) for name in _NAME.findall(letter.body))


def _blanks(notice: Notice, letter: OutboundMessage) -> Iterator[str]:
    templates = {"sms": notice.sms, "email": notice.email_body, "inbox": notice.inbox or notice.sms}
    template = templates.get(letter.channel)
    if template is not None and template.names:
        yield from _blank_names(template, letter.body)


def _blank_names(template: Template, body: str) -> Iterator[str]:
    """The names that came to nothing, when the body is this template filled."""
    for _, text in template.text.versions:
        parts = _NAME.split(text)
        pattern = "".join("(.*?)" if at % 2 else re.escape(to_gsm(part)) for at, part in enumerate(parts))
        filled = re.fullmatch(pattern, to_gsm(body), re.DOTALL)
        if filled is not None:
            yield from (name for name, said in zip(parts[1::2], filled.groups(), strict=True) if not said.strip())
            return


LONGEST: Final = 30  # steps of a trail
TWICE: Final = 2  # a trail goes through a state no more often
_ANSWERING: Final = frozenset({"do", "correct", "opinion", "look_up", "linked"})

Kind: TypeAlias = Literal["crash", "refused", "nobody", "stuck", "price", "message", "form", "unreached"]


@dataclass(frozen=True, slots=True)
class ExplorationFinding:
    """Something that breaks. `facts` are what the sentence needs; `story` leads there, none when nothing does."""

    kind: Kind
    at: str  # the act, task, fee, notice or state it is about
    facts: Mapping[str, Fact]
    story: Scenario | None = None


@dataclass(frozen=True, slots=True)
class Explored:
    """What exploring came to. `left` are states never reached; `whole` when nothing was left to try in the time."""

    procedure: Procedure
    findings: tuple[ExplorationFinding, ...]
    paths: int
    steps: int
    states: frozenset[str]
    ways: frozenset[str]
    whole: bool

    @property
    def states_left(self) -> tuple[str, ...]:
        return tuple(state for state in self.procedure.states if state not in self.states)

    @property
    def ways_left(self) -> tuple[str, ...]:
        named = dict.fromkeys(f"{way.source}.{way.id}" for way in self.procedure.transitions)
        return tuple(name for name in named if name not in self.ways)


@dataclass
class ExplorationPath:
    """One way to go on: how it begins, the steps already known, then the one to try, in this state."""

    beginning: StartAnswers
    steps: tuple[Step, ...] = ()
    state: str = ""


@dataclass
class Explorer:
    """Explores one procedure. `reason` is what agents write where a reason is asked."""

    procedure: Procedure
    catalogue: Catalogue
    wording: Wording
    day: date
    reason: str
    seed: int = 0
    found: dict[tuple[str, str], ExplorationFinding] = field(default_factory=dict)
    states: set[str] = field(default_factory=set)
    ways: set[str] = field(default_factory=set)
    paths: int = 0
    steps: int = 0
    tried: set[tuple[object, ...]] = field(default_factory=set)
    begun: set[tuple[object, ...]] = field(default_factory=set)
    ahead: deque[ExplorationPath] = field(default_factory=deque)
    wanted: str = ""  # the state to reach, when only one matters
    arrived: Scenario | None = None  # the first story that reached it
    sent: bool = False  # some answers were accepted
    unsent: ExplorationFinding | None = None  # the first that were not
    turns: tuple[Expression, ...] = ()

    def __post_init__(self) -> None:
        self.turns = turns_of(self.procedure)

    def lead_to(self, state: str, seconds: float) -> Scenario | None:
        """A story that ends in a state, the way the solver says when it can be followed; none found in the time."""
        self.wanted, until, chance = state, time.monotonic() + seconds, random.Random(self.seed)
        self.ahead.extend(map(ExplorationPath, leading_to(self.procedure, self.catalogue.directory, self.day, state)))
        while self.ahead and self.arrived is None and time.monotonic() < until:
            _Walk(self, self.ahead.popleft(), chance, until).go()
        return self.arrived

    def explore(self, seconds: float) -> Explored:
        """Plays trails until nothing is left to try, or the time is over: a new beginning and a side way in turn, so that
        what lies far is aimed at before the time is over."""
        until = time.monotonic() + seconds
        chance = random.Random(self.seed)
        sources = beginnings(self.procedure, self.catalogue.directory, self.day, chance)
        whole = False
        while time.monotonic() < until and not whole:
            following = next(sources, None)
            if following is not None:
                _Walk(self, ExplorationPath(following), chance, until).go()
            if self.ahead and time.monotonic() < until:
                _Walk(self, self.ahead.popleft(), chance, until).go()
            whole = following is None and not self.ahead
        if whole and self.sent:
            self._never_reached()
        if self.unsent is not None and not self.sent:
            self.note(self.unsent)
        return Explored(
            self.procedure, tuple(self.found.values()), self.paths, self.steps, frozenset(self.states),
            frozenset(self.ways), whole,
        )  # fmt: skip

    def later(self, trails: Iterable[ExplorationPath]) -> None:
        """Keeps trails to walk: those whose new step was never tried in its state come first."""
        for path in trails:
            mark = (path.state, _label(path.steps[-1]))
            (self.ahead.append if mark in self.begun else self.ahead.appendleft)(path)
            self.begun.add(mark)

    def _never_reached(self) -> None:
        for state in self.procedure.states.values():
            if state.is_end and state.id not in self.states:
                self.note(ExplorationFinding("unreached", state.id, {"state": state.id}))

    def note(self, finding: ExplorationFinding) -> None:
        """Each fault is told once, with the first story that met it."""
        self.found.setdefault((finding.kind, finding.at), finding)


class _Walk:
    """One trail being walked, from an empty office."""

    def __init__(self, explorer: Explorer, path: ExplorationPath, chance: random.Random, until: float) -> None:
        self.explorer, self.trail, self.chance, self.until = explorer, path, chance, until
        self.procedure = explorer.procedure
        self.steps: list[Step] = []
        self.shown: dict[str, int] = {}  # the price shown before sending, by fee
        self.untouched = True  # nothing was answered since

    def go(self) -> None:
        explorer, beginning = self.explorer, self.trail.beginning
        explorer.paths += 1
        stage = ScenarioEnvironment.set_for(explorer.catalogue, explorer.wording, beginning.day)
        reported = ScenarioRun(self.procedure, self._story(()), stage)
        try:
            if self._sent(reported) and self._again(reported):
                self._on(reported)
        finally:
            stage.office.store.close()

    def _story(self, steps: tuple[Step, ...]) -> Scenario:
        one = self.trail.beginning
        return Scenario(
            id="exploration", story=Text(()), at=one.day, given=one.given, channel=one.channel, steps=steps
        )  # fmt: skip

    # -- the way there -------------------------------------------------------------------------------------------------

    def _sent(self, reported: ScenarioRun) -> bool:
        """The form filled and sent; the price was shown just before."""
        explorer = self.explorer
        try:
            if not reported.prepare():
                return False
            self._note_price(reported)
            draft = _now(reported)
            reported.submit()
        except ScenarioFailed as failed:
            explorer.unsent = explorer.unsent or ExplorationFinding(
                "form", APPLICATION, failed.found.facts, self._story(())
            )
            return False
        except Exception as error:
            self._crashed(APPLICATION, error)
            return False
        if reported.dossier is None or reported.dossier.state == DRAFT:
            return False
        explorer.sent = True
        self._look(reported, draft, frozenset())
        return True

    def _note_price(self, reported: ScenarioRun) -> None:
        assert reported.dossier is not None
        sheet = check(reported.stage.office, reported.stage.applicant, reported.dossier.id)
        self.shown = {one.fee: one.amount for one in sheet.quotes if not one.missing}

    def _again(self, reported: ScenarioRun) -> bool:
        """The steps already known, then the first new one."""
        return all(self._do(reported, step) for step in self.trail.steps)

    # -- onwards -------------------------------------------------------------------------------------------------------

    def _on(self, reported: ScenarioRun) -> None:
        while len(self.steps) < LONGEST and time.monotonic() < self.until and self.explorer.arrived is None:
            dossier = _now(reported)
            try:
                outlook = NextSteps(reported, self.trail.beginning.wishes, self.explorer.reason)
                steps = outlook.steps()
            except Exception as error:
                self._crashed(dossier.state, error)
                return
            self._judge(outlook, steps)
            fresh = self._fresh(outlook, steps)
            if not fresh:
                return
            first, *others = fresh
            self.explorer.begun.add((dossier.state, _label(first)))
            self.explorer.later(
                ExplorationPath(self.trail.beginning, (*self.steps, one), dossier.state) for one in others
            )
            if not self._do(reported, first):
                return

    def _fresh(self, outlook: NextSteps, steps: list[Step]) -> list[Step]:
        """The steps nobody tried in such a situation, in the order of chance."""
        situation = situation_of(outlook, self.explorer.turns)
        fresh = [one for one in steps if (situation, _label(one)) not in self.explorer.tried]
        self.explorer.tried.update((situation, _label(one)) for one in fresh)
        again = _times(outlook.dossier)
        if max(again.values(), default=0) > TWICE:
            return []
        way = way_ahead(self.procedure, outlook.dossier.state, self.trail.beginning.path)
        state, begun = outlook.dossier.state, self.explorer.begun
        mixed = fresh if self.explorer.wanted else self.chance.sample(fresh, len(fresh))  # what goes well first
        return sorted(mixed, key=lambda one: (not leads(one, way), (state, _label(one)) in begun))

    def _do(self, reported: ScenarioRun, step: Step) -> bool:
        """One step and what is seen after it; false when the trail ends here."""
        before = _now(reported)
        letters = _letters(reported)
        reported.step = step
        self.explorer.steps += 1
        try:
            reported.do(step)
        except ScenarioFailed as failed:
            self.steps.append(step)
            self._note("refused", _name(step), failed.found.facts)
            return False
        except Exception as error:
            self.steps.append(step)
            self._crashed(_name(step), error)
            return False
        after = _now(reported)
        self.steps.append(replace(step, then=after.state) if after.state != before.state else step)
        self.untouched = self.untouched and step.verb not in _ANSWERING and "with" not in step.options
        self._look(reported, before, letters)
        return True

    # -- looking -------------------------------------------------------------------------------------------------------

    def _look(self, reported: ScenarioRun, before: Dossier, letters: frozenset[str]) -> None:
        dossier, explorer = _now(reported), self.explorer
        explorer.states.update(taken.target for taken in dossier.taken)
        explorer.states.add(dossier.state)
        if dossier.state == explorer.wanted and explorer.arrived is None:
            explorer.arrived = self._story(tuple(self.steps))
        explorer.ways.update(f"{taken.source}.{taken.transition}" for taken in dossier.taken)
        for name, frozen in dossier.owed.items():
            known = self.shown.get(name)
            if name not in before.owed and self.untouched and known is not None and known != frozen.amount:
                self._note("price", name, {"shown": known, "asked": frozen.amount})
        for event, blank in blanks_in(self.procedure, reported, letters):
            self._note("message", event, {"name": blank})

    def _judge(self, outlook: NextSteps, steps: list[Step]) -> None:
        """What a state waits for that nobody can do; a state that nothing leaves."""
        state = self.procedure.states.get(outlook.dossier.state)
        if state is None or state.is_end:
            return
        for one in (*outlook.shut, *outlook.without_holder()):
            if one.because.code in ("no_slot", "no_role") or (one.because.code == "role" and one.name in state.waits):
                self._note("nobody", one.name, {"why": one.because.code, "state": state.id, **one.because.facts})
        if not steps:
            self._note("stuck", state.id, {"state": state.id})

    # -- saying --------------------------------------------------------------------------------------------------------

    def _note(self, kind: Kind, at: str, facts: Mapping[str, Fact]) -> None:
        self.explorer.note(ExplorationFinding(kind, at, dict(facts), self._story(tuple(self.steps))))

    def _crashed(self, at: str, error: Exception) -> None:
        self._note("crash", at, {"error": type(error).__name__, "text": str(error)[:200]})


# -- the way ahead -----------------------------------------------------------------------------------------------------


def way_ahead(procedure: Procedure, state: str, path: Sequence[str]) -> Transition | None:
    """The way that a path takes out of a state; none when it does not pass there."""
    return next((way for way in procedure.leaving.get(state, ()) if way.id in path), None)


def leads(step: Step, way: Transition | None) -> bool:
    """Whether a step is of the sort that takes a way: the act itself, what the state waits for done well, time."""
    if way is None:
        return False
    if way.event is None:
        return step.verb == "take" and step.value == way.id
    if way.event == "missed":
        return step.verb == "book" or (step.verb == "visit" and step.value == "missed")
    if way.event in ("done", "booked"):
        return step.verb not in ("take", "wait") and "ends" not in step.options and step.value != "missed"
    names = step.value if isinstance(step.value, dict) else {step.value: None}
    return way.event in names if step.verb != "wait" else way.event == "due" or way.event not in names


# -- situations --------------------------------------------------------------------------------------------------------


def situation_of(outlook: NextSteps, turns: tuple[Expression, ...]) -> tuple[object, ...]:
    """What tells two dossiers apart for what may follow: where they stand, what is done, which conditions hold."""
    dossier, scope, procedure = outlook.dossier, outlook.scope, outlook.procedure
    held = tuple(one.holds(scope) for one in turns)
    waited = tuple(task.when.holds(scope) for task in procedure.tasks.values())
    booked = tuple(sorted((name, one.status) for name, one in dossier.bookings.items()))
    owed = tuple(sorted(name for name, one in dossier.owed.items() if one.left))
    given = tuple(sorted(document.output for document in dossier.documents if document.status == "valid"))
    return (
        dossier.state, frozenset(dossier.done), held, waited, booked, owed, given, dossier.correction is not None,
        frozenset(scope.history.missed.items()), tuple(name for name, _ in outlook.falls_due()),
    )  # fmt: skip


def turns_of(procedure: Procedure) -> tuple[Expression, ...]:
    """The conditions of the ways in their smallest parts: two dossiers may fail the same condition for different reasons,
    and only one of them meet it later."""
    found: dict[Node, Expression] = {}
    left = [tree(way.when) for way in procedure.transitions]
    while left:
        node = left.pop()
        if isinstance(node, (And, Or, Not)):
            left.extend(children(node))
        elif not isinstance(node, Constant) and node not in found:
            found[node] = expression_of(node, "")
    return tuple(found.values())


def _times(dossier: Dossier) -> dict[str, int]:
    """How often a dossier came to each state."""
    found: dict[str, int] = {}
    for taken in dossier.taken:
        found[taken.target] = found.get(taken.target, 0) + 1
    return found


def _label(step: Step) -> str:
    return repr(
        (step.verb, "" if step.verb in ("pay", "book", "wait") else step.value, sorted(step.options.items(), key=str))
    )


def _name(step: Step) -> str:
    if isinstance(step.value, str) and step.verb in ("take", "do"):
        return step.value
    return next(iter(step.value), step.verb) if isinstance(step.value, dict) else step.verb


def _now(reported: ScenarioRun) -> Dossier:
    assert reported.dossier is not None
    return reported.stage.dossier(reported.dossier.id)


def _letters(reported: ScenarioRun) -> frozenset[str]:
    assert reported.dossier is not None
    with reported.stage.office.store.unit() as unit:
        return frozenset(letter.id for letter in unit.letters_of(reported.dossier.id))
