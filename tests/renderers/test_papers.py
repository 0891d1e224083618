"""Official papers, read back from their PDF: pages, words in order, square, files, specimen and stamp."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from hashlib import sha256
from importlib.metadata import version as release_of
from io import BytesIO
from types import MappingProxyType
from typing import Any

import pypdfium2
import pytest
import zxingcpp
from PIL import Image
from pypdf import PdfReader

from engine.core.values import Plain
from renderers.i18n.translations import load_words
from renderers.pdf.documents import counter_pdf, document_pdf
from renderers.pdf.papers import KINDS, paper_pdf
from renderers.pdf.typst import letter_shapes
from tests.engine.domain.small_procedure import passport
from tests.engine.records.makers import NOON, a_document
from tests.renderers.paper_samples import (
    BULLETIN,
    CARD,
    FORM,
    LETTER,
    LONG,
    NATIONALITY,
    PERMIT,
    RESIDENCE,
    SAMPLES,
    Paper,
)

WORDS = load_words()
ALL = {**SAMPLES, **LONG}
ADDRESS = "HTTPS://GUICHET.TG/V/ABCDEFGHIJKLMNOPQRSTUVWXY2"
HEAD = ("heading", "state")
# The zones of each kind as people read them.
CLOSING = ("validity", "mentions", "declared", "signatures", "remedies", "verify")
ORDER = {
    "certificate": (*HEAD, "number", "title", "subtitle", "basis", "particulars", "operative", "table", *CLOSING),
    "extract": (*HEAD, "number", "title", "subtitle", "particulars", "articles", "operative", *CLOSING),
    "decision": (
        *HEAD, "dossier", "title", "number", "subtitle", "issuer", "parties", "particulars", "basis", "decides", "operative", "articles",
        *CLOSING,
    ),
    "contract": (*HEAD, "number", "title", "subtitle", "parties", "decides", "articles", *CLOSING),
    "letter": (*HEAD, "number", "addressee", "title", "object", "basis", "considering", "decides", "articles", *CLOSING),
    "card": (*HEAD, "title", "subtitle", "number", "particulars", "operative", *CLOSING),
    "money": (*HEAD, "number", "title", "subtitle", "addressee", "particulars", "lines", "operative", *CLOSING),
    "form": (*HEAD, "number", "title", "subtitle", "sections", *CLOSING),
}  # fmt: skip
UNPRINTED = ("template", "version", "typst", "lang", "kind", "issued", "seal", "labels", "holder")
UNREAD = {"emblem", "address", "alt"}


def pages(pdf: bytes) -> list[str]:
    return [page.extract_text() for page in PdfReader(BytesIO(pdf)).pages]


def plain(text: str) -> str:
    """The letters of a text: no spaces, no capitals, no marks of bold."""
    return re.sub(r"\s|\*\*", "", text).casefold()


def strings(value: Plain | Mapping[str, Plain]) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if key not in UNREAD:
                yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def picture(pdf: bytes, dots: int = 150, page: int = 0) -> Image.Image:
    """A page as a fax shows it: black or white, 150 dots an inch."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        grey = document[page].render(scale=dots / 72).to_pil().convert("L")
    finally:
        document.close()
    return grey.point(lambda light: 255 if light > 127 else 0)


def without(paper: Paper, *keys: str) -> Paper:
    return {key: value for key, value in paper.items() if key not in keys}


@pytest.mark.parametrize("name", [name for name in SAMPLES if name != "twelve"])
def test_a_usual_paper_stands_on_one_page_to_the_standards(name: str) -> None:
    pdf = paper_pdf(SAMPLES[name])
    assert len(pages(pdf)) == 1
    assert b"<pdfuaid:part>1<" in pdf
    assert b"<pdfaid:part>3<" in pdf
    assert b"<pdfaid:conformance>A<" in pdf


@pytest.mark.parametrize("name", ["twelve", *LONG])
def test_the_next_page_repeats_the_number_and_the_holder(name: str) -> None:
    first, *others = pages(paper_pdf(ALL[name]))
    holder = {
        "twelve": "AMEGAN Afi Akpédzé",
        "twenty": "AMEGAN Afi",
        "long_form": "AMEGAN Koffi",
        "translated": "AMEGAN Afi",
    }[name]
    assert plain(str(SAMPLES["bulletin"]["verify"]["code"])) in plain(first)  # type: ignore[index,call-overload]
    assert len(others) == 1
    assert plain(f"{ALL[name]['number_label']} {ALL[name]['number']} – {holder}") in plain(others[0])


