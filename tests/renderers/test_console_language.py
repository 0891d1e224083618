"""The command line speaks French, and English when asked; a wrong use is told in the language of its reader."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from engine.core.clock import SystemClock
from engine.integrations.config import read_gateways
from engine.integrations.gateways import WrongGateways
from renderers.cli.language import in_french, language_of
from renderers.cli.main import console
from renderers.i18n.translations import load_words

ENGLISH = re.compile(r"\b(the|Error|Usage|Missing|Invalid|Show|of|or|such)\b")


def guichet(*words: str, language: str = "") -> Result:
    return CliRunner().invoke(console, list(words), env={"GUICHET_LANG": language})


@pytest.mark.parametrize("name", console.list_commands(None))
def test_every_command_is_said_in_french(name: str) -> None:
    """Its words are in `words_commands.fr.yaml`: `what`, and a line an option."""
    assert load_words().has(f"commands.{name}.what")
    done = guichet(name, "--help")
    assert done.exit_code == 0
    assert not ENGLISH.search(done.output), done.output


@pytest.mark.parametrize("name", console.list_commands(None))
def test_every_command_is_said_in_english(name: str) -> None:
    done = guichet(name, "--help", language="en")
    assert done.exit_code == 0
    assert "Usage:" in done.output
    assert "--help" in done.output


def test_the_tour_names_every_command() -> None:
    for language, first in (("fr", "Premiers pas"), ("en", "First steps")):
        done = guichet("--help", "--lang", language)
        assert first in done.output
        for name in console.list_commands(None):
            assert re.search(rf"^  {name} ", done.output, re.M), name


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["lnt"], "La commande lnt n’existe pas. Vouliez-vous dire « lint » ?"),
        (["lint", "--nope"], "L’option --nope n’existe pas."),
        (["lint", "--format", "x"], "--format : x n’est pas permis. Permis : text"),
        (["new", "--fee", "beaucoup"], "--fee : beaucoup n’est pas un nombre entier."),
        (["new", "--fee", "-1"], "--fee : -1 ne va pas : il faut au moins 0"),
        (["explain"], "Il manque CODE."),
        (["explain", "X9"], "X9 : code inconnu"),
        (["graph", "a", "b"], "En trop : b."),
        (["lint", "nulle-part"], "nulle-part : ni fichier ni dossier"),
        (["verify", "nulle-part"], "EXPORT : nulle-part n’existe pas"),
        (["new", "--fee"], "L’option --fee attend une valeur."),
        (["lint", "--fix=x"], "L’option --fix ne prend pas de valeur."),
        (["expand", "nulle-part"], "procedures/nulle-part.yaml : ni fichier ni dossier"),
    ],
)
def test_a_wrong_use_is_told_in_french(words: list[str], wanted: str) -> None:
    done = guichet(*words)
    assert done.exit_code == 2
    told = done.output.replace("\u00a0", " ")
    assert f"Erreur : {wanted}" in told
    assert not ENGLISH.search(told), told
    english = guichet(*words, language="en")
    assert english.exit_code == 2
    assert "Error: " in english.output


def test_the_language_before_a_command_is_that_of_its_messages() -> None:
    assert "No problem" in guichet("--lang", "en", "lint", "--no-proofs", "tests/good/for-agents.yaml").output
    assert "Aucun" in guichet("lint", "--no-proofs", "tests/good/for-agents.yaml").output


@pytest.mark.parametrize(
    ("args", "language"),
    [([], "fr"), (["--lang", "en"], "en"), (["lint", "--lang=en"], "en"), (["--lang", "xx"], "fr")],
)
def test_the_language_is_read_before_anything_else(
    args: list[str], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GUICHET_LANG", raising=False)
    assert language_of(args) == language


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ('[sms]\naddres = "x"', "[sms] address : il manque."),
        ('[email]\nhost = "x"\nfrom = "a@b.tg"\npost = 1', "[email] post : cette clé n’existe pas"),
        ("[sns]", "sns : cette table n’existe pas. Celles qui existent sont [operators.…], [sms]"),
        ('[operators.x]\nlabel = "X"\nkind = "tmoney"', "[operators.x] kind : à choisir parmi paygate"),
        ('[email]\nhost = "x"\nport = "25"', "[email] port : écrivez un nombre"),
        ("[email]\nhost = 3", "[email] host : écrivez un texte"),
        ('[sms]\naddress = "http://x"', "[sms] address : écrivez une adresse https"),
        ('[sms]\naddress = "https://x"\ntoken_file = "none"', "none."),
    ],
)
def test_a_wrong_file_of_gateways_is_told_in_french(tmp_path: Path, written: str, wanted: str) -> None:
    file = tmp_path / "gateways.toml"
    file.write_text(written)
    with pytest.raises(WrongGateways) as wrong:
        read_gateways(file, SystemClock(), "https://x")
    told = in_french(f"{file}: {wrong.value}").replace("\u00a0", " ")
    assert told.startswith(f"{file} : ")
    assert wanted in told
    assert not re.search(r"\b(is|must|cannot)\b", told)


def test_a_sentence_nobody_foresaw_is_kept() -> None:
    assert in_french("Something new.") == "Something new."


def test_the_list_of_commands_loads_none_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(console), "find", lambda *_: pytest.fail("a command was loaded"))
    assert "fsck" in guichet("--help").output


def test_a_circuit_is_written_in_words() -> None:
    drawn = guichet("graph", "tests/bad/T904_refused_otherwise.yaml", "--format", "mermaid").output
    assert ": Délai passé\n" in drawn
    assert ": Étape terminée\n" in drawn
