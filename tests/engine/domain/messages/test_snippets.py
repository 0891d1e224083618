"""What may stand in a sentence kept ready."""

from __future__ import annotations

import pytest

from engine.domain.messages.snippets import LONGEST_TITLE, filled, refusal_for_snippet

GOOD = "Dossier {dossier} : envoyez une photo nette avant le {due}."


@pytest.mark.parametrize(
    ("title", "body", "code"),
    [
        ("Photo", GOOD, None),
        ("Photo", "« Votre » acte…", None),  # made plain before it leaves
        ("", GOOD, "snippet_empty"),
        ("Photo", "  ", "snippet_empty"),
        ("x" * (LONGEST_TITLE + 1), GOOD, "snippet_title_long"),
        ("Photo", "Bonjour {nom}", "snippet_variable"),
        ("Photo", "Bonjour {", "snippet_variable"),
        ("Photo", "Bonjour {}", "snippet_variable"),
        ("Photo", "Bonjour {dossier.answers}", "snippet_variable"),
        ("Photo", "Prêt", "snippet_sign"),
        ("Photo", "x" * 160, None),
        ("Photo", "x" * 161, "snippet_long"),
        ("Photo", "x" * 140 + "{title}", "snippet_long"),  # as long as a title may be
    ],
)
def test_what_is_wrong_with_a_sentence(title: str, body: str, code: str | None) -> None:
    found = refusal_for_snippet(title, body)
    assert (found and found.code) == code


def test_variables_are_said_and_an_empty_one_leaves_nothing() -> None:
    assert filled(GOOD, {"dossier": "26 1"}) == "Dossier 26 1 : envoyez une photo nette avant le ."
