"""Error pages: a sentence and links, never a trace. Machines get JSON (RFC 9457).

No typed text is lost. A form with an old token or an ended session is returned with its answers.
"""

from __future__ import annotations

import logging
import secrets
import uuid
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final

from flask import Flask, Response, current_app, jsonify, request, session
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge

from engine.core.problems import Refusal, Refused
from engine.records.codec import Unreadable
from engine.services.context.app_context import NotFound, WrongAnswers
from engine.services.context.edition_cache import EditionMissing
from engine.services.sign_in.sessions import without_secrets
from engine.storage.files.reserve import NoSpace
from engine.storage.results import AlreadyExists, Away, Busy, Conflict, Damaged
from renderers.i18n.log_format import request_id
from renderers.web.platform.access import public
from renderers.web.platform.request_context import actor, app_ctx, broken, go, language, moment_of, page, say, site
from renderers.web.platform.saved_posts import UNCARRIED, acting_for_another, file_names, taken_aside
from renderers.web.platform.security import LARGEST_BODY
from renderers.web.platform.uploads import NO_SPACE_STATUS

log = logging.getLogger("guichet.web")

_WAIT: str = "5"  # seconds until another attempt at a busy store
_REPAIR: str = "3600"  # seconds until another attempt at a damaged record
_LONG_WAIT: str = "600"  # seconds until another attempt at a full disk


def register(app: Flask) -> None:
    """Register a page for each refusal and each unexpected error, and the page of saved posts."""
    app.register_error_handler(CSRFError, _stale_form)
    app.register_error_handler(NotFound, lambda _: not_found())
    app.register_error_handler(Refused, lambda error: refused(error.reason))
    app.register_error_handler(WrongAnswers, lambda _: _plain("error.refused", [say("refusal.other")], 422))
    app.register_error_handler(Conflict, lambda _: conflict())
    app.register_error_handler(Busy, _busy)
    app.register_error_handler(AlreadyExists, lambda error: _busy(Busy(str(error))))  # another request was faster
    for damage in (Unreadable, EditionMissing, Damaged):
        app.register_error_handler(damage, _damaged)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _accident)
    app.add_url_rule("/reprendre", "resume", resume, methods=["GET"])


# -- sentences ---------------------------------------------------------------------------------------------------------


WAITS: Final = frozenset({"too_many_tries", "codes_paused"})  # refusals that end after some minutes


def sentence(reason: Refusal) -> str:
    """Return why an act is impossible, as a sentence."""
    return site().words.refusal(reason.code, reason.facts, language())


def until_then(reason: Refusal) -> str:
    """Return from when another attempt is accepted, for a refusal in `WAITS`. Rounded up to the minute."""
    key = "error.too_many_text" if reason.code == "too_many_tries" else f"error.{reason.code}_text"
    then = app_ctx().now() + timedelta(minutes=_minutes(reason), seconds=59)
    return say(key, moment=moment_of(then))


def _minutes(reason: Refusal) -> int:
    return int(str(reason.facts.get("minutes", 15)))


def refused(reason: Refusal, back: str = "") -> Response:
    """Return the page of a refused act: status 409, or 429 with `Retry-After` for a refusal in `WAITS`."""
    if reason.code in WAITS:
        key = "error.too_many" if reason.code == "too_many_tries" else f"error.{reason.code}"
        sent = (
            _sent_page(say(key), [until_then(reason), say("error.unkept")], 429)
            if "/dossiers/" in request.path
            else None
        )
        answer = sent or _plain(key, [until_then(reason)], 429)
        answer.headers["Retry-After"] = str(_minutes(reason) * 60)
        return answer
    return _plain("error.refused", [sentence(reason)], 409, back=back, kind=reason.code)


def not_found() -> Response:
    """Return the 404 page. Unknown dossiers and those of other applicants look the same.

    A dossier visible under another mandate of the person leads to a page about that.
    """
    if not _wants_json() and (elsewhere := acting_for_another()) is not None:
        return elsewhere
    lines = [say("error.not_found_text")]
    if request.path.startswith("/dossiers/"):  # the same for unknown dossiers, so it reveals nothing
        lines.append(say("error.not_found_yours"))
    return _plain("error.not_found", lines, 404)


