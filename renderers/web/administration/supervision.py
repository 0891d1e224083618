"""Supervision: the open work of a service, the assignment of its dossiers, chosen then confirmed as a job, and absences.

Dossiers are shown by number. A number is a link for a person who may also read the dossier.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final
from urllib.parse import urlencode

from flask import Blueprint, Response, request, session

from engine.core.problems import Refused
from engine.domain.common.access import holds
from engine.domain.common.agent_rights import absence_of, is_absent
from engine.model.roles import roles_of
from engine.records.dossier import Account
from engine.services.accounts.supervision import (
    MOST_COUNTED,
    QUEUE,
    SPREAD,
    Backlog,
    SupervisedWork,
    backlog,
    choices_for,
    list_work,
    order_assignment,
    order_return,
    set_absence,
    supervised_work,
)
from engine.services.context.app_context import NotFound
from engine.services.core.jobs import MOST_LINES
from engine.services.worker.job_runner import carry_at_once
from engine.storage.results import DossierLine, OpenCount
from renderers.html.plots import Plot, stacked_bars
from renderers.web.platform.access import agent
from renderers.web.platform.dossier_context import label
from renderers.web.platform.errors import refused, sentence
from renderers.web.platform.request_context import (
    actor,
    app_ctx,
    day_of,
    form_picks,
    form_token,
    go,
    language,
    new_token,
    say,
    site,
)
from renderers.web.shared.staff import DueDateTag, due_tag, people, procedure_of, role_label, short_moment, staff_page

blueprint = Blueprint("supervision", __name__)

_HOME: Final = "/agent/supervision"
_VIEWS: Final = {"": "", "retard": "late", "jour": "today", "libres": "free", "tous": "all"}
_ORDERS: Final = {"": "due", "recu": "received"}
_TO: Final = {"file": QUEUE, "tous": SPREAD}  # the receivers that are no person
_MOST_NAMED: Final = 12  # agents in the plot: of more, those without a dossier are left out
_PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class WorkFilters:
    """The filters in the address. Unknown values give an empty list."""

    procedure: str
    office: str
    role: str
    agent: str
    view: str
    sort: str

    def address(self, **changes: str) -> str:
        """Return the address of the page with other filters."""
        values = {"demarche": self.procedure, "bureau": self.office, "service": self.role, "agent": self.agent,
                  "voir": self.view, "tri": self.sort, **changes}  # fmt: skip
        asked = urlencode({name: value for name, value in values.items() if value})
        return f"{_HOME}?{asked}" if asked else _HOME

    def sorted_by(self, name: str) -> tuple[str, str]:
        """Return the address of the list sorted by a column, and its `aria-sort`."""
        here = self.sort.removeprefix("-") == name
        other = f"-{name}" if here and not self.sort.startswith("-") else name
        way = ("descending" if self.sort.startswith("-") else "ascending") if here else ""
        return self.address(tri="" if other == "rendre" else other), way


@dataclass(frozen=True, slots=True)
class WorkRow:
    """A dossier by number and state. `href` is empty for a person who may not read it."""

    number: str
    href: str
    procedure: str
    state: str
    received: tuple[str, str, str] | None  # ISO instant, short, in words
    tag: DueDateTag | None
    holder: str


@dataclass(frozen=True, slots=True)
class AwayLine:
    """An absence, present or to come, with how many dossiers the person has."""

    id: str
    name: str
    text: str
    held: int
    href: str


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure above the list, with the list that it counts. `pressing`: something is late."""

    value: str
    text: str
    href: str = ""
    pressing: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """One receiver to choose, with a remark: how many dossiers they have, or who gets how many."""

    value: str
    label: str
    text: str = ""


def _filters() -> WorkFilters:
    asked = {
        name: request.args.get(name, "").strip()[:100]
        for name in ("demarche", "bureau", "service", "agent", "voir", "tri")
    }
    view, sort = asked["voir"] if asked["voir"] in _VIEWS else "", asked["tri"].removeprefix("-")
    return WorkFilters(
        asked["demarche"], asked["bureau"], asked["service"], asked["agent"], view, asked["tri"] if sort in _ORDERS else ""
    )  # fmt: skip


@blueprint.get("/agent/equipe/<account_id>/dossiers")
@agent()
def former(account_id: str) -> Response:
    """Redirect the former page of a member to their work."""
    return go(f"{_HOME}?{urlencode({'agent': account_id[:60]})}")


