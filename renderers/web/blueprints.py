"""Blueprints of the areas that applicants and visitors use."""

from __future__ import annotations

from renderers.web.account import account, delegation, lost_phones, unverified_drafts
from renderers.web.account import identity_sign_in as identity_signin
from renderers.web.account import mail_sign_in as mail_signin
from renderers.web.account import sign_in as signin
from renderers.web.citizen import (
    acts,
    appointment_links,
    appointments,
    corrections,
    document_links,
    documents,
    form,
    later_forms,
    payments,
    resumable_uploads,
    start,
    submit,
    tracking,
)
from renderers.web.citizen import linked_dossiers as links
from renderers.web.citizen import row_pages as rows
from renderers.web.public import articles, blank_forms, catalogue
from renderers.web.public import demo_operator as operator
from renderers.web.shared import messages

BLUEPRINTS = (
    catalogue.blueprint,
    blank_forms.blueprint,
    start.blueprint,
    signin.blueprint,
    unverified_drafts.blueprint,
    mail_signin.blueprint,
    identity_signin.blueprint,
    account.blueprint,
    lost_phones.blueprint,
    delegation.blueprint,
    form.blueprint,
    rows.blueprint,
    resumable_uploads.blueprint,
    links.blueprint,
    submit.blueprint,
    payments.blueprint,
    appointments.blueprint,
    tracking.blueprint,
    appointment_links.blueprint,
    messages.blueprint,
    later_forms.blueprint,
    acts.blueprint,
    corrections.blueprint,
    documents.blueprint,
    document_links.blueprint,
    articles.blueprint,
    operator.blueprint,
)
