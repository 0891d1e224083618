"""The public's desk: from finding a procedure to holding its document, and everything that goes wrong on the way."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from engine.core.clock import FixedClock
from engine.core.values import group_number, new_id
from engine.language.catalogue.catalogue import Catalogue
from engine.records.dossier import Account, Actor, OutboundMessage
from engine.services.applications import draft_answers as answering
from engine.services.applications.opinions import fill_form
from engine.services.appointments.bookings import mark
from engine.services.context.app_context import AppSettings
from engine.services.limits.code_limits import CHECKS_PER_BROWSER
from engine.services.payments import settlement
from engine.services.payments.receipts import receipt_code
from engine.services.worker.worker import run_timers
from engine.storage.results import Busy
from renderers.web.citizen import payments, tracking
from renderers.web.platform.access import check_guards
from server import Settings, create_app
from tests.makers import a_procedure, the_shared
from tests.web.citizen.test_later_forms import serving
from tests.web.citizen.test_messages import as_an_agent
from tests.web.client import ANSWERS, MAYOR, PHONE, STALL, PortalClient, Seen, a_portal_client, another, later, picture
from tests.worker import start_payment, work_off

pytestmark = pytest.mark.slow  # a whole site for each test


@pytest.fixture
def visitor(tmp_path: Path) -> PortalClient:
    return a_portal_client(tmp_path, demo=True)


@pytest.fixture
def known(visitor: PortalClient) -> PortalClient:
    return visitor.sign_in()


# -- finding -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["étal", "ETAL", "marchés", "louer etal"])
def test_search_forgives_accents_capitals_and_plurals(visitor: PortalClient, query: str) -> None:
    assert "1 démarche trouvée" in visitor.open(f"/demarches?q={query}").text


def test_a_search_that_finds_nothing_proposes_the_nearest(visitor: PortalClient) -> None:
    page = visitor.open("/demarches?q=marcher+etale")
    assert "Aucun résultat pour « marcher etale »" in page.text
    assert "Étal de marché" in page.text


def test_a_search_is_shown_as_text(visitor: PortalClient) -> None:
    page = visitor.open("/demarches?q=<script>alert(1)</script>")
    assert "<script>alert" not in page.html
    assert "&lt;script&gt;" in page.html


def test_the_sheet_says_price_papers_steps_and_edition(visitor: PortalClient) -> None:
    text = visitor.open("/demarches/essai").text
    for said in ("5 000 FCFA", "5 jours ouvrés", "Carte d’identité", "Remise de la clé", "Version 1", "1 an"):
        assert said in text, said


def test_hours_that_were_not_checked_and_costs_elsewhere_are_said(visitor: PortalClient) -> None:
    help_page = visitor.open("/aide")
    assert "Adresse et horaires à confirmer" in help_page.text
    assert re.search(r"<details><summary>[^<]+ \(1\)</summary><ul>", help_page.html), (
        "two hundred offices are folded by agency"
    )
    text = visitor.open("/demarches/essai").text
    assert "Personne ne peut vous demander plus d’argent" not in text
    assert "coûter de l’argent ailleurs" in text


# -- eligibility -------------------------------------------------------------------------------------------------------


def test_an_answer_that_stops_is_explained_and_is_not_an_error(visitor: PortalClient) -> None:
    page = visitor.open("/demarches/essai/verifier?majeur=non")
    assert page.status == 200
    assert "Un parent doit le demander pour vous." in page.text
    assert "Erreur" not in page.title


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("instead_title: Bal des jeunes", "« Bal des jeunes » n’est pas encore en ligne."),
        ("type: yes_no", "La démarche qu’il vous faut n’est pas encore en ligne."),
    ],
)
def test_who_is_stopped_learns_where_to_go_instead(tmp_path: Path, named: str, said: str) -> None:
    book = STALL.replace(
        "because: Un parent doit le demander pour vous.", "because: Trop jeune., instead: autre, NAMED"
    )
    book = book.replace("NAMED", named)
    office = replace(a_portal_client(tmp_path).office, catalogue=Catalogue.of([a_procedure(book)], the_shared()))
    app = create_app(Settings(data=tmp_path, secret="test"), office)
    page = Seen(app.test_client().get("/demarches/essai/verifier?majeur=non"))
    assert "Ce que vous pouvez faire" in page.text
    assert f"{said} Demandez à ce service : Mairie" in page.text
    assert "Ce n’est pas une décision officielle. Si vous pensez que c’est une erreur, appelez le" in page.text
    assert "présentez-vous au service : Mairie" in page.text
    assert "Adresses et horaires" in page.text
    assert "/commencer" not in page.html.partition("<main")[2].partition("</main")[0], "a form would refuse them"


def test_no_answer_is_asked_again(visitor: PortalClient) -> None:
    page = visitor.open("/demarches/essai/verifier?etape=majeur")
    assert page.status == 422
    assert page.title.startswith("Erreur : ")
    assert "Répondez oui ou non" in page.text


def test_all_questions_before_a_request_stand_on_one_page(tmp_path: Path) -> None:
    """Posted together; what is wrong is said beside its question, and the other answers are kept."""
    asked = "  majeur: {ask: 'Avez-vous 18 ans ?'"
    more = "  age: {ask: Votre âge, type: integer, minimum: 1, stop_when: age > 99, because: Non.}\n"
    book = STALL.replace(
        asked, more + "  etal: {ask: Un étal, when: age > 50, stop_when: not etal, because: Non.}\n" + asked
    )
    first = a_portal_client(tmp_path)
    office = replace(first.office, catalogue=Catalogue.of([a_procedure(book)], the_shared()))
    visitor = replace(first, client=create_app(Settings(data=tmp_path, secret="test"), office).test_client())
    page = visitor.open("/demarches/essai/verifier")
    assert re.findall(r'name="etape" value="(.+?)"', page.html) == ["age", "majeur"]
    assert "Gardez votre téléphone près de vous" in page.text
    again = visitor.post("/demarches/essai/commencer", **{**page.form(), "age": "x", "majeur": "true"})
    shown = visitor.open(again.address)
    assert shown.title.startswith("Erreur : ")
    assert 'value="x"' in shown.html
    assert re.search(r'name="majeur" value="true"[^>]* checked', shown.html), "the other answer is kept"
    opened = visitor.post("/demarches/essai/commencer", **{**shown.form(), "age": "60", "majeur": "true"})
    assert re.findall(r'name="etape" value="(.+?)"', visitor.open(opened.address).html) == ["etal", "majeur"], (
        "asked by the first"
    )
    assert re.search(r'name="majeur" value="true"[^>]* checked', visitor.page.html)
    left = {**visitor.page.form(), "etal": "true"}
    assert visitor.post("/demarches/essai/commencer", **left).address == "/connexion"


def test_the_form_cannot_be_reached_around_the_question(known: PortalClient) -> None:
    form = known.open("/demarches/essai/verifier?majeur=oui").form()
    form["majeur"] = ["non"]
    assert known.post("/demarches/essai/commencer", **form).address.startswith("/demarches/essai/verifier")


# -- signing in --------------------------------------------------------------------------------------------------------


def test_what_was_begun_goes_on_after_the_code(visitor: PortalClient) -> None:
    visitor.post("/demarches/essai/commencer", **visitor.open("/demarches/essai/verifier?majeur=oui").form())
    assert visitor.page.address == "/connexion"
    visitor.send("/connexion", phone="+228 90-11-22-33")
    visitor.send("/connexion/code", code=visitor.code())
    assert re.fullmatch(r"/dossiers/\d{11}/demande/vous", visitor.page.address)


@pytest.mark.parametrize(("code", "said"), [("12", "Le code a 6 chiffres"), ("000000", "Ce code n’est pas le bon")])
def test_a_wrong_code_is_told(visitor: PortalClient, code: str, said: str) -> None:
    visitor.send("/connexion", phone=PHONE)
    page = visitor.send("/connexion/code", code=code)
    assert page.status == 422
    assert said in page.text


def test_a_code_that_never_comes_leaves_other_ways_in(visitor: PortalClient) -> None:
    visitor.send("/connexion", phone=PHONE)
    page = visitor.follow()
    for way in ("/connexion/courriel", "/connexion/numero-perdu"):
        assert f'href="{way}"' in page.html
    assert "présentez-vous au guichet" in page.text


def test_a_wrong_phone_keeps_what_was_typed(visitor: PortalClient) -> None:
    page = visitor.send("/connexion", phone="12")
    assert page.status == 422
    assert page.value("phone") == "12"


@pytest.mark.parametrize(
    "suite",
    ["//evil.tg", "https://evil.tg", "/\\evil.tg", "\t//evil.tg", "/nowhere", "javascript:alert(1)", "/v\u2028"],
)
def test_signing_in_never_leads_elsewhere(visitor: PortalClient, suite: str) -> None:
    visitor.send("/connexion", phone=PHONE, suite=suite)
    assert visitor.send("/connexion/code", code=visitor.code()).address == "/dossiers"


def test_the_session_cookie_is_for_the_server_only(visitor: PortalClient) -> None:
    visitor.sign_in()
    cookies = [value for name, value in visitor.page.response.headers if name == "Set-Cookie"]
    mine = next(value for value in cookies if value.startswith("guichet="))
    assert "HttpOnly" in mine
    assert "SameSite=Lax" in mine


def test_over_https_cookies_belong_to_the_host(tmp_path: Path) -> None:
    visitor = a_portal_client(tmp_path, base_url="https://localhost")
    page = visitor.open("/connexion")
    assert page.response.headers["Strict-Transport-Security"]
    cookie = next(value for name, value in page.response.headers if name == "Set-Cookie")
    assert cookie.startswith("__Host-session=")
    assert "Secure" in cookie


def test_signing_out_closes_the_session(known: PortalClient) -> None:
    known.send("/deconnexion")
    assert known.open("/dossiers").address.startswith("/connexion")


# -- filling -----------------------------------------------------------------------------------------------------------


def test_wrong_answers_are_kept_and_named_beside_their_question(known: PortalClient) -> None:
    number = known.begin()
    page = known.send(f"/dossiers/{number}/demande/vous", nom="", naissance_day="30", naissance_month="2",
                      naissance_year="1990", commerce="tissus", go="next")  # fmt: skip
    assert page.status == 422
    assert page.title.startswith("Erreur : ")
    assert "Remplissez « Nom »" in page.text
    assert "Cette date n’existe pas : 30/2/1990" in page.text
    assert 'href="#f-naissance_day"' in page.html
    again = known.open(f"/dossiers/{number}/demande/vous")
    assert again.value("naissance_day") == "30"
    assert "Remplissez" not in again.text, "a page just opened accuses nobody"


def test_a_question_opened_by_an_answer_is_asked_on_the_same_page(known: PortalClient) -> None:
    """What the browser reveals with a script comes, without one, when the page is shown again."""
    number = known.begin()
    address = f"/dossiers/{number}/demande/vous"
    first = known.open(address)
    assert 'data-when="{&#34;field&#34;:&#34;commerce&#34;,&#34;in&#34;:[&#34;legumes&#34;]}" hidden' in first.html
    known.send(address, **{**ANSWERS, "commerce": "legumes"}, go="next")
    assert known.page.address == address
    assert "Il reste 1 question sur cette page" in known.follow().text
    [href] = re.findall(r'role="status">[^<]*<a href="#([^"]+)">', known.page.html)
    assert f'id="{href}"' in known.page.html, "the sentence leads to the question"
    known.send(address, bio="true", go="next")
    assert known.page.address.endswith("/demande/aides")


def test_the_other_answer_wants_its_detail(known: PortalClient) -> None:
    number = known.begin()
    page = known.send(f"/dossiers/{number}/demande/vous", **{**ANSWERS, "commerce": "other"}, go="next")
    assert "Précisez votre réponse à « Que vendez-vous ? »" in page.text


def test_rows_come_and_go_without_losing_the_others(known: PortalClient) -> None:
    number = known.begin()
    address = f"/dossiers/{number}/demande/aides"
    known.send(address, add_row="personnes")
    known.send(address, **{"personnes.0.prenom": "Koffi", "add_row": "personnes"})
    page = known.open(address)
    assert page.value("personnes.0.prenom") == "Koffi"
    assert "Vous pouvez en ajouter 2 au plus." in page.text
    known.send(address, **{"personnes.1.prenom": "Ama", "remove_row": "personnes.0"})
    assert known.open(address).value("personnes.0.prenom") == "Ama"


def test_each_file_stands_alone(known: PortalClient) -> None:
    number = known.begin()
    known.send(f"/dossiers/{number}/demande/vous", **ANSWERS, go="next")
    known.send(f"/dossiers/{number}/demande/aides", go="next")
    address = known.page.address
    bad = (io.BytesIO(b"#!/bin/sh"), "photo.jpg")
    page = known.send(address, **{"file:carte": picture(), "file:photo": bad, "go": "next"})
    assert page.status == 422
    assert "Document reçu le 24 novembre 2026 à 12 h" in page.text
    assert "Ce format de fichier n’est pas accepté" in page.text
    again = known.open(address)
    attachment = re.search(r'name="detach" value="([^"]+)"', again.html)
    assert attachment
    known.send(address, detach=attachment[1])
    assert "Document reçu" not in known.follow().text


def test_a_file_is_sandboxed_and_only_its_owner_reads_it(known: PortalClient) -> None:
    number = known.fill()
    page = known.open(f"/dossiers/{number}/verification")
    found = re.search(rf'href="(/dossiers/{number}/pieces/[^"]+)"', page.html)
    assert found
    answer = known.open(found[1]).response
    assert answer.headers["Content-Security-Policy"].startswith("sandbox")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    foreign = another(known).sign_in("91223344").open(found[1])
    assert foreign.status == 404
    assert "connectez-vous avec le numéro de téléphone qui l’a ouvert" in foreign.text


def test_later_means_later(known: PortalClient) -> None:
    number = known.begin()
    known.send(f"/dossiers/{number}/demande/vous", nom="Amegan", go="later")
    assert known.page.address == "/dossiers"
    assert "Brouillon" in known.follow().text
    tasks = known.open(f"/dossiers/{number}/demande").text
    assert "À compléter" in tasks
    assert known.begin() == number, "one draft for one procedure"


def test_a_draft_is_dropped_on_its_own_page(known: PortalClient) -> None:
    number = known.begin()
    known.send(f"/dossiers/{number}/supprimer")
    assert "Votre brouillon est supprimé." in known.follow().text


# -- sending -----------------------------------------------------------------------------------------------------------


def test_check_says_what_is_missing_and_offers_no_button(known: PortalClient) -> None:
    number = known.begin()
    page = known.open(f"/dossiers/{number}/verification")
    assert "Il manque" in page.text
    assert "Envoyer ma demande" not in page.text


def test_sending_wants_the_declaration(known: PortalClient) -> None:
    number = known.fill()
    assert "Cochez la case" in known.send(f"/dossiers/{number}/verification").text
    assert known.page.title.startswith("Erreur : ")
    assert "Cochez la case" not in known.open(f"/dossiers/{number}/verification").text, "said of the post alone"


def test_each_section_is_changed_by_one_link(known: PortalClient) -> None:
    """It opens the page, whose « Continuer » comes back; the price says when it is paid."""
    number = known.fill()
    page = known.open(f"/dossiers/{number}/verification")
    main = page.html.partition("<main")[2].partition("</main>")[0].replace("\u00a0", " ")
    links = re.findall(r'href="([^"]+)">Modifier<span class="sr"> : ([^<]+)</span>', main)
    assert [title for _, title in links] == re.findall(r"<h2>([^<]+)</h2><a", main)
    assert len(links) == len(set(links)) > 1
    assert all(href.endswith("?retour=verification") for href, _ in links)
    assert main.count("Modifier") == len(links)
    assert "Prix : 5 000 FCFA" in page.text
    assert "Vous ne payez rien maintenant." in page.text
    known.send(f"/dossiers/{number}/demande/vous?retour=verification", **ANSWERS, go="next")
    assert known.page.address.partition("?")[0] in (
        f"/dossiers/{number}/verification",
        f"/dossiers/{number}/demande/vous",
    )


def test_many_dossiers_have_pages(known: PortalClient, monkeypatch: pytest.MonkeyPatch) -> None:
    known.begin()
    real = tracking.mine

    def many(*who: Any) -> list[Any]:
        return [replace(one, id=f"{one.id}{n}") for one in real(*who) for n in range(45)]

    monkeypatch.setattr(tracking, "mine", many)
    monkeypatch.setattr(tracking, "lines_public", lambda lines: {one.id: "draft" for one in lines})
    pages = [known.open(f"/dossiers?page={n}").html for n in (1, 2, 3)]
    assert [page.count('class="cover"') for page in pages] == [20, 20, 5]
    assert 'href="/dossiers?page=2" rel="next"' in pages[0]
    assert all("<h2>À vous</h2>" in page for page in pages)


def test_a_double_tap_sends_once(known: PortalClient) -> None:
    number = known.fill()
    form = known.open(f"/dossiers/{number}/verification").form("token")
    form["declared"] = ["1"]
    first = known.post(f"/dossiers/{number}/verification", **form)
    second = known.post(f"/dossiers/{number}/verification", **form)
    assert first.address == second.address == f"/dossiers/{number}/envoye"
    page = known.open(f"/dossiers/{number}/envoye")
    assert "Votre demande est envoyée" in page.text
    assert known.open(f"/dossiers/{number}/verification").address == f"/dossiers/{number}/envoye"


def test_two_tabs_see_both_versions_and_choose(known: PortalClient) -> None:
    number = known.begin()
    address = f"/dossiers/{number}/demande/vous"
    old = known.open(address).form()
    known.send(address, **{**ANSWERS, "nom": "Lawson"}, go="next")
    unreal = {**ANSWERS, "naissance_year": "9" * 30}
    assert known.post(address, **{**old, **unreal, "go": "next"}).status == 409
    page = known.post(address, **{**old, **ANSWERS, "nom": "Amegan", "go": "next"})
    assert page.status == 409
    assert "LAWSON" in page.text
    assert "Amegan" in page.text
    differing = re.findall(r"<li><b>(.+?)</b>", page.html.partition("<main")[2])
    assert differing == ["Nom"], "what both pages say alike is no choice to make"
    known.post(address, **page.form())
    assert known.page.status == 303
    assert known.open(address).value("nom") == "AMEGAN"


# -- after -------------------------------------------------------------------------------------------------------------


def test_correcting_opens_only_what_was_asked(known: PortalClient) -> None:
    number = known.sent()
    known.decide(number, "corriger", reason="Un point", correction={"nom": "Écrire en entier", "carte": "Illisible"})
    asked = known.open(f"/dossiers/{number}").text
    assert "Nous attendons 2 choses de vous" in asked
    assert asked.index("Écrire en entier") < asked.index("Illisible"), "in the order of the form"
    assert "<li>Nom\u00a0: " in known.page.html, "no line begins with a colon"
    consequences = (
        "Après cette date, votre demande s’arrête.",
        "Notre délai de réponse ne court pas pendant ce temps.",
    )
    assert all(said in asked for said in consequences)
    address = f"/dossiers/{number}/corrections"
    page = known.open(address)
    assert "Écrire en entier" in page.text
    assert "Que vendez-vous" not in page.text
    known.send(address, nom="Amegan Afi", go="save")
    assert "Déjà enregistré : 1 sur 2. Il reste : Carte d’identité. Pas encore renvoyé." in known.follow().text
    known.send(address, **{"file:carte": picture(), "go": "save"})
    assert "Tout est enregistré" in known.follow().text
    said = "Tout est enregistré. Relisez, puis renvoyez votre dossier."
    assert said in known.open(f"/dossiers/{number}").text
    assert "Renvoyer mon dossier" in known.page.text
    known.send(address, go="send")
    again = known.follow().text
    assert "Un agent vérifie votre dossier" in again
    assert not any(said in again for said in consequences)


def test_what_was_sent_is_listed_once(known: PortalClient) -> None:
    """Papers stood twice, and the label of a row on each of its lines."""
    number = known.begin()
    page = f"/dossiers/{number}/demande/aides"
    known.send(page, add_row="personnes")
    known.send(page, **{"personnes.0.prenom": "Koffi", "go": "next"})
    assert "Personnes qui vous aident : Koffi" in known.open(f"/dossiers/{number}/verification").text
    number = known.sent()
    sent = known.open(f"/dossiers/{number}").text.partition("Ce que vous avez envoyé")[2].partition("Messages")[0]
    assert sent.count("Carte d’identité") == 1
    assert re.search(r"Carte d’identité carte\.jpg \(.+?, reçu le .+? à 12.h\)", sent)


def test_paying_has_several_ends(known: PortalClient) -> None:
    number = known.sent()
    known.decide(number, "accorder")
    address = f"/dossiers/{number}/paiement"
    assert known.send(address, payer="90000001").status == 303, "one way of paying is chosen at once"
    known.open(f"/dossiers/{number}")
    assert "Prendre rendez-vous" in known.page.text
    receipt = re.search(r'href="([^"]+/recu/[^"]+\.pdf)"', known.page.html)
    assert receipt
    assert known.open(receipt[1]).response.data.startswith(b"%PDF")


@pytest.mark.parametrize("read", ["owed", "offered"])
def test_a_second_tab_that_pays_as_the_first_one_is_settled_reads_the_receipt(
    known: PortalClient, monkeypatch: pytest.MonkeyPatch, read: str
) -> None:
    number = known.sent()
    known.decide(number, "accorder")
    address, true = f"/dossiers/{number}/paiement", getattr(payments, read)
    with known.office.store.unit() as unit:
        dossier = unit.dossier_numbered(number)
    assert dossier

    def settled_after(*arguments: Any) -> Any:
        seen = true(*arguments)
        monkeypatch.undo()
        start_payment(known.office, Actor("applicant", dossier.owner), dossier.id, provider="argent", payer="90000001")
        return seen

    form = known.open(address).form()
    monkeypatch.setattr(payments, read, settled_after)
    assert known.post(address, **{**form, "provider": "argent", "payer": "90000001"}).status == 303
    assert "Paiement reçu" in known.follow().text


def test_anyone_checks_a_receipt(known: PortalClient) -> None:
    number = known.sent()
    known.decide(number, "accorder")
    known.send(f"/dossiers/{number}/paiement", payer="90000001")
    dossier = known.dossier_id(number)
    with known.office.store.unit() as unit:
        [payment] = unit.payments_of(dossier)
    stranger = another(known)
    assert "Une quittance de paiement" in stranger.open("/v").text
    code = receipt_code(known.office, payment)
    for address in (f"/v/{code}", f"/v?quittance={payment.receipt}&dossier={number}"):
        told = stranger.open(address)
        assert told.status == 200
        assert told.response.headers["Cache-Control"] == "no-store"
        for said in ("Quittance authentique", str(payment.receipt), "5 000 FCFA", "••• 01", f"••• {number[-4:]}"):
            assert said in told.text, said
        for kept in (number, group_number(number), payment.payer, "90 00 00 01", "AMEGAN"):
            assert kept not in told.text.replace(f"value={number}", ""), kept
    for wrong in (f"/v/{code[:-4]}AAAA", f"/v?quittance=Q-2026-999999&dossier={number}"):
        told = stranger.open(wrong)
        assert (told.status, "Quittance inconnue" in told.text) == (404, True)
    wrong = stranger.open("/v?quittance=12&dossier=1")
    assert wrong.status == 422
    assert "Le numéro commence par Q." in wrong.text
    assert "Le numéro de dossier a 11 chiffres." in wrong.text
    printed = known.open(f"/dossiers/{number}/recu/{payment.id}.pdf").response.data
    assert str(payment.receipt) in "".join(one.extract_text() for one in PdfReader(io.BytesIO(printed)).pages)


@pytest.mark.parametrize("specimen", [True, False])
def test_receipts_and_summaries_of_a_demonstration_have_no_value(
    known: PortalClient, monkeypatch: pytest.MonkeyPatch, specimen: bool
) -> None:
    monkeypatch.setattr(AppSettings, "marks_specimen", property(lambda _: specimen))
    number = known.sent()
    known.decide(number, "accorder")
    known.send(f"/dossiers/{number}/paiement", payer="90000001")
    dossier = known.dossier_id(number)
    with known.office.store.unit() as unit:
        [payment] = unit.payments_of(dossier)
    for name in (f"recu/{payment.id}.pdf", "recapitulatif.pdf"):
        printed = known.open(f"/dossiers/{number}/{name}").response.data
        assert PdfReader(io.BytesIO(printed)).pages[0].extract_text().startswith("SPÉCIMEN") is specimen, name
    told = another(known).open(f"/v?quittance={payment.receipt}&dossier={number}").text
    assert ("Spécimen, sans valeur" in told) is specimen


def test_a_time_limit_of_the_service_is_announced_as_a_duty_and_its_messages_by_their_place(
    known: PortalClient,
) -> None:
    """Nothing happens by itself on that day, and texts were sent before anybody wrote."""
    number = known.sent()
    day = "au plus tard le 1er décembre 2026"
    for page, said in (
        ("", f"Cette étape doit se terminer {day}."),
        ("/envoye", f"Un agent vérifie votre dossier. Réponse {day}, par SMS."),
    ):
        assert said in known.open(f"/dossiers/{number}{page}").text
    assert "Nos SMS et nos e-mails sont sur la page du dossier." in known.open(f"/dossiers/{number}/messages").text


def test_a_summary_is_no_document(known: PortalClient) -> None:
    """Its title is not that of the document that is asked for."""
    printed = known.open(f"/dossiers/{known.sent()}/recapitulatif.pdf").response.data
    text = PdfReader(io.BytesIO(printed)).pages[0].extract_text()
    assert "RÉCAPITULATIF DE LA DEMANDE" in text
    assert "Ce papier ne remplace pas le document demandé." in text


@pytest.mark.parametrize(
    ("payer", "said"),
    [
        ("90000002", "Le solde du 90 00 00 02 est insuffisant. Rien n’a été débité."),
        ("90000003", "Vous avez annulé ou refusé"),
        ("90000004", "Le code n’a pas été tapé à temps. Rien n’a été débité."),
        ("90000005", "Ne payez pas une deuxième fois"),
        ("90000006", "Vous avez payé en trop"),
        ("90000007", "a atteint sa limite du jour"),
        ("90000008", "Nous vérifions votre paiement"),
    ],
)
def test_each_ending_says_what_became_of_the_money(known: PortalClient, payer: str, said: str) -> None:
    number = known.sent()
    known.decide(number, "accorder")
    known.send(f"/dossiers/{number}/paiement", provider="argent", payer=payer)
    later(known, seconds=5)
    work_off(known.office)
    told = known.follow().text
    assert said in told
    assert ("Rien n’a été débité" in told) is (payer in ("90000002", "90000003", "90000004", "90000007"))


def pay_in_doubt(known: PortalClient, number: str) -> None:
    """Pays with an operator that does not know yet what became of it."""
    known.send(f"/dossiers/{number}/paiement", provider="argent", payer="90000005")
    later(known, seconds=5)
    work_off(known.office)


def test_while_a_payment_is_checked_nobody_is_told_to_pay(known: PortalClient) -> None:
    number = known.sent()
    known.decide(number, "accorder")
    pay_in_doubt(known, number)
    told = known.open(f"/dossiers/{number}").text
    assert "Nous vérifions votre paiement. Ne payez pas une deuxième fois." in told
    assert "Payez " not in told.replace("Ne payez", "")
    known.open(f"/dossiers/{number}/paiement")
    assert "Ne payez pas une deuxième fois." in known.follow().text


def test_an_answer_that_does_not_come_is_never_promised_for_ever(known: PortalClient) -> None:
    number = known.sent()
    known.decide(number, "accorder")
    pay_in_doubt(known, number)
    payment = known.page.address
    assert "Nous vous prévenons avant mercredi 25 novembre 2026 à 12 h" in known.open(payment).text
    known.operator._clock = FixedClock(known.clock.instant)  # it says no more than today
    later(known, days=2)
    work_off(known.office)
    late = known.sign_in().open(payment).text
    assert "L’opérateur tarde à répondre" in late
    assert "vous répond avant" not in late
    assert "Ne payez pas une deuxième fois" in late
    later(known, days=35)
    run_timers(known.office)
    closed = known.sign_in().open(payment).text
    assert "Votre demande est close entre-temps. Si cet argent nous arrive, il vous est rendu" in closed
    assert "Votre demande est gardée" not in closed
    known.operator._clock = known.clock
    settlement.check_payment(known.office, payment.rpartition("/")[2])
    after = known.open(payment).text
    assert "Votre demande était close quand cet argent est arrivé." in after
    assert "Cette somme vous sera remboursée" in after


def test_a_message_sent_two_ways_is_read_once(known: PortalClient) -> None:
    number = known.sent()
    with known.office.store.unit(write=True) as unit:
        dossier = unit.dossier_numbered(number)
        assert dossier is not None
        now = known.clock.now()
        for channel, to, body in (
            ("sms", "+22890112233", "Dossier prêt."),
            ("email", "a@b.tg", "Votre dossier est prêt."),
        ):
            unit.add_letter(
                OutboundMessage(
                    new_id(), dossier.id, channel, to, "", body, now, f"{dossier.id}:9:x:{channel}:{to}", now
                )
            )  # type: ignore[arg-type]
    page = known.open(f"/dossiers/{number}").text
    assert page.count("prêt.") == 1
    assert "à 12 h, par SMS et par e-mail Votre dossier est prêt." in page
    assert "à 12 h, par SMS " in page, "the others went out one way"


def _without_messages(dossier: str) -> str:
    """A dossier's page without the messages of before the payment, which are kept as they were sent."""
    before, _, rest = dossier.partition(" Messages ")
    assert rest
    return before


