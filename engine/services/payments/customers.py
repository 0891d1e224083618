"""Data of a card holder that a payment provider asks for, as typed on the payment page.

It is stored encrypted with the order until the worker sends the order, then nowhere. Card numbers are typed
on the page of the operator.
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

# prefix of the field names of the page. No question has it, so these fields are never saved with a post
HOLDER: Final = "holder-"
_PURPOSE: Final = "payment customer"
_LONGEST: Final[Mapping[str, int]] = {
    "name": 80, "email": 254, "phone": 40, "address": 120, "city": 60, "country": 3, "postcode": 12,
}  # fmt: skip
_OPTIONAL: Final = frozenset({"postcode"})  # not every country has one


def customer_asks(provider: PaymentProvider) -> tuple[Asked, ...]:
    """Return what a provider asks of the payer besides the number of a wallet."""
    return tuple(one for one in provider.asks if one != "payer")


def read_customer(asks: tuple[Asked, ...], typed: Mapping[str, str]) -> tuple[Customer, dict[str, str]]:
    """Return the customer and the error code by field.

    Codes: missing, too_long, email_format, phone_format, country. With an error, the customer is empty.
    """
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
    """Encrypt the customer for storage with the order. Empty where nothing was asked."""
    said = {name: value for name, value in asdict(customer).items() if value}
    return ctx.keys.seal_text(_PURPOSE, json.dumps(said)) if said else ""


def open_customer(ctx: AppContext, sealed: str) -> Customer:
    """Decrypt the customer of an order; an empty text gives an empty customer. Raises `NoKeys`."""
    return Customer(**json.loads(ctx.keys.open_text(_PURPOSE, sealed))) if sealed else Customer()
