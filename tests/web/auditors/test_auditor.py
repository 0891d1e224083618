"""Controllers and everyone: editions, the definition in words, the circuit; a dossier's journal, proven or broken."""

from __future__ import annotations

import html
import json
import re
import sqlite3
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from engine.domain.documents.retention import forgotten
from engine.journal.chain import read_export, verify_export
from engine.language.catalogue.catalogue import Catalogue
from engine.language.compiler.compile import build_procedure
from engine.language.source.loader import read_source
from engine.publication.publications import publish
from engine.records.codec import instant_text
from engine.records.dossier import Dossier
from engine.services.accounts import access_log
from engine.services.applications import casework, messages
from engine.services.context.app_context import NotFound
from engine.services.core.checkpoints import sign_journal
from engine.simulation.environment import ScenarioEnvironment
from engine.simulation.player import ScenarioFailed, ScenarioRun
from engine.storage.sqlite.store import SqliteStore
from renderers.html.diagram import diagram_rows
from renderers.web.auditors.entries import Known, _facts, entry_lines
from tests import worker
from tests.engine.services.appointments.test_bookings import to_book
from tests.engine.services.appointments.test_openings import WEDNESDAY, on
from tests.engine.services.world import B3, PASSPORT
from tests.makers import PROCEDURES, the_shared
from tests.web.staff_site import CLERK, GATEKEEPER, Seat, StaffSite, open_staff_site, read

pytestmark = pytest.mark.slow  # a whole site and its people for each test


@pytest.fixture
def staff_site(tmp_path: Path) -> StaffSite:
    return open_staff_site(tmp_path)


@pytest.fixture
def passport(staff_site: StaffSite) -> Dossier:
    return staff_site.world.sent(PASSPORT)


def open_journal(seat: Seat, dossier: Dossier, motive: str = "Contrôle mensuel") -> str:
    """Says why; the address of the trail."""
    answer = seat.post(f"/audit/dossiers/{dossier.number}", motive=motive)
    assert answer.status_code == 303
    return answer.headers["Location"]


# -- what runs ---------------------------------------------------------------------------------------------------------


def test_the_desk_lists_what_runs(staff_site: StaffSite, passport: Dossier) -> None:
    seat = staff_site.auditor()
    for path in ("/audit", "/audit/demarches"):
        text = seat.see(path)
        for book in staff_site.world.office.catalogue.all():
            assert book.identity.title.in_("fr").replace("'", "’") in text
            assert book.fingerprint[:12] in text
    page = seat.see(f"/audit/demarches/{PASSPORT}")
    assert "Contrôle du dossier 1" in page
    assert "AMEGAN" not in page
    lost = seat.get("/audit/demarches/nulle-part")
    assert lost.status_code == 404
    assert 'href="/audit">Aller au contrôle' in lost.get_data(as_text=True)
    assert "Suivre un dossier" not in lost.get_data(as_text=True).split("<main")[1].split("</main>")[0]


def test_a_dossier_is_found_by_its_number(staff_site: StaffSite, passport: Dossier) -> None:
    seat = staff_site.auditor()
    number = passport.number
    assert seat.get(f"/audit?numero={number[:2]}+{number[2:]}").headers["Location"] == f"/audit/dossiers/{number}"
    assert "Le numéro de dossier a 11 chiffres." in seat.see("/audit?numero=12", 422)


# -- editions ----------------------------------------------------------------------------------------------------------


