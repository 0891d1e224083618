"""A second factor: codes of an authenticator application (RFC 6238) and recovery codes. The only door to pyotp.

Keys are kept sealed under the office's secret, recovery codes as keyed digests; a code that served is refused afterwards.
"""

from __future__ import annotations

import hmac
import secrets
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Final

import pyotp

from engine.records.dossier import Account
from engine.records.people import SecondFactor
from engine.services.context.app_context import AppContext
from engine.services.keys.signing_keys import NoKeys, SigningKeys
from engine.services.sign_in.demo_accounts import is_invented
from engine.storage.unit_of_work import Unit

STEP: Final = 30  # seconds that a code lasts
DRIFT: Final = 1  # steps by which a telephone's clock may be wrong
RECOVERY_CODES: Final = 10
_SIGNS: Final = "23456789abcdefghjkmnpqrstuvwxyz"  # none that is taken for another
_RECOVERY_LENGTH: Final = 24  # 118 bits: nobody finds one back from its digest
_RECOVERY_GROUP: Final = 6
_PURPOSE: Final = "second factor"


def is_wanted(ctx: AppContext, account: Account) -> bool:
    """Whether this person signs in with two factors: a controller always, an agent where the installation says so. The
    invented people of a demonstration never: their password is public."""
    if is_invented(account):
        return False
    return account.kind == "auditor" or (account.kind == "agent" and ctx.settings.second_factor)


def proven(unit: Unit, account_id: str) -> SecondFactor | None:
    """The factor this person has proven once to hold."""
    factor = unit.second_factor(account_id)
    return factor if factor is not None and factor.since is not None else None


def offered_key(ctx: AppContext, unit: Unit, account_id: str) -> str:
    """The key of an enrolment under way, the same when the page is shown again."""
    factor = unit.second_factor(account_id)
    if factor is None:
        factor = SecondFactor(account_id, ctx.keys.seal_text(_PURPOSE, pyotp.random_base32()))
        unit.put_second_factor(factor)
    return ctx.keys.open_text(_PURPOSE, factor.key)


def application_address(key: str, login: str, issuer: str) -> str:
    """What the QR code of an enrolment says (`otpauth://…`)."""
    return pyotp.TOTP(key, interval=STEP).provisioning_uri(name=login, issuer_name=issuer)


def prove(ctx: AppContext, unit: Unit, account_id: str, typed: str, now: datetime) -> tuple[str, ...] | None:
    """Ends an enrolment with a first code: the recovery codes, told this once. None when the code is not the one."""
    factor = unit.second_factor(account_id)
    step = _step_of(ctx, factor, typed, now) if factor is not None else None
    if factor is None or step is None:
        return None
    codes = new_recovery_codes()
    kept = tuple(_recovery_digest(ctx, account_id, code) for code in codes)
    unit.put_second_factor(replace(factor, since=now, last_step=step, recovery=kept))
    return codes


def takes(ctx: AppContext, unit: Unit, factor: SecondFactor, typed: str, now: datetime) -> bool:
    """Whether this is a code of the application that never served, or an unused recovery code; it is used up."""
    step = _step_of(ctx, factor, typed, now)
    if step is not None:
        unit.put_second_factor(replace(factor, last_step=step))
        return True
    digests = ctx.keys.seals_of("recovery", factor.account, _signs_of(typed))
    left = tuple(one for one in factor.recovery if one not in digests)
    if left != factor.recovery:
        unit.put_second_factor(replace(factor, recovery=left))
        return True
    return False


def is_recovery(typed: str) -> bool:
    """Whether this has the form of a recovery code: long enough to be heard however often others are tried."""
    return len(_signs_of(typed)) == _RECOVERY_LENGTH


def decoy(ctx: AppContext, name: str) -> SecondFactor:
    """The factor of an account that does not exist: judging a code by it takes as long, and no code is right."""
    return SecondFactor(name, ctx.keys.seal_text(_PURPOSE, pyotp.random_base32()), last_step=sys.maxsize)


def renewed_recovery(ctx: AppContext, unit: Unit, factor: SecondFactor) -> tuple[str, ...]:
    """New recovery codes in place of all those before."""
    codes = new_recovery_codes()
    kept = tuple(_recovery_digest(ctx, factor.account, code) for code in codes)
    unit.put_second_factor(replace(factor, recovery=kept))
    return codes


def seal_anew(unit: Unit, keys: SigningKeys) -> int:
    """The key of every application under the secret in force; how many people have recovery codes that other secrets sealed, or
    may have: they are asked to make new ones. What no secret of the ring opens stays as it is."""
    found = [
        factor
        for kind in ("agent", "auditor")
        for account in unit.accounts(kind)
        if (factor := unit.second_factor(account.id)) is not None
    ]
    for factor in found:
        with suppress(NoKeys):
            key = keys.seal_text(_PURPOSE, keys.open_text(_PURPOSE, factor.key))
            unit.put_second_factor(replace(factor, key=key))
    return sum(bool(factor.recovery) for factor in found)


def new_recovery_codes() -> tuple[str, ...]:
    """`k7m2p9-xqtdhr-4wz8cj-n3vbga`, ten times."""
    plain = ("".join(secrets.choice(_SIGNS) for _ in range(_RECOVERY_LENGTH)) for _ in range(RECOVERY_CODES))
    groups = range(0, _RECOVERY_LENGTH, _RECOVERY_GROUP)
    return tuple("-".join(one[at : at + _RECOVERY_GROUP] for at in groups) for one in plain)


def _recovery_digest(ctx: AppContext, account_id: str, typed: str) -> str:
    return ctx.keys.seal_code("recovery", account_id, _signs_of(typed))


def _signs_of(typed: str) -> str:
    return "".join(sign for sign in typed.lower() if sign in _SIGNS)


def _step_of(ctx: AppContext, factor: SecondFactor, typed: str, now: datetime) -> int | None:
    """The moment this code is of, if it is about now and later than any code taken before."""
    digits = "".join(typed.split())
    if len(digits) != 6 or not (digits.isascii() and digits.isdigit()):
        return None
    try:
        application = pyotp.TOTP(ctx.keys.open_text(_PURPOSE, factor.key))
    except NoKeys:  # under a secret that was forgotten: a recovery code is left, or an administrator who begins anew
        return None
    current = int(now.timestamp()) // STEP
    for step in range(current - DRIFT, current + DRIFT + 1):
        if hmac.compare_digest(application.generate_otp(step), digits):
            return step if step > factor.last_step else None
    return None
