"""Paying by card in a whole site: what is offered, what is asked, the operator's own page and its endings, whose a number seems."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import cast

import pytest

from engine.integrations.cinetpay import CinetPay
from engine.integrations.http_client import HttpClient
from engine.integrations.payment_provider import CURRENCY, PaymentOrder, PaymentProvider, ProviderStatus, Started
from engine.integrations.simulated_operator import SandboxCard, SandboxProvider
from engine.records.dossier import Payment
from tests.web.client import STALL, PortalClient, Seen, a_portal_client, another, later
from tests.worker import work_off

pytestmark = pytest.mark.slow  # a whole site for each test

HOLDER = {
    "holder-name": "Anna Lee", "holder-email": "a.lee@example.org", "holder-address": "1 Main Street", "holder-city": "Paris",
    "holder-country": "FR",
}  # fmt: skip


class Elsewhere(SandboxCard):
    """The same page at an address of its own, as a real operator's."""

    def start(self, order: PaymentOrder) -> Started:
        started = super().start(order)
        return replace(started, page=f"https://op.example{started.page}")


class NeverOver(Elsewhere):
    """An operator that says of an order that was left that it still waits for its payer."""

    def status(self, reference: str, provider_ref: str | None) -> ProviderStatus:
        return ProviderStatus("pending", None, CURRENCY, reference)


def at_the_stall(folder: Path, methods: str = "mobile_money, card", amount: int = 5000) -> tuple[PortalClient, str]:
    """A stall to pay so, and three providers: two wallets whose numbers are known apart, and a card."""
    priced = f"amount: {amount}, methods: [{methods}]}}"
    visitor = a_portal_client(folder, STALL.replace("amount: 5000}", priced), demo=True).sign_in()
    providers = cast(dict[str, PaymentProvider], visitor.office.providers)
    providers["argent"] = SandboxProvider(visitor.operator, "argent", "Mixx", prefixes=("90", "91"))
    providers["flooz"] = SandboxProvider(visitor.operator, "flooz", "Flooz", prefixes=("79", "99"))
    providers["carte"] = Elsewhere(visitor.operator, "carte", "Carte bancaire")
    number = visitor.sent()
    visitor.decide(number, "accorder")
    return visitor, number


def payments(visitor: PortalClient, number: str) -> tuple[Payment, ...]:
    dossier = visitor.dossier_id(number)
    with visitor.office.store.unit() as unit:
        return unit.payments_of(dossier)


def go_on(visitor: PortalClient, address: str, **typed: str) -> Seen:
    """The form of the page one is on, sent with what was typed."""
    return visitor.post(address, **{**visitor.page.form(), **typed})


@pytest.mark.parametrize(
    ("methods", "offered"),
    [("mobile_money", "Mixx Flooz"), ("card", "Carte"), ("mobile_money, card", "Mixx Flooz Carte"), ("cash", "")],
)
def test_only_what_a_fee_takes_is_offered(tmp_path: Path, methods: str, offered: str) -> None:
    visitor, number = at_the_stall(tmp_path, methods)
    told = visitor.open(f"/dossiers/{number}/paiement")
    for label in ("Mixx", "Flooz", "Carte bancaire"):
        assert (f">{label}</label>" in told.html) is (label.split()[0] in offered.split()), label
    assert ('name="payer"' in told.html) is ("mobile" in methods), "no telephone is asked for a card"
    assert ("Votre carte se tape sur la page de l’opérateur, jamais ici." in told.text) is ("card" in methods)
    if not offered:
        assert "Ces frais se paient par espèces au guichet." in told.text
    for provider in ("argent", "carte"):
        if {"argent": "Mixx", "carte": "Carte"}[provider] not in offered:
            visitor.post(f"/dossiers/{number}/paiement", provider=provider, payer="90112233", asked="1", **HOLDER)
    assert payments(visitor, number) == ()


def test_a_wallet_of_one_country_refuses_a_number_of_another_and_what_suits_comes_first(tmp_path: Path) -> None:
    visitor, number = at_the_stall(tmp_path)
    address = f"/dossiers/{number}/paiement"
    providers = cast(dict[str, PaymentProvider], visitor.office.providers)
    for name in ("argent", "flooz"):
        cast(SandboxProvider, providers[name]).countries = ("TG",)
    told = visitor.open(address)
    assert re.findall(r'name="provider" value="(\w+)"', told.html) == ["argent", "flooz", "carte"]
    assert told.value("payer") == "90 11 22 33"
    refused = visitor.send(address, provider="argent", payer="+33 6 12 34 56 78")
    assert refused.status == 422
    assert "Mixx demande un numéro qui commence par +228, par exemple +228 90 11 23 45." in refused.text
    assert refused.value("payer") == "+33 6 12 34 56 78"
    assert payments(visitor, number) == ()
    dossier_id = visitor.dossier_id(number)
    with visitor.office.store.unit(write=True) as unit:
        dossier = unit.dossier(dossier_id)
        assert dossier is not None
        moved = replace(dossier, contact_phone="+33612345678", revision=dossier.revision + 1)
        unit.put_dossier(moved, dossier.revision)
    told = visitor.open(address)
    assert re.findall(r'name="provider" value="(\w+)"', told.html) == ["carte", "argent", "flooz"]
    assert told.value("payer") == ""
    assert "Aucun de ces moyens" not in told.text
    del providers["carte"]
    assert "Aucun de ces moyens ne prend votre numéro." in visitor.open(address).text


