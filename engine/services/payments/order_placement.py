"""Sending orders to payment operators: the worker does it, at most once for each order."""

from __future__ import annotations

import logging
import re
import time
from contextlib import suppress
from dataclasses import replace
from typing import Final

from engine.integrations.payment_provider import CARD_PAGE, ProviderDown, operator_name, order_of
from engine.records.dossier import Payment
from engine.services.context.app_context import AppContext
from engine.services.core.call_queue import QueuedCall, queued_calls, take_call
from engine.services.payments.customers import open_customer
from engine.services.payments.settlement import OPEN, UNDER_WAY, check_payment, end_unsent, is_unplaced, kept_payment
from engine.storage.results import Busy

log = logging.getLogger("guichet.placing")

LONGEST_PAGE: Final = 2000
AGAIN: Final = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)  # seconds before each new try to save an answer in a busy store
_PAGE: Final = re.compile(r"https://[\w.-]+(:\d+)?([/?][\w.~:/?#@!$&()*+,;=%-]*)?", re.ASCII)


def place_orders(ctx: AppContext, limit: int = 200) -> int:
    """Send every queued order to its operator, one after another. Return how many were sent."""
    with ctx.store.unit() as unit:
        calls = queued_calls(unit, limit, "order")
    return sum(place_order(ctx, call) for call in calls)


def place_order(ctx: AppContext, call: QueuedCall) -> bool:
    """Send one order to its operator, outside any unit.

    Two operators create a new order at each call, so the payment is marked before the call. The worker that
    marks it makes the call. If that worker stops afterwards, the order is asked about and never sent again.
    Return False if the order must not be sent any more.
    """
    payment = _marked(ctx, call)
    if payment is None:
        return False
    connector = ctx.providers.get(payment.provider)
    try:
        customer = open_customer(ctx, str(call.body or ""))
        if connector is None:
            raise ProviderDown("no_such_provider")
        started = connector.start(order_of(payment, customer))
    except Exception as failed:  # the operator may have received it: only its answer to a status request decides
        if not isinstance(failed, ProviderDown):
            log.exception("the adapter of %s failed", payment.provider)
        _change(ctx, payment.id, None, status="unknown", reason="operator_down", checked_at=ctx.now())
        return True
    _change(
        ctx, payment.id, started.provider_ref, reason=None, page=_safe_page(ctx, started.page), checked_at=ctx.now()
    )
    if not started.pending:
        check_payment(ctx, payment.id)
    return True


def _marked(ctx: AppContext, call: QueuedCall) -> Payment | None:
    """Return the payment, marked as being sent by this worker.

    None if another worker took it or its time is over.
    """
    now = ctx.now()
    with ctx.store.unit(write=True) as unit:
        payment = unit.payment(call.subject)
        if not take_call(unit, call) or payment is None or not is_unplaced(payment):
            return None
        if now >= payment.expires_at:
            end_unsent(ctx, unit, payment)
            return None
        marked = replace(payment, reason=UNDER_WAY, checked_at=now)
        unit.put_payment(marked)
        return marked


def _safe_page(ctx: AppContext, page: str | None) -> str | None:
    """Return the page of an operator if it is safe as a link: a whole https address.

    A demonstration also accepts the card page of this site.
    """
    if page is None or len(page) > LONGEST_PAGE:
        return None
    simulated = ctx.settings.demo and page.startswith(CARD_PAGE)
    return page if simulated or _PAGE.fullmatch(page) else None


def _change(ctx: AppContext, payment_id: str, named: str | None, **changes: object) -> None:
    """Save changes of a payment that is still open, and what its operator named it. An ended one stays as it is.

    An operator names its order and its page once, so a busy store is tried again. Raises `Busy` after the last try.
    """
    for pause in AGAIN:
        with suppress(Busy):
            return _changed(ctx, payment_id, named, **changes)
        time.sleep(pause)
    return _changed(ctx, payment_id, named, **changes)


def _changed(ctx: AppContext, payment_id: str, named: str | None, **changes: object) -> None:
    with ctx.store.unit(write=True) as unit:
        payment = kept_payment(unit, payment_id)
        if payment.status in OPEN:
            name = payment.provider_ref or unit.own_name(payment, operator_name(named))
            unit.put_payment(replace(payment, provider_ref=name, **changes))  # type: ignore[arg-type]
