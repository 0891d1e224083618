"""The canonical form of an edition is read for ever: words of the first release keep their meaning in texts already published."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from engine.core.problems import InvalidDefinition
from engine.language.catalogue.check import check_definition
from engine.language.compiler.build_context import BuildContext
from engine.language.compiler.canonical import contract, expand, library_used
from engine.language.compiler.compile import build_from_expanded, fingerprint_of
from engine.language.compiler.includes import CombinedTree
from engine.language.source.loader import Source
from engine.model import Procedure
from engine.model.directory import Directory
from engine.records.codec import from_plain
from engine.records.publications import Edition
from tests.engine.language.building import a_file, compiled, the_shared
from tests.engine.services.world import shipped
from tests.histories.record import HERE

FILES = sorted(HERE.glob("*/*.jsonl"))
FIRST_RELEASE = {
    "kind": ("permit", "certificate", "card", "contract", "receipt", "quote", "form", "letter"),
    "verify": ("public", "code", "none"),
}


@cache
def kept(file: Path) -> Edition:
    return from_plain(Edition, json.loads(file.read_bytes().splitlines()[0]))


def rebuilt(expanded: str) -> Procedure:
    return build_from_expanded(expanded, Source("kept.yaml", "", {}), Directory())


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_kept_text_keeps_its_fingerprint(file: Path) -> None:
    """An unchanged file is known by its fingerprint, so the canonical form of old words never changes."""
    edition = kept(file)
    tree, library = contract(edition.expanded, shipped().directory)
    placed = CombinedTree(tree, Source("kept.yaml", "", {}))
    again = expand(placed, library_used(placed, BuildContext(placed, library).library))
    assert fingerprint_of(again) == edition.fingerprint


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_the_documents_of_a_kept_text_say_what_they_said(file: Path) -> None:
    edition = kept(file)
    procedure = shipped().rebuild(edition)
    written: dict[str, dict[str, Any]] = json.loads(edition.expanded)["procedure"].get("outputs", {})
    assert list(procedure.outputs) == list(written)
    for name, one in written.items():
        output = procedure.outputs[name]
        assert output.kind == one.get("kind", "certificate")
        assert output.verify == one.get("verify", "code")
        assert list(output.shows) == one.get("shows", [])
        body = one.get("body")
        said = dict(output.body.text.versions) if output.body is not None else None
        assert said == (body if body is None or isinstance(body, dict) else {"fr": body})


@pytest.mark.parametrize(("key", "word"), [(key, word) for key, words in FIRST_RELEASE.items() for word in words])
def test_a_word_of_the_first_release_is_never_forgotten(key: str, word: str) -> None:
    """A word that the compiler no longer knows would silently become the default one."""
    whole = json.loads(kept(next(one for one in FILES if one.stem == "permis-de-construire")).expanded)
    name = next(iter(whole["procedure"]["outputs"]))
    whole["procedure"]["outputs"][name][key] = word
    output = rebuilt(json.dumps(whole)).outputs[name]
    assert getattr(output, key) == word


def test_what_cannot_be_compiled_is_no_edition() -> None:
    whole = json.loads(kept(FILES[0]).expanded)
    name = next(iter(whole["procedure"]["outputs"]))
    whole["procedure"]["outputs"][name]["when"] = "a_question_that_is_none == 3"
    with pytest.raises(InvalidDefinition):
        rebuilt(json.dumps(whole))


def test_a_kept_text_may_promise_a_channel_that_a_new_text_may_not() -> None:
    """The channels of the first release are still read; only their promise to come is refused, and only in a new text."""
    text = a_file("channels: [web, counter, paper, api]")
    checked = check_definition(text, "essai.yaml", the_shared())
    assert [(one.code, one.facts["name"]) for one in checked.report.errors] == [("S299", "api")]
    built = checked.built
    assert built is not None
    kept_text = checked.with_kept({built.fingerprint})
    assert (kept_text.procedure, kept_text.report.errors) == (built, ())
    again = rebuilt(built.expanded)
    assert (again.fingerprint, again.identity.channels) == (built.fingerprint, ("web", "counter", "paper", "api"))


def test_the_default_of_a_key_is_no_part_of_a_text() -> None:
    """A kept text that named no channel keeps its fingerprint, and promises what is served today."""
    procedure = compiled("")
    assert "channels" not in json.loads(procedure.expanded)["procedure"]
    assert procedure.identity.channels == ("web", "counter")
