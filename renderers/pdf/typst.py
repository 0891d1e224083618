"""PDF through Typst, the only module that imports typst: a bundled template and plain data in, bytes out.

Text of definitions and people is never source text, because the template reads it as JSON. The fonts are those
embedded in typst. They hold the letters of Ewe and Kabiyè, so a document looks the same on every machine.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from engine.core.values import Plain

FOLDER: Final = Path(__file__).parents[1] / "templates" / "pdf"
TEMPLATES: Final = frozenset(path.stem for path in FOLDER.glob("*.typ"))


def render_pdf(template: str, data: Plain, images: dict[str, bytes] | None = None) -> bytes:
    """Return the PDF of a bundled template (`certificate`, `receipt`, `summary`) over this data, tagged (PDF/UA-1).

    `images` are SVG texts shown under these keys of the data. Raises LookupError for an unknown template.
    """
    if template not in TEMPLATES:
        raise LookupError(template)
    pictures: dict[str, Plain] = {name: image.decode("utf-8") for name, image in (images or {}).items()}
    payload = json.dumps({"data": data, "images": pictures}, ensure_ascii=False)
    import typst  # a compiler, loaded by the first document

    try:
        return _compiled(template, payload, tagged=True)
    except typst.TypstError:  # PDF/UA refuses a missing glyph; an untagged document is issued instead
        return _compiled(template, payload, tagged=False)


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


def _compiled(template: str, payload: str, tagged: bool) -> bytes:
    """Return the PDF, with the embedded fonts and to the standard if `tagged`, else with all fonts of the machine."""
    import typst

    pdf: bytes = typst.compile(
        str(FOLDER / f"{template}.typ"),
        root=str(FOLDER),
        format="pdf",
        ignore_system_fonts=tagged,
        sys_inputs={"payload": payload},
        pdf_standards=["ua-1"] if tagged else [],
    )
    return pdf
