"""Naming an earlier dossier: one's own, one whose phone one holds, one row of it; what does not fit, and nobody else's."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.core.values import group_number
from engine.domain.common.decision import Act
from engine.language.catalogue.catalogue import Catalogue
from engine.records.dossier import Account, Actor, Dossier, LinkedDossier
from engine.services.accounts.delegation import give
from engine.services.applications.bulk_actions import order_bulk
from engine.services.applications.casework import take_transition
from engine.services.context.app_context import publish_editions
from engine.services.core.jobs import lines
from engine.services.keys.secrets import hash_secret
from engine.services.worker.job_runner import carry_at_once
from server import Settings, create_app
from tests.makers import compiled, the_shared
from tests.web.client import PHONE, PortalClient, Seen, a_portal_client, another

pytestmark = pytest.mark.slow  # a whole site and its people for each test

MAYOR = Actor("agent", "mayor", "Maire", frozenset({"mairie/maire"}))
REST = """
summary: Un permis.
agency: mairie
delay: 5 working days
workflow:
  start: examen
  states:
    examen:
      {label: Examen, by: maire, due: 5 working days, transitions: {accorder: {label: Accorder, to: accorde}}}
    accorde: {label: Accordé, end: granted, issues: permis}
outputs:
  permis: {title: Permis, kind: permit, per: personnes, shows: [nom]}
personal_data: {purpose: Essayer, keep: {granted: 2 years}}
scenarios:
  simple: {story: Une demande, steps: [{take: accorder, then: accorde}]}
"""
FORM = """
    title: Vous
    fields:
      personnes:
        {label: Personnes, type: rows, maxItems: 3, row_label: '{nom}', fields: {nom: {label: Nom, example: LEE}}}
"""
FIRST = f"procedure: permis\nedition: 1\ntitle: Permis de stand\n{REST}form:\n  vous:{FORM}"
AGAIN = f"""procedure: renouvellement
edition: 1
title: Renouveler un permis
links:
  ancien:
    label: Votre ancien permis
    relation: renews
    procedure: permis
    row: personnes
    copies: {{chef: nom}}
