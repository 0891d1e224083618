"""The definition in words leaves nothing of the book unsaid: whatever the model holds, another value reads otherwise."""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from engine import model
from engine.core.problems import NOWHERE
from engine.core.values import Span, Text
from engine.language.catalogue.catalogue import check_definition
from engine.language.source.schema import SCHEMA
from engine.model import Procedure
from engine.model import types as expressions
from engine.model.types import TRUE, Expression, Type
from renderers.definition.document import DefinitionText, definition_text
from renderers.definition.reader import ProcedureReader
from renderers.i18n.translations import in_language
from tests.effort import tries
from tests.makers import PROCEDURES, the_procedure, the_shared, the_words

pytestmark = pytest.mark.slow  # every value of the model, changed one by one

GOOD = Path(__file__).resolve().parent.parent / "good"
PATHS = [*GOOD.glob("*.yaml"), *PROCEDURES.glob("*.yaml")]

# What the text does not say of the model, and why.
UNSAID: Final[Mapping[str, str]] = {
    "NamedElement.id": "a name of the file, never shown: labels are",
    "NamedElement.where": "a place in the file",
    "Field.value_type": "follows from its type",
    "Field.example": "for previews and stories; no rule of the procedure",
    "Option.code": "a name of the file",
    "CodeList.id": "a name of the file",
    "Scheme.id": "a name of the file",
    "Scheme.example": "shown beside the question",
    "Transition.rank": "its condition says that none before it holds",
    "Accept.used": "found while checking",
    "Procedure.form": "one of the tasks",
    "Procedure.things": "every thing of the other chapters again",
    "Procedure.fields": "the questions of the pages again",
    "Procedure.order": "of computing; nobody sees it",
    "Procedure.leaving": "the transitions again",
    "Procedure.fingerprint": "beside the text, on its page",
    "Procedure.source": "the file itself, beside the text",
    "Procedure.expanded": "the file again",
    "Scenario.at": "how a story is played; the file says it",
    "Scenario.channel": "how a story is played; the file says it",
    "Scenario.given": "how a story is played; the file says it",
    "Scenario.without": "how a story is played; the file says it",
    "Scenario.holds": "how a story is played; the file says it",
    "Scenario.stops": "how a story is played; the file says it",
    "Scenario.refuses": "how a story is played; the file says it",
    "Scenario.steps": "how a story is played; the file says it",
    "Step": "how a story is played; the file says it",
    "Template.names": "read from the text",
    "Delay.where": "a place in the file",
    **dict.fromkeys(
        (f"Link.{one}" for one in ("services", "confirms", "matches", "sends", "seen_by", "register", "quorum", "each", "due", "asked", "pages", "by")),
        "not of a link",
    ),
    **dict.fromkeys((f"{one}.basis" for one in ("Scenario", "Notice", "Annotation", "Law", "Accept")), "rests on no law"),
    **dict.fromkeys(
        (f"Procedure.{one}" for one in ("identity", "personal_data", "tasks", "states", "transitions", "definitions")),
        "told by its parts; a definition is written out where it is used",
    ),
    "Criterion.field": "told by its parts",
    "Identity.delay": "told by its parts",
    "Table.keys": "told by its parts",
    "Key.type": "follows from the question it is",
}  # fmt: skip


# What no file happens to say: a value to try all the same.
TRIED: Final[Mapping[str, object]] = {
    "Scheme.checksum": "luhn",
    "Output.verify": "public",
    "Fee.methods": ("cash",),
    "Fee.by": ("mairie/maire",),
    "Identity.until": date(2030, 1, 1),
    "EvidenceTerms.held_of": "nom",
    "Delay.law": True,
    "Bounds.min_items": 2,
}
OF_THE_FILE: Final = frozenset({"fr", "en", "ee", "kbp"})  # languages of a text
OF_AN_ACT = ("fills", "asks", "correctable", "other_than", "same_as", "within", "confirm", "bulk", "effects")


def kinds_of_the_model() -> list[type]:
    found = [one for one in vars(model).values() if isinstance(one, type) and is_dataclass(one)]
    return [one for one in found if one.__module__.startswith(model.__name__)]


def parts_of_the_model() -> list[tuple[type, str]]:
    return [
        (kind, one.name)
        for kind in kinds_of_the_model()
        if kind not in (model.NamedElement, model.Task) and kind.__name__ not in UNSAID
        for one in fields(kind)
        if not any(f"{base.__name__}.{one.name}" in UNSAID for base in kind.__mro__)
    ]  # fmt: skip


# -- books -------------------------------------------------------------------------------------------------------------


