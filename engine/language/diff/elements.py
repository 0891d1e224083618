"""The elements of a procedure for the comparison: a question, an option, a line of a fee, a state, an act.

Each has the facets that a change may concern (`engine/language/diff/rules.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from engine.core.problems import NOWHERE, Position
from engine.core.values import Text
from engine.model import (
    APPLICATION,
    Appointment,
    Criterion,
    Effects,
    Fee,
    Field,
    Form,
    FormCheck,
    Notice,
    Option,
    Page,
    Procedure,
    Table,
    Template,
    Transition,
)

# Attributes of the model that are no facet of the element itself, and where they are compared instead.
LEFT_OUT: Final[Mapping[str, frozenset[str]]] = MappingProxyType({
    "NamedElement": frozenset({"id", "where"}),  # the id is the path of the element; a position has no meaning
    "Field": frozenset({"value_type", "options", "rows", "checks", "evidence", "bounds"}),  # derived, or below
    "EvidenceTerms": frozenset({"any_of"}),  # elements
    "Page": frozenset({"fields", "checks"}),  # elements
    "Criterion": frozenset({"field"}),  # its facets are the criterion's
    "Form": frozenset({"pages", "services", "asked"}),  # elements
    "Fee": frozenset({"lines"}),  # elements
    "Table": frozenset({"rows"}),  # elements
    "State": frozenset({"booked", "effects"}),  # given by `mode`; effects are facets
    "Transition": frozenset({"source", "target", "rank", "when", "reopens", "without", "label", "effects", "by"}),
    "Identity": frozenset({"edition", "appeals"}),  # compared apart; elements
    "PersonalData": frozenset({"keep", "sensitive"}),  # elements
    "CodeList": frozenset({"id", "items"}),  # elements
    "Scheme": frozenset({"id"}),
    "Notice": frozenset({"event"}),  # its path
    "Annotation": frozenset({"options"}),  # elements
})  # fmt: skip


def facets_of(record: Any, *also_left: str) -> dict[str, object]:
    """Return the attributes of a record of the model, less those of `LEFT_OUT`, by facet name."""
    left = {*also_left}
    for kind in type(record).__mro__:
        left |= LEFT_OUT.get(kind.__name__, frozenset())
    found = {
        one.name.removesuffix("_"): getattr(record, one.name)
        for one in fields(record)
        if one.name not in left and one.compare
    }
    when, exempt = found.get("when"), found.get("exempt")
    said = {"for": getattr(when, "said", None), "exempt_for": getattr(exempt, "said", None)}
    return {**found, **{name: words for name, words in said.items() if words is not None}}


def vars_of(record: Any) -> dict[str, object]:
    """Return all attributes of a small record, as facets of the element around it."""
    return {one.name: getattr(record, one.name) for one in fields(record)}


def order_of(things: Iterable[Any]) -> dict[str, object]:
    """Return the order of inner elements, as a facet of the element around them."""
    return {"order": tuple(getattr(one, "id", None) or one.code for one in things)}


Path: TypeAlias = tuple[str, ...]

# Sections whose ids a dossier stores: they may disappear only when `migrate` gives a new id or null.
KEPT: Final = frozenset({
    "eligibility", "questions", "evidence", "fees", "appointments", "later_forms", "look_ups", "opinions", "links",
    "states",
    "acts", "clocks", "outputs",
})  # fmt: skip
_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a procedure.

    `at` is its name in `accept` and `migrate`: `motif`, `motif.perte`, `enfants.age`.
    """

    path: Path
    at: str
    label: Text
    where: Position = NOWHERE
    facets: Mapping[str, object] = field(default_factory=lambda: _NOTHING)

    @property
    def section(self) -> str:
        """The first part of the path: `questions`, `states`, `fees`…"""
        return self.path[0]

    @property
    def noun(self) -> str:
        """The kind of the element: the last section of its path."""
        return self.path[-2] if len(self.path) > 1 else self.path[0]

    @property
    def kept(self) -> bool:
        """Whether a dossier may hold its id."""
        return self.section in KEPT and self.noun not in ("lines", "checks", "rows")


@dataclass(frozen=True, slots=True)
class TransitionTarget:
    """The target of an act or an automatic transition in one case."""

    to: str
    when: object
    reopens: tuple[str, ...] = field(default=())
    without: tuple[str, ...] = field(default=())


