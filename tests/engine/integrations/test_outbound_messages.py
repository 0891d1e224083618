"""Letters leave the house by a real mail server and an SMS gateway of this machine; what fails is told apart."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from engine.core.clock import FixedClock
from engine.integrations import smtp as mail
from engine.integrations.config import read_gateways
from engine.integrations.gateways import NotSent, WrongGateways
from engine.integrations.http_client import HttpClient
from engine.integrations.sms_gateway import SmsGateway
from engine.integrations.smtp import MailServer
from engine.records.dossier import OutboundMessage
from tests.engine.integrations.local_operators import LocalOperator, serving
from tests.ports import free_port

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
LETTER = OutboundMessage(
    "l1", "d1", "email", "afi@example.tg", "Dossier reçu", "Bonjour,\nŋɔŋlɔ ƒe dɔ. Voilà : é ê ç.", NOW, "k", NOW
)
SMS = replace(LETTER, channel="sms", to="+22890112233", subject="", body="Dossier 123 recu")


class Post:
    """The handler of a real SMTP server: keeps messages, refuses whom the test says."""

    def __init__(self) -> None:
        self.kept: list[Any] = []
        self.refuses: dict[str, str] = {}

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if "from" not in self.refuses:
            envelope.mail_from = address
        return self.refuses.get("from", "250 OK")

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.kept.append(message_from_bytes(envelope.content, policy=policy.default))
        return self.refuses.get("data", "250 OK")


@contextmanager
def post_office(post: Post | None = None) -> Iterator[tuple[Post, MailServer]]:
    post = post or Post()
    port = free_port()
    controller = Controller(post, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield post, MailServer("127.0.0.1", port, "none", "Guichet du service public <rien@guichet.tg>")
    finally:
        controller.stop()


def test_a_letter_arrives_whole() -> None:
    with post_office() as (post, server):
        server.send(replace(LETTER, subject="Dossier\r\nBcc: x@example.tg"))
    [message] = post.kept
    assert message["To"] == "afi@example.tg"
    assert message["Bcc"] is None
    assert message["Subject"] == "Dossier Bcc: x@example.tg"
    assert message["Message-ID"] == "<l1@guichet.tg>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content().replace("\r\n", "\n").strip() == LETTER.body


@pytest.mark.parametrize(
    ("refuses", "for_good", "silent"),
    [
        ({"afi@example.tg": "550 no such user"}, True, False), ({"afi@example.tg": "450 busy"}, False, False),
        ({"data": "554 refused"}, True, False), ({"data": "451 later"}, False, False),
        ({"data": "421 the door is shut"}, False, True), ({"afi@example.tg": "421 the door is shut"}, False, True),
        ({"from": "550 you may not write from here"}, False, True), ({"from": "552 too large"}, True, False),
    ],
)  # fmt: skip
def test_what_a_mail_server_refuses(refuses: dict[str, str], for_good: bool, silent: bool) -> None:
    """What it says of one letter holds for that letter; a door that is shut is shut for all."""
    with post_office() as (post, server):
        post.refuses = refuses
        with pytest.raises(NotSent) as told:
            server.send(LETTER)
    assert (told.value.for_good, told.value.silent) == (for_good, silent)


ENDS = ("\r\n", "\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029", "\0", "\x1b", "\r\n.\r\n")
ENCODED = (
    "=?utf-8?q?a=0D=0ABcc:_evil@x.tg?=",
    "=?utf-8?b?YQ0KQmNjOiBldmlsQHgudGc=?=",
    "=?us-ascii?q?a=0ABcc:_evil@x.tg?=",
)
HOSTILE = (
    *(f"a{end}Bcc: evil@x.tg" for end in ENDS), *ENCODED, *(one.replace("=?", "=\u200b?") for one in ENCODED),
    "=" + ENCODED[0], ENCODED[0].replace("=?utf", "=\0?utf"), "é" * 100_000, "é " * 50_000, "x" * 100_000, "=?" * 50_000, "é(,<\"" * 20_000,
)  # fmt: skip


class Raw(Post):
    """Keeps every byte of a message."""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.kept.append((list(envelope.rcpt_tos), envelope.original_content))
        return "250 OK"


def test_no_value_adds_a_line_to_the_head_nor_takes_long() -> None:
    """Line ends of every kind, as they are and in encoded words, in each value that reaches the head; over a real session."""
    with post_office(Raw()) as (post, server):
        began = time.process_time()
        for text in HOSTILE:
            for letter in (
                replace(LETTER, subject=text),
                replace(LETTER, body=text),
                replace(LETTER, to=f"{text}@x.tg"),
                replace(LETTER, to=f"a@x.tg{text}"),
            ):
                with suppress(NotSent):
                    server.send(letter)
        assert time.process_time() - began < 10
    assert len(post.kept) >= 2 * len(HOSTILE)
    names = {
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "Auto-Submitted",
        "MIME-Version",
        "Content-Type",
        "Content-Transfer-Encoding",
    }
    for to, data in post.kept:
        head = data.partition(b"\r\n\r\n")[0].decode("ascii")
        said = [line.partition(":")[0] for line in head.splitlines() if not line[:1].isspace()]
        assert set(said) <= names
        assert len(said) == len(set(said))
        assert len(to) == 1
        assert b"\n" not in data.replace(b"\r\n", b"")
        assert b"\r" not in data.replace(b"\r\n", b"")
        assert "\n" not in str(message_from_bytes(data, policy=policy.default)["Subject"])


@pytest.mark.parametrize(
    "to", ["afi", "a b@example.tg", "a@x.tg\nBcc: y@x.tg", "@", f"{ENCODED[0]}@x.tg", "a,b@x.tg", "(" * 9999 + "@x.tg"]
)
def test_no_address_is_no_crash(to: str) -> None:
    with post_office() as (post, server), pytest.raises(NotSent):
        server.send(replace(LETTER, to=to))
    assert not post.kept


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(NotSent) as told:
        MailServer("127.0.0.1", 1, "none", "a@b.tg").send(LETTER)
    assert (told.value.for_good, told.value.silent) == (False, True)


@pytest.mark.parametrize("greeting", [b"220 here\r\n", b"220-and\r\n"], ids=["after its greeting", "in its greeting"])
def test_a_server_that_drips_is_waited_for_as_long_as_any_other(
    greeting: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sign, or a line, now and then is no answer."""
    monkeypatch.setattr(mail, "_LONGEST", 0.5)

    def drips(server: socket.socket) -> None:
        line, _ = server.accept()
        with line, suppress(OSError):
            line.sendall(greeting)
            while True:
                line.sendall(b"2" if b" " in greeting else greeting)
                time.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=drips, args=(server,), daemon=True).start()
        began = time.monotonic()
        with pytest.raises(NotSent) as told:
            MailServer("127.0.0.1", server.getsockname()[1], "none", "a@b.tg").send(LETTER)
        assert told.value.silent
        assert time.monotonic() - began < 5


