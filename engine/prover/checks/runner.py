"""The proofs of a procedure, and witnesses: the entry to the prover (`docs/decisions/0008-proofs.md`).

The linter checks form, names and graph. The proofs ask whether some answers, path or day make the procedure fail,
and give them. What cannot be decided in time is reported as not proved (V790), never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from threading import Lock
from typing import Final

from engine.core.problems import Problem, problem
from engine.language.expressions.compiler import tree
from engine.language.expressions.nodes import Node
from engine.model import Accept, Fee, Procedure
from engine.model.directory import Directory
from engine.model.types import Expression
from engine.prover.checks.announced_delay import delays_that_cannot_be_kept
from engine.prover.checks.appointments import roles_without_holder, second_eyes_without_holder, unreachable_visits
from engine.prover.checks.branches import cases_that_lack_or_overlap, paths_around
from engine.prover.checks.conditions import conditions_that_never_change, unanswerable_questions
from engine.prover.checks.dead_ends import rounds_without_an_end, states_behind_closures
from engine.prover.checks.deadlines import timers_never_over
from engine.prover.checks.established_facts import ProofContext
from engine.prover.checks.fees import fees_that_are_no_amount
from engine.prover.checks.missing_values import what_may_be_missing
from engine.prover.checks.paper_holes import holes_in_papers
from engine.prover.checks.paths import TooManyPaths, paths
from engine.prover.checks.provenance import unchecked_statements
from engine.prover.checks.variants import operative_variants
from engine.prover.solver.inputs import ProverInput
from engine.prover.solver.solver import Prover, Query
from engine.prover.solver.witness import Witness

SECONDS: Final = 60.0  # of processor time for one procedure, a last limit: effort is limited before
ACCEPTED: Final = frozenset({"P4", "P10"})  # what a file may accept with a reason
_MOST_PATHS_TRIED: Final = 60
_ONE_AT_A_TIME: Final = Lock()  # the solver's memory is shared by all threads

__all__ = ["ACCEPTED", "SECONDS", "Witness", "prove", "witness_of_condition", "witness_of_line", "witness_of_page",
           "witness_of_state"]  # fmt: skip


def prove(procedure: Procedure, directory: Directory, day: date, seconds: float = SECONDS) -> list[Problem]:
    """Return all problems that the proofs find on that day, less what the file accepts.

    `seconds` of processor time are a last limit. One proof runs at a time.
    """
    with _ONE_AT_A_TIME:
        places = _places(procedure, directory, day, seconds)
        found = list(_once(_proofs(places, day)))
        found += states_behind_closures(places, found)
    return _less_accepted(procedure, found, day)


def _places(procedure: Procedure, directory: Directory, day: date, seconds: float) -> ProofContext:
    definition = ProverInput(procedure, directory)
    return ProofContext(definition, Prover(definition, day, seconds))


def _proofs(places: ProofContext, day: date) -> Iterator[Problem]:
    yield from rounds_without_an_end(places)
    yield from paths_around(places)
    yield from cases_that_lack_or_overlap(places)
    yield from conditions_that_never_change(places)
    yield from unanswerable_questions(places)
    yield from fees_that_are_no_amount(places)
    yield from what_may_be_missing(places)
    yield from holes_in_papers(places)
    yield from unreachable_visits(places, day)
    yield from roles_without_holder(places)
    yield from second_eyes_without_holder(places)
    yield from delays_that_cannot_be_kept(places)
    yield from timers_never_over(places.procedure)
    yield from unchecked_statements(places)
    yield from operative_variants(places)


def _once(problems: Iterable[Problem]) -> Iterator[Problem]:
    """The problems with one V790 for each element, whichever proofs failed."""
    reported: set[object] = set()
    for one in problems:
        if one.code != "V790" or one.facts["at"] not in reported:
            yield one
        if one.code == "V790":
            reported.add(one.facts["at"])


def _less_accepted(procedure: Procedure, found: list[Problem], day: date) -> list[Problem]:
    """The problems that the file does not accept, and R803 for an `accept` without effect.

    An `accept` of a proof that was not made (V790) is not reported.
    """
    accepted = {
        (one.id, one.at): one for one in procedure.accept if one.id in ACCEPTED and _counts(procedure, one, day)
    }
    used = {(one.code, str(one.facts.get("at"))) for one in found}
    kept = [one for one in found if (one.code, str(one.facts.get("at"))) not in accepted]
    unsettled = {one.facts["proof"] for one in found if one.code == "V790"}
    for one in procedure.accept:
        if one.id in ACCEPTED and (one.id, one.at) not in used and one.id not in unsettled:
            kept.append(problem("R803", one.where, at=one.at, name=one.id))
    return kept


def _counts(procedure: Procedure, one: Accept, day: date) -> bool:
    return (one.until is None or day <= one.until) and one.edition in (None, procedure.edition)


# -- witnesses ---------------------------------------------------------------------------------------------------------


def witness_of_condition(
    procedure: Procedure, directory: Directory, day: date, condition: Expression, seconds: float = SECONDS
) -> Witness | None:
    """Return answers with which a condition holds, None when none was found.

    The whole form is answered and valid.
    """
    return _witness(procedure, directory, day, (tree(condition),), seconds)


def witness_of_page(
    procedure: Procedure, directory: Directory, day: date, page_id: str, seconds: float = SECONDS
) -> Witness | None:
    """Return answers that show a page of the form, None when none was found or the page is unknown."""
    page = next((one for one in procedure.form.pages if one.id == page_id), None)
    return None if page is None else witness_of_condition(procedure, directory, day, page.when, seconds)


def witness_of_line(
    procedure: Procedure, directory: Directory, day: date, fee_id: str, line_id: str, seconds: float = SECONDS
) -> Witness | None:
    """Return answers that make one line of a fee due, None when none was found or the line is unknown."""
    fee = procedure.tasks.get(fee_id)
    line = next((one for one in fee.lines if one.id == line_id), None) if isinstance(fee, Fee) else None
    if fee is None or line is None:
        return None
    rows = (line.for_each,) if line.for_each else ()
    return _witness(procedure, directory, day, (tree(fee.when), tree(line.when)), seconds, rows)


def witness_of_state(
    procedure: Procedure, directory: Directory, day: date, state_id: str, seconds: float = SECONDS
) -> Witness | None:
    """Return answers that lead to a state, with the shortest `path`, None when none was found."""
    if state_id == procedure.start:
        return _witness(procedure, directory, day, (), seconds)
    with _ONE_AT_A_TIME:
        places = _places(procedure, directory, day, seconds)
        try:
            for at, path in enumerate(paths(procedure, lambda transition: transition.target == state_id)):
                answer = places.prover.example(replace(path.query(), also=_whole_form(places)))
                if answer.witness is not None:
                    return answer.witness.along(tuple(transition.id for transition in path.transitions))
                if at > _MOST_PATHS_TRIED:
                    break
        except TooManyPaths:
            pass
    return None


def _witness(
    procedure: Procedure, directory: Directory, day: date, nodes: tuple[Node, ...], seconds: float,
    rows: tuple[str, ...] = (),
) -> Witness | None:  # fmt: skip
    with _ONE_AT_A_TIME:
        places = _places(procedure, directory, day, seconds)
        return places.prover.example(Query(nodes, rows=rows, also=_whole_form(places))).witness


def _whole_form(places: ProofContext) -> frozenset[str]:
    """All questions before and in the form: a witness answers them all."""
    asked = (field.id for field in places.procedure.form.fields if field.type != "note")
    return frozenset((*asked, *(one.id for one in places.procedure.eligibility)))
