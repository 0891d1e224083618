"""What the administration committed itself to, open to everyone: editions, the definition in words and as a file, the
circuit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask import Blueprint, Response

from engine.core.values import Span
from engine.language.diff.population import Count
from engine.model import Procedure
from engine.publication.publications import EditionRecord, edition_records
from engine.services.audit.current_counts import FEW, standing
from engine.services.context.app_context import NotFound
from renderers.definition.document import CHAPTERS, OPTIONAL, definition_text
from renderers.definition.parts import MatrixRow
from renderers.definition.reader import spelled
from renderers.definition.workflow import CircuitReader
from renderers.html.diagram import DiagramRow, kind_of, ways, workflow_svg
from renderers.html.templates import span_text
from renderers.reports.publication import SignatureText
from renderers.web.platform.access import auditor, public
from renderers.web.platform.dossier_context import label
from renderers.web.platform.languages import language
from renderers.web.platform.request_context import file_response, office, page, say, site
from renderers.web.public.publications import history_sentences, writer
from renderers.web.shared.editions import edition_asked
from renderers.web.shared.staff import book_of, desk_page, event_label, known, mandated, role_label, writer_of

blueprint = Blueprint("definitions", __name__)


@dataclass(frozen=True, slots=True)
class EditionLine:
    """One edition as a list shows it."""

    number: int
    current: bool
    sentences: tuple[str, ...]
    signature: SignatureText | None
    commit: str
    fingerprint: str
    definition: str
    yaml: str
    circuit: str
    compare: str  # with the edition in force before it: `6...7`


@dataclass(frozen=True, slots=True)
class CurrentEditionRow:
    """One step: its name, what the applicant reads, how many dossiers stand there."""

    title: str
    shown_as: str
    count: str


@dataclass(frozen=True, slots=True)
class Matrix:
    roles: tuple[str, ...]
    matrix: tuple[MatrixRow, ...]


@dataclass(frozen=True, slots=True)
class TransitionRow:
    """One line of the circuit's table."""

    number: int
    source: str
    action: str
    who: str
    delay: str
    target: str
    message: str


def edition_lines(slug: str) -> list[EditionLine]:
    """Every edition of a procedure, the newest first. Raises `NotFound` for an unknown procedure."""
    current = known(book_of(slug))
    told = history_sentences(edition_records(office().store, slug), current)
    return [_edition_line(record, sentences, current) for record, sentences in told]


def _edition_line(record: EditionRecord, sentences: list[str], current: Procedure) -> EditionLine:
    one = record.edition
    base = f"/demarches/{one.procedure}"
    query = f"?fingerprint={one.fingerprint}"
    return EditionLine(
        one.edition, one.fingerprint == current.fingerprint, tuple(sentences),
        writer().signature(record.told.origin) if record.told else None, (one.commit or "")[:10], one.fingerprint, f"{base}/definition{query}", f"{base}/definition.yaml{query}",
        f"{base}/circuit{query}", f"{record.before}...{one.fingerprint}" if record.before else "",
    )  # fmt: skip


@blueprint.get("/demarches/<slug>/historique")
@public
def history(slug: str) -> Response:
    book = known(book_of(slug))
    return page("auditor/history.html", slug=slug, procedure=label(book.identity.title), editions=edition_lines(slug))


@blueprint.get("/demarches/<slug>/definition")
@public
def definition(slug: str) -> Response:
    book = edition_asked(slug)
    text = definition_text(book, office().directory, site().words, language(), title_of)
    return page(
        "auditor/definition.html", slug=slug, procedure=label(book.identity.title), edition=book.edition, text=text,
        chapters=[one for one in CHAPTERS if one not in OPTIONAL or getattr(text, one)],
        fingerprint=book.fingerprint, yaml=f"/demarches/{slug}/definition.yaml?fingerprint={book.fingerprint}",
        circuit=f"/demarches/{slug}/circuit?fingerprint={book.fingerprint}",
    )  # fmt: skip


def title_of(slug: str) -> str:
    """What another procedure is called, when it is one of ours."""
    other = book_of(slug)
    return label(other.identity.title) if other else spelled(slug)


@blueprint.get("/demarches/<slug>/definition.yaml")
@public
def source(slug: str) -> Response:
    """The file as it was published, to the byte."""
    book = edition_asked(slug)
    with office().store.unit() as unit:
        kept = unit.edition(slug, book.fingerprint)
    if kept is None:
        raise NotFound
    return file_response(kept.source.encode(), "application/yaml; charset=utf-8", f"{slug}-{kept.edition}.yaml")


# -- the circuit -------------------------------------------------------------------------------------------------------


