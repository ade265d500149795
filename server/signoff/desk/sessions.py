"""Sign-in sessions: how one begins, who sees which, and how they are ended.

The cookie is a secret of its own and is stored as a hash only. What names a session on a page is its id, which opens
nothing.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from signoff.desk.desk import Desk
from signoff.desk.moment import moment
from signoff.desk.people import key_hash
from signoff.desk.rights import still
from signoff.domain.errors import Forbidden, NotFound
from signoff.domain.people import Assurance, Person, SignIn, SignInSession, SignInWay, check_full
from signoff.store.unit import Unit

SECRET_BYTES = 32
MAX_BROWSER_CHARS = 60


@dataclass(frozen=True, slots=True)
class Opened:
    """A sign-in that began: who it let in, and the cookie that says so from now on."""

    sign_in: SignIn
    token: str
    expires_at: datetime
    back_to: str | None = None
    """The case that the person came from."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A sign-in session with the name of its person, for a list."""

    session: SignInSession
    person_name: str
    is_this_one: bool


async def begin(
    unit: Unit,
    desk: Desk,
    person: Person,
    assurance: Assurance,
    *,
    way: SignInWay,
    browser: str,
    only_case: str | None = None,
    credential: str | None = None,
) -> Opened:
    """Open a sign-in session under a fresh secret; no browser's earlier one is ever taken over."""
    settings = desk.settings
    valid_for = settings.sign_in_valid_for if only_case is None else settings.case_sign_in_valid_for
    token = secrets.token_urlsafe(SECRET_BYTES)
    session = SignInSession(
        id=unit.new_id("ses"),
        person_id=person.id,
        assurance=assurance,
        only_case=only_case,
        way=way,
        browser=browser[:MAX_BROWSER_CHARS],
        opened_at=unit.now,
        expires_at=unit.now + valid_for,
    )
    await unit.add_sign_in(key_hash(token), session, credential=credential)
    return Opened(SignIn(person, assurance, only_case, session.id, way), token, session.expires_at)


async def signed_in(desk: Desk, token: str) -> SignIn:
    """Return who a cookie signs in.

    Raises:
        Forbidden: Nobody, not any more, or a disabled person.
    """
    async with desk.store.reading() as reader:
        session = await reader.sign_in(key_hash(token))
        person = await reader.person(session.person_id) if session else None
    now = desk.clock.now()
    if session is None or person is None or session.ended_at is not None or now >= session.expires_at:
        raise Forbidden("You are not signed in.")
    if person.disabled_at is not None:
        raise Forbidden("You are not signed in.")
    return SignIn(person, session.assurance, session.only_case, session.id, session.way)


async def sign_out(desk: Desk, token: str) -> None:
    """End a sign-in session; nothing happens for a cookie that signs nobody in."""

    async def move(unit: Unit) -> None:
        session = await unit.sign_in(key_hash(token))
        person = await unit.person(session.person_id) if session else None
        if session is not None and person is not None:
            await unit.end_sign_in(session, by=SignIn(person, session.assurance).actor)

    await desk.store.write(move)


async def sessions_of(desk: Desk, sign_in: SignIn) -> list[Seat]:
    """Return one's own sign-in sessions that are still good, newest first.

    Raises:
        Forbidden: A magic link's sign-in.
    """
    check_full(sign_in)
    async with desk.store.reading() as reader:
        found = await reader.sign_ins.open_of(sign_in.person.id, await moment(desk, reader))
    return [Seat(one, sign_in.person.name, one.id == sign_in.session_id) for one in found]


async def all_sessions(desk: Desk, sign_in: SignIn) -> list[Seat]:
    """Return everybody's sign-in sessions that are still good, newest first.

    Raises:
        Forbidden: Anybody but an admin.
    """
    check_full(sign_in)
    if "admin" not in sign_in.person.roles:
        raise Forbidden("Only an admin sees who is signed in.")
    async with desk.store.reading() as reader:
        found = await reader.sign_ins.open(await moment(desk, reader))
        names = {one.id: one.name for one in await reader.people()}
    return [Seat(one, names.get(one.person_id, one.person_id), one.id == sign_in.session_id) for one in found]


async def end_session(desk: Desk, sign_in: SignIn, session_id: str) -> None:
    """End a sign-in session: one's own, or for an admin anybody's. One that has ended stays ended.

    Raises:
        NotFound: There is none of that id, or it is not this person's to end: both answer alike.
        Forbidden: A magic link's sign-in.
    """
    check_full(sign_in)

    async def move(unit: Unit) -> None:
        by = await still(unit, sign_in, unit.now)
        session = await unit.sign_ins.session(session_id)
        mine = session is not None and session.person_id == by.person.id
        if session is None or not (mine or "admin" in by.person.roles):
            raise NotFound("There is no such session, or it is not yours to end.")
        await unit.end_sign_in(session, by=sign_in.actor)

    await desk.store.write(move)


async def end_other_sessions(desk: Desk, sign_in: SignIn) -> int:
    """End all of one's own sign-in sessions but this one, and return how many.

    Raises:
        Forbidden: A magic link's sign-in.
    """
    check_full(sign_in)

    async def move(unit: Unit) -> int:
        await still(unit, sign_in, unit.now)
        others = [
            one
            for one in await unit.sign_ins.open_of(sign_in.person.id, unit.now)
            if one.id != sign_in.session_id
        ]
        return sum([await unit.end_sign_in(one, by=sign_in.actor) for one in others])

    return await desk.store.write(move)
