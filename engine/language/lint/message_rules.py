"""The rules of texts that quote answers: free text of the applicant in messages, and units written twice.

Such text may not open an SMS or the subject of a mail. It may not go to an address that is only an answer. An
SMS speaks in the name of the administration, and the applicant may type anything. A number typed in an answer
may belong to another person. Agents, who read all answers, may receive such text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from engine.core.problems import Position, Problem, problem
from engine.core.values import Text
from engine.language.lint.general_rules import fields_of
from engine.language.lint.rule_registry import rule
from engine.model import APPLICANT, Field, Form, NamedElement, Notice, Procedure, State, Template
from engine.model.directory import Directory
from engine.model.graph import closure, edges, issued_by, successors
from engine.model.types import TEXT

_FREE_TYPES: Final = frozenset({"text", "address", "email"})
_OPENING: Final = re.compile(r"\W*\{(\w+)\}")  # no word before it
_QUOTED: Final = re.compile(r"\{(\w+)\}")
_UNITS: Final = {"money": ("FCFA", "F CFA", "F", "francs"), "percent": ("%",)}  # printed with such an answer
REASON: Final = "reason"


@rule("N311")
def opens_with_free_text(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield N311 for each notice that begins with text that the applicant typed."""
    for notice in procedure.notices:
        for name in dict.fromkeys(_openings(notice)):
            if is_free_text(procedure, name):
                yield problem("N311", notice.where, at=notice.id, name=name)


