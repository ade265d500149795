"""Checkpoints: signed statements of how many events the log has and what its tree hash is.

The text is a C2SP tlog-checkpoint (c2sp.org/tlog-checkpoint) in a C2SP signed note (c2sp.org/signed-note):

    example.com/log42
    923748
    nND/nri/U0xuHUrYSy0HtMeal2vzD9V4k/BO79C+QeI=

    — example.com/log42 Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=

Origin, size, root in base64, an empty line, signatures (Ed25519 over everything before the empty line). A log's
key is named like its origin. Everything else is refused, extension lines too: signoff signs none, and nobody
could audit them.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from signoff.audit.merkle import HASH_BYTES
from signoff.domain.errors import InvalidRequest

MAX_NOTE_CHARS = 100_000
MAX_SIGNATURES = 64  # signed-note: at least 16 must be accepted; witnesses add one line each
MAX_SIZE = 2**63 - 1

_ED25519 = b"\x01"  # signed-note, "Signature types"
_KEY_ID_BYTES = 4
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
_NAME = re.compile(r"[^\s+]{1,255}")
_SIGNATURE = re.compile(r"— ([^\s+]{1,255}) ([A-Za-z0-9+/]{8,}={0,2})")


class CheckpointInvalid(InvalidRequest):
    """A checkpoint or note that is malformed, or that none of the given keys signed."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head: the log's name, its size, and its root at that size."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """Return the three lines that are signed, each with its newline."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode('ascii')}\n"


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key and the name it signs under."""

    name: str
    public: bytes
    """The Ed25519 public key, 32 bytes."""

    @property
    def key_id(self) -> bytes:
        """Return the 4 bytes that stand before each of its signatures."""
        return sha256(self.name.encode("utf-8") + b"\n" + _ED25519 + self.public).digest()[:_KEY_ID_BYTES]

    @property
    def text(self) -> str:
        """Return the form that people hand on: `name+id in hex+base64(0x01 || public key)`."""
        body = base64.b64encode(_ED25519 + self.public).decode("ascii")
        return f"{self.name}+{self.key_id.hex()}+{body}"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key and the name it signs under, which is the log's origin."""

    name: str
    private: Ed25519PrivateKey = field(repr=False)

    def __post_init__(self) -> None:
        check_name(self.name)

    @property
    def verifier(self) -> VerifierKey:
        """Return the public half."""
        return VerifierKey(self.name, self.private.public_key().public_bytes_raw())


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line of a note, not checked yet."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A note taken apart; its text means nothing until a signature has been checked."""

    text: str
    """What is signed, up to and with the newline before the empty line."""
    signatures: tuple[NoteSignature, ...]


def check_name(name: str) -> None:
    """Check that a name can stand as origin and key name: 1 to 255 characters, no space, no plus.

    Raises:
        CheckpointInvalid: It cannot.
    """
    if not _NAME.fullmatch(name) or _CONTROL.search(name):
        raise CheckpointInvalid(
            "a log's name has 1 to 255 characters, without spaces and plus signs.", field="origin"
        )


def parse_verifier_key(text: str) -> VerifierKey:
    """Read a verifier key, `name+id in hex+base64(0x01 || public key)`.

    Raises:
        CheckpointInvalid: Any other form, another kind of key, or an id that is not the key's.
    """
    name, key_id, body = [*text.split("+", 2), "", ""][:3]
    check_name(name)
    raw = _decode(body, what="the key")
    if len(raw) != 1 + 32 or raw[:1] != _ED25519:
        raise CheckpointInvalid("not an Ed25519 verifier key (name+id+base64).", field="key")
    made = VerifierKey(name, raw[1:])
    if key_id != made.key_id.hex():
        raise CheckpointInvalid(
            "the key's id is not the one of its name and key; was it mistyped?", field="key"
        )
    return made


