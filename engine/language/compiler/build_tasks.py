"""What states wait for besides a person: fees, appointments, later forms, look-ups; and the tables fees are read from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal, cast, get_args

from engine.core.values import Span, Text
from engine.language.compiler.build_context import BuildContext, frozen
from engine.language.compiler.build_fields import FieldBuilder
from engine.language.compiler.build_form import build_page
from engine.language.compiler.namespace import OPINION_COLUMNS, TASKS
from engine.language.compiler.symbols import OPINION, OUTCOME, SymbolContext
from engine.language.expressions.parse_context import Vocabulary
from engine.language.source.loader import Path
from engine.language.source.notation import WEEKDAYS, read_hours
from engine.model import (
    MOBILE_MONEY,
    SYSTEM,
    Appointment,
    Consulted,
    Cut,
    Fee,
    FeeLine,
    Field,
    Form,
    Instalments,
    Link,
    Option,
    Page,
    Relation,
    Silence,
    Task,
)
from engine.model.types import EMPTY, INTEGER, MONEY, TEXT, TRUE, YES_NO, Expression, Type, constant

PERCENT: Final = Type("percent")
_OFFICE: Final = Type("choice")


def build_tasks(shop: SymbolContext) -> Iterator[Task]:
    """In the order of the language's sections; the application comes from elsewhere."""
    for section, build in (
        ("fees", _fee), ("appointments", _appointment), ("opinions", _round), ("later_forms", _later_form),
        ("look_ups", _look_up), ("links", _link),
    ):  # fmt: skip
        for name, path in shop.bench.each((section,)):
            yield build(shop, name, path)


def _words(shop: SymbolContext, path: Path) -> Vocabulary:
    """The words inside a task: known to hold there, its own `when`."""
    return shop.words.at(shop.words.everywhere, shop.bench.at((*path, "when")))


def _when(shop: SymbolContext, path: Path, rows: str | None = None) -> Expression:
    words = shop.words.at(shop.words.everywhere, rows=rows)
    return shop.bench.or_else((*path, "when"), words, YES_NO, TRUE)


def _after(shop: SymbolContext, path: Path) -> tuple[str, ...]:
    return shop.names.checked(shop.bench, (*path, "after"), *TASKS)


# -- fees --------------------------------------------------------------------------------------------------------------


def _fee(shop: SymbolContext, name: str, path: Path) -> Fee:
    bench, words = shop.bench, _words(shop, path)
    return Fee(
        id=name,
        where=bench.where(path, key=True),
        basis=bench.basis(path),
        label=bench.title((*path, "label")),
        when=_when(shop, path),
        after=_after(shop, path),
        lines=_lines(shop, name, path),
        exempt=bench.expression((*path, "exempt_when"), words, YES_NO),
        reductions=tuple(_cuts(bench, path, words)),
        at_least=bench.expression((*path, "at_least"), words, MONEY),
        at_most=bench.expression((*path, "at_most"), words, MONEY),
        valid_for=bench.span((*path, "valid_for")),
        instalments=_instalments(bench, (*path, "instalments"), words),
        methods=bench.ids((*path, "methods")) or (MOBILE_MONEY,),
        deposit=bench.flag((*path, "deposit"), False),
    )


def _lines(shop: SymbolContext, name: str, path: Path) -> tuple[FeeLine, ...]:
    """The lines, or the fee itself as its only line. A line without a law of its own rests on the fee's."""
    bench = shop.bench
    if bench.at((*path, "lines")) is None:
        line = _line(shop, name, path, bench.basis(path), alone=True)
        return (line,) if line else ()
    of_fee = bench.basis(path)
    found = (
        _line(shop, one, there, bench.basis(there) or of_fee, alone=False)
        for one, there in bench.each((*path, "lines"))
    )
    return tuple(line for line in found if line)


