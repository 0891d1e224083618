"""Pages of the applicant at the counter, unchanged: corrections, later forms, earlier dossiers, appointments.

The agent who helps uses them with the applicant. Each is the page of the applicant, at another address.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Final, TypeAlias

from flask import Blueprint, Response

from renderers.web.citizen.appointments import choose_visit, confirm_visit
from renderers.web.citizen.appointments import counter as visit
from renderers.web.citizen.corrections import keep_corrections, show_corrections
from renderers.web.citizen.later_forms import fill_later_form, show_later_form, show_later_form_part
from renderers.web.citizen.linked_dossiers import (
    ask_link_code,
    check_link_code,
    choose_link,
    choose_link_row,
    keep_link_row,
    name_link,
)
from renderers.web.counter.counter import HOME
from renderers.web.platform.access import helper
from renderers.web.platform.dossier_context import case

SharedPage: TypeAlias = tuple[Sequence[str], str, str, Callable[..., Response]]

_GET, _POST, _BOTH = ("GET",), ("POST",), ("GET", "POST")
# Blueprint → its pages: methods, address below that of the dossier, endpoint, page of the applicant
_PAGES: Final[Mapping[str, Sequence[SharedPage]]] = {
    "counter_corrections": (
        (_GET, "/corrections", "show", show_corrections),
        (_POST, "/corrections", "save", keep_corrections),
    ),
    "counter_later_forms": (
        (_GET, "/a-faire/<form_id>", "show", show_later_form),
        (_POST, "/a-faire/<form_id>", "fill", fill_later_form),
        (_GET, "/a-faire/<form_id>/<part>", "show_part", show_later_form_part),
        (_POST, "/a-faire/<form_id>/<part>", "fill_part", fill_later_form),
    ),
    "counter_links": (
        (_GET, "/lien/<link_id>", "choose", choose_link),
        (_POST, "/lien/<link_id>", "name", name_link),
        (_GET, "/lien/<link_id>/code", "ask_code", ask_link_code),
        (_POST, "/lien/<link_id>/code", "check_code", check_link_code),
        (_GET, "/lien/<link_id>/<earlier>", "choose_row", choose_link_row),
        (_POST, "/lien/<link_id>/<earlier>", "save_row", keep_link_row),
    ),
    "counter_appointments": (
        (_GET, "/rendez-vous", "choose", choose_visit),
        (_POST, "/rendez-vous", "book", lambda one: visit(one).book()),
        (_BOTH, "/rendez-vous/confirmer", "confirm", confirm_visit),
        (_POST, "/rendez-vous/attendre", "wait", lambda one: visit(one).wait()),
        (_BOTH, "/rendez-vous/annuler", "cancel", lambda one: visit(one).cancel()),
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
    for methods, address, endpoint, show in _PAGES[name]:
        blueprint.add_url_rule(f"{HOME}/<number>{address}", endpoint, _at_counter(show), methods=methods)
    return blueprint


BLUEPRINTS: Final = tuple(_blueprint(name) for name in _PAGES)