@pytest.mark.parametrize("name", [name for name in ALL if name != "bare"])
def test_each_word_is_read_in_order(name: str) -> None:
    """Each zone is looked for after the one before it. On two pages the words of the square end the first page."""
    paper = ALL[name]
    read = plain("".join(pages(paper_pdf(paper))))
    order = ORDER["money" if paper["template"] == "money" else str(paper["kind"])]
    at = 0
    for key in order:
        if key == "verify" and name in {"twelve", *LONG}:
            at = 0
        for text in strings(paper.get(key)):
            where = read.find(plain(text), at)
            assert where >= 0, (key, text, read[at : at + 200])
            at = where + len(plain(text))
    for text in strings(without(paper, *UNPRINTED)):
        assert plain(text) in read, text


@pytest.mark.parametrize("name", ["bulletin", "twenty", "residence", "english"])
def test_drawings_are_not_read(name: str) -> None:
    """Who copies the text of a paper copies neither the microline nor the ring of the seal."""
    paper = ALL[name]
    read = "".join(pages(paper_pdf({**paper, "specimen": True})))
    code = str(paper["verify"]["code"])  # type: ignore[index,call-overload]
    assert read.count(code) == 1
    assert plain(str(paper["number"])) + plain("AMEGAN Afi") + plain(code) not in plain(read)
    assert "CASIER JUDICIAIRE NATIONAL" not in read
    assert read.count("SPÉCIMEN" if paper["lang"] == "fr" else "SPECIMEN") == len(pages(paper_pdf(paper)))


@pytest.mark.parametrize("name", ["bulletin", "permit", "card", "residence", "receipt", "form", "twenty"])
@pytest.mark.parametrize(("specimen", "worth"), [(False, "valid"), (True, "valid"), (False, "revoked")])
def test_the_square_is_read_from_a_fax(name: str, specimen: bool, worth: str) -> None:
    pdf = paper_pdf({**ALL[name], "specimen": specimen}, worth=worth, stamp="RETIRÉ LE 3 MAI 2026")
    found = zxingcpp.read_barcodes(picture(pdf))
    assert [one.text for one in found] == [ADDRESS]
    assert found[0].ec_level in {"Q", "H"}
    corners = found[0].position
    assert 25.5 < (corners.top_right.x - corners.top_left.x) * 25.4 / 150 < 26.5


# -- courtesy translations ---------------------------------------------------------------------------------------------

PREVAILS = plain("Courtesy translation; the French text prevails.")
RELEASE = "0.15.2"
# The first 16 signs of the SHA-256 of each paper without translation, as this release of typst drew it before them.
DRAWN = {
    "bulletin": "a493642d6e472f04", "nationality": "5c67c95fb07da0da",
    "extract": "e5da0ae874742c95", "permit": "b8bc28c9536a8a78",
    "contract": "339032c23a51cc87", "letter": "712fb3a09e6e6d8a",
    "card": "ee1866dce24d827b", "residence": "c81e299a60b97f32",
    "receipt": "6a0395a1948f3008", "quote": "42ac1a84599b745e",
    "form": "73a45267e392336f", "english": "ac3a679f524ad6fa",
    "bare": "8730323a74be7a50", "twelve": "281260579e7cc627",
    "twenty": "ba978cfa5c176934", "long_form": "992675cde4944b34",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(DRAWN))
def test_a_paper_of_an_earlier_day_keeps_its_bytes(name: str) -> None:
    """Another release of typst draws other bytes: compare the pictures, then write its bytes here."""
    assert release_of("typst") == RELEASE
    assert sha256(paper_pdf(ALL[name])).hexdigest()[:16] == DRAWN[name]


@pytest.mark.parametrize(
    ("name", "page", "after", "before"),
    [("visa", 0, "9~janvier 2027.", "Kossi ATTIOGBÉ"), ("record", 0, "Code pénal.", "vérifiez-le"), ("translated", 1, "AMEGAN Afi", "Article 7")],
)  # fmt: skip
def test_a_translation_stands_beside_the_text_below_it_or_on_the_next_page(
    name: str, page: int, after: str, before: str
) -> None:
    whole = [plain(one) for one in pages(paper_pdf(ALL[name]))]
    assert [PREVAILS in one for one in whole].index(True) == page
    said = whole[page]
    assert said.index(plain(after.replace("~", ""))) < said.index(PREVAILS) < said.index(plain(before))


