"""Where signatures are asked, every commit since the last publication that changes what is published is signed by an allowed
signer. Real git, real keys."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from engine.publication import git as publication
from engine.publication.publications import roll_back
from renderers.i18n.translations import load_words
from tests.engine.operations.test_follower import SLUG, Installation, codes
from tests.engine.services.repository import SECOND, SHARED, TEXT, Agency, an_agency, git

pytestmark = pytest.mark.slow

ALONE = publication._ALONE
THIRD = TEXT.replace("edition: 1", "edition: 3").replace("1000", "2000")
HOLIDAY = SHARED["shared/calendar.yaml"].replace("Nouvel an}", "Nouvel an, 2027-04-27: Fête}")


class Forge(Agency):
    """`ama` is an allowed signer, `eve` is not."""

    keys: Path

    def signs(self, who: str | None) -> None:
        git(self.clone, "config", "commit.gpgsign", "true" if who else "false")
        git(self.clone, "config", "user.signingkey", str(self.keys / (who or "ama")))

    def by(self, who: str | None, text: str = "", name: str = "essai.yaml", *, push: bool = False) -> str:
        """A commit signed by somebody or nobody."""
        self.signs(who)
        if text:
            self.write(name, text)
        return self.commit(push=push)


@pytest.fixture
def forge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Forge:
    made = an_agency(tmp_path / "forge")
    forge = Forge(made.bare, made.clone)
    forge.keys = tmp_path / "keys"
    forge.keys.mkdir()
    for who in ("ama", "eve"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(forge.keys / who)], check=True)
    allow(forge, monkeypatch, f"ama@example.org {(forge.keys / 'ama.pub').read_text()}")
    git(forge.clone, "config", "gpg.format", "ssh")
    return forge


def allow(forge: Forge, patch: pytest.MonkeyPatch, line: str) -> None:
    """As the configuration of the account that serves says."""
    (forge.keys / "signers").write_text(line, "utf-8")
    patch.setattr(publication, "_ALONE", (*ALONE, "-c", f"gpg.ssh.allowedSignersFile={forge.keys / 'signers'}"))


@pytest.fixture
def strict(forge: Forge, tmp_path: Path) -> Installation:
    """The first edition is in service, under a signed head."""
    forge.by("ama", push=True)
    site = Installation(tmp_path / "strict", forge, signed=True)
    site.turn()
    assert (site.last().outcome, site.last().origin.signature) == ("published", "G")
    return site


def refused_for(site: Installation) -> list[tuple[str, object, object]]:
    site.turn()
    (gate,) = [one for one in site.last().gates if not one.passed]
    assert gate.name == "signature"
    return [(one.code, one.facts.get("commit"), one.facts.get("file")) for one in gate.found]


def test_the_first_publication_is_what_a_signed_head_says(forge: Forge, strict: Installation) -> None:
    """The history before it was never signed: whoever signs the head answers for all of its files."""
    assert strict.amount == "amount: 1000"


def test_a_change_that_nobody_signed_under_a_signed_head(forge: Forge, strict: Installation) -> None:
    change = forge.by(None, SECOND)
    forge.by("ama", "Lisez-moi\n", "../README.md", push=True)
    assert refused_for(strict) == [("git_unsigned_change", change[:7], "procedures/essai.yaml")]
    assert strict.amount == "amount: 1000"
    found = strict.last().gates[0].found[0]
    for language, said in (("fr", "Refaites la branche"), ("en", "Rebuild the branch")):
        text = load_words().refusal(found.code, {n: str(v) for n, v in found.facts.items()}, language)
        assert change[:7] in text
        assert "procedures/essai.yaml" in text
        assert said in text


def test_signed_by_who_is_not_allowed(forge: Forge, strict: Installation) -> None:
    change = forge.by("eve", SECOND)
    forge.by("ama", push=True)
    assert refused_for(strict) == [("git_unsigned_change", change[:7], "procedures/essai.yaml")]


def test_a_signer_whose_time_was_over(forge: Forge, strict: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    forge.by("ama", SECOND, push=True)
    ended = f'ama@example.org valid-before="20200101" {(forge.keys / "ama.pub").read_text()}'
    allow(forge, monkeypatch, ended)
    assert refused_for(strict)[0][0] == "git_unsigned"


@pytest.mark.parametrize("ended", ["20200101", "20200101Z", "202001010000"])
@pytest.mark.parametrize("head", [True, False])
@pytest.mark.parametrize("remark", [b"", "# clé de la préfecture\n".encode("latin-1")])
def test_a_former_signer_dates_no_commit_back(
    forge: Forge, strict: Installation, monkeypatch: pytest.MonkeyPatch, ended: str, head: bool, remark: bytes
) -> None:
    """Git judges a signature by the date that the commit states."""
    for name in ("GIT_COMMITTER_DATE", "GIT_AUTHOR_DATE"):
        monkeypatch.setenv(name, "2019-06-01T12:00:00Z")
    allowed = f'ama@example.org valid-before="{ended}" {(forge.keys / "ama.pub").read_text()}'
    forge.by("ama", SECOND, push=head)
    if not head:
        monkeypatch.delenv("GIT_COMMITTER_DATE")
        monkeypatch.delenv("GIT_AUTHOR_DATE")
        forge.by("eve", push=True)
        allowed += f"eve@example.org {(forge.keys / 'eve.pub').read_text()}"
    allow(forge, monkeypatch, allowed)
    signers = forge.keys / "signers"
    signers.write_bytes(remark + signers.read_bytes())
    assert refused_for(strict)[0][0] == ("git_unsigned" if head else "git_unsigned_change")


@pytest.mark.parametrize("options", ["cert-authority", 'namespaces="git",cert-authority'])
def test_a_certificate_that_ended_dates_no_commit_back(
    forge: Forge, strict: Installation, monkeypatch: pytest.MonkeyPatch, options: str
) -> None:
    """Git judges it by the date that the commit states too, so no authority is allowed."""
    made = ("ssh-keygen", "-q", "-s", "eve", "-I", "ama", "-n", "ama@example.org", "-V", "20190101:20200101", "ama.pub")
    subprocess.run(made, cwd=forge.keys, check=True)
    for name in ("GIT_COMMITTER_DATE", "GIT_AUTHOR_DATE"):
        monkeypatch.setenv(name, "2019-06-01T12:00:00Z")
    allow(forge, monkeypatch, f"*@example.org {options} {(forge.keys / 'eve.pub').read_text()}")
    forge.signs("ama-cert.pub")
    forge.write("essai.yaml", SECOND)
    forge.commit(push=True)
    assert "Good" in git(forge.clone, *publication._ALONE, "log", "-1", "--show-signature")
    assert refused_for(strict)[0][0] == "git_unsigned"


def test_a_signer_whose_time_goes_on(forge: Forge, strict: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    eve, ama = ((forge.keys / f"{who}.pub").read_text() for who in ("eve", "ama"))
    allow(
        forge,
        monkeypatch,
        f'eve@example.org valid-before="20200101" {eve}ama@example.org valid-before="20991231" {ama}',
    )
    forge.by("ama", SECOND, push=True)
    strict.turn()
    assert strict.last().outcome == "published"


def test_a_shared_file(forge: Forge, strict: Installation) -> None:
    change = forge.by(None, HOLIDAY, "shared/calendar.yaml")
    forge.by("ama", push=True)
    assert refused_for(strict) == [("git_unsigned_change", change[:7], "procedures/shared/calendar.yaml")]


def test_a_change_taken_back_and_a_file_that_moves_in(forge: Forge, strict: Installation) -> None:
    """Each is a change, whatever the files say at the end."""
    change = forge.by(None, SECOND)
    back = forge.by(None, TEXT)
    aside = forge.by("ama", SECOND.replace("procedure: essai", "procedure: autre"), "../autre.yaml")
    git(forge.clone, "mv", "autre.yaml", "procedures/autre.yaml")
    moved = forge.by(None)
    forge.by("ama", push=True)
    assert {(one, file) for _, one, file in refused_for(strict)} == {
        (change[:7], "procedures/essai.yaml"), (back[:7], "procedures/essai.yaml"), (moved[:7], "procedures/autre.yaml"),
    }  # fmt: skip
    assert aside


def test_what_is_not_published_needs_no_signature(forge: Forge, strict: Installation) -> None:
    forge.by(None, "Lisez-moi\n", "../README.md")
    forge.by(None, "notes\n", "notes.txt")
    forge.by("ama", SECOND, push=True)
    strict.turn()
    assert strict.last().outcome == "published"
    assert strict.amount == "amount: 1500"


# -- merges ------------------------------------------------------------------------------------------------------------


def aside(forge: Forge, name: str, text: str, file: str) -> str:
    """A signed commit on a branch of its own, begun at the main one."""
    git(forge.clone, "switch", "-q", "-c", name, "main")
    commit = forge.by("ama", text, file)
    git(forge.clone, "switch", "-q", "main")
    return commit


def merged(forge: Forge, *how: str) -> str:
    forge.signs(None)
    git(forge.clone, "merge", "-q", "--no-ff", "--no-edit", *how)
    return git(forge.clone, "rev-parse", "HEAD")


def test_a_merge_that_only_joins_needs_no_signature(forge: Forge, strict: Installation) -> None:
    aside(forge, "prix", SECOND, "essai.yaml")
    merged(forge, "prix")
    forge.by("ama", push=True)
    strict.turn()
    assert (strict.last().outcome, strict.amount) == ("published", "amount: 1500")


def test_an_octopus_of_what_touches_nothing_published(forge: Forge, strict: Installation) -> None:
    for name in ("un", "deux"):
        aside(forge, name, name, f"../{name}.txt")
    merged(forge, "un", "deux")
    forge.by("ama", SECOND, push=True)
    strict.turn()
    assert (strict.last().outcome, strict.amount) == ("published", "amount: 1500")


def test_a_merge_that_says_something_of_its_own(forge: Forge, strict: Installation) -> None:
    aside(forge, "jours", HOLIDAY, "shared/calendar.yaml")
    forge.by("ama", SECOND)
    forge.signs(None)
    git(forge.clone, "merge", "-q", "--no-ff", "--no-commit", "jours")
    forge.write("essai.yaml", THIRD)
    evil = forge.by(None)
    forge.by("ama", push=True)
    assert [one[:2] for one in refused_for(strict)] == [("git_unsigned_change", evil[:7])]


def test_a_merge_that_goes_back_to_one_of_its_sides(forge: Forge, strict: Installation) -> None:
    """Its files are those of a signed commit; choosing them was nobody's signed decision."""
    aside(forge, "jours", HOLIDAY, "shared/calendar.yaml")
    forge.by("ama", SECOND)
    chosen = merged(forge, "-s", "ours", "jours")
    forge.by("ama", push=True)
    assert [one[:2] for one in refused_for(strict)] == [("git_unsigned_change", chosen[:7])]