def flatten(procedure: Procedure) -> Mapping[Path, Element]:
    """Return all elements by path, in the order of the chapters of a file."""
    found: dict[Path, Element] = {}
    for element in _elements(procedure):
        found.setdefault(element.path, element)
    return MappingProxyType(found)


def _elements(procedure: Procedure) -> Iterator[Element]:
    yield from _identity(procedure)
    yield from _asked_first(procedure)
    yield from _forms(procedure)
    yield from _money(procedure)
    yield from _circuit(procedure)
    yield from _given(procedure)
    yield from _kept(procedure)
    yield from _shared(procedure)


def _element(thing: Any, path: Path, called: Text | None = None, /, **more: object) -> Element:
    """The element of a record of the model, with facets from elsewhere. Its label is a facet too."""
    named = called or getattr(thing, "label", None) or getattr(thing, "title", None) or Text(())
    at = ".".join(path[1::2]) or path[0]
    return Element(path, at, named, getattr(thing, "where", NOWHERE), MappingProxyType({**facets_of(thing), **more}))


# -- administration and laws -------------------------------------------------------------------------------------------


def _identity(procedure: Procedure) -> Iterator[Element]:
    identity = procedure.identity
    said = tuple(str(when.said) for when, _ in identity.delay.entries if when.said is not None)
    own = {"procedure": identity.id, **facets_of(identity), **({"delay_for": said} if said else {})}
    yield Element(("identity",), "identity", identity.title, identity.where, MappingProxyType(own))
    for law in procedure.laws.values():
        yield _element(law, ("law", law.id))
    for appeal in identity.appeals.values():
        yield _element(appeal, ("appeals", appeal.id))


# -- questions ---------------------------------------------------------------------------------------------------------


def _asked_first(procedure: Procedure) -> Iterator[Element]:
    for criterion in procedure.eligibility:
        yield from _criterion(criterion)
    order = tuple(one.id for one in procedure.eligibility)
    yield Element(("eligibility_order",), "eligibility", Text(()), NOWHERE, MappingProxyType({"order": order}))


def _criterion(criterion: Criterion) -> Iterator[Element]:
    path = ("eligibility", criterion.id)
    asked = {**facets_of(criterion.field), **vars_of(criterion.field.bounds), **order_of(criterion.field.options)}
    yield _element(criterion, path, criterion.field.label, **{**asked, **facets_of(criterion)})
    yield from _options(criterion.field, path)


def _forms(procedure: Procedure) -> Iterator[Element]:
    for form in procedure.tasks.values():
        if not isinstance(form, Form):
            continue
        if form.id == APPLICATION:
            order = tuple(page.id for page in form.pages)
            yield Element(("form",), APPLICATION, form.label, form.where, MappingProxyType({"order": order}))
        else:
            yield from _later(form)
        for page in form.pages:
            if form.id == APPLICATION:
                yield _element(page, ("pages", page.id), **order_of(page.fields))
            yield from _questions(page, form)


def _later(form: Form) -> Iterator[Element]:
    path = (_section(form), form.id)
    yield _element(form, path, **order_of(form.fields))
    for service in form.services:  # its id is an answer of its own
        own = MappingProxyType(facets_of(service))
        yield Element((*path, "services", service.id), service.id, service.label, service.where, own)
    if form.asked is not None:
        for asked in form.asked.fields:
            yield from _question(asked, (*path, "questions", asked.id), form.id, form.asked.id)


def _section(form: Form) -> str:
    """The section where a form other than the application is written."""
    if hasattr(form, "relation"):
        return "links"
    return "look_ups" if form.register else "opinions" if form.services else "later_forms"


def _questions(page: Page, form: Form) -> Iterator[Element]:
    """The questions of a page. Those of a form filled once per row are columns of these rows."""
    for asked in page.fields:
        section = "evidence" if asked.evidence is not None else "questions"
        path = (section, form.each, "questions", asked.id) if form.each else (section, asked.id)
        yield from _question(asked, path, form.id, page.id)
    for check in page.checks:
        yield _check(check, ("checks", check.id))