def test_a_second_edition_leaves_the_first_readable(staff_site: StaffSite, passport: Dossier) -> None:
    world = staff_site.world
    first = world.office.catalogue.procedures[PASSPORT]
    text = first.source.replace("edition: 12", "edition: 13").replace("amount: 30000", "amount: 35000")
    second, _ = build_procedure(read_source(text, f"{PASSPORT}.yaml"), the_shared())
    assert second is not None
    new, _ = publish(Catalogue.of([second], the_shared()), world.office.store, world.office.now())
    # the site keeps its own office: the edition in service is swapped under it
    site = staff_site.app.extensions["guichet"]
    object.__setattr__(site.office, "catalogue", new)
    seat = staff_site.stranger()
    history = seat.see(f"/demarches/{PASSPORT}/historique")
    assert "Édition 13 en vigueur" in history
    assert first.fingerprint in history
    assert second.fingerprint in history
    assert "35 000 FCFA" in seat.see(f"/demarches/{PASSPORT}/definition")
    assert "30 000 FCFA" in seat.see(f"/demarches/{PASSPORT}/definition?fingerprint={first.fingerprint}")
    for book, source in ((first, first.source), (second, text)):
        file = seat.get(f"/demarches/{PASSPORT}/definition.yaml?fingerprint={book.fingerprint}")
        assert file.get_data(as_text=True) == source
    agent = staff_site.agent(GATEKEEPER).see(f"/agent/dossiers/{passport.number}")
    assert "Édition 12 de la démarche" in agent
    assert "L’édition 13 vaut pour les nouveaux dossiers." in agent


@pytest.mark.parametrize("rest", ["historique", "definition", "definition.yaml", "circuit", "circuit.svg"])
def test_an_unknown_edition_is_not_found(staff_site: StaffSite, rest: str) -> None:
    seat = staff_site.stranger()
    assert seat.get(f"/demarches/{PASSPORT}/{rest}").status_code == 200
    assert seat.get(f"/demarches/nulle-part/{rest}").status_code == 404
    if rest != "historique":
        assert seat.get(f"/demarches/{PASSPORT}/{rest}?fingerprint=00").status_code == 404


@pytest.mark.parametrize("name", sorted(path.stem for path in PROCEDURES.glob("*.yaml")))
def test_the_definition_in_words_leaves_nothing_out(staff_site: StaffSite, name: str) -> None:
    """Every question, act, state, law, document and message of the book is on the page, conditions said in words."""
    book = staff_site.world.office.catalogue.procedures[name]
    text = staff_site.stranger().see(f"/demarches/{name}/definition").replace("’", "'")
    labels = [one.label for page in book.form.pages for one in page.fields]
    labels += [one.label for one in (*book.states.values(), *(way for way in book.transitions if way.event is None))]
    labels += [one.title for one in (*book.laws.values(), *book.outputs.values())]
    labels += [check.message for page in book.form.pages for check in page.checks]
    said = [label.in_("fr") for label in labels]
    for one in book.notices:  # holes are said by what they are called
        texts = (template.text.in_("fr") for template in (one.sms, one.inbox, one.email_body) if template)
        said += [part for whole in texts for part in re.split(r"\{[^}]*\}", whole)]
    for label in said:
        assert " ".join(label.replace("\u00a0", " ").replace("’", "'").split()) in text, label
    conditions = [one.when for page in book.form.pages for one in (page, *page.fields)]
    for expression in conditions:
        assert " " not in expression.text or expression.text not in text
    assert book.fingerprint in text


def test_the_circuit_is_a_picture_and_a_table_that_says_the_same(staff_site: StaffSite) -> None:
    book = staff_site.world.office.catalogue.procedures[B3]
    page = staff_site.stranger().get(f"/demarches/{B3}/circuit")
    assert page.get_data(as_text=True).count('data-l="N°"') == len(diagram_rows(book, "fr"))
    picture = staff_site.stranger().get(f"/demarches/{B3}/circuit.svg?fingerprint={book.fingerprint}")
    assert picture.mimetype == "image/svg+xml"
    for state in book.states.values():
        assert state.label.in_("fr") in read(page)


# -- one dossier -------------------------------------------------------------------------------------------------------


