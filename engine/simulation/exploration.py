"""Exploration: plays a procedure beyond its scenarios and reports faults.

It plays every reachable branch in memory. The solver gives answers that open a branch
(`solver_answers`), and `next_steps` gives what may follow. Each path starts anew and ends at a final
state or a situation already explored. The same seed gives the same order.
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
    """Yield event and name of each empty placeholder in the messages sent since those of `known` ids."""
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
    """Yield the names with an empty value, if the body is this template filled."""
    for _, text in template.text.versions:
        parts = _NAME.split(text)
        pattern = "".join("(.*?)" if at % 2 else re.escape(to_gsm(part)) for at, part in enumerate(parts))
        filled = re.fullmatch(pattern, to_gsm(body), re.DOTALL)
        if filled is not None:
            yield from (name for name, said in zip(parts[1::2], filled.groups(), strict=True) if not said.strip())
            return


LONGEST: Final = 30  # steps of a path
TWICE: Final = 2  # the most visits of a path to one state
_ANSWERING: Final = frozenset({"do", "correct", "opinion", "look_up", "linked"})

Kind: TypeAlias = Literal["crash", "refused", "nobody", "stuck", "price", "message", "form", "unreached"]


@dataclass(frozen=True, slots=True)
class ExplorationFinding:
    """A fault. `facts` are for the report; `story` is a scenario that leads there, None without one."""

    kind: Kind
    at: str  # the action, task, fee, notice or state concerned
    facts: Mapping[str, Fact]
    story: Scenario | None = None


@dataclass(frozen=True, slots=True)
class Explored:
    """The result of an exploration. `whole`: nothing was left to try in the time."""

    procedure: Procedure
    findings: tuple[ExplorationFinding, ...]
    paths: int
    steps: int
    states: frozenset[str]
    transitions: frozenset[str]
    whole: bool

    @property
    def states_left(self) -> tuple[str, ...]:
        """The states never reached."""
        return tuple(state for state in self.procedure.states if state not in self.states)

    @property
    def transitions_left(self) -> tuple[str, ...]:
        """The transitions never taken, as `state.action`."""
        named = dict.fromkeys(f"{transition.source}.{transition.id}" for transition in self.procedure.transitions)
        return tuple(name for name in named if name not in self.transitions)


@dataclass
class ExplorationPath:
    """A path to explore: its start answers, the known steps, then the one to try in this state."""

    beginning: StartAnswers
    steps: tuple[Step, ...] = ()
    state: str = ""


@dataclass
class Explorer:
    """Explores one procedure. `reason` is the text that agents give as a reason."""

    procedure: Procedure
    catalogue: Catalogue
    wording: Wording
    day: date
    reason: str
    seed: int = 0
    found: dict[tuple[str, str], ExplorationFinding] = field(default_factory=dict)
    states: set[str] = field(default_factory=set)
    transitions: set[str] = field(default_factory=set)
    paths: int = 0
    steps: int = 0
    tried: set[tuple[object, ...]] = field(default_factory=set)
    begun: set[tuple[object, ...]] = field(default_factory=set)
    ahead: deque[ExplorationPath] = field(default_factory=deque)
    wanted: str = ""  # the state to reach, when only one matters
    arrived: Scenario | None = None  # the first scenario that reached it
    sent: bool = False  # whether some answers were accepted
    unsent: ExplorationFinding | None = None  # the finding of the first refused answers
    turns: tuple[Expression, ...] = ()

    def __post_init__(self) -> None:
        self.turns = turns_of(self.procedure)

    def lead_to(self, state: str, seconds: float) -> Scenario | None:
        """Return a scenario that ends in a state, None if not found in time.

        The path of the solver is tried first.
        """
        self.wanted, until, chance = state, time.monotonic() + seconds, random.Random(self.seed)
        self.ahead.extend(map(ExplorationPath, leading_to(self.procedure, self.catalogue.directory, self.day, state)))
        while self.ahead and self.arrived is None and time.monotonic() < until:
            _Walk(self, self.ahead.popleft(), chance, until).go()
        return self.arrived

    def explore(self, seconds: float) -> Explored:
        """Explore paths until none is left or the time is over: a new start and a side path in turn.

        Distant states are then tried before the time is over.
        """
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
            frozenset(self.transitions), whole,
        )  # fmt: skip

    def later(self, paths: Iterable[ExplorationPath]) -> None:
        """Queue paths: those whose new step was never tried in its state come first."""
        for path in paths:
            mark = (path.state, _label(path.steps[-1]))
            (self.ahead.append if mark in self.begun else self.ahead.appendleft)(path)
            self.begun.add(mark)

    def _never_reached(self) -> None:
        for state in self.procedure.states.values():
            if state.is_end and state.id not in self.states:
                self.note(ExplorationFinding("unreached", state.id, {"state": state.id}))

    def note(self, finding: ExplorationFinding) -> None:
        """Record a finding once, with the first scenario that met it."""
        self.found.setdefault((finding.kind, finding.at), finding)


class _Walk:
    """One path being played, from an empty context."""

    def __init__(self, explorer: Explorer, path: ExplorationPath, chance: random.Random, until: float) -> None:
        self.explorer, self.path, self.chance, self.until = explorer, path, chance, until
        self.procedure = explorer.procedure
        self.steps: list[Step] = []
        self.shown: dict[str, int] = {}  # the price shown before submission, by fee
        self.untouched = True  # no answer was given since

    def go(self) -> None:
        explorer, beginning = self.explorer, self.path.beginning
        explorer.paths += 1
        stage = ScenarioEnvironment.set_for(explorer.catalogue, explorer.wording, beginning.day)
        reported = ScenarioRun(self.procedure, self._story(()), stage)
        try:
            if self._sent(reported) and self._again(reported):
                self._on(reported)
        finally:
            stage.office.store.close()

    def _story(self, steps: tuple[Step, ...]) -> Scenario:
        one = self.path.beginning
        return Scenario(
            id="exploration", story=Text(()), at=one.day, given=one.given, channel=one.channel, steps=steps
        )  # fmt: skip

    # -- known steps ---------------------------------------------------------------------------------------------------

    def _sent(self, reported: ScenarioRun) -> bool:
        """Fill and submit the form. Return whether it was accepted. The price was shown just before."""
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
        """Play the known steps, then the new one. Return whether all succeeded."""
        return all(self._do(reported, step) for step in self.path.steps)

    # -- new steps -----------------------------------------------------------------------------------------------------

    def _on(self, reported: ScenarioRun) -> None:
        while len(self.steps) < LONGEST and time.monotonic() < self.until and self.explorer.arrived is None:
            dossier = _now(reported)
            try:
                outlook = NextSteps(reported, self.path.beginning.wishes, self.explorer.reason)
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
                ExplorationPath(self.path.beginning, (*self.steps, one), dossier.state) for one in others
            )
            if not self._do(reported, first):
                return

    def _fresh(self, outlook: NextSteps, steps: list[Step]) -> list[Step]:
        """Return the steps not yet tried in such a situation, in random order."""
        situation = situation_of(outlook, self.explorer.turns)
        fresh = [one for one in steps if (situation, _label(one)) not in self.explorer.tried]
        self.explorer.tried.update((situation, _label(one)) for one in fresh)
        again = _times(outlook.dossier)
        if max(again.values(), default=0) > TWICE:
            return []
        transition = next_transition(self.procedure, outlook.dossier.state, self.path.beginning.path)
        state, begun = outlook.dossier.state, self.explorer.begun
        mixed = fresh if self.explorer.wanted else self.chance.sample(fresh, len(fresh))  # successful steps first
        return sorted(mixed, key=lambda one: (not leads(one, transition), (state, _label(one)) in begun))

    def _do(self, reported: ScenarioRun, step: Step) -> bool:
        """Play one step and examine the result. Return False when the path ends here."""
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

    # -- examination ---------------------------------------------------------------------------------------------------

    def _look(self, reported: ScenarioRun, before: Dossier, letters: frozenset[str]) -> None:
        dossier, explorer = _now(reported), self.explorer
        explorer.states.update(taken.target for taken in dossier.taken)
        explorer.states.add(dossier.state)
        if dossier.state == explorer.wanted and explorer.arrived is None:
            explorer.arrived = self._story(tuple(self.steps))
        explorer.transitions.update(f"{taken.source}.{taken.transition}" for taken in dossier.taken)
        for name, frozen in dossier.owed.items():
            known = self.shown.get(name)
            if name not in before.owed and self.untouched and known is not None and known != frozen.amount:
                self._note("price", name, {"shown": known, "asked": frozen.amount})
        for event, blank in blanks_in(self.procedure, reported, letters):
            self._note("message", event, {"name": blank})

    def _judge(self, outlook: NextSteps, steps: list[Step]) -> None:
        """Record what a state waits for that no person can do, and a state without exit."""
        state = self.procedure.states.get(outlook.dossier.state)
        if state is None or state.is_end:
            return
        for one in (*outlook.shut, *outlook.without_holder()):
            if one.because.code in ("no_slot", "no_role") or (one.because.code == "role" and one.name in state.waits):
                self._note("nobody", one.name, {"why": one.because.code, "state": state.id, **one.because.facts})
        if not steps:
            self._note("stuck", state.id, {"state": state.id})

    # -- findings ------------------------------------------------------------------------------------------------------

    def _note(self, kind: Kind, at: str, facts: Mapping[str, Fact]) -> None:
        self.explorer.note(ExplorationFinding(kind, at, dict(facts), self._story(tuple(self.steps))))

    def _crashed(self, at: str, error: Exception) -> None:
        self._note("crash", at, {"error": type(error).__name__, "text": str(error)[:200]})


# -- transitions ahead -------------------------------------------------------------------------------------------------


def next_transition(procedure: Procedure, state: str, path: Sequence[str]) -> Transition | None:
    """Return the transition of a path out of a state; None when the path does not pass there."""
    return next((transition for transition in procedure.leaving.get(state, ()) if transition.id in path), None)


def leads(step: Step, transition: Transition | None) -> bool:
    """Return whether a step leads to a transition: the action itself, a successful task, or time."""
    if transition is None:
        return False
    if transition.event is None:
        return step.verb == "take" and step.value == transition.id
    if transition.event == "missed":
        return step.verb == "book" or (step.verb == "visit" and step.value == "missed")
    if transition.event in ("done", "booked"):
        return step.verb not in ("take", "wait") and "ends" not in step.options and step.value != "missed"
    names = step.value if isinstance(step.value, dict) else {step.value: None}
    return (
        transition.event in names if step.verb != "wait" else transition.event == "due" or transition.event not in names
    )


# -- situations --------------------------------------------------------------------------------------------------------


def situation_of(outlook: NextSteps, turns: tuple[Expression, ...]) -> tuple[object, ...]:
    """Return what distinguishes dossiers for their next steps: state, tasks done, conditions that hold."""
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
    """Return the conditions of transitions in their smallest parts.

    Two dossiers may fail a condition for different reasons, and only one may meet it later.
    """
    found: dict[Node, Expression] = {}
    left = [tree(transition.when) for transition in procedure.transitions]
    while left:
        node = left.pop()
        if isinstance(node, (And, Or, Not)):
            left.extend(children(node))
        elif not isinstance(node, Constant) and node not in found:
            found[node] = expression_of(node, "")
    return tuple(found.values())


def _times(dossier: Dossier) -> dict[str, int]:
    """Return how often a dossier entered each state."""
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
