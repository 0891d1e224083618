"""Methods of payment: operators offered, data of a card holder, the operator of a number, stages of a payment.

The page that follows a payment depends on its age only. A reload, a lost page or a second tab thus changes
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from flask import Response, request

from engine.core.countries import ALPHA_2, COUNTRIES
from engine.core.problems import Refused
from engine.integrations.payment_provider import NO_CUSTOMER, Asked, Customer, PaymentProvider
from engine.records.dossier import Payment
from engine.services.context.contact_parsing import is_of, read_phone
from engine.services.payments.customers import HOLDER, customer_asks, read_customer
from engine.services.payments.payments import payment_methods_of
from engine.services.payments.settlement import OPEN, SECOND_THOUGHTS, is_placing
from renderers.html.controls import national
from renderers.i18n.formats import alphabetical, listed
from renderers.i18n.translations import in_language
from renderers.web.platform.dossier_context import DossierContext
from renderers.web.platform.refused_posts import refused_post, typed_form
from renderers.web.platform.request_context import actor, app_ctx, at_counter, language, new_token, page, say

_PREFIX: Final = "+228"
_FILLED: Final[Mapping[str, str]] = {
    "name": "cc-name", "email": "email", "phone": "tel", "address": "street-address", "city": "address-level2",
    "country": "country", "postcode": "postal-code",
}  # fmt: skip
_KINDS: Final[Mapping[str, str]] = {"email": "email", "phone": "tel"}


@dataclass(frozen=True, slots=True)
class HolderField:
    """One field about the card holder. `fills` is its autocomplete value."""

    name: str
    label: str
    hint: str
    kind: str
    fills: str
    value: str
    error: str
    options: tuple[tuple[str, str], ...] = ()


def offered(one: DossierContext) -> Mapping[str, PaymentProvider]:
    """Return the operators for all fees due now. At a counter no card is typed on the agent's screen."""
    methods = payment_methods_of(app_ctx(), actor(), one.id) - ({"card"} if at_counter() else set())
    return {name: choice for name, choice in app_ctx().providers.items() if choice.method in methods}


def suits(provider: PaymentProvider, phone: str) -> bool:
    """Return whether the provider charges this number (E.164), or needs none."""
    return "payer" not in provider.asks or (bool(phone) and is_of(phone, provider.countries))


def method_names(one: DossierContext) -> str:
    """Return the methods of payment in words: `argent mobile ou carte bancaire`."""
    names = [say(f"pay.method_{name}") for name in sorted(payment_methods_of(app_ctx(), actor(), one.id))]
    return listed(names, language(), "or")


@dataclass(frozen=True, slots=True)
class PaymentChoice:
    """The choices made so far."""

    provider: str = ""
    payer: str = ""
    how_much: str = ""
    sure: str = ""  # the wallet and number already confirmed

    @property
    def part(self) -> bool:
        """Whether only the next part is paid."""
        return self.how_much == "part"

    @property
    def seems(self) -> str:
        """The other operator that the number seems to belong to, empty once the payer confirmed it."""
        return "" if self.sure == f"{self.provider} {self.payer}" else _seems_elsewhere(self.provider, self.payer)


def typed_choice(one: DossierContext) -> PaymentChoice:
    """Return the choices of this post or of the one to show again. A first page has the number of the dossier."""
    if request.method == "GET" and not refused_post().found:
        phone = one.dossier.contact_phone or ""
        fits = any("payer" in choice.asks and suits(choice, phone) for choice in offered(one).values())
        return PaymentChoice(payer=national(phone) if fits else "")
    return PaymentChoice(*(typed_form().get(name, "")[:40] for name in ("provider", "payer", "how_much", "sure")))


