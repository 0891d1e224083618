"""`guichet doctor`: checks of all parts of an installation, findings and what to do. The caller passes the probe."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import click

from renderers.cli.admin.installation_commands import cause_of
from renderers.cli.files import LANGUAGES
from renderers.cli.language import in_french
from renderers.cli.main import ComparingCommand

if TYPE_CHECKING:
    from engine.operations.installation_probe import DoctorCheck, InstallationProbe
    from renderers.i18n.translations import Translations

_MARKS: Final = {"well": "+", "watch": "!", "mend": "✕"}
WIDTH: Final = 15  # of the longest name of a part
_CODES: Final = {"well": 0, "watch": 2, "mend": 3}


def doctor_command(looked_at: Callable[[], InstallationProbe]) -> click.Command:
    """Return `guichet doctor`, for the installation that `looked_at` describes."""

    @click.command("doctor", cls=ComparingCommand)
    @click.option("--json", "as_json", is_flag=True, help="for machines")
    @click.option("--lang", "language", type=LANGUAGES, default="fr", help="language of the sentences")
    def doctor(as_json: bool, language: str) -> None:
        """Check every part of this installation and print what to do.

        It checks settings, keys, disk, store, clock, queues, repository, gateways and documents of mandates.
        It changes nothing.

        Exit codes: 0 all is well; 2 something to watch; 3 something to repair; 1 the checks could not run.
        """
        from engine.core.clock import SystemClock
        from engine.operations.doctor import examine
        from engine.operations.installation_probe import DoctorCheck, worst
        from renderers.i18n.translations import load_words
        from renderers.pdf.typst import has_letters

        words = load_words()
        checks = list(examine(looked_at(), SystemClock().now()))
        drawn = has_letters()
        checks.append(
            DoctorCheck("letters", "letters_well" if drawn else "letters_missing", "well" if drawn else "mend")
        )
        level = worst(checks)
        if as_json:
            reported = [
                {**_plain(one), "said": found(one, words, language), "do": to_do(one, words, language)}
                for one in checks
            ]
            click.echo(json.dumps({"level": level, "checks": reported}, ensure_ascii=False, indent=1))
        else:
            click.echo("\n".join(line for one in checks for line in _lines(one, words, language)))
            click.echo(words.say(f"doctor.result.{level}", language, {}))
        sys.exit(_CODES[level])

    return doctor


def found(one: DoctorCheck, words: Translations, language: str) -> str:
    """Return the finding of a check as a sentence."""
    facts = dict(one.facts)
    if "cause" in facts:
        why = cause_of(words, facts["cause"], facts["why"], language)
        facts["why"] = " : ".join(filter(None, (facts["place"], why)))
    if one.code == "gateways_wrong" and language == "fr":
        facts["why"] = in_french(facts["why"]).rstrip(".")
    if "days" in facts:
        facts["count"] = facts["days"]
    today = (f"doctor.today.{one.code}",) if facts.get("days") == "0" else ()
    return words.first((*today, f"doctor.found.{one.code}"), language, facts)


def to_do(one: DoctorCheck, words: Translations, language: str) -> str:
    """Return what to do about a finding, empty if all is well."""
    key = f"doctor.do.{one.code}"
    return words.say(key, language, dict(one.facts)) if words.has(key) else ""


def _plain(one: DoctorCheck) -> dict[str, object]:
    return {"part": one.part, "code": one.code, "level": one.level, "facts": dict(one.facts)}


def _lines(one: DoctorCheck, words: Translations, language: str) -> list[str]:
    part = words.say(f"doctor.part.{one.part}", language, {})
    lines = [f"{_MARKS[one.level]} {part:{WIDTH}} {found(one, words, language)}"]
    doing = to_do(one, words, language)
    return [*lines, f"{'':{WIDTH + 2}} → {doing}"] if doing else lines
