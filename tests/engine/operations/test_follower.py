"""A commit publishes, or changes nothing and says why: whatever the repository holds, whoever asks at the same time."""

from __future__ import annotations

import random
import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest

from engine.core.problems import Refused
from engine.core.values import new_id
from engine.language.catalogue.catalogue import Catalogue
from engine.language.compiler.shared_files import Shared
from engine.operations import follower as following
from engine.operations.follower import AT_MOST, Follower, stories_of, waiting
from engine.prover.checks.runner import prove
from engine.publication import git as publication
from engine.publication import mirror as mirrors
from engine.publication.gates import Judge
from engine.publication.mirror import Followed, Mirror
from engine.publication.publications import decided, edition_records, roll_back
from engine.records.publications import Publication
from engine.services.audit.integrity import fsck
from engine.storage.results import Busy
from engine.storage.sqlite.store import SqliteStore
from renderers.cli.admin.installation import say_trouble
from renderers.i18n.translations import load_words
from tests.engine.services.repository import SECOND, TEXT, Agency, an_agency, another_accounts, git
from tests.engine.services.world import World, a_world

pytestmark = pytest.mark.slow

SLUG = "essai"
JUDGE = Judge(prove, stories_of(load_words()))


class Installation:
    """One process that follows an agency."""

    def __init__(self, place: Path, agency: Agency, store: SqliteStore | None = None, **how: object) -> None:
        self.folder = place
        self.world: World = a_world(place)
        empty = replace(self.world.office, catalogue=Catalogue.of((), Shared()), published=0)
        self.world.office = replace(empty, store=store or SqliteStore(":memory:"))
        followed = Followed(str(how.pop("address", agency.bare)), **how)  # type: ignore[arg-type]
        self.follower = Follower(Mirror(place / "data", followed), JUDGE, place / "data")

    def turn(self) -> None:
        """Looks at once, as it does when its time has come."""
        self.world.clock.advance(AT_MOST)
        self.world.office = self.follower.renew(self.world.office)

    @property
    def amount(self) -> str:
        """The announced price, as the file says it."""
        book = self.world.office.catalogue.procedures[SLUG]
        return next(line.strip() for line in book.source.splitlines() if "amount:" in line)

    def told(self) -> list[Publication]:
        with self.world.office.store.unit() as unit:
            return list(unit.publications())

    def last(self) -> Publication:
        return self.told()[-1]

    def trouble(self) -> str:
        _, watch = waiting(self.world.office.store, self.follower.source)
        return watch.trouble if watch is not None else ""


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    return an_agency(tmp_path / "forge")


@pytest.fixture
def site(tmp_path: Path, agency: Agency) -> Installation:
    made = Installation(tmp_path / "site", agency)
    made.turn()
    return made


def codes(told: Publication) -> dict[str, list[str]]:
    return {gate.name: [one.code for one in gate.found] for gate in told.gates if not gate.passed}


# -- a commit passes ---------------------------------------------------------------------------------------------------


def test_a_commit_is_served_and_running_dossiers_keep_their_price(agency: Agency, site: Installation) -> None:
    assert site.amount == "amount: 1000"
    running = site.world.sent(SLUG)
    commit = agency.publish(SECOND, "Le timbre passe à 1 500\n\nReviewed-by: Kossi Agbeko <k@example.org>")
    site.turn()
    assert site.amount == "amount: 1500"
    told = site.last()
    assert (told.outcome, told.origin.commit, told.origin.author) == ("published", commit, "Ama Mensah")
    assert told.origin.reviewers == ("Kossi Agbeko",)
    assert told.origin.signature == "N"
    assert all(gate.passed for gate in told.gates)
    [newest, oldest] = edition_records(site.world.office.store, SLUG)
    assert (newest.edition.commit, newest.edition.published_by) == (commit, "Ama Mensah")
    assert oldest.edition.edition == 1
    assert site.world.kept(running).owed["droit"].amount == 1000
    assert site.world.sent(SLUG, site.world.applicant("+22890445566")).owed["droit"].amount == 1500
    assert fsck(site.world.office) == ()


