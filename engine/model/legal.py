"""The legal part of a procedure: administration, laws, personal data and retention, accepted advice."""

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
    """A text that a value of the procedure rests on."""

    title: Text
    status: Literal["sourced", "to_confirm", "plausible"]
    official: bool = False  # a binding text, not a page that reports on it
    source: str | None = None
    article: str | None = None
    url: str | None = None
    checked: date | None = None
    note: Text | None = None
    cite: Text | None = None  # the formula that documents print after « Vu »

    @property
    def is_certain(self) -> bool:
        """Whether a person read the text: it says where and when. Editions published before L601 may say neither."""
        return self.status == "sourced" and bool(self.article or self.url) and self.checked is not None

    @property
    def is_public(self) -> bool:
        """Whether the public page may name it: an official text that a person has read."""
        return self.official and self.is_certain


@dataclass(frozen=True, slots=True, kw_only=True)
class Appeal(NamedElement):
    """An appeal that the applicant may lodge, and the act that lodges it."""

    label: Text
    within: Span | None = None
    act: str | None = None


@dataclass(frozen=True, slots=True)
class Delay:
    """The announced delay: the first entry whose `when` holds. `law` means that it is the legal time limit."""

    entries: tuple[tuple[Expression, Span], ...] = ()
    law: bool = False
    where: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Contact:
    """How people reach the administration."""

    phone: str | None = None
    email: str | None = None
    address: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity(NamedElement):
    """The administration of a procedure and its catalogue entry. `id` is that of the procedure."""

    edition: int
    title: Text
    summary: Text
    agency: str
    category: str | None = None
    life_events: tuple[str, ...] = ()
    languages: tuple[str, ...] = ("fr",)
    channels: tuple[str, ...] = ("web", "counter")
    from_: date | None = None
    until: date | None = None
    delay: Delay
    contact: Contact | None = None
    appeals: Mapping[str, Appeal] = field(default_factory=lambda: MappingProxyType({}))
    audience: tuple[str, ...] = ("natural_person",)
    dossier_label: Template = Template(
        Text(()), frozenset()
    )  # the label of a dossier in lists; empty names are left out
    representative: Literal["allowed", "required", "forbidden"] = "allowed"


@dataclass(frozen=True, slots=True)
class Sensitive:
    """The roles that may read one answer, in which states (empty = all), and how long it is stored."""

    seen_by: tuple[str, ...]
    states: tuple[str, ...] = ()
    keep: Span | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalData(NamedElement):
    """The purpose, legal ground and retention of personal data."""

    purpose: Text
    ground: Literal["legal_obligation", "public_task", "consent", "contract"] = "public_task"
    declaration: str | None = None
    keep: Mapping[str, Span]
    afterwards: Literal["anonymise", "delete"] = "anonymise"
    sensitive: Mapping[str, Sensitive] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Accept(NamedElement):
    """An advice that the file accepts with a reason. `id` is the code."""

    at: str
    because: str
    until: date | None = None
    edition: int | None = None
    used: bool = False
