"""A seat held while it is confirmed, a waiting list, the link of a message, and what diaries are told."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlencode

import pytest
from icalendar import Calendar
from pypdf import PdfReader

from engine.services.appointments import bookings
from engine.services.audit.integrity import fsck
from engine.services.worker.worker import run_pass
from renderers.web.citizen import status
from tests.makers import the_procedure
from tests.web.client import STALL, PortalClient, a_portal_client, another, later

pytestmark = pytest.mark.slow  # a whole site and its people for each test

OTHER = "91223344"


@pytest.fixture
def known(tmp_path: Path) -> PortalClient:
    return a_portal_client(tmp_path).sign_in()


@pytest.fixture
def rival(known: PortalClient) -> PortalClient:
    return another(known).sign_in(OTHER)


def ready(visitor: PortalClient) -> str:
    """A dossier whose visit is to be booked; the address of its slots."""
    number = visitor.sent()
    visitor.decide(number, "accorder")
    visitor.send(f"/dossiers/{number}/paiement", provider="argent", payer="90000001")
    return f"/dossiers/{number}/rendez-vous"


def starts(visitor: PortalClient, address: str) -> list[str]:
    return re.findall(r'name="start" value="([^"]+)"', visitor.open(f"{address}?changer=1").html)[1:]


def touch(visitor: PortalClient, address: str, start: str) -> PortalClient:
    """Touches a slot, and reads the page that asks to confirm it."""
    visitor.post(f"{address}/confirmer", **{**visitor.open(f"{address}?changer=1").form("bureau"), "start": start})
    visitor.follow()
    return visitor


def take(visitor: PortalClient, address: str, start: str) -> PortalClient:
    touch(visitor, address, start)
    visitor.post(address, **visitor.page.form("start"))
    visitor.follow()
    return visitor


def told(visitor: PortalClient, phone: str) -> list[str]:
    """Every SMS, the oldest first."""
    with visitor.office.store.unit() as unit:
        return [one.body for one in sorted(unit.letters_to(f"+228{phone}", 200), key=lambda one: one.created_at)]


def test_the_slots_say_that_the_visit_can_be_moved_where_it_can(known: PortalClient) -> None:
    address = ready(known)
    moves = "Vous pouvez changer de rendez-vous"
    assert f"{moves} 2 fois, au plus tard 1 jour avant." in known.open(address).text.replace("\u2011", "-")
    take(known, address, starts(known, address)[0])
    assert moves not in known.open(f"{address}?changer=1").text.replace("\u2011", "-"), (
        "the page of the visit says how often"
    )


# -- a seat held -------------------------------------------------------------------------------------------------------


def test_a_slot_is_kept_while_it_is_confirmed(known: PortalClient, rival: PortalClient) -> None:
    mine, theirs = ready(known), ready(rival)
    first = starts(known, mine)[0]
    assert 'class="mark">Adresse et horaires à confirmer<' in known.page.html, "not the appointment"
    assert "Ce créneau est gardé pour vous jusqu’à 12 h 10" in touch(known, mine, first).page.text
    assert first not in starts(rival, theirs)
    rival.post(f"{theirs}/confirmer", **{**rival.open(theirs).form("bureau"), "start": first})
    assert rival.page.status == 409
    assert "vient d’être pris" in rival.page.text
    later(known, minutes=9)
    known.post(mine, **known.page.form("start"))
    assert "Votre rendez-vous est confirmé" in known.follow().text
    assert fsck(known.office) == ()


def test_the_page_of_a_request_says_an_appointment_once(known: PortalClient) -> None:
    address = ready(known)
    take(known, address, starts(known, address)[0])
    page = known.open(address.removesuffix("/rendez-vous"))
    assert re.findall(rf'href="{address}[^"]*"', page.html) == [f'href="{address}"'], "in the box of the status"
    assert "<h2>Rendez-vous</h2>" not in page.html


def test_a_slot_kept_too_long_is_free_by_itself(known: PortalClient, rival: PortalClient) -> None:
    mine, theirs = ready(known), ready(rival)
    first, second = starts(known, mine)[:2]
    touch(known, mine, first)
    touch(known, mine, second)
    assert first in starts(rival, theirs), "one slot at a time"
    later(known, minutes=10)
    assert "Votre rendez-vous est confirmé" in take(rival, theirs, second).page.text
    touch(known, mine, first)
    assert "gardé" in known.page.text


def test_where_too_many_are_kept_a_slot_is_booked_all_the_same(
    known: PortalClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account of an e-mail address behind an address that keeps many slots."""
    monkeypatch.setattr(bookings, "HELD_PER_ADDRESS", 1)
    mine = ready(known)
    with known.office.store.unit(write=True) as unit:
        account = unit.account_of("applicant", "+22890112233")
        assert account is not None
        unit.put_account(replace(account, login="afi@exemple.tg"))
    first, second = starts(known, mine)[:2]
    assert "Ce créneau est gardé pour vous" in touch(known, mine, first).page.text
    assert "n’est pas gardé pour vous" in touch(known, mine, second).page.text
    known.post(mine, **known.page.form("start"))
    assert "Votre rendez-vous est confirmé" in known.follow().text


