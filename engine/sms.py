"""What one SMS can hold: the alphabet of GSM 03.38, and how many parts a text takes.

160 signs of the default alphabet in one part, 153 in each of several; one sign outside it turns the whole message into
UCS-2: 70 in one part, 67 in each of several. `é è à ù ì ò` are inside, `ê ç â î ô û œ ’ «` are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED: Final = frozenset("^{}\\[~]|€\f")  # two septets each
_PLAIN: Final = str.maketrans(
    {"\u00a0": " ", "\u202f": " ", "’": "'", "‘": "'", "–": "-", "…": "...", "«": '"', "»": '"'}
)


@dataclass(frozen=True, slots=True)
class Parts:
    """`length` in signs of the alphabet used; `foreign` are the signs that force UCS-2."""

    count: int
    length: int
    ucs2: bool
    foreign: tuple[str, ...] = ()


def plain_signs(text: str) -> str:
    """The same text with typographic signs that SMS lack replaced by those it has (a fixed space by a space…)."""
    return text.translate(_PLAIN)


def parts(text: str) -> Parts:
    """How many parts the text takes, as it is."""
    foreign = tuple(dict.fromkeys(sign for sign in text if sign not in BASIC and sign not in EXTENDED))
    if foreign:
        units = len(text.encode("utf-16-le")) // 2
        return Parts(1 if units <= 70 else -(-units // 67), units, True, foreign)
    septets = sum(2 if sign in EXTENDED else 1 for sign in text)
    return Parts(1 if septets <= 160 else -(-septets // 153), septets, False)
