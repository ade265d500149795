"""Anchors: the newest checkpoint at places outside the data directory, and the log held against them.

What lies in one place only can be put back to how it was yesterday, and nothing in it shows that. So the newest
checkpoint goes to every place in `anchors:`, each by a task of its own: one that is down holds up neither the others
nor any decision. What is known of each place lies in `anchors/`, outside the data directory, too:

    NAME.checkpoint    the newest checkpoint that the place took, a witness's cosignature in it
    NAME.held          a checkpoint that the place held and that this log did not contain
    NAME.json          since when it fails and why, or that it holds more than this log: `ahead`

A witness that holds a larger log than ours, or another one of the same size, says that ours was cut, restored or
forked. That stands in `NAME.json` until the witness takes a checkpoint again, and on such a log a desk is read-only.
After two people have recovered the log, places take the new history; a witness does not, for it cosigns one history
only. It is then said to fail, as one that is down.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path

import anyio
import orjson

from signoff.app.outbound import TIME_LIMIT_S, Reply, send
from signoff.audit.checkpoint import (
    MAX_NOTE_CHARS,
    Checkpoint,
    CheckpointInvalid,
    VerifierKey,
    verify_note,
)
from signoff.audit.cosignature import cosignatures_of, parse_witness_key
from signoff.config import Anchor, Config, FileAnchor, Home, HttpAnchor, WitnessAnchor
from signoff.desk.checkpoints import accepts
from signoff.desk.desk import Desk
from signoff.desk.follow import growth_between, log_keys, signed_head
from signoff.domain.clock import to_text
from signoff.domain.errors import NotFound, SignoffError
from signoff.store.unit import Unit

LOOK_EVERY_S = 5.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 300.0
ASK_WITHIN_S = 2.0
"""How long an opening waits for places outside; one that gives no answer is said, and is no reason not to open."""

_SIZE = re.compile(r"(0|[1-9][0-9]{0,18})\n?")

log = logging.getLogger("signoff.anchors")


class KnowsAnother(SignoffError):
    """A place that holds a signed checkpoint, or cosigned one, that this log does not contain."""

    code = "fork_suspected"

    def __init__(self, message: str, held: str | None = None) -> None:
        super().__init__(message)
        self.held = held
        """The checkpoint, as a signed note; None where the place shows none."""


class AnchorFailed(SignoffError):
    """A place that did not take a checkpoint."""

    code = "store_unavailable"


class KnowsGivenUp(AnchorFailed):
    """A witness that knows only the history which a recovery gave up."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one place."""

    label: str
    size: int = 0
    """Of the newest checkpoint that it took."""
    at: str = ""
    """When, UTC."""
    failing_since: str = ""
    error: str = ""
    failures: int = 0
    """In a row."""
    ahead: str = ""
    """Why the place says that this log is not the one that it knows; empty where it does not."""

    @property
    def pause_s(self) -> float:
        """Return how long to wait before the next try."""
        if not self.failures:
            return LOOK_EVERY_S
        return min(FIRST_PAUSE_S * 2.0 ** min(self.failures - 1, 10), LONGEST_PAUSE_S)


def name_of(anchor: Anchor) -> str:
    """Return what the files of a place are called."""
    place = anchor.path if isinstance(anchor, FileAnchor) else anchor.url
    return f"{anchor.kind}-{sha256(place.encode()).hexdigest()[:12]}"


def read_standing(home: Home, anchor: Anchor) -> Standing:
    """Return what is known of a place; one whose file is gone or damaged is as new."""
    try:
        return Standing(**orjson.loads((_folder(home) / f"{name_of(anchor)}.json").read_bytes()))
    except (OSError, ValueError, TypeError):
        return Standing(anchor.label)


def _keep(home: Home, anchor: Anchor, standing: Standing) -> None:
    write_whole(_folder(home) / f"{name_of(anchor)}.json", orjson.dumps(asdict(standing)).decode() + "\n")


def _folder(home: Home) -> Path:
    return home.anchor_file.parent


