"""The blank form on the site: drawn once, kept, linked from the sheet with its pages and size; the address printed on it."""

from __future__ import annotations

import gzip
import io
import threading
from pathlib import Path
from typing import Any

import pypdf
import pytest

from engine.language.catalogue.catalogue import Catalogue
from engine.language.compiler.compile import build_procedure
from engine.language.source.loader import read_source
from engine.publication.publications import publish
from renderers.i18n.translations import load_words
from renderers.procedure.blank_form import draw_form
from renderers.web.public import blank_forms, form_sizes
from renderers.web.public.form_sizes import FormMeasurer, stored_size
from tests.engine.services.world import PASSPORT
from tests.makers import the_shared
from tests.web.staff_site import StaffSite, open_staff_site

pytestmark = pytest.mark.slow  # a whole site for each test

SHEET = f"/demarches/{PASSPORT}"
FORM = f"{SHEET}/formulaire.pdf"


@pytest.fixture
def site(tmp_path: Path) -> StaffSite:
    return open_staff_site(tmp_path)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The address of each form that is drawn from now on."""
    seen: list[str] = []

    def draw(content: Any) -> Any:
        seen.append(content["address"])
        return draw_form(content)

    monkeypatch.setattr(blank_forms, "draw_form", draw)
    return seen


def published_anew(site: StaffSite) -> tuple[str, str]:
    """Publish a passport that costs more: the fingerprints before and after."""
    office = site.world.office
    first = office.catalogue.procedures[PASSPORT]
    text = first.source.replace(f"edition: {first.edition}", f"edition: {first.edition + 1}").replace(
        "amount: 30000", "amount: 35000"
    )
    second, _ = build_procedure(read_source(text, f"{PASSPORT}.yaml"), the_shared())
    assert second is not None
    others = [one for one in office.catalogue.all() if one.id != PASSPORT]
    new, _ = publish(Catalogue.of([*others, second], the_shared()), office.store, office.now())
    object.__setattr__(site.app.extensions["guichet"].office, "catalogue", new)
    return first.fingerprint, second.fingerprint


def test_a_form_is_drawn_once_for_all_who_ask_at_the_same_time(site: StaffSite, drawn: list[str]) -> None:
    answers = []

    def ask() -> None:
        answers.append(site.app.test_client().get(FORM).status_code)

    asking = [threading.Thread(target=ask) for _ in range(12)]
    for one in asking:
        one.start()
    for one in asking:
        one.join()
    assert answers == [200] * 12
    for _ in range(50):
        assert site.app.test_client().get(FORM).status_code == 200
    assert len(drawn) == 1


def test_a_form_is_public_cached_and_small_on_the_line(site: StaffSite) -> None:
    visitor = site.app.test_client()
    whole = visitor.get(FORM)
    assert (whole.mimetype, whole.headers["Cache-Control"]) == ("application/pdf", "public, max-age=60")
    packed = visitor.get(FORM, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == whole.data
    assert len(packed.data) < 70_000
    assert visitor.get(FORM, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304
    assert whole.headers["ETag"] != packed.headers["ETag"]


def test_each_language_has_its_form(site: StaffSite, drawn: list[str]) -> None:
    visitor = site.app.test_client()
    said = pypdf.PdfReader(io.BytesIO(visitor.get(f"{FORM}?lang=en").data)).pages[0].extract_text()
    assert "How to fill in this form" in said
    assert (
        "Comment remplir" in pypdf.PdfReader(io.BytesIO(site.app.test_client().get(FORM).data)).pages[0].extract_text()
    )
    assert len(drawn) == 2


def test_one_address_has_only_so_many_forms_drawn(site: StaffSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blank_forms, "_DRAWN_FOR_ONE", 1)
    visitor = site.app.test_client()
    assert visitor.get(FORM).status_code == 200
    assert visitor.get(f"{FORM}?lang=en").status_code == 429
    assert site.app.test_client().get(FORM).status_code == 200, "what is in memory is not counted"


def test_who_waits_too_long_for_a_turn_is_asked_to_come_back(site: StaffSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blank_forms, "_WAIT", 0.05)
    drawer = blank_forms._Drawer()
    site.app.extensions[blank_forms._SERVED] = drawer
    with drawer.turn:
        answer = site.app.test_client().get(FORM)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert site.app.test_client().get(FORM).status_code == 200


def test_the_sheet_links_the_form_with_its_pages_and_size_once_they_are_known(
    site: StaffSite, drawn: list[str]
) -> None:
    visitor = site.stranger()
    assert "Formulaire à imprimer (PDF)" in visitor.see(SHEET)
    assert not drawn, "a sheet draws no form"
    visitor.get(FORM)
    page = visitor.get(SHEET).text
    assert f'href="{FORM}"' in page
    assert "Formulaire à imprimer (PDF, 4 pages, 1" in page
    assert "À apporter rempli au guichet" in page


def test_the_sheet_says_pages_and_size_after_a_worker_pass(
    site: StaffSite, drawn: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    office, forms = site.world.office, FormMeasurer(load_words())
    monkeypatch.setattr(form_sizes, "MOST_DRAWN", 3)
    assert forms.measure(office) == 3, "a pass is short"
    monkeypatch.undo()
    every = 2 * len(office.catalogue.procedures)
    assert (forms.measure(office), forms.measure(office)) == (every - 3, 0)
    assert FormMeasurer(load_words()).measure(office) == 0, "another worker draws none again today"
    visitor = site.stranger()
    assert "Formulaire à imprimer (PDF, 4 pages, 1" in visitor.see(SHEET)
    assert "Form to print (PDF, 5 pages, 1" in visitor.get(f"{SHEET}?lang=en").text
    assert not drawn, "no page draws a form"
    _, second = published_anew(site)
    assert stored_size(office, second, "fr") is None, "a new edition is measured by the next pass"


def test_the_printed_address_opens_the_form_or_says_that_it_changed(site: StaffSite) -> None:
    visitor = site.stranger()
    first, second = published_anew(site)
    for address in (f"/f/{PASSPORT}/{second[:8]}", f"/F/{PASSPORT.upper()}/{second[:8].upper()}"):
        answer = visitor.get(address)
        assert (answer.status_code, answer.location) == (303, SHEET)
    past = visitor.get(f"/f/{PASSPORT}/{first[:8]}")
    assert past.status_code == 200
    assert "Ce formulaire a changé" in past.text
    assert f'href="{FORM}"' in past.text
    for signs in ("00000000", first[:4], "x"):
        unknown = visitor.get(f"/f/{PASSPORT}/{signs}")
        assert unknown.status_code == 404
        assert "Formulaire inconnu" in unknown.text
    assert visitor.get(f"/f/nulle-part/{first[:8]}").status_code == 404


def test_a_new_edition_has_a_new_form(site: StaffSite, drawn: list[str]) -> None:
    visitor = site.app.test_client()
    before = visitor.get(FORM).data
    published_anew(site)
    after = visitor.get(FORM).data
    assert "35\u202f000" in "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(after)).pages)
    assert before != after
    assert len(drawn) == 2
