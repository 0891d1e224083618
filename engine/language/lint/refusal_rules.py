"""The rules of refusals, C564, C565 and C571: a letter, a reason, and an appeal that the person may lodge."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from engine.core.problems import Problem, problem
from engine.language.expressions.compiler import tree
from engine.language.expressions.nodes import And, Not
from engine.language.lint.paper_rules import is_longer
from engine.language.lint.rule_registry import rule
from engine.model import APPLICANT, Appeal, Output, Procedure, Transition
from engine.model.directory import Directory
from engine.model.graph import closure, edges, issued_by
from engine.model.provenance import answers_in, source_of
from engine.model.types import TRUE

DECIDING: Final = ("letter", "decision", "permit")  # kinds that notify a decision
_Way: TypeAlias = tuple[Transition, ...]


@rule("C564")
def refused_without_a_letter(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C564 for each refused end that a path reaches without any letter or decision of refusal.

    One counts if it is issued for all answers, and no grant follows it: that of a receipt or an invitation does.
    An act that decides an appeal needs its own.
    """
    silent = [one for one in edges(procedure) if not _notifies(procedure, one)]
    contested = [one.source for one in edges(procedure) if procedure.states[one.source].is_end]
    for state in (one for one in procedure.states.values() if one.outcome == "refused"):
        last = [one for one in silent if one.target == state.id]
        acts = [one for one in last if one.event is None and APPLICANT not in one.by]  # silence keeps the first refusal
        paths = (_path(procedure, silent, last), *(_path(procedure, silent, acts, one) for one in contested))
        if (path := next(filter(None, paths), None)) is not None:
            yield problem("C564", state.where, at=state.id, state=state.id, path=_states(path))


def _notifies(procedure: Procedure, act: Transition) -> bool:
    """Return whether a transition issues a letter or decision that may be one of refusal."""
    outputs = [procedure.outputs[one] for one in issued_by(procedure, act) if one in procedure.outputs]
    given = [one for one in outputs if one.kind in DECIDING]
    guard, whens = tree(act.when), [tree(one.when) for one in given if one.per is None]
    known = (tree(TRUE), guard, *(guard.items if isinstance(guard, And) else ()))
    always = any(one in known or Not(one) in whens for one in whens) or any(
        one.per is not None and _of_each_request(procedure, one, one.per) for one in given
    )
    effects = [one.effects for one in edges(procedure)] + [one.effects for one in procedure.states.values()]
    revoked = {name for one in effects for name in one.revokes}
    return always and (not may_grant(procedure, act.target) or any(one.id in revoked for one in given))


def _reached(procedure: Procedure, state: str) -> frozenset[str]:
    """Return the states that follow a state, itself included. Nothing follows an end: an appeal is another matter."""
    follows: dict[str, list[str]] = {}
    for one in edges(procedure):
        if not procedure.states[one.source].is_end:
            follows.setdefault(one.source, []).append(one.target)
    return closure([state], follows)


def may_grant(procedure: Procedure, state: str) -> bool:
    """Return whether a granted end, or the issue of a document that grants, follows a state."""
    reached = _reached(procedure, state)
    granting = {one.id for one in procedure.outputs.values() if one.grants}
    moves = (one for one in edges(procedure) if one.source in reached and not procedure.states[one.source].is_end)
    return any(procedure.states[one].outcome == "granted" for one in reached) or any(
        not granting.isdisjoint(issued_by(procedure, one)) for one in moves
    )


def only_refused(procedure: Procedure) -> frozenset[str]:
    """Return the states from which the dossier only ends refused: a refused end, and the steps before it that grant nothing."""
    return frozenset(
        state.id for state in procedure.states.values()
        if state.outcome == "refused" or (not state.is_end and not may_grant(procedure, state.id) and any(
            procedure.states[one].outcome == "refused" for one in _reached(procedure, state.id)
        ))
    )  # fmt: skip


def _of_each_request(procedure: Procedure, output: Output, rows: str) -> bool:
    """Return whether every request has a row with this document, or one that agents exclude row by row."""
    decided = {field.id for form in procedure.forms() if form.each == rows for field in form.fields}
    field = procedure.fields[rows]
    hidden = [page for page in procedure.form.pages if page.when != TRUE and any(one.id == rows for one in page.fields)]
    asked = bool(field.bounds.min_items) and field.when == TRUE and not hidden
    return asked and (output.when == TRUE or output.when.names <= decided)


