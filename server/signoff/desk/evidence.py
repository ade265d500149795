"""Hand out what the log says, as a file that convinces a stranger (`audit/evidence.py`).

The event `export.made` is on disk before the file has its name, so nothing leaves unrecorded.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import anyio.to_thread
import orjson

from signoff import __version__
from signoff.audit import merkle
from signoff.audit.checkpoint import Checkpoint, CheckpointInvalid, verify_note
from signoff.audit.durable import sync_folder
from signoff.audit.evidence import (
    MOST_PROVEN,
    Consistency,
    Disclosure,
    EvidenceWriter,
    Facts,
    Payload,
    Scope,
)
from signoff.audit.fold import COMMITMENTS, ERASED
from signoff.audit.keys import PublicKeys, load_public
from signoff.desk.checkpoints import checkpoint_of, prove_event, publish_checkpoint
from signoff.desk.desk import Desk
from signoff.desk.masks import masked, masked_fired
from signoff.domain.canonical import canonical
from signoff.domain.clock import to_text
from signoff.domain.errors import InvalidRequest, LimitExceeded, NotFound, StoreUnavailable
from signoff.domain.event import SYSTEM, Actor, Draft
from signoff.store.reader import Reader
from signoff.store.unit import Unit
from signoff.triggers.load import LoadedPolicy

MOST_TOLD = 400
"""Events that the summary tells one by one."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be handed out: one case, or the events from one number or instant on, up to another number."""

    case: str | None = None
    first: int = 0
    last: int | None = None
    """None: up to the end of the log."""
    since: datetime | None = None


@dataclass(slots=True)
class Told:
    """What the summary for people is made of, gathered while the events are written."""

    facts: Facts
    note: str
    events: list[dict[str, Any]] = field(default_factory=list)
    """The first `MOST_TOLD`, parsed."""
    documents: dict[int, Any] = field(default_factory=dict)
    """Bundles by the number of the event that commits to them, as they are in the file; of one case only."""
    payloads: dict[tuple[int, str], Any] = field(default_factory=dict)
    """Other payloads of one case, likewise."""
    digests: dict[int, str] = field(default_factory=dict)
    """Leaf hashes in hex of the events that are told."""
    policies: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


async def export_evidence(
    desk: Desk,
    wanted: Wanted,
    *,
    out: Path,
    summary: Callable[[Told], str],
    payloads: Disclosure = "disclosed",
    checkpoints: Sequence[str] = (),
    by: Actor = SYSTEM,
    on_progress: Callable[[int, int], None] = lambda done, of: None,
) -> Facts:
    """Write an evidence file and return what it is about, once it is on disk and its export is an event.

    Args:
        out: A file that does not exist.
        summary: Makes the page for people.
        payloads: `masked` applies every mask of the policy, `withheld` leaves all payloads out.
        checkpoints: Signed checkpoints that the reader kept; the file then shows that the log still begins so.
        by: Who exports, for the log.

    Raises:
        NotFound: No such case, or no such events.
        InvalidRequest: The file exists, or a checkpoint is not one of this log.
        LimitExceeded: Too many events for a file that proves each of them.
        StoreUnavailable: Nothing was exported: the disk is full, or the log cannot be signed or written.
    """
    keys = await anyio.to_thread.run_sync(load_public, desk.keys.directory)
    kept = [_kept(note, keys) for note in checkpoints]
    if await anyio.Path(out).exists():
        raise InvalidRequest(
            f"{out} exists, and an export never replaces a file. Name a new one.", field="out"
        )
    note = await publish_checkpoint(desk)
    if note is None:
        raise NotFound("The log is empty; there is nothing to export.")
    policy = desk.policy.current() if payloads == "masked" else None
    part = out.with_name(f"{out.name}.part")
    try:
        file = await anyio.to_thread.run_sync(_create, part)
        with file:
            async with desk.store.snapshot() as reader:
                source = await plan(reader, wanted, size=checkpoint_of(note).size)
                facts = Facts(
                    log=desk.keys.origin,
                    scope=source.scope,
                    escalation=wanted.case,
                    first=source.first,
                    last=source.last,
                    events=source.count,
                    size=checkpoint_of(note).size,
                    payloads=payloads,
                    made_at=to_text(desk.clock.now()),
                    signoff_version=__version__,
                )
                made = await write_evidence(
                    file,
                    reader,
                    source,
                    facts=facts,
                    note=note,
                    keys=keys,
                    policy=policy,
                    kept=kept,
                    summary=summary,
                    on_progress=on_progress,
                )
            await anyio.to_thread.run_sync(_to_disk, file)
        await _record(desk, made, by=by, digest=await anyio.to_thread.run_sync(_digest, part))
        await anyio.to_thread.run_sync(_put_in_place, part, out)
    except OSError as error:
        why = (error.strerror or "unknown error").lower()
        raise StoreUnavailable(
            f"The export cannot be written to {out}: {why}. Nothing was exported."
        ) from error
    finally:
        await anyio.Path(part).unlink(missing_ok=True)
    return made


