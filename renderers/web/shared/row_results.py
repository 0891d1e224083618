"""Decision for each row (a visa granted to one traveller, refused to another), with its documents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.core.clock import local_day
from engine.domain.common.access import may_read
from engine.domain.documents.documents import is_erased, status_of
from engine.domain.fields.display import column_words
from engine.domain.fields.field_type import Speech
from engine.domain.fields.views import FieldView, FormView
from engine.model import Form
from engine.records.dossier import IssuedDocument
from renderers.i18n.translations import typographic
from renderers.web.platform.dossier_context import DossierContext, label
from renderers.web.platform.request_context import actor, app_ctx, day_of, language, say


@dataclass(frozen=True, slots=True)
class DocumentLine:
    """An issued document. The address is that of its page, or of its PDF if it has no code. Empty once it is erased."""

    title: str
    text: str
    href: str
    tag: str
    kind: str


@dataclass(frozen=True, slots=True)
class RowResult:
    """The documents and answers about one row, once the dossier is decided.

    `kind` and `tag` are the colour and the word for granted or refused, if the procedure distinguishes them.
    `lines` are label and text of answers.
    """

    title: str
    tag: str
    kind: str
    lines: tuple[tuple[str, str], ...]
    documents: tuple[DocumentLine, ...]


def document_line(one: DossierContext, document: IssuedDocument) -> DocumentLine:
    """Return an issued document: number, dates, state and addresses."""
    state = status_of(document, local_day(app_ctx().now()))
    issued = day_of(document.issued_at)
    text = say("track.document_text", number=document.number, day=issued)
    if document.valid_until is not None and state in ("valid", "expired"):
        text += ". " + say("track.document_until", day=day_of(document.valid_until))
    paper_only = one.procedure.outputs[document.output].verify == "none" and state in ("valid", "expired", "replaced")
    return DocumentLine(
        typographic(document.title, one.dossier.language), text, "" if is_erased(document) else one.at(f"/documents/{document.id}{'.pdf' if paper_only else ''}"),
        "" if state == "valid" else say(f"track.document_{state}"), "" if state == "valid" else "bad",
    )  # fmt: skip


def form_lines(one: DossierContext) -> list[DocumentLine]:
    """Return the issued forms that the applicant brings."""
    issued = (document for document in one.dossier.documents if one.procedure.outputs[document.output].kind == "form")
    return [document_line(one, document) for document in issued]


def row_results(one: DossierContext, form: FormView) -> list[RowResult]:
    """Return the documents and the agents' answers of each row, once the dossier is decided.

    Before that nothing is returned, because a decision may still be reviewed.
    """
    outputs = one.procedure.outputs
    given = [
        document for document in one.dossier.documents if document.row is not None and outputs[document.output].per
    ]
    groups = {outputs[document.output].per for document in given}
    decided = [task for task in one.procedure.forms() if task.each and task.id in one.dossier.done]
    if one.dossier.closed_at is not None:
        groups |= {task.each for task in decided}
    found: list[RowResult] = []
    for view in (view for page in form.pages for view in page.fields if view.id in groups and not view.masked):
        papers = [document for document in given if outputs[document.output].per == view.id]
        forms = [task for task in decided if task.each == view.id]
        found += _of_group(one, view, papers, forms)
    return found


def _of_group(
    one: DossierContext, view: FieldView, papers: list[IssuedDocument], forms: list[Form]
) -> Iterator[RowResult]:  # fmt: skip
    outputs = one.procedure.outputs
    distinct = any(output.per == view.id and output.grants for output in outputs.values())
    for at, row in enumerate(view.rows):
        mine = [document for document in papers if document.row == at]
        held = [document for document in mine if document.status not in ("revoked", "replaced")]
        granted = any(outputs[document.output].grants for document in held)
        shown = forms if held or one.dossier.closed_at else []  # a decision of a new examination may still be reviewed
        tag = ("granted" if granted else "refused") if distinct and (held or one.dossier.closed_at) else ""
        yield RowResult(
            row.label or say("rows.number", number=row.number), say(f"result.{tag}") if tag else "",
            {"granted": "ok", "refused": "bad"}.get(tag, ""), tuple(_answers(one, view.id, at, shown, bool(tag))),
            tuple(document_line(one, document) for document in mine),
        )  # fmt: skip


def _answers(one: DossierContext, rows: str, number: int, forms: list[Form], tagged: bool) -> Iterator[tuple[str, str]]:
    """Yield the answers about the row that the reader may see. The tag replaces a yes or no."""
    evaluated, speech = one.evaluated(), Speech(app_ctx().wording, language())
    for field in (field for form in forms for field in form.fields):
        if (tagged and field.type == "yes_no") or not may_read(one.procedure, one.dossier, field.id, actor()):
            continue
        if text := column_words(evaluated, rows, number, field, speech):
            yield label(field.label), text
