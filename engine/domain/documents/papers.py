"""The paper of an issued document: all that it states, zone by zone, frozen at issue as plain data.

The templates of `renderers/templates/pdf` draw it and add no word of their own. `VERSION` changes when a template
would draw the same paper otherwise. Zones: `docs/documents.md`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from engine.core.clock import local_day
from engine.core.values import Plain, Text, group_number
from engine.domain.common.text_provider import Wording
from engine.domain.common.working_time import add_span
from engine.domain.documents.content import ContentLine, answers_of, appeals_of, is_still_open, issuer_of, to_bring
from engine.domain.documents.paper_tokens import token_address
from engine.domain.documents.paper_words import NameOf, PaperWords, as_one_sentence, hour_of, literal, typographic
from engine.domain.fields.field_type import Speech
from engine.domain.fields.scope import EvaluatedAnswers
from engine.model import APPLICANT, Appeal, Output, Procedure
from engine.model.paper import OutputPaper, PaperClause, PaperTable
from engine.model.provenance import reserved_behind
from engine.model.roles import role_key
from engine.records.dossier import Actor, Dossier, TakenTransition

VERSION: Final = 1
TEMPLATE_OF: Final[Mapping[str, str]] = {
    "certificate": "attest", "extract": "attest", "decision": "act", "permit": "act", "contract": "act",
    "letter": "letter", "card": "slip", "receipt": "money", "quote": "money", "form": "form",
}  # fmt: skip
_UNTOUCHED: Final = frozenset(
    {"template", "lang", "kind", "typst", "number", "issued", "code", "url", "address", "emblem"}
)
_REFUSING: Final = ("letter", "decision", "permit")
_TRANSLATED: Final = (
    "heading", "title", "subtitle", "object", "issuer", "basis", "considering", "decides", "particulars", "operative", "table",
    "articles", "lines", "declared", "validity", "mentions", "remedies",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PaperSite:
    """What an installation prints on all its papers. `url` is its verification page, without a scheme."""

    url: str = ""
    address: str = ""  # of the site, as the square of a paper holds it before the token
    specimen: bool = False
    typst: str = ""


NO_SITE: Final = PaperSite()


@dataclass(frozen=True, slots=True)
class PaperOrder:
    """One document to write: its number, codes and dates, the person who acts, and the names of accounts."""

    output: Output
    row: int | None
    number: str
    code: str
    token: str
    now: datetime
    until: date | None
    actor: Actor
    name_of: NameOf
    site: PaperSite
    holder: str


def languages_of(procedure: Procedure, output: Output, dossier: Dossier) -> tuple[str, ...]:
    """Return the language of a document, then those of its courtesy translations.

    A translated document is in the first language of its procedure, others in that of the applicant. A letter has
    only the translation that its applicant reads.
    """
    others = output.paper.courtesy if output.paper is not None else ()
    if not others:
        return (dossier.language,)
    read = (dossier.language,) if output.kind == "letter" else others
    return (procedure.identity.languages[0], *(one for one in others if one in read))


def paper_of(
    evaluated: EvaluatedAnswers, dossier: Dossier, written: OutputPaper, order: PaperOrder, wording: Wording
) -> dict[str, Plain]:
    """Return the paper of an ordered document as plain data, without empty zones."""
    first, *others = languages_of(evaluated.procedure, order.output, dossier)

    def in_language(language: str) -> dict[str, Plain]:
        zones = _Composer(evaluated, dossier, written, order, Speech(wording, language)).zones()
        filled = {name: zone for name, zone in zones.items() if zone not in ("", [], {}, None)}
        return {name: _printed(name, zone, language) for name, zone in filled.items()}

    def translation(language: str) -> dict[str, Plain]:
        whole, key = in_language(language), f"paper.courtesy.{first}"
        prevails: list[Plain] = [typographic(wording.say(key, one, {}), one) for one in (language, first)]
        return {"lang": language, "prevails": prevails, **{name: whole[name] for name in _TRANSLATED if name in whole}}

    courtesy: list[Plain] = [translation(one) for one in others]
    return {**in_language(first), "courtesy": courtesy} if courtesy else in_language(first)


def _printed(name: str, zone: Plain, language: str) -> Plain:
    """Return a zone with the typography of its language, except codes and addresses."""
    if name in _UNTOUCHED:
        return zone
    if isinstance(zone, str):
        return typographic(zone, language)
    if isinstance(zone, list):
        return [_printed("", one, language) for one in zone]
    return {key: _printed(key, one, language) for key, one in zone.items()} if isinstance(zone, dict) else zone


class _Composer:
    """Writes the zones of one document."""

    def __init__(
        self, evaluated: EvaluatedAnswers, dossier: Dossier, written: OutputPaper, order: PaperOrder, speech: Speech
    ) -> None:
        self.evaluated, self.dossier, self.written, self.order, self.speech = evaluated, dossier, written, order, speech
        self.procedure, self.output = evaluated.procedure, order.output
        self.language, self.wording = speech.language, speech.wording
        self.agency, self.office = issuer_of(self.procedure, order.output, dossier.office, evaluated.directory)
        self._system_words = self._system()
        self.filled = PaperWords(evaluated, dossier, order.output, order.row, speech, self._system_words, order.name_of)

    def phrase(self, key: str, **facts: str) -> str:
        """Return a sentence of the catalogue."""
        return self.wording.say(f"paper.{key}", self.language, facts)

    def day(self, day: date) -> str:
        """Return a day without its weekday."""
        return self.wording.plain_day(day, self.language)

    def text(self, text: Text | None) -> str:
        """Return a text in the language of the document."""
        return text.in_(self.language) if text is not None else ""

    def _system(self) -> dict[str, str]:
        """Return the words that no answer holds."""
        dossier, order = self.dossier, self.order
        asked = (one for one in self.evaluated.procedure.fields.values() if one.evidence is not None)
        pieces = [self.text(one.printed_label) for one in asked if dossier.answers.get(one.id) is not None]
        issuer = self.office.issuer if self.office else None
        return {
            "dossier": group_number(dossier.number),
            "number": order.number,
            "title": self.text(self.procedure.identity.title),
            "office": self.text(self.office.label) if self.office else "",
            "agency": self.text(self.agency.label) if self.agency else "",
            "issuer": self.text(issuer or (self.agency.label if self.agency else None)),
            "town": self.town(),
            "issued": self.day(local_day(order.now)),
            "sent": self.day(local_day(dossier.submitted_at)) if dossier.submitted_at else "",
            "until": self.day(order.until) if order.until else "",
            "reason": self.reason(),
            "grounds": "",
            "pieces": ", ".join(pieces),
        }

    def town(self) -> str:
        """Return where the document is made."""
        return self.text(self.written.place or (self.office.town if self.office else None))

    # -- all zones -----------------------------------------------------------------------------------------------------

    def zones(self) -> dict[str, Plain]:
        """Return every zone, empty ones included."""
        kind = "decision" if self.output.kind == "permit" else self.output.kind
        table = self.operative()
        return {
            "template": TEMPLATE_OF[kind],
            "version": VERSION,
            "typst": self.order.site.typst,
            "lang": self.language,
            "kind": kind,
            "specimen": self.order.site.specimen,
            "heading": self.heading(),
            "state": [self.phrase("state"), self.phrase("motto")],
            "number": self.order.number,
            "number_label": self.phrase("number"),
            "dossier": [self.phrase("dossier"), group_number(self.dossier.number)],
            "day": self.place_day() if kind in ("letter", "form") else "",  # else it stands above who signs
            "holder": self.order.holder,
            "issued": self.order.now.isoformat(timespec="seconds"),
            "title": self.text(self.output.title),
            "subtitle": self.filled.fill(self.written.subtitle) if self.written.subtitle else "",
            "issuer": self.filled.fill(self.written.issuer) if self.written.issuer else "",
            "addressee": self.addressee() if kind == "letter" else [],
            "object": [self.phrase("object"), self.text(self.procedure.identity.title)] if kind == "letter" else [],
            "basis": self.listed() if kind == "decision" else list(self.basis()),
            "considering": list(self.considering()),
            "decides": self.phrase(f"decides.{kind}")
            if kind in ("letter", "decision") and self.written.articles
            else "",
            "particulars": self.titled(f"particulars.{kind}", self.labelled(self.written.particulars)),
            "operative": [self.filled.fill(table.text)] if table and not self.is_first_article(kind) else [],
            "table": self.table(table.table) if table and table.table else {},
            "articles": list(self.articles(kind)),
            "lines": self.lines(),
            "sections": self.sections(kind),
            "declared": self.titled("declared", self.labelled(self.written.declared)),
            "validity": [self.phrase("valid_until", day=self.day(self.order.until))] if self.order.until else [],
            "mentions": self.mentions(),
            "signatures": list(self.signatures(kind)),
            "seal": self.seal(),
            "remedies": self.remedies(kind),
            "verify": self.verify(),
            "labels": {"page": self.phrase("page"), "of": "/"},
        }

    def heading(self) -> dict[str, Plain]:
        """Return who issues: the authorities above, the agency, the office."""
        agency, office = self.agency, self.office
        issuer = office.issuer if office else None
        return {
            "authorities": [self.text(one) for one in agency.under] if agency else [],
            "service": self.text(issuer or (agency.label if agency else None)),
            "office": self.text(office.label) if office and not issuer else "",
            "emblem": agency.emblem if agency else "",
        }

    def place_day(self) -> str:
        """Return the place and the day of issue."""
        day = self.day(local_day(self.order.now))
        return self.phrase("place_day", town=self.town(), day=day) if self.town() else self.phrase("on_day", day=day)

    def addressee(self) -> list[Plain]:
        """Return to whom a letter goes: as its text says, else its holder."""
        written, holder = self.written.addressee, literal(self.order.holder)
        return [one for one in (self.filled.fill(written) if written else holder,) if one]

    def titled(self, key: str, rows: list[Plain]) -> dict[str, Plain]:
        """Return rows under the title of their zone, nothing without rows."""
        return {"title": self.phrase(key), "rows": rows} if rows else {}

    # -- what it states ------------------------------------------------------------------------------------------------

    def basis(self) -> Iterator[str]:
        """Yield the laws cited, those chosen as grounds, then the preamble."""
        chosen = (law for taken in self.reasons() for law in taken.grounds)
        for law in dict.fromkeys((*self.written.cites, *chosen)):
            cite = self.procedure.laws[law].cite if law in self.procedure.laws else None
            if cite is not None:
                yield self.phrase("in_view_of", text=self.text(cite))
        yield from (self.filled.fill(one.text) for one in self.written.preamble if self.holds(one))

    def listed(self) -> list[Plain]:
        """Return what a decision rests on as one sentence, which a reason or the decision follows."""
        more, last = (self.phrase(f"preamble_{one}", text="") for one in ("next", "last"))
        return as_one_sentence(list(self.basis()), more, more if any(self.considering()) else last)

    def holds(self, clause: PaperClause) -> bool:
        """Return whether a clause is printed on this document."""
        return clause.when.holds(self.filled.scope())

    def reasons(self) -> tuple[TakenTransition, ...]:
        """Return the act whose reason and grounds are printed: one of those named, else that of the present state."""
        taken, named = self.dossier.taken[::-1], self.written.reason_of
        if named:
            return tuple(one for one in taken if one.transition in named and (one.reason or one.grounds))[:1]
        return tuple(one for one in taken if one.target == self.dossier.state)[:1]

    def reason(self) -> str:
        """Return the reason printed, as its author typed it."""
        found = self.reasons()
        return (found[0].reason or "") if found else ""

    def considering(self) -> Iterator[str]:
        """Yield the reason of a letter or a decision, unless a text of its own prints it."""
        own = any("reason" in one.names for one in self.written.texts())
        if not own and self.output.kind in _REFUSING and self.refusing() and self.reason():
            yield self.phrase("considering", reason=_ended(self.reason().replace("*", "")))

    def refusing(self) -> bool:
        """Return whether a reason explains this document: it names an act, or the dossier ends refused."""
        state = self.procedure.states.get(self.dossier.state)
        return bool(self.written.reason_of) or (state is not None and state.outcome == "refused")

    def operative(self) -> PaperClause | None:
        """Return the variant of the operative text that holds. The proofs guarantee exactly one."""
        return next((one for one in self.written.operative if self.holds(one)), None)

    def labelled(self, names: Mapping[str, Text | None] | tuple[str, ...]) -> list[Plain]:
        """Return `[label, words]` of each name that has a value."""
        own = names if isinstance(names, Mapping) else dict.fromkeys(names)
        rows: list[Plain] = []
        for name, label in own.items():
            found = self.filled.field(name)
            words = self.filled.of_name(name)
            said = self.text(label) or (self.text(found[0].printed_label) if found else name)
            if words:
                rows.append([said, literal(words)])
        return rows

    def table(self, table: PaperTable) -> dict[str, Plain]:
        """Return the rows printed under the operative text."""
        field = self.procedure.fields.get(table.of)
        known = {one.id: one for one in field.rows} if field else {}
        columns = tuple(known[one] for one in table.columns or known if one in known)
        shown = field is not None and self.evaluated.scope.get(table.of) is not None
        cells: Plain = (
            [[literal(cell) for cell in row] for row in self.filled.cells(table.of, columns)] if shown else []
        )
        return {
            "head": [self.text(one.printed_label) for one in columns],
            "rows": cells,
            "empty": self.text(table.empty),
        }

    def is_first_article(self, kind: str) -> bool:
        """Return whether the operative text is printed as the first article: in a decision with articles."""
        return kind == "decision" and bool(self.written.articles)

    def articles(self, kind: str) -> Iterator[list[Plain]]:
        """Yield the articles that hold, numbered in order."""
        first = self.operative() if self.is_first_article(kind) else None
        clauses = (first, *self.written.articles) if first is not None else self.written.articles
        held = [self.filled.fill(one.text) for one in clauses if self.holds(one)]
        for number, words in enumerate(held, 1):
            yield [self.phrase("article_first" if number == 1 else "article", n=str(number)), words]

    def lines(self) -> dict[str, Plain]:
        """Return the lines of a fee, its total and the total in words."""
        fee, money = self.written.lines_of or "", self.wording.money
        owed = self.dossier.owed.get(fee)
        if owed is None:
            return {}
        rows: Plain = [[self.filled.of_line(fee, one), money(one.amount, self.language)] for one in owed.lines]
        return {
            "head": [self.phrase("lines.label"), self.phrase("lines.amount")],
            "rows": rows,
            "total": [self.phrase("lines.total"), money(owed.amount, self.language)],
            "words": self.phrase(f"lines.words.{'quote' if self.output.kind == 'quote' else 'other'}",
                              amount=self.wording.numeral(owed.amount, self.language)),
        }  # fmt: skip

    def sections(self, kind: str) -> Plain:
        """Return what to bring and the answers of a form, under their headings."""
        if kind != "form":
            return []
        lines = [*to_bring(self.evaluated, self.speech), *answers_of(self.evaluated, self.speech)]
        return _sections(lines, self.phrase("answers"))

    # -- around --------------------------------------------------------------------------------------------------------

    def mentions(self) -> dict[str, Plain]:
        """Return what the document says to its holder and its receiver, and who gets a copy."""
        said = self.written.mentions
        copies = [self.filled.fill(one.text) for one in said.copies_to if self.holds(one)]
        found: dict[str, Plain] = {
            "holder": [self.filled.fill(one.text) for one in said.holder if self.holds(one)],
            "receiver": self.filled.fill(said.receiver) if said.receiver else "",
            "copies": [self.phrase("copies"), *copies] if copies else [],
        }
        return {key: value for key, value in found.items() if value}

    def signatures(self, kind: str) -> Iterator[dict[str, Plain]]:
        """Yield who signed: the person who acted, from the journal, or the seal of a rule. Then the applicant.

        A form has no signature: the applicant declared its answers when they sent them, and may show it on a phone.
        """
        if kind == "form":
            return
        facts = {"day": self.day(local_day(self.order.now)), "hour": hour_of(self.order.now, self.speech)}
        place = self.phrase("made_at", town=self.town(), **facts) if self.town() else self.phrase("made_on", **facts)
        made: dict[str, Plain] = {"place_day": place if kind != "letter" else ""}
        actor, agency = self.order.actor, self._system_words["issuer"]
        if actor.kind == "agent" and not self.written.sealed:
            yield {**made, "quality": self.quality(), "name": actor.name, "text": self.phrase("sign.signed", **facts)}
        else:
            sealed = self.phrase("sign.sealed", edition=str(self.procedure.edition), **facts)
            yield {**made, "quality": agency, "name": "", "text": sealed}
        if self.written.accepted_by is not None:
            yield {"quality": self.phrase("sign.accepted"), "name": self.dossier.label, "text": "", "blank": True}

    def quality(self) -> str:
        """Return the function in which the actor signs: the signing role, else a role of theirs in this agency."""
        directory = self.evaluated.directory
        signing = role_key(self.procedure, self.output.signed_by) if self.output.signed_by else ""
        mine = sorted(self.order.actor.roles)
        own = (one for one in mine if one.startswith(f"{self.procedure.identity.agency}/"))
        key = signing if signing in mine else next(own, "")
        role = directory.role(key or signing)
        return self.text(role.label) if role else ""

    def seal(self) -> dict[str, Plain]:
        """Return the words around and in the middle of the seal: of a commune, its own name."""
        agency, issuer = self.agency, self.office.issuer if self.office else None
        if agency is None or self.output.kind == "form":
            return {}
        return {
            "around": self.text(issuer or agency.label),
            "middle": self.text(agency.short) or agency.id.upper().replace("_", " "),
        }

    def remedies(self, kind: str) -> dict[str, Plain]:
        """Return the appeals, each with its delay and last day."""
        appeals = {one.id: one for one in appeals_of(self.evaluated)}
        named = self.written.remedies
        if named is None:
            still_open = (id for id, one in appeals.items() if is_still_open(one, self.procedure, self.dossier))
            named = tuple(still_open) if kind in ("letter", "decision") else ()
        rows: list[Plain] = [self.remedy(appeals[one]) + self.online(appeals[one]) for one in named if one in appeals]
        return self.titled("remedies", rows)

    def remedy(self, appeal: Appeal) -> str:
        """Return how to appeal and until which day."""
        label, within = self.text(appeal.label), appeal.within
        if within is None:
            return label
        until = add_span(self.order.now, within, self.evaluated.directory.calendar)
        span = self.wording.span(within.count, within.unit, within.working, self.language)
        return self.phrase("remedy", appeal=label, span=span, until=self.day(local_day(until)))

    def online(self, appeal: Appeal) -> str:
        """Return where an appeal is lodged, empty unless the applicant now takes its act on the page of the dossier."""
        opened = self.procedure.leaving.get(self.dossier.state, ())
        if not any(one.id == appeal.act and APPLICANT in one.by for one in opened if self.order.site.url):
            return ""
        address = f"{self.order.site.url.removesuffix('/v')}/d/{self.dossier.number}"
        return self.phrase("remedy_online", address=address)

    def verify(self) -> dict[str, Plain]:
        """Return how the document is verified and what its page shows."""
        order, code = self.order, self.order.code
        shows = self.written.verify_shows
        reserved = reserved_behind(self.procedure, self.written.particulars)
        named = shows if shows is not None else tuple(one for one in self.written.particulars if one not in reserved)
        return {
            "title": self.phrase("verify.title"),
            "steps": self.phrase(f"verify.steps_{self.output.verify}"),
            "words": self.phrase("verify.words") if self.output.verify == "token" else "",
            "code": " ".join(code[at : at + 4] for at in range(0, len(code), 4)),
            "url": order.site.url,
            "address": token_address(order.site.address, order.token),
            "alt": self.phrase("verify.alt"),
            "shows": self.labelled({one: self.written.particulars.get(one) for one in named}),
        }


def _ended(sentence: str) -> str:
    """Return a sentence that ends with a sign, as its author typed it or with a full stop."""
    return sentence if sentence.rstrip().endswith((".", "!", "?", "…", ";")) else f"{sentence.rstrip()}."


def _sections(lines: list[ContentLine], title: str) -> list[Plain]:
    """Return lines under their headings; those before the first heading under `title`."""
    found: list[tuple[str, list[Plain]]] = [(title, [])]
    for label, words in lines:
        if label and words:
            found[-1][1].append([label, literal(words)])
        elif label:
            found.append((label, []))
    return [{"title": head, "rows": rows} for head, rows in found if rows]
