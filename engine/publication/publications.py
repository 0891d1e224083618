"""Publications: put editions in force or withdraw them. Each decision is one publication and one entry of its chain.

The store alone says which editions are in force (`decided`), so every process serves the same ones. A number
never gets another meaning. A withdrawn edition stays withdrawn until the meaning or the number in its file
changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Final

from engine.core.clock import local_day
from engine.core.problems import Problem, Refused, Report, refusal
from engine.core.values import Plain
from engine.journal.chain import JournalEntry, seal
from engine.language.catalogue.catalogue import Catalogue, EditionMissing, KeptOf
from engine.language.catalogue.kept_texts import with_kept
from engine.language.compiler.compile import fingerprint_of
from engine.model import Procedure
from engine.publication.gates import CandidateEdition, Judge, faults_of, renumbered, same_meaning
from engine.records.dossier import SYSTEM_ACTOR
from engine.records.publications import (
    CHAIN,
    Edition,
    Gate,
    Origin,
    Outcome,
    Publication,
    PublishedEdition,
    PublishedLine,
    lines_of,
)
from engine.storage.results import Conflict, IntegrityFinding
from engine.storage.unit_of_work import Store, Unit

FOLDER: Final = Origin("folder")  # the files of the installation, without a known commit
_TRIES: Final = 5

OriginOf = Callable[
    [Sequence[Procedure]], tuple[Origin, Mapping[str, Origin]]
]  # of the publication, and of each procedure by its id


@dataclass(frozen=True, slots=True)
class Decided:
    """The publications in the store at one moment.

    It holds the last publication's number, and the line and stored editions of each procedure. `text` loads
    the text of an edition.
    """

    n: int
    lines: Mapping[str, PublishedLine]
    kept: Mapping[str, tuple[PublishedEdition, ...]]
    text: KeptOf

    def line(self, procedure: str) -> PublishedLine:
        """Return the line of a procedure, empty when nothing was published."""
        return self.lines.get(procedure, PublishedLine())

    @property
    def fingerprints(self) -> frozenset[str]:
        """The fingerprints of all stored editions."""
        return frozenset(one.fingerprint for editions in self.kept.values() for one in editions)


def decided(store: Store, names: Iterable[str]) -> Decided:
    """Load the publications in the store.

    `names` lists procedures that may have editions stored before publications existed.
    """
    with store.unit() as unit:
        reported, heads = unit.publications(), unit.edition_heads()
    known = {*names, *(placed.procedure for one in reported for placed in one.placed)}
    kept: dict[str, tuple[PublishedEdition, ...]] = {}
    for name, editions in groupby(heads, lambda one: one.procedure):
        if name in known:
            kept[name] = tuple(editions)
    before = {name: tuple(one.fingerprint for one in editions) for name, editions in kept.items()}
    return Decided(reported[-1].n if reported else 0, lines_of(reported, before), kept, text_in(store))


def text_in(store: Store) -> KeptOf:
    """Return a loader of edition texts, which opens its own unit of work for each call."""

    def text(procedure: str, fingerprint: str) -> Edition | None:
        with store.unit() as unit:
            return unit.edition(procedure, fingerprint)

    return text


def with_past(catalogue: Catalogue, known: Decided) -> Catalogue:
    """Return the catalogue that contains every published edition. Those that it already contains are not built again."""
    whole = with_kept(catalogue, known.fingerprints)
    return whole.with_editions((one for editions in known.kept.values() for one in editions), known.text)


def arranged(catalogue: Catalogue, known: Decided, refused: Mapping[str, Report], now: datetime) -> Catalogue:
    """Return the catalogue that serves the published editions and contains every earlier one."""
    whole = with_past(catalogue, known)
    return whole.standing_as({name: line.standing for name, line in known.lines.items()}, refused, local_day(now))


def candidates(files: Catalogue, known: Decided, now: datetime) -> list[CandidateEdition]:
    """Return the editions of the files that differ from the last of their line, without withdrawn ones."""
    files = with_kept(files, known.fingerprints)
    lines = ((one, known.line(one.id)) for one in files.written)
    others = [(one, line) for one, line in lines if one.fingerprint not in (*line.standing[-1:], *line.withdrawn)]
    if not others:
        return []
    catalogue, day, found = arranged(files, known, {}, now), local_day(now), []
    for entry, line in others:
        written = files.open(entry)
        if _taken_back(catalogue, written, line):
            continue
        last = catalogue.edition(written.id, line.standing[-1]) if line.standing else None
        before = catalogue.current(written.id, day) if line.standing else None
        found.append(CandidateEdition(written, before or last, known.kept.get(written.id, ())))
    return found


def _taken_back(catalogue: Catalogue, written: Procedure, line: PublishedLine) -> bool:
    """Return True when a text has the meaning and the number of a withdrawn edition: only comments or scenarios differ."""
    procedures = (catalogue.edition(written.id, one) for one in line.withdrawn)
    return any(one is not None and one.edition == written.edition and same_meaning(one, written) for one in procedures)


# -- a folder of the installation --------------------------------------------------------------------------------------


def publish(
    catalogue: Catalogue, store: Store, now: datetime, judge: Judge | None = None, origin_of: OriginOf | None = None
) -> tuple[Catalogue, int]:
    """Publish the files of a folder, each on its own: a refused file leaves the edition in force.

    With a `judge`, each passes every gate. Without one (a demonstration), only the number is checked. Returns
    the serving catalogue and the number of the last publication. Raises `Conflict` after `_TRIES` concurrent
    decisions.
    """
    names = {*catalogue.procedures, *catalogue.warnings}
    for _ in range(_TRIES):
        known = decided(store, names)
        catalogue = with_past(catalogue, known)
        refused: dict[str, Report] = {}
        placed: list[Procedure] = []
        found = candidates(catalogue, known, now)
        whole = arranged(catalogue, known, {}, now) if found else catalogue
        for one in found:
            faults = _faults(whole, one, judge, now)
            if faults:
                refused[one.procedure.id] = Report.of(faults)
            else:
                placed.append(one.procedure)
        removed = gone(catalogue, known)
        if not placed and not removed:
            return arranged(catalogue, known, refused, now), known.n
        origin, each = origin_of(placed) if origin_of and placed else (FOLDER, {})
        try:
            with store.unit(write=True) as unit:
                decide(unit, known.n, now, "published", origin, placed, each=each, removed=removed)
        except Conflict:
            continue  # another process decided meanwhile: try again
        return arranged(catalogue, decided(store, names), refused, now), known.n + 1
    raise Conflict("publications")


def _faults(catalogue: Catalogue, one: CandidateEdition, judge: Judge | None, now: datetime) -> list[Problem]:
    if judge is None:
        number = renumbered(catalogue, one.procedure, one.kept)
        return [number] if number is not None else []
    return [fault for _, fault in faults_of(catalogue, one, judge, local_day(now))]


def gone(catalogue: Catalogue, known: Decided) -> tuple[str, ...]:
    """Return the published procedures that have no file any more.

    A folder without any file withdraws nothing, because it may be missing by mistake.
    """
    present = {*catalogue.procedures, *catalogue.warnings}
    if catalogue.folder is None or not present:
        return ()
    return tuple(sorted(name for name, line in known.lines.items() if line.standing and name not in present))


# -- one decision ------------------------------------------------------------------------------------------------------


def decide(
    unit: Unit, after: int, at: datetime, outcome: Outcome, origin: Origin, placed: Sequence[Procedure] = (), *,
    each: Mapping[str, Origin] | None = None, removed: Sequence[str] = (), gates: Sequence[Gate] = (), by: str = "",
    because: str = "",
) -> Publication:  # fmt: skip
    """Store one decision: its editions, the publication, and its journal entry unless it was refused.

    Raises `Conflict` when another publication was added since number `after`.
    """
    reported = Publication(
        after + 1, at, outcome, origin, tuple(PublishedEdition(one.id, one.edition, one.fingerprint) for one in placed),
        tuple(removed), tuple(gates), by, because,
    )  # fmt: skip
    unit.add_publication(reported)
    if outcome == "refused":
        return reported
    for one in placed:
        own = (each or {}).get(one.id, origin)
        unit.add_edition(
            Edition(one.id, one.edition, one.fingerprint, one.source, one.expanded, at, own.author, own.commit or None)
        )
    unit.add_deed(seal(unit.deed_head(), CHAIN, at, SYSTEM_ACTOR, outcome, "", deed_of(reported)))
    return reported


def deed_of(reported: Publication) -> dict[str, Plain]:
    """Return the body of a publication's journal entry. `fsck` compares it with the stored publication."""
    return {
        "publication": reported.n,
        "commit": reported.origin.commit,
        "source": reported.origin.source,
        "author": reported.origin.author,
        "reviewers": list(reported.origin.reviewers),
        "signature": reported.origin.signature,
        "placed": [{"procedure": one.procedure, "edition": one.edition, "fingerprint": one.fingerprint}
                   for one in reported.placed],
        "removed": list(reported.removed),
        "by": reported.by,
        "because": reported.because,
    }  # fmt: skip


