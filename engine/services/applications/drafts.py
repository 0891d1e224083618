"""Drafts: open, save pages even with problems, check, submit and discard them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from engine.core.clock import local_day
from engine.core.problems import Refused, refusal
from engine.core.values import Plain, new_id, new_number
from engine.domain.common.access import with_phone_of
from engine.domain.common.decision import EntryDraft
from engine.domain.documents.held_documents import held_in
from engine.domain.fields.scope import scope_of
from engine.domain.fields.views import AnswerProblem, FormView
from engine.domain.forms.eligibility import adopt_criteria, next_criterion, stopped_by
from engine.domain.forms.pages import (
    check_answers,
    dossier_label,
    live_answers,
    path,
    prefilled,
    read_corrections,
    read_page,
    view_form,
)
from engine.domain.forms.pages import next_page as page_after
from engine.domain.workflow.actions import submit as decide_submit
from engine.domain.workflow.due_dates import timers_of
from engine.domain.workflow.fee_quotes import Quote, quotes
from engine.domain.workflow.linked_dossiers import missing_links
from engine.model import DRAFT, Link, Procedure
from engine.records.dossier import Account, Actor, Dossier
from engine.records.unverified_files import UnprovenFile
from engine.services.applications.attachments import Attached, Upload, attach, detach, read_attachment
from engine.services.applications.corrections import save_corrections, see_corrections, send_corrections
from engine.services.applications.draft_answers import (
    Saved,
    SavedAnswers,
    check_space,
    count_change,
    count_request,
    keep_answers,
    own_draft,
    remember_written,
    saved_from,
    shown_form,
    shown_page,
    without_orphans,
    would_come_over,
)
from engine.services.applications.held_documents import look_for_held
from engine.services.applications.linked_dossiers import with_fit_links
from engine.services.applications.unverified_files import let_go, remove_replaced
from engine.services.context.app_context import AppContext, NotFound, WrongAnswers, pinned, seen
from engine.services.core.commit import carry_out, forget_draft
from engine.services.core.idempotency import DOSSIER, NOTHING, once
from engine.services.core.journalling import journalise
from engine.services.keys.secrets import random_digits
from engine.storage.results import AlreadyExists, Busy, Conflict, DossierLine
from engine.storage.unit_of_work import Unit

__all__ = [
    "Attached",
    "CheckSheet",
    "Saved",
    "Upload",
    "attach",
    "check",
    "detach",
    "drop_draft",
    "mine",
    "open_dossier",
    "procedure_of",
    "read_attachment",
    "save_corrections",
    "save_page",
    "see",
    "see_case",
    "see_corrections",
    "see_form",
    "send_corrections",
    "shown_form",
    "shown_page",
    "submit",
]

_NUMBERS_TRIED = 20
MOST_UNPROVEN = 5  # drafts of an unverified phone number
MOST_LISTED = 500  # of one applicant: a company sends dozens in a day


@dataclass(frozen=True, slots=True)
class CheckSheet:
    """All answers, their problems, and the price as far as it is known."""

    dossier: Dossier
    form: FormView
    problems: tuple[AnswerProblem, ...]
    quotes: tuple[Quote, ...]
    links: tuple[Link, ...] = ()  # earlier dossiers that must be named first

    @property
    def errors(self) -> tuple[AnswerProblem, ...]:
        """The problems that prevent submission, without warnings."""
        return tuple(one for one in self.problems if not one.warns)


# -- opening -----------------------------------------------------------------------------------------------------------


def open_dossier(
    ctx: AppContext, actor: Actor, procedure_id: str, *, criteria: Mapping[str, Plain], channel: str = "web",
    language: str = "fr", token: str | None = None,
) -> Dossier:  # fmt: skip
    """Open a draft, or return the existing one of this person.

    Raises `NotFound`. Raises Refused: role, mandate_bounds, not_in_force, channel, criteria_missing,
    ineligible (criterion, because, instead), unproven (too many drafts), too_many_tries.
    """
    procedure = _in_service(ctx, procedure_id)
    if actor.kind != "applicant" and not actor.principal:
        raise Refused(refusal("role", roles=("applicant",)))
    if actor.only_reads or actor.dossiers or (actor.procedures and procedure_id not in actor.procedures):
        raise Refused(refusal("mandate_bounds"))
    if channel not in procedure.identity.channels:
        raise Refused(refusal("channel", channel=channel[:20], allowed=procedure.identity.channels))
    answers = _eligible(ctx, procedure, criteria, language)

    def work(unit: Unit) -> Dossier:
        owner = unit.account_held(actor.owns)  # locked: an erasure or adoption of the account waits, or is already done
        if owner is not None and owner.disabled:
            raise NotFound
        draft = unit.draft_of(actor.owns, procedure.id)
        if draft is not None:
            after = replace(draft, answers={**draft.answers, **answers})
            return look_for_held(ctx, unit, keep_answers(ctx, unit, draft, after, "saved", actor), actor)
        if actor.unproven and _unproven_drafts(unit, actor) >= MOST_UNPROVEN:
            raise Refused(refusal("unproven"))
        check_space(ctx, unit, actor)
        count_change(ctx, unit, actor)  # the journal of a deleted draft stays
        return look_for_held(ctx, unit, _new_draft(ctx, unit, procedure, actor, answers, channel, language), actor)

    arguments = (procedure_id, criteria, channel, language)
    return once(ctx, actor, "open_dossier", token, arguments, work, DOSSIER)


def _unproven_drafts(unit: Unit, actor: Actor) -> int:
    lines = unit.dossiers_of(actor.id)
    return sum(1 for line in lines if not line.closed)


def _in_service(ctx: AppContext, procedure_id: str) -> Procedure:
    """Return the edition in force today. Raises `NotFound`, Refused("not_in_force")."""
    current = ctx.catalogue.current(procedure_id, ctx.day())
    known = ctx.catalogue.procedures.get(procedure_id)
    if current is None and known is not None:
        begins, ends = (str(day or "") for day in (known.identity.from_, known.identity.until))
        raise Refused(refusal("not_in_force", begins=begins, ends=ends))
    if current is None:
        raise NotFound
    return current


def _eligible(ctx: AppContext, procedure: Procedure, given: Mapping[str, Plain], language: str) -> dict[str, Plain]:
    """Return the eligibility answers if they admit the person.

    Raises Refused: ineligible, criteria_missing.
    """
    day, directory = ctx.day(), ctx.directory
    answers = adopt_criteria(procedure, given, day, directory)
    stop = stopped_by(procedure, answers, day, directory)
    if stop is not None:
        because, instead = stop.because.in_(language), stop.instead or ""
        raise Refused(refusal("ineligible", stop.where, criterion=stop.id, because=because, instead=instead))
    left = next_criterion(procedure, answers, day, directory)
    if left is not None:
        raise Refused(refusal("criteria_missing", left.where, criterion=left.id))
    return answers


def _new_draft(
    ctx: AppContext, unit: Unit, procedure: Procedure, actor: Actor, criteria: Mapping[str, Plain], channel: str,
    language: str,
) -> Dossier:  # fmt: skip
    now, draft = ctx.now(), blank_draft(ctx, unit, procedure, actor, criteria, channel, language)
    try:
        unit.add_dossier(draft)
    except AlreadyExists as twin:
        raise Busy("draft") from twin
    body: dict[str, Plain] = {
        "revision": 0,
        "procedure": procedure.id,
        "edition": procedure.edition,
        "channel": channel,
    }
    commits = {f"answers.{name}": answer for name, answer in draft.answers.items()}
    scope = scope_of(procedure, draft, ctx.day(), ctx.directory)
    unit.set_timers(draft.id, timers_of(procedure, draft, now, ctx.directory, scope))
    journalise(unit, draft, [EntryDraft("opened", body, commits)], actor, now)
    return draft


def blank_draft(
    ctx: AppContext, unit: Unit, procedure: Procedure, actor: Actor, criteria: Mapping[str, Plain], channel: str,
    language: str,
) -> Dossier:  # fmt: skip
    """Return an unsaved new draft with the known data of the account."""
    by = actor.owns if actor.kind == "agent" else actor.id  # an agent who helps is not the receiver of messages
    now, account, person = ctx.now(), unit.account(actor.owns), unit.account(by)
    phone = person.login if person and person.login.startswith("+") else None
    draft = Dossier(
        id=new_id(), number=_free_number(unit, local_day(now).year), procedure=procedure.id, edition=procedure.edition,
        fingerprint=procedure.fingerprint, owner=actor.owns, state=DRAFT, entered_at=now, created_at=now, channel=channel,
        language=language if language in procedure.identity.languages else procedure.identity.languages[0],
        contact_phone=phone, contact_email=_email_of(unit, by), answers=criteria,
    )  # fmt: skip
    draft = with_phone_of(draft, account.actor()) if account is not None else draft
    known = prefilled(procedure, _known(account, draft), draft, ctx.day(), ctx.directory)
    return replace(draft, answers={**known, **criteria})


def _email_of(unit: Unit, account_id: str) -> str | None:
    """Return the verified e-mail address of a person, None without one."""
    return next((one.value for one in unit.identifiers_of(account_id) if one.kind == "email"), None)


def _free_number(unit: Unit, year: int) -> str:
    """Return an eleven-digit number without a dossier. Raises `Busy` if none is found."""
    for _ in range(_NUMBERS_TRIED):
        number = new_number(year, random_digits(8))
        if unit.dossier_numbered(number) is None:
            return number
    raise Busy("numbers")


def _known(account: Account | None, draft: Dossier) -> dict[str, Plain]:
    """Return the data that may be prefilled, by the names of `prefill`.

    A child or a company without a telephone is called on that of the person who acts for them.
    """
    if account is None:
        return {}
    phone = account.login if account.login.startswith("+") else draft.contact_phone
    own: dict[str, Plain] = {
        "account.phone": phone, "account.email": draft.contact_email, "account.name": account.name or None,
    }  # fmt: skip
    return {**own, **{f"account.{name}": value for name, value in account.profile.items() if isinstance(value, str)}}


# -- reading -----------------------------------------------------------------------------------------------------------


def see(ctx: AppContext, actor: Actor, dossier_id: str) -> Dossier:
    """Return a dossier by id or number. Raises `NotFound`."""
    with ctx.store.unit() as unit:
        return seen(unit, ctx, actor, dossier_id)


def see_case(ctx: AppContext, actor: Actor, dossier_id: str) -> tuple[Dossier, Procedure]:
    """Return a dossier and the edition that applies to it. Raises `NotFound`."""
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        return dossier, pinned(ctx, unit, dossier)


def see_form(ctx: AppContext, actor: Actor, dossier_id: str) -> FormView:
    """Return the application on its path, as this person may read it. Raises `NotFound`."""
    dossier, procedure = see_case(ctx, actor, dossier_id)
    return shown_form(ctx, procedure, dossier, actor)


def procedure_of(ctx: AppContext, dossier: Dossier) -> Procedure:
    """Return the edition that applies to a dossier. Raises `EditionMissing`."""
    with ctx.store.unit() as unit:
        return pinned(ctx, unit, dossier)


def mine(ctx: AppContext, actor: Actor) -> tuple[DossierLine, ...]:
    """Return the applicant's own dossiers, newest first, without discarded and expired drafts.

    Beyond `MOST_LISTED`, closed ones are left out: none that waits for the applicant is.
    """
    if actor.kind != "applicant":
        return ()
    with ctx.store.unit() as unit:
        lines = unit.dossiers_of(actor.owns, MOST_LISTED, open_first=True)
    lines = tuple(sorted(lines, key=lambda line: line.created_at, reverse=True))
    shown = (line for line in lines if line.submitted_at is not None or not line.closed)
    return tuple(
        line
        for line in shown
        if (not actor.procedures or line.procedure in actor.procedures)
        and (not actor.dossiers or line.id in actor.dossiers)
    )


# -- saving ------------------------------------------------------------------------------------------------------------


def save_page(
    ctx: AppContext, actor: Actor, dossier_id: str, page_id: str, raw: Mapping[str, Sequence[str]], *, row: str = "",
    revision: int | None = None, token: str | None = None,
) -> Saved:  # fmt: skip
    """Save what was typed on a page, or on one row with its own page (`voyageurs.0`), right or wrong.

    Raises `NotFound` (page not on the path), `Conflict`. Raises Refused: role, closed,
    already_submitted.
    """
    gone: list[UnprovenFile] = []

    def work(unit: Unit) -> SavedAnswers:
        before = own_draft(unit, ctx, actor, dossier_id, revision, filling=True)
        procedure = pinned(ctx, unit, before)
        only = frozenset({row.partition(".")[0]}) if row else None
        read = read_page(procedure, before, page_id, raw, ctx.day(), ctx.directory, only)
        if page_id not in {page.id for page in path(procedure, read.before.values.scope)}:
            raise NotFound
        after = without_orphans(replace(before, answers=read.answers, language=_spoken(procedure, before, actor)))
        gone[:] = let_go(ctx, unit, before, after, actor)
        dossier = keep_answers(ctx, unit, before, after, "saved", actor, page=page_id)
        dossier = look_for_held(ctx, unit, dossier, actor)
        following = page_after(procedure, read.after.values.scope, dossier, page_id)
        problems = tuple(one for one in read.problems if not row or one.at.startswith(f"{row}."))
        held = held_in(dossier)
        problems = tuple(one for one in problems if _base(one.at) not in held)
        stays = read.opened or read.rows_changed or any(not one.warns for one in problems)
        next_page = page_id if stays else following.id if following else None
        return SavedAnswers(procedure, dossier, next_page, problems)

    arguments = (dossier_id, page_id, raw, *((row,) if row else ()), revision)
    written = once(ctx, actor, "save_page", token, arguments, work, remember_written(ctx))
    remove_replaced(ctx, gone)
    return saved_from(ctx, written)


def save_sheet(
    ctx: AppContext, actor: Actor, dossier_id: str, raw: Mapping[str, Sequence[str]], *,
    revision: int | None = None, token: str | None = None,
) -> Saved:  # fmt: skip
    """Save a whole paper form, whose notes are read, right or wrong. Raises as `save_page`."""

    def work(unit: Unit) -> SavedAnswers:
        before = own_draft(unit, ctx, actor, dossier_id, revision, filling=True)
        procedure = pinned(ctx, unit, before)
        read = read_corrections(procedure, before, raw, ctx.day(), ctx.directory)
        notes = {one.id: True for one in procedure.form.fields if one.type == "note" and read.after.shows(one)}
        after = without_orphans(replace(before, answers={**read.answers, **notes}))
        dossier = look_for_held(ctx, unit, keep_answers(ctx, unit, before, after, "saved", actor), actor)
        return SavedAnswers(procedure, dossier, None, read.problems)

    written = once(ctx, actor, "save_sheet", token, (dossier_id, raw, revision), work, remember_written(ctx))
    return saved_from(ctx, written)


def see_sheet(ctx: AppContext, actor: Actor, dossier_id: str) -> FormView:
    """Return every page of the application, as on the paper form. Raises `NotFound`."""
    dossier, procedure = see_case(ctx, actor, dossier_id)
    return view_form(procedure, dossier, ctx.day(), ctx.directory, ctx.wording, reader=actor, whole=True)


def _base(path: str) -> str:
    """Return the question of a path: `casier_issued` and `casier` are one."""
    return path.partition(".")[0].removesuffix("_issued")


# -- submission --------------------------------------------------------------------------------------------------------


def check(ctx: AppContext, actor: Actor, dossier_id: str) -> CheckSheet:
    """Return everything before submission: answers, problems, price. Raises `NotFound`."""
    with ctx.store.unit() as unit:
        dossier = with_fit_links(ctx, unit, seen(unit, ctx, actor, dossier_id))
        procedure = pinned(ctx, unit, dossier)
    day, directory = ctx.day(), ctx.directory
    problems = check_answers(procedure, dossier, day, directory)
    scope = scope_of(procedure, dossier, day, directory)
    priced = quotes(procedure, scope, actor.language or dossier.language, ctx.wording)
    form = shown_form(ctx, procedure, dossier, actor, problems)
    return CheckSheet(dossier, form, problems, priced, missing_links(procedure, dossier, scope))


def submit(
    ctx: AppContext, actor: Actor, dossier_id: str, *, declared: bool, revision: int | None = None,
    token: str | None = None, confirmed: str = "", client: str = "",
) -> Dossier:  # fmt: skip
    """Submit the request, which enters its workflow.

    `confirmed`: how its owner confirmed what was read to them at a counter (`paper`, `code`). `client` is the address
    of the applicant's network. Raises `WrongAnswers`, `NotFound`, `Conflict`. Raises Refused: undeclared, role, closed,
    already_submitted, too_many_tries.
    """

    def work(unit: Unit) -> Dossier:
        before = look_for_held(ctx, unit, own_draft(unit, ctx, actor, dossier_id, revision), actor)
        if not declared:
            raise Refused(refusal("undeclared"))
        if would_come_over(ctx, unit, before):
            raise Conflict(f"{before.number}: another edition is in force")
        procedure, day = pinned(ctx, unit, before), ctx.day()
        problems = check_answers(procedure, before, day, ctx.directory)
        if any(not one.warns for one in problems):
            raise WrongAnswers(problems)
        live = replace(before, answers=live_answers(procedure, before, day, ctx.directory))
        live = with_fit_links(ctx, unit, live)
        live = replace(
            without_orphans(live), contact_email=_email(procedure, live), language=_spoken(procedure, live, actor)
        )
        live = replace(live, label=dossier_label(procedure, live, day, ctx.directory, ctx.wording))
        count_request(ctx, unit, actor, before.owner, client)
        decision = decide_submit(procedure, live, actor, ctx.now(), ctx.directory, ctx.wording)
        if actor.kind == "agent":
            said = EntryDraft("declared_aloud", {"confirmed": confirmed})
            decision = replace(decision, entries=(said, *decision.entries))
        return carry_out(ctx, unit, before, decision, actor)

    arguments = (dossier_id, declared, revision, *((confirmed,) if confirmed else ()))
    try:
        return once(ctx, actor, "submit", token, arguments, work, DOSSIER)
    except WrongAnswers:  # the draft must not name a document that is held no more: its page would miss nothing
        with ctx.store.unit(write=True) as unit:
            look_for_held(ctx, unit, own_draft(unit, ctx, actor, dossier_id), actor)
        raise


def _spoken(procedure: Procedure, dossier: Dossier, actor: Actor) -> str:
    """Return the language of messages to the applicant: the one they fill in, if the procedure has it."""
    if actor.kind == "agent":
        return dossier.language
    return actor.language if actor.language in procedure.identity.languages else dossier.language


def _email(procedure: Procedure, dossier: Dossier) -> str | None:
    """Return the contact address, which is verified, else the first e-mail address in the answers.

    A typed address may be that of a stranger, and messages hold the link to an appointment.
    """
    if dossier.contact_email is not None:
        return dossier.contact_email
    given = (dossier.answers.get(field.id) for field in procedure.form.fields if field.type == "email")
    return next((one for one in given if isinstance(one, str) and "@" in one), None)


def drop_draft(ctx: AppContext, actor: Actor, dossier_id: str, *, token: str | None = None) -> None:
    """Discard a draft and erase its answers, files and salts.

    Its journal still shows that it existed. Raises `NotFound`, Refused.
    """

    def work(unit: Unit) -> None:
        forget_draft(ctx, unit, own_draft(unit, ctx, actor, dossier_id, filling=True), actor)

    once(ctx, actor, "drop_draft", token, (dossier_id,), work, NOTHING)
