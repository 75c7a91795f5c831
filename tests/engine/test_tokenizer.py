"""Control tokens come only from trusted text, and the cuts between segments leave no trace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, models

from npc_sdk.engine.local.tokenizer import ModelTokenizer
from npc_sdk.errors import ModelFormatError
from npc_sdk.requests import GenerateRequest, Segment
from npc_sdk.settings import model_folder

from .checkpoints import SPECIAL, build_tokenizer, write_tokenizer

PIECES = ("<extra_id_1>", "<|strip|>", "<tool_call>", "hello", "the smith", " ", "\n", "é", "ing", "'s", "  ")
SEGMENTS = st.lists(
    st.builds(Segment, st.lists(st.sampled_from(PIECES), max_size=4).map("".join), is_trusted=st.booleans()),
    max_size=6,
)


@pytest.fixture
def words(tmp_path: Path) -> ModelTokenizer:
    write_tokenizer(tmp_path)
    return ModelTokenizer(tmp_path)


def _trusted(text: str) -> Segment:
    return Segment(text, is_trusted=True)


def test_trusted_text_may_hold_control_tokens(words: ModelTokenizer) -> None:
    text = "<extra_id_0>System\nhello\n<extra_id_1>User\nwork"
    assert words.encode([_trusted(text)]) == build_tokenizer().encode(text, add_special_tokens=False).ids


@pytest.mark.parametrize("token", [*SPECIAL, "<tool_call>", "<extra_id_2>"])
@pytest.mark.parametrize("frame", ["{}", "a{}b", " {} {}", "{}\n"])
def test_untrusted_text_never_becomes_a_structural_token(words: ModelTokenizer, token: str, frame: str) -> None:
    text = frame.replace("{}", token)
    ids = words.encode([Segment(text)])
    assert words.token_id(token) not in ids
    assert not words.control_ids.intersection(ids)
    assert words.decode(ids) == text


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_control_token_cannot_be_put_together_over_a_cut(words: ModelTokenizer, cut: int) -> None:
    token = "<extra_id_1>"
    for first, second in ((Segment(token[:cut]), Segment(token[cut:])), (_trusted(token[:cut]), Segment(token[cut:]))):
        assert words.token_id(token) not in words.encode([first, second])


def test_segments_encode_like_the_whole_text_cut_anywhere(words: ModelTokenizer) -> None:
    text = "<extra_id_1>User\nthe smith of the village\n<extra_id_1>Assistant\n"
    whole = words.encode([_trusted(text)])
    plain = text.index("the smith")
    for cut in range(plain, text.rindex("\n<")):
        segments = [_trusted(text[:plain]), Segment(text[plain:cut]), Segment(text[cut : text.rindex("\n<")])]
        assert words.encode([*segments, _trusted(text[text.rindex("\n<") :])]) == whole


@pytest.fixture(params=["small", "bundled"])
def stripping(request: pytest.FixtureRequest, tmp_path: Path) -> ModelTokenizer:
    """With a token that takes the blanks around it along, and one that every prompt begins with."""
    if request.param == "small":
        write_tokenizer(tmp_path)
    folder = tmp_path if request.param == "small" else model_folder("hearth")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_special_tokens(["<s>", AddedToken("<|strip|>", lstrip=True, rstrip=True, normalized=False)])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text('{"bos_token": "<s>"}')
    return ModelTokenizer(tmp_path, has_bos=True)


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(segments=SEGMENTS, count=st.one_of(st.none(), st.integers(0, 7)))
def test_a_prompt_and_its_bulk_are_counted_as_each_alone(
    stripping: ModelTokenizer, segments: list[Segment], count: int | None
) -> None:
    ids, bulk_tokens = stripping.encode_prompt(GenerateRequest("r", tuple(segments), bulk_segments=count))
    assert ids == stripping.encode(segments)
    assert bulk_tokens == (None if count is None else len(stripping.encode(segments[:count])))


@pytest.mark.parametrize("is_front", [False, True], ids=["reply", "front alone"])
def test_a_prompt_is_encoded_once(words: ModelTokenizer, monkeypatch: pytest.MonkeyPatch, is_front: bool) -> None:
    read: list[str] = []
    encode = words._encode_plain

    def note(text: str) -> list[int]:
        read.append(text)
        return encode(text)

    monkeypatch.setattr(words, "_encode_plain", note)
    segments = [_trusted("<extra_id_0>System\n" + "the smith of the village " * 40 + "\n<extra_id_1>User\n")]
    segments += [] if is_front else [Segment("hello"), _trusted("\n<extra_id_1>Assistant\n")]
    words.encode_prompt(GenerateRequest("r", tuple(segments), bulk_segments=1))
    assert "".join(read).count("village") == 40
    assert "".join(read).count("User") == (1 if is_front else 2)  # the words may run on from it


def test_control_ids_are_those_flagged_or_named_so(words: ModelTokenizer) -> None:
    expected = {*SPECIAL, "<extra_id_2>"}
    assert words.control_ids == {words.token_id(token) for token in expected}
    assert words.token_id("<tool_call>") not in words.control_ids
    assert words.token_id("nothing") is None


def test_a_begin_token_is_put_first_only_where_asked_for(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    plain, begun = ModelTokenizer(tmp_path), ModelTokenizer(tmp_path, has_bos=True)
    assert begun.encode([Segment("hello")]) == [1, *plain.encode([Segment("hello")])]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<begin>"}))
    with pytest.raises(ModelFormatError, match="'<begin>'"):
        ModelTokenizer(tmp_path, has_bos=True)


def test_the_end_token_comes_from_either_form(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    assert ModelTokenizer(tmp_path).eos_id == 2
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|im_end|>"}))
    assert ModelTokenizer(tmp_path).eos_id == SPECIAL.index("<|im_end|>")
    (tmp_path / "tokenizer_config.json").unlink()
    assert ModelTokenizer(tmp_path).eos_id is None


def test_a_tokenizer_whose_words_spell_control_tokens_is_refused(tmp_path: Path) -> None:
    """A vocabulary in which plain merges reach the control token: no splitting can keep a player from it."""
    vocabulary = {"<": 0, "|": 1, ">": 2, "<|": 3, "<|x": 4, "<|x|": 5, "<|x|>": 6, "x": 7}
    merges = [("<", "|"), ("<|", "x"), ("<|x", "|"), ("<|x|", ">")]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.add_special_tokens(["<|x|>"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ModelFormatError, match="not safe to serve"):
        ModelTokenizer(tmp_path)


@pytest.mark.parametrize("content", [None, "{}"], ids=["missing", "damaged"])
def test_a_folder_without_a_usable_tokenizer_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(ModelFormatError, match=r"tokenizer\.json") as caught:
        ModelTokenizer(tmp_path)
    assert caught.value.hint


def test_what_a_model_writes_has_its_markers_whole_and_no_control_token(words: ModelTokenizer) -> None:
    marker = words.token_id("<tool_call>")
    ids = words.encode_written("hello <tool_call>work</tool_call><extra_id_1>")
    assert ids.count(marker) == 1
    assert not words.control_ids.intersection(ids)
    assert words.decode(ids) == "hello <tool_call>work</tool_call><extra_id_1>"


def test_as_a_file_only_control_tokens_are_special(words: ModelTokenizer) -> None:
    added = json.loads(words.as_json())["added_tokens"]
    assert {token["id"] for token in added if token["special"]} == set(words.control_ids)
    assert "<tool_call>" in {token["content"] for token in added if not token["special"]}
    assert Tokenizer.from_str(words.as_json()).get_vocab_size() == words.vocab_size
