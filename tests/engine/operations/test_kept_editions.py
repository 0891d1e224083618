"""A text that the store holds is served as it was, whatever a later checker says of it. A changed text is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine.core.problems import Problem, problem
from engine.language.catalogue import check
from engine.language.catalogue.catalogue import Catalogue, load_catalogue
from engine.language.compiler.shared_files import Shared
from engine.language.lint.rule_registry import RULES
from engine.language.source.loader import Source
from engine.model import Procedure
from engine.model.directory import Directory
from engine.operations.follower import INDEX, Follower, renew
from engine.publication.gates import Judge
from engine.publication.publications import roll_back
from engine.records.dossier import Dossier
from engine.services.context.app_context import publish_editions
from renderers.cli.main import console
from tests.engine.operations.test_follower import JUDGE, SLUG, Installation, codes
from tests.engine.services.repository import SECOND, TEXT, Agency, an_agency
from tests.engine.services.world import World, a_world

pytestmark = pytest.mark.slow

OUTPUT = """outputs:
  permis:
    title: Permis d'essai
    kind: permit
    signed_by: maire
    operative: 'Il est permis à la personne qui a déposé la demande n° {dossier} d’essayer.'
    declared: [nom]
"""


def with_output(text: str) -> str:
    """A definition that issues a document, with keys that a later release may advise against."""
    text = text.replace(
        "    accorde: {label: Accordé, end: granted}", "    accorde: {label: Accordé, end: granted, issues: permis}"
    )
    return text.replace("personal_data:", OUTPUT + "personal_data:")


CRITERION = """eligibility:
  ailleurs:
    ask: Avez-vous déjà un permis ?
    stop_when: ailleurs
    because: Il suffit.
    instead: autre
