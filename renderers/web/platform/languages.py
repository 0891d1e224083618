"""Language of a page: that of its address (`?lang=en`) or its button, else the browser's earlier choice, else French.

A page with a form has a button instead of a link: it posts what was typed, then the page is shown in that language.

The choice is stored in its own cookie for a year, and a browser goes on to the address without it. Shared caches
store no address that holds it, and their pages vary by cookie.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast
from urllib.parse import quote, urlencode

from flask import Flask, Response, current_app, g, redirect, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from renderers.i18n.translations import OFFERED, REFERENCE, SPOKEN

COOKIE: Final = "langue"
ASKED: Final = "lang"
_BUTTON: Final = "lang-"  # the start of the value of the button
_ONE_YEAR: Final = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class LanguageChoice:
    """Another language of this page, with its address."""

    code: str
    href: str


def install(app: Flask, https: bool) -> None:
    """Set the language of each request, and store the choice of each browser."""

    name = f"__Host-{COOKIE}" if https else COOKIE

    def choose() -> AnyResponse | None:
        asked = g.asked_language = _asked()
        g.language = next((one for one in (asked, request.cookies.get(name, "")) if one in SPOKEN), REFERENCE)
        is_page = request.method == "GET" and "text/html" in request.headers.get("Accept", "")
        return redirect(_address(quote(request.path), _others()), 303) if is_page and asked in SPOKEN else None

    def remember(response: Response) -> Response:
        asked = g.get("asked_language", "")  # none of a post that was refused before it was read
        if asked in SPOKEN and request.cookies.get(name) != asked:
            response.set_cookie(
                name, asked, max_age=_ONE_YEAR, path="/", httponly=True, samesite="Lax", secure=https
            )  # fmt: skip
        return response

    app.before_request(choose)
    app.after_request(remember)


def is_switching() -> bool:
    """Return whether a form was posted only to be shown in another language."""
    return request.method == "POST" and request.form.get("go", "").startswith(_BUTTON)


def _asked() -> str:
    """Return the language that the address or the button asks for. The body of a callback is left unread."""
    if request.method == "POST" and not request.path.startswith("/retours/") and is_switching():
        return request.form["go"].removeprefix(_BUTTON)
    return request.args.get(ASKED, "")


def language() -> str:
    """Return the language of the present page."""
    return cast(str, g.get("language", REFERENCE))


def choices(home: str) -> list[LanguageChoice]:
    """Return the other languages with the address of this page, or `home` for a page that only a post shows.

    The address is quoted, because browsers may read a backslash in it as another site.
    """
    path, others = (quote(request.path), _others()) if _opens() else (home, [])
    return [LanguageChoice(code, _address(path, [*others, (ASKED, code)])) for code in OFFERED if code != language()]


def _others() -> list[tuple[str, str]]:
    """Return the query of this address without the language."""
    return [(name, value) for name, value in request.args.items(multi=True) if name != ASKED]


def _address(path: str, query: list[tuple[str, str]]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _opens() -> bool:
    """Return whether a GET of this address opens the page."""
    if request.method in ("GET", "HEAD"):
        return True
    try:
        current_app.create_url_adapter(request).match(request.path, method="GET")  # type: ignore[union-attr]
    except HTTPException:
        return False
    return True