def link_over(title: str, text: str) -> Response:
    """Return the page of a link that is unknown, ended or withdrawn. All three look the same."""
    return _plain(title, [say(text)], 404, kind="not_found")


def conflict(
    versions: Iterable[Mapping[str, str]] = (), fields: Iterable[tuple[str, str]] = (), back: str = ""
) -> Response:
    """Return the page of a changed dossier: typed and stored answers side by side, and both ways to continue."""
    back = back or _dossier_address()
    if _wants_json():
        return problem_json(409, say("conflict.h1"), say("conflict.text"), "conflict")
    return page("conflict.html", 409, versions=list(versions), carried=_carried(fields), action=request.path, back=back)


def _busy(error: Busy) -> Response:
    """Return the page for a busy or missing store, or a full disk.

    It holds the post, which is stored nowhere else.
    """
    full = isinstance(error, NoSpace)
    if not full:
        broken()
    title = "error.away" if isinstance(error, Away) else "error.no_room" if full else "error.busy"
    status = NO_SPACE_STATUS if full else 503
    lines = [say("error.no_room_text"), say("error.unkept")] if full else [say("error.unkept")]
    sent = _sent_page(say(title), lines, status)
    answer = sent or _plain(title, [say(f"{title}_text")], status, kind="no_room" if full else "busy")
    answer.headers["Retry-After"] = _WAIT if not full else _LONG_WAIT
    return answer


def _sent_page(title: str, lines: list[str], status: int) -> Response | None:
    """Return a page that holds the post for another attempt, None without a post or if it has a secret."""
    fields = [] if request.method in ("GET", "HEAD") or _wants_json() or _from_elsewhere() else _sent()
    if not fields or without_secrets(request.path, fields) != fields:
        return None
    return _resume_page(
        request.path, fields, lines, status, title=title, button=say("error.send_again"), leave=say("error.back_there")
    )


def _sent() -> list[tuple[str, str]]:
    """Return the fields of the post, empty if it cannot be read."""
    try:
        return [(name, value) for name, values in request.form.lists() for value in values]
    except HTTPException:
        return []


def _http(error: HTTPException) -> Response:
    if isinstance(error, RequestEntityTooLarge):
        size = site().words.size(LARGEST_BODY, language())
        return _plain("error.too_large", [say("error.too_large_text", size=size)], 413)
    status = error.code or 500
    if status < 400 and error.response is not None:
        return error.get_response()  # type: ignore[return-value]
    titles = {401: "error.forbidden", 403: "error.forbidden", 404: "error.not_found", 405: "error.method"}
    title = titles.get(status, "error.bad_request" if status < 500 else "error.server")
    texts = {401: "error.forbidden_text", 403: "error.forbidden_text", 404: "error.not_found_text"}
    answer = _plain(title, [say(texts.get(status, "error.bad_request_text"))], status)
    if isinstance(error, MethodNotAllowed):
        answer.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
    return answer


def _damaged(error: Exception) -> Response:
    """Return the page for a damaged row or a missing edition. Only a person can repair either."""
    broken()
    code = f"E-{secrets.token_hex(3).upper()}"
    row = error.row if isinstance(error, Unreadable) else str(error)
    log.error(
        "%s %s: damaged record of %s", code, request.url_rule, row.partition(" ")[0]
    )  # the page shows the name of the row
    staff = request.path.startswith(("/agent", "/audit"))
    lines = [say("error.damaged_staff" if staff else "error.damaged_text")]
    lines += [say("error.damaged_row", row=row)] if staff and row else []
    answer = _plain("error.damaged", lines, 503, code=code)
    answer.headers["Retry-After"] = _REPAIR
    return answer


def _accident(error: Exception) -> Response:
    """Return the page of an unexpected error. The trace is logged under a code that the page shows."""
    broken()
    code = f"E-{secrets.token_hex(3).upper()}"
    log.error("%s %s", code, request.url_rule, exc_info=error)
    return _plain("error.server", [say("error.server_text")], 500, code=code)


def _plain(title: str, lines: list[str], status: int, *, code: str = "", back: str = "", kind: str = "") -> Response:
    if _wants_json():
        return problem_json(status, say(title), " ".join(lines), kind or title.removeprefix("error."))
    links = _next_links()
    address = back or (_dossier_address() if status != 404 else "")  # 404 reveals nothing about existing dossiers
    if address and address != request.path:
        links.insert(0, (address, say("error.back" if "/dossiers/" in address else "error.back_there")))
    named = request_id() if status != 404 else ""  # 404 is identical for all visitors
    return page("error.html", status, title=say(title), lines=lines, code=code, links=links, request=named)


