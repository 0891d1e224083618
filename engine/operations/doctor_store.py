"""The checks of `guichet doctor` on the database, what waits in it, the editions in force and their repository."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from engine.core.problems import Refusal, Refused
from engine.domain.common.sms_policy import SmsPolicy
from engine.journal.leaves import Tree
from engine.operations.follower import waiting
from engine.operations.installation_probe import DoctorCheck, InstallationProbe, Level
from engine.publication.mirror import Followed
from engine.publication.publications import decided
from engine.records.statistics import MigrationState, Queues
from engine.services.core.call_queue import LOST, last_beat
from engine.services.limits.code_limits import new_numbers
from engine.services.worker.clock_watch import PROOF, ClockWatch, clock_seen
from engine.storage.results import Busy, Damaged, Unreachable
from engine.storage.schema.migration_list import READ_ONLY, WrongEncoding
from engine.storage.unit_of_work import Store

DISTRUSTED: Final = "git_distrusted"
_LATE_LETTERS: Final = 600.0  # seconds
_LATE_TIMERS: Final = 300.0
_LATE_CHECKPOINT: Final = 300.0
_NEAR: Final = 0.8  # of a limit
_DRIFT: Final = (2.0, 30.0)
_OF_A_NETWORK: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "glusterfs", "ceph", "afs"}
)


def check_store(place: InstallationProbe, now: datetime) -> Iterator[DoctorCheck]:
    """Yield the checks of the database, of what waits in it, of the editions and their repository."""
    if place.file is not None:
        kind = _kind_of_disk(place.file)
        if kind in _OF_A_NETWORK:
            yield DoctorCheck("store", "store_on_network", "mend", {"kind": kind})
        try:
            there = place.file.is_file()
        except PermissionError as shut:
            yield _read_only(place.file, type(shut).__name__)
            return
        if not there:
            yield DoctorCheck("store", "store_missing", "mend", {"name": str(place.file)})
            return
    if place.unproven:
        yield DoctorCheck("store", "store_unproven", "watch", {"host": place.unproven})
    try:
        store = place.open_store()
        evaluated, said = store.migration_state(), store.settings()
        yield from _server(said)
        yield from _of_release(evaluated, said)
        yield _drift((evaluated.at - datetime.now(UTC)).total_seconds())
        if evaluated.pending or not evaluated.usable:
            return
        with store.unit() as unit:
            queues, tree, decided, beat = unit.queues(now), unit.tree(), unit.publications(), last_beat(unit, now)
            new, watched = new_numbers(place.sms, unit, now), clock_seen(unit)
        asked = _asked_registers(store)
    except (Unreachable, Busy, Damaged, WrongEncoding, RuntimeError) as failure:
        yield _failed(place, failure)
        return
    yield from _steps(watched)
    yield _worker(beat)
    yield from _queues(queues, tree, now)
    yield _new_numbers(place.sms, new)
    yield _editions(max((one.n for one in decided if one.stands), default=0))
    yield from _registers(place, asked)
    yield _around(place) if place.follow is None else _followed(place, place.follow, store)


def _failed(place: InstallationProbe, failure: Exception) -> DoctorCheck:
    """Return why the database cannot be read."""
    if isinstance(failure, Unreachable):
        facts = {"why": str(failure), "place": failure.place, "cause": failure.cause}
        return DoctorCheck("store", "store_unreachable", "mend", facts)
    if isinstance(failure, Busy):
        return _silent_store(place, str(failure))
    if isinstance(failure, Damaged):
        return DoctorCheck("store", "store_damaged", "mend", {"why": str(failure)})
    if isinstance(failure, WrongEncoding):
        return DoctorCheck("store", "store_encoding", "mend", {"encoding": str(failure)})
    return DoctorCheck("store", "store_unsafe", "mend", {"why": str(failure)})


def _editions(published: int) -> DoctorCheck:
    level: Level = "well" if published else "mend"
    return DoctorCheck("editions", "editions_well" if published else "editions_none", level, {"n": str(published)})


def _registers(place: InstallationProbe, asked: set[str]) -> Iterator[DoctorCheck]:
    if absent := sorted(name for name in asked if not place.has_register(name)):
        yield DoctorCheck("registers", "registers_missing", "mend", {"names": ", ".join(absent)})


def _server(said: Mapping[str, str]) -> Iterator[DoctorCheck]:
    """Check the database server: may it be written, does a committed act survive its loss, which role is used?"""
    if said.get("follows"):
        yield DoctorCheck("store", "store_follows", "mend")
    elif names := said.get("confirmed_by"):
        if not said.get("confirming"):
            yield DoctorCheck("store", "store_waits", "mend", {"names": names})
    elif said.get("copies"):
        yield DoctorCheck("store", "store_one_copy", "watch", {"count": said["copies"]})
    elif said.get("several"):
        yield DoctorCheck("store", "store_no_copy", "watch")
    if role := said.get("superuser"):
        yield DoctorCheck("store", "store_superuser", "watch", {"role": role})


def _asked_registers(store: Store) -> set[str]:
    """Return the registers that the editions in force query."""
    known = decided(store, ())
    found = set()
    for procedure, line in known.lines.items():
        for edition in filter(None, (known.text(procedure, one) for one in line.standing)):
            look_ups = json.loads(edition.expanded)["procedure"].get("look_ups", {})
            found |= {one["register"] for one in look_ups.values()}
    return found


def _silent_store(place: InstallationProbe, why: str) -> DoctorCheck:
    """Return the check of a store that does not answer. A file without write access is reported as read-only."""
    if place.file is not None and why.startswith(READ_ONLY):
        return _read_only(place.file, why)
    return DoctorCheck("store", "store_unreachable", "mend", {"why": why})


def _read_only(file: Path, why: str) -> DoctorCheck:
    return DoctorCheck("store", "store_read_only", "mend", {"name": str(file.parent), "why": why})


def _of_release(state: MigrationState, said: Mapping[str, str]) -> Iterator[DoctorCheck]:
    """Check that the migrations are those of this release. Opening the store has checked its settings."""
    if not state.usable:
        yield DoctorCheck("store", "store_of_another_release", "mend", {"names": ", ".join(state.strange)})
    elif state.untouched:
        yield DoctorCheck("store", "store_empty", "mend")
    elif state.pending:
        yield DoctorCheck("store", "migrations_pending", "mend", {"names": ", ".join(state.pending)})
    else:
        version = said.get("version") or said.get("server_version", "")
        yield DoctorCheck("store", "store_well", "well", {"kind": said["store"], "version": version})
        if state.strange:
            yield DoctorCheck("store", "store_of_next_release", "watch", {"names": ", ".join(state.strange)})
        if state.unfinished:
            yield DoctorCheck("store", "migrations_unfinished", "watch", {"names": ", ".join(state.unfinished)})


def _kind_of_disk(file: Path) -> str:
    """Return the kind of file system of a file, empty where the system does not say."""
    try:
        lines = [line.split() for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
    except OSError:
        return ""
    there = file.resolve()
    under = [(len(line[1]), line[2]) for line in lines if there.is_relative_to(line[1])]
    return max(under, default=(0, ""))[1]


def _drift(seconds: float) -> DoctorCheck:
    """Check the difference between the clocks of this machine and the store: both decide what is due."""
    watch, mend = _DRIFT
    level: Level = "mend" if abs(seconds) > mend else "watch" if abs(seconds) > watch else "well"
    return DoctorCheck(
        "clock", "clock_well" if level == "well" else "clock_drifts", level, {"seconds": f"{seconds:+z.1f}"}
    )


def _steps(watched: ClockWatch | None) -> Iterator[DoctorCheck]:
    """Report a step of the clock or a stopped worker: nothing is erased until the clock is trusted."""
    if watched is not None and watched.step and not watched.erases:
        until = (watched.since + PROOF).isoformat(timespec="minutes")
        facts = {"days": f"{watched.step / timedelta(days=1):+z.1f}", "until": until}
        yield DoctorCheck("clock", "clock_stepped" if watched.acts else "clock_stepped_far", "mend", facts)


def _worker(beat: tuple[str, timedelta] | None) -> DoctorCheck:
    """Check the heartbeat: without a worker no payment, message or due date is handled."""
    if beat is None:
        return DoctorCheck("worker", "worker_none", "mend")
    facts = {"host": beat[0], "seconds": f"{beat[1].total_seconds():.0f}"}
    return DoctorCheck("worker", *(("worker_well", "well") if beat[1] < LOST else ("worker_lost", "mend")), facts)


def _queues(queues: Queues, tree: Tree | None, now: datetime) -> Iterator[DoctorCheck]:
    def age(since: datetime | None) -> float:
        return (now - since).total_seconds() if since else 0.0

    found = []
    letters, timers = age(queues.letters.since), age(queues.timers.since)
    if timers > _LATE_TIMERS:
        found.append(
            DoctorCheck(
                "queues", "timers_late", "mend", {"count": str(queues.timers.count), "minutes": f"{timers / 60:.0f}"}
            )
        )
    if letters > _LATE_LETTERS:
        facts = {"count": str(queues.letters.count), "minutes": f"{letters / 60:.0f}"}
        found.append(DoctorCheck("queues", "letters_late", "watch", facts))
    if unknown := queues.payments.get("unknown", 0):
        found.append(DoctorCheck("queues", "payments_unknown", "watch", {"count": str(unknown)}))
    yield from found or [DoctorCheck("queues", "queues_well", "well")]
    signed = age(tree.at) if tree else None
    if signed is None or signed > _LATE_CHECKPOINT:
        yield DoctorCheck("checkpoints", "checkpoint_late" if tree else "checkpoint_none", "watch",
                    {"minutes": f"{(signed or 0) / 60:.0f}"})  # fmt: skip
    else:
        yield DoctorCheck("checkpoints", "checkpoint_well", "well", {"seconds": f"{signed:.0f}"})


def _new_numbers(policy: SmsPolicy, reported: Mapping[str, tuple[int, int]]) -> DoctorCheck:
    """Check codes to new numbers: near the hourly limit, SMS fraud is likely."""
    near = [country for country, (n, most) in reported.items() if n >= most * _NEAR]
    if near:
        counts = ", ".join(f"{country} {reported[country][0]}/{reported[country][1]}" for country in near)
        return DoctorCheck("codes", "codes_many", "watch", {"counts": counts})
    facts = {
        "count": str(reported["all"][0]),
        "most": str(reported["all"][1]),
        "countries": ", ".join(policy.countries),
    }
    return DoctorCheck("codes", "codes_well", "well", facts)


def _followed(place: InstallationProbe, follow: Followed, store: Store) -> DoctorCheck:
    """Check the followed repository. The last result of the service outweighs what this account sees."""
    if shutil.which("git") is None:
        return DoctorCheck("repository", "repository_no_git", "mend")
    refused, troubled = waiting(store, follow.source)
    if troubled is not None:
        return _silent(troubled.trouble, troubled.facts)
    if (met := _unreachable(place)) is not None:
        if met.code == DISTRUSTED and not _is_ours(place):
            return DoctorCheck("repository", "repository_not_ours", "watch", {"name": str(met.facts["name"])})
        return _silent(met.code, met.facts)
    if refused is not None:
        return DoctorCheck("repository", "repository_refused", "watch", {"commit": refused.origin.commit[:12]})
    return DoctorCheck("repository", "repository_well", "well", {"source": follow.source})


def _is_ours(place: InstallationProbe) -> bool:
    """Return whether this account runs the service: git may refuse one account what it allows another."""
    with suppress(OSError):
        return place.data.stat().st_uid == os.geteuid()
    return True


def _silent(code: str, facts: Mapping[str, object]) -> DoctorCheck:
    if code == DISTRUSTED:
        return DoctorCheck("repository", "repository_distrusted", "mend", {"name": str(facts.get("name"))})
    return DoctorCheck("repository", "repository_silent", "mend", {"why": str(facts.get("reason") or code)})


def _around(place: InstallationProbe) -> DoctorCheck:
    """Check the repository around the definitions, which names the commit and authors of each edition."""
    met = _unreachable(place)
    if met is not None and met.code == DISTRUSTED:
        return DoctorCheck("repository", "repository_unread", "watch", {"name": str(met.facts["name"])})
    return DoctorCheck("repository", "repository_none", "well")


def _unreachable(place: InstallationProbe) -> Refusal | None:
    try:
        if place.reach_repository is not None:
            place.reach_repository()
    except Refused as refused:
        return refused.reason
    return None
