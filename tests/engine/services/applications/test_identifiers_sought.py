"""Agents find a dossier by the identifiers that the applicant gave, and by no sensitive one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from engine.core.problems import Refused
from engine.domain.documents.retention import forgotten
from engine.model.legal import Sensitive
from engine.services.applications.casework import list_inbox
from engine.services.applications.document_verification import LOOKED_UP, number_on_paper
from engine.services.audit.integrity import fsck
from engine.services.core.commit import _identifiers
from tests.engine.services.applications.test_unsent_corrections import saved, sent_back
from tests.engine.services.world import PASSPORT, World, a_world

NIU = "1234567890"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return a_world(tmp_path)


def found(world: World, text: str) -> list[str]:
    agent = world.agent("k", "dgdn/controleur")
    return [line.number for line in list_inbox(world.office, agent, "all", text=text).lines]


def test_a_dossier_is_found_by_its_identifier_however_it_is_grouped(world: World) -> None:
    dossier = world.sent(PASSPORT, niu=NIU)
    world.sent(PASSPORT, niu=None)
    assert dossier.sought == (NIU,)
    for text in (NIU, "12 34 56 78 90", "1234-567-890", "123456"):
        assert found(world, text) == [dossier.number], text
    assert found(world, "34567890") == []
    assert not fsck(world.office)


def test_a_corrected_identifier_replaces_the_former(world: World) -> None:
    agent = world.agent("k", "dgdn/controleur")
    dossier = world.take(
        world.sent(PASSPORT, niu=NIU), agent, "faire_corriger", reason="Faux numéro", correction={"niu": "Faux"}
    )
    changed = sent_back(world, saved(world, dossier, niu="9876543210"))
    assert changed.sought == ("9876543210",)
    assert found(world, NIU) == []
    assert found(world, "9876543210") == [dossier.number]
    assert not fsck(world.office)


def test_an_erased_dossier_is_found_by_nothing(world: World) -> None:
    dossier = world.sent(PASSPORT, niu=NIU)
    procedure = world.office.catalogue.procedures[PASSPORT]
    gone = forgotten(procedure, dossier, world.office.now(), world.office.day())
    with world.office.store.unit(write=True) as unit:
        unit.put_dossier(replace(gone, revision=dossier.revision + 1), dossier.revision)
    assert found(world, NIU) == []


def test_a_sensitive_identifier_is_no_word(world: World) -> None:
    dossier, procedure = world.sent(PASSPORT, niu=NIU), world.office.catalogue.procedures[PASSPORT]
    assert _identifiers(procedure, dossier) == (NIU,)
    data = replace(procedure.personal_data, sensitive=MappingProxyType({"niu": Sensitive(("controleur",))}))
    assert _identifiers(replace(procedure, personal_data=data), dossier) == ()


def test_a_dossier_is_found_by_the_number_on_a_paper_by_those_who_see_it(world: World) -> None:
    dossier = world.paid(world.take(world.sent(PASSPORT), world.agent("k", "dgdn/controleur"), "conforme"))
    (payment,) = world.read(lambda unit: unit.payments_of(dossier.id))
    agent, other = world.agent("k", "dgdn/controleur"), world.agent("o", "sncja/greffier_en_chef")
    for text in (payment.receipt, payment.receipt.lower(), f" {payment.reference} "):
        assert number_on_paper(world.office, agent, text) == dossier.number, text
        assert number_on_paper(world.office, other, text) == ""
    assert number_on_paper(world.office, world.auditor(), payment.receipt) == ""
    for text in ("AMEGAN", dossier.number, "90 11 22 33"):  # names and other numbers count no try
        assert [number_on_paper(world.office, agent, text) for _ in range(LOOKED_UP)] == [""] * LOOKED_UP
    for n in range(LOOKED_UP - 3):
        assert number_on_paper(world.office, agent, f"Q-2026-9{n}") == ""
    with pytest.raises(Refused) as closed:
        number_on_paper(world.office, agent, payment.receipt)
    assert closed.value.reason.code == "too_many_tries"