def tried(known: PortalClient, payer: str) -> str:
    number = known.sent()
    known.decide(number, "accorder")
    known.send(f"/dossiers/{number}/paiement", provider="argent", payer=payer)
    later(known, seconds=5)
    work_off(known.office)
    return number


@pytest.mark.parametrize(
    ("payer", "who"),
    [
        ("90000005", "Qui ? Vous n’avez rien à faire. Quand ?"),
        ("91223344", "Si votre téléphone vous demande encore de confirmer ce paiement, confirmez-le."),
    ],
)
def test_while_the_operator_is_asked_no_page_asks_for_the_money(known: PortalClient, payer: str, who: str) -> None:
    number = tried(known, payer)
    dossier = known.open(f"/dossiers/{number}").text
    assert "Où ? Chez l’opérateur (Argent mobile), qui vérifie votre paiement." in dossier
    assert who in dossier
    assert "Quand ? Nous vous prévenons par SMS dès que la réponse est connue." in dossier
    assert "ce paiement est en cours de vérification chez l’opérateur (Argent mobile)" in dossier
    assert "Ne payez pas une deuxième fois" in dossier
    listed = known.open("/dossiers").text
    assert "Paiement en cours de vérification" in listed
    sent = known.open(f"/dossiers/{number}/envoye").text
    assert "Voir mon paiement" in sent
    for page in (_without_messages(dossier), listed, sent, known.open("/").text):
        assert "À payer" not in page
        assert "à payer" not in page
        assert "C’est à vous d’agir" not in page
        assert "Au plus tard le" not in page
        assert "Payer " not in page
    english = known.open(f"/dossiers/{number}?lang=en").text
    assert "Where? With the operator (Argent mobile), who is checking your payment." in english
    assert "To pay" not in english


