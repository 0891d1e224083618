"""Generates `docs/reference/`: all keys of the language, problem codes, commands and documents.

`python -m renderers.cli.reference_docs` writes the pages. A test fails if a page differs from the code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import click

from engine.language.catalogue.check import check_definition
from engine.language.compiler.shared_files import Shared, load_shared
from engine.language.source.formatter import write_tree
from engine.language.source.loader import Path as Steps
from engine.language.source.loader import Source, Tree, read_source
from engine.language.source.schema import META_SCHEMA_PATH
from engine.model import Output
from renderers.cli.language import SpokenGroup
from renderers.cli.main import console
from renderers.definition.papers import PaperReader
from renderers.i18n.problem_messages import codes
from renderers.i18n.translations import Translations, load_words
from renderers.reports.problems import explain

ROOT: Final = Path(__file__).resolve().parents[2]
_FOLDERS: Final = {"blocks": "block", "lists": "list", "presets": "preset"}  # otherwise the name of the file
_SAME: Final = {"use": "use_one", "notice": "notice_one"}  # an element or a list of elements
_LONGEST: Final = 90
_LANGUAGE: Final = "en"
_INTRODUCTION: Final = """# Documents

Each document of the shipped procedures: who signs it, and where each value that it prints comes from. Proof P13 (`docs/language.md` §14) says whether
every path that issues a document has checked these values. A document without sources prints answers as the first form of the language did, or none.
"""


@dataclass(frozen=True, slots=True)
class Example:
    """`key: value` as a file holds it, empty if longer than a line, with the file relative to the root."""

    text: str
    file: str


Examples = Mapping[tuple[str, str], Example]  # keyed by section of the schema and key


def examples(schema: Mapping[str, Any]) -> Examples:
    """Return the best example of each key that a checked file uses."""
    found: dict[tuple[str, str], Example] = {}
    for path, part in _files(schema):
        source = read_source(path.read_bytes(), path.relative_to(ROOT).as_posix())
        for name, steps, value in _keys(schema["$defs"], part, source.tree, "top", ()):
            one = _example_of_reference_examples(source, steps, value)
            known = found.get((name, str(steps[-1])))
            if known is None or _rank(one) < _rank(known):
                found[(name, str(steps[-1]))] = one
    return found


def _files(schema: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    for path in sorted((ROOT / "tests" / "good").glob("*.yaml")):
        yield path, schema
    for path in sorted((ROOT / "procedures").glob("*.yaml")):
        yield path, schema
    for path in [*(ROOT / "tests" / "good_shared").glob("*/*.yaml"), *(ROOT / "procedures").glob("*/*.yaml")]:
        yield path, {"$ref": "#/$defs/" + _FOLDERS.get(path.parent.name, path.stem)}


def _rank(one: Example) -> tuple[bool, bool, int, str]:
    """Return the sort key: one-line examples first, then those written for tests, then the shortest."""
    return not one.text, not one.file.startswith("tests/"), len(one.text), one.file


def _example_of_reference_examples(source: Source, steps: Steps, value: Tree) -> Example:
    text = write_tree({str(steps[-1]): value}).strip()
    short = text if "\n" not in text and len(text) <= _LONGEST else ""
    return Example(short, source.file)


def _keys(
    defs: Mapping[str, Any], part: Mapping[str, Any], tree: Tree, name: str, steps: Steps
) -> Iterator[tuple[str, Steps, Tree]]:
    """Yield each key of a tree with the section of the schema that describes it."""
    if "$ref" in part:
        name = str(part["$ref"]).rpartition("/")[2]
        part, name = {**defs[name], **{key: one for key, one in part.items() if key != "$ref"}}, _SAME.get(name, name)
    if isinstance(tree, dict):
        for key, value in tree.items():
            own = part.get("properties", {}).get(key)
            if own is not None:
                yield name, (*steps, key), value
            for inner in [own] if own is not None else _open(part, key):
                yield from _keys(defs, inner, value, f"{name}.{key}", (*steps, key))
    elif isinstance(tree, list) and isinstance(part.get("items"), dict):
        for at, value in enumerate(tree):
            yield from _keys(defs, part["items"], value, name, (*steps, at))


def _open(part: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    """Yield the schemas of a key that the schema does not name."""
    for pattern, one in part.get("patternProperties", {}).items():
        if re.search(pattern, key):
            yield one
    if isinstance(part.get("additionalProperties"), dict):
        yield part["additionalProperties"]


def faulty_files(code: str) -> tuple[Path, ...]:
    """Return the files of `tests/bad` with a fault of this code."""
    return tuple(sorted((ROOT / "tests" / "bad").glob(f"{code}_*.yaml")))


FOLDER: Final = Path(__file__).resolve().parents[2] / "docs" / "reference"
_NOTE: Final = "<!-- Written by `make reference`; change the source it names instead. -->\n"
_SECTIONS: Final = (
    "criterion", "page", "use_one", "field", "option", "check", "evidence", "table", "fee", "line", "reduction",
    "appointment", "round", "service", "later_form", "look_up", "link", "workflow", "state", "act", "clock", "output",
    "notice_one", "annotation", "personal_data", "sensitive", "accept", "scenario", "step", "expect", "law", "appeal", "contact",
    "block", "list", "item", "preset", "agency", "agency_role", "office", "closure", "calendar", "scheme", "register",
)  # fmt: skip


def pages() -> Mapping[str, str]:
    """Return the text of each generated page, by file name."""
    return {
        "keys.md": keys_page(),
        "problems.md": problems_page(),
        "commands.md": commands_page(),
        "documents.md": documents_page(ROOT / "procedures"),
    }


def keys_page() -> str:
    """Return the page of all keys, from the JSON Schema of the language."""
    schema: dict[str, Any] = json.loads(META_SCHEMA_PATH.read_text("utf-8"))
    shown = examples(schema)
    lines = [_NOTE, "# Keys of a definition\n", "From `engine/language/source/procedure.schema.json`. The reasons and the",
             "rules behind them: [the language](../language.md). Each example stands in a file that the tests check.\n",
             "## Top of a file\n", *_table(schema, "top", shown)]  # fmt: skip
    for name in _SECTIONS:
        part = schema["$defs"].get(name)
        if part is not None:
            lines += [
                f"\n## {part.get('title', name)}\n",
                part.get("description", "") + "\n",
                *_table(part, name, shown),
            ]
    return "\n".join(lines).rstrip() + "\n"


def _table(part: Mapping[str, Any], name: str, shown: Examples) -> Iterator[str]:
    properties: Mapping[str, Any] = part.get("properties", {})
    if not properties:
        return
    required = set(part.get("required", part.get("else", {}).get("required", ())))
    yield "| key | is | meaning | example |"
    yield "|---|---|---|---|"
    for key, value in properties.items():
        mark = "**required** · " if key in required else ""
        meaning = str(value.get("description", value.get("title", ""))).replace("|", "\\|")
        yield f"| `{key}` | {_kind(value)} | {mark}{meaning} | {_example(shown.get((name, key)))} |"


def _example(one: Example | None) -> str:
    if one is None:
        return ""
    place = f"[{one.file.rpartition('/')[2]}](../../{one.file})"
    text = one.text.replace("|", "\\|")
    return f"`{text}` · {place}" if text and "`" not in text else place


def _kind(value: Mapping[str, Any]) -> str:
    if "$ref" in value:
        return str(value["$ref"]).rsplit("/", 1)[-1].replace("_", " ")
    if "enum" in value:
        return " ".join(f"`{one}`" for one in value["enum"])
    if "patternProperties" in value:
        return "map of " + " or ".join(_kind(one) for one in value["patternProperties"].values())
    kind = value.get("type", "any")
    if kind == "array" and isinstance(value.get("items"), Mapping):
        return f"list of {_kind(value['items'])}"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def problems_page() -> str:
    """Return the page of all problem codes with their explanation in English."""
    lines = [_NOTE, "# Problems\n", "What `guichet lint` may say, by code. `guichet explain CODE` says the same. The files",
             "named show each fault in a whole procedure; the tests find it there, at its line and column.\n"]  # fmt: skip
    for code in codes():
        lines += [f"## {code}\n", "```text", (explain(code, "en") or "").strip(), "```\n"]
        shown = [f"[{file.name}](../../tests/bad/{file.name})" for file in faulty_files(code)]
        lines += ["Whole files: " + ", ".join(shown) + "\n"] if shown else []
    return "\n".join(lines).rstrip() + "\n"


def commands_page() -> str:
    """Return the page of all commands, registered ones included, with their help."""
    lines = [
        _NOTE,
        "# Commands\n",
        "Each command says the same with `--help`, in French, or in English with `--lang en`.\n",
    ]
    group = cast(SpokenGroup, console)
    for name in group.list_commands(None):
        command = group.find(None, name)
        if command is None or command.hidden:
            continue
        context = click.Context(command, info_name=f"guichet {name}", terminal_width=100)
        lines += [f"## guichet {name}\n", "```text", command.get_help(context).strip(), "```\n"]
    return "\n".join(lines).rstrip() + "\n"


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


def write() -> None:
    """Write all pages into `docs/reference`."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, "utf-8")


if __name__ == "__main__":
    write()
