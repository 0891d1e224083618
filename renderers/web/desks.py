"""The rooms of agents and controllers, and the public pages of definitions."""

from __future__ import annotations

from typing import Final

from flask import Blueprint

from renderers.web import (
    agent,
    agent_act,
    agent_bulk,
    agent_day,
    agent_dossier,
    agent_errand,
    agent_pieces,
    agent_slots,
    auditor,
    auditor_events,
    auditor_procedures,
    comparisons,
    counter,
    counter_corrections,
    counter_errands,
    counter_form,
    counter_links,
    counter_payment,
    counter_reading,
    counter_receipt,
    counter_visits,
    definitions,
    exports,
    handover,
    notes,
    open_data,
    opening_forms,
    openings,
    orders,
    own_desk,
    publications,
    refunds,
    sms_report,
    snippets,
    statistics,
    team,
    walk_ins,
)

BLUEPRINTS: Final[tuple[Blueprint, ...]] = (
    agent.blueprint, agent_dossier.blueprint, agent_pieces.blueprint, agent_act.blueprint,
    agent_bulk.blueprint, orders.blueprint,
    exports.blueprint, auditor_events.blueprint, snippets.blueprint, handover.blueprint, notes.blueprint, refunds.blueprint,
    agent_errand.blueprint, agent_slots.blueprint, walk_ins.blueprint, agent_day.blueprint, definitions.blueprint, auditor.blueprint,
    auditor_procedures.blueprint, comparisons.blueprint, open_data.blueprint,
    publications.blueprint, statistics.blueprint, team.blueprint, sms_report.blueprint, openings.blueprint, opening_forms.blueprint, own_desk.blueprint,
    counter.blueprint, counter_form.blueprint, counter_links.blueprint, counter_payment.blueprint, counter_reading.blueprint,
    counter_receipt.blueprint, counter_corrections.blueprint, counter_errands.blueprint, counter_visits.blueprint,
)  # fmt: skip
