"""Posts saved over a sign-in, and dossiers opened under the wrong mandate with a choice to change it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from flask import Response, g, request, session
from werkzeug.exceptions import HTTPException

from engine.core.problems import Refused
from engine.services.accounts.delegation import ActingFor, acting_choice, principal_name
from engine.services.sign_in.sessions import put_aside, take_saved_post, without_secrets
from renderers.web.platform.request_context import (
    ACTING,
    APPLICANT_AREA,
    actor,
    app_ctx,
    asker,
    claimant,
    myself,
    note_served,
    page,
    session_token,
)

UNCARRIED: Final = frozenset({"csrf_token", "end"})  # fields that each page writes anew
_MOST_FILES: Final = 5  # names kept in the cookie
_LONGEST_NAME: Final = 60  # of a file


def set_aside(area: str, address: str, fields: Iterable[tuple[str, list[str]]]) -> None:
    """Save posted answers until the person has signed in to the area. Raises `Refused` if they cannot be saved."""
    dropped = {"csrf_token", "token"}
    if area == APPLICANT_AREA and claimant().id:
        dropped.add("revision")  # the sign-in changes the owner, which raises the revision
    kept = [(name, value) for name, values in fields if name not in dropped for value in values]
    before = session.get("aside", "")
    session["aside"] = put_aside(app_ctx(), session_token(area), address, kept, before=before, asker=asker())
    session["aside_files"] = file_names()[:_MOST_FILES]
    note_served()


def sent_fields() -> list[tuple[str, str]]:
    """Return the fields of the post that a page may hold for another attempt. None of them if one is a secret."""
    fields = [(name, value) for name, values in request.form.lists() for value in values]
    return [one for one in fields if one[0] not in UNCARRIED] if without_secrets(request.path, fields) == fields else []


def file_names() -> list[tuple[str, str]]:
    """Return the control and the name of each posted file. Pages cannot hold files, so they are chosen again."""
    try:
        files = request.files.items(multi=True)
        return [(field, file.filename[:_LONGEST_NAME]) for field, file in files if file.filename]
    except HTTPException:
        return []


def taken_aside(anywhere: bool = False) -> tuple[str, list[tuple[str, str]]] | None:
    """Return the saved post of the person signed in, once: its address and its fields.

    None if there is none. Unless `anywhere`, its address must be that of this page.
    """
    key = session.get("aside", "")
    found = take_saved_post(app_ctx(), actor(), key, "" if anywhere else request.path) if key else None
    if found is not None:
        session.pop("aside", None)
    return found


def acting_for_another() -> Response | None:
    """Return the page of a dossier visible under another mandate of the person, None if there is none."""
    acting_for = _found()
    if acting_for is None:
        return None
    is_saved = request.method == "POST" and _kept()
    return page(
        "citizen/other_principal.html", 404, now=principal_name(app_ctx(), actor()), acting_for=acting_for, is_saved=is_saved, files=bool(request.files),
        lost=request.method == "POST" and not is_saved,
        next="/reprendre" if is_saved else request.path,
    )  # fmt: skip


def _found() -> ActingFor | None:
    parts = request.path.split("/")
    if (
        g.get("broken", False)
        or g.get("area", APPLICANT_AREA) != APPLICANT_AREA
        or parts[1] != "dossiers"
        or len(parts) < 3
    ):
        return None
    who = myself()
    if who.kind != "applicant" or not who.id or who.unproven:
        return None
    acting_for = acting_choice(app_ctx(), who, parts[2])
    here = (session.get(ACTING, "") if actor().principal else "", bool(acting_for))
    return None if acting_for is None or (acting_for.mandate, True) == here else acting_for


def _kept() -> bool:
    """Save the post for the next page. False if it cannot be saved."""
    try:
        set_aside(APPLICANT_AREA, request.path, request.form.lists())
    except Refused:
        return False
    return True
