"""Signing in by e-mail: a link that serves once, for ten minutes, in the browser that asked for it."""

from __future__ import annotations

import re

import pytest

from engine.core.problems import Refused
from engine.services.limits.code_limits import LINKS_PER_EMAIL
from engine.services.sign_in import applicant_sign_in as accounts
from engine.services.sign_in import mail_links
from engine.services.sign_in.sessions import actor_of
from tests.engine.services.world import PHONE, World

EMAIL = "afi@exemple.tg"


def link_in(world: World, email: str = EMAIL) -> str:
    found = re.search(r"/connexion/lien/([\w-]+)", world.letters(email)[-1])
    assert found, world.letters(email)
    return found[1]


def refused(world: World, token: str, mark: str) -> str:
    with pytest.raises(Refused) as closed:
        mail_links.follow_link(world.office, token, mark)
    return closed.value.reason.code


def test_a_link_signs_in_once_in_the_browser_that_asked(world: World) -> None:
    sent = mail_links.send_link(world.office, " Afi@Exemple.TG ")
    assert (sent.email, sent.valid_minutes) == (EMAIL, 10)
    token = link_in(world)
    assert refused(world, token, "") == "link_elsewhere"
    assert refused(world, token, "another browser") == "link_elsewhere"
    signed = mail_links.follow_link(world.office, token, sent.mark)
    assert actor_of(world.office, signed.token) == signed.actor
    assert refused(world, token, sent.mark) == "link_over"


def test_the_same_person_comes_back(world: World) -> None:
    people = []
    for _ in range(2):
        sent = mail_links.send_link(world.office, EMAIL)
        people.append(mail_links.follow_link(world.office, link_in(world), sent.mark).actor.id)
    assert people[0] == people[1]


def test_ten_minutes(world: World) -> None:
    sent = mail_links.send_link(world.office, EMAIL)
    world.wait(minutes=10)
    assert mail_links.refusal_for_link(world.office, link_in(world), sent.mark) == "link_over"
    assert refused(world, link_in(world), sent.mark) == "link_over"


def test_looking_at_a_link_uses_nothing_up(world: World) -> None:
    sent = mail_links.send_link(world.office, EMAIL)
    for _ in range(3):
        assert mail_links.refusal_for_link(world.office, link_in(world), sent.mark) is None
    assert mail_links.follow_link(world.office, link_in(world), sent.mark)


@pytest.mark.parametrize(
    "raw", ["", "afi", "afi@", "a" * 300 + "@exemple.tg", "=?utf-8?q?a=0D=0AX-Y=3Az?=@x.tg", " +a@x.tg"]
)
def test_what_is_no_address(world: World, raw: str) -> None:
    with pytest.raises(Refused) as closed:
        mail_links.send_link(world.office, raw)
    assert closed.value.reason.code == "email_format"


def test_nobody_fills_a_letter_box(world: World) -> None:
    for _ in range(LINKS_PER_EMAIL):
        mail_links.send_link(world.office, EMAIL)
    with pytest.raises(Refused) as closed:
        mail_links.send_link(world.office, EMAIL)
    assert closed.value.reason.code == "too_many_tries"


def test_a_draft_of_who_came_by_mail_says_where_to_write(world: World) -> None:
    sent = mail_links.send_link(world.office, EMAIL)
    actor = mail_links.follow_link(world.office, link_in(world), sent.mark).actor
    world.people[actor.id] = actor
    draft = world.draft(owner=actor)
    assert (draft.contact_phone, draft.contact_email) == (None, EMAIL)


def test_a_phone_and_an_address_are_two_people_until_somebody_joins_them(world: World) -> None:
    sent = mail_links.send_link(world.office, EMAIL)
    by_mail = mail_links.follow_link(world.office, link_in(world), sent.mark).actor
    accounts.send_code(world.office, PHONE)
    found = re.search(r"code=([0-9]{6})", world.letters(PHONE)[-1])
    assert found
    assert accounts.check_code(world.office, PHONE, found[1]).actor.id != by_mail.id
