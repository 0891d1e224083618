"""The words one place of a file may use in its expressions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Final, TypeAlias

from engine.definition.expressions import DATE, TableType, Type
from engine.problems import NOWHERE, Position
from engine.values import Plain

Written: TypeAlias = "Plain | Decimal"

_NOTHING: Final[Mapping[str, Type]] = MappingProxyType({})
_CHANNEL: Final = Type("choice", frozenset({"web", "counter", "paper", "ussd", "api"}))
AMBIENT: Final[Mapping[str, Type]] = MappingProxyType({"today": DATE, "submitted_on": DATE, "channel": _CHANNEL})

ROW_FUNCTIONS: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {"any": (2, 2), "all": (2, 2), "count": (1, 2), "sum": (2, 2), "least": (2, 2), "most": (2, 2)}
)
HISTORY_FUNCTIONS: Final = ("done", "missed", "taken")


@dataclass(frozen=True, slots=True)
class Definition:
    """A named value of the file (`definitions`), as written."""

    text: Written
    where: Position = NOWHERE


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words one place of the file may use.

    `names`: answers with their types. `row`: the columns of the row one is in, outer rows' merged in. `elsewhere`: the
    columns of other rows (E412 instead of N301). `maybe_empty`: the names that may be empty here, for V720; None when
    nobody knows. `renamed`: a block's own name → its name here (`prefix:`), so that places stay exact.
    """

    names: Mapping[str, Type] = field(default_factory=lambda: _NOTHING)
    row: Mapping[str, Type] = field(default_factory=lambda: _NOTHING)
    definitions: Mapping[str, Definition] = field(default_factory=lambda: MappingProxyType({}))
    lists: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    tables: Mapping[str, TableType] = field(default_factory=lambda: MappingProxyType({}))
    tasks: frozenset[str] = frozenset()
    appointments: frozenset[str] = frozenset()
    acts: frozenset[str] = frozenset()
    elsewhere: frozenset[str] = frozenset()
    maybe_empty: frozenset[str] | None = None
    renamed: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def inside(self, row: Mapping[str, Type]) -> Vocabulary:
        """These words plus the columns of a row."""
        return replace(self, row={**self.row, **row})

    def known(self) -> frozenset[str]:
        """Every word that could stand as a value here."""
        return frozenset(self.names) | frozenset(self.row) | frozenset(self.definitions) | frozenset(AMBIENT)
