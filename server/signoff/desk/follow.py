"""Let others follow the log: the published checkpoint, tiles, and proofs that it has only grown.

Nothing is served beyond the newest signed checkpoint: what is not signed yet may still be lost, and who followed it
would have seen another log.
"""

from __future__ import annotations

import base64
import logging
import re
from datetime import timedelta
from functools import partial
from typing import Any

import anyio.to_thread
import orjson

from signoff.audit import merkle
from signoff.audit.checkpoint import Checkpoint, CheckpointInvalid, VerifierKey, verify_note
from signoff.audit.growth import Growth
from signoff.audit.keys import load_public
from signoff.audit.tiles import TILE_HEIGHT, Tile, bundle
from signoff.desk.checkpoints import publish_checkpoint
from signoff.desk.desk import Desk
from signoff.domain.clock import from_text
from signoff.domain.errors import (
    Conflict,
    ForkSuspected,
    InvalidRequest,
    NotFound,
    SignoffError,
    StoreUnavailable,
)
from signoff.domain.event import Actor, Draft
from signoff.store.reader import Reader
from signoff.store.unit import Unit

PREFER_COSIGNED_FOR = timedelta(minutes=10)
"""How long an older checkpoint with cosignatures is shown instead of the newest without. Witnesses take seconds; when
they are away for longer, those who follow the log must not believe that it stands still."""
MOST_COSIGNATURES = 64
MOST_SUSPICIONS = 100
MAX_NOTE_KEPT = 4000

_FOOTER = re.compile(r"audit (0|[1-9][0-9]{0,18})(?: ([A-Za-z0-9+/]{8}))?…?")

log = logging.getLogger("signoff.audit")


class OtherLog(Conflict):
    """The start of a root, from an alert's footer, that is not this log's."""


async def signed_head(desk: Desk, reader: Reader) -> tuple[Checkpoint, str]:
    """Return the newest checkpoint and its signed note.

    Raises:
        NotFound: None has been signed yet.
        StoreUnavailable: The stored one is not signed by the log's key.
    """
    newest = await reader.newest_checkpoint()
    if newest is None:
        raise NotFound("No checkpoint has been signed yet.")
    try:
        return verify_note(newest[1], await log_keys(desk)), newest[1]
    except CheckpointInvalid:
        raise StoreUnavailable(
            "The newest checkpoint was not signed by the log's key. Run `signoff audit verify`."
        ) from None


async def log_keys(desk: Desk) -> tuple[VerifierKey, ...]:
    """Return the public keys that checkpoints of this log may be signed with, older ones included."""
    return (await anyio.to_thread.run_sync(partial(load_public, desk.keys.directory))).log


async def published_checkpoint(desk: Desk) -> str:
    """Return the checkpoint that the log shows to the world, with the cosignatures that it has.

    The newest that most witnesses cosigned, while that is at most ten minutes older than the newest; else that one.

    Raises:
        NotFound: None has been signed yet.
        StoreUnavailable: The stored one is not signed by the log's key.
    """
    async with desk.store.reading() as reader:
        _, note = await signed_head(desk, reader)
        newest = await reader.newest_checkpoint_row()
        cosigned = await reader.newest_cosigned(MOST_COSIGNATURES)
    if newest is None:
        return note
    since = from_text(newest.at) - PREFER_COSIGNED_FOR
    recent = [(row, lines) for row, lines in cosigned if from_text(row.at) >= since]
    if not recent:
        return note
    row, lines = max(recent, key=lambda one: (len(one[1]), one[0].size))
    return row.note + "".join(lines)


async def read_tile(desk: Desk, tile: Tile) -> bytes:
    """Return a tile of hashes, or a bundle of events.

    Raises:
        NotFound: No signed checkpoint covers all of it.
        StoreUnavailable: The stored tree has holes.
    """
    async with desk.store.reading() as reader:
        head, _ = await signed_head(desk, reader)
        if not tile.is_in(head.size):
            raise NotFound("No signed checkpoint covers that tile.")
        if tile.level is None:
            parts = await reader.bodies(tile.start, tile.width)
        else:
            parts = await reader.hashes(TILE_HEIGHT * tile.level, tile.start, tile.width)
    if len(parts) != tile.width:
        raise StoreUnavailable("The stored log has holes. Run `signoff audit verify`.")
    return bundle(parts) if tile.level is None else b"".join(parts)


