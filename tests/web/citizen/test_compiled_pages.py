"""A compiled page is what its template writes, byte for byte: all shipped procedures and good files, in both languages.

Each page is asked blank, filled with the examples of its file, filled with hostile text that is refused, and after a
refused post; with rows, pages of rows and files. No compiled page holds an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from engine.core.values import Plain
from engine.domain.fields.files import files_of
from engine.domain.fields.views import PageView
from engine.domain.forms.sample_answers import example_answers
from engine.language.catalogue.catalogue import Catalogue, check_definition
from engine.model import Procedure
from engine.records.dossier import Account, Attachment, Dossier
from engine.services.context.app_context import publish_editions
from renderers.html.controls import DrawingContext, asked_views, field_control
from renderers.html.templates import Pages
from tests.makers import NOW, TODAY, a_dossier, the_shared
from tests.web.client import PortalClient, a_portal_client

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted((*(ROOT / "procedures").glob("*.yaml"), *(ROOT / "tests" / "good").glob("*.yaml")))
HOSTILE = "Zorro <&>\"' |v|| |=a| checked|{{ v }}\N{NO-BREAK SPACE}\ufdd0v"


@cache
def procedures() -> Mapping[str, Procedure]:
    built = (check_definition(path.read_bytes(), str(path), the_shared()).built for path in FILES)
    return {one.id: one for one in built if one is not None}


class Compared:
    """Compares each compiled page and question with its template, and counts them."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.pages, self.questions = 0, 0
        compiled, questions = Pages.compiled, Pages.questions

        def page(
            kept: Pages, template: str, language: str, look: object, values: Mapping[str, object],
            context: Callable[[Mapping[str, object]], Mapping[str, object]],
        ) -> bytes:  # fmt: skip
            found = compiled(kept, template, language, look, values, context)
            assert found.decode() == kept.render(template, language, context(values))
            self.pages += 1
            return found

        def asked(kept: Pages, view: PageView, drawing: DrawingContext) -> Any:
            found = questions(kept, view, drawing)
            macro = kept._in(drawing.language).get_template("ui.html").module.champ  # type: ignore[attr-defined]
            for one in asked_views(view):
                drawn = kept._compiled_in(drawing.language).question(one, drawing)
                assert drawn.__html__() == macro(field_control(one, drawing))
            assert found.__html__() == "".join(macro(field_control(one, drawing)) for one in asked_views(view))
            self.questions += len(view.fields)
            return found

        patch.setattr(Pages, "compiled", page)
        patch.setattr(Pages, "questions", asked)


def hostile(plain: Plain) -> Plain:
    """The answer with hostile text in each place that holds text."""
    if isinstance(plain, list):
        return [hostile(one) for one in plain] or {"?": HOSTILE}
    if isinstance(plain, dict) and "files" not in plain:
        return {name: hostile(one) for name, one in plain.items()}
    return {"?": HOSTILE} if plain is None or isinstance(plain, str) else plain


def with_files(dossier: Dossier) -> Dossier:
    """The dossier with the files that its answers name."""
    names = {file: name for name, plain in dossier.answers.items() for file in files_of(plain)}
    files = (Attachment(one, name, "<i>acte</i>.pdf", "pdf", 4_000, "0" * 64, NOW) for one, name in names.items())
    return replace(dossier, attachments=tuple(files))


def texts(site: PortalClient) -> str:
    """The text of everything that is kept."""
    pages: Pages = site.client.application.extensions["guichet"].pages
    kept = [one for found in pages._compiled.values() for one in found._kept.items()]
    assert kept
    return repr(kept)


@pytest.fixture
def site(tmp_path: Path) -> PortalClient:
    site = a_portal_client(tmp_path)
    office = publish_editions(replace(site.office, catalogue=Catalogue.of(procedures().values(), the_shared())))
    app = site.client.application
    app.extensions["guichet"] = replace(app.extensions["guichet"], office=office)
    site.office = office
    return site.sign_in()


def drafts(site: PortalClient, procedure: Procedure, number: str) -> list[Dossier]:
    """One draft, to store one after another: blank, filled, refused."""
    blank = replace(a_dossier(procedure), id=number, number=number, owner=owner(site))
    answers = example_answers(procedure, {}, TODAY, site.office.directory)
    filled = with_files(replace(blank, answers=answers, revision=blank.revision + 1))
    wrong = {**{one.id: None for one in procedure.form.fields if one.type != "rows"}, **answers}
    wrong = {name: hostile(one) for name, one in wrong.items()} | {
        f"{one.id}_other": HOSTILE for one in procedure.form.fields if one.other
    }
    return [blank, filled, replace(filled, answers=wrong, revision=filled.revision + 1)]


def owner(site: PortalClient) -> str:
    with site.office.store.unit() as unit:
        found = unit.account_of("applicant", "+22890112233")
    assert isinstance(found, Account)
    return found.id


def _refused(site: PortalClient, address: str) -> bool:
    """Whether a post of the page as it is brings its faults."""
    if site.open(address).status != 200:
        return False
    site.post(address, **site.page.form(), go="next")
    return 'id="errors"' in site.follow().html


def test_a_compiled_page_is_what_its_template_writes(
    site: PortalClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    compared, shown, refused, with_faults = Compared(monkeypatch), 0, 0, 0
    for at, procedure in enumerate(procedures().values()):
        number = f"26{at:09d}"
        for state, dossier in enumerate(drafts(site, procedure, number)):
            with site.office.store.unit(write=True) as unit:
                unit.put_dossier(dossier, dossier.revision - 1) if state else unit.add_dossier(dossier)
            for page in procedure.form.pages:
                rows = (f"/{one.id}.0" for one in page.fields if one.type == "rows" and state)
                for address in (page.id, *(f"{page.id}{row}" for row in rows)):
                    for language in ("fr", "en"):
                        seen = site.client.get(f"/dossiers/{number}/demande/{address}?lang={language}")
                        why = [str(one.exc_info[1]) for one in caplog.records if one.exc_info]
                        assert seen.status_code in (200, 303), (procedure.id, address, state, language, why)
                        shown += seen.status_code == 200
                        if state == 2 and seen.status_code == 200 and "/" not in address:
                            refused += "Zorro &lt;&amp;&gt;&#34;&#39;" in seen.text
                        assert "Zorro <" not in seen.text
            if state == 2:
                with_faults += sum(
                    _refused(site, f"/dossiers/{number}/demande/{page.id}") for page in procedure.form.pages
                )
    assert shown > 1000
    assert refused > 200
    assert with_faults > 80
    assert compared.pages > 0.5 * shown
    assert "Zorro" not in texts(site)
    assert "<i>acte" not in texts(site)
    assert compared.questions > 4 * with_faults
