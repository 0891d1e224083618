"""Re-encrypts the files of a folder with the newest key, in a process that a test may kill.

python -m tests.faults.key_rotation FOLDER DOSSIER:DIGEST…
"""

from __future__ import annotations

import sys
from pathlib import Path

from engine.storage.files.attachments import AttachmentStore
from engine.storage.files.encryption import FileKeys


def opened(folder: Path) -> AttachmentStore:
    """The files of a folder, as another process opens them: nothing is remembered."""
    return AttachmentStore(folder / "files", FileKeys.open(folder / "keys.json"))


if __name__ == "__main__":
    where, *places = sys.argv[1:]
    store = opened(Path(where))
    print("ready", flush=True)
    for place in places:
        dossier, _, digest = place.partition(":")
        store.rewrap([(dossier, digest)])
        print(place, flush=True)
