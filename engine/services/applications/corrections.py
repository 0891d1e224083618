"""Corrections that an agent asked for.

Only the named questions, and those their new answers add, are open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Final

from engine.core.problems import Refused, refusal
from engine.core.values import Plain
from engine.domain.common.decision import EntryDraft
from engine.domain.documents.documents import with_issued_rows
from engine.domain.documents.held_documents import held_in
from engine.domain.fields.files import without_held
from engine.domain.fields.raw_answers import fault
from engine.domain.fields.scope import scope_of
from engine.domain.fields.views import AnswerProblem, FormView
from engine.domain.forms.corrections import CONFIRMED, made_corrections, questions_of, with_unchanged
from engine.domain.forms.pages import check_answers, live_answers, open_fields, read_corrections
from engine.domain.workflow.actions import task_done
from engine.domain.workflow.linked_dossiers import missing_links
from engine.domain.workflow.tasks import awaits_difference, with_corrected_prices
from engine.domain.workflow.transition_context import Moment, changes, codes
from engine.model import APPLICATION, Procedure
from engine.records.dossier import SYSTEM_ACTOR, Actor, CorrectionRequest, Dossier
from engine.services.applications.attachments import Upload, UploadField, handed_in, keep_file, spot_of
from engine.services.applications.draft_answers import (
    Saved,
    SavedAnswers,
    keep_answers,
    own,
    remember_written,
    saved_from,
    shown_form,
    with_answers_in_force,
)
from engine.services.context.app_context import AppContext, WrongAnswers, pinned, seen
from engine.services.core.commit import carry_out, keep
from engine.services.core.idempotency import DOSSIER, once
from engine.services.limits.file_counts import count_file, sender_of
from engine.storage.files.attachments import StoredFile
from engine.storage.unit_of_work import Unit

MOST_ROUNDS: Final = 20  # corrections of which the former answers are kept


def see_corrections(ctx: AppContext, actor: Actor, dossier_id: str) -> FormView:
    """Return the questions that are open again, each with its reason, and a problem of each left as it was sent.

    Raises `NotFound`.
    """
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        procedure = pinned(ctx, unit, dossier)
        typed = dossier.typed
    form = shown_form(ctx, procedure, _asked_anew(typed), actor, only=open_fields(procedure, typed))
    return with_unchanged(form, dossier)


def _asked_anew(dossier: Dossier) -> Dossier:
    """Return the dossier in which evidence to correct is not held: an agent asked for another than this document."""
    asked = dossier.correction.fields if dossier.correction else ()
    anew = {name: without_held(dossier.answers[name]) for name in held_in(dossier) if name in asked}
    return replace(dossier, answers={**dossier.answers, **anew}) if anew else dossier


def save_corrections(
    ctx: AppContext, actor: Actor, dossier_id: str, raw: Mapping[str, Sequence[str]],
    files: Mapping[str, Upload] | None = None, *, revision: int | None = None, token: str | None = None, client: str = "",
    browser: str = "",
) -> Saved:  # fmt: skip
    """Save new answers and files. `client` and `browser` identify the sender of the files.

    Faulty ones are reported, the rest is saved. A question counts as corrected once its answer differs without error,
    or is confirmed by `raw[CONFIRMED]`. Raises `NotFound`, `Conflict`, Refused.
    """
    with ctx.store.unit() as unit:
        dossier = _correcting(unit, ctx, actor, dossier_id)
        procedure = pinned(ctx, unit, dossier)
    spots = [spot_of(ctx, procedure, dossier.typed, path) for path in files or {}]
    sender = sender_of(ctx, actor, browser, client)
    for file in (files or {}).values():
        count_file(ctx, dossier, len(file.data), client, browser)
    judged = [(spot, keep_file(ctx, dossier, spot, (files or {})[spot.path], sender=sender)) for spot in spots]

    def work(unit: Unit) -> SavedAnswers:
        before = _correcting(unit, ctx, actor, dossier_id, revision)
        return _save(ctx, unit, pinned(ctx, unit, before), before, raw, judged, actor)

    digests = {spot.path: kept.sha256 if isinstance(kept, StoredFile) else kept.code for spot, kept in judged}
    arguments = (dossier_id, raw, digests, revision)
    written = once(ctx, actor, "save_corrections", token, arguments, work, remember_written(ctx))
    return saved_from(ctx, written)


def _save(
    ctx: AppContext, unit: Unit, procedure: Procedure, stored: Dossier, raw: Mapping[str, Sequence[str]],
    judged: Sequence[tuple[UploadField, StoredFile | AnswerProblem]], actor: Actor,
) -> SavedAnswers:  # fmt: skip
    before = stored.typed
    read = read_corrections(procedure, _asked_anew(before), raw, ctx.day(), ctx.directory)
    after, wrong = replace(before, answers=read.answers), list[AnswerProblem]()
    for spot, kept in judged:
        full = kept if isinstance(kept, AnswerProblem) else None
        if isinstance(kept, StoredFile):
            after, full = handed_in(ctx, after, spot, kept)
        wrong += [full] if full else []
    held = with_issued_rows(procedure, stored, after.answers, ctx.day())
    wrong += [
        fault("row_issued").at(name, procedure.fields[name]) for name in held if held[name] != after.answers[name]
    ]
    after = replace(after, answers=held)
    only = open_fields(procedure, before)
    found = check_answers(procedure, after, ctx.day(), ctx.directory)
    reported = {one.at for one in wrong}
    problems = (*wrong, *(one for one in found if questions_of(one.at) & only and one.at not in reported))
    if stored.correction is not None and after.correction is not None:
        wrong_ones = {name for one in problems if not one.warns for name in questions_of(one.at)}
        marked = made_corrections(procedure, stored, read, after, raw.get(CONFIRMED, ()), wrong_ones)
        after = replace(after, correction=replace(after.correction, made=marked))
    made = codes(after.correction.made) if after.correction else []
    dossier = keep_answers(ctx, unit, stored, after, "corrected", actor, made=made)
    return SavedAnswers(procedure, dossier.typed, None, problems)


def send_corrections(
    ctx: AppContext, actor: Actor, dossier_id: str, *, revision: int | None = None, token: str | None = None
) -> Dossier:
    """Send the corrected dossier back to the agents.

    Answers that raise a paid price raise what is owed: the dossier is then returned without being sent, until the
    difference is paid. Raises `WrongAnswers`, `NotFound`, `Conflict`. Raises Refused: correction_incomplete (fields),
    link_needed for an answer that requires an earlier dossier, not_now.
    """

    def work(unit: Unit) -> Dossier:
        return _sent(ctx, unit, _correcting(unit, ctx, actor, dossier_id, revision), actor)

    return once(ctx, actor, "send_corrections", token, (dossier_id, revision), work, DOSSIER)


def send_paid(ctx: AppContext, unit: Unit, stored: Dossier) -> Dossier | None:
    """Send a correction whose time is over, if its applicant sent it before and has paid the difference since.

    None for any other: it was never sent, nothing was paid, or its answers changed and are faulty or dearer now.
    """
    asked = stored.correction
    if asked is None or asked.unsent is None:
        return None
    since = [one for one in unit.entries(stored.id) if one.at >= asked.at]
    raised = next((one.n for one in since if one.kind == "corrected" and _is_priced(one.body)), None)
    if raised is None or not any(one.kind == "paid" and one.n > raised for one in since):
        return None
    with suppress(Refused, WrongAnswers):
        return _sent(ctx, unit, stored, SYSTEM_ACTOR)
    return None


def _is_priced(body: Plain) -> bool:
    return isinstance(body, Mapping) and "priced" in body


def _sent(ctx: AppContext, unit: Unit, stored: Dossier, actor: Actor) -> Dossier:
    """Send a correction in this unit. Raises as `send_corrections`; for the system also Refused("not_now"): not paid."""
    before, procedure, day = stored.typed, pinned(ctx, unit, stored), ctx.day()
    problems = check_answers(procedure, before, day, ctx.directory)
    if any(not one.warns for one in problems):
        raise WrongAnswers(problems)
    answers = live_answers(procedure, before, day, ctx.directory)
    scope = scope_of(procedure, before, day, ctx.directory)
    for link in missing_links(procedure, before, scope):  # an earlier dossier is named on a draft only
        raise Refused(refusal("link_needed", link.where, link=link.id, label=str(link.label)))
    live, commits = with_answers_in_force(ctx, procedure, stored, replace(before, answers=answers))
    moment = Moment(procedure, actor, ctx.now(), ctx.directory, ctx.wording)
    priced = with_corrected_prices(moment, live)
    if awaits_difference(moment, priced):
        if actor == SYSTEM_ACTOR:
            raise Refused(refusal("not_now", state=stored.state))
        owing, noted = replace(stored, owed=priced.owed, done=priced.done), _entries(stored, priced)
        return keep(ctx, unit, stored, owing, noted, actor) if noted else stored
    gone = stored.files_unsent & priced.files_unsent  # taken out before the sending: no agent ever had them
    priced = replace(priced, attachments=tuple(one for one in priced.attachments if one.id not in gone))
    priced = replace(priced, corrected=_with_former(procedure, stored, priced.answers, actor, ctx.now()))
    decision = task_done(procedure, priced, APPLICATION, actor, ctx.now(), ctx.directory, ctx.wording)
    noted = _entries(stored, priced, commits)
    return carry_out(ctx, unit, stored, replace(decision, entries=(*noted, *decision.entries)), actor)


def _with_former(
    procedure: Procedure, stored: Dossier, answers: Mapping[str, Plain], actor: Actor, now: datetime
) -> tuple[CorrectionRequest, ...]:  # fmt: skip
    """Return the sent corrections with this one, which keeps the former answers for agents to compare."""
    asked = stored.correction or CorrectionRequest({}, "", now, actor.id)
    names = (stored.answers.keys() | answers.keys()) - procedure.tasks.keys()
    before = {name: stored.answers.get(name) for name in names if stored.answers.get(name) != answers.get(name)}
    sent = replace(asked, before=before, made=frozenset(asked.fields), offsets={}, unsent=None, sent_at=now)
    return (*stored.corrected, sent)[-MOST_ROUNDS:]


def _entries(before: Dossier, after: Dossier, commits: Mapping[str, Plain] | None = None) -> tuple[EntryDraft, ...]:
    """Return the entry of the answers and prices that a correction changes, none without a change."""
    if after.owed == before.owed and not commits:
        return ()
    made: list[Plain] = codes(before.correction.made) if before.correction else []
    return (EntryDraft("corrected", {"made": made, **changes(before, after)}, commits or {}),)


def _correcting(unit: Unit, ctx: AppContext, actor: Actor, dossier_id: str, revision: int | None = None) -> Dossier:
    """Return the dossier while it waits for corrections by its owner. Raises Refused("not_now") otherwise."""
    dossier = own(unit, ctx, actor, dossier_id, revision)
    state = pinned(ctx, unit, dossier).states.get(dossier.state)
    if state is None or state.mode != "correct":
        raise Refused(refusal("not_now", state=dossier.state))
    return dossier