def _question(asked: Field, path: Path, form: str, page: str) -> Iterator[Element]:
    terms = facets_of(asked.evidence) if asked.evidence is not None else {}
    places = {"form": form, "page": page if form == APPLICATION else form}
    yield _element(asked, path, **terms, **vars_of(asked.bounds), **places, **order_of(_choices(asked)))
    yield from _options(asked, path)
    for column in asked.rows:
        yield from _question(column, (*path, "questions", column.id), form, page)
    for check in asked.checks:
        yield _check(check, (*path, "checks", check.id))


def _check(check: FormCheck, path: Path) -> Element:
    return _element(check, path, check.message)


def _choices(asked: Field) -> tuple[Option, ...]:
    """The options of a question that are its own: those of a list belong to the list."""
    if asked.evidence is not None:
        return asked.evidence.any_of
    return () if asked.list_id is not None else asked.options


def _options(asked: Field, path: Path) -> Iterator[Element]:
    for option in _choices(asked):
        if not (asked.other and option.code == "other"):
            own = (*path, "options", option.code)
            yield Element(
                own, ".".join(own[1::2]), option.label, asked.where, MappingProxyType(facets_of(option, "code"))
            )


# -- fees and appointments ---------------------------------------------------------------------------------------------


def _money(procedure: Procedure) -> Iterator[Element]:
    for table in procedure.tables.values():
        yield from _table(table)
    for task in procedure.tasks.values():
        if isinstance(task, Fee):
            yield from _fee(task)
        elif isinstance(task, Appointment):
            yield _element(task, ("appointments", task.id))


def _table(table: Table) -> Iterator[Element]:
    path = ("tables", table.id)
    yield _element(table, path, Text.of(table.id))
    for keys, value in table.rows.items():
        code = " / ".join(str(key) for key in keys)
        own = {"value": value, "gives": table.gives.kind, "basis": table.basis}
        yield Element((*path, "rows", code), table.id, Text.of(code), table.where, MappingProxyType(own))


def _fee(fee: Fee) -> Iterator[Element]:
    path = ("fees", fee.id)
    yield _element(fee, path)
    for line in fee.lines:
        alone = len(fee.lines) == 1 and line.id == fee.id
        name = "total" if alone else line.id
        own = facets_of(line, *(("label", "basis") if alone else ()))
        yield Element((*path, "lines", name), fee.id if alone else f"{fee.id}.{line.id}", line.label or fee.label,
                      line.where, MappingProxyType(own))  # fmt: skip


# -- workflow ----------------------------------------------------------------------------------------------------------


def _circuit(procedure: Procedure) -> Iterator[Element]:
    whole = {"start": procedure.start, "office": procedure.office}
    where = procedure.states[procedure.start].where if procedure.start in procedure.states else NOWHERE
    yield Element(("workflow",), "workflow", Text(()), where, MappingProxyType(whole))
    for state in procedure.states.values():
        own = procedure.leaving.get(state.id, ())
        transitions = {
            key: _transitions(transition for transition in own if _short_key(procedure, transition) == key)
            for key in _OF_STATES
        }
        yield _element(state, ("states", state.id), **facets_of(state.effects), **transitions)
    yield from _acts(procedure)
    for clock in procedure.clocks.values():
        over = [
            transition
            for transition in procedure.transitions
            if transition.event == clock.id and _short_key(procedure, transition)
        ]
        first = over[0].source if over else ""
        then = _transitions(transition for transition in over if transition.source == first)
        yield _element(clock, ("clocks", clock.id), then=then)


_OF_STATES: Final = ("then", "late", "missed")
_OF_EVENTS: Final = {"done": "then", "booked": "then", "due": "late", "missed": "missed"}


def _short_key(procedure: Procedure, transition: Transition) -> str:
    """The key of an automatic transition in short form, `then` for that of a time limit.

    Empty for an act, and for a transition that only the long form can express.
    """
    if "." in transition.id:
        return transition.id.rpartition(".")[2]
    clock = procedure.clocks.get(transition.event or "")
    alone = transition.effects == Effects() and transition.id not in {notice.event for notice in procedure.notices}
    if transition.event is None or not alone or transition.correctable or transition.within or transition.confirm:
        return ""
    if clock is not None:
        sources = {one.source for one in procedure.transitions if one.id == transition.id}
        return "then" if sources == clock.runs_in and set(clock.without) <= set(transition.without) else ""
    return _OF_EVENTS.get(transition.event, "")


