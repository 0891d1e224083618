"""Figures from counters: numbers, times and shares, without figures that would identify few people.

A hidden figure must not be computable by subtraction from published ones. Where a total is published, at
least two of its parts and at least `few` people are hidden. Received and answered are hidden together,
because their difference is the change of the stock. The stock, and totals over several procedures, are
rounded to the nearest ten.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from engine.records.statistics import CURRENT, Count

FEW: Final = 10
TEN: Final = 10
_MEDIAN, _MOST = 50, 90  # percent
FLOWS: Final = ("received", "answered")
FLOWING: Final = (*FLOWS, "standing")


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure. `value` is None when it is hidden.

    A hidden figure with `few` concerns too few people. Without `few` it protects a neighbouring figure.
    `unit` is that of a length of time, or `percent`.
    """

    figure: str
    value: int | None
    detail: str = ""
    unit: str = ""
    few: bool = False


@dataclass(frozen=True, slots=True)
class Spread:
    """Times in whole units: half of the dossiers took `median` or less, nine in ten `most` or less."""

    unit: str
    n: int
    median: int
    most: int


class Figures:
    """The counts of some procedures, offices and months together. `standing` is the stock at their end."""

    def __init__(self, counts: Mapping[Count, int] | Iterable[tuple[Count, int]], current: int = 0) -> None:
        self._by: dict[str, dict[str, int]] = {}
        self.standing = max(0, current)
        for one, n in counts.items() if isinstance(counts, Mapping) else counts:
            if one.month != CURRENT:
                details = self._by.setdefault(one.figure, {})
                details[one.detail] = details.get(one.detail, 0) + n

    def by(self, figure: str) -> dict[str, int]:
        """Return the counts of a figure by detail, the largest first. Negative and zero counts are left out."""
        found = {detail: n for detail, n in self._by.get(figure, {}).items() if n > 0}
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def total(self, figure: str) -> int:
        """Return the sum of a figure over its positive details."""
        return sum(self.by(figure).values())

    def spread(self, figure: str) -> Spread | None:
        """Return the spread of a figure whose details are lengths (`working_day:12`), in their commonest unit."""
        return _spread(self.by(figure))

    def spreads(self, figure: str) -> dict[str, Spread]:
        """Return the spread of each part of a figure, whose details name the part before the length."""
        parts: dict[str, dict[str, int]] = {}
        for detail, n in self.by(figure).items():
            part, _, length = detail.partition(":")
            parts.setdefault(part, {})[length] = n
        return {part: spread for part, lengths in parts.items() if (spread := _spread(lengths))}

    @property
    def is_empty(self) -> bool:
        """True without any count and without stock."""
        return not self._by and not self.standing


def _spread(details: Mapping[str, int]) -> Spread | None:
    lengths: dict[str, dict[int, int]] = {}
    for detail, n in details.items():
        unit, _, length = detail.partition(":")
        lengths.setdefault(unit, {})[int(length)] = n
    if not lengths:
        return None
    unit = max(lengths, key=lambda one: (sum(lengths[one].values()), one))
    return Spread(unit, sum(lengths[unit].values()), *(percentile(lengths[unit], one) for one in (_MEDIAN, _MOST)))


