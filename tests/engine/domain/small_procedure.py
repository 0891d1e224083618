"""A small procedure built by hand, with one of everything a circuit can hold, and the people around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from engine.core.values import Plain, Span, Text
from engine.model import (
    APPLICANT,
    APPLICATION,
    Appointment,
    Delay,
    Effects,
    Fee,
    FeeLine,
    Field,
    Form,
    Hours,
    Identity,
    Notice,
    Option,
    Output,
    Page,
    PersonalData,
    Procedure,
    Sensitive,
    State,
    Task,
    TimeLimit,
    Transition,
)
from engine.model.directory import Agency, Calendar, Closure, Directory, Office, Role
from engine.model.types import DATE, SPAN, TEXT, YES_NO, Expression, Scope, Type, constant
from engine.records.dossier import Actor, Dossier

MONDAY = datetime(2026, 11, 23, 9, tzinfo=UTC)  # Africa/Lome is UTC
OWNER = Actor("applicant", "ama", "AMEGAN Ama")
STRANGER = Actor("applicant", "kofi")
CHECKER = Actor("agent", "agent_1", roles=frozenset({"ville/controleur"}))
SECOND = Actor("agent", "agent_2", roles=frozenset({"ville/controleur"}))
CLERK = Actor("agent", "clerk", roles=frozenset({"ville/guichet"}))
AUDITOR = Actor("auditor", "audit")


class PlainWords:
    """A wording that says the bare facts."""

    def amount(self, amount: int | Decimal, language: str) -> str:
        return f"{amount:,}".replace(",", "\u00a0")

    def money(self, amount: int, language: str) -> str:
        return f"{self.amount(amount, language)}\u00a0FCFA"

    def percent(self, value: Decimal, language: str) -> str:
        return f"{value}\u00a0%"

    def hour(self, minutes: int, language: str) -> str:
        return "{:02}:{:02}".format(*divmod(minutes, 60))

    def day(self, day: date, language: str) -> str:
        return day.isoformat()

    def numeral(self, amount: int, language: str) -> str:
        return f"<{amount}>"

    def plain_day(self, day: date, language: str) -> str:
        return day.isoformat()

    def short_day(self, day: date, language: str) -> str:
        return day.strftime("%d/%m/%Y")

    def short_moment(self, instant: datetime, language: str) -> str:
        return instant.strftime("%d/%m/%Y %Hh%M")

    def moment(self, instant: datetime, language: str) -> str:
        return instant.strftime("%d/%m/%Y %H:%M")

    def span(self, count: int, unit: str, working: bool, language: str) -> str:
        return str(Span(count, unit, working))

    def yes_no(self, value: bool, language: str) -> str:
        return "oui" if value else "non"

    def say(self, key: str, language: str, facts: Mapping[str, str]) -> str:
        return f"{key} " + " ".join(f"{name}={facts[name]}" for name in sorted(facts) if facts[name])

    def has(self, key: str) -> bool:
        return key.startswith("notice.")


WORDS = PlainWords()


def span(text: str) -> Span:
    count, *unit = text.split()
    return Span(int(count), unit[-1].removesuffix("s"), unit[0] == "working")


def lasting(text: str) -> Expression:
    return constant(span(text), SPAN)


def on(day: date) -> Expression:
    return constant(day, DATE)


def constant_text(value: str) -> Expression:
    return constant(value, TEXT)


def rule(text: str, run: Callable[[Scope], Any], *names: str, type_: Type = YES_NO) -> Expression:
    """An expression whose meaning is given in Python."""
    return Expression(text, ("test", text), type_, frozenset(names), run)


def is_(name: str, value: str) -> Expression:
    return rule(f"{name} == {value!r}", lambda scope: scope.get(name) == value, name)


def not_(one: Expression) -> Expression:
    return rule(f"not {one.text}", lambda scope: not one.holds(scope), *one.names)


def text_field(name: str, **more: Any) -> Field:
    return Field(id=name, type="text", value_type=TEXT, label=Text.of(name.title()), **more)


def choice(name: str, *options: str, **more: Any) -> Field:
    codes = tuple(Option(code, Text.of(code.title())) for code in options)
    kind = Type("choice", frozenset(options))
    return Field(id=name, type="choice", value_type=kind, label=Text.of(name.title()), options=codes, **more)


def state(name: str, mode: str, public: str = "in_review", **more: Any) -> State:
    return State(id=name, label=Text.of(name.replace("_", " ").title()), mode=mode, public=public, **more)  # type: ignore[arg-type]


def act(name: str, source: str, target: str, *by: str, **more: Any) -> Transition:
    return Transition(id=name, source=source, target=target, label=Text.of(name.title()), by=by, **more)


def auto(source: str, event: str, target: str, **more: Any) -> Transition:
    return Transition(id=f"{source}.{event}", source=source, target=target, label=Text.of(event), event=event, **more)


def book(
    states: tuple[State, ...],
    ways: tuple[Transition, ...],
    tasks: tuple[Task, ...] = (),
    *,
    fields: tuple[Field, ...] = (),
    outputs: tuple[Output, ...] = (),
    notices: tuple[Notice, ...] = (),
    clocks: tuple[TimeLimit, ...] = (),
    sensitive: Mapping[str, Sensitive] | None = None,
    office: Expression | None = None,
    name: str = "essai",
) -> Procedure:
    """A procedure with the circuit given; its first state is the start."""
    asked = fields or (text_field("nom"), text_field("prenoms"), choice("mode", "centre", "poste"))
    page = Page(id="page", title=Text.of("Vous"), fields=asked)
    form = Form(id=APPLICATION, label=Text.of("Demande"), by=(APPLICANT,), pages=(page,))
    later = tuple(one for task in tasks if isinstance(task, Form) for one in task.fields)
    all_tasks = {APPLICATION: form, **{task.id: task for task in tasks}}
    leaving: dict[str, list[Transition]] = {one.id: [] for one in states}
    for way in ways:
        leaving[way.source].append(way)
    known = {one.id: one for one in (*asked, *later)}
    return Procedure(
        identity=Identity(
            id=name, edition=1, title=Text.of("Essai"), summary=Text.of("Un essai"), agency="ville", delay=Delay()
        ),
        laws={}, eligibility=(), form=form, things={}, fields=known, order=tuple(known), tasks=all_tasks,
        states={one.id: one for one in states}, start=states[0].id, office=office, transitions=tuple(ways),
        leaving={name: tuple(found) for name, found in leaving.items()}, clocks={one.id: one for one in clocks},
        outputs={one.id: one for one in outputs}, notices=notices,
        personal_data=PersonalData(id="donnees", purpose=Text.of("Essayer"), keep={}, sensitive=sensitive or {}),
        scenarios=(), migrate={}, accept=(), lists={}, schemes={}, fingerprint=f"{name}-{id(states)}", source="",
        expanded="",
    )  # fmt: skip


# -- the procedure most stories are told with --------------------------------------------------------------------------

FRAIS = Fee(
    id="frais", label=Text.of("Frais"), by=(APPLICANT,),
    lines=(FeeLine(id="frais", label=Text.of("Frais"), amount=constant(30_000, Type("money"))),),
)  # fmt: skip
DEPOT = Appointment(
    id="depot", label=Text.of("Dépôt"), by=("guichet",), lasts=Span(20, "minute"), weekdays=(0, 2, 4),
    horizon=Span(60, "day"), no_show=1, reminders=(Span(3, "day"), Span(1, "day")),
)  # fmt: skip
FABRICATION = Form(
    id="fabrication", label=Text.of("Livret"),
    pages=(Page(id="livret", title=Text.of("Livret"), fields=(text_field("numero_livret"),)),),
)  # fmt: skip
PASSEPORT = Output(
    id="passeport", title=Text.of("Passeport"), kind="card", grants=True, valid=lasting("5 years"),
    signed_by="directeur", shows=("nom", "prenoms", "numero_livret"), number="{agency}-{year}-{serial}",
)  # fmt: skip
FORMULAIRE = Output(id="formulaire", title=Text.of("Formulaire"), kind="form", grants=False)
LETTRE = Output(id="lettre", title=Text.of("Notification"), kind="letter", grants=False)

CONTROLE = ("controleur",)
COUNTER = ("guichet",)


def passport(**more: Any) -> Procedure:
    """Control, correction, fee, visit, checking of originals, making, pick-up: the shape of a real passport."""
    states = (
        state("conformite", "by", by=CONTROLE, due=lasting("3 working days"), escalate="chef"),
        state("a_corriger", "correct", "to_correct", waits=(APPLICATION,), correct="requested", due=lasting("30 days"),
              remind=(Span(5, "day"),)),
        state("a_payer", "pay", "to_pay", waits=("frais",), due=lasting("30 days")),
        state("rendez_vous", "attend", "to_book", waits=("depot",), due=lasting("60 days"),
              effects=Effects(issues=("formulaire",))),
        state("originaux", "by", by=COUNTER, due=lasting("1 working day")),
        state("production", "by", by=("production",), due=lasting("10 working days")),
        state("pret", "by", "ready", by=COUNTER, due=lasting("6 months")),
        state("remis", "end", "accepted", outcome="granted", effects=Effects(issues=("passeport",))),
        state("refuse", "end", "refused", outcome="refused", effects=Effects(issues=("lettre",))),
        state("abandonne", "end", "closed", outcome="abandoned"),
        state("non_retire", "end", "closed", outcome="expired"),
        state("retire", "end", "closed", outcome="withdrawn"),
    )  # fmt: skip
    ways = (
        act("conforme", "conformite", "a_payer", "controleur"),
        act("faire_corriger", "conformite", "a_corriger", "controleur", asks=frozenset({"correction", "reason"})),
        act("refuser", "conformite", "refuse", "controleur", asks=frozenset({"reason"})),
        act("retirer", "conformite", "retire", APPLICANT),
        auto("a_corriger", "done", "conformite"),
        auto("a_corriger", "due", "abandonne"),
        act("retirer", "a_corriger", "retire", APPLICANT),
        auto("a_payer", "done", "rendez_vous"),
        auto("a_payer", "due", "abandonne"),
        act("retirer", "a_payer", "retire", APPLICANT),
        auto("rendez_vous", "done", "originaux"),
        auto("rendez_vous", "due", "abandonne"),
        auto("rendez_vous", "missed", "abandonne"),
        act("originaux_conformes", "originaux", "production", "guichet"),
        act("ajourner", "originaux", "rendez_vous", "guichet", asks=frozenset({"reason"}), reopens=("depot",)),
        act("fabriquer", "production", "pret", "production", fills="fabrication", other_than=("originaux_conformes",)),
        act("remettre", "pret", "remis", "guichet"),
        auto("pret", "due", "non_retire"),
        act("contester", "refuse", "conformite", APPLICANT, within=span("2 months"), asks=frozenset({"reason"})),
    )
    return book(states, ways, (FRAIS, DEPOT, FABRICATION), outputs=(PASSEPORT, FORMULAIRE, LETTRE), **more)


def directory(**office: Any) -> Directory:
    """One town with a main office and a small one; Christmas is a holiday."""
    roles = {name: Role(f"ville/{name}", Text.of(name)) for name in ("controleur", "guichet", "production", "chef")}
    week = (Hours(450, 720), Hours(870, 1020))
    main = Office(id="centre", label=Text.of("Mairie"), agency="ville", desks=1, hours=dict.fromkeys(range(5), week))
    small = Office(
        id="port", label=Text.of("Annexe du port"), agency="ville", hours={1: (Hours(480, 720),)},
        closed=(Closure(date(2026, 12, 1), date(2026, 12, 8), Text.of("Travaux")),),
    )  # fmt: skip
    return Directory(
        agencies={"ville": Agency("ville", Text.of("La Ville"), roles)},
        offices={"centre": replace(main, **office), "port": small},
        calendar=Calendar(holidays={date(2026, 12, 25): Text.of("Noël")}),
    )


DIRECTORY = directory()


def draft(procedure: Procedure, **more: Any) -> Dossier:
    answers: dict[str, Plain] = {"nom": "AMEGAN", "prenoms": "Ama", "mode": "centre"}
    base = Dossier(
        id="d1", number="26482911374", procedure=procedure.id, edition=1, fingerprint=procedure.fingerprint,
        owner=OWNER.id, state="draft", entered_at=MONDAY, created_at=MONDAY, contact_phone="+22890000000",
        label="AMEGAN Ama", answers=MappingProxyType(answers),
    )  # fmt: skip
    return replace(base, **more)
