"""Agents: the door, the queues, a dossier read and decided, what happens when somebody was faster, the day of an office."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from engine.core.values import new_id
from engine.domain.forms.corrections import CONFIRMED
from engine.records.dossier import Account, Dossier
from engine.services.applications import casework
from engine.services.applications import drafts as intake
from engine.services.applications.attachments import Upload
from engine.services.payments import settlement
from engine.services.sign_in.demo_accounts import PASSWORD, open_demo
from renderers.web.agents import inbox
from tests import worker
from tests.engine.services.world import B3, PASSPORT, PHONE, pdf
from tests.web.portal import photograph
from tests.web.staff_site import (
    CLERK,
    DESK,
    GATEKEEPER,
    MAKER,
    OTHER_CLERK,
    Seat,
    StaffSite,
    all_same,
    hidden,
    open_staff_site,
    read,
)

pytestmark = pytest.mark.slow  # a whole site and its people for each test


@pytest.fixture
def staff_site(tmp_path: Path) -> StaffSite:
    return open_staff_site(tmp_path)


@pytest.fixture
def passport(staff_site: StaffSite) -> Dossier:
    return staff_site.world.sent(PASSPORT)


def at(dossier: Dossier, rest: str = "") -> str:
    return f"/agent/dossiers/{dossier.number}{rest}"


def confirm(seat: Seat, dossier: Dossier, act: str, **typed: object) -> tuple[int, str]:
    """Fills, compares, previews and confirms an act; the status and where it leads."""
    path = at(dossier, f"/acte/{act}")
    typed = {**all_same(seat.get(path)), **typed}
    preview = seat.post(path, go="preview", **typed) if typed else seat.get(path)
    assert preview.status_code == 200, read(preview)
    done = seat.client.post(path, data={**hidden(preview), "go": "confirm"})
    return done.status_code, done.headers.get("Location", "")


def test_an_agent_reads_that_the_operator_is_asked_and_nobody_must_pay(
    staff_site: StaffSite, passport: Dossier
) -> None:
    seat = staff_site.agent(GATEKEEPER)
    confirm(seat, passport, "conforme")
    assert "Le demandeur doit payer" in seat.see(at(passport))
    owner = staff_site.world.applicant()
    paid = worker.start_payment(
        staff_site.world.office, owner, passport.id, provider="sandbox", payer="90000005", token=new_id()
    )  # fmt: skip
    for _ in range(2):  # asked for, then asked about
        told = seat.see(at(passport))
        assert "Paiement en cours de vérification chez l’opérateur" in told
        for said in ("Le demandeur doit payer", "Le demandeur a jusqu’au", "Usager, jusqu’au", "À payer"):
            assert said not in told.partition("Historique")[0], said
        assert "Aucun délai ne court contre le demandeur" in told
        listed = seat.see("/agent?file=tous")
        assert "Paiement en cours de vérification" in listed
        assert "Usager, jusqu’au" not in listed
        settlement.check_payment(staff_site.world.office, paid.id)


# -- the door ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_failure_at_the_door_says_the_same(staff_site: StaffSite) -> None:
    said = set()
    for login, password in ((GATEKEEPER, "faux"), ("personne", "demo"), ("controle", "demo")):
        answer = staff_site.stranger().client.post("/agent/connexion", data={"login": login, "password": password})
        assert answer.status_code == 422
        said.add(read(answer).replace(login, ""))
    assert len(said) == 1
    assert "L’identifiant ou le mot de passe n’est pas le bon." in said.pop()


@pytest.mark.slow
def test_after_too_many_tries_the_code_is_asked_for_with_the_password(staff_site: StaffSite) -> None:
    seat = staff_site.stranger()
    tries = [seat.client.post("/agent/connexion", data={"login": GATEKEEPER, "password": "x"}) for _ in range(7)]
    assert [one.status_code for one in tries] == [422] * 5 + [303] * 2
    assert tries[-1].headers["Location"] == "/agent/connexion/suite"


def test_the_header_says_who_and_which_role(staff_site: StaffSite) -> None:
    assert "A. Amouzou Agent de conformité" in staff_site.agent(GATEKEEPER).see("/agent")


def test_signing_in_leads_back_and_signing_out_closes(staff_site: StaffSite, passport: Dossier) -> None:
    seat = staff_site.stranger()
    sent = seat.get(at(passport))
    assert sent.status_code == 303
    door = sent.headers["Location"]
    entered = seat.post(door, login=GATEKEEPER, password="demo")
    assert entered.headers["Location"] == at(passport)
    assert seat.post("/agent/deconnexion", at="/agent").headers["Location"] == "/agent/connexion"
    assert seat.get("/agent").status_code == 303


def test_no_page_of_a_desk_opens_without_signing_in(staff_site: StaffSite) -> None:
    """Every address of the two desks, asked by a stranger and by somebody of the other desk."""
    rules = [one for one in staff_site.app.url_map.iter_rules() if one.rule.startswith(("/agent", "/audit"))]
    assert len(rules) > 15
    strangers = {"": staff_site.stranger(), "/audit": staff_site.agent(GATEKEEPER), "/agent": staff_site.auditor()}
    for number, rule in enumerate(rules):
        if rule.rule.endswith("/connexion"):
            continue
        elsewhere = {"REMOTE_ADDR": f"10.0.0.{number}"}  # what is posted is kept aside, so much from one place
        path = re.sub(r"<[^>]+>", "1", rule.rule)
        for desk, seat in strangers.items():
            if not rule.rule.startswith(desk):
                continue
            for method in rule.methods & {"GET", "POST"}:
                seat.client.delete_cookie("session")  # of one browser too
                answer = seat.client.open(path, method=method, environ_overrides=elsewhere)
                refused = answer.status_code == 401 or (
                    answer.status_code == 303 and "/connexion" in answer.headers["Location"]
                )
                assert refused, (method, path, answer.status_code)


def test_a_form_without_its_secret_changes_nothing(staff_site: StaffSite, passport: Dossier) -> None:
    seat = staff_site.agent(GATEKEEPER)
    staff_site.app.config["WTF_CSRF_ENABLED"] = True
    answer = seat.client.post(at(passport, "/attribution"), data={"vers": "moi"})
    assert answer.status_code == 400
    assert staff_site.kept(passport).assigned is None


def test_demo_people_are_seated_once_and_listed_only_in_a_demonstration(staff_site: StaffSite) -> None:
    office = staff_site.world.office

    def secrets() -> dict[str, str]:
        kinds = ("agent", "auditor")
        return {one.id: one.secret for kind in kinds for one in staff_site.world.read(lambda unit: unit.accounts(kind))}  # noqa: B023

    before = secrets()
    people = open_demo(office)
    assert secrets() == before
    roles = [role.key for agency in office.directory.agencies.values() for role in agency.roles.values()]
    assert sorted(one.role for one in people if one.role) == sorted(roles * 2)
    assert len({one.name for one in people}) == len(people)
    assert "démonstration" not in staff_site.stranger().see("/agent/connexion")


# -- queues ------------------------------------------------------------------------------------------------------------


def test_taking_a_dossier_takes_it_from_the_queue(staff_site: StaffSite, passport: Dossier) -> None:
    mine, other = staff_site.agent(GATEKEEPER), staff_site.agent(f"{GATEKEEPER}.2")
    assert "AMEGAN" in other.see("/agent")
    taken = mine.post("/agent/prendre", at="/agent", number=passport.number)
    assert taken.headers["Location"] == at(passport)
    assert "AMEGAN" not in other.see("/agent")
    assert "Aucun dossier dans cette file." in other.see("/agent")
    assert "AMEGAN" in mine.see("/agent?file=miens")
    assert "Attribué à" in other.see(at(passport))
    mine.post(at(passport, "/attribution"), at=at(passport), vers="file")
    assert staff_site.kept(passport).assigned is None


def test_the_next_one_is_the_first_due(staff_site: StaffSite, passport: Dossier) -> None:
    staff_site.world.wait(hours=30)
    other = staff_site.world._person(Account("kofi", "applicant", "", "+22890000099"))
    later = staff_site.world.sent(PASSPORT, other)
    seat = staff_site.agent(GATEKEEPER)
    first = seat.post("/agent/suivant", at="/agent")
    assert first.headers["Location"] == at(passport)
    assert "Prendre le suivant" in seat.see("/agent")
    assert "Prendre le suivant" in seat.see("/agent?file=tous&demarche=" + PASSPORT)
    narrowed = seat.see("/agent?file=tous&q=personne")
    assert "Prendre le suivant" not in narrowed, "none is left under these filters"
    assert "Ces filtres n’en laissent aucun à prendre." in narrowed
    assert seat.post("/agent/suivant", at="/agent").headers["Location"] == at(later)
    for queue in ("a-prendre", "miens", "tous"):
        told = seat.see(f"/agent?file={queue}")
        assert "Prendre le suivant" not in told, queue
        assert ("Il reste des dossiers dans « Les miens »." in told) is (queue != "miens"), "they stand on the page"
        assert "rien à prendre" not in told
    assert seat.post("/agent/suivant", at="/agent").headers["Location"] == "/agent"
    for dossier in (passport, later):
        staff_site.world.take(staff_site.kept(dossier), staff_site.actor(GATEKEEPER), "conforme")
    assert "Il n’y a plus rien à prendre." in seat.see("/agent")


def test_the_next_one_is_taken_once_and_from_no_colleague(
    staff_site: StaffSite, passport: Dossier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A double click took a second dossier, and of two agents who pressed at once the later took that of the first."""
    other = staff_site.world._person(Account("kofi", "applicant", "", "+22890000099"))
    later = staff_site.world.sent(PASSPORT, other)
    seat, colleague = staff_site.agent(GATEKEEPER), staff_site.agent(f"{GATEKEEPER}.2")
    form, second = hidden(seat.get("/agent")), hidden(colleague.get("/agent"))
    before = casework.list_inbox(staff_site.world.office, staff_site.actor(GATEKEEPER), "to_take").lines
    assert {one.id for one in before} == {passport.id, later.id}
    taken, left = (staff_site.kept(passport if one.id == passport.id else later) for one in before)
    assert {seat.client.post("/agent/suivant", data=form).headers["Location"] for _ in range(2)} == {at(taken)}
    assert staff_site.kept(left).assigned is None
    monkeypatch.setattr(inbox, "_to_take", lambda *_: before)  # read before the first agent was faster
    assert colleague.client.post("/agent/suivant", data=second).headers["Location"] == at(left)
    assert staff_site.kept(taken).assigned == staff_site.actor(GATEKEEPER).id


