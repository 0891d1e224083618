"""The desk of those who owe a part: opinions and who reads them, rows decided one by one, reports with pictures, acts with a
piece, earlier dossiers, money of a closed one."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest

from engine.core.values import group_number, new_id
from engine.domain.common.task_parts import filling_at
from engine.language.catalogue.catalogue import Catalogue
from engine.language.compiler.namespace import FORM_WORDS
from engine.model.roles import roles_of
from engine.records.dossier import Dossier
from engine.services.applications import drafts as intake
from engine.services.applications import linked_dossiers as linking
from engine.services.applications import opinions as gathering
from engine.services.payments import payments as cashier
from engine.services.sign_in.demo_accounts import demo_agents
from engine.services.worker.worker import run_pass
from tests.engine.services.applications.test_agent_files import photograph
from tests.engine.services.applications.test_opinions import good
from tests.engine.services.world import PASSPORT, pdf
from tests.makers import a_procedure, the_shared
from tests.web.staff_site import Seat, StaffSite, hidden, open_staff_site, read

pytestmark = pytest.mark.slow  # a whole site and its people for each test

ROADS, LAND, FIRE, PLANNER = "mairie.voirie", "gfu.conservateur", "sapeurs_pompiers.prevention", "mairie.urbaniste"
MAYOR, INSPECTOR, OFFICER, CHIEF = "mairie.maire", "mairie.inspecteur", "dgdn.immigration", "dgdn.chef_visas"


@pytest.fixture
def staff_site(tmp_path: Path) -> StaffSite:
    names = ("opinions", "filled-per-row", "act-attachment", "linked-dossiers", "minimal", "gather")
    return open_staff_site(tmp_path, catalogue=good(*names))


def at(dossier: Dossier, rest: str = "") -> str:
    return f"/agent/dossiers/{dossier.number}{rest}"


def done(seat: Seat, dossier: Dossier, rest: str, **answers: object) -> tuple[int, str]:
    """Answers an errand, reads what it will do, confirms; the status and where it leads."""
    path = at(dossier, f"/a-faire/{rest}")
    shown = seat.post(path, go="preview", **answers)
    if shown.status_code != 200:
        return shown.status_code, shown.headers.get("Location", "")
    sure = seat.client.post(path, data={**hidden(shown), "go": "confirm"})
    return sure.status_code, sure.headers.get("Location", "")


def acted(seat: Seat, dossier: Dossier, act: str, **typed: object) -> int:
    path = at(dossier, f"/acte/{act}")
    shown = seat.post(path, go="preview", **typed) if typed else seat.get(path)
    assert shown.status_code == 200, read(shown)
    return seat.client.post(path, data={**hidden(shown), "go": "confirm"}).status_code


# -- opinions ----------------------------------------------------------------------------------------------------------


def test_an_opinion_is_asked_given_and_read_by_whom_the_book_says(staff_site: StaffSite) -> None:
    dossier = staff_site.world.sent("opinions")
    roads, land, planner = staff_site.agent(ROADS), staff_site.agent(LAND), staff_site.agent(PLANNER)
    assert "Avis à donner" in roads.see("/agent")
    asked = roads.see(at(dossier, "/a-faire/services/avis_voirie"))
    assert "Lu seulement par vous et par : Service d'urbanisme" in asked.replace("’", "'")
    assert "réputé favorable" in asked
    opened = roads.post(at(dossier, "/a-faire/services/avis_voirie"), go="preview", opinion="reserved")
    assert "Réserves" in read(opened), "what an answer opens is asked on the spot"
    seen = {"act-seen": ["opinion", "reserves"], "opinion": "reserved"}
    wrong = roads.post(at(dossier, "/a-faire/services/avis_voirie"), go="preview", **seen)
    assert "Remplissez « Réserves »" in read(wrong)
    status, address = done(roads, dossier, "services/avis_voirie", opinion="reserved", reserves="Élargir la porte")
    assert (status, address) == (303, at(dossier))
    assert "Élargir la porte" in roads.see(at(dossier))
    assert "Aucun dossier dans cette file." in roads.see("/agent")
    told = planner.see(at(dossier))
    for words in ("Services techniques Réservé", "Élargir la porte", "Guichet foncier Attendu", "avant le"):
        assert words in told
    hidden_from = land.see(at(dossier))
    assert "Élargir" not in hidden_from
    assert "Réservé" not in hidden_from.replace("Réservé à :", "")  # the roles of an act
    assert "Avis rendu : Services techniques" in hidden_from


def test_what_is_not_theirs_or_done_is_told_not_shown(staff_site: StaffSite) -> None:
    dossier = staff_site.world.sent("opinions")
    land = staff_site.agent(LAND)
    path = at(dossier, "/a-faire/services/avis_voirie")
    assert land.get(path).headers["Location"] == at(dossier)
    assert "Réservé à : Services techniques." in land.see(at(dossier))
    mine = at(dossier, "/a-faire/services/avis_foncier")
    shown = land.post(mine, go="preview", opinion="favourable")
    twice = [land.client.post(mine, data={**hidden(shown), "go": "confirm"}) for _ in range(2)]
    assert [answer.status_code for answer in twice] == [303, 303]
    assert staff_site.world.kinds(dossier).count("part_done") == 1
    assert "C’est déjà fait." in land.see(at(dossier))
    for strange in ("services", "services/nobody", "services/0", "nom", "decision/9999999", f"services/{'9' * 400}"):
        assert land.get(at(dossier, f"/a-faire/{strange}")).status_code == 404, strange


def test_an_opinion_already_given_is_told_with_its_hand_and_day(staff_site: StaffSite) -> None:
    dossier = staff_site.world.sent("opinions")
    roads, path = staff_site.agent(ROADS), at(dossier, "/a-faire/services/avis_voirie")
    assert done(roads, dossier, "services/avis_voirie", opinion="favourable")[0] == 303
    roads.see(at(dossier))
    assert roads.get(path).headers["Location"] == at(dossier)
    told = roads.see(at(dossier))
    assert "C’est déjà fait : par K. Akakpo, le 23 novembre 2026." in told
    for seat, service in ((staff_site.agent(LAND), "avis_foncier"), (staff_site.agent(FIRE), "avis_feu")):
        done(seat, dossier, f"services/{service}", opinion="favourable")
    assert roads.get(path).headers["Location"] == at(dossier), "once the round is over, too"
    assert "C’est déjà fait : par K. Akakpo" in roads.see(at(dossier))


def test_a_colleague_who_comes_too_late_keeps_their_text(staff_site: StaffSite) -> None:
    dossier = staff_site.world.sent("opinions")
    first, second = staff_site.agent(ROADS), staff_site.agent(f"{ROADS}.2")
    path = at(dossier, "/a-faire/services/avis_voirie")
    form = hidden(second.get(path))
    assert done(first, dossier, "services/avis_voirie", opinion="favourable")[0] == 303
    late = second.client.post(path, data={**form, "go": "preview", "opinion": "reserved", "reserves": "Trop étroit"})
    assert late.status_code == 409
    told = read(late)
    for words in ("Ce dossier a changé entre-temps", "Avis rendu : Services techniques", "Réserves Trop étroit"):
        assert words in told
    assert staff_site.kept(dossier).answers["avis_voirie"] == "favourable"


def test_silence_and_its_day_are_told(staff_site: StaffSite) -> None:
    dossier = staff_site.world.sent("opinions")
    staff_site.world.wait(days=30)
    run_pass(staff_site.world.office)
    told = staff_site.agent(PLANNER).see(at(dossier))
    assert "Services techniques Réputé favorable (sans réponse)" in told
    assert "Services techniques Favorable" not in told
    assert "Guichet foncier Sans réponse" in told
    assert "délai passé le" in told
    roads = staff_site.agent(ROADS)
    assert roads.get(at(dossier, "/a-faire/services/avis_voirie")).headers["Location"] == at(dossier)
    assert re.search(r"Le délai est passé le \d+ \w+ 2026 : ce n’est plus à faire.", roads.see(at(dossier)))
    assert "Avis non rendu à temps : Services techniques" in told


def test_an_opinion_by_silence_is_not_shown_as_given(staff_site: StaffSite) -> None:
    dossier = staff_site.world.sent("opinions", public=True)
    staff_site.world.wait(days=8)
    run_pass(staff_site.world.office)
    assert staff_site.kept(dossier).state == "avis", "the others have more time"
    page = staff_site.agent(PLANNER).get(at(dossier))
    assert read(page).count("Sécurité incendie Réputé défavorable (sans réponse)") == 2, "as asked, and as answered"
    assert '<span class="tag ">Réputé' in page.get_data(as_text=True), "the mark of no opinion"
    hidden_from = staff_site.agent(LAND).see(at(dossier))
    assert "Délai passé sans réponse" in hidden_from
    assert "éfavorable" not in hidden_from


# -- rows --------------------------------------------------------------------------------------------------------------


def test_rows_are_decided_one_after_the_other(staff_site: StaffSite) -> None:
    dossier = staff_site.world.sent(
        "filled-per-row", voyageurs=[{"nom": "LEE", "age": 30}, {"nom": "DOSSOU", "age": 40}]
    )
    officer = staff_site.agent(OFFICER)
    asked = officer.see(at(dossier, "/a-faire/decision/0"))
    assert "Décision par voyageur : LEE" in asked
    assert "30" in asked
    assert done(officer, dossier, "decision/0", accorde="true") == (303, at(dossier, "/a-faire/decision/1"))
    assert staff_site.kept(dossier).state == "examen"
    listed = officer.see(at(dossier, "/a-faire/decision"))
    assert "Il reste 1 ligne à remplir." in listed
    assert "LEE Fait" in listed
    shown = officer.post(at(dossier, "/a-faire/decision/1"), go="preview", accorde="false", raison="Signalé")
    assert "Nouvelle étape Signature" in read(shown)  # the last one moves the dossier: it is read once more
    assert staff_site.kept(dossier).state == "examen"
    assert officer.client.post(
        at(dossier, "/a-faire/decision/1"), data={**hidden(shown), "go": "confirm"}
    ).headers["Location"] == at(dossier)  # fmt: skip
    chief = staff_site.agent(CHIEF)
    told = chief.see(at(dossier))
    for words in ("LEE – Accordé Oui", "DOSSOU – Accordé Non", "DOSSOU – Raison Signalé"):
        assert words in told
    assert acted(chief, dossier, "signer") == 303
    papers = chief.see(at(dossier))
    assert "Visa – LEE" in papers
    assert "Refus – DOSSOU" in papers


def test_a_row_that_a_colleague_filled_meanwhile_is_not_replaced_unseen(staff_site: StaffSite) -> None:
    """Two officers open the same traveller. The second reads who was first before their own decision counts."""
    dossier = staff_site.world.sent(
        "filled-per-row", voyageurs=[{"nom": "LEE", "age": 30}, {"nom": "DOSSOU", "age": 40}]
    )
    first, second = staff_site.agent(OFFICER), staff_site.agent(f"{OFFICER}.2")
    path = at(dossier, "/a-faire/decision/0")
    mine, form = hidden(first.get(path)), hidden(second.get(path))
    refusing = {**mine, "go": "preview", "accorde": "false", "raison": "Signalé"}
    assert [first.client.post(path, data=refusing).status_code for _ in range(2)] == [303, 303], (
        "a double click is one act"
    )
    late = second.client.post(path, data={**form, "go": "preview", "accorde": "true"})
    assert late.status_code == 409
    told = read(late)
    for words in ("Ce dossier a changé entre-temps", "C’est déjà fait : par", "Accordé Oui"):
        assert words in told
    assert "act-row" not in told
    assert decided(staff_site, dossier) == {"accorde": False, "raison": "Signalé"}
    resumed = second.client.post(path, data={**hidden(late), "go": "edit"})
    assert resumed.status_code == 200
    sure = second.client.post(path, data={**hidden(resumed), "go": "preview", "accorde": "true"})
    assert sure.status_code == 303, "who knows it may still decide"
    assert decided(staff_site, dossier) == {"accorde": True}


def test_a_row_that_another_person_now_holds_is_not_filled_unseen(staff_site: StaffSite) -> None:
    """The travellers change places between the page and its post."""
    rows = [{"nom": "LEE", "age": 30}, {"nom": "DOSSOU", "age": 40}]
    dossier = staff_site.world.sent("filled-per-row", voyageurs=rows)
    officer, path = staff_site.agent(OFFICER), at(dossier, "/a-faire/decision/0")
    form = hidden(officer.get(path))
    staff_site.world.force(staff_site.kept(dossier), answers={**dossier.answers, "voyageurs": rows[::-1]})
    late = officer.client.post(path, data={**form, "go": "preview", "accorde": "true"})
    assert late.status_code == 409
    assert "Cette ligne a changé depuis l’ouverture de la page." in read(late).replace("'", "’")
    assert "decision" not in staff_site.kept(dossier).answers


def decided(site: StaffSite, dossier: Dossier) -> dict[str, object]:
    return dict(filling_at("decision", site.kept(dossier).answers, 0) or {})


def test_who_decided_a_row_is_told_why_they_do_not_sign(staff_site: StaffSite) -> None:
    dossier = staff_site.world.sent("filled-per-row", voyageurs=[{"nom": "LEE", "age": 30}])
    with staff_site.world.office.store.unit(write=True) as unit:
        account = unit.account_of("agent", CHIEF)
        assert account is not None
        unit.put_account(replace(account, roles=("dgdn/immigration", "dgdn/chef_visas")))
    both = staff_site.agent(CHIEF)
    assert done(both, dossier, "decision/0", accorde="true") == (303, at(dossier))
    assert "vous avez déjà fait « Décision par voyageur »" in both.see(at(dossier))
    assert "Signer" in staff_site.agent(f"{CHIEF}.2").see(at(dossier)).split("Fermé pour l’instant")[0]


# -- files -------------------------------------------------------------------------------------------------------------


def test_a_report_with_pictures_then_a_refusal_with_its_piece(staff_site: StaffSite) -> None:
    dossier, inspector = staff_site.world.sent("act-attachment"), staff_site.agent(INSPECTOR)
    path = at(dossier, "/a-faire/constat")
    missing = inspector.post(path, go="preview", conforme="false")
    assert missing.status_code == 422
    sent = inspector.post(
        path, conforme="false", send="photos", **{"file:photos": (io.BytesIO(photograph()), "lieu.jpg")}
    )
    assert "lieu.jpg" in sent.get_data(as_text=True)
    assert 'value="false" checked' in sent.get_data(as_text=True)
    bad = inspector.post(path, conforme="false", go="preview", **{"file:photos": (io.BytesIO(b"MZ"), "b.jpg")})
    assert bad.status_code == 422
    assert done(inspector, dossier, "constat", conforme="false")[0] == 303
    mayor = staff_site.agent(MAYOR)
    page = mayor.get(at(dossier)).get_data(as_text=True)
    assert "lieu.jpg" in page
    picture = re.search(r'href="(\?piece=[^"#]+)', page)
    assert picture is not None
    assert re.search(r'aria-current="true">Photos', mayor.get(at(dossier, picture[1])).get_data(as_text=True))

    refusal = at(dossier, "/acte/refuser")
    assert "Ajoutez la pièce demandée." in read(mayor.post(refusal, go="preview", **{"act-reason": "Inondable"}))
    joined = mayor.post(
        refusal, send="act-file", **{"act-reason": "Inondable", "file:act-file": (io.BytesIO(pdf()), "plan.pdf")}
    )
    text = joined.get_data(as_text=True)
    assert "plan.pdf" in text
    assert "Inondable" in text
    gone = re.search(r'name="detach" value="([^"]+)"', text)
    assert gone is not None
    away = mayor.client.post(refusal, data={**hidden(joined), "detach": gone[1], "act-reason": "Inondable"})
    assert "plan.pdf" not in away.get_data(as_text=True)
    shown = mayor.post(
        refusal, go="preview", **{"act-reason": "Inondable", "file:act-file": (io.BytesIO(pdf()), "plan.pdf")}
    )
    assert "plan.pdf" in read(shown)
    again = [mayor.client.post(refusal, data={**hidden(shown), "go": "confirm"}).status_code for _ in range(2)]
    assert again == [303, 303]
    after = staff_site.kept(dossier)
    assert (after.state, len(after.taken[-1].attachments)) == ("refuse", 1)
    assert "plan.pdf" in inspector.see(at(dossier))
    assert "plan.pdf" not in str([entry.body for entry in staff_site.world.read(lambda unit: unit.entries(after.id))])


def test_no_control_of_the_form_of_an_act_is_named_like_a_question(staff_site: StaffSite) -> None:
    """Every name that our own part of the form posts is reserved in the language, or no id may be written so."""
    dossier, mayor = staff_site.world.sent("act-attachment"), staff_site.agent(MAYOR)
    inspector = staff_site.actor(INSPECTOR)
    gathering.fill_form(staff_site.world.office, inspector, dossier.id, "constat", {"conforme": True}, token=new_id())
    correcting = staff_site.world.sent("opinions")
    pages = [
        mayor.get(at(dossier, "/acte/refuser")),
        staff_site.agent(PLANNER).get(at(correcting, "/acte/completer?champ=nom")),
    ]
    for page in pages:
        names = set(
            re.findall(r' name="([^"]+)"', page.get_data(as_text=True).split("<main")[1].split('class="acts"')[0])
        )
        own = {name for name in names if name not in FORM_WORDS and re.fullmatch(r"[a-z][a-z0-9_]*", name)}
        assert not own, own


# -- money, earlier dossiers, people -----------------------------------------------------------------------------------


def test_fees_of_a_closed_dossier_are_not_to_pay(tmp_path: Path) -> None:
    staff_site = open_staff_site(tmp_path)
    dossier = staff_site.world.sent(PASSPORT)
    staff_site.world.take(dossier, staff_site.actor("dgdn.controleur"), "conforme")
    seat = staff_site.agent("dgdn.controleur")
    assert "À payer" in seat.see(at(dossier))
    assert cashier.owed(staff_site.world.office, staff_site.world.owner(dossier), dossier.id)
    due = staff_site.kept(dossier).due_at
    assert due is not None
    staff_site.world.clock.advance(due - staff_site.world.clock.now() + timedelta(days=1))
    run_pass(staff_site.world.office)
    assert staff_site.kept(dossier).closed_at is not None
    told = staff_site.agent("dgdn.controleur").see(at(dossier))
    assert "À payer" not in told.split("Paiements")[1].split("Historique")[0]
    assert "Non payé, dossier clos" in told


def test_every_service_asked_has_somebody_in_a_demonstration(tmp_path: Path) -> None:
    staff_site = open_staff_site(tmp_path)
    office = staff_site.world.office
    held = {one.role for one in demo_agents(office.directory)}
    for book in office.catalogue.procedures.values():
        assert roles_of(book) <= held, book.id


def test_an_earlier_dossier_and_what_becomes_of_it_are_told(staff_site: StaffSite) -> None:
    office, owner = staff_site.world.office, staff_site.world.applicant()
    book = office.catalogue.procedures["linked-dossiers"]
    link = next(one for one in book.links() if one.relation == "needs")
    needed = staff_site.world.sent(link.procedure)
    draft = staff_site.world.filled("linked-dossiers")
    linking.name_earlier(office, owner, draft.id, link.id, needed.number, token=new_id())
    dossier = intake.submit(office, owner, draft.id, declared=True, token=new_id())
    role = sorted(roles_of(book))[0]
    told = staff_site.agent(role.replace("/", ".")).see(at(dossier))
    assert "Dossiers liés" in told
    assert "Attendu" in told
    assert f"Fin du dossier {group_number(needed.number)}" in told
    assert "passe à « Sans suite »" in told


def test_what_a_renewal_replaces_is_said_before_it_is_issued(staff_site: StaffSite) -> None:
    office, owner = staff_site.world.office, staff_site.world.applicant()
    planner = staff_site.actor(PLANNER)
    first = staff_site.world.sent("linked-dossiers", avec_travaux=False)
    granted = staff_site.world.take(first, planner, "accorder")
    draft = staff_site.world.filled("linked-dossiers", avec_travaux=False)
    linking.name_earlier(office, owner, draft.id, "ancien", granted.number, token=new_id())
    second = intake.submit(office, owner, draft.id, declared=True, token=new_id())
    seat = staff_site.agent(PLANNER)
    told = seat.see(at(second))
    assert "Ses documents seront remplacés par ceux de ce dossier." in told
    assert "valable" not in told
    preview = seat.see(at(second, "/acte/accorder"))
    assert f"Permis {granted.documents[0].number} → remplacé" in preview
    assert acted(seat, second, "accorder") == 303
    assert "Remplacé" in seat.see(at(first)).split("Documents délivrés")[1]


VISIT = """
form: {vous: {title: Vous, fields: {nom: {label: Nom, example: AMEGAN}}}}
appointments:
  visite: {label: Visite du lieu, by: voirie, proposed_by: urbaniste, lasts: 30 minutes}
