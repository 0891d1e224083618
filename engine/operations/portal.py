"""The frame of the portal, read once at start from the TOML file of `GUICHET_PORTAL`.

    [portal]
    country = "République togolaise"       # each text may also be a table by language: {fr = "…", en = "…"}
    motto = "Travail – Liberté – Patrie"
    brand = "Services publics"
    emblem = "emblem.svg"                  # SVG of at most 4 KB or PNG of at most 6 KB, beside this file
    colours = ["#006a4e", "#ffce31", "#d21034"]
    address = "services.gouv.tg"           # the official host, which pages tell people to compare
    phone = "22 00 00 00"                  # the help line and its hours
    hours = {fr = "lundi à vendredi, 7 h 30 à 17 h", en = "Monday to Friday, 7:30 to 17:00"}
    report = "https://plaintes.gouv.tg"    # where a bribe is reported: a phone number or an https address

Every key is optional. Without the file pages show the names of the translations and one green band.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from engine.core.values import Text

LARGEST_SVG: Final = 4 * 1024
LARGEST_PNG: Final = 6 * 1024
_WIDEST: Final = 1024  # pixels: a small PNG may unfold into a very large picture
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_COLOUR: Final = re.compile(r"#[0-9a-fA-F]{6}")
_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{1,80})[a-z0-9]")
_PHONE: Final = re.compile(r"\+?[0-9][0-9 ]{1,20}")
_LANGUAGE: Final = re.compile(r"[a-z]{2}")
_LONGEST: Final = 120  # characters of a text

# The elements that only draw. All others are refused: scripts, embedded pages, style sheets, pictures, animations.
_DRAWING: Final = frozenset(
    [
        "svg",
        "g",
        "defs",
        "use",
        "symbol",
        "title",
        "desc",
        "path",
        "rect",
        "circle",
        "ellipse",
        "line",
        "polyline",
        "polygon",
        "text",
        "tspan",
        "clipPath",
        "mask",
        "linearGradient",
        "radialGradient",
        "stop",
    ]
)
_START: Final = re.compile(r'\s*(<\?xml version="1\.0"( encoding="(UTF|utf)-8")?( standalone="(yes|no)")?\?>)?\s*')
_ATTRIBUTE: Final = r"\s+([A-Za-z][\w:.-]*)\s*=\s*(\"[^\"<]*\"|'[^'<]*')"
_TAG: Final = re.compile(rf"<(/?)([A-Za-z][\w:.-]*)((?:{_ATTRIBUTE})*)\s*(/?)>")
_LINK: Final = re.compile(r"url\(\s*[\"']?\s*([^#\"'\s])", re.IGNORECASE)


class WrongPortal(Exception):
    """An invalid file or emblem: the code of a sentence, and its facts."""

    def __init__(self, code: str, **facts: str) -> None:
        super().__init__(f"{code} {facts}")
        self.code, self.facts = code, facts


@dataclass(frozen=True, slots=True)
class Emblem:
    """A checked picture: its name as a static file, its type and its content."""

    name: str
    type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Portal:
    """The texts, picture and colours of the frame. A value that is not set is empty."""

    country: Text | None = None
    motto: Text | None = None
    brand: Text | None = None
    emblem: Emblem | None = None
    colours: tuple[str, ...] = ()
    address: str = ""
    phone: str = ""
    hours: Text | None = None
    report: str = ""

    def missing(self) -> tuple[str, ...]:
        """Return the names of the keys that are not set."""
        return tuple(one.name for one in fields(self) if not getattr(self, one.name))

    def icon(self) -> Emblem:
        """Return the emblem, else a square of the colours for the icon alone: without one, browsers ask for a file."""
        colours = self.colours or ("#006a4e",)
        side = 60 // len(colours)
        stripes = "".join(f'<path fill="{one}" d="M{n * side} 0h{side}v60h-{side}z"/>' for n, one in enumerate(colours))
        body = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 60">{stripes}</svg>'.encode()
        return self.emblem or Emblem("icon.svg", "image/svg+xml; charset=utf-8", body)

    def band(self) -> str:
        """Return the rule of the style sheet that gives the band its colours, empty without colours."""
        share = 100 / max(1, len(self.colours))
        stops = (f"{one} {n * share:.4g}% {(n + 1) * share:.4g}%" for n, one in enumerate(self.colours))
        return f"\n:root{{--band:linear-gradient(90deg,{','.join(stops)})}}" if self.colours else ""


def read_portal(file: Path | None) -> Portal:
    """Return the frame described by a file, the empty one without a file. Raises `WrongPortal`."""
    if file is None:
        return Portal()
    try:
        written = tomllib.loads(file.read_text("utf-8"))["portal"]
    except (OSError, UnicodeDecodeError):
        raise WrongPortal("unread", name=str(file)) from None
    except (tomllib.TOMLDecodeError, KeyError) as wrong:
        raise WrongPortal("toml", name=str(file), why=str(wrong)) from None
    known = {one.name for one in fields(Portal)}
    unknown = sorted(set(written) - known) if isinstance(written, dict) else ["portal"]
    if unknown:
        raise WrongPortal("key", key=", ".join(unknown), keys=", ".join(sorted(known)))
    found = {key: _READERS[key](key, value, file.parent) for key, value in written.items()}
    return Portal(**found)


def _text(key: str, value: object, _: Path) -> Text:
    said = {"fr": value} if isinstance(value, str) else value
    if not isinstance(said, dict) or not said or not all(_is_line(one) for one in said.values()):
        raise WrongPortal("value", key=key)
    if not all(_LANGUAGE.fullmatch(code) for code in said):
        raise WrongPortal("value", key=key)
    return Text.of(said)


def _is_line(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value.strip()) <= _LONGEST and value.isprintable()


def _matching(pattern: re.Pattern[str]) -> Callable[[str, object, Path], str]:
    def read(key: str, value: object, _: Path) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise WrongPortal("value", key=key)
        return value

    return read


def _colours(key: str, value: object, _: Path) -> tuple[str, ...]:
    if not isinstance(value, list) or not 2 <= len(value) <= 4:
        raise WrongPortal("colours")
    if not all(isinstance(one, str) and _COLOUR.fullmatch(one) for one in value):
        raise WrongPortal("colours")
    return tuple(value)


def _emblem(key: str, value: object, folder: Path) -> Emblem:
    if not isinstance(value, str) or not value:
        raise WrongPortal("value", key=key)
    try:
        with (folder / value).open("rb") as file:
            body = file.read(max(LARGEST_SVG, LARGEST_PNG) + 1)
    except OSError:
        raise WrongPortal("unread", name=str(folder / value)) from None
    return check_emblem(body, value)


def check_emblem(body: bytes, name: str) -> Emblem:
    """Return a picture as an emblem. Raises `WrongPortal` if it is too heavy, or more than a drawing."""
    if body.startswith(_PNG):
        sides = int.from_bytes(body[16:20]), int.from_bytes(body[20:24])
        if len(body) > LARGEST_PNG or max(sides) > _WIDEST:
            raise WrongPortal("emblem_heavy", name=name, most=f"{LARGEST_PNG // 1024}", pixels=str(_WIDEST))
        if body[12:16] != b"IHDR" or not min(sides):
            raise WrongPortal("emblem_type", name=name)
        return Emblem("emblem.png", "image/png", body)
    try:
        drawing = body.decode("utf-8")
    except UnicodeDecodeError:
        raise WrongPortal("emblem_type", name=name) from None
    if "<svg" not in drawing:
        raise WrongPortal("emblem_type", name=name)
    if len(body) > LARGEST_SVG:
        raise WrongPortal("emblem_heavy", name=name, most=f"{LARGEST_SVG // 1024}", pixels=str(_WIDEST))
    if hostile := _beyond_drawing(drawing):
        raise WrongPortal("emblem_hostile", name=name, what=hostile)
    return Emblem("emblem.svg", "image/svg+xml; charset=utf-8", body)


def _beyond_drawing(text: str) -> str:
    """Return the first piece of an SVG that does more than draw, empty if there is none.

    Only whole tags of known elements are accepted, so that no reader of XML can see more than this function.
    """
    at, open_tags = _START.match(text).end(), list[str]()  # type: ignore[union-attr]
    while at < len(text):
        tag = _TAG.match(text, at)
        if tag is None:
            return text[at : at + 20].strip() or "<svg>"
        closes, name, attributes, ends = tag[1], tag[2], tag[3], tag[6]
        if name not in _DRAWING or (not open_tags and name != "svg"):
            return f"<{name}>"
        if closes and (not open_tags or open_tags.pop() != name or attributes):
            return f"</{name}>"
        for key, value in re.findall(_ATTRIBUTE, attributes):
            local, said = key.rpartition(":")[2].lower(), value[1:-1].strip()
            if local.startswith("on") or "&" in said or "\\" in said or _LINK.search(said):
                return f"{key}={value[:40]}"
            if local in ("href", "src", "base") and not said.startswith("#"):
                return f"{key}={value[:40]}"
        if not closes and not ends:
            open_tags.append(name)
        after = text.find("<", tag.end())
        between = text[tag.end() : after if after >= 0 else len(text)]
        if "&" in between or (not open_tags and between.strip()):
            return between.strip()[:20]
        at = after if after >= 0 else len(text)
        if not open_tags and after >= 0:
            return text[after : after + 20]
    return f"<{open_tags[-1]}>" if open_tags else ""


_READERS: Final[dict[str, Callable[[str, object, Path], Any]]] = {
    "country": _text, "motto": _text, "brand": _text, "hours": _text, "emblem": _emblem, "colours": _colours,
    "address": _matching(_HOST), "phone": _matching(_PHONE),
    "report": _matching(re.compile(rf"{_PHONE.pattern}|https://[!-~]{{4,200}}")),
}  # fmt: skip