@pytest.mark.parametrize("payer", ["90000002", "90000004"])
def test_after_a_try_that_took_nothing_the_money_is_asked_for(known: PortalClient, payer: str) -> None:
    number = tried(known, payer)
    dossier = known.open(f"/dossiers/{number}").text
    assert "Qui ? C’est à vous d’agir." in dossier
    assert "Où ? " not in dossier, "it is paid on a phone"
    assert "FCFA à payer." in dossier
    assert "en cours de vérification" not in dossier
    listed = known.open("/dossiers").text
    assert "À payer" in listed
    assert "Paiement en cours de vérification" not in listed


def test_the_page_of_a_failed_payment_leads_on_and_asks_for_no_second_payment(known: PortalClient) -> None:
    number = tried(known, "90000002")
    failed = known.page.address
    assert [f'href="/dossiers/{number}{one}"' in known.open(failed).html for one in ("/paiement", "")] == [True, True]
    known.send(f"/dossiers/{number}/paiement", provider="argent", payer="90000001")
    later(known, seconds=5)
    work_off(known.office)
    assert "payés en entier" in known.open(f"/dossiers/{number}").text
    assert f'href="/dossiers/{number}/paiement"' not in known.open(failed).html


def test_after_a_payment_nothing_is_checked_or_asked_for(known: PortalClient) -> None:
    dossier = known.open(f"/dossiers/{tried(known, '90000001')}").text
    assert "payés en entier" in dossier
    assert "en cours de vérification" not in dossier
    assert "FCFA à payer." not in dossier


