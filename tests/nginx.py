"""The real proxies of the tests: nginx, documented for one machine, and HAProxy, documented for several.

`python -m tests.nginx --install [haproxy]` installs one that is missing (Debian's packages). Missing, it fails the tests.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import Final

_PACKAGES: Final = {"nginx": "nginx-light", "haproxy": "haproxy"}


def program(name: str = "nginx") -> str:
    """The path of a proxy. Raises RuntimeError when it is not installed."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None:
        raise RuntimeError(f"{name} is not here; run `make proxy`, or `apt-get install {_PACKAGES[name]}`")
    return found


def install(name: str = "nginx") -> None:
    """Installs a proxy without starting it. Asks for root when it is missing."""
    if shutil.which(name) or shutil.which(name, path="/usr/sbin"):
        return
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    subprocess.run([*sudo, "apt-get", "update", "-qq"], check=True)
    quiet = [*sudo, "env", "RUNLEVEL=1", "apt-get", "install", "-y", "-qq", "--no-install-recommends", _PACKAGES[name]]
    subprocess.run(quiet, check=True)


if __name__ == "__main__" and "--install" in sys.argv:
    install(*sys.argv[2:])
