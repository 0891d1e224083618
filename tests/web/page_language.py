"""What a page says in one language: its words and spoken attributes, without what is marked as another language's."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

_VOID: Final = frozenset({"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"})
_UNSEEN: Final = frozenset({"script", "style"})
_SPOKEN: Final = ("aria-label", "alt", "title", "placeholder")
FRENCH: Final = re.compile(
    r"\b(?:votre|vos|vous|nous|notre|cette|démarches?|continuer|demandes?|pièces?|avec|pour|une|les|des|est|dans"
    r"|sur|sont|aux|et|du|le|la|à|rendez-vous|paiement|jours?|prix|gratuit|envoyer|envoyée?|par|ou|au|oui|non|suivre)\b"
    r"|[«»]| [:;?!]",
    re.IGNORECASE,
)


class _Page(HTMLParser):
    def __init__(self, language: str) -> None:
        super().__init__()
        self._language = language
        self._open: list[tuple[str, str]] = []  # each tag with the language it is said in
        self.said: list[str] = []
        self.whole = ""  # the language of the page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        language = given.get("lang") or self._now()
        if tag == "html":
            self.whole = language
        if language == self._language:
            self.said += [given[name] for name in _SPOKEN if given.get(name)]
        if tag not in _VOID:
            self._open.append((tag, language))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._now() == self._language and not {tag for tag, _ in self._open} & _UNSEEN:
            self.said.append(" ".join(data.split()))

    def _now(self) -> str:
        return self._open[-1][1] if self._open else ""


def said_in(html: str, language: str) -> list[str]:
    """The words of a page that claims this language, those marked with another apart. Fails when it claims another."""
    page = _Page(language)
    page.feed(html)
    assert page.whole == language, f"the page says it is in {page.whole!r}"
    return [words for words in page.said if words]


def french_in(html: str) -> list[str]:
    """What an English page says in French without marking it so."""
    return [words for words in said_in(html, "en") if FRENCH.search(words)]