def broken_publications(store: Store) -> Iterator[IntegrityFinding]:
    """Yield the inconsistencies that `fsck` reports.

    A publication may differ from its journal entry. A placed edition may be missing or have another text.
    """
    with store.unit() as unit:
        reported = {one.n: one for one in unit.publications() if one.stands}
        deeds = {_number(one): one for one in unit.deeds()}
        heads = {(one.procedure, one.fingerprint): one.edition for one in unit.edition_heads()}
        for n, one in reported.items():
            deed = deeds.get(n)
            if deed is None:
                yield IntegrityFinding("publication_unjournaled", None, {"publication": n})
            elif (deed.kind, deed.at, deed.body) != (one.outcome, one.at, deed_of(one)):
                yield IntegrityFinding("publication_differs", None, {"publication": n, "n": deed.n})
            for placed in one.placed:
                numbered = heads.get((placed.procedure, placed.fingerprint))
                if numbered is None:
                    yield IntegrityFinding("edition_missing", None, {"publication": n, "procedure": placed.procedure})
                elif numbered != placed.edition:
                    yield IntegrityFinding(
                        "edition_differs", None, {"procedure": placed.procedure, "edition": placed.edition}
                    )
        for procedure, fingerprint in heads:
            kept = unit.edition(procedure, fingerprint)
            if kept is not None and fingerprint_of(kept.expanded) != fingerprint:
                yield IntegrityFinding("edition_differs", None, {"procedure": procedure, "edition": kept.edition})
    for n in sorted(deeds.keys() - reported.keys()):
        yield IntegrityFinding("publication_missing", None, {"publication": n, "n": deeds[n].n})