def test_a_reading_begins_with_its_reason(staff_site: StaffSite, passport: Dossier) -> None:
    seat = staff_site.auditor()
    path = f"/audit/dossiers/{passport.number}"
    assert "Pourquoi lisez-vous ce dossier ?" in seat.see(path)
    assert "Chaîne vérifiée" not in seat.see(f"{path}?lecture=devine")
    assert "Écrivez la raison" in read(seat.post(path, motive="  "))
    assert staff_site.world.kinds(passport).count("consulted") == 0
    trail = open_journal(seat, passport)
    assert staff_site.world.kinds(passport).count("consulted") == 1
    text = seat.see(trail)
    assert "Chaîne vérifiée" in text
    assert f"{len(staff_site.world.kinds(passport))} événements, aucun manquant." in text
    assert "Raison notée : « Contrôle mensuel »" in text
    assert seat.get(trail).status_code == 200  # verifying again is no new reading
    assert staff_site.world.kinds(passport).count("consulted") == 1


def test_a_reading_is_one_persons_and_one_dossiers(staff_site: StaffSite, passport: Dossier) -> None:
    trail = open_journal(staff_site.auditor(), passport)
    other = staff_site.world.sent(B3)
    seat = staff_site.auditor()
    query = trail.partition("?")[2]
    assert "Pourquoi lisez-vous" in seat.see(f"/audit/dossiers/{other.number}?{query}")
    assert seat.get(f"/audit/dossiers/{other.number}/journal.json?{query}").status_code == 404


def test_no_value_is_in_the_trail(staff_site: StaffSite, passport: Dossier) -> None:
    seat = staff_site.auditor()
    text = seat.see(open_journal(seat, passport))
    assert "« Nom »" in text
    for said in ("AMEGAN", "Afi", "+228"):
        assert said not in text


def test_drafts_are_nobodys_to_read(staff_site: StaffSite) -> None:
    draft = staff_site.world.draft(B3)
    assert staff_site.auditor().get(f"/audit/dossiers/{draft.number}").status_code == 404


def test_the_export_verifies_without_us(staff_site: StaffSite, passport: Dossier) -> None:
    seat = staff_site.auditor()
    trail = open_journal(seat, passport)
    file = seat.get(trail.replace("?", "/journal.json?"))
    assert file.headers["Content-Disposition"].startswith("attachment")
    export = read_export(file.data)
    assert verify_export(export) is None
    changed = json.loads(file.data)
    changed["entries"][2]["actor"] = "somebody"
    broken = verify_export(changed)
    assert broken is not None
    assert broken.n == 3


def test_the_trail_says_under_which_signed_journal_it_is(
    staff_site: StaffSite, passport: Dossier, tmp_path: Path
) -> None:
    seat = staff_site.auditor()
    trail = open_journal(seat, passport)
    assert "Pas encore dans le journal général signé" in seat.see(trail)
    office = staff_site.world.office
    sign_journal(replace(office, settings=replace(office.settings, checkpoints=tmp_path / "notes")))
    n = len(read_export(seat.get(trail.replace("?", "/journal.json?")).data)["entries"])  # type: ignore[index, call-overload, arg-type]
    assert f"{n} événements dans le journal général signé le" in seat.see(trail)


def test_moments_are_said_as_clocks_here_say_them(staff_site: StaffSite) -> None:
    """And the exact one, as it is sealed, is there for whoever compares."""
    dossier = on(staff_site.world, to_book(staff_site.world), WEDNESDAY)
    staff_site.world.wait(days=3)
    seat = staff_site.auditor()
    trail = seat.get(open_journal(seat, dossier))
    assert not re.search(r"\d{4}-\d\d-\d\d", read(trail)), "no raw day nor instant"
    page = trail.get_data(as_text=True)
    entries = staff_site.world.read(lambda unit: unit.entries(dossier.id))
    exact = instant_text(entries[0].at)
    assert f'<time datetime="{exact}" title="{exact}">' in page
    assert page.count("<time ") > len(entries), "what entries say too"
    with staff_site.app.test_request_context("/audit"):
        book = staff_site.world.office.catalogue.procedures[PASSPORT]
        (fact,) = _facts(Known(book), {"shown_until": exact})
    told = plain(fact[1]), fact[2], fact[3]
    assert told == ("Donnée « shown_until »", "23/11 09:00", exact), "whatever it is called"


