"""The shared files of procedures: blocks, presets, lists of codes, kinds of identifiers, the directory.

They are read from `procedures/{blocks,lists,presets,shared}/*.yaml` (`docs/language.md` §16). Blocks and presets
stay as written, with positions, because they are merged into procedures. A file with a fault is reported and left
out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path as FilePath
from types import MappingProxyType
from typing import Any, Final, TypeAlias, TypeVar

from engine.core.problems import InvalidDefinition, Problem, problem
from engine.core.spelling import close_names
from engine.core.values import Text
from engine.language.source.loader import Path, Source, read_source
from engine.language.source.notation import WEEKDAYS, read_date, read_span, read_weekday_hours
from engine.language.source.schema import SharedKind, check_shared_shape
from engine.model import Appeal, CodeList, Contact, Option, Scheme
from engine.model.directory import Agency, Calendar, Closure, Directory, Office, Register, Role

_FOLDERS: Final[Mapping[str, SharedKind]] = {"blocks": "block", "lists": "list", "presets": "preset"}
_LIVE: Final[tuple[SharedKind, ...]] = ("agencies", "offices", "calendar", "schemes", "registers", "press")
_Kept = TypeVar("_Kept")
_Maker: TypeAlias = Callable[[Source, str, Any], _Kept]


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Shared:
    """All shared files. The directory is live data, the rest is part of the fingerprint."""

    blocks: Mapping[str, Source] = field(default_factory=_nothing)
    presets: Mapping[str, Source] = field(default_factory=_nothing)
    lists: Mapping[str, CodeList] = field(default_factory=_nothing)
    schemes: Mapping[str, Scheme] = field(default_factory=_nothing)
    directory: Directory = field(default_factory=Directory)


def load_shared(folder: FilePath, sound: Collection[str] = ()) -> tuple[Shared, list[Problem]]:
    """Return all shared files of a folder of procedures, and all their faults.

    `sound` are the digests of those whose shape is known to be valid.
    """
    problems: list[Problem] = []
    named = {name: dict(_named(folder / name, kind, problems, sound)) for name, kind in _FOLDERS.items()}
    live = {kind: _read(folder / "shared" / f"{kind}.yaml", kind, problems, sound) for kind in _LIVE}
    agencies = _each(live["agencies"], _agency)
    offices, registers = _each(live["offices"], _office), _each(live["registers"], _register)
    problems.extend(_unknown_roles(live["agencies"], agencies))
    problems.extend(_unknown_agencies(live["offices"], offices, agencies))
    problems.extend(_unknown_agencies(live["registers"], registers, agencies))
    problems.extend(_unknown_labels(live["registers"], registers))
    shared = Shared(
        blocks=MappingProxyType(named["blocks"]),
        presets=MappingProxyType(named["presets"]),
        lists=MappingProxyType({name: _code_list(source) for name, source in named["lists"].items()}),
        schemes=_each(live["schemes"], _scheme),
        directory=Directory(agencies, offices, _calendar(live["calendar"]), registers, _press(live["press"])),
    )
    return shared, problems


def shared_files(folder: FilePath) -> tuple[FilePath, ...]:
    """Return the existing shared files, in order. A change of one requires a new check of all procedures."""
    named = [path for name in _FOLDERS for path in sorted((folder / name).glob("*.yaml"))]
    live = [folder / "shared" / f"{kind}.yaml" for kind in _LIVE]
    return (*named, *(path for path in live if path.is_file()))


def _named(
    folder: FilePath, kind: SharedKind, problems: list[Problem], sound: Collection[str]
) -> Iterator[tuple[str, Source]]:
    """The valid files of one folder, by name. A file must be named as the name it declares."""
    for path in sorted(folder.glob("*.yaml")):
        source = _read(path, kind, problems, sound)
        if source is None:
            continue
        name = source.at((kind,))
        if name == path.stem:
            yield path.stem, source
        else:
            facts = {"name": kind, "expected": "file_name", "value": str(name), "put": path.stem}
            problems.append(problem("S203", source.position((kind,)), **facts))


def _read(path: FilePath, kind: SharedKind, problems: list[Problem], sound: Collection[str]) -> Source | None:
    if not path.is_file():
        return None
    data = path.read_bytes()
    try:
        source = read_source(data, str(path))
    except InvalidDefinition as invalid:
        problems.extend(invalid.report)
        return None
    faults = [] if hashlib.sha256(data).hexdigest() in sound else check_shared_shape(source, kind)
    problems.extend([*source.advice, *faults])
    return None if faults else source


def _each(source: Source | None, make: _Maker[_Kept]) -> Mapping[str, _Kept]:
    tree = source.tree if source else None
    if source is None or not isinstance(tree, dict):
        return MappingProxyType({})
    return MappingProxyType({name: make(source, name, value) for name, value in tree.items()})


def _unknown_agencies(
    source: Source | None, things: Mapping[str, Office] | Mapping[str, Register], agencies: Mapping[str, Agency]
) -> Iterator[Problem]:
    """Report agencies that the directory does not have: who keeps an office or a register, and who may ask a register."""
    if source is None:
        return
    for name, thing in things.items():
        readers = thing.readers if isinstance(thing, Register) else ()
        named: dict[Path, str] = {(name, "agency"): thing.agency}
        named |= {(name, "readers", at): one for at, one in enumerate(readers)}
        for path, agency in named.items():
            if agency not in agencies:
                near = close_names(agency, agencies)
                yield problem("N304", source.position(path), name=agency, kind="agency", near=near)


def _unknown_roles(source: Source | None, agencies: Mapping[str, Agency]) -> Iterator[Problem]:
    """Report roles that a role leads and its agency does not have."""
    for agency in agencies.values():
        for name, role in agency.roles.items():
            for led in sorted(
                one.partition("/")[2] for one in role.leads - {other.key for other in agency.roles.values()}
            ):
                if source is not None:
                    near = close_names(led, agency.roles)
                    yield problem(
                        "N304", source.position((agency.id, "roles", name, "leads")), name=led, kind="role", near=near
                    )


def _unknown_labels(source: Source | None, registers: Mapping[str, Register]) -> Iterator[Problem]:
    """Report labels for names that are no answer of the register."""
    for name, register in registers.items():
        for one in sorted(register.labels.keys() - register.answers.keys()):
            if source is not None:
                where = source.position((name, "labels", one), key=True)
                yield problem("N301", where, name=one, near=close_names(one, register.answers))


# -- one element each; shapes are checked before -----------------------------------------------------------------------


def _agency(source: Source, name: str, value: Any) -> Agency:
    roles = {
        role: Role(f"{name}/{role}", Text.of(words["label"]), words.get("seats", 1), _led(name, value["roles"], words))
        for role, words in value["roles"].items()
    }
    appeals = {
        appeal: _appeal(source, (name, "appeals", appeal), words) for appeal, words in value.get("appeals", {}).items()
    }
    contact = _contact(value["contact"]) if "contact" in value else None
    return Agency(
        name, Text.of(value["label"]), MappingProxyType(roles), contact, MappingProxyType(appeals),
        tuple(map(Text.of, value.get("under", ()))), _text(value.get("short")), _emblem(source, value.get("emblem")),
    )  # fmt: skip


def _led(agency: str, roles: Mapping[str, Any], words: Any) -> frozenset[str]:
    """Return the keys of the roles that a role leads."""
    asked = words.get("leads", ())
    names = roles if asked == "all" else (asked,) if isinstance(asked, str) else asked
    return frozenset(f"{agency}/{one}" for one in names)


def _emblem(source: Source, name: str | None) -> str:
    """Return the SVG text of an emblem, a file of `emblems/` beside the agencies. Empty without one."""
    path = FilePath(source.file).parent / "emblems" / f"{name}.svg"
    return path.read_text(encoding="utf-8") if name and path.is_file() else ""


def _appeal(source: Source, path: Path, value: Any) -> Appeal:
    basis = value.get("basis", {})
    return Appeal(
        id=str(path[-1]),
        where=source.position(path, key=True),
        basis=MappingProxyType({"*": basis} if isinstance(basis, str) else dict(basis)),
        label=Text.of(value["label"]),
        within=read_span(value.get("within")),
        act=value.get("act"),
    )


def _contact(value: Any) -> Contact:
    return Contact(value.get("phone"), value.get("email"), _text(value.get("address")))


def _text(value: Any) -> Text | None:
    return None if value is None else Text.of(value)


def _office(source: Source, name: str, value: Any) -> Office:
    closed = [
        Closure(first, last, _text(closure.get("because")))
        for closure in value.get("closed", ())
        if (first := read_date(closure["from"])) and (last := read_date(closure["until"]))
    ]
    return Office(
        id=name,
        label=Text.of(value["label"]),
        agency=value["agency"],
        address=_text(value.get("address")),
        serves=tuple(value.get("serves", ())),
        desks=value.get("desks"),
        hours=MappingProxyType(dict(read_weekday_hours(value.get("hours", {})) or {})),
        closed=tuple(closed),
        issuer=_text(value.get("issuer")),
        town=_text(value.get("town")),
        checked=read_date(value.get("checked")),
    )


def _register(source: Source, name: str, value: Any) -> Register:
    answers = MappingProxyType(dict(value.get("answers", {})))
    labels = MappingProxyType({one: Text.of(words) for one, words in value.get("labels", {}).items()})
    return Register(name, Text.of(value["label"]), value["agency"], answers, labels, tuple(value.get("readers", ())))


def _scheme(source: Source, name: str, value: Any) -> Scheme:
    return Scheme(name, Text.of(value["label"]), value["pattern"], value.get("checksum"), value["example"])


def _calendar(source: Source | None) -> Calendar:
    tree: Any = source.tree if source else None
    if tree is None:
        return Calendar()
    holidays: dict[date, Text] = {}
    for text, words in tree["holidays"].items():
        day = read_date(text)
        if day:
            holidays[day] = Text.of(words)
    return Calendar(frozenset(WEEKDAYS.index(day) for day in tree["weekend"]), MappingProxyType(holidays))


def _press(source: Source | None) -> frozenset[str]:
    tree: Any = source.tree if source else None
    return frozenset(host.lower() for host in tree["hosts"]) if tree else frozenset()


def _code_list(source: Source) -> CodeList:
    tree: Any = source.tree
    items = tuple(_item(code, words) for code, words in tree["items"].items())
    return CodeList(tree["list"], Text.of(tree["title"]), tree.get("source"), items)


def _item(code: str, value: Any) -> Option:
    if isinstance(value, str) or "label" not in value:
        return Option(code, Text.of(value))
    return Option(
        code,
        Text.of(value["label"]),
        help=_text(value.get("help")),
        from_=read_date(value.get("from")),
        until=read_date(value.get("until")),
        because=_text(value.get("because")),
        parent=value.get("parent"),
        basis=value.get("basis"),
    )
