"""The documented cluster on one machine: the files of docs/deploy/cluster with other hosts, ports and folders, without TLS and watchdog."""

from __future__ import annotations

import json
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

import yaml

from tests.failover.children import ROOT, own_folder, start
from tests.faults.cluster import _somebody, _tool
from tests.faults.installation import patient

FILES: Final = ROOT / "docs/deploy/cluster"
HOST: Final = "127.0.0.1"
NAMES: Final = ("db1", "db2", "db3")
MACHINES: Final = ("10.0.0.21", "10.0.0.22", "10.0.0.23")  # in the files
READY: Final = 90.0  # seconds until a leader and two standbys are there
# Below those that a connection takes for itself: a server that starts again finds its port free.
SQL, REST, CLIENT, PEER, PROXY = (7300, 7303, 7306, 7309, 7312)
PASSWORDS: Final = {f"PATRONI_{role}_PASSWORD": "guichet" for role in ("SUPERUSER", "REPLICATION", "REWIND")}
_OF_TLS: Final = re.compile(r"ssl|cert|ca_file|cafile|key_?file|^key$|^protocol$|^verify_client$|^ctl$")


def local(text: str, place: int) -> str:
    """Return a file of db1 for the machine at `place`, with the ports of this machine for the addresses of the documented ones."""
    for documented, first in ((5432, SQL), (8008, REST)):
        text = text.replace(f"{MACHINES[0]}:{documented}", f"{HOST}:{first + place}")
    for other, machine in enumerate(MACHINES):
        for documented, first in ((2379, CLIENT), (2380, PEER)):
            text = text.replace(f"{machine}:{documented}", f"{HOST}:{first + other}")
    return re.sub(r"10\.0\.0\.\d+/32", f"{HOST}/32", text).replace("hostssl", "host").replace("https", "http")


def settings(name: str) -> dict[str, str]:
    """Return the lines of a file of settings."""
    lines = (FILES / name).read_text("utf-8").splitlines()
    return dict(line.replace('"', "").split("=", 1) for line in lines if line and not line.startswith("#"))


def database_address() -> str:
    """Return the documented address of the database."""
    hosts = ",".join(f"{HOST}:{SQL + place}" for place in range(len(NAMES)))
    said = settings("guichet.env")["DATABASE_URL"].replace("guichet@db1,db2,db3", f"guichet:guichet@{hosts}")
    return re.sub(r"&(ssl\w+|passfile)=[^&]*", "", said)


def patroni_settings(place: int, folder: Path) -> dict[str, Any]:
    """Return the settings of one server."""
    read = _without_tls(yaml.safe_load(local((FILES / "patroni.yml").read_text("utf-8"), place)))
    server = read["postgresql"]
    server["parameters"]["unix_socket_directories"] = str(folder)
    places = {"data_dir": folder / "data", "pgpass": folder / "pgpass", "bin_dir": _tool("postgres").parent}
    server.update({name: str(path) for name, path in places.items()})
    return {**read, "name": NAMES[place], "watchdog": {"mode": "off"}}


def _without_tls(read: Any) -> Any:
    if not isinstance(read, dict):
        return read
    return {name: _without_tls(value) for name, value in read.items() if not _OF_TLS.search(name)}


def etcd_settings(place: int, folder: Path) -> dict[str, str]:
    """Return the settings of one etcd."""
    own = {f"http://{HOST}:{first}": f"http://{HOST}:{first + place}" for first in (CLIENT, PEER)}
    said = {
        name: local(value, place) for name, value in settings("etcd.env").items() if not _OF_TLS.search(name.lower())
    }
    said = {name: own.get(value, value) for name, value in said.items()}
    return {**said, "ETCD_NAME": NAMES[place], "ETCD_DATA_DIR": str(folder / "data")}