def test_a_merge_names_who_wrote_and_who_merged(agency: Agency, site: Installation) -> None:
    git(agency.clone, "checkout", "-q", "-b", "timbre")
    agency.write("essai.yaml", SECOND)
    agency.commit("Le timbre", who="Yao Koffi", push=False)
    git(agency.clone, "checkout", "-q", "main")
    git(agency.clone, "merge", "-q", "--no-ff", "-m", "Merge", "timbre", who="Essi Lawson")
    agency.push()
    site.turn()
    assert (site.last().origin.author, site.last().origin.reviewers) == ("Yao Koffi", ("Essi Lawson",))


def test_an_edition_enters_service_on_its_day(agency: Agency, site: Installation) -> None:
    agency.publish(SECOND.replace("agency:", "in_force: {from: 2027-01-04}\nagency:", 1))
    site.turn()
    assert site.last().outcome == "published"
    assert site.amount == "amount: 1000"
    site.world.clock.advance(timedelta(days=60))
    site.world.office = site.follower.serve(site.world.office)
    assert site.amount == "amount: 1500"


def test_a_comment_or_a_story_keeps_the_number(agency: Agency, site: Installation) -> None:
    for text in ("# Un commentaire.\n" + TEXT, TEXT.replace("La demande est accordée", "Tout va bien")):
        agency.publish(text)
        site.turn()
        assert site.last().outcome == "published", codes(site.last())
    assert site.world.office.catalogue.procedures[SLUG].edition == 1


def test_nothing_is_decided_of_a_commit_that_touches_no_definition(agency: Agency, site: Installation) -> None:
    (agency.clone / "README.md").write_text("Bonjour\n", "utf-8")
    agency.commit()
    site.turn()
    assert len(site.told()) == 1


def test_a_procedure_whose_file_goes_is_offered_no_more_and_its_dossiers_go_on(
    agency: Agency, site: Installation
) -> None:
    running = site.world.sent(SLUG)
    agency.write("autre.yaml", TEXT.replace("procedure: essai", "procedure: autre"))
    agency.file.unlink()
    agency.commit()
    site.turn()
    assert site.last().removed == (SLUG,)
    assert set(site.world.office.catalogue.procedures) == {"autre"}
    assert site.world.paid(running).state == "examen"


# -- a commit does not -------------------------------------------------------------------------------------------------

