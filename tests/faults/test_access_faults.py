"""B9i, T01. One defence of the access rules at a time is removed, and the access matrix must find it.

`tests/web/platform/test_access_matrix.py` checks the matrix itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Blueprint, Response, abort

from engine.domain.common import access
from renderers.web.platform import access as guards
from server import blueprints
from tests.web.access import PERSONAS, Row, table, values_of
from tests.web.access_world import AccessWorld, an_access_world
from tests.web.platform import test_access_matrix
from tests.web.platform.test_access_matrix import faults

pytestmark = [pytest.mark.slow, pytest.mark.faults]
Defence = Callable[[pytest.MonkeyPatch, AccessWorld], None]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> AccessWorld:
    return an_access_world(tmp_path_factory.mktemp("access"))


def row_of(name: str) -> Row:
    endpoint, method, on = name.split()
    return next(one for one in table() if (one.endpoint, one.method, one.on) == (endpoint, method, on))


def found(site: AccessWorld, row: Row) -> list[str]:
    """What the questions of one line find, by whom."""
    values = values_of(site, row, site.owner)
    return [f"{persona} {fault}" for persona in PERSONAS for _, fault in faults(site, row, persona, values)]


# -- the mutants ---------------------------------------------------------------------------------------------------------


def any_applicant(patch: pytest.MonkeyPatch, site: AccessWorld) -> None:
    """A dossier is every applicant's."""
    patch.setattr(access, "stands_for_owner", lambda dossier, actor: actor.kind == "applicant")


def any_role(patch: pytest.MonkeyPatch, site: AccessWorld) -> None:
    """An agent is an agent."""
    patch.setattr(access, "holds", lambda actor, roles: actor.kind == "agent")


def any_office(patch: pytest.MonkeyPatch, site: AccessWorld) -> None:
    patch.setattr(access, "in_their_offices", lambda dossier, actor: True)


def any_mandate(patch: pytest.MonkeyPatch, site: AccessWorld) -> None:
    """A controller may look at everything."""
    patch.setattr(access, "in_mandate", lambda actor, procedure: True)


def found_by_number_alone(patch: pytest.MonkeyPatch, site: AccessWorld) -> None:
    """A page that looks a dossier up and asks nobody who they are."""

    def show(number: str) -> Response:
        with site.world.office.store.unit() as unit:
            dossier = unit.dossier_numbered(number)
        return Response(str(dossier.answers)) if dossier else abort(404)

    patch.setitem(site.app.view_functions, "tracking.follow", guards.public(show))


def refused_otherwise_when_it_is_there(patch: pytest.MonkeyPatch, site: AccessWorld) -> None:
    """Whoever may not see a dossier is told that it exists."""
    honest = site.app.view_functions["tracking.follow"]

    def show(number: str) -> Any:
        with site.world.office.store.unit() as unit:
            there = unit.dossier_numbered(number) is not None
        try:
            return honest(number=number)
        except Exception:
            if there:
                return Response("Cette demande n'est pas la vôtre.", 404)
            raise

    patch.setitem(site.app.view_functions, "tracking.follow", show)


def nobody_at_the_door(patch: pytest.MonkeyPatch, site: AccessWorld) -> None:
    """The guard of a page is forgotten."""
    honest: Any = site.app.view_functions["agent.inbox"]
    patch.setitem(site.app.view_functions, "agent.inbox", honest.__wrapped__)


def a_page_that_writes(patch: pytest.MonkeyPatch, site: AccessWorld) -> None:
    """Looking takes the dossier."""
    honest = site.app.view_functions["agent_dossier.show"]

    def show(**there: Any) -> Any:
        with site.world.office.store.unit(write=True) as unit:
            dossier = unit.dossier_numbered(there["number"])
            if dossier is not None:
                unit.put_dossier(replace(dossier, revision=dossier.revision + 1, label="vu"), dossier.revision)
        return honest(**there)

    patch.setitem(site.app.view_functions, "agent_dossier.show", show)


@pytest.mark.nightly("mutant")
@pytest.mark.parametrize(
    ("mutant", "line", "seen"),
    [
        (any_applicant, "tracking.follow GET sent", "citi open"),
        (any_applicant, "payments.receipt GET visiting", "citi open"),
        (any_role, "agent_dossier.show GET sent", "agcy reads"),
        (any_office, "agent_dossier.show GET sent", "kara reads"),
        (any_mandate, "auditor.dossier GET sent", "else"),
        (found_by_number_alone, "tracking.follow GET sent", "none reads"),
        (refused_otherwise_when_it_is_there, "tracking.follow GET sent", "citi told apart from what does not exist"),
        (nobody_at_the_door, "agent.inbox GET sent", "none"),
        (a_page_that_writes, "agent_dossier.show GET sent", "agcy changed something of the owner's"),
    ],
    ids=lambda one: one.__name__ if callable(one) else None,
)
def test_a_defence_taken_away_is_seen(
    site: AccessWorld, monkeypatch: pytest.MonkeyPatch, mutant: Defence, line: str, seen: str
) -> None:
    row = row_of(line)
    assert found(site, row) == []
    mutant(monkeypatch, site)
    assert any(one.startswith(seen) for one in found(site, row))


@pytest.mark.nightly("mutant")
def test_a_form_without_a_token_is_seen(site: AccessWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    row = row_of("messages.write POST sent")
    test_access_matrix.test_no_form_passes_without_its_token(site, row)
    hooks = [one for one in site.app.before_request_funcs[None] if one.__name__ != "csrf_protect"]
    assert len(hooks) == len(site.app.before_request_funcs[None]) - 1
    monkeypatch.setitem(site.app.before_request_funcs, None, hooks)
    with pytest.raises(AssertionError):
        test_access_matrix.test_no_form_passes_without_its_token(site, row)


@pytest.mark.nightly("mutant")
def test_a_route_that_the_table_does_not_know_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    unlisted = Blueprint("unlisted", __name__)
    unlisted.add_url_rule("/porte/<number>", "open", lambda number: number)
    there = blueprints()
    monkeypatch.setattr(test_access_matrix, "blueprints", lambda: [*there, unlisted])
    with pytest.raises(AssertionError, match=r"unlisted\.open"):
        test_access_matrix.test_every_route_has_its_line_and_every_line_its_route()
