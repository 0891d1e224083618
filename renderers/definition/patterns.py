"""A regular expression in words: `de 4 à 20 signes (chiffres, « - »)` for `[0-9-]{4,20}`.

Only sequences of characters, character classes and counts have words. A pattern with alternatives or groups is shown
as written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from renderers.i18n.translations import Translations, quoted

_ATOM: Final = re.compile(
    r"(?P<kinds>\[(?!\^)(?:[A-Za-z0-9](?:-[A-Za-z0-9])?|\\[d.\-/]|[ '’./_-])+\]|\\d)|(?P<sign>\\[.\-/+]|[A-Za-z0-9 /_'’-])"
)
_TIMES: Final = re.compile(r"\{(?P<least>\d+)(?P<more>,(?P<most>\d*))?\}|(?P<short>[?*+])")
_KIND: Final = re.compile(r"\\d|\\(?P<escaped>.)|(?P<range>[A-Za-z0-9]-[A-Za-z0-9])|.")
_NAMED: Final = {r"\d": "digits", "0-9": "digits", "A-Z": "capitals", "a-z": "small"}
_SHORT: Final = {"?": (0, 1), "*": (0, None), "+": (1, None)}
ONCE: Final = (1, 1)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the answer: literal characters, or a number of characters of some classes."""

    signs: str = ""
    kinds: str = ""
    times: tuple[int, int | None] = ONCE


def pattern_text(pattern: str, words: Translations, language: str) -> str:
    """Return the pattern in words, `10 chiffres`. Empty if it has no simple words."""
    said = [_said(piece, words, language) for piece in _pieces(pattern)]
    if not said or not all(said):
        return ""
    text = said[0]
    for one in said[1:]:
        text = words.say("pattern.then", language, {"first": text, "second": one})
    return text


def _pieces(pattern: str) -> list[Piece]:
    """Return the pieces in order, none if a part is neither a character nor a class."""
    found: list[Piece] = []
    at = 0
    while at < len(pattern):
        atom = _ATOM.match(pattern, at)
        if atom is None:
            return []
        times = _TIMES.match(pattern, atom.end())
        at = times.end() if times else atom.end()
        sign = (atom["sign"] or "")[-1:]
        if sign and times is None and found and found[-1].signs and found[-1].times == ONCE:
            found[-1] = Piece(found[-1].signs + sign)
        else:
            found.append(Piece(sign, atom["kinds"] or "", _count(times) if times else ONCE))
    return found


def _count(times: re.Match[str]) -> tuple[int, int | None]:
    if times["short"]:
        return _SHORT[times["short"]]
    least = int(times["least"])
    return (least, int(times["most"]) if times["most"] else None) if times["more"] else (least, least)


def _said(piece: Piece, words: Translations, language: str) -> str:
    if piece.signs and piece.times == ONCE:
        return quoted(piece.signs, language)
    kinds = _kinds(piece, words, language)
    digits = words.say("pattern.digits", language, {})
    least, most = piece.times
    key = "least" if most is None else "count" if most == least else "between"
    what = "digit" if kinds == [digits] else "sign"
    count = words.say(f"pattern.{what}_{key}", language, {"count": str(least), "most": str(most)})
    return (
        count
        if kinds == [digits]
        else words.say("pattern.among", language, {"count": count, "kinds": ", ".join(kinds)})
    )


def _kinds(piece: Piece, words: Translations, language: str) -> list[str]:
    """Return the words for the characters that the piece accepts."""
    if piece.signs:
        return [quoted(piece.signs, language)]
    inside = piece.kinds[1:-1] if piece.kinds.startswith("[") else piece.kinds
    said: list[str] = []
    for part in _KIND.finditer(inside):
        if part[0] in _NAMED:
            said.append(words.say(f"pattern.{_NAMED[part[0]]}", language, {}))
        elif part["range"]:
            first, _, last = part["range"].partition("-")
            said.append(words.say("pattern.range", language, {"first": first, "last": last}))
        elif part[0] == " ":
            said.append(words.say("pattern.space", language, {}))
        else:
            said.append(quoted(part["escaped"] or part[0], language))
    return list(dict.fromkeys(said))


def longest_answer(pattern: str) -> int | None:
    """Return the most characters that the pattern accepts, None if it has no simple words or no end."""
    pieces = _pieces(pattern)
    if not pieces or any(piece.times[1] is None for piece in pieces):
        return None
    return sum((piece.times[1] or 0) * max(len(piece.signs), 1) for piece in pieces)