@dataclass(frozen=True, slots=True)
class Source:
    """Which events go into a file; `of_case` holds those of a case, the others are read as they are written."""

    scope: Scope
    first: int
    last: int
    count: int
    of_case: tuple[tuple[int, bytes], ...] = ()


async def plan(reader: Reader, wanted: Wanted, *, size: int) -> Source:
    """Return which events go into a file, given the size of the checkpoint that will cover them.

    Raises:
        NotFound: No such case, or no such events.
        LimitExceeded: Too many events for a file that proves each of them.
    """
    if wanted.case is not None:
        events = await _events_of_case(reader, wanted.case, size=size)
        return Source("case", events[0][0], events[-1][0], len(events), tuple(events))
    first = wanted.first
    if wanted.since is not None:
        found = await reader.first_event_since(wanted.since)
        first = size if found is None else found
    last = size - 1 if wanted.last is None else wanted.last
    if not 0 <= first <= last < size:
        raise NotFound(f"There are no such events: the signed log has {size}, numbered 0 to {size - 1}.")
    if (first, last) == (0, size - 1):
        return Source("log", first, last, size)
    if last - first >= MOST_PROVEN:
        raise LimitExceeded(
            "the range", f"{MOST_PROVEN} events, or all of them", f"{last - first + 1} events"
        )
    return Source("range", first, last, last - first + 1)


async def _events_of_case(reader: Reader, case_id: str, *, size: int) -> list[tuple[int, bytes]]:
    events = (
        [one for one in await reader.events_of_case(case_id) if one[0] < size] if case_id.isascii() else []
    )
    if not events:
        raise NotFound("There is no such case, or nothing of it is in the log. Check the id.")
    gone = set()
    for seq, raw in events:
        record = orjson.loads(raw)
        for name in COMMITMENTS.get(record["type"], ()):
            made = record["data"].get(name)
            if made is not None and await reader.payload(seq, name) is None:
                gone.add(made)
    if gone:  # whatever erased them may have erased more, and be filed elsewhere
        held = {seq for seq, _ in events}
        for seq, raw in await reader.events_of_type(ERASED, after=events[0][0]):
            if seq < size and seq not in held and gone & set(orjson.loads(raw)["data"].get("parts", ())):
                events.append((seq, raw))
    return sorted(events)


async def _batches(reader: Reader, source: Source) -> AsyncIterator[Sequence[tuple[int, bytes]]]:
    if source.scope == "case":
        yield source.of_case
        return
    async for batch in reader.events(source.first):
        yield [one for one in batch if one[0] <= source.last]
        if batch[-1][0] >= source.last:
            return


async def write_evidence(
    file: IO[bytes],
    reader: Reader,
    source: Source,
    *,
    facts: Facts,
    note: str,
    keys: PublicKeys,
    policy: LoadedPolicy | None,
    kept: Sequence[tuple[Checkpoint, str]],
    summary: Callable[[Told], str],
    on_progress: Callable[[int, int], None],
) -> Facts:
    """Write a file from one unchanging view of the store; memory does not grow with the log but by 100 bytes an event.

    Args:
        policy: Whose masks hide parts of the payloads; None for no masks.

    Raises:
        InvalidRequest: The log does not begin as one of the checkpoints that were kept says.
    """
    writer, told = EvidenceWriter(file), Told(facts, note)
    asked: list[tuple[int, str]] = []
    with writer.events() as lines:
        async for batch in _batches(reader, source):
            for seq, raw in batch:
                lines.write(raw + b"\n")
                record = orjson.loads(raw)
                asked += [(seq, name) for name in _parts(record)]
                if len(told.events) < MOST_TOLD:
                    told.events.append(record)
                    told.digests[seq] = merkle.leaf_hash(raw).hex()
            on_progress(
                min(batch[-1][0], source.last) - source.first if batch else 0, source.last - source.first + 1
            )
    if source.scope != "log":
        for seq in [one for one, _ in source.of_case] or range(source.first, source.last + 1):
            writer.proof(seq, (await prove_event(reader, seq, note)).text)
    await _write_parts(writer, reader, asked, told=told, policy=policy)
    for checkpoint, old in kept:
        writer.add(
            f"consistency/{checkpoint.size}.txt",
            (await _consistency(reader, checkpoint, old, note)).text.encode(),
        )
    names = await _names(reader, told.events)
    told.facts = made = replace(facts, names=names)
    told.keys = tuple(key.text for key in keys.log)
    writer.keys(keys)
    writer.add("checkpoint.txt", note.encode())
    writer.add("evidence.json", made.raw)
    writer.add("index.html", summary(told).encode())
    writer.finish()
    return made


