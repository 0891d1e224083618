"""Who is in charge, by which law, what is kept and for how long, what was accepted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Literal

from engine.core.problems import NOWHERE, Position
from engine.core.values import Span, Text
from engine.model.base import NamedElement, Template
from engine.model.types import Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Law(NamedElement):
    title: Text
    status: Literal["sourced", "to_confirm", "plausible"]
    official: bool = False  # a text that binds, not where a value was found
    source: str | None = None
    article: str | None = None
    url: str | None = None
    checked: date | None = None
    note: Text | None = None

    @property
    def is_public(self) -> bool:
        """Whether the public page may name it: an official text that somebody read."""
        return self.official and self.status == "sourced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Appeal(NamedElement):
    label: Text
    within: Span | None = None
    act: str | None = None


@dataclass(frozen=True, slots=True)
class Delay:
    """The announced delay: first entry whose `when` holds; `law` = the legal clock says it."""

    entries: tuple[tuple[Expression, Span], ...] = ()
    law: bool = False
    where: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Contact:
    phone: str | None = None
    email: str | None = None
    address: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity(NamedElement):
    """Who answers for the procedure and what the catalogue says of it. `id` is the procedure's."""

    edition: int
    title: Text
    summary: Text
    agency: str
    category: str | None = None
    life_events: tuple[str, ...] = ()
    languages: tuple[str, ...] = ("fr",)
    channels: tuple[str, ...] = ("web", "counter", "paper", "api")
    from_: date | None = None
    until: date | None = None
    delay: Delay
    contact: Contact | None = None
    appeals: Mapping[str, Appeal] = field(default_factory=lambda: MappingProxyType({}))
    audience: tuple[str, ...] = ("natural_person",)
    dossier_label: Template = Template(Text(()), frozenset())  # names a dossier in lists; empty names vanish
    representative: Literal["allowed", "required", "forbidden"] = "allowed"


@dataclass(frozen=True, slots=True)
class Sensitive:
    """Who may read one answer, in which states (empty = all), and how long it is kept."""

    seen_by: tuple[str, ...]
    states: tuple[str, ...] = ()
    keep: Span | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalData(NamedElement):
    purpose: Text
    ground: Literal["legal_obligation", "public_task", "consent", "contract"] = "public_task"
    declaration: str | None = None
    keep: Mapping[str, Span]
    afterwards: Literal["anonymise", "delete"] = "anonymise"
    sensitive: Mapping[str, Sensitive] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Accept(NamedElement):
    """An advice set aside with a reason. `id` is the code."""

    at: str
    because: str
    until: date | None = None
    edition: int | None = None
    used: bool = False
