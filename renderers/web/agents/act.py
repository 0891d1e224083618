"""Acts of agents: what an act asks, a preview of its effects, then the act.

If another agent changed the dossier first, what was typed is shown again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from flask import Blueprint, Response, request, session

from engine.core.problems import Refusal, Refused
from engine.core.values import Plain
from engine.domain.common.decision import Act, AvailableAction
from engine.domain.fields.views import AnswerProblem, PageView
from engine.domain.forms import pages as forms
from engine.domain.forms.agent_files import pending_files, with_pending
from engine.domain.workflow.available_actions import grounds_of
from engine.model import Form, Procedure, State, Transition
from engine.records.dossier import Attachment
from engine.services.applications.agent_files import OF_AN_ACT
from engine.services.applications.casework import offers, preview_transition, read_filling, take_transition
from engine.services.context.app_context import NotFound, WrongAnswers
from engine.storage.results import Conflict
from renderers.html.controls import asked_views, error_summary, has_files, problem_sentence
from renderers.web.agents.act_preview import preview_context
from renderers.web.agents.answers import answer_lines, paper, written_lines
from renderers.web.agents.attachments import asks_to_edit, receive_files
from renderers.web.agents.comparison import (
    MARK,
    compared_of,
    differing,
    drawn_comparison,
    first_file,
    written_in_comparison,
)
from renderers.web.agents.dossier import dossier_page
from renderers.web.agents.history import last_event
from renderers.web.citizen.form import page_with
from renderers.web.citizen.later_forms import SEEN, put_already
from renderers.web.platform.access import agent
from renderers.web.platform.dossier_context import drawing, label
from renderers.web.platform.errors import sentence
from renderers.web.platform.request_context import actor, app_ctx, form_revision, form_token, go, say, site
from renderers.web.platform.saved_posts import taken_aside
from renderers.web.shared.agent_dossier import AgentCase, act_label, agent_case, correctable_of, refusal_text, why
from renderers.web.shared.snippets import asked_to_insert, inserted, offered
from renderers.web.shared.staff import staff_page
from renderers.web.shared.statuses import READS_REASON

blueprint = Blueprint("agent_act", __name__)

REASON = "act-reason"
FIELD = "act-field"
WHY = "act-why-"
GROUND = "act-ground"
FILE = "act-file"
_OURS = frozenset(
    {"csrf_token", "token", "revision", "go", "send", "detach", "end", "modele", "inserer", "act-show", "act-shown"}
    | {REASON, FIELD, SEEN, GROUND}
)
LONGEST = 2000  # characters of a reason
_PLACES = {
    "reason_missing": REASON, "attachment_missing": FILE, "grounds_missing": GROUND, "unknown_ground": GROUND,
    "difference_matters": "compare",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Typed:
    """What the agent typed for an act.

    `raw` holds the posted answers of the later form that it fills, and of the comparison with pieces.
    """

    reason: str = ""
    whys: Mapping[str, str] = field(default_factory=dict)  # field to correct → what is wrong with it
    files: tuple[str, ...] = ()  # ids of files shown on the page before
    raw: Mapping[str, list[str]] = field(default_factory=dict)
    grounds: tuple[str, ...] = ()

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Typed:
        """Return the input from pairs of field names and values. Long texts are cut."""
        reason, chosen, files, grounds, whys, raw = "", [], [], [], {}, {}
        for name, value in pairs:
            if name == REASON:
                reason = value[:LONGEST]
            elif name == FIELD:
                chosen.append(value[:100])
            elif name == FILE:
                files.append(value[:100])
            elif name == GROUND:
                grounds.append(value[:100])
            elif name.startswith(WHY):
                whys[name.removeprefix(WHY)] = value[:LONGEST]
            elif name not in _OURS:
                raw.setdefault(name, []).append(value)
        chosen_whys = {name: whys.get(name, "") for name in dict.fromkeys(chosen)}
        return cls(reason, chosen_whys, tuple(files), raw, tuple(dict.fromkeys(grounds)))

    @classmethod
    def posted(cls) -> Typed:
        """Return the input of the post."""
        return cls.of((name, value) for name, values in request.form.lists() for value in values)

    def carried(self) -> Iterator[tuple[str, str]]:
        """Yield the input as hidden fields of the next page."""
        if self.reason:
            yield REASON, self.reason
        for name, said in self.whys.items():
            yield FIELD, name
            yield f"{WHY}{name}", said
        for file in self.files:
            yield FILE, file
        for ground in self.grounds:
            yield GROUND, ground
        for name, values in self.raw.items():
            for value in values:
                yield name, value


# -- what the act asks -------------------------------------------------------------------------------------------------


@blueprint.get("/agent/dossiers/<number>/acte")
@agent()
def choose(number: str) -> Response:
    """Redirect an address of the releases before to its act, else to the dossier."""
    one, chosen = agent_case(number), request.args.get("acte", "")
    return go(one.at(f"/acte/{chosen}" if _exists(one, chosen) else ""))


@blueprint.get("/agent/dossiers/<number>/acte/<transition>")
@agent()
def ask(number: str, transition: str) -> Response:
    """Show what the act asks. An act that asks nothing is previewed at once.

    An impossible act shows why (409). Raises `NotFound` for an unknown one.
    """
    one = agent_case(number)
    offer = _known(one, transition)
    if offer is None and _exists(one, transition):  # another agent moved the dossier after the page was drawn
        return _stale(one, transition, Typed())
    if offer is None:
        raise NotFound
    if not offer.open:
        return _closed(one, offer, Typed())
    kept = taken_aside()
    if kept is not None and kept[0] == request.path:
        session.pop("aside", None)
        return _form(one, offer, Typed.of(kept[1]))
    if not _asks(one, offer.transition):
        return _previewed(one, offer, Typed())
    allowed = correctable_of(one, offer.transition)
    chosen = [name for name in request.args.getlist("champ") if name in allowed]
    return _form(one, offer, Typed(whys=dict.fromkeys(chosen, "")))


@blueprint.post("/agent/dossiers/<number>/acte/<transition>")
@agent()
def post(number: str, transition: str) -> Response:
    """Preview the act, edit it or confirm it, as `go` says. A confirmed act redirects to the dossier."""
    one, typed, seen = agent_case(number), Typed.posted(), form_revision()
    if request.form.get("go") == "confirm":
        return _confirm(one, transition, typed)
    offer = _known(one, transition)
    if offer is None or (seen is not None and seen != one.dossier.revision):
        return _stale(one, transition, typed)
    if not offer.open:
        return _closed(one, offer, typed)
    if asked_to_insert():
        return _form(one, offer, replace(typed, reason=inserted(one, typed.reason)[:LONGEST]))
    received = receive_files(one, lambda question: _place(offer.transition, question))
    one = agent_case(number)
    if received.touched or asks_to_edit(typed.raw):
        return _form(one, offer, typed, problems=received.problems)
    return _previewed(one, offer, replace(typed, files=tuple(file.id for file in _joined(one, offer.transition))))


def _place(transition: Transition, question: str) -> str:
    """Return where a file is stored: with the act, or at a question of the form it fills."""
    return transition.id if question == FILE else f"{transition.fills or transition.id}.{question}"


def _joined(one: AgentCase, transition: Transition) -> tuple[Attachment, ...]:
    """Return the files that go with the act."""
    return pending_files(one.dossier, actor().id, transition.id) if "attachment" in transition.asks else ()


def _known(one: AgentCase, transition: str) -> AvailableAction | None:
    """Return the act as it is now, None if the present state has no such act."""
    return next((offer for offer in offers(app_ctx(), actor(), one.id) if offer.transition.id == transition), None)


def _offer(one: AgentCase, transition: str) -> AvailableAction:
    offer = _known(one, transition)
    if offer is None:
        raise NotFound
    return offer


def _exists(one: AgentCase, transition: str) -> bool:
    """Return whether any state of the procedure has such an act."""
    return any(each.id == transition and each.event is None for each in one.procedure.transitions)


def _asks(one: AgentCase, transition: Transition) -> bool:
    return bool(transition.asks or transition.fills or compared_of(one, transition.id, None).pieces)


def _form(
    one: AgentCase, offer: AvailableAction, typed: Typed, errors: Iterable[tuple[str, str]] = (), judged: bool = False,
    problems: tuple[AnswerProblem, ...] = (),
) -> Response:  # fmt: skip
    transition, draw = offer.transition, drawing(one)
    pages, brought = _pages(one, transition, typed, judged, problems)
    comparison = drawn_comparison(one, transition.id, typed.raw, judged)
    own = [problem_sentence(problem, draw) for problem in problems if problem.at == transition.id]
    errors = [
        *errors,
        *comparison.errors,
        *((f"#{FILE}", said) for said in own),
        *(fault for page in pages for fault in error_summary(page, draw)),
    ]
    corrects = "correction" in transition.asks
    rounds = sum(1 for taken in one.dossier.taken if taken.transition == transition.id) if corrects else 0
    return dossier_page(
        one, "agent/act.html", 422 if errors else 200, inside=one.at(f"/acte/{transition.id}"), first_piece=first_file(comparison),
        ticks=correctable_of(one, transition) if corrects else (), whys=typed.whys, unsaid=[at.removeprefix("#w-") for at, _ in errors if at.startswith("#w-")],
        act=label(transition.agents_label), asks=transition.asks,
        reason=typed.reason, questions=[site().pages.questions(page, draw) for page in pages], errors=errors,
        multipart="attachment" in transition.asks or any(has_files(page) for page in pages),
        reason_error=_error_at(errors, REASON), follow_up=brought,
        seen=[found.path for page in pages for found in asked_views(page) if found.shown], file_error=_error_at(errors, FILE),
        comparison=comparison.pieces, mark=(MARK, comparison.mark), grounds=_grounds(one, transition, typed), grounds_error=_error_at(errors, GROUND),
        files=[paper(one, file) for file in _joined(one, transition)], most=OF_AN_ACT.max_items, rounds=rounds,
        snippets=offered() if transition.asks & {"reason", "correction"} else [],
    )  # fmt: skip


def _grounds(one: AgentCase, transition: Transition, typed: Typed) -> list[tuple[str, str, bool]]:
    """Return the laws to choose among: id, title and whether it is chosen."""
    laws = (one.procedure.laws[name] for name in grounds_of(one.procedure, transition))
    return [(law.id, label(law.title), law.id in typed.grounds) for law in laws]


def _error_at(errors: Iterable[tuple[str, str]], control: str) -> str:
    return next((said for at, said in errors if at == f"#{control}"), "")


def _pages(
    one: AgentCase, transition: Transition, typed: Typed, judged: bool, problems: tuple[AnswerProblem, ...]
) -> tuple[list[PageView], int]:
    """Return the later form that the act fills, and the number of questions that its answers added.

    Problems are shown only if `judged`.
    """
    if transition.fills is None:
        return [], 0
    filling = read_filling(app_ctx(), actor(), one.id, transition.id, typed.raw or None)
    found = filling.problems if judged else ()
    wrong = [problem for problem in found if not problem.warns]
    put = put_already(wrong)
    reported = (*problems, *put, *(problem for problem in found if problem.warns))
    pages = [page_with(page, [problem for problem in reported if _is_on(page, problem)]) for page in filling.view.pages]
    return pages, len(wrong) - len(put)


def _is_on(page: PageView, problem: AnswerProblem) -> bool:
    return problem.at.split(".")[0].removesuffix("_issued") in {view.id for view in page.fields}


# -- preview -----------------------------------------------------------------------------------------------------------


def _previewed(one: AgentCase, offer: AvailableAction, typed: Typed) -> Response:
    transition = offer.transition
    try:
        preview = preview_transition(app_ctx(), actor(), one.id, _act(one, transition, typed))
    except WrongAnswers:
        return _form(one, offer, typed, judged=True)
    except Refused as closed:
        return _form(one, offer, typed, [_refused_at(one, typed, closed.reason)])
    action = one.at(f"/acte/{transition.id}")
    return dossier_page(
        one, "agent/preview.html", inside=action, first_piece=first_file(drawn_comparison(one, transition.id, typed.raw, False)),
        title=say("act.preview_title", act=label(transition.agents_label)), thing="",
        carried=list(typed.carried()), editable=_asks(one, transition), confirm=label(transition.confirm),
        tracking_lines=_reported(one, typed, one.procedure.state(preview.decision.dossier.state)),
        given=[line for page in _pages(one, transition, typed, False, ())[0] for line in answer_lines(one, page)]
        + [(say("join.file"), file.name) for file in _joined(one, transition) if file.id in typed.files]
        + [(say("compare.grounds"), title) for _, title, chosen in _grounds(one, transition, typed) if chosen]
        + differing(one, preview.decision.dossier),
        button=say("act.confirm", state=label(one.procedure.state(preview.decision.dossier.state).label)),
        revision=one.dossier.revision, **preview_context(one, preview),
    )  # fmt: skip


def _act(one: AgentCase, transition: Transition, typed: Typed) -> Act:
    """Return the act. The same input makes the same act, so that a double post is one act."""
    filling: Mapping[str, Plain] = {}
    if transition.fills is not None:
        task = one.procedure.tasks[transition.fills]
        dossier = with_pending(task, None, one.dossier, actor().id) if isinstance(task, Form) else one.dossier
        read = forms.read_filling(
            one.procedure, transition.fills, dossier, typed.raw, app_ctx().day(), app_ctx().directory
        )
        filling = read.answers
    correction = typed.whys if "correction" in transition.asks else {}
    reason = typed.reason.strip() if "reason" in transition.asks or "correction" in transition.asks else ""
    files = typed.files if "attachment" in transition.asks else ()
    grounds = typed.grounds if "grounds" in transition.asks else ()
    corrected = {name: said.strip() for name, said in correction.items()}
    compared = compared_of(one, transition.id, typed.raw).comparison
    return Act(transition.id, reason or None, corrected, filling, files, compared, grounds)


def _refused_at(one: AgentCase, typed: Typed, reason: Refusal) -> tuple[str, str]:
    """Return the field at fault and the reason."""
    if reason.code == "correction_empty":
        return "#reponses", say("act.none_chosen")
    unsaid = next((name for name, said in typed.whys.items() if not said.strip()), None)
    if reason.code == "reason_missing" and unsaid is not None:
        return f"#w-{unsaid}", say("act.reason_for_missing", label=_asked(one, unsaid))
    return f"#{_PLACES[reason.code]}" if reason.code in _PLACES else "#c", sentence(reason)


def _reported(one: AgentCase, typed: Typed, after: State) -> list[str]:
    """Return what the applicant will read: the reason, where their page shows one, and each point to correct."""
    reason = typed.reason.strip() if after.awaits_act or after.public in READS_REASON else ""
    lines = [say("case.reason", reason=reason)] if reason else []
    points = ((label(one.procedure.fields[name].label), said.strip()) for name, said in typed.whys.items())
    return [
        *lines,
        *(say("text.named", name=name, text=say("text.quoted", text=said)) if said else name for name, said in points),
    ]


# -- confirmation ------------------------------------------------------------------------------------------------------


def _confirm(one: AgentCase, transition_id: str, typed: Typed) -> Response:
    """Take the act and redirect to the dossier. A double post gets the same answer."""
    transition = next(
        (each for each in one.procedure.transitions if each.id == transition_id and each.event is None), None
    )
    if transition is None:
        raise NotFound
    try:
        act = _act(one, transition, typed)
        after = take_transition(app_ctx(), actor(), one.id, act, revision=form_revision(), token=form_token())
    except Conflict:
        return _stale(agent_case(one.dossier.number), transition_id, typed)
    except WrongAnswers:
        return _form(one, _offer(one, transition_id), typed, judged=True)
    except Refused as closed:
        return _stale(agent_case(one.dossier.number), transition_id, typed, closed.reason)
    session["desk_note"] = say("case.done", act=label(transition.agents_label))
    session["desk_next"] = say("case.done_state", state=label(one.procedure.state(after.state).label))
    return go(one.at())


# -- conflicts ---------------------------------------------------------------------------------------------------------


def _closed(one: AgentCase, offer: AvailableAction, typed: Typed) -> Response:
    """Show why the act is impossible, with the input if there is any."""
    closed = why(one, offer)
    said = say("stale.closed", why=closed) if request.method == "POST" else closed
    return _stale_page(one, offer.transition.id, typed, said, False)


def _stale(one: AgentCase, transition: str, typed: Typed, reason: Refusal | None = None) -> Response:
    """Show what changed in the dossier meanwhile, with the agent's input (409)."""
    offer = _known(one, transition)
    closed = say("stale.closed", why=refusal_text(one.procedure, reason)) if reason else ""
    if not closed and offer is not None and not offer.open:
        closed = say("stale.closed", why=why(one, offer))
    return _stale_page(one, transition, typed, closed, offer is not None and offer.open)


