"""A dossier looked for under the wrong hat: whose it is, whom the person acts for at this moment, and one touch to change. What
they posted meanwhile waits for them."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Response, g, request, session

from engine.core.problems import Refused
from engine.services.accounts.delegation import ActingFor, acting_choice, principal_name
from engine.services.sign_in.sessions import put_aside, take_saved_post
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


def set_aside(area: str, address: str, fields: Iterable[tuple[str, list[str]]]) -> None:
    """Keeps posted answers until the person has signed in again at this desk."""
    dropped = {"csrf_token", "token"}
    if area == APPLICANT_AREA and claimant().id:
        dropped.add("revision")  # becoming its owner's is one more change of their draft
    kept = [(name, value) for name, values in fields if name not in dropped for value in values]
    before = session.get("aside", "")
    session["aside"] = put_aside(app_ctx(), session_token(area), address, kept, before=before, asker=asker())
    note_served()


def taken_aside(anywhere: bool = False) -> tuple[str, list[tuple[str, str]]] | None:
    """What was kept for who is signed in now, handed back once: the address it was posted to, and its fields. Unless
    `anywhere`, only when it was posted to the address of this page."""
    key = session.get("aside", "")
    found = take_saved_post(app_ctx(), actor(), key, "" if anywhere else request.path) if key else None
    if found is not None:
        session.pop("aside", None)
    return found


def acting_for_another() -> Response | None:
    """The page of a dossier that this person sees under another hat than theirs now; none for what they do not see at all."""
    acting_for = _found()
    if acting_for is None:
        return None
    kept = request.method == "POST" and _kept()
    return page(
        "citizen/other_hat.html", 404, now=principal_name(app_ctx(), actor()), hat=acting_for, kept=kept, files=bool(request.files),
        lost=request.method == "POST" and not kept,
        next="/reprendre" if kept else request.path,
    )  # fmt: skip


def _found() -> ActingFor | None:
    parts = request.path.split("/")
    if (
        g.get("broken", False)
        or g.get("desk", APPLICANT_AREA) != APPLICANT_AREA
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
    """Sets aside what was posted, for the page that follows."""
    try:
        set_aside(APPLICANT_AREA, request.path, request.form.lists())
    except Refused:
        return False
    return True
