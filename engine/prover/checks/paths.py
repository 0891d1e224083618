"""The paths of a workflow, the shortest first, each with its conditions on answers and its tasks done."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Final

from engine.language.expressions.nodes import Node
from engine.model import Procedure, Transition
from engine.model.graph import edges
from engine.prover.checks.former_guards import PathGuards, first_guards
from engine.prover.solver.solver import Query

MOST_PATHS: Final = 200
_MOST_STEPS: Final = 20_000


class TooManyPaths(Exception):
    """A workflow with more paths than the proofs examine."""


@dataclass(frozen=True, slots=True)
class Path:
    """Successive transitions from the first state, with the tasks done after them."""

    procedure: Procedure
    transitions: tuple[Transition, ...]
    so_far: PathGuards

    @property
    def done(self) -> frozenset[str]:
        """The tasks done at its end."""
        return self.so_far.done

    @property
    def guards(self) -> tuple[Node, ...]:
        """The conditions of its transitions, each once, with the values of its time."""
        return self.so_far.nodes

    @property
    def states(self) -> tuple[str, ...]:
        """The states of the path, the last one included."""
        return (
            *(transition.source for transition in self.transitions),
            *(transition.target for transition in self.transitions[-1:]),
        )

    def query(self, *also: Node) -> Query:
        """Return the query of the answers that allow this path."""
        filling = frozenset(_filled(self.transitions)) & self.done
        return Query((*also, *self.guards), sure=self.done, filling=filling, at_most=self.so_far.ever)

    def on(self, transition: Transition) -> Path:
        """Return the path with one more transition."""
        return Path(self.procedure, (*self.transitions, transition), self.so_far.after(self.procedure, transition))


def start_of(procedure: Procedure) -> Path:
    """Return the path that has taken no transition."""
    return Path(procedure, (), first_guards(procedure))


def _filled(transitions: tuple[Transition, ...]) -> Iterator[str]:
    return (transition.fills for transition in transitions if transition.fills is not None)


def paths(
    procedure: Procedure,
    arrives: Callable[[Transition], bool],
    follows: Callable[[Transition], bool] = lambda transition: True,
    mark: Callable[[Path], Hashable] = lambda path: None,
    goes_on: Callable[[Path], bool] = lambda path: False,
) -> Iterator[Path]:
    """Yield each path from the start that visits no state twice with one `mark`, up to its first that `arrives`.

    They come in order of length. Raises `TooManyPaths` above `MOST_PATHS` paths or `_MOST_STEPS` steps.
    """
    leaving: dict[str, list[Transition]] = {}
    for transition in edges(procedure):
        leaving.setdefault(transition.source, []).append(transition)
    start = start_of(procedure)
    left = deque([(procedure.start, start, frozenset({(procedure.start, mark(start))}))])
    steps = found = 0
    while left:
        state, path, visited = left.popleft()
        for transition in leaving.get(state, ()):
            steps += 1
            if steps > _MOST_STEPS or found > MOST_PATHS:
                raise TooManyPaths
            longer = path.on(transition)
            if arrives(transition):
                found += 1
                yield longer
            if arrives(transition) and not goes_on(longer):
                continue
            if follows(transition) and (place := (transition.target, mark(longer))) not in visited:
                left.append((transition.target, longer, visited | {place}))
