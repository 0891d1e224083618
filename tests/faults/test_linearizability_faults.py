"""B18. Eight persons read and save one page of a draft at several servers, while servers die.

All answers fit one order, and the journal holds everything stored. Then the mutants.
"""

from __future__ import annotations

import html
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

import pytest

from tests.effort import tries
from tests.faults.installation import Installation, begun, patient
from tests.faults.linearizability import CONFLICT, KEPT, Call, Page, in_some_order, page_of_a_draft
from tests.faults.people import Acknowledged, Browser, Journeys, Stopped, applicant

pytestmark = [pytest.mark.slow, pytest.mark.faults]

PEOPLE, ACTS = 8, 20  # acts of each
_NAME = re.compile(r'<input[^>]*name="nom"[^>]*>')
_VALUE = re.compile(r'value="([^"]*)"')
_REVISION = re.compile(r'name="revision"[^>]*value="(\d+)"')


@dataclass
class History:
    """What everybody asked about one draft and was told."""

    number: str
    first: Page = (0, "")
    calls: list[Call] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


def the_page(person: Browser, number: str) -> Page:
    text = person.open(f"/dossiers/{number}/demande/vous").text
    name, revision = _NAME.search(text), _REVISION.search(text)
    assert name, text[-500:]
    assert revision, text[-500:]
    value = _VALUE.search(name[0])
    return int(revision[1]), html.unescape(value[1]) if value else ""


def act(person: Browser, history: History, place: int, chance: random.Random) -> None:
    """Reads, saves what was read anew, or saves without having looked."""
    seen: int | None = None
    for turn in range(ACTS):
        began, asked, told = time.monotonic(), ("read",), None
        try:
            if chance.random() < 0.4:
                told = the_page(person, history.number)
                seen = told[0]
            else:
                revision = seen if chance.random() < 0.7 else None
                asked = ("save", revision, f"NOM {place} {turn}")
                shown = {} if revision is None else {"revision": str(revision)}
                fields = {"nom": asked[2], "go": "next", **shown}
                answer = person.post(f"/dossiers/{history.number}/demande/vous", fields)
                assert answer.status in (303, 409), (answer.status, answer.text[-300:])
                told = KEPT if answer.status == 303 else CONFLICT
        except Stopped:
            history.calls.append(Call(asked, None, began, inf))
            return
        history.calls.append(Call(asked, told, began, time.monotonic()))


def lived(installation: Installation, kills: int) -> History:
    """Everybody at work on one draft, and servers that are killed meanwhile."""
    (token,) = installation.sessions(1)
    person = applicant(installation.ports, token)
    number = Journeys(person, person, Acknowledged(installation.folder / "told"), b"", ()).begin()
    history = History(number, the_page(person, number))

    def live(place: int) -> None:
        one = applicant(installation.ports, token, at=place, stop=stop)
        try:
            act(one, history, place, random.Random(place))
        except Exception as error:  # judged with the rest
            history.broken.append(repr(error))
        finally:
            one.close()

    stop = threading.Event()
    threads = [threading.Thread(target=live, args=(place,)) for place in range(PEOPLE)]
    for one in threads:
        one.start()
    for turn in range(kills):
        before, end = len(history.calls), time.monotonic() + patient(20)
        while len(history.calls) < before + 8 and any(one.is_alive() for one in threads) and time.monotonic() < end:
            time.sleep(0.005)
        struck = installation.processes[turn % len(installation.processes)]
        installation.kill(struck)
        installation.begin(struck)
    for one in threads:
        one.join(patient(60))
    stop.set()
    return history


def faults_of(installation: Installation, history: History) -> Iterator[str]:
    yield from (f"somebody was not answered: {one}" for one in history.broken)
    if not in_some_order(history.calls, page_of_a_draft, history.first):
        yield "no order of what was done fits what was told"
    kept = sum(one.told == KEPT for one in history.calls)
    with installation.office.store.unit() as unit:
        dossier = unit.dossier_numbered(history.number)
        assert dossier is not None
        saved = Counter(entry.kind for entry in unit.entries(dossier.id))["saved"]
    if saved < kept:
        yield f"{kept} savings were acknowledged, the journal holds {saved}"
    yield from installation.findings()


def test_what_several_were_told_fits_one_order(tmp_path: Path, address: str) -> None:
    with begun(tmp_path, address) as installation:
        for _ in range(tries(1)):
            history = lived(installation, kills=3)
            assert list(faults_of(installation, history)) == []
            told = Counter((one.asked[0], one.told if one.asked[0] == "save" else "") for one in history.calls)
            assert min(told["read", ""], told["save", KEPT], told["save", CONFLICT]) > 5, told
        assert installation.accidents() == []


# -- mutants -------------------------------------------------------------------------------------------------------------


@pytest.mark.nightly("mutant")
def test_who_saves_last_without_having_seen_is_seen(tmp_path: Path) -> None:
    with begun(tmp_path, mutant="whatever_was_seen") as installation:
        assert "no order of what was done fits what was told" in list(
            faults_of(installation, lived(installation, kills=0))
        )


def save(began: float, ended: float, seen: int | None, answer: str, told: str | None = KEPT) -> Call:
    return Call(("save", seen, answer), told, began, ended)


def read(began: float, ended: float, *told: object) -> Call:
    return Call(("read",), told, began, ended)


@pytest.mark.parametrize(
    ("calls", "fits"),
    [
        pytest.param([save(0, 1, 0, "a"), read(2, 3, 1, "a")], True, id="one after the other"),
        pytest.param([save(0, 1, 0, "a"), read(2, 3, 0, "")], False, id="read as it was before"),
        pytest.param([save(0, 3, 0, "a"), read(1, 2, 0, "")], True, id="read while it was saved"),
        pytest.param([save(0, 1, 0, "a"), save(0, 1, 0, "b")], False, id="two of one revision"),
        pytest.param([save(0, 1, 0, "a"), save(0, 1, 0, "b", CONFLICT)], True, id="one of one revision"),
        pytest.param([save(0, 1, 0, "a", CONFLICT)], False, id="a conflict with nobody"),
        pytest.param([save(0, inf, 0, "a", None), read(5, 6, 1, "a")], True, id="done and not told"),
        pytest.param([save(0, inf, 0, "a", None), read(5, 6, 0, "")], True, id="neither done nor told"),
        pytest.param([save(0, inf, 0, "a", None), read(5, 6, 1, "a"), read(7, 8, 0, "")], False, id="done, then not"),
        pytest.param(
            [save(0, 1, None, "a"), save(2, 3, None, "b"), read(4, 5, 1, "a")], False, id="an act that is lost"
        ),
        pytest.param([read(0, 9, 2, "b"), save(1, 2, None, "a"), save(3, 4, 1, "b")], True, id="a long look"),
        pytest.param([save(0, 9, None, "a"), read(1, 2, 1, "a"), read(3, 4, 0, "")], False, id="seen, then not yet"),
    ],
)
def test_the_search_knows_an_order_when_there_is_one(calls: list[Call], fits: bool) -> None:
    assert in_some_order(calls, page_of_a_draft, (0, "")) is fits
