"""Blueprints of the areas of agents and auditors, and of the public pages of definitions."""

from __future__ import annotations

from typing import Final

from flask import Blueprint

from renderers.web.administration import account as staff_account
from renderers.web.administration import jobs, office_day, opening_forms, openings, sms_report, supervision, team
from renderers.web.agents import act as agent_act
from renderers.web.agents import appointments as agent_appointments
from renderers.web.agents import attachments as agent_attachments
from renderers.web.agents import bulk as agent_bulk
from renderers.web.agents import dossier as agent_dossier
from renderers.web.agents import exports, notes, refunds, walk_ins
from renderers.web.agents import inbox as agent
from renderers.web.agents import later_forms as agent_later_forms
from renderers.web.auditors import dossiers as auditor
from renderers.web.auditors import journal_search as auditor_events
from renderers.web.auditors import procedures as auditor_procedures
from renderers.web.counter import agreement as counter_agreement
from renderers.web.counter import counter
from renderers.web.counter import paper_form as counter_paper_form
from renderers.web.counter import read_aloud as counter_reading
from renderers.web.counter import receipt as counter_receipt
from renderers.web.counter import shared_pages as counter_pages
from renderers.web.counter import submission as counter_submission
from renderers.web.public import comparisons, definitions, open_data, publications, statistics
from renderers.web.shared import snippets

BLUEPRINTS: Final[tuple[Blueprint, ...]] = (
    agent.blueprint, agent_dossier.blueprint, agent_attachments.blueprint, agent_act.blueprint,
    agent_bulk.blueprint, jobs.blueprint,
    exports.blueprint, auditor_events.blueprint, snippets.blueprint, supervision.blueprint, notes.blueprint, refunds.blueprint,
    agent_later_forms.blueprint, agent_appointments.blueprint, walk_ins.blueprint, office_day.blueprint, definitions.blueprint, auditor.blueprint,
    auditor_procedures.blueprint, comparisons.blueprint, open_data.blueprint,
    publications.blueprint, statistics.blueprint, team.blueprint, sms_report.blueprint, openings.blueprint, opening_forms.blueprint, staff_account.blueprint,
    counter.blueprint, counter_submission.blueprint, counter_reading.blueprint,
    counter_receipt.blueprint, counter_agreement.blueprint, counter_paper_form.blueprint, *counter_pages.BLUEPRINTS,
)  # fmt: skip
