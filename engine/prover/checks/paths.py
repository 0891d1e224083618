"""The paths of a workflow, the shortest first, each with its conditions on answers and its tasks done."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from engine.language.expressions.compiler import tree
from engine.language.expressions.nodes import Node
from engine.model import Procedure, Transition
from engine.model.graph import done_after, edges
from engine.model.types import TRUE
from engine.prover.solver.solver import Query

MOST_PATHS: Final = 200
_MOST_STEPS: Final = 20_000


class TooManyPaths(Exception):
    """A workflow with more paths than the proofs examine."""


@dataclass(frozen=True, slots=True)
class Path:
    """Successive transitions from the first state, with the tasks done after them."""

    transitions: tuple[Transition, ...] = ()
    done: frozenset[str] = frozenset()
    ever: frozenset[str] = frozenset()  # tasks done at some time, reopened since or not

    @property
    def states(self) -> tuple[str, ...]:
        """The states of the path, the last one included."""
        return (
            *(transition.source for transition in self.transitions),
            *(transition.target for transition in self.transitions[-1:]),
        )

    @property
    def guards(self) -> tuple[Node, ...]:
        """The conditions of its transitions, each once."""
        return tuple(dict.fromkeys(tree(transition.when) for transition in self.transitions if transition.when != TRUE))

    def query(self, *also: Node) -> Query:
        """Return the query of the answers that allow this path."""
        return Query(
            (*also, *self.guards), sure=self.done, filling=frozenset(_filled(self.transitions)), at_most=self.ever
        )


def _filled(transitions: tuple[Transition, ...]) -> Iterator[str]:
    return (transition.fills for transition in transitions if transition.fills is not None)


def paths(
    procedure: Procedure,
    arrives: Callable[[Transition], bool],
    follows: Callable[[Transition], bool] = lambda transition: True,
    mark: Callable[[Path], bool] = lambda path: False,
) -> Iterator[Path]:
    """Yield each path from the start that visits no state twice with one `mark`, up to its first that `arrives`.

    They come in order of length. Raises `TooManyPaths` above `MOST_PATHS` paths or `_MOST_STEPS` steps.
    """
    leaving: dict[str, list[Transition]] = {}
    for transition in edges(procedure):
        leaving.setdefault(transition.source, []).append(transition)
    first = frozenset({procedure.form.id})
    start = Path((), first, first)
    left = deque([(procedure.start, start, frozenset({(procedure.start, mark(start))}))])
    steps = found = 0
    while left:
        state, path, visited = left.popleft()
        for transition in leaving.get(state, ()):
            steps += 1
            if steps > _MOST_STEPS or found > MOST_PATHS:
                raise TooManyPaths
            done = done_after(procedure, transition, path.done)
            longer = Path((*path.transitions, transition), done, path.ever | done)
            if arrives(transition):
                found += 1
                yield longer
            elif follows(transition) and (place := (transition.target, mark(longer))) not in visited:
                left.append((transition.target, longer, visited | {place}))
