"""Exported lists.

Rows are stored as codes, in chunks; the renderer translates them on download. A file belongs to the
person who asked for it, for some days. Each download is recorded.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final, TypeAlias

from engine.core.problems import Refused, refusal
from engine.core.values import Plain, canonical_json
from engine.domain.common.access import in_mandate, may_read_whole, reserved_names
from engine.domain.fields.display import answer_words
from engine.domain.fields.field_type import Speech
from engine.domain.fields.field_types import is_asked
from engine.domain.fields.files import FILE_TYPES
from engine.domain.fields.scope import evaluate_answers
from engine.model import Field, Procedure
from engine.model.roles import roles_of
from engine.records.codec import LATE, from_plain, to_plain
from engine.records.dossier import Actor
from engine.records.jobs import Job, JobChunk
from engine.records.people import Reading
from engine.services.applications.casework import QUEUES, count_list, inbox_query, list_inbox
from engine.services.context.app_context import AppContext, NotFound, pinned
from engine.services.context.edition_cache import EditionMissing
from engine.services.core.idempotency import once
from engine.services.core.jobs import FILES, ORDER, give, giver, note, progress
from engine.storage.results import AlreadyExists, DossierLine
from engine.storage.unit_of_work import Unit

FILE_KEPT: Final = timedelta(days=7)
MOST_ROWS: Final = 100_000
_PART: Final = 500  # rows
_ANSWERS: Final = "answers"  # in a row, beside what the list shows

# The rows after a cursor for the person of the job, and the next cursor: empty at the end.
PartOf: TypeAlias = Callable[[Job, Actor, str], tuple[list[Plain], str]]


@dataclass(frozen=True, slots=True)
class InboxExport:
    """The list to export: a queue and its filters, as in the inbox.

    `answers` are questions of the procedure (`exportable`), written in `language`.
    """

    queue: str
    procedure: str = ""
    state: str = ""
    office: str = ""
    text: str = ""
    answers: tuple[str, ...] = field(default=(), metadata=LATE)
    language: str = field(default="", metadata=LATE)
    label: str = field(default="", metadata=LATE)


def exportable(ctx: AppContext, procedure: str) -> tuple[Field, ...]:
    """Return the questions whose answers may be exported: no sensitive one, no file. Empty for an unknown procedure."""
    known = ctx.catalogue.procedures.get(procedure)
    return tuple(one for one in known.form.fields if _is_exportable(known, one)) if known is not None else ()


def _is_exportable(procedure: Procedure, field: Field) -> bool:
    is_open = set(reserved_names(procedure)).isdisjoint(field.names_within)
    return is_open and is_asked(field) and field.type not in FILE_TYPES


def order_export(ctx: AppContext, actor: Actor, asked: InboxExport, *, token: str | None = None) -> Job:
    """Create the job that exports a list.

    Raises `NotFound` for others than agents and for an unknown queue.
    """
    if asked.queue not in QUEUES or actor.kind != "agent":
        raise NotFound
    known = [one.id for one in exportable(ctx, asked.procedure)]
    asked = replace(asked, answers=tuple(one for one in known if one in asked.answers))

    def work(unit: Unit) -> Job:
        wanted = inbox_query(ctx, actor, *_filters(asked))
        total = count_list(unit, actor, wanted, MOST_ROWS) if wanted else 0
        body = to_plain(asked)
        return give(ctx, unit, actor, "tray", body if isinstance(body, dict) else {}, total)

    return once(ctx, actor, "order_tray", token, asked, work, ORDER)


def _filters(asked: InboxExport) -> tuple[str, str | None, str | None, str | None, str, str]:
    return asked.queue, asked.procedure or None, asked.state or None, asked.office or None, asked.text, asked.label


def run_export(ctx: AppContext, order: Job, parts: int) -> int:
    """Write the next chunks of a list. Return the number of rows written."""

    asked = from_plain(InboxExport, order.asked)
    queue, procedure, state, office_id, text, label = _filters(asked)

    def part(order: Job, actor: Actor, mark: str) -> tuple[list[Plain], str]:
        found = list_inbox(
            ctx, actor, queue, procedure=procedure, state=state, office_id=office_id, text=text,
            after=mark or None, limit=_PART, label=label,
        )  # fmt: skip
        lines = [replace(line, owner="") for line in found.lines]
        if not asked.answers:
            return [to_plain(line) for line in lines], found.after or ""
        with ctx.store.unit() as unit:
            read = [_with_answers(ctx, unit, actor, asked, line) for line in lines]
        with ctx.store.unit(write=True) as unit:  # before the file exists: its applicants see who read them
            for reading in filter(None, (one for _, one in read)):
                unit.note_reading(reading)
        return [row for row, _ in read], found.after or ""

    return carry_parts(ctx, order, part, parts)


def _with_answers(
    ctx: AppContext, unit: Unit, actor: Actor, asked: InboxExport, line: DossierLine
) -> tuple[Plain, Reading | None]:
    """Return a row with the answers that the person of the job may read, as text, and this reading, None without answers.

    Each edition says what is sensitive in its dossiers. One that cannot be read gives no answers.
    """
    row, dossier, reading = to_plain(line), unit.dossier(line.id), None
    said: dict[str, Plain] = {}
    with suppress(EditionMissing):
        if dossier is not None and dossier.erased_at is None:
            procedure = pinned(ctx, unit, dossier)
            evaluated = evaluate_answers(procedure, dossier, ctx.day(), ctx.directory)
            speech = Speech(ctx.wording, asked.language)
            fields = (procedure.fields[name] for name in asked.answers if name in procedure.fields)
            said = {
                one.id: answer_words(evaluated, one.id, speech)
                for one in fields
                if _is_exportable(procedure, one) and may_read_whole(procedure, dossier, one, actor)
            }
            role = min(roles_of(procedure) & actor.roles, default="")
            reading = Reading(dossier.id, actor.id, ctx.day(), ctx.now(), role) if said else None
    return {**(row if isinstance(row, dict) else {}), _ANSWERS: said}, reading


def carry_parts(ctx: AppContext, order: Job, part_of: PartOf, most: int) -> int:
    """Write at most `most` chunks, each once even with several workers, and end the job after the last.

    Return the number of rows written.
    """
    written = 0
    for _ in range(most):
        with ctx.store.unit() as unit:
            n, rows, mark = unit.order_parts(order.id)
            try:
                actor = giver(ctx, unit, order)
            except Refused:  # the person may not download the file any more
                mark, n = "", max(n, 1)
        if n and not mark:
            _end(ctx, order, rows)
            break
        found, after = part_of(order, actor, mark)
        after = after if rows + len(found) < MOST_ROWS else ""
        kept = JobChunk(order.id, n + 1, len(found), after, canonical_json(found).decode())
        try:
            with ctx.store.unit(write=True) as unit:
                unit.add_order_part(kept)
        except AlreadyExists:  # another worker wrote it meanwhile
            continue
        written += len(found)
        if not after:
            _end(ctx, order, rows + len(found))
            break
    return written


def _end(ctx: AppContext, order: Job, rows: int) -> None:
    now = ctx.now()
    with ctx.store.unit(write=True) as unit:
        kept = unit.order(order.id)
        if kept is not None and kept.ended_at is None:
            unit.put_order(replace(kept, total=rows, ended_at=now, until=now + FILE_KEPT, claimed_until=None))


# -- download ----------------------------------------------------------------------------------------------------------


def take_file(ctx: AppContext, actor: Actor, n: int) -> Iterator[Plain]:
    """Yield the rows of a finished file and record the download.

    Dossiers out of the person's present reach are left out. Raises `NotFound`. Raises Refused:
    file_not_ready, file_gone.
    """
    found = progress(ctx, actor, n)
    if found.order.work not in FILES:
        raise NotFound
    if not found.ended:
        raise Refused(refusal("file_not_ready"))
    if found.order.until is None or found.order.until <= ctx.now():
        raise Refused(refusal("file_gone"))
    with ctx.store.unit(write=True) as unit:
        note(ctx, unit, actor, f"{found.order.work}_taken", found.order)
    rows = _rows(ctx, found.order, found.parts)
    return filter(_seen_by(ctx, actor) if found.order.work == "tray" else _within_mandate(actor), rows)


def export_asked(ctx: AppContext, actor: Actor, n: int) -> InboxExport:
    """Return what a list was ordered with. Raises `NotFound` as `take_file`."""
    return from_plain(InboxExport, progress(ctx, actor, n).order.asked)


def _within_mandate(actor: Actor) -> Callable[[Plain], bool]:
    """Return a filter: whether a row is of a procedure in the auditor's present mandate."""
    return lambda row: isinstance(row, dict) and in_mandate(actor, str(row.get("procedure")))


