"""The shared files of a repository that has none, from the name of its administration: `guichet new` in an empty folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engine.definition.layout_text import write_tree
from renderers.words import Words

_SEATS: Final = 2


def first_shared(agency: str, label: str, role: str, language: str, words: Words) -> Mapping[str, str]:
    """The text of each file of `shared/`, by its name: one administration, one role, one office, the days of rest."""

    def say(key: str) -> str:
        return words.say(f"starter.{key}", language, {}).replace("\u00a0", " ")

    hours = {"monday-friday": ["07:30-12:00", "14:30-17:00"]}
    files = {
        "agencies.yaml": {agency: {"label": label, "roles": {role: {"label": say("role"), "seats": _SEATS}}}},
        "offices.yaml": {f"{agency}_bureau": {"label": label, "agency": agency, "hours": hours}},
        "calendar.yaml": {"weekend": ["saturday", "sunday"], "holidays": {"2027-01-01": say("new_year")}},
    }
    return {name: f"# {say('note_shared')}\n{write_tree(tree)}" for name, tree in files.items()}
