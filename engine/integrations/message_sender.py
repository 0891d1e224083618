"""Message senders deliver outbound messages. A sender raises `NotSent` on failure, and the outbox retries later."""

from __future__ import annotations

import sys
from typing import Protocol, TextIO

from engine.records.dossier import OutboundMessage


class NotSent(Exception):
    """The message was not sent.

    `for_good` means that a retry is useless (no such address). `silent` means that the channel gave no answer
    or limits requests, so the next message would fail too.
    """

    def __init__(self, reason: str, for_good: bool = False, silent: bool = False) -> None:
        super().__init__(reason)
        self.for_good, self.silent = for_good, silent


class MessageSender(Protocol):
    """One channel of outbound messages. It uses the network, so it must not run inside a unit of work."""

    def send(self, letter: OutboundMessage) -> None:
        """Send one message. Raises `NotSent`."""
        ...


class InboxSender:
    """The development inbox: nothing is sent, and the inbox page reads the stored messages."""

    def send(self, letter: OutboundMessage) -> None:
        """Do nothing: the inbox page shows the message once it is marked as sent."""


class ConsoleSender:
    """Write messages to a terminal, for a server without any channel yet.

    Without a terminal the text would end in a log, so the message waits for a channel.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def send(self, letter: OutboundMessage) -> None:
        """Write the message. Raises `NotSent` (`no_gateway`) when stderr is no terminal."""
        stream = self._stream or sys.stderr
        if self._stream is None and not stream.isatty():
            raise NotSent("no_gateway")
        head = f"[{letter.channel}] {letter.to}"
        print(head, letter.subject, letter.body, sep="\n  ", file=stream, flush=True)
