"""Command line in the reader's language: help, wrong use and first steps. French by default.

English words are in the code of a command, French ones in `words_commands.fr.yaml` by its name. click has English
sentences only, which are recognised and translated.
"""

from __future__ import annotations

import copy
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from renderers.i18n.translations import Translations

OFFERED: Final = ("fr", "en")
_GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "write": ("new", "preview", "fmt", "explain", "expand", "graph", "paper", "schema"),
    "prove": ("lint", "test", "prove"),
    "change": ("diff", "snapshot", "replay", "publish", "migrate"),
    "serve": ("serve", "worker", "doctor", "fsck", "verify", "masked"),
}
_WHOLE: Final = 1_000  # characters: a sentence is wrapped, never cut
_STEPS: Final = (
    ("new", "guichet new"),
    ("lint", "guichet lint procedures"),
    ("preview", "guichet preview SLUG"),
    ("test", "guichet test procedures"),
    ("serve", "guichet serve --demo"),
)
_SENTENCES: Final = tuple(
    (key, re.compile(pattern, re.S))
    for key, pattern in (
        ("no_option", r"No such option '(?P<name>.*?)'\.(?P<near>.*)"),
        ("no_command", r"No such command '(?P<name>.*?)'\.(?P<near>.*)"),
        ("missing_argument", r"Missing argument '(?P<name>.*?)'\.?(?P<choose>.*)"),
        ("missing_option", r"Missing option '(?P<name>.*?)'\.?(?P<choose>.*)"),
        ("missing_command", r"Missing command\."),
        ("extra", r"Got unexpected extra arguments? \((?P<names>.*)\)"),
        ("no_value", r"Option '(?P<name>.*?)' does not take a value\."),
        ("needs_value", r"Option '(?P<name>.*?)' requires (an argument|\d+ arguments)\."),
        ("invalid", r"Invalid value for (?P<name>.*?): (?P<message>.*)"),
        ("not_one_of", r"'(?P<value>.*)' is not (one of )?(?P<names>'.*')\."),
        ("not_whole", r"'(?P<value>.*)' is not a valid integer( range)?\."),
        ("not_a_number", r"'(?P<value>.*)' is not a valid float( range)?\."),
        ("out_of_range", r"(?P<value>\S+) is not in the range (?P<range>.*)\."),
        ("not_there", r"(File|Directory|Path) '(?P<value>.*)' does not exist\."),
        ("is_a_file", r"(File|Directory|Path) '(?P<value>.*)' is a file\."),
        ("is_a_folder", r"(File|Directory|Path) '(?P<value>.*)' is a directory\."),
        ("unreadable", r"(File|Directory|Path) '(?P<value>.*)' is not readable\."),
        ("no_file", r"(?P<path>.*): no such file or folder"),
        ("no_definition", r"no definition here \(.*\)"),
        ("unknown_code", r"(?P<code>.*): unknown code; .*"),
        ("has_errors", r"(?P<path>.*) has errors; run: .*"),
        ("gateways", r"(?P<path>[^:]+\.toml): (?P<message>.*)"),
        ("gateway", r"(?P<name>\[[\w.]+\] \w+|\w+(?=: is none of)): (?P<message>.*)"),
        ("missing_key", r"is missing"),
        ("no_key", r"is not a key of this table"),
        ("no_table", r"is none of (?P<names>\[.*\])"),
        ("key_of", r"must be one of (?P<names>.*)"),
        ("text_key", r"must be a text"),
        ("number_key", r"must be a number"),
        ("https_key", r"must be an https address"),
        ("unread_key", r"(?P<path>.*) cannot be read by this account"),
    )
)  # English sentences of click, of our commands, then of the file of gateways


def language_of(args: Sequence[str]) -> str:
    """Return the language of `--lang`, else of the environment, else French."""
    asked = ""
    for at, word in enumerate(args):
        if word == "--lang" and at + 1 < len(args):
            asked = args[at + 1]
        elif word.startswith("--lang="):
            asked = word.partition("=")[2]
    usual = os.environ.get("GUICHET_LANG", OFFERED[0])
    return next((one for one in (asked, usual) if one in OFFERED), OFFERED[0])


def say(key: str, language: str, **facts: str) -> str:
    """Return the sentence of a key below `commands.`, with its facts filled in."""
    return _words().say(f"commands.{key}", language, facts)


