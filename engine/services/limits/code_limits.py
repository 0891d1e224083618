"""How often codes and links are sent, to whom, and where: no number is flooded, nobody's sign-in is used up by others, and a
fraud on SMS costs a bounded sum.

A browser that the holder of a number signed in from before is counted apart: what others ask for that number never uses up its
codes. Numbers that never signed in share bounds by country and for the installation; all other numbers are served whatever
is asked meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

from engine.core.problems import Refusal, refusal
from engine.domain.common.sms_policy import DAY, HOUR, SmsPolicy
from engine.services.context.app_context import AppContext
from engine.services.context.contact_parsing import receives_sms, sms_country
from engine.services.context.rate_limit import Limit, count, left_of, minutes_of, too_many, tried
from engine.services.limits.askers import Asker, limits_of
from engine.services.limits.known_browsers import browser_key, is_known
from engine.storage.unit_of_work import Unit

log = logging.getLogger("guichet.sms")

Way: TypeAlias = Literal["phone", "email"]

CODES_PER_NUMBER: Final = 8  # in a quarter of an hour; half of it from one address
LINKS_PER_EMAIL: Final = 6
_NEW: Final = "sms-new:"
A_DAY: Final = 60  # codes of one number, links of one address


def refuse_code(ctx: AppContext, unit: Unit, now: datetime, to: str, number: str, asker: Asker) -> Refusal | None:
    """Counts a code that is about to be sent; why it is not sent otherwise: too_many_tries, codes_paused (minutes), sms_country,
    sms_kind. `to`: under what the code is kept, which is not that of the door for every code."""
    if not number.startswith("+"):
        return too_many(unit, now, *_limits(ctx, "code", to, _holder(unit, "email", number), asker, CODES_PER_NUMBER))
    holder = _holder(unit, "phone", number)
    served = bool(holder) and _signed_in(unit, holder)
    bounds = () if served or asker.staff else _bounds(ctx.settings.sms, sms_country(number))
    closed = (
        why_no_sms(ctx.settings.sms, number, served=served)
        or _paused(unit, now, bounds)
        or too_many(unit, now, *_limits(ctx, "code", to, holder, asker, CODES_PER_NUMBER))
    )
    if closed is None:
        for bound in bounds:
            count(unit, now, bound)
    return closed


def refuse_link(ctx: AppContext, unit: Unit, now: datetime, email: str, asker: Asker) -> Refusal | None:
    """Counts a link that is about to be sent; Refusal("too_many_tries", minutes) when it is not."""
    return too_many(unit, now, *_limits(ctx, "link", email, _holder(unit, "email", email), asker, LINKS_PER_EMAIL))


def refuse_sms(ctx: AppContext, unit: Unit, now: datetime, number: str) -> Refusal | None:
    """Counts an SMS that somebody causes to another's number: one to a number that never signed in under the bounds of codes to
    such numbers. Refusal("codes_paused", minutes) when one of them is full. One that is never sent is not counted."""
    holder = _holder(unit, "phone", number)
    served = bool(holder) and _signed_in(unit, holder)
    if served or why_no_sms(ctx.settings.sms, number, served=False):
        return None
    bounds = _bounds(ctx.settings.sms, sms_country(number))
    closed = _paused(unit, now, bounds)
    for bound in bounds if closed is None else ():
        count(unit, now, bound)
    return closed


def why_no_sms(policy: SmsPolicy, number: str, *, served: bool) -> Refusal | None:
    """Why no SMS goes to a number. One that signed in before (`served`) is of any country."""
    if not receives_sms(number):
        return refusal("sms_kind")
    return None if served or sms_country(number) in policy.countries else refusal("sms_country")


def why_no_letter(ctx: AppContext, number: str) -> str:
    """The code of why an SMS does not leave; empty when it may."""
    closed = why_no_sms(ctx.settings.sms, number, served=False)
    if closed is not None and closed.code == "sms_country":
        with ctx.store.unit() as unit:
            holder = _holder(unit, "phone", number)
            closed = None if holder and _signed_in(unit, holder) else closed
    return closed.code if closed is not None else ""


def new_numbers(policy: SmsPolicy, unit: Unit, now: datetime) -> Mapping[str, tuple[int, int]]:
    """Codes to new numbers in the last hour and how many may be, by country; of the whole installation under `all`."""
    said = {"all": "", **{country: country for country in policy.countries}}
    return {
        name: (tried(unit, now, Limit(_key(country), policy.most(country), HOUR)), policy.most(country))
        for name, country in said.items()
    }


def _limits(ctx: AppContext, what: str, to: str, holder: str, asker: Asker, most: int) -> tuple[Limit, ...]:
    if holder and is_known(ctx, holder, asker.known):
        return Limit(f"{what}:{to}~{browser_key(asker.known)}", most), Limit(f"{what}:{to}~", A_DAY, DAY)
    near = f"{what}:{to}@{asker.client}"
    return (
        *limits_of(asker, what),
        Limit(near, most // 2),
        Limit(near, A_DAY // 4, DAY),
        Limit(f"{what}:{to}", most),
        Limit(f"{what}:{to}", A_DAY, DAY),
    )


def _holder(unit: Unit, way: Way, value: str) -> str:
    """The account that this number or address is the way into; empty for none."""
    account = unit.account_of("applicant", value) if way == "phone" else None
    known = None if account else unit.identifier(way, value)
    return account.id if account else known.account if known else ""


def _signed_in(unit: Unit, account: str) -> bool:
    """Whether anyone ever signed in to an account, as far as it is still kept: an invitation makes an account too."""
    return bool(unit.sessions_of(account) or unit.dossiers_of(account, 1))


def _bounds(policy: SmsPolicy, country: str) -> tuple[Limit, ...]:
    """Those that a code to a new number of a country is counted under."""
    places = dict.fromkeys((country, ""))
    return tuple(Limit(_key(place), most, within) for place in places for most, within in policy.bounds(place))


def _paused(unit: Unit, now: datetime, bounds: Iterable[Limit]) -> Refusal | None:
    """Refusal("codes_paused", minutes) while one of the bounds is full. Counts nothing."""
    for bound in bounds:
        left = left_of(unit, now, bound)
        if left > timedelta():
            _alarm(unit, now, bound.key)
            return refusal("codes_paused", minutes=minutes_of(left))
    return None


def _alarm(unit: Unit, now: datetime, key: str) -> None:
    """Told once an hour and bound."""
    if unit.count_try(f"alarm:{key}", f"{now:%Y-%m-%dT%H}") == 1:
        log.warning("the bound on codes to new numbers is reached: %s", key.removeprefix(_NEW))


def _key(country: str) -> str:
    return f"{_NEW}{country or 'all'}"
