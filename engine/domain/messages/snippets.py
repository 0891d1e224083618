"""Snippets: texts that an agency stores for reuse, their variables and limits. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from engine.core.gsm7 import sms_parts, to_gsm
from engine.core.problems import Refusal, refusal

# Variables replaced by data of the dossier, and their usual greatest length.
VARIABLES: Final[Mapping[str, int]] = {"dossier": 14, "title": 40, "office": 30, "due": 20, "agent": 20}
LONGEST_TITLE: Final = 80
MOST_SIGNS: Final = 160  # one part of an SMS
_HOLE: Final = re.compile(r"\{([^{}]*)\}")


def refusal_for_snippet(title: str, body: str) -> Refusal | None:
    """Return why a snippet is refused, None when it is valid.

    It may be empty, too long for one SMS, or contain an unknown variable or a character that SMS lack.
    """
    if not title.strip() or not body.strip():
        return refusal("snippet_empty")
    if len(title) > LONGEST_TITLE:
        return refusal("snippet_title_long", most=LONGEST_TITLE)
    for name in _HOLE.findall(body):
        if name not in VARIABLES:
            return refusal("snippet_variable", name=name or "{}", known=tuple(VARIABLES))
    if "{" in _HOLE.sub("", body) or "}" in _HOLE.sub("", body):
        return refusal("snippet_variable", name="{", known=tuple(VARIABLES))
    parts = sms_parts(to_gsm(filled(body, {name: "x" * length for name, length in VARIABLES.items()})))
    if parts.foreign:
        return refusal("snippet_sign", sign=parts.foreign[0])
    return refusal("snippet_long", signs=parts.signs, most=MOST_SIGNS) if parts.count > 1 else None


def filled(body: str, values: Mapping[str, str]) -> str:
    """Return the text with its variables replaced. A variable without value becomes empty."""
    return _HOLE.sub(lambda hole: values.get(hole[1], ""), body)
