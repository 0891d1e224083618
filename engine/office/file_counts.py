"""How many files, bytes and pixels each person hands in: counted before anything is judged or lies on the disk, whatever becomes of it.

The last file may go beyond a bound, for it is counted whole. No person reaches one of these: a form takes a dozen photos.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from engine.office.office import Office
from engine.office.tries import Limit, too_many
from engine.problems import Refused
from engine.records.dossier import Actor, Dossier

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
_KILO: Final = 1_000
_MILLION: Final = 1_000_000


def count_file(office: Office, dossier: Dossier, size: int, client: str = "", browser: str = "") -> None:
    """A file of an applicant, in all their dossiers. `client` and `browser` send it. Raises Refused("too_many_tries")."""
    owner = dossier.owner
    limits = [Limit(f"bytes:{owner}", BYTES_A_DAY // _KILO, DAY)]
    with office.store.unit(write=True) as unit:
        account = unit.account(owner)
        if account is not None and not account.is_claimed and not account.login.startswith("+"):
            limits.append(Limit(f"bytes-browser@{browser}", BYTES_PER_BROWSER // _KILO, DAY))
            limits.append(Limit(f"bytes@{client}", BYTES_PER_ADDRESS // _KILO, DAY))
        closed = too_many(unit, office.now(), (f"files:{owner}", FILES_AT_ONCE))
        closed = closed or too_many(unit, office.now(), *limits, weight=-(-size // _KILO))
    if closed is not None:
        raise Refused(closed)


def count_pixels(office: Office, actor: Actor, client: str, browser: str, pixels: int) -> None:
    """A picture of an unproven visitor, before it is decoded. Raises Refused("too_many_tries")."""
    limits = (
        Limit(f"pixels:{actor.id}", PIXELS // _MILLION),
        Limit(f"pixels-browser@{browser}", PIXELS // _MILLION),
        Limit(f"pixels@{client}", PIXELS_PER_ADDRESS // _MILLION, HOUR),
    )
    with office.store.unit(write=True) as unit:
        closed = too_many(unit, office.now(), *limits, weight=-(-pixels // _MILLION))
    if closed is not None:
        raise Refused(closed)
