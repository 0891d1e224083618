"""The environment of what we are measured beside: made once, in `var/peers`, from `requirements.txt`."""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from benchmarks.portal import ROOT

PLACE = ROOT / "var" / "peers"
WANTED = Path(__file__).with_name("requirements.txt")


def peers() -> Path:
    """The Python of that environment."""
    python, mark = PLACE / "bin" / "python", PLACE / ".made-from"
    wanted = sha256(WANTED.read_bytes()).hexdigest()
    if not mark.is_file() or mark.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", str(PLACE)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(WANTED)]
        subprocess.run(install, check=True)
        mark.write_text(wanted)
    return python


if __name__ == "__main__":
    print(peers())
