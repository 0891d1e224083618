"""P1 and P2 once more, without the ways that no answers open: what is reached through them only is never reached.

The graph alone cannot see it; the solver has just found which conditions never hold (P6).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import MappingProxyType

from engine.definition.expression_compiler import tree
from engine.definition.model import Procedure, Transition
from engine.definition.proofs import states_without_an_end, unreachable_states
from engine.definition.prove_places import Places
from engine.definition.prove_solver import Query
from engine.problems import Problem


def states_behind_closed_doors(places: Places, found: Sequence[Problem]) -> Iterator[Problem]:
    """`found`: what the proofs told so far."""
    never = {one.facts["at"] for one in found if one.code == "P6" and one.facts.get("fault") == "never"}
    procedure, directory = places.procedure, places.book.directory
    closed = [way for way in procedure.transitions if way.id in never and not _opens(places, way)]
    if not closed:
        return
    narrowed = _without(procedure, closed)
    for proof in (unreachable_states, states_without_an_end):
        known = {one.facts["at"] for one in proof(procedure, directory)}  # told by the graph alone
        yield from (one for one in proof(narrowed, directory) if one.facts["at"] not in known)


def _opens(places: Places, way: Transition) -> bool:
    filling = frozenset({way.fills}) if way.fills else frozenset[str]()
    query = Query((tree(way.when),), sure=places.before(way), filling=filling)
    return places.prover.possible(query) != "no"


def _without(procedure: Procedure, closed: Sequence[Transition]) -> Procedure:
    left = tuple(way for way in procedure.transitions if way not in closed)
    leaving = {state: tuple(way for way in ways if way not in closed) for state, ways in procedure.leaving.items()}
    return replace(procedure, transitions=left, leaving=MappingProxyType(leaving))
