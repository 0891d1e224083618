"""The picture of a circuit: the numbers of its ways can be told apart, in every circuit of the house."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from engine.language.compiler.shared_files import load_shared
from renderers.definition.workflow import CircuitReader
from renderers.html.diagram import workflow_svg
from renderers.i18n.translations import load_words
from tests.makers import PROCEDURES, compiled

_BADGE = re.compile(r'<rect x="(-?\d+)" y="(-?\d+)" width="(\d+)" height="18"')
_TEXT = re.compile(
    r'<text x="(\d+)" y="(\d+)" text-anchor="(?:start|end)" font-size="12" fill="#14212b">([^<]+)</text>'
)


def drawn(file: Path, language: str = "fr") -> str:
    procedure = compiled(file.read_text("utf-8"), file.name)
    reader = CircuitReader(procedure, load_shared(PROCEDURES)[0].directory, load_words(), language)
    return workflow_svg(procedure, language, reader.key(), reader.legend())


@pytest.mark.parametrize("file", sorted(PROCEDURES.glob("*.yaml")), ids=lambda file: file.stem)
def test_no_number_lies_on_another_and_the_key_says_each(file: Path) -> None:
    picture = drawn(file)
    badges = [tuple(map(int, found)) for found in _BADGE.findall(picture)]
    assert badges
    for rank, (x, y, width) in enumerate(badges):
        for x1, y1, width1 in badges[:rank]:
            assert x >= x1 + width1 or x1 >= x + width or abs(y - y1) >= 18, (x, y, x1, y1)
    said = [(int(x), int(y), html.unescape(text)) for x, y, text in _TEXT.findall(picture)]
    numbers = [int(text) for _, _, text in said if text.isdigit()]
    assert numbers == list(range(1, len(compiled(file.read_text("utf-8"), file.name).transitions) + 1))
    assert len({(x, y) for x, y, _ in said}) == len(said), "two lines at one place"
    wide, high = map(int, re.findall(r'viewBox="0 0 (\d+) (\d+)"', picture)[0])
    assert all(x + 6.6 * len(text) < wide and y < high for x, y, text in said if not text.isdigit())


def test_the_key_names_act_person_and_delay_and_silence_is_dotted() -> None:
    picture = html.unescape(drawn(PROCEDURES / "permis-de-construire.yaml"))
    assert "Contester le refus – Le demandeur – dans un délai de" in " ".join(
        text for _, _, text in _TEXT.findall(picture)
    )
    assert re.search(r"Signer le permis – [A-Z]", picture)
    assert picture.count('stroke-dasharray="1 5"') >= 2, "one in the key, one on the way by silence"
    assert "Dots: by the silence of the administration" in drawn(PROCEDURES / "permis-de-construire.yaml", "en")
