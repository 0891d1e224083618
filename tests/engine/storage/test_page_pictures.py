"""Pages drawn by the child process: their size, turn and weight; its limits; hostile files."""

from __future__ import annotations

import io
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from engine.storage.files import page_child, page_pictures
from engine.storage.files.inspection import kind_of
from engine.storage.files.page_pictures import TURNS, WIDTHS, PageNotDrawn, draw_page
from tests.effort import EFFORT
from tests.faults.hostile_files import a_jpeg, a_pdf, a_png, bombs, mutants, papers, pictures, stream, zeros

SAMPLED: Final = max(1, 6 // EFFORT)  # one in so many of the hostile files
PNG_KIND: Final = "png"


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine takes longer; what is tested about time sets its own."""
    monkeypatch.setattr(page_pictures, "SECONDS", 60.0)


def drawn(
    data: bytes, kind: str = "pdf", page: int = 1, width: int = 900, turn: int = 0, form: str = "webp",
    mark: str = "",
) -> Image.Image:  # fmt: skip
    with Image.open(io.BytesIO(draw_page(data, kind, page, width, turn, form=form, mark=mark))) as picture:
        assert picture.format == {"webp": "WEBP", "jpg": "JPEG"}[form]
        return picture.convert("RGB")


def pages_of(*boxes: tuple[int, int], content: bytes = b"") -> bytes:
    """A PDF with a page of each size; each has a black square of 20 points in its lower left corner."""
    kids = b" ".join(b"%d 0 R" % (4 + number) for number in range(len(boxes)))
    square = b"0 0 20 20 re f " + content
    parts = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, len(boxes)),
        stream(square),
    ]
    parts += [b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 %d %d]/Contents 3 0 R>>" % box for box in boxes]
    return written(*parts)


def written(*parts: bytes) -> bytes:
    body, places = b"%PDF-1.7\n", []
    for number, item in enumerate(parts, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, item)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    count = len(parts) + 1
    return body + b"xref\n0 %d\n0000000000 65535 f \n%strailer <</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (
        count, table, count, len(body),
    )  # fmt: skip


def a_scan(noise: int = 60) -> bytes:
    """A page of text as a scanner gives it: a turned, grey, noisy picture of 200 dots an inch in a PDF."""
    size = 1654, 2339
    page, font = Image.new("L", size, 245), ImageFont.load_default(30)
    pen = ImageDraw.Draw(page)
    for line in range(150, 2200, 45):
        pen.text((150, line), "Acte de naissance numéro 482 du 3 mai 1994, centre de Dapaong", 40, font)
    noisy = ImageChops.add(page, Image.effect_noise(size, noise), 1, -128)
    out = io.BytesIO()
    noisy.filter(ImageFilter.GaussianBlur(0.6)).rotate(0.7, fillcolor=230).save(out, "PDF", quality=85, resolution=200)
    return out.getvalue()


def is_dark(picture: Image.Image, x: float, y: float) -> bool:
    """Whether the picture is dark at a place, in shares of its sides."""
    return max(picture.getpixel((int(x * picture.width), int(y * picture.height)))) < 100


# -- what is drawn -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", WIDTHS)
def test_a_page_has_the_width_that_is_asked(width: int) -> None:
    picture = drawn(pages_of((600, 840)), width=width)
    assert abs(picture.width - width) <= 1
    assert picture.height == pytest.approx(width * 1.4, rel=0.01)


@pytest.mark.parametrize(("turn", "x", "y"), [(0, 0.01, 0.99), (90, 0.01, 0.01), (180, 0.99, 0.01), (270, 0.99, 0.99)])
def test_a_page_is_turned_clockwise(turn: int, x: float, y: float) -> None:
    sheet, photo = drawn(pages_of((600, 300)), turn=turn), io.BytesIO()
    plain = Image.new("RGB", (1200, 600), "white")
    ImageDraw.Draw(plain).rectangle((0, 560, 40, 600), "black")
    plain.save(photo, "PNG")
    for picture in (sheet, drawn(photo.getvalue(), PNG_KIND, turn=turn)):
        corners = {(u, v) for u in (0.01, 0.99) for v in (0.01, 0.99) if is_dark(picture, u, v)}
        assert corners == {(x, y)}
        assert (picture.width > picture.height) is (turn in (0, 180))
        assert picture.width in (600, 900, 901), "the width is that of the turned page; a photo is not enlarged"


def test_each_page_of_two_hundred_is_drawn() -> None:
    data = pages_of(*((200 + number, 200) for number in range(200)))
    for number in (1, 100, 200):
        picture = drawn(data, page=number, width=600)
        assert picture.height == pytest.approx(600 * 200 / (199 + number), abs=2)
    with pytest.raises(PageNotDrawn):
        draw_page(data, "pdf", 201, 900)


def test_what_was_typed_into_a_form_is_drawn() -> None:
    look = stream(b"0 0 100 100 re f", b"/Type/XObject/Subtype/Form/BBox[0 0 100 100]")
    data = written(
        b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[4 0 R]>>>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Annots[4 0 R]>>",
        b"<</Type/Annot/Subtype/Widget/FT/Tx/T(a)/V(x)/F 4/Rect[0 0 100 100]/AP<</N 5 0 R>>>>", look,
    )  # fmt: skip
    picture = drawn(data)
    assert is_dark(picture, 0.25, 0.75)
    assert not is_dark(picture, 0.75, 0.25)


def test_a_font_that_is_not_in_the_file_has_its_accents() -> None:
    text = b"BT /F1 40 Tf 10 50 Td (\xc9) Tj ET"
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>"
    font = b"<</Type/Font/Subtype/TrueType/BaseFont/Arial/Encoding/WinAnsiEncoding>>"
    data = written(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>", page, stream(text), font)
    plain = data.replace(b"(\xc9)", b"(E)")
    ink = [sum(drawn(one).convert("L").histogram()[:128]) for one in (data, plain)]
    assert ink[0] > ink[1] * 1.02 > 1000


@pytest.mark.parametrize(("noise", "form"), [(20, "webp"), (60, "webp"), (120, "webp"), (60, "jpg")])
def test_the_page_of_a_scan_weighs_200_kilobytes_at_most(noise: int, form: str) -> None:
    weight = len(draw_page(a_scan(noise), "pdf", 1, 900, form=form))
    print(f"noise {noise}, {form}: {weight:,} bytes")
    assert 20_000 < weight <= 200_000


def test_a_mark_is_a_band_above_the_page() -> None:
    plain, marked = drawn(pages_of((600, 840))), drawn(pages_of((600, 840)), mark="Ancienne version")
    assert marked.width == plain.width
    assert marked.height > plain.height + 40
    red, green, blue = marked.getpixel((5, 5))
    assert red > green > blue
    assert max(marked.crop((20, 5, 400, 50)).convert("L").getextrema()) > 220, "the words"


# -- limits ------------------------------------------------------------------------------------------------------------

BOXES: Final = (
    b"0 0 10 14400", b"0 0 14400 10", b"0 0 1e9 1e9", b"0 0 0.0001 14400", b"0 0 0 0", b"nan nan nan nan",
    b"0 0 1e38 1e38", b"0 0 1e-30 1", b"9 9 0 0",
)  # fmt: skip


@pytest.mark.parametrize("box", BOXES)
def test_the_box_of_a_page_cannot_make_a_large_picture(box: bytes) -> None:
    picture = drawn(a_pdf().replace(b"/MediaBox[0 0 9 9]", b"/MediaBox[%s]" % box), width=2000)
    assert picture.width * picture.height <= page_child.MOST_PIXELS * 1.01
    assert max(picture.size) <= page_child.MOST_SIDE + 1


def test_a_picture_cannot_make_a_large_one() -> None:
    assert drawn(a_png(2, 8000), PNG_KIND, width=2000).size == (2, 8000)
    assert drawn(a_png(1, 20_000), PNG_KIND, width=2000).height <= page_child.MOST_SIDE


def a_page(content: bytes, resources: bytes, *parts: bytes) -> bytes:
    """A PDF of one page of 9 by 9 points, its content the object 4, further objects from 5 on."""
    sheet = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R/Resources<<%s>>>>" % resources
    first = b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>", sheet, stream(content)
    return written(*first, *parts)


def endless() -> bytes:
    """A page that computes each of its pixels, two thousand times."""
    shade = b"<</ShadingType 1/ColorSpace/DeviceGray/Domain[0 9 0 9]/Function 6 0 R>>"
    sums = stream(b"{ add " + b"sin cos " * 200 + b"}", b"/FunctionType 4/Domain[0 9 0 9]/Range[0 1]")
    return a_page(b"/X sh " * 2000, b"/Shading<</X 5 0 R>>", shade, sums)


def unfolding() -> bytes:
    """A page whose forms draw each other, sixteen times at each of ten depths."""
    inside = (b"/X Do " * 16 if depth < 9 else b"0 0 1 1 re f " * 16 for depth in range(10))
    form = b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X %d 0 R>>>>"
    forms = (stream(content, form % (6 + depth)) for depth, content in enumerate(inside))
    return a_page(b"/X Do", b"/XObject<</X 5 0 R>>", *forms)


def vast() -> bytes:
    """A page with a picture of 20,000 by 20,000 in one colour: 1.2 GB, of which PDFium draws nothing."""
    kind = b"/Type/XObject/Subtype/Image/Width 20000/Height 20000/ColorSpace/DeviceRGB/BitsPerComponent 8"
    picture = stream(zeros(), kind + b"/Filter/FlateDecode")
    return a_page(b"9 0 0 9 0 0 cm /X Do", b"/XObject<</X 5 0 R>>", picture)


@pytest.mark.slow
def test_an_endless_page_ends_with_the_processor_time_of_its_child() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    with pytest.raises(PageNotDrawn, match=r"exit -(9|24)"):
        draw_page(endless(), "pdf", 1, 900)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < page_child.PROCESSOR + 2


def test_a_child_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_pictures, "SECONDS", 1.0)
    began = time.monotonic()
    with pytest.raises(PageNotDrawn, match="TimeoutExpired"):
        draw_page(endless(), "pdf", 1, 900)
    assert time.monotonic() - began < 4
    assert not children(), "not even dead"


def test_a_page_that_takes_too_much_memory_ends_its_child() -> None:
    with pytest.raises(PageNotDrawn, match="exit"):
        draw_page(unfolding(), "pdf", 1, 900)


def children() -> list[str]:
    """The processes of this one that draw a page, or have ended and were not waited for."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name, status = (folder / "cmdline").read_bytes().decode(), (folder / "stat").read_text().rpartition(") ")[2]
        except OSError:
            continue
        if int(status.split()[1]) == os.getpid() and ("page_child" in name or status.startswith("Z")):
            found.append(f"{folder.name} {name}")
    return found


