"""The sheet of changes, word for word; and `guichet diff`, which prints it and ends with what it weighs.

`python -m tests.renderers.test_change_sheet` writes the golden files again; read their difference before keeping it.
"""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import xml.etree.ElementTree as Tree
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from engine.language.diff import compare as diff
from engine.language.diff import rules
from engine.language.diff.compare import read_snapshot
from engine.language.diff.elements import flatten
from engine.language.source.loader import read_source
from engine.model import Procedure
from renderers.cli.main import console
from renderers.i18n.translations import Translations
from renderers.reports.changes import ChangeWriter, Comparison
from renderers.reports.changes_report import render_changes
from renderers.reports.changes_summary import Sides
from renderers.reports.publication import change_sentence
from tests.makers import PROCEDURES, a_procedure, compiled, the_directory, the_words

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "diff"
FORMS = {"text": "sheet.txt", "json": "sheet.json", "github": "sheet.github", "html": "sheet.html"}
RENDERERS = Path(__file__).resolve().parents[2] / "renderers"
DIFF = sorted(Path(diff.__file__).parent.glob("*.py"))
SIDES = Sides("4be19d0", "9f2c1ab")


def read(name: str) -> Procedure:
    return compiled((GOLDEN / name).read_text("utf-8"), name)


def the_comparison() -> Comparison:
    counts = read_snapshot(json.loads((GOLDEN / "counts.json").read_text("utf-8")), "essai", 6)
    return Comparison.of(read("before.yaml"), read("after.yaml"), the_directory(), counts)


def sheet(form: str, language: str = "fr", show_all: bool = False) -> str:
    text = render_changes(the_comparison(), the_words(), form=form, language=language, sides=SIDES, show_all=show_all)
    return re.sub(r'"fingerprint": "[0-9a-f]{64}"', '"fingerprint": "…"', text)


@pytest.mark.parametrize(("language", "between"), [("fr", " ; "), ("en", "; ")])
def test_the_sentence_of_an_edition_is_parted_as_its_language_does(language: str, between: str) -> None:
    said = change_sentence(the_comparison(), the_words(), language)
    assert said.count(between) >= 3, said
    assert (" ; " in said) is (language == "fr")


@pytest.mark.parametrize("form", FORMS)
def test_the_sheet_is_word_for_word(form: str) -> None:
    assert sheet(form) == (GOLDEN / FORMS[form]).read_text("utf-8")


def test_the_sheet_in_english() -> None:
    text = sheet("text", "en")
    for said in ("PRICE", "pays more", "15 → 10 working days (waits less)", "BREAK  R801", "is it a rename?"):
        assert said in text.replace("\u00a0", " ")


SIGNED = """
workflow:
  start: examen
  states:
    examen:
      label: Examen
      by: etat_civil
      due: 5 working days
      transitions: {accorder: {label: Accorder, to: accorde}}
    accorde: {label: Accordé, end: granted}
"""
COUNTERSIGNED = SIGNED.replace("to: accorde}}", "to: visa}}").replace(
    "    accorde:",
    "    visa:\n      label: Contre-visa\n      by: maire\n      due: 2 days\n      late: accorde\n"
    "      transitions: {viser: {label: Viser, to: accorde}, rendre: {label: Rendre, by: etat_civil, to: examen}}\n    accorde:",
)


def spaced(text: str) -> str:
    return text.replace("\u00a0", " ").replace("\u202f", " ")


