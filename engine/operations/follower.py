"""A procedure is published by a commit: the branch is looked at, its newest commit goes through the gates, and what the
store then says is served by every process.

One process at a time looks (a lock in the data folder); all learn of a decision from the store, by one number. A commit
passes whole or not at all. Nothing here raises for what a repository may hold, nor for one that does not answer: the
editions in force stay, the reason is kept where people see it, and it is tried again, less and less often.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Final

from engine.core.clock import local_day
from engine.core.problems import Problem, Refusal, Refused, refusal
from engine.core.values import Plain
from engine.domain.common.text_provider import Wording
from engine.language.catalogue.catalogue import Catalogue, load_catalogue
from engine.language.compiler.shared_files import Shared
from engine.model import Procedure
from engine.publication.gates import (
    FILES,
    HISTORY,
    MOST_REPORTED,
    SIGNATURE,
    CandidateEdition,
    FileNames,
    Judge,
    examine,
    plain_facts,
    shut,
)
from engine.publication.git import commit_at, origin_of, root_of, text_at
from engine.publication.mirror import Mirror
from engine.publication.publications import FOLDER, Decided, OriginOf, arranged, candidates, decide, decided, gone
from engine.publication.signed_history import GOOD
from engine.records.publications import FollowingState, Gate, GateFinding, Origin, Publication
from engine.services.context.app_context import AppContext, publish_editions
from engine.simulation.scenarios import play
from engine.storage.unit_of_work import Busy, Conflict, Damaged, Store

log = logging.getLogger("guichet")

LOCAL_EVERY: Final = timedelta(seconds=1)  # between two looks at a repository on this machine
REMOTE_EVERY: Final = timedelta(seconds=30)
AT_MOST: Final = timedelta(minutes=10)  # between two tries, however long it has not answered
WAIT_LIMIT: Final = (
    150.0  # seconds that somebody who asks waits for a process that is looking: longer than a fetch may last
)
_AGAIN: Final = 0.05
INDEX: Final = "shelf.index"  # in the data folder: what the files said when they were last read
_FORGED: Final = "B"


def stories_of(wording: Wording) -> Callable[[Procedure, Shared], Iterable[Problem]]:
    """Plays the stories of a procedure alone, for the gates."""

    def failures(procedure: Procedure, shared: Shared) -> Iterator[Problem]:
        catalogue = Catalogue.of([procedure], shared)
        outcomes = (play(procedure, catalogue, wording, one) for one in procedure.scenarios)
        return (one.failure for one in outcomes if one.failure is not None)

    return failures


# -- a folder of the installation --------------------------------------------------------------------------------------


def origins_in(folder: Path) -> OriginOf:
    """Tells the commit and the people behind the files of a folder, as far as a repository around it says: a file that
    is not as its commit says comes from nobody."""

    def origin_of_files(placed: Sequence[Procedure]) -> tuple[Origin, Mapping[str, Origin]]:
        try:
            root = root_of(folder)
            head = commit_at(root, "HEAD")
            within = PurePosixPath(folder.resolve().relative_to(root).as_posix())
            each = {}
            for one in placed:
                name = str(within / f"{one.id}.yaml")
                if text_at(root, head, name) == one.source.encode():
                    each[one.id] = origin_of(root, head, FOLDER.source, file=name)
        except Refused:
            return FOLDER, {}
        whole = set(each) == {one.id for one in placed}
        return (origin_of(root, head, FOLDER.source) if whole else FOLDER), each

    return origin_of_files


def renew(ctx: AppContext, judge: Judge | None = None) -> AppContext:
    """The office with the files of its folder as they are on disk now, with what another process decided, and on the day
    it is; itself when nothing changed. A file that became wrong leaves its last good edition in service, with a warning."""
    catalogue = ctx.catalogue.refresh()
    if catalogue is ctx.catalogue and ctx.published and _last(ctx.store) == ctx.published:
        return _on_this_day(ctx)
    origins = origins_in(catalogue.folder) if catalogue.folder is not None else None
    after = publish_editions(replace(ctx, catalogue=catalogue), judge, origins)
    _report_refused(ctx.catalogue, after.catalogue)
    return after


def _report_refused(before: Catalogue, after: Catalogue) -> None:
    """For whoever watches the log while files are saved: what is refused since, why and where; what is mended."""
    for name, report in after.warnings.items():
        if (first := next(iter(report.errors), None)) and before.warnings.get(name) != report:
            left = "what was in force stays" if name in after.procedures else "nothing of it is in force"
            reported = _line(plain_facts(first.facts))
            log.warning("%s refused, %s: %s %s %s (guichet lint)", name, left, first.code, first.where, reported)
    for name in before.warnings.keys() & after.procedures.keys() - after.warnings.keys():
        log.info("%s accepted again", name)


def _on_this_day(ctx: AppContext) -> AppContext:
    catalogue = ctx.catalogue.on(ctx.day())
    return ctx if catalogue is ctx.catalogue else replace(ctx, catalogue=catalogue)


def _last(store: Store) -> int:
    with store.unit() as unit:
        return unit.last_publication()


# -- a repository ------------------------------------------------------------------------------------------------------


class Follower:
    """Follows one branch for one process. `look` may decide; `serve` gives the office that serves what was decided. `tell` hears
    why the repository does not answer, once each time the reason changes."""

    def __init__(
        self, mirror: Mirror, judge: Judge, data: Path, every: timedelta | None = None,
        report: Callable[[Refusal], None] = lambda reason: None,
    ) -> None:  # fmt: skip
        self.mirror, self.judge = mirror, judge
        self._report, self._heard = report, ""
        self.every = every or (LOCAL_EVERY if mirror.followed.is_local else REMOTE_EVERY)
        self._lock, self._index = data / "following.lock", data / INDEX
        self._next: datetime | None = None
        self._seen = ""  # the last commit this process looked at, whatever became of it
        self._read: Catalogue | None = None  # the files of the last commit it judged

    @property
    def source(self) -> str:
        return self.mirror.followed.source

    def renew(self, ctx: AppContext) -> AppContext:
        """Looks at the branch when it is time to, then serves what was decided, by this process or another."""
        if self._is_time(ctx.now()):
            self.look(ctx)
        return self.serve(ctx)

    def _is_time(self, now: datetime) -> bool:
        """A time further off than any wait was set by a clock that has been put back since."""
        return self._next is None or now >= self._next or self._next - now > max(self.every, AT_MOST)

    # -- looking

    def look(self, ctx: AppContext) -> None:
        """One look at the branch, unless another process is looking."""
        self._next = ctx.now() + self.every
        with _alone(self._lock) as mine:
            if not mine:
                return
            try:
                self._look(ctx)
            except Refused as refused:
                self._troubled(ctx, refused.reason)
            except Conflict:
                self._next = ctx.now()  # something else was decided meanwhile: look again

    def _look(self, ctx: AppContext) -> None:
        head = self.mirror.fetch()
        self._well(ctx, head)
        published = self._published(ctx.store)
        if head == self._seen or (published is not None and published.origin.commit == head):
            return
        if published is None or not self._says_the_same(published.origin.commit, head):
            self.judge_commit(ctx, head)
        self._seen = head

    def publish_head(self, ctx: AppContext, *, rewritten: bool = False) -> Publication | None:
        """The newest commit, now, because somebody asks for it; None when it is published already. Waits its turn while
        another process looks. Raises Refused, and `Busy` when that process does not end."""
        with _alone(self._lock, WAIT_LIMIT) as mine:
            if not mine:
                raise Busy(self._lock.name)
            head = self.mirror.fetch()
            published = self._published(ctx.store)
            if published is not None and published.origin.commit == head:
                return None
            return self.judge_commit(ctx, head, rewritten=rewritten)

    def _says_the_same(self, published: str, head: str) -> bool:
        return self.mirror.follows(published, head) and self.mirror.same(published, head)

    def _published(self, store: Store) -> Publication | None:
        """The last commit of this repository that was published."""
        with store.unit() as unit:
            reported = unit.publications()
        ours = (one for one in reversed(reported) if one.outcome == "published" and one.origin.source == self.source)
        return next(ours, None)

    # -- deciding

    def judge_commit(self, ctx: AppContext, commit: str, *, rewritten: bool = False) -> Publication:
        """Takes a commit through the gates and keeps what comes of it. `rewritten`: somebody answers for a branch whose
        past was changed. Raises `Conflict`."""
        now, origin = ctx.now(), self.mirror.origin(commit)
        published = self._published(ctx.store)
        outside = list(self._outside(commit, origin, published, rewritten))
        if outside:
            return self._refuse(ctx, origin, outside)
        try:
            self._read = catalogue = load_catalogue(self.mirror.laid_out(commit), self._index)
            known = decided(ctx.store, catalogue.procedures)
            found = candidates(catalogue, known, now)
            gates = examine(
                arranged(catalogue, known, {}, now),
                found,
                self.judge,
                local_day(now),
                FileNames(self.mirror.place, _text),
            )
        except Refused as refused:
            return self._refuse(ctx, origin, [shut(FILES, refused.reason)])
        except (Busy, Damaged):
            raise
        except Exception as fault:  # a fault of ours that a text brought out: that text is not published
            log.exception("judging %s", commit[:12])
            return self._refuse(ctx, origin, [shut(FILES, refusal("gate_failed", reason=type(fault).__name__))])
        if not all(one.passed for one in gates):
            return self._refuse(ctx, origin, gates)
        return self._publish(ctx, known, catalogue, origin, found, published, gates)

    def _outside(self, commit: str, origin: Origin, published: Publication | None, rewritten: bool) -> Iterator[Gate]:
        """What is wrong with a commit before its files are opened."""
        before = published.origin.commit if published is not None else ""
        if before and not rewritten and not self.mirror.follows(before, commit):
            at = published.at.isoformat() if published is not None else ""
            yield shut(HISTORY, refusal("git_rewritten", commit=before[:7], at=at, reference=commit[:7]))
        if origin.signature == _FORGED:
            yield shut(SIGNATURE, refusal("git_forged", commit=commit[:7], name=origin.author))
        elif self.mirror.followed.signed and origin.signature != GOOD:
            yield shut(SIGNATURE, refusal("git_unsigned", commit=commit[:7], name=origin.author))
        elif self.mirror.followed.signed and before and self.mirror.has(before):
            yield from self._unsigned(before, commit)

    def _unsigned(self, before: str, commit: str) -> Iterator[Gate]:
        """The commits since the last publication that changed what is published and that no allowed signer signed."""
        try:
            found = list(self.mirror.unsigned(before, commit))
        except Refused as refused:
            yield shut(SIGNATURE, refused.reason)
            return
        if found:
            reported = tuple(
                GateFinding(
                    "git_unsigned_change", facts={"commit": one.commit[:7], "name": one.author, "file": one.file}
                )
                for one in found[:MOST_REPORTED]
            )
            yield Gate(SIGNATURE, False, reported, max(0, len(found) - MOST_REPORTED))

    def _publish(
        self, ctx: AppContext, known: Decided, catalogue: Catalogue, origin: Origin, found: list[CandidateEdition],
        published: Publication | None, gates: Iterable[Gate],
    ) -> Publication:  # fmt: skip
        before = published.origin.commit if published is not None else ""
        each = {one.procedure.id: self.mirror.origin(origin.commit, one.procedure.id, before) for one in found}
        self.mirror.keep(origin.commit)
        with ctx.store.unit(write=True) as unit:
            reported = decide(
                unit, known.n, ctx.now(), "published", origin, [one.procedure for one in found], each=each,
                removed=gone(catalogue, known), gates=tuple(gates),
            )  # fmt: skip
        self.mirror.forget({origin.commit, before})
        log.info("published %s: %s", origin.commit[:12], ", ".join(one.procedure for one in reported.placed) or "-")
        return reported

    def _refuse(self, ctx: AppContext, origin: Origin, gates: Iterable[Gate]) -> Publication:
        """Keeps why, once: the same reasons for the same commit are not told again."""
        with ctx.store.unit(write=True) as unit:
            [last] = unit.recent_publications(1) or (None,)
            if last is not None and (last.outcome, last.origin, last.gates) == ("refused", origin, tuple(gates)):
                return last
            reported = decide(unit, unit.last_publication(), ctx.now(), "refused", origin, gates=tuple(gates))
        log.warning("not published %s: %s", origin.commit[:12], "; ".join(_reasons(reported.gates)))
        return reported

    # -- how following goes

    def _well(self, ctx: AppContext, head: str) -> None:
        self._heard = ""
        known = self._watch(ctx.store)
        if known is None or known.trouble or known.commit != head:
            self._put(ctx.store, FollowingState(self.source, ctx.now(), head))

    def _troubled(self, ctx: AppContext, reason: Refusal) -> None:
        known, now = self._watch(ctx.store), ctx.now()
        tries = known.tries + 1 if known is not None else 1
        since = known.since if known is not None and known.trouble else now
        facts = plain_facts(reason.facts)
        self._put(
            ctx.store,
            FollowingState(self.source, now, known.commit if known else "", reason.code, facts, since, tries),
        )
        self._next = now + min(self.every * 2 ** min(tries, 20), AT_MOST)
        log.warning("the followed repository: %s %s", reason.code, _line(facts))
        if reason.code != self._heard:
            self._heard = reason.code
            self._report(reason)

    def _watch(self, store: Store) -> FollowingState | None:
        with store.unit() as unit:
            return unit.watch(self.source)

    def _put(self, store: Store, watch: FollowingState) -> None:
        with store.unit(write=True) as unit:
            unit.put_watch(watch)

    # -- serving

    def serve(self, ctx: AppContext) -> AppContext:
        """The office that serves what the store says was decided; itself when it does."""
        if ctx.published == _last(ctx.store) and ctx.published:
            return _on_this_day(ctx)
        published = self._published(ctx.store)
        if published is None:
            return ctx
        try:
            folder = self.mirror.laid_out(published.origin.commit)
        except Refused as refused:  # the copy was lost: what is at hand goes on being served
            self._troubled(ctx, refused.reason)
            return ctx
        at_hand = (one for one in (self._read, ctx.catalogue) if one is not None and one.folder == folder)
        catalogue = next(at_hand, None) or load_catalogue(folder, self._index)
        self._read = None
        known = decided(ctx.store, catalogue.procedures)
        return replace(ctx, catalogue=arranged(catalogue, known, {}, ctx.now()), published=known.n)


def _reasons(gates: Iterable[Gate]) -> Iterator[str]:
    """For the log: each gate that is shut, with the first of what it found and where."""
    for gate in gates:
        for found in gate.found[:1]:
            where = f"{found.file}:{found.line}:{found.column}" if found.file else ""
            yield " ".join(filter(None, (gate.name, found.code, where, _line(found.facts))))


def _line(facts: Mapping[str, Plain]) -> str:
    return " ".join(f"{name}={json.dumps(fact, ensure_ascii=False)}" for name, fact in facts.items() if fact)


@contextmanager
def _alone(path: Path, wait_limit: float = 0.0) -> Iterator[bool]:
    """Whether this process is the only one here, within some seconds; it is let go when the process dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    until = time.monotonic() + wait_limit
    try:
        while not (mine := _taken(handle)) and time.monotonic() < until:
            time.sleep(_AGAIN)
        yield mine
    finally:
        os.close(handle)


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _text(file: str) -> str:
    try:
        return Path(file).read_text("utf-8", "replace")
    except OSError:
        return ""


# -- what people are told ----------------------------------------------------------------------------------------------


def waiting(store: Store, source: str) -> tuple[Publication | None, FollowingState | None]:
    """The commit that could not be published, if the last one could not; and why the repository does not answer, if it
    does not."""
    with store.unit() as unit:
        last, watch = unit.recent_publications(1), unit.watch(source)
    refused = last[0] if last and last[0].outcome == "refused" else None
    return refused, watch if watch is not None and watch.trouble else None
