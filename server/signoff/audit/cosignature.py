"""Cosignatures: what witnesses add to a checkpoint, after they saw that the log has only grown.

The form is C2SP tlog-cosignature (c2sp.org/tlog-cosignature), Ed25519. In a note it is one more signature line,

    — witness.example/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==

base64 of the key's id, the POSIX time in 8 bytes and the signature, which is over

    cosignature/v1
    time 1679315147
    example.com/log42
    923748
    nND/nri/U0xuHUrYSy0HtMeal2vzD9V4k/BO79C+QeI=

and says: at this time, this was the largest tree of that log that the witness had seen, and all before lie in it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from signoff.audit.checkpoint import CheckpointInvalid, check_name, parse_checkpoint, parse_note

_COSIGNATURE = b"\x04"  # signed-note, "Signature types"
_TIME_BYTES, _SIGNATURE_BYTES = 8, 64
_MAX_TIME = 253402300799  # the end of year 9999, after which no calendar of ours goes
_VKEY = re.compile(r"([^\s+]{1,255})\+([0-9a-f]{8})\+([A-Za-z0-9+/=]{44})")


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """A witness's public key and the name it cosigns under."""

    name: str
    public: bytes
    """The Ed25519 public key, 32 bytes."""

    @property
    def key_id(self) -> bytes:
        """Return the 4 bytes that stand before each of its cosignatures."""
        return sha256(self.name.encode("utf-8") + b"\n" + _COSIGNATURE + self.public).digest()[:4]

    @property
    def text(self) -> str:
        """Return the form that people hand on: `name+id in hex+base64(0x04 || public key)`."""
        body = base64.b64encode(_COSIGNATURE + self.public).decode("ascii")
        return f"{self.name}+{self.key_id.hex()}+{body}"


@dataclass(frozen=True, slots=True)
class WitnessSigner:
    """A witness's private key."""

    name: str
    private: Ed25519PrivateKey = field(repr=False)

    def __post_init__(self) -> None:
        check_name(self.name)

    @property
    def key(self) -> WitnessKey:
        """Return the public half."""
        return WitnessKey(self.name, self.private.public_key().public_bytes_raw())

    @property
    def text(self) -> str:
        """Return the private key as it is kept, `PRIVATE+KEY+name+id+base64(0x04 || seed)`."""
        body = base64.b64encode(_COSIGNATURE + self.private.private_bytes_raw()).decode("ascii")
        return f"PRIVATE+KEY+{self.name}+{self.key.key_id.hex()}+{body}\n"

    def cosign(self, body: str, at: datetime) -> str:
        """Return the signature line for the three lines of a checkpoint, with its newline.

        Signs whatever it is given; the witness signs through `witness/state.py`, which remembers.
        """
        time_s = int(at.timestamp())
        signature = self.private.sign(_message(body, time_s))
        made = self.key.key_id + time_s.to_bytes(_TIME_BYTES, "big") + signature
        return f"— {self.name} {base64.b64encode(made).decode('ascii')}\n"


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A cosignature that was checked."""

    key: WitnessKey
    at: datetime
    """When the witness says that it cosigned, UTC."""
    line: str
    """The signature line, with its newline."""


def parse_witness_key(text: str) -> WitnessKey:
    """Read a witness's public key, `name+id in hex+base64(0x04 || public key)`.

    Raises:
        CheckpointInvalid: Any other form, another kind of key, or an id that is not the key's.
    """
    found = _VKEY.fullmatch(text)
    raw = base64.b64decode(found[3]) if found else b""
    if found is None or len(raw) != 33 or raw[:1] != _COSIGNATURE:
        raise CheckpointInvalid(
            "not a witness's key (name+id+base64, of the cosignature kind; see `signoff witness keygen`).",
            field="key",
        )
    check_name(found[1])
    made = WitnessKey(found[1], raw[1:])
    if found[2] != made.key_id.hex():
        raise CheckpointInvalid(
            "the key's id is not the one of its name and key; was it mistyped?", field="key"
        )
    return made


def parse_witness_signer(text: str) -> WitnessSigner:
    """Read a witness's private key.

    Raises:
        CheckpointInvalid: Not one that `WitnessSigner.text` wrote.
    """
    prefix, _, rest = text.removesuffix("\n").partition("PRIVATE+KEY+")
    found = _VKEY.fullmatch(rest)
    raw = base64.b64decode(found[3]) if found and not prefix else b""
    if found is None or len(raw) != 33 or raw[:1] != _COSIGNATURE:
        raise CheckpointInvalid("not a witness's private key.", field="key")
    made = WitnessSigner(found[1], Ed25519PrivateKey.from_private_bytes(raw[1:]))
    if made.key.key_id.hex() != found[2]:
        raise CheckpointInvalid("its id is not the one of its name and key.", field="key")
    return made


def cosignatures_of(note: str, keys: Iterable[WitnessKey]) -> list[Cosignature]:
    """Return the cosignatures of known witnesses on a note, one for each witness: its latest.

    Lines of others are passed over. The log's own signature is not looked at: `verify_note` does that.

    Raises:
        CheckpointInvalid: Not a signed checkpoint, or a line of a known witness is wrong, which spoils the note.
    """
    taken = parse_note(note)
    parse_checkpoint(taken.text)
    known = {(key.name, key.key_id): key for key in keys}
    made: dict[str, Cosignature] = {}
    for one in taken.signatures:
        key = known.get((one.name, one.key_id))
        if key is None:
            continue
        checked = _checked(taken.text, key, one.signature)
        if key.name not in made or made[key.name].at < checked.at:
            made[key.name] = checked
    return list(made.values())


def _checked(body: str, key: WitnessKey, raw: bytes) -> Cosignature:
    time_s = int.from_bytes(raw[:_TIME_BYTES], "big")
    wrong = CheckpointInvalid(f"the cosignature of {key.name} is not of this text.", field="checkpoint")
    if len(raw) != _TIME_BYTES + _SIGNATURE_BYTES or time_s > _MAX_TIME:
        raise wrong
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(raw[_TIME_BYTES:], _message(body, time_s))
    except InvalidSignature:
        raise wrong from None
    line = f"— {key.name} {base64.b64encode(key.key_id + raw).decode('ascii')}\n"
    return Cosignature(key, datetime.fromtimestamp(time_s, UTC), line)


def _message(body: str, time_s: int) -> bytes:
    return f"cosignature/v1\ntime {time_s}\n{body}".encode()
