"""Two requests of one person: the second takes over what the first said, for them alone and as long as it is kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.core.problems import Refused
from engine.core.values import Plain, new_id
from engine.records.dossier import SYSTEM_ACTOR, Actor, Dossier
from engine.services.accounts import agents as people
from engine.services.accounts import delegation as representation
from engine.services.accounts.agents import Person
from engine.services.applications import drafts as intake
from engine.services.applications.drafts import Upload
from engine.services.applications.prefill import EarlierDossier, earlier_requests, take_over
from engine.services.audit.integrity import fsck
from engine.services.context.app_context import NotFound
from engine.services.worker.worker import run_pass
from tests.engine.services.editions import edition, first, publish, renamed
from tests.engine.services.world import B3, PASSPORT, World, pdf

LET_IN: dict[str, Plain] = {"togolais": True, "en_mission": False}
OF_THIS_REQUEST = {"type_demande"}


def offered(
    world: World, who: Actor | None = None, procedure: str = PASSPORT, **criteria: Plain
) -> EarlierDossier | None:
    found = earlier_requests(world.office, who or world.applicant(), procedure, criteria or LET_IN)
    return found[0] if found else None


def begun(world: World, who: Actor | None = None, procedure: str = PASSPORT, **criteria: Plain) -> Dossier:
    return intake.open_dossier(world.office, who or world.applicant(), procedure, criteria=criteria or LET_IN)


def taken(world: World, number: str, who: Actor | None = None) -> Dossier:
    me = who or world.applicant()
    return take_over(world.office, me, begun(world, me).id, number, token=new_id())


def test_nobody_who_never_applied_is_offered_anything(world: World) -> None:
    assert offered(world) is None
    world.filled(PASSPORT)
    assert offered(world) is None, "a draft is no request, and it is found again by itself"


def test_the_second_request_has_all_that_the_first_said_but_what_it_is_for(world: World) -> None:
    before = world.sent(PASSPORT)
    world.wait(days=100)
    offer = offered(world)
    assert offer is not None
    assert (offer.dossier.number, offer.answers, offer.files) == (before.number, 17, 4)
    after = taken(world, before.number)
    assert {name for name in before.answers if name not in after.answers} == OF_THIS_REQUEST
    assert (after.answers["nom"], after.answers["pere"]) == (before.answers["nom"], before.answers["pere"])
    assert after.reused is not None
    assert (after.reused.number, after.reused.sent_at) == (before.number, before.submitted_at)
    assert after.reused.fields >= {"nom", "pere", "cni"}
    form = intake.see_form(world.office, world.applicant(), after.id)
    assert [page.id for page in form.pages if not (page.complete and page.visited)] == ["demande"]


def test_papers_are_sealed_again_and_outlive_the_earlier_request(world: World) -> None:
    before = world.sent(PASSPORT)
    world.wait(days=100)
    after = taken(world, before.number)
    assert {one.sha256 for one in after.attachments} == {one.sha256 for one in before.attachments}
    assert not {one.id for one in after.attachments} & {one.id for one in before.attachments}
    assert {one.received_at for one in after.attachments} == {one.received_at for one in before.attachments}
    for path in world.office.attachments.blobs.folder.rglob(f"*.{before.id}"):
        path.unlink()
    one = after.attachments[0]
    assert intake.read_attachment(world.office, world.applicant(), after.id, one.id)[1].startswith(b"%PDF")
    with pytest.raises(NotFound):
        intake.read_attachment(world.office, world.applicant("+22890999999"), after.id, one.id)


def test_a_file_that_was_lost_is_asked_again(world: World) -> None:
    before = world.sent(PASSPORT)
    cni = next(one for one in before.attachments if one.field == "cni")
    draft = begun(world)
    for path in world.office.attachments.blobs.folder.rglob(f"*.{before.id}"):
        path.unlink()
    after = take_over(world.office, world.applicant(), draft.id, before.number)
    assert "cni" not in after.answers
    assert cni.sha256 not in {one.sha256 for one in after.attachments}
    assert after.answers["nom"] == before.answers["nom"]


def test_the_journal_says_where_answers_came_from_and_holds(world: World) -> None:
    before = world.sent(PASSPORT)
    after = taken(world, before.number)
    entry = world.read(lambda unit: unit.entries(after.id))[-1]
    assert (entry.kind, entry.actor) == ("reused", world.applicant().id)
    assert {name: entry.body[name] for name in ("earlier", "edition", "files", "revision")} == {
        "earlier": before.number, "edition": before.edition, "files": 4, "revision": 1,
    }  # fmt: skip
    assert {"nom", "cni"} <= set(entry.body["fields"])
    assert {f"files.{one.id}" for one in after.attachments} <= entry.body["commits"].keys()
    assert fsck(world.office) == ()


def test_a_second_tap_takes_over_once(world: World) -> None:
    before, me, token = world.sent(PASSPORT), world.applicant(), new_id()
    draft = begun(world)
    first_time = take_over(world.office, me, draft.id, before.number, token=token)
    assert take_over(world.office, me, draft.id, before.number, token=token) == first_time
    assert world.kinds(draft) == ["opened", "reused"]


def test_an_answer_given_anew_is_no_longer_the_earlier_one(world: World) -> None:
    me = world.applicant()
    after = taken(world, world.sent(PASSPORT).number)
    saved = intake.save_page(world.office, me, after.id, "famille", {"pere": ["AMEGAN Kodjo"], "mere": ["LAWSON Efua"]})
    assert saved.dossier.reused is not None
    assert "mere" not in saved.dossier.reused.fields
    assert "pere" in saved.dossier.reused.fields


def test_it_is_sent_like_any_other(world: World) -> None:
    me, before = world.applicant(), world.sent(PASSPORT)
    after = taken(world, before.number)
    intake.save_page(world.office, me, after.id, "demande", {"type_demande": ["premiere"]})
    sent = intake.submit(world.office, me, after.id, declared=True, token=new_id())
    assert sent.submitted_at is not None
    assert len(sent.attachments) == 4
    assert fsck(world.office) == ()


def test_another_persons_request_is_never_there(world: World) -> None:
    before, other = world.sent(PASSPORT), world.applicant("+22890999999")
    assert offered(world, other) is None
    draft = begun(world, other)
    with pytest.raises(NotFound):
        take_over(world.office, other, draft.id, before.number)
    with pytest.raises(NotFound):
        take_over(world.office, world.applicant(), draft.id, before.number)
    assert "nom" not in world.kept(draft).answers


def test_who_acts_for_a_company_takes_the_companys_and_not_their_own(world: World) -> None:
    me = world.applicant()
    mine = world.sent(PASSPORT)
    mandate = representation.declare_company(world.office, me, "TG-LOM 2024 B 1", "SOTOGO", Upload("rccm.pdf", pdf()))
    representation.check(world.office, chef(world), mandate.id, True, name="SOTOGO")
    acting = representation.acting_for(world.office, me, mandate.id)
    assert acting is not None
    world.people[acting.owns] = acting
    assert offered(world, acting) is None
    with pytest.raises(NotFound):
        taken(world, mine.number, acting)


def chef(world: World) -> Actor:
    person = Person("C. Chef", administers=("*",))
    return people.add_person(world.office, SYSTEM_ACTOR, "agent", "chef", person).account.actor()


def test_neither_a_draft_nor_itself_is_an_earlier_request(world: World) -> None:
    draft = world.filled(PASSPORT)
    with pytest.raises(NotFound):
        take_over(world.office, world.applicant(), draft.id, draft.number)
    sent = intake.submit(world.office, world.applicant(), draft.id, declared=True, token=new_id())
    with pytest.raises(Refused, match="already_submitted"):
        take_over(world.office, world.applicant(), sent.id, sent.number)


def test_another_procedure_gives_what_it_shares(world: World) -> None:
    before = world.sent(B3)
    offer = offered(world)
    assert offer is not None
    assert (offer.dossier.number, offer.files) == (before.number, 0)
    after = taken(world, before.number)
    assert after.answers["pere"] == before.answers["pere"]
    assert "acte_naissance" not in after.answers, "its papers were for another purpose"


def test_the_same_procedure_comes_before_a_newer_other_one(world: World) -> None:
    before = world.sent(PASSPORT)
    world.wait(days=1)
    world.sent(B3)
    offer = offered(world)
    assert offer is not None
    assert offer.dossier.number == before.number


def test_a_family_is_offered_one_request_a_person(world: World) -> None:
    """The newest of each, of whom none is mixed with another."""
    for name in ("Afi", "Kossi", "Afi", "Ama", "Yao"):
        world.sent(PASSPORT, prenoms=name)
        world.wait(days=1)
    found = earlier_requests(world.office, world.applicant(), PASSPORT, LET_IN)
    assert [one.dossier.label for one in found] == ["AMEGAN Yao", "AMEGAN Ama", "AMEGAN Afi"]
    with world.office.store.unit(write=True) as unit:
        account = unit.account(world.applicant().id)
        assert account is not None
        unit.put_account(replace(account, profile={"given_names": "Kodjo", "birth_date": "1960-01-01"}))
    after = taken(world, found[0].dossier.number)
    assert after.answers["prenoms"] == "Yao"
    assert after.answers["date_naissance"] == found[0].dossier.answers["date_naissance"]


# -- editions and keeping ----------------------------------------------------------------------------------------------


def kiosk(world: World) -> Dossier:
    publish(world, first())
    return world.sent("kiosque", telephone_voisin="+22890112244")


def test_an_edition_under_other_names_takes_what_it_still_asks(world: World) -> None:
    before = kiosk(world)
    publish(world, renamed())
    draft = intake.open_dossier(world.office, world.applicant(), "kiosque", criteria={})
    assert draft.edition == 2
    after = take_over(world.office, world.applicant(), draft.id, before.number)
    assert after.answers["nom_du_kiosque"] == before.answers["enseigne"]
    assert after.answers["employes"][0]["nom_complet"] == "AMEGAN"  # type: ignore[index,call-overload]
    assert "telephone_voisin" not in after.answers


def refused(world: World) -> Dossier:
    return world.take(kiosk(world), world.agent("urbaniste", "mairie/urbaniste"), "refuser", reason="Déjà un kiosque")


@pytest.mark.parametrize("rounds", [True, False], ids=["erased", "overdue"])
def test_what_was_to_be_erased_never_comes_back(world: World, rounds: bool) -> None:
    """Whether the round that erases was made, or is late."""
    before = refused(world)
    world.wait(days=366)
    if rounds:
        run_pass(world.office)
        assert world.kept(before).erased_at is not None
    assert earlier_requests(world.office, world.applicant(), "kiosque", {}) == ()
    draft = intake.open_dossier(world.office, world.applicant(), "kiosque", criteria={})
    with pytest.raises(NotFound):
        take_over(world.office, world.applicant(), draft.id, before.number)


def test_a_sensitive_answer_past_its_own_time_stays_behind(world: World) -> None:
    secret = ("keep: {", "sensitive: {telephone_voisin: {seen_by: [urbaniste], keep: 30 days}}, keep: {")
    publish(world, edition(secret))
    sent = world.sent("kiosque", telephone_voisin="+22890112244")
    before = world.take(sent, world.agent("urbaniste", "mairie/urbaniste"), "refuser", reason="Déjà un kiosque")
    world.wait(days=20)
    draft = intake.open_dossier(world.office, world.applicant(), "kiosque", criteria={})
    world.wait(days=20)  # and the round is late
    after = take_over(world.office, world.applicant(), draft.id, before.number)
    assert after.answers["enseigne"] == before.answers["enseigne"]
    assert "telephone_voisin" not in after.answers


def test_nothing_is_left_of_it_once_its_own_time_is_over(world: World) -> None:
    after = taken(world, world.sent(PASSPORT).number)
    intake.drop_draft(world.office, world.applicant(), after.id)
    kept = world.kept(after)
    assert (kept.answers, kept.attachments, kept.reused) == ({}, (), None)
