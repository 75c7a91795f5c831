"""Which blocks hold which tokens: a tree of blocks, each child going on where its parent ends.

Running sequences share full blocks through it as soon as these are computed; ended ones leave theirs behind until the
budget or the pool wants them back, the least recently used first. Owned by the runner.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from npc_sdk.engine.local.block_pool import BLOCK_TOKENS, BlockPool
from npc_sdk.engine.stats import CacheStats

# A block's tokens and how many of them, the first, the wide kernel computed: the two kernels round differently.
Key: TypeAlias = tuple[tuple[int, ...], int]


@dataclass(slots=True, eq=False)
class Node:
    """A block in the tree; only a leaf may hold fewer than BLOCK_TOKENS. block -1 marks the root."""

    key: Key
    block: int
    parent: Node | None
    children: dict[Key, Node] = field(default_factory=dict)
    is_linked: bool = True

    def __iter__(self) -> Iterator[Node]:
        """This node and all below it, each after its parent."""
        left = [self]
        while left:
            node = left.pop()
            yield node
            left.extend(node.children.values())


@dataclass(frozen=True, slots=True)
class Match:
    """What the tree has of a prompt: full blocks, then the first tokens of one more to copy."""

    full: tuple[Node, ...] = ()
    partial: Node | None = None
    partial_tokens: int = 0


class PrefixCache:
    """Keeps at most cache_bytes that no running sequence uses. A budget of 0 keeps nothing."""

    def __init__(self, pool: BlockPool, cache_bytes: int) -> None:
        self._pool = pool
        self._budget = cache_bytes
        self.root = Node(((), 0), -1, None)
        self._nodes: dict[int, Node] = {}  # by block
        self.evictions = 0

    @property
    def byte_count(self) -> int:
        """Bytes kept for later: what nobody but this cache holds."""
        return self.kept_blocks * self._pool.shape.block_bytes

    @property
    def kept_blocks(self) -> int:
        """Blocks that could be evicted, one after the other."""
        return self._pool.idle_blocks

    @property
    def budget_blocks(self) -> int:
        """The most blocks that are kept."""
        return min(self._budget // self._pool.shape.block_bytes, self._pool.blocks)

    @property
    def stats(self) -> CacheStats:
        """The pool's use; may be read on any thread."""
        size, kept = self._pool.shape.block_bytes, self.kept_blocks
        used = max(0, self._pool.blocks - self._pool.free_blocks - kept)  # the model's thread may evict between the two
        return CacheStats(self._pool.blocks * size, used * size, kept * size, self.evictions)

    def __len__(self) -> int:
        return len(self._nodes)

    def match(self, tokens: Sequence[int], *, wide_until: int = 0, start: Node | None = None, at: int = 0) -> Match:
        """The longest prefix of tokens that is held, computed by the kernels that this prompt would take.

        start and at continue a match: the node of the block that ends at position at.
        """
        node, full = start or self.root, []
        while at + BLOCK_TOKENS <= len(tokens):
            child = node.children.get(block_key(tokens, at, wide_until))
            if child is None:
                break
            full.append(child)
            node, at = child, at + BLOCK_TOKENS
        partial, shared = _longest(node, block_key(tokens, at, wide_until))
        return Match(tuple(full), partial, shared)

    def publish(self, parent: Node, key: Key, block: int) -> Node | None:
        """Shows a block to everyone and keeps it; the node that stands for these tokens, which may be another's.

        None where the parent is no longer in the tree. Tails that the block begins with go. Mutates: references.
        """
        if not parent.is_linked:
            return None
        if key in parent.children:
            return parent.children[key]
        for shorter in [node for held, node in parent.children.items() if _begins(key, held)]:
            self._unlink(shorter)
        node = Node(key, block, parent)
        parent.children[key] = node
        self._nodes[block] = node
        self._pool.keep(block)
        return node

    def keep_tail(self, parent: Node, key: Key, block: int) -> None:
        """Keeps a block that is not full, unless a longer run of the same tokens is held."""
        if key[0] and not any(_begins(held, key) for held in parent.children):
            self.publish(parent, key, block)

    def forget(self, nodes: Sequence[Node]) -> None:
        """Takes nodes and all below them out of the tree; who holds their blocks keeps them. Mutates: references."""
        for top in nodes:
            for node in reversed(list(top)):
                if node.is_linked:
                    self._unlink(node)

    def forget_past(self, tokens: Sequence[int], kept: int) -> None:
        """Takes out all that begins as tokens do for more than kept of them. Mutates: references."""
        parents, at = [self.root], 0
        while parents and at < len(tokens):
            own = tokens[at : at + BLOCK_TOKENS]
            children = [child for parent in parents for child in parent.children.values()]
            self.forget([child for child in children if at + shared_prefix(child.key[0], own) > max(at, kept)])
            parents = [child for child in children if child.is_linked and child.key[0] == tuple(own)]
            at += BLOCK_TOKENS

    def evict(self) -> bool:
        """Frees the least recently used block that nobody else holds; False where every one is held."""
        block = self._pool.longest_idle
        if block is None:
            return False
        self._unlink(self._nodes[block])
        self.evictions += 1
        return True

    def trim(self) -> None:
        """Evicts what is over the budget."""
        while self.kept_blocks > self.budget_blocks and self.evict():
            pass

    def clear(self) -> None:
        """Frees everything."""
        self.forget(list(self.root.children.values()))

    def check_integrity(self) -> None:
        """Raises: AssertionError where tree, recency and pool disagree."""
        self._pool.check_integrity()
        held = [node for node in self.root if node is not self.root]
        assert {node.block: node for node in held} == self._nodes, "tree and blocks name different nodes"
        assert len(held) == len(self._nodes), "a block stands twice in the tree"
        for node in held:
            assert node.parent is not None
            assert node.parent.children[node.key] is node, "a node hangs in the wrong place"
            assert self._pool.references(node.block) > 0, f"block {node.block} is kept but free"
            assert not node.children or len(node.key[0]) == BLOCK_TOKENS, "a block that is not full has children"
            if self._pool.references(node.block) == 1:
                below = (self._pool.references(child.block) for child in node.children.values())
                assert all(count == 1 for count in below), "somebody runs on a block but not on the one before it"

    def _unlink(self, node: Node) -> None:
        """Takes one leaf out. Mutates: its block's references."""
        assert node.parent is not None
        assert not node.children, "only leaves leave the tree"
        del node.parent.children[node.key]
        del self._nodes[node.block]
        node.is_linked = False
        self._pool.let_go(node.block)


def block_key(tokens: Sequence[int], at: int, wide_until: int) -> Key:
    """What the tree calls the block that begins at a position, of as many tokens as there are."""
    own = tuple(tokens[at : at + BLOCK_TOKENS])
    return own, min(max(wide_until - at, 0), len(own))


def _longest(parent: Node, key: Key) -> tuple[Node | None, int]:
    """The child that shares most tokens at the front, computed alike, and how many."""
    best, most = None, 0
    for held, child in parent.children.items():
        shared = _shared(held, key)
        if shared > most:
            best, most = child, shared
    return best, most


def _shared(left: Key, right: Key) -> int:
    """How many tokens two blocks have in common at the front, computed alike."""
    (tokens, wide), (others, other_wide) = left, right
    shared = shared_prefix(tokens, others)
    is_alike = min(wide, shared) == min(other_wide, shared)
    return shared if is_alike else min(wide, other_wide)


def shared_prefix(left: Sequence[int], right: Sequence[int]) -> int:
    """How many tokens two sequences have in common at the front."""
    for index, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return index
    return min(len(left), len(right))


def _begins(whole: Key, front: Key) -> bool:
    """Whether whole begins with front, computed alike."""
    return _shared(whole, front) == len(front[0])
