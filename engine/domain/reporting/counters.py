"""Counters: what the journal entries of a dossier add to the counts of requests, decisions and payments.

A dossier counts one decision: the first grant, the first readiness for collection, or the first end. Later
events (an appeal, a new examination) are not counted, as in proof P10. The time of the decision is counted in
the unit of the announced delay, without the applicant's own time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from engine.core.clock import local_day
from engine.core.values import Plain, Span
from engine.domain.common.working_time import DAY, add_span, counts_days, elapsed, length_in_days, minutes_of
from engine.domain.fields.scope import scope_of
from engine.journal.chain import JournalEntry
from engine.model import APPLICANT, Appointment, Procedure, State
from engine.model.directory import Calendar, Directory
from engine.model.graph import waits_for_applicant
from engine.model.types import Scope
from engine.records.dossier import Dossier
from engine.records.statistics import CURRENT, Count

HOUR: Final = 3600  # seconds
TOTALLED: Final = frozenset(
    {"received", "answered", "standing", "judged", "late"}
)  # also counted for all procedures together
JUDGED: Final = frozenset({"granted", "refused"})  # decisions of the administration, whose time is counted
NOTHING_ANNOUNCED: Final = Span(0, "day", working=True)  # the unit of time without an announced delay
_THEIRS: Final = frozenset({"pay", "book", "attend", "correct"})


@dataclass(frozen=True, slots=True)
class CountedDossier:
    """A dossier, its whole journal, and the editions it was under, by fingerprint."""

    dossier: Dossier
    entries: tuple[JournalEntry, ...]
    definitions: Mapping[str, Procedure]

    @property
    def definition(self) -> Procedure | None:
        """The dossier's present edition, None when it is not among the definitions."""
        return self.definitions.get(self.dossier.fingerprint)

    def sent(self) -> JournalEntry | None:
        """Return the entry of the submission, None for a draft."""
        return next((one for one in self.entries if one.kind == "submitted"), None)


@dataclass(frozen=True, slots=True)
class FirstDecision:
    """The first decision: its journal entry and its outcome."""

    entry: JournalEntry
    outcome: str


def month_of(at: datetime) -> str:
    """Return the local month of an instant: `2026-10`."""
    return local_day(at).isoformat()[:7]


def counts_of(case: CountedDossier, new: Collection[int], directory: Directory) -> Iterator[tuple[Count, int]]:
    """Yield each count that the entries numbered `new` add, with its amount."""
    sent, answer = case.sent(), first_answer(case)
    place = _text(_body(sent).get("office")) if sent else ""
    for entry in case.entries:
        if entry.n not in new:
            continue
        office = place if sent is not None and sent.n <= entry.n else ""
        for at, figure, detail, n in _added(case, entry, answer, directory):
            month = CURRENT if figure == "standing" else month_of(at)
            yield Count(case.dossier.procedure, month, figure, office, detail), n
            if figure in TOTALLED:
                yield Count("", month, figure, "", detail), n
    for at, detail in _steps(case, new, directory):
        yield Count(case.dossier.procedure, month_of(at), "step", place, detail), 1


def _added(
    case: CountedDossier, entry: JournalEntry, answer: FirstDecision | None, directory: Directory
) -> Iterator[tuple[datetime, str, str, int]]:
    """Yield the instant, the figure, its detail and the amount of one entry."""
    at, body = entry.at, _body(entry)
    if entry.kind == "opened":
        yield at, "opened", _text(body.get("channel")), 1
    elif entry.kind == "submitted":
        yield at, "received", _text(body.get("channel")), 1
        yield at, "standing", "", 1
    elif entry.kind == "dropped":
        yield at, "dropped", last_page(case), 1
    elif entry.kind in ("task_done", "missed", "came_late"):
        yield from ((at, "visit", detail, n) for detail, n in _visit(case, entry))
    elif entry.kind.startswith(("payment_", "credited")):
        yield from _payment(case, entry)
    if answer is not None and answer.entry.n == entry.n:
        yield from ((at, figure, detail, n) for figure, detail, n in _answered(case, answer, directory))


# -- answers -----------------------------------------------------------------------------------------------------------


def first_answer(case: CountedDossier) -> FirstDecision | None:
    """Return the first decision, None while the dossier waits for it."""
    for entry in case.entries:
        procedure, body = case.definitions.get(entry.edition), _body(entry)
        if procedure is None or entry.kind not in ("submitted", "transition"):
            continue
        if any(_grants(procedure, output) for output in _names(body.get("issues"))):
            return FirstDecision(entry, "granted")
        state = procedure.states.get(_text(body.get("target") or body.get("state")))
        if state is not None and (state.outcome is not None or state.public == "ready"):
            return FirstDecision(entry, state.outcome or "granted")
    return None


