"""What the doctor finds: each part well, then each in every state that somebody must mend."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from engine.core.problems import Refused
from engine.core.values import Text
from engine.integrations.clamav import ClamAV
from engine.integrations.gateways import Gateways, NotSent, UnreadGateways, WrongGateways
from engine.integrations.http_client import HttpClient
from engine.integrations.registers import FileRegister
from engine.integrations.sms_gateway import SmsGateway
from engine.integrations.smtp import MailServer
from engine.language.catalogue.catalogue import Catalogue
from engine.language.compiler.shared_files import Shared
from engine.operations import doctor as checkup
from engine.operations import doctor_store
from engine.operations import portal as portals
from engine.operations.doctor import examine
from engine.operations.follower import Follower, stories_of
from engine.operations.installation_probe import DoctorCheck, InstallationProbe, worst
from engine.operations.portal import Emblem, Portal, WrongPortal
from engine.operations.settings import unknown_settings
from engine.operations.store_factory import unproven_server
from engine.prover.checks.runner import prove
from engine.publication.gates import Judge
from engine.publication.git import root_of
from engine.publication.mirror import Followed, Mirror
from engine.records.publications import FollowingState
from engine.services.core.call_queue import LOST, beat
from engine.services.core.checkpoints import sign_journal
from engine.storage.files.reserve import Reserve
from engine.storage.postgres.store import PostgresStore
from engine.storage.results import Busy, Damaged, Unreachable
from engine.storage.schema.migration_list import UnsafeSettings, WrongEncoding
from engine.storage.sqlite.store import SqliteStore
from renderers.cli.admin.doctor import found as words_of
from renderers.cli.admin.installation import opened_to_publish
from renderers.cli.admin.publish import publish_command
from renderers.i18n.translations import load_words
from server import doctor
from tests.engine.services.repository import TEXT, an_agency, another_accounts
from tests.engine.services.world import B3, World, a_world
from tests.ports import free_port
from tests.postgres import database

JUDGE = Judge(prove, stories_of(load_words()))
ROOT = Path(__file__).resolve().parents[3]


class Answers:
    """Something elsewhere that answers, or does not."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure

    def send(self, letter: object) -> None: ...
    def inspect(self, data: bytes) -> str | None: ...
    def reach(self) -> None:
        if self.failure is not None:
            raise self.failure


@pytest.fixture
def world(tmp_path: Path) -> World:
    data = tmp_path / "data"
    world = a_world(data, SqliteStore(data / "guichet.db"))
    world.office = replace(world.office, settings=replace(world.office.settings, checkpoints=tmp_path / "notes"))
    sign_journal(world.office)
    beat(world.office)
    return world


@pytest.fixture
def place(world: World, tmp_path: Path) -> InstallationProbe:
    """Everything as it should be."""
    ring = tmp_path / "keys" / "keys.json"
    ring.parent.mkdir()
    world.office.keys.save(ring)
    os.utime(ring, (world.office.now().timestamp(),) * 2)
    answered(tmp_path / "data", world, [{"name": "flask", "version": "3.1.3", "vulns": []}])
    there = Answers()
    said = Gateways({"mixx": None}, {"sms": there, "email": there}, there)  # type: ignore[arg-type, dict-item]
    return InstallationProbe(
        base_url="https://guichet.example", demo=False, hosts=("guichet.example",), second_factor=True, unknown=(),
        data=tmp_path / "data", ring=ring, file=tmp_path / "data" / "guichet.db", open_store=lambda: world.office.store,
        kept_nothing=lambda: False,
        gateways=lambda: said, portal=lambda: WHOLE,
    )  # fmt: skip


WHOLE = Portal(
    Text.of("Pays"), Text.of("Devise"), Text.of("Services"), Emblem("emblem.svg", "image/svg+xml", b"<svg/>"), ("#006a4e", "#ffce31"),
    "services.example", "22 00 00 00", Text.of("lundi"), "8484",
)  # fmt: skip


def wrong_portal() -> Portal:
    raise WrongPortal("emblem_hostile", name="emblem.svg", what="<script>")