def test_what_is_ready_to_be_collected_is_nobodys_next(staff_site: StaffSite, passport: Dossier) -> None:
    seat = staff_site.agent(DESK)
    carried = hidden(seat.get("/agent"))
    staff_site.world.force(passport, state="pret")
    told = seat.see("/agent")
    assert passport.label not in told
    assert "Prendre le suivant" not in told
    assert "Il reste des dossiers dans « À remettre »." in told
    assert "rien à prendre" not in told
    assert "À remettre 1" in told
    assert passport.label in seat.see("/agent?file=a-remettre")
    assert f"/agent/chercher?q={passport.number}" in seat.get(f"/agent?q={passport.number}").get_data(as_text=True)
    assert seat.client.post("/agent/suivant", data=carried).headers["Location"] == "/agent"
    assert staff_site.kept(passport).assigned is None


def test_an_appeal_is_not_offered_to_who_refused(staff_site: StaffSite, passport: Dossier) -> None:
    world, seat = staff_site.world, staff_site.agent(GATEKEEPER)
    seat.post("/agent/prendre", at="/agent", number=passport.number)
    world.take(staff_site.kept(passport), staff_site.actor(GATEKEEPER), "refuser", reason="Non")
    world.take(staff_site.kept(passport), world.applicant(), "contester", reason="Si")
    assert staff_site.kept(passport).assigned is None
    assert "Prendre ce dossier" not in seat.see(at(passport))
    assert seat.post("/agent/prendre", at="/agent", number=passport.number).headers["Location"] == at(passport)
    assert "Une autre personne doit le faire : vous avez déjà fait « Refuser »." in seat.see(at(passport))
    other = staff_site.agent(f"{GATEKEEPER}.2")
    assert "Prendre ce dossier" in other.see(at(passport))
    other.post("/agent/prendre", at="/agent", number=passport.number)
    assert staff_site.kept(passport).assigned == staff_site.actor(f"{GATEKEEPER}.2").id


