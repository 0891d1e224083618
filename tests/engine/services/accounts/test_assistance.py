"""The counter: an agent fills in for a person who is there, on their word alone, until it is over."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from engine.core.problems import Refused
from engine.core.values import new_id
from engine.domain.forms.sample_answers import example_answers
from engine.journal.chain import JournalEntry
from engine.records.dossier import Actor, Dossier
from engine.services.accounts import assistance
from engine.services.accounts.applicant_account import erase_own
from engine.services.accounts.assistance import received_by
from engine.services.applications import casework
from engine.services.applications import drafts as intake
from engine.services.applications.draft_answers import keep_answers
from engine.services.context.app_context import NotFound
from engine.services.limits.guesses import with_account
from engine.services.payments.payments import cash_due, take_cash
from engine.services.sign_in.applicant_sign_in import check_code, send_help_code
from tests.engine.services.world import PASSPORT, PHONE, World, _without_files, pdf

COUNTER = "dgdn/guichet"


def code_sent(world: World, to: str = PHONE) -> str:
    with world.office.store.unit() as unit:
        said = max(unit.letters_to(to), key=lambda letter: letter.created_at).body
    found = re.search(r"\d{6}", said)
    assert found, said
    return found[0]


def helped(world: World, agent: Actor) -> Actor:
    """The agent at work for whoever reads the code of this telephone."""
    send_help_code(world.office, PHONE)
    assistance.help_by_code(world.office, agent, PHONE, code_sent(world))
    actor = assistance.helping(world.office, agent)
    assert actor is not None
    return actor


def begun(world: World, agent: Actor, procedure: str = PASSPORT) -> tuple[Actor, Dossier]:
    book = world.office.catalogue.procedures[procedure]
    answers = example_answers(book, {}, world.office.day(), world.office.directory)
    dossier = assistance.begin_request(world.office, agent, procedure, answers, "fr", new_id())
    actor = assistance.helping(world.office, agent)
    assert actor is not None
    kept = {name: _without_files(answer) for name, answer in {**dossier.answers, **answers}.items()}
    with world.office.store.unit(write=True) as unit:
        return actor, keep_answers(world.office, unit, dossier, replace(dossier, answers=kept), "saved", actor)


def finished(world: World, actor: Actor, dossier: Dossier) -> Dossier:
    for problem in intake.check(world.office, actor, dossier.id).errors:
        attached = intake.attach(world.office, actor, dossier.id, problem.at, intake.Upload("acte.pdf", pdf()))
        assert attached.problem is None, attached.problem
    return intake.submit(world.office, actor, dossier.id, declared=True, confirmed="paper", token=new_id())


def entries(world: World, dossier: Dossier) -> tuple[JournalEntry, ...]:
    return world.read(lambda unit: unit.entries(dossier.id))


def test_a_request_filled_in_with_somebody_is_theirs_and_says_who_helped(world: World) -> None:
    agent = world.agent("guichet", COUNTER)
    helped(world, agent)
    actor, dossier = begun(world, agent)
    sent = finished(world, actor, dossier)
    person = world.read(lambda unit: unit.account_of("applicant", PHONE))
    assert person
    assert sent.owner == person.id
    assert sent.contact_phone == PHONE
    assert (sent.channel, sent.assisted) == ("counter", (agent.id,))
    told = [(one.kind, one.actor_kind, one.actor) for one in entries(world, sent)]
    assert ("assisted", "agent", agent.id) in told
    assert ("declared_aloud", "agent", agent.id) in told
    assert ("submitted", "agent", agent.id) in told
    assert intake.see(world.office, person.actor(), sent.id).number == sent.number, "the person goes on by themself"


def test_only_who_meets_people_of_that_agency_may_help(world: World) -> None:
    for role in ("dgdn/production", "sncja/greffier_en_chef", "mairie/maire"):
        agent = world.agent(role, role)
        assert PASSPORT not in assistance.received_by(world.office, agent), role
    assert PASSPORT in assistance.received_by(world.office, world.agent("g", COUNTER))
    elsewhere = world.agent("h", COUNTER, offices=("mairie_lome",))
    assert not assistance.received_by(world.office, elsewhere), "no office of the agency"
    send_help_code(world.office, PHONE)
    with pytest.raises(Refused, match="role"):
        assistance.help_by_code(world.office, world.agent("p", "dgdn/production"), PHONE, code_sent(world))


def test_the_code_read_aloud_opens_nothing_else(world: World) -> None:
    send_help_code(world.office, PHONE)
    with pytest.raises(Refused, match="code_expired"):
        check_code(world.office, PHONE, code_sent(world))
    agent = world.agent("guichet", COUNTER)
    right = code_sent(world)
    wrong = f"{(int(right) + 1) % 10**6:06d}"
    with pytest.raises(Refused, match="code_wrong"):
        assistance.help_by_code(world.office, agent, PHONE, wrong)
    assert assistance.helping(world.office, agent) is None
    assistance.help_by_code(world.office, agent, PHONE, right)
    with pytest.raises(Refused, match="code_expired"):
        assistance.help_by_code(world.office, world.agent("other", COUNTER), PHONE, right)


def test_the_agent_opens_what_was_begun_with_the_person_and_nothing_else(world: World) -> None:
    before = world.draft()
    agent = world.agent("guichet", COUNTER)
    actor = helped(world, agent)
    actor, dossier = begun(world, agent)
    assert intake.see(world.office, actor, dossier.id)
    for who, number in ((actor, before.id), (agent, dossier.id), (world.agent("colleague", COUNTER), dossier.id)):
        with pytest.raises(NotFound):
            intake.see(world.office, who, number)


@pytest.mark.parametrize("how", ["ended", "idle", "role lost", "erased"])
def test_it_ends(world: World, how: str) -> None:
    agent = world.agent("guichet", COUNTER)
    helped(world, agent)
    _, dossier = begun(world, agent)
    world.clock.advance(timedelta(minutes=14))
    assert assistance.helping(world.office, agent), "still at work"
    world.clock.advance(timedelta(minutes=14))
    assert assistance.helping(world.office, agent), "each page counts"
    if how == "ended":
        assistance.end_assistance(world.office, agent)
    elif how == "idle":
        world.clock.advance(timedelta(minutes=15))
    elif how == "erased":
        erase_own(world.office, Actor("applicant", dossier.owner))
    else:
        agent = Actor("agent", agent.id)
    assert assistance.helping(world.office, agent) is None
    with pytest.raises(NotFound):
        assistance.begin_request(world.office, agent, PASSPORT, {}, "fr", new_id())


def test_pages_prolong_it_for_four_hours_and_no_longer(world: World) -> None:
    agent = world.agent("guichet", COUNTER)
    helped(world, agent)
    while_at_work = range(assistance.LONGEST // timedelta(minutes=10) - 1)
    for _ in while_at_work:
        world.clock.advance(timedelta(minutes=10))
        assert assistance.helping(world.office, agent)
    world.clock.advance(timedelta(minutes=10))
    assert assistance.helping(world.office, agent) is None


def test_a_page_that_reloads_itself_does_not_prolong_it(world: World) -> None:
    agent = world.agent("guichet", COUNTER)
    helped(world, agent)
    for _ in range(2):
        world.clock.advance(timedelta(minutes=7))
        assert assistance.helping(world.office, agent, touches=False)
    world.clock.advance(timedelta(minutes=1))
    assert assistance.helping(world.office, agent) is None


def test_one_begun_under_an_earlier_release_goes_on(world: World) -> None:
    agent = world.agent("guichet", COUNTER)
    helped(world, agent)
    with world.office.store.unit(write=True) as unit:
        kept = unit.peeked_aside(f"assistance/{agent.id}")
        assert isinstance(kept, dict)
        earlier = {name: value for name, value in kept.items() if name != "begun"}
        unit.keep_aside(f"assistance/{agent.id}", earlier, world.office.now())
    world.clock.advance(timedelta(minutes=14))
    assert assistance.helping(world.office, agent)


def test_a_draft_begun_at_home_goes_on_at_the_counter(world: World) -> None:
    draft = world.draft(PASSPORT)
    agent = world.agent("guichet", COUNTER)
    person = world.owner(draft)
    helped(world, agent)
    _, dossier = begun(world, agent)
    assert dossier.id == draft.id
    assert dossier.owner == person.id
    assert dossier.channel == "counter"


def test_somebody_without_a_telephone_is_found_again_by_their_receipt(world: World) -> None:
    agent = world.agent("guichet", COUNTER)
    with pytest.raises(Refused, match="consent_missing"):
        assistance.help_on_paper(world.office, agent, "AMEGAN", "Afi", signed=False)
    assistance.help_on_paper(world.office, agent, "AMEGAN", "Afi", signed=True)
    actor, dossier = begun(world, agent)
    sent = finished(world, actor, dossier)
    code = assistance.follow_code(world.office, sent)
    assert re.fullmatch(r"\d{8}", code)
    assert sent.contact_phone is None
    signed, number = assistance.follow_by_code(world.office, sent.number, code)
    assert (signed.actor.id, number) == (sent.owner, sent.number)
    with pytest.raises(Refused, match="receipt_wrong"):
        assistance.follow_by_code(world.office, sent.number, f"{(int(code) + 1) % 10**8:08d}")
    assistance.end_assistance(world.office, agent)
    assistance.help_by_receipt(world.office, agent, sent.number, code)
    again = assistance.helping(world.office, agent)
    assert again
    assert again.principal == sent.owner


def test_who_has_a_telephone_gets_no_code_on_paper(world: World) -> None:
    sent = world.sent()
    assert assistance.follow_code(world.office, sent) == ""
    with pytest.raises(Refused, match="receipt_wrong"):
        assistance.follow_by_code(world.office, sent.number, assistance._codes(world.office, sent.number)[0])


def test_a_receipt_is_not_guessed(world: World) -> None:
    sent = world.sent()
    for _ in range(5):
        with pytest.raises(Refused, match="receipt_wrong"):
            assistance.follow_by_code(world.office, sent.number, "00000000", client="1.2.3.4")
    with pytest.raises(Refused, match="too_many_tries"):
        assistance.follow_by_code(world.office, sent.number, "00000000", client="1.2.3.4")


def test_one_address_does_not_try_every_receipt(world: World) -> None:
    for number in range(assistance.CODES_TRIED_BY_CLIENT):
        with pytest.raises(Refused, match="receipt_wrong"):
            assistance.follow_by_code(world.office, f"{number:011d}", "00000000", client="1.2.3.4")
    with pytest.raises(Refused, match="too_many_tries"):
        assistance.follow_by_code(world.office, "99999999999", "00000000", client="1.2.3.4")
    with pytest.raises(Refused, match="receipt_wrong"):
        assistance.follow_by_code(world.office, "99999999999", "00000000", client="5.6.7.8")


def test_strangers_shut_nobody_out_of_their_receipt(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even those who try from many addresses: its owner comes in by the browser of before, or at a counter."""
    monkeypatch.setattr(assistance, "RECEIPT_CODES_A_DAY", 40)
    agent = world.agent("guichet", COUNTER)
    assistance.help_on_paper(world.office, agent, "AMEGAN", "Afi", signed=True)
    _, dossier = begun(world, agent)
    code, number = assistance.follow_code(world.office, dossier), dossier.number
    signed, _ = assistance.follow_by_code(world.office, number, code)
    browser = with_account(world.office, signed.actor.id, "")
    heard = 0
    for address in range(50):
        for _ in range(6):
            with pytest.raises(Refused) as closed:
                assistance.follow_by_code(world.office, number, "00000000", client=f"192.0.2.{address}")
            heard += closed.value.reason.code == "receipt_wrong"
    assert heard == 40
    with pytest.raises(Refused, match="too_many_tries"):
        assistance.follow_by_code(world.office, number, code, client="198.51.100.1")
    assert assistance.follow_by_code(world.office, number, code, client="198.51.100.1", browser=browser)
    assert assistance.help_by_receipt(world.office, agent, number, code)
    world.wait(days=1, hours=2)
    assert assistance.follow_by_code(world.office, number, code, client="198.51.100.1")


