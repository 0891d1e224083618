"""The expanded form of a file: what its fingerprint covers, and what an edition is rebuilt from years later.

The tree with presets and blocks in, and beside it the lists, schemes and registers it uses: a shared file changed
tomorrow does not change an edition published today. Offices, calendar and seats stay live.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar

from engine.core.values import Plain, Text
from engine.language.compiler.build_context import Library, frozen, plain
from engine.language.compiler.includes import CombinedTree
from engine.language.source.loader import Tree, walk
from engine.language.source.notation import read_date
from engine.language.source.schema import SECTIONS
from engine.model import CodeList, Option, Scheme
from engine.model.directory import Directory, Register

_Known = TypeVar("_Known")
_IN_LIST: Final = re.compile(r"\bin_list\([^'\"]*['\"]([a-z0-9_]+)['\"]\s*\)")


def expand(placed: CombinedTree, used: Library) -> str:
    """The whole as JSON without spaces, keys in the order of the file: that of pages and of states means something.
    Only that of the sections means nothing: they come in theirs. `used`: the part of the library that it uses."""
    lists = {name: _plain_list(one) for name, one in used.lists.items()}
    schemes = {name: _plain_scheme(one) for name, one in used.schemes.items()}
    registers = {name: dict(one.answers) for name, one in used.directory.registers.items()}
    whole: dict[str, Any] = {
        "procedure": _in_sections(plain(placed.tree)), "lists": lists, "schemes": schemes, "registers": registers,
    }  # fmt: skip
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _in_sections(procedure: Plain) -> Plain:
    if not isinstance(procedure, dict):
        return procedure
    return {key: procedure[key] for key in (*SECTIONS, *procedure) if key in procedure}


def contract(expanded: str, directory: Directory) -> tuple[Tree, Library]:
    """The tree and its library out of an expanded form, with the live directory of today."""
    whole = json.loads(expanded)
    registers = {
        name: _register(name, answers, directory.registers.get(name)) for name, answers in whole["registers"].items()
    }
    live = replace(directory, registers=frozen({**directory.registers, **registers}))
    lists = frozen({name: _list(name, entry) for name, entry in whole["lists"].items()})
    schemes = frozen({name: _scheme(name, entry) for name, entry in whole["schemes"].items()})
    return whole["procedure"], Library(lists, schemes, live)


# -- what is used ------------------------------------------------------------------------------------------------------


def library_used(placed: CombinedTree, library: Library) -> Library:
    """The part of the library that the file uses."""
    lists, schemes, registers = set(), set(), set()
    for path, value in walk(placed.tree):
        key = path[-1] if path else None
        if isinstance(value, str):
            if key == "options":
                lists.add(value)
            elif key == "scheme":
                schemes.add(value)
            elif key == "register":
                registers.add(value)
            lists.update(_IN_LIST.findall(value))
        elif isinstance(value, dict) and value.get("type") == "place":
            level = value.get("level") or "commune"
            lists.update((f"{level}s", str(level)))
    return Library(
        _among(library.lists, lists),
        _among(library.schemes, schemes),
        replace(library.directory, registers=_among(library.directory.registers, registers)),
    )


def _among(known: Mapping[str, _Known], names: set[str]) -> Mapping[str, _Known]:
    return frozen({name: known[name] for name in sorted(names & known.keys())})


# -- one by one --------------------------------------------------------------------------------------------------------


def _plain_text(text: Text) -> dict[str, Plain]:
    return dict(text.versions)


def _text(entry: Mapping[str, str]) -> Text:
    return Text(tuple(entry.items()))


def _plain_list(one: CodeList) -> dict[str, Plain]:
    items: list[Plain] = [_plain_item(item) for item in one.items]
    return {"title": _plain_text(one.title), "source": one.source, "items": items}


def _plain_item(item: Option) -> dict[str, Plain]:
    found: dict[str, Plain] = {"code": item.code, "label": _plain_text(item.label)}
    for key, text in (("help", item.help), ("because", item.because)):
        if text is not None:
            found[key] = _plain_text(text)
    for key, day in (("from", item.from_), ("until", item.until)):
        if day is not None:
            found[key] = day.isoformat()
    for key, word in (("parent", item.parent), ("basis", item.basis)):
        if word is not None:
            found[key] = word
    return found


def _list(name: str, entry: Mapping[str, Any]) -> CodeList:
    return CodeList(name, _text(entry["title"]), entry["source"], tuple(_item(one) for one in entry["items"]))


def _item(entry: Mapping[str, Any]) -> Option:
    return Option(
        entry["code"],
        _text(entry["label"]),
        help=_text(entry["help"]) if "help" in entry else None,
        from_=read_date(entry.get("from")),
        until=read_date(entry.get("until")),
        because=_text(entry["because"]) if "because" in entry else None,
        parent=entry.get("parent"),
        basis=entry.get("basis"),
    )


def _plain_scheme(one: Scheme) -> dict[str, Plain]:
    return {
        "label": _plain_text(one.label), "pattern": one.pattern, "checksum": one.checksum, "example": one.example,
    }  # fmt: skip


def _scheme(name: str, entry: Mapping[str, Any]) -> Scheme:
    return Scheme(name, _text(entry["label"]), entry["pattern"], entry["checksum"], entry["example"])


def _register(name: str, answers: Mapping[str, str], live: Register | None) -> Register:
    if live is None:
        return Register(name, Text.of(name), "", frozen(answers))
    return replace(live, answers=frozen(answers))
