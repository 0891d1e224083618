"""A dossier looked for under the wrong hat: whose it is, whom the person acts for at this moment, and one touch to change. What
they posted meanwhile waits for them."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Response, g, request, session

from engine.core.problems import Refused
from engine.services.accounts.delegation import ActingFor, hat_for, principal_name
from engine.services.sign_in.sessions import hand_back, put_aside
from renderers.web.platform.request_context import (
    ACTING,
    APPLICANT_DESK,
    actor,
    asker,
    claimant,
    myself,
    note_served,
    office,
    page,
    session_token,
)


def set_aside(desk: str, address: str, fields: Iterable[tuple[str, list[str]]]) -> None:
    """Keeps posted answers until the person has signed in again at this desk."""
    dropped = {"csrf_token", "token"}
    if desk == APPLICANT_DESK and claimant().id:
        dropped.add("revision")  # becoming its owner's is one more change of their draft
    kept = [(name, value) for name, values in fields if name not in dropped for value in values]
    before = session.get("aside", "")
    session["aside"] = put_aside(office(), session_token(desk), address, kept, before=before, asker=asker())
    note_served()


def taken_aside(anywhere: bool = False) -> tuple[str, list[tuple[str, str]]] | None:
    """What was kept for who is signed in now, handed back once: the address it was posted to, and its fields. Unless
    `anywhere`, only when it was posted to the address of this page."""
    key = session.get("aside", "")
    found = hand_back(office(), actor(), key, "" if anywhere else request.path) if key else None
    if found is not None:
        session.pop("aside", None)
    return found


def under_another_hat() -> Response | None:
    """The page of a dossier that this person sees under another hat than theirs now; none for what they do not see at all."""
    hat = _found()
    if hat is None:
        return None
    kept = request.method == "POST" and _kept()
    return page(
        "citizen/other_hat.html", 404, now=principal_name(office(), actor()), hat=hat, kept=kept, files=bool(request.files),
        lost=request.method == "POST" and not kept,
        next="/reprendre" if kept else request.path,
    )  # fmt: skip


def _found() -> ActingFor | None:
    parts = request.path.split("/")
    if (
        g.get("broken", False)
        or g.get("desk", APPLICANT_DESK) != APPLICANT_DESK
        or parts[1] != "dossiers"
        or len(parts) < 3
    ):
        return None
    who = myself()
    if who.kind != "applicant" or not who.id or who.unproven:
        return None
    hat = hat_for(office(), who, parts[2])
    here = (session.get(ACTING, "") if actor().principal else "", bool(hat))
    return None if hat is None or (hat.mandate, True) == here else hat


def _kept() -> bool:
    """Sets aside what was posted, for the page that follows."""
    try:
        set_aside(APPLICANT_DESK, request.path, request.form.lists())
    except Refused:
        return False
    return True
