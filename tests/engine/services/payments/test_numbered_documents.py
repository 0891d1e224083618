"""A document that a payment issues always gets a number: numbers that another series gave prevent no credit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.language.catalogue.catalogue import Catalogue
from tests.engine.services.world import a_world
from tests.makers import compiled, the_shared, whole

RECEIPT = """
procedure: {name}
agency: {agency}
form:
  vous: {{title: Vous, fields: {{nom: {{label: Nom, example: LEE}}}}}}
fees:
  place: {{label: Place, amount: 500}}
workflow:
  start: a_payer
  states:
    a_payer: {{label: À payer, pay: place, due: 30 days, then: accorde, late: classe}}
    accorde: {{label: Accordé, end: granted, issues: recu}}
    classe: {{label: Classé, end: abandoned}}
outputs:
  recu: {{title: Reçu, kind: receipt, number: '{number}'}}
scenarios:
  paye: {{story: Payé, steps: [{{pay: 500, then: accorde}}]}}
"""
OTHERS = 150  # documents of the first agency, more than a simple count passes in one request


@pytest.mark.parametrize(
    ("pattern", "printed"),
    [
        ("R-{year}-{serial}", "R-2026-{:05d}"),  # one pattern, a series for each agency
        ("{agency}-{year}-{serial}", "DGDN-2026-{:05d}"),  # as another agency writes it into its definition
        ("R-{serial}", "R-{:05d}"),  # the numbers of last year, in January
        ("R-{year}", "R-2026-{:05d}"),  # no number at all
    ],
)
def test_numbers_of_another_series_prevent_no_credit(tmp_path: Path, pattern: str, printed: str) -> None:
    books = [
        compiled(whole(RECEIPT.format(name=name, agency=agency, number=pattern)), f"{name}.yaml")
        for name, agency in (("etal", "mairie"), ("pont", "dgdn"))
    ]
    world = a_world(tmp_path, catalogue=Catalogue.of(books, the_shared()))
    first = world.paid(world.sent("etal", world.applicant("+22890112234")))
    [paper] = first.documents
    with world.office.store.unit(write=True) as unit:
        for serial in (one for one in range(1, OTHERS) if printed.format(one) != paper.number):
            said = {"id": f"i{serial}", "code": f"c{serial}", "token": f"t{serial}", "number": printed.format(serial)}
            unit.add_document(first.id, replace(paper, **said))
    for _ in range(2):
        paid = world.paid(world.sent("pont"))
        assert paid.state == "accorde"
        assert [one.status for one in world.read(lambda unit, id=paid.id: unit.payments_of(id))] == ["paid"]
