"""Blueprints of the areas that applicants and visitors use."""

from __future__ import annotations

from renderers.web.account import account as own
from renderers.web.account import delegation as acting
from renderers.web.account import identity_sign_in as identity_signin
from renderers.web.account import lost_phones
from renderers.web.account import mail_sign_in as mail_signin
from renderers.web.account import sign_in as signin
from renderers.web.account import unverified_drafts as claims
from renderers.web.citizen import acts, appointments, corrections, documents, form, payments, tracking
from renderers.web.citizen import appointment_links as visit_links
from renderers.web.citizen import document_links as sharing
from renderers.web.citizen import later_forms as errands
from renderers.web.citizen import linked_dossiers as links
from renderers.web.citizen import resumable_uploads as arrivals
from renderers.web.citizen import row_pages as rows
from renderers.web.citizen import start as beginning
from renderers.web.citizen import submit as sending
from renderers.web.public import articles, catalogue
from renderers.web.public import demo_operator as operator
from renderers.web.shared import messages

BLUEPRINTS = (
    catalogue.blueprint,
    beginning.blueprint,
    signin.blueprint,
    claims.blueprint,
    mail_signin.blueprint,
    identity_signin.blueprint,
    own.blueprint,
    lost_phones.blueprint,
    acting.blueprint,
    form.blueprint,
    rows.blueprint,
    arrivals.blueprint,
    links.blueprint,
    sending.blueprint,
    payments.blueprint,
    appointments.blueprint,
    tracking.blueprint,
    visit_links.blueprint,
    messages.blueprint,
    errands.blueprint,
    acts.blueprint,
    corrections.blueprint,
    documents.blueprint,
    sharing.blueprint,
    articles.blueprint,
    operator.blueprint,
)
