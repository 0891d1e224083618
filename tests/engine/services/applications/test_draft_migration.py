"""A draft comes to the edition in force when its owner comes back: answers stay, what is new or no longer fits is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.domain.editions.draft_migration import redraft
from engine.domain.editions.renaming import Translation
from engine.domain.workflow.transition_context import Moment
from engine.records.dossier import SYSTEM_ACTOR, Dossier, LinkedDossier
from engine.services.applications.draft_answers import Renewed, renew
from engine.services.applications.drafts import check, submit
from engine.services.audit.integrity import fsck
from engine.storage.results import Conflict
from tests.engine.services.editions import MAP, edition, first, publish, renamed
from tests.engine.services.world import World, a_world

SLUG = "kiosque"
SECOND = ("edition: 1\n", "edition: 2\n")
ASKS_WHERE = ("      vente:", "      adresse: {label: Où, example: Marché}\n      vente:")


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = a_world(tmp_path)
    publish(made, first())
    return made


def back(world: World, draft: Dossier) -> Renewed | None:
    return renew(world.office, world.owner(draft), world.kept(draft))


def test_answers_stay_and_a_new_question_is_counted(world: World) -> None:
    draft = world.filled(SLUG)
    assert back(world, draft) is None, "the same edition"
    publish(world, edition(SECOND, ASKS_WHERE))
    found = back(world, draft)
    assert found
    assert (found.dossier.edition, found.new, found.again) == (2, 1, ())
    assert found.dossier.answers == world.kept(draft).answers == draft.answers
    assert world.kinds(draft)[-1] == "migrated"
    assert back(world, draft) is None, "once"
    assert [one.at for one in check(world.office, world.owner(draft), draft.id).errors] == ["adresse"]
    assert fsck(world.office) == ()


def test_what_is_renamed_follows_and_what_is_not_asked_any_more_goes(world: World) -> None:
    draft = world.filled(SLUG, telephone_voisin="90 11 22 33")
    publish(world, renamed())
    found = back(world, draft)
    assert found
    answers = found.dossier.answers
    assert (answers["nom_du_kiosque"], answers["vente"]) == ("Chez Afi", "plats")
    assert answers["employes"] == [{"nom_complet": "AMEGAN", "age": 30}]
    assert "telephone_voisin" not in answers
    assert (found.new, found.again) == (0, ())
    assert fsck(world.office) == ()


@pytest.mark.parametrize(
    ("edits", "prices"),
    [
        ([("amount: 2000", "amount: 2500")], (2000, 2500)),
        ([("amount: 2000", "amount: 2000 + 0")], None),
        ([("vente == 'repas'\"}", "vente == 'journaux'\"}")], (2000, 0)),
    ],
    ids=["dearer", "the same", "no more owed"],
)
def test_another_price_is_told(world: World, edits: list[tuple[str, str]], prices: tuple[int, int] | None) -> None:
    draft = world.filled(SLUG)
    assert draft.answers["vente"] == "repas"
    publish(world, edition(SECOND, *edits))
    found = back(world, draft)
    assert found
    assert found.prices == prices


WHERE = (
    "      vente:",
    "      marche: {label: Où, type: choice, options: {be: Bè, kpalime: Kpalimé}, example: be}\n      vente:",
)
OWED_WHERE = ("vente == 'repas'\"}", "vente == 'repas' and marche == 'be'\"}")
FAR = ('{label: Taxe, amount: 2000, when: "vente == \'repas\'"}', """
    label: Taxe
    lines:
      base: {label: Base, amount: 1000}
      loin: {label: Loin, amount: 3000, when: loin}""")  # fmt: skip
COMPUTED = ("      vente:", "      loin: {label: Loin, type: yes_no, value: \"marche == 'kpalime'\"}\n      vente:")
OTHERWISE = (("repas: Repas", "plats: Plats"), ("'repas'", "'plats'"), ("example: repas", "example: plats"))
BY_SELLER = ("amount: 2000", "amount: 1500, times: count(vendeurs)")
DECIDED = (("vente == 'repas'\"}", "vente == 'repas' and couleur_kiosque == 'bleu'\"}"), ("later_forms:\n", """later_forms:
  visite:
    title: Visite
    by: urbaniste
    fields:
      couleur_kiosque: {label: Couleur, type: choice, options: {bleu: Bleu, vert: Vert}, example: bleu}
