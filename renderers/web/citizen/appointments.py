"""Appointments of an applicant: choose an office and slot, confirm, move, cancel, export to a calendar."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from flask import Blueprint, Response, request, session

from engine.core.clock import local_day
from engine.core.problems import Refused
from engine.domain.appointments.appointments import too_near
from engine.domain.common.working_time import minutes_of
from engine.domain.workflow.tasks import open_tasks
from engine.model import Appointment
from engine.records.dossier import Actor, Booking
from engine.services.appointments.bookings import (
    book_slot,
    cancel_booking,
    held_until,
    hold_slot,
    is_reminded,
    refusal_to_cancel,
    slots,
)
from engine.services.context.app_context import NotFound
from engine.services.core.appointment_links import held_visit
from engine.services.core.waiting_list import stop_waiting, wait_for_seat, waits_at
from engine.storage.results import Conflict
from renderers.i18n.translations import first_capital
from renderers.pdf.icalendar import ics
from renderers.web.platform.access import dossier_page
from renderers.web.platform.dossier_context import (
    DossierContext,
    case_of,
    label,
    place,
    place_label,
    to_bring,
    visit_address,
    visit_place,
)
from renderers.web.platform.errors import sentence
from renderers.web.platform.request_context import (
    actor,
    app_ctx,
    at_counter,
    client,
    file_response,
    form_revision,
    form_token,
    go,
    language,
    moment_of,
    new_token,
    page,
    say,
    site,
)
from renderers.web.shared.appointment_notices import (
    absence_costs,
    hour_come,
    is_unmarked,
    lost_box,
    lost_of,
    missed_lines,
)
from renderers.web.shared.outcomes import confirm_page, go_noting
from renderers.web.shared.row_results import form_lines
from renderers.web.shared.slots import (
    SlotButton,
    day_ahead,
    days_of,
    instant_of,
    iso_of,
    office_lines,
    why_none,
    why_taken,
)

blueprint = Blueprint("appointments", __name__)

_DAYS = 3  # of slots on a page, however many each has
_GONE = ("slot_full", "slot_closed")  # the list of slots shows what is left
_HELD = ("too_late_to_move", "too_many_moves")  # slots may be free, but the booking cannot move


def visit_of(one: DossierContext) -> Appointment | None:
    """Return the appointment named in the query, else the one to book, else the booked one.

    Then one cancelled by a closure. None if there is none of these.
    """
    tasks = {task.id: task for task in one.procedure.appointments()}
    named = tasks.get(request.values.get("quoi", ""))
    awaited = [task for task in open_tasks(one.procedure, one.dossier, one.evaluated().scope) if task.id in tasks]
    held = [
        tasks[name] for name, booking in one.dossier.bookings.items() if name in tasks and booking.status == "booked"
    ]
    lost = [task for task in tasks.values() if lost_of(one, task) is not None]
    return named or next((task for task in (*awaited, *held, *lost) if isinstance(task, Appointment)), None)


# -- where it is handled -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Counter:
    """One appointment, as its owner, an agent who helps, or the holder of a link (`by_link`) uses it.

    `one` is the dossier, `who` the actor and `task` the appointment. `here` is the address of its pages,
    `back` the one to return to. A link gives access to this appointment only.
    """

    one: DossierContext
    who: Actor
    task: Appointment
    here: str
    back: str
    by_link: bool = False

    @property
    def booking(self) -> Booking | None:
        """The booking in force, None without one."""
        found = self.one.dossier.bookings.get(self.task.id)
        return found if found is not None and found.status == "booked" else None

    @property
    def address(self) -> str:
        """The address of the page, with the appointment's id if the procedure has several."""
        several = not self.by_link and len(self.one.procedure.appointments()) > 1
        return self.here + (f"?quoi={self.task.id}" if several else "")

    def choose(self) -> Response:
        """Show the booking, or the slots if there is none or the applicant wants to change it."""
        booking = self.booking
        asked = request.args.get("changer") or request.args.get("bureau")
        kind = session.pop("note_kind", "act")
        if booking is not None and (not asked or not self._moves_left(booking)):
            return self.booked(fresh=session.pop("booked", "") == booking.id)
        return self.slots(note=session.pop("note", ""), kind=kind)

    def slots(self, note: str = "", status: int = 200, kind: str = "act") -> Response:
        """Show the free slots of an office (`bureau`) from a day (`jour`) on, and the waiting list.

        `note` is a sentence above them, in the colour of `kind`.
        """
        sheet = slots(
            app_ctx(), self.who, self.one.id, self.task.id, office_id=request.values.get("bureau"),
            from_day=day_ahead(request.args.get("jour", "")), least_days=_DAYS,
        )  # fmt: skip
        first = sheet.first_free
        waits = waits_at(app_ctx(), self.who, self.one.id, self.task.id)
        return page(
            "citizen/slots.html", status, dossier=self.one.dossier, procedure=self.one.title, title=label(self.task.label),
            note=note, note_kind=kind, current=moment_of(self.booking.start) if self.booking else "", offices=office_lines(sheet),
            office_id=sheet.office_id or "", days=days_of(sheet) if not sheet.because else [], action=self.here,
            free=sheet.because is None and any(day.slots for day in sheet.days),
            first=SlotButton(iso_of(first.start), "", moment_of(first.start)) if first and not request.args.get("jour") else None,
            next_from=sheet.next_from.isoformat() if sheet.next_from else "", because=why_none(sheet),
            none_free=sheet.because is None or sheet.because.code not in _HELD, quoi=self.task.id,
            at_yours=self.task.place == "applicant",
            back=self.back, may_wait=bool(self.one.dossier.contact_phone or self.one.dossier.contact_email) and (sheet.because is None or sheet.because.code == "no_slot"), token=new_token(),
            waits_at=place_label(waits) if waits else "", waits_here=waits == sheet.office_id and bool(waits), lost=lost_box(self.one, self.task, self.here),
            missed=list(missed_lines(self.one, self.task)), revision=self.one.dossier.revision, bring=to_bring(self.one),
            moves=self.task if self.task.moves and self.task.id not in self.one.dossier.bookings else None,
        )  # fmt: skip

    def hold(self) -> Response:
        """Hold the posted slot and redirect to the confirmation. Shows the slots again (409) if it is taken."""
        start, office_id = instant_of(request.form.get("start", "")), request.form.get("bureau", "")[:80]
        if start is None:
            return go(self.address)
        try:
            hold_slot(app_ctx(), self.who, self.one.id, self.task.id, office_id, start, client=client())
        except Refused as closed:
            if closed.reason.code not in _GONE:
                raise
            return self.slots(why_taken(closed.reason), 409)
        chosen = {"quoi": self.task.id, "bureau": office_id, "start": request.form.get("start", "")[:80]}
        return go(f"{self.here}/confirmer?{urlencode(chosen)}")

    def confirm(self) -> Response:
        """Show the chosen slot before booking. Redirects if the slot can no longer be booked."""
        start, office_id = instant_of(request.values.get("start", "")), request.values.get("bureau", "")
        if start is None or place(office_id) is None:
            return go(self.address)
        until = held_until(app_ctx(), self.who, self.one.id, self.task.id, start)
        if until is None and (elsewhere := self._gone(start, office_id)):
            return go(elsewhere)
        return page(
            "citizen/slot_confirm.html", procedure=self.one.title,
            details=_details(self.task, start, office_id, int(minutes_of(self.task.lasts))), bring=to_bring(self.one), token=new_token(),
            revision=self.one.dossier.revision, office_id=office_id, start=iso_of(start), action=self.here,
            quoi=self.task.id, replaces=say("slot.replaces", moment=moment_of(self.booking.start)) if self.booking else "",
            hold_text=say("slot.kept", at=site().words.clock(until, language())) if until else say("slot.not_kept"),
        )  # fmt: skip

    def _gone(self, start: datetime, office_id: str) -> str:
        """Return where to go if a slot that is not held here cannot be booked, empty if it is free.

        It is booked already, taken by another applicant, or the appointment cannot be changed.
        """
        if self.booking is not None and (self.booking.start, self.booking.office) == (start, office_id):
            return self.address
        sheet = slots(app_ctx(), self.who, self.one.id, self.task.id, office_id=office_id, from_day=local_day(start))
        if sheet.because is not None and sheet.because.code != "no_slot":
            return self.address  # that page says why
        if sheet.office_id == office_id and any(slot.start == start for day in sheet.days for slot in day.slots):
            return ""
        session["note"] = say("slots.taken_none")
        return self._office_address(office_id)

    def _office_address(self, office_id: str) -> str:
        """Return the address of the slots of an office."""
        return f"{self.here}?{urlencode({'quoi': self.task.id, 'bureau': office_id})}"

    def book(self) -> Response:
        """Book the posted slot and redirect to the appointment. Shows the slots again (409) if it is taken."""
        start, office_id = instant_of(request.form.get("start", "")), request.form.get("bureau", "")
        if start is None:
            return go(self.address)
        try:
            dossier = book_slot(
                app_ctx(), self.who, self.one.id, self.task.id, office_id, start, revision=form_revision(),
                token=form_token(), client=client(),
            )  # fmt: skip
        except Refused as closed:
            if closed.reason.code not in _GONE:
                raise
            return self.slots(why_taken(closed.reason), 409)
        except Conflict:
            if self.booking is None:
                raise
            return go_noting(self.address, "" if self.booking.start == start else say("booking.elsewhere"))
        booking = dossier.bookings.get(self.task.id)
        session["booked"] = booking.id if booking else ""
        return go(self.address)

    def booked(self, fresh: bool) -> Response:
        """Show the booking. `fresh` means that it was just made. Raises `NotFound` without a booking."""
        booking = self.booking
        if booking is None:
            raise NotFound
        now = app_ctx().now()
        near = too_near(self.task, booking, now, app_ctx().directory.calendar)
        return page(
            "citizen/booking.html", dossier=self.one.dossier, procedure=self.one.title, fresh=fresh, note=session.pop("note", ""),
            unmarked=is_unmarked(booking), bring=[] if is_unmarked(booking) else to_bring(self.one), forms=() if self.by_link or at_counter() else form_lines(self.one), action=self.here,
            details=_details(self.task, booking.start, booking.office, booking.minutes),
            query=f"quoi={self.task.id}", may_change=booking.start > now and near is None and booking.arrived_at is None,
            moves_left=self._moves_left(booking), moves=" ".join([self._moves_said(booking), *absence_costs(self.one, self.task)]), back=self.back, by_link=self.by_link,
            near=sentence(near) if near and booking.start > now else "", come=list(hour_come(self.one, booking)),
            reminded=is_reminded(app_ctx(), self.one.dossier, self.task, booking),
        )  # fmt: skip

    def _moves_left(self, booking: Booking) -> int:
        """Return how often the booking may still be moved."""
        return max(0, self.task.moves - booking.moves)

    def _moves_said(self, booking: Booking) -> str:
        """Return the sentence on how often the booking may be moved, or what to do instead."""
        if left := self._moves_left(booking):
            return say("booking.moves", count=left)
        said = say("booking.no_moves" if self.task.moves else "booking.never_moves")
        return said if at_counter() else f"{said} {say('booking.no_moves_do', phone=site().settings.phone)}"

    def cancel(self) -> Response:
        """Ask whether to cancel the booking. A post cancels it and redirects to the dossier or link."""
        booking = self.booking
        if booking is None:
            return go(self.back)
        if request.method == "POST":
            try:
                cancel_booking(
                    app_ctx(), self.who, self.one.id, self.task.id, revision=form_revision(), token=form_token()
                )
            except Conflict:
                return go_noting(self.here, say("booking.elsewhere"))
            note = say("counter.visit_cancelled" if at_counter() else "booking.cancelled")
            return go_noting(self.here if self.by_link else self.back, note)
        if (kept := refusal_to_cancel(app_ctx(), self.who, self.one.id, self.task.id)) is not None:
            return go_noting(self.here, sentence(kept))
        left = self._moves_left(booking)
        lines = [
            say("booking.cancel_text", moment=moment_of(booking.start), office=visit_place(self.one, booking)),
            say("booking.cancel_counts", count=left) if left else say("booking.cancel_last"),
        ]
        return confirm_page(
            say("booking.cancel_title"), lines, say("booking.cancel_button"),
            say("counter.keep_visit" if at_counter() else "booking.cancel_keep"), self.here, procedure=self.one.title, revision=self.one.dossier.revision,
        )  # fmt: skip

    def wait(self) -> Response:
        """Join or leave the waiting list of an office, then redirect to the slots."""
        office_id = request.form.get("bureau", "")[:80]
        if request.form.get("stop"):
            stop_waiting(app_ctx(), self.who, self.one.id, self.task.id)
            note = say("counter.wait_stopped" if at_counter() else "waiting.stopped")
        else:
            wait_for_seat(app_ctx(), self.who, self.one.id, self.task.id, office_id)
            note = say("counter.wait_done" if at_counter() else "waiting.done")
        return go_noting(self._office_address(office_id), note)

    def diary(self) -> Response:
        """Serve the booking as an iCalendar file.

        The entry's id stays the same after a move, and a cancelled booking removes the entry. Raises `NotFound`.
        """
        booking = self.one.dossier.bookings.get(self.task.id)
        if booking is None or booking.status not in ("booked", "cancelled"):
            raise NotFound
        url = f"{app_ctx().settings.base_url}{self.here}"
        name = f"{self.one.dossier.number}-{self.task.id}"
        there, address = visit_place(self.one, booking), visit_address(self.one, booking)
        body = ics(booking, name, self.one.title, there, address, url, app_ctx().now())
        return file_response(body, "text/calendar; charset=utf-8", "rendez-vous.ics")


