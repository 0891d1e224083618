"""What the proofs find, what they leave alone, what they do not know; witnesses, read again by the rules of the house."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from functools import lru_cache

import pytest
from _pytest.mark import ParameterSet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("z3")

from engine.core.problems import NOWHERE, Problem
from engine.domain.forms.pages import check_answers
from engine.domain.forms.sample_answers import example_answers
from engine.language.expressions.parser import Vocabulary, parse_expression
from engine.model import Procedure
from engine.model.directory import Directory
from engine.model.types import YES_NO, Expression, Value
from engine.prover.checks.runner import prove, witness_of_condition, witness_of_line, witness_of_page, witness_of_state
from engine.prover.solver import solver
from engine.prover.solver.inputs import ProverInput
from engine.prover.solver.solver import Prover, Query
from engine.prover.solver.witness import Witness
from renderers.i18n.problem_messages import message
from tests.effort import tries
from tests.makers import PROCEDURES, TODAY, a_dossier, a_procedure, compiled, the_directory, the_procedure

LAW = "legal_basis:\n  loi: {title: Une loi, status: sourced, source: JO}\n"
SHIPPED = sorted(path.stem for path in PROCEDURES.glob("*.yaml"))
SUSPENDED = {("e-visa", "supplement")}  # express is offered no more: nobody owes it from now on
DAYS = (5, 6, 100, 500)  # of the week, of the holidays, far; on this day by tests/test_language.py
LONG = 60.0  # seconds: a busy machine finds as much as an idle one


def _every_second(names: list[str], first: int) -> list[ParameterSet]:
    """All of them; those between run at night."""
    at_night = pytest.mark.nightly("fuzz")
    return [pytest.param(name, marks=[] if at % 2 == first else [at_night]) for at, name in enumerate(names)]


def found(procedure: Procedure, seconds: float = 10, day: date = TODAY) -> list[Problem]:
    return prove(procedure, the_directory(), day, seconds)


def said(procedure: Procedure) -> list[str]:
    return [f"{one.code} {message(one)}" for one in found(procedure)]


def a_form(fields: str, checks: str = "") -> Procedure:
    """A form of one page with these questions (each on its line) and these rules."""
    lines = ["form:", "  tout:", "    title: Tout", "    fields:"]
    lines += [f"      {line}" for line in fields.strip("\n").splitlines()]
    if checks:
        lines += ["    checks:", *(f"      {line}" for line in checks.strip("\n").splitlines())]
    return a_procedure("\n".join(lines) + "\n" + LAW)


# -- what is no fault --------------------------------------------------------------------------------------------------

ROWS = """g:
  label: Lignes
  type: rows
  maxItems: {most}
  fields: {{q: {{label: Q, type: integer, maximum: 9, example: 1}}}}
beaucoup: {{label: Beaucoup, when: {condition}, example: oui}}"""


@pytest.mark.parametrize("fields", [
    # each required unless the other is given: they can always be answered
    "a: {label: A, required: not answered(b), example: x}\nb: {label: B, required: not answered(a), example: x}",
    # the present day moves on
    "a: {label: A, when: 'today >= date(2040, 1, 1)', example: x}",
    "a: {label: A, when: 'today < date(2020, 1, 1)', example: x}",
    # what is suspended may come back
    "m: {label: M, type: choice, options: {o: O, e: {label: E, until: 2024-04-11}}}\n"
    "p: {label: P, when: m == 'e', example: x}",
    # more rows than are looked at first
    ROWS.format(most=20, condition="count(g) > 12"),
    ROWS.format(most=6, condition="'sum(g, q) > 40'"),
    # one unknown times another
    "a: {label: A, type: integer, maximum: 90, example: 3}\nb: {label: B, type: integer, maximum: 90, example: 3}\n"
    "c: {label: C, when: a * b > 50, example: x}",
    # texts, several choices, times, partial dates, places
    "a: {label: A, maxLength: 20, example: x}\nb: {label: B, when: length(a) > 19, example: x}",
    "a: {label: A, type: choices, options: {x: X, w: W}}\nb: {label: B, when: \"'x' in a and 'w' in a\", example: x}",
    "a: {label: A, type: time, example: 08:30}\nb: {label: B, when: a > '12:00', example: x}",
    "a: {label: A, type: partial_date}\nb: {label: B, when: year(a) < 1990, example: x}",
    "a: {label: A, type: country}\nb: {label: B, when: \"in_list(a, 'cedeao')\", example: x}",
    # a bound from another answer, under the same condition
    "a: {label: A, type: date, example: 2026-12-01}\nb: {label: B, type: date, minimum: a, example: 2026-12-02}",
    # the day of birth and another day, a month that has no 31st
    "a: {label: A, type: date}\nb: {label: B, type: date, minimum: a, example: 2026-12-01}\n"
    "c: {label: C, when: 'age(a, b) < 18 and b > a + months(1)', example: x}",
])  # fmt: skip
def test_no_false_alarm(fields: str) -> None:
    assert said(a_form(fields)) == []


def test_a_condition_of_a_shared_block_may_be_idle_here() -> None:
    """The blocks of the house serve all procedures: one that is never true in this one is no fault of its author."""
    procedure = a_procedure("form:\n  identite: {use: identite}\n" + LAW)
    assert said(procedure) == []


# -- what is -----------------------------------------------------------------------------------------------------------


def test_the_deepest_rows_are_looked_at() -> None:
    assert said(a_form(ROWS.format(most=20, condition="count(g) > 20"))) == [
        "P6 la condition de « beaucoup » n'est jamais vraie, quelles que soient les réponses"
    ]


def test_what_is_beyond_the_rows_looked_at_is_not_guessed() -> None:
    assert [one.code for one in found(a_form(ROWS.format(most=60, condition="count(g) > 50")))] == ["V790"]


SIMPLE = "scenarios:\n  simple: {story: Rien, steps: [{wait: 1 day}]}\n"
FEES = """
fees:
  taxe: {label: Taxe, amount: 1000, when: paie, basis: loi}
