"""Paths of a circuit, one after another, shortest first, each with what it asks of the answers and what it has done."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from engine.language.expressions.compiler import tree
from engine.language.expressions.nodes import Node
from engine.model import Procedure, Transition
from engine.model.graph import edges
from engine.model.types import TRUE
from engine.prover.solver.solver import Query

MOST_PATHS: Final = 200
_MOST_STEPS: Final = 20_000


class TooManyPaths(Exception):
    """A circuit with more paths than anybody looks through."""


@dataclass(frozen=True, slots=True)
class Path:
    """Ways taken one after the other from the first state."""

    ways: tuple[Transition, ...] = ()
    done: frozenset[str] = frozenset()
    ever: frozenset[str] = frozenset()  # done at some time, reopened since or not

    @property
    def states(self) -> tuple[str, ...]:
        """The states gone through, the last reached included."""
        return (*(way.source for way in self.ways), *(way.target for way in self.ways[-1:]))

    @property
    def guards(self) -> tuple[Node, ...]:
        return tuple(dict.fromkeys(tree(way.when) for way in self.ways if way.when != TRUE))

    def query(self, *also: Node) -> Query:
        """The answers with which this path is open, as the solver is asked."""
        return Query((*also, *self.guards), sure=self.done, filling=frozenset(_filled(self.ways)), at_most=self.ever)


def _filled(ways: tuple[Transition, ...]) -> Iterator[str]:
    return (way.fills for way in ways if way.fills is not None)


def done_after(procedure: Procedure, way: Transition, before: frozenset[str]) -> frozenset[str]:
    """What is done once a way is taken."""
    done, state = set(before), procedure.states.get(way.source)
    if way.event == "done" and state is not None:
        done |= set(state.waits)
    if way.event in procedure.tasks:
        done.add(str(way.event))
    done |= {way.fills} if way.fills else set()
    reopened = {asked.id for one in way.reopens if (asked := procedure.round_of(one)) is not None}
    return frozenset(done - set(way.reopens) - reopened)


def paths(
    procedure: Procedure,
    arrives: Callable[[Transition], bool],
    follows: Callable[[Transition], bool] = lambda way: True,
) -> Iterator[Path]:
    """Every path from the start that meets no state twice, up to its first way that `arrives`, by number of ways.
    Raises TooManyPaths when there is no end to them."""
    leaving: dict[str, list[Transition]] = {}
    for way in edges(procedure):
        leaving.setdefault(way.source, []).append(way)
    first = frozenset({procedure.form.id})
    left = deque([(procedure.start, Path((), first, first))])
    steps = found = 0
    while left:
        state, path = left.popleft()
        for way in leaving.get(state, ()):
            steps += 1
            if steps > _MOST_STEPS or found > MOST_PATHS:
                raise TooManyPaths
            done = done_after(procedure, way, path.done)
            longer = Path((*path.ways, way), done, path.ever | done)
            if arrives(way):
                found += 1
                yield longer
            elif follows(way) and way.target not in path.states and way.target != state:
                left.append((way.target, longer))