def percentile(lengths: Mapping[int, int], percent: int) -> int:
    """Return the smallest length that at least `percent` percent do not exceed."""
    wanted, reached = -(-sum(lengths.values()) * percent // 100), 0
    for length in sorted(lengths):
        reached += lengths[length]
        if reached >= wanted:
            return length
    return 0


def share(part: int, whole: int) -> int:
    """Return a share in whole percent, 0 or 100 only when it is exact."""
    if not whole or part in (0, whole):
        return 100 if whole and part else 0
    return min(99, max(1, round(100 * part / whole)))


# -- hiding small numbers ----------------------------------------------------------------------------------------------


def shown_count(n: int, few: int) -> int | None:
    """Return the number, None when it is small enough to identify a person. Zero is shown."""
    return None if 0 < n < few else n


def hidden(parts: Mapping[str, int], few: int) -> dict[str, int | None]:
    """Return the parts of a published total with the small ones hidden.

    The smallest others are hidden too, until at least two parts and at least `few` people are.
    """
    found = {name: shown_count(n, few) for name, n in parts.items()}
    gone = [parts[name] for name, n in found.items() if n is None]
    left = sorted((n, name) for name, n in found.items() if n)
    while gone and left and (len(gone) < 2 or sum(gone) < few):
        n, name = left.pop(0)
        found[name] = None
        gone.append(n)
    return found


def nearly(n: int, few: int) -> int | None:
    """Return a number rounded to the nearest ten when small numbers are hidden."""
    if not few:
        return n
    return None if 0 < n < few else (n + TEN // 2) // TEN * TEN


def _number(figure: str, n: int, value: int | None, few: int, detail: str = "") -> Cell:
    """Return the cell of a number shown as `value`."""
    return Cell(figure, value, detail, few=value is None and shown_count(n, few) is None)


# -- figures -----------------------------------------------------------------------------------------------------------


def flow_cells(figures: Figures, few: int = 0) -> tuple[Cell, ...]:
    """Return the cells of a table row: received, answered, stock, times and share in time."""
    received, answered = _flows(figures, few)
    return (
        _number("received", figures.total("received"), received, few),
        _number("answered", figures.total("answered"), answered, few), _nearly("standing", figures.standing, few),
        *_spread_cells(figures, "delay", few), *_in_time(figures, few),
    )  # fmt: skip


def total_cells(figures: Figures, few: int = 0) -> tuple[Cell, ...]:
    """Return the totals of several procedures whose own numbers are published.

    Public totals are rounded to the nearest ten, else a hidden number could be computed. Times have no common
    unit.
    """
    flows = (_nearly(one, figures.total(one), few) for one in FLOWS)
    return (*flows, _nearly("standing", figures.standing, few), *_in_time(figures, few))


def all_cells(figures: Figures, few: int = 0) -> tuple[Cell, ...]:
    """Return every figure of one procedure in one period."""
    received, answered = _flows(figures, few)
    outcomes = hidden(figures.by("answered"), few)
    refused = outcomes.get("refused") is not None and answered is not None
    dropped = shown_count(figures.total("dropped"), few)
    return (
        *flow_cells(figures, few), *_spread_cells(figures, "pause", few), *_step_cells(figures, few),
        *_parts("channel", figures.by("received"), received is not None, few),
        *_parts("outcome", figures.by("answered"), answered is not None, few),
        *_parts("refusal", figures.by("refusal"), refused, few),
        *_correction_cells(figures, answered, few),
        *(_number(one, figures.total(one), shown_count(figures.total(one), few), few) for one in ("opened", "dropped")),
        *_parts("dropped_page", figures.by("dropped"), dropped is not None, few),
        *_visit_cells(figures, few), *_payment_cells(figures, few),
    )  # fmt: skip


def _nearly(figure: str, n: int, few: int) -> Cell:
    return _number(figure, n, nearly(n, few), few)


def _flows(figures: Figures, few: int) -> tuple[int | None, int | None]:
    both = tuple(shown_count(figures.total(one), few) for one in FLOWS)
    return (None, None) if None in both else (both[0], both[1])


def _parts(figure: str, parts: Mapping[str, int], is_reported: bool, few: int) -> tuple[Cell, ...]:
    found = hidden(parts, few) if is_reported else dict.fromkeys(parts)
    return tuple(_number(figure, parts[detail], n, few, detail) for detail, n in found.items())


def _spread_cells(figures: Figures, figure: str, few: int) -> tuple[Cell, ...]:
    spread = figures.spread(figure)
    if spread is None:
        return ()
    seen = spread.n >= few
    return (
        Cell(f"{figure}_median", spread.median if seen else None, unit=spread.unit),
        Cell(f"{figure}_most", spread.most if seen else None, unit=spread.unit),
    )


def _step_cells(figures: Figures, few: int) -> Iterator[Cell]:
    """Yield the times of each state. They are not public: few dossiers pass through some states."""
    for state, spread in ({} if few else figures.spreads("step")).items():
        yield Cell("step_median", spread.median, state, spread.unit)
        yield Cell("step_most", spread.most, state, spread.unit)


def _in_time(figures: Figures, few: int) -> tuple[Cell, ...]:
    """Return the share in time. The number of late ones is not public: with the share it would reveal hidden outcomes."""
    judged, late = figures.total("judged"), figures.total("late")
    if not judged:
        return ()
    percent = _share_shown(judged - late, judged, few)
    return (Cell("in_time", percent, unit="percent"), *(() if few else (Cell("late", late),)))


def _share_shown(part: int, whole: int, few: int) -> int | None:
    both = (shown_count(part, few), shown_count(whole - part, few))
    return None if None in both else share(part, whole)


def _correction_cells(figures: Figures, answered: int | None, few: int) -> tuple[Cell, ...]:
    part, whole = figures.total("corrected"), figures.total("answered")
    if not whole:
        return ()
    percent = _share_shown(part, whole, few) if answered is not None else None
    fields = figures.by("corrected_field").items()
    return (
        _number("corrected", part, None if percent is None else part, few),
        Cell("corrected_share", percent, unit="percent"),
        *(_number("corrected_field", n, None if percent is None else shown_count(n, few), few, name) for name, n in fields),
    )  # fmt: skip


def _visit_cells(figures: Figures, few: int) -> tuple[Cell, ...]:
    visits = figures.by("visit")
    missed = sum(n for name, n in visits.items() if name.endswith(":missed"))
    cells = _parts("visit", visits, True, few)
    if not visits:
        return ()
    seen = all(one.value is not None for one in cells)
    return (Cell("missed_share", share(missed, sum(visits.values())) if seen else None, unit="percent"), *cells)


def _payment_cells(figures: Figures, few: int) -> tuple[Cell, ...]:
    """Return by operator the started payments, their ends, and the reasons of failure where the ends are shown."""
    payments = figures.by("payment")
    cells: list[Cell] = []
    for provider in sorted({one.partition(":")[0] for one in payments}):
        started = payments.get(f"{provider}:started", 0)
        ends = {
            name: n for name, n in payments.items() if name.startswith(f"{provider}:") and not name.endswith(":started")
        }
        seen = shown_count(started, few)
        cells.append(_number("payment", started, seen, few, f"{provider}:started"))
        of_it = _parts("payment", ends, seen is not None, few)
        why = {name: n for name, n in figures.by("payment_why").items() if name.startswith(f"{provider}:")}
        cells += of_it
        cells += _parts("payment_why", why, all(one.value is not None for one in of_it), few)
    return tuple(cells)


# -- several procedures or offices -------------------------------------------------------------------------------------


def stock_then(counts: Mapping[Count, int], month: str) -> int:
    """Return the stock at the end of a month: the present one without later received and answered dossiers."""
    since = sum(
        n if one.figure == "received" else -n
        for one, n in counts.items()
        if one.figure in FLOWS and one.month != CURRENT and one.month > month
    )
    return sum(n for one, n in counts.items() if one.month == CURRENT) - since


def figures_of(counts: Mapping[Count, int], first: str, last: str) -> Figures:
    """Return the figures from one month to another, both included.

    `counts` must include all months up to the present one.
    """
    inside = ((one, n) for one, n in counts.items() if first <= one.month <= last)
    return Figures(inside, stock_then(counts, last))


def parted(counts: Mapping[Count, int], by: str) -> dict[str, dict[Count, int]]:
    """Return the counts by procedure or by office, without those of no office."""
    found: dict[str, dict[Count, int]] = {}
    for one, n in counts.items():
        name = one.procedure if by == "procedure" else one.office
        if name:
            found.setdefault(name, {})[one] = n
    return found


def _hidden_of(parts: Mapping[str, int], few: int) -> dict[str, int | None]:
    return dict.fromkeys(parts) if shown_count(sum(parts.values()), few) is None else hidden(parts, few)


def office_cells(offices: Mapping[str, Figures], few: int = 0) -> dict[str, tuple[Cell, ...]]:
    """Return the cells of each office.

    Small ones are hidden as `hidden` does for parts of a total. The stock is left out of public figures.
    """
    both = {one: _hidden_of({name: each.total(one) for name, each in offices.items()}, few) for one in FLOWS}
    return {
        name: (
            *(_number(one, each.total(one), both[one][name], few) for one in FLOWS),
            *(() if few else (Cell("standing", each.standing),)),
            *_spread_cells(each, "delay", few), *_in_time(each, few),
        )
        for name, each in offices.items()
    }  # fmt: skip


LEAST: Final = 5  # smaller counts say nothing about a procedure and may identify a person


def most_asked_first(ids: Sequence[str], asked: Mapping[str, int], least: int = LEAST) -> tuple[str, ...]:
    """Return the ids with the most requested first. Equal ids, and ids below `least`, keep their order."""
    known = {name: count for name, count in asked.items() if count >= least}
    return tuple(sorted(ids, key=lambda name: -known.get(name, 0)))
