"""Symbol types: the names each place of a file may use and their types, declared or inferred.

Places of the form see eligibility, the form and the evidence. All other places see everything (`docs/language.md`
§13). Proof P8 checks whether a value is *surely there*. What may be empty in a place is computed here, for V720.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from engine.core.countries import COUNTRIES
from engine.core.problems import problem
from engine.language.compiler.build_context import BuildContext, frozen, plain, plain_number
from engine.language.compiler.namespace import ANSWERS, MOST_CHAINED, OPINION_COLUMNS, PARTS, Namespace, RowsColumn
from engine.language.expressions.names import all_names, guard
from engine.language.expressions.parse_context import Definition, Vocabulary
from engine.language.expressions.parser import check_definitions, parse_expression
from engine.language.source.loader import Path, Tree
from engine.model import APPLICATION
from engine.model.types import DATE, DECIMAL, EMPTY, INTEGER, MONEY, TEXT, YES_NO, TableType, Type  # fmt: skip

_SIMPLE: Final[Mapping[str, Type]] = {
    "text": TEXT, "email": TEXT, "phone": TEXT, "identifier": TEXT, "address": TEXT, "integer": INTEGER,
    "decimal": DECIMAL, "money": MONEY, "percent": Type("percent"), "date": DATE, "partial_date": Type("partial_date"),
    "time": Type("time"), "yes_no": YES_NO, "declaration": YES_NO, "office": Type("choice"), "file": Type("file"),
    "photo": Type("file"), "country": Type("choice", frozenset(COUNTRIES)), "choice": Type("choice"),
    "choices": Type("choices"), "place": Type("choice"),
}  # fmt: skip
LOOK_UP: Final = Type("choice", frozenset({"found", "not_found", "unavailable"}))
OUTCOME: Final = Type("choice", frozenset({"granted", "refused", "withdrawn", "abandoned", "expired", "revoked"}))
OPINION: Final = Type("choice", frozenset({"favourable", "reserved", "unfavourable", "silent"}))


def option_codes(build: BuildContext, path: Path) -> frozenset[str] | None:
    """Return the codes of a choice, None when its list does not exist."""
    options = build.at((*path, "options"))
    if isinstance(options, str):
        listed = build.library.lists.get(options)
        codes = listed.codes if listed else None
    else:
        codes = frozenset(options) if isinstance(options, dict) and options else None
    return codes | {"other"} if codes is not None and build.flag((*path, "other"), False) else codes


def place_list(build: BuildContext, path: Path) -> str | None:
    """Return the list of the places of a level, `commune` → `communes`. None when it does not exist."""
    level = build.words((*path, "level")) or "commune"
    return next((name for name in (f"{level}s", level) if name in build.library.lists), None)


def declared_type(build: BuildContext, path: Path, default: str = "text") -> Type | None:
    """Return the declared type of a question, None for a note.

    The type of a computed one without `type` is inferred elsewhere.
    """
    types = (*_SIMPLE, "note", "rows")
    if build.words((*path, "type")) not in (None, *types):
        build.type_unheard(path)
    word = build.choice((*path, "type"), types, default)
    if word == "note":
        return None
    if word in ("choice", "choices"):
        return Type(word, option_codes(build, path))
    if word == "place":
        listed = build.library.lists.get(place_list(build, path) or "")
        return Type("choice", listed.codes if listed else None)
    return _SIMPLE[word] if word != "rows" else Type("rows", row=MappingProxyType({}))


def evidence_type(build: BuildContext, path: Path) -> Type:
    """Return the type of a piece of evidence: a choice of its alternatives, or a yes/no when it has none."""
    alternatives = build.entries((*path, "any_of"))
    return Type("choice", frozenset(alternatives)) if alternatives else YES_NO


@dataclass(frozen=True, slots=True)
class SymbolTypes:
    """The vocabularies of the three kinds of places, with the types of all names and columns."""

    eligibility: Vocabulary
    form: Vocabulary
    everywhere: Vocabulary
    types: Mapping[str, Type]
    rows: Mapping[str, Mapping[str, Type]]  # by id of the question of rows, outer columns included
    columns: Mapping[Path, Type]  # by path of the column
    optionality: Optionality

    def at(self, base: Vocabulary, *conditions: Tree, rows: str | None = None) -> Vocabulary:
        """Return the vocabulary of one place shown under these conditions, inside rows if named."""
        row = self.rows.get(rows, {}) if rows else {}
        empty = self.optionality.maybe_empty(guard(*conditions), (*base.names, *row))
        return replace(base, row=row, elsewhere=base.elsewhere - frozenset(row), maybe_empty=empty)


@dataclass(frozen=True, slots=True)
class _Terms:
    """A name has a value where the conditions `shown` hold and all names it `needs` have one."""

    shown: frozenset[str]
    needs: frozenset[str]


class Optionality:
    """Computes which names may be empty: all but those required and shown whenever the place is shown."""

    def __init__(self, build: BuildContext, names: Namespace, definitions: Mapping[str, Definition]) -> None:
        self.build, self.definitions = build, definitions
        self.paths: dict[str, Path] = {one.id: one.path for one in names.ids.values() if one.kind in ANSWERS}
        self.kinds = {one.id: one.kind for one in names.ids.values()}
        self.paths.update({column.id: column.path for column in names.columns if column.id not in self.paths})
        self._terms: dict[str, _Terms | None] = {}

    def maybe_empty(self, holds: frozenset[str], names: tuple[str, ...]) -> frozenset[str]:
        """Return which of the names may be empty where the conditions `holds` hold."""
        known: dict[str, bool] = {}
        return frozenset(name for name in names if not self._sure(name, holds, known, 0))

    def _sure(self, name: str, holds: frozenset[str], known: dict[str, bool], depth: int) -> bool:
        """Return whether a name surely has a value. `known` caches the results of one call.

        In a cycle, or in a chain that is too long, no name is sure.
        """
        if name in known or depth > MOST_CHAINED:
            return known.get(name, False)
        if name not in self._terms:
            self._terms[name] = self._read(name)
        terms = self._terms[name]
        known[name] = False
        known[name] = (
            terms is not None
            and terms.shown <= holds
            and all(self._sure(one, holds, known, depth + 1) for one in terms.needs)
        )
        return known[name]

    def _read(self, name: str) -> _Terms | None:
        """The conditions under which a name has a value, None when it is never sure."""
        path, kind = self.paths.get(name), self.kinds.get(name, "question")
        if path is None or kind in ("answer", "detail"):
            return None
        if kind == "look_up":
            return _Terms(frozenset(), frozenset())
        if kind == "service" and self.build.at((*path[:2], "quorum")) not in (None, "all"):
            return None
        page = self.build.at((*path[:2], "when")) if path[0] == "form" else None
        shown = guard(page, self.build.at((*path, "when")))
        value = self.build.at((*path, "value"))
        if value is not None:
            return _Terms(shown, all_names(value, self.definitions) & self.paths.keys())
        return _Terms(shown, frozenset()) if self.build.at((*path, "required")) in (None, True) else None


def read_vocabularies(build: BuildContext, names: Namespace) -> SymbolTypes:
    """Return the vocabularies of all places, once each computed value has its type. Cycles are E420."""
    work = _Typing(build, names)
    work.infer()
    types = frozen(work.types)
    criteria = frozen({name: types[name] for name in build.entries(("eligibility",)) if name in types})
    asked = frozen({name: type_ for name, type_ in types.items() if _is_of_form(names.ids[name].path)})
    whole = replace(
        work.vocabulary,
        names=types,
        tasks=frozenset({*names.of(*PARTS), APPLICATION}),
        appointments=frozenset(names.of("appointment")),
        acts=frozenset(names.of("transition")),
    )
    quiet = replace(whole, tasks=frozenset(), appointments=frozenset(), acts=frozenset())
    _read_definitions(build, whole, work)
    return SymbolTypes(
        replace(quiet, names=criteria, later=frozenset(types.keys() - criteria.keys())),
        replace(quiet, names=asked, later=frozenset(types.keys() - asked.keys())),
        whole,
        types,
        frozen({rows: frozen(columns) for rows, columns in work.rows.items()}),
        MappingProxyType(dict(work.columns)),
        Optionality(build, names, whole.definitions),
    )


def _is_of_form(path: Path) -> bool:
    return path[0] in ("eligibility", "form", "evidence")


def _read_definitions(build: BuildContext, whole: Vocabulary, work: _Typing) -> None:
    for found in check_definitions(whole, tuple(work.rows.values())):
        if str(found.facts.get("name", "")) not in build.broken:
            build.problems.append(found)
            if found.is_error:
                build.broken.update(
                    name for name, one in whole.definitions.items() if one.where.line == found.where.line
                )


class _Typing:
    """The types found so far. Row types are live views, so a computed column is seen once it has its type."""

    def __init__(self, build: BuildContext, names: Namespace) -> None:
        self.build, self.names = build, names
        self.types: dict[str, Type] = {}
        self.columns: dict[Path, Type] = {}
        self.rows: dict[str, dict[str, Type]] = {}
        self.own_rows: dict[str, dict[str, Type]] = {}
        self.busy: list[Path] = []
        self.chained = False  # a chain that is too long was reported
        self.done: set[Path] = set()
        self.computed: dict[str, Path] = {}
        self.computed_columns: dict[tuple[str, str], RowsColumn] = {}
        self.vocabulary = Vocabulary(
            names=MappingProxyType(self.types),
            definitions=frozen({name: self._definition(name) for name in build.entries(("definitions",))}),
            lists=frozen({name: listed.codes for name, listed in build.library.lists.items()}),
            elsewhere=names.column_ids(),
        )

    def _definition(self, name: str) -> Definition:
        path: Path = ("definitions", name)
        if isinstance(self.build.at(path), dict):
            path = (*path, "is")
        said = self.build.said(path) if path[-1] == "is" else None
        return Definition(plain_number(self.build.at(path)), self.build.placed.first_sign(path), said)

    def infer(self) -> None:
        for column in self.names.columns:
            self._declare_column(column)
        for named in self.names.ids.values():
            self._declare(named.id, named.kind, named.path)
        for rows, own in self.own_rows.items():
            if rows in self.types and self.types[rows].kind == "rows":
                self.types[rows] = Type("rows", row=MappingProxyType(own))
        self.vocabulary = replace(self.vocabulary, tables=frozen(self._tables()))
        for name, path in self.computed.items():
            self._infer_name(name, path)
        for column in self.computed_columns.values():
            self._infer_column(column)

    def _declare(self, name: str, kind: str, path: Path) -> None:
        if kind == "question":
            if self._is_computed(path):
                self.computed[name] = path
                return
            declared = declared_type(self.build, path, "yes_no" if path[0] == "eligibility" else "text")
            if declared is not None:
                self.types[name] = declared
        elif kind == "detail":
            self.types[name] = TEXT
        elif kind == "evidence":
            self.types[name] = evidence_type(self.build, path)
        elif kind == "look_up":
            self.types[name] = LOOK_UP
        elif kind == "link":
            self.types[name] = OUTCOME
        elif kind == "service":
            self.types[name] = OPINION
        elif kind == "opinion":
            self.types[name] = Type("rows", row=MappingProxyType({}))
        elif kind == "answer":
            register = self.build.library.directory.registers[self.build.words((*path, "register")) or ""]
            self.types[name] = _SIMPLE.get(register.answers[name], TEXT)

    def _is_computed(self, path: Path) -> bool:
        return self.build.at((*path, "value")) is not None and self.build.words((*path, "type")) is None

    def _declare_column(self, column: RowsColumn) -> None:
        own = self.own_rows.setdefault(column.rows, {})
        seen = self.rows.setdefault(column.rows, {})
        if column.path[0] == "opinions" and column.path[-1] == "of":
            own[column.id] = seen[column.id] = self._opinion_column(column)
            return
        for name, path in column.outer.items():
            declared = declared_type(self.build, path)
            if declared is not None and name not in seen:
                seen[name] = declared
        if self._is_computed(column.path):
            self.computed_columns[(column.rows, column.id)] = column
            return
        declared = declared_type(self.build, column.path)
        if declared is None:
            return
        if declared.kind == "rows":
            declared = Type("rows", row=MappingProxyType(self.own_rows.setdefault(column.id, {})))
        self.columns[column.path] = own[column.id] = seen[column.id] = declared
        if self.build.flag((*column.path, "other"), False):
            own[f"{column.id}_other"] = seen[f"{column.id}_other"] = TEXT

    def _opinion_column(self, column: RowsColumn) -> Type:
        """The column of a round: the service, its opinion, or its weight."""
        services = frozenset(self.build.entries(column.path))
        return dict(zip(OPINION_COLUMNS, (Type("choice", services), OPINION, INTEGER), strict=True))[column.id]

    # -- computed values -----------------------------------------------------------------------------------------------

    def _infer_name(self, name: str, path: Path) -> None:
        if self._begin(name, path):
            self.types[name] = self._type_of(path, self.vocabulary)
            self._end(name, path)

    def _infer_column(self, column: RowsColumn) -> None:
        if self._begin(column.id, column.path, column.rows):
            found = self._type_of(column.path, self.vocabulary.inside(self.rows[column.rows]))
            self.columns[column.path] = found
            self.own_rows[column.rows][column.id] = self.rows[column.rows][column.id] = found
            for inner in self.names.columns:
                if inner.outer.get(column.id) == column.path:
                    self.rows[inner.rows].setdefault(column.id, found)
            self._end(column.id, column.path)

    def _begin(self, name: str, path: Path, rows: str | None = None) -> bool:
        """Return whether the value can be typed now: its names are typed first.

        False when it already has its type, or when it needs itself.
        """
        if path in self.done:
            return False
        if path in self.busy:
            circle = tuple(str(one[-1]) for one in self.busy[self.busy.index(path) :])
            self.build.problems.append(
                problem("E420", self.build.placed.first_sign((*path, "value")), name=name, circle=(*circle, name))
            )
            self.build.broken.update(circle)
            return False
        if len(self.busy) > MOST_CHAINED:
            if not self.chained:
                where = self.build.placed.first_sign((*path, "value"))
                self.build.problems.append(problem("E403", where, limit="chain", name=name, most=MOST_CHAINED))
            self.chained = True
            self.build.broken.add(name)
            return False
        self.busy.append(path)
        for needed in sorted(all_names(self.build.at((*path, "value")), self.vocabulary.definitions)):
            if rows is not None and (rows, needed) in self.computed_columns:
                self._infer_column(self.computed_columns[(rows, needed)])
            elif needed in self.computed:
                self._infer_name(needed, self.computed[needed])
            for (owner, _), column in list(self.computed_columns.items()):
                if owner == needed:
                    self._infer_column(column)
        return True

    def _end(self, name: str, path: Path) -> None:
        self.busy.remove(path)
        self.done.add(path)

    def _type_of(self, path: Path, vocabulary: Vocabulary) -> Type:
        written = plain_number(self.build.at((*path, "value")))
        found, _ = parse_expression(written, vocabulary, self.build.placed.first_sign((*path, "value")))
        if found is None:
            self.build.broken.add(str(path[-1]))
            return EMPTY
        return found.type

    # -- tables --------------------------------------------------------------------------------------------------------

    def _tables(self) -> dict[str, TableType]:
        found = {}
        for name in self.names.of("table"):
            path = self.names.ids[name].path
            keys = tuple(
                self.key_type(one, (*path, "by", at)) for at, one in enumerate(self.build.items((*path, "by")))
            )
            found[name] = TableType(keys, gives_type(self.build, path))
        return found

    def key_type(self, key: Tree, path: Path) -> Type:
        if isinstance(key, dict):
            return _SIMPLE.get(str(key.get("from")), INTEGER)
        found = self.types.get(str(key))
        if found is None:
            seen = (self.columns.get(one.path) for one in self.names.columns if one.id == key)
            found = next((type_ for type_ in seen if type_), None)
        return found or EMPTY


def gives_type(build: BuildContext, path: Path) -> Type:
    """Return the type of the result of a table: one named by a word such as `money`, or a choice of the listed
    codes."""
    gives = build.at((*path, "gives"))
    if isinstance(gives, list):
        return Type("choice", frozenset(str(plain(one)) for one in gives))
    return _SIMPLE.get(str(gives), MONEY)


@dataclass(frozen=True, slots=True)
class SymbolContext:
    """The argument of all builders: build context, namespace and symbol types."""

    build: BuildContext
    names: Namespace
    words: SymbolTypes