def _transitions(transitions: Iterable[Transition]) -> tuple[TransitionTarget, ...]:
    return tuple(
        TransitionTarget(transition.target, transition.when, transition.reopens, transition.without)
        for transition in transitions
    )


def _acts(procedure: Procedure) -> Iterator[Element]:
    """One element for each act, whatever its states. `by` is empty for the roles that the state waits for."""
    groups: dict[str, list[Transition]] = {}
    for transition in procedure.transitions:
        if not _short_key(procedure, transition):
            groups.setdefault(transition.id, []).append(transition)
    for name, transitions in groups.items():
        first = transitions[0]
        sources = frozenset(transition.source for transition in transitions)
        usual = all(
            transition.by == getattr(procedure.states.get(transition.source), "by", ()) for transition in transitions
        )
        cases = {
            "from": sources,
            "to": _transitions(transition for transition in transitions if transition.source == first.source),
            "by": () if usual else first.by,
            "label": first.label,
        }
        yield _element(first, ("acts", name), first.label, **facets_of(first.effects), **cases)


# -- outputs, messages, data -------------------------------------------------------------------------------------------


def _given(procedure: Procedure) -> Iterator[Element]:
    for output in procedure.outputs.values():
        yield _element(output, ("outputs", output.id))
    groups: dict[str, list[Notice]] = {}
    for notice in procedure.notices:
        groups.setdefault(notice.event, []).append(notice)
    for event, notices in groups.items():
        for at, notice in enumerate(sorted(notices, key=lambda one: (one.to, str(one.before)))):
            name = event if at == 0 else f"{event} {at + 1}"
            thing = procedure.things.get(event)
            yield _element(notice, ("notices", name), getattr(thing, "label", None) or getattr(thing, "title", None))
    for one in procedure.annotations.values():
        yield _element(one, ("annotations", one.id), order=tuple(one.options))
        for code, label in one.options.items():
            own: Mapping[str, object] = MappingProxyType({"label": label})
            yield Element(("annotations", one.id, "options", code), f"{one.id}.{code}", label, one.where, own)


def _kept(procedure: Procedure) -> Iterator[Element]:
    data = procedure.personal_data
    yield _element(data, ("personal_data",))
    for outcome, span in data.keep.items():
        path = ("personal_data", "all", "keep", outcome)
        yield Element(path, "personal_data", Text(()), data.where, MappingProxyType({"keep": span}))
    for answer, terms in data.sensitive.items():
        path = ("personal_data", "all", "sensitive", answer)
        label = getattr(procedure.things.get(answer), "label", None) or Text.of(answer)
        yield Element(path, answer, label, data.where, MappingProxyType(facets_of(terms)))


def _shared(procedure: Procedure) -> Iterator[Element]:
    for code_list in procedure.lists.values():
        path = ("lists", code_list.id)
        own = {**facets_of(code_list), **order_of(code_list.items)}
        yield Element(path, code_list.id, code_list.title, NOWHERE, MappingProxyType(own))
        for item in code_list.items:
            inner = (*path, "options", item.code)
            yield Element(
                inner, f"{code_list.id}.{item.code}", item.label, NOWHERE, MappingProxyType(facets_of(item, "code"))
            )
    for scheme in procedure.schemes.values():
        yield Element(("schemes", scheme.id), scheme.id, scheme.label, NOWHERE, MappingProxyType(facets_of(scheme)))
    said = _said(procedure)
    for name, expression in procedure.definitions.items():
        if name in said:
            yield Element(
                ("definitions", name), name, Text.of(name), expression.where, MappingProxyType({"value": expression})
            )
    stories = MappingProxyType({"count": len(procedure.scenarios)})
    yield Element(("scenarios",), "scenarios", Text(()), NOWHERE, stories)


def _said(procedure: Procedure) -> frozenset[str]:
    """The names that a message or document prints."""
    templates: list[Template | None] = [procedure.identity.dossier_label]
    for notice in procedure.notices:
        templates += [notice.sms, notice.email_subject, notice.email_body, notice.inbox]
    templates += [output.body for output in procedure.outputs.values()]
    return frozenset(name for one in templates if one is not None for name in one.names)
