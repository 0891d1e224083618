"""The words of the house: every sentence a page or the engine may ask for exists; dates, money, plurals; SMS in one part."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from markupsafe import Markup, escape

from engine.core.gsm7 import sms_parts, to_gsm
from engine.core.problems import Refused
from engine.core.values import Text
from engine.domain.fields.field_type import KINDS
from engine.domain.fields.raw_answers import CODES
from engine.domain.fields.views import AnswerProblem
from engine.language.source.loader import read_source, read_texts
from engine.model import DRAFT
from engine.services.context.contact_parsing import read_phone
from renderers.html.templates import Pages
from renderers.i18n.language_spans import LanguageSpan, joined
from renderers.i18n.translations import OFFERED, REFERENCE, SAMPLES, Translations, in_language, load_words, typographic

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = ("draft", "to_pay", "sent", "in_review", "to_correct", "to_book", "appointment", "accepted", "ready", "refused", "closed")  # fmt: skip
LONGEST = {
    "dossier": "26 4829 1137 4", "link": "https://services.gouv.tg/r/aaaaaaabcdefghijklm", "due": "30/11/2026",
    "meeting": "01/12/2026 08h15", "office": "Centre de traitement d'Atakpamé", "amount": "1 000 000",
    "receipt": "Q-2026-000123", "code": "482913", "minutes": "10", "host": "services.gouv.tg",
    "act": "Retirer ma demande",
}  # fmt: skip


@pytest.fixture(scope="module")
def words() -> Translations:
    return load_words()


@pytest.mark.parametrize("path", sorted((ROOT / "renderers").rglob("words*.yaml")), ids=lambda path: path.stem)
def test_a_file_of_words_is_read_as_definitions_are(path: Path) -> None:
    """Nothing twice, nothing that is no text: the quick reading leaves nothing out."""
    text = path.read_text("utf-8")
    source = read_source(text, path.name)
    assert source.advice == ()
    assert source.tree == read_texts(text)


@pytest.mark.parametrize(
    ("day", "said"), [(date(2026, 12, 1), "mardi 1er décembre 2026"), (date(2026, 8, 15), "samedi 15 août 2026")]
)
def test_days(words: Translations, day: date, said: str) -> None:
    assert words.day(day, "fr").replace("\u00a0", " ") == said


@pytest.mark.parametrize(
    ("language", "kept"), [("fr", "mardi 1er~décembre~2026 à 8~h"), ("en", "Tuesday, 1~December~2026 at 08:00")]
)
def test_a_day_its_month_and_its_year_stay_on_one_line(words: Translations, language: str, kept: str) -> None:
    assert words.moment(datetime(2026, 12, 1, 8, tzinfo=UTC), language).replace("\u00a0", "~") == kept


def test_a_day_written_in_an_english_text_stays_whole(words: Translations) -> None:
    written = typographic("Before 2 December 2026. You may 2026 times, in March 2027", "en")
    assert written.replace("\u00a0", "~") == "Before 2~December~2026. You may 2026 times, in March 2027"


def test_moments_hours_and_money(words: Translations) -> None:
    assert words.moment(datetime(2026, 12, 1, 8, 15, tzinfo=UTC), "fr").endswith("2026 à 8\u00a0h\u00a015")
    assert words.hour(9 * 60, "fr") == "9\u00a0h"
    assert words.money(30000, "fr") == "30\u202f000\u00a0FCFA"
    assert words.money(30000, "en") == "30,000\u00a0FCFA"
    assert [words.short_day(date(2026, 12, 1), one) for one in ("fr", "en", "ee")] == [
        "1 déc. 2026",
        "1 Dec 2026",
        "01/12/2026",
    ]
    half_past_seven = datetime(2026, 12, 1, 7, 30, tzinfo=UTC)
    assert [words.short_moment(half_past_seven, one) for one in ("fr", "en")] == [
        "1 déc. 2026 à 7h30",
        "1 Dec 2026 at 07:30",
    ]


@pytest.mark.parametrize(
    ("octets", "said"), [(430_000, "430 ko"), (12, "1 ko"), (1_200_000, "1,2 Mo"), (5_000_000, "5 Mo")]
)
def test_sizes(words: Translations, octets: int, said: str) -> None:
    assert words.size(octets, "fr").replace("\u202f", " ") == said


@pytest.mark.parametrize(("count", "said"), [("0", "0 jour"), ("1", "1 jour"), ("3", "3 jours"), ("20", "20 jours")])
def test_plurals(words: Translations, count: str, said: str) -> None:
    assert words.span(int(count), "day", False, "fr").replace("1 jour", f"{count} jour") == said


@pytest.mark.parametrize(("key", "language", "said"), [
    ("operations.backed_up", "fr", "Sauvegarde complète dans  : 0 dossier, , les clés."),
    ("operations.files", "fr", "0 fichier"),
    ("operations.files", "en", "0 files"),
])  # fmt: skip
def test_of_none_nobody_says_one(words: Translations, key: str, language: str, said: str) -> None:
    assert words.say(key, language, {"count": "0"}).replace("\u00a0", " ") == said


def test_a_line_never_begins_with_a_sign(words: Translations) -> None:
    assert typographic("« Nom » : quoi ?", "fr") == "«\u00a0Nom\u00a0»\u00a0: quoi\u00a0?"
    assert typographic("What ?", "en") == "What ?"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Payez 1 000 F avant le 1er mars 2026", "Payez 1_000~F avant le 1er~mars~2026"),
        ("Depuis mars 2026, puis en mai 2027", "Depuis mars~2026, puis en mai~2027"),
        ("Bulletin n° 3", "Bulletin n°~3"),
        ("N° {number}, délivré le {day}", "N°~{number}, délivré le {day}"),
        ("De 8 h à 12 h 30, 40 kVA", "De 8~h à 12~h~30, 40~kVA"),
        ("Le 30 novembre ; art. 23", "Le 30~novembre~; art.~23"),
        ("{count} FCFA, 10 Mo, 100 m²", "{count}~FCFA, 10~Mo, 100~m²"),
        ("5 ans, 20 jours, un rendez-vous", "5 ans, 20 jours, un rendez-vous"),  # these may be cut
        ("Prix 5 Fruits et 3 mardis", "Prix 5 Fruits et 3 mardis"),
    ],
)
def test_a_number_stays_with_what_it_counts(written: str, kept: str) -> None:
    assert typographic(written, "fr").replace("\u00a0", "~").replace("\u202f", "_") == kept


def test_what_is_missing_in_a_language_is_said_in_french(words: Translations) -> None:
    assert words.say("sheet.steps", "kbp", {}) == "Comment ça se passe"


def test_an_unknown_key_is_a_fault_of_ours(words: Translations) -> None:
    with pytest.raises(LookupError):
        words.say("no.such.key", "fr", {})


def test_a_fact_is_never_read_as_a_hole(words: Translations) -> None:
    assert "{label}" in words.say("problem.any.empty", "fr", {"label": "{label}"})


@pytest.mark.parametrize(
    ("kind", "code", "facts", "said"),
    [
        ("integer", "minimum", {"minimum": "50", "unit": "cm"}, "« Taille » doit être au moins 50 cm"),
        ("integer", "maximum", {"minimum": "50", "maximum": "250", "unit": "cm"}, "« Taille » doit être entre 50 et 250 cm"),
        ("decimal", "minimum", {"minimum": "0.5", "unit": "m"}, "« Taille » doit être au moins 0,5 m"),
        ("integer", "minimum", {"minimum": "1900"}, "« Taille » doit être au moins 1900"),
        ("money", "maximum", {"maximum": "10000"}, "« Taille » doit être au plus 10 000 FCFA"),
        ("date", "minimum", {"minimum": "1900-01-01"}, "« Taille » doit être le 1er janvier 1900 ou plus tard"),
        (
            "phone", "phone", {},
            "Le numéro « Taille » a 8 chiffres, par exemple 90 12 34 56. Hors du Togo, il commence par +",
        ),
        (
            "phone", "phone", {"why": "unassigned"},
            "Ce numéro n’est pas un numéro togolais. Un mobile commence par 70 à 73, 78, 79, 90 à 93 ou 96 à 99",
        ),
    ],
)  # fmt: skip
def test_a_fault_says_the_limit_as_people_read_it(
    words: Translations, kind: str, code: str, facts: dict, said: str
) -> None:
    assert (
        words.problem(AnswerProblem("x", code, facts), kind, "Taille", "fr")
        .replace("\u00a0", " ")
        .replace("\u202f", " ")
        == said
    )


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("60 12 34 56", "unassigned"),
        ("+228 60123456", "unassigned"),
        ("9012", None),
        ("0612345678", None),
        ("+33 6 12", "abroad"),
        ("00", "abroad"),
        ("+228 60", None),
    ],
)
def test_a_number_is_refused_for_its_own_reason(typed: str, why: str | None) -> None:
    with pytest.raises(Refused) as closed:
        read_phone(typed)
    assert closed.value.reason.facts.get("why") == why
    said = load_words().refusal("phone_format", closed.value.reason.facts, "fr")
    assert ("8 chiffres" in said) is (why is None)
    assert ("commencez par +" in said) is (why is None)  # a traveller types the ten digits used at home


# -- in every language offered -----------------------------------------------------------------------------------------


def of_people(words: Translations, language: str) -> set[str]:
    """The keys of a language; the English of the command line is in its code."""
    return {key for key in words.texts(language) if not key.startswith("commands.")}


def holes(sentence: str) -> set[str]:
    return set(re.findall(r"\{([a-z_]+)\}", sentence))


@pytest.mark.parametrize("language", [one for one in OFFERED if one != REFERENCE])
def test_every_key_is_said_in_every_language(words: Translations, language: str) -> None:
    """One key more or fewer in a language, a plural that is no plural there: each would show on a page."""
    assert sorted(of_people(words, REFERENCE) ^ of_people(words, language)) == []


@pytest.mark.parametrize("language", OFFERED)
def test_a_sentence_takes_the_same_facts_in_every_language(words: Translations, language: str) -> None:
    said, reference = words.texts(language), words.texts(REFERENCE)
    differing = {key for key in said if holes(said[key]) != holes(reference[key]) and not key.endswith(".one")}
    assert sorted(differing) == []


@pytest.mark.parametrize("language", SAMPLES)
def test_a_sample_says_nothing_that_french_does_not(words: Translations, language: str) -> None:
    said, reference = words.texts(language), words.texts(REFERENCE)
    assert len(said) >= 20
    assert {key for key in said if holes(said[key]) != holes(reference.get(key, ""))} == set()
    assert words.say("form.continue", language, {}) == "Yi edzi"


def test_what_a_language_lacks_says_that_it_is_french(words: Translations) -> None:
    """Between tags; in an attribute, the words alone."""
    lacking = words.say("pay.before", "ee", {"day": "2 <mars>"})
    assert lacking == "Payez au plus tard le 2 <mars>."
    assert escape(lacking) == '<span lang="fr">Payez au plus tard le 2 &lt;mars&gt;.</span>'
    label = in_language(Text.of("Nom & prénom"), "en")
    told = words.say("row.add", "en", {"label": label})
    assert told == "Add: Nom & prénom"
    assert escape(told) == 'Add: <span lang="fr">Nom &amp; prénom</span>'
    assert escape(joined(", ", (label, "b"))) == '<span lang="fr">Nom &amp; prénom</span>, b'
    assert type(words.say("row.add", "fr", {"label": "Nom"})) is str


def a_frame(words: Translations, language: str) -> SimpleNamespace:
    return SimpleNamespace(
        principal="", home="/", demo=True, warning="", signed_in=False, unverified="", phone="", phone_link="",
        phone_hours="", country=words.say("frame.country", language, {}), brand=words.say("frame.brand", language, {}),
        motto="", has_emblem=False, address="", helped=None, languages=(),
    )  # fmt: skip


def a_page(words: Translations, language: str, title: str, links: Iterable[tuple[str, str]] = ()) -> str:
    """A page of an error with its frame."""
    shown = {
        "frame": a_frame(words, language),
        "title": title,
        "lines": [title],
        "code": "",
        "links": links,
        "request": "",
    }
    return Pages(words).render("error.html", language, shown)


def test_a_short_compound_word_does_not_break_in_a_heading_or_a_button(words: Translations) -> None:
    html = a_page(words, "fr", "Annuler le rendez-vous ?", [("/a-b/rendez-vous", "plan-1.pdf")])
    assert "<h1>Annuler le rendez\u2011vous ?</h1>" in html
    assert '<a href="/a-b/rendez-vous">plan-1.pdf</a>' in html
    assert "<title>Annuler le rendez-vous ?" in html
    said = LanguageSpan.in_language("Rendez-vous & e-mail", "x-y")
    assert '<h1><span lang="x-y">Rendez\u2011vous &amp; e\u2011mail</span></h1>' in a_page(words, "fr", said)
    gone = {
        "procedure": "",
        "action": "/r/a-b",
        "dossier": SimpleNamespace(number="1"),
        "note": "",
        "frame": a_frame(words, "fr"),
    }
    button = Pages(words).render("citizen/appointment_over.html", "fr", gone)
    assert '<a class="button" href="/dossiers/1/rendez-vous">Prendre un autre rendez\u2011vous</a>' in button
    long = "Marie-Madeleine-Akouvi"  # wider than a small screen: it may break
    assert f"<h1>{long}</h1>" in a_page(words, "fr", long)


def test_a_compound_word_of_the_text_of_a_page_stays_on_its_line(words: Translations) -> None:
    """What a reader may copy keeps its hyphens: names, addresses, files. A longer word may break.

    A short name of a place was broken at the end of a line: an element holds it together.
    """
    for said in ("Annuler le rendez-vous ?", "Y a-t-il un rez-de-chaussée ?", "L'avez-vous, peut-être ?"):
        fixed = escape(said).replace("-", "\u2011")
        assert f"<p>{fixed}</p>" in a_page(words, "fr", said)
    for said in (
        "Marie-Madeleine", "e-services.gouv.tg", "afi-mensah@exemple.tg", "/aide/rendez-vous",
        "acte-naissance.pdf", "DGDN-2026-00001", "procès-verbal-de-constatation",
    ):  # fmt: skip
        assert f"<p>{said}</p>" in a_page(words, "fr", said)
    for name in ("Agoè-Nyivé", "Bè-Klikamé", "GTA-C2A"):
        assert f'<p>À <span class="num">{name}</span>, Lomé</p>' in a_page(words, "fr", f"À {name}, Lomé")
    typed = Markup('<textarea name="f-a">rendez-vous</textarea>')
    assert str(typed) in a_page(words, "fr", typed)


def test_marks_of_a_language_stay_out_of_attributes_and_titles(words: Translations, tmp_path: Path) -> None:
    """The frame in Ewe, almost all French: elements are marked, `<title>` and attributes hold words only."""
    html = a_page(words, "ee", words.say("error.not_found", "ee", {}))
    assert '<html lang="ee">' in html
    assert "<title>Page introuvable" in html
    assert '<h1><span lang="fr">Page introuvable</span></h1>' in html
    assert re.search(r'="[^"<>]*<', html) is None


def test_a_plural_has_both_its_forms(words: Translations) -> None:
    for language in OFFERED:
        keys = words.texts(language).keys()
        ones, manies = ({key.removesuffix(end) for key in keys if key.endswith(end)} for end in (".one", ".many"))
        assert ones == manies


def test_english_is_not_left_in_french(words: Translations) -> None:
    said = words.texts("en")
    french = re.compile(r"[«»]|\b(?:votre|vous|démarche|pour|avec|une|est|sur|les|du)\b", re.IGNORECASE)
    assert sorted(key for key in said if french.search(re.sub(r"{\w+}", "", said[key]))) == []


# -- nothing is left unsaid --------------------------------------------------------------------------------------------


def asked_by_templates() -> set[str]:
    found: set[str] = set()
    for path in (ROOT / "renderers/templates").rglob("*.html"):
        found |= set(re.findall(r"""\bw\(\s*['"]([a-z_0-9.]+)['"]\s*[,)]""", path.read_text()))
    return found


