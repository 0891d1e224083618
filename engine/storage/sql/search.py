"""SQL of dossier lists: by procedure and state, office, agent, lateness, number and words of the label."""

from __future__ import annotations

import base64
import json
import unicodedata
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from itertools import chain
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from engine.core.values import Plain, canonical_json
from engine.records.codec import instant_text
from engine.records.dossier import Dossier
from engine.storage.results import ORDERS, DossierLine, DossierQuery, ResultPage

Row: TypeAlias = Callable[[str, Sequence[Any]], Any]
Terms: TypeAlias = list[tuple[str, list[Any]]]

FEW: Final = 500  # a word in at most this many dossiers is searched first; others are checked on each line
FEW_LABELLED: Final = (
    5000  # the same of a label: to check it on each line reads every open dossier where one service uses it
)
# Above it one statement reads the index by due date. The other orders have none over all states, so they keep one
# subquery a state up to what SQLite accepts (500).
MOST_STREAMS: Final = MappingProxyType({"due": 64, "received": 480, "entered": 480})
# One common word is checked on each line of the list: PostgreSQL would read all dossiers with it first. With several
# words PostgreSQL may do so, because few dossiers may have them all.
_EACH: Final = "LIMIT 1 OFFSET 0"

MOST_WORDS: Final = 8
_EXACT: Final = """SELECT dossier FROM payment WHERE reference = ? UNION SELECT dossier FROM document WHERE number = ?
    UNION SELECT id FROM dossier WHERE owner = (SELECT id FROM account WHERE kind = 'applicant' AND login = ?)"""

# Letters of the country's languages that Unicode does not decompose.
_PLAIN_LETTERS: Final = str.maketrans(
    {"ɖ": "d", "ɛ": "e", "ƒ": "f", "ɣ": "g", "ŋ": "n", "ɔ": "o", "ʋ": "v", "ɩ": "i", "ʊ": "u", "œ": "oe", "æ": "ae"}
)


