"""Proof P13: what a document states as a fact comes from a checked source, on every path that issues it.

A register, an agent or the system gives a checked value. What the applicant typed or chose must be confirmed by an
act, a later form or a look-up, and not be corrected or reopened afterwards. The search looks for a path on which it is
not: its nodes are a state, and whether the answer is confirmed there. The solver then says whether answers open it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from engine.core.problems import Problem, problem
from engine.language.expressions.compiler import tree
from engine.language.expressions.nodes import And, Compare, FunctionCall, Name, Node, names_of
from engine.model import APPLICATION, Form, Output, Procedure, Transition
from engine.model.graph import edges
from engine.model.provenance import ValueSource, answers_in, confirms, filled_by, source_of, table_names
from engine.model.types import TRUE, YES_NO, Constant, Expression
from engine.prover.checks.conditions import not_proved
from engine.prover.checks.established_facts import ProofContext
from engine.prover.checks.paths import TooManyPaths, done_after
from engine.prover.solver.solver import Query, Verdict
from engine.prover.solver.witness import Witness
from engine.prover.solver.witness_facts import facts_of

_MOST_TRIED: Final = 60
_MOST_STEPS: Final = 20_000
_PRICES: Final = ("quote", "receipt")
_Place: TypeAlias = tuple[str, bool]  # a state, and whether the answer is confirmed there


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


@dataclass(frozen=True, slots=True)
class _Way:
    """A path to the issue of a document. `unless` are conditions that would confirm the answer."""

    taken: tuple[Transition, ...] = ()
    places: tuple[_Place, ...] = ()
    guards: tuple[Node, ...] = ()  # since the answers last changed
    unless: tuple[Node, ...] = ()
    done: frozenset[str] = frozenset()
    ever: frozenset[str] = frozenset()

    @property
    def states(self) -> tuple[str, ...]:
        return tuple(state for state, _ in self.places)


@dataclass(frozen=True, slots=True)
class _Step:
    """One transition as it changes the confirmation of an answer.

    `gives`: it is confirmed unless one of these conditions fails. None when the transition confirms nothing.
    """

    transition: Transition
    gives: tuple[Node, ...] | None
    takes: bool
    issues: bool


@dataclass(slots=True)
class _Failure:
    """The first path without confirmation, and the statements that fail."""

    way: _Way
    statement: _Statement
    witness: Witness | None
    printed: dict[str, None] = field(default_factory=dict)


def unchecked_statements(places: ProofContext) -> Iterator[Problem]:
    """Yield P13 for each document that states what no register, agent or rule has checked on some path."""
    for output in places.procedure.outputs.values():
        if output.paper is not None and output.kind != "form":
            yield from _of_output(places, output)


def _of_output(places: ProofContext, output: Output) -> Iterator[Problem]:
    failure: _Failure | None = None
    unknown = False
    for statement in dict.fromkeys(_statements(places, output)):
        verdict, way, witness = _Search(places, output, statement).unconfirmed()
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
            yield from _conditions(asked.when)


# -- what a document states --------------------------------------------------------------------------------------------


def _statements(places: ProofContext, output: Output) -> Iterator[_Statement]:
    """The values of all zones but `declared` and the mentions, with each answer of the applicant behind them."""
    paper, procedure = output.paper, places.procedure
    if paper is None:
        return
    granted, seen = _conditions(output.when), _seen_by_agents(procedure)
    heads = [text for text in (paper.subtitle, paper.issuer) if text is not None]
    for name in (*(one for text in heads for one in answers_in(text)), *paper.particulars):
        yield from _behind(places, output, name, granted)
    if paper.lines_of is not None:
        yield from _behind(places, output, paper.lines_of, granted)
    for clause in paper.clauses():
        around = (*granted, *_conditions(clause.when))
        for name in answers_in(clause.text):
            yield from _behind(places, output, name, around)
        if clause.table is not None:
            for name in table_names(procedure, clause.table.of, clause.table.columns):
                yield from _behind(places, output, name, around)
        for name in sorted(clause.when.names - seen):
            yield from (replace(one, fault="chosen") for one in _behind(places, output, name, around))


def _seen_by_agents(procedure: Procedure) -> frozenset[str]:
    """The answers that may choose a text although no person confirms them: what an agent does depends on them.

    They decide which document is requested, what a form of agents asks, or which piece answers are compared with.
    """
    conditions = [one.when for one in procedure.outputs.values()]
    compared = {piece for act in procedure.transitions for piece in act.confirms}
    for form in procedure.forms():
        if confirms(filled_by(procedure, form)):
            compared |= set(form.confirms)
            conditions += [form.when, *(one.when for one in form.fields), *(page.when for page in form.pages)]
    conditions += [one.when for one in procedure.form.fields if one.id in compared]
    return frozenset(name for one in conditions for name in one.names)


def _conditions(*conditions: Expression) -> tuple[Node, ...]:
    return tuple(tree(one) for one in conditions if one != TRUE)


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


class _Search:
    """Looks for a path to the issue of a document on which an answer is not confirmed."""

    def __init__(self, places: ProofContext, output: Output, statement: _Statement) -> None:
        self.places, self.output, self.statement = places, output, statement
        self.procedure = places.procedure
        self.rows = (output.per,) if output.per else ()
        self.names = frozenset({statement.answer.name, _rows_of(places, statement.answer.name)})
        self.steps: dict[str, list[_Step]] = {}
        for transition in edges(self.procedure):
            self.steps.setdefault(transition.source, []).append(self._step(transition))

    def unconfirmed(self) -> tuple[Verdict, _Way | None, Witness | None]:
        """Return yes with the shortest such path and its answers, no when every path confirms the answer."""
        verdict: Verdict = "no"
        try:
            for tried, way in enumerate(self._ways()):
                answer = self.places.prover.example(self._query(way))
                if answer.verdict == "yes":
                    return "yes", way, answer.witness
                if answer.verdict == "unknown" or tried >= _MOST_TRIED:
                    verdict = "unknown"
                if tried >= _MOST_TRIED:
                    break
        except TooManyPaths:
            verdict = "unknown"
        return verdict, None, None

    def _query(self, way: _Way) -> Query:
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

    def _step(self, transition: Transition) -> _Step:
        state = self.procedure.states.get(transition.target)
        issues = self.output.id in transition.effects.issues
        issues = issues or (state is not None and self.output.id in state.effects.issues)
        return _Step(transition, self._given(transition), self._taken_back(transition), issues)

    def _given(self, transition: Transition) -> tuple[Node, ...] | None:
        """The conditions of which one suffices to confirm. Empty when it is confirmed in any case, None when never."""
        found: list[Node] = []
        if confirms(transition.by):
            found += self._with_pieces(transition.confirms)
        before = frozenset[str]()
        for task in sorted(done_after(self.procedure, transition, before)):
            if task == self.statement.fee:
                return ()
            form = self.procedure.tasks.get(task)
            if isinstance(form, Form):
                found += self._by_form(form, transition.fills == task)
        if not found:
            return None
        query = Query(
            (*self.statement.around, *_conditions(transition.when)), tuple(found), self.rows,
            sure=self.places.after(transition), filling=frozenset({transition.fills} if transition.fills else ()),
        )  # fmt: skip
        return () if self.places.prover.possible(query) == "no" else tuple(found)

    def _with_pieces(self, pieces: Mapping[str, tuple[str, ...]], each: str | None = None) -> list[Node]:
        """One condition for each piece with which the answer is compared: that the piece is given."""
        return [self._is_given(piece, each) for piece, names in pieces.items() if self.names & set(names)]

    def _by_form(self, form: Form, filled: bool) -> list[Node]:
        asked = () if filled else _conditions(form.when)
        found: list[Node] = []
        if confirms(filled_by(self.procedure, form)):
            found += self._with_pieces(form.confirms, form.each)
        if self.names & set(form.matches):
            name = Name(form.id, self.places.definition.type_of(form.id))
            found.append(Compare(name, "==", Constant("found", name.type)))
        return [And((*asked, one)) if asked else one for one in found]

    def _is_given(self, piece: str, each: str | None) -> Node:
        """The condition that a piece is given. A piece of other rows than those of the document is not followed."""
        if each is not None and each != self.output.per:
            return tree(TRUE)
        asked = self.places.definition.fields.get(piece)
        name = self.places.name(piece, self.rows)
        plain = asked is not None and asked.evidence is not None and not asked.evidence.any_of
        return name if plain and not name.in_row else FunctionCall("answered", (name,), YES_NO)

    def _taken_back(self, transition: Transition) -> bool:
        """Return whether the answer may change after this transition: by a correction, or a form filled again."""
        answer, target = self.statement.answer, self.procedure.states.get(transition.target)
        again = set(transition.reopens)
        if answer.at in again or self.statement.fee in again or again & {one.at for one in answer.confirmed}:
            return True
        if answer.at != APPLICATION or target is None or target.correct is None:
            return False
        asked = set(transition.correctable) if "correction" in transition.asks else set()
        return target.correct == "everything" or not asked or bool(asked & self.names)

    # -- paths ---------------------------------------------------------------------------------------------------------

    def _moves(self, place: _Place) -> Iterator[tuple[_Step, _Place, tuple[Node, ...]]]:
        """The places that follow, each with the conditions that must fail for the answer to stay unconfirmed."""
        state, confirmed = place
        for step in self.steps.get(state, ()):
            target = step.transition.target
            if step.takes:
                yield step, (target, False), ()
            elif step.gives is None or confirmed:
                yield step, (target, confirmed), ()
            else:
                yield step, (target, True), ()
                if step.gives:
                    yield step, (target, False), step.gives

    def _ways(self) -> Iterator[_Way]:
        """The paths that end with the issue while the answer is not confirmed, the shortest first."""
        start: _Place = (self.procedure.start, False)
        first = frozenset({self.procedure.form.id})
        if self.output.id in self.procedure.states[start[0]].effects.issues:
            yield _Way((), (start,), done=first, ever=first)
        useful = self._useful(start)
        left = deque([_Way((), (start,), done=first, ever=first)] if start in useful else [])
        steps = 0
        while left:
            way = left.popleft()
            for step, place, unless in self._moves(way.places[-1]):
                steps += 1
                if steps > _MOST_STEPS:
                    raise TooManyPaths
                longer = self._longer(way, step, place, unless)
                if step.issues and not place[1]:
                    yield longer
                elif place in useful and place not in way.places:
                    left.append(longer)

    def _useful(self, start: _Place) -> frozenset[_Place]:
        """The places from which the document may still be issued without confirmation."""
        backward: dict[_Place, list[_Place]] = {}
        last: list[_Place] = []
        left, seen = [start], {start}
        while left:
            place = left.pop()
            for step, following, _ in self._moves(place):
                if step.issues and not following[1]:
                    last.append(place)
                backward.setdefault(following, []).append(place)
                if following not in seen:
                    seen.add(following)
                    left.append(following)
        found, left = set(last), list(last)
        while left:
            for place in backward.get(left.pop(), ()):
                if place not in found:
                    found.add(place)
                    left.append(place)
        return frozenset(found)

    def _longer(self, way: _Way, step: _Step, place: _Place, unless: tuple[Node, ...]) -> _Way:
        transition = step.transition
        done = done_after(self.procedure, transition, way.done)
        source = self.procedure.states.get(transition.source)
        changed = source is not None and source.correct is not None
        again = transition.source in way.states[:-1] or bool(transition.reopens) or changed
        guards = (*(() if again else way.guards), *_conditions(transition.when))
        kept = () if step.takes else (*way.unless, *unless)
        return _Way(
            (*way.taken, transition), (*way.places, place), tuple(dict.fromkeys(guards)), kept, done, way.ever | done
        )


def _rows_of(places: ProofContext, name: str) -> str:
    """The rows that an answer is a column of, empty when it is none: to confirm the rows confirms their columns."""
    return next(
        (field.id for field in places.procedure.fields.values() if any(one.id == name for one in field.rows)), ""
    )