@cache
def books() -> tuple[Procedure, ...]:
    """Every procedure shipped, and the tour of the language; the shortest first."""
    found = []
    for path in PATHS:
        book = check_definition(path.read_bytes(), str(path), the_shared(), lint=False).procedure
        assert book is not None, path
        found.append(book)
    return tuple(sorted(found, key=lambda one: len(one.expanded)))


def text_of(book: Procedure, language: str = "fr") -> DefinitionText:
    return definition_text(book, the_shared().directory, the_words(), language)


def inside(value: Any, seen: set[int] | None = None) -> Iterator[Any]:
    """Every record of the model under a value."""
    seen = set() if seen is None else seen
    if isinstance(value, (Expression, Text, Span)) or id(value) in seen:
        return
    seen.add(id(value))
    if is_dataclass(value) and type(value).__module__.startswith(model.__name__):
        yield value
        for one in fields(value):
            yield from inside(getattr(value, one.name), seen)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from inside(one, seen)
    elif isinstance(value, (tuple, list)):
        for one in value:
            yield from inside(one, seen)


@cache
def records() -> Mapping[type, list[tuple[Procedure, Any]]]:
    """Every record of every book, by its kind."""
    found: dict[type, list[tuple[Procedure, Any]]] = {}
    for book in books():
        for one in inside(book):
            found.setdefault(type(one), []).append((book, one))
    return found


@cache
def told(at: int) -> DefinitionText:
    return text_of(books()[at])


def told_of(book: Procedure) -> DefinitionText:
    return told(next(at for at, one in enumerate(books()) if one is book))


@cache
def shown(kind: type, name: str) -> tuple[tuple[Procedure, Any, Any], ...]:
    """The first places where a field of the model holds something that can be changed, and what it is changed into."""
    found = []
    for book, one in records().get(kind, ()):
        if not told_elsewhere(one, name, book):
            other = another(kind, name, one, book)
            if other is not MISSING:
                found.append((book, one, other))
        if len(found) == tries(2):
            break
    return tuple(found)


def told_elsewhere(record: Any, name: str, book: Procedure) -> bool:
    """What this record holds and another of the book already says."""
    match record:
        case model.Bounds() if name == "min_items":  # of rows
            return not any(
                one.rows and one.bounds is record and one.rows[0].where != NOWHERE for one in book.fields.values()
            )
        case model.Field() if name == "basis":  # a criterion's question rests on what the criterion does
            return any(one.field is record for one in book.eligibility) or record.where == NOWHERE
        case model.Field():  # what the engine asks in every round
            return NOWHERE in (record.where, *(one.where for one in record.rows))
        case model.EvidenceTerms() if name == "held_of":
            return record.held_by is None
        case model.Page() if name in ("basis", "title"):  # a later form is one page
            return any(record in form.pages or record is form.asked for form in book.forms())
        case model.Transition() if name == "label":
            return record.event is not None
        case model.Transition() if name in OF_AN_ACT:  # an act is one transition a target
            return next(one for one in book.transitions if one.id == record.id) is not record
    return False


# -- another value -----------------------------------------------------------------------------------------------------


@cache
def written(kind: str) -> tuple[Expression, ...]:
    found: dict[str, Expression] = {}
    for _, record in (one for same in records().values() for one in same):
        for one in fields(record):
            value = getattr(record, one.name)
            if isinstance(value, Expression) and value.type.kind == kind:
                found.setdefault(value.text, value)
    return tuple(found.values())


@cache
def hints(kind: type) -> Mapping[str, Any]:
    return typing.get_type_hints(kind, localns=vars(expressions))


def another(kind: type, name: str, record: Any, book: Procedure) -> Any:
    """Another value for a field: its default, else something of the same nature. MISSING when there is none."""
    value, tried = getattr(record, name), f"{kind.__name__}.{name}"
    if tried in TRIED:
        return TRIED[tried]
    if tried == "Field.type":
        return "text" if value == "integer" else "integer"
    if tried == "FeeLine.basis":  # without a law of its own, a line rests on its fee's
        return (
            {"*": next(one for one in book.laws if one not in value.values())}
            if len(book.laws) > len(value) > 0
            else MISSING
        )
    one = next(one for one in fields(kind) if one.name == name)
    usual = (
        one.default
        if one.default is not MISSING
        else one.default_factory()
        if callable(one.default_factory)
        else MISSING
    )
    if usual is not MISSING:
        return usual if value != usual else MISSING
    return of_the_same_nature(hints(kind)[name], name, value, book)


