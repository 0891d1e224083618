"""Export of all stored data of an applicant.

It holds what they gave, what was done, messages, and who read it. Data they may not read themselves,
such as a confidential opinion, is left out.
"""

from __future__ import annotations

from datetime import datetime

from engine.core.values import Plain
from engine.domain.common.access import may_read
from engine.domain.common.task_parts import filling_at, fillings
from engine.domain.workflow.linked_dossiers import answers_of_others
from engine.model import Procedure
from engine.records.codec import instant_text
from engine.records.dossier import Actor, Dossier
from engine.records.people import PhoneMove
from engine.services.accounts.applicant_account import MOST_DOSSIERS, own
from engine.services.accounts.mandates import paper_of
from engine.services.context.app_context import AppContext, pinned
from engine.services.core.outbound_messages import readable
from engine.services.sign_in.sessions import sessions_of
from engine.storage.unit_of_work import Unit

FORMAT = "guichet-account/1"


def export_own(ctx: AppContext, actor: Actor) -> Plain:
    """Return the export of an applicant as plain values. Raises `NotFound` for others."""
    known, sessions = own(ctx, actor), sessions_of(ctx, actor)
    with ctx.store.unit() as unit:
        lines, move = unit.dossiers_of(actor.id, MOST_DOSSIERS), unit.phone_move(actor.id)
        mandates: list[Plain] = [
            {"kind": one.kind, "role": one.role, "status": one.status, "until": one.until.isoformat() if one.until else None,
             "for_me": one.principal == actor.id, "refused_because": one.reason,
             "name_given": one.declared if one.holder == actor.id else "",
             "paper": paper_of(one, unit.account(one.principal)), "paper_name": one.proof_name}
            for one in (*unit.mandates_held(actor.id), *unit.mandates_given(actor.id))
        ]  # fmt: skip
        dossiers: list[Plain] = [
            _dossier(ctx, unit, one, actor) for line in lines if (one := unit.dossier(line.id)) is not None
        ]
    opened: list[Plain] = [
        {"device": one.device, "opened_at": instant_text(one.created_at), "seen_at": instant_text(one.seen_at)}
        for one in sessions
    ]
    return {
        "format": FORMAT,
        "at": instant_text(ctx.now()),
        "account": {
            "phone": known.phone,
            "number_asked_for": _asked(move) if move else None,
            "emails": list(known.emails),
            "name": known.account.name,
            "profile": dict(known.account.profile),
        },
        "sessions": opened,
        "mandates": mandates,
        "dossiers": dossiers,
    }


def _asked(move: PhoneMove) -> Plain:
    """Return a number asked for at a counter by its last digits only: it may belong to another person."""
    return {"ends_in": move.phone[-2:], "asked_at": instant_text(move.asked_at), "from": instant_text(move.due_at)}


def _dossier(ctx: AppContext, unit: Unit, one: Dossier, actor: Actor) -> Plain:
    procedure = pinned(ctx, unit, one)
    return {
        "number": one.number,
        "procedure": one.procedure,
        "edition": one.edition,
        "state": one.state,
        "opened_at": instant_text(one.created_at),
        "sent_at": _instant(one.submitted_at),
        "closed_at": _instant(one.closed_at),
        "answers": _answers(procedure, one, actor),
        **({"unsent": _answers(procedure, one.typed, actor)} if one.typed is not one else {}),
        "corrected": [{"sent_at": _instant(sent.sent_at), "before": dict(sent.before)} for sent in one.corrected],
        "confirmed": [
            {"answer": name, "value": kept.value, "piece": kept.piece, "differs": kept.differs, "at": instant_text(kept.at)}
            for name, kept in one.confirmed.items() if may_read(procedure, one, name.partition(".")[0], actor)
        ],
        "originals": [{"evidence": name, "result": kept.result, "at": instant_text(kept.at)} for name, kept in one.originals.items()],
        "files": [{"name": file.name, "kind": file.kind, "size": file.size} for file in one.attachments if file.by is None],
        "payments": [
            {"amount": paid.amount, "status": paid.status, "at": instant_text(paid.started_at), "receipt": paid.receipt}
            for paid in unit.payments_of(one.id)
        ],
        "refunds": [
            {"amount": back.amount, "owed_at": instant_text(back.owed_at), "repaid_at": _instant(back.paid_at),
             "reference": back.reference}
            for back in unit.refunds_of(one.id)
        ],
        "bookings": [
            {"appointment": visit.appointment, "start": instant_text(visit.start), "status": visit.status}
            for visit in one.bookings.values()
        ],
        "documents": [
            {"title": act.title, "number": act.number, "issued_at": instant_text(act.issued_at), "status": act.status}
            for act in one.documents
        ],
        "messages": [
            {"channel": letter.channel, "to": letter.to, "subject": letter.subject, "body": letter.body,
             "at": instant_text(letter.created_at)}
            for letter in readable(one, unit.letters_of(one.id), actor)
        ],
        "thread": [
            {"from": said.side, "at": instant_text(said.at), "body": said.body, "files": [file.name for file in said.files]}
            for said in unit.messages_of(one.id)
        ],
        "read_by": [
            {"day": reading.day.isoformat(), "role": reading.role or "auditor"} for reading in unit.readings_of(one.id)
        ],
    }  # fmt: skip


def _answers(procedure: Procedure, one: Dossier, actor: Actor) -> dict[str, Plain]:
    """Return the answers of a dossier. A row says what was filled, not by whom.

    What agents, services and registers answered comes once the dossier is closed: before, it may still be reviewed.
    """
    later = () if one.closed_at is not None else answers_of_others(procedure)
    found = {
        name: said for name, said in one.answers.items() if name not in later and may_read(procedure, one, name, actor)
    }
    for form in procedure.forms():
        if form.each is not None and form.id in found:
            found[form.id] = [filling_at(form.id, found, at) for at in range(len(fillings(form.id, found)))]
    return found


def _instant(at: datetime | None) -> Plain:
    return instant_text(at) if at is not None else None
