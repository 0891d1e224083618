"""Answers compared with their pieces: the page of an act and of a later form, what it refuses, what the dossier shows then."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from engine.integrations.registers import Found, RegisterAnswer
from engine.language.catalogue.catalogue import Catalogue
from engine.records.dossier import Dossier
from engine.services.applications import casework
from engine.services.applications import drafts as intake
from engine.services.audit.integrity import fsck
from tests.engine.services.applications.test_agent_files import photograph
from tests.engine.services.applications.test_opinions import good
from tests.engine.services.world import B3, pdf
from tests.makers import a_procedure, the_shared
from tests.web.staff_site import Seat, StaffSite, hidden, open_staff_site, read

pytestmark = pytest.mark.slow  # a whole site and its people for each test

NAME, CLERK, DIRECTOR = "confirmed-answers", "obac.instructeur", "obac.directeur"
ALL = ["nom", "prenoms", "ne_le", "sexe"]


class OneRegister:
    """A register that knows the form of a company."""

    def ask(self, register_id: str, sent: object) -> RegisterAnswer:
        return RegisterAnswer("found", {"forme_existante": "SOCIETE A RESPONSABILITE-LIMITEE"})


@pytest.fixture
def staff_site(tmp_path: Path) -> StaffSite:
    site = open_staff_site(tmp_path, catalogue=good(NAME))
    office = replace(site.world.office, registers={"*": OneRegister()})
    return replace(site, app=site.app, world=replace(site.world, office=office))


def sent(site: StaffSite, picture: bool = True, name: str = NAME, **given: object) -> Dossier:
    world = site.world
    owner = world.applicant()
    draft = world.draft(name, owner, **given)  # type: ignore[arg-type]
    file = intake.Upload("acte.jpg", photograph()) if picture else intake.Upload("acte.pdf", pdf())
    assert intake.attach(world.office, owner, draft.id, "acte", file).problem is None
    return world.worked_off(intake.submit(world.office, owner, draft.id, declared=True, token=draft.id))


def at(dossier: Dossier, rest: str = "") -> str:
    return f"/agent/dossiers/{dossier.number}{rest}"


def confirmed(seat: Seat, path: str, shown: object) -> int:
    return seat.client.post(path, data={**hidden(shown), "go": "confirm"}).status_code  # type: ignore[arg-type]


def test_each_answer_stands_beside_its_piece_and_is_ticked_or_typed(staff_site: StaffSite) -> None:
    dossier, clerk = sent(staff_site), staff_site.agent(CLERK)
    assert dossier.state == "verification"
    path = at(dossier, "/acte/conforme")
    page = clerk.get(path).get_data(as_text=True)
    piece = next(one for one in dossier.attachments if one.field == "acte")
    assert f'src="{at(dossier)}/pieces/{piece.id}/page-1.webp' in page
    assert page.count('name="act-same"') == len(ALL)
    for name in ALL:
        assert page.index(f'value="{name}"') < page.index(f"act-piece-{name}"), "the box stands before the field"
    assert "12 mai 2001" in read(clerk.get(path)), "as the applicant gave it"

    left = clerk.post(path, go="preview", **{"act-same": ["nom", "sexe"], "act-piece-prenoms": "Afiwa"})
    assert left.status_code == 422
    assert "Cochez « conforme » ou écrivez ce que dit la pièce, pour « Votre date de naissance »" in read(left)
    kept = left.get_data(as_text=True)
    assert 'value="nom" checked' in kept
    assert 'value="Afiwa"' in kept
    assert 'value="ne_le" checked' not in kept

    typed = {"act-same": ["nom", "ne_le", "sexe"], "act-piece-prenoms": "Afiwa"}
    shown = clerk.post(path, go="preview", **typed)
    assert shown.status_code == 200, read(shown)
    assert "Sur la pièce : Vos prénoms Afiwa" in read(shown), "the preview says what is noted"
    assert confirmed(clerk, path, shown) == 303
    kept_dossier = staff_site.kept(dossier)
    assert kept_dossier.state == "complement"
    assert kept_dossier.answers["prenoms"] == "Afi", "the answer stays what the applicant typed"
    found = {name: (one.value, one.piece, one.differs) for name, one in kept_dossier.confirmed.items() if name in ALL}
    assert found == {
        "nom": ("AMEGAN", "acte", False), "prenoms": ("Afiwa", "acte", True), "ne_le": ("2001-05-12", "acte", False),
        "sexe": ("f", "acte", False),
    }  # fmt: skip

    told = clerk.see(at(dossier))
    assert "Sur la pièce : Afiwa" in told
    assert "Confirmé sur « Acte de naissance » par" in told
    assert "« Acte de naissance » : réponses comparées" in told
    assert not fsck(staff_site.world.office)


def test_a_box_and_another_value_or_a_wrong_value_are_refused_beside_the_field(staff_site: StaffSite) -> None:
    dossier, clerk = sent(staff_site), staff_site.agent(CLERK)
    path = at(dossier, "/acte/conforme")
    both = clerk.post(path, go="preview", **{"act-same": ALL, "act-piece-nom": "AMEGA"})
    assert "pas les deux" in read(both)
    wrong = clerk.post(
        path, go="preview",
        **{"act-same": ["nom", "prenoms", "sexe"], "act-piece-ne_le_day": "31", "act-piece-ne_le_month": "2", "act-piece-ne_le_year": "2001"},
    )  # fmt: skip
    assert wrong.status_code == 422
    assert "#act-piece-ne_le_day" in wrong.get_data(as_text=True) or "act-piece-ne_le_day" in wrong.get_data(
        as_text=True
    )
    same = clerk.post(path, go="preview", **{"act-same": ALL, "act-piece-nom": "AMEGAN"})
    assert same.status_code == 200, "a typed value that is the answer is the answer"


def test_a_difference_that_changes_the_price_asks_for_a_correction(staff_site: StaffSite) -> None:
    dossier, clerk = sent(staff_site), staff_site.agent(CLERK)
    path = at(dossier, "/acte/conforme")
    minor = {"act-piece-ne_le_day": "12", "act-piece-ne_le_month": "5", "act-piece-ne_le_year": "2012"}
    refused = clerk.post(path, go="preview", **{"act-same": ["nom", "prenoms", "sexe"], **minor})
    assert refused.status_code == 422
    assert "Faites corriger la réponse." in read(refused)
    assert 'value="2012"' in refused.get_data(as_text=True), "what was typed is kept"
    assert staff_site.kept(dossier).state == "verification"
    older = {**minor, "act-piece-ne_le_year": "2000"}
    assert clerk.post(path, go="preview", **{"act-same": ["nom", "prenoms", "sexe"], **older}).status_code == 200


def test_a_later_form_compares_and_leaves_hidden_answers_out(staff_site: StaffSite) -> None:
    dossier, clerk = sent(staff_site, picture=False), staff_site.agent(CLERK)
    path = at(dossier, "/acte/conforme")
    first = clerk.get(path).get_data(as_text=True)
    assert "acte.pdf" in first
    assert confirmed(clerk, path, clerk.post(path, go="preview", **{"act-same": ALL})) == 303
    form = at(dossier, "/a-faire/controle")
    page = clerk.see(form)
    assert "Vos prénoms" in page
    assert "Nom de la personne épousée" not in page, "the question and its piece are hidden"
    assert clerk.post(form, go="preview", remarque="").status_code == 422
    shown = clerk.post(form, go="preview", **{"act-piece-prenoms": "Afiwa"})
    assert confirmed(clerk, form, shown) == 303
    kept = staff_site.kept(dossier)
    assert kept.state == "a_payer"
    assert kept.confirmed["prenoms"].differs
    assert not fsck(staff_site.world.office)


def test_a_piece_shown_on_paper_says_so(staff_site: StaffSite) -> None:
    dossier, clerk = sent(staff_site, marie=True), staff_site.agent(CLERK)
    path = at(dossier, "/acte/conforme")
    assert confirmed(clerk, path, clerk.post(path, go="preview", **{"act-same": ALL})) == 303
    page = clerk.see(at(dossier, "/a-faire/controle"))
    assert "La pièce se montre sur papier." in page
    assert "KOFFI" in page


def test_the_register_confirms_what_it_returns_equal(staff_site: StaffSite) -> None:
    dossier, clerk = sent(staff_site), staff_site.agent(CLERK)
    one = dossier.confirmed["forme"]
    assert (one.value, one.piece, one.by, one.differs) == (
        "SOCIETE A RESPONSABILITE-LIMITEE",
        "entreprise",
        "system",
        False,
    )
    assert "Confirmé par « Registre des entreprises »" in clerk.see(at(dossier))
    other = sent(staff_site, forme="Société anonyme")
    assert "forme" not in other.confirmed


@pytest.mark.parametrize(
    ("result", "words"), [("found", "trouvé"), ("not_found", "rien trouvé"), ("unavailable", "registre indisponible")]
)
def test_a_register_that_found_nothing_is_told_from_one_that_is_silent(
    tmp_path: Path, result: Found, words: str
) -> None:
    site = open_staff_site(tmp_path)
    dossier = site.world.paid(site.world.sent(B3, nom="AMEGAN", prenoms="Afi"))
    after = replace(dossier, answers={**dossier.answers, "recherche": result}, revision=dossier.revision + 1)
    with site.world.office.store.unit(write=True) as unit:
        unit.put_dossier(after, dossier.revision)
    page = read(site.agent("sncja.greffier_en_chef").get(at(dossier)))
    assert f"Réponse du registre {words}" in page


def test_the_author_of_a_refusal_ticks_the_texts(staff_site: StaffSite) -> None:
    dossier, clerk = sent(staff_site), staff_site.agent(CLERK)
    path = at(dossier, "/acte/conforme")
    assert confirmed(clerk, path, clerk.post(path, go="preview", **{"act-same": ALL})) == 303
    form = at(dossier, "/a-faire/controle")
    assert confirmed(clerk, form, clerk.post(form, go="preview", **{"act-same": ["prenoms"]})) == 303
    staff_site.world.paid(staff_site.kept(dossier))
    director, path = staff_site.agent(DIRECTOR), at(dossier, "/acte/refuser")
    page = director.see(path)
    assert "Loi sur les attestations" in page
    assert "Décret d'application" in page.replace("’", "'")
    none = director.post(path, go="preview", **{"act-reason": "Sans objet"})
    assert none.status_code == 422
    assert "Cochez au moins un texte." in read(none)
    shown = director.post(path, go="preview", **{"act-reason": "Sans objet", "act-ground": ["decret"]})
    assert confirmed(director, path, shown) == 303
    kept = staff_site.kept(dossier)
    assert kept.taken[-1].grounds == ("decret",)
    assert "Textes : Décret d'application." in director.see(at(dossier)).replace("’", "'")
    assert not fsck(staff_site.world.office)


def test_a_traveller_is_compared_with_their_own_passport(tmp_path: Path) -> None:
    """The shipped electronic visa: its form is filled once per traveller."""
    site = open_staff_site(tmp_path)
    dossier = site.world.sent("e-visa")
    dossier = site.world.paid(dossier) if dossier.owed else dossier
    officer, form = site.agent("dgdn.immigration"), at(dossier, "/a-faire/decision_visa/0")
    page = officer.get(form).get_data(as_text=True)
    names = [f"voyageurs.0.{name}" for name in ("nom", "prenoms", "date_naissance", "nationalite", "passeport")]
    assert page.count('name="act-same"') == len(names)
    answers = {"accorde": "true", "premier_jour_day": "1", "premier_jour_month": "12", "premier_jour_year": "2026"}
    answers |= {"jours_accordes": "30", "entrees_accordees": "une"}
    colleague = site.agent("dgdn.immigration.2")
    opened = hidden(colleague.get(form))
    left = officer.post(form, go="preview", **answers, **{"act-same": names[1:]})
    assert left.status_code == 422
    assert "#s-voyageurs.0.nom" in left.get_data(as_text=True)
    typed = {"act-same": names[1:], "act-piece-voyageurs.0.nom": "SMITHE"}
    shown = officer.post(form, go="preview", **answers, **typed)
    assert shown.status_code == 303 or confirmed(officer, form, shown) == 303, read(shown)
    kept = site.kept(dossier).confirmed
    assert (kept[names[0]].value, kept[names[0]].differs) == ("SMITHE", True)
    assert "Sur la pièce : SMITHE" in officer.see(at(dossier))
    late = colleague.client.post(form, data={**opened, "go": "preview", **answers, **typed})
    assert late.status_code == 409
    assert "Sur la pièce : Nom SMITHE" in read(late), "what was typed about a piece bears the name of its question"
    assert "act-same" not in read(late)
    assert not fsck(site.world.office)


LISTED = """
title: Un relevé
form: {vous: {title: Vous, fields: {nom: {label: Nom, example: AMEGAN}}}}
evidence: {acte: {label: Acte}}
later_forms:
  releve:
    title: Relevé
    fields:
      present: {label: Mentions présentes, type: yes_no, example: true}
      lignes: {label: Lignes, type: rows, row_label: '{objet}', fields: {objet: {label: Objet, example: Vol}}}
