"""Refunds for agents: those of a dossier, those an agency owes, and the confirmation that one was paid."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Blueprint, Response, request, session

from engine.core.problems import Refused
from engine.services.context.app_context import NotFound
from engine.services.payments.refunds import (
    LONGEST,
    OwedBack,
    owed_back,
    pay_back,
    paying_agencies,
    read_reference,
    refunds_to_pay,
)
from renderers.html.controls import national
from renderers.i18n.formats import FIXED_SPACE
from renderers.web.platform.access import agent
from renderers.web.platform.dossier_context import label
from renderers.web.platform.errors import sentence
from renderers.web.platform.request_context import actor, app_ctx, day_of, form_token, go, moment_of, new_token, say
from renderers.web.shared.agent_dossier import AgentCase, agent_case
from renderers.web.shared.money import francs, provider_label
from renderers.web.shared.snippets import agency_label
from renderers.web.shared.staff import people, procedure_of, staff_page

blueprint = Blueprint("refunds", __name__)

HOME = "/agent/remboursements"


@dataclass(frozen=True, slots=True)
class RefundLine:
    """A refund on the dossier's page. `closed` says why this agent cannot confirm it."""

    text: str
    tag: tuple[str, str]
    payer: str = ""
    href: str = ""
    closed: str = ""


@dataclass(frozen=True, slots=True)
class RefundRow:
    """A refund in the list, in words. `mark` is the address that confirms it, empty where this agent may not."""

    number: str
    href: str
    procedure: str
    amount: str
    payer: str
    since: str
    until: str
    late: bool
    mark: str = ""


# -- the list ----------------------------------------------------------------------------------------------------------


@blueprint.get("/agent/remboursements")
@agent()
def to_pay() -> Response:
    """Show the refunds due by the agent's agencies, the oldest first. `agence` selects one agency."""
    agencies = paying_agencies(app_ctx(), actor())
    asked = request.args.get("agence", "")
    agency = asked if asked in agencies else ""
    found = refunds_to_pay(app_ctx(), actor(), agency=agency or None, after=request.args.get("apres", "")[:200])
    first = f"{HOME}?{urlencode({'agence': agency})}" if agency else HOME
    more = {**({"agence": agency} if agency else {}), "apres": found.after or ""}
    return staff_page(
        "agent/refunds.html", rows=[_row(line) for line in found.lines], agency=agency, here=HOME,
        agencies=[(one, agency_label(one)) for one in agencies] if len(agencies) > 1 else [],
        first=first if request.args.get("apres") else "", next=f"{HOME}?{urlencode(more)}" if found.after else "",
    )  # fmt: skip


def _row(line: OwedBack) -> RefundRow:
    procedure, base = procedure_of(line.refund.procedure), f"/agent/dossiers/{line.number}"
    return RefundRow(
        line.number, base, label(procedure.identity.title) if procedure else line.refund.procedure, francs(line.refund.amount),
        _payer(line), day_of(line.refund.owed_at), day_of(line.due), line.due < app_ctx().now(),
        "" if line.closed else _place(base, line),
    )  # fmt: skip


def _place(base: str, line: OwedBack) -> str:
    return f"{base}/remboursements/{line.refund.entry}"


def _payer(line: OwedBack) -> str:
    if line.refund.payer:
        return national(line.refund.payer).replace(" ", FIXED_SPACE)
    if (paid := line.payment) is not None and paid.method == "cash":
        return say("refund.payer_cash", receipt=paid.receipt or "")
    if paid is not None:
        return f"{provider_label(paid.provider)}, {paid.provider_ref or paid.reference}"
    return say("refund.payer_forgotten" if line.refund.paid_at else "refund.payer_none")


# -- on a dossier ------------------------------------------------------------------------------------------------------


def refund_lines(one: AgentCase) -> list[RefundLine]:
    """Return the refunds of a dossier, due or paid, the oldest first."""
    found = one.refunds
    names = people(line.refund.paid_by for line in found)
    return [_line(one, line, names.get(line.refund.paid_by or "", "")) for line in found]


