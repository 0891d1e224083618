"""The rules of advice, family V and C590: it never forbids publication, and a file may accept it (`accept`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Final, TypeAlias

from engine.core.gsm7 import sms_parts, to_gsm
from engine.core.problems import NOWHERE, Position, Problem, problem
from engine.core.spelling import close_names
from engine.core.values import Text
from engine.language.diff.elements import flatten
from engine.language.expressions.compiler import age_limit, tree
from engine.language.expressions.nodes import Ambient, Arithmetic, FunctionCall, Name, Node, walk
from engine.language.lint.rule_registry import rule, written_at
from engine.language.source.loader import read_source
from engine.model import APPLICANT, COUNTER, PAPER, Fee, Field, Form, NamedElement, Page, Procedure, Template
from engine.model.directory import Directory
from engine.model.paper import PaperTable
from engine.model.provenance import sensitive_behind, sources_of
from engine.model.roles import receiving_roles
from engine.model.types import FALSE, TRUE, Expression

MOST_QUESTIONS: Final = 7
FEW_QUESTIONS: Final = 5  # of two pages together
CATEGORIES: Final = (  # whose titles the site has; a procedure without category is under `other`
    "associations", "education", "energie", "entreprise", "etrangers", "etudes", "identite", "impots", "justice",
    "logement", "other", "transport", "urbanisme", "voyage",
)  # fmt: skip
CHANNELS_TO_COME: Final = frozenset({"ussd", "api"})  # known words, refused until each is served
_PUBLIC_PLACEHOLDERS: Final[Mapping[str, str]] = {  # the longest form of each in an SMS
    "dossier": "26 4829 1137 4",
    "link": "services.gouv.tg/s/26482911374",
    "office": "Direction, Atakpamé",
    "due": "30 sept. 2026",
    "meeting": "30 sept. 2026 à 14h30",
    "reason": "voir votre dossier",
    "number": "DGDN-2026-0000001",
    "title": "",
}
_LONGEST_ANSWER: Final = 24
_ADDRESSED: Final = re.compile(r"^(?:Votre|Vos|Mon|Ma|Mes|Je)\b|^J['’]|(?<!\brendez-)\bvous\b", re.IGNORECASE)


@rule("V701")
def untranslated(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield V701 for each text that lacks one of the languages of the file."""
    promised = procedure.identity.languages
    if len(promised) < 2:
        return
    for thing, text in every_text(procedure):
        if thing.where == NOWHERE:  # the columns of a round: the names of its services are read in `_owed`
            continue
        missing = tuple(language for language in promised if language not in text.languages)
        if missing and text:
            yield problem("V701", thing.where, at=thing.id, name=thing.id, missing=missing, text=str(text))


def every_text(procedure: Procedure) -> Iterator[tuple[NamedElement, Text]]:
    """Yield all texts that people read in a procedure, each with its element."""
    for thing, *texts in (*_around(procedure), *_asked(procedure), *_owed(procedure), *_circuit(procedure)):
        yield from ((thing, text) for text in texts if text)


_Said: TypeAlias = tuple[NamedElement, *tuple[Text | None, ...]]


def _around(procedure: Procedure) -> Iterator[_Said]:
    identity = procedure.identity
    yield identity, identity.title, identity.summary
    yield from ((identity, when.said) for when, _ in identity.delay.entries)
    yield from ((one, one.label) for one in identity.appeals.values())
    yield from ((one, one.title) for one in procedure.laws.values())
    yield procedure.personal_data, procedure.personal_data.purpose
    for noted in procedure.annotations.values():
        yield from ((noted, text) for text in (noted.label, *noted.options.values()))


def _asked(procedure: Procedure) -> Iterator[_Said]:
    for criterion in procedure.eligibility:
        yield criterion, criterion.field.label, criterion.field.help, criterion.because
    for page in (page for form in forms_of(procedure) for page in form.pages):
        yield page, page.title, page.for_agents, page.help
        yield from ((check, check.message) for check in page.checks)
    for field in fields_of(procedure):
        yield field, field.label, field.for_agents, field.help, field.noun, field.bounds.message, field.when.said
        yield from ((check, check.message) for check in field.checks)
        if field.type == "place":  # a place has one name, whatever the language
            continue
        options = (*field.options, *(field.evidence.any_of if field.evidence else ()))
        yield from ((field, option.label, option.help, option.because) for option in options)