form:
  moi:
    title: Moi
    fields:
      chef: {{label: Qui tient le stand, example: LEE}}
{REST.replace("per: personnes, shows: [nom]", "shows: [chef]")}"""


@pytest.fixture
def visitor(tmp_path: Path) -> PortalClient:
    plain = a_portal_client(tmp_path)
    books = [compiled(FIRST, "permis.yaml"), compiled(AGAIN, "renouvellement.yaml")]
    office = publish_editions(replace(plain.office, catalogue=Catalogue.of(books, the_shared())))
    app = create_app(Settings(data=tmp_path, secret="test"), office, plain.operator)
    return replace(plain, client=app.test_client(), office=office).sign_in()


def begin(visitor: PortalClient, slug: str) -> str:
    visitor.post(f"/demarches/{slug}/commencer", **visitor.open(f"/demarches/{slug}/commencer").form())
    return visitor.page.address.split("/")[2]


def a_permit(visitor: PortalClient, *names: str, granted: bool = True) -> str:
    number = begin(visitor, "permis")
    page = f"/dossiers/{number}/demande/vous"
    for at, name in enumerate(names):
        visitor.send(page, **{f"personnes.{at}.nom": name, "go": "next"})
    visitor.send(f"/dossiers/{number}/verification", declared="1")
    if granted:
        take_transition(visitor.office, MAYOR, visitor.dossier_id(number), Act("accorder"))
    return number


def case_of(visitor: PortalClient, number: str) -> Dossier:
    with visitor.office.store.unit() as unit:
        dossier = unit.dossier_numbered(number)
    assert dossier
    return dossier


def kept(visitor: PortalClient, number: str) -> tuple[str, object]:
    dossier = case_of(visitor, number)
    return (dossier.links["ancien"].number if "ancien" in dossier.links else "", dossier.answers.get("chef"))


def test_ones_own_dossier_is_offered_and_one_row_of_it_picked(visitor: PortalClient) -> None:
    earlier = a_permit(visitor, "LEE", "DOSSOU")
    a_permit(visitor, "KPODAR", granted=False)
    number = begin(visitor, "renouvellement")
    assert visitor.page.address.endswith("/demande"), "the earlier dossier is asked before the questions"
    assert "À indiquer" in visitor.follow().text
    address = f"/dossiers/{number}/lien/ancien"
    visitor.send(address, earlier=earlier, go="lang-en")
    assert f'value="{earlier}" checked' in visitor.follow().html, "another language keeps what was picked"
    assert kept(visitor, number)[0] == ""
    page = visitor.open(f"{address}?lang=fr")
    assert page.html.count('name="earlier"') == 2, "the granted one and « Un autre dossier »"
    assert visitor.send(address).status == 422
    visitor.send(address, earlier=earlier)
    rows = visitor.page.address
    assert "DOSSOU" in visitor.follow().text
    assert visitor.send(rows).status == 422
    visitor.send(rows, row="1")
    assert visitor.page.address == f"/dossiers/{number}/verification", "what was copied answers everything"
    assert kept(visitor, number) == (earlier, "DOSSOU")
    assert f'href="/dossiers/{number}/lien/' in visitor.open(f"/dossiers/{number}/verification").html


def test_a_draft_is_not_sent_without_it(visitor: PortalClient) -> None:
    number = begin(visitor, "renouvellement")
    visitor.send(f"/dossiers/{number}/demande/moi", chef="LEE", go="next")
    page = visitor.open(f"/dossiers/{number}/verification")
    assert "Compléter : Votre ancien permis" in page.text
    assert "Envoyer ma demande" not in page.text
    form = {"csrf_token": visitor.open(f"/dossiers/{number}/lien/ancien").value("csrf_token"), "declared": "1"}
    assert visitor.post(f"/dossiers/{number}/verification", **form).address == f"/dossiers/{number}/verification"


def test_who_was_let_in_to_one_draft_is_shown_no_other_dossier_of_its_owner(visitor: PortalClient) -> None:
    earlier, number = a_permit(visitor, "LEE"), begin(visitor, "renouvellement")
    hand = another(visitor).sign_in("91020304")
    owner = case_of(visitor, number)
    mandate = give(visitor.office, Actor("applicant", owner.owner), "", "91020304", "agent", dossier_id=owner.id)
    hand.post("/compte/agir", **{**hand.open("/compte/entreprises").form(), "mandate": mandate.id})
    page = hand.open(f"/dossiers/{number}/lien/ancien")
    assert page.status == 200
    assert group_number(earlier) not in page.text
    assert hand.post(page.response.request.path, **{**page.form("token"), "number": earlier}).address.endswith("/code")


def test_whoever_is_told_the_code_of_a_dossier_does_not_sign_in_with_it(visitor: PortalClient) -> None:
    earlier = a_permit(another(visitor).sign_in("91020304"), "LEE")
    address = f"/dossiers/{begin(visitor, 'renouvellement')}/lien/ancien"
    stranger = another(visitor)
    visitor.clock.advance(timedelta(minutes=1))
    stranger.send("/connexion", phone="91020304")
    visitor.clock.advance(timedelta(minutes=2))
    visitor.send(address, number=earlier)
    told = visitor.code("91020304")
    assert stranger.send("/connexion/code", code=told).status == 422
    visitor.send(f"{address}/code", code=told)
    assert visitor.page.address == f"{address}/{earlier}"


def test_another_ones_dossier_wants_the_code_sent_to_its_phone(visitor: PortalClient) -> None:
    theirs = another(visitor).sign_in("91020304")
    earlier = a_permit(theirs, "LEE")
    number = begin(visitor, "renouvellement")
    address = f"/dossiers/{number}/lien/ancien"
    visitor.send(address, number=earlier)
    assert visitor.page.address == f"{address}/code"
    assert visitor.open(f"{address}/{earlier}").status == 404, "not before the code"
    assert visitor.send(f"{address}/code", code="000000").status == 422
    visitor.send(f"{address}/code", code=visitor.code("91020304"))
    visitor.send(visitor.page.address, row="0")
    assert kept(visitor, number) == (earlier, "LEE")
    assert visitor.open(f"/dossiers/{earlier}").status == 404, "it is still theirs"


def test_what_one_person_proved_at_a_browser_is_nothing_to_the_next(visitor: PortalClient) -> None:
    """A shared computer: the first session ended by itself, its cookie is still there."""
    earlier = a_permit(another(visitor).sign_in("91020304"), "LEE")
    address = f"/dossiers/{begin(visitor, 'renouvellement')}/lien/ancien"
    visitor.send(address, number=earlier)
    visitor.send(f"{address}/code", code=visitor.code("91020304"))
    assert visitor.page.address == f"{address}/{earlier}"
    visitor.clock.advance(timedelta(hours=2))
    assert visitor.open(f"{address}/{earlier}").status == 303, "signed out"
    visitor.sign_in("92030405")
    number = begin(visitor, "renouvellement")
    page = f"/dossiers/{number}/lien/ancien/{earlier}"
    form = visitor.open(f"/dossiers/{number}/lien/ancien").form("token")
    assert visitor.open(page).status == 404
    assert visitor.post(page, **{**form, "row": "0"}).status == 404
    assert kept(visitor, number) == ("", None)


def test_the_code_of_an_earlier_dossier_is_tried_by_the_account_that_asked(visitor: PortalClient) -> None:
    earlier = a_permit(another(visitor).sign_in("91020304"), "LEE")
    address = f"/dossiers/{begin(visitor, 'renouvellement')}/lien/ancien"
    visitor.send(address, number=earlier)
    told = visitor.code("91020304")
    stranger = another(visitor).sign_in("92030405")
    theirs = f"/dossiers/{begin(stranger, 'renouvellement')}/lien/ancien"
    stranger.send(theirs, number=earlier)
    for _ in range(6):
        assert stranger.send(f"{theirs}/code", code=told).status == 422
    visitor.send(f"{address}/code", code=told)
    assert visitor.page.address == f"{address}/{earlier}"


@pytest.mark.parametrize("erased", [False, True])
def test_who_has_a_number_next_names_no_dossier_of_who_had_it(visitor: PortalClient, erased: bool) -> None:
    """A granted dossier is closed. It writes to its owner's new number, or to none after the account was erased."""
    owner = another(visitor).sign_in("91020304")
    earlier = a_permit(owner, "LEE")
    visitor.clock.advance(timedelta(minutes=5))
    if erased:
        owner.send("/compte/supprimer")
    else:
        owner.send("/compte/telephone", way="91020305")
        owner.send("/compte/code", code=owner.code("91020305"))
    visitor.clock.advance(timedelta(minutes=5))
    thief = another(visitor).sign_in("91020304")
    address = f"/dossiers/{begin(thief, 'renouvellement')}/lien/ancien"
    visitor.clock.advance(timedelta(minutes=5))
    thief.send(address, number=earlier)
    assert "ne vont pas ensemble" in thief.send(f"{address}/code", code=thief.code("91020304")).text
    assert case_of(visitor, earlier).contact_phone == (None if erased else "+22891020305")
    assert list(visitor.office.store.findings()) == []


