"""`guichet sms-report`: what text messages cost, as CSV. What opens the office is given."""

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
    @click.command("sms-report")
    @click.option("--month", default="", metavar="YYYY-MM", help="this month alone; every month otherwise")
    @click.option("--lang", "language", type=LANGUAGES, default="fr", help="language of the messages")
    def sms_report(month: str, language: str) -> None:
        """Print the text messages sent and their cost as CSV: one line for each month, procedure and country.

        `portal` stands for messages that concern no dossier: sign-in codes, mandates. Segments are what an operator bills; the
        cost is in XOF and leaves out segments sent while no price was set ([sms] price, in the file of gateways).

        Example: guichet sms-report --month 2026-11 > sms.csv. Ends with 0: printed; 1: refused; 2: wrong use.
        """
        from engine.records.dossier import SYSTEM_ACTOR
        from engine.services.audit import sms_report as report
        from renderers.reports.sms import csv_rows

        if month and not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
            fail(wording(), "sms_month", language, 2, month=month)
        csv.writer(sys.stdout).writerows(csv_rows(report.sms_report(opened(), SYSTEM_ACTOR, month)))

    return sms_report
