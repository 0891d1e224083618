"""What a journal adds to the counts: each thing once, at its hour, at its office; and how long an answer took."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from engine.core.values import Plain
from engine.domain.fields.scope import evaluated_before
from engine.domain.reporting.counters import CountedDossier, counts_of, last_day_announced
from engine.journal.chain import JournalEntry, seal
from engine.model import Procedure
from engine.records.dossier import SYSTEM_ACTOR, TakenTransition
from engine.records.statistics import COUNTED, CURRENT, Count
from tests.makers import NOW, TODAY, a_procedure, a_sent_dossier, the_directory, the_procedure

FORM = """
form:
  qui:
    title: Qui
    fields:
      nom: {label: Nom}
  quoi:
    title: Quoi
    fields:
      motif: {label: Motif, required: false}
"""
WORKFLOW = """
workflow:
  start: a_payer
  states:
    a_payer: {label: À payer, pay: droits, due: 30 days, then: visite, late: classe}
    visite: {label: Visite, attend: depot, due: 30 days, then: examen, late: classe, missed: classe}
    examen:
      label: Examen
      by: maire
      due: 5 working days
      transitions:
        accorder: {label: Accorder, to: pret}
        rejeter: {label: Rejeter, to: rejete}
        corriger: {label: Faire corriger, to: a_corriger, asks: [correction, reason]}
    a_corriger: {label: À corriger, correct: requested, due: 30 days, then: examen, late: classe}
    pret: {label: Prêt, by: maire, public: ready, due: 60 days, transitions: {remettre: {label: Remettre, to: accorde}}}
    accorde: {label: Accordé, end: granted}
    rejete: {label: Rejeté, end: refused}
    classe: {label: Classé, end: abandoned}
"""

FEE = """
fees:
  droits: {label: Droits, amount: 500}
appointments:
  depot: {label: Dépôt, lasts: 15 minutes}
"""


def at(text: str) -> datetime:
    """`24 10:30` of November 2026; the 24th is a Tuesday."""
    day, _, hour = text.partition(" ")
    hours, _, minutes = (hour or "9:00").partition(":")
    return datetime(2026, 11, int(day), int(hours), int(minutes), tzinfo=UTC)


Told = tuple[str, str, dict[str, Plain]]


def a_case(book: Procedure, *told: Told) -> CountedDossier:
    dossier, entries = a_sent_dossier(book, nom="Ama"), list[JournalEntry]()
    for when, kind, body in told:
        before = entries[-1] if entries else None
        entries.append(seal(before, dossier.id, at(when), SYSTEM_ACTOR, kind, book.fingerprint, body))
    return CountedDossier(dossier, tuple(entries), {book.fingerprint: book})


def counted(case: CountedDossier, new: set[int] | None = None) -> dict[tuple[str, str], int]:
    """By figure and detail."""
    numbers = {one.n for one in case.entries if one.kind in COUNTED} if new is None else new
    found: Counter[tuple[str, str]] = Counter()
    for count, n in counts_of(case, numbers, the_directory()):
        if count.procedure:
            found[count.figure, count.detail] += n
    return {key: n for key, n in found.items() if n}


@pytest.fixture(scope="module")
def plain() -> Procedure:
    """A small city hall: five working days, one examination, one correction."""
    return a_procedure(FORM)


def sent(when: str = "24", state: str = "examen") -> Told:
    return when, "submitted", {"office": "mairie_1", "channel": "web", "state": state, "done": ["demande"]}


def way(when: str, name: str, source: str, target: str, **body: Plain) -> Told:
    return when, "transition", {"transition": name, "source": source, "target": target, "state": target, **body}


GRANTED = way("27", "accorder", "examen", "accorde", closed=True)


def test_a_request_and_its_answer(plain: Procedure) -> None:
    case = a_case(plain, ("23", "opened", {"channel": "web"}), sent(), GRANTED)
    assert counted(case) == {
        ("opened", "web"): 1, ("received", "web"): 1, ("answered", "granted"): 1,
        ("delay", "working_day:3"): 1, ("pause", "working_day:0"): 1, ("judged", ""): 1,
        ("step", "examen:working_day:3"): 1,
    }  # fmt: skip


def test_the_time_of_each_step_is_the_administrations(plain: Procedure) -> None:
    """A note in the middle leaves nothing. Time to correct is the applicant's, and a step seen twice counts twice."""
    case = a_case(
        plain, sent(), ("25", "noted", {"state": "examen", "done": ["lu"]}),
        way("26", "corriger", "examen", "a_corriger", fields=["nom"]), way("27", "done", "a_corriger", "examen"),
        way("30", "accorder", "examen", "pret"), way("30 12:00", "remettre", "pret", "accorde"),
    )  # fmt: skip
    steps = {detail: n for (figure, detail), n in counted(case).items() if figure == "step"}
    assert steps == {"examen:working_day:2": 1, "examen:working_day:1": 1}
    again = [counted(case, {one.n}) for one in case.entries if one.kind in COUNTED]
    assert sum(n for each in again for (figure, _), n in each.items() if figure == "step") == 2


