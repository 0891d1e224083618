"""The anonymous snapshot: counts of what runs, taken from the store and holding nobody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.definition.model import Field, Form, Procedure
from engine.definition.snapshot import Tally, snapshot_plain
from engine.office.editions import LostEdition
from engine.office.office import Office, pinned
from engine.records.dossier import Dossier
from engine.rules.answers import is_blank
from engine.values import Plain

_CHOSEN = frozenset({"choice", "choices", "evidence"})


def take_snapshot(office: Office) -> Plain:
    """Counts of every dossier that is not over, by procedure, edition, state, answer and option in use (`snapshot.schema.json`)."""
    tallies: dict[str, dict[int, Tally]] = {}
    for dossier_id in office.store.all_dossiers():
        with office.store.unit() as unit:
            dossier = unit.dossier(dossier_id)
            if dossier is None or dossier.closed_at is not None:
                continue
            try:
                book: Procedure | None = pinned(office, unit, dossier)
            except LostEdition:
                book = None  # it runs all the same
        tally = tallies.setdefault(dossier.procedure, {}).setdefault(dossier.edition, Tally())
        _count(office, tally, dossier, book)
    return snapshot_plain(tallies, office.day())


def _count(office: Office, tally: Tally, dossier: Dossier, book: Procedure | None) -> None:
    if dossier.is_draft:
        tally.drafts += 1
        return
    tally.add("states", [dossier.state])
    tally.add("fees", dossier.owed)
    now = office.now()
    tally.add(
        "bookings", [name for name, one in dossier.bookings.items() if one.status == "booked" and one.start > now]
    )
    if book is not None:
        tally.add("answers", _in_use(book, dossier.answers))


def _in_use(book: Procedure, answers: Mapping[str, Plain]) -> Iterator[str]:
    """The questions, columns and options that a dossier's answers use, by the names that `migrate` gives them."""
    asked = {**{one.id: one.field for one in book.eligibility}, **book.fields}
    for name, answer in answers.items():
        form = book.tasks.get(name)
        if isinstance(form, Form) and form.each:
            yield name
            for one in answer if isinstance(answer, list) else []:
                filled = one.get("answers") if isinstance(one, dict) else None
                yield from _columns(form.fields, filled, form.each)
        elif name in asked:
            yield from _of(asked[name], answer, name)


def _of(field: Field, answer: Plain, at: str) -> Iterator[str]:
    if is_blank(answer):
        return
    yield at
    if field.type == "rows":
        for row in answer if isinstance(answer, list) else []:
            yield from _columns(field.rows, row, at)
    elif field.type in _CHOSEN and field.list_id is None:
        chosen = answer.get("is") if isinstance(answer, dict) else answer
        codes = chosen if isinstance(chosen, list) else [chosen]
        yield from (f"{at}.{code}" for code in codes if isinstance(code, str) and field_has(field, code))


def field_has(field: Field, code: str) -> bool:
    """Whether a code is one of the question's own: what a person typed never becomes a name of the file."""
    own = field.evidence.any_of if field.evidence is not None else field.options
    return any(one.code == code for one in own)


def _columns(columns: tuple[Field, ...], row: Plain, at: str) -> Iterator[str]:
    if isinstance(row, dict):
        for column in columns:
            yield from _of(column, row.get(column.id), f"{at}.{column.id}")
