"""The cost of SMS by month, procedure and country."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, TypeAlias
from urllib.parse import urlencode

from flask import Blueprint, Response, abort, request

from engine.records.statistics import SmsCount
from engine.services.audit.sms_report import may_read_report, sms_report
from renderers.reports.sms import SmsTotal, csv_rows, total
from renderers.web.platform.access import agent
from renderers.web.platform.dossier_context import label
from renderers.web.platform.request_context import actor, app_ctx, language, say, site
from renderers.web.platform.tables import csv_response
from renderers.web.public.statistics_views import writer_of
from renderers.web.shared.staff import procedure_of, staff_page

blueprint = Blueprint("sms_report", __name__)

Kind: TypeAlias = Literal["html", "csv"]
_HOME = "/agent/equipe/sms"


@dataclass(frozen=True, slots=True)
class SmsReportRow:
    """The messages, billed segments and cost of one procedure, country or month, in words."""

    name: str
    messages: str
    segments: str
    cost: str
    href: str = ""
    country: str = ""


@blueprint.get(_HOME)
@blueprint.get(f"{_HOME}.csv", defaults={"kind": "csv"})
@agent()
def home(kind: Kind = "html") -> Response:
    """Show the cost of one month, by default the last, and the totals of all months.

    Answers 403 without the right.
    """
    if not may_read_report(actor()):
        abort(403)
    counts = sms_report(app_ctx(), actor())
    months = tuple(dict.fromkeys(one.month for one in counts))
    asked = request.args.get("mois", "")
    month = asked if asked in months else next(iter(months), "")
    shown = [one for one in counts if one.month == month]
    if kind == "csv":
        return csv_response(csv_rows(shown), f"sms-{month or 'aucun'}.csv")
    return staff_page(
        "agent/sms_report.html", month=_month(month) if month else "", lines=_by_procedure(shown),
        sum=_line("", total(shown)), months=_by_month(counts), unpriced=site().words.amount(total(shown).unpriced, language())
        if total(shown).unpriced else "", csv=f"{_HOME}.csv?{urlencode({'mois': month})}",
    )  # fmt: skip


def _by_procedure(counts: Sequence[SmsCount]) -> list[SmsReportRow]:
    return [_line(_named(one.procedure), total([one]), country=one.country or "–") for one in counts]


def _by_month(counts: Iterable[SmsCount]) -> list[SmsReportRow]:
    return [
        _line(_month(month), total(those), f"{_HOME}?{urlencode({'mois': month})}")
        for month, those in groupby(counts, key=lambda one: one.month)
    ]


def _line(name: str, sums: SmsTotal, href: str = "", country: str = "") -> SmsReportRow:
    words, spoken = site().words, language()
    cost = words.money(-(-sums.cost // 100), spoken) if sums.cost or not sums.unpriced else say("sms_report.no_price")
    return SmsReportRow(
        name, words.amount(sums.messages, spoken), words.amount(sums.segments, spoken), cost, href, country
    )


def _named(procedure: str) -> str:
    if not procedure:
        return say("sms_report.portal")
    definition = procedure_of(procedure)
    return str(label(definition.identity.title)) if definition else procedure


def _month(month: str) -> str:
    return writer_of().period(month)
