"""The signing keys: files in one directory, and the guard that never signs two histories.

    log.key       signs checkpoints: a note signer key, `PRIVATE+KEY+name+id+base64(0x01 || seed)`, 0600
    receipt.key   signs receipts: a private JWK (RFC 8037), 0600
    log.pub       the log's verifier keys, one a line, for those who only verify
    receipt.pub   the receipts' public keys as a JWK set (RFC 7517)
    log.signed    the last checkpoint that log.key signed
    log.recovered the last recovery that two people allowed, and the checkpoints that it gives up
    revoked       public keys that count no more, and the event number from which on
    lock          held while keys are made, rotated (`keyring.py`) and used, for several processes share one home

Log and receipt are different keys, so that neither signature can ever be taken for the other.
"""

from __future__ import annotations

import base64
import fcntl
import os
import re
import secrets
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from signoff.audit.checkpoint import (
    Checkpoint,
    CheckpointInvalid,
    SigningKey,
    VerifierKey,
    check_name,
    parse_verifier_key,
    sign,
    verify_note,
)
from signoff.audit.durable import sync_folder
from signoff.audit.recovery import Allowed, allowed_text, parse_allowed
from signoff.domain.canonical import canonical
from signoff.domain.errors import Conflict, Forbidden, InvalidRequest, NotFound

LOG_KEY = "log.key"
RECEIPT_KEY = "receipt.key"
LOG_PUBLIC = "log.pub"
RECEIPT_PUBLIC = "receipt.pub"
LAST_SIGNED = "log.signed"
REVOKED = "revoked"
LOG_OLD_KEY = "log.old.key"
LOG_ROTATED = "log.rotated"
RECOVERED = "log.recovered"
LOCK = "lock"
KEY_FILES = {"log": LOG_KEY, "receipt": RECEIPT_KEY}

_SIGNER = re.compile(r"PRIVATE\+KEY\+([^\s+]{1,255})\+([0-9a-f]{8})\+([A-Za-z0-9+/=]{44})\n?")

Jwks = dict[str, list[dict[str, str]]]
"""A JWK set of public Ed25519 keys, each with its `kid`."""


class KeyMissing(NotFound):
    """A key file that should be there is not."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"There is no key file {path}. `signoff init` makes missing keys; restore it from a backup otherwise."
        )
        self.path = path


class KeyExposed(Forbidden):
    """A private key that others on this machine can read, so that its signatures prove nothing."""

    def __init__(self, path: Path, mode: int) -> None:
        super().__init__(
            f"{path} is open to others (mode {mode:04o}) and is not used. Run: chmod 600 '{path}'"
        )
        self.path = path
        self.mode = mode


class KeyInvalid(InvalidRequest):
    """A key file that does not hold what it should."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} cannot be used: {why}. Restore it from a backup.")
        self.path = path


class CheckpointRefused(Conflict):
    """A checkpoint that contradicts one already signed; the log was cut, restored or forked."""

    def __init__(self, checkpoint: Checkpoint, last: Checkpoint) -> None:
        what = "is smaller" if checkpoint.size < last.size else "has the same size and another root"
        super().__init__(
            f"A checkpoint of {checkpoint.size} events was not signed: one of {last.size} events is signed already, "
            f"and this one {what}. The database is not the one that was signed; compare it with your backups."
        )
        self.size = checkpoint.size
        self.root = checkpoint.root
        self.last_size = last.size
        self.last_root = last.root


@dataclass(frozen=True, slots=True)
class ReceiptKey:
    """The private key that signs receipts."""

    kid: str
    """Its RFC 7638 thumbprint."""
    private: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def of(cls, private: Ed25519PrivateKey) -> ReceiptKey:
        """Return a key with its `kid`."""
        return cls(public_jwk(private.public_key().public_bytes_raw())["kid"], private)

    @property
    def jwk(self) -> dict[str, str]:
        """Return the public half as a JWK."""
        return public_jwk(self.private.public_key().public_bytes_raw())