def _seen_by(ctx: AppContext, actor: Actor) -> Callable[[Plain], bool]:
    """Return a filter: whether the person handles the edition and the office of a row today.

    Rights may end before a file does.
    """
    handled = {(one.id, one.edition) for one in ctx.editions.having(ctx.catalogue, actor.roles)}

    def may(row: Plain) -> bool:
        line = export_row(row)
        theirs = not actor.offices or line.office is None or line.office in actor.offices
        return (line.procedure, line.edition) in handled and theirs

    return may


def _rows(ctx: AppContext, order: Job, parts: int) -> Iterator[Plain]:
    for n in range(1, parts + 1):
        with ctx.store.unit() as unit:
            part = unit.order_part(order.id, n)
        rows = json.loads(part.body) if part else []
        yield from rows


def export_row(row: Plain) -> DossierLine:
    """Return a stored row as a line of a list."""
    return from_plain(
        DossierLine, {name: one for name, one in row.items() if name != _ANSWERS} if isinstance(row, dict) else row
    )


def answers_of(row: Plain) -> Mapping[str, Plain]:
    """Return the exported answers of a stored row, by question."""
    found = row.get(_ANSWERS) if isinstance(row, dict) else None
    return found if isinstance(found, dict) else {}


def filters_of(order: Job) -> Mapping[str, Plain]:
    """Return the non-empty filters of an exported file."""
    asked = order.asked if isinstance(order.asked, dict) else {}
    return {name: value for name, value in asked.items() if value}