@pytest.mark.parametrize("typed", ["26482911374", "99999999999"])
def test_an_unknown_dossier_looks_like_a_known_one(visitor: PortalClient, typed: str) -> None:
    address = f"/dossiers/{begin(visitor, 'renouvellement')}/lien/ancien"
    visitor.send(address, number=typed)
    assert visitor.page.address == f"{address}/code"
    assert "ne vont pas ensemble" in visitor.send(f"{address}/code", code="123456").text


def test_what_does_not_fit_says_why(visitor: PortalClient) -> None:
    pending = a_permit(visitor, "LEE", granted=False)
    number = begin(visitor, "renouvellement")
    address = f"/dossiers/{number}/lien/ancien"
    assert "11 chiffres" in visitor.send(address, number="123").text
    page = visitor.send(address, number=pending)
    assert (page.status, kept(visitor, number)) == (422, ("", None))
    assert "Il faut un dossier « Permis de stand »" in page.text


# -- an earlier document that ended after it was named -----------------------------------------------------------------


def renewed(visitor: PortalClient, earlier: str, row: str = "0", send: bool = True) -> str:
    """A renewal of a row of an earlier dossier, sent to the agents or not."""
    number = begin(visitor, "renouvellement")
    visitor.send(f"/dossiers/{number}/lien/ancien", earlier=earlier)
    visitor.send(visitor.page.address, row=row)
    if send:
        visitor.send(f"/dossiers/{number}/verification", declared="1")
    return number