def of_the_same_nature(hint: Any, name: str, value: Any, book: Procedure) -> Any:
    if typing.get_origin(hint) is typing.Literal:
        return next(one for one in typing.get_args(hint) if one != value)
    match value:
        case bool():
            return not value
        case int() | Decimal():
            return value + 1
        case date():
            return value + timedelta(days=1)
        case Type():
            return Type("text")
        case Span():
            return replace(value, count=value.count + 41)
        case Text():
            return Text.of("tout autrement") if value else MISSING
        case Expression():
            return next((one for one in written(value.type.kind) if one.text != value.text), TRUE)
        case str():
            return next((one for one in (*book.states, *book.tasks, *book.fields) if one != value), MISSING)
        case tuple() if value:
            return value[:-1]
        case frozenset() if value:
            return value - {min(value)}
        case Mapping() if value:
            return types.MappingProxyType(dict(list(value.items())[:-1]))
    return MISSING


def changed(value: Any, old: Any, new: Any, done: dict[int, Any]) -> Any:
    """The same tree with one record replaced wherever it stands."""
    if value is old:
        return new
    if isinstance(value, (Expression, Text, Span)):
        return value
    if id(value) not in done:
        done[id(value)] = _changed(value, old, new, done)
    return done[id(value)]


def _changed(value: Any, old: Any, new: Any, done: dict[int, Any]) -> Any:
    if is_dataclass(value) and type(value).__module__.startswith(model.__name__):
        parts = {one.name: changed(getattr(value, one.name), old, new, done) for one in fields(value)}
        if all(parts[one.name] is getattr(value, one.name) for one in fields(value)):
            return value
        return dataclasses.replace(value, **parts)  # type: ignore[type-var]
    if isinstance(value, Mapping):
        own = {key: changed(one, old, new, done) for key, one in value.items()}
        return value if all(own[key] is value[key] for key in value) else types.MappingProxyType(own)
    if isinstance(value, tuple):
        items = tuple(changed(one, old, new, done) for one in value)
        return value if all(one is other for one, other in zip(items, value, strict=True)) else items
    return value


# -- the promise -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "name"), parts_of_the_model(), ids=lambda one: getattr(one, "__name__", one))
def test_another_value_reads_otherwise(kind: type, name: str) -> None:
    places = shown(kind, name)
    assert places, f"no file of tests/good shows {kind.__name__}.{name}"
    for book, record, other in places:
        twin = changed(book, record, replace(record, **{name: other}), {})
        assert text_of(twin) != told_of(book), (
            f"{book.id}: {kind.__name__}.{name} = {getattr(record, name)!r} of {record!r:.200} is not said"
        )


# -- in words ----------------------------------------------------------------------------------------------------------

TECHNICAL: Final = re.compile(r"(?<![\w@./-])[a-z][a-z0-9]*_[a-z0-9_]+(?![\w@/-])|« [a-z]+ »")


def test_the_entries_of_a_list_read_in_their_order() -> None:
    search = text_of(the_procedure("regularite-fiscale")).states[0]
    leads = [re.sub(r"\s", " ", lead) for lead in search.exits]
    assert ["(si" in leads[0], "(sinon, si" in leads[1], "(sinon, si" in leads[2], "(sinon" in leads[3]] == [True] * 4
    assert "n’est pas" not in leads[3]
    assert "« Impôts à payer d’abord » (sinon, si « Situation fiscale » est « trouvé » et « Reste à payer »" in leads[2]


def test_a_document_says_what_it_states_and_where_each_value_comes_from() -> None:
    path = GOOD / "paper-in-full.yaml"
    book = check_definition(path.read_bytes(), str(path), the_shared(), lint=False).procedure
    assert book is not None
    lines = [re.sub(r"\s", " ", line) for line in text_of(book).documents[0].lines]
    for line in (
        "Affirme : « {Nom}, né/née au Togo, reçoit la concession. » (suivi des lignes de « Bornes », « Aucune borne » s’il n’y en a aucune)",
        "Article 2 : « Une clôture est obligatoire. » (si « Surface » dépasse 500)",
        "Source de « Nom », « Sexe » : comparé avec « Acte de naissance » à l’action « Signer » (Maire)",
        "Source de « Surface », « Bornes » : formulaire « Visite », rempli par Inspecteur des constructions",
        "Source de « Usage prévu » : déclaré par la personne, non vérifié",
    ):
        assert line in lines
    asked = "States: “{Nom}, né/née au Togo, reçoit la concession.”"
    assert any(line.startswith(asked) for line in text_of(book, "en").documents[0].lines)


def test_the_words_of_a_condition_stand_beside_it() -> None:
    book = the_procedure("copie-acte-etat-civil")
    said = " ".join(line for one in text_of(book).documents for line in one.lines).replace("\u00a0", " ")
    assert "(« Pour une copie intégrale »)" in said
    assert "(« Pour un extrait sans filiation »)" in said


def test_where_people_decide_the_steps_they_may_lead_to_are_said() -> None:
    [step] = [one for one in text_of(the_procedure("branchement-eau")).states if one.title == "Devis en préparation"]
    assert [re.sub(r"\s", " ", lead) for lead in step.exits] == ["Selon l’action choisie : vers « Devis à payer »"]


