"""Proof P17: of the variants of an operative text, exactly one holds on each path that issues the document.

The whole of all paths is tried first. Where it fails, each path is tried alone: what is done on it may decide.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from typing import Literal, TypeAlias

from engine.core.problems import Fact, Problem, problem
from engine.language.expressions.compiler import tree
from engine.language.expressions.nodes import Happened, Node, names_of, walk
from engine.model import Output
from engine.model.graph import issued_by
from engine.model.types import TRUE
from engine.prover.checks.conditions import not_proved
from engine.prover.checks.established_facts import ProofContext
from engine.prover.checks.issue_paths import first_example
from engine.prover.checks.paths import Path, paths, start_of
from engine.prover.solver.solver import Query, Verdict
from engine.prover.solver.witness_facts import facts_of

_Fault: TypeAlias = Literal["lack", "overlap"]


def operative_variants(places: ProofContext) -> Iterator[Problem]:
    """Yield P17 for each document whose operative text lacks a case, or has two texts for one case."""
    for output in places.procedure.outputs.values():
        clauses = output.paper.operative if output.paper is not None else ()
        nodes = tuple(tree(one.when) for one in clauses)
        if len(clauses) > 1 or any(one.when != TRUE for one in clauses):
            yield from _judged(places, output, nodes)


def _judged(places: ProofContext, output: Output, variants: tuple[Node, ...]) -> Iterator[Problem]:
    """The first fault found: two variants that hold together, then a case without any."""
    rows = (output.per,) if output.per else ()
    granted = (tree(output.when),) if output.when != TRUE else ()
    asked: list[tuple[_Fault, tuple[int, ...], Query]] = [
        ("overlap", pair, Query((*granted, *(variants[at] for at in pair)), rows=rows))
        for pair in combinations(range(len(variants)), 2)
    ]
    asked.append(("lack", (), Query(granted, variants, rows)))
    unknown = False
    for fault, pair, query in asked:
        verdict, facts = _tried(places, output, query)
        if verdict == "yes":
            numbers = " + ".join(str(at + 1) for at in pair)
            more: dict[str, Fact] = {"pair": numbers} if numbers else {}
            yield problem("P17", output.where, at=output.id, name=output.id, fault=fault, **more, **facts)
            return
        unknown = unknown or verdict == "unknown"
    if unknown:
        yield not_proved("P17", output)


def _tried(places: ProofContext, output: Output, query: Query) -> tuple[Verdict, dict[str, Fact]]:
    """Return whether answers fulfil the query where the document is issued, with them and the path."""
    whole = replace(query, sure=places.for_output(output.id))
    if places.prover.possible(whole) == "no":
        return "no", {}
    cases = ((path, _on(path, query)) for path in _paths_to(places, output, (*query.holds, *query.fails)))
    found, path, witness = first_example(places, cases)
    if path is None:
        return found, {}
    facts = facts_of(places.definition, witness, [*query.holds, *query.fails, *path.guards], query.rows)
    return found, {**facts, "path": path.states or (places.procedure.start,)}


def _on(path: Path, query: Query) -> Query:
    alone = path.query()
    return replace(alone, holds=(*query.holds, *alone.holds), fails=query.fails, rows=query.rows)


def _paths_to(places: ProofContext, output: Output, read: tuple[Node, ...]) -> Iterator[Path]:
    """The paths to each issue of the document, that of the first state included.

    A state is visited again where other tasks that the variants read are done, or other answers of theirs are known.
    """
    procedure, names = places.procedure, frozenset[str]().union(*map(names_of, read))
    asked = {places.definition.owners.get(name, name) for name in names}
    asked |= {one.id for node in read for one in walk(node) if isinstance(one, Happened)}
    if output.id in procedure.states[procedure.start].effects.issues:
        yield start_of(procedure)
    yield from paths(
        procedure,
        lambda one: output.id in issued_by(procedure, one),
        mark=lambda path: (path.done & asked, path.so_far.known_of(names)),
    )
