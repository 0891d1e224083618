"""What changed between two editions: every single edit of a real file is found, with what it weighs; nothing else is."""

from __future__ import annotations

import dataclasses
import re
from datetime import date
from pathlib import Path

import pytest

from engine import model
from engine.language.diff.compare import CHAPTERS, Change, Snapshot, compare, renamed, severity, unchanged
from engine.language.diff.elements import LEFT_OUT, flatten
from engine.model import Procedure
from tests.makers import PROCEDURES, a_procedure, compiled, the_procedure

NAME = "passeport-ordinaire"
GOLDEN = Path(__file__).parents[2] / "golden" / "diff"
FILE = (GOLDEN / "passport.yaml").read_text("utf-8")  # a real file in one language: short lines to edit
SHIPPED = sorted(path.stem for path in PROCEDURES.glob("*.yaml"))
OPPOSITE = {"added": "removed", "removed": "added", "changed": "changed"}


def edited(*edits: tuple[str, str], text: str = FILE) -> Procedure:
    """The file with some passages replaced, without its stories: they would have to change too."""
    text = without_stories(text)
    for old, new in edits:
        assert old in text, f"the file has no « {old} » any more"
        text = text.replace(old, new, 1)
    return compiled(text, f"{NAME}.yaml")


def without_stories(text: str) -> str:
    start = text.index("\nscenarios:\n")
    return text[:start] + "\nscenarios:\n  adulte: {story: Une demande, steps: [{take: conforme}]}\n"


def changes(*edits: tuple[str, str], counts: Snapshot | None = None) -> tuple[Change, ...]:
    return compare(edited(), edited(*edits), counts)


def told(found: tuple[Change, ...]) -> list[tuple[str, str, str, str, str]]:
    return [(one.kind, ".".join(one.path), one.key, one.impact, one.code) for one in found]


def migrating(lines: str) -> tuple[str, str]:
    return ("\naccept:\n", f"\nmigrate: {{1: {{{lines}}}}}\naccept:\n")


def accepting(line: str) -> tuple[str, str]:
    return ("\naccept:\n", f"\naccept:\n  - {line}\n")


# -- what is the same --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHIPPED)
def test_a_procedure_does_not_differ_from_itself(name: str) -> None:
    procedure = the_procedure(name)
    assert compare(procedure, procedure) == ()
    assert severity(()) == 0
    assert len(unchanged(procedure, procedure, ())) == len(flatten(procedure))


def test_the_words_of_a_condition_are_a_change_of_wording() -> None:
    when = "when: sexe == 'f' and situation == 'marie'"
    found = changes((when, f"{when}, for: Pour une femme mariée"))
    assert [(kind, path, key, impact) for kind, path, key, impact, _ in told(found)] == [
        ("changed", "evidence.acte_mariage", "for", "safe")
    ]


WITHOUT_EFFECT = {
    "a comment": ("edition: 1\n", "edition: 1  # la première\n"),
    "the number of the edition": ("edition: 1\n", "edition: 2\n"),
    "spaces of an expression": ("age(date_naissance) < 18", "age( date_naissance )  <  18"),
    "the order of an and": ("sexe == 'f' and situation == 'marie'", "situation == 'marie' and sexe == 'f'"),
    "the order of a list of codes": ("'renouvellement', 'perte',", "'perte', 'renouvellement',"),
    "the order of days": ("[monday, wednesday, friday]", "[friday, monday, wednesday]"),
    "the order of laws": (
        "  service: {title: Accord préalable du ministère (passeport de service), status: sourced, source: serv}\n"
        "  pieces: {title: Pièces d'une première demande, status: to_confirm, source: wiki-pass}\n",
        "  pieces: {title: Pièces d'une première demande, status: to_confirm, source: wiki-pass}\n"
        "  service: {title: Accord préalable du ministère (passeport de service), status: sourced, source: serv}\n",
    ),
    "the order of keys": ("{title: Validité de 5 ans non prorogeable, status: sourced, source: jp}",
                          "{status: sourced, source: jp, title: Validité de 5 ans non prorogeable}"),
    "a value that was the usual one": ("    lead: 1 day\n", ""),
    "a name of the file for the same expression": ("when: not mineur\n    how", "when: not age(date_naissance) < 18\n    how"),
}  # fmt: skip


@pytest.mark.parametrize("edit", WITHOUT_EFFECT.values(), ids=WITHOUT_EFFECT)
def test_what_nobody_could_tell_is_no_change(edit: tuple[str, str]) -> None:
    assert told(changes(edit)) == []


def test_a_definition_under_another_name_is_no_change() -> None:
    text = without_stories(FILE)
    other = re.sub(r"\bmineur\b(?!:\n    story)", "enfant_mineur", text)
    assert other != text
    assert told(compare(compiled(text, f"{NAME}.yaml"), compiled(other, f"{NAME}.yaml"))) == []


