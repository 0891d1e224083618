"""Builder of the workflow: states, transitions (acts and automatic ones), legal time limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, cast

from engine.core.values import Text
from engine.language.compiler.build_context import frozen
from engine.language.compiler.build_tasks import office_expression, read_confirms
from engine.language.compiler.namespace import PARTS, TASKS
from engine.language.compiler.symbols import SymbolContext
from engine.language.expressions.compiler import both, either, negate
from engine.language.source.loader import Path
from engine.model import (
    APPLICANT,
    APPLICATION,
    Appointment,
    Effects,
    Fee,
    Form,
    Mode,
    Outcome,
    Output,
    Public,
    State,
    Task,
    TimeLimit,
    Transition,
)
from engine.model.types import DATE, FALSE, SPAN, TRUE, YES_NO, Expression, constant

_STATES: Final[Path] = ("workflow", "states")
_MODES: Final[tuple[Mode, ...]] = (
    "by", "pay", "book", "attend", "correct", "gather", "look_up", "await", "wait", "end",
)  # fmt: skip
_AWAITED: Final[Mapping[str, tuple[str, ...]]] = {
    "pay": ("fee",), "book": ("appointment",), "attend": ("appointment",), "look_up": ("look_up",), "await": ("link",),
    "gather": TASKS,
}  # fmt: skip
_OUTCOMES: Final = ("granted", "refused", "withdrawn", "abandoned", "expired", "revoked")
_PUBLIC: Final = (
    "to_pay", "sent", "in_review", "to_correct", "to_book", "appointment", "accepted", "ready", "refused", "closed",
)  # fmt: skip
_APPLICANT_MODES: Final = ("pay", "book", "attend", "correct")
_ASKS: Final = ("reason", "attachment", "correction", "grounds")


@dataclass(frozen=True, slots=True)
class BuiltWorkflow:
    """The states and transitions, in the order of the file."""

    start: str
    office: Expression | None
    states: Mapping[str, State]
    transitions: tuple[Transition, ...]
    leaving: Mapping[str, tuple[Transition, ...]]
    clocks: Mapping[str, TimeLimit]


@dataclass(frozen=True, slots=True)
class Branch:
    """One entry of a target: its state, its condition and its rank in the list."""

    to: str
    when: Expression
    rank: int
    path: Path
    without: tuple[str, ...]
    reopens: tuple[str, ...]


def build_circuit(symbols: SymbolContext, tasks: Mapping[str, Task], outputs: Mapping[str, Output]) -> BuiltWorkflow:
    """Return the workflow of a file, with the public label of each state.

    The transitions are in this order: those of states, those apart, those of time limits.
    """
    work = _Circuits(symbols, tasks)
    states = {name: work.state(name, path) for name, path in symbols.build.each(_STATES)}
    work.states = states
    transitions = [
        transition for name, path in symbols.build.each(_STATES) for transition in work.transitions(states[name], path)
    ]
    for name, path in symbols.build.each(("workflow", "transitions")):
        transitions.extend(work.common(name, path))
    clocks = {name: work.clock(name, path) for name, path in symbols.build.each(("workflow", "clocks"))}
    for clock in clocks.values():
        transitions.extend(work.over(clock))
    states = _with_public(symbols, states, transitions, outputs, tasks)
    leaving = {name: tuple(transition for transition in transitions if transition.source == name) for name in states}
    words = symbols.words.at(symbols.words.everywhere)
    office = office_expression(symbols, ("workflow", "office"), words)
    return BuiltWorkflow(work.start(), office, frozen(states), tuple(transitions), frozen(leaving), frozen(clocks))


class _Circuits:
    """Builds the parts of one workflow. `states` are those already built."""

    def __init__(self, symbols: SymbolContext, tasks: Mapping[str, Task]) -> None:
        self.symbols, self.build, self.tasks = symbols, symbols.build, tasks
        self.names = symbols.names
        self.words = symbols.words.at(symbols.words.everywhere)
        self.states: dict[str, State] = {}

    def start(self) -> str:
        """Return the id of the first state: `workflow.start`, else the first of the file.

        Empty when there is no state.
        """
        start = self.build.words(("workflow", "start"))
        if start is not None and self.is_state(start, ("workflow", "start")):
            return start
        return next(iter(self.states), "")

    def is_state(self, name: str, path: Path) -> bool:
        """Return whether a name is a state. Report N307 when it is not."""
        known = self.names.of("state")
        if name in known:
            return True
        self.build.unknown("N307", path, name, known)
        return False

    # -- states --------------------------------------------------------------------------------------------------------

    def state(self, name: str, path: Path) -> State:
        """Return one state. Its mode is the first key of `_MODES` that it has."""
        build = self.build
        entry = build.entries(path)
        mode: Mode = next((one for one in _MODES if one in entry), "by")
        return State(
            id=name,
            where=build.where(path, key=True),
            basis=build.basis(path),
            label=build.title((*path, "label")),
            mode=mode,
            by=build.roles((*path, "by")) if mode == "by" else (),
            waits=self.waits(mode, path),
            booked=mode == "book",
            correct=_correct(build.words((*path, "correct"))) if mode == "correct" else None,
            wait=build.expression((*path, "wait"), self.words, (SPAN, DATE)) if mode == "wait" else None,
            outcome=cast(Outcome, build.choice((*path, "end"), _OUTCOMES, "granted")) if mode == "end" else None,
            public=cast(Public, build.choice((*path, "public"), _PUBLIC, "in_review")),
            help=build.text((*path, "help")),
            due=build.expression((*path, "due"), self.words, (SPAN, DATE)),
            escalate=build.role((*path, "escalate")),
            remind=build.spans((*path, "remind")),
            effects=self.effects(path),
        )

    def waits(self, mode: Mode, path: Path) -> tuple[str, ...]:
        """Return the ids of the tasks a state waits for."""
        if mode == "correct":
            return (APPLICATION,)
        return self.names.checked(self.build, (*path, mode), *_AWAITED[mode]) if mode in _AWAITED else ()

    def effects(self, path: Path) -> Effects:
        """Return the effects written at a path. Unknown outputs and fees are reported and left out."""
        outputs = {
            key: self.names.checked(self.build, (*path, key), "output")
            for key in ("issues", "revokes", "suspends", "restores")
        }
        return Effects(**outputs, returns=self.returns((*path, "returns")))

    def returns(self, path: Path) -> Mapping[str, int]:
        """Return the percentage to give back of each fee, from `[fee]` or `{fee: percent}`."""
        shares = self.build.entries(path)
        if shares:
            return frozen({
                name: share if isinstance(share, int) else 100
                for name, share in shares.items()
                if self.names.check(self.build, name, (*path, name), "fee")
            })  # fmt: skip
        return frozen(dict.fromkeys(self.names.checked(self.build, path, "fee"), 100))

    # -- transitions ---------------------------------------------------------------------------------------------------

    def transitions(self, state: State, path: Path) -> Iterator[Transition]:
        """Yield the automatic transitions of a state, then the acts written in it."""
        events = {"then": "booked" if state.booked else "done", "late": "due", "missed": "missed"}
        for key, event in events.items():
            if self.build.at((*path, key)) is None:
                continue
            for branch in self.branches((*path, key), TRUE):
                yield Transition(
                    id=f"{state.id}.{key}",
                    where=self.build.where((*path, key), key=True),
                    source=state.id,
                    target=branch.to,
                    label=state.label,
                    event=event,
                    when=branch.when,
                    rank=branch.rank,
                    reopens=branch.reopens,
                    without=branch.without,
                    basis=_part(state.basis, key),
                )
        for name, act in self.build.each((*path, "transitions")):
            yield from self.act(name, act, (state,))

    def common(self, name: str, path: Path) -> Iterator[Transition]:
        """Yield the transitions of an act, or of an automatic transition in long form, written outside the states."""
        yield from self.act(name, path, tuple(self.sources((*path, "from"))))

    def sources(self, path: Path) -> Iterator[State]:
        """Yield the source states named at a path. `open` means all states that are no end."""
        if self.build.at(path) is None:
            self.build.say("S202", path[:-1], key=True, name="from")
        if self.build.words(path) == "open":
            yield from (state for state in self.states.values() if not state.is_end)
            return
        for name, there in self.build.named(path):
            if self.is_state(name, there):
                yield self.states[name]

    def filled(self, path: Path) -> str | None:
        """Return the later form that an act fills, None when there is none.

        Report S299 for a form filled once per row: one act cannot fill all its rows.
        """
        form = next(iter(self.names.checked(self.build, path, "form")), None)
        if form is not None and self.build.words(("later_forms", form, "each")) is not None:
            self.build.say("S299", path, what="fills", name=form)
            return None
        return form

    def act(self, name: str, path: Path, sources: tuple[State, ...]) -> Iterator[Transition]:
        """Yield one transition for each source and each entry of the target."""
        build = self.build
        event = self.event((*path, "event"))
        when = build.or_else((*path, "when"), self.words, YES_NO, TRUE)
        branches = tuple(self.branches((*path, "to"), when))
        written = build.roles((*path, "by"))
        without = self.names.checked(build, (*path, "without"), *TASKS)
        reopens = self.names.checked(build, (*path, "reopens"), *PARTS)
        like = Transition(
            id=name,
            where=build.where(path, key=True),
            basis=build.basis(path),
            source="",
            target="",
            label=build.text((*path, "label")) or Text(()),
            for_agents=build.text((*path, "for_agents")),
            by=written,
            event=event,
            asks=frozenset(one for one in build.ids((*path, "asks")) if one in _ASKS),
            grounds=tuple(self.laws((*path, "grounds"))),
            confirms=read_confirms(self.symbols, (*path, "confirms")),
            correctable=self.names.checked(build, (*path, "correctable"), "question", "evidence"),
            fills=self.filled((*path, "fills")),
            other_than=self.names.checked(build, (*path, "not_same_as"), "transition", *PARTS),
            same_as=next(iter(self.names.checked(build, (*path, "same_as"), "transition", *PARTS)), None),
            within=build.span((*path, "within")),
            confirm=build.text((*path, "confirm")),
            bulk=build.flag((*path, "bulk"), False),
            effects=self.effects(path),
        )
        if event is None and not written and sources and not all(self.actor(one) for one in sources):
            build.say("S202", path, key=True, name="by")
        for source in sources:
            for branch in branches:
                yield replace(
                    like,
                    source=source.id,
                    target=branch.to,
                    by=() if event is not None else written or self.actor(source),
                    when=branch.when,
                    rank=branch.rank,
                    without=(*without, *branch.without),
                    reopens=(*reopens, *branch.reopens),
                )

    def laws(self, path: Path) -> Iterator[str]:
        """Yield the laws named at a path. Report N306 for an unknown one."""
        for name, there in self.build.named(path):
            if name in self.build.laws:
                yield name
            else:
                self.build.unknown("N306", there, name, self.build.laws)

    def actor(self, state: State) -> tuple[str, ...]:
        """Return who acts in a state without `by`: its roles, or the applicant where they are waited for."""
        if state.mode == "by":
            return state.by
        return (APPLICANT,) if state.mode in _APPLICANT_MODES else ()

    def event(self, path: Path) -> str | None:
        """Return the event of an automatic transition, None for an act. Report an unknown event."""
        event = self.build.words(path)
        if event is None or event in ("done", "booked", "missed", "due"):
            return event
        return event if self.names.check(self.build, event, path, "clock", *PARTS) else None

    def branches(self, path: Path, when: Expression) -> Iterator[Branch]:
        """Yield the entries of a target: a state id, or a first-match list.

        Each entry holds when no earlier one does.
        """
        if isinstance(self.build.at(path), str):
            name = self.build.words(path) or ""
            if self.is_state(name, path):
                yield Branch(name, when, 0, path, (), ())
            return
        earlier: Expression = FALSE
        for rank, _ in enumerate(self.build.items(path)):
            here = (*path, rank)
            own = self.build.or_else((*here, "when"), self.words, YES_NO, TRUE)
            name = self.build.words((*here, "to")) or ""
            if name and self.is_state(name, (*here, "to")):
                yield Branch(
                    name,
                    both(when, both(own, negate(earlier))),
                    rank,
                    here,
                    self.names.checked(self.build, (*here, "without"), *TASKS),
                    self.names.checked(self.build, (*here, "reopens"), *PARTS),
                )
            earlier = either(earlier, own)

    # -- time limits ---------------------------------------------------------------------------------------------------

    def clock(self, name: str, path: Path) -> TimeLimit:
        """Return one legal time limit."""
        build = self.build
        lasts = build.span((*path, "lasts"))
        return TimeLimit(
            id=name,
            where=build.where(path, key=True),
            basis=build.basis(path),
            label=build.title((*path, "label")),
            lasts=constant(lasts, SPAN, build.where((*path, "lasts"))),
            runs_in=frozenset(self.listed((*path, "runs_in"))),
            paused_in=frozenset(self.listed((*path, "paused_in"))),
            without=self.names.checked(build, (*path, "without"), *TASKS),
        )

    def listed(self, path: Path) -> Iterator[str]:
        """Yield the states named at a path. Unknown ones are reported and left out."""
        return (name for name, there in self.build.named(path) if self.is_state(name, there))

    def over(self, clock: TimeLimit) -> Iterator[Transition]:
        """Yield the transitions at the end of a time limit, one for each state it runs in."""
        path: Path = ("workflow", "clocks", clock.id, "then")
        for branch in self.branches(path, TRUE):
            for state in self.states.values():
                if state.id in clock.runs_in:
                    yield Transition(
                        id=f"{clock.id}.then",
                        where=self.build.where(path, key=True),
                        basis=_part(clock.basis, "then"),
                        source=state.id,
                        target=branch.to,
                        label=clock.label,
                        event=clock.id,
                        when=branch.when,
                        rank=branch.rank,
                        reopens=branch.reopens,
                        without=(*clock.without, *branch.without),
                    )


def _correct(written: str | None) -> Literal["requested", "everything"]:
    return "everything" if written == "everything" else "requested"


def _part(basis: Mapping[str, str], key: str) -> Mapping[str, str]:
    """The law of one key of an element, as the law of the transition that this key is."""
    law = basis.get(key, basis.get("*"))
    return frozen({"*": law} if law else {})


# -- the public label --------------------------------------------------------------------------------------------------


def _with_public(
    symbols: SymbolContext, states: Mapping[str, State], transitions: list[Transition], outputs: Mapping[str, Output],
    tasks: Mapping[str, Task],
) -> dict[str, State]:  # fmt: skip
    """The states with their public label: as written, or derived from what they wait for."""
    granting = {one.id for one in outputs.values() if one.grants}
    granted = _granted(states, transitions, granting, symbols.build.words(("workflow", "start")))
    found = {}
    for name, state in states.items():
        written = symbols.build.words((*_STATES, name, "public")) in _PUBLIC
        found[name] = state if written else replace(state, public=_derived(state, name in granted, tasks))
    return found


def _derived(state: State, granted: bool, tasks: Mapping[str, Task]) -> Public:
    if state.outcome is not None:
        return "accepted" if state.outcome == "granted" else "refused" if state.outcome == "refused" else "closed"
    if state.mode == "gather":
        return next((label for task in state.waits if (label := _expected(tasks.get(task)))), "in_review")
    by_mode: Mapping[str, Public] = {
        "pay": "to_pay", "book": "to_book", "attend": "to_book", "correct": "to_correct",
        "by": "accepted" if granted else "in_review",
    }  # fmt: skip
    return by_mode.get(state.mode, "in_review")


def _expected(task: Task | None) -> Public | None:
    """The public label of a task that the applicant must do, None when there is none."""
    if isinstance(task, Fee):
        return "to_pay"
    if isinstance(task, Appointment):
        return "to_book"
    return "to_correct" if isinstance(task, Form) and APPLICANT in task.by else None


def _granted(
    states: Mapping[str, State], transitions: list[Transition], granting: set[str], start: str | None
) -> frozenset[str]:
    """The states where a granting document was issued before, or on entry, on all paths."""
    known = set(states)
    changed = True
    while changed:
        changed = False
        for name in sorted(known):
            if granting & set(states[name].effects.issues):
                continue
            arriving = [transition for transition in transitions if transition.target == name]
            sure = all(
                transition.source in known or granting & set(transition.effects.issues) for transition in arriving
            )
            if name == start or not arriving or not sure:
                known.discard(name)
                changed = True
    return frozenset(known)