def _parts(record: dict[str, Any]) -> list[str]:
    """Return what goes with an event: its payloads, its receipt and its policy, by their names in `data`."""
    names = (*COMMITMENTS.get(record["type"], ()), "receipt", "policy_digest")
    return [name for name in names if isinstance(record["data"].get(name), str)]


async def _write_parts(
    writer: EvidenceWriter,
    reader: Reader,
    asked: Sequence[tuple[int, str]],
    *,
    told: Told,
    policy: LoadedPolicy | None,
) -> None:
    policies: dict[str, None] = {}
    for seq, name in asked:
        if name == "receipt":
            if (token := await reader.receipt_of_event(seq)) is not None:
                writer.add(f"receipts/{seq}.jwt", token.encode())
        elif name == "policy_digest":
            raw = await reader.event(seq)
            digest = orjson.loads(raw or b"{}")["data"]["policy_digest"]
            if digest not in policies and (text := await reader.policy_text(digest)) is not None:
                policies[digest] = None
                writer.policy(digest, text)
        elif told.facts.payloads != "withheld" and (row := await reader.payload(seq, name)) is not None:
            made = Payload(seq, name, row.data, row.salt)
            if policy is not None:
                made = Payload(seq, name, _masked(name, row.data, policy), None)
            writer.payload(made)
            if told.facts.scope == "case":
                if name == "bundle":
                    told.documents[seq] = _json(made.data)
                else:
                    told.payloads[seq, name] = _json(made.data)
    told.policies = tuple(policies)


def _masked(name: str, data: bytes, policy: LoadedPolicy) -> bytes:
    """Apply the policy's masks; a decision's arguments are hidden as those of the action are."""
    document, masks = _json(data), policy.policy.masks
    if name == "bundle":
        shown = masked(document, masks)[0]
        verdict = shown.get("verdict") if isinstance(shown, dict) else None
        if isinstance(verdict, dict):
            fired = masked_fired(verdict.get("fired", ()), masks, policy.signals)
            shown = {**shown, "verdict": {**verdict, "fired": fired}}
        return canonical(shown)
    if name == "decision" and isinstance(document, dict) and document.get("arguments") is not None:
        shown, _ = masked({"action": {"arguments": document["arguments"]}}, masks)
        action = shown["action"]
        document["arguments"] = action["arguments"] if isinstance(action, dict) else action
    return canonical(document)


def _json(data: bytes) -> Any:
    """Read a payload; what somebody put there by hand is handed out as it is, for the verifier to name."""
    try:
        return orjson.loads(data)
    except ValueError:
        return data.decode("utf-8", errors="backslashreplace")


async def _consistency(reader: Reader, old: Checkpoint, note: str, newer: str) -> Consistency:
    size = checkpoint_of(newer).size
    edge = merkle.edge_nodes(old.size)
    if old.size > size or merkle.root([*(await reader.nodes(edge)).values()]) != old.root:
        raise InvalidRequest(
            f"the log does not begin as the checkpoint of size {old.size} says; run `signoff audit verify`.",
            field="checkpoint",
        )
    plan = merkle.plan_consistency(old.size, size)
    return Consistency(old.size, tuple(plan.proof(await reader.nodes(plan.nodes))), note)


def _kept(note: str, keys: PublicKeys) -> tuple[Checkpoint, str]:
    try:
        return verify_note(note, keys.log), note
    except CheckpointInvalid as error:
        raise InvalidRequest(
            f"a checkpoint is not one of this log: {error.message}", field="checkpoint"
        ) from None


async def _names(reader: Reader, events: Sequence[dict[str, Any]]) -> dict[str, str]:
    ids = {event["actor"].get("id") for event in events} | {event["data"].get("person") for event in events}
    for event in events:
        ids |= {*event["data"].get("decided_by", ()), event["data"].get("agent")}
    made = {}
    for one in sorted(one for one in ids if isinstance(one, str)):
        found = await reader.person(one) or await reader.agent(one)
        if found is not None:
            made[one] = found.name
    return made


async def _record(desk: Desk, made: Facts, *, by: Actor, digest: str) -> None:
    data = {
        "format": made.format,
        "scope": made.scope,
        "first": made.first,
        "last": made.last,
        "events": made.events,
        "payloads": made.payloads,
        "file": digest,
    }

    async def write(unit: Unit) -> None:
        await unit.record(Draft("export.made", unit.now, by, data, made.escalation))

    await desk.store.write(write)


def _create(part: Path) -> IO[bytes]:
    handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    return os.fdopen(handle, "w+b")


def _to_disk(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def _put_in_place(part: Path, out: Path) -> None:
    if out.exists():
        raise FileExistsError(17, "it came there meanwhile")
    part.replace(out)
    sync_folder(out.parent)