async def growth_since(desk: Desk, old_size: int) -> Growth:
    """Return the proof that the log of the newest checkpoint begins with its first `old_size` events.

    Raises:
        NotFound: No signed checkpoint is that large.
    """
    async with desk.store.reading() as reader:
        head, note = await signed_head(desk, reader)
        if old_size > head.size:
            raise NotFound(f"The newest signed checkpoint has {head.size} events.")
        return await growth_between(reader, old_size, head.size, note=note)


async def growth_between(reader: Reader, old_size: int, size: int, *, note: str) -> Growth:
    """Return the proof from one size to that of a signed checkpoint of this log."""
    plan = merkle.plan_consistency(old_size, size)
    return Growth(old_size, tuple(plan.proof(await reader.nodes(plan.nodes))), note)


async def contains(reader: Reader, seen: Checkpoint) -> bool:
    """Say whether this log begins with the one of which somebody saw a checkpoint."""
    return seen.size <= (await reader.head()).size and await _root_at(reader, seen.size) == seen.root


async def compare(desk: Desk, seen: str, *, by: Actor, field: str = "seen_checkpoint") -> Growth:
    """Return the proof that this log has only grown since a checkpoint that somebody kept.

    Args:
        seen: A signed checkpoint of this log, word for word.
        by: Who shows it, for the event that a contradiction becomes.
        field: What a checkpoint that is none of this log is called in the error.

    Raises:
        InvalidRequest: It is no checkpoint that this log's key signed.
        ForkSuspected: It contradicts this log, which is an event from then on.
        StoreUnavailable: The log cannot be read or signed.
    """
    try:
        old = verify_note(seen, await log_keys(desk))
    except CheckpointInvalid as error:
        raise InvalidRequest(f"not a checkpoint of this log: {error.message}", field=field) from None
    async with desk.store.reading() as reader:
        size, holds = (await reader.head()).size, await contains(reader, old)
    if not holds:
        await _suspect(desk, old, seen, size=size, by=by)
        raise ForkSuspected(old.size, known_size=size)
    async with desk.store.reading() as reader:
        newest = await reader.newest_checkpoint()
    if newest is None or newest[0] < old.size:  # signed, and not stored before a crash
        await publish_checkpoint(desk)
    return await growth_since(desk, old.size)


async def _root_at(reader: Reader, size: int) -> bytes:
    nodes = merkle.edge_nodes(size)
    held = await reader.nodes(nodes)
    return merkle.root([held[node] for node in nodes])


async def _suspect(desk: Desk, seen: Checkpoint, note: str, *, size: int, by: Actor) -> None:
    """Record a checkpoint that contradicts the log, once, and say so loudly."""
    log.error(
        "FORK SUSPECTED. %s %s holds a signed checkpoint of %d events that this log, of %d, does not contain.",
        by.kind, by.id, seen.size, size,
    )  # fmt: skip
    root = base64.b64encode(seen.root).decode("ascii")
    data: dict[str, Any] = {"size": seen.size, "root": root, "known_size": size}
    if len(note) <= MAX_NOTE_KEPT:
        data["checkpoint"] = note

    async def move(unit: Unit) -> None:
        for body in await unit.forks_suspected(MOST_SUSPICIONS):
            if orjson.loads(body)["data"].get("root") == root:
                return
        await unit.record(Draft("audit.fork_suspected", unit.now, by, data))

    try:
        await desk.store.write(move)
    except SignoffError as error:
        log.error("That could not be recorded: %s", error.message)  # noqa: TRY400 - the refusal matters more


async def compare_footer(reader: Reader, text: str) -> Checkpoint | None:
    """Hold an alert's footer (`audit 137 eH22nAG2`) against the log, and return what the log says of that size.

    Returns:
        None where the footer says that nothing had been signed yet, with which any log agrees.

    Raises:
        InvalidRequest: It is no such footer.
        OtherLog: The log had, or has, other events.
    """
    found = _FOOTER.fullmatch(text.strip())
    if found is None or (found[2] is None) != (found[1] == "0"):
        raise InvalidRequest("write the footer as the alert had it: audit 137 eH22nAG2.", field="compare")
    size, name = int(found[1]), await reader.log_name()
    if size == 0:
        return None
    now = (await reader.head()).size
    if size > now:
        raise OtherLog(
            f"The alert was sent from a log of {size} events, and this one has only {now}: it was cut or restored."
        )
    root = await _root_at(reader, size)
    if not base64.b64encode(root).decode("ascii").startswith(found[2]):
        raise OtherLog(
            f"With {size} events this log has another root than the alert says: its history was changed."
        )
    return Checkpoint(name or "", size, root)
