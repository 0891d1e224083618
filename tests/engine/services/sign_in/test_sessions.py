"""What a session that ended leaves behind: what was typed, for whoever it was of; never a password nor a code."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from engine.core.problems import Refused
from engine.core.values import canonical_json
from engine.services.keys.secrets import token_digest
from engine.services.limits.code_limits import Asker
from engine.services.sign_in.sessions import (
    ASIDES_PER_ACCOUNT,
    LONGEST_ASIDE,
    REFUSED_LASTS,
    STRANGERS_PER_ADDRESS,
    find_refused_post,
    keep_refused_post,
    open_session,
    put_aside,
    take_saved_post,
)
from engine.services.sign_in.unverified_drafts import go_on_unproven
from engine.services.worker.worker import sweep
from engine.storage.files.reserve import NoSpace, Reserve
from tests.engine.services.world import B3, PHONE, World

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
    assert take_saved_post(world.office, afi, key) == (address, left)


# -- how much is kept of who may be nobody -----------------------------------------------------------------------------

PAGE = "/dossiers/26395970845/demande/identite"


def rows(world: World) -> list[tuple[str, int]]:
    """The posts that the store keeps: their key, and their size as it is written."""
    kept = world.read(lambda unit: unit.asides("aside/", 10_000))
    return [(key, len(canonical_json(body))) for key, body, _ in kept]


def in_session(world: World, account_id: str) -> str:
    with world.office.store.unit(write=True) as unit:
        account = unit.account(account_id)
        assert account is not None
        return open_session(world.office, unit, account, world.office.now()).token


def times(world: World, count: int, put: Callable[[int], str]) -> int:
    """How many of so many posts are taken, before the first that is refused."""
    for turn in range(count):
        with suppress(Refused):
            put(turn)
            continue
        with pytest.raises(Refused, match="too_many_tries"):
            put(turn)
        return turn
    return count


def test_a_number_that_nobody_proved_opens_no_store_of_posts(world: World) -> None:
    """Its session is handed in as that of an applicant, each time by another browser."""
    token = go_on_unproven(world.office, PHONE).token
    taken = times(
        world, 300, lambda turn: put_aside(world.office, token, PAGE, TYPED, asker=Asker("192.0.2.7", f"browser-{turn}"))
    )  # fmt: skip
    assert taken == STRANGERS_PER_ADDRESS[0]
    assert rows(world) == []


def test_a_session_that_is_known_is_counted_and_keeps_one_post(world: World) -> None:
    """By its account alone: many strangers behind the same address take nothing of its share."""
    strangers = lambda turn: put_aside(world.office, "", PAGE, TYPED, asker=Asker("192.0.2.8", f"s{turn}"))  # noqa: E731
    assert times(world, 2_000, strangers) == STRANGERS_PER_ADDRESS[0]
    token = in_session(world, world.applicant().id)
    own = lambda turn: put_aside(world.office, token, PAGE, TYPED, asker=Asker("192.0.2.8", f"b{turn}"))  # noqa: E731
    assert times(world, 50, own) == ASIDES_PER_ACCOUNT
    assert len(rows(world)) == 1


@pytest.mark.parametrize(
    ("value", "fits"), [("é" * 30_000, True), ("é" * 40_000, False), ("\x01" * 400_000, True), ('"' * 40_000, False)]
)
def test_what_is_kept_is_small_as_it_is_written(world: World, value: str, fits: bool) -> None:
    token = in_session(world, world.applicant().id)
    if not fits:
        with pytest.raises(Refused, match="aside_long"):
            put_aside(world.office, token, PAGE, [("nom", value)])
    else:
        put_aside(world.office, token, PAGE, [("nom", value)])
    assert all(size < LONGEST_ASIDE + 1_000 for _, size in rows(world))


def test_control_signs_are_not_kept_tabs_and_lines_are(world: World) -> None:
    owner = world.applicant()
    token = in_session(world, owner.id)
    key = put_aside(world.office, token, PAGE, [("nom", "a\x00b\x01\x7f\x85\tc\r\nd")])
    assert take_saved_post(world.office, owner, key) == (PAGE, [("nom", "ab\tc\r\nd")])


def test_a_browser_keeps_its_last_post(world: World) -> None:
    owner = world.applicant()
    address = f"/dossiers/{world.draft(B3, owner).number}/demande/vous"
    first = put_aside(world.office, "", address, [("nom", "un")])
    second = put_aside(world.office, "", address, [("nom", "deux")], before=first)
    assert len(rows(world)) == 1
    assert take_saved_post(world.office, owner, second) == (address, [("nom", "deux")])


def test_without_a_session_a_post_is_kept_for_the_owner_of_a_dossier_and_nobody_learns_whether_there_is_one(
    world: World,
) -> None:
    there = f"/dossiers/{world.draft(B3).number}/demande/vous"
    keys = [put_aside(world.office, "", one, TYPED) for one in (there, PAGE, "/compte/personnes/nouvelle")]
    assert [bool(key) for key in keys] == [True, True, False]
    assert [key for key, _ in rows(world)] == [f"aside/{keys[0]}"]


def test_a_post_is_kept_one_day(world: World) -> None:
    owner = world.applicant()
    key = put_aside(world.office, in_session(world, owner.id), PAGE, TYPED)
    world.wait(hours=24)
    assert take_saved_post(world.office, owner, key) is None
    sweep(world.office)
    world.wait(days=1)
    sweep(world.office)
    assert rows(world) == []


def test_no_post_is_kept_on_a_disk_that_is_down_to_its_reserve(world: World, tmp_path: Path) -> None:
    token = in_session(world, world.applicant().id)
    world.office.attachments.reserve = Reserve((tmp_path,), 2**62)
    there = f"/dossiers/{world.draft(B3).number}/demande/vous"
    for session, address in ((token, PAGE), ("", there), ("", PAGE)):  # nobody learns whether there is a dossier
        with pytest.raises(NoSpace):
            put_aside(world.office, session, address, TYPED)
    assert rows(world) == []


# -- a refused post, for its page to be shown again --------------------------------------------------------------------


def test_a_session_keeps_its_last_refused_post_for_half_an_hour(world: World) -> None:
    owner = world.applicant()
    here, there = in_session(world, owner.id), in_session(world, owner.id)
    for turn in range(3):
        keep_refused_post(world.office, owner, here, PAGE, {"form": [["nom", str(turn)]]})
    assert [key for key, _ in rows(world)] == [f"aside/refused/{token_digest(here)}"]
    found = [find_refused_post(world.office, here, PAGE) for _ in ("reload", "back")]
    assert found == [{"form": [["nom", "2"]]}] * 2
    assert find_refused_post(world.office, here, "/compte/identite") is None
    assert find_refused_post(world.office, there, PAGE) is None
    world.wait(seconds=REFUSED_LASTS.total_seconds())
    assert find_refused_post(world.office, here, PAGE) is None
    sweep(world.office)
    world.wait(days=2)
    sweep(world.office)
    assert rows(world) == []


def test_refused_posts_count_as_saved_posts_and_stay_small(world: World, tmp_path: Path) -> None:
    owner = world.applicant()
    token = in_session(world, owner.id)
    with pytest.raises(Refused, match="aside_long"):
        keep_refused_post(world.office, owner, token, PAGE, ["é" * LONGEST_ASIDE])
    times(world, 10, lambda turn: put_aside(world.office, token, PAGE, TYPED))
    own = lambda turn: keep_refused_post(world.office, owner, token, PAGE, turn) or ""  # type: ignore[func-returns-value]  # noqa: E731
    assert times(world, 50, own) == ASIDES_PER_ACCOUNT - 10
    world.wait(minutes=20)
    world.office.attachments.reserve = Reserve((tmp_path,), 2**62)
    with pytest.raises(NoSpace):
        keep_refused_post(world.office, owner, token, PAGE, [])