def asked_by_code() -> set[str]:
    found: set[str] = set()
    for folder in ("renderers", "engine"):
        for path in (ROOT / folder).rglob("*.py"):
            pattern = r"""(?:\bsay|\b_say|\.say)\(\s*(?:wording,\s*)?["']([a-z_]+\.[a-z_0-9.]+)["']"""
            found |= set(re.findall(pattern, path.read_text()))
    return found


def test_every_key_of_the_templates_is_said(words: Translations) -> None:
    keys = asked_by_templates()
    assert len(keys) > 200
    assert sorted(key for key in keys if not words.has(key)) == []


def test_every_key_of_the_code_is_said(words: Translations) -> None:
    """Some rooms speak under a heading of their own: `say("check.refused")` is `publication.check.refused`."""
    keys = asked_by_code()
    assert len(keys) > 100
    headings = ("", "publication.", "commands.", "expr.")
    assert sorted(key for key in keys if not any(words.has(heading + key) for heading in headings)) == []


def test_every_entry_of_a_journal_has_its_words(words: Translations) -> None:
    """What the engine writes, read from its source: kinds of entries, and the names of their facts."""
    kinds, facts = set[str](), set[str]()
    for room in ("domain", "services", "simulation", "operations", "publication"):
        for path in sorted((Path(__file__).parents[2] / "engine" / room).rglob("*.py")):
            text = path.read_text()
            kinds |= set(re.findall(r"""(?:EntryDraft|\.note)\(\s*"([a-z_]+)\"""", text))
            kinds |= set(
                re.findall(r"""(?:\b_note\(unit, \w+|keep_answers\(ctx, unit, \w+, after), "([a-z_]+)\"""", text)
            )
            facts |= set(re.findall(r"""\bbody\["([a-z_]+)"\]""", text))
            for line in re.findall(r"(?:\.note\(|EntryDraft\(|\bbody(?:: dict\[str, Plain\])? = \{)[^\n]*", text):
                facts |= set(re.findall(r"""[{,] ?"([a-z_]+)":""", line))
            for line in re.findall(r"(?:\b_note\(unit|keep_answers\(ctx)[^\n]*", text):
                facts |= set(re.findall(r" ([a-z_]+)=", line))
    assert {"payment_ended", "saved", "part_done", "overpaid"} <= kinds
    assert {"why", "part", "event", "page"} <= facts
    facts -= {"motive", "salts", "row"}  # sealed, or kept for `fsck`: never shown
    assert sorted(kind for kind in kinds if not words.has(f"journal.{kind}")) == []
    assert sorted(fact for fact in facts if not words.has(f"journal.fact.{fact}")) == []


