"""Read the TOML file of gateways: payment operators, SMS gateway, mail server, antivirus, identity provider.

    [operators.mixx]
    kind = "paygate"                       # paygate, fedapay, paydunya, cinetpay
    label = "Mixx by Yas (T-Money)"        # as citizens read it
    network = "TMONEY"
    prefixes = ["70", "71", "90", "91"]    # first digits of its numbers; another number only causes a question
    countries = ["TG"]                     # of its numbers; another one is refused
    token_file = "/run/secrets/paygate"    # each secret: in this file (`token`), or in its own file (`token_file`)

    [operators.card]
    kind = "cinetpay"
    method = "card"                        # mobile_money by default; cinetpay and fedapay take cards
    label = "Carte bancaire (CinetPay)"
    key_file = "/run/secrets/cinetpay"

    [sms]
    address = "https://sms.example/send"   # a POST in JSON
    token_file = "/run/secrets/sms"
    fields = {to = "phone", text = "message"}
    fixed = {sender = "GUICHET"}
    price = {TG = 12.5, other = 60}        # of one segment, in XOF, by country; or one price for all: price = 15

    [email]
    host = "mail.example"
    from = "Guichet <ne-pas-repondre@exemple.tg>"
    user = "guichet"
    password_file = "/run/secrets/mail"

    [antivirus]
    socket = "/run/clamav/clamd.ctl"       # ClamAV; or host = "…", port = 3310. Files are refused while it gives no answer

    [identity]                             # citizens may sign in with it: OpenID Connect
    issuer = "https://id.example"
    label = "identité numérique"
    client = "guichet"
    secret_file = "/run/secrets/identity"
    claims = {given_names = "prenoms"}     # our name → the provider's, where it differs from the standard
    levels = {"loa-2" = "substantial"}     # the provider's acr → low, substantial, high

The name of an operator's table is its id in addresses and in the journal. It never changes meaning.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, cast

import phonenumbers

from engine.core.clock import Clock
from engine.core.values import forbidden_at
from engine.integrations.cinetpay import ADDRESS as CINETPAY
from engine.integrations.cinetpay import CinetPay
from engine.integrations.clamav import ClamAV
from engine.integrations.fedapay import ADDRESS as FEDAPAY
from engine.integrations.fedapay import FedaPay, FedaPayCard, Mode
from engine.integrations.gateways import (
    OTHER_COUNTRY,
    Gateways,
    IdentityProvider,
    MessageSender,
    UnreadGateways,
    WrongGateways,
)
from engine.integrations.http_client import HttpClient, InsecureAddress
from engine.integrations.paydunya import ADDRESS as PAYDUNYA
from engine.integrations.paydunya import PayDunya, Wallet
from engine.integrations.paygate import ADDRESS as PAYGATE
from engine.integrations.paygate import Network, PayGate
from engine.integrations.payment_provider import Method, PaymentProvider
from engine.integrations.sms_gateway import SmsGateway
from engine.integrations.smtp import MailServer, Security

_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_PREFIX: Final = re.compile(r"[0-9]{1,8}")
_ID: Final = re.compile(r"[a-z][a-z0-9_]{0,30}")


class _Table:
    """A table of the file during reading: unknown keys and missing required keys are errors."""

    def __init__(self, name: str, keys: Mapping[str, Any], folder: Path) -> None:
        self.name, self._keys, self._folder = name, dict(keys), folder

    def wrong(self, key: str, why: str) -> WrongGateways:
        return WrongGateways(f"[{self.name}] {key}: {why}")

    def text(self, key: str, default: str | None = None) -> str:
        value = self._keys.pop(key, default)
        if value is None:
            raise self.wrong(key, "is missing")
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(key, "must be a text")
        return value.strip()

    def secret(self, key: str) -> str:
        path = self._keys.pop(f"{key}_file", None)
        if path is None:
            return self.text(key)
        try:
            return (self._folder / str(path)).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise self.wrong(f"{key}_file", f"{self._folder / str(path)} cannot be read by this account") from None

    def number(self, key: str, default: int) -> int:
        value = self._keys.pop(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 65536:
            raise self.wrong(key, "must be a number")
        return value

    def texts(self, key: str) -> dict[str, str]:
        value = self._keys.pop(key, {})
        if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
            raise self.wrong(key, 'must be a table of texts, as in {to = "phone"}')
        return dict(value)

    def prices(self, key: str) -> dict[str, int]:
        """Return the price of an SMS by country, in hundredths of a franc.

        The file gives francs by country, or one price for all.
        """
        value = self._keys.pop(key, {})
        said = value if isinstance(value, dict) else {OTHER_COUNTRY: value}
        if strange := [one for one in said if one != OTHER_COUNTRY and not _COUNTRY.fullmatch(one)]:
            raise self.wrong(key, f"knows countries by two capital letters and {OTHER_COUNTRY}, not {min(strange)}")
        found = {country: _hundredths(price) for country, price in said.items()}
        if any(price is None for price in found.values()):
            raise self.wrong(key, "must be francs of one segment, from 0 to 10000, with two decimals at most")
        return {country: price for country, price in found.items() if price is not None}

    def prefixes(self) -> tuple[str, ...]:
        value = self._keys.pop("prefixes", [])
        if not isinstance(value, list) or not all(isinstance(one, str) and _PREFIX.fullmatch(one) for one in value):
            raise self.wrong("prefixes", 'must be a list of digits, as in ["70", "90"]')
        return tuple(value)

    def countries(self) -> tuple[str, ...]:
        value = self._keys.pop("countries", [])
        if not isinstance(value, list) or not all(one in phonenumbers.SUPPORTED_REGIONS for one in value):
            raise self.wrong("countries", 'must be a list of ISO codes of countries, as in ["TG"]')
        return tuple(value)

    def one_of(self, key: str, *allowed: str, default: str | None = None) -> str:
        value = self.text(key, default)
        if value not in allowed:
            raise self.wrong(key, "must be one of " + ", ".join(allowed))
        return value

    def wire(self, otherwise: str | None) -> HttpClient:
        try:
            return HttpClient(self.text("address", otherwise))
        except InsecureAddress:
            raise self.wrong("address", "must be an https address") from None

    def close(self) -> None:
        if self._keys:
            raise self.wrong(min(self._keys), "is not a key of this table")


def _hundredths(price: object) -> int | None:
    if isinstance(price, bool) or not isinstance(price, int | float) or not 0 <= price <= 10_000:
        return None
    whole = round(price * 100)
    return whole if abs(whole - price * 100) < 1e-6 else None


_Made = Callable[[_Table, str, str, Clock, str], PaymentProvider]


def _paygate(table: _Table, name: str, label: str, clock: Clock, base_url: str) -> PaymentProvider:
    network = cast(Network, table.one_of("network", "TMONEY", "FLOOZ"))
    made = PayGate(name, label, table.wire(PAYGATE), table.secret("token"), network, clock)
    made.prefixes, made.countries = table.prefixes(), table.countries()
    return made


def _fedapay(table: _Table, name: str, label: str, clock: Clock, base_url: str) -> PaymentProvider:
    secret, signing = table.secret("secret"), table.secret("signing")
    if _method(table) == "card":
        return FedaPayCard(name, label, table.wire(FEDAPAY), secret, signing, _back(name, base_url), clock)
    mode = cast(Mode, table.one_of("mode", "moov_tg", "togocel"))
    made = FedaPay(name, label, table.wire(FEDAPAY), secret, signing, mode, clock)
    made.prefixes, made.countries = table.prefixes(), table.countries()
    return made


def _paydunya(table: _Table, name: str, label: str, clock: Clock, base_url: str) -> PaymentProvider:
    wallet = cast(Wallet, table.one_of("wallet", "t-money-togo", "moov-togo"))
    master, private, token = (table.secret(key) for key in ("master", "private", "token"))
    store = table.text("store", label)
    made = PayDunya(name, label, table.wire(PAYDUNYA), master, private, token, wallet, store, clock)
    made.prefixes, made.countries = table.prefixes(), table.countries()
    return made


def _cinetpay(table: _Table, name: str, label: str, clock: Clock, base_url: str) -> PaymentProvider:
    key, site, secret = table.secret("key"), table.text("site"), table.secret("secret")
    notify, back = f"{base_url}/retours/{name}", _back(name, base_url)
    return CinetPay(name, label, table.wire(CINETPAY), key, site, secret, notify, back, clock, _method(table))


def _method(table: _Table) -> Method:
    return cast(Method, table.one_of("method", "mobile_money", "card", default="mobile_money"))


def _back(name: str, base_url: str) -> str:
    """Return the address to which an operator's page sends the payer back."""
    return f"{base_url}/retours/{name}/payeur"


