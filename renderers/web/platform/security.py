"""Security of all requests and responses: limits of input, headers, cookie, tokens of forms, and compression."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from base64 import b85decode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, Response, abort, current_app, g, request, session
from flask.json.tag import TaggedJSONSerializer
from flask.sessions import SecureCookieSessionInterface
from flask_wtf import CSRFProtect
from itsdangerous import BadSignature, Signer, URLSafeTimedSerializer
from werkzeug import formparser
from werkzeug.datastructures import Headers
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import MultipartDecoder
from zlib_ng import zlib_ng

from engine.services.keys.signing_keys import Box

LARGEST_BODY: Final = 45_000_000
LARGEST_FIELD: Final = 64 * 1024
MOST_FIELDS: Final = 500
LARGEST_FORM: Final = LARGEST_FIELD * 8  # bytes of all fields together, without files
LARGEST_HEAD: Final = 2048  # bytes before the content of a part of a form: its names and its kind
_PLAIN_FORM: Final = "application/x-www-form-urlencoded"
_SEALED: Final = "~"  # starts a cookie of this release
_SECONDS: Final = 6  # bytes of the time of a cookie
_TAG: Final = 16  # bytes of the tag of a form token: half of the digest (RFC 2104, section 5)
_CALLBACKS: Final = "/retours/"  # of payment operators, whose body is left unread
_SQUEEZED_FROM: Final = 600
_LEVEL: Final = 4  # 2 % more bytes than level 6 of zlib, in less than half the time
_GZIP: Final = 31  # window of 32 KiB, header and checksum of gzip (RFC 1952)
_SQUEEZABLE: Final = ("text/", "application/json", "application/problem+json", "image/svg+xml", "application/ld+json")

# Without blanks, because each response carries it.
POLICY: Final = (
    "default-src 'none';script-src 'self';style-src 'self';img-src 'self';font-src 'self';connect-src 'self';"
    "form-action 'self';base-uri 'none';object-src 'none';frame-ancestors 'none';require-trusted-types-for 'script'"
)
SHARED: Final = "public, max-age=60"  # for pages equal for all visitors
FILE_POLICY: Final = "sandbox; default-src 'none'; frame-ancestors 'none'"
ASSET_POLICY: Final = "default-src 'none';frame-ancestors 'none'"  # style sheets, scripts and pictures load nothing
_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(),geolocation=(),microphone=(),payment=(),usb=()",
}


class EarlierJson:
    """Reads the content of a cookie of the release before."""

    def __init__(self, box: Box, plain: TaggedJSONSerializer) -> None:
        self._box, self._plain = box, plain

    def loads(self, sealed: str) -> Any:
        """Return the value of an encrypted text."""
        return self._plain.loads(self._box.open(b85decode(sealed)).decode())


class SealedCookie:
    """Serializer of the browser's small cookie: encrypted and authenticated JSON with the second of its writing.

    A cookie of the release before, encrypted and signed apart, is read and never written.
    """

    def __init__(self, box: Box, plain: TaggedJSONSerializer, before: URLSafeTimedSerializer) -> None:
        self._box, self._plain, self._before = box, plain, before

    def dumps(self, value: Any) -> str:
        """Return the value as encrypted text."""
        said = self._plain.dumps(value).encode()
        return _SEALED + urlsafe_b64encode(self._box.seal(int(time.time()).to_bytes(_SECONDS, "big") + said)).decode()

    def loads(self, sealed: str, max_age: int) -> Any:
        """Return the value. Raises `BadSignature` for a changed text, or one older than so many seconds."""
        if not sealed.startswith(_SEALED):
            return self._before.loads(sealed, max_age=max_age)
        try:
            said = self._box.open(urlsafe_b64decode(sealed.removeprefix(_SEALED)))
        except ValueError as wrong:
            raise BadSignature("not sealed here") from wrong
        if time.time() - int.from_bytes(said[:_SECONDS], "big") > max_age:
            raise BadSignature("too old")
        return self._plain.loads(said[_SECONDS:].decode())


class SmallCookie(SecureCookieSessionInterface):
    """The browser's cookie, unreadable there, because it may hold a typed phone number."""

    digest_method = staticmethod(hashlib.sha256)

    def __init__(self) -> None:
        self._sealing: Any = None  # set by the first request; one secret has one serializer

    def get_signing_serializer(self, app: Flask) -> Any:
        """Return the serializer, the same for all requests. None without a secret key."""
        if self._sealing is None:
            before = super().get_signing_serializer(app)
            if before is not None:
                former = [str(one).encode() for one in app.config["SECRET_KEY_FALLBACKS"] or ()]
                box = Box(str(app.secret_key).encode(), "the browser's small cookie", *former)
                before.serializer = EarlierJson(box, self.serializer)
                self._sealing = SealedCookie(box, self.serializer, before)
        return self._sealing


class FormTokens(CSRFProtect):
    """Check of the token of posted forms: `<nonce>.<HMAC of nonce and key>`, the key in the browser's cookie.

    The nonce makes each token differ, so that the length of a compressed page says nothing of it. A token of the
    release before is checked by flask-wtf.
    """

    def protect(self, apply_exemptions: bool = False) -> None:
        """Refuse a post without a valid token, unless its view is exempt."""
        if request.method != "POST" or request.path.startswith(_CALLBACKS):
            return super().protect(apply_exemptions)
        token = request.form.get("csrf_token", "") or request.headers.get(
            "X-CSRFToken", ""
        )  # a script sends pieces of a file
        if not is_form_token(token):
            return super().protect(apply_exemptions)
        g.csrf_valid = True
        return None


