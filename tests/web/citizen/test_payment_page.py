"""The page that follows a payment: its stages from the record, when it looks again, how it is stopped, what it never does."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from engine.records.dossier import Payment
from engine.services.core.call_queue import beat
from engine.services.sign_in import sessions
from renderers.web.shared.payment_methods import following
from tests.makers import a_procedure
from tests.web.citizen.test_later_forms import serving
from tests.web.client import NOON, PortalClient, a_portal_client
from tests.worker import work_off

PAYMENT = Payment(
    "p", "r", "d", ("place",), 5000, "argent", "mobile_money", "+22890112233", "pending", NOON, NOON + timedelta(minutes=10)
)  # fmt: skip
PLACED = replace(PAYMENT, provider_ref="T1", checked_at=NOON)


@pytest.mark.parametrize(
    ("payment", "seconds", "mark", "again"),
    [
        (PAYMENT, 0, "asking", 2), (PAYMENT, 5.9, "asking", 2), (PAYMENT, 6, "asking", 4), (PAYMENT, 10, "slow", 4),
        (replace(PAYMENT, reason="placing", checked_at=NOON), 29, "slow", 8), (PAYMENT, 30, "slow", 15),
        (PLACED, 0, "confirm-10", 2), (PLACED, 13.9, "confirm-10", 4), (PLACED, 14, "confirm-10", 8), (PLACED, 61, "confirm-9", 15),
        (PLACED, 599, "confirm-1", 15), (PLACED, 700, "confirm-1", 15),
        (replace(PLACED, page="https://x.tg/p"), 0, "page-10", 15),
    ],
)  # fmt: skip
def test_the_age_of_the_payment_says_when_to_look_again(
    payment: Payment, seconds: float, mark: str, again: int
) -> None:
    now = following(payment, NOON + timedelta(seconds=seconds))
    assert (now.mark, now.again) == (mark, again)


@pytest.fixture
def visitor(tmp_path: Path) -> PortalClient:
    return a_portal_client(tmp_path).sign_in()


def paying(visitor: PortalClient, payer: str = "91223344") -> str:
    """The address of the page that follows; the order waits until the worker takes it."""
    number = visitor.sent()
    visitor.decide(number, "accorder")
    form = visitor.open(f"/dossiers/{number}/paiement").form()
    visitor.client.post(f"/dossiers/{number}/paiement", data={**form, "provider": "argent", "payer": payer})
    return f"/dossiers/{number}/paiement/{the_payment(visitor, number).id}"


def the_payment(visitor: PortalClient, number: str) -> Payment:
    dossier = visitor.dossier_id(number)
    with visitor.office.store.unit() as unit:
        (payment,) = unit.payments_of(dossier)
        return payment


def refresh(html: str) -> str:
    found = re.search(r'<noscript><meta http-equiv="refresh" content="(\d+);url=[^"#?]+"></noscript>', html)
    return found[1] if found else ""


def test_it_says_at_once_what_is_being_done_then_what_to_do(visitor: PortalClient) -> None:
    at = paying(visitor)
    page = visitor.open(at)
    assert "Nous demandons le paiement à Argent mobile…" in page.text
    assert "Ne payez pas une deuxième fois." in page.text
    assert refresh(page.html) == "2"
    visitor.clock.advance(timedelta(seconds=11))
    slow = visitor.open(at)
    assert "Argent mobile est lent à répondre. Attendez encore." in slow.text
    work_off(visitor.office)
    placed = visitor.open(at)
    assert "Tapez votre code sur votre téléphone" in placed.text
    assert "Vous avez jusqu’à 12 h 10. Il reste 10 minutes." in placed.text
    assert refresh(placed.html) == "4"
    assert len(placed.response.data) < 8_000


def test_who_withdrew_is_asked_to_confirm_no_payment(visitor: PortalClient) -> None:
    at = paying(visitor)
    work_off(visitor.office)
    dossier = visitor.dossier_id(at.split("/")[2])
    with visitor.office.store.unit(write=True) as unit:
        kept = unit.dossier(dossier)
        assert kept is not None
        closed = replace(kept, closed_at=visitor.office.now(), revision=kept.revision + 1)
        unit.put_dossier(closed, kept.revision)
    page = visitor.open(at).text
    assert "Votre demande est close. Ne confirmez pas ce paiement." in page
    assert "Tapez votre code" not in page


def test_it_can_be_stopped(visitor: PortalClient) -> None:
    at = paying(visitor)
    assert f'href="{at}?pause=1"' in visitor.open(at).html
    stopped = visitor.open(f"{at}?pause=1")
    assert not refresh(stopped.html)
    assert "data-poll" not in stopped.html
    assert f'href="{at}"' in stopped.html


def test_looking_keeps_no_session_alive(visitor: PortalClient) -> None:
    at = paying(visitor)
    for _ in range(15):
        visitor.clock.advance(timedelta(minutes=2))
        visitor.client.get(at)
        visitor.client.get(f"{at}.json")
    assert visitor.open(at).status == 303, "to the door"


def test_a_page_that_a_person_asks_for_does(visitor: PortalClient) -> None:
    at = paying(visitor)
    for _ in range(15):
        visitor.clock.advance(sessions.TOUCH_EVERY * 2)
        visitor.client.get("/dossiers")
    assert visitor.open(at).status == 200


def test_reloads_and_a_second_form_begin_nothing_else(visitor: PortalClient) -> None:
    number = visitor.sent()
    visitor.decide(number, "accorder")
    address = f"/dossiers/{number}/paiement"
    form = {**visitor.open(address).form(), "provider": "argent", "payer": "91223344"}
    at = visitor.post(address, **form).address
    assert visitor.post(address, **form).address == at, "a double click"
    assert visitor.post(address, **{**form, "token": "of another window"}).address == at
    for _ in range(3):
        assert visitor.open(at).status == 200
    assert visitor.open(address).address == at, "back"
    assert at.endswith(the_payment(visitor, number).id)
    assert len(visitor.operator.pending_orders()) == 1


def test_without_a_worker_nothing_is_begun_and_that_is_said(visitor: PortalClient) -> None:
    office = replace(visitor.office, settings=replace(visitor.office.settings, expects_worker=True))
    site = visitor.client.application.extensions["guichet"]
    visitor.client.application.extensions["guichet"] = replace(site, office=office)
    number = visitor.sent()
    visitor.decide(number, "accorder")
    address = f"/dossiers/{number}/paiement"
    assert visitor.send(address, provider="argent", payer="91223344").status == 303
    told = visitor.follow()
    assert told.status == 200
    assert "Le paiement est fermé pour le moment. Nous n’avons rien demandé." in told.text
    assert "fermé" not in visitor.open(address).text, "said once"
    dossier = visitor.dossier_id(number)
    with office.store.unit() as unit:
        assert unit.payments_of(dossier) == ()
    beat(office)
    visitor.send(address, provider="argent", payer="91223344")
    assert "Tapez votre code" in visitor.follow().text


# -- answers corrected after the payment -------------------------------------------------------------------------------

COPIES = """
title: Copies
summary: Demander des copies.
form:
  copies:
    title: Les copies
    fields:
      copies: {label: Nombre de copies, type: integer, minimum: 1, maximum: 9, example: 1}
