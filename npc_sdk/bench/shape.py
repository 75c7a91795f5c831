"""The named sizes of model that are measured, as the config.json that a checkpoint of that size has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from npc_sdk.errors import SettingsError

BOS_ID = 2
EOS_ID = 3


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of a Nemotron decoder. group_size is our int4's; is_bundled: its weights ship and are not random."""

    name: str
    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    context: int = 4096
    group_size: int = 128
    is_bundled: bool = False

    @property
    def kv_bytes(self) -> int:
        """Bytes of bf16 keys and values for one token."""
        return 2 * self.layers * self.kv_heads * self.head_dim * 2

    @property
    def matrix_values(self) -> int:
        """Weights that every token multiplies: all matrices but the embedding."""
        heads = self.hidden * self.head_dim * 2 * (self.heads + self.kv_heads)
        return self.layers * (heads + 2 * self.hidden * self.intermediate) + self.vocab * self.hidden

    @property
    def int4_bytes(self) -> int:
        """Bytes of our int4 that every token reads: four bits a weight, scale and zero of two bytes a group."""
        return self.matrix_values // 2 + self.matrix_values // self.group_size * 4

    def config(self) -> dict[str, Any]:
        """config.json of the full-precision checkpoint."""
        return {
            "architectures": ["NemotronForCausalLM"],
            "model_type": "nemotron",
            "vocab_size": self.vocab,
            "hidden_size": self.hidden,
            "intermediate_size": self.intermediate,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "head_dim": self.head_dim,
            "max_position_embeddings": self.context,
            "partial_rotary_factor": 0.5,
            "rope_theta": 10000.0,
            "hidden_act": "relu2",
            "norm_eps": 1e-05,
            "attention_bias": False,
            "mlp_bias": False,
            "bos_token_id": BOS_ID,
            "eos_token_id": EOS_ID,
            "tie_word_embeddings": False,
            "dtype": "bfloat16",
        }


_ALL = (
    Shape("nemotron-mini-4b", 3072, 9216, 32, 24, 8, 128, 256_000),
    Shape("mid", 2048, 6144, 16, 16, 8, 128, 32_000),
    Shape("tiny", 128, 256, 2, 4, 2, 32, 2_048, group_size=32),
    Shape("hearth", 256, 1024, 5, 8, 4, 32, 1_536, context=2048, group_size=32, is_bundled=True),
)
SHAPES = {shape.name: shape for shape in _ALL}


def find_shape(name: str) -> Shape:
    """The shape of that name. Raises: SettingsError."""
    if name not in SHAPES:
        raise SettingsError(f"shape is {name!r}", hint=f"choose {', '.join(SHAPES)}")
    return SHAPES[name]
