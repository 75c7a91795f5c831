"""A small Nemotron-architecture model that can be trained quickly, and its export as a Hugging Face checkpoint.

The arithmetic is that of transformers' NemotronForCausalLM (layer norm with weight + 1, relu², partial rotary,
grouped-query attention); a test compares the two. The engine runs the exported files through its own decoder.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

GROUP = 32  # weights that share a scale in the int4 files that ship


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a model to train. Units: window in tokens."""

    vocabulary: int = 1024
    hidden: int = 256
    layers: int = 6
    heads: int = 8
    kv_heads: int = 4
    head_dim: int = 32
    feed_forward: int = 1024
    window: int = 2048
    rotary_fraction: float = 0.5
    rope_theta: float = 10000.0
    norm_eps: float = 1e-5


class LayerNorm1P(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(shape.hidden))
        self.bias = nn.Parameter(torch.zeros(shape.hidden))
        self.eps = shape.norm_eps

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x.float(), x.shape[-1:], self.weight + 1, self.bias, self.eps)


def rotary(shape: Shape, tokens: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines. Shapes: (tokens, rotary dims)."""
    dims = int(shape.head_dim * shape.rotary_fraction)
    inverse = 1.0 / shape.rope_theta ** (torch.arange(0, dims, 2, dtype=torch.float32) / dims)
    angles = torch.outer(torch.arange(tokens, dtype=torch.float32), inverse)
    angles = torch.cat((angles, angles), -1)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Shapes: x (batch, heads, tokens, head_dim); only the first dims turn."""
    dims = cos.shape[-1]
    turned, kept = x[..., :dims], x[..., dims:]
    half = torch.cat((-turned[..., dims // 2 :], turned[..., : dims // 2]), -1)
    return torch.cat((turned * cos + half * sin, kept), -1)


class NoisyLinear(nn.Linear):
    """A matrix that can be rounded on the way as the int4 format will round it; gradients pass as if it were not.

    Source: straight-through estimation, Bengio et al. 2013, section 4.
    """

    is_noisy = False

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, rounded(self.weight) if self.is_noisy else self.weight)


def rounded(weight: Tensor) -> Tensor:
    """The weight in 16 steps between the least and the greatest of each group."""
    groups = weight.detach().float().view(weight.shape[0], -1, GROUP)
    low, high = groups.amin(-1, keepdim=True), groups.amax(-1, keepdim=True)
    step = ((high - low) / 15).clamp_min(1e-8)
    nearest = (((groups - low) / step).round() * step + low).view_as(weight)
    return weight + (nearest - weight).detach()


class Block(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.norm_attention = LayerNorm1P(shape)
        self.norm_mlp = LayerNorm1P(shape)
        self.q = NoisyLinear(shape.hidden, shape.heads * shape.head_dim)
        self.k = NoisyLinear(shape.hidden, shape.kv_heads * shape.head_dim)
        self.v = NoisyLinear(shape.hidden, shape.kv_heads * shape.head_dim)
        self.o = NoisyLinear(shape.heads * shape.head_dim, shape.hidden)
        self.up = NoisyLinear(shape.hidden, shape.feed_forward)
        self.down = NoisyLinear(shape.feed_forward, shape.hidden)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self._attend(self.norm_attention(x), cos, sin)
        out: Tensor = x + self.down(F.relu(self.up(self.norm_mlp(x))).square())
        return out

    def _attend(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, tokens, _ = x.shape
        dim = self.shape.head_dim
        q = rotate(self.q(x).view(batch, tokens, -1, dim).transpose(1, 2), cos, sin)  # (batch, heads, tokens, head_dim)
        k = rotate(self.k(x).view(batch, tokens, -1, dim).transpose(1, 2), cos, sin)
        v = self.v(x).view(batch, tokens, -1, dim).transpose(1, 2)
        repeats = self.shape.heads // self.shape.kv_heads
        k, v = k.repeat_interleave(repeats, 1), v.repeat_interleave(repeats, 1)
        seen = F.scaled_dot_product_attention(q.to(v.dtype), k.to(v.dtype), v, is_causal=True)
        out: Tensor = self.o(seen.transpose(1, 2).reshape(batch, tokens, -1))
        return out


class SmallNemotron(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embed = nn.Embedding(shape.vocabulary, shape.hidden)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = LayerNorm1P(shape)
        self.head = NoisyLinear(shape.hidden, shape.vocabulary)
        cos, sin = rotary(shape, shape.window)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        for parameter in self.parameters():
            if parameter.ndim == 2:
                nn.init.normal_(parameter, std=0.02)
        nn.init.normal_(self.embed.weight, std=1.0 / shape.hidden**0.5)

    def hidden(self, ids: Tensor) -> Tensor:
        """Shapes: ids (batch, tokens) → (batch, tokens, hidden)."""
        x = self.embed(ids)
        cos, sin = self.get_buffer("cos")[: ids.shape[1]], self.get_buffer("sin")[: ids.shape[1]]
        for block in self.blocks:
            x = block(x, cos, sin)
        return self.norm(x)  # type: ignore[no-any-return]

    def forward(self, ids: Tensor) -> Tensor:
        """Shapes: ids (batch, tokens) → logits (batch, tokens, vocabulary)."""
        return self.head(self.hidden(ids))  # type: ignore[no-any-return]

    def losses(self, ids: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropies. Shapes: ids and targets (batch, tokens) → (batch · tokens,)."""
        return F.cross_entropy(self(ids).float().flatten(0, 1), targets.flatten(), reduction="none")

    def add_noise(self) -> None:
        """Rounds every matrix from now on. Mutates: the model's linear layers."""
        for module in self.modules():
            if isinstance(module, NoisyLinear):
                module.is_noisy = True


_NAMES = {
    "norm_attention": "input_layernorm", "norm_mlp": "post_attention_layernorm", "q": "self_attn.q_proj",
    "k": "self_attn.k_proj",
    "v": "self_attn.v_proj", "o": "self_attn.o_proj", "up": "mlp.up_proj", "down": "mlp.down_proj",
}  # fmt: skip


def _published_name(name: str) -> str:
    """The name transformers gives a parameter."""
    if name.startswith("blocks."):
        _, index, part, kind = name.split(".")
        return f"model.layers.{index}.{_NAMES[part]}.{kind}"
    return {"embed.weight": "model.embed_tokens.weight", "head.weight": "lm_head.weight"}.get(name, f"model.{name}")


def export(model: SmallNemotron, out: Path) -> None:
    """Writes model.safetensors (bf16), config.json and npc_model.json in the layout of NemotronForCausalLM."""
    shape = model.shape
    config = {
        "architectures": ["NemotronForCausalLM"], "model_type": "nemotron", "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden, "intermediate_size": shape.feed_forward, "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads, "num_key_value_heads": shape.kv_heads, "head_dim": shape.head_dim,
        "max_position_embeddings": shape.window, "partial_rotary_factor": shape.rotary_fraction,
        "rope_theta": shape.rope_theta,
        "hidden_act": "relu2", "norm_eps": shape.norm_eps, "attention_bias": False, "mlp_bias": False,
        "bos_token_id": 2,
        "eos_token_id": 3, "tie_word_embeddings": False, "dtype": "bfloat16",
    }  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    tensors = {_published_name(n): p.detach().to(torch.bfloat16).contiguous() for n, p in model.named_parameters()}
    save_file(tensors, out / "model.safetensors", {"format": "pt"})
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    profile = {"name": "hearth", "chat_format": "nemotron", "tool_format": "nemotron"}
    (out / "npc_model.json").write_text(json.dumps(profile, indent=2) + "\n", encoding="utf-8")


def save_checkpoint(model: SmallNemotron, path: Path, **extra: object) -> None:
    """Everything needed to go on training, written so that an interruption leaves the previous file whole."""
    part = path.with_suffix(".part")
    torch.save({"shape": asdict(model.shape), "model": model.state_dict(), **extra}, part)
    part.replace(path)
