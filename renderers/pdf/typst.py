"""The one door to typst: a bundled template's name and plain data in, PDF bytes out.

Nothing a definition or a person wrote is ever source text: the template reads it as JSON. Fonts are those typst embeds,
which hold the letters of Ewe and Kabiyè, so that a document looks the same on every machine.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from engine.core.values import Plain

FOLDER: Final = Path(__file__).parents[1] / "templates" / "pdf"
TEMPLATES: Final = frozenset(path.stem for path in FOLDER.glob("*.typ"))


def render_pdf(template: str, data: Plain, images: dict[str, bytes] | None = None) -> bytes:
    """The PDF of a bundled template (`certificate`, `receipt`, `summary`) over this data, tagged (PDF/UA-1).

    `images` are SVG texts the template shows under these keys of the data, as text.
    """
    if template not in TEMPLATES:
        raise LookupError(template)
    pictures: dict[str, Plain] = {name: image.decode("utf-8") for name, image in (images or {}).items()}
    payload = json.dumps({"data": data, "images": pictures}, ensure_ascii=False)
    import typst  # a compiler: loaded by the first paper that is drawn

    try:
        return _compiled(template, payload, tagged=True)
    except typst.TypstError:  # a sign that our fonts do not have: the standard refuses it, the person still has a paper
        return _compiled(template, payload, tagged=False)


def has_letters() -> bool:
    """Whether what is embedded draws the letters of the country's languages: the standard refuses a sign without a shape."""
    import typst

    text = '#set document(title: "x", date: none)\n#set text(lang: "fr")\nÉ ç œ « » Ɖ ɖ Ɛ ɛ Ƒ ƒ Ɣ ɣ Ŋ ŋ Ɔ ɔ Ʋ ʋ Ɩ ɩ ñ ã'
    try:
        typst.compile(text.encode(), format="pdf", ignore_system_fonts=True, pdf_standards=["ua-1"])
    except (typst.TypstError, OSError):
        return False
    return True


def _compiled(template: str, payload: str, tagged: bool) -> bytes:
    """`tagged`: to the standard, with our fonts alone; else with any font of the machine, a square where none has the
    sign."""
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
