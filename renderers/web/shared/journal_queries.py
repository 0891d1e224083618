"""A question to the journals in words: the same for its page, its file and the list of what was read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from engine.core.values import Plain
from renderers.web.platform.dossier_context import label, place_label
from renderers.web.platform.request_context import day_of, say, site
from renderers.web.shared.staff import people, procedure_of


def kind_label(kind: str) -> str:
    """What a kind of entry is called."""
    return say(f"journal.{kind}") if site().words.has(f"journal.{kind}") else kind


def channel_label(channel: str) -> str:
    return say(f"events.channel_{channel}") if site().words.has(f"events.channel_{channel}") else channel


def procedure_label(slug: str) -> str:
    procedure = procedure_of(slug)
    return label(procedure.identity.title) if procedure else slug


def agent_name(account: str) -> str:
    return people([account]).get(account) or say("desk.unknown_person")


def question_said(asked: Mapping[str, Plain]) -> list[tuple[str, str]]:
    """Name and value of what a question says."""
    words = {
        "asks": lambda value: say(f"events.ask_{value}"), "kind": kind_label, "agent": agent_name,
        "office": lambda value: place_label(value) or value, "procedure": procedure_label, "channel": channel_label,
        "first": _day, "last": _day,
    }  # fmt: skip
    return [(say(f"events.{name}"), said(str(asked[name]))) for name, said in words.items() if asked.get(name)]


def _day(text: str) -> str:
    return day_of(date.fromisoformat(text))
