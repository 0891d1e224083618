"""The parallel check of many files, one process per processor, for the first read of a large folder.

Each process runs this file with a folder. It receives names and stamps, and prints the rows of an index.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Final

from engine.language.catalogue.check import check_definition
from engine.language.catalogue.index import IndexedFile, Stamp, read_line, write_line
from engine.language.compiler.shared_files import load_shared

MANY: Final = 100  # fewer files are read faster without other processes


def check_many(folder: Path, files: Mapping[str, Stamp]) -> Iterator[tuple[str, IndexedFile]]:
    """Yield the result of each file, its procedure unloaded. The caller reads files that no process could read."""
    persons, names = os.cpu_count() or 1, list(files)
    if len(names) < MANY or persons < 2:
        return
    where = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONIOENCODING": "utf-8"}
    with ExitStack() as open_, suppress(OSError):
        started = []
        for person in range(persons):
            asked, reported = open_.enter_context(TemporaryFile()), open_.enter_context(TemporaryFile())
            asked.write(json.dumps({name: files[name] for name in names[person::persons]}).encode())
            asked.seek(0)
            command = [sys.executable, "-m", "engine.language.catalogue.parallel", str(folder)]
            run = subprocess.Popen(command, stdin=asked, stdout=reported, stderr=subprocess.DEVNULL, env=where)
            started.append((run, reported))
        for run, reported in started:
            if run.wait() == 0:
                reported.seek(0)
                yield from (read_line(line, folder) for line in reported.read().decode().splitlines())


def _check(folder: Path, files: Mapping[str, Any]) -> Iterator[str]:
    """The rows of an index. A file that has disappeared has none."""
    shared, _ = load_shared(folder)
    for name, stamp in files.items():
        with suppress(OSError):
            data = (folder / name).read_bytes()
            checked = check_definition(data, str(folder / name), shared, served=True)
            seen = IndexedFile.of(int(stamp), hashlib.sha256(data).digest(), checked, checked.procedure)
            yield write_line(name, seen, folder)


if __name__ == "__main__":
    for line in _check(Path(sys.argv[1]), json.load(sys.stdin)):
        print(line)