def _owed(procedure: Procedure) -> Iterator[_Said]:
    for task in procedure.tasks.values():
        yield task, task.label, task.for_agents, task.when.said
        if isinstance(task, Form):
            yield from ((service, service.label) for service in task.services)
        if isinstance(task, Fee):
            yield task, task.exempt.said if task.exempt else None
            yield from ((line, line.label, line.per, line.when.said) for line in task.lines)
            yield from ((task, cut.because) for cut in task.reductions)


def _circuit(procedure: Procedure) -> Iterator[_Said]:
    yield from ((state, state.label, state.help) for state in procedure.states.values())
    yield from (
        (transition, transition.label, transition.for_agents, transition.confirm)
        for transition in procedure.transitions
        if transition.event is None
    )
    for output in procedure.outputs.values():
        yield output, output.title, output.when.said, output.body.text if output.body else None
        if output.paper is not None:
            yield from ((output, text) for text in output.paper.every_text())
    for notice in procedure.notices:
        said = (notice.sms, notice.email_subject, notice.email_body, notice.inbox)
        yield notice, *(template.text for template in said if template is not None)


def fields_of(procedure: Procedure) -> Iterator[Field]:
    """Yield the questions of all forms, then those inside rows."""
    return _fields(forms_of(procedure))


def _fields(forms: Iterable[Form]) -> Iterator[Field]:
    left = [field for form in forms for field in form.fields]
    while left:
        field = left.pop(0)
        yield field
        left.extend(field.rows)


def forms_of(procedure: Procedure) -> Iterator[Form]:
    """Yield the form of the applicant and the later forms. The answers of registers are no form."""
    yield procedure.form
    for task in procedure.tasks.values():
        if isinstance(task, Form) and task.id != procedure.form.id and not task.register:
            yield task


