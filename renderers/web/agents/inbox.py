"""The inbox of agents: queues, filters, and assignment of dossiers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import parse_qsl, urlencode

from flask import Response, request, session

from engine.core.problems import Refused
from engine.core.values import digits_only
from engine.domain.common.access import holds
from engine.model import DRAFT, Form, Procedure
from engine.model.roles import awaited_roles, role_key
from engine.model.summary import EditionSummary
from engine.records.dossier import Actor, Dossier
from engine.services.accounts.assistance import received_by
from engine.services.accounts.saved_views import LONGEST_VIEW, remove_view, save_view, saved_views
from engine.services.applications.casework import (
    assign,
    assign_first,
    count_lists,
    inbox_counts,
    inbox_query,
    list_inbox,
    neighbours,
)  # fmt: skip
from engine.services.applications.messages import unread
from engine.services.applications.notes import labels_in
from engine.services.context.app_context import NotFound
from engine.services.payments.refunds import refunds_to_pay
from engine.storage.results import DossierLine, DossierQuery
from renderers.web.agents.sign_in import blueprint
from renderers.web.platform.access import agent
from renderers.web.platform.dossier_context import label
from renderers.web.platform.errors import sentence
from renderers.web.platform.request_context import actor, app_ctx, form_token, go, language, new_token, say
from renderers.web.shared.agent_dossier import agent_case, refusal_text
from renderers.web.shared.staff import (
    DueDateTag,
    due_tag,
    label_choices,
    note_with_undo,
    people,
    procedure_of,
    short_moment,
    staff_page,
)
from renderers.web.shared.statuses import lines_public

QUEUES: Final[Mapping[str, str]] = {
    "a-prendre": "to_take", "a-remettre": "ready", "miens": "mine", "attente": "waiting", "retard": "late", "suivis": "followed", "tous": "all", "termines": "done",
}  # fmt: skip
SORTS: Final[Mapping[str, str]] = {"rendre": "due", "recu": "received", "etape": "entered"}  # columns with an order
PAGE: Final = 50
MOST_COUNTED: Final = 1000
TRIED: Final = 10  # dossiers that `take_next` tries before it stops


@dataclass(frozen=True, slots=True)
class QueueLink:
    """One queue with its address and count.

    `here`: it is the queue on the page. `pressing`: it holds late dossiers.
    """

    href: str
    label: str
    count: str
    here: bool
    pressing: bool


@dataclass(frozen=True, slots=True)
class ViewLink:
    """A list that the agent keeps. Without `href` its procedure, step or office is gone for them."""

    n: int
    name: str
    href: str
    count: str
    here: bool


@dataclass(frozen=True, slots=True)
class DossierRow:
    """One dossier in the list, in words.

    `holder` is the agent it is assigned to, and `takeable` means that this agent may take it.
    """

    number: str
    href: str
    name: str
    procedure: str
    state: str
    received: tuple[str, str, str] | None  # ISO instant, short, in words
    tag: DueDateTag | None
    holder: str
    takeable: bool
    unread: str = ""  # messages of the applicant that no agent has read
    task: str = ""  # what is awaited of this agent, where several persons act
    labels: tuple[str, ...] = ()  # those that agents gave it


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters in the address. Unknown values are left out."""

    queue: str
    procedure: str
    state: str
    office: str
    text: str
    after: str
    sort: str = ""  # a key of `SORTS`, with a hyphen before it for the last first; "" is by due date
    label: str = ""  # `annotation.option`

    def address(self, **changes: str) -> str:
        """Return the address of the list with other filters, from its first page."""
        return "/agent?" + urlencode(
            {name: value for name, value in {**dict(self.fields()), **changes}.items() if value}
        )

    def fields(self) -> tuple[tuple[str, str], ...]:
        """Return the filters that are set, as the hidden fields of a form that acts on the list."""
        values = (("file", self.queue), ("demarche", self.procedure), ("etape", self.state), ("bureau", self.office),
                  ("etiquette", self.label), ("q", self.text), ("tri", self.sort))  # fmt: skip
        return tuple(one for one in values if one[1])

    @property
    def order(self) -> str:
        """The order of the list, a key of `ORDERS`."""
        return SORTS[self.sort.removeprefix("-") or "rendre"]

    @property
    def reverse(self) -> bool:
        """Whether the last of the order comes first."""
        return self.sort.startswith("-")

    def sorted_by(self, name: str) -> tuple[str, str]:
        """Return the address of the list sorted by a column, the other way where it is sorted so, and its `aria-sort`."""
        here = SORTS[name] == self.order
        other = f"-{name}" if here and not self.reverse else "" if name == "rendre" else name
        return self.address(tri=other), ("descending" if self.reverse else "ascending") if here else ""

    @property
    def narrowed(self) -> bool:
        """Whether a filter besides the queue is set."""
        return bool(self.procedure or self.state or self.office or self.label or self.text)


