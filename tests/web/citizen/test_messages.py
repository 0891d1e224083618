"""A person asks, an agent answers: who reads what, who is told, what is refused, and what is left when time is over."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from engine.core.problems import Refused
from engine.records.dossier import Actor, Dossier
from engine.records.people import Session
from engine.services.applications.attachments import Upload
from engine.services.applications.messages import read_messages, unread, write_message
from engine.services.audit.integrity import fsck
from engine.services.context.app_context import NotFound
from engine.services.core.outbound_messages import LONGEST
from engine.services.keys.secrets import token_digest
from engine.services.worker.worker import sweep
from tests.web.client import MAYOR, PHONE, PortalClient, a_portal_client, another, later, picture

pytestmark = pytest.mark.slow  # a whole site and its people for each test


@pytest.fixture
def known(tmp_path: Path) -> PortalClient:
    return a_portal_client(tmp_path).sign_in()


def owner_of(visitor: PortalClient, number: str) -> Actor:
    return Actor("applicant", the_dossier(visitor, number).owner)


def the_dossier(visitor: PortalClient, number: str) -> Dossier:
    with visitor.office.store.unit() as unit:
        found = unit.dossier_numbered(number)
    assert found is not None
    return found


def as_an_agent(visitor: PortalClient) -> PortalClient:
    """The mayor, signed in at the agents' desk."""
    now = visitor.clock.now()
    with visitor.office.store.unit(write=True) as unit:
        unit.put_session(Session(token_digest("t"), MAYOR.id, now, now, now + timedelta(days=1)))
    desk = another(visitor)
    desk.client.set_cookie("guichet-agent", "t")
    return desk


def sms(visitor: PortalClient) -> list[str]:
    with visitor.office.store.unit() as unit:
        return [letter.body for letter in unit.letters_to("+22890112233", 100) if "message" in letter.body]


def test_a_person_asks_and_an_agent_answers(known: PortalClient) -> None:
    number = known.sent()
    address = f"/dossiers/{number}/messages"
    assert "Écrire un message" in known.open(f"/dossiers/{number}").text
    known.send(address, body="Puis-je venir samedi ?\nMerci.", file=picture("plan.jpg"))
    assert known.page.status == 303
    assert "Puis-je venir samedi ?" in known.follow().text
    assert "plan.jpg" in known.page.text
    assert known.page.html.count("<li id=") == 1
    assert unread(known.office, MAYOR, [the_dossier(known, number).id]) == {the_dossier(known, number).id: 1}

    read_messages(known.office, MAYOR, number)
    assert unread(known.office, MAYOR, [the_dossier(known, number).id]) == {}
    assert "Lu " in known.open(address).text
    assert sms(known) == []
    for said in ("Oui, de 8 h à 12 h.", "Apportez la carte."):
        write_message(known.office, MAYOR, number, said)
    (told,) = sms(known)
    assert "vous avez un message" in told
    assert "8 h" not in told, "what it says is read behind the door"
    assert "2 nouveaux messages" in known.open("/dossiers").text
    assert "2 nouveaux messages" in known.open(f"/dossiers/{number}").text
    assert "Oui, de 8 h à 12 h." in known.open(address).text
    assert "nouveau" not in known.open(f"/dossiers/{number}").text
    write_message(known.office, MAYOR, number, "À samedi.")
    assert len(sms(known)) == 2, "told again once the earlier ones were read"
    assert fsck(known.office) == ()


def test_the_file_of_a_message_is_for_both_and_nobody_else(known: PortalClient) -> None:
    number = known.sent()
    known.send(f"/dossiers/{number}/messages", body="Voici.", file=picture("plan.jpg"))
    found = re.search(r'href="(/dossiers/\d+/messages/[^"]+/fichier)"', known.follow().html)
    assert found
    mine: TestResponse = known.open(found[1]).response
    assert mine.status_code == 200
    assert "sandbox" in mine.headers["Content-Security-Policy"]
    stranger = another(known).sign_in("91223344")
    assert stranger.open(found[1]).status == 404
    assert stranger.open(f"/dossiers/{number}/messages").status == 404
    assert another(known).open(f"/dossiers/{number}/messages").status == 303
    later(known, days=3)
    sweep(known.office)
    assert known.sign_in().open(found[1]).status == 200, "a sweep leaves what a message names"


@pytest.mark.parametrize(
    ("body", "said"),
    [("", "Écrivez votre message"), (" \n ", "Écrivez votre message"), ("é" * (LONGEST + 3), "3 caractères de trop")],
)
def test_what_cannot_be_sent_is_told_beside_it(known: PortalClient, body: str, said: str) -> None:
    number = known.sent()
    known.send(f"/dossiers/{number}/messages", body=body)
    assert known.page.status == 422
    assert said in known.page.text
    assert body.strip() in known.page.html


def test_a_bad_file_keeps_the_words(known: PortalClient) -> None:
    number = known.sent()
    known.send(f"/dossiers/{number}/messages", body="Voici mon plan.", file=(io.BytesIO(b"x"), "plan.docx"))
    assert known.page.status == 422
    assert "Voici mon plan." in known.page.html
    assert read_messages(known.office, MAYOR, number) == ()


