"""Pages of the applicant at the counter, unchanged: forms, files, corrections, visits, payments, acts, messages.

The agent who helps uses them with the applicant. Each is the page of the applicant, at another address.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Final, TypeAlias

from flask import Blueprint, Response

from renderers.web.citizen import (
    acts,
    appointments,
    corrections,
    documents,
    form,
    later_forms,
    payments,
    resumable_uploads,
    row_pages,
)
from renderers.web.citizen import linked_dossiers as links
from renderers.web.counter.counter import HOME
from renderers.web.platform.access import helper
from renderers.web.platform.dossier_context import case
from renderers.web.shared import messages

SharedPage: TypeAlias = tuple[Sequence[str], str, Callable[..., Response]]

_GET, _POST, _BOTH = ("GET",), ("POST",), ("GET", "POST")
# Blueprint → its pages: methods, address below that of the dossier, page of the applicant
_PAGES: Final[Mapping[str, Sequence[SharedPage]]] = {
    "counter_form": (
        (_GET, "/demande", form.tasks),
        (_GET, "/demande/<page_id>", form.show),
        (_POST, "/demande/<page_id>", form.save),
        (_GET, "/pieces/<attachment_id>", form.attachment),
    ),
    "counter_rows": (
        (_GET, "/demande/<page_id>/<row>", row_pages.show),
        (_POST, "/demande/<page_id>/<row>", row_pages.save),
        (_BOTH, "/demande/<page_id>/<row>/supprimer", row_pages.remove),
    ),
    "counter_uploads": (
        (_GET, "/envois/<key>.json", resumable_uploads.so_far),
        (_POST, "/envois/<key>.json", resumable_uploads.receive),
    ),
    "counter_corrections": ((_GET, "/corrections", corrections.show), (_POST, "/corrections", corrections.save)),
    "counter_later_forms": (
        (_GET, "/a-faire/<form_id>", later_forms.show),
        (_POST, "/a-faire/<form_id>", later_forms.fill),
        (_GET, "/a-faire/<form_id>/<part>", later_forms.show_part),
        (_POST, "/a-faire/<form_id>/<part>", later_forms.fill_part),
    ),
    "counter_links": (
        (_GET, "/lien/<link_id>", links.choose),
        (_POST, "/lien/<link_id>", links.name),
        (_GET, "/lien/<link_id>/code", links.ask_code),
        (_POST, "/lien/<link_id>/code", links.check_code),
        (_GET, "/lien/<link_id>/<earlier>", links.choose_row),
        (_POST, "/lien/<link_id>/<earlier>", links.save_row),
    ),
    "counter_appointments": (
        (_GET, "/rendez-vous", appointments.choose),
        (_POST, "/rendez-vous", appointments.book),
        (_BOTH, "/rendez-vous/confirmer", appointments.confirm),
        (_POST, "/rendez-vous/attendre", appointments.wait),
        (_BOTH, "/rendez-vous/annuler", appointments.cancel),
    ),
    "counter_payment": (  # the person confirms on their own phone
        (_GET, "/paiement", payments.choose),
        (_POST, "/paiement", payments.begin),
        (_GET, "/paiement/<payment_id>", payments.follow),
        (_GET, "/paiement/<payment_id>.json", payments.state),
        (_GET, "/recu/<payment_id>.pdf", payments.receipt),
        (_GET, "/documents/<document_id>.pdf", documents.download),
    ),
    "counter_acts": ((_GET, "/actes/<act_id>", acts.ask), (_POST, "/actes/<act_id>", acts.take)),
    "counter_messages": (
        (_GET, "/messages", messages.thread),
        (_POST, "/messages", messages.write),
        (_GET, "/messages/<attachment_id>/fichier", messages.attachment),
    ),
}


def _at_counter(show: Callable[..., Response]) -> Callable[..., Response]:
    @helper
    @wraps(show)
    def page(number: str, **parts: str) -> Response:
        return show(case(number), **parts)

    return page


def _blueprint(name: str) -> Blueprint:
    blueprint = Blueprint(name, __name__)
    for methods, address, show in _PAGES[name]:
        blueprint.add_url_rule(f"{HOME}/<number>{address}", show.__name__, _at_counter(show), methods=methods)
    return blueprint


BLUEPRINTS: Final = tuple(_blueprint(name) for name in _PAGES)
