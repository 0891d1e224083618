"""Money paid twice, from the citizen's page to the agent who pays it back, and to the citizen's page again."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.records.refunds import Refund
from engine.services.audit.integrity import fsck
from renderers.i18n.formats import FIXED_SPACE
from tests.web.citizen.test_messages import as_an_agent, the_dossier
from tests.web.client import PortalClient, a_portal_client, later

pytestmark = pytest.mark.slow  # a whole site and its people for each test

REFERENCE = "OM-2026-4471"
LIST = "/agent/remboursements"


@pytest.fixture
def owing(tmp_path: Path) -> tuple[PortalClient, str]:
    """Somebody whose operator took the money twice, and the number of their dossier."""
    visitor = a_portal_client(tmp_path).sign_in()
    number = visitor.sent()
    visitor.decide(number, "accorder")
    visitor.send(f"/dossiers/{number}/paiement", provider="argent", payer="90000006")
    return visitor, number


def paying(visitor: PortalClient, number: str) -> str:
    """Where the payment of a dossier is read."""
    dossier = the_dossier(visitor, number)
    with visitor.office.store.unit() as unit:
        (payment,) = unit.payments_of(dossier.id)
    return f"/dossiers/{number}/paiement/{payment.id}"


def place(visitor: PortalClient, number: str) -> str:
    """Where it is said that a dossier's money was paid back."""
    return f"/agent/dossiers/{number}/remboursements/{the_refund(visitor, number).entry}"


def the_refund(visitor: PortalClient, number: str) -> Refund:
    dossier = the_dossier(visitor, number)
    with visitor.office.store.unit() as unit:
        (refund,) = unit.refunds_of(dossier.id)
    return refund


def test_what_was_paid_twice_is_paid_back_and_the_citizen_reads_when(owing: tuple[PortalClient, str]) -> None:
    visitor, number = owing
    assert "sera remboursée sous 5 jours ouvrés, au plus tard le" in visitor.open(paying(visitor, number)).text
    desk, there = as_an_agent(visitor), place(visitor, number)
    assert "Des sommes sont à rembourser" in desk.open("/agent").text
    assert "90 00 00 06" in desk.open(LIST).text.replace(FIXED_SPACE, " ")
    assert there in desk.page.html
    shown = desk.open(f"/agent/dossiers/{number}")
    assert "à rembourser avant le" in shown.text
    assert there in shown.html

    desk.open(there)
    desk.send(there, reference=f" {REFERENCE} ")
    assert desk.page.status == 200
    assert "Vérifiez avant de confirmer" in desk.page.text, "nothing is kept before"
    assert desk.open(LIST).html.count(there) == 1
    desk.open(there)
    desk.send(there, reference=REFERENCE, go="confirm")
    assert desk.page.status == 303
    assert "Le remboursement est noté" in desk.follow().text
    assert f"référence {REFERENCE}" in desk.page.text
    assert "Somme remboursée" in desk.page.text, "the history tells it"
    assert "Rien à rembourser" in desk.open(LIST).text
    assert "Des sommes sont à rembourser" not in desk.open("/agent").text
    assert "déjà remboursée" in desk.open(there).text
    desk.send(there, reference="AUTRE-1", go="confirm")
    assert "déjà remboursée" in desk.page.text
    assert the_refund(visitor, number).reference == REFERENCE

    read = visitor.open(paying(visitor, number)).text
    assert f"référence {REFERENCE}" in read
    assert "Remboursé le" in read
    assert "sera remboursée" not in read
    assert f"référence {REFERENCE}" in visitor.open(f"/dossiers/{number}").text
    with visitor.office.store.unit() as unit:
        (told,) = [one for one in unit.letters_to("+22890000006", 100) if "Rembours" in one.body]
    assert REFERENCE in told.body
    assert fsck(visitor.office) == ()


def test_without_a_reference_nothing_is_noted(owing: tuple[PortalClient, str]) -> None:
    visitor, number = owing
    desk, there = as_an_agent(visitor), place(visitor, number)
    desk.open(there)
    desk.send(there, reference=" ", go="confirm")
    assert desk.page.status == 422
    assert "Écrivez la référence du remboursement" in desk.page.text
    assert desk.open(f"/agent/dossiers/{number}/remboursements/99999").status == 404
    assert the_refund(visitor, number).paid_at is None


def test_what_is_late_says_so(owing: tuple[PortalClient, str]) -> None:
    visitor, number = owing
    later(visitor, days=20)
    desk = as_an_agent(visitor)
    assert "En retard" in desk.open(LIST).text
    assert "En retard" in desk.open(f"/agent/dossiers/{number}").text