def test_a_broken_chain_is_named_with_both_values(tmp_path: Path) -> None:
    path = tmp_path / "guichet.db"
    staff_site = open_staff_site(tmp_path, SqliteStore(path))
    passport = staff_site.world.sent(PASSPORT)
    seat = staff_site.auditor()
    trail = open_journal(seat, passport)
    with sqlite3.connect(path) as hand:
        (seal,) = hand.execute("SELECT hash FROM entry WHERE dossier = ? AND n = 3", [passport.id]).fetchone()
        hand.execute("DROP TRIGGER entry_stays")
        hand.execute("UPDATE entry SET actor = 'somebody' WHERE dossier = ? AND n = 3", [passport.id])
    hand.close()
    text = seat.see(trail)
    assert "Chaîne rompue à l’événement 3" in text
    assert "Les événements 1 à 2 sont intacts." in text
    assert f"Valeur trouvée {seal}" in text
    assert "Chaîne vérifiée" not in text


def test_a_controller_changes_nothing(staff_site: StaffSite, passport: Dossier) -> None:
    """All a controller may send: who they are, their own way of signing in, why they read, and what to take away of the
    journals."""
    seat = staff_site.auditor()
    posts = {
        one.rule
        for one in staff_site.app.url_map.iter_rules()
        if one.rule.startswith("/audit") and "POST" in one.methods
    }
    own = {
        "/audit/connexion",
        "/audit/connexion/suite",
        "/audit/deconnexion",
        "/audit/compte",
        "/audit/compte/mot-de-passe",
    }
    assert posts == {*own, "/audit/dossiers/<number>", "/audit/evenements/export"}
    before = staff_site.kept(passport)
    open_journal(seat, passport)
    assert staff_site.kept(passport) == before
    assert seat.client.post(f"/agent/dossiers/{passport.number}/attribution", data={"vers": "moi"}).status_code == 303
    assert staff_site.kept(passport) == before


def test_money_to_give_back_is_told_to_desk_and_controller(staff_site: StaffSite) -> None:
    dossier = staff_site.world.sent(B3)
    provider = next(iter(staff_site.world.office.providers))
    owner = staff_site.world.applicant()
    worker.start_payment(staff_site.world.office, owner, dossier.id, provider=provider, payer="+22890000006")
    seat = staff_site.auditor()
    assert "Payé en trop, à rendre" in seat.see(open_journal(seat, dossier))
    shown = staff_site.agent(CLERK).see(f"/agent/dossiers/{dossier.number}")
    assert "À rembourser" in shown
    assert "paiement non abouti" not in shown


def test_the_trail_says_what_people_say(staff_site: StaffSite) -> None:
    """The detail of « Autre », how heavy a file is, who took the money: no word of the engine."""
    seat, world = staff_site.auditor(), staff_site.world
    trail = seat.see(open_journal(seat, world.sent(PASSPORT, yeux="other", yeux_other="vairon")))
    assert "« Couleur des yeux », autre réponse" in plain(trail)
    assert "yeux_other" not in trail
    assert "Taille du fichier" in trail
    assert re.search(r"\d (ko|Mo)", plain(trail))
    dossier = world.sent(B3)
    provider, named = next(iter(world.office.providers.items()))
    worker.start_payment(world.office, world.applicant(), dossier.id, provider=provider, payer="+22890000001")
    told = plain(seat.see(open_journal(seat, dossier)))
    assert named.label in told
    assert provider not in told