def _number(deed: JournalEntry) -> int:
    n = deed.body.get("publication") if isinstance(deed.body, dict) else None
    return n if isinstance(n, int) else 0


# -- going back --------------------------------------------------------------------------------------------------------


def roll_back(
    catalogue: Catalogue, store: Store, now: datetime, procedure: str, edition: int | None, by: str, because: str
) -> Publication:
    """Put an earlier edition back in force at once, by default the one before, and withdraw those after it.

    Raises `Refused`: `rollback_unknown`, `rollback_none`, `rollback_no_edition`, `rollback_same`,
    `rollback_over`.
    """
    known = decided(store, [procedure])
    kept = known.kept.get(procedure, ())
    if not kept:
        raise Refused(refusal("rollback_unknown", name=procedure, near=tuple(sorted(catalogue.procedures))))
    whole = arranged(catalogue, known, {}, now)
    line, day = known.line(procedure), local_day(now)
    serving = whole.current(procedure, day)
    target = _target(kept, line, serving, edition)
    if target is None:
        numbers = tuple(str(one) for one in sorted({one.edition for one in kept}))
        code = "rollback_none" if edition is None else "rollback_no_edition"
        raise Refused(refusal(code, name=procedure, edition=edition or 0, allowed=numbers))
    if serving is not None and target.fingerprint == serving.fingerprint == line.standing[-1]:
        raise Refused(refusal("rollback_same", name=procedure, edition=target.edition))
    definition = whole.edition(procedure, target.fingerprint)
    if definition is None:
        raise EditionMissing(f"{procedure} {target.fingerprint[:12]}")
    if definition.identity.until is not None and definition.identity.until < day:
        raise Refused(
            refusal(
                "rollback_over", name=procedure, edition=target.edition, until=definition.identity.until.isoformat()
            )
        )
    with store.unit(write=True) as unit:
        reported = unit.edition(procedure, target.fingerprint)
        origin = Origin(
            "hand", commit=(reported and reported.commit) or "", author=reported.published_by if reported else ""
        )
        return decide(unit, known.n, now, "rolled_back", origin, [definition], by=by, because=because)