def test_a_receipt_is_guessed_with_one_in_ten_thousand_a_day() -> None:
    assert assistance.RECEIPT_CODES_A_DAY / 10**assistance.CODE_DIGITS <= 1e-4


def test_who_helped_is_not_the_second_pair_of_eyes(world: World) -> None:
    """Where the book keeps an act for another hand, it is for another than who filled the request in, too."""
    chief = world.agent("chief", "sncja/greffier_en_chef")
    given = {"nom": "TCHALLA", "prenoms": "Essowè", "date_naissance": "1991-08-05"}
    dossier = world.paid(world.sent(**given))
    other = world.agent("other", "sncja/greffier_en_chef")
    dossier = world.take(dossier, other, "verifier", filling={"meme_personne": False})
    dossier = world.take(dossier, world.agent("officer", "sncja/agent_traitement"), "comparer")
    dossier = world.force(dossier, assisted=(chief.id,))
    closed = {one.transition.id: one.closed for one in casework.offers(world.office, chief, dossier.id)}
    assert closed["signer"]
    assert closed["signer"].code == "assisted"
    with pytest.raises(Refused, match="assisted"):
        world.take(dossier, chief, "signer")
    third = world.agent("third", "sncja/greffier_en_chef")
    assert world.take(dossier, third, "signer").state == "a_retirer"


