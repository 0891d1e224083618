"""Cards: typed on the operator's page, never here; what its bank compares is sent with the order; sums that it would refuse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.integrations.cinetpay import CARD_ASKS, CinetPay
from engine.integrations.config import read_gateways
from engine.integrations.fedapay import FedaPayCard
from engine.integrations.gateways import WrongGateways
from engine.integrations.http_client import HttpClient
from engine.integrations.payment_provider import Customer, PaymentProvider, ProviderDown
from tests.engine.integrations.local_operators import LocalCinetPay, LocalFedaPay, LocalOperator, serving
from tests.engine.integrations.test_operators import CLOCK, ENDINGS, ORDER

ANNA = Customer("Anna Maria Lee", "a.lee@example.org", "+33612345678", "1 Main Street", "Paris", "FR", "75001")
CARD = replace(ORDER, payer="", customer=ANNA)


def card_of(operator: LocalOperator) -> PaymentProvider:
    wire = HttpClient(operator.address, seconds=2.0)
    if isinstance(operator, LocalFedaPay):
        return FedaPayCard("fp", "FedaPay", wire, "sk", "whsec", "https://x/d", CLOCK)
    return CinetPay("cp", "CinetPay", wire, "key", "site", "secret", "https://x/r", "https://x/d", CLOCK, "card")


@pytest.fixture(params=[LocalCinetPay, LocalFedaPay], ids=lambda kind: kind.__name__)
def operator(request: pytest.FixtureRequest) -> Iterator[LocalOperator]:
    with serving(request.param()) as running:
        yield running


def test_a_card_is_typed_on_the_operators_page(operator: LocalOperator) -> None:
    provider = card_of(operator)
    assert provider.method == "card"
    assert "payer" not in provider.asks
    started = provider.start(CARD)
    assert started.page is not None
    assert started.page.startswith("https://")
    asked = [path for _, path, _, _ in operator.asked]
    assert not [path for path in asked if path in ("/v1/moov_tg", "/v1/togocel")], "nothing is pushed to a telephone"
    for theirs, ours in ENDINGS[type(operator)].items():
        operator.end(ORDER.reference, theirs)
        assert provider.status(ORDER.reference, started.provider_ref).kind == ours


def test_what_each_is_told_of_whoever_holds_the_card() -> None:
    with serving(LocalCinetPay()) as operator:
        provider = card_of(operator)
        assert provider.asks == CARD_ASKS
        provider.start(CARD)
        told = operator.asked[0][2]
        assert told["channels"] == "CREDIT_CARD"
        assert {name: told[f"customer_{name}"] for name in ("name", "surname", "email", "phone_number")} == {
            "name": "Lee", "surname": "Anna Maria", "email": ANNA.email, "phone_number": ANNA.phone,
        }  # fmt: skip
        assert {name: told[f"customer_{name}"] for name in ("address", "city", "country", "state", "zip_code")} == {
            "address": ANNA.address, "city": "Paris", "country": "FR", "state": "FR", "zip_code": "75001",
        }  # fmt: skip
        provider.start(replace(CARD, reference="s" * 26, customer=replace(ANNA, postcode="")))
        assert operator.asked[1][2]["customer_zip_code"] == "00000"
    with serving(LocalFedaPay()) as fedapay:
        card_of(fedapay).start(CARD)
        told = fedapay.asked[0][2]
        assert told["customer"] == {"firstname": "Anna Maria", "lastname": "Lee", "email": ANNA.email}
        assert told["callback_url"] == f"https://x/d?paiement={CARD.reference}"


def test_a_page_that_did_not_come_is_asked_for_once_more() -> None:
    with serving(LocalFedaPay()) as operator:
        provider = card_of(operator)
        operator.down = frozenset({"/v1/transactions/1000/token"})
        with pytest.raises(ProviderDown):
            provider.start(CARD)
        assert [path for _, path, _, _ in operator.asked].count("/v1/transactions/1000/token") == 2


@pytest.mark.parametrize(
    ("amount", "taken"), [(100, True), (95, False), (5, False), (5003, False), (5005, True), (5000, True)]
)
def test_cinetpay_takes_steps_of_five_francs(amount: int, taken: bool) -> None:
    with serving(LocalCinetPay()) as operator:
        for provider in (
            card_of(operator),
            CinetPay("cp", "C", HttpClient(operator.address), "k", "s", "x", "n", "b", CLOCK),
        ):
            refused = provider.accepts(replace(ORDER, amount=amount))
            assert (refused is None) is taken
            if refused is not None:
                assert (refused.code, refused.facts["step"], refused.facts["least"]) == ("amount_refused", 5, 100)
        assert operator.asked == []


FILE = """
[operators.mixx]
kind = "paygate"
label = "Mixx"
token = "t"
network = "TMONEY"
prefixes = ["70", "9"]
countries = ["TG"]

[operators.visa]
kind = "cinetpay"
method = "card"
label = "Carte"
key = "k"
site = "s"
secret = "x"

[operators.feda]
kind = "fedapay"
method = "card"
label = "Carte"
secret = "s"
signing = "w"
"""


def test_the_file_names_cards_and_how_numbers_begin(tmp_path: Path) -> None:
    file = tmp_path / "gateways.toml"
    file.write_text(FILE)
    found = read_gateways(file, CLOCK, "https://guichet.example").operators
    assert {name: one.method for name, one in found.items()} == {"mixx": "mobile_money", "visa": "card", "feda": "card"}
    assert (found["mixx"].prefixes, found["visa"].prefixes) == (("70", "9"), ())
    assert (found["mixx"].countries, found["visa"].countries) == (("TG",), ())
    assert found["feda"].asks == ("name", "email")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (FILE.replace('method = "card"', 'method = "cash"'), "[operators.visa] method: must be one of mobile_money, card"),
        (FILE.replace('["70", "9"]', '"70"'), "[operators.mixx] prefixes: must be a list of digits"),
        (FILE.replace('["70", "9"]', '["+228"]'), "[operators.mixx] prefixes: must be a list of digits"),
        (FILE.replace('["TG"]', '["Togo"]'), "[operators.mixx] countries: must be a list of ISO codes"),
        (FILE.replace('kind = "paygate"', 'kind = "paygate"\nmethod = "card"'), "[operators.mixx] method: is not a key"),
        (FILE.replace('method = "card"\nlabel = "Carte"\nsecret', 'method = "card"\nmode = "moov_tg"\nlabel = "Carte"\nsecret'), "[operators.feda] mode: is not a key"),
    ],
)  # fmt: skip
def test_what_the_file_may_not_say(tmp_path: Path, written: str, said: str) -> None:
    file = tmp_path / "gateways.toml"
    file.write_text(written)
    with pytest.raises(WrongGateways) as wrong:
        read_gateways(file, CLOCK, "https://guichet.example")
    assert str(wrong.value).startswith(said)
