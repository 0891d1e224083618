"""What agents do: their trays, the acts open to them and why the others are closed, taking one, handing over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from engine.core.problems import Refused, refusal
from engine.core.values import Plain
from engine.domain.common.access import acting_role, holds, in_mandate
from engine.domain.common.decision import Act, AvailableAction, Decision, EntryDraft
from engine.domain.fields.views import AnswerProblem, FormView
from engine.domain.forms import pages as forms
from engine.domain.forms.agent_files import pending_files, with_pending
from engine.domain.workflow.actions import open_transitions, take_offered
from engine.domain.workflow.available_actions import offers_of
from engine.domain.workflow.transition_context import Moment
from engine.model import Form, Procedure
from engine.model.roles import awaited_roles
from engine.model.summary import EditionSummary, StateSummary
from engine.records.dossier import Actor, Dossier, IssuedDocument, OutboundMessage
from engine.services.context.app_context import AppContext, NotFound, WrongAnswers, pinned, seen
from engine.services.core.commit import carry_out, keep, letters_owed, succession
from engine.services.core.fee_accounts import given_back
from engine.services.core.idempotency import DOSSIER, once
from engine.services.core.outbound_messages import letters_of
from engine.storage.unit_of_work import DossierQuery, ResultPage, Unit


class Colleagues(Mapping[str, Actor]):
    """Agents whose account is open, as they act today. Answers while its unit is open, and asks about each once."""

    def __init__(self, ctx: AppContext, unit: Unit) -> None:
        self._office, self._unit = ctx, unit
        self._known: dict[str, Actor | None] = {}

    def __getitem__(self, account_id: str) -> Actor:
        if account_id not in self._known:
            account = self._unit.account(account_id)
            is_one = account is not None and account.kind == "agent" and not account.disabled
            self._known[account_id] = self._office.person(account) if account is not None and is_one else None
        found = self._known[account_id]
        if found is None:
            raise KeyError(account_id)
        return found

    def __iter__(self) -> Iterator[str]:
        return (account.id for account in self._unit.accounts("agent") if not account.disabled)

    def __len__(self) -> int:
        return sum(1 for _ in self)


__all__ = [
    "ActPreview",
    "Filling",
    "assign",
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
    """A later form being filled: its answers for `Act.filling`, what is wrong with them, how to draw it."""

    answers: Mapping[str, Plain]
    problems: tuple[AnswerProblem, ...]
    view: FormView


QUEUES: Final = ("to_take", "ready", "mine", "waiting", "late", "all", "done")


@dataclass(frozen=True, slots=True)
class ActPreview:
    """What an act would do, nothing kept: the decision, the messages, the documents (output ids), those whose worth would
    change, of this dossier and of the ones it is linked to, and the francs given back (fee, percent, francs)."""

    decision: Decision
    letters: tuple[OutboundMessage, ...]
    outputs: tuple[str, ...]
    changed: tuple[IssuedDocument, ...]
    back: tuple[tuple[str, int, int], ...] = ()


# -- acts --------------------------------------------------------------------------------------------------------------


def offers(ctx: AppContext, actor: Actor, dossier_id: str) -> tuple[AvailableAction, ...]:
    """Every act of the dossier's state: open to this person, or closed and why."""
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        procedure = pinned(ctx, unit, dossier)
        people = people_of(ctx, unit)
        return open_transitions(procedure, dossier, actor, ctx.now(), ctx.directory, ctx.wording, people)


def take_transition(
    ctx: AppContext,
    actor: Actor,
    dossier_id: str,
    act: Act,
    *,
    revision: int | None = None,
    token: str | None = None,
) -> Dossier:
    """Takes an act and everything it owes in one unit. Raises Refused (closed, or something is missing), WrongAnswers (the
    form it fills), Conflict (the dossier changed since it was seen)."""

    def work(unit: Unit) -> Dossier:
        dossier = seen(unit, ctx, actor, dossier_id, revision)
        decision = decide_in(ctx, unit, dossier, act, actor)
        return carry_out(ctx, unit, dossier, decision, actor)

    return once(ctx, actor, "take_transition", token, (dossier_id, act, revision), work, DOSSIER)


def preview_transition(ctx: AppContext, actor: Actor, dossier_id: str, act: Act) -> ActPreview:
    """What taking an act would do and say. Raises as `take_transition` does; keeps nothing."""
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        procedure = pinned(ctx, unit, dossier)
        decision = decide_in(ctx, unit, dossier, act, actor)
        return foreseen(ctx, unit, procedure, dossier, decision, actor)


def foreseen(
    ctx: AppContext, unit: Unit, procedure: Procedure, before: Dossier, decision: Decision, actor: Actor
) -> ActPreview:  # fmt: skip
    """What carrying a decision out would come to."""
    now, after = ctx.now(), decision.dossier
    outputs = tuple(order.output for order in decision.issue)
    own = (after.document(document_id) for document_id, _ in decision.documents)
    ended = (one for _, those in succession(ctx, unit, procedure, before, after, outputs, now) for one in those)
    letters = letters_owed(ctx, procedure, before, decision, actor, now)
    back = given_back(unit.entries(before.id) if decision.returns else (), decision)
    return ActPreview(decision, letters, outputs, (*(one for one in own if one is not None), *ended), back)


