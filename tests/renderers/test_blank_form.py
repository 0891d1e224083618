"""The blank paper form: no condition, paper, price or option of a definition is left out, and it fits a sheet."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pypdf
import pytest
from click.testing import CliRunner

from engine.core.values import Plain
from engine.language.catalogue.catalogue import check_definition
from engine.language.expressions.compiler import tree
from engine.language.expressions.nodes import FunctionCall, Name, Node, walk
from engine.model import Field, Procedure
from engine.model.types import FALSE, TRUE, Expression
from renderers.cli.main import console
from renderers.i18n.translations import in_language
from renderers.procedure.blank_form import BlankFormWriter, PrintedForm, draw_form
from renderers.procedure.prices import price_cases
from tests.makers import PROCEDURES, TODAY, a_procedure, the_directory, the_procedure, the_shared, the_words

GOOD = Path(__file__).resolve().parent.parent / "good"
SHIPPED = sorted(path.stem for path in PROCEDURES.glob("*.yaml"))
PATHS = [*sorted(PROCEDURES.glob("*.yaml")), *sorted(GOOD.glob("*.yaml"))]
SITE = "https://guichet.tg"
PAGES = {"duplicata-bac": 3, "duplicata-certificat-nationalite": 3, "regularite-fiscale": 3}  # at most; others: 5


@cache
def opened(path: Path) -> Procedure:
    procedure = check_definition(path.read_bytes(), str(path), the_shared(), lint=False).procedure
    assert procedure is not None, path
    return procedure


def writer_of(procedure: Procedure, language: str = "fr") -> BlankFormWriter:
    return BlankFormWriter(procedure, the_directory(), the_words(), language, TODAY)


def content_of(procedure: Procedure, language: str = "fr") -> dict[str, Any]:
    return writer_of(procedure, language).content(SITE)


@cache
def drawn(name: str, language: str = "fr") -> PrintedForm:
    return draw_form(content_of(the_procedure(name), language))


def texts(value: Plain) -> Iterator[str]:
    """Every text of a content."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from texts(one)