@blueprint.route(_HOME, methods=["GET", "POST"])
@agent()
def supervision() -> Response:
    """Show the work of the services that the person leads, or assign what is chosen, or set an absence, as `go` says.

    A confirmed assignment redirects to its job. Raises `NotFound` for a person who supervises nothing.
    """
    asked = _filters()
    scope = supervised_work(app_ctx(), actor(), asked.procedure, asked.role, asked.office)
    if request.method == "GET":
        return _page(asked, scope)
    return {"absence": _absence, "back": _absence, "confirm": _confirm, "return": _return}.get(
        request.form.get("go", ""), _choose
    )(asked, scope)


def _page(asked: WorkFilters, scope: SupervisedWork, error: str = "", at: str = "#du") -> Response:
    found = backlog(app_ctx(), actor(), scope)
    work = list_work(
        app_ctx(), scope, _VIEWS[asked.view], asked.agent, after=request.args.get("apres", "")[:200] or None,
        order=_ORDERS[asked.sort.removeprefix("-")], reverse=asked.sort.startswith("-"), limit=_PAGE,
    )  # fmt: skip
    names = {
        **people(one.assigned for one in (*found.counts, *work.lines)),
        **{one.id: _named(one) for one in found.people},
    }
    whole = supervised_work(app_ctx(), actor())
    procedures = {name: _title(name) for name, _ in whole.places}
    return staff_page(
        "agent/supervision.html", 422 if error else 200, filters=asked, here=asked.address(), home=_HOME,
        procedures=sorted(procedures.items(), key=lambda one: one[1]), offices=_offices(whole, procedures),
        roles=sorted(((one, role_label(one)) for one in whole.roles), key=lambda one: one[1]),
        figures=_figures(asked, found), plots=_plots(asked, scope, found, names), several=len({one for one, _ in scope.places}) > 1,
        rows=[_row(one, names) for one in work.lines], title=_list_title(asked, names), away=_away(asked, found),
        team=[(one.id, one.name) for one in found.people], first=request.form.get("du", "")[:20], last=request.form.get("au", "")[:20],
        chosen=request.form.get("agent", asked.agent)[:60], errors=[(at, error)] if error else [], most=MOST_LINES,
        note=session.pop("desk_note", ""), capped=say("supervision.first_counted", most=_amount(MOST_COUNTED)) if found.is_capped else "", next=f"{asked.address()}{'&' if '?' in asked.address() else '?'}{urlencode({'apres': work.after})}" if work.after else "",
    )  # fmt: skip


def _title(procedure_id: str) -> str:
    procedure = procedure_of(procedure_id)
    return label(procedure.identity.title) if procedure else procedure_id


def _state(procedure_id: str, state_id: str, edition: int | None = None) -> str:
    procedure = procedure_of(procedure_id, edition)
    state = procedure.states.get(state_id) if procedure else None
    return label(state.label) if state else state_id


def _offices(scope: SupervisedWork, procedures: Iterable[str]) -> list[tuple[str, str]]:
    """Return the offices to choose from, none if there is one."""
    agencies = {one.identity.agency for name in procedures if (one := procedure_of(name))}
    known = app_ctx().directory.offices.values()
    found = [
        (one.id, label(one.label))
        for one in known
        if one.agency in agencies and (scope.offices is None or one.id in scope.offices)
    ]
    return found if len(found) > 1 else []


# -- figures and plots -------------------------------------------------------------------------------------------------


def _figures(asked: WorkFilters, found: Backlog) -> list[Figure]:
    def of(band: int) -> int:
        return sum(one.bands[band] for one in found.counts)

    count, late = sum(one.count for one in found.counts), of(0)
    oldest = short_moment(found.oldest.submitted_at) if found.oldest else None
    away = sum(is_absent(one, app_ctx().day()) for one in found.people)
    links = {name: asked.address(voir=name, agent="", tri="") + "#liste" for name in _VIEWS}
    return [
        Figure(say("supervision.capped", most=_amount(count)) if found.is_capped else _amount(count), say("supervision.open"), links["tous"]),
        Figure(_amount(late), say("supervision.late"), links["retard"], late > 0),
        Figure(_amount(of(1)), say("supervision.today"), links["jour"]),
        Figure(_amount(found.held.get(None, 0)), say("supervision.free"), links["libres"]),
        Figure(oldest[1].partition(" ")[0] if oldest else "–", say("supervision.oldest"), asked.address(voir="tous", agent="", tri="recu") + "#liste"),
        Figure(_amount(away), say("supervision.away", count=away), "#absences"),
    ]  # fmt: skip


