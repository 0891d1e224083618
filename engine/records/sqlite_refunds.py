"""Money owed back, in SQL that both stores speak."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.records.bodies import instant_text
from engine.records.refunds import Refund, RefundMark
from engine.records.sqlite_rows import Cell, Shape
from engine.records.sqlite_verbs import Verbs

REFUNDS: Final = Shape(Refund, "refund", ("dossier", "entry"))
_PAID: Final = (
    "UPDATE refund SET paid_at = ?, paid_by = ?, reference = ?, payer = ?"
    " WHERE dossier = ? AND entry = ? AND paid_at IS NULL"
)


class RefundVerbs(Verbs):
    def add_refund(self, refund: Refund) -> None:
        self._change(REFUNDS.insert(), REFUNDS.cells(refund))

    def refunds_of(self, dossier_id: str) -> tuple[Refund, ...]:
        return REFUNDS.read_all(self._rows(f"{REFUNDS.select} WHERE dossier = ? ORDER BY entry", (dossier_id,)))

    def pay_back(self, refund: Refund) -> bool:
        paid_at = instant_text(refund.paid_at) if refund.paid_at is not None else None
        cells = (paid_at, refund.paid_by, refund.reference, refund.payer, refund.dossier, refund.entry)
        return self._change(_PAID, cells) == 1

    def refunds_open(
        self, procedures: Sequence[str], offices: frozenset[str] | None, after: RefundMark | None, limit: int
    ) -> tuple[Refund, ...]:
        cells: list[Cell] = [*procedures]
        where = f"procedure IN ({', '.join('?' * len(procedures)) or 'NULL'}) AND paid_at IS NULL"
        if after is not None:
            where += " AND (owed_at, dossier, entry) > (?, ?, ?)"
            cells += [instant_text(after.owed_at), after.dossier, after.entry]
        if offices is not None:
            among = ", ".join("?" * len(offices)) or "NULL"
            where += f" AND EXISTS (SELECT 1 FROM dossier d WHERE d.id = refund.dossier AND (d.office IS NULL OR d.office IN ({among})))"
            cells += sorted(offices)
        sql = f"{REFUNDS.select} WHERE {where} ORDER BY owed_at, dossier, entry LIMIT ?"
        return REFUNDS.read_all(self._rows(sql, (*cells, limit)))

    def forget_payers(self, dossier_id: str) -> None:
        self._change("UPDATE refund SET payer = '' WHERE dossier = ? AND paid_at IS NOT NULL", (dossier_id,))
