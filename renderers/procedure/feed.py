"""The feed of what changed, in Atom (RFC 4287): one entry an edition put in service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from xml.etree import ElementTree

_ATOM: Final = "http://www.w3.org/2005/Atom"


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """`id` and `link` are whole addresses; `themes` what the changes are about: price, questions…"""

    id: str
    title: str
    at: datetime
    link: str
    text: str
    author: str
    themes: tuple[tuple[str, str], ...]  # name, label


def atom(title: str, address: str, page: str, language: str, entries: Sequence[FeedEntry], never: datetime) -> bytes:
    """`address` is the feed's own, `page` the page it tells of; `never` the moment said when nothing was published."""
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
    """What XML cannot hold (controls) becomes a space."""
    _part(parent, name).text = "".join(sign if sign in "\n\t" or " " <= sign < "\ufffe" else " " for sign in text)


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