fees:
  place: {label: Copies, amount: 500, times: copies}
workflow:
  start: a_payer
  states:
    a_payer: {label: À payer, pay: place, due: 20 days, then: examen, late: classe}
    examen:
      label: Examen
      by: maire
      due: 5 working days
      transitions:
        corriger: {label: Faire corriger, to: a_corriger, asks: [correction, reason]}
        accorder: {label: Accorder, to: accorde}
    a_corriger: {label: À corriger, correct: requested, due: 20 days, then: examen, late: classe}
    accorde: {label: Accordé, end: granted}
    classe: {label: Classé, end: abandoned}
"""


def test_a_dearer_correction_is_paid_before_it_is_sent(tmp_path: Path) -> None:
    me = serving(tmp_path, a_procedure(COPIES)).sign_in()
    number = me.begin()
    me.send(f"/dossiers/{number}/demande/copies", copies="1", go="next")
    me.send(f"/dossiers/{number}/verification", declared="1")
    me.send(f"/dossiers/{number}/paiement", payer="90000001")
    work_off(me.office)
    me.decide(number, "corriger", reason="Combien ?", correction={"copies": "Combien ?"})
    at = f"/dossiers/{number}/corrections"
    me.send(at, copies="9", go="save")
    me.send(at, go="send")
    unsent = me.follow()
    assert "Vos corrections augmentent le prix. Payez la différence, puis renvoyez votre dossier." in unsent.text
    assert "Payer 4 000 FCFA" in unsent.text
    assert "Nous attendons 1 chose de vous" in unsent.text
    me.send(f"/dossiers/{number}/paiement", payer="90000001")
    work_off(me.office)
    me.send(at, go="send")
    assert "Vos corrections sont envoyées." in me.follow().text
