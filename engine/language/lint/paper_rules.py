"""The rules of official documents (`docs/language.md` §17, C560 to C570 and C580): laws cited, words, signatures.

Proof P13 looks at where the printed values come from, and P17 at the variants of an operative text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from engine.core.problems import Position, Problem, problem
from engine.core.values import Span, Text
from engine.language.expressions.compiler import tree
from engine.language.expressions.nodes import Ambient, Name, Node, walk
from engine.language.expressions.typing import leaves
from engine.language.lint.rule_registry import rule, written_at
from engine.model import APPLICANT, Field, Law, Output, Procedure, Transition
from engine.model.directory import Directory
from engine.model.graph import edges, issued_by
from engine.model.paper import OutputPaper, PaperText, Placeholder, placeholders_of
from engine.model.types import DATE, Constant, Expression, Type

_WITH_LINES: Final = ("quote",)  # kinds whose lines say all
_WITH_ARTICLES: Final = ("contract", "decision", "permit", "letter")  # kinds whose articles say all
_WHOLE: Final = ("integer", "money")  # what can be printed in words
_LAPSES: Final = ("expired", "revoked")
_NUMBERED: Final = r"(?:n\s?[°ºo]|no\.?|number)\s*\d[\w/.-]*"
_LAW_IN_TEXT: Final = re.compile(
    rf"""\b(?:lois?|décrets?(?:-lois?)?|ordonnances?|arrêtés?(?:\s\w+)?)\s+{_NUMBERED}
    | \b(?:loi|décret|ordonnance)\s+\d{{2,4}}-\d+
    | \b(?:loi|décret|ordonnance)\s+du\s+\d{{1,2}}(?:er|ᵉʳ)?\s+\w+\s+\d{{4}}
    | \barticles?\s+[LRD]?\.?\s?\d[\d\s.,-]*(?:et\s+\d+\s+)?(?:du|de\s+la|de\s+l['’]|des)\s*
      (?:code|loi|décret|ordonnance|arrêté|constitution|traité|règlement|acte\s+uniforme)
    | \b(?:laws?|acts?|decrees?|ordinances?)\s+{_NUMBERED}
    | \b(?:articles?|sections?)\s+\d[\d\s.,-]*of\s+(?:the\s+)?(?:\w+\s+)?(?:law|act|decree|ordinance|code|constitution)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
_DAYS: Final = {"day": (1, 1), "week": (7, 7), "month": (28, 31), "year": (365, 366)}  # fewest and most


# -- laws --------------------------------------------------------------------------------------------------------------


@rule("C560")
def law_that_may_not_be_cited(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C560 for each law printed on a document, or offered as grounds, that is no checked official text."""
    for output in procedure.outputs.values():
        if output.paper is not None:
            yield from _not_citable(procedure, output.id, output.where, output.paper.cites)
    for act in _once(procedure.transitions):
        yield from _not_citable(procedure, act.id, act.where, act.grounds)


def _not_citable(procedure: Procedure, at: str, where: Position, names: Iterable[str]) -> Iterator[Problem]:
    for name in names:
        law = procedure.laws.get(name)
        fault = _fault_of(law) if law is not None else None
        if fault is not None:
            yield problem("C560", where, at=at, name=at, law=name, fault=fault)


def _fault_of(law: Law) -> str | None:
    if not law.official:
        return "unofficial"
    if law.status != "sourced":
        return "unsourced"
    return None if law.cite else "no_cite"


@rule("C561")
def law_in_free_text(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C561 for each document whose text names a law, a decree or an article of them by itself."""
    for output in procedure.outputs.values():
        for text in _said(output.paper) if output.paper is not None else ():
            found = next((hit for _, words in text.text.versions if (hit := _LAW_IN_TEXT.search(words))), None)
            if found is not None:
                yield problem("C561", output.where, at=output.id, name=output.id, text=" ".join(found[0].split()))


def _said(paper: OutputPaper) -> Iterator[PaperText]:
    yield from (clause.text for clause in paper.clauses())
    yield from paper.mentions.texts()


# -- words -------------------------------------------------------------------------------------------------------------


@rule("C562")
def question_printed_as_label(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C562 for each question whose label is printed on a document and is a question, without `noun`."""
    for output in procedure.outputs.values():
        for label, field in _labels(procedure, output):
            if _asks(label if label is not None else field.printed_label):
                here = field.where if field.where.file == output.where.file and label is None else output.where
                yield problem("C562", here, at=field.id, name=field.id, output=output.id)


def _labels(procedure: Procedure, output: Output) -> Iterator[tuple[Text | None, Field]]:
    """The questions of which a document prints the label, each with its label on this document, if any."""
    fields = {column.id: column for one in procedure.fields.values() for column in one.rows} | dict(procedure.fields)
    named: dict[str, Text | None] = dict.fromkeys(output.shows)
    if output.kind == "form" and not output.shows:
        named.update(dict.fromkeys(one.id for one in procedure.form.fields if one.evidence is None))
    if output.paper is not None:
        named.update(output.paper.particulars)
        named.update(dict.fromkeys(output.paper.declared))
        for clause in output.paper.clauses():
            if clause.table is not None:
                rows = procedure.fields.get(clause.table.of)
                named.update(dict.fromkeys(clause.table.columns or [one.id for one in (rows.rows if rows else ())]))
    yield from ((label, fields[name]) for name, label in named.items() if name in fields)


def _asks(label: Text) -> bool:
    return any("?" in words for _, words in label.versions)


@rule("C567")
def document_that_states_nothing(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C567 for each document without a sentence: no operative text, article or line, according to its kind."""
    for output in procedure.outputs.values():
        paper = output.paper
        stated = paper is not None and (
            paper.operative
            or (paper.lines_of and output.kind in _WITH_LINES)
            or (paper.articles and output.kind in _WITH_ARTICLES)
        )
        if output.kind != "form" and not stated:
            yield problem("C567", output.where, at=output.id, name=output.id)


@rule("C568")
def courtesy_in_a_wrong_language(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C568 for each courtesy translation of a form, into the language of the document, or into an unknown one."""
    first, *others = procedure.identity.languages
    for output in procedure.outputs.values():
        for language in output.paper.courtesy if output.paper is not None else ():
            fault = "first" if language == first else "" if language in others else "unknown"
            if fault or output.kind == "form":
                facts = {"fault": "form" if output.kind == "form" else fault, "language": language}
                yield problem("C568", output.where, at=output.id, name=output.id, others=tuple(others), **facts)


@rule("C569")
def placeholder_of_another_kind(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C569 for each number in words that is no whole number, and each `agree` without one form an option."""
    for output in procedure.outputs.values():
        texts = output.paper.texts() if output.paper is not None else ()
        used = [one for text in texts for _, words in text.text.versions for one in placeholders_of(words)]
        for one in {(one.kind, one.name, one.forms): one for one in used}.values():
            fault, count = _misfit(procedure, output, one)
            if fault:
                yield problem(
                    "C569", output.where, at=output.id, name=output.id, fault=fault, answer=one.name, count=count,
                    forms=len(one.forms),
                )  # fmt: skip


def _misfit(procedure: Procedure, output: Output, one: Placeholder) -> tuple[str, int]:
    """Return the fault of a placeholder, empty when there is none, and how many forms its answer needs."""
    type_, options = _asked(procedure, output, one.name)
    if one.kind == "words" and type_ is not None:
        return ("" if type_.kind in _WHOLE else "words"), 0
    if one.kind != "agree" or type_ is None:
        return "", 0
    count = 2 if type_.kind == "yes_no" else options
    return ("agree" if not count else "" if len(one.forms) == count else "forms"), count


def _asked(procedure: Procedure, output: Output, name: str) -> tuple[Type | None, int]:
    """Return the type of what a placeholder names and the number of its options. None for what is always fitting."""
    rows = procedure.fields.get(output.per) if output.per is not None else None
    forms = (form for form in procedure.forms() if output.per is not None and form.each == output.per)
    columns = {one.id: one for group in (rows.rows if rows else (), *(form.fields for form in forms)) for one in group}
    field = columns.get(name) or procedure.fields.get(name)
    if field is not None:
        return field.value_type, 0 if field.value_type.kind != "choice" or field.other else len(field.options)
    defined = procedure.definitions.get(name)
    return (defined.type if defined is not None else None), 0


@rule("C570")
def verification_of_what_is_not_stated(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C570 for each answer of `verify.shows` that is no particular. The page shows the text in any case."""
    for output in procedure.outputs.values():
        paper = output.paper
        if paper is None or output.kind == "form":
            continue
        said = set[str]().union(*(one.names for one in paper.texts()))
        for name in (one for one in paper.verify_shows or () if one not in paper.particulars):
            fault = "declared" if name in paper.declared else "text" if name in said else ""
            yield problem("C570", output.where, at=output.id, name=output.id, answer=name, fault=fault)


# -- signatures --------------------------------------------------------------------------------------------------------


@rule("C563")
def signed_by_another(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C563 for each document that does not say who issues it: a person who signs, or the seal of a rule."""
    for output in procedure.outputs.values():
        if output.kind != "form":
            yield from _signature(procedure, output)


def _signature(procedure: Procedure, output: Output) -> Iterator[Problem]:
    """The first transition that issues a document without the person or the rule that the document names."""
    sealed = output.paper is not None and output.paper.sealed
    if sealed and output.signed_by is not None:
        yield problem("C563", output.where, at=output.id, name=output.id, fault="both")
        return
    for act in issuing(procedure, output):
        fault, by = _unsigned(act, output.signed_by, sealed)
        if fault:
            fault = "several" if fault == "another" and _signs_elsewhere(procedure, output) else fault
            role = _short(procedure, output.signed_by or (by[0] if by else ""))
            others = ", ".join(_short(procedure, one) for one in by if one != output.signed_by)
            name = act.id if act is not None else procedure.start
            yield problem(
                "C563", output.where, at=output.id, name=output.id, fault=fault, act=name, role=role, by=others
            )
            return


def _unsigned(act: Transition | None, signs: str | None, sealed: bool) -> tuple[str, tuple[str, ...]]:
    """Return the fault of one transition that issues, empty when there is none, and the roles that take it."""
    if act is None or act.event is not None or APPLICANT in act.by:
        return ("" if sealed else "nobody" if signs is not None else "unsealed"), ()
    if signs is None:
        return ("sealed" if sealed else "unsigned"), act.by
    return ("another" if set(act.by) != {signs} else ""), act.by


def _signs_elsewhere(procedure: Procedure, output: Output) -> bool:
    """Return whether the person who signs takes another act that issues the document: one role cannot sign both."""
    return any(act is not None and set(act.by) == {output.signed_by} for act in issuing(procedure, output))


def _short(procedure: Procedure, role: str) -> str:
    """Return a role as the file writes it: without its agency when it is that of the procedure."""
    return role.removeprefix(f"{procedure.identity.agency}/")


def issuing(procedure: Procedure, output: Output) -> Iterator[Transition | None]:
    """Yield the transitions that issue a document, None for the submission that enters a first state which does."""
    start = procedure.states.get(procedure.start)
    if start is not None and output.id in start.effects.issues:
        yield None
    yield from (one for one in edges(procedure) if output.id in issued_by(procedure, one))


# -- number ------------------------------------------------------------------------------------------------------------


@rule("C580")
def number_of_several_documents(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C580 for each number without its serial, or without the year or office that its series counts by."""
    for output in procedure.outputs.values():
        needed = ("serial", *(one for one in ("year", "office") if one in output.serial_per))
        missing = tuple(one for one in needed if f"{{{one}}}" not in output.number)
        if missing:
            where = written_at(procedure, ("outputs", output.id, "number"), output.where)
            yield problem("C580", where, at=output.id, name=output.id, value=output.number, missing=missing)


# -- validity ----------------------------------------------------------------------------------------------------------


@rule("C566")
def valid_longer_than_its_state(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C566 for each document valid for longer than the state that issues it, which then lapses."""
    for output in procedure.outputs.values():
        length = _span(output.valid)
        for state in procedure.states.values():
            lapse = _span(state.due)
            if length is None or lapse is None or not _is_issued_in(procedure, output, state.id):
                continue
            if _lapses(procedure, output, state.id) and is_longer(length, lapse):
                yield problem("C566", output.where, at=output.id, name=output.id, span=str(length), state=state.id,
                              lasts=str(lapse))  # fmt: skip


@rule("V714")
def issued_perhaps_expired(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield V714 for each document valid until a constant date, or a date typed without a minimum counted from today."""
    for output in procedure.outputs.values():
        ends = leaves(tree(output.valid)) if output.valid is not None and output.valid.type == DATE else ()
        if any(_may_be_past(procedure, one) for one in ends):
            yield problem("V714", output.where, at=output.id, name=output.id)


def _may_be_past(procedure: Procedure, node: Node) -> bool:
    match node:
        case Constant():
            return True
        case Name(id=name) if name in procedure.fields and procedure.fields[name].value is None:
            least = procedure.fields[name].bounds.minimum
            return least is None or not any(isinstance(one, Ambient) for one in walk(tree(least)))
    return False


def _is_issued_in(procedure: Procedure, output: Output, state: str) -> bool:
    return output.id in procedure.states[state].effects.issues or any(
        act.target == state and output.id in act.effects.issues for act in edges(procedure)
    )


def _lapses(procedure: Procedure, output: Output, state: str) -> bool:
    """Return whether the end of the time of a state ends the dossier as expired or revoked, or revokes the document."""
    late = [one for one in procedure.leaving.get(state, ()) if one.event == "due"]
    ends = (procedure.states[one.target] for one in late if one.target in procedure.states)
    return any(end.outcome in _LAPSES or output.id in end.effects.revokes for end in ends) or any(
        output.id in one.effects.revokes for one in late
    )


def _span(length: Expression | None) -> Span | None:
    node = tree(length) if length is not None else None
    return node.value if isinstance(node, Constant) and isinstance(node.value, Span) else None


def is_longer(one: Span, other: Span) -> bool:
    """Return whether a length is longer than another whatever the months. Working days are not compared."""
    if one.working or other.working or one.unit not in _DAYS or other.unit not in _DAYS:
        return False
    if one.unit == other.unit:
        return one.count > other.count
    if {one.unit, other.unit} == {"month", "year"}:
        months = {"month": 1, "year": 12}
        return one.count * months[one.unit] > other.count * months[other.unit]
    return one.count * _DAYS[one.unit][0] > other.count * _DAYS[other.unit][1]


def _once(transitions: Iterable[Transition]) -> Iterator[Transition]:
    """One transition for each act: one that is open in several states is reported once."""
    yield from {one.id: one for one in reversed(tuple(transitions))}.values()
