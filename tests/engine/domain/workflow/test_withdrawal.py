"""How a request that is sent is given up, step by step of the small passport."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from engine.domain.workflow.actions import submit
from engine.domain.workflow.progress import has_way_out, lapse_of, may_ask_to_give_up
from engine.records.dossier import Dossier
from tests.engine.domain.small_procedure import APPLICANT, DIRECTORY, MONDAY, OWNER, WORDS, act, draft, passport

PASSPORT = passport()
SENT = submit(PASSPORT, draft(PASSPORT), OWNER, MONDAY, DIRECTORY, WORDS).dossier
LATER = MONDAY + timedelta(days=30)


def at(state: str, **more: object) -> Dossier:
    return replace(SENT, state=state, due_at=LATER, due_paused_at=None, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "asks", "lapses"),
    [
        ("conformite", True, False),  # an agent's
        ("a_payer", True, True),
        ("a_corriger", True, True),
        ("production", True, False),
        ("pret", False, True),  # granted: nothing to give up, and it closes where no person comes
    ],
)
def test_what_is_told_at_each_step(state: str, asks: bool, lapses: bool) -> None:
    assert may_ask_to_give_up(PASSPORT, at(state)) is asks
    lapse = lapse_of(PASSPORT, at(state))
    assert (lapse and lapse[0]) == (LATER if lapses else None)


def test_a_draft_and_a_closed_request_have_nothing_to_give_up() -> None:
    assert not may_ask_to_give_up(PASSPORT, draft(PASSPORT))
    assert not may_ask_to_give_up(PASSPORT, at("a_payer", closed_at=MONDAY))


def test_only_an_act_of_the_applicant_that_ends_the_request_is_a_way_out() -> None:
    assert has_way_out(PASSPORT, "a_payer")
    assert not has_way_out(PASSPORT, "production")
    for by, target, found in (
        (APPLICANT, "retire", True), (APPLICANT, "abandonne", True), ("chef", "retire", False), (APPLICANT, "a_payer", False),
    ):  # fmt: skip
        ways = (*PASSPORT.leaving["production"], act("agir", "production", target, by))
        book = replace(PASSPORT, leaving={**PASSPORT.leaving, "production": ways})
        assert has_way_out(book, "production") is found, (by, target)
