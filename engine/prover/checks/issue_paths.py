"""The paths that issue a document without something that must come first: a confirmation, an act, a task.

The nodes of the search are a state, and whether the thing is there. The solver then says whether answers open a path.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, TypeAlias, TypeVar

from engine.language.expressions.compiler import tree
from engine.language.expressions.nodes import Node
from engine.model import Output, Transition
from engine.model.graph import edges, issued_by
from engine.model.types import TRUE, Expression
from engine.prover.checks.established_facts import ProofContext
from engine.prover.checks.paths import TooManyPaths, start_of
from engine.prover.solver.solver import Query, Verdict
from engine.prover.solver.witness import Witness

_MOST_TRIED: Final = 60
_MOST_STEPS: Final = 20_000
Place: TypeAlias = tuple[str, bool]  # a state, and whether the thing is there


def conditions_of(*conditions: Expression) -> tuple[Node, ...]:
    """Return the trees of conditions, without those that always hold."""
    return tuple(tree(one) for one in conditions if one != TRUE)


_Case = TypeVar("_Case")


def first_example(
    places: ProofContext, cases: Iterable[tuple[_Case, Query]]
) -> tuple[Verdict, _Case | None, Witness | None]:
    """Return yes with the first case that some answers open and these answers, no when none opens, else unknown."""
    verdict: Verdict = "no"
    try:
        for tried, (case, query) in enumerate(cases):
            answer = places.prover.example(query)
            if answer.verdict == "yes":
                return "yes", case, answer.witness
            if answer.verdict == "unknown" or tried >= _MOST_TRIED:
                verdict = "unknown"
            if tried >= _MOST_TRIED:
                break
    except TooManyPaths:
        verdict = "unknown"
    return verdict, None, None


@dataclass(frozen=True, slots=True)
class Way:
    """A path to the issue of a document. `unless` are conditions that would provide the thing.

    What its transitions need and do is known once it is whole (`_whole`).
    """

    taken: tuple[Transition, ...] = ()
    places: tuple[Place, ...] = ()
    guards: tuple[Node, ...] = ()
    unless: tuple[Node, ...] = ()
    done: frozenset[str] = frozenset()
    ever: frozenset[str] = frozenset()

    @property
    def states(self) -> tuple[str, ...]:
        """The states of the path, in order."""
        return tuple(state for state, _ in self.places)


@dataclass(frozen=True, slots=True)
class IssueStep:
    """One transition as it changes whether the thing is there.

    `gives`: it is there where one of these conditions holds, always when there is none. None when it never gives it.
    """

    transition: Transition
    gives: tuple[Node, ...] | None
    takes: bool
    issues: bool


class IssueSearch(ABC):
    """Looks for a path to the issue of a document on which something is absent."""

    def __init__(self, places: ProofContext, output: Output) -> None:
        self.places, self.output, self.procedure = places, output, places.procedure
        self.rows = (output.per,) if output.per else ()
        self.steps: dict[str, list[IssueStep]] = {}
        for transition in edges(self.procedure):
            self.steps.setdefault(transition.source, []).append(self._step(transition))

    @abstractmethod
    def gives(self, transition: Transition) -> tuple[Node, ...] | None:
        """Return the conditions of which one suffices for a transition to give it, None when it never does."""

    @abstractmethod
    def takes(self, transition: Transition) -> bool:
        """Return whether a transition takes it away."""

    @abstractmethod
    def query(self, way: Way) -> Query:
        """Return the query of the answers that open a path and leave the thing absent."""

    def example(self) -> tuple[Verdict, Way | None, Witness | None]:
        """Return yes with the shortest such path and its answers, no when every path gives the thing."""
        return first_example(self.places, ((way, self.query(way)) for way in self._ways()))

    def _step(self, transition: Transition) -> IssueStep:
        issues = self.output.id in issued_by(self.procedure, transition)
        return IssueStep(transition, self.gives(transition), self.takes(transition), issues)

    def _moves(self, place: Place) -> Iterator[tuple[IssueStep, Place, tuple[Node, ...]]]:
        """The places that follow, each with the conditions that must fail for the thing to stay absent."""
        state, given = place
        for step in self.steps.get(state, ()):
            target = step.transition.target
            if step.takes:
                yield step, (target, False), ()
            elif step.gives is None or given:
                yield step, (target, given), ()
            else:
                yield step, (target, True), ()
                if step.gives:
                    yield step, (target, False), step.gives

    def _ways(self) -> Iterator[Way]:
        """The paths that end with the issue while the thing is absent, the shortest first."""
        start: Place = (self.procedure.start, False)
        if self.output.id in self.procedure.states[start[0]].effects.issues:
            yield self._whole(Way((), (start,)))
        useful = self._useful(start)
        left = deque([Way((), (start,))] if start in useful else [])
        steps = 0
        while left:
            way = left.popleft()
            for step, place, unless in self._moves(way.places[-1]):
                steps += 1
                if steps > _MOST_STEPS:
                    raise TooManyPaths
                longer = self._longer(way, step, place, unless)
                if step.issues and not place[1]:
                    yield self._whole(longer)
                elif place in useful and place not in way.places:
                    left.append(longer)

    def acts(self) -> frozenset[str]:
        """Return the transitions that some of these paths take. No other has been taken when the document is issued."""
        useful = self._useful((self.procedure.start, False))
        return frozenset(
            step.transition.id
            for place in useful
            for step, following, _ in self._moves(place)
            if following in useful or (step.issues and not following[1])
        )

    def _useful(self, start: Place) -> frozenset[Place]:
        """The places from which the document may still be issued without the thing."""
        backward: dict[Place, list[Place]] = {}
        last: list[Place] = []
        left, seen = [start], {start}
        while left:
            place = left.pop()
            for step, following, _ in self._moves(place):
                if step.issues and not following[1]:
                    last.append(place)
                backward.setdefault(following, []).append(place)
                if following not in seen:
                    seen.add(following)
                    left.append(following)
        found, left = set(last), list(last)
        while left:
            for place in backward.get(left.pop(), ()):
                if place not in found:
                    found.add(place)
                    left.append(place)
        return frozenset(found)

    def _longer(self, way: Way, step: IssueStep, place: Place, unless: tuple[Node, ...]) -> Way:
        kept = () if step.takes else (*way.unless, *unless)
        return Way((*way.taken, step.transition), (*way.places, place), unless=kept)

    def _whole(self, way: Way) -> Way:
        """The path with its conditions, each with the values of its time, and its tasks done."""
        path = start_of(self.procedure)
        for transition in way.taken:
            path = path.on(transition)
        return replace(way, guards=path.guards, done=path.done, ever=path.so_far.ever)