CHILDREN: Final = {
    "killed": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "exit -9"),
    "without its library": ("import no_such_library", "exit 1"),
    "that says nothing": ("", "exit 0"),
    "that says something else": ("print('<script>alert(1)</script>')", "exit 0"),
    "that says too much": ("import os\nwhile True: os.write(1, b'RIFF' * 100_000)", "exit 1"),
}


@pytest.mark.parametrize("case", CHILDREN)
def test_a_child_that_fails_draws_nothing(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, reason = CHILDREN[case]
    child = tmp_path / "child.py"
    child.write_text(program)
    monkeypatch.setattr(page_pictures, "_CHILD", str(child))
    with pytest.raises(PageNotDrawn, match=reason):
        draw_page(a_pdf(), "pdf", 1, 900)


def test_nothing_starts_without_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(page_pictures, "run_child", fails)
    with pytest.raises(PageNotDrawn, match="BlockingIOError"):
        draw_page(a_pdf(), "pdf", 1, 900)


TRIES: Final = """
import runpy, resource, socket, os, tempfile
child = runpy.run_path({path!r})
child["limit_process"]()
def fails(act):
    try: act()
    except OSError as error: return type(error).__name__
    return "done"
print(fails(lambda: open("/etc/hostname")), fails(lambda: open("/tmp/left-by-a-page", "w")), fails(socket.socket), fails(os.pipe), os.environ.get("HOME"))
print(*(resource.getrlimit(getattr(resource, "RLIMIT_" + name))[1] for name in ("AS", "CPU", "CORE", "NPROC", "NOFILE")))
"""


def test_a_limited_process_opens_nothing() -> None:
    """No file, no socket: what breaks into it reaches neither the disk nor the network."""
    command = [sys.executable, "-I", "-c", TRIES.format(path=page_pictures._CHILD)]
    said = subprocess.run(command, env={}, capture_output=True, text=True, check=True).stdout.splitlines()
    assert said[0] == "OSError OSError OSError OSError None"
    assert said[1] == f"{page_child.MEMORY} {page_child.PROCESSOR} 0 0 0"


def test_the_child_imports_nothing_of_the_engine() -> None:
    assert not re.findall(r"^(?:from|import) (?:engine|renderers)", Path(page_child.__file__).read_text(), re.MULTILINE)


# -- hostile files -----------------------------------------------------------------------------------------------------


def hostile() -> Iterator[tuple[str, bytes]]:
    files = (*pictures(), *papers(), *bombs(), *mutants(60))
    yield from ((file.case, file.data) for file in files[::SAMPLED] if kind_of(file.data) in ("pdf", "jpg", "png"))
    yield "a page that is its own parent", a_pdf().replace(b"/Parent 2 0 R", b"/Parent 3 0 R")
    yield "text with no font", pages_of((200, 200), content=b"BT (x) Tj ET Q Q Q q q")
    yield "a vast picture", vast()
    yield "a picture cut short", a_jpeg(1400, 2000)[:5000]


@pytest.mark.slow
def test_hostile_files_give_a_picture_or_nothing() -> None:
    count = refused = 0
    for case, data in hostile():
        kind = kind_of(data) or ""
        count += 1
        try:
            picture = drawn(data, kind)
        except PageNotDrawn:
            refused += 1
            continue
        assert picture.width * picture.height <= page_child.MOST_PIXELS * 1.01, case
    print(f"{count} hostile files: {refused} not drawn")
    assert 3 < refused < count
    assert not children()


def test_the_lists_of_values_are_closed() -> None:
    assert TURNS == (0, 90, 180, 270)
    assert max(WIDTHS) ** 2 < page_child.MOST_PIXELS
