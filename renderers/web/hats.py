"""A dossier looked for under the wrong hat: whose it is, whom the person acts for at this moment, and one touch to change. What
they posted meanwhile waits for them."""

from __future__ import annotations

from flask import Response, g, request, session

from engine.office.representation import Hat, hat_for, principal_name
from engine.problems import Refused
from renderers.web.asides import set_aside
from renderers.web.base import ACTING, APPLICANT_DESK, actor, myself, office, page


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


def _found() -> Hat | None:
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