def _next_links() -> list[tuple[str, str]]:
    """Return the links to continue, by area."""
    for area in ("agent", "audit"):
        if request.path == f"/{area}" or request.path.startswith(f"/{area}/"):
            return [(f"/{area}", say(f"error.home_{area}"))]
    return [("/", say("error.home")), ("/suivi", say("error.follow"))]


def problem_json(status: int, title: str, detail: str, kind: str, **more: object) -> Response:
    """Return a problem as JSON (RFC 9457)."""
    body = {"type": f"/problemes/{kind}", "title": title, "status": status, "detail": detail, **more}
    if request_id() and status != 404:
        body["instance"] = f"urn:uuid:{uuid.UUID(request_id())}"
    answer = jsonify(body)
    answer.status_code = status
    answer.content_type = "application/problem+json"
    return answer


def _wants_json() -> bool:
    accepted = request.accept_mimetypes
    return request.path.endswith(".json") or (
        accepted["application/json"] > accepted["text/html"] or request.path.startswith("/retours/")
    )


def _dossier_address() -> str:
    """Return the address of the dossier that the request concerns, empty if there is none."""
    parts = request.path.split("/")
    for area, at in (("dossiers", 1), ("dossiers", 2)):
        if len(parts) > at + 1 and parts[at] == area and parts[at + 1].isdigit():
            return "/".join(parts[: at + 2])
    return ""


# -- forms that come too late ------------------------------------------------------------------------------------------


def _stale_form(error: CSRFError) -> Response:
    """Return the answers of an expired form with a fresh token, only to our own pages.

    A form with a password or a code is opened again instead, because a page never repeats them.
    """
    if request.path.startswith("/retours/") or _from_elsewhere():
        return _plain("error.bad_request", [say("error.bad_request_text")], 400)
    lines = [say("resume.stale")]
    fields = _sent()
    if len(without_secrets(request.path, fields)) < len(fields):
        return _reopen_page()
    return _resume_page(request.path, fields, lines, 400)


def _reopen_page() -> Response:
    """Return a page with a link to the form, or to the page above it."""
    opens = "GET" in current_app.create_url_adapter(request).allowed_methods(request.path)  # type: ignore[union-attr]
    return page(
        "resume.html", 400, title=say("resume.title"), lines=[say("resume.old"), say("resume.secret")], action="", carried=[],
        button=say("resume.again"), back=request.path if opens else request.path.rpartition("/")[0] or "/", leave="",
        files=[],
    )  # fmt: skip


def _from_elsewhere() -> bool:
    """Return whether another site sent the form. Without any header the answer is yes."""
    where = request.headers.get("Sec-Fetch-Site")
    if where is not None:
        return where not in ("same-origin", "none")
    origin = request.headers.get("Origin") or request.headers.get("Referer") or ""
    return not (origin + "/").startswith(request.host_url)


@public
def resume() -> Response:
    """Show the post saved before the session ended, ready to be sent again. Visitors sign in first."""
    if not actor().id:
        return go("/connexion?suite=/reprendre")
    sent = "aside" in session
    kept = taken_aside(anywhere=True)
    session.pop("aside", None)
    files = session.pop("aside_files", [])
    if kept is None:
        lines = [say("resume.lost_text")]
        return _plain("resume.lost", lines, 410, back="/dossiers", kind="lost") if sent else go("/dossiers")
    return _resume_page(kept[0], kept[1], [say("resume.signed_in")], 200, files=files)


def _resume_page(
    address: str, fields: Iterable[tuple[str, str]], lines: list[str], status: int, *, title: str = "", button: str = "",
    leave: str = "", files: list[tuple[str, str]] | None = None,
) -> Response:  # fmt: skip
    back = address.rpartition("/")[0] or "/"
    return page(
        "resume.html", status, title=title or say("resume.title"), lines=lines, action=address, carried=_carried(fields),
        files=file_names() if files is None else files, button=button or say("resume.go"), back=back,
        leave=leave or say("resume.leave"),
    )  # fmt: skip


def _carried(fields: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in fields if name not in UNCARRIED]