def test_a_merge_with_the_past_that_brings_it_back(forge: Forge, strict: Installation) -> None:
    old = git(forge.clone, "rev-parse", "HEAD")
    forge.by("ama", SECOND, push=True)
    strict.turn()
    now = git(forge.clone, "rev-parse", "HEAD")
    back = git(forge.clone, "commit-tree", f"{old}^{{tree}}", "-p", now, "-p", old, "-m", "Comme avant")
    git(forge.clone, "reset", "-q", "--hard", back)
    forge.by("ama", push=True)
    assert [one[:2] for one in refused_for(strict)] == [("git_unsigned_change", back[:7])]


# -- what git could be led to believe ----------------------------------------------------------------------------------


def test_the_signers_of_the_followed_repository_are_not_ours(forge: Forge, strict: Installation) -> None:
    own = forge.clone / "signers"
    own.write_text(f"ama@example.org {(forge.keys / 'eve.pub').read_text()}", "utf-8")
    for folder in (forge.bare, forge.clone):
        git(folder, "config", "gpg.ssh.allowedSignersFile", str(own))
    forge.by("eve", SECOND, push=True)
    assert refused_for(strict)[0][0] == "git_unsigned"


@pytest.mark.parametrize("how", ["replace", "graft"])
def test_a_commit_read_in_place_of_another(forge: Forge, strict: Installation, how: str) -> None:
    """In our own copy, by whoever writes there."""
    before = git(forge.clone, "rev-parse", "HEAD")
    change = forge.by(None, SECOND)
    head = forge.by("ama", push=True)
    ours = strict.folder / "data" / "repository.git"
    strict.follower.mirror.fetch()
    if how == "replace":
        git(ours, "update-ref", f"refs/replace/{change}", before)
    else:
        (ours / "info").mkdir(exist_ok=True)
        (ours / "info" / "grafts").write_text(f"{head} {before}\n", "utf-8")
    assert refused_for(strict) == [("git_unsigned_change", change[:7], "procedures/essai.yaml")]


