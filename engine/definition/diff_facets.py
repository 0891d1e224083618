"""The facets of a thing of the model: what a change may touch, read from the model's own dataclasses, so that what the model
learns to hold is compared from that day on. What is left out is named, with its reason, in `LEFT_OUT`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any, Final

# Attributes of the model that are no facet of the element itself, and where they are compared instead.
LEFT_OUT: Final[Mapping[str, frozenset[str]]] = MappingProxyType({
    "Thing": frozenset({"id", "where"}),  # the id is the element's path; a place is no meaning
    "Field": frozenset({"value_type", "options", "rows", "checks", "evidence", "bounds"}),  # derived, or below
    "EvidenceTerms": frozenset({"any_of"}),  # elements
    "Page": frozenset({"fields", "checks"}),  # elements
    "Criterion": frozenset({"field"}),  # its facets are the criterion's
    "Form": frozenset({"pages", "services", "asked"}),  # elements
    "Fee": frozenset({"lines"}),  # elements
    "Table": frozenset({"rows"}),  # elements
    "State": frozenset({"booked", "effects"}),  # said by `mode`; effects are facets
    "Transition": frozenset({"source", "target", "rank", "when", "reopens", "without", "label", "effects", "by"}),
    "Identity": frozenset({"edition", "appeals"}),  # told apart; elements
    "PersonalData": frozenset({"keep", "sensitive"}),  # elements
    "CodeList": frozenset({"id", "items"}),  # elements
    "Scheme": frozenset({"id"}),
    "Notice": frozenset({"event"}),  # its path
})  # fmt: skip


def facets_of(record: Any, *also_left: str) -> dict[str, object]:
    """The attributes of a record of the model, less those of `LEFT_OUT`."""
    left = {*also_left}
    for kind in type(record).__mro__:
        left |= LEFT_OUT.get(kind.__name__, frozenset())
    return {
        one.name.removesuffix("_"): getattr(record, one.name)
        for one in fields(record)
        if one.name not in left and one.compare
    }


def vars_of(record: Any) -> dict[str, object]:
    """All the attributes of a small record, as facets of the thing around it."""
    return {one.name: getattr(record, one.name) for one in fields(record)}


def order_of(things: Iterable[Any]) -> dict[str, object]:
    """The order of things that are elements of their own, as a facet of the thing around them."""
    return {"order": tuple(getattr(one, "id", None) or one.code for one in things)}
