"""Lists in groups, in a real browser: a region leaves its prefectures, a prefecture its communes. Without scripts all stay."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]
SCRIPT = Path(__file__).resolve().parents[3] / "renderers" / "static" / "guichet.js"
EMPTY = '<option value="">Choisissez</option>'
FORM = f"""<!doctype html><html lang="fr"><form>
<select id="region">{EMPTY}<option value="m">Maritime</option><option value="k">Kara</option></select>
<select id="prefecture">{EMPTY}<optgroup label="Maritime"><option value="golfe">Golfe</option><option value="vo">Vo</option></optgroup>
<optgroup label="Kara"><option value="kozah">Kozah</option></optgroup></select>
<select id="commune">{EMPTY}<optgroup label="Golfe"><option value="g1">Golfe 1</option></optgroup>
<optgroup label="Vo"><option value="v1">Vo 1</option></optgroup><optgroup label="Kozah"><option value="k1">Kozah 1</option></optgroup></select>
<select id="sexe">{EMPTY}<option value="f">Féminin</option></select></form></html>"""


def offered(page: Page, name: str) -> list[str]:
    texts: list[str] = page.eval_on_selector_all(f"#{name} option", "all => all.map(one => one.text).slice(1)")
    return texts


def test_what_is_chosen_above_leaves_what_belongs_to_it(browser: Browser) -> None:
    page = browser.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.set_content(FORM)
    assert offered(page, "commune") == ["Golfe 1", "Vo 1", "Kozah 1"], "without scripts"
    page.add_script_tag(path=str(SCRIPT))
    assert offered(page, "prefecture") == ["Golfe", "Vo", "Kozah"]
    page.select_option("#region", "m")
    assert (offered(page, "prefecture"), offered(page, "commune")) == (["Golfe", "Vo"], ["Golfe 1", "Vo 1"])
    page.select_option("#prefecture", "golfe")
    page.select_option("#commune", "g1")
    assert offered(page, "commune") == ["Golfe 1"]
    page.select_option("#region", "k")
    assert (page.input_value("#prefecture"), page.input_value("#commune")) == ("", ""), (
        "what no longer belongs is asked again"
    )
    assert (offered(page, "prefecture"), offered(page, "commune")) == (["Kozah"], ["Kozah 1"])
    page.select_option("#region", "")
    assert offered(page, "commune") == ["Golfe 1", "Vo 1", "Kozah 1"]
    assert offered(page, "sexe") == ["Féminin"]
    assert faults == []
    page.close()
