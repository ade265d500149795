"""The Merkle tree over the log's events (RFC 6962 §2.1, RFC 9162 §2.1), without any storage.

A leaf is `SHA-256(0x00 || bytes)`, a node `SHA-256(0x01 || left || right)`. Of a growing tree only its right
edge is needed to append; of every perfect subtree ("node") that an append completes, the hash is handed out once
and never changes, so a store that keeps them builds any proof from O(log n) reads:

    size 7           level 2        (2,0)
                     level 1    (1,0)   (1,1)   (1,2)
                     level 0    0   1   2   3   4   5   6
                     right edge (2,0), (1,2), (0,6)

A proof is planned first (`plan_inclusion`, `plan_consistency`: which nodes it needs), then built from those nodes,
so that whoever fetches them may be asynchronous.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()
"""The root of the tree without leaves (RFC 6962 §2.1)."""

NodeId = tuple[int, int]
"""Level and index of a perfect subtree: it covers the leaves from `index << level`, `1 << level` of them."""

Node = tuple[int, int, bytes]
"""Level, index and hash of a perfect subtree."""

Edge = tuple[bytes, ...]
"""Hashes of the perfect subtrees that make up a tree, largest first: one for each bit set in its size."""


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf, 32 bytes."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node, 32 bytes."""
    return sha256(b"\x01" + left + right).digest()


def append(size: int, edge: Edge, *, leaf: bytes) -> tuple[Edge, list[Node]]:
    """Add a leaf to a tree.

    Args:
        size: Leaves before the append.
        edge: The right edge at that size.
        leaf: The new leaf's hash, as `leaf_hash` gives it.

    Returns:
        The new right edge, and the nodes that are complete now and were not before, lowest first; the leaf
        itself is the first (level 0).
    """
    level, index, grown = 0, size, leaf
    nodes: list[Node] = [(0, size, leaf)]
    kept = len(edge)
    while index & 1:
        kept -= 1
        grown = node_hash(edge[kept], grown)
        level, index = level + 1, index >> 1
        nodes.append((level, index, grown))
    return (*edge[:kept], grown), nodes


def last_leaf(level: int, index: int) -> int:
    """Return which leaf completes a perfect subtree."""
    return ((index + 1) << level) - 1


def root(edge: Sequence[bytes]) -> bytes:
    """Return the tree hash for a right edge; `EMPTY_ROOT` for none."""
    if not edge:
        return EMPTY_ROOT
    *rest, made = edge
    for left in reversed(rest):
        made = node_hash(left, made)
    return made


def edge_nodes(size: int) -> tuple[NodeId, ...]:
    """Return which nodes are the right edge of a tree, largest first."""
    return _cover(0, size)


def _cover(start: int, end: int) -> tuple[NodeId, ...]:
    """Return the perfect subtrees of one subtree of the RFC's, whose start is aligned to its width."""
    made, width = [], end - start
    for level in range(width.bit_length() - 1, -1, -1):
        if width >> level & 1:
            made.append((level, start >> level))
            start += 1 << level
    return tuple(made)


@dataclass(frozen=True, slots=True)
class Plan:
    """Which nodes a proof is made of."""

    parts: tuple[tuple[NodeId, ...], ...]
    """One entry per hash of the proof, in the proof's order; its nodes from left to right."""

    @property
    def nodes(self) -> tuple[NodeId, ...]:
        """Return every node to fetch, each once."""
        return tuple(node for part in self.parts for node in part)

    def proof(self, nodes: Mapping[NodeId, bytes]) -> list[bytes]:
        """Return the proof's hashes in order, given the hashes of the nodes.

        Raises:
            KeyError: A node of the plan is not among them.
        """
        return [root([nodes[node] for node in part]) for part in self.parts]


def plan_inclusion(index: int, size: int) -> Plan:
    """Plan the proof that the leaf `index` is in the tree of `size` leaves (RFC 9162 §2.1.3.1).

    Raises:
        ValueError: There is no such leaf in that tree.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    start, end = 0, size
    parts = []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            parts.append(_cover(middle, end))
            end = middle
        else:
            parts.append(_cover(start, middle))
            start = middle
    return Plan(tuple(reversed(parts)))


def plan_consistency(old: int, new: int) -> Plan:
    """Plan the proof that the tree of `new` leaves begins with that of `old` leaves (RFC 9162 §2.1.4.1).

    From the empty tree, and between equal trees, the proof is empty.

    Raises:
        ValueError: `old` is over `new`, or negative.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} leaves has no beginning of {old}")
    if old in (0, new):
        return Plan(())
    start, end = 0, new
    parts = []
    whole_old = True  # the old root is known to the verifier, so it is left out of the proof
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            parts.append(_cover(middle, end))
            end = middle
        else:
            parts.append(_cover(start, middle))
            start = middle
            whole_old = False
    if not whole_old:
        parts.append(_cover(start, end))
    return Plan(tuple(reversed(parts)))


def _split(width: int) -> int:
    """Return the largest power of two smaller than a width over 1."""
    return 1 << ((width - 1).bit_length() - 1)


def check_inclusion(leaf: bytes, index: int, *, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Say whether a proof shows that a leaf stands at `index` under a root (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size:
        return False
    here, last, made = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if here & 1 or here == last:
            made = node_hash(step, made)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            made = node_hash(made, step)
        here, last = here >> 1, last >> 1
    return last == 0 and made == root


def check_consistency(
    old: int, new: int, *, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> bool:
    """Say whether a proof shows that the new tree begins with the old one (RFC 9162 §2.1.4.2)."""
    if not 0 <= old <= new:
        return False
    if old == new:
        return not proof and old_root == new_root
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    here, last = old - 1, new - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    made_old = made_new = path[0]
    for step in path[1:]:
        if last == 0:
            return False
        if here & 1 or here == last:
            made_old, made_new = node_hash(step, made_old), node_hash(step, made_new)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            made_new = node_hash(made_new, step)
        here, last = here >> 1, last >> 1
    return last == 0 and made_old == old_root and made_new == new_root
