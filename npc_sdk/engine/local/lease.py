"""A running sequence's hold on the pool: its cache, and how far the prefix tree knows what is in it.

Finds the prefix that is held already, publishes each block that fills, leaves the rest behind at the end. Knows
neither queues nor the model. Made and dropped by the runner.
"""

from __future__ import annotations

from collections.abc import Sequence

from npc_sdk.engine.local.block_pool import BLOCK_TOKENS, BlockPool, blocks_for
from npc_sdk.engine.local.kv_cache import KVCache
from npc_sdk.engine.local.prefix_cache import Key, Node, PrefixCache, block_key


class Lease:
    """What one sequence holds until release() or discard(). wide_until: tokens before it take the wide kernel."""

    __slots__ = ("_chain", "_pool", "_prefix", "_published", "cache", "wide_until")

    def __init__(self, pool: BlockPool, prefix: PrefixCache, wide_until: int) -> None:
        self._pool = pool
        self._prefix = prefix
        self.wide_until = wide_until
        self.cache = KVCache(pool)
        self._chain: list[Node] = []  # the tree's nodes for the first blocks, its own or another's
        self._published: list[Node] = []

    @property
    def length(self) -> int:
        """Tokens computed or found."""
        return self.cache.length

    def adopt(self, tokens: Sequence[int]) -> None:
        """Takes what the tree has of some tokens after the blocks that are here already. Mutates: the cache.

        Another sequence may have computed it since the last step.
        """
        at = self.cache.length
        if at != self.cache.capacity or len(self._chain) * BLOCK_TOKENS != at:
            return
        node = self._chain[-1] if self._chain else None
        match = self._prefix.match(tokens, wide_until=self.wide_until, start=node, at=at)
        for found in match.full:
            self.cache.share(found.block)
            self._chain.append(found)
        if match.partial is not None:
            self._copy(match.partial.block, match.partial_tokens)

    def fits(self, tokens: int) -> bool:
        """Whether so many tokens in all, and one block more to grow, could be had without taking a running block."""
        wanted = blocks_for(tokens) + 1 - len(self.cache.blocks)
        return wanted <= self._pool.free_blocks or wanted <= self._pool.free_blocks + self._prefix.kept_blocks

    def reserve(self, tokens: int) -> bool:
        """Makes room for that many tokens in all; False, with nothing evicted, where too many blocks are running.

        Mutates: the cache, the tree.
        """
        wanted = blocks_for(tokens) - len(self.cache.blocks)
        if wanted > self._pool.free_blocks + self._prefix.kept_blocks:
            return False
        while wanted > self._pool.free_blocks:  # all of them first: those that lay together are given out together
            self._prefix.evict()
        self.cache.reserve(tokens)
        return True

    def publish(self, tokens: Sequence[int]) -> None:
        """Shows the blocks that are full now to everyone; one that another showed first takes the place of ours.

        Mutates: the tree, the cache.
        """
        for index in range(len(self._chain), self.cache.length // BLOCK_TOKENS):
            block = self.cache.blocks[index]
            node = self._prefix.publish(self._parent(index), self._key(tokens, index), block)
            if node is None:
                return
            self._chain.append(node)
            if node.block == block:
                self._published.append(node)
            else:
                self.cache.swap(index, node.block)  # so that whoever holds a node's block holds its parent's too

    def release(self, tokens: Sequence[int]) -> None:
        """Gives the blocks back and leaves what they hold to prompts that begin alike. Mutates: cache, tree."""
        full = self.cache.length // BLOCK_TOKENS
        if full == len(self._chain) and self.cache.length % BLOCK_TOKENS:
            parent = self._parent(full)
            if parent.is_linked:
                self._prefix.keep_tail(parent, self._key(tokens[: self.cache.length], full), self.cache.blocks[full])
        self.cache.release()
        self._prefix.trim()

    def discard(self) -> None:
        """Gives the blocks back and takes what it published out again: a failed step may have left it wrong."""
        self._prefix.forget(self._published)
        self.cache.release()
        self._prefix.trim()

    def check_integrity(self) -> None:
        """Raises: AssertionError where chain and cache disagree."""
        self.cache.check_integrity()
        assert len(self._chain) <= self.cache.length // BLOCK_TOKENS, "the tree knows more than was computed"
        assert [node.block for node in self._chain] == self.cache.blocks[: len(self._chain)], "chain and blocks differ"

    def _copy(self, block: int, tokens: int) -> None:
        """Copies the front of a block that another holds; goes without where there is no room. Mutates: the cache."""
        self._pool.retain(block)  # else making room could evict it
        if self._pool.free_blocks or self._prefix.evict():
            self.cache.copy_in(block, tokens)
        self._pool.release(block)

    def _parent(self, index: int) -> Node:
        return self._chain[index - 1] if index else self._prefix.root

    def _key(self, tokens: Sequence[int], index: int) -> Key:
        """What the tree calls a block of these tokens."""
        return block_key(tokens, index * BLOCK_TOKENS, self.wide_until)