BAD = {
    "lint": (SECOND.replace("amount: 1500", "amount: prixx"), {"lint": ["N301"]}),
    "not YAML": ("procedure: [", {"lint": ["Y100"]}),
    "not text": ("\x00\x01\x02", {"lint": ["Y107"]}),
    "another file": (
        SECOND.replace("form:\n", "links:\n  avant: {label: Avant, relation: renews, procedure: permis}\nform:\n"),
        {"lint": ["N313"]},
    ),
    "number": (TEXT.replace("1000", "1500"), {"edition": ["R805"]}),
    "proof": (
        SECOND.replace("example: AMEGAN}", "example: AMEGAN}\n      x: {label: X, when: nom == 'A' and nom == 'B', example: y}"),
        {"proofs": ["P6"]},
    ),
    "story": (SECOND.replace("then: accorde}\n", "then: classe}\n"), {"stories": ["T901"]}),
    "break": (
        SECOND.replace("      nom: {label: Votre nom, example: AMEGAN}", "      nom: {label: Votre nom, type: integer, example: 3}"),
        {"changes": ["R804"]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("why", BAD)
def test_a_commit_that_is_refused_changes_nothing_and_says_where(agency: Agency, site: Installation, why: str) -> None:
    text, expected = BAD[why]
    before = site.world.office.catalogue.procedures[SLUG].fingerprint
    commit = agency.publish(text)
    site.turn()
    told = site.last()
    assert (told.outcome, told.origin.commit, codes(told)) == ("refused", commit, expected)
    assert site.world.office.catalogue.procedures[SLUG].fingerprint == before
    [found] = [one for gate in told.gates for one in gate.found]
    assert found.file == "procedures/essai.yaml"
    assert found.line >= 1
    site.turn()
    assert len(site.told()) == 2, "it is judged once"
    agency.publish(SECOND)
    site.turn()
    assert site.amount == "amount: 1500"
    assert fsck(site.world.office) == ()


def test_a_link_is_not_followed(agency: Agency, site: Installation) -> None:
    (agency.clone / "procedures" / "secret.yaml").symlink_to("/etc/passwd")
    agency.commit()
    site.turn()
    assert codes(site.last()) == {"files": ["git_link"]}


def test_a_module_is_not_followed(agency: Agency, site: Installation, tmp_path: Path) -> None:
    other = an_agency(tmp_path / "elsewhere")
    git(agency.clone, "submodule", "--quiet", "add", str(other.bare), "procedures/blocks")
    agency.commit()
    site.turn()
    assert codes(site.last()) == {"files": ["git_link"]}


def test_too_many_definitions_are_not_read(agency: Agency, site: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publication, "MOST_BYTES", 10_000)
    agency.write("gros.yaml", "# " + "x" * 20_000 + "\n")
    agency.commit()
    site.turn()
    assert codes(site.last()) == {"files": ["git_too_big"]}


def test_a_heavy_repository_is_not_fetched(agency: Agency, site: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirrors, "MOST_BYTES", 100_000)
    (agency.clone / "video.bin").write_bytes(random.Random(1).randbytes(1_000_000))
    agency.commit()
    site.turn()
    assert site.trouble() in ("git_too_big", "git_unreachable")
    assert site.amount == "amount: 1000"
    assert not list((site.folder / "data" / "repository.git").rglob("tmp_*"))


def test_a_rewritten_past_is_told_and_waits_for_somebody_to_answer_for_it(agency: Agency, site: Installation) -> None:
    git(agency.clone, "commit", "-q", "--amend", "-m", "Autre chose")
    agency.write("essai.yaml", SECOND)
    agency.commit(push=False)
    agency.push("--force")
    site.turn()
    assert codes(site.last()) == {"history": ["git_rewritten"]}
    assert site.amount == "amount: 1000"
    assert site.follower.publish_head(site.world.office, rewritten=True) is not None
    site.turn()
    assert site.amount == "amount: 1500"


def test_the_log_says_why_and_where(agency: Agency, site: Installation, caplog: pytest.LogCaptureFixture) -> None:
    commit = agency.publish(BAD["lint"][0])
    site.turn()
    assert f"not published {commit[:12]}: lint N301 procedures/essai.yaml:18:13" in caplog.text
    git(agency.bare, "update-ref", "-d", "refs/heads/main")
    site.turn()
    assert 'git_no_branch name="main"' in caplog.text


def test_a_fault_of_ours_publishes_nothing(agency: Agency, site: Installation) -> None:
    def fails(*_: object) -> list[object]:
        raise RecursionError

    site.follower.judge = Judge(fails, JUDGE.play)  # type: ignore[arg-type]
    agency.publish(SECOND)
    site.turn()
    assert codes(site.last()) == {"files": ["gate_failed"]}
    assert site.amount == "amount: 1000"


def test_an_unsigned_commit_where_signatures_are_asked(agency: Agency, tmp_path: Path) -> None:
    site = Installation(tmp_path / "strict", agency, signed=True)
    site.turn()
    assert codes(site.last()) == {"signature": ["git_unsigned"]}
    assert not site.world.office.catalogue.procedures


def test_a_signed_commit_is_told_so(agency: Agency, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    signers = tmp_path / "signers"
    signers.write_text(f"ama@example.org {key.with_suffix('.pub').read_text()}", "utf-8")
    monkeypatch.setattr(publication, "_ALONE", (*publication._ALONE, "-c", f"gpg.ssh.allowedSignersFile={signers}"))
    git(agency.clone, "config", "gpg.format", "ssh")
    git(agency.clone, "config", "user.signingkey", str(key))
    git(agency.clone, "config", "commit.gpgsign", "true")
    agency.publish(SECOND)
    site = Installation(tmp_path / "strict", agency, signed=True)
    site.turn()
    assert (site.last().outcome, site.last().origin.signature) == ("published", "G")


# -- a repository does not answer --------------------------------------------------------------------------------------


def test_an_unreachable_repository_is_told_and_tried_again(agency: Agency, site: Installation, tmp_path: Path) -> None:
    agency.publish(SECOND)
    away = agency.bare.rename(tmp_path / "away.git")
    for tries in (1, 2):
        site.turn()
        _, watch = waiting(site.world.office.store, site.follower.source)
        assert watch is not None
        assert (watch.trouble, watch.tries) == ("git_unreachable", tries)
    assert site.amount == "amount: 1000"
    away.rename(agency.bare)
    site.turn()
    assert site.trouble() == ""
    assert site.amount == "amount: 1500"


def test_whoever_watches_is_told_in_words_each_time_the_reason_changes(
    agency: Agency, site: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    follower = Follower(site.follower.mirror, JUDGE, site.folder / "data", report=say_trouble)
    for times in (1, 2):
        with monkeypatch.context() as patch:
            another_accounts(patch)
            patch.setattr("sys.argv", ["guichet", "serve"])
            for _ in range(2):
                follower.look(site.world.office)
        said = capsys.readouterr().out.replace("\u00a0", " ")
        assert (said.count("git refuse d’ouvrir"), said.count("safe.directory"), said.count("\n")) == (1, 1, 1), times
        follower.look(site.world.office)
    assert capsys.readouterr().out == ""


def test_tries_come_further_and_further_apart(agency: Agency, site: Installation) -> None:
    shutil.rmtree(agency.bare)
    waits = []
    for _ in range(12):
        site.follower.look(site.world.office)
        assert site.follower._next is not None
        waits.append(site.follower._next - site.world.clock.now())
    assert waits == sorted(waits)
    assert waits[0] < waits[-1] == AT_MOST


def test_a_clock_put_back_does_not_stop_the_looks(agency: Agency, site: Installation) -> None:
    site.world.clock.advance(timedelta(days=-30))
    agency.write(f"{SLUG}.yaml", SECOND)
    agency.commit()
    site.world.office = site.follower.renew(site.world.office)
    assert site.amount == "amount: 1500"


@pytest.mark.parametrize(
    ("address", "trouble"),
    [
        ("ext::sh -c touch% pwned", "git_transport"), ("http://example.org/a.git", "git_transport"),
        ("git://example.org/a.git", "git_transport"), ("--upload-pack=touch pwned", "git_transport"),
        ("ssh://-oProxyCommand=touch/a", "git_unreachable"), ("/nowhere/at/all", "git_unreachable"),
    ],
)  # fmt: skip
def test_only_some_addresses_are_followed(agency: Agency, tmp_path: Path, address: str, trouble: str) -> None:
    site = Installation(tmp_path / "site", agency, address=address)
    site.turn()
    assert site.trouble() == trouble
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize("branch", ["nowhere", "-x", "a..b", "main:refs/heads/main", ""])
def test_a_branch_that_is_none(agency: Agency, tmp_path: Path, branch: str) -> None:
    site = Installation(tmp_path / "site", agency, branch=branch)
    site.turn()
    assert site.trouble() == "git_no_branch"


def test_a_folder_that_holds_no_definition(agency: Agency, tmp_path: Path) -> None:
    for rank, folder in enumerate(("nowhere", "../..", "/etc")):
        site = Installation(tmp_path / str(rank), agency, folder=folder)
        site.turn()
        assert codes(site.last()) == {"files": ["git_no_definitions"]}


def test_what_opens_an_address_is_not_shown() -> None:
    assert Followed("https://ama:secret@example.org/a.git").source == "https://example.org/a.git"


# -- several processes -------------------------------------------------------------------------------------------------


def test_another_process_serves_what_one_decided(agency: Agency, tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "guichet.db")
    store.migrate()
    one, other = (Installation(tmp_path / "site", agency, store) for _ in range(2))
    one.turn()
    agency.publish(SECOND)
    one.turn()
    other.world.office = other.follower.serve(other.world.office)
    assert other.amount == "amount: 1500"
    assert len(one.told()) == 2


def test_who_asks_waits_for_the_process_that_looks(
    agency: Agency, site: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    agency.publish(SECOND)
    with following._alone(site.folder / "data" / "following.lock") as mine:
        assert mine
        monkeypatch.setattr(following, "WAIT_LIMIT", 0.1)
        with pytest.raises(Busy):
            site.follower.publish_head(site.world.office)
    monkeypatch.setattr(following, "WAIT_LIMIT", 30)
    told: list[Publication | None] = []
    with following._alone(site.folder / "data" / "following.lock"):
        asking = Thread(target=lambda: told.append(site.follower.publish_head(site.world.office)))
        asking.start()
        asking.join(0.3)
        assert asking.is_alive()
    asking.join()
    [one] = told
    assert one is not None
    assert one.outcome == "published"


def test_a_new_start_serves_what_was_published_though_the_repository_is_away(
    agency: Agency, site: Installation
) -> None:
    agency.publish("procedure: [")
    site.turn()
    shutil.rmtree(agency.bare)
    again = Follower(site.follower.mirror, JUDGE, site.folder / "data")
    office = again.serve(replace(site.world.office, catalogue=Catalogue.of((), Shared()), published=0))
    assert office.catalogue.procedures[SLUG].edition == 1
    shutil.rmtree(site.folder / "data" / "definitions")
    office = again.serve(replace(office, catalogue=Catalogue.of((), Shared()), published=0))
    assert office.catalogue.procedures[SLUG].edition == 1


# -- going back --------------------------------------------------------------------------------------------------------


def back(site: Installation, edition: int | None = None) -> Publication:
    office = site.world.office
    return roll_back(office.catalogue, office.store, office.now(), SLUG, edition, "k.agbeko", "Erreur de montant")


def test_going_back_is_one_decision_that_holds_until_the_file_says_something_else(
    agency: Agency, site: Installation
) -> None:
    agency.publish(SECOND)
    site.turn()
    dear = site.world.sent(SLUG)
    told = back(site)
    assert (told.outcome, told.by, told.placed[0].edition) == ("rolled_back", "k.agbeko", 1)
    site.turn()
    assert site.amount == "amount: 1000"
    agency.publish("# Encore.\n" + SECOND)
    agency.write("autre.yaml", TEXT.replace("procedure: essai", "procedure: autre"))
    agency.commit()
    site.turn()
    assert site.amount == "amount: 1000", "what was taken back does not come back with another's commit"
    assert set(site.world.office.catalogue.procedures) == {SLUG, "autre"}
    agency.publish(SECOND.replace("edition: 2", "edition: 3").replace("1500", "1200"))
    site.turn()
    assert site.amount == "amount: 1200"
    assert site.world.kept(dear).owed["droit"].amount == 1500
    records = {one.edition.edition: one for one in edition_records(site.world.office.store, SLUG)}
    assert records[2].withdrawn is not None
    assert records[1].back is not None
    with site.world.office.store.unit() as unit:
        assert [entry.kind for entry in unit.deeds()] == [
            "published",
            "published",
            "rolled_back",
            "published",
            "published",
        ]
    assert fsck(site.world.office) == ()


def test_an_edition_taken_back_may_be_put_back(agency: Agency, site: Installation) -> None:
    agency.publish(SECOND)
    site.turn()
    back(site, 1)
    back(site, 2)
    site.turn()
    assert site.amount == "amount: 1500"


@pytest.mark.parametrize(
    ("edition", "code"), [(None, "rollback_none"), (1, "rollback_same"), (7, "rollback_no_edition")]
)
def test_there_is_nothing_to_go_back_to(site: Installation, edition: int | None, code: str) -> None:
    with pytest.raises(Refused, match=code):
        back(site, edition)


def test_going_back_on_what_was_never_published(site: Installation) -> None:
    office = site.world.office
    with pytest.raises(Refused, match="rollback_unknown"):
        roll_back(office.catalogue, office.store, office.now(), new_id(), None, "", "")


def test_what_was_decided_is_folded_from_the_store_alone(agency: Agency, site: Installation) -> None:
    agency.publish(SECOND)
    site.turn()
    known = decided(site.world.office.store, [SLUG])
    assert len(known.line(SLUG).standing) == 2
    assert known.n == site.world.office.published == 2
