"""Where SMS go, as an installation says it; what was kept before these limits goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.core.problems import Refused
from engine.core.values import Text
from engine.domain.common.decision import Decision
from engine.domain.common.sms_policy import HOURS_A_DAY, SmsPolicy
from engine.domain.messages.notifications import notifications_for
from engine.model import Notice, Procedure, Template
from engine.operations.settings import Settings, WrongSetting
from engine.records.dossier import Dossier, OutboundMessage
from engine.services.core import commit as carrying
from engine.services.limits import code_limits
from engine.services.limits.code_limits import TYPED_TO_ONE, Asker, new_numbers, why_no_letter
from engine.services.sign_in.applicant_sign_in import applicant_known_by, send_code
from engine.services.worker.worker import deliver_letters
from tests.engine.services.world import PASSPORT, PHONE, World

PARIS = "+33612345678"
PREMIUM = "+22709123456"


def written(world: World, to: str, number: int = 1) -> None:
    now = world.office.now()
    with world.office.store.unit(write=True) as unit:
        unit.add_letter(OutboundMessage(f"l{number}", None, "sms", to, "", "Bonjour", now, f"l{number}", now))


def outcome(world: World, to: str) -> tuple[bool, str | None]:
    with world.office.store.unit() as unit:
        [letter] = unit.letters_to(to)
    return letter.sent_at is not None, letter.failed


def test_no_letter_leaves_to_where_no_sms_goes(world: World) -> None:
    receivers = ("+x@exemple.tg", "+22890112233/1@exemple.tg", PHONE, PARIS, PREMIUM)
    for number, to in enumerate(receivers):
        written(world, to, number)
    assert deliver_letters(world.office) == 1, "one that is no number holds back no other"
    assert [outcome(world, to) for to in receivers] == [
        (False, "sms_kind"),
        (False, "sms_kind"),
        (True, None),
        (False, "sms_country"),
        (False, "sms_kind"),
    ]


def test_who_signed_in_before_from_elsewhere_goes_on(world: World) -> None:
    """A number abroad that was served by an earlier release, or before a country was taken out."""
    abroad = world.applicant(PARIS)
    assert why_no_letter(world.office, PARIS) == "sms_country", (
        "an account alone is not enough: an invitation makes one"
    )
    with pytest.raises(Refused, match="sms_country"):
        send_code(world.office, PARIS)
    world.sent(owner=abroad)
    assert why_no_letter(world.office, PARIS) == ""
    assert send_code(world.office, PARIS).phone == PARIS


def test_the_countries_are_those_of_the_installation(world: World) -> None:
    office = replace(world.office, settings=replace(world.office.settings, sms=SmsPolicy(("FR",))))
    assert send_code(office, PARIS).phone == PARIS
    with pytest.raises(Refused, match="sms_country"):
        send_code(office, PHONE)


def test_the_settings() -> None:
    assert Settings.from_environment({}).sms == SmsPolicy()
    said = {"GUICHET_SMS_COUNTRIES": "tg, FR", "GUICHET_SMS_NEW_AN_HOUR": "500"}
    assert Settings.from_environment(said).sms == SmsPolicy(("TG", "FR"), 500)
    for wrong in (
        {"GUICHET_SMS_COUNTRIES": "TG,XX"},
        {"GUICHET_SMS_NEW_AN_HOUR": "-1"},
        {"GUICHET_SMS_NEW_AN_HOUR": "0"},
    ):
        with pytest.raises(WrongSetting):
            Settings.from_environment(wrong)


def asked(world: World, client: str, phone: str) -> str:
    try:
        send_code(world.office, phone, asker=Asker(client))
    except Refused as closed:
        return closed.reason.code
    return "sent"


@pytest.mark.parametrize("clients", [("196.170.0.1",), ("2001:db8:1:2::/64", "2001:db8:1:3::/64")])
def test_one_network_leaves_half_of_each_limit_on_new_numbers_to_the_others(
    world: World, clients: tuple[str, ...]
) -> None:
    """At home and abroad, in an hour and in a day: it stopped a country abroad within minutes."""
    world.office = replace(world.office, settings=replace(world.office.settings, sms=SmsPolicy(new_an_hour=40)))
    turns = [(client, n) for n in range(15) for client in clients]
    abroad = [asked(world, client, f"+229019512{n:02d}{i:02d}") for i, (client, n) in enumerate(turns)]
    assert abroad == ["sent"] * 2 + ["too_many_tries"] * (len(turns) - 2), "half of a tenth"
    assert asked(world, "196.170.9.9", "+2290195129999") == "sent"
    sent = 0
    for hour in range(15):
        sent += sum(asked(world, clients[-1], f"+228901{hour:02d}{n:03d}") == "sent" for n in range(25))
        assert asked(world, "196.170.9.9", f"+228902{hour:02d}000") == "sent", "the others get theirs, all day"
        world.wait(hours=1, minutes=5)
    assert sent <= 40 * HOURS_A_DAY // 2


TYPED = "+22891020304"  # the example of the answer that the notice below is sent to


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A procedure may send a message to a number or an e-mail address that is an answer."""
    text = Template(Text.of("Une demande est faite."), frozenset())

    def with_a_notice(
        procedure: Procedure, before: Dossier, decision: Decision, *rest: Any
    ) -> tuple[OutboundMessage, ...]:
        state = decision.dossier.state
        notices = (
            Notice(id="typed", event=state, to="prevenir_telephone", sms=text),
            Notice(id="mailed", event=state, to="email", email_body=text),
        )
        return notifications_for(replace(procedure, notices=notices), before, decision, *rest)

    monkeypatch.setattr(carrying, "notifications_for", with_a_notice)


