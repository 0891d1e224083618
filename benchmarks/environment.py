"""The environment of the peers: made once, in `var/peers`, from the extra `bench` of `pyproject.toml`. What both sides use has the
version of ours."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from benchmarks.portal import ROOT

PLACE = ROOT / "var" / "peers"
SHARED = ("flask", "flask-wtf", "jinja2", "waitress", "werkzeug", "wtforms")


def peers() -> Path:
    """The Python of that environment."""
    python, mark = PLACE / "bin" / "python", PLACE / ".made-from"
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]["bench"]
    wanted = sorted([*extra, *(f"{name}=={version(name)}" for name in SHARED)])
    made_from = sha256("\n".join(wanted).encode()).hexdigest()
    if not mark.is_file() or mark.read_text() != made_from:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(PLACE)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted]
        subprocess.run(install, check=True)
        mark.write_text(made_from)
    return python


if __name__ == "__main__":
    print(peers())