def test_the_trail_names_people_and_no_id(staff_site: StaffSite, passport: Dossier) -> None:
    """An agent and a controller by name, the applicant by their part; files, payments and messages without their ids."""
    world, keeper, seat = staff_site.world, staff_site.actor(GATEKEEPER), staff_site.auditor()
    casework.assign(world.office, keeper, passport.id, keeper.id)
    messages.write_message(world.office, world.applicant(), passport.id, "Bonjour")
    dossier = world.take(staff_site.kept(passport), keeper, "conforme")
    world.paid(dossier)
    trail = seat.get(open_journal(seat, passport))
    told = plain(read(trail))
    name = world.read(lambda unit: unit.account(keeper.id)).name
    assert f"Attribué à : {name}" in told
    assert "Écrit par : demandeur" in told
    assert "Paiement : n° 1" in told
    assert "AMEGAN" not in told
    entries = world.read(lambda unit: unit.entries(passport.id))
    ids = {entry.actor[:8] for entry in entries if entry.actor != entry.actor_kind}
    ids |= {one for entry in entries for one in re.findall(r'"([\w-]{22})"', json.dumps(entry.body))}
    assert len(ids) > 4
    assert not [one for one in ids if one in told]
    assert not re.findall(r"\bcode «", told), "each code has its word"


def test_the_auditor_reads_who_opened_the_dossier(staff_site: StaffSite, passport: Dossier) -> None:
    world, keeper = staff_site.world, staff_site.agent(GATEKEEPER)
    keeper.see(f"/agent/dossiers/{passport.number}")
    world.wait(days=1)
    keeper = staff_site.agent(GATEKEEPER)
    keeper.see(f"/agent/dossiers/{passport.number}")
    seat = staff_site.auditor()
    staff_site.world.wait(minutes=6)
    keeper.see(f"/agent/dossiers/{passport.number}")
    assert "Qui l’a lu" not in seat.see(f"/audit/dossiers/{passport.number}"), "the reason comes first"
    told = plain(seat.see(open_journal(seat, passport)))
    who = staff_site.actor(GATEKEEPER).id
    name = world.read(lambda unit: unit.account(who)).name
    assert re.search(rf"Qui l’a lu .*{name} Agent de conformité 24/11 09:06", told)
    assert re.search(r"Qui l’a lu .* Contrôleur 24/11 09:06", told), "the controllers too"
    with pytest.raises(NotFound):
        access_log.readings_of(world.office, staff_site.actor(GATEKEEPER), passport.id)


def plain(text: str) -> str:
    """With ordinary spaces."""
    return text.replace("\u202f", " ").replace("\u00a0", " ")


def test_an_id_of_the_proof_gives_no_name_of_an_applicant(staff_site: StaffSite, passport: Dossier) -> None:
    seat, owner = staff_site.auditor(), staff_site.world.read(lambda unit: unit.account(passport.owner))
    with staff_site.world.office.store.unit(write=True) as unit:
        unit.put_account(replace(owner, name="AMEGAN Kodjo"))
    proof = seat.get(open_journal(seat, passport).replace("?", "/journal.json?")).get_data(as_text=True)
    assert passport.owner in proof
    assert "AMEGAN" not in proof
    search = f"/audit/evenements?agent={passport.owner}"
    ordered = seat.post("/audit/evenements/export", at=search, agent=passport.owner).headers["Location"]
    for page in (search, ordered, "/audit/mes-consultations"):
        assert "AMEGAN" not in seat.see(page), page


def test_reasons_are_read_unless_sensitive_or_erased(staff_site: StaffSite, passport: Dossier) -> None:
    world, keeper, seat = staff_site.world, staff_site.actor(GATEKEEPER), staff_site.auditor()
    asked = world.take(
        passport,
        keeper,
        "faire_corriger",
        reason="Deux points",
        correction={"acte_naissance": "Illisible", "signes": "Cicatrice"},
    )
    told = plain(seat.see(open_journal(seat, passport)))
    assert "Faire corriger → Correction demandée" in told
    assert "« Deux points »" in told
    assert "« Acte de naissance » : « Illisible »" in told
    assert "Cicatrice" not in told, "the reason may quote a sensitive answer"
    procedure = world.office.catalogue.procedures[PASSPORT]
    erased = forgotten(procedure, asked, world.office.now(), world.office.day())
    world.force(asked, **{name: getattr(erased, name) for name in ("erased_at", "correction", "corrected", "taken")})
    told = plain(seat.see(open_journal(seat, passport)))
    assert "Dossier effacé le 23 novembre 2026" in told
    assert "Deux points" not in told
    assert "Illisible" not in told


