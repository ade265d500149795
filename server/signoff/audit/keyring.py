"""Rotating the keys in a home's directory, so that a crash at any point loses nothing and forges nothing.

    log.next.key    made by `begin`, beside the current key; its public half is published at once
    log.rotation    what both keys signed; the rotation is under way
    (the event `key.rotated` is appended)
    log.old.key     a copy of the key before, which goes on signing checkpoints too until the overlap is over
    log.key         replaced by log.next.key
    rotations       every rotation, one a line: a restored database may have forgotten the last ones
    log.rotated     log.rotation under its last name: the rotation is complete

Receipts have the same files but no `receipt.old.key`: nothing is signed twice, and the private key is gone at once.
Each step leaves something that the next call finds and finishes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from signoff.audit.checkpoint import parse_verifier_key
from signoff.audit.keys import (
    KEY_FILES,
    LOG_OLD_KEY,
    REVOKED,
    KeyInvalid,
    Keys,
    load_public,
    locked,
    private_jwk,
    public_jwk,
    publish_keys,
    read_key_file,
    read_receipt_key,
    read_signer,
    revoked_keys,
    signer_text,
    write_key_file,
)
from signoff.audit.rotation import (
    PURPOSES,
    Purpose,
    Revocation,
    Rotation,
    RotationInvalid,
    public_bytes,
    read_rotation,
)
from signoff.domain.errors import Conflict

ROTATIONS = "rotations"


def begin_rotation(directory: Path, purpose: Purpose, *, at: str, until: str) -> Rotation:
    """Make the next key and have both keys sign that it follows; an unfinished rotation is taken up again.

    Args:
        at, until: When the new key begins and the old one ends, as events write times.

    Raises:
        Conflict: The overlap of the rotation before is not over.
        KeyInvalid: A file does not hold what it should.
    """
    with locked(directory):
        under_way = _read(directory / f"{purpose}.rotation")
        if under_way is not None:
            return under_way
        before = _read(directory / f"{purpose}.rotated")
        if before is not None and before.until > at:
            raise Conflict(f"The last rotation overlaps until {before.until}. Wait until then.")
        next_path = directory / f"{purpose}.next.key"
        origin = read_signer(directory / KEY_FILES["log"]).name
        if not next_path.exists():
            private = Ed25519PrivateKey.generate()
            write_key_file(
                next_path, signer_text(origin, private) if purpose == "log" else private_jwk(private)
            )
        old, old_text = _key(directory / KEY_FILES[purpose], purpose)
        new, new_text = _key(next_path, purpose)
        _publish_next(directory, purpose)
        made = Rotation(purpose, origin, old_text, new_text, at, until).signed(old, new)
        text = orjson.dumps(made.as_json(), option=orjson.OPT_SORT_KEYS).decode("ascii") + "\n"
        write_key_file(directory / f"{purpose}.rotation", text, mode=0o644)
        return made


def unfinished_rotations(directory: Path) -> list[Rotation]:
    """Return the rotations that a crash, or another process, has left under way."""
    found = (_read(directory / f"{purpose}.rotation") for purpose in PURPOSES)
    return [one for one in found if one is not None]


def finish_rotation(directory: Path, purpose: Purpose) -> None:
    """Put the new key in the old one's place; its event is in the log. Nothing happens if that was done."""
    with locked(directory):
        path = directory / f"{purpose}.rotation"
        under_way = _read(path)
        if under_way is None:
            return
        current = directory / KEY_FILES[purpose]
        if _key(current, purpose)[1] == under_way.old:
            if purpose == "log":
                write_key_file(directory / "log.old.key", read_key_file(current))
            (directory / f"{purpose}.next.key").replace(current)
        _remember(directory / ROTATIONS, path)
        path.replace(directory / f"{purpose}.rotated")


