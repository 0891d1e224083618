"""A foreigner with no number of Togo asks for a visa in English, signs in by e-mail and pays by card, in a real browser: on a
small screen without scripts, on a wide one with them."""

from __future__ import annotations

import re

import pytest

from tests.web.browser_person import DESK, PHONE
from tests.web.citizen.test_english import Reader, apply
from tests.web.conftest import Enter
from tests.web.page_language import FRENCH
from tests.web.portal import Portal, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

EMAIL = "a.lee@example.org"
HOLDER = {
    "holder-name": "Anna Lee", "holder-email": EMAIL, "holder-address": "1 Main Street", "holder-city": "Sydney",
    "holder-country": "AU",
}  # fmt: skip


@pytest.mark.parametrize(
    ("scripts", "screen"),
    [(False, PHONE), pytest.param(True, DESK, marks=pytest.mark.nightly("journey"))],
    ids=["no-js-360", "js-1280"],
)
def test_a_visa_is_paid_by_card(enter: Enter, portal: Portal, scripts: bool, screen: dict[str, int]) -> None:
    reader = Reader(enter("form", scripts=False, looks=False))  # the form with scripts is walked elsewhere
    number = apply(reader, portal, sign_in_by_mail)
    if scripts:  # on another device
        reader = Reader(enter("foreigner", screen, scripts=True))
        reader.go("/connexion?lang=en")
        sign_in_by_mail(reader, portal)
    assert portal.dossier(number).contact_phone is None
    refused_by_the_bank(reader, portal, number)
    pay_by_card(reader, portal, number)
    told = portal.messages(EMAIL)
    assert any("135,000 FCFA" in one and "Receipt" in one for one in told), told
    reader.french += [one for one in told if FRENCH.search(one)]
    the_link_opens_in_english(enter, portal, told)
    check_receipt(reader, portal, number)
    assert reader.french == []
    assert reader.me.faults == []


def the_link_opens_in_english(enter: Enter, portal: Portal, told: list[str]) -> None:
    """In a browser that never came here: the e-mail way first, then the dossier."""
    [link] = {found[0] for one in told if (found := re.search(r"http\S+/d/\d+\S*", one))}
    elsewhere = Reader(enter("stranger", scripts=False, looks=False))
    elsewhere.go(link)
    assert elsewhere.me.sees("What is your e-mail address?")
    sign_in_by_mail(elsewhere, portal, asked=True)
    assert elsewhere.me.page.url.startswith(f"{portal.url}/dossiers/")
    assert elsewhere.french == []


def sign_in_by_mail(reader: Reader, portal: Portal, asked: bool = False) -> None:
    me = reader.me
    if not asked:
        reader.press("Sign in by e-mail")
    me.fill(email=EMAIL)
    before = len(portal.messages(EMAIL))
    reader.press("Get the link")
    wait_until(lambda: len(portal.messages(EMAIL)) > before)
    links = [found[0] for one in portal.messages(EMAIL) if (found := re.search(r"/connexion/lien/[\w-]+", one))]
    reader.go(links[0])
    me.page.locator("main form button").first.click()
    me.page.wait_for_load_state("load")
    me.arrived()


def to_the_card_page(reader: Reader, portal: Portal, number: str) -> None:
    me = reader.me
    reader.go(f"/dossiers/{number}/paiement")
    me.fill(provider="card")
    assert me.sees("Your card is typed on the operator’s page, never here.")
    reader.press("Pay 135,000 FCFA")
    assert me.sees("Pay by card")
    me.fill(**HOLDER)
    reader.press("Continue")
    page, _, _ = me.page.url.removeprefix(me.url).partition("#")  # the same address with a fragment is not read again
    wait_until(lambda: payment_of(portal, number).page)
    reader.go(page)
    assert me.sees("Continue with")
    assert not me.sees("PIN")
    me.page.locator('main a[href^="/_operateur/carte/"]').click()
    me.page.wait_for_load_state("load")
    me.arrived()
    assert me.sees("135,000 FCFA")


def refused_by_the_bank(reader: Reader, portal: Portal, number: str) -> None:
    to_the_card_page(reader, portal, number)
    reader.press("3-D Secure")
    wait_until(lambda: payment_of(portal, number).status == "failed")
    reader.go(f"/dossiers/{number}/paiement/{payment_of(portal, number).id}")
    assert reader.me.sees("Your bank did not confirm that it was you. Nothing was taken.")


def pay_by_card(reader: Reader, portal: Portal, number: str) -> None:
    to_the_card_page(reader, portal, number)
    reader.press("Pay")
    assert reader.me.sees("135,000 FCFA")
    wait_until(lambda: payment_of(portal, number).status == "paid")
    payment = payment_of(portal, number)
    assert (payment.method, payment.payer) == ("card", "")
    reader.go(f"/dossiers/{number}/paiement/{payment.id}")
    reader.go(f"/dossiers/{number}")
    assert portal.dossier(number).state == "instruction"


def check_receipt(reader: Reader, portal: Portal, number: str) -> None:
    payment = payment_of(portal, number)
    said = reader.pdf(f"/dossiers/{number}/recu/{payment.id}.pdf")
    assert "One hundred and thirty-five thousand" in said
    assert str(payment.receipt) in said
    reader.go("/v")
    reader.me.fill(quittance=str(payment.receipt), dossier=number)
    reader.press("Check the receipt")
    assert reader.me.sees("Genuine receipt")


def payment_of(portal: Portal, number: str):  # type: ignore[no-untyped-def]
    dossier = portal.dossier(number)
    with portal.office.store.unit() as unit:
        return unit.payments_of(dossier.id)[-1]
