"""What the page and the messages announce is what then happens: silence, visits, refusals, appeals, ends of time limits."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from engine.core.values import new_id
from engine.records.dossier import Dossier, Payment
from engine.services.applications.opinions import fill_form
from engine.services.appointments.bookings import What, mark
from engine.services.worker.worker import run_timers
from tests.engine.services.applications.test_issued_rows import VISA, decided, filled
from tests.engine.services.world import PASSPORT
from tests.web.agents.test_office_day import booked
from tests.web.agents.test_walk_ins import to_book
from tests.web.staff_site import DESK, GATEKEEPER, StaffSite, open_staff_site
from tests.worker import start_payment

pytestmark = pytest.mark.slow  # a whole site and its people for each test

CARD = "carte-de-sejour"


@pytest.fixture
def site(tmp_path: Path) -> StaffSite:
    return open_staff_site(tmp_path)


def page_of(site: StaffSite, dossier: Dossier) -> str:
    return site.owner(dossier).see(f"/dossiers/{dossier.number}")


def told(site: StaffSite, dossier: Dossier) -> list[str]:
    """The bodies of the messages to the applicant, the oldest first."""
    letters = site.world.read(lambda unit: unit.letters_of(dossier.id))
    return [one.body for one in sorted(letters, key=lambda one: one.created_at) if not one.to.startswith("role:")]


def visas(site: StaffSite, *granted: bool) -> Dossier:
    """A group that contests the refusal of some travellers."""
    world = site.world
    one = {"date_naissance": "1988-07-14", "nationalite": "fra", "profession": "Peintre", "expiration": "2029-01-01"}
    rows = [{**one, "nom": "LEE", "prenoms": f"A{n}", "passeport": f"EB10000{n}"} for n in range(len(granted))]
    dossier = decided(world, world.paid(world.sent(VISA, voyageurs=rows)), *granted)
    return world.take(dossier, world.owner(dossier), "contester", reason="Erreur")


@pytest.mark.parametrize(("granted", "state"), [((True, False), "maintenu"), ((False,), "refus_confirme")])
def test_the_silence_of_a_review_keeps_the_refusal(site: StaffSite, granted: tuple[bool, ...], state: str) -> None:
    """The page said that without an answer the application is accepted."""
    dossier = visas(site, *granted)
    page = page_of(site, dossier)
    assert page.count("le refus est maintenu") == 2, "in the box, and among what may happen"
    assert "votre demande est acceptée" not in page
    assert not re.search("Sans réponse[^.]*votre demande est refusée", page)
    site.world.wait(days=32)
    run_timers(site.world.office)
    assert site.kept(dossier).state == state


def test_a_refusal_withdrawn_is_said_by_message_and_its_reason_is_not_that_of_a_colleague(site: StaffSite) -> None:
    dossier, world = visas(site, False), site.world
    dossier = world.take(dossier, world.agent("director", "dgdn/directeur"), "reexaminer", reason="Je doute du signal")
    assert "le refus est retire. Votre demande reprend" in told(site, dossier)[-1].replace("é", "e")
    dossier = world.take(filled(world, dossier, 0, False), world.agent("head", "dgdn/chef_visas"), "signer")
    page = page_of(site, dossier)
    assert "Je doute du signal" not in page
    assert "Signalé" in page


def test_who_must_book_again_reads_why_and_the_short_address_leads_there(site: StaffSite) -> None:
    world = site.world
    dossier = booked(site, "+22890112233")
    world.clock.instant = dossier.bookings["depot"].start
    seat = site.agent(DESK)
    assert seat.noted(f"/agent/rendez-vous/{world.office.day()}", f"{dossier.number}/depot/attended").status_code == 303
    dossier = world.take(dossier, site.actor(DESK), "ajourner", reason="Photo sur fond bleu")
    page = page_of(site, dossier)
    assert "Motif : Photo sur fond bleu" in page
    assert "Vérification des originaux : à reprendre" in page
    assert "Vérification des originaux : c’est fait" not in page
    assert site.owner(dossier).get(f"/d/{dossier.number}").headers["Location"] == f"/dossiers/{dossier.number}"
    other = to_book(site)
    assert "/rendez-vous" in site.owner(other).get(f"/d/{other.number}").headers["Location"], "nothing to read first"


def test_no_apology_goes_to_who_must_act(site: StaffSite) -> None:
    """« Nous avons du retard. Vous n'avez rien à faire », while a visit had to be booked."""
    world = site.world
    dossier = world.paid(world.take(world.sent(CARD), world.agent("g", "dgdn/cartes_sejour"), "conforme"))
    assert dossier.state == "verification"
    world.wait(days=20)
    run_timers(world.office)
    assert any("rendez-vous" in one or "appointment" in one for one in told(site, dossier))
    assert not any("retard" in one or "we are late" in one.lower() for one in told(site, dossier))