@dataclass(frozen=True, slots=True)
class Keys:
    """The private keys of one home."""

    directory: Path
    log: SigningKey
    receipt: ReceiptKey

    @property
    def origin(self) -> str:
        """Return the log's name: the checkpoint's origin line, and `log` in every event."""
        return self.log.name

    def jwks(self) -> Jwks:
        """Return the public set that checks receipts, for `/.well-known/jwks.json`."""
        return {"keys": [self.receipt.jwk]}

    def public(self) -> PublicKeys:
        """Return what a verifier needs."""
        return PublicKeys((self.log.verifier,), self.jwks())


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """What a verifier needs, and all it needs."""

    log: tuple[VerifierKey, ...]
    """One at least; all have the log's name."""
    receipts: Jwks | None
    """None: receipts are compared with the log, which holds their digests, and their own signatures are not checked."""
    revoked: Mapping[str, int] = field(default_factory=dict)
    """Public keys, as rotations name them, and the event number from which on their signatures do not count."""

    @property
    def receipts_in_use(self) -> Jwks:
        """Return the keys that check a receipt on its own: a revoked one may have signed anything, under any date."""
        held = [] if self.receipts is None else self.receipts["keys"]
        return {"keys": [key for key in held if key["x"] not in self.revoked]}


def public_jwk(public: bytes) -> dict[str, str]:
    """Return an Ed25519 public key as a JWK (RFC 8037) whose `kid` is its thumbprint (RFC 7638 §3)."""
    core = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(public)}
    kid = _base64url(sha256(canonical(core)).digest())
    return {**core, "alg": "Ed25519", "kid": kid, "use": "sig"}


def new_origin() -> str:
    """Return a name for a log that no other log has (tlog-checkpoint asks for a URL without a scheme)."""
    return f"signoff.local/{secrets.token_hex(8)}"


def create_keys(directory: Path, *, origin: str | None = None) -> Keys:
    """Make the keys that are missing and return all of them.

    Safe to repeat, and safe for processes that start at once: each key is made by one of them, and all get the same.

    Args:
        directory: Made with mode 0700 where it is missing.
        origin: The log's name, taken when its key is made; a unique one if None.

    Raises:
        KeyExposed: A private key is open to others.
        KeyInvalid: A file does not hold a key.
        CheckpointInvalid: The origin cannot be a log's name.
    """
    name = origin if origin is not None else new_origin()
    check_name(name)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(directory):
        if not (directory / LOG_KEY).exists():
            write_key_file(directory / LOG_KEY, signer_text(name, Ed25519PrivateKey.generate()))
        if not (directory / RECEIPT_KEY).exists():
            write_key_file(directory / RECEIPT_KEY, private_jwk(Ed25519PrivateKey.generate()))
        keys = load_keys(directory)
        publish_keys(directory, keys)
    return keys


def load_keys(directory: Path) -> Keys:
    """Read the private keys.

    Raises:
        KeyMissing: A file is not there.
        KeyExposed: A file is open to others.
        KeyInvalid: A file does not hold a key.
    """
    return Keys(directory, read_signer(directory / LOG_KEY), read_receipt_key(directory / RECEIPT_KEY))


def load_public(directory: Path) -> PublicKeys:
    """Read the public keys only; a verifier needs no more, and no private file has to be there.

    Raises:
        KeyMissing: A file is not there.
        KeyInvalid: A file does not hold keys.
    """
    receipts = directory / RECEIPT_PUBLIC
    return PublicKeys(
        log_verifiers(directory), parse_jwks(_read(receipts), receipts), revoked_keys(directory)
    )


def log_verifiers(directory: Path) -> tuple[VerifierKey, ...]:
    """Read the log's public keys, oldest first.

    Raises:
        KeyMissing: The file is not there.
        KeyInvalid: It does not hold keys.
    """
    log = directory / LOG_PUBLIC
    try:
        verifiers = tuple(map(parse_verifier_key, _read(log).split("\n")[:-1]))
    except CheckpointInvalid as error:
        raise KeyInvalid(log, str(error)) from None
    if not verifiers:
        raise KeyInvalid(log, "it is empty")
    return verifiers


def revoked_keys(directory: Path) -> dict[str, int]:
    """Read which public keys were revoked, and from which event on.

    Raises:
        KeyInvalid: The file does not say.
    """
    path = directory / REVOKED
    if not path.exists():
        return {}
    try:
        return {str(key): int(seq) for key, seq in orjson.loads(_read(path)).items()}
    except (ValueError, TypeError, AttributeError):
        raise KeyInvalid(path, "not a list of revoked keys") from None


