"""Sign what is durable, and prove what is signed."""

from __future__ import annotations

import base64
from functools import partial
from typing import Any

import anyio

from signoff.audit import merkle
from signoff.audit.checkpoint import Checkpoint, CheckpointInvalid, parse_checkpoint, parse_note
from signoff.audit.keys import CheckpointRefused, KeyInvalid
from signoff.audit.receipt import unverified_fields
from signoff.audit.recovery import Allowed
from signoff.audit.tlog_proof import TlogProof
from signoff.desk.desk import Desk
from signoff.domain.errors import StoreUnavailable
from signoff.store.reader import Reader
from signoff.store.unit import Unit

TRIES = 5  # another process may sign a larger tree between our read and our signature


async def publish_checkpoint(desk: Desk) -> str | None:
    """Sign the log as it stands on disk and keep the signed note; None while the log is empty.

    Raises:
        StoreUnavailable: The log does not contain what was signed before: the database is an old copy or was
            changed, and nothing more is signed until that is settled. Or signing itself failed.
    """
    for _ in range(TRIES):
        # First what was signed, then the log: nothing is signed before it is in the log.
        last = await _last_signed(desk)
        async with desk.store.reading() as reader:
            head, newest = await reader.head(), await reader.newest_checkpoint()
            if last is not None and not await accepts(reader, head.size, last, recovery=_recovery(desk)):
                raise _contradicted()
        if head.size == 0:
            return None
        if newest is not None and _is_of(newest[1], last) and newest[0] == head.size:
            return newest[1]
        try:
            note = await anyio.to_thread.run_sync(partial(desk.signer.sign, head.size, head.root, at=head.at))
        except CheckpointRefused:
            continue
        except (OSError, KeyInvalid) as error:
            raise _unsigned() from error

        async def keep(unit: Unit, size: int = head.size, note: str = note) -> None:
            await unit.add_checkpoint(size, note)

        await desk.store.write(keep)
        return note
    raise _contradicted()


async def _last_signed(desk: Desk) -> Checkpoint | None:
    try:
        return await anyio.to_thread.run_sync(desk.signer.last)
    except (OSError, KeyInvalid) as error:
        raise _unsigned() from error


async def accepts(reader: Reader, size: int, signed: Checkpoint, *, recovery: Allowed | None) -> bool:
    """Say whether the log of `size` events goes on from a signed checkpoint.

    Either it contains what was signed, or two people allowed it to go on without (`recovery`), in an event that is
    in this log.
    """
    if await _contains(reader, size, signed):
        return True
    if recovery is None or signed not in recovery.superseded or size <= recovery.seq:
        return False
    return (await reader.nodes([(0, recovery.seq)]))[0, recovery.seq] == recovery.leaf


def _recovery(desk: Desk) -> Allowed | None:
    try:
        return desk.signer.recovery()
    except (OSError, KeyInvalid) as error:
        raise _unsigned() from error


async def _contains(reader: Reader, size: int, signed: Checkpoint) -> bool:
    """Say whether the log of `size` events begins with the one that was signed.

    The signer compares sizes only, so a restored copy that has grown past them would get a second history signed.
    """
    if size < signed.size:
        return False
    nodes = merkle.edge_nodes(signed.size)
    held = await reader.nodes(nodes)
    return merkle.root([held[node] for node in nodes]) == signed.root


def _is_of(note: str, signed: Checkpoint | None) -> bool:
    """Say whether a stored note states what the key signed last; a row alone proves nothing."""
    try:
        return checkpoint_of(note) == signed
    except CheckpointInvalid:
        return False


def _contradicted() -> StoreUnavailable:
    return StoreUnavailable(
        "The audit log on disk is not the one of which a checkpoint was signed before, so nothing is released."
        " Was an old copy of the database restored? Run `signoff audit verify`."
    )


def _unsigned() -> StoreUnavailable:
    return StoreUnavailable(
        "The audit log cannot be signed, so nothing is released. Check the keys directory: `signoff doctor`."
    )


async def cover(desk: Desk, seq: int) -> str:
    """Return a signed checkpoint that covers an event, making one if none does yet.

    Raises:
        StoreUnavailable: None can be made.
    """
    last = await _last_signed(desk)
    async with desk.store.reading() as reader:
        newest = await reader.newest_checkpoint()
    if newest is not None and newest[0] > seq and _is_of(newest[1], last):
        return newest[1]
    note = await publish_checkpoint(desk)
    if note is None:
        raise StoreUnavailable("The audit log is empty though this case is not; nothing is released.")
    return note


def checkpoint_of(note: str) -> Checkpoint:
    """Return what a signed note of our own states; its signature is not checked again."""
    return parse_checkpoint(parse_note(note).text)


async def footer(reader: Reader) -> str:
    """Return the newest checkpoint as alerts carry it: `audit 137 eH22nAG2`, size and start of the root."""
    newest = await reader.newest_checkpoint()
    if newest is None:
        return "audit 0"
    root = base64.b64encode(checkpoint_of(newest[1]).root).decode()
    return f"audit {newest[0]} {root[:8]}"


async def prove_events(reader: Reader, events: list[tuple[int, bytes]], note: str) -> dict[str, Any]:
    """Return events with the proof of each that the signed tree holds it.

    Returns:
        `checkpoint` (the signed note) and `events`: `seq`, `event` (its exact bytes as text), `leaf_hash`
        (hex) and `inclusion` (base64 hashes, lowest first; RFC 6962 §2.1.1). An event that is newer than the
        checkpoint has no `inclusion`.
    """
    size = checkpoint_of(note).size
    made = []
    for seq, body in events:
        entry: dict[str, Any] = {
            "seq": seq,
            "event": body.decode(),
            "leaf_hash": merkle.leaf_hash(body).hex(),
        }
        if seq < size:
            plan = merkle.plan_inclusion(seq, size)
            proof = plan.proof(await reader.nodes(plan.nodes))
            entry["inclusion"] = [base64.b64encode(one).decode() for one in proof]
        made.append(entry)
    return {"checkpoint": note, "events": made}


async def prove_event(reader: Reader, seq: int, note: str, *, event: bytes | None = None) -> TlogProof:
    """Return the proof that an event is under a signed checkpoint that covers it.

    Args:
        event: The event's bytes, for a proof that carries what it is about.
    """
    plan = merkle.plan_inclusion(seq, checkpoint_of(note).size)
    hashes = plan.proof(await reader.nodes(plan.nodes))
    return TlogProof(seq, tuple(hashes), note, event)


async def prove_receipt(reader: Reader, receipt: str, note: str) -> str | None:
    """Return the proof of the event that a receipt of our own names, with the event in it."""
    seq = unverified_fields(receipt).get("audit_seq")
    if type(seq) is not int or (event := await reader.event(seq)) is None:
        return None  # a row edited by hand; what is told beside it says so to whoever verifies
    return (await prove_event(reader, seq, note, event=event)).text
