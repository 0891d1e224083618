"""Official papers: the frozen content of an issued document, drawn by the template of its kind. Returned as PDF bytes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from engine.core.values import Plain, canonical_json
from renderers.pdf.qr import qr_svg
from renderers.pdf.typst import ARCHIVED, letter_shapes, render_pdf

KINDS: Final = frozenset({"attest", "act", "letter", "slip", "money", "form"})
VALID: Final = "valid"
CONTENT: Final = "acte.json"
_MIME: Final = {"json": "application/json", "jws": "application/jose"}
_UNDATED: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SPECIMEN: Final = {"en": "SPECIMEN"}


def paper_pdf(
    paper: Mapping[str, Plain], *, worth: str = VALID, stamp: str = "", attachments: Mapping[str, bytes] | None = None
) -> bytes:
    """Return a paper as a PDF/A-3a that carries its own content as `acte.json`.

    `worth` is what the paper is worth today. Any other than `valid` draws `stamp` across the page, such as
    `RETIRÉ LE 3 MAI 2026`. `attachments` adds files by name, such as `acte.jws`, or replaces `acte.json`. The same
    paper and worth give the same bytes. A sign that no embedded font has costs the standard, not the paper. Raises
    LookupError for an unknown template, ValueError where a paper that is not valid has no stamp.
    """
    template = _text(paper, "template")
    if template not in KINDS:
        raise LookupError(template)
    if worth != VALID and not stamp:
        raise ValueError(f"a paper that is {worth} has a stamp")
    stamp = stamp if worth != VALID else ""
    language, holder = _text(paper, "lang"), _holder(paper)
    issued = _issued(paper)
    mark = _SPECIMEN.get(language, "SPÉCIMEN") if paper.get("specimen") else ""
    data: dict[str, Plain] = {
        "paper": dict(paper),
        "lang": language if language in {"fr", "en"} else "fr",
        "author": _author(paper),
        "holder": holder,
        "date": {part: getattr(issued, part) for part in ("year", "month", "day", "hour", "minute", "second")},
        "mark": mark,
        "stamp": " – ".join(filter(None, (mark, stamp))) if stamp else "",
        "files": _files(paper, attachments or {}),
    }
    images = _pictures(paper, holder, mark, stamp)
    try:
        return render_pdf(template, data, images, ARCHIVED)
    except RuntimeError:  # the emblem of an agency is not always a picture that can be drawn
        if "emblem" not in images:
            raise
        return render_pdf(template, data, {key: images[key] for key in images if key != "emblem"}, ARCHIVED)


def _pictures(paper: Mapping[str, Plain], holder: str, mark: str, stamp: str) -> dict[str, bytes]:
    """Return the pictures of a paper: its square, its emblem, and what is drawn of letters turned into outlines."""
    verify, seal = _zone(paper, "verify"), _zone(paper, "seal")
    line = " ".join(part for part in (_text(paper, "number"), holder, _text(verify, "code")) if part).upper()
    drawings: dict[str, tuple[str, ...]] = {"microline": (line,)}
    if _text(seal, "around"):
        drawings["seal"] = (_text(seal, "around"), _text(seal, "middle"))
    if stamp:
        drawings["stamp"] = (stamp,)
    elif mark:
        drawings["mark"] = (mark,)
    images = dict(zip(drawings, letter_shapes(tuple(drawings.items())), strict=True))
    address, emblem = _text(verify, "address"), _text(_zone(paper, "heading"), "emblem")
    if address:
        images["qr"] = qr_svg(address, error="q", border=0).encode()
    if emblem:
        images["emblem"] = emblem.encode()
    return images


def _holder(paper: Mapping[str, Plain]) -> str:
    """Return who or what the paper is about, for its next pages: `holder`, else the addressee, else two particulars."""
    named = _text(paper, "holder") or "".join(_words(paper.get("addressee"))[:1])
    rows = _zone(paper, "particulars").get("rows")
    values = [_words(row)[1:2] for row in rows[:2]] if isinstance(rows, (list, tuple)) else []
    return (named or " ".join(value for row in values for value in row)).replace("**", "")


def _author(paper: Mapping[str, Plain]) -> str:
    heading = _zone(paper, "heading")
    return _text(heading, "service") or "".join(_words(heading.get("authorities"))[-1:])


def _issued(paper: Mapping[str, Plain]) -> datetime:
    """Return the instant of issue, in UTC. A PDF that carries files must have a date, and never that of its drawing."""
    try:
        moment = datetime.fromisoformat(_text(paper, "issued"))
    except ValueError:
        return _UNDATED
    return moment.astimezone(UTC) if moment.tzinfo else moment


def _files(paper: Mapping[str, Plain], attachments: Mapping[str, bytes]) -> list[Plain]:
    files = {CONTENT: canonical_json(dict(paper)), **attachments}
    return [
        {"name": name, "text": body.decode("utf-8"), "mime": _MIME.get(name.rpartition(".")[2], "text/plain")}
        for name, body in sorted(files.items())
    ]


def _zone(paper: Mapping[str, Plain], key: str) -> Mapping[str, Plain]:
    value = paper.get(key)
    return value if isinstance(value, Mapping) else {}


def _text(paper: Mapping[str, Plain], key: str) -> str:
    value = paper.get(key)
    return value if isinstance(value, str) else ""


def _words(value: Plain) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, (list, tuple)) else []
