"""Builder of questions: fields of pages, rows and later forms, with options, bounds, checks and examples."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Final

from engine.core.spelling import close_names
from engine.core.values import Text
from engine.language.compiler.build_context import plain_number, read_template
from engine.language.compiler.symbols import SymbolContext, declared_type, place_list
from engine.language.expressions.names import names_in
from engine.language.expressions.parse_context import Vocabulary
from engine.language.expressions.typing import read_literal
from engine.language.source.loader import Path, Tree
from engine.language.source.notation import read_size
from engine.model import Bounds, Field, FormCheck, Option, Template, Total
from engine.model.types import (
    DATE,
    EMPTY,
    INTEGER,
    MONEY,
    TEXT,
    TRUE,
    YES_NO,
    Constant,
    Expression,
    Type,
    Value,
    constant,
)

OTHER: Final = "other"
ACCOUNT: Final = tuple(
    f"account.{one}"
    for one in ("phone", "email", "name", "family_name", "given_names", "birth_date", "birth_place", "sex", "residence")
)  # the known data of an applicant
_OTHER_LABEL: Final = Text((("fr", "Autre, précisez"), ("en", "Other, say which")))
_LONG: Final = 2000
_USUAL: Final = Bounds()
_EXAMPLES: Final[Mapping[str, Value]] = {
    "email": "exemple@exemple.tg", "phone": "+22890123456", "address": "Lomé", "time": "08:00",
    "partial_date": "1990", "yes_no": True, "declaration": True, "country": "tgo",
}  # fmt: skip
_EXAMPLE_DAY: Final = date(1990, 1, 1)


class FieldBuilder:
    """Builds the questions of one place.

    `base` is the vocabulary of the place, `conditions` are those that show the page around them.
    """

    def __init__(self, symbols: SymbolContext, base: Vocabulary, *conditions: Tree, rows: str | None = None) -> None:
        self.symbols, self.build, self.base, self.rows = symbols, symbols.build, base, rows
        self.conditions = conditions

    def words(self, *conditions: Tree) -> Vocabulary:
        """Return the vocabulary of the place, where these further conditions hold."""
        return self.symbols.words.at(self.base, *self.conditions, *conditions, rows=self.rows)

    # -- fields --------------------------------------------------------------------------------------------------------

    def fields(self, path: Path) -> tuple[Field, ...]:
        """Return the fields under `fields` at a path, in the order of the file."""
        return tuple(self.field(name, there) for name, there in self.build.each((*path, "fields")))

    def field(self, name: str, path: Path) -> Field:
        """Return the field of a name, built from the map at a path.

        A computed field without `type` takes the type of its value.
        """
        build = self.build
        word = build.words((*path, "type")) or "text"
        type_ = self.value_type(name, path)
        value_written = build.at((*path, "value")) is not None
        if value_written and build.words((*path, "type")) is None:
            word = "text" if type_ == EMPTY else type_.kind
        outside = self.words()
        inside = self.words(build.at((*path, "when")))
        options, list_id = self.options(path, inside, word)
        bounds = self.bounds(path, inside, word, type_)
        rows = self.inner(name, path) if word == "rows" else None
        return Field(
            id=name,
            where=build.where(path, key=True),
            basis=build.basis(path),
            type=word,
            value_type=type_,
            label=build.title((*path, "label")),
            help=build.text((*path, "help")),
            short_label=build.text((*path, "short_label")),
            noun=build.text((*path, "noun")),
            for_agents=build.text((*path, "for_agents")),
            unit=build.words((*path, "unit")),
            when=build.or_else((*path, "when"), outside, YES_NO, TRUE),
            required=build.or_else((*path, "required"), inside, YES_NO, TRUE),
            value=build.expression((*path, "value"), inside, type_ if type_ != EMPTY else None),
            default=self.written((*path, "default"), inside, type_),
            prefill=self.prefill((*path, "prefill")),
            reuse=build.flag((*path, "reuse"), True),
            example=self.example(path, inside, word, type_, options, bounds),
            bounds=bounds,
            options=options,
            under=self.under((*path, "under")),
            other=build.flag((*path, "other"), False),
            list_id=list_id,
            scheme=self.scheme((*path, "scheme")),
            level=build.words((*path, "level")) or "commune",
            upper=build.words((*path, "case")) == "upper",
            lines=max(1, build.number((*path, "lines"), 1)),
            rows=rows.fields(path) if rows else (),
            checks=rows.checks(path) if rows else (),
            row_label=self.row_label(name, path) if rows else None,
            unique=self.unique(path) if rows else (),
            total=self.total(path, inside) if rows else None,
        )

    def value_type(self, name: str, path: Path) -> Type:
        """Return the inferred or declared type of a question. `EMPTY` when it has none, such as a note."""
        words = self.symbols.words
        known = words.columns.get(path) or words.types.get(name)
        return known or declared_type(self.build, path) or EMPTY

    def inner(self, name: str, path: Path) -> FieldBuilder:
        """Return the builder of the columns of a question of rows."""
        when = self.build.at((*path, "when"))
        return FieldBuilder(self.symbols, self.base, *self.conditions, when, rows=name)

    def written(self, path: Path, words: Vocabulary, type_: Type) -> Expression | None:
        """Return a literal of the question's own type, else an expression of that type. None when unusable."""
        written = self.build.at(path)
        if written is None or type_.kind in ("rows", "file"):
            return None
        literal = read_literal(plain_number(written), type_)
        if literal is not None and not (type_.kind == "text" and self.is_computed(path, written, words)):
            return constant(literal.value, type_, self.build.where(path))
        if type_.kind in ("choice", "choices") and self.is_wrong_code(path, written, words, type_):
            return None
        return self.build.expression(path, words, type_)

    def is_computed(self, path: Path, written: Tree, words: Vocabulary) -> bool:
        """Return whether the default of a text is computed from other answers rather than a literal."""
        names = names_in(written) if path[-1] == "default" and isinstance(written, str) else frozenset()
        return bool(names) and names <= words.known()

    def is_wrong_code(self, path: Path, written: Tree, words: Vocabulary, type_: Type) -> bool:
        """Return whether codes are written that are no option. Report E411 for the first one."""
        codes = written if isinstance(written, list) else [written]
        wrong = [code for code in codes if isinstance(code, str) and code.isidentifier() and code not in words.known()]
        known = sorted(type_.codes or ())
        for code in wrong[:1]:
            self.build.say("E411", path, value=code, near=close_names(code, known), options=tuple(known[:12]))
        return bool(wrong)

    def prefill(self, path: Path) -> str | None:
        """Return the source of the prefilled answer: `account.phone`, or `look_up.<id>.<answer>` of this file."""
        written = self.build.words(path)
        parts = (written or "").split(".")
        if parts[0] == "look_up" and len(parts) > 1:
            self.symbols.names.check(self.build, parts[1], path, "look_up")
        elif written is not None and written not in ACCOUNT:
            self.build.unknown("N301", path, written, ACCOUNT)
        return written

    def under(self, path: Path) -> str | None:
        """Return the id of the question whose answer limits the options, None when not written.

        Report a name that is neither a column of the same rows nor a question.
        """
        written = self.build.words(path)
        row = self.symbols.words.rows.get(self.rows or "", {})
        if written is not None and written not in row:
            self.symbols.names.check(self.build, written, path, "question")
        return written

    def scheme(self, path: Path) -> str | None:
        """Return the id of the kind of identifier, None when not written. Report N304 when it is unknown."""
        written = self.build.words(path)
        if written is not None and written not in self.build.library.schemes:
            self.build.unknown("N304", path, written, self.build.library.schemes, kind="scheme")
        return written

    # -- options -------------------------------------------------------------------------------------------------------

    def options(self, path: Path, words: Vocabulary, word: str) -> tuple[tuple[Option, ...], str | None]:
        """Return the options, and the id of their list, None when they are written in the file."""
        build, written = self.build, self.build.at((*path, "options"))
        list_id = written if isinstance(written, str) else None
        found: tuple[Option, ...] = ()
        if word == "place":
            list_id = place_list(build, path)
            if list_id is None:
                level = build.words((*path, "level")) or "commune"
                build.unknown("N304", (*path, "level"), f"{level}s", build.library.lists, kind="list")
        if list_id is not None and list_id in build.library.lists:
            found = build.library.lists[list_id].items
        elif list_id is not None:
            build.unknown("N304", (*path, "options"), list_id, build.library.lists, kind="list")
        else:
            found = tuple(
                self.option(code, (*path, "options", code), words) for code in build.entries((*path, "options"))
            )
        if build.flag((*path, "other"), False) and not any(one.code == OTHER for one in found):
            found = (*found, Option(OTHER, _OTHER_LABEL))
        return found, list_id

    def option(self, code: str, path: Path, words: Vocabulary) -> Option:
        """Return the option of a code, from a text or from a map with `label`."""
        build = self.build
        entry = build.at(path)
        if not isinstance(entry, dict) or "label" not in entry:
            return Option(code, build.text(path) or Text.of(code, build.language))
        return Option(
            code,
            build.title((*path, "label")),
            help=build.text((*path, "help")),
            when=build.or_else((*path, "when"), words, YES_NO, TRUE),
            from_=build.day((*path, "from")),
            until=build.day((*path, "until")),
            because=build.text((*path, "because")),
            parent=build.words((*path, "parent")),
            basis=build.law(path),
        )

    # -- bounds, examples ----------------------------------------------------------------------------------------------

    def bounds(self, path: Path, words: Vocabulary, word: str, type_: Type) -> Bounds:
        """Return the bounds of an answer, with defaults. The minimum of an integer or amount is 0 by default."""
        build = self.build
        minimum = build.expression((*path, "minimum"), words, type_)
        if minimum is None and word in ("integer", "money") and build.at((*path, "minimum")) is None:
            minimum = constant(0, INTEGER if word == "integer" else MONEY)
        lines = build.number((*path, "lines"), 1)
        return Bounds(
            minimum=minimum,
            maximum=build.expression((*path, "maximum"), words, type_),
            min_length=build.number((*path, "minLength"), 1 if word == "text" else 0),
            max_length=build.number((*path, "maxLength"), _LONG if lines > 1 else 100),
            pattern=build.words((*path, "pattern")),
            message=build.text((*path, "message")),
            min_items=build.number((*path, "minItems"), 1),
            max_items=build.number((*path, "maxItems"), 20 if word == "rows" else 1),
            max_size=read_size(build.at((*path, "max_size"))) or _USUAL.max_size,
            accept=build.ids((*path, "accept")) or _USUAL.accept,
        )

    def example(
        self, path: Path, words: Vocabulary, word: str, type_: Type, options: tuple[Option, ...], bounds: Bounds
    ) -> Expression | None:
        """Return the example of the file, else a plausible answer of the type, so that scenarios may be short.

        None when there is neither.
        """
        given = self.written((*path, "example"), words, type_)
        if given is not None:
            self.known_office((*path, "example"), word)
            return given
        if self.build.at((*path, "value")) is not None:
            return None
        if options:
            return constant(options[0].code if word != "choices" else (options[0].code,), type_)
        if word in ("integer", "money", "decimal", "percent"):
            return _number_example(bounds, type_)
        if word == "date":
            return _day_example(bounds)
        if word == "identifier":
            scheme = self.build.library.schemes.get(self.build.words((*path, "scheme")) or "")
            return constant(scheme.example if scheme else "12345", TEXT)
        return constant(_EXAMPLES[word], type_) if word in _EXAMPLES else None

    def known_office(self, path: Path, word: str) -> None:
        """Report N304 when the text at a path should name an office and does not."""
        written = self.build.words(path)
        if word == "office" and written is not None and written not in self.build.library.directory.offices:
            self.build.unknown("N304", path, written, self.build.library.directory.offices, kind="office")

    # -- rows, checks --------------------------------------------------------------------------------------------------

    def row_label(self, name: str, path: Path) -> Template | None:
        """Return the label of a row, None when not written. It may name columns of the row and outer answers."""
        known = {*self.symbols.words.rows.get(name, {}), *self.base.names}
        return read_template(self.build, (*path, "row_label"), known)

    def unique(self, path: Path) -> tuple[tuple[str, ...], ...]:
        """Return the columns that must differ between rows: `[id]` (each alone), `[[a, b]]` (together)."""
        own = self.build.entries((*path, "fields"))
        found = []
        for at, _ in enumerate(self.build.items((*path, "unique"))):
            named = list(self.build.named((*path, "unique", at)))
            for name, there in named:
                if name not in own:
                    self.build.unknown("N301", there, name, own)
            found.append(tuple(name for name, _ in named if name in own))
        return tuple(one for one in found if one)

    def total(self, path: Path, words: Vocabulary) -> Total | None:
        """Return the required sum of a column, None when not written. Report N301 for an unknown column."""
        of = self.build.words((*path, "total", "of"))
        own = self.build.entries((*path, "fields"))
        if of is None:
            return None
        if of not in own:
            self.build.unknown("N301", (*path, "total", "of"), of, own)
            return None
        type_ = self.symbols.words.columns.get((*path, "fields", of), INTEGER)
        equals = self.build.expression((*path, "total", "equals"), words, None if of in self.build.broken else type_)
        return Total(of, equals) if equals else None

    def checks(self, path: Path) -> tuple[FormCheck, ...]:
        """Return the usable checks under `checks` at a path, in the order of the file."""
        found = (self.check(name, there) for name, there in self.build.each((*path, "checks")))
        return tuple(one for one in found if one is not None)

    def check(self, name: str, path: Path) -> FormCheck | None:
        """Return one check, None when its condition cannot be used."""
        build = self.build
        inside = self.words(build.at((*path, "when")))
        warns = build.at((*path, "must")) is None
        when = build.or_else((*path, "when"), self.words(), YES_NO, TRUE)
        holds = build.expression((*path, "should" if warns else "must"), inside, YES_NO)
        at = build.words((*path, "at"))
        row = self.symbols.words.rows.get(self.rows or "", {})
        if (
            at is not None
            and at not in row
            and not self.symbols.names.check(build, at, (*path, "at"), "question", "evidence")
        ):
            at = None
        if holds is None:
            return None
        return FormCheck(
            id=name,
            where=build.where(path, key=True),
            basis=build.basis(path),
            holds=holds,
            when=when,
            warns=warns,
            message=build.title((*path, "message")),
            at=at,
        )


