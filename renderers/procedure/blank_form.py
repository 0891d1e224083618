"""The blank paper form of a procedure: questions with their conditions, papers, prices, places, signature.

All of it comes from the definition that also drives the form on the web. Each question has a number, which its
conditions name. Computed answers are not asked. A condition is never left out: it is written as on the public page,
else in full.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from engine.core.values import Plain
from engine.domain.fields.choices import ChoiceKind
from engine.domain.fields.field_type import FieldContext
from engine.domain.fields.field_types import is_asked, kind_of
from engine.domain.fields.raw_answers import OTHER
from engine.language.expressions.compiler import expression_of, tree
from engine.language.expressions.nodes import Ambient, And, Compare, Lookup, Name, Node, Not, OneOf, Or, walk
from engine.model import Bounds, Criterion, Fee, FeeLine, Field, Option, Procedure
from engine.model.directory import Directory
from engine.model.types import FALSE, TRUE, Constant, Expression, Scope
from renderers.definition.expressions import ExpressionWriter
from renderers.definition.fees import MoneyReader
from renderers.definition.form import FormReader
from renderers.definition.parts import capital
from renderers.definition.patterns import longest_answer
from renderers.definition.reader import TitleOf, spelled
from renderers.i18n.translations import Translations
from renderers.pdf.qr import qr_svg
from renderers.pdf.typst import render_pdf
from renderers.procedure.coded_conditions import coded_condition
from renderers.procedure.page import SheetLine, SheetWriter
from renderers.procedure.prices import line_cases, price_cases

SIGNS: Final = 8  # of the fingerprint, in the address of the form
ALL_SIGNS: Final = 12
MOST_TICKS: Final = 15  # a longer list is not printed: its answer is written
MOST_ROWS: Final = 4  # of a table; further rows go on a continuation sheet
CELLS: Final = 30  # of a line
_LINES: Final = 2
_A_LINE: Final = 75  # signs written without cells
_USUAL: Final = Bounds().max_length
_FILES: Final = frozenset({"file", "photo", "evidence"})
_LISTED: Final = frozenset({"choice", "choices", "country", "place", "office"})
_DIGITS: Final = {"integer": 6, "money": 9, "percent": 3, "decimal": 8}  # where the definition sets no maximum
_DAY: Final = (2, 2, 4)
_MOST_PRICES: Final = 60  # rows of a table of prices; a longer one is read at the office


@dataclass(frozen=True, slots=True)
class PrintedForm:
    """A blank form as PDF, with its number of pages."""

    body: bytes
    pages: int


def form_address(site: str, procedure: Procedure) -> str:
    """Return the address printed on the form, which opens it online: `https://guichet.tg/f/passeport/1a2b3c4d`."""
    return f"{site}/f/{procedure.id}/{procedure.fingerprint[:SIGNS]}"


def draw_form(content: Mapping[str, Plain]) -> PrintedForm:
    """Return the PDF of a content made by `BlankFormWriter.content`."""
    square = qr_svg(str(content["address"]).upper(), error="q", border=0).encode()
    body = render_pdf("blank", dict(content), {"qr": square})
    return PrintedForm(body, body.count(b"/StructParents "))


class BlankFormWriter(FormReader, MoneyReader):
    """Writes the content of the blank form of one procedure, for one day and in one language."""

    def __init__(
        self, procedure: Procedure, directory: Directory, words: Translations, language: str, day: date,
        title_of: TitleOf = spelled,
    ) -> None:  # fmt: skip
        super().__init__(procedure, directory, words, language, title_of)
        channels = procedure.identity.channels
        self.channel = next((one for one in ("paper", "counter") if one in channels), "web")
        self.sheet = SheetWriter(procedure, directory, words, language, day)
        self.day = day
        self.asked = tuple(self._pages())
        self.papers = tuple(self._papers())
        self.codes = {one.id: code for code, one in self._numbered()}
        self.expressions = ExpressionWriter(procedure, directory, words, language, codes=self.codes)

    def text(self, key: str, /, **facts: object) -> str:
        """Return the sentence of a key below `blank.`."""
        return self.sheet.say(f"blank.{key}", **facts)

    # -- what is asked -------------------------------------------------------------------------------------------------

    def _pages(self) -> Iterator[tuple[int, str, Expression, str, tuple[Field, ...]]]:
        """Yield the pages that ask something on paper: number, title, condition, help and questions."""
        number = 0
        for page in self.definition.form.pages:
            fields = tuple(one for one in page.fields if one.type not in _FILES and self._is_printed(one))
            if fields and self._settled(page.when) != FALSE:
                number += 1
                yield number, self.t(page.title), self._settled(page.when), self.t(page.help), fields

    def _is_printed(self, one: Field) -> bool:
        return self._settled(one.when) != FALSE and (is_asked(one) or (one.type == "note" and one.value is None))

    def _papers(self) -> Iterator[tuple[Field, Field | None, Expression]]:
        """Yield the papers to join, with the rows that each is joined for, if any, and the condition of its page."""
        for page in self.definition.form.pages:
            when = self._settled(page.when)
            for one in page.fields if when != FALSE else ():
                inside = ((column, one) for column in one.rows)
                for paper, rows in ((one, None), *inside):
                    if paper.type in _FILES and paper.value is None and self._settled(paper.when) != FALSE:
                        yield paper, rows, when

    def _numbered(self) -> Iterator[tuple[str, Field]]:
        """Yield each question with its number: `A.1` before the form, `2.3` in it, `2.3b` in a row, `P.1` for papers."""
        yield from ((f"A.{at}", one.field) for at, one in enumerate(self.definition.eligibility, 1))
        for number, _, _, _, fields in self.asked:
            for at, one in enumerate((one for one in fields if one.type != "note"), 1):
                yield f"{number}.{at}", one
                yield from self._lettered(f"{number}.{at}", one)
        yield from ((f"P.{at}", one) for at, (one, _, _) in enumerate(self.papers, 1))

    def _lettered(self, code: str, rows: Field) -> Iterator[tuple[str, Field]]:
        printed = (one for one in rows.rows if one.type not in _FILES and self._is_printed(one))
        yield from ((f"{code}{chr(97 + at % 26)}", one) for at, one in enumerate(printed))

    # -- conditions ----------------------------------------------------------------------------------------------------

    def _settled(self, expression: Expression) -> Expression:
        """Return a condition with the channel of the form put in. It is then often always true, or never."""
        node = _put_in(tree(expression), self.channel)
        if isinstance(node, bool):
            return TRUE if node else FALSE
        return expression if node == tree(expression) else expression_of(node, expression.text, where=expression.where)

    def condition(self, *expressions: Expression) -> str:
        """Return conditions that apply together, as the public page says them, else in full. Empty if always true."""
        said = []
        for one in dict.fromkeys(map(self._settled, expressions)):
            short = coded_condition(one, self.definition, self.words, self.language, self.codes)
            full = self.expressions.condition(one)
            if short or full:
                said.append(short or self.text("when", condition=full))
        return capital(self.text("and").join(dict.fromkeys(said)))

    # -- the whole form ------------------------------------------------------------------------------------------------

    def content(self, site: str) -> dict[str, Plain]:
        """Return the content of the form for its template. `site` begins the address printed on it."""
        address = form_address(site, self.definition)
        names = ("state", "motto", "page", "how_title", "sign_title", "declared", "place", "day_label", "signature",
                 "thumb", "for_title", "for_text", "name", "phone", "office_title", "number", "received", "by", "qr",
                 "papers_title", "prices_title", "offices_title", "notice_title", "more", "abroad",
                 "optional", "unsure", "day", "month", "year", "hour", "minute", "eligibility_title", "none_to_join")  # fmt: skip
        return {
            "lang": self.language,
            "agency": self.sheet.agency(),
            "title": self.sheet.say("blank.form_of", title=self.t(self.definition.identity.title)),
            "edition": self.text("edition", edition=self.definition.edition,
                                 fingerprint=self.definition.fingerprint[:ALL_SIGNS]),
            "address": address, "printed_address": address.partition("://")[2] or address,
            "how": list(self._how()),
            "eligibility": [self._criterion(at, one) for at, one in enumerate(self.definition.eligibility, 1)],
            "pages": [self._page(*page) for page in self.asked],
            "papers": [self._paper(f"P.{at}", *paper) for at, paper in enumerate(self.papers, 1)],
            "prices": [line for fee in self.definition.fees() for line in self._fee(fee)],
            "tables": list(self._price_tables()),
            "costs": list(self.sheet.costs(owed=any(map(self._lines, self.definition.fees())))),
            "offices": [_office(one) for one in self.sheet.offices()],
            "notice": list(self._notice()),
            "declaration": self.sheet.say("check.declare"),
            "words": {name: self.text(name) for name in names},
        }  # fmt: skip

    def _how(self) -> Iterator[str]:
        yield from (self.text(f"how_{one}") for one in ("letters", "conditions", "optional", self.channel))

    def _criterion(self, at: int, one: Criterion) -> Plain:
        stops = [self._stopped(one), self.t(one.because)]
        if one.instead:
            stops.append(self.say("instead", procedure=self.t(one.instead_title) or self.title_of(one.instead)))
        return {**self._question(f"A.{at}", one.field), "stop": " ".join(filter(None, stops))}

    def _stopped(self, one: Criterion) -> str:
        match tree(one.stop_when):
            case Name(id=name) if name == one.id:
                return self.text("stop_yes")
            case Not(item=Name(id=name)) if name == one.id:
                return self.text("stop_no")
            case _:
                return self.text("stop_when", condition=self.condition(one.stop_when))

    def _page(self, number: int, title: str, when: Expression, help: str, fields: tuple[Field, ...]) -> Plain:
        return {
            "number": str(number), "title": title, "condition": self.condition(when), "help": help,
            "questions": [self._question(self.codes.get(one.id, ""), one) for one in fields],
        }  # fmt: skip

    # -- one question --------------------------------------------------------------------------------------------------

    def _question(self, code: str, one: Field) -> dict[str, Plain]:
        return {
            "code": code, "label": self.t(one.label), "help": self.t(one.help), "condition": self.condition(one.when),
            "optional": self._optional(one), **self._space(one),
        }  # fmt: skip

    def _optional(self, one: Field) -> str:
        required = self._settled(one.required)
        if one.type == "note" or required == TRUE:
            return ""
        if required == FALSE:
            return self.text("optional")
        return self.text("required_when", condition=self.condition(required))

    def _space(self, one: Field) -> dict[str, Plain]:
        """Return the space of the answer: `kind` is a branch of the template."""
        if one.type == "note":
            return {"kind": "note"}
        if one.type == "rows":
            return self._rows(one)
        if one.type in ("yes_no", "declaration"):
            said = [self.words.yes_no(True, self.language), self.words.yes_no(False, self.language)]
            return {"kind": "ticks", "options": said[: 1 if one.type == "declaration" else 2]}
        if one.type in _LISTED and (options := self._ticks(one)):
            own = next((option for option in one.options if option.code == OTHER), None)
            other = (self._option(own) if own else self.text("other")) if one.other else ""
            return {"kind": "ticks", "options": options, "other": other}
        if one.type in ("date", "partial_date"):
            return {"kind": "groups", "groups": list(_DAY), "under": ["day", "month", "year"]}
        if one.type == "time":
            return {"kind": "groups", "groups": [2, 2], "under": ["hour", "minute"]}
        if one.type == "phone":
            return {"kind": "phone"}
        if one.type == "email":
            return {"kind": "line"}
        if one.lines > 1:
            return {"kind": "lines", "count": min(max(one.lines, 3), 8)}
        if one.type == "text" and one.bounds.max_length > _USUAL:
            return {"kind": "lines", "count": min(-(-one.bounds.max_length // _A_LINE), 4)}
        return {"kind": "cells", "cells": self._cells(one), "unit": self._unit(one)}

    def _unit(self, one: Field) -> str:
        return one.unit or {"money": "FCFA", "percent": "%"}.get(one.type, "")

    def _cells(self, one: Field) -> list[Plain]:
        """Return the number of cells of each line: as many as the answer may have, two lines of thirty at most."""
        if one.type in _DIGITS:
            return [self._digits(one)]
        if one.type in _LISTED:
            return [CELLS]
        scheme = self.definition.schemes.get(one.scheme or "")
        pattern = scheme.pattern if scheme is not None else one.bounds.pattern
        most = (
            one.bounds.max_length if one.bounds.max_length != _USUAL else CELLS
        )  # where the definition sets no length
        signs = min(longest_answer(pattern or "") or most, most)
        return [CELLS] * min(-(-signs // CELLS), _LINES) if signs >= CELLS else [signs]

    def _digits(self, one: Field) -> int:
        ends = [bound.node for bound in (one.bounds.maximum, one.bounds.minimum) if bound is not None]
        known = [len(str(node.value)) for node in ends if isinstance(node, Constant)]
        if known and (
            max(known) > 1 or len(known) == len(ends) > 1
        ):  # a minimum alone tells the digits of a year, not 0
            return min(max(known), CELLS)
        return _DIGITS[one.type]

    def _ticks(self, field: Field) -> list[Plain]:
        """Return the options of a question, each with its condition and dates. Empty for more than fifteen."""
        asking = FieldContext(Scope({}, self.day), self.definition.lists, self.definition.schemes,
                              self.directory.offices_of(self.definition.identity.agency))  # fmt: skip
        kind = kind_of(field)
        every = kind.all_options(field, asking) if isinstance(kind, ChoiceKind) else ()
        options = [one for one in every if not (field.other and one.code == OTHER) and not self._is_past(one)]
        if not 0 < len(options) <= MOST_TICKS:
            return []
        return [self._option(one) for one in options]

    def _is_past(self, option: Option) -> bool:
        return option.until is not None and option.until < self.day

    def _option(self, option: Option) -> str:
        details = (self.condition(option.when), self._days(option.from_, option.until))
        said = self.text("also").join(one[:1].lower() + one[1:] for one in details if one)
        return f"{self.t(option.label)} ({said})" if said else self.t(option.label)

    def _rows(self, one: Field) -> dict[str, Plain]:
        columns = [self._column(code, column) for code, column in self._lettered(self.codes[one.id], one)]
        count = min(one.bounds.max_items, MOST_ROWS)
        more = self.text("more", most=count) if one.bounds.max_items > count else ""
        return {"kind": "rows", "count": count, "columns": columns, "more": more}

    def _column(self, code: str, one: Field) -> dict[str, Plain]:
        """Return a question of a row. Rows inside a row are written on lines, each of their questions named."""
        if one.type != "rows":
            return self._question(code, one)
        inside = [
            f"{self.t(column.label)} {self.condition(column.when)}".strip() for _, column in self._lettered(code, one)
        ]
        asked = self.text("each_asks", questions=self.text("also").join(inside))
        help = " ".join(filter(None, (self.t(one.help), asked)))
        return {
            "code": code, "label": self.t(one.label), "help": help, "condition": self.condition(one.when),
            "optional": self._optional(one), "kind": "lines", "count": 4,
        }  # fmt: skip

    # -- papers --------------------------------------------------------------------------------------------------------

    def _paper(self, code: str, one: Field, rows: Field | None, page: Expression) -> Plain:
        terms = one.evidence
        how = [self.text(f"how_paper_{form}") for form in (terms.how if terms is not None else ("upload",))]
        if terms is not None and terms.copies > 1:
            how.insert(0, self.sheet.say("piece.copies", count=terms.copies))
        if terms is not None and terms.max_age:
            how.append(self.say("max_age", span=self.span(terms.max_age)))
        if rows is not None:
            how.append(self.text("for_each", rows=self.t(rows.label)))
        return {
            "code": code, "label": self.t(one.label), "help": self.t(one.help), "how": capital(", ".join(how)),
            "condition": self.condition(page, rows.when if rows is not None else TRUE, one.when), "optional": self._optional(one), "held": self._held(one),
            "any_of": [self._option(option) for option in (terms.any_of if terms is not None else ())],
        }  # fmt: skip

    # -- prices --------------------------------------------------------------------------------------------------------

    def _lines(self, fee: Fee) -> list[FeeLine]:
        return [line for line in fee.lines if not (line.until and line.until < self.day)]

    def _fee(self, fee: Fee) -> Iterator[Plain]:
        """Yield the lines of a fee with their cases, then what lowers it or bounds it."""
        for line in self._lines(fee):
            yield from self._price_lines(fee, line)
        if fee.exempt is not None:
            yield {"label": self.text("exempt"), "amount": self.words.money(0, self.language),
                   "when": self.condition(fee.exempt), "case": False}  # fmt: skip
        for cut in fee.reductions:
            value = f"{self.expressions.value(cut.percent)} %" if cut.percent else ""
            amount = self.text("minus", value=value or (self.money(cut.amount) if cut.amount else ""))
            yield {
                "label": capital(self.t(cut.because)),
                "amount": amount,
                "when": self.condition(cut.when),
                "case": False,
            }
        for key, bound in (("at_least", fee.at_least), ("at_most", fee.at_most)):
            if bound is not None:
                yield {"label": self.text(key), "amount": self.money(bound), "when": "", "case": False}

    def _price_lines(self, fee: Fee, line: FeeLine) -> Iterator[Plain]:
        """Yield a line, then each of its cases."""
        label, (cases, asked) = (
            self.t(line.label) or self.t(fee.label),
            line_cases(line, self.definition, self.language),
        )
        when = self._line_conditions(fee, asked, line)
        if len(cases) > 1 and when:
            yield {"label": label, "amount": "", "when": when, "case": False}
            for case, francs in cases:
                yield {"label": capital(case), "amount": self._amount(line, francs), "when": "", "case": True}
            return
        for case, francs in cases or (("", None),):
            named = ", ".join(filter(None, (label, case)))
            yield {"label": named, "amount": self._amount(line, francs), "when": when, "case": False}

    def _line_conditions(self, fee: Fee, when: Expression, line: FeeLine) -> str:
        rows = self.text("per_row", rows=self.label(line.for_each)) if line.for_each else ""
        said = (self.condition(fee.when, when), rows, self._days(line.from_, line.until))
        return capital(self.text("also").join(filter(None, said)))

    def _amount(self, line: FeeLine, francs: int | None) -> str:
        amount = self.money(line.amount) if francs is None else self.words.money(francs, self.language)
        if line.per is not None:
            return self.say("per", amount=amount, unit=self.t(line.per))
        return (
            amount
            if line.times is None
            else self.say("times", amount=amount, times=self.expressions.factor(line.times))
        )

    def _days(self, first: date | None, last: date | None) -> str:
        days = {
            name: self.words.plain_day(day, self.language) for name, day in (("first", first), ("last", last)) if day
        }
        return self.say("option_dates_" + "_".join(days), **days) if days else ""

    def _price_tables(self) -> Iterator[Plain]:
        """Yield the tables that a price is read from, where the lines do not list its cases."""
        lines = [line for fee in self.definition.fees() for line in self._lines(fee)]
        used = {name for line in lines if not price_cases(line.amount, self.definition, self.language)
                for name in _tables_in(tree(line.amount))}  # fmt: skip
        for name, table in zip(self.definition.tables, self.tables() if used else (), strict=False):
            if name in used and len(table.rows) <= _MOST_PRICES:
                yield {"title": table.title, "head": list(table.heads), "rows": [list(row) for row in table.rows]}

    # -- the end -------------------------------------------------------------------------------------------------------

    def _notice(self) -> Iterator[str]:
        data = self.definition.personal_data
        yield self.text("purpose", purpose=self.t(data.purpose).removesuffix("."))
        spans: dict[str, list[str]] = {}
        for name, span in data.keep.items():
            spans.setdefault(self.span(span), []).append(self.say(f"outcome_{name}"))
        kept = [self.say("keep_line", outcome=", ".join(names), span=span) for span, names in spans.items()]
        if kept:
            yield f"{self.text('kept', kept=self.text('also').join(kept))}, {self.say(f'afterwards_{data.afterwards}')}."
        yield self.text("rights", agency=self.sheet.agency())


def _put_in(node: Node, channel: str) -> Node | bool:
    """Return a condition without its comparisons with the channel, or its value if nothing else is left."""
    match node:
        case Constant(value=bool(value)):
            return value
        case Compare(left=Ambient(id="channel"), sign="==" | "!=" as sign, right=Constant(value=value)):
            return (value == channel) is (sign == "==")
        case OneOf(item=Ambient(id="channel"), among=among, negated=negated):
            return (channel in among) is not negated
        case Not(item=item):
            inside = _put_in(item, channel)
            return not inside if isinstance(inside, bool) else node if inside == item else Not(inside, node.where)
        case And(items) | Or(items):
            ends = isinstance(node, Or)  # the value that decides alone
            left = [one for one in (_put_in(item, channel) for item in items) if one is not (not ends)]
            if ends in left or not left:
                return ends if ends in left else not ends
            kept = tuple(one for one in left if not isinstance(one, bool))
            return kept[0] if len(kept) == 1 else type(node)(kept)
        case _:
            return node


def _tables_in(node: Node) -> Iterable[str]:
    return (one.table for one in walk(node) if isinstance(one, Lookup))


def _office(one: SheetLine) -> Plain:
    return {"label": one.label, "address": one.address, "hours": one.hours, "mark": one.mark}
