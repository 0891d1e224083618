"""Rows of a dossier against the commitments of its journal.

Messages, notes, payments, shares, timers, seats, and the salts themselves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from engine.core.values import Plain
from engine.domain.appointments.appointments import iso_minute, resource_key
from engine.domain.reporting.journal_state import differences, fold, projection_of
from engine.domain.workflow.transition_context import codes
from engine.journal.chain import COMMITS, JournalEntry, commit_value
from engine.journal.row_journal import (
    BODY,
    ROWS,
    TIMERS,
    WHOLE,
    annotation_row,
    booking_row,
    event_row,
    event_rows,
    letter_row,
    message_row,
    note_row,
    payment_row,
    share_row,
)
from engine.model import Appointment, Procedure
from engine.records.codec import Unreadable, instant_text
from engine.records.dossier import RECEIVED, Actor, Booking, Dossier, OutboundMessage, Payment
from engine.records.exchanges import Message, Note, NotedValue, Share
from engine.records.refunds import PaymentEvent
from engine.services.context.app_context import AppContext, seen
from engine.services.payments.settlement import OPEN
from engine.storage.results import Damaged, IntegrityFinding
from engine.storage.unit_of_work import Unit

Salts = Mapping[int, Mapping[str, str]]
_SALT_SIGNS: Final = 32
_SEATING: Final = frozenset({"booked", "moved", "walked_in"})  # kinds of entries that book a seat: one row each


@dataclass(frozen=True, slots=True)
class Beside:
    """The rows stored beside a dossier, read in one unit."""

    digest: str
    letters: tuple[OutboundMessage, ...]
    messages: tuple[Message, ...]
    notes: tuple[Note, ...]
    annotations: tuple[NotedValue, ...]
    shares: tuple[Share, ...]
    payments: tuple[Payment, ...]
    events: tuple[PaymentEvent, ...]
    credits: Mapping[str, tuple[int, str]]
    bookings: tuple[tuple[str, Booking], ...]
    timers: Plain

    @classmethod
    def of(cls, unit: Unit, dossier_id: str) -> Beside:
        """Read all rows of a dossier in this unit."""
        payments = unit.payments_of(dossier_id)
        events = tuple(event for one in payments for event in unit.events_of(one.id))
        return cls(
            unit.body_digest(dossier_id), unit.letters_of(dossier_id), unit.messages_of(dossier_id),
            unit.notes_of(dossier_id), unit.annotations_of([dossier_id]), unit.shares_of(dossier_id), payments, events,
            unit.credits_of(dossier_id), unit.bookings_of(dossier_id), unit.timer_rows(dossier_id),
        )  # fmt: skip


def commits_of(entry: JournalEntry) -> Mapping[str, Plain]:
    """Return the commitments of an entry by the name of the value."""
    commits = entry.body.get(COMMITS) if isinstance(entry.body, dict) else None
    return commits if isinstance(commits, dict) else {}


def is_salt(salt: str | None) -> bool:
    """Return whether a salt has its form: 32 hexadecimal digits."""
    return salt is not None and len(salt) == _SALT_SIGNS and set(salt) <= set("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Commitments:
    """The last commitments of a journal by name, with salts.

    `erased`: the entry that erased all before it. `began`: the first entry that commits to rows;
    earlier rows were not journalled.
    """

    last: Mapping[str, tuple[Plain, str | None]]
    erased: JournalEntry | None
    began: JournalEntry | None

    @classmethod
    def of(cls, entries: Iterable[JournalEntry], salts: Salts) -> Commitments:
        """Read the commitments of a whole journal with the salts stored for it."""
        last: dict[str, tuple[Plain, str | None]] = {}
        erased, began = None, None
        for entry in entries:
            if forgets_all(entry):
                last, erased = {}, entry
            for name, sealed in commits_of(entry).items():
                last[name] = (sealed, salts.get(entry.n, {}).get(name))
                if began is None and name.startswith(f"{ROWS}."):
                    began = entry
        return cls(last, erased, began)

    def opens(self, name: str, value: Plain) -> bool:
        """Return whether the last commitment to a name fits the value; False without a commitment or salt."""
        sealed, salt = self.last.get(name, (None, None))
        return salt is not None and is_salt(salt) and sealed == commit_value(salt, value)

    def may_precede(self, at: datetime) -> bool:
        """Return whether a row of that time may be older than the first commitment to rows.

        A row older than the erasure counts too.
        """
        if self.erased is not None and at <= self.erased.at:
            return True
        return self.began is None or (self.began.n > 1 and at < self.began.at)


def forgets_all(entry: JournalEntry) -> bool:
    """Return whether an entry erases the salts of all entries before it."""
    return entry.kind == "dropped" or (entry.kind == "erased" and isinstance(entry.body, dict) and "how" in entry.body)


def of_salts(dossier: Dossier, entries: tuple[JournalEntry, ...], salts: Salts) -> Iterator[IntegrityFinding]:
    """Yield each commitment without its salt, unless the journal says that the salt was erased."""
    base = max((entry.n for entry in entries if forgets_all(entry)), default=0)
    last = {name: entry.n for entry in entries for name in commits_of(entry) if name in WHOLE}
    missing: set[str] = set()
    gone, all_answers = set[str](), False
    for entry in reversed(entries[max(0, base - 1) :]):
        for name in commits_of(entry):
            forgotten = name in gone or (all_answers and name.partition(".")[0] in ("answers", "files"))
            superseded = last.get(name, entry.n) != entry.n
            of_erasure = entry.n == base and not name.startswith(f"{ROWS}.")
            if not (forgotten or superseded or of_erasure or is_salt(salts.get(entry.n, {}).get(name))):
                missing.add(name)
        if entry.kind == "erased" and isinstance(entry.body, dict):
            named = entry.body.get("salts")
            gone |= {str(one) for one in named} if isinstance(named, list) else set()
            all_answers = all_answers or (named is None and "answers" in entry.body)
    if missing:
        yield IntegrityFinding("salts_missing", dossier.id, {"about": codes(missing)})


def of_rows(
    procedure: Procedure | None, dossier: Dossier, entries: tuple[JournalEntry, ...], salts: Salts, beside: Beside,
    before: dict[str, int],
) -> Iterator[IntegrityFinding]:  # fmt: skip
    """Yield each row that differs from its commitment, has no entry, or is missing.

    `before` counts rows older than the journalling of rows, which cannot be checked.
    """
    known = Commitments.of(entries, salts)
    if BODY not in known.last:
        before["dossier"] = before.get("dossier", 0) + 1
    elif not known.opens(BODY, beside.digest):
        yield IntegrityFinding("body_differs", dossier.id)
    if TIMERS in known.last and not known.opens(TIMERS, beside.timers):
        yield IntegrityFinding("timers_differ", dossier.id)
    elif TIMERS not in known.last and beside.timers:
        before["timers"] = before.get("timers", 0) + 1
    yield from _of_messages(dossier, entries, known, beside)
    yield from _of_payments(dossier, entries, known, beside, before)
    yield from _of_events(dossier, known, beside, before)
    kinds = (
        ("letter", [(*letter_row(one), one.created_at) for one in beside.letters]),
        ("share", [(*share_row(one), one.created_at) for one in beside.shares]),
        ("annotation", [(*annotation_row(one), one.at) for one in beside.annotations]),
    )
    for kind, rows in kinds:
        for code, name in _compared(
            kind, rows, known, before, swept=dossier.is_draft and dossier.closed_at is not None
        ):
            yield IntegrityFinding(code, dossier.id, {"about": name.rpartition(".")[2]})
    yield from _of_bookings(procedure, dossier, beside.bookings)
    yield from _of_seats_given(dossier, entries, known, beside.bookings, before)


def _compared(
    kind: str, rows: Collection[tuple[str, Plain, datetime]], known: Commitments, before: dict[str, int], swept: bool
) -> Iterator[tuple[str, str]]:
    for name, value, at in rows:
        if name in known.last:
            if not known.opens(name, value):
                yield f"{kind}_differs", name
        elif known.may_precede(at):
            before[kind] = before.get(kind, 0) + 1
        else:
            yield f"{kind}_unjournaled", name
    there = {name for name, _, _ in rows}
    for name in known.last if not swept else ():
        if name.startswith(f"{ROWS}.{kind}.") and name not in there:
            yield f"{kind}_deleted", name


def _of_messages(
    dossier: Dossier, entries: tuple[JournalEntry, ...], known: Commitments, beside: Beside
) -> Iterator[IntegrityFinding]:  # fmt: skip
    since = known.erased.n if known.erased is not None else 0
    messages = [("message", one.id, one.body, message_row(one)) for one in beside.messages]
    notes = [("note", one.id, one.body, note_row(one)) for one in beside.notes]
    for kind, rows in (("message", messages), ("note", notes)):
        reported = {str(body.get(kind)) for one in entries[since:] if one.kind == kind and (body := _body(one))}
        for _, row, text, (name, value) in rows:
            if row not in reported:
                yield IntegrityFinding(f"{kind}_unjournaled", dossier.id, {"about": row})
            elif not known.opens(f"{kind}s.{row}", text) or (name in known.last and not known.opens(name, value)):
                yield IntegrityFinding(f"{kind}_differs", dossier.id, {"about": row})
        for gone in sorted(reported - {row for _, row, _, _ in rows}):
            yield IntegrityFinding(f"{kind}_deleted", dossier.id, {"about": gone})


def _of_payments(
    dossier: Dossier, entries: tuple[JournalEntry, ...], known: Commitments, beside: Beside, before: dict[str, int]
) -> Iterator[IntegrityFinding]:
    started = {str(_body(one).get("payment")): _body(one) for one in entries if one.kind == "payment_started"}
    credited = {str(_body(one).get("payment")): one for one in entries if one.kind == "credited"}
    ended = {str(_body(one).get("payment")) for one in entries if one.kind == "payment_ended"} | credited.keys()
    for one in beside.payments:
        body, (name, value) = started.get(one.id), payment_row(one)
        if body is None:
            yield IntegrityFinding("payment_unjournaled", dossier.id, {"about": one.id})
            continue
        reported = (body.get("provider"), body.get("amount"), body.get("fees"))
        receipt = _body(credited[one.id]).get("receipt") if one.id in credited else None
        # a receipt whose payment ends after its refund arose is called received
        is_later = one.id in credited and (one.ended_at or one.started_at) > credited[one.id].at
        is_over = one.status not in OPEN  # no operator is asked any more, so the money would never be credited
        if (
            reported != (one.provider, one.amount, [*one.fees])
            or receipt != one.receipt
            or is_over != (one.id in ended)
            or is_later
        ):
            yield IntegrityFinding("payment_differs", dossier.id, {"about": one.id})
        elif name not in known.last:
            before["payment"] = before.get("payment", 0) + 1
        elif not known.opens(name, value):
            yield IntegrityFinding("payment_differs", dossier.id, {"about": one.id})
    for gone in sorted(started.keys() - {one.id for one in beside.payments}):
        yield IntegrityFinding("payment_deleted", dossier.id, {"about": gone})
    reported_credits = {name: (_body(one).get("amount"), instant_text(one.at)) for name, one in credited.items()}
    for name in sorted(reported_credits.keys() | beside.credits.keys()):
        if reported_credits.get(name) != beside.credits.get(name):
            yield IntegrityFinding("credit_differs", dossier.id, {"about": name})


def _of_events(
    dossier: Dossier, known: Commitments, beside: Beside, before: dict[str, int]
) -> Iterator[IntegrityFinding]:
    """Check the answers that money was received.

    A payment without committed answer was credited by an earlier release.
    """
    kept: dict[str, set[str]] = {}
    for event in beside.events:
        if not event.verified or event.kind not in RECEIVED or event.payment is None:
            continue
        name, value = event_row(event.payment, event)
        kept.setdefault(event.payment, set()).add(name)
        if name in known.last and known.opens(name, value):
            continue
        if any(one.startswith(event_rows(event.payment)) for one in known.last):
            yield IntegrityFinding("event_differs", dossier.id, {"about": event.payment})
        elif event.payment in beside.credits and known.erased is None:
            before["event"] = before.get("event", 0) + 1
    for one in beside.payments:
        sealed = {name for name in known.last if name.startswith(event_rows(one.id))}
        if sealed - kept.get(one.id, set()):
            yield IntegrityFinding("event_deleted", dossier.id, {"about": one.id})


def _of_bookings(
    procedure: Procedure | None, dossier: Dossier, rows: Iterable[tuple[str, Booking]]
) -> Iterator[IntegrityFinding]:  # fmt: skip
    """Check that a booking is equal in the dossier and in its row.

    One that the dossier does not hold must be over or released.
    """
    held = {one.id: one for one in dossier.bookings.values()}
    for resource, row in rows:
        same = row.status != "booked" if row.id not in held else held[row.id] == row
        task = procedure.tasks.get(row.appointment) if procedure is not None else None
        placed = procedure is None or not isinstance(task, Appointment) or resource == resource_key(procedure, task.id)
        astray = row.status == "booked" and not placed
        if not same or astray:
            yield IntegrityFinding("booking_differs", dossier.id, {"about": row.id})


def _of_seats_given(
    dossier: Dossier, entries: tuple[JournalEntry, ...], known: Commitments, rows: Collection[tuple[str, Booking]],
    before: dict[str, int],
) -> Iterator[IntegrityFinding]:  # fmt: skip
    """Check that each booked seat has its row for ever.

    It stays once over or released, and changes only with the journal.
    """
    there = dict(booking_row(resource, row) for resource, row in rows)
    for name in sorted(there.keys() | {one for one in known.last if one.startswith(f"{ROWS}.booking.")}):
        if name not in known.last:
            if known.erased is None:
                before["booking"] = before.get("booking", 0) + 1
        elif name not in there or not known.opens(name, there[name]):
            code = "booking_differs" if name in there else "booking_deleted"
            yield IntegrityFinding(code, dossier.id, {"about": name.rpartition(".")[2]})
    bodies = (_body(one) for one in entries if one.kind in _SEATING)
    reported = Counter(f"{body.get('office')} {body.get('start')}" for body in bodies)
    kept = Counter(f"{row.office} {iso_minute(row.start)}" for _, row in rows)
    for code, differing in (("booking_deleted", reported - kept), ("booking_unjournaled", kept - reported)):
        for about in sorted(differing):
            yield IntegrityFinding(code, dossier.id, {"about": about})


def _body(entry: JournalEntry) -> Mapping[str, Plain]:
    return entry.body if isinstance(entry.body, dict) else {}


def given_numbers(entries: Iterable[JournalEntry]) -> Iterator[tuple[str, int]]:
    """Yield the series and number of each receipt and issued document in a journal."""
    for entry in entries:
        body = _body(entry)
        series, serial = body.get("series"), body.get("serial")
        if isinstance(series, str) and isinstance(serial, int):
            yield series, serial
        _, _, rest = str(body.get("receipt") or "").partition("Q-")
        year, _, number = rest.partition("-")
        if year.isdecimal() and number.isdecimal():
            yield f"receipt/{year}", int(number)


CUT: Final = "cut"


def departures(ctx: AppContext, actor: Actor, dossier_id: str) -> tuple[str, ...]:
    """Return what differs between a stored dossier and its journal (see `journal_state`).

    A row was changed from outside, or the journal was cut.
    `cut` is added where the signed journal has later entries. Empty: they agree. Raises `NotFound`.
    """
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        entries, tree = unit.entries(dossier.id), unit.tree()
        last = unit.last_leaf(dossier.id, tree.size) if tree is not None else None
    cut = last is not None and last[1].n > len(entries)
    return (*((CUT,) if cut else ()), *differences(fold(entries), projection_of(dossier)))


def what_is_read(
    check: Callable[[], Iterator[IntegrityFinding]], dossier_id: str | None = None
) -> Iterator[IntegrityFinding]:
    """Yield the findings of one check. What it cannot read hides nothing of the others."""
    try:
        yield from check()
    except (Damaged, Unreadable, RecursionError) as unread:
        yield IntegrityFinding("unread", dossier_id, {"said": str(unread) or type(unread).__name__})
