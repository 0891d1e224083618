"""What the office signs verifies offline, even after a change of key; nobody else's signature does; keys stay private."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyotp
import pytest
from argon2 import extract_parameters
from cryptography.fernet import Fernet

from engine.services.accounts.assistance import _codes
from engine.services.context.app_context import AppContext
from engine.services.core.appointment_links import _proofs
from engine.services.keys.secrets import hash_secret, is_secret, new_code
from engine.services.keys.signing_keys import (
    NoKeys,
    SigningKeys,
    announce_key,
    forget_secrets,
    has_signed,
    sign_with_announced,
)
from engine.services.sign_in.second_factor import opened_key, prove, proven, seal_anew, sealed_key, takes
from engine.storage.files.encryption import FileKeys
from tests.engine.services.world import ROOT, a_world
from tests.makers import a_dossier, the_procedure


def test_what_we_signed_is_read_back() -> None:
    keys = SigningKeys.generate()
    claims = {"number": "A-2026-00001", "until": None}
    assert keys.check(keys.sign(claims)) == claims


def test_nobody_elses_signature_counts() -> None:
    keys = SigningKeys.generate()
    token = keys.sign({"number": "1"})
    head, _, signature = token.split(".")
    other_body = SigningKeys.generate().sign({"number": "2"}).split(".")[1]
    for forged in ("", "a.b.c", SigningKeys.generate().sign({"number": "1"}), f"{head}.{other_body}.{signature}",
                   f"eyJhbGciOiJub25lIn0.{other_body}."):  # fmt: skip
        assert keys.check(forged) is None


def test_a_new_key_is_published_before_it_signs_and_old_ones_verify_on(tmp_path: Path) -> None:
    file = tmp_path / "ring.json"
    before = SigningKeys.open(file, make=True)
    seals = FileKeys.open(file)
    sealed = seals.seal(b"here", b"a file")
    name, new = announce_key(file)
    assert announce_key(file) == (name, not new), "one that waits is not doubled"
    told = SigningKeys.open(file)
    assert [does for _, does in told.standing()] == ["announced", "signs"]
    assert before.check(told.sign({"n": 1})) == {"n": 1}, "it signs nothing yet"
    assert sign_with_announced(file) == name
    after = SigningKeys.open(file)
    assert after.standing()[0] == (name, "signs")
    signed = after.sign({"n": 2})
    assert told.check(signed) == {"n": 2}, "who had the published set knows it"
    assert before.check(signed) is None
    assert after.check(before.sign({"n": 3})) == {"n": 3}
    assert set(after.public_keys()) == set(told.public_keys()) > set(before.public_keys())
    public, signature = after.sign_bytes(b"lines")
    assert has_signed(public, signature, b"lines")
    assert public in told.public_keys()
    assert FileKeys.open(file).unseal(b"here", sealed) == b"a file"
    assert sign_with_announced(file) is None
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_new_secret_comes_with_the_new_key_and_what_the_old_one_made_holds_until_it_is_forgotten(
    tmp_path: Path,
) -> None:
    file = tmp_path / "ring.json"
    before = SigningKeys.open(file, make=True)
    sealed, files = before.seal_text("x", "a key"), FileKeys.open(file).seal(b"here", b"a file")
    announce_key(file)
    told = SigningKeys.open(file)
    assert told.seal_code("a") == before.seal_code("a"), "it seals nothing yet"
    sign_with_announced(file)
    after = SigningKeys.open(file)
    assert after.seal_code("a") != before.seal_code("a")
    assert after.secret_for("x") != before.secret_for("x")
    for one in (told, after):  # a process that was not restarted yet, and one that was
        assert {before.seal_code("a"), after.seal_code("a")} <= set(one.seals_of("a"))
        assert one.open_text("x", sealed) == one.open_text("x", after.seal_text("x", "a key")) == "a key"
    assert forget_secrets(file, SigningKeys.open(file)) == 1
    assert forget_secrets(file, SigningKeys.open(file)) == 0
    left = SigningKeys.open(file)
    assert left.seals_of("a") == (after.seal_code("a"),)
    with pytest.raises(NoKeys):
        left.open_text("x", sealed)
    assert FileKeys.open(file).unseal(b"here", files) == b"a file"
    assert base64.urlsafe_b64encode(before._secret).decode() not in file.read_text("utf-8")


def test_nothing_is_forgotten_under_a_secret_that_another_replaced_meanwhile(tmp_path: Path) -> None:
    """What must last was sealed anew under the secret that was in force: it would open no more."""
    file = tmp_path / "ring.json"
    SigningKeys.open(file, make=True)
    announce_key(file)
    sign_with_announced(file)
    sealed_anew_under = SigningKeys.open(file)
    key = sealed_anew_under.seal_text("x", "a key")
    announce_key(file)
    sign_with_announced(file)
    assert forget_secrets(file, sealed_anew_under) is None
    assert SigningKeys.open(file).open_text("x", key) == "a key"


def test_files_that_a_server_not_restarted_yet_takes_in_open_afterwards(tmp_path: Path) -> None:
    """One that works the first key of files out of the secret in force, as the release before did, seals under another."""
    file = tmp_path / "ring.json"
    SigningKeys.open(file, make=True)
    before = FileKeys.open(file).seal(b"here", b"before")
    announce_key(file)
    sign_with_announced(file)
    kept = json.loads(file.read_text("utf-8"))
    named = kept["files"][0]["id"]
    assert FileKeys.open(file).newest == named != "00000000"
    announce_key(file)
    sign_with_announced(file)
    assert [one["id"] for one in json.loads(file.read_text("utf-8"))["files"]] == [named]
    assert FileKeys.open(file).unseal(b"here", before) == b"before"


def test_what_people_hold_outlives_a_new_secret_and_second_factors_outlive_its_forgetting(tmp_path: Path) -> None:
    """The code of a receipt, the link of a visit, a recovery code; then the application alone."""
    file = tmp_path / "ring.json"
    world = a_world(tmp_path)
    SigningKeys.open(file, make=True)
    agent, now = world.agent("un", "dgdn/guichet"), world.office.now()

    def renewed() -> AppContext:
        return replace(world.office, keys=SigningKeys.open(file))

    office = renewed()
    with office.store.unit(write=True) as unit:
        sealed = sealed_key(office)
        key = opened_key(office, sealed)
        codes = prove(office, unit, agent.id, sealed, pyotp.TOTP(key).at(now), now)
    assert codes is not None
    visitor = a_dossier(the_procedure("passeport-ordinaire"))
    receipt, link = _codes(office, "26482911374")[0], _proofs(office, visitor, "remise")[0]
    announce_key(file)
    sign_with_announced(file)
    office = renewed()
    assert receipt in _codes(office, "26482911374")[1:]
    assert link in _proofs(office, visitor, "remise")[1:]
    with office.store.unit(write=True) as unit:
        factor = proven(unit, agent.id)
        assert factor is not None
        assert takes(office, unit, factor, codes[0], now)
        assert seal_anew(unit, office.keys) == 1
    forget_secrets(file, SigningKeys.open(file))
    office = renewed()
    with office.store.unit(write=True) as unit:
        factor = proven(unit, agent.id)
        assert factor is not None
        assert not takes(office, unit, factor, codes[1], now)
        foreign = replace(factor, key=SigningKeys.generate().seal_text("x", key))
        assert not takes(office, unit, foreign, "123456", now), "a factor that nothing opens is refused, no accident"
        later = now + timedelta(minutes=5)
        assert takes(office, unit, factor, pyotp.TOTP(key).at(later), later)
    assert receipt not in _codes(office, "26482911374")
    assert link not in _proofs(office, visitor, "remise")


def test_the_public_keys_hold_nothing_private(tmp_path: Path) -> None:
    SigningKeys.open(tmp_path / "ring.json", make=True)
    announce_key(tmp_path / "ring.json")
    published = json.dumps(SigningKeys.open(tmp_path / "ring.json").jwks())
    keys = json.loads(published)["keys"]
    assert len(keys) == 2
    assert all(set(key) == {"crv", "x", "kid", "kty", "use", "alg"} for key in keys)


def test_the_ring_is_kept_in_a_file_only_its_owner_reads(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "ring.json"
    with pytest.raises(NoKeys):
        SigningKeys.open(file)
    made = SigningKeys.open(file, make=True)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["ring.json"]
    again = SigningKeys.open(file, make=True)
    assert again.check(made.sign({"n": 1})) == {"n": 1}
    assert again.seal_code("phone", "123456") == made.seal_code("phone", "123456")


def test_a_broken_ring_is_never_made_again_silently(tmp_path: Path) -> None:
    file = tmp_path / "ring.json"
    file.write_text('{"keys": []}')
    with pytest.raises(NoKeys):
        SigningKeys.open(file, make=True)
    assert file.read_text() == '{"keys": []}'


def test_keys_do_not_show_themselves() -> None:
    assert repr(SigningKeys.generate()) == "SigningKeys()"


def test_each_purpose_has_its_own_secret() -> None:
    keys = SigningKeys.generate()
    assert keys.secret_for("cookies") == keys.secret_for("cookies") != keys.secret_for("callbacks")


def test_a_short_secret_is_sealed_for_its_purpose_and_whole() -> None:
    keys = SigningKeys.generate()
    sealed = keys.seal_text("second factor", "JBSWY3DP")
    assert keys.open_text("second factor", sealed) == "JBSWY3DP"
    assert keys.seal_text("second factor", "JBSWY3DP") != sealed
    changed = sealed[:-1] + ("A" if sealed[-1] != "A" else "B")
    for purpose, said in (
        ("another", sealed),
        ("second factor", changed),
        ("second factor", "a1.AAAA"),
        ("second factor", ""),
    ):
        with pytest.raises(NoKeys):
            keys.open_text(purpose, said)
    with pytest.raises(NoKeys):
        SigningKeys.generate().open_text("second factor", sealed)
    older = Fernet(base64.urlsafe_b64encode(keys.secret_for("sealed second factor"))).encrypt(b"JBSWY3DP").decode()
    assert keys.open_text("second factor", older) == "JBSWY3DP"


def test_passwords() -> None:
    kept = hash_secret("un mot de passe")
    assert kept.startswith("$argon2id$")
    assert is_secret(kept, "un mot de passe")
    assert not is_secret(kept, "un autre")
    assert not is_secret("", "nobody has this password")
    assert not is_secret("not a hash", "x")


def test_a_real_password_costs_what_rfc_9106_asks() -> None:
    code = "from engine.services.keys import secrets as s; print(s.hash_secret('mot de passe'), s._DUMMY_HASH)"
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT).stdout
    kept, of_nobody = map(extract_parameters, told.split())
    assert (kept.memory_cost, kept.time_cost, kept.parallelism) == (65_536, 3, 4)
    assert of_nobody == kept


def test_codes_have_six_digits() -> None:
    assert all(len(code) == 6 and code.isdigit() for code in (new_code() for _ in range(50)))
