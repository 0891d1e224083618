"""The compiled procedure as frozen data, without behaviour.

All constructs of a file compile to three tasks (`Form`, `Fee`, `Appointment`), states, transitions and legal time
limits (`docs/language.md` §14). Each element knows the place where it was written. `where` is left out of
comparisons. `basis` maps each key of an element to the id of a law. The key `*` covers all other keys.

The application form is the task `APPLICATION`. The draft before submission is the state `DRAFT`. Evidence is a
field of type `evidence` on the last page of the form.
"""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import Final

from engine.model.base import (
    APPLICANT,
    APPLICATION,
    CASH,
    COUNTER,
    DRAFT,
    MOBILE_MONEY,
    PAPER,
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
from engine.model.form import Annotation, Bounds, Criterion, EvidenceTerms, Field, FormCheck, Option, Page, Total
from engine.model.legal import Accept, Appeal, Contact, Delay, Identity, Law, PersonalData, Sensitive
from engine.model.procedure import CodeList, Notice, Output, Procedure, Scenario, Scheme, Step
from engine.model.tasks import Appointment, Consulted, Cut, Fee, FeeLine, Form, Hours, Instalments, Link, Task
from engine.model.workflow import NO_EFFECTS, Effects, Key, State, Table, TimeLimit, Transition

__all__ = [
    "APPLICANT",
    "APPLICATION",
    "CASH",
    "COUNTER",
    "DRAFT",
    "MOBILE_MONEY",
    "NO_EFFECTS",
    "PAPER",
    "PAYMENT_METHODS",
    "SYSTEM",
    "Accept",
    "Annotation",
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
