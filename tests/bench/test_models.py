"""Stand-in models: tokens counted exactly, weights that repeat, files that are whole or not there."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from npc_sdk.bench.shape import EOS_ID, SHAPES, find_shape
from npc_sdk.bench.store import PEER_MODULES, Store, missing_modules, why_missing
from npc_sdk.bench.vocabulary import Words, write_tokenizer
from npc_sdk.bench.weights import write_checkpoint
from npc_sdk.engine.local.checkpoint import Checkpoint
from npc_sdk.engine.local.config import load_config, read_json
from npc_sdk.engine.local.tokenizer import ModelTokenizer
from npc_sdk.engine.local.weight_names import HEAD
from npc_sdk.errors import EngineError, ModelFormatError, SettingsError
from npc_sdk.requests import Segment
from npc_sdk.settings import model_folder


def test_an_unknown_shape_is_refused_with_the_names() -> None:
    with pytest.raises(SettingsError, match=r"'huge'.*nemotron-mini-4b"):
        find_shape("huge")


def test_the_large_shape_is_the_published_one() -> None:
    config = SHAPES["nemotron-mini-4b"].config()
    assert (config["hidden_size"], config["num_hidden_layers"], config["vocab_size"]) == (3072, 32, 256_000)
    assert SHAPES["nemotron-mini-4b"].kv_bytes == 131_072


def test_the_bundled_shape_is_what_ships() -> None:
    shape, config = SHAPES["hearth"], load_config(model_folder("hearth"))
    assert (shape.hidden, shape.layers, shape.vocab) == (config.hidden_size, config.layers, config.vocab_size)


@pytest.mark.parametrize("count", [1, 20, 900])
@pytest.mark.parametrize("folder", ["stand-in", "bundled"])
def test_drawn_words_are_exactly_so_many_tokens(tmp_path: Path, folder: str, count: int) -> None:
    where = model_folder("hearth") if folder == "bundled" else tmp_path
    if folder == "stand-in":
        write_tokenizer(tmp_path, 2_000)
    prompt = Words(where).draw(random.Random(count), count)
    assert ModelTokenizer(where).encode([Segment(prompt.text)]) == list(prompt.ids)
    assert len(prompt.ids) == count


def test_parts_of_prompts_join_and_cut() -> None:
    prompt = Words(model_folder("hearth")).draw(random.Random(0), 6)
    assert prompt[:2] + prompt[2:] == prompt


def test_a_vocabulary_smaller_than_the_stand_ins_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFormatError, match="too small"):
        write_tokenizer(tmp_path, 100)


def test_random_weights_repeat_and_never_choose_the_end(tmp_path: Path) -> None:
    heads = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_checkpoint(tmp_path / name, find_shape("tiny"), lambda *_: None)
        checkpoint = Checkpoint(tmp_path / name)
        heads.append(checkpoint.read(HEAD, checkpoint.spec(HEAD).shape))
        checkpoint.close()
    assert torch.equal(*heads)
    assert not heads[0][EOS_ID].any()
    assert heads[0][EOS_ID + 1].any()


def test_a_model_is_made_once(store: Store) -> None:
    folder = store.int4()
    before = (folder / "config.json").stat().st_mtime_ns
    assert store.int4() == folder
    assert (folder / "config.json").stat().st_mtime_ns == before
    assert load_config(folder).int4_group_size == 32


def test_nothing_ends_a_reply_of_our_model(store: Store) -> None:
    folder = store.int4()
    assert load_config(folder).eos_ids == ()
    assert "eos_token" not in read_json(folder / "tokenizer_config.json")


def test_a_model_that_was_not_finished_is_made_anew(tmp_path: Path) -> None:
    store = Store(tmp_path, find_shape("tiny"), lambda _text: None)
    partial = store.folder / "full.partial"
    partial.mkdir(parents=True)
    (partial / "left.over").write_text("from before")
    assert not (store.full() / "left.over").exists()


def test_the_bundled_model_has_no_full_precision(work: Path) -> None:
    with pytest.raises(SettingsError, match="int4 only"):
        Store(work, find_shape("hearth"), lambda _text: None).full()


def test_a_peer_that_is_missing_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PEER_MODULES, "llama.cpp", ("no_such_module",))
    assert missing_modules("llama.cpp") == ["no_such_module"]
    assert why_missing("llama.cpp") == "not installed (no_such_module): pip install -e .[bench]"
    assert why_missing("transformers") == ""


def test_a_builder_that_fails_names_its_log(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("npc_sdk.bench.store.sys.executable", "false")
    with pytest.raises(EngineError, match=r"ended with code 1.*onnx\.log"):
        store.onnx()