def test_what_colleagues_wrote_of_their_own_request_is_not_read(staff_site: StaffSite, passport: Dossier) -> None:
    world = staff_site.world
    world.take(staff_site.kept(passport), staff_site.actor(GATEKEEPER), "refuser", reason="Soupçon")
    other = staff_site.agent(f"{GATEKEEPER}.2")
    assert "Motif : « Soupçon »" in other.see(at(passport))
    with world.office.store.unit(write=True) as unit:
        account = unit.account_of("agent", f"{GATEKEEPER}.2")
        assert account is not None
        unit.put_account(replace(account, profile={**account.profile, "phone": PHONE}))
    assert "Motif : « Soupçon »" not in other.see(at(passport))


def test_a_double_touch_takes_one_dossier(staff_site: StaffSite, passport: Dossier) -> None:
    seat = staff_site.agent(GATEKEEPER)
    carried = hidden(seat.get("/agent"))
    for _ in range(2):
        answer = seat.client.post("/agent/prendre", data={**carried, "number": passport.number})
        assert answer.headers["Location"] == at(passport)
    assert staff_site.world.kinds(passport).count("assigned") == 1


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=amegan", True), ("q=Afi", True), ("q=mensah", False), ("demarche=" + PASSPORT, True), ("demarche=nulle-part", True),
        (f"demarche={PASSPORT}&etape=conformite", True), (f"demarche={PASSPORT}&etape=pret", False),
        ("bureau=dgdn_lome", True), ("bureau=dgdn_kara", False), ("file=termines", False), ("file=attente", False),
    ],
)  # fmt: skip
def test_filters_narrow_a_queue(staff_site: StaffSite, passport: Dossier, query: str, found: bool) -> None:
    text = staff_site.agent(GATEKEEPER).see(f"/agent?{query}")
    assert (passport.label in text) is found
    assert found or "Aucun dossier" in text


@pytest.mark.parametrize("column", ["Étape", "Reçu", "À rendre"])
def test_a_list_is_sorted_by_a_column_both_ways(staff_site: StaffSite, passport: Dossier, column: str) -> None:
    """The heads of the columns lead there, say the order in use, and a filter keeps it."""
    world = staff_site.world
    world.clock.advance(timedelta(days=1))
    numbers, seat = [passport.number, world.sent(PASSPORT).number], staff_site.agent(GATEKEEPER)
    listed = f"/agent?file=tous&demarche={PASSPORT}"
    address, sorts = listed, []
    for _ in range(3):
        (address,) = re.findall(rf'<a href="([^"]+)">{column}</a></th>', html_of(seat, address))
        text = html_of(seat, address)
        (order,) = re.findall(rf'aria-sort="(\w+)"><a href="[^"]+">{column}</a>', text)
        assert text.count("aria-sort") == 1
        found = sorted(numbers, key=lambda number: text.index(f"/agent/dossiers/{number}"))
        assert found == (numbers if order == "ascending" else numbers[::-1])
        kept = re.search(r'name="tri" value="([^"]+)"', text)
        assert address == listed + (f"&tri={kept[1]}" if kept else "")
        sorts.append(order)
    first = "descending" if column == "À rendre" else "ascending"
    assert sorts[0] == sorts[2] == first != sorts[1]


def test_an_agent_goes_through_a_list_from_one_dossier_to_the_next(staff_site: StaffSite, passport: Dossier) -> None:
    """Its order and filters hold, also after an act that moves the dossier, and the way back leads to this list."""
    world = staff_site.world
    others = []
    for _ in range(2):
        world.clock.advance(timedelta(days=1))
        others.append(world.sent(PASSPORT))
    seat, (first, second, third) = staff_site.agent(GATEKEEPER), (passport, *others)
    assert "Dans la liste" not in html_of(seat, at(second))
    listed = f"/agent?file=a-prendre&demarche={PASSPORT}&tri=-rendre"
    html_of(seat, listed)
    before = html_of(seat, at(second))
    confirm(seat, second, "conforme")
    for text in (before, html_of(seat, at(second))):
        assert f'href="{at(third)}" rel="prev"' in text
        assert f'href="{at(first)}" rel="next"' in text
        assert f'<a href="{listed}"' in text
    assert 'rel="prev"' not in html_of(seat, at(third))
    assert 'rel="next"' not in html_of(seat, at(first))


