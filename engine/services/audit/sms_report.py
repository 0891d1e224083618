"""SMS sent and their cost, by month, procedure and country, for administrators."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import phonenumbers

from engine.core.clock import local_day
from engine.core.gsm7 import sms_parts
from engine.domain.common.agent_rights import EVERYWHERE, administers, is_administrator
from engine.integrations.gateways import OTHER_COUNTRY
from engine.records.dossier import Actor, OutboundMessage
from engine.records.statistics import SmsCount
from engine.services.context.app_context import AppContext, NotFound
from engine.storage.unit_of_work import Unit

PORTAL: Final = "portal"  # stands for messages without a dossier


def count_sms(ctx: AppContext, unit: Unit, letters: Iterable[OutboundMessage]) -> None:
    """Add the messages just sent that are not yet marked as sent.

    Messages and sums are locked in one order, so that two workers do not block each other.
    """
    left = (one for one in letters if one.channel == "sms" and one.sent_at is not None)
    found = [_counted(ctx, unit, one) for one in sorted(left, key=lambda one: one.id)]
    for one in sorted(filter(None, found), key=lambda one: (one.month, one.procedure, one.country)):
        unit.add_sms(one)


def _counted(ctx: AppContext, unit: Unit, letter: OutboundMessage) -> SmsCount | None:
    procedure = unit.unsent_for(letter.id)
    if procedure is None or letter.sent_at is None:  # counted by another worker, or erased with its dossier
        return None
    country, segments = country_of(letter.to), sms_parts(letter.body).count
    price = ctx.sms_prices.get(country, ctx.sms_prices.get(OTHER_COUNTRY))
    month = f"{local_day(letter.sent_at):%Y-%m}"
    return SmsCount(
        month, procedure, country, 1, segments, 0 if price is not None else segments, segments * (price or 0)
    )


def country_of(phone: str) -> str:
    """Return the ISO country code of a number in E.164 by its prefix; empty without one."""
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(phone, None)) or ""
    except phonenumbers.NumberParseException:
        return ""


def may_read_report(actor: Actor) -> bool:
    """Return whether the actor may read SMS costs: the system or an administrator."""
    return actor.kind == "system" or (actor.kind == "agent" and is_administrator(actor))


def sms_report(ctx: AppContext, actor: Actor, month: str = "") -> tuple[SmsCount, ...]:
    """Return the sums of a month, or of all, the newest first.

    An administrator reads the sums of the procedures of their agencies. An administrator of all agencies also
    reads those of messages without a dossier. Raises `NotFound` for others.
    """
    if not may_read_report(actor):
        raise NotFound
    with ctx.store.unit() as unit:
        found = unit.sms_counts(month)
    if administers(actor, (EVERYWHERE,)):
        return found
    day, catalogue = ctx.day(), ctx.catalogue
    summaries = {name: catalogue.current_summary(name, day) for name in {one.procedure for one in found}}
    mine = {name for name, summary in summaries.items() if summary and administers(actor, (summary.agency,))}
    return tuple(one for one in found if one.procedure in mine)
