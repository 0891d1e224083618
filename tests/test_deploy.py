"""The files to copy on a machine: they parse, start commands that exist with options that exist, name settings that mean something."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import ssl
import subprocess
import threading
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from configparser import RawConfigParser
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import click
import psycopg
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from psycopg import conninfo

from engine.operations import doctor as checkup
from engine.operations.portal import read_portal
from engine.operations.settings import Settings, unknown_settings
from engine.operations.store_factory import open_store
from engine.records.dossier import Account
from engine.storage.files.resumable_uploads import LARGEST_PIECE
from engine.storage.postgres.pool import MOST, OPTIONS, WAIT_LIMIT
from renderers.cli.admin.http_server import _AT_ONCE
from renderers.cli.main import console
from renderers.web.platform.security import LARGEST_BODY
from server import create_app
from tests.engine.services.world import a_world
from tests.failover.children import end_all, processes, signal_all, start
from tests.failover.events import order
from tests.failover.topology import database_address, etcd_settings, patroni_settings, proxy_settings
from tests.nginx import program
from tests.postgres import server

# where a post may bring files, and the modules that read them
TAKE_FILES = {
    "form.save", "rows.save", "later_forms.fill", "later_forms.fill_part", "corrections.save", "acts.take", "messages.write",
    "messages.staff_write", "agent_later_forms.post", "agent_later_forms.post_part", "agent_act.post", "counter_form.save", "counter_rows.save",
    "counter_acts.take", "counter_messages.write", "counter_later_forms.fill", "counter_later_forms.fill_part", "counter_corrections.save", "delegation.company", "delegation.proxy",
}  # fmt: skip
READ_FILES = {"attachments", "delegation", "messages", "saved_posts", "security", "uploads"}
ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "deploy"
CLUSTER = FOLDER / "cluster"
UNITS = sorted([*FOLDER.rglob("*.service"), *FOLDER.glob("*.timer")])
BESIDE = FOLDER / "guichet-weaknesses.service"  # starts a program that is not ours
SERVICES = [one for one in UNITS if one.suffix == ".service" and one != BESIDE]
PROGRAM = "/opt/guichet/bin/guichet"


def unit(path: Path) -> RawConfigParser:
    class Repeated(dict[str, Any]):
        """systemd lets a key stand several times."""

        def __setitem__(self, key: str, value: Any) -> None:
            held = self.get(key)
            super().__setitem__(key, [*held, *value] if isinstance(held, list) and isinstance(value, list) else value)

    read = RawConfigParser(strict=False, dict_type=Repeated, delimiters=("=",), comment_prefixes=("#",))
    read.optionxform = str  # type: ignore[assignment, method-assign]
    read.read_string(path.read_text("utf-8"))
    return read


def started(command: list[str]) -> None:
    """A command of ours exists, and takes these options."""
    name, *options = command
    found = console.get_command(click.Context(console), name)
    assert found is not None, name
    known = {one for option in found.params for one in (*option.opts, *option.secondary_opts)}
    assert {one for one in options if one.startswith("--")} <= known, command


def known_settings(names: set[str]) -> None:
    assert names
    assert unknown_settings(dict.fromkeys(names, "x")) == ()


def environ(read: RawConfigParser) -> dict[str, str]:
    return dict(one.split("=", 1) for one in shlex.split(read["Service"].get("Environment", "").replace("\n", " ")))


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_a_service_starts_what_there_is(path: Path) -> None:
    read = unit(path)
    line = read["Service"]["ExecStart"]
    found = re.search(rf"{PROGRAM} (.*?)['\n]?$", line)
    assert found, line
    started(shlex.split(found[1].rstrip("'")))
    known_settings({name for name in environ(read) if name.startswith("GUICHET_")})
    assert read["Service"]["User"] == "guichet"
    assert read["Service"]["EnvironmentFile"] == "/etc/guichet/guichet.env"
    assert read["Service"]["NoNewPrivileges"] == "yes"
    assert read["Service"]["ProtectSystem"] == "strict"
    if read["Service"]["Type"] != "oneshot":
        assert int(read["Service"]["TimeoutStopSec"]) > Settings().stop_within + 5


@pytest.mark.parametrize(
    "path", [one for one in UNITS if one.suffix == ".service"], ids=lambda path: str(path.relative_to(FOLDER))
)
def test_a_service_leaves_the_data_folder_to_its_account(path: Path) -> None:
    """systemd sets the mode at each start of each unit, 0755 where the unit names none."""
    service = unit(path)["Service"]
    assert service["StateDirectory"] == "guichet"
    assert service["StateDirectoryMode"] == "0700"


def test_what_asks_about_weaknesses_writes_where_the_doctor_looks() -> None:
    service = unit(BESIDE)["Service"]
    said = shlex.split(service["ExecStart"])
    assert said[-1] == f"/var/lib/{service['StateDirectory']}/{checkup.WEAKNESSES}"
    assert environ(unit(FOLDER / "guichet-backup.service"))["GUICHET_DATA"] == str(Path(said[-1]).parent)
    assert "--strict" in said, "who was not answered fails"
    assert service["User"] == "guichet"
    assert service["ProtectSystem"] == "strict"


def test_the_timer_wakes_a_service() -> None:
    for path in (one for one in UNITS if one.suffix == ".timer"):
        assert path.with_suffix(".service").exists()
        assert unit(path)["Timer"]["OnCalendar"]


def lines_of(path: Path) -> dict[str, str]:
    lines = path.read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_the_settings_of_the_example_mean_something() -> None:
    said = lines_of(FOLDER / "guichet.env")
    known_settings(set(said))
    read = Settings.from_environment({name: value for name, value in said.items() if not name.endswith("_FILE")})
    assert read.https
    assert read.hosts
    assert "GUICHET_PORTAL" in said
    assert all(value.startswith('"') for value in said.values() if " " in value)  # a shell reads it too
    assert read.follow is not None
    assert read.follow.signed


# -- three database machines -------------------------------------------------------------------------------------------


def of_the_database(address: str) -> dict[str, Any]:
    """The parts of an address that name a server, its checks and its account."""
    return {name: value for name, value in conninfo.conninfo_to_dict(address).items() if value}


def test_the_settings_of_a_cluster_replace_those_of_one_machine() -> None:
    base, said = lines_of(FOLDER / "guichet.env"), lines_of(CLUSTER / "guichet.env")
    known_settings({name for name in said if name != "DATABASE_URL"})
    assert [
        value for value in said.values() if re.search("[ &]", value) and value[0] != '"'
    ] == []  # a shell reads it too
    del base["GUICHET_DATABASE_URL_FILE"]
    whole = {name: value.strip('"') for name, value in (base | said).items() if not name.endswith("_FILE")}
    read = Settings.from_environment(whole)
    assert read.proxies == 1
    address = of_the_database(read.database)
    assert address["host"] == "db1,db2,db3"
    assert address["target_session_attrs"] == "read-write"
    assert address["sslmode"] == "verify-full"
    assert "password" not in address


def test_the_times_of_a_cluster_grow() -> None:
    """The next party waits longer than the one before it, or it would give up on an answer that comes."""
    patroni = yaml.safe_load((CLUSTER / "patroni.yml").read_text("utf-8"))["bootstrap"]["dcs"]
    address = of_the_database(lines_of(CLUSTER / "guichet.env")["DATABASE_URL"].strip('"'))
    [statement] = re.findall(r"statement_timeout=(\d+)000", OPTIONS)
    proxy = (CLUSTER / "haproxy.cfg").read_text("utf-8")
    [server] = re.findall(r"timeout server (\d+)s", proxy)
    times = [float(one) for one in (address["connect_timeout"], WAIT_LIMIT, patroni["ttl"], statement, server)]
    assert times == sorted(set(times))
    assert patroni["ttl"] >= patroni["loop_wait"] + 2 * patroni["retry_timeout"], "Patroni raises what is less"
    assert patroni["postgresql"]["parameters"]["max_connections"] >= 6 * MOST, (
        "two web machines with two processes, two workers"
    )


def test_a_cluster_acknowledges_only_what_two_servers_have() -> None:
    read = yaml.safe_load((CLUSTER / "patroni.yml").read_text("utf-8"))
    said = read["bootstrap"]["dcs"]
    assert (said["synchronous_mode"], said["synchronous_mode_strict"], said["failsafe_mode"]) == ("quorum", True, True)
    assert read["watchdog"]["mode"] == "required"
    assert all(
        re.match("local all postgres peer|hostssl .* scram-sha-256$", one) for one in read["postgresql"]["pg_hba"]
    )
    etcd = lines_of(CLUSTER / "etcd.env")
    members = {one.partition("=")[2].removeprefix("https://") for one in etcd["ETCD_INITIAL_CLUSTER"].split(",")}
    assert {one.partition(":")[0] for one in read["etcd3"]["hosts"].split(",")} == {
        one.partition(":")[0] for one in members
    }
    assert len(members) == 3
    assert 5 * int(etcd["ETCD_HEARTBEAT_INTERVAL"]) <= int(etcd["ETCD_ELECTION_TIMEOUT"]), "etcd refuses less"


def test_the_backup_of_a_cluster_reads_a_standby() -> None:
    """Apart from the server that is read it is the backup of one machine."""
    own, base = (unit(one / "guichet-backup.service") for one in (CLUSTER, FOLDER))
    given, asked = (dict(read["Service"]) for read in (own, base))
    said, plain = given.pop("ExecStart"), asked.pop("ExecStart")
    assert given == asked
    assert said.endswith(plain)
    [address] = re.findall(r'"DATABASE_URL=(\S+)"', said)
    web = of_the_database(lines_of(CLUSTER / "guichet.env")["DATABASE_URL"].strip('"'))
    assert of_the_database(address) == {**web, "target_session_attrs": "prefer-standby"}


def test_the_proxy_of_a_cluster_says_what_the_portal_believes() -> None:
    text = (CLUSTER / "haproxy.cfg").read_text("utf-8")
    assert set(re.findall(r"set-header (\S+)", text)) == {
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
        "X-Request-Id",
    }
    [form] = re.findall(r'log-format "(.*)"', text)
    assert set(form.split()) == {"%tr", "%ID", "%HM", "%ST", "%Ta", "%s"}, "neither an address nor a path"
    assert "option httpchk GET /readyz?of=process\n" in text
    assert "retry-on conn-failure" in text, "a request that was sent is never sent again"
    assert re.findall(r"http-error status (\d+) .* file /etc/haproxy/away.html hdr Retry-After 5", text) == [
        "502",
        "503",
        "504",
    ]
    [most] = re.findall(r"sc0_conn_cur gt (\d+)", text)
    assert 100 <= int(most) <= _AT_ONCE // 4
    [all_of_it], shares = (
        re.findall(r"^    maxconn (\d+)", text, re.MULTILINE),
        re.findall(r"connection reject if { sc1_conn_cur gt (\d+) }", text),
    )
    assert [10 * int(one) <= int(all_of_it) for one in shares] == [True, True], "in each frontend, before a request"
    [held], [long] = (
        re.findall(r"tune.bufsize (\d+)", text),
        re.findall(r"hdr_val\(content-length\) gt (\d+) } or", text),
    )
    assert int(long) < int(held), "what is not long is held whole"
    few = re.findall(r"maxconn (\d+) track web/web\d", text)
    assert [2 * int(one) <= _AT_ONCE for one in few] == [True, True]
    assert "option http-buffer-request\n" in text.partition("backend web")[2].partition("backend long")[0]
    plain = text[text.index("frontend plain") : text.index("frontend people")]
    for asked in (
        "deny_status 403 unless { method GET HEAD }",
        "path_beg /retours/",
        "return status 404 if { path /metrics }",
    ):
        assert asked in plain


def test_make_failover_plays_these_files(tmp_path: Path) -> None:
    """Nothing is left of other machines, of TLS and of the folders of a system; what decides who leads stays as it is."""
    made = [patroni_settings(place, tmp_path) for place in range(3)]
    etcd = [etcd_settings(place, tmp_path) for place in range(3)]
    text = json.dumps([made, etcd]) + proxy_settings([7001, 7002], tmp_path) + database_address()
    text = re.sub(r"^ *#.*", "", text, flags=re.MULTILINE)
    assert re.findall(r"10\.0\.0|https:|ssl ?_?cert|/etc/|/var/|hostssl|sslmode", text) == []
    documented = yaml.safe_load((CLUSTER / "patroni.yml").read_text("utf-8"))["bootstrap"]
    assert [one["bootstrap"] for one in made] == [documented] * 3
    assert len({one["postgresql"]["listen"] for one in made} | {one["ETCD_LISTEN_PEER_URLS"] for one in etcd}) == 6
    ten = Counter(order(10, seed=3))
    assert ten == {"server killed": 3, "machine lost": 3, "switchover": 2, "frozen": 1, "quorum lost": 1}
    assert order(10, seed=3) != order(10, seed=4)


def test_make_failover_leaves_no_frozen_process(tmp_path: Path) -> None:
    own = tmp_path / "etcd1"
    own.mkdir()
    with start(own, ["sleep", "60"]) as process:
        while process.pid not in processes(own):
            time.sleep(0.01)
        signal_all(own, signal.SIGSTOP)
        end_all(own)
        assert process.wait(5) == -signal.SIGKILL


# -- containers --------------------------------------------------------------------------------------------------------


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n", " ", (FOLDER / "Containerfile").read_text("utf-8"))
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines)]


def test_every_file_that_the_settings_name_is_made_by_the_page_of_installation() -> None:
    page = (ROOT / "docs" / "installation.md").read_text("utf-8")
    named = re.findall(r"=(/etc/guichet/[\w.]+\.\w+)$", (FOLDER / "guichet.env").read_text("utf-8"), re.MULTILINE)
    assert len(named) >= 3
    assert {one for one in named if one not in page} == set()
    portal = read_portal(FOLDER / "portal.toml")
    assert set(portal.missing()) == {"emblem", "phone", "hours", "report"}


def test_the_container_is_made_of_what_there_is() -> None:
    said = instructions()
    for name, rest in said:
        if name == "COPY" and "--from" not in rest:
            for source in shlex.split(rest)[:-1]:
                assert (ROOT / source).exists(), source
    last = dict(said)
    entry, command = yaml.safe_load(last["ENTRYPOINT"]), yaml.safe_load(last["CMD"])
    assert entry == ["guichet"]
    started(command)
    assert last["USER"] != "root"
    assert last["STOPSIGNAL"] == "SIGTERM"
    assert last["WORKDIR"] == "/srv/guichet"
    assert any(rest == "procedures /srv/guichet/procedures" for name, rest in said if name == "COPY")
    known_settings(set(re.findall(r"\b(GUICHET_\w+)=", last["ENV"])))
    check = last["HEALTHCHECK"]
    compile(yaml.safe_load(check[check.index("[") :])[2], "healthcheck", "exec")
    assert "/healthz" in check


def test_what_is_left_out_of_the_image() -> None:
    """Everything but what the Containerfile copies: the builder gets neither the history, nor data, nor secrets."""
    first, *others = [
        line
        for line in (FOLDER / "Containerfile.dockerignore").read_text("utf-8").splitlines()
        if line[:1] not in {"", "#"}
    ]
    copied = {
        source
        for name, rest in instructions()
        if name == "COPY" and "--from" not in rest
        for source in shlex.split(rest)[:-1]
    }
    assert first == "*"
    assert {line[1:] for line in others if line.startswith("!")} == copied
    assert "procedures/registers" in others, "invented answers of registers: without a file a register says unavailable"
    assert (ROOT / "procedures/registers").is_dir()


def test_what_is_packed_is_what_the_commands_need() -> None:
    """The wheel holds the front door too: without it no server starts."""
    packed = re.search(r"only-include = (\[.*?\])", (ROOT / "pyproject.toml").read_text("utf-8"))
    assert packed
    assert set(yaml.safe_load(packed[1])) == {"engine", "renderers", "server.py"}


def test_the_composition() -> None:
    read = yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))
    for service in read["services"].values():
        assert set(service.get("secrets", ())) <= read["secrets"].keys()
        named = {one.partition(":")[0] for one in service.get("volumes", ()) if not one.startswith("./")}
        assert named <= read["volumes"].keys()
        for needed in service.get("depends_on", {}):
            assert "healthcheck" in read["services"][needed]
    web, worker = read["services"]["web"], read["services"]["worker"]
    started(worker["command"])
    build = web["build"]
    assert (FOLDER / build["context"] / build["dockerfile"]).resolve() == FOLDER / "Containerfile"
    assert web["read_only"]
    assert web["cap_drop"] == ["ALL"]
    assert int(web["stop_grace_period"].rstrip("s")) > Settings().stop_within + 5
    said = dict(instructions())["HEALTHCHECK"]
    asked = yaml.safe_load(said[said.index("[") :])[2]
    assert web["healthcheck"]["test"] == ["CMD-SHELL", f'python -c "{asked}"'], (
        "podman's own images keep no HEALTHCHECK"
    )
    for port in web["ports"]:
        assert port.startswith("127.0.0.1:"), "a proxy stands in front"
    known_settings(set(web["environment"]))
    inside = {one.partition(":")[2] for one in web["volumes"]}
    assert {"/keys", "/checkpoints", "/data"} == inside
    for name, value in web["environment"].items():
        if name.endswith("_FILE"):
            assert value.removeprefix("/run/secrets/") in web["secrets"]


@pytest.mark.slow
def test_the_account_of_the_portal_owns_its_database_and_no_more() -> None:
    """With the rights that the composition gives it, it migrates and works; the server stays somebody else's."""
    settings = yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))["services"]["database"]
    assert "POSTGRES_USER" not in settings["environment"]
    assert "./database.sh:/docker-entrypoint-initdb.d/database.sh:ro" in settings["volumes"]
    [script] = re.findall(r"<<'SQL'\n(.*?)\nSQL\n", (FOLDER / "database.sh").read_text("utf-8"), re.DOTALL)
    name = f"guichet_test_{uuid4().hex[:12]}"
    statements = re.sub(r"\bguichet\b", name, script).replace(":'password'", f"'{name}'").splitlines()
    at = conninfo.conninfo_to_dict(server()).get("host", "")
    host = "127.0.0.1" if str(at).startswith("/") else at
    with psycopg.connect(server(), autocommit=True) as owner:
        try:
            for statement in statements:
                owner.execute(statement.encode())
            address = conninfo.make_conninfo(server(), host=host, dbname=name, user=name, password=name)
            with psycopg.connect(address) as own:
                rights = own.execute(
                    "SELECT rolsuper OR rolcreatedb OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
                )
                assert rights.fetchone() == (False,)
            store = open_store(address)
            store.migrate()
            with store.unit(write=True) as unit:
                unit.put_account(Account("a1", "agent", "Maire", "maire"))
            store.close()
        finally:
            owner.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
            owner.execute(f"DROP ROLE IF EXISTS {name}".encode())