form:
  tout:
    title: Tout
    fields:
      paie: {label: Payez-vous, type: yes_no, example: true}
      majeur: {label: Majeur, type: yes_no, example: true}
workflow:
  start: examen
  states:
    examen:
      label: Examen
      by: maire
      due: 5 days
      transitions:
        rendre:
          label: Rendre
          to: [{when: %s, to: accorde}, {to: a_payer}]
    a_payer: {label: À payer, pay: taxe, due: 15 days, then: accorde, late: classe}
    accorde: {label: Accordé, end: granted, issues: acte}
    classe: {label: Classé, end: abandoned}
outputs:
  acte: {title: Acte}
"""


def test_who_owes_nothing_goes_around_nothing() -> None:
    """The way around is open only to those whose fee is nothing: `when` is carried to the solver."""
    assert said(a_procedure(FEES % "not paie" + LAW + SIMPLE)) == []


def test_a_way_around_names_the_document_the_fee_and_the_path() -> None:
    assert said(a_procedure(FEES % "majeur" + LAW + SIMPLE)) == [
        "P4 avec paie = true et majeur = true, « acte » peut être délivré sans « taxe », par : examen → accorde"
    ]


TWO_FEES = """
form:
  tout: {title: Tout, fields: {national: {label: National, type: yes_no, example: true}}}
fees:
  un: {label: Un, amount: 1000, basis: loi}
  deux: {label: Deux, amount: 2000, basis: loi}
workflow:
  start: examen
  states:
    examen:
      label: Examen
      by: maire
      due: 5 days
      transitions:
        rendre: {label: Rendre, to: [{when: national, to: ici}, {to: dehors}]}
    ici: {label: Ici, pay: un, due: 15 days, then: %s, late: classe}
    dehors: {label: Dehors, pay: deux, due: 15 days, then: %s, late: classe}
    accorde: {label: Accordé, end: granted, issues: acte}
    classe: {label: Classé, end: abandoned}
outputs:
  acte: {title: Acte}
