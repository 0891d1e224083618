"""What is owed, line by line, in whole francs; and the price announced before anything is answered."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.values import Plain
from engine.domain.fields.scope import scope_of
from engine.domain.workflow.announced import announced_price
from engine.domain.workflow.fee_quotes import Quote, part_of, quote, quotes
from engine.domain.workflow.tasks import awaits_difference, with_corrected_prices
from engine.domain.workflow.transition_context import Moment
from engine.records.dossier import SYSTEM_ACTOR, CorrectionRequest, Done, Owed
from tests.makers import NOW, TODAY, a_dossier, a_procedure, a_sent_dossier, the_directory, the_words

HEAD = """
legal_basis:
  loi: {title: Loi des finances, status: sourced}
  social: {title: Loi sociale, status: sourced}
form:
  tout:
    title: Tout
    fields:
      surface: {label: Surface, type: integer, required: false}
      poids: {label: Poids, type: decimal, required: false}
      zone: {label: Zone, type: choice, options: {centre: Centre, bord: Bord}, required: false}
      eleve: {label: Élève, type: yes_no, required: false}
      indigent: {label: Indigent, type: yes_no, required: false}
      voyageurs:
        label: Voyageurs
        type: rows
        maxItems: 9
        fields:
          age_v: {label: Âge, type: integer}
tables:
  tarif: {by: [zone], rows: {centre: 5000, bord: 2000}}
  calibre: {by: [{from: integer}], rows: {0: 5, 100: 10}}
workflow:
  start: a_payer
  states:
    a_payer: {label: À payer, pay: taxe, due: 30 days, then: fin, late: classe}
    fin: {label: Fini, end: granted}
    classe: {label: Classé, end: abandoned}
scenarios:
  simple: {story: Une demande, steps: [{wait: 31 days, then: classe}]}
