"""A tokenizer with the control tokens of the model families, made here and now."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import AddedToken, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer

CONTROLS = (
    *(f"<extra_id_{n}>" for n in range(10)), "<s>", "</s>", "<image>", "<|im_start|>", "<|im_end|>",
    "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|eom_id|>", "<|python_tag|>",
    "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]",
)  # fmt: skip
UNFLAGGED = ("<extra_id_0>", "<extra_id_1>", "<extra_id_5>", "<|im_end|>")
SAMPLE = [
    "You play a character in a game. Answer as the character, in one to three short sentences.",
    "<extra_id_0>System <extra_id_1>User <|im_start|>assistant <toolcall> </toolcall> <image> </s>",
]


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(vocab_size=400, show_progress=False, initial_alphabet=ByteLevel.alphabet())
    tokenizer.train_from_iterator(SAMPLE, trainer)
    # Builds of the real tokenizers differ in which turn markers are flagged special.
    tokenizer.add_tokens([AddedToken(name, special=False, normalized=False) for name in UNFLAGGED])
    tokenizer.add_special_tokens(
        [AddedToken(name, special=True, normalized=False) for name in CONTROLS if name not in UNFLAGGED]
    )
    folder = tmp_path_factory.mktemp("tokenizer")
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder
