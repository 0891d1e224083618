"""The price announced: never more than a granted request owes, and what some request owes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from engine.core.values import Plain
from engine.domain.fields.scope import evaluated_before
from engine.domain.forms.sample_answers import example_answers
from engine.domain.workflow.announced import announced_price
from engine.domain.workflow.fee_quotes import quotes
from engine.model import Field, Procedure
from engine.model.types import Constant
from engine.records.dossier import Dossier
from tests.engine.domain.documents.story_papers import told
from tests.engine.domain.workflow.test_fees import HEAD, fee
from tests.makers import PROCEDURES, TODAY, a_procedure, the_directory, the_procedure, the_words

SHIPPED = sorted(path.stem for path in PROCEDURES.glob("*.yaml"))
LEAST = {
    "branchement-eau": 100_000, "carte-de-sejour": 15_000, "carte-nationale-identite": 5_000, "casier-judiciaire-b3": 500,
    "certificat-nationalite": 5_000, "copie-acte-etat-civil": 500, "creation-entreprise": 25_400, "duplicata-bac": 1_000,
    "duplicata-certificat-nationalite": 500, "e-visa": 35_000, "passeport-ordinaire": 30_000, "permis-de-conduire": 15_000,
    "raccordement-electricite": 77_000, "regularite-fiscale": 1_000,
}  # fmt: skip


def owed_in(procedure: Procedure, dossier: Dossier) -> int | None:
    """What the request of a story owed when it was granted."""
    if dossier.closed_at is None or procedure.states[dossier.state].outcome != "granted":
        return None
    return sum(one.amount for one in dossier.owed.values())


def asked(field: Field) -> list[Plain]:
    """All answers of a choice of one; the least of a whole number and the next; else only its example."""
    if field.type == "choice":
        return [one.code for one in field.options]
    if field.type == "yes_no":
        return [True, False]
    minimum = field.bounds.minimum.node if field.bounds.minimum else None
    whole = field.type == "integer" and field.value is None and isinstance(minimum, Constant)
    if not whole or not isinstance(minimum, Constant) or not isinstance(minimum.value, int):
        return []
    return [minimum.value, minimum.value + 1]


def cases(procedure: Procedure) -> Iterator[int]:
    """What whole requests owe, whatever is chosen among the questions that a fee, or one of those, hangs on."""
    names, left = set[str](), [name for one in procedure.fees() for name in the_names(one)]
    while left:
        field = procedure.fields.get(left.pop())
        if field is not None and field.id not in names:
            names.add(field.id)
            left += [*(field.value.names if field.value else ()), *field.when.names]
    choices = {name: asked(procedure.fields[name]) for name in sorted(names) if asked(procedure.fields[name])}
    for answers in product(*choices.values()):
        given = dict(zip(choices, answers, strict=True))
        whole = {**example_answers(procedure, given, TODAY, the_directory()), **given}
        scope = evaluated_before(procedure, whole, TODAY, the_directory()).scope
        found = quotes(procedure, scope, "fr", the_words())
        if not any(one.missing for one in found):
            yield sum(one.amount for one in found)


def the_names(fee: Any) -> Iterator[str]:
    for line in fee.lines:
        for one in (fee.when, line.when, line.amount, line.times):
            yield from one.names if one is not None else ()


@pytest.mark.xdist_group("stories of the shipped procedures")  # played once
@pytest.mark.parametrize("name", SHIPPED)
def test_no_granted_request_owes_less_than_the_price_announced(name: str) -> None:
    procedure = the_procedure(name)
    announced = announced_price(procedure, TODAY)
    owed = [found for _, one in told(name) if (found := owed_in(procedure, one)) is not None]
    assert owed
    if name not in LEAST:
        assert announced.kind == "varies"  # the words name no figure
        return
    least = announced.amount if announced.amount is not None else announced.lines[0].amount  # each: `500 FCFA par…`
    assert least == LEAST[name]
    assert min(owed) >= least > 0
    charged = [one for one in cases(procedure) if one]
    assert min(charged) == least, sorted(set(charged))[:4]


TWO = "lines: {a: {label: A, amount: 700, when: zone == 'bord'}, b: {label: B, amount: 900, when: zone == 'centre'}}"


@pytest.mark.parametrize(
    ("written", "kind", "amount"),
    [
        ("amount: tarif(zone)", "from", 2000), (TWO, "from", 700), ("amount: calibre(surface) * 10", "from", 50),
        ("amount: surface * 10", "varies", None),
        ("lines: {a: {label: A, amount: 500}, b: {label: B, amount: tarif(zone)}}", "from", 2500),
        ("lines: {a: {label: A, amount: 500}, b: {label: B, amount: 100, for_each: voyageurs}}", "from", 600),
        ("lines: {a: {label: A, amount: 100, for_each: voyageurs, when: age_v > 12}}", "from", 100),
        ("lines: {a: {label: A, amount: '100 if age_v > 12 else 50', for_each: voyageurs}}", "from", 50),
        ("amount: 100, times: surface, at_least: 1000", "from", 1000),
        ("amount: tarif(zone), when: zone == 'centre'", "from", 5000), ("amount: 100 + tarif(zone) * 2", "from", 4100),
        ("amount: 100, when: done(taxe)", "from", 100), ("amount: 100, when: channel == 'counter'", "from", 100),
        ("amount: tarif(zone), exempt_when: indigent", "varies", None),
    ],
)  # fmt: skip
def test_the_least_of_what_may_be_owed(written: str, kind: str, amount: int | None) -> None:
    price = announced_price(fee(written), TODAY)
    assert (price.kind, price.amount) == (kind, amount)


def test_a_number_counts_for_the_least_it_may_be() -> None:
    head = HEAD.replace("surface: {", "copies: {label: Copies, type: integer, minimum: 2}\n      surface: {")
    text = f"{head}\nfees:\n  taxe: {{label: Taxe, lines: {{a: {{label: A, amount: tarif(zone), times: copies}}}}}}\n"
    price = announced_price(a_procedure(text), TODAY)
    assert (price.kind, price.amount) == ("from", 4000)


def test_a_fee_that_only_some_ways_ask_is_not_sure() -> None:
    """One fee everyone pays, one only where the request is looked at again: the price is that of the first."""
    text = a_whole_circuit()
    price = announced_price(a_procedure(text), TODAY)
    assert (price.kind, price.amount) == ("from", 500)
    assert [one.in_least for one in price.lines] == [True, False]


def a_whole_circuit() -> str:
    states = """
    a_payer: {label: À payer, pay: taxe, due: 30 days, then: examen, late: classe}
    examen:
      label: Examen
      by: maire
      due: 5 working days
      transitions:
        accorder: {label: Accorder, to: fin}
        reprendre: {label: Reprendre, to: encore}
    encore: {label: À payer encore, pay: reprise, due: 30 days, then: fin, late: classe}
"""
    first = HEAD.index("    a_payer:")
    fees = (
        "fees:\n  taxe: {label: Taxe, amount: 500, basis: loi}\n  reprise: {label: Reprise, amount: 900, basis: loi}\n"
    )
    rest = HEAD[HEAD.index("    fin: ") :]
    return HEAD[:first] + states.strip("\n") + "\n" + rest + fees