@blueprint.get("/demarches/<slug>/circuit")
@public
def circuit(slug: str) -> Response:
    book = edition_asked(slug)
    return page(
        "auditor/circuit.html", slug=slug, procedure=label(book.identity.title), edition=book.edition,
        lines=[_way_line(book, way) for way in ways(book, language())], standing=standing_lines(book, FEW), text=_matrix(book),
        svg=f"/demarches/{slug}/circuit.svg?fingerprint={book.fingerprint}", controller=False, automatic=_passes_by_itself(book),
        definition=f"/demarches/{slug}/definition?fingerprint={book.fingerprint}",
    )  # fmt: skip


@blueprint.get("/audit/demarches/<slug>/circuit")
@auditor
def circuit_for_controllers(slug: str) -> Response:
    """The same with the true counts."""
    book = edition_asked(mandated(slug))
    return desk_page(
        "auditor/circuit.html", slug=slug, procedure=label(book.identity.title), edition=book.edition,
        lines=[_way_line(book, way) for way in ways(book, language())], standing=standing_lines(book, 0), text=_matrix(book),
        svg=f"/audit/demarches/{slug}/circuit.svg?fingerprint={book.fingerprint}", controller=True, automatic=_passes_by_itself(book),
        definition=f"/demarches/{slug}/definition?fingerprint={book.fingerprint}",
    )  # fmt: skip


@blueprint.get("/demarches/<slug>/circuit.svg")
@public
def picture(slug: str) -> Response:
    book = edition_asked(slug)
    return _svg(book, standing(office(), book, few=FEW))


@blueprint.get("/audit/demarches/<slug>/circuit.svg")
@auditor
def picture_for_controllers(slug: str) -> Response:
    book = edition_asked(mandated(slug))
    return _svg(book, standing(office(), book))


def _svg(book: Procedure, counts: Mapping[str, Count]) -> Response:
    drawn = workflow_svg(book, language(), counts=counts)
    return file_response(drawn.encode(), "image/svg+xml; charset=utf-8", f"{book.id}.svg", inline=True)


def standing_lines(book: Procedure, few: int) -> list[CurrentEditionRow]:
    """How many dossiers stand in each step; the list beside the picture."""
    counts = standing(office(), book, few=few)
    said = [(one, counts[one.id]) for one in book.states.values()]
    return [
        CurrentEditionRow(label(one.label), say(f"status.{one.public}"), count if isinstance(count, str) else site().words.amount(count, language()))
        for one, count in said
    ]  # fmt: skip


def _passes_by_itself(book: Procedure) -> bool:
    """Whether the picture has a white box."""
    return any(kind_of(state) == "system" for state in book.states.values())


def _matrix(book: Procedure) -> Matrix:
    reader = CircuitReader(book, office().directory, site().words, language())
    return Matrix(tuple(reader.role(key) for key in reader.roles()), tuple(reader.matrix()))


def _way_line(book: Procedure, way: DiagramRow) -> TransitionRow:
    return TransitionRow(
        way.number, way.source_label, _action(book, way), _who(way), _delay(book, way), way.target_label, _message(book, way)
    )  # fmt: skip


def _action(book: Procedure, way: DiagramRow) -> str:
    """The act, or what makes it pass by itself; with its condition."""
    said = way.label if way.event is None else event_label(book, way.transition)
    condition = CircuitReader(book, office().directory, site().words, language()).branch(way.transition)
    return f"{said} ({condition})" if condition else said


def _who(way: DiagramRow) -> str:
    if way.event is not None:
        return say("desk.system")
    return ", ".join(_role(role) for role in way.by)


def _role(role: str) -> str:
    said = role_label(role)
    return say("desk.applicant_capital") if role == "applicant" else said


def _delay(book: Procedure, way: DiagramRow) -> str:
    """How long the act stays open, else the time the step allows."""
    if way.transition.within is not None:
        return say("audit.within", span=_span(way.transition.within))
    state = book.state(way.source)
    theirs = way.event == "due" or set(way.by) & set(state.by)
    return writer_of(book).value(state.due) if state.due is not None and theirs else ""


def _span(span: Span) -> str:
    return span_text(site().words, span, language())


def _message(book: Procedure, way: DiagramRow) -> str:
    """What the applicant is told on arriving: the book's own words, else the house's for that label."""
    own = next(
        (one for one in book.notices if one.event in (way.target, way.transition.id) and one.to == "applicant"), None
    )
    template = (own.sms or own.inbox or own.email_body) if own else None
    if template is not None:
        return CircuitReader(book, office().directory, site().words, language()).template(template)
    before, after = book.state(way.source), book.state(way.target)
    if before.public == after.public and kind_of(before) == kind_of(after):
        return ""
    return say("definition.notice_house")