def answered(data: Path, world: World, told: object, days: int = 0) -> None:
    """What pip-audit wrote, so many days ago."""
    file = data / checkup.WEAKNESSES
    file.write_text(json.dumps({"dependencies": told, "fixes": []}), "utf-8")
    os.utime(file, (world.office.now().timestamp() - days * 86_400,) * 2)


WEAK = {"name": "jinja2", "version": "3.1.5", "vulns": [{"id": "CVE-2025-27516", "fix_versions": ["3.1.6"]}]}
SOUND = {"name": "flask", "version": "3.1.3", "vulns": []}
SKIPPED = {"name": "attrs", "skip_reason": "Dependency not found on PyPI and could not be audited: attrs (26.1.0)"}


@pytest.mark.parametrize(
    ("told", "days", "code", "level"),
    [
        ([SOUND], 3, "libraries_well", "well"), ([SOUND], 4, "libraries_old", "watch"),
        ([SOUND, WEAK], 9, "libraries_weak", "mend"), ([SOUND, SKIPPED], 0, "libraries_unasked", "watch"),
        ([], 0, "libraries_unasked", "watch"), ("?", 0, "libraries_unasked", "watch"), (None, 0, "libraries_unasked", "watch"),
    ],
)  # fmt: skip
def test_it_says_when_a_library_is_weak_and_when_nobody_asks(
    place: InstallationProbe, world: World, told: object, days: int, code: str, level: str
) -> None:
    answered(place.data, world, told, days)
    found = look(place, world)
    assert found[code].level == level
    assert (code == "libraries_weak") is ("jinja2 3.1.5" in str(found[code].facts))
    (place.data / checkup.WEAKNESSES).unlink()
    assert "libraries_unasked" in look(place, world)
    assert "libraries_unasked" not in look(replace(place, demo=True), world)


def look(place: InstallationProbe, world: World) -> dict[str, DoctorCheck]:
    return {one.code: one for one in examine(place, world.office.now())}


def fails(error: Exception) -> Callable[[], Any]:
    def opened() -> Any:
        raise error

    return opened


def test_all_is_well(place: InstallationProbe, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "COMFORTABLE", checkup.LEAST_FREE)
    found = look(place, world)
    assert {one.level for one in found.values()} == {"well"}, found
    assert worst(found.values()) == "well"
    assert found["store_well"].facts["kind"] == "sqlite"
    assert found["clock_well"]
    assert len({one.part for one in found.values()}) >= 14


def gateways(**there: Answers) -> Mapping[str, Any]:
    senders = {name: one for name, one in there.items() if name != "antivirus"}
    return {"gateways": lambda: Gateways({}, senders, there.get("antivirus"))}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "code", "level"),
    [
        ({"unknown": ("GUICHET_HOST",)}, "settings_unknown", "watch"),
        ({"demo": True}, "settings_demo", "watch"),
        ({"base_url": "http://guichet.example"}, "settings_http", "mend"),
        ({"hosts": ()}, "settings_hosts", "watch"),
        ({"second_factor": False}, "settings_second_factor", "watch"),
        ({"ring": Path("nowhere.json")}, "keys_unreadable", "mend"),
        ({"data": Path("nowhere")}, "disk_missing", "mend"),
        ({"file": Path("nowhere.db")}, "store_missing", "mend"),
        ({"open_store": fails(Busy("connection"))}, "store_unreachable", "mend"),
        ({"open_store": fails(Damaged("SQLITE_NOTADB"))}, "store_damaged", "mend"),
        ({"open_store": fails(UnsafeSettings("fsync=off"))}, "store_unsafe", "mend"),
        ({"open_store": fails(WrongEncoding("SQL_ASCII"))}, "store_encoding", "mend"),
        ({"gateways": fails(WrongGateways("[sms] address: is missing"))}, "gateways_wrong", "mend"),
        ({"gateways": fails(UnreadGateways("gateways.toml"))}, "gateways_missing", "mend"),
        ({"portal": Portal}, "portal_missing", "watch"),
        ({"portal": wrong_portal}, "portal_emblem_hostile", "mend"),
        (gateways(), "sms_none", "watch"),
        (gateways(), "email_none", "watch"),
        (gateways(), "antivirus_none", "watch"),
        (gateways(), "operators_none", "watch"),
        (gateways(sms=Answers(NotSent("NewConnectionError"))), "sms_silent", "mend"),
        (gateways(email=Answers(ConnectionRefusedError())), "email_silent", "mend"),
        (gateways(antivirus=Answers(TimeoutError())), "antivirus_silent", "mend"),
    ],
)  # fmt: skip
def test_each_part_that_is_not_well(
    place: InstallationProbe, world: World, changes: Mapping[str, Any], code: str, level: str
) -> None:
    found = look(replace(place, **changes), world)
    assert found[code].level == level
    assert worst(found.values()) in (level, "mend")


