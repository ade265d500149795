"""Setting a home up without a password: one link, printed by the server, for its first administrator.

It works until anybody has signed in, however they did. What it opens is a sign-in session like any other, which may
besides say who the person is and where their alerts go.
"""

from __future__ import annotations

from datetime import timedelta

from signoff.desk.desk import Desk
from signoff.desk.people import check_name, set_addresses
from signoff.desk.rights import still
from signoff.desk.sign_in import IssuedLink, issue_link
from signoff.domain.alert import TERMINAL
from signoff.domain.errors import Conflict, Forbidden, NotFound
from signoff.domain.event import Draft
from signoff.domain.people import Person, SignIn, check_full
from signoff.store.unit import Unit

LINK_VALID_FOR = timedelta(hours=1)


async def issue_set_up_link(desk: Desk) -> str | None:
    """Return the address of the link that sets this home up, secret included; None once anybody has signed in.

    It replaces earlier ones. It is for the admin who was added first.
    """
    async with desk.store.reading() as reader:
        if await reader.sign_ins.any():
            return None

    async def move(unit: Unit) -> IssuedLink | None:
        admins = [one for one in await unit.people() if one.disabled_at is None and "admin" in one.roles]
        if not admins or await unit.sign_ins.any():
            return None
        await unit.sign_ins.revoke_set_up_links()
        first = min(admins, key=lambda one: one.created_at)
        return await issue_link(
            unit, desk, first, "set_up", address=TERMINAL, expires_at=unit.now + LINK_VALID_FOR
        )

    link = await desk.store.write(move)
    return None if link is None else link.url


def check_sets_up(sign_in: SignIn) -> None:
    """Refuse everybody but who came by the link that sets the home up.

    Raises:
        NotFound: Somebody else.
    """
    if sign_in.way != "set_up":
        raise NotFound("This home has been set up. Sign in, and find your settings behind your name.")


async def name_yourself(desk: Desk, sign_in: SignIn, name: str) -> Person:
    """Call the first administrator by their own name instead of the account's.

    Raises:
        NotFound: Anybody but who sets the home up.
        InvalidRequest: An empty or unprintable name, or one that is too long.
        Conflict: Somebody else has it.
    """
    check_sets_up(sign_in)
    check_full(sign_in)
    check_name(name)

    async def move(unit: Unit) -> Person:
        await still(unit, sign_in, unit.now)
        other = await unit.person_by_name(name)
        if other is not None and other.id != sign_in.person.id:
            raise Conflict(f"There is already a person called {name}.")
        if other is None:
            await unit.rename_person(sign_in.person.id, name)
            # Names stand in no event; whom an id names is kept beside the log.
            await unit.record(Draft("person.renamed", unit.now, sign_in.actor, {"person": sign_in.person.id}))
        renamed = await unit.person(sign_in.person.id)
        if renamed is None:
            raise Forbidden("You are not signed in.")
        return renamed

    return await desk.store.write(move)


async def add_own_address(desk: Desk, sign_in: SignIn, address: str) -> Person:
    """Send the first administrator's alerts to one more address, which the caller has checked.

    Raises:
        NotFound: Anybody but who sets the home up.
        Forbidden: They are no admin any more: an address is a right to send data out.
        Conflict: It is there already.
    """
    check_sets_up(sign_in)
    check_full(sign_in)
    person = sign_in.person
    if "admin" not in person.roles:
        raise Forbidden("Only an admin says where alerts go.")
    if any(one.url == address for one in person.addresses):
        raise Conflict("Your alerts go there already.")
    held = (f"{one.label}={one.url}" for one in person.addresses)
    return await set_addresses(desk, person.name, (*held, address), by=sign_in.actor)
