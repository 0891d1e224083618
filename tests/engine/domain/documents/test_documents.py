"""Issued documents: number, content, signature's claims, worth."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from engine.core.clock import local_day
from engine.core.values import Text
from engine.domain.common.decision import IssueOrder
from engine.domain.documents.documents import (
    check_claims,
    document_claims,
    document_number,
    is_issued,
    masked,
    prepare_document,
    series_of,
    status_of,
)
from engine.domain.fields.scope import scope_of
from engine.domain.workflow.actions import submit
from engine.model import Appeal, EvidenceTerms, Field, Output, Procedure, Sensitive, Template
from engine.model.types import TEXT, Type
from engine.records.dossier import Dossier, IssuedDocument, TakenTransition
from tests.engine.domain.documents.story_papers import PROCEDURES, papers_of, shipped
from tests.engine.domain.small_procedure import (
    DIRECTORY,
    FORMULAIRE,
    MONDAY,
    OWNER,
    PASSEPORT,
    WORDS,
    choice,
    draft,
    is_,
    lasting,
    on,
    passport,
    span,
    text_field,
)
from tests.makers import compiled, the_words

PASSPORT = passport()


def prepared(
    procedure: Procedure = PASSPORT, output: str = "passeport", row: int | None = None, **more: object
) -> IssuedDocument:
    dossier = submit(procedure, draft(procedure, **more), OWNER, MONDAY, DIRECTORY, WORDS).dossier
    scope = scope_of(procedure, dossier, local_day(MONDAY), DIRECTORY)
    order = IssueOrder(output, row)
    return prepare_document(procedure, dossier, order, scope, "N-1", "123456789012", "secret", MONDAY, DIRECTORY, WORDS)


def with_output(output: Output, **more: object) -> Procedure:
    return replace(passport(**more), outputs={**PASSPORT.outputs, output.id: output})


def test_what_a_document_shows_is_frozen() -> None:
    found = prepared()
    assert found.content == (("Nom", "AMEGAN"), ("Prenoms", "Ama"))  # the booklet's number is not known yet
    assert (found.number, found.code, found.token, found.jws) == ("N-1", "123456789012", "secret", "")
    assert (found.holder, found.signed_by, found.valid_until) == ("AMEGAN Ama", "La Ville", date(2031, 11, 23))


def test_hidden_answers_are_not_printed() -> None:
    fields = (text_field("nom"), choice("mode", "centre", "poste"), text_field("prenoms", when=is_("mode", "poste")))
    assert prepared(passport(fields=fields)).content == (("Nom", "AMEGAN"),)


def test_options_are_said_by_their_label_and_the_body_is_filled() -> None:
    output = replace(
        FORMULAIRE,
        shows=("mode",),
        body=Template(Text.of("{nom} retire au {mode}{rien}."), frozenset({"nom", "mode", "rien"})),
    )
    found = prepared(with_output(output), "formulaire")
    assert found.content == (("Mode", "Centre"), ("", "AMEGAN retire au Centre."))


def test_who_signs_is_said_as_people_call_them() -> None:
    assert prepared(with_output(replace(PASSEPORT, signed_by="chef"))).signed_by == "chef, La Ville"
    assert prepared(with_output(replace(PASSEPORT, signed_by="ailleurs/chef"))).signed_by is None
    assert prepared(with_output(replace(PASSEPORT, signed_by=None))).signed_by is None


def refusal_letter(state: str, *taken: TakenTransition, appeals: bool = True) -> tuple[tuple[str, str], ...]:
    """What the letter of a dossier in this state says."""
    gracious = Appeal(id="gracieux", label=Text.of("Recours gracieux"), within=span("2 months"))
    identity = replace(PASSPORT.identity, appeals={"gracieux": gracious} if appeals else {})
    procedure = replace(PASSPORT, identity=identity)
    dossier = draft(procedure, state=state, taken=taken)
    return prepare_document(
        procedure, dossier, IssueOrder("lettre"), scope_of(procedure, dossier, local_day(MONDAY), DIRECTORY),
        "N-1", "123456789012", "secret", MONDAY, DIRECTORY, WORDS,
    ).content  # fmt: skip


def taken(target: str, reason: str | None) -> TakenTransition:
    return TakenTransition("refuser", "conformite", target, MONDAY, "agent_1", "agent", reason)


def test_a_letter_of_refusal_says_why_and_how_it_is_contested() -> None:
    found = refusal_letter("refuse", taken("a_corriger", "Acte illisible"), taken("refuse", "Identité douteuse"))
    assert [words for _, words in found] == [
        "Refuse", "Identité douteuse", "pdf.appeal_within appeal=Recours gracieux span=2 months until=2027-01-23",
    ]  # fmt: skip
    assert [words for _, words in refusal_letter("refuse", taken("refuse", None), appeals=False)] == ["Refuse"]


def test_a_letter_that_refuses_nothing_says_the_reason_alone() -> None:
    assert [words for _, words in refusal_letter("a_corriger", taken("a_corriger", "Acte illisible"))] == [
        "Acte illisible"
    ]


def test_a_form_holds_the_answers_shown_and_what_to_bring() -> None:
    paper = replace(text_field("photos"), type="evidence", evidence=EvidenceTerms(how=("hand_over",), copies=2))
    sent = replace(text_field("acte"), type="evidence", evidence=EvidenceTerms(how=("upload",)))
    fields = (text_field("nom"), text_field("signes"), text_field("prenoms", when=is_("nom", "X")), paper, sent)
    secret = {"signes": Sensitive(seen_by=("controleur",))}
    procedure = passport(fields=fields, sensitive=secret)
    found = prepared(procedure, "formulaire", answers={"nom": "AMEGAN", "signes": "Cicatrice"})
    assert found.content == (
        ("Vous", ""), ("Nom", "AMEGAN"),
        ("pdf.bring ", ""), ("Photos", "pdf.bring_hand_over , pdf.copies count=2"),
    )  # fmt: skip


def test_one_document_a_row() -> None:
    row = {"nom_voyageur": TEXT}
    rows = Field(id="voyageurs", type="rows", value_type=Type("rows", row=row), label=Text.of("Voyageurs"),
                 rows=(text_field("nom_voyageur"),))  # fmt: skip
    output = replace(PASSEPORT, per="voyageurs", shows=("nom_voyageur", "nom"))
    answers = {"nom": "AMEGAN", "voyageurs": [{"nom_voyageur": "KOFFI"}, {"nom_voyageur": "AFI"}]}
    procedure = with_output(output, fields=(text_field("nom"), rows))
    found = prepared(procedure, row=1, answers=answers)
    assert found.content == (("Nom_Voyageur", "AFI"), ("Nom", "AMEGAN"))
    assert found.row == 1
    assert prepared(procedure, row=7, answers=answers).content == (("Nom", "AMEGAN"),)


@pytest.mark.parametrize(
    ("valid", "until"),
    [
        (lasting("3 months"), date(2027, 2, 23)),
        (lasting("2 working days"), date(2026, 11, 25)),
        (lasting("12 hours"), date(2026, 11, 23)),
        (on(date(2026, 12, 31)), date(2026, 12, 31)),
        (None, None),
    ],
)
def test_validity(valid: object, until: date | None) -> None:
    assert prepared(with_output(replace(PASSEPORT, valid=valid))).valid_until == until  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pattern", "office", "number"),
    [
        ("{agency}-{year}-{serial}", "centre", "VILLE-2026-00042"),
        ("PC-{office}-{year}-{serial}", "mairie_golfe_1", "PC-MAIRIE-GOLFE-1-2026-00042"),
        ("{serial}/{procedure}", None, "00042/ESSAI"),
        ("{office}-{serial}{autre}", None, "VILLE-00042"),
    ],
)
def test_numbers(pattern: str, office: str | None, number: str) -> None:
    dossier: Dossier = draft(PASSPORT, office=office)
    assert document_number(replace(PASSEPORT, number=pattern), PASSPORT, dossier, MONDAY, 42) == number


def test_series_count_by_what_the_book_says() -> None:
    dossier = draft(PASSPORT, office="centre")
    assert series_of(PASSEPORT, PASSPORT, dossier, MONDAY) == "ville/2026"
    by_office = replace(PASSEPORT, serial_per=("office",))
    assert series_of(by_office, PASSPORT, dossier, MONDAY) == "centre"


@pytest.mark.parametrize(
    ("status", "day", "worth"),
    [
        ("valid", date(2031, 11, 23), "valid"),
        ("valid", date(2031, 11, 24), "expired"),
        ("revoked", date(2026, 12, 1), "revoked"),
        ("revoked", date(2032, 1, 1), "revoked"),
        ("suspended", date(2026, 12, 1), "suspended"),
        ("replaced", date(2026, 12, 1), "replaced"),
    ],
)
def test_worth_on_a_day(status: str, day: date, worth: str) -> None:
    document = replace(prepared(), status=status)  # type: ignore[arg-type]
    assert status_of(document, day) == worth
    dossier = draft(PASSPORT, documents=(document,))
    assert is_issued(dossier, "passeport", None, day) is (worth in ("valid", "suspended"))
    assert not is_issued(dossier, "passeport", 0, day)
    assert not is_issued(dossier, "lettre", None, day)


def test_the_signature_covers_what_the_paper_shows_and_names_nobody() -> None:
    document = prepared()
    claims = document_claims(document, PASSPORT, "ville")
    assert "AMEGAN" not in repr(claims)
    assert check_claims(document, claims, PASSPORT, "ville") == ()
    assert check_claims(replace(document, holder="KOFFI"), claims, PASSPORT, "ville") == ("digest",)
    assert check_claims(replace(document, content=(("Nom", "KOFFI"),)), claims, PASSPORT, "ville") == ("digest",)
    assert check_claims(replace(document, number="N-2"), claims, PASSPORT, "ville") == ("number",)
    assert check_claims(document, {**claims, "extra": 1}, PASSPORT, "ville") == ("extra",)
    assert check_claims(document, claims, PASSPORT, "autre") == ("iss",)


@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        ("AMEGAN Afi", "A••• A•••"),
        ("KOFFI-MENSAH Éya Ama", "K••• É••• A•••"),
        ("O", "O•••"),
        ("", ""),
        ("'Abdou 3", "'A••• •••"),
        ("+228 90 12 34 56", "+••• ••• ••• ••• •••"),  # a dossier may be named by a telephone, a day or an identifier
        ("AMEGAN 12/03/1985", "A••• •••"),
        ("1000123456", "•••"),
        ("EB100002", "E•••"),
    ],
)
def test_masked_names(name: str, hidden: str) -> None:
    assert masked(name) == hidden


def test_masked_for_sms() -> None:
    assert masked("AMEGAN Afi", "*") == "A*** A***"


def test_the_page_of_a_paper_leaves_out_what_limited_readers_have() -> None:
    """An answer is shown by its name, by the detail of its « Autre » and by what is computed from it."""
    text = (PROCEDURES.parent / "tests" / "good" / "paper-in-full.yaml").read_text("utf-8")
    fields = ("      sexe: {label: Sexe,", "      culte: {label: Culte, type: choice, options: {a: A, b: B}, other: true, example: other}\n"
              "      revenu: {label: Revenu, type: integer, example: 5}\n      double: {label: Double, value: revenu * 2}\n"
              "      sexe: {label: Sexe,")  # fmt: skip
    printed = ("particulars: [nom, ", "particulars: [nom, {culte_other: Culte}, {double: Double}, ")
    default = ("verify: {by: token, shows: [nom, surface]}", "verify: token")
    given = (
        "story: La plage est concédée\n",
        "story: La plage est concédée\n    given: {culte: other, culte_other: Autre culte}\n",
    )
    for old, new in (fields, printed, default, given):
        assert old in text
        text = text.replace(old, new)
    limited = "purpose: Montrer le langage, sensitive: {culte: {seen_by: [maire]}, revenu: {seen_by: [maire]}}"
    for data, shown in (("purpose: Montrer le langage", 4), (limited, 2)):
        procedure = compiled(text.replace("purpose: Montrer le langage", data), "paper-in-full.yaml")
        paper = next(papers_of(procedure, shipped(), the_words())).document.paper
        assert paper is not None
        verify: Any = paper["verify"]
        assert len([words for _, words in verify["shows"] if words]) == shown, verify["shows"]
