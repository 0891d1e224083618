"""A price of which a part is paid, when it is given back, falls or rises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.core.problems import Refused
from engine.core.values import new_id
from engine.domain.forms.corrections import CONFIRMED
from engine.language.catalogue.catalogue import Catalogue
from engine.model import Procedure
from engine.records.dossier import Dossier
from engine.services.applications import drafts as intake
from engine.services.audit.integrity import fsck
from engine.services.core.fee_accounts import fee_accounts
from engine.services.payments.payments import owed, start_payment
from engine.services.payments.refunds import owed_back
from engine.services.payments.settlement import reconcile
from engine.services.worker.worker import run_pass
from tests.engine.services.world import World, a_world, shipped
from tests.makers import compiled, the_shared, whole

PAYS, PAYS_LATE = "+22890000001", "+22890000005"
BOOK = """
form:
  vous:
    title: Vous
    fields:
      surface: {label: Surface, type: integer, minimum: 1, maximum: 1000, example: 30}
fees:
  place: {label: Place, amount: 1000, times: surface, per: m², instalments: {most: 3, every: 1 month, opens: first}}
workflow:
  start: a_payer
  states:
    a_payer:
      label: À payer
      pay: place
      due: 15 days
      then: examen
      late: classe
      transitions: {corriger: {label: Corriger, by: maire, to: a_corriger, asks: [correction, reason]}}
    a_corriger: {label: À corriger, correct: requested, due: 30 days, then: a_payer, late: classe}
    examen:
      label: Examen
      by: maire
      due: 5 working days
      transitions:
        accorder: {label: Accorder, to: accorde}
        refuser: {label: Refuser, to: refuse, asks: [reason]}
        rembourser: {label: Rembourser, to: accorde, returns: place}
        reduire: {label: Réduire, to: accorde, returns: {place: 50}}
    accorde: {label: Accordé, end: granted}
    refuse: {label: Refusé, end: refused, returns: {place: 50}}
    classe: {label: Classé, end: abandoned}