def counter(one: DossierContext) -> Counter:
    """Return the appointment of the dossier's owner or of the agent who helps. Raises `NotFound` if there is none."""
    task = visit_of(one)
    if task is None:
        raise NotFound
    return Counter(one, actor(), task, one.at("/rendez-vous"), one.at())


def counter_of_link(token: str) -> Counter:
    """Return the appointment of a link. Raises `NotFound` for an unknown link."""
    found = held_visit(app_ctx(), token[:40], client())
    one = case_of(found.owner, found.dossier.number)
    task = one.procedure.tasks.get(found.appointment)
    if not isinstance(task, Appointment):
        raise NotFound
    return Counter(one, found.owner, task, f"/r/{token}", f"/r/{token}", by_link=True)


# -- the pages ---------------------------------------------------------------------------------------------------------


@dossier_page(blueprint, "/rendez-vous")
def choose(one: DossierContext) -> Response:
    """Show the booking or the free slots.

    Without an appointment, redirect to the dossier, as old calendar entries link here.
    """
    return go(one.at()) if visit_of(one) is None else counter(one).choose()


@dossier_page(blueprint, "/rendez-vous", "POST")
def book(one: DossierContext) -> Response:
    """Book the posted slot and redirect to the appointment."""
    return counter(one).book()


@dossier_page(blueprint, "/rendez-vous/confirmer", "GET", "POST")
def confirm(one: DossierContext) -> Response:
    """Show the chosen slot, which is not booked yet. A post first holds it."""
    return counter(one).hold() if request.method == "POST" else counter(one).confirm()