NO_FILTERS: Final = Filters("a-prendre", "", "", "", "", "")


# -- queues ------------------------------------------------------------------------------------------------------------


@blueprint.get("/agent")
@agent()
def inbox() -> Response:
    """Show the dossiers of a queue, 50 per page, with the filters and the counts of all queues."""
    asked = _filters(request.args)
    found = list_inbox(
        app_ctx(), actor(), QUEUES[asked.queue], procedure=asked.procedure or None, state=asked.state or None,
        office_id=asked.office or None, text=_searched(asked.text), after=asked.after or None, limit=PAGE,
        order=asked.order, reverse=asked.reverse, label=asked.label,
    )  # fmt: skip
    counts = inbox_counts(app_ctx(), actor())
    session["desk_list"] = (actor().id, asked.address(apres=asked.after))
    session.pop("desk_place", None)
    return staff_page(
        "agent/inbox.html", counter=bool(received_by(app_ctx(), actor())),
        owes=bool(refunds_to_pay(app_ctx(), actor(), limit=1).lines),
        takes_next=(takes_next := counts["to_take"] > 0 and bool(_to_take(asked, 1))),
        waits=("", "") if takes_next else what_waits(asked, counts), filters=asked, queues=_queue_links(asked, counts),
        views=_view_links(asked), longest=LONGEST_VIEW, queue_label=say(f"tray.{QUEUES[asked.queue]}"),
        rows=_rows(found.lines), procedures=[(one.id, label(one.title)) for one in my_procedures()],
        states=_states(asked.procedure), offices=_offices(), labels=label_choices(procedure_of(asked.procedure)),
        clear=f"/agent?file={asked.queue}",
        everywhere=f"/agent/chercher?{urlencode({'q': asked.text})}" if asked.text and asked.queue != "tous" else "",
        first=asked.address() if asked.after else "", token=new_token(), note=session.pop("desk_note", ""),
        next=f"{asked.address()}&{urlencode({'apres': found.after})}" if found.after else "",
    )  # fmt: skip


def _to_take(asked: Filters, limit: int) -> tuple[DossierLine, ...]:
    """Return the dossiers that `take_next` finds under these filters."""
    return list_inbox(
        app_ctx(), actor(), "to_take", procedure=asked.procedure or None, state=asked.state or None,
        office_id=asked.office or None, text=_searched(asked.text), limit=limit, label=asked.label,
    ).lines  # fmt: skip


def what_waits(asked: Filters, counts: Mapping[str, int]) -> tuple[str, str]:
    """Return what is said instead of « take the next », and its link. Nothing where the page shows the only queue left."""
    if counts["to_take"]:
        return say("tray.next_filtered"), ""
    queues = {key: name for name, key in QUEUES.items()}
    rest = next((key for key in ("ready", "mine", "late") if counts[key]), None)
    if rest is None:
        return say("tray.nothing_next"), ""
    here = queues[rest] == asked.queue and not asked.narrowed
    link = NO_FILTERS.address(file=queues[rest])
    return ("", "") if here else (say("tray.rest", queue=say(f"tray.{rest}")), link)


def place_in_list(dossier: Dossier) -> tuple[str, str, str]:
    """Return the address of the list that the agent saw last, and those of the dossiers before and after this one.

    The place is that of the first view, so that an act which moves the dossier leads on from where it was.
    """
    agent_id, address = session.get("desk_list", ("", ""))
    if agent_id != actor().id:  # of a colleague at the same desk: it holds what they looked for
        return "/agent", "", ""
    asked = _filters(dict(parse_qsl(address.partition("?")[2])))
    query = _query(asked)
    if query is None:
        return "/agent", "", ""
    number, position = session.get("desk_place", ("", ""))
    query = replace(query, order=asked.order, reverse=asked.reverse)
    found = neighbours(app_ctx(), actor(), dossier.id, query, position if number == dossier.number else "")
    session["desk_place"] = (dossier.number, found.position)
    before, after = (f"/agent/dossiers/{one}" if one else "" for one in (found.before, found.after))
    return address, before, after


def next_of_list(counts: Mapping[str, int]) -> tuple[Filters, bool, tuple[str, str]]:
    """Return the filters of the list that the agent saw last, whether a dossier of it can be taken, and what waits if not."""
    agent_id, address = session.get("desk_list", ("", ""))
    asked = _filters(dict(parse_qsl(address.partition("?")[2]))) if agent_id == actor().id else NO_FILTERS
    takes = counts["to_take"] > 0 and bool(_to_take(asked, 1))
    return asked, takes, ("", "") if takes else what_waits(asked, counts)


