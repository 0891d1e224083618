"""The checks of `guichet doctor`: each part of an installation, the result and its level.

Changes nothing. A part that cannot be opened is a result, never a failure. Results hold no personal
data and no secret.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal, Protocol, TypeAlias, runtime_checkable

from engine.core.clock import ZONE, local_day
from engine.core.problems import Refusal, Refused
from engine.domain.common.sms_policy import SmsPolicy
from engine.integrations.gateways import Gateways, MessageSender, NotSent, UnreadGateways, WrongGateways
from engine.journal.leaves import Tree
from engine.operations.follower import waiting
from engine.operations.metrics import LEAST_FREE
from engine.publication.mirror import Followed
from engine.records.statistics import MigrationState, Queues
from engine.services.core.call_queue import LOST, last_beat
from engine.services.keys.signing_keys import NoKeys, SigningKeys
from engine.services.limits.code_limits import new_numbers
from engine.services.worker.clock_watch import PROOF, ClockWatch, clock_seen
from engine.storage.files.blob_store import BlobStore, WrongBlobStore
from engine.storage.files.reserve import Reserve
from engine.storage.results import Busy, Damaged, Unreachable
from engine.storage.schema.migration_list import READ_ONLY
from engine.storage.unit_of_work import Store

Level: TypeAlias = Literal["well", "watch", "mend"]

COMFORTABLE: Final = 2 * 1024**3  # bytes below which a person should look at the disk
OLD_KEYS: Final = 730  # days
OLD_ANSWER: Final = 3  # days since the libraries were last checked for known weaknesses
WEAKNESSES: Final = "weaknesses.json"  # in the data folder, as pip-audit writes it
DISTRUSTED: Final = "git_distrusted"
_LATE_LETTERS: Final = 600.0  # seconds
_LATE_TIMERS: Final = 300.0
_LATE_CHECKPOINT: Final = 300.0
_NEAR: Final = 0.8  # of a limit
_DRIFT: Final = (2.0, 30.0)
_OF_A_NETWORK: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "glusterfs", "ceph", "afs"}
)


@dataclass(frozen=True, slots=True)
class DoctorCheck:
    """One check: the part, the code of the result, its level, and its facts."""

    part: str
    code: str
    level: Level
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InstallationProbe:
    """An installation to check. Parts that may fail to open are passed as functions."""

    base_url: str
    demo: bool
    hosts: tuple[str, ...]
    second_factor: bool
    unknown: tuple[str, ...]  # unknown settings
    data: Path
    ring: Path
    file: Path | None  # of a SQLite store
    open_store: Callable[[], Store]  # raises RuntimeError: unsafe settings, another release
    kept_nothing: Callable[[], bool]  # no store was ever created
    gateways: Callable[[], Gateways]
    follow: Followed | None = None
    open_blob_store: Callable[[], BlobStore] | None = None  # of a bucket; raises WrongBlobStore
    # the followed repository, or the one around the definitions; raises Refused
    reach_repository: Callable[[], object] | None = None
    sms: SmsPolicy = field(default_factory=SmsPolicy)
    unproven: str = ""  # the remote database server whose certificate is not checked
    reserve: Reserve = field(default_factory=lambda: Reserve(()))  # free space that uploads never use


@runtime_checkable
class Reachable(Protocol):
    """A remote system whose connection can be tested."""

    def reach(self) -> None:
        """Connect to the system. Raises `NotSent` or `OSError`."""


def examine(place: InstallationProbe, now: datetime) -> Iterator[DoctorCheck]:
    """Yield every check, in the order in which to repair."""
    yield from _settings(place)
    yield from _keys(place, now)
    yield _disk(place.data, place.reserve)
    yield from _files(place)
    yield from _store(place, now)
    yield from _gateways(place)
    if not place.demo:
        yield _libraries(place, now)
    yield DoctorCheck("zone", "zone_well", "well", {"zone": str(ZONE), "time": f"{now.astimezone(ZONE):%H:%M}"})


def worst(checks: Iterable[DoctorCheck]) -> Level:
    """Return the worst level among the checks."""
    levels = {one.level for one in checks}
    return "mend" if "mend" in levels else "watch" if "watch" in levels else "well"


# -- settings, keys, disk ----------------------------------------------------------------------------------------------


def _settings(place: InstallationProbe) -> Iterator[DoctorCheck]:
    found = []
    if place.unknown:
        found.append(DoctorCheck("settings", "settings_unknown", "watch", {"names": ", ".join(place.unknown)}))
    if place.demo:
        found.append(DoctorCheck("settings", "settings_demo", "watch"))
    elif not place.base_url.startswith("https://"):
        found.append(DoctorCheck("settings", "settings_http", "mend", {"address": place.base_url}))
    elif not place.hosts:
        found.append(DoctorCheck("settings", "settings_hosts", "watch"))
    if not place.second_factor:
        found.append(DoctorCheck("settings", "settings_second_factor", "watch"))
    yield from found or [DoctorCheck("settings", "settings_well", "well", {"address": place.base_url})]


def _keys(place: InstallationProbe, now: datetime) -> Iterator[DoctorCheck]:
    name = {"name": str(place.ring)}
    try:
        SigningKeys.open(place.ring)
        kept = place.ring.stat()
    except (NoKeys, OSError) as shut:
        none_yet = isinstance(shut.__cause__, FileNotFoundError) and place.kept_nothing()
        yield DoctorCheck("keys", "keys_none" if none_yet else "keys_unreadable", "mend", name)
        return
    days = _days_since(kept, now)
    if kept.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield DoctorCheck("keys", "keys_open", "mend", {**name, "mode": f"{stat.S_IMODE(kept.st_mode):04o}"})
    elif days > OLD_KEYS:
        yield DoctorCheck("keys", "keys_old", "watch", {"days": str(days)})
    elif place.ring.parent.resolve() == place.data.resolve() and not place.demo:
        yield DoctorCheck("keys", "keys_beside", "watch", name)
    else:
        yield DoctorCheck("keys", "keys_well", "well", {"days": str(days)})


def _days_since(written: os.stat_result, now: datetime) -> int:
    """Return how many calendar days ago a file was written; 0 is today."""
    return max(0, (local_day(now) - local_day(datetime.fromtimestamp(written.st_mtime, UTC))).days)


def _libraries(place: InstallationProbe, now: datetime) -> DoctorCheck:
    """Return the last check for known weaknesses of libraries (`guichet-weaknesses.timer`).

    A report that skipped a library counts as no answer.
    """
    file = place.data / WEAKNESSES
    try:
        reported = json.loads(file.read_text("utf-8"))["dependencies"]
        weak = sorted(f"{one['name']} {one['version']}" for one in reported if one.get("vulns"))
        silent = not reported or any("skip_reason" in one for one in reported)
        days = _days_since(file.stat(), now)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        weak, silent, days = [], True, 0
    if weak:
        return DoctorCheck("libraries", "libraries_weak", "mend", {"names": ", ".join(weak)})
    if silent:
        return DoctorCheck("libraries", "libraries_unasked", "watch", {"name": str(file)})
    if days > OLD_ANSWER:
        return DoctorCheck("libraries", "libraries_old", "watch", {"days": str(days)})
    return DoctorCheck("libraries", "libraries_well", "well", {"days": str(days)})


def _disk(data: Path, reserve: Reserve) -> DoctorCheck:
    try:
        free = shutil.disk_usage(data).free
    except OSError:
        return DoctorCheck("disk", "disk_missing", "mend", {"name": str(data)})
    facts = {"free": f"{free / 1024**3:.1f}"}
    if free < LEAST_FREE:
        return DoctorCheck("disk", "disk_full", "mend", facts)
    if reserve.free_bytes() <= 0:  # on the disk of the files, which may be another
        return DoctorCheck("disk", "disk_reserve", "mend", facts)
    return (
        DoctorCheck("disk", "disk_low", "watch", facts)
        if free < COMFORTABLE
        else DoctorCheck("disk", "disk_well", "well", facts)
    )


def _files(place: InstallationProbe) -> Iterator[DoctorCheck]:
    """Check the blob store outside the data folder: write, read and delete a test object."""
    if place.open_blob_store is None:
        return
    try:
        store = place.open_blob_store()
        store.check()
    except WrongBlobStore as wrong:
        yield DoctorCheck("files", "files_wrong", "mend", {"why": str(wrong)})
    except Busy as silent:
        yield DoctorCheck("files", "files_silent", "mend", {"why": str(silent)})
    else:
        yield DoctorCheck("files", "files_well", "well", {"name": str(store)})


# -- the store ---------------------------------------------------------------------------------------------------------


def _store(place: InstallationProbe, now: datetime) -> Iterator[DoctorCheck]:
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
        yield _of_release(evaluated, said)
        if role := said.get("superuser"):
            yield DoctorCheck("store", "store_superuser", "watch", {"role": role})
        yield _drift((evaluated.at - datetime.now(UTC)).total_seconds())
        if evaluated.pending or evaluated.strange:
            return
        with store.unit() as unit:
            queues, tree, decided, beat = unit.queues(now), unit.tree(), unit.publications(), last_beat(unit, now)
            new, watched = new_numbers(place.sms, unit, now), clock_seen(unit)
    except Unreachable as away:
        facts = {"why": str(away), "place": away.place, "cause": away.cause}
        yield DoctorCheck("store", "store_unreachable", "mend", facts)
        return
    except Busy as busy:
        yield _silent_store(place, str(busy))
        return
    except Damaged as damaged:
        yield DoctorCheck("store", "store_damaged", "mend", {"why": str(damaged)})
        return
    except RuntimeError as unsafe:
        yield DoctorCheck("store", "store_unsafe", "mend", {"why": str(unsafe)})
        return
    yield from _steps(watched)
    yield _worker(beat)
    yield from _queues(queues, tree, now)
    yield _new_numbers(place.sms, new)
    published = max((one.n for one in decided if one.stands), default=0)
    yield DoctorCheck(
        "editions", *(("editions_none", "mend") if not published else ("editions_well", "well")), {"n": str(published)}
    )
    yield _around(place) if place.follow is None else _followed(place, place.follow, store)


def _silent_store(place: InstallationProbe, why: str) -> DoctorCheck:
    """Return the check of a store that does not answer. A file without write access is reported as read-only."""
    if place.file is not None and why.startswith(READ_ONLY):
        return _read_only(place.file, why)
    return DoctorCheck("store", "store_unreachable", "mend", {"why": why})


def _read_only(file: Path, why: str) -> DoctorCheck:
    return DoctorCheck("store", "store_read_only", "mend", {"name": str(file.parent), "why": why})


def _of_release(state: MigrationState, said: Mapping[str, str]) -> DoctorCheck:
    """Check that the migrations are those of this release. Opening the store has checked its settings."""
    if state.strange:
        return DoctorCheck("store", "store_of_another_release", "mend", {"names": ", ".join(state.strange)})
    if state.pending:
        return DoctorCheck("store", "migrations_pending", "mend", {"names": ", ".join(state.pending)})
    version = said.get("version") or said.get("server_version", "")
    return DoctorCheck("store", "store_well", "well", {"kind": said["store"], "version": version})


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


# -- remote systems ----------------------------------------------------------------------------------------------------


def _gateways(place: InstallationProbe) -> Iterator[DoctorCheck]:
    if place.demo:
        yield DoctorCheck("gateways", "gateways_demo", "well")
        return
    try:
        said = place.gateways()
    except UnreadGateways as missing:
        yield DoctorCheck("gateways", "gateways_missing", "mend", {"name": str(missing)})
        return
    except WrongGateways as wrong:
        yield DoctorCheck("gateways", "gateways_wrong", "mend", {"why": str(wrong)})
        return
    for channel in ("sms", "email"):
        yield _reached(channel, said.senders.get(channel))
    yield _reached("antivirus", said.scanner)
    yield (
        DoctorCheck("operators", "operators_well", "well", {"names": ", ".join(said.operators)})
        if said.operators
        else DoctorCheck("operators", "operators_none", "watch")
    )


def _reached(channel: str, there: MessageSender | Reachable | None) -> DoctorCheck:
    if not isinstance(there, Reachable):
        return DoctorCheck(channel, f"{channel}_none", "watch")
    try:
        there.reach()
    except (NotSent, OSError) as silent:
        why = str(silent) if isinstance(silent, NotSent) else type(silent).__name__
        return DoctorCheck(channel, f"{channel}_silent", "mend", {"why": why})
    return DoctorCheck(channel, f"{channel}_well", "well")
