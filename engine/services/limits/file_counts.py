"""How many files, bytes and pixels each person hands in: counted before anything is judged or lies on the disk, whatever becomes of it;
and the seconds that judging them took.

The last file may go beyond a bound, for it is counted whole. No person reaches one of these: a form takes a dozen photos.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Final

from engine.core.problems import Refused, refusal
from engine.records.dossier import Account, Actor, Dossier
from engine.services.context.app_context import AppContext
from engine.services.context.rate_limit import Limit, count, give_back, left_of, minutes_of, too_many
from engine.storage.files.attachments import Uploader

FILES_AT_ONCE: Final = 100  # of one person, in a quarter of an hour
DAY: Final = timedelta(days=1)
BYTES_A_DAY: Final = 500_000_000  # of one person
BYTES_PER_BROWSER: Final = 1_000_000_000  # a day, of accounts without a telephone: an e-mail address costs nothing
BYTES_PER_ADDRESS: Final = 4_000_000_000
PIXELS: Final = (
    1_000_000_000  # of an unproven account, and of its browser, in a quarter of an hour: eighty photos of a telephone
)
PIXELS_PER_ADDRESS: Final = 40_000_000_000  # an hour: thousands of people are behind one address of a mobile operator
HOUR: Final = timedelta(hours=1)
SECONDS: Final = 60  # of the processor, judging the files of one person, in a quarter of an hour: two hundred photos
SECONDS_UNPROVEN: Final = 20  # of one account, and of its browser, without a telephone
_KILO: Final = 1_000
_MILLION: Final = 1_000_000


def count_file(ctx: AppContext, dossier: Dossier, size: int, client: str = "", browser: str = "") -> None:
    """A file of an applicant, in all their dossiers. `client` and `browser` send it. Raises Refused("too_many_tries")."""
    owner = dossier.owner
    limits = [Limit(f"bytes:{owner}", BYTES_A_DAY // _KILO, DAY)]
    with ctx.store.unit(write=True) as unit:
        account = unit.account(owner)
        if account is not None and not account.is_claimed and not _has_telephone(account):
            limits.append(Limit(f"bytes-browser@{browser}", BYTES_PER_BROWSER // _KILO, DAY))
            limits.append(Limit(f"bytes@{client}", BYTES_PER_ADDRESS // _KILO, DAY))
        closed = too_many(unit, ctx.now(), _files(dossier))
        closed = closed or too_many(unit, ctx.now(), *limits, weight=-(-size // _KILO))
    if closed is not None:
        raise Refused(closed)


def count_pixels(ctx: AppContext, actor: Actor, client: str, browser: str, pixels: int) -> None:
    """A picture of an unproven visitor, before it is decoded. Raises Refused("too_many_tries")."""
    limits = (
        Limit(f"pixels:{actor.id}", PIXELS // _MILLION),
        Limit(f"pixels-browser@{browser}", PIXELS // _MILLION),
        Limit(f"pixels@{client}", PIXELS_PER_ADDRESS // _MILLION, HOUR),
    )
    with ctx.store.unit(write=True) as unit:
        closed = too_many(unit, ctx.now(), *limits, weight=-(-pixels // _MILLION))
    if closed is not None:
        raise Refused(closed)


def sender_of(ctx: AppContext, actor: Actor, browser: str = "") -> Uploader:
    """Who hands a file in, as the store of files knows them. Raises Refused("too_many_tries") when judging theirs took too long."""
    names = tuple(f"{kind}:{one}" for kind, one in (("account", actor.id), ("browser", browser)) if one)
    if actor.kind != "applicant":
        return Uploader(names)
    with ctx.store.unit() as unit:
        account = unit.account(actor.id)
        known = account is not None and _has_telephone(account)
        limits = [Limit(f"judged:{actor.id}", _KILO * (SECONDS if known else SECONDS_UNPROVEN))]
        if not known:
            limits.append(Limit(f"judged-browser@{browser}", _KILO * SECONDS_UNPROVEN))
        left = max(left_of(unit, ctx.now(), limit) for limit in limits)
    if left:
        raise Refused(refusal("too_many_tries", minutes=minutes_of(left)))
    return Uploader(names, known, partial(_spent, ctx, limits))


def _spent(ctx: AppContext, limits: list[Limit], seconds: float) -> None:
    with ctx.store.unit(write=True) as unit:
        for limit in limits:
            count(unit, ctx.now(), limit, weight=-(-int(seconds * 1e6) // _KILO))


def _has_telephone(account: Account) -> bool:
    return account.login.startswith("+")


def forget_file(ctx: AppContext, dossier: Dossier) -> None:
    """A file that was counted and that nobody had time to judge: it is sent again."""
    with ctx.store.unit(write=True) as unit:
        give_back(unit, ctx.now(), _files(dossier))


def _files(dossier: Dossier) -> Limit:
    return Limit(f"files:{dossier.owner}", FILES_AT_ONCE)
