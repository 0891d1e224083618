"""What a list knows of a book without opening it is what the book says."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.language.catalogue.catalogue import check_definition
from engine.model import Form
from engine.model.roles import awaited_roles, receiving_roles, roles_of
from engine.model.summary import read_summary, summarize, write_summary
from tests.engine.language.building import PROCEDURES, compiled, the_shared

FILES = [*sorted(PROCEDURES.glob("*.yaml")), *sorted((Path(__file__).resolve().parents[2] / "good").glob("*.yaml"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_outline_says_what_its_book_says_and_comes_back_from_its_line(path: Path) -> None:
    book = check_definition(path.read_bytes(), path.name, the_shared(), lint=False).procedure
    assert book is not None
    outline = summarize(book)
    assert (outline.id, outline.edition, outline.fingerprint) == (book.id, book.edition, book.fingerprint)
    assert (outline.title, outline.summary, outline.roles) == (
        book.identity.title,
        book.identity.summary,
        roles_of(book),
    )
    assert outline.receives == receiving_roles(book)
    assert [one.id for one in outline.states] == list(book.states)
    for one in outline.states:
        state = book.states[one.id]
        assert one.ends == state.is_end
        assert one.refuses == (state.outcome == "refused")
        assert one.ready == (state.public == "ready")
        assert one.roles == {role for role in awaited_roles(book, one.id) if "/" in role}
        assert one.asks == any(
            isinstance(task, Form) and bool(task.register) for task in map(book.tasks.get, state.waits)
        )
    days = (outline.from_, outline.until)
    assert read_summary(write_summary(outline), outline.id, outline.edition, outline.fingerprint, *days) == outline


def test_texts_in_several_languages_stay_in_their_order() -> None:
    book = compiled("title: {ee: Agbalẽ, fr: Un titre}\nlanguages: [ee, fr]")
    outline = summarize(book)
    again = read_summary(write_summary(outline), book.id, book.edition, book.fingerprint, None, None)
    assert again.title.versions == (("ee", "Agbalẽ"), ("fr", "Un titre"))
