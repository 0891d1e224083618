"""The shape of a definition (keys and types), and the only module that imports jsonschema and jsonschema-rs.

jsonschema-rs accepts valid files quickly. jsonschema, the reference, names the faults of the others (a test
compares their verdicts). `procedure.schema.json` is closed and lists all keys. It holds no `oneOf`, so each fault
has one cause. Rules that a schema reports badly (one wait among ten, keys of a type) are in
`engine/language/source/schema_rules.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from engine.core.problems import Fact, Position, Problem, problem
from engine.core.spelling import close_names, plain
from engine.language.source.loader import Path, PositionedTree, Tree, node_at, walk
from engine.language.source.notation import likely_number, likely_span, read_date, read_hours
from engine.language.source.quoting import quote
from engine.language.source.schema_rules import laid_over, rules_of_procedure, rules_of_shared

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError
    from jsonschema_rs import Draft202012Validator as Gate

SharedKind: TypeAlias = Literal[
    "block", "list", "preset", "agencies", "offices", "calendar", "schemes", "registers", "press"
]

META_SCHEMA_PATH: Final = FilePath(__file__).with_name("procedure.schema.json")
SCHEMA: Final[Mapping[str, Any]] = json.loads(META_SCHEMA_PATH.read_text(encoding="utf-8"))
SECTIONS: Final = tuple(SCHEMA["properties"])  # of a procedure, in the order they are read in (`docs/language.md` §2)

_FORMATS: Final[Mapping[str, Callable[[str], bool]]] = {
    "date": lambda value: read_date(value) is not None,
    "hours": lambda value: read_hours(value) is not None,
}


@cache
def _schema(kind: SharedKind | None) -> dict[str, Any]:
    """The schema of one kind of shared file, or of a procedure for None."""
    return {"$ref": f"#/$defs/{kind}", "$defs": SCHEMA["$defs"]} if kind else dict(SCHEMA)


@cache
def gate(kind: SharedKind | None) -> Gate:
    """Return the fast validator, which accepts a valid file in microseconds.

    It takes 6 MiB of memory, so it is loaded for the first file that no cache knows.
    """
    from jsonschema_rs import Draft202012Validator as Gate

    return Gate(_schema(kind), validate_formats=True, formats=dict(_FORMATS))


@cache
def reference(kind: SharedKind | None) -> Draft202012Validator:
    """Return the reference validator, which names each fault.

    It takes longer to load than most files take to be checked.
    """
    from jsonschema import Draft202012Validator, FormatChecker

    formats = FormatChecker(formats=())
    for name, fits in _FORMATS.items():
        formats.checks(name)(lambda value, fits=fits: not isinstance(value, str) or fits(value))
    return Draft202012Validator(_schema(kind), format_checker=formats)


def errors_of(kind: SharedKind | None, tree: object) -> Iterator[ValidationError]:
    """Yield the errors that the schema finds in a tree."""
    try:
        if gate(kind).is_valid(tree):
            return iter(())
    except ValueError:  # a value that it cannot read, but the reference can
        pass
    return reference(kind).iter_errors(tree)


def check_shape(source: PositionedTree, partial: bool | None = None) -> list[Problem]:
    """Return all faults of shape of a procedure.

    `partial` (by default: the file says `extends`) allows missing keys and `null`, which removes a key of the
    preset. Fields laid over a block (`use`) may be incomplete in the same way. Check the combined file again with
    `partial` false.
    """
    tree = source.tree
    if partial is None:
        partial = isinstance(tree, dict) and "extends" in tree
    faults = _Faults(source, partial)
    found = [one for error in errors_of(None, tree) for one in faults.of(error)]
    return _once(faults.with_indents(faults.without_repeats([*found, *rules_of_procedure(source, partial)])))


def check_shared_shape(source: PositionedTree, kind: SharedKind) -> list[Problem]:
    """Return all faults of shape of a shared file. Presets are partial procedures."""
    partial = kind == "preset"
    faults = _Faults(source, partial)
    found = [one for error in errors_of(kind, source.tree) for one in faults.of(error)]
    rules = rules_of_procedure(source, partial=True) if partial else rules_of_shared(source)
    own = [one for one in found if not partial or one.code != "S202"]
    if partial and isinstance(source.tree, dict):
        missing = tuple(name for name in ("preset", "title") if name not in source.tree)
        own += [_missing(source, (), missing)] if missing else []
    return _once(faults.with_indents([*own, *rules]))


def _once(problems: list[Problem]) -> list[Problem]:
    """One fault for each place.

    A fault found by both the schema and the rules is reported once. Missing keys are reported together. Of an
    unknown type, nothing more is reported.
    """
    seen: dict[tuple[object, str, object], Problem] = {}
    unheard = {one.facts.get("value") for one in problems if one.code == "S203" and one.facts.get("name") == "type"}
    for one in problems:
        if one.code == "S205" and one.facts.get("type") in unheard:
            continue
        key = (one.where, one.code, None if one.code == "S202" else one.facts.get("name"))
        earlier = seen.get(key)
        if earlier is None:
            seen[key] = one
        elif one.code == "S202":
            names = tuple(dict.fromkeys([*_names(earlier, "names"), *_names(one, "names")]))
            seen[key] = problem("S202", one.where, **{**one.facts, **earlier.facts, "names": names})
    return list(seen.values())


def _names(missing: Problem, fact: str) -> tuple[str, ...]:
    names = missing.facts[fact]
    return names if isinstance(names, tuple) else ()


def _missing(source: PositionedTree, path: Path, names: tuple[str, ...]) -> Problem:
    return problem("S202", source.position(path, key=True), name=names[0], names=names)


def _keys_of(error: ValidationError) -> Mapping[str, object]:
    return error.instance if isinstance(error.instance, dict) else {}


_HOMES: Final = {"sensitive": "personal_data"}  # keys of one section that authors seek elsewhere
_KEY_KINDS: Final = (("monday", "weekdays"), ("^[0-9]{4}", "date"), ("^[1-9]", "edition"))
_ONE_OF: Final = ("S204", "S206")  # one key of several was wanted
_FOUND: Final = (
    (bool, "boolean"), (int, "integer"), (str, "text"), (list, "list"), (dict, "map"), (type(None), "nothing"),
)  # fmt: skip


class _Faults:
    """The errors of jsonschema as problems of one source."""

    def __init__(self, source: PositionedTree, partial: bool) -> None:
        self.source, self.partial = source, partial
        self.meant: dict[Position, set[str]] = {}  # by the place of a map, the keys that misspelt ones stand for
        self.unknown: set[Path] = set()  # the keys that their map does not know
        self.empty: dict[Path, Mapping[str, Any]] = {}  # empty values that must be maps, each with its schema

    def of(self, error: ValidationError) -> Iterator[Problem]:
        path: Path = tuple(error.absolute_path)
        if self._deferred(path) and (error.validator == "required" or error.instance is None):
            return
        if error.validator == "additionalProperties" and path[-1:] == ("confirm",):  # pieces under the other key
            facts: dict[str, Fact] = {"expected": "text", "found": "map", "name": "confirm", "meant": "confirms"}
            yield problem("S203", self.source.position(path), **facts)
        elif error.validator == "additionalProperties" and _is_clause(error):
            facts = {"expected": "list", "found": "map", "name": str(path[-1]), "written": "[{when: …, text: …}]"}
            yield problem("S203", self.source.position(path), **facts)
        elif error.validator == "additionalProperties":
            yield from self._keys(error, path)
        elif error.validator == "required":
            wanted: Any = error.validator_value
            yield _missing(self.source, path, tuple(name for name in wanted if name not in _keys_of(error)))
        else:
            if error.instance is None and path and isinstance(error.schema, dict):
                self.empty[path] = error.schema
            yield self._value(error, path)

    def with_indents(self, problems: list[Problem]) -> list[Problem]:
        """The problems, with one for all keys that stand at the level of their own map, which is thus empty."""
        found = list(problems)
        for path, schema in self.empty.items():
            moved = self._moved(path, schema)
            inside: list[Path] = [(*path[:-1], name, *rest) for name, whole in moved.items() for rest, _ in walk(whole)]
            if inside:
                at_fault = {self.source.position(one, key=key) for one in (path, *inside) for key in (True, False)}
                found = [one for one in found if one.where not in at_fault]
                names = tuple(str(one[-1]) for one in inside)
                where = self.source.position(inside[0], key=True)
                facts: dict[str, Fact] = {"expected": "indent", "name": names[0], "parent": str(path[-1])}
                found.append(problem("S203", where, **facts, names=tuple(moved), inside=(str(path[-1]), *names)))
        return found

    def _moved(self, path: Path, schema: Mapping[str, Any]) -> dict[str, Tree]:
        """The keys right after an empty map that belong inside: its own keys, or ids that the map around refuses."""
        around = node_at(self.source.tree, path[:-1])
        if not isinstance(around, dict):
            return {}
        moved: dict[str, Tree] = {}
        for name in list(around)[list(around).index(str(path[-1])) + 1 :]:
            holds_ids = "patternProperties" in schema and (*path[:-1], name) in self.unknown
            if name not in schema.get("properties", ()) and not holds_ids:
                break
            moved[name] = around[name]
        return moved

    def without_repeats(self, problems: list[Problem]) -> list[Problem]:
        """The problems without a missing key that is reported as a misspelt one."""
        return [
            one
            for one in problems
            if not (
                (one.code == "S202" and self._meant(one, "names").issuperset(_names(one, "names")))
                or (one.code in _ONE_OF and not one.facts["found"] and self._meant(one, "allowed"))
            )
        ]

    def _meant(self, missing: Problem, fact: str) -> set[str]:
        return self.meant.get(missing.where, set()).intersection(_names(missing, fact))

    def _deferred(self, path: Path) -> bool:
        """Return whether the value is complete only once presets and blocks are merged."""
        return self.partial or laid_over(self.source.tree, path)

    def _keys(self, error: ValidationError, path: Path) -> Iterator[Problem]:
        schema: Mapping[str, Any] = error.schema if isinstance(error.schema, dict) else {}
        known, patterns = tuple(schema.get("properties", ())), tuple(schema.get("patternProperties", ()))
        validator = _PATTERNS.get(patterns)
        for name in _keys_of(error):
            if name in known or (validator and validator(name)):
                continue
            where = self.source.position((*path, name), key=True)
            if not patterns:
                self.unknown.add((*path, name))
                free = tuple(one for one in known if one not in _keys_of(error))
                near = close_names(name, free)
                self.meant.setdefault(self.source.position(path, key=True), set()).update(near)
                home: dict[str, Fact] = {"home": _HOMES[name]} if name in _HOMES else {}
                yield problem("S201", where, name=name, near=near, allowed=free or known, **_put(near), **home)
                continue
            kind = next((kind for sign, kind in _KEY_KINDS if sign in patterns[0]), "id")
            near = (plain(name),) if kind == "id" and plain(name)[:1].isalpha() else ()
            code = "S210" if kind == "weekdays" else "S203"
            yield problem(code, where, expected=kind, value=name, near=near, **_put(near))

    def _value(self, error: ValidationError, path: Path) -> Problem:
        schema: Mapping[str, Any] = error.schema if isinstance(error.schema, dict) else {}
        value, where = error.instance, self.source.position(path)
        kind = str(schema.get("x-kind", "words"))
        found = next((name for type_, name in _FOUND if isinstance(value, type_)), "decimal")
        facts: dict[str, Fact] = {"expected": kind}
        if error.validator == "type":
            facts["found"] = found
        if path and isinstance(path[-1], str):
            facts["name"] = path[-1]
            facts |= {"blank": path[-1]} if value is None else {}
        if isinstance(value, (str, int)) and not isinstance(value, bool):
            facts["value"] = value if isinstance(value, int) else value[:80]
        if kind in ("span", "spans") and error.validator in ("pattern", "type") and isinstance(value, (str, int)):
            if near := likely_span(value):
                facts |= {"near": (near,), "put": near}
            return problem("S209", where, **facts)
        if kind == "hours" and value is not None:
            return problem("S210", where, **facts)
        if "enum" in schema and error.validator in ("enum", "type"):
            allowed = tuple(schema["enum"])
            near_words = close_names(value, allowed) if isinstance(value, str) else ()
            facts |= {"expected": "one_of", "allowed": allowed, "near": near_words, **_put(near_words)}
        elif kind == "target" and isinstance(value, str) and (near_name := plain(value))[:1].isalpha():
            facts |= {"near": (near_name,), "put": near_name}
        elif kind in ("amount", "count") and isinstance(value, str) and (number := likely_number(value)):
            facts |= {"near": (number,), "put": number}
        elif kind in ("text", "words", "option") and error.validator == "type" and found in ("integer", "decimal"):
            facts["put"] = quote(str(value))
        elif error.validator in ("minimum", "maximum", "minItems", "maxItems", "minLength", "maxLength"):
            bound: Any = error.validator_value
            facts[_BOUNDS[str(error.validator)]] = int(bound)
        elif path[-1:] == ("confirms",) and isinstance(value, str):
            facts["meant"] = "confirm"
        elif error.validator == "type" and (written := _written_as(value, schema, path)):
            facts["written"] = written
            if isinstance(value, str) and kind != "map":
                facts["put"] = written
        return problem("S203", where, **facts)


def _known(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return schema.get("properties", {}) if schema.get("type") == "object" else {}


def _written_as(value: object, schema: Mapping[str, Any], path: Path) -> str:
    """Return how to write a value that has the right content and the wrong form, empty when it is not known."""
    if path[-1:] == ("confirms",) and isinstance(value, list):
        return f"{{piece: [{', '.join(map(str, value))}]}}"
    if isinstance(value, str) and (name := next((one for one in ("label", "title") if one in _known(schema)), "")):
        return f"{{{name}: {quote(value)}}}"
    if "array" not in schema.get("type", ()):
        return ""
    if isinstance(value, str):
        return f"[{value}]" if re.fullmatch(r"[a-z][a-z0-9_]*", value) else ""
    return ""


def _is_clause(error: ValidationError) -> bool:
    """Return whether a zone of a document holds one clause with a condition instead of a list of them."""
    return isinstance(error.schema, dict) and error.schema.get("title") == "Clauses" and "text" in _keys_of(error)


_BOUNDS: Final = {
    "minimum": "least", "minItems": "least", "minLength": "least",
    "maximum": "most", "maxItems": "most", "maxLength": "most",
}  # fmt: skip


def _put(near: tuple[str, ...]) -> dict[str, Fact]:
    """The replacement of the faulty value, when only one is possible."""
    return {"put": near[0]} if len(near) == 1 else {}


def _patterns_of(schema: object) -> Iterator[tuple[str, ...]]:
    if isinstance(schema, Mapping):
        if isinstance(schema.get("patternProperties"), Mapping):
            yield tuple(schema["patternProperties"])
        for value in schema.values():
            yield from _patterns_of(value)


_PATTERNS: Final[Mapping[tuple[str, ...], Callable[[str], object]]] = {
    patterns: re.compile("|".join(patterns)).search for patterns in set(_patterns_of(SCHEMA))
}