def test_every_refusal_of_the_engine_has_its_sentence(words: Translations) -> None:
    codes: set[str] = set()
    for path in (ROOT / "engine").rglob("*.py"):
        codes |= set(re.findall(r"""\brefusal\(\s*["']([a-z_]+)["']""", path.read_text()))
    assert len(codes) > 30
    assert sorted(code for code in codes if not words.has(f"refusal.{code}")) == []


def test_every_public_label_has_its_words(words: Translations) -> None:
    for key in PUBLIC:
        assert words.has(f"status.{key}")
        assert words.has(f"track.title.{key}") or key == DRAFT
        assert words.has(f"notice.{key}.sms")


@pytest.mark.parametrize("code", CODES)
def test_every_fault_names_its_question(words: Translations, code: str) -> None:
    """For each kind of field: a whole sentence, no hole left, no code shown."""
    facts = {
        "minimum": "1", "maximum": "9", "over": 2, "missing": ("day", "month"), "day": 30, "month": 2, "year": 1990,
        "name": "NIU", "example": "123", "span": "3 months", "label": "Prénom", "wanted": "100", "found": "90", "row": 2,
    }  # fmt: skip
    for kind in (*KINDS, "rows"):
        problem = AnswerProblem("x", code, facts, label=Text.of("Nom"))
        for language in OFFERED:
            said = words.problem(problem, kind, "Nom", language)
            assert "{" not in said
            assert code not in said.split() or language == "en" or code in ("date", "total")
            assert len(said.split()) <= 22, said


