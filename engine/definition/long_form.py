"""A file in its long form (`docs/language.md` §15): presets merged, blocks spliced, every automatic way a transition.

What the short form leaves to be guessed stands written; the meaning is the same, and the long form is a legal file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from engine.definition.source import Tree, walk
from engine.definition.splice import Spliced

_EVENTS: Final = {"then": "done", "late": "due", "missed": "missed"}
_LONGEST_ID: Final = 64


def long_form(placed: Spliced) -> Tree:
    """The tree of the long form. A tree of another shape than a procedure's comes back as it is."""
    tree = placed.tree
    workflow = tree.get("workflow") if isinstance(tree, dict) else None
    if not isinstance(tree, dict) or not isinstance(workflow, dict):
        return tree
    taken = {str(step) for path, _ in walk(tree) for step in path[-1:]}
    ways = list(_ways(workflow))
    states: dict[str, Tree] = {name: _without(state, _EVENTS) for name, state in _maps(workflow.get("states"))}
    clocks: dict[str, Tree] = {name: _without(clock, ("then",)) for name, clock in _maps(workflow.get("clocks"))}
    written = workflow.get("transitions")
    acts: dict[str, Tree] = {**written} if isinstance(written, dict) else {}
    acts |= {_free(name, taken): way for name, way in ways}
    grown: dict[str, Tree] = {
        **workflow,
        "states": states,
        "transitions": acts,
        **({"clocks": clocks} if clocks else {}),
    }
    return {**tree, "workflow": grown}


def _ways(workflow: Mapping[str, Tree]) -> Iterator[tuple[str, dict[str, Tree]]]:
    """The automatic ways of the states, then those of the clocks, each with the name it would like."""
    for name, state in _maps(workflow.get("states")):
        for key, event in _EVENTS.items():
            if key in state:
                said = "booked" if key == "then" and "book" in state else event
                yield f"{name}_{key}", {"from": name, "event": said, "to": state[key], **_law(state, key)}
    for name, clock in _maps(workflow.get("clocks")):
        if "then" in clock:
            without = {"without": clock["without"]} if "without" in clock else {}
            way = {"from": clock.get("runs_in"), "event": name, "to": clock["then"]}
            yield f"{name}_over", {**way, **without, **_law(clock, "then")}


def _law(thing: Mapping[str, Tree], key: str) -> dict[str, Tree]:
    """The law of one key of a thing."""
    basis = thing.get("basis")
    law = basis.get(key) if isinstance(basis, dict) else basis
    return {"basis": law} if law is not None else {}


def _maps(things: Tree) -> Iterator[tuple[str, dict[str, Tree]]]:
    for name, thing in things.items() if isinstance(things, dict) else ():
        if isinstance(thing, dict):
            yield name, thing


def _without(thing: Mapping[str, Tree], keys: Iterable[str]) -> dict[str, Tree]:
    return {key: value for key, value in thing.items() if key not in keys}


def _free(name: str, taken: set[str]) -> str:
    """The name, or the nearest that nothing in the file bears."""
    free, number = name[:_LONGEST_ID], 2
    while free in taken:
        end = f"_{number}"
        free, number = name[: _LONGEST_ID - len(end)] + end, number + 1
    taken.add(free)
    return free
