"""Names of persons and companies: what they may hold, so that no address nor invisible sign is written in one."""

from __future__ import annotations

import pytest

from engine.core.problems import Refused
from engine.domain.common.names import (
    LONGEST,
    MOST_MARKS,
    company_name,
    first_wrong,
    free_text,
    person_name,
    readable_name,
)


@pytest.mark.parametrize(
    "name",
    [
        "AMEGAN Afi", "Kɔ̃ku Ɖela", "ŊƆNƲ Ƒafa", "N’Guessan-Kouassi", "d'Almeida", "Zoé Ève Çelik", "محمد عَلِي", "Мария",
        "阿明", "नरेन्द्र", "E\u0301loi", "O\u02bcNeil",
    ],
)  # fmt: skip
def test_a_name_of_any_script_is_kept(name: str) -> None:
    assert person_name(f"  {name} ").casefold() == person_name(name).casefold()
    assert readable_name(person_name(name)) == person_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "Afi 2", "www.gain.tg", "gain.tg/a", "A\u202eB", "A\u200bB", "A\u2066B", "A\0B", "A_B", "A@B", "A:B", "A<b>", "Ⅷ", "٣٤", "A\u3164B",
        "A\ufe0fB", "A\U000e0101B", "A\u034fB", "-", "' '", "A、B", "A。tg", "A․tg", "A⁄B", "A∕B", "A😀", "\u0301Afi",
    ],
)  # fmt: skip
def test_no_digit_dot_slash_control_or_invisible_sign(name: str) -> None:
    with pytest.raises(Refused) as closed:
        person_name(name)
    assert closed.value.reason.code == "name_signs"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (" Le nom diffère. \r\n\r\n  Voir la pièce. ", "Le nom diffère.\n\n  Voir la pièce."),
        ("Ligne\x0bune\u2028deux", "Ligne\nune\ndeux"),
        ("Refus\u202eé\u2066\u200b \x1b[31m\ufffe", "Refusé [31m"),
        ("نامه\u200cای 👩\u200d👧 \U0001fae8", "نامه\u200cای 👩\u200d👧 \U0001fae8"),
        *(
            (blank, "")
            for blank in ("", " \n", "\u200b", "\u00ad\u2060", "\u2800", "\u3164", "\U000e0001", "\ufffe", "\ufe0f")
        ),
    ],
)
def test_a_text_that_others_read_shows_something_in_its_own_direction(typed: str, kept: str) -> None:
    assert free_text(typed) == kept


def test_a_letter_bears_no_tower_of_marks() -> None:
    assert person_name("q" + "\u0323" * MOST_MARKS)
    with pytest.raises(Refused):
        person_name("q" + "\u0323" * (MOST_MARKS + 1))


def test_a_name_is_there_and_no_longer_than_a_bound() -> None:
    assert person_name("a" * LONGEST)
    for name, code in (("a" * (LONGEST + 1), "name_long"), (" \n ", "name_missing")):
        with pytest.raises(Refused) as closed:
            person_name(name)
        assert closed.value.reason.code == code


def test_a_company_is_called_as_its_paper_says_and_no_more() -> None:
    for name in ("SOTOGO S.A.R.L.", "3M & Fils (Lomé)", "Société N° 7, Ets. d'Almeida"):
        assert company_name(name) == name
    for name in ("A\u202eB", "http://a.tg", "a\nb\0", "a@b.tg", "12.3", "A\u200bB"):
        with pytest.raises(Refused) as closed:
            company_name(name)
        assert closed.value.reason.code == "company_name_signs"


def test_which_name_is_refused_is_said() -> None:
    assert first_wrong({"family_name": "AMEGAN", "given_names": "Afi 2"}) == "given_names"
    assert first_wrong({"family_name": "AMEGAN", "given_names": "Afi"}) == ""


def test_a_name_kept_by_an_earlier_release_is_read_without_its_signs() -> None:
    assert readable_name("Gagnez sur www.gain.tg/1\u202e") == "Gagnez sur wwwgaintg"
    assert readable_name("90 12 34 56") == ""
