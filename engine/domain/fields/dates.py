"""Field types of dates and times: date, partial date, time of day."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, timedelta
from typing import Final

from engine.core.values import Plain
from engine.domain.fields.field_type import FieldContext, FieldKind, Speech, bound, field_kind
from engine.domain.fields.raw_answers import Fault, Raw, fault, is_wrong, one, tidy, typed_text
from engine.model import Field
from engine.model.types import Expression, Value

_MONTHS: Final = (
    ("janvier", "january"), ("fevrier", "february"), ("mars", "march"), ("avril", "april"), ("mai", "may"),
    ("juin", "june"), ("juillet", "july"), ("aout", "august"), ("septembre", "september"), ("octobre", "october"),
    ("novembre", "november"), ("decembre", "december"),
)  # fmt: skip
_PARTS: Final = re.compile(r"[^0-9a-z]+")
BOXES: Final = ("day", "month", "year")


def _fold(text: str) -> str:
    """Return the text in lower case without accents."""
    if text.isascii():
        return text.casefold()
    split = unicodedata.normalize("NFD", text.casefold())
    return "".join(sign for sign in split if not unicodedata.combining(sign))


def _month(text: str) -> int | None:
    if text.isdigit():
        return _small(text)
    if len(text) < 3:
        return None
    found = [n for n, names in enumerate(_MONTHS, 1) if any(name.startswith(text) for name in names)]
    return found[0] if len(found) == 1 else None


def _split(typed: str) -> tuple[str, str, str]:
    """Return day, month and year as typed, empty where missing.

    It reads `27/3/1990`, `27 mars 1990`, `1er mai 1990`, `March 27, 1990` and `1990-03-27`.
    """
    if typed.count("/") == 2:
        day, month, year = (part.strip() for part in typed.split("/"))
        return day, month, year
    parts = [part for part in _PARTS.split(_fold(typed)) if part]
    if len(parts) == 1 and re.fullmatch(r"[0-9]{8}", parts[0]):
        parts = [parts[0][:2], parts[0][2:4], parts[0][4:]]
    if len(parts) == 3 and len(parts[0]) == 4 and parts[0].isdigit():
        parts.reverse()
    if len(parts) == 3 and parts[0].isalpha() and parts[1].isdigit():  # March 27, 1990
        parts[0], parts[1] = parts[1], parts[0]
    if len(parts) == 2:
        parts = ["", *parts] if len(parts[1]) == 4 else [*parts, ""]
    if len(parts) == 1:
        parts = ["", "", *parts]
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 else ("", "", "")


def _numbers(typed: str) -> tuple[int | None, int | None, int | None] | Fault:
    """Return day, month and year as numbers, None where missing, or the fault."""
    day, month, year = (_fold(part) for part in _split(typed))
    if not (day or month or year):
        return fault("date")
    day = "1" if day in ("1er", "1st") else day
    found = (_small(day), _month(month) if month else None, int(year) if re.fullmatch("[0-9]{1,6}", year) else None)
    if any(text and number is None for text, number in zip((day, month, year), found, strict=True)):
        return fault("date")
    if year and (len(year) != 4 or year.startswith("0")):
        return fault("date_year")
    return found


def _small(text: str) -> int | None:
    return int(text) if re.fullmatch("[0-9]{1,2}", text) else None


class _BoxesKind(FieldKind):
    """A date in three boxes, or one text where a renderer has only one control."""

    def controls(self, field: Field, path: str) -> tuple[str, ...]:
        """Return the text control and the three boxes."""
        return (path, *(f"{path}_{box}" for box in BOXES))

    def posted(self, field: Field, raw: Raw, path: str) -> str | None:
        """Return the boxes as `day/month/year`, or the posted text. None when no control was posted."""
        typed = [one(raw, f"{path}_{box}") for box in BOXES]
        if any(text is not None for text in typed):
            parts = [tidy(text or "").replace("/", " ") for text in typed]
            return "/".join(parts) if any(parts) else ""
        return super().posted(field, raw, path)

    def boxes(self, plain: Plain) -> tuple[str, ...]:
        """Return day, month and year without leading zeros, as typed for a wrong answer."""
        if is_wrong(plain):
            return _split(typed_text(plain))
        if not isinstance(plain, str):
            return ("", "", "")
        year, month, day = [*plain.split("-"), "", ""][:3]
        return (day.lstrip("0"), month.lstrip("0"), year)


@field_kind("date")
class DateKind(_BoxesKind):
    """A whole date, stored as ISO text."""

    def parse(self, field: Field, typed: str, asking: FieldContext) -> Plain | Fault:
        """Return the ISO date, else `date`, `date_year`, `date_incomplete` or `date_unreal`."""
        found = _numbers(typed)
        if isinstance(found, Fault):
            return found
        missing = tuple(box for box, number in zip(BOXES, found, strict=True) if number is None)
        if missing:
            return fault("date_incomplete", missing=missing)
        day, month, year = (int(number or 0) for number in found)
        try:
            return date(year, month, day).isoformat()
        except ValueError:
            return fault("date_unreal", day=day, month=month, year=year)

    def typed(self, field: Field, plain: Plain) -> Value:
        """Return the date of ISO text, None for anything else."""
        if not isinstance(plain, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", plain):
            return None
        try:
            return date.fromisoformat(plain)
        except ValueError:
            return None

    def plain(self, value: Value) -> Plain:
        """Return the ISO text of a date, None for another value."""
        return value.isoformat() if isinstance(value, date) else None

    def limits(self, field: Field, plain: Plain, asking: FieldContext) -> list[Fault]:
        """Return the fault of a date outside its bounds. A bound of today has its own code."""
        value, bounds = self.typed(field, plain), field.bounds
        assert isinstance(value, date)
        minimum, maximum = bound(bounds.minimum, asking), bound(bounds.maximum, asking)
        if isinstance(minimum, date) and value < minimum:
            code = "date_future" if _is_today(bounds.minimum) else "minimum"
            return [fault(code, bounds.message, minimum=minimum.isoformat())]
        if isinstance(maximum, date) and value > maximum:
            code = "date_past" if _is_today(bounds.maximum) else "maximum"
            return [fault(code, bounds.message, maximum=maximum.isoformat())]
        return []

    def text(self, field: Field, plain: Plain, asking: FieldContext, speech: Speech) -> str:
        """Return the date in words, the typed text for a wrong answer."""
        value = self.typed(field, plain)
        return speech.wording.plain_day(value, speech.language) if isinstance(value, date) else typed_text(plain)

    def example(self, field: Field, asking: FieldContext) -> Plain:
        """Return today, moved inside the bounds."""
        value = asking.scope.today
        minimum, maximum = bound(field.bounds.minimum, asking), bound(field.bounds.maximum, asking)
        if isinstance(maximum, date):
            value = min(value, maximum)
        if isinstance(minimum, date):
            value = max(value, minimum)
        return value.isoformat()


def _is_today(expression: Expression | None) -> bool:
    return expression is not None and expression.text.strip() == "today"


@field_kind("partial_date")
class PartialDateKind(_BoxesKind):
    """A date of which only the year, or the month and the year, may be known."""

    def parse(self, field: Field, typed: str, asking: FieldContext) -> Plain | Fault:
        """Return the known parts as ISO text, else `date`, `date_year`, `date_incomplete` or `date_unreal`."""
        iso = re.fullmatch(r"([0-9]{4})-([0-9]{1,2})", typed)
        found = (None, int(iso[2]), int(iso[1])) if iso else _numbers(typed)
        if isinstance(found, Fault):
            return found
        day, month, year = found
        if year is None or (day is not None and month is None):
            return fault("date_incomplete", missing=("year",) if year is None else ("month",))
        try:
            date(year, month or 1, day or 1)
        except ValueError:
            return fault("date_unreal", day=day or 1, month=month or 1, year=year)
        text = f"{year:04}"
        text += f"-{month:02}" if month else ""
        return text + (f"-{day:02}" if day else "")

    def typed(self, field: Field, plain: Plain) -> Value:
        """Return the ISO text of one to three parts, None for anything else."""
        known = isinstance(plain, str) and re.fullmatch(r"[0-9]{4}(-[0-9]{2}){0,2}", plain)
        return plain if known and isinstance(plain, str) else None

    def text(self, field: Field, plain: Plain, asking: FieldContext, speech: Speech) -> str:
        """Return the year, the month in figures (`03/1990`) or the whole date in words."""
        value = self.typed(field, plain)
        if not isinstance(value, str):
            return typed_text(plain)
        if len(value) == 10:
            return speech.wording.plain_day(date.fromisoformat(value), speech.language)
        return value if len(value) == 4 else f"{value[5:]}/{value[:4]}"

    def example(self, field: Field, asking: FieldContext) -> Plain:
        """Return the year of one year ago."""
        return f"{(asking.scope.today - timedelta(days=365)).year:04}"


@field_kind("time")
class TimeKind(FieldKind):
    """A time of day, stored as `HH:MM`."""

    def parse(self, field: Field, typed: str, asking: FieldContext) -> Plain | Fault:
        """Return the time of `8h`, `8 h 30` or `08:30`, else `time`."""
        found = re.fullmatch(r"([0-9]{1,2}) ?[:hH.] ?([0-9]{2})?(?: ?min)?", typed)
        if found is None:
            return fault("time")
        hour, minute = int(found[1]), int(found[2] or 0)
        return f"{hour:02}:{minute:02}" if hour < 24 and minute < 60 else fault("time")

    def typed(self, field: Field, plain: Plain) -> Value:
        """Return the text `HH:MM`, None for anything else."""
        known = isinstance(plain, str) and re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", plain)
        return plain if known and isinstance(plain, str) else None

    def text(self, field: Field, plain: Plain, asking: FieldContext, speech: Speech) -> str:
        """Return `8 h 30` in French, `08:30` in English."""
        value = self.typed(field, plain)
        if not isinstance(value, str):
            return typed_text(plain)
        hour, minute = value.split(":")
        return speech.wording.hour(int(hour) * 60 + int(minute), speech.language)

    def example(self, field: Field, asking: FieldContext) -> Plain:
        """Return 08:00."""
        return "08:00"
