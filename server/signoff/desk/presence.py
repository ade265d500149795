"""Who has a case open right now, so that two people do not work on it without knowing of each other.

It says where people are and binds nobody: whoever wants the case acknowledges it. A row and no event: it is written
again every few seconds while a page is open, and means nothing a minute later.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from signoff.desk.desk import Desk
from signoff.desk.moment import moment
from signoff.desk.rights import case_seen
from signoff.domain.people import SignIn
from signoff.store.inbox import Present
from signoff.store.unit import Unit

PRESENT_FOR = timedelta(seconds=45)
"""How long somebody counts as present after they were last seen: two and a half times `SEEN_AGAIN_S`, so that one
answer that is late makes nobody vanish."""
SEEN_AGAIN_S = 18
"""How often a page that is open says so."""


async def come(desk: Desk, sign_in: SignIn, escalation_id: str) -> None:
    """Note that a person has a case open; nothing while nothing may be written, or once it has ended.

    Raises:
        NotFound: Not this person's to see.
    """
    if desk.store.read_only is not None:
        return

    async def move(unit: Unit) -> None:
        if (await case_seen(unit, sign_in, escalation_id)).is_open:
            await unit.inbox.forget_presence(unit.now - PRESENT_FOR)
            await unit.inbox.come(sign_in.person.id, escalation_id)

    await desk.store.write(move)


async def leave(desk: Desk, sign_in: SignIn, escalation_id: str) -> None:
    """Note that a person has closed a case."""
    if desk.store.read_only is not None:
        return

    async def move(unit: Unit) -> None:
        await unit.inbox.leave(sign_in.person.id, escalation_id)

    await desk.store.write(move)


def others(found: list[Present], sign_in: SignIn) -> tuple[str, ...]:
    """Return the names of those who are not this person."""
    return tuple(one.name for one in found if one.person_id != sign_in.person.id)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a page that follows a case must know."""

    version: int
    handled: int
    status: str
    decided_by: tuple[str, ...]
    """Names; empty for what no person decided."""
    acknowledged_by: str
    """A name; empty for nobody."""
    mine: bool
    """It was this person who decided last, or acknowledged."""
    present: tuple[str, ...]
    """Names of others who have it open."""


async def standing(desk: Desk, sign_in: SignIn, escalation_id: str) -> Standing:
    """Return where a case stands, and who else has it open.

    Raises:
        NotFound: It is not this person's to see.
    """
    me = sign_in.person.id
    async with desk.store.reading() as reader:
        case = await case_seen(reader, sign_in, escalation_id)
        found = await reader.inbox.present(case.id, await moment(desk, reader) - PRESENT_FOR)
        deciders = [await reader.person(one) for one in case.decided_by]
        holder = await reader.person(case.acknowledged_by) if case.acknowledged_by else None
    last = case.decided_by[-1] if case.decided_by else case.acknowledged_by
    return Standing(
        version=case.version,
        handled=case.handled,
        status=case.status,
        decided_by=tuple(one.name for one in deciders if one is not None),
        acknowledged_by="" if holder is None else holder.name,
        mine=last == me,
        present=others(found, sign_in),
    )