def _grants(procedure: Procedure, output: str) -> bool:
    return output in procedure.outputs and procedure.outputs[output].grants


def _answered(case: CountedDossier, answer: FirstDecision, directory: Directory) -> Iterator[tuple[str, str, int]]:
    yield "answered", answer.outcome, 1
    yield "standing", "", -1
    asked = _corrections(case, answer)
    if asked is not None:
        yield "corrected", "", 1
        yield from (("corrected_field", name, 1) for name in sorted(asked))
    if answer.outcome not in JUDGED or case.definition is None:
        return
    body = _body(answer.entry)
    if answer.outcome == "refused":
        yield "refusal", f"{_text(body.get('transition'))}>{_text(body.get('target') or body.get('state'))}", 1
    scope = scope_of(case.definition, case.dossier, local_day(answer.entry.at), directory)
    span = announced(case.definition, scope)
    used, paused = time_of_answer(case, answer, span or NOTHING_ANNOUNCED, scope, directory)
    counted = span or NOTHING_ANNOUNCED
    yield "delay", _length(used, counted), 1
    yield "pause", _length(paused, counted), 1
    if span is not None:
        sent = case.sent() or answer.entry
        yield "judged", "", 1
        if _is_late(used, span, sent.at, directory):
            yield "late", "", 1


def _corrections(case: CountedDossier, answer: FirstDecision) -> set[str] | None:
    """Return the questions that were corrected before the decision, None without a correction."""
    found = [
        _names(_body(one).get("fields"))
        for one in case.entries
        if one.n <= answer.entry.n and one.kind == "transition" and "fields" in _body(one)
    ]
    return {name.partition(".")[0] for names in found for name in names} if found else None


# -- time --------------------------------------------------------------------------------------------------------------


def announced(procedure: Procedure, scope: Scope) -> Span | None:
    """Return the delay that the public page announces for these answers, None without one."""
    return next((span for when, span in procedure.identity.delay.entries if when.holds(scope)), None)


def last_day_announced(procedure: Procedure, dossier: Dossier, scope: Scope, calendar: Calendar) -> datetime | None:
    """Return when the announced delay ends, later by the time that was the applicant's.

    None without a delay, while the applicant has to act, and once the request was decided: what comes then has no delay.
    """
    span, since, theirs = announced(procedure, scope), dossier.submitted_at, timedelta()
    sent = since
    for taken in dossier.taken:
        source = procedure.states.get(taken.source)
        if since is not None and source is not None and is_theirs(procedure, source, (), scope):
            theirs += max(taken.at - since, timedelta())
        since = taken.at
    passed = [procedure.states.get(name) for name in (*(taken.target for taken in dossier.taken), dossier.state)]
    decided = any(one is not None and (one.is_end or one.public == "accepted") for one in passed)
    state = procedure.states.get(dossier.state)
    waits = state is None or is_theirs(procedure, state, (), scope)
    return None if span is None or sent is None or waits or decided else add_span(sent + theirs, span, calendar)


def unit_of(span: Span) -> str:
    """Return the unit of a span: `working_day`, `day`, `working_hour`, `hour`."""
    return f"{'working_' if span.working else ''}{'day' if counts_days(span) else 'hour'}"


def _length(seconds: int, span: Span) -> str:
    """Return a length as `working_day:12`. A begun hour counts as a whole one."""
    count = seconds // DAY if counts_days(span) else -(-seconds // HOUR)
    return f"{unit_of(span)}:{count}"


def _is_late(used: int, span: Span, start: datetime, directory: Directory) -> bool:
    if counts_days(span):
        return used // DAY > length_in_days(span, start, directory.calendar)
    return used > minutes_of(span) * 60


def time_of_answer(
    case: CountedDossier, answer: FirstDecision, span: Span, scope: Scope, directory: Directory
) -> tuple[int, int]:  # fmt: skip
    """Return the seconds used by the administration and by the applicant from submission to decision.

    They are counted in the unit of `span`.
    """
    used = paused = 0
    for stay in _stays(case, scope):
        length = elapsed(stay.since, stay.until.at, span, directory.calendar)
        if stay.is_theirs:
            paused += length
        else:
            used += length
        if stay.until.n >= answer.entry.n:
            break
    return used, paused


@dataclass(frozen=True, slots=True)
class _Stay:
    """Time in one state, None when its edition is unknown, until an entry that names a state again."""

    state: State | None
    since: datetime
    until: JournalEntry
    is_theirs: bool  # of the applicant