def _line(shop: SymbolContext, name: str, path: Path, basis: Mapping[str, str], alone: bool) -> FeeLine | None:
    bench = shop.bench
    fee_when = None if alone else bench.at((*path[:-2], "when"))
    rows = _rows(shop, (*path, "for_each"))
    outside = shop.words.at(shop.words.everywhere, fee_when, rows=rows)
    words = shop.words.at(shop.words.everywhere, fee_when, bench.at((*path, "when")), rows=rows)
    amount = bench.expression((*path, "amount"), words, MONEY)
    if amount is None:
        return None
    return FeeLine(
        id=name,
        where=bench.where(path, key=True),
        basis=basis,
        label=bench.title((*path, "label")),
        amount=amount,
        times=bench.expression((*path, "times"), words, INTEGER),
        per=bench.text((*path, "per")),
        when=TRUE if alone else bench.or_else((*path, "when"), outside, YES_NO, TRUE),
        for_each=rows,
        from_=bench.day((*path, "from")),
        until=bench.day((*path, "until")),
    )


def _rows(shop: SymbolContext, path: Path) -> str | None:
    """A question of rows named at a path."""
    name = shop.bench.words(path)
    if name is None or not shop.names.check(shop.bench, name, path, "question"):
        return None
    if shop.words.types.get(name, TEXT).kind != "rows":
        shop.bench.say("N305", path, name=name, found="question", wanted=("rows",))
        return None
    return name


def _cuts(bench: BuildContext, path: Path, words: Vocabulary) -> Iterator[Cut]:
    for at, _ in enumerate(bench.items((*path, "reductions"))):
        here = (*path, "reductions", at)
        yield Cut(
            bench.or_else((*here, "when"), words, YES_NO, TRUE),
            bench.expression((*here, "percent"), words, PERCENT),
            bench.expression((*here, "amount"), words, MONEY),
            bench.text((*here, "because")) or Text.of("", bench.language),
            bench.law(here),
        )


def _instalments(bench: BuildContext, path: Path, words: Vocabulary) -> Instalments | None:
    every = bench.span((*path, "every"))
    if every is None:
        return None
    opens = cast(Literal["first", "last"], bench.choice((*path, "opens"), ("first", "last"), "last"))
    when = bench.or_else((*path, "when"), words, YES_NO, TRUE)
    return Instalments(bench.number((*path, "most"), 1), every, when, opens)


# -- appointments ------------------------------------------------------------------------------------------------------


def office_expression(shop: SymbolContext, path: Path, words: Vocabulary) -> Expression | None:
    """Where: an answer, `office_serving(commune)`, or an office written by its id."""
    written = shop.bench.words(path)
    offices = shop.bench.library.directory.offices
    if written is not None and written in offices and written not in words.known():
        return constant(written, _OFFICE, shop.bench.where(path))
    return shop.bench.expression(path, words, _OFFICE)


def _appointment(shop: SymbolContext, name: str, path: Path) -> Appointment:
    bench, words = shop.bench, _words(shop, path)
    hours = tuple(found for one in bench.items((*path, "hours")) if (found := read_hours(one)))
    days = tuple(WEEKDAYS.index(day) for day in bench.ids((*path, "weekdays")) if day in WEEKDAYS)
    reminders = (*path, "reminders")
    return Appointment(
        id=name,
        where=bench.where(path, key=True),
        basis=bench.basis(path),
        label=bench.title((*path, "label")),
        by=bench.roles((*path, "by")),
        when=_when(shop, path),
        after=_after(shop, path),
        office=office_expression(shop, (*path, "office"), words),
        place=cast(Literal["office", "applicant"], bench.choice((*path, "place"), ("office", "applicant"), "office")),
        lasts=bench.span((*path, "lasts")) or Span(1, "hour"),
        weekdays=days,
        hours=hours,
        desks=bench.number((*path, "desks"), 1) if bench.at((*path, "desks")) is not None else None,
        quota=bench.number((*path, "quota"), 1) if bench.at((*path, "quota")) is not None else None,
        proposed_by=bench.role((*path, "proposed_by")),
        lead=bench.span((*path, "lead")) or Span(1, "day"),
        horizon=bench.span((*path, "horizon")) or Span(30, "day"),
        hold=bench.span((*path, "hold")) or Span(10, "minute"),
        moves=bench.number((*path, "moves", "times"), 2),
        moves_until=bench.span((*path, "moves", "until")) or Span(1, "day"),
        no_show=bench.number((*path, "no_show"), 0),
        reminders=bench.spans(reminders) if bench.at(reminders) is not None else (Span(1, "day"),),
    )


