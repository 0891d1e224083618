"""A code that is late, wrong, or never comes keeps nobody from filling a request in; nothing else is theirs until it is typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.core.values import group_number
from engine.services.limits.code_limits import PER_BROWSER
from renderers.web.platform.access import serves_unproven
from tests.web.client import ANSWERS, PHONE, PortalClient, Seen, a_portal_client, another, later, picture

pytestmark = pytest.mark.slow  # a whole site for each test

OTHER = "91445566"
BAR = "Votre numéro n’est pas encore vérifié"


@pytest.fixture
def visitor(tmp_path: Path) -> PortalClient:
    return a_portal_client(tmp_path)


def asked_for_a_code(visitor: PortalClient, phone: str = PHONE) -> Seen:
    """Somebody who wants to begin and stands before the page of the code."""
    visitor.post("/demarches/essai/commencer", **visitor.open("/demarches/essai/verifier?majeur=oui").form())
    assert visitor.page.address == "/connexion"
    visitor.send("/connexion", phone=phone)
    return visitor.follow()


def without_code(visitor: PortalClient, phone: str = PHONE) -> str:
    """A draft begun without the code; its number."""
    page = asked_for_a_code(visitor, phone)
    visitor.post("/connexion/sans-code", csrf_token=page.value("csrf_token"))
    assert visitor.page.status == 303, visitor.page.text
    return visitor.page.address.split("/")[2]


def filled(visitor: PortalClient, phone: str = PHONE) -> str:
    number = without_code(visitor, phone)
    base = f"/dossiers/{number}/demande"
    visitor.send(f"{base}/vous", **ANSWERS, go="next")
    visitor.send(f"{base}/aides", go="next")
    visitor.send(visitor.page.address, **{"file:carte": picture(), "file:photo": picture(), "go": "next"})
    assert visitor.page.address == f"/dossiers/{number}/verification", visitor.page.text
    return number


def type_code(visitor: PortalClient, phone: str = PHONE) -> Seen:
    return visitor.send("/connexion/code", code=visitor.code(phone))


# -- going on ----------------------------------------------------------------------------------------------------------


def test_the_page_of_the_code_offers_to_go_on_without_it(visitor: PortalClient) -> None:
    page = asked_for_a_code(visitor)
    assert "Nous vérifierons votre numéro avant l’envoi." in page.text
    assert "/connexion/sans-code" in page.html


def test_a_start_that_was_left_is_not_the_next_person_s(visitor: PortalClient) -> None:
    """It names the procedure and answers, on a shared device for 30 days."""
    asked_for_a_code(visitor)
    later(visitor, minutes=31)
    visitor.send("/connexion", phone=OTHER)
    assert "/connexion/sans-code" not in visitor.follow().html
    assert type_code(visitor, OTHER).address == "/dossiers"
    assert visitor.open("/dossiers").html.count("/dossiers/2") == 0


def test_who_only_signs_in_is_led_to_a_procedure_first(visitor: PortalClient) -> None:
    visitor.send("/connexion", phone=PHONE)
    page = visitor.follow()
    assert "/connexion/sans-code" not in page.html
    assert "Vous commencez une nouvelle demande ?" in page.text
    visitor.post("/connexion/sans-code", csrf_token=page.value("csrf_token"))
    assert visitor.page.address == "/connexion"
    assert visitor.open("/dossiers").status == 303


@pytest.mark.parametrize("rest", ["", "/paiement", "/rendez-vous", "/messages"])
def test_the_page_of_the_code_leads_back_to_the_draft_and_not_to_itself(visitor: PortalClient, rest: str) -> None:
    number = without_code(visitor)
    visitor.open(f"/dossiers/{number}{rest}")
    page = visitor.follow()
    assert "Revenir à mon brouillon" in page.text
    assert f'href="/dossiers/{number}/demande"' in page.html
    assert visitor.open(f"/dossiers/{number}/demande").status == 200


def test_all_is_filled_in_without_a_code_and_every_page_says_so(visitor: PortalClient) -> None:
    number = filled(visitor)
    for address in ("verification", "demande", "demande/vous"):
        page = visitor.open(f"/dossiers/{number}/{address}")
        assert page.status == 200
        assert BAR in page.text
        assert "pas encore envoyé" in page.text
    assert "Votre brouillon : Étal de marché. Pas encore envoyé" in visitor.open("/").text
    assert BAR in visitor.page.text
    assert number[:2] in visitor.open("/dossiers").text
    assert BAR not in visitor.open("/demarches").text


def test_known_or_not_a_number_is_answered_alike(visitor: PortalClient) -> None:
    known = another(visitor).sign_in(OTHER)
    assert known.begin()
    later(visitor, minutes=20)
    told = []
    for phone in (OTHER, "92000001"):
        stranger = another(visitor)
        page = asked_for_a_code(stranger, phone)
        stranger.post("/connexion/sans-code", csrf_token=page.value("csrf_token"))
        first = stranger.follow()
        told.append([one.text.replace(phone, "") for one in (first, stranger.open("/dossiers"))])
        told[-1] = [" ".join(word for word in text.split() if not word.isdigit()) for text in told[-1]]
    assert told[0] == told[1]


def test_another_browser_does_not_see_it(visitor: PortalClient) -> None:
    number = without_code(visitor)
    stranger = another(visitor)
    assert stranger.open(f"/dossiers/{number}/demande").address.startswith("/connexion?suite=")
    stranger.sign_in(OTHER)
    assert stranger.open(f"/dossiers/{number}/demande").status == 404
    owner = another(visitor)
    later(visitor, minutes=6)
    owner.sign_in(PHONE)
    assert owner.open(f"/dossiers/{number}/demande").status == 404, "the number alone does not lead to it"
    assert "Vous n’avez" in owner.open("/dossiers").text


def test_nor_does_a_browser_without_code_see_what_others_have(visitor: PortalClient) -> None:
    owner = another(visitor).sign_in(PHONE)
    theirs = owner.begin()
    later(visitor, minutes=6)
    without_code(visitor, PHONE)
    for address in (f"/dossiers/{theirs}/demande", f"/dossiers/{theirs}/demande/vous"):
        assert visitor.open(address).address.startswith("/connexion/code?suite=")
    seen = visitor.open("/dossiers").html.replace("\u00a0", " ")
    assert theirs not in seen
    assert group_number(theirs).replace("\u00a0", " ") not in seen


# -- proving -----------------------------------------------------------------------------------------------------------


def test_a_code_that_comes_late_is_taken_and_leads_back(visitor: PortalClient) -> None:
    number = without_code(visitor)
    visitor.send(f"/dossiers/{number}/demande/vous", **ANSWERS, go="next")
    later(visitor, minutes=9)
    here = f"/dossiers/{number}/demande/aides"
    visitor.open(here)
    assert "même tard" in visitor.open(f"/connexion/code?suite={here}").text
    assert type_code(visitor).address == here
    assert BAR not in visitor.open(here).text
    assert 'value="AMEGAN"' in visitor.open(f"/dossiers/{number}/demande/vous").html
    with visitor.office.store.unit() as unit:
        dossier = unit.dossier_numbered(number)
        owner = unit.account(dossier.owner) if dossier else None
        kinds = [one.kind for one in unit.entries(dossier.id)] if dossier else []
    assert owner is not None
    assert (owner.login, dossier and dossier.contact_phone) == (f"+228{PHONE}", f"+228{PHONE}")
    assert (kinds.count("opened"), kinds[-1]) == (1, "adopted")


def test_a_wrong_code_and_one_that_is_over_lose_nothing(visitor: PortalClient) -> None:
    number = without_code(visitor)
    assert visitor.send("/connexion/code", code="000000").status == 422
    assert visitor.open(f"/dossiers/{number}/demande/vous").status == 200
    later(visitor, minutes=11)
    assert visitor.send("/connexion/code", code=visitor.code()).status == 422
    form = visitor.open("/connexion/code").form("again")
    visitor.post("/connexion", **form)
    assert type_code(visitor).status == 303
    assert visitor.open(f"/dossiers/{number}/demande/vous").status == 200


def test_too_many_tries_leave_the_way_on(visitor: PortalClient) -> None:
    for n in range(41):
        asked_for_a_code(visitor, f"90{n:06d}")
    page = visitor.page
    assert (page.status, page.response.headers["Retry-After"]) == (429, "960")
    assert "Attendez jusqu’au" in page.text
    visitor.post("/connexion/sans-code", csrf_token=page.value("csrf_token"))
    assert visitor.page.address.startswith("/dossiers/")


def test_a_number_typed_wrong_is_changed_from_the_page_of_the_code(visitor: PortalClient) -> None:
    number = without_code(visitor, OTHER)
    assert "/connexion?brouillon=1" in visitor.open("/connexion/code").html
    visitor.send("/connexion?brouillon=1", phone=PHONE)
    assert type_code(visitor).status == 303
    assert visitor.open(f"/dossiers/{number}/demande/vous").status == 200
    later(visitor, minutes=6)
    assert another(visitor).sign_in(OTHER).open(f"/dossiers/{number}/demande").status == 404


def test_sending_asks_for_the_code_and_then_sends(visitor: PortalClient) -> None:
    number = filled(visitor)
    assert "nous vous demanderons le code" in visitor.open(f"/dossiers/{number}/verification").text
    visitor.send(f"/dossiers/{number}/verification", declared="1")
    assert visitor.page.address == "/connexion/code"
    assert "Dernière étape avant l’envoi" in visitor.follow().text
    assert type_code(visitor).address == f"/dossiers/{number}/envoye"
    assert visitor.follow().status == 200
    with visitor.office.store.unit() as unit:
        dossier = unit.dossier_numbered(number)
        letters = unit.letters_of(dossier.id) if dossier else ()
    assert dossier is not None
    assert dossier.submitted_at is not None
    assert {letter.to for letter in letters if letter.channel == "sms"} == {f"+228{PHONE}"}


def test_nothing_is_sent_undeclared_or_changed_since(visitor: PortalClient) -> None:
    number = filled(visitor)
    visitor.send(f"/dossiers/{number}/verification")
    assert visitor.page.status == 422, "the declaration comes first"
    visitor.send(f"/dossiers/{number}/verification", declared="1")
    visitor.send(f"/dossiers/{number}/demande/vous", **{**ANSWERS, "nom": "Kossi"}, go="next")
    assert type_code(visitor).address == f"/dossiers/{number}/verification"
    assert "KOSSI" in visitor.follow().text
    visitor.send(f"/dossiers/{number}/verification", declared="1")
    assert visitor.page.address == f"/dossiers/{number}/envoye"


@pytest.mark.parametrize("way", ["/connexion", "/suivi"])
def test_who_signs_in_later_at_a_shared_browser_submits_nothing(visitor: PortalClient, way: str) -> None:
    """Somebody declared a request under another person's number and left: that person only signs in."""
    number = filled(visitor)
    visitor.send(f"/dossiers/{number}/verification", declared="1")
    later(visitor, minutes=20)
    visitor.send(way, phone=PHONE, **({"number": number} if way == "/suivi" else {}))
    assert "votre demande part" not in visitor.follow().text
    type_code(visitor)
    visitor.follow()
    with visitor.office.store.unit() as unit:
        dossier = unit.dossier_numbered(number)
    assert dossier is not None
    assert dossier.submitted_at is None
    assert "/envoye" not in visitor.page.address


