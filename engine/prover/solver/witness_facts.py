"""The facts of a problem from a witness: the relevant answers in the language of the file.

Renderers make the sentences.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Final

from engine.core.problems import Fact
from engine.language.expressions.functions import years_between
from engine.language.expressions.nodes import FunctionCall, Name, Node, Over, children
from engine.model.types import Value
from engine.prover.solver.inputs import FORMER, ProverInput
from engine.prover.solver.witness import Answers, Witness

_MOST: Final = 6
_LONGEST: Final = 40


def facts_of(
    procedure: ProverInput, witness: Witness | None, nodes: Iterable[Node], rows: tuple[str, ...] = ()
) -> dict[str, Fact]:
    """Return the facts `with` and `missing`, empty when there is no witness.

    `with`: the answers that these conditions read, as `age(date_naissance) = 17`. `missing`: those not given.
    """
    if witness is None:
        return {}
    scope = witness.scope(procedure)
    for name in rows:
        found = scope.get(name)
        if isinstance(found, tuple) and found and isinstance(found[0], Answers):
            scope = found[0].scope
    given: dict[str, None] = {}
    missing: dict[str, None] = {}
    for known, aged in _read(nodes):
        value, name = scope.get(known), known.partition(FORMER)[0]
        if name in ("", "today"):
            continue
        if value is None:
            missing[name] = None
        elif aged and isinstance(value, date):
            given[f"age({name}) = {years_between(value, witness.today)}"] = None
        elif isinstance(value, tuple) and any(isinstance(one, Mapping) for one in value):
            given[f"count({name}) = {len(value)}"] = None
        else:
            given[f"{name} = {written(value)}"] = None
    for task in sorted(witness.history.done):
        if f"done:{task}" in witness.names and any(_asks_about(node, task) for node in nodes):
            given[f"done({task}) = true"] = None
    facts: dict[str, Fact] = {}
    if given:
        facts["with"] = tuple(given)[:_MOST]
    if missing:
        facts["missing"] = tuple(missing)[:_MOST]
    return facts


def _read(nodes: Iterable[Node]) -> Iterator[tuple[str, bool]]:
    """The names read, in the order of the text, and whether only the age is read.

    Columns of whole rows are left out.
    """
    seen: dict[str, bool] = {}
    for node in nodes:
        for name, aged in _names(node, False, frozenset()):
            seen[name] = seen.get(name, True) and aged
    yield from seen.items()


def _names(node: Node, aged: bool, columns: frozenset[str]) -> Iterator[tuple[str, bool]]:
    if isinstance(node, Name) and not (node.in_row and node.id in columns):
        yield node.id, aged
    if isinstance(node, Over) and node.body is not None:
        columns = columns | frozenset(node.rows.type.row or ())
    inside = isinstance(node, FunctionCall) and node.function == "age" and len(node.arguments) == 1
    for child in children(node):
        yield from _names(child, inside, columns)


def _asks_about(node: Node, task: str) -> bool:
    return getattr(node, "id", None) == task or any(_asks_about(child, task) for child in children(node))


def written(value: Value) -> str:
    """Return a value as a file writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value if len(value) <= _LONGEST else value[:_LONGEST] + '…'}'"
    if isinstance(value, tuple):
        return "[" + ", ".join(str(one) for one in value) + "]"
    return str(value)
