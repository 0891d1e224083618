"""Courtesy translations: the paper in the first language of its procedure, and the same zones in another language."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from engine.core.clock import local_day
from engine.domain.common.decision import IssueOrder
from engine.domain.documents.documents import content_digest, prepare_document
from engine.domain.fields.scope import scope_of
from engine.domain.workflow.fee_quotes import quote
from engine.language.catalogue.check import check_definition
from engine.model import Procedure
from engine.records.dossier import Dossier, IssuedDocument, Owed
from renderers.definition.papers import PaperReader
from tests.engine.domain.documents.story_papers import StoryPaper, papers_of, shipped
from tests.makers import compiled, the_shared, the_words

FILE = Path(__file__).resolve().parents[3] / "good" / "paper-courtesy.yaml"
FEE = """fees:
  droit:
    label: {fr: Droit, en: Fee}
    lines: {depot: {label: {fr: Dépôt, en: Filing}, amount: 500}}
    reductions: [{percent: 50, because: {fr: Élèves, en: Pupils}}]
    at_least: 300
    basis: loi
workflow:
"""
PRICED = (
    FILE.read_text("utf-8").replace("workflow:\n", FEE).replace("    courtesy:", "    lines_of: droit\n    courtesy:")
)


@cache
def told() -> StoryPaper:
    """The certificate of receipt that the good file issues."""
    procedure = check_definition(FILE.read_bytes(), FILE.name, the_shared()).procedure
    assert procedure is not None
    return next(papers_of(procedure, shipped(), the_words()))


def issued(language: str = "fr", **changes: Any) -> IssuedDocument:
    """The document of the story, for an applicant of this language. `changes` are those of the output."""
    return composed(with_output(told().procedure, **changes), replace(told().dossier, language=language))


def composed(procedure: Procedure, dossier: Dossier) -> IssuedDocument:
    at, directory = told().document.issued_at, shipped().directory
    return prepare_document(
        procedure, dossier, IssueOrder("attestation"), scope_of(procedure, dossier, local_day(at), directory),
        "OBAC-1", "123456789012", "secret", at, directory, the_words(),
    )  # fmt: skip


def test_a_sentence_that_an_answer_ends_has_one_full_stop() -> None:
    """An agent wrote « signalé volé. » and the refusal printed « signalé volé.. »."""
    text = FILE.read_text("utf-8").replace("a été reçue le {sent}.", "est reçue, au nom de {nom}.")
    procedure = check_definition(text.encode(), FILE.name, the_shared()).procedure
    assert procedure is not None
    for name in ("Sotogo S.A.", "Sotogo"):
        dossier = replace(told().dossier, answers={**told().dossier.answers, "nom": name})
        paper = composed(procedure, dossier).paper
        assert paper is not None
        (operative,) = paper["operative"]  # type: ignore[misc]
        assert operative.endswith(f"{name.rstrip('.')}.")


def with_output(procedure: Procedure, **changes: Any) -> Procedure:
    output = procedure.outputs["attestation"]
    return replace(procedure, outputs={**procedure.outputs, "attestation": replace(output, **changes)})


def without_courtesy() -> dict[str, Any]:
    paper = told().procedure.outputs["attestation"].paper
    assert paper is not None
    return {"paper": replace(paper, courtesy=())}


def paper_of(document: IssuedDocument) -> dict[str, Any]:
    assert document.paper is not None
    return dict(document.paper)


@pytest.mark.parametrize("language", ["fr", "en", "ee"])
def test_it_is_in_the_first_language_with_its_translation_whatever_the_applicant_speaks(language: str) -> None:
    paper = paper_of(issued(language))
    [courtesy] = paper["courtesy"]
    assert (paper["lang"], paper["title"]) == ("fr", "Attestation de dépôt")
    assert paper["operative"][0].startswith("Le directeur atteste")
    assert (courtesy["lang"], courtesy["title"]) == ("en", "Certificate of receipt")
    assert courtesy["operative"][0].startswith("The director certifies")
    assert courtesy["prevails"] == [
        "Courtesy translation; the French text prevails.",
        "Traduction de courtoisie\u00a0; le texte français fait foi.",
    ]
    assert courtesy["declared"]["rows"] == [["Surname", "AMEGAN"]]


def test_a_translation_is_what_the_same_document_says_in_that_language() -> None:
    alone = paper_of(issued("en", **without_courtesy()))
    [courtesy] = paper_of(issued())["courtesy"]
    zones = courtesy.keys() - {"lang", "prevails"}
    assert {"title", "operative", "declared"} <= zones
    assert {name: courtesy[name] for name in zones} == {name: alone[name] for name in zones}


@pytest.mark.parametrize("language", ["fr", "en"])
def test_without_the_key_a_document_is_in_the_language_of_its_applicant_and_nothing_is_added(language: str) -> None:
    paper, other = paper_of(issued(language, **without_courtesy())), paper_of(issued(language))
    assert paper["lang"] == language
    assert other.keys() - paper.keys() == {"courtesy"}
    assert paper["version"] == other["version"] == 1


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_lines_of_a_fee_are_in_the_language_of_each_text(language: str) -> None:
    """They are owed in the language of the applicant."""
    one, procedure, at = told(), compiled(PRICED, FILE.name), told().document.issued_at
    scope = scope_of(procedure, one.dossier, local_day(at), shipped().directory)
    due = quote(procedure, "droit", scope, language, the_words())
    owed = {"droit": Owed("droit", due.label, due.amount, due.lines, at)}
    paper = paper_of(composed(procedure, replace(one.dossier, language=language, owed=owed)))
    labels = [[row[0] for row in text["lines"]["rows"]] for text in (paper, *paper["courtesy"])]
    assert labels == [["Dépôt", "Élèves", "Complément jusqu’au minimum"], ["Filing", "Pupils", "Top-up to the minimum"]]


@pytest.mark.parametrize(("language", "translated"), [("fr", []), ("en", ["en"]), ("ee", [])])
def test_a_letter_has_only_the_translation_that_its_applicant_reads(language: str, translated: list[str]) -> None:
    paper = paper_of(issued(language, kind="letter"))
    assert paper["lang"] == "fr"
    assert [one["lang"] for one in paper.get("courtesy", ())] == translated


@pytest.mark.parametrize(("language", "kind", "title"), [
    ("en", "certificate", "Certificate of receipt"), ("fr", "certificate", "Attestation de dépôt"),
    ("en", "letter", "Certificate of receipt"), ("ee", "certificate", "Attestation de dépôt"),
])  # fmt: skip
def test_a_list_of_documents_names_it_in_a_language_of_the_paper_that_the_applicant_reads(
    language: str, kind: str, title: str
) -> None:
    assert issued(language, kind=kind).title == title


def test_the_signature_covers_each_word_of_a_translation() -> None:
    document = issued()
    paper = paper_of(document)
    [courtesy] = paper["courtesy"]
    other = replace(document, paper={**paper, "courtesy": [{**courtesy, "title": "Certificate of receipts"}]})
    assert content_digest(other) != content_digest(document)


@pytest.mark.parametrize(("language", "said"), [
    ("en", "With a courtesy translation: English"), ("fr", "Avec une traduction de courtoisie\u00a0: anglais"),
])  # fmt: skip
def test_a_definition_in_sentences_names_the_translations(language: str, said: str) -> None:
    reader = PaperReader(told().procedure, shipped().directory, the_words(), language)
    assert said in list(reader.paper(told().procedure.outputs["attestation"]))
