"""What drafts and corrections share: the right to write, saving answers as typed, and the next page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from engine.core.problems import Refused, refusal
from engine.core.values import Plain, texts_in
from engine.domain.common.access import is_owner
from engine.domain.common.decision import EntryDraft
from engine.domain.documents.documents import with_issued_rows
from engine.domain.documents.originals import still_noted
from engine.domain.editions.draft_migration import Redrafted, redraft
from engine.domain.editions.renaming import Translation
from engine.domain.fields.scope import EvaluatedAnswers
from engine.domain.fields.views import AnswerProblem, FormView, PageView
from engine.domain.forms.pages import check_answers, dossier_label, view_form, view_page
from engine.domain.workflow.confirmations import commitments_of, still_confirmed
from engine.domain.workflow.transition_context import Moment, codes, original_changes
from engine.model import Procedure
from engine.records.dossier import SYSTEM_ACTOR, Actor, CorrectionRequest, Dossier
from engine.services.context.app_context import AppContext, NotFound, pinned, seen
from engine.services.context.edition_cache import EditionMissing
from engine.services.context.rate_limit import Limit, too_many
from engine.services.core.commit import carry_out, check_open_draft, keep
from engine.services.core.idempotency import Memory
from engine.services.limits.file_counts import counted_as, has_telephone, is_accepted_company
from engine.storage.results import GLANCE, Busy
from engine.storage.unit_of_work import Unit

_OF_DRAFTS: Final = frozenset({"saved", "linked", "reused"})  # entries that a submitted dossier never gets
SAVED: Final = 300  # saved changes by one person in a quarter of an hour: one every three seconds
SAVED_A_DAY: Final = 3_000
SENT_A_DAY: Final = 40  # requests of one person, those for a child or another person included
SENT_PER_ADDRESS: Final = 60  # an hour, by accounts without a telephone behind one address


@dataclass(frozen=True, slots=True)
class Saved:
    """The result of saving; faulty answers are saved too.

    `next_page` is the page to show. It is the same page while something is wrong or was just opened on
    it, None after the last.
    """

    dossier: Dossier
    problems: tuple[AnswerProblem, ...]
    next_page: str | None

    @property
    def errors(self) -> tuple[AnswerProblem, ...]:
        """The problems that prevent submission, without warnings."""
        return tuple(one for one in self.problems if not one.warns)


def own(
    unit: Unit, ctx: AppContext, actor: Actor, dossier_id: str, revision: int | None = None, *, filling: bool = False
) -> Dossier:  # fmt: skip
    """Return the dossier if the actor owns it and it is open.

    With `filling=True` an unverified phone number is accepted. Raises `NotFound`, `Conflict`. Raises
    Refused: unproven, role, closed.
    """
    dossier = seen(unit, ctx, actor, dossier_id, revision)
    if actor.unproven and not filling:
        raise Refused(refusal("unproven"))
    if not is_owner(dossier, actor):
        raise Refused(refusal("role", roles=("applicant",)))
    if dossier.closed_at is not None:
        raise Refused(refusal("closed"))
    return dossier


def own_draft(
    unit: Unit, ctx: AppContext, actor: Actor, dossier_id: str, revision: int | None = None, *, filling: bool = False
) -> Dossier:  # fmt: skip
    """Return the dossier as `own` does, if it is a draft. Also raises Refused("already_submitted")."""
    dossier = own(unit, ctx, actor, dossier_id, revision, filling=filling)
    if not dossier.is_draft:
        raise Refused(refusal("already_submitted"))
    return dossier


def keep_answers(
    ctx: AppContext, unit: Unit, before: Dossier, after: Dossier, kind: str, actor: Actor, **body: Plain
) -> Dossier:
    """Save a dossier with changed answers or files; without a change, nothing is written.

    Rows with a document in force stay. The journal names the answers and commits to them. A changed answer is no
    longer confirmed. Corrected answers stay apart until they are sent. Raises Refused: too_many_tries. For drafts,
    and for entries of drafts only: already_submitted, closed.
    """
    if kind in _OF_DRAFTS or before.is_draft:
        check_open_draft(before)
    if before.documents:
        answers = with_issued_rows(pinned(ctx, unit, before), before, after.answers, ctx.day())
        after = replace(after, answers=answers)
    if after == before.typed:
        return before
    if kind in _OF_DRAFTS:
        check_space(ctx, unit, actor)
    if actor.kind != "system":
        count_change(ctx, unit, actor)
    procedure = pinned(ctx, unit, before)
    changed, commits = changed_answers(before.typed, after), dict[str, Plain]()
    state = procedure.states.get(before.state)
    if before.is_draft or state is None or state.mode != "correct":
        after, commits = with_answers_in_force(ctx, procedure, before, after)
    else:
        asked = after.correction or CorrectionRequest({}, "", ctx.now(), actor.id)
        after = replace(after, answers=before.answers, correction=replace(asked, unsent=after.answers))
    known = {one.id for one in before.attachments}
    commits.update({f"files.{one.id}": one.sha256 for one in after.attachments if one.id not in known})
    body = {"revision": before.revision + 1, "fields": codes(changed), **original_changes(before, after), **body}
    draft = EntryDraft(kind, body, commits)
    return keep(ctx, unit, before, after, [draft], actor)


def with_answers_in_force(
    ctx: AppContext, procedure: Procedure, before: Dossier, after: Dossier
) -> tuple[Dossier, dict[str, Plain]]:
    """Return the dossier with all that follows from its changed answers, and what the journal commits to."""
    changed = changed_answers(before, after)
    after = _still_reused(before, after, changed)
    after = replace(
        after, label=dossier_label(procedure, after, ctx.day(), ctx.directory, ctx.wording),
        confirmed=still_confirmed(procedure, before.answers, after.answers, after.confirmed),
        originals=still_noted(before.answers, after.answers, after.originals),
    )  # fmt: skip
    moved = {name: one for name, one in after.confirmed.items() if before.confirmed.get(name) != one}
    return after, {**{f"answers.{name}": answer for name, answer in changed.items()}, **commitments_of(moved)}


def check_space(ctx: AppContext, unit: Unit, actor: Actor) -> None:
    """Check that a draft may grow. An account without a telephone costs nothing, and each of its drafts holds 300 KB
    of text, so it never uses the last free space. Raises `NoSpace`."""
    account = unit.account(actor.id) if actor.kind == "applicant" else None
    if account is not None and not has_telephone(account):
        ctx.attachments.reserve.check(0, unproven=True)


def count_change(ctx: AppContext, unit: Unit, actor: Actor) -> None:
    """Count one change that a journal keeps for good. Raises Refused("too_many_tries")."""
    closed = too_many(
        unit, ctx.now(), (f"saved:{actor.id}", SAVED), Limit(f"saved-day:{actor.id}", SAVED_A_DAY, timedelta(days=1))
    )
    if closed is not None:
        raise Refused(closed)


def count_request(ctx: AppContext, unit: Unit, actor: Actor, owner: str, client: str) -> None:
    """Count a request that an applicant sends: each sends SMS and waits for an agent. Raises Refused("too_many_tries").

    `client` is the address of their network, empty for callers that are not counted. An e-mail address costs nothing,
    so the accounts without a telephone behind one address share a limit.
    """
    account = unit.account(actor.id) if client and actor.kind == "applicant" else None
    if account is None or is_accepted_company(unit.account(owner)):
        return
    limits = [Limit(f"sent:{counted_as(unit, actor.id)}", SENT_A_DAY, timedelta(days=1))]
    if not has_telephone(account):
        limits.append(Limit(f"sent@{client}", SENT_PER_ADDRESS, timedelta(hours=1)))
    if closed := too_many(unit, ctx.now(), *limits):
        raise Refused(closed)


def _still_reused(before: Dossier, after: Dossier, changed: Mapping[str, Plain]) -> Dossier:
    """Return the dossier where a changed answer no longer counts as reused from an earlier one."""
    if before.reused is None or after.reused != before.reused:
        return after
    return replace(after, reused=replace(before.reused, fields=before.reused.fields - changed.keys()))


def changed_answers(before: Dossier, after: Dossier) -> dict[str, Plain]:
    """Return the changed answers with their new values; a removed one is None."""
    names = before.answers.keys() | after.answers.keys()
    return {
        name: after.answers.get(name)
        for name in sorted(names)
        if before.answers.get(name) != after.answers.get(name)
    }  # fmt: skip


def shown_form(
    ctx: AppContext,
    procedure: Procedure,
    dossier: Dossier,
    actor: Actor | None,
    problems: tuple[AnswerProblem, ...] = (),
    only: frozenset[str] | None = None,
) -> FormView:
    """Return the view of the application for this reader, today."""
    return view_form(
        procedure, dossier, ctx.day(), ctx.directory, ctx.wording, problems, only=only, reader=actor
    )  # fmt: skip


def shown_page(
    ctx: AppContext,
    evaluated: EvaluatedAnswers,
    dossier: Dossier,
    actor: Actor | None,
    page_id: str,
    judged: bool = True,
) -> PageView | None:
    """Return one page of the application, with no problem beside its questions; None when it is not on the path.

    With `judged=False` the page is not validated.
    """
    return view_page(evaluated, page_id, dossier, ctx.wording, reader=actor, judged=judged)


def without_orphans(dossier: Dossier) -> Dossier:
    """Return the dossier without the files that no answer names."""
    if not dossier.attachments:
        return dossier
    named = texts_in(dossier.answers) | texts_in(dossier.typed.answers)
    return replace(dossier, attachments=tuple(one for one in dossier.attachments if one.id in named))


def dossier_again(unit: Unit, dossier_id: str) -> Dossier:
    """Return a dossier by id for a repeated command. Raises `NotFound`."""
    dossier = unit.dossier(dossier_id)
    if dossier is None:
        raise NotFound
    return dossier


@dataclass(frozen=True, slots=True)
class SavedAnswers:
    """What one save wrote.

    `problems` is None for a save found again by its token. `wrong` then lists where there were
    problems.
    """

    procedure: Procedure
    dossier: Dossier
    following: str | None
    problems: tuple[AnswerProblem, ...] | None
    wrong: tuple[str, ...] = ()


def remember_written(ctx: AppContext) -> Memory[SavedAnswers]:
    """Return how `once` stores the result of a save: the next page and the paths of the problems.

    A repeated token finds them again, with the present dossier.
    """

    def keep_written(written: SavedAnswers) -> Plain:
        wrong: list[Plain] = [one.at for one in written.problems or ()]
        return {"dossier": written.dossier.id, "next": written.following, "wrong": wrong}

    def recall(unit: Unit, kept: Plain) -> SavedAnswers:
        said = kept if isinstance(kept, dict) else {}
        dossier = dossier_again(unit, str(said.get("dossier")))
        following, wrong = said.get("next"), said.get("wrong")
        ats = tuple(str(at) for at in wrong) if isinstance(wrong, list) else ()
        following = following if isinstance(following, str) else None
        return SavedAnswers(pinned(ctx, unit, dossier), dossier, following, None, ats)

    return Memory(keep_written, recall)


def saved_from(ctx: AppContext, written: SavedAnswers) -> Saved:
    """Return the result of a save.

    For a save found again by its token, the result has only the problems that still exist.
    """
    problems = written.problems
    if problems is None:
        found = check_answers(written.procedure, written.dossier, ctx.day(), ctx.directory)
        problems = tuple(one for one in found if one.at in written.wrong)
    return Saved(written.dossier, problems, written.following)


# -- migration to the edition in force ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Renewed:
    """A draft under a later edition, in force since `since`.

    `new`: number of additional questions. `again`: those whose answer must be given again or checked.
    `prices`: in francs, before and now, where they differ.
    """

    dossier: Dossier
    definition: Procedure
    since: date | None
    new: int
    again: tuple[str, ...]
    prices: tuple[int, int] | None = None


def renew(ctx: AppContext, actor: Actor, dossier: Dossier) -> Renewed | None:
    """Migrate a draft for the person who fills it in.

    None where nothing changes, or while the store is locked. No procedure is loaded for that.
    """
    if not is_outdated(ctx, dossier) or not is_owner(dossier, actor):
        return None
    try:
        return _brought_over(ctx, actor, dossier)
    except Busy:  # it is shown unchanged; the next visit migrates it
        return None


def _brought_over(ctx: AppContext, actor: Actor, dossier: Dossier) -> Renewed | None:
    with ctx.store.unit(write=True, wait_limit=GLANCE) as unit:
        draft = own_draft(unit, ctx, actor, dossier.id, filling=True)
        found = _judged(ctx, unit, draft)
        if found is None:
            return None
        procedure, reported = found
        after = without_orphans(reported.decision.dossier)
        label = dossier_label(procedure, after, ctx.day(), ctx.directory, ctx.wording)
        decision = replace(reported.decision, dossier=replace(after, label=label))
        kept = carry_out(ctx, unit, reported.before, decision, SYSTEM_ACTOR)
    return Renewed(kept, procedure, procedure.identity.from_, len(reported.new), reported.again, reported.prices)


def is_outdated(ctx: AppContext, dossier: Dossier) -> bool:
    """Return whether a later edition than that of a draft is in force."""
    if not dossier.is_draft or dossier.closed_at is not None:
        return False
    current = ctx.catalogue.current_entry(dossier.procedure, ctx.day())
    return current is not None and current.edition > dossier.edition


def would_come_over(ctx: AppContext, unit: Unit, draft: Dossier) -> bool:
    """Return whether a draft about to be submitted must first migrate to a later edition."""
    return is_outdated(ctx, draft) and _judged(ctx, unit, draft) is not None


def _judged(ctx: AppContext, unit: Unit, draft: Dossier) -> tuple[Procedure, Redrafted] | None:
    if not is_outdated(ctx, draft):  # another unit did it meanwhile
        return None
    try:
        procedure = ctx.catalogue.current(draft.procedure, ctx.day())
    except EditionMissing:
        return None
    if procedure is None:
        return None
    translation = Translation.between(pinned(ctx, unit, draft), procedure)
    moment = Moment(procedure, SYSTEM_ACTOR, ctx.now(), ctx.directory, ctx.wording)
    reported = redraft(translation, draft, unit.payments_of(draft.id), moment)
    return (procedure, reported) if reported is not None else None