def test_the_list_of_a_colleague_at_the_same_desk_is_not_shown(staff_site: StaffSite, passport: Dossier) -> None:
    """What they looked for may be a name. The next agent signs in on the address of a dossier."""
    seat = staff_site.agent(GATEKEEPER)
    seat.post("/agent/deconnexion", at="/agent?file=tous&q=AGBEKO")
    answer = seat.client.post(
        "/agent/connexion", data={"login": f"{GATEKEEPER}.2", "password": PASSWORD, "suite": at(passport)}
    )
    assert answer.location == at(passport)
    page = html_of(seat, at(passport))
    assert "AGBEKO" not in page
    assert 'href="/agent"' in page


def html_of(seat: Seat, address: str) -> str:
    return html.unescape(seat.get(address).get_data(as_text=True))


def test_an_unknown_order_is_left_out(staff_site: StaffSite, passport: Dossier) -> None:
    text = html_of(staff_site.agent(GATEKEEPER), "/agent?file=tous&tri=number;--")
    assert passport.label in text
    assert 'name="tri"' not in text


def test_a_number_is_found_with_its_spaces(staff_site: StaffSite, passport: Dossier) -> None:
    number = passport.number
    spaced = f"{number[:2]} {number[2:6]} {number[6:10]} {number[10:]}"
    assert passport.label in staff_site.agent(GATEKEEPER).see(f"/agent?q={spaced.replace(' ', '+')}")


def test_due_dates_are_told_in_words(staff_site: StaffSite, passport: Dossier) -> None:
    seat = staff_site.agent(GATEKEEPER)
    assert "Reste 3 jours ouvrés" in seat.see("/agent")
    staff_site.world.clock.instant = passport.due_at - timedelta(hours=2)  # type: ignore[operator]
    assert "Reste 2 heures" in staff_site.agent(GATEKEEPER).see("/agent")
    staff_site.world.clock.instant = passport.due_at + timedelta(days=2)  # type: ignore[operator]
    text = staff_site.agent(GATEKEEPER).see("/agent")
    assert "En retard de 2 jours" in text
    assert "En retard 1" in text


# -- one dossier -------------------------------------------------------------------------------------------------------


def test_a_dossier_of_another_service_does_not_exist(staff_site: StaffSite, passport: Dossier) -> None:
    mine, other = staff_site.agent(GATEKEEPER), staff_site.agent(CLERK)
    draft = staff_site.world.draft(B3)
    gone = read(other.get(at(passport)))
    for seat, path in (
        (other, at(passport)),
        (other, "/agent/dossiers/26000000000"),
        (other, at(draft)),
        (mine, at(draft)),
    ):
        answer = seat.get(path)
        assert answer.status_code == 404
        assert read(answer).split("Page introuvable")[1] == gone.split("Page introuvable")[1]


def test_sensitive_answers_are_for_the_roles_the_book_names(staff_site: StaffSite, passport: Dossier) -> None:
    assert "Signes particuliers Exemple" in staff_site.agent(GATEKEEPER).see(at(passport))
    hidden_text = staff_site.agent(DESK).see(at(passport))
    assert "Signes particuliers Masqué pour votre rôle" in hidden_text
    assert "Exemple" not in hidden_text


def test_closed_acts_say_why(staff_site: StaffSite, passport: Dossier) -> None:
    text = staff_site.agent(DESK).see(at(passport))
    assert "Rien n’est ouvert pour vous à cette étape." in text
    assert "Déclarer conforme Réservé à : Agent de conformité." in text
    assert "À corriger" not in text


def test_an_act_chosen_on_a_page_of_the_release_before_leads_to_it(staff_site: StaffSite, passport: Dossier) -> None:
    seat = staff_site.agent(GATEKEEPER)
    for query, rest in (("?acte=conforme", "/acte/conforme"), ("", ""), ("?acte=inconnu", "")):
        assert seat.get(at(passport, f"/acte{query}")).headers["Location"] == at(passport, rest)


def test_the_preview_shows_the_very_message_that_leaves(staff_site: StaffSite, passport: Dossier) -> None:
    seat = staff_site.agent(GATEKEEPER)
    answer, before = seat.get(at(passport, "/acte/conforme")), staff_site.world.letters()
    shown = html.unescape(re.findall(r'<div class="sms mono">(.*?)</div>', answer.get_data(as_text=True), re.S)[0])
    text = read(answer)
    assert staff_site.kept(passport).revision == passport.revision
    assert staff_site.world.letters() == before
    assert f"{len(shown)} caractères, 1 SMS" in text
    assert "Nouvelle étape À payer" in text
    status, where = confirm(seat, passport, "conforme")
    assert (status, where) == (303, at(passport))
    assert staff_site.world.letters()[-1] == shown
    after = seat.see(where)
    assert "C’est fait : Déclarer conforme. Le dossier passe à « À payer »." in after
    assert shown in after.replace("  ", " ")


def test_a_double_touch_on_confirm_is_one_act(staff_site: StaffSite, passport: Dossier) -> None:
    seat = staff_site.agent(GATEKEEPER)
    carried = {**hidden(seat.get(at(passport, "/acte/conforme"))), "go": "confirm"}
    answers = [seat.client.post(at(passport, "/acte/conforme"), data=carried) for _ in range(2)]
    assert [one.status_code for one in answers] == [303, 303]
    assert len(staff_site.kept(passport).taken) == 1


