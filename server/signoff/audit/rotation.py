r"""Key rotations: a statement that a key follows another, signed by both.

    purpose      log or receipt
    log          the log's name
    old, new     public keys: verifier keys (`name+id+base64`) of the log, `x` of a receipt's JWK
    at, until    when the new key begins, and until when the old one signs too

Canonical JSON (RFC 8785); each key signs `"signoff/key-rotation/v1\n" || statement`. The event `key.rotated` carries
statement and signatures, so whoever pinned a key once can follow the log to the ones of today.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from signoff.audit.checkpoint import (
    Checkpoint,
    CheckpointInvalid,
    VerifierKey,
    parse_verifier_key,
    verify_note,
)
from signoff.audit.keys import Jwks, PublicKeys, public_jwk
from signoff.audit.receipt import key_set
from signoff.domain.canonical import canonical
from signoff.domain.errors import InvalidRequest

ROTATED = "key.rotated"
PREFIX = b"signoff/key-rotation/v1\n"
Purpose = Literal["log", "receipt"]
PURPOSES: tuple[Purpose, ...] = ("log", "receipt")

_STATEMENT = ("purpose", "log", "old", "new", "at", "until")


class RotationInvalid(InvalidRequest):
    """A rotation that one of its two keys did not sign."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """One key follows another."""

    purpose: Purpose
    log: str
    old: str
    new: str
    at: str
    until: str
    by_old: bytes = b""
    by_new: bytes = b""

    @property
    def covered(self) -> bytes:
        """Return what both keys sign."""
        return PREFIX + canonical({name: getattr(self, name) for name in _STATEMENT})

    def signed(self, old: Ed25519PrivateKey, new: Ed25519PrivateKey) -> Rotation:
        """Return this rotation with both signatures."""
        return replace(self, by_old=old.sign(self.covered), by_new=new.sign(self.covered))

    def as_json(self) -> dict[str, Any]:
        """Return the form that the event carries."""
        signatures = {"old": _text(self.by_old), "new": _text(self.by_new)}
        return {**{name: getattr(self, name) for name in _STATEMENT}, "signatures": signatures}


def read_rotation(value: Mapping[str, Any]) -> Rotation:
    """Read what `Rotation.as_json` wrote, and check both signatures.

    Raises:
        RotationInvalid: Another form, or one of the keys did not sign it.
    """
    try:
        if value.keys() != {*_STATEMENT, "signatures"} or value["purpose"] not in PURPOSES:
            raise _invalid()
        signatures = value["signatures"]
        made = Rotation(
            **{name: str(value[name]) for name in _STATEMENT},  # type: ignore[arg-type]
            by_old=base64.b64decode(signatures["old"], validate=True),
            by_new=base64.b64decode(signatures["new"], validate=True),
        )
        for public, signature in ((made.old, made.by_old), (made.new, made.by_new)):
            key = Ed25519PublicKey.from_public_bytes(public_bytes(made.purpose, public, log=made.log))
            key.verify(signature, made.covered)
    except (InvalidSignature, CheckpointInvalid, KeyError, TypeError, ValueError, AttributeError):
        raise _invalid() from None
    return made


def public_bytes(purpose: Purpose, text: str, *, log: str) -> bytes:
    """Return the 32 bytes of a public key as a rotation names it.

    Raises:
        CheckpointInvalid: Not a verifier key, or another log's.
        ValueError: Not an `x`.
    """
    if purpose == "receipt":
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    key = parse_verifier_key(text)
    if key.name != log:
        raise CheckpointInvalid("the key is another log's.", field="key")
    return key.public


class TrustedKeys:
    """The keys that a verifier trusts as it follows a log from the ones it was given.

    A key counts from the rotation that names it, signed by one that counted; the one before counts until the overlap
    is over, by the times of the events.
    """

    def __init__(self, given: PublicKeys) -> None:
        self._log: dict[str, VerifierKey] = {key.text: key for key in given.log}
        self._until: dict[str, str] = {}
        self._receipts: Jwks | None = given.receipts
        self.receipts = None if given.receipts is None else key_set(given.receipts)

    def follow(self, data: Mapping[str, Any], *, log: str) -> str | None:
        """Take a rotation from its event; returns what is wrong with it."""
        try:
            made = read_rotation(data)
        except RotationInvalid:
            return "rotates a key without the signatures of both"
        if made.log != log or made.until < made.at:
            return "rotates a key of another log, or for no time"
        if made.purpose == "receipt":
            return self._follow_receipt(made)
        if made.old not in self._log or made.old in self._until:
            return "rotates a key that was not in use"
        self._log[made.new] = parse_verifier_key(made.new)
        self._until[made.old] = made.until
        return None

    def _follow_receipt(self, made: Rotation) -> str | None:
        if self._receipts is None:
            return None
        held = [key["x"] for key in self._receipts["keys"]]
        if made.old not in held:
            return "rotates a key that was not in use"
        if made.new not in held:
            new = public_jwk(public_bytes("receipt", made.new, log=made.log))
            self._receipts = {"keys": [*self._receipts["keys"], new]}
            self.receipts = key_set(self._receipts)
        return None

    def checkpoint(self, note: str, *, at: str) -> Checkpoint:
        """Return the checkpoint of a note that a key signed which counts at the time of the log's last event.

        Raises:
            CheckpointInvalid: None did.
        """
        return verify_note(
            note, [key for text, key in self._log.items() if not text_before(self._until.get(text), at)]
        )


def text_before(until: str | None, at: str) -> bool:
    """Say whether a time is over at another; None never is."""
    return until is not None and until < at


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _invalid() -> RotationInvalid:
    return RotationInvalid("not a rotation that both keys signed.", field="rotation")
