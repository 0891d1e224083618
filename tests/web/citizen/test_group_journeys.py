"""A family asks for visas; a house is connected to the grid, its works paid in parts: the citizen's way in a real browser.

Agents act through the verbs of their office: their desk has its own journeys.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from engine.core.values import Plain
from engine.domain.common.decision import Act
from engine.records.dossier import Actor
from engine.services.applications.casework import take_transition
from engine.services.applications.opinions import fill_form
from engine.services.appointments.bookings import mark
from tests.engine.services.world import every_piece_agrees
from tests.web.browser_person import Person
from tests.web.citizen.test_journeys import attach, paper, pdf_text, sign_in
from tests.web.conftest import Enter
from tests.web.portal import Portal, decide_visa, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FAMILY = (
    ("Lee", "Anna", "1990-05-01", "fra"),
    ("Lee", "Marc", "1988-07-14", "fra"),
    ("Lee", "Tom", "2018-01-01", "fra"),
    ("Dossou", "Afi", "1960-02-03", "ben"),
)


def soon(portal: Portal, days: int) -> str:
    return f"{portal.clock.now() + timedelta(days=days):%Y-%m-%d}"


def agent_of(portal: Portal, *roles: str) -> Actor:
    """Somebody of the demonstration who holds one of these roles."""
    with portal.office.store.unit() as unit:
        accounts = unit.accounts("agent")
    return next(one.actor() for one in accounts if set(roles) & set(one.roles))


def pay(me: Person, portal: Portal, number: str, button: str, paid: int, **how: str) -> None:
    me.fill(provider="mixx", payer="90 00 00 01", **how)
    me.press(button)
    wait_until(lambda: sum(owed.paid for owed in portal.dossier(number).owed.values()) == paid)


# -- visas for four ----------------------------------------------------------------------------------------------------


@pytest.mark.nightly("journey")
def test_a_family_of_four(enter: Enter, portal: Portal) -> None:
    me = enter("family")
    number = ask_for_visas(me, portal)
    me.press("Envoyer ma demande")
    me.press("Payer ")
    pay(me, portal, number, "Payer 135 000 FCFA", 135_000)
    officer, chief = agent_of(portal, "dgdn/immigration"), agent_of(portal, "dgdn/chef_visas")
    refused = {"accorde": False, "raison_refus": "Passeport signalé volé"}
    for row, answers in enumerate(({"accorde": True}, refused, {"accorde": True}, {"accorde": True})):
        decide_visa(portal.office, officer, portal.dossier(number), row, answers)
    me.go(f"/dossiers/{number}")
    assert not me.sees("Passeport signalé volé"), "it may still be gone over"
    take_transition(portal.office, chief, portal.dossier(number).id, Act("signer"))
    me.go(f"/dossiers/{number}")
    assert me.sees("3 sur 4 : accordé")
    assert me.sees("Vous pouvez contester cette décision jusqu’au")
    assert not me.sees("Personne. C’est terminé.")
    refusal = me.page.locator(".rows li", has_text="LEE Marc")
    expect(refusal).to_contain_text("Refusé")
    expect(refusal).to_contain_text("Passeport signalé volé")
    granted = me.page.locator(".rows li", has_text="LEE Tom").get_by_role("link").first.get_attribute("href") or ""
    assert "Tom" in pdf_text(me, f"{granted}.pdf")
    me.check()


def ask_for_visas(me: Person, portal: Portal) -> str:
    me.go("/demarches/e-visa")
    me.press("Commencer ma demande")
    me.fill(tous_cedeao="false", travail="false")
    me.press("Continuer")
    sign_in(me, portal)
    assert me.sees("Étape 1 sur 4")
    me.fill(motif="tourisme", mode="ordinaire", duree="jours_30", entrees="une")
    me.fill(date_entree=soon(portal, 17), date_sortie=soon(portal, 27))
    me.press("Continuer")
    me.fill(poste="lome_aeroport", adresse_togo="Hôtel du Golfe", courriel="a.lee@example.org")
    me.page.locator('[name="vol"]').fill("KP021")
    me.press("Continuer")
    me.press("Continuer")
    assert me.sees("« Personnes du voyage » : ajoutez-en au moins 1")
    for at, one in enumerate(FAMILY):
        add_traveller(me, at, *one)
    me.press("Modifier : LEE Tom")
    me.fill(**{"voyageurs.2.passeport": "EB100000"})
    me.press("Continuer")
    assert me.sees("Deux lignes ont la même réponse")
    me.go(me.page.url.split("#")[0].rsplit("/", 1)[0])
    assert me.sees("À compléter")
    me.press("Continuer")
    me.press("LEE Tom : Deux lignes ont la même réponse")
    me.fill(**{"voyageurs.2.passeport": "EB100002"})
    me.press("Continuer")
    me.press("Continuer")
    me.fill(hebergement="hotel")
    attach(me, True, "hebergement", "billet")
    me.press("Continuer")
    assert me.sees("135 000 FCFA")
    assert me.sees("Personnes du voyage : DOSSOU Afi")
    me.fill(declared=True)
    return me.page.url.split("/dossiers/")[1].split("/")[0]


def add_traveller(me: Person, at: int, nom: str, prenoms: str, born: str, country: str) -> None:
    """One screen: who they are, and their papers. A minor's is asked for one more."""
    me.press("Ajouter : Personnes du voyage")
    row = f"voyageurs.{at}"
    me.fill(**{
        f"{row}.nom": nom, f"{row}.prenoms": prenoms, f"{row}.date_naissance": born, f"{row}.nationalite": country,
        f"{row}.profession": "Photographe", f"{row}.passeport": f"EB10000{at}", f"{row}.expiration": "2034-01-01",
    })  # fmt: skip
    if at == 0:
        leave_with_a_bad_file(me, f"{row}.copie_passeport")
    attach(me, True, *(f"{row}.{name}" for name in ("copie_passeport", "photo", "vaccin")))
    if born.startswith("2018"):  # the paper of a minor came with the first file sent
        attach_one_more(me, f"{row}.autorisation_enfant")
    me.press("Continuer")
    assert me.sees(f"{nom.upper()} {prenoms}")