"""


def fee(written: str, more: str = "") -> Any:
    return a_procedure(f"{HEAD}\nfees:\n  taxe: {{label: Taxe, basis: loi, {written}}}\n{more}")


def owed(procedure: Any, day: date = TODAY, **answers: Plain) -> Quote:
    scope = scope_of(procedure, a_dossier(procedure, **answers), day, the_directory())
    return quote(procedure, "taxe", scope, "fr", the_words())


@pytest.mark.parametrize(
    ("written", "answers", "amount"),
    [
        ("amount: 30000", {}, 30000),
        ("amount: 100, times: surface", {"surface": 150}, 15000),
        ("amount: tarif(zone)", {"zone": "bord"}, 2000),
        ("amount: calibre(surface) * 10", {"surface": 99}, 50),
        ("amount: calibre(surface) * 10", {"surface": 100}, 100),
        ("amount: round_up(poids * 100)", {"poids": "12.341"}, 1235),
        ("amount: 1000, exempt_when: indigent", {"indigent": True}, 0),
        ("amount: 1000, exempt_when: indigent", {}, 1000),
        ("amount: 1000, reductions: [{when: eleve, percent: 50, because: Élève}]", {"eleve": True}, 500),
        ("amount: 1001, reductions: [{when: eleve, percent: 50, because: Élève}]", {"eleve": True}, 501),
        (
            "amount: 1000, reductions: [{when: eleve, percent: 50, because: E}, {when: eleve, percent: 50, because: F}]",
            {"eleve": True},
            250,
        ),
        ("amount: 100, reductions: [{when: eleve, amount: 500, because: Élève}]", {"eleve": True}, 0),
        ("amount: 100, times: surface, at_least: 1000", {"surface": 2}, 1000),
        ("amount: 100, times: surface, at_most: 1000", {"surface": 20}, 1000),
        ("amount: 100, times: surface, at_least: 500, at_most: 1000", {"surface": 7}, 700),
        (
            "lines: {base: {label: Base, amount: 500}, zone_l: {label: Zone, amount: 200, when: zone == 'bord'}}",
            {"zone": "bord"},
            700,
        ),
        (
            "lines: {base: {label: Base, amount: 500}, zone_l: {label: Zone, amount: 200, when: zone == 'bord'}}",
            {},
            500,
        ),
        (
            "lines: {par: {label: Par voyageur, amount: '100 if age_v >= 12 else 50', for_each: voyageurs}}",
            {"voyageurs": [{"age_v": 30}, {"age_v": 3}, {"age_v": 12}]},
            250,
        ),
    ],
)
def test_amounts(written: str, answers: dict[str, Plain], amount: int) -> None:
    found = owed(fee(written), **answers)
    assert found.amount == amount == sum(line.amount for line in found.lines)
    assert found.missing == ()


def test_a_line_tells_its_unit_price_and_its_law() -> None:
    [line] = owed(fee("amount: 100, times: surface, per: m²"), surface=1500).lines
    assert (line.unit_amount, line.per, line.amount) == (100, "m²", 150000)
    assert line.times == the_words().amount(1500, "fr")
    assert line.basis == "loi"


def test_an_exempt_fee_is_printed_with_the_law_that_exempts() -> None:
    basis = "basis: {amount: loi, exempt_when: social}"
    text = f"{HEAD}\nfees:\n  taxe: {{label: Taxe, amount: 1000, exempt_when: indigent, {basis}}}\n"
    found = owed(a_procedure(text), indigent=True)
    assert found.exempt
    assert [(line.amount, line.exempt, line.basis) for line in found.lines] == [(0, True, "social")]
    assert found.reasons == ("social",)


def test_a_line_in_force_from_a_day_until_another() -> None:
    lines = "lines: {avant: {label: Avant, amount: 500, until: 2026-12-31}, apres: {label: Après, amount: 600, from: 2027-01-01}}"
    procedure = fee(lines)
    assert [owed(procedure, day).amount for day in (date(2026, 12, 31), date(2027, 1, 1))] == [500, 600]


def test_what_is_not_answered_is_missing_not_zero() -> None:
    found = owed(fee("amount: 100, times: surface"))
    assert (found.amount, found.lines, found.missing) == (0, (), ("surface",))


def test_only_the_fees_whose_condition_holds_are_quoted() -> None:
    procedure = fee("amount: 500", "  envoi: {label: Envoi, amount: 1500, when: zone == 'bord', basis: loi}\n")
    for answers, amounts in (({}, [500]), ({"zone": "bord"}, [500, 1500])):
        scope = scope_of(procedure, a_dossier(procedure, **answers), TODAY, the_directory())
        assert [one.amount for one in quotes(procedure, scope, "fr", the_words())] == amounts


@pytest.mark.parametrize(
    ("written", "kind", "amount"),
    [
        ("amount: 30000", "fixed", 30000),
        ("amount: 0", "free", 0),
        ("amount: 100, times: surface, per: m²", "varies", None),
        (
            "lines: {base: {label: Base, amount: 500}, zone_l: {label: Zone, amount: 200, when: zone == 'bord'}}",
            "from",
            500,
        ),
        ("amount: 1000, exempt_when: indigent", "varies", None),
        (
            "lines: {avant: {label: Avant, amount: 500, until: 2026-01-01}, apres: {label: Après, amount: 600}}",
            "fixed",
            600,
        ),
    ],
)
def test_the_price_announced(written: str, kind: str, amount: int | None) -> None:
    price = announced_price(fee(written), TODAY)
    assert (price.kind, price.amount) == (kind, amount)


def test_a_procedure_without_fee_is_free() -> None:
    procedure = a_procedure("form: {p: {title: P, fields: {nom: {label: Nom}}}}")
    assert announced_price(procedure, TODAY).kind == "free"


EVERYTHING = fee(
    "lines: {a: {label: A, amount: 100, times: surface}, b: {label: B, amount: round_up(poids * 7)}, "
    "c: {label: C, amount: tarif(zone)}, d: {label: D, amount: 3, times: age_v, for_each: voyageurs}}, "
    "exempt_when: indigent, reductions: [{when: eleve, percent: 33, because: Élève}, "
    "{when: eleve, amount: 10, because: Élève}], at_least: 10, at_most: 90000"
)


@given(
    surface=st.none() | st.integers(-5, 10**12),
    poids=st.none() | st.decimals(0, 1000, places=3).map(str),
    zone=st.sampled_from([None, "centre", "bord", "ailleurs"]),
    eleve=st.booleans(),
    indigent=st.booleans(),
    voyageurs=st.lists(st.fixed_dictionaries({"age_v": st.integers(0, 120) | st.none()}), max_size=4),
)
def test_a_quote_is_always_the_sum_of_its_lines_and_never_negative(**answers: Any) -> None:
    found = owed(EVERYTHING, **answers)
    assert found.amount >= 0
    assert all(isinstance(line.amount, int) for line in found.lines)
    assert found.exempt or found.amount == sum(line.amount for line in found.lines)
    assert found.exempt or 10 <= found.amount <= 90000


# -- parts -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "amount", "paid", "part"),
    [
        ("{most: 3, every: 1 month}", 100_000, 0, 33_334),
        ("{most: 3, every: 1 month}", 100_000, 66_668, 33_332),
        ("{most: 3, every: 1 month, when: not est_societe}", 100_000, 0, 33_334),
        ("{most: 3, every: 1 month, when: est_societe}", 100_000, 0, 100_000),
        ("{most: 1, every: 1 month}", 100_000, 40_000, 60_000),
    ],
)
def test_a_part_is_rounded_up_so_that_the_last_is_never_larger(terms: str, amount: int, paid: int, part: int) -> None:
    procedure = a_procedure(f"""
    form: {{demande: {{title: D, fields: {{est_societe: {{label: S, type: yes_no, example: false}}}}}}}}
    fees: {{frais: {{label: Frais, amount: {amount}, instalments: {terms}}}}}
    """)
    fee = procedure.fees()[0]
    dossier = a_sent_dossier(procedure, est_societe=False)
    owed = Owed("frais", "Frais", amount, (), NOW, paid)
    assert part_of(fee, owed, scope_of(procedure, dossier, TODAY, the_directory())) == part


@pytest.mark.parametrize(
    ("answers", "amount", "waits"),
    [
        ({"zone": "bord", "surface": 1}, 100, False),
        ({"zone": "bord", "surface": 3}, 300, True),
        ({"zone": "bord", "surface": 0}, 100, False),
        ({"zone": "bord"}, 100, False),
        ({"zone": "centre", "surface": 3}, 100, False),
    ],
)
@pytest.mark.parametrize("raised", [100, 200])
def test_what_corrected_answers_leave_to_pay(answers: dict[str, Plain], amount: int, waits: bool, raised: int) -> None:
    """100 were paid. The price may be raised already by answers that are corrected once more."""
    procedure = fee("amount: 100, times: surface, when: zone == 'bord'")
    kept = replace(
        a_sent_dossier(procedure, **answers), done={"taxe": Done(NOW, "system")},
        owed={"taxe": Owed("taxe", "Taxe", raised, (), NOW, 100)},
        correction=CorrectionRequest({"surface": ""}, "", NOW, "agent", offsets={"taxe": 0}),
    )  # fmt: skip
    moment = Moment(procedure, SYSTEM_ACTOR, NOW, the_directory(), the_words())
    after = with_corrected_prices(moment, kept)
    if "surface" in answers or answers["zone"] == "centre":  # else the price is unknown, and nothing changes
        assert (after.owed["taxe"].amount, awaits_difference(moment, after)) == (amount, waits)
    else:
        assert after is kept
