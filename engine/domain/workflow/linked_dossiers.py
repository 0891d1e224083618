"""Links to earlier dossiers: which may be named, which answers they give, what happens to their documents.

A link is refused with `link_unfit` (another procedure, nothing issued), `not_now` (not requested) or
`link_row`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime

from engine.core.clock import local_day
from engine.core.problems import Refusal, Refused, refusal
from engine.core.values import Plain
from engine.domain.common.access import limited_names
from engine.domain.common.decision import Decision
from engine.domain.common.text_provider import Wording
from engine.domain.fields.field_types import adopt
from engine.domain.fields.raw_answers import OTHER
from engine.domain.fields.scope import evaluate_answers
from engine.domain.workflow.elapsed import goes_on
from engine.domain.workflow.tasks import mark_done, open_tasks
from engine.domain.workflow.transition_context import Moment, TransitionContext, finished
from engine.model import APPLICANT, Field, Form, Link, Procedure
from engine.model.directory import Directory
from engine.model.types import Scope
from engine.records.dossier import SYSTEM_ACTOR, DocumentStatus, Dossier, IssuedDocument

_LIVE = ("valid", "suspended")


def missing_links(procedure: Procedure, dossier: Dossier, scope: Scope) -> tuple[Link, ...]:
    """Return the required links that were not named before submission."""
    return tuple(
        link
        for link in procedure.links()
        if link.id not in dossier.links and link.when.holds(scope) and link.required.holds(scope)
    )


def missing_link(procedure: Procedure, dossier: Dossier, scope: Scope) -> Refusal | None:
    """Return the refusal of a submission because of the first missing link, None without one."""
    for link in missing_links(procedure, dossier, scope):
        return refusal("link_missing", link.where, link=link.id, label=str(link.label))
    return None


def may_end(procedure: Procedure, link: Link, *definitions: Procedure | None) -> bool:
    """Return whether a link may be followed: only the agency of the earlier dossier ends its documents.

    `definitions` are the edition of that dossier and the present one, for a procedure may have changed hands.
    """
    agencies = {one.identity.agency for one in definitions if one is not None}
    return not link.ends_documents or procedure.identity.agency in agencies


def link_unfit(link: Link, earlier: Dossier, procedure: Procedure, row: int | None, scope: Scope) -> Refusal | None:
    """Return why an earlier dossier cannot be linked, None when it can. `procedure` is its own edition."""
    if not link.when.holds(scope):
        return refusal("not_now", link.where, task=link.id)
    if earlier.procedure != link.procedure or earlier.is_draft or is_spent(link, earlier, procedure, row):
        return refusal("link_unfit", link.where, link=link.id)
    rows = earlier.answers.get(link.row) if link.row else None
    if link.row and not (isinstance(rows, list) and row is not None and 0 <= row < len(rows)):
        return refusal("link_row", link.where, link=link.id)
    return None


def is_spent(link: Link, earlier: Dossier, procedure: Procedure, row: int | None) -> bool:
    """Return True when a link needs a document of the earlier dossier, of the row if any, and none is left."""
    return link.relation != "needs" and not any(
        one.status not in ("revoked", "replaced") and (row is None or one.row in (None, row))
        for one in _granting(earlier, procedure)
    )


def copied(
    procedure: Procedure, dossier: Dossier, link: Link, earlier: Dossier, definition: Procedure, row: int | None,
    day: date, directory: Directory,
) -> dict[str, Plain]:  # fmt: skip
    """Return the answers that an earlier dossier fills in, in stored form. `definition` is its own edition.

    What limited readers have there is left out, unless the answer here has limited readers of the same agency. So are
    the answers of agents and services while nothing is decided: the applicant would read them before the decision.
    """
    asking = evaluate_answers(procedure, dossier, day, directory).asking()
    decided = earlier.closed_at is not None or bool(_granting(earlier, definition))
    awaited = frozenset[str]() if decided else answers_of_others(definition)
    found: dict[str, Plain] = {}
    for mine, theirs in link.copies.items():
        field = procedure.fields.get(mine)
        if field is None or theirs in awaited or _is_withheld(procedure, field, definition, theirs, link.row):
            continue
        plain = _theirs(earlier, link, theirs, row)
        if plain is not None and field.type != "rows":
            found.update(adopt(field, {mine: plain}, asking))
        elif plain is not None:
            found[mine] = plain
    return found


def answers_of_others(procedure: Procedure) -> frozenset[str]:
    """Return the names of the answers that agents, services and registers give.

    The applicant reads them once the dossier is closed: before, they may still be reviewed.
    """
    acts = {one.fills for one in procedure.transitions if APPLICANT in one.by}
    forms = (one for one in procedure.forms() if APPLICANT not in one.by and one.id not in acts)
    return frozenset(name for form in forms for name in _names_of(form))


def _names_of(form: Form) -> Iterator[str]:
    yield from (form.id, *(one.id for one in form.services))
    for field in form.fields:
        yield from (field.id, f"{field.id}_{OTHER}")


def _is_withheld(procedure: Procedure, field: Field, definition: Procedure, theirs: str, row: str | None) -> bool:
    """Return True when an answer of an earlier dossier has limited readers whom a copy would not have.

    Whole rows are withheld for one such column. A confidential opinion is never copied: the applicant would read it.
    """
    name = theirs.removesuffix(f"_{OTHER}")
    whole = definition.fields[name].names_within if name in definition.fields else ()
    limited = limited_names(definition).intersection({theirs, name, row, *whole})
    same = procedure.identity.agency == definition.identity.agency and field.id in procedure.personal_data.sensitive
    return bool(limited) and not (same and limited <= definition.personal_data.sensitive.keys())


def _theirs(earlier: Dossier, link: Link, name: str, row: int | None) -> Plain:
    """Return an answer, one of the chosen row, or a part of the last document.

    The parts are `output.number`, `output.issued` and `output.until`.
    """
    output, _, part = name.partition(".")
    if part:
        given = [one for one in earlier.documents if one.output == output and row in (None, one.row)]
        return _of_document(given[-1], part) if given else None
    rows = earlier.answers.get(link.row) if link.row else None
    picked = rows[row] if isinstance(rows, list) and row is not None and row < len(rows) else None
    if isinstance(picked, dict) and name in picked:
        return picked[name]
    return earlier.answers.get(name)


def _of_document(document: IssuedDocument, part: str) -> Plain:
    if part == "number":
        return document.number
    day = local_day(document.issued_at) if part == "issued" else document.valid_until if part == "until" else None
    return day.isoformat() if day else None


# -- end of a link -----------------------------------------------------------------------------------------------------


def awaited_links(procedure: Procedure, dossier: Dossier, scope: Scope) -> tuple[Link, ...]:
    """Return the links whose end the dossier waits for now."""
    return tuple(task for task in open_tasks(procedure, dossier, scope) if isinstance(task, Link))


def link_ended(
    procedure: Procedure, dossier: Dossier, link_id: str, outcome: str, now: datetime, directory: Directory,
    wording: Wording,
) -> Decision:  # fmt: skip
    """Record the end of the earlier dossier: the one that waits for it advances. Raises `Refused` (`not_now`)."""
    moment = Moment(procedure, SYSTEM_ACTOR, now, directory, wording)
    if link_id not in {link.id for link in awaited_links(procedure, dossier, moment.scope(dossier))}:
        raise Refused(refusal("not_now", task=link_id, state=dossier.state))
    passage = TransitionContext.of(dossier).with_(answers={**dossier.answers, link_id: outcome})
    body: dict[str, Plain] = {"task": link_id, "by": "system", "end": outcome}
    passage = mark_done(passage, moment, link_id).note("task_done", body, {f"answers.{link_id}": outcome})
    return finished(goes_on(passage, moment, link_id), moment)


# -- earlier documents -------------------------------------------------------------------------------------------------


def succeeded(
    procedure: Procedure, link: Link, before: Dossier, after: Dossier, outputs: Collection[str],
    earlier: Dossier, definition: Procedure, now: datetime,
) -> tuple[IssuedDocument, ...]:  # fmt: skip
    """Return the earlier dossier's documents that this one ends, with their new status.

    `renews` and `amends` replace them by the documents issued (`outputs`). `revokes` applies when this one is
    granted.
    """
    status = _status(procedure, link, before, after, outputs)
    if status is None:
        return ()
    row = after.links[link.id].row
    live = [one for one in _granting(earlier, definition) if one.status in _LIVE and row in (None, one.row)]
    same = [one for one in live if one.output in outputs]
    return tuple(replace(one, status=status, changed_at=now) for one in same or live)


def _status(
    procedure: Procedure, link: Link, before: Dossier, after: Dossier, outputs: Collection[str]
) -> DocumentStatus | None:
    if link.relation in ("renews", "amends"):
        return "replaced" if any(procedure.outputs[one].grants for one in outputs) else None
    granted = after.closed_at is not None and procedure.state(after.state).outcome == "granted"
    return "revoked" if link.relation == "revokes" and granted and before.closed_at is None else None


def _granting(dossier: Dossier, procedure: Procedure) -> list[IssuedDocument]:
    grants: Mapping[str, bool] = {output.id: output.grants for output in procedure.outputs.values()}
    return [one for one in dossier.documents if grants.get(one.output, False)]