def _amount(count: int) -> str:
    return site().words.amount(count, language())


def _parts(counts: Iterable[OpenCount]) -> tuple[int, ...]:
    """Return how many are due later, within two working days, late, and without a running due date."""
    late, today, soon, later, whole = map(sum, zip(*((*one.bands, one.count) for one in counts), strict=True))
    return later, today + soon, late, whole - late - today - soon - later


def _plots(asked: WorkFilters, scope: SupervisedWork, found: Backlog, names: Mapping[str, str]) -> list[Plot]:
    if not found.counts:
        return []
    single = len({one for one, _ in scope.places}) == 1
    steps: dict[str, list[OpenCount]] = {}
    agents: dict[str | None, list[OpenCount]] = {}
    for one in found.counts:
        steps.setdefault(_state(one.procedure, one.state) if single else _title(one.procedure), []).append(one)
        agents.setdefault(one.assigned, []).append(one)
    rows = [(name, _parts(counts)) for name, counts in steps.items()]
    team = [one.id for one in found.people if one.id in agents or len(found.people) <= _MOST_NAMED]
    known = {one: names.get(one, say("desk.unknown_person")) for one in (*team, *filter(None, agents))}
    held = [
        (name, _parts(agents[one]) if one in agents else (0, 0, 0, 0))
        for one, name in sorted(known.items(), key=lambda one: one[1].casefold())
    ]
    if None in agents:
        held.append((say("supervision.unassigned"), _parts(agents[None])))
    by = "supervision.by_step" if single else "supervision.by_procedure"
    return [_plot(by, "tray.state" if single else "tray.procedure", rows), _plot("supervision.by_agent", "tray.agent", held)]  # fmt: skip


def _plot(title: str, first: str, rows: list[tuple[str, tuple[int, ...]]]) -> Plot:
    """Return the plot of rows by age. Its sentence names every row, with what is late."""
    said = [
        say("supervision.row_late" if parts[2] else "supervision.row", label=name, count=_amount(sum(parts)), late=_amount(parts[2]))
        for name, parts in rows
    ]  # fmt: skip
    names = ("later", "soon", "late", "none") if any(parts[3] for _, parts in rows) else ("later", "soon", "late")
    series = [say(f"supervision.part_{name}") for name in names]
    drawn = [(name, [(part, _amount(part)) for part in parts[: len(series)]]) for name, parts in rows]
    return stacked_bars(
        say(title), say("frame.pair", label=say(title), value=", ".join(said)), say(first), series, drawn, _amount
    )


def _named(account: Account) -> str:
    absent = is_absent(account, app_ctx().day())
    return say("supervision.absent", name=account.name) if absent else account.name


# -- the list ----------------------------------------------------------------------------------------------------------


def _list_title(asked: WorkFilters, names: Mapping[str, str]) -> str:
    if asked.agent:
        return say("supervision.list_agent", name=names.get(asked.agent, say("desk.unknown_person")))
    return say(f"supervision.list_{_VIEWS[asked.view] or 'due'}")


def _row(line: DossierLine, names: Mapping[str, str]) -> WorkRow:
    procedure, who = procedure_of(line.procedure, line.edition), actor()
    state = procedure.states.get(line.state) if procedure else None
    mine = not who.offices or line.office is None or line.office in who.offices
    may_read = procedure is not None and mine and holds(who, roles_of(procedure))
    return WorkRow(
        line.number, f"/agent/dossiers/{line.number}" if may_read else "", _title(line.procedure), _state(line.procedure, line.state, line.edition),
        short_moment(line.submitted_at), due_tag(state, line.due_at, line.due_paused), names.get(line.assigned or "", ""),
    )  # fmt: skip


# -- assignment --------------------------------------------------------------------------------------------------------


def _choose(asked: WorkFilters, scope: SupervisedWork) -> Response:
    """Show who may be given the ticked dossiers, or those of the whole list."""
    if "tous" in request.form:
        lines = list_work(
            app_ctx(), scope, _VIEWS[asked.view], asked.agent, order=_ORDERS[asked.sort.removeprefix("-")],
            reverse=asked.sort.startswith("-"), limit=MOST_LINES,
        ).lines  # fmt: skip
        numbers = [one.number for one in lines]
    else:
        numbers = [one.partition(":")[0][:11] for one in request.form.getlist("dossier")[:MOST_LINES]]
    return _choice_page(asked, scope, numbers)


