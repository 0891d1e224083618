"""The generated references of `docs/reference/`: every key of the language, every problem code, every command.

`python -m renderers.reference` writes them; `tests/test_docs.py` fails when a page no longer says what the code does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast

import click

from engine.definition.shape import META_SCHEMA_PATH
from renderers.console import console
from renderers.console_language import SpokenGroup
from renderers.problem_text import explain
from renderers.problem_words import codes
from renderers.reference_examples import Example, Examples, examples, faulty_files

FOLDER: Final = Path(__file__).resolve().parent.parent / "docs" / "reference"
_NOTE: Final = "<!-- Written by `make reference`; change the source it names instead. -->\n"
_SECTIONS: Final = (
    "criterion", "page", "use_one", "field", "option", "check", "evidence", "table", "fee", "line", "reduction",
    "appointment", "round", "service", "later_form", "look_up", "link", "workflow", "state", "act", "clock", "output",
    "notice_one", "personal_data", "sensitive", "accept", "scenario", "step", "expect", "law", "appeal", "contact",
    "block", "list", "item", "preset", "agency", "agency_role", "office", "closure", "calendar", "scheme", "register",
)  # fmt: skip


def pages() -> Mapping[str, str]:
    """File name → text of each generated page."""
    return {"keys.md": keys_page(), "problems.md": problems_page(), "commands.md": commands_page()}


def keys_page() -> str:
    """Every key, from the JSON Schema of the language."""
    schema: dict[str, Any] = json.loads(META_SCHEMA_PATH.read_text("utf-8"))
    shown = examples(schema)
    lines = [_NOTE, "# Keys of a definition\n", "From `engine/definition/procedure.schema.json`. The reasons and the",
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


def without_example() -> tuple[str, ...]:
    """The keys that no checked file uses: there should be none. A preset's sections are those of a procedure."""
    schema: dict[str, Any] = json.loads(META_SCHEMA_PATH.read_text("utf-8"))
    shown = examples(schema)
    sections = {"top": schema, **{name: schema["$defs"][name] for name in _SECTIONS}}
    return tuple(
        f"{name}.{key}"
        for name, part in sections.items()
        for key in part.get("properties", {})
        if (name, key) not in shown and not (name == "preset" and key in schema["properties"])
    )


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
    """Every problem code with its explanation, in English, from the words of the checker."""
    lines = [_NOTE, "# Problems\n", "What `guichet lint` may say, by code. `guichet explain CODE` says the same. The files",
             "named show each fault in a whole procedure; the tests find it there, at its line and column.\n"]  # fmt: skip
    for code in codes():
        lines += [f"## {code}\n", "```text", (explain(code, "en") or "").strip(), "```\n"]
        shown = [f"[{file.name}](../../tests/bad/{file.name})" for file in faulty_files(code)]
        lines += ["Whole files: " + ", ".join(shown) + "\n"] if shown else []
    return "\n".join(lines).rstrip() + "\n"


def commands_page() -> str:
    """Every command, those of the other rooms too, from its own help."""
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


def write() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, "utf-8")


if __name__ == "__main__":
    write()