def test_a_reason_is_asked_and_what_was_typed_is_kept(staff_site: StaffSite, passport: Dossier) -> None:
    seat = staff_site.agent(GATEKEEPER)
    path = at(passport, "/acte/refuser")
    empty = seat.post(path, go="preview")
    assert empty.status_code == 422
    assert "Écrivez le motif." in read(empty)
    typed = "Identité <douteuse> & illisible"
    preview = seat.post(path, go="preview", **{"act-reason": typed})
    assert f"Motif : « {typed} »" in read(preview)
    assert "Cette décision termine le dossier." in read(preview)
    edited = seat.client.post(path, data={**hidden(preview), "go": "edit"})
    assert html.escape(typed, quote=True) in edited.get_data(as_text=True)
    assert confirm(seat, passport, "refuser", **{"act-reason": typed})[0] == 303
    assert staff_site.kept(passport).taken[-1].reason == typed


def test_corrections_name_fields_with_a_reason_each(staff_site: StaffSite, passport: Dossier) -> None:
    seat = staff_site.agent(GATEKEEPER)
    path = at(passport, "/acte/faire_corriger")
    page = seat.see(f"{path}?champ=nom&champ=acte_naissance&champ=inconnu")
    assert "2 réponses à corriger" in page
    typed = {
        "act-field": ["nom", "acte_naissance"], "act-why-nom": "Autre nom sur l’acte", "act-why-acte_naissance": "Photo floue",
        "act-reason": "Deux points.",
    }  # fmt: skip
    preview = read(seat.post(path, go="preview", **typed))
    assert "Nom : « Autre nom sur l’acte »" in preview
    assert "Acte de naissance : « Photo floue »" in preview
    assert confirm(seat, passport, "faire_corriger", **typed)[0] == 303
    correction = staff_site.kept(passport).correction
    assert correction is not None
    assert dict(correction.fields) == {"nom": "Autre nom sur l’acte", "acte_naissance": "Photo floue"}
    text = seat.see(at(passport))
    assert "Corrections attendues" in text
    assert "Correction attendue : « Photo floue »" in text
    assert "Réponses changées" not in text, "nothing has come back yet"
    owner, office = staff_site.world.applicant(), staff_site.world.office
    intake.save_corrections(office, owner, passport.id, {"nom": ["LAWSON"]})
    intake.attach(office, owner, passport.id, "acte_naissance", Upload("acte.pdf", pdf()))
    text = seat.see(at(passport))
    assert "Corrections attendues" in text, "all is corrected, and nothing is sent"
    assert "Correction attendue : « Photo floue »" in text
    intake.send_corrections(office, owner, passport.id)
    assert "Réponses changées : Nom, Acte de naissance" in seat.see(at(passport))


@pytest.mark.parametrize("typed", ["90 11 22 33", "+228 90112233", "0022890112233"])
def test_an_agent_finds_the_requests_of_a_telephone_number(
    staff_site: StaffSite, passport: Dossier, typed: str
) -> None:
    assert staff_site.world.applicant().id == passport.owner
    seat, other = staff_site.agent(GATEKEEPER), staff_site.agent(OTHER_CLERK)
    asked = f"/agent?file=tous&q={quote(typed)}"
    assert passport.number in seat.get(asked).get_data(as_text=True)
    assert passport.number not in other.get(asked).get_data(as_text=True), "a search finds in one's own lists only"
    assert passport.number not in seat.get("/agent?file=tous&q=90112234").get_data(as_text=True)


def test_a_corrected_answer_is_read_beside_the_former_one_until_an_agent_acts(
    staff_site: StaffSite, passport: Dossier
) -> None:
    seat, former = staff_site.agent(GATEKEEPER), passport.answers["nom"]
    typed = {
        "act-field": ["nom", "prenoms", "acte_naissance"], "act-why-nom": "Autre nom", "act-why-prenoms": "Incomplets",
        "act-why-acte_naissance": "Photo floue", "act-reason": "Trois points.",
    }  # fmt: skip
    assert confirm(seat, passport, "faire_corriger", **typed)[0] == 303
    owner, office = staff_site.world.applicant(), staff_site.world.office
    same = {"prenoms": [str(passport.answers["prenoms"])], CONFIRMED: ["prenoms"]}
    intake.save_corrections(office, owner, passport.id, {"nom": ["LAWSON"], **same})
    intake.attach(office, owner, passport.id, "acte_naissance", Upload("acte2.pdf", pdf()))
    intake.send_corrections(office, owner, passport.id)
    text = seat.see(at(passport))
    assert "Corrections reçues : 3" in text
    assert f"LAWSON Avant : {former} Corrigé. Demandé : « Autre nom »" in text
    assert "Confirmé sans changement. Demandé : « Incomplets »" in text
    assert "Réponses changées : Nom, Acte de naissance" in text, "not the given names"
    old = next(one for one in passport.attachments if one.field == "acte_naissance")
    assert f"Avant : {old.name}" in text
    assert "Fichier remplacé" in seat.see(f"{at(passport)}?piece={old.id}")
    changed = seat.see(f"{at(passport)}?voir=corrige")
    assert "LAWSON" in changed
    assert "Lieu de naissance" in text
    assert "Lieu de naissance" not in changed
    staff_site.world.wait(minutes=1)
    assert (
        confirm(seat, passport, "faire_corriger", **{"act-field": "nom", "act-why-nom": "Encore", "act-reason": "x"})[0]
        == 303
    )
    assert "Avant :" not in seat.see(at(passport))