def grant(visitor: PortalClient, number: str) -> None:
    take_transition(visitor.office, MAYOR, visitor.dossier_id(number), Act("accorder"))


def test_a_document_that_was_replaced_after_it_was_named_is_not_renewed(visitor: PortalClient) -> None:
    earlier = a_permit(visitor, "LEE")
    first = renewed(visitor, earlier)
    second = renewed(visitor, earlier, send=False)
    address = f"/dossiers/{second}/verification"
    form = {**visitor.open(address).form(), "declared": "1"}
    grant(visitor, first)
    visitor.post(address, **form)
    assert case_of(visitor, second).is_draft, "the page was opened before"
    page = visitor.open(f"/dossiers/{second}/verification")
    assert "Compléter : Votre ancien permis" in page.text
    assert group_number(earlier) not in page.text
    assert visitor.send(f"/dossiers/{second}/lien/ancien", number=earlier).status == 422


def test_a_renewal_of_one_row_leaves_the_others_to_renew(visitor: PortalClient) -> None:
    earlier = a_permit(visitor, "LEE", "DOSSOU")
    grant(visitor, renewed(visitor, earlier))
    again = renewed(visitor, earlier, send=False)
    assert kept(visitor, again) == ("", None), "the permit of this row is replaced"
    grant(visitor, renewed(visitor, earlier, "1"))
    assert [one.status for one in case_of(visitor, earlier).documents] == ["replaced", "replaced"]


def test_an_optional_document_that_ended_is_left_out_of_what_is_sent(visitor: PortalClient) -> None:
    optional = AGAIN.replace("row: personnes", "row: personnes\n    required: false").replace(
        "edition: 1", "edition: 2"
    )
    other = of_the_office_of_exams(visitor, optional)
    earlier = a_permit(other, "LEE")
    first, second = renewed(other, earlier), renewed(other, earlier, send=False)
    grant(other, first)
    other.send(f"/dossiers/{second}/verification", declared="1")
    assert (case_of(other, second).is_draft, case_of(other, second).links) == (False, {})


def test_an_answer_changed_after_the_document_was_named_ends_nothing(visitor: PortalClient) -> None:
    asked = AGAIN.replace("row: personnes", "row: personnes\n    when: chef == 'LEE'").replace(
        "edition: 1", "edition: 2"
    )
    other = of_the_office_of_exams(visitor, asked)
    earlier, number = a_permit(other, "LEE"), begin(other, "renouvellement")
    other.send(f"/dossiers/{number}/demande/moi", chef="LEE", go="next")
    other.send(f"/dossiers/{number}/lien/ancien", earlier=earlier)
    other.send(other.page.address, row="0")
    other.send(f"/dossiers/{number}/demande/moi", chef="AYA", go="next")
    other.send(f"/dossiers/{number}/verification", declared="1")
    assert case_of(other, number).links == {}
    sent = case_of(other, number)
    named = {"ancien": LinkedDossier(case_of(other, earlier).id, earlier, 0)}
    with other.office.store.unit(write=True) as unit:  # as a correction of the answer leaves it
        unit.put_dossier(replace(sent, links=named, revision=sent.revision + 1), sent.revision)
    grant(other, number)
    assert [one.status for one in case_of(other, earlier).documents] == ["valid"]


def test_an_agent_sees_a_document_that_ended_and_decides_it_alone(visitor: PortalClient) -> None:
    bulk = AGAIN.replace("to: accorde}", "to: accorde, bulk: true}").replace("edition: 1", "edition: 2")
    other = of_the_office_of_exams(visitor, bulk)
    earlier = a_permit(other, "LEE")
    first, second = renewed(other, earlier), renewed(other, earlier)
    picked = [(number, case_of(other, number).revision) for number in (first, second)]
    order = order_bulk(other.office, MAYOR, "renouvellement", "accorder", "", picked)
    account = Account(MAYOR.id, "agent", "Maire", "mairie.maire", hash_secret("clef"), roles=tuple(MAYOR.roles))
    with other.office.store.unit(write=True) as unit:
        unit.put_account(account)
    carry_at_once(other.office, order)
    assert [(line.outcome, line.why) for line, _ in lines(other.office, MAYOR, order.n)] == [
        ("done", ""), ("closed", "not_in_bulk"),
    ]  # fmt: skip
    seat = another(other)
    seat.send("/agent/connexion", login="mairie.maire", password="clef")
    text = seat.open(f"/agent/dossiers/{second}").text
    assert "aucun de ses documents n’est encore valable" in text
    assert "Ses documents seront remplacés" not in text


