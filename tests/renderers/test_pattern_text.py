"""A form imposed on an answer, in words; silence where it cannot be said plainly."""

from __future__ import annotations

import pytest

from renderers.definition.patterns import pattern_text
from tests.makers import the_words


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (r"\d{10}", "10 chiffres"),
        ("[0-9]", "1 chiffre"),
        (r"\d{3,8}", "de 3 à 8 chiffres"),
        (r"\d+", "1 chiffre au moins"),
        ("[A-Z0-9/-]{4,20}", "de 4 à 20 signes (majuscules, chiffres, « / », « - »)"),
        ("[A-Za-z0-9 /-]{4,20}", "de 4 à 20 signes (majuscules, minuscules, chiffres, espace, « / », « - »)"),
        ("[0-9]{4}-[0-9]{3}", "4 chiffres, puis « - », puis 3 chiffres"),
        (r"TG-\d{2,}", "« TG- », puis 2 chiffres au moins"),
        ("[A-F]", "1 signe (de « A » à « F »)"),
        ("-?[0-9]", "de 0 à 1 signes (« - »), puis 1 chiffre"),
        ("TG-(LOM|KAR)", ""),
        ("[^A-Z]", ""),
        (".*", ""),
        ("", ""),
    ],
)
def test_a_pattern_in_words(pattern: str, words: str) -> None:
    said = pattern_text(pattern, the_words(), "fr")
    assert said.replace("\u00a0", " ").replace("\u202f", " ") == words
