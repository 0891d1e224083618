"""What stands on a page, read from its HTML alone: the same facts that `tests.web.page_checks.read` asks of a browser, less its width."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any, Final

_VOID: Final = frozenset({"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"})
_UNSEEN: Final = frozenset({"head", "script", "style", "template", "option"})
_SPOKEN: Final = ("aria-label", "title", "alt", "placeholder")
_SOURCE: Final = frozenset({"pre", "code", "textarea"})


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self._open: list[tuple[str, dict[str, str]]] = []
        self._text: list[str] = []
        self._said: list[str] = []
        self._title = self._lang = ""
        self._ids, self._anchors, self._links = set[str](), list[str](), list[str]()
        self._pieces: dict[str, list[str]] = {"h1": [], "source": [], "errors": []}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._said += [given[name] for name in _SPOKEN if name in given]
        self._ids |= {given["id"]} if "id" in given else set()
        if tag == "html":
            self._lang = given.get("lang", "")
        if tag == "a" and given.get("href", "").startswith("#"):
            self._anchors.append(given["href"][1:])
        if tag == "a" and "href" in given and "hreflang" not in given:
            self._links.append(given["href"])
        if tag not in _VOID:
            self._open.append((tag, given))
        for kind in self._kinds(tag, given):
            self._pieces[kind].append("")

    def _kinds(self, tag: str, given: dict[str, str]) -> list[str]:
        """Which pieces a tag begins."""
        open_tags = {one for one, _ in self._open}
        within = "main" in open_tags
        erring = any("errors" in one.get("class", "").split() for _, one in self._open)
        found = ["h1"] if tag == "h1" else []
        found += ["source"] if within and tag in _SOURCE else []
        found += (
            ["errors"] if within and ((tag == "li" and erring) or "error" in given.get("class", "").split()) else []
        )
        return found

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        tags = [tag for tag, _ in self._open]
        if "title" in tags and "head" in tags:
            self._title += data
        if {*tags} & _UNSEEN or any("hidden" in given for _, given in self._open):
            return
        if "textarea" not in tags:
            self._text.append(data)
        for depth, (tag, given) in enumerate(self._open):
            before, self._open = self._open, self._open[: depth + 1]
            for kind in self._kinds(tag, given):
                self._pieces[kind][-1] += data
            self._open = before

    def read(self) -> dict[str, Any]:
        return {
            **{name: [" ".join(one.split()) if name == "h1" else one for one in self._pieces[name]] for name in self._pieces},
            "text": "".join(self._text), "said": " \n".join((self._title, *self._said)), "title": self._title,
            "lang": self._lang, "wide": 0, "links": self._links,
            "broken": [one for one in self._anchors if one and one not in self._ids],
        }  # fmt: skip


def read_markup(html: str) -> dict[str, Any]:
    page = _Page()
    page.feed(html)
    return page.read()
