"""Running dossiers brought over to a later edition: what is renamed, what stays and why, once each whatever happens."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from engine.core.problems import Refused
from engine.core.values import new_id
from engine.operations import migration
from engine.operations.migration import Migration, migrate
from engine.records.dossier import Dossier
from engine.services.applications.drafts import check
from engine.services.applications.opinions import fill_row, give_opinion
from engine.services.audit.integrity import checked_journal, fsck
from engine.services.context.app_context import NotFound
from engine.services.worker.worker import run_pass
from engine.storage.results import Conflict
from engine.storage.sqlite.store import SqliteStore
from renderers.i18n.translations import load_words
from tests.engine.services.editions import MAP, edition, first, publish, renamed
from tests.engine.services.world import World, a_world

SLUG = "kiosque"


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = a_world(tmp_path)
    publish(made, first())
    return made


def sent(world: World, phone: str = "+22890112233", **given: Any) -> Dossier:
    return world.sent(SLUG, world.applicant(phone), **given)


def urbaniste(world: World) -> Any:
    return world.agent("urbaniste", "mairie/urbaniste")


def asked_for_opinions(world: World, dossier: Dossier) -> Dossier:
    return world.take(dossier, urbaniste(world), "consulter")


def everyone_agrees(world: World, dossier: Dossier) -> None:
    for who, service in (("mairie/voirie", "avis_voirie"), ("gfu/conservateur", "avis_foncier")):
        agent = world.agent(service, who)
        give_opinion(world.office, agent, dossier.id, service, {"opinion": "favourable"}, token=new_id())


def over(world: World, **how: Any) -> Migration:
    found = migrate(world.office, SLUG, **how)
    assert fsck(world.office) == ()
    return found


def reasons(found: Migration) -> list[tuple[str, str]]:
    return [(one.why.code, str(one.why.facts.get("at", one.why.facts.get("state", "")))) for one in found.staying]


def test_answers_states_and_acts_come_over_under_their_new_names(world: World) -> None:
    dossier = asked_for_opinions(world, sent(world, telephone_voisin="90 11 22 33"))
    publish(world, renamed())
    found = over(world)
    assert [(one.source, one.target) for one in found.moved] == [("avis", "avis")]
    kept = world.kept(dossier)
    assert (kept.edition, kept.fingerprint) == (2, renamed().fingerprint)
    assert kept.answers["nom_du_kiosque"] == "Chez Afi"
    assert kept.answers["vente"] == "plats"
    assert kept.answers["employes"] == [{"nom_complet": "AMEGAN", "age": 30}]
    assert not {"enseigne", "vendeurs", "telephone_voisin"} & kept.answers.keys()
    assert [(one.transition, one.source) for one in kept.taken] == [("demander_avis", "instruction")]
    assert set(kept.clocks) == {"tacite"}
    assert kept.clocks["tacite"] == dossier.clocks["silence"]
    assert kept.due_at == dossier.due_at
    assert kept.revision == dossier.revision + 1


def test_the_move_is_one_entry_of_the_chain(world: World) -> None:
    dossier = sent(world)
    publish(world, renamed())
    over(world)
    entries, broken = checked_journal(world.office, urbaniste(world), dossier.id)
    assert broken is None
    assert [entry.kind for entry in entries][-1:] == ["migrated"]
    body = entries[-1].body
    assert isinstance(body, dict)
    assert (body["from"], body["edition"], body["state"]) == (1, 2, "instruction")
    assert entries[-1].edition == renamed().fingerprint != entries[-2].edition
    assert "Afi" not in str(body), "values stay out of the journal"


def test_the_later_edition_goes_on_from_there(world: World) -> None:
    """Opinions given before, a fee fixed before and a card filled before count; four eyes see who consulted."""
    dossier = asked_for_opinions(world, sent(world))
    voirie, foncier = world.agent("voirie", "mairie/voirie"), world.agent("foncier", "gfu/conservateur")
    said: Any = {"opinion": "reserved", "reserves": "Reculer"}
    give_opinion(world.office, voirie, dossier.id, "avis_voirie", said, token=new_id())
    publish(world, renamed())
    over(world)
    give_opinion(world.office, foncier, dossier.id, "avis_foncier", {"opinion": "favourable"}, token=new_id())
    dossier = world.kept(dossier)
    assert dossier.state == "a_payer"
    assert dossier.answers["consultation"] == {"avis_routes": {"conditions": "Reculer"}}
    dossier = world.paid(dossier)
    fill_row(world.office, urbaniste(world), dossier.id, "carte", 0, {"teinte": "azur"}, token=new_id())
    with pytest.raises(Refused) as closed:
        world.take(world.kept(dossier), urbaniste(world), "signer")
    assert closed.value.reason.code == "four_eyes"
    done = world.take(world.kept(dossier), world.agent("maire", "mairie/urbaniste"), "signer")
    assert done.closed_at is not None
    assert fsck(world.office) == ()


def test_what_was_paid_and_filled_before_is_kept(world: World) -> None:
    dossier = asked_for_opinions(world, sent(world))
    everyone_agrees(world, dossier)
    dossier = world.paid(world.kept(dossier))
    assert dossier.state == "badges"
    publish(world, renamed())
    assert len(over(world).moved) == 1
    kept = world.kept(dossier)
    assert (kept.state, kept.owed["redevance"].paid, kept.owed["redevance"].amount) == ("badges", 2000, 2000)
    assert "redevance" in kept.done


def test_a_row_filled_before_still_judges_its_row(world: World) -> None:
    two = [{"nom": "AMEGAN", "age": 30}, {"nom": "KOFFI", "age": 41}]
    dossier = asked_for_opinions(world, sent(world, vente="journaux", vendeurs=two))
    everyone_agrees(world, dossier)
    fill_row(world.office, urbaniste(world), dossier.id, "badge", 1, {"couleur": "bleu"}, token=new_id())
    publish(world, renamed())
    assert len(over(world).moved) == 1
    fill_row(world.office, urbaniste(world), dossier.id, "carte", 0, {"teinte": "vert"}, token=new_id())
    kept = world.kept(dossier)
    assert [one["answers"] for one in kept.answers["carte"]] == [{"teinte": "vert"}, {"teinte": "azur"}]  # type: ignore[index,union-attr,call-overload]
    assert kept.state == "decision"
    assert fsck(world.office) == ()


def test_a_draft_comes_over_and_is_sent_under_the_later_edition(world: World) -> None:
    draft = world.filled(SLUG)
    publish(world, renamed(("      vente:", "      adresse: {label: Où, example: Marché}\n      vente:")))
    assert [(one.source, one.target) for one in over(world).moved] == [("draft", "draft")]
    kept = world.kept(draft)
    assert kept.answers["nom_du_kiosque"] == "Chez Afi"
    assert [one.at for one in check(world.office, world.owner(kept), kept.id).errors] == ["adresse"]


# -- who stays ---------------------------------------------------------------------------------------------------------

WITHOUT = {
    "a state nobody mapped": ("    examen: instruction\n", "", ("state_unmapped", "examen")),
    "a state dropped": ("    examen: instruction\n", "    examen: null\n", ("state_dropped", "examen")),
    "a state that waits for something else": ("    examen: instruction\n", "    examen: a_payer\n", ("state_otherwise", "examen")),
    "an answer nobody mapped": ("    telephone_voisin: null\n", "", ("name_unmapped", "telephone_voisin")),
    "an option nobody mapped": ("    vente.repas: plats\n", "", ("answer_wrong", "vente")),
    "an option dropped": ("    vente.repas: plats\n", "    vente.repas: null\n", ("answer_missing", "vente")),
    "a column nobody mapped": ("    vendeurs.nom: nom_complet\n", "", ("name_unmapped", "employes.nom")),
}  # fmt: skip


@pytest.mark.parametrize(("line", "instead", "why"), WITHOUT.values(), ids=WITHOUT)
def test_a_dossier_that_would_lose_something_stays(world: World, line: str, instead: str, why: tuple[str, str]) -> None:
    dossier = sent(world, telephone_voisin="90 11 22 33")
    assert line in MAP
    publish(world, renamed(map_=MAP.replace(line, instead)))
    found = over(world)
    assert (reasons(found), found.moved) == ([why], ())
    assert world.kept(dossier) == dossier


def test_a_question_that_must_be_answered_keeps_those_sent_without_it(world: World) -> None:
    sent(world)
    publish(world, renamed(("      vente:", "      adresse: {label: Où, example: Marché}\n      vente:")))
    assert reasons(over(world)) == [("answer_missing", "adresse")]


VISIT = "opinions:\n  constat: {label: Constat, due: 5 days, of: {constat_voirie: {label: Voirie, by: voirie, silence: favourable}}}\n"
SECOND = "fees:\n  caution: {label: Caution, amount: 500}\n"
# what an edition asks besides, and from which stage on it is passed: 0 = examined, 1 = opinions asked, 2 = at the badges
ADDED = {
    "a fee before the badges": (
        [("fees:\n", SECOND), ("late: abandonne}\n    badges:",
          "late: abandonne}\n    garantie: {label: G, pay: caution, due: 30 days, then: badges, late: abandonne}\n    badges:"),
         ("then: badges, late: abandonne}\n    garantie", "then: garantie, late: abandonne}\n    garantie"), ("a_payer, badges]", "a_payer, garantie, badges]")],
        2, ("task_passed", "caution"),
    ),
    "an opinion before the fee": (
        [("opinions:\n", VISIT), ("then: a_payer}\n",
          "then: sur_place}\n    sur_place: {label: S, gather: [constat], due: 9 days, then: a_payer}\n"), ("avis, a_payer", "avis, sur_place, a_payer")],
        2, ("task_passed", "constat"),
    ),
    "a service in the round": (
        [("      avis_foncier:", "      avis_pompiers: {label: Pompiers, by: voirie}\n      avis_foncier:")],
        2, ("task_passed", "services"),
    ),
    "a question of an opinion": (
        [("      reserves:", "      surface: {label: Surface, type: integer, example: 9}\n      reserves:")],
        2, ("answer_missing", "services.surface"),
    ),
    "a question that is not required": (
        [("      reserves:", "      surface: {label: Surface, type: integer, required: false, example: 9}\n      reserves:")],
        3, ("", ""),
    ),
    "a question of a badge": (
        [("      couleur:", "      taille: {label: Taille, type: integer, example: 9}\n      couleur:")],
        3, ("answer_missing", "vendeurs.0.taille"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("stage", [0, 1, 2, 3])
@pytest.mark.parametrize(("edits", "since", "why"), ADDED.values(), ids=ADDED)
def test_what_an_edition_adds_before_the_state_of_a_dossier_keeps_it(
    world: World, edits: list[tuple[str, str]], since: int, why: tuple[str, str], stage: int
) -> None:
    dossier = sent(world)
    if stage > 0:
        asked_for_opinions(world, dossier)
    if stage > 1:
        everyone_agrees(world, dossier)
        dossier = world.paid(world.kept(dossier))
    if stage > 2:
        fill_row(world.office, urbaniste(world), dossier.id, "badge", 0, {"couleur": "bleu"}, token=new_id())
    publish(world, edition(("edition: 1\n", "edition: 2\n"), *edits, map_="migrate: {1: {}}\n"))
    found = over(world)
    assert reasons(found) == ([why] if stage >= since and why[0] else [])
    assert len(found.moved) == (not found.staying)


def test_a_payment_under_way_is_waited_for(world: World) -> None:
    dossier = asked_for_opinions(world, sent(world))
    everyone_agrees(world, dossier)
    world.paid(dossier, "+22890000005")  # the operator says nothing
    publish(world, renamed())
    assert reasons(over(world)) == [("payment_under_way", "")]
    world.wait(minutes=30)
    run_pass(world.office)
    world.wait(days=2)
    assert [one.source for one in over(world).moved] == ["badges"]


def test_a_fee_that_was_paid_is_not_dropped(world: World) -> None:
    dossier = asked_for_opinions(world, sent(world))
    everyone_agrees(world, dossier)
    world.paid(dossier)
    publish(world, renamed(map_=MAP.replace("taxe: redevance", "taxe: null")))
    assert reasons(over(world)) == [("fee_paid", "taxe")]


def test_closed_dossiers_are_left_alone_and_counted(world: World) -> None:
    dossier = world.take(sent(world), urbaniste(world), "refuser", reason="Trop près")
    publish(world, renamed())
    found = over(world)
    assert (found.moved, found.staying, found.closed) == ((), (), 1)
    assert world.kept(dossier) == dossier


# -- whatever happens --------------------------------------------------------------------------------------------------


def some(world: World, count: int = 5) -> list[Dossier]:
    return [sent(world, f"+2289011220{number}") for number in range(count)]


def test_a_dry_run_says_the_same_and_writes_nothing(world: World) -> None:
    dossiers = some(world, 3)
    publish(world, renamed())
    said = over(world, dry_run=True)
    assert [world.kept(one) for one in dossiers] == dossiers
    done = over(world)
    assert done.moved == said.moved
    assert len(done.moved) == 3


def test_a_second_time_moves_nobody(world: World) -> None:
    some(world, 2)
    publish(world, renamed())
    over(world)
    again = over(world)
    assert (again.moved, again.staying, again.there) == ((), (), 2)


def test_it_goes_on_in_batches(world: World) -> None:
    some(world)
    publish(world, renamed())
    assert [(len(one.moved), one.more) for one in (over(world, limit=2) for _ in range(4))] == [
        (2, True), (2, True), (1, False), (0, False),
    ]  # fmt: skip


def test_a_crash_in_the_middle_leaves_each_dossier_whole(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    dossiers = some(world)
    publish(world, renamed())
    true, seen = migration.carry_out, []

    def crashes(*arguments: Any) -> Dossier:
        kept = true(*arguments)
        seen.append(kept)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return kept

    monkeypatch.setattr(migration, "carry_out", crashes)
    with pytest.raises(KeyboardInterrupt):
        migrate(world.office, SLUG)
    assert sorted(world.kept(one).edition for one in dossiers) == [1, 1, 1, 2, 2]
    assert fsck(world.office) == ()
    monkeypatch.undo()
    assert len(over(world).moved) == 3


def test_one_fault_is_told_and_the_others_come_over(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    some(world, 3)
    publish(world, renamed())
    true, seen = migration.carry_out, []

    def fails_once(*arguments: Any) -> Dossier:
        seen.append(1)
        if len(seen) == 2:
            raise Conflict("meanwhile")
        return true(*arguments)

    monkeypatch.setattr(migration, "carry_out", fails_once)
    found = over(world)
    assert (len(found.moved), reasons(found)) == (2, [("fault", "")])


def test_a_dossier_changed_meanwhile_is_judged_as_it_has_become(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    dossier = sent(world)
    publish(world, renamed())
    agent, true, seen = urbaniste(world), world.office.store.unit, []

    def before_writing(write: bool = False) -> Any:
        if write and not seen:
            seen.append(1)
            world.take(dossier, agent, "refuser", reason="Trop près")
        return true(write)

    monkeypatch.setattr(world.office.store, "unit", before_writing)
    found = migrate(world.office, SLUG)
    assert (found.moved, found.closed) == ((), 1)
    assert world.kept(dossier).edition == 1


@pytest.mark.slow
def test_two_migrations_at_once_move_each_dossier_once(tmp_path: Path) -> None:
    world = a_world(tmp_path, store=SqliteStore(tmp_path / "guichet.db"))
    publish(world, first())
    dossiers = some(world, 12)
    publish(world, renamed())
    found: list[Migration] = []
    threads = [threading.Thread(target=lambda: found.append(migrate(world.office, SLUG))) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sum(len(one.moved) for one in found) == len(dossiers)
    assert all(world.kinds(one).count("migrated") == 1 for one in dossiers)
    assert fsck(world.office) == ()


# -- which edition -----------------------------------------------------------------------------------------------------


def test_maps_compose_over_the_edition_in_between(world: World) -> None:
    dossier = sent(world)
    third = renamed(
        ("edition: 2\n", "edition: 3\n"), ("nom_du_kiosque", "nom_public"),
        map_=MAP + "  2: {nom_du_kiosque: nom_public}\n",
    )  # fmt: skip
    publish(world, renamed())
    publish(world, third)
    assert len(over(world).moved) == 1
    kept = world.kept(dossier)
    assert (kept.edition, kept.answers["nom_public"]) == (3, "Chez Afi")


def test_the_edition_named_is_the_one_moved_to(world: World) -> None:
    dossier = sent(world)
    publish(world, renamed())
    publish(world, renamed(("edition: 2\n", "edition: 3\n"), map_=MAP.replace("migrate:", "migrate:\n  2: {}")))
    assert len(over(world, edition=2).moved) == 1
    assert world.kept(dossier).edition == 2
    assert len(over(world).moved) == 1
    assert world.kept(dossier).edition == 3


@pytest.mark.parametrize(
    ("slug", "asked", "why"),
    [(SLUG, 9, "edition_unpublished"), (SLUG, 1, "edition_without_map"), (SLUG, None, "edition_without_map")],
)
def test_an_edition_that_takes_nobody_over(world: World, slug: str, asked: int | None, why: str) -> None:
    sent(world)
    with pytest.raises(Refused) as closed:
        migrate(world.office, slug, asked)
    assert closed.value.reason.code == why
    if why == "edition_without_map":
        said = load_words().refusal(why, closed.value.reason.facts, "fr")
        assert "  edition: 2\n  migrate:\n    1: {}" in said.replace("\u00a0", " "), "the lines to write"


def test_an_edition_without_a_map_for_the_one_before(world: World) -> None:
    sent(world)
    publish(world, edition(("edition: 1\n", "edition: 3\n"), map_="migrate: {2: {}}\n"))
    assert reasons(over(world)) == [("no_map", "")]


def test_an_unknown_procedure(world: World) -> None:
    with pytest.raises(NotFound):
        migrate(world.office, "nulle-part")
