"""A document that this installation issued to a person is not asked of them again, and nothing else makes it held."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from engine.core.values import Plain, new_id
from engine.domain.common.decision import Act
from engine.domain.documents.documents import status_of
from engine.language.catalogue.catalogue import Catalogue
from engine.model import Procedure
from engine.records.dossier import Actor, ConfirmedAnswer, Dossier
from engine.services.applications import drafts as intake
from engine.services.applications.attachments import Upload
from engine.services.applications.casework import take_transition
from engine.services.applications.held_documents import held_by_others, worth_of_held
from engine.services.audit.integrity import fsck
from engine.services.context.app_context import WrongAnswers
from renderers.i18n.translations import load_words
from tests.engine.services.world import World, a_world, pdf
from tests.makers import compiled, the_shared, whole

PERSON = """
        nom: {label: Nom, prefill: account.family_name, example: AMEGAN}
        prenoms: {label: Prénoms, prefill: account.given_names, example: Afi}
        naissance: {label: Naissance, type: date, prefill: account.birth_date, example: 1994-03-12}
        niu: {label: NIU, type: identifier, scheme: niu, required: false}
"""
FORM = f"form:\n  vous:\n    title: Vous\n    fields:{PERSON}"
CARD = (
    FORM
    + """
workflow:
  start: examen
  states:
    examen:
      label: Examen
      by: maire
      due: 5 working days
      transitions:
        accorder: {label: Accorder, to: accorde}
        refuser: {label: Refuser, to: refuse}
        retirer: {label: Retirer, to: retire}
    accorde: {label: Accordé, end: granted, issues: carte}
    refuse: {label: Refusé, end: refused, issues: lettre}
    retire: {label: Retiré, end: abandoned}
outputs:
  carte: {title: Carte, kind: card, valid: 1 year}
  lettre: {title: Refus, kind: letter}
"""
)
ASKS = (
    FORM
    + """