def test_a_new_step_says_who_how_long_what_it_may_do_and_who_newly_reads() -> None:
    before, after = a_procedure(SIGNED), a_procedure(COUNTERSIGNED)
    writer = ChangeWriter(Comparison.of(before, after, the_directory()), the_words(), "fr")
    lines = {
        spaced(line.label): line
        for chapter in writer.chapters()
        for line in chapter.lines
        if line.change.kind == "added"
    }
    step, sign, back = (lines[name] for name in ("Étape « Contre-visa »", "Action « Viser »", "Action « Rendre »"))
    assert (step.impact, step.what) == ("review", "étape de plus (de nouvelles personnes lisent les dossiers)")
    maire, etat_civil = (the_directory().role(f"mairie/{one}") for one in ("maire", "etat_civil"))
    assert maire is not None
    assert etat_civil is not None
    civil = str(etat_civil.label).replace("'", "’")
    assert tuple(map(spaced, step.notes)) == (
        f"par : {civil}, {maire.label}", "délai : 2 jours ; passé ce délai : « Accordé »",
        "actes possibles : « Viser », « Rendre »", f"lisent désormais les dossiers : {maire.label}",
    )  # fmt: skip
    assert tuple(map(spaced, sign.notes)) == (f"par : {maire.label}", "de « Contre-visa » vers « Accordé »")
    assert (back.impact, tuple(map(spaced, back.notes))) == (
        "safe",
        (f"par : {civil}", "de « Contre-visa » vers « Examen »"),
    )
    sheet_of = render_changes(writer.compared, the_words(), form="text", language="fr", sides=SIDES)
    assert "sûr : pour tous · à revoir : pour les demandes à venir · rupture : pour les dossiers en cours" in spaced(
        sheet_of
    )


def test_a_new_step_of_the_same_people_is_safe() -> None:
    same = COUNTERSIGNED.replace("by: maire", "by: etat_civil")
    changes = Comparison.of(a_procedure(SIGNED), a_procedure(same), the_directory()).changes
    assert {one.impact for one in changes if one.kind == "added"} == {"safe"}


def test_a_rate_says_of_what_it_is_and_what_the_example_pays() -> None:
    text = (PROCEDURES / "permis-de-construire.yaml").read_text("utf-8")
    dearer = text.replace("amount: 100\n    times: surface_totale", "amount: 120\n    times: surface_totale")
    before, after = (compiled(one, "permis-de-construire.yaml") for one in (text, dearer))
    writer = ChangeWriter(Comparison.of(before, after, the_directory(), day=date(2026, 3, 2)), the_words(), "fr")
    [line] = [line for chapter in writer.chapters() for line in chapter.lines]
    assert "100 → 120 FCFA par m² (+ 20, + 20 %)" in line.what.replace("\u00a0", " ").replace("\u202f", " ")
    assert any(
        "la demande donnée en exemple paie" in note and "+ 20 %" in note.replace("\u00a0", " ").replace("\u202f", " ")
        for note in line.notes
    ), line.notes


def test_a_rise_is_never_safe_and_says_who_pays_it() -> None:
    text = (PROCEDURES / "passeport-ordinaire.yaml").read_text("utf-8")
    fee = "amount: 30000"
    assert text.count(fee) == 1
    dearer = text.replace(fee, "when: not mineur, amount: 30500")
    before = compiled(text.replace(fee, "when: not mineur, amount: 30000"), "passeport-ordinaire.yaml")
    compared = Comparison.of(before, compiled(dearer, "passeport-ordinaire.yaml"), the_directory())
    for language, who in (("fr", "pour les personnes qui paient"), ("en", "for the people who pay")):
        [line] = [one for part in ChangeWriter(compared, the_words(), language).chapters() for one in part.lines]
        assert line.impact == "review"
        assert any(note.startswith(who) and ("18" in note) for note in line.notes), line.notes


def test_a_courtesy_translation_is_named_where_it_is_added() -> None:
    text = (PROCEDURES.parent / "tests" / "good" / "paper-courtesy.yaml").read_text("utf-8")
    added = "    courtesy: [en]\n"
    before, after = (compiled(one, "essai.yaml") for one in (text.replace(added, ""), text))
    said = render_changes(Comparison.of(before, after, the_directory()), the_words(), language="en", sides=SIDES)
    assert said.count("With a courtesy translation: English") == 1


def test_the_decimals_of_a_table_are_in_the_notation_of_the_language() -> None:
    table = "tables:\n  taux: {gives: decimal, by: [{from: integer}], rows: {0: 12.5, 100: RATE}}\n"
    before, after = (
        compiled(f"{(GOLDEN / 'before.yaml').read_text('utf-8')}\n{table.replace('RATE', rate)}", "before.yaml")
        for rate in ("7.5", "2.5")
    )
    writer = ChangeWriter(Comparison.of(before, after, the_directory()), the_words(), "fr")
    assert [line.what for chapter in writer.chapters() for line in chapter.lines] == ["valeur\u00a0: 7,5 → 2,5"]


