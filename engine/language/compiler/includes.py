"""Includes: presets, blocks and shared lists merged into one file (`docs/language.md` §16), with all positions.

One merge rule: the file over the preset, map by map. `null` removes a key, lists are replaced whole. The result is
the expanded file: valid, complete, and covered by the fingerprint.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from engine.core.problems import Position, Problem, problem
from engine.core.spelling import close_names
from engine.language.expressions.parser import rename_names
from engine.language.source.loader import Path, Source, Tree, node_at, walk

_ABOUT_PRESET: Final = ("preset", "title", "needs")
_CONDITIONS: Final = ("when", "required", "value", "default", "minimum", "maximum", "example", "must", "should")
_SIMPLE: Final = re.compile(r"[\w.]+(\s*(==|!=|<=?|>=?)\s*[\w.'\"]+)?|\w+\([^()]*\)")


Place = tuple[Source, Path]


@dataclass(frozen=True, slots=True)
class CombinedTree:
    """One tree combined from several files.

    `grafts` map a path to the file, and the path in it, that it comes from.
    """

    tree: Tree
    base: Source
    grafts: Mapping[Path, Place] = field(default_factory=dict, repr=False)

    def origin(self, path: Path) -> Place:
        """Return the file that holds a value, and its path there."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.grafts:
                source, start = self.grafts[path[:length]]
                return source, (*start, *path[length:])
        return self.base, path

    def position(self, path: Path, key: bool = False) -> Position:
        """Return the position of the value at a path, or of its key, in its own file."""
        source, there = self.origin(path)
        return source.position(there, key)

    def first_sign(self, path: Path) -> Position:
        """Return the position of the first character of a text, after its quote.

        For a value that no file holds unchanged, it is the position of that value.
        """
        return self.inside(path, 0)

    def inside(self, path: Path, offset: int, width: int = 1) -> Position:
        """Return the position of one character of a text.

        For a value that no file holds unchanged, it is the position of that value.
        """
        source, there = self.origin(path)
        return source.inside(there, offset, width) if self.is_verbatim(path) else source.position(there)

    def is_verbatim(self, path: Path) -> bool:
        """Return whether a file holds the value unchanged."""
        source, there = self.origin(path)
        return source.at(there) == self.at(path)

    def at(self, path: Path) -> Tree:
        """Return the value at a path, None where there is none."""
        return node_at(self.tree, path)


def combine(
    source: Source, blocks: Mapping[str, Source], presets: Mapping[str, Source]
) -> tuple[CombinedTree, list[Problem]]:
    """Return the file merged with its preset and its blocks, and the problems found."""
    work = _Splicing(source, blocks, presets)
    work.extend()
    work.use_blocks()
    return CombinedTree(work.tree, source, work.grafts), work.problems


@dataclass(frozen=True, slots=True)
class _Laid:
    """A field or check of a block, as it is included in a page.

    `condition` is where the `when` of its use is written.
    """

    tree: Tree
    origin: Place
    condition: Place | None = None


