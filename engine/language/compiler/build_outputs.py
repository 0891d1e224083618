"""What is given and said: the documents a procedure issues, the messages it owes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, cast, get_args

from engine.language.compiler.build_context import MESSAGE, NUMBER, read_pattern, read_template
from engine.language.compiler.namespace import PARTS
from engine.language.compiler.symbols import SymbolContext
from engine.language.expressions.parse_context import Vocabulary
from engine.language.source.loader import Path
from engine.model import APPLICANT, Notice, Output, Template
from engine.model.types import DATE, SPAN, TRUE, YES_NO

Kind = Literal["permit", "certificate", "card", "contract", "receipt", "quote", "form", "letter"]
Verify = Literal["public", "code", "none"]
GRANTING: Final = ("permit", "certificate", "card", "contract")
_SERIES: Final = ("agency", "office", "procedure", "year")
_USUAL_NUMBER: Final = "{agency}-{year}-{serial}"


def build_outputs(shop: SymbolContext) -> Iterator[Output]:
    for name, path in shop.bench.each(("outputs",)):
        yield _output(shop, name, path)


def _output(shop: SymbolContext, name: str, path: Path) -> Output:
    bench = shop.bench
    kind = cast(Kind, bench.choice((*path, "kind"), get_args(Kind), "certificate"))
    per = _rows(shop, (*path, "per"))
    words = shop.words.at(shop.words.everywhere, bench.at((*path, "when")), rows=per)
    answers = {*shop.words.types, *shop.words.rows.get(per or "", {})}
    shown = {*answers, *shop.names.of("fee", "definition"), *MESSAGE}
    return Output(
        id=name,
        where=bench.where(path, key=True),
        basis=bench.basis(path),
        title=bench.title((*path, "title")),
        kind=kind,
        grants=bench.flag((*path, "grants"), kind in GRANTING),
        per=per,
        when=bench.or_else((*path, "when"), shop.words.at(shop.words.everywhere, rows=per), YES_NO, TRUE),
        number=read_pattern(bench, (*path, "number"), NUMBER) or _USUAL_NUMBER,
        serial_per=tuple(one for one in bench.ids((*path, "serial", "per")) if one in _SERIES) or ("agency", "year"),
        gapless=bench.flag((*path, "serial", "gapless"), False),
        valid=bench.expression((*path, "valid"), words, (SPAN, DATE)),
        signed_by=bench.role((*path, "signed_by")),
        shows=_answers(shop, (*path, "shows"), answers),
        body=read_template(bench, (*path, "body"), shown),
        verify=cast(Verify, bench.choice((*path, "verify"), get_args(Verify), "code")),
        register=_answers(shop, (*path, "register"), answers),
    )


def _rows(shop: SymbolContext, path: Path) -> str | None:
    name = shop.bench.words(path)
    if name is None or not shop.names.check(shop.bench, name, path, "question"):
        return None
    return name if name in shop.words.rows else None


def _answers(shop: SymbolContext, path: Path, known: set[str]) -> tuple[str, ...]:
    found = []
    for name, there in shop.bench.named(path):
        if name in known:
            found.append(name)
        else:
            shop.bench.unknown("N301", there, name, known)
    return tuple(found)


# -- messages ----------------------------------------------------------------------------------------------------------


def build_notices(shop: SymbolContext) -> Iterator[Notice]:
    """The key is the event: a state entered, a transition taken, a task done, a clock over."""
    for event in shop.bench.entries(("notices",)):
        path: Path = ("notices", event)
        if not shop.names.check(shop.bench, event, path, "state", "transition", "clock", *PARTS):
            continue
        written = shop.bench.at(path)
        places = [(*path, at) for at, _ in enumerate(written)] if isinstance(written, list) else [path]
        for place in places:
            yield _notice(shop, event, place)


def _notice(shop: SymbolContext, event: str, path: Path) -> Notice:
    bench = shop.bench
    words: Vocabulary = shop.words.at(shop.words.everywhere)
    known = {*shop.words.types, *shop.names.of("fee", "definition"), *MESSAGE}

    def said(*key: str) -> Template | None:
        return read_template(bench, (*path, *key), known)

    return Notice(
        id=event,
        where=bench.where(path, key=True),
        basis=bench.basis(path),
        event=event,
        to=_recipient(shop, (*path, "to")),
        before=bench.span((*path, "before")),
        when=bench.or_else((*path, "when"), words, YES_NO, TRUE),
        sms=said("sms"),
        email_subject=said("email", "subject"),
        email_body=said("email", "body"),
        inbox=said("inbox"),
    )


def _recipient(shop: SymbolContext, path: Path) -> str:
    """The applicant, a role, or an answer that is a telephone or an e-mail."""
    bench = shop.bench
    written = bench.words(path)
    if written is None:
        return APPLICANT
    if bench.role_named(written) is None and shop.names.kind(written) == "question":
        place = shop.names.ids[written].path
        if bench.words((*place, "type")) not in ("phone", "email"):
            bench.say(
                "N305", path, name=written, found=bench.words((*place, "type")) or "text", wanted=("phone", "email")
            )
        return written
    return bench.role(path) or APPLICANT
