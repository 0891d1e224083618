"""Phone numbers as people type them, in the one form that is kept."""

from __future__ import annotations

from typing import Final

import phonenumbers

from engine.problems import Refused, refusal
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
