"""Whether apt is asked for the tests' browser: for the lighter build wherever it may have one, and never in vain twice."""

from __future__ import annotations

import os

import pytest

from tests import browser

SHELL, WHOLE = browser.NAMES[:2]
FETCHED = ("update", "install")


@pytest.mark.parametrize(
    ("here", "offered", "root", "asked"),
    [
        ({SHELL}, {SHELL, WHOLE, browser.FONTS}, True, ()),
        ({WHOLE}, {SHELL, WHOLE, browser.FONTS}, True, FETCHED),
        ({WHOLE}, {SHELL, WHOLE, browser.FONTS}, False, ()),
        ({WHOLE}, set(), True, FETCHED),  # no lists yet
        ({WHOLE}, {WHOLE, browser.FONTS}, True, ()),
        (set(), {WHOLE, browser.FONTS}, True, (*FETCHED, "install")),
    ],
)
def test_apt_is_asked_for_a_browser_where_it_may_have_a_better_one(
    monkeypatch: pytest.MonkeyPatch, here: set[str], offered: set[str], root: bool, asked: tuple[str, ...]
) -> None:
    told: list[str] = []
    there = set(here)

    def apt(word: str, *words: str) -> None:
        told.append(word)
        there.update(offered.intersection(words))

    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr(
        browser.shutil, "which", lambda name: f"/usr/bin/{name}" if name in {*there, "apt-get"} else None
    )
    monkeypatch.setattr(browser, "_offered", offered.__contains__)
    monkeypatch.setattr(browser, "_apt", apt)
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
    browser.install()
    assert tuple(told) == asked
