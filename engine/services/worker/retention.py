"""Retention: a closed dossier is erased when the time of its procedure is over, a code once it was sent.

Its journal chain stays whole. One unit erases answers, files, messages, the number of the payer and the
salts, with one entry.

One-time codes and sign-in links in messages are erased once the message was sent or expired. An unsent
message keeps its text, for it is tried again. A demonstration keeps all texts: its page `/_boite` shows
them as the phone of invented people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from engine.core.clock import local_day
from engine.core.values import Plain
from engine.domain.common.decision import EntryDraft
from engine.domain.common.task_parts import sealed_anew
from engine.domain.documents.retention import (
    KEEP,
    KEEP_DOCUMENT,
    forgotten,
    keep_moments,
    without_answer,
    without_content,
)
from engine.domain.fields.raw_answers import OTHER
from engine.domain.fields.scope import scope_of
from engine.domain.workflow.confirmations import still_confirmed
from engine.domain.workflow.due_dates import timers_of
from engine.domain.workflow.transition_context import codes
from engine.model import Procedure
from engine.records.dossier import SYSTEM_ACTOR, Dossier, OutboundMessage
from engine.services.applications.draft_answers import without_orphans
from engine.services.context.app_context import AppContext, pinned
from engine.services.core.commit import keep
from engine.services.payments.settlement import may_still_come
from engine.storage.unit_of_work import Unit

AT_ONCE: Final = 200  # dossiers that one sweep erases besides those with a due timer


def is_of_keeping(timer_name: str) -> bool:
    """Return whether a timer erases data for retention."""
    return timer_name.partition(":")[0] in (KEEP, KEEP_DOCUMENT)


def forget(ctx: AppContext, unit: Unit, procedure: Procedure, dossier: Dossier, timer_name: str) -> Dossier | None:
    """Erase what the timer names (a dossier, an answer or a document), if its time is over.

    Return the changed dossier, None if nothing was to be erased.
    """
    moments = dict(keep_moments(procedure, dossier, ctx.directory.calendar))
    at = moments.get(timer_name)
    if at is None or ctx.now() < at:
        return None
    kind, _, name = timer_name.partition(":")
    if kind == KEEP_DOCUMENT:
        return _forget_document(ctx, unit, dossier, name)
    if name:
        return _forget_answer(ctx, unit, procedure, dossier, name)
    return _forget_all(ctx, unit, procedure, dossier)


def overdue(ctx: AppContext, unit: Unit, dossier: Dossier) -> str | None:
    """Return the name of the timer that should have erased a dossier, an answer or a document of it already.

    It was never set or was lost. None if there is none.
    """
    if dossier.closed_at is None or dossier.is_draft:
        return None
    moments = keep_moments(pinned(ctx, unit, dossier), dossier, ctx.directory.calendar)
    late = next((name for name, at in moments if at <= ctx.now()), None)
    return late if late != KEEP or not may_still_come(unit, dossier.id, ctx.now()) else None


def forget_overdue(ctx: AppContext, dossier_id: str) -> bool:
    """Erase what is overdue of one dossier, each part in its own unit. Return whether anything was erased."""
    done = set[str]()
    while True:
        with ctx.store.unit(write=True) as unit:
            dossier = unit.dossier(dossier_id)
            late = overdue(ctx, unit, dossier) if dossier is not None else None
            if dossier is None or late is None or late in done:
                return bool(done)
            forget(ctx, unit, pinned(ctx, unit, dossier), dossier, late)
            done.add(late)


def _forget_all(ctx: AppContext, unit: Unit, procedure: Procedure, before: Dossier) -> Dossier:
    now = ctx.now()
    after = forgotten(procedure, before, now, local_day(now))
    body: dict[str, Plain] = {
        "revision": before.revision + 1,
        "outcome": procedure.state(before.state).outcome,
        "how": procedure.personal_data.afterwards,
        "answers": codes(before.answers.keys() - after.answers.keys()),
    }
    unit.erase_salts(before.id)
    unit.erase_letters(before.id)
    unit.erase_exchanges(before.id)
    for payment in filter(None, (unit.payment(one.id) for one in unit.payments_of(before.id))):  # locked, then written
        unit.put_payment(replace(payment, payer=""))
    unit.forget_payers(before.id)
    unit.commit_again(before.id)
    refunds = {f"refunds.{one.entry}": one.reference or one.payer for one in unit.refunds_of(before.id)}
    _set_timers(ctx, unit, procedure, after)
    return _written(ctx, unit, before, after, body, refunds)


def _forget_answer(ctx: AppContext, unit: Unit, procedure: Procedure, before: Dossier, name: str) -> Dossier:
    """Erase one sensitive answer before its dossier, wherever it was given.

    Values stored together with it get new commitments.
    """
    answers = without_answer(procedure, before.answers, name)
    confirmed = still_confirmed(procedure, before.answers, answers, before.confirmed)
    corrected = tuple(replace(one, before=without_answer(procedure, one.before, name)) for one in before.corrected)
    after = without_orphans(replace(before, answers=answers, confirmed=confirmed, corrected=corrected))
    changed = {key for key, answer in before.answers.items() if answers.get(key) != answer}
    changed |= {key for one in before.corrected for key in one.before.keys() & {name, f"{name}_{OTHER}"}}
    left = {one.id for one in after.attachments}
    sealed = {f"answers.{key}" for key in changed}
    sealed |= {f"confirmed.{key}" for key in before.confirmed.keys() | changed if key not in confirmed}
    sealed |= {f"files.{one.id}" for one in before.attachments if one.id not in left}
    known = {reported for names in unit.salts(before.id).values() for reported in names}
    erased = [one for one in known if one in sealed or one.rpartition(".")[0] in sealed]
    unit.erase_salts(before.id, erased)
    body: dict[str, Plain] = {"revision": before.revision + 1, "answers": [name], "salts": codes(erased)}
    _set_timers(ctx, unit, procedure, after)
    return _written(ctx, unit, before, after, body, sealed_anew(procedure, before.answers, answers))


def _forget_document(ctx: AppContext, unit: Unit, before: Dossier, document_id: str) -> Dossier:
    """Erase the content of a document that is no longer valid and whose dossier is erased."""
    documents = tuple(without_content(one) if one.id == document_id else one for one in before.documents)
    number = next((one.number for one in before.documents if one.id == document_id), "")
    body: dict[str, Plain] = {"revision": before.revision + 1, "number": number}
    return _written(ctx, unit, before, replace(before, documents=documents), body)


def _written(
    ctx: AppContext, unit: Unit, before: Dossier, after: Dossier, body: dict[str, Plain],
    commits: Mapping[str, Plain] | None = None,
) -> Dossier:  # fmt: skip
    dossier = keep(ctx, unit, before, after, [EntryDraft("erased", body, dict(commits or {}))], SYSTEM_ACTOR)
    kept = {one.id: one for one in before.documents}
    for document in dossier.documents:
        if kept.get(document.id) != document:
            unit.put_document(document)
    return dossier


def _set_timers(ctx: AppContext, unit: Unit, procedure: Procedure, dossier: Dossier) -> None:
    scope = scope_of(procedure, dossier, ctx.day(), ctx.directory)
    unit.set_timers(dossier.id, timers_of(procedure, dossier, ctx.now(), ctx.directory, scope))


OVER: Final = timedelta(hours=1)  # longer than any code or link is valid


def forgetful(ctx: AppContext, letter: OutboundMessage) -> OutboundMessage:
    """Return a message as it is stored after sending: without its secret, except in a demonstration."""
    return letter if ctx.settings.demo else letter.without_secret()


def erase_codes(ctx: AppContext, unit: Unit) -> int:
    """Erase the secrets in old messages of earlier releases or of a demonstration. Return how many."""
    return 0 if ctx.settings.demo else unit.erase_secrets(ctx.now() - OVER)
