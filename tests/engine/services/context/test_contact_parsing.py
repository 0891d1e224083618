"""Phone numbers are read without loading anything at the first one of a country."""

from __future__ import annotations

import subprocess
import sys

_READS = """
import sys
from engine.services.context.contact_parsing import read_phone
sys.meta_path.insert(0, type("Gone", (), {"find_spec": lambda *_: (_ for _ in ()).throw(ModuleNotFoundError("replaced"))}))
print(*map(read_phone, ("90112233", "+33612345678", "+81312345678", "+33612345678")))
"""


def test_a_country_whose_file_is_being_replaced_holds_no_thread() -> None:
    """The library keeps its lock when a file cannot be read: the second number waited for ever."""
    said = subprocess.run([sys.executable, "-c", _READS], capture_output=True, text=True, timeout=60, check=False)
    assert said.stdout.split() == ["+22890112233", "+33612345678", "+81312345678", "+33612345678"], said.stderr
