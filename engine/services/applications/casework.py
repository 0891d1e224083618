"""Work of agents: their queues, available actions, and assignment of dossiers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from engine.core.problems import Refused, refusal
from engine.core.values import Plain, digits_only
from engine.domain.common.access import acting_role, holds, in_mandate, is_own
from engine.domain.common.decision import Act, AvailableAction, Decision, EntryDraft
from engine.domain.common.four_eyes import barred_from_state
from engine.domain.fields.views import AnswerProblem, FormView
from engine.domain.forms import pages as forms
from engine.domain.forms.agent_files import pending_files, with_pending
from engine.domain.workflow.actions import open_transitions, take_offered
from engine.domain.workflow.available_actions import offers_of
from engine.domain.workflow.confirmations import confirms_of
from engine.domain.workflow.transition_context import Moment
from engine.language.catalogue.catalogue import Catalogue
from engine.model import Form, Procedure
from engine.model.roles import awaited_roles
from engine.model.summary import EditionSummary, StateSummary
from engine.records.dossier import Actor, Dossier, IssuedDocument, OutboundMessage
from engine.services.applications.comparisons import check_comparison
from engine.services.context.app_context import AppContext, NotFound, WrongAnswers, hold_all, own_among, pinned, seen
from engine.services.context.contact_parsing import read_phone
from engine.services.core.commit import carry_out, keep, letters_owed, succession, unnumbered
from engine.services.core.fee_accounts import entries_before, given_back
from engine.services.core.idempotency import DOSSIER, once
from engine.services.core.outbound_messages import letters_of
from engine.services.sign_in.agreements import with_agreement
from engine.storage.results import DossierQuery, ListNeighbours, ResultPage
from engine.storage.unit_of_work import Unit

_PHONE_DIGITS: Final = 8  # the fewest of a telephone number


class Colleagues(Mapping[str, Actor]):
    """Agents as actors of today, read once while the unit is open. A closed account has no role; its acts still count."""

    def __init__(self, ctx: AppContext, unit: Unit) -> None:
        self._office, self._unit = ctx, unit
        self._known: dict[str, Actor | None] = {}

    def __getitem__(self, account_id: str) -> Actor:
        if account_id not in self._known:
            account = self._unit.account(account_id)
            account = replace(account, roles=()) if account is not None and account.disabled else account
            self._known[account_id] = self._office.person(account) if account and account.kind == "agent" else None
        found = self._known[account_id]
        if found is None:
            raise KeyError(account_id)
        return found

    def __iter__(self) -> Iterator[str]:
        return (account.id for account in self._unit.accounts("agent"))

    def __len__(self) -> int:
        return sum(1 for _ in self)


__all__ = [
    "ActPreview",
    "Filling",
    "assign",
    "assign_first",
    "carry_out",
    "inbox_counts",
    "letters_of",
    "list_inbox",
    "offers",
    "preview_transition",
    "read_filling",
    "take_transition",
]


@dataclass(frozen=True, slots=True)
class Filling:
    """A later form being filled: answers for `Act.filling`, their problems, and the form to draw."""

    answers: Mapping[str, Plain]
    problems: tuple[AnswerProblem, ...]
    view: FormView


QUEUES: Final = ("to_take", "ready", "mine", "waiting", "late", "followed", "all", "done")


@dataclass(frozen=True, slots=True)
class ActPreview:
    """The effect of an action, unsaved: decision, messages and documents (output ids).

    `changed`: documents of this or linked dossiers whose status changes. `back`: money given back (fee,
    percent, francs). `papers`: the documents as they would be issued now, without number or code.
    """

    decision: Decision
    letters: tuple[OutboundMessage, ...]
    outputs: tuple[str, ...]
    changed: tuple[IssuedDocument, ...]
    back: tuple[tuple[str, int, int], ...] = ()
    papers: tuple[IssuedDocument, ...] = ()


# -- actions -----------------------------------------------------------------------------------------------------------


def offers(ctx: AppContext, actor: Actor, dossier_id: str) -> tuple[AvailableAction, ...]:
    """Return every action of the state: available to this person, or closed with the reason.

    Raises `NotFound`.
    """
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        procedure = pinned(ctx, unit, dossier)
        people = people_of(ctx, unit)
        return open_transitions(procedure, dossier, actor, ctx.now(), ctx.directory, ctx.wording, people)


def take_transition(
    ctx: AppContext, actor: Actor, dossier_id: str, act: Act, *, revision: int | None = None, token: str | None = None,
    agreed: str = "",
) -> Dossier:  # fmt: skip
    """Take an action and commit all its effects in one unit.

    `agreed`: how its owner agreed to it at a counter (`paper`, `code`). Raises `NotFound`; Refused when it is closed or
    incomplete; `WrongAnswers` for its form. Raises `Conflict` when the dossier changed since it was seen.
    """

    def work(unit: Unit) -> Dossier:
        dossier = seen(unit, ctx, actor, dossier_id, revision)
        decision = decide_in(ctx, unit, dossier, act, actor)
        decision = with_agreement(ctx, pinned(ctx, unit, dossier), dossier, act.transition, agreed, decision, actor)
        return carry_out(ctx, unit, dossier, decision, actor)

    arguments = (dossier_id, act, revision, *((agreed,) if agreed else ()))
    return once(ctx, actor, "take_transition", token, arguments, work, DOSSIER)


def preview_transition(ctx: AppContext, actor: Actor, dossier_id: str, act: Act) -> ActPreview:
    """Return the effect of an action and save nothing. Raises as `take_transition`."""
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        procedure = pinned(ctx, unit, dossier)
        decision = decide_in(ctx, unit, dossier, act, actor)
        return foreseen(ctx, unit, procedure, dossier, decision, actor)


def foreseen(
    ctx: AppContext, unit: Unit, procedure: Procedure, before: Dossier, decision: Decision, actor: Actor
) -> ActPreview:  # fmt: skip
    """Return the effect of committing a decision."""
    now, after = ctx.now(), decision.dossier
    outputs = tuple(order.output for order in decision.issue)
    own = (after.document(document_id) for document_id, _ in decision.documents)
    ended = (one for _, those in succession(ctx, unit, procedure, before, after, outputs, now) for one in those)
    letters = letters_owed(ctx, procedure, before, decision, actor, now)
    back = given_back(entries_before(unit, decision) if decision.returns or decision.former else (), decision)
    papers = tuple(unnumbered(ctx, unit, procedure, after, order, actor) for order in decision.issue)
    return ActPreview(decision, letters, outputs, (*(one for one in own if one is not None), *ended), back, papers)


def decide_in(
    ctx: AppContext, unit: Unit, dossier: Dossier, act: Act, actor: Actor, people: Mapping[str, Actor] | None = None
) -> Decision:
    """Return the decision of an action, checked in the unit of the caller.

    `people` is the result of `people_of`, passed when many dossiers are decided.
    """
    procedure, now = pinned(ctx, unit, dossier), ctx.now()
    people = people_of(ctx, unit) if people is None else people
    moment = Moment(procedure, actor, now, ctx.directory, ctx.wording)
    known = offers_of(moment, dossier, people)
    offer = next((one for one in known if one.transition.id == act.transition), None)
    if offer is not None and offer.open:  # a closed action gives its reason before typed answers are checked
        _check_filling(ctx, procedure, dossier, offer, act)
        check_comparison(ctx, procedure, dossier, actor, confirms_of(procedure, offer.transition), act.compared)
        pending = {one.id for one in pending_files(dossier, actor.id, act.transition)}
        if not pending.issuperset(act.attachments):
            raise Refused(refusal("attachment_missing"))
    return take_offered(moment, dossier, act, known)


def _check_filling(ctx: AppContext, procedure: Procedure, dossier: Dossier, offer: AvailableAction, act: Act) -> None:
    form = offer.transition.fills
    if form is None:
        return
    found = forms.check_filling(procedure, form, dossier, act.filling, ctx.day(), ctx.directory)
    if any(not one.warns for one in found):
        raise WrongAnswers(found)


def read_filling(
    ctx: AppContext, actor: Actor, dossier_id: str, transition: str, raw: Mapping[str, Sequence[str]] | None = None
) -> Filling:
    """Return the later form that an action fills, as stored or as a post would fill it.

    Nothing is saved. Raises `NotFound` when the action fills none.
    """
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        procedure = pinned(ctx, unit, dossier)
    leaving = procedure.leaving.get(dossier.state, ())
    form = next((one.fills for one in leaving if one.id == transition and one.fills), None)
    if form is None:
        raise NotFound
    day, directory, words = ctx.day(), ctx.directory, ctx.wording
    task = procedure.tasks[form]
    dossier = with_pending(task, None, dossier, actor.id) if isinstance(task, Form) else dossier
    if raw is None:
        return Filling({}, (), forms.view_filling(procedure, form, dossier, day, directory, words, reader=actor))
    read = forms.read_filling(procedure, form, dossier, raw, day, directory)
    found = forms.check_filling(procedure, form, dossier, read.answers, day, directory)
    view = forms.view_filling(procedure, form, dossier, day, directory, words, found, read.answers, actor)
    return Filling(read.answers, found, view)


def people_of(ctx: AppContext, unit: Unit) -> Mapping[str, Actor]:
    """Return the agents by id, those with a closed account without roles, valid while the unit is open."""
    return Colleagues(ctx, unit)


# -- assignment --------------------------------------------------------------------------------------------------------


def assign(
    ctx: AppContext, actor: Actor, dossier_id: str, to: str | None, *, revision: int | None = None,
    token: str | None = None,
) -> Dossier:  # fmt: skip
    """Assign a dossier to an agent who may act on it now, or to none.

    Raises `NotFound`, `Conflict`. Raises Refused: role, closed; four_eyes or assisted where another person must act.
    """

    def work(unit: Unit) -> Dossier:
        return _assigned(ctx, unit, seen(unit, ctx, actor, dossier_id, revision), actor, to)

    return once(ctx, actor, "assign", token, (dossier_id, to, revision), work, DOSSIER)


def assign_first(ctx: AppContext, actor: Actor, dossier_ids: Sequence[str], *, token: str | None = None) -> Dossier:
    """Assign the first of these dossiers that no agent has and that this one may act on. The same token gives the same one.

    Raises `NotFound` if there is none.
    """

    def work(unit: Unit) -> Dossier:
        hold_all(unit, dossier_ids)
        for one in dossier_ids:
            with suppress(NotFound, Refused):
                dossier = seen(unit, ctx, actor, one)
                if dossier.assigned is None:  # another agent was faster
                    return _assigned(ctx, unit, dossier, actor, actor.id)
        raise NotFound

    return once(ctx, actor, "assign_first", token, (), work, DOSSIER)


def _assigned(ctx: AppContext, unit: Unit, dossier: Dossier, actor: Actor, to: str | None) -> Dossier:
    procedure = pinned(ctx, unit, dossier)
    if dossier.closed_at is not None or dossier.is_draft:
        raise Refused(refusal("closed"))
    known = people_of(ctx, unit)
    for person in (actor, known.get(to, actor if to == actor.id else None) if to else actor):
        if person is None or person.kind != "agent" or not _may_handle(procedure, dossier, person):
            raise Refused(refusal("role"))
        barred = barred_from_state(procedure, dossier, dossier.state, person.id, person.roles)
        if person.id == to and barred is not None:
            raise Refused(barred)
    body = {"revision": dossier.revision + 1, "to": to}
    return keep(ctx, unit, dossier, replace(dossier, assigned=to), [EntryDraft("assigned", body)], actor)


def _may_handle(procedure: Procedure, dossier: Dossier, agent: Actor) -> bool:
    return acting_role(procedure, dossier, agent, sorted(awaited_roles(procedure, dossier.state))) is not None


# -- queues ------------------------------------------------------------------------------------------------------------


def list_inbox(
    ctx: AppContext, actor: Actor, queue: str, *, procedure: str | None = None, state: str | None = None,
    office_id: str | None = None, text: str = "", after: str | None = None, limit: int = 50, order: str = "due",
    reverse: bool = False, label: str = "",
) -> ResultPage:  # fmt: skip
    """Return one page of a queue (`QUEUES`), by due date or another of `ORDERS`, `reverse` with the last first.

    Filters only narrow what the person may see. The labels of their own dossiers are not theirs to know.
    """
    asked = inbox_query(ctx, actor, queue, procedure, state, office_id, text, label)
    if asked is None:
        return ResultPage(())
    with ctx.store.unit() as unit:
        return _page_seen(unit, actor, replace(asked, order=order, reverse=reverse), after, limit)


def _page_seen(unit: Unit, actor: Actor, asked: DossierQuery, after: str | None, limit: int) -> ResultPage:
    """Return a page of a list; of a label, without their own dossiers, and filled up from those that follow."""
    found = unit.find_dossiers(asked, after, limit)
    own = own_among(unit, actor, [line.id for line in found.lines]) if asked.label else ()
    if not own:
        return found
    lines = tuple(line for line in found.lines if line.id not in own)
    more = _page_seen(unit, actor, asked, found.after, limit - len(lines)) if found.after else ResultPage(())
    return ResultPage((*lines, *more.lines), more.after)


def neighbours(
    ctx: AppContext, actor: Actor, dossier_id: str, asked: DossierQuery, position: str = ""
) -> ListNeighbours:  # fmt: skip
    """Return what is before and after a dossier in a list (`inbox_query`), from the `position` that it had, if any.

    Raises `NotFound`.
    """
    with ctx.store.unit() as unit:
        found = unit.neighbours(asked, seen(unit, ctx, actor, dossier_id), position)
        before = _past_own(unit, actor, asked, found.before, lambda one: one.before)
        return replace(found, before=before, after=_past_own(unit, actor, asked, found.after, lambda one: one.after))


def _past_own(
    unit: Unit, actor: Actor, asked: DossierQuery, number: str | None, way: Callable[[ListNeighbours], str | None]
) -> str | None:
    """Return the number, or the next one on the way that is not of a dossier of the agent: a label would show there."""
    dossier = unit.dossier_numbered(number) if number and asked.label and actor.contacts else None
    if dossier is None or not is_own(dossier, actor):
        return number
    return _past_own(unit, actor, asked, way(unit.neighbours(asked, dossier)), way)


def inbox_counts(ctx: AppContext, actor: Actor) -> Mapping[str, int]:
    """Return how many dossiers each queue holds (at most 1000 are counted)."""
    asked = {queue: inbox_query(ctx, actor, queue, None, None, None, "") for queue in QUEUES}
    return dict(zip(asked, count_lists(ctx, actor, asked.values()), strict=True))


def count_lists(ctx: AppContext, actor: Actor, queries: Iterable[DossierQuery | None]) -> list[int]:
    """Return how many dossiers each list shows this person (at most 1000 are counted), 0 for None."""
    with ctx.store.unit() as unit:
        return [count_list(unit, actor, asked) if asked else 0 for asked in queries]


def count_list(unit: Unit, actor: Actor, asked: DossierQuery, most: int = 1000) -> int:
    """Return how many dossiers a list shows this person, counting at most `most`."""
    if not asked.label or not actor.contacts:
        return unit.count_dossiers(asked, most)
    ids = [line.id for line in unit.find_dossiers(asked, limit=most).lines]
    return len(ids) - len(own_among(unit, actor, ids))


def inbox_query(
    ctx: AppContext,
    actor: Actor,
    queue: str,
    procedure: str | None,
    state: str | None,
    office_id: str | None,
    text: str,
    label: str = "",
) -> DossierQuery | None:
    """Return the query of a queue; None when it must be empty for this person."""
    chosen = _PLACES.get(queue)
    if chosen is None or actor.kind not in ("agent", "auditor"):
        return None
    if procedure is None:
        name = (queue, actor.kind, actor.roles, actor.procedures)
        places = ctx.editions.worked_out(ctx.catalogue, name, lambda _: _places(_procedures(ctx, actor), chosen, actor))
    else:
        places = _places(ctx.editions.summaries(ctx.catalogue, procedure), chosen, actor)
    if state is not None:
        places = tuple(place for place in places if place[1] == state)
    offices = actor.offices or None
    if office_id is not None:
        offices = frozenset({office_id}) if offices is None or office_id in offices else frozenset()
    if not places or offices == frozenset():
        return None
    return DossierQuery(
        places, offices, assigned=actor.id if queue == "mine" else None, unassigned=queue == "to_take",
        roles=tuple(sorted(actor.roles)), parts_done=queue == "waiting",
        late_at=ctx.now() if queue == "late" else None, text=text, phone=_phone(actor, text), open_only=queue not in ("done", "all", "followed"),
        barred=_barred(ctx, actor, {place[0] for place in places}), follower=actor.id if queue == "followed" else None, label=label,
    )  # fmt: skip


def _phone(actor: Actor, text: str) -> str:
    """Return the number that an agent looks for, in E.164. Empty if the text is none."""
    if actor.kind != "agent" or len(digits_only(text)) < _PHONE_DIGITS or any(sign.isalpha() for sign in text):
        return ""
    with suppress(Refused):
        return read_phone(text)
    return ""


def _barred(ctx: AppContext, actor: Actor, procedures: Collection[str]) -> tuple[tuple[str, int], ...]:
    """Return the editions of these procedures in which no role of the agent has a part: they see no such dossier.

    A number has one meaning within a procedure (R805), so it identifies an edition.
    """
    if actor.kind == "auditor":
        return ()

    def work(catalogue: Catalogue) -> tuple[tuple[str, int], ...]:
        mine = {(one.id, one.edition) for one in ctx.editions.having(catalogue, actor.roles)}
        every = (one for name in sorted({name for name, _ in mine}) for one in ctx.editions.summaries(catalogue, name))
        return tuple(dict.fromkeys((one.id, one.edition) for one in every if (one.id, one.edition) not in mine))

    barred = ctx.editions.worked_out(ctx.catalogue, ("barred", actor.roles), work)
    return tuple(one for one in barred if one[0] in procedures)


def _procedures(ctx: AppContext, actor: Actor) -> Iterator[EditionSummary]:
    """Return the editions that a person handles: for an auditor, all of them."""
    if actor.kind == "auditor":
        return ctx.editions.summaries(ctx.catalogue)
    return ctx.editions.having(ctx.catalogue, actor.roles)


def _places(procedures: Iterable[EditionSummary], chosen: _Chosen, actor: Actor) -> tuple[tuple[str, str], ...]:
    auditor = actor.kind == "auditor"
    mine = (
        procedure
        for procedure in procedures
        if (in_mandate(actor, procedure.id) if auditor else holds(actor, procedure.roles))
    )
    return tuple(
        dict.fromkeys((procedure.id, state.id) for procedure in mine for state in procedure.states if chosen(state, actor))
    )  # fmt: skip


def _acting(state: StateSummary, actor: Actor) -> bool:
    """Return whether a role of the person has something to do in the state."""
    return not state.ends and holds(actor, state.roles)


def _waiting(state: StateSummary, actor: Actor) -> bool:
    """Return whether the state waits for others: the applicant, money, a register, another service.

    With several parts, a dossier waits as soon as the person has done theirs.
    """
    return not state.ends and (state.many or not _acting(state, actor))


def _to_begin(state: StateSummary, actor: Actor) -> bool:
    """Return whether the state is work to begin.

    Dossiers that are ready stay at the counter for the applicant.
    """
    return _acting(state, actor) and not state.ready


_Chosen: TypeAlias = Callable[[StateSummary, Actor], bool]
_PLACES: Final[Mapping[str, _Chosen]] = {
    "to_take": _to_begin, "ready": lambda state, actor: _acting(state, actor) and state.ready, "mine": _acting, "late": _acting, "waiting": _waiting,
    "all": lambda state, actor: True, "followed": lambda state, actor: True, "done": lambda state, actor: state.ends,
}  # fmt: skip