def test_no_secret_is_written_in_these_files() -> None:
    for path in (one for one in FOLDER.rglob("*") if one.is_file()):
        text = path.read_text("utf-8")
        assert not re.search(r"(?i)(password|secret|token)\s*[:=]\s*['\"]?[A-Za-z0-9+/]{12,}", text), path.name
    assert "/docs/deploy/secrets/" in (ROOT / ".gitignore").read_text("utf-8").splitlines()


# -- the proxy ---------------------------------------------------------------------------------------------------------


def test_the_proxy_says_what_the_portal_believes(tmp_path: Path) -> None:
    text = (FOLDER / "nginx.conf").read_text("utf-8")
    assert text.count("{") == text.count("}")
    handed = set(re.findall(r"proxy_set_header (\S+)", text))
    assert handed == {"Connection", "Host", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Request-Id"}
    [form] = re.findall(r"log_format guichet '([^']*)'", text)
    assert not {"$request", "$request_uri", "$args", "$remote_addr", "$http_referer", "$uri"} & set(form.split())
    world = a_world(tmp_path)
    client = create_app(Settings(data=tmp_path, proxies=1), world.office, world.operator).test_client()
    name = "0123456789abcdef" * 2  # as nginx makes `$request_id`
    assert client.get("/aide", headers={"X-Request-Id": name}).headers["X-Request-Id"] == name


def test_the_proxy_bounds_the_requests_of_one_address() -> None:
    """Below what a process of the portal takes, and above what the many people behind one address of an operator need at once."""
    text = re.sub(r"#.*", "", (FOLDER / "nginx.conf").read_text("utf-8"))
    _, secure = text.split("server {")[1:]
    most = min(re.findall(r"limit_conn guichet_clients (\d+);", secure), key=int)
    assert 100 <= int(most) <= _AT_ONCE // 4
    assert "limit_conn_zone $guichet_client zone=guichet_clients:" in text
    assert "limit_conn_status 429;" in secure


def test_files_are_taken_where_a_form_has_them_and_little_elsewhere(tmp_path: Path) -> None:
    text = (FOLDER / "nginx.conf").read_text("utf-8")
    [taking] = re.findall(r'location ~ "(.*)" \{\n\s+client_max_body_size 50m;', text)
    assert re.findall(r"^    client_max_body_size (\S+);", text, re.MULTILINE) == ["1m"]
    world = a_world(tmp_path)
    app = create_app(Settings(data=tmp_path), world.office, world.operator)
    posts = [rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())]
    taken = {rule.endpoint for rule in posts if re.search(taking, re.sub(r"<[^>]+>", "x", rule.rule))}
    assert taken - {"rows.remove", "counter_rows.remove"} == TAKE_FILES
    read = {one.stem for one in (ROOT / "renderers/web").rglob("*.py") if "request.files" in one.read_text("utf-8")}
    assert read == READ_FILES, "a form that takes files: nginx.conf must let them through"
    assert LARGEST_PIECE < 1 << 20
    assert LARGEST_BODY < 50 << 20


