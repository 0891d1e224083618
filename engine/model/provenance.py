"""Where each value printed on a document comes from (`docs/language.md` §14, proof P13).

A value is *checked* when a register or an agent gives it, or when the system knows it. What the applicant typed or
chose is only declared, until an act, a later form or a look-up confirms it. What is computed from a declared value is
declared too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from engine.model.base import APPLICANT, APPLICATION
from engine.model.form import Field
from engine.model.graph import edges
from engine.model.paper import OutputPaper, PaperClause, PaperText, placeholders_of
from engine.model.procedure import Output, Procedure
from engine.model.tasks import Fee, Form, Link
from engine.model.types import TRUE, Expression

SourceKind: TypeAlias = Literal["register", "form", "computed", "system", "declared"]
Zone: TypeAlias = Literal[
    "subtitle", "issuer", "preamble", "particulars", "operative", "table", "articles", "lines", "mentions", "declared",
    "addressee",
]  # fmt: skip
STATED: Final = ("subtitle", "issuer", "preamble", "particulars", "operative", "table", "articles", "lines")
_PRINTS_ANSWERS: Final = ("value", "words", "agree", "list")


@dataclass(frozen=True, slots=True)
class Confirmation:
    """How an answer may be confirmed: by an act, a later form or a look-up (`by_kind`), with a piece of evidence.

    `at` is the id of the act or task. `against` is a piece of evidence, or the answer of the register. `by` are the
    roles of the agents, empty for a register.
    """

    by_kind: Literal["act", "form", "look_up"]
    at: str
    against: str
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ValueSource:
    """The source of one printed value.

    `at` is the look-up or the later form that gives it. `computed_from` are the answers that a computed value reads,
    each with its own source in turn. `confirmed` are all places that may confirm it, on whatever path: proof P13 says
    whether each path to the document has one. `zones` are the parts of the document that print it, and
    `only_declared` means that none of them states it as a fact.
    """

    name: str
    kind: SourceKind
    at: str = ""
    by: tuple[str, ...] = ()
    computed_from: tuple[ValueSource, ...] = ()
    confirmed: tuple[Confirmation, ...] = ()
    zones: tuple[Zone, ...] = ()

    @property
    def only_declared(self) -> bool:
        """Whether the document prints it as declared by the applicant, or beside what it states."""
        return not any(zone in STATED for zone in self.zones)

    def leaves(self) -> Iterator[ValueSource]:
        """Yield the sources that are not computed: itself, or those it is computed from."""
        if self.kind != "computed":
            yield self
        for one in self.computed_from:
            yield from one.leaves()


def sources_of(procedure: Procedure, output: Output) -> Mapping[str, ValueSource]:
    """Return the source of each value that a document prints, in the order of its zones. Empty without a paper."""
    zones: dict[str, dict[Zone, None]] = {}
    if output.paper is not None:
        for zone, name in _printed(procedure, output.paper):
            zones.setdefault(name, {})[zone] = None
    return MappingProxyType({
        name: replace(source_of(procedure, name), zones=tuple(found)) for name, found in zones.items()
    })  # fmt: skip


def reserved_behind(procedure: Procedure, names: Iterable[str]) -> tuple[str, ...]:
    """Return those of these printed names that show an answer of limited readers.

    Such an answer is shown by its own name, by the detail of its « Autre », and by a value computed from one.
    """
    return tuple(name for name in names if sensitive_behind(procedure, name))


def sensitive_behind(procedure: Procedure, name: str) -> tuple[str, ...]:
    """Return the sensitive answers that a name shows: itself, or those that its value is computed from.

    The values between the two count, and the columns that are summed or counted over rows.
    """
    sensitive = procedure.personal_data.sensitive
    shown = (one for said in names_behind(procedure, name) for one in (said, said.removesuffix("_other")))
    return tuple(one for one in dict.fromkeys(shown) if one in sensitive)


def names_behind(procedure: Procedure, name: str) -> Iterable[str]:
    """Return the name, then each name and column that its value or its `default` is computed from, at any depth."""
    owners, met, left = procedure.once(_owners), dict[str, None](), [name]
    while left:
        one = left.pop()
        if one in met:
            continue
        met[one] = None
        owned = owners.get(one) or owners.get(one.removesuffix("_other"))
        field = owned.field if owned else None
        proposed = (field.default,) if field is not None and field.default is not None else ()
        for expression in (*(_expressions_of(procedure, one, field) or ()), *proposed):
            left.extend(sorted(expression.names | expression.columns, reverse=True))
    return met


# -- names printed -----------------------------------------------------------------------------------------------------


def _printed(procedure: Procedure, paper: OutputPaper) -> Iterator[tuple[Zone, str]]:
    """Yield each value with its zone."""
    yield from _in_texts("subtitle", paper.subtitle)
    yield from _in_texts("issuer", paper.issuer)
    for zone, clauses in _zones_of_clauses(paper):
        for clause in clauses:
            yield from _in_texts(zone, clause.text)
            if clause.table is not None:
                yield from (("table", name) for name in table_names(procedure, clause.table.of, clause.table.columns))
        if zone == "preamble":
            yield from (("particulars", name) for name in paper.particulars)
    if paper.lines_of is not None:
        yield "lines", paper.lines_of
    yield from (("declared", name) for name in paper.declared)
    yield from _in_texts("mentions", *paper.mentions.texts())
    yield from _in_texts("addressee", paper.addressee)


def _zones_of_clauses(paper: OutputPaper) -> Iterator[tuple[Zone, tuple[PaperClause, ...]]]:
    yield "preamble", paper.preamble
    yield "operative", paper.operative
    yield "articles", paper.articles


def _in_texts(zone: Zone, *texts: PaperText | None) -> Iterator[tuple[Zone, str]]:
    yield from ((zone, name) for text in texts if text is not None for name in answers_in(text))


def answers_in(text: PaperText) -> tuple[str, ...]:
    """Return the answers, fees, named values and words of the system that a text prints, in its order.

    The days, hours, actors and numbers of what happened are left out: they have names of acts and documents.
    """
    found = (one for _, words in text.text.versions for one in placeholders_of(words))
    return tuple(dict.fromkeys(one.name for one in found if one.kind in _PRINTS_ANSWERS and one.name in text.names))


def table_names(procedure: Procedure, rows: str, columns: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names that a printed table shows: its rows, and the columns of forms filled once per row.

    Columns of the rows themselves have the source of the rows, and those computed their own too. `columns` are those printed, empty for all.
    """
    added = {field.id for form in procedure.forms() if form.each == rows for field in form.fields}
    asked = procedure.fields.get(rows)
    mine = tuple(one for one in columns or [one.id for one in (asked.rows if asked else ())] if one not in added)
    own = (rows, *_computed(procedure, mine)) if mine or not columns else ()
    return (*own, *(one for one in (columns or sorted(added)) if one in added))


