"""The frame of the portal: what its file may say, and the emblems that are refused."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from engine.core.values import Text
from engine.operations.portal import LARGEST_PNG, LARGEST_SVG, Portal, WrongPortal, check_emblem, read_portal

GOOD = '<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><title>Emblème</title><defs><path id="a" d="M0 0h9v9z"/></defs><use href="#a" fill="url(#b)"/></svg>\n'


def svg(inside: str, attributes: str = "") -> bytes:
    return f'<svg xmlns="http://www.w3.org/2000/svg"{attributes}>{inside}</svg>'.encode()


def png(width: int, height: int, weight: int = 0) -> bytes:
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", width, height, 8, 6, 0, 0, 0)
    return head + b"\0" * max(0, weight - len(head))


HOSTILE = {
    "a script": (svg("<script>alert(1)</script>"), "emblem_hostile"),
    "a foreign page": (svg("<foreignObject><p>x</p></foreignObject>"), "emblem_hostile"),
    "an event": (svg('<path d="M0 0" onload="alert(1)"/>'), "emblem_hostile"),
    "an event on the root": (svg("", ' onclick="x()"'), "emblem_hostile"),
    "a link that runs": (svg('<use xlink:href="javascript:alert(1)"/>'), "emblem_hostile"),
    "a far picture": (svg('<use href="https://evil.example/a.svg#b"/>'), "emblem_hostile"),
    "an entity": (b'<!DOCTYPE svg [<!ENTITY a "aaaa">]>' + svg("&a;"), "emblem_hostile"),
    "a style sheet": (svg("<style>@import url(https://evil.example)</style>"), "emblem_hostile"),
    "a far paint": (svg('<path fill="url( https://evil.example/p#a)" d=""/>'), "emblem_hostile"),
    "a style sheet before it": (b'<?xml-stylesheet href="https://evil.example"?>' + svg(""), "emblem_hostile"),
    "an animation": (svg('<set attributeName="href" to="javascript:alert(1)"/>'), "emblem_hostile"),
    "a hidden link": (svg('<use href="&#x6a;avascript:alert(1)"/>'), "emblem_hostile"),
    "a page": (b"<html><svg></svg></html>", "emblem_hostile"),
    "a tag left open": (svg("<g>"), "emblem_hostile"),
    "what follows the drawing": (svg("") + b"<svg onload='x()'/>", "emblem_hostile"),
    "another type": (b"GIF89a" + b"\0" * 40, "emblem_type"),
    "no picture": (b"\xff\xfe<svg></svg>", "emblem_type"),
    "a heavy drawing": (svg(f'<path d="{"M0 0h1" * 800}"/>'), "emblem_heavy"),
    "a heavy picture": (png(44, 44, LARGEST_PNG + 1), "emblem_heavy"),
    "a picture that unfolds": (png(30_000, 30_000), "emblem_heavy"),
    "an empty picture": (png(0, 0), "emblem_type"),
}


@pytest.mark.parametrize("named", HOSTILE)
def test_a_hostile_or_heavy_emblem_is_refused(named: str) -> None:
    body, code = HOSTILE[named]
    with pytest.raises(WrongPortal) as refused:
        check_emblem(body, "emblem.svg")
    assert refused.value.code == code


def test_a_drawing_and_a_picture_are_emblems() -> None:
    assert check_emblem(GOOD.encode(), "a").name == "emblem.svg"
    assert check_emblem(png(44, 44), "a").type == "image/png"
    assert len(GOOD) < LARGEST_SVG


def written(tmp_path: Path, text: str) -> Path:
    (tmp_path / "emblem.svg").write_text(GOOD, "utf-8")
    file = tmp_path / "portal.toml"
    file.write_text(text, "utf-8")
    return file


def test_without_a_file_nothing_is_set() -> None:
    assert read_portal(None) == Portal()
    assert len(Portal().missing()) == 9
    assert Portal().band() == ""


def test_each_key_is_read(tmp_path: Path) -> None:
    file = written(tmp_path, """
        [portal]
        country = "République togolaise"
        hours = {fr = "lundi", en = "Monday"}
        emblem = "emblem.svg"
        colours = ["#006a4e", "#ffce31", "#D21034"]
        address = "services.gouv.tg"
        phone = "+228 22 00 00 00"
        report = "8484"
    """)  # fmt: skip
    portal = read_portal(file)
    assert portal.missing() == ("motto", "brand")
    assert portal.hours == Text.of({"fr": "lundi", "en": "Monday"})
    assert portal.emblem is not None
    assert portal.emblem.body == GOOD.encode()
    assert portal.band() == (
        "\n:root{--band:linear-gradient(90deg,#006a4e 0% 33.33%,#ffce31 33.33% 66.67%,#D21034 66.67% 100%)}"
    )


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("country = 7", "value"), ("country = ''", "value"), ('motto = {french = "x"}', "value"), ("colours = ['red', 'blue']", "colours"),
        ("colours = ['#006a4e']", "colours"), ("colours = ['#006a4e;}*{', '#ffce31']", "colours"), ("address = 'https://x'", "value"),
        ("phone = 'call'", "value"), ("report = 'http://plaintes.tg'", "value"), ("report = 'javascript:x'", "value"), ("color = 'x'", "key"),
        ("emblem = 'none.svg'", "unread"), ("emblem = 3", "value"), ("[", "toml"),
    ],
)  # fmt: skip
def test_a_wrong_value_says_which(tmp_path: Path, line: str, code: str) -> None:
    with pytest.raises(WrongPortal) as refused:
        read_portal(written(tmp_path, f"[portal]\n{line}\n"))
    assert refused.value.code == code


@pytest.mark.parametrize(("text", "code"), [(None, "unread"), ("x = 1", "toml"), ("portal = 1", "key")])
def test_a_missing_file_or_table_is_told(tmp_path: Path, text: str | None, code: str) -> None:
    with pytest.raises(WrongPortal) as refused:
        read_portal(tmp_path / "none.toml" if text is None else written(tmp_path, text))
    assert refused.value.code == code
