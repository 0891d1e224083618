"""An appointment as an iCalendar file (RFC 5545). The only module that imports icalendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from engine.core.clock import ZONE
from engine.records.dossier import Booking

REMINDERS = (timedelta(days=-1), timedelta(hours=-2))


def ics(
    booking: Booking, name: str, title: str, office_label: str, address: str, url: str, now: datetime | None = None
) -> bytes:
    """Return one event with two alarms.

    The UID depends on the appointment (`name`), not on its seat. SEQUENCE grows, so a move updates the same entry. A
    cancelled booking cancels it.
    """
    from icalendar import Alarm, Calendar, Event  # loaded by the first calendar file

    cancelled = booking.status == "cancelled"
    calendar = Calendar()
    calendar.add("prodid", "-//Guichet//Rendez-vous//FR")
    calendar.add("version", "2.0")
    calendar.add("method", "CANCEL" if cancelled else "PUBLISH")
    event = Event()
    start = booking.start.astimezone(ZONE)
    event.add("uid", f"{name}@guichet")
    event.add("sequence", booking.sequence)
    event.add("dtstamp", (now or booking.start).astimezone(UTC))
    event.add("dtstart", start)
    event.add("dtend", start + timedelta(minutes=booking.minutes))
    event.add("summary", title)
    event.add("location", ", ".join(part for part in (office_label, address) if part))
    event.add("url", url)
    event.add("status", "CANCELLED" if cancelled else "CONFIRMED")
    if not cancelled:
        for before in REMINDERS:
            alarm = Alarm()
            alarm.add("action", "DISPLAY")
            alarm.add("description", title)
            alarm.add("trigger", before)
            event.add_component(alarm)
    calendar.add_component(event)
    return bytes(calendar.to_ical())
