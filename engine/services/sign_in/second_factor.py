"""Second factor: codes of an authenticator application (RFC 6238) and recovery codes.

The only importer of pyotp. Keys are stored encrypted, recovery codes as keyed digests. A used code is
refused.
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
DRIFT: Final = 1  # steps by which the clock of a phone may be wrong
RECOVERY_CODES: Final = 10
_SIGNS: Final = "23456789abcdefghjkmnpqrstuvwxyz"  # without characters that look alike
_RECOVERY_LENGTH: Final = 24  # 118 bits: a digest cannot be reversed by guessing
_RECOVERY_GROUP: Final = 6
_PURPOSE: Final = "second factor"


def is_wanted(ctx: AppContext, account: Account) -> bool:
    """Return whether this person needs a second factor.

    Auditors always do, agents if the installation requires it. Invented persons of a demonstration
    never do: their password is public.
    """
    if is_invented(account):
        return False
    return account.kind == "auditor" or (account.kind == "agent" and ctx.settings.second_factor)


def proven(unit: Unit, account_id: str) -> SecondFactor | None:
    """Return the second factor whose enrolment this person completed; None otherwise."""
    factor = unit.second_factor(account_id)
    return factor if factor is not None and factor.since is not None else None


def sealed_key(ctx: AppContext) -> str:
    """Return a new key for an application, encrypted."""
    return ctx.keys.seal_text(_PURPOSE, pyotp.random_base32())


def opened_key(ctx: AppContext, sealed: str) -> str:
    """Return the key that the application needs."""
    return ctx.keys.open_text(_PURPOSE, sealed)


def application_address(key: str, login: str, issuer: str) -> str:
    """Return the text of the QR code of an enrolment (`otpauth://…`)."""
    return pyotp.TOTP(key, interval=STEP).provisioning_uri(name=login, issuer_name=issuer)


def prove(
    ctx: AppContext, unit: Unit, account_id: str, sealed: str, typed: str, now: datetime
) -> tuple[str, ...] | None:
    """Complete an enrolment with a first code of the application with this key.

    Return the recovery codes, shown once; None if the code is wrong.
    """
    factor = SecondFactor(account_id, sealed)
    step = _step_of(ctx, factor, typed, now)
    if step is None:
        return None
    codes = new_recovery_codes()
    kept = tuple(_recovery_digest(ctx, account_id, code) for code in codes)
    unit.put_second_factor(replace(factor, since=now, last_step=step, recovery=kept))
    return codes


def takes(ctx: AppContext, unit: Unit, factor: SecondFactor, typed: str, now: datetime) -> bool:
    """Return whether this is an unused code of the application or an unused recovery code, and consume it."""
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
    """Return whether a text has the length of a recovery code.

    Such a code is accepted beyond the limits on tries.
    """
    return len(_signs_of(typed)) == _RECOVERY_LENGTH


def decoy(ctx: AppContext, name: str) -> SecondFactor:
    """Return a factor for an account that does not exist.

    A check against it takes the same time and always fails.
    """
    return SecondFactor(name, sealed_key(ctx), last_step=sys.maxsize)


def renewed_recovery(ctx: AppContext, unit: Unit, factor: SecondFactor) -> tuple[str, ...]:
    """Replace all recovery codes and return the new ones."""
    codes = new_recovery_codes()
    kept = tuple(_recovery_digest(ctx, factor.account, code) for code in codes)
    unit.put_second_factor(replace(factor, recovery=kept))
    return codes


def seal_anew(unit: Unit, keys: SigningKeys) -> int:
    """Encrypt the key of every application again under the secret in force.

    Return how many persons have recovery codes, which may be digests under former secrets: they are
    asked to renew them. Keys that no secret opens stay unchanged.
    """
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
    """Return ten codes such as `k7m2p9-xqtdhr-4wz8cj-n3vbga`."""
    plain = ("".join(secrets.choice(_SIGNS) for _ in range(_RECOVERY_LENGTH)) for _ in range(RECOVERY_CODES))
    groups = range(0, _RECOVERY_LENGTH, _RECOVERY_GROUP)
    return tuple("-".join(one[at : at + _RECOVERY_GROUP] for at in groups) for one in plain)


def _recovery_digest(ctx: AppContext, account_id: str, typed: str) -> str:
    return ctx.keys.seal_code("recovery", account_id, _signs_of(typed))


def _signs_of(typed: str) -> str:
    return "".join(sign for sign in typed.lower() if sign in _SIGNS)


def _step_of(ctx: AppContext, factor: SecondFactor, typed: str, now: datetime) -> int | None:
    """Return the time step of this code if it is current and later than any accepted code; None otherwise."""
    digits = "".join(typed.split())
    if len(digits) != 6 or not (digits.isascii() and digits.isdigit()):
        return None
    try:
        application = pyotp.TOTP(ctx.keys.open_text(_PURPOSE, factor.key))
    except NoKeys:  # encrypted under a removed secret: a recovery code or an administrator must help
        return None
    current = int(now.timestamp()) // STEP
    for step in range(current - DRIFT, current + DRIFT + 1):
        if hmac.compare_digest(application.generate_otp(step), digits):
            return step if step > factor.last_step else None
    return None