def test_the_order_of_states_is_no_change_but_that_of_questions_is_seen() -> None:
    state = "    abandonne: {label: Sans suite, end: abandoned}\n"
    later = "    retire: {label: Demande retirée, end: withdrawn}\n"
    assert told(changes((state, ""), (later, later + state))) == []
    first = "      signes: {label: Signes particuliers, required: false}\n"
    second = "      profession: {label: Profession, example: Couturière}\n"
    assert told(changes((first + second, second + first))) == [("changed", "pages.signalement", "order", "safe", "")]


# -- one edit, one class -----------------------------------------------------------------------------------------------

LAW = "  usage: {title: Valeur supposée à confirmer par la DGDN, status: plausible}\n"
PHOTOS = "  photos: {label: Photos d'identité sur fond blanc, copies: 2, how: [hand_over], basis: photos_blanches}\n"
PHOTO = "label: Photos d'identité sur fond blanc, copies: 2, how: [hand_over]"
SIZE = "{label: Taille, type: integer, minimum: 50, maximum: 230, unit: cm, example: 168}"
FEE = "quittance_passeport: {label: Passeport, amount: 30000, methods: [mobile_money], basis: quittance}"
TO_PAY = "a_payer: {label: À payer, pay: quittance_passeport, due: 30 days,"
KEEP = "keep: {granted: 20 years, refused: 2 years, abandoned: 2 years, expired: 2 years, withdrawn: 2 years}"