# -- rounds of opinions ------------------------------------------------------------------------------------------------

_OPINION: Final = Text((("fr", "Avis"), ("en", "Opinion")))
_SERVICE: Final = Text((("fr", "Service"), ("en", "Service")))
_WEIGHT: Final = Text((("fr", "Voix"), ("en", "Votes")))
_GIVEN: Final = (
    Option("favourable", Text((("fr", "Favorable"), ("en", "Favourable")))),
    Option("reserved", Text((("fr", "Favorable avec réserves"), ("en", "Favourable with reservations")))),
    Option("unfavourable", Text((("fr", "Défavorable"), ("en", "Unfavourable")))),
)
_SILENT: Final = Option("silent", Text((("fr", "Sans réponse"), ("en", "No answer"))))


def _round(shop: SymbolContext, name: str, path: Path) -> Form:
    """A round: its rows and one choice per service for whoever reads, what each service is asked for whoever answers."""
    bench = shop.bench
    services = tuple(_service(shop, one, there, path) for one, there in bench.each((*path, "of")))
    questions = FieldBuilder(shop, shop.words.everywhere, bench.at((*path, "when")), rows=name)
    own, where, title = questions.fields(path), bench.where(path, key=True), bench.title((*path, "label"))
    rows = Field(
        id=name, where=where, type="rows", value_type=shop.words.types.get(name, EMPTY), label=title,
        rows=(*_opinion_columns(services), *own),
    )  # fmt: skip
    opinions = tuple(_opinion(one.id, one.label, (*_GIVEN, _SILENT)) for one in services)
    shown = Page(id=name, where=where, title=title, fields=(rows, *opinions))
    asked = Page(id=name, where=where, title=title, fields=(_opinion(OPINION_COLUMNS[1], _OPINION, _GIVEN), *own))
    return Form(
        id=name,
        where=where,
        basis=bench.basis(path),
        label=title,
        by=tuple(dict.fromkeys(role for one in services for role in one.by)),
        when=_when(shop, path),
        after=_after(shop, path),
        pages=(shown,),
        services=services,
        asked=asked,
        quorum=_quorum(shop, (*path, "quorum")),
        due=bench.span((*path, "due")),
        seen_by=bench.roles((*path, "confidential")),
    )


def _service(shop: SymbolContext, name: str, path: Path, around: Path) -> Consulted:
    bench = shop.bench
    silence = bench.words((*path, "silence")) or bench.words((*around, "silence"))
    words = shop.words.at(shop.words.everywhere, bench.at((*around, "when")))
    return Consulted(
        id=name,
        where=bench.where(path, key=True),
        basis=bench.basis(path) or bench.basis(around),
        label=bench.title((*path, "label")),
        by=bench.roles((*path, "by")),
        when=bench.or_else((*path, "when"), words, YES_NO, TRUE),
        weight=bench.number((*path, "weight"), 1),
        silence=cast(Silence, silence if silence in ("favourable", "unfavourable") else "none"),
        due=bench.span((*path, "due")),
    )


def _quorum(shop: SymbolContext, path: Path) -> Expression | None:
    """How many opinions finish a round; none for all of them."""
    written = shop.bench.words(path)
    if written == "any":
        return constant(1, INTEGER, shop.bench.where(path))
    return None if written == "all" else shop.bench.expression(path, shop.words.at(shop.words.everywhere), INTEGER)


def _opinion_columns(services: tuple[Consulted, ...]) -> tuple[Field, ...]:
    service, opinion, weight = OPINION_COLUMNS
    codes = tuple(Option(one.id, one.label) for one in services)
    consulted = Type("choice", frozenset(one.id for one in services))
    return (
        Field(id=service, type="choice", value_type=consulted, label=_SERVICE, options=codes),
        _opinion(opinion, _OPINION, (*_GIVEN, _SILENT)),
        Field(id=weight, type="integer", value_type=INTEGER, label=_WEIGHT),
    )


def _opinion(name: str, label: Text, options: tuple[Option, ...]) -> Field:
    example = constant(options[0].code, OPINION)
    return Field(id=name, type="choice", value_type=OPINION, label=label, options=options, example=example)