"""


def test_what_others_need_not_do_is_declared() -> None:
    """Nationals pay one fee, foreigners another: two ways around each other, until the file says so."""
    plain = a_procedure(TWO_FEES % ("accorde", "accorde") + LAW + SIMPLE)
    assert [(one.code, one.facts["task"]) for one in found(plain)] == [("P4", "un"), ("P4", "deux")]
    said_so = ("[{when: national, to: accorde, without: [deux]}, {to: classe}]", "[{to: accorde, without: [un]}]")
    assert "P4" not in {one.code for one in found(a_procedure(TWO_FEES % said_so + LAW + SIMPLE))}


def test_what_a_file_accepts_is_set_aside_until_its_day() -> None:
    accept = "accept:\n  - {code: P4, at: acte, because: Vu avec le ministère, until: 2026-12-31}\n"
    procedure = a_procedure(FEES % "majeur" + LAW + SIMPLE + accept)
    assert found(procedure) == []
    assert [one.code for one in found(procedure, day=date(2027, 1, 1))] == ["P4"]


def test_an_acceptance_that_serves_nothing_is_told() -> None:
    accept = "accept:\n  - {code: P10, at: delay, because: Exprès, until: 2026-12-31}\n"
    assert [one.code for one in found(a_procedure(FEES % "not paie" + LAW + SIMPLE + accept))] == ["R803"]


def test_only_proofs_of_the_circuit_may_be_accepted() -> None:
    fields = "a: {label: A, type: integer, example: 1}\nb: {label: B, when: a < 0, example: x}"
    procedure = a_form(fields)
    accepted = replace(procedure.accept[0], id="P6", at="b") if procedure.accept else None
    assert accepted is None
    assert [one.code for one in found(procedure)] == ["P6"]


def test_out_of_time_each_thing_is_said_once_not_to_be_proved() -> None:
    things = [one.facts["at"] for one in found(the_procedure("passeport-ordinaire"), seconds=0)]
    assert things
    assert len(things) == len(set(things))
    assert {one.code for one in found(the_procedure("passeport-ordinaire"), seconds=0)} == {"V790"}


def test_a_machine_ten_times_slower_proves_the_largest_procedure_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    # a busy machine shares its cores, so the processor time of one proof grows with the load
    clock = time.thread_time
    monkeypatch.setattr("engine.prover.solver.solver.time.thread_time", lambda: 10 * clock())
    assert prove(the_procedure("e-visa"), the_directory(), TODAY) == []


def test_effort_ends_a_proof_and_a_slow_machine_ends_at_the_same_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.prover.solver.solver._WHOLE_EFFORT", 200_000)
    passport, clock = the_procedure("passeport-ordinaire"), time.thread_time
    free = found(passport, LONG)
    monkeypatch.setattr("engine.prover.solver.solver.time.thread_time", lambda: 10 * clock())
    assert {one.code for one in free} == {"V790"}
    assert found(passport, LONG) == free


def test_the_largest_procedure_needs_a_fraction_of_the_effort(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.prover.solver.solver._WHOLE_EFFORT", solver._WHOLE_EFFORT // 4)
    assert found(the_procedure("e-visa"), LONG) == []


def test_a_role_without_a_seat_can_be_held_by_nobody() -> None:
    directory = the_directory()
    agency = directory.agencies["mairie"]
    roles = {**agency.roles, "maire": replace(agency.roles["maire"], seats=0)}
    empty = replace(directory, agencies={**directory.agencies, "mairie": replace(agency, roles=roles)})
    problems = prove(a_procedure(LAW + "form: {tout: {title: T, fields: {nom: {label: N}}}}"), empty, TODAY)
    assert [message(one) for one in problems] == [
        "personne ne peut tenir le rôle « mairie/maire », que demande « examen »"
    ]


def test_an_office_closed_beyond_the_horizon_has_no_slot() -> None:
    passport = the_procedure("passeport-ordinaire")
    directory = the_directory()
    closed = replace(directory.offices["dgdn_kara"], hours={})
    problems = prove(passport, replace(directory, offices={**directory.offices, "dgdn_kara": closed}), TODAY)
    assert [message(one) for one in problems] == ["« depot » n'a aucun créneau au bureau « dgdn_kara »"]


@pytest.mark.slow
def test_what_is_proved_does_not_hang_on_what_was_asked_before() -> None:
    """The solver's search depends on all that its process met; a long-lived one proves the same as a new one."""
    path = PROCEDURES.parent / "tests" / "good" / "days-and-amounts.yaml"
    book = compiled(path.read_text("utf-8"), path.name)
    assert [problems for _ in range(8) if (problems := prove(book, the_directory(), TODAY))] == []


@pytest.mark.slow
@pytest.mark.parametrize(("name", "days"), [
    pytest.param(name, days, marks=[] if at % len(DAYS) == turn else [pytest.mark.nightly("fuzz")])
    for at, name in enumerate(SHIPPED) for turn, days in enumerate(DAYS)
])  # fmt: skip
def test_a_shipped_procedure_is_proven_on_any_day(name: str, days: int) -> None:
    assert found(the_procedure(name), day=TODAY + timedelta(days=days)) == []


# -- witnesses ---------------------------------------------------------------------------------------------------------