# edit → path, facet, impact, what people feel
EDITS: dict[str, tuple[tuple[str, str], str, str, str, str]] = {
    # identity, law
    "title": (("title: Passeport ordinaire\nsummary", "title: Passeport\nsummary"), "identity", "title", "safe", "wording"),
    "summary": (("summary: Pour voyager", "summary: Pour partir"), "identity", "summary", "safe", ""),
    "a moment of life": (("life_events: [voyager]", "life_events: [voyager, etudier]"), "identity", "life_events", "safe", ""),
    "a channel less": (("channels: [web, counter, paper]", "channels: [web, counter]"), "identity", "channels", "review", "fewer_channels"),
    "a channel more": (("channels: [web, counter, paper]", "channels: [web, counter, paper, api]"), "identity", "channels", "safe", ""),
    "a longer delay": (("delay: 20 working days", "delay: 30 working days"), "identity", "delay", "review", "waits_longer"),
    "a shorter delay": (("delay: 20 working days", "delay: 15 working days"), "identity", "delay", "safe", "waits_less"),
    "in force until": (("category: identite", "in_force: {until: 2027-12-31}\ncategory: identite"), "identity", "until", "review", ""),
    "a smaller audience": (("audience: [natural_person, national]", "audience: [national]"), "identity", "audience", "review", "fewer_people"),
    "a representative forbidden": (("audience: [natural_person, national]", "representative: forbidden\naudience: [natural_person, national]"),
                                   "identity", "representative", "review", ""),
    "how dossiers are called": (("dossier_label: '{nom} {prenoms}'", "dossier_label: '{prenoms} {nom}'"), "identity", "dossier_label", "safe", ""),
    "a law confirmed": ((LAW, LAW.replace("plausible", "sourced, source: dgdn")), "law.usage", "status", "review", ""),
    "a law found elsewhere": (("source: serv}", "source: note}"), "law.service", "source", "review", ""),
    "a law at another address": (("source: serv}", "source: serv, url: https://example.org/loi}"), "law.service", "url", "review", ""),
    "a law read": (("source: serv}", "source: serv, checked: 2026-03-01}"), "law.service", "checked", "review", ""),
    "a law under another name": (("title: Valeur supposée à confirmer par la DGDN", "title: Valeur supposée"), "law.usage", "title", "review", ""),
    "a price of another law": (("basis: quittance}", "basis: usage}"), "fees.quittance_passeport", "basis", "review", ""),
    "a law doubted": (("source: serv}", "source: serv, note: À revoir}"), "law.service", "note", "safe", ""),
    "a right of appeal shortened": (("within: 2 months, act: contester", "within: 1 month, act: contester"),
                                    "appeals.gracieux", "within", "review", "less_time"),
    "a right of appeal less": (("  protecteur: {label: Protecteur du citoyen}\n", ""), "appeals.protecteur", "", "review", "one_less_appeal"),
    # eligibility, questions
    "a condition stops others": (("stop_when: en_mission", "stop_when: not en_mission"), "eligibility.en_mission", "stop_when", "review", ""),
    "why it stops": (("because: Ce passeport demande d'abord", "because: Il faut d'abord"), "eligibility.en_mission", "because", "safe", "wording"),
    "a label": (("label: Signes particuliers", "label: Signes distinctifs"), "questions.signes", "label", "safe", "wording"),
    "a help": (("label: Signes particuliers,", "label: Signes particuliers, help: Cicatrice,"), "questions.signes", "help", "safe", "wording"),
    "mandatory": (("label: Signes particuliers, required: false", "label: Signes particuliers"), "questions.signes", "required", "review", "mandatory"),
    "optional": (("label: Profession,", "label: Profession, required: false,"), "questions.profession", "required", "safe", "optional"),
    "a type": ((SIZE, SIZE.replace("integer", "decimal")), "questions.taille", "type", "breaking", "another_type"),
    "a higher minimum": ((SIZE, SIZE.replace("minimum: 50", "minimum: 60")), "questions.taille", "minimum", "review", "stricter"),
    "a lower minimum": ((SIZE, SIZE.replace("minimum: 50", "minimum: 40")), "questions.taille", "minimum", "safe", "looser"),
    "a higher maximum": ((SIZE, SIZE.replace("maximum: 230", "maximum: 250")), "questions.taille", "maximum", "safe", "looser"),
    "a lower maximum": ((SIZE, SIZE.replace("maximum: 230", "maximum: 200")), "questions.taille", "maximum", "review", "stricter"),
    "an example": ((SIZE, SIZE.replace("168", "170")), "questions.taille", "example", "safe", ""),
    "a pattern": (("label: Profession,", "label: Profession, pattern: '[A-Za-zè]+',"), "questions.profession", "pattern", "review", "stricter"),
    "a shorter text": (("label: Profession,", "label: Profession, maxLength: 40,"), "questions.profession", "max_length", "review", "stricter"),
    "shown to some only": (("label: Profession,", "label: Profession, when: not mineur,"), "questions.profession", "when", "safe", ""),
    "shown to all": (("label: Attestation de travail ou diplôme, when: not mineur,", "label: Attestation de travail ou diplôme,"),
                     "evidence.preuve_profession", "when", "review", ""),
    "no other choice": (("{noirs: Noirs, marron: Marron}, other: true", "{noirs: Noirs, marron: Marron}"), "questions.yeux", "other", "review", "stricter"),
    "an option more": (("marron: Marron}", "marron: Marron, verts: Verts}"), "questions.yeux.options.verts", "", "safe", "one_more_choice"),
    "an option less": (("{noirs: Noirs, marron: Marron}", "{noirs: Noirs}"), "questions.yeux.options.marron", "", "review", "one_less_choice"),
    "an option in other words": (("marron: Marron}", "marron: Bruns}"), "questions.yeux.options.marron", "label", "safe", "wording"),
    "a mandatory question more": (("      profession: {", "      metier: {label: Métier}\n      profession: {"), "questions.metier", "", "review", "one_more_question"),
    "an optional question more": (("      profession: {", "      metier: {label: Métier, required: false}\n      profession: {"),
                                  "questions.metier", "", "safe", "one_more_optional_question"),
    "a page under another condition": (("title: Votre ancien passeport\n    when: remplace", "title: Votre ancien passeport\n    when: type_demande == 'perte'"),
                                       "pages.ancien", "when", "review", ""),
    "a page in other words": (("title: Votre signalement", "title: Signalement"), "pages.signalement", "title", "safe", "wording"),
    "asked anew": (("label: Profession,", "label: Profession, reuse: false,"), "questions.profession", "reuse", "safe", "asked_anew"),
    "a page asked anew": (("title: Votre signalement", "title: Votre signalement\n    reuse: false"), "pages.signalement", "reuse", "safe", "asked_anew"),
    "a check less": (("    checks:\n      tuteur_majeur: {must: age(tuteur_date_naissance) >= 18, message: Le tuteur doit être majeur.}\n", ""),
                     "checks.tuteur_majeur", "", "safe", "one_less_refusal"),
    "a check that only warns": (("tuteur_majeur: {must:", "tuteur_majeur: {should:"), "checks.tuteur_majeur", "warns", "safe", "looser"),
    "a check otherwise": (("ancien_expiration <= today + months(3)", "ancien_expiration <= today + months(6)"), "checks.trop_tot", "holds", "review", ""),
    # evidence
    "a paper more": ((PHOTOS, PHOTOS + "  casier: {label: Casier judiciaire, basis: pieces}\n"), "evidence.casier", "", "review", "one_more_paper"),
    "a paper more, for some": ((PHOTOS, PHOTOS + "  casier: {label: Casier judiciaire, when: not mineur, basis: pieces}\n"),
                               "evidence.casier", "", "review", "one_more_paper_if"),
    "an optional paper more": ((PHOTOS, PHOTOS + "  casier: {label: Casier judiciaire, required: false, basis: pieces}\n"),
                               "evidence.casier", "", "safe", "one_more_optional_paper"),
    "more copies": ((PHOTO, PHOTO.replace("copies: 2", "copies: 4")), "evidence.photos", "copies", "review", "more_copies"),
    "fewer copies": ((PHOTO, PHOTO.replace("copies: 2, ", "")), "evidence.photos", "copies", "safe", "fewer_copies"),
    "another way to hand it": ((PHOTO, PHOTO.replace("[hand_over]", "[hand_over, show_original]")), "evidence.photos", "how", "safe", "looser"),
    "a maximum age": (("label: Copie de la carte d'identité,", "label: Copie de la carte d'identité, max_age: 3 months,"),
                      "evidence.cni", "max_age", "review", "stricter"),
    "asked of those who hold it": (("    held_by: duplicata-certificat-nationalite\n", ""), "evidence.nationalite", "held_by", "review", "asked_again"),
    "an alternative less": (("any_of: {certificat: Certificat de nationalité, duplicata: Duplicata du certificat}", "any_of: {certificat: Certificat de nationalité}"),
                            "evidence.nationalite.options.duplicata", "", "review", "one_less_choice"),
    # price
    "a little more": ((FEE, FEE.replace("30000", "35000")), "fees.quittance_passeport.lines.total", "amount", "review", "pays_more"),
    "much more": ((FEE, FEE.replace("30000", "40000")), "fees.quittance_passeport.lines.total", "amount", "review", "pays_more"),
    "less": ((FEE, FEE.replace("30000", "20000")), "fees.quittance_passeport.lines.total", "amount", "safe", "pays_less"),
    "another price for some": ((FEE, FEE.replace("30000", "20000 if age(date_naissance) < 18 else 30000")),
                               "fees.quittance_passeport.lines.total", "amount", "review", "pays_otherwise"),
    "exempted": ((FEE, FEE.replace("amount: 30000", "amount: 30000, exempt_when: age(date_naissance) < 18")),
                 "fees.quittance_passeport", "exempt", "safe", "pays_less"),
    "in instalments": ((FEE, FEE.replace("amount: 30000", "amount: 30000, instalments: {most: 3, every: 1 month}")),
                       "fees.quittance_passeport", "instalments", "safe", ""),
    "another way to pay": ((FEE, FEE.replace("[mobile_money]", "[mobile_money, cash]")), "fees.quittance_passeport", "methods", "safe", ""),
    "a way to pay less": ((FEE, FEE.replace("[mobile_money]", "[cash]")), "fees.quittance_passeport", "methods", "review", "fewer_methods"),
    "guaranteed for less time": ((FEE, FEE.replace("amount: 30000", "amount: 30000, valid_for: 10 days")),
                                 "fees.quittance_passeport", "valid_for", "review", ""),
    "a price without a law": ((FEE, FEE.replace(", basis: quittance", "")), "fees.quittance_passeport", "basis", "review", "no_law"),
    # appointments
    "shorter visits": (("lasts: 20 minutes", "lasts: 15 minutes"), "appointments.depot", "lasts", "safe", "shorter_visit"),
    "longer visits": (("lasts: 20 minutes", "lasts: 30 minutes"), "appointments.depot", "lasts", "review", "longer_visit"),
    "a day less": (("[monday, wednesday, friday]", "[monday, friday]"), "appointments.depot", "weekdays", "review", "fewer_places"),
    "a day more": (("[monday, wednesday, friday]", "[monday, tuesday, wednesday, friday]"), "appointments.depot", "weekdays", "safe", "more_places"),
    "some hours only": (("    lead: 1 day\n", "    lead: 1 day\n    hours: ['08:00-10:00']\n"), "appointments.depot", "hours", "review", "fewer_places"),
    "booked later": (("    lead: 1 day\n", "    lead: 3 days\n"), "appointments.depot", "lead", "review", "waits_longer"),
    "booked less far": (("horizon: 60 days", "horizon: 30 days"), "appointments.depot", "horizon", "review", "fewer_places"),
    "no absence allowed": (("no_show: 1", "no_show: 0"), "appointments.depot", "no_show", "review", "stricter"),
    "reminded less": (("reminders: [3 days, 1 day]", "reminders: [1 day]"), "appointments.depot", "reminders", "review", "told_less"),
    "fewer changes": (("no_show: 1", "no_show: 1\n    moves: {times: 1, until: 1 day}"), "appointments.depot", "moves", "review", "stricter"),
    # circuit
    "the agents' time, longer": (("by: controleur\n      due: 3 working days", "by: controleur\n      due: 5 working days"),
                                 "states.conformite", "due", "review", "waits_longer"),
    "the agents' time, shorter": (("by: controleur\n      due: 3 working days", "by: controleur\n      due: 2 working days"),
                                  "states.conformite", "due", "safe", "waits_less"),
    "the applicant's time, longer": ((TO_PAY, TO_PAY.replace("30 days", "60 days")), "states.a_payer", "due", "safe", "more_time"),
    "the applicant's time, shorter": ((TO_PAY, TO_PAY.replace("30 days", "15 days")), "states.a_payer", "due", "review", "less_time"),
    "time to fetch, shorter": (("due: 6 months", "due: 3 months"), "states.pret", "due", "review", "less_time"),
    "a state in other words": (("label: Contrôle de conformité", "label: Vérification"), "states.conformite", "label", "safe", "wording"),
    "another public label": (("label: Fabrication\n", "label: Fabrication\n      public: accepted\n"), "states.production", "public", "safe", "wording"),
    "another who": (("label: Fabrication\n      by: production", "label: Fabrication\n      by: guichet"), "states.production", "by", "review", ""),
    "another way when late": (("due: 6 months\n      late: non_retire", "due: 6 months\n      late: abandonne"), "states.pret", "late", "review", ""),
    "another target": (("conforme: {label: Déclarer conforme, to: a_payer}", "conforme: {label: Déclarer conforme, to: rendez_vous}"),
                       "acts.conforme", "to", "review", ""),
    "a guard": (("conforme: {label: Déclarer conforme,", "conforme: {label: Déclarer conforme, when: answered(nom),"), "acts.conforme", "to", "review", ""),
    "four eyes": (("fabriquer: {label:", "fabriquer: {not_same_as: conforme, label:"), "acts.fabriquer", "other_than", "safe", "more_eyes"),
    "a reason asked": (("remettre: {label:", "remettre: {asks: [reason], label:"), "acts.remettre", "asks", "safe", ""),
    "an act open in fewer states": (("from: [conformite, a_corriger, a_payer]", "from: [conformite, a_payer]"), "acts.retirer", "from", "review", "fewer_ways"),
    "decided in bulk": (("conforme: {label: Déclarer conforme,", "conforme: {bulk: true, label: Déclarer conforme,"), "acts.conforme", "bulk", "review", "in_bulk"),
    "less time to contest": (("to: conformite, within: 2 months", "to: conformite, within: 1 month"), "acts.contester", "within", "review", "less_time"),
    "a new act": (("remettre: {label:", "perdre: {label: Livret perdu, to: production}\n        remettre: {label:"), "acts.perdre", "", "safe", ""),
    "a new state": (("    non_retire: {label:", "    rejete: {label: Rejeté, end: refused}\n    non_retire: {label:"), "states.rejete", "", "safe", ""),
    "a document not issued": (("refuse:\n      label: Refusé\n      end: refused\n      issues: lettre_refus\n", "refuse:\n      label: Refusé\n      end: refused\n"),
                              "states.refuse", "issues", "review", ""),
    "another office": (("start: conformite\n  office: lieu_depot\n", "start: conformite\n  office: dgdn_lome\n"), "workflow", "office", "review", ""),
    # outputs, notices
    "valid for less": (("valid: 5 years", "valid: 3 years"), "outputs.passeport", "valid", "review", "valid_less"),
    "valid for longer": (("valid: 5 years", "valid: 10 years"), "outputs.passeport", "valid", "safe", "valid_longer"),
    "shows more": (("lieu_naissance, numero_livret]", "lieu_naissance, taille, numero_livret]"), "outputs.passeport", "shows", "review", ""),
    "verified by all": (("valid: 5 years", "verify: public\n    valid: 5 years"), "outputs.passeport", "verify", "breaking", "new_recipient"),
    "listed publicly": (("valid: 5 years", "register: [nom]\n    valid: 5 years"), "outputs.passeport", "register", "breaking", "new_recipient"),
    "a message in other words": (("Venez en personne.", "Venez vous-même."), "notices.pret", "sms", "safe", "wording"),
    "a message less": (("  pret: {sms: 'Passeport {dossier} disponible, {office}. Venez en personne.'}\n", ""), "notices.pret", "", "review", "told_less"),
    "a message more": (("notices:\n", "notices:\n  refuse: {sms: 'Passeport {dossier} refuse. {link}'}\n"), "notices.refuse", "", "safe", "told_more"),
    # annotations
    "an annotation more": (("personal_data:\n", "annotations:\n  rappel: {label: Rappel, type: date}\npersonal_data:\n"), "annotations.rappel", "", "safe", ""),
    # personal data
    "another purpose": (("purpose: Établir et délivrer le passeport", "purpose: Établir le passeport et des statistiques"),
                        "personal_data", "purpose", "breaking", "new_purpose"),
    "another ground": (("ground: public_task", "ground: consent"), "personal_data", "ground", "breaking", "new_ground"),
    "kept for less": ((KEEP, KEEP.replace("20 years", "10 years")), "personal_data.all.keep.granted", "keep", "breaking", "kept_less"),
    "kept for longer": ((KEEP, KEEP.replace("20 years", "30 years")), "personal_data.all.keep.granted", "keep", "review", "kept_longer"),
    "deleted afterwards": ((KEEP, KEEP + "\n  afterwards: delete"), "personal_data", "afterwards", "review", ""),
    "one more reader": (("signes: {seen_by: [controleur, production]}", "signes: {seen_by: [controleur, production, guichet]}"),
                        "personal_data.all.sensitive.signes", "seen_by", "breaking", "new_recipient"),
    "one reader less": (("signes: {seen_by: [controleur, production]}", "signes: {seen_by: [controleur]}"),
                        "personal_data.all.sensitive.signes", "seen_by", "safe", ""),
    "an answer read by all": (("  sensitive:\n    signes: {seen_by: [controleur, production]}\n", ""), "personal_data.all.sensitive.signes", "", "breaking", "new_recipient"),
    "an answer reserved": (("signes: {seen_by: [controleur, production]}", "signes: {seen_by: [controleur, production]}\n    taille: {seen_by: [controleur]}"),
                           "personal_data.all.sensitive.taille", "", "safe", "fewer_readers"),
}  # fmt: skip


