"""Finding a procedure by the words a person has: without accents, plural or singular, nearly spelt."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from renderers.procedure_page import ProcedureCard

_WORD: Final = re.compile(r"[a-z0-9]+")
_SMALL: Final = frozenset(
    {"de", "du", "des", "le", "la", "les", "un", "une", "et", "ou", "d", "l", "a", "au", "mon", "ma"}
)
_NEAR: Final = 0.75


@dataclass(frozen=True, slots=True)
class Found:
    """What a search brings: the matches, best first; without any, the procedures of nearest spelling."""

    cards: tuple[ProcedureCard, ...]
    closest: tuple[ProcedureCard, ...] = ()


def search(cards: Sequence[ProcedureCard], query: str) -> Found:
    """Every word of the query must be in the title or the summary; words of the title count more."""
    wanted = words_of(query)
    if not wanted:
        return Found(tuple(cards))
    scored = [(_score(card, wanted), card) for card in cards]
    matches = sorted((pair for pair in scored if pair[0]), key=lambda pair: -pair[0])
    if matches:
        return Found(tuple(card for _, card in matches))
    return Found((), tuple(card for card in cards if _is_near(card, wanted)))


def words_of(text: str) -> list[str]:
    """Small words left out, accents and plurals too: `Casiers judiciaires` → casier, judiciaire."""
    split = unicodedata.normalize("NFD", text.casefold())
    plain = "".join(sign for sign in split if not unicodedata.combining(sign))
    return [_singular(word) for word in _WORD.findall(plain) if word not in _SMALL]


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word[-1] in "sx" else word


def _score(card: ProcedureCard, wanted: list[str]) -> int:
    title, all_words = words_of(card.title), words_of(f"{card.title} {card.summary} {card.category} {card.id}")
    if not all(any(known.startswith(word) for known in all_words) for word in wanted):
        return 0
    return 1 + 3 * sum(any(known.startswith(word) for known in title) for word in wanted)


def _is_near(card: ProcedureCard, wanted: list[str]) -> bool:
    known = words_of(f"{card.title} {card.summary}")
    return any(difflib.get_close_matches(word, known, 1, _NEAR) for word in wanted)