# -- documents of another agency -----------------------------------------------------------------------------------------

REGISTRAR = Actor("agent", "registrar", "Officier", frozenset({"obac/instructeur"}))
ELSEWHERE = (
    AGAIN.replace("edition: 1", "edition: 2")
    .replace("agency: mairie", "agency: obac")
    .replace("by: maire", "by: instructeur")
)


def of_the_office_of_exams(visitor: PortalClient, text: str = ELSEWHERE, first: str = FIRST) -> PortalClient:
    """The renewal is published by another agency, as before `guichet lint` refused it."""
    books = [compiled(first, "permis.yaml"), compiled(text, "renouvellement.yaml")]
    office = publish_editions(replace(visitor.office, catalogue=Catalogue.of(books, the_shared())))
    app = create_app(
        Settings(data=visitor.office.attachments.blobs.folder.parent, secret="test"), office, visitor.operator
    )
    return replace(visitor, client=app.test_client(), office=office).sign_in()


@pytest.mark.parametrize("relation", ["renews", "amends", "revokes"])
def test_no_agency_ends_the_document_of_another(visitor: PortalClient, relation: str) -> None:
    """Such a link cannot be named, and one that was named ends nothing."""
    earlier = a_permit(visitor, "LEE")
    optional = ELSEWHERE.replace("row: personnes", "row: personnes\n    required: false")
    other = of_the_office_of_exams(visitor, optional.replace("renews", relation))
    number = begin(other, "renouvellement")
    address = f"/dossiers/{number}/lien/ancien"
    assert group_number(earlier) not in other.open(address).text
    assert (other.send(address, number=earlier).status, kept(other, number)[0]) == (422, "")
    other.send(f"/dossiers/{number}/demande/moi", chef="LEE", go="next")
    other.send(f"/dossiers/{number}/verification", declared="1")
    assert other.page.status == 303, (other.page.status, other.page.text)
    named, sent = {"ancien": LinkedDossier(case_of(other, earlier).id, earlier, 0)}, case_of(other, number)
    with other.office.store.unit(write=True) as unit:
        unit.put_dossier(replace(sent, links=named, revision=sent.revision + 1), sent.revision)
    take_transition(other.office, REGISTRAR, other.dossier_id(number), Act("accorder"))
    assert [one.status for one in case_of(other, number).documents] == ["valid"]
    assert [one.status for one in case_of(other, earlier).documents] == ["valid"]


def test_what_ends_nothing_is_named_across_agencies(visitor: PortalClient) -> None:
    earlier = a_permit(visitor, "LEE")
    other = of_the_office_of_exams(visitor, ELSEWHERE.replace("renews", "duplicates"))
    number = begin(other, "renouvellement")
    other.send(f"/dossiers/{number}/lien/ancien", earlier=earlier)
    other.send(other.page.address, row="0")
    assert kept(other, number) == (earlier, "LEE")


def test_a_procedure_that_changed_hands_is_renewed_by_its_new_agency(visitor: PortalClient) -> None:
    earlier = a_permit(visitor, "LEE")
    moved = FIRST.replace("edition: 1", "edition: 2").replace("agency: mairie", "agency: obac")
    other = of_the_office_of_exams(visitor, first=moved.replace("by: maire", "by: instructeur"))
    number = begin(other, "renouvellement")
    other.send(f"/dossiers/{number}/lien/ancien", earlier=earlier)
    other.send(other.page.address, row="0")
    other.send(f"/dossiers/{number}/verification", declared="1")
    assert other.page.status == 303, (other.page.status, other.page.text)
    take_transition(other.office, REGISTRAR, other.dossier_id(number), Act("accorder"))
    assert [one.status for one in case_of(other, earlier).documents] == ["replaced"]


# -- at the counter ------------------------------------------------------------------------------------------------------

