"""The build context: what all builders share, with the expanded tree, the library and the problems found so far.

Each reader takes a path of the tree and returns the final value, or a default. It raises no error on a tree of a
wrong shape: `engine/language/source/schema.py` has already reported it.
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
LONGEST_SAID: Final = 60  # characters of a condition in words
_QUOTES: Final = re.compile(r"\b(si|if)\s*[«“\"]", re.IGNORECASE)
_KEYS: Final = frozenset({"then", "late", "missed", "to", "delay", "reductions", "options", "notices"})
_T = TypeVar("_T")


def frozen(things: Mapping[str, _T]) -> Mapping[str, _T]:
    """Return an immutable copy of a mapping. All empty ones are the same object, to save memory."""
    return MappingProxyType(dict(things)) if things else _NONE


def plain(tree: Tree) -> Plain:
    """Return a value of the file with its exact decimals as text."""
    if isinstance(tree, Decimal):
        return str(tree)
    if isinstance(tree, list):
        return [plain(one) for one in tree]
    if isinstance(tree, dict):
        return {key: plain(one) for key, one in tree.items()}
    return tree


@dataclass(frozen=True, slots=True)
class Library:
    """What a procedure uses from shared files, besides blocks and presets: lists, schemes and the live directory."""

    lists: Mapping[str, CodeList] = field(default_factory=lambda: MappingProxyType({}))
    schemes: Mapping[str, Scheme] = field(default_factory=lambda: MappingProxyType({}))
    directory: Directory = field(default_factory=Directory)


class BuildContext:
    """One file being compiled. `placed` is its expanded tree, `problems` collects the problems."""

    def __init__(self, placed: CombinedTree, library: Library) -> None:
        self.placed, self.library = placed, library
        self.problems: list[Problem] = []
        self.agency = str(placed.at(("agency",)) or "")
        languages = placed.at(("languages",))
        self.language = str(languages[0]) if isinstance(languages, list) and languages else "fr"
        self.broken: set[str] = set()  # names with a reported fault: their uses are not reported
        self.untyped: set[Path] = set()  # questions of a type that does not exist
        self.laws: frozenset[str] = frozenset(self.entries(("legal_basis",)))

    # -- reporting -----------------------------------------------------------------------------------------------------

    def where(self, path: Path, key: bool = False) -> Position:
        """Return the position of the value at a path, or of its key."""
        return self.placed.position(path, key)

    def say(self, code: str, path: Path, key: bool = False, **facts: Fact) -> None:
        """Add a problem at a path, or at its key."""
        self.problems.append(problem(code, self.where(path, key), **facts))

    def unknown(self, code: str, path: Path, name: str, known: Iterable[str], **facts: Fact) -> None:
        """Report a name that does not exist, with the known names close to it."""
        self.unknown_at(code, self.where(path), name, known, **facts)

    def unknown_at(self, code: str, where: Position, name: str, known: Iterable[str], **facts: Fact) -> None:
        """Report an unknown name at a position.

        The fact `put` is the replacement, when only one known name is close.
        """
        near = close_names(name, known)
        put: dict[str, Fact] = {"put": near[0]} if len(near) == 1 else {}
        self.problems.append(problem(code, where, name=name, near=near, **facts, **put))

    def type_unheard(self, path: Path) -> None:
        """Record a question of an unknown type, which the schema has reported.

        Nothing more is reported about its value, or about what uses it.
        """
        self.untyped.add(path)
        self.broken.add(str(path[-1]))

    # -- reading -------------------------------------------------------------------------------------------------------

    def at(self, path: Path) -> Tree:
        """Return the value at a path, None where there is none."""
        return self.placed.at(path)

    def entries(self, path: Path) -> dict[str, Tree]:
        """Return the map at a path, empty when there is none."""
        found = self.placed.at(path)
        return found if isinstance(found, dict) else {}

    def items(self, path: Path) -> list[Tree]:
        """Return the list at a path, empty when there is none."""
        found = self.placed.at(path)
        return found if isinstance(found, list) else []

    def each(self, path: Path) -> Iterator[tuple[str, Path]]:
        """Yield the entries of a map that are maps themselves, each with its path."""
        for name, value in self.entries(path).items():
            if isinstance(value, dict):
                yield name, (*path, name)

    def ids(self, path: Path) -> tuple[str, ...]:
        """Return the names of `a` or `[a, b]` at a path."""
        return tuple(name for name, _ in self.named(path))

    def named(self, path: Path) -> Iterator[tuple[str, Path]]:
        """Yield the names at a path, one or several, each with its own path."""
        found = self.placed.at(path)
        if isinstance(found, str):
            yield found, path
        elif isinstance(found, list):
            for at, one in enumerate(found):
                if isinstance(one, str):
                    yield one, (*path, at)

    def words(self, path: Path) -> str | None:
        """Return the text at a path in one language, None when it is no text."""
        found = self.placed.at(path)
        return found if isinstance(found, str) else None

    def choice(self, path: Path, among: tuple[str, ...], default: str) -> str:
        """Return the word at a path if it is one of a few, else the default."""
        found = self.placed.at(path)
        return found if isinstance(found, str) and found in among else default

    def number(self, path: Path, default: int) -> int:
        """Return the integer at a path, else the default. A yes/no is not a number."""
        found = self.placed.at(path)
        return found if isinstance(found, int) and not isinstance(found, bool) else default

    def flag(self, path: Path, default: bool) -> bool:
        """Return the yes/no at a path, else the default."""
        found = self.placed.at(path)
        return found if isinstance(found, bool) else default

    def text(self, path: Path) -> Text | None:
        """Return the text at a path, which is printed as it is. Report N315 for each name in braces."""
        text = self.template(path)
        for language, words in text.versions if text is not None else ():
            there = path if isinstance(self.placed.at(path), str) else (*path, language)
            for found in PLACEHOLDER.finditer(words):
                where = self.placed.inside(there, found.start(), len(found[0]))
                self.problems.append(problem("N315", where, name=found[1].strip() or "…"))
        return text

    def template(self, path: Path) -> Text | None:
        """Return the text at a path in its languages, None when there is none. It may hold placeholders.

        A text without languages is in the first language of the file.
        """
        found = self.placed.at(path)
        if isinstance(found, str):
            return Text.of(found, self.language)
        if isinstance(found, dict):
            versions = tuple((code, words) for code, words in found.items() if isinstance(words, str))
            return Text(versions) if versions else None
        return None

    def title(self, path: Path) -> Text:
        """Return a required text, or the id of the element when it is missing."""
        return self.text(path) or Text.of(str(path[-2]) if len(path) > 1 else "", self.language)

    def span(self, path: Path) -> Span | None:
        """Return the time span at a path, None when it cannot be read."""
        return read_span(self.placed.at(path))

    def spans(self, path: Path) -> tuple[Span, ...]:
        """Return one or several time spans at a path. Those that cannot be read are left out."""
        found = self.placed.at(path)
        every = found if isinstance(found, list) else [found]
        return tuple(span for span in map(read_span, every) if span is not None)

    def day(self, path: Path) -> date | None:
        """Return the date at a path, None when it cannot be read."""
        return read_date(self.placed.at(path))

    # -- law, roles ----------------------------------------------------------------------------------------------------

    def basis(self, path: Path) -> Mapping[str, str]:
        """Return the laws of an element: `*` for all its values, or by key. Report N306 for an unknown law."""
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
        """Return the id of the law of an element without keys of its own (an option, a reduction).

        None without a law.
        """
        basis = self.basis(path)
        return basis.get("*") or next(iter(basis.values()), None)

    def _law(self, name: str, path: Path) -> bool:
        if name in self.laws:
            return True
        self.unknown("N306", path, name, self.laws, allowed=tuple(sorted(self.laws)))
        return False

    def role_named(self, name: str) -> str | None:
        """Return the full key of a role as a file may write it: `controleur`, `dgdn/controleur`, `applicant`.

        None when the agency or the role does not exist.
        """
        if name in (APPLICANT, SYSTEM):
            return name
        key = name if "/" in name else f"{self.agency}/{name}"
        return key if self.library.directory.role(key) is not None else None

    def roles(self, path: Path) -> tuple[str, ...]:
        """Return the full keys of the roles at a path. Report N304 for an unknown role."""
        return tuple(self._role(name, there) for name, there in self.named(path))

    def role(self, path: Path) -> str | None:
        """Return the full key of the first role at a path, None when there is none."""
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
        if agency is not None or "/" in name:  # an unknown agency is reported where it is written
            self.unknown("N304", path, name, [*known, APPLICANT], kind="role", allowed=tuple(known))
        return name if "/" in name else f"{self.agency}/{name}"

    # -- expressions ---------------------------------------------------------------------------------------------------

    def expression(
        self, path: Path, vocabulary: Vocabulary, expects: Type | tuple[Type, ...] | None
    ) -> Expression | None:
        """Return the expression at a path, None when it is missing or unusable. Its problems are recorded."""
        written = self.placed.at(path)
        if isinstance(written, dict) and "is" in written:
            return self.expression((*path, "is"), vocabulary, expects)
        said = self.said(path)
        if written is None or isinstance(written, dict):
            return None
        if said is None and isinstance(written, str) and written.strip() in vocabulary.definitions:
            said = vocabulary.definitions[written.strip()].said
        where = self.placed.first_sign(path)
        found, problems = parse_expression(plain_number(written), vocabulary, where, expects)
        if problems and not self._follows_a_fault(written, vocabulary) and not self._of_no_type(path):
            self.problems.extend(self._placed(one, path, where) for one in problems)
        return replace(found, said=said) if found is not None and said is not None else found

    def said(self, path: Path) -> Text | None:
        """Return the words of a condition for people: `for`, beside `when` or `is`. Report S214 for unfit words."""
        there = (*path[:-1], "for")
        text = self.text(there) if path[-1] in ("when", "is") else None
        for language, words in text.versions if text is not None else ():
            faults = (
                "alone" if self.placed.at(path) is None else "long" if len(words) > LONGEST_SAID else "",
                "question" if "?" in words or _QUOTES.search(words) else "",
            )
            place = there if isinstance(self.placed.at(there), str) else (*there, language)
            for what in filter(None, faults):
                self.say("S214", place, what=what, most=LONGEST_SAID, found=len(words))
        return text

    def _placed(self, one: Problem, path: Path, where: Position) -> Problem:
        """A problem of an expression at its exact character, through folded lines. Advice names its element."""
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
        """Return the expression at a path, or `default` when it is missing or unusable."""
        return self.expression(path, vocabulary, expects) or default


def plain_number(written: Tree) -> bool | int | Decimal | str | list[Plain] | None:
    """Return a value in the form that the expression parser accepts.

    Scalars do not change, decimals in a list become text, and a map gives None.
    """
    if isinstance(written, list):
        return [plain(one) for one in written]
    return None if isinstance(written, dict) else written


PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
MESSAGE: Final = frozenset({"dossier", "link", "office", "due", "meeting", "reason", "number", "title"})
NUMBER: Final = frozenset({"agency", "office", "procedure", "year", "serial"})


def read_template(build: BuildContext, path: Path, known: Iterable[str]) -> Template | None:
    """Return the text at a path, None when there is none. Report N308 for each unknown name in braces."""
    text = build.template(path)
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
    """Return a pattern such as `PC-{office}-{year}-{serial}`, None when there is none.

    Its names are checked as in texts.
    """
    template = read_template(build, path, known)
    return str(template.text) if template else None
