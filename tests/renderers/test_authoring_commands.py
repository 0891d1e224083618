"""The commands that write definitions: fmt, expand, new, lint --fix."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from engine.language.catalogue.catalogue import check_definition
from engine.language.compiler.shared_files import Shared, load_shared
from engine.language.source.loader import read_source
from renderers.cli import authoring as console_authoring
from renderers.cli.autofix import repaired
from renderers.cli.main import console
from tests.makers import the_shared

pytestmark = pytest.mark.slow  # commands in processes of their own

ROOT = Path(__file__).resolve().parents[2]
BAD, GOOD = ROOT / "tests/bad", ROOT / "tests/good"
SHARED = the_shared()


def guichet(*words: object, typed: str | None = None) -> Result:
    return CliRunner().invoke(console, [str(word) for word in words], input=typed)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of procedures with the shared files and no procedure."""
    for name in ("shared", "blocks", "lists", "presets", "registers"):
        if (ROOT / "procedures" / name).exists():
            shutil.copytree(ROOT / "procedures" / name, tmp_path / "procedures" / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "procedures"


# -- fmt ---------------------------------------------------------------------------------------------------------------


def test_fmt_shows_then_writes_then_rests(folder: Path) -> None:
    file = folder / "minimal.yaml"
    file.write_text((GOOD / "minimal.yaml").read_text("utf-8").replace("agency:", "agency:   ", 1), "utf-8")
    before = file.read_text("utf-8")
    shown = guichet("fmt", "--diff", file)
    assert (shown.exit_code, file.read_text("utf-8")) == (1, before)
    assert "-agency:    " in shown.output
    assert guichet("fmt", "--check", file).exit_code == 1
    assert guichet("fmt", file).exit_code == 0
    assert "agency: " in file.read_text("utf-8") != before
    assert guichet("fmt", "--check", file).exit_code == 0


def test_fmt_leaves_what_it_cannot_read(folder: Path) -> None:
    file = folder / "casse.yaml"
    file.write_bytes(b"a: {b: \n\xff")
    done = guichet("fmt", file)
    assert (done.exit_code, file.read_bytes()) == (1, b"a: {b: \n\xff")


# -- expand ------------------------------------------------------------------------------------------------------------


def test_expand_prints_a_file_that_can_be_used(folder: Path) -> None:
    shutil.copy(GOOD / "extends-preset.yaml", folder)
    printed = guichet("expand", "extends-preset")
    assert printed.exit_code == 0
    (folder / "extends-preset.yaml").write_text(printed.output, "utf-8")
    assert guichet("lint", "--no-proofs", folder / "extends-preset.yaml").exit_code == 0
    assert guichet("test", folder / "extends-preset.yaml").exit_code == 0


@pytest.mark.parametrize("what", ["nulle-part", BAD / "Y100_open_quote.yaml", BAD / "N301_unknown_name.yaml"])
def test_expand_says_what_it_cannot_do(folder: Path, what: object) -> None:
    done = guichet("expand", what)
    assert done.exit_code in (1, 2)
    assert "Traceback" not in done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)


# -- new ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [
    ["--fee", "500", "--appointment"],
    ["--fee", "0", "--no-appointment", "--delay", "1"],
    ["--fee", "1500", "--lang", "en"],
    ["--appointment", "--title", "Reçu : « l'original »? {nom #3, [a]"],
])  # fmt: skip
def test_a_new_file_is_ready_at_once(folder: Path, options: list[str]) -> None:
    """`new` itself refuses to write what lint, the stories or the proofs find fault with."""
    done = guichet("new", "attestation", "--title", "Attestation", "--agency", "dgdn", *options)
    assert done.exit_code == 0, done.output
    file = folder / "attestation.yaml"
    assert guichet("fmt", "--check", file).exit_code == 0
    assert check_definition(file.read_bytes(), str(file), load_shared(folder)[0]).report.problems == ()
    again = guichet("new", "attestation", "--title", "Autre", "--agency", "dgdn")
    assert again.exit_code == 1
    assert "Traceback" not in again.output
    assert "Autre" not in file.read_text("utf-8")


def test_a_new_file_needs_no_block(folder: Path) -> None:
    shutil.rmtree(folder / "blocks")
    shutil.rmtree(folder / "presets")
    assert guichet("new", "x", "--title", "X", "--agency", "dgdn").exit_code == 0


@pytest.mark.parametrize("options", [[], ["--appointment", "--decider", "maire"]])
def test_new_in_an_empty_folder_writes_the_shared_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    done = guichet("new", "carte", "--title", "Carte", "--agency", "mairie", *options)
    assert done.exit_code == 0, done.output
    written = {one.name for one in (tmp_path / "procedures/shared").iterdir()}
    assert written == {"agencies.yaml", "offices.yaml", "calendar.yaml"}
    assert load_shared(tmp_path / "procedures")[1] == []
    assert guichet("fmt", "--check").exit_code == 0
    assert guichet("lint").exit_code == 0
    assert guichet("new", "autre", "--title", "Autre", "--agency", "mairie").exit_code == 0


