"""Phone numbers and e-mail addresses as people type them, in the one form that is kept."""

from __future__ import annotations

from typing import Final

import phonenumbers

from engine.problems import Refused, refusal
from engine.rules.field_kinds.words import email_address
from engine.values import has_local_length

COUNTRY: Final = "TG"


def read_phone(raw: str) -> str:
    """The number in E.164; of this country when it has no prefix. Raises Refused("phone_format")."""
    try:
        number = phonenumbers.parse(raw[:40], COUNTRY)
    except phonenumbers.NumberParseException:
        raise Refused(refusal("phone_format")) from None
    if not phonenumbers.is_valid_number(number):
        raise Refused(refusal("phone_format", why="unassigned") if has_local_length(raw) else refusal("phone_format"))
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def read_email(raw: str) -> str:
    """The address in small letters. Raises Refused("email_format")."""
    found = email_address(raw.strip()[:254])
    if found is None:
        raise Refused(refusal("email_format"))
    return found.lower()