def _stale_page(one: AgentCase, transition: str, typed: Typed, closed: str, still_open: bool) -> Response:
    procedure = one.procedure
    written = [(say("act.reason"), typed.reason)] if typed.reason else []
    written += [(_asked(one, name), said or "–") for name, said in typed.whys.items()]
    written += [(say("compare.grounds"), title) for title in _titles(procedure, typed.grounds)]
    offered = next((each for each in procedure.transitions if each.id == transition and each.event is None), None)
    task = procedure.tasks.get(offered.fills or "") if offered is not None else None
    written += written_lines(one, task.fields if isinstance(task, Form) else (), typed.raw)
    written += written_in_comparison(one, typed.raw)
    return staff_page(
        "agent/stale.html", 409, dossier=one.dossier, base=one.at(), sent=request.method == "POST",
        happened=last_event(one), act=act_label(procedure, transition), closed=closed, written=written,
        carried=list(typed.carried()), resume=still_open, action=one.at(f"/acte/{transition}"),
        revision=one.dossier.revision,
    )  # fmt: skip


def _titles(procedure: Procedure, laws: Iterable[str]) -> list[str]:
    return [label(procedure.laws[name].title) for name in laws if name in procedure.laws]


def _asked(one: AgentCase, name: str) -> str:
    question = one.procedure.fields.get(name)
    return label(question.agents_label) if question else name
