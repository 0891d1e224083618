"""Builder of outputs and notices: the documents that a procedure issues, the messages that it sends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast, get_args

from engine.language.compiler.build_context import MESSAGE, NUMBER, BuildContext, read_pattern, read_template
from engine.language.compiler.build_papers import PAPER_KEYS, build_paper
from engine.language.compiler.namespace import PARTS
from engine.language.compiler.symbols import SymbolContext
from engine.language.expressions.parse_context import Vocabulary
from engine.language.source.loader import Path
from engine.model import APPLICANT, Notice, Output, Template
from engine.model.procedure import OutputKind, VerifyBy
from engine.model.types import DATE, SPAN, TRUE, YES_NO

GRANTING: Final = ("permit", "decision", "certificate", "extract", "card", "contract")
_SERIES: Final = ("agency", "office", "procedure", "year")
_USUAL_NUMBER: Final = "{agency}-{year}-{serial}"


def build_outputs(symbols: SymbolContext) -> Iterator[Output]:
    """Yield the outputs, in the order of the file."""
    for name, path in symbols.build.each(("outputs",)):
        yield _output(symbols, name, path)


def _output(symbols: SymbolContext, name: str, path: Path) -> Output:
    build = symbols.build
    kind = cast(OutputKind, build.choice((*path, "kind"), get_args(OutputKind), "certificate"))
    per = _rows(symbols, (*path, "per"))
    words = symbols.words.at(symbols.words.everywhere, build.at((*path, "when")), rows=per)
    answers = {*symbols.words.types, *symbols.words.rows.get(per or "", {})}
    shown = {*answers, *symbols.names.of("fee", "definition"), *MESSAGE}
    paper = build_paper(symbols, path, words, answers)
    return Output(
        id=name,
        where=build.where(path, key=True),
        basis=build.basis(path),
        title=build.title((*path, "title")),
        kind=kind,
        grants=build.flag((*path, "grants"), kind in GRANTING),
        per=per,
        when=build.or_else((*path, "when"), symbols.words.at(symbols.words.everywhere, rows=per), YES_NO, TRUE),
        number=read_pattern(build, (*path, "number"), NUMBER) or _USUAL_NUMBER,
        serial_per=tuple(one for one in build.ids((*path, "serial", "per")) if one in _SERIES) or ("agency", "year"),
        gapless=build.flag((*path, "serial", "gapless"), False),
        valid=build.expression((*path, "valid"), words, (SPAN, DATE)),
        signed_by=build.role((*path, "signed_by")),
        shows=_answers(symbols, (*path, "shows"), answers),
        body=read_template(build, (*path, "body"), shown),
        verify=_verify(build, path, any(key in build.entries(path) for key in PAPER_KEYS)),
        register=_answers(symbols, (*path, "register"), answers),
        paper=paper,
    )


def _verify(build: BuildContext, path: Path, states: bool) -> VerifyBy:
    """Return how a document is verified: one word, or `{by, shows}`. What states something is verified by its token.

    A form without a key of a paper keeps the default of the first form of the language.
    """
    inner = isinstance(build.at((*path, "verify")), dict)
    there = (*path, "verify", "by") if inner else (*path, "verify")
    return cast(VerifyBy, build.choice(there, get_args(VerifyBy), "token" if inner or states else "code"))


def _rows(symbols: SymbolContext, path: Path) -> str | None:
    name = symbols.build.words(path)
    if name is None or not symbols.names.check(symbols.build, name, path, "question"):
        return None
    return name if name in symbols.words.rows else None


def _answers(symbols: SymbolContext, path: Path, known: set[str]) -> tuple[str, ...]:
    found = []
    for name, there in symbols.build.named(path):
        if name in known:
            found.append(name)
        else:
            symbols.build.unknown("N301", there, name, known)
    return tuple(found)


# -- messages ----------------------------------------------------------------------------------------------------------


def build_notices(symbols: SymbolContext) -> Iterator[Notice]:
    """Yield the notices. The key of each is its event: a state, a transition, a task or a time limit."""
    for event in symbols.build.entries(("notices",)):
        path: Path = ("notices", event)
        if not symbols.names.check(symbols.build, event, path, "state", "transition", "clock", *PARTS):
            continue
        written = symbols.build.at(path)
        places = [(*path, at) for at, _ in enumerate(written)] if isinstance(written, list) else [path]
        for place in places:
            yield _notice(symbols, event, place)


def _notice(symbols: SymbolContext, event: str, path: Path) -> Notice:
    build = symbols.build
    words: Vocabulary = symbols.words.at(symbols.words.everywhere)
    known = {*symbols.words.types, *symbols.names.of("fee", "definition"), *MESSAGE}

    def said(*key: str) -> Template | None:
        return read_template(build, (*path, *key), known)

    return Notice(
        id=event,
        where=build.where(path, key=True),
        basis=build.basis(path),
        event=event,
        to=_recipient(symbols, (*path, "to")),
        before=build.span((*path, "before")),
        when=build.or_else((*path, "when"), words, YES_NO, TRUE),
        sms=said("sms"),
        email_subject=said("email", "subject"),
        email_body=said("email", "body"),
        inbox=said("inbox"),
    )


def _recipient(symbols: SymbolContext, path: Path) -> str:
    """The applicant, a role, or an answer that is a phone number or an e-mail address."""
    build = symbols.build
    written = build.words(path)
    if written is None:
        return APPLICANT
    if build.role_named(written) is None and symbols.names.kind(written) == "question":
        place = symbols.names.ids[written].path
        if build.words((*place, "type")) not in ("phone", "email"):
            build.say(
                "N305", path, name=written, found=build.words((*place, "type")) or "text", wanted=("phone", "email")
            )
        return written
    return build.role(path) or APPLICANT
