"""An installation in use is backed up, checked, moved to the other database, and restored on an empty machine.

It follows docs/operation.md command by command, in both directions. Everything acknowledged, files too, is there after each step.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from engine.operations.store_factory import open_store
from tests.effort import tries
from tests.faults.installation import Installation, begun, patient
from tests.faults.load import Load, under_load
from tests.faults.outcomes import faults_of
from tests.faults.stand import ask
from tests.postgres import database

pytestmark = [pytest.mark.slow, pytest.mark.faults]
PEOPLE = 4
ACTS = 40
WAYS = [("sqlite", "postgresql"), ("postgresql", "sqlite")]  # the way back with more effort only


@pytest.fixture
def addresses(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Stores of a kind, each empty."""
    with ExitStack() as kept:

        def new(kind: str, name: str) -> str:
            if kind == "postgresql":
                return kept.enter_context(database())
            return f"sqlite:///{tmp_path / name}.db"

        yield new


def guichet(installation: Installation, *words: str, data: str = "data", store: str = "") -> str:
    """What a command says; it must end well. Forked from the process that forks the servers, which has imported all."""
    environ = {
        "GUICHET_DATA": str(installation.folder / data), "DATABASE_URL": store, "GUICHET_DEMO": "1",
        "GUICHET_PROCEDURES": str(installation.folder / "procedures"), "GUICHET_LANG": "en",
    }  # fmt: skip
    log = installation.folder / f"{words[0]}-{time.monotonic_ns()}.log"
    order = {"do": "start", "command": words, "environ": environ, "log": str(log), "mutant": ""}
    ended = ask({"do": "wait", "pid": ask(order)})
    said = log.read_text("utf-8")
    assert ended == 0, (words, ended, said[-5000:])
    return said


def acts(load: Load, more: int = ACTS) -> list[tuple[str, str]]:
    """What was acknowledged once so many acts more were."""
    enough, end = load.done.count() + more, time.monotonic() + patient(90)
    while load.done.count() < enough:
        assert time.monotonic() < end
        assert load.broken == []
        time.sleep(0.02)
    return load.done.all()


def lacks(address: str, told: list[tuple[str, str]]) -> list[str]:
    """What a store does not hold of what was acknowledged before."""
    with closing(open_store(address)) as store:
        found = [str(one) for one in store.findings()]
        with store.unit() as unit:
            return found + [number for number, _ in told if unit.dossier_numbered(number) is None]


@pytest.mark.parametrize(("first", "other"), WAYS if tries(1) > 1 else WAYS[:1])
def test_the_whole_tour(tmp_path: Path, addresses: Any, first: str, other: str) -> None:
    lived = addresses(first, "lived")
    rehearsal, moved, back = (addresses(other, name) for name in ("rehearsal", "moved", "back"))
    with begun(tmp_path, lived, servers=1) as installation:
        with under_load(installation, PEOPLE) as load:
            before = acts(load)
            guichet(installation, "backup", str(tmp_path / "backup"), store=lived)
            told = acts(load)
            guichet(installation, "copy", "--from", lived, "--to", rehearsal)
            acts(load)
        assert load.broken == []
        assert lacks(rehearsal, told) == []
        installation.kill(*installation.processes)
        assert "dossiers" in guichet(installation, "copy", "--from", lived, "--to", moved)
    with begun(tmp_path, moved, servers=1) as installation:
        with under_load(installation, PEOPLE) as load:
            done = acts(load)
        assert load.broken == []
        assert faults_of(installation, done) == []
        assert installation.accidents() == []
        guichet(installation, "fsck", store=moved)
        assert "back in service" in guichet(installation, "restore", str(tmp_path / "backup"), data="again", store=back)
        guichet(installation, "fsck", data="again", store=back)
    assert lacks(back, before) == []
