"""Agents deal with many dossiers at once: ticked, previewed, confirmed once, and told what came of each."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

import pytest

from engine.records.dossier import Dossier
from engine.services.applications import bulk_actions as bulk
from engine.services.audit.exports import FILE_KEPT
from engine.services.core.jobs import FILES_A_DAY
from engine.services.worker.job_runner import carry_orders
from tests.engine.services.bulk_runner import to_sign
from tests.engine.services.world import B3
from tests.web.client import PortalClient
from tests.web.socket_server import fronting
from tests.web.staff_site import CLERK, GATEKEEPER, OTHER_CLERK, StaffSite, hidden, open_staff_site, read

pytestmark = pytest.mark.slow  # a whole site and its people for each test


@pytest.fixture
def staff_site(tmp_path: Path) -> StaffSite:
    return open_staff_site(tmp_path)


def ticked(*dossiers: Dossier) -> dict[str, object]:
    return {"dossier": [one.number for one in dossiers]}


def test_ticked_previewed_confirmed_and_told(staff_site: StaffSite) -> None:
    (one, other), seat = to_sign(staff_site.world, 2), staff_site.agent(CLERK)
    early = staff_site.world.sent(B3, staff_site.world.applicant("+22890000077"))
    inbox = seat.get("/agent?file=tous").get_data(as_text=True)
    boxes = re.findall(r'form="lot" id="[^"]+" name="dossier" value="(\d+)"', inbox)
    assert sorted(boxes) == sorted([one.number, other.number, early.number]), "each may be labelled"

    chosen = seat.client.post("/agent/lot", data=ticked(one, other, early))
    assert "3 dossiers choisis." in read(chosen)
    assert "Signer le bulletin" in read(chosen)
    preview = seat.client.post("/agent/lot", data={**hidden(chosen), "acte": f"{B3}:signer", "go": "preview"})
    told = read(preview)
    assert "sera faite sur 2 dossiers." in told
    assert "1 dossier ne peut pas" in told
    assert "SMS qui partiront 2" in told
    assert staff_site.kept(one).state == "signature"

    posted = {**hidden(preview), "go": "confirm"}
    done = [seat.client.post("/agent/lot", data=posted) for _ in range(2)]
    assert len({answer.headers["Location"] for answer in done}) == 1
    where = done[0].headers["Location"]
    assert "Terminé : 2 dossiers faits." in seat.see(where)
    assert [staff_site.kept(each).state for each in (one, other, early)] == ["a_retirer", "a_retirer", early.state]
    assert "Lot n° 1" in seat.see("/agent/ordres")

    report = seat.get(f"{where}.csv").get_data(as_text=True).splitlines()
    assert [line.split(",")[3] for line in report] == ["resultat", "Fait", "Fait"]
    assert staff_site.agent(OTHER_CLERK).get(where).status_code == 404
    assert staff_site.agent(OTHER_CLERK).get(f"{where}.csv").status_code == 404
    assert staff_site.agent(OTHER_CLERK).get(f"{where}.json").status_code == 404


def test_the_day_until_which_a_paper_is_kept_is_the_applicants(staff_site: StaffSite) -> None:
    (one,), seat = to_sign(staff_site.world, 1), staff_site.agent(CLERK)
    preview = read(seat.get(f"/agent/dossiers/{one.number}/acte/signer")).partition("Réponses")[0]
    assert "Nouvelle étape À retirer au centre" in preview
    assert "Le demandeur a jusqu’au" in preview
    assert "À rendre avant" not in preview
    staff_site.world.take(one, staff_site.actor(CLERK), "signer")
    after = seat.see(f"/agent/dossiers/{one.number}")
    assert "Usager, jusqu’au" in after
    world = staff_site.world
    owner = PortalClient(staff_site.stranger().client, world.office, world.clock, world.operator).sign_in("90110000")
    assert re.search("Étape À retirer au centre Où \\? [^.]*Lomé", owner.open(f"/dossiers/{one.number}").text)
    assert "Reste" not in after


def test_a_large_order_waits_for_the_worker_and_says_so(staff_site: StaffSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.services.worker.job_runner.AT_ONCE", 1)
    some, seat = to_sign(staff_site.world, 3), staff_site.agent(CLERK)
    whole = seat.client.post("/agent/lot", data={"tous": "1", "file": "tous", "etape": "signature", "demarche": B3})
    preview = seat.client.post("/agent/lot", data={**hidden(whole), "acte": f"{B3}:signer", "go": "preview"})
    where = seat.client.post("/agent/lot", data={**hidden(preview), "go": "confirm"}).headers["Location"]
    assert "0 dossier fait sur 3. Il en reste 3." in seat.see(where)
    poll = re.search(r'data-poll="([^"]+)"', seat.get(where).get_data(as_text=True))
    assert poll is not None
    assert seat.get(poll[1]).get_json()["status"] == "pending"
    carry_orders(staff_site.world.office)
    assert seat.get(poll[1]).get_json()["status"] == "moved"
    assert "Terminé : 3 dossiers faits." in seat.see(where)
    assert {staff_site.kept(one).state for one in some} == {"a_retirer"}


def test_what_was_left_alone_says_why(staff_site: StaffSite) -> None:
    (one, other), seat = to_sign(staff_site.world, 2), staff_site.agent(CLERK)
    chosen = seat.client.post("/agent/lot", data=ticked(one, other))
    preview = seat.client.post("/agent/lot", data={**hidden(chosen), "acte": f"{B3}:signer", "go": "preview"})
    staff_site.world.take(one, staff_site.actor(OTHER_CLERK), "signer")
    where = seat.client.post("/agent/lot", data={**hidden(preview), "go": "confirm"}).headers["Location"]
    told = seat.see(where)
    assert "Terminé : 1 sur 2. Laissés de côté : 1." in told
    assert "Changé entre-temps" in told
    led = re.findall(r'<th[^>]*><a href="([^"]+)"', seat.get(where).get_data(as_text=True))
    assert sorted(led) == sorted(f"/agent/dossiers/{dossier.number}" for dossier in (one, other))
    assert {seat.get(address).status_code for address in led} == {200}


def test_nothing_ticked_nothing_possible_nothing_chosen(staff_site: StaffSite) -> None:
    (one,), seat = to_sign(staff_site.world, 1), staff_site.agent(CLERK)
    assert seat.client.post("/agent/lot", data={}).status_code == 409
    assert seat.client.post("/agent/lot", data={"dossier": "26000000000"}).status_code == 200
    unchosen = seat.client.post("/agent/lot", data={**ticked(one), "go": "preview"})
    assert unchosen.status_code == 422
    other = staff_site.agent(GATEKEEPER).client.post("/agent/lot", data=ticked(one))
    assert "Aucune action ne peut se faire en lot" in read(other)
    assert (
        staff_site.agent(GATEKEEPER)
        .client.post("/agent/lot", data={**ticked(one), "acte": f"{B3}:signer", "go": "preview"})
        .status_code
        == 200
    )  # it says that nothing can be done
    refused = seat.client.post(
        "/agent/lot", data={**ticked(one), "acte": f"{B3}:rejeter", "motif": "x", "go": "preview"}
    )
    assert refused.status_code == 404


def test_the_journal_of_the_dossier_and_of_the_team_name_the_order(staff_site: StaffSite) -> None:
    (one,), who = to_sign(staff_site.world, 1), staff_site.actor(CLERK)
    order = bulk.order_bulk(staff_site.world.office, who, B3, "signer", "", [(one.number, one.revision)])
    carry_orders(staff_site.world.office)
    account = staff_site.world.read(lambda unit: unit.account_of("agent", OTHER_CLERK))
    with staff_site.world.office.store.unit(write=True) as unit:
        unit.put_account(replace(account, administers=("*",)))
    assert "lot ordonné" in staff_site.agent(OTHER_CLERK).see("/agent/equipe/journal")
    control = staff_site.auditor()
    asked = control.get(f"/audit/dossiers/{one.number}")
    read_at = control.client.post(f"/audit/dossiers/{one.number}", data={**hidden(asked), "motive": "Contrôle"})
    assert re.search(rf"Lot n°[ :]*{order.n}\b", control.see(read_at.headers["Location"]))


# -- lists taken away --------------------------------------------------------------------------------------------------


def test_a_list_is_prepared_and_taken_by_its_giver_alone(
    staff_site: StaffSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    some, seat = to_sign(staff_site.world, 3), staff_site.agent(CLERK)
    stands_on = seat.get(f"/agent?file=tous&demarche={B3}&etape=signature")
    form = {**hidden(stands_on), "file": "tous", "demarche": B3, "etape": "signature"}
    given = {seat.client.post("/agent/export", data=form).headers["Location"] for _ in range(2)}
    (where,) = given
    assert "C’est prêt : 3 lignes. À télécharger avant le 30 novembre 2026." in seat.see(where)
    body = seat.get(f"{where}/liste.csv").get_data(as_text=True)
    lines = body.lstrip("\ufeff").splitlines()
    assert lines[0].startswith("numero,demandeur,demarche,etape")
    assert sorted(line.split(",")[0] for line in lines[1:]) == sorted(one.number for one in some)
    assert "Signature" in lines[1]
    assert staff_site.agent(OTHER_CLERK).get(f"{where}/liste.csv").status_code == 404
    assert f"{where}/liste.xlsx" in seat.get(where).text
    assert zipfile.ZipFile(io.BytesIO(seat.get(f"{where}/liste.xlsx").data)).testzip() is None
    kinds = [entry.kind for entry in staff_site.world.read(lambda unit: unit.rights())]
    assert kinds[:3] == ["tray_taken", "tray_taken", "tray_ordered"]
    with monkeypatch.context() as patch:
        for module in ("renderers.web.agents.exports", "renderers.web.administration.jobs"):
            patch.setattr(f"{module}.MOST_IN_WORKBOOK", 2)
        assert "liste.xlsx" not in seat.get(where).text
        assert seat.get(f"{where}/liste.xlsx").status_code == 404
    staff_site.world.clock.advance(FILE_KEPT)
    assert staff_site.agent(CLERK).get(f"{where}/liste.csv").status_code == 409
    assert "effacé" in staff_site.agent(CLERK).see(where)


def test_one_agent_has_so_many_lists_a_day_over_a_socket(staff_site: StaffSite) -> None:
    agent = staff_site.agent(CLERK)
    cookie = agent.client.get_cookie("guichet-agent")
    assert cookie is not None
    headers = {"Cookie": f"guichet-agent={cookie.value}", "Content-Type": "application/x-www-form-urlencoded"}
    answers = []
    with fronting(staff_site.app) as port:
        line = HTTPConnection("127.0.0.1", port, timeout=60)
        for n in range(FILES_A_DAY + 2):
            line.request("POST", "/agent/export", urlencode({"file": "tous", "token": str(n)}), headers)
            answers.append(line.getresponse())
            answers[-1].read()
    assert [one.status for one in answers] == [*[303] * FILES_A_DAY, 429, 429]
    assert int(answers[-1].headers["Retry-After"]) > 3600


def test_a_long_list_is_the_workers(staff_site: StaffSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.services.worker.job_runner.FEW_ROWS", 1)
    monkeypatch.setattr("engine.services.audit.exports._PART", 2)
    monkeypatch.setattr("engine.services.worker.job_runner._PARTS", 1)
    some, seat = to_sign(staff_site.world, 5), staff_site.agent(CLERK)
    where = seat.client.post("/agent/export", data={"file": "tous"}).headers["Location"]
    assert seat.get(f"{where}/liste.csv").status_code == 409
    rows = [carry_orders(staff_site.world.office) for _ in range(4)]
    assert rows == [2, 2, 1, 0]
    body = seat.get(f"{where}/liste.csv").get_data(as_text=True)
    assert len({line.split(",")[0] for line in body.splitlines()[1:]}) == len(some)


def test_a_list_has_the_answers_chosen_and_no_sensitive_one(staff_site: StaffSite) -> None:
    dossier, seat = (
        staff_site.world.sent("passeport-ordinaire", staff_site.world.applicant()),
        staff_site.agent(GATEKEEPER),
    )
    asked = seat.get("/agent/export?file=tous&demarche=passeport-ordinaire")
    page = read(asked)
    assert "Toujours dans la liste : numéro, demandeur" in page
    assert 'value="lieu_naissance"' in asked.text
    assert 'value="signes_particuliers"' not in asked.text, "sensitive"
    assert 'value="acte_naissance"' not in asked.text, "a file"
    assert seat.get("/agent/export?file=tous").headers["Location"] == "/agent?file=tous"
    form = {**hidden(asked), "file": "tous", "demarche": "passeport-ordinaire"}
    chosen = ["lieu_naissance", "signes_particuliers", "nowhere"]
    where = seat.client.post("/agent/export", data={**form, "reponse": chosen}).headers["Location"]
    head, line = seat.get(f"{where}/liste.csv").get_data(as_text=True).lstrip("\ufeff").splitlines()
    assert head.split(",")[10:] == ["Identité\u00a0: Lieu de naissance"], "a parent has one too"
    assert line.split(",")[0] == dossier.number
    assert line.split(",")[-1] == dossier.answers["lieu_naissance"]
    read_by = staff_site.owner(dossier).see("/compte/consultations")
    assert "Agent de conformité" in read_by, "who has the answers in a list read them"
