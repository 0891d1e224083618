"""Changes of the openings of offices: requested, previewed with the appointments they cancel, confirmed, revoked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from flask import Blueprint, Response, abort, request, session

from engine.core.problems import Refused
from engine.domain.appointments.opening_changes import reason_of
from engine.domain.common.agent_rights import EVERYWHERE, administers
from engine.records.administration import OpeningKind
from engine.services.appointments.lost_appointments import LostAppointment
from engine.services.appointments.opening_changes import (
    CALENDAR,
    Changed,
    Foresight,
    OpeningChangeRequest,
    change_openings,
    foresee,
    managed_office,
    take_back,
    to_take_back,
)
from engine.services.context.app_context import NotFound
from renderers.i18n.translations import whole_number
from renderers.web.administration.openings import (
    CHANGES,
    HOLIDAYS,
    HOME,
    administrator,
    holiday_lines,
    what_of,
    when_of,
)
from renderers.web.platform.access import agent
from renderers.web.platform.dossier_context import label, place_label
from renderers.web.platform.errors import refused, sentence
from renderers.web.platform.request_context import actor, app_ctx, form_token, go, moment_of, new_token, say
from renderers.web.shared.staff import staff_page

blueprint = Blueprint("opening_forms", __name__)

_KINDS: Final[dict[str, OpeningKind]] = {"fermer": "closed", "ouvrir": "open", "places": "desks"}
_WORD: Final[dict[OpeningKind, str]] = {"closed": "close", "open": "open", "desks": "desks", "holiday": "holiday"}
_FIELDS: Final = ("du", "au", "de", "a", "places", "raison", "raison_en")
_AT: Final = {
    "from": "du", "until": "au", "opens": "de", "shuts": "a", "desks": "places", "because": "raison",
    "because_en": "raison_en",
}  # fmt: skip
_SHOWN: Final = 100  # appointments listed, the others are counted
_NAMED: Final = 20  # dossiers to check, named in the note after the change


@dataclass(frozen=True, slots=True)
class LostLine:
    """One appointment that a change would cancel: the message to its applicant, its length, and the nearest free
    slots."""

    number: str
    appointment: str
    when: str
    notice: str
    signs: str
    nearest: tuple[str, ...]


@blueprint.route(f"{HOME}/<office_id>/<act>", methods=["GET", "POST"])
@agent()
def ask(office_id: str, act: str) -> Response:
    """Show the form of a change (`fermer`, `ouvrir` or `places`), preview it or confirm it, as `go` says."""
    there = managed_office(app_ctx(), administrator(), office_id[:80])
    if act not in _KINDS:
        abort(404)
    return _answer(_KINDS[act], there.id, f"{HOME}/{there.id}/{act}", f"{HOME}/{there.id}")


@blueprint.route(HOLIDAYS, methods=["GET", "POST"])
@agent()
def holidays() -> Response:
    """Show the holidays of the next year. An administrator of all agencies can add one."""
    administrator()
    if request.method == "POST" and not administers(actor(), (EVERYWHERE,)):
        raise NotFound  # the page shows them no form
    return _answer("holiday", CALENDAR, HOLIDAYS, HOLIDAYS)


def _answer(kind: OpeningKind, office_id: str, here: str, back: str) -> Response:
    if request.method == "GET" or request.form.get("go") == "edit":
        return _form(kind, office_id, here, back, {})
    asked, faults = _asked(kind, office_id)
    if asked is None:
        return _form(kind, office_id, here, back, faults)
    try:
        if request.form.get("go") == "confirm":
            return _done(change_openings(app_ctx(), actor(), asked, token=form_token()), back)
        return _preview(foresee(app_ctx(), actor(), asked), here, back)
    except Refused as closed:
        at = _AT.get(str(closed.reason.facts.get("field", "")), "du")
        return _form(kind, office_id, here, back, {at: sentence(closed.reason)})


# -- the form ----------------------------------------------------------------------------------------------------------


def _form(kind: OpeningKind, office_id: str, here: str, back: str, faults: dict[str, str]) -> Response:
    holiday = kind == "holiday"
    return staff_page(
        "agent/holidays.html" if holiday else "agent/opening_form.html", 422 if faults else 200, kind=_WORD[kind],
        name=place_label(office_id), here=here, back=HOME if holiday else back, faults=faults,
        errors=[(f"#{at}", text) for at, text in faults.items()],
        typed={name: request.form.get(name, "")[:300] for name in _FIELDS},
        lines=holiday_lines() if holiday else [], adds=not holiday or administers(actor(), (EVERYWHERE,)),
        note=session.pop("desk_note", "") if holiday else "",
    )  # fmt: skip


def _asked(kind: OpeningKind, office_id: str) -> tuple[OpeningChangeRequest | None, dict[str, str]]:
    """Return the requested change, or the errors by field."""
    faults: dict[str, str] = {}
    first = _day("du", faults)
    last = _day("au", faults) if request.form.get("au", "").strip() else first
    opens, shuts = (_minute(name, faults) if kind in ("closed", "open") else None for name in ("de", "a"))
    if first is None and "du" not in faults:
        faults["du"] = say("openings.fault_empty")
    if faults or first is None or last is None:
        return None, faults
    desks = request.form.get("places", "").strip()
    return OpeningChangeRequest(
        kind, office_id, first, last, opens, shuts, int(desks[:6]) if kind == "desks" and desks.isdecimal() else None,
        request.form.get("raison", "")[:300], request.form.get("raison_en", "")[:300],
    ), {}  # fmt: skip


def _day(name: str, faults: dict[str, str]) -> date | None:
    text = request.form.get(name, "").strip()[:20]
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        faults[name] = say("openings.fault_day", day=text)
        return None


def _minute(name: str, faults: dict[str, str]) -> int | None:
    """Return the minute of the day of a time typed as `08:30`, `8h30` or `8`. None if it is empty or invalid."""
    text = request.form.get(name, "").strip().lower().replace("h", ":").replace(" ", "")[:8]
    if not text:
        return None
    hour, _, minute = text.partition(":")
    if hour.isdecimal() and (minute or "0").isdecimal() and int(hour) <= 24 and int(minute or 0) < 60:
        found = int(hour) * 60 + int(minute or 0)
        if found <= 1440:
            return found
    faults[name] = say("openings.fault_hour", hour=text)
    return None


# -- preview -----------------------------------------------------------------------------------------------------------


def _preview(seen: Foresight, here: str, back: str) -> Response:
    change, word = seen.change, _WORD[seen.change.kind]
    read = [one for one in seen.lost if one.procedure is not None]
    details = [(say("openings.office"), place_label(change.office) if change.office else say("openings.everyone"))]
    details += [(say("openings.when"), when_of(change))]
    if change.kind == "desks":
        details += [(say("openings.desks_field"), str(change.desks))]
    reported = (("name" if change.kind == "holiday" else "reason", change.because), ("reason_en", change.because_en))
    details += [(say(f"openings.{key}"), text) for key, text in reported if text]
    title = say(f"openings.preview_{word}", office=place_label(change.office), name=change.because)
    return staff_page(
        "agent/opening_preview.html", title=title, kind=word, details=details, here=here, back=back, token=new_token(),
        fields=[(name, request.form.get(name, "")[:300]) for name in _FIELDS if request.form.get(name)],
        count=len(seen.lost), lines=[_lost_line(one) for one in read[:_SHOWN]], more=max(0, len(read) - _SHOWN),
        unread=[_lost_line(one) for one in seen.lost if one.procedure is None],
        closes=change.kind in ("closed", "holiday"), beyond=seen.beyond,
        name=place_label(change.office),
    )  # fmt: skip


def _lost_line(one: LostAppointment) -> LostLine:
    signs = say("openings.sms", signs=one.signs) if one.signs else ""
    procedure, task = one.procedure, one.appointment
    appointment = (
        say("text.named", name=label(procedure.identity.title), text=label(task.label)) if procedure and task else ""
    )
    return LostLine(
        one.dossier.number, appointment, moment_of(one.booking.start), one.letter.body if one.letter else "", signs,
        tuple(moment_of(start) for start in one.nearest),
    )  # fmt: skip


def _done(done: Changed, back: str) -> Response:
    said = say("openings.done", count=done.notified) if done.notified else say("openings.done_none")
    if done.unread:
        numbers = ", ".join(map(whole_number, done.unread[:_NAMED])) + ("…" if len(done.unread) > _NAMED else "")
        said = f"{said} {say('openings.done_unread', count=len(done.unread), numbers=numbers)}"
    session["desk_note"] = said
    return go(back)


# -- revocation --------------------------------------------------------------------------------------------------------


@blueprint.route(f"{CHANGES}/<change_id>", methods=["GET", "POST"])
@agent()
def lift(change_id: str) -> Response:
    """Show what revoking a change does. A post revokes it and redirects to the office or the holidays."""
    administrator()
    try:
        if request.method == "POST":
            done = take_back(app_ctx(), actor(), change_id[:60], token=form_token())
            return _done(done, f"{HOME}/{done.change.office}" if done.change.office else HOLIDAYS)
        change = to_take_back(app_ctx(), actor(), change_id[:60])
    except Refused as closed:
        return refused(closed.reason, HOME)
    back = f"{HOME}/{change.office}" if change.office else HOLIDAYS
    details = [
        (say("openings.office"), place_label(change.office) if change.office else say("openings.everyone")),
        (what_of(change), when_of(change)),
        (say("openings.reason"), label(reason_of(change)) if change.because else ""),
    ]
    text = say("openings.lift_closed" if change.kind in ("closed", "holiday") else "openings.lift_open")
    return staff_page(
        "agent/confirm.html", dossier=None, crumbs=[(HOME, say("openings.title")), (back, place_label(change.office) or say("openings.holidays"))],
        title=say("openings.lift_title"), details=[one for one in details if one[1]], text=text, action=f"{CHANGES}/{change.id}",
        token=new_token(), note="", places=(), hidden=(), button=say("openings.lift_confirm"), back=back, back_label=say("act.cancel"),
    )  # fmt: skip
