"""Who holds a card, as they say it on the page where they pay: what the provider asks, and nothing else.

It is kept sealed with the order until the worker hands it over, then nowhere. Card numbers are typed on the operator's page.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

from engine.core.countries import ALPHA_2
from engine.core.problems import Refused
from engine.integrations.payment_provider import Asked, Customer, PaymentProvider
from engine.services.context.app_context import AppContext
from engine.services.context.contact_parsing import read_email, read_phone

HOLDER: Final = "holder-"  # how the fields of the page begin, as no question's name does: they are never set aside
_PURPOSE: Final = "payment customer"
_LONGEST: Final[Mapping[str, int]] = {
    "name": 80, "email": 254, "phone": 40, "address": 120, "city": 60, "country": 3, "postcode": 12,
}  # fmt: skip
_OPTIONAL: Final = frozenset({"postcode"})  # not every country has one


def customer_asks(provider: PaymentProvider) -> tuple[Asked, ...]:
    """What a provider asks of whoever pays beside the number of a wallet."""
    return tuple(one for one in provider.asks if one != "payer")


def read_customer(asks: tuple[Asked, ...], typed: Mapping[str, str]) -> tuple[Customer, dict[str, str]]:
    """The customer, and by name what is wrong of it: missing, too_long, email_format, phone_format, country."""
    read: dict[str, str] = {}
    faults: dict[str, str] = {}
    for name in asks:
        said = " ".join(typed.get(name, "").split())
        try:
            read[name] = _read(name, said)
        except Refused as wrong:
            faults[name] = wrong.reason.code
        except ValueError as wrong:
            faults[name] = str(wrong)
    return Customer(**{} if faults else read), faults


def _read(name: str, said: str) -> str:
    if not said and name not in _OPTIONAL:
        raise ValueError("missing")
    if len(said) > _LONGEST[name] or not said.isprintable():
        raise ValueError("too_long")
    if name == "email":
        return read_email(said)
    if name == "phone":
        return read_phone(said)
    if name == "country" and said not in ALPHA_2.values():
        raise ValueError("missing")
    return said


def seal_customer(ctx: AppContext, customer: Customer) -> str:
    """As it waits with its order: unreadable without the office's keys. Empty where nothing was asked."""
    said = {name: value for name, value in asdict(customer).items() if value}
    return ctx.keys.seal_text(_PURPOSE, json.dumps(said)) if said else ""


def open_customer(ctx: AppContext, sealed: str) -> Customer:
    return Customer(**json.loads(ctx.keys.open_text(_PURPOSE, sealed))) if sealed else Customer()
