"""Senders carry letters out. A sender raises `NotSent` when it could not; the outbox tries again later."""

from __future__ import annotations

import sys
from typing import Protocol, TextIO

from engine.records.dossier import OutboundMessage


class NotSent(Exception):
    """The letter did not leave. `for_good`: trying again is useless (no such address). `silent`: whoever carries letters did not
    answer, or asks to be left alone for now, so that the next letter would fare no better."""

    def __init__(self, reason: str, for_good: bool = False, silent: bool = False) -> None:
        super().__init__(reason)
        self.for_good, self.silent = for_good, silent


class MessageSender(Protocol):
    """One channel out. Speaks to the network: never inside a unit of work."""

    def send(self, letter: OutboundMessage) -> None:
        """Raises `NotSent`."""
        ...


class InboxSender:
    """The development inbox: nothing leaves; the letter kept by the store is what the inbox page shows."""

    def send(self, letter: OutboundMessage) -> None:
        """Nothing to do: a letter marked as sent is already where it is read."""


class ConsoleSender:
    """Writes letters to a terminal, for a server without any channel yet. Where nobody looks at a terminal the words would
    end in a log: there the letter waits for a channel."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def send(self, letter: OutboundMessage) -> None:
        stream = self._stream or sys.stderr
        if self._stream is None and not stream.isatty():
            raise NotSent("no_gateway")
        head = f"[{letter.channel}] {letter.to}"
        print(head, letter.subject, letter.body, sep="\n  ", file=stream, flush=True)