@rule("C565")
def refusal_without_a_reason(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C565 for each letter or decision of refusal for which no act gives a reason that it prints.

    It prints the reason of the acts it names, on any part of the path, else that of the act itself where this leads to
    the refused end. A reason asked with a request for corrections is another one. A letter may instead state what a
    register or an agent's form found. Where a rule of the file refuses, its text says why.
    """
    denied = procedure.once(only_refused)
    for output in procedure.outputs.values():
        if output.kind not in DECIDING or _states_what_was_found(procedure, output):
            continue
        issuing = [one for one in edges(procedure) if one.target in denied and output.id in issued_by(procedure, one)]
        silent = [one for one in edges(procedure) if not _gives_reason(output, one)]
        refusing = [one for one in issuing if one.event is None and not _explains(procedure, output, one)]
        later = {one.source for one in issuing if one.event is not None}
        refusing += [
            one for one in edges(procedure)
            if one.event is None and APPLICANT not in one.by and one.target in denied and one.source not in denied
            and later & _reached(procedure, one.target) and not (_named(output) and _gives_reason(output, one))
        ]  # fmt: skip
        path = _path(procedure, silent if _named(output) else edges(procedure), refusing)
        if path is not None:
            asked = _gives_reason(output, path[-1]) or path[-1].target not in {one.target for one in issuing}
            yield problem(
                "C565", output.where, at=output.id, name=output.id, act=path[-1].id, path=_states(path),
                fault="unprinted" if asked else "",
            )  # fmt: skip


def _named(output: Output) -> tuple[str, ...]:
    return output.paper.reason_of if output.paper is not None else ()


def _explains(procedure: Procedure, output: Output, act: Transition) -> bool:
    """Return whether a document prints the reason of the act that issues it: named, in its text, or where the dossier ends refused."""
    said = output.paper is not None and any("reason" in one.names for one in output.paper.texts())
    printed = _named(output) or said or procedure.states[act.target].outcome == "refused"
    return bool(printed) and _gives_reason(output, act)


def _gives_reason(output: Output, act: Transition) -> bool:
    if (_named(output) and act.id not in _named(output)) or APPLICANT in act.by:
        return False
    return bool(act.asks & {"reason", "grounds"}) and "correction" not in act.asks


def _states_what_was_found(procedure: Procedure, output: Output) -> bool:
    """Return whether the text prints, or is chosen by, what a register or an agent's form says."""
    clauses = tuple(output.paper.clauses()) if output.paper is not None else ()
    names = {one for clause in clauses for one in (*answers_in(clause.text), *clause.when.names)}
    leaves = (leaf for name in sorted(names) for leaf in source_of(procedure, name).leaves())
    return any(leaf.kind in ("register", "form") for leaf in leaves)


@rule("C571")
def appeal_that_the_end_does_not_open(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C571 for each letter or decision of refusal with an appeal that a later end does not open as announced.

    Its act leaves the end, is one of the applicant, and stays open for as long as the letter says (P5: to all). A document
    without `remedies` prints no appeal that was lodged on the way and that the end does not open.
    """
    agency = directory.agencies.get(procedure.identity.agency)
    known, denied = procedure.identity.appeals or (agency.appeals if agency else {}), procedure.once(only_refused)
    for output in (one for one in procedure.outputs.values() if one.kind in DECIDING):
        named = output.paper.remedies if output.paper is not None else None
        for appeal in (known[one] for one in (known if named is None else named) if one in known):
            among = [one for one in edges(procedure) if named is not None or one.id != appeal.act]
            issuing = [one for one in among if one.target in denied and output.id in issued_by(procedure, one)]
            shut = {one.target: _shut(procedure, one.target, appeal) for one in issuing if appeal.act}
            path = _path(procedure, among, [one for one in issuing if shut.get(one.target)])
            if path is not None:
                others = [
                    one.id for one in known.values() if one.id != appeal.id and (named is None or one.id in named)
                ]
                state, fault = shut[path[-1].target][0]
                yield problem(
                    "C571", output.where, at=output.id, name=output.id, appeal=appeal.id, act=appeal.act or "",
                    state=state, fault=fault, others=", ".join(others), path=_states(path),
                    within=str(appeal.within) if appeal.within is not None else "",
                )  # fmt: skip


def _shut(procedure: Procedure, state: str, appeal: Appeal) -> list[tuple[str, str]]:
    """Return the refused ends from a state on that do not open an appeal as announced, each with its fault."""
    ends = (one for one in sorted(_reached(procedure, state)) if procedure.states[one].outcome == "refused")
    return [(one, fault) for one in ends if (fault := _fault_of(procedure, one, appeal))]


def _fault_of(procedure: Procedure, end: str, appeal: Appeal) -> str:
    """Return why a refused end does not open an appeal as announced, empty when it does."""
    acts = [one for one in procedure.leaving.get(end, ()) if one.id == appeal.act and one.event is None]
    if not acts:
        return "never"
    if any(APPLICANT not in one.by for one in acts):
        return "another"
    short = appeal.within is not None and any(
        one.within is not None and is_longer(appeal.within, one.within) for one in acts
    )
    return "short" if short else ""


def _path(
    procedure: Procedure, among: Iterable[Transition], last: Iterable[Transition], start: str = ""
) -> _Way | None:
    """The shortest path of these transitions, from the start or a state, that ends with one of `last`."""
    among, ends = tuple(among), frozenset((one.id, one.source, one.target, one.rank) for one in last)
    left: deque[tuple[str, _Way]] = deque([(start or procedure.start, ())])
    seen = {start or procedure.start}
    while left:
        state, way = left.popleft()
        for one in (transition for transition in among if transition.source == state):
            if (one.id, one.source, one.target, one.rank) in ends:
                return (*way, one)
            if one.target not in seen:
                seen.add(one.target)
                left.append((one.target, (*way, one)))
    return None


def _states(way: _Way) -> tuple[str, ...]:
    return (*(one.source for one in way), way[-1].target)