def test_the_summary_holds_what_was_sent_received_and_paid(known: PortalClient) -> None:
    number = tried(known, "90000005")
    [address] = set(re.findall(r'href="([^"]+/recapitulatif\.pdf)"', known.open(f"/dossiers/{number}").html))
    assert address in known.open(f"/dossiers/{number}/envoye").html
    answer = known.open(address).response
    assert answer.headers["Cache-Control"] == "no-store"
    assert len(answer.data) < 90_000
    drawn = "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(answer.data)).pages)
    text = " ".join(drawn.replace("\u00a0", " ").split())
    for told in (group_number(number), "Envoyée le", "AMEGAN", "reçu le", "en cours de vérification", f"/d/{number}"):
        assert told.lower() in text.lower(), told
    assert text.count("Photo de l’étal") == 1, "each paper is listed once, with when it came"
    assert another(known).open(address).status == 303, "to the door"
    assert another(known).sign_in("91223355").open(address).status == 404


def test_what_was_paid_twice_is_told_on_the_dossier(known: PortalClient) -> None:
    number = known.sent()
    known.decide(number, "accorder")
    known.send(f"/dossiers/{number}/paiement", provider="argent", payer="90000006")
    told = known.open(f"/dossiers/{number}").text
    assert "Payé en trop" in told
    assert "sera remboursée" in told
    assert "non abouti" not in told


def test_the_payer_confirms_on_the_operators_page(known: PortalClient) -> None:
    number = known.sent()
    known.decide(number, "accorder")
    known.send(f"/dossiers/{number}/paiement", provider="argent", payer="91223344")
    waiting = known.page.address
    assert "Tapez votre code secret" in known.follow().text
    assert known.open(f"{waiting}.json").response.get_json() == {"status": "confirm-10", "again": 2}
    known.send("/_operateur", pin="12", do="confirm")
    assert "4 chiffres" in known.follow().text
    known.send("/_operateur", pin="1234", do="confirm")
    assert known.open(waiting).status == 303, "on to the next task, once"
    told = known.follow()
    assert '<div class="box ok"><p role="status">Paiement reçu' in told.html
    assert "Référence Q-2026-000001" in known.open(waiting).text, "and as a bookmark"


def test_a_forged_callback_is_refused(visitor: PortalClient) -> None:
    answer = visitor.client.post("/retours/argent", data=b'{"status": "paid"}')
    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json"
    assert visitor.client.post("/retours/inconnu", data=b"{}").status_code == 404


def ready_to_book(known: PortalClient) -> str:
    number = known.sent()
    known.decide(number, "accorder")
    known.send(f"/dossiers/{number}/paiement", provider="argent", payer="90000001")
    return number


def test_the_address_of_a_message_leads_to_what_is_to_be_done(known: PortalClient) -> None:
    number = known.sent()
    assert known.open(f"/d/{number}").address == f"/dossiers/{number}"
    known.decide(number, "accorder")
    assert known.open(f"/d/{number}").address == f"/dossiers/{number}/paiement"
    known.send(f"/dossiers/{number}/paiement", provider="argent", payer="90000001")
    assert known.open(f"/d/{number}").address == f"/dossiers/{number}/rendez-vous"
    assert another(known).open(f"/d/{number}").address == f"/connexion?suite=%2Fd%2F{number}"
    assert another(known).sign_in("91223355").open(f"/d/{number}").status == 404


def test_the_page_of_what_was_sent_says_the_one_thing_left(known: PortalClient) -> None:
    number = known.sent()
    assert "Vous n’avez rien à faire maintenant" in known.open(f"/dossiers/{number}/envoye").text
    main = known.page.html.split("<main")[1]
    assert re.findall(r'class="button"[^>]*href="([^"]+)"', main) == [f"/dossiers/{number}"], "one button on each page"
    known.decide(number, "accorder")
    owed = known.open(f"/dossiers/{number}/envoye")
    assert "Votre demande est envoyée" in owed.text
    assert "Il reste une chose : payer 5 000 FCFA" in owed.text
    assert "Nous traitons votre demande après le paiement. Payez au plus tard le" in owed.text
    assert owed.html.count('class="button"') == 1
    known.send(f"/dossiers/{number}/paiement", provider="argent", payer="90000001")
    assert "Il reste une chose à faire" in known.open(f"/dossiers/{number}/envoye").text
    assert known.page.html.split("<main")[1].count('class="button"') == 1


