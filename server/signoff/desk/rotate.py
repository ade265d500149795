"""Rotate the keys of log and receipts, each rotation an event that the old and the new key signed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Literal

import anyio.to_thread
import orjson

from signoff.audit.keyring import (
    KeyNames,
    begin_revocation,
    begin_rotation,
    finish_rotation,
    finished_rotations,
    key_names,
    unfinished_rotations,
)
from signoff.audit.rotation import Purpose, Rotation, read_rotation
from signoff.desk.desk import Desk
from signoff.desk.moment import moment
from signoff.domain.clock import to_text
from signoff.domain.errors import Conflict, InvalidRequest, NotFound
from signoff.domain.event import SYSTEM, Draft
from signoff.store.unit import Unit

OVERLAP = timedelta(days=7)
SHORTEST_OVERLAP = timedelta(minutes=1)
"""A process that is signing at this moment with the key before finishes within it."""
LONGEST_OVERLAP = timedelta(days=365)


KeyState = Literal["current", "next", "overlap", "retired", "revoked"]


@dataclass(frozen=True, slots=True)
class KeyLine:
    """One signing key, for a list."""

    purpose: Purpose
    id: str
    """The key id of a signed note, or a receipt's `kid`."""
    public: str
    """The public key as rotations name it."""
    state: KeyState
    made_at: str | None
    """As events write times; None before the log's first event."""
    used_until: str | None
    """None while nothing follows it."""


async def rotate_key(desk: Desk, purpose: Purpose, *, overlap: timedelta = OVERLAP) -> Rotation:
    """Let a new key follow the current one; takes up a rotation that a crash has left under way.

    Args:
        overlap: How long both count: checkpoints carry both signatures until then.

    Raises:
        InvalidRequest: An overlap under a minute or over a year.
        Conflict: The overlap of the rotation before is not over.
    """
    if not SHORTEST_OVERLAP <= overlap <= LONGEST_OVERLAP:
        raise InvalidRequest("must be 1m to 365d.", field="overlap")
    async with desk.store.reading() as reader:
        now = await moment(desk, reader)
    begin = partial(
        begin_rotation, desk.keys.directory, purpose, at=to_text(now), until=to_text(now + overlap)
    )
    made = await anyio.to_thread.run_sync(begin)
    await settle_rotations(desk)
    return made


async def settle_rotations(desk: Desk) -> None:
    """Finish every rotation that is under way: first its event, then the new key signs."""
    for made in await anyio.to_thread.run_sync(unfinished_rotations, desk.keys.directory):

        async def note(unit: Unit, made: Rotation = made) -> None:
            recorded = [orjson.loads(body)["data"]["new"] for body in await unit.key_rotations()]
            if made.new not in recorded:  # another process may be at it, or a crash came after
                await unit.record(Draft("key.rotated", unit.now, SYSTEM, made.as_json()))

        await desk.store.write(note)
        await anyio.to_thread.run_sync(finish_rotation, desk.keys.directory, made.purpose)


async def rotated_again(unit: Unit, desk: Desk) -> None:
    """Record the finished rotations that a restored database has forgotten, in their order."""
    recorded = {orjson.loads(body)["data"]["new"] for body in await unit.key_rotations()}
    for made in await anyio.to_thread.run_sync(finished_rotations, desk.keys.directory):
        if made.new not in recorded:
            await unit.record(Draft("key.rotated", unit.now, SYSTEM, made.as_json()))


async def check_keys(desk: Desk) -> None:
    """Refuse keys that others have followed: nothing that they sign would count.

    Raises:
        Conflict: A key directory from before a rotation was put back.
    """
    async with desk.store.reading() as reader:
        followed = {orjson.loads(body)["data"]["old"] for body in await reader.key_rotations()}
    for names in await anyio.to_thread.run_sync(_names, desk.keys.directory) if followed else ():
        if names.current in followed:
            raise Conflict(
                f"The {names.purpose} key in {desk.keys.directory} was rotated out. Was an old copy of the keys"
                " restored? Restore the newest one; the log of a lost key cannot be signed on."
            )


async def revoke_key(desk: Desk, key_id: str, *, from_seq: int | None = None) -> KeyLine:
    """Let the signatures of a key that was rotated out count no more.

    Args:
        key_id: As `list_keys` has it.
        from_seq: The event number from which on; the next one if None. Checkpoints of larger logs that only this key
            signed then count for nothing, and neither does any receipt of it that is checked on its own.

    Raises:
        NotFound: No such key.
        Conflict: It signs now, or was revoked before.
        InvalidRequest: No such event yet.
    """
    found = next((one for one in await list_keys(desk) if one.id == key_id), None)
    if found is None:
        raise NotFound("There is no such key. See `signoff keys list`.")
    async with desk.store.reading() as reader:
        size = (await reader.head()).size
    if from_seq is not None and not 0 <= from_seq <= size:
        raise InvalidRequest(f"must be 0 to {size}, the number of the next event.", field="from")
    begin = partial(
        begin_revocation,
        desk.keys.directory,
        found.purpose,
        found.public,
        from_seq=size if from_seq is None else from_seq,
    )
    made = await anyio.to_thread.run_sync(begin)

    async def note(unit: Unit) -> None:
        if found.public in [orjson.loads(body)["data"]["key"] for body in await unit.key_revocations()]:
            raise Conflict("This key was revoked before.")
        await unit.record(Draft("key.revoked", unit.now, SYSTEM, made.as_json()))

    await desk.store.write(note)
    return replace(found, state="revoked")


async def list_keys(desk: Desk) -> list[KeyLine]:
    """Return the signing keys, those of the log first, oldest first."""
    names = await anyio.to_thread.run_sync(_names, desk.keys.directory)
    async with desk.store.reading() as reader:
        now = to_text(await moment(desk, reader))
        rotations = [read_rotation(orjson.loads(body)["data"]) for body in await reader.key_rotations()]
        first: Sequence[tuple[int, bytes]] = await anext(reader.events(), ())
    began = orjson.loads(first[0][1])["at"] if first else None
    follows, ends = {one.new: one.at for one in rotations}, {one.old: one.until for one in rotations}
    return [_line(one, public, follows.get(public, began), ends.get(public), now=now)
            for one in names for public in one.public]  # fmt: skip


def _names(directory: Path) -> list[KeyNames]:
    return [key_names(directory, "log"), key_names(directory, "receipt")]


def _line(names: KeyNames, public: str, made_at: str | None, until: str | None, *, now: str) -> KeyLine:
    state: KeyState = "retired"
    if public in names.revoked:
        state = "revoked"
    elif public == names.current:
        state = "current"
    elif public == names.next:
        state = "next"
    elif until is not None and until > now:
        state = "overlap"
    return KeyLine(names.purpose, names.id_of(public), public, state, made_at, until)