def test_a_card_is_paid_on_the_operators_page(tmp_path: Path) -> None:
    visitor, number = at_the_stall(tmp_path)
    address = f"/dossiers/{number}/paiement"
    asked = visitor.send(address, provider="carte", payer="")
    assert asked.status == 200
    assert "Payer par carte" in asked.text
    assert "Nous les lui envoyons, puis nous les effaçons." in asked.text
    assert "novalidate" not in asked.html.split("<form")[1].split(">")[0], (
        "its answers are never stored: the browser asks first"
    )
    assert re.findall(r'name="holder-(\w+)"[^>]*\brequired\b', asked.html) == [
        "name",
        "email",
        "address",
        "city",
        "country",
    ]
    wrong = go_on(visitor, address, **{**HOLDER, "holder-email": "a.lee", "holder-city": ""})
    assert wrong.status == 422
    assert "L’adresse e-mail doit ressembler à" in wrong.text
    assert wrong.value("holder-name") == "Anna Lee", "nothing is typed twice"
    assert payments(visitor, number) == ()
    sent = go_on(visitor, address, **HOLDER)
    assert sent.status == 303, sent.text
    [payment] = payments(visitor, number)
    assert (payment.method, payment.payer, payment.provider) == ("card", "", "carte")
    told = visitor.open(f"{address}/{payment.id}")
    assert f'href="https://op.example/_operateur/carte/{payment.reference}"' in told.html
    assert "code secret" not in told.text.partition("Toutes les démarches")[0]
    page = visitor.open(f"/_operateur/carte/{payment.reference}")
    assert "5 000 FCFA" in page.text
    assert not re.search(r'<input(?![^>]*type="hidden")', page.html.split("<main")[1].split("</main")[0]), (
        "asks no card number"
    )
    back = visitor.send(f"/_operateur/carte/{payment.reference}", do="paid")
    assert back.response.headers["Location"] == f"/retours/carte/payeur?paiement={payment.reference}"
    assert "5 000 FCFA" in visitor.follow().text
    visitor.open(f"{address}/{payment.id}")
    end = visitor.open(f"{address}/{payment.id}").text
    assert "Payé avec" in end
    assert "Carte bancaire" in end
    assert "Numéro qui a payé" not in end
    printed = visitor.open(f"/dossiers/{number}/recu/{payment.id}.pdf").response.data
    assert printed.startswith(b"%PDF")


@pytest.mark.parametrize(
    ("ending", "said"),
    [
        ("three_d_secure", "Votre banque n’a pas confirmé que c’est vous. Rien n’a été débité."),
        ("declined", "Votre banque a refusé la carte. Rien n’a été débité."),
        ("cancelled", "Vous avez annulé sur la page de Carte bancaire. Rien n’a été débité."),
        ("expired", "Le paiement n’a pas été terminé à temps."),
        ("silent", "Ne payez pas une deuxième fois."),
        ("", "Continuez chez Carte bancaire"),
    ],
)
def test_each_ending_says_what_became_of_the_money(tmp_path: Path, ending: str, said: str) -> None:
    visitor, number = at_the_stall(tmp_path)
    address = f"/dossiers/{number}/paiement"
    visitor.send(address, provider="carte")
    go_on(visitor, address, **HOLDER)
    [payment] = payments(visitor, number)
    if ending:
        visitor.send(f"/_operateur/carte/{payment.reference}", do=ending)
    later(visitor, seconds=30)
    work_off(visitor.office)
    assert said in visitor.open(f"{address}/{payment.id}").text
    back = visitor.open(f"/retours/carte/payeur?paiement={payment.reference}").text
    failed = ending in ("three_d_secure", "declined", "cancelled", "expired")
    assert ("Ce paiement n’a pas abouti. Rien n’a été débité." in back) is failed, "the first page that is read"


