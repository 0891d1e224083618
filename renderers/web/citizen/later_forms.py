"""Later forms of the applicant after submission: a whole form, one row of it, or the form of an act."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from flask import Blueprint, Response, request, session

from engine.core.problems import Refused
from engine.core.values import Plain, Text
from engine.domain.fields.views import AnswerProblem, PageView
from engine.domain.forms.agent_files import place_of
from engine.model import APPLICANT, Form
from engine.services.applications.agent_files import enclose, take_back
from engine.services.applications.casework import read_filling
from engine.services.applications.opinions import AwaitedPart, awaited_parts, do_part, read_part
from engine.services.context.app_context import NotFound, WrongAnswers
from engine.storage.results import Conflict
from renderers.html.controls import asked_views, error_summary, has_files
from renderers.web.citizen.form import is_clash, page_with, posted_answers
from renderers.web.platform.access import dossier_page
from renderers.web.platform.dossier_context import DossierContext, case, drawing, label
from renderers.web.platform.languages import is_switching
from renderers.web.platform.refused_posts import Fault, as_faults, ask_again, problems_left, refused_post
from renderers.web.platform.request_context import (
    actor,
    app_ctx,
    asker,
    client,
    form_revision,
    form_token,
    new_token,
    page,
    say,
    site,
)
from renderers.web.platform.uploads import posted_files
from renderers.web.shared.agreements import AgreementForm
from renderers.web.shared.outcomes import go_noting, versions_page

blueprint = Blueprint("later_forms", __name__)

SEEN = "act-seen"  # questions shown by the posted page; ids have no hyphen
_BROUGHT = "brought"  # among the faults: the answers added questions
_NOT_PUT_YET = frozenset({"empty", "file", "declaration", "rows_few"})


# -- what is asked -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LaterFormView:
    """A later form that the applicant fills, whole or row by row."""

    form: Form
    href: str
    title: str
    parts: tuple[AwaitedPart, ...]  # empty for a whole form

    @property
    def left(self) -> int:
        """The number of rows to fill, 1 for a whole form."""
        return sum(1 for part in self.parts if not part.done) or (0 if self.parts else 1)


def asked_of(one: DossierContext) -> list[LaterFormView]:
    """Return the later forms that wait for the applicant now, in the order of the definition."""
    mine = [
        found
        for found in awaited_parts(app_ctx(), actor(), one.id)
        if found.closed is None and APPLICANT in found.form.by
    ]
    forms = {found.form.id: found.form for found in mine}
    return [
        LaterFormView(form, one.at(f"/a-faire/{form.id}"), label(form.label),
              tuple(found for found in mine if found.form.id == form.id and found.part is not None))
        for form in forms.values()
    ]  # fmt: skip


def _asked(one: DossierContext, form_id: str) -> LaterFormView | None:
    return next((found for found in asked_of(one) if found.form.id == form_id), None)


def part_title(one: DossierContext, form: Form, part: str) -> str:
    """Return the label of a row in the first form, or its number."""
    group = next((view for found in one.form().pages for view in found.fields if view.id == form.each), None)
    number = part if len(part) < 5 and part.isdecimal() else ""  # of an address: more digits are no number
    row = group.rows[int(number)] if group and number and int(number) < len(group.rows) else None
    return (row.label if row else "") or say("rows.number", number=int(number) + 1 if number else part)


# -- pages -------------------------------------------------------------------------------------------------------------


@dossier_page(blueprint, "/a-faire/<form_id>")
def show(one: DossierContext, form_id: str) -> Response:
    """Show a later form, or the list of its rows. Redirects to the dossier if it is no longer asked."""
    return show_part(one, form_id, None)


@dossier_page(blueprint, "/a-faire/<form_id>/<part>")
def show_part(one: DossierContext, form_id: str, part: str | None) -> Response:
    """Show one row of a later form. Redirects to the dossier if it is no longer asked. Raises `NotFound`."""
    asked = _asked(one, form_id)
    if asked is None:
        return _over(one, form_id)
    if part is None and asked.parts:
        return _list_page(one, asked)
    if part is not None and part not in {found.part for found in asked.parts}:
        raise NotFound
    return _sheet(one, asked.form, part).shown()


def _over(one: DossierContext, form_id: str) -> Response:
    """Redirect to the dossier if the form is done or no longer asked. Raises `NotFound` for an unknown form."""
    form = one.procedure.tasks.get(form_id)
    if not isinstance(form, Form) or APPLICANT not in form.by:
        raise NotFound
    return go_noting(one.at(), say("todo.over"))


def _list_page(one: DossierContext, asked: LaterFormView) -> Response:
    cards = [
        {"href": f"{asked.href}/{part.part}", "title": part_title(one, asked.form, part.part or ""), "done": part.done}
        for part in asked.parts
    ]  # fmt: skip
    return page(
        "citizen/later_forms.html", dossier=one.dossier, procedure=one.title, title=asked.title, cards=cards, left=asked.left,
        due=one.dossier.due_at, back=one.at(), note=session.pop("note", ""),
    )  # fmt: skip


def _sheet(one: DossierContext, form: Form, part: str | None) -> Sheet:
    title = label(form.label)
    if part is not None:
        title = say("row.of", group=title, label=part_title(one, form, part))
    above = one.at(f"/a-faire/{form.id}") if part is not None else one.at()
    return Sheet(
        one, title, one.at(f"/a-faire/{form.id}" + (f"/{part}" if part is not None else "")), above,
        lambda name: place_of(form, part, name), lambda raw: _answered(one, form, part, raw),
        say("row.done") if part is not None else say("todo.send"),
    )  # fmt: skip


def _answered(one: DossierContext, form: Form, part: str | None, raw: bool) -> Filled:
    found = read_part(app_ctx(), actor(), one.id, form.id, part, posted_answers() if raw else None)
    return Filled(found.page, found.problems, found.answers)


@dossier_page(blueprint, "/a-faire/<form_id>", "POST")
def fill(one: DossierContext, form_id: str) -> Response:
    """Save a later form and redirect to the dossier."""
    return fill_part(one, form_id, None)


@dossier_page(blueprint, "/a-faire/<form_id>/<part>", "POST")
def fill_part(one: DossierContext, form_id: str, part: str | None) -> Response:
    """Save a later form or one row of it once it has no error, then redirect.

    Shows the page again with the errors. Shows both versions if another tab saved meanwhile.
    """
    asked = _asked(one, form_id)
    if asked is None:
        return _over(one, form_id)
    sheet = _sheet(one, asked.form, part)
    if (answer := sheet.files()) is not None:
        return answer
    found = read_part(app_ctx(), actor(), one.id, form_id, part, posted_answers())
    if any(not problem.warns for problem in found.problems):
        return sheet.refused()
    try:
        do_part(app_ctx(), actor(), one.id, form_id, part, found.answers, revision=sheet.revision(), token=form_token())
    except WrongAnswers:
        return sheet.refused()
    except (Conflict, Refused) as clash:
        if not is_clash(clash):
            raise
        return versions_page(
            case(one.dossier.number), read_part(app_ctx(), actor(), one.id, form_id, part).page, sheet.address
        )
    left = _asked(case(one.dossier.number), form_id)
    rows_left = part is not None and left is not None and left.left
    return go_noting(sheet.above if rows_left else one.at(), say("todo.done", title=sheet.title))


# -- a page of questions that is saved only when it is complete --------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Filled:
    """The questions as the dossier stores them, or as the post answers them."""

    view: PageView
    problems: tuple[AnswerProblem, ...] = ()
    answers: Mapping[str, Plain] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A form on one page. Its answers are saved only without errors, its files at once.

    `place` names where the file of a question is stored. `read` returns the posted answers (True) or the stored ones.
    """

    one: DossierContext
    title: str
    address: str
    above: str
    place: Callable[[str], str]
    read: Callable[[bool], Filled]
    button: str
    lines: tuple[str, ...] = ()
    ask_reason: str = ""
    reason_name: str = "reason"
    extra: object = None  # the upload control of the act
    agreement: AgreementForm | None = None  # asked at a counter
    warn: bool = False

    def shown(self) -> Response:
        """Return the page: the stored answers, or those of a refused post with each problem beside its question."""
        post, draw = refused_post(), drawing(self.one)
        filled = self.read(post.found)
        wrong = [one for one in filled.problems if not one.warns]
        problems = problems_left(self.one, filled.view, wrong, post.faults, Text.of(self.title))
        view = page_with(filled.view, problems)
        own = [
            (f"#{control}", say(fault)) for control, fault in post.faults.items() if isinstance(fault, str) and fault
        ]
        if self.agreement and self.agreement.error:
            own.append(("#agreed", self.agreement.error))
        return page(
            "citizen/later_form.html", dossier=self.one.dossier, procedure=self.one.title, sheet=self,
            errors=[*error_summary(view, draw), *own], questions=site().pages.questions(view, draw), multipart=has_files(view) or self.extra is not None,
            seen=[found.path for found in asked_views(view) if found.shown], token=new_token(),
            revision=self.one.dossier.revision, due=self.one.dossier.due_at,
            note=session.pop("note", ""), follow_up=sum(one not in problems for one in wrong) if _BROUGHT in post.faults else 0,
            reason=post.typed(self.reason_name)[:2000], reason_error=post.error(self.reason_name), help=label(view.help),
        )  # fmt: skip

    def files(self) -> Response | None:
        """Store the files of the post.

        Returns the page if the post was about files only or a file was refused, else None.
        """
        if taken := request.form.get("detach"):
            take_back(app_ctx(), actor(), self.one.id, taken, token=form_token())
            return self.again({}, say("piece.removed"))
        problems, stored = [], 0
        for at, upload in posted_files(self.one):
            token = f"{form_token()}:{at}" if form_token() else None
            kept = enclose(
                app_ctx(), actor(), self.one.id, self.place(at), upload, token=token, client=client(), browser=asker().browser
            )  # fmt: skip
            problems += [replace(kept.problem, at=at)] if kept.problem else []
            stored += kept.problem is None
        if problems or request.form.get("send") or is_switching():
            return self.again(as_faults((), problems), say("piece.stored", count=stored) if stored else "")
        return None

    def revision(self) -> int | None:
        """Return the revision the applicant saw. Files of the same post have increased it meanwhile."""
        known = form_revision()
        return case(self.one.dossier.number).dossier.revision if known == self.one.dossier.revision else known

    def refused(self, faults: Mapping[str, Fault] = MappingProxyType({})) -> Response:
        """Return the page with the problems of the posted answers and the `faults` of its other controls.

        Questions that the answers added are shown without a problem.
        """
        wrong = [one for one in self.read(True).problems if not one.warns]
        reported = put_already(wrong)
        brought = {_BROUGHT: ""} if len(reported) < len(wrong) else {}
        return self.again({**as_faults(reported, ()), **faults, **brought})

    def again(self, faults: Mapping[str, Fault], note: str = "") -> Response:
        """Return the page of the dossier as it is stored now, with what was typed."""
        session["note"] = note
        status = 422 if any(name != _BROUGHT for name in faults) else 200
        return ask_again(replace(self, one=case(self.one.dossier.number)).shown, faults, status)


def put_already(problems: Iterable[AnswerProblem]) -> list[AnswerProblem]:
    """Return the problems of questions that the posted page showed. Added questions have no problem yet."""
    seen = set(request.form.getlist(SEEN))
    return [one for one in problems if one.code not in _NOT_PUT_YET or one.at.partition(".")[0] in seen]


def filled_by_act(one: DossierContext, act_id: str, raw: bool) -> Filled:
    """Return the form of an act with the posted answers (`raw`) or the stored ones."""
    found = read_filling(app_ctx(), actor(), one.id, act_id, posted_answers() if raw else None)
    return Filled(found.view.pages[0], found.problems, found.answers)
