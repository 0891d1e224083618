"""Jobs of agents and auditors: the list, the progress and result of each, and its file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from flask import Blueprint, Response, jsonify, request

from engine.core.values import Plain
from engine.records.jobs import Job, JobItem
from engine.services.accounts.supervision import FORMER, QUEUE, SPREAD, former_in, receiver_in
from engine.services.core.jobs import FILES, Progress, closed_by, lines, my_orders, progress
from renderers.html.pagination import paged
from renderers.i18n.translations import whole_number
from renderers.web.platform.access import agent, auditor
from renderers.web.platform.dossier_context import label, place_label
from renderers.web.platform.errors import sentence
from renderers.web.platform.request_context import actor, app_ctx, day_of, moment_of, new_token, say
from renderers.web.platform.tables import MOST_IN_WORKBOOK, csv_response
from renderers.web.shared.agent_dossier import act_label, refusal_text
from renderers.web.shared.journal_queries import question_said
from renderers.web.shared.staff import label_choices, people, procedure_of, staff_page

blueprint = Blueprint("jobs", __name__)

_TAGS: Final = {"done": "ok", "": "", "closed": "act", "changed": "act", "failed": "bad"}
_A_PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class JobCard:
    """A job in the list: its title, the time it was created, and its progress in words."""

    href: str
    title: str
    at: str
    text: str


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one dossier of a job, with the reason (`why`) if it failed, or who was given it.

    `kind` is its colour. `href` is empty for a person who may not read the dossier.
    """

    href: str
    number: str
    name: str
    kind: str
    outcome: str
    why: str


def asked(order: Job) -> dict[str, Plain]:
    """Return the parameters of a job, empty if they are not readable."""
    return order.asked if isinstance(order.asked, dict) else {}


def order_title(order: Job) -> str:
    """Return what a job does, in words."""
    said = asked(order)
    procedure = procedure_of(str(said.get("procedure", "")))
    what = ""
    if order.work == "handover":
        to = str(said.get("to") or "")
        what = say({SPREAD: "supervision.several", FORMER: "supervision.former"}.get(to, "supervision.queue"))
        if to not in (QUEUE, SPREAD, FORMER):
            what = people([to]).get(to, say("desk.unknown_person"))
    if order.work == "act":
        act = str(said.get("act", ""))
        what = act_label(procedure, act) if procedure else act
    return say(
        f"orders.title_{order.work}",
        n=order.n,
        what=what,
        procedure=label(procedure.identity.title) if procedure else "",
    )


def order_state(found: Progress) -> str:
    """Return the progress of a job in one sentence."""
    if found.order.work in FILES:
        return file_state(found)
    facts = {
        "done": found.done,
        "others": found.others,
        "left": found.left,
        "total": found.order.total,
        "count": found.done,
    }
    if not found.ended:
        return say("orders.state_going", **facts)
    return say("orders.state_some" if found.others else "orders.state_ended", **facts)


@blueprint.get("/agent/ordres")
@agent()
def home() -> Response:
    """Show the agent's jobs."""
    return _orders_page("/agent")


@blueprint.get("/audit/ordres")
@auditor
def auditor_home() -> Response:
    """Show the auditor's jobs."""
    return _orders_page("/audit")


def _orders_page(area: str) -> Response:
    cards = [
        JobCard(f"{area}/ordres/{one.order.n}", order_title(one.order), _moment(one.order), order_state(one))
        for one in my_orders(app_ctx(), actor())
    ]
    return staff_page("staff/jobs.html", cards=cards, home=area)


def _moment(order: Job) -> str:
    return moment_of(order.at)


@blueprint.get("/agent/ordres/<int:n>")
@agent()
def one(n: int) -> Response:
    """Show one job: its progress, then the outcome of each dossier, those that failed first."""
    found = progress(app_ctx(), actor(), n)
    if found.order.work in FILES:
        kinds = [("liste.csv", say("orders.take_csv"))]
        if found.order.total <= MOST_IN_WORKBOOK:
            kinds.insert(0, ("liste.xlsx", say("orders.take_xlsx")))
        return file_page(found, "/agent", kinds)
    results = [_result(found.order, *line) for line in lines(app_ctx(), actor(), n)]
    results.sort(key=lambda one: one.kind == "ok")  # failures come first
    here = paged(results, request.args.get("page", ""), f"/agent/ordres/{n}", size=_A_PAGE)
    return staff_page(
        "agent/job.html", title=order_title(found.order), at=_moment(found.order), state=order_state(found), here=here,
        ended=found.ended, reason=str(asked(found.order).get("reason") or ""), others=found.others,
        poll=f"/agent/ordres/{n}.json?vus={found.done + found.others}", csv=f"/agent/ordres/{n}.csv",
        again=f"/agent/ordres/{n}", returns=n if found.ended and found.done and former_in(found.order) else 0, token=new_token(),
    )  # fmt: skip


