"""Field types of words: text, address, identifier, e-mail, telephone."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Any, Final

import phonenumbers
import re2

from engine.core.values import Plain, has_check_digit, phone_fault
from engine.domain.fields.field_type import FieldContext, FieldKind, Speech, field_kind
from engine.domain.fields.raw_answers import Fault, fault, has_control, typed_text
from engine.model import Field, Scheme

REGION: Final = "TG"


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = (
        False  # a pattern too large for the fastest engine of RE2 is matched by a slower one, which is no error
    )
    return re2.compile(pattern, options)


def matches(pattern: str, text: str) -> bool:
    """Return True when the whole text matches, in linear time for any pattern and text."""
    return _compiled(pattern).fullmatch(text) is not None


_LONGEST_CODE: Final = 200  # characters, with the spaces that people type; longer ones are not matched four times


def _matching(pattern: str, typed: str) -> str:
    """Return the first variant that matches: as typed, without spaces, in capitals. Empty if none does."""
    compact = typed.replace(" ", "")
    variants = (typed, compact, typed.upper(), compact.upper()) if len(typed) <= _LONGEST_CODE else ()
    return next((text for text in variants if matches(pattern, text)), "")


@field_kind("text", "address")
class WordsKind(FieldKind):
    """A text or an address, in capitals when the field requires it."""

    def parse(self, field: Field, typed: str, asking: FieldContext) -> Plain | Fault:
        """Return the text, in capitals when required, `control` when it contains a control character.

        A code is stored in the form of its pattern, without the spaces and the lower case that people type.
        """
        if has_control(typed):
            return fault("control")
        text = unicodedata.normalize("NFC", typed.upper()) if field.upper else typed
        pattern = field.bounds.pattern
        return text if pattern is None else _matching(pattern, text) or text

    def limits(self, field: Field, plain: Plain, asking: FieldContext) -> list[Fault]:
        """Return `length` or `format` for a text outside its length or pattern."""
        text, bounds = str(plain), field.bounds
        if len(text) > bounds.max_length:
            return [fault("length", maximum=bounds.max_length, over=len(text) - bounds.max_length)]
        if len(text) < bounds.min_length:
            return [fault("length", minimum=bounds.min_length, under=bounds.min_length - len(text))]
        if bounds.pattern is not None and not matches(bounds.pattern, text):
            return [fault("format", bounds.message, example=self.shape(field, asking))]
        return []


def _luhn(text: str) -> bool:
    if not (text.isascii() and text.isdigit()):
        return False
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(text))]
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0


def _mod97(text: str) -> bool:
    """Return True for ISO 7064 mod 97-10: letters count 10 to 35 and the remainder is 1."""
    signs = [sign for sign in text.upper() if sign.isascii() and sign.isalnum()]
    return bool(signs) and int("".join(str(int(sign, 36)) for sign in signs)) % 97 == 1


CHECKSUMS: Final = {"luhn": _luhn, "mod97": _mod97, "damm": has_check_digit}


@field_kind("identifier")
class IdentifierKind(WordsKind):
    """A number given by an administration, in the form of its scheme. Spaces and lower case are accepted."""

    def parse(self, field: Field, typed: str, asking: FieldContext) -> Plain | Fault:
        """Return the first variant that matches the scheme: as typed, without spaces, in capitals. Else `identifier`."""
        if has_control(typed):
            return fault("control")
        scheme = asking.schemes.get(field.scheme or "")
        if scheme is None:
            return typed.upper() if field.upper else typed
        return _matching(scheme.pattern, typed) or _scheme_fault("identifier", scheme, field)

    def limits(self, field: Field, plain: Plain, asking: FieldContext) -> list[Fault]:
        """Return `identifier` or `checksum` for a number that its scheme refuses, then the bounds of text."""
        scheme = asking.schemes.get(field.scheme or "")
        if scheme is None:
            return super().limits(field, plain, asking)
        if not matches(scheme.pattern, str(plain)):
            return [_scheme_fault("identifier", scheme, field)]
        holds = CHECKSUMS.get(scheme.checksum or "")
        if holds is not None and not holds(str(plain)):
            return [_scheme_fault("checksum", scheme, field)]
        return super().limits(field, plain, asking)

    def example(self, field: Field, asking: FieldContext) -> Plain:
        """Return the example of the scheme."""
        scheme = asking.schemes.get(field.scheme or "")
        return scheme.example if scheme else super().example(field, asking)


def _scheme_fault(code: str, scheme: Scheme, field: Field) -> Fault:
    return fault(code, field.bounds.message, example=scheme.example)


@field_kind("email")
class EmailKind(FieldKind):
    """An e-mail address, stored in normal form. Its domain is not looked up."""

    def parse(self, field: Field, typed: str, asking: FieldContext) -> Plain | Fault:
        """Return the normal form of the address, else `email`."""
        return email_address(typed) or fault("email")

    def example(self, field: Field, asking: FieldContext) -> Plain:
        """Return a fixed address."""
        return "afi.amegan@exemple.tg"


def email_address(typed: str) -> str | None:
    """Return the address in normal form.

    None when it is invalid, or when a mail header would decode it as an encoded word. One that begins with `+` is
    refused too: a login or a receiver that begins so is a telephone number.
    """
    if "=?" in typed:
        return None
    from email_validator import EmailNotValidError, validate_email  # its expressions take 20 ms to compile

    try:
        found = validate_email(typed, check_deliverability=False).normalized
    except (EmailNotValidError, UnicodeError):
        return None
    return None if found.startswith("+") else found


@field_kind("phone")
class PhoneKind(FieldKind):
    """A telephone number, stored as E.164. A number without country is Togolese."""

    def parse(self, field: Field, typed: str, asking: FieldContext) -> Plain | Fault:
        """Return the E.164 number, else `phone` with its `why`."""
        if len(typed) > 40 or any(sign.isalpha() for sign in typed):
            return fault("phone")
        try:
            number = phonenumbers.parse(typed, REGION)
        except phonenumbers.NumberParseException:
            return fault("phone", None, **phone_fault(typed))
        if number.extension or not phonenumbers.is_valid_number(number):
            return fault("phone", None, **phone_fault(typed))
        return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))

    def text(self, field: Field, plain: Plain, asking: FieldContext, speech: Speech) -> str:
        """Return a Togolese number in groups of two digits, any other as stored."""
        typed = typed_text(plain)
        if typed.startswith("+228") and len(typed) == 12:
            return f"+228 {typed[4:6]} {typed[6:8]} {typed[8:10]} {typed[10:]}"
        return typed

    def example(self, field: Field, asking: FieldContext) -> Plain:
        """Return a Togolese number."""
        return "+22890123456"
