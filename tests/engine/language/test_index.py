"""Whatever became of a folder and of its index, reading with the index gives what a full reading gives; and only what
changed is read again."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.language.catalogue import catalogue as catalogues
from engine.language.catalogue import parallel as many_files
from engine.language.catalogue.catalogue import Catalogue, load_catalogue
from engine.language.catalogue.loader import EditionMissing, UnloadedProcedure, entries_of, glimpse
from engine.language.source import schema as shape
from tests.engine.language.building import PROCEDURES, a_file

Deed = Callable[[Path, Path], None]
LISTED = "form: {d: {title: D, fields: {serie: {label: S, type: choice, options: series_bac}}}}"
FILES = {
    "essai": "edition: 1\nform: {identite: {use: identite}}",
    "autre": f"procedure: autre\nedition: 3\n{LISTED}",
    "encore": "procedure: encore\nedition: 2\nin_force: {from: 2025-01-01}\ntitle: {fr: Encore, en: Again}",
    "douteux": "procedure: douteux\nagency: inconnue",  # refused, for the directory does not know the agency
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Some procedures that use shared files, one of them faulty, all written long ago."""
    place = tmp_path / "procedures"
    for name in ("shared", "blocks", "lists", "presets"):
        shutil.copytree(PROCEDURES / name, place / name, ignore=shutil.ignore_patterns("offices.yaml", "communes.yaml"))
    for name, text in FILES.items():
        (place / f"{name}.yaml").write_text(a_file(text), "utf-8")
    return place


