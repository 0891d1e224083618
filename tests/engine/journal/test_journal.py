"""The chain holds or names the first entry that does not; it says nothing of anyone."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from engine.core.problems import Refused
from engine.core.values import canonical_json
from engine.journal.chain import (
    Break,
    JournalEntry,
    commit_value,
    export_plain,
    new_salt,
    read_export,
    seal,
    seal_of,
    verify,
    verify_export,
    with_commitments,
)  # fmt: skip
from engine.records.dossier import Actor
from tests.engine.records.makers import NOON, later

AMA = Actor("applicant", "u-ama", "Ama Adjo")
SECRET = "ADJO"


def a_chain(length: int = 6, dossier: str = "d1") -> list[JournalEntry]:
    entries: list[JournalEntry] = []
    for n in range(length):
        body, _ = with_commitments({"fields": ["nom", "né_le"], "revision": n}, {"nom": SECRET})
        entries.append(seal(entries[-1] if entries else None, dossier, later(minutes=n), AMA, "saved", "f" * 64, body))
    return entries


def broken(entries: list[JournalEntry]) -> tuple[int, str]:
    found = verify(entries)
    assert found is not None
    return found.n, found.reason


def resealed(entry: JournalEntry, **changes: Any) -> JournalEntry:
    changed = replace(entry, **changes)
    return replace(changed, hash=seal_of(changed))


# -- the chain ---------------------------------------------------------------------------------------------------------


def test_a_chain_holds() -> None:
    chain = a_chain()
    assert verify(chain) is None
    assert verify([]) is None
    assert [entry.n for entry in chain] == [1, 2, 3, 4, 5, 6]
    assert chain[0].previous == ""
    assert all(after.previous == before.hash for before, after in pairwise(chain))


def test_sealing_to_a_head_is_sealing_to_its_entry() -> None:
    first = a_chain(1)[0]
    by_entry, by_head = (seal(one, "d1", NOON, AMA, "k", "f", {}) for one in (first, (first.n, first.hash)))
    assert by_entry == by_head
    assert seal((0, ""), "d1", NOON, AMA, "k", "f", {}) == seal(None, "d1", NOON, AMA, "k", "f", {})


def test_the_hash_of_an_entry_never_changes() -> None:
    """Kept journals depend on it: this is a promise to every file already exported."""
    entry = seal(None, "d1", NOON, AMA, "opened", "f" * 4, {"nom": "é", "n": 1})
    assert entry.hash == "1a702ea368b54bca408f7c32c865b2a127347b236895d8a0f40bc2e7226564a6"


@pytest.mark.parametrize(
    "change",
    [{"at": later(days=1)}, {"actor": "u-kofi"}, {"actor_kind": "agent"}, {"kind": "opened"}, {"edition": "e" * 64},
     {"body": {"fields": ["nom"], "revision": 3}}, {"body": 1.5}, {"hash": "0" * 64}, {"hash": ""}],
)  # fmt: skip
def test_a_changed_entry_is_named(change: dict[str, Any]) -> None:
    chain = a_chain()
    chain[3] = replace(chain[3], **change)
    assert broken(chain) == (4, "changed")


def test_an_entry_rewritten_with_its_right_hash_breaks_the_next() -> None:
    chain = a_chain()
    chain[3] = resealed(chain[3], actor="u-kofi")
    assert broken(chain) == (5, "unlinked")
    chain = a_chain()
    chain[0] = resealed(chain[0], previous="0" * 64)
    assert broken(chain) == (1, "unlinked")


@pytest.mark.parametrize("place", range(6))
def test_a_missing_entry_is_named(place: int) -> None:
    chain = a_chain()
    del chain[place]
    if place == 5:
        assert verify(chain) is None  # a cut tail shows only against a head kept elsewhere
    else:
        assert broken(chain) == (place + 1, "missing")


def test_swapped_doubled_and_foreign_entries_are_named() -> None:
    chain = a_chain()
    assert broken([*chain[:2], chain[3], chain[2], *chain[4:]]) == (3, "reordered")
    assert broken([*chain[:3], chain[2], *chain[3:]]) == (3, "duplicated")
    assert broken([*chain[:2], a_chain(dossier="d2")[2], *chain[3:]]) == (3, "foreign")
    assert broken(chain[1:]) == (1, "missing")
    assert broken([resealed(chain[0], n=0), *chain[1:]]) == (1, "duplicated")


def test_what_stood_against_what_is_told() -> None:
    chain = a_chain()
    chain[1] = replace(chain[1], actor="u-kofi")
    assert verify(chain) == Break(2, "changed", seal_of(chain[1]), chain[1].hash)


# -- commitments -------------------------------------------------------------------------------------------------------


def test_no_value_shows_in_an_entry() -> None:
    written = canonical_json(export_plain(a_chain())).decode()
    assert SECRET not in written
    assert AMA.name not in written


def test_the_same_value_commits_differently_each_time() -> None:
    commits = [with_commitments({}, {"oui": True})[0] for _ in range(2)]
    assert commits[0] != commits[1]
    assert with_commitments({"a": 1}, {}) == ({"a": 1}, {})


def test_a_commitment_opens_with_its_salt_and_value_only() -> None:
    body, salts = with_commitments({"kind": "x"}, {"nom": SECRET, "oui": True})
    assert isinstance(body, dict)
    commits = body["commits"]
    assert isinstance(commits, dict)
    assert commits["nom"] == commit_value(salts["nom"], SECRET) == commit_value(bytes.fromhex(salts["nom"]), SECRET)
    assert commits["nom"] != commit_value(salts["oui"], SECRET)
    assert commits["oui"] != commit_value(salts["oui"], "true")
    assert len({*salts.values()}) == 2
    for weak in ("", "ab" * 15, "AB" * 16, b"short"):
        with pytest.raises(ValueError, match="128 bits"):
            commit_value(weak, SECRET)


# -- taken away --------------------------------------------------------------------------------------------------------


def an_export(length: int = 4) -> Any:
    entries: list[JournalEntry] = []
    salts: dict[int, Any] = {}
    for n in range(1, length + 1):
        body, salts[n] = with_commitments({"fields": ["nom"]}, {"nom": SECRET})
        entries.append(seal(entries[-1] if entries else None, "d1", later(hours=n), AMA, "saved", "f" * 64, body))
    return export_plain(entries, salts, {2: {"nom": SECRET}})


def test_an_export_verifies_offline_and_opens_what_it_reveals() -> None:
    export = read_export(json.dumps(an_export(), indent=1, ensure_ascii=False).encode())
    assert verify_export(export) is None
    assert export["openings"] == [{"n": 2, "name": "nom", "salt": export["openings"][0]["salt"], "value": SECRET}]
    assert verify_export(export_plain([])) is None


def test_every_bit_of_an_export_counts() -> None:
    """Each bit of the file as given, flipped: a break is named, or it is no export at all."""
    data = json.dumps(an_export(2)).encode()
    unnoticed = [(place, bit) for place in range(len(data)) for bit in range(8) if not noticed(data, place, bit)]
    assert unnoticed == []


def noticed(data: bytes, place: int, bit: int) -> bool:
    mutant = bytearray(data)
    mutant[place] ^= 1 << bit
    try:
        return verify_export(read_export(bytes(mutant))) is not None
    except Refused:
        return True


def test_a_cut_tail_a_changed_head_and_a_false_opening_are_named() -> None:
    export = an_export()
    cut = {**export, "entries": export["entries"][:-1]}
    assert reason_of(cut) == (4, "cut")
    assert reason_of({**export, "entries": []}) == (4, "cut")
    assert reason_of({**export, "dossier": "d2"}) == (1, "foreign")
    for change in (
        {"value": "KOFI"},
        {"salt": new_salt()},
        {"salt": "short"},
        {"name": "prénom"},
        {"n": 9},
        {"value": None},
    ):
        opening = {**export["openings"][0], **change}
        assert reason_of({**export, "openings": [opening]}) == (opening["n"], "opening")


def reason_of(export: Any) -> tuple[int, str]:
    found = verify_export(export)
    assert found is not None
    return found.n, found.reason


NO_EXPORTS = {
    "empty": b"", "null": b"null", "list": b"[]", "object": b"{}", "no text": b"\xff",
    "key twice": b'{"format": "guichet-journal/1", "format": "x"}', "deep": b"[" * 100_000, "number": b"1.5",
    "next format": json.dumps({**an_export(), "format": "guichet-journal/2"}).encode(),
    "more": json.dumps({**an_export(), "more": 1}).encode(),
    "entry": json.dumps({**an_export(), "entries": [1]}).encode(),
    "moment": json.dumps({**an_export(), "entries": [{**an_export()["entries"][0], "at": "2026-03-02 12:00:00Z"}]}).encode(),
    "head": json.dumps({**an_export(), "head": {"n": "4", "hash": ""}}).encode(),
}  # fmt: skip


@pytest.mark.parametrize("data", NO_EXPORTS.values(), ids=NO_EXPORTS)
def test_what_is_no_export_is_refused(data: bytes) -> None:
    with pytest.raises(Refused) as refused:
        verify_export(read_export(data))
    assert refused.value.reason.code == "export_malformed"
