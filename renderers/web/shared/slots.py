"""Free slots for display: offices, days, hours, and why a slot is not available."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from engine.core.clock import local, local_day
from engine.core.problems import Refusal
from engine.services.appointments.bookings import SlotSheet
from renderers.procedure.appointments import unconfirmed
from renderers.web.platform.dossier_context import label
from renderers.web.platform.errors import sentence
from renderers.web.platform.request_context import app_ctx, language, moment_of, say, site
from renderers.web.shared.appointment_notices import day_note

_FARTHEST = timedelta(days=3660)  # a day that a page of slots may begin with


@dataclass(frozen=True, slots=True)
class OfficeLine:
    """An office to choose, with its first free slot in words. `mark` says that its address is to be confirmed."""

    id: str
    label: str
    address: str
    first: str
    mark: str


@dataclass(frozen=True, slots=True)
class SlotButton:
    """A free slot as a button: its start as ISO text and in words."""

    iso: str
    hour: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class DayOfSlots:
    """A day with its free slots, or consecutive days closed for the same reason."""

    days: str
    note: str
    slots: tuple[SlotButton, ...]


def office_lines(sheet: SlotSheet) -> list[OfficeLine]:
    """Return the offices to choose from, with their first free slot."""
    return [
        OfficeLine(
            one.office.id, label(one.office.label), label(one.office.address),
            moment_of(one.first_free.start) if one.first_free else "",
            say("help.to_confirm") if unconfirmed(one.office) else "",
        )
        for one in sheet.offices
    ]  # fmt: skip


def days_of(sheet: SlotSheet) -> list[DayOfSlots]:
    """Return the days with their slots. Consecutive days closed for one reason are joined."""
    found: list[tuple[date, date, str, tuple[SlotButton, ...]]] = []
    for one in sheet.days:
        note = day_note(one.note) if one.note else ""
        first, last, said, _ = found[-1] if found else (one.day, one.day, "", ())
        if note and note == said and one.day == last + timedelta(days=1):
            found[-1] = (first, one.day, note, ())
        else:
            slots = tuple(SlotButton(iso_of(slot.start), hour_of(slot.start)) for slot in one.slots)
            found.append((one.day, one.day, note, slots))
    return [DayOfSlots(_span(first, last), note, free) for first, last, note, free in found]


def _span(first: date, last: date) -> str:
    said = [site().words.day(day, language()) for day in (first, last)]
    return said[0] if first == last else say("slots.span", first=said[0], last=said[1])


def why_none(sheet: SlotSheet) -> str:
    """Return why the list is empty, and whether another office has slots."""
    if sheet.because is not None and sheet.because.code != "no_slot":
        return sentence(sheet.because)
    others = any(one.first_free for one in sheet.offices if one.office.id != sheet.office_id)
    return say("slots.none_text" if others else "slots.none_anywhere")


def why_taken(reason: Refusal) -> str:
    """Return why the chosen slot is not available, with the nearest free ones."""
    if reason.code == "slot_closed":  # the office closed meanwhile
        return sentence(reason)
    nearest = reason.facts.get("nearest", ())
    instants = [instant_of(text) for text in nearest] if isinstance(nearest, tuple) else []
    by_day: dict[date, list[str]] = {}
    for instant in filter(None, instants):
        by_day.setdefault(local_day(instant), []).append(hour_of(instant))
    said = [say("slots.on_day", day=site().words.day(day, language()), hours=", ".join(by_day[day])) for day in by_day]
    return say("slots.taken", nearest=" ; ".join(said)) if said else say("slots.taken_none")


# -- small readings ----------------------------------------------------------------------------------------------------


def day_ahead(text: str) -> date | None:
    """Return the date of a query, None if it is invalid, past or too far ahead."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    today = local_day(app_ctx().now())
    return found if today <= found <= today + _FARTHEST else None


def instant_of(text: str) -> datetime | None:
    """Return the instant of an ISO text in UTC, which is also the zone of a text without one.

    None if it is invalid or too far ahead.
    """
    try:
        found = datetime.fromisoformat(text)
        found = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # the first and last hours of the calendar overflow in UTC
        return None
    return found if found <= app_ctx().now() + _FARTHEST else None


def iso_of(instant: datetime) -> str:
    """Return an instant as ISO text in UTC, to the minute."""
    return instant.astimezone(UTC).isoformat(timespec="minutes")


def hour_of(instant: datetime) -> str:
    """Return the local hour as `9 h 00`, with minutes so that all hours of a list look alike."""
    there = local(instant)
    return f"{there.hour}\u00a0h\u00a0{there.minute:02d}" if language() == "fr" else f"{there:%H:%M}"
