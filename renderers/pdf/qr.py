"""QR codes as SVG, the only module that imports segno."""

from __future__ import annotations

import io


def qr_svg(text: str, scale: int = 4) -> str:
    """Return the QR code of a text as an SVG without XML header, black on white, medium error correction."""
    import segno  # loaded by the first code

    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        out, kind="svg", scale=scale, border=2, xmldecl=False, svgns=True, omitsize=False
    )
    return out.getvalue().decode("utf-8")