def test_a_card_page_that_was_left_is_found_again_while_no_other_payment_may_begin(tmp_path: Path) -> None:
    visitor, number = at_the_stall(tmp_path)
    cast(dict[str, PaymentProvider], visitor.office.providers)["carte"] = NeverOver(visitor.operator, "carte", "Carte")
    address = f"/dossiers/{number}/paiement"
    visitor.send(address, provider="carte")
    go_on(visitor, address, **HOLDER)
    [payment] = payments(visitor, number)
    there = f'href="https://op.example/_operateur/carte/{payment.reference}" rel="noreferrer"'
    assert there in visitor.open(f"{address}/{payment.id}").html
    later(visitor, minutes=40)
    work_off(visitor.office)
    [payment] = payments(visitor, number)
    assert payment.status == "unknown"
    told = visitor.sign_in().open(f"{address}/{payment.id}")
    assert there in told.html
    assert "Vous n’aviez pas fini de payer ? Continuez sur la page de Carte." in told.text
    assert "Sinon, continuez sur la page de l’opérateur." in visitor.open(f"/dossiers/{number}").text
    visitor.open(address)
    assert there in visitor.follow().html, "whoever wants to pay is sent to the page that may still be used"
    later(visitor, hours=24)
    visitor.sign_in()
    assert "op.example" not in visitor.open(f"{address}/{payment.id}").html, "another payment may begin"


def test_nobody_else_finds_a_card_page(tmp_path: Path) -> None:
    visitor, number = at_the_stall(tmp_path)
    visitor.send(f"/dossiers/{number}/paiement", provider="flooz", payer="79112233")
    [payment] = payments(visitor, number)
    for reference in (payment.reference, "x" * 22, "%00"):
        assert visitor.open(f"/_operateur/carte/{reference}").status == 404
    assert another(visitor).open("/_operateur").status == 200


def test_a_number_that_seems_elsewhere_is_asked_about_and_never_refused(tmp_path: Path) -> None:
    visitor, number = at_the_stall(tmp_path)
    address = f"/dossiers/{number}/paiement"
    told = visitor.send(address, provider="argent", payer="79 11 22 33")
    assert told.status == 200
    assert "Ce numéro semble être chez Flooz. Vous avez choisi Mixx." in told.text
    assert payments(visitor, number) == ()
    sent = go_on(visitor, address)  # the same again
    assert sent.status == 303, sent.text
    assert payments(visitor, number)[0].provider == "argent"


@pytest.mark.parametrize(
    ("provider", "payer", "asked"),
    [
        ("argent", "90112233", False), ("argent", "99112233", True), ("argent", "70112233", False), ("flooz", "90112233", True),
        ("argent", "+33612345678", False),
    ],
)  # fmt: skip
def test_only_a_number_of_another_wallet_of_ours_is_asked_about(
    tmp_path: Path, provider: str, payer: str, asked: bool
) -> None:
    visitor, number = at_the_stall(tmp_path)
    told = visitor.send(f"/dossiers/{number}/paiement", provider=provider, payer=payer)
    assert ("semble être chez" in told.text) is asked
    assert (len(payments(visitor, number)) == 1) is not asked


def test_a_sum_that_an_operator_does_not_take_is_said_before_anything_begins(tmp_path: Path) -> None:
    visitor, number = at_the_stall(tmp_path, amount=5002)
    providers = cast(dict[str, PaymentProvider], visitor.office.providers)
    wire = HttpClient("http://127.0.0.1:9")  # nobody is there: nothing is asked
    providers["cinet"] = CinetPay("cinet", "CinetPay", wire, "k", "s", "x", "n", "b", visitor.clock)
    told = visitor.send(f"/dossiers/{number}/paiement", provider="cinet", payer="70112233")
    assert told.status == 422
    assert "CinetPay ne prend pas cette somme : un multiple de 5 F, 100 F au moins." in told.text
    assert payments(visitor, number) == ()


def test_each_line_left_empty_is_named_in_its_error(tmp_path: Path) -> None:
    visitor, number = at_the_stall(tmp_path)
    address = f"/dossiers/{number}/paiement"
    visitor.send(address, provider="carte", payer="")
    wrong = go_on(visitor, address, **dict.fromkeys(HOLDER, ""))
    said = re.findall(r'<li><a href="#holder-[a-z]+">([^<]+)</a>', wrong.html)
    assert len(said) == len(set(said)) >= 4
    assert "À remplir\u00a0: Ville." in said


def test_the_page_of_a_card_holder_changes_its_language_by_a_link(tmp_path: Path) -> None:
    """A post answered with that page stays in the browser's history, where « Retour » ends on its error."""
    visitor, number = at_the_stall(tmp_path)
    visitor.send(f"/dossiers/{number}/paiement", provider="carte", payer="")
    [link] = re.findall(r'<a href="([^"]+)"[^>]*hreflang="en"', visitor.page.html)
    assert 'value="lang-' not in visitor.page.html
    english = visitor.open(unescape(link))
    assert english.status == 200
    assert "Pay by card" in english.text
    assert english.form()["provider"] == ["carte"]
    assert english.value("holder-name") == ""
