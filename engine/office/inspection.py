"""What proves that the facts are whole: the trail of one dossier, its export that verifies offline, and `fsck` of all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.definition.model import Appointment, Procedure
from engine.office.editions import LostEdition
from engine.office.office import Office, pinned, seen
from engine.office.verification import is_intact
from engine.records.dossier import Actor, Dossier, Payment
from engine.records.journal import COMMITS, Break, Entry, commit_value, export_plain, verify
from engine.records.store import Finding
from engine.rules.access import is_owner
from engine.rules.appointments import desks_of
from engine.rules.history import differences, fold, projection_of
from engine.values import Plain


def trail(office: Office, actor: Actor, dossier_id: str) -> tuple[tuple[Entry, ...], Break | None]:
    """The journal of a dossier, and the first entry that does not hold, if any."""
    with office.store.unit() as unit:
        entries = unit.entries(seen(unit, office, actor, dossier_id).id)
    return entries, verify(entries)


def export(office: Office, actor: Actor, dossier_id: str) -> Plain:
    """The journal as a file that verifies offline. Its owner's also opens the commitments to the answers the dossier
    still holds: they prove what they sent, and when."""
    with office.store.unit() as unit:
        dossier = seen(unit, office, actor, dossier_id)
        entries = unit.entries(dossier.id)
        salts = unit.salts(dossier.id) if is_owner(dossier, actor) else {}
    return export_plain(entries, salts, _opened(dossier, entries, salts))


def _opened(
    dossier: Dossier, entries: tuple[Entry, ...], salts: Mapping[int, Mapping[str, str]]
) -> dict[int, dict[str, Plain]]:
    """The values of now that an entry committed to."""
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


def fsck(office: Office) -> tuple[Finding, ...]:
    """Every broken promise found: the store's own, then each dossier against its journal, its edition, its files, its
    money, its documents. Nothing is repaired."""
    found = list(office.store.findings())
    files: dict[str, str] = {}
    for dossier_id in office.store.all_dossiers():
        with office.store.unit() as unit:
            dossier = unit.dossier(dossier_id)
            if dossier is None:
                continue
            entries, payments = unit.entries(dossier_id), unit.payments_of(dossier_id)
            try:
                procedure = pinned(office, unit, dossier)
            except LostEdition:
                found.append(Finding("edition_lost", dossier_id, {"fingerprint": dossier.fingerprint}))
                continue
        files.update({one.sha256: dossier_id for one in dossier.attachments})
        found += _of_journal(dossier, entries)
        found += _of_money(dossier, entries, payments)
        found += _of_documents(office, procedure, dossier)
        found += _of_seats(office, procedure, dossier)
    found += office.attachments.findings(files)
    return tuple(found)


def _of_journal(dossier: Dossier, entries: tuple[Entry, ...]) -> Iterator[Finding]:
    differing = differences(fold(entries), projection_of(dossier))
    if differing:
        yield Finding("projection", dossier.id, {"differs": list(differing)})
    strangers = sorted({entry.edition for entry in entries} - {dossier.fingerprint})
    if strangers:
        yield Finding("edition_moved", dossier.id, {"fingerprint": strangers[0]})


def _of_money(dossier: Dossier, entries: tuple[Entry, ...], payments: tuple[Payment, ...]) -> Iterator[Finding]:
    """What operators paid, what was credited and what the dossier counts as paid are one sum."""
    credited = {str(body.get("payment")): body.get("amount") for body in _bodies(entries, "credited")}
    received = {one.id for one in payments if one.status in ("paid", "overpaid")}
    for payment_id in sorted(received ^ credited.keys()):
        yield Finding("credit_unjournaled", dossier.id, {"payment": payment_id})
    paid = sum(_whole(body.get("amount")) for body in _bodies(entries, "paid"))
    if paid != sum(_whole(amount) for amount in credited.values()):
        yield Finding("credits_differ", dossier.id, {"paid": paid})
    counted = sum(owed.paid for owed in dossier.owed.values())
    if counted > paid or (counted < paid and not _forgot_a_price(entries)):
        yield Finding("paid_differs", dossier.id, {"paid": paid, "counted": counted})


def _bodies(entries: tuple[Entry, ...], kind: str) -> list[dict[str, Plain]]:
    return [entry.body for entry in entries if entry.kind == kind and isinstance(entry.body, dict)]


def _whole(value: Plain) -> int:
    return value if isinstance(value, int) else 0


def _forgot_a_price(entries: tuple[Entry, ...]) -> bool:
    """A fee that was asked anew, or that no price stood for when money came in."""
    for entry in entries:
        body = entry.body if isinstance(entry.body, dict) else {}
        fees = body.get("fees")
        if body.get("reopened") or (entry.kind == "paid" and isinstance(fees, dict) and not fees):
            return True
    return False


def _of_documents(office: Office, procedure: Procedure, dossier: Dossier) -> Iterator[Finding]:
    for document in dossier.documents:
        if not is_intact(office, procedure, document):
            yield Finding("document_forged", dossier.id, {"number": document.number})


def _of_seats(office: Office, procedure: Procedure, dossier: Dossier) -> Iterator[Finding]:
    """A visit still to come sits at a desk that exists."""
    for booking in dossier.bookings.values():
        task, there = procedure.tasks.get(booking.appointment), office.directory.offices.get(booking.office)
        if booking.status != "booked" or booking.start <= office.now() or not isinstance(task, Appointment):
            continue
        if there is None or not 1 <= booking.seat <= desks_of(task, there):
            yield Finding("seat_beyond", dossier.id, {"office": booking.office, "seat": booking.seat})
