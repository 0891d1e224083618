"""B17. Dossiers as each release stored them, of every shipped procedure.

The code reads their edition, verifies their journal, derives the same state at each act, shows the applicant the same status, and
allows the same acts. Then the mutants. A published release is never recorded again: `python -m tests.histories.record VERSION` makes
the next one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from engine.domain.reporting import journal_state as history
from engine.domain.reporting.journal_state import differences, fold, projection_of
from engine.domain.workflow import available_actions as offers
from engine.journal import chain as journal
from engine.journal.chain import JournalEntry, verify
from engine.model import Procedure
from engine.records.codec import from_plain, read_instant, to_plain
from engine.records.dossier import Dossier
from engine.records.publications import Edition
from tests.engine.services.world import shipped
from tests.histories.record import HERE, SUMS, seen

pytestmark = pytest.mark.faults
RELEASES = sorted(one.parent for one in HERE.glob(f"*/{SUMS}"))
FILES = [file for release in RELEASES for file in sorted(release.glob("*.jsonl"))]


# Statuses that a later release corrected: a visit to book after a grant was shown as an accepted request.
CORRECTED = [(["accepted", "nobody"], ["to_book", "applicant"])]


def wrong_in(file: Path) -> Iterator[str]:
    """What this code makes of a history otherwise than the release that kept it."""
    first, *stories = file.read_bytes().splitlines()
    edition = from_plain(Edition, json.loads(first))
    procedure = rebuilt(first)
    if procedure.fingerprint != edition.fingerprint:
        yield "the edition has another fingerprint"
    for line in stories:
        story = json.loads(line)
        for fault in wrong_in_story(procedure, story["acts"]):
            yield f"{story['story']}: {fault}"


@cache
def rebuilt(edition: bytes) -> Procedure:
    return shipped().rebuild(from_plain(Edition, json.loads(edition)))


def wrong_in_story(procedure: Procedure, acts: list[Any]) -> Iterator[str]:
    body: dict[str, Any] = {}
    entries: tuple[JournalEntry, ...] = ()
    for act in acts:
        body |= act["dossier"]
        entries += tuple(from_plain(JournalEntry, one) for one in act["entries"])
        dossier = from_plain(Dossier, body)
        read = to_plain(dossier)
        lost = {name for name, value in body.items() if not kept(value, read.get(name, ...))}
        if lost:
            yield f"{act['act']}: the dossier is read without {min(lost)}"
        if broken := verify(entries):
            yield f"{act['act']}: entry {broken.n} {broken.reason}"
        if differing := differences(fold(entries), projection_of(dossier)):
            yield f"{act['act']}: the journal folds to another {differing[0]}"
        now = json.loads(json.dumps(seen(procedure, entries, dossier, read_instant(act["now"]), shipped())))
        for name, value in act["seen"].items():
            corrected = name == "told" and (value[:2], now[name][:2]) in CORRECTED
            if not corrected and not kept(value, now[name]):
                yield f"{act['act']}: {name} {now[name]} instead of {value}"


def kept(stored: Any, read: Any) -> bool:
    """Whether all that was stored is read again. A record of a later release may have further fields."""
    if isinstance(stored, dict):
        return isinstance(read, dict) and all(kept(value, read.get(name, ...)) for name, value in stored.items())
    if isinstance(stored, list):
        return isinstance(read, list) and len(stored) == len(read) and all(map(kept, stored, read))
    return bool(stored == read)


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_what_a_release_kept_is_read_proven_and_gone_on_from(file: Path) -> None:
    assert list(wrong_in(file)) == []


@pytest.mark.parametrize("release", RELEASES, ids=lambda one: one.name)
def test_a_history_is_never_edited(release: Path) -> None:
    sums = (release / SUMS).read_text("utf-8").splitlines()
    assert sums == [f"{sha256(one.read_bytes()).hexdigest()}  {one.name}" for one in sorted(release.glob("*.jsonl"))]


def test_every_shipped_procedure_has_lived(tmp_path: Path) -> None:
    """Whole lives: of every procedure that the release shipped, through money, decisions, documents, corrections."""
    assert {file.stem for file in RELEASES[-1].glob("*.jsonl")} <= set(shipped().procedures)
    kinds = {one["kind"] for file in FILES for line in file.read_bytes().splitlines()[1:]
             for act in json.loads(line)["acts"] for one in act["entries"]}  # fmt: skip
    assert {"submitted", "transition", "paid", "credited", "issued", "booked", "corrected"} <= kinds, kinds
    assert len(FILES) >= 15


# -- mutants -------------------------------------------------------------------------------------------------------------


def another_canonical_form(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(journal, "fingerprint", lambda value: sha256(json.dumps(value, sort_keys=True).encode()).hexdigest())


def a_fold_that_forgets_prices(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(history, "_priced", lambda before, changed: before)


def a_guard_that_no_longer_counts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(offers, "_guard", lambda procedure, ways, scope: None)


def a_reader_that_drops_what_it_does_not_know(patch: pytest.MonkeyPatch) -> None:
    real = projection_of
    patch.setattr("tests.faults.test_histories_faults.projection_of", lambda one: real(replace(one, done={})))


@pytest.mark.nightly("mutant")
@pytest.mark.parametrize(
    ("mutant", "what"),
    [
        (another_canonical_form, "changed"), (a_fold_that_forgets_prices, "folds to another priced"),
        (a_guard_that_no_longer_counts, ": acts "), (a_reader_that_drops_what_it_does_not_know, "folds to another done"),
    ],
    ids=lambda one: one.__name__ if callable(one) else "",
)  # fmt: skip
def test_code_that_means_something_else_is_seen(monkeypatch: pytest.MonkeyPatch, mutant: Any, what: str) -> None:
    mutant(monkeypatch)
    assert any(what in fault for file in FILES for fault in wrong_in(file))