# -- what an account cannot simply have --------------------------------------------------------------------------------


@pytest.mark.parametrize("choice", ["this", "other"])
def test_a_draft_they_had_already_is_chosen_about(visitor: PortalClient, choice: str) -> None:
    owner = another(visitor).sign_in(PHONE)
    old = owner.begin()
    later(visitor, minutes=6)
    new = without_code(visitor)
    visitor.send(f"/dossiers/{new}/demande/vous", **ANSWERS, go="next")
    assert type_code(visitor).address == "/dossiers/de-cet-appareil"
    page = visitor.follow()
    assert "Vous avez déjà un brouillon de cette démarche" in page.text
    assert visitor.open(f"/dossiers/{old}/demande").status == 200, "nothing is lost before a choice"
    assert "attend sur cet appareil" in visitor.open("/dossiers").text
    assert visitor.send("/dossiers/de-cet-appareil").status == 422
    assert visitor.send("/dossiers/de-cet-appareil", **{f"d{new}": choice}).status == 303
    kept, gone = (new, old) if choice == "this" else (old, new)
    assert visitor.open(f"/dossiers/{kept}/demande").status == 200
    assert f"/dossiers/{kept}" in visitor.open("/dossiers").html
    assert f"/dossiers/{gone}" not in visitor.page.html
    assert "attend sur cet appareil" not in visitor.page.text