"""
FIRST, CHANGED = with_output(TEXT), with_output(SECOND)


def a_rule(patch: pytest.MonkeyPatch) -> str:
    """A rule of the linter that came after the text."""

    def found(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
        for output in procedure.outputs.values():
            yield problem("C540", output.where, name=output.id)

    patch.setitem(RULES, "C599", found)
    return "C540"


def a_shape(patch: pytest.MonkeyPatch) -> str:
    """A word that the schema of a later release no longer knows."""
    honest = check.check_shape

    def found(source: Source, **how: bool) -> list[Problem]:
        path = ("outputs", "permis", "kind")
        lost = source.at(path) == "permit"
        wrong = problem("S203", source.position(path), expected="choice", value="permit", near=("decision",))
        return [*honest(source, **how), *([wrong] if lost else [])]

    patch.setattr(check, "check_shape", found)
    return "S203"


LATER = pytest.mark.parametrize("later", [a_rule, a_shape], ids=lambda one: one.__name__)
Later = Callable[[pytest.MonkeyPatch], str]


def a_proof(procedure: Procedure, directory: Directory, day: date, *_: float) -> Iterator[Problem]:
    """A proof that came after the text."""
    for output in procedure.outputs.values():
        yield problem("P4", output.where, at=output.id, name=output.id)


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    made = an_agency(tmp_path / "forge")
    made.publish(FIRST)
    return made


def ended(world: World, dossier: Dossier) -> Dossier:
    """The dossier taken to its end by an agent."""
    if dossier.state == "a_payer":
        dossier = world.paid(dossier)
    return world.take(dossier, world.agent("maire", "mairie/maire"), "accorder")


def has_its_document(world: World, dossier: Dossier) -> bool:
    [document] = world.read(lambda unit: unit.dossier(dossier.id)).documents
    return document.output == "permis" and "Il est permis à" in str(document)


def started(site: Installation) -> None:
    """The same store, opened by a process of a later release: nothing is known of the files."""
    (site.folder / "data" / INDEX).unlink()
    site.follower = Follower(site.follower.mirror, site.follower.judge, site.folder / "data")
    site.world.office = replace(site.world.office, catalogue=Catalogue.of((), Shared()), published=0)
    site.turn()


@LATER
def test_a_followed_text_that_is_published_already_stays_in_service(
    agency: Agency, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later: Later
) -> None:
    site = Installation(tmp_path / "site", agency)
    site.turn()
    running = site.world.sent(SLUG)
    code = later(monkeypatch)
    site.follower.judge = Judge(a_proof, JUDGE.play)
    started(site)
    catalogue = site.world.office.catalogue
    assert (catalogue.procedures[SLUG].edition, dict(catalogue.warnings)) == (1, {})
    kept = [one.code for report in catalogue.reports.values() for one in report if one.kept]
    assert [one for one in kept if one != "V713"] == [code]  # the file addresses the applicant, which is advice
    agency.write("autre.yaml", TEXT.replace("procedure: essai", "procedure: autre"))
    commit = agency.commit()
    site.turn()
    assert (site.last().outcome, site.last().origin.commit) == ("published", commit), "another's commit is not held up"
    agency.publish("# Une remarque.\n" + FIRST)
    site.turn()
    assert site.last().outcome == "published", "a remark does not change a text"
    agency.publish(CHANGED)
    site.turn()
    assert site.last().outcome == "refused"
    assert codes(site.last())["lint"] == [code], "a changed text is judged by the rules of today"
    assert has_its_document(site.world, ended(site.world, running))
    assert has_its_document(site.world, ended(site.world, site.world.sent(SLUG)))


@LATER
def test_going_back_to_a_text_needs_no_rule_of_today(
    agency: Agency, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later: Later
) -> None:
    site = Installation(tmp_path / "site", agency)
    site.turn()
    running = site.world.sent(SLUG)
    agency.publish(CHANGED)
    site.turn()
    later(monkeypatch)
    started(site)
    office = site.world.office
    roll_back(office.catalogue, office.store, office.now(), SLUG, None, "k.agbeko", "Erreur de montant")
    site.turn()
    assert site.amount == "amount: 1000"
    agency.publish(CHANGED + "# Encore.\n")
    site.turn()
    assert site.amount == "amount: 1000", "what was taken back stays so"
    assert has_its_document(site.world, ended(site.world, running))


def test_a_text_that_comes_back_is_not_proven_again(agency: Agency, tmp_path: Path) -> None:
    """The commit of an edition is undone in git: its text was proven when it was published."""
    site = Installation(tmp_path / "site", agency)
    site.turn()
    agency.publish(CHANGED.replace("Permis d'essai", "Permis"))
    site.turn()
    site.follower.judge = Judge(a_proof, JUDGE.play)
    agency.publish(FIRST)
    site.turn()
    assert (site.last().outcome, site.amount) == ("published", "amount: 1000")
    agency.publish(CHANGED.replace("edition: 2", "edition: 3"))
    site.turn()
    assert codes(site.last()) == {"proofs": ["P4"]}


@LATER
def test_a_folder_serves_what_its_store_holds(
    agency: Agency, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later: Later
) -> None:
    folder, index = agency.clone / "procedures", tmp_path / INDEX
    world = a_world(tmp_path / "site")
    world.office = publish_editions(replace(world.office, catalogue=load_catalogue(folder, index), published=0), JUDGE)
    running = world.sent(SLUG)
    code = later(monkeypatch)
    index.unlink()  # that of another release is not read
    for known in (None, index, index):  # without an index, then the index is written, then it is read
        catalogue = load_catalogue(folder, known)
        assert catalogue.written == (), "the folder alone cannot tell what is published"
        world.office = publish_editions(
            replace(world.office, catalogue=catalogue, published=0), Judge(a_proof, JUDGE.play)
        )
        assert (world.office.catalogue.procedures[SLUG].edition, dict(world.office.catalogue.warnings)) == (1, {})
    agency.file.write_text(CHANGED, "utf-8")
    world.office = renew(world.office, JUDGE)
    assert [one.code for one in world.office.catalogue.warnings[SLUG].errors] == [code]
    assert world.office.catalogue.procedures[SLUG].edition == 1, "what was in force stays"
    agency.file.write_text(FIRST, "utf-8")
    world.office = renew(world.office, JUDGE)
    assert not world.office.catalogue.warnings
    (folder / "essai (copie).yaml").write_text(FIRST, "utf-8")
    world.office = renew(world.office, JUDGE)
    assert set(world.office.catalogue.warnings) == {"essai (copie)"}, "a copy is no published text"
    assert has_its_document(world, ended(world, running))


def test_a_text_that_cannot_be_compiled_is_not_excused(agency: Agency, tmp_path: Path) -> None:
    """Roles that the directory has no more are refused as before: this is a change of the administration."""
    folder = agency.clone / "procedures"
    world = a_world(tmp_path / "site")
    world.office = publish_editions(replace(world.office, catalogue=load_catalogue(folder), published=0), JUDGE)
    shared = folder / "shared" / "agencies.yaml"
    shared.write_text(shared.read_text("utf-8").replace("maire: {", "adjoint: {"), "utf-8")
    world.office = renew(world.office, JUDGE)
    assert {one.code for one in world.office.catalogue.warnings[SLUG].errors} == {"N304"}


# -- the commands of authors ---------------------------------------------------------------------------------------------


def run(agency: Agency, patch: pytest.MonkeyPatch, *command: str) -> tuple[int, str]:
    patch.chdir(agency.clone)
    patch.setenv("XDG_CACHE_HOME", str(agency.clone.parent / "cache"))
    done = CliRunner().invoke(console, list(command))
    return done.exit_code, done.output


@LATER
def test_lint_advises_about_a_published_text(agency: Agency, monkeypatch: pytest.MonkeyPatch, later: Later) -> None:
    code = later(monkeypatch)
    assert run(agency, monkeypatch, "lint", "--no-proofs", "procedures")[0] == 1
    status, told = run(agency, monkeypatch, "lint", "--no-proofs", "--against", "HEAD", "procedures")
    assert status == 0
    assert f"conseil[{code}]" in told
    assert "Ce texte est déjà publié et reste valable. Une fois modifié, il sera refusé." in told
    _, told = run(agency, monkeypatch, "lint", "--no-proofs", "--against", "HEAD", "--lang", "en", "--format", "short")
    assert "This text is already published and stays valid. Once changed, it will be refused." in told
    agency.file.write_text(CHANGED, "utf-8")
    status, told = run(agency, monkeypatch, "lint", "--no-proofs", "--against", "HEAD", "procedures")
    assert status == 1
    assert f"erreur[{code}]" in told
    assert run(agency, monkeypatch, "lint", "--against", "nowhere", "procedures")[0] == 1


def test_a_published_text_may_name_a_procedure_that_is_gone(agency: Agency, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of the other procedure leaves the folder: the text that names it stays valid until it changes."""
    naming = FIRST.replace("form:\n", CRITERION + "form:\n")
    agency.write("autre.yaml", TEXT.replace("procedure: essai", "procedure: autre"))
    agency.publish(naming)
    assert run(agency, monkeypatch, "lint", "--no-proofs", "procedures")[0] == 0
    (agency.file.parent / "autre.yaml").unlink()
    status, told = run(agency, monkeypatch, "lint", "--no-proofs", "procedures")
    assert (status, "erreur[N313]" in told) == (1, True), "a clean result of before is not used"
    status, told = run(agency, monkeypatch, "lint", "--no-proofs", "--against", "HEAD", "procedures")
    assert (status, "conseil[N313]" in told) == (0, True)


