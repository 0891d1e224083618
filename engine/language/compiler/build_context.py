"""What every room of the compiler works with: the expanded tree, the shared things, the problems found so far.

Each reader takes a path of the tree and gives the value there in its final form, or a default: nothing raises on a tree
of a wrong shape, for `shape.py` has already said what is wrong with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, TypeVar

from engine.core.problems import Fact, Position, Problem, problem
from engine.core.spelling import close_names
from engine.core.values import Plain, Span, Text
from engine.language.compiler.includes import CombinedTree
from engine.language.expressions.names import all_names
from engine.language.expressions.parse_context import Vocabulary
from engine.language.expressions.parser import parse_expression
from engine.language.source.loader import Path, Tree
from engine.language.source.notation import read_date, read_span
from engine.model import APPLICANT, SYSTEM, CodeList, Scheme, Template
from engine.model.directory import Directory
from engine.model.types import Expression, Type

_NONE: Final[Mapping[str, Any]] = MappingProxyType({})
_NO_BASIS: Final[Mapping[str, str]] = MappingProxyType({})
_KEYS: Final = frozenset({"then", "late", "missed", "to", "delay", "reductions", "options", "notices"})
_T = TypeVar("_T")


def frozen(things: Mapping[str, _T]) -> Mapping[str, _T]:
    """A mapping nobody can change. Most of those that a book is made of are empty: these are one."""
    return MappingProxyType(dict(things)) if things else _NONE


def plain(tree: Tree) -> Plain:
    """A value of the file without exact decimals: they become their text."""
    if isinstance(tree, Decimal):
        return str(tree)
    if isinstance(tree, list):
        return [plain(one) for one in tree]
    if isinstance(tree, dict):
        return {key: plain(one) for key, one in tree.items()}
    return tree


@dataclass(frozen=True, slots=True)
class Library:
    """What a procedure takes from elsewhere once its blocks are in: codes and schemes it holds, the live directory."""

    lists: Mapping[str, CodeList] = field(default_factory=lambda: MappingProxyType({}))
    schemes: Mapping[str, Scheme] = field(default_factory=lambda: MappingProxyType({}))
    directory: Directory = field(default_factory=Directory)


class BuildContext:
    """One file on the bench. `placed` is its expanded tree; what is wrong gathers in `problems`."""

    def __init__(self, placed: CombinedTree, library: Library) -> None:
        self.placed, self.library = placed, library
        self.problems: list[Problem] = []
        self.agency = str(placed.at(("agency",)) or "")
        languages = placed.at(("languages",))
        self.language = str(languages[0]) if isinstance(languages, list) and languages else "fr"
        self.broken: set[str] = set()  # names whose own fault was told: what uses them is not told again
        self.untyped: set[Path] = set()  # questions of a type that does not exist
        self.laws: frozenset[str] = frozenset(self.entries(("legal_basis",)))

    # -- saying --------------------------------------------------------------------------------------------------------

    def where(self, path: Path, key: bool = False) -> Position:
        return self.placed.position(path, key)

    def say(self, code: str, path: Path, key: bool = False, **facts: Fact) -> None:
        self.problems.append(problem(code, self.where(path, key), **facts))

    def unknown(self, code: str, path: Path, name: str, known: Iterable[str], **facts: str) -> None:
        """A name that is not there, with the ones that look like it."""
        self.unknown_at(code, self.where(path), name, known, **facts)

    def unknown_at(self, code: str, where: Position, name: str, known: Iterable[str], **facts: str) -> None:
        near = close_names(name, known)
        put: dict[str, Fact] = {"put": near[0]} if len(near) == 1 else {}
        self.problems.append(problem(code, where, name=name, near=near, **facts, **put))

    def type_unheard(self, path: Path) -> None:
        """A question of a type that does not exist, told by its shape: what it may hold is not known, nor what uses it."""
        self.untyped.add(path)
        self.broken.add(str(path[-1]))

    # -- reading -------------------------------------------------------------------------------------------------------

    def at(self, path: Path) -> Tree:
        return self.placed.at(path)

    def entries(self, path: Path) -> dict[str, Tree]:
        """The map at a path; empty when there is none."""
        found = self.placed.at(path)
        return found if isinstance(found, dict) else {}

    def items(self, path: Path) -> list[Tree]:
        found = self.placed.at(path)
        return found if isinstance(found, list) else []

    def each(self, path: Path) -> Iterator[tuple[str, Path]]:
        """The things of a map, each with its path; what is not itself a map is left out."""
        for name, value in self.entries(path).items():
            if isinstance(value, dict):
                yield name, (*path, name)

    def ids(self, path: Path) -> tuple[str, ...]:
        """`a` or `[a, b]`."""
        return tuple(name for name, _ in self.named(path))

    def named(self, path: Path) -> Iterator[tuple[str, Path]]:
        """The names at a path, one or several, each with its own path."""
        found = self.placed.at(path)
        if isinstance(found, str):
            yield found, path
        elif isinstance(found, list):
            for at, one in enumerate(found):
                if isinstance(one, str):
                    yield one, (*path, at)

    def words(self, path: Path) -> str | None:
        found = self.placed.at(path)
        return found if isinstance(found, str) else None

    def choice(self, path: Path, among: tuple[str, ...], default: str) -> str:
        """A word out of a few; the default when it is not there or is not one of them."""
        found = self.placed.at(path)
        return found if isinstance(found, str) and found in among else default

    def number(self, path: Path, default: int) -> int:
        found = self.placed.at(path)
        return found if isinstance(found, int) and not isinstance(found, bool) else default

    def flag(self, path: Path, default: bool) -> bool:
        found = self.placed.at(path)
        return found if isinstance(found, bool) else default

    def text(self, path: Path) -> Text | None:
        found = self.placed.at(path)
        if isinstance(found, str):
            return Text.of(found, self.language)
        if isinstance(found, dict):
            versions = tuple((code, words) for code, words in found.items() if isinstance(words, str))
            return Text(versions) if versions else None
        return None

    def title(self, path: Path) -> Text:
        """A text that must be there; the thing's own id when it is not."""
        return self.text(path) or Text.of(str(path[-2]) if len(path) > 1 else "", self.language)

    def span(self, path: Path) -> Span | None:
        return read_span(self.placed.at(path))

    def spans(self, path: Path) -> tuple[Span, ...]:
        found = self.placed.at(path)
        every = found if isinstance(found, list) else [found]
        return tuple(span for span in map(read_span, every) if span is not None)

    def day(self, path: Path) -> date | None:
        return read_date(self.placed.at(path))

    # -- law, roles ----------------------------------------------------------------------------------------------------

    def basis(self, path: Path) -> Mapping[str, str]:
        """The laws of a thing: `*` for all its values, or by key. An unknown law is N306."""
        found = self.placed.at((*path, "basis"))
        if isinstance(found, str):
            return frozen({"*": found}) if self._law(found, (*path, "basis")) else _NO_BASIS
        if isinstance(found, dict):
            return frozen({
                key: law
                for key, law in found.items()
                if isinstance(law, str) and self._law(law, (*path, "basis", key))
            })  # fmt: skip
        return _NO_BASIS

    def law(self, path: Path) -> str | None:
        """The one law of a thing that has no keys of its own (an option, a reduction)."""
        basis = self.basis(path)
        return basis.get("*") or next(iter(basis.values()), None)

    def _law(self, name: str, path: Path) -> bool:
        if name in self.laws:
            return True
        self.unknown("N306", path, name, self.laws)
        return False

    def role_named(self, name: str) -> str | None:
        """The full key of a role as a file may write it: `controleur`, `dgdn/controleur`, `applicant`."""
        if name in (APPLICANT, SYSTEM):
            return name
        key = name if "/" in name else f"{self.agency}/{name}"
        return key if self.library.directory.role(key) is not None else None

    def roles(self, path: Path) -> tuple[str, ...]:
        return tuple(self._role(name, there) for name, there in self.named(path))

    def role(self, path: Path) -> str | None:
        found = self.roles(path)
        return found[0] if found else None

    def _role(self, name: str, path: Path) -> str:
        key = self.role_named(name)
        if key is not None:
            return key
        agencies = self.library.directory.agencies
        agency = agencies.get(name.partition("/")[0] if "/" in name else self.agency)
        known = [one.id for one in agencies.values()] if agency is None else list(agency.roles)
        if "/" in name and agency is not None:
            known = [f"{agency.id}/{one}" for one in known]
        elif "/" not in name:
            known += [f"{one.id}/{name}" for one in agencies.values() if name in one.roles]
        if agency is not None or "/" in name:  # an unknown agency was told where it is written
            self.unknown("N304", path, name, [*known, APPLICANT], kind="role")
        return name if "/" in name else f"{self.agency}/{name}"

    # -- expressions ---------------------------------------------------------------------------------------------------

    def expression(
        self, path: Path, vocabulary: Vocabulary, expects: Type | tuple[Type, ...] | None
    ) -> Expression | None:
        """The expression at a path, None when there is none or when it cannot be used (its problems are kept)."""
        written = self.placed.at(path)
        if written is None or isinstance(written, dict):
            return None
        where = self.placed.first_sign(path)
        found, problems = parse_expression(plain_number(written), vocabulary, where, expects)
        if problems and not self._follows_a_fault(written, vocabulary) and not self._of_no_type(path):
            self.problems.extend(self._placed(one, path, where) for one in problems)
        return found

    def _placed(self, one: Problem, path: Path, where: Position) -> Problem:
        """A problem of the expression at its very sign, through folded lines; advice with the thing it is about."""
        if (one.where.file, one.where.line) == (where.file, where.line):
            offset = one.where.column - where.column
            one = replace(one, where=self.placed.inside(path, offset, one.where.width))
        if one.is_error:
            return one
        about = next((str(step) for step in path[-2::-1] if isinstance(step, str) and step not in _KEYS), "")
        return replace(one, facts=frozen({**one.facts, "at": about}))

    def _follows_a_fault(self, written: Tree, vocabulary: Vocabulary) -> bool:
        return isinstance(written, str) and bool(self.broken & all_names(written, vocabulary.definitions))

    def _of_no_type(self, path: Path) -> bool:
        return path[-1] not in ("when", "required") and any(path[:end] in self.untyped for end in range(1, len(path)))

    def or_else(
        self, path: Path, vocabulary: Vocabulary, expects: Type | tuple[Type, ...], default: Expression
    ) -> Expression:
        return self.expression(path, vocabulary, expects) or default


