"""Who applied before is offered their answers, fills in what is left, and checks the rest: few screens, little to type."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from engine.core.values import group_number
from engine.records.dossier import Dossier
from engine.services.accounts import delegation as representation
from engine.services.applications import drafts as intake
from engine.services.applications.prefill import take_over
from renderers.i18n.translations import load_words
from server import Settings, create_app
from tests.engine.services.world import B3, PASSPORT, World, a_world, pdf
from tests.web.client import PortalClient, Seen, another
from tests.web.staff_site import GATEKEEPER, open_staff_site

pytestmark = pytest.mark.slow  # a whole site for each test

MOST_SCREENS, MOST_TYPED = 10, 4
LOCAL = "90112233"


@dataclass
class Known:
    """Somebody the service knows, at their browser. `screens` are the pages they saw, `typed` the fields they wrote in."""

    world: World
    visitor: PortalClient
    screens: list[str] = field(default_factory=list)
    typed: int = 0

    def open(self, address: str) -> Seen:
        self.visitor.open(address)
        return self._seen(address)

    def post(self, address: str, written: tuple[str, ...] = (), **fields: Any) -> Seen:
        """Posts the form of the page seen last. `written`: what was typed rather than picked."""
        form: dict[str, Any] = {**self.visitor.page.form(), **fields}
        self.typed += len(written)
        self.visitor.post(address, **form)
        return self._seen(address)

    def _seen(self, address: str) -> Seen:
        while self.visitor.page.status == 303:
            address = self.visitor.page.address
            self.visitor.open(address)
        assert self.visitor.page.status == 200, self.visitor.page.text
        self.screens.append(address)
        return self.visitor.page

    @property
    def here(self) -> str:
        return self.screens[-1].partition("?")[0].partition("#")[0]

    def to_the_start(self, slug: str = PASSPORT, **criteria: str) -> Seen:
        """The home page, the sheet, each question of eligibility, then the page before the form."""
        self.open("/")
        self.open(f"/demarches/{slug}")
        said: dict[str, str] = {}
        for name, value in (criteria or {"togolais": "oui", "en_mission": "non"}).items():
            self.open(_verify(slug, said))
            said[name] = value
        return self.open(_verify(slug, said))

    def draft(self) -> Dossier:
        number = self.here.split("/")[2]
        found = self.world.read(lambda unit: unit.dossier_numbered(number))
        assert isinstance(found, Dossier)
        return found


def _verify(slug: str, said: dict[str, str]) -> str:
    return f"/demarches/{slug}/verifier?" + "&".join(f"{name}={value}" for name, value in said.items())


@pytest.fixture
def town(tmp_path: Path) -> Known:
    """Somebody who sent a passport request a hundred days ago, signed out since."""
    world = a_world(tmp_path)
    world.office = replace(world.office, wording=load_words())
    world.sent(PASSPORT)
    world.wait(days=100)
    app = create_app(Settings(data=tmp_path, secret="test"), world.office, world.operator)
    return Known(world, PortalClient(app.test_client(), world.office, world.clock, world.operator))


@pytest.fixture
def known(town: Known) -> Known:
    """The same, signed in: « ce téléphone est à moi »."""
    town.visitor.sign_in(LOCAL)
    return town


def start(me: Known, reuse: bool = True) -> Seen:
    forms = [one for one in _forms(me.visitor.page.html) if "commencer" in one]
    number = re.search(r'name="reuse" value="(\d+)"', forms[0])
    assert number
    return me.post(f"/demarches/{PASSPORT}/commencer", reuse=number[1] if reuse else "")


def _forms(html: str) -> list[str]:
    return re.findall(r"(?s)<form.*?</form>", html)


def test_a_page_sent_empty_tells_nothing_of_the_way_that_is_left(known: Known) -> None:
    known.to_the_start()
    page = start(known, reuse=False)
    said = re.search(r"Étape 1 sur \d+ au plus", page.text)
    assert said
    page = known.visitor.send(known.here, go="next")
    assert page.status == 422
    assert said[0] in page.text, "the same steps may come"


def test_a_first_application_again_takes_ten_screens_and_nothing_to_type(known: Known) -> None:
    page = known.to_the_start()
    assert (
        "Vous pouvez reprendre vos réponses du 23 novembre 2026 pour AMEGAN Afi (Passeport ordinaire, n°" in page.text
    )
    assert "17 réponses et 4 pièces" in page.text
    page = start(known)
    assert known.here.endswith("/demande/demande"), "the form opens where something is missing"
    assert "Étape 1 sur 7 au plus (5 déjà remplies)" in page.text
    page = known.post(known.here, type_demande="premiere", go="next")
    assert known.here.endswith("/verification"), "and what is complete is not gone through"
    known.post(known.here, declared="1")
    assert known.here.endswith("/envoye")
    assert (len(known.screens) <= MOST_SCREENS, known.typed) == (True, 0), known.screens


def test_a_renewal_takes_ten_screens_and_two_typed_fields(known: Known) -> None:
    known.to_the_start()
    start(known)
    known.post(known.here, type_demande="renouvellement", go="next")
    assert known.here.endswith("/demande/ancien")
    known.post(
        known.here, ("ancien_numero", "ancien_expiration_day"), ancien_numero="EB123456", ancien_expiration_day="1",
        ancien_expiration_month="4", ancien_expiration_year="2027", go="next",
    )  # fmt: skip
    assert known.here.endswith("/verification")
    known.post(known.here, declared="1")
    sent = known.draft()
    assert sent.submitted_at is not None
    assert len(sent.attachments) == 4
    assert len(known.screens) <= MOST_SCREENS, known.screens
    assert known.typed <= MOST_TYPED


def test_check_your_answers_says_which_are_taken_over_and_from_when(known: Known) -> None:
    known.to_the_start()
    start(known)
    page = known.post(known.here, type_demande="premiere", go="next")
    earlier = known.draft().reused
    assert earlier is not None
    assert "viennent de votre demande du 23 novembre 2026 (Passeport ordinaire, n°" in page.text
    assert page.text.count("Pièce remise le 23 novembre 2026") == 4
    lines = re.findall(r"(?s)<dt>(.*?)</dt>\s*<dd>(.*?)</dd>", page.html.replace("\u00a0", " "))
    since = {label for label, said in lines if "Repris du 23 novembre 2026" in said}
    assert {"Nom, prénoms", "Taille", "Bureau de dépôt"} <= since
    assert "Motif de la demande" not in since
    assert "Attestation de personne à prévenir" in {label for label, _ in lines} - since, "nothing was handed in of it"


def test_an_answer_is_changed_from_the_check_and_comes_back_to_it(known: Known) -> None:
    known.to_the_start()
    start(known)
    known.post(known.here, type_demande="premiere", go="next")
    base = known.here.removesuffix("/verification")
    page = known.open(f"{base}/demande/signalement?retour=verification")
    assert "viennent de votre demande du 23 novembre 2026" in page.text
    page = known.post(f"{base}/demande/signalement", taille="171", go="next")
    assert known.here.endswith("/verification")
    line = re.search(r"(?s)<dt>Taille</dt>\s*<dd>(.*?)</dd>", page.html)
    assert line
    assert "171" in line[1]
    assert "Repris" not in line[1]


def test_a_change_that_opens_a_page_leads_to_it_before_the_check(known: Known) -> None:
    known.to_the_start()
    start(known)
    known.post(known.here, type_demande="premiere", go="next")
    base = known.here.removesuffix("/verification")
    known.open(f"{base}/demande/demande?retour=verification")
    page = known.post(f"{base}/demande/demande", type_demande="perte", go="next")
    assert known.here.endswith("/demande/ancien")
    assert page.value("retour") == "verification"
    page = known.post(
        f"{base}/demande/ancien", ("ancien_expiration_day",), ancien_expiration_day="1", ancien_expiration_month="4",
        ancien_expiration_year="2029", go="next",
    )  # fmt: skip
    assert known.here.endswith("/demande/pieces"), "the report of the loss is asked for"
    known.post(f"{base}/demande/pieces", **{"file:declaration_perte": (io.BytesIO(pdf()), "perte.pdf"), "go": "next"})
    assert known.here.endswith("/verification")
    assert "Il manque" not in known.visitor.page.text


def test_beginning_without_them_is_an_ordinary_application(known: Known) -> None:
    known.to_the_start()
    page = start(known, reuse=False)
    assert known.here.endswith("/demande/demande")
    assert "déjà remplie" not in page.text
    assert known.draft().reused is None
    known.post(known.here, type_demande="premiere", lieu_depot="dgdn_lome", go="next")
    assert known.here.endswith("/demande/identite"), "page after page"


def test_who_signs_in_on_the_way_is_offered_them_afterwards(town: Known) -> None:
    town.to_the_start()
    assert "reprendre vos réponses" not in town.visitor.page.text
    town.post(f"/demarches/{PASSPORT}/commencer")
    assert town.here == "/connexion"
    town.post("/connexion", ("phone",), phone=LOCAL)
    page = town.post("/connexion/code", ("code",), code=town.visitor.code(LOCAL))
    assert town.here == f"/demarches/{PASSPORT}/commencer"
    assert "reprendre vos réponses du 23 novembre 2026" in page.text, page.text
    start(town)
    assert town.here.endswith("/demande/demande")
    assert town.draft().answers["togolais"] is True
    town.post(town.here, type_demande="premiere", go="next")
    town.post(town.here, declared="1")
    assert town.draft().submitted_at is not None
    assert town.typed == 2
    assert len(town.screens) <= MOST_SCREENS + 1, town.screens  # phone, code, and the offer once they are known


def test_a_family_chooses_whose_answers(known: Known) -> None:
    known.world.sent(PASSPORT, prenoms="Kossi")
    page = known.to_the_start()
    buttons = re.findall(r'name="reuse" value="(\d*)">([^<]*)<', page.html)
    assert [words.replace("\u00a0", " ") for _, words in buttons] == [
        "Reprendre mes réponses pour AMEGAN Kossi", "Reprendre mes réponses pour AMEGAN Afi", "Commencer sans les reprendre",
    ]  # fmt: skip
    known.post(f"/demarches/{PASSPORT}/commencer", reuse=buttons[1][0])
    assert known.draft().answers["prenoms"] == "Afi"


def test_nobody_elses_are_taken_by_their_number(known: Known) -> None:
    world = known.world
    other = world.sent(PASSPORT, world.applicant("+22890999999"))
    known.to_the_start()
    known.post(f"/demarches/{PASSPORT}/commencer", reuse=other.number)
    assert known.here.endswith("/demande/demande")
    draft = known.draft()
    assert draft.reused is None
    assert "pere" not in draft.answers


def test_a_draft_that_is_begun_is_found_again_and_nothing_is_offered(known: Known) -> None:
    known.to_the_start()
    start(known, reuse=False)
    assert 'name="reuse"' not in known.to_the_start().html


def test_another_procedure_is_offered_what_it_shares(known: Known) -> None:
    page = known.to_the_start(B3, etranger="false")
    assert "(Passeport ordinaire, n°" in page.text
    number = re.search(r'name="reuse" value="(\d+)"', page.html)
    assert number
    known.post(f"/demarches/{B3}/commencer", reuse=number[1])
    assert known.here.endswith("/demande/personne")
    known.post(known.here, qualite="physique", go="next")
    assert known.here.endswith("/demande/usage_bulletin"), "identity, parents and phone are there"


def test_who_acts_on_this_request_alone_reads_nothing_of_the_earlier_one(known: Known) -> None:
    """What else another person asked for, such as a criminal record, is theirs to say."""
    page = known.to_the_start(B3, etranger="false")
    known.post(f"/demarches/{B3}/commencer", reuse=re.findall(r'name="reuse" value="(\d+)"', page.html)[0])
    draft, office = known.draft(), known.world.office
    mandate = representation.give(office, known.world.applicant(), "", "90445566", "agent", dossier_id=draft.id)
    helper = another(known.visitor).sign_in("90445566")
    representation.held(office, known.world.read(lambda unit: unit.account_of("applicant", "+22890445566")).actor())
    helper.open("/compte/entreprises")
    helper.post("/compte/agir", csrf_token=helper.page.value("csrf_token"), mandate=mandate.id)
    assert "(Passeport ordinaire, n°" in known.open(f"/dossiers/{draft.number}/verification").text
    page = helper.open(f"/dossiers/{draft.number}/verification")
    assert "Certaines réponses viennent de votre demande du 23 novembre 2026." in page.text
    assert "Passeport ordinaire" not in page.text


def test_it_is_said_in_english(known: Known) -> None:
    known.open("/?lang=en")
    page = known.to_the_start()
    assert "You can take over your answers of 23 November 2026 for AMEGAN Afi (Ordinary passport, no." in page.text
    start(known)
    page = known.post(known.here, type_demande="premiere", go="next")
    assert "Some answers come from your application of 23 November 2026" in page.text
    assert "Document given on 23 November 2026" in page.text


def test_an_agent_reads_that_answers_were_taken_over_and_when_a_paper_was_given(tmp_path: Path) -> None:
    staff_site = open_staff_site(tmp_path)
    world, me = staff_site.world, staff_site.world.applicant()
    earlier = world.sent(PASSPORT)
    world.wait(days=100)
    draft = intake.open_dossier(world.office, me, PASSPORT, criteria={"togolais": True, "en_mission": False})
    take_over(world.office, me, draft.id, earlier.number)
    intake.save_page(world.office, me, draft.id, "demande", {"type_demande": ["premiere"]})
    sent = intake.submit(world.office, me, draft.id, declared=True)
    seat = staff_site.agent(GATEKEEPER)
    page = seat.see(f"/agent/dossiers/{sent.number}")
    assert f"reprises d’une demande du 23 novembre 2026 (n° {group_number(earlier.number)})" in page
    assert "23 novembre 2026" in seat.see(f"/agent/dossiers/{sent.number}?piece={sent.attachments[0].id}")
    assert "reprises d’une demande" not in seat.see(f"/agent/dossiers/{earlier.number}")