def test_an_act_that_is_taken_leads_back_to_the_dossier(known: PortalClient) -> None:
    """« Retour » after a withdrawal, a reload, a double tap."""
    number = known.sent()
    address = f"/dossiers/{number}/actes/retirer"
    form = {**known.open(address).form(), "reason": "Je pars"}
    assert known.post(address, **form).address == f"/dossiers/{number}"
    assert known.open(address).address == f"/dossiers/{number}"
    assert known.post(address, **form).address == f"/dossiers/{number}"
    assert known.open(f"/dossiers/{number}/actes/accorder").status == 404, "the act of an agent"


def test_the_page_of_what_was_sent_says_what_comes_next_and_what_may_happen(known: PortalClient) -> None:
    number = known.sent()
    sent = known.open(f"/dossiers/{number}/envoye")
    steps = re.findall(r'<li class="(?:done|now|next)"[^>]*><b>(.*?)</b>', sent.html)
    assert [one.split("\u00a0:")[0] for one in steps] == [
        "Demande envoyée", "Nous vérifions", "Vous payez par téléphone", "Vous venez au bureau", "Vous recevez",
    ]  # fmt: skip
    assert "Ce qui peut aussi arriver" in sent.text
    assert "Si votre demande est refusée, nous vous disons pourquoi." in sent.text


def test_the_first_free_slot_is_booked_at_once(known: PortalClient) -> None:
    address = f"/dossiers/{ready_to_book(known)}/rendez-vous"
    page = known.open(address)
    first = re.findall(r'name="start" value="([^"]+)"', page.html)[0]
    booked = known.post(address, **{**page.form("bureau"), "start": first})
    assert "Votre rendez-vous est confirmé" in known.open(booked.address).text
    moved = known.open(f"{address}?changer=1").html
    assert moved.index(f'action="{address}/confirmer"') < moved.index('name="start"'), "a change is confirmed"


def test_what_is_saved_for_later_is_confirmed(known: PortalClient) -> None:
    number = known.begin()
    saved = known.send(f"/dossiers/{number}/demande/vous", **{**ANSWERS, "go": "later"})
    assert saved.address == "/dossiers"
    assert "Vos réponses sont enregistrées." in known.open("/dossiers").text
    assert "Vos réponses sont enregistrées." not in known.open("/dossiers").text


def test_where_it_stands_is_no_date_of_a_visit_and_the_page_of_what_was_sent_leads_to_the_choice_of_one(
    known: PortalClient,
) -> None:
    number = ready_to_book(known)
    for path, said in ((f"/dossiers/{number}", "En cours depuis le "), (f"/dossiers/{number}/envoye", "Vous venez ")):
        page = known.open(path)
        now = re.findall(r'aria-current="step">(.+?)</li>', page.html)
        assert len(now) == 1
        assert said in now[0]
        assert page.text.count(said) == 1  # what is done says when, and nothing more
        assert f'href="/dossiers/{number}/rendez-vous"' in page.html, path
        assert "Prendre rendez-vous" in page.text


def test_booking_changing_and_giving_back(known: PortalClient) -> None:
    number = ready_to_book(known)
    address = f"/dossiers/{number}/rendez-vous"
    page = known.open(address)
    if 'name="start"' not in page.html:  # several offices: the first is chosen
        pytest.fail(page.text)
    starts = re.findall(r'name="start" value="([^"]+)"', page.html)
    bureau = page.value("bureau")
    known.post(f"{address}/confirmer", **{**page.form("bureau"), "start": starts[1]})
    assert known.page.status == 303, "a slot that is posted is confirmed at an address: going back sends nothing"
    assert "Ce rendez-vous vous convient" in known.follow().text
    known.post(
        address, **known.open(f"{address}/confirmer?start={starts[1].replace('+', '%2B')}&bureau={bureau}").form()
    )
    assert "Votre rendez-vous est confirmé" in known.follow().text
    assert "BEGIN:VEVENT" in known.open(f"{address}.ics").html
    assert "Vous le gardez tant que le nouveau n’est pas confirmé" in known.open(f"{address}?changer=1").text
    known.send(f"{address}/annuler")
    assert "Votre rendez-vous est annulé" in known.follow().text


def test_the_address_in_a_diary_never_leads_nowhere(known: PortalClient) -> None:
    number = known.sent()
    answer = known.open(f"/dossiers/{number}/rendez-vous")
    assert (answer.status, answer.response.headers["Location"]) == (303, f"/dossiers/{number}")


@pytest.mark.parametrize(
    "start", ["0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00", "demain", "0001-01-01T00:00", "9998-12-31T00:00"]
)
def test_a_time_out_of_the_calendar_is_no_slot(known: PortalClient, start: str) -> None:
    address = f"/dossiers/{ready_to_book(known)}/rendez-vous"
    answer = known.open(f"{address}/confirmer?start={start.replace('+', '%2B')}&bureau=rien")
    assert (answer.status, answer.response.headers["Location"]) == (303, address)
    form = {**known.open(address).form(), "start": start, "bureau": known.page.value("bureau")}
    assert known.post(address, **form).status in (303, 409)


def test_a_visit_too_near_is_not_given_back_here(known: PortalClient) -> None:
    number = ready_to_book(known)
    address = f"/dossiers/{number}/rendez-vous"
    page = known.open(address)
    start = re.findall(r'name="start" value="([^"]+)"', page.html)[1]
    wanted = f"{address}/confirmer?start={start.replace('+', '%2B')}&bureau={page.value('bureau')}"
    known.post(address, **known.open(wanted).form())
    known.open(address)
    form = known.open(f"{address}/annuler").form()
    later(known, seconds=(datetime.fromisoformat(start) - known.office.now()).total_seconds() - 60)
    known.sign_in()
    text = known.open(address)
    assert "Il est trop tard pour changer ce rendez-vous" in text.text
    assert "/annuler" not in text.html
    asked = known.open(f"{address}?changer=1").text
    assert "Il est trop tard pour changer ce rendez-vous" in asked
    assert "Aucun créneau libre" not in asked, "it is not for want of places"
    assert "Annuler ce rendez-vous ?" not in known.open(f"{address}/annuler").text
    (fresh,) = known.open("/connexion").form()["csrf_token"]
    answer = known.post(f"{address}/annuler", **{**form, "csrf_token": fresh})
    assert answer.status == 409
    assert "Il est trop tard" in answer.text


def test_a_visit_moved_in_another_tab_is_not_cancelled_unread(known: PortalClient) -> None:
    address = f"/dossiers/{ready_to_book(known)}/rendez-vous"
    starts = re.findall(r'name="start" value="([^"]+)"', known.open(address).html)
    office = known.page.value("bureau")
    for start in starts[1:3]:
        wanted = f"{address}/confirmer?start={start.replace('+', '%2B')}&bureau={office}"
        form = known.open(f"{address}/annuler").form() if start == starts[2] else {}
        known.post(address, **known.open(wanted).form())
    answer = known.post(f"{address}/annuler", **form)
    assert (answer.status, answer.address) == (303, address)
    assert "Votre rendez-vous est annulé" not in known.follow().text
    assert "Annuler ce rendez-vous ?" in known.open(f"{address}/annuler").text, "it is still booked"


def test_the_last_seat_is_sold_once(known: PortalClient) -> None:
    other = another(known).sign_in("91223344")
    numbers = ready_to_book(known), ready_to_book(other)
    addresses = [f"/dossiers/{number}/rendez-vous" for number in numbers]
    page = known.open(addresses[0])
    start = re.findall(r'name="start" value="([^"]+)"', page.html)[1]
    wanted = f"/confirmer?start={start.replace('+', '%2B')}&bureau={page.value('bureau')}"
    forms = [one.open(address + wanted).form() for one, address in zip((known, other), addresses, strict=True)]
    assert known.post(addresses[0], **forms[0]).status == 303
    late = other.post(addresses[1], **forms[1])
    assert late.status == 409
    assert "Ce créneau vient d’être pris. Les plus proches" in late.text


def test_withdrawing_wants_a_reason(known: PortalClient) -> None:
    number = known.sent()
    address = f"/dossiers/{number}/actes/retirer"
    assert known.send(address).status == 422
    assert "Faire une nouvelle demande" not in known.open(f"/dossiers/{number}").text
    known.send(address, reason="Je pars")
    assert "Ce dossier est clos" in known.follow().text
    [sheet] = re.findall('<a class="button" href="(/demarches/[^"]+)">Faire une nouvelle demande<', known.page.html)
    assert "Commencer ma demande" in known.open(sheet).text


def test_withdrawing_says_beforehand_what_it_comes_to(known: PortalClient) -> None:
    number = known.sent()
    address, paying = f"/dossiers/{number}/actes/retirer", "Un paiement de 5 000 FCFA attend sa confirmation."
    stops = "Votre demande s’arrête et ne pourra pas être reprise. Vous pourrez en commencer une autre."
    assert stops in known.open(address).text
    assert "paiement de" not in known.page.text
    known.decide(number, "accorder")
    pay_in_doubt(known, number)
    told = known.open(address).text
    assert f"{stops} {paying} S’il aboutit, cette somme est rendue sous 5 jours ouvrés." in told
    assert "Your application stops and cannot be taken up again." in known.open(f"{address}?lang=en").text


def test_an_act_that_ends_nothing_for_good_says_no_such_thing(tmp_path: Path) -> None:
    back = "    rouvrir: {from: retire, to: examen, by: applicant, label: Reprendre, within: 1 month}\noutputs:"
    known = a_portal_client(tmp_path, STALL.replace("outputs:", back)).sign_in()
    told = known.open(f"/dossiers/{known.sent()}/actes/retirer")
    assert told.status == 200
    assert "quand tout est rempli" not in told.text, "nothing is asked"
    assert "ne pourra pas être reprise" not in told.text