def asked(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Everything with a number, by its number."""
    found: dict[str, dict[str, Any]] = {}
    questions = [*content["eligibility"], *(one for page in content["pages"] for one in page["questions"])]
    for one in (*questions, *content["papers"]):
        found[one["code"]] = one
        found |= {column["code"]: column for column in one.get("columns", ())}
    return found


def named(procedure: Procedure, node: Node) -> Iterator[str]:
    """The labels that a condition in words names. An age is said of a person and not of a question."""
    ages = [one for one in walk(node) if isinstance(one, FunctionCall) and one.function == "age"]
    of_ages = {one for age in ages for one in walk(age)}
    for one in walk(node):
        field = procedure.fields.get(one.id) if isinstance(one, Name) and one not in of_ages else None
        if field is not None and field.value is None:
            yield in_language(field.label, "fr")


def says(procedure: Procedure, said: str, expression: Expression) -> bool:
    return bool(said) and all(label in said for label in named(procedure, tree(expression)))


# -- nothing is left out -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_every_question_and_paper_is_printed_with_its_condition(path: Path) -> None:
    procedure = opened(path)
    writer = writer_of(procedure)
    content = writer.content(SITE)
    found, missing = asked(content), []
    for code, one in writer._numbered():
        if (
            code in found
            and (when := writer._settled(one.when)) != TRUE
            and not says(procedure, found[code]["condition"], when)
        ):
            missing.append((code, one.id, one.when.text))
        needs = writer._settled(one.required)
        if code in found and needs not in (TRUE, FALSE) and not says(procedure, found[code]["optional"], needs):
            missing.append((code, one.id, needs.text))
    for page, printed in zip(writer.asked, content["pages"], strict=True):
        if page[2] != TRUE and not says(procedure, printed["condition"], page[2]):
            missing.append((printed["number"], page[1], page[2].text))
    for at, (one, rows, when) in enumerate(writer.papers, 1):
        said = found[f"P.{at}"]["condition"]
        around = (when, *((rows.when,) if rows is not None else ()))
        missing += [
            (f"P.{at}", one.id, part.text) for part in around if part != TRUE and not says(procedure, said, part)
        ]
    assert not missing
    assert {in_language(one.label, "fr") for one in every_question(procedure, writer)} <= set(texts(content))


def every_question(procedure: Procedure, writer: BlankFormWriter) -> Iterator[Field]:
    """Every question that a person answers, written out again without the help of the form."""
    for page in procedure.form.pages:
        for one in page.fields:
            if one.value is None:
                yield one
                yield from (column for column in one.rows if column.value is None and column.type != "rows")


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_every_short_list_of_options_is_printed_with_its_conditions(path: Path) -> None:
    procedure = opened(path)
    writer = writer_of(procedure)
    found = asked(writer.content(SITE))
    for code, one in writer._numbered():
        choices = one.evidence.any_of if one.evidence else one.options
        if code not in found or one.type not in ("choice", "choices", "evidence") or not 0 < len(choices) <= 15:
            continue
        printed = [*found[code]["any_of" if one.evidence else "options"], found[code].get("other", "")]
        for option in choices:
            if option.until is not None and option.until < TODAY:
                continue
            line = next((line for line in printed if line.startswith(in_language(option.label, "fr"))), "")
            assert line, (code, option.code)
            assert option.when == TRUE or says(procedure, line, option.when), (code, option.code)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_every_price_and_each_of_its_cases_is_printed(path: Path) -> None:
    procedure = opened(path)
    content = content_of(procedure)
    printed = " | ".join(texts([content["prices"], content["tables"]]))
    for fee in procedure.fees():
        for line in fee.lines:
            if line.until and line.until < TODAY:
                continue
            owed = line.when.text == f"{line.amount.text} > 0"  # said by the cases that are listed
            for case, francs in price_cases(line.amount, procedure, "fr"):
                if francs or not owed:
                    assert the_words().money(francs, "fr") in printed, (fee.id, case)
                    assert case in printed
            for condition in (fee.when, TRUE if owed else line.when):
                assert condition == TRUE or says(procedure, printed, condition), (fee.id, line.id, condition.text)
        if fee.exempt is not None:
            assert says(procedure, printed, fee.exempt)
        assert all(in_language(cut.because, "fr").lower() in printed.lower() for cut in fee.reductions)


def test_a_condition_without_short_words_is_written_in_full_with_the_number_of_its_question() -> None:
    found = asked(content_of(the_procedure("copie-acte-etat-civil")))
    said = "Si « 5.1 Qui êtes-vous pour cette personne\u00a0? » n’est pas « C’est moi »"
    assert [found[code]["condition"].replace("\u00a0", " ") for code in ("5.2", "5.3")] == [
        said.replace("\u00a0", " ")
    ] * 2


ROWS = """
form:
  demande:
    title: Demande
    fields:
      double: {label: Avez-vous un second foyer, type: yes_no}
      foyers:
        label: Foyers
        type: rows
        maxItems: 2
        when: double
        fields:
          ville: {label: Ville}
          enfants:
            label: Enfants
            type: rows
            maxItems: 3
            when: ville == 'LOME'
            fields: {prenom: {label: Prénom}, ecole: {label: École, when: "answered(prenom)"}}
          bail: {label: Bail, type: file, when: ville == 'LOME'}
"""


def test_rows_inside_rows_and_their_papers_keep_their_conditions() -> None:
    content = content_of(a_procedure(ROWS))
    [_, homes] = content["pages"][0]["questions"]
    children = homes["columns"][1]
    assert "Ville" in children["condition"]
    assert "Prénom" in children["help"]
    assert "École Si" in children["help"]
    [lease] = content["papers"]
    assert "second foyer" in lease["condition"]
    assert "Ville" in lease["condition"]
    assert "Foyers" in lease["how"]


def test_a_list_of_countries_in_a_condition_is_spelled_out() -> None:
    papers = content_of(the_procedure("creation-entreprise"))["papers"]
    said = next(one["condition"] for one in papers if one["label"] == "Droit de séjour de la personne qui dirige")
    assert "Ghana" in said


# -- the spaces to write in --------------------------------------------------------------------------------------------

KINDS = """
form:
  demande:
    title: Demande
    fields:
      nom: {label: Nom, example: LEE}
      jour: {label: Jour, type: date}
      age_chien: {label: Âge du chien, type: integer, minimum: 0, maximum: 25, unit: ans}
      prix: {label: Prix, type: money, maximum: 50000}
      bac: {label: Année, type: integer, minimum: 1960, maximum: year(today)}
      code: {label: Code, type: text, pattern: '[A-Z]{2}[0-9]{5}', example: AB12345}
      recit: {label: Récit, lines: 5, maxLength: 900}
      vu: {label: Vu, type: yes_no}
      pays: {label: Pays, type: country}
      double: {label: Double, value: prix * 2}
      lieux:
        label: Lieux
        type: rows
        maxItems: 9
        fields: {rue: {label: Rue}}
"""


def test_each_kind_of_answer_has_its_space() -> None:
    [page] = content_of(a_procedure(KINDS))["pages"]
    found = {one["label"]: one for one in page["questions"]}
    assert "Double" not in found, "a computed answer is not asked"
    assert found["Nom"]["cells"] == [30]
    assert found["Jour"]["groups"] == [2, 2, 4]
    assert (found["Âge du chien"]["cells"], found["Âge du chien"]["unit"]) == ([2], "ans")
    assert (found["Prix"]["cells"], found["Prix"]["unit"]) == ([5], "FCFA")
    assert found["Année"]["cells"] == [4]
    assert found["Code"]["cells"] == [7]
    assert (found["Récit"]["kind"], found["Récit"]["count"]) == ("lines", 5)
    assert found["Vu"]["options"] == ["Oui", "Non"]
    assert found["Pays"]["cells"] == [30], "more than fifteen: the name is written"
    assert (found["Lieux"]["count"], [one["code"] for one in found["Lieux"]["columns"]]) == (4, ["1.10a"])
    assert "Plus de 4" in found["Lieux"]["more"]


def test_a_rule_about_the_channel_is_said_of_this_form_and_not_in_words() -> None:
    found = asked(content_of(the_procedure("duplicata-bac")))
    phone = next(one for one in found.values() if one["kind"] == "phone")
    assert phone["optional"] == "facultatif", "it is typed in at a counter"
    assert not any("moyen de dépôt" in said for said in texts(content_of(the_procedure("duplicata-bac"))))


def test_the_form_names_its_edition_and_the_way_of_the_procedure() -> None:
    for name, end in (
        ("duplicata-bac", "Un agent saisit vos réponses avec vous."),
        ("e-visa", "Aucun bureau ne le reçoit."),
    ):
        procedure = the_procedure(name)
        content = content_of(procedure)
        assert content["address"] == f"{SITE}/f/{name}/{procedure.fingerprint[:8]}"
        assert content["edition"] == f"Édition {procedure.edition} · empreinte {procedure.fingerprint[:12]}"
        assert content["how"][-1].endswith(end)


# -- the pages ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("name", SHIPPED)
def test_each_form_is_a_short_file_of_few_pages_that_screen_readers_read(name: str, language: str) -> None:
    form = drawn(name, language)
    pdf = pypdf.PdfReader(io.BytesIO(form.body))
    assert form.pages == len(pdf.pages) <= PAGES.get(name, 5)
    assert len(form.body) < 160_000
    assert b"pdfuaid" in form.body, "drawn to PDF/UA: no letter was missing"
    sizes = {round(float(size), 1) for page in pdf.pages for size in font_sizes(page)}
    assert min(sizes) >= 10


def font_sizes(page: pypdf.PageObject) -> Iterator[float]:
    """The sizes of letters on a page, in points."""
    sizes: list[float] = []

    def note(text: str, matrix: list[float], own: list[float], font: object, size: float) -> None:
        if text.strip():
            sizes.append(abs(size * (own[3] or 1)))

    page.extract_text(visitor_text=note)
    yield from sizes


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_no_title_stands_alone_at_the_foot_of_a_page(name: str) -> None:
    content = content_of(the_procedure(name))
    titles = {f"{page['number']}. {page['title']}" for page in content["pages"]}
    titles |= {said for key, said in content["words"].items() if key.endswith("_title")}
    for page in pypdf.PdfReader(io.BytesIO(drawn(name).body)).pages:
        lines = [line.strip().replace("\u00a0", " ") for line in page.extract_text().splitlines() if line.strip()]
        body = [line for line in lines if not re.search(r"Page \d+ / \d+$", line) and "guichet.tg/f/" not in line]
        assert body[-1] not in {one.replace("\u00a0", " ") for one in titles}


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_each_question_stands_in_the_drawn_pages_with_its_condition_and_help(name: str) -> None:
    content = content_of(the_procedure(name))
    text = text_of(drawn(name))
    for one in asked(content).values():
        for part in ("code", "label", "condition", "help"):
            assert letters(one[part]) in text, (one["code"], part)
    for page in content["pages"]:
        assert letters(f"{page['number']}{page['title']}") in text
        assert letters(page["condition"]) in text
    assert all(letters(one["label"]) in text and letters(one["when"]) in text for one in content["prices"])


@pytest.mark.slow
def test_rows_are_drawn_with_their_title_and_their_condition() -> None:
    content = content_of(a_procedure(ROWS))
    text = text_of(draw_form(content))
    homes = content["pages"][0]["questions"][1]
    assert letters(f"{homes['code']}{homes['label']}{homes['condition']}") in text
    assert all(letters(one["condition"]) in text for one in homes["columns"])


def text_of(form: PrintedForm) -> str:
    """The letters and digits of all pages, without their feet."""
    pages = (page.extract_text() for page in pypdf.PdfReader(io.BytesIO(form.body)).pages)
    lines = (line for page in pages for line in page.splitlines() if not re.search(r"Page \d+ / \d+", line))
    return letters(" ".join(line for line in lines if not re.match(r"\S+/f/\S+$", line.strip())))


def letters(text: str) -> str:
    return "".join(sign for sign in text if sign.isalnum())


@pytest.mark.slow
def test_the_command_draws_a_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUICHET_SHORT_URL", "https://g.tg")
    target = tmp_path / "f.pdf"
    done = CliRunner().invoke(console, ["paper", "duplicata-bac", "--lang", "en", "--out", str(target)])
    assert done.exit_code == 0, done.output
    text = pypdf.PdfReader(target).pages[0].extract_text()
    assert "g.tg/f/duplicata-bac/" in text.replace("\n", "")
    assert "How to fill in this form" in text