def receipt_key(keys: Keys) -> ReceiptKey:
    """Return the key that signs receipts now: another process may have rotated it since the desk was opened.

    Raises:
        KeyMissing: The file is not there.
        KeyExposed: It is open to others.
        KeyInvalid: It does not hold a key.
    """
    return read_receipt_key(keys.directory / RECEIPT_KEY)


def last_signed(directory: Path) -> str | None:
    """Return the last checkpoint that the log's key signed, as a note not yet checked; None before the first.

    It lies outside the database, so it shows a verifier that the database is an older copy.
    """
    path = directory / LAST_SIGNED
    return _read(path) if path.exists() else None


def parse_jwks(text: str, path: Path) -> Jwks:
    """Read a JWK set of public Ed25519 keys.

    Args:
        path: What an error calls it.

    Raises:
        KeyInvalid: It is none.
    """
    try:
        keys = orjson.loads(text)["keys"]
        made = [public_jwk(_from_base64url(key["x"])) for key in keys]
    except (ValueError, KeyError, TypeError):
        raise KeyInvalid(path, "not a JWK set of Ed25519 keys") from None
    if not made:
        raise KeyInvalid(path, "it is empty")
    return {"keys": made}


class CheckpointSigner:
    """Signs the log's checkpoints and never contradicts itself.

    The last checkpoint signed is kept beside the key and is on disk before its signature leaves this object, so
    neither a crash nor a second process makes the log state two histories. That a larger tree contains the smaller
    one is the caller's to know: compare `last` with the database when it is opened.
    """

    def __init__(self, keys: Keys) -> None:
        self._directory = keys.directory
        self._origin = keys.origin

    def last(self) -> Checkpoint | None:
        """Return the last checkpoint signed, None before the first.

        Raises:
            KeyInvalid: The file that remembers it is damaged.
        """
        note = last_signed(self._directory)
        if note is None:
            return None
        try:
            return verify_note(note, log_verifiers(self._directory))
        except CheckpointInvalid as error:
            raise KeyInvalid(self._directory / LAST_SIGNED, str(error)) from None

    def sign(self, size: int, root: bytes, *, at: str = "") -> str:
        """Return the signed note for a tree head that is already durable in the store.

        Waits for other processes that sign, and for the disk (milliseconds): call it from a worker thread. The key is
        read anew each time, so that one that another process has rotated out signs nothing alone.

        Args:
            at: The time of the tree's last event; up to the end of a rotation's overlap the key before signs too.

        Raises:
            CheckpointRefused: A larger size, or the same size with another root, was signed before.
            KeyInvalid: The file that remembers the last checkpoint is damaged; nothing was signed.
            OSError: The memory of it could not be written; nothing was signed.
        """
        checkpoint = Checkpoint(self._origin, size, root)
        with locked(self._directory):
            last = self.last()
            contradicts = last is not None and (size < last.size or (size == last.size and root != last.root))
            if last is not None and contradicts and not self._begins_anew(size, last):
                raise CheckpointRefused(checkpoint, last)
            note = sign(checkpoint, read_signer(self._directory / LOG_KEY), *self._before(at))
            if checkpoint != last:
                write_key_file(self._directory / LAST_SIGNED, note)
        return note

    def _before(self, at: str) -> list[SigningKey]:
        """Return the key before, while it still signs; its private file goes once it does not."""
        old, rotated = self._directory / LOG_OLD_KEY, self._directory / LOG_ROTATED
        if not old.exists() or not rotated.exists():
            return []
        if str(orjson.loads(_read(rotated))["until"]) < at:
            old.unlink()
            return []
        return [read_signer(old)]

    def recovery(self) -> Allowed | None:
        """Return the last recovery that two people allowed, None if there was none.

        Raises:
            KeyInvalid: The file that remembers it is damaged.
        """
        path = self._directory / RECOVERED
        if not path.exists():
            return None
        try:
            return parse_allowed(_read(path), log_verifiers(self._directory))
        except ValueError as error:
            raise KeyInvalid(path, str(error)) from None

    def allow(self, seq: int, leaf: bytes, superseded: list[str]) -> None:
        """Remember that event `seq` may open a new epoch; call it before that event is committed.

        Nothing comes of it unless exactly this event gets into the log.

        Args:
            superseded: The signed notes that the new history need not contain.

        Raises:
            ValueError: A note that this log's key did not sign.
            OSError: It could not be written.
        """
        text = allowed_text(seq, leaf, superseded)
        parse_allowed(text, log_verifiers(self._directory))
        with locked(self._directory):
            write_key_file(self._directory / RECOVERED, text)

    def _begins_anew(self, size: int, last: Checkpoint) -> bool:
        """Say whether a tree goes on from the recorded recovery that gave up what was signed last."""
        allowed = self.recovery()
        return allowed is not None and last in allowed.superseded and size > allowed.seq


