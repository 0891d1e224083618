"""Four payment operators on this machine, behaving as their papers say: each keeps orders and answers over HTTP.

A test ends an order (`end`), cuts the line (`down`), or makes an answer odd (`says`), then looks at what was asked.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlencode, urlsplit

from engine.integrations.cinetpay import SIGNED


class LocalOperator:
    """Orders by the reference of the merchant. `status` is in the operator's own words. Two of them know a reference again, the
    others make another order of it, under a number of its own: `before` are those."""

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.before: list[tuple[str, dict[str, Any]]] = []
        self.asked: list[tuple[str, str, Any, dict[str, str]]] = []
        self.down: frozenset[str] = frozenset()  # paths whose answer is lost, the work done
        self.says: tuple[int, bytes] | None = None
        self.address = ""

    def end(self, reference: str, status: str) -> None:
        self.orders[reference]["status"] = status

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        raise NotImplementedError

    def made(self, reference: str, amount: Any, status: str) -> dict[str, Any]:
        number = str(1000 + len(self.orders) + len(self.before))
        if reference in self.orders:
            self.before.append((reference, self.orders[reference]))
        self.orders[reference] = {"number": number, "amount": amount, "status": status}
        return self.orders[reference]

    def numbered(self, number: str) -> tuple[str, dict[str, Any]] | None:
        every = (*self.before, *self.orders.items())
        return next(((name, one) for name, one in every if one["number"] == number), None)


class LocalPayGate(LocalOperator):
    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if body["auth_token"] != "jeton":
            return 200, {"status": 2}
        reference = body["identifier"]
        if path == "/api/v1/pay":
            if reference in self.orders:
                return 200, {"status": 6}
            if body["network"] not in ("FLOOZ", "TMONEY") or len(body["phone_number"]) != 8:
                return 200, {"status": 4}
            return 200, {"tx_reference": self.made(reference, body["amount"], "2")["number"], "status": 0}
        if reference not in self.orders:
            return 404, {"status": 4}
        order = self.orders[reference]
        told = {"tx_reference": order["number"], "identifier": reference, "status": int(order["status"])}
        return 200, told | ({"amount": order["told"]} if "told" in order else {})

    def callback(self, reference: str, **changes: Any) -> tuple[dict[str, str], bytes]:
        order = self.orders[reference]
        told = {
            "tx_reference": order["number"], "identifier": reference, "amount": str(order["amount"]),
            "payment_method": "T-Money", "phone_number": "90112233", "datetime": "2026-11-23 09:00:00",
        }  # fmt: skip
        return {"Content-Type": "application/json"}, json.dumps({**told, **changes}).encode()


class LocalFedaPay(LocalOperator):
    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if path == "/v1/transactions":
            reference = body["merchant_reference"]
            return 200, {"v1/transaction": self._entity(reference, self.made(reference, body["amount"], "pending"))}
        if path.endswith("/token"):
            return 200, {"token": "t" + path.split("/")[3], "url": f"https://process.example/{path.split('/')[3]}"}
        if path in ("/v1/moov_tg", "/v1/togocel"):
            return 200, {"message": "sent"}
        name = path.removeprefix("/v1/transactions/")
        by = name.removeprefix("merchant/")
        found = (by, self.orders[by]) if by != name and by in self.orders else self.numbered(name)
        return (200, {"v1/transaction": self._entity(*found)}) if found else (404, {"message": "not found"})

    def _entity(self, reference: str, order: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": int(order["number"]), "amount": order["amount"], "status": order["status"],
            "merchant_reference": reference, "currency": {"iso": order.get("currency", "XOF")},
        }  # fmt: skip

    def callback(self, reference: str, secret: str, stamp: int) -> tuple[dict[str, str], bytes]:
        entity = self._entity(reference, self.orders[reference])
        body = json.dumps({"name": f"transaction.{entity['status']}", "entity": entity}).encode()
        good = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        return {"X-FEDAPAY-SIGNATURE": f"t={stamp},s=00,s={good}"}, body


class LocalPayDunya(LocalOperator):
    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if path == "/checkout-invoice/create":
            order = self.made(body["custom_data"]["reference"], body["invoice"]["total_amount"], "pending")
            return 200, {"response_code": "00", "token": order["number"], "response_text": "https://pay.example"}
        if path.startswith("/softpay/"):
            return 200, {"success": True}
        found = self.numbered(path.rsplit("/", 1)[1])
        if found is None:
            return 200, {"response_code": "1001", "response_text": "no such invoice"}
        reference, order = found
        return 200, {
            "response_code": "00", "status": order["status"], "custom_data": {"reference": reference},
            "invoice": {"token": order["number"], "total_amount": order["amount"]},
        }  # fmt: skip

    def callback(self, reference: str, master: str) -> tuple[dict[str, str], bytes]:
        order = self.orders[reference]
        return {}, urlencode({
            "data[hash]": hashlib.sha512(master.encode()).hexdigest(), "data[status]": order["status"],
            "data[invoice][token]": order["number"], "data[invoice][total_amount]": order["amount"],
            "data[custom_data][reference]": reference,
        }).encode()  # fmt: skip


class LocalCinetPay(LocalOperator):
    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        reference = body["transaction_id"]
        if path == "/payment":
            if reference not in self.orders:
                self.made(reference, body["amount"], "PENDING")
            return 201, {"code": "201", "data": {"payment_url": f"https://checkout.example/{reference}"}}
        if reference not in self.orders:
            return 200, {"code": "627", "message": "TRANSACTION_NOT_FOUND"}
        order = self.orders[reference]
        code = "00" if order["status"] == "ACCEPTED" else "662"
        data = {"amount": str(order["amount"]), "currency": order.get("currency", "XOF"), "status": order["status"]}
        return 200, {"code": code, "data": data}

    def callback(self, reference: str, secret: str, **changes: str) -> tuple[dict[str, str], bytes]:
        told = dict.fromkeys(SIGNED, "") | {
            "cpm_site_id": "site", "cpm_trans_id": reference, "cpm_amount": str(self.orders[reference]["amount"]),
            "cpm_currency": "XOF", "cpm_error_message": "SUCCES",
        }  # fmt: skip
        sign = hmac.new(secret.encode(), "".join(told[name] for name in SIGNED).encode(), hashlib.sha256).hexdigest()
        return {"X-Token": sign}, urlencode({**told, **changes}).encode()


@contextmanager
def serving(operator: LocalOperator) -> Iterator[LocalOperator]:
    class Desk(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            path = urlsplit(self.path).path
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.loads(raw) if raw else None
            operator.asked.append((self.command, path, body, {k.lower(): v for k, v in self.headers.items()}))
            status, told = operator.answer(self.command, path, body)
            content = json.dumps(told).encode()
            if operator.says is not None:
                status, content = operator.says
            if any(path.startswith(one) for one in operator.down):
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _answer

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Desk)
    operator.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield operator
    finally:
        server.shutdown()
        server.server_close()