def test_mail_never_leaves_this_machine_in_clear() -> None:
    with pytest.raises(ValueError, match="machine"):
        MailServer("mail.example", 25, "none", "a@b.tg")


class Texts(LocalOperator):
    code = 202

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        return self.code, {}


@pytest.mark.parametrize(
    ("code", "sent", "for_good"),
    [(200, True, False), (202, True, False), (422, False, True), (401, False, False), (429, False, False), (503, False, False), (302, False, False)],
)  # fmt: skip
def test_an_sms_gateway(code: int, sent: bool, for_good: bool) -> None:
    with serving(Texts()) as gateway:
        gateway.code = code  # type: ignore[attr-defined]
        sender = SmsGateway(
            HttpClient(gateway.address), "jeton", {"to": "phone", "text": "message"}, {"sender": "GUICHET"}
        )
        if sent:
            sender.send(SMS)
        else:
            with pytest.raises(NotSent) as told:
                sender.send(SMS)
            assert told.value.for_good is for_good
            assert told.value.silent is (code != 422), "of the gateway, or of who we are"
            assert SMS.to not in str(told.value)
        method, _, body, headers = gateway.asked[-1]
    assert method == "POST"
    assert body == {"sender": "GUICHET", "phone": SMS.to, "message": SMS.body}
    assert (headers["authorization"], headers["idempotency-key"]) == ("Bearer jeton", "l1")


