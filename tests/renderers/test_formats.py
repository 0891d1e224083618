"""Numbers, days and lists as CLDR writes them: each language, our own exceptions, SMS, documents issued before."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from babel import Locale

from engine.core.gsm7 import sms_parts, to_gsm
from engine.core.values import Plain
from engine.domain.fields.field_type import FieldContext, Speech
from engine.domain.fields.field_types import kind_of
from engine.language.lint.general_rules import longest_value
from engine.model import Fee, Procedure
from engine.model.types import Scope
from renderers.i18n import formats, problem_messages
from renderers.i18n.language_spans import LanguageSpan
from renderers.i18n.translations import OFFERED, load_words
from renderers.pdf.documents import document_pdf
from tests.engine.domain.small_procedure import passport, text_field
from tests.engine.records.makers import a_document
from tests.makers import PROCEDURES, the_procedure
from tests.renderers.test_certificate import NUMBER, read

WORDS = load_words()
FIRST = datetime(2026, 12, 1, 8, 15, tzinfo=UTC)
ASKING = FieldContext(Scope({}, FIRST.date()))


@pytest.mark.parametrize(
    ("language", "moment", "month", "price", "share", "size", "both"),
    [
        ("fr", "mardi 1er~décembre~2026 à 8~h~15", "décembre 2026", "1_234_500~FCFA", "12,5~%", "1,2_Mo", "a, b et c"),
        ("en", "Tuesday, 1~December~2026 at 08:15", "December 2026", "1,234,500~FCFA", "12.5%", "1.2~MB", "a, b and c"),
        ("ee", "08:15 blaɖa, dzome~1~lia~2026", "dzome 2026", "1,234,500~FCFA", "12.5%", "1.2~MB", "a, b, kple c"),
        ("kbp", "mardi 1er~décembre~2026 à 8~h~15", "décembre 2026", "1_234_500~FCFA", "12,5~%", "1,2_Mo", "a, b et c"),
    ],
)
def test_each_language(
    language: str, moment: str, month: str, price: str, share: str, size: str, both: str
) -> None:  # fmt: skip
    """`~` is a fixed space and `_` a narrow one; Kabiyè is not in CLDR and is written as French."""
    said = (
        WORDS.moment(FIRST, language), formats.month(FIRST.date(), language), WORDS.money(1_234_500, language),
        WORDS.percent(Decimal("12.5"), language), WORDS.size(1_234_567, language), formats.listed("abc", language),
    )  # fmt: skip
    assert tuple(one.replace("\u00a0", "~").replace("\u202f", "_") for one in said) == (
        moment, month, price, share, size, both
    )  # fmt: skip


def test_only_the_first_day_of_a_month_is_an_ordinal() -> None:
    days = [WORDS.plain_day(date(2011, 1, number), "fr").replace("\u00a0", " ") for number in (1, 11, 21, 31)]
    assert days == ["1er janvier 2011", "11 janvier 2011", "21 janvier 2011", "31 janvier 2011"]


@pytest.mark.parametrize(
    ("value", "said"), [(0, "0"), (-1200, "-1_200"), (Decimal("0.50"), "0,5"), (Decimal("1E+4"), "10_000"), (10**15, "1_000_000_000_000_000")]
)  # fmt: skip
def test_numbers_keep_all_their_digits(value: int | Decimal, said: str) -> None:
    assert WORDS.amount(value, "fr") == said.replace("_", "\u202f")


@pytest.mark.parametrize("kind", ["money", "integer", "decimal", "percent"])
@pytest.mark.parametrize("typed", ["9" * 30, "-" + "9" * 30, "9" * 30 + ",123456789"])
def test_the_longest_number_that_can_be_typed_is_shown(kind: str, typed: str) -> None:
    """Its answer is outside the limits, and the page that says so shows it with all its digits."""
    field = replace(text_field("taille"), type=kind)
    plain = kind_of(field).from_text(field, typed, ASKING)
    said = kind_of(field).text(field, plain, ASKING, Speech(WORDS, "fr"))
    assert re.sub(r"\s|FCFA|%", "", said) == typed


def test_a_year_is_not_grouped() -> None:
    numbers = (1990, Decimal(1990), 10_000, Decimal("9" * 30))
    assert [WORDS.number(one, "fr") for one in numbers] == ["1990", "1990", "10\u202f000", "\u202f".join(["999"] * 10)]


def test_the_script_of_uploads_writes_the_same_units() -> None:
    script = Path("renderers/static/files.js").read_text("utf-8")
    units = [WORDS.size(1_000, language).split()[1] for language in OFFERED]
    assert [f'unit: " {unit}"' in script for unit in units] == [True, True]


def test_a_list_keeps_the_language_of_its_parts() -> None:
    assert formats.listed((), "fr") == ""
    assert formats.listed(("a", "b"), "fr", "or") == "a ou b"
    assert formats.listed(("a", "b"), "ee", "or") == "a ou b"  # CLDR has only the English word
    mixed = formats.listed(("a", LanguageSpan.in_language("b", "en")), "fr")
    assert isinstance(mixed, LanguageSpan)
    assert mixed.__html__() == 'a et <span lang="en">b</span>'


# -- what stays ours agrees with CLDR ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "locale"), [("fr", "fr"), ("en", "en_GB")])
def test_plurals_agree_with_cldr(language: str, locale: str) -> None:
    rule = Locale.parse(locale).plural_form
    for count in (0, 1, 2, 5, 11, 21, 100, 101):
        said = WORDS.say("operations.files", language, {"count": str(count)})
        one = WORDS.say("operations.files", language, {"count": "1"}).replace("1", str(count))
        assert (said == one) is (rule(count) == "one"), (count, said)


@pytest.mark.parametrize("language", OFFERED)
def test_lists_of_problems_agree_with_cldr(language: str) -> None:
    both, either = problem_messages._JOINTS[language]
    assert formats.listed("ab", language) == f"a{both}b"
    assert formats.listed("ab", language, "or") == f"a{either}b"


def test_lint_does_not_load_babel(tmp_path: Path) -> None:
    wrong = tmp_path / "essai.yaml"
    wrong.write_text((PROCEDURES / "duplicata-bac.yaml").read_text("utf-8"), "utf-8")
    code = (
        "import sys; from renderers.cli.main import console\n"
        f"sys.argv = ['guichet', 'lint', {str(PROCEDURES / 'casier-judiciaire-b3.yaml')!r}, {str(wrong)!r}]\n"
        "try: console()\nexcept SystemExit: pass\n"
        "print('babel' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert told.stdout.splitlines()[-1] == "False", told.stdout + told.stderr
    assert "erreur[" in told.stdout


# -- SMS ---------------------------------------------------------------------------------------------------------------

PLAINS: dict[str, Plain] = {
    "money": 1_250_000, "integer": 12_000, "decimal": "1234.5", "percent": "12.5", "date": "2026-12-01", "time": "14:05",
}  # fmt: skip


def said_in_sms(procedure: Procedure, name: str, language: str) -> str:
    field = procedure.fields.get(name)
    if isinstance(procedure.tasks.get(name), Fee):
        return WORDS.amount(1_000_000, language)
    if field is not None and field.type in PLAINS:
        return kind_of(field).text(field, PLAINS[field.type], ASKING, Speech(WORDS, language))
    return longest_value(procedure, name)


@pytest.mark.parametrize("name", sorted(path.stem for path in PROCEDURES.glob("*.yaml")))
def test_the_sms_of_a_shipped_procedure_stay_in_the_alphabet_of_sms(name: str) -> None:
    """With amounts and days as they are written on pages, narrow spaces among them."""
    procedure = the_procedure(name)
    for notice in procedure.notices:
        for language, text in notice.sms.text.versions if notice.sms else ():
            for hole in notice.sms.names:
                text = text.replace("{" + hole + "}", said_in_sms(procedure, hole, language))
            assert not sms_parts(to_gsm(text)).foreign, text


@pytest.mark.parametrize("language", OFFERED)
def test_standard_sms_stay_in_the_alphabet_of_sms(language: str) -> None:
    facts = {"amount": WORDS.amount(1_000_000, language), "due": WORDS.short_day(FIRST.date(), language)}
    for key in WORDS.texts("fr"):
        if key.endswith(".sms"):
            assert not sms_parts(to_gsm(WORDS.say(key, language, facts))).foreign, key


# -- what is stored ----------------------------------------------------------------------------------------------------


def test_a_document_issued_before_keeps_its_text() -> None:
    """Its content is stored as text, so it has the spaces of its time. Its dates are stored as dates."""
    old = (
        ("Montant", "30\u00a0000\u00a0FCFA"),
        ("Né le", "1er\u00a0mars\u00a01990"),
        ("", "Part de 12.5 le mardi 1er mars 2022."),
    )
    document = a_document(output="passeport", content=old, code="123456789012", issued_at=FIRST)
    text = read(document_pdf(document, passport(), NUMBER, "La Ville", "https://exemple.tg/v", WORDS, "fr"))
    assert all(words in text for _, words in old), text
    assert "mardi 1er\u00a0décembre\u00a02026" in text