"""), ("gather: [badge]", "gather: [badge, visite]"))  # fmt: skip


@pytest.mark.parametrize(
    "edits",
    [(WHERE, OWED_WHERE), (WHERE, COMPUTED, FAR), OTHERWISE, (BY_SELLER, ("maxItems: 3", "minItems: 2\n        maxItems: 3")), DECIDED],
    ids=["a question put besides", "what is computed of one", "an answer that stands no more", "rows to add", "an agent decides it"],
)  # fmt: skip
def test_no_price_is_told_while_it_hangs_on_something(world: World, edits: tuple[tuple[str, str], ...]) -> None:
    draft = world.filled(SLUG)
    publish(world, edition(SECOND, *edits))
    found = back(world, draft)
    assert found
    assert found.prices is None


@pytest.mark.parametrize(
    ("edits", "again", "left"),
    [
        ([("      telephone_voisin: {label: Téléphone d'un voisin, required: false, example: 90 11 22 33}\n", "")], (), None),
        ([("example: 90 11 22 33}", "type: integer, example: 3}")], ("telephone_voisin",), None),
        ([("repas: Repas", "plats: Plats"), ("'repas'", "'plats'"), ("example: repas", "example: plats")], ("vente",), "90112233"),
        ([("maxItems: 3", "minItems: 2\n        maxItems: 3")], ("vendeurs",), "90112233"),
        ([("          age: {label: Âge, type: integer, example: 30}", "          age: {label: Âge, example: trente}")], (), "90112233"),
        ([("          age: {label: Âge, type: integer, example: 30}\n", "")], (), "90112233"),
    ],
    ids=["gone", "another kind", "an option gone", "too few", "a column of another kind", "a column gone"],
)  # fmt: skip
def test_without_a_map_too(
    world: World, edits: list[tuple[str, str]], again: tuple[str, ...], left: str | None
) -> None:
    draft = world.filled(SLUG, telephone_voisin="90112233")
    publish(world, edition(SECOND, *edits))
    found = back(world, draft)
    assert found
    assert found.again == again
    assert found.dossier.answers.get("telephone_voisin") == left
    assert found.dossier.answers["enseigne"] == "Chez Afi"
    assert found.dossier.edition == world.kept(draft).edition == 2
    assert fsck(world.office) == ()
    check(world.office, world.owner(draft), draft.id)


def test_a_draft_is_not_sent_under_an_edition_that_is_over(world: World) -> None:
    draft = world.filled(SLUG)
    publish(world, edition(SECOND, ASKS_WHERE))
    with pytest.raises(Conflict):
        submit(world.office, world.owner(draft), draft.id, declared=True)
    assert world.kept(draft).is_draft
    assert back(world, draft)


@pytest.mark.parametrize("with_a_map", [False, True])
def test_what_holds_more_than_answers_comes_over_by_a_map_only(world: World, with_a_map: bool) -> None:
    draft = world.kept(world.filled(SLUG))
    held = replace(draft, links={"enseigne": LinkedDossier("other", "27000000017")})
    after = edition(SECOND, ASKS_WHERE, map_="migrate: {1: {}}\n" if with_a_map else "")
    moment = Moment(after, SYSTEM_ACTOR, world.office.now(), world.office.directory, world.office.wording)
    between = Translation.between(first(), after)
    assert redraft(between, draft, (), moment)
    assert (redraft(between, held, (), moment) is not None) == with_a_map


def test_nobody_but_the_hand_that_fills_it_in_moves_it(world: World) -> None:
    draft = world.filled(SLUG)
    sent = world.sent(SLUG, world.applicant("+22890445511"))
    publish(world, renamed(map_=MAP))
    assert renew(world.office, world.applicant("+22890445512"), world.kept(draft)) is None
    assert renew(world.office, world.agent("urbaniste", "mairie/urbaniste"), world.kept(draft)) is None
    assert back(world, sent) is None, "what was sent stays"
    assert (world.kept(draft).edition, world.kept(sent).edition) == (1, 1)
