"""The day of an office: expected, present and absent visitors, and a sheet to post at the entrance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import cast
from urllib.parse import urlencode

from flask import Blueprint, Response, request, session

from engine.core.problems import Refused
from engine.core.values import digits_only
from engine.domain.appointments.appointments import why_kept
from engine.domain.appointments.opening_changes import ClosedDay, shut_on
from engine.domain.common.access import acting_role
from engine.domain.workflow.actions import visit_ahead
from engine.domain.workflow.due_dates import absent_from
from engine.domain.workflow.transition_context import Moment
from engine.model import Procedure
from engine.records.dossier import Dossier
from engine.services.applications.drafts import procedure_of
from engine.services.appointments.bookings import What, mark
from engine.services.appointments.office_day import DayLine, day, seats_of_week
from engine.services.appointments.walk_ins import undo_arrival
from engine.services.context.app_context import NotFound
from renderers.i18n.language_spans import joined
from renderers.procedure.search import words_of
from renderers.web.administration.openings import span_of
from renderers.web.agents.inbox import my_offices
from renderers.web.platform.access import agent
from renderers.web.platform.dossier_context import DossierContext, label, place_label, their_address
from renderers.web.platform.errors import sentence
from renderers.web.platform.request_context import (
    actor,
    app_ctx,
    day_of,
    form_revision,
    form_token,
    go,
    language,
    moment_of,
    new_token,
    say,
    site,
)
from renderers.web.shared.agent_dossier import AgentCase, agent_case
from renderers.web.shared.originals import originals_shown, posted_originals
from renderers.web.shared.staff import HOUR, note_with_undo, staff_page

blueprint = Blueprint("office_day", __name__)

_MARKS = ("arrived", "attended", "missed", "undone")
_FINAL = ("attended", "missed")  # asked once more: the dossier goes on, or a message leaves
MINUTE = timedelta(minutes=1)
_TAGS = {"booked": "", "arrived": "we", "attended": "ok", "missed": "bad", "cancelled": ""}


@dataclass(frozen=True, slots=True)
class Visit:
    """One appointment of the day.

    `word` is its status and `tag` the colour. `marks` are what can be recorded now, as code and word.
    """

    number: str
    href: str
    hour: str
    name: str
    procedure: str
    office: str
    bring: tuple[str, ...]
    see: str
    appointment: str
    status: str
    tag: str
    word: str
    marks: tuple[tuple[str, str], ...]
    change: str  # address of the page that moves or cancels it, empty where this agent cannot


@blueprint.get("/agent/rendez-vous")
@agent()
def today() -> Response:
    """Redirect to the page of today."""
    return go(f"/agent/rendez-vous/{app_ctx().day().isoformat()}")


@blueprint.get("/agent/rendez-vous/<when>")
@agent()
def show(when: str) -> Response:
    """Show the appointments of a day. `bureau` and `q` narrow the list.

    With `porte=1` it is the sheet for the entrance, without names.
    """
    return _page(_day(when), request.args)


def _page(when: date, narrowed: Mapping[str, str], status: int = 200, note: str = "") -> Response:
    places = my_offices()
    chosen = narrowed.get("bureau", "")
    chosen = chosen if chosen in {name for name, _ in places} else ""
    query = narrowed.get("q", "").strip()[:100]
    lines = day(app_ctx(), actor(), when, chosen or None)
    appointments = [_visit(line) for line in lines if line.booking.status != "cancelled"]
    found = [one for one in appointments if _matches(one, query)]
    shut = shut_on(app_ctx().directory, [chosen] if chosen else [name for name, _ in places], when)
    kept = {"bureau": chosen, "q": query}
    return staff_page(
        "agent/day_sheet.html" if request.args.get("porte") else "agent/day.html", status,
        day_=when, appointments=found, places=places, chosen=chosen, shut=list(_shut_lines(shut, lines, when)), place=place_label(chosen), q=query, token=new_token(),
        figures=list(_figures(lines)), week=list(_week(when, chosen, kept)), late=len(_late(lines)),
        before=_address(when - timedelta(days=1), **kept), after=_address(when + timedelta(days=1), **kept),
        is_today=when == app_ctx().day(), today=_address(app_ctx().day(), **kept) if when != app_ctx().day() else "", any=bool(appointments),
        ahead=when > app_ctx().day() and any(one.status == "booked" for one in appointments),
        here=_address(when, **kept), sheet_href=_address(when, **kept, porte="1"), note=note or session.pop("desk_note", ""),
    )  # fmt: skip


def _figures(lines: Sequence[DayLine]) -> Iterator[tuple[int, str]]:
    """Yield how many are expected, arrived with the longest wait, received and absent. Zeros are left out but the first."""
    counts = Counter(_status(line) for line in lines)
    for key, name in (("expected", "booked"), ("here", "arrived"), ("received", "attended"), ("away", "missed")):
        if counts[name] or name == "booked":
            wait = _longest_wait(lines) if name == "arrived" else ""
            yield counts[name], say(f"day.{key}", count=counts[name]) + wait


def _longest_wait(lines: Sequence[DayLine]) -> str:
    """Return the longest wait of those who arrived, empty below a minute and after the day."""
    since = min(line.booking.arrived_at for line in lines if line.booking.arrived_at and _status(line) == "arrived")
    minutes, words = int((app_ctx().now() - since) / MINUTE), site().words
    if not 0 < minutes < 24 * 60:
        return ""
    span = words.span(minutes, "minute", False, language()) if minutes < 60 else words.hour(minutes, language())
    return say("day.wait", span=span)


@dataclass(frozen=True, slots=True)
class WeekDay:
    """One day of the week: its link, its short and full name, and the seats taken of those open, empty if unknown."""

    href: str
    name: str
    full: str
    seats: str
    here: bool


def _week(when: date, chosen: str, kept: Mapping[str, str]) -> Iterator[WeekDay]:
    known = seats_of_week(app_ctx(), actor(), when, chosen or None)
    for n in range(7):
        day_ = when + timedelta(days=n - when.weekday())
        taken, places = known.get(day_, (0, 0))
        full, seats = site().words.day(day_, language()), f"{taken}/{places}" if taken or places else ""
        said = say("text.named", name=full, text=say("day.seats", taken=taken, count=places)) if seats else full
        yield WeekDay(_address(day_, **kept), f"{full[:3]}. {day_.day}", said, seats, day_ == when)


def _late(lines: Iterable[DayLine]) -> list[DayLine]:
    """Return the appointments that began an hour ago or more, whose person this agent may note as absent."""
    limit = app_ctx().now() - HOUR
    due = (line for line in lines if line.booking.start <= limit)
    return [line for line in due if "missed" in dict(_marks(line, _status(line)))]


@dataclass(frozen=True, slots=True)
class ShutLine:
    """Why an office is closed, and how many appointments remain on that day."""

    text: str
    href: str = ""
    left: str = ""


def _shut_lines(shut: Iterable[ClosedDay], lines: Iterable[DayLine], when: date) -> Iterable[ShutLine]:
    """Yield one line for each closed office. A holiday appears once."""
    held = [line.booking for line in lines]
    days = {one.because: one for one in shut if one.holiday}
    for day_off in days.values():
        yield ShutLine(say("day.shut_holiday", name=label(day_off.because)))
    for one in shut:
        left = sum(one.keeps_out(booking) for booking in held)
        href, said = (
            (f"{_address(when, bureau=one.office)}#visites", say("day.shut_left", count=left)) if left else ("", "")
        )
        if one.holiday and not left:
            continue
        name, because = place_label(one.office), label(one.because)
        hours = "" if one.hours is None else f" ({span_of(one.hours)})"
        text = say("day.shut_because" if because else "day.shut", office=f"{name}{hours}", because=because)
        yield ShutLine(text, href, said)


def _day(when: str) -> date:
    try:
        found = date.fromisoformat(when)
    except ValueError:
        raise NotFound from None
    if not 2000 <= found.year <= 2999:
        raise NotFound
    return found


def _address(when: date, **kept: str) -> str:
    query = urlencode({name: value for name, value in kept.items() if value})
    return f"/agent/rendez-vous/{when.isoformat()}" + (f"?{query}" if query else "")


def _matches(one: Visit, query: str) -> bool:
    if not query:
        return True
    digits = digits_only(query)
    if digits:
        return digits in one.number
    names = words_of(one.name)
    return all(any(name.startswith(word) for name in names) for word in words_of(query))


def _status(line: DayLine) -> str:
    arrived = line.booking.status == "booked" and line.booking.arrived_at is not None
    return "arrived" if arrived else line.booking.status


def _visit(line: DayLine) -> Visit:
    booking, dossier, status = line.booking, line.dossier, _status(line)
    at = site().words.clock(booking.arrived_at, language()) if booking.arrived_at else ""
    title = label(line.procedure_title)
    if line.appointment is None:
        text, href = say("day.unreadable"), ""
    else:
        text, href = label(line.appointment.agents_label), f"/agent/dossiers/{dossier.number}"
        if line.appointment.place == "applicant":
            there = their_address(DossierContext(dossier, procedure_of(app_ctx(), dossier)))
            text = joined(", ", filter(None, (text, there)))
    return Visit(
        dossier.number, href, site().words.clock(booking.start, language()),
        dossier.label or "–", say("text.named", name=title, text=text), place_label(booking.office),
        tuple(label(one) for one in line.to_bring), _to_see(line), booking.appointment, status, _TAGS[status],
        say("walk_in.was" if status == "arrived" and booking.is_walk_in else f"day.status_{status}", at=at), tuple(_marks(line, status)), _change(line) if status == "booked" else "",
    )  # fmt: skip


def _to_see(line: DayLine) -> str:
    """Return how many originals are to be seen, that all were seen, or that only a form is brought."""
    if line.to_see is None:
        return say("day.form_only")
    return say("day.to_see", count=line.to_see) if line.to_see else say("day.all_seen")


def _change(line: DayLine) -> str:
    ctx, dossier, task = app_ctx(), line.dossier, line.appointment
    if task is None:
        return ""
    moment = Moment(procedure_of(ctx, dossier), actor(), ctx.now(), ctx.directory, ctx.wording)
    return "" if why_kept(moment, dossier, task.id) else f"/agent/dossiers/{dossier.number}/creneau/{task.id}"


def _marks(line: DayLine, status: str) -> Iterable[tuple[str, str]]:
    """Yield what can be recorded: nothing before the day, and no absence before the visitor is late.

    Nothing for another service's appointments.
    """
    if line.appointment is None:
        return
    procedure = procedure_of(app_ctx(), line.dossier)
    if status not in ("booked", "arrived") or not acting_role(procedure, line.dossier, actor(), line.appointment.by):
        return
    if visit_ahead(line.booking, app_ctx().now()):
        return
    for what in _MARKS:
        if what == "arrived" and status == "arrived":
            continue
        if what == "missed" and (status == "arrived" or app_ctx().now() < absent_from(line.booking)):
            continue
        if what == "undone" and status != "arrived":
            continue
        yield what, say("walk_in.undo" if what == "undone" else f"day.{what}")


@blueprint.post("/agent/rendez-vous/<when>")
@agent()
def note(when: str) -> Response:
    """Record an arrival, a visit or an absence. The button carries `number/appointment/what`.

    A visit or an absence is asked once more first. Redirects to the day. Shows it again (409) if it is refused.
    """
    if request.form.get("mark") == "late":
        return _note_late(_day(when))
    chosen, _, rest = request.form.get("mark", "")[:200].partition("/")
    appointment, _, what = rest.partition("/")
    if what not in _MARKS:
        raise NotFound
    one, token, on = agent_case(chosen), form_token(), _day(when)
    if what in _FINAL and request.form.get("go") != "confirm":
        line = next((line for line in day(app_ctx(), actor(), on) if _is_of(line, one, appointment)), None)
        if line is not None and what in dict(_marks(line, _status(line))):
            return _asked(one, line, what, on)
    own_token = f"{token}:{chosen}:{what}" if token else None
    try:
        if what == "undone":
            reported = _undone(one, undo_arrival(app_ctx(), actor(), one.id, appointment, token=own_token), appointment)
        else:
            found = posted_originals() if what == "attended" else {}
            revision = form_revision() if found else None
            reported = say(f"day.{what}")
            mark(
                app_ctx(), actor(), one.id, appointment, cast(What, what),
                originals=found, revision=revision, token=own_token,
            )  # fmt: skip
    except Refused as closed:
        return _page(on, request.form, 409, sentence(closed.reason))
    text = say("day.marked", name=one.dossier.label or one.dossier.number, what=reported)
    if what == "arrived":
        note_with_undo(text, _address(on), [("mark", f"{chosen}/{appointment}/undone"), *_narrowed().items()])
    else:
        session["desk_note"] = text
    return go(_address(on, **_narrowed()))


def _note_late(on: date) -> Response:
    """Note as absent all who are expected and an hour late, once they were listed and confirmed. Each alone is a unit.

    Those who arrived meanwhile are left out.
    """
    kept, token = _narrowed(), form_token()
    late = {_key(line): line for line in _late(day(app_ctx(), actor(), on, kept["bureau"] or None))}
    if request.form.get("go") != "confirm":
        return _asked_late(on, late)
    done, failed = 0, list[str]()
    for key in dict.fromkeys(request.form.getlist("line")):
        line = late.get(key)
        if line is None:
            continue
        try:
            own = f"{token}:{key}"[:200] if token else None
            mark(app_ctx(), actor(), line.dossier.id, line.booking.appointment, "missed", token=own)
            done += 1
        except Refused as closed:
            failed.append(say("text.named", name=_name(line), text=sentence(closed.reason)))
    session["desk_note"] = " ".join([say("day.late_done", count=done), *failed])
    return go(_address(on, **kept))


def _key(line: DayLine) -> str:
    return f"{line.dossier.number}/{line.booking.appointment}"


def _name(line: DayLine) -> str:
    return line.dossier.label or line.dossier.number


def _asked_late(on: date, late: Mapping[str, DayLine]) -> Response:
    """List those who would be noted as absent, with what it does to each."""
    kept = _narrowed()
    back, names = _address(on, **kept), site().words
    if not late:
        session["desk_note"] = say("day.late_none")
        return go(back)
    effects = [_effect(procedure_of(app_ctx(), line.dossier), line, "missed") for line in late.values()]
    details = [
        (names.clock(line.booking.start, language()), say("text.named", name=_name(line), text=effect))
        for line, effect in zip(late.values(), effects, strict=True)
    ]
    return staff_page(
        "agent/confirm.html", dossier=None, crumbs=[(back, say("day.title", day=day_of(on)))], note="", places=(),
        title=say("day.late", count=len(late)), text=say("day.late_text"), details=details, token=new_token(),
        action=_address(on), hidden=[("mark", "late"), *(("line", key) for key in late), *kept.items()],
        button=say("day.late_note", count=len(late)), back=back, back_label=say("day.back"),
    )  # fmt: skip


def _undone(one: AgentCase, after: Dossier, appointment: str) -> str:
    """Return what an undone arrival did with the booking that a walk-in had taken the place of."""
    before, now = one.dossier.bookings.get(appointment), after.bookings[appointment]
    if before is None or now.id == before.id:
        return say("walk_in.undone")
    return say("walk_in.again" if now.status == "booked" else "walk_in.lost", moment=moment_of(now.start))


def _narrowed() -> dict[str, str]:
    """Return the posted filters of the list, so that the list is shown again as it was."""
    return {name: request.form.get(name, "")[:100] for name in ("bureau", "q")}


def _is_of(line: DayLine, one: AgentCase, appointment: str) -> bool:
    return (line.dossier.id, line.booking.appointment) == (one.id, appointment)


def _asked(one: AgentCase, line: DayLine, what: str, on: date) -> Response:
    """Show what is about to be recorded and what it does, with the button that records it."""
    visit, back = _visit(line), _address(on, **_narrowed())
    details = [(say("day.person"), visit.name), (say("day.hour"), visit.hour), (say("day.visit"), visit.procedure),
               (say("day.office"), visit.office), (say("day.state"), visit.word)]  # fmt: skip
    return staff_page(
        "agent/confirm.html", dossier=one.dossier, crumbs=[(back, say("day.title", day=day_of(on)))], note="", places=(),
        originals=originals_shown(one) if what == "attended" else None, revision=one.dossier.revision,
        title=say(f"day.sure_{what}"), text=_effect(one.procedure, line, what), details=details, token=new_token(),
        action=_address(on), hidden=[("mark", f"{visit.number}/{visit.appointment}/{what}"), *_narrowed().items()],
        button=say(f"day.note_{what}"), back=back, back_label=say("day.back"),
    )  # fmt: skip


def _effect(procedure: Procedure, line: DayLine, what: str) -> str:
    """Return what the record does. An absence too many takes the dossier to another step."""
    if what == "attended" or line.appointment is None:
        return say("day.attended_text")
    leaving = procedure.leaving.get(line.dossier.state, ())
    missed = next((transition for transition in leaving if transition.event == "missed"), None)
    count = line.dossier.missed.get(line.appointment.id, 0) + 1
    if missed is None or count <= line.appointment.no_show:
        return say("day.missed_text")
    return say("day.missed_ends", state=label(procedure.state(missed.target).label))