def shown_sum(typed: PaymentChoice) -> int | None:
    """Return the sum that the page of this post showed, None if the form has none."""
    text = request.form.get("shown_part" if typed.part else "shown", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 13 else None


def _seems_elsewhere(provider: str, payer: str) -> str:
    """Return the name of another operator that the number seems to belong to, else empty.

    Numbers move between operators, so the page only asks and never refuses.
    """
    try:
        number = read_phone(payer)
    except Refused:
        return ""
    digits, providers = number.removeprefix(_PREFIX), app_ctx().providers
    if not number.startswith(_PREFIX) or not providers[provider].prefixes or _begins(digits, providers[provider]):
        return ""
    return next((one.label for one in providers.values() if _begins(digits, one)), "")


def _begins(digits: str, provider: PaymentProvider) -> bool:
    return provider.prefixes != () and digits.startswith(provider.prefixes)


# -- card holder -------------------------------------------------------------------------------------------------------


def read_holder(provider: PaymentProvider) -> tuple[Customer, Mapping[str, str]] | None:
    """Return the typed data of the card holder and its faults, None if the form was not shown yet."""
    asks = customer_asks(provider)
    if not asks:
        return NO_CUSTOMER, {}
    if "asked" not in request.form:
        return None
    return read_customer(asks, {name: request.form.get(f"{HOLDER}{name}", "")[:300] for name in asks})


def holder_page(
    one: DossierContext, provider: str, how_much: str, amount: int, faults: Mapping[str, str] = MappingProxyType({})
) -> Response:
    """Show the form with the data that the bank compares. The card is typed on the operator's page."""
    choice = app_ctx().providers[provider]
    known = {"email": one.dossier.contact_email or _answered(one, "email"), "phone": one.dossier.contact_phone or ""}
    asked = [_field(name, known, faults) for name in customer_asks(choice)]
    errors = [(f"#{one.name}", one.error) for one in asked if one.error]
    return page(
        "citizen/pay_card.html", 422 if errors else 200, dossier=one.dossier, base=one.at(), procedure=one.title, errors=errors,
        total=amount, provider=provider, how_much=how_much, fields=asked, token=new_token(),
        revision=None,
    )  # fmt: skip


def _field(name: Asked, known: Mapping[str, str], faults: Mapping[str, str]) -> HolderField:
    value = request.form.get(f"{HOLDER}{name}", known.get(name, ""))[:300]
    code = faults.get(name, "")
    options = _countries() if name == "country" else ()
    asked = say(f"holder.{name}")
    return HolderField(
        f"{HOLDER}{name}", asked, say("holder.postcode_hint") if name == "postcode" else "",
        _KINDS.get(name, "text"), _FILLED[name], value, say(f"holder.wrong.{code}", label=asked) if code else "", options,
    )  # fmt: skip


def _countries() -> tuple[tuple[str, str], ...]:
    named = [(ALPHA_2[code], in_language(name, language())) for code, name in COUNTRIES.items()]
    return tuple(sorted(named, key=lambda one: alphabetical(one[1])))


def _answered(one: DossierContext, kind: str) -> str:
    """Return the first answer of a type in the request, empty if there is none."""
    for field in one.procedure.form.fields:
        said = one.dossier.answers.get(field.id)
        if field.type == kind and isinstance(said, str):
            return said
    return ""


Stage: TypeAlias = Literal["asking", "slow", "confirm", "page"]

SLOW: Final = timedelta(seconds=10)  # age from which the page calls the operator slow
# seconds until the next refresh, by the age of the payment; each one costs the payer data
_AGES: Final = ((timedelta(seconds=6), 2), (timedelta(seconds=14), 4), (timedelta(seconds=30), 8))
_LATER: Final = 15


@dataclass(frozen=True, slots=True)
class Following:
    """What a pending payment waits for.

    `left`: whole minutes, at least 1. `again`: seconds until the next refresh.
    """

    stage: Stage
    left: int
    again: int

    @property
    def mark(self) -> str:
        """A value that changes whenever the text of the page changes."""
        return f"{self.stage}-{self.left}" if self.stage in ("confirm", "page") else self.stage


def page_left(payment: Payment, now: datetime) -> str:
    """Return the operator's page of an open payment, empty once another payment may be started."""
    usable = payment.status in OPEN and now < payment.started_at + SECOND_THOUGHTS
    return (payment.page or "") if usable else ""


def following(payment: Payment, now: datetime) -> Following:
    """Return the stage of a pending payment."""
    age = now - payment.started_at
    left = max(1, -((now - payment.expires_at) // timedelta(minutes=1)))
    again = next((seconds for until, seconds in _AGES if age < until), _LATER)
    if is_placing(payment):
        return Following("slow" if age >= SLOW else "asking", left, again)
    if payment.page:
        return Following("page", left, _LATER)
    return Following(
        "slow" if payment.method == "card" else "confirm", left, again
    )  # a card is typed only on the operator's page