# -- how often it is changed -------------------------------------------------------------------------------------------


def test_who_changed_as_often_as_allowed_is_told_what_else_to_do(known: PortalClient) -> None:
    mine = ready(known)
    slots = starts(known, mine)
    take(known, mine, slots[0])
    assert "Vous pouvez encore le changer 2 fois." in known.page.text
    counts = "En prendre un autre ensuite compte comme un changement : il en reste"
    assert f"{counts} 2." in known.open(f"{mine}/annuler").text
    for start in slots[1:3]:
        take(known, mine, start)
    none = (
        "Ce rendez-vous a été changé autant de fois que permis. "
        "Cette date ne vous convient plus ? Appelez le 22 00 00 00, ou annulez ce rendez-vous."
    )
    for address in (mine, f"{mine}?changer=1", f"{mine}?bureau=mairie", link_of(known), f"{link_of(known)}?changer=1"):
        page = known.open(address)
        assert none in page.text, address
        assert "Changer de rendez-vous" not in page.text
        assert "Aucun créneau" not in page.text
        assert "/annuler" in page.html
    for address in (mine, link_of(known)):
        typed = urlencode({"bureau": "mairie", "start": slots[4]})
        known.open(f"{address}/confirmer?{typed}")
        assert none in known.follow().text, "nothing is offered that would be refused"
    told = known.open(f"{mine}/annuler").text
    assert counts not in told
    assert "le délai de votre dossier ne s’arrêtera plus" in told
    assert "as often as allowed. This date no longer suits you?" in known.open(f"{mine}?lang=en").text


def test_a_visit_that_is_never_changed_says_so(tmp_path: Path) -> None:
    book = STALL.replace("    lead: 1 day", "    lead: 1 day\n    moves: {times: 0, until: 1 day}")
    known = a_portal_client(tmp_path, book).sign_in()
    mine = ready(known)
    take(known, mine, starts(known, mine)[-1])
    assert "Ce rendez-vous ne se change pas. Cette date ne vous convient plus ?" in known.page.text
    assert "Changer de rendez-vous" not in known.page.text


def test_the_form_of_a_visit_names_it_and_its_page_leads_to_the_form(tmp_path: Path) -> None:
    book = STALL.replace("attend: remise,", "attend: remise, issues: fiche,")
    known = a_portal_client(tmp_path, book + "  fiche: {title: Fiche du rendez-vous, kind: form}\n").sign_in()
    mine = ready(known)
    shown = re.search(r"/dossiers/\d+/documents/[^\"]+", known.open(mine.removesuffix("/rendez-vous")).html)
    assert shown
    assert "Valable jusqu" not in known.open(shown[0]).text
    assert "Rendez-vous\nRemise" not in _printed(known, shown[0])
    take(known, mine, starts(known, mine)[-1])
    assert shown[0] in known.page.html
    when = re.search(r"Date\s+(.+? à \d+ h(?: \d+)?)", known.page.text.replace("\xa0", " "))
    assert when
    assert f"Remise de la clé {when[1].lower()}" in _printed(known, shown[0])


