"""Literal formats of the files: time spans, hours, sizes, days. Each reader returns None for what it cannot read.

It has no position and no problem: the caller knows the place and reports S209 or S210
(`engine/language/source/schema.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from engine.core.values import Span
from engine.model import Hours

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_SLASHED: Final = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")
_FRENCH_TIME: Final = re.compile(r"([01]?\d|2[0-3])\s?[hH]\s?([0-5]\d)?")
_THOUSANDS: Final = re.compile(r"\d{1,3}([ \u00a0\u202f]\d{3})+")
_UNITS: Final = ("minute", "hour", "day", "week", "month", "year")
_MOST_COUNTED: Final[Mapping[str, int]] = {"month": 9_999, "year": 999}  # beyond, dates leave the calendar
_SPAN: Final = re.compile(r"(0|[1-9]\d{0,4}) (working )?(minute|hour|day|week|month|year)(s?)", re.ASCII)
_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)", re.ASCII)
_SIZE: Final = re.compile(r"([1-9]\d{0,5}) (KB|MB)", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_BYTES: Final[Mapping[str, int]] = {"KB": 1_000, "MB": 1_000_000}

# What people write instead, in French or in haste → our unit.
_LOOSE_SPAN: Final = re.compile(r"(\d{1,5})\s*([^\W\d_]+)(?:[\s_-]+([^\W\d_]+))?\.?")
_LOOSE_UNITS: Final[Mapping[str, str]] = {
    "min": "minute", "mn": "minute", "minutes": "minute", "h": "hour", "heure": "hour", "hr": "hour", "j": "day",
    "d": "day", "jour": "day", "semaine": "week", "w": "week", "mois": "month", "an": "year", "annee": "year",
    "année": "year", "y": "year",
}  # fmt: skip
_LOOSE_WORKING: Final = {"working", "work", "business", "ouvre", "ouvré", "ouvrable", "workin", "worked"}


def likely_date(text: str) -> str | None:
    """Return the ISO date of `02/04/1985`, day first. None when that day does not exist."""
    found = _SLASHED.fullmatch(text.strip())
    written = f"{found[3]}-{int(found[2]):02}-{int(found[1]):02}" if found else ""
    return written if found and read_date(written) is not None else None


def likely_time(text: str) -> str | None:
    """Return the time of `18h` or `18 h 30` as `18:30`. None for another text."""
    found = _FRENCH_TIME.fullmatch(text.strip())
    return f"{int(found[1]):02d}:{found[2] or '00'}" if found else None


def likely_number(text: str) -> str | None:
    """Return a number printed with separators, without them: `15 000` → `15000`.

    None when the separators are not those of thousands.
    """
    return re.sub(r"\D", "", text) if _THOUSANDS.fullmatch(text.strip()) else None


def read_span(text: object) -> Span | None:
    """Return `3 working days` as Span(3, "day", True), None when it cannot be read.

    Singular for 1 (`1 day`), plural otherwise. Only hours and days may be working ones. At most 999 years or 9,999
    months.
    """
    match = _SPAN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    count, working, unit, plural = int(match[1]), bool(match[2]), match[3], bool(match[4])
    if plural is (count == 1) or (working and unit not in ("hour", "day")) or count > _MOST_COUNTED.get(unit, count):
        return None
    return Span(count, unit, working)


def likely_span(text: object) -> str | None:
    """Return the span probably meant by one that cannot be read: `10 jours ouvrés` → `10 working days`.

    None when no unit is recognised.
    """
    match = _LOOSE_SPAN.fullmatch(text.strip().lower()) if isinstance(text, str) else None
    if match is None:
        return None
    words = [word for word in (match[2], match[3]) if word]
    working = any({word, _singular(word)} & _LOOSE_WORKING for word in words)
    units = [unit for unit in map(_loose_unit, words) if unit]
    if len(units) != 1 or len(words) != len(units) + working:
        return None
    found = Span(int(match[1]), units[0], working)
    return str(found) if read_span(str(found)) else None


def _loose_unit(word: str) -> str | None:
    for form in (word, _singular(word)):
        if form in _UNITS:
            return form
        if form in _LOOSE_UNITS:
            return _LOOSE_UNITS[form]
    return None


def _singular(word: str) -> str:
    return word[:-1] if word.endswith("s") else word


def read_hours(text: object) -> Hours | None:
    """Return `08:00-12:00` as Hours(480, 720), in minutes since midnight.

    None unless the end is after the start and at most 24:00.
    """
    match = _HOURS.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    start, end = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
    return Hours(start, end) if start < end <= 24 * 60 else None


def read_size(text: object) -> int | None:
    """Return a size in bytes: `5 MB` → 5000000, `200 KB` → 200000. None when it cannot be read."""
    match = _SIZE.fullmatch(text) if isinstance(text, str) else None
    return int(match[1]) * _BYTES[match[2]] if match else None


def read_date(text: object) -> date | None:
    """Return the day of `2026-11-24`, None for a day that does not exist."""
    if not isinstance(text, str) or _DATE.fullmatch(text) is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def read_weekdays(text: object) -> tuple[int, ...] | None:
    """Return the weekdays of `monday` → (0,) or `monday-friday` → (0, 1, 2, 3, 4), None for any other text.

    0 is Monday. A range may not pass over Sunday.
    """
    if not isinstance(text, str):
        return None
    first, _, last = text.partition("-")
    if first not in WEEKDAYS or (last and last not in WEEKDAYS) or text.endswith("-"):
        return None
    start, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
    return tuple(range(start, end + 1)) if start <= end else None


def read_weekday_hours(value: object) -> Mapping[int, tuple[Hours, ...]] | None:
    """Return the hours by weekday, in order, of `{monday-friday: [07:30-12:00]}`.

    None if one of them cannot be read.
    """
    if not isinstance(value, Mapping):
        return None
    found: dict[int, tuple[Hours, ...]] = {}
    for key, entries in value.items():
        days = read_weekdays(key)
        texts = entries if isinstance(entries, Sequence) and not isinstance(entries, str) else [entries]
        hours = [read_hours(text) for text in texts]
        if days is None or None in hours:
            return None
        for day in days:
            found[day] = tuple(sorted((one for one in hours if one), key=lambda one: one.start))
    return found