def test_where_people_pay_first_the_next_hand_receives_them(world: World) -> None:
    """A request that begins with its price waits for nobody of the office at first."""
    officer = world.agent("bac", "obac/instructeur")
    assert "duplicata-bac" in received_by(world.office, officer)
    assert "duplicata-bac" not in received_by(world.office, world.agent("chef", "obac/directeur"))


def test_somebody_without_a_telephone_asks_for_a_passport(world: World) -> None:
    """The shared question wants a telephone, but at a counter: nothing is sent then, the receipt's code finds the request again."""
    agent = world.agent("guichet", "dgdn/guichet")
    assistance.help_on_paper(world.office, agent, "BAWA", "Rissikatou", signed=True)
    actor, draft = begun(world, agent)
    book = world.office.catalogue.procedures[PASSPORT]
    with world.office.store.unit(write=True) as unit:
        without = replace(draft, answers={**draft.answers, "telephone": None})
        draft = keep_answers(world.office, unit, draft, without, "saved", actor)
    sent = finished(world, actor, draft)
    assert sent.answers["telephone"] is None
    assert (sent.state, sent.contact_phone) == (book.start, None)
    assert world.read(lambda unit: [one.channel for one in unit.letters_of(sent.id) if one.channel == "sms"]) == []
    assert assistance.follow_code(world.office, sent)