@pytest.mark.parametrize(("edit", "path", "key", "impact", "feel"), EDITS.values(), ids=EDITS)
def test_a_single_edit_is_found_with_its_class(
    edit: tuple[str, str], path: str, key: str, impact: str, feel: str
) -> None:
    found = [one for one in changes(edit) if (".".join(one.path), one.key) == (path, key)]
    assert len(found) == 1, told(changes(edit))
    assert (found[0].impact, found[0].facts.get("feel", "")) == (impact, feel)
    assert found[0].code == ("R804" if impact == "breaking" else "")
    assert found[0].chapter in CHAPTERS


def test_what_changed_of_an_annotation_is_named() -> None:
    noted = "annotations:\n  etat: {label: État, type: choices, options: {urgent: Urgent, vu: Vu}, show: list}\npersonal_data:\n"
    other = noted.replace("options: {urgent: Urgent, vu: Vu}, show: list", "options: {urgent: Pressé}")
    whole = ("personal_data:\n", noted)
    found = {(*told_one[:4],) for told_one in told(compare(edited(whole), edited(("personal_data:\n", other))))}
    assert found == {
        ("removed", "annotations.etat.options.vu", "", "review"),
        ("changed", "annotations.etat.options.urgent", "label", "safe"),
        ("changed", "annotations.etat", "show", "safe"),
    }


