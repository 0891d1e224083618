"""Generates `docs/reference/documents.md`: one row for each document of the procedures, with the source of its values."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from engine.language.catalogue.check import check_definition
from engine.language.compiler.shared_files import Shared, load_shared
from engine.model import Output
from renderers.definition.papers import PaperReader
from renderers.i18n.translations import Translations, load_words

_LANGUAGE: Final = "en"
_INTRODUCTION: Final = """# Documents

Each document of the shipped procedures: who signs it, and where each value that it prints comes from. Proof P13 (`docs/language.md` §14) says whether
every path that issues a document has checked these values. A document without sources prints answers as the first form of the language did, or none.
"""


def documents_page(folder: Path) -> str:
    """Return the page of all documents of a folder of procedures, by procedure."""
    shared, words = load_shared(folder)[0], load_words()
    lines = [_INTRODUCTION]
    for path in sorted(folder.glob("*.yaml")):
        lines += _section(path, shared, words)
    return "\n".join(lines).rstrip() + "\n"


def _section(path: Path, shared: Shared, words: Translations) -> Iterator[str]:
    procedure = check_definition(path.read_bytes(), path.name, shared, lint=False).procedure
    if procedure is None or not procedure.outputs:
        return
    reader = PaperReader(procedure, shared.directory, words, _LANGUAGE)
    yield f"## {reader.t(procedure.identity.title)}\n"
    yield f"From [{path.name}](../../procedures/{path.name}).\n"
    yield "| document | kind | signed by | values and their source |"
    yield "|---|---|---|---|"
    yield from (_row(reader, one) for one in procedure.outputs.values())
    yield ""


def _row(reader: PaperReader, one: Output) -> str:
    signed = reader.role(one.signed_by) if one.signed_by else "the seal"
    sources = "<br>".join(said.replace("|", "\\|") for said in reader.sources(one)) or "none"
    title = reader.t(one.title).replace("|", "\\|")
    said = reader.courtesy(one.paper) if one.paper is not None else ()
    kind = ", ".join(words[0].lower() + words[1:] for words in (reader.say(f"kind_{one.kind}"), *said))
    return f"| `{one.id}` {title} | {kind} | {signed} | {sources} |"