def nginx(folder: Path, port: int, behind: int = 9) -> str:
    """The documented file inside a main one with what its head asks for. `behind`: the port of the portal, none by default."""
    text = (FOLDER / "nginx.conf").read_text("utf-8")
    head = "\n".join(re.findall(r"^#     (.*)$", text, re.MULTILINE))
    secret = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "guichet.example")]), datetime.now(UTC)
    paper = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(secret.public_key())
    paper = paper.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    (folder / "fullchain.pem").write_bytes(paper.sign(secret, hashes.SHA256()).public_bytes(Encoding.PEM))
    kept = secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "privkey.pem").write_bytes(kept)
    text = re.sub(r"/etc/letsencrypt/live/guichet.example|/var/log/nginx|/var/cache/nginx", str(folder), text)
    text = text.replace("listen 80;", f"listen 127.0.0.1:{port + 1};").replace("127.0.0.1:8000", f"127.0.0.1:{behind}")
    text = text.replace("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    user = "" if os.geteuid() else "user root;"  # who else may write in a folder of the tests?
    return f"{user} pid {folder}/pid; error_log {folder}/error.log; daemon off;\n{head}\nhttp {{ {paths}\n{text} }}\n"


@pytest.fixture
def proxy(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of the documented proxy, in front of the portal of a test that asks for one."""
    tmp_path.chmod(0o755)
    behind = request.getfixturevalue("portal").server_port if "portal" in request.fixturenames else 9
    port = 20_000 + 2 * (os.getpid() % 5_000)
    (tmp_path / "main.conf").write_text(nginx(tmp_path, port, behind), "utf-8")
    command = [program(), "-c", str(tmp_path / "main.conf"), "-e", str(tmp_path / "error.log")]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    with subprocess.Popen(command) as process:
        _until_it_listens(port)
        yield port
        process.terminate()


def _until_it_listens(port: int) -> None:
    for _ in range(200):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
            return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on {port}")


SHARED_PAGE, OWN_PAGE = "public, max-age=60", "no-store"


class Portal(ThreadingHTTPServer):
    """Counts what reaches the portal; each path is answered with its own headers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.asked: list[str] = []
        self.meeting: threading.Barrier | None = None  # requests that have to be here at once


class Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Portal)
        self.server.asked.append(self.path)
        if self.server.meeting is not None:
            self.server.meeting.wait(3)
        self.send_response(404 if self.path == "/absent" else 200)
        self.send_header("Cache-Control", OWN_PAGE if self.path == "/own" else SHARED_PAGE)
        if self.path == "/form":
            self.send_header("Set-Cookie", "session=1")
        if self.path.startswith("/demarches?"):
            self.send_header("Content-Security-Policy", "default-src 'none';" * 50)  # as long a head as ours
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def portal() -> Iterator[Portal]:
    with Portal() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize(
    ("path", "headers", "made"),
    [
        ("/", "", 1),
        ("/", "Cookie: guichet=1\r\n", 3),
        ("/", "Authorization: Basic eA==\r\n", 3),
        ("/?q=passeport", "", 3),
        ("/own", "", 3),
        ("/form", "", 3),
        ("/absent", "", 3),
    ],
)
def test_the_proxy_caches_pages_equal_for_all_visitors(
    proxy: int, portal: Portal, path: str, headers: str, made: int
) -> None:
    for _ in range(3):
        said, _seconds = through(
            proxy, f"GET {path} HTTP/1.1\r\nHost: guichet.example\r\n{headers}Connection: close\r\n\r\n".encode()
        )
        assert said.startswith(b"HTTP/1.1 404" if path == "/absent" else b"HTTP/1.1 200"), said
    assert portal.asked == [path] * made


def test_new_visitors_do_not_wait_for_each_other_before_a_form(proxy: int, portal: Portal) -> None:
    asked = b"GET /form HTTP/1.1\r\nHost: guichet.example\r\nConnection: close\r\n\r\n"
    portal.meeting = threading.Barrier(3)
    with ThreadPoolExecutor(3) as visitors:
        told = list(visitors.map(lambda _: through(proxy, asked)[0], range(3)))
    assert told == [b"HTTP/1.1 200 OK"] * 3
    assert not portal.meeting.broken


def through(port: int, sent: bytes) -> tuple[bytes, float]:
    """What comes back, and after how many seconds the proxy closes."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    line = socket.create_connection(("127.0.0.1", port), 30)
    with context.wrap_socket(line, server_hostname="guichet.example") as secure:
        began, said = time.monotonic(), b""
        secure.sendall(sent)
        with suppress(OSError):
            while more := secure.recv(65_536):
                said += more
        return said.partition(b"\r\n")[0], time.monotonic() - began


@pytest.mark.slow
def test_the_proxy_holds_neither_half_sent_headers_nor_large_bodies(proxy: int) -> None:
    head = b"POST %s HTTP/1.1\r\nHost: guichet.example\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    _, held = through(proxy, b"GET / HTTP/1.1\r\nHost: guichet.example\r\nX-A: ")
    assert held < 10
    large = 2 << 20
    answer, _ = through(proxy, head % (b"/connexion", large))
    assert answer == b"HTTP/1.1 413 Request Entity Too Large"
    answer, _ = through(proxy, head % (b"/dossiers/26000000001/demande/identite", large) + b"a" * large)
    assert answer == b"HTTP/1.1 502 Bad Gateway", "handed on to the portal, which is not there"


@pytest.mark.slow
def test_slow_senders_of_files_keep_nobody_of_their_address_from_a_small_form(proxy: int) -> None:
    head = (
        b"POST /dossiers/26000000001/demande/identite HTTP/1.1\r\nHost: guichet.example\r\nContent-Length: %d\r\n\r\n"
    )
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with ExitStack() as held:
        for _ in range(60):
            line = held.enter_context(socket.create_connection(("127.0.0.1", proxy), 30))
            secure = held.enter_context(context.wrap_socket(line, server_hostname="guichet.example"))
            secure.sendall(head % (2 << 20) + b"a")
        small = head.replace(b"Content-Length", b"Connection: close\r\nContent-Length")
        assert through(proxy, small % 4 + b"a=bc")[0] == b"HTTP/1.1 502 Bad Gateway"
        assert through(proxy, small % (2 << 20))[0].startswith(b"HTTP/1.1 429 ")


@pytest.mark.slow
def test_many_addresses_together_do_not_fill_the_disk_of_the_proxy(proxy: int) -> None:
    head = b"POST /dossiers/26000000001/demande/acte HTTP/1.1\r\nHost: guichet.example\r\nContent-Length: %d\r\n"
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with ExitStack() as held:
        for sender in range(400):
            source = f"127.0.7.{1 + sender // 50}"
            line = held.enter_context(socket.create_connection(("127.0.0.1", proxy), 30, (source, 0)))
            secure = held.enter_context(context.wrap_socket(line, server_hostname="guichet.example"))
            secure.sendall(head % (2 << 20) + b"\r\na")
        close = b"Connection: close\r\n\r\n"
        assert through(proxy, head % (2 << 20) + close)[0].startswith(b"HTTP/1.1 429 "), "from an address of its own"
        assert through(proxy, head % 4 + close + b"a=bc")[0] == b"HTTP/1.1 502 Bad Gateway"


@pytest.mark.slow
@pytest.mark.parametrize("method", [b"GET", b"PUT"])
def test_only_a_post_brings_a_large_body(proxy: int, method: bytes) -> None:
    """Other methods are not counted as senders: they held 200 bodies of 50 MB of one address."""
    head = (
        method
        + b" /dossiers/26000000001/demande/identite?a=%2F HTTP/1.1\r\nHost: guichet.example\r\nConnection: close\r\n"
    )
    assert through(proxy, head + b"Content-Length: 2097152\r\n\r\n")[0].startswith(b"HTTP/1.1 413 ")
    pieces = b"Transfer-Encoding: chunked\r\n\r\n" + (b"40000\r\n" + b"a" * 0x40000 + b"\r\n") * 5
    assert through(proxy, head + pieces)[0].startswith(b"HTTP/1.1 413 ")


@pytest.mark.slow
def test_a_request_without_a_large_body_is_handed_on_as_it_came(proxy: int, portal: Portal) -> None:
    path = "/dossiers/26000000001/demande/identite?a=%2F&b=c"
    said = f"GET {path} HTTP/1.1\r\nHost: guichet.example\r\nConnection: close\r\n\r\n"
    assert through(proxy, said.encode())[0] == b"HTTP/1.1 200 OK"
    assert portal.asked == [path]


@pytest.mark.slow
def test_no_log_of_the_proxy_holds_an_address_while_the_portal_is_away(proxy: int, tmp_path: Path) -> None:
    """A link to a document opens it to each reader of the link."""
    said = b"GET /p/lien-secret HTTP/1.1\r\nHost: guichet.example\r\nConnection: close\r\n\r\n"
    assert through(proxy, said)[0] == b"HTTP/1.1 502 Bad Gateway"
    large = said.replace(b"GET", b"POST").replace(b"\r\n\r\n", b"\r\nContent-Length: 2097152\r\n\r\n")
    assert through(proxy, large)[0].startswith(b"HTTP/1.1 413 ")
    with socket.create_connection(("127.0.0.1", proxy + 1), 30) as plain:  # a person who types the address
        plain.sendall(said)
        assert plain.makefile("rb").read().startswith(b"HTTP/1.1 301 ")  # to its end: the proxy logs before it closes
    logs = {path.name: path.read_text("utf-8") for path in tmp_path.glob("*.log")}
    assert "GET 502" in logs["guichet.log"]
    assert "GET 301" in logs["guichet.log"], "not in that of every site, which holds addresses"
    for said_there in logs.values():
        assert "lien-secret" not in said_there
        assert "127.0.0.1," not in said_there


@pytest.mark.slow
def test_a_long_address_is_answered(proxy: int, portal: Portal) -> None:
    """The address precedes the head of the answer in the buffer of the cache."""
    said = f"GET /demarches?q={'a' * 3000} HTTP/1.1\r\nHost: guichet.example\r\nConnection: close\r\n\r\n"
    assert through(proxy, said.encode())[0] == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("203.0.113.7", None),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2:"),
        ("2001:db8:1:2::6", "2001:db8:1:2:"),
        ("2001:db8::6", "2001:db8::"),
        ("2001:db8:1::6", "2001:db8:1::"),
        ("::1", "::"),
    ],
)
def test_the_proxy_counts_an_ipv6_client_by_its_64(address: str, key: str | None) -> None:
    """By the text of the address: the same key for a whole /64, a network with zeros in its name included."""
    text = (FOLDER / "nginx.conf").read_text("utf-8")
    patterns = [one.replace("(?<", "(?P<") for one in re.findall(r'"~(\S+)"\s+\$guichet_', text)]
    assert len(patterns) == 3
    found = next((match[1] for one in patterns[:2] if (match := re.search(one, address))), None)
    assert found == key


def test_the_proxy_speaks_tls_to_everybody_and_leads_no_machine_to_it() -> None:
    text = re.sub(r"#.*", "", (FOLDER / "nginx.conf").read_text("utf-8"))
    plain, secure = (one for one in text.split("server {")[1:])
    assert "listen 80;" in plain
    assert "proxy_pass" not in plain
    for asked in ("location /retours/ { return 403; }", "location = /metrics { return 404; }", "^(GET|HEAD)$"):
        assert asked in plain
    assert "listen 443 ssl;" in secure
    assert re.findall(r"ssl_protocols (.*);", secure) == ["TLSv1.2 TLSv1.3"]
    [ciphers] = re.findall(r"ssl_ciphers (.*);", secure)
    assert all(re.fullmatch(r"ECDHE\+(AESGCM|CHACHA20)", one) for one in ciphers.split(":"))


def test_what_an_installation_runs_on_is_pinned_with_hashes() -> None:
    """Every dependency that the project declares, at a version it accepts; no file without its hash, no address of a registry."""
    text = (FOLDER / "requirements.txt").read_text("utf-8")
    assert "://" not in text
    assert "/opt/" not in text
    blocks = re.findall(
        r"^([a-z0-9][a-z0-9._-]*)==(\S+) ((?:\\\n    --hash=sha256:[0-9a-f]{64} ?)+)$", text, re.MULTILINE
    )
    pinned = {name: version for name, version, _ in blocks}
    assert len(pinned) == len([line for line in text.splitlines() if "==" in line])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for line in project["dependencies"]:
        wanted = Requirement(line)
        assert pinned[canonicalize_name(wanted.name)] in wanted.specifier, line


def test_the_command_takes_the_settings_of_a_rehearsal(tmp_path: Path) -> None:
    stub = tmp_path / "runuser"
    stub.write_text('#!/bin/sh\nshift 3\nexec "$@"\n')  # runuser -u guichet --
    stub.chmod(0o755)
    text = (FOLDER / "guichet.sh").read_text().replace("/var/lib/guichet", str(tmp_path))
    text = text.replace("/etc/guichet", str(tmp_path)).replace("/opt/guichet/bin/guichet", "echo $GUICHET_DATA")
    (tmp_path / "guichet.env").write_text("GUICHET_DATA=real\n")
    (tmp_path / "other.env").write_text("GUICHET_DATA=rehearsal\n")
    for settings, answer in ({}, "real fsck\n"), ({"SETTINGS": str(tmp_path / "other.env")}, "rehearsal fsck\n"):
        env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", **settings}
        assert (
            subprocess.run(["sh", "-c", text, "guichet", "fsck"], env=env, capture_output=True, text=True).stdout
            == answer
        )
