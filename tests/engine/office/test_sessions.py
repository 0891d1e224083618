"""What a session that ended leaves behind: what was typed, for whoever it was of; never a password nor a code."""

from __future__ import annotations

import pytest

from engine.office.sessions import hand_back, open_session, put_aside
from tests.engine.office.world import World

TYPED = [*((name, "M0t-de-p4sse") for name in ("before", "password", "again", "code")), ("reason", "Incomplet")]


@pytest.mark.parametrize(
    ("address", "left"),
    [("/agent/compte/mot-de-passe", TYPED[-1:]), ("/agent/compte", TYPED[-1:]), ("/agent/dossiers/26482911374/acte/refuser", TYPED),
     ("/dossiers/26482911374/lien/certificat/code", TYPED[-1:])],
)  # fmt: skip
def test_no_secret_is_put_aside_with_what_was_typed(world: World, address: str, left: list[tuple[str, str]]) -> None:
    """An agent changes their password, and their session has ended meanwhile. A question of a dossier may be called so."""
    afi = world.agent("afi", "dgdn/guichet")
    with world.office.store.unit(write=True) as unit:
        account = unit.account(afi.id)
        assert account is not None
        token = open_session(world.office, unit, account, world.office.now()).token
    key = put_aside(world.office, token, address, TYPED)
    assert ("M0t-de-p4sse" in str(world.read(lambda unit: unit.peeked_aside(f"aside/{key}")))) == (left == TYPED)
    assert hand_back(world.office, afi, key) == (address, left)