@rule("N312")
def free_text_to_an_answer(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield N312 for each notice to an address in an answer that contains text the applicant typed."""
    for notice in procedure.notices:
        if notice.to not in procedure.fields:
            continue
        for name in sorted({name for text in _texts(notice) for name in text.names}):
            if is_free_text(procedure, name):
                yield problem("N312", notice.where, at=notice.id, name=name, to=notice.to)


def is_free_text(procedure: Procedure, name: str) -> bool:
    """Return whether a name in a message may contain text that the applicant typed."""
    if name == REASON:
        return any(APPLICANT in transition.by and REASON in transition.asks for transition in procedure.transitions)
    return _is_typed(procedure, name, frozenset())


def _is_typed(procedure: Procedure, name: str, met: frozenset[str]) -> bool:
    """Return whether a name holds typed text. `met` are the names already followed, which are computed from it."""
    if name in met:
        return False
    field = procedure.fields.get(name)
    computed = procedure.definitions.get(name) or (field.value if field else None)
    if computed is not None:
        return computed.type == TEXT and any(_is_typed(procedure, one, met | {name}) for one in computed.names)
    return field is not None and (field.type in _FREE_TYPES or field.other) and name in _asked(procedure)


def _asked(procedure: Procedure) -> frozenset[str]:
    """The questions that the applicant answers, without those of agents and registers."""
    theirs = {
        transition.fills for transition in procedure.transitions if transition.fills and APPLICANT in transition.by
    }
    forms = [procedure.form] + [
        task for task in procedure.tasks.values()
        if isinstance(task, Form) and (APPLICANT in task.by or task.id in theirs) and not task.register
    ]  # fmt: skip
    return frozenset(field.id for form in forms for field in form.fields)


def _texts(notice: Notice) -> tuple[Template, ...]:
    said = (notice.sms, notice.email_subject, notice.email_body, notice.inbox)
    return tuple(text for text in said if text is not None)


def _openings(notice: Notice) -> Iterator[str]:
    for text in (notice.sms, notice.email_subject):
        for _, said in text.text.versions if text is not None else ():
            if (opening := _OPENING.match(said)) is not None:
                yield opening[1]


# -- words of the system ------------------------------------------------------------------------------------------------


@rule("P8")
def word_that_is_always_empty(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield P8 for each word of a message that has no value when it is sent, whatever happened before."""
    for notice in procedure.notices:
        names = frozenset[str]().union(*(text.names for text in _texts(notice)))
        for name in sorted(names & _EMPTY.keys()):
            if _EMPTY[name](procedure, directory, notice):
                yield problem("P8", notice.where, at=notice.id, name=name, fault="word", event=notice.event)


def _has_no_due(procedure: Procedure, directory: Directory, notice: Notice) -> bool:
    """Return whether no time runs at the event: that of a time limit is over, that of an act is of the next state."""
    if notice.before is not None or notice.event in procedure.tasks:
        return False
    return not any(state.due is not None for state in _where(procedure, notice)) and _has_no_meeting(
        procedure, directory, notice
    )


def _has_no_meeting(procedure: Procedure, directory: Directory, notice: Notice) -> bool:
    visits = {task.id for task in procedure.appointments()}
    waiting = [state.id for state in procedure.states.values() if visits & set(state.waits)]
    return notice.event not in visits and not _comes_after(procedure, waiting, notice)


def _has_no_number(procedure: Procedure, directory: Directory, notice: Notice) -> bool:
    issuing = [one.target for one in edges(procedure) if issued_by(procedure, one)]
    issuing += [procedure.start] if procedure.states[procedure.start].effects.issues else []
    return notice.event not in procedure.tasks and closure(issuing, successors(procedure)).isdisjoint(
        state.id for state in _where(procedure, notice)
    )


def _has_no_reason(procedure: Procedure, directory: Directory, notice: Notice) -> bool:
    """Return whether no act that a person may have taken last before the event gives a reason."""
    acts = [one for one in edges(procedure) if one.event is None]
    taken = [one for one in acts if one.id == notice.event]
    if notice.event in procedure.states:
        before: dict[str, list[str]] = {}
        for one in edges(procedure):
            if one.event is not None:
                before.setdefault(one.target, []).append(one.source)
        near = closure([notice.event], before)
        taken = [one for one in acts if one.target in near]
    return bool(taken) and not any(one.asks & {"reason", "correction"} for one in taken)


def _has_no_office(procedure: Procedure, directory: Directory, notice: Notice) -> bool:
    return procedure.office is None and not directory.offices_of(procedure.identity.agency)


_EMPTY: Final[Mapping[str, Callable[[Procedure, Directory, Notice], bool]]] = MappingProxyType({
    "due": _has_no_due, "meeting": _has_no_meeting, "number": _has_no_number, "reason": _has_no_reason,
    "office": _has_no_office,
})  # fmt: skip


def _where(procedure: Procedure, notice: Notice) -> Iterator[State]:
    """The states in which the dossier may be when the message is sent: that of the event, or those that follow it.

    An act, or the end of a time limit, may lead through states that do not wait.
    """
    if notice.event in procedure.states:
        yield procedure.states[notice.event]
        return
    follows = successors(procedure)
    after = [one.target for one in edges(procedure) if notice.event in (one.id, one.event)]
    yield from (procedure.states[one] for one in closure(after, follows))


def _comes_after(procedure: Procedure, states: list[str], notice: Notice) -> bool:
    """Return whether the event may come once the dossier has left one of these states."""
    follows = successors(procedure)
    after = closure([one for state in states for one in follows[state]], follows)
    if notice.event in procedure.states:
        return notice.event in after
    return any(one.source in {*after, *states} for one in edges(procedure) if notice.event in (one.id, one.event))


# -- units -------------------------------------------------------------------------------------------------------------


@rule("V732")
def unit_written_twice(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield V732 for each placeholder followed by the unit that its answer is printed with."""
    fields = {one.id: one for one in fields_of(procedure)}
    for thing, text in _quoting(procedure):
        for _, words in text.versions:
            for found in _QUOTED.finditer(words):
                unit = _unit_after(fields.get(found[1]), words[found.end() :])
                if unit is not None:
                    passage = words[found.start() : found.end()] + unit
                    where = _passage_at(procedure, thing.where, passage)
                    yield problem(
                        "V732", where, at=thing.id, name=found[1], unit=unit.strip(), value=passage, put=found[0]
                    )


def _quoting(procedure: Procedure) -> Iterator[tuple[NamedElement, Text]]:
    """Each text that quotes answers, with its element."""
    yield procedure.identity, procedure.identity.dossier_label.text
    yield from ((one, one.row_label.text) for one in fields_of(procedure) if one.row_label is not None)
    yield from ((notice, template.text) for notice in procedure.notices for template in _texts(notice))
    for output in procedure.outputs.values():
        if output.body is not None:
            yield output, output.body.text
        if output.paper is not None:
            yield from ((output, one.text) for one in output.paper.texts())


def _unit_after(field: Field | None, rest: str) -> str | None:
    """The unit, with the spaces before it, that begins what follows a placeholder. None when there is none."""
    units = (
        (field.unit,) if field is not None and field.unit else _UNITS.get(field.type, ()) if field is not None else ()
    )
    for unit in units:
        found = re.match(rf"\s*{re.escape(unit)}(?!\w)", rest, re.IGNORECASE)
        if found is not None:
            return found[0]
    return None


def _passage_at(procedure: Procedure, where: Position, passage: str) -> Position:
    """The place of a passage after that of its element. That of the element when a shared file holds it."""
    if where.file != procedure.identity.where.file:
        return where
    for number, line in enumerate(procedure.source.splitlines()[where.line - 1 :], where.line):
        if passage in line:
            return Position(where.file, number, line.index(passage) + 1, len(passage))
    return where
