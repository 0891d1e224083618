"""A procedure on which several persons and workers act in threads of one process, and the invariants of its dossiers."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from engine.core.clock import FixedClock
from engine.integrations.gateways import InboxSender
from engine.integrations.registers import FileRegister
from engine.integrations.simulated_operator import SandboxOperator, SandboxProvider
from engine.language.catalogue.catalogue import Catalogue
from engine.records.dossier import Actor, Dossier
from engine.services.audit.integrity import fsck
from engine.services.context.app_context import AppContext, publish_editions
from engine.storage.files.attachments import AttachmentStore
from engine.storage.unit_of_work import Store
from tests.engine.services.world import MONDAY, BareWords, World, keys
from tests.makers import a_procedure, the_shared
from tests.web.client import STALL

MARKET = "essai"
_STALL = STALL.replace("  photo: {label: Photo de l'étal, accept: [jpg, png]}\n", "")


def a_market(folder: Path, store: Store) -> World:
    """The office of the visitor's market, and nobody at it yet."""
    clock, inbox = FixedClock(MONDAY), InboxSender()
    operator = SandboxOperator(None, clock, b"market")
    store.migrate()
    office = AppContext(
        Catalogue.of([a_procedure(_STALL)], the_shared()), store, AttachmentStore(folder / "files"),
        {"sandbox": SandboxProvider(operator)}, {"sms": inbox, "email": inbox, "inbox": inbox}, {"*": FileRegister(folder)},
        clock, BareWords(), keys(),
    )  # fmt: skip
    return World(publish_editions(office), clock, operator)


def mayor(world: World, name: str = "maire") -> Actor:
    return world.agent(name, "mairie/maire")


def sent(world: World, count: int) -> list[Dossier]:
    """So many requests, each of somebody else."""
    return [world.sent(MARKET, world.applicant(f"+2289000{number:04d}")) for number in range(count)]


@dataclass
class Together:
    """Two who stand at the same place before either goes on, where nothing keeps them apart; where something does, the first waits
    in vain and goes on alone."""

    wait_limit: float = 0.4
    gate: threading.Barrier = field(default_factory=lambda: threading.Barrier(2))

    def meet(self) -> None:
        with suppress(threading.BrokenBarrierError):
            self.gate.wait(self.wait_limit)

    def again(self) -> None:
        self.gate.reset()


def faults_of(world: World, dossiers: list[Dossier]) -> Iterator[str]:
    """Ways taken from where the dossier was not, the same taken twice, and every promise of the store."""
    for one in fsck(world.office):
        yield f"fsck: {one}"
    for dossier in dossiers:
        at = None
        for taken in world.kept(dossier).taken:
            if at is not None and taken.source != at:
                yield f"{dossier.number} went from {taken.source} where it was in {at}"
            at = taken.target
        moves = Counter((one.source, one.target) for one in world.kept(dossier).taken)
        yield from (f"{dossier.number} went {way} {times} times" for way, times in moves.items() if times > 1)