@pytest.mark.parametrize("edit", [edit for edit, *_ in EDITS.values()], ids=EDITS)
def test_an_edit_and_its_undoing_tell_of_the_same_things(edit: tuple[str, str]) -> None:
    before, after = edited(), edited(edit)
    there = {(OPPOSITE[one.kind], one.path, one.key) for one in compare(before, after) if one.key != "leads_to"}
    back = {(one.kind, one.path, one.key) for one in compare(after, before) if one.key != "leads_to"}
    assert there == back


@pytest.mark.parametrize("edit", [edit for edit, *_ in EDITS.values()], ids=EDITS)
def test_an_edit_touches_little(edit: tuple[str, str]) -> None:
    """What an edit does not touch is told as unchanged: no avalanche."""
    before, after = edited(), edited(edit)
    found = compare(before, after)
    touched = {one.path for one in found}
    assert 1 <= len(touched) <= 3, told(found)
    assert len(unchanged(before, after, found)) >= len(flatten(after)) - 3


# -- money -------------------------------------------------------------------------------------------------------------


def fee(amount: str, tables: str = "") -> Procedure:
    return a_procedure(f"""
        legal_basis: {{loi: {{title: Loi, status: sourced, source: essai}}}}
        form:
          demande:
            title: Demande
            fields:
              surface: {{label: Surface, type: integer, maximum: 900}}
              zone: {{label: Zone, type: choice, options: {{ville: Ville, champs: Champs}}}}
        {tables}
        fees: {{taxe: {{label: Taxe, {amount}, basis: loi}}}}
        workflow:
          start: a_payer
          states:
            a_payer: {{label: À payer, pay: taxe, due: 30 days, then: accorde, late: classe}}
            accorde: {{label: Accordé, end: granted}}
            classe: {{label: Classé, end: abandoned}}
        scenarios: {{simple: {{story: Un essai, steps: [{{pay: owed}}]}}}}
    """)


