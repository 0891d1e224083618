"""What a server says of its doors: which one, what became of it, and, of people of the administration, which account; never a
name, a number or what was typed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from engine.core.problems import Refused
from engine.services.sign_in.sessions import SignedIn

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger("guichet.doors")


def logged(area: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Says of each try at this door that it was refused, with the code of why, or what it led to."""

    def around(act: Callable[P, R]) -> Callable[P, R]:
        @wraps(act)
        def tried(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                result = act(*args, **kwargs)
            except Refused as closed:
                log.warning("%s: refused, %s", area, closed.reason.code)
                raise
            log.info("%s: %s", area, _became(result))
            return result

        return tried

    return around


def _became(result: object) -> str:
    signed = result if isinstance(result, SignedIn) else getattr(result, "signed", None)
    if isinstance(signed, SignedIn):
        who = signed.actor
        return f"let in, {who.kind} {who.id}" if who.kind in ("agent", "auditor") else f"let in, {who.kind}"
    wants = getattr(result, "wants", "")
    if wants == "both":
        return "not judged yet, a code is asked with it"
    return f"right, {wants} still asked" if wants else "done"