# -- later forms, look-ups ---------------------------------------------------------------------------------------------


def _later_form(shop: SymbolContext, name: str, path: Path) -> Form:
    bench = shop.bench
    each = _rows(shop, (*path, "each"))
    if each is None and bench.at((*path, "each")) is not None:
        bench.broken.update(bench.entries((*path, "fields")))
    questions = FieldBuilder(shop, shop.words.everywhere, bench.at((*path, "when")), rows=each)
    page = build_page(questions, name, path)
    return Form(
        id=name,
        where=bench.where(path, key=True),
        basis=bench.basis(path),
        label=bench.text((*path, "label")) or bench.title((*path, "title")),
        by=bench.roles((*path, "by")),
        when=_when(shop, path),
        after=_after(shop, path),
        pages=(page,),
        each=each,
        due=bench.span((*path, "due")),
    )


def _look_up(shop: SymbolContext, name: str, path: Path) -> Form:
    bench = shop.bench
    asked = ("question", "detail", "evidence")
    return Form(
        id=name,
        where=bench.where(path, key=True),
        basis=bench.basis(path),
        label=bench.title((*path, "label")),
        by=(SYSTEM,),
        when=_when(shop, path),
        after=_after(shop, path),
        pages=_answers(shop, name, path),
        each=_rows(shop, (*path, "each")),
        due=bench.span((*path, "due")) or Span(1, "day"),
        register=_register(bench, (*path, "register")),
        sends=shop.names.checked(bench, (*path, "with"), *asked),
    )


def _register(bench: BuildContext, path: Path) -> str:
    name = bench.words(path) or ""
    registers = bench.library.directory.registers
    if name and name not in registers:
        bench.unknown("N304", path, name, registers, kind="register")
    return name


def _answers(shop: SymbolContext, name: str, path: Path) -> tuple[Page, ...]:
    """What the register answers, as questions nobody is asked: their names and types are known."""
    bench = shop.bench
    register = bench.library.directory.registers.get(bench.words((*path, "register")) or "")
    if register is None or not register.answers:
        return ()
    where = bench.where(path, key=True)
    fields = tuple(
        Field(
            id=one,
            where=where,
            type=word,
            value_type=shop.words.types.get(one, TEXT),
            label=register.labels.get(one) or Text.of(one),
            required=TRUE,
        )
        for one, word in register.answers.items()
    )
    return (Page(id=name, where=where, title=bench.title((*path, "label")), fields=fields),)


# -- links -------------------------------------------------------------------------------------------------------------

_ENDS: Final = tuple(
    Option(code, Text((("fr", french), ("en", english))))
    for code, french, english in (
        ("granted", "Accordé", "Granted"), ("refused", "Refusé", "Refused"), ("withdrawn", "Retiré", "Withdrawn"),
        ("abandoned", "Sans suite", "Abandoned"), ("expired", "Expiré", "Expired"), ("revoked", "Annulé", "Revoked"),
    )
)  # fmt: skip


def _link(shop: SymbolContext, name: str, path: Path) -> Link:
    bench, words = shop.bench, _words(shop, path)
    where, label = bench.where(path, key=True), bench.title((*path, "label"))
    end = Field(id=name, where=where, type="choice", value_type=OUTCOME, label=label, options=_ENDS)
    copies = bench.entries((*path, "copies"))
    mine = [one for one in copies if shop.names.check(bench, one, (*path, "copies", one), "question")]
    return Link(
        id=name,
        where=where,
        basis=bench.basis(path),
        label=label,
        by=(SYSTEM,),
        when=_when(shop, path),
        after=_after(shop, path),
        pages=(Page(id=name, where=where, title=label, fields=(end,)),),
        relation=cast(Relation, bench.choice((*path, "relation"), get_args(Relation), "needs")),
        procedure=bench.words((*path, "procedure")) or "",
        required=bench.or_else((*path, "required"), words, YES_NO, TRUE),
        copies=frozen({one: theirs for one in mine if isinstance(theirs := copies[one], str)}),
        row=bench.words((*path, "row")),
    )
