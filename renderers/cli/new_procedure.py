"""First definition of a procedure for `guichet new`. It passes lint, its scenarios and its proofs.

The texts come from `words_starter.<language>.yaml`. Each choice of the agency is marked for confirmation.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from engine.language.source.formatter import write_tree
from engine.language.source.loader import Path, Tree
from engine.model.directory import Agency, Directory, Office
from renderers.i18n.translations import Translations

_FIRST_DAY: Final = date(2026, 11, 24)  # first day of scenarios without a date
_LAW: Final = "usage"
_HORIZON: Final = 30


@dataclass(frozen=True, slots=True)
class NewProcedureAnswers:
    """Answers of the author.

    `fee` is in francs, 0 for none. `delay` is in working days. `decider` is a role of the agency in short form.
    `office` is where applicants come, or None.
    """

    id: str
    title: str
    agency: Agency
    decider: str
    fee: int = 0
    delay: int = 10
    office: Office | None = None
    language: str = "fr"


def starter(wishes: NewProcedureAnswers, directory: Directory, blocks: Collection[str], words: Translations) -> str:
    """Return the text of the file. `blocks` are the shared blocks available."""
    return _Starter(wishes, directory, blocks, words).text()


class _Starter:
    def __init__(
        self, wishes: NewProcedureAnswers, directory: Directory, blocks: Collection[str], words: Translations
    ) -> None:
        self.wishes, self.directory, self.blocks, self.words = wishes, directory, blocks, words

    def say(self, key: str, **facts: str) -> str:
        return self.words.say(f"starter.{key}", self.wishes.language, facts).replace("\u00a0", " ")

    def text(self) -> str:
        wishes = self.wishes
        tree: dict[str, Tree] = {
            "procedure": wishes.id,
            "edition": 1,
            "title": wishes.title,
            "summary": self.say("summary", title=wishes.title),
            "agency": wishes.agency.id,
            "languages": [wishes.language],
            "delay": _days(wishes.delay),
            "basis": {"delay": _LAW},
            "legal_basis": {
                _LAW: {
                    "title": self.say("law", agency=wishes.agency.label.in_(wishes.language)),
                    "status": "to_confirm",
                }
            },
            "form": self.form(),
            "evidence": {"piece_identite": {"label": self.say("identity"), "basis": _LAW}},
            **self.fees(),
            **self.visits(),
            "appeals": {"recours": {"label": self.say("appeal"), "basis": _LAW}},
            "workflow": self.circuit(),
            "outputs": self.outputs(),
            "personal_data": {
                "purpose": self.say("purpose", title=wishes.title),
                "keep": {"granted": "20 years", "refused": "2 years", "abandoned": "1 year"},
                "basis": {"keep": _LAW},
            },
            "scenarios": self.stories(),
        }
        if wishes.language == "fr":
            del tree["languages"]
        notes: dict[Path, str] = {
            ("legal_basis",): self.say("note_law"),
            ("form",): self.say("note_form"),
            ("workflow",): self.say("note_circuit", id=wishes.id),
            ("scenarios",): self.say("note_stories"),
        }
        return write_tree(tree, notes)

    def form(self) -> dict[str, Tree]:
        motive: Tree = {"label": self.say("motive"), "example": self.say("motive_example")}
        page: dict[str, Tree] = {"title": self.say("page"), "for_agents": self.say("page_for_agents")}
        if {"identite", "contact"} <= set(self.blocks):
            return {
                "identite": {"use": "identite"},
                "contact": {"use": "contact"},
                "demande": {**page, "fields": {"motif": motive}},
            }
        fields: dict[str, Tree] = {
            "nom": {"label": self.say("family_name"), "example": "AMEGAN"},
            "prenoms": {"label": self.say("given_names"), "example": "Afi"},
            "telephone": {"label": self.say("phone"), "type": "phone"},
            "motif": motive,
        }
        return {"demande": {**page, "fields": fields}}

    def fees(self) -> dict[str, Tree]:
        if not self.wishes.fee:
            return {}
        return {"fees": {"frais": {"label": self.say("fee"), "amount": self.wishes.fee, "basis": _LAW}}}

    def visits(self) -> dict[str, Tree]:
        if self.wishes.office is None:
            return {}
        visit: Tree = {"label": self.say("visit"), "by": self.wishes.decider, "lasts": "15 minutes", "basis": _LAW}
        return {"appointments": {"rendez_vous": visit}}

    # -- the circuit ---------------------------------------------------------------------------------------------------

    def circuit(self) -> dict[str, Tree]:
        wishes, first = self.wishes, "visite" if self.wishes.office is not None else "instruction"
        states: dict[str, Tree] = {}
        if wishes.fee:
            states["a_payer"] = {
                "label": self.say("to_pay"), "pay": "frais", "due": "15 days", "then": first, "late": "abandonne",
                "basis": _LAW,
            }  # fmt: skip
        if wishes.office is not None:
            states["visite"] = {
                "label": self.say("to_come"), "attend": "rendez_vous", "due": "30 days", "then": "instruction",
                "late": "abandonne", "missed": "abandonne", "basis": _LAW,
            }  # fmt: skip
        acts: Mapping[str, Tree] = {
            "accorder": {
                "label": self.say("accept"), "to": "accorde", "confirms": {"piece_identite": ["nom", "prenoms"]},
            },
            "faire_corriger": {"label": self.say("ask_again"), "to": "a_corriger", "asks": ["correction", "reason"]},
            "refuser": {"label": self.say("refuse"), "to": "refuse", "asks": ["reason"], "issues": "lettre_refus"},
        }  # fmt: skip
        states["instruction"] = {
            "label": self.say("review"), "by": wishes.decider, "due": _days(wishes.delay), "basis": _LAW,
            "transitions": dict(acts),
        }  # fmt: skip
        states["a_corriger"] = {
            "label": self.say("to_correct"), "correct": "requested", "due": "30 days", "then": "instruction",
            "late": "abandonne", "basis": _LAW,
        }  # fmt: skip
        states["accorde"] = {"label": self.say("granted"), "end": "granted", "issues": "document"}
        states["refuse"] = {"label": self.say("refused"), "end": "refused"}
        states["abandonne"] = {"label": self.say("abandoned"), "end": "abandoned"}
        usual = wishes.office in (None, *self.directory.offices_of(wishes.agency.id)[:1])
        office: dict[str, Tree] = {} if usual or wishes.office is None else {"office": f"'{wishes.office.id}'"}
        return {"start": next(iter(states)), **office, "states": states}

    def outputs(self) -> dict[str, Tree]:
        """Return the document granted, whose values an agent has compared with a piece, and the letter of refusal."""
        signed: dict[str, Tree] = {"signed_by": self.wishes.decider}
        refusal = {name: f"{{{name}}}" for name in ("dossier", "sent")}
        return {
            "document": {
                "title": self.wishes.title, "kind": "certificate", **signed,
                "operative": self.say("states", holder="{prenoms} {nom}"), "declared": ["motif"], "basis": _LAW,
            },
            "lettre_refus": {
                "title": self.say("letter"), "kind": "letter", **signed,
                "preamble": self.say("because", reason="{reason}"), "operative": self.say("refuses", **refusal),
            },
        }  # fmt: skip

    # -- the stories ---------------------------------------------------------------------------------------------------

    def stories(self) -> dict[str, Tree]:
        wishes, came = self.wishes, self._came()
        paid: list[Tree] = [{"pay": wishes.fee}] if wishes.fee else []
        ask: Tree = {
            "take": "faire_corriger", "fields": ["piece_identite"], "reason": self.say("reason"), "then": "a_corriger",
        }  # fmt: skip
        found: dict[str, Tree] = {
            "accord": {
                "story": self.say("story_granted"),
                "steps": [*paid, *came, {"take": "accorder", "then": "accorde", "expect": {"issued": "document"}}],
            },
            "correction": {
                "story": self.say("story_corrected"),
                "steps": [
                    *paid, *came, ask, {"correct": {"piece_identite": True}, "then": "instruction"},
                    {"take": "refuser", "reason": self.say("reason"), "then": "refuse"},
                ],
            },
            "silence": {
                "story": self.say("story_silent"),
                "steps": [*paid, *came, ask, {"wait": "31 days", "then": "abandonne"}],
            },
        }  # fmt: skip
        if wishes.fee:
            found["impaye"] = {"story": self.say("story_unpaid"), "steps": [{"wait": "16 days", "then": "abandonne"}]}
        if came:
            steps: list[Tree] = [*paid, came[0], {"visit": "missed", "then": "abandonne"}]
            found["absence"] = {"story": self.say("story_missed"), "steps": steps}
            wait: Tree = {"wait": "31 days", "then": "abandonne"}
            found["sans_rendez_vous"] = {"story": self.say("story_unbooked"), "steps": [*paid, wait]}
        return found

    def _came(self) -> list[Tree]:
        slot = first_slot(self.wishes.office, self.directory) if self.wishes.office else None
        if slot is None:
            return []
        return [{"book": {"rendez_vous": f"{slot:%Y-%m-%d %H:%M}"}}, {"visit": "attended", "then": "instruction"}]


def first_slot(office: Office, directory: Directory) -> datetime | None:
    """Return the first opening of an office that a scenario may book, None if it never opens."""
    for ahead in range(2, _HORIZON):
        day = _FIRST_DAY + timedelta(days=ahead)
        hours = office.hours.get(day.weekday(), ())
        if hours and directory.calendar.works(day) and office.closure_on(day) is None:
            return datetime(day.year, day.month, day.day) + timedelta(minutes=hours[0].start)
    return None


def _days(count: int) -> str:
    return f"{count} working day{'s' if count != 1 else ''}"


_SEATS: Final = 2


def first_shared(agency: str, label: str, role: str, language: str, words: Translations) -> Mapping[str, str]:
    """Return the text of each file of `shared/` by name: one agency, role, office and calendar."""

    def say(key: str) -> str:
        return words.say(f"starter.{key}", language, {}).replace("\u00a0", " ")

    hours = {"monday-friday": ["07:30-12:00", "14:30-17:00"]}
    files = {
        "agencies.yaml": {agency: {"label": label, "roles": {role: {"label": say("role"), "seats": _SEATS}}}},
        "offices.yaml": {f"{agency}_bureau": {"label": label, "agency": agency, "hours": hours}},
        "calendar.yaml": {"weekend": ["saturday", "sunday"], "holidays": {"2027-01-01": say("new_year")}},
    }
    return {name: f"# {say('note_shared')}\n{write_tree(tree)}" for name, tree in files.items()}