def _printed(known: PortalClient, document: str) -> str:
    [page] = PdfReader(io.BytesIO(known.open(f"{document}.pdf").response.data)).pages
    return page.extract_text().replace("\xa0", " ")


# -- the waiting list --------------------------------------------------------------------------------------------------


def test_who_waits_is_told_when_a_seat_is_freed(known: PortalClient, rival: PortalClient) -> None:
    mine, theirs = ready(known), ready(rival)
    take(known, mine, starts(known, mine)[0])
    rival.post(f"{theirs}/attendre", **rival.open(theirs).form("bureau"))
    assert "Vous êtes sur la liste d’attente" in rival.follow().text
    assert "Me prévenir si une place se libère" not in rival.page.text
    followed = theirs.removesuffix("/rendez-vous")
    assert "Vous êtes sur la liste d’attente" in rival.open(followed).text
    known.send(f"{mine}/annuler")
    freed = [body for body in told(known, OTHER) if "Une place est libre" in body]
    assert len(freed) == 1
    assert not [body for body in told(known, "90112233") if "Une place est libre" in body]

    take(known, mine, starts(known, mine)[0])
    known.send(f"{mine}/annuler")
    assert len([body for body in told(known, OTHER) if "Une place est libre" in body]) == 1, "not twice the same day"
    take(rival, theirs, starts(rival, theirs)[0])
    assert "liste d’attente" not in rival.open(followed).text
    assert "liste d’attente" not in rival.open(f"{theirs}?changer=1").text.split("Aucun jour")[0]


def test_nobody_is_told_who_waits_no_more(known: PortalClient, rival: PortalClient) -> None:
    mine, theirs = ready(known), ready(rival)
    take(known, mine, starts(known, mine)[0])
    form = rival.open(theirs).form("bureau")
    rival.post(f"{theirs}/attendre", **form)
    rival.post(f"{theirs}/attendre", **rival.follow().form("bureau"), stop="1")
    assert "Vous n’êtes plus sur la liste" in rival.follow().text
    known.send(f"{mine}/annuler")
    assert not [body for body in told(known, OTHER) if "Une place est libre" in body]


def test_who_may_only_read_takes_nobody_off_the_list(known: PortalClient, rival: PortalClient) -> None:
    mine, theirs = ready(known), ready(rival)
    take(known, mine, starts(known, mine)[0])
    rival.post(f"{theirs}/attendre", **rival.open(theirs).form("bureau"))
    rival.post(f"{theirs.removesuffix('/rendez-vous')}/personnes", **{
        **rival.open(f"{theirs.removesuffix('/rendez-vous')}/personnes").form("phone"), "phone": "92334455", "role": "reader",
    })  # fmt: skip
    reader = another(known).sign_in("92334455")
    mandate = re.findall(r'name="mandate" value="([^"]+)"', reader.open("/compte/entreprises").html)
    reader.post("/compte/agir", csrf_token=reader.page.value("csrf_token"), mandate=mandate[-1])
    form = reader.open(theirs).form("csrf_token")
    reader.post(f"{theirs}/attendre", **{**form, "stop": "1"})
    assert reader.page.status == 409, reader.page.text
    known.send(f"{mine}/annuler")
    assert len([body for body in told(known, OTHER) if "Une place est libre" in body]) == 1


# -- the link of a message ---------------------------------------------------------------------------------------------


def link_of(visitor: PortalClient, phone: str = "90112233") -> str:
    found = re.findall(r"http://localhost(/r/\w+)", " ".join(told(visitor, phone)))
    assert found, told(visitor, phone)
    return found[-1]


