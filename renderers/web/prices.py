"""What a price is made of, line by line: how each was counted, and on which law it rests."""

from __future__ import annotations

from dataclasses import dataclass

from engine.records.dossier import OwedLine
from renderers.web.base import language, say, site
from renderers.web.cases import Case, label


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One line of the fee table: how it was counted, and on which law it rests."""

    label: str
    amount: int
    detail: str
    law: str
    to_confirm: bool
    exempt: bool


@dataclass(frozen=True, slots=True)
class PriceTable:
    label: str
    lines: tuple[PriceLine, ...]
    total: int
    left: bool = False  # some of it was paid
    note: str = ""


def price_table(one: Case, title: str, lines: tuple[OwedLine, ...], total: int) -> PriceTable:
    """The lines of a price, with their laws; those of one row each say whose they are."""
    names = _row_names(one, lines)
    return PriceTable(title, tuple(_price_line(one, line, names.get(line.id, "")) for line in lines), total)


def _price_line(one: Case, line: OwedLine, row: str) -> PriceLine:
    law = one.procedure.laws.get(line.basis or "")
    detail = ""
    if line.unit_amount is not None and line.times is not None:
        amount = site().words.money(line.unit_amount, language())
        key = "price.each" if line.per else "price.times"
        detail = say(key, amount=amount, per=line.per or "", times=line.times)
    sourced = law is not None and law.status == "sourced"
    plain = line.label.removesuffix(f" ({line.id.rpartition('.')[2]})")
    return PriceLine(
        say("row.of", group=plain, label=row) if row else line.label, line.amount, detail,
        label(law.title) if law and sourced else "", law is not None and not sourced, line.exempt,
    )  # fmt: skip


def _row_names(one: Case, lines: tuple[OwedLine, ...]) -> dict[str, str]:
    """The rows by their own names, for the lines that price each of them (`visa.2`)."""
    groups = {known.id: known.for_each for fee in one.procedure.fees() for known in fee.lines if known.for_each}
    if not any(line.id.partition(".")[0] in groups for line in lines):
        return {}
    views = {view.id: view for part in one.form().pages for view in part.fields if view.type == "rows"}
    return {
        f"{name}.{at}": row.label
        for name, group in groups.items() if group in views
        for at, row in enumerate(views[group].rows, 1) if row.label
    }  # fmt: skip