workflow:
  start: examen
  states:
    examen:
      label: Examen
      by: maire
      due: 5 working days
      transitions: {accorder: {label: Accorder, to: accorde, fills: releve}}
    accorde: {label: Accordé, end: granted}
"""


def test_boxes_ticked_beside_another_answer_are_not_carried_to_the_new_page(staff_site: StaffSite) -> None:
    dossier, clerk = sent(staff_site), staff_site.agent(CLERK)
    path = at(dossier, "/acte/conforme")
    shown = clerk.get(path)
    staff_site.world.force(staff_site.kept(dossier), answers={**dossier.answers, "nom": "MENSAH"})
    late = clerk.post(path, **{**hidden(shown), "go": "preview", "act-same": ALL})
    assert late.status_code == 409
    assert "act-compared" not in read(late)
    carried = [one for one in ALL if f'name="act-same" value="{one}"' in late.get_data(as_text=True)]
    again = clerk.post(path, **{**hidden(late), "go": "edit", "act-same": carried})
    assert carried == ALL
    assert "Comparez de nouveau." in read(again)
    assert 'value="nom" checked' not in again.get_data(as_text=True)


def test_what_an_agent_wrote_is_read_before_the_act_is_confirmed(tmp_path: Path) -> None:
    """A line of a record is final: its author reads it again, rows included."""
    procedure = a_procedure(LISTED)
    site = open_staff_site(tmp_path, catalogue=Catalogue.of([procedure], the_shared()))
    dossier, clerk = sent(site, name=procedure.id), site.agent("mairie.maire")
    written = {"present": "true", "lignes.0.objet": "Abus de confiance"}
    shown = read(clerk.post(at(dossier, "/acte/accorder"), go="preview", **written))
    assert "Mentions présentes Oui" in shown
    assert "Objet Abus de confiance" in shown


def test_what_a_slower_agent_wrote_is_kept_in_words(tmp_path: Path) -> None:
    """Rows, dates and boxes are read by their labels, never by the names of their controls."""
    procedure = a_procedure(
        LISTED.replace("Vol}}}", "Vol}, le: {label: Jour, type: date, example: 2019-05-14}}}").replace(
            "fills: releve}", "fills: releve, confirms: {acte: [nom]}}"
        )
    )
    site = open_staff_site(tmp_path, catalogue=Catalogue.of([procedure], the_shared()))
    dossier, slow = sent(site, name=procedure.id), site.agent("mairie.maire")
    path = at(dossier, "/acte/accorder")
    opened = hidden(slow.get(path))
    casework.assign(site.world.office, site.actor("mairie.maire.2"), dossier.id, None, token=dossier.id)
    day = {"lignes.0.le_day": "31", "lignes.0.le_month": "2", "lignes.0.le_year": "2019"}
    written = {"present": "false", "lignes.0.objet": "Vol", **day, "act-piece-nom": "MENSAH"}
    late = slow.client.post(path, data={**opened, "go": "preview", **written})
    assert late.status_code == 409
    kept = read(late).partition("Ce que vous aviez écrit")[2]
    for words in ("Mentions présentes Non", "Objet Vol", "Jour 31/2/2019", "Sur la pièce : Nom MENSAH"):
        assert words in kept
    assert not re.search(r"lignes|le_day|act-|true|false", kept)
    resumed = slow.client.post(path, data={**hidden(late), "go": "edit"})
    assert all(f'value="{one}"' in resumed.get_data(as_text=True) for one in ("Vol", "31", "2019", "MENSAH"))


def test_a_page_that_showed_other_answers_confirms_nothing(tmp_path: Path) -> None:
    """The travellers change places, or a number is corrected, between the page and its post."""
    site = open_staff_site(tmp_path)
    dossier = site.world.sent("e-visa")
    dossier = site.world.paid(dossier) if dossier.owed else dossier
    officer, form = site.agent("dgdn.immigration"), at(dossier, "/a-faire/decision_visa/0")
    shown = officer.get(form)
    names = [f"voyageurs.0.{name}" for name in ("nom", "prenoms", "date_naissance", "nationalite", "passeport")]
    rows = dossier.answers["voyageurs"]
    assert isinstance(rows, list)
    other = [{**rows[0], "nom": "MENSAH"}, *rows[1:]]  # type: ignore[dict-item]
    site.world.force(site.kept(dossier), answers={**dossier.answers, "voyageurs": other})
    edited = officer.post(form, **{**hidden(shown), "go": "edit", "act-same": names})
    assert "Comparez de nouveau." in read(edited), "what was ticked before is not carried to what is shown now"
    assert f'value="{names[0]}" checked' not in edited.get_data(as_text=True)
    late = officer.post(form, **{**hidden(shown), "go": "preview", "act-same": names})
    assert late.status_code == 422
    assert "Comparez de nouveau." in read(late)
    assert "MENSAH" in read(late)
    assert f'value="{names[0]}" checked' not in late.get_data(as_text=True)
    assert site.kept(dossier).confirmed == {}
    again = officer.post(form, **{**hidden(late), "go": "preview", "act-same": names})
    assert "Comparez de nouveau." not in read(again)
