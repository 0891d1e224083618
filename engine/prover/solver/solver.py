"""Queries to the solver with limited effort: can these conditions hold together, and with which answers?

The verdict is yes, no or unknown (too much effort, or not expressible). A yes that is reported comes with a witness
that the real evaluator confirms. When they disagree, the verdict is unknown, never a guess.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias

import z3

from engine.language.expressions.compiler import tree
from engine.language.expressions.nodes import Node
from engine.model import Field
from engine.model.types import Constant, History, Type, Value
from engine.prover.solver.calendar import FIRST, LAST
from engine.prover.solver.domains import Domain
from engine.prover.solver.encoding import NotExpressible, SymbolicRow, Term
from engine.prover.solver.inputs import ProverInput
from engine.prover.solver.variables import Question
from engine.prover.solver.witness import Witness

Z: TypeAlias = Any
Verdict: TypeAlias = Literal["yes", "no", "unknown"]

ROWS: Final = (1, 3)  # rows unrolled at first, then when more rows may change the answer
MOST_ROWS: Final = 20  # most rows unrolled before the verdict is unknown
_SEEDS: Final = (7, 11)  # a search without result is repeated in another order
_EFFORT: Final = 2_000_000  # for one query, in the unit of the solver: half a second of a free core
_WHOLE_EFFORT: Final = 40_000_000  # for all queries together: eight times what the largest shipped procedure needs
_ENCODING: Final = 10_000  # what a query counts besides: its formulas are built before the solver has them
_WAIT_LIMIT: Final = 4  # limit of elapsed time, in times of the processor time left: the machine may be busy
_LONGEST: Final = 5_000  # characters of an invented text
_PREFERENCES: Final = 6  # rounds that drop examples which do not fit


@dataclass(frozen=True, slots=True)
class Query:
    """Conditions that must hold together, in the first row of each of `rows`: `holds` are true, `fails` false.

    `sure` are tasks already done, `filling` the forms being filled now. `without` leaves out checks and criteria.
    """

    holds: tuple[Node, ...] = ()
    fails: tuple[Node, ...] = ()
    rows: tuple[str, ...] = ()
    sure: frozenset[str] = frozenset()
    filling: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()
    at_most: frozenset[str] | None = None  # for a path: no other task is done
    also: frozenset[str] = frozenset()  # answers that the witness must give besides


@dataclass(frozen=True, slots=True)
class SolverResult:
    """The verdict on a query, with a witness if the verdict is a confirmed yes."""

    verdict: Verdict
    witness: Witness | None = None


class Prover:
    """Runs queries about one procedure, until their whole effort is spent.

    Effort is counted, not timed: a slow or busy machine proves the same. `seconds` of processor time are the last
    limit.
    """

    def __init__(self, procedure: ProverInput, day: date, seconds: float) -> None:
        self.definition = procedure
        self.day = max(day, procedure.procedure.identity.from_ or day)
        self.days = procedure.days(self.day)
        self._until = time.thread_time() + seconds
        self._asked = 0
        self._domains: dict[tuple[date, int, bool], Domain] = {}
        self._search = _Search()

    def possible(self, query: Query) -> Verdict:
        """Return whether some answers satisfy the query on some day. A no is exact.

        All possible rows are considered. Options count outside their dates too, because a suspended one may come
        back.
        """
        for depth in (*ROWS, MOST_ROWS):
            found = [self._solved(query, day, depth, dated=False) for day in self.days[:1]]
            if found[0].verdict != "yes":
                found += [self._solved(query, day, depth, dated=False) for day in self.days[1:]]
            if any(one.verdict == "yes" for one in found):
                return "yes"
            if not any(one.truncated for one in found):
                return "unknown" if any(one.verdict == "unknown" for one in found) else "no"
        return "unknown"

    def example(self, query: Query) -> SolverResult:
        """Return answers that satisfy the query, on the day of the proof or later.

        A no holds for the rows that were unrolled.
        """
        for depth in ROWS:
            verdicts: set[Verdict] = set()
            more_rows = False
            for day in self.days:
                if day < self.day:
                    continue
                found = self._solved(query, day, depth, with_witness=True)
                if found.witness is not None and self.confirms(query, found.witness):
                    return SolverResult("yes", found.witness)
                verdicts.add("no" if found.verdict == "no" else "unknown")
                more_rows = more_rows or found.truncated
            if not more_rows:
                break
        return SolverResult("unknown" if "unknown" in verdicts else "no")

    def confirms(self, query: Query, witness: Witness) -> bool:
        """Return whether the real evaluator agrees with the witness."""
        return all(witness.holds(self.definition, node, query.rows) for node in query.holds) and not any(
            witness.holds(self.definition, node, query.rows) for node in query.fails
        )

    def _solved(self, query: Query, day: date, depth: int, with_witness: bool = False, dated: bool = True) -> _Solved:
        left = self._until - time.thread_time()
        if left <= 0 or self._asked * _ENCODING + self._search.effort > _WHOLE_EFFORT:
            return _Solved("unknown")
        self._asked += 1
        domain = self._domain(day, depth, dated)
        try:
            formulas, names = _formulas(domain, query)
        except NotExpressible:
            return _Solved("unknown")
        time_left = max(10, int(left * _WAIT_LIMIT * 1000))
        solver, found = self._search.checked(domain, formulas, names, time_left)
        if found != z3.sat:
            return _Solved("no" if found == z3.unsat else "unknown", bool(domain.truncated & names))
        if not with_witness:
            return _Solved("yes")
        model = self._search.preferred(formulas, domain, names, time_left) or solver.model()
        return _Solved("yes", witness=_Reading(domain, model.translate(z3.main_ctx()), names).witness())

    def _domain(self, day: date, depth: int, dated: bool) -> Domain:
        key = (day, depth, dated)
        if key not in self._domains:
            self._domains[key] = Domain(self.definition, day, min(self.day, day), depth, dated)
        return self._domains[key]


@dataclass(frozen=True, slots=True)
class _Solved:
    """One run of the solver. `truncated`: there may be more rows than it considered."""

    verdict: Verdict
    truncated: bool = False
    witness: Witness | None = None


def _formulas(domain: Domain, query: Query) -> tuple[list[Z], frozenset[str]]:
    """The query with all constraints that concern it, and the names met."""

    def build() -> list[Z]:
        for name in sorted(query.also):
            _all_columns(domain.name(name, domain.definition.type_of(name)), domain.definition.type_of(name))
        row, found = _row_of(domain, query.rows)
        found += [domain.terms.holds(node, row) for node in query.holds]
        found += [z3.Not(domain.terms.holds(node, row)) for node in query.fails]
        return found

    wanted, trace = domain.traced(build)
    formulas, names = domain.cone(trace, query.without, query.sure)
    if query.at_most is not None:
        happened = (name.partition(":") for name in sorted(names))
        formulas += [
            z3.Not(z3.Bool(f"done:{task}"))
            for kind, _, task in happened
            if kind == "done" and task not in query.at_most
        ]
    filling = [z3.Bool(f"filled:{form}") for form in query.filling]
    return [*wanted, *formulas, *filling], names


def _all_columns(term: Term, type_: Type) -> None:
    """Add all columns of all rows to the trace."""
    for slot in term.value if isinstance(term.value, tuple) else ():
        for name, column_type in (type_.row or {}).items():
            column = slot.column(name)
            if column is not None:
                _all_columns(column, column_type)


def _row_of(domain: Domain, rows: tuple[str, ...]) -> tuple[SymbolicRow | None, list[Z]]:
    """The first row of the nested rows, and the formulas that it exists."""
    row: SymbolicRow | None = None
    found: list[Z] = []
    for name in rows:
        term = (row.column(name) if row is not None else None) or domain.name(name, domain.definition.type_of(name))
        if not isinstance(term.value, tuple) or not term.value:
            raise NotExpressible("rows")
        row = SymbolicRow(term.value[0].present, term.value[0].column, term.value[0].outer or row, term.value[0].key)
        found.append(row.present)
    return row, found


class _Search:
    """The solvers of one prover, in a Z3 context of their own.

    The order of a search depends on all that its memory held before. So a process that has run for a month proves
    the same as a new one.
    """

    def __init__(self) -> None:
        self._memory = z3.Context()
        self.effort = 0  # of all searches so far

    def checked(self, domain: Domain, formulas: list[Z], names: frozenset[str], milliseconds: int) -> tuple[Any, Any]:
        """Return a solver that has checked the formulas, and its result.

        Where unknowns are multiplied or days are taken apart, the examples of the file are tried first: they need
        no search.
        """
        hard = "!product" in names or "!calendar" in names
        asked = self._brought(formulas)
        tries: list[list[Z]] = [self._brought(_wishes(domain, names)), []] if hard else [[]]
        for more in tries:
            solver = self._solver(names, milliseconds)
            solver.add(*asked, *more)
            found = self._found(solver)
            if found == z3.sat:
                break
        for seed in _SEEDS:
            if found != z3.unknown:
                break
            solver = self._solver(names, milliseconds, seed)
            solver.add(*asked)
            found = self._found(solver)
        return solver, found

    def preferred(self, formulas: list[Z], domain: Domain, names: frozenset[str], milliseconds: int) -> Any:
        """Return a model close to the examples of the file, for people who read it. None when not found in time."""
        solver = self._solver(names, milliseconds)
        wishes = self._brought(_wishes(domain, names))
        left = [z3.Bool(f"wish!{at}", self._memory) for at in range(len(wishes))]
        solver.add(*self._brought(formulas), *map(z3.Implies, left, wishes))
        for _ in range(_PREFERENCES):
            found = self._found(solver, *left)
            if found == z3.sat:
                return solver.model()
            core = {str(one) for one in solver.unsat_core()} if found == z3.unsat else set()
            if not core:
                break
            left = [one for one in left if str(one) not in core]
        return None

    def _found(self, solver: Any, *assumed: Z) -> Any:
        found = solver.check(*assumed)
        self.effort = solver.statistics().get_key_value("rlimit count")  # of the memory, not of this solver alone
        return found

    def _brought(self, formulas: Iterable[Z]) -> list[Z]:
        return [one.translate(self._memory) for one in formulas]

    def _solver(self, names: frozenset[str], milliseconds: int, seed: int = 0) -> Any:
        """A new solver. Formulas with parts of days have a faster one."""
        plain = "!product" in names or "!calendar" not in names or "!real" in names
        solver = z3.Solver(ctx=self._memory) if plain else z3.SolverFor("QF_UFLIA", ctx=self._memory)
        solver.set("timeout", milliseconds)
        solver.set("rlimit", _EFFORT)
        solver.set("random_seed", seed)
        return solver


# -- examples ----------------------------------------------------------------------------------------------------------


def _wishes(domain: Domain, names: frozenset[str]) -> Iterator[Z]:
    for key, question in sorted({**domain.questions, **domain.columns}.items()):
        if key in names:
            yield from _wished(domain, question)
    for name in sorted(names):
        if name == "submitted_on":
            yield z3.Int(name) == domain.today.toordinal()


def _wished(domain: Domain, question: Question) -> Iterator[Z]:
    term, example = question.term, question.field.example
    node = tree(example) if example is not None else None
    if isinstance(node, Constant) and not isinstance(term.value, (tuple, Mapping)):
        wanted = domain.terms.constant(node.value, question.field.value_type.kind)
        yield z3.Implies(term.answered, term.value == wanted.value)
    elif question.field.value_type.kind == "date":
        yield z3.And(term.value >= date(1990, 1, 1).toordinal(), term.value <= domain.today.toordinal() + 400)
    if isinstance(term.value, tuple) and len(term.value) > 1:
        yield z3.Not(term.value[1].present)


class _Reading:
    """A model as answers."""

    def __init__(self, domain: Domain, model: Any, names: frozenset[str]) -> None:
        self.domain, self.model, self.names = domain, model, names

    def witness(self) -> Witness:
        domain = self.domain
        answers: dict[str, Value] = {}
        for name in sorted(self.names):
            if name in domain.known:
                asked = domain.definition.fields.get(name)
                if asked is None or asked.value is None:
                    answers[name] = self._value(domain.known[name], domain.definition.type_of(name), name)
        submitted = self._number(z3.Int("submitted_on")) if "submitted_on" in self.names else 0
        channel = domain.codes.text(self._number(z3.Int("channel"))) if "channel" in self.names else None
        return Witness(
            answers,
            domain.today,
            date.fromordinal(submitted) if FIRST <= submitted <= LAST else domain.today,
            channel or domain.definition.procedure.identity.channels[0],
            self._history(),
            names=self.names,
        )

    def _history(self) -> History:
        done, counts = set[str](), {"missed": dict[str, int](), "taken": dict[str, int]()}
        for name in self.names:
            kind, _, task = name.partition(":")
            if kind == "done" and self._true(z3.Bool(name)):
                done.add(task)
            elif kind in counts and task:
                counts[kind][task] = self._number(z3.Int(name))
        return History(frozenset(done), counts["missed"], counts["taken"])

    def _true(self, formula: Z) -> bool:
        return bool(z3.is_true(self.model.eval(formula, model_completion=True)))

    def _number(self, value: Z) -> int:
        found = self.model.eval(value, model_completion=True)
        return int(found.as_long())

    def _value(self, term: Term, type_: Type, name: str) -> Value:
        if not self._true(term.answered):
            return None
        if isinstance(term.value, Mapping):
            return tuple(code for code, ticked in term.value.items() if self._true(ticked))
        if isinstance(term.value, tuple):
            rows = (slot for slot in term.value if self._true(slot.present))
            return tuple(self._row(slot, type_) for slot in rows)
        match type_.kind:
            case "yes_no":
                return self._true(term.value)
            case "integer" | "money":
                return self._number(term.value)
            case "decimal" | "percent":
                found = self.model.eval(term.value, model_completion=True)
                return Decimal(found.numerator_as_long()) / Decimal(found.denominator_as_long())
            case "date":
                number = self._number(term.value)
                return date.fromordinal(number) if FIRST <= number <= LAST else None
            case "time":
                hours, minutes = divmod(self._number(term.value), 60)
                return f"{hours:02d}:{minutes:02d}"
            case "partial_date":
                return f"{self._number(term.value):04d}"
            case "file":
                return ("example",)
        return self._text(term, name)

    def _row(self, slot: SymbolicRow, type_: Type) -> Mapping[str, Value]:
        """The columns that count: those of the query, and those of a round."""
        found: dict[str, Value] = {}
        said = slot.key.partition(".")[0] in self.domain.definition.rounds
        for column, column_type in (type_.row or {}).items():
            known = said or f"{slot.key}.{column}" in self.names
            term = slot.column(column) if known else None
            if term is not None:
                found[column] = self._value(term, column_type, column)
        return found

    def _asked(self, name: str) -> Field | None:
        """Return a question, or a column of rows, by its name."""
        fields = self.domain.definition.fields
        columns = (column for rows in fields.values() for column in rows.rows if column.id == name)
        return fields.get(name) or next(columns, None)

    def _text(self, term: Term, name: str) -> str:
        """The text of a number, or one of the right length when no text of the file has it."""
        number = self._number(term.value)
        known = self.domain.codes.text(number)
        asked = self._asked(name)
        scheme = self.domain.definition.procedure.schemes.get(asked.scheme or "") if asked is not None else None
        if scheme is not None and (known is None or re.fullmatch(scheme.pattern, known) is None):
            digits = str(abs(number))[-3:]
            return scheme.example[: -len(digits)] + digits  # numbers that differ stay different
        if known is not None:
            return known
        example = asked.example.node if asked is not None and asked.example is not None else None
        text = str(example.value) if isinstance(example, Constant) else "texte"
        text = f"{text}{abs(number)}"
        length = self._number(self.domain.length(term.value)) if self.domain.measured else 0
        return (text + "x" * length)[:length] if 1 <= length <= _LONGEST else text
