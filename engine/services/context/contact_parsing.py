"""Phone numbers and e-mail addresses as people type them, in the one form that is kept."""

from __future__ import annotations

from typing import Final

import phonenumbers

from engine.core.problems import Refused, refusal
from engine.core.values import has_local_length
from engine.domain.common.sms_policy import HOME as COUNTRY
from engine.domain.fields.text import email_address

COUNTRIES: Final = frozenset(phonenumbers.SUPPORTED_REGIONS)  # ISO codes
# kinds of numbers that belong to a line; the others are services: premium rate, shared cost, personal, pager, voicemail
_LINES: Final = frozenset(
    {
        phonenumbers.PhoneNumberType.MOBILE,
        phonenumbers.PhoneNumberType.FIXED_LINE,
        phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
        phonenumbers.PhoneNumberType.VOIP,
    }
)


def read_phone(raw: str) -> str:
    """The number in E.164; of this country when it has no prefix. Raises Refused("phone_format")."""
    try:
        number = phonenumbers.parse(raw[:40], COUNTRY)
    except phonenumbers.NumberParseException:
        raise Refused(refusal("phone_format")) from None
    if not phonenumbers.is_valid_number(number):
        raise Refused(refusal("phone_format", why="unassigned") if has_local_length(raw) else refusal("phone_format"))
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def sms_country(number: str) -> str:
    """The ISO code of the country of a number (E.164); empty for one of no country, as of a satellite."""
    region = phonenumbers.region_code_for_number(phonenumbers.parse(number))
    return region if region is not None and region.isalpha() else ""


def receives_sms(number: str) -> bool:
    """Whether a number (E.164) is of a line in a country."""
    return bool(sms_country(number)) and phonenumbers.number_type(phonenumbers.parse(number)) in _LINES


def read_email(raw: str) -> str:
    """The address in small letters. Raises Refused("email_format")."""
    found = email_address(raw.strip()[:254])
    if found is None:
        raise Refused(refusal("email_format"))
    return found.lower()