def _stays(case: CountedDossier, scope: Scope) -> Iterator[_Stay]:
    """Yield the times since the submission, in order."""
    state: State | None = None
    procedure: Procedure | None = None
    done: set[str] = set()
    since: datetime | None = None
    for entry in case.entries:
        body = _body(entry)
        if "state" not in body:
            continue
        if since is not None:
            theirs = state is not None and procedure is not None and is_theirs(procedure, state, done, scope)
            yield _Stay(state, since, entry, theirs)
        names = body.get("names")
        if isinstance(names, dict):
            done = {_text(names.get(one, one)) for one in done}
        done = (done - _names(body.get("reopened"))) | _names(body.get("done"))
        procedure = case.definitions.get(entry.edition)
        state = procedure.states.get(_text(body["state"])) if procedure else None
        since = entry.at if since is not None or entry.kind == "submitted" else None


def _steps(case: CountedDossier, new: Collection[int], directory: Directory) -> Iterator[tuple[datetime, str]]:
    """Yield when a new entry left a state, and the state with the administration's time in it: `examen:working_day:3`.

    A state in which only the applicant could act yields nothing.
    """
    sent = case.sent()
    if case.definition is None or sent is None or not any(one.n in new and one.n > sent.n for one in case.entries):
        return
    scope = scope_of(case.definition, case.dossier, local_day(sent.at), directory)
    span, used, is_ours = announced(case.definition, scope) or NOTHING_ANNOUNCED, 0, False
    for stay in _stays(case, scope):
        if not stay.is_theirs:
            used, is_ours = used + elapsed(stay.since, stay.until.at, span, directory.calendar), True
        if stay.state is None or _body(stay.until)["state"] != stay.state.id:
            if stay.state is not None and is_ours and stay.until.n in new:
                yield stay.until.at, f"{stay.state.id}:{_length(used, span)}"
            used, is_ours = 0, False


def is_theirs(procedure: Procedure, state: State, done: Collection[str], scope: Scope) -> bool:
    """Return True when only the applicant can act, so the administration's time is paused."""
    if state.mode in _THEIRS or state.public == "ready":
        return True
    if state.mode == "by":
        return state.by == (APPLICANT,)
    left = [procedure.tasks[one] for one in state.waits if one not in done]
    left = [task for task in left if task.when.holds(scope)]
    return bool(left) and all(waits_for_applicant(task) for task in left)


# -- pages, visits, payments -------------------------------------------------------------------------------------------


def last_page(case: CountedDossier) -> str:
    """Return the last page of the form that was answered, empty when none was."""
    seen = {_text(_body(one).get("page")) for one in case.entries if one.kind == "saved"}
    pages = case.definition.form.pages if case.definition else ()
    return next((page.id for page in reversed(pages) if page.id in seen), "")


def _visit(case: CountedDossier, entry: JournalEntry) -> Iterator[tuple[str, int]]:
    """Yield `depot:attended` or `depot:missed`. A late arrival subtracts one missed. Other tasks yield nothing."""
    body, procedure = _body(entry), case.definitions.get(entry.edition)
    name = _text(body.get("appointment") or body.get("task"))
    if procedure is not None and isinstance(procedure.tasks.get(name), Appointment):
        yield f"{name}:{'attended' if entry.kind == 'task_done' else 'missed'}", -1 if entry.kind == "came_late" else 1


def _payment(case: CountedDossier, entry: JournalEntry) -> Iterator[tuple[datetime, str, str, int]]:
    """Yield the counts of a payment. It has one end, so a later end replaces the earlier one."""
    payment = _body(entry).get("payment")
    of_it = [one for one in case.entries if one.n <= entry.n and _body(one).get("payment") == payment]
    provider = next((_text(_body(one).get("provider")) for one in of_it if one.kind == "payment_started"), "")
    yield from ((entry.at, figure, detail, 1) for figure, detail in _ending(entry, provider))
    before = [one for one in of_it if one.n < entry.n and one.kind in ("payment_ended", "credited")]
    if before and entry.kind != "payment_started":
        yield from ((before[-1].at, figure, detail, -1) for figure, detail in _ending(before[-1], provider))


def _ending(entry: JournalEntry, provider: str) -> Iterator[tuple[str, str]]:
    if entry.kind == "payment_ended":
        status, why = _text(_body(entry).get("status")), _text(_body(entry).get("why"))
        yield "payment", f"{provider}:{status}"
        yield "payment_why", f"{provider}:{why or status}"
    else:
        yield "payment", f"{provider}:{'started' if entry.kind == 'payment_started' else 'paid'}"


# -- bodies ------------------------------------------------------------------------------------------------------------


def _body(entry: JournalEntry | None) -> Mapping[str, Plain]:
    return entry.body if entry is not None and isinstance(entry.body, dict) else {}


def _text(value: Plain) -> str:
    return value if isinstance(value, str) else ""


def _names(value: Plain) -> set[str]:
    return {one for one in value if isinstance(one, str)} if isinstance(value, list) else set()
