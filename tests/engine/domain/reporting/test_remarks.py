"""What an auditor should look at in one dossier: each remark, and the entries that it names."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from engine.core.values import Plain
from engine.domain.reporting.remarks import Remark, remarks_on
from engine.journal.chain import JournalEntry
from tests.makers import the_procedure

PASSPORT = the_procedure("passeport-ordinaire")
PERMIT = the_procedure("permis-de-construire")
A, B, OWNER = ("agent", "a"), ("agent", "b"), ("applicant", "o")
REFUSE: dict[str, Plain] = {
    "transition": "refuser",
    "source": "conformite",
    "target": "refuse",
    "due": None,
    "closed": True,
}
APPEAL: dict[str, Plain] = {"transition": "contester", "source": "refuse", "target": "conformite", "due": None}
GRANT: dict[str, Plain] = {"transition": "conforme", "source": "conformite", "target": "a_payer", "due": None}


def journal(*said: tuple[tuple[str, str], str, dict[str, Plain]], at: tuple[int, int] = (1, 10)) -> list[JournalEntry]:
    return [
        JournalEntry("d", n, datetime(2026, 11, at[0] + n, at[1], tzinfo=UTC), *who, kind, "", body, "", "")
        for n, (who, kind, body) in enumerate(said, 1)
    ]


def remarks(entries: list[JournalEntry], assigned: str | None = None, procedure: Any = PASSPORT) -> list[Remark]:
    return list(remarks_on(procedure, SimpleNamespace(assigned=assigned), entries))  # type: ignore[arg-type]


def test_a_usual_dossier_has_no_remark() -> None:
    assert remarks(journal((OWNER, "submitted", {"due": "2026-12-01T00:00:00Z"}), (A, "transition", GRANT))) == []


def test_the_author_of_a_contested_refusal_acts_on_the_appeal_or_holds_it() -> None:
    contested = ((A, "transition", REFUSE), (OWNER, "transition", APPEAL))
    assert remarks(journal(*contested, (A, "transition", GRANT))) == [Remark("appeal", (1, 2, 3), "a")]
    assert remarks(journal(*contested), assigned="a") == [Remark("appeal", (1, 2), "a")]
    assert remarks(journal(*contested, (B, "transition", GRANT)), assigned="b") == []
    assert remarks(journal(*contested)) == [], "back in the queue"


def test_a_refusal_by_who_took_the_dossier() -> None:
    taken: tuple[tuple[str, str], str, dict[str, Plain]] = (A, "assigned", {"to": "a"})
    assert remarks(journal(taken, (A, "transition", REFUSE))) == [Remark("taken_refused", (1, 2), "a")]
    assert remarks(journal(taken, (B, "transition", REFUSE))) == []
    assert remarks(journal((B, "assigned", {"to": "a"}), (A, "transition", REFUSE))) == [], "another person gave it"


def test_an_act_after_its_date_that_was_not_paused() -> None:
    due: dict[str, Plain] = {"due": "2026-11-02T23:59:00Z", "paused": None}
    assert remarks(journal((OWNER, "submitted", due), (B, "note", {}), (A, "transition", GRANT))) == [
        Remark("late", (3,))
    ]
    paused = {**due, "paused": "2026-11-01T00:00:00Z"}
    assert remarks(journal((OWNER, "submitted", paused), (B, "note", {}), (A, "transition", GRANT))) == []


def test_acts_of_the_night_and_of_a_batch() -> None:
    assert remarks(journal((A, "transition", GRANT), at=(1, 20))) == [Remark("night", (1,))]
    assert remarks(journal((A, "transition", GRANT), at=(1, 19))) == []
    assert remarks(journal((A, "transition", {**GRANT, "bulk": 4}))) == [Remark("bulk", (1,))]


def test_an_opinion_that_no_person_gave() -> None:
    service = next(service.id for form in PERMIT.forms() for service in form.services)
    silence = journal((("system", "system"), "part_done", {"part": service}))
    assert remarks(silence, procedure=PERMIT) == [Remark("silent", (1,))]
    assert remarks(journal((A, "part_done", {"part": service})), procedure=PERMIT) == []