@pytest.mark.parametrize("code", ["too_old", "issue_future", "issue_date"])
def test_an_error_about_an_issue_date_names_its_document(words: Translations, code: str) -> None:
    for language, quoted in (("fr", "« Certificat »"), ("en", "“Certificat”")):
        said = words.problem(
            AnswerProblem("piece", code, {"span": "3 months", "maximum": "2026-11-30"}),
            "evidence",
            "Certificat",
            language,
        )
        assert quoted in said.replace("\u00a0", " ").replace("\u202f", " "), said


def test_the_definitions_own_words_win(words: Translations) -> None:
    problem = AnswerProblem("x", "check", message=Text.of({"fr": "Trop tôt.", "en": "Too early."}))
    assert words.problem(problem, "date", "Nom", "fr") == "Trop tôt."
    assert words.problem(problem, "date", "Nom", "en") == "Too early."


# -- messages ----------------------------------------------------------------------------------------------------------


def messages(words: Translations) -> list[str]:
    return sorted(key for key in words.texts("fr") if key.endswith(".sms"))


@pytest.mark.parametrize("language", OFFERED)
def test_each_sms_fits_one_part_with_its_longest_facts(words: Translations, language: str) -> None:
    keys = messages(words)
    assert len(keys) > 15
    for key in keys:
        counted = sms_parts(to_gsm(words.say(key, language, LONGEST)))
        assert not counted.foreign, (key, counted.foreign)
        assert counted.count == 1, (key, counted)


