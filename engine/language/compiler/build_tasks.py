"""Builder of the tasks of states: fees, appointments, rounds of opinions, later forms, look-ups and links."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final, Literal, cast, get_args

from engine.core.problems import Problem
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


def build_tasks(symbols: SymbolContext) -> Iterator[Task]:
    """Yield the tasks in the order of the sections of the language. The application is built elsewhere."""
    for section, build in (
        ("fees", _fee), ("appointments", _appointment), ("opinions", _round), ("later_forms", _later_form),
        ("look_ups", _look_up), ("links", _link),
    ):  # fmt: skip
        for name, path in symbols.build.each((section,)):
            yield build(symbols, name, path)


def _words(symbols: SymbolContext, path: Path) -> Vocabulary:
    """The vocabulary inside a task, where its own `when` holds."""
    return symbols.words.at(symbols.words.everywhere, symbols.build.at((*path, "when")))


def _when(symbols: SymbolContext, path: Path, rows: str | None = None) -> Expression:
    words = symbols.words.at(symbols.words.everywhere, rows=rows)
    return symbols.build.or_else((*path, "when"), words, YES_NO, TRUE)


def _after(symbols: SymbolContext, path: Path) -> tuple[str, ...]:
    return symbols.names.checked(symbols.build, (*path, "after"), *TASKS)


# -- fees --------------------------------------------------------------------------------------------------------------


def _fee(symbols: SymbolContext, name: str, path: Path) -> Fee:
    build, words = symbols.build, _words(symbols, path)
    return Fee(
        id=name,
        where=build.where(path, key=True),
        basis=build.basis(path),
        label=build.title((*path, "label")),
        for_agents=build.text((*path, "for_agents")),
        when=_when(symbols, path),
        after=_after(symbols, path),
        lines=_lines(symbols, name, path),
        exempt=build.expression((*path, "exempt_when"), words, YES_NO),
        reductions=tuple(_cuts(build, path, words)),
        at_least=build.expression((*path, "at_least"), words, MONEY),
        at_most=build.expression((*path, "at_most"), words, MONEY),
        valid_for=build.span((*path, "valid_for")),
        instalments=_instalments(build, (*path, "instalments"), words),
        methods=build.ids((*path, "methods")) or (MOBILE_MONEY,),
        deposit=build.flag((*path, "deposit"), False),
    )


def _lines(symbols: SymbolContext, name: str, path: Path) -> tuple[FeeLine, ...]:
    """The lines, or the fee itself as its only line. A line without its own law rests on that of the fee."""
    build = symbols.build
    if build.at((*path, "lines")) is None:
        line = _line(symbols, name, path, build.basis(path), alone=True)
        return (line,) if line else ()
    of_fee = build.basis(path)
    found = (
        _line(symbols, one, there, build.basis(there) or of_fee, alone=False)
        for one, there in build.each((*path, "lines"))
    )
    return tuple(line for line in found if line)


def _line(symbols: SymbolContext, name: str, path: Path, basis: Mapping[str, str], alone: bool) -> FeeLine | None:
    build = symbols.build
    fee_when = None if alone else build.at((*path[:-2], "when"))
    rows = _rows(symbols, (*path, "for_each"))
    outside = symbols.words.at(symbols.words.everywhere, fee_when, rows=rows)
    words = symbols.words.at(symbols.words.everywhere, fee_when, build.at((*path, "when")), rows=rows)
    amount = build.expression((*path, "amount"), words, MONEY)
    if amount is None:
        return None
    return FeeLine(
        id=name,
        where=build.where(path, key=True),
        basis=basis,
        label=build.title((*path, "label")),
        amount=amount,
        times=build.expression((*path, "times"), words, INTEGER),
        per=build.text((*path, "per")),
        when=TRUE if alone else build.or_else((*path, "when"), outside, YES_NO, TRUE),
        for_each=rows,
        from_=build.day((*path, "from")),
        until=build.day((*path, "until")),
    )


def _rows(symbols: SymbolContext, path: Path) -> str | None:
    """The id of the question of rows named at a path."""
    name = symbols.build.words(path)
    if name is None or not symbols.names.check(symbols.build, name, path, "question"):
        return None
    if symbols.words.types.get(name, TEXT).kind != "rows":
        symbols.build.say("N305", path, name=name, found="question", wanted=("rows",))
        return None
    return name


def _cuts(build: BuildContext, path: Path, words: Vocabulary) -> Iterator[Cut]:
    for at, _ in enumerate(build.items((*path, "reductions"))):
        here = (*path, "reductions", at)
        yield Cut(
            build.or_else((*here, "when"), words, YES_NO, TRUE),
            build.expression((*here, "percent"), words, PERCENT),
            build.expression((*here, "amount"), words, MONEY),
            build.text((*here, "because")) or Text.of("", build.language),
            build.law(here),
        )


def _instalments(build: BuildContext, path: Path, words: Vocabulary) -> Instalments | None:
    every = build.span((*path, "every"))
    if every is None:
        return None
    opens = cast(Literal["first", "last"], build.choice((*path, "opens"), ("first", "last"), "last"))
    when = build.or_else((*path, "when"), words, YES_NO, TRUE)
    return Instalments(build.number((*path, "most"), 1), every, when, opens)


# -- appointments ------------------------------------------------------------------------------------------------------


def office_expression(symbols: SymbolContext, path: Path, words: Vocabulary) -> Expression | None:
    """Return the expression of an office: an answer, `office_serving(commune)`, or a literal id.

    None when there is none.
    """
    written = symbols.build.words(path)
    offices = symbols.build.library.directory.offices
    if written is not None and written in offices and written not in words.known():
        return constant(written, _OFFICE, symbols.build.where(path))
    before = len(symbols.build.problems)
    found = symbols.build.expression(path, words, _OFFICE)
    symbols.build.problems[before:] = [_of_office(one, words) for one in symbols.build.problems[before:]]
    return found


def _of_office(fault: Problem, words: Vocabulary) -> Problem:
    """A fault of an office, which names the questions that hold one."""
    if fault.code not in ("N301", "E413") or fault.facts.get("near"):
        return fault
    asked = tuple(name for name, type_ in words.names.items() if type_ == _OFFICE)
    wanted = "office" if fault.code == "N301" else ("office",)
    return replace(fault, facts=frozen({**fault.facts, "wanted": wanted, "of": "office", "allowed": asked}))


def _appointment(symbols: SymbolContext, name: str, path: Path) -> Appointment:
    build, words = symbols.build, _words(symbols, path)
    hours = tuple(found for one in build.items((*path, "hours")) if (found := read_hours(one)))
    days = tuple(WEEKDAYS.index(day) for day in build.ids((*path, "weekdays")) if day in WEEKDAYS)
    reminders = (*path, "reminders")
    return Appointment(
        id=name,
        where=build.where(path, key=True),
        basis=build.basis(path),
        label=build.title((*path, "label")),
        for_agents=build.text((*path, "for_agents")),
        by=build.roles((*path, "by")),
        when=_when(symbols, path),
        after=_after(symbols, path),
        office=office_expression(symbols, (*path, "office"), words),
        place=cast(Literal["office", "applicant"], build.choice((*path, "place"), ("office", "applicant"), "office")),
        lasts=build.span((*path, "lasts")) or Span(1, "hour"),
        weekdays=days,
        hours=hours,
        desks=build.number((*path, "desks"), 1) if build.at((*path, "desks")) is not None else None,
        quota=build.number((*path, "quota"), 1) if build.at((*path, "quota")) is not None else None,
        proposed_by=build.role((*path, "proposed_by")),
        lead=build.span((*path, "lead")) or Span(1, "day"),
        horizon=build.span((*path, "horizon")) or Span(30, "day"),
        hold=build.span((*path, "hold")) or Span(10, "minute"),
        moves=build.number((*path, "moves", "times"), 2),
        moves_until=build.span((*path, "moves", "until")) or Span(1, "day"),
        no_show=build.number((*path, "no_show"), 0),
        reminders=build.spans(reminders) if build.at(reminders) is not None else (Span(1, "day"),),
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


def _round(symbols: SymbolContext, name: str, path: Path) -> Form:
    """A round: the page that shows its rows and one choice per service, and the page that each service fills in."""
    build = symbols.build
    services = tuple(_service(symbols, one, there, path) for one, there in build.each((*path, "of")))
    questions = FieldBuilder(symbols, symbols.words.everywhere, build.at((*path, "when")), rows=name)
    own, where, title = questions.fields(path), build.where(path, key=True), build.title((*path, "label"))
    rows = Field(
        id=name, where=where, type="rows", value_type=symbols.words.types.get(name, EMPTY), label=title,
        rows=(*_opinion_columns(services), *own),
    )  # fmt: skip
    opinions = tuple(_opinion(one.id, one.label, (*_GIVEN, _SILENT)) for one in services)
    shown = Page(id=name, where=where, title=title, fields=(rows, *opinions))
    asked = Page(id=name, where=where, title=title, fields=(_opinion(OPINION_COLUMNS[1], _OPINION, _GIVEN), *own))
    return Form(
        id=name,
        where=where,
        basis=build.basis(path),
        label=title,
        for_agents=build.text((*path, "for_agents")),
        by=tuple(dict.fromkeys(role for one in services for role in one.by)),
        when=_when(symbols, path),
        after=_after(symbols, path),
        pages=(shown,),
        services=services,
        asked=asked,
        quorum=_quorum(symbols, (*path, "quorum")),
        due=build.span((*path, "due")),
        seen_by=build.roles((*path, "confidential")),
    )


def _service(symbols: SymbolContext, name: str, path: Path, around: Path) -> Consulted:
    build = symbols.build
    silence = build.words((*path, "silence")) or build.words((*around, "silence"))
    words = symbols.words.at(symbols.words.everywhere, build.at((*around, "when")))
    return Consulted(
        id=name,
        where=build.where(path, key=True),
        basis=build.basis(path) or build.basis(around),
        label=build.title((*path, "label")),
        by=build.roles((*path, "by")),
        when=build.or_else((*path, "when"), words, YES_NO, TRUE),
        weight=build.number((*path, "weight"), 1),
        silence=cast(Silence, silence if silence in ("favourable", "unfavourable") else "none"),
        due=build.span((*path, "due")),
    )


def _quorum(symbols: SymbolContext, path: Path) -> Expression | None:
    """The number of opinions that finish a round, None for all of them."""
    written = symbols.build.words(path)
    if written == "any":
        return constant(1, INTEGER, symbols.build.where(path))
    return (
        None
        if written == "all"
        else symbols.build.expression(path, symbols.words.at(symbols.words.everywhere), INTEGER)
    )


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


def _later_form(symbols: SymbolContext, name: str, path: Path) -> Form:
    build = symbols.build
    each = _rows(symbols, (*path, "each"))
    if each is None and build.at((*path, "each")) is not None:
        build.broken.update(build.entries((*path, "fields")))
    questions = FieldBuilder(symbols, symbols.words.everywhere, build.at((*path, "when")), rows=each)
    page = build_page(questions, name, path)
    return Form(
        id=name,
        where=build.where(path, key=True),
        basis=build.basis(path),
        label=build.text((*path, "label")) or build.title((*path, "title")),
        for_agents=build.text((*path, "for_agents")),
        by=build.roles((*path, "by")),
        when=_when(symbols, path),
        after=_after(symbols, path),
        pages=(page,),
        each=each,
        due=build.span((*path, "due")),
        confirms=read_confirms(symbols, (*path, "confirms"), each),
    )


def _look_up(symbols: SymbolContext, name: str, path: Path) -> Form:
    build = symbols.build
    asked = ("question", "detail", "evidence")
    return Form(
        id=name,
        where=build.where(path, key=True),
        basis=build.basis(path),
        label=build.title((*path, "label")),
        for_agents=build.text((*path, "for_agents")),
        by=(SYSTEM,),
        when=_when(symbols, path),
        after=_after(symbols, path),
        pages=_answers(symbols, name, path),
        each=_rows(symbols, (*path, "each")),
        due=build.span((*path, "due")) or Span(1, "day"),
        register=_register(build, (*path, "register")),
        sends=symbols.names.checked(build, (*path, "with"), *asked),
        matches=_matches(symbols, name, path),
    )


def _matches(symbols: SymbolContext, name: str, path: Path) -> Mapping[str, str]:
    """Return which answers the register confirms when its own answer is equal. Report N301 for an unknown name."""
    build, there = symbols.build, (*path, "confirms")
    register = build.library.directory.registers.get(build.words((*path, "register")) or "")
    given, questions = set(register.answers) if register else set(), set(symbols.names.of("question", "detail"))
    found = {}
    for mine, theirs in build.entries(there).items():
        if mine not in questions:
            build.unknown("N301", (*there, mine), mine, questions)
        elif not isinstance(theirs, str) or theirs not in given:
            build.unknown("N301", (*there, mine), str(theirs), given)
        else:
            found[mine] = theirs
    return frozen(found)


def read_confirms(symbols: SymbolContext, path: Path, rows: str | None = None) -> Mapping[str, tuple[str, ...]]:
    """Return which answers each piece confirms, from `{piece: [answer]}`. Unknown names are reported.

    In a form filled per row, both are columns of these rows.
    """
    build = symbols.build
    columns = symbols.words.rows.get(rows or "", {})
    if rows is not None:
        return frozen({piece: tuple(_columns(build, (*path, piece), columns)) for piece in build.entries(path)})
    return frozen({
        piece: symbols.names.checked(build, (*path, piece), "question", "detail")
        for piece in build.entries(path)
        if symbols.names.check(build, piece, (*path, piece), "evidence", "question")
    })  # fmt: skip


def _columns(build: BuildContext, path: Path, known: Mapping[str, Type]) -> Iterator[str]:
    for name, there in ((str(path[-1]), path), *build.named(path)):
        if name not in known:
            build.unknown("N301", there, name, known)
        elif there != path:
            yield name


def _register(build: BuildContext, path: Path) -> str:
    name = build.words(path) or ""
    registers = build.library.directory.registers
    if name and name not in registers:
        build.unknown("N304", path, name, registers, kind="register")
    return name


def _answers(symbols: SymbolContext, name: str, path: Path) -> tuple[Page, ...]:
    """The answers of the register as fields never shown as questions, with their names and types."""
    build = symbols.build
    register = build.library.directory.registers.get(build.words((*path, "register")) or "")
    if register is None or not register.answers:
        return ()
    where = build.where(path, key=True)
    fields = tuple(
        Field(
            id=one,
            where=where,
            type=word,
            value_type=symbols.words.types.get(one, TEXT),
            label=register.labels.get(one) or Text.of(one),
            required=TRUE,
        )
        for one, word in register.answers.items()
    )
    return (Page(id=name, where=where, title=build.title((*path, "label")), fields=fields),)


# -- links -------------------------------------------------------------------------------------------------------------

_ENDS: Final = tuple(
    Option(code, Text((("fr", french), ("en", english))))
    for code, french, english in (
        ("granted", "Accordé", "Granted"), ("refused", "Refusé", "Refused"), ("withdrawn", "Retiré", "Withdrawn"),
        ("abandoned", "Sans suite", "Abandoned"), ("expired", "Expiré", "Expired"), ("revoked", "Annulé", "Revoked"),
    )
)  # fmt: skip


def _link(symbols: SymbolContext, name: str, path: Path) -> Link:
    build, words = symbols.build, _words(symbols, path)
    where, label = build.where(path, key=True), build.title((*path, "label"))
    end = Field(id=name, where=where, type="choice", value_type=OUTCOME, label=label, options=_ENDS)
    copies = build.entries((*path, "copies"))
    mine = [one for one in copies if symbols.names.check(build, one, (*path, "copies", one), "question")]
    return Link(
        id=name,
        where=where,
        basis=build.basis(path),
        label=label,
        for_agents=build.text((*path, "for_agents")),
        by=(SYSTEM,),
        when=_when(symbols, path),
        after=_after(symbols, path),
        pages=(Page(id=name, where=where, title=label, fields=(end,)),),
        relation=cast(Relation, build.choice((*path, "relation"), get_args(Relation), "needs")),
        procedure=build.words((*path, "procedure")) or "",
        required=build.or_else((*path, "required"), words, YES_NO, TRUE),
        copies=frozen({one: theirs for one in mine if isinstance(theirs := copies[one], str)}),
        row=build.words((*path, "row")),
    )
