"""What is read from the HTML of a page without a browser shows each fault of it."""

from __future__ import annotations

import pytest

from tests.web.markup import read_markup
from tests.web.page_checks import faults_of

PAGE = """<!doctype html><html lang="fr"><head><title>Suivi – Guichet</title><style>a{b}</style></head><body>
<a href="#c">Aller au contenu</a><main id="c"><h1>Suivi de la demande</h1>
<p>Votre <b>demande</b> est envoyée.</p><p hidden>{plus_tard}</p><pre>a_corriger: {b}</pre>
<ul class="errors box"></ul><textarea name="motif">a_signer</textarea><script>null</script>
<form><input name="nom" placeholder="AMEGAN"></form></main></body></html>"""
NAMES = frozenset({"a_corriger", "a_signer"})


def faults(html: str, error: bool = False) -> list[str]:
    return faults_of(read_markup(html), "fr", NAMES, error)


def test_a_page_without_a_fault_has_none() -> None:
    assert faults(PAGE) == []


@pytest.mark.parametrize(
    ("before", "after", "seen"),
    [
        ("<h1>Suivi de la demande</h1>", "<h2>Suivi</h2>", "0 h1"),
        ("<h1>Suivi de la demande</h1>", "<h1> </h1>", "1 h1"),
        ("<p>Votre", "<h1>Encore</h1><p>Votre", "2 h1"),
        ("Suivi – Guichet", "Guichet", "title 'Guichet'"),
        ('lang="fr"', 'lang="en"', "lang 'en'"),
        ('href="#c"', 'href="#d"', "no #d"),
        ("Votre <b>", "a_corriger <b>", "technical: 'a_corriger'"),
        ("Votre <b>", "{ <b>", "technical: '{'"),
        ("Votre <b>", "None <b>", "technical: 'None'"),
        ('"AMEGAN"', '"a_corriger"', "technical: 'a_corriger'"),
        ("errors box\">", "errors box\"><li>Trop court</li>", "in error: 'Trop court'"),
        ("<p>Votre", '<p class="error">Trop court</p><p>Votre', "in error: 'Trop court'"),
    ],
)  # fmt: skip
def test_each_fault_is_seen(before: str, after: str, seen: str) -> None:
    assert before in PAGE
    assert seen in faults(PAGE.replace(before, after, 1))


def test_a_page_that_says_what_is_wrong_may_say_so() -> None:
    assert faults(PAGE.replace('errors box">', 'errors box"><li>Trop court</li>'), error=True) == []
