"""Backup and restore of an installation.

A backup holds the store at one moment as one SQLite file, the uploaded files and the keys. The backup
is the same for every kind of store, so it can be restored into any. The moment of the store comes
first, the files after. A file exists before a row names it, so all named files are found, except those
erased since. Erased files are not restored. A backup is complete when its list of contents exists,
which is written last, and lists no file as lost.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from engine.core.clock import SystemClock, local_day
from engine.core.problems import Refused, refusal
from engine.core.progress import ProgressReporter, unwatched
from engine.services.core.stored_files import is_named, places
from engine.services.payments.settlement import forget_orders
from engine.storage.files.attachments import AttachmentStore, FileErased, Lost, Place
from engine.storage.files.blob_store import BlobStore
from engine.storage.files.encryption import FileKeys, NoFileKey
from engine.storage.results import LATEST, Busy, Damaged
from engine.storage.sqlite.store import SqliteStore
from engine.storage.table_copy import NotEmpty, check_empty, contents, copy_tables
from engine.storage.unit_of_work import Store, Unit

STORE: Final = "guichet.db"
FILES: Final = "files"
KEYS: Final = "keys.json"
CONTENTS: Final = "contents.json"
FORM: Final = 1
PASSED: Final = (
    1000  # numbers of each series left out by a restore, at least: those given since the backup are on papers
)
BUSIER: Final = 2  # each day since the backup may have given so many times the numbers of the busiest day before it


@dataclass(frozen=True, slots=True)
class Backup:
    """The contents of a backup: rows and digest by table, number of files, digest of the keys.

    `erased` and `lost` are files that rows name but that the backup lacks: erased while it was made, or
    lost before.
    """

    at: str
    form: int
    tables: dict[str, tuple[int, str]]
    files: int
    keys: str
    erased: tuple[Place, ...] = ()
    lost: tuple[Place, ...] = ()

    @property
    def dossiers(self) -> int:
        """The number of rows in the table of dossiers."""
        return self.tables["dossier"][0]


def back_up(
    source: Store, attachments: AttachmentStore, keys: Path, folder: Path, now: datetime, progress: ProgressReporter = unwatched
) -> Backup:  # fmt: skip
    """Save everything in a new folder, except missing files.

    The installation may run meanwhile. A store of an earlier release is saved in the form of that release,
    before any migration. Raises Refused: `backup_exists`. Raises `NoFileKey`, `Busy`, `NotWhole`.
    """
    if folder.exists() and any(folder.iterdir()):
        raise Refused(refusal("backup_exists", name=folder.name))
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    state = source.migration_state()
    later = () if state.untouched else state.pending
    with closing(SqliteStore(folder / STORE)) as copy:
        copy.migrate(without=later)
        moved = copy_tables(source, copy, held=False, progress=progress)
    with _store_of(folder / STORE, bool(later)) as readable:
        named = list(places(readable))
    there = AttachmentStore(folder / FILES, attachments.keys)
    found: dict[str, list[Place]] = {"held": [], "erased": [], "lost": []}
    for place in progress(named, lambda: len(named), "files"):
        found[_file_kept(place, source, attachments, there)].append(place)
    shutil.copyfile(keys, folder / KEYS)
    os.chmod(folder / KEYS, 0o600)
    tables = {one.table: (one.rows, one.digest) for one in moved}
    backup = Backup(
        now.isoformat(), FORM, tables, len(found["held"]), _digest(folder / KEYS), tuple(found["erased"]),
        tuple(found["lost"]),
    )  # fmt: skip
    beside = folder / f"{CONTENTS}.new"
    beside.write_text(json.dumps(asdict(backup), indent=1), "utf-8")
    beside.replace(folder / CONTENTS)
    return backup


def _file_kept(place: Place, source: Store, attachments: AttachmentStore, there: AttachmentStore) -> str:
    """Copy a file that rows name and return the result: held, erased or lost."""
    for _ in range(2):  # erased, then uploaded again before the check
        try:
            there.adopt(place[1], attachments.read(place[1], place[0]), place[0])
        except FileErased:
            return "erased"
        except Lost:
            if not is_named(source, place):
                return "erased"
        else:
            return "held"
    return "lost"


def copy_files(
    store: Store, source: AttachmentStore, target: AttachmentStore, progress: ProgressReporter = unwatched
) -> tuple[int, int, tuple[Place, ...]]:
    """Copy all named files to another place, where each is read back.

    Return the number there, the number copied, and the lost ones. The installation may run meanwhile,
    and the copy may be repeated. Raises `NoFileKey`, `Busy`; `Lost` for a file the target did not
    store.
    """
    count, new, lost = 0, 0, list[Place]()
    for dossier, digest in places(store, progress):
        if not target.keeps((dossier, digest)):
            try:
                data = source.read(digest, dossier)
            except FileErased:
                target.note_erased((dossier, digest))
                continue
            except Lost:
                lost.append((dossier, digest))
                continue
            target.adopt(digest, data, dossier)
            target.read(digest, dossier)
            new += 1
        count += 1
    return count, new, tuple(one for one in lost if is_named(store, one))


def bring_back(
    folder: Path, target: Store, files: BlobStore | Path, keys: Path, progress: ProgressReporter = unwatched, *,
    now: datetime | None = None,
) -> Backup:  # fmt: skip
    """Restore a backup of this or an earlier release into an empty installation. `now` is the time of this machine.

    On failure nothing of it stays. Raises Refused: `backup_nowhere`, `backup_missing`, `backup_form`,
    `backup_unread`, `backup_differs` (what), `backup_damaged`, `backup_newer`, `backup_not_empty` (table). Raises
    `NotWhole`, `Busy`.
    """
    backup = read_contents(folder)
    if _digest(folder / KEYS) != backup.keys:
        raise Refused(refusal("backup_differs", what=KEYS))
    if keys.exists() and _digest(keys) != backup.keys:
        raise Refused(refusal("backup_not_empty", what=KEYS))
    earlier = _checked(folder / STORE, backup)
    ring = FileKeys.open(folder / KEYS)  # the keys of the installation from now on
    then, today = local_day(datetime.fromisoformat(backup.at)), local_day(now or SystemClock().now())
    years, days = range(then.year, max(then, today).year + 1), max(0, (today - then).days) + 1
    kept, attachments = AttachmentStore(folder / FILES, ring), AttachmentStore(files, ring)
    try:
        check_empty(target)
        with (
            _keys_back(folder / KEYS, keys),
            _store_of(folder / STORE, earlier) as copy,
            _files_back(backup, places(copy, progress), kept, attachments),
        ):
            copy_tables(copy, target, progress=progress, then=partial(_as_restored, years=years, days=days))
    except Lost as missing:
        raise Refused(refusal("backup_differs", what=f"{FILES}/{missing}")) from None
    except NotEmpty as full:
        raise Refused(refusal("backup_not_empty", what=str(full))) from None
    return backup


def _as_restored(unit: Unit, years: range, days: int) -> None:
    """Change the copied rows for use: nothing that may have happened since the backup happens again.

    It is one transaction with the copy, so that a restore that is killed leaves no rows without it. A series of the
    year of the backup is taken for begun in each of `years`. `days` passed since the backup, its own included.
    """
    unit.erase_secrets(LATEST)  # former codes are neither sent nor stored
    unit.drop_all_sessions()  # one may have been ended since
    forget_orders(unit)
    passing = max(PASSED, BUSIER * unit.busiest_day() * days)
    for series in _of_years(unit.serials(), years):
        unit.next_serial(series, passing=passing - 1)


def _of_years(serials: Iterable[str], years: range) -> frozenset[str]:
    """Return the series, and those of the first of these years in each of the others."""
    return frozenset(
        "/".join(str(year) if part == str(years[0]) else part for part in series.split("/"))
        for series in serials
        for year in years
    )


@contextmanager
def _keys_back(source: Path, keys: Path) -> Iterator[None]:
    """Restore the keys before any row, so that a restore that is killed is repeated. Remove them if no row follows."""
    new = not keys.exists()
    if new:
        keys.parent.mkdir(parents=True, exist_ok=True)
        beside = keys.with_name(f".{keys.name}.new")
        beside.unlink(missing_ok=True)
        beside.touch(mode=0o600)
        shutil.copyfile(source, beside)
        beside.replace(keys)
    try:
        yield
    except BaseException:
        if new:
            keys.unlink(missing_ok=True)
        raise


def _checked(file: Path, backup: Backup) -> bool:
    """Return whether the store of a backup is of an earlier release.

    Raises Refused: `backup_differs`, `backup_damaged`, `backup_newer`.
    """
    if not file.is_file():
        raise Refused(refusal("backup_differs", what=STORE))
    try:
        with closing(SqliteStore(file)) as store:
            state = store.migration_state()
            found = {one.table: (one.rows, one.digest) for one in contents(store)}
    except Damaged as broken:
        raise Refused(refusal("backup_damaged", why=str(broken))) from None
    if state.strange:
        raise Refused(refusal("backup_newer", name=state.strange[0]))
    wrong = [name for name, said in backup.tables.items() if found.get(name) != said]
    if wrong := wrong + [name for name, (rows, _) in found.items() if rows and name not in backup.tables]:
        raise Refused(refusal("backup_differs", what=wrong[0]))
    return bool(state.pending)


@contextmanager
def _store_of(file: Path, earlier: bool) -> Iterator[SqliteStore]:
    """Yield the store of a backup.

    One of an earlier release is copied and migrated, beside it where space and protection are the same.
    The backup stays unchanged.
    """
    with ExitStack() as left:
        if earlier:
            space = Path(left.enter_context(TemporaryDirectory(prefix=".restore-", dir=file.parent)))
            file = shutil.copyfile(file, space / STORE)
        store = left.enter_context(closing(SqliteStore(file)))
        if earlier:
            store.migrate()
        yield store


@contextmanager
def _files_back(
    backup: Backup, named: Iterable[Place], kept: AttachmentStore, there: AttachmentStore
) -> Iterator[None]:  # fmt: skip
    """Restore the files of a backup, and remove them again if its rows do not follow. Raises `Lost`."""
    erased, lost, new = set(backup.erased), set(backup.lost), []
    try:
        for place in named:
            if place in lost:
                continue
            with suppress(NoFileKey):  # a file stored under another key is the same file: it stays
                if not there.keeps(place):
                    new.append(place)
            if place in erased:
                there.note_erased(place)
            else:
                there.adopt(place[1], kept.read(place[1], place[0]), place[0])
        yield
    except BaseException:
        with suppress(Busy):  # no row names them: they are swept later
            for place in new:
                there.take_back(place)
        raise


def read_contents(folder: Path) -> Backup:
    """Read the list of contents of a backup.

    Raises Refused: `backup_nowhere`, `backup_missing`, `backup_form`, `backup_unread`.
    """
    try:
        if not folder.exists():
            raise Refused(refusal("backup_nowhere", name=str(folder)))
        read = json.loads((folder / CONTENTS).read_text("utf-8"))
        if read["form"] != FORM:
            raise Refused(refusal("backup_form", form=str(read["form"])[:20]))
        for name in (STORE, KEYS):
            if (folder / name).exists() and not os.access(folder / name, os.R_OK):
                raise PermissionError(name)
        tables = {str(name): (int(count), str(digest)) for name, (count, digest) in read["tables"].items()}
        erased, lost = (
            tuple((str(dossier), str(digest)) for dossier, digest in read.get(kind, ())) for kind in ("erased", "lost")
        )
        return Backup(str(read["at"]), FORM, tables, int(read["files"]), str(read["keys"]), erased, lost)
    except PermissionError:
        raise Refused(refusal("backup_unread", name=str(folder))) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise Refused(refusal("backup_missing", name=folder.name)) from None


def _digest(file: Path) -> str:
    """Return the SHA-256 of a file, empty if it does not exist."""
    if not file.is_file():
        return ""
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()