def test_each_entry_is_counted_when_it_is_new_and_at_its_office(plain: Procedure) -> None:
    case = a_case(plain, ("23", "opened", {"channel": "counter"}), sent(), GRANTED)
    first = dict(counts_of(case, {1, 2}, the_directory()))
    assert first == {
        Count("essai", "2026-11", "opened", "", "counter"): 1,
        Count("essai", "2026-11", "received", "mairie_1", "web"): 1,
        Count("essai", CURRENT, "standing", "mairie_1", ""): 1,
        Count("", "2026-11", "received", "", "web"): 1,
        Count("", CURRENT, "standing", "", ""): 1,
    }
    assert dict(counts_of(case, {3}, the_directory()))[Count("essai", CURRENT, "standing", "mairie_1", "")] == -1


@pytest.mark.parametrize(
    ("entries", "delay", "pause", "late"),
    [
        ([way("24 17:00", "accorder", "examen", "accorde")], 0, 0, False),
        ([way("30", "accorder", "examen", "accorde")], 4, 0, False),  # a weekend is nobody's
        ([way("30 23:00", "accorder", "examen", "accorde")], 4, 0, False),
        ([("26", "corrected", {}), way("27", "corriger", "examen", "a_corriger", fields=["nom"]),
          way("30", "done", "a_corriger", "examen"), way("30 18:00", "accorder", "examen", "accorde")], 3, 1, False),
    ],
)  # fmt: skip
def test_the_time_of_an_answer(plain: Procedure, entries: list[Told], delay: int, pause: int, late: bool) -> None:
    found = counted(a_case(plain, sent(), *entries))
    assert found["delay", f"working_day:{delay}"] == 1
    assert found["pause", f"working_day:{pause}"] == 1
    assert (("late", "") in found) is late


def test_an_answer_is_late_the_day_after_the_last_one_and_no_sooner(plain: Procedure) -> None:
    early = a_case(plain, ("2", "submitted", {"state": "examen"}), way("9 20:00", "accorder", "examen", "accorde"))
    late = a_case(plain, ("2", "submitted", {"state": "examen"}), way("10 0:01", "accorder", "examen", "accorde"))
    assert ("late", "") not in counted(early)
    assert counted(early)["delay", "working_day:5"] == 1
    assert counted(late)["late", ""] == 1


@pytest.mark.parametrize(
    ("delay", "end", "said", "late"),
    [
        ("72 hours", "26 10:30", "hour:50", False),
        ("72 hours", "27 9:00", "hour:72", False),
        ("72 hours", "27 9:01", "hour:73", True),
        ("3 days", "27 23:00", "day:3", False),
        ("3 days", "28 1:00", "day:4", True),
        ("1 week", "30 9:00", "day:6", False),
    ],
)
def test_time_is_counted_as_the_delay_that_was_announced(delay: str, end: str, said: str, late: bool) -> None:
    book = a_procedure(f"delay: {delay}\n{FORM}")
    found = counted(a_case(book, sent(), way(end, "accorder", "examen", "accorde")))
    assert found["delay", said] == 1
    assert (("late", "") in found) is late


def test_a_delay_depends_on_the_answers() -> None:
    book = a_procedure("delay: [{when: nom == 'Ama', is: 2 working days}, {is: 9 working days}]" + FORM)
    case = a_case(book, sent(), GRANTED)
    assert ("late", "") in counted(case)
    other = replace(case, dossier=replace(case.dossier, answers={"nom": "Kofi"}))
    assert ("late", "") not in counted(other)


def test_what_was_asked_again_counts_once_a_question(plain: Procedure) -> None:
    asked = way("25", "corriger", "examen", "a_corriger", fields=["nom", "motif.0.x"])
    again = way("27", "corriger", "examen", "a_corriger", fields=["nom"])
    back, again_back = way("26", "done", "a_corriger", "examen"), way("28", "done", "a_corriger", "examen")
    found = counted(a_case(plain, sent(), asked, back, again, again_back, way("30", "accorder", "examen", "accorde")))
    assert (found["corrected", ""], found["corrected_field", "nom"], found["corrected_field", "motif"]) == (1, 1, 1)


def test_the_first_answer_is_the_one_that_counts() -> None:
    book = a_procedure(WORKFLOW.replace("start: a_payer", "start: examen") + FORM + FEE)
    case = a_case(
        book, sent(), way("25", "accorder", "examen", "pret"), way("30", "remettre", "pret", "accorde", closed=True)
    )
    found = counted(case)
    assert found["answered", "granted"] == 1
    assert found["delay", "working_day:1"] == 1
    assert ("standing", "") not in found


