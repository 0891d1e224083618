"""The example of each key of the language, taken from files that the tests check, prove and play.

An example is never written for the page: it is the shortest one that `tests/good` and `tests/good_shared` hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from engine.definition.layout_text import write_tree
from engine.definition.source import Path as Steps
from engine.definition.source import Source, Tree, read_source

ROOT: Final = Path(__file__).resolve().parent.parent
_FOLDERS: Final = {"blocks": "block", "lists": "list", "presets": "preset"}  # else the name of the file
_SAME: Final = {"use": "use_one", "notice": "notice_one"}  # a thing, or a list of them
_LONGEST: Final = 90


@dataclass(frozen=True, slots=True)
class Example:
    """`key: value` as a file holds it, empty when it takes more than a line; the file, from the root."""

    text: str
    file: str


Examples = Mapping[tuple[str, str], Example]  # by section of the schema and key


def examples(schema: Mapping[str, Any]) -> Examples:
    """An example of every key that some checked file uses."""
    found: dict[tuple[str, str], Example] = {}
    for path, part in _files(schema):
        source = read_source(path.read_bytes(), path.relative_to(ROOT).as_posix())
        for name, steps, value in _keys(schema["$defs"], part, source.tree, "top", ()):
            one = _example(source, steps, value)
            known = found.get((name, str(steps[-1])))
            if known is None or _rank(one) < _rank(known):
                found[(name, str(steps[-1]))] = one
    return found


def _files(schema: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    for path in sorted((ROOT / "tests" / "good").glob("*.yaml")):
        yield path, schema
    for path in sorted((ROOT / "procedures").glob("*.yaml")):
        yield path, schema
    for path in [*(ROOT / "tests" / "good_shared").glob("*/*.yaml"), *(ROOT / "procedures").glob("*/*.yaml")]:
        yield path, {"$ref": "#/$defs/" + _FOLDERS.get(path.parent.name, path.stem)}


def _rank(one: Example) -> tuple[bool, bool, int, str]:
    """What stands on a line first, then what is written to show the language, then the shortest."""
    return not one.text, not one.file.startswith("tests/"), len(one.text), one.file


def _example(source: Source, steps: Steps, value: Tree) -> Example:
    text = write_tree({str(steps[-1]): value}).strip()
    short = text if "\n" not in text and len(text) <= _LONGEST else ""
    return Example(short, source.file)


def _keys(
    defs: Mapping[str, Any], part: Mapping[str, Any], tree: Tree, name: str, steps: Steps
) -> Iterator[tuple[str, Steps, Tree]]:
    """Every key of a tree with the section of the schema that describes it."""
    if "$ref" in part:
        name = str(part["$ref"]).rpartition("/")[2]
        part, name = {**defs[name], **{key: one for key, one in part.items() if key != "$ref"}}, _SAME.get(name, name)
    if isinstance(tree, dict):
        for key, value in tree.items():
            own = part.get("properties", {}).get(key)
            if own is not None:
                yield name, (*steps, key), value
            for inner in [own] if own is not None else _open(part, key):
                yield from _keys(defs, inner, value, f"{name}.{key}", (*steps, key))
    elif isinstance(tree, list) and isinstance(part.get("items"), dict):
        for at, value in enumerate(tree):
            yield from _keys(defs, part["items"], value, name, (*steps, at))


def _open(part: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    """What the schema says of a key that it does not name."""
    for pattern, one in part.get("patternProperties", {}).items():
        if re.search(pattern, key):
            yield one
    if isinstance(part.get("additionalProperties"), dict):
        yield part["additionalProperties"]


def faulty_files(code: str) -> tuple[Path, ...]:
    """The files of `tests/bad` that hold a fault of this code."""
    return tuple(sorted((ROOT / "tests" / "bad").glob(f"{code}_*.yaml")))