_KINDS: Final[Mapping[str, _Made]] = {
    "paygate": _paygate, "fedapay": _fedapay, "paydunya": _paydunya, "cinetpay": _cinetpay,
}  # fmt: skip


def read_gateways(file: Path, clock: Clock, base_url: str) -> Gateways:
    """Return the gateways of the file. Files of secrets are relative to its folder.

    Raises `UnreadGateways` for an unreadable file, `WrongGateways` for wrong content.
    """
    try:
        tables = tomllib.loads(file.read_text("utf-8"))
    except OSError:
        raise UnreadGateways(str(file)) from None
    except ValueError as error:
        raise WrongGateways(str(error)) from None
    if hidden := forbidden_at(tables):
        raise WrongGateways(f"{hidden[0]}: holds {hidden[1]}, a sign that nobody sees")
    senders: dict[str, MessageSender] = {}
    operators: dict[str, PaymentProvider] = {}
    scanner: ClamAV | None = None
    identity: IdentityProvider | None = None
    prices: Mapping[str, int] = {}
    for name, keys in tables.items():
        if not isinstance(keys, dict) or name not in ("operators", "antivirus", "identity", *_SENDERS):
            raise WrongGateways(f"{name}: is none of [operators.…], [sms], [email], [antivirus], [identity]")
        if name == "operators":
            operators = {one: _operator(one, said, file.parent, clock, base_url) for one, said in keys.items()}
            continue
        table = _Table(name, keys, file.parent)
        if name == "antivirus":
            scanner = _antivirus(table)
        elif name == "identity":
            identity = _identity(table, clock)
        else:
            prices = table.prices("price") if name == "sms" else prices
            senders[name] = _SENDERS[name](table)
        table.close()
    return Gateways(operators, senders, scanner, identity, prices)


