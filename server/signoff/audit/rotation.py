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

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from signoff.audit.checkpoint import (
    MAX_SIZE,
    Checkpoint,
    CheckpointInvalid,
    VerifierKey,
    parse_verifier_key,
    verify_note,
)
from signoff.audit.keys import Jwks, PublicKeys, public_jwk
from signoff.domain.canonical import canonical
from signoff.domain.errors import InvalidRequest

ROTATED = "key.rotated"
REVOKED = "key.revoked"
PREFIX = b"signoff/key-rotation/v1\n"
REVOCATION_PREFIX = b"signoff/key-revocation/v1\n"
Purpose = Literal["log", "receipt"]
PURPOSES: tuple[Purpose, ...] = ("log", "receipt")

_STATEMENT = ("purpose", "log", "old", "new", "at", "until")
_REVOCATION = ("purpose", "log", "key", "from_seq")


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


@dataclass(frozen=True, slots=True)
class Revocation:
    """Signatures of a key that do not count any more, said by the key that followed it."""

    purpose: Purpose
    log: str
    key: str
    from_seq: int
    signature: bytes = b""

    @property
    def covered(self) -> bytes:
        """Return what the current key signs."""
        return REVOCATION_PREFIX + canonical({name: getattr(self, name) for name in _REVOCATION})

    def as_json(self) -> dict[str, Any]:
        """Return the form that the event carries."""
        return {**{name: getattr(self, name) for name in _REVOCATION}, "signature": _text(self.signature)}


def read_revocation(value: Mapping[str, Any]) -> Revocation:
    """Read what `Revocation.as_json` wrote; the signature is checked by `signed_by`.

    Raises:
        RotationInvalid: Another form.
    """
    try:
        if value.keys() != {*_REVOCATION, "signature"} or value["purpose"] not in PURPOSES:
            raise _invalid()
        if type(value["from_seq"]) is not int or value["from_seq"] < 0:
            raise _invalid()
        raw = base64.b64decode(value["signature"], validate=True)
        return Revocation(
            value["purpose"], str(value["log"]), str(value["key"]), value["from_seq"], signature=raw
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise _invalid() from None


def signed_by(made: Revocation, public: str) -> bool:
    """Say whether a key, as rotations name it, signed a revocation."""
    try:
        key = Ed25519PublicKey.from_public_bytes(public_bytes(made.purpose, public, log=made.log))
        key.verify(made.signature, made.covered)
    except (InvalidSignature, CheckpointInvalid, ValueError):
        return False
    return True


class CheckpointUncounted(CheckpointInvalid):
    """A checkpoint that only a revoked key signed: it proves nothing, and its being there is no fault."""


class TrustedKeys:
    """The keys that a verifier trusts as it follows a log from the ones it was given.

    A key counts from the rotation that names it, signed by one that counted; the one before counts until the overlap
    is over, by the times of the events.
    """

    def __init__(self, given: PublicKeys) -> None:
        self._log: dict[str, VerifierKey] = {key.text: key for key in given.log}
        self._until: dict[str, str] = {}
        self._revoked = dict(given.revoked)
        self._receipts: Jwks | None = given.receipts
        self._receipt_text = orjson.dumps(given.receipts)

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
            self._receipt_text = orjson.dumps(self._receipts)
        return None

    def revoke(self, data: Mapping[str, Any], *, log: str) -> str | None:
        """Take a revocation from its event; returns what is wrong with it."""
        try:
            made = read_revocation(data)
        except RotationInvalid:
            return "revokes a key in another form"
        if made.purpose == "receipt" and self._receipts is None:
            return None
        known = list(self._log)
        if made.purpose == "receipt" and self._receipts is not None:
            known = [key["x"] for key in self._receipts["keys"]]
        others = [one for one in known if one not in self._until and one not in (made.key, *self._revoked)]
        if made.log != log or not any(signed_by(made, one) for one in others):
            return "revokes a key without the signature of the one in use"
        self._revoked[made.key] = made.from_seq
        return None

    def receipts_at(self, seq: int) -> bytes:
        """Return the keys that may have signed the receipt of an event, as JSON; null where receipts are not checked."""
        revoked = {key for key, since in self._revoked.items() if seq >= since}
        if self._receipts is None or not revoked:
            return self._receipt_text
        return orjson.dumps({"keys": [key for key in self._receipts["keys"] if key["x"] not in revoked]})

    def checkpoint(self, note: str, *, at: str) -> Checkpoint:
        """Return the checkpoint of a note that a key signed which counts at the time of the log's last event.

        Raises:
            CheckpointInvalid: None did.
            CheckpointUncounted: Only one that was revoked did.
        """
        counting = {
            text: key for text, key in self._log.items() if not text_before(self._until.get(text), at)
        }
        checkpoint = verify_note(note, counting.values())
        sure = [key for text, key in counting.items() if checkpoint.size <= self._revoked.get(text, MAX_SIZE)]
        try:
            return verify_note(note, sure)
        except CheckpointInvalid as error:
            raise CheckpointUncounted(str(error), field="checkpoint") from None

    def ever(self, note: str) -> Checkpoint:
        """Return the checkpoint of a note that a key signed which counted at any time, and was not revoked for it.

        Raises:
            CheckpointInvalid: None did.
        """
        checkpoint = verify_note(note, self._log.values())
        return verify_note(
            note,
            [key for text, key in self._log.items() if checkpoint.size <= self._revoked.get(text, MAX_SIZE)],
        )


def text_before(until: str | None, at: str) -> bool:
    """Say whether a time is over at another; None never is."""
    return until is not None and until < at


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _invalid() -> RotationInvalid:
    return RotationInvalid("not a rotation that both keys signed.", field="rotation")
