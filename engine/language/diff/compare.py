"""The comparison of two editions of a procedure, as facts that a citizen, an agent or an auditor notices.

`compare` reads the whole procedure. It pairs all elements of both editions by id, through the renames that
the later edition declares and no others. Each facet that differs is one change with its impact. Running
dossiers keep their edition unless `migrate` moves them, so most changes only concern new ones. A change is
*breaking* when it leaves a running dossier without a state or takes a right away from it. It is breaking too
when it gives personal data to new recipients.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from types import MappingProxyType
from typing import Any, Final

from engine.core.problems import Fact, Position
from engine.core.spelling import close_names
from engine.core.values import Text
from engine.language.diff.change import CHAPTERS, Change, Chapter, Kind
from engine.language.diff.elements import KEPT, Element, Path, flatten
from engine.language.diff.equivalence import Equivalence, moves_between
from engine.language.diff.impact import EditionPair, FacetPair, Impact, ImpactDetail
from engine.language.diff.population import Count, Snapshot, read_snapshot
from engine.language.diff.rules import weigh, weigh_added, weigh_removed
from engine.model import Fee, Procedure, Template
from engine.model.graph import closure, successors
from engine.model.types import Expression

__all__ = [
    "CHAPTERS", "Change", "Chapter", "Impact", "Kind", "Snapshot", "compare", "read_snapshot", "renamed", "severity", "unchanged",
]  # fmt: skip

_RENAMED: Final = KEPT | {"tables", "notices"}
_FOLLOWS: Final = frozenset({"lists", "schemes"})  # appear and disappear with the questions that use them
_WEIGHTS: Final[Mapping[Impact, int]] = {"safe": 2, "review": 3, "breaking": 4}


def compare(
    before: Procedure, after: Procedure, counts: Snapshot | None = None, *, day: date | None = None
) -> tuple[Change, ...]:
    """Return all changes, sorted by chapter.

    `day` decides whether an `accept` is still valid. Without a day it is.
    """
    found = list(_Comparison(before, after, counts or Snapshot()).changes())
    changes = list(_accepted(found, before, after, day))
    return tuple(sorted(changes, key=lambda one: CHAPTERS.index(one.chapter)))


def unchanged(before: Procedure, after: Procedure, changes: Iterable[Change]) -> tuple[Element, ...]:
    """Return the elements of the later edition that no change concerns."""
    touched = {change.path for change in changes}
    return tuple(one for path, one in flatten(after).items() if path not in touched)


def renamed(before: Procedure, after: Procedure) -> Mapping[str, str]:
    """Return the valid renames that the later edition declares: old name → new name."""
    known = {one.at for one in flatten(before).values()}
    moves = moves_between(before, after)
    return {old: new for old, new in moves.items() if new is not None and new != old and old in known}


def severity(changes: Iterable[Change]) -> int:
    """Return the exit code of the command: 0 no change, 2 safe, 3 to review, 4 breaking."""
    return max((_WEIGHTS[change.weighs] for change in changes), default=0)


# -- comparing ---------------------------------------------------------------------------------------------------------


class _Comparison:
    """The comparison of two editions."""

    def __init__(self, before: Procedure, after: Procedure, counts: Snapshot) -> None:
        self.before, self.after, self.counts = before, after, counts
        self.old, self.new = flatten(before), flatten(after)
        self.declared = moves_between(before, after)
        self.moves = _followed(self.declared, before)
        self.around = EditionPair(before, after, before.edition in after.migrate, counts.bookings)
        self.then, self.now = Equivalence(self.moves), Equivalence(MappingProxyType({}))
        self.pairs: dict[Path, Element] = {}
        self.merged: list[tuple[Element, Path]] = []
        self._pair()

    def changes(self) -> Iterator[Change]:
        """Yield the changes in the order of the later edition, those that disappeared first."""
        gone = self._outermost(path for path in self.pairs if path not in self.new)
        come = self._outermost(path for path in self.new if path not in self.pairs)
        reused = {path for path in gone if self._elsewhere(path, come)}
        taken = {other for path in reused if (other := self._elsewhere(path, come))}
        for path in gone:
            if path in reused:
                yield self._reused(self.pairs[path], self.new[self._elsewhere(path, come) or path])
            elif path[0] not in _FOLLOWS or len(path) > 2:
                yield self._removed(self.pairs[path], come)
        for path, element in self.new.items():
            former = self.pairs.get(path)
            if former is not None:
                yield from self._changed(former, element)
            elif path in come and path not in taken and (path[0] not in _FOLLOWS or len(path) > 2):
                yield self._added(element)
        yield from (self._merged(one, into) for one, into in self.merged)
        yield from self._cut_off()
        yield from self._lost_moves()

    def _pair(self) -> None:
        """Pair each element of the earlier edition with its path in the later one.

        When two have the same path, the one with the unchanged name is compared. The other is merged into it.
        """
        for element in sorted(self.old.values(), key=lambda one: self._moved(one) != one.path):
            path = self._moved(element)
            if path not in self.pairs:
                self.pairs[path] = element
            elif path not in self.new:
                self.pairs[element.path] = element
            elif len(path) == 2 or element.noun == "options":
                self.merged.append((element, path))

    def _moved(self, element: Element) -> Path:
        """The path of an element of the earlier edition in the names of the later one."""
        path = list(element.path)
        if element.path[:3:2] == ("personal_data", "sensitive"):
            path[-1] = self.moves.get(path[-1], path[-1])
        if element.section not in _RENAMED or len(path) < 2:
            return tuple(path)
        for at in range(1, len(path), 2):
            if path[at - 1] == "services":
                new = self.moves.get(path[at], path[at])
            else:
                name, space, rank = element.path[at].partition(" ") if at == 1 else (element.path[at], "", "")
                dotted = ".".join([*element.path[1:at:2], name])
                new = self.moves.get(dotted, name).rpartition(".")[2] + space + rank
            path[at] = new
        return tuple(path)

    def _outermost(self, paths: Iterable[Path]) -> list[Path]:
        """The elements that appeared or disappeared, without those inside them."""
        every = list(paths)
        known = set(every)
        return [path for path in every if not any(path[:end] in known for end in range(2, len(path), 2))]

    def _elsewhere(self, path: Path, come: Collection[Path]) -> Path | None:
        """Where an id that disappeared as one kind appears as another: `motif` was a question, is a state."""
        if path[0] not in KEPT or len(path) != 2:
            return None
        return next((one for one in come if one[0] in KEPT and len(one) == 2 and one[1] == path[1]), None)

    # -- one change ----------------------------------------------------------------------------------------------------

    def _changed(self, old: Element, new: Element) -> Iterator[Change]:
        for facet in dict.fromkeys([*old.facets, *new.facets]):
            before, after = old.facets.get(facet), new.facets.get(facet)
            if self._same(facet, before, after):
                continue
            weight = weigh(FacetPair(old, new, facet, before, after, self.around))
            yield Change(
                kind="changed",
                path=new.path,
                key=facet,
                at=new.at,
                label=new.label,
                before=before,
                after=after,
                impact=weight.impact,
                code=_code(weight),
                facts=self._facts(weight, old, facet),
                where_before=_place(before, old),
                where_after=_place(after, new),
            )

    def _same(self, facet: str, before: Any, after: Any) -> bool:
        if facet == "order":
            then = [self.then.name(one) for one in before or ()]
            now = list(after or ())
            return [one for one in then if one in now] == [one for one in now if one in then]
        return self.then.of(facet, before) == self.now.of(facet, after)

    def _added(self, element: Element) -> Change:
        weight = weigh_added(element, self.around)
        facts = self._facts(weight, element, "")
        if element.noun in ("questions", "evidence") and weight.impact != "safe" and self.counts.drafts:
            facts = MappingProxyType({**facts, "drafts": self.counts.drafts})
        return Change(
            kind="added", path=element.path, at=element.at, label=element.label, after=element, impact=weight.impact,
            code=_code(weight), facts=facts, where_after=element.where,
        )  # fmt: skip

    def _removed(self, element: Element, come: Collection[Path]) -> Change:
        weight = weigh_removed(element, self.around)
        facts = {**self._facts(weight, element, ""), **self._uses(element)}
        code = _code(weight)
        if element.kept and element.noun != "options" and not self._is_declared(element):
            weight, code = replace(weight, impact="breaking"), "R801"
            near = self._near(element, come)
            facts |= {"near": near} if near else {}
        elif element.noun == "states" and facts.get("standing"):
            weight, code = replace(weight, impact="breaking"), "R804"
        return Change(
            kind="removed", path=element.path, at=element.at, label=element.label, before=element,
            impact=weight.impact, code=code, facts=MappingProxyType(facts), where_before=element.where,
        )  # fmt: skip

    def _merged(self, element: Element, into: Path) -> Change:
        facts: dict[str, Fact] = {"feel": "merged", "into": into[-1], **self._counted(element, "")}
        return Change(
            kind="removed", path=element.path, at=element.at, label=element.label, before=element, impact="safe",
            facts=MappingProxyType(facts), where_before=element.where, where_after=self.new[into].where,
        )  # fmt: skip

    def _reused(self, old: Element, new: Element) -> Change:
        facts = {"feel": "key_reused", **self._counted(old, "")}
        return Change(
            kind="changed", path=new.path, key="kind", at=new.at, label=new.label, before=old.section,
            after=new.section, impact="breaking", code="R804", facts=MappingProxyType(facts), where_before=old.where,
            where_after=new.where,
        )  # fmt: skip

    def _is_declared(self, element: Element) -> bool:
        """Return whether an element was dropped on purpose (`null`). A line to an unknown name does not count."""
        return element.at in self.declared and self.declared[element.at] is None

    def _near(self, element: Element, come: Collection[Path]) -> tuple[str, ...]:
        """New ids of the same kind that may be the new name of an element. They are proposed, never assumed."""
        new = [self.new[path] for path in come if path[0] == element.section and len(path) == len(element.path)]
        same = [one.at for one in new if one.label and one.label == element.label]
        return tuple(dict.fromkeys([*same, *close_names(element.at, [one.at for one in new])]))[:3]

    # -- facts ---------------------------------------------------------------------------------------------------------

    def _facts(self, weight: ImpactDetail, element: Element, facet: str) -> Mapping[str, Fact]:
        felt: dict[str, Fact] = {"feel": weight.feel} if weight.feel else {}
        return MappingProxyType({**felt, **weight.facts, **self._counted(element, facet)})

    def _counted(self, element: Element, facet: str) -> dict[str, Fact]:
        """The running dossiers concerned, when the snapshot has them. `element` is of the earlier edition."""
        counts, name = self.counts, element.path[1] if len(element.path) > 1 else ""
        found: dict[str, Count] = {}
        if element.section in ("questions", "evidence", "eligibility") and facet in ("", "type", "kind"):
            found["answered"] = counts.answers.get(element.at, 0)
        elif element.section == "states" and facet not in ("label", "help"):
            found["standing"] = counts.states.get(name, 0)
        elif element.section == "fees" and facet not in ("label", "basis", "methods"):
            found["priced"] = counts.fees.get(name, 0)
        elif element.section == "appointments" and facet not in ("label", "basis"):
            found["booked"] = counts.bookings.get(name, 0)
        return {key: count for key, count in found.items() if count}

    def _uses(self, element: Element) -> dict[str, Fact]:
        """The documents, messages and fees of the earlier edition that used the missing element."""
        if element.section not in ("questions", "evidence", "eligibility") or len(element.path) != 2:
            return {}
        names = tuple(dict.fromkeys(_users(self.before, element.path[1])))
        return {"used_by": names} if names else {}

    # -- workflow and migration ----------------------------------------------------------------------------------------

    def _cut_off(self) -> Iterator[Change]:
        """States from which a granted end, or any end, is no longer reachable: the place of the cut."""
        for wanted, feel in ((frozenset({"granted"}), "no_more_grant"), (frozenset(), "no_more_end")):
            could = {self.moves.get(one, one) for one in _leading(self.before, wanted)}
            can = _leading(self.after, wanted)
            lost = {one for one in could - can if one in self.after.states and not self.after.states[one].is_end}
            follows = successors(self.after)
            for name in sorted(lost):
                if lost & set(follows[name]) - {name}:
                    continue  # the cut is further on
                element = self.new[("states", name)]
                facts: dict[str, Fact] = {"feel": feel, **self._counted(element, "")}
                yield Change(
                    kind="changed", path=element.path, key="leads_to", at=element.at, label=element.label,
                    impact="breaking", code="R804", facts=MappingProxyType(facts), where_after=element.where,
                )  # fmt: skip
            if lost:
                return

    def _lost_moves(self) -> Iterator[Change]:
        """Lines of `migrate` that lead to a name which does not exist."""
        known = {one.at for one in self.new.values()} | {one.path[-1] for one in self.new.values() if len(one.path) > 1}
        for old, new in self.declared.items():
            if new is not None and new not in known:
                facts: dict[str, Fact] = {"name": new, "near": close_names(new, self.after.things)}
                yield Change(
                    kind="changed", path=("migrate", old), key="to", at=old, label=Text.of(old), before=old, after=new,
                    impact="breaking", code="R802", facts=MappingProxyType(facts),
                )  # fmt: skip


def _code(weight: ImpactDetail) -> str:
    return "R804" if weight.impact == "breaking" else ""


def _place(value: object, element: Element) -> Position:
    """The position of the facet itself, when known, else that of its element."""
    if isinstance(value, Expression) and value.where.file:
        return value.where
    return element.where


def _followed(declared: Mapping[str, str | None], before: Procedure) -> Mapping[str, str]:
    """The renames to follow. An expression in rows names a column alone, so its rename is known alone too."""
    found = {old: new for old, new in declared.items() if new is not None and new != old}
    for old, new in tuple(found.items()):
        rows, dot, column = old.partition(".")
        asked = before.fields.get(rows)
        if dot and asked is not None and asked.rows and column not in before.things:
            found.setdefault(column, new.rpartition(".")[2])
    return MappingProxyType(found)


def _leading(procedure: Procedure, outcomes: Collection[str]) -> frozenset[str]:
    """The states from which such an end can be reached (any end when none is named)."""
    follows = successors(procedure)
    ends = {one.id for one in procedure.states.values() if one.is_end and (not outcomes or one.outcome in outcomes)}
    return frozenset(name for name in procedure.states if closure([name], follows) & ends)


def _users(procedure: Procedure, name: str) -> Iterator[str]:
    for output in procedure.outputs.values():
        if name in output.shows or name in output.register or _prints(output.body, name):
            yield output.id
    for notice in procedure.notices:
        if any(_prints(one, name) for one in (notice.sms, notice.email_subject, notice.email_body, notice.inbox)):
            yield notice.event
    for task in procedure.tasks.values():
        if isinstance(task, Fee) and any(
            one is not None and name in one.names for line in task.lines for one in (line.amount, line.times, line.when)
        ):
            yield task.id


def _prints(template: Template | None, name: str) -> bool:
    return template is not None and name in template.names


# -- accepted breaks ---------------------------------------------------------------------------------------------------


def _accepted(changes: Iterable[Change], before: Procedure, after: Procedure, day: date | None) -> Iterator[Change]:
    """The changes, with accepted breaks marked by their reason, then the `accept` lines without effect."""
    ours = [one for one in after.accept if one.id in ("R801", "R804")]
    valid = [
        one
        for one in ours
        if one.edition in (None, after.edition) and (one.until is None or day is None or day <= one.until)
    ]
    used: set[tuple[str, str]] = set()
    for change in changes:
        reason = next(
            (one for one in valid if one.id == change.code and one.at in (change.at, f"{change.at}.{change.key}")), None
        )
        if reason is not None:
            used.add((reason.id, reason.at))
        yield replace(change, accepted=reason)
    for one in ours if before.fingerprint != after.fingerprint else ():
        if (one.id, one.at) not in used:
            facts: dict[str, Fact] = {"name": one.id, "at": one.at}
            yield Change(
                kind="changed", path=("accept", f"{one.id} {one.at}"), key="unused", at=one.at, label=Text.of(one.at),
                impact="review", code="R803", facts=MappingProxyType(facts), where_after=one.where,
            )  # fmt: skip
