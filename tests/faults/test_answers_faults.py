"""B9e, T09. Random posts to the pages of shipped procedures, several times on the same dossier.

No post raises. Only questions shown on the page are stored: none of another page, computed, hidden or invented. The same post stores
the same, the page posts what it shows, and only answers to shown questions are submitted. Then the mutants.
"""

from __future__ import annotations

from typing import Any

import pytest

from engine.domain.fields.numbers import WholeKind
from engine.domain.fields.text import WordsKind
from engine.domain.forms import pages as forms
from engine.domain.forms import posted_values as reading
from renderers.html import controls as web_form
from tests.effort import tries
from tests.faults.hostile_answers import books, faults_of

pytestmark = [pytest.mark.slow, pytest.mark.faults]
POSTS = 120


def test_whatever_is_posted_only_what_is_asked_is_kept() -> None:
    assert [fault for book in books() for fault in faults_of(book, tries(POSTS))] == []


# -- mutants -------------------------------------------------------------------------------------------------------------


def computed_ones_are_read(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reading, "is_asked", lambda field: True)
    patch.setattr(forms, "is_asked", lambda field: True)


def hidden_ones_are_kept(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(forms, "restore_hidden", lambda *_: False)


def whatever_is_posted_is_kept(patch: pytest.MonkeyPatch) -> None:
    def read(fields: Any, before: Any, values: Any, raw: Any, prefix: str, asking: Any) -> Any:
        others = {} if prefix else {name: said[-1] for name, said in raw.items() if said}
        return others | honest(fields, before, values, raw, prefix, asking)

    honest = reading.read_answers
    patch.setattr(forms, "read_answers", read)


def numbers_of_python(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(WholeKind, "parse", lambda kind, field, typed, asking: int(typed))


def what_is_typed_is_added(patch: pytest.MonkeyPatch) -> None:
    def read(kind: Any, field: Any, raw: Any, path: str, before: Any, asking: Any) -> Any:
        found = honest(kind, field, raw, path, before, asking)
        return f"{before}{found}" if path in raw and isinstance(before, str) and isinstance(found, str) else found

    honest = WordsKind.read
    patch.setattr(WordsKind, "read", read)


def pages_that_cut(patch: pytest.MonkeyPatch) -> None:
    honest = web_form.control_value
    patch.setattr(web_form, "control_value", lambda view: honest(view)[:5])


def everything_is_sent(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(forms, "live_answers", lambda book, dossier, day, directory: dict(dossier.answers))


@pytest.mark.nightly("mutant")
@pytest.mark.parametrize(
    ("mutant", "seen"),
    [
        (computed_ones_are_read, "is computed, and was written"),
        (hidden_ones_are_kept, "is hidden, and was written"),
        (whatever_is_posted_is_kept, "is no question of it, and was written"),
        (numbers_of_python, "raises ValueError"),
        (what_is_typed_is_added, "is kept otherwise when posted again"),
        (pages_that_cut, "the page shows it as"),
        (everything_is_sent, "is sent, and is nobody's answer"),
    ],
    ids=lambda one: one.__name__ if callable(one) else None,
)
def test_a_defence_taken_away_is_seen(monkeypatch: pytest.MonkeyPatch, mutant: Any, seen: str) -> None:
    mutant(monkeypatch)
    assert any(seen in fault for book in books() for fault in faults_of(book, 30))