def test_who_cannot_withdraw_reads_what_to_do_instead(tmp_path: Path) -> None:
    """The circuit tells: an act where there is one, else to do nothing until it lapses, else to ask the service."""
    book = STALL.replace("from: [examen, a_corriger, a_payer], to: retire", "from: [a_corriger], to: retire")
    known = a_portal_client(tmp_path, book).sign_in()
    number = known.sent()
    cannot, lapses, asks = (
        "Vous ne pouvez pas retirer cette demande en ligne",
        "elle s’arrête d’elle-même après",
        "demandez-le au service",
    )
    told = known.open(f"/dossiers/{number}").text
    assert cannot in told  # an agent examines it
    assert asks in told
    assert lapses not in told.lower()
    known.decide(number, "accorder")
    told = known.open(f"/dossiers/{number}").text
    assert cannot in told  # theirs to pay
    assert lapses in told.lower()
    assert asks not in told
    pay_in_doubt(known, number)
    told = known.open(f"/dossiers/{number}").text
    assert asks in told  # money is under way: nothing lapses
    assert lapses not in told.lower()


def test_what_is_ready_says_to_come(tmp_path: Path) -> None:
    ready = STALL.replace("to: a_payer}", "to: pret}").replace(
        "    accorde: {",
        "    pret: {label: Retrait, by: maire, public: ready, transitions: {remettre: {label: Remettre, to: accorde}}}\n    accorde: {",
    )
    known = a_portal_client(tmp_path, ready).sign_in()
    number = known.sent()
    known.decide(number, "accorder")
    page = known.open(f"/dossiers/{number}").text
    assert "Qui ? C’est à vous. Venez au bureau." in page
    assert "votre demande s’arrête" not in page


@pytest.mark.parametrize(("outcome", "stops"), [("expired", True), ("granted", False)])
def test_what_is_ready_says_what_comes_after_its_date(tmp_path: Path, outcome: str, stops: bool) -> None:
    """As the procedure has it: a document that is not collected closes the request, or the end is a grant."""
    ready = STALL.replace("to: a_payer}", "to: pret}").replace(
        "    accorde: {",
        "    pret: {label: Retrait, by: maire, public: ready, due: 3 months, late: parti, "
        "transitions: {remettre: {label: Remettre, to: accorde}}}\n"
        f"    parti: {{label: Fermé, end: {outcome}}}\n    accorde: {{",
    )
    known = a_portal_client(tmp_path, ready).sign_in()
    number = known.sent()
    known.decide(number, "accorder")
    page = known.open(f"/dossiers/{number}").text
    assert "Quand ? Au plus tard le 24 février 2027." in page
    assert ("Après cette date, votre dossier passe à l’étape « Fermé »." in page) is stops


def test_who_may_withdraw_reads_no_such_line(known: PortalClient) -> None:
    number = known.sent()
    known.decide(number, "accorder")
    told = known.open(f"/dossiers/{number}").text
    assert "Retirer ma demande" in told
    assert "Vous ne pouvez pas retirer" not in told


def test_a_document_is_downloaded_and_anyone_checks_it(known: PortalClient) -> None:
    number = ready_to_book(known)
    address = f"/dossiers/{number}/rendez-vous"
    page = known.open(address)
    start = re.findall(r'name="start" value="([^"]+)"', page.html)[1].replace("+", "%2B")
    known.post(address, **known.open(f"{address}/confirmer?start={start}&bureau={page.value('bureau')}").form())
    later(known, days=10)
    mark(known.office, MAYOR, known.dossier_id(number), "remise", "attended")
    known.sign_in()
    page = known.open(f"/dossiers/{number}")
    link = re.search(r'href="([^"]+/documents/\d+)"', page.html)
    assert link, page.text
    assert known.open(f"{link[1]}.pdf").response.data.startswith(b"%PDF")
    with known.office.store.unit() as unit:
        dossier = unit.dossier_numbered(number)
    assert dossier
    document = dossier.documents[0]
    stranger = another(known)
    for code in (document.token, document.code):
        text = stranger.open(f"/v/{code}").text
        assert "Document authentique" in text
        assert "AMEGAN" not in text, "a stranger sees initials only"
    stranger.open(f"/v?code={document.code[:4]}+{document.code[4:]}")
    assert stranger.page.address == f"/v/{document.code}"
    assert "12 chiffres" in " ".join(
        said for _, said in re.findall(r'href="(#code)">([^<]+)', stranger.open("/v?code=").html)
    )
    unknown = stranger.open("/v/123456789012")
    assert unknown.status == 404
    assert "Document inconnu" in unknown.text


def test_who_tries_codes_waits_and_others_at_their_address_do_not(known: PortalClient) -> None:
    script = another(known)
    answers = [script.open("/v/123456789012").status for _ in range(CHECKS_PER_BROWSER + 2)]
    assert answers == [404] * (CHECKS_PER_BROWSER + 1) + [429], "the first is one of those who come for the first time"
    assert another(known).open("/v/123456789012").status == 404


# -- what is nobody's business -----------------------------------------------------------------------------------------


def test_a_foreign_dossier_and_none_are_the_same_page(known: PortalClient) -> None:
    number = known.sent()
    stranger = another(known).sign_in("91223344")
    pages = [stranger.open(f"/dossiers/{one}{rest}") for one in (number, "26000000000") for rest in ("", "/paiement")]
    assert {page.status for page in pages} == {404}
    assert len({page.text for page in pages}) == 1


def test_following_needs_the_phone_of_the_dossier(known: PortalClient) -> None:
    number = known.sent()
    stranger = another(known)
    stranger.send("/suivi", number=number, phone="91223344")
    stranger.send("/connexion/code", code=stranger.code("91223344"))
    assert "Nous ne trouvons pas de dossier" in stranger.follow().text
    later(known, minutes=2)
    owner = another(known)
    owner.send("/suivi", number=f"{number[:2]} {number[2:6]} {number[6:]}", phone=PHONE)
    owner.send("/connexion/code", code=owner.code())
    assert owner.page.address == f"/dossiers/{number}"


def test_every_route_says_who_may_open_it(visitor: PortalClient) -> None:
    app = visitor.client.application
    check_guards(app)
    for rule in app.url_map.iter_rules():
        guard = app.view_functions[rule.endpoint].guard
        behind = rule.rule.startswith(("/dossiers", "/d/", "/agent", "/audit", "/compte"))
        private = behind and not rule.rule.startswith(("/agent/connexion", "/audit/connexion"))
        assert (guard in ("public", "unasked")) == (not private), rule.rule


def test_a_route_without_a_guard_stops_the_start(tmp_path: Path) -> None:
    app = a_portal_client(tmp_path).client.application
    app._got_first_request = False
    app.add_url_rule("/nu", "naked", lambda: "")
    with pytest.raises(RuntimeError, match="/nu"):
        check_guards(app)


# -- bad days ----------------------------------------------------------------------------------------------------------


