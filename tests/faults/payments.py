"""Five operators on this machine, dossiers that pay through each, and callbacks of every kind through the real route.

`faults_of` plays all of it and reports wrong amounts. A fault test passes if there is none.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from flask import Flask

from engine.core.clock import Clock
from engine.core.values import new_id
from engine.integrations.cinetpay import CinetPay
from engine.integrations.fedapay import FedaPay
from engine.integrations.http_client import HttpClient
from engine.integrations.paydunya import PayDunya
from engine.integrations.paygate import PayGate
from engine.integrations.payment_provider import CURRENCY, PaymentProvider, ProviderDown, ProviderStatus
from engine.integrations.simulated_operator import SIGNATURE, SandboxOperator, SandboxProvider
from engine.records.dossier import Payment
from engine.services.audit.integrity import fsck
from engine.services.core.journalling import surplus
from engine.services.payments import settlement
from engine.storage.unit_of_work import Store
from server import Settings, create_app
from tests import worker
from tests.engine.integrations.local_operators import (
    LocalCinetPay,
    LocalFedaPay,
    LocalOperator,
    LocalPayDunya,
    LocalPayGate,
    serving,
)
from tests.engine.services.world import World, a_world
from tests.race_runners import together

Letter = tuple[str, dict[str, str], bytes, str]  # where it is posted, its headers and body, what it is worth
DUE: Final = 500
THREADS: Final = 4
ROUNDS: Final = 4
HOUR: Final = 3600

# What an operator says of an order, round after round; the line is cut in the second. The last column is what must come
# of it: the status, and the francs credited.
ENDINGS: Final[Mapping[str, tuple[tuple[Mapping[str, Any], ...], str, int]]] = {
    "never": (({"is": "pending"},) * ROUNDS, "unknown", 0),
    "failed": (({"is": "pending"}, {"is": "failed"}, {"is": "failed"}, {"is": "pending"}), "failed", 0),
    "paid": (({"is": "paid"}, {"is": "paid"}, {"is": "failed"}, {"is": "pending"}), "paid", DUE),
    "late": (({"is": "failed"}, {"is": "pending"}, {"is": "paid"}, {"is": "failed"}), "paid", DUE),
    "less": (({"is": "paid", "amount": DUE - 1},) * ROUNDS, "unknown", 0),
    "more": (({"is": "paid", "amount": DUE * 100},) * ROUNDS, "unknown", 0),
    "cedis": (({"is": "paid", "currency": "GHS"},) * ROUNDS, "unknown", 0),
    "another": (({"is": "paid", "about": "another"},) * ROUNDS, "unknown", 0),
    "twice": (({"is": "paid"}, {"is": "paid"}, {"is": "overpaid", "amount": DUE * 2}, {"is": "failed"}), "overpaid", DUE),
}  # fmt: skip


@dataclass
class Line:
    """An operator, our side of it, how it is made to speak and how it calls us. `knows`: the fates that its answers can
    tell; `signed`: its calls prove that it is the one who calls."""

    name: str
    provider: PaymentProvider
    says: Callable[[str, Mapping[str, Any]], None]
    calls: Callable[[str, int], tuple[dict[str, str], bytes]]
    asked: Callable[[str], int]
    cut: Callable[[bool], None]
    knows: tuple[str, ...]
    signed: bool


@dataclass
class PaymentSite:
    """The office, its operators, and the payments under way: each with its operator and its fate."""

    world: World
    app: Flask
    lines: list[Line]
    paying: list[tuple[Payment, Line, str]] = field(default_factory=list)
    answers: list[tuple[str, str, int]] = field(
        default_factory=list
    )  # operator, worth of the letter, status of our answer


# -- the operators -----------------------------------------------------------------------------------------------------


class Fickle(SandboxProvider):
    """The simulated operator, that says of an order what the test wants."""

    def __init__(self, operator: SandboxOperator) -> None:
        super().__init__(operator)
        self.told: dict[str, Mapping[str, Any]] = {}
        self.asked: list[str] = []
        self.down = False

    def status(self, reference: str, provider_ref: str | None) -> ProviderStatus:
        self.asked.append(reference)
        if self.down:
            raise ProviderDown("down")
        told = self.told[reference]
        return ProviderStatus(
            told["is"], told.get("amount", DUE), told.get("currency", CURRENCY), told.get("about", reference)
        )


def _simulated(operator: SandboxOperator, clock: Clock) -> Line:
    fickle = Fickle(operator)

    def calls(reference: str, stamp: int) -> tuple[dict[str, str], bytes]:
        told = fickle.told[reference]
        body = json.dumps({
            "event": f"{reference}:{told['is']}", "reference": reference, "status": told["is"],
            "amount": told.get("amount", DUE), "currency": told.get("currency", CURRENCY),
        }).encode()  # fmt: skip
        return {SIGNATURE: f"t={stamp},v1={operator.signature(str(stamp), body)}"}, body

    def cut(down: bool) -> None:
        fickle.down = down

    return Line("sandbox", fickle, fickle.told.__setitem__, calls, fickle.asked.count, cut, tuple(ENDINGS), True)


def _local(name: str, local: LocalOperator, provider: PaymentProvider, words: Mapping[str, str], **how: Any) -> Line:
    """An operator over HTTP, in its own words."""

    def says(reference: str, told: Mapping[str, Any]) -> None:
        order = local.orders[reference]
        order["status"], order["amount"] = words[told["is"]], told.get("amount", DUE)
        order["currency"] = told.get("currency", CURRENCY)

    def asked(reference: str) -> int:
        number = local.orders[reference]["number"]
        return sum(
            reference in f"{path} {body}" or path.endswith(f"/{number}")
            for method, path, body, _ in list(local.asked) if "status" in path or "check" in path or "confirm" in path or method == "GET"
        )  # fmt: skip

    def cut(down: bool) -> None:
        local.says = (500, b"{}") if down else None

    return Line(name, provider, says, how["calls"], asked, cut, how["knows"], how["signed"])


def _lines(stack: ExitStack, world: World) -> list[Line]:
    clock = world.clock
    gate, feda = stack.enter_context(serving(LocalPayGate())), stack.enter_context(serving(LocalFedaPay()))
    dunya, cinet = stack.enter_context(serving(LocalPayDunya())), stack.enter_context(serving(LocalCinetPay()))
    assert isinstance(gate, LocalPayGate)
    assert isinstance(feda, LocalFedaPay)
    assert isinstance(dunya, LocalPayDunya)
    assert isinstance(cinet, LocalCinetPay)
    ends = ("never", "failed", "paid", "late")

    def wire(local: LocalOperator) -> HttpClient:
        return HttpClient(local.address, seconds=5.0)

    return [
        _simulated(world.operator, clock),
        _local(
            "paygate", gate, PayGate("paygate", "PG", wire(gate), "jeton", "TMONEY", clock),
            {"pending": "2", "failed": "6", "paid": "0"},
            calls=lambda reference, stamp: gate.callback(reference, tx_reference=f"T{stamp}"), knows=ends, signed=False,
        ),
        _local(
            "fedapay", feda, FedaPay("fedapay", "FP", wire(feda), "sk", "whsec", "togocel", clock),
            {"pending": "pending", "failed": "declined", "paid": "approved"},
            calls=lambda reference, stamp: feda.callback(reference, "whsec", stamp),
            knows=(*ends, "less", "more", "cedis"), signed=True,
        ),
        _local(
            "paydunya", dunya, PayDunya("paydunya", "PD", wire(dunya), "m", "p", "t", "t-money-togo", "Guichet", clock),
            {"pending": "pending", "failed": "cancelled", "paid": "completed"},
            calls=lambda reference, stamp: dunya.callback(reference, "m"), knows=(*ends, "less", "more"), signed=False,
        ),
        _local(
            "cinetpay", cinet,
            CinetPay("cinetpay", "CP", wire(cinet), "k", "site", "secret", "https://x/r", "https://x/d", clock),
            {"pending": "PENDING", "failed": "REFUSED", "paid": "ACCEPTED"},
            calls=lambda reference, stamp: cinet.callback(reference, "secret"),
            knows=(*ends, "less", "more", "cedis"), signed=True,
        ),
    ]  # fmt: skip


@contextmanager
def a_payment_site(folder: Path, store: Store, *only: str) -> Iterator[PaymentSite]:
    """An office where one dossier pays through each operator, or `only` through some, for each fate."""
    with ExitStack() as stack:
        world = a_world(folder, store)
        lines = [line for line in _lines(stack, world) if not only or line.name in only]
        world.office.providers.clear()  # type: ignore[attr-defined]
        world.office.providers.update({line.name: line.provider for line in lines})  # type: ignore[attr-defined]
        site = PaymentSite(world, create_app(Settings(data=folder, secret="test"), world.office, world.operator), lines)
        number = 0
        for line in lines:
            for ending in line.knows:
                number += 1
                owner = world.applicant(f"+2289{number:07d}")
                dossier = world.sent(owner=owner)
                payment = worker.start_payment(
                    world.office, owner, dossier.id, provider=line.name, payer=f"+2289011{number:04d}", token=new_id()
                )
                site.paying.append((payment, line, ending))
        yield site


# -- playing it --------------------------------------------------------------------------------------------------------


def speak(site: PaymentSite, turn: int) -> None:
    """Every operator says what the fate of each order has for this round; none answers in the second."""
    for line in site.lines:
        line.cut(turn == 1)
    for payment, line, ending in site.paying:
        line.says(payment.reference, ENDINGS[ending][0][turn])


def letters(site: PaymentSite, times: int) -> list[Letter]:
    """What is posted to us in one round: each order's call so many times, the same forged, stale, and sent to another
    operator's address, and one that lies over a good signature."""
    stamp = int(site.world.clock.now().timestamp())
    posted: list[Letter] = []
    for place, (payment, line, _) in enumerate(site.paying):
        headers, body = line.calls(payment.reference, stamp)
        other = site.lines[(site.lines.index(line) + 1 + place) % len(site.lines)]
        posted += [(line.name, headers, body, "true")] * times
        posted.append((line.name, {name: _spoiled(value) for name, value in headers.items()}, body, "forged"))
        posted.append((line.name, headers, body.replace(payment.reference.encode(), b"x" * 26), "changed"))
        posted.append((line.name, *line.calls(payment.reference, stamp - HOUR), "stale"))
        if other is not line:
            posted.append((other.name, headers, body, "crossed"))
    return posted