class ShortHeads(MultipartDecoder):
    """Reader of forms with files. werkzeug limits no head, and makes an object of each of its lines and parameters."""

    def _parse_headers(self, data: bytes | bytearray) -> Headers:
        if len(data) > LARGEST_HEAD:
            raise RequestEntityTooLarge
        return super()._parse_headers(data)


formparser.MultipartDecoder = ShortHeads  # type: ignore[misc]


def csrf_token(key: str) -> str:
    """Return a token for the forms of one answer. `key` is that of the browser's cookie."""
    if "csrf_token" not in g:
        nonce = secrets.token_urlsafe(9)
        g.csrf_token = f"{nonce}.{_tag(nonce, key, str(current_app.secret_key))}"
    return str(g.csrf_token)


def is_form_token(token: str) -> bool:
    """Return whether a token is one that the forms of this browser have."""
    return _is_token(token, session.get("csrf_token", ""))


def _is_token(token: str, key: str) -> bool:
    nonce, dot, tag = token.partition(".")
    known = [current_app.secret_key, *(current_app.config["SECRET_KEY_FALLBACKS"] or ())] if dot and key else []
    return any(hmac.compare_digest(tag.encode(), _tag(nonce, key, str(one)).encode()) for one in known)


def _tag(nonce: str, key: str, secret: str) -> str:
    tag = hmac.new(f"form token\x1f{secret}".encode(), f"{nonce}.{key}".encode(), hashlib.sha256).digest()[:_TAG]
    return urlsafe_b64encode(tag).decode().rstrip("=")


def harden(app: Flask, https: bool) -> None:
    """Set the limits and the headers of an application."""
    app.session_interface = SmallCookie()
    Signer.default_digest_method = staticmethod(hashlib.sha256)  # for form tokens, where flask-wtf sets none
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.config["MAX_FORM_MEMORY_SIZE"] = LARGEST_FORM
    app.config["MAX_FORM_PARTS"] = MOST_FIELDS
    app.before_request(_refuse_nul)
    app.before_request(_refuse_floods)
    app.wsgi_app = _head_as_get(app.wsgi_app)  # type: ignore[assignment, method-assign]

    def finish(response: Response) -> Response:
        _guard(response, https)
        return _squeeze(response)

    app.after_request(finish)


def unlisted(response: Response) -> Response:
    """Close a page whose address is a secret: not stored, not indexed, its address told to no other page."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _head_as_get(within: WSGIApplication) -> WSGIApplication:
    """Answer HEAD as GET without a body. A view that acts on other methods never takes it for a post."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "HEAD":
            return within(environ, start_response)
        environ["REQUEST_METHOD"] = "GET"
        body = within(environ, start_response)
        if close := getattr(body, "close", None):
            close()
        return []

    return answer


def _refuse_nul() -> None:
    """Refuse a NUL in the address or the query, because no text has one and not every store accepts it."""
    if "\0" in request.path:
        abort(404)
    if b"%00" in request.query_string or b"\0" in request.query_string:
        abort(400)


def _refuse_floods() -> None:
    """Refuse too many or too long fields, a NUL, a part without a name, and a multipart body cut before its last field.

    The fields of a form without files are counted before werkzeug reads them: it limits only multipart forms, and takes
    15 s for ten megabytes of `a&`.
    """
    if request.mimetype == _PLAIN_FORM:
        request.max_content_length = LARGEST_FORM
    if request.method != "POST" or request.path.startswith(_CALLBACKS):
        return
    if request.mimetype == _PLAIN_FORM and request.get_data().count(b"&") >= MOST_FIELDS:
        abort(413)
    form = request.form
    fields = list(form.items(multi=True))
    if len(fields) > MOST_FIELDS or any(len(value) > LARGEST_FIELD for _, value in fields):
        abort(413)
    if None in form or None in request.files:
        abort(400)
    if "\0" in "".join(name + value for name, value in fields):
        abort(400)
    if request.mimetype == "multipart/form-data" and "end" not in form:
        abort(400)


def _guard(response: Response, https: bool) -> None:
    said = {name.lower() for name, _ in response.headers}
    response.headers.extend([(name, value) for name, value in _HEADERS.items() if name.lower() not in said])
    if https:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
    if "Cache-Control" not in response.headers:
        shared = g.get("shareable", False) and response.status_code == 200 and "Set-Cookie" not in response.headers
        response.headers["Cache-Control"] = SHARED if shared else "no-store"
        if shared:
            response.vary.add("Cookie")


def _squeeze(response: Response) -> Response:
    """Compress text of 600 bytes or more."""
    kind = response.mimetype or ""
    if response.direct_passthrough or response.is_streamed or "Content-Encoding" in response.headers:
        return response
    if not kind.startswith(_SQUEEZABLE):
        return response
    response.vary.add("Accept-Encoding")
    if not request.accept_encodings["gzip"] or response.status_code in (204, 304):
        return response
    body = response.get_data()
    if len(body) >= _SQUEEZED_FROM:
        response.set_data(zlib_ng.compress(body, _LEVEL, wbits=_GZIP))
        response.headers["Content-Encoding"] = "gzip"
    return response