def test_an_old_tab_gives_its_answers_back(known: PortalClient) -> None:
    number = known.begin()
    address = f"/dossiers/{number}/demande/vous"
    form = known.open(address).form()
    form.update({name: [value] for name, value in ANSWERS.items()})
    form["csrf_token"] = ["stale"]
    answer = known.client.post(address, data=form, headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.status_code == 400
    assert "Vos réponses sont là" in answer.text
    assert 'value="Amegan"' in answer.text
    foreign = known.client.post(address, data=form, headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 400
    assert "Amegan" not in foreign.text


def test_a_lost_session_finds_its_answers_again(known: PortalClient) -> None:
    number = known.begin()
    address = f"/dossiers/{number}/demande/vous"
    form = {**known.open(address).form(), **ANSWERS, "go": "next"}
    later(known, hours=2)
    known.post(address, **form)
    assert known.page.address == "/connexion?suite=%2Freprendre"
    assert "Vos réponses sont gardées" in known.open(known.page.address).text
    known.send(known.page.response.request.full_path, phone=PHONE)
    known.send("/connexion/code", code=known.code())
    page = known.follow()
    assert page.value("nom") == "Amegan"
    known.post(address, **page.form())
    assert known.page.status == 303
    assert known.open(address).value("nom") == "AMEGAN"


def test_floods_are_refused(known: PortalClient) -> None:
    number = known.begin()
    address = f"/dossiers/{number}/demande/vous"
    form = known.open(address).form()
    assert known.post(address, **form, **{f"x{n}": "1" for n in range(600)}).status == 413
    assert known.post(address, **{**form, "nom": "a" * 70_000}).status == 413
    cut = {name: value for name, value in form.items() if name != "end"}
    assert known.post(address, **cut, **{"file:carte": picture()}).status == 400


def test_too_many_saves_are_told_and_the_page_keeps_the_answers(
    known: PortalClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = known.begin()
    page = f"/dossiers/{number}/demande/vous"
    monkeypatch.setattr(answering, "SAVED", 1)
    for name in ("AMEGAN", "AMEGAN-LAWSON"):
        form = {**known.open(page).form(), "nom": name, "go": "later"}
        told = Seen(known.client.post(page, data=form, headers={"Sec-Fetch-Site": "same-origin"}))
    assert (told.status, told.response.headers["Retry-After"].isdigit()) == (429, True)
    assert "AMEGAN-LAWSON" in told.html
    assert "Cette page le garde" in told.text


def test_a_busy_store_is_told_with_a_time_to_come_back(known: PortalClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object, **__: object) -> None:
        raise Busy("locked")

    monkeypatch.setattr("renderers.web.citizen.tracking.mine", busy)
    page = known.open("/dossiers")
    assert page.status == 503
    assert page.response.headers["Retry-After"]
    assert "Rien n’est perdu" in page.text


def test_an_accident_gives_a_code_and_no_trace(
    known: PortalClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr("renderers.web.citizen.tracking.mine", broken)
    page = known.open("/dossiers")
    assert page.status == 500
    code = re.search(r"E-[0-9A-F]{6}", page.text)
    assert code
    assert "secret detail" not in page.html
    assert code[0] in caplog.text


def test_machines_get_problems_in_json(visitor: PortalClient) -> None:
    page = visitor.open("/nowhere", Accept="application/json")
    assert page.response.content_type == "application/problem+json"
    assert page.response.get_json()["status"] == 404


@pytest.mark.parametrize("path", ["/", "/demarches/essai", "/connexion", "/nowhere", "/healthz", "/static/nothing.css"])
def test_every_answer_carries_its_shields(visitor: PortalClient, path: str) -> None:
    page = visitor.open(path)
    policy = page.response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.response.headers["X-Content-Type-Options"] == "nosniff"
    assert not re.search(r"<script(?![^>]*src)|\son\w+=|\sstyle=|javascript:", page.html)


def test_personal_pages_are_not_stored_and_static_files_for_ever(known: PortalClient) -> None:
    assert known.open("/dossiers").response.headers["Cache-Control"] == "no-store"
    assert "public" in another(known).open("/demarches/essai").response.headers["Cache-Control"]
    sheet = re.search(r'href="(/static/guichet\.[^"]+\.css)"', known.open("/").html)
    assert sheet
    assert "immutable" in known.open(sheet[1]).response.headers["Cache-Control"]


def test_pages_are_light(known: PortalClient) -> None:
    """The whole of a first view, compressed: page, sheet, script and mark."""
    html = known.client.get("/demarches/essai/verifier", headers={"Accept-Encoding": "gzip"})
    assert html.headers["Content-Encoding"] == "gzip"
    files = re.findall(r'(?:href|src)="(/static/[^"]+)"', known.open("/demarches/essai/verifier").html)
    weights = {one: len(known.client.get(one, headers={"Accept-Encoding": "gzip"}).data) for one in files}
    assert len(files) == 3
    assert len(html.data) <= 14_000
    assert all(size <= 8_000 for name, size in weights.items() if name.endswith(".css"))
    assert all(size <= 6_000 for name, size in weights.items() if name.endswith(".js"))
    assert len(html.data) + sum(weights.values()) <= 30_000


def test_each_number_of_the_simulated_operator_can_be_typed(known: PortalClient) -> None:
    shown = re.findall(r"\b9\d 00 00 0\d\b", known.open("/_operateur").text)
    assert [one[-2:] for one in shown] == [f"0{n}" for n in range(1, 9)]


def test_demonstration_pages_exist_in_demonstrations_only(tmp_path: Path) -> None:
    visitor = a_portal_client(tmp_path)
    assert visitor.open("/_boite").status == 404
    assert visitor.open("/_operateur").status == 404


def test_security_txt_names_a_contact_when_there_is_one(tmp_path: Path) -> None:
    assert a_portal_client(tmp_path).open("/.well-known/security.txt").status == 404
    visitor = a_portal_client(tmp_path, security_contact="mailto:securite@exemple.tg")
    assert "Contact: mailto:securite@exemple.tg" in visitor.open("/.well-known/security.txt").html


def test_the_page_of_a_request_counts_the_steps_it_leaves_out(visitor: PortalClient) -> None:
    page = visitor.open(f"/dossiers/{visitor.sign_in().sent()}").html
    few, _, all_of_them = page.partition("Toutes les étapes (5)")
    named = r'<li class="(?:done|now|next)"[^>]*><b>([^<]+)</b>'
    assert re.findall(named, few) == ["Demande envoyée", "Examen", "Paiement", "Accordé"]
    assert '<b>Accordé</b><span class="soft">Après 1 autre étape. Délai annoncé' in few
    assert re.findall(named, all_of_them)[3:] == ["Remise de la clé", "Accordé"]
    assert "Après 1" not in all_of_them


PERMIT = """
title: Permis
summary: Construire.
delay: 45 days
form:
  vous:
    title: Vous
    fields:
      nom: {label: Nom, example: Chez Afi}
workflow:
  start: examen
  states:
    examen: {label: Examen, by: maire, due: 5 working days, transitions: {proposer: {label: Proposer, to: commission}}}
    commission: {label: Commission, by: maire, due: 5 working days, transitions: {suivre: {label: Suivre, to: signature}}}
    signature: {label: Signature, by: maire, due: 5 working days, transitions: {signer: {label: Signer, to: permis}}}
    permis: {label: Permis délivré, by: applicant, issues: arrete, due: 2 years, late: classe, transitions: {ouvrir: {label: Ouvrir, to: chantier}}}
    chantier: {label: Chantier ouvert, by: maire, due: 2 years, transitions: {accorder: {label: Finir, to: accorde}}}
    accorde: {label: Travaux conformes, end: granted}
    classe: {label: Classé, end: expired, revokes: arrete}
outputs:
  arrete: {title: Permis, signed_by: maire, shows: [nom], operative: "Le permis est accordé."}
"""


def opened(me: PortalClient) -> str:
    """A permit that is granted and whose works began; its number."""
    number = me.begin()
    me.send(f"/dossiers/{number}/demande/vous", nom="Chez Afi", go="next")
    me.send(f"/dossiers/{number}/verification", declared="1")
    for act in ("proposer", "suivre", "signer"):
        me.decide(number, act)
    me.send(f"/dossiers/{number}/actes/ouvrir")
    return number


def test_the_decision_that_is_waited_for_is_among_the_first_lines(tmp_path: Path) -> None:
    """The building permit showed « Travaux conformes », years later, and hid « Permis délivré »."""
    me = serving(tmp_path, a_procedure(PERMIT)).sign_in()
    number = me.begin()
    me.send(f"/dossiers/{number}/demande/vous", nom="Chez Afi", go="next")
    me.send(f"/dossiers/{number}/verification", declared="1")
    lines = [
        ("Demande envoyée", "24 novembre 2026"),
        ("Examen", "En cours depuis le 24 novembre 2026"),
        ("Commission", ""),
    ]
    day = "Délai annoncé : le 8 janvier 2027, si rien ne manque"
    assert _history(me, number) == [*lines, ("Permis délivré", f"Après 1 autre étape. {day}")]
    me.decide(number, "proposer")
    past = [("Demande envoyée", "24 novembre 2026"), ("Examen : c’est fait", "24 novembre 2026")]
    now = [("Commission", "En cours depuis le 24 novembre 2026"), ("Signature", "")]
    assert _history(me, number) == [*past, *now, ("Permis délivré", day)]
    assert "Étape en cours : commission" in me.page.text, "no agent can send it back or refuse it here"
    assert "Un agent vérifie" not in me.page.text
    me.decide(number, "suivre")
    me.decide(number, "signer")
    box = me.open(f"/dossiers/{number}").text.partition("Vos documents")[0]
    assert "Votre demande est acceptée Étape Permis délivré" in box
    assert "À faire au plus tard le 24 novembre 2028 : ouvrir" in box
    assert "C’est à vous d’agir. Quand ? Au plus tard le 24 novembre 2028." in box
    assert "Après cette date, ce qui vous est accordé ne vaut plus." in box
    assert _history(me, number)[3:] == [
        ("Permis délivré", "C’est à vous d’agir, au plus tard le 24 novembre 2028"),
        ("Chantier ouvert", ""),
        ("Travaux conformes", ""),
    ]
    listed = me.open("/dossiers").text
    assert "À faire" in listed
    assert "Au plus tard le 24 novembre 2028" in listed
    assert "À vous : Permis" in me.open("/").text


def test_an_accepted_request_that_comes_back_says_so_and_why(tmp_path: Path) -> None:
    """The mayor asked for works after the permit, and the applicant read « Votre demande est acceptée »."""
    again = "reprendre: {label: Demander des travaux, to: reprise, asks: [reason]}"
    state = "    reprise: {label: Travaux à reprendre, by: applicant, public: accepted, due: 2 years, late: classe, transitions: {refaire: {label: Refait, to: chantier}}}\n"
    text = PERMIT.replace("accorder: {label: Finir, to: accorde}", f"accorder: {{label: Finir, to: accorde}}, {again}")
    me = serving(tmp_path, a_procedure(text.replace("    accorde: {", f"{state}    accorde: {{"))).sign_in()
    number = opened(me)
    assert "Délai annoncé" not in me.open(f"/dossiers/{number}").text, "the permit has a delay, the works have none"
    me.decide(number, "reprendre", reason="La clôture dépasse.")
    box = me.open(f"/dossiers/{number}").text.partition("Où en est")[0]
    assert "Motif : La clôture dépasse." in box
    me.send(f"/dossiers/{number}/actes/refaire")
    assert "La clôture dépasse." not in me.open(f"/dossiers/{number}").text.partition("Où en est")[0]
    me.decide(number, "accorder")
    messages = me.open(f"/dossiers/{number}").text.partition("Messages")[2]
    assert "c'est à vous d'agir. Voyez pourquoi" in messages
    assert "c'est terminé. Vous n'avez plus rien à faire." in messages


INSPECTED = """
later_forms:
  constat:
    title: Constat
    by: maire
    fields:
      conforme: {label: Conforme, type: yes_no, example: true}
      ecarts: {label: Écarts, when: not conforme, example: Mur trop haut}
"""


@pytest.mark.parametrize("held", [True, False])
def test_an_inspection_says_what_it_found_or_that_it_was_not_held(tmp_path: Path, held: bool) -> None:
    """The message said « Lisez pourquoi » and no page said why; a lapse read « Inspection : c’est fait »."""
    gathers = (
        "chantier: {label: Inspection, public: accepted, gather: [constat], due: 5 days, late: reprise, "
        "then: [{when: conforme, to: accorde}, {to: reprise}], transitions: {accorder: {label: Finir, by: maire, to: accorde}}}\n"
        "    reprise: {label: Travaux à reprendre, by: applicant, public: accepted, due: 2 years, late: classe, "
        "transitions: {refaire: {label: Refait, to: chantier, reopens: [constat]}}}"
    )
    text = re.sub(r"chantier: \{.*", gathers, PERMIT).replace("workflow:", f"{INSPECTED}workflow:")
    me = serving(tmp_path, a_procedure(text)).sign_in()
    number = opened(me)
    if held:
        fill_form(me.office, MAYOR, me.dossier_id(number), "constat", {"conforme": False, "ecarts": "Mur trop haut"})
    else:
        later(me, days=6)
        run_timers(me.office)
        me.sign_in()
    box, _, rest = me.open(f"/dossiers/{number}").text.partition("Où en est")
    assert ("Écarts : Mur trop haut" in box) is held
    assert ("Inspection : n’a pas eu lieu." in box) is not held
    assert "Inspection : n’a pas eu lieu" in rest or held
    assert "c'est à vous d'agir. Voyez pourquoi" in rest
    assert rest.count("votre demande est acceptée") == 1, "once, when the permit was signed"


SILENT = """
appointments:
  visite: {label: Visite, by: maire, place: applicant, lasts: 90 minutes, hours: [08:00-11:00]}
"""


def test_silence_that_grants_is_said_beside_a_visit_and_instead_of_a_later_day(tmp_path: Path) -> None:
    """The permit announced 15 January beside a silence that grants on 31 December, and not while a visit was due."""
    clock = "silence: {label: Silence, lasts: 30 days, runs_in: [examen, commission, signature], then: [{to: permis}]}"
    visit = "commission: {label: Commission, attend: visite, due: 60 days, then: signature, missed: classe}"
    place = "      commune: {label: Commune, type: place, level: prefecture, example: golfe}\n      rue: {label: Rue, example: Kodjoviakopé}\n"
    text = (
        re.sub(r"commission: .*", visit, PERMIT)
        .replace("workflow:", f"{place}workflow:")
        .replace("start: examen", f"start: examen\n  clocks:\n    {clock}")
    )
    me = serving(tmp_path, a_procedure(text + SILENT)).sign_in()
    number = me.begin()
    me.send(f"/dossiers/{number}/demande/vous", nom="Chez Afi", commune="golfe", rue="Kodjoviakopé", go="next")
    me.send(f"/dossiers/{number}/verification", declared="1")
    silence = "Sans réponse le 24 décembre 2026, votre demande est acceptée."
    assert _history(me, number)[-1] == ("Permis délivré", f"Après 1 autre étape. {silence}")
    assert silence in me.page.text.partition("Où en est")[0]
    me.decide(number, "proposer")
    assert silence in me.open(f"/dossiers/{number}").text.partition("Où en est")[0], "while a visit is to book"
    start = re.findall(r'name="start" value="([^"]+)"', me.open(f"/dossiers/{number}/rendez-vous").html)[0]
    me.send(f"/dossiers/{number}/rendez-vous", start=start, go="book")
    assert "Durée 1 heure 30 minutes" in me.open(f"/dossiers/{number}/rendez-vous").text
    with me.office.store.unit(write=True) as unit:
        unit.put_account(Account(MAYOR.id, "agent", MAYOR.name, "maire", roles=tuple(MAYOR.roles)))
    told = as_an_agent(me).open(f"/agent/rendez-vous/{start[:10]}").text
    assert "Visite, Kodjoviakopé, Golfe" in told, "the agent goes there"
    box = me.open(f"/dossiers/{number}").text.partition("Où en est")[0]
    assert "Un agent vient " in box
    assert "Sur place, à l’adresse de votre dossier. Kodjoviakopé, Golfe." in box
    assert silence in box
    assert "écrivez-nous" not in box


CARD = """
title: Carte
summary: Une carte.
form:
  vous:
    title: Vous
    fields:
      bureau: {label: Bureau, type: office, example: mairie_golfe_1}
      pourquoi: {label: Pourquoi, type: choice, options: {un: C'est ma première carte, deux: Autre}}
workflow:
  start: etude
  office: bureau
  states:
    etude: {label: Étude, by: maire, due: 1 day, transitions: {accorder: {label: Accorder, to: a_payer}}}
    a_payer: {label: À payer, pay: taxe, due: 30 days, then: fabrication, late: classe}
    fabrication: {label: Fabrication, by: maire, due: 5 days, transitions: {finir: {label: Finir, to: pret}}}
    pret: {label: Retrait, help: Venez en personne., public: ready, by: maire, due: 5 days, late: classe, transitions: {remettre: {label: Remettre, to: remis}}}
    remis: {label: Remis, HELP end: granted}
    classe: {label: Classé, end: abandoned}
fees:
  taxe: {label: Taxe, amount: 5000}
scenarios:
  simple: {story: Une carte, steps: [{take: accorder}]}
"""


@pytest.mark.parametrize(
    ("own", "title"),
    [("", "Votre document vous a été remis"), ("help: Votre carte est à vous.,", "Votre carte est à vous")],
)
def test_a_document_is_fetched_in_the_hours_of_its_office(tmp_path: Path, own: str, title: str) -> None:
    """What to bring and how to come are said by the help of the state, the end by its own words."""
    me = serving(tmp_path, a_procedure(CARD.replace("HELP", own))).sign_in()
    number = me.begin()
    me.send(f"/dossiers/{number}/demande/vous", bureau="mairie_golfe_1", pourquoi="un", go="next")
    me.send(f"/dossiers/{number}/verification", declared="1")
    me.decide(number, "accorder")
    me.send(f"/dossiers/{number}/paiement", provider="argent", payer="90000001")
    making = me.open(f"/dossiers/{number}").text
    assert "En cours Étape en cours : fabrication" in making
    assert "il avance. Vous n'avez rien à faire." in making
    assert "Un agent vérifie" not in making
    assert "C’est ma première carte" in making
    me.decide(number, "finir")
    box = me.open(f"/dossiers/{number}").text.partition("Où en est")[0]
    assert "C’est prêt" in box
    assert "Horaires lundi à vendredi : 7 h 30 à 12 h (à confirmer)" in box
    assert "Venez en personne." in box
    me.decide(number, "remettre")
    page = me.open(f"/dossiers/{number}").text
    assert title in page
    assert "votre document vous a été remis." in page, "the message too"
    assert "acceptée" not in page


def _history(known: PortalClient, number: str) -> list[tuple[str, str]]:
    html = known.open(f"/dossiers/{number}").html.partition("Où en est mon dossier")[2].partition("</ol>")[0]
    steps = re.findall(r'<li class="(?:done|now|next)"[^>]*><b>([^<]+)</b>(?:<span class="soft">([^<]+)</span>)?', html)
    return [(name.replace("\u00a0", " "), when.replace("\u00a0", " ")) for name, when in steps]


def test_the_history_says_what_came_on_which_day(known: PortalClient) -> None:
    """Facts where the workflow has them: corrections and money that came, and the hour of the visit."""
    number = known.sent()
    known.decide(number, "corriger", reason="Un point", correction={"nom": "Écrire en entier"})
    later(known, minutes=1)
    known.send(f"/dossiers/{number}/corrections", nom="Amegan Afi", go="send")
    known.decide(number, "accorder")
    later(known, minutes=1)
    known.send(f"/dossiers/{number}/paiement", provider="argent", payer="90000001")
    later(known, days=1)
    known.sign_in()
    html = known.open(f"/dossiers/{number}/rendez-vous").html
    start = re.findall(r'name="start" value="([^"]+)"', html)[0]
    known.send(f"/dossiers/{number}/rendez-vous", start=start, go="book")
    assert _history(known, number) == [
        ("Demande envoyée", "24 novembre 2026"), ("Examen : c’est fait", "24 novembre 2026"), ("Paiement reçu", "24 novembre 2026"),
        ("Remise de la clé", "jeudi 26 novembre 2026 à 8 h"), ("Accordé", ""),
    ]  # fmt: skip
    assert ">Corrections envoyées</b>" in known.page.html
    assert ">Examen\u00a0: corrections demandées</b>" in known.page.html


def test_a_step_that_ended_without_its_payment_says_none(known: PortalClient) -> None:
    number = known.sent()
    known.decide(number, "accorder")
    known.send(f"/dossiers/{number}/actes/retirer", reason="Je pars")
    assert _history(known, number)[-2:] == [("Paiement", "24 novembre 2026"), ("Retiré", "24 novembre 2026")]
    assert "Paiement reçu" not in known.page.text
