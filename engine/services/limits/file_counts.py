"""Limits on uploaded files by person: files, bytes, pixels, and seconds spent on inspection.

A file is counted before it is inspected or written, whatever the result. It is counted whole, so the
last one may pass the limit. No honest use reaches a limit: a form takes a dozen photos.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Final

from engine.core.problems import Refusal, Refused, refusal
from engine.records.dossier import Account, Actor, Dossier
from engine.records.people import COMPANY
from engine.services.context.app_context import AppContext
from engine.services.context.rate_limit import Limit, block_of, count, give_back, left_of, minutes_of, too_many
from engine.storage.files.attachments import Uploader
from engine.storage.files.inspection import Rejected
from engine.storage.gate import Crowded
from engine.storage.results import Busy
from engine.storage.unit_of_work import Unit

FILES_AT_ONCE: Final = 100  # of one person, in a quarter of an hour
DAY: Final = timedelta(days=1)
BYTES_A_DAY: Final = 500_000_000  # of one person
BYTES_PER_BROWSER: Final = 1_000_000_000  # a day, of accounts without a phone number: an e-mail address costs nothing
BYTES_PER_ADDRESS: Final = 4_000_000_000
PIXELS: Final = (
    1_000_000_000  # of an unverified account, and of its browser, in a quarter of an hour: eighty photos of a phone
)
PIXELS_PER_ADDRESS: Final = 40_000_000_000  # an hour: thousands of people are behind one address of a mobile operator
HOUR: Final = timedelta(hours=1)
SECONDS: Final = 60  # of the processor, to inspect the files of one person in a quarter of an hour: two hundred photos
SECONDS_UNPROVEN: Final = 20  # of one account without a phone number, and of its browser
SECONDS_PER_ADDRESS: Final = 200  # of these accounts: more than a thousand photos
PAPERS_A_DAY: Final = 10  # documents of one person about a company or a proxy: an administrator reads each
PAPERS_PER_ADDRESS: Final = 20  # a day, of accounts without a phone number
_KILO: Final = 1_000
_MILLION: Final = 1_000_000


def count_file(ctx: AppContext, dossier: Dossier, size: int, client: str = "", browser: str = "") -> None:
    """Count an uploaded file under all dossiers of its owner.

    `client` and `browser` identify the sender. Raises Refused("too_many_tries").
    """
    with ctx.store.unit(write=True) as unit:
        closed = too_many(unit, ctx.now(), _files(dossier))
        closed = closed or _too_many_bytes(ctx, unit, "bytes", dossier, size, client, browser)
    if closed is not None:
        raise Refused(closed)


def count_piece(ctx: AppContext, dossier: Dossier, size: int, client: str = "", browser: str = "") -> None:
    """Count a piece of a file of an applicant, whether the file is ever complete or not.

    Raises Refused("too_many_tries").
    """
    with ctx.store.unit(write=True) as unit:
        closed = _too_many_bytes(ctx, unit, "pieces", dossier, size, client, browser)
    if closed is not None:
        raise Refused(closed)


def _too_many_bytes(
    ctx: AppContext, unit: Unit, what: str, dossier: Dossier, size: int, client: str, browser: str
) -> Refusal | None:
    limits = [Limit(f"{what}:{dossier.owner}", BYTES_A_DAY // _KILO, DAY)]
    account = unit.account(dossier.owner)
    if account is not None and not account.is_claimed and not has_telephone(account):
        if dossier.contact_phone:  # a share of those who act for the owner, apart from others at their address
            limits.append(Limit(f"{what}-for@{dossier.contact_phone}", BYTES_PER_BROWSER // _KILO, DAY))
        else:
            limits.append(Limit(f"{what}-browser@{browser}", BYTES_PER_BROWSER // _KILO, DAY))
            limits.append(Limit(f"{what}@{client}", BYTES_PER_ADDRESS // _KILO, DAY))
    return too_many(unit, ctx.now(), *limits, weight=-(-size // _KILO))


def count_pixels(ctx: AppContext, actor: Actor, client: str, browser: str, pixels: int) -> None:
    """Count the pixels of a picture of an unverified person before it is decoded.

    Raises Refused("too_many_tries").
    """
    limits = (
        Limit(f"pixels:{actor.id}", PIXELS // _MILLION),
        Limit(f"pixels-browser@{browser}", PIXELS // _MILLION),
        Limit(f"pixels@{client}", PIXELS_PER_ADDRESS // _MILLION, HOUR),
    )
    with ctx.store.unit(write=True) as unit:
        closed = too_many(unit, ctx.now(), *limits, weight=-(-pixels // _MILLION))
    if closed is not None:
        raise Refused(closed)


def sender_of(ctx: AppContext, actor: Actor, browser: str = "", client: str = "") -> Uploader:
    """Return the sender of a file as the file store knows them.

    Raises Refused("too_many_tries") when the inspection of their files took too long.
    """
    names = tuple(f"{kind}:{one}" for kind, one in (("account", actor.id), ("browser", browser)) if one)
    if actor.kind != "applicant":
        return Uploader(names)
    with ctx.store.unit() as unit:
        account = unit.account(actor.id)
        known = account is not None and has_telephone(account)
        limits = [Limit(f"judged:{actor.id}", _KILO * (SECONDS if known else SECONDS_UNPROVEN))]
        if not known:
            limits.append(Limit(f"judged-browser@{browser}", _KILO * SECONDS_UNPROVEN))
            limits.append(Limit(f"judged@{client}", _KILO * SECONDS_PER_ADDRESS))
        left = max(left_of(unit, ctx.now(), limit) for limit in limits)
    if left:
        raise Refused(refusal("too_many_tries", minutes=minutes_of(left)))
    return Uploader(names, known, "" if known else block_of(client), partial(_spent, ctx, limits))


def _spent(ctx: AppContext, limits: list[Limit], seconds: float) -> None:
    with ctx.store.unit(write=True) as unit:
        for limit in limits:
            count(unit, ctx.now(), limit, weight=-(-int(seconds * 1e6) // _KILO))


def has_telephone(account: Account) -> bool:
    """Return whether the account signs in with a verified telephone number, which costs more than an e-mail address."""
    return account.login.startswith("+")


def counted_as(unit: Unit, account_id: str) -> str:
    """Return what a person is counted by: their telephone number, which outlives an erased account, else the account."""
    account = unit.account(account_id)
    return account.login if account is not None and has_telephone(account) else account_id


@contextmanager
def counted_paper(ctx: AppContext, account_id: str, client: str) -> Iterator[None]:
    """Count a document that an administrator must read, before it is written. One that is not inspected is not counted.

    Raises Refused: too_many_tries, proof_unfit. Raises `Busy` while the scanner gives no answer.
    """
    with ctx.store.unit(write=True) as unit:
        limits = _papers(unit, account_id, client)
        closed = too_many(unit, ctx.now(), *limits)
    if closed is not None:
        raise Refused(closed)
    try:
        yield
    except (Crowded, Rejected) as missed:
        if isinstance(missed, Rejected) and missed.code != "file_unchecked":
            raise Refused(refusal("proof_unfit")) from None
        with ctx.store.unit(write=True) as unit:
            for limit in limits:
                give_back(unit, ctx.now(), limit)
        raise Busy("scanner") from None


def _papers(unit: Unit, account_id: str, client: str) -> tuple[Limit, ...]:
    who = counted_as(unit, account_id)
    own = Limit(f"papers:{who}", PAPERS_A_DAY, DAY)
    return (own,) if who != account_id else (own, Limit(f"papers@{block_of(client)}", PAPERS_PER_ADDRESS, DAY))


def is_accepted_company(account: Account | None) -> bool:
    """Return whether the account is a company that an administrator accepted under its name."""
    return account is not None and account.login.startswith(COMPANY) and bool(account.name)


def forget_file(ctx: AppContext, dossier: Dossier) -> None:
    """Take back the count of a file that was not inspected for lack of time: it is sent again."""
    with ctx.store.unit(write=True) as unit:
        give_back(unit, ctx.now(), _files(dossier))


def _files(dossier: Dossier) -> Limit:
    return Limit(f"files:{dossier.owner}", FILES_AT_ONCE)
