"""Feed of changes in Atom (RFC 4287), with one entry for each edition put in service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from xml.etree import ElementTree

_ATOM: Final = "http://www.w3.org/2005/Atom"


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """One edition. `id` and `link` are full addresses, `themes` the subjects of its changes (price, questions…)."""

    id: str
    title: str
    at: datetime
    link: str
    text: str
    author: str
    themes: tuple[tuple[str, str], ...]  # name, label


def atom(title: str, address: str, page: str, language: str, entries: Sequence[FeedEntry], never: datetime) -> bytes:
    """Return the feed as XML.

    `address` is that of the feed, `page` that of the page it describes. `never` is the date of an empty feed.
    """
    ElementTree.register_namespace("", _ATOM)
    feed = ElementTree.Element(f"{{{_ATOM}}}feed", {"xml:lang": language})
    _text(feed, "id", address)
    _text(feed, "title", title)
    _text(feed, "updated", _moment(max((one.at for one in entries), default=never)))
    _part(feed, "link", rel="self", href=address, type="application/atom+xml")
    _part(feed, "link", rel="alternate", href=page, type="text/html")
    author = _part(feed, "author")
    _text(author, "name", title)
    for one in entries:
        entry = _part(feed, "entry")
        _text(entry, "id", one.id)
        _text(entry, "title", one.title)
        _text(entry, "updated", _moment(one.at))
        _part(entry, "link", rel="alternate", href=one.link, type="text/html")
        for name, label in one.themes:
            _part(entry, "category", term=name, label=label)
        if one.author:
            _text(_part(entry, "author"), "name", one.author)
        _text(entry, "summary", one.text)
    return bytes(ElementTree.tostring(feed, encoding="utf-8", xml_declaration=True))


def _part(parent: ElementTree.Element, name: str, **attributes: str) -> ElementTree.Element:
    return ElementTree.SubElement(parent, f"{{{_ATOM}}}{name}", attributes)


def _text(parent: ElementTree.Element, name: str, text: str) -> None:
    """Add an element with text. Characters that XML forbids (controls) become spaces."""
    _part(parent, name).text = "".join(sign if sign in "\n\t" or " " <= sign < "\ufffe" else " " for sign in text)


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
