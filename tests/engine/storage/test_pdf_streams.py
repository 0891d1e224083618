"""Streams of a PDF are decoded as others encode them, in pieces of any size; and no paper makes the reader hold much, or long."""

from __future__ import annotations

import base64
import random
import subprocess
import sys
import time
import zlib
from itertools import chain
from pathlib import Path

import pytest
from pypdf._codecs._codecs import LzwCodec

from engine.storage.files import pdf_streams
from engine.storage.files.inspection import Rejected, judged
from tests.faults.hostile_files import KEPT, bombs, slow_papers, slow_pictures

ROOT = Path(__file__).resolve().parents[3]
HELD = 128 * 1024  # kilobytes that reading one paper may add to a process
_CHILD = """
import os, resource, sys
from engine.storage.files.content import Rejected
from engine.storage.files.pdfs import read_through
from tests.engine.services.world import pdf
read_through(pdf())
for path in sys.argv[1:]:  # each in a process of its own, which begins with what is loaded here
    if (child := os.fork()) == 0:
        data = open(path, "rb").read()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            read_through(data)
        except Rejected:
            pass
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, flush=True)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 7, 65_536])
@pytest.mark.parametrize("length", [0, 1, 5, 300, 60_000])
def test_each_filter_decodes_what_others_encode(length: int, size: int) -> None:
    chance = random.Random(length)
    for data in (chance.randbytes(length), b"\0" * length, bytes(chance.choice(b"ab") for _ in range(length))):
        said = {
            "/FlateDecode": zlib.compress(data),
            "/LZWDecode": LzwCodec().encode(data),
            "/ASCII85Decode": base64.a85encode(data) + b"~>",
            "/A85": base64.a85encode(data, adobe=True, wrapcol=70),
            "/ASCIIHexDecode": data.hex(" ").encode() + b">",
            "/RunLengthDecode": b"".join(bytes((len(one) - 1,)) + one for one in cut(data, 128)) + b"\x80",
        }
        for name, encoded in said.items():
            assert b"".join(pdf_streams._FILTERS[name](cut(encoded, size))) == data, name


@pytest.mark.slow
def test_no_paper_makes_the_reader_hold_much(tmp_path: Path) -> None:
    files = list(bombs())
    paths = [tmp_path / f"{number}.pdf" for number in range(len(files))]
    for path, file in zip(paths, files, strict=True):
        path.write_bytes(file.data)
    told = subprocess.run(
        [sys.executable, "-c", _CHILD, *map(str, paths)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for file, held in zip(files, told.stdout.split(), strict=True):
        assert int(held) < HELD, file.case


def test_no_file_is_judged_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_streams, "MOST_SECONDS", 0.5)
    for file in chain(slow_papers(), slow_pictures()):
        began, said = time.thread_time(), KEPT
        try:
            judged(file.data, file.name, ("pdf", "jpg", "png"))
        except Rejected as refused:
            said = refused.code
        assert said == file.must, file.case
        assert time.thread_time() - began < 2.5, file.case
