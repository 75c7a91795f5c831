"""What authors' YAML means, and what it must never do."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from npc_sdk.errors import ContentError
from npc_sdk.persona.yaml_reader import MAX_BYTES, MAX_DEPTH, Place, field_name, parse_yaml, read_yaml
from tests.effort import effort_below

PATH = Path("a.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("a: no", "no", id="no"),
        pytest.param("a: yes", "yes", id="yes"),
        pytest.param("a: on", "on", id="on"),
        pytest.param("a: Off", "Off", id="off"),
        pytest.param("a: y", "y", id="y"),
        pytest.param("a: 12:30:00", "12:30:00", id="clock"),
        pytest.param("a: 2024-01-31", "2024-01-31", id="date"),
        pytest.param("a: 017", 17, id="no octal"),
        pytest.param("a: 0o17", 15, id="octal of 1.2"),
        pytest.param("a: 0x1F", 31, id="hex"),
        pytest.param("a: 1_000", "1_000", id="no underscores"),
        pytest.param("a: -3", -3, id="negative"),
        pytest.param("a: 1e3", 1000.0, id="exponent without a point"),
        pytest.param("a: .5", 0.5, id="no leading zero"),
        pytest.param("a: .inf", ".inf", id="infinity is text"),
        pytest.param("a: True", True, id="true"),
        pytest.param("a: false", False, id="false"),
        pytest.param("a: ~", None, id="tilde"),
        pytest.param("a:", None, id="empty"),
        pytest.param("a: '17'", "17", id="quoted number"),
        pytest.param("a: [1, two]", [1, "two"], id="list"),
        pytest.param("no: 1\na: 2", 2, id="no as a key"),
        pytest.param("<<: {b: 1}\na: 3", 3, id="merge key is a plain key"),
        pytest.param("a: >-\n  one\n  two", "one two", id="folded"),
    ],
)
def test_words_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    document = parse_yaml(text, PATH)
    assert isinstance(document.value, dict)
    assert document.value["a"] == value
    assert type(document.value["a"]) is type(value)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        pytest.param("a: 1\nb: 2\na: 3", 3, "'a' is given twice (first on line 1)", id="duplicate key"),
        pytest.param("a: {b: 1, b: 2}", 1, "a.b: the key 'b' is given twice", id="duplicate key in flow"),
        pytest.param("a: &x [1]\nb: *x", 2, "alias '*x' is not allowed", id="alias"),
        pytest.param("a: &x [*x]", 1, "alias '*x' is not allowed", id="recursive alias"),
        pytest.param(
            "a: !!python/object:os.system x", 1, "a.yaml:1:4: a: the tag '!!python/object:os.system'", id="python tag"
        ),
        pytest.param("a: !!binary aGk=", 1, "tag '!!binary'", id="binary tag"),
        pytest.param("a: !own x", 1, "tag '!own'", id="own tag"),
        pytest.param("b: 1\n1.5: x", 2, "the key '1.5' is not text", id="number as key"),
        pytest.param("? [a]\n: x", 1, "the key '!!seq' is not text", id="list as key"),
        pytest.param("a: 1\nb: [1,", 3, "a.yaml:3:1: a '[' or '{' is not closed", id="syntax"),
        pytest.param("a: b: c", 1, "a.yaml:1:5: a ': ' stands where no key can be", id="colon in text"),
        pytest.param("a: 1\n\tb: 2", 2, "a.yaml:2:1: a tab is used", id="tab"),
        pytest.param("a: 1\n---\nb: 2", 2, "not valid YAML", id="two documents"),
        pytest.param("a: 1e999", 1, "the number '1e999' is too large", id="float overflow"),
        pytest.param("a: " + "9" * 5000, 1, "cannot be read as int", id="int overflow"),
        pytest.param("[" * 5000, 1, f"deeper than {MAX_DEPTH}", id="deep lists"),
        pytest.param("a:\n" + "".join(" " * n + "- \n" for n in range(1, 90)), 65, "deeper", id="deep blocks"),
        pytest.param("a: \x01", 0, "not valid YAML", id="control character"),
        pytest.param("a: !!int x", 1, "'x' cannot be read as int", id="wrong explicit tag"),
    ],
)
def test_traps_are_refused_with_their_line(text: str, line: int, words: str) -> None:
    with pytest.raises(ContentError) as caught:
        parse_yaml(text, PATH)
    assert words in str(caught.value)
    assert caught.value.line == line


def test_depth_up_to_the_limit_is_fine() -> None:
    assert parse_yaml("[" * MAX_DEPTH + "]" * MAX_DEPTH, PATH).value != []


def test_every_value_keeps_its_place() -> None:
    text = "name: Mara\nvoice:\n  style: gruff\ngoals:\n  - one\n  - two\n"
    document = parse_yaml(text, PATH)
    assert document.places[("voice", "style")] == Place(3, 3)
    assert document.line(("goals", 1)) == 6
    assert document.line(("voice", "examples", 0)) == 2, "what is not in the file is told at what is around it"
    assert document.line(("nothing",)) == 1


def test_field_names_read_like_paths() -> None:
    assert field_name(("tools", 2, "parameters", "type")) == "tools[2].parameters.type"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"a: " + b"x" * MAX_BYTES, "the file has 1,000,003 bytes", id="too large"),
        pytest.param(b"a: 1\nb: \xff\xfe\n", "a.yaml:2:4: byte b'\\xff' is not UTF-8", id="not UTF-8"),
        pytest.param(None, "'a.yaml' does not exist", id="missing"),
    ],
)
def test_files_that_cannot_be_read_are_named(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "a.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ContentError) as caught:
        read_yaml(path)
    assert words in str(caught.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match="is not a plain file"):
        read_yaml(tmp_path)


def test_a_byte_order_mark_is_no_content(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfa: 1")
    assert read_yaml(tmp_path / "a.yaml").value == {"a": 1}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a: '" + "x" * 900_000 + "'", id="one long string"),
        pytest.param("- a\n" * 200_000, id="many items"),
        pytest.param("{" * 400_000, id="braces"),
        pytest.param("? " * 400_000, id="question marks"),
        pytest.param("- " * 400_000, id="dashes"),
        pytest.param("a" * 900_000 + ": 1", id="long key"),
        pytest.param("[" + "a, " * 200_000 + "]", id="flow items"),
        pytest.param("&a " * 300_000, id="anchors"),
        pytest.param('"' + "\\x41" * 200_000 + '"', id="escapes"),
        pytest.param("%YAML 9.9\n" * 90_000, id="directives"),
        pytest.param("\n" * 900_000 + "a: [", id="blank lines"),
    ],
)
def test_hostile_text_ends_soon(text: str) -> None:
    # A second on an idle machine: the bound only catches blow-ups. Anything else that is raised fails the test.
    with effort_below(5.0), contextlib.suppress(ContentError):
        parse_yaml(text, PATH)