def finished_rotations(directory: Path) -> list[Rotation]:
    """Return every rotation that was ever finished here, in their order.

    Raises:
        KeyInvalid: The file that remembers them is damaged.
    """
    path = directory / ROTATIONS
    if not path.exists():
        return []
    try:
        return [read_rotation(orjson.loads(line)) for line in path.read_bytes().splitlines()]
    except (ValueError, RotationInvalid):
        raise KeyInvalid(path, "not a list of rotations that both keys signed") from None


def _remember(rotations: Path, made: Path) -> None:
    """Add a rotation to those that are remembered, once, though a crash may come between; the lock is held."""
    held, line = rotations.read_text("ascii") if rotations.exists() else "", made.read_text("ascii")
    if line not in held:
        write_key_file(rotations, held + line, mode=0o644)


def _publish_next(directory: Path, purpose: Purpose) -> None:
    """Publish the next key beside the others; who checks signatures may read it before it is used."""
    log, receipt = (directory / (f"{one}.next.key" if one == purpose else KEY_FILES[one]) for one in PURPOSES)
    publish_keys(directory, Keys(directory, read_signer(log), read_receipt_key(receipt)))


def _key(path: Path, purpose: Purpose) -> tuple[Ed25519PrivateKey, str]:
    """Return a private key and its public half as rotations name it."""
    if purpose == "log":
        signer = read_signer(path)
        return signer.private, signer.verifier.text
    receipt = read_receipt_key(path)
    return receipt.private, receipt.jwk["x"]


def _read(path: Path) -> Rotation | None:
    try:
        value: Any = orjson.loads(path.read_bytes())
        return read_rotation(value)
    except FileNotFoundError:
        return None
    except (ValueError, RotationInvalid):
        raise KeyInvalid(path, "not a rotation that both keys signed") from None


def begin_revocation(directory: Path, purpose: Purpose, key: str, *, from_seq: int) -> Revocation:
    """Let a key that was followed by another sign nothing any more, and have the current one say so.

    Its event is still to be appended; until then the files alone say it, which is the safe side.

    Raises:
        Conflict: It is the current key.
    """
    with locked(directory):
        private, current = _key(directory / KEY_FILES[purpose], purpose)
        if key == current:
            raise Conflict("This key signs now. Rotate it first, then revoke it.")
        held = revoked_keys(directory)
        origin = read_signer(directory / KEY_FILES["log"]).name
        made = Revocation(purpose, origin, key, held.get(key, from_seq))
        held[key] = made.from_seq
        text = orjson.dumps(held, option=orjson.OPT_SORT_KEYS).decode("ascii") + "\n"
        write_key_file(directory / REVOKED, text, mode=0o644)
        old = directory / LOG_OLD_KEY
        if purpose == "log" and old.exists() and _key(old, "log")[1] == key:
            old.unlink()
        return replace(made, signature=private.sign(made.covered))


@dataclass(frozen=True, slots=True)
class KeyNames:
    """The public keys of one purpose, as rotations name them."""

    purpose: Purpose
    public: tuple[str, ...]
    """All of them, oldest first."""
    current: str
    next: str | None
    revoked: frozenset[str]

    def id_of(self, public: str) -> str:
        """Return the key id of a signed note, or a receipt's `kid`."""
        if self.purpose == "log":
            return parse_verifier_key(public).key_id.hex()
        return public_jwk(public_bytes("receipt", public, log=""))["kid"]


def key_names(directory: Path, purpose: Purpose) -> KeyNames:
    """Return the names of a purpose's keys."""
    with locked(directory):
        held = load_public(directory)
        following = directory / f"{purpose}.next.key"
        public = [key.text for key in held.log]
        if purpose == "receipt":
            public = [key["x"] for key in (held.receipts or {"keys": []})["keys"]]
        return KeyNames(
            purpose,
            tuple(public),
            _key(directory / KEY_FILES[purpose], purpose)[1],
            _key(following, purpose)[1] if following.exists() else None,
            frozenset(held.revoked),
        )
