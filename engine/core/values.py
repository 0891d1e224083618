"""Small frozen values used by all layers: texts in several languages, time spans, canonical JSON, fingerprints.

Answers and journal bodies are *plain* values: JSON without floats. A date is its ISO text and a decimal is its
text. Money is whole francs (XOF has no cents, ISO 4217).
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

Plain: TypeAlias = "bool | int | str | list[Plain] | dict[str, Plain] | None"

# Code points of letters, marks and symbols that show nothing.
INVISIBLE: Final = frozenset((
    0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, 0x1D159, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10),
    *range(0xE0100, 0xE01F0),
))  # fmt: skip
# characters that no file may hold: controls, changes of writing direction, surrogates, non-characters
FORBIDDEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufdd0-\ufdef\ud800-\udfff"
    + "".join(chr(plane + low) for plane in range(0, 0x110000, 0x10000) for low in (0xFFFE, 0xFFFF))
    + "]"
)

LANGUAGES: Final = ("fr", "en", "ee", "kbp")


@dataclass(frozen=True, slots=True)
class Text:
    """A human text, in one or several languages. The first is the reference."""

    versions: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, value: str | Mapping[str, str], language: str = "fr") -> Text:
        """Return the text of a string in `language`, or of a map from language code to string."""
        if isinstance(value, str):
            return cls(((language, value),))
        return cls(tuple(value.items()))

    def in_(self, language: str) -> str:
        """Return the text in that language, else in its reference language."""
        for code, words in self.versions:
            if code == language:
                return words
        return self.versions[0][1] if self.versions else ""

    def language_for(self, language: str) -> str:
        """Return the language that `in_` uses, for the `lang` attribute of pages."""
        codes = [code for code, _ in self.versions]
        return language if language in codes or not codes else codes[0]

    @property
    def languages(self) -> frozenset[str]:
        """The codes of the languages the text is written in."""
        return frozenset(code for code, _ in self.versions)

    def __str__(self) -> str:
        return self.in_("fr")

    def __bool__(self) -> bool:
        return bool(self.versions)


@dataclass(frozen=True, slots=True)
class Span:
    """A duration as written: `3 working days`, `2 months`, `72 hours`. `unit` is singular."""

    count: int
    unit: str  # minute hour day week month year
    working: bool = False  # only with hour and day

    def __str__(self) -> str:
        plural = self.unit if self.count == 1 else self.unit + "s"
        return f"{self.count} {'working ' if self.working else ''}{plural}"


def texts_in(value: Plain | Mapping[str, Plain]) -> frozenset[str]:
    """Return every text within a value, keys left out."""
    if isinstance(value, str):
        return frozenset({value})
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return frozenset().union(*map(texts_in, inner))


def canonical_json(value: Plain) -> bytes:
    """Return the JSON of RFC 8785 for our subset (no floats): sorted keys, no spaces, UTF-8.

    Raises `TypeError` on any other value.
    """
    _refuse_floats(value)
    return _CANONICAL.encode(value).encode("utf-8")


_CANONICAL: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
_SCALARS: Final = frozenset({bool, int, str, type(None)})


def _refuse_floats(value: object) -> None:
    if isinstance(value, (bool, int, str)) or value is None:
        return
    if isinstance(value, (list, tuple)):
        for item in value:
            if type(item) not in _SCALARS:
                _refuse_floats(item)
        return
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"key {key!r} is not text")
            if type(item) not in _SCALARS:
                _refuse_floats(item)
        return
    raise TypeError(f"{type(value).__name__} is not a plain value")


def fingerprint(value: Plain) -> str:
    """Return the SHA-256 of the canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def new_id() -> str:
    """Return 128 random bits as 22 characters that need no escape in a URL."""
    return secrets.token_urlsafe(16)


_DAMM: Final = (
    (0, 3, 1, 7, 5, 9, 8, 6, 4, 2), (7, 0, 9, 2, 1, 5, 4, 8, 6, 3), (4, 2, 0, 6, 8, 7, 1, 3, 5, 9),
    (1, 7, 5, 0, 9, 8, 3, 4, 2, 6), (6, 1, 2, 3, 0, 4, 5, 9, 7, 8), (3, 6, 7, 4, 2, 0, 9, 5, 8, 1),
    (5, 8, 6, 9, 7, 2, 0, 1, 3, 4), (8, 9, 4, 5, 3, 6, 2, 0, 1, 7), (9, 4, 3, 8, 6, 1, 7, 2, 0, 5),
    (2, 5, 8, 1, 4, 3, 6, 7, 9, 0),
)  # fmt: skip


def check_digit(digits: str) -> str:
    """Return Damm's check digit. It detects each single wrong digit and each swap of neighbours."""
    interim = 0
    for digit in digits:
        interim = _DAMM[interim][int(digit)]
    return str(interim)


def has_check_digit(digits: str) -> bool:
    """Return whether the text is ASCII digits whose last one is a valid check digit."""
    return digits.isascii() and digits.isdigit() and check_digit(digits) == "0"


def new_number(year: int, random_digits: str) -> str:
    """Return a new dossier number of 11 digits: year (2), eight random digits, check digit.

    The number alone gives no access.
    """
    body = f"{year % 100:02d}{random_digits}"
    return body + check_digit(body)


def group_number(number: str) -> str:
    """Return a dossier number in groups: `26482911374` → `26 4829 1137 4`."""
    return f"{number[:2]} {number[2:6]} {number[6:10]} {number[10:]}" if len(number) == 11 else number


def digits_only(text: str) -> str:
    """Return the ASCII digits of a text, all other characters left out."""
    return "".join(sign for sign in text if sign.isascii() and sign.isdigit())


def forbidden_at(read: object) -> tuple[str, str] | None:
    """Return the place of the first character of `FORBIDDEN`, and the character. None when there is none.

    The place is a path such as `sms.from`, in a key or a text. The character is written as `U+202E`.
    """
    left: list[tuple[str, object]] = [("", read)]
    while left:
        at, one = left.pop()
        if isinstance(one, Mapping):
            for key, value in one.items():
                place = f"{at}.{key}" if at else str(key)
                if found := FORBIDDEN.search(str(key)):
                    return FORBIDDEN.sub(_named, place), _named(found)
                left.append((place, value))
        elif isinstance(one, list):
            left.extend((at, value) for value in one)
        elif isinstance(one, str) and (found := FORBIDDEN.search(one)):
            return at, _named(found)
    return None


def _named(sign: re.Match[str]) -> str:
    return f"U+{ord(sign[0]):04X}"


def phone_fault(phone: str) -> dict[str, str]:
    """Return why a text is no phone number: `unassigned` here, `abroad` with the prefix of another country."""
    digits = digits_only(phone)
    if len(digits) == 8 or (len(digits) in (11, 13) and digits.removeprefix("00").startswith("228")):
        return {"why": "unassigned"}
    is_abroad = phone.strip().startswith(("+", "00")) and not digits.removeprefix("00").startswith("228")
    return {"why": "abroad"} if is_abroad else {}


def national(phone: str) -> str:
    """Return a phone number as written in this country: `+22890123456` → `90 12 34 56`.

    Foreign numbers do not change.
    """
    digits = phone.removeprefix("+228")
    if not phone.startswith("+228") or len(digits) != 8:
        return phone
    return " ".join(digits[at : at + 2] for at in range(0, 8, 2))
