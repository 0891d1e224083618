"""Advice on appeals: nobody judges their own decision.

An appeal is an act that `appeals` names. A refusal is an agent's act that leads, by automatic ways only, to the end
which that act leaves. It is judged in the state that only appeals lead to, where there is one; else wherever, after the
appeal, such a refusal may be taken again. There, each act of a role that refuses says `not_same_as` that refusal; an
act that only asks for a correction judges nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.definition.circuit import closure, edges
from engine.definition.directory import Directory
from engine.definition.model import APPLICANT, Procedure, Transition
from engine.definition.rulebook import rule
from engine.problems import Problem, problem


@rule("V770")
def own_refusal_judged(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    told: set[tuple[str, str]] = set()
    for appeal in procedure.identity.appeals.values():
        ways = tuple(way for way in edges(procedure) if way.id == appeal.act)
        refusals = _refusals(procedure, frozenset(way.source for way in ways))
        for act in _judging(procedure, ways, refusals):
            mine = sorted({one.id for one in refusals if set(one.by) & set(act.by)} - set(act.other_than))
            if mine and (act.id, mine[0]) not in told:
                told.add((act.id, mine[0]))
                yield problem("V770", act.where, at=act.id, name=act.id, refusal=mine[0], appeal=appeal.id)


def _refusals(procedure: Procedure, contested: frozenset[str]) -> tuple[Transition, ...]:
    """The last acts of an agent before the refused ends that are contested."""
    ends = {one for one in contested if procedure.states[one].outcome == "refused"}
    before: dict[str, list[str]] = {}
    for way in edges(procedure):
        if way.event is not None:
            before.setdefault(way.target, []).append(way.source)
    near = closure(ends, before)
    return tuple(way for way in edges(procedure) if way.target in near and _of_an_agent(way))


def _judging(
    procedure: Procedure, appeals: tuple[Transition, ...], refusals: tuple[Transition, ...]
) -> Iterator[Transition]:
    """The acts that settle what the appeal asks, each once."""
    names = {one.act for one in procedure.identity.appeals.values()}
    heard = {
        state for state in procedure.states
        if state != procedure.start and all(way.id in names for way in edges(procedure) if way.target == state)
    }  # fmt: skip
    follows: dict[str, list[str]] = {}
    for way in edges(procedure):
        if way.source not in heard:
            follows.setdefault(way.source, []).append(way.target)
    met = closure((way.target for way in appeals), follows)
    where = {way.target for way in appeals} & heard | {one.source for one in refusals} & met
    acts = {way.id: way for way in edges(procedure) if way.source in where and _of_an_agent(way)}
    yield from (way for way in acts.values() if "correction" not in way.asks)


def _of_an_agent(way: Transition) -> bool:
    return way.event is None and APPLICANT not in way.by
