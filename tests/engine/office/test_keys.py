"""What the office signs verifies offline, even after a change of key; nobody else's signature does; keys stay private."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from argon2 import extract_parameters

from engine.office.keys import NoKeys, SigningKeys, announce_key, has_signed, sign_with_announced
from engine.office.secrets import hash_secret, is_secret, new_code
from engine.records.file_keys import FileKeys
from tests.engine.office.world import ROOT


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
    assert after.seal_code("a") == before.seal_code("a")
    assert FileKeys.open(file).unseal(b"here", sealed) == b"a file"
    assert sign_with_announced(file) is None
    assert file.stat().st_mode & 0o777 == 0o600


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
    older = keys._older_box("second factor").encrypt(b"JBSWY3DP").decode()
    assert keys.open_text("second factor", older) == "JBSWY3DP"


def test_passwords() -> None:
    kept = hash_secret("un mot de passe")
    assert kept.startswith("$argon2id$")
    assert is_secret(kept, "un mot de passe")
    assert not is_secret(kept, "un autre")
    assert not is_secret("", "nobody has this password")
    assert not is_secret("not a hash", "x")


def test_a_real_password_costs_what_rfc_9106_asks() -> None:
    code = "from engine.office.secrets import hash_secret; print(hash_secret('mot de passe'))"
    kept = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT).stdout
    asked = extract_parameters(kept.strip())
    assert (asked.memory_cost, asked.time_cost, asked.parallelism) == (65_536, 3, 4)


def test_codes_have_six_digits() -> None:
    assert all(len(code) == 6 and code.isdigit() for code in (new_code() for _ in range(50)))