def _computed(procedure: Procedure, columns: Iterable[str]) -> Iterator[str]:
    """The columns that are computed: what they read stands perhaps outside the rows."""
    owners = procedure.once(_owners)
    yield from (one for one in columns if one in owners and owners[one].field.value is not None)


# -- what a document states as a fact ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StatedName:
    """A name whose value a document states. `when` is the condition of its clause; `chosen`: the name decides on it."""

    name: str
    when: Expression = TRUE
    chosen: bool = False


def stated_names(procedure: Procedure, output: Output) -> Iterator[StatedName]:
    """Yield the names that all zones but `declared` and the mentions rest on, the last day and the register too."""
    paper = output.paper
    if paper is None:
        return
    heads = [text for text in (paper.subtitle, paper.issuer) if text is not None]
    names = [*(one for text in heads for one in answers_in(text)), *paper.particulars]
    names += [paper.lines_of] if paper.lines_of is not None else []
    names += sorted(output.valid.names) if output.valid is not None else []
    names += output.register  # the page of valid documents
    yield from map(StatedName, names)
    seen = _seen_by_agents(procedure, output)
    for clause in paper.clauses():
        said = [*answers_in(clause.text), *_in_lists(procedure, clause.text)]
        said += table_names(procedure, clause.table.of, clause.table.columns) if clause.table is not None else ()
        yield from (StatedName(name, clause.when) for name in said)
        yield from (StatedName(name, clause.when, chosen=True) for name in sorted(clause.when.names - seen))


def _in_lists(procedure: Procedure, text: PaperText) -> Iterator[str]:
    """The computed columns of the rows that a text prints as a list, which shows every column."""
    found = (one for _, words in text.text.versions for one in placeholders_of(words) if one.kind == "list")
    rows = (procedure.fields[one.name] for one in found if one.name in procedure.fields)
    yield from dict.fromkeys(name for field in rows for name in _computed(procedure, [one.id for one in field.rows]))


def _seen_by_agents(procedure: Procedure, output: Output) -> frozenset[str]:
    """The answers that may choose a text although no person confirms them: what an agent does depends on them.

    They decide what a form of agents asks, or which piece answers are compared with. On a document that grants no
    right, they may also say which document is requested.
    """
    conditions = [one.when for one in procedure.outputs.values() if not output.grants]
    compared = {piece for act in procedure.transitions for piece in act.confirms}
    for form in procedure.forms():
        if confirms(filled_by(procedure, form)):
            compared |= set(form.confirms)
            conditions += [form.when, *(one.when for one in form.fields), *(page.when for page in form.pages)]
    conditions += [one.when for one in procedure.form.fields if one.id in compared]
    return frozenset(name for one in conditions for name in one.names)


