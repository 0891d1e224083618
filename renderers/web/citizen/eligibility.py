"""Eligibility questions, one per page, and where an applicant who is stopped can go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Response

from engine.core.clock import local_day
from engine.core.values import Plain
from engine.domain.fields.field_type import Speech
from engine.domain.fields.views import AnswerProblem
from engine.domain.forms.eligibility import next_criterion, read_criterion, stopped_by, view_criterion
from engine.model import Criterion, Procedure
from renderers.html.controls import Control, DrawingContext, field_control
from renderers.web.platform.dossier_context import label, writer
from renderers.web.platform.request_context import app_ctx, language, page, say, site


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


def walk_criteria(procedure: Procedure, typed: Mapping[str, str]) -> Walk:
    """Read the typed answers in the order of the questions, up to the first missing, wrong or stopping one."""
    day, directory = local_day(app_ctx().now()), app_ctx().directory
    given: dict[str, Plain] = {}
    carried: dict[str, str] = {}
    while (criterion := next_criterion(procedure, given, day, directory)) is not None:
        posted = {name: [typed[name]] for name in typed if name == criterion.id or name.startswith(f"{criterion.id}_")}
        if not posted and typed.get("etape") != criterion.id:
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
    return page(
        "citizen/ineligible.html", procedure=label(procedure.identity.title), because=label(criterion.because),
        instead=_instead(criterion), offline=_offline(procedure, criterion), service=_service(procedure), back=f"{base}?{urlencode(earlier)}",
    )  # fmt: skip


def question_page(procedure: Procedure, walk: Walk, criterion: Criterion, base: str) -> Response:
    """Show one question. Its form posts to the same address. `base` is the address of the first one."""
    speech = Speech(app_ctx().wording, language())
    day, directory = local_day(app_ctx().now()), app_ctx().directory
    view = view_criterion(procedure, criterion, walk.given, day, directory, speech, walk.problems)
    control = field_control(view, DrawingContext(site().words, language()))
    errors = [(f"#{control.id}", control.error)] if control.error else []
    order = [one.id for one in procedure.eligibility]
    step = order.index(criterion.id) + 1
    answered = list(walk.carried.items())
    back = f"{base}?{urlencode(answered[:-1])}" if answered else base.removesuffix("/verifier")
    return page(
        "citizen/eligibility.html", 422 if errors else 200, procedure=label(procedure.identity.title), control=control,
        choices=_choices(control), carried=answered, step=step, count=len(order), back=back, errors=errors,
    )  # fmt: skip


def _choices(control: Control) -> list[tuple[str, str, bool]]:
    if control.kind == "yes_no":
        return [("oui", say("answer.positive"), control.value == "true"), ("non", say("answer.negative"), False)]
    return [(option.code, label(option.label), option.chosen) for option in control.options if not option.shut]


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


def _service(procedure: Procedure) -> Mapping[str, object]:
    """Return the agency and offices to visit. The form is not offered, because it would refuse the request."""
    sheet = writer(procedure)
    return {"agency": sheet.agency(), "offices": sheet.offices()}
