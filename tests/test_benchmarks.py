"""Whoever asks what is measured is told before anything is."""

from __future__ import annotations

import pytest

from benchmarks.__main__ import FAMILIES, main


@pytest.mark.parametrize("asked", ["--help", "-h"])
def test_help_says_what_each_family_measures_and_what_is_made_before(
    asked: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["benchmarks", asked, "pages"])
    main()
    said = capsys.readouterr().out
    plain = " ".join(said.split())
    for name, family in FAMILIES.items():
        assert f"\n{name} " in said
        assert len(family.about) > 40
        assert family.about in plain
        assert f"Before: {family.before}." in plain
    assert "a quarter of an hour, once: a million dossiers" in plain


def test_a_family_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["benchmarks", "page"])
    with pytest.raises(SystemExit, match=r"page\? There are pages, .*--help"):
        main()