@pytest.mark.parametrize("name", ["visa", "record", "translated"])
def test_a_translation_is_read_aloud_in_its_own_language(name: str) -> None:
    document = PdfReader(BytesIO(paper_pdf(ALL[name])))
    found = list(spoken(document.trailer["/Root"]["/StructTreeRoot"]))  # type: ignore[index]
    assert document.trailer["/Root"]["/Lang"] == "fr"  # type: ignore[index]
    assert {language for _, language in found} == {"en"}
    assert ("/H2", "en") in found


def spoken(node: Any) -> Iterator[tuple[str, str]]:
    """The elements of the structure of a PDF that have a language of their own."""
    node = node.get_object()
    if isinstance(node, dict):
        if "/Lang" in node:
            yield str(node.get("/S")), str(node["/Lang"])
        yield from spoken(node["/K"]) if "/K" in node else ()
    elif isinstance(node, list):
        for one in node:
            yield from spoken(one)


def test_a_translation_has_the_colon_of_its_language() -> None:
    courtesy = [
        {"lang": "en", "prevails": ["Courtesy"], "object": ["Subject", "Visa"], "declared": {"rows": [["Use", "job"]]}}
    ]
    read = "".join(pages(paper_pdf({**LETTER, "courtesy": courtesy})))  # type: ignore[dict-item]
    assert "Subject: Visa" in read
    assert "Use: job" in read
    assert "Objet\u00a0:" in read


def test_an_address_in_capitals_needs_a_smaller_square() -> None:
    from renderers.pdf.qr import qr_svg

    size = r'width="(\d+)"'
    capitals, small = (re.search(size, qr_svg(text, error="q", border=0)) for text in (ADDRESS, ADDRESS.lower()))
    assert capitals is not None
    assert small is not None
    assert int(capitals[1]) == 4 * 29  # version 3
    assert int(small[1]) > int(capitals[1])


@pytest.mark.parametrize("name", ["bulletin", "twelve", "card"])
def test_the_same_paper_gives_the_same_bytes(name: str) -> None:
    paper = ALL[name]
    reordered = dict(reversed(paper.items()))
    assert paper_pdf(paper) == paper_pdf(json.loads(json.dumps(paper)))
    signed = {"acte.jws": b"a.b.c"}
    assert paper_pdf(paper, attachments=signed) == paper_pdf(reordered, attachments=signed)
    assert paper_pdf(paper) != paper_pdf(paper, worth="expired", stamp="EXPIRÉ")


def test_its_date_is_that_of_the_issue() -> None:
    """Not that of its drawing. A paper without an instant of issue has the same date for ever."""
    told = PdfReader(BytesIO(paper_pdf(BULLETIN))).metadata
    assert told is not None
    assert told.creation_date is not None
    assert told.creation_date.isoformat()[:19] == "2026-11-23T09:41:00"
    assert told.title == "Bulletin n°\u00a03 – SNCJA-2026-00001"
    assert told.author == "Service national du casier judiciaire automatisé"
    undated = PdfReader(BytesIO(paper_pdf(without(BULLETIN, "issued")))).metadata
    assert undated is not None
    assert undated.creation_date is not None
    assert undated.creation_date.year == 1970


def test_it_carries_its_own_content() -> None:
    pdf = paper_pdf(NATIONALITY, attachments={"acte.jws": b"eyJhbGciOiJFZERTQSJ9..c2ln"})
    files = PdfReader(BytesIO(pdf)).attachments
    assert json.loads(files["acte.json"][0]) == NATIONALITY
    assert files["acte.jws"] == [b"eyJhbGciOiJFZERTQSJ9..c2ln"]
    assert pdf.count(b"/AFRelationship/Data") == 2 or pdf.count(b"/AFRelationship /Data") == 2
    given = PdfReader(BytesIO(paper_pdf(NATIONALITY, attachments={"acte.json": b"{}"}))).attachments
    assert given["acte.json"] == [b"{}"]


