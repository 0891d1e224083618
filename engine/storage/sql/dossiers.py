"""Queries on dossiers, their lists and their journal."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from itertools import chain
from typing import Any, Final

from engine.core.values import canonical_json
from engine.journal.chain import JournalEntry
from engine.journal.leaves import OWE
from engine.journal.row_journal import BODY as BODY_NAME
from engine.journal.row_journal import WHOLE
from engine.records.codec import Unreadable, from_plain, to_plain
from engine.records.dossier import Dossier
from engine.storage.results import Conflict, DossierLine, DossierQuery, ListNeighbours, OpenCount, ResultPage
from engine.storage.sql.connection import TIMER_CELLS, Queries, TableMapping, TimerCells, read_json
from engine.storage.sql.search import (
    dossier_query,
    next_page,
    open_counts,
    order_terms,
    page_start,
    position_of,
    words_of,
)

LINES: Final = TableMapping(DossierLine, "dossier")
ENTRIES: Final = TableMapping(JournalEntry, "entry", ("dossier", "n"))

BODY: Final = "SELECT body FROM dossier_body WHERE dossier = "
MOST_COUNTED_AT_ONCE: Final = 480  # places in one statement: SQLite accepts 500 parts
HEAD: Final = "SELECT n, hash FROM entry WHERE dossier = {} ORDER BY n DESC LIMIT 1"
_NUMBERED: Final = "(SELECT id FROM dossier WHERE number = ?)"
_OPENED: Final = (
    f"SELECT body, ({HEAD.format('b.dossier').replace('n, hash', 'json_array(n, hash)')}),"
    f" (SELECT json_group_array(json_array({TIMER_CELLS})) FROM timer WHERE timer.dossier = b.dossier)"
    " FROM dossier_body b WHERE dossier = "
)
_DRAFT: Final = (
    f"{BODY}(SELECT id FROM dossier WHERE owner = ? AND procedure = ? AND submitted_at IS NULL AND closed = 0"
    " ORDER BY created_at DESC LIMIT 1)"
)
_AT_ONCE: Final = 500  # ids in one statement
_REMEMBERED: Final = 16  # dossiers of a reading unit, by id and by number
_ADD: Final = LINES.insert("revision")
_ADD_ENTRY: Final = ENTRIES.insert()
_ADD_SALT: Final = "INSERT INTO salt (dossier, n, name, salt) VALUES (?, ?, ?, ?)"
_ADD_WORD: Final = "INSERT INTO dossier_word (word, dossier) VALUES (?, ?)"


def _naming(contacts: Iterable[str]) -> tuple[str, list[str]]:
    """Return the condition that a body holds one of these texts, and its parameters."""
    held = [canonical_json(one).decode() for one in contacts]
    return f"({' OR '.join(['instr(body, ?) > 0'] * len(held)) or '1 = 0'})", held


def line_of(dossier: Dossier) -> DossierLine:
    """Return the list line of a dossier."""
    return DossierLine(
        id=dossier.id,
        number=dossier.number,
        procedure=dossier.procedure,
        edition=dossier.edition,
        label=dossier.label,
        state=dossier.state,
        office=dossier.office,
        owner=dossier.owner,
        assigned=dossier.assigned,
        submitted_at=dossier.submitted_at,
        entered_at=dossier.entered_at,
        due_at=dossier.due_at,
        due_paused=dossier.due_paused_at is not None,
        closed=dossier.closed_at is not None,
        created_at=dossier.created_at,
        awaits=dossier.awaits,
        channel=dossier.channel,
    )


def read_body(body: str, name: str = "") -> Dossier:
    """Return the dossier of a `dossier_body` row. `name` identifies it in errors. Raises `Unreadable`."""
    try:
        return from_plain(Dossier, read_json(body))
    except Unreadable as error:
        error.row = f"dossier_body {name}".rstrip()
        raise


class DossierQueries(Queries):
    """Queries of `Unit` on dossiers, lists and journals."""

    def dossier(self, dossier_id: str) -> Dossier | None:
        """Return the dossier, or None. A writing unit locks it."""
        return self._opened("?", dossier_id, self.lock)

    def dossier_at_rest(self, dossier_id: str) -> Dossier | None:
        """Return the dossier, or None while another unit locks it. Used for dossiers other than the one acted on, so
        that two units never wait for each other."""
        return self._opened("?", dossier_id, self.claim)

    def dossier_numbered(self, number: str) -> Dossier | None:
        """Return the dossier with this number, or None. A writing unit locks it."""
        return self._opened(_NUMBERED, number, self.lock)

    def _opened(self, which: str, name: str, lock: str) -> Dossier | None:
        """Return the dossier of an id or number. A writing unit notes the head of its journal and its timers too."""
        if not self._writes:
            return self._read_once(which, name)
        body, head, timers = self._body_to_change(which, name, lock)
        if body is None:
            return None
        dossier = read_body(body, name)
        self._has(dossier.id)
        self._heads[dossier.id] = head
        self._timers[dossier.id] = timers
        self._seen[dossier.id] = dossier
        return dossier

    def _read_once(self, which: str, name: str) -> Dossier | None:
        """Return the dossier of an id or number. A reading unit reads its last ones once."""
        known = self._seen.get(name)
        if known is None:
            row = self._row(BODY + which, (name,))
            if row is None:
                return None
            known = read_body(row[0], name)
            if len(self._seen) >= _REMEMBERED:
                self._seen.clear()
            self._seen[known.id] = self._seen[known.number] = known
        return known

    def _body_to_change(self, which: str, name: str, lock: str) -> tuple[str | None, tuple[int, str], list[TimerCells]]:
        """Return the body of a dossier under `lock`, None without one, the head of its journal, and its timers."""
        body, head, timers = self._row(_OPENED + which + lock, (name,)) or (None, None, "[]")
        n, digest = read_json(head) if head else (0, "")
        return body, (n, digest), [tuple(one) for one in read_json(timers)]

    def draft_of(self, owner: str, procedure: str) -> Dossier | None:
        """Return the newest open draft.

        Only owner "" may have several. After the lock was obtained the draft is checked again: it may have
        been submitted, closed or given to another owner meanwhile. Another one may have begun.
        """
        passed = ""
        while row := self._row(_DRAFT + self.lock, (owner, procedure)):
            found = read_body(row[0])
            if found.is_open_draft and found.owner == owner:
                return found
            if found.id == passed:  # locked, but its row still differs: `findings` reports it
                return None
            passed = found.id
        return None

    def add_dossier(self, dossier: Dossier) -> None:
        """Insert a dossier. Raises `AlreadyExists` if the number, or this owner's draft of the procedure, exists."""
        self._change(_ADD, [*LINES.cells(line_of(dossier)), dossier.revision])
        self._change("INSERT INTO dossier_body (dossier, body) VALUES (?, ?)", (dossier.id, self._body(dossier)))
        self._add_words(dossier)
        self._heads[dossier.id], self._timers[dossier.id], self._seen[dossier.id] = (0, ""), [], dossier

    def put_dossier(self, dossier: Dossier, expected_revision: int) -> None:
        """Replace the dossier; its revision must be expected + 1. Raises `Conflict` if the stored one is not expected."""
        if dossier.revision != expected_revision + 1:
            raise ValueError("a kept dossier carries the revision after the expected one")
        row = self._line_to_change(dossier.id, expected_revision)
        if row is None:
            raise Conflict(dossier.id)
        cells = zip(LINES.names, LINES.cells(line_of(dossier)), row, strict=True)
        found_by = self._words_before(dossier)
        self._seen[dossier.id] = dossier
        changed = {name: cell for name, cell, kept in cells if cell != kept}
        sets = "".join(f', "{name}" = ?' for name in changed)  # an index is written only if one of its columns is set
        sql = f"UPDATE dossier SET revision = ?{sets} WHERE id = ?"
        report = self._change if "owner" in changed else self._later  # the new owner may have such a draft
        report(sql, [dossier.revision, *changed.values(), dossier.id])
        self._later("UPDATE dossier_body SET body = ? WHERE dossier = ?", (self._body(dossier), dossier.id))
        if words_of(dossier) != found_by:
            self._later("DELETE FROM dossier_word WHERE dossier = ?", (dossier.id,))
            self._add_words(dossier)

    def _words_before(self, dossier: Dossier) -> frozenset[str]:
        seen = self._seen.get(dossier.id)
        if seen is not None:
            return words_of(seen)
        return frozenset(row[0] for row in self._rows("SELECT word FROM dossier_word WHERE dossier = ?", (dossier.id,)))

    def _line_to_change(self, dossier_id: str, revision: int) -> Sequence[Any] | None:
        """Return the stored line of a dossier, None if it has another revision. A dossier that this unit read under a
        lock is not read again."""
        seen = self._seen.get(dossier_id)
        if seen is None:
            sql = f"{LINES.select} WHERE id = ? AND revision = ?{self.lock}"
            stored: Sequence[Any] | None = self._row(sql, (dossier_id, revision))
            return stored
        return LINES.cells(line_of(seen)) if seen.revision == revision else None

    def _body(self, dossier: Dossier) -> str:
        """Return the text to store, to which the next entry commits."""
        body = canonical_json(to_plain(dossier))
        self._commit_to(dossier.id, BODY_NAME, sha256(body).hexdigest())
        return body.decode()

    def body_digest(self, dossier_id: str) -> str:
        """Return the SHA-256 of the stored body text, empty if there is none."""
        row = self._row(f"{BODY}?", (dossier_id,))
        return sha256(row[0].encode()).hexdigest() if row else ""

    def number_of(self, dossier_id: str) -> str | None:
        """Return the public number of a dossier id, or None."""
        row = self._row("SELECT number FROM dossier WHERE id = ?", (dossier_id,))
        return row[0] if row else None

    def _add_words(self, dossier: Dossier) -> None:
        self._add_rows(_ADD_WORD, [(word, dossier.id) for word in sorted(words_of(dossier))])

    # lists

    def dossiers_of(
        self, owner: str, limit: int = 50, procedure: str = "", *, open_first: bool = False
    ) -> tuple[DossierLine, ...]:
        """Return dossiers of this owner, of one procedure or of all, the newest first.

        `open_first`: all that are not closed come before, so that the limit leaves out closed ones only.
        """
        only = " AND procedure = ?" if procedure else ""
        order = "closed, created_at DESC" if open_first else "created_at DESC"
        sql = f"{LINES.select} WHERE owner = ?{only} ORDER BY {order}, id LIMIT ?"
        return LINES.read_all(self._rows(sql, (owner, *([procedure] if procedure else ()), limit)))

    def dossiers_reaching(self, owner: str, contacts: Iterable[str]) -> tuple[str, ...]:
        """Return the ids of this owner's dossiers that hold one of these numbers or addresses, those not closed first."""
        naming, held = _naming(contacts)
        body = "dossier JOIN dossier_body ON dossier_body.dossier = dossier.id"
        sql = f"SELECT id FROM {body} WHERE owner = ? AND {naming} ORDER BY closed, id"
        return tuple(row[0] for row in self._rows(sql, (owner, *held)))

    def dossiers_naming(self, contacts: Iterable[str], ids: Sequence[str]) -> tuple[str, ...]:
        """Return those of these dossiers that hold one of these numbers or addresses anywhere."""
        (naming, held), found = _naming(contacts), []
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            among = ", ".join("?" * len(some))
            sql = f"SELECT dossier FROM dossier_body WHERE dossier IN ({among}) AND {naming}"
            found += [row[0] for row in self._rows(sql, (*some, *held))]
        return tuple(found)

    def find_dossiers(self, query: DossierQuery, after: str | None = None, limit: int = 50) -> ResultPage:
        """Return one page of a list, in its order. A malformed `after`, or one of another order, gives the first page."""
        most = limit + 1 if self.ends_streams else None
        sql, cells = dossier_query(self._row, query, f"{LINES.columns}, due_order", page_start(after, query), most)
        lines = LINES.read_all(self._rows(f"{sql} ORDER BY {order_terms(query)} LIMIT ?", [*cells, limit + 1]))
        return next_page(lines, limit, query)

    def neighbours(self, query: DossierQuery, dossier: Dossier, position: str = "") -> ListNeighbours:
        """Return the dossiers of a list before and after this one, or a `position` that it had. It may be in it no more."""
        position = position if page_start(position, query) else position_of(dossier, query)
        start, most, found = page_start(position, query), 1 if self.ends_streams else None, []
        for one in (replace(query, reverse=not query.reverse), query):
            sql, cells = dossier_query(self._row, one, "number, due_order, submitted_at, entered_at, id", start, most)
            found.append(self._row(f"{sql} ORDER BY {order_terms(one)} LIMIT 1", cells))
        before, after = (row[0] if row else None for row in found)
        return ListNeighbours(position, before, after)

    def count_dossiers(self, query: DossierQuery, most: int = 1000) -> int:
        """Return how many dossiers match, counting at most `most`."""
        sql, cells = dossier_query(self._row, query, "1")
        count: int = self._row(f"SELECT count(*) FROM ({sql} LIMIT ?) AS found", [*cells, most])[0]
        return count

    def count_open(
        self, places: Sequence[tuple[str, str]], offices: Collection[str] | None, instants: Sequence[datetime], most: int
    ) -> tuple[OpenCount, ...]:  # fmt: skip
        """Return how many open dossiers each (procedure, state) holds, by agent and due date. At most `most` are read."""
        found: dict[tuple[str, str, str | None], list[int]] = {}
        for begin in range(0, len(places), MOST_COUNTED_AT_ONCE):
            some = places[begin : begin + MOST_COUNTED_AT_ONCE]
            left = most - sum(chain.from_iterable(found.values()))
            for rank, held, band, count in self._rows(*open_counts(some, offices, instants, left)):
                found.setdefault((*some[rank], held), [0] * (len(instants) + 2))[band] += count
        return tuple(OpenCount(*key, sum(bands), tuple(bands[:-1])) for key, bands in found.items())

    # journal

    def head(self, dossier_id: str) -> tuple[int, str]:
        """Return the number and hash of the dossier's last entry, (0, "") before the first."""
        if dossier_id in self._heads:
            return self._heads[dossier_id]
        self._hold(dossier_id)
        row = self._row(HEAD.format("?"), (dossier_id,))
        found = (row[0], row[1]) if row else (0, "")
        if self._writes:
            self._heads[dossier_id] = found
        return found

    def add_entry(self, entry: JournalEntry, salts: Mapping[str, str]) -> None:
        """Append the entry and store its salts. Raises `Conflict` if the entry does not follow the head."""
        self.add_entries([(entry, salts)])

    def add_entries(self, sealed: Sequence[tuple[JournalEntry, Mapping[str, str]]]) -> None:
        """Append entries of one dossier and store their salts. Raises `Conflict` if one does not follow the one before."""
        for entry, _ in sealed:
            if (entry.n - 1, entry.previous) != self.head(entry.dossier):
                raise Conflict(entry.dossier)
            self._heads[entry.dossier] = (entry.n, entry.hash)
        self._add_rows(_ADD_ENTRY, [ENTRIES.cells(entry) for entry, _ in sealed])
        self._add_rows(OWE, [(entry.dossier, entry.n, entry.hash) for entry, _ in sealed])
        kept = {name: (entry, salt) for entry, salts in sealed for name, salt in salts.items() if name in WHOLE}
        if kept and sealed[0][0].n > 1:  # the former value is unknowable from then on
            self._drop_salts(sealed[0][0].dossier, kept)
        rows = [
            (entry.dossier, entry.n, name, salt)
            for entry, salts in sealed
            for name, salt in salts.items()
            if name not in kept or kept[name][0] is entry
        ]
        self._add_rows(_ADD_SALT, rows)

    def entries(self, dossier_id: str) -> tuple[JournalEntry, ...]:
        """Return the journal of the dossier, in order."""
        return ENTRIES.read_all(self._rows(f"{ENTRIES.select} WHERE dossier = ? ORDER BY n", (dossier_id,)))

    def salts(self, dossier_id: str) -> Mapping[int, Mapping[str, str]]:
        """Return the stored salts, by entry number and value name."""
        kept: dict[int, dict[str, str]] = {}
        for n, name, salt in self._rows("SELECT n, name, salt FROM salt WHERE dossier = ?", (dossier_id,)):
            kept.setdefault(n, {})[name] = salt
        return kept

    def erase_salts(self, dossier_id: str, names: Collection[str] | None = None) -> None:
        """Erase salts, of these names or all, so that the values are unknowable. The chain still verifies."""
        if names is None:
            self._change("DELETE FROM salt WHERE dossier = ?", (dossier_id,))
        elif names:
            self._drop_salts(dossier_id, names)

    def _drop_salts(self, dossier_id: str, names: Collection[str]) -> None:
        among = ", ".join("?" * len(names))
        self._later(f"DELETE FROM salt WHERE dossier = ? AND name IN ({among})", (dossier_id, *sorted(names)))