def _query(asked: Filters) -> DossierQuery | None:
    return inbox_query(
        app_ctx(), actor(), QUEUES[asked.queue], asked.procedure or None, asked.state or None, asked.office or None,
        _searched(asked.text), asked.label,
    )  # fmt: skip


def asked_of_form() -> Filters:
    """Return the filters of the list, from the hidden fields of a form or from the address of another page."""
    found = _filters(request.form if request.method == "POST" else request.args)
    return replace(found, text=_searched(found.text))


def _filters(given: Mapping[str, str]) -> Filters:
    asked = {
        name: given.get(name, "").strip()[:100]
        for name in ("file", "demarche", "etape", "bureau", "q", "tri", "etiquette")
    }
    known = {one.id for one in my_procedures()}
    procedure = asked["demarche"] if asked["demarche"] in known else ""
    states = {name for name, _ in _states(procedure)}
    places = {name for name, _ in _offices()}
    return Filters(
        asked["file"] if asked["file"] in QUEUES else "a-prendre", procedure,
        asked["etape"] if asked["etape"] in states else "", asked["bureau"] if asked["bureau"] in places else "",
        asked["q"], given.get("apres", "")[:200],
        asked["tri"] if asked["tri"].removeprefix("-") in SORTS and asked["tri"] != "rendre" else "",
        asked["etiquette"] if asked["etiquette"] in {name for name, _ in label_choices(procedure_of(procedure))} else "",
    )  # fmt: skip


def _searched(text: str) -> str:
    """Return the search text. A dossier number may contain spaces."""
    digits = digits_only(text)
    return digits if digits and not text.replace(digits, "").strip(" .-\u00a00123456789") else text


def my_procedures() -> tuple[EditionSummary, ...]:
    """Return the procedures in force in which the agent has a role, by title."""
    store, catalogue = app_ctx().editions, app_ctx().catalogue
    return store.worked_out(catalogue, ("mine", actor().roles, language()), lambda _: tuple(sorted(
        (one for one in store.having(catalogue, actor().roles) if catalogue.fingerprint(one.id) == one.fingerprint),
        key=lambda one: label(one.title),
    )))  # fmt: skip


def my_offices() -> list[tuple[str, str]]:
    """Return the offices whose dossiers the agent may see: their own, else all of their agencies."""
    agencies = {one.agency for one in my_procedures()}
    known = app_ctx().directory.offices.values()
    mine = (one for one in known if one.agency in agencies and (not actor().offices or one.id in actor().offices))
    return [(one.id, label(one.label)) for one in mine]


def _offices() -> list[tuple[str, str]]:
    found = my_offices()
    return found if len(found) > 1 else []


def _states(procedure_id: str) -> list[tuple[str, str]]:
    procedure = app_ctx().catalogue.procedures.get(procedure_id)
    return [(state.id, label(state.label)) for state in procedure.states.values()] if procedure else []


def _queue_links(asked: Filters, counts: Mapping[str, int]) -> list[QueueLink]:
    return [
        QueueLink(
            asked.address(file=name), say(f"tray.{key}"), _counted(counts[key]), name == asked.queue,
            key == "late" and counts[key] > 0,
        )
        for name, key in QUEUES.items()
    ]  # fmt: skip


def _view_links(asked: Filters) -> list[ViewLink]:
    """Return the lists that the agent keeps, with their counts: 0 where a filter of theirs is gone."""
    kept = [(one, _filters(dict(parse_qsl(one.query)))) for one in saved_views(app_ctx(), actor())]
    hrefs = [href if (href := filters.address()) == f"/agent?{one.query}" else "" for one, filters in kept]
    pairs = zip(hrefs, kept, strict=True)
    counts = count_lists(app_ctx(), actor(), [_query(filters) if href else None for href, (_, filters) in pairs])
    return [
        ViewLink(one.n, one.name, href, _counted(count), href == asked.address())
        for (one, _), href, count in zip(kept, hrefs, counts, strict=True)
    ]


def _counted(count: int) -> str:
    return say("tray.most", count=count) if count >= MOST_COUNTED else str(count)


def _rows(lines: Iterable[DossierLine]) -> list[DossierRow]:
    lines = tuple(lines)
    names = people(line.assigned for line in lines)
    waiting = unread(app_ctx(), actor(), [line.id for line in lines])
    public, given = lines_public(lines), labels_in(app_ctx(), actor(), lines)
    return [
        replace(
            _row(line, names, public[line.id] == "checking"),
            unread=say("message.unread", count=waiting[line.id]) if line.id in waiting else "",
            labels=tuple(_label_texts(line, given.get(line.id, ()))),
        )
        for line in lines
    ]


def _label_texts(line: DossierLine, given: Iterable[tuple[str, str]]) -> Iterator[str]:
    procedure = procedure_of(line.procedure, line.edition)
    known = procedure.labels() if procedure is not None else {}
    return (label(known[name].options[code]) for name, code in given if name in known and code in known[name].options)