def test_a_refusal_is_told_by_the_step_taken_and_the_end_reached() -> None:
    book = a_procedure(WORKFLOW + FORM + FEE)
    found = counted(a_case(book, sent(), way("25", "rejeter", "examen", "rejete")))
    assert (found["answered", "refused"], found["refusal", "rejeter>rejete"]) == (1, 1)


@pytest.mark.parametrize("outcome", ["classe"])
def test_what_time_closed_has_no_delay(outcome: str) -> None:
    book = a_procedure(WORKFLOW + FORM + FEE)
    found = counted(a_case(book, sent(state="a_payer"), way("25", "due", "a_payer", outcome, event="due")))
    assert found["answered", "abandoned"] == 1
    assert not [one for one in found if one[0] in ("delay", "judged", "pause")]


def test_paying_and_visiting_are_the_applicants_time() -> None:
    book = a_procedure(WORKFLOW + FORM + FEE)
    case = a_case(
        book, sent("2", "a_payer"), way("6", "done", "a_payer", "visite", event="done"),
        ("12", "task_done", {"task": "depot", "state": "visite", "done": ["depot"]}),
        way("12", "done", "visite", "examen", event="done"), way("13", "accorder", "examen", "pret"),
    )  # fmt: skip
    found = counted(case)
    assert found["delay", "working_day:1"] == 1
    assert found["pause", "working_day:8"] == 1
    assert found["visit", "depot:attended"] == 1


def test_visits_missed_and_other_tasks() -> None:
    book = a_procedure(WORKFLOW + FORM + FEE)
    case = a_case(
        book, sent("2", "visite"), ("3", "missed", {"appointment": "depot", "state": "visite"}),
        ("4", "task_done", {"task": "demande", "state": "visite"}),
    )  # fmt: skip
    assert {key: n for key, n in counted(case).items() if key[0] == "visit"} == {("visit", "depot:missed"): 1}


def test_a_draft_that_nobody_sent_tells_its_last_page(plain: Procedure) -> None:
    opened, dropped = ("2", "opened", {"channel": "web"}), ("30", "dropped", {"closed": True})
    for pages, last in (((), ""), (("qui",), "qui"), (("qui", "quoi", "qui"), "quoi")):
        saved = [("3", "saved", {"page": page}) for page in pages]
        found = counted(a_case(plain, opened, *saved, dropped))
        assert found == {("opened", "web"): 1, ("dropped", last): 1}


def test_a_payment_has_one_end() -> None:
    book = a_procedure(WORKFLOW + FORM + FEE)
    start = ("24", "payment_started", {"payment": "p1", "provider": "mixx"})
    ended = ("24 10:00", "payment_ended", {"payment": "p1", "status": "expired", "why": None})
    failed = ("24 10:00", "payment_ended", {"payment": "p1", "status": "failed", "why": "balance"})
    paid = ("25", "credited", {"payment": "p1", "amount": 500})
    other = ("24 12:00", "payment_started", {"payment": "p2", "provider": "flooz"})

    def payments(*told: Told) -> dict[tuple[str, str], int]:
        found = counted(a_case(book, sent(state="a_payer"), *told))
        return {key: n for key, n in found.items() if key[0].startswith("payment")}

    started = ("payment", "mixx:started")
    assert payments(start, paid) == {started: 1, ("payment", "mixx:paid"): 1}
    assert payments(start, failed) == {
        started: 1, ("payment", "mixx:failed"): 1, ("payment_why", "mixx:balance"): 1,
    }  # fmt: skip
    assert payments(start, ended, paid) == {started: 1, ("payment", "mixx:paid"): 1}
    assert payments(start, ended, other) == {
        started: 1, ("payment", "mixx:expired"): 1, ("payment_why", "mixx:expired"): 1, ("payment", "flooz:started"): 1,
    }  # fmt: skip


def test_an_edition_that_is_lost_leaves_what_is_known_without_it(plain: Procedure) -> None:
    case = replace(a_case(plain, sent(), GRANTED), definitions={})
    assert counted(case) == {("received", "web"): 1, ("standing", ""): 1}


def test_the_announced_day_comes_later_by_what_the_applicant_took() -> None:
    """Permits are announced in 45 days; nothing is announced while the applicant has to act."""
    permit = the_procedure("permis-de-construire")
    scope = evaluated_before(permit, {}, TODAY, the_directory()).scope

    def last(state: str, *days: tuple[str, str, int]) -> str:
        taken = tuple(TakenTransition("x", a, b, NOW + timedelta(n), "maire", "agent") for a, b, n in days)
        dossier = replace(a_sent_dossier(permit, state), taken=taken)
        found = last_day_announced(permit, dossier, scope, the_directory().calendar)
        return str((found - NOW).days) if found else ""

    checked, paid = ("recevabilite", "a_payer", 2), ("a_payer", "instruction", 12)
    assert (last("recevabilite"), last("a_payer", checked), last("instruction", checked, paid)) == ("45", "", "55")