def test_a_history_cut_short_hides_nothing(forge: Forge, strict: Installation, tmp_path: Path) -> None:
    forge.by(None, SECOND)
    forge.by("ama", push=True)
    shallow = tmp_path / "shallow.git"
    git(tmp_path, "clone", "-q", "--bare", "--depth=1", f"file://{forge.bare}", str(shallow))
    for one in forge.bare.iterdir():
        one.rename(tmp_path / f"whole-{one.name}")
    for one in shallow.iterdir():
        one.rename(forge.bare / one.name)
    strict.turn()
    assert strict.amount == "amount: 1000"


def test_a_rewritten_branch_that_somebody_answers_for_is_judged_all_the_same(
    forge: Forge, strict: Installation
) -> None:
    first = git(forge.clone, "rev-parse", "HEAD^")
    git(forge.clone, "reset", "-q", "--hard", first)
    change = forge.by(None, SECOND)
    forge.by("ama")
    forge.push("--force")
    strict.turn()
    assert set(codes(strict.last())) == {"history", "signature"}
    told = strict.follower.publish_head(strict.world.office, rewritten=True)
    assert told is not None
    assert codes(told) == {"signature": ["git_unsigned_change"]}
    assert told.gates[0].found[0].facts["commit"] == change[:7]


def test_a_return_is_made_and_the_next_signed_commit_published(forge: Forge, strict: Installation) -> None:
    forge.by("ama", SECOND, push=True)
    strict.turn()
    office = strict.world.office
    roll_back(office.catalogue, office.store, office.now(), SLUG, None, "Chef", "Erreur")
    strict.turn()
    assert strict.amount == "amount: 1000"
    forge.by("ama", THIRD, push=True)
    strict.turn()
    assert (strict.last().outcome, strict.amount) == ("published", "amount: 2000")