# -- the source of a name ----------------------------------------------------------------------------------------------


def source_of(
    procedure: Procedure, name: str, confirmed: Mapping[str, tuple[Confirmation, ...]] | None = None
) -> ValueSource:
    """Return the source of one name: an answer, a column, a fee, a named value or a word of the system."""
    every = procedure.once(confirmations) if confirmed is None else confirmed
    return _source(procedure, name, every, frozenset())


def _source(
    procedure: Procedure, name: str, every: Mapping[str, tuple[Confirmation, ...]], met: frozenset[str]
) -> ValueSource:
    owned = procedure.once(_owners).get(name) or procedure.once(_owners).get(name.removesuffix("_other"))
    read = _expressions_of(procedure, name, owned.field if owned else None)
    if read is not None:
        names = dict.fromkeys(
            one for expression in read
            for one in (*sorted(expression.names), *_computed(procedure, sorted(expression.columns)))
        )  # fmt: skip
        parts = tuple(_source(procedure, one, every, met | {name}) for one in names if one not in met | {name})
        return ValueSource(name, "computed" if parts else "system", computed_from=parts)
    if owned is None or isinstance(owned.form, Link):
        task = procedure.tasks.get(name)
        asked = isinstance(task, Form) and task.register is not None
        return ValueSource(name, "register" if asked else "system", name if asked else "")
    if owned.form.register is not None:
        return ValueSource(name, "register", owned.form.id)
    roles = filled_by(procedure, owned.form)
    if owned.form.id != APPLICATION and roles and APPLICANT not in roles:
        return ValueSource(name, "form", owned.form.id, roles)
    own = tuple(dict.fromkeys((*every.get(name, ()), *every.get(owned.rows, ()))))
    return ValueSource(name, "declared", owned.form.id, confirmed=own)


@dataclass(frozen=True, slots=True)
class _Owned:
    """A question, the form that asks it, and the rows it is a column of."""

    field: Field
    form: Form
    rows: str = ""


def _owners(procedure: Procedure) -> Mapping[str, _Owned]:
    """The form of each question. Columns have the form of their rows, or that which is filled once per row."""
    found: dict[str, _Owned] = {}
    columns: dict[str, _Owned] = {}
    for criterion in procedure.eligibility:
        found.setdefault(criterion.id, _Owned(criterion.field, procedure.form))
    for form in (procedure.form, *procedure.forms()):
        for field in form.fields:
            found.setdefault(field.id, _Owned(field, form, form.each or ""))
            for column in _columns(field):
                columns.setdefault(column.id, _Owned(column, form, field.id))
    return {**columns, **found}


def _columns(field: Field) -> Iterator[Field]:
    for column in field.rows:
        yield column
        yield from _columns(column)


def _expressions_of(procedure: Procedure, name: str, field: Field | None) -> tuple[Expression, ...] | None:
    """The expressions that a value is computed from, None when it is not computed."""
    if name in procedure.definitions:
        return (procedure.definitions[name],)
    task = procedure.tasks.get(name)
    if isinstance(task, Fee):
        return (task.when, *task.prices())
    return (field.value,) if field is not None and field.value is not None else None


def filled_by(procedure: Procedure, form: Form) -> tuple[str, ...]:
    """Return the roles that fill a later form: its own, those of its services, those of the acts that fill it."""
    acts = (act for act in procedure.transitions if act.fills == form.id and not form.by)
    every = (*form.by, *(one for asked in form.services for one in asked.by), *(one for act in acts for one in act.by))
    return tuple(dict.fromkeys(every))


# -- confirmations -----------------------------------------------------------------------------------------------------


def confirmations(procedure: Procedure) -> Mapping[str, tuple[Confirmation, ...]]:
    """Return, by answer, all acts, later forms and look-ups that may confirm it.

    An act or a form of the applicant confirms nothing.
    """
    found: dict[str, dict[Confirmation, None]] = {}
    for act in edges(procedure):
        if confirms(act.by):
            for piece, names in act.confirms.items():
                for name in names:
                    found.setdefault(name, {})[Confirmation("act", act.id, piece, act.by)] = None
    for form in procedure.forms():
        roles = filled_by(procedure, form)
        for piece, names in form.confirms.items() if confirms(roles) else ():
            for name in names:
                found.setdefault(name, {})[Confirmation("form", form.id, piece, roles)] = None
        for name, answer in form.matches.items():
            found.setdefault(name, {})[Confirmation("look_up", form.id, answer)] = None
    return MappingProxyType({name: tuple(every) for name, every in found.items()})


def confirms(roles: tuple[str, ...]) -> bool:
    """Return whether what these roles confirm counts: agents only, never the applicant."""
    return bool(roles) and APPLICANT not in roles
