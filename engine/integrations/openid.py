"""OpenID Connect provider: authorization code flow with PKCE, state and nonce. The only module that imports authlib.

A statement about a person needs a valid signature, issuer, audience, time and nonce. The provider's addresses
and keys are discovered. Keys are requested again when one is unknown.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, urlsplit

from authlib.common.security import generate_token
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from engine.core.clock import Clock
from engine.core.values import Plain
from engine.integrations.gateways import NotProven, SignInStart, VerifiedIdentity
from engine.integrations.http_client import HttpClient, InsecureAddress
from engine.integrations.payment_provider import ProviderDown

ALGORITHMS: Final = [
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "ES256",
    "ES384",
    "Ed25519",
]  # never `none`, never a shared secret
LEEWAY: Final = 60  # seconds of allowed difference between clocks
KNOWN_FOR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Client:
    """This installation as a client of a provider, and how its claims are read.

    `claims` maps our field name to the provider's. `levels` maps the provider's `acr` to low, substantial or
    high.
    """

    issuer: str
    client: str
    secret: str = field(repr=False)
    scopes: str = "openid profile"
    claims: Mapping[str, str] = field(default_factory=dict)
    levels: Mapping[str, str] = field(default_factory=dict)


CLAIMS: Final[Mapping[str, str]] = {
    "family_name": "family_name", "given_names": "given_name", "birth_date": "birthdate", "sex": "gender",
    "birth_place": "place_of_birth", "residence": "address",
}  # fmt: skip
_SEXES: Final = {"female": "f", "f": "f", "male": "m", "m": "m"}


class OpenIdProvider:
    """An identity provider over OpenID Connect, safe to share between threads: none waits for the call of another."""

    def __init__(self, label: str, client: Client, clock: Clock) -> None:
        """Prepare the client. Raises `InsecureAddress` for an issuer on another machine in plain HTTP."""
        self.label, self._client, self._clock = label, client, clock
        self._issuer = HttpClient(client.issuer)
        self._found: tuple[datetime, Mapping[str, Plain]] | None = None
        self._keys: KeySet | None = None

    def begin(self, back: str, anew: bool = False) -> SignInStart:
        """Return the authorization address with a new state, nonce and PKCE verifier. Raises `ProviderDown`.

        With `anew` the provider asks the person again (OpenID Connect Core 3.1.2.1), and must say when they proved it.
        """
        asked = {"prompt": "login", "max_age": "0"} if anew else {}
        state, nonce, verifier = generate_token(43), generate_token(43), generate_token(64)
        address = prepare_grant_uri(
            self._place("authorization_endpoint"), self._client.client, "code", back, self._client.scopes, state,
            nonce=nonce, code_challenge=create_s256_code_challenge(verifier), code_challenge_method="S256", **asked,
        )  # fmt: skip
        return SignInStart(str(address), state, nonce, verifier)

    def finish(self, back: str, code: str, nonce: str, verifier: str) -> VerifiedIdentity:
        """Exchange the code at the token endpoint and verify the id token. Raises `ProviderDown`, `NotProven`."""
        fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier}
        answer = self._wire("token_endpoint").post_form("", fields, {"Authorization": self._basic()})
        if answer.status != 200 or not answer.text("id_token"):
            raise NotProven("code")
        claims = self._checked(answer.text("id_token"), nonce, answer.text("access_token"))
        return self._identity(claims)

    def _basic(self) -> str:
        """Return the Basic authorization value. RFC 6749 §2.3.1: both parts are URL-encoded first."""
        pair = f"{quote(self._client.client, safe='')}:{quote(self._client.secret, safe='')}"
        return "Basic " + base64.b64encode(pair.encode()).decode()

    # -- what the provider publishes -----------------------------------------------------------------------------------

    def _place(self, name: str) -> str:
        """Return one of the provider's addresses, discovered at most once an hour. The published issuer must be ours."""
        now, found = self._clock.now(), self._found
        if found is None or now - found[0] > KNOWN_FOR:
            answer = self._issuer.get("/.well-known/openid-configuration")
            if answer.status != 200 or answer.text("issuer") != self._client.issuer:
                raise ProviderDown("discovery")
            found = (now, answer.body)
            self._found, self._keys = found, None
        place = found[1].get(name)
        if not isinstance(place, str):
            raise ProviderDown(name)
        return place

    def _wire(self, name: str) -> HttpClient:
        """Return a client of a discovered address, which must use the same scheme as the issuer.

        An HTTPS issuer thus cannot redirect to plain HTTP on this machine.
        """
        place = self._place(name)
        try:
            if urlsplit(place).scheme != urlsplit(self._client.issuer).scheme:
                raise InsecureAddress(place)
            return HttpClient(place)
        except ValueError:
            raise ProviderDown(name) from None

    def _key_set(self, again: bool = False) -> KeySet:
        wire = self._wire("jwks_uri")
        keys = self._keys
        if keys is None or again:
            try:
                self._keys = keys = KeySet.import_key_set(dict(wire.get("").body))  # type: ignore[arg-type]
            except (JoseError, ValueError, KeyError, TypeError):
                raise ProviderDown("keys") from None
        return keys

    # -- verifying an identity -----------------------------------------------------------------------------------------

    def _checked(self, token: str, nonce: str, access_token: str) -> Mapping[str, Any]:
        signed = self._signed(token)
        options = {
            "iss": {"essential": True, "value": self._client.issuer},
            "aud": {"essential": True, "value": self._client.client},
        }
        params = {"nonce": nonce, "client_id": self._client.client, "access_token": access_token}
        claims = CodeIDToken(dict(signed.claims), dict(signed.header), options, params)
        try:
            claims.validate(now=int(self._clock.now().timestamp()), leeway=LEEWAY)
        except Exception as wrong:  # the library's errors have no other common base class
            raise NotProven(type(wrong).__name__) from None
        if not hmac.compare_digest(str(claims.get("nonce", "")), nonce):
            raise NotProven("nonce")
        return dict(claims)

    def _signed(self, token: str) -> jwt.Token:
        for again in (False, True):  # the keys are requested once more, in case a new one was published
            try:
                return jwt.decode(token, self._key_set(again), algorithms=ALGORITHMS)
            except (JoseError, ValueError):
                continue
        raise NotProven("signature")

    def _identity(self, claims: Mapping[str, Any]) -> VerifiedIdentity:
        subject = claims.get("sub")
        if not isinstance(subject, str) or not 0 < len(subject) <= 255 or not subject.isprintable():
            raise NotProven("sub")  # PostgreSQL stores no NUL
        named = {**CLAIMS, **self._client.claims}
        profile = {name: said for name, claim in named.items() if (said := _said(name, claims.get(claim)))}
        return VerifiedIdentity(
            f"{self._client.issuer} {subject}", profile, self._client.levels.get(str(claims.get("acr", "")), ""),
            _proven(claims, "phone_number"), _proven(claims, "email"), _proven_at(claims, self._clock.now()),
        )  # fmt: skip


def _said(name: str, value: object) -> str:
    """Return one claim in the form stored in profiles, without signs that no page shows. Empty for an unusable value."""
    if isinstance(value, Mapping):
        value = value.get("formatted")
    text = "".join(filter(str.isprintable, " ".join(value.split())))[:120] if isinstance(value, str) else ""
    return _SEXES.get(text.lower(), "") if name == "sex" else text


def _proven_at(claims: Mapping[str, Any], now: datetime) -> datetime | None:
    """Return when the person proved who they are. None where the provider does not say it, or names a time to come."""
    said = claims.get("auth_time")
    if not isinstance(said, int | float) or not 0 < said <= now.timestamp() + LEEWAY:
        return None
    return datetime.fromtimestamp(said, UTC)


def _proven(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) and claims.get(f"{name}_verified") is True else ""
