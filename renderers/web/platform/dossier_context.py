"""One dossier as its pages speak of it: the facts, the book it is judged by, its addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from engine.core.clock import local_day
from engine.core.values import Text
from engine.domain.fields.scope import EvaluatedAnswers, evaluate_answers
from engine.domain.fields.views import FormView, PageView
from engine.domain.workflow.progress import PublicStatus
from engine.model import Appointment, Procedure
from engine.model.directory import Office as Place
from engine.records.dossier import Actor, Dossier
from engine.services.applications.drafts import see_case, shown_form, shown_page
from engine.services.appointments.bookings import forms_to_bring
from engine.services.context.app_context import NotFound
from renderers.html.controls import DrawingContext
from renderers.i18n.translations import in_language
from renderers.procedure.page import SheetWriter
from renderers.web.platform.request_context import actor, app_ctx, dossier_number, dossiers_home, language, say, site

_BROUGHT = frozenset({"show_original", "legalised_copy", "hand_over", "sign_at_counter"})


@dataclass(frozen=True)
class DossierContext:
    """A dossier its reader may see, and the edition it is pinned to."""

    dossier: Dossier
    procedure: Procedure

    @property
    def id(self) -> str:
        return self.dossier.id

    @property
    def title(self) -> str:
        return in_language(self.procedure.identity.title, language())

    def at(self, rest: str = "") -> str:
        """An address of the dossier: `case.at("/paiement")`."""
        return f"{dossiers_home()}/{self.dossier.number}{rest}"

    def rows_kept(self, path: str) -> int:
        """How many rows a group holds (`voyageurs`, `foyers.0.enfants`)."""
        found: object = self.dossier.answers
        for part in path.split("."):
            if isinstance(found, list):
                found = found[int(part)] if part.isdecimal() and int(part) < len(found) else None
            else:
                found = found.get(part) if isinstance(found, Mapping) else None
        return len(found) if isinstance(found, list) else 0

    def evaluated(self) -> EvaluatedAnswers:
        """What every name of the book is worth on this dossier today."""
        return self._evaluated

    @cached_property
    def _evaluated(self) -> EvaluatedAnswers:
        return evaluate_answers(self.procedure, self.dossier, app_ctx().day(), app_ctx().directory)

    def form(self) -> FormView:
        """The application on its path, as this reader may see it."""
        return shown_form(app_ctx(), self.procedure, self.dossier, actor())

    def page(self, page_id: str, judged: bool = True) -> PageView | None:
        """One page of it, its questions showing no fault; none when it is not on the path."""
        return shown_page(app_ctx(), self.evaluated(), self.dossier, actor(), page_id, judged)


def case(number: str) -> DossierContext:
    """Raises `NotFound` for an unknown dossier and for somebody else's."""
    return case_of(actor(), number)


def case_of(who: Actor, number: str) -> DossierContext:
    """The same for somebody who is known otherwise than by a session."""
    return DossierContext(*see_case(app_ctx(), who, dossier_number(number)))


def drawing(one: DossierContext) -> DrawingContext:
    """How the dossier's form is drawn: its files are read at their own address."""
    return DrawingContext(site().words, language(), lambda attachment: one.at(f"/pieces/{attachment}"))


def current_procedure(slug: str) -> Procedure:
    """The edition in service. Raises `NotFound`."""
    procedure = app_ctx().catalogue.procedures.get(slug)
    if procedure is None:
        raise NotFound
    return procedure


def writer(procedure: Procedure) -> SheetWriter:
    """Who writes the public words of a procedure today."""
    return SheetWriter(procedure, app_ctx().directory, site().words, language(), local_day(app_ctx().now()))


def label(text: Text | None) -> str:
    return in_language(text, language())


def place(office_id: str | None) -> Place | None:
    return app_ctx().directory.offices.get(office_id or "")


def place_label(office_id: str | None) -> str:
    there = place(office_id)
    return label(there.label) if there else ""


def whereabouts(one: DossierContext, status: PublicStatus) -> str:
    """The step a dossier is at. What is ready waits somewhere: at which office, and where that is."""
    there = place(one.dossier.office) if status.public == "ready" else None
    said = (label(status.label), label(there.label) if there else "", label(there.address) if there else "")
    return ", ".join(part for part in said if part)


def visit_place(task: object, office_id: str | None) -> str:
    """Where people meet: at the office, or at the applicant's."""
    theirs = isinstance(task, Appointment) and task.place == "applicant"
    return say("slot.at_yours") if theirs else place_label(office_id)


def to_bring(one: DossierContext) -> list[str]:
    """The papers to show or hand over in person, as these answers make them; forms to print come first."""
    evaluated = one.evaluated()
    given = {document.output for document in one.dossier.documents}
    found = [
        say("sent.form_there" if form.id in given else "sent.form_later", title=label(form.title))
        for form in forms_to_bring(one.procedure, evaluated)
    ]
    for field in one.procedure.form.fields:
        terms = field.evidence
        if terms is None or not set(terms.how) & _BROUGHT or not evaluated.shows(field):
            continue
        how = [say(f"sheet.how_{way}") for way in terms.how if way in _BROUGHT]
        if terms.copies > 1:
            how.insert(0, say("piece.copies", count=terms.copies))
        found.append(f"{label(field.label)} ({', '.join(how)})")
    return found


def agency_of(one: DossierContext, spoken: str = "") -> str:
    """What the agency of a dossier's procedure is called, in the language of the page or the one given."""
    agency = app_ctx().directory.agencies.get(one.procedure.identity.agency)
    return in_language(agency.label, spoken or language()) if agency else ""
