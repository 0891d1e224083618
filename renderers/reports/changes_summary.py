"""What every form of the sheet of changes says first: which editions, how much changed, whether it may be published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from engine.language.diff.elements import flatten
from renderers.i18n.translations import in_language
from renderers.reports.changes import ChangeWriter, counted

COUNTS: Final = ("safe", "review", "accepted", "breaking")


@dataclass(frozen=True, slots=True)
class Sides:
    """How each edition is called: a commit, a file name."""

    before: str = ""
    after: str = ""


def title(writer: ChangeWriter, sides: Sides) -> str:
    before, after = writer.compared.before, writer.compared.after
    return writer.say(
        "changes.title", name=in_language(after.identity.title, writer.language), before=before.edition, after=after.edition,
        before_print=sides.before, after_print=sides.after,
    )  # fmt: skip


def nothing(writer: ChangeWriter) -> str:
    """What is said when no change is felt; empty when some is."""
    if writer.compared.changes:
        return ""
    return writer.say("changes.identical" if writer.compared.identical else "changes.no_effect")


def summary(writer: ChangeWriter) -> str:
    """`Bilan : 5 sûrs, 1 à revoir, 2 ruptures. 1 742 dossiers en cours.`"""
    compared = writer.compared
    counts = [(one, compared.count(one)) for one in COUNTS]
    said = writer.say(
        "changes.summary",
        counts=", ".join(writer.say(f"changes.count.{one}", count=count) for one, count in counts if count),
    )
    running = compared.counts.dossiers if compared.counts else 0
    if running:
        reported = writer.say("changes.dossiers", count=counted(writer.words, running, writer.language))
        said += " " + reported[:1].upper() + reported[1:]
    return said


def refused(writer: ChangeWriter) -> str:
    """Why it cannot be published; empty when it can."""
    breaks = [writer.say("changes.refused_one", code=one.code, at=one.at) for one in writer.compared.refused()]
    return writer.say("changes.refused", breaks=" ; ".join(dict.fromkeys(breaks))) if breaks else ""


def remarks(writer: ChangeWriter, labels: bool = False) -> Iterator[str]:
    """What is said of the editions themselves: a number that did not move, declared renames, by their `labels` for people
    who do not write the file."""
    compared = writer.compared
    if compared.before.id != compared.after.id:
        yield writer.say("changes.two_procedures", before=compared.before.id, after=compared.after.id)
    if compared.changes and compared.before.edition == compared.after.edition:
        yield writer.say("changes.same_edition")
    renames = compared.renames()
    if renames:
        pairs = _called(writer, renames) if labels else renames.items()
        yield writer.say("changes.renamed", names=", ".join(f"{old} → {new}" for old, new in pairs))


def _called(writer: ChangeWriter, renames: Mapping[str, str]) -> list[tuple[str, str]]:
    """Both names of what was renamed, as people read them."""
    then, now = (
        {one.at: writer.name(one.path, side.reader.t(one.label), side) for one in flatten(procedure).values()}
        for procedure, side in ((writer.compared.before, writer.then), (writer.compared.after, writer.now))
    )
    return [(then.get(old, old), now.get(new, new)) for old, new in renames.items()]