def _spoiled(value: str) -> str:
    return value[:-1] + ("0" if value[-1:] != "0" else "1")


def deliver(site: PaymentSite, posted: list[Letter]) -> None:
    """Through the route, several at once, while as many workers ask about what was told."""

    def carry(thread: int) -> None:
        client = site.app.test_client()
        for where, headers, body, worth in posted[thread::THREADS]:
            kind = headers.get("Content-Type", "application/x-www-form-urlencoded")
            rest = {name: value for name, value in headers.items() if name != "Content-Type"}
            answer = client.post(f"/retours/{where}", data=body, headers=rest, content_type=kind)
            site.answers.append((where, worth, answer.status_code))
            settlement.ask_all_reported(site.world.office)

    raised = [one for one in together(THREADS, carry) if one is not None]
    assert not raised, raised


def play(site: PaymentSite, times: int, seed: int = 1) -> None:
    """All the rounds, in an order of chance; letters of a round are delivered again in the next ones."""
    chance, old = random.Random(seed), list[Letter]()
    for turn in range(ROUNDS):
        speak(site, turn)
        now = letters(site, times)
        again = chance.sample(old, min(len(old), len(now) // 3))
        both = now + [(where, headers, body, "replayed") for where, headers, body, _ in again]
        chance.shuffle(both)
        deliver(site, both)
        old += now
        settle(site)


def settle(site: PaymentSite) -> None:
    """The tour of the worker, once the operators have had ten minutes."""
    site.world.wait(minutes=10, seconds=1)
    settlement.ask_all_reported(site.world.office, 500)
    settlement.reconcile(site.world.office, 500)


# -- judging it --------------------------------------------------------------------------------------------------------


def faults_of(site: PaymentSite) -> list[str]:
    """What money did that it must not, what a caller was answered that it must not."""
    found = [fault for one in site.paying for fault in _faults_of_one(site, *one)]
    found += [f"fsck: {one}" for one in fsck(site.world.office)]
    receipts = [payment.receipt for payment, _, _ in _now(site) if payment.receipt]
    if len(set(receipts)) != len(receipts):
        found.append("a receipt given twice")
    signed = {line.name for line in site.lines if line.signed}
    for where, worth, status in sorted(set(site.answers)):
        proven = worth in ("forged", "changed") and where in signed
        if status not in ({400} if proven else {200, 400}):
            found.append(f"{where} was answered {status} to a {worth} letter")
    return found


def _now(site: PaymentSite) -> list[tuple[Payment, Line, str]]:
    def kept(payment: Payment) -> Payment:
        found = site.world.read(lambda unit: unit.payment(payment.id))
        assert isinstance(found, Payment)
        return found

    return [(kept(payment), line, ending) for payment, line, ending in site.paying]


def _faults_of_one(site: PaymentSite, before: Payment, line: Line, ending: str) -> Iterator[str]:
    office, name = site.world.office, f"{line.name}, {ending}"
    with office.store.unit() as unit:
        payment, entries = unit.payment(before.id), unit.entries(before.dossier)
        dossier, events = unit.dossier(before.dossier), unit.events_of(before.id)
    assert payment is not None
    assert dossier is not None
    status, francs = ENDINGS[ending][1:]
    if payment.status != status:
        yield f"{name}: {payment.status} instead of {status}"
    credited = [one.body["amount"] for one in entries if one.kind == "credited"]  # type: ignore[index, call-overload]
    if credited != ([francs] if francs else []):
        yield f"{name}: credited {credited} instead of {francs}"
    if sum(one.paid for one in dossier.owed.values()) != francs:
        yield f"{name}: the dossier says otherwise"
    if francs and not any(one.verified and one.kind in settlement.RECEIVED for one in events):
        yield f"{name}: credited without an answer of the operator"
    if credited and not line.asked(before.reference):
        yield f"{name}: the operator was never asked"
    back = {payment.id: DUE} if ending == "twice" else {}
    if surplus(entries) != back:
        yield f"{name}: {surplus(entries)} to give back"
    if [one.kind for one in entries].count("overpaid") != (ending == "twice"):
        yield f"{name}: what was taken twice is noted otherwise than once"