OF_THE_ADMINISTRATION = frozenset(LONGEST) | {"reference", "because"}  # typed by no applicant
DRAWN = ("{code}", "{meeting}")  # what an SMS may open with beside fixed words


class Hostile(dict[str, str]):
    """Facts of which each that is not the administration's own is an applicant's free text."""

    TEXT = "Gagnez sur http://gain.tg ✓"

    def get(self, name: str, otherwise: str = "") -> str:  # type: ignore[override]
        return super().get(name, "travaux" if name in OF_THE_ADMINISTRATION else self.TEXT)


@pytest.mark.parametrize("language", OFFERED)
def test_an_sms_opens_with_fixed_words_and_holds_no_address_but_ours(words: Translations, language: str) -> None:
    keys = [key for key in words.texts("fr") if re.search(r"^(letter|notice|visit|message)\..*sms(_\w+)?$", key)]
    assert set(messages(words)) - {"bulk.sms", "changes.facet.sms", "doctor.part.sms", "openings.sms", "sent.sms"} <= {
        *keys
    }
    for key in keys:
        written = words.texts(language).get(key) or words.texts(REFERENCE)[key]
        assert written.startswith(DRAWN) or re.match(r"[A-ZÀÉ][^{]{3}", written), (key, written)
        said = to_gsm(words.say(key, language, Hostile(LONGEST)))
        assert Hostile.TEXT not in said, (key, said)
        assert not sms_parts(said).foreign, (key, said)
        rest = said.replace(LONGEST["link"], "").replace(LONGEST["host"], "")
        assert not re.search(r"://|www\.|\w\.\w", rest), (key, said)