@dossier_page(blueprint, "/rendez-vous/attendre", "POST")
def wait(one: DossierContext) -> Response:
    """Join or leave the waiting list, then redirect to the slots."""
    return counter(one).wait()


@dossier_page(blueprint, "/rendez-vous/annuler", "GET", "POST")
def cancel(one: DossierContext) -> Response:
    """Ask whether to cancel the booking. A post cancels it and redirects to the dossier."""
    return counter(one).cancel()


@dossier_page(blueprint, "/rendez-vous.ics")
def diary(one: DossierContext) -> Response:
    """Serve the booking as an iCalendar file. Raises `NotFound` without a booking."""
    return counter(one).diary()


def _details(task: Appointment, start: datetime, office_id: str, minutes: int) -> list[tuple[str, str]]:
    there = place(office_id) if task.place == "office" else None
    home = (say("slot.where"), say("slot.at_yours"))
    where = home if task.place == "applicant" else (say("slot.place"), place_label(office_id))
    address = [(say("slot.address"), label(there.address))] if there and there.address else []
    parts = zip(divmod(minutes, 60), ("hour", "minute"), strict=True)
    lasts = " ".join(site().words.span(count, unit, False, language()) for count, unit in parts if count)
    return [(say("slot.date"), first_capital(moment_of(start))), where, *address, (say("slot.lasts"), lasts)]