def attach_one_more(me: Person, field: str) -> None:
    count = me.page.locator("main [name=detach]").count()
    me.fill(**{f"file:{field}": paper()})
    expect(me.page.locator("main [name=detach]")).to_have_count(count + 1, timeout=15_000)


def leave_with_a_bad_file(me: Person, field: str) -> None:
    """Chosen and left at once: the page waits for the answer, and says it again when one insists."""
    me.fill(**{f"file:{field}": {"name": "page.pdf", "mimeType": "application/pdf", "buffer": b"#!/bin/sh"}})
    me.page.get_by_role("button", name="Continuer", exact=True).last.click()
    expect(me.page.locator("main .piece .error").first).to_contain_text("n’est pas accepté")
    me.press("Continuer")
    assert me.sees("n’est pas accepté")


# -- a house on the grid -----------------------------------------------------------------------------------------------


@pytest.mark.nightly("journey")
def test_a_connection_paid_in_parts(enter: Enter, portal: Portal) -> None:
    """Without scripts: a request, a visit at home, a quote, three parts of it, two of them paid together."""
    me = enter("owner", scripts=False, looks=False)
    number = ask_for_connection(me, portal)
    assert me.sees("Vous payez 2 000 FCFA juste après.")
    me.press("Envoyer ma demande")
    me.press("Payer 2 000 FCFA")
    pay(me, portal, number, "Payer 2 000 FCFA", 2_000)
    quote(me, portal, number)
    me.go(f"/dossiers/{number}")
    assert me.sees("Devis de raccordement")
    me.press("Payer")
    assert me.sees("La prochaine part : 39 000 FCFA")
    me.fill(provider="mixx", payer="90 00 00 01")
    me.press("Payer")
    assert me.sees("Choisissez combien vous payez")
    pay(me, portal, number, "Payer", 41_000, how_much="part")
    me.go(f"/dossiers/{number}")
    assert me.sees("39 000 FCFA payés sur 117 000 FCFA. Il reste 78 000 FCFA.")
    receipt = me.page.locator('a[href*="/recu/"]').last.get_attribute("href") or ""
    said = pdf_text(me, receipt).replace("\u00a0", " ").replace("\u202f", " ")
    assert "Prix en tout" in said
    assert "39 000" in said
    me.go(f"/dossiers/{number}/paiement")
    assert me.sees("Déjà payé")
    pay(me, portal, number, "Payer", 119_000, how_much="all")
    assert portal.dossier(number).state == "pose"
    me.go(f"/dossiers/{number}")
    me.page.locator("summary", has_text="Prix et paiements").click()
    assert me.sees("117 000 FCFA, payés en entier.")
    looking = enter("looking")
    looking.go("/connexion")
    sign_in(looking, portal)
    for path in (f"/dossiers/{number}", f"/dossiers/{number}/paiement"):
        looking.go(path)
    looking.check()


