"""Mail server over TLS: one mail for each outbound message. The Message-ID is the message's id, to detect a copy.

RFC 5322 for the message, RFC 3834 for automatic mail, RFC 3207 for STARTTLS.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import Any, Final, Literal

from engine.integrations.gateways import NotSent
from engine.integrations.http_client import SocketDeadline
from engine.records.dossier import OutboundMessage

Security = Literal["starttls", "tls", "none"]
_WAIT_LIMIT, _LONGEST = 20.0, 60.0  # seconds, for the next byte and for a whole mail
_NOT_NOW, _TOO_LARGE = 421, 552  # the server closes for now; this mail is too large (RFC 5321)
# Refusals of our account and not of one mail: the next mail would fail too.
_ABOUT_US: Final = (
    smtplib.SMTPConnectError, smtplib.SMTPHeloError, smtplib.SMTPAuthenticationError, smtplib.SMTPSenderRefused,
)  # fmt: skip
_LONGEST_SUBJECT: Final = 200  # characters: folding takes quadratic time
_ADDRESS: Final = re.compile(r'[^\s@<>()\[\],;:"\\]{1,64}@[^\s@<>()\[\],;:"\\]{1,255}')
_LOCAL: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class MailServer:
    """The outgoing mail server. TLS is optional on this machine only. `sender` has the form `Guichet <a@b.tg>`."""

    def __init__(
        self, host: str, port: int, security: Security, sender: str, user: str = "", password: str = ""
    ) -> None:  # fmt: skip
        """Set the server and its account.

        Raises ValueError for an invalid sender address, or when secrets would travel unencrypted.
        """
        if security == "none" and host not in _LOCAL:
            raise ValueError("security none is for this machine only")
        name, address = parseaddr(sender)
        local, _, domain = address.partition("@")
        if not local or not domain:
            raise ValueError("from must be an address")
        self._sender = Address(name, local, domain)
        self._host, self._port, self._security = host, port, security
        self._user, self._password = user, password

    def send(self, letter: OutboundMessage) -> None:
        """Send one mail within 60 seconds.

        Raises `NotSent`, `for_good` for a refused recipient, `silent` when the server refuses our account.
        """
        try:
            message = self._message(letter)
            with SocketDeadline(_LONGEST) as until, self._open(until) as server:
                server.send_message(message)
        except smtplib.SMTPRecipientsRefused as refused:
            code = max((code for code, _ in refused.recipients.values()), default=550)
            raise NotSent("recipient_refused", for_good=code >= 500, silent=code == _NOT_NOW) from None
        except smtplib.SMTPResponseException as error:
            ours = isinstance(error, _ABOUT_US) and error.smtp_code != _TOO_LARGE
            for_good, silent = not ours and error.smtp_code >= 500, ours or error.smtp_code == _NOT_NOW
            raise NotSent(f"smtp_{error.smtp_code}", for_good=for_good, silent=silent) from None
        except smtplib.SMTPNotSupportedError:  # an address with accents, and a server without SMTPUTF8
            raise NotSent("not_supported") from None
        except (smtplib.SMTPException, OSError) as error:
            raise NotSent(type(error).__name__, silent=True) from None
        except ValueError:
            raise NotSent("no_such_address", for_good=True) from None

    def reach(self) -> None:
        """Connect and sign in without sending. Raises `NotSent`."""
        try:
            with SocketDeadline(_LONGEST) as until:
                self._open(until).close()
        except (smtplib.SMTPException, OSError) as error:
            raise NotSent(type(error).__name__) from None

    def _message(self, letter: OutboundMessage) -> EmailMessage:
        message = EmailMessage(policy=SMTP)
        if not _ADDRESS.fullmatch(letter.to) or "=?" in letter.to or not letter.to.isprintable():
            raise ValueError("no address")
        local, _, domain = letter.to.rpartition("@")
        message["From"] = self._sender
        message["To"] = Address("", local, domain)
        message["Subject"] = _one_line(letter.subject)
        message["Date"] = format_datetime(letter.created_at)
        message["Message-ID"] = f"<{letter.id}@{self._sender.domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(letter.body, cte="quoted-printable")
        return message

    def _open(self, until: SocketDeadline) -> smtplib.SMTP:
        context = ssl.create_default_context()
        if self._security == "tls":
            server: smtplib.SMTP = _TlsSession(until, self._host, self._port, timeout=_WAIT_LIMIT, context=context)
        else:
            server = _Session(until, self._host, self._port, timeout=_WAIT_LIMIT)
        try:
            if self._security == "starttls":
                server.starttls(context=context)
                if server.sock is not None:
                    until.watch(server.sock)
            if self._user:
                server.login(self._user, self._password)
        except BaseException:
            server.close()
            raise
        return server


def _one_line(subject: str) -> str:
    """Return a subject as plain text on one line.

    `EmailMessage` decodes encoded words (RFC 2047), which may contain a line end. It would write that into
    the head.
    """
    seen = "".join(sign if sign.isprintable() else " " for sign in subject[: 2 * _LONGEST_SUBJECT])
    return " ".join(seen.replace("=?", "= ?").split())[:_LONGEST_SUBJECT]


class _Session(smtplib.SMTP):
    """A connection that the deadline of its mail watches from the greeting on."""

    def __init__(self, until: SocketDeadline, *given: Any, **more: Any) -> None:
        self._until = until
        super().__init__(*given, **more)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        opened: socket.socket = super()._get_socket(host, port, timeout)  # type: ignore[misc]
        self._until.watch(opened)
        return opened


class _TlsSession(_Session, smtplib.SMTP_SSL):
    """The same connection over TLS."""
