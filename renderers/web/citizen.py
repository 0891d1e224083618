"""Every page of the public's desk, by noun."""

from __future__ import annotations

from renderers.web import (
    acts,
    appointments,
    arrivals,
    articles,
    catalogue,
    corrections,
    documents,
    errands,
    form,
    identity_signin,
    links,
    mail_signin,
    messages,
    operator,
    own,
    payments,
    rows,
    sending,
    signin,
    tracking,
)

BLUEPRINTS = (
    catalogue.blueprint,
    signin.blueprint,
    mail_signin.blueprint,
    identity_signin.blueprint,
    own.blueprint,
    form.blueprint,
    rows.blueprint,
    arrivals.blueprint,
    links.blueprint,
    sending.blueprint,
    payments.blueprint,
    appointments.blueprint,
    tracking.blueprint,
    messages.blueprint,
    errands.blueprint,
    acts.blueprint,
    corrections.blueprint,
    documents.blueprint,
    articles.blueprint,
    operator.blueprint,
)