def sign(checkpoint: Checkpoint, key: SigningKey, *others: SigningKey) -> str:
    """Return the signed note of a checkpoint.

    Args:
        others: Keys that sign beside it, during a rotation.

    Signs whatever it is given: the log itself signs through `keys.CheckpointSigner`, which remembers.

    Raises:
        CheckpointInvalid: The checkpoint is another log's, or one that `parse_checkpoint` would refuse.
    """
    parse_checkpoint(checkpoint.text)
    made = [checkpoint.text]
    for one in (key, *others):
        if checkpoint.origin != one.name:
            raise CheckpointInvalid("a log's key signs only its own log's checkpoints.", field="origin")
        body = one.verifier.key_id + one.private.sign(checkpoint.text.encode("utf-8"))
        made.append(f"— {one.name} {base64.b64encode(body).decode('ascii')}")
    return "\n".join([*made, ""])


def parse_checkpoint(text: str) -> Checkpoint:
    """Read a checkpoint's three lines, without signatures.

    Raises:
        CheckpointInvalid: Anything else.
    """
    lines = text.split("\n")
    if len(lines) != 4 or lines[3]:
        raise CheckpointInvalid("a checkpoint is three lines: origin, size, root.", field="checkpoint")
    origin, size, digest = lines[:3]
    check_name(origin)
    if not _SIZE.fullmatch(size) or int(size) > MAX_SIZE:
        raise CheckpointInvalid("the size is not a plain decimal number.", field="checkpoint")
    root = _decode(digest, what="the root")
    if len(root) != HASH_BYTES:
        raise CheckpointInvalid("the root is not 32 bytes.", field="checkpoint")
    return Checkpoint(origin, int(size), root)


def parse_note(text: str) -> Note:
    """Take a signed note apart without checking a signature.

    Raises:
        CheckpointInvalid: Not a signed note.
    """
    if len(text) > MAX_NOTE_CHARS or _CONTROL.search(text) or not text.endswith("\n"):
        raise CheckpointInvalid(
            "not a signed note: too long, cut off, or with control characters.", field="note"
        )
    body, gap, tail = text.rpartition("\n\n")
    lines = tail.split("\n")[:-1]
    if not gap or not 1 <= len(lines) <= MAX_SIGNATURES:
        raise CheckpointInvalid(
            f"not a signed note: 1 to {MAX_SIGNATURES} signature lines follow an empty line.", field="note"
        )
    return Note(body + "\n", tuple(map(_parse_signature, lines)))


def _parse_signature(line: str) -> NoteSignature:
    found = _SIGNATURE.fullmatch(line)
    if found is None:
        raise CheckpointInvalid("a signature line is '— name base64'.", field="note")
    raw = _decode(found[2], what="a signature")
    if len(raw) <= _KEY_ID_BYTES:
        raise CheckpointInvalid("a signature line holds no signature.", field="note")
    return NoteSignature(found[1], raw[:_KEY_ID_BYTES], raw[_KEY_ID_BYTES:])


def verify_note(text: str, keys: Iterable[VerifierKey]) -> Checkpoint:
    """Return the checkpoint of a note that one of the keys signed.

    Signatures of unknown keys are passed over (a key rotation and witnesses add them); one of a known key that is
    wrong spoils the note. The origin must be the name of the key that signed.

    Raises:
        CheckpointInvalid: Malformed, signed by none of the keys, or wrongly signed.
    """
    note = parse_note(text)
    checkpoint = parse_checkpoint(note.text)
    known = {(key.name, key.key_id): key for key in keys if key.name == checkpoint.origin}
    message, signed = note.text.encode("utf-8"), False
    for signature in note.signatures:
        key = known.get((signature.name, signature.key_id))
        if key is None:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(key.public).verify(signature.signature, message)
        except InvalidSignature:
            raise CheckpointInvalid("the signature is not of this text.", field="checkpoint") from None
        signed = True
    if not signed:
        raise CheckpointInvalid("none of the given keys signed it.", field="checkpoint")
    return checkpoint


def _decode(text: str, *, what: str) -> bytes:
    """Return base64 decoded, refusing every text but the one that encoding gives."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not raw or base64.b64encode(raw).decode("ascii") != text:
        raise CheckpointInvalid(f"{what} is not base64.", field="checkpoint")
    return raw