@contextmanager
def locked(directory: Path) -> Generator[None]:
    """Hold the directory's lock; other processes and threads wait."""
    handle = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # flock and not lockf: a record lock is the process's, so it would not hold off a second thread.
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def write_key_file(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Put a file in place whole and on disk, or not at all; the lock is held."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)  # the rename itself


def publish_keys(directory: Path, keys: Keys) -> None:
    """Write the public halves beside older ones, which what they signed still needs; the lock is held."""
    log, receipts = directory / LOG_PUBLIC, directory / RECEIPT_PUBLIC
    lines = _read(log).split("\n")[:-1] if log.exists() else []
    if keys.log.verifier.text not in lines:
        write_key_file(log, "\n".join([*lines, keys.log.verifier.text, ""]), mode=0o644)
    held = parse_jwks(_read(receipts), receipts)["keys"] if receipts.exists() else []
    if keys.receipt.jwk not in held:
        write_key_file(
            receipts, orjson.dumps({"keys": [*held, keys.receipt.jwk]}).decode("ascii") + "\n", mode=0o644
        )


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise KeyMissing(path) from None
    except UnicodeDecodeError:
        raise KeyInvalid(path, "it is not text") from None


def read_key_file(path: Path) -> str:
    """Read a private file.

    Raises:
        KeyMissing: It is not there.
        KeyExposed: It is open to others.
    """
    try:
        mode = path.stat().st_mode & 0o7777
    except FileNotFoundError:
        raise KeyMissing(path) from None
    if mode & 0o077:
        raise KeyExposed(path, mode)
    return _read(path)


def signer_text(name: str, private: Ed25519PrivateKey) -> str:
    """Return a note signer key, in the form of golang.org/x/mod/sumdb/note."""
    body = base64.b64encode(b"\x01" + private.private_bytes_raw()).decode("ascii")
    return f"PRIVATE+KEY+{name}+{SigningKey(name, private).verifier.key_id.hex()}+{body}\n"


def read_signer(path: Path) -> SigningKey:
    """Read a log's private key.

    Raises:
        KeyMissing: The file is not there.
        KeyExposed: It is open to others.
        KeyInvalid: It does not hold a key.
    """
    found = _SIGNER.fullmatch(read_key_file(path))
    raw = base64.b64decode(found[3]) if found else b""
    if found is None or len(raw) != 33 or raw[0] != 1:
        raise KeyInvalid(path, "not a note signer key (PRIVATE+KEY+name+id+base64)")
    key = SigningKey(found[1], Ed25519PrivateKey.from_private_bytes(raw[1:]))
    if key.verifier.key_id.hex() != found[2]:
        raise KeyInvalid(path, "its id is not the one of its name and key")
    return key


def private_jwk(private: Ed25519PrivateKey) -> str:
    """Return a receipt key as a private JWK."""
    made = {**ReceiptKey.of(private).jwk, "d": _base64url(private.private_bytes_raw())}
    return orjson.dumps(made).decode("ascii") + "\n"


def read_receipt_key(path: Path) -> ReceiptKey:
    """Read the private key of receipts.

    Raises:
        KeyMissing: The file is not there.
        KeyExposed: It is open to others.
        KeyInvalid: It does not hold a key.
    """
    text = read_key_file(path)
    try:
        held: dict[str, Any] = orjson.loads(text)
        key = ReceiptKey.of(Ed25519PrivateKey.from_private_bytes(_from_base64url(held["d"])))
    except (ValueError, KeyError, TypeError):
        raise KeyInvalid(path, "not a private Ed25519 JWK") from None
    if held.get("x") != key.jwk["x"]:
        raise KeyInvalid(path, "its public half is not the private one's")
    return key


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
