"""Acting for somebody else, page by page: a company once an agent has looked, a relative who agreed, one dossier shared."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.records.dossier import Account, OutboundMessage
from engine.services.keys.secrets import hash_secret
from tests.engine.services.world import pdf
from tests.web.browser_person import DESK
from tests.web.client import ANSWERS, PHONE, PortalClient, a_portal_client, another, later
from tests.web.conftest import Enter
from tests.web.portal import PASSWORD, Portal

pytestmark = pytest.mark.slow  # a whole site for each test

OTHER = "91445566"
HOME = "/compte/entreprises"


@pytest.fixture
def visitor(tmp_path: Path) -> PortalClient:
    return a_portal_client(tmp_path).sign_in()


def press(visitor: PortalClient, address: str, action: str, **fields: Any) -> str:
    """Posts a form of a page to another address: where it leads."""
    form = visitor.open(address).form()
    return visitor.post(action, csrf_token=form["csrf_token"], **fields).address


def administrator(visitor: PortalClient) -> PortalClient:
    with visitor.office.store.unit(write=True) as unit:
        unit.put_account(Account("chef", "agent", "Chef", "chef", hash_secret("clef"), administers=("*",)))
    chef = another(visitor)
    chef.send("/agent/connexion", login="chef", password="clef")
    return chef


def mandate(visitor: PortalClient, name: str = "mandate") -> str:
    found = re.search(
        rf'name="{name}" value="([^"]+)"' if name == "mandate" else rf"{name}/([^\"/]+)", visitor.page.html
    )
    assert found, visitor.page.text
    return found[1]


def test_a_company_once_an_agent_has_looked_at_its_document(visitor: PortalClient) -> None:
    form = f"{HOME}/nouvelle"
    assert visitor.send(form, number="TG-LOM 1", name="SOTOGO").status == 422
    visitor.send(form, number="TG-LOM 1", name="SOTOGO", proof=(io.BytesIO(pdf()), "rccm.pdf"))
    assert "Document en cours de vérification" in visitor.follow().text

    chef = administrator(visitor)
    seen = chef.open("/agent/representants")
    assert "SOTOGO" in seen.text
    claim = mandate(chef, "/agent/representants")
    document = chef.open(f"/agent/representants/{claim}/document").response
    assert document.headers["Content-Disposition"].startswith("attachment")
    press(chef, "/agent/representants", f"/agent/representants/{claim}", do="accept")
    assert chef.page.status == 422
    assert "Indiquez le nom de l’entreprise" in chef.page.text
    taken = press(chef, "/agent/representants", f"/agent/representants/{claim}", do="accept", name="SOTOGO SARL")
    assert taken == "/agent/representants"

    visitor.open(HOME)
    assert press(visitor, HOME, "/compte/agir", mandate=mandate(visitor)) == "/dossiers"
    number = visitor.begin()
    assert (
        "Vous agissez pour : SOTOGO SARL" in visitor.page.text
        or "Vous agissez pour : SOTOGO SARL" in visitor.open("/dossiers").text
    )
    assert press(visitor, HOME, "/compte/agir", mandate="") == "/dossiers"
    assert visitor.open(f"/dossiers/{number}/demande/vous").status == 404, "it is the company's"
    assert "Vous agissez pour" not in visitor.open("/dossiers").text


def test_only_who_has_them_all_looks_at_documents(visitor: PortalClient) -> None:
    with visitor.office.store.unit(write=True) as unit:
        unit.put_account(Account("a", "agent", "A", "a.b", hash_secret("clef"), ("mairie/maire",)))
    agent = another(visitor)
    agent.send("/agent/connexion", login="a.b", password="clef")
    assert agent.open("/agent/representants").status == 404


def test_a_relative_says_yes_on_their_own_telephone(visitor: PortalClient) -> None:
    visitor.send("/compte/personnes/nouvelle", phone=OTHER, name="AMEGAN Afi")
    assert "En attente de son accord" in visitor.follow().text
    relative = another(visitor).sign_in(OTHER)
    seen = relative.open(HOME)
    assert "Demande à agir pour vous" in seen.text
    asked = mandate(relative, "/compte/mandats")
    assert press(visitor, HOME, f"/compte/mandats/{asked}", do="accept") == "", "not who asked"
    later(visitor, minutes=16)
    yes = {"action": f"/compte/mandats/{asked}", "do": "accept"}
    assert press(relative, HOME, **yes).startswith("/connexion?"), "a telephone found signed in does not say yes"
    relative.sign_in(OTHER)
    assert press(relative, HOME, **yes) == HOME
    visitor.open(HOME)
    press(visitor, HOME, "/compte/agir", mandate=mandate(visitor))
    number = visitor.begin()
    assert relative.open(f"/dossiers/{number}/demande/vous").status == 200
    press(relative, HOME, f"/compte/mandats/{asked}", do="end")
    assert visitor.open(f"/dossiers/{number}/demande/vous").status == 404


def test_a_relative_by_the_proxy_they_signed(visitor: PortalClient) -> None:
    form = "/compte/personnes/procuration"
    names = {"family_name": "AMEGAN", "given_names": "Yao"}
    assert visitor.send(form, **names).status == 422
    visitor.send(form, **names, proof=(io.BytesIO(pdf()), "procuration.pdf"))
    assert "AMEGAN Yao" in visitor.follow().text
    assert "AMEGAN Yao" in administrator(visitor).open("/agent/representants").text


def test_a_child_of_ones_own(visitor: PortalClient) -> None:
    born = visitor.office.day() - timedelta(days=3000)
    fields = {"family_name": "AMEGAN", "given_names": "Kossi", "day": str(born.day), "month": str(born.month)}
    assert visitor.send("/compte/enfants/nouveau", **fields, year="abc").status == 422
    assert visitor.send("/compte/enfants/nouveau", **fields, year="9" * 30).status == 422
    assert visitor.send("/compte/enfants/nouveau", **fields, year="1990").status == 422
    visitor.send("/compte/enfants/nouveau", **fields, year=str(born.year))
    assert "AMEGAN Kossi" in visitor.follow().text


def test_somebody_reads_one_dossier_until_it_is_taken_back(visitor: PortalClient) -> None:
    number = visitor.sent()
    page = f"/dossiers/{number}/personnes"
    assert visitor.send(page, phone="12").status == 422
    assert visitor.send(page, phone=OTHER, role="reader").address == page
    friend = another(visitor).sign_in(OTHER)
    assert friend.open(f"/dossiers/{number}").status == 404
    assert "Vous pouvez aussi agir pour quelqu’un d’autre. Voir pour qui" in friend.open("/dossiers").text
    assert "Vous pouvez aussi agir" not in visitor.open("/dossiers").text
    friend.open(HOME)
    press(friend, HOME, "/compte/agir", mandate=mandate(friend))
    assert friend.open(f"/dossiers/{number}").status == 200
    assert "Personnes sur ce dossier" not in friend.page.text
    assert "Vous pouvez aussi agir" not in friend.open("/dossiers").text, "they do already"
    visitor.open(page)
    assert (
        press(visitor, page, f"/compte/mandats/{mandate(visitor, '/compte/mandats')}", do="end", dossier=number) == page
    )
    assert friend.open(f"/dossiers/{number}").status == 404


@pytest.mark.parametrize(
    ("form", "fields"),
    [
        ("/compte/personnes/nouvelle", {"phone": OTHER, "name": "Gagnez sur www.gain.tg"}),
        ("/compte/personnes/procuration", {"family_name": "AMEGAN", "given_names": "gain.tg"}),
        (
            "/compte/enfants/nouveau",
            {"family_name": "AM3GAN", "given_names": "Afi", "day": "1", "month": "2", "year": "2020"},
        ),
        ("/compte/identite", {"family_name": "AMEGAN", "given_names": "A\u202efi"}),
    ],
)
def test_a_name_that_is_none_is_refused_beside_its_field(
    visitor: PortalClient, form: str, fields: dict[str, str]
) -> None:
    page = visitor.send(form, **fields)
    assert page.status == 422
    assert page.text.count("Écrivez le nom avec des lettres, des espaces, des traits d’union") == 2, (
        "above, and beside it"
    )
    wrong = next(name for name in ("name", "given_names", "family_name") if f'id="{name}-e"' in page.html)
    assert f'href="#{wrong}"' in page.html
    assert not any("gain" in letter.body for letter in letters_to(visitor, OTHER))


def letters_to(visitor: PortalClient, phone: str) -> tuple[OutboundMessage, ...]:
    with visitor.office.store.unit() as unit:
        return unit.letters_to(f"+228{phone}")


@pytest.mark.parametrize("known", [True, False])
def test_who_asks_a_number_reads_nothing_of_whose_it_is(visitor: PortalClient, known: bool) -> None:
    if known:
        owner = another(visitor).sign_in(OTHER)
        assert owner.send("/compte/identite", family_name="SECRET", given_names="Nom").status == 303
    visitor.send("/compte/personnes/nouvelle", phone=OTHER, name="AMEGAN Afi")
    visitor.send("/compte/entreprises/inviter", phone=OTHER, role="reader")
    page = visitor.open(HOME)
    assert page.text.count("91 44 55 66") >= 2
    assert "SECRET" not in page.html
    told = [letter.body for letter in letters_to(visitor, OTHER) if letter.dedupe.startswith("mandate/")]
    assert len(told) == 2
    for body in told:
        assert body.startswith("Services publics : ")
        assert "AMEGAN" not in body


def test_ones_own_account_stays_ones_own(visitor: PortalClient) -> None:
    visitor.send("/compte/personnes/nouvelle", phone=OTHER, name="Afi")
    relative = another(visitor).sign_in(OTHER)
    relative.open(HOME)
    press(relative, HOME, f"/compte/mandats/{mandate(relative, '/compte/mandats')}", do="accept")
    visitor.open(HOME)
    press(visitor, HOME, "/compte/agir", mandate=mandate(visitor))
    assert "90 11 22 33" in visitor.open("/compte").text
    assert "91 44 55 66" not in visitor.page.text.replace("Vous agissez pour : 91 44 55 66", "")
    later(visitor, minutes=5)
    assert another(visitor).sign_in(PHONE).open("/dossiers").status == 200


# -- the wrong hat -----------------------------------------------------------------------------------------------------


def with_a_child(visitor: PortalClient) -> str:
    """Somebody who may act for a child of theirs; the mandate."""
    child = {"family_name": "AMEGAN", "given_names": "Kossi", "day": "1", "month": "2", "year": "2020"}
    visitor.send("/compte/enfants/nouveau", **child)
    visitor.open(HOME)
    return mandate(visitor)


def test_an_old_form_sent_under_another_hat_says_whose_it_is_and_keeps_what_was_typed(visitor: PortalClient) -> None:
    number = visitor.begin()
    address = f"/dossiers/{number}/demande/vous"
    form = {**visitor.open(address).form(), **ANSWERS, "go": "next"}
    press(visitor, HOME, "/compte/agir", mandate=with_a_child(visitor))
    page = visitor.post(address, **form)
    assert "Ce dossier est à votre nom" in page.text
    assert "En ce moment, vous agissez pour AMEGAN Kossi" in page.text
    assert "Ce que vous venez d’écrire est gardé" in page.text
    assert visitor.post("/compte/agir", **page.form("mandate")).address == "/reprendre"
    again = visitor.follow()
    assert again.value("nom") == "Amegan"
    assert visitor.post(address, **again.form("nom")).status == 303
    assert visitor.open(address).value("nom") == "AMEGAN"


@pytest.mark.parametrize("how", ["ended", "changed"])
def test_an_invitation_goes_only_to_the_account_that_its_page_named(visitor: PortalClient, how: str) -> None:
    invite = f"{HOME}/inviter"
    visitor.send(invite, phone=OTHER, role="manager")
    relative = another(visitor).sign_in(OTHER)
    relative.open(HOME)
    press(relative, HOME, "/compte/agir", mandate=mandate(relative))
    begin = "/demarches/essai/commencer"
    form, start = relative.open(invite).form("phone"), relative.open(f"{begin}?majeur=oui").form("token")
    if how == "ended":
        visitor.open(HOME)
        press(visitor, HOME, f"/compte/mandats/{mandate(visitor, '/compte/mandats')}", do="end")
    else:
        press(relative, HOME, "/compte/agir", mandate="")
    page = relative.post(invite, **{**form, "phone": "92334455", "role": "manager"})
    assert page.status == 422
    assert "Vous n’agissez plus pour la même personne" in page.text
    with visitor.office.store.unit() as unit:
        account = unit.account_of("applicant", f"+228{OTHER}")
        assert account is not None
        assert not unit.mandates_given(account.id)
    assert relative.post(begin, **start).address.startswith(begin)
    assert relative.send(invite, phone="92334455", role="reader").address == HOME


def test_an_address_opened_under_ones_own_name_leads_to_whom_it_is_of(visitor: PortalClient) -> None:
    held = with_a_child(visitor)
    press(visitor, HOME, "/compte/agir", mandate=held)
    number = visitor.begin()
    press(visitor, HOME, "/compte/agir", mandate="")
    page = visitor.open(f"/dossiers/{number}/demande/vous")
    assert page.status == 404
    assert "Vous suivez ce dossier pour AMEGAN Kossi" in page.text
    assert "est gardé" not in page.text
    assert visitor.post("/compte/agir", **page.form("mandate")).address == f"/dossiers/{number}/demande/vous"
    assert visitor.follow().status == 200


def test_who_may_not_see_a_dossier_under_any_hat_is_told_nothing(visitor: PortalClient) -> None:
    number = visitor.begin()
    stranger = another(visitor).sign_in(OTHER)
    with_a_child(stranger)
    said = re.sub(r"value=\"[^\"]*\"", "", stranger.open(f"/dossiers/{number}").html)
    absent = re.sub(r"value=\"[^\"]*\"", "", stranger.open("/dossiers/26482911374").html)
    assert said.replace(number, "26482911374") == absent
    assert "Page introuvable" in said
    assert visitor.open(f"/dossiers/{number}/pieces/none").status == 404
    assert "Page introuvable" in visitor.page.text, "their dossier, under their name: only that page is not there"


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize(
    "viewport",
    [{"width": 360, "height": 740}, pytest.param(DESK, marks=pytest.mark.nightly("journey"))],
    ids=["360", "1280"],
)
def test_acting_in_a_browser(enter: Enter, portal: Portal, tmp_path: Path, viewport: dict[str, int]) -> None:
    afi = enter("afi", viewport, looks=True, limit=60_000)
    afi.go("/connexion?suite=/compte/entreprises")
    afi.fill(phone="90 11 22 33")
    afi.press("Recevoir le code")
    afi.fill(code=portal.code_for("+22890112233"))
    afi.press("Continuer")
    afi.press("Mon enfant")
    afi.fill(family_name="AMEGAN", given_names="Kossi", day="27", month="3", year=str(portal.office.day().year - 9))
    afi.press("Envoyer")
    assert afi.sees("Vous pouvez agir pour votre enfant.")
    paper = tmp_path / "rccm.pdf"
    paper.write_bytes(pdf())
    afi.press("Une entreprise")
    afi.fill(number="TG", name="SOTOGO SARL", proof=str(paper))
    afi.press("Envoyer")
    assert afi.sees("Ce numéro n’est pas complet")
    afi.fill(number="TG-LOM 2024 B 1", proof=str(paper))
    afi.press("Envoyer")
    assert afi.sees("Document en cours de vérification")
    afi.press("Agir pour AMEGAN Kossi")
    afi.go("/compte/entreprises")
    afi.go("/compte/personnes/nouvelle")
    afi.go("/compte/personnes/procuration")
    afi.go("/compte/entreprises/inviter")
    afi.check()

    chef = enter("chef", viewport, looks=True, limit=60_000)
    chef.go("/agent/connexion?suite=/agent/representants")
    chef.fill(login="administration", password=PASSWORD)
    chef.press("Se connecter")
    chef.press("Accepter")
    assert chef.sees("Indiquez le nom de l’entreprise.")
    chef.check()
    chef.fill(name="SOTOGO SARL")
    chef.press("Accepter")
    assert chef.sees("Aucun document n’attend.")
    chef.check()


def test_a_refused_document_says_why(visitor: PortalClient) -> None:
    visitor.send(f"{HOME}/nouvelle", number="TG-LOM 1", name="SOTOGO", proof=(io.BytesIO(pdf()), "rccm.pdf"))
    chef = administrator(visitor)
    chef.open("/agent/representants")
    claim = mandate(chef, "/agent/representants")
    press(chef, "/agent/representants", f"/agent/representants/{claim}", do="refuse")
    assert chef.page.status == 422
    assert "Écrivez pourquoi vous refusez" in chef.page.text
    assert "en cours de vérification" in visitor.open(HOME).text, "nothing was decided"
    press(chef, "/agent/representants", f"/agent/representants/{claim}", do="refuse", reason="Cachet illisible")
    assert "Motif du refus : Cachet illisible" in visitor.open(HOME).text


def test_who_is_asked_may_say_why_not(visitor: PortalClient) -> None:
    visitor.send("/compte/personnes/nouvelle", phone=OTHER, name="AMEGAN Afi")
    relative = another(visitor).sign_in(OTHER)
    relative.open(HOME)
    asked = mandate(relative, "/compte/mandats")
    press(visitor, HOME, f"/compte/mandats/{asked}", do="decline")
    assert visitor.page.status == 404, "not who asked"
    press(relative, HOME, f"/compte/mandats/{asked}", do="decline")
    assert "agisse pour vous ?" in relative.page.text
    fields = {name: values for name, values in relative.page.form().items() if name != "reason"}
    relative.post(f"/compte/mandats/{asked}", **fields, reason="Je le fais moi-même")
    assert relative.page.address == HOME
    assert "Motif du refus : Je le fais moi-même" in visitor.open(HOME).text


def test_nobody_stops_acting_by_one_touch(visitor: PortalClient) -> None:
    child = {"family_name": "AMEGAN", "given_names": "Kossi", "day": "1", "month": "2", "year": "2020"}
    visitor.send("/compte/enfants/nouveau", **child)
    visitor.open(HOME)
    held = mandate(visitor, "/compte/mandats")
    press(visitor, HOME, f"/compte/mandats/{held}", do="leave")
    assert "Ne plus agir pour AMEGAN Kossi ?" in visitor.page.text
    fields = visitor.page.form()
    assert "AMEGAN Kossi" in visitor.open(HOME).text, "not before it is confirmed"
    visitor.post(f"/compte/mandats/{held}", **fields)
    assert visitor.page.address == HOME
    assert "AMEGAN Kossi" not in visitor.open(HOME).text
