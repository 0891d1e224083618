"""PDF through Typst, the only module that imports typst: a bundled template and plain data in, bytes out.

Text of definitions and people is never source text, because the template reads it as JSON. The fonts are those
embedded in typst. They hold the letters of Ewe and Kabiyè, so a document looks the same on every machine.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from engine.core.values import Plain

FOLDER: Final = Path(__file__).parents[1] / "templates" / "pdf"
TEMPLATES: Final = frozenset(path.stem for path in FOLDER.glob("*.typ"))
TAGGED: Final = ("ua-1",)
ARCHIVED: Final = ("a-3a", "ua-1")
_KEPT: Final = "files"  # of a paper: its signed content, which stays as it is
# typst stops at a syllable of more than 255 signs, and in the scripts of India a syllable has no longest form
_SYLLABLE: Final = re.compile("([\u0900-\u0dff\u200c\u200d]{60})(?=[\u0900-\u0dff\u200c\u200d])")


class Undrawable(RuntimeError):
    """A text at which typst stops with a panic of its own, which Python does not count among the exceptions."""


def render_pdf(
    template: str, data: Plain, images: dict[str, bytes] | None = None, standards: Sequence[str] = TAGGED
) -> bytes:
    """Return the PDF of a bundled template (`certificate`, `attest`) over this data, to these standards.

    `images` are SVG texts shown under these keys of the data. The standards refuse a sign that no embedded font has: the
    PDF is then drawn without standard, with the fonts of the machine. Where that fails too, endless syllables are cut.
    Raises LookupError for an unknown template, RuntimeError where nothing can be drawn.
    """
    if template not in TEMPLATES:
        raise LookupError(template)
    pictures: dict[str, Plain] = {name: image.decode("utf-8") for name, image in (images or {}).items()}
    payload = json.dumps({"data": data, "images": pictures}, ensure_ascii=False)
    for wanted in (standards, ()):
        with suppress(RuntimeError):  # a `TypstError` is one
            return _compiled(template, payload, wanted)
    return _compiled(template, json.dumps({"data": _cut(data), "images": pictures}, ensure_ascii=False), ())


def _cut(value: Plain) -> Plain:
    """Return the value with a space without width in each endless syllable of its texts."""
    if isinstance(value, str):
        return _SYLLABLE.sub("\\1\u200b", value)
    if isinstance(value, Mapping):
        return {key: one if key == _KEPT else _cut(one) for key, one in value.items()}
    return [_cut(one) for one in value] if isinstance(value, (list, tuple)) else value


def letter_shapes(drawings: tuple[tuple[str, tuple[str, ...]], ...]) -> tuple[bytes, ...]:
    """Return one SVG for each drawing of `art.typ`, with its words: its letters are outlines, so nobody copies them."""
    said = [{"drawing": name, "words": [_cut(word) for word in words]} for name, words in drawings]
    payload = json.dumps(said, ensure_ascii=False)
    pages = _compile(
        str(FOLDER / "art.typ"),
        root=str(FOLDER),
        format="svg",
        ignore_system_fonts=True,
        sys_inputs={"payload": payload},
    )
    return tuple(pages if isinstance(pages, list) else [pages])


def has_letters() -> bool:
    """Return whether the embedded fonts draw the letters of the country's languages.

    PDF/UA refuses a missing glyph.
    """
    import typst

    text = '#set document(title: "x", date: none)\n#set text(lang: "fr")\nÉ ç œ « » Ɖ ɖ Ɛ ɛ Ƒ ƒ Ɣ ɣ Ŋ ŋ Ɔ ɔ Ʋ ʋ Ɩ ɩ ñ ã'
    try:
        typst.compile(text.encode(), format="pdf", ignore_system_fonts=True, pdf_standards=["ua-1"])
    except (typst.TypstError, OSError):
        return False
    return True


def _compiled(template: str, payload: str, standards: Sequence[str]) -> bytes:
    """Return the PDF, with the embedded fonts and to the standards if any, else with all fonts of the machine."""
    pdf: bytes = _compile(
        str(FOLDER / f"{template}.typ"),
        root=str(FOLDER),
        format="pdf",
        ignore_system_fonts=bool(standards),
        sys_inputs={"payload": payload},
        pdf_standards=[*standards],
    )
    return pdf


def _compile(source: str, **options: Any) -> Any:
    """Compile a source. Raises RuntimeError: `TypstError`, or `Undrawable` for a panic.

    A panic is a `BaseException`. A request that ended with it would have no answer.
    """
    import typst  # a compiler, loaded by the first document

    try:
        return typst.compile(source, **options)
    except (Exception, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as panic:
        raise Undrawable(str(panic)) from None
