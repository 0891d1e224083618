"""The public page of a procedure: price, delay, evidence by situation, steps, laws.

All data comes from the definition that also drives the form, so page and form always agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Final

from engine.domain.workflow.announced import AnnouncedPrice, announced_price
from engine.model import COUNTER, PAPER, Appeal, Fee, FeeLine, Law, Procedure
from engine.model.directory import Directory, Office
from engine.model.roles import receiving_roles
from engine.model.types import TRUE, Expression
from renderers.definition.expressions import condition_text
from renderers.html.templates import span_text
from renderers.i18n.formats import listed
from renderers.i18n.language_spans import as_text, joined, lowered
from renderers.i18n.translations import Translations, in_language
from renderers.procedure.appointments import opening_hours, unconfirmed, visit_lines, visits_of, visits_tag
from renderers.procedure.papers import SheetPaper, Situation, asked_papers, sheet_paper, situations_of
from renderers.procedure.prices import line_cases, obtained_elsewhere, price_cases
from renderers.procedure.steps import SheetStep, StepWriter, constant_span, usual_path

_SECONDS_A_QUESTION: Final = 35
_MOST_NAMED: Final = 4  # more documents are not named again after the price
_AUDIENCES: Final = (
    {"natural_person": ("natural_person",), "legal_person": ("company", "association")},
    {"national": ("national",), "foreigner": ("foreigner",)},
)  # what each kind of audience is called, kinds of persons first


@dataclass(frozen=True, slots=True)
class ProcedureCard:
    """One procedure in a list: price and delay in words, and the kind of visits (`tag`).

    `mark` is the remark on a price whose law is not certain.
    """

    id: str
    href: str
    title: str
    summary: str
    price: str
    delay: str
    tag: str
    category: str
    mark: str = ""


@dataclass(frozen=True, slots=True)
class SheetFact:
    """A label of the page with its lines. `mark` is the remark on a price whose law is not certain."""

    label: str
    lines: tuple[str, ...]
    mark: str = ""


@dataclass(frozen=True, slots=True)
class SheetFee:
    """One line of the price list: amount, condition and law in words."""

    label: str
    amount: str
    when: str
    law: str
    mark: str


@dataclass(frozen=True, slots=True)
class SheetLine:
    """An appeal, a law or an office: a label with its details."""

    label: str
    within: str = ""
    mark: str = ""
    url: str = ""
    article: str = ""
    source: str = ""
    address: str = ""
    hours: str = ""


@dataclass(frozen=True, slots=True)
class ProcedureSheet:
    """The whole page of a procedure in one language. `start` is empty if no request can be made here now, and
    `closed` says why.

    `draft` is the address of the reader's draft. `verified` and `to_confirm` name what an official text says, and what
    none says yet. `priced`: the price needs a list of its own. `spoken` says that the rest is in another language.
    """

    slug: str
    title: str
    summary: str
    valid: str
    closed: str
    start: str
    draft: str
    price: str
    delay: str
    minutes: int
    facts: tuple[SheetFact, ...]
    evidence: tuple[SheetPaper, ...]
    situations: tuple[Situation, ...]
    fees: tuple[SheetFee, ...]
    priced: bool
    costs: tuple[str, ...]
    steps: tuple[SheetStep, ...]
    exceptions: tuple[str, ...]
    audience: str
    appeals: tuple[SheetLine, ...]
    laws: tuple[SheetLine, ...]
    verified: str
    to_confirm: str
    channels: tuple[str, ...]
    agency: str
    offices: tuple[SheetLine, ...]
    version: str
    spoken: str


class SheetWriter:
    """Writes the page of one procedure for one day, in one language."""

    def __init__(
        self, procedure: Procedure, directory: Directory, words: Translations, language: str, day: date
    ) -> None:
        self.procedure, self.directory, self.words, self.language, self.day = procedure, directory, words, language, day

    def say(self, key: str, /, **facts: object) -> str:
        """Return the sentence of a key, with its facts filled in."""
        return self.words.say(key, self.language, {name: as_text(value) for name, value in facts.items()})

    def mark(self, law_id: str | None) -> str:
        """Return the remark beside a value whose law is not certain, else empty."""
        law = self.procedure.laws.get(law_id or "")
        return "" if law is None or law.is_certain else self.say("sheet.to_confirm")

    # -- in short ------------------------------------------------------------------------------------------------------

    def card(self) -> ProcedureCard:
        """Return the entry of the procedure in a list. The category defaults to `other`."""
        identity = self.procedure.identity
        return ProcedureCard(
            self.procedure.id, f"/demarches/{self.procedure.id}", in_language(identity.title, self.language),
            in_language(identity.summary, self.language), self.price(), self.delay(), self.tag(),
            identity.category or "other", self.price_mark(),
        )  # fmt: skip

    @cached_property
    def announced(self) -> AnnouncedPrice:
        """The price that the procedure announces on that day, computed once."""
        return announced_price(self.procedure, self.day)

    def price_mark(self) -> str:
        """Return the remark on the announced price: that of the first line without certain law."""
        price = self.announced
        marks = (self.mark(one.basis) for one in price.lines if price.kind != "from" or one.in_least)
        return next(filter(None, marks), "")

    def price(self) -> str:
        """Return the announced price in words: free, a fixed amount, a minimum, or dependent on answers."""
        return self._price_text(self.announced)

    def _price_text(self, price: AnnouncedPrice) -> str:
        if price.kind == "free":
            return self.say("sheet.free")
        if price.kind != "fixed" and (each := self._each(price)):
            return each
        if price.amount is None:
            return self.say("sheet.price_depends")
        amount = self.words.money(price.amount, self.language)
        return amount if price.kind == "fixed" else self.say("sheet.price_from", amount=amount)

    def _each(self, price: AnnouncedPrice) -> str:
        """Return `500 FCFA par duplicata` if the price of all who pay depends on the number only, else empty."""
        (line, *others), (fee, *_) = price.lines, self.procedure.fees()
        bounded = fee.reductions or fee.at_least or fee.at_most
        if others or bounded or line.amount is None or line.when is not None or line.per is None:
            return ""
        amount = self.words.money(line.amount, self.language)
        return self.say("sheet.amount_each", amount=amount, per=in_language(line.per, self.language))

    def delay(self) -> str:
        """Return the first announced delay, empty if there is none."""
        entries = self.procedure.identity.delay.entries
        return span_text(self.words, entries[0][1], self.language) if entries else ""

    def tag(self) -> str:
        """Return the channel in a few words: at the counter, or the kind of visits required."""
        if "web" not in self.procedure.identity.channels:
            return self.say("catalogue.counter")
        return visits_tag(visits_of(self.procedure, self.language), self.say)

    def minutes(self) -> int:
        """Return the estimated time to fill in the form, in steps of five minutes."""
        asked = sum(len(page.fields) for page in self.procedure.form.pages)
        return max(5, 5 * round(asked * _SECONDS_A_QUESTION / 60 / 5))

    # -- the sheet -----------------------------------------------------------------------------------------------------

    def sheet(self, draft: str = "") -> ProcedureSheet:
        """Return the whole page. `draft` is the address of the reader's draft, or empty."""
        identity, laws = self.procedure.identity, self.procedure.laws.values()
        closed = self._closed()
        open_here = not closed and "web" in identity.channels
        first_page = "verifier" if self.procedure.eligibility else "commencer"
        always, situations = self._papers()
        offices = self.offices()
        steps = StepWriter(self.procedure, self.words, self.language)
        path = usual_path(self.procedure, self.directory, self.day)
        fees, (valid, validity) = tuple(self._fee_lines()), self._validity()
        verified, to_confirm = self._official()
        return ProcedureSheet(
            slug=self.procedure.id, title=in_language(identity.title, self.language),
            summary=in_language(identity.summary, self.language),
            valid=valid,
            closed=closed, start=f"/demarches/{self.procedure.id}/{first_page}" if open_here else "", draft=draft,
            price=self.price(), delay=self.delay(), minutes=self.minutes(),
            facts=tuple(self._facts(validity, offices)), evidence=(*always, *steps.forms(path)), situations=situations,
            fees=fees, priced=len(fees) > 1 or any(one.when for one in fees), costs=self.costs(),
            steps=steps.steps(path), exceptions=tuple(steps.exceptions(path)),
            audience=self._audience(), appeals=self.appeals(),
            laws=tuple(self._law(law) for law in laws if law.is_public), verified=verified, to_confirm=to_confirm,
            channels=self._channels(),
            agency=self.agency(), offices=() if self._goes_nowhere() else offices, version=self._version(),
            spoken="" if self.language in identity.languages else self.say("sheet.spoken"),
        )  # fmt: skip

    def _audience(self) -> str:
        """Return who may apply: kinds of persons, then nationality."""
        audience = self.procedure.identity.audience
        kinds, nations = (
            listed(
                [self.say(f"sheet.audience_{word}") for one in known if one in audience for word in known[one]],
                self.language,
                "or",
            )
            for known in _AUDIENCES
        )
        text = ", ".join(filter(None, (kinds, nations)))
        for_them = (
            self.say("sheet.audience_represented") if self.procedure.identity.representative == "required" else ""
        )
        return f"{text[:1].upper()}{text[1:]}. {for_them}".strip()

    def agency(self) -> str:
        """Return the label of the agency, or its key if the directory lacks it."""
        agency = self.directory.agencies.get(self.procedure.identity.agency)
        return in_language(agency.label, self.language) if agency else self.procedure.identity.agency

    def _channels(self) -> tuple[str, ...]:
        """Return the ways to make a request beside this page: those that agents receive, else this page alone."""
        channels = self.procedure.identity.channels if receiving_roles(self.procedure) else ()
        ways = [one for one in (PAPER, COUNTER) if one in channels] or ["web"]
        return tuple(self.say(f"sheet.channel_{one}") for one in ways)

    def _version(self) -> str:
        since = self.procedure.identity.from_
        if since is None:
            return self.say("sheet.version", edition=self.procedure.edition)
        day = self.words.plain_day(since, self.language)
        return self.say("sheet.version_from", edition=self.procedure.edition, day=day)

    def _closed(self) -> str:
        identity = self.procedure.identity
        if identity.from_ and self.day < identity.from_:
            return self.say("sheet.closed_before", day=self.words.plain_day(identity.from_, self.language))
        if identity.until and self.day > identity.until:
            return self.say("sheet.closed_after", day=self.words.plain_day(identity.until, self.language))
        return ""

    # -- facts ---------------------------------------------------------------------------------------------------------

    def _facts(self, validity: tuple[str, ...], offices: tuple[SheetLine, ...]) -> Iterator[SheetFact]:
        yield SheetFact(self.say("sheet.price"), (self.price(),), self.price_mark())
        if self.procedure.identity.delay.entries:
            yield SheetFact(self.say("sheet.delay"), tuple(self._delays()))
        yield SheetFact(
            self.say("sheet.visit"), visit_lines(visits_of(self.procedure, self.language), self.say, self.language)
        )
        near = listed([one.label for one in offices], self.language, "or") if len(offices) <= _MOST_NAMED else ""
        nowhere = self._goes_nowhere()
        known = self.directory.agencies.get(self.procedure.identity.agency)
        short = in_language(known.short, self.language) if known else ""  # an office may be named after it
        where = (
            (self.agency(),) if nowhere or not near else (near, *([self.agency()] if short and short in near else []))
        )
        yield SheetFact(self.say("sheet.service" if nowhere else "sheet.where"), where)
        if validity:
            yield SheetFact(self.say("sheet.validity"), validity)

    def _goes_nowhere(self) -> bool:
        """Return whether all is done on the site."""
        return self.procedure.identity.channels == ("web",) and not self.procedure.appointments()

    def _validity(self) -> tuple[str, tuple[str, ...]]:
        """Return for how long what is granted is valid: a sentence, or a line for each document if they differ."""
        granted = [one for one in self.procedure.outputs.values() if one.grants]
        spans = [(one, span) for one in granted if (span := constant_span(one.valid))]
        texts = [
            (in_language(one.title, self.language), span_text(self.words, span, self.language)) for one, span in spans
        ]
        if len(texts) == len(granted) and len({text for _, text in texts}) == 1:
            return self.say("sheet.valid", span=texts[0][1]), ()
        return "", tuple(self.say("text.named", name=name, text=text) for name, text in texts)

    def _official(self) -> tuple[str, str]:
        """Return what the page says that official texts say, then what the agency still has to confirm."""
        identity, outputs = self.procedure.identity, self.procedure.outputs.values()
        rests_on = {
            "price": [line.law_of("amount") or fee.law_of("amount") for fee, line in self._lines()],
            "delay": [identity.law_of("delay")] if identity.delay.entries else [],
            "papers": [field.law_of("label") for field, _ in asked_papers(self.procedure)],
            "visits": [one.law_of("place") for one in self.procedure.appointments()],
            "validity": [one.law_of("valid") for one in outputs if one.grants and one.valid is not None],
            "appeals": [one.law_of("within") for one in self._appeals() if one.within],
        }  # fmt: skip
        said: dict[bool, list[str]] = {True: [], False: []}
        for noun, names in rests_on.items():
            laws = [self.procedure.laws.get(name or "") for name in names]
            if laws:
                said[all(law is not None and law.is_certain for law in laws)].append(self.say(f"sheet.noun_{noun}"))
        return joined(", ", said[True]), joined(", ", said[False])

    def _delays(self) -> Iterator[str]:
        for when, span in self.procedure.identity.delay.entries:
            text, said = span_text(self.words, span, self.language), self._condition(when)
            yield self.say("text.named", name=said, text=text) if said else text

    # -- papers --------------------------------------------------------------------------------------------------------

    def _papers(self) -> tuple[tuple[SheetPaper, ...], tuple[Situation, ...]]:
        """Return the evidence always asked for, and the rest by situation, in the order of the definition.

        What an adult gives, and what each row of a list asks for, are not folded.
        """
        always: list[SheetPaper] = []
        sometimes: dict[tuple[str, str], list[SheetPaper]] = {}
        for field, rows in asked_papers(self.procedure):
            paper, condition = sheet_paper(field, self.say, self.language), self._condition(field.when)
            if rows is None and not condition:
                always.append(paper)
                continue
            each = in_language(rows.label, self.language) if rows else ""
            sometimes.setdefault((each, condition), []).append(paper)
        return tuple(always), situations_of(sometimes, self.say)

    # -- money ---------------------------------------------------------------------------------------------------------

    def _lines(self) -> Iterator[tuple[Fee, FeeLine]]:
        for fee in self.procedure.fees():
            for line in fee.lines:
                if not (line.from_ and self.day < line.from_) and not (line.until and self.day > line.until):
                    yield fee, line

    def _fee_lines(self) -> Iterator[SheetFee]:
        for fee, line in self._lines():
            basis = line.law_of("amount") or fee.law_of("amount")
            law = self.procedure.laws.get(basis or "")
            cases, asked = line_cases(line, self.procedure, self.language)
            mark, owed = self.mark(basis), self._both(fee.when, asked)
            title = in_language(law.title, self.language) if law and law.is_public else ""
            for case, amount in self._amounts(line, cases):
                beside = joined(", ", filter(None, (case, lowered(owed) if case else owed)))
                when = joined(" ", filter(None, (beside, self._exempt(fee, mark))))
                yield SheetFee(in_language(line.label, self.language), amount, when, title, mark)

    def costs(self, owed: bool = True) -> tuple[str, ...]:
        """Return what may be asked of the applicant beyond the price list.

        Only where each cost is known may the page say that no more can be asked. `owed`: the applicant pays here.
        """
        lines = tuple(self._lines())
        laws = [self.procedure.laws.get(line.law_of("amount") or fee.law_of("amount") or "") for fee, line in lines]
        certain = all(law is not None and law.is_certain for law in laws)
        fixed = all(price_cases(line.amount, self.procedure, self.language) for _, line in lines)
        others = obtained_elsewhere(self.procedure, self.language)
        owed = owed and bool(lines)
        if certain and fixed and not others:
            return (self.say("sheet.no_bribe" if owed else "sheet.free_no_bribe"),)
        here = "asked_here" if certain else "asked_here_unsure"
        said = [self.say(f"sheet.{here if owed else 'nothing_here'}")]
        said += [self.say("sheet.amount_of_case")] if not fixed else []
        if others:
            papers = listed(others, self.language) if len(others) <= _MOST_NAMED else ""
            said.append(self.say("sheet.papers_cost", papers=papers) if papers else self.say("sheet.papers_cost_many"))
        return tuple(said)

    def _condition(self, when: Expression) -> str:
        """Return for whom a condition holds, empty if always, « Selon vos réponses » if its file does not say it."""
        if when == TRUE:
            return ""
        return condition_text(when, self.words, self.language) or self.say("sheet.situation_other")

    def _both(self, *conditions: Expression) -> str:
        """Return conditions that apply together."""
        first, *others = [*dict.fromkeys(filter(None, map(self._condition, conditions))), ""]
        return joined(", ", [first, *(lowered(one) for one in others if one)])

    def _exempt(self, fee: Fee, mark: str) -> str:
        """Return who does not pay. The mark of the line holds for it too."""
        if not fee.exempt:
            return ""
        own = "" if mark else self.mark(fee.law_of("exempt_when"))
        said = lowered(self._condition(fee.exempt))
        return self.say("sheet.exempt", when=joined(", ", filter(None, (said, own))))

    def _amounts(self, line: FeeLine, cases: tuple[tuple[str, int], ...]) -> Iterator[tuple[str, str]]:
        """Yield the case and the amount of each price of a line. A single amount has no case."""
        if not cases:
            yield "", self.say("sheet.amount_formula")
        for case, francs in cases:
            amount = self.words.money(francs, self.language)
            per = in_language(line.per, self.language) if line.per else ""
            yield case, self.say("sheet.amount_each", amount=amount, per=per) if per else amount

    # -- law, appeals, places ------------------------------------------------------------------------------------------

    def _appeals(self) -> Iterator[Appeal]:
        agency = self.directory.agencies.get(self.procedure.identity.agency)
        yield from (self.procedure.identity.appeals or (agency.appeals if agency else {})).values()

    def appeals(self) -> tuple[SheetLine, ...]:
        """Return how a refusal is contested: the appeals of the procedure, else those of its agency."""
        return tuple(self._appeal(one) for one in self._appeals())

    def _appeal(self, appeal: Appeal) -> SheetLine:
        within = ""
        if appeal.within:
            within = self.say("sheet.within", span=span_text(self.words, appeal.within, self.language))
        return SheetLine(in_language(appeal.label, self.language), within, self.mark(appeal.law_of("within")))

    def _law(self, law: Law) -> SheetLine:
        url = law.url if law.url and law.url.startswith("https://") else ""
        source = self.say("sheet.law_source", source=law.source) if law.source and not url else ""
        article = f"art. {law.article}" if law.article and law.article[:1].isdigit() else law.article or ""
        return SheetLine(in_language(law.title, self.language), url=url, article=article, source=source)

    def offices(self) -> tuple[SheetLine, ...]:
        """Return the offices of the agency, with address and hours."""
        return tuple(self._office(one) for one in self.directory.offices_of(self.procedure.identity.agency))

    def _office(self, office: Office) -> SheetLine:
        return SheetLine(
            in_language(office.label, self.language), address=in_language(office.address, self.language),
            hours=opening_hours(office, self.words, self.language),
            mark=self.say("sheet.to_confirm") if unconfirmed(office) else "",
        )  # fmt: skip
