"""What a lost session must find again: the answers that somebody posted, set aside until they have signed in."""

from __future__ import annotations

from collections.abc import Iterable

from flask import request, session

from engine.office.sessions import hand_back, put_aside
from renderers.web.base import APPLICANT_DESK, actor, asker, claimant, note_served, office, session_token


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