@pytest.mark.parametrize("choice", ["this", "other"])
def test_a_draft_begun_with_another_number_is_not_taken_for_granted(visitor: PortalClient, choice: str) -> None:
    number = without_code(visitor, OTHER)
    visitor.send("/connexion", phone=PHONE)
    assert type_code(visitor).address == "/dossiers/de-cet-appareil"
    assert "avec le numéro 91 44 55 66" in visitor.follow().text
    assert visitor.open(f"/dossiers/{number}/demande").status == 404
    visitor.send("/dossiers/de-cet-appareil", **{f"d{number}": choice})
    assert visitor.open(f"/dossiers/{number}/demande").status == (200 if choice == "this" else 404)


# -- leaving -----------------------------------------------------------------------------------------------------------


def test_leaving_forgets_what_was_begun(visitor: PortalClient) -> None:
    number = filled(visitor)
    assert "seront effacés" in visitor.open("/deconnexion").text
    visitor.send("/deconnexion")
    assert visitor.open(f"/dossiers/{number}/demande").address.startswith("/connexion?suite=")
    with visitor.office.store.unit() as unit:
        dossier = unit.dossier_numbered(number)
    assert dossier is not None
    assert (dict(dossier.answers), dossier.attachments, dossier.closed_at is not None) == ({}, (), True)


