"""Foreign prose: macros put in words, decorators read, nothing of it reaches our templates, YAML that reads back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npc_sdk.cards.decorator import undecorated
from npc_sdk.cards.macro import PLAYER, Macros
from npc_sdk.cards.passage import clean, cut, slug, split, unique
from npc_sdk.cards.report import MAX_REMARKS, Report
from npc_sdk.cards.yaml_writer import to_yaml
from npc_sdk.persona.greeting import is_template
from npc_sdk.persona.sandbox import fill
from npc_sdk.persona.yaml_reader import parse_yaml


@pytest.mark.parametrize(
    ("text", "plain", "fate"),
    [
        pytest.param("{{char}} and {{CHAR}} and <BOT>", "Mara and Mara and Mara", None, id="char"),
        pytest.param("See {{user}}. {{User}}. <user>!", "See the player. The player. The player!", None, id="user"),
        pytest.param("{{random:red,blue}}", "red", "approximated", id="random"),
        pytest.param("{{random::red, dark::blue}}", "red, dark", "approximated", id="random with two colons"),
        pytest.param("{{pick:a\\,b,c}}", "a,b", "approximated", id="pick with an escaped comma"),
        pytest.param("{{roll:d6}} coins", "1 coins", "approximated", id="roll"),
        pytest.param("a{{// not told}}b", "ab", "left", id="comment"),
        pytest.param("a{{comment: x}}b", "ab", "left", id="shown comment"),
        pytest.param("a{{hidden_key:silver}}b", "ab", "left", id="hidden key"),
        pytest.param("{{reverse:abc}}", "cba", "approximated", id="reverse"),
        pytest.param("a{{newline}}b", "a\nb", None, id="newline"),
        pytest.param("{{random:{{char}},x}}", "Mara", "approximated", id="a macro in a macro"),
        pytest.param("a {{getvar::x}} b", "a  b", "left", id="unknown"),
        pytest.param("{{original}}", "", "left", id="original"),
    ],
)  # fmt: skip
def test_macros_are_put_in_words(text: str, plain: str, fate: str | None) -> None:
    report = Report()
    assert Macros("Mara", report).plain(text, "here") == plain
    assert [remark.fate for remark in report.remarks] == ([fate] if fate else [])


def test_a_greeting_names_the_player_and_holds_no_other_template() -> None:
    said = Macros("Mara", Report()).template("Hello {{user}}, {{char}} greets you.", "first_mes")
    assert fill(said, {"player": "Ida"}) == "Hello Ida, Mara greets you."


def test_a_line_that_calls_the_player_calls_nobody() -> None:
    assert Macros("Mara", Report()).spoken("Rest, {{user}}. Go home, {{user}}!", "") == "Rest. Go home!"


@pytest.mark.parametrize(
    "text",
    [
        "{% for x in y %}", "{# note #}", "{{{{x}}}}", "{{{user}}}", "{{%", "{{//{{}}", "{{{//x}}{ player }}",
        "{{{{//}}{{//}}user}}", "{{//}}{%", "{{{char}}%", "{<user>{", "{\x00{ x }}", "{{ player }} {{ 7*7 }}",
        "{{user}}}}", "{{player}}",
    ],
)  # fmt: skip
def test_no_foreign_template_is_left(text: str) -> None:
    _assert_harmless(text)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(["{", "}", "%", "#", "{{user}}", "{{char}}", "//", "x", " ", "\x00", "<user>", "\n"])))
def test_no_foreign_template_is_left_whatever_is_put_together(parts: list[str]) -> None:
    _assert_harmless("".join(parts))


def _assert_harmless(text: str) -> None:
    macros = Macros("{{ 7*7 }}" if "x" in text else "Mara", Report())
    assert not is_template(macros.template(text, "").replace(PLAYER, ""))
    assert not is_template(macros.plain(text, ""))
    filled = macros.template(text, "")
    if is_template(filled):
        fill(filled[:800].rsplit("{{", 1)[0] if len(filled) > 800 else filled, {"player": "Ida"})


@pytest.mark.parametrize(
    ("content", "attributes", "fates"),
    [
        pytest.param("@@activate\nText", {"always": "activate"}, ["mapped"], id="activate"),
        pytest.param("@@dont_activate\nText", {"always": "dont_activate"}, ["mapped"], id="dont_activate"),
        pytest.param("@@dont_activate\n@@activate\nText", {"always": "activate"}, ["mapped"] * 2, id="both"),
        pytest.param("@@activate\n@@dont_activate\nText", {"always": "activate"}, ["mapped"] * 2, id="both turned"),
        pytest.param("@@scan_depth 7\n\nText", {"scan_depth": 7}, ["mapped"], id="scan_depth"),
        pytest.param("@@scan_depth many\nText", {}, ["left"], id="a wrong value"),
        pytest.param("@@additional_keys a, b\nText", {"secondary_keys": ["a", "b"], "logic": "and_any"}, ["mapped"],
                     id="additional_keys"),
        pytest.param("@@exclude_keys a,b\nText", {"excluded_keys": ["a", "b"]}, ["mapped"], id="exclude_keys"),
        pytest.param("@@keep_activate_after_match\nText", {"sticky": 10_000}, ["approximated"], id="keep"),
        pytest.param("@@dont_activate_after_match\nText", {"cooldown": 10_000}, ["approximated"], id="dont keep"),
        pytest.param("@@activate_only_after 3\nText", {"delay": 6}, ["approximated"], id="after"),
        pytest.param("@@ignore_on_max_context\nText", {"priority": -1000}, ["approximated"], id="max context"),
        pytest.param("@@depth 4\n@@role system\n@@position after_desc\nText", {}, ["left"] * 3, id="places"),
        pytest.param("@@risu 4\n@@@agn 4\n@@@scan_depth 2\nText", {"scan_depth": 2}, ["mapped"], id="fallback"),
        pytest.param("@@scan_depth 2\n@@scan_depth 3\nText", {"scan_depth": 2}, ["mapped", "left"], id="twice"),
        pytest.param("Text", {}, [], id="none"),
    ],
)  # fmt: skip
def test_decorators_become_rules(content: str, attributes: dict[str, Any], fates: list[str]) -> None:
    report = Report()
    assert undecorated(content, "content", report) == (attributes, "Text")
    assert [remark.fate for remark in report.remarks] == fates


def test_of_very_many_remarks_the_first_are_told() -> None:
    report = Report()
    for number in range(MAX_REMARKS + 50):
        report.left("a", str(number), "no")
    for _ in range(9):
        report.left("b", "0", "no")
    assert len(report.remarks) == MAX_REMARKS + 1
    assert report.remarks[0].place == "a, b, b and 7 more"
    assert report.remarks[-1].what == "50 more remarks"


def test_a_text_is_split_without_loss() -> None:
    text = "One two three. " * 50
    pieces = list(split(text, 100))
    assert all(len(piece) <= 100 and piece.endswith(".") for piece in pieces)
    assert " ".join(pieces).split() == text.split()


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("Short.", "Short."),
        ("A first one. A second one", "A first one."),
        ("word " * 9, "word word word word"),
        ("x" * 99, "x" * 20),
    ],
)
def test_a_text_is_cut_where_it_hurts_least(text: str, short: str) -> None:
    assert cut(text, 20) == short


def test_names_are_made_of_titles() -> None:
    taken: dict[str, int] = {}
    assert [unique(slug("The Old Mill!", "-", 8), taken, "-", 8) for _ in range(3)] == [
        "the-old",
        "the-ol-2",
        "the-ol-3",
    ]


def test_control_characters_are_taken_out() -> None:
    assert clean("a\x00b\r\nc\u2028d\t\x9fe\ufeff  \n\n\n\nf") == "ab\nc\nd e\n\nf"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
    | st.text("ab :#-\n'\"{}[],&*!|>%@`é", max_size=60),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), VALUES, max_size=5))
def test_yaml_reads_back_what_was_written(value: dict[str, Any]) -> None:
    if value:
        assert parse_yaml(to_yaml(value, "x"), Path("a.yaml")).value == value


def test_long_texts_are_blocks() -> None:
    text = to_yaml({"a": "word " * 40 + "end", "b": "one\ntwo: three", "c": ["short", "no"]}, "x")
    assert "a: >-\n  word word" in text
    assert "b: |-\n  one\n  two: three\n" in text
    assert "c: [short, no]\n" in text
