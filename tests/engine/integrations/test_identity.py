"""An identity provider over real HTTP: who it says somebody is, and everything that makes its word worth nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from engine.core.clock import FixedClock
from engine.integrations.config import read_gateways
from engine.integrations.gateways import NotProven, SignInStart, VerifiedIdentity, WrongGateways
from engine.integrations.http_client import InsecureAddress
from engine.integrations.openid import Client, OpenIdProvider
from engine.integrations.payment_provider import ProviderDown
from tests.engine.integrations.local_identity import CLIENT, SECRET, LocalIdentity, a_key, local_identity
from tests.makers import NOW

pytestmark = pytest.mark.slow  # a provider of identity that listens

BACK = "http://localhost/connexion/identite/retour"


@pytest.fixture
def there() -> Iterator[LocalIdentity]:
    with local_identity() as provider:
        provider.now = int(NOW.timestamp())
        yield provider


def known_as(there: LocalIdentity, **more: object) -> OpenIdProvider:
    return OpenIdProvider("identité", Client(there.url, CLIENT, SECRET, **more), FixedClock(NOW))  # type: ignore[arg-type]


def asked(begun: SignInStart) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(begun.address).query).items()}


def back(there: LocalIdentity, provider: OpenIdProvider, **changes: str) -> VerifiedIdentity:
    """There and back, with what this browser kept; `changes` to it."""
    begun = provider.begin(BACK)
    code = parse_qs(urlsplit(there.authorise(begun.address)).query)["code"][0]
    kept = replace(begun, **changes)
    return provider.finish(BACK, code, kept.nonce, kept.verifier)


def test_who_comes_back_is_known_by_the_issuer_and_its_name(there: LocalIdentity) -> None:
    there.person |= {
        "birthdate": "1990-03-27", "gender": "female", "acr": "loa-2", "email": "afi@exemple.tg", "email_verified": True,
        "phone_number": "+22890112233", "address": {"formatted": "Lomé"},
    }  # fmt: skip
    found = back(there, known_as(there, levels={"loa-2": "substantial"}))
    assert found.subject == f"{there.url} p1"
    assert found.profile == {
        "family_name": "AMEGAN", "given_names": "Afi", "birth_date": "1990-03-27", "sex": "f", "residence": "Lomé",
    }  # fmt: skip
    assert (found.level, found.email, found.phone) == ("substantial", "afi@exemple.tg", ""), (
        "what is not proven is not taken"
    )


def test_signs_that_no_page_shows_are_left_out_of_a_name(there: LocalIdentity) -> None:
    there.person |= {"family_name": "AME\0GAN\u202e", "given_name": "Afi\u200b Esther"}
    profile = back(there, known_as(there)).profile
    assert (profile["family_name"], profile["given_names"]) == ("AMEGAN", "Afi Esther")


def test_each_visit_asks_with_a_state_a_nonce_and_a_challenge_of_its_own(there: LocalIdentity) -> None:
    provider = known_as(there)
    one, other = provider.begin(BACK), provider.begin(BACK)
    for name in ("state", "nonce", "code_challenge"):
        assert asked(one)[name] != asked(other)[name]
    assert one.verifier not in one.address
    assert (asked(one)["redirect_uri"], asked(one)["scope"], asked(one)["client_id"]) == (
        BACK,
        "openid profile",
        CLIENT,
    )


@pytest.mark.parametrize(
    "twist",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "somebody else"},
        {"aud": ["guichet", "other"], "azp": "other"},
        {"iss": "http://127.0.0.1:1"},
        {"exp": int(NOW.timestamp()) - 61},
        {"iat": int(NOW.timestamp()) + 3600},
        {"sub": ""},
        {"sub": 12},
        {"sub": "p\0"},
    ],
)
def test_what_does_not_hold_is_refused(there: LocalIdentity, twist: dict[str, object]) -> None:
    there.twist = twist
    with pytest.raises(NotProven):
        back(there, known_as(there))


@pytest.mark.parametrize(
    ("said", "at"),
    [(1_000, datetime.fromtimestamp(1_000, UTC)), (None, None), (NOW.timestamp() + 3600, None), (-1, None)],
)
def test_when_the_person_proved_who_they_are(there: LocalIdentity, said: object, at: datetime | None) -> None:
    there.twist = {"auth_time": said}
    assert back(there, known_as(there)).proven_at == at


def test_a_stolen_code_is_worth_nothing_without_the_verifier(there: LocalIdentity) -> None:
    with pytest.raises(NotProven, match="code"):
        back(there, known_as(there), verifier="x" * 64)


def test_another_browser_s_answer_is_refused(there: LocalIdentity) -> None:
    with pytest.raises(NotProven):
        back(there, known_as(there), nonce="another")


def test_a_signature_by_an_unpublished_key(there: LocalIdentity) -> None:
    there.signing = a_key()
    with pytest.raises(NotProven, match="signature"):
        back(there, known_as(there))


def test_a_key_that_came_into_service_since_is_looked_for(there: LocalIdentity) -> None:
    provider = known_as(there)
    back(there, provider)
    there.key = a_key()
    assert back(there, provider).subject.endswith(" p1")


def test_silence_and_another_issuer_s_page(there: LocalIdentity) -> None:
    there.down = True
    with pytest.raises(ProviderDown):
        known_as(there).begin(BACK)
    there.down = False
    with pytest.raises(ProviderDown):
        OpenIdProvider("x", Client(f"{there.url}/", CLIENT, SECRET), FixedClock(NOW)).begin(BACK)


def test_an_issuer_sends_us_to_no_door_of_this_machine(there: LocalIdentity) -> None:
    """One that is elsewhere names addresses of HTTPS only; in clear we speak to one on this machine alone, and to it only so."""
    provider = OpenIdProvider("x", Client("https://id.example", CLIENT, SECRET), FixedClock(NOW))
    provider._found = (NOW, {"token_endpoint": f"{there.url}/token"})
    with pytest.raises(ProviderDown, match="token_endpoint"):
        provider.finish(BACK, "code", "nonce", "verifier")


def test_secrets_never_travel_in_clear() -> None:
    with pytest.raises(InsecureAddress):
        OpenIdProvider("x", Client("http://id.example", CLIENT, SECRET), FixedClock(NOW))
    assert SECRET not in repr(Client("https://id.example", CLIENT, SECRET))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "issuer: is missing"),
        ('issuer = "http://id.example"', "issuer: must be an https address"),
        ('issuer = "https://id.example"\nlevels = {a = "sure"}', "levels: low, substantial or high"),
        ('issuer = "https://id.example"\nclaims = {pet = "cat"}', "claims: knows family_name"),
        ('issuer = "https://id.example"\ncolour = "red"', "colour: is not a key"),
        ('issuer = "https://id.example"', ""),
    ],
)
def test_the_file_of_gateways_names_one(tmp_path: Path, written: str, said: str) -> None:
    file = tmp_path / "gateways.toml"
    file.write_text(f'[identity]\nlabel = "identité"\nclient = "c"\nsecret = "s"\n{written}\n')
    if said:
        with pytest.raises(WrongGateways, match=said):
            read_gateways(file, FixedClock(NOW), "https://localhost")
    else:
        found = read_gateways(file, FixedClock(NOW), "https://localhost").identity
        assert found is not None
        assert found.label == "identité"