def plain_number(written: Tree) -> bool | int | Decimal | str | list[Plain] | None:
    """What the expression reader takes: scalars as they are, lists without decimals."""
    if isinstance(written, list):
        return [plain(one) for one in written]
    return None if isinstance(written, dict) else written


PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
MESSAGE: Final = frozenset({"dossier", "link", "office", "due", "meeting", "reason", "number", "title"})
NUMBER: Final = frozenset({"agency", "office", "procedure", "year", "serial"})


def read_template(build: BuildContext, path: Path, known: Iterable[str]) -> Template | None:
    """The text at a path; each name in braces that is not known is told, with the ones that look like it."""
    text = build.text(path)
    if text is None:
        return None
    every, names = set(known), set()
    for language, words in text.versions:
        there = path if isinstance(build.at(path), str) else (*path, language)
        for found in PLACEHOLDER.finditer(words):
            name = found[1]
            names.add(name)
            if name not in every and name not in build.broken:
                where = build.placed.inside(there, found.start(1), max(1, len(name)))
                build.unknown_at("N308", where, name, every)
    return Template(text, frozenset(names & every))


def read_pattern(build: BuildContext, path: Path, known: Iterable[str]) -> str | None:
    """A pattern of numbers, `PC-{office}-{year}-{serial}`: its names are checked the same way."""
    template = read_template(build, path, known)
    return str(template.text) if template else None
