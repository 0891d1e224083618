"""The rules of laws: what certainty a law may claim, and which values need one.

`sourced` claims that a person read the text. So the law says where (an article or an address) and when (`checked`).
An official text is a law, decree, order or notice itself. A page of the press reports on one, so it is never official.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from engine.core.problems import Problem, problem
from engine.language.lint.general_rules import fields_of, forms_of
from engine.language.lint.rule_registry import rule
from engine.model import Fee, Form, Law, NamedElement, Procedure
from engine.model.directory import Directory

_HOST: Final = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")


@rule("L601")
def sourced_from_nowhere(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield L601 for each law of status `sourced` without article or address."""
    for law in _sourced(procedure):
        if not law.article and not law.url:
            yield problem("L601", law.where, at=law.id, name=law.id)


@rule("L602")
def sourced_at_no_time(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield L602 for each law of status `sourced` without the day on which a person read it."""
    for law in _sourced(procedure):
        if law.checked is None:
            yield problem("L602", law.where, at=law.id, name=law.id)


def _sourced(procedure: Procedure) -> Iterator[Law]:
    return (law for law in procedure.laws.values() if law.status == "sourced")


@rule("L603")
def press_as_official_text(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield L603 for each official text whose address is one of the press (`shared/press.yaml`)."""
    for law in procedure.laws.values():
        host = next((one for one in _hosts(law) if directory.is_press(one)), None)
        if law.official and host is not None:
            yield problem("L603", law.where, at=law.id, name=law.id, host=host)


def _hosts(law: Law) -> list[str]:
    """The hosts that a law names: that of its address, else those of its source."""
    address = (law.url or "").partition("://")[2] or law.url or ""
    if address:
        return _HOST.findall(address.partition("/")[0].lower())
    return _HOST.findall((law.source or "").lower())


@rule("V702")
def value_without_law(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield V702 for a fee, delay, due date, time limit or validity without a law."""
    for thing, key in _values_of_law(procedure):
        if thing.law_of(key) is None:
            yield problem("V702", thing.where, at=thing.id, name=thing.id, key=key)


def _values_of_law(procedure: Procedure) -> Iterator[tuple[NamedElement, str]]:
    if not procedure.identity.delay.law:
        yield procedure.identity, "delay"
    for task in procedure.tasks.values():
        if isinstance(task, Fee):
            if task.law_of("amount") is None:
                yield from ((line, "amount") for line in task.lines)
        elif isinstance(task, Form) and task.due is not None:
            yield task, "due"
    for state in procedure.states.values():
        if state.due is not None:
            yield state, "due"
    for clock in procedure.clocks.values():
        yield clock, "lasts"
    for output in procedure.outputs.values():
        if output.valid is not None:
            yield output, "valid"


@rule("V703")
def law_cited_nowhere(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield V703 for each law that no value rests on."""
    cited = _cited(procedure)
    for law in procedure.laws.values():
        if law.id not in cited:
            yield problem("V703", law.where, at=law.id, name=law.id)


@rule("V704")
def plausible_value_public(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield V704 for each law of status `plausible` that a value rests on: it needs confirmation."""
    cited = _cited(procedure)
    for law in procedure.laws.values():
        if law.status == "plausible" and law.id in cited:
            yield problem("V704", law.where, at=law.id, name=law.id, title=str(law.title))


def _cited(procedure: Procedure) -> frozenset[str]:
    cited: set[str] = set()
    things: list[NamedElement] = [
        procedure.identity,
        procedure.personal_data,
        *procedure.eligibility,
        *procedure.notices,
    ]
    things += [*procedure.form.pages, *procedure.tasks.values(), *procedure.states.values(), *procedure.transitions]
    things += [*procedure.outputs.values(), *procedure.clocks.values(), *procedure.identity.appeals.values()]
    cited.update(law for transition in procedure.transitions for law in transition.grounds)
    cited.update(law for output in procedure.outputs.values() if output.paper for law in output.paper.cites)
    for page in (page for form in forms_of(procedure) for page in form.pages):
        things += [page, *page.checks]
    for field in fields_of(procedure):
        things += [field, *field.checks]
        cited |= {option.basis for option in field.options if option.basis}
    for task in procedure.tasks.values():
        if isinstance(task, Fee):
            things += list(task.lines)
            cited |= {cut.basis for cut in task.reductions if cut.basis}
    for thing in things:
        cited |= set(thing.basis.values())
    return frozenset(cited)
