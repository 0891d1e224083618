"""No request calls a partner: payment operators, registers, SMS and mail are spied on while a person goes every way through the
site. `test_access_matrix.py` asks every route under the same eyes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import has_request_context, request

from engine.services.payments.order_placement import place_orders
from renderers.web.citizen import payments
from tests.web.access_world import AccessWorld, an_access_world
from tests.web.client import PortalClient, a_portal_client
from tests.web.page_states import WAYS

CALLS = ("start", "status", "ask", "send")


class Spy:
    """A gateway that notes each call made inside a request."""

    def __init__(self, honest: Any, seen: list[str]) -> None:
        self._honest, self._seen = honest, seen

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._honest, name)
        if name in CALLS and has_request_context():
            self._seen.append(f"{request.endpoint}: {type(self._honest).__name__}.{name}")
        return found


def watched(office: Any) -> list[str]:
    """The calls made inside requests, from now on."""
    seen: list[str] = []
    for gateways in (office.providers, office.registers, office.senders):
        for name, honest in list(gateways.items()):
            gateways[name] = Spy(honest, seen)
    return seen


@pytest.mark.slow
def test_no_way_calls_a_partner(tmp_path: Path) -> None:
    site: AccessWorld = an_access_world(tmp_path)
    seen = watched(site.world.office)
    site.app.config["WTF_CSRF_ENABLED"] = False
    for way in WAYS:
        with site.untouched():
            for _ in way(site):
                pass
    assert seen == []


def paid(visitor: PortalClient) -> None:
    number = visitor.sent()
    visitor.decide(number, "accorder")
    visitor.send(f"/dossiers/{number}/paiement", provider="argent", payer="91223344")
    following = visitor.page.address
    visitor.open(following)
    visitor.open(f"{following}.json")
    visitor.send("/_operateur", pin="1234", do="confirm")
    visitor.open(following)
    assert "Paiement reçu" in visitor.follow().text


def test_nor_does_paying_to_its_end(tmp_path: Path) -> None:
    visitor = a_portal_client(tmp_path, demo=True).sign_in()
    seen = watched(visitor.office)
    paid(visitor)
    assert seen == []


@pytest.mark.nightly("mutant")
def test_a_call_in_a_request_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = payments.start_payment

    def calls(office: Any, *rest: Any, **how: Any) -> Any:
        payment = honest(office, *rest, **how)
        place_orders(office)
        return payment

    monkeypatch.setattr(payments, "start_payment", calls)
    visitor = a_portal_client(tmp_path, demo=True).sign_in()
    seen = watched(visitor.office)
    paid(visitor)
    assert seen == ["payments.begin: SandboxProvider.start"]
