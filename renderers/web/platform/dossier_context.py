"""One dossier for its pages: stored data, pinned edition and addresses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from engine.core.clock import local_day
from engine.core.values import Text
from engine.domain.documents.originals import ON_PAPER, papers_to_bring
from engine.domain.fields.display import answer_words
from engine.domain.fields.field_type import Speech
from engine.domain.fields.scope import EvaluatedAnswers, evaluate_answers
from engine.domain.fields.views import FormView, PageView
from engine.domain.workflow.progress import PublicStatus
from engine.model import Appointment, EvidenceTerms, Field, Procedure
from engine.model.directory import Office as Place
from engine.records.dossier import Actor, Booking, Dossier, Payment
from engine.services.applications.drafts import see_case, shown_form, shown_page
from engine.services.appointments.bookings import forms_to_bring
from engine.services.context.app_context import NotFound
from engine.services.core.fee_accounts import FeeAccount, fee_accounts
from engine.services.payments.payments import awaited_of, due_now, payments
from engine.services.payments.refunds import OwedBack, owed_back
from renderers.html.controls import DrawingContext
from renderers.i18n.translations import in_language
from renderers.procedure.appointments import opening_hours, unconfirmed
from renderers.procedure.page import SheetWriter
from renderers.web.platform.request_context import actor, app_ctx, dossier_number, dossiers_home, language, say, site

_COUNTED = ("show_original", "legalised_copy")


@dataclass(frozen=True)
class DossierContext:
    """A dossier that the reader may see, with the edition that applies to it."""

    dossier: Dossier
    procedure: Procedure

    @property
    def id(self) -> str:
        """The internal id, not the public number."""
        return self.dossier.id

    @property
    def title(self) -> str:
        """The title of the procedure in the language of the page."""
        return in_language(self.procedure.identity.title, language())

    def at(self, rest: str = "") -> str:
        """Return an address of the dossier: `case.at("/paiement")`."""
        return f"{dossiers_home()}/{self.dossier.number}{rest}"

    def rows_kept(self, path: str) -> int:
        """Return the number of stored rows of a group (`voyageurs`, `foyers.0.enfants`)."""
        found: object = self.dossier.typed.answers
        for part in path.split("."):
            if isinstance(found, list):
                found = found[int(part)] if part.isdecimal() and int(part) < len(found) else None
            else:
                found = found.get(part) if isinstance(found, Mapping) else None
        return len(found) if isinstance(found, list) else 0

    def evaluated(self) -> EvaluatedAnswers:
        """Return the values of all names of the procedure on this dossier today, computed once."""
        return self._evaluated

    @cached_property
    def _evaluated(self) -> EvaluatedAnswers:
        return evaluate_answers(self.procedure, self.dossier, app_ctx().day(), app_ctx().directory)

    @cached_property
    def accounts(self) -> tuple[FeeAccount, ...]:
        """Every fee that is due, read once."""
        return fee_accounts(app_ctx(), actor(), self.id)

    @cached_property
    def payments(self) -> tuple[Payment, ...]:
        """All payments, whatever their status, read once."""
        return payments(app_ctx(), actor(), self.id)

    @cached_property
    def refunds(self) -> tuple[OwedBack, ...]:
        """The refunds, due and paid, read once."""
        return owed_back(app_ctx(), actor(), self.id)

    @property
    def left_to_pay(self) -> int:
        """The amount that can be paid now."""
        return sum(fee.left for fee in due_now(app_ctx(), self.procedure, self.dossier))

    @property
    def awaited(self) -> Payment | None:
        """The payment of the last day without a known result."""
        return awaited_of(self.payments, app_ctx().now())

    def form(self) -> FormView:
        """Return the application with the pages on its path, filtered for the reader."""
        return shown_form(app_ctx(), self.procedure, self.dossier, actor())

    def page(self, page_id: str, judged: bool = True) -> PageView | None:
        """Return one page without its problems, None if it is not on the path.

        With `judged=False` the page is not validated, unless it has rows.
        """
        return shown_page(app_ctx(), self.evaluated(), self.dossier, actor(), page_id, judged)


def case(number: str) -> DossierContext:
    """Return the dossier of that number. Raises `NotFound` if it is unknown or of another applicant."""
    return case_of(actor(), number)


def case_of(who: Actor, number: str) -> DossierContext:
    """Return the dossier for an actor identified without a session. Raises `NotFound` like `case`."""
    return DossierContext(*see_case(app_ctx(), who, dossier_number(number)))


def drawing(one: DossierContext) -> DrawingContext:
    """Return how the form of the dossier is drawn. Files have addresses below the dossier."""
    return DrawingContext(site().words, language(), lambda attachment: one.at(f"/pieces/{attachment}"))


def current_procedure(slug: str) -> Procedure:
    """Return the edition in service. Raises `NotFound`."""
    procedure = app_ctx().catalogue.procedures.get(slug)
    if procedure is None:
        raise NotFound
    return procedure


def writer(procedure: Procedure) -> SheetWriter:
    """Return the writer of the public page of a procedure for today."""
    return SheetWriter(procedure, app_ctx().directory, site().words, language(), local_day(app_ctx().now()))


def label(text: Text | None) -> str:
    """Return a text in the language of the page, empty for None."""
    return in_language(text, language())


def place(office_id: str | None) -> Place | None:
    """Return an office of the directory, None if it is unknown."""
    return app_ctx().directory.offices.get(office_id or "")


def place_label(office_id: str | None) -> str:
    """Return the label of an office, empty if it is unknown."""
    there = place(office_id)
    return label(there.label) if there else ""


def whereabouts(one: DossierContext, status: PublicStatus) -> str:
    """Return the office that handles a dossier, else its agency. A document to collect adds the address."""
    there = place(one.dossier.office)
    if there is None:
        return agency_of(one)
    said = (label(there.label), label(there.address) if status.public == "ready" else "")
    return ", ".join(part for part in said if part)


def hours_of(office_id: str | None) -> str:
    """Return the opening hours of an office, marked where they are to be confirmed, empty if it has none."""
    there = place(office_id)
    hours = opening_hours(there, site().words, language()) if there else ""
    return f"{hours} ({say('sheet.to_confirm')})" if there and hours and unconfirmed(there) else hours


def visit_place(one: DossierContext, booking: Booking) -> str:
    """Return where an appointment takes place: the office, or the applicant's address."""
    return place_label(booking.office) if is_at_office(one, booking) else say("slot.at_yours")