def test_the_general_message_is_optional_where_each_answer_has_its_reason(
    staff_site: StaffSite, passport: Dossier
) -> None:
    seat = staff_site.agent(GATEKEEPER)
    path = at(passport, "/acte/faire_corriger")
    assert "Message général (facultatif) Inutile si chaque réponse" in seat.see(f"{path}?champ=nom")
    typed = {"act-field": ["nom", "prenoms"], "act-why-nom": "Autre nom"}
    assert seat.post(path, go="preview", **typed).status_code == 422
    assert confirm(seat, passport, "faire_corriger", **{"act-field": "nom", "act-why-nom": "Autre nom"})[0] == 303
    assert staff_site.kept(passport).state == "a_corriger"


def test_no_field_chosen_is_no_correction(staff_site: StaffSite, passport: Dossier) -> None:
    answer = staff_site.agent(GATEKEEPER).post(
        at(passport, "/acte/faire_corriger"), go="preview", **{"act-reason": "Vague"}
    )
    assert answer.status_code == 422
    assert "Choisissez au moins une réponse à corriger" in read(answer)
    assert "Vague" in answer.get_data(as_text=True)


def test_who_was_faster_is_named_and_the_text_is_kept(staff_site: StaffSite, passport: Dossier) -> None:
    """Two agents on one dossier: the slower one loses nothing but the decision."""
    slow, fast = staff_site.agent(GATEKEEPER), staff_site.agent(f"{GATEKEEPER}.2")
    path = at(passport, "/acte/refuser")
    preview = slow.post(path, go="preview", **{"act-reason": "Mon texte patient"})
    assert confirm(fast, passport, "faire_corriger", **{
        "act-field": "nom", "act-why-nom": "x", "act-reason": "y"})[0] == 303  # fmt: skip
    late = slow.client.post(path, data={**hidden(preview), "go": "confirm"})
    assert late.status_code == 409
    text = read(late)
    assert f"{staff_site.actor(f'{GATEKEEPER}.2').name} : « Faire corriger »" in text
    assert "Votre action « Refuser » n’a pas été enregistrée." in text
    assert "Mon texte patient" in text
    assert staff_site.kept(passport).state == "a_corriger"


def test_an_act_of_a_page_grown_old_says_what_happened(staff_site: StaffSite, passport: Dossier) -> None:
    """The bar was drawn before a colleague moved the dossier: choosing an act of that time is not a mistake."""
    slow, fast = staff_site.agent(GATEKEEPER), staff_site.agent(f"{GATEKEEPER}.2")
    confirm(fast, passport, "faire_corriger", **{"act-field": "nom", "act-why-nom": "x", "act-reason": "y"})
    late = slow.get(at(passport, "/acte/refuser"))
    assert late.status_code == 409
    assert f"{staff_site.actor(f'{GATEKEEPER}.2').name} : « Faire corriger »" in read(late)
    assert slow.get(at(passport, "/acte/inconnu")).status_code == 404


def test_an_act_still_open_may_be_resumed_on_the_new_state(staff_site: StaffSite, passport: Dossier) -> None:
    seat = staff_site.agent(GATEKEEPER)
    path = at(passport, "/acte/refuser")
    preview = seat.post(path, go="preview", **{"act-reason": "Texte"})
    casework.assign(staff_site.world.office, staff_site.actor(f"{GATEKEEPER}.2"), passport.id, None, token=new_id())
    late = seat.client.post(path, data={**hidden(preview), "go": "confirm"})
    assert late.status_code == 409
    resumed = seat.client.post(path, data={**hidden(late), "go": "edit"})
    assert resumed.status_code == 200
    assert "Texte" in resumed.get_data(as_text=True)
    again = seat.client.post(path, data={**hidden(resumed), "act-reason": "Texte", "go": "preview"})
    assert seat.client.post(path, data={**hidden(again), "go": "confirm"}).status_code == 303
    assert staff_site.kept(passport).state == "refuse"


def test_what_was_typed_survives_a_session_that_ended(staff_site: StaffSite, passport: Dossier) -> None:
    seat = staff_site.agent(GATEKEEPER)
    path = at(passport, "/acte/refuser")
    form = hidden(seat.get(path))
    staff_site.world.wait(hours=2)
    sent = seat.client.post(path, data={**form, "act-reason": "Écrit avant la pause", "go": "preview"})
    assert sent.status_code == 303
    entered = seat.post(sent.headers["Location"], login=GATEKEEPER, password="demo")
    assert entered.headers["Location"] == path
    assert "Écrit avant la pause" in seat.get(path).get_data(as_text=True)


def test_a_later_form_is_drawn_judged_and_kept(staff_site: StaffSite, passport: Dossier) -> None:
    world = staff_site.world
    dossier = world.take(passport, staff_site.actor(GATEKEEPER), "conforme")
    dossier = world.booked(world.paid(dossier), "depot")
    world.clock.instant = dossier.bookings["depot"].start + timedelta(minutes=5)
    seat = staff_site.agent(DESK)
    day = f"/agent/rendez-vous/{dossier.bookings['depot'].start.date()}"
    seat.noted(day, f"{dossier.number}/depot/attended")
    assert confirm(seat, dossier, "originaux_conformes")[0] == 303
    maker = staff_site.agent(MAKER)
    path = at(dossier, "/acte/fabriquer")
    wrong = maker.post(path, go="preview", numero_livret="bof")
    assert wrong.status_code == 422
    assert 'value="BOF"' in wrong.get_data(as_text=True) or 'value="bof"' in wrong.get_data(as_text=True)
    scheme = staff_site.world.office.catalogue.procedures[PASSPORT].schemes["passport"]
    until = {"livret_expire_day": "1", "livret_expire_month": "12", "livret_expire_year": "2031"}
    preview = maker.post(path, go="preview", numero_livret=scheme.example, **until)
    carried = {**hidden(preview), "go": "confirm"}
    assert [maker.client.post(path, data=carried).status_code for _ in range(2)] == [303, 303]
    kept = staff_site.kept(dossier)
    assert (kept.state, kept.answers["numero_livret"]) == ("pret", scheme.example)
    assert scheme.example in maker.see(at(dossier))


