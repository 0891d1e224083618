"""Parts shared by the areas of agents and auditors: badge, names, due dates, editions, sign-in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from flask import Response, g, request, session

from engine.core.clock import local, local_day
from engine.core.problems import Refused
from engine.domain.common.access import in_mandate
from engine.model import Procedure, State, Transition
from engine.model.form import USUAL
from engine.records.dossier import Dossier
from engine.records.publications import Edition
from engine.services.accounts.supervision import supervises
from engine.services.context.app_context import NotFound
from engine.services.sign_in.agent_sign_in import Kind, Passed, sign_in, uses_keys
from engine.services.sign_in.demo_accounts import ADMINISTRATOR, AUDITOR, PASSWORD, demo_agents
from renderers.definition.expressions import ExpressionWriter
from renderers.html.diagram import kind_of
from renderers.web.platform.dossier_context import label
from renderers.web.platform.errors import refused, sentence
from renderers.web.platform.request_context import (
    AGENT_AREA,
    actor,
    app_ctx,
    client,
    close_session,
    day_of,
    device,
    go,
    known_browser,
    language,
    moment_of,
    page,
    safe_next,
    say,
    site,
)

_SOON = 2  # working days left from which the tag is amber, as supervision counts them
HOUR = timedelta(hours=1)
LetsIn: TypeAlias = Callable[[str, Passed, str], Response]  # area, result of the password, next address


# -- who ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AgentBadge:
    """The agent or auditor in the header of the page. `here` is its address.

    `leads`: the person supervises a service. `keys`: one letter acts on the page.
    """

    name: str
    role: str
    where: str
    here: str
    leads: bool = False
    keys: bool = False


def badge() -> AgentBadge | None:
    """Return the badge of the person signed in, None if there is none."""
    who = actor()
    if not who.id:
        return None
    if who.kind == "auditor":
        return AgentBadge(who.name, say("desk.auditor"), "", request.path)
    keys = uses_keys(app_ctx(), who)
    if who.administers and not who.roles:
        return AgentBadge(who.name, say("team.manager"), "", request.path, True, keys)
    agencies = {role.partition("/")[0] for role in who.roles}
    offices = (app_ctx().directory.offices.get(key) for key in sorted(who.offices))
    places = [label(there.label) for there in offices if there and there.agency in agencies]
    roles = ", ".join(role_label(key) for key in sorted(who.roles))
    return AgentBadge(who.name, roles, ", ".join(places), request.path, supervises(app_ctx(), who), keys)


def role_label(key: str) -> str:
    """Return `Agent de guichet` for `agency/role`, or the word for the applicant or the system."""
    if key in ("applicant", "system"):
        return say(f"desk.{'applicant' if key == 'applicant' else 'system'}")
    role = app_ctx().directory.role(key)
    return label(role.label) if role else key


def people(ids: Iterable[str | None]) -> Mapping[str, str]:
    """Return the names of agents and auditors by id. An applicant is not named, and unknown ids are left out.

    An id of an applicant is in the proof of a journal, which names no applicant: a search for it tells no name.
    """
    wanted = {one for one in ids if one}
    with app_ctx().store.unit() as unit:
        found = {one: unit.account(one) for one in wanted}
    named = {one: account.name if account.kind != "applicant" else "" for one, account in found.items() if account}
    return {one: name or say("desk.applicant") for one, name in named.items()}


def assisted_by(dossier: Dossier) -> str:
    """Return the names of the agents who filled in the dossier with its owner, empty if none did."""
    if not dossier.assisted:
        return ""
    names = people(dossier.assisted)
    return ", ".join(names.get(one) or say("desk.unknown_person") for one in dossier.assisted)


def who_did(by: str, kind: str, names: Mapping[str, str]) -> str:
    """Return the person behind an act: a name for agents, a general word for others."""
    if kind == "agent":
        return names.get(by) or say("desk.unknown_person")
    known = {"applicant": "applicant_capital", "system": "by_itself", "provider": "provider", "anonymous": "anonymous"}
    return names.get(by, "") if kind == "auditor" else say(f"desk.{known.get(kind, 'by_itself')}")


# -- time --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DueDateTag:
    """A due date in words, its colour, and the full date."""

    kind: str
    text: str
    title: str = ""


def awaits_applicant(state: State) -> bool:
    """Return whether the state waits for the applicant: for an act, or for the collection of a document."""
    return kind_of(state) == "applicant" or (state.public == "ready" and not state.is_end)


def due_tag(state: State | None, due_at: datetime | None, paused: bool) -> DueDateTag | None:
    """Return the time left, in words as well as colour. None if nothing is due."""
    if due_at is None or (state is not None and state.is_end):
        return None
    now = app_ctx().now()
    if paused:
        return DueDateTag("", say("due.paused"))
    if state is not None and awaits_applicant(state):
        short = f"{local(due_at):%d/%m}" if local(due_at).year == local(now).year else f"{local(due_at):%d/%m/%y}"
        return DueDateTag("", say("due.theirs", day=short), day_of(due_at))
    title = say("due.by", moment=moment_of(due_at))
    if now > due_at:
        return DueDateTag("bad", _late(due_at, now), title)
    days = _working_days(now, due_at)
    return DueDateTag("act" if days <= _SOON else "we", _left(due_at, now, days), title)


def short_moment(instant: datetime) -> tuple[str, str, str]:
    """Return an instant as ISO text, as `26/11 08:00`, and in words. The short form has the year if it is another one."""
    at, now = local(instant), local(app_ctx().now())
    return at.isoformat(), f"{at:%d/%m %H:%M}" if at.year == now.year else f"{at:%d/%m/%Y}", moment_of(instant)


def _late(due_at: datetime, now: datetime) -> str:
    days = (local_day(now) - local_day(due_at)).days
    if days:
        return say("due.late_days", count=days)
    return say("due.late_hours", count=max(1, round((now - due_at) / HOUR)))


def _left(due_at: datetime, now: datetime, days: int) -> str:
    if local_day(due_at) == local_day(now):
        hours = int((due_at - now) / HOUR)
        return say("due.left_hours", count=hours) if hours else say("due.today")
    return say("due.left_days", count=days) if days else say("due.today")


def _working_days(now: datetime, due_at: datetime) -> int:
    """Return the number of working days after today up to that of an instant."""
    day, end, count = local_day(now), local_day(due_at), 0
    while day < end:
        day += timedelta(days=1)
        count += app_ctx().directory.calendar.works(day)
    return count


# -- procedures --------------------------------------------------------------------------------------------------------


def procedure_of(procedure_id: str, edition: int | None = None, fingerprint: str = "") -> Procedure | None:
    """Return an edition by number or fingerprint, else the one in service. None if unknown."""
    if edition is None and not fingerprint:
        return app_ctx().catalogue.procedures.get(procedure_id)
    return app_ctx().editions.definition(app_ctx().catalogue, procedure_id, edition or 0, fingerprint)


def label_choices(procedure: Procedure | None) -> list[tuple[str, str]]:
    """Return the labels of a procedure as `annotation.option` and text; for None the usual ones."""
    known = procedure.labels() if procedure is not None else USUAL
    return [(f"{name}.{code}", label(text)) for name, one in known.items() for code, text in one.options.items()]


def event_label(procedure: Procedure, transition: Transition) -> str:
    """Return the cause of an automatic transition: a completed task, or time."""
    event = transition.event or ""
    if event == "done" and site().words.has(f"event.done_{procedure.state(transition.source).mode}"):
        return say(f"event.done_{procedure.state(transition.source).mode}")
    if site().words.has(f"event.short_{event}"):
        return say(f"event.short_{event}")
    task, clock = procedure.tasks.get(event), procedure.clocks.get(event)
    if task is not None:
        return label(task.agents_label)
    return label(clock.label) if clock else say("event.other")


def editions_of(procedure_id: str) -> tuple[Edition, ...]:
    """Return all published editions, newest first."""
    with app_ctx().store.unit() as unit:
        kept = unit.editions(procedure_id)
    return tuple(sorted(kept, key=lambda one: (one.published_at, one.edition), reverse=True))


def writer_of(procedure: Procedure) -> ExpressionWriter:
    """Return the writer of expressions in the language of the page."""
    return ExpressionWriter(procedure, app_ctx().directory, site().words, language())


# -- sign-in -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DemoSignIn:
    """An invented agent or auditor whom a demonstration signs in with one click."""

    login: str
    name: str
    role: str
    agency: str


def sign_in_page(area: str, kind: Kind, lets_in: LetsIn) -> Response:
    """Show the sign-in of an area, or check the password and continue with `lets_in`.

    An unknown login and a wrong password give the same message.
    """
    g.area = area
    if request.method == "GET":
        return _sign_in_form(area, safe_next(request.args.get("suite"), ""))
    login, following = request.form.get("login", "")[:100], safe_next(request.form.get("suite"), "")
    password = request.form.get("password", "")
    if not login.strip() or not password:
        return _sign_in_form(area, following, login, say("desk.empty_login"))
    try:
        passed = sign_in(app_ctx(), kind, login, password, client(), device(), known_browser())
    except Refused as closed:
        if closed.reason.code == "too_many_tries":
            return refused(closed.reason, request.path)
        return _sign_in_form(area, following, login, sentence(closed.reason))
    return lets_in(area, passed, following)


def _sign_in_form(area: str, following: str, login: str = "", error: str = "") -> Response:
    errors = [("#login", error)] if error else []
    return staff_page(
        "staff/sign_in.html", 422 if error else 200, title=say(f"desk.{area if area == AGENT_AREA else 'auditor'}_title"),
        errors=errors, login=login, next=following, has_saved_post=bool(session.get("aside")), guests=_guests(area),
        note=session.pop("desk_note", ""),
        password=PASSWORD,
    )  # fmt: skip


def _guests(area: str) -> list[DemoSignIn]:
    """Return the invented people of a demonstration: agents with a role in a procedure in service."""
    if not app_ctx().settings.demo:
        return []
    if area != AGENT_AREA:
        return [DemoSignIn(AUDITOR, say("desk.auditor"), "", "")]
    acting = app_ctx().editions.roles(app_ctx().catalogue)
    agencies = app_ctx().directory.agencies
    acts = [
        DemoSignIn(one.login, one.name, role_label(one.role), label(agencies[one.role.partition("/")[0]].label))
        for one in demo_agents(app_ctx().directory)
        if one.role in acting
    ]
    return [*acts, DemoSignIn(ADMINISTRATOR, "B. Tossou", say("team.manages_all"), say("team.administration"))]


def sign_out_of(area: str, page: str) -> Response:
    """Close the session of an area, discard its saved post, and go to the page."""
    g.area = area
    session.pop("aside", None)
    return close_session(go(page), area)


def note_with_undo(text: str, action: str, fields: Iterable[tuple[str, str]]) -> None:
    """Keep a sentence for the next page of this person, with the form that takes the act back: its address and fields."""
    session["desk_note"], session["desk_undo"] = text, [text, action, [list(one) for one in fields]]


def staff_page(template: str, http: int = 200, /, **context: object) -> Response:
    """Return a rendered page of agents or auditors, with the badge of the person signed in."""
    return page(template, http, badge=badge(), undo=session.pop("desk_undo", None), **context)


def mandated(slug: str) -> str:
    """Return the address of a procedure in the auditor's mandate. Raises `NotFound` for any other."""
    if not in_mandate(actor(), slug):
        raise NotFound
    return slug


def known(procedure: Procedure | None) -> Procedure:
    """Return the procedure. Raises `NotFound` for None."""
    if procedure is None:
        raise NotFound
    return procedure
