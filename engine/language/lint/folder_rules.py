"""The rules of other files of a folder: N313 for the name of a procedure, N314 for a name inside one, C572 for its documents.

They need the whole folder, so they run in `guichet lint` and in the gates of a publication, not when a file is
read: a file that leaves the folder takes no other file out of service.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from engine.core.problems import Fact, Position, Problem, problem
from engine.core.spelling import close_names
from engine.language.lint.rule_registry import written_at
from engine.language.source.loader import Path
from engine.model import Link, Procedure

_PARTS: Final = ("number", "issued", "until")  # of a document of the earlier dossier


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The procedures of a folder: their ids, and the definition of one. None when it cannot be compiled."""

    ids: frozenset[str]
    find: Callable[[str], Procedure | None]


def folder_problems(procedure: Procedure, folder: Neighbours) -> Iterator[Problem]:
    """Yield the problems of the names that a procedure takes from other files of its folder."""
    for criterion in procedure.eligibility:
        if criterion.instead is not None and criterion.instead_title is None:
            path = ("eligibility", criterion.id, "instead")
            yield from _unknown(procedure, folder, criterion.instead, path, criterion.where, "instead")
    for field in procedure.form.fields:
        if field.evidence is not None and field.evidence.held_by is not None:
            path = ("evidence", field.id, "held_by")
            yield from _unknown(procedure, folder, field.evidence.held_by, path, field.where, "held_by")
    for link in procedure.links():
        path = ("links", link.id, "procedure")
        missing = list(_unknown(procedure, folder, link.procedure, path, link.where, "links"))
        yield from missing
        earlier = procedure if link.procedure == procedure.id else folder.find(link.procedure)
        if not missing and earlier is not None:
            yield from _unknown_inside(procedure, link, earlier)
            yield from _of_another_agency(procedure, link, earlier)


def _unknown(
    procedure: Procedure, folder: Neighbours, name: str, path: Path, where: Position, what: str
) -> Iterator[Problem]:
    """Yield N313 for the name of a procedure that the folder does not have."""
    known = folder.ids | {procedure.id}
    if name and name not in known:
        near, place = (
            close_names(name, known),
            written_at(procedure, path, written_at(procedure, (*path, "procedure"), where)),
        )
        yield problem("N313", place, name=name, what=what, near=near, **_put(near))


def _unknown_inside(procedure: Procedure, link: Link, earlier: Procedure) -> Iterator[Problem]:
    """Yield N314 for the rows and the copied names of a link that the earlier procedure does not have."""
    rows = {one.id: one for one in earlier.fields.values() if one.type == "rows"}
    if link.row is not None and link.row not in rows:
        yield _absent(procedure, ("links", link.id, "row"), link, link.row, "rows", rows, earlier)
    columns = {one.id for one in rows[link.row].rows} if link.row in rows else set[str]()
    answers = {*earlier.fields, *(f"{one.id}_other" for one in earlier.fields.values() if one.other), *columns}
    for mine, name in link.copies.items():
        path = ("links", link.id, "copies", mine)
        output, dot, part = name.partition(".")
        if not dot and name not in answers:
            yield _absent(procedure, path, link, name, "answer", answers, earlier)
        elif dot and (output not in earlier.outputs or part not in _PARTS):
            documents = {f"{one}.{end}" for one in earlier.outputs for end in _PARTS}
            yield _absent(procedure, path, link, name, "document", documents, earlier)


def _of_another_agency(procedure: Procedure, link: Link, earlier: Procedure) -> Iterator[Problem]:
    """Yield C572 for a link that would end documents of another agency."""
    theirs = earlier.identity.agency
    if link.ends_documents and theirs != procedure.identity.agency:
        where = written_at(procedure, ("links", link.id, "relation"), link.where)
        yield problem("C572", where, name=link.id, relation=link.relation, procedure=earlier.id, agency=theirs)


def _absent(
    procedure: Procedure, path: Path, link: Link, name: str, what: str, known: Iterable[str], earlier: Procedure
) -> Problem:  # fmt: skip
    near, where = close_names(name, known), written_at(procedure, path, link.where)
    return problem("N314", where, name=name, what=what, procedure=earlier.id, near=near, **_put(near))


def _put(near: tuple[str, ...]) -> dict[str, Fact]:
    """The replacement, when only one name is close."""
    return {"put": near[0]} if len(near) == 1 else {}
