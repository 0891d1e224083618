"""Proof P8 for documents: what a text prints is known, on every path that issues the document.

A placeholder without a value prints a hole: “née le  à ”. An answer or a named value is given where its text is printed.
An act, a task or a document whose day, hour, author or number is printed has happened: the search follows the paths that
avoid it. So does the search for `{reason}`, which acts give. Particulars and `declared` leave out a line without a value, so they have no hole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from engine.core.problems import Problem, problem
from engine.language.expressions.compiler import tree
from engine.language.expressions.nodes import Compare, FunctionCall, Happened, Name, Node, walk
from engine.model import Fee, Field, Form, Output, Procedure, Transition
from engine.model.graph import done_after, issued_by
from engine.model.paper import OutputPaper, PaperText, placeholders_of
from engine.model.types import INTEGER, TRUE, YES_NO, Constant
from engine.prover.checks.conditions import not_proved
from engine.prover.checks.established_facts import ProofContext
from engine.prover.checks.issue_paths import IssueSearch, Way, conditions_of
from engine.prover.solver.inputs import FORMER
from engine.prover.solver.solver import Query
from engine.prover.solver.witness_facts import facts_of

_OF_ANSWERS: Final = ("value", "words", "agree", "list")
_REASON: Final = "reason"  # the word of the system that acts give


@dataclass(frozen=True, slots=True)
class _Printed:
    """One placeholder: its name, whether it prints an answer, and the conditions under which its text is printed.

    `avoided`: nothing on any path gives it, such as the author of what no person does.
    """

    name: str
    answer: bool
    around: tuple[Node, ...]
    avoided: bool = False


def holes_in_papers(places: ProofContext) -> Iterator[Problem]:
    """Yield P8 for each document that prints a value which may be missing on some path, once for each value."""
    for output in places.procedure.outputs.values():
        found: dict[str, Problem] = {}
        for printed in dict.fromkeys(_printed(places.procedure, output, output.paper or OutputPaper())):
            if printed.name not in found:
                found.update((printed.name, one) for one in _judged(places, output, printed))
        yield from found.values()


def _printed(procedure: Procedure, output: Output, paper: OutputPaper) -> Iterator[_Printed]:
    """All placeholders of the texts of a document, with the conditions of their texts."""
    granted = conditions_of(output.when)
    heads = (paper.subtitle, paper.issuer, paper.addressee, paper.mentions.receiver)
    texts: list[tuple[PaperText, tuple[Node, ...]]] = [(one, granted) for one in heads if one is not None]
    clauses = (*paper.clauses(), *paper.mentions.holder, *paper.mentions.copies_to)
    texts += [(one.text, (*granted, *conditions_of(one.when))) for one in clauses]
    for text, around in texts:
        for _, words in text.text.versions:
            for one in placeholders_of(words):
                answer = one.kind in _OF_ANSWERS and not _is_uncertain(output, one.name)
                yield _Printed(one.name, answer, around, one.kind == "actor" and not _has_author(procedure, one.name))


def _has_author(procedure: Procedure, name: str) -> bool:
    """Return whether a person takes an act, does a task or signs a document."""
    task, output = procedure.tasks.get(name), procedure.outputs.get(name)
    if output is not None:
        return output.signed_by is not None
    return not isinstance(task, Fee) and not (isinstance(task, Form) and task.register is not None)


def _is_uncertain(output: Output, name: str) -> bool:
    """Return whether a word of the system is known on some paths only, or never: `until` without `valid`."""
    return name in (_REASON, "grounds") or (name == "until" and output.valid is None)


def _judged(places: ProofContext, output: Output, printed: _Printed) -> Iterator[Problem]:
    """The hole of one placeholder, if a path leads to it."""
    searches = _of_answer(places, output, printed) if printed.answer else _of_event(places, output, printed)
    for search in searches:
        if places.prover.possible(search.anywhere()) == "no":
            continue
        verdict, way, witness = search.example()
        if verdict == "yes" and way is not None:
            read = (*search.printed.around, *way.guards, *search.absent)
            facts = facts_of(places.definition, witness, read, search.rows)
            facts.pop("missing", None)
            facts |= {"name": printed.name, "output": output.id, "path": way.states}
            yield problem("P8", output.where, at=output.id, fault=_fault(places.procedure, printed), **facts)
            return
        if verdict == "unknown":
            yield not_proved("P8", output)
            return


def _fault(procedure: Procedure, printed: _Printed) -> str:
    """Return what is missing, so that its cure can be said: an answer, an act, a task, a document or another word."""
    if printed.answer:
        return "hole"
    if printed.name in procedure.outputs:
        return "document"
    if printed.name in procedure.tasks:
        return "task"
    return "act" if any(one.id == printed.name for one in procedure.transitions) else "undone"


def _of_answer(places: ProofContext, output: Output, printed: _Printed) -> Iterator[_Avoiding]:
    """The search of the paths on which an answer or a named value is empty, or a fee is not due."""
    rows, procedure = (output.per,) if output.per else (), places.procedure
    columns = {column.id: column for name in rows for column in places.columns(name)}
    known, task = {**places.definition.fields, **columns}, procedure.tasks.get(printed.name)
    detailed = printed.name not in known and printed.name.removesuffix("_other") in known
    if printed.name in procedure.definitions:
        node = tree(procedure.definitions[printed.name])
    elif detailed or (printed.name in known and not _is_always_given(places, known[printed.name])):
        node = places.name(printed.name, rows)
    else:
        if isinstance(task, Fee) and conditions_of(task.when):
            yield _Avoiding(places, output, printed, conditions_of(task.when))
        return
    yield _Avoiding(places, output, printed, (FunctionCall("answered", (node,), YES_NO),))


def _is_always_given(places: ProofContext, field: Field) -> bool:
    """Return whether the application asks a question of all, and an answer is required: no solver is needed."""
    guard = places.definition.guards.get(field.id, TRUE)
    asked = {one.id for question in places.procedure.form.fields for one in (question, *question.rows)}
    return field.id in asked and field.value is None and not conditions_of(guard, field.when, field.required)


def _of_event(places: ProofContext, output: Output, printed: _Printed) -> Iterator[_Avoiding]:
    """The searches of the paths that avoid an act, a task or a document, then of those where it is not asked."""
    yield _Avoiding(places, output, printed)
    asked = places.procedure.tasks.get(printed.name) or places.procedure.outputs.get(printed.name)
    if asked is not None and conditions_of(asked.when):
        yield _Avoiding(places, output, printed, conditions_of(asked.when))


class _Avoiding(IssueSearch):
    """Looks for a path that issues a document without an event, or on which one of the nodes `absent` fails."""

    def __init__(self, places: ProofContext, output: Output, printed: _Printed, absent: tuple[Node, ...] = ()) -> None:
        self.printed, self.absent = printed, absent
        super().__init__(places, output)

    def gives(self, transition: Transition) -> tuple[Node, ...] | None:
        """Return nothing more to ask where a transition is the event, does the task, issues the document or says why."""
        if self.absent or self.printed.avoided:
            return None
        if self.printed.name == _REASON:
            return () if self._says_why(transition) else None
        issued = issued_by(self.procedure, transition)
        before = issued[: issued.index(self.output.id)] if self.output.id in issued else issued
        there = {transition.id, *before, *done_after(self.procedure, transition, frozenset())}
        return () if self.printed.name in there else None

    def takes(self, transition: Transition) -> bool:
        """Return whether a transition reopens the task, or brings a state that the reason before does not explain."""
        if self.printed.name == _REASON:
            return not self._named() and not self._says_why(transition)
        return not self.absent and self.printed.name in transition.reopens

    def _named(self) -> tuple[str, ...]:
        return self.output.paper.reason_of if self.output.paper is not None else ()

    def _says_why(self, transition: Transition) -> bool:
        """Return whether the reason of a transition is the one that the document prints."""
        asks = transition.asks
        return "reason" in asks and "correction" not in asks and transition.id in (self._named() or (transition.id,))

    def anywhere(self) -> Query:
        """Return the query that no path can satisfy where this one cannot be."""
        return Query(self.printed.around, self.absent, self.rows, sure=self.places.for_output(self.output.id))

    def query(self, way: Way) -> Query:
        """Return the query of the answers with which a path prints the hole."""
        holds = [*self.printed.around, *way.guards]
        read = [node for one in holds for node in walk(one)]
        counted = [
            one for one in read if isinstance(one, Happened) and one.function == "taken" and FORMER not in one.id
        ]
        here, zero = {one.id for one in way.taken}, Constant(0, INTEGER)
        acts = self.acts() if counted else frozenset[str]()
        for act in counted:
            if act.id in here or act.id not in acts:
                holds.append(Compare(act, ">" if act.id in here else "==", zero))
        later = {one for one in read if isinstance(one, Name) and not one.in_row and self._is_later(one, way)}
        empty = (FunctionCall("answered", (one,), YES_NO) for one in sorted(later, key=lambda one: one.id))
        filling = frozenset(one.fills for one in way.taken if one.fills is not None) & way.done
        fails = (*self.absent, *empty)
        return Query(tuple(holds), fails, self.rows, sure=way.done, filling=filling, at_most=way.ever)

    def _is_later(self, name: Name, way: Way) -> bool:
        """Return whether a form that is not filled at the end of this path asks the question."""
        owner = self.places.definition.owners.get(name.id)
        return owner is not None and owner not in way.done