def test_a_visit_is_moved_and_cancelled_from_its_message(known: PortalClient) -> None:
    mine = ready(known)
    take(known, mine, starts(known, mine)[0])
    link, nobody = link_of(known), another(known)
    assert "originaux" not in told(known, "90112233")[-1], "none is brought here: the page of the link says what is"
    page = nobody.open(link)
    assert page.status == 200
    assert "Votre rendez-vous" in page.text
    assert "AMEGAN" not in page.text
    assert page.response.headers["Cache-Control"] == "no-store"
    second = starts(nobody, link)[0]
    assert "Il remplace votre rendez-vous : " not in page.text
    confirming = touch(nobody, link, second).page.text
    assert "gardé pour vous" in confirming
    assert "Il remplace votre rendez-vous : " in confirming
    chosen = nobody.page.form("start")
    nobody.post(link, **chosen)
    assert "Votre rendez-vous est confirmé" in nobody.follow().text
    assert link_of(known) == link, "one visit has one link"
    nobody.send(f"{link}/annuler")
    assert "Votre rendez-vous est annulé" in nobody.follow().text
    assert "Vous n’avez pas de rendez-vous" in nobody.page.text
    with known.office.store.unit() as unit:
        dossier = unit.dossier_numbered(mine.split("/")[2])
    assert dossier
    for rest in ("", "/confirmer", "/attendre"):
        nobody.post(f"{link}{rest}", **{**chosen, "token": f"again{rest}", "revision": dossier.revision})
        assert "Vous n’avez pas de rendez-vous" in nobody.follow().text, "it books no other visit"
    assert nobody.open(mine).status == 303, "it opens nothing else"
    assert fsck(known.office) == ()


def test_reminders_carry_the_link(known: PortalClient) -> None:
    mine = ready(known)
    first = starts(known, mine)[-1]
    take(known, mine, first)
    with known.office.store.unit() as unit:
        (timer, *_) = [
            one for one in unit.due_timers(known.clock.now() + timedelta(days=60), 50) if "reminder" in one.name
        ]
    later(known, seconds=(timer.due_at - known.clock.now()).total_seconds() + 1)
    run_pass(known.office)
    reminders = [body for body in told(known, "90112233") if "Rappel" in body]
    assert reminders
    assert link_of(known) in reminders[-1]


def test_a_reminder_is_promised_where_one_is_still_to_come(known: PortalClient) -> None:
    """The day before a visit its reminder, sent in the morning, is past: the page promised it all the same."""
    promise, mine = "Un SMS vous le rappelle avant la date.", ready(known)
    take(known, mine, starts(known, mine)[-1])
    assert promise in known.page.text
    known.send("/compte/messages", reminders="")
    assert promise not in known.open(mine).text, "reminders are not wanted"
    known.send("/compte/messages", reminders="1")
    assert promise in known.open(mine).text
    with known.office.store.unit() as unit:
        dossier = unit.dossier_numbered(mine.split("/")[2])
    assert dossier is not None
    later(known, seconds=(dossier.bookings["remise"].start - known.clock.now()).total_seconds() - 20 * 3600)
    run_pass(known.office)
    page = another(known).open(link_of(known))
    assert page.status == 200
    assert promise not in page.text, "it was sent"


@pytest.mark.parametrize("token", ["a", "a" * 19, "aaaaaaab" + "c" * 11, "é" * 19, "a" * 60, "26482911374abcdefgh"])
def test_another_link_opens_nothing(known: PortalClient, token: str) -> None:
    mine = ready(known)
    take(known, mine, starts(known, mine)[0])
    right = link_of(known).removeprefix("/r/")
    for one in (token, right[:-1] + ("a" if right[-1] != "a" else "b"), right[:8]):
        for rest in ("", "/confirmer", "/annuler", ".ics"):
            assert another(known).open(f"/r/{one}{rest}").status == 404


def test_guessing_ends(known: PortalClient) -> None:
    mine = ready(known)
    take(known, mine, starts(known, mine)[0])
    right = link_of(known)
    thief = another(known)
    seen = {thief.open(right[:-3] + f"a{at:02d}".translate(str.maketrans("0189", "wxyz"))).status for at in range(25)}
    assert seen == {404, 429}
    assert thief.open(right).status == 200, "a link that is right is heard, whoever guessed at this address"


# -- diaries -----------------------------------------------------------------------------------------------------------


