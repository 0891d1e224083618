"""The whole portal served for a browser: real server, real store on disk, a worker beside it, a clock that tests may move."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image

from engine.core.values import Plain
from engine.domain.forms.part_forms import example_part
from engine.integrations.simulated_operator import SandboxOperator
from engine.model import Form
from engine.records.dossier import Actor, Dossier
from engine.services.applications.opinions import fill_row
from engine.services.context.app_context import AppContext
from engine.services.core.call_queue import beat
from engine.services.worker.dispatcher import Dispatcher
from engine.services.worker.worker import run_pass
from engine.storage.results import Busy
from renderers.cli.admin import installation
from server import DEMO_PASSWORD, Settings, create_app
from tests.engine.services.world import every_piece_agrees, shipped
from tests.web.live_site import listening

ROOT = Path(__file__).resolve().parent.parent.parent
PASSWORD = DEMO_PASSWORD


def decide_visa(office: AppContext, officer: Actor, dossier: Dossier, row: int, answers: Mapping[str, Plain]) -> None:
    """Fills the decision on one traveller, whose passport says what they typed. Other answers are examples."""
    procedure = office.catalogue.procedures[dossier.procedure]
    form = procedure.tasks["decision_visa"]
    assert isinstance(form, Form)
    filling = example_part(procedure, form, str(row), dossier, answers, office.day(), office.directory)
    found = every_piece_agrees(office, dossier, officer, form.id, row)
    fill_row(office, officer, dossier.id, form.id, row, filling, compared=found)


class MovableClock:
    """The real time, and as much later as a test says."""

    def __init__(self) -> None:
        self.later = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.later


@dataclass
class Portal:
    """A running portal. `tour()` does what falls due, as the worker would."""

    url: str
    office: AppContext
    operator: SandboxOperator
    clock: MovableClock

    def move_to(self, instant: datetime) -> None:
        """Lets time pass until then."""
        self.clock.later += max(timedelta(), instant - self.clock.now())
        self.tour()

    def dossier(self, number: str) -> Dossier:
        with self.office.store.unit() as unit:
            found = unit.dossier_numbered(number)
        assert found is not None
        return found

    def tour(self) -> None:
        beat(self.office)
        run_pass(self.office)

    def code_for(self, phone: str) -> str:
        """The sign-in code of the last SMS to a phone (E.164)."""
        with self.office.store.unit() as unit:
            bodies = [letter.body for letter in unit.letters_to(phone)]
        for body in bodies:
            digits = "".join(sign if sign.isdigit() else " " for sign in body).split()
            code = next((one for one in digits if len(one) == 6), None)
            if code:
                return code
        raise AssertionError(f"no code for {phone}: {bodies}")

    def messages(self, phone: str) -> list[str]:
        with self.office.store.unit() as unit:
            return [letter.body for letter in unit.letters_to(phone)]


@contextmanager
def open_portal(folder: Path, database: str = "", **other: object) -> Iterator[Portal]:
    """Serves the portal from an empty folder on a free port until the block ends, on SQLite unless the address of an empty
    `database` is given; `other` parts stand in its office."""
    settings = Settings(procedures=ROOT / "procedures", data=folder, demo=True, database=database)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(installation, "_files", lambda _: shipped())  # read once for all portals of a process
        office, operator = installation.open_office(settings)
    assert operator is not None
    clock = MovableClock()
    operator._clock = clock
    stop = threading.Event()
    with listening() as listener:
        url = listener.address
        office = replace(office, clock=clock, **other, settings=replace(office.settings, base_url=url, short_url=url))
        listener.serves(create_app(replace(settings, base_url=url), office, operator))
        beat(office)
        workers = [
            threading.Thread(target=Dispatcher(lambda: office).run, args=(stop,), daemon=True),
            threading.Thread(target=_work, args=(office, stop), daemon=True),
        ]
        for worker in workers:
            worker.start()
        try:
            yield Portal(url, office, operator, clock)
        finally:
            stop.set()
            office.wakeup.set()
            for worker in workers:
                worker.join(5)
    office.store.close()


def _work(office: AppContext, stop: threading.Event) -> None:
    while not stop.is_set():
        with suppress(Busy):  # as the worker of the server: the next pass looks again
            run_pass(office, calls=False)
        stop.wait(0.5)


def photograph(width: int = 1200, height: int = 900) -> bytes:
    """A picture as a phone would send it."""
    picture = Image.effect_noise((width, height), 30).convert("RGB")
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=85)
    return out.getvalue()


def wait_until(true: object, seconds: float = 10.0) -> None:
    """Waits for something a worker does; fails if it does not come."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():  # type: ignore[operator]
            return
        time.sleep(0.1)
    raise AssertionError("it did not come")
