"""A real nginx for the tests of the documented proxy; installed when it is not there (Debian's package). Missing, it fails the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys


def program() -> str:
    """The path of nginx. Raises RuntimeError when it is not installed."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found is None:
        raise RuntimeError("nginx is not here; run `make proxy`, or `apt-get install nginx-light`")
    return found


def install() -> None:
    """Installs nginx without starting it. Asks for root when it is missing."""
    if shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin"):
        return
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    subprocess.run([*sudo, "apt-get", "update", "-qq"], check=True)
    quiet = [*sudo, "env", "RUNLEVEL=1", "apt-get", "install", "-y", "-qq", "--no-install-recommends", "nginx-light"]
    subprocess.run(quiet, check=True)


if __name__ == "__main__" and "--install" in sys.argv:
    install()
