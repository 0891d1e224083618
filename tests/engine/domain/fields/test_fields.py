"""Each kind of field: what people type, what is kept of it, what is wrong with it, what a reader sees."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.values import Plain, Span, Text
from engine.domain.fields.field_type import KINDS, FieldContext, FieldKind, Speech, field_kind
from engine.domain.fields.field_types import adopt, field_problems, kind_of, read_field, text, typed
from engine.domain.fields.files import with_file, without_file
from engine.domain.fields.raw_answers import CODES, fill_template, is_wrong, tidy
from engine.model import Bounds, CodeList, EvidenceTerms, Field, Option, Scheme
from engine.model.types import FALSE, TEXT, TRUE, Scope, Type, constant
from renderers.i18n.translations import load_words

TODAY = date(2026, 11, 24)
LISTS = {"communes": CodeList("communes", Text.of("Communes"), None, (Option("golfe_1", Text.of("Golfe 1")),))}
SCHEMES = {
    "niu": Scheme("niu", Text.of("NIU"), r"\d{10}", None, "1234567890"),
    "passport": Scheme("passport", Text.of("Passeport"), "[A-Z0-9]{5,15}", None, "EB123456"),
    "card": Scheme("card", Text.of("Carte"), r"\d{2,20}", "luhn", "79927398713"),
}
ASKING = FieldContext(Scope({}, TODAY), LISTS, SCHEMES)


class Words:
    """The least wording the rules need."""

    def amount(self, amount: int | Decimal, language: str) -> str:
        return f"{amount:,}".replace(",", " ").replace(".", ",")

    def money(self, amount: int, language: str) -> str:
        return f"{self.amount(amount, language)}\u00a0FCFA"

    def percent(self, value: Decimal, language: str) -> str:
        return f"{self.amount(value, language)}\u00a0%"

    def hour(self, minutes: int, language: str) -> str:
        return "{}\u00a0h\u00a0{:02}".format(*divmod(minutes, 60))

    def numeral(self, amount: int, language: str) -> str:
        return f"<{amount}>"

    def plain_day(self, day: date, language: str) -> str:
        return f"{day:%d/%m/%Y}"

    day = short_day = plain_day

    def moment(self, instant: datetime, language: str) -> str:
        return instant.isoformat()

    short_moment = moment

    def yes_no(self, value: bool, language: str) -> str:
        return "Oui" if value else "Non"

    def say(self, key: str, language: str, facts: Any) -> str:
        return key

    def has(self, key: str) -> bool:
        return True


SPEECH = Speech(Words())


def a_field(type_: str, **keys: Any) -> Field:
    bounds = {name: keys.pop(name) for name in list(keys) if name in Bounds.__dataclass_fields__}
    keys.setdefault("value_type", TEXT)
    return Field(id="q", type=type_, label=Text.of("Question"), bounds=Bounds(**bounds), **keys)


def read(field: Field, *values: str, **more: str) -> Plain:
    raw = {"q": list(values)} if values else {}
    raw.update({f"q_{name}": [value] for name, value in more.items()})
    return read_field(field, raw, "q", {}, ASKING)["q"]


def codes(field: Field, plain: Plain, asking: FieldContext = ASKING, **more: Plain) -> list[str]:
    return [one.code for one in field_problems(field, {"q": plain, **more}, "q", asking)]


def option(code: str, **keys: Any) -> Option:
    return Option(code, Text.of(code.capitalize()), **keys)


COLOURS = (option("rouge"), option("vert"), option("bleu", until=date(2026, 1, 1), because=Text.of("Retiré")))

UNDERSTOOD = [
    ("text", {}, "  Afi \u00a0 Kɔku\u200b ", "Afi Kɔku"),
    ("text", {}, "Afi\u3164\u2800\u17b4\U000e0100", "Afi"),
    ("text", {}, "e\u0301te\u0301", "été"),
    ("text", {"upper": True}, "amegan é", "AMEGAN É"),
    ("text", {"lines": 3}, "BP 12\r\n  Lomé ", "BP 12\nLomé"),
    ("text", {}, "deux\nlignes", "deux lignes"),
    ("text", {"pattern": r"[A-Z0-9]{2}\d{1,4}"}, "af 860", "AF860"),
    ("text", {"pattern": r"\d{1,6}( ?RT)?"}, "12345 rt", "12345 RT"),
    ("text", {"pattern": "[A-Za-z ]+"}, "Ama Koffi", "Ama Koffi"),
    ("identifier", {"scheme": "passport"}, "eb 123 456", "EB123456"),
    ("identifier", {"scheme": "niu"}, "1234 567 890", "1234567890"),
    ("identifier", {"scheme": "niu", "max_length": 10}, "12 34 56 78 90", "1234567890"),
    ("email", {}, "afi@Exemple.TG", "afi@exemple.tg"),
    ("phone", {}, "90 00 00 00", "+22890000000"),
    ("phone", {}, "+228 90-00-00-00", "+22890000000"),
    ("phone", {}, "0022890123456", "+22890123456"),
    ("phone", {}, "(+33) 6 12 34 56 78", "+33612345678"),
    ("integer", {}, "1 500", 1500),
    ("integer", {"unit": "cm"}, "168 cm", 168),
    ("money", {}, "30\u00a0000 F CFA", 30000),
    ("money", {}, "30\u202f000 FCFA", 30000),
    ("money", {}, "30.000", 30000),
    ("money", {}, "1,500,000 F", 1500000),
    ("decimal", {}, "12,50", "12.5"),
    ("decimal", {}, "-0", "0"),
    ("percent", {}, "7,5 %", "7.5"),
    ("date", {}, "27/3/1990", "1990-03-27"),
    ("date", {}, "27 mars 1990", "1990-03-27"),
    ("date", {}, "1er août 1990", "1990-08-01"),
    ("date", {}, "27-03-1990", "1990-03-27"),
    ("date", {}, "1990-03-27", "1990-03-27"),
    ("date", {}, "March 27, 1990", "1990-03-27"),
    ("date", {}, "27 déc. 1990", "1990-12-27"),
    ("date", {}, "27031990", "1990-03-27"),
    ("partial_date", {}, "1990", "1990"),
    ("partial_date", {}, "3/1990", "1990-03"),
    ("partial_date", {}, "mars 1990", "1990-03"),
    ("partial_date", {}, "1990-03", "1990-03"),
    ("partial_date", {}, "27/3/1990", "1990-03-27"),
    ("time", {}, "8 h 15", "08:15"),
    ("time", {}, "14:30", "14:30"),
    ("time", {}, "9h", "09:00"),
    ("yes_no", {}, "true", True),
    ("yes_no", {}, "Non", False),
    ("declaration", {}, "on", True),
    ("choice", {"options": COLOURS}, "vert", "vert"),
    ("country", {}, "tgo", "tgo"),
    ("country", {}, "Côte d'Ivoire", "civ"),
    ("country", {}, "Germany", "deu"),
    ("place", {}, "golfe_1", "golfe_1"),
]


@pytest.mark.parametrize(("type_", "keys", "typed_in", "kept"), UNDERSTOOD)
def test_what_is_clear_is_understood(type_: str, keys: dict[str, Any], typed_in: str, kept: Plain) -> None:
    field = a_field(type_, **keys)
    assert read(field, typed_in) == kept
    assert codes(field, kept) == []
    assert adopt(field, {"q": kept}, ASKING)["q"] == kept, "what is kept is read again as itself"


NOT_UNDERSTOOD = [
    ("text", {}, "a\x07b", "control"),
    ("email", {}, "afi@", "email"),
    ("email", {}, "+22890112233@exemple.tg", "email"),
    ("phone", {}, "12 34", "phone"),
    ("phone", {}, "1-800-FLOWERS", "phone"),
    ("identifier", {"scheme": "niu"}, "12345", "identifier"),
    ("identifier", {"scheme": "niu"}, "1" * 4_000, "identifier"),
    ("integer", {}, "douze", "number"),
    ("integer", {}, "1,5", "whole"),
    ("integer", {}, "9" * 40, "number"),
    ("money", {}, "12,50", "whole"),
    ("decimal", {}, "1/2", "number"),
    ("date", {}, "30/2/1990", "date_unreal"),
    ("date", {}, "27/3/90", "date_year"),
    ("date", {}, "demain", "date"),
    ("date", {}, "27/3/", "date_incomplete"),
    ("date", {}, "1/13/1990", "date_unreal"),
    ("partial_date", {}, "27//1990", "date_incomplete"),
    ("time", {}, "25:00", "time"),
    ("yes_no", {}, "peut-être", "choice"),
    ("choice", {"options": COLOURS}, "jaune", "choice"),
    ("choice", {"options": COLOURS}, "other", "choice"),
    ("choices", {"options": COLOURS}, "jaune", "choice"),
    ("country", {}, "xyz", "choice"),
    ("place", {}, "paris", "choice"),
]


@pytest.mark.parametrize(("type_", "keys", "typed_in", "code"), NOT_UNDERSTOOD)
def test_what_is_wrong_is_kept_as_typed_with_its_fault(
    type_: str, keys: dict[str, Any], typed_in: str, code: str
) -> None:
    field = a_field(type_, **keys)
    plain = read(field, typed_in)
    assert is_wrong(plain)
    assert typed(field, plain) is None, "conditions see it as empty"
    assert codes(field, plain) == [code]
    assert code in CODES
    if code != "control":
        assert text(field, plain, ASKING, SPEECH) == typed_in, "nothing typed is lost"


BOUNDS = [
    ("text", {"max_length": 3}, "abcd", "length"),
    ("text", {"min_length": 3}, "ab", "length"),
    ("text", {"pattern": "[a-z]+"}, "ab1", "format"),
    ("text", {"pattern": "(a+)+b"}, "a" * 90, "format"),  # linear: an answer never hangs the server
    ("identifier", {"scheme": "card"}, "79927398710", "checksum"),
    ("integer", {}, -1, "minimum"),
    ("integer", {"minimum": constant(50, Type("integer"))}, 49, "minimum"),
    ("integer", {"maximum": constant(230, Type("integer"))}, 231, "maximum"),
    ("integer", {"minimum": constant(-5, Type("integer"))}, -6, "minimum"),
    ("decimal", {"maximum": constant(Decimal("2.5"), Type("decimal"))}, "2.51", "maximum"),
    ("date", {"minimum": constant(date(1900, 1, 1), Type("date"))}, "1899-12-31", "minimum"),
    ("choice", {"options": COLOURS}, "bleu", "shut"),
    ("choices", {"options": COLOURS}, ["rouge", "bleu"], "shut"),
]


@pytest.mark.parametrize(("type_", "keys", "plain", "code"), BOUNDS)
def test_bounds(type_: str, keys: dict[str, Any], plain: Plain, code: str) -> None:
    assert codes(a_field(type_, **keys), plain) == [code]


def test_todays_bounds_speak_of_the_past_and_the_future() -> None:
    today = constant(TODAY, Type("date"))
    said = type(today)("today", today.node, today.type, today.names, today.run)
    assert codes(a_field("date", maximum=said), "2026-11-25") == ["date_past"]
    assert codes(a_field("date", minimum=said), "2026-11-23") == ["date_future"]
    assert codes(a_field("date", maximum=said, minimum=said), "2026-11-24") == []


def test_a_bound_says_the_definitions_own_words() -> None:
    field = a_field("text", pattern="[A-Z]{2}", message=Text.of("Deux lettres."))
    assert str(field_problems(field, {"q": "abc"}, "q", ASKING)[0].message) == "Deux lettres."


@pytest.mark.parametrize(
    ("code", "typed_in"), [("identifier", "12"), ("checksum", "79927398710")], ids=["identifier", "checksum"]
)
def test_a_wrong_number_is_named_in_the_language_of_the_page(code: str, typed_in: str) -> None:
    scheme = "passport" if code == "identifier" else "card"
    (problem,) = field_problems(
        a_field("identifier", scheme=scheme), {"q": read(a_field("identifier", scheme=scheme), typed_in)}, "q", ASKING
    )
    said = load_words().problem(problem, "identifier", "Passport number", "en")
    assert problem.code == code
    assert "“Passport number”" in said
    assert str(SCHEMES[scheme].label) not in said


@pytest.mark.parametrize(
    ("typed_in", "said"), [("+33 6 12", "étranger"), ("9012", "8 chiffres"), ("60123456", "togolais")]
)
def test_a_telephone_is_refused_for_its_own_reason(typed_in: str, said: str) -> None:
    field = a_field("phone")
    (problem,) = field_problems(field, {"q": read(field, typed_in)}, "q", ASKING)
    assert said in load_words().problem(problem, "phone", "Téléphone", "fr")


def test_a_date_comes_from_three_boxes() -> None:
    field = a_field("date")
    assert read(field, day="27", month="3", year="1990") == "1990-03-27"
    assert read(field, day="27", month="mars", year="1990") == "1990-03-27"
    assert read(field, day="", month="", year="") is None
    wrong = read(field, day="31", month="", year="1990")
    assert codes(field, wrong) == ["date_incomplete"]
    assert kind_of(field).boxes(wrong) == ("31", "", "1990")
    assert kind_of(field).boxes("1990-03-07") == ("7", "3", "1990")


@pytest.mark.parametrize("month", ["²", "٣", "003", "9" * 5_000])
def test_what_is_no_month_is_a_fault(month: str) -> None:
    field = a_field("date")
    assert codes(field, read(field, day="27", month=month, year="1990")) == ["date"]


@pytest.mark.parametrize(("required", "expected"), [(TRUE, ["empty"]), (FALSE, [])])
def test_blank_is_a_fault_only_where_required(required: Any, expected: list[str]) -> None:
    assert codes(a_field("text", required=required), None) == expected
    assert codes(a_field("integer", required=required), None) == expected


def test_zero_and_no_are_answers() -> None:
    assert codes(a_field("integer"), 0) == []
    assert codes(a_field("yes_no"), False) == []


def test_a_declaration_must_be_ticked() -> None:
    assert codes(a_field("declaration"), None) == ["declaration"]
    assert codes(a_field("declaration", required=FALSE), None) == []


def test_other_asks_which() -> None:
    field = a_field("choice", options=COLOURS, other=True)
    answers = read_field(field, {"q": ["other"], "q_other": [" Ocre "]}, "q", {}, ASKING)
    assert answers == {"q": "other", "q_other": "Ocre"}
    assert codes(field, "other") == ["other_detail"]
    assert text(field, "other", ASKING, SPEECH, "Ocre") == "Ocre"
    assert codes(field, "rouge") == []


def test_several_choices_keep_the_order_of_the_list() -> None:
    field = a_field("choices", options=COLOURS)
    assert read(field, "", "vert", "rouge", "rouge") == ["rouge", "vert"]
    assert typed(field, ["rouge", "vert"]) == ("rouge", "vert")
    assert text(field, ["rouge", "vert"], ASKING, SPEECH) == "Rouge, Vert"


def test_options_under_another_answer() -> None:
    field = a_field("choice", options=(option("a1", parent="a"), option("b1", parent="b")), under="top")
    under_a = FieldContext(Scope({"top": "a"}, TODAY))
    assert [one.code for one in kind_of(field).options(field, under_a)] == ["a1"]
    assert codes(field, "a1", under_a) == []
    assert codes(field, "b1", under_a) == ["choice"]


def test_an_option_shut_by_its_condition_says_why() -> None:
    field = a_field("choice", options=(option("a", when=FALSE, because=Text.of("Complet")),))
    [problem] = field_problems(field, {"q": "a"}, "q", ASKING)
    assert (problem.code, str(problem.message)) == ("shut", "Complet")


SAID = [
    ("money", {}, 30000, "30 000\u00a0FCFA"),
    ("integer", {"unit": "cm"}, 168, "168\u00a0cm"),
    ("integer", {"unit": "kg"}, 1200, "1 200\u00a0kg"),
    ("integer", {}, 2019, "2019"),  # a year
    ("integer", {}, 20190, "20 190"),
    ("decimal", {}, "1234.5", "1 234,5"),
    ("percent", {}, "7.5", "7,5\u00a0%"),
    ("phone", {}, "+22890123456", "+228 90 12 34 56"),
    ("date", {}, "1990-03-27", "27/03/1990"),
    ("partial_date", {}, "1990-03", "03/1990"),
    ("time", {}, "08:15", "8\u00a0h\u00a015"),
    ("yes_no", {}, False, "Non"),
    ("country", {}, "tgo", "Togo"),
    ("place", {}, "golfe_1", "Golfe 1"),
    ("choice", {"options": COLOURS}, "bleu", "Bleu"),
    ("text", {}, None, ""),
]


@pytest.mark.parametrize(("type_", "keys", "plain", "words"), SAID)
def test_what_a_reader_sees(type_: str, keys: dict[str, Any], plain: Plain, words: str) -> None:
    assert text(a_field(type_, **keys), plain, ASKING, SPEECH) == words


# -- papers ------------------------------------------------------------------------------------------------------------

CERTIFICATES = EvidenceTerms(any_of=(option("acte"), option("jugement")), max_age=Span(3, "month"))


def evidence(**parts: Plain) -> Plain:
    return {"is": None, "files": [], "issued": None, "held": False, **parts}


@pytest.mark.parametrize(
    ("terms", "plain", "expected"),
    [
        (EvidenceTerms(), None, ["file"]),
        (EvidenceTerms(), evidence(files=["f1"]), []),
        (EvidenceTerms(), evidence(held=True), []),
        (EvidenceTerms(), evidence(files=["f1", "f2"]), ["files_many"]),
        (EvidenceTerms(how=("hand_over",)), None, []),
        (CERTIFICATES, evidence(files=["f1"], issued="2026-10-01"), ["empty"]),
        (CERTIFICATES, evidence(**{"is": "acte"}), ["file"]),
        (CERTIFICATES, evidence(files=["f1"], **{"is": "acte"}), ["issue_date"]),
        (CERTIFICATES, evidence(files=["f1"], issued="2026-08-23", **{"is": "acte"}), ["too_old"]),
        (CERTIFICATES, evidence(files=["f1"], issued="2026-08-24", **{"is": "acte"}), []),
        (CERTIFICATES, evidence(files=["f1"], issued="2026-11-25", **{"is": "acte"}), ["issue_future"]),
        (CERTIFICATES, evidence(files=["f1"], issued={"?": "30/2/2026"}, **{"is": "acte"}), ["date_unreal"]),
    ],
)
def test_what_evidence_lacks(terms: EvidenceTerms, plain: Plain, expected: list[str]) -> None:
    assert codes(a_field("evidence", evidence=terms), plain) == expected


def test_a_post_names_no_file_and_holds_nothing() -> None:
    field = a_field("evidence", evidence=CERTIFICATES)
    raw = {"q": ["acte"], "q_issued_day": ["1"], "q_issued_month": ["10"], "q_issued_year": ["2026"],
           "q_files": ["stolen"], "files": ["stolen"], "held": ["true"], "q_held": ["true"]}  # fmt: skip
    answers = read_field(field, raw, "q", {"q": evidence(files=["mine"])}, ASKING)
    assert answers["q"] == evidence(files=["mine"], issued="2026-10-01", **{"is": "acte"})
    assert read_field(a_field("file"), {"q": ["stolen"]}, "q", {"q": ["mine"]}, ASKING)["q"] == ["mine"]


def test_a_single_file_takes_the_place_of_the_other() -> None:
    one, several = a_field("file"), a_field("evidence", max_items=2)
    assert with_file(one, ["a"], "b") == ["b"]
    assert with_file(several, evidence(files=["a"]), "b") == evidence(files=["a", "b"])
    assert without_file(several, evidence(files=["a", "b"]), "a") == evidence(files=["b"])


@pytest.mark.parametrize(
    ("given_value", "kept"),
    [("jugement", ("jugement", ["example-q"])), ("acte.jpg", ("acte", ["acte.jpg"])), (False, (None, []))],
)
def test_stories_give_evidence_by_its_code_or_its_file(given_value: Plain, kept: tuple[str, list[str]]) -> None:
    plain = adopt(a_field("evidence", evidence=CERTIFICATES), {"q": given_value}, ASKING)["q"]
    assert isinstance(plain, dict)
    assert (plain["is"], plain["files"]) == kept


# -- for every kind ----------------------------------------------------------------------------------------------------


def test_a_kind_has_one_name() -> None:
    with pytest.raises(ValueError, match="twice"):
        field_kind("date")(FieldKind)


def test_every_type_of_the_language_has_a_kind() -> None:
    types = [
        "text",
        "integer",
        "decimal",
        "money",
        "percent",
        "date",
        "partial_date",
        "time",
        "yes_no",
        "choice",
        "choices",
        "country",
        "email",
        "phone",
        "identifier",
        "address",
        "place",
        "office",
        "file",
        "photo",
        "declaration",
        "note",
        "evidence",
    ]
    assert sorted(KINDS) == sorted(types)


def test_a_template_never_reaches_an_object() -> None:
    assert fill_template("{nom} {nom.__class__} {absent}!", {"nom": "Afi"}) == "Afi {nom.__class__} !"


@pytest.mark.parametrize("type_", sorted(KINDS))
def test_the_made_up_example_is_accepted(type_: str) -> None:
    field = a_field(type_, options=COLOURS if type_.startswith("choice") else ())
    plain = kind_of(field).example(field, ASKING)
    if type_ not in ("office", "note"):
        assert codes(field, plain) == []


ANY_TEXT = st.text(max_size=60) | st.text("0123456789/-:. hFé\u00a0,'+abcmars", max_size=20)
MORE = {"choice": {"options": COLOURS, "other": True}, "choices": {"options": COLOURS, "other": True},
        "evidence": {"evidence": CERTIFICATES}, "identifier": {"scheme": "niu"}}  # fmt: skip


@given(
    type_=st.sampled_from(sorted(KINDS)), values=st.lists(ANY_TEXT, max_size=3), boxes=st.lists(ANY_TEXT, max_size=3)
)
def test_any_text_is_read_kept_once_and_shown(type_: str, values: list[str], boxes: list[str]) -> None:
    field = a_field(type_, **MORE.get(type_, {}))
    raw = {"q": values} if values else {}
    raw.update({f"q_{name}": [box] for name, box in zip(("day", "month", "year"), boxes, strict=False)})
    kept = read_field(field, raw, "q", {}, ASKING)
    assert {one.code for one in field_problems(field, kept, "q", ASKING)} <= set(CODES)
    assert isinstance(text(field, kept["q"], ASKING, SPEECH), str)
    typed(field, kept["q"])
    again = adopt(field, kept, ASKING)
    assert again["q"] == kept["q"] or type_ in ("evidence", "file", "photo", "declaration")


PLAIN: st.SearchStrategy[Plain] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["?", "is", "files", "x"]), inner),
    max_leaves=6,
)


@given(type_=st.sampled_from(sorted(KINDS)), plain=PLAIN)
def test_whatever_was_stored_is_judged_and_shown(type_: str, plain: Plain) -> None:
    field = a_field(type_, **MORE.get(type_, {}))
    typed(field, plain)
    field_problems(field, {"q": plain}, "q", ASKING)
    assert isinstance(text(field, plain, ASKING, SPEECH), str)
    kind_of(field).boxes(plain)
    adopt(field, {"q": plain}, ASKING)


@given(st.text(max_size=80), st.booleans())
def test_tidying_twice_changes_nothing(text_: str, lines: bool) -> None:
    once = tidy(text_, lines)
    assert tidy(once, lines) == once
    assert once.encode("utf-8").decode("utf-8") == once


@pytest.mark.parametrize("code", CODES)
def test_every_fault_has_a_sentence(code: str) -> None:
    sentences = {key.removesuffix(".one").removesuffix(".many") for key in load_words().texts("fr")}
    assert sentences & {f"problem.{kind}.{code}" for kind in ("any", *KINDS)}
