"""A worker that dies in the middle of an order, for `test_bulk.py`: killed inside the unit of a dossier, nothing said."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from engine.operations.store_factory import open_store
from engine.records.dossier import Dossier
from engine.services.applications import bulk_actions as bulk
from engine.services.worker import job_runner as carrying_orders
from engine.services.worker.worker import run_pass
from tests.engine.services.world import B3, World, a_world


def to_sign(world: World, count: int) -> list[Dossier]:
    """Extracts paid for, for which the register knows nothing, with their piece compared: they wait for a signature."""
    made = [world.paid(world.sent(B3, world.applicant(f"+2289011{place:04}"))) for place in range(count)]
    run_pass(world.office)
    officer = world.agent("traitement", "sncja/agent_traitement")
    return [world.take(world.kept(one), officer, "comparer") for one in made]


def carry_and_die(folder: str, address: str, nth: str) -> None:
    """Carries orders until the n-th dossier is decided, and dies before that is kept."""
    world = a_world(Path(folder), open_store(address))
    carried, whole = [0], bulk.carry_out

    def dying(*given: Any) -> Dossier:
        after = whole(*given)
        carried[0] += 1
        if carried[0] == int(nth):
            os.kill(os.getpid(), signal.SIGKILL)
        return after

    bulk.carry_out = dying  # type: ignore[assignment]
    carrying_orders.carry_orders(world.office)
