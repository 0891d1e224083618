"""An installation that does not open says why, once, in one line, and nothing secret."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import subprocess
import sys
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Final

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from engine.operations.settings import Settings
from engine.operations.store_factory import kept_nothing, open_store
from engine.publication.mirror import Followed
from engine.storage.postgres import connection_errors as postgres_reach
from engine.storage.postgres.connection_errors import await_server, check_address, why_unreachable
from engine.storage.postgres.store import PostgresStore
from engine.storage.results import Busy, Unreachable
from renderers.cli.admin.installation import open_office
from renderers.cli.admin.installation_commands import cause_of, opening
from renderers.i18n.translations import load_words
from tests.faults.installation import _VISIT as VISIT
from tests.makers import whole
from tests.ports import free_port
from tests.postgres import database

SECRET: Final = "perle-noire"
ROOT: Final = Path(__file__).resolve().parents[2]


def refused(settings: Settings, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that is said."""
    with pytest.raises(SystemExit) as ended:
        open_office(settings)
    said = capsys.readouterr().err
    assert (ended.value.code, said.count("\n")) == (1, 1), said
    return said


def test_a_file_of_gateways_that_is_not_there_is_named_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "gateways.toml"
    said = refused(Settings(procedures=tmp_path, data=tmp_path / "data", gateways=missing), capsys)
    assert f"GUICHET_GATEWAYS={missing}" in said
    assert said.count("gateways.toml") == 1


@pytest.mark.parametrize(
    ("host", "told"), [("127.0.0.1", "ce port est pris"), ("192.0.2.1", "cette machine n’a pas cette adresse")]
)
def test_a_place_where_the_server_cannot_listen_is_told_in_french(host: str, told: str, tmp_path: Path) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        found = subprocess.run(
            [sys.executable, "-m", "server", "serve", "--host", host, "--port", port],
            cwd=ROOT, env={**os.environ, "GUICHET_DATA": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert (found.returncode, f"{host}:{port}" in found.stderr, told in found.stderr) == (1, True, True)


def test_a_folder_of_procedures_that_is_not_there_stops_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = Settings(procedures=tmp_path / "nowhere", data=tmp_path / "data")
    assert "GUICHET_PROCEDURES" in refused(nowhere, capsys)
    assert list(tmp_path.iterdir()) == []
    for starts in (
        replace(nowhere, procedures=tmp_path),
        replace(nowhere, follow=Followed(str(tmp_path / "later.git"))),
    ):
        office, _ = open_office(starts)
        assert not office.catalogue.procedures
        office.store.close()


def published(tmp_path: Path, store: str = "") -> Settings:
    """An installation that served something."""
    folder = tmp_path / "procedures"
    shutil.copytree(ROOT / "procedures/shared", folder / "shared")
    (folder / "visite.yaml").write_text(whole(VISIT, "visite"), "utf-8")
    settings = Settings(procedures=folder, data=tmp_path / "data", database=store, demo=True)
    office, _ = open_office(settings)
    assert office.published
    office.store.close()
    return settings


@pytest.mark.parametrize("in_postgres", [False, True])
def test_keys_that_were_lost_are_not_made_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], in_postgres: bool
) -> None:
    """Others would open none of the files. Before anything was published there is nothing to lose."""
    with database() if in_postgres else nullcontext("") as store:
        settings = published(tmp_path, store)
        held = settings.ring.read_bytes()
        settings.ring.unlink()
        assert "Remettez-le" in refused(settings, capsys)
        assert not settings.ring.exists()
        settings.ring.write_text("{")
        assert "Remettez-le" in refused(settings, capsys)
        settings.ring.write_bytes(held)
        open_office(settings)[0].store.close()