def ask_for_connection(me: Person, portal: Portal) -> str:
    me.go("/demarches/raccordement-electricite")
    assert me.sees("Nous venons sur place : Visite du technicien.")
    me.press("Commencer ma demande")
    me.fill(forte_puissance="false")
    me.press("Continuer")
    sign_in(me, portal)
    assert me.sees("Étape 1 sur 6 au plus")
    me.fill(qualite="personne", occupation="proprietaire")
    me.press("Continuer")
    me.fill(nom="Amegan", prenoms="Afi", sexe="f", date_naissance="1994-03-12", lieu_naissance="Kpalimé")
    me.press("Continuer")
    me.press("Continuer")
    me.fill(region="maritime", prefecture="golfe", commune="golfe_1", quartier="Kodjoviakopé", distance_poteau="20")
    me.press("Continuer")
    me.fill(branchement="deux_fils", compteur="prepaye")
    me.fill(**{"appareils.0.appareil": "lampe", "appareils.0.nombre": "6", "appareils.0.puissance_w": "15"})
    me.press("Ajouter un autre")
    me.fill(**{"appareils.1.appareil": "climatiseur", "appareils.1.nombre": "1", "appareils.1.puissance_w": "1200"})
    me.press("Continuer")
    for field in ("piece_identite", "plan_masse", "plan_situation"):
        me.fill(**{f"file:{field}": paper()})
    me.press("Continuer")
    assert me.sees("1 290 W")
    assert me.sees("Un agent fixe le montant définitif")
    me.fill(declared=True)
    return me.page.url.split("/dossiers/")[1].split("/")[0]


def quote(me: Person, portal: Portal, number: str) -> None:
    """The technician comes, sees that the network must be extended, and says what it costs."""
    me.go(f"/dossiers/{number}")
    me.press("Prendre rendez-vous")
    me.press("Prendre ce créneau")
    dossier = portal.dossier(number)
    portal.move_to(dossier.bookings["visite"].start)
    technician = agent_of(portal, "ceet/technicien")
    mark(portal.office, technician, dossier.id, "visite", "attended")
    seen: dict[str, Plain] = {
        "lieu_visite": "Kodjoviakopé, Golfe 1",
        "branchement_pose": "deux_fils",
        "puissance_kva": 3,
    }
    fill_form(portal.office, technician, dossier.id, "releve", {**seen, "faisable": True, "extension": True})
    same = every_piece_agrees(portal.office, portal.dossier(number), technician, "chiffrer")
    act = Act("chiffrer", filling={"montant_extension": 42_000}, compared=same)
    take_transition(portal.office, technician, dossier.id, act)