def file_page(found: Progress, home: str, kinds: list[tuple[str, str]]) -> Response:
    """Show a job that makes a file: its progress, then its downloads and their last day."""
    order, here = found.order, f"{home}/ordres/{found.order.n}"
    until = order.until if order.until and order.until > app_ctx().now() else None
    return staff_page(
        "staff/export.html", title=order_title(order), at=_moment(order), state=file_state(found), ended=found.ended,
        again=here, poll=f"{here}.json?vus={found.done}", details=filters_said(order), home=home,
        files=[(f"{here}/{name}", text) for name, text in kinds] if until else [], gone=found.ended and until is None,
    )  # fmt: skip


def file_state(found: Progress) -> str:
    """Return the progress of a file in one sentence: running, ready until a day, or deleted."""
    if not found.ended:
        return say("orders.file_going", count=found.rows, total=found.order.total)
    if found.order.until is None or found.order.until <= app_ctx().now():
        return say("orders.file_gone")
    day = day_of(found.order.until)
    return say("orders.file_ready", count=found.rows, day=day)


def filters_said(order: Job) -> list[tuple[str, str]]:
    """Return the filters of an export in words."""
    if order.work == "events":
        return question_said(asked(order))
    said = asked(order)
    procedure = procedure_of(str(said.get("procedure", "")))
    state = procedure.states.get(str(said.get("state", ""))) if procedure else None
    facts = [
        (say("orders.queue"), say(f"tray.{said['queue']}") if "queue" in said else ""),
        (say("tray.procedure"), label(procedure.identity.title) if procedure else ""),
        (say("tray.state"), label(state.label) if state else ""),
        (say("tray.office"), place_label(str(said.get("office", "")))), (say("tray.text"), str(said.get("text", ""))),
        (say("tray.label"), next((text for name, text in label_choices(procedure) if name == said.get("label")), "")),
    ]  # fmt: skip
    return [(name, text) for name, text in facts if text]


@blueprint.get("/audit/ordres/<int:n>")
@auditor
def auditor_one(n: int) -> Response:
    """Show one job of the auditor and its files. Raises `NotFound` for another's job."""
    found = progress(app_ctx(), actor(), n)
    kinds = ("csv", "json", "ndjson", "manifest")
    files = [
        (f"evenements.{kind}" if kind != "manifest" else "manifeste.json", say(f"orders.take_{kind}")) for kind in kinds
    ]
    return file_page(found, "/audit", files)


@blueprint.get("/agent/ordres/<int:n>.json")
@agent()
def state(n: int) -> Response:
    """Return the progress as JSON for the script of the page."""
    return _state(n)


@blueprint.get("/audit/ordres/<int:n>.json")
@auditor
def auditor_state(n: int) -> Response:
    """Return the progress as JSON for the script of the page."""
    return _state(n)


def _state(n: int) -> Response:
    """Return the progress as JSON, `pending` while nothing changed since the page was drawn."""
    found = progress(app_ctx(), actor(), n)
    still = not found.ended and str(found.done + found.others) == request.args.get("vus", "")
    return jsonify(status="pending" if still else "moved", done=found.done, others=found.others, left=found.left)


@blueprint.get("/agent/ordres/<int:n>.csv")
@agent()
def report(n: int) -> Response:
    """Serve the outcomes of a job as CSV, one line per dossier."""
    order = progress(app_ctx(), actor(), n).order
    head = [say(f"orders.csv_{name}") for name in ("order", "number", "name", "outcome", "why", "at")]
    rows: list[list[object]] = [
        [n, result.number, result.name, result.outcome, result.why, line.at.isoformat() if line.at else ""]
        for line, name in lines(app_ctx(), actor(), n)
        for result in (_result(order, line, name),)
    ]
    return csv_response([head, *rows], f"ordre-{n}.csv")


def _result(order: Job, line: JobItem, name: str) -> Result:
    why = ""
    if order.work == "handover" and line.outcome == "done":
        to = receiver_in(order, line.rank)
        why = people([to]).get(to, "")
    if line.why:
        reason, procedure = closed_by(line), procedure_of(str(asked(order).get("procedure", "")))
        why = refusal_text(procedure, reason) if procedure else sentence(reason)
    return Result(
        f"/agent/dossiers/{line.number}" if name else "",
        whole_number(line.number),
        name or whole_number(line.number),
        _TAGS[line.outcome],
        say(f"orders.outcome_{line.outcome or 'waiting'}"),
        why,
    )
