"""What somebody changes straight in the database is told by the journal: hands, ways, prices, answers, files."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from engine.domain.common.decision import EntryDraft
from engine.domain.forms.sample_answers import example_answers
from engine.records.dossier import Dossier
from engine.services.applications import drafts as intake
from engine.services.audit.integrity import fsck
from engine.services.context.app_context import AppContext
from engine.services.core.journalling import journalise
from engine.storage.results import IntegrityFinding
from tests.engine.services.world import B3, PASSPORT, World

Body = dict[str, Any]
ALL_OF_A_SEAT = {"booking_differs", "booking_deleted", "booking_unjournaled"}


def issued(world: World) -> Dossier:
    dossier = world.paid(world.sent())
    return world.take(dossier, world.agent("chief", "sncja/greffier_en_chef"), "signer")


def rewrite(office: AppContext, dossier: Dossier, change: Callable[[Body], None]) -> None:
    """Edits the kept row by SQL, as whoever holds the file could."""
    with office.store.unit(write=True) as unit:
        rows = unit._rows("SELECT body FROM dossier_body WHERE dossier = ?", (dossier.id,))
        body = json.loads(next(iter(rows))[0])
        change(body)
        text = json.dumps(body)
        unit._change("UPDATE dossier_body SET body = ? WHERE dossier = ?", (text, dossier.id))


def differing(findings: tuple[IntegrityFinding, ...]) -> list[str]:
    return [str(name) for one in findings if one.code == "projection" for name in one.facts["differs"]]  # type: ignore[union-attr]


def _other_hand(body: Body) -> None:
    body["taken"][-1]["by"] = "agent somebody else"


def _other_way(body: Body) -> None:
    body["taken"][-1]["transition"] = "refuser"


def _other_day(body: Body) -> None:
    body["taken"][-1]["at"] = "2026-01-05T09:00:00.000000Z"


def _no_way(body: Body) -> None:
    body["taken"].pop()


def _other_doer(body: Body) -> None:
    next(iter(body["done"].values()))["by"] = "agent somebody else"


def _cheaper(body: Body) -> None:
    next(iter(body["owed"].values()))["amount"] -= 100


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (_other_hand, "taken"), (_other_way, "taken"), (_other_day, "taken"), (_no_way, "taken"),
        (_other_doer, "hands"), (_cheaper, "priced"),
    ],
)  # fmt: skip
def test_what_was_done_is_not_rewritten(world: World, change: Callable[[Body], None], named: str) -> None:
    dossier = issued(world)
    assert fsck(world.office) == ()
    rewrite(world.office, dossier, change)
    assert named in differing(fsck(world.office))


def _said_otherwise(body: Body) -> None:
    name = next(name for name, answer in body["answers"].items() if isinstance(answer, str))
    body["answers"][name] = "KOFFI"


def _said_besides(body: Body) -> None:
    body["answers"]["never_asked"] = "yes"


@pytest.mark.parametrize("change", [_said_otherwise, _said_besides])
@pytest.mark.parametrize("sent", [True, False], ids=["sent", "draft"])
def test_what_was_said_is_not_rewritten(world: World, change: Callable[[Body], None], sent: bool) -> None:
    dossier = world.sent() if sent else world.draft()
    assert fsck(world.office) == ()
    rewrite(world.office, dossier, change)
    assert "answers_differ" in {one.code for one in fsck(world.office)}


def _another_paper(body: Body) -> None:
    body["attachments"][0]["sha256"] = body["attachments"][-1]["sha256"] = "0" * 64


def _a_paper_less(body: Body) -> None:
    body["attachments"].pop()


def _a_paper_more(body: Body) -> None:
    body["attachments"].append({**body["attachments"][0], "id": "slipped-in"})


@pytest.mark.parametrize("change", [_another_paper, _a_paper_less, _a_paper_more])
def test_what_was_handed_in_is_not_exchanged(world: World, change: Callable[[Body], None]) -> None:
    dossier = world.filled(PASSPORT)
    assert dossier.attachments
    assert fsck(world.office) == ()
    rewrite(world.office, dossier, change)
    assert "files_differ" in {one.code for one in fsck(world.office)}


@pytest.mark.parametrize("kind", ["saved", "dropped"])
@pytest.mark.parametrize("ended", ["sent", "given up"])
def test_the_journal_tells_what_befell_no_draft(kind: str, ended: str, world: World) -> None:
    """As an earlier release could let it happen."""
    me = world.applicant()
    dossier = world.sent(B3, me) if ended == "sent" else world.draft(B3, me)
    if ended == "given up":
        intake.drop_draft(world.office, me, dossier.id)
    assert fsck(world.office) == ()
    with world.office.store.unit(write=True) as unit:
        before = unit.dossier(dossier.id)
        assert before
        after = replace(before, revision=before.revision + 1)
        unit.put_dossier(after, before.revision)
        told = EntryDraft(kind, {"revision": after.revision})
        journalise(unit, after, [told], me, world.office.now())
        last = unit.head(dossier.id)[0]
    found = [(one.code, one.dossier, dict(one.facts)) for one in fsck(world.office)]
    assert ("not_a_draft", dossier.id, {"entry": last, "kind": kind}) in found


def test_honest_journeys_raise_no_alarm(world: World) -> None:
    issued(world)
    checker = world.agent("checker", "dgdn/controleur")
    passport = world.take(world.sent(PASSPORT, world.applicant("+22891112233")), checker, "conforme")
    world.booked(world.paid(passport), "depot")
    world.draft(PASSPORT, world.applicant("+22892112233"))
    assert fsck(world.office) == ()


def test_a_page_left_blank_raises_none(world: World) -> None:
    """Questions that were put and not answered are kept as such; the journal has nothing to commit to."""
    owner = world.applicant()
    book = world.office.catalogue.procedures[PASSPORT]
    criteria = example_answers(book, {}, world.office.day(), world.office.directory)
    dossier = intake.open_dossier(world.office, owner, PASSPORT, criteria=criteria, token="t")
    intake.save_page(world.office, owner, dossier.id, book.form.pages[0].id, {})
    assert None in world.kept(dossier).answers.values()
    assert fsck(world.office) == ()


@pytest.mark.parametrize(
    ("tampering", "told"),
    [
        ("DELETE FROM booking WHERE status = 'cancelled'", {"booking_deleted"}),
        ("UPDATE booking SET status = 'attended' WHERE status = 'cancelled'", {"booking_differs"}),
        ("UPDATE booking SET start = '2026-01-05T09:00:00.000000Z' WHERE status = 'cancelled'", ALL_OF_A_SEAT),
    ],
)
def test_a_visit_that_was_moved_stays_where_it_was(world: World, tampering: str, told: set[str]) -> None:
    """Its first hour has its row for good, whatever became of it."""
    checked = world.take(world.sent(PASSPORT), world.agent("checker", "dgdn/controleur"), "conforme")
    world.booked(world.booked(world.paid(checked), "depot"), "depot", 3)
    assert fsck(world.office) == ()
    with world.office.store.unit(write=True) as unit:
        unit._change(tampering)
    assert {one.code for one in fsck(world.office)} == told