def _operator(name: str, keys: object, folder: Path, clock: Clock, base_url: str) -> PaymentProvider:
    if not isinstance(keys, dict):
        raise WrongGateways(f"operators.{name}: must be a table, as in [operators.{name}]")
    table = _Table(f"operators.{name}", keys, folder)
    if not _ID.fullmatch(name):
        raise table.wrong("name", "small letters, digits and _ only")
    kind = table.one_of("kind", *_KINDS)
    operator = _KINDS[kind](table, name, table.text("label"), clock, base_url)
    table.close()
    return operator


def _sms(table: _Table) -> MessageSender:
    fields, fixed = table.texts("fields"), table.texts("fixed")
    if strange := fields.keys() - {"to", "text"}:
        raise table.wrong("fields", f"knows to and text, not {min(strange)}")
    named = {"to": "to", "text": "text", **fields}
    return SmsGateway(table.wire(None), table.secret("token"), named, fixed)


def _email(table: _Table) -> MessageSender:
    security = table.one_of("security", "starttls", "tls", "none", default="starttls")
    user = table.text("user", "-")
    password = "" if user == "-" else table.secret("password")
    host, port = table.text("host"), table.number("port", 465 if security == "tls" else 587)
    try:
        return MailServer(
            host, port, cast(Security, security), table.text("from"), "" if user == "-" else user, password
        )
    except ValueError as wrong:
        raise table.wrong("from" if "from" in str(wrong) else "security", str(wrong)) from None


def _antivirus(table: _Table) -> ClamAV:
    path, host = table.text("socket", "-"), table.text("host", "-")
    if (path == "-") == (host == "-"):
        raise table.wrong("socket", "is missing, or host is; one of both")
    port = table.number("port", 3310)
    return ClamAV(path=path) if path != "-" else ClamAV(host=host, port=port)


def _identity(table: _Table, clock: Clock) -> IdentityProvider:
    from engine.integrations.openid import CLAIMS, Client, OpenIdProvider  # authlib is 1 MiB: where a provider is set

    label, claims, levels = table.text("label"), table.texts("claims"), table.texts("levels")
    if strange := claims.keys() - CLAIMS.keys():
        raise table.wrong("claims", f"knows {', '.join(CLAIMS)}, not {min(strange)}")
    if strange := set(levels.values()) - {"low", "substantial", "high"}:
        raise table.wrong("levels", f"low, substantial or high, not {min(strange)}")
    issuer, client, secret = table.text("issuer").rstrip("/"), table.text("client"), table.secret("secret")
    scopes = table.text("scopes", "openid profile")
    try:
        return OpenIdProvider(label, Client(issuer, client, secret, scopes, claims, levels), clock)
    except InsecureAddress:
        raise table.wrong("issuer", "must be an https address") from None


_SENDERS: Final[Mapping[str, Callable[[_Table], MessageSender]]] = {"sms": _sms, "email": _email}