def test_two_procedures_are_not_taken_for_two_editions_of_one() -> None:
    other = compiled(
        (GOLDEN / "before.yaml").read_text("utf-8").replace("procedure: essai", "procedure: autre"), "a.yaml"
    )
    compared = Comparison.of(other, read("after.yaml"), the_directory())
    said = render_changes(compared, the_words(), sides=SIDES)
    assert "deux démarches différentes, « autre » et « essai »" in said.replace("\u00a0", " ")


def test_hidden_counts_begin_a_sentence() -> None:
    counts = read_snapshot(json.loads((GOLDEN / "counts.json").read_text("utf-8")), "essai", 6)
    compared = Comparison.of(read("before.yaml"), read("after.yaml"), the_directory(), replace(counts, dossiers="<5"))
    assert ". Moins de 5 dossiers en cours." in render_changes(compared, the_words(), sides=SIDES).replace(
        "\u00a0", " "
    )


def test_what_did_not_change_is_masked_and_counted() -> None:
    untouched = len(the_comparison().untouched())
    assert f"{untouched} éléments inchangés masqués" in sheet("text")
    assert "Votre nom" not in sheet("text")
    assert "Votre nom" in sheet("text", show_all=True)
    assert json.loads(sheet("json"))["summary"]["unchanged"] == untouched


def test_the_page_stands_alone_light_and_well_formed() -> None:
    page = sheet("html")
    root = Tree.fromstring(page)
    assert root.tag == "html"
    assert len(list(root.iter("table"))) == 8
    assert all(len(row.findall("*")) in (3, 4) for row in root.iter("tr"))
    assert not re.search(r"<script|<link|<img|src=|href=|url\(|@import", page), "nothing is fetched"
    changes = len(json.loads(sheet("json"))["changes"])
    assert len(gzip.compress(page.encode())) < 2200 + 200 * changes


def test_the_page_tells_both_sides_whom_it_touches_and_what_is_accepted() -> None:
    page = sheet("html").replace("\u00a0", " ").replace("\u202f", " ")
    assert "<del>25 000 FCFA par m²</del></td><td><ins>30 000 FCFA par m²</ins>" in page
    assert "212 dossiers déjà chiffrés gardent leur prix" in page
    assert "moins de 5 dossiers y ont répondu" in page
    assert "1 742 dossiers en cours" in page
    assert "rupture acceptée : Lu par son auteur" in page
    assert "<summary>Voir le YAML</summary>" in page


class OwnWords(Translations):
    """Words that may not be said in another language than the one asked for."""

    def _sentence(self, key: str, language: str, facts: Mapping[str, str]) -> str:
        assert {key, f"{key}.one"} & self.texts(language).keys(), f"{key} is said in French"
        return super()._sentence(key, language, facts)


@pytest.mark.parametrize("form", FORMS)
def test_no_sentence_of_the_english_sheet_is_french(form: str) -> None:
    words = OwnWords(the_words()._texts)
    compared = the_comparison()
    assert render_changes(compared, words, form=form, language="en", sides=SIDES, show_all=True)
    writer = ChangeWriter(compared, words, "en")
    for element in flatten(compared.after).values():
        for facet, value in element.facets.items():
            assert writer.now.facet(element.noun, facet)
            writer.now.of(facet, value)


def test_what_a_file_says_is_never_markup_nor_a_command() -> None:
    evil = "<b>%0A::error::x\\x1b[2J"
    text = (GOLDEN / "after.yaml").read_text("utf-8").replace("label: Métier exercé", f"label: '{evil}'")
    compared = Comparison.of(read("before.yaml"), compiled(text, "after.yaml"), the_directory())
    said = {form: render_changes(compared, the_words(), form=form, sides=SIDES) for form in FORMS}
    assert "<b>" not in said["html"]
    assert "%250A" in said["github"]
    assert all(line.startswith("::") for line in said["github"].splitlines())


def test_nothing_changed_is_said() -> None:
    before = read("before.yaml")
    same = render_changes(Comparison.of(before, before, the_directory()), the_words())
    assert same == "Aucun changement\u00a0: les deux versions sont identiques.\n"
    text = (GOLDEN / "before.yaml").read_text("utf-8").replace("edition: 6\n", "edition: 6  # la sixième\n")
    commented = render_changes(Comparison.of(before, compiled(text, "essai.yaml"), the_directory()), the_words())
    assert commented.startswith("Aucun effet pour l’usager")


