"""Published vectors of RFC 6962 trees through our proof verifier, and random trees against pymerkle.

The eight leaves, their roots and proofs are those that the Certificate Transparency implementations share, from
`merkletree/merkle_tree_test.cc` (2012) on.
"""

from __future__ import annotations

import random
from typing import Any

import metamorphic_log  # type: ignore[import-untyped]
import pymerkle  # type: ignore[import-untyped]
import pytest

from signoff.audit import merkle

LEAVES = [
    bytes.fromhex(text)
    for text in (
        *("", "00", "10", "2021", "3031", "40414243", "5051525354555657"),
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    bytes.fromhex(text)
    for text in (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
INCLUSION = {
    (0, 1): (),
    (0, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (5, 8): (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 3): ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",),
    (1, 5): (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}
CONSISTENCY = {
    (1, 1): (),
    (1, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (6, 8): (
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 5): (
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}


def grown(leaves: list[bytes]) -> tuple[list[merkle.Edge], dict[merkle.NodeId, bytes]]:
    """Return the right edge at every size, and every node."""
    edges: list[merkle.Edge] = [()]
    nodes: dict[merkle.NodeId, bytes] = {}
    for size, leaf in enumerate(leaves):
        edge, made = merkle.append(size, edges[-1], leaf=merkle.leaf_hash(leaf))
        edges.append(edge)
        nodes |= {(level, index): one for level, index, one in made}
    return edges, nodes


EDGES, NODES = grown(LEAVES)


def hashes(texts: tuple[str, ...]) -> list[bytes]:
    return [bytes.fromhex(text) for text in texts]


@pytest.mark.parametrize("size", range(9))
def test_the_root_of_the_published_leaves_is_the_published_one(size: int) -> None:
    assert merkle.root(EDGES[size]) == ROOTS[size]


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_a_published_inclusion_proof_holds_and_no_other(index: int, size: int) -> None:
    proof, leaf, root = hashes(INCLUSION[index, size]), merkle.leaf_hash(LEAVES[index]), ROOTS[size]
    assert merkle.plan_inclusion(index, size).proof(NODES) == proof

    def holds(**other: Any) -> bool:
        told: dict[str, Any] = {
            "index": index,
            "size": size,
            "proof": proof,
            "root": root,
            "leaf": leaf,
        } | other
        return merkle.check_inclusion(
            told["leaf"], told["index"], size=told["size"], proof=told["proof"], root=told["root"]
        )

    assert holds()
    # The probes of the implementations that share these vectors: numbers that are off, and proofs that are edited.
    assert not any(holds(index=other) for other in (-1, index + 1, index - 1, index ^ 2) if other != index)
    assert not holds(size=size * 2)
    assert not holds(size=0)
    assert not holds(root=ROOTS[0])
    assert not holds(leaf=bytes(32))
    assert not holds(proof=[*proof, b""])
    assert not holds(proof=[*proof, root])
    assert not holds(proof=[root, *proof])
    for at in range(len(proof)):
        assert not holds(proof=[*proof[:at], bytes(32), *proof[at + 1 :]])
        assert not holds(proof=[*proof[:at], *proof[at + 1 :]])


@pytest.mark.parametrize(("old", "new"), CONSISTENCY)
def test_a_published_consistency_proof_holds_and_no_other(old: int, new: int) -> None:
    proof = hashes(CONSISTENCY[old, new])
    assert merkle.plan_consistency(old, new).proof(NODES) == proof

    def holds(
        made: list[bytes], *, at: int = old, root: bytes = ROOTS[new], before: bytes = ROOTS[old]
    ) -> bool:
        return merkle.check_consistency(at, new, proof=made, old_root=before, new_root=root)

    assert holds(proof)
    assert not holds([*proof, b""])
    assert not holds([*proof, ROOTS[new]])
    assert not holds(proof, root=ROOTS[0])
    assert not holds(proof, before=ROOTS[0])
    assert not holds(proof, at=new + 1)
    for at in range(len(proof)):
        assert not holds([*proof[:at], bytes(32), *proof[at + 1 :]])
        assert not holds([*proof[:at], *proof[at + 1 :]])


MOST = 300


def test_random_trees_of_every_size_up_to_300_are_those_of_pymerkle() -> None:
    chance = random.Random(6962)  # noqa: S311 -- leaves, not secrets
    leaves = [chance.randbytes(chance.randrange(200)) for _ in range(MOST)]
    edges, nodes = grown(leaves)
    other = pymerkle.InmemoryTree(algorithm="sha256")
    for size, leaf in enumerate(leaves, 1):
        other.append_entry(leaf)
        root = merkle.root(edges[size])
        assert root == other.get_root()
        for index in {0, size - 1, *(chance.randrange(size) for _ in range(4))}:
            proof = merkle.plan_inclusion(index, size).proof(nodes)
            assert proof == other.prove_inclusion(index + 1, size).path[1:]
            assert merkle.check_inclusion(
                merkle.leaf_hash(leaves[index]), index, size=size, proof=proof, root=root
            )
        for old in {1, size, *(chance.randrange(1, size + 1) for _ in range(4))}:
            before = merkle.root(edges[old])
            proof = merkle.plan_consistency(old, size).proof(nodes)
            theirs = other.prove_consistency(old, size)
            pymerkle.verify_consistency(before, root, theirs)
            metamorphic_log.verify_consistency(old, size, proof, before, root)
            assert merkle.check_consistency(old, size, proof=proof, old_root=before, new_root=root)
