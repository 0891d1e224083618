"""The ways to pay a price: which providers are offered, what a provider of cards asks of the payer, whose a wallet's number
seems to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from flask import Response, request

from engine.core.countries import ALPHA_2, COUNTRIES
from engine.core.problems import Refused
from engine.integrations.payment_provider import NO_CUSTOMER, Asked, Customer, PaymentProvider
from engine.services.context.contact_parsing import read_phone
from engine.services.payments.customers import HOLDER, customer_asks, read_customer
from engine.services.payments.payments import ways_to_pay
from renderers.i18n.translations import in_language
from renderers.web.platform.dossier_context import DossierContext
from renderers.web.platform.request_context import actor, app_ctx, at_counter, language, new_token, page, say

_PREFIX: Final = "+228"
_FILLED: Final[Mapping[str, str]] = {
    "name": "cc-name", "email": "email", "phone": "tel", "address": "street-address", "city": "address-level2",
    "country": "country", "postcode": "postal-code",
}  # fmt: skip
_KINDS: Final[Mapping[str, str]] = {"email": "email", "phone": "tel"}


@dataclass(frozen=True, slots=True)
class ProviderChoice:
    id: str
    label: str


@dataclass(frozen=True, slots=True)
class HolderField:
    """One thing asked of whoever holds the card. `fills`: what a browser may fill in."""

    name: str
    label: str
    hint: str
    kind: str
    fills: str
    value: str
    error: str
    options: tuple[tuple[str, str], ...] = ()


def offered(one: DossierContext) -> Mapping[str, PaymentProvider]:
    """The providers that everything owed now may be paid through. At a counter nobody types a card on somebody else's screen."""
    ways = ways_to_pay(app_ctx(), actor(), one.id) - ({"card"} if at_counter() else set())
    return {name: choice for name, choice in app_ctx().providers.items() if choice.method in ways}


def method_names(one: DossierContext) -> str:
    """How it must be paid, in words: `argent mobile ou carte bancaire`."""
    names = [say(f"pay.method_{name}") for name in sorted(ways_to_pay(app_ctx(), actor(), one.id))]
    return say("sheet.joined_or", first=names[0], second=names[1]) if len(names) == 2 else ", ".join(names)


def seems_elsewhere(provider: str, payer: str) -> str:
    """What another wallet of ours is called to which a number seems to belong; empty where it may well be the chosen one's.
    Numbers are carried from one to another: this is only asked, never refused."""
    try:
        number = read_phone(payer)
    except Refused:
        return ""
    national, providers = number.removeprefix(_PREFIX), app_ctx().providers
    if not number.startswith(_PREFIX) or not providers[provider].prefixes or _begins(national, providers[provider]):
        return ""
    return next((one.label for one in providers.values() if _begins(national, one)), "")


def _begins(national: str, provider: PaymentProvider) -> bool:
    return provider.prefixes != () and national.startswith(provider.prefixes)


# -- whoever holds a card ----------------------------------------------------------------------------------------------


def read_holder(provider: PaymentProvider) -> tuple[Customer, Mapping[str, str]] | None:
    """What was typed of whoever holds the card, and what is wrong of it; None where it was not asked yet."""
    asks = customer_asks(provider)
    if not asks:
        return NO_CUSTOMER, {}
    if "asked" not in request.form:
        return None
    return read_customer(asks, {name: request.form.get(f"{HOLDER}{name}", "")[:300] for name in asks})


def holder_page(
    one: DossierContext, provider: str, how_much: str, amount: int, faults: Mapping[str, str] = MappingProxyType({})
) -> Response:
    """Asks what the bank of a card compares. The card itself is typed on the operator's page."""
    choice = app_ctx().providers[provider]
    known = {"email": one.dossier.contact_email or _answered(one, "email"), "phone": one.dossier.contact_phone or ""}
    asked = [_field(name, known, faults) for name in customer_asks(choice)]
    errors = [(f"#{one.name}", one.error) for one in asked if one.error]
    return page(
        "citizen/pay_card.html", 422 if errors else 200, dossier=one.dossier, base=one.at(), procedure=one.title, errors=errors,
        total=amount, provider=ProviderChoice(provider, choice.label), how_much=how_much, fields=asked, token=new_token(),
        revision=None,
    )  # fmt: skip


def _field(name: Asked, known: Mapping[str, str], faults: Mapping[str, str]) -> HolderField:
    value = request.form.get(f"{HOLDER}{name}", known.get(name, ""))[:300]
    code = faults.get(name, "")
    options = _countries() if name == "country" else ()
    return HolderField(
        f"{HOLDER}{name}", say(f"holder.{name}"), say("holder.postcode_hint") if name == "postcode" else "",
        _KINDS.get(name, "text"), _FILLED[name], value, say(f"holder.wrong.{code}") if code else "", options,
    )  # fmt: skip


def _countries() -> tuple[tuple[str, str], ...]:
    named = [(ALPHA_2[code], in_language(name, language())) for code, name in COUNTRIES.items()]
    return tuple(sorted(named, key=lambda one: one[1]))


def _answered(one: DossierContext, kind: str) -> str:
    """The first answer of a kind that the request gives."""
    for field in one.procedure.form.fields:
        said = one.dossier.answers.get(field.id)
        if field.type == kind and isinstance(said, str):
            return said
    return ""
