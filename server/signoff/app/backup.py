"""A copy of the database, taken while everything runs, verified, with the checkpoint that vouches for it beside."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import anyio

from signoff.app.hosting import publish
from signoff.app.opening import verify_database
from signoff.audit.durable import sync_folder
from signoff.audit.keys import load_public
from signoff.audit.report import Report
from signoff.config import Config
from signoff.desk.desk import Desk
from signoff.domain.errors import InvalidRequest, StoreUnavailable
from signoff.domain.event import SYSTEM, Draft
from signoff.store.sqlite import copy_database
from signoff.store.unit import Unit


class BackupBroken(StoreUnavailable):
    """The copy does not verify, and was removed: neither it nor the database may be relied on."""


async def back_up(
    desk: Desk, config: Config, out: Path, *, on_progress: Callable[[int, int], None]
) -> Report:
    """Copy the database into a new file, and return what verifying the copy found.

    `OUT.checkpoint` holds a signed checkpoint that the copy contains. Neither keys nor settings are in it.

    Raises:
        InvalidRequest: There is something already.
        StoreUnavailable: It cannot be written, or does not verify; nothing is left then.
    """
    beside = out.with_name(f"{out.name}.checkpoint")
    for path in (out, beside):
        if await anyio.Path(path).exists():
            raise InvalidRequest(f"{path} is there already, and a backup replaces nothing.", field="out")

    async def note(unit: Unit) -> None:
        await unit.record(Draft("backup.made", unit.now, SYSTEM, {}))

    await desk.store.write(note)  # before the copy, so that the copy itself says when it was made
    part = out.with_name(f"{out.name}.part")
    try:
        checkpoint = await publish(desk, config.home) or ""
        await anyio.to_thread.run_sync(copy_database, config.home.database, part)
        report = await verify_database(
            part,
            load_public(desk.keys.directory),
            on_progress=on_progress,
            anchors=[checkpoint] if checkpoint else [],
        )
        if not report.ok:
            raise BackupBroken(f"The copy does not verify: {report.problems[0]}. No backup was made.")
        await anyio.to_thread.run_sync(_put_in_place, part, out, beside, checkpoint)
    except OSError as error:
        raise StoreUnavailable(
            f"{out} cannot be written: {(error.strerror or 'unknown error').lower()}."
        ) from None
    finally:
        for leftover in (part, part.with_name(f"{part.name}-shm"), part.with_name(f"{part.name}-wal")):
            await anyio.Path(leftover).unlink(missing_ok=True)
    return report


def _put_in_place(part: Path, out: Path, beside: Path, checkpoint: str) -> None:
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(checkpoint)
        file.flush()
        os.fsync(file.fileno())
    part.replace(out)
    sync_folder(out.parent)
