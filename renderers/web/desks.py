"""The rooms of agents and controllers, and the public pages of definitions."""

from __future__ import annotations

from typing import Final

from flask import Blueprint

from renderers.web import (
    agent,
    agent_act,
    agent_day,
    agent_dossier,
    agent_errand,
    agent_pieces,
    agent_slots,
    auditor,
    definitions,
    publications,
    team,
)

BLUEPRINTS: Final[tuple[Blueprint, ...]] = (
    agent.blueprint, agent_dossier.blueprint, agent_pieces.blueprint, agent_act.blueprint,
    agent_errand.blueprint, agent_slots.blueprint, agent_day.blueprint, definitions.blueprint, auditor.blueprint,
    publications.blueprint, team.blueprint,
)  # fmt: skip
