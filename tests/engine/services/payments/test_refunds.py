"""Money that goes back: once, and never more than came in, however many states and acts give it back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.core.values import new_id
from engine.domain.common.decision import Act
from engine.language.catalogue.catalogue import Catalogue
from engine.model import Procedure
from engine.operations.migration import migrate
from engine.records.dossier import Actor, Dossier
from engine.services.applications import corrections
from engine.services.applications.casework import preview_transition
from engine.services.audit.integrity import fsck
from engine.services.context.app_context import AppContext
from engine.services.core.fee_accounts import fee_accounts
from engine.services.core.journalling import surplus
from engine.services.payments.payments import see_payment
from engine.services.payments.refunds import owed_back, pay_back, refunds_to_pay
from engine.services.payments.settlement import check_payment
from engine.services.worker.worker import run_timers, sweep
from engine.storage.unit_of_work import Store
from tests import worker
from tests.engine.services import world as worlds
from tests.engine.services.editions import publish
from tests.engine.services.world import ROOT, World, a_world
from tests.makers import compiled, the_shared
from tests.postgres import an_empty_store

HALL = (ROOT / "tests/good/deposit.yaml").read_text("utf-8")
TWICE = HALL.replace("abime: {label:", "abime: {returns: caution, label:")
TWICE_DEBITED = "+22890000006"
OTHER_WALLET = "+22896000001"


def paid(
    folder: Path, patch: pytest.MonkeyPatch, book: str, payer: str = "+22890000001", store: Store | None = None
) -> tuple[World, Dossier]:
    """A hall whose deposit and price were paid."""
    world, dossier = hall(folder, patch, book, store)
    return world, world.paid(dossier, payer)


def hall(
    folder: Path, patch: pytest.MonkeyPatch, book: str, store: Store | None = None
) -> tuple[World, Dossier]:  # fmt: skip
    """A hall asked for, nothing paid yet."""
    patch.setattr(worlds, "shipped", lambda: Catalogue.of([compiled(book, "deposit.yaml")], the_shared()))
    world = a_world(folder, store)
    return world, world.sent("deposit", surface=10, etat=False, etudiant=False)


def back(world: World, dossier: Dossier) -> dict[str, tuple[int, int]]:
    """What of each price came in and went back."""
    accounts = fee_accounts(world.office, world.owner(dossier), dossier.id)
    return {one.fee: (one.paid, one.returned) for one in accounts}


@pytest.mark.parametrize(
    ("book", "act", "francs"), [(HALL, "degrader", 10_000), (HALL, "rendre", 20_000), (TWICE, "degrader", 20_000)]
)
def test_an_act_and_the_state_it_leads_to_give_back_no_more_than_was_paid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, book: str, act: str, francs: int
) -> None:
    world, dossier = paid(tmp_path, monkeypatch, book)
    agent = world.agent("i", "obac/instructeur")
    foreseen = preview_transition(world.office, agent, dossier.id, Act(act)).back
    assert sum(amount for _, _, amount in foreseen) == francs, "what is shown before is what happens"
    after = world.take(dossier, agent, act)
    assert back(world, after) == {"caution": (20_000, francs), "taxe": (10_000, 0)}
    assert fsck(world.office) == ()


CONTESTED = HALL.replace(
    "abime: {label: 'Terminé, caution retenue en partie', end: granted}",
    """abime:
      label: 'Terminé, caution retenue en partie'
      end: granted
      transitions: {contester: {label: Contester, by: applicant, to: occupation, within: 2 months}}""",
)


@pytest.mark.parametrize("by", ["act", "state"])
def test_a_decision_that_is_contested_and_taken_again_gives_its_part_back_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    book = CONTESTED
    if by == "state":
        book = book.replace("to: abime, returns: {caution: 50}}", "to: abime}")
        book = book.replace(
            "end: granted\n      transitions", "end: granted\n      returns: {caution: 50}\n      transitions"
        )
    world, dossier = paid(tmp_path, monkeypatch, book)
    agent = world.agent("i", "obac/instructeur")
    for _ in range(2):
        dossier = world.take(dossier, agent, "degrader")
        assert back(world, dossier)["caution"] == (20_000, 10_000)
        dossier = world.take(dossier, world.owner(dossier), "contester")
    assert preview_transition(world.office, agent, dossier.id, Act("degrader")).back == ()
    dossier = world.take(dossier, agent, "rendre")
    assert back(world, dossier)["caution"] == (20_000, 20_000), "another decision gives back what is left"
    assert fsck(world.office) == ()


def test_what_came_in_over_the_price_goes_back_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator took the whole twice: the surplus is told with the payment, the deposit with its price."""
    book = HALL.replace("returns: caution}", "returns: [caution, taxe]}")
    world, dossier = paid(tmp_path, monkeypatch, book, TWICE_DEBITED)
    over = sum(surplus(world.read(lambda unit: unit.entries(dossier.id))).values())
    assert over == 30_000
    after = world.take(dossier, world.agent("i", "obac/instructeur"), "rendre")
    assert sum(returned for _, returned in back(world, after).values()) == 30_000, "60 000 came in, 60 000 go back"
    assert fsck(world.office) == ()


