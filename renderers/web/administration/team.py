"""The team of an administrator: rights and their last days. Each change is recorded in the journal of rights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlencode

from flask import Blueprint, Response, abort, request, session

from engine.core.problems import Refused
from engine.domain.common.agent_rights import (
    EVERYWHERE,
    administers,
    agency_of,
    is_absent,
    own_number,
    refusal_for_person,
)
from engine.journal.chain import JournalEntry
from engine.records.dossier import Account
from engine.services.accounts import agents as people
from engine.services.accounts.agents import Given, Person
from engine.services.appointments.opening_changes import current_change
from engine.services.sign_in import agent_sign_in as staff
from renderers.html.controls import national
from renderers.web.administration.openings import administrator, change_lines
from renderers.web.platform.access import agent
from renderers.web.platform.dossier_context import label
from renderers.web.platform.errors import refused, sentence
from renderers.web.platform.request_context import actor, app_ctx, day_of, go, moment_of, say
from renderers.web.shared.staff import people as names_of
from renderers.web.shared.staff import role_label, staff_page

blueprint = Blueprint("team", __name__)

_HOME = "/agent/equipe"


@dataclass(frozen=True, slots=True)
class MemberLine:
    """One person of the team: rights in words, `open` for an enabled account, `absent` for a day of absence."""

    href: str
    name: str
    login: str
    rights: tuple[str, ...]
    open: bool
    dossiers_href: str = ""  # address of their absence and dossiers
    absent: bool = False


@dataclass(frozen=True, slots=True)
class RoleBox:
    """One role of a form, whether it is held, and its last day."""

    key: str
    label: str
    is_held: bool
    until: str


@dataclass(frozen=True, slots=True)
class AgencyBox:
    """The roles and offices of one agency in a form."""

    label: str
    roles: tuple[RoleBox, ...]
    offices: tuple[tuple[str, str, bool], ...]

    @property
    def used(self) -> bool:
        """Whether the person holds a role or an office of the agency."""
        return any(one.is_held for one in self.roles) or any(chosen for _, _, chosen in self.offices)


def _everywhere() -> bool:
    return administers(actor(), (EVERYWHERE,))


# -- the team ----------------------------------------------------------------------------------------------------------


@blueprint.get("/agent/equipe")
@agent()
def home() -> Response:
    """Show the team by name. `q` narrows it to a part of the name or login."""
    who, asked = administrator(), request.args.get("q", "").strip()[:60]
    found = [one for one in people.team(app_ctx(), who) if asked.lower() in f"{one.name} {one.login}".lower()]
    return staff_page(
        "agent/team.html", lines=[_line(one) for one in found], q=asked, note=session.pop("desk_note", "")
    )


def _line(account: Account) -> MemberLine:
    is_open = account.is_open(app_ctx().day())
    held = f"/agent/supervision?agent={account.id}#liste" if account.kind == "agent" else ""
    absent = is_absent(account, app_ctx().day())
    return MemberLine(
        f"{_HOME}/{account.id}", account.name, account.login, tuple(_rights(account)), is_open, held, absent
    )


def _rights(account: Account) -> Iterable[str]:
    for role in account.roles:
        end = account.ends.get(role)
        place = f"{role_label(role)}, {_agency(role)}"
        yield say("team.role_until", role=place, day=day_of(end)) if end else place
    for one in account.offices:
        found = app_ctx().directory.offices.get(one)
        yield say("team.at", office=label(found.label) if found else one)
    for one in account.administers:
        yield say("team.manages_all") if one == EVERYWHERE else say("team.manages", agency=_agency(one))
    if account.kind == "auditor":
        yield say("team.controller")
        yield from (_procedure(one) for one in account.procedures)
    if account.until:
        yield say("team.until", day=day_of(account.until))


def _agency(key: str) -> str:
    found = app_ctx().directory.agencies.get(agency_of(key))
    return label(found.label) if found else key


def _procedure(slug: str) -> str:
    procedure = app_ctx().catalogue.procedures.get(slug)
    return label(procedure.identity.title) if procedure else slug


# -- one person --------------------------------------------------------------------------------------------------------


@blueprint.route("/agent/equipe/nouveau", methods=["GET", "POST"])
@agent()
def add() -> Response:
    """Show the form for a new account. `genre=controleur` makes it an auditor's.

    A post creates the account and shows its password once.
    """
    who = administrator()
    is_auditor = request.values.get("genre") == "controleur" and _everywhere()
    kind: staff.Kind = "auditor" if is_auditor else "agent"
    blank = Account("", kind, "", request.form.get("login", "")[:60])
    if request.method == "GET":
        return _form_page(blank, _HOME)
    asked, error = _asked(blank)
    if not error:
        try:
            return _given_page(people.add_person(app_ctx(), who, kind, blank.login, asked))
        except Refused as closed:
            error = sentence(closed.reason)
    return _form_page(_shown(blank, asked), _HOME, error)


@blueprint.route("/agent/equipe/<account_id>", methods=["GET", "POST"])
@agent()
def one(account_id: str) -> Response:
    """Show the rights of a person. A post changes them and redirects to the team."""
    who = administrator()
    account = people.member(app_ctx(), who, account_id[:60])
    if request.method == "GET":
        return _form_page(account, _HOME)
    asked, error = _asked(account)
    if not error:
        try:
            people.change_person(
                app_ctx(), who, account.id, asked, seen=request.form.get("seen") or people.rights_seen(account)
            )
        except Refused as closed:
            error = sentence(closed.reason)
        else:
            session["desk_note"] = say("team.changed", name=account.name)
            return go(_HOME)
    return _form_page(_shown(account, asked), _HOME, error)


@blueprint.post("/agent/equipe/<account_id>/<act>")
@agent()
def change(account_id: str, act: str) -> Response:
    """Close or reopen an account, give a new password, or delete the second factor.

    Redirects to the team, or shows the password once.
    """
    who = administrator()
    verbs: dict[str, Callable[..., Account | Given]] = {
        "fermer": people.close_person, "ouvrir": people.reopen_person, "mot-de-passe": people.give_password,
        "telephone": people.reset_factor,
    }  # fmt: skip
    if act not in verbs:
        abort(404)
    try:
        done = verbs[act](app_ctx(), who, account_id[:60])
    except Refused as closed:
        return refused(closed.reason, f"{_HOME}/{account_id}")
    if isinstance(done, Given):
        return _given_page(done)
    session["desk_note"] = say("team.closed" if act == "fermer" else "team.factor_reset", name=done.name)
    return go(_HOME)


def _given_page(given: Given) -> Response:
    """Show the new password, only this once."""
    area = "/audit" if given.account.kind == "auditor" else "/agent"
    return staff_page(
        "agent/team_credentials.html", login=given.account.login, password=given.password, name=given.account.name,
        sign_in_address=app_ctx().settings.base_url + area, back=_HOME,
    )  # fmt: skip


def _form_page(account: Account, back: str, error: str = "") -> Response:
    member = people.member(app_ctx(), actor(), account.id) if account.id else None
    errors = [("#name", error)] if error else []
    closed = refusal_for_person(actor(), member) if member else None
    own = member is not None and member.id == actor().id
    return staff_page(
        "agent/team_person.html", 422 if error else 200, errors=errors, account=account, agencies=_boxes(account), back=back,
        others=[say("team.elsewhere", role=f"{role_label(role)}, {_agency(role)}") for role in account.roles if not _ours(role)],
        procedures=[(one, _procedure(one), one in account.procedures) for one in _offered(account)],
        managed=_managed(account) if _everywhere() else [], everywhere=_everywhere(), member=member, own=own,
        phone=request.form.get("phone", national(own_number(account)) if own_number(account) else "")[:40], until=account.until.isoformat() if account.until else "", rights=tuple(_rights(account)),
        seen=people.rights_seen(member) if member else "", manages=closed is None, closed=member is not None and not member.is_open(app_ctx().day()),
        factor=member is not None and staff.factor_of(app_ctx(), member.actor()) is not None,
    )  # fmt: skip


def _ours(role: str) -> bool:
    return administers(actor(), (agency_of(role),))


def _our_office(office_id: str) -> bool:
    place = app_ctx().directory.offices.get(office_id)
    return place is not None and administers(actor(), (place.agency,))


def _offered(account: Account) -> list[str]:
    """Return the procedures in service by title, then those of the mandate that are withdrawn.

    A mandate without any procedure includes all: one that is not shown would widen it at the next change.
    """
    served = app_ctx().catalogue.procedures
    return [*sorted(served, key=_procedure), *(one for one in account.procedures if one not in served)]


def _managed(account: Account) -> list[tuple[str, str, bool]]:
    agencies = [
        (one.id, label(one.label), one.id in account.administers) for one in app_ctx().directory.agencies.values()
    ]
    return [(EVERYWHERE, say("team.everywhere"), EVERYWHERE in account.administers), *agencies]


def _boxes(account: Account) -> list[AgencyBox]:
    if account.kind == "auditor":
        return []
    return [
        AgencyBox(
            label(agency.label),
            tuple(
                RoleBox(role.key, label(role.label), role.key in account.roles,
                        account.ends[role.key].isoformat() if role.key in account.ends else "")
                for role in agency.roles.values()
            ),
            tuple((place.id, label(place.label), place.id in account.offices) for place in app_ctx().directory.offices_of(agency.id)),
        )
        for agency in app_ctx().directory.agencies.values()
        if administers(actor(), (agency.id,))
    ]  # fmt: skip


def _asked(account: Account) -> tuple[Person, str]:
    """Return the requested rights, and the errors in dates. Roles of other agencies stay unchanged."""
    form, faults = request.form, list[str]()

    def day(name: str) -> date | None:
        text = form.get(name, "").strip()[:20]
        try:
            return date.fromisoformat(text) if text else None
        except ValueError:
            faults.append(say("team.day_wrong", day=text))
            return None

    roles = {role: account.ends.get(role) for role in account.roles if not _ours(role)}
    roles |= {role: day(f"until:{role}") for role in form.getlist("role")[:100] if _ours(role)}
    offices = [one for one in account.offices if not _our_office(one)]
    offices += form.getlist("office")[:200]  # one that is unknown is refused: without any, a person is in all offices
    administered = tuple(form.getlist("administers")[:100]) if _everywhere() else account.administers
    asked = Person(
        form.get("name", "")[:200], roles, tuple(offices), day("until"),
        tuple(form.getlist("procedure")[:200]), administered, form["phone"][:40] if "phone" in form else None,
    )  # fmt: skip
    return asked, " ".join(faults)


def _shown(account: Account, asked: Person) -> Account:
    """Return the account as the form describes it, to show the form again."""
    ends = {role: last for role, last in asked.roles.items() if last}
    return Account(
        account.id, account.kind, asked.name, account.login, roles=tuple(asked.roles), offices=asked.offices, ends=ends,
        until=asked.until, procedures=asked.procedures, administers=asked.administers,
    )  # fmt: skip


# -- the journal -------------------------------------------------------------------------------------------------------


@blueprint.get("/agent/equipe/journal")
@agent()
def journal() -> Response:
    """Show who changed whose rights, the newest first, 50 a page. `avant` is the number that a page gave.

    `personne` and `au` (a day) narrow it.
    """
    asked, admin = request.args.get("avant", "")[:12], administrator()
    before = int(asked) if asked.isascii() and asked.isdigit() else None
    members = [(one.id, one.name or one.login) for one in people.team(app_ctx(), admin)]
    person = next((name for name, _ in members if name == request.args.get("personne", "")), "")
    until = _iso_day(request.args.get("au", ""))
    entries, rest = people.journal_of_rights(app_ctx(), admin, before, person=person, until=until)
    names = names_of(name for entry in entries for name in (entry.actor, _reported(entry, "account")))
    kept = urlencode({name: one for name, one in (("personne", person), ("au", until and until.isoformat())) if one})
    address = f"{_HOME}/journal" + (f"?{kept}" if kept else "")
    return staff_page(
        "agent/team_journal.html", lines=[_entry(entry, names) for entry in entries], back=_HOME,
        first=address if before is not None else "", people=members, person=person, until=until.isoformat() if until else "",
        next=f"{address}{'&' if kept else '?'}avant={rest}" if rest is not None else "",
    )  # fmt: skip


def _iso_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _reported(entry: JournalEntry, name: str) -> str:
    return str(entry.body.get(name, "")) if isinstance(entry.body, dict) else ""


def _entry(entry: JournalEntry, names: Mapping[str, str]) -> tuple[str, str, str, list[str]]:
    about = names.get(_reported(entry, "account"), _reported(entry, "login"))
    by = say("team.machine") if entry.actor_kind == "system" else names.get(entry.actor, say("desk.unknown_person"))
    reported = [
        say("frame.pair", label=say(f"team.fact_{name}"), value=text)
        for name in _FACTS
        if (text := _fact(entry.body, name))
    ]
    if change := current_change(app_ctx(), _reported(entry, "change")):
        reported = change_lines(change)
    return moment_of(entry.at), say(f"team.entry_{entry.kind}", name=about), by, reported


_FACTS = (
    "renamed",
    "number",
    "before",
    "roles",
    "offices",
    "until",
    "procedures",
    "administers",
    "order",
    "total",
    "version",
)


def _fact(body: object, name: str) -> str:
    """Return a right or a change of an entry in words. The login stays when a name changes."""
    if not isinstance(body, dict):
        return ""
    value = body.get(name)
    if name == "renamed":
        return say("team.renamed", login=str(body.get("login", ""))) if value is True else ""
    if name == "number":
        return say(f"team.number_{value}") if value in ("declared", "changed", "removed") else ""
    if name == "before":
        former = value if isinstance(value, dict) and value.get("roles") != body.get("roles") else {}
        return _fact(former, "roles")
    if name == "until":
        return day_of(date.fromisoformat(value)) if isinstance(value, str) else ""
    if name in ("order", "total", "version"):
        return str(value) if isinstance(value, int) else ""
    many = [str(one) for one in value] if isinstance(value, list) else []
    ends = body.get("ends")
    said = {
        "roles": lambda key: f"{role_label(key)}, {_agency(key)}" + _end(ends, key),
        "offices": lambda key: label(place.label) if (place := app_ctx().directory.offices.get(key)) else key,
        "procedures": _procedure,
        "administers": lambda key: say("team.everywhere") if key == EVERYWHERE else _agency(key),
    }
    return " ; ".join(said[name](one) for one in many)


def _end(ends: object, role: str) -> str:
    day = ends.get(role) if isinstance(ends, dict) else None
    return f" ({say('team.until', day=day_of(date.fromisoformat(day)))})" if isinstance(day, str) else ""