STANDBYS = {"store_follows", "store_waits", "store_one_copy", "store_no_copy"}


@pytest.mark.parametrize(
    ("said", "code", "level"),
    [
        ({"follows": "on", "copies": "", "confirmed_by": ""}, "store_follows", "mend"),
        ({"follows": "", "copies": "2", "confirmed_by": ""}, "store_one_copy", "watch"),
        ({"follows": "", "copies": "2", "confirming": "2", "confirmed_by": "ANY 1 (b, c)"}, None, "well"),
        ({"follows": "", "copies": "1", "confirming": "", "confirmed_by": "b"}, "store_waits", "mend"),
        ({"follows": "", "copies": "", "confirmed_by": "", "several": "on"}, "store_no_copy", "watch"),
        ({"follows": "", "copies": "", "confirmed_by": ""}, None, "well"),
    ],
)
def test_a_standby_and_copies_that_confirm_nothing(
    place: InstallationProbe, world: World, monkeypatch: pytest.MonkeyPatch, said: dict[str, str], code: str, level: str
) -> None:
    settings = world.office.store.settings()
    monkeypatch.setattr(type(world.office.store), "settings", lambda self: {**settings, **said})
    found = look(place, world)
    assert {one for one in found if one in STANDBYS} == ({code} if code else set())
    assert code is None or found[code].level == level


def test_a_register_that_a_published_procedure_queries_and_that_is_not_there(
    place: InstallationProbe, world: World
) -> None:
    asked: list[str] = []
    assert look(replace(place, has_register=lambda name: not asked.append(name)), world)["editions_well"]
    assert asked
    missing = look(replace(place, has_register=lambda name: False), world)["registers_missing"]
    assert (missing.level, missing.facts) == ("mend", {"names": ", ".join(sorted(asked))})
    assert FileRegister(ROOT / "procedures" / "registers").is_readable("casier_national")
    assert not FileRegister(ROOT / "procedures" / "registers").is_readable("nowhere")


