"""Originals that agents saw: who notes them, what clears a mark, what the journal and `fsck` know of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.core.problems import Refused
from engine.core.values import new_id
from engine.operations.migration import migrate
from engine.records.dossier import Dossier, Original
from engine.services.accounts.personal_data_export import export_own
from engine.services.applications import drafts as intake
from engine.services.appointments.bookings import mark
from engine.services.appointments.office_day import day
from engine.services.appointments.originals import note_originals, originals_of
from engine.services.audit.integrity import fsck
from engine.storage.results import Conflict
from tests.engine.services.applications.test_comparisons import SLUG, chief, clerk, compared, edition
from tests.engine.services.editions import publish
from tests.engine.services.world import World, a_world, pdf

PASSPORT = "passeport-ordinaire"
SHOWN = ("acte: {label: Acte de naissance,", "acte: {label: Acte de naissance, how: [upload, show_original],")


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = a_world(tmp_path)
    publish(made, edition(SHOWN))
    return made


def noted(world: World, dossier: Dossier, **results: Any) -> Dossier:
    return note_originals(world.office, clerk(world), dossier.id, results, token=new_id())


def found(world: World, dossier: Dossier) -> dict[str, str]:
    lines, _ = originals_of(world.office, clerk(world), dossier.id)
    return {one.field.id: one.found.result if one.found else "" for one in lines}


def test_a_mark_stays_until_a_correction_replaces_the_paper(world: World) -> None:
    dossier, owner = world.sent(SLUG, marie=True), world.applicant()
    assert found(world, dossier) == {"acte": "", "livret": ""}
    dossier = noted(world, dossier, acte="seen", livret="missing")
    assert found(world, dossier) == {"acte": "seen", "livret": "missing"}
    assert noted(world, dossier, acte="seen").revision == dossier.revision, "nothing changed: no entry"
    entry = world.read(lambda unit: unit.entries(dossier.id))[-1]
    assert (entry.kind, entry.actor, entry.body["by"]) == ("originals", clerk(world).id, "obac/instructeur")
    assert (entry.body["originals_seen"], entry.body["originals_missing"]) == (["acte"], ["livret"])
    own = export_own(world.office, owner)["dossiers"][0]["originals"]  # type: ignore[call-overload,index]
    assert [(one["evidence"], one["result"]) for one in own] == [("acte", "seen"), ("livret", "missing")]
    world.take(dossier, clerk(world), "faire_corriger", correction={"acte": "Illisible"})
    upload = {"acte": intake.Upload("autre.pdf", pdf())}
    intake.save_corrections(world.office, owner, dossier.id, {}, upload, token=new_id())
    assert found(world, dossier)["acte"] == "seen", "agents still have the former file"
    intake.send_corrections(world.office, owner, dossier.id, token=new_id())
    assert found(world, dossier) == {"acte": "", "livret": "missing"}
    sent = [one for one in world.read(lambda unit: unit.entries(dossier.id)) if one.kind == "corrected"][-1]
    assert sent.body["originals_cleared"] == ["acte"]
    assert fsck(world.office) == ()


def test_a_piece_that_was_compared_was_seen_until_an_agent_notes_otherwise(world: World) -> None:
    dossier = compared(world, world.sent(SLUG))
    assert found(world, dossier) == {"acte": "seen"}
    assert noted(world, dossier, acte="seen").originals == {}
    world.wait(hours=1)
    assert found(world, noted(world, dossier, acte="differs")) == {"acte": "differs"}


@pytest.mark.parametrize(
    ("login", "roles", "results", "code"),
    [
        ("clerk", ("obac/instructeur",), {"photo": "seen"}, "unknown_answer"),
        ("clerk", ("obac/instructeur",), {"livret": "seen"}, "unknown_answer"),  # not asked of this applicant
        ("clerk", ("obac/instructeur",), {"acte": "perhaps"}, "unknown_answer"),
        ("reader", ("ceet/accueil",), {"acte": "seen"}, "role"),
    ],
)
def test_what_may_not_be_noted(world: World, login: str, roles: tuple[str, ...], results: Any, code: str) -> None:
    sensitive = "purpose: Montrer le langage, sensitive: {nom: {seen_by: [ceet/accueil, instructeur]}}"
    publish(world, edition(SHOWN, ("edition: 1", "edition: 2"), ("purpose: Montrer le langage", sensitive)))
    dossier = world.sent(SLUG)
    with pytest.raises(Refused) as closed:
        note_originals(world.office, world.agent(login, *roles), dossier.id, results)
    assert closed.value.reason.code == code
    with pytest.raises(Conflict):
        note_originals(world.office, clerk(world), dossier.id, {"acte": "seen"}, revision=dossier.revision - 1)


def test_another_edition_takes_marks_over_under_its_names(world: World) -> None:
    dossier = noted(world, world.sent(SLUG, marie=True), acte="differs", livret="seen")
    publish(world, edition(
        SHOWN, ("edition: 1", "edition: 2"), ("livret", "livre"),
        ("scenarios:", "migrate: {1: {livret: livre}}\nscenarios:"),
    ))  # fmt: skip
    migrate(world.office, SLUG)
    assert world.kept(dossier).edition == 2
    assert found(world, dossier) == {"acte": "differs", "livre": "seen"}
    assert fsck(world.office) == ()


@pytest.mark.parametrize("altered", ["seen", None])
def test_fsck_finds_a_mark_that_was_altered(world: World, altered: Any) -> None:
    dossier = noted(world, world.sent(SLUG), acte="differs")
    marks = {"acte": Original(world.office.now(), chief(world).id, altered)} if altered else {}
    with world.office.store.unit(write=True) as unit:
        unit.put_dossier(replace(dossier, originals=marks, revision=dossier.revision + 1), dossier.revision)
    (state,) = (one for one in fsck(world.office) if one.code == "projection")
    assert state.facts["differs"] == ["revision", "originals"]


def test_the_day_counts_what_is_to_be_seen_and_a_visit_notes_it_with_itself(world: World) -> None:
    gate, desk = world.agent("gate", "dgdn/controleur"), world.agent("desk", "dgdn/guichet")
    dossier = world.booked(world.paid(world.take(world.sent(PASSPORT), gate, "conforme")), "depot")
    world.clock.instant = dossier.bookings["depot"].start
    (line,) = day(world.office, desk, world.office.day())
    assert line.to_see is not None
    assert line.to_see > 1
    seen: Any = {"acte_naissance": "seen", "photos": "missing"}
    with pytest.raises(Refused):
        mark(world.office, gate, dossier.id, "depot", "attended", originals=seen)
    assert world.kept(dossier).originals == {}, "one unit: refused with the visit"
    after = mark(world.office, desk, dossier.id, "depot", "attended", originals=seen, token=new_id())
    assert (after.state, {name: one.result for name, one in after.originals.items()}) == ("originaux", seen)
    assert world.kinds(dossier)[-3:].count("originals") == 1
    assert fsck(world.office) == ()