def test_what_never_kept_anything_is_known_and_what_cannot_be_seen_is_not(tmp_path: Path) -> None:
    assert kept_nothing(tmp_path / "later" / "guichet.db")
    assert not kept_nothing("postgresql://guichet@127.0.0.1:port/guichet")
    with closing(open_store(tmp_path / "guichet.db")) as store:
        store.migrate()
    assert not kept_nothing(tmp_path / "guichet.db")
    with database() as address:
        assert kept_nothing(address)
        with closing(open_store(address)) as store:
            store.migrate()
        assert not kept_nothing(address)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits ten seconds for a connection that never comes."""
    monkeypatch.setattr(PostgresStore.__init__, "__defaults__", (1, 0.3, False, 0))
    monkeypatch.setitem(postgres_reach._LINE, "connect_timeout", "2")  # type: ignore[misc]


def deaf() -> socket.socket:
    """A machine that takes a connection and says nothing."""
    return socket.create_server(("127.0.0.1", 0))


def place_of(address: str, **changes: str | int) -> str:
    return make_conninfo(**{**conninfo_to_dict(address), "password": SECRET, **changes})


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
def test_why_a_database_does_not_answer_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with database() as address, psycopg.connect(address, autocommit=True) as owner, deaf() as silent:
        owner.execute("CREATE ROLE guichet_shut NOLOGIN")
        try:
            for told, at in {
                "connexion refusée": place_of(address, host="127.0.0.1", port=free_port()),
                "rien ne vient": place_of(address, host="127.0.0.1", port=silent.getsockname()[1]),
                "cette machine est inconnue": place_of(address, host="nowhere.invalid"),
                "cette base n’existe pas": place_of(address, dbname="guichet_nowhere"),
                "pas le droit d’entrer": place_of(address, user="guichet_shut"),
                "cette adresse ne se lit pas": f"postgresql://guichet:{SECRET}/@db/guichet",
                "DATABASE_URL": f"postgresql://guichet:1/{SECRET}@db.invalid/guichet",
            }.items():
                said = refused(Settings(procedures=tmp_path, data=tmp_path / "data", database=at), capsys)
                assert f"{told}" in said.replace("\u00a0", " "), said
                assert "PostgreSQL n’ouvre pas" in said.replace("\u00a0", " ")
                assert "Voyez si le serveur marche" in said, "what to do"
                assert SECRET not in said
                assert not [one for one in caplog.records if "error connecting" in one.getMessage()], "told once"
        finally:
            owner.execute("DROP ROLE guichet_shut")


@pytest.mark.slow
def test_a_database_of_another_owner_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with database() as address, psycopg.connect(address, autocommit=True) as owner:
        owner.execute("CREATE ROLE guichet_guest LOGIN")
        try:
            at = place_of(address, user="guichet_guest")
            said = refused(Settings(procedures=tmp_path, data=tmp_path / "data", database=at), capsys)
            assert "ALTER DATABASE" in said
        finally:
            owner.execute("DROP ROLE guichet_guest")


@pytest.mark.parametrize(
    ("cause", "tries"),
    [
        ("password", 1),
        ("role", 1),
        ("database", 1),
        ("not_admitted", 1),
        ("pooler", 1),
        ("starting", 3),
        ("follows", 3),
        ("refused", 3),
        ("other", 3),
    ],
)
def test_a_server_is_waited_for_unless_it_would_say_the_same_again(
    monkeypatch: pytest.MonkeyPatch, cause: str, tries: int
) -> None:
    said = [Unreachable(cause), Unreachable(cause), None]
    left = list(said)
    monkeypatch.setattr(postgres_reach, "why_unreachable", lambda *_: left.pop(0))
    monkeypatch.setattr(postgres_reach, "_AGAIN", 0)
    with pytest.raises(Unreachable) if tries == 1 else nullcontext():
        await_server("postgresql://guichet@db.example/guichet", "", 60)
    assert len(said) - len(left) == tries


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ('FATAL:  password authentication failed for user "guichet"', "password"),
        ("FATAL:  authentification par mot de passe échouée pour l’utilisateur « guichet »", "password"),
        ("connection failed: fe_sendauth: no password supplied", "password"),
        ('FATAL:  role "guichet" does not exist', "role"),
        ('FATAL:  database "guichet" does not exist', "database"),
        ("FATAL:  la base de données « guichet » n'existe pas", "database"),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.7", user "guichet", no encryption', "not_admitted"),
        ("FATAL:  sorry, too many clients already", "full"),
        ("FATAL:  the database system is starting up", "starting"),
        ("server does not support SSL, but SSL was required", "encryption"),
        ("FATAL:  unsupported startup parameter in options: statement_timeout", "pooler"),
        ("session is read-only", "follows"),
        ("la session est en lecture seule", "follows"),
        ("server is in hot standby mode", "follows"),
        (f"FATAL:  {SECRET} is\n no good", "other"),
    ],
)
def test_what_a_server_says_is_known_in_its_languages_and_never_shows_the_password(
    monkeypatch: pytest.MonkeyPatch, said: str, cause: str
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise psycopg.OperationalError(f'connection to server at "127.0.0.1", port 5432 failed: {said}')

    monkeypatch.setattr(psycopg, "connect", fails)
    away = why_unreachable(f"postgresql://guichet:{SECRET}@db.example:5433/guichet", "")
    assert away is not None
    assert (away.cause, away.place) == (cause, "guichet@db.example:5433/guichet")
    for language in ("fr", "en"):
        told = cause_of(load_words(), away.cause, away.said, language)
        assert told
        assert SECRET not in f"{told} {away} {away.place}"
    assert ("… is no good" in away.said) is (cause == "other")


@pytest.mark.parametrize("address", ["postgresql://u:p@a..b/db", f"postgresql://u:p@{'a' * 64}.example/db"])
def test_a_machine_that_no_network_may_name_is_told_as_an_address(address: str) -> None:
    away = why_unreachable(address, "")
    assert away is not None
    assert (away.cause, away.place, away.said) == ("address", "", "")


def test_a_password_in_another_alphabet_is_told_as_an_address() -> None:
    with pytest.raises(Unreachable, match="address"):
        check_address("postgresql://u:caf\udce9@db.example/guichet")


@pytest.mark.parametrize(
    ("address", "said", "cause", "place", "told"),
    [
        (
            "postgresql://ssl@ssl.invalid/g",
            "could not resolve host ssl.invalid",
            "unknown_host",
            "ssl@ssl.invalid/g",
            "",
        ),
        ("postgresql:///guichet", "no", "other", "/var/run/db/guichet", "no"),
        ("postgresql://u:p@h/g", "the port of p is no port", "other", "u@h/g", "the port of … is no port"),
        ("postgresql://u:pa@12/sec?user=x@h/db", "no", "other", "", "no"),
    ],
)
def test_names_tell_no_cause_and_no_machine_is_invented(
    monkeypatch: pytest.MonkeyPatch, address: str, said: str, cause: str, place: str, told: str
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise psycopg.OperationalError(said)

    monkeypatch.setattr(psycopg, "connect", fails)
    monkeypatch.setenv("PGHOST", "/var/run/db")
    away = why_unreachable(address, "")
    assert away is not None
    assert (away.cause, away.place, away.said) == (cause, place, told)


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (
            PermissionError(errno.EACCES, "Permission denied", "/srv/d/guichet.db"),
            "Ce compte ne peut pas écrire : /srv/d/guichet.db. ",
        ),
        (OSError(errno.EROFS, "Read-only file system", "/srv/d"), "Ce compte ne peut pas écrire : /srv/d. "),
        (
            NotADirectoryError(errno.ENOTDIR, "Not a directory", "/srv/d"),
            "Rien ne peut être gardé ici : /srv/d (Not a directory). ",
        ),
        (Busy("SQLITE_READONLY_DIRECTORY"), "Ce compte ne peut pas écrire dans la base (SQLITE_READONLY_DIRECTORY). "),
        (Busy("SQLITE_BUSY"), "La base ne répond pas, ou le service des fichiers (SQLITE_BUSY). "),
    ],
)
def test_a_folder_that_cannot_be_written_to_is_told(
    raised: Exception, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, opening():
        raise raised
    assert ended.value.code == 1
    told = capsys.readouterr().err.replace("\u00a0", " ")
    assert told.startswith(said)
    assert told.count("\n") == 1


def test_a_store_where_a_file_stands_in_the_way_does_not_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").write_text("")
    said = refused(Settings(procedures=tmp_path, data=tmp_path / "data"), capsys)
    assert "Rien ne peut être gardé ici" in said.replace("\u00a0", " ")