def test_four_eyes_are_two_people(staff_site: StaffSite) -> None:
    world = staff_site.world
    dossier = world.paid(world.sent(B3, nom="GBEKOU", prenoms="Komi Selom", date_naissance="1984-02-17"))
    assert staff_site.kept(dossier).state == "controle"
    first, second = staff_site.agent(CLERK), staff_site.agent(OTHER_CLERK)
    assert confirm(first, dossier, "verifier", meme_personne="false")[0] == 303
    assert confirm(staff_site.agent("sncja.agent_traitement"), dossier, "comparer")[0] == 303
    text = first.see(at(dossier))
    assert "Une autre personne doit le faire : vous avez déjà fait « Rendre la vérification »." in text
    closed = first.get(at(dossier, "/acte/signer"))
    told = read(closed)
    assert closed.status_code == 409
    assert "« Signer le bulletin » n’est pas possible maintenant" in told
    assert "Une autre personne doit le faire : vous avez déjà fait « Rendre la vérification »." in told
    assert "n’a pas été enregistrée" not in told  # nothing was sent
    assert confirm(second, dossier, "signer")[0] == 303
    delivered = second.see(at(dossier))
    assert "Bulletin n° 3" in delivered
    document = staff_site.kept(dossier).documents[0]
    pdf = second.get(at(dossier, f"/documents/{document.id}.pdf"))
    assert pdf.data.startswith(b"%PDF")


# -- papers ------------------------------------------------------------------------------------------------------------


def test_a_picture_is_shown_and_a_pdf_is_not_run(staff_site: StaffSite) -> None:
    world = staff_site.world
    draft = world.draft(PASSPORT)
    owner = world.applicant()
    intake.attach(world.office, owner, draft.id, "acte_naissance", intake.Upload("acte.jpg", photograph(300, 200)))
    for problem in intake.check(world.office, owner, draft.id).errors:
        intake.attach(world.office, owner, draft.id, problem.at, Upload("acte.pdf", pdf()))
    dossier = intake.submit(world.office, owner, draft.id, declared=True, token=new_id())
    seat, stranger = staff_site.agent(GATEKEEPER), staff_site.agent(CLERK)
    for attachment in dossier.attachments:
        address = seat.get(at(dossier, f"/pieces/{attachment.id}")).headers["Location"]
        assert address == f"{at(dossier)}?piece={attachment.id}#piece-vue"
        page = seat.get(address).get_data(as_text=True)
        assert f'src="{at(dossier)}/pieces/{attachment.id}/page-1.webp' in page
        assert f'href="{at(dossier)}/pieces/{attachment.id}/fichier" download' in page
        file = seat.get(at(dossier, f"/pieces/{attachment.id}/fichier"))
        how = "inline" if attachment.kind == "jpg" else "attachment"
        assert file.headers["Content-Disposition"].startswith(how)
        assert file.headers["Content-Security-Policy"].startswith("sandbox")
        assert file.headers["X-Content-Type-Options"] == "nosniff"
        for refused in (f"/pieces/{attachment.id}/fichier", f"/pieces/{attachment.id}", f"?piece={attachment.id}"):
            assert stranger.get(at(dossier, refused)).status_code == 404


def test_a_replaced_file_is_marked_and_paged_over(staff_site: StaffSite, passport: Dossier) -> None:
    old = passport.attachments[0]
    new = replace(old, id="newer", name="acte-lisible.jpg", received_at=old.received_at + timedelta(days=2))
    named = json.loads(json.dumps(dict(passport.answers)).replace(old.id, new.id))
    files = (*passport.attachments, new)
    staff_site.world.force(passport, answers=named, attachments=files)
    seat = staff_site.agent(GATEKEEPER)
    replaced = seat.get(f"{at(passport)}?piece={old.id}")
    assert "Ce fichier a été remplacé le 25 novembre 2026." in read(replaced)
    assert "Voir le fichier en vigueur : acte-lisible.jpg" in read(replaced)
    for kept in files[1:]:
        page = seat.get(f"{at(passport)}?piece={kept.id}")
        tabs = re.findall(
            r'href="\?piece=([^"#]+)', page.get_data(as_text=True).partition('class="tabs"')[2].partition("</ul>")[0]
        )
        assert sorted(tabs) == sorted(one.id for one in files[1:]), "no tab leads to a replaced one"
        assert "remplacé le" not in read(page)
        former = f'href="?piece={old.id}#' in page.get_data(as_text=True).partition("Fichiers remplacés")[2]
        assert former is (kept.id == "newer"), "its successor leads there"


def test_a_removed_file_is_marked(staff_site: StaffSite, passport: Dossier) -> None:
    last = replace(passport.attachments[0], id="removed", field="elsewhere")
    staff_site.world.force(passport, attachments=(*passport.attachments, last))
    told = staff_site.agent(GATEKEEPER).see(f"{at(passport)}?piece=removed")
    assert "Ce fichier n’est plus dans le dossier." in told


# -- the day of an office ----------------------------------------------------------------------------------------------


