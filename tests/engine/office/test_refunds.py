"""Money that goes back: once, and never more than came in, however many states and acts give it back."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.definition.catalogue import Catalogue
from engine.office.casework import preview_transition
from engine.office.fee_accounts import fee_accounts
from engine.office.inspection import fsck
from engine.office.surplus import to_give_back
from engine.records.dossier import Dossier
from engine.records.store import Store
from engine.rules.decision import Act
from tests.engine.office import world as worlds
from tests.engine.office.world import ROOT, World, a_world
from tests.makers import compiled, the_shared

HALL = (ROOT / "tests/good/deposit.yaml").read_text("utf-8")
TWICE = HALL.replace("abime: {label:", "abime: {returns: caution, label:")
TWICE_DEBITED = "+22890000006"


def paid(
    folder: Path, patch: pytest.MonkeyPatch, book: str, payer: str = "+22890000001", store: Store | None = None
) -> tuple[World, Dossier]:
    """A hall whose deposit and price were paid."""
    patch.setattr(worlds, "shipped", lambda: Catalogue.of([compiled(book, "deposit.yaml")], the_shared()))
    world = a_world(folder, store)
    return world, world.paid(world.sent("deposit", surface=10, etat=False, etudiant=False), payer)


def back(world: World, dossier: Dossier) -> dict[str, tuple[int, int]]:
    """What of each price came in and went back."""
    accounts = fee_accounts(world.office, world.owner(dossier), dossier.id)
    return {one.fee: (one.paid, one.returned) for one in accounts}


@pytest.mark.parametrize(
    ("book", "act", "francs"), [(HALL, "degrader", 10_000), (HALL, "rendre", 20_000), (TWICE, "degrader", 20_000)]
)
def test_an_act_and_the_state_it_leads_to_give_back_no_more_than_was_paid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, book: str, act: str, francs: int
) -> None:
    world, dossier = paid(tmp_path, monkeypatch, book)
    agent = world.agent("i", "obac/instructeur")
    foreseen = preview_transition(world.office, agent, dossier.id, Act(act)).back
    assert sum(amount for _, _, amount in foreseen) == francs, "what is shown before is what happens"
    after = world.take(dossier, agent, act)
    assert back(world, after) == {"caution": (20_000, francs), "taxe": (10_000, 0)}
    assert fsck(world.office) == ()


def test_what_came_in_over_the_price_goes_back_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator took the whole twice: the surplus is told with the payment, the deposit with its price."""
    book = HALL.replace("returns: caution}", "returns: [caution, taxe]}")
    world, dossier = paid(tmp_path, monkeypatch, book, TWICE_DEBITED)
    over = sum(to_give_back(world.office, world.owner(dossier), dossier.id).values())
    assert over == 30_000
    after = world.take(dossier, world.agent("i", "obac/instructeur"), "rendre")
    assert sum(returned for _, returned in back(world, after).values()) == 30_000, "60 000 came in, 60 000 go back"
    assert fsck(world.office) == ()
