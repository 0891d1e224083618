"""Field types of numbers: integer, money (whole francs), decimal, percent."""

from __future__ import annotations

import re
from decimal import Decimal
from math import ceil
from typing import ClassVar, Final

from engine.core.values import Plain
from engine.domain.fields.field_type import FieldContext, FieldKind, Speech, bound, field_kind
from engine.domain.fields.raw_answers import Fault, fault, is_wrong, typed_text
from engine.model import Field
from engine.model.types import Value

LARGEST: Final = 10**15 - 1  # no real answer is larger, and databases and pages represent it exactly
_CURRENCY: Final = re.compile(r"(?:f ?cfa|f|cfa|xof)\.?", re.IGNORECASE)
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,30}")
_GROUPED: Final = re.compile(r"[+-]?[0-9]{1,3}(?:[.,][0-9]{3})+")
_DECIMAL: Final = re.compile(r"[+-]?[0-9]{1,30}(?:[.,][0-9]{1,9})?")


def _bare(field: Field, typed: str) -> str:
    """Return the digits of `30 000 F`, `168 cm`, `1'500`: without grouping, unit or currency."""
    text = typed.strip()
    unit = (field.unit or "").casefold()
    if unit and text.casefold().endswith(unit):
        text = text[: -len(unit)]
    elif field.type == "money":
        text = re.sub(rf"\s*{_CURRENCY.pattern}$", "", text, flags=re.IGNORECASE)
    return re.sub(r"(?<=[0-9])[ '’](?=[0-9])", "", text).replace("−", "-").strip()


class _NumberKind(FieldKind):
    floor: ClassVar[int | None] = None  # the minimum when the definition gives none

    def limits(self, field: Field, plain: Plain, asking: FieldContext) -> list[Fault]:
        """Return the fault of a number outside its bounds or beyond `LARGEST`."""
        value = decimal_of(self.typed(field, plain)) or Decimal(0)
        minimum, maximum = self._bounds(field, asking)
        facts = {
            name: f"{limit:f}" for name, limit in (("minimum", minimum), ("maximum", maximum)) if limit is not None
        }
        if field.unit:
            facts["unit"] = field.unit
        if minimum is not None and value < minimum:
            return [fault("minimum", field.bounds.message, **facts)]
        if maximum is not None and value > maximum:
            return [fault("maximum", field.bounds.message, **facts)]
        return [fault("maximum", maximum=str(LARGEST))] if abs(value) > LARGEST else []

    def _bounds(self, field: Field, asking: FieldContext) -> tuple[Decimal | None, Decimal | None]:
        minimum = self.floor if field.bounds.minimum is None else bound(field.bounds.minimum, asking)
        return decimal_of(minimum), decimal_of(bound(field.bounds.maximum, asking))

    def example(self, field: Field, asking: FieldContext) -> Plain:
        """Return the smallest valid whole number from 1 on."""
        minimum, maximum = self._bounds(field, asking)
        value = max(1, ceil(minimum)) if minimum is not None else 1
        return self.plain(min(value, int(maximum)) if maximum is not None else value)


def decimal_of(value: Value) -> Decimal | None:
    """Return a number as an exact decimal, None for any other value."""
    return Decimal(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else None


@field_kind("integer", "money")
class WholeKind(_NumberKind):
    """A whole number, at least 0 when the definition gives no minimum."""

    floor: ClassVar[int | None] = 0

    def parse(self, field: Field, typed: str, asking: FieldContext) -> Plain | Fault:
        """Return the integer, else `whole` for a decimal number and `number` for other text."""
        text = _bare(field, typed)
        if field.type == "money" and _GROUPED.fullmatch(text):
            text = text.replace(".", "").replace(",", "")
        if _WHOLE.fullmatch(text):
            return int(text)
        return fault("whole" if _DECIMAL.fullmatch(text) else "number")

    def typed(self, field: Field, plain: Plain) -> Value:
        """Return the stored integer, None for anything else."""
        return plain if isinstance(plain, int) and not isinstance(plain, bool) else None

    def plain(self, value: Value) -> Plain:
        """Return a number as an integer, its decimals cut. None for another value."""
        return int(value) if isinstance(value, int | Decimal) else None

    def text(self, field: Field, plain: Plain, asking: FieldContext, speech: Speech) -> str:
        """Return the number with its currency or unit, and grouped digits from 10 000 on or with a unit."""
        value = self.typed(field, plain)
        if not isinstance(value, int):
            return typed_text(plain)
        if field.type == "money":
            return speech.wording.money(value, speech.language)
        if field.unit:
            return f"{speech.wording.amount(value, speech.language)}\u00a0{field.unit}"
        return whole_words(value, speech)


def whole_words(value: int, speech: Speech) -> str:
    """Return a whole number with its digits grouped from 10 000 on: it may be a year, `2019` and not `2 019`."""
    return speech.wording.amount(value, speech.language) if abs(value) >= 10_000 else str(value)


@field_kind("decimal", "percent")
class DecimalKind(_NumberKind):
    """A decimal number, stored as text so that no digit is lost."""

    def parse(self, field: Field, typed: str, asking: FieldContext) -> Plain | Fault:
        """Return the shortest text of the number, else `number`. A comma is accepted."""
        text = _bare(field, typed.removesuffix("%") if field.type == "percent" else typed)
        return self.plain(Decimal(text.replace(",", "."))) if _DECIMAL.fullmatch(text) else fault("number")

    def typed(self, field: Field, plain: Plain) -> Value:
        """Return the stored number as `Decimal`, None for anything else."""
        if isinstance(plain, str) and re.fullmatch(r"-?[0-9]{1,31}(\.[0-9]{1,9})?", plain):
            return Decimal(plain)
        return None

    def plain(self, value: Value) -> Plain:
        """Return the shortest text of the number: `12.5`, never `12.50` or `1E+3`."""
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            return None
        text = f"{Decimal(value):f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return "0" if text in ("-0", "") else text

    def text(self, field: Field, plain: Plain, asking: FieldContext, speech: Speech) -> str:
        """Return the number with its unit or the percent sign, in the notation of the language."""
        value = self.typed(field, plain)
        if is_wrong(plain) or not isinstance(value, Decimal):
            return typed_text(plain)
        if field.type == "percent":
            return speech.wording.percent(value, speech.language)
        words = speech.wording.amount(value, speech.language)
        return f"{words}\u00a0{field.unit}" if field.unit else words
