"""Closed dossiers lived again under a proposed edition: what differs is told, and nothing else; nothing is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from engine.core.values import new_id
from engine.language.catalogue.catalogue import Catalogue
from engine.model import Procedure
from engine.operations.migration import migrate
from engine.operations.replay import Replay, replay
from engine.records.dossier import Dossier
from engine.services.applications.draft_answers import renew
from engine.services.applications.drafts import submit
from engine.services.applications.opinions import fill_row, give_opinion
from engine.services.worker.worker import run_pass
from engine.simulation.environment import ScenarioEnvironment
from engine.simulation.player import play
from renderers.cli.admin.dossiers import replay_command
from renderers.reports.replay import ReplayWriter
from tests.engine.services.editions import MAP, edition, first, publish, renamed
from tests.engine.services.world import World, a_world
from tests.makers import compiled, the_directory, the_shared, the_words

SLUG = "kiosque"
GOOD = sorted((Path(__file__).resolve().parents[3] / "good").glob("*.yaml"))


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = a_world(tmp_path)
    publish(made, first())
    return made


def sent(world: World, number: int = 0, **given: Any) -> Dossier:
    return world.sent(SLUG, world.applicant(f"+2289011220{number}"), **given)


def urbaniste(world: World) -> Any:
    return world.agent("urbaniste", "mairie/urbaniste")


def granted(world: World, number: int = 0, **given: Any) -> Dossier:
    dossier = world.take(sent(world, number, **given), urbaniste(world), "consulter")
    for who, service in (("mairie/voirie", "avis_voirie"), ("gfu/conservateur", "avis_foncier")):
        agent = world.agent(service, who)
        give_opinion(world.office, agent, dossier.id, service, {"opinion": "favourable"}, token=new_id())
    dossier = world.kept(dossier)
    dossier = world.paid(dossier) if dossier.state == "a_payer" else dossier
    fill_row(world.office, urbaniste(world), dossier.id, "badge", 0, {"couleur": "bleu"}, token=new_id())
    return world.take(world.kept(dossier), world.agent("maire", "mairie/urbaniste"), "signer")


def refused(world: World, number: int = 0) -> Dossier:
    return world.take(sent(world, number), urbaniste(world), "refuser", reason="Trop près")


def lived(world: World, *edits: tuple[str, str], book: Procedure | None = None, limit: int | None = None) -> Replay:
    return replay(world.office, book or edition(*edits), the_directory(), limit)


def told(found: Replay) -> list[tuple[str, ...]]:
    return [(one.kind, one.at, one.before, one.after, one.state) for one in found.found]


def test_the_same_edition_changes_nothing(world: World) -> None:
    for number, end in enumerate((granted, refused, granted)):
        end(world, number)
    world.take(sent(world, 5), urbaniste(world), "completer", correction={"enseigne": "Illisible"}, reason="Voyez")
    world.wait(days=31)
    run_pass(world.office)
    found = lived(world)
    assert (found.played, found.same, found.found, found.unfaithful) == (4, 4, {}, ())


def test_other_names_change_nothing(world: World) -> None:
    granted(world)
    refused(world, 1)
    found = lived(world, book=renamed())
    assert (found.same, told(found)) == (2, [])


def test_another_price_is_told_with_its_count(world: World) -> None:
    for number in range(3):
        granted(world, number)
    granted(world, 4, vente="journaux")  # owes nothing
    found = lived(world, ("amount: 2000", "amount: 2500"))
    assert told(found) == [("fee", "taxe", "2000", "2500", "")]
    assert [len(numbers) for numbers in found.found.values()] == [3]
    assert found.same == 1


def test_a_fee_for_more_people(world: World) -> None:
    granted(world, vente="journaux")
    found = lived(world, ("when: \"vente == 'repas'\"", "when: \"vente != 'autre'\""))
    assert sorted(told(found)) == [
        ("fee", "taxe", "", "2000", ""),
        ("refused", "badge", "", "", "a_payer"),
        ("unfinished", "", "accorde", "a_payer", ""),
    ]


def test_a_new_question_would_have_been_missing(world: World) -> None:
    refused(world)
    found = lived(world, ("      vente:", "      adresse: {label: Où, example: Marché}\n      vente:"))
    assert told(found) == [("missing", "adresse", "", "", "")]


def test_an_answer_that_is_not_allowed_any_more(world: World) -> None:
    refused(world)
    found = lived(world, ("age: {label: Âge, type: integer,", "age: {label: Âge, type: integer, minimum: 40,"))
    assert told(found) == [("wrong", "vendeurs.age", "", "", "")]


def test_a_refused_step_and_the_end_it_prevents(world: World) -> None:
    """Who asked for opinions may not refuse any more."""
    dossier = world.take(sent(world), urbaniste(world), "completer", correction={"enseigne": "?"}, reason="Voyez")
    world.wait(days=31)
    run_pass(world.office)
    assert world.kept(dossier).state == "abandonne"
    found = lived(
        world, ("completer: {label: Faire compléter,", "completer: {label: Faire compléter, when: vente == 'autre',")
    )
    assert ("refused", "completer", "", "", "examen") in told(found)
    assert ("unfinished", "", "abandonne", "examen", "") in told(found)


def test_a_longer_time_would_leave_it_open(world: World) -> None:
    world.take(sent(world), urbaniste(world), "completer", correction={"enseigne": "?"}, reason="Voyez")
    world.wait(days=31)
    run_pass(world.office)
    found = lived(world, ("a_completer: {label: À compléter, correct: requested, due: 30 days",
                          "a_completer: {label: À compléter, correct: requested, due: 60 days"))  # fmt: skip
    assert told(found) == [("unfinished", "", "abandonne", "a_completer", "")]


def test_another_end(world: World) -> None:
    refused(world)
    found = lived(world, ("refuser: {label: Refuser, to: refuse,", "refuser: {label: Refuser, to: abandonne,"))
    assert told(found) == [("end", "", "refuse", "abandonne", "")]


def test_a_criterion_would_have_stopped_it(world: World) -> None:
    refused(world)
    asked = "eligibility:\n  voisin: {ask: Êtes-vous voisin, stop_when: voisin, because: Non}\nform:\n"
    assert told(lived(world, ("form:\n", asked))) == [("missing", "voisin", "", "", "")]
    publish(world, edition(("form:\n", asked), ("edition: 1\n", "edition: 2\n")))
    sent_ = world.sent(SLUG, world.applicant("+22890112209"), voisin=False)
    world.take(sent_, urbaniste(world), "refuser", reason="Trop près")
    stricter = edition(
        ("form:\n", asked.replace("stop_when: voisin", "stop_when: not voisin")), ("edition: 1\n", "edition: 2\n")
    )
    assert ("stopped", "voisin", "", "", "draft") in told(lived(world, book=stricter))


def test_what_cannot_be_replayed_is_counted(world: World) -> None:
    refused(world)
    moved = sent(world, 1)
    publish(world, renamed())
    migrate(world.office, SLUG)
    world.take(world.kept(moved), urbaniste(world), "refuser", reason="Non")
    found = lived(world, book=renamed())
    assert (found.played, found.unfaithful) == (1, (moved.number,))
    world.wait(days=366)
    run_pass(world.office)
    found = lived(world, book=renamed())
    assert (found.played, found.erased) == (0, 2)


def test_a_draft_that_came_over_lived_under_the_edition_it_was_sent_under(world: World) -> None:
    draft = world.filled(SLUG)
    publish(world, edition(("edition: 1\n", "edition: 2\n"), ("amount: 2000", "amount: 2500")))
    assert renew(world.office, world.owner(draft), draft)
    submit(world.office, world.owner(draft), draft.id, declared=True)
    world.take(world.kept(draft), urbaniste(world), "refuser", reason="Non")
    found = lived(world, ("amount: 2000", "amount: 2500"))
    assert (found.played, found.same, found.unfaithful) == (1, 1, ())


def test_it_reads_only_and_stops_at_its_limit(world: World) -> None:
    dossiers = [refused(world, number) for number in range(3)]
    before = [(world.kept(one), world.kinds(one)) for one in dossiers]
    found = lived(world, ("amount: 2000", "amount: 2500"), limit=2)
    assert (found.played, found.more) == (2, True)
    assert [(world.kept(one), world.kinds(one)) for one in dossiers] == before


@pytest.mark.parametrize("language", ["fr", "en"])
def test_it_is_said_in_sentences(world: World, language: str) -> None:
    granted(world)
    refused(world, 1)
    found = lived(
        world,
        ("amount: 2000", "amount: 2500"),
        ("      vente:", "      adresse: {label: Où, example: M}\n      vente:"),
    )
    text = ReplayWriter(found, the_words(), language).text().replace("\u00a0", " ").replace("\u202f", " ")
    said = {
        "fr": ("2 dossiers clos rejoués", "1 dossier : Taxe : 2 500 FCFA au lieu de 2 000 FCFA",
               "2 dossiers : la réponse à Où manquerait"),
        "en": ("2 closed dossiers replayed", "1 dossier : Taxe: 2,500 FCFA instead of 2,000 FCFA",
               "2 dossiers : the answer to Où would be missing"),
    }[language]  # fmt: skip
    for one in said:
        assert one in text, text
    plain = json.loads(ReplayWriter(found, the_words(), language).json())
    assert (plain["played"], plain["same"], plain["exit_code"]) == (2, 0, 3)


def test_the_command(world: World, tmp_path: Path) -> None:
    refused(world)
    file = tmp_path / "kiosque.yaml"
    file.write_text(first().source, "utf-8")
    run, command = CliRunner(), replay_command(lambda: world.office)
    assert run.invoke(command, [SLUG, "--against", str(file)]).exit_code == 0
    file.write_text(first().source.replace("to: refuse,", "to: abandonne,"), "utf-8")
    said = run.invoke(command, [SLUG, "--against", str(file), "--format", "json"])
    assert (said.exit_code, json.loads(said.stdout)["differences"][0]["kind"]) == (3, "end")
    for wrong in ([SLUG], [SLUG, "--against", str(tmp_path / "nowhere.yaml")], ["autre", "--against", str(file)]):
        found = run.invoke(command, wrong)
        assert (found.exit_code, "Traceback" in found.output) == (1, False)


def _told_of(path: Path) -> list[tuple[str, Replay]]:
    """Each story of a file that comes to an end, replayed under its own edition."""
    book = compiled(path.read_text("utf-8"), path.name)
    catalogue, found = Catalogue.of([book], the_shared()), []
    stages: list[ScenarioEnvironment] = []
    true = ScenarioEnvironment.set_for

    def kept_open(*arguments: Any) -> ScenarioEnvironment:
        stage = true(*arguments)
        stage.office.store.close = lambda: None  # type: ignore[method-assign]
        stages.append(stage)
        return stage

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScenarioEnvironment, "set_for", kept_open)
        for story in book.scenarios:
            play(book, catalogue, the_words(), story)
            found.append((story.id, replay(stages[-1].office, book, the_directory())))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_every_story_lived_again_is_the_same(path: Path) -> None:
    """Where the answers of its end are not those of its way (a correction, a register asked twice), it is said so."""
    for story, found in _told_of(path):
        assert not found.found, (story, told(found))
        assert len(found.unfaithful) <= 1
        if found.unfaithful:
            assert (path.stem, story) in {("filled-per-row", "correction")}


def test_maps_are_read_in_the_proposed_edition(world: World) -> None:
    """A name that the proposal drops is no answer any more."""
    refused(world)
    found = lived(world, book=renamed(map_=MAP.replace("vente.repas: plats", "vente.repas: null")))
    assert told(found) == [("missing", "vente", "", "", "")]
