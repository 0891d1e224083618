"""Paying on an operator's own page: the link is shown while it is waited for, and coming back proves nothing."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from engine.integrations.cinetpay import CinetPay
from engine.integrations.http_client import HttpClient
from engine.integrations.payment_provider import PaymentProvider
from engine.records.dossier import Payment
from tests.engine.integrations.local_operators import LocalCinetPay, serving
from tests.web.client import PortalClient, a_portal_client, another
from tests.worker import work_off

pytestmark = pytest.mark.slow  # a whole site for each test


def with_cards(visitor: PortalClient, operator: LocalCinetPay) -> PortalClient:
    """The same portal with an operator that has a page of its own."""
    here = "http://localhost/retours/carte"
    wire = HttpClient(operator.address, seconds=2.0)
    providers = cast(dict[str, PaymentProvider], visitor.office.providers)
    providers["carte"] = CinetPay(
        "carte", "Carte", wire, "key", "site", "secret", here, f"{here}/payeur", visitor.clock
    )  # fmt: skip
    return visitor


def the_payment(visitor: PortalClient, number: str) -> Payment:
    with visitor.office.store.unit() as unit:
        dossier = unit.dossier_numbered(number)
        assert dossier is not None
        return unit.payments_of(dossier.id)[-1]


def test_the_payer_goes_to_the_operators_page_and_comes_back(tmp_path: Path) -> None:
    with serving(LocalCinetPay()) as operator:
        visitor = with_cards(a_portal_client(tmp_path), operator).sign_in()
        number = visitor.sent()
        visitor.decide(number, "accorder")
        visitor.send(f"/dossiers/{number}/paiement", provider="carte", payer="90112233")
        waiting = visitor.page.address
        payment = the_payment(visitor, number)
        visitor.follow()
        assert f'href="https://checkout.example/{payment.reference}"' in visitor.page.html
        assert "Ouvrir la page de paiement" in visitor.page.text
        assert "Tapez votre code secret" not in visitor.page.text

        back = operator.asked[0][2]["return_url"].removeprefix("http://localhost")
        told = visitor.open(back)
        assert told.status == 200
        assert "Nous ne savons pas encore" in told.text
        assert waiting in told.html
        assert visitor.post(back, token="x").address == back, "sent back by a form of theirs"

        operator.end(payment.reference, "ACCEPTED")
        assert "Nous ne savons pas encore" in visitor.open(back).text, "the address alone asks and credits nothing"
        headers, body = operator.callback(payment.reference, "secret")
        answer = visitor.client.post(
            "/retours/carte", data=body, headers=headers, content_type="application/x-www-form-urlencoded"
        )
        assert answer.status_code == 200
        work_off(visitor.office)
        assert "Votre paiement est reçu." in visitor.open(back).text
        visitor.open(waiting)
        assert "Paiement reçu" in visitor.follow().text


def test_a_stranger_learns_nothing_from_the_return_address(tmp_path: Path) -> None:
    with serving(LocalCinetPay()) as operator:
        visitor = with_cards(a_portal_client(tmp_path), operator).sign_in()
        number = visitor.sent()
        visitor.decide(number, "accorder")
        visitor.send(f"/dossiers/{number}/paiement", provider="carte", payer="90112233")
        reference = the_payment(visitor, number).reference
        for who in (another(visitor), another(visitor).sign_in("91223344")):
            told = who.open(f"/retours/carte/payeur?paiement={reference}")
            assert told.status == 200
            assert "5 000" not in told.text
            assert number not in told.html
        assert who.open("/retours/carte").status == 200, "the operator looks whether we are there"
        assert who.open("/retours/inconnu/payeur").status == 404


@pytest.mark.parametrize("page", ["javascript:alert(1)", "http://pay.example", 'https://pay.example/"onclick=x', ""])
def test_only_a_whole_https_address_becomes_a_link(tmp_path: Path, page: str) -> None:
    class Odd(LocalCinetPay):
        def answer(self, method: str, path: str, body: object) -> tuple[int, object]:
            return 201, {"code": "201", "data": {"payment_url": page}}

    with serving(Odd()) as operator:
        visitor = with_cards(a_portal_client(tmp_path), operator).sign_in()
        number = visitor.sent()
        visitor.decide(number, "accorder")
        visitor.send(f"/dossiers/{number}/paiement", provider="carte", payer="90112233")
        assert not the_payment(visitor, number).page
        assert "Ouvrir la page" not in visitor.follow().text


def test_where_no_operator_is_declared_nobody_is_asked_to_choose_one(tmp_path: Path) -> None:
    visitor = a_portal_client(tmp_path).sign_in()
    number = visitor.sent()
    visitor.decide(number, "accorder")
    form = visitor.open(f"/dossiers/{number}/paiement").form()
    cast(dict[str, PaymentProvider], visitor.office.providers).clear()
    page = visitor.open(f"/dossiers/{number}/paiement")
    assert "Le paiement en ligne n’est pas ouvert" in page.text
    assert "Avec quel compte" not in page.text
    assert f'href="/dossiers/{number}"' in page.html
    sent = visitor.post(f"/dossiers/{number}/paiement", **{**form, "provider": "argent", "payer": "90112233"})
    assert (sent.status, "n’est pas ouvert" in sent.text, "à corriger" in sent.text) == (200, True, False)
