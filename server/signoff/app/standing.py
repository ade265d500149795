"""How a database stands to what was signed before: whole, or behind or beside it, and then it is only read."""

from __future__ import annotations

from pathlib import Path

import anyio

from signoff.audit.checkpoint import Checkpoint, CheckpointInvalid, verify_note
from signoff.audit.keys import last_signed, log_verifiers
from signoff.config import Config
from signoff.desk.checkpoints import accepts
from signoff.desk.desk import Desk
from signoff.desk.erase import forget, replay
from signoff.domain.errors import Conflict
from signoff.store.unit import Unit

_UNTIL = (
    "Nothing is decided or stored until the newest database is put back, or two people recover the log"
    " (`signoff audit recover`)."
)


async def contradicting(config: Config, desk: Desk) -> list[str]:
    """Return the signed notes that are known of this log and that it does not contain, the largest last.

    Known are what the home signed last, what it keeps outside the data directory, and what places outside hold.

    Raises:
        Conflict: An anchor, or what remembers a recovery, is damaged.
    """
    notes = await anyio.to_thread.run_sync(_notes, config, desk)
    recovery = desk.signer.recovery()
    found = []
    # The notes are read before the log's size: the log only grows.
    async with desk.store.reading() as reader:
        size = (await reader.head()).size
        for checkpoint, note in notes:
            if not await accepts(reader, size, checkpoint, recovery=recovery):
                found.append(note)
    return found


async def why_read_only(config: Config, desk: Desk) -> str | None:
    """Return why nothing may be written here, None where the log is the one that was signed.

    The words are for everybody who asks, so they name no path.
    """
    notes = await contradicting(config, desk)
    if not notes:
        why = await anyio.to_thread.run_sync(_what_a_witness_says, config)
        return f"signoff is read-only here: {why} {_UNTIL}" if why is not None else None
    known = verify_note(notes[-1], log_verifiers(desk.keys.directory))
    async with desk.store.reading() as reader:
        size = (await reader.head()).size
    return (
        "signoff is read-only here: its audit log is not the one that was signed. A checkpoint of"
        f" {known.size} events is known, and the database, with {size}, does not contain it. Was an old copy restored?"
        f" {_UNTIL}"
    )


def _what_a_witness_says(config: Config) -> str | None:
    """Return what a witness says that knows more of this log than the log itself, and of which no checkpoint is here."""
    if not config.settings.anchors:
        return None
    from signoff.app.anchors import says_another  # brings an HTTP client, which most homes do without

    return says_another(config)


async def erase_again(desk: Desk) -> None:
    """Erase what a restored backup brought back, before it is served.

    Raises:
        StoreUnavailable: The file of erasures cannot be used, so nothing may be served.
    """
    if desk.erasures is None:
        return
    async with desk.store.reading() as reader:
        state = await reader.erasure_state()
    if await anyio.to_thread.run_sync(desk.erasures.size) == state.file_bytes:
        return

    async def move(unit: Unit) -> None:
        # A log that is not the one that was signed must not grow; the events follow when it is recovered.
        await (replay(unit, desk) if desk.store.read_only is None else forget(unit, desk))

    await desk.store.mend(move)


def _notes(config: Config, desk: Desk) -> list[tuple[Checkpoint, str]]:
    home = config.home
    made = [_checked(home.anchor_file, _read(home.anchor_file), desk)]
    made.append(_checked(desk.keys.directory / "log.signed", last_signed(desk.keys.directory), desk))
    if config.settings.anchors:
        from signoff.app.anchors import known_notes

        made += known_notes(config, log_verifiers(desk.keys.directory))
    # Mostly they are the same one.
    return sorted({one for one in made if one is not None}, key=lambda one: one[0].size)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from None


def _checked(path: Path, note: str | None, desk: Desk) -> tuple[Checkpoint, str] | None:
    if note is None:
        return None
    try:
        return verify_note(note, log_verifiers(desk.keys.directory)), note
    except CheckpointInvalid as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> Conflict:
    return Conflict(f"The checkpoint in {path} cannot be used: {error}. Restore it from a backup.")
