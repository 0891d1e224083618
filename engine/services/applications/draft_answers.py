"""What drafts and corrections share: whose hand may write, keeping answers as typed, the page to show next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from engine.core.problems import Refused, refusal
from engine.core.values import Plain
from engine.domain.common.access import is_owner
from engine.domain.common.decision import EntryDraft
from engine.domain.fields.scope import EvaluatedAnswers
from engine.domain.fields.views import AnswerProblem, FormView, PageView
from engine.domain.forms.pages import check_answers, dossier_label, view_form, view_page
from engine.domain.workflow.transition_context import codes
from engine.model import Procedure
from engine.records.dossier import Actor, Dossier, files_named
from engine.services.context.app_context import AppContext, NotFound, pinned, seen
from engine.services.context.rate_limit import Limit, too_many
from engine.services.core.commit import check_open_draft, keep
from engine.services.core.idempotency import Memory
from engine.storage.unit_of_work import Unit

_OF_DRAFTS: Final = frozenset({"saved", "linked", "reused"})  # entries that no request has once it was sent


SAVED: Final = 300  # changes of answers and files by one person in a quarter of an hour: one every three seconds
SAVED_A_DAY: Final = 3_000


@dataclass(frozen=True, slots=True)
class Saved:
    """What came of saving: kept even with faults. `next_page` is the page to show: the same one while something is wrong
    or was just opened on it, none after the last."""

    dossier: Dossier
    problems: tuple[AnswerProblem, ...]
    next_page: str | None

    @property
    def errors(self) -> tuple[AnswerProblem, ...]:
        return tuple(one for one in self.problems if not one.warns)


def own(
    unit: Unit, ctx: AppContext, actor: Actor, dossier_id: str, revision: int | None = None, *, filling: bool = False
) -> Dossier:  # fmt: skip
    """The dossier, in its owner's hand and still open. `filling`: what is done is no more than filling it in, which needs no
    proven number. Raises NotFound, Conflict, Refused: unproven, role, closed."""
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
    """The same, not sent yet. Raises Refused("already_submitted") besides."""
    dossier = own(unit, ctx, actor, dossier_id, revision, filling=filling)
    if not dossier.is_draft:
        raise Refused(refusal("already_submitted"))
    return dossier


def keep_answers(
    ctx: AppContext, unit: Unit, before: Dossier, after: Dossier, kind: str, actor: Actor, **body: Plain
) -> Dossier:
    """Keeps a dossier whose answers or files changed; nothing is written when nothing did. The journal names the answers
    and commits to them, for good: so often and no more. Raises Refused: already_submitted, closed, for what is kept of drafts only and
    of those given up; too_many_tries."""
    if kind in _OF_DRAFTS or before.is_draft:
        check_open_draft(before)
    if after == before:
        return before
    if actor.kind != "system":
        _count(ctx, unit, actor)
    procedure = pinned(ctx, unit, before)
    label = dossier_label(procedure, after, ctx.day(), ctx.directory, ctx.wording)
    changed = changed_answers(before, after)
    after = _still_reused(before, after, changed)
    commits = {f"answers.{name}": answer for name, answer in changed.items()}
    known = {one.id for one in before.attachments}
    commits.update({f"files.{one.id}": one.sha256 for one in after.attachments if one.id not in known})
    draft = EntryDraft(kind, {"revision": before.revision + 1, "fields": codes(changed), **body}, commits)
    return keep(ctx, unit, before, replace(after, label=label), [draft], actor)


def _count(ctx: AppContext, unit: Unit, actor: Actor) -> None:
    closed = too_many(
        unit, ctx.now(), (f"saved:{actor.id}", SAVED), Limit(f"saved-day:{actor.id}", SAVED_A_DAY, timedelta(days=1))
    )
    if closed is not None:
        raise Refused(closed)


def _still_reused(before: Dossier, after: Dossier, changed: Mapping[str, Plain]) -> Dossier:
    """An answer given anew is no longer that of an earlier request."""
    if before.reused is None or after.reused != before.reused:
        return after
    return replace(after, reused=replace(before.reused, fields=before.reused.fields - changed.keys()))


def changed_answers(before: Dossier, after: Dossier) -> dict[str, Plain]:
    """The answers that are not what they were, with their new value; one that was taken away is null."""
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
    """The one view of the application, for this reader, today."""
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
    """One page of it as the dossier stands, its questions showing no fault; none when it is not on the path."""
    return view_page(evaluated, page_id, dossier, ctx.wording, reader=actor, judged=judged)


def without_orphans(dossier: Dossier) -> Dossier:
    """The dossier without the files that no answer names any more."""
    if not dossier.attachments:
        return dossier
    named = files_named(dossier.answers)
    return replace(dossier, attachments=tuple(one for one in dossier.attachments if one.id in named))


def dossier_again(unit: Unit, dossier_id: str) -> Dossier:
    dossier = unit.dossier(dossier_id)
    if dossier is None:
        raise NotFound
    return dossier


@dataclass(frozen=True, slots=True)
class SavedAnswers:
    """What one saving wrote. `problems` is none for a saving found again by its token: `wrong` then
    tells where there was something to say."""

    procedure: Procedure
    dossier: Dossier
    following: str | None
    problems: tuple[AnswerProblem, ...] | None
    wrong: tuple[str, ...] = ()


def remember_written(ctx: AppContext) -> Memory[SavedAnswers]:
    """A saving is remembered by its places; found again, it is told as the dossier stands."""

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
    """What is told of a saving; one found again by its token has what is still wrong of what was wrong then."""
    problems = written.problems
    if problems is None:
        found = check_answers(written.procedure, written.dossier, ctx.day(), ctx.directory)
        problems = tuple(one for one in found if one.at in written.wrong)
    return Saved(written.dossier, problems, written.following)