@pytest.fixture
def index(tmp_path: Path) -> Path:
    return tmp_path / "data" / "shelf.index"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were checked."""
    found: list[str] = []
    check = catalogues.check_definition

    def noted(text: bytes, file: str, *others: object, **how: object) -> object:
        found.append(Path(file).stem)
        return check(text, file, *others, **how)

    monkeypatch.setattr(catalogues, "check_definition", noted)
    return found


def old(index: Path) -> None:
    """Makes an index younger than every file by more than the grain of a clock."""
    later = max(one.stat().st_ctime for one in index.parent.parent.rglob("*")) + 10
    os.utime(index, (later, later))


def assert_same(one: Catalogue, whole: Catalogue) -> None:
    assert dict(one.procedures) == dict(whole.procedures)
    assert {name: book.source for name, book in one.procedures.items()} == {
        name: book.source for name, book in whole.procedures.items()
    }
    assert one.reports == whole.reports
    assert one.warnings == whole.warnings
    assert one.shared_problems == whole.shared_problems
    assert [book.fingerprint for book in one.written] == [book.fingerprint for book in whole.written]
    assert list(one.summaries()) == list(whole.summaries())


# -- what may happen ---------------------------------------------------------------------------------------------------


def nothing(folder: Path, index: Path) -> None:
    pass


def touched(folder: Path, index: Path) -> None:
    os.utime(folder / "essai.yaml", (2_000_000_000, 2_000_000_000))


def changed(folder: Path, index: Path) -> None:
    (folder / "essai.yaml").write_text(a_file("edition: 2\ntitle: Autre titre"), "utf-8")


def changed_unseen(folder: Path, index: Path) -> None:
    """As long as before, and as old."""
    path = folder / "encore.yaml"
    before, text = path.stat(), path.read_text("utf-8")
    path.write_text(text.replace("Encore", "encorE"), "utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size


def added(folder: Path, index: Path) -> None:
    (folder / "nouveau.yaml").write_text(a_file("procedure: nouveau"), "utf-8")


def removed(folder: Path, index: Path) -> None:
    (folder / "autre.yaml").unlink()


def replaced(folder: Path, index: Path) -> None:
    """Two files exchange their names: each says another procedure than its name promises."""
    (folder / "autre.yaml").rename(folder / "x")
    (folder / "encore.yaml").rename(folder / "autre.yaml")
    (folder / "x").rename(folder / "encore.yaml")


def broken(folder: Path, index: Path) -> None:
    (folder / "essai.yaml").write_text("a: [", "utf-8")


def unreadable(folder: Path, index: Path) -> None:
    (folder / "essai.yaml").unlink()
    (folder / "essai.yaml").mkdir()


def mended(folder: Path, index: Path) -> None:
    (folder / "douteux.yaml").write_text(a_file("procedure: douteux"), "utf-8")


def other_block(folder: Path, index: Path) -> None:
    edit(folder / "blocks" / "identite.yaml", "maxLength: 60", "maxLength: 61")


def other_list(folder: Path, index: Path) -> None:
    edit(folder / "lists" / "series_bac.yaml", "title:", "source: Une autre\ntitle:")


def broken_list(folder: Path, index: Path) -> None:
    (folder / "lists" / "series_bac.yaml").write_text("list: rien", "utf-8")


def lost_preset(folder: Path, index: Path) -> None:
    shutil.rmtree(folder / "presets")


def other_office(folder: Path, index: Path) -> None:
    edit(
        folder / "shared" / "agencies.yaml", "obac:", "inconnue: {label: Elle, roles: {instructeur: {label: I}}}\nobac:"
    )


def elsewhere(folder: Path, index: Path) -> None:
    """The folder is laid out again, every file younger."""
    shutil.copytree(folder, folder.with_name("copie"))
    shutil.rmtree(folder)
    folder.with_name("copie").rename(folder)


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text("utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), "utf-8")


def cut(folder: Path, index: Path) -> None:
    index.write_bytes(index.read_bytes()[:-40])


def flipped(folder: Path, index: Path) -> None:
    data = bytearray(index.read_bytes())
    at = data.index(b"Encore")
    data[at] ^= 1
    index.write_bytes(bytes(data))


def of_another_format(folder: Path, index: Path) -> None:
    edit(index, "guichet-index-6", "guichet-index-0")


def of_another_checker(folder: Path, index: Path) -> None:
    head, _, body = index.read_text("utf-8").partition("\n")
    name, key, *others = head.split("\t")
    index.write_text("\n".join(["\t".join([name, key[::-1], *others]), body]), "utf-8")


def emptied(folder: Path, index: Path) -> None:
    index.write_bytes(b"")


def no_text(folder: Path, index: Path) -> None:
    index.write_bytes(b"\xff\xfe\x00")


def lost(folder: Path, index: Path) -> None:
    index.unlink()


def a_folder(folder: Path, index: Path) -> None:
    """Nothing can be read there, nor written."""
    index.unlink()
    index.mkdir()


EVERY = {*FILES}
DEEDS: list[tuple[Deed, set[str]]] = [
    (nothing, set()), (touched, set()), (changed, {"essai"}), (changed_unseen, {"encore"}), (added, {"nouveau"}),
    (removed, set()), (replaced, {"autre", "encore"}), (broken, {"essai"}), (unreadable, set()), (mended, {"douteux"}),
    (elsewhere, set()), (other_block, EVERY), (other_list, EVERY), (broken_list, EVERY), (lost_preset, EVERY), (other_office, EVERY),
    (cut, EVERY), (flipped, EVERY), (of_another_format, EVERY), (of_another_checker, EVERY), (emptied, EVERY),
    (no_text, EVERY), (lost, EVERY), (a_folder, EVERY),
]  # fmt: skip
IDS = [deed.__name__ for deed, _ in DEEDS]


@pytest.mark.slow
@pytest.mark.parametrize(("deed", "again"), DEEDS, ids=IDS)
def test_a_start_with_the_index_gives_what_a_full_reading_gives(
    deed: Deed, again: set[str], folder: Path, index: Path, read: list[str]
) -> None:
    load_catalogue(folder, index)
    old(index)
    deed(folder, index)
    read.clear()
    found = load_catalogue(folder, index)
    assert set(read) == again
    assert_same(found, load_catalogue(folder))
    if deed is not a_folder:
        old(index)
        read.clear()
        assert_same(load_catalogue(folder, index), found)  # what was learned is kept
        assert not read


@pytest.mark.slow
@pytest.mark.parametrize(("deed", "again"), DEEDS, ids=IDS)
def test_a_refresh_gives_what_a_full_reading_gives(
    deed: Deed, again: set[str], folder: Path, index: Path, read: list[str]
) -> None:
    """What was in service and broke, or went, is another matter: it stays at hand, as without an index."""
    before, plain = load_catalogue(folder, index), load_catalogue(folder)
    for book in before.all():
        assert book is before.procedures[book.id]
    deed(folder, index)
    read.clear()
    found = before.refresh()
    assert set(read) == (
        again if IDS.index(deed.__name__) < IDS.index("cut") else set()
    )  # a lost index is not looked for
    whole = plain.refresh()
    kept = {(book.id, book.fingerprint): book for book in plain.all()}
    found = found.with_editions([], lambda name, fingerprint: Text(kept[name, fingerprint]))
    assert_same(found, whole)
    assert dict(found.older) == dict(whole.older)


@pytest.mark.slow
def test_files_checked_by_other_processes_are_found_the_same(
    folder: Path, index: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many_files, "MANY", 2)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    found = load_catalogue(folder, index)
    assert not read
    assert_same(found, load_catalogue(folder))
    read.clear()
    old(index)
    assert_same(load_catalogue(folder, index), found)
    assert not read
    index.unlink()
    monkeypatch.setattr(sys, "executable", "nowhere")  # no other process can be had
    assert_same(load_catalogue(folder, index), found)
    assert set(read) == EVERY


class Text:
    """What the store keeps of an edition."""

    def __init__(self, book: catalogues.Procedure) -> None:
        self.procedure, self.edition, self.fingerprint = book.id, book.edition, book.fingerprint
        self.source, self.expanded = book.source, book.expanded


# -- closed books ------------------------------------------------------------------------------------------------------


def test_a_start_opens_no_book_and_a_book_is_opened_once(folder: Path, index: Path, read: list[str]) -> None:
    load_catalogue(folder, index)
    old(index)
    found = load_catalogue(folder, index)
    assert all(isinstance(entry, UnloadedProcedure) for entry in entries_of(found.procedures).values())
    assert [outline.id for outline in found.summaries()] == ["autre", "encore", "essai"]
    assert found.procedures["essai"] is found.procedures["essai"]
    assert "rien" not in found.procedures
    assert found.procedures.get("rien") is None


def test_a_glimpse_leaves_no_book_at_hand_and_takes_one_that_is(folder: Path, index: Path) -> None:
    load_catalogue(folder, index)
    old(index)
    books = load_catalogue(folder, index).procedures
    glimpsed = glimpse(books, "essai")
    assert glimpsed.id == "essai"
    assert glimpse(books, "essai") is not glimpsed
    opened = books["autre"]
    assert glimpse(books, "autre") is opened
    with pytest.raises(KeyError):
        glimpse(books, "rien")
    assert glimpse({"autre": opened}, "autre") is opened, "books that no index closed"


@pytest.mark.slow
def test_what_an_index_says_is_right_is_judged_again_over_other_shared_files(
    folder: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[object] = []
    judge = shape.errors_of

    def noted(kind: shape.SharedKind | None, tree: object) -> object:
        judged.append(kind)
        return judge(kind, tree)

    load_catalogue(folder, index)
    old(index)
    monkeypatch.setattr(shape, "errors_of", noted)
    found = load_catalogue(folder, index)
    assert set(dict(found.procedures)) == {"essai", "autre", "encore"}  # each is opened
    assert not judged
    other_list(folder, index)
    later = found.refresh()
    assert {"list", None} <= set(judged)
    judged.clear()
    assert later.procedures["essai"].fingerprint
    shelf = found.loader.over(later.shared) if found.loader is not None else None
    assert shelf is not None
    shelf.open(entries_of(later.procedures)["encore"])
    assert judged  # an entry may have been closed over others


def test_outlines_stay_in_the_index_they_were_read_from(folder: Path, index: Path) -> None:
    load_catalogue(folder, index)
    old(index)
    found, whole = load_catalogue(folder, index), load_catalogue(folder)
    first = entries_of(found.procedures)["essai"]
    assert isinstance(first, UnloadedProcedure)
    assert isinstance(first.kept, int)
    added(folder, index)
    load_catalogue(folder, index)  # writes another index in its place
    assert list(found.summaries()) == list(whole.summaries())


@pytest.mark.parametrize("left", [slice(0, 10), slice(40, None)])
def test_an_outline_that_cannot_be_read_any_more_is_worked_out_again(left: slice, folder: Path, index: Path) -> None:
    load_catalogue(folder, index)
    old(index)
    found, whole = load_catalogue(folder, index), load_catalogue(folder)
    index.write_bytes(index.read_bytes()[left])  # in place, which nobody of us does
    assert list(found.summaries()) == list(whole.summaries())
    assert found.summary("encore") == whole.summary("encore")


def test_a_file_that_changed_meanwhile_is_never_taken_for_the_edition_in_service(folder: Path, index: Path) -> None:
    load_catalogue(folder, index)
    old(index)
    found, whole = load_catalogue(folder, index), load_catalogue(folder)
    changed(folder, index)
    with pytest.raises(EditionMissing):
        found.procedures["essai"]
    book = whole.procedures["essai"]
    arranged = found.with_editions(
        [], lambda name, fingerprint: Text(book) if fingerprint == book.fingerprint else None
    )
    assert arranged.procedures["essai"] == book
    assert found.edition("essai", book.fingerprint, lambda *_: None) is not None  # it is at hand since


def test_editions_of_the_past_are_opened_once_to_be_known(folder: Path, index: Path) -> None:
    first = load_catalogue(folder).procedures["essai"]
    changed(folder, index)
    asked: list[str] = []

    def text(name: str, fingerprint: str) -> Text | None:
        asked.append(fingerprint)
        return Text(first) if fingerprint == first.fingerprint else None

    load_catalogue(folder, index).with_editions([Text(first)], text)
    old(index)
    assert asked == [first.fingerprint]
    again = load_catalogue(folder, index).with_editions([Text(first)], text)
    assert asked == [first.fingerprint]
    assert [one.fingerprint for one in again.older_summaries("essai")] == [first.fingerprint]
    assert again.edition("essai", first.fingerprint) == first
    assert again.numbered("essai", 1) == first
    assert len(asked) == 2