PRICES = {
    "per square metre": ("amount: 100, times: surface", "amount: 120, times: surface", "pays_more", (100, 120, 20)),
    "by zone, one of two": ("amount: 500 if zone == 'ville' else 200", "amount: 600 if zone == 'ville' else 200", "pays_more", (500, 600, 20)),
    "by zone, both": ("amount: 500 if zone == 'ville' else 200", "amount: 600 if zone == 'ville' else 100", "pays_otherwise", None),
    "by zone, otherwise": ("amount: 500 if zone == 'ville' else 200", "amount: 500 if zone == 'champs' else 200", "pays_otherwise", None),
    "by age of a rate": ("amount: 500 if surface > 10 else 200", "amount: 500 if surface > 20 else 200", "pays_otherwise", None),
    "free no more": ("amount: 0", "amount: 100", "pays_more", None),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after", "feel", "francs"), PRICES.values(), ids=PRICES)
def test_a_price_is_told_in_francs_and_percent(
    before: str, after: str, feel: str, francs: tuple[int, int, int] | None
) -> None:
    [change] = compare(fee(before), fee(after))
    assert change.facts["feel"] == feel
    if francs:
        assert (change.facts["from"], change.facts["to"], change.facts["percent"]) == francs
    assert change.impact == "review"


def test_a_row_of_a_table_is_a_price_too() -> None:
    tables = "tables: {tarif: {by: [zone], rows: {ville: 500, champs: 200}, basis: loi}}"
    dearer = tables.replace("500", "550")
    [change] = compare(fee("amount: tarif(zone)", tables), fee("amount: tarif(zone)", dearer))
    assert change.path == ("tables", "tarif", "rows", "ville")
    assert (change.impact, change.facts["percent"], change.chapter) == ("review", 10, "price")


# -- running dossiers --------------------------------------------------------------------------------------------------

MOVED = {
    "a mandatory question": ("      profession: {", "      metier: {label: Métier}\n      profession: {"),
    "an option less": ("{noirs: Noirs, marron: Marron}", "{noirs: Noirs}"),
    "a higher fee": (FEE, FEE.replace("30000", "35000")),
    "a shorter time": ("by: controleur\n      due: 3 working days", "by: controleur\n      due: 2 working days"),
    "a shorter delay": ("delay: 20 working days", "delay: 15 working days"),
    "mandatory now": ("label: Signes particuliers, required: false", "label: Signes particuliers"),
}


@pytest.mark.parametrize("edit", MOVED.values(), ids=MOVED)
def test_what_only_touches_new_dossiers_breaks_those_that_come_over(edit: tuple[str, str]) -> None:
    [pinned] = changes(edit)
    assert pinned.impact != "breaking"
    [moved] = changes(edit, migrating(""))
    assert (moved.impact, moved.code) == ("breaking", "R804")


GONE = "      profession: {label: Profession, example: Couturière}\n"


def test_a_vanished_answer_must_be_declared() -> None:
    counts = Snapshot(answers={"profession": 1386})
    [change] = changes((GONE, ""), counts=counts)
    assert (change.kind, change.impact, change.code) == ("removed", "breaking", "R801")
    assert change.facts["answered"] == 1386
    assert change.where_before.line == FILE[: FILE.index(GONE)].count("\n") + 1
    [declared] = changes((GONE, ""), migrating("profession: null"))
    assert (declared.impact, declared.code) == ("review", "")


def test_a_rename_is_proposed_but_never_guessed() -> None:
    new = GONE.replace("profession:", "metier:")
    found = {one.kind: one for one in changes((GONE, new))}
    assert found["removed"].code == "R801"
    assert found["removed"].facts["near"] == ("metier",)
    assert found["added"].path == ("questions", "metier")


def test_a_declared_rename_is_followed_everywhere() -> None:
    text = without_stories(FILE)
    other = re.sub(r"\bsituation\b", "etat_familial", text).replace(
        "\naccept:\n", "\nmigrate: {1: {situation: etat_familial}}\naccept:\n"
    )
    before, after = compiled(text, f"{NAME}.yaml"), compiled(other, f"{NAME}.yaml")
    assert told(compare(before, after)) == []
    assert renamed(before, after) == {"situation": "etat_familial"}


def test_a_declared_rename_of_a_state_is_followed_everywhere() -> None:
    text = without_stories(FILE)
    other = re.sub(r"\ba_payer\b", "paiement", text).replace(
        "\naccept:\n", "\nmigrate: {1: {a_payer: paiement}}\naccept:\n"
    )
    assert told(compare(compiled(text, f"{NAME}.yaml"), compiled(other, f"{NAME}.yaml"))) == []


def test_a_declared_rename_of_an_option_is_followed_into_conditions() -> None:
    text = without_stories(FILE)
    other = text.replace("perte: Il est perdu ou volé", "perdu: Il est perdu ou volé").replace("'perte'", "'perdu'")
    assert [one.kind for one in compare(edited(), compiled(other, f"{NAME}.yaml"))].count("removed") == 1
    other = other.replace("\naccept:\n", "\nmigrate: {1: {type_demande.perte: perdu}}\naccept:\n")
    assert told(compare(edited(), compiled(other, f"{NAME}.yaml"))) == []


def test_renames_compose_over_the_editions_in_between() -> None:
    text = (
        without_stories(FILE)
        .replace("edition: 1\n", "edition: 3\n", 1)
        .replace("profession", "emploi")
        .replace("preuve_emploi", "preuve_profession")
    )
    declared = text.replace("\naccept:\n", "\nmigrate: {1: {profession: metier}, 2: {metier: emploi}}\naccept:\n")
    assert told(compare(edited(), compiled(declared, f"{NAME}.yaml"))) == []


def test_a_line_of_the_map_that_leads_nowhere_is_told() -> None:
    found = changes((GONE, ""), migrating("profession: metie"))
    assert {one.code for one in found} == {"R801", "R802"}


def test_a_state_that_vanishes_with_dossiers_in_it() -> None:
    edits = (("    non_retire: {label: Non retiré, end: expired}\n", ""), ("late: non_retire", "late: abandonne"))
    counts = Snapshot(states={"non_retire": 37})
    gone = next(one for one in changes(*edits, counts=counts) if one.kind == "removed")
    assert (gone.code, gone.facts["standing"]) == ("R801", 37)
    declared = (*edits, migrating("non_retire: null"))
    assert next(one for one in changes(*declared, counts=counts) if one.kind == "removed").code == "R804"
    assert next(one for one in changes(*declared) if one.kind == "removed").impact == "review"
    moved = changes(*edits, migrating("non_retire: abandonne"), counts=counts)
    [merged] = [one for one in moved if one.at == "non_retire"]
    assert (merged.impact, merged.facts["into"], merged.facts["standing"]) == ("safe", "abandonne", 37)
    assert not [one for one in moved if one.at == "abandonne"]


def test_an_id_that_becomes_another_kind_of_thing() -> None:
    counts = Snapshot(answers={"cni": 12})
    evidence = "  cni: {label: Copie de la carte d'identité, when: not mineur, basis: pieces}\n"
    question = "      cni: {label: Numéro de la carte}\n"
    found = changes((evidence, ""), (GONE, question + GONE), counts=counts)
    [reused] = [one for one in found if one.at == "cni"]
    assert (reused.impact, reused.code, reused.before, reused.after) == ("breaking", "R804", "evidence", "questions")
    assert reused.facts["answered"] == 12


def test_the_only_way_to_an_agreement_is_cut() -> None:
    edit = (
        "remettre: {label: Remettre en main propre, to: remis}",
        "remettre: {label: Remettre en main propre, to: non_retire}",
    )
    cut = [one for one in changes(edit, counts=Snapshot(states={"pret": 4})) if one.key == "leads_to"]
    assert [(one.at, one.code, one.facts["feel"], one.facts["standing"]) for one in cut] == [
        ("pret", "R804", "no_more_grant", 4)
    ]


def test_fewer_places_break_meetings_already_taken() -> None:
    edit = ("[monday, wednesday, friday]", "[monday, friday]")
    [change] = changes(edit, counts=Snapshot(bookings={"depot": 318}))
    assert (change.code, change.facts["booked"]) == ("R804", 318)


def test_a_vanished_question_says_what_used_it() -> None:
    found = changes(
        (
            "[nom, prenoms, date_naissance, lieu_naissance, numero_livret]",
            "[nom, prenoms, date_naissance, lieu_naissance]",
        ),
        (
            "        fabriquer: {label: Passeport fabriqué, to: pret, fills: fabrication}",
            "        fabriquer: {label: Passeport fabriqué, to: pret}",
        ),
        (
            "later_forms:\n  fabrication:\n    title: Livret fabriqué\n    fields:\n      numero_livret: {label: Numéro du livret, type: identifier, scheme: passport}\n\n",
            "",
        ),
    )
    gone = next(one for one in found if one.at == "numero_livret")
    assert gone.facts["used_by"] == ("passeport",)


# -- accepted breaks ---------------------------------------------------------------------------------------------------


def test_an_accepted_break_is_only_to_be_reviewed() -> None:
    found = changes((GONE, ""), accepting("{code: R801, at: profession, because: Retiré par l'arrêté 14, edition: 1}"))
    [change] = found
    assert change.impact == "breaking"
    assert change.accepted is not None
    assert change.accepted.because == "Retiré par l'arrêté 14"
    assert change.weighs == "review"
    assert severity(found) == 3


def test_a_file_beside_itself_has_no_acceptance_that_serves_nothing() -> None:
    same = edited(accepting("{code: R801, at: profession, because: Un motif}"))
    assert compare(same, same) == ()


def test_an_acceptance_counts_for_its_edition_and_until_its_day() -> None:
    after = edited((GONE, ""), accepting("{code: R801, at: profession, because: Un motif, edition: 7}"))
    assert {one.code for one in compare(edited(), after)} == {"R801", "R803"}
    after = edited((GONE, ""), accepting("{code: R801, at: profession, because: Un motif, until: 2026-11-30}"))
    assert severity(compare(edited(), after, day=date(2026, 11, 30))) == 3
    assert severity(compare(edited(), after, day=date(2026, 12, 1))) == 4


def test_an_acceptance_that_serves_nothing_is_told() -> None:
    [change] = changes(accepting("{code: R804, at: quittance_passeport, because: Un motif, edition: 1}"))
    assert (change.code, change.impact, change.at) == ("R803", "review", "quittance_passeport")


def test_another_address_is_another_procedure() -> None:
    other = compiled(without_stories(FILE).replace(f"procedure: {NAME}", "procedure: passeport"), "passeport.yaml")
    [change] = compare(edited(), other)
    assert (change.key, change.code) == ("procedure", "R804")


# -- nothing forgotten -------------------------------------------------------------------------------------------------


def test_every_attribute_of_the_model_is_compared_or_left_out_by_name() -> None:
    """An attribute that the model learns is a facet at once; one that leaves it may not stay in the list."""
    kinds = {
        name: kind for name, kind in vars(model).items() if isinstance(kind, type) and dataclasses.is_dataclass(kind)
    }
    for name, left in LEFT_OUT.items():
        assert left <= {one.name for one in dataclasses.fields(kinds[name])}, name
    compared = {"Identity", "Law", "Appeal", "Criterion", "Page", "Field", "FormCheck", "Option", "Bounds", "EvidenceTerms",
                "Form", "Consulted", "Link", "Fee", "FeeLine", "Cut", "Instalments", "Appointment", "Hours", "State", "Effects",
                "Transition", "TimeLimit", "Table", "Output", "Notice", "Annotation", "PersonalData", "Sensitive", "CodeList", "Scheme",
                "Delay", "Contact", "Total", "Template", "Key"}  # fmt: skip
    apart = {
        "NamedElement",
        "Task",
        "Accept",
        "Step",
        "Scenario",
        "Procedure",
        "Expression",
        "Type",
        "Position",
        "Span",
        "Text",
    }
    assert set(kinds) - compared - apart == set(), "a new kind of thing: draw it in diff_portrait"


@pytest.mark.parametrize("name", SHIPPED)
def test_every_compared_facet_is_plain(name: str) -> None:
    """Two readings of one file give equal elements, whatever the machine: no object without equality in a facet."""
    text = (PROCEDURES / f"{name}.yaml").read_text("utf-8")
    compiled.cache_clear()
    first = compiled(text, f"{name}.yaml")
    compiled.cache_clear()
    assert compare(first, compiled(text, f"{name}.yaml")) == ()
