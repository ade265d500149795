"""What a witness remembers, and the one decision it takes: to cosign a checkpoint or not.

    witness.key     its private key, 0600
    seen/           the last checkpoint cosigned of each log, a signed note named by the SHA-256 of the log's origin
    seen/*.fork     two checkpoints of one size that the log's key signed and that contradict each other: proof
    lock            held from reading what was seen until the new one is on disk

C2SP tlog-witness (c2sp.org/tlog-witness): the check of the old size, of the proof, and the keeping of the new
checkpoint are one step under the lock, and on disk before the cosignature leaves. Killed at any point, a witness has
at most remembered a checkpoint whose cosignature nobody got; it gives it to whoever asks again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from signoff.audit.checkpoint import (
    Checkpoint,
    CheckpointInvalid,
    VerifierKey,
    parse_checkpoint,
    parse_note,
    verify_note,
)
from signoff.audit.cosignature import WitnessSigner, parse_witness_signer
from signoff.audit.growth import Growth, parse_growth
from signoff.audit.keys import KeyInvalid, locked, read_key_file, write_key_file
from signoff.audit.merkle import EMPTY_ROOT
from signoff.domain.clock import Clock
from signoff.domain.errors import Conflict, InvalidRequest, SignoffError

KEY_FILE = "witness.key"
SEEN = "seen"
TEXT = "text/plain; charset=utf-8"
SIZE = "text/x.tlog.size"

log = logging.getLogger("signoff.witness")


class MemoryLost(SignoffError):
    """What a witness cosigned before is not known any more, so that it must not cosign anything."""

    code = "conflict"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to `add-checkpoint`."""

    status: int
    body: str
    content_type: str = TEXT


def create_key(directory: Path, name: str) -> WitnessSigner:
    """Make a witness's key, and the directory in which it remembers what it cosigned.

    Raises:
        CheckpointInvalid: The name cannot be a key's.
        Conflict: There is a key already; what it cosigned binds it.
    """
    signer = WitnessSigner(name, Ed25519PrivateKey.generate())
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(directory):
        if (directory / KEY_FILE).exists():
            raise Conflict(f"There is a key already, {directory / KEY_FILE}. Choose another directory.")
        (directory / SEEN).mkdir(mode=0o700, exist_ok=True)
        write_key_file(directory / KEY_FILE, signer.text)
    return signer


def load_signer(path: Path) -> WitnessSigner:
    """Read a witness's private key.

    Raises:
        KeyMissing: It is not there.
        KeyExposed: It is open to others.
        KeyInvalid: The file does not hold one.
    """
    text = read_key_file(path)
    try:
        return parse_witness_signer(text)
    except CheckpointInvalid as error:
        raise KeyInvalid(path, error.message) from None


def logs_of(keys: Iterable[VerifierKey]) -> dict[str, tuple[VerifierKey, ...]]:
    """Return keys by the origin of their log; a log has several while its keys are rotated."""
    made: dict[str, tuple[VerifierKey, ...]] = {}
    for key in keys:
        made[key.name] = (*made.get(key.name, ()), key)
    return made


class Witness:
    """Cosigns the checkpoints of known logs, and never two that contradict each other."""

    def __init__(
        self,
        directory: Path,
        signer: WitnessSigner,
        logs: Mapping[str, tuple[VerifierKey, ...]],
        *,
        clock: Clock,
    ) -> None:
        """Take up where it was.

        Raises:
            MemoryLost: The directory of what was seen is gone; a key is of no use without it.
        """
        if not (directory / SEEN).is_dir():
            raise MemoryLost(
                f"{directory / SEEN} is gone, and with it what this witness cosigned. Restore it, or retire the key:"
                " make a new one with `signoff witness keygen` and give its new name to the logs."
            )
        self._directory = directory
        self._signer = signer
        self._logs = logs
        self._clock = clock

    def add_checkpoint(self, body: str) -> Reply:
        """Answer `POST /add-checkpoint`. Waits for the lock and the disk: call it from a worker thread.

        Raises:
            MemoryLost: What was seen of this log cannot be read; nothing is cosigned until it can.
            OSError: The new checkpoint could not be kept; nothing was cosigned.
        """
        try:
            growth = parse_growth(body)
            new = growth.checkpoint
        except InvalidRequest as error:
            return Reply(400, f"{error.message}\n")
        keys = self._logs.get(new.origin)
        if keys is None:
            return Reply(404, "This log is not known here.\n")
        try:
            verify_note(growth.note, keys)
        except CheckpointInvalid as error:
            return Reply(403, f"{error.message}\n")
        if growth.old_size > new.size:
            return Reply(400, "The old size is larger than the checkpoint's.\n")
        with locked(self._directory):
            return self._decide(growth, new)

    def _decide(self, growth: Growth, new: Checkpoint) -> Reply:
        path = self._directory / SEEN / sha256(new.origin.encode("utf-8")).hexdigest()
        held_note, held = self._seen(path, new.origin)
        if growth.old_size != held.size:
            return Reply(409, f"{held.size}\n", SIZE)
        if new.size == held.size and new.root != held.root:
            self._keep_fork(path, held_note, growth.note)
            return Reply(409, f"{held.size}\n", SIZE)
        if not growth.shows(held.root):
            log.warning(
                "Refused a checkpoint of %s, of %d events: the proof does not hold.", new.origin, new.size
            )
            return Reply(422, "The proof does not show that the log has only grown.\n")
        if new != held or not held_note:
            write_key_file(path, growth.note)
        return Reply(200, self._signer.cosign(new.text, self._clock.now()))

    def _seen(self, path: Path, origin: str) -> tuple[str, Checkpoint]:
        """Return the note that was cosigned last and what it states; the empty log's before the first."""
        if not path.exists():
            return "", Checkpoint(origin, 0, EMPTY_ROOT)
        try:
            note = path.read_text(encoding="utf-8")
            return note, parse_checkpoint(parse_note(note).text)
        except (ValueError, CheckpointInvalid):
            raise MemoryLost(f"{path} is damaged: what was cosigned of {origin} is not known.") from None

    def _keep_fork(self, path: Path, held: str, other: str) -> None:
        log.error("FORK. The log's key signed two trees of one size; both are in %s.fork", path)
        evidence = path.with_name(f"{path.name}.fork")
        if not evidence.exists():
            write_key_file(evidence, f"{held}\n{other}")
