"""What a file says of its earlier editions, held against itself: a name may only move to a name that exists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.definition.diff_portrait import portrait
from engine.definition.directory import Directory
from engine.definition.model import Procedure
from engine.definition.near import close_names
from engine.definition.rulebook import rule
from engine.definition.source import read_source
from engine.problems import Problem, problem


@rule("R802")
def moves_to_nowhere(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Each line of `migrate` leads to a name of this edition, or to one that a later line moves on."""
    if not procedure.migrate:
        return
    known = {element.at for element in portrait(procedure).values()}
    source = read_source(procedure.source, procedure.identity.where.file)
    for edition, moves in procedure.migrate.items():
        later = {old for other, map_ in procedure.migrate.items() if other > edition for old in map_}
        for old, new in moves.items():
            if new is None or new in known | later or _option(old, new, moves) in known | later:
                continue
            near = close_names(new, known)
            where = source.position(("migrate", str(edition), old))
            put = {"put": near[0]} if len(near) == 1 else {}
            yield problem("R802", where, name=new, near=near, **put)


def _option(old: str, new: str, moves: Mapping[str, str | None]) -> str:
    """`motif.perte: perdu` means `motif.perdu`, of the question that `motif` has become; so do columns and their options."""
    parts = old.split(".")
    paths = [".".join(parts[:end]) for end in range(1, len(parts))]
    inside = [(moves.get(path) or path).rpartition(".")[2] for path in paths]
    return ".".join([*inside, new.rpartition(".")[2]])