@rule("C590")
def unknown_category(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C590 for a category that the catalogue has no title for: the procedure is alone under its code."""
    identity = procedure.identity
    if identity.category is not None and identity.category not in CATEGORIES:
        where, near = written_at(procedure, ("category",), identity.where), close_names(identity.category, CATEGORIES)
        yield problem("C590", where, name=identity.category, near=near, known=CATEGORIES)


@rule("V710")
def due_perhaps_past(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield V710 for a due date computed from answers, which may be over on entry of the state."""
    for state in procedure.states.values():
        if state.due is None or state.due.type.kind != "date" or not state.due.names:
            continue
        if not _is_ahead(tree(state.due)):
            yield problem("V710", state.where, at=state.id, state=state.id, names=tuple(sorted(state.due.names)))


def _is_ahead(node: Node) -> bool:
    """Return whether a date is always after today: the latest of several, of which one counts a length from `today`."""
    if isinstance(node, FunctionCall) and node.function == "max":
        return any(map(_is_ahead, node.arguments))
    if not isinstance(node, Arithmetic) or node.operator != "+" or not isinstance(node.left, Ambient):
        return False
    return node.left.id == "today" and not any(isinstance(one, Name) for one in walk(node.right))


@rule("V711")
def long_page(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield V711 for each page with more than `MOST_QUESTIONS` questions, as `_asked_on` counts them."""
    for form in forms_of(procedure):
        for page in form.pages:
            asked = _asked_on(page)
            if len(asked) > MOST_QUESTIONS:
                what = "page" if form.id == procedure.form.id else "form"
                yield problem(
                    "V711", page.where, at=page.id, name=page.id, what=what, found=len(asked), most=MOST_QUESTIONS
                )


@rule("V712")
def short_pages(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield V712 for two pages in a row with at most `FEW_QUESTIONS` questions together, which may be one page.

    Not where the second depends on the first, where they have different conditions, nor for a page that a verified
    number answers: it is not on the way.
    """
    for first, second in pairwise(procedure.form.pages):
        pages = [_asked_on(first), _asked_on(second)]
        conditions = {page.when for page in (first, second)} - {TRUE}
        if len(conditions) > 1 or not all(pages) or any(field.rows for fields in pages for field in fields):
            continue
        names = {name for field in pages[1] for name in _hangs_on(procedure, field)} | second.when.names
        apart = bool(names & {field.id for field in first.fields}) or any(map(_may_be_known, pages))
        found = sum(map(len, pages))
        if found <= FEW_QUESTIONS and not apart:
            yield problem(
                "V712", second.where, at=second.id, name=first.id, other=second.id, found=found, most=FEW_QUESTIONS
            )


@rule("V713")
def applicant_addressed(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield V713 for each title or label that addresses the applicant, where agents read no text of their own."""
    for thing, text in _read_by_both(procedure):
        said = next((said for language, said in text.versions if language == "fr"), "")
        if _ADDRESSED.search(said):
            yield problem("V713", thing.where, at=thing.id, name=thing.id, text=said)


def _read_by_both(procedure: Procedure) -> Iterator[tuple[NamedElement, Text]]:
    """Yield what the applicant reads of their forms, tasks and acts, and agents read too."""
    forms = [form for form in forms_of(procedure) if APPLICANT in form.by]
    for page in (page for form in forms for page in form.pages):
        yield page, page.agents_title
    for field in _fields(forms):
        if field.type != "note":
            yield field, field.agents_label
    yield from ((task, task.agents_label) for task in procedure.tasks.values() if task.id != procedure.form.id)
    acts = {one.id: one for one in procedure.transitions if APPLICANT in one.by}
    yield from ((act, act.agents_label) for act in acts.values())


def _asked_on(page: Page) -> list[Field]:
    """Return the questions of a page. Evidence, computed values and notes do not count."""
    return [one for one in page.fields if one.value is None and one.evidence is None and one.type != "note"]


def _may_be_known(fields: list[Field]) -> bool:
    proven = [one for one in fields if one.prefill in ("account.phone", "account.email")]
    return bool(proven) and all(one in proven or one.required == FALSE for one in fields)


def _hangs_on(procedure: Procedure, field: Field) -> set[str]:
    """Return the questions on which a question or one of its options depends, also through computed values."""
    found = set(field.when.names) | ({field.under} if field.under else set())
    found |= {name for option in field.options for name in option.when.names}
    values = (procedure.fields[one].value for one in found if one in procedure.fields)
    return found | {name for value in values if value is not None for name in value.names}


@rule("V780")
def condition_not_said(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield V780 for each condition of the public page that is neither an age nor said in words."""
    found: list[tuple[NamedElement, Expression | None]] = []
    found += [(one, one.when) for one in procedure.form.fields if one.evidence is not None]
    for fee in procedure.fees():
        found += [(fee, fee.when), (fee, fee.exempt), *((line, line.when) for line in fee.lines)]
    found += [(procedure.identity, when) for when, _ in procedure.identity.delay.entries]
    for thing, when in found:
        if when is not None and when != TRUE and when.said is None and age_limit(when) is None:
            yield problem("V780", when.where, at=thing.id, name=thing.id, value=when.text)


@rule("V730")
def foreign_sign_in_sms(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield V730 for an SMS with a character outside GSM 03.38, which leaves 70 characters a part."""
    for notice, where, text in _messages(procedure):
        found = sms_parts(text)
        if found.unicode:
            yield problem("V730", where, at=notice, name=notice, signs=found.foreign, found=found.signs)


@rule("V731")
def sms_in_several_parts(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield V731 for each SMS that may need more than one part with its longest values."""
    for notice, where, text in _messages(procedure):
        found = sms_parts(text)
        if found.count > 1:
            yield problem("V731", where, at=notice, name=notice, found=found.signs, parts=found.count)


def _messages(procedure: Procedure) -> Iterator[tuple[str, Position, str]]:
    """Each declared SMS in each language, with the longest value each placeholder may take."""
    for notice in procedure.notices:
        if notice.sms is None:
            continue
        for _, text in notice.sms.text.versions:
            yield notice.event, notice.where, to_gsm(_longest(procedure, notice.sms, text))


def longest_message(procedure: Procedure, template: Template, language: str) -> str:
    """Return a message as long as it may be when it is sent."""
    return _longest(procedure, template, template.text.in_(language))


def _longest(procedure: Procedure, template: Template, text: str) -> str:
    for name in template.names:
        text = text.replace("{" + name + "}", longest_value(procedure, name))
    return text


def longest_value(procedure: Procedure, name: str) -> str:
    """Return the longest value that a placeholder of a message may take."""
    if name in _PUBLIC_PLACEHOLDERS:
        return _PUBLIC_PLACEHOLDERS[name] if name != "title" else str(procedure.identity.title)
    if isinstance(procedure.tasks.get(name), Fee):
        return "1 000 000"
    field = procedure.fields.get(name)
    if field is not None and field.options:
        return max((str(option.label) for option in field.options), key=len)
    return "x" * _LONGEST_ANSWER


@rule("N310")
def sensitive_answer_sent(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield N310 for an answer of limited readers in the label of a dossier or in a message."""
    said: list[tuple[NamedElement, Template | None]] = [(procedure.identity, procedure.identity.dossier_label)]
    for notice in procedure.notices:
        said += [(notice, one) for one in (notice.sms, notice.email_subject, notice.email_body, notice.inbox)]
    rows = {one.id: one.row_label for one in procedure.fields.values() if one.row_label is not None}
    said += [(thing, rows[name]) for thing, text in said[:1] if text for name in sorted(text.names & rows.keys())]
    reported = dict.fromkeys(
        (thing.id, name, thing.where) for thing, text in said if text for name in sorted(text.names)
    )
    for at, name, where in reported:
        if sensitive_behind(procedure, name):
            yield problem("N310", where, at=at, name=name)


@rule("V760")
def sensitive_answer_shown(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield V760 for a document that shows an answer of limited readers, or a value computed from one.

    Its holder will read it, and so will every agent who sees the dossier.
    """
    for output in procedure.outputs.values():
        printed = sources_of(procedure, output)
        tables = (clause.table for clause in output.paper.clauses() if clause.table is not None) if output.paper else ()
        columns = (name for table in tables for name in _columns_of(procedure, table))
        for name in dict.fromkeys((*output.shows, *printed, *columns)):
            if sensitive_behind(procedure, name):
                yield problem("V760", output.where, at=output.id, name=name)


@rule("S299")
def channel_to_come(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield S299 for each channel that the language knows and no part of the software serves yet."""
    for name in procedure.identity.channels:
        if name in CHANNELS_TO_COME:
            others = tuple(one for one in procedure.identity.channels if one not in CHANNELS_TO_COME) or ("web",)
            yield problem("S299", _channel_at(procedure, name), what="channel", name=name, allowed=others)


@rule("C551")
def counter_without_agent(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C551 for a written `counter` or `paper` where no role of the agency receives applicants or forms."""
    if receiving_roles(procedure):
        return
    for name in (COUNTER, PAPER):
        where = _channel_at(procedure, name)
        if where != procedure.identity.where:
            yield problem("C551", where, name=name, agency=procedure.identity.agency)


def _channel_at(procedure: Procedure, name: str) -> Position:
    """The place of a channel in the file, else that of the procedure: by default, or from a preset."""
    listed, otherwise = procedure.identity.channels, procedure.identity.where
    return written_at(procedure, ("channels", listed.index(name)), otherwise) if name in listed else otherwise


def _columns_of(procedure: Procedure, table: PaperTable) -> Iterator[str]:
    """Yield the columns of rows that a table prints: those it names, else all."""
    rows = procedure.fields.get(table.of)
    yield from table.columns or (rows.names_within if rows is not None else ())


@rule("R802")
def moves_to_nowhere(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield R802 for a line of `migrate` to a name that neither this edition nor a later line has."""
    if not procedure.migrate:
        return
    known = {element.at for element in flatten(procedure).values()}
    source = read_source(procedure.source, procedure.identity.where.file)
    for edition, moves in procedure.migrate.items():
        later = {old for other, map_ in procedure.migrate.items() if other > edition for old in map_}
        for old, new in moves.items():
            if new is None or new in known | later or _option(old, new, moves) in known | later:
                continue
            near = close_names(new, known)
            where = source.position(("migrate", str(edition), old))
            put = {"put": near[0]} if len(near) == 1 else {}
            yield problem("R802", where, name=new, near=near, **put)


def _option(old: str, new: str, moves: Mapping[str, str | None]) -> str:
    """`motif.perte: perdu` means `motif.perdu` of the question that `motif` has become.

    The same for columns and options.
    """
    parts = old.split(".")
    paths = [".".join(parts[:end]) for end in range(1, len(parts))]
    inside = [(moves.get(path) or path).rpartition(".")[2] for path in paths]
    return ".".join([*inside, new.rpartition(".")[2]])
