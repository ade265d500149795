"""Erase what is due: each kind after its time, a case at a time, so that nobody waits for it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta

from signoff.desk.desk import Desk
from signoff.desk.erase import erase_older, scrub
from signoff.domain.erasure import Kind

log = logging.getLogger("signoff.retention")


async def erase_due(desk: Desk, keep_for: Mapping[Kind, timedelta]) -> int:
    """Erase what is older than its kind is kept, and return how many cases lost something.

    Cases under legal hold, and those that may still be used, are passed over until they may go.

    Args:
        keep_for: Kinds without an entry are kept for ever.
    """
    count, kept = 0, 0
    for kind, age in keep_for.items():
        made = await erase_older(desk, age, kinds=frozenset({kind}), by=None, cause="retention")
        count += len(made.cases)
        kept += len(made.kept)
    if count:
        log.info("Erased what was due of %d cases; %d were kept.", count, kept)
    return count


async def scrub_when_small(desk: Desk, *, size_bytes: int, most_bytes: int) -> bool:
    """Bring erased bytes out of the files, whole where the database is small enough to be rewritten at once."""
    clean = await scrub(desk, vacuum=size_bytes <= most_bytes)
    if not clean:
        log.warning(
            "Remains of what was erased may be in the database's file. Run `signoff erase --scrub` in a quiet hour."
        )
    return clean
