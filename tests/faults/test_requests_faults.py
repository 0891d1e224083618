"""B9g, T11. Every route of the site, requested by six persons with random values.

No route crashes, each status and content type is expected, and every answer has the content security policy. Then the mutants. There
is no OpenAPI description, so the test uses the routes of the site and the forms of its pages.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Response, request

from tests.effort import tries
from tests.faults.hostile_requests import Asked, Requests, faults_of
from tests.web.access_world import AccessWorld, an_access_world

pytestmark = [pytest.mark.slow, pytest.mark.faults]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> AccessWorld:
    return an_access_world(tmp_path_factory.mktemp("requests"))


def test_whatever_is_asked_the_answer_is_one_of_ours(site: AccessWorld) -> None:
    asked = list(Requests(site, "B9g").each(tries(1)))
    assert len(asked) > 1_000
    assert faults_of(site, asked) == []


# -- mutants -------------------------------------------------------------------------------------------------------------


def takes_a_number_for_granted() -> Any:
    return Response(str(int(request.args.get("page", "1"))))


def answers_in_its_own_way() -> Any:
    return Response("Je suis une théière.", 418)


def writes_its_script_in_the_page() -> Any:
    return Response('<main><button onclick="go()">Aller</button></main></html>', mimetype="text/html")


def answers_json_that_is_none() -> Any:
    return Response("{'a': 1}", mimetype="application/json")


def stops_in_the_middle() -> Any:
    return Response("<main><p>Bon", mimetype="text/html")


def leads_anywhere() -> Any:
    return Response("", 303, {"Location": request.args.get("suite", "/")})


def says_a_policy_of_its_own() -> Any:
    return Response("", headers={"Content-Security-Policy": "default-src *"})


@pytest.mark.nightly("mutant")
@pytest.mark.parametrize(
    ("page", "seen"),
    [
        (takes_a_number_for_granted, "answers 500"),
        (answers_in_its_own_way, "answers 418"),
        (writes_its_script_in_the_page, "onclick='go()' written in the page"),
        (answers_json_that_is_none, "a body that is not of its kind"),
        (stops_in_the_middle, "is half a page"),
        (leads_anywhere, "leads to //ailleurs"),
        (says_a_policy_of_its_own, "has the policy"),
    ],
    ids=lambda one: one.__name__ if callable(one) else None,
)
def test_a_page_that_does_not_hold_is_seen(
    site: AccessWorld, monkeypatch: pytest.MonkeyPatch, page: Callable[[], Any], seen: str
) -> None:
    asked = [Asked("none", "GET", "/aide", {"query_string": {"page": "dix", "suite": "//ailleurs"}})]
    assert faults_of(site, asked) == []
    monkeypatch.setitem(site.app.view_functions, "articles.help_", lambda **_: page())
    assert any(seen in fault for fault in faults_of(site, asked))


@pytest.mark.nightly("mutant")
def test_a_site_without_its_shields_is_seen(site: AccessWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(site.app.after_request_funcs, None, [])
    assert any("X-Frame-Options" in fault for fault in faults_of(site, [Asked("none", "GET", "/", {})]))