def sound(procedure: Procedure, witness: Witness | None, directory: Directory) -> None:
    """The answers are complete and nothing is wrong with them, as the rules of the form see it."""
    assert witness is not None
    answers = example_answers(procedure, witness.given(), witness.today, directory)
    dossier = a_dossier(procedure, **answers)
    faults = [one for one in check_answers(procedure, dossier, witness.today, directory) if not one.warns]
    assert not faults, [(one.at, one.code, answers.get(one.at)) for one in faults]


@pytest.mark.slow
@pytest.mark.parametrize("name", _every_second(SHIPPED, 0))
def test_a_form_that_reaches_each_state(name: str) -> None:
    procedure, directory = the_procedure(name), the_directory()
    for state in procedure.states:
        witness = witness_of_state(procedure, directory, TODAY, state, LONG)
        sound(procedure, witness, directory)
        assert witness is not None
        ways = {way.id for way in procedure.transitions}
        assert set(witness.path) <= ways
        assert bool(witness.path) is (state != procedure.start)


@pytest.mark.parametrize("name", _every_second(SHIPPED, 1))
def test_a_form_that_shows_each_page_and_owes_each_line(name: str) -> None:
    procedure, directory = the_procedure(name), the_directory()
    for page in procedure.form.pages:
        witness = witness_of_page(procedure, directory, TODAY, page.id, LONG)
        sound(procedure, witness, directory)
        assert witness is not None
        assert page.when.holds(witness.scope(ProverInput(procedure, directory)))
    for fee in procedure.fees():
        for line in fee.lines:
            witness = witness_of_line(procedure, directory, TODAY, fee.id, line.id, LONG)
            if (name, line.id) in SUSPENDED:
                assert witness is None
            else:
                sound(procedure, witness, directory)


def test_no_witness_of_what_cannot_be() -> None:
    procedure = the_procedure("passeport-ordinaire")
    for condition in ("age(date_naissance) < 0", "not togolais", "mineur and cni", "false"):
        assert witness_of_condition(procedure, the_directory(), TODAY, read(procedure, condition)) is None
    assert witness_of_page(procedure, the_directory(), TODAY, "nulle_part") is None
    assert witness_of_state(procedure, the_directory(), TODAY, "nulle_part") is None
    assert witness_of_line(procedure, the_directory(), TODAY, "nulle_part", "rien") is None


def read(procedure: Procedure, text: str) -> Expression:
    types = {name: field.value_type for name, field in ProverInput(procedure, the_directory()).fields.items()}
    if "mineur" in text:
        text = text.replace("mineur", "(age(date_naissance) < 18)")
    found, problems = parse_expression(text, Vocabulary(names=types), NOWHERE, YES_NO)
    assert found is not None, problems
    return found


# -- what the solver says of any condition -----------------------------------------------------------------------------

FORM = """
form:
  tout:
    title: Tout
    fields:
      i: {label: I, type: integer, maximum: 30, example: 3}
      j: {label: J, type: integer, minimum: i, maximum: 60, required: false, example: 4}
      b: {label: B, type: yes_no, example: true}
      c: {label: C, type: choice, options: {x: X, w: W, z: {label: Z, when: b}}, when: i > 5}
      d: {label: D, type: date, minimum: 2000-01-01, maximum: today, example: 2010-02-28}
      e: {label: E, type: date, required: b, minimum: d, example: 2012-02-29}
      g:
        label: G
        type: rows
        maxItems: 3
        required: false
        fields:
          h: {label: H, type: integer, maximum: 9, example: 2}
          k: {label: K, type: yes_no, when: h > 2, example: true}
      t: {label: T, value: 'i + sum(g, h)'}
    checks:
      somme: {must: i + j <= 70, message: Trop.}
      ordre: {must: 'days_between(d, e) >= 10', message: Trop court., when: b}
"""
INTEGER = st.sampled_from(["i", "j", "t", "count(g)", "sum(g, h)", "age(d)", "year(e)", "age(d, e)"])
ATOM = (
    st.tuples(INTEGER, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), INTEGER | st.integers(0, 40).map(str)).map(" ".join)
    | st.sampled_from(["b", "c == 'x'", "c == 'z'", "c != 'w'", "answered(c)", "answered(e)", "any(g, k)", "all(g, k)",
                       "any(g, h > i)", "d + months(1) < e", "e > d + years(5)", "answered(g)", "c in ['x', 'z']"])
)  # fmt: skip
CONDITION = st.recursive(
    ATOM,
    lambda inner: (
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda one: f"({' '.join(one)})")
        | inner.map(lambda one: f"not ({one})")
    ),
    max_leaves=4,
)
honest = settings(max_examples=tries(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])


