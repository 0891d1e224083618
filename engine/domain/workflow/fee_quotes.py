"""Quotes of fees, line by line, in whole francs. Reductions are rounded down and applied in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from math import floor

from engine.domain.common.text_provider import Wording
from engine.domain.fields.field_type import Speech
from engine.domain.fields.numbers import decimal_of
from engine.model import Cut, Fee, FeeLine, Procedure
from engine.model.types import Expression, Scope
from engine.records.dossier import Owed, OwedLine


@dataclass(frozen=True, slots=True)
class Quote:
    """A fee computed on the present answers.

    `missing` names what its amount still depends on. Until it is empty, the amount is a partial one. An
    `exempt` fee is owed at 0 and printed.
    """

    fee: str
    label: str
    amount: int
    lines: tuple[OwedLine, ...]
    exempt: bool = False
    missing: tuple[str, ...] = ()

    @property
    def reasons(self) -> tuple[str, ...]:
        """The ids of the laws behind its lines, each once."""
        return tuple(dict.fromkeys(line.basis for line in self.lines if line.basis))


def quote(procedure: Procedure, fee_id: str, scope: Scope, language: str, wording: Wording) -> Quote:
    """Return the fee for these answers, on the scope's day."""
    fee = procedure.tasks[fee_id]
    assert isinstance(fee, Fee)
    speech, missing = Speech(wording, language), dict[str, None]()
    lines = [owed for line in fee.lines for owed in _lines(fee, line, scope, speech, missing)]
    exempt = fee.exempt is not None and fee.exempt.holds(scope)
    if exempt:
        law = fee.law_of("exempt_when")
        lines = [replace(line, amount=0, exempt=True, basis=law or line.basis) for line in lines]
    else:
        lines += _cuts(fee, sum(line.amount for line in lines), scope, language)
        lines += _to_bounds(fee, sum(line.amount for line in lines), scope, speech)
    total = max(0, sum(line.amount for line in lines))
    return Quote(fee.id, fee.label.in_(language), total, tuple(lines), exempt, tuple(missing))


def part_of(fee: Fee, owed: Owed, scope: Scope) -> int:
    """Return the least payment of a fee: its next instalment where the procedure allows parts, else all of it."""
    plan = fee.instalments
    if plan is None or plan.most < 2 or not plan.when.holds(scope):
        return owed.left
    return min(owed.left, plan.share(owed.amount))


def opens_transition(fee: Fee, owed: Owed, scope: Scope) -> bool:
    """Return True when the payments suffice to advance: the whole fee, or the first part where the procedure says so."""
    plan = fee.instalments
    first = plan is not None and plan.opens == "first" and plan.when.holds(scope)
    return not owed.left or (first and owed.kept >= part_of(fee, replace(owed, paid=0, surplus=0), scope))


def quotes(procedure: Procedure, scope: Scope, language: str, wording: Wording) -> tuple[Quote, ...]:
    """Return every fee owed for these answers, in the order of the definition."""
    return tuple(
        quote(procedure, fee.id, scope, language, wording) for fee in procedure.fees() if fee.when.holds(scope)
    )


def _lines(
    fee: Fee, line: FeeLine, scope: Scope, speech: Speech, missing: dict[str, None]
) -> Iterator[OwedLine]:  # fmt: skip
    if not in_force(line, scope.today):
        return
    if line.for_each is None:
        yield from _line(fee, line, "", scope, speech, missing)
        return
    rows = scope.get(line.for_each)
    for number, row in enumerate(rows if isinstance(rows, tuple) else (), 1):
        if isinstance(row, Mapping):
            yield from _line(fee, line, str(number), scope.inside(row), speech, missing)


def in_force(line: FeeLine, day: date) -> bool:
    """Return True when the line applies on this day, its first and last day included."""
    return (line.from_ is None or line.from_ <= day) and (line.until is None or day <= line.until)


def _line(
    fee: Fee, line: FeeLine, number: str, scope: Scope, speech: Speech, missing: dict[str, None]
) -> Iterator[OwedLine]:
    if not line.when.holds(scope):
        return
    unit = _amount(line.amount, scope, missing)
    times = None if line.times is None else _amount(line.times, scope, missing)
    if unit is None or (times is None and line.times is not None):
        return
    label = line.label.in_(speech.language)
    yield OwedLine(
        id=f"{line.id}.{number}" if number else line.id,
        label=f"{label} ({number})" if number else label,
        amount=floor(unit if times is None else unit * times),
        unit_amount=None if times is None else floor(unit),
        times=None if times is None else speech.wording.amount(times, speech.language),
        per=line.per.in_(speech.language) if line.per else None,
        basis=line.law_of("amount") or fee.law_of("amount"),
    )


def _amount(expression: Expression, scope: Scope, missing: dict[str, None]) -> Decimal | None:
    """Return an exact number, None when it is empty. The empty names are then added to `missing`."""
    found = decimal_of(expression.value(scope))
    if found is None:
        lacking = [name for name in sorted(expression.names) if scope.get(name) is None]
        missing.update(dict.fromkeys(lacking or [expression.text]))
    return found


def _cuts(fee: Fee, total: int, scope: Scope, language: str) -> Iterator[OwedLine]:
    """Yield the reductions that apply, each on the remainder of those before."""
    for number, cut in enumerate(fee.reductions, 1):
        if not cut.when.holds(scope):
            continue
        taken = min(total, _cut(cut, total, scope))
        if taken > 0:
            total -= taken
            yield OwedLine(f"reduction.{number}", cut.because.in_(language), -taken, basis=cut.basis)


def _cut(cut: Cut, total: int, scope: Scope) -> int:
    percent = decimal_of(cut.percent.value(scope)) if cut.percent else None
    if percent is not None:
        return floor(total * percent / 100)
    amount = decimal_of(cut.amount.value(scope)) if cut.amount else None
    return floor(amount) if amount is not None else 0


def _to_bounds(fee: Fee, total: int, scope: Scope, speech: Speech) -> Iterator[OwedLine]:
    """Yield the line that raises the total to `at_least` or lowers it to `at_most`."""
    least = decimal_of(fee.at_least.value(scope)) if fee.at_least else None
    most = decimal_of(fee.at_most.value(scope)) if fee.at_most else None
    for key, limit, beyond in (("at_least", least, 1), ("at_most", most, -1)):
        if limit is not None and (floor(limit) - total) * beyond > 0:
            label = speech.wording.say(f"fee.{key}", speech.language, {})
            yield OwedLine(key, label, floor(limit) - total, basis=fee.law_of(key))
            total = floor(limit)


def fee_names(fee: Fee) -> frozenset[str]:
    """Return every name that an amount depends on."""
    of_lines = (one for line in fee.lines for one in (line.amount, line.times, line.when))
    of_cuts = (one for cut in fee.reductions for one in (cut.when, cut.percent, cut.amount))
    all_of_them = (fee.when, fee.exempt, fee.at_least, fee.at_most, *of_lines, *of_cuts)
    return frozenset(name for one in all_of_them if one is not None for name in one.names)