def test_from_home_the_telephone_is_still_asked(world: World) -> None:
    owner = world.applicant()
    draft = world.draft(PASSPORT, owner)
    without = world.force(draft, answers={**draft.answers, "telephone": None})
    assert "telephone" in [one.at for one in intake.check(world.office, owner, without.id).errors]


@pytest.mark.parametrize("how", ["former", "for_another"])
def test_an_agent_does_not_help_with_a_request_of_their_own(world: World, how: str) -> None:
    """The person at the counter has another number now, or the agent acted for them under a mandate."""
    officer = replace(world.agent("bac", "obac/instructeur"), contacts=frozenset({"+22890112299"}))
    helped(world, officer)
    sent = finished(world, *begun(world, officer, "duplicata-bac"))
    phones = {"former_phones" if how == "former" else "other_phones": ("+22890112299",)}
    with world.office.store.unit(write=True) as unit:
        unit.put_dossier(replace(sent, **phones, revision=sent.revision + 1), sent.revision)
    actor = assistance.helping(world.office, officer)
    assert actor is not None
    with pytest.raises(NotFound):
        take_cash(world.office, actor, sent.id, 2000, token=new_id())
    assistance.end_assistance(world.office, officer)
    world.wait(minutes=2)
    helped(world, officer)
    with pytest.raises(Refused, match="own_dossier"):
        assistance.resume_request(world.office, officer, sent.number)


def test_the_baccalaureate_office_takes_cash(world: World) -> None:
    """Published: its own cashier gives the receipt that the request asks for."""
    officer = world.agent("bac", "obac/instructeur")
    helped(world, officer)
    sent = finished(world, *begun(world, officer, "duplicata-bac"))
    actor = assistance.helping(world.office, officer)
    assert actor is not None
    assert cash_due(world.office, actor, sent.id) == 2000
    paid = take_cash(world.office, actor, sent.id, 2000, token=new_id())
    assert (paid.status, paid.method) == ("paid", "cash")
    assert world.kept(sent).state == "instruction"