class _Splicing:
    """The tree being built. All paths are those of this tree."""

    def __init__(self, source: Source, blocks: Mapping[str, Source], presets: Mapping[str, Source]) -> None:
        self.source, self.blocks, self.presets = source, blocks, presets
        self.tree: dict[str, Tree] = dict(source.tree) if isinstance(source.tree, dict) else {}
        self.grafts: dict[Path, Place] = {}
        self.problems: list[Problem] = []

    def say(self, code: str, path: Path, name: str, known: Mapping[str, object], **facts: str) -> None:
        """Report an unknown name, with close names. The fact `put` is the replacement, when only one is close."""
        where = CombinedTree(self.tree, self.source, self.grafts).position(path)
        near = close_names(name, known)
        put = {"put": near[0]} if len(near) == 1 else {}
        self.problems.append(problem(code, where, name=name, near=near, **facts, **put))

    # -- merging -------------------------------------------------------------------------------------------------------

    def merge(self, mine: Tree, theirs: Tree, path: Path, file: Source, there: Path) -> Tree:
        """Return `mine` merged over `theirs`. A value that only `theirs` has is recorded as a graft."""
        if not isinstance(mine, dict) or not isinstance(theirs, dict):
            return mine
        merged: dict[str, Tree] = {}
        for key, value in theirs.items():
            if key not in mine:
                merged[key] = value
                self.grafts[(*path, key)] = (file, (*there, key))
            elif mine[key] is not None:
                merged[key] = self.merge(mine[key], value, (*path, key), file, (*there, key))
        for key, value in mine.items():
            if key not in theirs:
                merged[key] = value
        return merged

    # -- presets -------------------------------------------------------------------------------------------------------

    def extend(self) -> None:
        """Merge the file over its preset, if it has one. Report N304 for an unknown preset."""
        name = self.tree.pop("extends", None)
        if not isinstance(name, str):
            return
        preset = self.presets.get(name)
        if preset is None:
            self.say("N304", ("extends",), name, self.presets, kind="preset")
            return
        theirs = dict(preset.tree) if isinstance(preset.tree, dict) else {}
        needs = theirs.get("needs")
        merged = self.merge(
            self.tree, {key: value for key, value in theirs.items() if key not in _ABOUT_PRESET}, (), preset, ()
        )
        self.tree = merged if isinstance(merged, dict) else {}
        self._check_needs(needs)

    def _check_needs(self, needs: Tree) -> None:
        """Report the names (a fee, an output…) that a preset needs and the file lacks."""
        for kind, name in needs.items() if isinstance(needs, dict) else ():
            section = self.tree.get(f"{kind}s")
            known = section if isinstance(section, dict) else {}
            if kind != "role" and isinstance(name, str) and name not in known:
                self.say("N301", ("extends",), name, known)

    # -- blocks --------------------------------------------------------------------------------------------------------

    def use_blocks(self) -> None:
        """Include the blocks in the pages and later forms."""
        for section in ("form", "later_forms"):
            things = self.tree.get(section)
            if isinstance(things, dict):
                self.tree[section] = {name: self._page(thing, (section, name)) for name, thing in things.items()}

    def _page(self, page: Tree, path: Path) -> Tree:
        """A page, a later form or a question of rows with its blocks included, also inside its rows."""
        if not isinstance(page, dict) or not page.keys() & {"use", "fields"}:
            return page
        grown = {key: value for key, value in page.items() if key != "use"}
        laid: dict[str, dict[str, _Laid]] = {"fields": {}, "checks": {}}
        for use, use_path in _uses(page.get("use"), (*path, "use")):
            block = self._block(use, use_path)
            if block is not None:
                self._lay(laid, block, use, use_path)
                if "title" not in grown and path[:-1] == ("form",):
                    for key in ("title", "for_agents"):
                        if key not in grown and isinstance(block.tree, dict) and key in block.tree:
                            grown[key] = block.tree[key]
                            self.grafts[(*path, key)] = (block, (key,))
        for section, things in laid.items():
            if things:
                grown[section] = self._over(grown.get(section), things, (*path, section))
        fields = grown.get("fields")
        if isinstance(fields, dict):
            grown["fields"] = {name: self._page(one, (*path, "fields", name)) for name, one in fields.items()}
        return grown

    def _block(self, use: Mapping[str, Tree], use_path: Path) -> Source | None:
        name = use.get("block")
        if not isinstance(name, str):
            return None
        block = self.blocks.get(name)
        if block is None or not isinstance(block.tree, dict):
            alone = isinstance(CombinedTree(self.tree, self.source).at(use_path), str)
            self.say("N304", use_path if alone else (*use_path, "block"), name, self.blocks, kind="block")
            return None
        return block

    def _lay(self, laid: dict[str, dict[str, _Laid]], block: Source, use: Mapping[str, Tree], use_path: Path) -> None:
        """Add what one `use` brings: the selected fields, renamed by `prefix`, and the checks."""
        fields, checks = block.at(("fields",)), block.at(("checks",))
        theirs = fields if isinstance(fields, dict) else {}
        prefix, condition = use.get("prefix"), use.get("when")
        names = {one: f"{prefix}{one}" for one in theirs} if isinstance(prefix, str) else {}
        place = self._origin((*use_path, "when")) if isinstance(condition, (str, bool)) else None
        for name in self._wanted(theirs, use, use_path):
            thing = _renamed(theirs[name], names)
            if isinstance(thing, dict) and isinstance(condition, (str, bool)):
                thing = {**thing, "when": conjunction(condition, thing.get("when"))}
            laid["fields"][names.get(name, name)] = _Laid(thing, (block, ("fields", name)), place)
        for name, check in checks.items() if isinstance(checks, dict) else ():
            new = f"{prefix}{name}" if names else name
            laid["checks"][new] = _Laid(_renamed(check, names), (block, ("checks", name)))

    def _origin(self, path: Path) -> Place:
        return CombinedTree(self.tree, self.source, self.grafts).origin(path)

    def _wanted(self, theirs: Mapping[str, Tree], use: Mapping[str, Tree], use_path: Path) -> list[str]:
        """The selected fields of a block: `only` some, or all `except` some."""
        for key in ("only", "except"):
            listed = use.get(key)
            for at, one in enumerate(listed if isinstance(listed, list) else ()):
                if isinstance(one, str) and one not in theirs:
                    self.say("N301", (*use_path, key, at), one, theirs)
        only, but = use.get("only"), use.get("except")
        return [
            name
            for name in theirs
            if (not isinstance(only, list) or name in only) and (not isinstance(but, list) or name not in but)
        ]

    def _over(self, mine: Tree, laid: Mapping[str, _Laid], path: Path) -> Tree:
        """The entries of the page over those of its blocks. Those of the blocks come first."""
        written = mine if isinstance(mine, dict) else {}
        grown: dict[str, Tree] = {}
        for name, one in laid.items():
            place = (*path, name)
            if name not in written:
                grown[name] = one.tree
                self.grafts[place] = one.origin
            elif written[name] is not None:
                grown[name] = self.merge(written[name], one.tree, place, *one.origin)
            own = written.get(name)
            if one.condition is not None and not (isinstance(own, dict) and "when" in own):
                self.grafts[(*place, "when")] = one.condition
        return {**grown, **{name: one for name, one in written.items() if name not in laid}}