@pytest.mark.slow
def test_a_database_in_another_encoding_is_refused_by_its_name() -> None:
    with database() as address, psycopg.connect(address, autocommit=True) as owner:
        name = f"guichet_ascii_{uuid4().hex[:12]}"
        owner.execute(f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
        try:
            with pytest.raises(WrongEncoding, match=r"\ASQL_ASCII\Z"):
                PostgresStore(make_conninfo(**{**conninfo_to_dict(address), "dbname": name}))
        finally:
            owner.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_keys_that_others_may_read_or_that_are_old_or_beside_the_data(place: InstallationProbe, world: World) -> None:
    place.ring.chmod(0o640)
    assert look(place, world)["keys_open"].facts["mode"] == "0640"
    place.ring.chmod(0o600)
    world.wait(days=checkup.OLD_KEYS + 1)
    assert look(place, world)["keys_old"].level == "watch"
    beside = place.data / "keys.json"
    shutil.copy(place.ring, beside)
    os.utime(beside, (world.office.now().timestamp(),) * 2)
    assert look(replace(place, ring=beside), world)["keys_beside"].level == "watch"


def test_a_disk_that_fills(place: InstallationProbe, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, code in ((checkup.LEAST_FREE - 1, "disk_full"), (checkup.COMFORTABLE - 1, "disk_low")):
        usage = type(shutil.disk_usage(place.data))(1, 1, free)
        monkeypatch.setattr(checkup.shutil, "disk_usage", lambda path, usage=usage: usage)  # type: ignore[misc]
        assert code in look(place, world)


def test_a_disk_down_to_the_reserve(place: InstallationProbe, world: World) -> None:
    free = shutil.disk_usage(place.data).free
    assert "disk_reserve" not in look(replace(place, reserve=Reserve((place.data,), free // 2)), world)
    found = look(replace(place, reserve=Reserve((place.data,), 2 * free)), world)
    assert found["disk_reserve"].level == "mend"


def test_a_store_of_another_release(place: InstallationProbe, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    standing = world.office.store.migration_state()
    for change, code in (
        ({"pending": ("0099 later",)}, "migrations_pending"), ({"strange": ("9999 x",), "usable": False}, "store_of_another_release"),
        ({"pending": ("0001 facts",), "untouched": True}, "store_empty"),
    ):  # fmt: skip
        changed = replace(standing, **change)
        monkeypatch.setattr(SqliteStore, "migration_state", lambda self, changed=changed: changed)  # type: ignore[misc]
        found = look(place, world)
        assert found[code].level == "mend"
        assert "queues_well" not in found, "no table is asked that may not be there"
    changed = replace(standing, strange=("9999 x",))
    monkeypatch.setattr(SqliteStore, "migration_state", lambda self: changed)
    found = look(place, world)
    assert (found["store_of_next_release"].level, "queues_well" in found) == ("watch", True)


def test_a_database_that_lets_nobody_in_says_why_in_words(place: InstallationProbe, world: World) -> None:
    away = Unreachable("password", "guichet@db.example/guichet")
    found = look(replace(place, open_store=fails(away)), world)["store_unreachable"]
    assert found.level == "mend"
    words = load_words()
    for language, told in (("fr", "mot de passe refusé"), ("en", "password refused")):
        said = words_of(found, words, language)
        assert told in said.replace("\u00a0", " ")
        assert "guichet@db.example/guichet" in said


def test_a_file_on_a_network(place: InstallationProbe, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_store, "_kind_of_disk", lambda file: "nfs4")
    assert look(place, world)["store_on_network"].facts == {"kind": "nfs4"}


@pytest.mark.parametrize(
    ("address", "mode", "told"),
    [
        ("postgresql://guichet:perle@db.example/guichet", "", "db.example"),
        ("postgresql://guichet@db.example/guichet?sslmode=require", "", "db.example"),
        ("postgresql://guichet@db.example/guichet?sslmode=verify-full&sslrootcert=/etc/ca.pem", "", ""),
        ("postgresql://guichet@db.example/guichet", "verify-ca", ""),
        ("postgresql:///guichet?host=/run/postgresql", "", ""),
        ("postgresql://guichet@127.0.0.1:5432/guichet", "", ""),
        ("host=db.example dbname=guichet", "prefer", "db.example"),
        ("host=db.example dbname=guichet sslmode='verify-full'", "", ""),
        ("dbname=guichet", "", ""),
        ("var/guichet.db", "", ""),
    ],
)
def test_a_database_elsewhere_that_nothing_asks_who_it_is(
    place: InstallationProbe, world: World, address: str, mode: str, told: str
) -> None:
    assert unproven_server(address, mode) == told
    found = look(replace(place, unproven=told), world).get("store_unproven")
    assert (found.facts if found else None) == ({"host": told} if told else None)


def test_no_clock_is_minus_nothing_late() -> None:
    told = [doctor_store._drift(seconds).facts["seconds"] for seconds in (-0.04, 0.0, -0.06, 1.0)]
    assert told == ["+0.0", "+0.0", "-0.1", "+1.0"]


@pytest.mark.parametrize(("seconds", "level"), [(1.0, "well"), (-5.0, "watch"), (31.0, "mend")])
def test_a_clock_that_drifts(
    place: InstallationProbe, world: World, monkeypatch: pytest.MonkeyPatch, seconds: float, level: str
) -> None:
    real = SqliteStore.migration_state

    def drifting(self: SqliteStore) -> Any:
        told = real(self)
        return replace(told, at=told.at + timedelta(seconds=seconds))

    monkeypatch.setattr(SqliteStore, "migration_state", drifting)
    [found] = [one for one in examine(place, world.office.now()) if one.part == "clock"]
    assert found.level == level


def test_a_worker_that_is_silent_and_none_at_all(place: InstallationProbe, world: World) -> None:
    assert look(place, world)["worker_well"].facts["seconds"] == "0"
    world.wait(seconds=LOST.total_seconds())
    assert look(place, world)["worker_lost"].level == "mend"
    with world.office.store.unit(write=True) as unit:
        for key, _, _ in unit.asides("worker/"):
            unit.taken_aside(key)
    assert look(place, world)["worker_none"].level == "mend"


def test_what_waits_too_long(place: InstallationProbe, world: World) -> None:
    dossier = world.sent(B3)
    world.wait(minutes=11)
    found = look(place, world)
    assert found["letters_late"].level == "watch"
    assert found["checkpoint_late"].facts == {"minutes": "11"}
    world.wait(days=400)
    assert look(place, world)["timers_late"].level == "mend"
    everything = json.dumps([dict(one.facts) for one in look(place, world).values()])
    assert dossier.number not in everything


def test_a_repository_that_is_silent(place: InstallationProbe, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    follow = Followed("https://secret:password@forge.example/law.git")
    followed = replace(place, follow=follow)
    assert look(followed, world)["repository_well"].facts == {"source": follow.source}
    assert "password" not in follow.source
    with world.office.store.unit(write=True) as unit:
        unit.put_watch(
            FollowingState(follow.source, world.office.now(), "", "repository_unreachable", {}, world.office.now(), 3)
        )
    assert look(followed, world)["repository_silent"].level == "mend"
    monkeypatch.setattr(checkup.shutil, "which", lambda name: None)
    assert look(followed, world)["repository_no_git"].level == "mend"


def test_a_repository_that_git_refuses_to_open(
    place: InstallationProbe, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody made the clone, or ran a command, as another account: git opens nothing, and says nothing of it by itself."""
    agency = an_agency(tmp_path / "forge")
    follow = Followed(str(agency.bare))
    mirror = Mirror(place.data, follow)
    followed = replace(place, follow=follow, reach_repository=mirror.reach)
    around = replace(place, reach_repository=lambda: root_of(agency.clone / "procedures"))
    outside = replace(place, reach_repository=lambda: root_of(place.data))
    assert "repository_well" in look(followed, world)
    assert not (place.data / "repository.git").exists(), "it changes nothing"
    mirror.fetch()
    assert "repository_well" in look(followed, world)
    assert "repository_none" in look(around, world)
    with monkeypatch.context() as patch:
        another_accounts(patch)
        found = look(followed, world)["repository_distrusted"]
        assert (found.level, found.facts) == ("mend", {"name": str(place.data / "repository.git")})
        patch.setattr(os, "geteuid", lambda: os.getuid() + 1)
        found = look(followed, world)["repository_not_ours"]
        assert (found.level, found.facts) == ("watch", {"name": str(place.data / "repository.git")})
        patch.undo()
    with monkeypatch.context() as patch:
        another_accounts(patch)
        shutil.rmtree(place.data / "repository.git")
        assert look(followed, world)["repository_distrusted"].facts == {"name": str(agency.bare)}
        found = look(around, world)["repository_unread"]
        assert (found.level, found.facts) == ("watch", {"name": str(agency.clone)})
        assert "repository_none" in look(outside, world)
        with pytest.raises(Refused, match="git_distrusted"):
            mirror.fetch()
    gone = replace(followed, reach_repository=Mirror(place.data, replace(follow, branch="gone")).reach)
    assert look(gone, world)["repository_silent"].facts == {"why": "git_no_branch"}


def test_what_the_service_met_is_told_with_its_reason(place: InstallationProbe, world: World) -> None:
    follow, now = Followed("https://forge.example/law.git"), world.office.now()
    for trouble, facts, code in (
        ("git_unreachable", {"reason": "Could not resolve host: forge.example"}, "repository_silent"),
        ("git_distrusted", {"name": "/srv/law.git"}, "repository_distrusted"),
    ):
        with world.office.store.unit(write=True) as unit:
            unit.put_watch(FollowingState(follow.source, now, "", trouble, facts, now, 3))  # type: ignore[arg-type]
        found = look(replace(place, follow=follow), world)[code]
        assert (found.level, *found.facts.values()) == ("mend", *facts.values())


def test_a_first_commit_that_was_refused_published_nothing(place: InstallationProbe, tmp_path: Path) -> None:
    agency = an_agency(tmp_path / "forge")
    agency.publish("procedure: [")
    site, store = a_world(tmp_path / "site"), SqliteStore(tmp_path / "site.db")
    store.migrate()
    site.office = replace(site.office, store=store, catalogue=Catalogue.of((), Shared()), published=0)
    follower = Follower(Mirror(tmp_path / "site", Followed(str(agency.bare))), JUDGE, tmp_path / "site")
    follower.look(site.office)
    there = replace(place, open_store=lambda: site.office.store, follow=follower.mirror.followed)
    found = look(there, site)
    assert (found["editions_none"].level, "editions_well" in found) == ("mend", False)
    assert found["repository_refused"].level == "watch"
    agency.publish(TEXT)
    site.wait(hours=1)
    follower.look(site.office)
    found = look(there, site)
    assert (found["editions_well"].facts, "repository_refused" in found) == ({"n": "2"}, False)


@pytest.mark.slow
def test_an_account_of_the_database_that_may_do_anything(place: InstallationProbe, world: World) -> None:
    with database() as address, psycopg.connect(address, autocommit=True) as owner:
        role = f"guichet_{uuid4().hex[:12]}"
        owner.execute(f"CREATE ROLE {role} LOGIN SUPERUSER PASSWORD 'perle'")
        try:
            parts = conninfo_to_dict(address)
            own = make_conninfo(**{**parts, "user": role, "password": "perle"})
            owner.execute(f"ALTER DATABASE {parts['dbname']} OWNER TO {role}")
            for may, told in (("SUPERUSER", {"role": role}), ("NOSUPERUSER", None)):
                owner.execute(f"ALTER ROLE {role} {may}")
                store = PostgresStore(own)
                store.migrate()
                found = look(replace(place, file=None, open_store=lambda store=store: store), world)  # type: ignore[misc]
                store.close()
                superuser = found.get("store_superuser")
                assert (superuser and superuser.facts, "store_well" in found) == (told, True)
                assert superuser is None or superuser.level == "watch"
        finally:
            owner.execute(f"ALTER DATABASE {parts['dbname']} OWNER TO CURRENT_USER")
            owner.execute(f"DROP OWNED BY {role}")
            owner.execute(f"DROP ROLE {role}")


# -- knocking for real -------------------------------------------------------------------------------------------------


def test_nobody_there() -> None:
    port = free_port()
    for knock in (
        SmsGateway(HttpClient(f"http://127.0.0.1:{port}"), "token", {"to": "to", "text": "text"}, {}).reach,
        MailServer("127.0.0.1", port, "none", "a@b.tg").reach,
    ):
        with pytest.raises(NotSent):
            knock()
    with pytest.raises(OSError, match="refused"):
        ClamAV(host="127.0.0.1", port=port).reach()


@pytest.mark.parametrize(("answer", "there"), [(b"PONG\0", True), (b"HTTP/1.1 400\r\n", False), (b"", False)])
def test_a_scanner_says_that_it_is_there(answer: bytes, there: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def once() -> None:
            line, _ = server.accept()
            with line:
                asked.append(line.recv(100))
                line.sendall(answer)

        asked: list[bytes] = []
        thread = threading.Thread(target=once, daemon=True)
        thread.start()
        knock = ClamAV(host="127.0.0.1", port=server.getsockname()[1]).reach
        if there:
            knock()
        else:
            with pytest.raises(OSError, match="not a scanner"):
                knock()
        thread.join(20)
        assert asked == [b"zPING\0"]


# -- the command -------------------------------------------------------------------------------------------------------


def told(data: Path, *args: str, **environ: str) -> Any:
    return CliRunner().invoke(doctor, list(args), env={"GUICHET_DATA": str(data), "GUICHET_DEMO": "0", **environ})


def test_every_finding_has_its_words_and_what_is_not_well_a_way_out() -> None:
    words = load_words()
    files = (checkup, doctor_store)
    source = "".join(Path(str(one.__file__)).read_text("utf-8") for one in files)
    codes = set(re.findall(r'"((?:registers|settings|keys|disk|files|store|clock|timers|letters|payments|queues|checkpoint|editions|repository'
                           r'|gateways|operators|worker|zone|migrations|libraries|codes)_[a-z_]+)"', source))  # fmt: skip
    codes |= {f"{one}_{state}" for one in ("sms", "email", "antivirus") for state in ("none", "silent", "well")}
    codes |= {"letters_well", "letters_missing", "portal_well", "portal_missing"}
    codes |= {f"portal_{one}" for one in re.findall(r'WrongPortal\("(\w+)"', Path(portals.__file__).read_text("utf-8"))}
    assert len(codes) > 40
    for language in ("fr", "en"):
        texts = {re.sub(r"\.(one|many)$", "", key) for key in words.texts(language)}
        for code in codes:
            assert f"doctor.found.{code}" in texts, code
            well = code.endswith("_well") or code in ("repository_none", "gateways_demo")
            assert (f"doctor.do.{code}" in texts) == (not well), code
        assert {key.removeprefix("doctor.found.") for key in texts if key.startswith("doctor.found.")} == codes
        assert {key.split(".")[2] for key in texts if key.startswith("doctor.today.")} == {
            "keys_well",
            "libraries_well",
        }


COUNTED = {
    ("timers_late", "fr"): ("1 échéance en retard, de 7 min.", "2 échéances en retard, la plus vieille de 7 min."),
    ("timers_late", "en"): ("1 due date late, by 7 min.", "2 due dates late, the oldest by 7 min."),
    ("letters_late", "fr"): ("1 message attend, depuis 7 min.", "2 messages attendent, le plus vieux depuis 7 min."),
    ("letters_late", "en"): ("1 message waits, for 7 min.", "2 messages wait, the oldest for 7 min."),
    ("payments_unknown", "fr"): ("1 paiement dont l’opérateur ne dit rien.", "2 paiements dont l’opérateur ne dit rien."),
    ("payments_unknown", "en"): (
        "1 payment of which the operator says nothing.", "2 payments of which the operator says nothing."
    ),
}  # fmt: skip


@pytest.mark.parametrize(("code", "language"), COUNTED)
def test_one_thing_is_told_as_one(code: str, language: str) -> None:
    for count, said in zip(("1", "2"), COUNTED[code, language], strict=True):
        one = DoctorCheck("queues", code, "watch", {"count": count, "minutes": "7"})
        assert words_of(one, load_words(), language).replace("\u00a0", " ") == said


@pytest.mark.parametrize(("hours", "fr", "en"), [
    (0, "changées aujourd’hui.", "changed today."), (24, "changé depuis 1 jour.", "changed for 1 day."),
    (48, "changé depuis 2 jours.", "changed for 2 days."),
])  # fmt: skip
def test_keys_are_as_old_as_the_calendar_says(
    place: InstallationProbe, world: World, hours: int, fr: str, en: str
) -> None:
    os.utime(place.ring, (world.office.now().timestamp() - hours * 3600,) * 2)
    well = look(place, world)["keys_well"]
    assert words_of(well, load_words(), "fr").endswith(fr)
    assert words_of(well, load_words(), "en").endswith(en)


def test_keys_that_nobody_made_yet_are_not_taken_for_lost_ones(place: InstallationProbe, world: World) -> None:
    place.ring.unlink()
    assert "keys_unreadable" in look(place, world), "what the store keeps was made with some"
    found = look(replace(place, kept_nothing=lambda: True), world)
    assert found["keys_none"].level == "mend"
    assert "keys_unreadable" not in found
    place.ring.write_text("{}")
    assert "keys_unreadable" in look(replace(place, kept_nothing=lambda: True), world)


def test_a_folder_that_this_account_may_not_write_to(
    place: InstallationProbe, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    shut = replace(place, open_store=fails(Busy("SQLITE_READONLY_DIRECTORY")))
    found = look(shut, world)["store_read_only"]
    assert found.facts == {"name": str(place.data), "why": "SQLITE_READONLY_DIRECTORY"}
    assert "store_unreachable" in look(replace(shut, file=None), world)
    assert "store_unreachable" in look(replace(place, open_store=fails(Busy("SQLITE_BUSY"))), world)
    monkeypatch.setattr(Path, "is_file", lambda self: fails(PermissionError())())
    assert look(place, world)["store_read_only"].facts == {"name": str(place.data), "why": "PermissionError"}


def test_an_empty_place_is_told_and_left_empty(tmp_path: Path) -> None:
    said = told(tmp_path / "nowhere")
    assert said.exit_code == 3
    assert "pas encore de base" in said.output
    assert "aucune clé n’a encore été faite" in said.output
    assert said.output.rstrip().endswith("À réparer.")
    assert list(tmp_path.iterdir()) == []


def test_machines_read_it_too(place: InstallationProbe, tmp_path: Path) -> None:
    said = told(
        place.data, "--json", "--lang", "en", GUICHET_KEYS=str(place.ring), GUICHET_BASE_URL="https://guichet.example",
        GUICHET_HOTS="guichet.example",
    )  # fmt: skip
    read = json.loads(said.output)
    assert (said.exit_code, read["level"]) in ((2, "watch"), (3, "mend"))
    unknown = next(one for one in read["checks"] if one["code"] == "settings_unknown")
    assert "GUICHET_HOTS" in unknown["facts"]["names"]
    assert unknown["do"].startswith("Mend their names")
    assert {"part", "code", "level", "facts", "said", "do"} == set(unknown)


@pytest.mark.parametrize(
    "setting",
    [
        "GUICHET_PROXIES=two",
        "GUICHET_PROXIES=-1",
        "GUICHET_STOP_WITHIN=x",
        "GUICHET_METRICS_TOKEN_FILE=/no/where",
        "GUICHET_METRICS_FROM=10.0.0.7/33",
        "GUICHET_DATABASE_URL_FILE=/dev/null",  # as an empty file
    ],
)
def test_a_setting_that_cannot_be_read_is_told(tmp_path: Path, setting: str) -> None:
    name, _, written = setting.partition("=")
    found = told(tmp_path, **{name: written})
    assert (found.exit_code, setting in found.output) == (1, True)
    assert len(found.output.splitlines()) == 1


@pytest.mark.parametrize("address", ["postgres//guichet", "guichet:secret@db/guichet", "guichet", "postgresql"])
def test_a_misspelt_database_is_told_and_never_becomes_a_file(tmp_path: Path, address: str) -> None:
    found = told(tmp_path, DATABASE_URL=address)
    assert (found.exit_code, "sqlite:///" in found.output, "secret" in found.output) == (1, True, False)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_procedures_that_is_not_there_is_not_published(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GUICHET_DATA", str(tmp_path))
        patch.setenv("GUICHET_PROCEDURES", str(tmp_path / "nowhere"))
        patch.setattr("sys.argv", ["guichet", "publish"])
        found = CliRunner().invoke(publish_command(opened_to_publish), [])
    assert (found.exit_code, "GUICHET_PROCEDURES" in found.output) == (1, True)


def test_settings_are_known_by_their_names_and_their_files() -> None:
    known = {"GUICHET_DATA": "x", "GUICHET_SECRET_FILE": "y", "GUICHET_KEYS": "z", "GUICHET_LANG": "en", "PORT": "1"}
    assert unknown_settings({**known, "GUICHET_DATE": "x", "OTHER": "y"}) == ("GUICHET_DATE",)
