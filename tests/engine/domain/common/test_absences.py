"""Who is away, from which day to which."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from engine.domain.common.agent_rights import ABSENT, Absence, absence_of, is_absent, with_absence
from engine.records.dossier import Account

AWAY = Absence(date(2026, 11, 23), date(2026, 11, 27))
SOMEBODY = Account("a", "agent", "A. Mensah", "mensah", profile={"other": "kept"})


@pytest.mark.parametrize(("day", "away"), [(22, False), (23, True), (27, True), (28, False)])
def test_both_days_are_counted_in(day: int, away: bool) -> None:
    account = replace(SOMEBODY, profile=with_absence(SOMEBODY, AWAY))
    assert is_absent(account, date(2026, 11, day)) is away


def test_an_absence_is_said_and_taken_back_beside_the_rest() -> None:
    account = replace(SOMEBODY, profile=with_absence(SOMEBODY, AWAY))
    assert absence_of(account) == AWAY
    assert with_absence(account, None) == {"other": "kept"}


@pytest.mark.parametrize("kept", [None, "demain", {"first": "2026-11-23"}, {"first": "x", "last": "y"}])
def test_what_says_no_days_is_no_absence(kept: object) -> None:
    assert absence_of(replace(SOMEBODY, profile={ABSENT: kept})) is None  # type: ignore[dict-item]
