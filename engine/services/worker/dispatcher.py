"""The dispatcher of a worker: makes the calls that wait, each partner with threads of its own.

It never waits for a partner itself, so that an operator that hangs delays neither the others nor messages nor registers. It
looks at once when `wakeup` is set in its process, and every second for what other processes queued. Any number of workers may
run: what takes a call out of the queue, or lends a message, is one transaction.
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
from engine.services.core.call_queue import QueuedCall, queued_calls
from engine.services.core.heartbeat import EVERY, beat
from engine.services.core.register_lookups import ask_register
from engine.services.payments.order_placement import place_order
from engine.services.payments.settlement import ask_again, ask_reported, due_to_ask, is_due
from engine.services.worker.worker import deliver_channel
from engine.storage.unit_of_work import Busy

log = logging.getLogger("guichet.dispatcher")

POLL: Final = 1.0  # seconds between two looks at what other processes queued
PAUSE: Final = 0.02  # seconds between two looks, however often it is woken
ORDERS: Final = 8  # threads that hand orders over to one operator
QUESTIONS: Final = 4  # threads that ask one operator, or one register
SENDERS: Final = 1  # thread that sends the messages of one channel
MOST: Final = 200  # calls read at once

Lane = tuple[str, str]  # what is done, with whom


class Dispatcher:
    """`current`: the office to work with, as it is at this moment."""

    def __init__(self, current: Callable[[], AppContext]) -> None:
        self._current = current
        self.alone = threading.Lock()  # held by whoever tells stories meanwhile: what these queue is theirs to do
        self._lock = threading.Lock()
        self._running = Counter[Lane]()
        self._under_way = set[str]()  # keys of what a thread has not finished
        self._beats = self._polls = float("-inf")

    def run(self, stop: threading.Event) -> None:
        """Until told to stop; then waits for the calls under way. Whoever stops the process decides for how long."""
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
        with self._lock:
            return bool(self._under_way)

    def look(self, ctx: AppContext) -> None:
        """Starts every call that waits and for which a thread is free. Never waits for a partner."""
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
        """What is queued; where it is much, some of each partner, so that a queue before one hides no other's."""
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
        """Payments that nobody told us about, of the operators that have a thread free."""
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
        except RuntimeError:  # no more threads: the place is given back, and the next look tries again
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
