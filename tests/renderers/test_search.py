"""Words find procedures as people type them; a long list comes in pages."""

from __future__ import annotations

from collections import Counter

import pytest

from renderers.html.pagination import paged
from renderers.procedure.search import Searched, SearchResult, WordIndex

INDEX = WordIndex(
    [
        Searched("etal", "Étal de marché", "Louer une place au marché. commerce etal"),
        Searched("marche", "Marché public", "Répondre à un appel d'offres. commerce marche"),
        Searched("taxe", "Taxe", "Payer la taxe du marché. impots taxe"),
        Searched("numero-12", "Numéro 12", "commerce numero-12"),
    ]
)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", SearchResult(("etal", "marche", "taxe", "numero-12"))),
        ("de la", SearchResult(("etal", "marche", "taxe", "numero-12"))),  # small words say nothing
        ("étal", SearchResult(("etal",))),
        ("MARCHES", SearchResult(("etal", "marche", "taxe"))),  # the two whose title says so come first, in their order
        ("taxe marché", SearchResult(("taxe",))),
        ("marc tax", SearchResult(("taxe",))),  # beginnings of words
        ("12", SearchResult(("numero-12",))),
        ("commerce public", SearchResult(("marche",))),
        ("marchee", SearchResult((), ("etal", "marche", "taxe"))),  # nearly spelt
        ("taxee rien", SearchResult((), ("taxe",))),
        ("xyzxyz", SearchResult(())),
        ("999", SearchResult(())),
    ],
)
def test_a_search(query: str, found: SearchResult) -> None:
    assert INDEX.find(query) == found


def test_what_is_read_in_one_order_is_found_in_another() -> None:
    listed = [
        Searched("taxe", "Taxe du marché", ""),
        Searched("etal", "Étal", "marché"),
        Searched("marche", "Marché", ""),
    ]
    index = WordIndex(listed)
    assert index.find("marché") == SearchResult(("taxe", "marche", "etal"))
    index.put_in_order(["etal", "marche", "taxe"])
    assert index.find("marché") == SearchResult(("marche", "taxe", "etal")), "titles first, then in the new order"
    assert index.find("") == SearchResult(("etal", "marche", "taxe"))
    assert index.find("marchee") == SearchResult((), ("etal", "marche", "taxe"))


def test_people_say_it_otherwise() -> None:
    """A procedure that says all the words of a name is found by what people call it."""
    lines = ["marché public, étals : commande, kiosque", "taxe : impôt"]
    index = WordIndex([Searched("etal", "Étal de marché", ""), Searched("marche", "Marché public", "")], lines)
    assert index.find("commandes").ids == ("etal", "marche")
    assert index.find("kiosque public").ids == ("marche",)
    assert index.find("impôt").ids == ()
    assert WordIndex([Searched("etal", "Étal de marché", "")], ["marché public : commande"]).find("commande").ids == ()


@pytest.mark.parametrize(
    ("asked", "items", "number", "previous", "following"),
    [
        ("", (1, 2), 1, "", "/l?q=a+b&page=2"),
        ("1", (1, 2), 1, "", "/l?q=a+b&page=2"),
        ("2", (3, 4), 2, "/l?q=a+b", "/l?q=a+b&page=3"),
        ("3", (5,), 3, "/l?q=a+b&page=2", ""),
        ("4", (5,), 3, "/l?q=a+b&page=2", ""),
        ("0", (1, 2), 1, "", "/l?q=a+b&page=2"),
        ("-1", (1, 2), 1, "", "/l?q=a+b&page=2"),
        ("²", (1, 2), 1, "", "/l?q=a+b&page=2"),
        ("9" * 5000, (1, 2), 1, "", "/l?q=a+b&page=2"),
    ],
)
def test_a_page_of_a_list(asked: str, items: tuple[int, ...], number: int, previous: str, following: str) -> None:
    page = paged((1, 2, 3, 4, 5), asked, "/l", 2, q="a b", theme="")
    assert (page.items, page.number, page.previous, page.next) == (items, number, previous, following)
    assert page.count == 3


def test_a_short_list_has_one_page() -> None:
    assert paged((), "", "/l").count == 1
    assert (paged((1,), "7", "/l").previous, paged((1,), "7", "/l").next) == ("", "")
    assert paged((1, 2), "2", "/l", 1).previous == "/l"


@pytest.mark.parametrize("query", ["marchee " * 12, " ".join(f"{a}{b}zzz" for a in "bcdf" for b in "aeiou")])
def test_a_long_search_reads_few_words_each_once(query: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 10,000 procedures, one hundred signs of repeated words took a third of a second."""
    read, near = Counter[str](), Counter[str]()
    having, close = WordIndex._having, WordIndex._near

    def counted(index: WordIndex, word: str) -> tuple[set[int], set[int]]:
        read[word] += 1
        return having(index, word)

    def spelt(index: WordIndex, word: str) -> list[str]:
        near[word] += 1
        return close(index, word)

    monkeypatch.setattr(WordIndex, "_having", counted)
    monkeypatch.setattr(WordIndex, "_near", spelt)
    INDEX.find(query)
    assert set(read.values()) | set(near.values()) == {1}
    assert len(read) <= 8
    assert len(near) <= 3
