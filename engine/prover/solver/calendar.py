"""The calendar in solver arithmetic: year, month and day of a day number, moves by months, ages.

It is exact for the calendar of `datetime` (years 1 to 9999). A day known in advance is computed at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, TypeAlias

import z3

from engine.language.expressions.functions import add_months, date_or_none, months_between

Z: TypeAlias = Any

FIRST: Final = 1
LAST: Final = date.max.toordinal()
_BEFORE: Final = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)  # days before each month of an ordinary year
_LONG: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_YES: Final = z3.BoolVal(True)


@dataclass(frozen=True, slots=True)
class DateParts:
    """The year, month and day of a day number. `given` is the formula that defines them, true when they are known."""

    year: Z
    month: Z
    day: Z
    given: Z


def age_limit(today: date, years: int) -> int:
    """Return the last birth date, as a day number, of people at least `years` old today.

    0 when no birth date is possible.
    """
    year = today.year - years
    if year < 1:
        return 0
    if year > date.max.year:
        return LAST + 1
    if (today.month, today.day) == (2, 29) and not _is_leap(year):
        return date(year, 2, 28).toordinal()
    return date(year, today.month, today.day).toordinal()


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


class SolverCalendar:
    """Calendar functions on solver values.

    `given` receives the formulas that define new symbols. `working_days` counts on the real calendar.
    """

    def __init__(
        self, given: Callable[[Z], None], working_days: Callable[[date, int], date | None], mark: Callable[[str], None]
    ) -> None:
        self.given, self.working_days, self.mark = given, working_days, mark
        self._parts: dict[int, tuple[Z, DateParts]] = {}
        self._worked = z3.Function("working_days", z3.IntSort(), z3.IntSort(), z3.IntSort())

    def parts(self, value: Z) -> DateParts:
        """Return the year, month and day of a day number. They are arbitrary outside the calendar."""
        value = z3.simplify(value)
        known = self._parts.get(value.get_id())
        if known is None:
            known = (value, self._taken_apart(value))  # the value is stored, so that its id is not reused
            self._parts[value.get_id()] = known
        if not z3.is_true(known[1].given):
            self.given(known[1].given)
            self.mark("calendar")
        return known[1]

    def _taken_apart(self, value: Z) -> DateParts:
        day = _known_day(value)
        if day is not None:
            return DateParts(z3.IntVal(day.year), z3.IntVal(day.month), z3.IntVal(day.day), _YES)
        mark = f"!{len(self._parts)}"
        year, month, number = z3.Int(f"year{mark}"), z3.Int(f"month{mark}"), z3.Int(f"day{mark}")
        exists = z3.And(value >= FIRST, value <= LAST)
        proper = z3.And(
            year >= 1, year <= 9999, month >= 1, month <= 12, number >= 1, number <= _length(year, month),
            value == _ordinal(year, month, number),
        )  # fmt: skip
        return DateParts(year, month, number, z3.Implies(exists, proper))

    def date(self, year: Z, month: Z, day: Z) -> tuple[Z, Z]:
        """Return the day of these three numbers, and whether it exists."""
        year, month, day = (z3.simplify(one) for one in (year, month, day))
        if all(z3.is_int_value(one) for one in (year, month, day)):
            found = date_or_none(year.as_long(), month.as_long(), day.as_long())
            return z3.IntVal(found.toordinal() if found else 1), z3.BoolVal(found is not None)
        exists = z3.And(
            year >= 1, year <= 9999, month >= 1, month <= 12, day >= 1, day <= _length(year, month)
        )  # fmt: skip
        return _ordinal(year, month, day), exists

    def age(self, birth: Z, at: Z) -> Z:
        """Return the whole years from a birth to a day."""
        born, then = self.parts(birth), self.parts(at)
        before = z3.Or(then.month < born.month, z3.And(then.month == born.month, then.day < born.day))
        return then.year - born.year - z3.If(before, z3.IntVal(1), z3.IntVal(0))

    def months_between(self, start: Z, end: Z) -> Z:
        """Return the started months between two days, negative when `end` comes first."""
        known = _known_day(z3.simplify(start)), _known_day(z3.simplify(end))
        if known[0] is not None and known[1] is not None:
            return z3.IntVal(months_between(known[0], known[1]))
        return z3.If(end < start, -self._started_months(end, start), self._started_months(start, end))

    def _started_months(self, start: Z, end: Z) -> Z:
        first, last = self.parts(start), self.parts(end)
        count = (last.year - first.year) * 12 + last.month - first.month
        reached, exists = self._after_months(start, count)
        return count + z3.If(z3.And(exists, reached < end), z3.IntVal(1), z3.IntVal(0))

    def moved(self, day: Z, count: Z, unit: str, working: bool) -> tuple[Z, Z]:
        """Return a day moved by so many units, and whether the result exists."""
        day, count = z3.simplify(day), z3.simplify(count)
        if unit == "day" and working:
            return self._after_working_days(day, count)
        if unit in ("day", "week"):
            found = day + count * (7 if unit == "week" else 1)
            return found, z3.And(found >= FIRST, found <= LAST)
        if unit in ("month", "year"):
            return self._after_months(day, count * 12 if unit == "year" else count)
        return day, z3.BoolVal(False)  # a date and hours have no sum

    def _after_months(self, day: Z, count: Z) -> tuple[Z, Z]:
        day, count = z3.simplify(day), z3.simplify(count)
        known = _known_day(day)
        if known is not None and z3.is_int_value(count):
            found = add_months(known, count.as_long())
            return z3.IntVal(found.toordinal() if found else 1), z3.BoolVal(found is not None)
        parts = self.parts(day)
        months = parts.year * 12 + parts.month - 1 + count
        year, month = months / 12, months % 12 + 1
        length = _length(year, month)
        number = z3.If(parts.day <= length, parts.day, length)
        return _ordinal(year, month, number), z3.And(months >= 12, months <= 9999 * 12 + 11)

    def _after_working_days(self, day: Z, count: Z) -> tuple[Z, Z]:
        """Exact for a known day, else any day that a calendar with long holidays allows."""
        known = _known_day(day)
        if known is not None and z3.is_int_value(count):
            found = self.working_days(known, count.as_long())
            return z3.IntVal(found.toordinal() if found else 1), z3.BoolVal(found is not None)
        found = self._worked(day, count)
        self.given(z3.Implies(count >= 0, z3.And(found >= day + count, found <= day + 2 * count + 30)))
        self.given(z3.Implies(count < 0, z3.And(found <= day + count, found >= day + 2 * count - 30)))
        return found, z3.And(found >= FIRST, found <= LAST)


def _known_day(value: Z) -> date | None:
    if z3.is_int_value(value) and FIRST <= value.as_long() <= LAST:
        return date.min + timedelta(days=value.as_long() - 1)
    return None


def _leap(year: Z) -> Z:
    return z3.And(year % 4 == 0, z3.Or(year % 100 != 0, year % 400 == 0))


def _by_month(month: Z, table: tuple[int, ...]) -> Z:
    found = z3.IntVal(table[0])
    for at, value in enumerate(table[1:], 2):
        found = z3.If(month == at, z3.IntVal(value), found)
    return found


def _length(year: Z, month: Z) -> Z:
    return z3.If(z3.And(month == 2, _leap(year)), z3.IntVal(29), _by_month(month, _LONG))


def _ordinal(year: Z, month: Z, day: Z) -> Z:
    past = year - 1
    leap = z3.If(z3.And(month > 2, _leap(year)), z3.IntVal(1), z3.IntVal(0))
    return past * 365 + past / 4 - past / 100 + past / 400 + _by_month(month, _BEFORE) + leap + day
