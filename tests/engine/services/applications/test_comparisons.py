"""Confirmed answers through the life of a dossier: recorded, cleared, erased, moved to another edition, replayed, exported."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.core.problems import Refused
from engine.core.values import new_id
from engine.domain.common.decision import Act, IssueOrder, PieceComparison
from engine.domain.documents.documents import prepare_document
from engine.domain.fields.scope import scope_of
from engine.domain.forms.part_forms import example_part
from engine.domain.workflow.confirmations import match_again, still_confirmed
from engine.domain.workflow.transition_context import Moment, TransitionContext
from engine.model import Form, Procedure
from engine.operations.migration import migrate
from engine.operations.replay import replay
from engine.records.dossier import SYSTEM_ACTOR, ConfirmedAnswer, Dossier, TakenTransition
from engine.services.accounts.personal_data_export import export_own
from engine.services.applications import casework, corrections
from engine.services.applications import opinions as gathering
from engine.services.applications.comparisons import read_comparison_of
from engine.services.audit.integrity import export, fsck
from engine.services.audit.pseudonymised_export import write_for_controllers
from engine.services.context.app_context import WrongAnswers
from engine.services.worker.worker import run_pass
from tests.engine.services.editions import publish
from tests.engine.services.world import ROOT, World, a_world, shipped
from tests.makers import a_procedure, compiled, the_directory

SLUG = "confirmed-answers"
TEXT = (ROOT / "tests" / "good" / f"{SLUG}.yaml").read_text("utf-8")
ALL = ("nom", "prenoms", "ne_le", "sexe")


def edition(*edits: tuple[str, str]) -> Procedure:
    text = TEXT
    for old, new in edits:
        assert old in text, f"no « {old} »"
        text = text.replace(old, new)
    return compiled(text, f"{SLUG}.yaml")


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = a_world(tmp_path)
    publish(made, edition())
    return made


def clerk(world: World) -> Any:
    return world.agent("clerk", "obac/instructeur")


def chief(world: World) -> Any:
    return world.agent("chief", "obac/directeur")


def compared(world: World, dossier: Dossier, **differs: Any) -> Dossier:
    same = tuple(name for name in ALL if name not in differs)
    return world.take(dossier, clerk(world), "conforme", compared=PieceComparison(same, differs))


def filled(world: World, dossier: Dossier, **differs: Any) -> Dossier:
    found = PieceComparison(tuple(name for name in ("prenoms",) if name not in differs), differs)
    gathering.fill_form(world.office, clerk(world), dossier.id, "controle", {}, token=new_id(), compared=found)
    return world.kept(dossier)


def refused(world: World, dossier: Dossier, **differs: Any) -> Dossier:
    dossier = world.paid(filled(world, compared(world, dossier, **differs)))
    return world.take(dossier, chief(world), "refuser", reason="Sans objet", grounds=("decret",))


def entries(world: World, dossier: Dossier) -> list[Any]:
    return [one for one in world.read(lambda unit: unit.entries(dossier.id)) if one.kind == "confirmed"]


def test_the_journal_names_the_answers_and_holds_no_value(world: World) -> None:
    dossier = compared(world, world.sent(SLUG), prenoms="Afiwa")
    (entry,) = entries(world, dossier)
    assert entry.body["piece"] == "acte"
    assert entry.body["compared"] == sorted(ALL)
    assert entry.body["differs"] == ["prenoms"]
    assert "confirmed.prenoms" in entry.body["commits"]
    assert "Afiwa" not in json.dumps(export(world.office, clerk(world), dossier.id))
    assert fsck(world.office) == ()


def test_a_correction_clears_a_computed_column_of_a_row_that_did_not_change(world: World) -> None:
    book = a_procedure("""
        form:
          tout:
            title: Tout
            fields:
              tarif: {label: Tarif, type: integer, example: 3}
              lots:
                label: Lots
                type: rows
                row_label: '{nombre}'
                fields:
                  nombre: {label: Nombre, type: integer, example: 1}
                  prix: {label: Prix, value: nombre * tarif}
        personal_data: {purpose: Essai}
    """)
    known = {f"lots.0.{name}": ConfirmedAnswer(2, "acte", "clerk", world.office.now()) for name in ("nombre", "prix")}
    before = {"tarif": 3, "lots": [{"nombre": 2}]}
    assert still_confirmed(book, before, {**before, "tarif": 5}, known).keys() == {"lots.0.nombre"}


def test_the_detail_of_another_option_is_compared_with_it(tmp_path: Path) -> None:
    """Another detail is another answer: it clears the confirmation, and a page drawn before shows the form again."""
    world = a_world(tmp_path)
    publish(world, edition(
        ("      marie:", "      metier: {label: Métier, type: choice, options: {a: A, b: B}, other: true, example: a}\n      marie:"),
        ("acte: [nom, prenoms, ne_le, sexe]", "acte: [nom, prenoms, ne_le, sexe, metier]"),
    ))  # fmt: skip
    sent, now = world.sent(SLUG), world.office.now()
    before, after = ({**sent.answers, "metier": "other", "metier_other": said} for said in ("Forgeron", "Notaire"))
    known = {"metier": ConfirmedAnswer("other", "acte", "clerk", now)}
    assert still_confirmed(edition(), before, {**before, "nom": "MENSAH"}, known) == known
    assert still_confirmed(edition(), before, after, known) == {}
    marks = []
    for answers in (before, before, after):
        world.force(world.kept(sent), answers=answers)
        marks.append(read_comparison_of(world.office, clerk(world), sent.id, "conforme").mark)
    assert marks[0] == marks[1] != marks[2]


@pytest.mark.parametrize("same", [("nom",), (*ALL, "motif"), (*ALL, "nom_mari")])
def test_a_comparison_is_whole_and_names_nothing_else(world: World, same: tuple[str, ...]) -> None:
    dossier = world.sent(SLUG)
    with pytest.raises((WrongAnswers, Refused)):
        world.take(dossier, clerk(world), "conforme", compared=PieceComparison(same))
    assert world.kept(dossier).confirmed == {}


@pytest.mark.parametrize(
    ("differs", "matters"),
    [
        ({"ne_le": "2012-05-12"}, True),
        ({"ne_le": "1999-01-01"}, False),
        ({"nom": "AMEGA"}, True),  # the register was asked for the other name
        ({"nom": "Amégan"}, False),
        ({"prenoms": "Afiwa"}, False),
        ({"sexe": "m"}, False),
    ],
)
def test_a_difference_that_would_change_a_price_or_a_look_up_is_refused(
    world: World, differs: Any, matters: bool
) -> None:
    dossier = world.sent(SLUG)
    if not matters:
        assert compared(world, dossier, **differs).confirmed[next(iter(differs))].differs
        return
    with pytest.raises(Refused) as closed:
        compared(world, dossier, **differs)
    assert closed.value.reason.code == "difference_matters"
    assert world.kept(dossier) == dossier


def test_a_difference_that_a_later_guard_reads_is_refused(tmp_path: Path) -> None:
    """The guard is false today whatever the name: it also needs an answer that comes later."""
    world = a_world(tmp_path)
    guarded = "accorder: {label: Accorder, to: accorde, when: answered(remarque) and sexe == 'f'}"
    publish(world, edition(("accorder: {label: Accorder, to: accorde}", guarded)))
    dossier = world.sent(SLUG)
    with pytest.raises(Refused) as closed:
        compared(world, dossier, sexe="m")
    assert closed.value.reason.code == "difference_matters"


def test_a_correction_clears_what_it_changes(world: World) -> None:
    dossier = compared(world, world.sent(SLUG), prenoms="Afiwa")
    assert set(dossier.confirmed) == set(ALL)
    changed = world.force(dossier, answers={**dossier.answers, "prenoms": "Afiwa"})
    assert set(changed.confirmed) == {"nom", "ne_le", "sexe"}
    without = world.force(changed, answers={**changed.answers, "acte": None})
    assert without.confirmed == {}, "the piece is another one"


def test_an_answer_sent_back_is_compared_again(world: World) -> None:
    dossier, owner = world.sent(SLUG), world.applicant()
    ask = Act("faire_corriger", correction={"prenoms": "Illisible"})
    casework.take_transition(world.office, clerk(world), dossier.id, ask, token=new_id())
    corrections.save_corrections(world.office, owner, dossier.id, {"prenoms": ["Kossiwa"]}, token=new_id())
    sent = corrections.send_corrections(world.office, owner, dossier.id, token=new_id())
    assert sent.state == "verification"
    assert compared(world, sent).confirmed["prenoms"].value == "Kossiwa"


def test_grounds_are_kept_and_checked(world: World) -> None:
    dossier = refused(world, world.sent(SLUG))
    assert dossier.taken[-1].grounds == ("decret",)
    other = world.paid(filled(world, compared(world, world.sent(SLUG, world.applicant("+22890112234")))))
    for grounds, code in (((), "grounds_missing"), (("arrete",), "unknown_ground")):
        with pytest.raises(Refused) as closed:
            world.take(other, chief(world), "refuser", reason="Non", grounds=grounds)
        assert closed.value.reason.code == code


def letter(world: World, procedure: Procedure, dossier: Dossier) -> dict[str, Any]:
    """The letter that a dossier would receive now."""
    known, office = replace(dossier, documents=()), world.office
    scope = scope_of(procedure, known, office.day(), office.directory)
    paper = prepare_document(
        procedure,
        known,
        IssueOrder("lettre"),
        scope,
        "N-1",
        "1" * 12,
        "T",
        office.now(),
        office.directory,
        office.wording,
    ).paper
    assert paper is not None
    return dict(paper)


def test_a_letter_gives_the_reason_of_its_own_refusal(world: World) -> None:
    """A dossier that was opened again and then refused by a rule does not repeat what an agent wrote before."""
    dossier, again = refused(world, world.sent(SLUG)), world.office.now()
    by_rule = TakenTransition("tard", "decision", "refuse", again, "system", "system", None)
    for taken, said in ((dossier.taken, True), ((*dossier.taken, by_rule), False)):
        paper = letter(world, edition(), replace(dossier, taken=taken))
        assert ("Sans objet" in str(paper.get("considering"))) is said


@pytest.mark.parametrize("named", [True, False])
def test_a_letter_cites_the_grounds_of_an_act_without_a_reason(world: World, named: bool) -> None:
    """C565 takes grounds for a reason, so they are printed where the act asks for nothing else."""
    dossier, output = refused(world, world.sent(SLUG)), edition().outputs["lettre"]
    assert output.paper is not None
    paper = replace(output.paper, reason_of=("refuser",) if named else ())
    procedure = replace(edition(), outputs={"lettre": replace(output, paper=paper)})
    by_law = replace(dossier, taken=(*dossier.taken[:-1], replace(dossier.taken[-1], reason=None)))
    assert letter(world, procedure, by_law)["basis"] == letter(world, procedure, dossier)["basis"] != []


def test_a_reason_that_no_page_asks_for_is_not_kept(world: World) -> None:
    found = PieceComparison(ALL)
    after = world.take(world.sent(SLUG), clerk(world), "conforme", reason="Le maire certifie.", compared=found)
    assert after.taken[-1].reason is None
    assert fsck(world.office) == ()


def test_erasing_leaves_no_confirmed_value(world: World) -> None:
    dossier = refused(world, world.sent(SLUG), prenoms="Afiwa")
    world.wait(days=400)
    run_pass(world.office)
    after = world.kept(dossier)
    assert after.erased_at is not None
    assert after.confirmed == {}
    assert fsck(world.office) == ()


def test_a_sensitive_answer_is_erased_with_its_confirmation(tmp_path: Path) -> None:
    world = a_world(tmp_path)
    sensitive = "purpose: Montrer le langage, sensitive: {prenoms: {seen_by: [instructeur], keep: 30 days}}"
    publish(world, edition(("purpose: Montrer le langage", sensitive)))
    dossier = refused(world, world.sent(SLUG), prenoms="Afiwa")
    world.wait(days=31)
    run_pass(world.office)
    after = world.kept(dossier)
    assert "prenoms" not in after.confirmed
    assert "nom" in after.confirmed
    salts = world.read(lambda unit: unit.salts(dossier.id))
    assert not [name for names in salts.values() for name in names if name == "confirmed.prenoms"]
    assert fsck(world.office) == ()


def test_who_may_not_read_an_answer_does_not_confirm_it(tmp_path: Path) -> None:
    world = a_world(tmp_path)
    sensitive = "purpose: Montrer le langage, sensitive: {prenoms: {seen_by: [directeur], keep: 30 days}}"
    publish(world, edition(("purpose: Montrer le langage", sensitive)))
    found = PieceComparison(("nom", "ne_le", "sexe"))
    assert "prenoms" not in world.take(world.sent(SLUG), clerk(world), "conforme", compared=found).confirmed


def test_rows_with_a_column_for_others_are_neither_shown_nor_confirmed(tmp_path: Path) -> None:
    world = a_world(tmp_path)
    rows = ("      forme:", "      enfants: {label: Enfants, type: rows, fields: {petit_nom: {label: Prénom, example: Kodjo}, "
            "sante: {label: Santé, example: Fragile}}}\n      forme:")  # fmt: skip
    whole = ("acte: [nom, prenoms, ne_le, sexe]", "acte: [nom, prenoms, ne_le, sexe, enfants]")
    sensitive = "purpose: Montrer le langage, sensitive: {sante: {seen_by: [directeur]}}"
    publish(world, edition(rows, whole, ("purpose: Montrer le langage", sensitive)))
    sent = world.sent(SLUG)
    drawn = read_comparison_of(world.office, clerk(world), sent.id, "conforme")
    assert [one.asked.name for piece in drawn.pieces for one in piece.answers] == list(ALL)
    assert "enfants" not in world.take(sent, clerk(world), "conforme", compared=PieceComparison(ALL, {})).confirmed


def test_another_edition_takes_them_over_under_its_names(world: World) -> None:
    dossier = compared(world, world.sent(SLUG), prenoms="Afiwa")
    later = edition(
        ("edition: 1", "edition: 2"), ("prenoms", "petits_noms"), ("acte", "preuve"), ("f: Féminin", "femme: Féminin"),
        ("example: f}", "example: femme}"),
        ("scenarios:", "migrate: {1: {prenoms: petits_noms, acte: preuve, sexe.f: femme}}\nscenarios:"),
    )  # fmt: skip
    publish(world, later)
    migrate(world.office, SLUG)
    moved = world.kept(dossier)
    assert moved.edition == 2
    found = {name: (one.value, one.piece, one.differs) for name, one in moved.confirmed.items()}
    assert found["petits_noms"] == ("Afiwa", "preuve", True)
    assert found["sexe"] == ("femme", "preuve", False)
    assert fsck(world.office) == ()


def test_a_replay_under_the_same_edition_changes_nothing(world: World) -> None:
    refused(world, world.sent(SLUG), prenoms="Afiwa")
    found = replay(world.office, edition(), the_directory(), None)
    assert (found.played, found.same, found.unfaithful) == (1, 1, ())


def test_exports_hold_them_as_their_readers_may_see(world: World, tmp_path: Path) -> None:
    dossier = compared(world, world.sent(SLUG), prenoms="Afiwa")
    own: Any = export_own(world.office, world.applicant())
    said = {one["answer"]: (one["value"], one["piece"], one["differs"]) for one in own["dossiers"][0]["confirmed"]}
    assert said["prenoms"] == ("Afiwa", "acte", True)
    file = tmp_path / "masked.db"
    write_for_controllers(world.office, file)
    with sqlite3.connect(file) as opened:
        rows = opened.execute("SELECT question, piece, differs FROM confirmations").fetchall()
    assert ("prenoms", "acte", 1) in rows
    assert len(rows) == len(ALL)
    assert b"Afiwa" not in file.read_bytes()
    assert dossier.id.encode() not in file.read_bytes()


@pytest.mark.parametrize("change", [{"value": "Abla"}, {"differs": False}, {"piece": "livret"}, {"by": "nobody"}])
def test_fsck_finds_a_confirmation_that_was_altered(world: World, change: dict[str, Any]) -> None:
    dossier = compared(world, world.sent(SLUG), prenoms="Afiwa")
    confirmed = {**dossier.confirmed, "prenoms": replace(dossier.confirmed["prenoms"], **change)}
    with world.office.store.unit(write=True) as unit:
        unit.put_dossier(replace(dossier, confirmed=confirmed, revision=dossier.revision + 1), dossier.revision)
    assert "confirmed_differ" in {one.code for one in fsck(world.office)}


def test_fsck_finds_grounds_that_were_altered(world: World) -> None:
    dossier = refused(world, world.sent(SLUG))
    taken = (*dossier.taken[:-1], replace(dossier.taken[-1], grounds=("loi",)))
    with world.office.store.unit(write=True) as unit:
        unit.put_dossier(replace(dossier, taken=taken, revision=dossier.revision + 1), dossier.revision)
    assert "projection" in {one.code for one in fsck(world.office)}


def test_a_document_says_throughout_what_the_piece_says(tmp_path: Path) -> None:
    """The label, words, gendered forms and computed values agree with the particulars."""
    world = a_world(tmp_path)
    publish(world, edition(
        ("basis: {delay: loi}\nlegal", "basis: {delay: loi}\ndossier_label: '{nom} {prenoms}'\ndefinitions: {suivant: rang + 1}\nlegal"),
        ("      marie:", "      rang: {label: Rang, type: integer, minimum: 1, maximum: 20, example: 2}\n"
         "      jumeau: {label: Jumeau, type: yes_no, example: true}\n      marie:"),
        ("acte: [nom, prenoms, ne_le, sexe]", "acte: [nom, prenoms, ne_le, sexe, rang, jumeau]"), ("with: [nom]", "with: [sexe]"),
        ("shows: [nom, prenoms, ne_le]", "particulars: [nom, rang]"),
        ("operative: La demande est accordée.", "operative: 'Rang {words: rang}, {agree jumeau: avec|sans} jumeau, avant {suivant}.'"),
    ))  # fmt: skip
    differs = {"nom": "MENSAH", "rang": 7, "jumeau": False}
    found = PieceComparison(("prenoms", "ne_le", "sexe"), differs)
    dossier = world.take(world.sent(SLUG), clerk(world), "conforme", compared=found)
    (document,) = world.take(world.paid(filled(world, dossier)), chief(world), "accorder").documents
    assert document.paper is not None
    assert document.paper["particulars"]["rows"] == [["Votre nom", "MENSAH"], ["Rang", "7"]]
    assert document.paper["operative"] == ["Rang <7>, sans jumeau, avant 8."]
    assert document.holder == document.paper["holder"] == "MENSAH Afi"
    assert fsck(world.office) == ()


@pytest.mark.parametrize(("theirs", "confirmed"), [("SA", False), ("sociéte a responsabilite-limitee", True)])
def test_a_look_up_made_again_confirms_by_its_last_answer(world: World, theirs: str, confirmed: bool) -> None:
    sent, procedure, now = world.sent(SLUG), edition(), world.office.now()
    answers = {**sent.answers, "entreprise": "found", "forme_existante": theirs}
    dossier = replace(sent, answers=answers, confirmed={"forme": ConfirmedAnswer("Autre", "entreprise", "system", now)})
    moment = Moment(procedure, SYSTEM_ACTOR, now, world.office.directory, world.office.wording)
    task = procedure.tasks["entreprise"]
    assert isinstance(task, Form)
    found = match_again(TransitionContext.of(dossier), moment, task).dossier.confirmed
    assert {name: one.value for name, one in found.items()} == ({"forme": theirs} if confirmed else {})


# -- rows --------------------------------------------------------------------------------------------------------------

COLUMNS = ("nom", "prenoms", "date_naissance", "nationalite", "passeport")


def travellers(world: World) -> Dossier:
    world.office = replace(world.office, catalogue=shipped())
    dossier = world.sent("e-visa")
    return world.paid(dossier) if dossier.owed else dossier


def row_compared(row: int, **differs: Any) -> PieceComparison:
    same = tuple(f"voyageurs.{row}.{name}" for name in COLUMNS if name not in differs)
    return PieceComparison(same, {f"voyageurs.{row}.{name}": value for name, value in differs.items()})


def officer(world: World) -> Any:
    return world.agent("officer", "dgdn/immigration")


def decided(world: World, dossier: Dossier, row: int, found: PieceComparison) -> Dossier:
    book = world.office.catalogue.procedures["e-visa"]
    form: Any = book.tasks["decision_visa"]
    filling = example_part(book, form, str(row), dossier, {}, world.office.day(), world.office.directory)
    gathering.fill_row(
        world.office, officer(world), dossier.id, "decision_visa", row, filling, token=new_id(), compared=found
    )
    return world.kept(dossier)


def test_each_row_is_compared_with_its_own_piece(world: World) -> None:
    dossier = travellers(world)
    with pytest.raises(WrongAnswers):
        decided(world, dossier, 0, PieceComparison())
    after = decided(world, dossier, 0, row_compared(0, nom="SMITHE"))
    found = {name: (one.value, one.piece, one.differs) for name, one in after.confirmed.items()}
    assert found["voyageurs.0.nom"] == ("SMITHE", "copie_passeport", True)
    assert set(found) == {f"voyageurs.0.{name}" for name in COLUMNS}
    assert fsck(world.office) == ()


def test_a_row_keeps_its_confirmations_at_its_new_place(world: World) -> None:
    dossier = travellers(world)
    rows: Any = dossier.answers["voyageurs"]
    alone = world.force(dossier, answers={**dossier.answers, "voyageurs": rows[:1]})
    dossier = decided(world, alone, 0, row_compared(0, nom="SMITHE"))
    first = {**rows[0], "nom": "MENSAH"}
    moved = world.force(dossier, answers={**dossier.answers, "voyageurs": [first, rows[0]]})
    assert moved.confirmed["voyageurs.1.nom"].value == "SMITHE"
    assert "voyageurs.0.nom" not in moved.confirmed
    changed = world.force(moved, answers={**moved.answers, "voyageurs": [first, {**rows[0], "prenoms": "Ann"}]})
    assert changed.confirmed == {}
    assert fsck(world.office) == ()