def test_new_in_an_empty_folder_asks_and_says_the_only_agency(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(console_authoring, "is_terminal", lambda: True)
    done = guichet("new", "carte", typed="Carte\nMairie de Lomé\nmairie\n \nMairie de Lomé\n0\n5\nn\n")
    assert done.exit_code == 0, done.output
    assert "« Mairie de Lomé » n’est pas un nom" in done.output.replace("\u00a0", " ")
    assert "Administration qui répond\u00a0: Mairie de Lomé." in done.output.replace(" :", "\u00a0:")
    assert "Mairie de Lomé" in (tmp_path / "procedures/shared/agencies.yaml").read_text("utf-8")
    assert guichet("new", "../carte", "--title", "Carte").exit_code == 2


def test_new_asks_what_is_not_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_authoring, "is_terminal", lambda: True)
    done = guichet("new", typed="Ma Carte\ncarte\nCarte d'accès\nnulle\ndgdn\ncontroleur\nx\n2000\n5\no\n")
    assert done.exit_code == 0, done.output
    text = (folder / "carte.yaml").read_text("utf-8")
    assert "« Ma Carte » n’est pas une adresse" in done.output.replace("\u00a0", " ")
    assert "nulle n’est pas permis" in done.output
    assert "x n’est pas un nombre" in done.output
    assert "amount: 2000" in text
    assert "delay: 5 working days" in text
    assert "attend: rendez_vous" in text


def test_new_says_where_an_agency_is_added_and_which_number_is_wanted(folder: Path) -> None:
    done = guichet("new", "x", "--title", "X", "--agency", "nulle").output
    assert "Ajoutez-le d’abord dans procedures/shared/agencies.yaml." in done
    done = guichet("new", "x", "--title", "X", "--agency", "dgdn", "--fee", "12.5").output
    assert "12.5 n’est pas un nombre entier." in done.replace("\u00a0", " ")


@pytest.mark.parametrize("words", [
    ["new"], ["new", "../x", "--title", "X", "--agency", "dgdn"], ["new", "Majuscule", "--title", "X", "--agency", "dgdn"],
    ["new", "x", "--agency", "dgdn"], ["new", "x", "--title", "X", "--agency", "nulle"],
    ["new", "x", "--title", "X", "--agency", "dgdn", "--decider", "nul"],
    ["new", "x", "--title", "\u0007", "--agency", "dgdn"],
])  # fmt: skip
def test_new_refuses_what_it_cannot_use(folder: Path, words: list[str]) -> None:
    done = guichet(*words)
    assert done.exit_code == 2
    assert not list(folder.glob("*.yaml"))


# -- lint --fix --------------------------------------------------------------------------------------------------------

MENDED = (
    "E401_single_equals", "E411_no_such_option", "N301_unknown_name", "N304_unknown_agency", "N307_unknown_state",
    "S201_unknown_key", "S203_number_for_text", "V722_yes_no_compared",
)  # fmt: skip


@pytest.mark.parametrize("name", MENDED)
def test_fix_makes_the_only_repair_there_is(folder: Path, name: str) -> None:
    shutil.copy(BAD / f"{name}.yaml", folder / "exemple.yaml")
    done = guichet("lint", "--fix", "--no-proofs", folder / "exemple.yaml")
    assert done.exit_code == 0, done.output
    code = name.partition("_")[0]
    assert f"exemple.yaml:{(BAD / f'{name}.yaml').read_text('utf-8').split(':')[0].split()[-1]} {code}" in done.output
    report = check_definition((folder / "exemple.yaml").read_bytes(), "exemple.yaml", SHARED).report
    assert code not in [one.code for one in report]


def test_fix_quotes_what_punctuation_cut() -> None:
    text = "a: {label: Égouts ?, when: any(g, c), note: x in ['a']}\nb: Art. 3: le maire\nc: N° #3\nd: NO\n"

    def check(text: str):  # type: ignore[no-untyped-def]
        return check_definition(text, "essai.yaml", Shared()).report

    done = repaired(text, "essai.yaml", check)
    assert read_source(done.text, "essai.yaml").tree == {
        "a": {"label": "Égouts ?", "when": "any(g, c)", "note": "x in ['a']"},
        "b": "Art. 3: le maire", "c": "N° #3", "d": "NO",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["S203_name_with_accent", "P4_accorde_sans_payer", "C501_then_missing"])
def test_fix_leaves_what_needs_a_decision(folder: Path, name: str) -> None:
    shutil.copy(BAD / f"{name}.yaml", folder / "exemple.yaml")
    before = (folder / "exemple.yaml").read_bytes()
    guichet("lint", "--fix", "--no-proofs", folder / "exemple.yaml")
    assert (folder / "exemple.yaml").read_bytes() == before