def _row(line: DossierLine, names: Mapping[str, str], checked: bool) -> DossierRow:
    """Return a line of the list. `checked` means that its payment is open, so no due date is shown."""
    procedure = procedure_of(line.procedure, line.edition)
    state = procedure.states.get(line.state) if procedure else None
    holder = say("tray.me") if line.assigned == actor().id else names.get(line.assigned or "", "")
    return DossierRow(
        line.number, f"/agent/dossiers/{line.number}", line.label or "–",
        label(procedure.identity.title) if procedure else line.procedure, say("status.checking") if checked else label(state.label) if state else line.state,
        short_moment(line.submitted_at) if line.submitted_at else None, None if checked else due_tag(state, line.due_at, line.due_paused), holder,
        procedure is not None and line.assigned is None and line.awaits is None and not line.closed
        and acts_in(procedure, line.state, actor()),
        task=_task(procedure, line) if procedure else "",
    )  # fmt: skip


def _task(procedure: Procedure, line: DossierLine) -> str:
    """Return what the dossier waits for from this agent, where several persons act. Empty if nothing."""
    mine, state = actor().roles & set(line.awaits or ()), procedure.states.get(line.state)
    if not mine or state is None:
        return ""
    tasks = [procedure.tasks[task] for task in state.waits]
    asked = {
        role_key(procedure, role) for form in tasks if isinstance(form, Form) and form.services for role in form.by
    }
    filling = {role_key(procedure, role) for form in tasks if isinstance(form, Form) for role in form.by}
    key = "inbox_opinion" if mine & asked else "inbox_form" if mine & filling else "inbox_visit"
    return say(f"waits.{key}")


def acts_in(procedure: Procedure, state_id: str, who: Actor) -> bool:
    """Return whether one of the person's roles has something to do in this state."""
    state = procedure.states.get(state_id)
    if state is None or state_id == DRAFT or state.is_end:
        return False
    return holds(who, awaited_roles(procedure, state_id))


# -- saved views, assignment -------------------------------------------------------------------------------------------


@blueprint.post("/agent/vues")
@agent()
def keep_view() -> Response:
    """Save the list of the hidden fields under a name, without the searched text, and show it."""
    address = replace(_filters(request.form), text="", after="").address()
    try:
        save_view(app_ctx(), actor(), request.form.get("nom", ""), address.partition("?")[2], token=form_token())
    except Refused as closed:
        session["desk_note"] = sentence(closed.reason)
    return go(address)


@blueprint.post("/agent/vues/<int:n>/oter")
@agent()
def drop_view(n: int) -> Response:
    """Remove a list that the agent keeps."""
    gone = next((one for one in saved_views(app_ctx(), actor()) if one.n == n), None)
    remove_view(app_ctx(), actor(), n)
    if gone is not None:
        note_with_undo(say("view.removed", name=gone.name), "/agent/vues", [("nom", gone.name), *parse_qsl(gone.query)])
    return go("/agent")


@blueprint.post("/agent/prendre")
@agent()
def take() -> Response:
    """Assign the chosen dossier to the agent and open it, also when another person must act. Raises `NotFound`."""
    number, token = request.form.get("number", "")[:20], form_token()  # one token for the many buttons of the list
    one = agent_case(number)
    try:
        assign(app_ctx(), actor(), one.id, actor().id, token=f"{token}:{number}"[:200] if token else None)
    except Refused as closed:
        session["desk_note"] = refusal_text(one.procedure, closed.reason)
    else:
        _note_taken(number, one.dossier.assigned)
    return go(f"/agent/dossiers/{number}")


def _note_taken(number: str, former: str | None = None) -> None:
    """Say that the dossier is the agent's now. It can go back to the queue that it came from, not to a colleague."""
    if former is None:
        note_with_undo(say("case.taken"), f"/agent/dossiers/{number}/attribution", [("vers", "file")])
    else:
        session["desk_note"] = say("case.taken")


@blueprint.post("/agent/suivant")
@agent()
def take_next() -> Response:
    """Assign the unassigned dossier that is due first, and open it.

    One that another agent takes meanwhile, or must take, is skipped. Returns to the inbox if none is left. A form sent
    twice takes one dossier.
    """
    found = _to_take(_filters(request.form), TRIED)
    shared = next((line for line in found if line.awaits is not None), None)  # of several persons: not assigned
    free = [line.id for line in (found[: found.index(shared)] if shared else found)]
    with suppress(NotFound):
        number = assign_first(app_ctx(), actor(), free, token=form_token()).number
        _note_taken(number)
        return go(f"/agent/dossiers/{number}")
    if shared is not None:
        return go(f"/agent/dossiers/{shared.number}")
    if found:
        session["desk_note"] = say("tray.next_of_others")
    return go("/agent")
