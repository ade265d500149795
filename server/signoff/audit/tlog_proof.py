"""Proofs that an event is in the log, as files of their own (c2sp.org/tlog-proof).

    c2sp.org/tlog-proof@v1
    extra eyJhY3RvciI6…
    index 73894
    gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
    B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=

    example.com/log42
    923748
    nND/nri/U0xuHUrYSy0HtMeal2vzD9V4k/BO79C+QeI=

    — example.com/log42 Az3grlgtzPICa5OS8npVmf1Myq/…

The event's number, the hashes from its sibling up to the root's child (RFC 6962 §2.1.1), an empty line, and the
signed checkpoint word for word. `extra` may be absent. Nothing vouches for it; where signoff writes it, it holds the
event's exact bytes, which then prove themselves: their leaf hash is what the proof is about.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass

from signoff.audit.checkpoint import (
    MAX_NOTE_CHARS,
    MAX_SIZE,
    Checkpoint,
    CheckpointInvalid,
    VerifierKey,
    parse_checkpoint,
    parse_note,
    verify_note,
)
from signoff.audit.merkle import HASH_BYTES, check_inclusion, leaf_hash
from signoff.domain.errors import InvalidRequest
from signoff.domain.event import MAX_EVENT_BYTES

HEADER = "c2sp.org/tlog-proof@v1"
SUFFIX = ".tlog-proof"
MAX_HASHES = 63  # a tree of 2^63 leaves is 63 nodes high
MAX_PROOF_CHARS = MAX_NOTE_CHARS + 2 * MAX_EVENT_BYTES + 64 * (MAX_HASHES + 2)

_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")
_HASH_CHARS = 44  # base64 of 32 bytes


class ProofInvalid(InvalidRequest):
    """A proof that is malformed, or that does not show what it should."""


@dataclass(frozen=True, slots=True)
class TlogProof:
    """A proof taken apart; it means nothing until it has been checked."""

    index: int
    """The event's number."""
    hashes: tuple[bytes, ...]
    """From the leaf's sibling up to the root's child."""
    note: str
    """The signed checkpoint."""
    extra: bytes | None = None

    @property
    def text(self) -> str:
        """Return the file."""
        extra = [] if self.extra is None else [f"extra {_base64(self.extra)}"]
        lines = [HEADER, *extra, f"index {self.index}", *map(_base64, self.hashes), "", self.note]
        return "\n".join(lines)

    @property
    def checkpoint(self) -> Checkpoint:
        """Return what the note states, its signature not checked."""
        return parse_checkpoint(parse_note(self.note).text)


def parse_proof(text: str) -> TlogProof:
    """Take a proof apart without checking it.

    Raises:
        ProofInvalid: Any other form.
    """
    if len(text) > MAX_PROOF_CHARS:
        raise ProofInvalid(f"longer than {MAX_PROOF_CHARS} characters.", field="proof")
    head, gap, note = text.partition("\n\n")
    header, *lines = head.split("\n")
    if header != HEADER or not gap:
        raise ProofInvalid(f"its first line is not {HEADER}, or no checkpoint follows.", field="proof")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = _decoded(lines.pop(0).removeprefix("extra "), what="extra")
    found = _INDEX.fullmatch(lines.pop(0)) if lines else None
    if found is None or int(found[1]) >= MAX_SIZE:
        raise ProofInvalid("the line 'index' with a plain decimal number is missing.", field="proof")
    if len(lines) > MAX_HASHES or not all(len(line) == _HASH_CHARS for line in lines):
        raise ProofInvalid(f"at most {MAX_HASHES} hashes of 32 bytes follow, one a line.", field="proof")
    hashes = tuple(_decoded(line, what="a hash") for line in lines)
    if any(len(one) != HASH_BYTES for one in hashes):
        raise ProofInvalid("a hash is not 32 bytes.", field="proof")
    made = TlogProof(int(found[1]), hashes, note, extra)
    try:
        parse_checkpoint(parse_note(note).text)
    except CheckpointInvalid as error:
        raise ProofInvalid(f"its checkpoint: {error.message}", field="proof") from None
    return made


def check_proof(proof: TlogProof, *, leaf: bytes, keys: Iterable[VerifierKey]) -> Checkpoint:
    """Return the checkpoint under which a proof shows a leaf.

    Args:
        leaf: The leaf hash of the event's bytes (`merkle.leaf_hash`).
        keys: The log's keys that are trusted.

    Raises:
        ProofInvalid: The hashes do not lead from the leaf to the checkpoint's root.
        CheckpointInvalid: None of the keys signed the checkpoint.
    """
    checkpoint = verify_note(proof.note, keys)
    if not check_inclusion(leaf, proof.index, size=checkpoint.size, proof=proof.hashes, root=checkpoint.root):
        raise ProofInvalid(
            f"its hashes do not lead from event {proof.index} to the root of the checkpoint of size"
            f" {checkpoint.size}.",
            field="proof",
        )
    return checkpoint


def proven_event(proof: TlogProof, keys: Iterable[VerifierKey]) -> tuple[bytes, Checkpoint]:
    """Return the bytes of the event that a proof carries with it, once proven, and the checkpoint they are under.

    Raises:
        ProofInvalid: It carries no event, or does not prove it.
        CheckpointInvalid: None of the keys signed the checkpoint.
    """
    if proof.extra is None:
        raise ProofInvalid("it does not carry the event that it is about.", field="proof")
    return proof.extra, check_proof(proof, leaf=leaf_hash(proof.extra), keys=keys)


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _decoded(text: str, *, what: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not raw or _base64(raw) != text:
        raise ProofInvalid(f"{what} is not base64.", field="proof")
    return raw
