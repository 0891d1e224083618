"""A worker that is stopped or behind costs nobody what the law gave them: acts that come after are refused, then it plays."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from engine.core.problems import Refused
from engine.domain.common.decision import Act
from engine.records.dossier import Actor, Dossier
from engine.services.applications import casework
from engine.services.applications.opinions import awaited_parts, give_opinion
from engine.services.audit.integrity import fsck
from engine.services.worker import worker as timers
from tests.engine.services.editions import first, publish
from tests.engine.services.world import PASSPORT, World, a_world

SLUG = "kiosque"


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = a_world(tmp_path)
    publish(made, first())
    return made


@pytest.fixture
def urbaniste(world: World) -> Actor:
    return world.agent("urbaniste", "mairie/urbaniste")


def refuse(world: World, agent: Actor, dossier: Dossier) -> Dossier:
    return casework.take_transition(world.office, agent, dossier.id, Act("refuser", reason="Trop près"))


def test_nobody_refuses_what_the_law_has_granted(world: World, urbaniste: Actor) -> None:
    dossier = world.sent(SLUG)
    end = next(
        one.due_at
        for one in world.read(lambda unit: unit.due_timers(world.office.now() + timedelta(days=400), 500))
        if one.name == "silence"
    )
    for late in (timedelta(0), timedelta(hours=9), timedelta(days=30)):
        world.clock.instant = end + late
        offer = next(
            one for one in casework.offers(world.office, urbaniste, dossier.id) if one.transition.id == "refuser"
        )
        assert not offer.open
        with pytest.raises(Refused, match="time_past"):
            refuse(world, urbaniste, dossier)
        with pytest.raises(Refused, match="time_past"):
            casework.preview_transition(world.office, urbaniste, dossier.id, Act("refuser", reason="Trop près"))
    timers.run_pass(world.office)
    after = world.kept(dossier)
    assert (after.state, [one.output for one in after.documents], fsck(world.office)) == ("accorde", ["permis"], ())
    assert "clock_over" in world.kinds(dossier)
    with pytest.raises(Refused, match="state"):
        refuse(world, urbaniste, dossier)


def test_until_the_last_second_the_agent_decides(world: World, urbaniste: Actor) -> None:
    dossier = world.sent(SLUG)
    world.wait(days=91)
    assert refuse(world, urbaniste, dossier).state == "refuse"


def test_an_opinion_that_comes_after_its_silence_is_refused(world: World, urbaniste: Actor) -> None:
    dossier = world.take(world.sent(SLUG), urbaniste, "consulter")
    voirie = world.agent("voirie", "mairie/voirie")
    world.wait(days=40)
    assert [one.closed.code for one in awaited_parts(world.office, voirie, dossier.id) if one.closed] == [
        "time_past",
        "role",
    ]
    with pytest.raises(Refused, match="time_past"):
        give_opinion(world.office, voirie, dossier.id, "avis_voirie", {"opinion": "unfavourable"})
    timers.run_pass(world.office)
    assert world.kept(dossier).answers["avis_voirie"] == "favourable"


@pytest.mark.parametrize(
    "tampering",
    [
        "DELETE FROM timer WHERE dossier = ? AND name = 'silence'",
        "UPDATE timer SET due_at = '2031-01-05T00:00:00.000000Z' WHERE dossier = ? AND name = 'silence'",
        "UPDATE timer SET fired_at = due_at WHERE dossier = ? AND name = 'silence'",
        "INSERT INTO timer (dossier, name, entry, due_at) VALUES (?, 'wait', 1, '2026-01-05T00:00:00.000000Z')",
    ],
    ids=["deleted", "moved", "done", "added"],
)
def test_what_the_law_grants_is_not_taken_away_in_the_database(
    world: World, urbaniste: Actor, tampering: str
) -> None:  # fmt: skip
    """`fsck` tells it, until the next act on the dossier sets its times anew."""
    dossier = world.sent(SLUG)
    assert fsck(world.office) == ()
    with world.office.store.unit(write=True) as unit:
        unit._change(tampering, (dossier.id,))
    assert [(one.code, one.dossier) for one in fsck(world.office)] == [("timers_differ", dossier.id)]
    refuse(world, urbaniste, dossier)
    assert fsck(world.office) == ()


def test_a_reminder_that_comes_too_late_is_noted_and_says_nothing(world: World) -> None:
    visit = world.booked(
        world.paid(world.take(world.sent(PASSPORT), world.agent("checker", "dgdn/controleur"), "conforme")), "depot"
    )
    world.clock.instant = visit.bookings["depot"].start + timedelta(minutes=5)
    letters = world.letters()
    timers.run_pass(world.office)
    assert "timer_void" in world.kinds(visit)
    assert (world.letters(), fsck(world.office)) == (letters, ())
