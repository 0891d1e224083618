"""Names of persons and companies, and free texts, as people type them: allowed characters and length. Pure.

Other people read these names. A name contains letters and their combining marks, of any script, with spaces,
hyphens and apostrophes. Digits, dots and slashes are refused, so no web address fits in a name. So are
control and invisible characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Final

from engine.core.problems import Refused, refusal
from engine.core.values import FORBIDDEN, INVISIBLE

LONGEST: Final = 80
REFUSALS: Final = frozenset({"name_missing", "name_signs", "name_long", "company_name_missing", "company_name_signs"})
MOST_MARKS: Final = 3  # combining marks on one letter, after composition
_JOINTS: Final = frozenset(" -'’ʼ‐‑")
_COMPANY_JOINTS: Final = _JOINTS | frozenset(".,&()+/°«»")
_LINES: Final = re.compile("\r\n?|[\v\f\x85\u2028\u2029]")
_JOINERS: Final = frozenset("\u200c\u200d")  # Persian and the scripts of India write with them, and so do pictures


def person_name(raw: str) -> str:
    """Return the name in its stored form. Raises `Refused`: name_missing, name_long (most), name_signs."""
    return _read(raw, _of_person, "name_signs")


def company_name(raw: str) -> str:
    """Return the name of a company, which may also contain digits and some punctuation.

    Raises `Refused`: company_name_missing, name_long (most), company_name_signs.
    """
    return _read(raw, _of_company, "company_name_signs", "company_name_missing")


def first_wrong(names: Mapping[str, str]) -> str:
    """Return the key of the first refused name of a person, empty when all are accepted."""
    for key, raw in names.items():
        try:
            person_name(raw)
        except Refused:
            return key
    return ""


def readable_name(kept: str) -> str:
    """Return a stored person's name for other readers.

    An earlier release accepted characters that are refused now. They are left out.
    """
    return " ".join("".join(sign for sign in kept if _of_person(sign)).split())[:LONGEST]


def free_text(raw: str) -> str:
    """Return a text that another person reads, on its lines, without control characters and hidden signs.

    Empty when it shows nothing.
    """
    clean = FORBIDDEN.sub("", _LINES.sub("\n", raw))
    text = "".join(sign for sign in clean if sign in _JOINERS or unicodedata.category(sign) != "Cf").strip()
    return "\n".join(line.rstrip() for line in text.split("\n")) if any(map(_shows, text)) else ""


def _shows(sign: str) -> bool:
    kind = unicodedata.category(sign)  # a sign that this Unicode does not know yet may be a picture
    return kind[0] != "Z" and kind not in ("Cc", "Cf") and ord(sign) not in INVISIBLE


def _read(raw: str, may_hold: Callable[[str], bool], signs: str, missing: str = "name_missing") -> str:
    name = unicodedata.normalize("NFC", " ".join(raw.split()))
    if not name:
        raise Refused(refusal(missing))
    if len(name) > LONGEST:
        raise Refused(refusal("name_long", most=LONGEST))
    if not all(may_hold(sign) for sign in name) or not any(map(_is_letter, name)) or _is_stacked(name):
        raise Refused(refusal(signs))
    return name


def _of_person(sign: str) -> bool:
    return sign in _JOINTS or _is_letter(sign) or (_is_mark(sign) and ord(sign) not in INVISIBLE)


def _of_company(sign: str) -> bool:
    return _of_person(sign) or sign in _COMPANY_JOINTS or unicodedata.category(sign) == "Nd"


def _is_letter(sign: str) -> bool:
    return unicodedata.category(sign)[0] == "L" and ord(sign) not in INVISIBLE


def _is_mark(sign: str) -> bool:
    return unicodedata.category(sign) in ("Mn", "Mc")


def _is_stacked(name: str) -> bool:
    """Return True when a mark follows no letter, or a letter has more marks than any language writes."""
    on = MOST_MARKS
    for sign in name:
        on = on + 1 if _is_mark(sign) else 0 if _is_letter(sign) else MOST_MARKS
        if on > MOST_MARKS:
            return True
    return False
