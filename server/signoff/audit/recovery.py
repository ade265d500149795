"""Recovery: two people let the log go on from a database that is behind, or beside, what was signed.

The event `log.recovered` is the first of a new epoch. It names the checkpoint that was signed before, the tree that
the log goes on from, and the two people:

    {"epoch":2, "restored_size":90, "restored_root":"base64", "old_size":104, "old_root":"base64",
     "old_note":"the signed note, whole", "people":["per_…","per_…"], "assurance":"none", "reason":"sha256:…"}

Events 90 to 103 of the old history are lost then; that one event says so for ever, to everybody who holds an older
checkpoint. The key directory remembers which event was allowed (`log.recovered`), so that nobody who only writes to
the database can open an epoch.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from signoff.audit.checkpoint import (
    Checkpoint,
    CheckpointInvalid,
    VerifierKey,
    parse_checkpoint,
    parse_note,
    verify_note,
)
from signoff.audit.merkle import HASH_BYTES

RECOVERED = "log.recovered"
RECOVERY_KINDS = frozenset({RECOVERED, "person.added", "person.changed", "person.disabled"})
"""The only events that `Recoveries.follow` need be given."""
MARK = b'"type":"log.recovered"'
"""Stands in the bytes of every such event, and of no other that is worth a second look."""
MAY_RECOVER = frozenset({"admin", "supervisor"})

_UNSIGNED = "recovers the log from a checkpoint that this log's key did not sign"
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Allowed:
    """A recovery that two people allowed, as the key directory remembers it."""

    seq: int
    """The number of its event."""
    leaf: bytes
    """The leaf hash of its event: this very event, and no other under that number."""
    superseded: tuple[Checkpoint, ...]
    """The checkpoints of the old history that the new one need not contain."""


def allowed_text(seq: int, leaf: bytes, notes: Iterable[str]) -> str:
    """Return the file that remembers an allowed recovery."""
    return orjson.dumps({"seq": seq, "leaf": leaf.hex(), "superseded": list(notes)}).decode() + "\n"


def parse_allowed(text: str, keys: Iterable[VerifierKey]) -> Allowed:
    """Read what `allowed_text` wrote.

    Raises:
        ValueError: Anything else, or a checkpoint that none of the keys signed.
    """
    trusted = list(keys)
    try:
        value = orjson.loads(text)
        seq, leaf, notes = value["seq"], value["leaf"], value["superseded"]
        if type(seq) is not int or not _HEX.fullmatch(leaf):
            raise ValueError("not a recovery")
        return Allowed(seq, bytes.fromhex(leaf), tuple(verify_note(note, trusted) for note in notes))
    except (KeyError, TypeError, CheckpointInvalid) as error:
        raise ValueError(str(error)) from None


def recovery_data(
    *, epoch: int, restored: Checkpoint, old: Checkpoint, old_note: str, people: Iterable[str], assurance: str
) -> dict[str, Any]:
    """Return the `data` of the event, without the reason that it commits to."""
    return {
        "epoch": epoch,
        "restored_size": restored.size,
        "restored_root": base64.b64encode(restored.root).decode("ascii"),
        "old_size": old.size,
        "old_root": base64.b64encode(old.root).decode("ascii"),
        "old_note": old_note,
        "people": list(people),
        "assurance": assurance,
    }


@dataclass(frozen=True, slots=True)
class Recovery:
    """A recovery as the log states it."""

    seq: int
    epoch: int
    old: Checkpoint
    people: tuple[str, ...]
    note: str = field(repr=False)
    """The signed note of the old checkpoint, whole."""

    @property
    def lost(self) -> int:
        """Return how many events the old history had beyond the point from which the new one goes on, at least."""
        return max(self.old.size - self.seq, 0)


class Recoveries:
    """Follows a log's recoveries, and the people who may make one, event by event."""

    def __init__(self, log: str) -> None:
        self._log = log
        self._people: dict[str, bool] = {}
        self.found: list[Recovery] = []

    def follow(
        self, seq: int, kind: str, data: Mapping[str, Any], *, root: bytes, sound: bool = True
    ) -> str | None:
        """Take the next event, and return what is wrong with it if it is a recovery.

        Args:
            root: Of the tree before the event; only looked at for a recovery.
            sound: False where that tree is broken already, so that a root says nothing.
        """
        if kind in ("person.added", "person.changed"):
            roles = data.get("roles")
            able = isinstance(roles, list) and bool(MAY_RECOVER.intersection(map(str, roles)))
            self._people[str(data.get("person"))] = able
        elif kind == "person.disabled":
            self._people.pop(str(data.get("person")), None)
        elif kind == RECOVERED:
            return self._recovery(seq, data, root, sound)
        return None

    def judge(self, signed: Callable[[str], Checkpoint]) -> list[tuple[int, str]]:
        """Drop recoveries from what no key of this log signed, and return the number of each and what is wrong.

        Only at the end of the log: a key may have followed another in the part that was lost, and the rotation is
        recorded again after the recovery.

        Args:
            signed: Returns the checkpoint of a note that a key of this log signed, or raises `CheckpointInvalid`.
        """
        wrong = []
        for one in self.found:
            try:
                if signed(one.note) == one.old:
                    continue
            except CheckpointInvalid:
                pass
            wrong.append((one.seq, _UNSIGNED))
        gone = {seq for seq, _ in wrong}
        self.found = [one for one in self.found if one.seq not in gone]
        return wrong

    def supersedes(self, size: int, root: bytes) -> bool:
        """Say whether a checkpoint that does not match is the one that a recovery names."""
        return any((one.old.size, one.old.root) == (size, root) for one in self.found)

    def hint(self, size: int) -> str:
        """Return what a checkpoint of some size that does not match may be, besides proof of a rewritten log."""
        for one in self.found:
            if one.seq < size <= one.old.size:
                return f"; or that checkpoint is of the history that was given up by the recovery at event {one.seq}"
        return ""

    def _recovery(self, seq: int, data: Mapping[str, Any], root: bytes, sound: bool) -> str | None:
        people = data.get("people")
        if not isinstance(people, list) or len(people) != 2 or len(set(map(str, people))) != 2:
            return "recovers the log without two people"
        for one in people:
            if str(one) not in self._people:
                return f"recovers the log in the name of {str(one)[:40]!r}, whom the log does not know"
            if not self._people[str(one)]:
                return (
                    f"recovers the log in the name of {str(one)[:40]!r}, who is neither admin nor supervisor"
                )
        try:
            note = str(data.get("old_note"))
            old = parse_checkpoint(parse_note(note).text)
        except CheckpointInvalid:
            return _UNSIGNED
        if (data.get("old_size"), data.get("old_root")) != (old.size, _text(old.root)):
            return "recovers the log from another checkpoint than the one it carries"
        if data.get("restored_size") != seq or (sound and data.get("restored_root") != _text(root)):
            return "recovers the log from another tree than the one before it"
        if old.size == seq and old.root == root:
            return "recovers a log that was whole"
        if data.get("epoch") != len(self.found) + 2:
            return f"opens epoch {str(data.get('epoch'))[:20]} where {len(self.found) + 2} comes next"
        self.found.append(Recovery(seq, len(self.found) + 2, old, tuple(map(str, people)), note))
        return None


def _text(root: bytes) -> str:
    assert len(root) == HASH_BYTES  # noqa: S101
    return base64.b64encode(root).decode("ascii")