def _line(one: AgentCase, line: OwedBack, name: str) -> RefundLine:
    refund, why = line.refund, _why(one, line)
    if refund.paid_at is not None:
        text = say(
            "refund.paid_line", amount=francs(refund.amount), why=why, day=day_of(refund.paid_at), reference=refund.reference or ""
        )  # fmt: skip
        by = say("refund.by", name=name) if name else ""
        return RefundLine(text, ("ok", say("refund.tag_paid")), by)
    text = say(
        "refund.owed_line", amount=francs(refund.amount), why=why, since=day_of(refund.owed_at), until=day_of(line.due)
    )
    late = line.due < app_ctx().now()
    return RefundLine(
        text, ("bad", say("refund.late")) if late else ("act", say("refund.tag_owed")),
        "" if _is_not_theirs(line) else say("refund.to_number", phone=_payer(line)), "" if line.closed else _place(one.at(), line),
        sentence(line.closed) if line.closed else "",
    )  # fmt: skip


def _why(one: AgentCase, line: OwedBack) -> str:
    fee = line.refund.fee
    if fee is None:
        return say("refund.why_over")
    owed = one.dossier.owed.get(fee)
    return say("refund.why_fee", fee=owed.label if owed else fee)


# -- confirmation of a refund ------------------------------------------------------------------------------------------


@blueprint.get("/agent/dossiers/<number>/remboursements/<int:entry>")
@agent()
def ask(number: str, entry: int) -> Response:
    """Show one refund and ask for the reference of its payment. Raises `NotFound`."""
    one = agent_case(number)
    return _page(one, _asked(one, entry), request.args.get("reference", "")[: LONGEST * 2])


@blueprint.post("/agent/dossiers/<number>/remboursements/<int:entry>")
@agent()
def post(number: str, entry: int) -> Response:
    """Show the refund for a check. A confirmed one is recorded once and redirects to the dossier."""
    one = agent_case(number)
    line, typed = _asked(one, entry), request.form.get("reference", "")[: LONGEST * 4]
    try:
        reference = read_reference(typed)
        if request.form.get("go") != "confirm" or line.closed is not None:
            return _page(one, line, reference, checking=True)
        pay_back(app_ctx(), actor(), one.id, entry, reference, token=form_token())
    except Refused as closed:
        return _page(one, _asked(one, entry), typed, sentence(closed.reason))
    session["desk_note"] = say("refund.done")
    return go(one.at())


def _asked(one: AgentCase, entry: int) -> OwedBack:
    """Return the refund. Raises `NotFound` if it is not of this dossier or not of the agent's agencies."""
    found = next((line for line in owed_back(app_ctx(), actor(), one.id) if line.refund.entry == entry), None)
    if found is None or _is_not_theirs(found):
        raise NotFound
    return found


def _is_not_theirs(line: OwedBack) -> bool:
    """Return whether another agency pays the refund. The agent then does not see the payer's number."""
    return line.closed is not None and line.closed.code == "refund_not_yours"


def _page(one: AgentCase, line: OwedBack, reference: str = "", error: str = "", checking: bool = False) -> Response:
    refund, closed = line.refund, line.closed
    details = [
        (say("refund.amount"), francs(refund.amount)), (say("refund.why"), _why(one, line)),
        (say("refund.payer"), _payer(line)), (say("refund.since"), day_of(refund.owed_at)),
        (say("refund.until"), day_of(line.due)),
    ]  # fmt: skip
    if refund.paid_at is not None:
        details += [(say("refund.tag_paid"), moment_of(refund.paid_at))]
        details += [(say("refund.reference"), refund.reference or "")]
    elif checking:
        details += [(say("refund.reference"), reference)]
    return staff_page(
        "agent/refund.html", 422 if error else 200, dossier=one.dossier, base=one.at(), here=_place(one.at(), line),
        details=details, closed=sentence(closed) if closed is not None else "", reference=reference, error=error,
        errors=[("#reference", error)] if error and closed is None else [], checking=checking, token=new_token(), longest=LONGEST,
    )  # fmt: skip
