"""Integrity of the data: journal of a dossier, its verifiable export, and `fsck` of all data."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from engine.core.clock import local_day
from engine.core.values import Plain
from engine.domain.appointments.appointments import iso_minute
from engine.domain.appointments.opening_changes import most_desks
from engine.domain.common.access import is_owner, may_read, may_read_file
from engine.domain.common.working_time import local_minute
from engine.domain.documents.documents import is_erased
from engine.domain.reporting.journal_state import differences, fold, projection_of
from engine.journal.chain import COMMITS, Break, JournalEntry, commit_value, export_plain, verify
from engine.journal.checkpoint import Checkpoint, read_note
from engine.journal.row_journal import ROWS
from engine.model import Appointment, Procedure, directory
from engine.publication.publications import broken_publications
from engine.records.dossier import Actor, Booking, Dossier, Payment
from engine.records.refunds import Refund
from engine.services.accounts.agents import broken_rights
from engine.services.applications.document_verification import is_intact
from engine.services.appointments.opening_changes import broken_openings
from engine.services.audit.integrity_answers import of_written
from engine.services.audit.integrity_rows import Beside, Commitments, given_numbers, of_rows, of_salts, what_is_read
from engine.services.context.app_context import AppContext, NotFound, pinned, seen
from engine.services.context.edition_cache import EditionMissing
from engine.services.core.checkpoints import broken_checkpoints, has_notes, receipt_of
from engine.services.core.jobs import broken_orders
from engine.services.core.journalling import Debt, debts
from engine.services.core.stored_files import places_of
from engine.storage.results import Damaged, IntegrityFinding
from engine.storage.unit_of_work import Unit

_OF_DRAFTS: Final = frozenset({"saved", "linked", "reused", "adopted", "submitted", "dropped"})


def checked_journal(ctx: AppContext, actor: Actor, dossier_id: str) -> tuple[tuple[JournalEntry, ...], Break | None]:
    """Return the journal of a dossier and the first entry that breaks the chain, None if all hold.

    Raises `NotFound`.
    """
    with ctx.store.unit() as unit:
        entries = unit.entries(seen(unit, ctx, actor, dossier_id).id)
    return entries, verify(entries)


def signed_place(ctx: AppContext, actor: Actor, dossier_id: str) -> tuple[int, Checkpoint] | None:
    """Return how many entries of a dossier are under the last checkpoint, and that checkpoint.

    None in the minute before they are signed. Raises `NotFound`.
    """
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        receipt = receipt_of(unit, dossier.id, unit.head(dossier.id)[0])
    return (receipt.n, read_note(receipt.checkpoint)) if receipt else None


def export(ctx: AppContext, actor: Actor, dossier_id: str) -> Plain:
    """Return the journal as a file for offline verification.

    For its owner it also opens the commitments to the present answers, which prove what was sent and
    when. What the owner may not read (a confidential opinion, a file of the agency) stays closed.
    Raises `NotFound`.
    """
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        entries = unit.entries(dossier.id)
        salts = unit.salts(dossier.id) if is_owner(dossier, actor) else {}
        procedure, receipt = pinned(ctx, unit, dossier), receipt_of(unit, dossier.id, len(entries))
    salts = _openable(procedure, dossier, salts, actor)
    return export_plain(entries, salts, _opened(dossier, entries, salts), receipt)


def proof_of_sending(ctx: AppContext, actor: Actor, dossier_id: str) -> Plain:
    """Return the journal up to submission, written by the owner alone, as a file for offline verification.

    It proves what they sent and when. Raises `NotFound` before submission and for others.
    """
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        whole = unit.entries(dossier.id)
        sent = next((one.n for one in whole if one.kind == "submitted"), 0)
        if not sent or not is_owner(dossier, actor):
            raise NotFound
        entries, salts = whole[:sent], {n: those for n, those in unit.salts(dossier.id).items() if n <= sent}
        openable = _openable(pinned(ctx, unit, dossier), dossier, salts, actor)
        receipt = receipt_of(unit, dossier.id, sent)
    return export_plain(entries, openable, _opened(dossier, entries, openable), receipt)


def _openable(
    procedure: Procedure, dossier: Dossier, salts: Mapping[int, Mapping[str, str]], actor: Actor
) -> Mapping[int, Mapping[str, str]]:
    return {
        n: {name: salt for name, salt in those.items() if _may_open(procedure, dossier, name, actor)}
        for n, those in salts.items()
    }


def _may_open(procedure: Procedure, dossier: Dossier, name: str, actor: Actor) -> bool:
    """Return whether the salt of a commitment may be given to this person.

    With it, the value could be guessed.
    """
    kind, _, rest = name.partition(".")
    if kind in ("notes", ROWS):  # internal notes of agents, and rows as stored
        return False
    if kind == "files":
        file = dossier.attachment(rest)
        return file is None or may_read_file(procedure, dossier, file, actor)
    return kind != "answers" or all(may_read(procedure, dossier, part, actor) for part in rest.split("."))


def _opened(
    dossier: Dossier, entries: tuple[JournalEntry, ...], salts: Mapping[int, Mapping[str, str]]
) -> dict[int, dict[str, Plain]]:
    """Return the present values that an entry committed to."""
    now: dict[str, Plain] = {f"answers.{name}": answer for name, answer in dossier.answers.items()}
    opened: dict[int, dict[str, Plain]] = {}
    for entry in entries:
        commits = entry.body.get(COMMITS) if isinstance(entry.body, dict) else None
        for name, salt in salts.get(entry.n, {}).items():
            sealed = commits.get(name) if isinstance(commits, dict) else None
            if name in now and sealed == commit_value(salt, now[name]):
                opened.setdefault(entry.n, {})[name] = now[name]
    return opened


# -- fsck --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Inspected:
    """All inconsistencies found.

    `before`: by kind, the rows written before rows were journalled, which cannot be checked. `noted`: the folder of
    checkpoints holds notes to compare the journal with, or there is no such folder.
    """

    findings: tuple[IntegrityFinding, ...]
    before: Mapping[str, int]
    noted: bool = True


def fsck(ctx: AppContext) -> tuple[IntegrityFinding, ...]:
    """Return all inconsistencies: of the store, then of each dossier against its journal, edition, files,
    money and documents. Repairs nothing.
    """
    return inspect(ctx).findings


def inspect(ctx: AppContext) -> Inspected:
    """Return the result of `fsck` with the counts of rows that cannot be checked."""
    before = dict(ctx.store.not_journalled())
    return Inspected(tuple(findings(ctx, before)), before, has_notes(ctx))


def findings(ctx: AppContext, before: dict[str, int]) -> Generator[IntegrityFinding, None, None]:
    """Yield each inconsistency as it is found.

    `before` receives the counts of rows that cannot be checked.
    """
    yield from ctx.store.findings()
    files: list[tuple[str, str]] = []
    given: dict[str, int] = {}

    def of_dossiers() -> Iterator[IntegrityFinding]:
        for dossier_id in ctx.store.all_dossiers():
            yield from what_is_read(partial(_of_dossier, ctx, dossier_id, files, given, before), dossier_id)

    checks: tuple[Callable[[], Iterator[IntegrityFinding]], ...] = (
        lambda: broken_publications(ctx.store), lambda: broken_checkpoints(ctx), lambda: broken_rights(ctx),
        lambda: broken_orders(ctx), lambda: broken_openings(ctx), of_dossiers, lambda: _of_serials(ctx, given),
        lambda: ctx.attachments.findings(files),
    )  # fmt: skip
    for check in checks:
        yield from what_is_read(check)


def number_of(ctx: AppContext, dossier_id: str) -> str | None:
    """Return the number of a dossier, even of one with unreadable content; None if unknown or unreadable."""
    try:
        with ctx.store.unit() as unit:
            return unit.number_of(dossier_id)
    except Damaged:
        return None


def _of_dossier(
    ctx: AppContext, dossier_id: str, files: list[tuple[str, str]], given: dict[str, int], before: dict[str, int]
) -> Iterator[IntegrityFinding]:
    """Check one dossier; collect its files and issued numbers for the end.

    Without its edition, the checks that need it are skipped. Raises `Damaged`, `Unreadable`: the store reported where.
    """
    with ctx.store.unit() as unit:
        ctx.directories.look(unit)
        dossier = unit.dossier(dossier_id)
        if dossier is None:
            return
        files += places_of(unit, dossier)
        entries, salts = unit.entries(dossier_id), unit.salts(dossier_id)
        refunds, beside = unit.refunds_of(dossier_id), Beside.of(unit, dossier_id)
        procedure, lost = _procedure_of(ctx, unit, dossier)
    if lost:
        yield IntegrityFinding("edition_lost", dossier_id, {"edition": lost})
    for series, number in given_numbers(entries):
        given[series] = max(number, given.get(series, 0))
    yield from _of_journal(dossier, entries)
    yield from of_salts(dossier, entries, salts)
    yield from of_rows(procedure, dossier, entries, salts, beside, before)
    yield from _of_money(dossier, entries, beside.payments)
    yield from _of_refunds(dossier, entries, refunds, beside.payments, salts)
    if procedure is not None:
        yield from of_written(procedure, dossier, entries, salts)
        yield from _of_documents(ctx, procedure, dossier)
        yield from _of_seats(ctx, procedure, dossier)


def _procedure_of(ctx: AppContext, unit: Unit, dossier: Dossier) -> tuple[Procedure | None, str]:
    """Return the edition of a dossier, or the name of the missing one."""
    try:
        return pinned(ctx, unit, dossier), ""
    except EditionMissing as lost:
        return None, str(lost)


def _of_serials(ctx: AppContext, given: Mapping[str, int]) -> Iterator[IntegrityFinding]:
    """Check that no series continues below an issued number: two documents would carry it."""
    with ctx.store.unit() as unit:
        serials = unit.serials()
    for series, number in sorted(given.items()):
        if serials.get(series, 0) < number:
            yield IntegrityFinding(
                "serial_back", None, {"about": series, "given": number, "next": serials.get(series, 0) + 1}
            )


def _of_journal(dossier: Dossier, entries: tuple[JournalEntry, ...]) -> Iterator[IntegrityFinding]:
    differing = differences(fold(entries), projection_of(dossier))
    if differing:
        yield IntegrityFinding("projection", dossier.id, {"differs": list(differing)})
    yield from _of_drafts(dossier, entries)
    pairs = zip(entries, (*entries[1:], None), strict=False)  # an empty journal is reported by the store
    for entry, following in pairs:  # an edition changes only at an entry of a migration
        later = dossier.fingerprint if following is None else following.edition
        if entry.edition != later and (following is None or following.kind != "migrated"):
            yield IntegrityFinding("edition_moved", dossier.id, {"fingerprint": entry.edition})
            return


def _of_drafts(dossier: Dossier, entries: tuple[JournalEntry, ...]) -> Iterator[IntegrityFinding]:
    """Yield entries that only a draft may have but that follow submission or discarding."""
    ended = next((entry.n for entry in entries if entry.kind in ("submitted", "dropped")), len(entries))
    for entry in entries[ended:]:
        if entry.kind in _OF_DRAFTS:
            yield IntegrityFinding("not_a_draft", dossier.id, {"entry": entry.n, "kind": entry.kind})


def _of_money(
    dossier: Dossier, entries: tuple[JournalEntry, ...], payments: tuple[Payment, ...]
) -> Iterator[IntegrityFinding]:
    """Check that payments received, credits and the paid sum of the dossier agree."""
    credited = {str(body.get("payment")): body.get("amount") for body in _bodies(entries, "credited")}
    received = {one.id for one in payments if one.status in ("paid", "overpaid")}
    for payment_id in sorted(received ^ credited.keys()):
        yield IntegrityFinding("credit_unjournaled", dossier.id, {"payment": payment_id})
    paid = sum(_whole(body.get("amount")) for body in _bodies(entries, "paid"))
    if paid != sum(_whole(amount) for amount in credited.values()):
        yield IntegrityFinding("credits_differ", dossier.id, {"paid": paid})
    counted = sum(owed.paid for owed in dossier.owed.values())
    if counted > paid or (counted < paid and not _forgot_a_price(entries)):
        yield IntegrityFinding("paid_differs", dossier.id, {"paid": paid, "counted": counted})


def _of_refunds(
    dossier: Dossier, entries: tuple[JournalEntry, ...], refunds: tuple[Refund, ...], payments: tuple[Payment, ...],
    salts: Mapping[int, Mapping[str, str]],
) -> Iterator[IntegrityFinding]:  # fmt: skip
    """Check that each refund has its row.

    It is paid where the journal says so, under the reference it commits to.
    """
    owed = {debt.entry: debt for debt in debts(entries)}
    lines = {one.entry: one for one in refunds}
    payers = {one.id: one.payer for one in payments}
    for entry in sorted(owed.keys() | lines.keys()):
        if entry not in owed or entry not in lines or not _is_owed(dossier, owed[entry], lines[entry], payers):
            yield IntegrityFinding("refund_differs", dossier.id, {"entry": entry})
    reported = sorted((one, e.at, e.actor) for e in entries if e.kind == "refunded" for one in _owed_entry(e))
    paid = sorted((one.entry, one.paid_at, one.paid_by) for one in refunds if one.paid_at is not None)
    if paid != reported:
        yield IntegrityFinding(
            "refund_unjournaled", dossier.id, {"entries": [*sorted(one.entry for one in refunds if one.paid_at)]}
        )
    known = Commitments.of(entries, salts)
    for one in refunds:
        name = f"refunds.{one.entry}"
        may_be_unknown = known.erased is not None and name not in known.last  # erased by an earlier release
        if one.reference is not None and not may_be_unknown and not known.opens(name, one.reference):
            yield IntegrityFinding("refund_reference", dossier.id, {"entry": one.entry})
        elif one.reference is None and name in known.last and not known.opens(name, one.payer):
            yield IntegrityFinding("refund_differs", dossier.id, {"entry": one.entry})


def _owed_entry(entry: JournalEntry) -> Iterator[int]:
    owed = entry.body.get("owed") if isinstance(entry.body, dict) else None
    yield from (owed,) if isinstance(owed, int) else ()


def _is_owed(dossier: Dossier, debt: Debt, line: Refund, payers: Mapping[str, str]) -> bool:
    """Return whether a row states the refund of the journal, to the number that paid."""
    return (
        (line.amount, line.fee, line.owed_at, line.procedure) == (debt.amount, debt.fee, debt.at, dossier.procedure)
        and debt.payment in (None, line.payment)
        and (not line.payer or line.payer in _payers(dossier, line, payers))
    )


def _payers(dossier: Dossier, line: Refund, payers: Mapping[str, str]) -> tuple[str | None, ...]:
    """Return the numbers that a refund may go to: none for a card, and none once it is paid and erased."""
    if dossier.erased_at is not None:
        return () if line.paid_at is not None else (line.payer,)
    numbers = (dossier.contact_phone, *dossier.former_phones)
    if line.payment is not None and line.payment in payers:
        numbers = (payers[line.payment],)
    return numbers if any(one is not None for one in numbers) else (line.payer,)


def _bodies(entries: tuple[JournalEntry, ...], kind: str) -> list[dict[str, Plain]]:
    return [entry.body for entry in entries if entry.kind == kind and isinstance(entry.body, dict)]


def _whole(value: Plain) -> int:
    return value if isinstance(value, int) else 0


def _forgot_a_price(entries: tuple[JournalEntry, ...]) -> bool:
    """Return whether a fee was asked for anew, or money came in without a price."""
    for entry in entries:
        body = entry.body if isinstance(entry.body, dict) else {}
        fees = body.get("fees")
        if body.get("reopened") or (entry.kind == "paid" and isinstance(fees, dict) and not fees):
            return True
    return False


def _of_documents(ctx: AppContext, procedure: Procedure, dossier: Dossier) -> Iterator[IntegrityFinding]:
    for document in dossier.documents:
        emptied = is_erased(document) and dossier.erased_at is None
        if emptied or not is_intact(ctx, procedure, document):
            yield IntegrityFinding("document_forged", dossier.id, {"number": document.number})


def _of_seats(ctx: AppContext, procedure: Procedure, dossier: Dossier) -> Iterator[IntegrityFinding]:
    """Check that each coming appointment has an existing seat and is outside closures by an administrator."""
    for booking in dossier.bookings.values():
        task, there = procedure.tasks.get(booking.appointment), ctx.directory.offices.get(booking.office)
        if booking.status != "booked" or booking.start <= ctx.now() or not isinstance(task, Appointment):
            continue
        if there is None or not 1 <= booking.seat <= most_desks(task, there, local_day(booking.start)):
            yield IntegrityFinding("seat_beyond", dossier.id, {"office": booking.office, "seat": booking.seat})
        elif _is_shut(there, booking):
            yield IntegrityFinding(
                "seat_shut", dossier.id, {"office": booking.office, "start": iso_minute(booking.start)}
            )


def _is_shut(there: directory.Office, booking: Booking) -> bool:
    start = local_minute(booking.start)
    shut = there.closure_at(local_day(booking.start), start, start + booking.minutes)
    return shut is not None and bool(shut.change)