def _words() -> Translations:
    from renderers.i18n.translations import load_words

    return load_words("_commands")


# -- wrong uses --------------------------------------------------------------------------------------------------------


def in_french(message: str) -> str:
    """Return a sentence of click about wrong use in French, unchanged if it is unknown."""
    for key, pattern in _SENTENCES:
        found = pattern.fullmatch(message.strip())
        if found is None:
            continue
        facts = {name: text.strip() for name, text in found.groupdict("").items()}
        if "message" in facts:
            facts["message"] = in_french(facts["message"])
        if key == "missing_argument":
            facts["name"] = _arguments(facts["name"])
        if "range" in facts:
            facts["range"] = _range(facts["range"])
        text = say(f"click.{key}", "fr", **{name: text.replace("'", "") for name, text in facts.items()})
        if near := re.findall(r"'(.*?)'", facts.get("near", "")):
            text += " " + say("click.near", "fr", names=_either(near))
        if choose := re.findall(r"[\w.-]+", facts.get("choose", "").partition("\n")[2]):
            text += " " + say("click.choose", "fr", names=", ".join(choose))
        return text
    return message


def _either(names: Sequence[str]) -> str:
    quoted = [f"« {name} »" for name in names]
    return " ou ".join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else quoted[0]


def show_fault(error: click.ClickException, language: str) -> None:
    """Print wrong use or a failure on standard error."""
    if language != "fr":
        error.show()
        return
    context = getattr(error, "ctx", None)
    if isinstance(error, click.UsageError) and context is not None:
        click.echo(context.command.get_usage(context), err=True)
        click.echo(say("click.try", "fr", command=context.command_path) + "\n", err=True)
    click.echo(say("click.error", "fr", message=in_french(error.format_message())), err=True)


# -- help --------------------------------------------------------------------------------------------------------------


class SpokenFormatter(click.HelpFormatter):
    """Writes help in French. Text without translation stays in English."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write the usage line with French names of arguments."""
        args = _arguments(args.replace("COMMAND [ARGS]...", say("click.command_args", "fr")))
        super().write_usage(prog, args, f"{say('click.usage', 'fr')} " if prefix is None else prefix)

    def write_heading(self, heading: str) -> None:
        """Write a heading in French."""
        said = {"Options": "click.options", "Commands": "click.commands"}.get(heading)
        self.write(f"{'':>{self.current_indent}}{say(said, 'fr') if said else heading} :\n")

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write a list of options or commands with French names and defaults."""
        super().write_dl([(_arguments(name), _row(text)) for name, text in rows], col_max, col_spacing)


def _arguments(text: str) -> str:
    """Return the text with the French names of arguments and types."""
    words = text.replace(" RANGE", "")
    return re.sub(r"\b[A-Z_]{3,}", lambda word: _maybe(f"click.arguments.{word[0].lower()}") or word[0], words)


def _range(text: str) -> str:
    """Return `0<=x<=365` or `x>=1` in words."""
    bounds = dict(zip(("least", "most"), re.findall(r"-?\d+", text), strict=False))
    if "<=x<=" in text:
        return say("click.between", "fr", **bounds)
    return say("click.at_least", "fr", **bounds) if text.startswith("x>=") else text


def _row(text: str) -> str:
    fixed = {"Show this message and exit.": "option.help", "Show the version and exit.": "option.version"}
    if text in fixed:
        return say(fixed[text], "fr")
    text = re.sub(r"default: ([^;\]]+)", lambda found: say("click.default", "fr", value=found[1]), text)
    return re.sub(r"\brequired\b(?=[;\]])", say("click.required", "fr"), text)


class SpokenContext(click.Context):
    """A click context with the language of its reader."""

    def __init__(self, *args: Any, spoken: str | None = None, **extra: Any) -> None:
        super().__init__(*args, **extra)
        self.spoken: str = spoken or getattr(self.parent, "spoken", OFFERED[0])

    def make_formatter(self) -> click.HelpFormatter:
        """Return the formatter of the reader's language."""
        if self.spoken != "fr":
            return super().make_formatter()
        return SpokenFormatter(width=self.terminal_width, max_width=self.max_content_width)