@lru_cache(maxsize=1)
def the_form() -> Procedure:
    return a_procedure(FORM + LAW)


@honest
@given(CONDITION)
@pytest.mark.fuzz
@pytest.mark.slow
def test_what_the_solver_holds_possible_is_true_and_what_it_denies_is_never_seen(text: str) -> None:
    procedure, directory = the_form(), the_directory()
    condition = read(procedure, text)
    book = ProverInput(procedure, directory)
    query = Query((condition.node,), also=frozenset(book.fields))  # type: ignore[arg-type]
    answer = Prover(book, TODAY, 20).example(query)
    if answer.witness is not None:
        assert condition.holds(answer.witness.scope(book))
        sound(procedure, answer.witness, directory)
    elif answer.verdict == "no":
        assert not [one for one in valid_answers() if condition.holds(scope_of(one))]


def scope_of(answers: Mapping[str, Value]):
    return Witness(answers, TODAY, TODAY).scope(ProverInput(the_form(), the_directory()))


@lru_cache(maxsize=1)
def valid_answers() -> tuple[Mapping[str, Value], ...]:
    """Many answers that the form accepts."""
    procedure, directory = the_form(), the_directory()
    kept: list[Mapping[str, Value]] = []
    rows = ((), ({"h": 0},), ({"h": 5, "k": True},), ({"h": 9, "k": False}, {"h": 1}), ({"h": 2},) * 3)
    days = (date(2000, 1, 1), date(2008, 2, 29), date(2010, 2, 28), TODAY)
    for i in (0, 3, 5, 6, 17, 30):
        for b in (True, False):
            for c in (None, "x", "w", "z"):
                for d in days:
                    for e in (None, date(2012, 2, 29), date(2026, 12, 24), date(2010, 3, 28)):
                        for at, g in enumerate(rows):
                            j = (None, i, 40, 60, i + 1)[at]
                            kept.append({"i": i, "j": j, "b": b, "c": c, "d": d, "e": e, "g": g})
    return tuple(one for one in kept if is_accepted(procedure, directory, one))


def is_accepted(procedure: Procedure, directory: Directory, answers: Mapping[str, Value]) -> bool:
    plain = {**dict.fromkeys(answers), **Witness(answers, TODAY, TODAY).given()}
    dossier = a_dossier(procedure, **plain)
    return not [one for one in check_answers(procedure, dossier, TODAY, directory) if not one.warns]


def test_many_answers_are_valid() -> None:
    assert len(valid_answers()) > 100


# -- clocks that never run out -----------------------------------------------------------------------------------------

A_CLOCK = """workflow:
  start: examen
  clocks: {{silence: {{label: Silence, lasts: {lasts}, runs_in: [examen, avis], then: accorde}}}}
  states:
    examen: {{label: E, by: maire, due: {due}{late}, transitions: {{accorder: {{label: A, to: avis}}}}}}
    avis: {{label: V, wait: {wait}, then: {after}}}
    accorde: {{label: F, end: granted}}
    oubli: {{label: O, end: abandoned}}
"""


@pytest.mark.parametrize(("lasts", "due", "late", "wait", "after", "told"), [
    ("60 days", "20 days", ", late: oubli", "10 days", "oubli", True),
    ("60 days", "20 days", ", late: oubli", "40 days", "oubli", False),  # together they may come to it
    ("60 days", "20 days", "", "10 days", "oubli", False),  # an agent may keep it longer
    ("60 days", "20 days", ", late: oubli", "10 days", "examen", False),  # and round again
    ("60 days", "32 working days", ", late: oubli", "10 days", "oubli", False),  # holidays fall
    ("60 days", "20 working days", ", late: oubli", "10 days", "oubli", True),
    ("2 months", "20 days", ", late: oubli", "1 day", "oubli", True),
])  # fmt: skip
def test_a_clock_that_something_always_comes_before_is_told(
    lasts: str, due: str, late: str, wait: str, after: str, told: bool
) -> None:
    written = A_CLOCK.format(lasts=lasts, due=due, late=late, wait=wait, after=after)
    never = [one for one in found(a_procedure(written + LAW)) if one.facts.get("fault") == "clock"]
    assert [one.facts["at"] for one in never] == (["silence"] if told else [])
