"""Phone numbers and e-mail addresses, parsed into the one form that is stored."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

import phonenumbers

from engine.core.problems import NOWHERE, Refused, refusal
from engine.core.values import phone_fault
from engine.domain.common.sms_policy import HOME as COUNTRY
from engine.domain.fields.text import email_address

_E164: Final = re.compile(r"\+[0-9]{1,15}")
COUNTRIES: Final = frozenset(phonenumbers.SUPPORTED_REGIONS)  # ISO codes
# kinds of numbers that belong to a line. The others are services: premium rate, shared cost, personal, pager, voicemail
_LINES: Final = frozenset(
    {
        phonenumbers.PhoneNumberType.MOBILE,
        phonenumbers.PhoneNumberType.FIXED_LINE,
        phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
        phonenumbers.PhoneNumberType.VOIP,
    }
)

# The library loads a country at its first number, under a lock that it keeps for good when that fails, for instance while
# its files are replaced by a new release: each later first number would hold a thread for ever. All of them take 0.1 s.
phonenumbers.PhoneMetadata.load_all()


def read_phone(raw: str) -> str:
    """Return a number in E.164.

    Without a prefix it is read as one of this country. Raises Refused("phone_format").
    """
    try:
        number = phonenumbers.parse(raw[:40], COUNTRY)
    except phonenumbers.NumberParseException:
        raise Refused(refusal("phone_format", NOWHERE, **phone_fault(raw))) from None
    if not phonenumbers.is_valid_number(number):
        raise Refused(refusal("phone_format", NOWHERE, **phone_fault(raw)))
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def sms_country(number: str) -> str:
    """Return the ISO country code of a number (E.164); empty for one of no country, such as a satellite, or for no number."""
    if not _E164.fullmatch(number):
        return ""
    region = phonenumbers.region_code_for_number(phonenumbers.parse(number))
    return region if region is not None and region.isalpha() else ""


def is_of(number: str, countries: Collection[str]) -> bool:
    """Return whether a number (E.164) is of one of these countries; True without countries."""
    return not countries or sms_country(number) in countries


def number_of(country: str) -> tuple[str, str]:
    """Return the calling code of a country and an example of its mobile numbers: `+228`, `+228 90 11 23 45`."""
    example = phonenumbers.example_number_for_type(country, phonenumbers.PhoneNumberType.MOBILE)
    shown = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.INTERNATIONAL) if example else ""
    return f"+{phonenumbers.country_code_for_region(country)}", shown


def receives_sms(number: str) -> bool:
    """Return whether a number (E.164) belongs to a line of a country."""
    return bool(sms_country(number)) and phonenumbers.number_type(phonenumbers.parse(number)) in _LINES


def read_email(raw: str) -> str:
    """Return the address in lower case. Raises Refused("email_format")."""
    found = email_address(raw.strip()[:254])
    if found is None:
        raise Refused(refusal("email_format"))
    return found.lower()
