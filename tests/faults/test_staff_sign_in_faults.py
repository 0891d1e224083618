"""T08. At the sign-in of agents and auditors, every refused attempt gets the same answer for the same work.

Unknown name, wrong password and closed account cost the same number of hashes and transactions. Work is counted, not timed. Then the
mutants.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher, extract_parameters

from engine.core.problems import Refused, refusal
from engine.records.dossier import Account
from engine.services.keys import secrets
from engine.services.keys.secrets import hash_secret
from engine.services.sign_in import agent_sign_in as staff
from engine.storage.sqlite.store import SqliteStore
from engine.storage.unit_of_work import Unit
from tests.faults.concurrency import a_market

pytestmark = [pytest.mark.slow, pytest.mark.faults]

PASSWORD = "quatre mots sans suite"
KNOWN = Account("a1", "agent", "A. Mensah", "mensah", "", ("mairie/maire",))
TRIES = {
    "nobody": "personne",
    "a wrong password": "mensah",
    "a closed account": "parti",
    "no name at all": "",
    "an odd one": "\0" * 200,
}


class Watched(SqliteStore):
    """Counts the transactions it is asked for."""

    units = 0

    def unit(self, write: bool = False, wait_limit: float | None = None) -> AbstractContextManager[Unit]:
        self.units += 1
        return super().unit(write)


def answers_at_the_door(folder: Path, patch: pytest.MonkeyPatch) -> dict[str, tuple[object, ...]]:
    """What each is told, and what it cost: the reason, transactions, hashes with their cost."""
    store, hashed = Watched(folder / "guichet.db"), list[str]()

    class Hasher(PasswordHasher):
        def verify(self, hash: Any, password: Any) -> Any:
            hashed.append(str(extract_parameters(hash)))
            return honest.verify(hash, password)

    office = a_market(folder, store).office
    honest = secrets._hasher
    with store.unit(write=True) as unit:
        unit.put_account(replace(KNOWN, secret=hash_secret(PASSWORD)))
        unit.put_account(replace(KNOWN, id="a2", login="parti", secret=hash_secret(PASSWORD), disabled=True))
    patch.setattr(secrets, "_hasher", Hasher())
    found: dict[str, tuple[object, ...]] = {}
    for who, login in TRIES.items():
        before = store.units
        hashed.clear()
        with pytest.raises(Refused) as closed:
            staff.sign_in(office, "agent", login, PASSWORD if who == "a closed account" else "un autre", client=who)
        reason = closed.value.reason
        found[who] = (reason.code, dict(reason.facts), store.units - before, tuple(hashed))
    store.close()
    return found


def told_apart(found: dict[str, tuple[object, ...]]) -> list[str]:
    return [who for who, one in found.items() if one != found["a wrong password"]]


def test_who_is_not_let_in_learns_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = answers_at_the_door(tmp_path, monkeypatch)
    assert told_apart(found) == []
    assert len(found["nobody"][3]) == 1  # type: ignore[arg-type]


# -- mutants -------------------------------------------------------------------------------------------------------------


def nobody_is_not_hashed(patch: pytest.MonkeyPatch) -> None:
    honest = secrets.is_secret
    patch.setattr(staff, "is_secret", lambda kept, password, **how: bool(kept) and honest(kept, password, **how))


def nobody_costs_less(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(secrets, "_DUMMY_HASH", PasswordHasher(time_cost=2, memory_cost=8, parallelism=1).hash("nobody"))


def a_closed_account_is_told(patch: pytest.MonkeyPatch) -> None:
    honest = staff.sign_in

    def sign_in(office: Any, kind: Any, login: str, *more: Any, **others: Any) -> Any:
        if login == "parti":
            raise Refused(refusal("closed"))
        return honest(office, kind, login, *more, **others)

    patch.setattr(staff, "sign_in", sign_in)


@pytest.mark.nightly("mutant")
@pytest.mark.parametrize(
    ("mutant", "who"),
    [(nobody_is_not_hashed, "nobody"), (nobody_costs_less, "nobody"), (a_closed_account_is_told, "a closed account")],
    ids=lambda one: one.__name__ if callable(one) else None,
)
def test_a_door_that_tells_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mutant: Callable[[pytest.MonkeyPatch], None], who: str
) -> None:
    mutant(monkeypatch)
    assert who in told_apart(answers_at_the_door(tmp_path, monkeypatch))