def outcomes_of(world: World, to: str = TYPED) -> list[str | None]:
    said = world.read(lambda unit: unit.letters_to(to, 100))
    return [letter.failed for letter in reversed(said) if letter.body == "Une demande est faite."]


@pytest.mark.usefixtures("told")
def test_a_message_to_a_number_that_the_applicant_typed_is_counted_as_a_code_to_it(world: World) -> None:
    """At the bound such a message does not leave."""
    world.office = replace(world.office, settings=replace(world.office.settings, sms=SmsPolicy(new_an_hour=1)))
    for owner, outcomes in ((PHONE, [None]), ("+22891223344", [None, "codes_paused"])):
        world.sent(PASSPORT, world.applicant(owner))
        assert outcomes_of(world) == outcomes
        with world.office.store.unit() as unit:
            assert new_numbers(world.office.settings.sms, unit, world.office.now())["all"] == (1, 1)


@pytest.mark.usefixtures("told")
def test_the_requests_of_one_person_send_few_messages_to_a_number_that_signed_in_before(world: World) -> None:
    """It is under no limit of new numbers: one person rang it as often as they could make requests."""
    world.sent(owner=world.applicant(TYPED))
    for _ in range(TYPED_TO_ONE + 2):
        world.sent(PASSPORT)
    assert outcomes_of(world) == [None] * TYPED_TO_ONE + ["too_many_tries"] * 2
    world.sent(PASSPORT, world.applicant("+22891223344"))
    assert outcomes_of(world)[-1] is None, "the messages of other people leave"
    world.wait(days=1, hours=2)
    world.sent(PASSPORT)
    assert outcomes_of(world)[-1] is None


@pytest.mark.usefixtures("told")
def test_nor_do_accounts_that_cost_nothing_together(world: World) -> None:
    world.sent(owner=world.applicant(TYPED))
    for turn in range(TYPED_TO_ONE + 1):
        with world.office.store.unit(write=True) as unit:
            free = applicant_known_by(unit, "email", f"x{turn}@exemple.tg", world.office.now())
        world.people[free.id] = free.actor()
        world.sent(PASSPORT, free.actor())
    assert outcomes_of(world) == [None] * TYPED_TO_ONE + ["too_many_tries"]
    world.sent(PASSPORT)
    assert outcomes_of(world)[-1] is None, "who proved a telephone is counted apart"


@pytest.mark.usefixtures("told")
def test_accounts_that_cost_nothing_leave_half_of_the_messages_to_new_numbers(world: World) -> None:
    world.office = replace(world.office, settings=replace(world.office.settings, sms=SmsPolicy(new_an_hour=4)))
    numbers = [f"+2289102030{n}" for n in range(4)]
    for turn, number in enumerate(numbers[:3]):
        with world.office.store.unit(write=True) as unit:
            free = applicant_known_by(unit, "email", f"x{turn}@exemple.tg", world.office.now())
        world.people[free.id] = free.actor()
        world.sent(PASSPORT, free.actor(), prevenir_telephone=number)
    assert [outcomes_of(world, one) for one in numbers[:3]] == [[None], [None], ["too_many_tries"]]
    world.sent(PASSPORT, prevenir_telephone=numbers[3])
    assert outcomes_of(world, numbers[3]) == [None], "who proved a telephone still has theirs"


@pytest.mark.usefixtures("told")
def test_nor_do_the_requests_of_one_person_write_much_to_an_address_that_is_not_theirs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_limits, "MAILED_TO_ONE", 2)
    for typed in ("koffi@exemple.tg", "Koffi@exemple.tg", "koffi@exemple.tg"):
        world.sent(PASSPORT, email=typed)
    assert outcomes_of(world, "koffi@exemple.tg") == [None, "too_many_tries"]
    with world.office.store.unit(write=True) as unit:
        koffi = applicant_known_by(unit, "email", "koffi@exemple.tg", world.office.now())
    world.people[koffi.id] = koffi.actor()
    for _ in range(3):
        world.sent(PASSPORT, koffi.actor(), email="koffi@exemple.tg")
    said = world.read(lambda unit: unit.letters_to("koffi@exemple.tg", 3))
    assert [letter.failed for letter in said] == [None] * 3, "their own address is not counted"


def test_a_whole_block_of_ipv6_has_the_limits_of_one_address(world: World) -> None:
    """One customer may have a /48: with 65,536 networks of it, each new to the server, links had no limit."""
    accepted = 0
    for n in range(700):
        asker = Asker(client=f"2001:db8:77:{n:x}::/64")
        with world.office.store.unit(write=True) as unit:
            accepted += (
                code_limits.refuse_link(world.office, unit, world.office.now(), f"a{n}@example.org", asker) is None
            )
    assert accepted == 600
    with world.office.store.unit(write=True) as unit:
        other = Asker(client="2001:db8:78::/64")
        assert code_limits.refuse_link(world.office, unit, world.office.now(), "b@example.org", other) is None
