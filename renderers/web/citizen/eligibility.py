"""Eligibility questions before a request, and where an applicant who is stopped can go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Response
from werkzeug.datastructures import MultiDict

from engine.core.clock import local_day
from engine.core.values import Plain
from engine.domain.fields.field_type import Speech
from engine.domain.fields.scope import evaluated_before
from engine.domain.fields.views import AnswerProblem
from engine.domain.forms.eligibility import next_criterion, read_criterion, stopped_by, view_criterion
from engine.model import Criterion, Procedure
from renderers.html.controls import Control, DrawingContext, field_control
from renderers.web.platform.dossier_context import label, writer
from renderers.web.platform.languages import is_switching
from renderers.web.platform.request_context import app_ctx, language, new_token, page, say, site


@dataclass(frozen=True, slots=True)
class Walk:
    """The state of the eligibility questions: the next one, or the one that `stops` the applicant.

    `given` holds the answers as values, `carried` as typed. `criterion` is None once all are answered.
    """

    criterion: Criterion | None
    stops: bool
    given: Mapping[str, Plain]
    carried: Mapping[str, str]
    problems: tuple[AnswerProblem, ...] = ()


def walk_criteria(procedure: Procedure, typed: MultiDict[str, str]) -> Walk:
    """Read the typed answers in the order of the questions, up to the first missing, wrong or stopping one."""
    day, directory = local_day(app_ctx().now()), app_ctx().directory
    given: dict[str, Plain] = {}
    carried: dict[str, str] = {}
    while (criterion := next_criterion(procedure, given, day, directory)) is not None:
        posted = _posted(criterion, typed)
        if not posted and criterion.id not in typed.getlist("etape"):
            return Walk(criterion, False, given, carried)
        answers, problems = read_criterion(procedure, criterion, posted, given, day, directory)
        if problems:
            return Walk(criterion, False, {**given, criterion.id: answers.get(criterion.id)}, carried, problems)
        if answers.get(criterion.id) == given.get(criterion.id):  # an optional question without answer
            return Walk(None, False, given, carried)
        given = answers
        carried |= {name: values[0] for name, values in posted.items()}
        stopped = stopped_by(procedure, given, day, directory)
        if stopped is not None:
            return Walk(stopped, True, given, carried)
    return Walk(None, False, given, carried)


def stopped_page(procedure: Procedure, walk: Walk, criterion: Criterion, base: str) -> Response:
    """Show why the applicant is not eligible and which procedure suits better."""
    earlier = {name: value for name, value in walk.carried.items() if name != criterion.id}
    sheet = writer(procedure)
    return page(
        "citizen/ineligible.html", procedure=label(procedure.identity.title), because=label(criterion.because),
        instead=_instead(criterion), offline=_offline(procedure, criterion), agency=sheet.agency(), offices=sheet.offices(), back=f"{base}?{urlencode(earlier)}",
    )  # fmt: skip


def question_page(
    procedure: Procedure, walk: Walk, typed: MultiDict[str, str], earlier: Sequence[Mapping[str, str]] = (), **more: object
) -> Response:  # fmt: skip
    """Show all questions that can be asked now, with what was typed and what is wrong. They are posted together."""
    controls = [_control(procedure, criterion, walk, typed) for criterion in _asked_now(procedure, walk)]
    errors = [(f"#{control.id}", control.error) for control in controls if control.error]
    return page(
        "citizen/eligibility.html", 422 if errors else 200, procedure=label(procedure.identity.title),
        minutes=writer(procedure).minutes(), controls=controls, earlier=earlier,
        carried=list(walk.carried.items()), errors=errors, token=new_token(), **more,
    )  # fmt: skip


def _asked_now(procedure: Procedure, walk: Walk) -> list[Criterion]:
    evaluated = evaluated_before(procedure, walk.given, local_day(app_ctx().now()), app_ctx().directory)
    order = list(procedure.eligibility)
    left = order[order.index(walk.criterion) :] if walk.criterion else []
    return [one for one in left if one is walk.criterion or evaluated.shows(one.field)]


def _control(procedure: Procedure, criterion: Criterion, walk: Walk, typed: MultiDict[str, str]) -> Control:
    day, directory = local_day(app_ctx().now()), app_ctx().directory
    given, problems = walk.given, walk.problems
    if criterion is not walk.criterion and criterion.id in typed.getlist("etape"):
        given, problems = read_criterion(procedure, criterion, _posted(criterion, typed), given, day, directory)
    speech = Speech(app_ctx().wording, language())
    view = view_criterion(procedure, criterion, given, day, directory, speech, problems)
    return field_control(view, DrawingContext(site().words, language()))


def _posted(criterion: Criterion, typed: MultiDict[str, str]) -> dict[str, list[str]]:
    return {name: [typed[name]] for name in typed if name == criterion.id or name.startswith(f"{criterion.id}_")}


def typed_criteria(procedure: Procedure, typed: MultiDict[str, str]) -> str:
    """Return the query that shows the posted answers again, with what is wrong unless only the language changes."""
    names = [one for criterion in procedure.eligibility for one in _posted(criterion, typed).items()]
    asked = () if is_switching() else typed.getlist("etape")
    steps = [("etape", one.id) for one in procedure.eligibility if one.id in asked]
    return urlencode([*((name, values[0]) for name, values in names), *steps])


def _instead(criterion: Criterion) -> Mapping[str, str] | None:
    """Return the procedure that suits better, None if the catalogue lacks it."""
    other = app_ctx().catalogue.summary(criterion.instead or "")
    return {"href": f"/demarches/{other.id}", "title": label(other.title)} if other else None


def _offline(procedure: Procedure, criterion: Criterion) -> str:
    """Return the sentence on a better procedure that is not online: its title and its agency."""
    if criterion.instead is None or criterion.instead in app_ctx().catalogue.procedures:
        return ""
    agency, title = writer(procedure).agency(), label(criterion.instead_title)
    if not title:
        return say("eligibility.instead_nameless", agency=agency)
    return say("eligibility.instead_offline", title=title, agency=agency)
