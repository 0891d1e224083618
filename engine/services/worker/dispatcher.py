"""The dispatcher of a worker makes the queued calls, with separate threads for each partner.

It never waits for a partner, so an operator that hangs delays no other call or message. It looks at
once when `wakeup` is set in its process, and every second for calls of other processes. Any number of
workers may run: taking a call or claiming a message is one transaction.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from engine.services.context.app_context import AppContext
from engine.services.core.call_queue import EVERY, QueuedCall, beat, queued_calls
from engine.services.core.register_lookups import ask_register
from engine.services.payments.order_placement import place_order
from engine.services.payments.settlement import ask_again, ask_reported, due_to_ask, is_due
from engine.services.worker.worker import deliver_channel
from engine.storage.results import Busy

log = logging.getLogger("guichet.dispatcher")

POLL: Final = 1.0  # seconds between two looks at calls that other processes queued
PAUSE: Final = 0.02  # seconds between two looks, however often it is woken
ORDERS: Final = 8  # threads that send orders to one operator
QUESTIONS: Final = 4  # threads that ask one operator, or one register
SENDERS: Final = 1  # thread that sends the messages of one channel
MOST: Final = 200  # calls read at once

Lane = tuple[str, str]  # kind of work and partner


class Dispatcher:
    """Starts queued calls in threads. `current` returns the present application context."""

    def __init__(self, current: Callable[[], AppContext]) -> None:
        self._current = current
        self.alone = threading.Lock()  # held while scenarios run, which make the calls that they queue
        self._lock = threading.Lock()
        self._running = Counter[Lane]()
        self._under_way = set[str]()  # keys of unfinished work in threads
        self._beats = self._polls = float("-inf")

    def run(self, stop: threading.Event) -> None:
        """Run until `stop` is set, then wait for the calls in progress. The caller limits that wait."""
        silent = False
        while not stop.is_set():
            office, before = self._current(), silent
            office.wakeup.clear()
            try:
                with self.alone:
                    self.look(office)
                silent = False
            except Busy:
                silent = True
            except Exception:
                log.exception("a look at the calls that wait")
            if silent and not before:
                log.warning("the store does not answer; calls to partners wait")
            office.wakeup.wait(POLL)
            stop.wait(PAUSE)
        while self.is_busy():
            time.sleep(PAUSE)

    def is_busy(self) -> bool:
        """Return whether a thread is still at work."""
        with self._lock:
            return bool(self._under_way)

    def look(self, ctx: AppContext) -> None:
        """Start every queued call for which a thread is free. It never waits for an external system. Raises `Busy`."""
        if time.monotonic() - self._beats >= EVERY.total_seconds():
            beat(ctx)
            self._beats = time.monotonic()
        for call in self._waiting(ctx):
            self._start_call(ctx, call)
        with ctx.store.unit() as unit:
            channels = unit.channels_due(ctx.now())
        for channel in channels:
            self._start(("send", channel), channel, SENDERS, partial(deliver_channel, ctx, channel))
        if time.monotonic() - self._polls >= POLL:
            self._polls = time.monotonic()
            self._ask_silent(ctx)

    def _waiting(self, ctx: AppContext) -> Iterable[QueuedCall]:
        """Return the queued calls.

        Of a long queue it takes some of each partner, so that none hides the others.
        """
        with ctx.store.unit() as unit:
            calls = queued_calls(unit, MOST)
            if len(calls) < MOST:
                return calls
            providers = [
                call
                for one in ctx.providers
                for kind in ("order", "told")
                for call in queued_calls(unit, MOST, kind, one)
            ]
            return [*providers, *queued_calls(unit, MOST, "register")]

    def _start_call(self, ctx: AppContext, call: QueuedCall) -> None:
        if call.kind == "order":
            self._start(("order", call.partner), call.key, ORDERS, partial(place_order, ctx, call))
        elif call.kind == "told":
            if is_due(call, ctx.now()):
                self._start(("ask", call.partner), call.subject, QUESTIONS, partial(ask_reported, ctx, call))
        else:
            self._start(("register", call.partner), call.key, QUESTIONS, partial(ask_register, ctx, call))

    def _ask_silent(self, ctx: AppContext) -> None:
        """Start status requests for silent payments of the operators with a free thread."""
        full = [one for one in ctx.providers if self._running["ask", one] >= QUESTIONS]
        for payment in due_to_ask(ctx, without=full):
            self._start(("ask", payment.provider), payment.id, QUESTIONS, partial(ask_again, ctx, payment))

    def _start(self, lane: Lane, key: str, most: int, work: Callable[[], object]) -> None:
        with self._lock:
            if key in self._under_way or self._running[lane] >= most:
                return
            self._under_way.add(key)
            self._running[lane] += 1
        name = "-".join(lane)
        try:
            threading.Thread(target=self._do, args=(lane, key, work), name=name, daemon=True).start()
        except RuntimeError:  # no more threads: the place is released, and the next look tries again
            with self._lock:
                self._under_way.discard(key)
                self._running[lane] -= 1
            raise

    def _do(self, lane: Lane, key: str, work: Callable[[], object]) -> None:
        try:
            work()
        except Busy:
            log.warning("the store does not answer; what %s had to keep is asked about again", "-".join(lane))
        except Exception:
            log.exception("a call: %s", "-".join(lane))
        finally:
            with self._lock:
                self._under_way.discard(key)
                self._running[lane] -= 1
            self._current().wakeup.set()  # a thread is free
