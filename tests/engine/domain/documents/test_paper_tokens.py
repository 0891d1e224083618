"""The token of a paper: 128 bits in 26 capitals and figures, read back however it was typed."""

from __future__ import annotations

import secrets

import pytest

from engine.domain.documents.paper_tokens import paper_token, read_token, token_address

QR_CAPITALS = set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")  # the signs of the compact mode of a square


def test_a_token_holds_all_the_bits() -> None:
    assert paper_token(bytes(16)) == "0" * 26
    assert paper_token(b"\xff" * 16) == "7" + "Z" * 25
    assert paper_token((1).to_bytes(16, "big")) == "0" * 25 + "1"
    made = {paper_token(secrets.token_bytes(16)) for _ in range(200)}
    assert len(made) == 200
    assert not set("".join(made)) & set("ILOU")
    for length in (0, 15, 17):
        with pytest.raises(ValueError, match="bytes"):
            paper_token(bytes(length))


def test_a_token_is_read_back_however_it_was_typed() -> None:
    token = paper_token(bytes(range(16)))
    assert read_token(token) == token
    for typed in (token.lower(), f" {token[:13]}-{token[13:]} ", token.replace("0", "o"), token.replace("1", "l")):
        assert read_token(typed) == token


@pytest.mark.parametrize(
    "typed", ["PH4_kC5g3x0dpl_nDfrsoA", "aB-_" + "x" * 18, "8" * 26, "U" * 26, "é" * 26, "", "123456789012"]
)
def test_any_other_text_stays_as_it_is(typed: str) -> None:
    assert read_token(f" {typed} ") == typed


def test_the_address_of_a_square_needs_no_small_letter() -> None:
    token = paper_token(bytes(range(16)))
    assert token_address("https://guichet.tg", token) == f"HTTPS://GUICHET.TG/V/{token}"
    assert set(token_address("https://guichet.tg:8443", token)) <= QR_CAPITALS
    assert token_address("https://togo.tg/services", token) == f"HTTPS://TOGO.TG/services/V/{token}"