def _uses(use: Tree, path: Path) -> Iterator[tuple[Mapping[str, Tree], Path]]:
    """`identite`, `{block: …}` or a list of these, each as a map with its path."""
    if isinstance(use, str):
        yield {"block": use}, path
    elif isinstance(use, dict):
        yield use, path
    elif isinstance(use, list):
        for at, one in enumerate(use):
            if not isinstance(one, list):
                yield from _uses(one, (*path, at))


def conjunction(condition: Tree, other: Tree) -> Tree:
    """Return the conjunction of both conditions as text."""
    if other is None or other is True:
        return condition
    if condition is True:
        return other
    return f"{_closed(condition)} and {_closed(other)}"


def _closed(condition: Tree) -> str:
    text = str(condition).lower() if isinstance(condition, bool) else str(condition).strip()
    return text if _SIMPLE.fullmatch(text) else f"({text})"


def _renamed(thing: Tree, names: Mapping[str, str]) -> Tree:
    """A field or check of a block with its names prefixed: in its conditions, computed value and references."""
    if not names or not isinstance(thing, dict):
        return thing
    details = {f"{old}_other": f"{new}_other" for old, new in names.items()}
    grown: dict[str, Tree] = {}
    for key, value in thing.items():
        if key in _CONDITIONS and isinstance(value, str):
            grown[key] = rename_names(value, {**details, **names})
        elif key in ("at", "under") and isinstance(value, str):
            grown[key] = names.get(value, value)
        elif key in ("fields", "checks", "options") and isinstance(value, dict):
            grown[key] = {name: _renamed(one, names) for name, one in value.items()}
        else:
            grown[key] = value
    return grown


_EVENTS: Final = {"then": "done", "late": "due", "missed": "missed"}
_LONGEST_ID: Final = 64


def long_form(placed: CombinedTree) -> Tree:
    """Return the tree in long form: automatic transitions are written among `transitions`.

    A tree that is no procedure comes back unchanged.
    """
    tree = placed.tree
    workflow = tree.get("workflow") if isinstance(tree, dict) else None
    if not isinstance(tree, dict) or not isinstance(workflow, dict):
        return tree
    taken = {str(step) for path, _ in walk(tree) for step in path[-1:]}
    transitions = list(_transitions(workflow))
    states: dict[str, Tree] = {name: _without(state, _EVENTS) for name, state in _maps(workflow.get("states"))}
    clocks: dict[str, Tree] = {name: _without(clock, ("then",)) for name, clock in _maps(workflow.get("clocks"))}
    written = workflow.get("transitions")
    acts: dict[str, Tree] = {**written} if isinstance(written, dict) else {}
    acts |= {_free(name, taken): transition for name, transition in transitions}
    grown: dict[str, Tree] = {
        **workflow,
        "states": states,
        "transitions": acts,
        **({"clocks": clocks} if clocks else {}),
    }
    return {**tree, "workflow": grown}


def _transitions(workflow: Mapping[str, Tree]) -> Iterator[tuple[str, dict[str, Tree]]]:
    """The automatic transitions of the states, then those of the time limits, each with its preferred name."""
    for name, state in _maps(workflow.get("states")):
        for key, event in _EVENTS.items():
            if key in state:
                said = "booked" if key == "then" and "book" in state else event
                yield f"{name}_{key}", {"from": name, "event": said, "to": state[key], **_law(state, key)}
    for name, clock in _maps(workflow.get("clocks")):
        if "then" in clock:
            without = {"without": clock["without"]} if "without" in clock else {}
            transition = {"from": clock.get("runs_in"), "event": name, "to": clock["then"]}
            yield f"{name}_over", {**transition, **without, **_law(clock, "then")}


def _law(thing: Mapping[str, Tree], key: str) -> dict[str, Tree]:
    """The law of one key of an element, as a map with `basis`."""
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
    """The name, or the nearest one not used in the file."""
    free, number = name[:_LONGEST_ID], 2
    while free in taken:
        end = f"_{number}"
        free, number = name[: _LONGEST_ID - len(end)] + end, number + 1
    taken.add(free)
    return free