evidence:
  preuve:
    label: Preuve
    any_of: {carte: Une carte, acte: Un acte}
    max_age: 3 months
    held_by: HELD_BY
  photo: {label: Photo d'identité, when: nom == 'INVISIBLE', held_by: carte}
"""
)
NEEDS = ASKS.replace("HELD_BY", "carte")
CORRECTED = (
    NEEDS
    + """
workflow:
  start: examen
  states:
    examen:
      label: Examen
      by: maire
      due: 5 working days
      transitions:
        corriger: {label: Faire corriger, to: a_corriger, asks: [correction, reason]}
        accorder: {label: Accorder, to: accorde}
    a_corriger: {label: À corriger, correct: requested, due: 30 days, then: examen, late: accorde}
    accorde: {label: Accordé, end: granted}
"""
)
BY_NUMBER = ASKS.replace("HELD_BY", "{procedure: carte, of: niu}")
NIU = "0000000000"
ME: dict[str, Plain] = {"nom": "AMEGAN", "prenoms": "Afi", "naissance": "1994-03-12"}


def procedure(text: str, name: str) -> Procedure:
    return compiled(whole(text, name), f"{name}.yaml")


@pytest.fixture
def world(tmp_path: Path) -> World:
    books = [procedure(CARD, "carte"), procedure(NEEDS, "permis"), procedure(BY_NUMBER, "numero")]
    books.append(procedure(CORRECTED, "corrige"))
    made = a_world(tmp_path, catalogue=Catalogue.of(books, the_shared()))
    made.office = replace(made.office, wording=load_words())
    return made


def opened(world: World, slug: str = "permis", owner: Actor | None = None, **said: Plain) -> Dossier:
    """A draft with the answers of a page that was saved."""
    owner = owner or world.applicant()
    draft = intake.open_dossier(world.office, owner, slug, criteria={}, token=new_id())
    raw: dict[str, list[str]] = {name: [str(value)] for name, value in {**ME, **said}.items() if name != "naissance"}
    day = date.fromisoformat(str(said.get("naissance", ME["naissance"])))
    raw |= {"naissance_day": [str(day.day)], "naissance_month": [str(day.month)], "naissance_year": [str(day.year)]}
    return intake.save_page(world.office, owner, draft.id, "vous", raw, token=new_id()).dossier


def card(world: World, owner: Actor | None = None, act: str = "accorder", **said: Plain) -> Dossier:
    """An earlier request of the person, decided."""
    owner = owner or world.applicant()
    draft = opened(world, "carte", owner, **said)
    sent = intake.submit(world.office, owner, draft.id, declared=True, token=new_id())
    return world.take(sent, world.agent("maire", "mairie/maire"), act)


def held(dossier: Dossier, name: str = "preuve") -> dict[str, Any]:
    plain = dossier.answers.get(name)
    return plain if isinstance(plain, dict) and plain["held"] else {}


def test_a_document_issued_here_is_not_asked_again(world: World) -> None:
    earlier = card(world)
    [document] = earlier.documents
    draft = opened(world)
    assert held(draft) == {
        "is": "carte", "files": [], "issued": None, "held": True,
        "held_as": {
            "dossier": earlier.id, "document": document.id, "number": document.number,
            "issued": world.office.day().isoformat(),
        },
    }  # fmt: skip
    sheet = intake.check(world.office, world.applicant(), draft.id)
    assert not sheet.errors
    [view] = [one for page in sheet.form.pages for one in page.fields if one.id == "preuve"]
    assert (view.is_held, document.number in view.text) == (True, True)
    sent = intake.submit(world.office, world.applicant(), draft.id, declared=True, token=new_id())
    assert held(sent)
    assert world.kinds(sent).count("held") == 1, "the journal says what was found"
    assert fsck(world.office) == ()


def test_a_document_holds_for_whom_it_names_not_for_whom_was_typed(world: World) -> None:
    earlier = card(world)
    piece = ConfirmedAnswer("MENSAH", "acte", "maire", world.office.now(), True)
    world.force(earlier, confirmed={"nom": piece})
    assert held(opened(world)) == {}
    assert held(opened(world, "numero", nom="MENSAH")) == {}
    assert held(opened(world, owner=world.applicant(), nom="MENSAH"))


def test_agents_are_told_that_a_correction_names_somebody_else(world: World) -> None:
    """The card of Afi replaced a proof. The name is then corrected: the card is not that of Yao."""
    earlier, maire = card(world), world.agent("maire", "mairie/maire")
    sent = intake.submit(world.office, world.applicant(), opened(world, "corrige").id, declared=True, token=new_id())
    assert held(sent)
    assert held_by_others(world.office, maire, sent.id) == frozenset()
    asked = Act("corriger", "Prénom de la pièce", {"prenoms": "Comme sur la pièce"})
    take_transition(world.office, maire, sent.id, asked, token=new_id())
    intake.save_corrections(world.office, world.applicant(), sent.id, {"prenoms": ["Yao"]}, token=new_id())
    back = intake.send_corrections(world.office, world.applicant(), sent.id, token=new_id())
    assert held(back)
    assert held_by_others(world.office, maire, sent.id) == {"preuve"}
    world.force(world.kept(earlier), erased_at=world.office.now(), answers={})
    assert held_by_others(world.office, maire, sent.id) == frozenset(), "an erased request names no person"


def test_a_document_that_an_agent_refuses_is_asked_like_any_other(world: World) -> None:
    """It was withdrawn. « Vous n'avez rien à envoyer » stood beside the request for another."""
    earlier, maire, me = card(world), world.agent("maire", "mairie/maire"), world.applicant()
    sent = intake.submit(world.office, me, opened(world, "corrige").id, declared=True, token=new_id())
    world.force(world.kept(earlier), documents=(replace(earlier.documents[0], status="revoked"),))
    asked = Act("corriger", "La carte est retirée", {"preuve": "Une autre preuve"})
    take_transition(world.office, maire, sent.id, asked, token=new_id())
    [view] = [one for page in intake.see_corrections(world.office, me, sent.id).pages for one in page.fields
              if one.id == "preuve"]  # fmt: skip
    assert not view.is_held
    assert view.asks_issue_date
    file = {"preuve": Upload("acte.pdf", pdf())}
    saved = intake.save_corrections(world.office, me, sent.id, {"preuve": ["acte"]}, file, token=new_id())
    assert [(one.at, one.code) for one in saved.problems] == [("preuve_issued", "issue_date")]
    assert saved.dossier.correction is not None
    assert saved.dossier.correction.left == ("preuve",), "else the dossier is sent back and refused without a word"
    day = {"preuve_issued_day": ["20"], "preuve_issued_month": ["11"], "preuve_issued_year": ["2026"]}
    assert not intake.save_corrections(world.office, me, sent.id, day, token=new_id()).problems
    back = intake.send_corrections(world.office, me, sent.id, token=new_id())
    assert (back.state, held(back)) == ("examen", {})
    assert world.take(back, maire, "accorder").state == "accorde"


def test_agents_are_told_that_a_piece_names_somebody_else(world: World) -> None:
    card(world)
    sent = intake.submit(world.office, world.applicant(), opened(world).id, declared=True, token=new_id())
    piece = ConfirmedAnswer("Yao", "acte", "maire", world.office.now(), True)
    maire = world.agent("maire", "mairie/maire")
    assert held_by_others(world.office, maire, sent.id) == frozenset()
    world.force(sent, confirmed={"prenoms": piece})
    assert held_by_others(world.office, maire, sent.id) == {"preuve"}


NOT_HELD: dict[str, dict[str, Any]] = {
    "none": {"act": ""},
    "a letter of refusal": {"act": "refuser"},
    "no document": {"act": "retirer"},
    "another person in the same account": {"said": {"prenoms": "Kofi"}},
    "another day of birth": {"said": {"naissance": "1995-03-12"}},
    "another account": {"phone": "+22890445566"},
    "too old": {"wait": 100},
    "over": {"wait": 400},
}


@pytest.mark.parametrize("why", NOT_HELD)
def test_what_is_not_held(world: World, why: str) -> None:
    case = NOT_HELD[why]
    if case.get("act", "accorder"):
        card(
            world,
            world.applicant(case["phone"]) if "phone" in case else None,
            case.get("act", "accorder"),
            **case.get("said", {}),
        )
    world.wait(days=case.get("wait", 0))
    draft = opened(world)
    assert not held(draft)
    assert "held" not in world.kinds(draft)
    with pytest.raises(WrongAnswers):
        intake.submit(world.office, world.applicant(), draft.id, declared=True, token=new_id())


@pytest.mark.parametrize("status", ["revoked", "suspended", "replaced"])
def test_a_document_that_counts_no_more(world: World, status: Any) -> None:
    """Before it is sent, the document is asked after all. Once it is sent, agents are told."""
    earlier = card(world)
    draft, sent = opened(world), opened(world, owner=world.applicant())
    agent = world.agent("maire", "mairie/maire")
    sent = intake.submit(world.office, world.applicant(), sent.id, declared=True, token=new_id())
    assert worth_of_held(world.office, agent, sent.id) == {"preuve": "valid"}
    draft = opened(world)
    assert held(draft)
    earlier = world.kept(earlier)
    [document] = earlier.documents
    after = replace(
        earlier,
        documents=(replace(document, status=status, changed_at=world.office.now()),),
        revision=earlier.revision + 1,
    )
    with world.office.store.unit(write=True) as unit:
        unit.put_dossier(after, earlier.revision)
    assert worth_of_held(world.office, agent, sent.id) == {"preuve": status_of(after.documents[0], world.office.day())}
    with pytest.raises(WrongAnswers) as wrong:
        intake.submit(world.office, world.applicant(), draft.id, declared=True, token=new_id())
    assert {one.at for one in wrong.value.problems} >= {"preuve"}
    assert not held(opened(world))


def test_a_person_is_named_by_their_number(world: World) -> None:
    owner = world.applicant()
    example = "1234567890"
    card(world, owner, niu=example)
    assert not held(opened(world, "numero", owner)), "without the number nobody is named"
    found = opened(world, "numero", owner, niu=example)
    kept = found.answers["niu"]
    assert bool(held(found)) is isinstance(kept, str)
    other = opened(world, "numero", world.applicant("+22890445566"), niu=example)
    assert not held(other), "a number tells nothing to another account"


def test_nobody_else_sets_it(world: World) -> None:
    """A post, criteria, and answers given as data."""
    owner = world.applicant()
    forged: Any = {"held": True, "held_as": {"document": "x", "number": "1", "issued": "2026-01-01"}}
    draft = intake.open_dossier(world.office, owner, "permis", criteria={"preuve": forged}, token=new_id())
    assert not held(draft)
    raw = {"preuve": ["carte"], "preuve_held": ["true"], "held": ["true"], "preuve.held": ["true"], "held_as": ["x"]}
    page = next(page.id for page in intake.see_form(world.office, owner, draft.id).pages if page.id != "vous")
    opened(world)
    saved = intake.save_page(world.office, owner, draft.id, page, raw, token=new_id())
    assert not held(saved.dossier)
    assert not held(world.draft("permis", owner, preuve=forged))


def test_what_another_hand_wrote_does_not_last(world: World) -> None:
    """Stored as held without a document: it is taken back before it is sent."""
    draft = opened(world)
    lied = world.force(
        draft, answers={**draft.answers, "preuve": {"is": "carte", "files": [], "issued": None, "held": True}}
    )
    with pytest.raises(WrongAnswers):
        intake.submit(world.office, world.applicant(), lied.id, declared=True, token=new_id())


def test_a_file_that_is_handed_in_is_used_instead(world: World) -> None:
    card(world)
    owner, draft = world.applicant(), opened(world)
    attached = intake.attach(world.office, owner, draft.id, "preuve", intake.Upload("acte.pdf", pdf()))
    assert attached.problem is None
    draft = opened(world)
    assert not held(draft)
    assert draft.answers["preuve"]["files"]  # type: ignore[index, call-overload]
    intake.detach(world.office, owner, draft.id, draft.attachments[0].id)
    assert held(opened(world))


def test_a_hidden_question_looks_for_nothing(world: World) -> None:
    card(world)
    assert not held(opened(world), "photo")


def test_before_the_telephone_is_verified_nothing_is_told(world: World) -> None:
    owner = world.applicant()
    card(world)
    unproven = replace(owner, unproven=True)
    assert not held(opened(world, owner=unproven))
    assert held(opened(world, owner=owner))


def test_a_mandate_for_other_procedures_tells_nothing(world: World) -> None:
    """Somebody who represents the owner, for one procedure or for all."""
    owner = world.applicant()
    card(world)
    person = world.applicant("+22890445566")
    bounded = replace(person, principal=owner.id, procedures=frozenset({"permis"}))
    assert not held(opened(world, owner=bounded))
    whole_one = replace(person, principal=owner.id)
    assert held(opened(world, owner=whole_one))
