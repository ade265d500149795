"""The tree against the definition in RFC 6962, and against two implementations by others."""

from __future__ import annotations

import hashlib
from functools import cache

import metamorphic_log  # type: ignore[import-untyped]
import pymerkle  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.audit import merkle

MOST = 300
LEAVES = [merkle.leaf_hash(b"event %d" % index) for index in range(MOST)]


@cache
def root_by_definition(start: int, end: int) -> bytes:
    """MTH of RFC 6962 §2.1, word for word."""
    width = end - start
    if width == 0:
        return hashlib.sha256(b"").digest()
    if width == 1:
        return LEAVES[start]
    split = 1
    while split * 2 < width:
        split *= 2
    left, right = root_by_definition(start, start + split), root_by_definition(start + split, end)
    return hashlib.sha256(b"\x01" + left + right).digest()


def grown(size: int) -> tuple[merkle.Edge, dict[merkle.NodeId, bytes]]:
    edge: merkle.Edge = ()
    nodes: dict[merkle.NodeId, bytes] = {}
    for index in range(size):
        edge, completed = merkle.append(index, edge, leaf=LEAVES[index])
        for level, place, made in completed:
            assert (level, place) not in nodes, "a node is handed out once"
            nodes[level, place] = made
    return edge, nodes


NODES = grown(MOST)[1]


@pytest.fixture(scope="module")
def other_tree() -> pymerkle.InmemoryTree:
    tree = pymerkle.InmemoryTree("sha256")
    for index in range(MOST):
        tree.append_entry(b"event %d" % index)
    return tree


def test_the_root_of_every_size_up_to_300_is_that_of_the_rfc_and_of_pymerkle(
    other_tree: pymerkle.InmemoryTree,
) -> None:
    edge: merkle.Edge = ()
    assert merkle.root(edge) == merkle.EMPTY_ROOT == root_by_definition(0, 0)
    for index in range(MOST):
        edge, _ = merkle.append(index, edge, leaf=LEAVES[index])
        assert merkle.root(edge) == root_by_definition(0, index + 1) == other_tree.get_root(index + 1)
        assert edge == tuple(NODES[node] for node in merkle.edge_nodes(index + 1))


def test_every_kept_node_is_the_hash_of_the_leaves_it_covers() -> None:
    for (level, index), made in NODES.items():
        assert made == root_by_definition(index << level, (index + 1) << level)


def test_the_tree_of_the_rfc_9162_example_has_the_proofs_that_the_rfc_lists() -> None:
    # RFC 9162 §2.1.5: a tree of 7 leaves; b = leaf 1, c = leaf 2, d = leaf 3, g, h, i, j, l as drawn there.
    a, b, c, d, e, f, j = ((0, index) for index in range(7))
    g, h, i, k = (1, 0), (1, 1), (1, 2), (2, 0)

    assert merkle.plan_inclusion(0, 7).parts == ((b,), (h,), (i, j))
    assert merkle.plan_inclusion(3, 7).parts == ((c,), (g,), (i, j))
    assert merkle.plan_inclusion(4, 7).parts == ((f,), (j,), (k,))
    assert merkle.plan_inclusion(6, 7).parts == ((i,), (k,))
    assert merkle.plan_consistency(3, 7).parts == ((c,), (d,), (g,), (i, j))
    assert merkle.plan_consistency(4, 7).parts == ((i, j),)
    assert merkle.plan_consistency(6, 7).parts == ((i,), (j,), (k,))
    assert {a, e}.isdisjoint(merkle.plan_consistency(6, 7).nodes)


def test_inclusion_proofs_are_those_of_pymerkle_and_convince_metamorphic(
    other_tree: pymerkle.InmemoryTree,
) -> None:
    for size in range(1, MOST + 1):
        root = root_by_definition(0, size)
        for index in {0, 1, size // 3, size // 2, size - 2, size - 1} & set(range(size)):
            proof = merkle.plan_inclusion(index, size).proof(NODES)
            assert proof == other_tree.prove_inclusion(index + 1, size).path[1:]
            metamorphic_log.verify_inclusion(index, size, LEAVES[index], proof, root)
            assert merkle.check_inclusion(LEAVES[index], index, size=size, proof=proof, root=root)


def test_consistency_proofs_convince_metamorphic() -> None:
    for new in range(1, MOST + 1):
        for old in {1, 2, new // 3, new // 2, new - 1, new} & set(range(1, new + 1)):
            proof = merkle.plan_consistency(old, new).proof(NODES)
            old_root, new_root = root_by_definition(0, old), root_by_definition(0, new)
            metamorphic_log.verify_consistency(old, new, proof, old_root, new_root)
            assert merkle.check_consistency(old, new, proof=proof, old_root=old_root, new_root=new_root)


@given(st.data())
def test_a_proof_holds_for_its_own_leaf_size_and_root_only(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, MOST))
    index = data.draw(st.integers(0, size - 1))
    root = root_by_definition(0, size)
    proof = merkle.plan_inclusion(index, size).proof(NODES)
    assert merkle.check_inclusion(LEAVES[index], index, size=size, proof=proof, root=root)

    other = data.draw(st.integers(0, MOST - 1).filter(lambda one: one != index))
    assert not merkle.check_inclusion(LEAVES[other], index, size=size, proof=proof, root=root)
    assert not merkle.check_inclusion(LEAVES[index], other, size=size, proof=proof, root=root)
    assert not merkle.check_inclusion(LEAVES[index], index, size=size, proof=[*proof, root], root=root)
    assert not merkle.check_inclusion(LEAVES[index], index, size=size, proof=proof, root=LEAVES[0][::-1])
    if proof:
        assert not merkle.check_inclusion(LEAVES[index], index, size=size, proof=proof[:-1], root=root)


@given(st.data())
def test_a_consistency_proof_fails_for_any_other_past(data: st.DataObject) -> None:
    new = data.draw(st.integers(2, MOST))
    old = data.draw(st.integers(1, new - 1))
    old_root, new_root = root_by_definition(0, old), root_by_definition(0, new)
    proof = merkle.plan_consistency(old, new).proof(NODES)
    assert merkle.check_consistency(old, new, proof=proof, old_root=old_root, new_root=new_root)

    forged = hashlib.sha256(old_root).digest()
    assert not merkle.check_consistency(old, new, proof=proof, old_root=forged, new_root=new_root)
    assert not merkle.check_consistency(old, new, proof=proof, old_root=old_root, new_root=forged)
    assert not merkle.check_consistency(
        old, new, proof=[*proof, forged], old_root=old_root, new_root=new_root
    )
    assert not merkle.check_consistency(old, new, proof=proof[:-1], old_root=old_root, new_root=new_root)


def test_the_empty_tree_begins_every_tree_and_a_tree_begins_itself() -> None:
    root = root_by_definition(0, 5)
    assert merkle.plan_consistency(0, 5).parts == merkle.plan_consistency(5, 5).parts == ()
    assert merkle.check_consistency(0, 5, proof=[], old_root=merkle.EMPTY_ROOT, new_root=root)
    assert not merkle.check_consistency(0, 5, proof=[], old_root=root, new_root=root)
    assert merkle.check_consistency(5, 5, proof=[], old_root=root, new_root=root)
    assert not merkle.check_consistency(5, 4, proof=[], old_root=root, new_root=root)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 3)])
def test_a_leaf_that_is_not_in_the_tree_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        merkle.plan_inclusion(index, size)


def test_a_larger_tree_is_not_the_beginning_of_a_smaller() -> None:
    with pytest.raises(ValueError, match="no beginning"):
        merkle.plan_consistency(5, 4)