@pytest.mark.parametrize("language", OFFERED)
def test_the_code_is_bound_to_the_site(words: Translations, language: str) -> None:
    body = words.say("letter.code.sms", language, LONGEST)
    assert body.startswith("482913 ")
    assert body.endswith("\n\n@services.gouv.tg #482913")


# -- plain language ----------------------------------------------------------------------------------------------------


def test_sentences_are_short_and_plain(words: Translations) -> None:
    texts = {key: words.say(key, "fr", {}) for key in words.texts("fr") if not key.endswith((".one", ".many"))}
    for key, text in texts.items():
        assert not re.search(r"\bveuillez\b|\boups\b", text, re.IGNORECASE), key
        longest = max(len(sentence.split()) for sentence in re.split(r"[.!?:]\s", text))
        assert longest <= 25, (key, longest)


@pytest.mark.parametrize("name", ["authoring", "doctor", "operations"])
def test_commands_name_who_acts_in_plain_english(name: str) -> None:
    text = (ROOT / "renderers" / "i18n" / "catalogues" / f"words_{name}.en.yaml").read_text("utf-8")
    assert not re.findall(r"\b(?:nobody|whoever|everybody|somebody|anyone)\b", text, re.IGNORECASE)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_publishing_outside_a_repository_says_what_to_do(language: str) -> None:
    said = load_words().say("refusal.git_no_repository", language, {"name": "procedures"})
    assert "git init" in said
    assert "clone" in said


@pytest.mark.parametrize(("language", "said"), [("fr", "jusqu'au {due}"), ("en", "by {due}")])
@pytest.mark.parametrize("asked", ["to_pay", "to_correct"])
def test_a_message_counts_the_last_day_as_the_page_does(
    words: Translations, language: str, said: str, asked: str
) -> None:
    assert said in words.texts(language)[f"notice.{asked}.sms"]
