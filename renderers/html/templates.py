"""Templates to HTML, the only module that imports jinja2.

All values are escaped and an undefined name is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined, nodes
from jinja2.visitor import NodeTransformer
from markupsafe import Markup, escape

from engine.core.clock import local, local_day
from engine.core.values import Span, Text
from engine.domain.fields.views import PageView
from renderers.html.compiled_pages import CompiledPages, Joined, Marks, flag
from renderers.html.controls import DrawingContext
from renderers.i18n.language_spans import LanguageSpan, as_text
from renderers.i18n.translations import REFERENCE, Translations, first_capital, in_language, whole_number

_TEMPLATES: Final = Path(__file__).parents[1] / "templates"
_MARKS: Final = re.compile(r"<(/?[a-z]\w*)|(?<!-)>")  # start of a tag with its name, or its end
_PLAIN: Final = frozenset({"text", "title", "option", "textarea", "script", "style"})
_SHORT_LINES: Final = frozenset({"h1", "h2", "h3", "button"})
_FIXED: Final = {" : ": "\u00a0: ", "« ": "«\u00a0", " »": "\u00a0»"}  # no line starts or ends with a sign alone
_COMPOUND: Final = re.compile(r"(?<![^\W_])(?=[\w-]{3,14}(?![\w-]))[^\W\d_]+(?:-[^\W\d_]+)+(?![^<>]*>)")
# In running text: no name, address, file or code, which a reader may copy.
_IN_TEXT: Final = re.compile(r"(?<![\w./@-])(?=[\w-]{3,16}(?![\w-]))[^\W\d_]+(?:-[a-zà-ÿœ]+)+(?![\w/@-]|\.\w|[^<>]*>)")
_NAME: Final = re.compile(
    r"(?<![\w./@-])(?=[\w-]{3,14}(?![\w-]))[A-ZÀ-Þ][^\W_]*(?:-[A-ZÀ-Þ][^\W_]*)+(?![\w/@-]|\.\w|[^<>]*>)"
)
_COPIED: Final = frozenset(
    {"agent", "auditor", "operator", "preview", "staff"}
)  # pages whose readers copy text from them


class Pages:
    """Renders the templates of the project in any language. `asset` returns the address of a static file."""

    def __init__(self, words: Translations, asset: Callable[[str], str] = lambda name: f"/static/{name}") -> None:
        self.words = words
        self._asset = asset
        self._environments: dict[str, Environment] = {}
        self._compiled: dict[str, CompiledPages] = {}

    def render(self, template: str, language: str, context: Mapping[str, object]) -> str:
        """Return the page as text. `context` must hold every name that the template uses."""
        return self._in(language).get_template(template).render(context)

    def compiled(
        self, template: str, language: str, look: object, values: Mapping[str, object],
        context: Callable[[Mapping[str, object]], Mapping[str, object]],
    ) -> bytes:  # fmt: skip
        """Return the page in UTF-8, equal to that of `render`. `values` are those of its holes, never empty.

        `context` returns all names of the template from `values`, or from the marks of its holes. The rest of what it
        returns depends on `look` only.
        """

        def drawn(marks: Marks) -> str:
            return self.render(template, language, context({name: marks.hole(name) for name in values}))

        return b"".join(self._compiled_in(language).get((template, look), drawn).filled(values))

    def questions(self, page: PageView, drawing: DrawingContext) -> Joined:
        """Return the questions of a form page as HTML, compiled in that language."""
        return self._compiled_in(drawing.language).page(page, drawing)

    def forget(self) -> None:
        """Forget all compiled pages. Called when editions change."""
        self._compiled.clear()

    def _compiled_in(self, language: str) -> CompiledPages:
        if language not in self._compiled:
            macros = self._in(language).get_template("ui.html").module
            self._compiled[language] = CompiledPages(macros.champ)  # type: ignore[attr-defined]
        return self._compiled[language]

    def _in(self, language: str) -> Environment:
        if language not in self._environments:
            self._environments[language] = _environment(self.words, language, self._asset)
        return self._environments[language]


class _SaidAhead(NodeTransformer):
    """Replaces calls with a constant result (sentence without facts, address of a file) when a template compiles."""

    def __init__(self, say: Mapping[str, Callable[[str], str]]) -> None:
        self._say = say

    def visit_Call(self, node: nodes.Call) -> nodes.Expr:
        self.generic_visit(node)
        name = node.node.name if isinstance(node.node, nodes.Name) else ""
        facts = (*node.args[1:], *node.kwargs, node.dyn_args, node.dyn_kwargs)
        key = node.args[0] if node.args else None
        if name not in self._say or any(facts) or not isinstance(key, nodes.Const):
            return node
        said = self._say[name](key.value)
        return node if isinstance(said, LanguageSpan) else nodes.Const(said, lineno=node.lineno)


class _AsSpoken(NodeTransformer):
    """Adapts the punctuation of a template's own text to the language.

    Language marks are used only where an element is allowed. Attributes, titles and options get plain text.
    Short compound words do not break in headings and buttons, nor in the text of pages for the public.
    """

    def __init__(self, language: str, name: str) -> None:
        self._text = "" if name.partition("/")[0] in _COPIED else "whole"
        self._signs = _FIXED if language == REFERENCE else {" : ": ": ", "« ": "“", " »": "”"}
        self._in_tag, self._within, self._short_line = False, "", ""

    def visit_Block(self, node: nodes.Block) -> nodes.Node:
        before, self._within = self._within, "title" if node.name == "title" else self._within
        found = self.generic_visit(node)
        self._within = before
        return found

    def visit_Output(self, node: nodes.Output) -> nodes.Node:
        node.nodes = [self._placed(one) for one in node.nodes]
        return node

    def _placed(self, node: nodes.Expr) -> nodes.Expr:
        if isinstance(node, nodes.TemplateData):
            for mark in _MARKS.finditer(node.data):
                self._in_tag = mark[0].startswith("<")
                self._within = mark[1] if mark[1] in _PLAIN else "" if mark[1] else self._within
                if mark[1] in _SHORT_LINES or node.data.startswith('<a class="button', mark.start()):
                    self._short_line = mark[1]
                elif mark[1] == f"/{self._short_line}":
                    self._short_line = ""
            self._in_tag |= node.data.endswith('="')  # of a macro that writes attributes only
            data = node.data
            for sign, own in self._signs.items():
                data = data.replace(sign, own)
            return nodes.TemplateData(data, lineno=node.lineno)
        shape = "plain" if self._in_tag or self._within else "unbroken" if self._short_line else self._text
        if isinstance(node, nodes.Const):
            made = {"unbroken": _unbroken, "whole": _whole}.get(shape)
            return nodes.Const(made(node.value), lineno=node.lineno) if made is not None else node
        name = nodes.Name(shape, "load", lineno=node.lineno)
        return nodes.Call(name, [node], [], None, None, lineno=node.lineno) if shape else node


def _plain(value: object) -> object:
    """Return text without language marks, any other value unchanged."""
    if isinstance(value, LanguageSpan):
        return str(value)
    if isinstance(value, Markup) and "<span lang=" in value:
        return value.striptags()
    return value


def _unbroken(value: object, compound: re.Pattern[str] = _COMPOUND) -> object:
    """Return text whose short compound words (« rendez-vous ») stay on one line, any other value unchanged."""
    if not isinstance(value, str) or "-" not in value:
        return value
    if not isinstance(value, (Markup, LanguageSpan)):
        return compound.sub(_with_fixed_hyphens, value)
    return LanguageSpan.made_of(str(value), compound.sub(_with_fixed_hyphens, str(escape(value))))


def _whole(value: object) -> object:
    """Return running text whose short compound words stay on one line. HTML is unchanged: it may hold what is typed.

    So do short names (« Agoè-Nyivé »), which keep their hyphens.
    """
    if isinstance(value, Markup):
        return value
    said = _unbroken(value, _IN_TEXT)
    if not isinstance(said, str) or "-" not in said or not _NAME.search(said):
        return said
    return LanguageSpan.made_of(str(value), _NAME.sub(r'<span class="num">\g<0></span>', str(escape(said))))


def _with_fixed_hyphens(word: re.Match[str]) -> str:
    return word[0].replace("-", "\N{NON-BREAKING HYPHEN}")


class _Environment(Environment):
    """Environment that evaluates the globals in `said_ahead` at compile time, where their arguments are constant."""

    said_ahead: Mapping[str, Callable[[str], str]] = MappingProxyType({})

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        tree = _SaidAhead(self.said_ahead).visit(tree)
        return cast(nodes.Template, _AsSpoken(str(self.globals["lang"]), name or "").visit(tree))


def _environment(words: Translations, language: str, asset: Callable[[str], str]) -> Environment:
    environment = _Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )

    def say(key: str, /, **facts: object) -> str:
        return words.say(key, language, {name: as_text(value) for name, value in facts.items()})

    def text(value: Text | str | None) -> str:
        return in_language(value, language) if isinstance(value, Text) or value is None else value

    def day(value: date | datetime) -> str:
        return words.day(local_day(value) if isinstance(value, datetime) else value, language)

    def plain_day(value: date | datetime) -> str:
        return words.plain_day(local_day(value) if isinstance(value, datetime) else value, language)

    environment.filters["flag"] = flag
    environment.filters["capitalize"] = first_capital  # Jinja's filter would write « 25 november »
    environment.said_ahead = {"w": say, "asset": asset}
    environment.globals.update(
        {
            "lang": language,
            "w": say,
            "t": text,
            "plain": _plain,
            "unbroken": _unbroken,
            "whole": _whole,
            "asset": asset,
            "money": lambda amount: words.money(amount, language),
            "day": day,
            "plain_day": plain_day,
            "moment": lambda instant: words.moment(instant, language),
            "clock": lambda instant: words.clock(instant, language),
            "hour": lambda minutes: words.hour(minutes, language),
            "size": lambda octets: words.size(octets, language),
            "span": lambda span: span_text(words, span, language),
            "number": whole_number,
            "local": local,
        }
    )
    return environment


def span_text(words: Translations, span: Span, language: str) -> str:
    """Return a length of time in words, `20 jours ouvrés`."""
    return words.span(span.count, span.unit, span.working, language)
