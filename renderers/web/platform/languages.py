"""In which language a page is said: as its address asks (`?lang=en`), else as this browser chose before, else French.

The choice is kept in a cookie of its own, for a year. An address that holds it is never kept by shared caches, and what
they keep varies with cookies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast
from urllib.parse import quote, urlencode

from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import HTTPException

from renderers.i18n.translations import OFFERED, REFERENCE, SPOKEN

COOKIE: Final = "langue"
ASKED: Final = "lang"
_ONE_YEAR: Final = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class LanguageChoice:
    """Another language in which this page can be read."""

    code: str
    href: str


def install(app: Flask, https: bool) -> None:
    """Makes each request speak a language, and each browser remember it."""

    name = f"__Host-{COOKIE}" if https else COOKIE

    def choose() -> None:
        wanted = (request.args.get(ASKED, ""), request.cookies.get(name, ""))
        g.language = next((one for one in wanted if one in SPOKEN), REFERENCE)

    def remember(response: Response) -> Response:
        asked = request.args.get(ASKED, "")
        if asked in SPOKEN and request.cookies.get(name) != asked:
            response.set_cookie(
                name, asked, max_age=_ONE_YEAR, path="/", httponly=True, samesite="Lax", secure=https
            )  # fmt: skip
        return response

    app.before_request(choose)
    app.after_request(remember)


def language() -> str:
    """The language of the page being made."""
    return cast(str, g.get("language", REFERENCE))


def choices(home: str) -> list[LanguageChoice]:
    """The other languages offered, each with the address of this same page; `home` for what only a post can show. It is
    written so that no browser takes it for another site's (`/\\elsewhere`)."""
    path, others = (quote(request.path), request.args.items(multi=True)) if _opens() else (home, iter(()))
    kept = [(name, value) for name, value in others if name != ASKED]
    return [
        LanguageChoice(code, f"{path}?{urlencode([*kept, (ASKED, code)])}") for code in OFFERED if code != language()
    ]


def _opens() -> bool:
    """Does the address of this page open it by itself?"""
    if request.method in ("GET", "HEAD"):
        return True
    try:
        current_app.create_url_adapter(request).match(request.path, method="GET")  # type: ignore[union-attr]
    except HTTPException:
        return False
    return True
