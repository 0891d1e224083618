"""The closed table of functions of expressions, and their exact arithmetic. No function raises an error on a value.

An empty argument makes the result empty, except for the functions that test emptiness. Functions over rows, history
and tables have their own nodes.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from engine.core.values import Span
from engine.model.types import INTEGER, Scope, Type, Value

EXACT: Final = Context(prec=28, traps=[])
LARGEST: Final = 10**15  # the largest absolute value of a number
MOST_WORKING_DAYS: Final = 10_000
_LAST_MONTH: Final = 9999 * 12 + 11

# The type of an argument. `same`: the type of the other arguments, number, text or date.
Wanted: TypeAlias = Literal["date", "date_or_partial", "integer", "number", "text", "same", "any", "list"]


@dataclass(frozen=True, slots=True)
class Function:
    """One function: the types and number of its arguments, and its result (`gives` None = the common type)."""

    name: str
    wants: tuple[Wanted, ...]  # the last one repeats up to `most`
    least: int
    most: int
    gives: Type | None
    run: Callable[..., Value]  # (scope, *values)
    takes_empty: bool = False


# -- numbers -----------------------------------------------------------------------------------------------------------

Number: TypeAlias = "int | Decimal"


def bounded(number: Number) -> Number | None:
    """Return the number, or None when it is no number or its absolute value is above `LARGEST`."""
    if isinstance(number, Decimal) and not number.is_finite():
        return None
    return number if -LARGEST <= number <= LARGEST else None


def add(left: Number, right: Number) -> Number | None:
    """Return the exact sum, None when it is out of range."""
    if isinstance(left, int) and isinstance(right, int):
        return bounded(left + right)
    return bounded(EXACT.add(Decimal(left), Decimal(right)))


def subtract(left: Number, right: Number) -> Number | None:
    """Return the exact difference, None when it is out of range."""
    if isinstance(left, int) and isinstance(right, int):
        return bounded(left - right)
    return bounded(EXACT.subtract(Decimal(left), Decimal(right)))


def multiply(left: Number, right: Number) -> Number | None:
    """Return the exact product, None when it is out of range."""
    if isinstance(left, int) and isinstance(right, int):
        return bounded(left * right)
    return bounded(EXACT.multiply(Decimal(left), Decimal(right)))


def divide(left: Number, right: Number) -> Number | None:
    """Return the quotient as a decimal, None for a division by zero or out of range."""
    return bounded(EXACT.divide(Decimal(left), Decimal(right))) if right else None


def _round(number: Number, rounding: str) -> Value:
    return int(Decimal(number).to_integral_value(rounding, EXACT))


# -- dates -------------------------------------------------------------------------------------------------------------


def years_between(birth: date, day: date) -> int:
    """Return whole years. A person born on 29 February is a year older on 1 March of ordinary years."""
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def add_months(day: date, count: int) -> date | None:
    """Return the day that many months later, None outside the calendar.

    31 January and one month is the last day of February.
    """
    months = day.year * 12 + day.month - 1 + count
    if not 12 <= months <= _LAST_MONTH:
        return None
    year, month = divmod(months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def months_between(start: date, end: date) -> int:
    """Return the started months: one day over a month makes two. Negative when `end` comes first."""
    if end < start:
        return -months_between(end, start)
    count = (end.year - start.year) * 12 + end.month - start.month
    reached = add_months(start, count)
    return count + (reached is not None and reached < end)


def add_span(scope: Scope, day: date, span: Span, sign: int) -> date | None:
    """Return the date that many days, weeks, months or years later or earlier.

    None outside the calendar, or for hours.
    """
    count = span.count * sign
    try:
        match span.unit:
            case "day" if span.working:
                return scope.add_working_days(day, count) if abs(count) <= MOST_WORKING_DAYS else None
            case "day":
                return day + timedelta(days=count)
            case "week":
                return day + timedelta(weeks=count)
            case "month":
                return add_months(day, count)
            case "year":
                return add_months(day, count * 12)
    except OverflowError:
        return None
    return None


def date_or_none(year: int, month: int, day: int) -> date | None:
    """Return the date, None if the calendar has no such day."""
    try:
        return date(year, month, day)
    except (ValueError, OverflowError):
        return None


def _year(day: date | str) -> int | None:
    if isinstance(day, date):
        return day.year
    return int(day[:4]) if day[:4].isascii() and day[:4].isdigit() and len(day) >= 4 else None


def _span(unit: str, working: bool = False) -> Callable[..., Value]:
    return lambda scope, count: Span(count, unit, working)


# -- the table ---------------------------------------------------------------------------------------------------------

_DATE: Final = Type("date")
_SPAN: Final = Type("span")
_YES_NO: Final = Type("yes_no")
_OFFICE: Final = Type("choice")

_ALL: Final = (
    Function("age", ("date",), 1, 2, INTEGER, lambda scope, birth, at=None: years_between(birth, at or scope.today)),
    Function("year", ("date_or_partial",), 1, 1, INTEGER, lambda scope, day: _year(day)),
    Function("month", ("date",), 1, 1, INTEGER, lambda scope, day: day.month),
    Function("date", ("integer",), 3, 3, _DATE, lambda scope, year, month, day: date_or_none(year, month, day)),
    Function("days_between", ("date",), 2, 2, INTEGER, lambda scope, start, end: (end - start).days),
    Function("months_between", ("date",), 2, 2, INTEGER, lambda scope, start, end: months_between(start, end)),
    Function("days", ("integer",), 1, 1, _SPAN, _span("day")),
    Function("weeks", ("integer",), 1, 1, _SPAN, _span("week")),
    Function("working_days", ("integer",), 1, 1, _SPAN, _span("day", working=True)),
    Function("months", ("integer",), 1, 1, _SPAN, _span("month")),
    Function("years", ("integer",), 1, 1, _SPAN, _span("year")),
    Function("min", ("same",), 2, 20, None, lambda scope, *values: min(values)),
    Function("max", ("same",), 2, 20, None, lambda scope, *values: max(values)),
    Function("round_up", ("number",), 1, 1, INTEGER, lambda scope, number: _round(number, ROUND_CEILING)),
    Function("round_down", ("number",), 1, 1, INTEGER, lambda scope, number: _round(number, ROUND_FLOOR)),
    Function("length", ("text",), 1, 1, INTEGER, lambda scope, text: len(text)),
    Function("answered", ("any",), 1, 1, _YES_NO, lambda scope, value: value is not None, takes_empty=True),
    Function("otherwise", ("same",), 2, 2, None, lambda scope, value, other: other if value is None else value, True),
    Function("in_list", ("text", "list"), 2, 2, _YES_NO,
             lambda scope, code, list_id: code in scope.lists.get(list_id, frozenset())),
    Function("office_serving", ("text",), 1, 1, _OFFICE, lambda scope, place: scope.office_serving(place)),
)  # fmt: skip

FUNCTIONS: Final[Mapping[str, Function]] = MappingProxyType({one.name: one for one in _ALL})
