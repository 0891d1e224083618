"""A commit on the followed branch, seen by everyone: the portal, its public history, the desks, the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask
from playwright.sync_api import Browser

from engine.operations.refresh import FolderSource, Refresher
from engine.publication.mirror import Followed
from engine.publication.publications import roll_back
from engine.services.context.app_context import AppContext
from renderers.cli.admin.installation import open_office, open_source
from renderers.cli.admin.publish import publish_command
from server import DEMO_PASSWORD, Settings, create_app, publish, serving
from tests.engine.services.repository import SECOND, SHARED, TEXT, Agency, an_agency, git
from tests.web.offline_browser import Sight, Window
from tests.web.staff_site import Seat

pytestmark = pytest.mark.slow

SLUG = "essai"


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    return an_agency(tmp_path / "forge")


@pytest.fixture
def settings(tmp_path: Path, agency: Agency) -> Settings:
    return Settings(procedures=tmp_path, data=tmp_path / "data", demo=True, follow=Followed(str(agency.bare)))


def site(settings: Settings) -> Flask:
    office, operator = open_office(settings)
    app = create_app(settings, office, operator, open_source(settings))
    app.config["WTF_CSRF_ENABLED"] = False
    return app


def turn(app: Flask) -> None:
    """What the thread beside the web does each second, its time come."""
    keeping: Refresher = app.extensions["guichet.keeping"]
    keeping._source._next = None  # type: ignore[attr-defined]
    keeping.turn()


def auditor(app: Flask) -> Seat:
    seat = Seat(app.test_client())
    assert (
        seat.client.post("/audit/connexion", data={"login": "controle", "password": DEMO_PASSWORD}).status_code == 303
    )
    return seat


def test_a_commit_shows_on_the_portal_and_its_history_says_so(agency: Agency, settings: Settings) -> None:
    app = site(settings)
    stranger = Seat(app.test_client())
    assert "1 000 FCFA" in stranger.see(f"/demarches/{SLUG}")
    agency.publish(SECOND, "Le timbre\n\nReviewed-by: Kossi Agbeko <k@example.org>")
    turn(app)
    assert "1 500 FCFA" in stranger.see(f"/demarches/{SLUG}")
    history = stranger.see(f"/demarches/{SLUG}/historique")
    assert "par Ama Mensah, relue par Kossi Agbeko, en vigueur : Droit de timbre" in history
    assert "1 000 → 1 500 FCFA" in history
    assert "k@example.org" not in history
    assert "Le timbre" in auditor(app).see("/audit/publications")


def test_a_rise_after_a_return_is_told_against_what_people_paid_until_then(agency: Agency, settings: Settings) -> None:
    app = site(settings)
    for number, price in ((2, "1200"), (3, "1500")):
        agency.publish(SECOND.replace("edition: 2", f"edition: {number}").replace("1500", price))
        turn(app)
    office = serving(app)
    roll_back(office.catalogue, office.store, office.now(), SLUG, 1, "Kossi Agbeko", "Arrêté annulé.")
    agency.publish(SECOND.replace("edition: 2", "edition: 4"))
    turn(app)
    stranger = Seat(app.test_client())
    newest = stranger.see(f"/demarches/{SLUG}/historique").partition("Édition 3, publiée")[0]
    assert "1 000 → 1 500 FCFA" in newest
    editions = json.loads(stranger.get(f"/demarches/{SLUG}/versions.json").text)["editions"]
    prints = {one["edition"]: one["fingerprint"] for one in editions}
    assert f"{prints[1]}...{prints[4]}" in stranger.get(f"/demarches/{SLUG}/historique").text
    assert f"{prints[1]}...{prints[4]}" in auditor(app).get(f"/audit/demarches/{SLUG}").text
    said = [" ".join(one["sentences"]).replace("\u00a0", " ").replace("\u202f", " ") for one in editions]
    assert ["1 000 → 1 500" in said[0], "1 200 → 1 500" in said[1], "1 000 → 1 200" in said[2]] == [True] * 3
    form = stranger.get(f"/demarches/{SLUG}/historique").text.partition("</form>")[0]
    assert f'<option value="{prints[1]}" selected' in form, "what it is compared with at first"
    assert "par Kossi Agbeko, retour à l’édition 1 : Arrêté annulé." in said[1]
    assert "Arrêté annulé.." not in said[1]
    feed = stranger.get(f"/demarches/{SLUG}/historique.atom").text.replace("\u202f", " ")
    assert "1 000 → 1 500" in feed.partition("</entry>")[0].replace("\u00a0", " ")


def test_a_broken_commit_changes_nothing_and_the_desks_read_why(agency: Agency, settings: Settings) -> None:
    app = site(settings)
    commit = agency.publish(SECOND.replace("amount: 1500", "amount: <b>prixx"))
    turn(app)
    assert "1 000 FCFA" in Seat(app.test_client()).see(f"/demarches/{SLUG}")
    seat = auditor(app)
    page = seat.see("/audit/publications")
    assert f"Commit {commit[:10]} refusé" in page
    assert "procedures/essai.yaml:18:13" in page
    assert "Preuves" not in page.split("Première édition")[0], "what was not proven is not said to be"
    assert "amount: <b>prixx" in page
    assert f"Le commit {commit[:7]} n’est pas publié" in page
    assert "<b>prixx" not in seat.get("/audit/publications").get_data(as_text=True)
    assert Seat(app.test_client()).get("/audit/publications").status_code == 303
    assert Seat(app.test_client()).get("/agent/publications").status_code == 303
    for odd in ("x", "-1", "9" * 30, "0"):
        assert seat.get(f"/audit/publications?avant={odd}").status_code == 200


@pytest.mark.browser
def test_the_caret_of_a_long_line_stands_under_its_word(agency: Agency, settings: Settings, browser: Browser) -> None:
    app = site(settings)
    agency.publish(SECOND.replace("amount: 1500", f"amount: {'1500 + ' * 12}prixx"))
    turn(app)
    seat, window = auditor(app), Window(browser, frozenset())
    assert not window.faults(Sight("/audit/publications", seat.get("/audit/publications"), seat.get))
    lines = window.narrow.locator(".finding .excerpt")
    texts, heights = lines.all_inner_texts(), lines.evaluate_all("all => all.map((one) => one.clientHeight)")
    window.close()
    wrong = next(at for at, text in enumerate(texts) if "prixx" in text)
    assert texts[wrong].index("prixx") == texts[wrong + 1].index("^")
    assert len(set(heights)) == 1, "none is cut in two"


def test_a_repository_that_is_away_is_told_to_staff(agency: Agency, settings: Settings, tmp_path: Path) -> None:
    app = site(settings)
    agency.bare.rename(tmp_path / "away")
    turn(app)
    assert "Le dépôt ne répond pas" in auditor(app).see("/audit/publications")
    assert "1 000 FCFA" in Seat(app.test_client()).see(f"/demarches/{SLUG}")


def test_a_process_that_only_serves_notices(agency: Agency, settings: Settings) -> None:
    one, other = site(settings), site(settings)
    agency.publish(SECOND)
    turn(one)
    assert serving(one).published != serving(other).published
    keeping: Refresher = other.extensions["guichet.keeping"]
    keeping.turn(looks=False)
    assert "1 500 FCFA" in Seat(other.test_client()).see(f"/demarches/{SLUG}")


def test_the_question_before_a_request_is_asked_once_a_second(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, asked = site(settings), []
    store = serving(app).store
    monkeypatch.setattr(type(store), "unit", _counted(type(store).unit, asked))
    keeping: Refresher = app.extensions["guichet.keeping"]
    keeping._next = 0.0
    for _ in range(5):
        keeping.notice()
    assert len(asked) == 1


def _counted(unit, asked: list[int]):  # type: ignore[no-untyped-def]
    def counted(self, write: bool = False, wait_limit: float | None = None):  # type: ignore[no-untyped-def]
        asked.append(1)
        return unit(self, write, wait_limit)

    return counted


def test_the_command_says_a_refusal_in_words_and_logs_nothing_beside(agency: Agency, tmp_path: Path) -> None:
    agency.publish(SECOND.replace("amount: 1500", "amount: prixx"))
    asked = [sys.executable, "-c", "from renderers.cli.main import console; console()", "publish"]
    settings = {**os.environ, "GUICHET_DATA": str(tmp_path / "alone"), "GUICHET_FOLLOW": str(agency.bare)}
    done = subprocess.run(asked, env=settings, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "procedures/essai.yaml:18:13" in done.stdout
    assert done.stderr == ""


# -- a folder ----------------------------------------------------------------------------------------------------------


def in_folder(tmp_path: Path) -> tuple[Flask, Path]:
    folder = tmp_path / "procedures"
    for name, text in {**SHARED, f"{SLUG}.yaml": TEXT}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return site(Settings(procedures=folder, data=tmp_path / "data", demo=True)), folder / f"{SLUG}.yaml"


def test_a_number_given_to_another_meaning_is_refused_and_the_last_good_one_serves(tmp_path: Path) -> None:
    app, file = in_folder(tmp_path)
    file.write_text(TEXT.replace("1000", "1500"), "utf-8")
    app.extensions["guichet.keeping"].turn()
    [problem] = serving(app).catalogue.warnings[SLUG]
    assert (problem.code, problem.where.line, problem.facts["put"]) == ("R805", 2, 2)
    client = app.test_client()
    assert "1 000 FCFA" in Seat(client).see(f"/demarches/{SLUG}")
    assert "Avertissement" in client.get("/").text
    file.write_text(SECOND, "utf-8")
    app.extensions["guichet.keeping"].turn()
    assert "1 500 FCFA" in Seat(client).see(f"/demarches/{SLUG}")
    assert "Avertissement" not in client.get("/").text


def test_an_installation_that_is_no_demonstration_proves_its_folder(tmp_path: Path) -> None:
    app, file = in_folder(tmp_path)
    file.write_text(SECOND.replace("- {pay: 1500, then: examen}", "- {pay: 1400, then: examen}"), "utf-8")
    settings = Settings(procedures=file.parent, data=tmp_path / "data")
    office, _ = open_office(settings)
    assert [one.code for one in office.catalogue.warnings[SLUG]] == ["T903"]
    assert office.catalogue.procedures[SLUG].edition == 1
    assert serving(app).catalogue.procedures[SLUG].edition == 1


# -- the command line --------------------------------------------------------------------------------------------------


@pytest.fixture
def here(agency: Agency, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Agency:
    monkeypatch.chdir(agency.clone)
    monkeypatch.setenv("GUICHET_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("GUICHET_FOLLOW", str(agency.bare))
    return agency


def run(*arguments: str) -> tuple[int, str]:
    told = CliRunner().invoke(publish, arguments)
    assert told.exception is None or isinstance(told.exception, SystemExit), told.exception
    return told.exit_code, told.output.replace("\u00a0", " ").replace("\u202f", " ")


def test_a_commit_is_checked_before_it_is_merged(here: Agency) -> None:
    here.write("essai.yaml", SECOND)
    here.commit(push=False)
    code, said = run("--check")
    assert code == 0
    assert "Comparé à « origin/main »" in said
    assert "1 000 → 1 500 FCFA" in said
    assert "Autorisation d’essai, édition 2, sera en ligne dès la publication." in said
    assert "guichet publish --rollback essai 1" in said


@pytest.mark.parametrize("form", ["text", "markdown", "github", "json"])
def test_a_commit_that_would_be_refused_is_told_with_its_place(here: Agency, form: str) -> None:
    here.write("essai.yaml", TEXT.replace("1000", "1500"))
    here.commit(push=False)
    code, said = run("--check", "--format", form)
    assert code == 1
    assert "R805" in said
    assert "procedures/essai.yaml" in said
    if form == "json":
        assert json.loads(said)["gates"][1]["found"][0]["line"] == 2


def test_what_was_merged_is_compared_with_what_was_before(here: Agency) -> None:
    here.publish(SECOND)
    assert "Comparé à « HEAD~1 »" in run("--check")[1]
    assert run("--check", "HEAD~1")[0] == 0


def test_what_was_refused_is_not_what_is_in_force(here: Agency) -> None:
    here.publish(TEXT.replace("amount: 1000", "amount: prixx"))
    here.publish(TEXT.replace("1000", "1200"))  # its number is given already
    here.publish(SECOND)
    said = run("--check")[1]
    assert "Comparé à « HEAD~3 »" in said
    assert "Les 2 commits d’avant ne passent pas les contrôles" in said
    assert "1 000 → 1 500 FCFA" in said


def test_the_first_commit_of_all_is_not_a_branch_that_is_missing(here: Agency) -> None:
    code, said = run("--check")
    assert code == 0
    assert "c’est le premier commit" in said
    assert "aucune branche" not in said


def test_where_no_earlier_commit_passes_all_is_judged_as_a_first_publication(
    here: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.publication.dry_run._MOST_REFUSED", 3)
    for price in ("1100", "1200", "1300", "1400"):  # the number stays: each refused after the one before
        here.publish(TEXT.replace("1000", price))
    code, said = run("--check")
    assert code == 0, said
    assert "Jugé comme une première publication : aucun des 3 commits d’avant" in said
    assert "R805" not in said
    code, said = run("--check", "--against", "HEAD~1")
    assert (code, "R805" in said) == (1, True)


def test_what_repairs_a_refused_commit_is_in_force_again(here: Agency) -> None:
    here.publish("procedure: [")
    here.publish(SECOND)
    here.publish(SECOND.replace("edition: 2", "edition: 3").replace("1500", "1700"))
    said = run("--check")[1]
    assert "Comparé à « HEAD~1 »" in said
    assert "1 500 → 1 700 FCFA" in said


@pytest.mark.parametrize("reference", ["nowhere", "-h", "--output=x", "HEAD; id"])
def test_a_reference_that_is_none(here: Agency, reference: str) -> None:
    code, said = run("--check", "--", reference)
    assert code == 1
    assert "n’est ni une branche" in said


def test_publishing_and_going_back_by_hand(here: Agency) -> None:
    assert run() == (0, "Autorisation d’essai, édition 1, est publiée : en vigueur.\n")
    here.publish(SECOND)
    assert run()[0] == 0
    assert "déjà publié" in run()[1]
    code, said = run("--rollback", SLUG, "--because", "Erreur")
    assert code == 0
    assert "édition 1, est de nouveau en vigueur" in said
    assert run("--rollback", SLUG, "1")[0] == 2, "a reason is asked for"
    assert run("--rollback", SLUG, "1", "--reason", "Encore")[0] == 1
    assert run("--rollback", SLUG, "un")[0] == 2
    assert run("--rollback", "inconnue", "--reason", "Erreur")[0] == 1
    assert run("--rollback", SLUG, "--check")[0] == 2
    here.publish("procedure: [")
    code, said = run()
    assert code == 1
    assert "procedures/essai.yaml:1:" in said
    assert "Les éditions en vigueur restent" in said


def test_a_rewritten_branch_is_accepted_by_hand(here: Agency) -> None:
    run()
    here.write("essai.yaml", SECOND)
    git(here.clone, "add", "-A")
    git(here.clone, "commit", "-q", "--amend", "-m", "Autre histoire")
    here.push("--force")
    code, said = run()
    assert code == 1
    assert "L’historique a été réécrit" in said
    assert run("--rewritten")[0] == 0


def test_a_folder_is_published_by_hand(tmp_path: Path) -> None:
    app, file = in_folder(tmp_path)
    file.write_text(TEXT.replace("1000", "1500"), "utf-8")

    def opened() -> tuple[AppContext, FolderSource]:
        return replace(serving(app), catalogue=serving(app).catalogue.refresh(), published=0), FolderSource()

    told = CliRunner().invoke(publish_command(opened), [])
    assert told.exit_code == 1
    assert "R805" in told.output


def test_a_folder_under_git_says_whose_commit_its_files_are(agency: Agency, tmp_path: Path) -> None:
    app = site(Settings(procedures=agency.clone / "procedures", data=tmp_path / "data", demo=True))
    agency.file.write_text(SECOND, "utf-8")
    app.extensions["guichet.keeping"].turn()
    with serving(app).store.unit() as unit:
        told = [(one.edition, one.published_by, bool(one.commit)) for one in unit.editions(SLUG)]
    assert told == [(1, "Ama Mensah", True), (2, "", False)]