def proxy_settings(ports: list[int], folder: Path, own: int = PROXY) -> str:
    """Return the file of HAProxy before these two web processes, at a port of its `own`, without its plain frontend."""
    text = (FILES / "haproxy.cfg").read_text("utf-8").replace("/etc/haproxy/", f"{folder}/")
    text = re.sub(r"^    (user|group|log /dev/log) ?.*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"^frontend plain\n.*?(?=^frontend)", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"bind :443 ssl .*", f"bind {HOST}:{own}", text)
    for documented, port in zip(("10.0.0.11:8000", "10.0.0.12:8000"), ports, strict=True):
        text = text.replace(documented, f"{HOST}:{port}")
    return text


@dataclass(frozen=True)
class Topology:
    """The three machines of the database with their etcd, and the proxy, in folders beneath one."""

    folder: Path

    def node(self, place: int) -> Path:
        """Return the folder of a server, and of its Patroni."""
        return self.folder / NAMES[place]

    def etcd(self, place: int) -> Path:
        """Return the folder of an etcd."""
        return self.folder / f"etcd{place + 1}"

    def begin(self) -> None:
        """Start the three machines and create the database, as docs/operation.md says."""
        for place in range(len(NAMES)):
            folder = own_folder(self.etcd(place))
            start(folder, ["etcd"], etcd_settings(place, folder))
        for place in range(len(NAMES)):
            folder = own_folder(self.node(place))
            (folder / "patroni.yml").write_text(yaml.safe_dump(patroni_settings(place, folder)), "utf-8")
            self.start_node(place)
        first = self.ready()
        for statement in (
            "CREATE ROLE guichet LOGIN PASSWORD 'guichet'",
            "CREATE DATABASE guichet OWNER guichet ENCODING 'UTF8' TEMPLATE template0",
        ):
            command = ["psql", "-h", str(self.node(first)), "-p", str(SQL + first), "-qc", statement]
            subprocess.run([*_somebody(), *command], check=True, cwd=self.folder)

    def start_node(self, place: int) -> None:
        """Start a Patroni, which starts its server."""
        start(self.node(place), ["patroni", str(self.node(place) / "patroni.yml")], PASSWORDS)

    def begin_proxy(self, ports: list[int]) -> None:
        """Start HAProxy before two web processes."""
        folder = own_folder(self.folder / "haproxy")
        (folder / "away.html").write_bytes((FILES / "away.html").read_bytes())
        (folder / "haproxy.cfg").write_text(proxy_settings(ports, folder), "utf-8")
        start(folder, ["/usr/sbin/haproxy", "-db", "-f", str(folder / "haproxy.cfg")])

    def members(self) -> list[dict[str, Any]]:
        """Return what any Patroni says of the three."""
        for place in range(len(NAMES)):
            try:
                with urlopen(f"http://{HOST}:{REST + place}/cluster", timeout=3) as answer:
                    return list(json.load(answer)["members"])
            except OSError:
                continue
        return []

    def ready(self) -> int:
        """Wait for a leader and two standbys that stream and confirm. Return the place of the leader."""
        end = time.monotonic() + patient(READY)
        while True:
            members = self.members()
            roles = sorted((one["role"], one["state"]) for one in members)
            if roles == [("leader", "running"), *[("quorum_standby", "streaming")] * 2]:
                return NAMES.index(next(one["name"] for one in members if one["role"] == "leader"))
            assert time.monotonic() < end, f"no leader with two standbys: {members}"
            time.sleep(0.25)

    def switch_over(self, leader: int) -> None:
        """Ask Patroni to give the lead to one of the others."""
        body = json.dumps({"leader": NAMES[leader]}).encode()
        with urlopen(Request(f"http://{HOST}:{REST + leader}/switchover", body), timeout=60):
            pass

    def postmaster(self, place: int) -> int:
        """Return the number of the server process."""
        return int((self.node(place) / "data/postmaster.pid").read_text("utf-8").split()[0])

    def promotions(self) -> list[float]:
        """Return when a server began to take writes, in seconds since 1970, as the servers logged it."""
        found = []
        for place in range(len(NAMES)):
            text = (self.node(place) / "log").read_text("utf-8", "replace")
            for day, rest in re.findall(
                r"^(\S+ \S+)\.(\d{3}) \S+ \[\d+\] LOG:  database system is ready to accept connections$",
                text,
                re.MULTILINE,
            ):
                found.append(time.mktime(time.strptime(day, "%Y-%m-%d %H:%M:%S")) + int(rest) / 1000)
        return sorted(found)
