"""A story as a definition writes it, ready to be pasted under `scenarios:`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from engine.definition.model import Scenario, Step
from engine.values import Plain

_PLAIN: Final = re.compile(
    r"[A-Za-z_][A-Za-z0-9_./-]*|\d{4}-\d\d-\d\d( \d\d:\d\d)?|\d+ (working )?(hour|day|month|year)s?"
)
_WORDS_OF_YAML: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def story_yaml(story: Scenario, name: str, title: str) -> str:
    """The story under a name of its own, indented as an entry of `scenarios:`."""
    lines = [f"  {name}:", f"    story: {scalar(title)}", f"    at: {story.at.isoformat()}"]
    if story.channel != "web":
        lines.append(f"    channel: {scalar(story.channel)}")
    if story.given:
        lines.append("    given:")
        lines += [f"      {key}: {flow(value)}" for key, value in story.given.items()]
    if story.steps:
        lines.append("    steps:")
        lines += [f"      - {_step(one)}" for one in story.steps]
    return "\n".join(lines) + "\n"


def _step(step: Step) -> str:
    written: dict[str, Plain] = {step.verb: step.value, **step.options, **({"then": step.then} if step.then else {})}
    return flow(written)


def flow(value: Plain) -> str:
    """A value on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(str(key))}: {flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(one) for one in value) + "]"
    return scalar(value)


def scalar(value: Plain) -> str:
    """A text in quotes unless it can only be read as itself."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    text = str(value).replace("\n", " ")
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS_OF_YAML:
        return text
    return "'" + text.replace("'", "''") + "'"
