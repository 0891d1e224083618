"""Builder of the legal part: administration, laws, personal data, annotations, accepted advice, moved names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal, cast, get_args

from engine.core.values import Span, Text
from engine.language.compiler.build_context import BuildContext, frozen, read_template
from engine.language.compiler.symbols import SymbolContext
from engine.language.source.loader import Path
from engine.model import Accept, Appeal, Contact, Delay, Field, Form, Identity, Law, PersonalData, Sensitive, Template
from engine.model.form import Annotation, AnnotationType
from engine.model.types import TRUE, YES_NO

Status = Literal["sourced", "to_confirm", "plausible"]
Ground = Literal["legal_obligation", "public_task", "consent", "contract"]
Representative = Literal["allowed", "required", "forbidden"]
_CHANNELS: Final = ("web", "counter")
_KEPT: Final[Mapping[str, Span]] = {
    "granted": Span(20, "year"), "refused": Span(2, "year"), "withdrawn": Span(2, "year"),
    "abandoned": Span(2, "year"), "expired": Span(2, "year"), "revoked": Span(2, "year"),
}  # fmt: skip


def build_identity(symbols: SymbolContext, form: Form) -> Identity:
    """Return the identity of the procedure. Report N304 for an unknown agency.

    `form` gives the default label of a dossier.
    """
    build = symbols.build
    agencies = build.library.directory.agencies
    if build.agency and build.agency not in agencies:
        build.unknown("N304", ("agency",), build.agency, agencies, kind="agency")
    representative = build.choice(("representative",), get_args(Representative), "allowed")
    return Identity(
        id=build.words(("procedure",)) or "",
        where=build.where(("procedure",)),
        basis=build.basis(()),
        edition=build.number(("edition",), 1),
        title=build.text(("title",)) or Text.of(build.words(("procedure",)) or "", build.language),
        summary=build.text(("summary",)) or Text.of("", build.language),
        agency=build.agency,
        category=build.words(("category",)),
        life_events=build.ids(("life_events",)),
        languages=build.ids(("languages",)) or ("fr",),
        channels=build.ids(("channels",)) or _CHANNELS,
        from_=build.day(("in_force", "from")),
        until=build.day(("in_force", "until")),
        delay=_delay(symbols),
        contact=_contact(build),
        appeals=_appeals(symbols),
        audience=build.ids(("audience",)) or ("natural_person",),
        dossier_label=_dossier_label(symbols, form),
        representative=cast(Representative, representative),
    )


def _delay(symbols: SymbolContext) -> Delay:
    """The delay: a span, or the first entry that holds. `basis: {delay: …}` is its law."""
    build = symbols.build
    single = build.span(("delay",))
    if single is not None:
        return Delay(((TRUE, single),), where=build.where(("delay",)))
    words = symbols.words.at(symbols.words.form)
    entries = []
    for at, _ in enumerate(build.items(("delay",))):
        span = build.span(("delay", at, "is"))
        when = build.or_else(("delay", at, "when"), words, YES_NO, TRUE)
        if span is not None:
            entries.append((when, span))
    return Delay(tuple(entries), where=build.where(("delay",), key=True))


def _contact(build: BuildContext) -> Contact | None:
    if not build.entries(("contact",)):
        return None
    return Contact(
        build.words(("contact", "phone")), build.words(("contact", "email")), build.text(("contact", "address"))
    )


def _appeals(symbols: SymbolContext) -> Mapping[str, Appeal]:
    """The appeals of the file, else those of the agency."""
    build = symbols.build
    own = {name: _appeal(symbols, name, path) for name, path in build.each(("appeals",))}
    if own or build.at(("appeals",)) is not None:
        return frozen(own)
    agency = build.library.directory.agencies.get(build.agency)
    return agency.appeals if agency else frozen({})


def _appeal(symbols: SymbolContext, name: str, path: Path) -> Appeal:
    build = symbols.build
    return Appeal(
        id=name,
        where=build.where(path, key=True),
        basis=build.basis(path),
        label=build.title((*path, "label")),
        within=build.span((*path, "within")),
        act=next(iter(symbols.names.checked(build, (*path, "act"), "transition")), None),
    )


def _dossier_label(symbols: SymbolContext, form: Form) -> Template:
    """The label of a dossier in lists: that of the file, else its first two text answers.

    Rows give the name in their first row.
    """
    unnamed = ("rows", "evidence", "file", "photo", "note")
    known = {one.id for one in form.fields if one.type not in unnamed or one.row_label is not None}
    written = read_template(symbols.build, ("dossier_label",), known)
    if written is not None:
        return written
    names = [one.id for one in form.fields if _names_person(one)][:2]
    return Template(Text.of(" ".join("{" + name + "}" for name in names), symbols.build.language), frozenset(names))


def _names_person(field: Field) -> bool:
    """Return whether a field is a text that must be given when it is asked."""
    return field.type == "text" and field.value is None and field.required == TRUE and field.lines == 1


# -- law ---------------------------------------------------------------------------------------------------------------


def build_laws(build: BuildContext) -> Iterator[Law]:
    """Yield the laws, in the order of the file.

    Unless written, a law with an article is official. An address alone may be any page.
    """
    for name, path in build.each(("legal_basis",)):
        article = build.at((*path, "article"))
        yield Law(
            id=name,
            where=build.where(path, key=True),
            title=build.title((*path, "title")),
            status=cast(Status, build.choice((*path, "status"), get_args(Status), "to_confirm")),
            source=build.words((*path, "source")),
            article=None if article is None else str(article),
            url=build.words((*path, "url")),
            official=build.flag((*path, "official"), article is not None),
            checked=build.day((*path, "checked")),
            note=build.text((*path, "note")),
            cite=build.text((*path, "cite")),
        )


# -- personal data -----------------------------------------------------------------------------------------------------


def build_personal_data(symbols: SymbolContext) -> PersonalData:
    """Return the purpose, ground and retention of personal data, with default spans by outcome."""
    build = symbols.build
    path: Path = ("personal_data",)
    kept = {outcome: span for outcome in _KEPT if (span := build.span((*path, "keep", outcome)))}
    return PersonalData(
        id="personal_data",
        where=build.where(path, key=True),
        basis=build.basis(path),
        purpose=build.text((*path, "purpose")) or Text.of("", build.language),
        ground=cast(Ground, build.choice((*path, "ground"), get_args(Ground), "public_task")),
        declaration=build.words((*path, "declaration")),
        keep=frozen({**_KEPT, **kept}),
        afterwards="delete" if build.words((*path, "afterwards")) == "delete" else "anonymise",
        sensitive=frozen(dict(_sensitive(symbols, (*path, "sensitive")))),
    )


def _sensitive(symbols: SymbolContext, path: Path) -> Iterator[tuple[str, Sensitive]]:
    build = symbols.build
    answers = {*symbols.words.types, *symbols.names.column_ids()}
    states = symbols.names.of("state")
    for name, there in build.each(path):
        if name not in answers:
            build.unknown("N301", there, name, answers)
            continue
        for state, place in build.named((*there, "in")):
            if state not in states:
                build.unknown("N307", place, state, states)
        listed = tuple(state for state in build.ids((*there, "in")) if state in states)
        yield name, Sensitive(build.roles((*there, "seen_by")), listed, build.span((*there, "keep")))


# -- annotations -------------------------------------------------------------------------------------------------------


def build_annotations(build: BuildContext) -> Iterator[Annotation]:
    """Yield the annotations, in the order of the file."""
    for name, path in build.each(("annotations",)):
        options = {code: build.title((*path, "options", code)) for code in build.entries((*path, "options"))}
        yield Annotation(
            id=name,
            where=build.where(path, key=True),
            label=build.title((*path, "label")),
            type=cast(AnnotationType, build.choice((*path, "type"), get_args(AnnotationType), "text")),
            options=frozen(options),
            show="list" if build.words((*path, "show")) == "list" else None,
        )


# -- editions ----------------------------------------------------------------------------------------------------------


def build_accept(build: BuildContext) -> Iterator[Accept]:
    """Yield the advice that the file accepts, with its reason and its end."""
    for at, entry in enumerate(build.items(("accept",))):
        path: Path = ("accept", at)
        if not isinstance(entry, dict):
            continue
        yield Accept(
            id=build.words((*path, "code")) or "",
            where=build.where(path),
            at=build.words((*path, "at")) or "",
            because=str(build.text((*path, "because")) or ""),
            until=build.day((*path, "until")),
            edition=build.number((*path, "edition"), 0) or None,
        )


def build_migrate(build: BuildContext) -> Mapping[int, Mapping[str, str | None]]:
    """Return for each earlier edition the map from old id to new id, None for one dropped on purpose."""
    found: dict[int, Mapping[str, str | None]] = {}
    for edition, path in build.each(("migrate",)):
        if edition.isascii() and edition.isdigit():
            moves = build.entries(path)
            found[int(edition)] = frozen({old: new if isinstance(new, str) else None for old, new in moves.items()})
    return found
