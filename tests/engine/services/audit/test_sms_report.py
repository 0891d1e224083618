"""Text messages counted once when they leave, priced then, told to those who pay them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.core.values import new_id
from engine.integrations.gateways import NotSent
from engine.records.dossier import SYSTEM_ACTOR, Actor, OutboundMessage
from engine.records.statistics import SmsCount
from engine.services.accounts import agents as people
from engine.services.accounts.agents import Person
from engine.services.audit.sms_report import count_sms, country_of, sms_report
from engine.services.context.app_context import NotFound
from engine.services.worker.worker import deliver_letters
from tests.engine.services.accounts.test_delegation import administrator
from tests.engine.services.world import B3, PHONE, World

PRICES = {"TG": 1250, "other": 6000}


def owe(
    world: World, to: str = PHONE, body: str = "Dossier: prêt.", dossier: str | None = None, channel: str = "sms"
) -> OutboundMessage:
    now, letter_id = world.office.now(), new_id()
    letter = OutboundMessage(letter_id, dossier, channel, to, "", body, now, letter_id, now)  # type: ignore[arg-type]
    with world.office.store.unit(write=True) as unit:
        unit.add_letter(letter)
    return letter


def priced(world: World, **prices: int) -> World:
    world.office = replace(world.office, sms_prices=prices)
    return world


def report(world: World, actor: Actor = SYSTEM_ACTOR, month: str = "") -> tuple[SmsCount, ...]:
    return sms_report(world.office, actor, month)


def agency_administrator(world: World, agency: str) -> Actor:
    person = Person("A. Agence", administers=(agency,))
    return people.add_person(world.office, SYSTEM_ACTOR, "agent", f"of-{agency}", person).account.actor()


def test_segments_are_counted_and_priced_by_country_and_procedure(world: World) -> None:
    priced(world, **PRICES)
    draft = world.draft(B3)
    owe(world, body="a" * 160, dossier=draft.id)
    owe(world, body="a" * 161, dossier=draft.id)
    owe(world, body="ê" * 71, dossier=draft.id)
    owe(world, body="€" * 80)
    owe(world, to="+2290197123456")
    owe(world, to="afi@exemple.tg", channel="email")
    deliver_letters(world.office)
    assert report(world) == (
        SmsCount("2026-11", "", "BJ", 1, 1, 0, 6000),
        SmsCount("2026-11", "", "TG", 1, 1, 0, 1250),
        SmsCount("2026-11", B3, "TG", 3, 5, 0, 6250),
    )


def test_without_a_price_the_segments_are_told_apart(world: World) -> None:
    owe(world)
    deliver_letters(world.office)
    priced(world, TG=1250)
    owe(world, body="a" * 200)
    deliver_letters(world.office)
    assert report(world) == (SmsCount("2026-11", "", "TG", 2, 3, 1, 2500),)


class Refusing:
    def send(self, letter: OutboundMessage) -> None:
        raise NotSent("down")


def test_one_that_did_not_leave_is_not_counted(world: World) -> None:
    down = replace(world.office, senders={**world.office.senders, "sms": Refusing()})
    owe(world)
    deliver_letters(down)
    assert report(world) == ()
    world.wait(minutes=5)
    deliver_letters(world.office)
    assert [one.messages for one in report(world)] == [1]


def test_a_message_handed_over_twice_is_counted_once(world: World) -> None:
    """Two workers had it, as after a lease that ended; and one that was erased with its dossier is in no sum."""
    letter = replace(owe(world), sent_at=world.office.now())
    with world.office.store.unit(write=True) as unit:
        count_sms(world.office, unit, [letter])
        unit.update_outbound_message(letter)
    with world.office.store.unit(write=True) as unit:
        count_sms(world.office, unit, [letter, replace(letter, id="erased")])
    assert [one.messages for one in report(world)] == [1]


def test_the_sum_outlives_the_message(world: World) -> None:
    draft = world.draft(B3)
    owe(world, dossier=draft.id)
    deliver_letters(world.office)
    with world.office.store.unit(write=True) as unit:
        unit.erase_letters(draft.id)
    assert [(one.procedure, one.messages) for one in report(world)] == [(B3, 1)]


def test_each_month_is_its_own(world: World) -> None:
    for _ in range(2):
        owe(world)
        deliver_letters(world.office)
        world.wait(days=10)
    assert [(one.month, one.messages) for one in report(world)] == [("2026-12", 1), ("2026-11", 1)]
    assert [one.month for one in report(world, month="2026-11")] == ["2026-11"]


def test_an_agency_reads_what_its_procedures_cost_and_nobody_else_reads(world: World) -> None:
    owe(world)
    owe(world, dossier=world.draft(B3).id)
    deliver_letters(world.office)
    agency = world.office.catalogue.procedures[B3].identity.agency
    other = next(one for one in world.office.directory.agencies if one != agency)
    assert [one.procedure for one in report(world, administrator(world))] == ["", B3]
    assert [one.procedure for one in report(world, agency_administrator(world, agency))] == [B3]
    assert report(world, agency_administrator(world, other)) == ()
    for actor in (world.applicant(), world.agent("clerk", "dgdn/guichet"), world.auditor()):
        with pytest.raises(NotFound):
            report(world, actor)


@pytest.mark.parametrize(
    ("number", "country"),
    [("+22890112233", "TG"), ("+2290197123456", "BJ"), ("+33612345678", "FR"), ("+999", ""), ("x", "")],
)
def test_a_country_is_that_of_the_prefix(number: str, country: str) -> None:
    assert country_of(number) == country
