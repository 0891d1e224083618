"""Search of procedures by words: without accents, plural or singular, with close spellings."""

from __future__ import annotations

import difflib
import re
import unicodedata
from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

_WORD: Final = re.compile(r"[a-z0-9]+")
_SMALL: Final = frozenset(
    {"de", "du", "des", "le", "la", "les", "un", "une", "et", "ou", "d", "l", "a", "au", "mon", "ma"}
)
_NEAR: Final = 0.75
_MOST_NEAR: Final = 20  # close spellings of one word
_MOST_WORDS: Final = 8  # of a search that are looked for, as in the lists of agents
_MOST_CLOSE: Final = 3  # of them whose close spellings are looked for: each reads the whole list of words


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Result of a search: the matches, best first. Without match, the procedures of close spelling."""

    ids: tuple[str, ...]
    closest: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Searched:
    """One procedure as it is indexed: the text of its title, and its other text."""

    id: str
    title: str
    besides: str


class Sayings:
    """Everyday words for official ones. Each line: `official words, or these : everyday words`."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._by_word: dict[str, list[tuple[frozenset[str], frozenset[str]]]] = defaultdict(list)
        for line in lines:
            named, _, said = line.partition(":")
            for one in named.split(","):
                if words := words_of(one):
                    self._by_word[words[0]].append((frozenset(words), frozenset(words_of(said))))

    def of(self, words: set[str]) -> set[str]:
        """Return the everyday words for a procedure that contains these words."""
        known = (one for word in words & self._by_word.keys() for one in self._by_word[word])
        return {word for named, said in known if named <= words for word in said}


class WordIndex:
    """Word index of a list of procedures, built once. A search reads only the entries of its words."""

    def __init__(self, listed: Iterable[Searched], sayings: Iterable[str] = ()) -> None:
        besides = Sayings(sayings)
        self._ids: list[str] = []
        places: dict[str, array[int]] = defaultdict(_places)
        for rank, one in enumerate(listed):
            self._ids.append(one.id)
            title = set(words_of(one.title))
            words = title.union(words_of(one.besides))
            for word in words | besides.of(words):
                places[word].append(rank << 1 | (word in title))
        self._places, self._words = dict(places), sorted(places)
        for word, found in places.items():
            self._places[word] = found[:]  # a copy without spare capacity

    def put_in_order(self, ids: Iterable[str]) -> None:
        """Set a new order of results for the same procedures. Raises KeyError if one is missing."""
        rank = {one: number for number, one in enumerate(ids)}
        ranks = array("I", (rank[one] for one in self._ids))
        for found in self._places.values():
            for at, place in enumerate(found):
                found[at] = ranks[place >> 1] << 1 | place & 1
        self._ids = list(rank)

    def find(self, query: str) -> SearchResult:
        """Return the matches. Each word of the query must start a word, and words of the title count more.

        A visitor may type any number of words: the first ones count, each once.
        """
        wanted = list(dict.fromkeys(words_of(query)))[:_MOST_WORDS]
        if not wanted:
            return SearchResult(tuple(self._ids))
        having = [self._having(word) for word in wanted]
        among = set.intersection(*(anywhere for anywhere, _ in having))
        counts = Counter(rank for _, titled in having for rank in titled & among)
        if among:
            return SearchResult(
                tuple(self._ids[rank] for rank in sorted(among, key=lambda rank: (-counts[rank], rank)))
            )
        near = {
            place >> 1 for word in wanted[:_MOST_CLOSE] for close in self._near(word) for place in self._places[close]
        }
        return SearchResult((), tuple(self._ids[rank] for rank in sorted(near)))

    def _having(self, start: str) -> tuple[set[int], set[int]]:
        """Return the ranks that contain a word with this start, and those with one in the title."""
        places = [place for word in self._beginning(start) for place in self._places[word]]
        return {place >> 1 for place in places}, {place >> 1 for place in places if place & 1}

    def _beginning(self, start: str) -> Iterator[str]:
        for at in range(bisect_left(self._words, start), len(self._words)):
            if not self._words[at].startswith(start):
                return
            yield self._words[at]

    def _near(self, word: str) -> list[str]:
        spelt = (one for one in self._words if not one.isdigit() and abs(len(one) - len(word)) <= len(word) // 2)
        return difflib.get_close_matches(word, spelt, _MOST_NEAR, _NEAR)


def _places() -> array[int]:
    """Return an empty array.

    Each entry is a rank with a bit for the title, four bytes each for thousands of procedures.
    """
    return array("I")


def words_of(text: str) -> list[str]:
    """Return words without accents, plurals and small words: `Casiers judiciaires` → casier, judiciaire."""
    split = unicodedata.normalize("NFD", text.casefold())
    plain = "".join(sign for sign in split if not unicodedata.combining(sign))
    return [_singular(word) for word in _WORD.findall(plain) if word not in _SMALL]


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word[-1] in "sx" else word