def test_a_draft_is_deleted_by_whoever_began_it(visitor: PortalClient) -> None:
    number = without_code(visitor)
    visitor.send(f"/dossiers/{number}/supprimer")
    assert "supprimé" in visitor.follow().text
    assert number[-4:] not in visitor.page.html


def test_so_many_begin_from_one_browser_and_no_more(visitor: PortalClient) -> None:
    page = asked_for_a_code(visitor)
    for _ in range(PER_BROWSER):
        stranger = another(visitor)
        with stranger.client.session_transaction() as kept, visitor.client.session_transaction() as mine:
            kept.update(mine)
        stranger.post("/connexion/sans-code", csrf_token=page.value("csrf_token"))
        assert stranger.page.address.startswith("/dossiers/"), stranger.page.text
    visitor.post("/connexion/sans-code", csrf_token=page.value("csrf_token"))
    assert visitor.page.status == 429


# -- nothing else ------------------------------------------------------------------------------------------------------

OPEN = {
    "resumable_uploads.receive", "resumable_uploads.so_far", "start.start", "catalogue.home", "catalogue.sheet", "form.drop", "form.attachment",
    "form.save", "form.show", "form.tasks", "rows.remove", "rows.save", "rows.show", "submit.send", "submit.verify",
    "tracking.dossiers",
}  # fmt: skip


def test_only_these_views_know_who_has_not_proven_their_number(visitor: PortalClient) -> None:
    views = visitor.client.application.view_functions
    assert {name for name, view in views.items() if serves_unproven(view)} == OPEN


def test_every_other_page_of_applicants_asks_for_the_code(visitor: PortalClient) -> None:
    """By the map of addresses: whatever is added later is asked too."""
    number = filled(visitor)
    app, asked = visitor.client.application, 0
    meant = {"number": number, "page_id": "vous", "row": "personnes.0"}
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        if getattr(view, "guard", "") != "citizen" or rule.endpoint in OPEN:
            continue
        values = {name: meant.get(name, "1") for name in rule.arguments}
        built = rule.build({**values, **(rule.defaults or {})}, append_unknown=False)
        assert built is not None
        for method in sorted((rule.methods or set()) & {"GET", "POST"}):
            asked += 1
            seen = Seen(
                visitor.client.open(built[1], method=method, data={"declared": "1"} if method == "POST" else None)
            )
            told = seen.status in (400, 401) or seen.address.startswith("/connexion/code?suite=")
            assert told, (rule.endpoint, method, seen.status, seen.address)
    assert asked > 50


def test_what_was_posted_elsewhere_comes_back_once_proven(visitor: PortalClient) -> None:
    number = filled(visitor)
    token = visitor.open(f"/dossiers/{number}/verification").value("csrf_token")
    visitor.post(f"/dossiers/{number}/messages", csrf_token=token, body="Bonjour")
    assert visitor.page.address == "/connexion/code?suite=%2Freprendre"
    visitor.follow()
    assert type_code(visitor).address == "/reprendre"
    assert 'value="Bonjour"' in visitor.follow().html
