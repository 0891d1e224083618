"""`guichet fmt`: one layout, the same meaning, every comment kept, and nothing moves the second time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.problems import InvalidDefinition
from engine.language.catalogue.catalogue import check_definition
from engine.language.source.formatter import lay_out, write_tree
from engine.language.source.layout import comments_of
from engine.language.source.loader import read_source
from tests.effort import tries
from tests.makers import the_shared

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "procedures"
SHIPPED = sorted(FOLDER.rglob("*.yaml"))
FILES = [*SHIPPED, *sorted((ROOT / "tests/good").glob("*.yaml")), *sorted((ROOT / "tests/golden").rglob("*.yaml"))]
SHARED = the_shared()


def laid(text: str) -> str:
    return lay_out(read_source(text, "essai.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_file_laid_out_means_the_same_and_stays(file: Path) -> None:
    before = read_source(file.read_bytes(), str(file))
    after = lay_out(before)
    assert lay_out(read_source(after, str(file))) == after
    assert comments_of(read_source(after, str(file))) == comments_of(before) or "procedure:" in after
    if file.parent in (FOLDER, ROOT / "tests/good"):
        was = check_definition(file.read_bytes(), str(file), SHARED, lint=False).procedure
        now = check_definition(after, str(file), SHARED, lint=False).procedure
        assert (was and was.fingerprint) == (now and now.fingerprint)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_shipped_file_is_laid_out(file: Path) -> None:
    """`guichet fmt procedures` writes them again."""
    assert lay_out(read_source(file.read_bytes(), str(file))) == file.read_text("utf-8")


# -- rules -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("a:\n    b:   1\n", "a: {b: 1}\n"),
        ("a: {when: 'any(g, c)', to: x}\n", "a:\n  when: any(g, c)\n  to: x\n"),
        ("a: {label: 'Égouts ?'}\n", "a:\n  label: Égouts ?\n"),
        ('a: "Pièce d\'identité"\n', "a: Pièce d'identité\n"),
        ("a: 'Art. 3: le maire'\n", "a: 'Art. 3: le maire'\n"),
        ('a: "l\'un: l\'autre"\n', 'a: "l\'un: l\'autre"\n'),
        ("a: NO\n", "a: 'NO'\n"),
        ("a: '12'\nb: 12\n", "a: '12'\nb: 12\n"),
        ("a: [b,   c]\n", "a: [b, c]\n"),
        ("a:\n- {take: b}\n- c:  {d: 1}\n", "a:\n  - {take: b}\n  - c: {d: 1}\n"),
        ("a:\n  # pourquoi\n  b: 1    # x\n", "a:\n  # pourquoi\n  b: 1  # x\n"),
        ("a: {b: 1}   # fin\n", "a: {b: 1}  # fin\n"),
        ("a: {b: 1,  # fin\n  c: 2}\n", "a:\n  b: 1  # fin\n  c: 2\n"),
        ("a:\n  b: >-\n      deux\n      lignes\n", "a:\n  b: >\n    deux\n    lignes\n"),
        ("a:\n  b: deux\n    lignes\n", "a: {b: deux lignes}\n"),
        ("a: 1\n\n\n\nb: 2\n  # queue\n", "a: 1\n\nb: 2\n# queue\n"),
        ("a:\n  b: {c: [1]}\n  # queue\nd: 1\n", "a:\n  b: {c: [1]}\n  # queue\nd: 1\n"),
        ("a: {}\nb: []\n", "a: {}\nb: []\n"),
    ],
)  # fmt: skip
def test_one_layout(written: str, wanted: str) -> None:
    assert laid(written) == wanted


def test_sections_come_in_the_order_of_the_language() -> None:
    written = "# tête\n\nagency: a\n# le nom\nprocedure: b\nfees:\n  x: {amount: 1, lines: [1]}\ntitle: T\n"
    assert (
        laid(written)
        == "# tête\n\n# le nom\nprocedure: b\ntitle: T\nagency: a\n\nfees:\n  x: {amount: 1, lines: [1]}\n"
    )


def test_the_order_of_other_keys_is_their_authors() -> None:
    assert laid("block: b\nfields:\n  z: {label: Z}\n  a: {label: A}\ntitle: T\n").startswith("block: b\nfields:\n  z:")


# -- any text ----------------------------------------------------------------------------------------------------------

words = st.text(st.sampled_from("ab é'\"?:,#[]{}-|>&*!%@`()\\=0<"), max_size=12)
keys = st.from_regex(r"[a-z][a-z_]{0,3}[0-9]", fullmatch=True)
scalars = st.one_of(
    words, st.integers(-9, 9999), st.booleans(), st.none(), st.sampled_from(["a\nb", "NO", "012", " x"])
)
trees = st.recursive(
    scalars, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)), max_leaves=14
)  # fmt: skip


@given(st.dictionaries(keys, trees, min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_any_tree_is_written_and_read_back(tree: dict[str, Any]) -> None:
    text = write_tree(tree)
    assert read_source(text, "essai.yaml").tree == tree
    assert laid(text) == text


@st.composite
def written(draw: st.DrawFn, tree: object, depth: int = 0) -> str:
    """A tree as a person may write it: blocks or braces, spaces, comments, empty lines."""
    if not isinstance(tree, (dict, list)) or not tree or (depth and draw(st.booleans())):
        return " " * draw(st.integers(1, 3)) + json.dumps(tree, ensure_ascii=False) + "\n"
    step, lines = draw(st.integers(1, 4)), ["\n"] if depth else []
    margin = " " * (step if depth else 0)
    for key, value in tree.items() if isinstance(tree, dict) else ((None, one) for one in tree):
        lines += draw(st.lists(st.sampled_from(["\n", f"{margin}# sur la ligne\n", "  # ailleurs\n"]), max_size=2))
        body = draw(written(value, depth + 1))
        body = body.replace("\n", "\n" + margin).rstrip(" ")
        beside = draw(st.sampled_from(["", "", "  # à côté"]))
        if "\n" in body.strip("\n") and body.startswith("\n"):
            body = beside + body
        else:
            body = body.rstrip("\n") + beside + "\n"
        lines.append(margin + ("-" if key is None else f"{key}:") + body)
    return "".join(lines)


@pytest.mark.fuzz
@given(st.dictionaries(keys, trees, min_size=1, max_size=4).flatmap(lambda tree: written(tree)))
@settings(max_examples=tries(50), deadline=None)
def test_any_layout_becomes_ours_with_its_comments(text: str) -> None:
    try:
        source = read_source(text, "essai.yaml")
    except InvalidDefinition:
        return
    after = lay_out(source)  # raises rather than lose a comment or change a value
    again = read_source(after, "essai.yaml")
    assert again.tree == source.tree
    assert after.count("#") >= len(comments_of(source))
    assert lay_out(again) == after


def test_a_comment_beside_a_list_inside_lists_stands_above_the_outermost_dash() -> None:
    once = laid('a:\n  -\n    - ["x\\ny"]  # why\n')
    assert once == "a:\n  # why\n  - - - |\n        x\n        y\n" == laid(once)


@pytest.mark.fuzz
@pytest.mark.slow
@given(
    st.sampled_from(SHIPPED), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 8), st.sampled_from([0, 1, 2, 3])))
)
@settings(max_examples=tries(13), deadline=None)
def test_a_shipped_file_with_comments_anywhere(file: Path, changes: list[tuple[int, int, int]]) -> None:
    lines = file.read_text("utf-8").split("\n")
    for at, column, kind in changes:
        at %= len(lines)
        match kind:
            case 0:
                lines.insert(at, " " * column + "# ici")
            case 1:
                lines.insert(at, "")
            case 2 if lines[at]:
                lines[at] += "  # à côté"
            case _:
                lines[at] = lines[at].replace(", ", ",\n" + " " * 20, 1)
    try:
        source = read_source("\n".join(lines), str(file))
    except InvalidDefinition:
        return
    after = lay_out(source)
    assert lay_out(read_source(after, str(file))) == after