def test_the_auditor_reads_what_to_look_at(staff_site: StaffSite, passport: Dossier) -> None:
    world, keeper, seat = staff_site.world, staff_site.actor(GATEKEEPER), staff_site.auditor()
    assert "À regarder" not in seat.see(open_journal(seat, passport))
    casework.assign(world.office, keeper, passport.id, keeper.id)
    world.wait(days=8, hours=13)
    world.take(staff_site.kept(passport), keeper, "refuser", reason="Faux")
    seat = staff_site.auditor()  # the session of the week before is over
    told = plain(seat.see(open_journal(seat, passport)))
    name = world.read(lambda unit: unit.account(keeper.id)).name
    assert f"Refus par l’agent qui s’était attribué le dossier ({name})." in told
    assert "1 décision après l’échéance." in told
    assert "1 décision entre 20 h et 6 h." in told


RAW = re.compile(
    r"code «|Donnée «|Événement «|\b[a-z0-9]+_[a-z0-9_]+\b|(?<![\w-])[A-Za-z0-9_-]{22}(?![\w-])|\b[0-9a-f]{12,}\b"
)


@pytest.mark.parametrize(
    "name", ["branchement-eau", "copie-acte-etat-civil", "creation-entreprise", PASSPORT, "permis-de-construire"]
)
def test_no_entry_of_a_scenario_shows_a_code_or_an_id(staff_site: StaffSite, name: str) -> None:
    """Played in memory; beside the seal there are hashes, and nowhere else."""
    catalogue = staff_site.world.office.catalogue
    procedure = catalogue.procedures[name]
    raw = set()
    with staff_site.app.test_request_context("/audit"):
        for scenario in procedure.scenarios:
            stage = ScenarioEnvironment.set_for(catalogue, staff_site.world.office.wording, scenario.at)
            run = ScenarioRun(procedure, scenario, stage)
            with suppress(ScenarioFailed):
                run.play()
            if run.dossier is not None:
                with stage.office.store.unit() as unit:
                    dossier, entries = unit.dossier(run.dossier.id), unit.entries(run.dossier.id)
                for line in entry_lines(dossier, procedure, entries, None):
                    sealed = [
                        text for fact in line.sealed for text in fact[:2] if not re.fullmatch("[0-9a-f]{64}", text)
                    ]
                    said = [
                        line.kind,
                        line.actor,
                        *line.reasons,
                        *(text for fact in line.facts for text in fact[:2]),
                        *sealed,
                    ]
                    raw |= {f"{line.kind}: {text}" for text in said if RAW.search(text)}
            stage.office.store.close()
    assert not raw


def test_no_page_of_auditors_shows_a_code_or_an_id(staff_site: StaffSite, passport: Dossier) -> None:
    seat, keeper = staff_site.auditor(), staff_site.actor(GATEKEEPER)
    casework.assign(staff_site.world.office, keeper, passport.id, keeper.id)
    staff_site.world.take(
        staff_site.kept(passport), keeper, "faire_corriger", reason="Flou", correction={"cni": "Flou"}
    )
    trail = seat.get(open_journal(seat, passport)).get_data(as_text=True)
    pages = {"dossier": re.sub(r'<span class="mono hash">.*?</span>', "", trail)}
    pages |= {path: seat.get(path).get_data(as_text=True) for path in (
        "/audit/evenements", "/audit/mes-consultations", "/audit/compte", "/audit/ordres", "/audit/publications",
        "/audit/statistiques", f"/audit/demarches/{PASSPORT}/circuit",
    )}  # fmt: skip
    for path, page in pages.items():
        shown = html.unescape(re.sub(r"<(style|script|pre).*?</\1>|<[^>]+>", " ", page, flags=re.S))
        found = [one for one in RAW.findall(shown) if not re.fullmatch(r"[A-Za-z-]+", one)]  # long words are no ids
        assert not found, (path, found)