def label_words(text: str) -> list[str]:
    """Return the words of a label in their search form: no accents, case or punctuation."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    folded = "".join(sign for sign in parts if not unicodedata.combining(sign)).translate(_PLAIN_LETTERS)
    return "".join(sign if sign.isalnum() else " " for sign in folded).split()


def words_of(dossier: Dossier) -> frozenset[str]:
    """Return the words by which a dossier is found: its number, its label, its identifiers whole and by parts."""
    parts = [label_words(one) for one in dossier.sought]
    return frozenset({dossier.number, *label_words(dossier.label), *map("".join, parts), *chain(*parts)} - {""})


def search_words(text: str) -> list[str]:
    """Return the words of a search. A number is one word, whatever its spaces, and other words match as prefixes."""
    words = label_words(text)
    if words and all(word.isdigit() for word in words):
        return ["".join(words)]
    return sorted(set(words))[:MOST_WORDS]


def dossier_query(
    row: Row, query: DossierQuery, columns: str, after: tuple[str, str] | None = None, most: int | None = None
) -> tuple[str, list[Any]]:
    """Return the SELECT of a list after a position, without ORDER BY, and its parameters.

    Each place is one subquery in index order, so the first page of a long list costs little. With `most`, each
    subquery stops after so many rows, for databases that would read them all to sort them.
    """
    terms, places = _terms(query), query.places
    if places is not None and not places:
        return _select(columns, [("1 = 0", [])])
    by_word, selective = _exact_terms(row, query, terms) or _word_terms(row, query.text)
    labelled, few = _label_terms(row, query.label)
    terms += by_word + labelled
    if after:
        terms.append((f"({ORDERS[query.order]}, id) {'<' if query.reverse else '>'} (?, ?)", list(after)))
    if (
        places is None
        or selective
        or few
        or query.assigned
        or query.follower
        or len(places) > MOST_STREAMS[query.order]
    ):
        return _select(columns, terms + _among(places))
    once = dict.fromkeys(places)
    streams = [_select(columns, [("procedure = ? AND state = ?", list(place)), *terms]) for place in once]
    each = "{}" if most is None or len(streams) == 1 else f"({{}} ORDER BY {order_terms(query)} LIMIT {most})"
    return " UNION ALL ".join(each.format(sql) for sql, _ in streams), [cell for _, cells in streams for cell in cells]


def order_terms(query: DossierQuery) -> str:
    """Return the terms of ORDER BY of a list."""
    way = " DESC" if query.reverse else ""
    return f"{ORDERS[query.order]}{way}, id{way}"


def open_counts(
    places: Sequence[tuple[str, str]], offices: Collection[str] | None, instants: Sequence[datetime], most: int
) -> tuple[str, list[Any]]:
    """Return the SELECT that counts open dossiers by place, agent and band of the due date between `instants`.

    Band -1 has no date, or a paused one. Sums by band in columns take half as long again in PostgreSQL.
    One index holds all that it reads (`WORK_ORDER`), and each place is one part of it. Of very many dossiers, it
    counts `most`.
    """
    kept: Terms = [("closed = 0", [])]
    if offices is not None:
        kept.append((f"office IN ({', '.join('?' * len(offices)) or 'NULL'})", sorted(offices)))
    columns = "{} AS place, assigned, CASE WHEN due_paused = 1 THEN '~' ELSE due_order END AS due"
    parts = [
        _select(columns.format(rank), [("procedure = ? AND state = ?", list(place)), *kept])
        for rank, place in enumerate(places)
    ]
    bands = "".join(f" WHEN due < ? THEN {rank}" for rank in range(len(instants)))
    sql = f"""SELECT place, assigned, band, count(*) FROM (
          SELECT place, assigned, CASE WHEN due = '{LAST}' THEN -1{bands} ELSE {len(instants)} END AS band
          FROM ({" UNION ALL ".join(part for part, _ in parts)} LIMIT ?) AS work
        ) AS found GROUP BY place, assigned, band"""
    return sql, [*map(instant_text, instants), *(cell for _, cells in parts for cell in cells), most]


def _select(columns: str, terms: Terms) -> tuple[str, list[Any]]:
    where = " AND ".join(sql for sql, _ in terms) or "1 = 1"
    return f"SELECT {columns} FROM dossier WHERE {where}", [cell for _, cells in terms for cell in cells]


def _terms(query: DossierQuery) -> Terms:
    terms: Terms = []
    if query.open_only:
        terms.append(("closed = 0", []))
    if query.offices is not None:
        terms.append((f"office IN ({', '.join('?' * len(query.offices)) or 'NULL'})", sorted(query.offices)))
    if query.barred:
        among = ", ".join(["(?, ?)"] * len(query.barred))
        terms.append(
            (f"(procedure, edition) NOT IN (VALUES {among})", [cell for pair in query.barred for cell in pair])
        )
    if query.assigned is not None:
        terms.append(("assigned = ?", [query.assigned]))
    if query.follower is not None:
        terms.append(("id IN (SELECT dossier FROM follow WHERE account = ?)", [query.follower]))
    owed, roles = _owed(query.roles), [f'"{role}"' for role in query.roles]
    if query.unassigned and roles:
        terms.append((f"((assigned IS NULL AND awaits = 'null') OR {owed})", roles))
    elif query.unassigned:
        terms.append(("assigned IS NULL", []))
    if query.parts_done:
        terms.append((f"NOT {owed}", roles))
    if query.late_at is not None:
        terms.append(("due_at < ? AND due_paused = 0", [instant_text(query.late_at)]))
    return terms


def _owed(roles: Sequence[str]) -> str:
    """Return the SQL condition that one of these roles still owes its part."""
    return f"({' OR '.join(['instr(awaits, ?) > 0'] * len(roles)) or '1 = 0'})"


def _among(places: Sequence[tuple[str, str]] | None) -> Terms:
    if places is None:
        return []
    among = ", ".join(["(?, ?)"] * len(places))
    return [(f"(procedure, state) IN (VALUES {among})", [cell for place in places for cell in place])]


def _exact_terms(row: Row, query: DossierQuery, terms: Terms) -> tuple[Terms, bool] | None:
    """Return the condition of a whole key, which has a digit: a phone, a payment or a document.

    None if the list has no such. What is elsewhere does not count: it would hide what the words find, and so be known.
    """
    key = query.text.strip()
    if not any(sign.isdigit() for sign in key):
        return None
    whole: Terms = [(f"id IN ({_EXACT})", [key, key, query.phone])]
    sql, cells = _select("1", whole + terms + _among(query.places))
    return (whole, True) if row(f"SELECT EXISTS ({sql})", cells)[0] else None


def _word_terms(row: Row, text: str) -> tuple[Terms, bool]:
    """Return the conditions of the typed words, and whether one of them is rare enough to search first."""
    ranges = [[word, word + "\U0010ffff"] for word in search_words(text)]
    if text.strip() and not ranges:
        return [("1 = 0", [])], True
    counted = "SELECT count(*) FROM (SELECT 1 FROM dossier_word WHERE word >= ? AND word < ? LIMIT ?) AS found"
    sizes = [row(counted, [*cells, FEW + 1])[0] for cells in ranges]
    rarest = min(range(len(ranges)), key=sizes.__getitem__, default=0)
    selective = bool(ranges) and sizes[rarest] <= FEW
    among = "id IN (SELECT dossier FROM dossier_word WHERE word >= ? AND word < ?)"
    each = _EACH if len(ranges) == 1 else ""
    has = (
        f"EXISTS (SELECT 1 FROM dossier_word WHERE dossier_word.dossier = dossier.id AND word >= ? AND word < ? {each})"
    )
    terms = [(among if selective and place == rarest else has, list(cells)) for place, cells in enumerate(ranges)]
    return terms, selective


def _label_terms(row: Row, label: str) -> tuple[Terms, bool]:
    """Return the condition of a label, and whether it is rare enough to search first."""
    if not label:
        return [], False
    name, _, code = label.partition(".")
    cells = [name, f'"{code}"']
    having = "name = ? AND substr(value, 1, 1) = '[' AND instr(value, ?) > 0"  # of several choices: they have an index
    counted = f"SELECT count(*) FROM (SELECT 1 FROM annotation WHERE {having} LIMIT ?) AS found"
    few = row(counted, [*cells, FEW_LABELLED + 1])[0] <= FEW_LABELLED
    if few:
        return [(f"id IN (SELECT dossier FROM annotation WHERE {having})", cells)], True
    return [
        (f"EXISTS (SELECT 1 FROM annotation WHERE annotation.dossier = dossier.id AND {having} {_EACH})", cells)
    ], False


LAST: Final = "~"  # sorts after every instant, so lines without due date come last


def next_page(lines: tuple[DossierLine, ...], limit: int, query: DossierQuery) -> ResultPage:
    """Return a page of at most `limit` lines. One line more means that a next page exists."""
    if len(lines) <= limit:
        return ResultPage(lines)
    return ResultPage(lines[:limit], position_of(lines[limit - 1], query))


def position_of(line: DossierLine | Dossier, query: DossierQuery) -> str:
    """Return the position of a dossier in a list, for a URL."""
    moment = {"due": line.due_at, "received": line.submitted_at, "entered": line.entered_at}[query.order]
    mark: list[Plain] = [instant_text(moment) if moment else LAST, line.id, *_order_mark(query)]
    return base64.urlsafe_b64encode(canonical_json(mark)).decode().rstrip("=")


def page_start(after: str | None, query: DossierQuery) -> tuple[str, str] | None:
    """Return (sort text, id) of the last line seen, from a URL. None, the first page, if malformed or of another order."""
    try:
        text, last, *order = json.loads(base64.urlsafe_b64decode((after or "") + "=" * (-len(after or "") % 4)))
    except (ValueError, TypeError, RecursionError):
        return None
    return (text, last) if _is_mark(text) and _is_mark(last) and order == _order_mark(query) else None


def _order_mark(query: DossierQuery) -> list[str]:
    """Return what a position says of the order of its list. Positions by due date say nothing, as all did before."""
    return [f"-{query.order}"] if query.reverse else [query.order] if query.order != "due" else []


def _is_mark(part: object) -> bool:
    """Return whether a part of a position is printable ASCII, as instants and ids are. PostgreSQL takes no NUL."""
    return isinstance(part, str) and part.isascii() and part.isprintable()
