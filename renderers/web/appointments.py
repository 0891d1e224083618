"""Choosing a visit: office, slot, confirmation; changing it, giving it back, keeping it in one's own diary."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

from flask import Blueprint, Response, request, session

from engine.clock import local, local_day
from engine.definition.model import Appointment
from engine.office.bookings import SlotSheet, book_slot, cancel_booking, slots
from engine.office.office import NotFound
from engine.problems import Refusal, Refused
from engine.records.dossier import Booking
from engine.rules.appointments import too_near
from engine.rules.tasks import open_tasks
from renderers.calendar_file import ics
from renderers.web.base import (
    actor,
    file_response,
    form_revision,
    form_token,
    go,
    language,
    new_token,
    office,
    page,
    say,
    signed_in,
    site,
)
from renderers.web.cases import Case, case, label, place, place_label, to_bring
from renderers.web.refusals import sentence

blueprint = Blueprint("appointments", __name__)


@dataclass(frozen=True, slots=True)
class OfficeLine:
    id: str
    label: str
    address: str
    first: str


@dataclass(frozen=True, slots=True)
class SlotButton:
    iso: str
    hour: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class DayOfSlots:
    day: date
    note: str
    slots: tuple[SlotButton, ...]


def wanted(one: Case) -> Appointment:
    """The visit a page is about. Raises `NotFound` when there is none."""
    found = visit_of(one)
    if found is None:
        raise NotFound
    return found


def visit_of(one: Case) -> Appointment | None:
    """The visit named, else the one to take now, else the one already held; none before its time and after it."""
    tasks = {task.id: task for task in one.procedure.appointments()}
    named = tasks.get(request.values.get("quoi", ""))
    awaited = [task for task in open_tasks(one.procedure, one.dossier, one.standing().scope) if task.id in tasks]
    held = [
        tasks[name] for name, booking in one.dossier.bookings.items() if name in tasks and booking.status == "booked"
    ]
    return named or next((task for task in (*awaited, *held) if isinstance(task, Appointment)), None)


def held(one: Case, appointment: Appointment) -> Booking | None:
    booking = one.dossier.bookings.get(appointment.id)
    return booking if booking is not None and booking.status == "booked" else None


# -- choosing ----------------------------------------------------------------------------------------------------------


@blueprint.get("/dossiers/<number>/rendez-vous")
@signed_in
def choose(number: str) -> Response:
    """Diaries and letters keep this address for long: without a visit it leads to the dossier."""
    one = case(number)
    appointment = visit_of(one)
    if appointment is None:
        return go(one.at())
    booking = held(one, appointment)
    if booking is not None and not request.args.get("changer") and not request.args.get("bureau"):
        return _booking_page(one, appointment, booking, fresh=session.pop("booked", "") == booking.id)
    return _slots_page(one, appointment, note=session.pop("note", ""))


def _slots_page(one: Case, appointment: Appointment, note: str = "", status: int = 200) -> Response:
    sheet = slots(
        office(), actor(), one.id, appointment.id, office_id=request.values.get("bureau"),
        from_day=_day(request.args.get("jour", "")),
    )  # fmt: skip
    booking = held(one, appointment)
    first = sheet.first_free
    return page(
        "citizen/slots.html", status, dossier=one.dossier, procedure=one.title, title=label(appointment.label),
        errors=[], note=note, current=_moment(booking.start) if booking else "", offices=_offices(sheet),
        office_id=sheet.office_id or "", days=_days(sheet) if not sheet.because else [], action=one.at("/rendez-vous"),
        first=SlotButton(_iso(first.start), "", _moment(first.start)) if first and not request.args.get("jour") else None,
        next_from=sheet.next_from.isoformat() if sheet.next_from else "", because=_because(sheet),
        quoi=appointment.id,
    )  # fmt: skip


def _offices(sheet: SlotSheet) -> list[OfficeLine]:
    return [
        OfficeLine(
            one.office.id, label(one.office.label), label(one.office.address),
            _moment(one.first_free.start) if one.first_free else "",
        )
        for one in sheet.offices
    ]  # fmt: skip


def _days(sheet: SlotSheet) -> list[DayOfSlots]:
    return [
        DayOfSlots(
            one.day, _day_note(one.note) if one.note else "",
            tuple(SlotButton(_iso(slot.start), _hour(slot.start)) for slot in one.slots),
        )
        for one in sheet.days
    ]  # fmt: skip


def _day_note(note: Refusal) -> str:
    name = str(note.facts.get("name", ""))
    return say("text.named", name=name, text=say("slots.closed")) if name else say("slots.closed").capitalize()


def _because(sheet: SlotSheet) -> str:
    if sheet.because is not None and sheet.because.code != "no_slot":
        return sentence(sheet.because)
    others = any(one.first_free for one in sheet.offices if one.office.id != sheet.office_id)
    return say("slots.none_text" if others else "slots.none_anywhere")


# -- confirming --------------------------------------------------------------------------------------------------------


@blueprint.route("/dossiers/<number>/rendez-vous/confirmer", methods=["GET", "POST"])
@signed_in
def confirm(number: str) -> Response:
    """Shows what is about to be booked; nothing is kept yet. A slot that was posted is asked by its address."""
    one = case(number)
    if request.method == "POST":
        chosen = {name: request.form.get(name, "")[:80] for name in ("quoi", "bureau", "start")}
        return go(f"{one.at('/rendez-vous/confirmer')}?{urlencode(chosen)}")
    appointment = wanted(one)
    start, office_id = _instant(request.values.get("start", "")), request.values.get("bureau", "")
    if start is None or place(office_id) is None:
        return go(_address(one, appointment))
    return page(
        "citizen/slot_confirm.html", dossier=one.dossier, procedure=one.title,
        facts=_facts(start, office_id, int(_minutes(appointment))), bring=to_bring(one), token=new_token(),
        revision=one.dossier.revision, office_id=office_id, start=_iso(start), action=one.at("/rendez-vous"),
        quoi=appointment.id,
    )  # fmt: skip


@blueprint.post("/dossiers/<number>/rendez-vous")
@signed_in
def book(number: str) -> Response:
    one = case(number)
    appointment = wanted(one)
    start, office_id = _instant(request.form.get("start", "")), request.form.get("bureau", "")
    if start is None:
        return go(_address(one, appointment))
    try:
        dossier = book_slot(
            office(), actor(), one.id, appointment.id, office_id, start, revision=form_revision(), token=form_token()
        )  # fmt: skip
    except Refused as closed:
        if closed.reason.code != "slot_full":
            raise
        return _slots_page(one, appointment, _taken(closed.reason), 409)
    booking = dossier.bookings.get(appointment.id)
    session["booked"] = booking.id if booking else ""
    return go(_address(one, appointment))


def _taken(reason: Refusal) -> str:
    nearest = reason.facts.get("nearest", ())
    instants = [_instant(text) for text in nearest] if isinstance(nearest, tuple) else []
    said = [_short(instant) for instant in instants if instant is not None]
    return say("slots.taken", nearest=", ".join(said)) if said else say("slots.taken_none")


def _facts(start: datetime, office_id: str, minutes: int) -> list[tuple[str, str]]:
    there = place(office_id)
    facts = [(say("slot.date"), _moment(start).capitalize()), (say("slot.place"), place_label(office_id))]
    if there is not None and there.address:
        facts.append((say("slot.address"), label(there.address)))
    return [*facts, (say("slot.lasts"), say("slot.minutes", count=minutes))]


def _minutes(appointment: Appointment) -> int:
    unit = {"minute": 1, "hour": 60}.get(appointment.lasts.unit, 24 * 60)
    return appointment.lasts.count * unit


# -- afterwards --------------------------------------------------------------------------------------------------------


def _booking_page(one: Case, appointment: Appointment, booking: Booking, fresh: bool) -> Response:
    left = max(0, appointment.moves - booking.moves)
    now = office().now()
    near = too_near(appointment, booking, now, office().directory.calendar)
    return page(
        "citizen/booking.html", dossier=one.dossier, procedure=one.title, fresh=fresh, bring=to_bring(one),
        facts=_facts(booking.start, booking.office, booking.minutes), action=one.at("/rendez-vous"),
        query=f"quoi={appointment.id}", may_change=booking.start > now and near is None, moves_left=left,
        near=sentence(near) if near and booking.start > now else "",
    )  # fmt: skip


@blueprint.route("/dossiers/<number>/rendez-vous/annuler", methods=["GET", "POST"])
@signed_in
def cancel(number: str) -> Response:
    one = case(number)
    appointment = wanted(one)
    booking = held(one, appointment)
    if booking is None:
        return go(one.at())
    if request.method == "POST":
        cancel_booking(office(), actor(), one.id, appointment.id, token=form_token())
        session["note"] = say("booking.cancelled")
        return go(one.at())
    lines = [say("booking.cancel_text", moment=_moment(booking.start), office=place_label(booking.office))]
    if booking.moves >= appointment.moves:
        lines.append(say("booking.cancel_last"))
    return page(
        "citizen/confirm.html", title=say("booking.cancel_title"), procedure=one.title, lines=lines,
        button=say("booking.cancel_button"), keep=say("booking.cancel_keep"), back=one.at("/rendez-vous"), warn=True,
        errors=[], ask_reason="", reason="", files=False, token=new_token(), revision=None,
    )  # fmt: skip


@blueprint.get("/dossiers/<number>/rendez-vous.ics")
@signed_in
def diary(number: str) -> Response:
    one = case(number)
    booking = held(one, wanted(one))
    if booking is None:
        raise NotFound
    there = place(booking.office)
    address = label(there.address) if there else ""
    url = f"{office().settings.base_url}{one.at('/rendez-vous')}"
    body = ics(booking, one.title, place_label(booking.office), address, url, office().now())
    return file_response(body, "text/calendar; charset=utf-8", "rendez-vous.ics")


# -- small readings ----------------------------------------------------------------------------------------------------


def _address(one: Case, appointment: Appointment) -> str:
    several = len(one.procedure.appointments()) > 1
    return one.at("/rendez-vous") + (f"?quoi={appointment.id}" if several else "")


def _instant(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # the first and last hours of the calendar have no UTC
        return None


def _day(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    today = local_day(office().now())
    return found if today <= found <= today + timedelta(days=400) else None


def _iso(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="minutes")


def _moment(instant: datetime) -> str:
    return site().words.moment(instant, language())


def _short(instant: datetime) -> str:
    there = local(instant)
    day = site().words.day(there.date(), language())
    return f"{day} à {_hour(instant)}"


def _hour(instant: datetime) -> str:
    """`9 h 00`: in a list all hours are written alike."""
    there = local(instant)
    return f"{there.hour}\u00a0h\u00a0{there.minute:02d}" if language() == "fr" else f"{there:%H:%M}"
