"""`guichet sms-report`: the cost of SMS as CSV. The caller passes the function that opens the context."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from renderers.cli.admin.installation_commands import LANGUAGES, fail, wording

if TYPE_CHECKING:
    from engine.services.context.app_context import AppContext


def sms_report_command(opened: Callable[[], AppContext]) -> click.Command:
    """Return `guichet sms-report`, for the application context that `opened` returns."""

    @click.command("sms-report")
    @click.option("--month", default="", metavar="YYYY-MM", help="this month alone; every month otherwise")
    @click.option("--lang", "language", type=LANGUAGES, default="fr", help="language of the messages")
    def sms_report(month: str, language: str) -> None:
        """Print the SMS sent and their cost as CSV, one line for each month, procedure and country.

        `portal` stands for messages without a dossier, such as sign-in codes. Segments are the billed units.
        The cost is in XOF, without segments sent while no price was set ([sms] price in the file of
        gateways).

        Example: guichet sms-report --month 2026-11 > sms.csv. Exit codes: 0 printed; 1 refused; 2 wrong use.
        """
        from engine.records.dossier import SYSTEM_ACTOR
        from engine.services.audit import sms_report as report
        from renderers.reports.sms import csv_rows

        if month and not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
            fail(wording(), "sms_month", language, 2, month=month)
        csv.writer(sys.stdout).writerows(csv_rows(report.sms_report(opened(), SYSTEM_ACTOR, month)))

    return sms_report
