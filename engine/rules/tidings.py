"""How an agent wishes to be told what waits for them: once in the morning, soon after it comes, or not at all. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from engine.records.dossier import Account
from engine.values import Plain

TIDINGS: Final = "tidings"  # in an account's profile

How: TypeAlias = Literal["daily", "soon", "never"]
HOWS: Final[tuple[How, ...]] = ("daily", "soon", "never")


@dataclass(frozen=True, slots=True)
class Tidings:
    """`email` empty: nowhere to write to. Whoever wants them soon has the morning's too."""

    how: How = "daily"
    email: str = ""
    language: str = "fr"

    @property
    def each_morning(self) -> bool:
        return bool(self.email) and self.how != "never"

    @property
    def soon(self) -> bool:
        return bool(self.email) and self.how == "soon"


def how_named(said: str) -> How:
    for one in HOWS:
        if one == said:
            return one
    return "daily"


def tidings_of(account: Account) -> Tidings:
    """As they were said; else each morning, to the address they sign in with, where it is one."""
    said = account.profile.get(TIDINGS)
    if not isinstance(said, Mapping):
        return Tidings(email=account.login if "@" in account.login else "")
    return Tidings(how_named(str(said.get("how"))), str(said.get("email", "")), str(said.get("language", "fr")))


def with_tidings(account: Account, tidings: Tidings) -> Mapping[str, Plain]:
    """The profile of somebody who wishes so."""
    kept: Plain = {"how": tidings.how, "email": tidings.email, "language": tidings.language}
    return {**account.profile, TIDINGS: kept}
