"""Pseudonymised export for auditors, to read with SQL.

It holds every submitted request with its journal, without personal data. Dossiers, persons and payments
have pseudonyms derived from a secret of the installation. They are equal in each export, so files can
be joined, and cannot be reversed from a file. Names of answers are included, never their values. Of
journals, only codes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Final

from engine.core.progress import ProgressReporter, unwatched
from engine.core.values import Plain
from engine.journal.chain import JournalEntry
from engine.records.codec import instant_text
from engine.records.dossier import Dossier, Payment
from engine.services.context.app_context import AppContext
from engine.storage.sqlite.pseudonymised_file import Cell, Columns, write_masked

TABLES: Final[Mapping[str, Columns]] = {
    "dossiers": {
        "dossier": str, "procedure": str, "edition": int, "fingerprint": str, "state": str, "channel": str, "language": str,
        "office": str, "applicant": str, "assigned": str, "opened_at": str, "submitted_at": str, "due_at": str, "closed_at": str,
        "erased_at": str, "answers": int, "files": int,
    },
    "journal": {
        "dossier": str, "n": int, "at": str, "kind": str, "by_kind": str, "by": str, "fingerprint": str, "transition": str,
        "source": str, "target": str, "fee": str, "output": str, "appointment": str, "amount": int, "hash": str,
    },
    "answers": {"dossier": str, "question": str},
    "confirmations": {"dossier": str, "question": str, "piece": str, "by": str, "at": str, "differs": int},
    "fees": {"dossier": str, "fee": str, "amount": int, "paid": int, "at": str},
    "payments": {
        "payment": str, "dossier": str, "fees": str, "amount": int, "provider": str, "method": str, "status": str,
        "reason": str, "started_at": str, "ended_at": str,
    },
    "visits": {
        "dossier": str, "appointment": str, "office": str, "start": str, "minutes": int, "status": str, "moves": int,
    },
    "documents": {
        "dossier": str, "output": str, "status": str, "issued_at": str, "valid_until": str, "changed_at": str,
    },
}  # fmt: skip
INDEXES: Final = (
    *((name, "dossier") for name in TABLES),
    ("dossiers", "procedure"),
    ("journal", "kind"),
    ("journal", "by"),
)
_CODES: Final = ("transition", "source", "target", "fee", "output", "appointment")  # of the body of an entry
_CODE: Final = re.compile(r"[a-z][a-z0-9_.-]{0,79}")
_NAMED: Final = 16  # characters of a pseudonym

Row = tuple[str, Mapping[str, Cell]]


def write_for_controllers(
    ctx: AppContext, file: Path, procedure: str | None = None, progress: ProgressReporter = unwatched
) -> dict[str, int]:
    """Write the file; return the number of rows by table.

    Drafts are left out: only their owner reads them. Each dossier is read at one moment, the whole file
    is not. Raises `FileExistsError`, `OSError`.
    """
    return write_masked(file, TABLES, INDEXES, _rows(ctx, procedure, progress))


def _rows(ctx: AppContext, procedure: str | None, progress: ProgressReporter) -> Iterator[Row]:
    known = ctx.store.all_dossiers
    for dossier_id in progress(known(procedure), lambda: sum(1 for _ in known(procedure)), "dossiers"):
        with ctx.store.unit() as unit:
            dossier = unit.dossier(dossier_id)
            if dossier is None or dossier.is_draft:
                continue
            entries, payments = unit.entries(dossier_id), unit.payments_of(dossier_id)
        yield from _of(dossier, entries, payments, lambda kind, id: _name(ctx, kind, id))


def _name(ctx: AppContext, kind: str, id: str | None) -> str | None:
    return ctx.keys.seal_code("masked", kind, id)[:_NAMED] if id else None


def _of(
    dossier: Dossier,
    entries: tuple[JournalEntry, ...],
    payments: tuple[Payment, ...],
    named: Callable[[str, str | None], str | None],
) -> Iterator[Row]:
    ref: dict[str, Cell] = {"dossier": named("dossier", dossier.id)}
    yield "dossiers", ref | {
        "procedure": dossier.procedure, "edition": dossier.edition, "fingerprint": dossier.fingerprint,
        "state": dossier.state, "channel": dossier.channel, "language": dossier.language, "office": dossier.office,
        "applicant": named("person", dossier.owner), "assigned": named("person", dossier.assigned),
        "opened_at": _at(dossier.created_at), "submitted_at": _at(dossier.submitted_at), "due_at": _at(dossier.due_at),
        "closed_at": _at(dossier.closed_at), "erased_at": _at(dossier.erased_at),
        "answers": len(dossier.answers), "files": len(dossier.attachments),
    }  # fmt: skip
    for entry in entries:
        yield "journal", ref | _entry(entry, named)
    for question in sorted(dossier.answers):
        yield "answers", ref | {"question": question}
    for question, compared in sorted(dossier.confirmed.items()):
        yield "confirmations", ref | {
            "question": question, "piece": compared.piece, "by": named("person", compared.by), "at": _at(compared.at),
            "differs": int(compared.differs),
        }  # fmt: skip
    for owed in dossier.owed.values():
        yield "fees", ref | {"fee": owed.fee, "amount": owed.amount, "paid": owed.paid, "at": _at(owed.at)}
    for one in payments:
        yield "payments", ref | {
            "payment": named("payment", one.id), "fees": " ".join(one.fees), "amount": one.amount, "provider": one.provider,
            "method": _code(one.method), "status": one.status, "reason": _code(one.reason),
            "started_at": _at(one.started_at), "ended_at": _at(one.ended_at),
        }  # fmt: skip
    for visit in dossier.bookings.values():
        yield "visits", ref | {
            "appointment": visit.appointment, "office": visit.office, "start": _at(visit.start), "minutes": visit.minutes,
            "status": visit.status, "moves": visit.moves,
        }  # fmt: skip
    for paper in dossier.documents:
        yield "documents", ref | {
            "output": paper.output, "status": paper.status, "issued_at": _at(paper.issued_at),
            "valid_until": _day(paper.valid_until), "changed_at": _at(paper.changed_at),
        }  # fmt: skip


def _entry(entry: JournalEntry, named: Callable[[str, str | None], str | None]) -> dict[str, Cell]:
    body: Mapping[str, Plain] = entry.body if isinstance(entry.body, dict) else {}
    amount = body.get("amount")
    said: dict[str, Cell] = {name: _code(body.get(name)) for name in _CODES}
    said |= {
        "n": entry.n, "at": _at(entry.at), "kind": entry.kind, "by_kind": entry.actor_kind,
        "by": named("person", entry.actor), "fingerprint": entry.edition, "hash": entry.hash,
        "amount": amount if isinstance(amount, int) and not isinstance(amount, bool) else None,
    }  # fmt: skip
    return said


def _code(said: Plain) -> str | None:
    """Return a text that can only be a code. A phone number or a name is never one."""
    return said if isinstance(said, str) and _CODE.fullmatch(said) else None


def _at(instant: datetime | None) -> str | None:
    return instant_text(instant) if instant is not None else None


def _day(day: date | None) -> str | None:
    return day.isoformat() if day is not None else None
