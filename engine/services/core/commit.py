"""Commit of a decision: all it contains is saved in the unit of the caller."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from typing import Final, TypeAlias

from engine.core.clock import local_day
from engine.core.problems import Refused, refusal
from engine.core.values import Plain, check_digit, new_id
from engine.domain.appointments.appointments import resource_key
from engine.domain.common.access import with_phone_of
from engine.domain.common.decision import Decision, EntryDraft, IssueOrder
from engine.domain.documents.documents import (
    content_digest,
    document_claims,
    document_number,
    prepare_document,
    series_of,
)
from engine.domain.documents.paper_tokens import TOKEN_BYTES, paper_token
from engine.domain.documents.papers import PaperSite
from engine.domain.fields.scope import scope_of
from engine.domain.messages.notifications import ROLE_ADDRESS, notifications_for
from engine.domain.messages.preferences import NotificationPreferences, is_wished, wishes_of
from engine.domain.workflow.awaited import registers_awaited, roles_awaited
from engine.domain.workflow.fee_refunds import Brought, brought_for, shared_back, without
from engine.domain.workflow.linked_dossiers import may_end, succeeded
from engine.model import Output, Procedure
from engine.model.provenance import sensitive_behind
from engine.records.dossier import SYSTEM_ACTOR, Actor, Booking, Dossier, IssuedDocument, OutboundMessage
from engine.services.context.app_context import AppContext, pinned
from engine.services.core.appointment_links import visit_link
from engine.services.core.call_queue import queue_look_ups
from engine.services.core.fee_accounts import entries_before, given_back
from engine.services.core.journalling import journalise
from engine.services.core.outbound_messages import dossier_link
from engine.services.core.waiting_list import seats_changed
from engine.services.keys.secrets import random_digits
from engine.services.limits.code_limits import refuse_sms, refuse_typed_mail, refuse_typed_sms
from engine.storage.results import AlreadyExists
from engine.storage.unit_of_work import Unit

_TYPST_RELEASE: Final = version("typst")  # read once: an unreadable file of a package may not stop a decision
_MOST_SERIALS: Final = 24  # tries of one number: each passes twice as many as the one before, 16 million in all


def _identifiers(procedure: Procedure, dossier: Dossier) -> tuple[str, ...]:
    """Return the identifiers that the applicant gave, by which agents find the dossier. A sensitive one is none."""
    if dossier.is_draft or dossier.erased_at is not None:
        return ()
    named = (one.id for one in procedure.form.fields if one.type == "identifier")
    given = (dossier.answers.get(name) for name in named if not sensitive_behind(procedure, name))
    return tuple(dict.fromkeys(said for said in given if isinstance(said, str) and said))


def carry_out(ctx: AppContext, unit: Unit, before: Dossier, decision: Decision, actor: Actor) -> Dossier:
    """Save the dossier with its next revision and all else the decision contains.

    Raises `Conflict` when the dossier changed meanwhile, Refused("slot_full") when the seat was taken.
    """
    now = ctx.now()
    procedure = pinned(ctx, unit, before)
    numbered = _issued(ctx, unit, procedure, decision, actor)
    issued = tuple(document for document, _, _ in numbered)
    dossier = replace(
        with_phone_of(decision.dossier, actor), documents=(*decision.dossier.documents, *issued), revision=before.revision + 1,
        awaits=roles_awaited(procedure, decision.dossier, local_day(now), ctx.directory),
        sought=_identifiers(procedure, decision.dossier),
    )  # fmt: skip
    unit.put_dossier(dossier, before.revision)
    _keep_seats(unit, procedure, before, dossier, decision.releases)
    seats_changed(ctx, unit, procedure, before, dossier, decision.releases)
    _keep_documents(unit, dossier, issued, decision)
    _succeed(ctx, unit, procedure, before, dossier, issued, now)
    former, back = _to_payers(unit, dossier, decision) if decision.returns or decision.former else ((), ())
    drafts = (
        *former, *decision.entries, *_issued_entries(dossier, numbered), *_status_entries(dossier, decision), *back
    )  # fmt: skip
    letters = letters_owed(ctx, procedure, before, replace(decision, dossier=dossier), actor, now)
    for letter in _wished(unit, dossier, letters):
        unit.add_letter(_counted(ctx, unit, dossier, letter, actor))
    unit.set_timers(dossier.id, decision.timers)
    journalise(unit, dossier, drafts, actor, now)
    queue_look_ups(unit, registers_awaited(procedure, dossier, local_day(now), ctx.directory), dossier.id, now)
    return dossier


def letters_owed(
    ctx: AppContext, procedure: Procedure, before: Dossier, decision: Decision, actor: Actor, now: datetime
) -> tuple[OutboundMessage, ...]:
    """Return the messages of a decision whose documents are numbered.

    A preview calls this too and saves nothing.
    """
    link = dossier_link(ctx, decision.dossier)
    return notifications_for(
        procedure, before, decision, actor, now, ctx.directory, ctx.wording, link, new_id,
        lambda appointment: visit_link(ctx, decision.dossier, appointment),
    )  # fmt: skip


def _wished(unit: Unit, dossier: Dossier, letters: tuple[OutboundMessage, ...]) -> tuple[OutboundMessage, ...]:
    """Return the messages without those that the applicant switched off."""
    wishes = wishes_of(unit.account(dossier.owner)) if letters else NotificationPreferences()
    by_sms = {_event(letter) for letter in letters if letter.channel == "sms"}
    return tuple(one for one in letters if is_wished(wishes, one, _event(one), _event(one) in by_sms))


def _counted(
    ctx: AppContext, unit: Unit, dossier: Dossier, letter: OutboundMessage, actor: Actor
) -> OutboundMessage:  # fmt: skip
    """Count a message to a number or an e-mail address that the applicant typed, under limits of its own.

    An SMS is counted as a code to that number too. An act of an agent counts an SMS as a code alone, and no e-mail. At
    the limit the message is saved as one that is not sent.
    """
    phone, at, closed = dossier.contact_phone or "", letter.created_at, None
    if letter.channel == "email" and actor.kind == "applicant" and not letter.to.startswith(ROLE_ADDRESS):
        closed = refuse_typed_mail(ctx, unit, at, letter.to, actor.id, dossier.owner, phone)
    elif letter.channel == "sms" and letter.to != phone:
        if actor.kind == "agent":
            closed = refuse_sms(ctx, unit, at, letter.to)
        else:
            closed = refuse_typed_sms(ctx, unit, at, letter.to, dossier.owner, phone)
    return replace(letter, failed=closed.code) if closed else letter


def _event(letter: OutboundMessage) -> str:
    """Return the event of a message, read from its dedupe key (`dossier:revision:event:channel:to`)."""
    return letter.dedupe.split(":", 2)[-1].partition(f":{letter.channel}:")[0]


def keep(
    ctx: AppContext, unit: Unit, before: Dossier, after: Dossier, drafts: Iterable[EntryDraft], actor: Actor
) -> Dossier:
    """Save a change outside the workflow: saved answers, an uploaded file, another assigned agent."""
    after = with_phone_of(after, actor) if after.closed_at is None else after  # what is erased stays so
    dossier = replace(after, revision=before.revision + 1)
    unit.put_dossier(dossier, before.revision)
    journalise(unit, dossier, drafts, actor, ctx.now())
    return dossier


def check_open_draft(dossier: Dossier) -> None:
    """Check again in the unit that the dossier is an open draft, whatever the caller read before.

    Raises Refused: already_submitted, closed.
    """
    if not dossier.is_draft:
        raise Refused(refusal("already_submitted"))
    if dossier.closed_at is not None:
        raise Refused(refusal("closed"))


def forget_draft(ctx: AppContext, unit: Unit, before: Dossier, actor: Actor) -> Dossier:
    """Close a draft and erase its content.

    Answers, files, label, contact data, and the salts of their commitments are erased. The journal
    still shows that it existed. Raises Refused: already_submitted, closed.
    """
    check_open_draft(before)
    return _forgotten(ctx, unit, before, replace(before, closed_at=ctx.now()), actor)


def forget_expired(ctx: AppContext, unit: Unit, before: Dossier) -> Dossier:
    """Erase the content of a draft that a timer closed in this unit. Raises Refused("already_submitted")."""
    if not before.is_draft or before.closed_at is None:
        raise Refused(refusal("already_submitted"))
    return _forgotten(ctx, unit, before, before, SYSTEM_ACTOR)


def _forgotten(ctx: AppContext, unit: Unit, before: Dossier, closed: Dossier, actor: Actor) -> Dossier:
    after = replace(
        closed, answers={}, attachments=(), reused=None, label="", contact_phone=None, contact_email=None, former_phones=(),
        other_phones=(),
    )  # fmt: skip
    body = {"revision": before.revision + 1, "closed": True}
    unit.erase_salts(before.id)
    unit.set_timers(before.id, ())
    return keep(ctx, unit, before, after, [EntryDraft("dropped", body)], actor)


# -- documents ---------------------------------------------------------------------------------------------------------


_Numbered: TypeAlias = tuple[IssuedDocument, str, int]  # the document, its series and its number in the series


def _issued(
    ctx: AppContext, unit: Unit, procedure: Procedure, decision: Decision, actor: Actor
) -> tuple[_Numbered, ...]:
    """Issue the documents of a decision in order. Each may print the number of those before it."""
    dossier, found = decision.dossier, list[_Numbered]()
    for order in decision.issue:
        found.append(_issue(ctx, unit, procedure, dossier, order, actor))
        dossier = replace(dossier, documents=(*dossier.documents, found[-1][0]))
    return tuple(found)


def _issue(
    ctx: AppContext, unit: Unit, procedure: Procedure, dossier: Dossier, order: IssueOrder, actor: Actor
) -> _Numbered:
    """Number, fill, sign and save one document.

    A number that another series gave is passed. A payment may issue a document, so no other series may prevent it.
    """
    now = ctx.now()
    output = procedure.outputs[order.output]
    write = _writer(ctx, unit, procedure, dossier, order, actor)
    series = series_of(output, procedure, dossier, now)
    for tried in range(_MOST_SERIALS):
        serial = unit.next_serial(series, passing=2**tried - 1)
        number = document_number(output, procedure, dossier, now, serial)
        document = write(number, _new_code(), _new_token(output))
        claims = document_claims(document, procedure, procedure.identity.agency)
        signed = replace(document, jws=ctx.keys.sign(claims))
        try:
            unit.add_document(dossier.id, signed)
        except AlreadyExists:
            continue
        return signed, series, serial
    raise Refused(refusal("number_taken", output=output.id))


def unnumbered(
    ctx: AppContext, unit: Unit, procedure: Procedure, dossier: Dossier, order: IssueOrder, actor: Actor
) -> IssuedDocument:  # fmt: skip
    """Return a document as it would be issued now, without number, code or signature. Nothing is saved."""
    return _writer(ctx, unit, procedure, dossier, order, actor)("", "", "")


def _writer(
    ctx: AppContext, unit: Unit, procedure: Procedure, dossier: Dossier, order: IssueOrder, actor: Actor
) -> Callable[[str, str, str], IssuedDocument]:
    """Return the function that writes a document with its number, its code and its token."""
    now, site = ctx.now(), _site(ctx)
    scope = scope_of(procedure, dossier, local_day(now), ctx.directory)

    def name_of(account_id: str) -> str:
        account = unit.account(account_id)
        return account.name if account is not None else ""

    def write(number: str, code: str, token: str) -> IssuedDocument:
        return prepare_document(
            procedure, dossier, order, scope, number, code, token, now, ctx.directory, ctx.wording, actor, name_of, site
        )

    return write


def _site(ctx: AppContext) -> PaperSite:
    """Return what this installation prints on its papers. A demonstration prints SPÉCIMEN."""
    page = ctx.settings.short_url.partition("://")[2] or ctx.settings.short_url
    return PaperSite(f"{page}/v", ctx.settings.short_url, ctx.settings.marks_specimen, _TYPST_RELEASE)


def _new_token(output: Output) -> str:
    """Return 128 random bits: the token of a paper in capitals, that of other documents as an identifier."""
    return paper_token(secrets.token_bytes(TOKEN_BYTES)) if output.paper is not None else new_id()


def _new_code() -> str:
    """Return a verification code: eleven random digits and a check digit against typing mistakes."""
    digits = random_digits(11)
    return digits + check_digit(digits)


def _keep_documents(unit: Unit, dossier: Dossier, issued: tuple[IssuedDocument, ...], decision: Decision) -> None:
    new = {document.id for document in issued}
    for document_id, _ in decision.documents:
        document = dossier.document(document_id)
        if document is not None and document_id not in new:
            unit.put_document(document)


def _succeed(
    ctx: AppContext, unit: Unit, procedure: Procedure, before: Dossier, after: Dossier,
    issued: tuple[IssuedDocument, ...], now: datetime,
) -> None:  # fmt: skip
    """Change the documents of earlier dossiers that this one replaces or revokes."""
    outputs = tuple(one.output for one in issued)
    for earlier, ended in succession(ctx, unit, procedure, before, after, outputs, now):
        kept = {one.id: one for one in ended}
        documents = tuple(kept.get(one.id, one) for one in earlier.documents)
        changed = replace(earlier, documents=documents, revision=earlier.revision + 1)
        unit.put_dossier(changed, earlier.revision)
        for document in ended:
            unit.put_document(document)
        order = Decision(changed, documents=tuple((one.id, one.status) for one in ended))
        journalise(unit, changed, _status_entries(changed, order), SYSTEM_ACTOR, now)


def succession(
    ctx: AppContext, unit: Unit, procedure: Procedure, before: Dossier, after: Dossier, outputs: Collection[str],
    now: datetime,
) -> Iterator[tuple[Dossier, tuple[IssuedDocument, ...]]]:  # fmt: skip
    """Yield each earlier dossier whose documents end, with the changed documents.

    They end when this one issues `outputs` or closes. Earlier dossiers are read only if a document is
    issued or the dossier closes: their edition may be missing.
    """
    if not outputs and (after.closed_at is None or before.closed_at is not None):
        return
    for link in procedure.links():
        linked = after.links.get(link.id)
        earlier = unit.dossier(linked.dossier) if linked else None
        if earlier is None:
            continue
        definition = pinned(ctx, unit, earlier)
        if not link.when.holds(scope_of(procedure, after, local_day(now), ctx.directory)):
            continue  # a correction changed the answer that asked for it
        if not may_end(procedure, link, definition, ctx.catalogue.procedures.get(link.procedure)):
            continue
        ended = succeeded(procedure, link, before, after, outputs, earlier, definition, now)
        if ended:
            yield earlier, ended


def _issued_entries(dossier: Dossier, issued: tuple[_Numbered, ...]) -> tuple[EntryDraft, ...]:
    return tuple(
        EntryDraft("issued", {
            "revision": dossier.revision, "output": one.output, "number": one.number, "digest": content_digest(one),
            "series": series, "serial": serial,
        })
        for one, series, serial in issued
    )  # fmt: skip


def _status_entries(dossier: Dossier, decision: Decision) -> tuple[EntryDraft, ...]:
    """Return an entry for each document whose status changed."""
    return tuple(
        EntryDraft("document_status", {
            "revision": dossier.revision, "number": document.number, "output": document.output, "status": status,
        })
        for document_id, status in decision.documents
        if (document := dossier.document(document_id)) is not None
    )  # fmt: skip


def _to_payers(
    unit: Unit, dossier: Dossier, decision: Decision
) -> tuple[tuple[EntryDraft, ...], tuple[EntryDraft, ...]]:  # fmt: skip
    """Return the entries of money to give back: of prices that are asked again, and of present ones.

    The first precede the entry that reopens their fees, and so count for the former price alone.
    """
    entries, payments = entries_before(unit, decision), unit.payments_of(dossier.id)
    paid = next((one.body["fees"] for one in decision.entries if one.kind == "paid"), None)
    now_paid = {name: part for name, part in paid.items() if isinstance(part, int)} if isinstance(paid, dict) else {}
    given, asked_again = given_back(entries, decision), len(decision.former)

    def of(lines: Iterable[tuple[str, int, int]], prices: Mapping[str, int]) -> tuple[EntryDraft, ...]:
        left: dict[str, tuple[Brought, ...]] = {}  # by fee: an act and the state it leads to may both give back a part
        drafts = list[EntryDraft]()
        for fee, percent, francs in lines:
            known = left[fee] if fee in left else brought_for(fee, prices[fee], entries, payments, now_paid)
            shares = shared_back(known, francs)
            left[fee] = without(known, shares)
            drafts += _shares_owed({"revision": dossier.revision, "fee": fee, "percent": percent}, shares, francs)
        return tuple(drafts)

    former = of(given[:asked_again], {owed.fee: owed.amount for owed, _ in decision.former})
    return former, of(given[asked_again:], {fee: owed.amount for fee, owed in dossier.owed.items()})


def _shares_owed(said: Mapping[str, Plain], shares: Iterable[Brought], francs: int) -> Iterator[EntryDraft]:
    """Yield an entry for each payment that money came with. Money of no known payment goes in one without payment."""
    rest = francs
    for one in shares:
        rest -= one.francs
        yield EntryDraft("refund_owed", {**said, "amount": one.francs, "payment": one.payment})
    if rest > 0:
        yield EntryDraft("refund_owed", {**said, "amount": rest})


# -- seats -------------------------------------------------------------------------------------------------------------


def _keep_seats(unit: Unit, procedure: Procedure, before: Dossier, after: Dossier, releases: Iterable[str]) -> None:
    """Release seats first, so that one may be taken again.

    The constraint of the store prevents double booking. A booking that a walk-in gave up may be booked again.
    """
    for booking_id in releases:
        unit.release_seat(booking_id)
    for appointment, booking in after.bookings.items():
        known = before.bookings.get(appointment)
        if known == booking:
            continue
        if known is None or known.id != booking.id:
            again = known is not None and known.is_walk_in
            _take_seat(unit, resource_key(procedure, appointment), after.id, booking, again)
        else:
            unit.put_booking(booking)


def _take_seat(unit: Unit, resource: str, dossier_id: str, booking: Booking, again: bool) -> None:
    try:
        if again and any(one.id == booking.id for _, one in unit.bookings_of(dossier_id)):
            unit.put_booking(booking)
        else:
            unit.take_seat(resource, dossier_id, booking)
    except AlreadyExists:
        start = booking.start.isoformat(timespec="minutes")
        raise Refused(refusal("slot_full", nearest=(), start=start, office=booking.office)) from None
