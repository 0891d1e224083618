"""QR codes as SVG, the only module that imports segno."""

from __future__ import annotations

import io


def qr_svg(text: str, scale: int = 4, *, error: str = "m", border: int = 2) -> str:
    """Return the QR code of a text as an SVG without XML header, black on white.

    `error` is the least correction: `m` for screens, `q` for papers that are folded and copied. Capitals and figures
    (`HTTPS://GUICHET.TG/V/…`) need a third fewer squares than small letters. `border` is in squares.
    """
    import segno  # loaded by the first code

    out = io.BytesIO()
    segno.make(text, error=error, micro=False).save(
        out, kind="svg", scale=scale, border=border, xmldecl=False, svgns=True, omitsize=False
    )
    return out.getvalue().decode("utf-8")


def qr_path(text: str) -> tuple[int, str]:
    """Return the QR code of a text for a page: its side in squares, and the path of its black squares."""
    svg = qr_svg(text, 1)
    return int(_between(svg, 'width="')), _between(svg, ' d="')


def _between(svg: str, start: str) -> str:
    return svg.partition(start)[2].partition('"')[0]
