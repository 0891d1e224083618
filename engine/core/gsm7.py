"""What an SMS can hold: the signs of GSM 03.38, and into how many parts a text is cut."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from unicodedata import normalize

BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED: Final = frozenset("^{}\\[~]|€")  # each costs two signs
_PLAIN: Final = str.maketrans({
    "\u00a0": " ", "\u202f": " ", "\u2009": " ", "’": "'", "‘": "'", "«": '"', "»": '"', "“": '"', "”": '"',
    "–": "-", "—": "-", "‑": "-", "…": "...", "œ": "oe", "Œ": "OE", "•": "-",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class SmsParts:
    """How a text leaves: `count` messages, `signs` used, `unicode` when some sign, `foreign`, is not of GSM 03.38."""

    count: int
    signs: int
    unicode: bool
    foreign: tuple[str, ...] = field(default=(), compare=False)


def to_gsm(text: str) -> str:
    """The text with typographic signs made plain. Letters stay as they are: a name is not respelt."""
    return text.translate(_PLAIN)


def in_alphabet(text: str) -> str:
    """The text in signs of GSM 03.38 alone: a letter outside it is written without its accent, any other sign as `?`. For
    news that must leave as one message, not for names."""
    return "".join(_in_alphabet(sign) for sign in to_gsm(text))


def _in_alphabet(sign: str) -> str:
    if sign in BASIC or sign in EXTENDED:
        return sign
    bare = normalize("NFD", sign)[:1]
    return bare if bare in BASIC else "?"


def sms_parts(text: str) -> SmsParts:
    """160 signs a part (153 when several); 70 (67) as soon as one sign is not of the alphabet."""
    foreign = tuple(dict.fromkeys(sign for sign in text if sign not in BASIC and sign not in EXTENDED))
    if foreign:
        return _cut(len(text.encode("utf-16-le")) // 2, 70, 67, foreign)
    return _cut(sum(2 if sign in EXTENDED else 1 for sign in text), 160, 153)


def _cut(signs: int, alone: int, joined: int, foreign: tuple[str, ...] = ()) -> SmsParts:
    return SmsParts(1 if signs <= alone else -(-signs // joined), signs, bool(foreign), foreign)