def test_the_day_of_an_office(staff_site: StaffSite, passport: Dossier) -> None:
    world = staff_site.world
    dossier = world.booked(world.paid(world.take(passport, staff_site.actor(GATEKEEPER), "conforme")), "depot")
    start = dossier.bookings["depot"].start
    path = f"/agent/rendez-vous/{start.date()}"
    seat = staff_site.agent(DESK)
    assert "Absent" not in seat.see(path)
    assert "1 attendu" in seat.see(path)
    readings = staff_site.world.read(lambda unit: unit.readings_of(dossier.id))
    assert readings == (), "who reads the list of a day has opened no dossier"
    assert "Aucun rendez-vous" in seat.see(f"{path}?bureau=dgdn_kara")
    assert dossier.label in seat.see(f"{path}?q=amegan")
    assert "Aucun rendez-vous ne correspond." in seat.see(f"{path}?q=mensah")
    door = seat.see(f"{path}?porte=1")
    assert dossier.label not in door
    world.clock.instant = start + timedelta(minutes=20)
    seat = staff_site.agent(DESK)
    assert "Absent" in seat.see(path)
    assert seat.post(path, mark=f"{dossier.number}/depot/arrived").status_code == 303
    assert "Sur place depuis" in seat.see(path)
    asked = seat.post(path, mark=f"{dossier.number}/depot/attended", bureau="dgdn_lome", q="amegan")
    assert "Noter la personne comme reçue ?" in read(asked)
    assert staff_site.kept(dossier).state == "rendez_vous", "it is only asked"
    sure = {**hidden(asked), "go": "confirm"}
    answers = [seat.client.post(path, data=sure) for _ in range(2)]
    assert [answer.headers["Location"] for answer in answers] == [f"{path}?bureau=dgdn_lome&q=amegan"] * 2
    assert staff_site.world.kinds(dossier).count("task_done") == 1
    assert staff_site.kept(dossier).state == "originaux"
    assert "1 reçu" in seat.see(path)


def test_an_absence_is_asked_with_what_it_does(staff_site: StaffSite, passport: Dossier) -> None:
    world = staff_site.world
    dossier = world.booked(world.paid(world.take(passport, staff_site.actor(GATEKEEPER), "conforme")), "depot")
    start = dossier.bookings["depot"].start
    path, mark = f"/agent/rendez-vous/{start.date()}", f"{dossier.number}/depot/missed"
    world.clock.instant = start + timedelta(minutes=20)
    seat = staff_site.agent(DESK)
    asked = read(seat.post(path, mark=mark))
    assert "Noter la personne comme absente ?" in asked
    assert "Un message demande au demandeur de prendre un autre rendez-vous." in asked
    assert staff_site.kept(dossier).bookings["depot"].status == "booked", "it is only asked"
    task = world.office.catalogue.procedures[PASSPORT].tasks["depot"]
    world.force(staff_site.kept(dossier), missed={"depot": task.no_show})
    last = read(seat.post(path, mark=mark))
    assert "C’est une absence de trop. Le dossier passe à « " in last
    assert seat.noted(path, mark).status_code == 303
    assert staff_site.kept(dossier).closed_at is not None


@pytest.mark.parametrize("when", ["hier", "2026-13-01", "0001-01-01"])
def test_a_day_that_is_none_is_not_found(staff_site: StaffSite, when: str) -> None:
    assert staff_site.agent(DESK).get(f"/agent/rendez-vous/{when}").status_code == 404


def test_nobody_is_absent_before_the_hour(staff_site: StaffSite, passport: Dossier) -> None:
    world = staff_site.world
    dossier = world.booked(world.paid(world.take(passport, staff_site.actor(GATEKEEPER), "conforme")), "depot")
    path = f"/agent/rendez-vous/{dossier.bookings['depot'].start.date()}"
    answer = staff_site.agent(DESK).post(path, mark=f"{dossier.number}/depot/missed")
    assert answer.status_code == 409
    assert staff_site.kept(dossier).bookings["depot"].status == "booked"


def test_who_is_not_expected_that_day_is_looked_for_in_all_dossiers(staff_site: StaffSite, passport: Dossier) -> None:
    world = staff_site.world
    dossier = world.booked(world.paid(world.take(passport, staff_site.actor(GATEKEEPER), "conforme")), "depot")
    seat, visit = staff_site.agent(DESK), dossier.bookings["depot"].start.date()
    path = f"/agent/rendez-vous/{visit + timedelta(days=1)}?q={dossier.number}"
    html = seat.get(path).get_data(as_text=True)
    assert f'href="/agent/dossiers/{dossier.number}"' not in html
    [elsewhere] = re.findall(r'href="(/agent/chercher[^"]+)"', html)
    assert seat.get(elsewhere.replace("&amp;", "&")).headers["Location"] == f"/agent/dossiers/{dossier.number}"


def test_nothing_is_noted_before_the_day_of_the_visit(staff_site: StaffSite, passport: Dossier) -> None:
    world = staff_site.world
    dossier = world.booked(world.paid(world.take(passport, staff_site.actor(GATEKEEPER), "conforme")), "depot")
    path = f"/agent/rendez-vous/{dossier.bookings['depot'].start.date()}"
    seat = staff_site.agent(DESK)
    html = seat.get(path).get_data(as_text=True)
    assert "se notent à partir du" in html
    assert 'name="mark"' not in html
    for what in ("arrived", "attended"):
        answer = seat.post(path, mark=f"{dossier.number}/depot/{what}")
        assert answer.status_code == 409
        assert "Rien ne peut être noté avant ce jour" in answer.get_data(as_text=True)
    assert (staff_site.kept(dossier).bookings["depot"].arrived_at, staff_site.kept(dossier).state) == (
        None,
        "rendez_vous",
    )
    world.clock.instant = dossier.bookings["depot"].start.replace(hour=6)
    html = staff_site.agent(DESK).get(path).get_data(as_text=True)
    assert "se notent à partir du" not in html
    assert f"{dossier.number}/depot/attended" in html
