"""An identity provider on this machine, over real HTTP: it discovers, asks nobody anything, checks PKCE and signs."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

CLIENT, SECRET = "guichet", "a secret: with / signs"


def a_key() -> ECKey:
    return ECKey.generate_key("P-256", {"kid": secrets.token_hex(4), "use": "sig", "alg": "ES256"}, auto_kid=False)


@dataclass
class LocalIdentity:
    """`person` is what it says of whoever comes; `twist` changes claims or the key, to be refused."""

    url: str = ""
    now: int = 0
    person: dict[str, Any] = field(default_factory=lambda: {"sub": "p1", "family_name": "AMEGAN", "given_name": "Afi"})
    twist: dict[str, Any] = field(default_factory=dict)
    key: ECKey = field(default_factory=a_key)
    signing: ECKey | None = None  # when it is not the published one
    entered: int = 0  # when the person signed in there; 0 = at each visit
    heeds: bool = True  # asks the person again where the client wants it
    issued: dict[str, dict[str, str]] = field(default_factory=dict)
    down: bool = False

    def authorise(self, address: str) -> str:
        """What a browser does at the provider: the address it is sent back to."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        if self.heeds and asked.get("prompt") == "login":
            self.entered = 0
        code = secrets.token_urlsafe(8)
        self.issued[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        pair = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        asked = self.issued.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        known = pair == f"{CLIENT}:a%20secret%3A%20with%20%2F%20signs"
        if (
            not known
            or asked is None
            or asked["code_challenge"] != challenge
            or asked["redirect_uri"] != form["redirect_uri"]
        ):
            return 400, {"error": "invalid_grant"}
        claims = {
            "iss": self.url, "aud": CLIENT, "iat": self.now, "exp": self.now + 300, "nonce": asked["nonce"],
            "auth_time": self.entered or self.now, **self.person, **self.twist,
        }  # fmt: skip
        key = self.signing or self.key
        return 200, {
            "access_token": "a",
            "token_type": "Bearer",
            "id_token": jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key, algorithms=["ES256"]),
        }

    def published(self, path: str) -> dict[str, Any]:
        if path == "/jwks":
            return dict(KeySet([self.key]).as_dict(private=False))
        places = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/jwks"}
        return {"issuer": self.url, **{name: self.url + at for name, at in places.items()}}


@contextmanager
def local_identity() -> Iterator[LocalIdentity]:
    """Serves until the block ends."""
    provider = LocalIdentity()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/authorize"):
                self.send_response(302)
                self.send_header("Location", provider.authorise(self.path))
                self.end_headers()
                return
            self._answer(503 if provider.down else 200, provider.published(self.path))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self._answer(*provider.token(form, self.headers["Authorization"]))

        def _answer(self, status: int, body: dict[str, Any]) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