def test_a_time_limit_that_is_over_is_named(site: StaffSite) -> None:
    dossier = site.world.take(site.world.sent(PASSPORT), site.actor(GATEKEEPER), "conforme")
    site.world.wait(days=31)
    run_timers(site.world.office)
    page = page_of(site, site.kept(dossier))
    assert "Le paiement n’est pas arrivé à temps." in page
    assert "Paiement : pas fait à temps" in page


def test_after_a_contested_refusal_at_the_counter_only_the_visit_is_to_come(site: StaffSite) -> None:
    world = site.world
    dossier = booked(site, "+22890112233")
    world.clock.instant = dossier.bookings["depot"].start
    site.agent(DESK).noted(f"/agent/rendez-vous/{world.office.day()}", f"{dossier.number}/depot/attended")
    dossier = world.take(dossier, site.actor(DESK), "refuser_au_guichet", reason="Acte douteux")
    dossier = world.take(dossier, world.owner(dossier), "contester", reason="Acte vrai")
    ahead = page_of(site, dossier).partition("Toutes les étapes")[2].partition("En cours depuis")[2]
    assert "Dépôt au guichet" in ahead
    assert "Paiement" not in ahead.partition("Prix et paiements")[0], "it is paid"
    dossier = world.take(dossier, site.actor(f"{GATEKEEPER}.2"), "conforme")
    assert (dossier.state, dossier.closed_at) == ("rendez_vous", None)
    assert "prenez votre rendez-vous" in told(site, dossier)[-1]


def test_silence_that_is_over_is_announced_no_more(site: StaffSite) -> None:
    """After a won appeal the time limit of the first examination runs no more."""
    world = site.world
    dossier = world.sent("permis-de-construire")
    dossier = world.paid(world.take(dossier, world.agent("reporter", "mairie/urbaniste"), "recevoir"))
    assert "votre demande est acceptée" in page_of(site, dossier)
    clock = replace(dossier.clocks["silence"], over=True)
    dossier = world.force(dossier, clocks={**dossier.clocks, "silence": clock})
    assert "votre demande est acceptée" not in page_of(site, dossier)


def test_an_instalment_of_an_accepted_request_that_is_over_is_still_due(site: StaffSite) -> None:
    """The page that follows the payment said not to confirm it, and that the money would be given back."""
    world, roles = site.world, ("accueil_tde", "technicien_tde", "chef_agence_tde")
    dossier = world.sent("branchement-eau", reglement="trois_fois")
    agency = world.office.catalogue.procedures[dossier.procedure].identity.agency
    first, second = (world.agent(name, *(f"{agency}/{role}" for role in roles)) for name in ("ama", "kossi"))
    dossier = world.booked(world.take(dossier, first, "recevoir"), "visite")
    world.clock.instant = dossier.bookings["visite"].start
    for what in ("arrived", "attended"):
        mark(world.office, first, dossier.id, "visite", cast(What, what), token=new_id())
    survey = {"lieu_visite": "Agoè", "raccordable": True, "longueur": 8, "diametre_pose": "dn15"}
    fill_form(world.office, first, dossier.id, "releve", survey, token=new_id())
    dossier = world.take(world.worked_off(dossier), first, "chiffrer")
    owner = world.owner(dossier)

    def pay(payer: str) -> Payment:
        return start_payment(
            world.office, owner, dossier.id, provider="sandbox", payer=payer, part=True, token=new_id()
        )  # fmt: skip

    pay("+22890000001")
    dossier = world.take(
        world.worked_off(dossier), first, "poser", filling={"numero_compteur": "TDE0451234", "index_depart": 0}
    )
    dossier = world.take(dossier, second, "ouvrir")
    assert dossier.closed_at is not None
    world.wait(days=20)
    assert "C’est à vous d’agir." in page_of(site, dossier)
    payment = pay("+22890123456")
    page = site.owner(dossier).see(f"/dossiers/{dossier.number}/paiement/{payment.id}")
    assert "Tapez votre code secret" in page
    assert "Ne confirmez pas" not in page
    world.wait(minutes=30)
    world.worked_off(dossier)
    assert "est close" not in site.owner(dossier).see(f"/dossiers/{dossier.number}/paiement/{payment.id}")


def test_who_has_no_telephone_is_written_to_by_mail(site: StaffSite) -> None:
    """A notice with an SMS alone became an entry that sends nothing: the passport was to be paid, in silence."""
    world = site.world
    dossier = world.force(world.sent(PASSPORT), contact_phone=None, contact_email="afi@example.org")
    world.take(dossier, site.actor(GATEKEEPER), "conforme")
    letters = world.read(lambda unit: unit.letters_of(dossier.id))
    mails = [one.body for one in letters if (one.channel, one.to) == ("email", "afi@example.org")]
    assert any("30\u202f000" in one or "30 000" in one for one in mails), [(one.channel, one.body) for one in letters]
