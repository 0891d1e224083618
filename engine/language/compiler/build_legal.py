"""Who answers for a procedure and by which law, what is kept of people, what is set aside or moved between editions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal, cast, get_args

from engine.core.values import Span, Text
from engine.language.compiler.build_context import BuildContext, frozen, read_template
from engine.language.compiler.symbols import SymbolContext
from engine.language.source.loader import Path
from engine.model import (
    Accept,
    Appeal,
    Contact,
    Delay,
    Field,
    Form,
    Identity,
    Law,
    PersonalData,
    Sensitive,
    Template,
)
from engine.model.types import TRUE, YES_NO

Status = Literal["sourced", "to_confirm", "plausible"]
Ground = Literal["legal_obligation", "public_task", "consent", "contract"]
Representative = Literal["allowed", "required", "forbidden"]
_CHANNELS: Final = ("web", "counter", "paper", "api")
_KEPT: Final[Mapping[str, Span]] = {
    "granted": Span(20, "year"), "refused": Span(2, "year"), "withdrawn": Span(2, "year"),
    "abandoned": Span(2, "year"), "expired": Span(2, "year"), "revoked": Span(2, "year"),
}  # fmt: skip


def build_identity(shop: SymbolContext, form: Form) -> Identity:
    bench = shop.bench
    agencies = bench.library.directory.agencies
    if bench.agency and bench.agency not in agencies:
        bench.unknown("N304", ("agency",), bench.agency, agencies, kind="agency")
    representative = bench.choice(("representative",), get_args(Representative), "allowed")
    return Identity(
        id=bench.words(("procedure",)) or "",
        where=bench.where(("procedure",)),
        basis=bench.basis(()),
        edition=bench.number(("edition",), 1),
        title=bench.text(("title",)) or Text.of(bench.words(("procedure",)) or "", bench.language),
        summary=bench.text(("summary",)) or Text.of("", bench.language),
        agency=bench.agency,
        category=bench.words(("category",)),
        life_events=bench.ids(("life_events",)),
        languages=bench.ids(("languages",)) or ("fr",),
        channels=bench.ids(("channels",)) or _CHANNELS,
        from_=bench.day(("in_force", "from")),
        until=bench.day(("in_force", "until")),
        delay=_delay(shop),
        contact=_contact(bench),
        appeals=_appeals(shop),
        audience=bench.ids(("audience",)) or ("natural_person",),
        dossier_label=_dossier_label(shop, form),
        representative=cast(Representative, representative),
    )


def _delay(shop: SymbolContext) -> Delay:
    """A span, or the first entry that holds; `basis: {delay: …}` is the law of it."""
    bench = shop.bench
    single = bench.span(("delay",))
    if single is not None:
        return Delay(((TRUE, single),), where=bench.where(("delay",)))
    words = shop.words.at(shop.words.form)
    entries = []
    for at, _ in enumerate(bench.items(("delay",))):
        span = bench.span(("delay", at, "is"))
        when = bench.or_else(("delay", at, "when"), words, YES_NO, TRUE)
        if span is not None:
            entries.append((when, span))
    return Delay(tuple(entries), where=bench.where(("delay",), key=True))


def _contact(bench: BuildContext) -> Contact | None:
    if not bench.entries(("contact",)):
        return None
    return Contact(
        bench.words(("contact", "phone")), bench.words(("contact", "email")), bench.text(("contact", "address"))
    )


def _appeals(shop: SymbolContext) -> Mapping[str, Appeal]:
    """The file's, else the agency's."""
    bench = shop.bench
    own = {name: _appeal(shop, name, path) for name, path in bench.each(("appeals",))}
    if own or bench.at(("appeals",)) is not None:
        return frozen(own)
    agency = bench.library.directory.agencies.get(bench.agency)
    return agency.appeals if agency else frozen({})


def _appeal(shop: SymbolContext, name: str, path: Path) -> Appeal:
    bench = shop.bench
    return Appeal(
        id=name,
        where=bench.where(path, key=True),
        basis=bench.basis(path),
        label=bench.title((*path, "label")),
        within=bench.span((*path, "within")),
        act=next(iter(shop.names.checked(bench, (*path, "act"), "transition")), None),
    )


def _dossier_label(shop: SymbolContext, form: Form) -> Template:
    """How a dossier is called in lists: as the file says, else by its first two answers in words. Rows say the name of their
    first."""
    unnamed = ("rows", "evidence", "file", "photo", "note")
    known = {one.id for one in form.fields if one.type not in unnamed or one.row_label is not None}
    written = read_template(shop.bench, ("dossier_label",), known)
    if written is not None:
        return written
    names = [one.id for one in form.fields if _names_somebody(one)][:2]
    return Template(Text.of(" ".join("{" + name + "}" for name in names), shop.bench.language), frozenset(names))


def _names_somebody(field: Field) -> bool:
    """A text that must be given, when it is asked."""
    return field.type == "text" and field.value is None and field.required == TRUE and field.lines == 1


# -- law ---------------------------------------------------------------------------------------------------------------


def build_laws(bench: BuildContext) -> Iterator[Law]:
    for name, path in bench.each(("legal_basis",)):
        article, url = bench.at((*path, "article")), bench.words((*path, "url"))
        yield Law(
            id=name,
            where=bench.where(path, key=True),
            title=bench.title((*path, "title")),
            status=cast(Status, bench.choice((*path, "status"), get_args(Status), "to_confirm")),
            source=bench.words((*path, "source")),
            article=None if article is None else str(article),
            url=url,
            official=bench.flag((*path, "official"), article is not None or url is not None),
            checked=bench.day((*path, "checked")),
            note=bench.text((*path, "note")),
        )


# -- personal data -----------------------------------------------------------------------------------------------------


def build_personal_data(shop: SymbolContext) -> PersonalData:
    bench = shop.bench
    path: Path = ("personal_data",)
    kept = {outcome: span for outcome in _KEPT if (span := bench.span((*path, "keep", outcome)))}
    return PersonalData(
        id="personal_data",
        where=bench.where(path, key=True),
        basis=bench.basis(path),
        purpose=bench.text((*path, "purpose")) or Text.of("", bench.language),
        ground=cast(Ground, bench.choice((*path, "ground"), get_args(Ground), "public_task")),
        declaration=bench.words((*path, "declaration")),
        keep=frozen({**_KEPT, **kept}),
        afterwards="delete" if bench.words((*path, "afterwards")) == "delete" else "anonymise",
        sensitive=frozen(dict(_sensitive(shop, (*path, "sensitive")))),
    )


def _sensitive(shop: SymbolContext, path: Path) -> Iterator[tuple[str, Sensitive]]:
    bench = shop.bench
    answers = {*shop.words.types, *shop.names.column_ids()}
    states = shop.names.of("state")
    for name, there in bench.each(path):
        if name not in answers:
            bench.unknown("N301", there, name, answers)
            continue
        for state, place in bench.named((*there, "in")):
            if state not in states:
                bench.unknown("N307", place, state, states)
        listed = tuple(state for state in bench.ids((*there, "in")) if state in states)
        yield name, Sensitive(bench.roles((*there, "seen_by")), listed, bench.span((*there, "keep")))


# -- editions ----------------------------------------------------------------------------------------------------------


def build_accept(bench: BuildContext) -> Iterator[Accept]:
    for at, entry in enumerate(bench.items(("accept",))):
        path: Path = ("accept", at)
        if not isinstance(entry, dict):
            continue
        yield Accept(
            id=bench.words((*path, "code")) or "",
            where=bench.where(path),
            at=bench.words((*path, "at")) or "",
            because=str(bench.text((*path, "because")) or ""),
            until=bench.day((*path, "until")),
            edition=bench.number((*path, "edition"), 0) or None,
        )


def build_migrate(bench: BuildContext) -> Mapping[int, Mapping[str, str | None]]:
    """From each earlier edition: old id → new id, or None when it was dropped on purpose."""
    found: dict[int, Mapping[str, str | None]] = {}
    for edition, path in bench.each(("migrate",)):
        if edition.isascii() and edition.isdigit():
            moves = bench.entries(path)
            found[int(edition)] = frozen({old: new if isinstance(new, str) else None for old, new in moves.items()})
    return found
