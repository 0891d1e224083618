"""Public pages of definitions: editions, the definition in sentences and as a file, the workflow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask import Blueprint, Response

from engine.language.diff.population import Count
from engine.model import Procedure
from engine.publication.publications import EditionRecord, edition_records
from engine.services.audit.statistics import FEW, current_counts
from engine.services.context.app_context import NotFound
from renderers.definition.document import CHAPTERS, OPTIONAL, definition_text
from renderers.definition.parts import MatrixRow
from renderers.definition.reader import spelled
from renderers.definition.workflow import CircuitReader
from renderers.html.diagram import DiagramRow, diagram_rows, kind_of, workflow_svg
from renderers.reports.publication import SignatureText
from renderers.web.platform.access import auditor, costly, public
from renderers.web.platform.dossier_context import label
from renderers.web.platform.languages import language
from renderers.web.platform.request_context import app_ctx, file_response, page, say, site
from renderers.web.public.publications import history_sentences, writer
from renderers.web.shared.editions import edition_asked
from renderers.web.shared.staff import known, mandated, procedure_of, staff_page

blueprint = Blueprint("definitions", __name__)


@dataclass(frozen=True, slots=True)
class EditionLine:
    """One edition in the list of editions, with the addresses of its definition, its file, its workflow and its
    comparison."""

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
    """One state: its name, its public label and the number of dossiers in it."""

    title: str
    shown_as: str
    count: str


@dataclass(frozen=True, slots=True)
class Matrix:
    """The table of roles and what each may do."""

    roles: tuple[str, ...]
    matrix: tuple[MatrixRow, ...]


@dataclass(frozen=True, slots=True)
class TransitionRow:
    """One transition in the table of the workflow."""

    number: int
    source: str
    action: str
    who: str
    delay: str
    target: str
    message: str


def edition_lines(slug: str) -> list[EditionLine]:
    """Return all editions of a procedure, the newest first. Raises `NotFound` for an unknown procedure."""
    current = known(procedure_of(slug))
    reported = history_sentences(edition_records(app_ctx().store, slug), current)
    return [_edition_line(record, sentences, current) for record, sentences in reported]


def _edition_line(record: EditionRecord, sentences: list[str], current: Procedure) -> EditionLine:
    one = record.edition
    base = f"/demarches/{one.procedure}"
    query = f"?fingerprint={one.fingerprint}"
    return EditionLine(
        one.edition, one.fingerprint == current.fingerprint, tuple(sentences),
        writer().signature(record.first_publication.origin) if record.first_publication else None, (one.commit or "")[:10], one.fingerprint, f"{base}/definition{query}", f"{base}/definition.yaml{query}",
        f"{base}/circuit{query}", f"{record.before}...{one.fingerprint}" if record.before else "",
    )  # fmt: skip


@blueprint.get("/demarches/<slug>/historique")
@public
def history(slug: str) -> Response:
    """Show all editions of a procedure with what each changed."""
    procedure = known(procedure_of(slug))
    return page(
        "auditor/history.html", slug=slug, procedure=label(procedure.identity.title), editions=edition_lines(slug)
    )


@blueprint.get("/demarches/<slug>/definition")
@public
@costly
def definition(slug: str) -> Response:
    """Show the definition of an edition in sentences. `fingerprint` in the query selects the edition."""
    procedure = edition_asked(slug)
    text = definition_text(procedure, app_ctx().directory, site().words, language(), title_of)
    return page(
        "auditor/definition.html", slug=slug, procedure=label(procedure.identity.title), edition=procedure.edition, text=text,
        chapters=[one for one in CHAPTERS if one not in OPTIONAL or getattr(text, one)],
        fingerprint=procedure.fingerprint, yaml=f"/demarches/{slug}/definition.yaml?fingerprint={procedure.fingerprint}",
    )  # fmt: skip


def title_of(slug: str) -> str:
    """Return the title of another procedure, or the spelled id if the catalogue lacks it."""
    other = procedure_of(slug)
    return label(other.identity.title) if other else spelled(slug)


@blueprint.get("/demarches/<slug>/definition.yaml")
@public
def source(slug: str) -> Response:
    """Serve the YAML file of an edition exactly as published. Raises `NotFound`."""
    procedure = edition_asked(slug)
    with app_ctx().store.unit() as unit:
        kept = unit.edition(slug, procedure.fingerprint)
    if kept is None:
        raise NotFound
    return file_response(kept.source.encode(), "application/yaml; charset=utf-8", f"{slug}-{kept.edition}.yaml")


# -- the workflow ------------------------------------------------------------------------------------------------------


@blueprint.get("/demarches/<slug>/circuit")
@public
@costly
def workflow(slug: str) -> Response:
    """Show the workflow of an edition as diagram and table. Small counts are hidden."""
    procedure = edition_asked(slug)
    return page(
        "auditor/workflow.html", slug=slug, procedure=label(procedure.identity.title), edition=procedure.edition,
        lines=[_transition_line(procedure, transition) for transition in diagram_rows(procedure, language())], counts=current_lines(procedure, FEW), text=_matrix(procedure),
        svg=f"/demarches/{slug}/circuit.svg?fingerprint={procedure.fingerprint}", controller=False, automatic=_passes_by_itself(procedure),
        definition=f"/demarches/{slug}/definition?fingerprint={procedure.fingerprint}",
    )  # fmt: skip


@blueprint.get("/audit/demarches/<slug>/circuit")
@auditor
def workflow_for_auditors(slug: str) -> Response:
    """Show the workflow for auditors, with exact counts."""
    procedure = edition_asked(mandated(slug))
    return staff_page(
        "auditor/workflow.html", slug=slug, procedure=label(procedure.identity.title), edition=procedure.edition,
        lines=[_transition_line(procedure, transition) for transition in diagram_rows(procedure, language())], counts=current_lines(procedure, 0), text=_matrix(procedure),
        svg=f"/audit/demarches/{slug}/circuit.svg?fingerprint={procedure.fingerprint}", controller=True, automatic=_passes_by_itself(procedure),
        definition=f"/demarches/{slug}/definition?fingerprint={procedure.fingerprint}",
    )  # fmt: skip


@blueprint.get("/demarches/<slug>/circuit.svg")
@public
@costly
def picture(slug: str) -> Response:
    """Serve the diagram of the workflow as SVG. Small counts are hidden."""
    procedure = edition_asked(slug)
    return _svg(procedure, current_counts(app_ctx(), procedure, few=FEW))


@blueprint.get("/audit/demarches/<slug>/circuit.svg")
@auditor
def picture_for_auditors(slug: str) -> Response:
    """Serve the diagram of the workflow as SVG for auditors, with exact counts."""
    procedure = edition_asked(mandated(slug))
    return _svg(procedure, current_counts(app_ctx(), procedure))


def _svg(procedure: Procedure, counts: Mapping[str, Count]) -> Response:
    reader = _reader(procedure)
    drawn = workflow_svg(procedure, language(), reader.key(), reader.legend(), counts=counts)
    return file_response(drawn.encode(), "image/svg+xml; charset=utf-8", f"{procedure.id}.svg", inline=True)


def current_lines(procedure: Procedure, few: int) -> list[CurrentEditionRow]:
    """Return the states with their numbers of dossiers, listed beside the diagram. Counts below `few` are hidden."""
    counts = current_counts(app_ctx(), procedure, few=few)
    said = [(one, counts[one.id]) for one in procedure.states.values()]
    return [
        CurrentEditionRow(label(one.label), say(f"status.{one.public}"), count if isinstance(count, str) else site().words.amount(count, language()))
        for one, count in said
    ]  # fmt: skip


def _passes_by_itself(procedure: Procedure) -> bool:
    """Return whether the workflow has a state that the system leaves. The diagram draws it as a white box."""
    return any(kind_of(state) == "system" for state in procedure.states.values())


def _reader(procedure: Procedure) -> CircuitReader:
    return CircuitReader(procedure, app_ctx().directory, site().words, language())


def _matrix(procedure: Procedure) -> Matrix:
    reader = _reader(procedure)
    return Matrix(tuple(reader.role(key) for key in reader.roles()), tuple(reader.matrix()))


def _transition_line(procedure: Procedure, transition: DiagramRow) -> TransitionRow:
    way = _reader(procedure).way(transition.transition)
    return TransitionRow(
        transition.number, transition.source_label, way.what, way.who, way.limit, transition.target_label, _message(procedure, transition)
    )  # fmt: skip


def _message(procedure: Procedure, transition: DiagramRow) -> str:
    """Return what the applicant receives on arrival: the procedure's notice, or the site's standard notice.

    Empty if the public label does not change.
    """
    own = next(
        (
            one
            for one in procedure.notices
            if one.event in (transition.target, transition.transition.id) and one.to == "applicant"
        ),
        None,
    )
    template = (own.sms or own.inbox or own.email_body) if own else None
    if template is not None:
        return _reader(procedure).template(template)
    before, after = procedure.state(transition.source), procedure.state(transition.target)
    if before.public == after.public and kind_of(before) == kind_of(after):
        return ""
    return say("definition.notice_house")
