"""A dossier does not move to an edition whose documents would state what no agent and no register checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.model import Procedure
from engine.operations.migration import migrate
from tests.engine.services.editions import publish
from tests.engine.services.world import World, a_world
from tests.makers import compiled

GOOD = Path(__file__).resolve().parents[4] / "tests/good"
ATTESTATION = (GOOD / "paper-confirmed-by-an-act.yaml").read_text("utf-8")
LATER = (("edition: 1\n", "edition: 2\n"), ("personal_data:", "migrate: {1: {}}\npersonal_data:"))
COMPARED = ", confirms: {acte: [nom]}"
STATED = ("    particulars: [{nom: Nom de famille}]\n", "atteste que {nom} est inscrit")
# a form in which the director writes what the applicant wrote before
TYPED = ("fields:\n      nom:", "fields:\n      rang: {label: Rang, type: integer, example: 1}\n      nom:")
WRITTEN = (
    ("workflow:\n", "later_forms:\n  constat: {title: Constat, fields: {rang: {label: Rang, type: integer, example: 1}}}\nworkflow:\n"),
    (COMPARED, f"{COMPARED}, fills: constat"),
    ("est inscrit", "est inscrit au rang {rang}"),
)  # fmt: skip


def an_edition(*edits: tuple[str, str]) -> Procedure:
    text = ATTESTATION
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    return compiled(text, "paper-confirmed-by-an-act.yaml")


DECLARED = ((STATED[0], "    declared: [nom]\n"), (STATED[1], "prend acte"))


@pytest.mark.parametrize(
    ("first", "later", "acts", "reason"),
    [
        (((COMPARED, ""), *DECLARED), (), 1, "nom"),  # signed next: never compared
        (((COMPARED, ""), *DECLARED), (), 0, ""),  # the comparison is still ahead
        ((), (), 1, ""),  # compared under the first edition
        (((COMPARED, ""), *DECLARED), ((COMPARED, ""), *DECLARED), 1, ""),  # stated by neither
        ((TYPED,), WRITTEN, 1, "rang"),  # typed by the applicant, printed as written by the agent
        ((TYPED,), WRITTEN, 0, ""),  # the agent will write it
    ],
)
def test_what_nothing_checked_keeps_a_dossier(
    tmp_path: Path, first: tuple[tuple[str, str], ...], later: tuple[tuple[str, str], ...], acts: int, reason: str
) -> None:
    world: World = a_world(tmp_path)
    publish(world, an_edition(*first))
    dossier = world.sent("paper-confirmed-by-an-act")
    for act in ("verifier",)[:acts]:
        world.take(dossier, world.agent("instructeur", "obac/instructeur"), act)
    publish(world, an_edition(*LATER, *later))
    found = migrate(world.office, "paper-confirmed-by-an-act")
    assert [(one.why.code, one.why.facts["at"]) for one in found.staying] == ([("unchecked", reason)] if reason else [])
    assert len(found.moved) == (not reason)