def visit_address(one: DossierContext, booking: Booking) -> str:
    """Return the address of the office of an appointment, empty at the applicant's address."""
    there = place(booking.office)
    return label(there.address) if there and is_at_office(one, booking) else ""


def their_address(one: DossierContext) -> str:
    """Return the place that the application names and the line after it, empty if several pages name places.

    Only its owner and agents may read it: the link of an appointment shows no answer.
    """
    pages = [page.fields for page in one.procedure.form.pages if any(field.type == "place" for field in page.fields)]
    if len(pages) != 1:
        return ""
    last = max(number for number, field in enumerate(pages[0]) if field.type == "place")
    line = [field for field in pages[0][last + 1 : last + 2] if field.type == "text"]
    speech = Speech(app_ctx().wording, language())
    words = (answer_words(one.evaluated(), field.id, speech) for field in (*line, pages[0][last]))
    return ", ".join(filter(None, words))


def is_at_office(one: DossierContext, booking: Booking) -> bool:
    """Return whether the applicant comes to an office for an appointment."""
    task = one.procedure.tasks.get(booking.appointment)
    return not (isinstance(task, Appointment) and task.place == "applicant")


def to_bring(one: DossierContext) -> list[str]:
    """Return the evidence to show or hand over, by the present answers. Forms to print come first."""
    evaluated = one.evaluated()
    given = {document.output for document in one.dossier.documents}
    found = [
        say("sent.form_there" if form.id in given else "sent.form_later", title=label(form.title))
        for form in forms_to_bring(one.procedure, evaluated)
    ]
    for field, terms, kinds in _papers(one):
        copies = [say("piece.copies", count=terms.copies)] if terms.copies > 1 else []
        how = [*copies, *(say(f"sheet.how_{kind}") for kind in kinds)]
        found.append(f"{label(field.label)} ({', '.join(how)})")
    return found


def _papers(one: DossierContext) -> Iterator[tuple[Field, EvidenceTerms, list[str]]]:
    for field, terms in papers_to_bring(one.evaluated()):
        yield field, terms, [kind for kind in terms.how if kind in ON_PAPER]


def to_bring_in_short(one: DossierContext) -> str:
    """Return what to bring on one line: originals and legalised copies are counted, the rest is named."""
    counts: Counter[str] = Counter()
    named = []
    for field, terms, kinds in _papers(one):
        counted = [kind for kind in kinds if kind in _COUNTED]
        counts.update(dict.fromkeys(counted, terms.copies))
        if not counted:
            named.append(f"{terms.copies} × {label(field.label)}" if terms.copies > 1 else label(field.label))
    numbers = [say(f"track.bring_{kind}", count=counts[kind]) for kind in _COUNTED if counts[kind]]
    return " · ".join(
        [*numbers, *named, *(label(form.title) for form in forms_to_bring(one.procedure, one.evaluated()))]
    )


def agency_of(one: DossierContext, spoken: str = "") -> str:
    """Return the label of the agency of the procedure, in the page's language or in `spoken`."""
    agency = app_ctx().directory.agencies.get(one.procedure.identity.agency)
    return in_language(agency.label, spoken or language()) if agency else ""