@pytest.mark.parametrize("name", ["bulletin", "twenty", "residence"])
def test_a_paper_that_is_not_valid_says_so_across_each_page(name: str) -> None:
    said = "SUSPENDU LE 3 MAI 2026"
    pdf = paper_pdf(ALL[name], worth="suspended", stamp=said)
    clean = paper_pdf(ALL[name], stamp=said)
    assert [said in page for page in pages(pdf)] == [True] * len(pages(pdf))
    assert not any(said in page for page in pages(clean))
    for number in range(len(pages(pdf))):
        stamped, bare = (dark(picture(one, page=number)) for one in (pdf, clean))
        assert stamped > bare + 3000, (number, stamped, bare)
    with pytest.raises(ValueError, match="suspended"):
        paper_pdf(ALL[name], worth="suspended")


def dark(page: Image.Image) -> int:
    return page.histogram()[0]


def test_a_specimen_says_so_across_the_page() -> None:
    specimen, true = paper_pdf({**LETTER, "specimen": True}), paper_pdf(LETTER)
    assert pages(specimen)[0].startswith("SPÉCIMEN")
    assert "SPÉCIMEN" not in pages(true)[0]
    assert dark(picture(specimen)) > dark(picture(true)) + 3000


def test_the_word_specimen_keeps_its_accent() -> None:
    """The picture was cut at the height of capitals: « SPECIMEN », with a dot above."""
    plain_e, accented = (
        float(re.findall(rb'viewBox="0 0 [\d.]+ ([\d.]+)"', one)[0])
        for one in letter_shapes((("mark", ("E",)), ("mark", ("É",))))
    )
    assert accented > 1.15 * plain_e


def test_a_stamp_hides_neither_the_word_specimen_nor_the_text() -> None:
    read = pages(paper_pdf({**PERMIT, "specimen": True}, worth="revoked", stamp="RETIRÉ"))[0]
    assert read.startswith("SPÉCIMEN – RETIRÉ")
    assert pages(paper_pdf(PERMIT, worth="revoked", stamp="RETIRÉ"))[0].startswith("RETIRÉ")
    assert "Le permis de construire est accordé" in read


NEEDED = ("template", "version", "typst", "lang", "kind", "specimen", "heading", "state", "number", "title", "verify")


@pytest.mark.parametrize("template", sorted(KINDS))
def test_a_missing_zone_fails_no_template(template: str) -> None:
    whole: Paper = {key: value for one in (LETTER, BULLETIN, PERMIT, *SAMPLES.values()) for key, value in one.items()}
    whole |= {"template": template, "table": ALL["twelve"]["table"]}
    assert pages(paper_pdf(whole))
    assert "BULLETIN" in pages(paper_pdf({**{key: whole[key] for key in NEEDED}, "title": "Bulletin"}))[0]
    empty: Paper = {key: type(value)() for key, value in whole.items() if isinstance(value, (list, dict, str))}
    assert len(pages(paper_pdf({**empty, "template": template}))) == 1


def test_a_missing_part_of_a_zone_fails_nothing() -> None:
    whole: Paper = {**SAMPLES["quote"], **BULLETIN, "parties": SAMPLES["contract"]["parties"]}
    for missing in range(6):
        less: Paper = {
            key: {name: part for at, (name, part) in enumerate(zone.items()) if at != missing} if isinstance(zone, dict) else zone
            for key, zone in whole.items()
        }  # fmt: skip
        assert pages(paper_pdf(less))
    odd: Paper = {"signatures": [{}, {"blank": True}], "articles": [["Article 1"]], "particulars": {"rows": [["Nom"]]}}
    assert pages(paper_pdf({**whole, **odd}))


def test_no_text_is_source() -> None:
    odd = "#panic() *a* _b_ $x$ <c> @d \\n `e` // ~ -- [f] {g}"
    paper: Paper = {**LETTER, "title": "a", "operative": [odd, "**deux ** trois**", "*"], "addressee": [odd]}
    read = pages(paper_pdf(paper))[0]
    assert plain(read).count(plain(odd)) == 2


def test_an_unknown_template_is_refused() -> None:
    for template in ("common", "certificate", "../act", ""):
        with pytest.raises(LookupError):
            paper_pdf({**CARD, "template": template})