def _choice_page(asked: WorkFilters, scope: SupervisedWork, numbers: list[str], error: str = "") -> Response:
    found = choices_for(app_ctx(), actor(), numbers)
    if not found.dossiers:
        return _page(asked, scope, say("refusal.nothing_picked"), "#liste")
    count, shares = len(found.dossiers), list(found.spread.values())
    receivers = [
        Choice(one.account.id, one.account.name, say("supervision.has", count=one.held) + (
            f" · {say('supervision.some', count=len(one.can), total=count)}" if len(one.can) < count else ""
        ))
        for one in found.receivers
    ]  # fmt: skip
    if len(receivers) > 1:
        said = ", ".join(
            f"{one.account.name} {shares.count(one.account.id)}" for one in found.receivers if one.account.id in shares
        )
        receivers.insert(0, Choice("tous", say("supervision.spread", count=len(found.receivers)), said))
    receivers.append(Choice("file", say("supervision.queue")))
    return staff_page(
        "agent/assignment.html", 422 if error else 200, count=count, receivers=receivers, left=count - len(shares), back=asked.address(),
        here=asked.address(), picked=[(one.number, one.revision) for one in found.dossiers], token=new_token(), home=_HOME,
        chosen=receivers[0].value if len(receivers) == 1 else "", errors=[("#vers-1", error)] if error else [],
    )  # fmt: skip


def _confirm(asked: WorkFilters, scope: SupervisedWork) -> Response:
    """Store the job and redirect to it. A second post leads to the same job."""
    chosen, picked = request.form.get("vers", "")[:60], form_picks("dossier", MOST_LINES + 1)
    if not chosen:
        return _choice_page(asked, scope, [number for number, _ in picked], say("supervision.choose"))
    order = order_assignment(app_ctx(), actor(), _TO.get(chosen, chosen), picked, token=form_token())
    carry_at_once(app_ctx(), order)
    return go(f"/agent/ordres/{order.n}")


def _return(_: WorkFilters, __: SupervisedWork) -> Response:
    """Return the dossiers of an assignment to those who had them, as a job of its own."""
    n = request.form.get("n", "")[:9]
    try:
        order = order_return(app_ctx(), actor(), int(n) if n.isascii() and n.isdigit() else 0, token=form_token())
    except Refused as closed:
        return refused(closed.reason, _HOME)
    carry_at_once(app_ctx(), order)
    return go(f"/agent/ordres/{order.n}")


# -- absences ----------------------------------------------------------------------------------------------------------


def _away(asked: WorkFilters, found: Backlog) -> list[AwayLine]:
    """Return the absences of today and to come, the first to begin first."""
    day = app_ctx().day()
    absences = sorted(
        (gone.first, one.name, gone, one) for one in found.people if (gone := absence_of(one)) and gone.last >= day
    )
    return [
        AwayLine(
            one.id, one.name, say("supervision.from_to", first=day_of(gone.first), last=day_of(gone.last)),
            found.held.get(one.id, 0), asked.address(agent=one.id, voir="", tri="") + "#liste",
        )
        for _, _, gone, one in absences
    ]  # fmt: skip


def _absence(asked: WorkFilters, scope: SupervisedWork) -> Response:
    """Save the days of an absence, or end it, then show the page again."""
    back = request.form.get("go") == "back"
    first, last = (None, None) if back else (_day("du"), _day("au"))
    if not back and (first is None or last is None):
        return _page(asked, scope, say("supervision.days_missing"), "#du" if first is None else "#au")
    try:
        one = set_absence(app_ctx(), actor(), request.form.get("agent", "")[:60], first, last)
    except NotFound:
        return _page(asked, scope, say("supervision.who_missing"), "#qui")
    except Refused as closed:
        return _page(asked, scope, sentence(closed.reason), "#au")
    session["desk_note"] = say("supervision.back" if back else "supervision.kept", name=one.name)
    return go(asked.address())


def _day(name: str) -> date | None:
    try:
        return date.fromisoformat(request.form.get(name, "").strip()[:20])
    except ValueError:
        return None