def test_a_diary_follows_the_visit(known: PortalClient) -> None:
    mine = ready(known)
    first, second = starts(known, mine)[:2]
    take(known, mine, first)
    booked = diary(known, mine)
    take(known, mine, second)
    moved = diary(known, mine)
    known.send(f"{mine}/annuler")
    cancelled = diary(known, mine)
    assert booked[0] == moved[0] == cancelled[0], "one entry of the diary"
    assert booked[1] < moved[1] < cancelled[1]
    assert [one[2] for one in (booked, moved, cancelled)] == ["PUBLISH", "PUBLISH", "CANCEL"]
    assert [one[3] for one in (booked, moved, cancelled)] == ["CONFIRMED", "CONFIRMED", "CANCELLED"]


def diary(visitor: PortalClient, address: str) -> tuple[str, int, str, str]:
    """UID, SEQUENCE, METHOD, STATUS."""
    read = Calendar.from_ical(visitor.open(f"{address}.ics?quoi=remise").html)
    (event,) = read.walk("VEVENT")
    return str(event["UID"]), int(event["SEQUENCE"]), str(read["METHOD"]), str(event["STATUS"])


# -- two pages open ----------------------------------------------------------------------------------------------------


def test_a_page_whose_slot_is_no_longer_kept_says_so(known: PortalClient, rival: PortalClient) -> None:
    mine, theirs = ready(known), ready(rival)
    first, second = starts(known, mine)[:2]
    touch(known, mine, first)
    held = f"{mine}/confirmer?{urlencode({'bureau': known.page.value('bureau'), 'start': first})}"
    touch(known, mine, second)
    assert "Ce créneau n’est pas gardé pour vous" in known.open(held).text
    take(rival, theirs, first)
    known.open(held)
    assert "Ce créneau vient d’être pris" in known.follow().text
    assert first not in known.page.html


def test_a_second_page_shows_the_visit_that_the_first_one_took(known: PortalClient) -> None:
    mine = ready(known)
    first, second = starts(known, mine)[:2]
    touch(known, mine, second)
    left_open = known.page.form("start")
    take(known, mine, first)
    known.post(mine, **left_open)
    text = known.follow().text
    assert "Vous n’en avez qu’un" in text
    assert "Ce dossier a été modifié ailleurs" not in text
    assert fsck(known.office) == ()


def test_the_page_of_a_slot_that_is_theirs_already_leads_to_their_visit(known: PortalClient) -> None:
    mine = ready(known)
    first = starts(known, mine)[0]
    touch(known, mine, first)
    left_open = known.page.form("start")
    known.post(mine, **left_open)
    known.follow()
    assert known.post(mine, **{**left_open, "token": "another"}).status == 303
    assert "Vous n’en avez qu’un" not in known.follow().text
    assert "Votre rendez-vous" in known.page.text


def test_a_day_of_many_slots_is_folded_and_the_next_days_stand_beside_it(tmp_path: Path) -> None:
    busy = a_portal_client(tmp_path, STALL.replace("lasts: 30 minutes\n    hours: [08:00-09:00]", "lasts: 5 minutes"))
    address = ready(busy.sign_in())
    html = busy.open(address).html
    days = re.findall(r"<summary>([^<]+)<br>(\d+) créneaux, de ", html)
    assert len(days) == 3, "however many slots each has"
    assert html.count('name="start"') == 1 + sum(int(count) for _, count in days)
    after = busy.open(address + html.partition(f'href="{address}')[2].partition('"')[0].replace("&amp;", "&")).html
    assert days[-1][0] not in after, "the next page begins on another day"


def test_a_register_that_is_asked_is_no_missing_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "say", lambda key, **facts: key)
    procedure = the_procedure("duplicata-certificat-nationalite")
    asked = {
        state: status._when(
            SimpleNamespace(procedure=procedure, dossier=SimpleNamespace(state=state)),  # type: ignore[arg-type]
            SimpleNamespace(booking=None, who="us", until=None), ahead=False,  # type: ignore[arg-type]
        )
        for state in ("interrogation", "verification")
    }  # fmt: skip
    assert asked == {"interrogation": "track.by_itself", "verification": "track.no_date"}
