"""The fields that all elements of a procedure have, and the literals that they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal, Self, TypeAlias, TypeVar

from engine.core.problems import NOWHERE, Position
from engine.core.values import Text

APPLICATION: Final = "demande"
DRAFT: Final = "draft"
CASH: Final = "cash"
MOBILE_MONEY: Final = "mobile_money"
PAYMENT_METHODS: Final = frozenset({CASH, MOBILE_MONEY, "card"})
APPLICANT: Final = "applicant"
COUNTER: Final = "counter"  # the channel of requests assisted in an office
PAPER: Final = "paper"  # that of signed forms, which an agent types in
SYSTEM: Final = "system"

Outcome: TypeAlias = Literal["granted", "refused", "withdrawn", "abandoned", "expired", "revoked"]
Public: TypeAlias = Literal[
    "draft", "to_pay", "sent", "in_review", "to_correct", "to_book", "appointment", "accepted", "ready", "refused",
    "closed",
]  # fmt: skip
Mode: TypeAlias = Literal["by", "pay", "book", "attend", "correct", "gather", "look_up", "await", "wait", "end"]
Relation: TypeAlias = Literal["renews", "amends", "duplicates", "revokes", "needs"]
Silence: TypeAlias = Literal["favourable", "unfavourable", "none"]
How: TypeAlias = Literal["upload", "show_original", "legalised_copy", "hand_over", "sign_at_counter"]

_NONE: Final[Mapping[str, str]] = MappingProxyType({})
Found = TypeVar("Found")


class Lasting:
    """An immutable value that caches what is computed from it alone, for as long as it lives."""

    __slots__ = ("_worked_out",)
    _worked_out: dict[object, Any]

    def once(self, work: Callable[[Self], Found]) -> Found:
        """Return the result of `work` for this value, computed once. `work` must be a function at module level.

        The result may not contain an answer of a person.
        """
        try:
            known = self._worked_out
        except AttributeError:
            known = {}
            object.__setattr__(self, "_worked_out", known)
        if work not in known:
            known[work] = work(self)
        found: Found = known[work]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedElement(Lasting):
    """An element that has an id in a definition. `basis` maps its keys to ids of laws."""

    id: str
    where: Position = field(default=NOWHERE, compare=False)
    basis: Mapping[str, str] = field(default_factory=lambda: _NONE)

    def law_of(self, key: str) -> str | None:
        """Return the id of the law that one key of this element rests on. None when there is none."""
        return self.basis.get(key, self.basis.get("*"))


@dataclass(frozen=True, slots=True)
class Template:
    """A text with `{name}` placeholders, checked when the file is read. It is not a template language."""

    text: Text
    names: frozenset[str]
