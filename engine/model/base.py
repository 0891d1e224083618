"""What every thing of a book has, and the words that all of them share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal, Self, TypeAlias, TypeVar

from engine.core.problems import NOWHERE, Position
from engine.core.values import Text

APPLICATION: Final = "demande"
DRAFT: Final = "draft"
MOBILE_MONEY: Final = "mobile_money"
PAYMENT_METHODS: Final = frozenset({"cash", MOBILE_MONEY, "card"})
APPLICANT: Final = "applicant"
COUNTER: Final = "counter"  # the channel of who is helped in an office
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
    """What is read once and asked often: it keeps what is worked out of it alone, for as long as it is itself kept."""

    __slots__ = ("_worked_out",)
    _worked_out: dict[object, Any]

    def once(self, work: Callable[[Self], Found]) -> Found:
        """What `work`, a function of a module, makes of this: worked out the first time. No answer of anybody may be in it."""
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
    """Whatever has a name in a file."""

    id: str
    where: Position = field(default=NOWHERE, compare=False)
    basis: Mapping[str, str] = field(default_factory=lambda: _NONE)

    def law_of(self, key: str) -> str | None:
        """The id of the law that one key of this thing rests on."""
        return self.basis.get(key, self.basis.get("*"))


@dataclass(frozen=True, slots=True)
class Template:
    """A text with `{name}` placeholders, checked when the file was read. Never a template language."""

    text: Text
    names: frozenset[str]
