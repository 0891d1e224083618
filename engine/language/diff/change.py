"""One difference between two editions, and the chapter of the report that it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from engine.core.problems import NOWHERE, Fact, Position
from engine.core.values import Text
from engine.language.diff.elements import Path
from engine.language.diff.impact import Impact
from engine.model import Accept

Kind: TypeAlias = Literal["added", "changed", "removed"]
Chapter: TypeAlias = Literal["price", "questions", "steps", "visits", "messages", "documents", "data", "texts"]

CHAPTERS: Final[tuple[Chapter, ...]] = (
    "price", "questions", "steps", "visits", "messages", "documents", "data", "texts",
)  # fmt: skip
_CHAPTER_OF: Final[Mapping[str, Chapter]] = {
    "fees": "price", "tables": "price",
    "eligibility": "questions", "eligibility_order": "questions", "form": "questions", "pages": "questions",
    "questions": "questions", "evidence": "questions", "checks": "questions", "lists": "questions",
    "schemes": "questions",
    "workflow": "steps", "states": "steps", "acts": "steps", "clocks": "steps", "later_forms": "steps",
    "look_ups": "steps", "opinions": "steps", "links": "steps", "appeals": "steps",
    "appointments": "visits", "notices": "messages", "definitions": "messages", "outputs": "documents", "annotations": "data",
    "personal_data": "data",
}  # fmt: skip
_FELT_ELSEWHERE: Final[Mapping[tuple[str, str], Chapter]] = {
    ("identity", "delay"): "steps", ("identity", "audience"): "questions", ("identity", "representative"): "questions",
}  # fmt: skip
_NO_FACTS: Final[Mapping[str, Fact]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference. `key` is the facet that changed, empty when the whole element appeared or disappeared.

    `at` is the name of the element in `accept`. `before` and `after` are values of the model, or an `Element` for a
    whole one. `facts` are the values of the message: `feel` (what people notice), amounts, counts of the snapshot,
    near names.
    """

    kind: Kind
    path: Path
    key: str = ""
    at: str
    label: Text
    before: object = None
    after: object = None
    impact: Impact
    code: str = ""
    facts: Mapping[str, Fact] = field(default_factory=lambda: _NO_FACTS)
    where_before: Position = NOWHERE
    where_after: Position = NOWHERE
    accepted: Accept | None = None

    @property
    def chapter(self) -> Chapter:
        """The chapter of the report."""
        return _FELT_ELSEWHERE.get((self.path[0], self.key)) or _CHAPTER_OF.get(self.path[0], "texts")

    @property
    def noun(self) -> str:
        """The kind of element that changed: `questions`, `options`, `lines`, `states`…"""
        return self.path[-2] if len(self.path) > 1 else self.path[0]

    @property
    def weighs(self) -> Impact:
        """The impact, where an accepted break is only to be reviewed."""
        return "review" if self.impact == "breaking" and self.accepted else self.impact
