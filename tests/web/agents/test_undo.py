"""What an agent takes back at once: each act is undone by its opposite, as an act of its own."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from engine.core.problems import Refused
from engine.records.dossier import Dossier
from engine.services.accounts.saved_views import saved_views
from engine.services.applications.casework import assign
from engine.services.applications.notes import annotate, annotations_of, is_followed, put_label
from engine.services.audit.integrity import fsck
from tests.engine.services.world import PASSPORT
from tests.web.agents.test_office_day import booked
from tests.web.agents.test_walk_ins import arrival, to_book
from tests.web.staff_site import DESK, GATEKEEPER, Seat, StaffSite, hidden, open_staff_site, read

pytestmark = pytest.mark.slow  # a whole site and its people for each test

SECOND = f"{GATEKEEPER}.2"
URGENT = "etiquettes.urgent"


@pytest.fixture
def staff_site(tmp_path: Path) -> StaffSite:
    return open_staff_site(tmp_path)


def at(dossier: Dossier) -> str:
    return f"/agent/dossiers/{dossier.number}"


def undone(seat: Seat, answer: TestResponse) -> str:
    """Press the button that follows an act. The text of the page that comes after."""
    page = seat.get(answer.headers["Location"].partition("#")[0]).get_data(as_text=True)
    (form,) = re.findall(
        r'<form method="post" action="([^"]+)" class="inline">((?:(?!</form>).)*)Annuler</button>', page, re.S
    )
    fields: dict[str, list[str]] = {}
    for name, value in re.findall(r'name="([^"]+)" value="([^"]*)"', form[1]):
        fields.setdefault(name, []).append(value)
    after = seat.client.post(form[0], data=fields)
    assert after.status_code == 303, read(after)
    return seat.see(after.headers["Location"].partition("#")[0])


@pytest.mark.parametrize("way", ["from the list", "the next", "on its page"])
def test_a_dossier_taken_goes_back_to_the_queue(staff_site: StaffSite, way: str) -> None:
    dossier, seat = staff_site.world.sent(PASSPORT), staff_site.agent(GATEKEEPER)
    if way == "from the list":
        took = seat.post("/agent/prendre", at="/agent", number=dossier.number)
    elif way == "the next":
        took = seat.post("/agent/suivant", at="/agent")
    else:
        took = seat.post(f"{at(dossier)}/attribution", at=at(dossier), vers="moi")
    assert staff_site.kept(dossier).assigned == staff_site.actor(GATEKEEPER).id
    assert "Ce dossier est rendu à la file." in undone(seat, took)
    assert staff_site.kept(dossier).assigned is None
    assert "Annuler" not in seat.see(at(dossier)), "one page later it is not offered any more"


def test_a_dossier_given_back_is_taken_again(staff_site: StaffSite) -> None:
    dossier, seat = staff_site.world.sent(PASSPORT), staff_site.agent(GATEKEEPER)
    seat.post(f"{at(dossier)}/attribution", at=at(dossier), vers="moi")
    seat.see(at(dossier))
    undone(seat, seat.post(f"{at(dossier)}/attribution", at=at(dossier), vers="file"))
    assert staff_site.kept(dossier).assigned == staff_site.actor(GATEKEEPER).id


def test_what_a_colleague_had_cannot_be_returned_to_them(staff_site: StaffSite) -> None:
    dossier, seat, other = staff_site.world.sent(PASSPORT), staff_site.agent(GATEKEEPER), staff_site.actor(SECOND)
    assign(staff_site.world.office, other, dossier.id, other.id)
    for address, fields in (
        (f"{at(dossier)}/attribution", {"vers": "moi"}),
        ("/agent/prendre", {"number": dossier.number}),
    ):
        page = seat.see(seat.post(address, at="/agent", **fields).headers["Location"])
        assert "Ce dossier vous est attribué." in page
        assert "Annuler" not in page
        assign(staff_site.world.office, other, dossier.id, other.id)


def test_following_and_what_is_noted_are_undone(staff_site: StaffSite) -> None:
    dossier, seat, who = staff_site.world.sent(PASSPORT), staff_site.agent(GATEKEEPER), staff_site.actor(GATEKEEPER)
    office = staff_site.world.office
    undone(seat, seat.post(f"{at(dossier)}/suivre", at=at(dossier), suivre="1"))
    assert not is_followed(office, who, dossier.id)

    def noted(*options: str) -> TestResponse:
        fields = {**hidden(seat.get(f"{at(dossier)}/notes")), "annotation-etiquettes": list(options)}
        return seat.client.post(f"{at(dossier)}/annotations", data=fields)

    undone(seat, noted("urgent"))
    assert annotations_of(office, who, dossier.id).stored["etiquettes"].value is None
    seat.see(noted("urgent").headers["Location"].partition("#")[0])
    undone(seat, noted("a_revoir"))
    assert annotations_of(office, who, dossier.id).stored["etiquettes"].value == ["urgent"]


def test_what_a_colleague_noted_meanwhile_is_kept(staff_site: StaffSite) -> None:
    dossier, seat, other = staff_site.world.sent(PASSPORT), staff_site.agent(GATEKEEPER), staff_site.actor(SECOND)
    office = staff_site.world.office
    fields = {**hidden(seat.get(f"{at(dossier)}/notes")), "annotation-etiquettes": ["urgent"]}
    answer = seat.client.post(f"{at(dossier)}/annotations", data=fields)
    page = seat.get(answer.headers["Location"].partition("#")[0])
    mark = annotations_of(office, other, dossier.id).mark
    annotate(office, other, dossier.id, {"annotation-etiquettes": ["urgent", "a_revoir"]}, mark)
    (form,) = re.findall(r'annotations" class="inline">(.*?)Annuler', page.get_data(as_text=True), re.S)
    late = seat.client.post(
        f"{at(dossier)}/annotations", data=dict(re.findall(r'name="([^"]+)" value="([^"]*)"', form))
    )
    assert "Un collègue a modifié ces annotations entre-temps" in read(late)
    assert annotations_of(office, other, dossier.id).stored["etiquettes"].value == ["urgent", "a_revoir"]


def test_a_view_removed_is_kept_again(staff_site: StaffSite) -> None:
    seat, who, office = staff_site.agent(GATEKEEPER), staff_site.actor(GATEKEEPER), staff_site.world.office
    seat.post("/agent/vues", at=f"/agent?file=tous&demarche={PASSPORT}&tri=-recu", nom="Récents")
    (view,) = saved_views(office, who)
    undone(seat, seat.post(f"/agent/vues/{view.n}/oter", at="/agent"))
    (again,) = saved_views(office, who)
    assert (again.name, again.query) == (view.name, view.query)


def test_an_arrival_is_undone_with_and_without_an_appointment(staff_site: StaffSite) -> None:
    dossier = booked(staff_site, "+22890112233")
    staff_site.world.clock.instant = dossier.bookings["depot"].start
    seat, day_ = staff_site.agent(DESK), f"/agent/rendez-vous/{staff_site.world.office.day()}"
    assert "Arrivée annulée" in undone(seat, seat.post(day_, mark=f"{dossier.number}/depot/arrived"))
    assert staff_site.kept(dossier).bookings["depot"].arrived_at is None
    came = to_book(staff_site)
    answer = seat.post(arrival(came))
    assert staff_site.kept(came).bookings["depot"].arrived_at is not None
    page = seat.get(seat.get(answer.headers["Location"]).headers["Location"]).get_data(as_text=True)
    assert f'value="{came.number}/depot/undone"' in page


def test_labels_are_given_to_ticked_dossiers_and_taken_back_from_those_that_got_them(staff_site: StaffSite) -> None:
    world, seat, who = staff_site.world, staff_site.agent(GATEKEEPER), staff_site.actor(GATEKEEPER)
    first, second, erased = (world.sent(PASSPORT, world.applicant(f"+2289011{n:04}")) for n in range(3))
    mark = annotations_of(world.office, who, first.id).mark
    annotate(world.office, who, first.id, {"annotation-etiquettes": ["a_revoir", "urgent"]}, mark)
    world.force(staff_site.kept(erased), erased_at=world.office.now())
    page = seat.get("/agent?file=tous")
    ticks = {**hidden(page), "dossier": [first.number, second.number, erased.number], "poser": URGENT, "file": "tous"}
    answer = seat.client.post("/agent/etiqueter", data=ticks)
    assert answer.headers["Location"] == "/agent?file=tous"
    assert "1 dossier étiqueté « Urgent ». 1 dossier non : Les données de ce dossier sont effacées." in seat.see(
        answer.headers["Location"]
    )
    answer = seat.client.post("/agent/etiqueter", data={**ticks, "poser": "etiquettes.attente_piece", "token": "other"})
    listed = undone(seat, answer)
    assert "Étiquette « Attente pièce » ôtée de 2 dossiers." in listed
    stored = [annotations_of(world.office, who, one.id).stored.get("etiquettes") for one in (first, second)]
    assert [one.value if one else None for one in stored] == [["urgent", "a_revoir"], ["urgent"]]
    assert fsck(world.office) == ()


def test_labels_need_a_tick_a_known_label_and_a_visible_dossier(staff_site: StaffSite) -> None:
    dossier, seat = staff_site.world.sent(PASSPORT), staff_site.agent(GATEKEEPER)
    assert seat.post("/agent/etiqueter", at="/agent", poser=URGENT).status_code == 409
    assert (
        seat.post("/agent/etiqueter", at="/agent", poser="etiquettes.rien", dossier=dossier.number).status_code == 409
    )
    stranger = staff_site.agent("mairie.maire")
    assert stranger.post("/agent/etiqueter", at="/agent", poser=URGENT, dossier=dossier.number).status_code == 404


def test_their_own_request_gets_no_label(staff_site: StaffSite) -> None:
    dossier = staff_site.world.sent(PASSPORT)
    own = replace(staff_site.actor(GATEKEEPER), contacts=frozenset({dossier.contact_phone or ""}))
    with pytest.raises(Refused, match="own_dossier"):
        put_label(staff_site.world.office, own, dossier.id, URGENT, given=True)
