"""What an SMS can hold: the characters of GSM 03.38, and the number of parts of a text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from unicodedata import normalize

BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED: Final = frozenset("^{}\\[~]|€")  # each counts as two characters
_PLAIN: Final = str.maketrans({
    "\u00a0": " ", "\u202f": " ", "\u2009": " ", "’": "'", "‘": "'", "«": '"', "»": '"', "“": '"', "”": '"',
    "–": "-", "—": "-", "‑": "-", "…": "...", "œ": "oe", "Œ": "OE", "•": "-",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class SmsParts:
    """The size of a text as SMS: `count` parts and `signs` characters.

    `unicode` is true when some characters, listed in `foreign`, are not in GSM 03.38.
    """

    count: int
    signs: int
    unicode: bool
    foreign: tuple[str, ...] = field(default=(), compare=False)


def to_gsm(text: str) -> str:
    """Return the text with typographic characters replaced by plain ones. Letters of names do not change."""
    return text.translate(_PLAIN)


def in_alphabet(text: str) -> str:
    """Return the text in characters of GSM 03.38 alone.

    A letter outside it loses its accent, any other character becomes `?`. Use it for a message that must fit one
    part, not for names.
    """
    return "".join(_in_alphabet(sign) for sign in to_gsm(text))


def _in_alphabet(sign: str) -> str:
    """Return the character, its base letter, or `?`."""
    if sign in BASIC or sign in EXTENDED:
        return sign
    bare = normalize("NFD", sign)[:1]
    return bare if bare in BASIC else "?"


def sms_parts(text: str) -> SmsParts:
    """Return the size of a text as SMS.

    A part holds 160 characters (153 when several). With one character outside the alphabet, it holds 70 (67).
    """
    foreign = tuple(dict.fromkeys(sign for sign in text if sign not in BASIC and sign not in EXTENDED))
    if foreign:
        return _cut(len(text.encode("utf-16-le")) // 2, 70, 67, foreign)
    return _cut(sum(2 if sign in EXTENDED else 1 for sign in text), 160, 153)


def _cut(signs: int, alone: int, joined: int, foreign: tuple[str, ...] = ()) -> SmsParts:
    return SmsParts(1 if signs <= alone else -(-signs // joined), signs, bool(foreign), foreign)