ALL = [*sorted(PROCEDURES.glob("*.yaml")), *sorted((GOLDEN.parents[1] / "good").glob("*.yaml"))]


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_every_value_of_a_procedure_can_be_said(path: Path) -> None:
    """Each facet has its name, each value its words, whatever the language can hold; and nothing differs from itself."""
    procedure = compiled(path.read_text("utf-8"), path.name)
    assert Comparison.of(procedure, procedure, the_directory()).changes == ()
    writer = ChangeWriter(Comparison.of(procedure, procedure, the_directory()), the_words(), "fr")
    for element in flatten(procedure).values():
        assert writer.element_label(element)
        for facet, value in element.facets.items():
            assert "«\u00a0" not in writer.now.facet(element.noun, facet), f"{element.noun}.{facet} has no name"
            assert "object at 0x" not in writer.now.of(facet, value)
            assert "Constant(" not in writer.now.of(facet, value)


def test_every_facet_that_is_weighed_has_its_name() -> None:
    writer = ChangeWriter(the_comparison(), the_words(), "fr")
    weighed = [(noun, facet) for noun, own in rules._FACETS.items() for facet in (*own, *rules._ANYWHERE)]
    unnamed = [(noun, facet) for noun, facet in weighed if writer.now.facet(noun, facet).startswith("«")]
    assert unnamed == []


def test_every_feeling_is_said_in_both_languages() -> None:
    source = "".join(path.read_text("utf-8") for path in DIFF)
    feels = set(re.findall(r'ImpactDetail\(\s*"(?:safe|review|breaking)", "([a-z_]+)"', source)) - {"wording", "layout"}
    assert len(feels) > 50
    for language in ("fr", "en"):
        path = RENDERERS / "i18n" / "catalogues" / f"words_changes.{language}.yaml"
        tree: Any = read_source(path.read_bytes(), path.name).tree
        assert sorted(feels - tree["changes"]["feel"].keys()) == []


# -- the command -------------------------------------------------------------------------------------------------------


def guichet(*arguments: str) -> Result:
    return CliRunner().invoke(console, ["diff", *arguments])


def variant(folder: Path, *edits: tuple[str, str]) -> str:
    """The golden file with some passages replaced, beside its original."""
    text = (GOLDEN / "before.yaml").read_text("utf-8")
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    path = folder / "essai.yaml"
    path.write_text(text, "utf-8")
    return str(path)


BEFORE = str(GOLDEN / "before.yaml")
ENDS = {
    0: ("edition: 6\n", "edition: 7\n"),
    2: ("label: Votre nom,", "label: Nom,"),
    3: ("label: Votre nom,", "label: Votre nom, maxLength: 20,"),
    4: ("profession: {label: Profession, example: Coiffeuse}", "profession: {label: Profession, type: date}"),
}


@pytest.mark.parametrize(("code", "edit"), ENDS.items())
@pytest.mark.slow
def test_the_command_ends_with_what_it_found(tmp_path: Path, code: int, edit: tuple[str, str]) -> None:
    found = guichet(BEFORE, variant(tmp_path, edit))
    assert found.exit_code == code, found.output
    assert json.loads(guichet(BEFORE, variant(tmp_path, edit), "--format", "json").output)["exit_code"] == code


@pytest.mark.slow
def test_an_accepted_break_does_not_forbid_publication(tmp_path: Path) -> None:
    edit = ENDS[4]
    accept = ("scenarios:", "accept: [{code: R804, at: profession, because: Vu, edition: 6}]\nscenarios:")
    found = guichet(BEFORE, variant(tmp_path, edit, accept))
    assert found.exit_code == 3
    assert "rupture acceptée\u00a0: Vu" in found.output
    assert "Publication refusée" not in found.output


FAULTS = {
    "one file": (BEFORE,),
    "three files": (BEFORE, BEFORE, BEFORE),
    "two files and a reference": (BEFORE, BEFORE, "--against", "HEAD"),
    "no such file": (BEFORE, "nowhere.yaml"),
    "no such option": (BEFORE, BEFORE, "--frmat", "json"),
    "no such form": (BEFORE, BEFORE, "--format", "pdf"),
    "no such snapshot": (BEFORE, BEFORE, "--snapshot", "nowhere.json"),
    "a snapshot that is a definition": (BEFORE, BEFORE, "--snapshot", BEFORE),
    "a file with errors": (BEFORE, str(GOLDEN.parents[1] / "bad" / "N301_unknown_name.yaml")),
    "no argument": (),
}