def said(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif is_dataclass(value):
        for one in fields(value):
            yield from said(getattr(value, one.name))
    elif isinstance(value, (tuple, list)):
        for one in value:
            yield from said(one)


@pytest.mark.parametrize("at", range(len(PATHS)))
def test_no_technical_name_is_read(at: int) -> None:
    book = books()[at]
    for one in said(told_of(book)):
        found = [name for name in TECHNICAL.findall(one) if "_" in name or name.strip("« »") in names_of(book)]
        assert not found, one


def names_of(book: Procedure) -> frozenset[str]:
    """Names of the file that are no label of it."""
    things = [one for one in inside(book) if isinstance(one, model.NamedElement)]
    codes = [one.code for one in inside(book) if isinstance(one, model.Option)]
    labels = {str(getattr(one, "label", "")).lower() for one in inside(book)}
    return frozenset({*(one.id for one in things), *codes, *book.tables, *book.definitions} - labels)


@pytest.mark.parametrize("kind", [one for one in kinds_of_the_model() if one not in (model.Step, model.Scenario)])
def test_each_word_of_the_language_is_said(kind: type) -> None:
    """A value among few: none of them is left in the language of the file."""
    for name, hint in hints(kind).items():
        for value in words_of(hint):
            for book, record in records().get(kind, ()):
                if not getattr(record, name) or told_elsewhere(record, name, book):
                    continue
                held = getattr(record, name)
                new = (
                    (value,)
                    if isinstance(held, tuple)
                    else frozenset({value})
                    if isinstance(held, frozenset)
                    else value
                )
                twin = changed(book, record, replace(record, **{name: new}), {})
                before = set(said(told_of(book)))
                for one in said(text_of(twin)):
                    assert one in before or not re.search(rf"(?<!\w){value}(?!\w)", one), (
                        f"{kind.__name__}.{name}: {one}"
                    )
                break


def test_each_key_that_may_rest_on_a_law_has_a_word() -> None:
    reader = ProcedureReader(books()[0], the_shared().directory, the_words(), "fr")
    found: set[str] = set()
    left: list[Any] = [SCHEMA]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            found |= set(one.get("properties", {})) if "basis" in one.get("properties", {}) else set()
        left += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
    assert "due" in found
    missing = sorted(key for key in found - OF_THE_FILE if not said_as(reader, key))
    assert not missing


def said_as(reader: ProcedureReader, key: str) -> bool:
    try:
        return bool(reader.facet("", key))
    except LookupError:
        return False


def words_of(hint: Any) -> tuple[str, ...]:
    """The words a hint allows, wherever they stand in it."""
    if typing.get_origin(hint) is typing.Literal:
        return typing.get_args(hint)
    return tuple(word for one in typing.get_args(hint) for word in words_of(one))


def test_nobody_reads_a_code_nor_a_pattern() -> None:
    """Codes of advice and regular expressions are for those who write files; a definition says them in words."""
    for book in books():
        said = text_of(book)
        assert not re.search(r"\b[VCP]\d{3}\b", " ".join(said.accepted)), book.id
        assert "expression régulière" not in str(said), book.id
        assert all(" : " in one.title.replace("\u00a0", " ") for one in said.tables), book.id


def test_what_takes_a_name_over_is_read_by_its_label_and_what_is_left_is_named() -> None:
    book = the_procedure("passeport-ordinaire")
    field = next(one for one in book.fields.values() if one.options)
    option = field.options[0]
    names = {"motif.vieux": f"{field.id}.{option.code}", "motif.perdu_en_mer": None}
    said = " ".join(text_of(replace(book, migrate={1: names})).editions).replace("\u00a0", " ")
    assert f": {in_language(option.label, 'fr')} » reprend un élément de l’édition 1" in said
    assert f"{field.id}.{option.code}" not in said
    assert "1 élément n’est pas repris : « perdu en mer »" in said


def test_whoever_does_something_has_a_column() -> None:
    """Those who fill a form, give an opinion or keep an appointment too."""
    text = definition_text(the_procedure("permis-de-construire"), the_shared().directory, the_words(), "fr")
    rows = [
        row for row in text.matrix if {"Avis à donner", "Rendez-vous à tenir", "Formulaire à remplir"} & {*row.notes}
    ]
    assert rows
    assert all(any(one.may for one in row.may) for row in rows)
    assert all(any(row.may[at].may for row in text.matrix) for at in range(len(text.roles)))


def test_a_message_is_as_long_as_it_may_be_when_sent() -> None:
    text = definition_text(the_procedure("permis-de-construire"), the_shared().directory, the_words(), "fr")
    assert "96 caractères au plus" in {one.length.replace("\u00a0", " ") for one in text.notices}
