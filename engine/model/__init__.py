"""The compiled book, frozen: what a procedure IS. Data only.

Everything the surface of a file says compiles to three tasks (`Form`, `Fee`, `Appointment`), states, transitions and
clocks (`docs/language.md` §14). Every thing knows the place it was written (`where`, left out of comparison) and the
law each of its keys rests on (`basis`: key of the thing → id of a law; the key `*` covers all the others).

The application form is the task `APPLICATION`; the draft before it is sent is the state `DRAFT`. Evidence is a field
of type `evidence` on the form's last page.
"""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import Final

from engine.model.base import (
    APPLICANT,
    APPLICATION,
    COUNTER,
    DRAFT,
    MOBILE_MONEY,
    PAYMENT_METHODS,
    SYSTEM,
    How,
    Mode,
    NamedElement,
    Outcome,
    Public,
    Relation,
    Silence,
    Template,
)
from engine.model.form import Bounds, Criterion, EvidenceTerms, Field, FormCheck, Option, Page, Total
from engine.model.legal import Accept, Appeal, Contact, Delay, Identity, Law, PersonalData, Sensitive
from engine.model.procedure import CodeList, Notice, Output, Procedure, Scenario, Scheme, Step
from engine.model.tasks import Appointment, Consulted, Cut, Fee, FeeLine, Form, Hours, Instalments, Link, Task
from engine.model.workflow import NO_EFFECTS, Effects, Key, State, Table, TimeLimit, Transition

__all__ = [
    "APPLICANT",
    "APPLICATION",
    "COUNTER",
    "DRAFT",
    "MOBILE_MONEY",
    "NO_EFFECTS",
    "PAYMENT_METHODS",
    "SYSTEM",
    "Accept",
    "Appeal",
    "Appointment",
    "Bounds",
    "CodeList",
    "Consulted",
    "Contact",
    "Criterion",
    "Cut",
    "Delay",
    "Effects",
    "EvidenceTerms",
    "Fee",
    "FeeLine",
    "Field",
    "Form",
    "FormCheck",
    "Hours",
    "How",
    "Identity",
    "Instalments",
    "Key",
    "Law",
    "Link",
    "Mode",
    "NamedElement",
    "Notice",
    "Option",
    "Outcome",
    "Output",
    "Page",
    "PersonalData",
    "Procedure",
    "Public",
    "Relation",
    "Scenario",
    "Scheme",
    "Sensitive",
    "Silence",
    "State",
    "Step",
    "Table",
    "Task",
    "Template",
    "TimeLimit",
    "Total",
    "Transition",
    "is_part",
]


def is_part(value: object) -> bool:
    """Return whether a value is a part of a procedure."""
    return type(value) in _PARTS


_PARTS: Final = frozenset(
    one for one in map(globals().get, __all__) if isinstance(one, type) and is_dataclass(one)
)  # fmt: skip