def test_lint_advises_about_the_proofs_of_a_published_text(agency: Agency, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.prover.checks.runner.prove", lambda *given: list(a_proof(*given)))
    assert run(agency, monkeypatch, "lint", "procedures")[0] == 1
    status, told = run(agency, monkeypatch, "lint", "--against", "HEAD", "procedures")
    assert (status, "conseil[P4]" in told) == (0, True)
    agency.file.write_text(CHANGED, "utf-8")
    assert run(agency, monkeypatch, "lint", "--against", "HEAD", "procedures")[0] == 1


@LATER
def test_a_trial_advises_about_a_published_text(agency: Agency, monkeypatch: pytest.MonkeyPatch, later: Later) -> None:
    code = later(monkeypatch)
    agency.write("autre.yaml", TEXT.replace("procedure: essai", "procedure: autre"))
    agency.commit(push=False)
    for form, sign in {
        "text": f"conseil[{code}]", "markdown": f"conseil[{code}]", "github": "::warning file=procedures/essai.yaml",
        "json": f'"code": "{code}"',
    }.items():  # fmt: skip
        status, told = run(agency, monkeypatch, "publish", "--check", "--against", "HEAD~1", "--format", form)
        assert (status, sign in told) == (0, True), told
    agency.write("essai.yaml", CHANGED)
    agency.commit(push=False)
    status, told = run(agency, monkeypatch, "publish", "--check", "--against", "HEAD~1")
    assert (status, f"erreur[{code}]" in told) == (1, True)