def _number_example(bounds: Bounds, type_: Type) -> Expression:
    """The minimum when it is above 1, else 1, and never above the maximum.

    A computed minimum is itself the example.
    """
    least, most = _known(bounds.minimum), _known(bounds.maximum)
    if least is None and bounds.minimum is not None:
        return bounds.minimum
    example = least if least is not None and least > 1 else Decimal(1)
    if most is not None and most < example:
        example = most
    whole = example == example.to_integral_value() and type_.kind not in ("decimal", "percent")
    return constant(int(example) if whole else example, type_)


def _known(bound: Expression | None) -> Decimal | None:
    value = bound.node.value if bound is not None and isinstance(bound.node, Constant) else None
    return Decimal(value) if isinstance(value, int | Decimal) else None


def _day_example(bounds: Bounds) -> Expression:
    """A day of 1990, or the nearest one allowed."""
    least, most = _known_day(bounds.minimum), _known_day(bounds.maximum)
    if bounds.minimum is not None and (least is None or least > _EXAMPLE_DAY):
        return bounds.minimum
    if bounds.maximum is not None and most is not None and most < _EXAMPLE_DAY:
        return bounds.maximum
    return constant(_EXAMPLE_DAY, DATE)


def _known_day(bound: Expression | None) -> date | None:
    value = bound.node.value if bound is not None and isinstance(bound.node, Constant) else None
    return value if isinstance(value, date) else None