def write_whole(path: Path, text: str) -> None:
    """Put a file in place whole and on disk, or not at all."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


async def run_anchors(desk: Desk, config: Config) -> None:
    """Keep every place at the newest checkpoint until cancelled."""
    async with anyio.create_task_group() as places:
        for anchor in config.settings.anchors:
            places.start_soon(_follow, desk, config.home, anchor)


async def _follow(desk: Desk, home: Home, anchor: Anchor) -> None:
    while True:
        standing = await publish_to(desk, home, anchor)
        await anyio.sleep(standing.pause_s)


async def publish_to(
    desk: Desk, home: Home, anchor: Anchor, *, ask: bool = False, time_limit_s: float = TIME_LIMIT_S
) -> Standing:
    """Bring one place to the newest checkpoint if it is not there yet, and keep and return how that went.

    Args:
        ask: Speak to the place although it has the newest checkpoint: it may know another log than this.
    """
    before = await anyio.to_thread.run_sync(read_standing, home, anchor)
    try:
        async with desk.store.reading() as reader:
            head, note = await signed_head(desk, reader)
        if head.size == before.size and not (ask or before.failures or before.ahead):
            return before
        note = await _PUBLISH[type(anchor)](desk, anchor, head, note, _Asked(before.size, time_limit_s))
        await anyio.to_thread.run_sync(write_whole, _folder(home) / f"{name_of(anchor)}.checkpoint", note)
        after = Standing(anchor.label, head.size, to_text(desk.clock.now()))
        if before.failures:
            log.warning("%s took a checkpoint again, of %d events.", anchor.label, head.size)
    except NotFound:  # nothing is signed yet
        return before
    except KnowsAnother as error:
        if error.held is not None:
            held = _folder(home) / f"{name_of(anchor)}.held"
            await anyio.to_thread.run_sync(write_whole, held, error.held)
        after = _failed(desk, before, error.message, ahead=error.message)
        if after.ahead != before.ahead:
            log.error("ALARM. %s", error.message)  # noqa: TRY400 - a refusal, not a fault of ours
    except KnowsGivenUp as error:
        after = _failed(desk, before, error.message, ahead="")
    except SignoffError as error:
        after = _failed(desk, before, error.message, ahead=before.ahead)
    except OSError as error:
        after = _failed(desk, before, f"{anchor.label}: {error.strerror}", ahead=before.ahead)
    except Exception:
        log.exception("%s: internal error.", anchor.label)
        after = _failed(desk, before, f"{anchor.label}: internal error.", ahead=before.ahead)
    if after.error and after.error != before.error:
        log.error("The newest checkpoint is not kept elsewhere: %s", after.error)
    await anyio.to_thread.run_sync(_keep, home, anchor, after)
    return after


def _failed(desk: Desk, before: Standing, why: str, *, ahead: str) -> Standing:
    since = before.failing_since or to_text(desk.clock.now())
    return replace(before, failing_since=since, error=why, failures=before.failures + 1, ahead=ahead)


@dataclass(frozen=True, slots=True)
class _Asked:
    size: int
    """The size that the place had, as far as is known here."""
    time_limit_s: float


async def _to_file(desk: Desk, anchor: FileAnchor, head: Checkpoint, note: str, asked: _Asked) -> str:
    path = Path(anchor.path)
    held = await anyio.to_thread.run_sync(_read, path)
    if held is not None:
        await _check_held(desk, anchor, held)
    await anyio.to_thread.run_sync(write_whole, path, note)
    return note


async def _to_http(desk: Desk, anchor: HttpAnchor, head: Checkpoint, note: str, asked: _Asked) -> str:
    speak = partial(send, url=anchor.url, allow_private=anchor.allow_private, time_limit_s=asked.time_limit_s)
    # What is there is looked at before it is replaced: after a restore it is what shows the restore.
    reply = await speak("GET", most_bytes=MAX_NOTE_CHARS)
    if reply.status == 200:
        await _check_held(desk, anchor, reply.body)
    reply = await speak(anchor.method, content=note)
    if not 200 <= reply.status < 300:
        raise AnchorFailed(f"{anchor.label} answered with status {reply.status}.")
    return note


async def _check_held(desk: Desk, anchor: Anchor, held: str) -> None:
    """Hold what a place has against the log, before it is replaced.

    Raises:
        KnowsAnother: It is signed by the log's key and not of this log.
    """
    try:
        seen = verify_note(held, await log_keys(desk))
    except CheckpointInvalid as error:
        log.warning("%s held something else than a checkpoint of this log: %s", anchor.label, error.message)
        return
    recovery = await anyio.to_thread.run_sync(desk.signer.recovery)
    async with desk.store.reading() as reader:
        size = (await reader.head()).size
        if not await accepts(reader, size, seen, recovery=recovery):
            raise KnowsAnother(
                f"{anchor.label} holds a checkpoint of {seen.size} events that this log, of"
                f" {size}, does not contain: it was cut, restored from an old copy, or forked.",
                held,
            )


async def _given_up(desk: Desk) -> int:
    """Return the size of the largest history that a recovery of this log gave up, 0 where none was."""
    recovery = await anyio.to_thread.run_sync(desk.signer.recovery)
    if recovery is None:
        return 0
    async with desk.store.reading() as reader:
        size = (await reader.head()).size
        ours = [one for one in recovery.superseded if await accepts(reader, size, one, recovery=recovery)]
    return max((one.size for one in ours), default=0)


async def _to_witness(desk: Desk, anchor: WitnessAnchor, head: Checkpoint, note: str, asked: _Asked) -> str:
    try:
        return await _cosigned_by(desk, anchor, head, note, asked)
    except _Cosigned as error:
        if error.size <= await _given_up(desk):
            raise KnowsGivenUp(
                f"{anchor.label} cosigned {error.size} events of the history that a recovery gave up, and will cosign no"
                " other. Name another witness, or one with a new key."
            ) from None
        raise KnowsAnother(error.message) from None


class _Cosigned(SignoffError):
    """A witness that cosigned something else than this log; `size` says how much of it."""

    code = "fork_suspected"

    def __init__(self, size: int, message: str) -> None:
        super().__init__(message)
        self.size = size


async def _cosigned_by(desk: Desk, anchor: WitnessAnchor, head: Checkpoint, note: str, asked: _Asked) -> str:
    old = min(asked.size, head.size)
    for _ in range(3):
        async with desk.store.reading() as reader:
            growth = await growth_between(reader, old, head.size, note=note)
        reply = await send(
            "POST",
            anchor.url.rstrip("/") + "/add-checkpoint",
            content=growth.text,
            allow_private=anchor.allow_private,
            most_bytes=MAX_NOTE_CHARS,
            time_limit_s=asked.time_limit_s,
        )
        if reply.status == 200:
            return await _keep_cosignature(desk, anchor, head, note, reply)
        if reply.status == 422:
            raise _Cosigned(
                old,
                f"{anchor.label} refused the proof that this log, of {head.size} events, has only grown from the"
                f" {old} that it cosigned: this log is another one, or its history was rewritten.",
            )
        held = _SIZE.fullmatch(reply.body)
        if reply.status != 409 or held is None:
            raise AnchorFailed(f"{anchor.label} answered with status {reply.status}.")
        if int(held[1]) > head.size:
            raise _Cosigned(
                int(held[1]),
                f"{anchor.label} has cosigned {held[1]} events of this log, which has only {head.size} signed: it was"
                " cut, or restored from an old copy.",
            )
        if int(held[1]) == old == head.size:
            raise _Cosigned(
                old,
                f"{anchor.label} has cosigned another log of {old} events under this name and key: this one is a fork.",
            )
        old = int(held[1])
    raise AnchorFailed(f"{anchor.label} is asked by others at the same time; it is tried again.")


async def _keep_cosignature(
    desk: Desk, anchor: WitnessAnchor, head: Checkpoint, note: str, reply: Reply
) -> str:
    try:
        found = cosignatures_of(note + reply.body, [parse_witness_key(anchor.key)])
    except CheckpointInvalid as error:
        raise AnchorFailed(f"{anchor.label} answered with no cosignature: {error.message}") from None
    if not found:
        raise AnchorFailed(f"{anchor.label} cosigned with another key than the one in `anchors`.")

    async def keep(unit: Unit) -> None:
        await unit.add_cosignature(head.size, found[0].key.name, found[0].line)

    await desk.store.write(keep)
    return note + found[0].line


_PUBLISH: Mapping[type, Callable[..., Awaitable[str]]] = {
    FileAnchor: _to_file,
    HttpAnchor: _to_http,
    WitnessAnchor: _to_witness,
}
"""How a checkpoint comes to each kind of place; each returns the note to keep of it."""


def _read(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return file.read(MAX_NOTE_CHARS).decode("utf-8", errors="replace")
    except FileNotFoundError:
        return None


async def ask_places(desk: Desk, config: Config) -> None:
    """Ask every place what it knows of this log, all at once, and keep what they say.

    One that gives no answer within two seconds is said, and is no reason not to open.
    """
    async with anyio.create_task_group() as places:
        for anchor in config.settings.anchors:
            places.start_soon(
                partial(publish_to, desk, config.home, anchor, ask=True, time_limit_s=ASK_WITHIN_S)
            )


def known_notes(config: Config, keys: Sequence[VerifierKey]) -> list[tuple[Checkpoint, str]]:
    """Return the checkpoints of this log that places are known to hold; what the log's keys did not sign is none."""
    made = []
    for anchor in config.settings.anchors:
        for kept in ("checkpoint", "held"):
            note = _read(_folder(config.home) / f"{name_of(anchor)}.{kept}")
            if note is None:
                continue
            try:
                made.append((verify_note(note, keys), note))
            except CheckpointInvalid as error:
                log.warning("What %s holds is no checkpoint of this log: %s", anchor.label, error.message)
    return made


def says_another(config: Config) -> str | None:
    """Return what a witness says that cosigned more, or something else, than this log; None where none does.

    Other places show a checkpoint, which is among `known_notes`.
    """
    for anchor in config.settings.anchors:
        if isinstance(anchor, WitnessAnchor) and (ahead := read_standing(config.home, anchor).ahead):
            return ahead
    return None


def standings(config: Config) -> list[Standing]:
    """Return what is known of every place, in the order of the settings."""
    return [read_standing(config.home, anchor) for anchor in config.settings.anchors]