def decide_in(
    ctx: AppContext, unit: Unit, dossier: Dossier, act: Act, actor: Actor, people: Mapping[str, Actor] | None = None
) -> Decision:
    """What taking an act decides, judged in the caller's unit. `people` as `people_of` has them, when many are decided."""
    procedure, now = pinned(ctx, unit, dossier), ctx.now()
    people = people_of(ctx, unit) if people is None else people
    moment = Moment(procedure, actor, now, ctx.directory, ctx.wording)
    known = offers_of(moment, dossier, people)
    offer = next((one for one in known if one.transition.id == act.transition), None)
    if offer is not None and offer.open:  # a closed act says why before anything typed is judged
        _check_filling(ctx, procedure, dossier, offer, act)
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
    """The later form that an act fills: as it stands, or as a post would fill it. Nothing is kept. Raises `NotFound` when
    the act fills none."""
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        procedure = pinned(ctx, unit, dossier)
    ways = procedure.leaving.get(dossier.state, ())
    form = next((way.fills for way in ways if way.id == transition and way.fills), None)
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
    """Agents who still hold their roles, by account id, as long as the unit is open."""
    return Colleagues(ctx, unit)


# -- hands -------------------------------------------------------------------------------------------------------------


def assign(
    ctx: AppContext, actor: Actor, dossier_id: str, to: str | None, *, revision: int | None = None,
    token: str | None = None,
) -> Dossier:  # fmt: skip
    """Gives a dossier to an agent who may act on it now, or to nobody. Raises Refused: role, closed."""

    def work(unit: Unit) -> Dossier:
        dossier = seen(unit, ctx, actor, dossier_id, revision)
        procedure = pinned(ctx, unit, dossier)
        if dossier.closed_at is not None or dossier.is_draft:
            raise Refused(refusal("closed"))
        known = people_of(ctx, unit)
        for person in (actor, known.get(to, actor if to == actor.id else None) if to else actor):
            if person is None or person.kind != "agent" or not _may_handle(procedure, dossier, person):
                raise Refused(refusal("role"))
        body = {"revision": dossier.revision + 1, "to": to}
        return keep(ctx, unit, dossier, replace(dossier, assigned=to), [EntryDraft("assigned", body)], actor)

    return once(ctx, actor, "assign", token, (dossier_id, to, revision), work, DOSSIER)


def _may_handle(procedure: Procedure, dossier: Dossier, agent: Actor) -> bool:
    return acting_role(procedure, dossier, agent, sorted(awaited_roles(procedure, dossier.state))) is not None


# -- trays -------------------------------------------------------------------------------------------------------------


def list_inbox(
    ctx: AppContext, actor: Actor, queue: str, *, procedure: str | None = None, state: str | None = None,
    office_id: str | None = None, text: str = "", after: str | None = None, limit: int = 50,
) -> ResultPage:  # fmt: skip
    """One page of a queue (`QUEUES`), by due date. Filters only narrow what the person may see."""
    asked = inbox_query(ctx, actor, queue, procedure, state, office_id, text)
    if asked is None:
        return ResultPage(())
    with ctx.store.unit() as unit:
        return unit.find_dossiers(asked, after, limit)


def inbox_counts(ctx: AppContext, actor: Actor) -> Mapping[str, int]:
    """How many dossiers stand in each queue (at most 1000 are counted)."""
    queries = {queue: inbox_query(ctx, actor, queue, None, None, None, "") for queue in QUEUES}
    with ctx.store.unit() as unit:
        return {queue: unit.count_dossiers(asked) if asked else 0 for queue, asked in queries.items()}


def inbox_query(
    ctx: AppContext,
    actor: Actor,
    queue: str,
    procedure: str | None,
    state: str | None,
    office_id: str | None,
    text: str,
) -> DossierQuery | None:
    """What a queue asks of the store; none when nothing can be in it for this person."""
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
        late_at=ctx.now() if queue == "late" else None, text=text, open_only=queue not in ("done", "all"),
    )  # fmt: skip


def _procedures(ctx: AppContext, actor: Actor) -> Iterator[EditionSummary]:
    """The editions that a person handles: all of them, for a controller."""
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
    """Has one of the person's roles something to do in it?"""
    return not state.ends and holds(actor, state.roles)


def _waiting(state: StateSummary, actor: Actor) -> bool:
    """Does it wait for somebody else: the applicant, money, a register, another service? Where several hands are
    waited for, a dossier is there as soon as the person has done their part."""
    return not state.ends and (state.many or not _acting(state, actor))


def _to_begin(state: StateSummary, actor: Actor) -> bool:
    """Is it work to begin? What is ready stays with whoever is at the counter the day the applicant comes."""
    return _acting(state, actor) and not state.ready


_Chosen: TypeAlias = Callable[[StateSummary, Actor], bool]
_PLACES: Final[Mapping[str, _Chosen]] = {
    "to_take": _to_begin, "ready": lambda state, actor: _acting(state, actor) and state.ready, "mine": _acting, "late": _acting, "waiting": _waiting,
    "all": lambda state, actor: True, "done": lambda state, actor: state.ends,
}  # fmt: skip
