"""Where the tests' real browser is; `--install` brings Debian's package when it is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
FONTS = "fonts-dejavu-core"  # in every archive of Debian's kind: who knows no package of it has no lists yet
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-default-apps",
)  # fmt: skip


def browser_path() -> str | None:
    """The browser named by CHROMIUM, else the first one installed."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def install() -> None:
    """The lighter build, which draws no window and takes a fifth less time; where there is no package of it, the whole
    browser. Who has a browser and would be asked for a password, or whose lists hold no such package, keeps it."""
    found = browser_path()
    if os.environ.get("CHROMIUM") or shutil.which(NAMES[0]) or (found and os.geteuid() != 0):
        return
    if shutil.which("apt-get") and not (found and _offered(FONTS) and not _offered(NAMES[0])):
        _apt("update")
        for package in NAMES[:1] if found else NAMES[:2]:
            _apt("install", "-y", "--no-install-recommends", package, FONTS)
            if shutil.which(package):
                return
    if not found:
        sys.exit("No Chromium here. Install one, or say where it is: CHROMIUM=/path make test")


def _offered(package: str) -> bool:
    """Whether the lists of packages, as they were last fetched, hold one."""
    told = subprocess.run(["apt-cache", "madison", package], capture_output=True, text=True)
    return "Packages" in told.stdout


def _apt(*words: str) -> None:
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    subprocess.run([*sudo, "apt-get", "-qq", *words], env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


if __name__ == "__main__" and "--install" in sys.argv:
    install()
