"""What is given and said: documents issued, notices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.definition.expressions import TRUE, Expression
from engine.definition.model.things import APPLICANT, Template, Thing
from engine.values import Span, Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Output(Thing):
    """A document the procedure issues. `number` is a pattern over agency, office, procedure, year and serial."""

    title: Text
    kind: Literal["permit", "certificate", "card", "contract", "receipt", "quote", "form", "letter"] = "certificate"
    grants: bool
    per: str | None = None
    when: Expression = TRUE
    number: str = "{agency}-{year}-{serial}"
    serial_per: tuple[str, ...] = ("agency", "year")
    gapless: bool = False
    valid: Expression | None = None  # Span from the day of issue, or a date
    signed_by: str | None = None
    shows: tuple[str, ...] = ()
    body: Template | None = None
    verify: Literal["public", "code", "none"] = "code"
    register: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice(Thing):
    """A message owed when `event` happens: a state entered, a transition taken, a task done, a clock over."""

    event: str
    to: str = APPLICANT
    before: Span | None = None
    when: Expression = TRUE
    sms: Template | None = None
    email_subject: Template | None = None
    email_body: Template | None = None
    inbox: Template | None = None