CHANNELS = """
[sms]
address = "https://sms.example/send"
token = "s3cr3t"
fields = {to = "phone"}

[email]
host = "mail.example"
from = "Guichet <rien@guichet.tg>"
user = "guichet"
password = "s3cr3t"
"""


def test_the_channels_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "gateways.toml"
    file.write_text(CHANNELS)
    assert set(read_gateways(file, FixedClock(NOW), "https://x").senders) == {"sms", "email"}


@pytest.mark.parametrize(
    ("said", "prices"),
    [
        ("price = 15", {"other": 1500}),
        ("price = 12.35", {"other": 1235}),
        ("price = {TG = 12.5, other = 60}", {"TG": 1250, "other": 6000}),
        ("price = {TG = 0}", {"TG": 0}),
        ("", {}),
    ],
)
def test_what_a_message_costs(tmp_path: Path, said: str, prices: dict[str, int]) -> None:
    file = tmp_path / "gateways.toml"
    file.write_text(CHANNELS.replace("[sms]\n", f"[sms]\n{said}\n"))
    assert read_gateways(file, FixedClock(NOW), "https://x").sms_prices == prices


@pytest.mark.parametrize(
    "said", ['"15"', "-1", "true", "12.345", "nan", "inf", "10001", "[15]", '{TG = "15"}', "{tg = 15}", "{Togo = 15}"]
)
def test_a_price_that_is_none_stops_the_start(tmp_path: Path, said: str) -> None:
    file = tmp_path / "gateways.toml"
    file.write_text(CHANNELS.replace("[sms]\n", f"[sms]\nprice = {said}\n"))
    with pytest.raises(WrongGateways) as wrong:
        read_gateways(file, FixedClock(NOW), "https://x")
    assert str(wrong.value).startswith("[sms] price")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"https://sms.example/send"', '"http://sms.example"', "[sms] address"),
        ('{to = "phone"}', '{a = "phone"}', "[sms] fields"),
        ('{to = "phone"}', "3", "[sms] fields"),
        ('from = "Guichet <rien@guichet.tg>"', 'from = "x"', "[email] from"),
        ('host = "mail.example"', 'host = "mail.example"\nsecurity = "none"', "[email] security"),
        ('host = "mail.example"', 'host = "mail.example"\nport = 0', "[email] port"),
        ('password = "s3cr3t"', "", "[email] password"),
        ('password = "s3cr3t"', 'password_file = "none"', "[email] password_file: /"),
        ("[email]", "[mail]", "mail"),
        ('host = "mail.example"', r'host = "mail\u202E.example"', "email.host: holds U+202E"),
        ('host = "mail.example"', 'host = "mail\u200f.example"', "email.host: holds U+200F"),
        ('{to = "phone"}', r'{to = "\u001b[2J"}', "sms.fields.to: holds U+001B"),
        ("[email]", r'["e\u2066mail"]', "eU+2066mail: holds U+2066"),
    ],
)
def test_wrong_channels_say_where(tmp_path: Path, old: str, new: str, told: str) -> None:
    file = tmp_path / "gateways.toml"
    file.write_text(CHANNELS.replace(old, new, 1))
    with pytest.raises(WrongGateways) as wrong:
        read_gateways(file, FixedClock(NOW), "https://x")
    assert str(wrong.value).startswith(told)
    assert "s3cr3t" not in str(wrong.value)
