"""Enter the cases into the index of words that were opened before there was one."""

from __future__ import annotations

import orjson

from signoff.desk.desk import Desk
from signoff.domain.finding import words_of
from signoff.store.unit import Unit

AT_ONCE = 200  # some hundred milliseconds of the writer, so that nobody waits long behind it


async def fill_search(desk: Desk) -> int:
    """Let older cases be found, newest first; a small read where all can be.

    Returns:
        How many were entered now.
    """
    async with desk.store.reading() as reader:
        if await reader.inbox.filled_below() == 0:
            return 0

    async def enter(unit: Unit) -> tuple[int, bool]:
        below = await unit.inbox.filled_below()
        page = await unit.inbox.to_fill(below, AT_ONCE)
        for case_id, queue, seq, document in page:
            if document is not None:
                await unit.inbox.add_words(
                    seq, words_of(orjson.loads(document), case_id=case_id, queue=queue)
                )
        more = len(page) == AT_ONCE
        await unit.inbox.note_filled(page[-1][2] if more else 0)
        return len(page), more

    entered, more = 0, True
    while more:
        done, more = await desk.store.write(enter)
        entered += done
    return entered
