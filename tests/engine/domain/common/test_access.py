"""Who sees what, who acts in which role."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.domain.common.access import acting_role, may_read, may_read_file, may_read_seen, may_see, reserved_names
from engine.model import Sensitive
from engine.model.roles import roles_of
from engine.records.dossier import ANONYMOUS, SYSTEM_ACTOR, Actor, Attachment
from tests.engine.domain.small_procedure import AUDITOR, CHECKER, CLERK, MONDAY, OWNER, STRANGER, draft, passport
from tests.makers import a_dossier, a_procedure

BOOK = passport(sensitive={"prenoms": Sensitive(("controleur",), ("conformite",))})
DRAFT = draft(BOOK)
SENT = replace(DRAFT, submitted_at=MONDAY, state="conformite", office="centre")
ELSEWHERE = replace(CHECKER, offices=frozenset({"port"}))
FOREIGN = Actor("agent", "other", roles=frozenset({"autre/controleur"}))
PROVIDER = Actor("provider", "operator")


@pytest.mark.parametrize(
    ("actor", "draft_seen", "sent_seen"),
    [
        (OWNER, True, True),
        (STRANGER, False, False),
        (CHECKER, False, True),
        (CLERK, False, True),
        (ELSEWHERE, False, False),
        (FOREIGN, False, False),
        (AUDITOR, False, True),
        (SYSTEM_ACTOR, True, True),
        (ANONYMOUS, False, False),
        (PROVIDER, False, False),
        (Actor("agent", OWNER.id), False, False),  # the same id at another door is somebody else
        (Actor("applicant", "agent_1", roles=CHECKER.roles), False, False),  # roles are worth nothing to an applicant
    ],
)
def test_who_sees(actor: Actor, draft_seen: bool, sent_seen: bool) -> None:
    assert may_see(BOOK, DRAFT, actor) is draft_seen
    assert may_see(BOOK, SENT, actor) is sent_seen


def test_a_sensitive_answer_is_for_its_roles_in_its_states() -> None:
    later = replace(SENT, state="production")
    assert may_read(BOOK, SENT, "prenoms", OWNER)
    assert may_read(BOOK, SENT, "prenoms", CHECKER)
    assert not may_read(BOOK, later, "prenoms", CHECKER)
    assert not may_read(BOOK, SENT, "prenoms", CLERK)
    assert not may_read(BOOK, SENT, "prenoms", AUDITOR)
    assert not may_read(BOOK, SENT, "prenoms", STRANGER)
    assert may_read(BOOK, SENT, "nom", CLERK)
    assert may_read(BOOK, SENT, "nom", AUDITOR)


def test_a_value_computed_from_sensitive_answers_is_for_those_who_may_read_them_all() -> None:
    book = a_procedure("""
        form:
          tout:
            title: Tout
            fields:
              revenu: {label: Revenu, type: integer, example: 3}
              loyer: {label: Loyer, type: integer, example: 1}
              reste: {label: Reste, value: revenu - loyer}
              double: {label: Double, value: reste * 2}
              surface: {label: Surface, type: integer, example: 9}
        personal_data:
          purpose: Essai
          sensitive: {revenu: {seen_by: [maire, voirie]}, loyer: {seen_by: [maire]}}
    """)
    sent = replace(a_dossier(book), submitted_at=MONDAY, state=next(iter(book.states)), office=None)
    checker, clerk = (
        Actor("agent", name, roles=frozenset({f"{book.identity.agency}/{name}"})) for name in ("maire", "voirie")
    )
    for name in ("reste", "double"):
        assert may_read_seen(book, sent, name, checker)
        assert not may_read_seen(book, sent, name, clerk)
    assert may_read_seen(book, sent, "revenu", clerk)
    assert may_read_seen(book, sent, "surface", clerk)


def test_a_value_computed_from_a_sensitive_value_or_over_a_sensitive_column_is_reserved() -> None:
    book = a_procedure("""
        form:
          tout:
            title: Tout
            fields:
              revenu: {label: Revenu, type: integer, example: 3}
              reste: {label: Reste, value: revenu - 1}
              tranche: {label: Tranche, value: reste * 2}
              enfants:
                label: Enfants
                type: rows
                maxItems: 3
                row_label: '{prenom}'
                fields:
                  prenom: {label: Prénom, type: text, example: Afi}
                  malade: {label: Malade, type: yes_no}
                  aide: {label: Aide, value: malade}
              malades: {label: Malades, value: 'count(enfants, malade)'}
              annonce: {label: Annoncé, type: integer, default: reste, example: 2}
              aides: {label: Aides, value: 'count(enfants, aide)'}
              nombre: {label: Nombre, value: count(enfants)}
        personal_data:
          purpose: Essai
          sensitive: {reste: {seen_by: [maire]}, malade: {seen_by: [maire]}}
    """)
    sent = replace(a_dossier(book), submitted_at=MONDAY, state=next(iter(book.states)), office=None)
    mayor, clerk = (
        Actor("agent", name, roles=frozenset({f"{book.identity.agency}/{name}"})) for name in ("maire", "voirie")
    )
    for name in ("tranche", "aide", "malades", "aides", "annonce"):
        assert may_read_seen(book, sent, name, mayor)
        assert not may_read_seen(book, sent, name, clerk)
        assert name in reserved_names(book)
    for name in ("revenu", "prenom", "enfants", "nombre"):
        assert may_read_seen(book, sent, name, clerk)
        assert name not in reserved_names(book)


@pytest.mark.parametrize("place", ["prenoms", "enfants.0.prenoms", "enfants.0.soeurs.2.prenoms"])
def test_a_file_follows_the_answer_and_every_row_that_it_stands_in(place: str) -> None:
    file = Attachment("f", place, "f.pdf", "pdf", 9, "0" * 64, MONDAY)
    assert may_read_file(BOOK, SENT, file, OWNER)
    assert may_read_file(BOOK, SENT, file, CHECKER)
    assert not may_read_file(BOOK, SENT, file, CLERK)
    assert not may_read_file(BOOK, SENT, file, AUDITOR)
    assert may_read_file(BOOK, SENT, replace(file, field="enfants.0.nom"), CLERK)


def test_roles_are_named_with_their_agency() -> None:
    assert roles_of(BOOK) == {f"ville/{name}" for name in ("controleur", "guichet", "production", "chef")}


def test_acting_in_a_role() -> None:
    assert acting_role(BOOK, SENT, CHECKER, ("controleur",)) == "ville/controleur"
    assert acting_role(BOOK, SENT, ELSEWHERE, ("controleur",)) is None
    assert acting_role(BOOK, SENT, OWNER, ("controleur", "applicant")) == "applicant"
    assert acting_role(BOOK, SENT, STRANGER, ("applicant",)) is None
    assert acting_role(BOOK, SENT, FOREIGN, ("autre/controleur",)) == "autre/controleur"
