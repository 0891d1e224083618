"""Opening of the report of changes: editions, number of changes, result for publication."""

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
    """Names of both editions: commit or file name."""

    before: str = ""
    after: str = ""


def title(writer: ChangeWriter, sides: Sides) -> str:
    """Return the title: procedure, both editions, and their names in `sides`."""
    before, after = writer.compared.before, writer.compared.after
    return writer.say(
        "changes.title", name=in_language(after.identity.title, writer.language), before=before.edition, after=after.edition,
        before_print=sides.before, after_print=sides.after,
    )  # fmt: skip


def nothing(writer: ChangeWriter) -> str:
    """Return the sentence for editions without effective change, empty if there are changes."""
    if writer.compared.changes:
        return ""
    return writer.say("changes.identical" if writer.compared.identical else "changes.no_effect")


def summary(writer: ChangeWriter) -> str:
    """Return the counts: `Bilan : 5 sûrs, 1 à revoir, 2 ruptures. 1 742 dossiers en cours.`"""
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
    """Return why publication is refused, empty if it is allowed."""
    breaks = [writer.say("changes.refused_one", code=one.code, at=one.at) for one in writer.compared.refused()]
    return writer.say("changes.refused", breaks=" ; ".join(dict.fromkeys(breaks))) if breaks else ""


def remarks(writer: ChangeWriter, labels: bool = False) -> Iterator[str]:
    """Yield remarks about the editions: an unchanged number, declared renames.

    With `labels`, renames show labels instead of names, for readers who are not authors.
    """
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
    """Return both labels of each renamed element."""
    then, now = (
        {one.at: writer.name(one.path, side.reader.t(one.label), side) for one in flatten(procedure).values()}
        for procedure, side in ((writer.compared.before, writer.then), (writer.compared.after, writer.now))
    )
    return [(then.get(old, old), now.get(new, new)) for old, new in renames.items()]