def spoken(command: click.Command, name: str, language: str) -> click.Command:
    """Return a copy of a command with its help in the language."""
    said = copy.copy(command)
    said.context_class = SpokenContext
    if language != "fr" or not _words().has(f"commands.{name}.what"):
        return said
    what, more = say(f"{name}.what", "fr"), _maybe(f"{name}.more")
    said.short_help, said.help = what, f"{what}\n\n{more}" if more else what
    said.params = [_spoken_option(one, name) for one in command.params]
    return said


def _spoken_option(option: click.Parameter, command: str) -> click.Parameter:
    keys = (
        f"{command}.{option.name}",
        f"{command}.{option.name}_",
        f"option.{option.name}",
    )  # YAML reads `yes` as a boolean
    help_ = next((words for key in keys if (words := _maybe(key))), None)
    if not isinstance(option, click.Option) or help_ is None:
        return option
    said = copy.copy(option)
    said.help = help_
    return said


def _maybe(key: str) -> str | None:
    return say(key, "fr") if _words().has(f"commands.{key}") else None


class SpokenGroup(click.Group):
    """The group of all commands, in the reader's language and sorted by purpose."""

    context_class = SpokenContext

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Return the context, with the language of `args` as default of each command's `--lang`."""
        language = language_of(args)
        usual: dict[str, Any] = {word: {"language": language} for word in args}  # one of these words is the command
        return super().make_context(info_name, args, parent, spoken=language, default_map=usual, **extra)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the options of the group with their help in the reader's language."""
        known = super().get_params(ctx)
        return [_spoken_option(one, "guichet") for one in known] if _language(ctx) == "fr" else known

    def list_commands(self, ctx: click.Context | None) -> list[str]:
        """Return the names of the commands in alphabetical order."""
        return sorted(self.commands)

    def get_command(self, ctx: click.Context | None, cmd_name: str) -> click.Command | None:
        """Return a command with its help in the reader's language, None if it is unknown."""
        found = self.find(ctx, cmd_name)
        return spoken(found, cmd_name, _language(ctx)) if found is not None else None

    def find(self, context: click.Context | None, name: str) -> click.Command | None:
        """Return the command with its original help, None if it is unknown."""
        return self.commands.get(name)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the introduction in the reader's language."""
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(say("tour", "fr") if _language(ctx) == "fr" else self.help or "")

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the first steps, then the commands by purpose."""
        language = _language(ctx)
        with formatter.section(say("first", language)):
            formatter.write_dl([(line, say(f"step_{name}", language)) for name, line in _STEPS])
        left = [
            name for name in self.list_commands(ctx) if name not in {one for names in _GROUPS.values() for one in names}
        ]
        for group, names in {**_GROUPS, "other": tuple(left)}.items():
            rows = [(name, what) for name in names if (what := self._what(ctx, name))]
            if rows:
                with formatter.section(say(f"group.{group}", language)):
                    formatter.write_dl(rows)

    def _what(self, ctx: click.Context, name: str) -> str:
        """Return the purpose of a command in one sentence. In French the command is not loaded."""
        if _language(ctx) == "fr" and (what := _maybe(f"{name}.what")):
            return what
        command = self.get_command(ctx, name)
        return "" if command is None or command.hidden else command.get_short_help_str(_WHOLE)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the hint to the full documentation."""
        formatter.write_paragraph()
        formatter.write_text(say("all", _language(ctx)))

    def main(
        self, args: Sequence[str] | None = None, prog_name: str | None = None, complete_var: str | None = None,
        standalone_mode: bool = True, **extra: Any,
    ) -> Any:  # fmt: skip
        """Run a command. Errors are printed in the reader's language before the process exits."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, False, **extra)
        language = language_of(sys.argv[1:] if args is None else args)
        try:
            ended = super().main(args, prog_name, complete_var, False, **extra)
        except click.ClickException as error:
            show_fault(error, language)
            sys.exit(error.exit_code)
        except click.Abort:
            click.echo(say("click.aborted", "fr") if language == "fr" else "Aborted!", err=True)
            sys.exit(1)
        sys.exit(ended if isinstance(ended, int) else 0)


def _language(context: click.Context | None) -> str:
    return getattr(context.find_root(), "spoken", OFFERED[0]) if context is not None else OFFERED[0]