scenarios: {accorde: {story: Une place, steps: [{pay: 10000}, {take: accorder, then: accorde}]}}
"""


def a_place(folder: Path, book: str = BOOK) -> tuple[World, Dossier]:
    world = a_world(folder, catalogue=Catalogue.of([compiled(whole(book))], the_shared()))
    return world, world.sent("essai", surface=30)


def pays(world: World, dossier: Dossier, payer: str = PAYS, **more: Any) -> Dossier:
    given = {"provider": "sandbox", "payer": payer, "token": new_id(), **more}
    start_payment(world.office, world.owner(dossier), dossier.id, **given)
    return world.worked_off(dossier)


def left(world: World, dossier: Dossier) -> int:
    return sum(one.left for one in owed(world.office, world.owner(dossier), dossier.id))


def back(world: World, dossier: Dossier) -> list[tuple[str | None, int]]:
    found = (one.refund for one in owed_back(world.office, world.owner(dossier), dossier.id))
    return [(one.fee, one.amount) for one in found]


def corrected(world: World, dossier: Dossier, surface: int) -> Dossier:
    owner, answers = world.owner(dossier), {"surface": [str(surface)], CONFIRMED: ["surface"]}
    intake.save_corrections(world.office, owner, dossier.id, answers, token=new_id())
    return intake.send_corrections(world.office, owner, dossier.id, token=new_id())


@pytest.mark.parametrize(("act", "given"), [("refuser", 5_000), ("rembourser", 10_000)])
def test_a_price_that_is_given_back_has_no_rest(tmp_path: Path, act: str, given: int) -> None:
    """No part is asked for what was refused. One that was under way goes back whole."""
    world, dossier = a_place(tmp_path)
    pays(world, dossier, part=True)
    pays(world, dossier, PAYS_LATE, part=True)
    world.take(dossier, world.agent("maire", "mairie/maire"), act, reason="Non")
    assert (left(world, dossier), back(world, dossier)) == (0, [("place", given)])
    with pytest.raises(Refused, match="nothing_owed"):
        pays(world, dossier)
    world.wait(minutes=20)
    reconcile(world.office)
    assert back(world, dossier) == [("place", given), (None, 10_000)]
    assert fsck(world.office) == ()


@pytest.mark.parametrize("act", ["accorder", "reduire"])
def test_a_price_that_is_kept_has_its_rest(tmp_path: Path, act: str) -> None:
    world, dossier = a_place(tmp_path)
    pays(world, dossier, part=True)
    world.take(dossier, world.agent("maire", "mairie/maire"), act)
    assert left(world, dossier) == 20_000


def test_a_part_is_given_back_once_when_a_refusal_is_upheld(tmp_path: Path) -> None:
    """The state still waited for the rest, so the price was never done."""
    contests = "contester: {label: Contester, by: applicant, within: 2 months, to: recours}"
    upholds = "recours: {label: Recours, by: maire, due: 5 working days, transitions: {maintenir: {label: Maintenir, to: refuse}}}"
    book = BOOK.replace(", opens: first", "").replace("late: classe", "late: refuse")
    refused = "refuse: {label: Refusé, end: refused, returns: {place: 50}"
    book = book.replace(f"{refused}}}", f"{refused}, transitions: {{{contests}}}}}\n    {upholds}")
    world, dossier = a_place(tmp_path, book)
    pays(world, dossier, part=True)
    world.wait(days=60)
    run_pass(world.office)
    for number in range(2):
        world.take(dossier, world.owner(dossier), "contester")
        world.take(dossier, world.agent(f"maire {number}", "mairie/maire"), "maintenir")
    assert back(world, dossier) == [("place", 5_000)]
    assert fsck(world.office) == ()


def test_a_price_never_falls_below_the_part_that_was_paid(tmp_path: Path) -> None:
    """It goes back whole: a price below it would keep what nothing asked for."""
    book = BOOK.replace(", opens: first", "").replace("refused, returns: {place: 50}", "refused, returns: place")
    world, dossier = a_place(tmp_path, book)
    mayor = world.agent("maire", "mairie/maire")
    pays(world, dossier, part=True)
    world.take(dossier, mayor, "corriger", correction={"surface": "Combien ?"}, reason="À revoir")
    assert corrected(world, dossier, 5).state == "examen", "the part pays all of it"
    assert world.kept(dossier).owed["place"].amount == 10_000
    world.take(dossier, mayor, "refuser", reason="Non")
    assert back(world, dossier) == [("place", 10_000)]
    assert fsck(world.office) == ()


@pytest.mark.parametrize(
    ("surface", "state", "rest"), [(50, "a_corriger", 20_000), (30, "examen", 0), (10, "examen", 0)]
)
def test_a_payment_that_comes_during_a_correction_pays_the_former_price(
    tmp_path: Path, surface: int, state: str, rest: int
) -> None:
    """The payer confirms once the correction was asked: what the new answers add to the price is asked too."""
    world, dossier = a_place(tmp_path, BOOK.replace(", instalments: {most: 3, every: 1 month, opens: first}", ""))
    pays(world, dossier, PAYS_LATE)
    agent, asked = world.agent("maire", "mairie/maire"), {"surface": "Combien ?"}
    world.take(dossier, agent, "corriger", correction=asked, reason="À revoir")
    world.wait(minutes=20)
    reconcile(world.office)
    assert corrected(world, dossier, surface).state == state
    assert left(world, dossier) == rest
    if rest:
        pays(world, dossier)
        sent = intake.send_corrections(world.office, world.owner(dossier), dossier.id, token=new_id())
        assert (sent.state, sent.owed["place"].paid) == ("examen", 50_000)
    assert fsck(world.office) == ()


def test_a_correction_before_any_payment_asks_its_price_once(tmp_path: Path) -> None:
    world, dossier = a_place(tmp_path)
    agent, asked = world.agent("maire", "mairie/maire"), {"surface": "Combien ?"}
    world.take(dossier, agent, "corriger", correction=asked, reason="À revoir")
    assert corrected(world, dossier, 60).state == "a_payer"
    assert left(world, dossier) == 60_000


@pytest.mark.parametrize("book", shipped().procedures.values(), ids=shipped().procedures.keys())
def test_parts_of_works_that_never_begin_are_given_back(book: Procedure) -> None:
    """Parts pay for nothing while the state waits for the last of them: each end that follows gives them back."""
    for fee in (one for one in book.fees() if one.instalments is not None and one.instalments.opens == "last"):
        for move in (one for one in book.transitions if fee.id in book.states[one.source].waits):
            end = book.states[move.target]
            if end.is_end and end.outcome != "granted":
                assert fee.id in {*move.effects.returns, *end.effects.returns}, f"{move.id} keeps {fee.id}"


IN_THREE = BOOK.replace(", opens: first", "")


def days(world: World, dossier: Dossier) -> list[str]:
    """The day of each part that is not paid yet, as it is shown."""
    [account] = fee_accounts(world.office, world.owner(dossier), dossier.id)
    return [f"{part.due:%d.%m}" for part in account.parts if part.due is not None]


def test_a_part_paid_early_takes_no_day_from_the_next(tmp_path: Path) -> None:
    """The third part was announced for February; both others paid at once made it due in a month, or the request ended."""
    world, dossier = a_place(tmp_path, IN_THREE)
    assert days(world, dossier) == ["08.12", "08.01", "08.02"]
    pays(world, dossier, part=True)
    assert days(world, dossier) == ["08.01", "08.02"]
    pays(world, dossier, part=True)
    assert days(world, dossier) == ["08.02"]
    world.wait(days=25)
    run_pass(world.office)
    world.wait(days=25)
    run_pass(world.office)
    assert world.kept(dossier).state == "a_payer"
    pays(world, dossier, part=True)
    assert world.kept(dossier).state == "examen"


def test_a_part_due_at_the_end_of_a_month_is_due_on_the_day_that_was_shown(tmp_path: Path) -> None:
    world, dossier = a_place(tmp_path, IN_THREE.replace("due: 15 days", "due: 69 days"))
    assert days(world, dossier) == ["31.01", "28.02", "28.03"]
    for rest in (["28.02", "28.03"], ["28.03"]):
        pays(world, dossier, part=True)
        assert days(world, dossier) == rest


def test_the_rest_is_due_no_earlier_than_was_shown_before_the_first_part(tmp_path: Path) -> None:
    world, dossier = a_place(tmp_path)
    shown = days(world, dossier)
    assert shown == ["08.12", "23.12", "23.01"]
    pays(world, dossier, part=True)
    assert days(world, dossier) == shown[1:]


def test_a_part_paid_early_is_not_reminded(tmp_path: Path) -> None:
    world, dossier = a_place(tmp_path)
    pays(world, dossier, part=True)
    pays(world, dossier, part=True)
    begun = len(world.letters())
    world.wait(days=25)
    run_pass(world.office)
    world.wait(days=10)
    run_pass(world.office)
    assert "instalment" not in " ".join(world.letters()[begun:]), "the second part is paid"
    world.wait(days=25)
    run_pass(world.office)
    world.wait(days=5)
    run_pass(world.office)
    assert "instalment" in " ".join(world.letters()[begun:]), "the third part is not"