workflow:
  start: lieu
  states:
    lieu: {label: Visite à fixer, attend: visite, due: 30 days, then: accorde, late: classe, missed: classe}
    accorde: {label: Accordé, end: granted}
    classe: {label: Classé, end: abandoned}
scenarios:
  simple: {story: Une visite, steps: [{book: {visite: 2026-11-26 07:30}}, {visit: attended, then: accorde}]}
"""


def test_a_visit_is_proposed_by_the_role_that_the_book_names(tmp_path: Path) -> None:
    staff_site = open_staff_site(tmp_path, catalogue=Catalogue.of([a_procedure(VISIT)], the_shared()))
    dossier, planner, roads = staff_site.world.sent("essai"), staff_site.agent(PLANNER), staff_site.agent(ROADS)
    assert "Créneau à proposer" in planner.see("/agent")
    assert "Aucun dossier dans cette file." in roads.see("/agent")
    assert "Service d'urbanisme propose un rendez-vous" in roads.see(at(dossier)).replace("’", "'")
    page = at(dossier, "/creneau/visite")
    listed = planner.get(page).get_data(as_text=True)
    slot = re.search(r'name="start" value="([^"]+)"', listed)
    office = re.search(r'name="bureau" value="([^"]+)"', listed)
    assert slot is not None
    assert office is not None
    query = urlencode({"bureau": office[1], "start": slot[1]})
    shown = planner.get(f"{page}?{query}")
    assert "Le demandeur est prévenu aussitôt." in read(shown)
    assert staff_site.kept(dossier).bookings == {}
    assert planner.client.post(page, data=hidden(shown)).headers["Location"] == at(dossier)
    kept = staff_site.kept(dossier)
    assert kept.bookings["visite"].status == "booked"
    assert kept.awaits == ()
    assert "Visite du lieu : rendez-vous le" in planner.see(at(dossier))
    assert "Changer ou annuler" in planner.see(f"/agent/rendez-vous/{kept.bookings['visite'].start.date()}")
    assert "AMEGAN" in planner.see("/agent?file=attente")
    stranger = staff_site.agent(MAYOR)
    assert stranger.get(page).status_code in (303, 404)
    for bad in ("start=demain", "start=9999-99-99", "jour=x&bureau=nulle_part"):
        assert planner.get(f"{page}?{bad}").status_code == 200
    assert planner.get(at(dossier, "/creneau/nom")).status_code == 404