IN_PARTS = HALL.replace("deposit: true,", "deposit: true, instalments: {most: 2, every: 1 month},")
BOTH = IN_PARTS.replace("returns: caution}", "returns: [caution, taxe]}")
IN_PARTS_TWICE = IN_PARTS.replace("abime: {label:", "abime: {returns: caution, label:")
FATHER, AUNT = "+22890000001", "+22890123456"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize(
    ("book", "payers", "act", "owed"),
    [
        (IN_PARTS, (FATHER, AUNT), "rendre", {("caution", AUNT): [10_000], ("caution", FATHER): [10_000]}),
        (IN_PARTS, (FATHER, AUNT), "degrader", {("caution", AUNT): [10_000]}),  # the last payment goes back first
        (IN_PARTS, (FATHER, FATHER), "rendre", {("caution", FATHER): [20_000]}),  # one sum a payer
        (BOTH, (FATHER, AUNT), "rendre",
         {("caution", AUNT): [10_000], ("caution", FATHER): [10_000], ("taxe", FATHER): [10_000]}),
        (IN_PARTS_TWICE, (FATHER, AUNT), "degrader", {("caution", AUNT): [10_000], ("caution", FATHER): [10_000]}),
    ],
    ids=["all of it", "half of it", "one payer twice", "two prices", "by the act, then by the state"],
)  # fmt: skip
def test_each_payer_is_owed_what_they_paid(
    book: str, payers: tuple[str, str], act: str, owed: dict[tuple[str, str], list[int]], kind: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    world, dossier = hall(tmp_path, monkeypatch, book, an_empty_store() if kind == "postgresql" else None)
    for payer in payers:  # 20 000 with the whole price of the place, then the other half of the deposit
        owner = world.owner(dossier)
        asked = worker.start_payment(world.office, owner, dossier.id, provider="sandbox", payer=payer, part=True)
        if asked.status == "pending":  # on the operator's own page
            world.operator.confirm(asked.reference, "0000")
            check_payment(world.office, asked.id)
    dossier = world.kept(dossier)
    agent = world.agent("i", "obac/instructeur")
    foreseen = preview_transition(world.office, agent, dossier.id, Act(act)).back
    after = world.take(dossier, agent, act)
    lines = [one.refund for one in owed_back(world.office, agent, dossier.id)]
    found: dict[tuple[str, str], list[int]] = {}
    for one in lines:
        found.setdefault((str(one.fee), one.payer), []).append(one.amount)
    assert found == owed
    assert sum(one.amount for one in lines) == sum(francs for _, _, francs in foreseen)
    assert sum(returned for _, returned in back(world, after).values()) == sum(one.amount for one in lines)
    for one in lines:
        pay_back(world.office, agent, dossier.id, one.entry, f"OM {one.entry} 4471")
    assert fsck(world.office) == ()
    assert surplus(world.read(lambda unit: unit.entries(dossier.id))) == {}


def test_a_part_collected_twice_is_owed_back_and_pays_no_other_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The payer chose the first part. The receipt says what was ordered, so the rest of the money goes back."""
    world, dossier = hall(tmp_path, monkeypatch, IN_PARTS)
    owner = world.owner(dossier)
    left = sum(one.left for one in dossier.owed.values())
    asked = worker.start_payment(world.office, owner, dossier.id, provider="sandbox", payer=TWICE_DEBITED, part=True)
    paid = check_payment(world.office, asked.id)
    assert (paid.status, paid.amount) == ("overpaid", 20_000)
    assert sum(one.left for one in world.kept(dossier).owed.values()) == left - 20_000
    assert [one.refund.amount for one in owed_back(world.office, owner, dossier.id)] == [20_000]
    assert fsck(world.office) == ()
    world.paid(world.kept(dossier), FATHER)
    assert fsck(world.office) == ()


REOPENED = HALL.replace(
    "late: abandonne, basis: loi}",
    "late: abandonne, basis: loi, transitions: {retirer: {label: Retirer, by: applicant, to: retire}}}",
).replace(
    "    abandonne: {label: Sans suite, end: abandoned}",
    """    abandonne: {label: Sans suite, end: abandoned}
    retire:
      label: Retirée
      end: withdrawn
      transitions:
        reprendre: {label: Reprendre, by: applicant, to: a_payer, within: 1 month, basis: loi}""",
)


def test_money_for_a_closed_dossier_is_owed_back_and_pays_nothing_when_it_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, dossier = hall(tmp_path, monkeypatch, REOPENED)
    owner, agent = world.owner(dossier), world.agent("i", "obac/instructeur")
    asked = worker.start_payment(world.office, owner, dossier.id, provider="sandbox", payer=AUNT)
    dossier = world.take(dossier, owner, "retirer")
    world.operator.confirm(asked.reference, "0000")
    assert check_payment(world.office, asked.id).status == "overpaid"
    assert [one.refund.amount for one in owed_back(world.office, owner, dossier.id)] == [30_000]
    dossier = world.take(world.kept(dossier), owner, "reprendre")
    assert dossier.state == "a_payer", "what goes back has paid nothing"
    dossier = world.paid(dossier)
    assert dossier.state == "occupation"
    world.take(dossier, agent, "rendre")
    found = {
        (one.refund.fee, one.refund.payer): one.refund.amount for one in owed_back(world.office, owner, dossier.id)
    }
    assert found == {(None, AUNT): 30_000, ("caution", FATHER): 20_000}, "60 000 came in, the tax stays"
    assert fsck(world.office) == ()


AGAIN = (
    HALL.replace(
        "degrader: {label: Lieu rendu abîmé, to: abime, returns: {caution: 50}}",
        "agrandir: {label: Autre lieu, to: a_payer, reopens: [caution, taxe], returns: [caution, taxe]}",
    )
    .replace("{take: degrader, then: abime}", "{take: agrandir, then: a_payer}")
    .replace("    abime: {label: 'Terminé, caution retenue en partie', end: granted}\n", "")
)


def test_an_act_that_asks_a_fee_again_may_keep_the_former_price(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = AGAIN.replace("returns: [caution, taxe]}", "returns: {caution: 0, taxe: 0}}")
    world, dossier = hall(tmp_path, monkeypatch, kept)
    dossier = world.take(world.paid(dossier, FATHER), world.agent("i", "obac/instructeur"), "agrandir")
    assert dossier.state == "a_payer"
    assert owed_back(world.office, world.owner(dossier), dossier.id) == ()
    assert fsck(world.office) == ()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_an_act_that_asks_a_fee_again_gives_back_the_former_price(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, dossier = hall(tmp_path, monkeypatch, AGAIN, an_empty_store() if kind == "postgresql" else None)
    owner, agent = world.owner(dossier), world.agent("i", "obac/instructeur")
    dossier = world.paid(dossier, FATHER)
    foreseen = preview_transition(world.office, agent, dossier.id, Act("agrandir")).back
    assert {fee: francs for fee, _, francs in foreseen} == {"caution": 20_000, "taxe": 10_000}
    dossier = world.take(dossier, agent, "agrandir")
    assert dossier.state == "a_payer"

    def owed() -> list[tuple[str | None, str, int]]:
        return [
            (one.refund.fee, one.refund.payer, one.refund.amount) for one in owed_back(world.office, owner, dossier.id)
        ]

    first = [("caution", FATHER, 20_000), ("taxe", FATHER, 10_000)]
    assert owed() == first
    dossier = world.paid(dossier, OTHER_WALLET)
    assert dossier.state == "occupation"
    world.take(dossier, agent, "rendre")
    assert owed() == [*first, ("caution", OTHER_WALLET, 20_000)], "the second deposit goes back whole too"
    assert fsck(world.office) == ()


KEPT_OPEN = (
    HALL.replace("to: abime, returns", "to: occupation, returns")
    .replace("then: abime}", "then: occupation}")
    .replace("    abime: {label: 'Terminé, caution retenue en partie', end: granted}\n", "")
)
TO_GUARANTEE = (
    ("caution:", "garantie:"),
    ("[caution,", "[garantie,"),
    (" caution}", " garantie}"),
    ("{caution", "{garantie"),
)
SWAPPED = (("caution", "@"), ("taxe", "caution"), ("@", "taxe"))


def next_edition(number: int, moves: str, *renames: tuple[str, str]) -> Procedure:
    """A later edition of the hall under other names."""
    text = KEPT_OPEN.replace("edition: 1", f"edition: {number}")
    for old, new in renames:
        text = text.replace(old, new)
    return compiled(text.replace("scenarios:", f"migrate:\n{moves}\nscenarios:"), "deposit.yaml")


GUARANTEE = (next_edition(2, "  1: {caution: garantie}", *TO_GUARANTEE),)
FEES_SWAPPED = (next_edition(2, "  1: {caution: taxe, taxe: caution}", *SWAPPED),)
THREE = (*GUARANTEE, next_edition(3, "  2: {garantie: caution}"))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize(
    ("later", "deposit"),
    [(GUARANTEE, "garantie"), (FEES_SWAPPED, "taxe"), (THREE, "caution")],
    ids=["one", "swapped", "back"],
)
def test_a_fee_under_another_name_goes_back_once_to_who_paid_it(
    later: tuple[Procedure, ...], deposit: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of a deposit goes back under its first name, the rest under the name of a later edition."""
    world, dossier = hall(tmp_path, monkeypatch, KEPT_OPEN, an_empty_store() if kind == "postgresql" else None)
    agent = world.agent("i", "obac/instructeur")
    dossier = world.paid(dossier, OTHER_WALLET)
    dossier = world.take(dossier, agent, "degrader")
    for book in later:
        publish(world, book)
        assert len(migrate(world.office, "deposit", book.edition).moved) == 1
    foreseen = preview_transition(world.office, agent, dossier.id, Act("rendre")).back
    assert foreseen == ((deposit, 100, 10_000),)
    after = world.take(world.kept(dossier), agent, "rendre")
    lines = [one.refund for one in owed_back(world.office, agent, dossier.id)]
    assert [(one.payer, one.amount) for one in lines] == [(OTHER_WALLET, 10_000), (OTHER_WALLET, 10_000)]
    assert back(world, after)[deposit] == (20_000, 20_000)
    assert fsck(world.office) == ()


def test_a_receipt_names_its_fees_as_the_dossier_does_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world, dossier = hall(tmp_path, monkeypatch, KEPT_OPEN)
    owner = world.owner(dossier)
    asked = worker.start_payment(world.office, owner, dossier.id, provider="sandbox", payer=FATHER)
    publish(world, GUARANTEE[0])
    assert len(migrate(world.office, "deposit", 2).moved) == 1
    assert see_payment(world.office, owner, dossier.id, asked.id).fees == ("garantie", "taxe")


def test_money_told_of_after_a_migration_pays_the_fee_under_its_new_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator reported a failure, and days later that it collected."""
    world, dossier = hall(tmp_path, monkeypatch, KEPT_OPEN)
    owner = world.owner(dossier)
    asked = worker.start_payment(world.office, owner, dossier.id, provider="sandbox", payer="+22890000003")
    assert asked.status == "failed"
    world.wait(days=2)
    publish(world, GUARANTEE[0])
    assert len(migrate(world.office, "deposit", 2).moved) == 1
    with world.operator._ledger() as rows:
        (body,) = rows.execute("SELECT body FROM orders").fetchone()
        rows.execute("UPDATE orders SET body = ?", (body.replace('"ended": "failed"', '"ended": "paid"'),))
    told = world.operator.callback(asked.reference)
    assert told is not None
    worker.record_callback(world.office, "sandbox", *told)
    assert world.kept(dossier).state == "occupation"
    assert owed_back(world.office, owner, dossier.id) == ()
    assert fsck(world.office) == ()


SOON_ERASED = HALL.replace("le langage}", "le langage, keep: {abandoned: 7 days}}").replace(
    "due: 15 days", "due: 1 day"
)


@pytest.mark.parametrize("erase", [run_timers, sweep], ids=["by its timer", "by the sweep"])
def test_no_payer_is_erased_while_the_operator_may_still_collect(
    erase: Callable[[AppContext], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order has no answer for two weeks, the dossier is kept for one."""
    world, dossier = hall(tmp_path, monkeypatch, SOON_ERASED)
    owner, agent = world.owner(dossier), world.agent("i", "obac/instructeur")
    asked = worker.start_payment(world.office, owner, dossier.id, provider="sandbox", payer=AUNT)
    world.wait(days=2)
    run_timers(world.office)
    assert world.kept(dossier).state == "abandonne"
    world.wait(days=14)
    erase(world.office)
    assert world.kept(dossier).erased_at is None
    with world.operator._ledger() as rows:  # the operator says late that it collected in time
        (body,) = rows.execute("SELECT body FROM orders").fetchone()
        rows.execute("UPDATE orders SET body = ?", (body.replace('"ended": null', '"ended": "paid"'),))
    check_payment(world.office, asked.id)
    world.wait(days=1)
    erase(world.office)
    assert world.kept(dossier).erased_at is not None, "nothing more can come"
    (line,) = refunds_to_pay(world.office, agent).lines
    assert (line.refund.amount, line.refund.payer) == (30_000, AUNT)
    assert fsck(world.office) == ()


def test_an_order_that_is_not_asked_about_any_more_holds_no_erasure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, dossier = hall(tmp_path, monkeypatch, SOON_ERASED)
    worker.start_payment(world.office, world.owner(dossier), dossier.id, provider="sandbox", payer=AUNT)
    world.wait(days=2)
    run_timers(world.office)
    world.wait(days=29)
    run_timers(world.office)
    assert world.kept(dossier).erased_at is not None


PART_AGAIN = IN_PARTS.replace(
    "late: abandonne, basis: loi}",
    "late: abandonne, basis: loi, transitions: {agrandir: {label: Autre lieu, by: applicant, to: a_payer,"
    " reopens: [caution], returns: caution}}}",
)


def test_a_fee_paid_in_part_and_asked_again_starts_from_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, dossier = hall(tmp_path, monkeypatch, PART_AGAIN)
    owner, agent = world.owner(dossier), world.agent("i", "obac/instructeur")
    worker.start_payment(world.office, owner, dossier.id, provider="sandbox", payer=FATHER, part=True)
    dossier = world.take(world.kept(dossier), owner, "agrandir")
    assert back(world, dossier) == {"caution": (0, 10_000), "taxe": (10_000, 0)}
    dossier = world.paid(dossier, OTHER_WALLET)
    assert dossier.state == "occupation"
    assert fsck(world.office) == ()
    world.take(dossier, agent, "rendre")
    found = [(one.refund.payer, one.refund.amount) for one in owed_back(world.office, owner, dossier.id)]
    assert found == [(FATHER, 10_000), (OTHER_WALLET, 20_000)]
    assert fsck(world.office) == ()


FREE_ONCE = (
    HALL.replace(
        "        degrader:",
        "        changer: {label: Autre lieu, to: a_payer, reopens: [taxe], returns: taxe}\n"
        "        corriger: {label: Faire corriger, to: a_corriger, asks: [correction, reason]}\n"
        "        degrader:",
    )
    .replace(
        "    termine: ",
        "    a_corriger: {label: À corriger, correct: requested, due: 30 days, then: occupation, late: abandonne, basis: loi}\n"
        "    termine: ",
    )
    .replace("returns: caution}", "returns: [caution, taxe]}")
)


def test_a_fee_that_was_free_when_asked_again_starts_from_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, dossier = hall(tmp_path, monkeypatch, FREE_ONCE)
    owner, agent = world.owner(dossier), world.agent("i", "obac/instructeur")
    dossier = world.paid(dossier, FATHER)
    corrected(world, dossier, agent, etat="oui")
    dossier = world.take(world.kept(dossier), agent, "changer")
    assert (dossier.state, back(world, dossier)["taxe"]) == ("occupation", (0, 10_000))
    assert fsck(world.office) == ()
    corrected(world, dossier, agent, etat="non")
    dossier = world.paid(dossier, OTHER_WALLET)
    corrections.send_corrections(world.office, owner, dossier.id, token=new_id())
    dossier = world.take(world.kept(dossier), agent, "rendre")
    found = {
        (one.refund.fee, one.refund.payer, one.refund.amount) for one in owed_back(world.office, owner, dossier.id)
    }
    assert found == {
        ("taxe", FATHER, 10_000), ("caution", FATHER, 20_000), ("taxe", OTHER_WALLET, 10_000)
    }, "the second tax goes back too"  # fmt: skip
    assert fsck(world.office) == ()


def corrected(world: World, dossier: Dossier, agent: Actor, **raw: str) -> None:
    """One answer is corrected, and sent if nothing is to pay."""
    world.take(dossier, agent, "corriger", correction=dict.fromkeys(raw, "Vérifiez"), reason="Vérifiez")
    owner, posted = world.owner(dossier), {name: [value] for name, value in raw.items()}
    saved = corrections.save_corrections(world.office, owner, dossier.id, posted, token=new_id())
    assert not saved.errors
    corrections.send_corrections(world.office, owner, dossier.id, token=new_id())
