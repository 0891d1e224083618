"""The checks of `guichet doctor`: each part of an installation, the result and its level.

Changes nothing. A part that cannot be opened is a result, never a failure. Results hold no personal
data and no secret.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from engine.core.clock import ZONE, local_day
from engine.integrations.gateways import MessageSender, NotSent, UnreadGateways, WrongGateways
from engine.operations.doctor_store import check_store
from engine.operations.installation_probe import DoctorCheck, InstallationProbe, Level, Reachable
from engine.operations.metrics import LEAST_FREE
from engine.operations.portal import WrongPortal
from engine.services.keys.signing_keys import NoKeys, SigningKeys
from engine.storage.files.blob_store import WrongBlobStore
from engine.storage.files.reserve import Reserve
from engine.storage.results import Busy

COMFORTABLE: Final = 2 * 1024**3  # bytes below which a person should look at the disk
OLD_KEYS: Final = 730  # days
OLD_ANSWER: Final = 3  # days since the libraries were last checked for known weaknesses
WEAKNESSES: Final = "weaknesses.json"  # in the data folder, as pip-audit writes it


def examine(place: InstallationProbe, now: datetime) -> Iterator[DoctorCheck]:
    """Yield every check, in the order in which to repair."""
    yield from _settings(place)
    yield _portal(place)
    yield from _keys(place, now)
    yield _disk(place.data, place.reserve)
    yield from _files(place)
    yield from check_store(place, now)
    yield from _gateways(place)
    if not place.demo:
        yield _libraries(place, now)
    yield DoctorCheck("zone", "zone_well", "well", {"zone": str(ZONE), "time": f"{now.astimezone(ZONE):%H:%M}"})


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


def _portal(place: InstallationProbe) -> DoctorCheck:
    try:
        missing = place.portal().missing()
    except WrongPortal as wrong:
        return DoctorCheck("portal", f"portal_{wrong.code}", "mend", wrong.facts)
    level: Level = "watch" if missing and not place.demo else "well"
    return DoctorCheck("portal", "portal_missing" if missing else "portal_well", level, {"names": ", ".join(missing)})


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
    return DoctorCheck("disk", *(("disk_low", "watch") if free < COMFORTABLE else ("disk_well", "well")), facts)


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
