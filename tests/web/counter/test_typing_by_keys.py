"""A signed paper form typed in by keyboard alone, in a real browser: keystrokes beside the answers, and the time to answer."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from engine.core.values import Plain, new_id
from engine.domain.forms.sample_answers import example_answers
from engine.model import PAPER
from engine.services.accounts.assistance import begin_request, help_on_paper
from tests.web.agents.test_staff_pages_in_a_browser import as_agent
from tests.web.browser_person import DESK, Person
from tests.web.conftest import Enter
from tests.web.form_filler import Answers
from tests.web.portal import Portal

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FORM, LOGIN = "creation-entreprise", "cfe.guichetier_cfe"
MOST_STROKES = 60 / 25  # for one question, beside its answer
HERE = """() => { const one = document.activeElement;
  return { name: one.name, kind: one.tagName === "SELECT" ? "select" : one.tagName === "BUTTON" ? "submit" : one.type,
    values: [...document.querySelectorAll(`[name="${one.name}"]`)].map((other) => other.value),
    texts: one.tagName === "SELECT" ? [...one.options].map((other) => [other.value, other.text]) : [] }; }"""


def said(answers: Answers, name: str) -> Plain:
    """What the sheet says under the name of a control: a date is one text in three boxes."""
    base, _, part = name.rpartition("_")
    day = answers.of(base) if part in ("day", "month", "year") else None
    if isinstance(day, str) and len(parts := day.split("-")) == 3:
        return dict(zip(("year", "month", "day"), parts, strict=True))[part]
    return answers.of(name)


def type_in(agent: Person, answers: Answers) -> tuple[int, int]:
    """Answers each question where the focus is. How many questions it was on, and the strokes beside the answers."""
    names, strokes = list[str](), 0
    while (here := agent.page.evaluate(HERE))["kind"] != "submit":
        name, value = here["name"], said(answers, here["name"])
        assert name not in names, f"the focus comes back to {name}"
        names.append(name)
        wanted = [
            str(one).lower() if isinstance(one, bool) else str(one)
            for one in (value if isinstance(value, list) else [value])
        ]
        if here["kind"] in ("radio", "checkbox"):
            for code in wanted:
                if value is not None:
                    agent.page.keyboard.press(f"Digit{here['values'].index(code) + 1}")
            if here["kind"] == "radio" and value is not None:
                continue  # a digit goes on by itself
        elif here["kind"] == "select" and value is not None:
            agent.page.keyboard.type(dict(here["texts"])[wanted[0]][:12])
        elif value is not None:
            agent.page.keyboard.type(wanted[0])
        agent.page.keyboard.press("Tab" if here["kind"] == "textarea" else "Enter")  # there Enter begins a line
        strokes += 1
    with agent.page.expect_navigation():
        agent.page.keyboard.press("Enter")
    agent.page.wait_for_load_state("load")
    return len({name.removesuffix("_day").removesuffix("_month").removesuffix("_year") for name in names}), strokes + 1


def begun(portal: Portal, **given: Plain) -> tuple[str, Mapping[str, Plain]]:
    """A draft of a paper form whose person is there. Its number, and what the sheet says."""
    office = portal.office
    with office.store.unit() as unit:
        account = unit.account_of("agent", LOGIN)
    assert account is not None
    book = office.catalogue.procedures[FORM]
    help_on_paper(office, account.actor(), "Amegan", "Afi", signed=True)
    answers = example_answers(book, given, office.day(), office.directory)
    signs = book.fingerprint[:8]
    draft = begin_request(office, account.actor(), FORM, answers, "fr", new_id(), channel=PAPER, sheet=signs)
    return draft.number, answers


def test_a_paper_form_is_typed_in_by_keys(enter: Enter, portal: Portal) -> None:
    number, answers = begun(portal, forme="sarlu", capital=500_000)  # one member holds it all: the page shows one row
    agent = as_agent(enter, LOGIN, "/agent/connexion", DESK)
    agent.go(f"/agent/guichet/{number}/saisie")
    questions, strokes = type_in(agent, Answers(answers))
    print(f"{questions} questions, {strokes} strokes beside the answers")
    assert not agent.page.url.endswith("/saisie"), agent.page.inner_text(".errors")
    assert questions >= 20
    assert strokes <= MOST_STROKES * questions
    kept = portal.dossier(number).answers
    for name in ("forme", "denomination", "sigle", "secteur", "capital"):
        assert kept.get(name) == answers[name], name
    assert agent.faults == []
