"""Publication by commit.

The follower reads a branch, its newest commit passes the gates, and all processes serve it. One process at a
time looks (a lock in the data folder). All learn of a decision by one number in the store. A commit passes
whole or not at all. No content of a repository raises an error, nor does one that gives no answer. The
editions in force stay, the reason is stored for display, and tries continue, less and less often.
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
from engine.publication.dry_run import file_text
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
from engine.simulation.player import play
from engine.storage.results import Busy, Conflict, Damaged
from engine.storage.unit_of_work import Store

log = logging.getLogger("guichet")

LOCAL_EVERY: Final = timedelta(seconds=1)  # between two looks at a repository on this machine
REMOTE_EVERY: Final = timedelta(seconds=30)
AT_MOST: Final = timedelta(minutes=10)  # between two tries, whatever the time without answer
WAIT_LIMIT: Final = 150.0  # seconds that a caller waits for a process that is looking: longer than a fetch may last
_AGAIN: Final = 0.05
INDEX: Final = "shelf.index"  # in the data folder: the content of the files at the last reading
_FORGED: Final = "B"


def stories_of(wording: Wording) -> Callable[[Procedure, Shared], Iterable[Problem]]:
    """Return the gate that plays the scenarios of a procedure alone and yields their failures."""

    def failures(procedure: Procedure, shared: Shared) -> Iterator[Problem]:
        catalogue = Catalogue.of([procedure], shared)
        outcomes = (play(procedure, catalogue, wording, one) for one in procedure.scenarios)
        return (one.failure for one in outcomes if one.failure is not None)

    return failures


# -- a folder of the installation --------------------------------------------------------------------------------------


def origins_in(folder: Path) -> OriginOf:
    """Return a function that finds the commit and authors behind the files of a folder.

    A file that differs from its commit has no origin.
    """

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
    """Return the context with the present files, decisions of other processes, and today's date.

    The same context if nothing changed. A file that became invalid leaves its last valid edition in
    force, with a warning.
    """
    catalogue = ctx.catalogue.refresh()
    if catalogue is ctx.catalogue and ctx.published and _last(ctx.store) == ctx.published:
        return _on_this_day(ctx)
    origins = origins_in(catalogue.folder) if catalogue.folder is not None else None
    after = publish_editions(replace(ctx, catalogue=catalogue), judge, origins)
    _report_refused(ctx.catalogue, after.catalogue)
    return after


def _report_refused(before: Catalogue, after: Catalogue) -> None:
    """Log what is refused since, why and where, and what is accepted again."""
    for name, report in after.warnings.items():
        if (first := next(iter(report.errors), None)) and before.warnings.get(name) != report:
            left = "what was in force stays" if name in after.procedures else "nothing of it is in force"
            reported = _line(plain_facts(first.facts))
            log.warning(
                "%s refused, %s: %s %s %s (guichet explain %s)",
                name,
                left,
                first.code,
                first.where,
                reported,
                first.code,
            )
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
    """Follows one branch for one process.

    `look` may publish; `serve` returns the context with what was published. `report` is called with the
    reason when the repository stops answering, once for each reason.
    """

    def __init__(
        self, mirror: Mirror, judge: Judge, data: Path, every: timedelta | None = None,
        report: Callable[[Refusal], None] = lambda reason: None,
    ) -> None:  # fmt: skip
        self.mirror, self.judge = mirror, judge
        self._report, self._heard = report, ""
        self.every = every or (LOCAL_EVERY if mirror.followed.is_local else REMOTE_EVERY)
        self._lock, self._index = data / "following.lock", data / INDEX
        self._next: datetime | None = None
        self._seen = ""  # the last commit this process looked at, whatever the result
        self._read: Catalogue | None = None  # the files of the last commit it checked

    @property
    def source(self) -> str:
        """The address of the followed repository, as publications record it."""
        return self.mirror.followed.source

    def renew(self, ctx: AppContext) -> AppContext:
        """Look at the branch when it is due, then return the context with what was published by any process."""
        if self._is_time(ctx.now()):
            self.look(ctx)
        return self.serve(ctx)

    def _is_time(self, now: datetime) -> bool:
        """Return whether a look is due. A time beyond any pause was set by a clock that has been put back."""
        return self._next is None or now >= self._next or self._next - now > max(self.every, AT_MOST)

    # -- looking

    def look(self, ctx: AppContext) -> None:
        """Look at the branch once, unless another process is looking. Trouble is stored and logged."""
        self._next = ctx.now() + self.every
        with _alone(self._lock) as mine:
            if not mine:
                return
            try:
                self._look(ctx)
            except Refused as refused:
                self._troubled(ctx, refused.reason)
            except Conflict:
                self._next = ctx.now()  # another decision was made meanwhile: look again

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
        """Publish the newest commit on request; None when it is published already.

        Waits while another process looks. Raises Refused, `Conflict`; `Busy` when that process does not
        end.
        """
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
        """Return the last published commit of this repository, None without one."""
        with store.unit() as unit:
            reported = unit.publications()
        ours = (one for one in reversed(reported) if one.outcome == "published" and one.origin.source == self.source)
        return next(ours, None)

    # -- deciding

    def judge_commit(self, ctx: AppContext, commit: str, *, rewritten: bool = False) -> Publication:
        """Take a commit through the gates and save the decision.

        `rewritten`: a person accepts a branch whose history was changed. Raises `Conflict`.
        """
        now, origin = ctx.now(), self.mirror.origin(commit)
        published = self._published(ctx.store)
        outside = list(self._outside(commit, origin, published, rewritten))
        if outside:
            return self._refuse(ctx, origin, outside)
        try:
            self._read = catalogue = load_catalogue(self.mirror.laid_out(commit), self._index)
            known = decided(ctx.store, (*catalogue.procedures, *catalogue.warnings))
            found = candidates(catalogue, known, now)
            gates = examine(
                arranged(catalogue, known, {}, now),
                found,
                self.judge,
                local_day(now),
                FileNames(self.mirror.place, file_text),
            )
        except Refused as refused:
            return self._refuse(ctx, origin, [shut(FILES, refused.reason)])
        except (Busy, Damaged):
            raise
        except Exception as fault:  # an error in this code, caused by a text: that text is not published
            log.exception("judging %s", commit[:12])
            return self._refuse(ctx, origin, [shut(FILES, refusal("gate_failed", reason=type(fault).__name__))])
        if not all(one.passed for one in gates):
            return self._refuse(ctx, origin, gates)
        return self._publish(ctx, known, catalogue, origin, found, published, gates)

    def _outside(self, commit: str, origin: Origin, published: Publication | None, rewritten: bool) -> Iterator[Gate]:
        """Yield the closed gates of a commit before its files are opened."""
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
        """Report unsigned commits since the last publication that changed published files."""
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
        """Save why a commit is refused, once: the same reasons are not saved again."""
        with ctx.store.unit(write=True) as unit:
            [last] = unit.recent_publications(1) or (None,)
            if last is not None and (last.outcome, last.origin, last.gates) == ("refused", origin, tuple(gates)):
                return last
            reported = decide(unit, unit.last_publication(), ctx.now(), "refused", origin, gates=tuple(gates))
        log.warning("not published %s: %s", origin.commit[:12], "; ".join(_reasons(reported.gates)))
        return reported

    # -- state of the follower

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
            ctx.store, FollowingState(self.source, now, known.commit if known else "", reason.code, facts, since, tries)
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
        """Return the context with the publications in the store; the same context if it has them."""
        if ctx.published == _last(ctx.store) and ctx.published:
            return _on_this_day(ctx)
        published = self._published(ctx.store)
        if published is None:
            return ctx
        try:
            folder = self.mirror.laid_out(published.origin.commit)
        except Refused as refused:  # the copy was lost: the present catalogue stays in use
            self._troubled(ctx, refused.reason)
            return ctx
        loaded = (one for one in (self._read, ctx.catalogue) if one is not None and one.folder == folder)
        catalogue = next(loaded, None) or load_catalogue(folder, self._index)
        self._read = None
        known = decided(ctx.store, (*catalogue.procedures, *catalogue.warnings))
        return replace(ctx, catalogue=arranged(catalogue, known, {}, ctx.now()), published=known.n)


def _reasons(gates: Iterable[Gate]) -> Iterator[str]:
    """Yield for the log each closed gate with the first finding and its place."""
    for gate in gates:
        for found in gate.found[:1]:
            where = f"{found.file}:{found.line}:{found.column}" if found.file else ""
            yield " ".join(filter(None, (gate.name, found.code, where, _line(found.facts))))


def _line(facts: Mapping[str, Plain]) -> str:
    return " ".join(f"{name}={json.dumps(fact, ensure_ascii=False)}" for name, fact in facts.items() if fact)


@contextmanager
def _alone(path: Path, wait_limit: float = 0.0) -> Iterator[bool]:
    """Take the lock of a file within some seconds; yield whether it was taken. It ends with the process."""
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


# -- state for display -------------------------------------------------------------------------------------------------


def waiting(store: Store, source: str) -> tuple[Publication | None, FollowingState | None]:
    """Return the last commit if it was refused, and the state of a repository that does not answer.

    None for each otherwise.
    """
    with store.unit() as unit:
        last, watch = unit.recent_publications(1), unit.watch(source)
    refused = last[0] if last and last[0].outcome == "refused" else None
    return refused, watch if watch is not None and watch.trouble else None
