"""Proof P13: what a document states as a fact comes from a checked source, on every path that issues it.

A register, an agent or the system gives a checked value. What the applicant typed or chose must be confirmed by an
act, a later form or a look-up, and not be corrected or reopened afterwards. The search looks for a path on which it is
not: its nodes are a state, and whether the answer is confirmed there. The solver then says whether answers open it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from engine.core.problems import Problem, problem
from engine.language.expressions.compiler import tree
from engine.language.expressions.nodes import And, Compare, FunctionCall, Name, Node, names_of
from engine.model import APPLICANT, APPLICATION, Form, Output, Transition
from engine.model.graph import done_after, edges, issued_by
from engine.model.provenance import ValueSource, confirms, filled_by, sensitive_behind, source_of, stated_names
from engine.model.roles import role_key
from engine.model.types import TRUE, YES_NO, Constant
from engine.prover.checks.conditions import not_proved
from engine.prover.checks.established_facts import ProofContext
from engine.prover.checks.issue_paths import IssueSearch, Way, conditions_of
from engine.prover.solver.solver import Query
from engine.prover.solver.witness import Witness
from engine.prover.solver.witness_facts import facts_of

_REASON: Final = "reason"
_PRICES: Final = ("quote", "receipt")


@dataclass(frozen=True, slots=True)
class _Statement:
    """One value that a document states, and one answer of the applicant behind it.

    `fault`: the value is printed, computed from the answer, or chosen by it. `fee` is the fee that prints it.
    """

    printed: str
    answer: ValueSource
    fault: str
    around: tuple[Node, ...]
    fee: str | None = None


@dataclass(slots=True)
class _Failure:
    """The first path without confirmation, and the statements that fail."""

    way: Way
    statement: _Statement
    witness: Witness | None
    printed: dict[str, None] = field(default_factory=dict)


def unchecked_statements(places: ProofContext) -> Iterator[Problem]:
    """Yield P13 for each document that states what no register, agent or rule has checked on some path."""
    for output in places.procedure.outputs.values():
        if output.paper is not None and output.kind != "form":
            yield from _of_output(places, output)
            yield from _of_reason(places, output)


def _of_reason(places: ProofContext, output: Output) -> Iterator[Problem]:
    """Yield P13 where a document that grants a right gives as its reason what the applicant wrote with an act."""
    paper = output.paper
    if paper is None or not output.grants:
        return
    for act in edges(places.procedure):
        printing = act.id in paper.reason_of if paper.reason_of else output.id in issued_by(places.procedure, act)
        said = paper.reason_of or any(_REASON in text.names for text in paper.texts())
        if printing and said and APPLICANT in act.by and _REASON in act.asks:
            yield problem(
                "P13", output.where, at=output.id, name=output.id, names=(_REASON,), fault="printed", answer=_REASON,
                path=(act.source, act.target),
            )  # fmt: skip
            return


def _of_output(places: ProofContext, output: Output) -> Iterator[Problem]:
    failure: _Failure | None = None
    unknown = False
    for statement in dict.fromkeys(_statements(places, output)):
        verdict, way, witness = _Search(places, output, statement).example()
        unknown = unknown or verdict == "unknown"
        if verdict == "yes" and way is not None:
            failure = failure or _Failure(way, statement, witness)
            failure.printed[statement.printed] = None
    if failure is not None:
        way, first = failure.way, failure.statement
        rows = (output.per,) if output.per else ()
        read = (*first.around, *way.guards, *way.unless, *_showing(places, way.unless))
        facts = facts_of(places.definition, failure.witness, read, rows)
        facts.pop("missing", None)
        yield problem(
            "P13", output.where, at=output.id, name=output.id, names=tuple(failure.printed), fault=first.fault,
            answer=first.answer.name, path=way.states, **facts,
        )  # fmt: skip
    elif unknown:
        yield not_proved("P13", output)


def _showing(places: ProofContext, nodes: tuple[Node, ...]) -> Iterator[Node]:
    """The conditions under which the pieces of these conditions are asked: the reason why one may be missing."""
    for name in sorted(names_of(And(nodes))):
        asked = places.definition.fields.get(name)
        if asked is not None and asked.evidence is not None:
            yield from conditions_of(asked.when)


# -- what a document states --------------------------------------------------------------------------------------------


def _statements(places: ProofContext, output: Output) -> Iterator[_Statement]:
    """The values that a document states, with each answer of the applicant behind them."""
    granted = conditions_of(output.when)
    for stated in stated_names(places.procedure, output):
        for one in _behind(places, output, stated.name, (*granted, *conditions_of(stated.when))):
            yield replace(one, fault="chosen") if stated.chosen else one


def _behind(places: ProofContext, output: Output, name: str, around: tuple[Node, ...]) -> Iterator[_Statement]:
    """The answers of the applicant behind one printed name. A quote prices what is requested, so its fees are exempt."""
    fee = name if name in {one.id for one in places.procedure.fees()} else None
    if fee is not None and output.kind in _PRICES:
        return
    source = source_of(places.procedure, name)
    for answer in source.leaves():
        if answer.kind == "declared":
            yield _Statement(name, answer, "printed" if answer.name == name else "computed", around, fee)


# -- the search --------------------------------------------------------------------------------------------------------


class _Search(IssueSearch):
    """Looks for a path to the issue of a document on which an answer is not confirmed."""

    def __init__(self, places: ProofContext, output: Output, statement: _Statement) -> None:
        self.statement = statement
        self.names = frozenset({statement.answer.name, _rows_of(places, statement.answer.name)})
        detailed = statement.answer.name.removesuffix("_other")  # the question of which this is the detail
        self.asked = self.names | ({detailed} if detailed in places.definition.fields else set())
        self.undone_by = _undone_by(places, statement.answer, self.asked)
        super().__init__(places, output)

    def query(self, way: Way) -> Query:
        """Return the query of the answers with which a path leaves the answer unconfirmed."""
        answer = self.statement.answer.name
        asked = self.places.definition.fields.get(answer)
        given = asked is not None and asked.type not in ("rows", "evidence") and self.statement.fault != "chosen"
        there = (FunctionCall("answered", (self.places.name(answer, self.rows),), YES_NO),) if given else ()
        filling = frozenset(one.fills for one in way.taken if one.fills is not None)
        return Query(
            (*self.statement.around, *there, *way.guards), way.unless, self.rows, sure=way.done, filling=filling,
            at_most=way.ever,
        )  # fmt: skip

    # -- one transition ------------------------------------------------------------------------------------------------

    def gives(self, transition: Transition) -> tuple[Node, ...] | None:
        """Return the conditions of which one suffices to confirm. Empty when it is confirmed in any case, None when never."""
        found: list[Node] = []
        if confirms(transition.by):
            found += self._with_pieces(transition.confirms, transition.by, transition.source)
        before = frozenset[str]()
        for task in sorted(done_after(self.procedure, transition, before)):
            if task == self.statement.fee:
                return ()
            form = self.procedure.tasks.get(task)
            if isinstance(form, Form):
                found += self._by_form(form, transition.fills == task, transition.source)
        if not found:
            return None
        query = Query(
            (*self.statement.around, *conditions_of(transition.when)), tuple(found), self.rows,
            sure=self.places.after(transition), filling=frozenset({transition.fills} if transition.fills else ()),
        )  # fmt: skip
        return () if self.places.prover.possible(query) == "no" else tuple(found)

    def _with_pieces(
        self, pieces: Mapping[str, tuple[str, ...]], roles: tuple[str, ...], state: str, each: str | None = None
    ) -> list[Node]:  # fmt: skip
        """One condition for each piece with which the answer is compared: that the piece is given."""
        compared = ((piece, self.names & set(names)) for piece, names in pieces.items())
        return [
            self._is_given(piece, each) for piece, names in compared if names and self._is_read(names, roles, state)
        ]

    def _is_read(self, names: frozenset[str], roles: tuple[str, ...], state: str) -> bool:
        """Return whether all of these roles may read what is compared in a state: of whole rows, every column.

        Who may not is not asked to compare it.
        """
        every = {role_key(self.procedure, role) for role in roles}
        fields = (self.procedure.fields[name] for name in names if name in self.procedure.fields)
        read = self.asked.union(*(one.names_within for one in fields))
        behind = {one for name in read for one in sensitive_behind(self.procedure, name)}
        return all(
            every <= {role_key(self.procedure, role) for role in limit.seen_by}
            and (not limit.states or state in limit.states)
            for limit in (self.procedure.personal_data.sensitive[one] for one in behind)
        )

    def _by_form(self, form: Form, filled: bool, state: str) -> list[Node]:
        asked = () if filled else conditions_of(form.when)
        found: list[Node] = []
        roles = filled_by(self.procedure, form)
        if confirms(roles):
            found += self._with_pieces(form.confirms, roles, state, form.each)
        for mine in sorted(self.names & set(form.matches)):
            name = Name(form.id, self.places.definition.type_of(form.id))
            equal = Compare(self.places.name(mine), "==", self.places.name(form.matches[mine]))
            found.append(And((Compare(name, "==", Constant("found", name.type)), equal)))
        return [And((*asked, one)) if asked else one for one in found]

    def _is_given(self, piece: str, each: str | None) -> Node:
        """The condition that a piece is given. A piece of other rows than those of the document is not followed."""
        if each is not None and each != self.output.per:
            return tree(TRUE)
        asked = self.places.definition.fields.get(piece)
        name = self.places.name(piece, self.rows)
        plain = asked is not None and asked.evidence is not None and not asked.evidence.any_of
        return name if plain and not name.in_row else FunctionCall("answered", (name,), YES_NO)

    def takes(self, transition: Transition) -> bool:
        """Return whether the confirmation may be lost after this transition: by a correction, or a form filled again."""
        answer, target = self.statement.answer, self.procedure.states.get(transition.target)
        again = set(transition.reopens)
        if answer.at in again or self.statement.fee in again or again & {one.at for one in answer.confirmed}:
            return True
        if answer.at != APPLICATION:  # the applicant fills this form, perhaps once more
            done = done_after(self.procedure, transition)
            checking = done & {one.at for one in answer.confirmed}
            return answer.at in done and not any(answer.at in self.procedure.tasks[one].after for one in checking)
        if target is None or target.correct is None:
            return False
        asked = set(transition.correctable) if "correction" in transition.asks else set()
        return target.correct == "everything" or not asked or bool(asked & self.undone_by)


def _undone_by(places: ProofContext, answer: ValueSource, names: frozenset[str]) -> frozenset[str]:
    """The answers whose correction loses a confirmation.

    These are the answer, its pieces, what a look-up sends to its register, and what decides that any of them, or the form
    that compares them, is asked.
    """
    procedure = places.procedure
    asked = {one.id: one for one in procedure.form.fields}
    pages = {one.id: page.when.names for page in procedure.form.pages for one in page.fields}
    sent = {one.id: one.sends for one in procedure.forms()}
    left = {*names, *(one.against for one in answer.confirmed if one.by_kind != "look_up")}
    left |= {name for one in answer.confirmed if one.by_kind == "look_up" for name in sent.get(one.at, ())}
    left |= {name for one in answer.confirmed if one.by_kind != "act" for name in procedure.tasks[one.at].when.names}
    found = set[str]()
    while left:
        name = left.pop()
        found.add(name)
        field, defined = asked.get(name), procedure.definitions.get(name)
        read = field.when.names | pages.get(name, frozenset()) if field is not None else frozenset[str]()
        read |= field.value.names if field is not None and field.value is not None else frozenset()
        left |= (read | (defined.names if defined is not None else frozenset())) - found
    return frozenset(found)


def _rows_of(places: ProofContext, name: str) -> str:
    """The rows that an answer is a column of, empty when it is none: to confirm the rows confirms their columns."""
    return next(
        (field.id for field in places.procedure.fields.values() if any(one.id == name for one in field.rows)), ""
    )
