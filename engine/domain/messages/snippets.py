"""Sentences kept ready: what may stand in them, and how they are filled. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from engine.core.gsm7 import sms_parts, to_gsm
from engine.core.problems import Refusal, refusal

# What stands for something of the dossier, and the longest it is usually.
VARIABLES: Final[Mapping[str, int]] = {"dossier": 14, "title": 40, "office": 30, "due": 20, "agent": 20}
LONGEST_TITLE: Final = 80
MOST_SIGNS: Final = 160  # one part of an SMS
_HOLE: Final = re.compile(r"\{([^{}]*)\}")


def why_not_snippet(title: str, body: str) -> Refusal | None:
    """What is wrong with a sentence: empty, too long for one SMS, a sign no SMS has, a variable nobody knows."""
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
    """The sentence with its variables said; one that says nothing leaves nothing."""
    return _HOLE.sub(lambda hole: values.get(hole[1], ""), body)
