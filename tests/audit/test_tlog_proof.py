"""Proofs as files of their own: written as c2sp.org/tlog-proof says, read strictly, and checked."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from signoff.audit import merkle
from signoff.audit.checkpoint import Checkpoint, CheckpointInvalid, SigningKey, sign
from signoff.audit.tlog_proof import ProofInvalid, TlogProof, check_proof, parse_proof, proven_event

KEY = SigningKey("example.com/fancylog", Ed25519PrivateKey.from_private_bytes(bytes(32)))
OTHER = SigningKey("example.com/fancylog", Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32))
EVENTS = [b"event %d" % number for number in range(11)]


def grown(size: int) -> tuple[merkle.Edge, dict[merkle.NodeId, bytes]]:
    edge: merkle.Edge = ()
    nodes: dict[merkle.NodeId, bytes] = {}
    for number in range(size):
        edge, made = merkle.append(number, edge, leaf=merkle.leaf_hash(EVENTS[number]))
        nodes |= {(level, index): one for level, index, one in made}
    return edge, nodes


def proof_of(index: int, size: int = 11, *, extra: bytes | None = None, key: SigningKey = KEY) -> TlogProof:
    edge, nodes = grown(size)
    note = sign(Checkpoint(key.name, size, merkle.root(edge)), key)
    return TlogProof(index, tuple(merkle.plan_inclusion(index, size).proof(nodes)), note, extra)


TEXT = proof_of(3, extra=EVENTS[3]).text
LINES = TEXT.split("\n")


def test_a_proof_is_written_as_the_specification_draws_it() -> None:
    proof = proof_of(3, extra=b"event 3")
    assert proof.text == "\n".join(
        [
            "c2sp.org/tlog-proof@v1",
            "extra ZXZlbnQgMw==",
            "index 3",
            *(base64.b64encode(one).decode() for one in proof.hashes),
            "",
            proof.note,
        ]
    )
    assert proof.text.endswith("\n")
    assert len(proof.hashes) == 4


@given(st.data())
def test_every_proof_is_read_back_and_holds(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 11))
    index = data.draw(st.integers(0, size - 1))
    extra = data.draw(st.none() | st.binary(min_size=1, max_size=100))
    proof = proof_of(index, size, extra=extra)
    assert parse_proof(proof.text) == proof
    assert check_proof(proof, leaf=merkle.leaf_hash(EVENTS[index]), keys=[KEY.verifier]).size == size


def test_a_proof_gives_back_the_event_that_it_carries() -> None:
    raw, checkpoint = proven_event(parse_proof(TEXT), [KEY.verifier])
    assert (raw, checkpoint.size) == (b"event 3", 11)


def test_extra_is_not_believed() -> None:
    with pytest.raises(ProofInvalid, match="do not lead"):
        proven_event(proof_of(3, extra=b"event 4"), [KEY.verifier])
    with pytest.raises(ProofInvalid, match="does not carry"):
        proven_event(proof_of(3), [KEY.verifier])


def test_a_proof_holds_for_no_other_event_and_under_no_other_key() -> None:
    proof = proof_of(3)
    with pytest.raises(ProofInvalid):
        check_proof(proof, leaf=merkle.leaf_hash(b"event 4"), keys=[KEY.verifier])
    with pytest.raises(ProofInvalid):
        check_proof(
            TlogProof(4, proof.hashes, proof.note), leaf=merkle.leaf_hash(EVENTS[3]), keys=[KEY.verifier]
        )
    with pytest.raises(CheckpointInvalid):
        check_proof(proof, leaf=merkle.leaf_hash(EVENTS[3]), keys=[OTHER.verifier])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n".join(["c2sp.org/tlog-proof@v2", *LINES[1:]]),
        "\n".join(LINES[1:]),
        "\n".join([LINES[0], *LINES[2:3], LINES[1], *LINES[3:]]),  # extra after index
        "\n".join([LINES[0], LINES[1], LINES[1], *LINES[2:]]),  # extra twice
        "\n".join([LINES[0], LINES[1], *LINES[3:]]),  # no index
        TEXT.replace("index 3", "index 03"),
        TEXT.replace("index 3", "index -3"),
        TEXT.replace("index 3", "index 3 "),
        TEXT.replace("index 3", "index 9223372036854775807"),
        TEXT.replace("index 3", "Index 3"),
        TEXT.replace("extra ZXZlbnQgMw==", "extra ZXZlbnQgMw"),
        TEXT.replace("extra ZXZlbnQgMw==", "extra "),
        TEXT.replace("extra ZXZlbnQgMw==", "extra ZXZlbnQgMx=="),  # bits that encoding would not set
        TEXT.replace(LINES[3], LINES[3][:-4] + "===="),
        TEXT.replace(LINES[3], LINES[3] + "AAAA"),
        TEXT.replace(LINES[3], ""),
        TEXT.replace("\n\nexample", "\nexample"),
        TEXT.replace("\n", "\r\n"),
        TEXT.replace("\n11\n", "\n011\n"),
        TEXT.rstrip("\n"),
        TEXT + "more\n",
        "\n".join([*LINES[:3], *[LINES[3]] * 64, *LINES[3:]]),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ProofInvalid):
        parse_proof(text)
