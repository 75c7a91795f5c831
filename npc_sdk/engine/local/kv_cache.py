"""One sequence's keys and values: the blocks that hold them, in order, some its own and some shared.

Knows neither requests nor how a prefix is found. The runner fills it, the decoder reads and writes it, the prefix
cache takes its full blocks in.
"""

from __future__ import annotations

import torch

from npc_sdk.engine.local.block_pool import BLOCK_TOKENS, BlockPool, blocks_for


class KVCache:
    """length counts the tokens that every layer holds. A full block may be shared, and is only read from then on.

    With torch's kernels a sequence whose blocks are neighbours is read in place, and others are gathered for each
    layer; the compiled ones read blocks wherever they lie.
    """

    __slots__ = ("_index", "_is_contiguous", "blocks", "length", "pool")

    def __init__(self, pool: BlockPool) -> None:
        self.pool = pool
        self.blocks: list[int] = []
        self.length = 0
        self._is_contiguous = True
        self._index: torch.Tensor | None = None  # of the blocks, made when a layer is first gathered

    @property
    def capacity(self) -> int:
        """Tokens that the blocks have room for."""
        return len(self.blocks) * BLOCK_TOKENS

    def share(self, block: int) -> None:
        """Appends somebody's full block. Mutates: its references, length."""
        assert self.length == self.capacity, "a shared block must follow full ones"
        self.pool.retain(block)
        self._append(block)
        self.length += BLOCK_TOKENS

    def swap(self, index: int, block: int) -> None:
        """Puts somebody's block, which holds the same, in the place of its own. Mutates: blocks, their references."""
        self.pool.retain(block)
        self.pool.release(self.blocks[index])
        self.blocks[index] = block
        self._is_contiguous = self.blocks == list(range(self.blocks[0], self.blocks[0] + len(self.blocks)))
        self._index = None

    def copy_in(self, block: int, tokens: int) -> None:
        """Appends a block of its own with the first tokens of somebody's. Mutates: length. Raises: PoolFull."""
        assert self.length == self.capacity, "a copied block must follow full ones"
        own = self._allocate()
        self.pool.copy(block, own, tokens)
        self._append(own)
        self.length += tokens

    def reserve(self, tokens: int) -> None:
        """Makes room for that many tokens in all. Mutates: blocks. Raises: PoolFull, with what it got kept."""
        while len(self.blocks) < blocks_for(tokens):
            self._append(self._allocate(wanted=blocks_for(tokens) - len(self.blocks)))

    def slots(self, first: int, last: int) -> list[int]:
        """The pool's rows of tokens first to last (not included)."""
        return [self.blocks[at // BLOCK_TOKENS] * BLOCK_TOKENS + at % BLOCK_TOKENS for at in range(first, last)]

    def where(self, blocks: int) -> slice | torch.Tensor:
        """The first blocks as the pool reads them: a stretch of its rows where they are neighbours, else by number."""
        if self._is_contiguous:
            first = self.blocks[0] * BLOCK_TOKENS
            return slice(first, first + blocks * BLOCK_TOKENS)
        return self._block_index()[:blocks]

    def advance(self, tokens: int) -> None:
        """Counts tokens that all layers have written. Mutates: length."""
        self.length += tokens
        assert self.length <= self.capacity, "wrote past the reserved room"

    def release(self) -> None:
        """Gives every block back, the last first: what goes on from a block is forgotten before it.

        Mutates: blocks, length.
        """
        for block in reversed(self.blocks):
            self.pool.release(block)
        self.blocks, self.length = [], 0
        self._is_contiguous, self._index = True, None

    def check_integrity(self) -> None:
        """Raises: AssertionError where the blocks disagree with the counts."""
        assert 0 <= self.length <= self.capacity, f"{self.length} tokens in room for {self.capacity}"
        assert len(set(self.blocks)) == len(self.blocks), "a block stands twice in one sequence"
        assert all(self.pool.references(block) > 0 for block in self.blocks), "a block of a sequence is free"

    def _allocate(self, wanted: int = 1) -> int:
        return self.pool.allocate(self.blocks[-1] if self.blocks else None, wanted)

    def _append(self, block: int) -> None:
        if self.blocks and block != self.blocks[-1] + 1:
            self._is_contiguous = False
        self.blocks.append(block)
        self._index = None

    def _block_index(self) -> torch.Tensor:
        """The blocks' numbers as a tensor."""
        if self._index is None:
            self._index = torch.tensor(self.blocks, device=self.pool.shape.device)
        return self._index
