"""Somebody comes back to the counter for a request made before: by its number, or with the receipt of who has no telephone."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from engine.core.problems import Refused
from engine.core.values import new_id
from engine.operations.replay import replay
from engine.records.dossier import Actor, Dossier
from engine.services.accounts import assistance
from engine.services.accounts.access_log import readings_of_mine
from engine.services.applications import casework
from engine.services.applications import drafts as intake
from engine.services.appointments import bookings
from engine.services.audit.integrity import checked_journal, fsck
from engine.services.context.app_context import NotFound
from engine.services.sign_in.applicant_sign_in import check_code, send_help_code, send_sending_code
from engine.services.worker.worker import run_pass
from tests import worker
from tests.engine.services.accounts.test_assistance import COUNTER, begun, entries, finished
from tests.engine.services.world import B3, PASSPORT, PHONE, World
from tests.makers import the_directory

OTHER = "+22891223344"
CORRECTED = {"lieu_naissance": "Écrire comme sur l’acte."}


@pytest.fixture
def agent(world: World) -> Actor:
    return world.agent("guichet", COUNTER)


def code_sent(world: World) -> str:
    newest = max(world.read(lambda unit: unit.letters_to(PHONE, 100)), key=lambda letter: letter.created_at)
    found = re.search(r"\d{6}", newest.body)
    assert found, newest.body
    return found[0]


def helped(world: World, agent: Actor) -> Actor:
    """The agent at work for whoever reads the code of this telephone, whatever was sent to it before."""
    world.wait(seconds=1)
    send_help_code(world.office, PHONE)
    assistance.help_by_code(world.office, agent, PHONE, code_sent(world))
    actor = assistance.helping(world.office, agent)
    assert actor is not None
    return actor


def resumed(world: World, agent: Actor, dossier: Dossier) -> tuple[Actor, Dossier]:
    found = assistance.resume_request(world.office, agent, dossier.number)
    actor = assistance.helping(world.office, agent)
    assert actor is not None
    return actor, found


def left_without_a_telephone(world: World, agent: Actor) -> tuple[Dossier, str]:
    """What somebody sent at a counter, and the code of their receipt."""
    assistance.help_on_paper(world.office, agent, "AMEGAN", "Afi", signed=True)
    actor, draft = begun(world, agent)
    sent = finished(world, actor, draft)
    assistance.end_assistance(world.office, agent)
    return sent, assistance.follow_code(world.office, sent)


def corrected(world: World, actor: Actor, dossier: Dossier) -> Dossier:
    saved = intake.save_corrections(world.office, actor, dossier.id, {"lieu_naissance": ["Kloto"]}, token=new_id())
    assert saved.errors == ()
    return intake.send_corrections(world.office, actor, dossier.id, token=new_id())


def test_a_request_sent_from_home_is_corrected_paid_and_visited_at_the_counter(world: World, agent: Actor) -> None:
    sent = world.sent(PASSPORT)
    world.take(sent, world.agent("c", "dgdn/controleur"), "faire_corriger", reason="Voyez", correction=CORRECTED)
    helped(world, agent)
    actor, found = resumed(world, agent, sent)
    assert (found.assisted, found.channel) == ((agent.id,), "web"), "where it was sent is a fact of then"
    told = [one for one in entries(world, sent) if one.kind == "assisted"]
    assert [(one.actor_kind, one.actor, {**one.body, "commits": None}) for one in told] == [
        ("agent", agent.id, {"revision": found.revision, "consent": "code", "channel": "counter", "commits": None})
    ]
    corrected(world, actor, sent)
    world.take(world.kept(sent), world.agent("c", "dgdn/controleur"), "conforme")
    worker.start_payment(
        world.office, actor, sent.id, provider="sandbox", payer="+22890000001", part=False, token=new_id()
    )
    sheet = bookings.slots(world.office, actor, sent.id, "depot")
    slot = sheet.days[0].slots[0]
    done = bookings.book_slot(world.office, actor, sent.id, "depot", slot.office, slot.start, token=new_id())
    assert done.bookings["depot"].status == "booked"
    by = {one.kind: (one.actor_kind, one.actor) for one in entries(world, sent)}
    for kind in ("corrected", "task_done", "booked"):
        assert by[kind] == ("agent", agent.id), kind
    assert checked_journal(world.office, world.owner(sent), sent.id)[1] is None
    assert fsck(world.office) == ()


def test_it_is_noted_once_in_one_help_and_again_in_the_next(world: World, agent: Actor) -> None:
    sent = world.sent(PASSPORT)
    for visits in (1, 2):
        helped(world, agent)
        for _ in range(2):
            resumed(world, agent, sent)
        assert [one.kind for one in entries(world, sent)].count("assisted") == visits
        assert world.kept(sent).assisted == (agent.id,)
        assistance.end_assistance(world.office, agent)
        world.wait(minutes=20)


def test_a_draft_goes_on_at_the_counter(world: World, agent: Actor) -> None:
    draft = world.draft(PASSPORT)
    helped(world, agent)
    actor, found = resumed(world, agent, draft)
    assert (found.is_draft, found.channel, found.assisted) == (True, "counter", (agent.id,))
    assert finished(world, actor, draft).submitted_at is not None


def test_the_receipt_brings_its_request_along(world: World, agent: Actor) -> None:
    sent, code = left_without_a_telephone(world, agent)
    colleague = world.agent("colleague", COUNTER)
    found = assistance.help_by_receipt(world.office, colleague, sent.number, code)
    assert found is not None
    assert found.assisted == (agent.id, colleague.id)
    actor = assistance.helping(world.office, colleague)
    assert actor is not None
    assert actor.dossiers == {sent.id}
    last = entries(world, sent)[-1]
    assert (last.kind, last.actor, last.body["consent"]) == ("assisted", colleague.id, "receipt")  # type: ignore[index]
    assert fsck(world.office) == ()


def test_a_receipt_of_another_agency_opens_nothing_of_theirs(world: World, agent: Actor) -> None:
    """The person is helped all the same, with what this counter receives."""
    sent, code = left_without_a_telephone(world, agent)
    bac = world.agent("bac", "obac/instructeur")
    assert assistance.help_by_receipt(world.office, bac, sent.number, code) is None
    actor = assistance.helping(world.office, bac)
    assert actor is not None
    assert (actor.principal, actor.dossiers) == (sent.owner, frozenset())
    assert world.kept(sent).revision == sent.revision


def test_who_moves_to_another_agency_meanwhile_opens_it_no_more(world: World, agent: Actor) -> None:
    sent = world.sent(PASSPORT)
    helped(world, agent)
    actor, _ = resumed(world, agent, sent)
    assert intake.see(world.office, actor, sent.id)
    moved = assistance.helping(world.office, replace(agent, roles=frozenset({"obac/instructeur"})))
    assert moved is not None
    with pytest.raises(NotFound):
        intake.see(world.office, moved, sent.id)


def unknown(world: World) -> str:
    return "26289316192"


def nonsense(world: World) -> str:
    return "12 34"


def somebody_elses(world: World) -> str:
    return world.sent(PASSPORT, world.applicant(OTHER)).number


def of_another_agency(world: World) -> str:
    return world.sent(B3).number


def given_up(world: World) -> str:
    draft = world.draft(PASSPORT)
    intake.drop_draft(world.office, world.owner(draft), draft.id)
    return draft.number


@pytest.mark.parametrize("which", [unknown, nonsense, somebody_elses, of_another_agency, given_up])
def test_every_other_number_gets_the_same_answer(world: World, agent: Actor, which: Callable[[World], str]) -> None:
    number = which(world)
    helped(world, agent)
    before = world.read(lambda unit: unit.dossier_numbered(number))
    with pytest.raises(Refused) as refused:
        assistance.resume_request(world.office, agent, number)
    assert (refused.value.reason.code, dict(refused.value.reason.facts)) == ("request_unknown", {})
    assert world.read(lambda unit: unit.dossier_numbered(number)) == before
    actor = assistance.helping(world.office, agent)
    assert actor is not None
    assert actor.dossiers == frozenset()


def test_numbers_are_not_tried_one_after_the_other(world: World, agent: Actor) -> None:
    """By one agent; what a colleague tried is nothing to others."""
    theirs, mine = somebody_elses(world), world.sent(PASSPORT)
    helped(world, agent)
    for number in (theirs, *map(str, range(assistance.NUMBERS_TRIED - 2)), mine.number[:-1]):
        with pytest.raises(Refused, match="request_unknown"):
            assistance.resume_request(world.office, agent, number)
    with pytest.raises(Refused, match="too_many_tries"):
        assistance.resume_request(world.office, agent, mine.number)
    colleague = world.agent("colleague", COUNTER)
    world.wait(minutes=1)
    helped(world, colleague)
    assert assistance.resume_request(world.office, colleague, mine.number).id == mine.id


def test_nobody_is_helped_nothing_is_opened(world: World, agent: Actor) -> None:
    sent = world.sent(PASSPORT)
    with pytest.raises(NotFound):
        assistance.resume_request(world.office, agent, sent.number)
    helped(world, agent)
    resumed(world, agent, sent)
    world.clock.advance(timedelta(minutes=16))
    with pytest.raises(NotFound):
        assistance.resume_request(world.office, agent, sent.number)


def test_a_closed_request_is_read_and_nothing_is_written_to_it(world: World, agent: Actor) -> None:
    sent = world.take(world.sent(PASSPORT), world.agent("c", "dgdn/controleur"), "refuser", reason="Faux acte")
    assert sent.closed_at is not None
    told = world.kinds(sent)
    helped(world, agent)
    actor, found = resumed(world, agent, sent)
    assert intake.see(world.office, actor, sent.id) == found == world.kept(sent)
    assert (found.revision, world.kinds(sent)) == (sent.revision, told)
    [read] = [one for one, _ in readings_of_mine(world.office, world.owner(sent)) if one.account == agent.id]
    assert read.role == COUNTER, "its owner sees who opened it, as of any other"


def test_who_helped_one_who_came_back_does_not_judge_what_is_for_another_hand(world: World) -> None:
    both = world.agent("both", COUNTER, "dgdn/controleur")
    sent = world.sent(PASSPORT)
    helped(world, both)
    resumed(world, both, sent)
    closed = {one.transition.id: one.closed for one in casework.offers(world.office, both, sent.id)}
    assert closed["conforme"]
    assert closed["conforme"].code == "assisted"


def test_it_is_lived_again(world: World, agent: Actor) -> None:
    """Corrected at the counter by one who had refused it before: they might then, and their hand stood for the owner's after."""
    both, other = world.agent("both", COUNTER, "dgdn/controleur"), world.agent("c", "dgdn/controleur")
    sent, code = left_without_a_telephone(world, agent)
    world.take(sent, both, "refuser", reason="Faux acte")
    signed, _ = assistance.follow_by_code(world.office, sent.number, code)
    world.take(world.kept(sent), signed.actor, "contester", reason="Il est vrai")
    world.take(world.kept(sent), other, "faire_corriger", reason="Voyez", correction=CORRECTED)
    assistance.help_by_receipt(world.office, both, sent.number, code)
    actor = assistance.helping(world.office, both)
    assert actor is not None
    corrected(world, actor, sent)
    world.take(world.kept(sent), other, "conforme")
    world.wait(days=31)
    run_pass(world.office)
    assert world.kept(sent).state == "abandonne"
    found = replay(world.office, world.office.catalogue.procedures[PASSPORT], the_directory())
    assert (found.played, found.same, found.unfaithful) == (1, 1, ())
    assert fsck(world.office) == ()


def test_the_code_that_sends_begins_no_help_and_says_what_it_does(world: World, agent: Actor) -> None:
    actor = helped(world, agent)
    world.wait(seconds=1)
    send_sending_code(world.office, PHONE)
    code = code_sent(world)
    assert [body for body in world.letters() if code in body and body.startswith("letter.send_code.sms")]
    for opens in (
        lambda: check_code(world.office, PHONE, code),
        lambda: assistance.help_by_code(world.office, world.agent("other", COUNTER), PHONE, code),
    ):
        with pytest.raises(Refused, match="code_expired"):
            opens()
    assistance.confirm_by_code(world.office, actor, code)
    world.wait(minutes=20)
    send_help_code(world.office, PHONE)
    with pytest.raises(Refused, match="code_expired"):
        assistance.confirm_by_code(world.office, actor, code_sent(world))