@pytest.mark.parametrize("arguments", FAULTS.values(), ids=FAULTS)
@pytest.mark.slow
def test_what_cannot_be_told_ends_with_one(arguments: tuple[str, ...]) -> None:
    found = guichet(*arguments)
    assert found.exit_code == 1
    assert "Traceback" not in found.output
    assert isinstance(found.exception, SystemExit)


@pytest.mark.slow
def test_a_snapshot_says_whom_it_touches(tmp_path: Path) -> None:
    path = variant(tmp_path, ("amount: 25000", "amount: 26000"))
    found = guichet(BEFORE, path, "--snapshot", str(GOLDEN / "counts.json"))
    assert "212 dossiers déjà chiffrés gardent leur prix" in found.output
    assert "1\u202f742 dossiers en cours" in found.output
    wrong = tmp_path / "wrong.json"
    counts = json.loads((GOLDEN / "counts.json").read_text("utf-8"))
    counts["procedures"]["essai"]["editions"]["6"]["states"]["controle"] = "40"
    wrong.write_text(json.dumps(counts), "utf-8")
    assert "editions.6.states.controle" in guichet(BEFORE, path, "--snapshot", str(wrong)).output


@pytest.mark.slow
def test_against_a_reference_shared_files_of_the_time_are_read(tmp_path: Path) -> None:
    """A block changed beside an unchanged file is seen, at its place in the past and now."""
    folder = tmp_path / "procedures"
    (folder / "shared").mkdir(parents=True)
    for name in ("agencies", "offices", "calendar", "schemes", "registers"):
        (folder / "shared" / f"{name}.yaml").write_bytes((PROCEDURES / "shared" / f"{name}.yaml").read_bytes())
    (folder / "blocks").mkdir()
    block = "block: qui\ntitle: Qui\nfields:\n  age: {label: Âge, type: integer, maximum: 99}\n"
    (folder / "blocks" / "qui.yaml").write_text(block, "utf-8")
    use = ("    title: Votre demande\n", "    title: Votre demande\n    use: qui\n")
    path = variant(folder, use)

    def git(*arguments: str) -> None:
        who = ("-c", "user.name=Ama", "-c", "user.email=ama@example.org", "-c", "commit.gpgsign=false")
        subprocess.run(["git", "-C", str(tmp_path), *who, *arguments], check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-q", "-m", "premier")
    assert guichet(path, "--against", "main").exit_code == 0
    (folder / "blocks" / "qui.yaml").write_text(block.replace("99", "80"), "utf-8")
    found = guichet(path, "--against", "main", "--format", "json")
    assert found.exit_code == 3
    [change] = json.loads(found.output)["changes"]
    assert (change["key"], change["before"], change["after"]) == ("maximum", "99", "80")
    assert change["where_before"].startswith("main:procedures/blocks/qui.yaml:4:")
    assert change["where_after"].startswith(f"{folder}/blocks/qui.yaml:4:")
    assert guichet(path, "--against", "nowhere").exit_code == 1
    right = Path(path).read_text("utf-8")
    Path(path).write_text("procedure: [", "utf-8")
    git("commit", "-qam", "Faux")
    Path(path).write_text(right, "utf-8")
    told = guichet(path, "--against", "main")
    assert (told.exit_code, "guichet lint" in told.output, "git show main:" in told.output) == (1, False, True)


def write() -> None:
    for form, name in FORMS.items():
        (GOLDEN / name).write_text(sheet(form), "utf-8")


if __name__ == "__main__":
    write()


def test_a_row_of_a_table_is_called_as_the_fee_that_reads_it() -> None:
    text = (PROCEDURES / "branchement-eau.yaml").read_text("utf-8")
    before, after = compiled(text), compiled(text.replace("dn20: 50000", "dn20: 60000"))
    one = Comparison.of(before, after, the_directory())
    said = render_changes(one, the_words(), form="text", language="fr", sides=SIDES)
    assert "Supplément de diamètre : 20 mm" in said.replace("\u00a0", " ")
    assert "plus_gros" not in said