@pytest.mark.parametrize(("name", "whole"), [("Kabɩyɛ Ŋɖɔ̀ ɛ́", True), ("王 Anna", False)])
def test_a_name_is_written_with_its_letters_or_the_paper_still_comes(name: str, whole: bool) -> None:
    pdf = paper_pdf({**CARD, "addressee": [name]}, attachments={"acte.jws": b"a.b.c"})
    assert (b"pdfuaid:part" in pdf) is whole
    assert set(PdfReader(BytesIO(pdf)).attachments) == {"acte.json", "acte.jws"}
    assert "DGDN-2026-00012" in pages(pdf)[0]


CIRCLE = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40"><circle cx="20" cy="20" r="18"/></svg>'


def test_an_emblem_is_drawn_and_a_broken_one_costs_nothing() -> None:
    drawn, broken = (
        paper_pdf({**RESIDENCE, "heading": {"service": "Direction", "emblem": emblem}}) for emblem in (CIRCLE, "<svg")
    )
    assert dark(picture(drawn)) > dark(picture(broken)) + 3000
    assert b"pdfuaid:part" in drawn
    assert b"pdfuaid:part" in broken


# -- drawn from what is stored -----------------------------------------------------------------------------------------


def drawn(day: date | None = None, **changes: Any) -> bytes:
    document = a_document(output="passeport", holder="AMEGAN Afi", valid_until=date(2026, 12, 31), **changes)
    return document_pdf(document, passport(), "26482911374", "La Ville", "https://exemple.tg/v", WORDS, "en", day)


def test_an_issued_document_is_drawn_from_its_paper() -> None:
    """In the language of the paper, with the signature and nothing else than what was frozen."""
    paper = MappingProxyType(without(LONG["twenty"], "holder", "issued"))
    pdf = drawn(paper=paper)
    files = PdfReader(BytesIO(pdf)).attachments
    assert json.loads(files["acte.json"][0]) == paper
    assert files["acte.jws"] == [b"a.b.c"]
    assert "AMEGAN Afi" in pages(pdf)[1]
    told = PdfReader(BytesIO(pdf)).metadata
    assert told is not None
    assert told.creation_date == NOON
    assert b"pdfaid:part" not in drawn(content=(("Nom", "ADJO"),))  # issued before: `certificate.typ`


@pytest.mark.parametrize(
    ("status", "day", "said"),
    [
        ("valid", date(2026, 12, 31), None),
        ("valid", date(2027, 1, 1), "EXPIRÉ LE 31 DÉCEMBRE 2026"),
        ("suspended", date(2026, 12, 1), "SUSPENDU LE 1ER MAI 2026"),
        ("revoked", date(2026, 12, 1), "RETIRÉ LE 1ER MAI 2026"),
        ("replaced", date(2026, 12, 1), "REMPLACÉ LE 1ER MAI 2026"),
    ],
)
def test_what_happened_since_stands_across_it(status: str, day: date, said: str | None) -> None:
    pdf = drawn(day, paper=CARD, status=status, changed_at=datetime(2026, 5, 1, 9, tzinfo=UTC))
    first = pages(pdf)[0].replace("\u00a0", " ").splitlines()[0]
    assert (first == said) if said else first.startswith("MINISTÈRE")


@pytest.mark.parametrize("stars", ["**", "***", "****"])
def test_typed_stars_stay(stars: str) -> None:
    rows = [("Nom", f"a {stars} b {stars} c")]
    pdf = counter_pdf(
        "26482911374",
        ("Récépissé de demande", "Reçu : *ceci*."),
        rows,
        [("À faire", ["Venir"])],
        "…",
        "https://exemple.tg",
        "La Ville",
        WORDS,
        "fr",
    )
    read = pages(pdf)[0].replace("\u2060", "")
    assert f"a {stars} b {stars} c" in read
    assert "Récépissé de demande".upper() in read
    assert "Venir" in read
    assert len(zxingcpp.read_barcodes(picture(pdf))) == 1


def test_a_long_answer_goes_on_to_the_next_page() -> None:
    long = " ".join(f"mot{number}" for number in range(1500))
    read = pages(paper_pdf({**FORM, "sections": [{"title": "Projet", "rows": [["Description", long]]}]}))
    assert len(read) > 1
    assert plain("mot0 mot1 mot2") in plain(read[0])
    assert plain("mot1499") in plain(read[-1])