def _target(
    kept: Sequence[PublishedEdition], line: PublishedLine, serving: Procedure | None, edition: int | None
) -> PublishedEdition | None:  # fmt: skip
    """Return the edition of that number (its last text), or None.

    Without a number, return the edition before the one in force.
    """
    named = {one.fingerprint: one for one in kept}
    if edition is not None:
        order = [*sorted(line.withdrawn), *line.standing]
        found = [named[one] for one in order if one in named and named[one].edition == edition]
        return found[-1] if found else next((one for one in reversed(kept) if one.edition == edition), None)
    above = serving.fingerprint if serving is not None else ""
    under = line.standing[: line.standing.index(above)] if above in line.standing else line.standing[:-1]
    lower = [named[one] for one in under if one in named and (serving is None or named[one].edition != serving.edition)]
    return lower[-1] if lower else None


# -- what was decided --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EditionRecord:
    """One edition and the decisions about it.

    `first_publication` is the publication that placed it first, None for an edition older than publications.
    `back` is the last rollback to it. `withdrawn` is the publication that withdrew it.

    `before` is the fingerprint of the edition that was last when this one was placed. `left` is the
    fingerprint of the edition in force until the last rollback, whatever was withdrawn in between.
    """

    edition: Edition
    first_publication: Publication | None
    back: Publication | None = None
    withdrawn: Publication | None = None
    before: str = ""
    left: str = ""


def edition_records(store: Store, procedure: str) -> tuple[EditionRecord, ...]:
    """Return every stored edition of a procedure, the highest number first."""
    with store.unit() as unit:
        reported, kept = unit.publications(), unit.editions(procedure)
    records = {one.fingerprint: EditionRecord(one, None) for one in kept}
    line = PublishedLine()
    for early, former in _kept_before(kept, reported):
        records[early.fingerprint] = replace(records[early.fingerprint], before=former)
        line = line.with_placed(early.fingerprint)
    for one in reported:
        for placed in one.placed if one.stands else ():
            if placed.procedure != procedure or placed.fingerprint not in records:
                continue
            record = records.pop(placed.fingerprint)
            back = one.outcome == "rolled_back"
            first = record.first_publication or (None if back else one)
            before, last = line, next((name for name in line.standing[-1:] if name != placed.fingerprint), "")
            if placed.fingerprint not in (*line.standing, *line.withdrawn):
                record = replace(record, before=last)
            line = line.back_to(placed.fingerprint) if back else line.with_placed(placed.fingerprint)
            for gone in line.withdrawn - before.withdrawn:
                if gone in records:
                    records[gone] = replace(records[gone], withdrawn=one)
            records[placed.fingerprint] = replace(
                record, first_publication=first, back=one if back else record.back, withdrawn=None, left=last if back else record.left
            )  # fmt: skip
    order = {name: rank for rank, name in enumerate(line.standing)}
    return tuple(sorted(records.values(), key=lambda one: _rank(one, order), reverse=True))


def _kept_before(kept: Sequence[Edition], reported: Sequence[Publication]) -> Iterator[tuple[Edition, str]]:
    """Yield the editions older than publications in order, each with the fingerprint of the previous one."""
    first: dict[str, datetime] = {}
    for one in reported:
        for placed in one.placed if one.stands else ():
            first.setdefault(placed.fingerprint, one.at)
    former = ""
    for edition in kept:
        at = first.get(edition.fingerprint)
        if at is None or edition.published_at < at:
            yield edition, former
            former = edition.fingerprint


def _rank(one: EditionRecord, order: Mapping[str, int]) -> tuple[int, datetime, int]:
    return (
        one.edition.edition,
        one.first_publication.at if one.first_publication else one.edition.published_at,
        order.get(one.edition.fingerprint, -1),
    )
