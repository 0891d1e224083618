"""The agents of the administration by account id, each looked up when a rule asks about them: a country has thousands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.office.office import Office
from engine.records.dossier import Actor
from engine.records.store import Unit


class Colleagues(Mapping[str, Actor]):
    """Agents whose account is open, as they act today. Answers while its unit is open, and asks about each once."""

    def __init__(self, office: Office, unit: Unit) -> None:
        self._office, self._unit = office, unit
        self._known: dict[str, Actor | None] = {}

    def __getitem__(self, account_id: str) -> Actor:
        if account_id not in self._known:
            account = self._unit.account(account_id)
            is_one = account is not None and account.kind == "agent" and not account.disabled
            self._known[account_id] = self._office.person(account) if account is not None and is_one else None
        found = self._known[account_id]
        if found is None:
            raise KeyError(account_id)
        return found

    def __iter__(self) -> Iterator[str]:
        return (account.id for account in self._unit.accounts("agent") if not account.disabled)

    def __len__(self) -> int:
        return sum(1 for _ in self)