def test_fix_refuses_when_two_names_are_near(folder: Path) -> None:
    text = (BAD / "N307_unknown_state.yaml").read_text("utf-8").replace("    examen:", "    examena:")
    text = text.replace("    accorde:", "    examenb: {label: Bis, end: refused}\n    accorde:", 1)
    (folder / "exemple.yaml").write_text(text, "utf-8")
    done = guichet("lint", "--fix", "--no-proofs", folder / "exemple.yaml")
    assert done.exit_code == 1
    assert (folder / "exemple.yaml").read_text("utf-8") == text


@pytest.mark.parametrize(
    ("written", "mended"),
    [
        ("when: qualite == societe", "when: qualite == 'societe'"),
        ("required: non", "required: false"),
        ("when: agent examine: non", "when: agent examine: non"),  # a comma may be missing, or quotes
    ],
)
def test_fix_knows_a_value_written_as_a_name(folder: Path, written: str, mended: str) -> None:
    text = (BAD / "N301_unknown_name.yaml").read_text("utf-8")
    (folder / "exemple.yaml").write_text(text.replace("when: qualites == 'societe'", written), "utf-8")
    guichet("lint", "--fix", "--no-proofs", folder / "exemple.yaml")
    assert mended in (folder / "exemple.yaml").read_text("utf-8")


@pytest.mark.parametrize("line", [
    "story: 'Un {d}", "story: 'C'est d'ici", "autre: {sms: “Votre nom {d} : oui'}", "autre: {sms: “Votre nom {d}”}",
    "autre: {label: 'Votre nom, sms: oui}",
])  # fmt: skip
def test_fix_leaves_a_text_whose_quotes_have_no_pair(folder: Path, line: str) -> None:
    """Whose quote is lost is the author's to say: a quote left in a text would go out by message."""
    text = (GOOD / "minimal.yaml").read_text("utf-8").replace("scenarios:", f"scenarios:\n  autre:\n    {line}", 1)
    (folder / "minimal.yaml").write_text(text, "utf-8")
    done = guichet("lint", "--fix", "--no-proofs", folder / "minimal.yaml")
    assert (done.exit_code, (folder / "minimal.yaml").read_text("utf-8")) == (1, text)
    assert "Y100" in done.output


def test_fix_repairs_the_name_that_is_wrong_and_not_the_line_that_is_right(folder: Path) -> None:
    text = (BAD / "N301_unknown_name.yaml").read_text("utf-8").replace("qualites ==", "qualite ==")
    assert "      qualite:" in text
    (folder / "exemple.yaml").write_text(text.replace("      qualite:", "      Qualite:", 1), "utf-8")
    told = guichet("lint", "--no-proofs", folder / "exemple.yaml").output
    assert ("S203" in told, "N301" in told) == (True, False)
    done = guichet("lint", "--fix", "--no-proofs", folder / "exemple.yaml")
    assert done.exit_code == 0, done.output
    assert (folder / "exemple.yaml").read_text("utf-8") == text


@pytest.mark.parametrize(("right", "wrong", "told"), [
    ("fees:", "feees:", ["S201"]), ("personal_data:", "personnal_data:", ["S201"]),
    ("      by: instructeur", "      bby: instructeur", ["S201"]), ("amount:", "amuont:", ["S201"]),
    ("      by: instructeur", "      by\u00a0: instructeur", ["Y107"]),
    ("due: 15 days", "due:\u00a015 days", ["Y107"]), ("      label: Examen", "      label :Examen", ["Y100"]),
])  # fmt: skip
def test_a_cause_is_told_once(folder: Path, right: str, wrong: str, told: list[str]) -> None:
    text = (BAD / "P3_no_time_to_pay.yaml").read_text("utf-8").replace("due: 0 days", "due: 15 days")
    report = check_definition(text.replace(right, wrong, 1), "exemple.yaml", SHARED).report
    assert [one.code for one in report] == told
    (folder / "exemple.yaml").write_text(text.replace(right, wrong, 1), "utf-8")
    done = guichet("lint", "--fix", "--no-proofs", folder / "exemple.yaml")
    assert (done.exit_code == 0) == (told != ["Y100"]), done.output


@pytest.mark.parametrize("path", sorted((ROOT / "procedures").glob("*.yaml")), ids=lambda path: path.stem)
@pytest.mark.parametrize("section", ["form", "fees", "appointments", "workflow", "legal_basis"])
def test_a_section_whose_key_is_misspelt_is_told_once(path: Path, section: str) -> None:
    text = path.read_text("utf-8")
    wrong = re.sub(rf"^{section}:", f"{section}x:", text, count=1, flags=re.MULTILINE)
    if wrong != text:
        found = [one.code for one in check_definition(wrong, str(path), SHARED).report.errors]
        assert [code for code in found if code[0] != "E"] == [
            "S201"
        ]  # what is computed from it may have no type any more


def test_no_summary_of_a_command_is_cut() -> None:
    assert "..." not in guichet("--lang", "en", "--help").output.partition("[ARGS]...")[2]
