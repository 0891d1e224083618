"""What the shipped procedures say to citizens, of either gender. Abbreviations: `tests/test_abbreviations.py`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import pytest

from engine.model import APPLICANT, Field, Procedure
from renderers.i18n.translations import in_language, load_words
from tests.makers import PROCEDURES, the_procedure

# Words for one gender alone, where a text means a person of either.
ONE_GENDER: Final = (
    r"\b(Marié|Divorcé|Veuf|Tuteur)$|\ble demandeur\b|\bun étranger\b|\bdu dirigeant\b|\bun seul associé\b"
)

LAWYERS: Final = r"recevab|instruction|homonymie|conformit|mise sous tension|à comparer|former un recours"


def fields_of(procedure: Procedure) -> Iterator[Field]:
    yield from (one.field for one in procedure.eligibility)
    for one in procedure.form.fields:
        yield one
        yield from one.rows


def said_by(procedure: Procedure) -> Iterator[str]:
    """Yield the texts in French that an applicant reads before and in the form."""
    identity = procedure.identity
    yield from (identity.title.in_("fr"), identity.summary.in_("fr"))
    for criterion in procedure.eligibility:
        yield criterion.because.in_("fr") if criterion.because else ""
    for page in procedure.form.pages:
        yield from (page.title.in_("fr"), page.help.in_("fr") if page.help else "")
    for one in fields_of(procedure):
        yield from (one.label.in_("fr"), one.help.in_("fr") if one.help else "")
        for option in one.options if one.list_id is None else ():
            yield from (option.label.in_("fr"), option.help.in_("fr") if option.help else "")


@pytest.mark.parametrize("name", sorted(path.stem for path in PROCEDURES.glob("*.yaml")))
def test_no_text_is_for_one_gender(name: str) -> None:
    assert not [one for one in said_by(the_procedure(name)) if re.search(ONE_GENDER, one.replace("’", "'"))]


@pytest.mark.parametrize("name", sorted(path.stem for path in PROCEDURES.glob("*.yaml")))
def test_no_step_bears_a_word_of_lawyers(name: str) -> None:
    """States and the acts of applicants. Acts of agents and official documents keep the term of the law."""
    procedure = the_procedure(name)
    leaving = (one for state in procedure.leaving.values() for one in state)
    acts = [one for one in leaving if one.event is None and APPLICANT in one.by]
    read = [one.label.in_("fr") for one in (*procedure.states.values(), *acts)]
    assert [label for label in read if re.search(LAWYERS, label, re.IGNORECASE)] == []


def test_what_is_shown_in_french_has_one_apostrophe() -> None:
    """Labels of shipped files have `'`, sentences of the portal `’`: a page mixed both. SMS keep the plain one."""
    shown = [said for key, said in load_words().texts("fr").items() if not key.endswith(".sms")]
    for path in PROCEDURES.glob("*.yaml"):
        procedure = the_procedure(path.stem)
        texts = [one.label for one in fields_of(procedure)] + [one.label for one in procedure.states.values()]
        shown += [in_language(text, "fr") for text in (procedure.identity.title, procedure.identity.summary, *texts)]
    assert [one for one in shown if re.search(r"\w'\w", one)] == []


def test_the_loss_of_papers_is_a_situation_of_what_replaces_them() -> None:
    named = {
        path.stem for path in PROCEDURES.glob("*.yaml") if "perte" in the_procedure(path.stem).identity.life_events
    }
    assert named == {
        "carte-nationale-identite", "copie-acte-etat-civil", "duplicata-bac", "duplicata-certificat-nationalite",
        "passeport-ordinaire",
    }  # fmt: skip


def test_a_question_without_an_example_has_none_invented() -> None:
    assert the_procedure("passeport-ordinaire").fields["signes"].example is None
