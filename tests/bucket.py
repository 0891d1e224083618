"""An S3-compatible service for the tests: Ceph's own gateway over a file, one a process, started when first asked for and
installed when it is not there (Debian's package). Missing, it fails the tests; it never skips them."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import obstore
from obstore.store import S3Store

from engine.storage.files.blob_store import Bucket
from tests.ports import free_port

KEY, SECRET = "guichet", "a-secret-of-the-tests"
REGION: Final = "us-east-1"
TIME_BUDGET, TRIES = 15.0, 4  # seconds; now and then, one that begins on a new file never answers
_CONF: Final = """
[global]
fsid = 00000000-0000-0000-0000-000000000001
auth_cluster_required = none
[client]
rgw backend store = dbstore
rgw config store = dbstore
dbstore config uri = file:{folder}/config.db
dbstore db dir = {folder}
dbstore db name prefix = files
rgw frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
rgw data = {folder}
run dir = {folder}
log file = {folder}/log
admin socket =
"""

_running: dict[str, Any] = {}


class Service:
    """A gateway of one's own on a free port. It may be stopped and begun again: what it keeps stays."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        for left in range(TRIES - 1, -1, -1):
            self._prepare()
            try:
                self._run(
                    "radosgw-admin", "user", "create", "--uid=guichet", "--display-name=guichet", f"--access-key={KEY}", f"--secret-key={SECRET}"
                )  # fmt: skip
                self.start()
                return
            except (subprocess.TimeoutExpired, TimeoutError):
                self.close()
                if not left:
                    raise

    def _prepare(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="guichet-bucket-"))
        self.port = free_port()
        self._conf = self.folder / "ceph.conf"
        self._conf.write_text(_CONF.format(folder=self.folder, port=self.port))

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        with (self.folder / "out").open("ab") as out:
            self._process = subprocess.Popen(
                [*self._command("radosgw"), "-f", "--setuser", "root"], stdout=out, stderr=subprocess.STDOUT
            )
        end = time.monotonic() + TIME_BUDGET
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "out").read_text()
            if time.monotonic() > end:
                raise TimeoutError("radosgw does not answer")
            time.sleep(0.05)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(self.endpoint, timeout=2).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    def _command(self, program: str) -> list[str]:
        found = shutil.which(program)
        if found is None:
            raise RuntimeError(f"no {program} on this machine; run `make bucket`")
        return [found, "-c", str(self._conf), "--no-mon-config", "-n", "client.guichet"]

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [*self._command(program), *words], capture_output=True, text=True, timeout=TIME_BUDGET, check=False
        )
        assert done.returncode == 0, done.stderr

    def a_bucket(self, prefix: str = "files", key: str = KEY, secret: str = SECRET) -> Bucket:
        """A new one, empty."""
        name = f"t{uuid4().hex[:12]}"
        there = S3Store(
            name, endpoint=self.endpoint, access_key_id=KEY, secret_access_key=SECRET, region=REGION,
            client_options={"allow_http": True},
        )  # fmt: skip
        asked = urllib.request.Request(obstore.sign(there, "PUT", "", timedelta(minutes=1)), method="PUT")
        urllib.request.urlopen(asked, timeout=10).close()
        return Bucket(f"s3://{name}/{prefix}".rstrip("/"), self.endpoint, key, secret, REGION)


def service() -> Service:
    """That of this process."""
    if not _running:
        _running["service"] = Service()
    found: Service = _running["service"]
    return found


def close_service() -> None:
    """At the end of the process."""
    if _running:
        _running.pop("service").close()


@cache
def install() -> None:
    """What a fresh machine needs. Asks for root when the package is missing."""
    if shutil.which("radosgw") is None or shutil.which("radosgw-admin") is None:
        subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", "radosgw", "ceph-common"], check=True)


if __name__ == "__main__":
    if "--install" in sys.argv:
        install()
    print(shutil.which("radosgw") or "radosgw is not here")
