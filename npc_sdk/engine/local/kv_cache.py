"""Keys and values of one sequence: contiguous, grown in blocks, cut back at will.

Knows neither tokens nor requests. The decoder writes it; the runner and the prefix cache pass it on.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

BLOCK_TOKENS = 256


@dataclass(frozen=True, slots=True)
class CacheShape:
    """What the caches of one model have in common."""

    layers: int
    kv_heads: int
    head_dim: int
    dtype: torch.dtype
    device: torch.device

    @property
    def token_bytes(self) -> int:
        """Bytes that one token takes over all layers."""
        return 2 * self.layers * self.kv_heads * self.head_dim * self.dtype.itemsize


class KVCache:
    """One sequence's cache. length counts the tokens that every layer holds.

    Shapes: keys and values of a layer (kv_heads, capacity, head_dim).
    """

    __slots__ = ("_keys", "_values", "capacity", "length", "shape")

    def __init__(self, shape: CacheShape) -> None:
        self.shape = shape
        self.length = 0
        self.capacity = 0
        empty = torch.empty(shape.kv_heads, 0, shape.head_dim, dtype=shape.dtype, device=shape.device)
        self._keys = [empty] * shape.layers
        self._values = [empty] * shape.layers

    @property
    def byte_count(self) -> int:
        """Bytes held, used or not."""
        return self.capacity * self.shape.token_bytes

    def reserve(self, tokens: int) -> None:
        """Makes room for that many tokens in all, layer by layer so that only one is held twice. Mutates: capacity."""
        if tokens <= self.capacity:
            return
        capacity = -(-tokens // BLOCK_TOKENS) * BLOCK_TOKENS
        for index in range(self.shape.layers):
            self._keys[index] = self._grown(self._keys[index], capacity)
            self._values[index] = self._grown(self._values[index], capacity)
        self.capacity = capacity

    def write(self, layer: int, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Puts a layer's new tokens behind the counted ones and returns all its keys and values.

        Shapes: (kv_heads, tokens, head_dim) in and out.
        Mutates: the layer, not length: advance() does that once every layer has written.
        """
        end = self.length + keys.shape[1]
        self._keys[layer][:, self.length : end] = keys
        self._values[layer][:, self.length : end] = values
        return self._keys[layer][:, :end], self._values[layer][:, :end]

    def advance(self, tokens: int) -> None:
        """Counts tokens that all layers have written. Mutates: length."""
        self.length += tokens
        assert self.length <= self.capacity, "wrote past the reserved room"

    def truncate(self, tokens: int) -> None:
        """Forgets all tokens after the first ones; keeps the room. Mutates: length."""
        self.length = min(self.length, tokens)

    def copy_prefix(self, tokens: int) -> KVCache:
        """A new cache with the first tokens of this one."""
        copy = KVCache(self.shape)
        copy.reserve(tokens)
        for index in range(self.shape.layers):
            copy._keys[index][:, :tokens] = self._keys[index][:, :tokens]
            copy._values[index][:, :tokens] = self._values[index][:, :tokens]
        copy.advance(tokens)
        return copy

    def check_integrity(self) -> None:
        """Raises: AssertionError where the layers disagree with the counts."""
        side = (self.shape.kv_heads, self.capacity, self.shape.head_dim)
        assert 0 <= self.length <= self.capacity, f"{self.length} tokens in room for {self.capacity}"
        assert all(tuple(t.shape) == side for t in (*self._keys, *self._values)), "layers differ in room"

    def _grown(self, old: torch.Tensor, capacity: int) -> torch.Tensor:
        """A larger tensor with the counted tokens of the old one."""
        new = torch.empty(self.shape.kv_heads, capacity, self.shape.head_dim, dtype=old.dtype, device=old.device)
        new[:, : self.length] = old[:, : self.length]
        return new
