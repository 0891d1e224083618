"""Limits on codes and links, by receiver, caller and country.

They protect a number against floods and its sign-in against other callers. They bound the cost of SMS
fraud. A browser from which the holder of a number signed in before is counted apart. Other callers
therefore never use up the codes of that number. Numbers that never signed in share limits by country
and for the installation. All other numbers are served whatever these limits say.

Other requests without sign-in are limited by the kind of caller. An address alone is a wrong measure. A
mobile operator puts thousands of people behind one address, and an attacker has many. Signed-in persons
are counted by account, and browsers served before are counted each. All of these at one address share a
limit; those who verify papers share one by kind. New browsers of an address share another limit. A client that
drops its cookies uses up that one only.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

from engine.core.problems import Refusal, refusal
from engine.domain.common.sms_policy import DAY, HOUR, SmsPolicy
from engine.services.context.app_context import AppContext
from engine.services.context.contact_parsing import receives_sms, sms_country
from engine.services.context.rate_limit import Limit, block_of, count, left_of, minutes_of, too_many, tried
from engine.services.limits.file_counts import is_accepted_company
from engine.services.limits.guesses import browser_key, is_known
from engine.storage.unit_of_work import Unit

PER_BROWSER: Final = 10  # in a quarter of an hour; also for a signed-in applicant
CHECKS_PER_BROWSER: Final = 60  # verifications of documents and receipts, which may follow one another
PER_AGENT: Final = 40  # an agent at a counter serves many people
FIRST_PER_ADDRESS: Final = ((600, timedelta(minutes=10)), (1800, timedelta(hours=1)))
AGAIN_PER_ADDRESS: Final = (1000, timedelta(hours=1))


@dataclass(frozen=True, slots=True)
class Asker:
    """A caller of a limited service.

    `client` is the key of the address (`rate_limit.network_of`). `browser` is the mark that a browser
    got when it was first served. `known` is the value it stores of the accounts that signed in from it
    (`guesses`). `account` is the signed-in account, empty if none.
    """

    client: str = ""
    browser: str = ""
    known: str = ""
    account: str = ""
    staff: bool = False


UNKNOWN_ASKER: Final = Asker()  # a caller without any mark is not counted


def limits_of(asker: Asker, what: str, most: int = PER_BROWSER) -> tuple[Limit, ...]:
    """Return the limits on one service (`code`, `link`, `verify`) for a caller.

    `most` is the number for one browser or applicant in a quarter of an hour.
    """
    if asker.staff:
        return (Limit(f"{what}@{asker.account}", max(most, PER_AGENT)),)
    places = dict.fromkeys((asker.client, block_of(asker.client)))  # one customer of a network may have a whole /48
    if own := asker.account or asker.browser:
        kind = "own" if asker.account and what == "verify" else "again"
        return Limit(f"{what}@{own}", most), *(Limit(f"{what}-{kind}@{one}", *AGAIN_PER_ADDRESS) for one in places)
    return tuple(Limit(f"{what}-first@{one}", *bound) for one in places for bound in FIRST_PER_ADDRESS)


log = logging.getLogger("guichet.sms")

IdentifierKind: TypeAlias = Literal["phone", "email"]

CODES_PER_NUMBER: Final = 8  # in a quarter of an hour; half of them from one address
LINKS_PER_EMAIL: Final = 6
_NEW: Final = "sms-new:"
A_DAY: Final = 60  # codes to one number, links to one address
TYPED_TO_ONE: Final = 5  # a day: SMS that the requests of one person cause to one number typed in them
TYPED_BY_ONE: Final = 20  # to all such numbers together
MAILED_TO_ONE: Final = 20  # a day: e-mails that the requests of one person cause to one address typed in them


def refuse_code(ctx: AppContext, unit: Unit, now: datetime, to: str, number: str, asker: Asker) -> Refusal | None:
    """Count a code about to be sent, or return the refusal.

    Refusals: too_many_tries, codes_paused (minutes), sms_country, sms_kind. `to` is the key under which
    the code is stored, which is not always the sign-in identifier.
    """
    if not number.startswith("+"):
        return too_many(unit, now, *_limits(ctx, "code", to, _holder(unit, "email", number), asker, CODES_PER_NUMBER))
    holder = _holder(unit, "phone", number)
    served = bool(holder) and _signed_in(unit, holder)
    bounds = () if served or asker.staff else _bounds(ctx.settings.sms, sms_country(number))
    shares = _shares(bounds, block_of(asker.client))
    closed = (
        why_no_sms(ctx.settings.sms, number, served=served)
        or _paused(unit, now, bounds)
        or _spent(unit, now, shares)
        or too_many(unit, now, *_limits(ctx, "code", to, holder, asker, CODES_PER_NUMBER))
    )
    if closed is None:
        for bound in (*bounds, *shares):
            count(unit, now, bound)
    return closed


def refuse_link(ctx: AppContext, unit: Unit, now: datetime, email: str, asker: Asker) -> Refusal | None:
    """Count a link about to be sent, or return Refusal("too_many_tries", minutes)."""
    return too_many(unit, now, *_limits(ctx, "link", email, _holder(unit, "email", email), asker, LINKS_PER_EMAIL))


def refuse_sms(ctx: AppContext, unit: Unit, now: datetime, number: str, *, free: bool = False) -> Refusal | None:
    """Count an SMS that one person causes to the number of another.

    A number that never signed in is counted under the limits for codes to new numbers. Return
    Refusal("codes_paused", minutes) when one of them is full. All accounts without a telephone (`free`) take at most
    half of each: then return Refusal("too_many_tries", minutes). An SMS that policy forbids is not counted.
    """
    holder = _holder(unit, "phone", number)
    served = bool(holder) and _signed_in(unit, holder)
    if served or why_no_sms(ctx.settings.sms, number, served=False):
        return None
    bounds = _bounds(ctx.settings.sms, sms_country(number))
    shares = _shares(bounds, "free") if free else ()
    closed = _paused(unit, now, bounds) or _spent(unit, now, shares)
    for bound in (*bounds, *shares) if closed is None else ():
        count(unit, now, bound)
    return closed


def refuse_typed_sms(ctx: AppContext, unit: Unit, now: datetime, number: str, owner: str, phone: str) -> Refusal | None:
    """Count an SMS to a number that stands in a request, and return the refusal as `refuse_sms` and `too_many_tries`.

    `owner` is the account of the request, `phone` its contact. Accounts without a telephone cost nothing, so together
    they cause no more to one number than one person, and take half of the SMS to new numbers. An accepted company has no limit of its own.
    """
    key = f"typed:{phone or owner}"
    if not is_accepted_company(unit.account(owner)):
        limits = [Limit(f"{key}:{number}", TYPED_TO_ONE, DAY), Limit(key, TYPED_BY_ONE, DAY)]
        limits += [] if phone else [Limit(f"typed-free:{number}", TYPED_TO_ONE, DAY)]
        if closed := too_many(unit, now, *limits):
            return closed
    return refuse_sms(ctx, unit, now, number, free=not phone)


def refuse_typed_mail(
    ctx: AppContext, unit: Unit, now: datetime, address: str, actor: str, owner: str, phone: str
) -> Refusal | None:  # fmt: skip
    """Count an e-mail to an address that stands in a request, and return the refusal `too_many_tries`.

    `actor` and `owner` are accounts, `phone` is the contact of the request. Their own verified addresses are not counted.
    """
    own = {one.value for account in (actor, owner) for one in unit.identifiers_of(account) if one.kind == "email"}
    key = address.lower()
    if key in own or is_accepted_company(unit.account(owner)):
        return None
    limits = [Limit(f"typed:{phone or owner}:{key}", MAILED_TO_ONE, DAY)]
    limits += [] if phone else [Limit(f"typed-free:{key}", MAILED_TO_ONE, DAY)]
    return too_many(unit, now, *limits)


def why_no_sms(policy: SmsPolicy, number: str, *, served: bool) -> Refusal | None:
    """Return why no SMS goes to a number; None if one may.

    A number that signed in before (`served`) may be of any country.
    """
    if not receives_sms(number):
        return refusal("sms_kind")
    return None if served or sms_country(number) in policy.countries else refusal("sms_country")


def why_no_letter(ctx: AppContext, number: str) -> str:
    """Return the code of the refusal of an SMS to a number, empty when it may be sent."""
    closed = why_no_sms(ctx.settings.sms, number, served=False)
    if closed is not None and closed.code == "sms_country":
        with ctx.store.unit() as unit:
            holder = _holder(unit, "phone", number)
            closed = None if holder and _signed_in(unit, holder) else closed
    return closed.code if closed is not None else ""


def new_numbers(policy: SmsPolicy, unit: Unit, now: datetime) -> Mapping[str, tuple[int, int]]:
    """Return the codes sent to new numbers in the last hour and their limit, by country.

    The key `all` stands for the installation.
    """
    said = {"all": "", **{country: country for country in policy.countries}}
    return {
        name: (tried(unit, now, Limit(_key(country), policy.most(country), HOUR)), policy.most(country))
        for name, country in said.items()
    }


def _limits(ctx: AppContext, what: str, to: str, holder: str, asker: Asker, most: int) -> tuple[Limit, ...]:
    if holder and is_known(ctx, holder, asker.known):
        return Limit(f"{what}:{to}~{browser_key(asker.known)}", most), Limit(f"{what}:{to}~", A_DAY, DAY)
    near = f"{what}:{to}@{block_of(asker.client)}"
    return (
        *limits_of(asker, what),
        Limit(near, most // 2),
        Limit(near, A_DAY // 4, DAY),
        Limit(f"{what}:{to}", most),
        Limit(f"{what}:{to}", A_DAY, DAY),
    )


def _holder(unit: Unit, kind: IdentifierKind, value: str) -> str:
    """Return the account that signs in with this number or e-mail address; empty if none."""
    account = unit.account_of("applicant", value) if kind == "phone" else None
    known = None if account else unit.identifier(kind, value)
    return account.id if account else known.account if known else ""


def _signed_in(unit: Unit, account: str) -> bool:
    """Return whether the account has a session or a dossier.

    An invited account has neither before its first sign-in.
    """
    return bool(unit.sessions_of(account) or unit.dossiers_of(account, 1))


def _bounds(policy: SmsPolicy, country: str) -> tuple[Limit, ...]:
    """Return the limits that a code to a new number of a country is counted under."""
    places = dict.fromkeys((country, ""))
    return tuple(Limit(_key(place), most, within) for place in places for most, within in policy.bounds(place))


def _shares(bounds: Iterable[Limit], taker: str) -> tuple[Limit, ...]:
    """Return the half of each limit on new numbers that one taker has at most: the others keep the rest.

    It is a network, or all accounts without a telephone.
    """
    return tuple(Limit(f"{bound.key}@{taker}", max(1, bound.most // 2), bound.within) for bound in bounds)


def _spent(unit: Unit, now: datetime, shares: Iterable[Limit]) -> Refusal | None:
    """Return Refusal("too_many_tries", minutes) while a share is used up. Counts nothing."""
    left = max((left_of(unit, now, share) for share in shares), default=timedelta())
    return refusal("too_many_tries", minutes=minutes_of(left)) if left > timedelta() else None


def _paused(unit: Unit, now: datetime, bounds: Iterable[Limit]) -> Refusal | None:
    """Return Refusal("codes_paused", minutes) while one of the limits is full. Counts nothing."""
    for bound in bounds:
        left = left_of(unit, now, bound)
        if left > timedelta():
            _alarm(unit, now, bound.key)
            return refusal("codes_paused", minutes=minutes_of(left))
    return None


def _alarm(unit: Unit, now: datetime, key: str) -> None:
    """Log a full limit, at most once an hour for each key."""
    if unit.count_try(f"alarm:{key}", f"{now:%Y-%m-%dT%H}") == 1:
        log.warning("the bound on codes to new numbers is reached: %s", key.removeprefix(_NEW))


def _key(country: str) -> str:
    return f"{_NEW}{country or 'all'}"