def test_another_language_asks_for_the_chosen_file_again(known: PortalClient) -> None:
    number = known.sent()
    address = f"/dossiers/{number}/messages"
    known.send(f"{address}?lang=fr", body="Voici mon plan.", file=(io.BytesIO(b"x"), "plan.pdf"), go="lang-en")
    page = known.follow() if known.page.status == 303 else known.page
    assert "Voici mon plan." in page.html
    assert "Choose the file “plan.pdf” again" in page.text
    known.send(address, body="Voici mon plan.", go="lang-fr")
    page = known.follow() if known.page.status == 303 else known.page
    assert "plan.pdf" not in page.text


def test_a_file_sent_after_the_session_ended_is_asked_for_again(known: PortalClient) -> None:
    address = f"/dossiers/{known.sent()}/messages"
    form = known.open(address).form()
    later(known, hours=2)
    sent = {**form, "body": "Voici mon plan.", "file": (io.BytesIO(b"x"), "plan.pdf")}
    assert known.post(address, **sent).address == "/connexion?suite=%2Freprendre"
    known.send("/connexion?suite=%2Freprendre", phone=PHONE)
    known.send("/connexion/code", code=known.code(PHONE))
    page = known.follow()
    assert 'value="Voici mon plan."' in page.html
    assert "Choisissez de nouveau le fichier « plan.pdf »" in page.text
    again = {**page.form(), "file": picture(), "body": "Voici mon plan."}
    assert "#m-" in known.post(address, **again).address


def test_a_double_tap_is_one_message(known: PortalClient) -> None:
    number = known.sent()
    form = known.open(f"/dossiers/{number}/messages").form()
    for _ in range(2):
        known.post(f"/dossiers/{number}/messages", **{**form, "body": "Bonjour"})
    assert len(read_messages(known.office, MAYOR, number)) == 1


def test_nobody_writes_about_a_draft_or_what_is_over_nor_without_end(known: PortalClient) -> None:
    draft = known.begin()
    with pytest.raises(Refused, match="messages_closed"):
        write_message(known.office, owner_of(known, draft), draft, "Bonjour")
    known.open(f"/dossiers/{draft}/supprimer")
    known.post(f"/dossiers/{draft}/supprimer", **known.page.form())
    number = known.sent()
    for count in range(20):
        write_message(known.office, owner_of(known, number), number, f"{count}")
    with pytest.raises(Refused, match="messages_many"):
        write_message(known.office, owner_of(known, number), number, "encore")
    for count in range(20):
        write_message(known.office, MAYOR, number, f"{count}")
    assert write_message(known.office, replace(MAYOR, id="colleague"), number, "Bonjour").message, "each has their own"
    known.decide(number, "refuser", reason="Place prise.")
    assert "On ne peut plus y écrire" in known.open(f"/dossiers/{number}/messages").text
    assert "<textarea" not in known.page.html


def test_a_controller_reads_that_something_was_written_not_what(known: PortalClient) -> None:
    number = known.sent()
    write_message(known.office, MAYOR, number, "Secret", Upload("a.jpg", picture()[0].read()))
    with pytest.raises(NotFound):
        read_messages(known.office, Actor("auditor", "cour"), number)
    dossier = the_dossier(known, number)
    with known.office.store.unit() as unit:
        entry = unit.entries(dossier.id)[-1]
    assert entry.kind == "message"
    assert "Secret" not in str(entry.body)


def test_a_thread_is_found_again_by_the_colleague_of_who_read_it(known: PortalClient) -> None:
    number = known.sent()
    desk, address = as_an_agent(known), f"/agent/dossiers/{number}"
    assert "Lire le" not in desk.open(address).text
    known.send(f"/dossiers/{number}/messages", body="Une question.")
    assert ">Lire le message</a>" in desk.open(address).html
    assert unread(known.office, MAYOR, [the_dossier(known, number).id]), "counting reads none"
    write_message(known.office, MAYOR, number, "Une réponse.")
    page = desk.open(address)
    assert "nouveau message" not in page.text
    assert f'<a href="{address}/messages"' in page.html
    assert "Lire les messages (2)" in page.text
    assert "Écrire un message" in page.text
    known.decide(number, "refuser", reason="Place prise.")
    page = desk.open(address)
    assert "Lire les messages (2)" in page.text
    assert "Écrire un message" not in page.text


def test_the_agents_desk_shows_who_waits_for_an_answer(known: PortalClient) -> None:
    number = known.sent()
    known.send(f"/dossiers/{number}/messages", body="Une question.")
    desk = as_an_agent(known)
    assert "1 nouveau message" in desk.open("/agent").text
    assert "1 nouveau message" in desk.open(f"/agent/dossiers/{number}").text
    assert "Une question." in desk.open(f"/agent/dossiers/{number}/messages").text
    desk.send(f"/agent/dossiers/{number}/messages", body="Une réponse.")
    assert "Une réponse." in desk.follow().text
    assert "nouveau message" not in desk.open("/agent").text
    assert "Une réponse." in known.open(f"/dossiers/{number}/messages").text
    assert "Le service" in known.page.text
