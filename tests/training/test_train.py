"""The trainer: its model is Nemotron's arithmetic, its batches mark the answers, a short run learns and resumes."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoTokenizer, NemotronForCausalLM

from npc_sdk.prompt.formats.nemotron import NemotronFormat
from npc_sdk.training.batch import PAD_ID, Batch, Diet, Encoder, batches
from npc_sdk.training.dialogue import make_dialogue
from npc_sdk.training.model import Shape, SmallNemotron, export, rounded
from npc_sdk.training.piece import plain_text
from npc_sdk.training.tokenizer import SPECIAL, train_tokenizer
from npc_sdk.training.train import Plan, Trainer

SHAPE = Shape(vocabulary=400, hidden=64, layers=2, heads=4, kv_heads=2, head_dim=16, feed_forward=128, window=256)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    train_tokenizer(folder, vocabulary=400, dialogues=60)
    return folder


@pytest.fixture(scope="module")
def encoder(tokenizer_folder: Path) -> Encoder:
    return Encoder(Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json")))


def test_the_exported_model_is_transformers_nemotron(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = SmallNemotron(SHAPE).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_((parameter + 0.05 * torch.randn_like(parameter)).bfloat16().float())
    export(model, tmp_path)
    reference = NemotronForCausalLM.from_pretrained(tmp_path, dtype=torch.float32).eval()
    ids = torch.randint(0, 400, (2, 40))
    with torch.no_grad():
        assert (model(ids) - reference(ids).logits).abs().max() < 2e-5


def test_tokens_keep_their_text_and_special_tokens_their_ids(tokenizer_folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))
    assert [tokenizer.token_to_id(text) for text in SPECIAL] == list(range(len(SPECIAL)))
    for text in ("Ünïcode – 日本語 🗡 \t tabs", plain_text(make_dialogue(Random(9)))):
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        assert tokenizer.decode(ids, skip_special_tokens=False) == text


def test_a_name_is_cut_alike_in_a_list_and_inside_json(tokenizer_folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))

    def tokens(text: str) -> list[str]:
        return tokenizer.encode(text, add_special_tokens=False).tokens

    name = tokens("quorn blicket")
    for text in ('{"item": "quorn blicket"}', "You hold: quorn blicket, rope.", "the quorn blicket."):
        found = tokens(text)
        assert any(found[at : at + len(name)] == name for at in range(len(found))), text


def test_the_chat_template_renders_what_the_prompt_code_does(tokenizer_folder: Path) -> None:
    from npc_sdk.messages import Message, ToolSpec

    tool = ToolSpec("give_item", "Hand over an item.", {"type": "object", "properties": {"item": {"type": "string"}}})
    chat_format = NemotronFormat()
    system = Message("system", "You are Mara.", contexts=("The mill burned down.",))
    turns = [Message("user", "Hello."), Message("assistant", "Aye."), Message("user", "A sword?")]
    segments = [
        *chat_format.system(system, [tool]),
        *(s for turn in turns for s in chat_format.turn(turn)),
        *chat_format.opening(),
    ]
    rendered = AutoTokenizer.from_pretrained(tokenizer_folder).apply_chat_template(
        [{"role": m.role, "content": m.text} for m in (system, *turns)],
        tools=[{"name": tool.name, "description": tool.description, "parameters": tool.parameters}],
        contexts=list(system.contexts),
        tokenize=False,
        add_generation_prompt=True,
    )
    assert rendered == "".join(segment.text for segment in segments)


def test_batches_weigh_answers_in_full_and_padding_not_at_all(encoder: Encoder) -> None:
    stop = SPECIAL.index("<extra_id_1>")
    for batch in batches(encoder, Random(0), Diet(4096, 4096, 3, 0.25), pool=12):
        assert batch.ids.shape == batch.targets.shape == batch.weights.shape
        assert torch.equal(batch.ids[:, 1:], batch.targets[:, :-1])
        assert (batch.weights[batch.targets == PAD_ID] == 0).all()
        assert set(batch.weights.unique().tolist()) <= {0.0, 0.25, 1.0}
        closes = (batch.weights[:, :-1] == 1) & (batch.weights[:, 1:] != 1)
        rows, at = closes.nonzero(as_tuple=True)
        assert (batch.targets[rows, at] == stop).all(), "an answer ends with the token that ends a turn"


def test_rounding_noise_is_within_half_a_step_and_passes_gradients() -> None:
    weight = torch.randn(8, 64, requires_grad=True)
    noisy = rounded(weight)
    groups = weight.detach().view(8, 2, 32)
    step = (groups.amax(-1) - groups.amin(-1)) / 15
    assert ((noisy - weight).detach().abs().view(8, 2, 32) <= step[..., None] / 2 + 1e-6).all()
    noisy.sum().backward()
    assert torch.equal(weight.grad, torch.ones_like(weight))


def _loss(model: SmallNemotron, batch: Batch) -> float:
    with torch.no_grad():
        each = model.losses(batch.ids, batch.targets)
    return float((each * batch.weights.flatten()).sum() / batch.weights.sum())


def test_a_short_run_learns_and_a_second_goes_on_from_it(tmp_path: Path, tokenizer_folder: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((tokenizer_folder / name).read_bytes())
    shape = Shape(vocabulary=400, hidden=64, layers=1, heads=2, kv_heads=1, head_dim=32, feed_forward=64, window=512)
    first = Trainer(tmp_path, Plan(minutes=0.1, batch_tokens=1024, noise_from=0.7), shape, "cpu")
    seen = next(batches(Encoder(first.tokenizer), Random(5), Diet(1024, 512, 3, 0.2), pool=4))
    before = _loss(first.model, seen)
    first.run()
    assert first.step > 10
    assert _loss(first.model, seen) < before - 0.5
    assert (tmp_path / "model.safetensors").is_file()
    second = Trainer(tmp_path, Plan(minutes=0.1), shape, "cpu")
    assert (second.step, second.tokens) == (first.step, first.tokens)
    assert all(torch.equal(p, q) for p, q in zip(first.model.parameters(), second.model.parameters(), strict=True))