HOME = "/agent/guichet"


def press(seat: PortalClient, address: str, having: str = "token", **fields: str) -> Seen:
    """Fills the form of a page that holds this control, not that of the banner, and posts it."""
    form: dict[str, Any] = seat.open(address).form(having)
    return seat.post(address, **{**form, **fields})


def at_a_counter(visitor: PortalClient, phone: str) -> tuple[PortalClient, str]:
    """An agent who helps somebody, the draft of a renewal before them."""
    with visitor.office.store.unit(write=True) as unit:
        unit.put_account(Account("ama", "agent", "Agent ama", "ama", hash_secret("clef"), roles=("mairie/maire",)))
    seat = another(visitor)
    seat.send("/agent/connexion", login="ama", password="clef")
    help_with(seat, phone)
    assert "Renouveler un permis" in seat.open(HOME).text
    press(seat, f"{HOME}/demarches/renouvellement")
    assert seat.page.address.endswith("/demande"), seat.page.text
    return seat, seat.page.address.split("/")[3]


def help_with(seat: PortalClient, phone: str) -> None:
    seat.clock.advance(timedelta(minutes=2))
    seat.send(HOME, how="phone", phone=phone)
    seat.send(f"{HOME}/code", code=seat.code(phone))
    assert seat.page.address == HOME, seat.page.text


def test_who_is_helped_names_their_own_dossier_and_opens_it_to_nobody(visitor: PortalClient) -> None:
    earlier = a_permit(visitor, "LEE", "DOSSOU")
    seat, number = at_a_counter(visitor, PHONE)
    address = f"{HOME}/{number}/lien/ancien"
    assert f'href="{address}"' in seat.open(f"{HOME}/{number}/demande").html
    press(seat, address, earlier=earlier)
    rows = seat.page.address
    assert rows == f"{address}/{earlier}"
    press(seat, rows, row="1")
    assert seat.page.address == f"{HOME}/{number}/verification"
    assert kept(visitor, number) == (earlier, "DOSSOU")
    press(seat, f"{HOME}/{number}/verification", declared="1", confirmed="paper")
    assert seat.page.address == f"{HOME}/{number}/recepisse", seat.page.text
    for page in ("", "/demande", "/recepisse", "/recepisse.pdf"):
        assert seat.open(f"{HOME}/{earlier}{page}").status == 404, "the earlier dossier is not the help's"


def test_at_the_counter_nothing_leaves_without_the_earlier_dossier(visitor: PortalClient) -> None:
    seat, number = at_a_counter(visitor, PHONE)
    press(seat, f"{HOME}/{number}/demande/moi", chef="LEE", go="next")
    page = seat.open(f"{HOME}/{number}/verification")
    assert "Compléter : Votre ancien permis" in page.text
    form = {"csrf_token": page.value("csrf_token"), "declared": "1", "confirmed": "paper"}
    assert seat.post(f"{HOME}/{number}/verification", **form).address == f"{HOME}/{number}/verification"


def test_what_one_person_proved_is_no_proof_of_the_next(visitor: PortalClient) -> None:
    """The agent's browser serves both: the code read by one names nothing for the other."""
    earlier = a_permit(another(visitor).sign_in("91020304"), "LEE")
    seat, number = at_a_counter(visitor, PHONE)
    address = f"{HOME}/{number}/lien/ancien"
    press(seat, address, number=earlier)
    assert seat.page.address == f"{address}/code"
    assert seat.open(f"{address}/{earlier}").status == 404, "not before the code"
    seat.clock.advance(timedelta(minutes=2))
    press(seat, address, number=earlier)
    press(seat, f"{address}/code", having="code", code=seat.code("91020304"))
    assert seat.page.address == f"{address}/{earlier}"
    assert "LEE" in seat.follow().text
    seat.post(f"{HOME}/terminer", csrf_token=seat.page.value("csrf_token"))
    help_with(seat, "92030405")
    press(seat, f"{HOME}/demarches/renouvellement")
    other = seat.page.address.split("/")[3]
    assert other != number
    assert seat.open(f"{HOME}/{other}/lien/ancien/{earlier}").status == 404
    assert seat.open(f"{address}/{earlier}").status == 404, "the draft before is over"
