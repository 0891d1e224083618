"""PDF through Typst, the only module that imports typst: a bundled template and plain data in, bytes out.

Text of definitions and people is never source text, because the template reads it as JSON. The fonts are those
embedded in typst. They hold the letters of Ewe and Kabiyè, so a document looks the same on every machine.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from engine.core.values import Plain

FOLDER: Final = Path(__file__).parents[1] / "templates" / "pdf"
TEMPLATES: Final = frozenset(path.stem for path in FOLDER.glob("*.typ"))
TAGGED: Final = ("ua-1",)
ARCHIVED: Final = ("a-3a", "ua-1")


def render_pdf(
    template: str, data: Plain, images: dict[str, bytes] | None = None, standards: Sequence[str] = TAGGED
) -> bytes:
    """Return the PDF of a bundled template (`certificate`, `attest`) over this data, to these standards.

    `images` are SVG texts shown under these keys of the data. Raises LookupError for an unknown template. The standards
    refuse a sign that no embedded font has: the PDF is then drawn without standard, with the fonts of the machine.
    """
    if template not in TEMPLATES:
        raise LookupError(template)
    pictures: dict[str, Plain] = {name: image.decode("utf-8") for name, image in (images or {}).items()}
    payload = json.dumps({"data": data, "images": pictures}, ensure_ascii=False)
    import typst  # a compiler, loaded by the first document

    try:
        return _compiled(template, payload, standards)
    except typst.TypstError:
        return _compiled(template, payload, ())


def letter_shapes(drawings: tuple[tuple[str, tuple[str, ...]], ...]) -> tuple[bytes, ...]:
    """Return one SVG for each drawing of `art.typ`, with its words: its letters are outlines, so nobody copies them."""
    import typst

    payload = json.dumps([{"drawing": name, "words": words} for name, words in drawings], ensure_ascii=False)
    pages = typst.compile(
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
    import typst

    pdf: bytes = typst.compile(
        str(FOLDER / f"{template}.typ"),
        root=str(FOLDER),
        format="pdf",
        ignore_system_fonts=bool(standards),
        sys_inputs={"payload": payload},
        pdf_standards=[*standards],
    )
    return pdf
