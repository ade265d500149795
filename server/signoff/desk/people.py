"""People and agents: who they are, and the keys that agents present.

The command line changes them in the name of signoff itself: whoever reaches it holds the database. On a page an admin
does (`by`), and what that takes is checked in the transaction that makes the change.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from signoff.desk.desk import Desk
from signoff.desk.rights import still
from signoff.desk.rights_told import tell_of_change
from signoff.domain.address import split_label
from signoff.domain.alert import TERMINAL
from signoff.domain.errors import Conflict, Forbidden, InvalidRequest, NotFound
from signoff.domain.event import SYSTEM, Actor, Draft
from signoff.domain.people import ROLES, Address, Agent, Person, Role, SignIn, check_full
from signoff.store.unit import Unit

KEY_PREFIX = "sgn_"
MAX_NAME_CHARS = 100
MOST_ADDRESSES = 20
LINKS_AFTER = timedelta(hours=24)
"""How long no link that signs in goes to an address that somebody else gave: so long its person can object."""
DECIDERS: frozenset[Role] = frozenset({"operator", "supervisor"})
ADMINS: frozenset[Role] = frozenset({"admin"})
PAUSERS: frozenset[Role] = frozenset({"admin", "supervisor"})


def key_hash(key: str) -> bytes:
    """Return what the store knows of a key or cookie: SHA-256; both carry 256 random bits."""
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()


async def add_person(
    desk: Desk,
    name: str,
    *,
    roles: Iterable[Role],
    queues: Iterable[str] = (),
    addresses: tuple[str, ...] = (TERMINAL,),
    by: SignIn | None = None,
) -> Person:
    """Add someone who may be alerted and may decide.

    Args:
        addresses: Each as `label=url`, or as the URL alone; the caller has checked them.
        by: The admin who does it.

    Raises:
        Forbidden: They are no admin.
        InvalidRequest: An empty or unprintable name, a role that does not exist, or too many addresses.
        Conflict: The name is taken.
    """
    check_name(name)
    _check_roles(roles)
    _check_queues(queues)

    async def move(unit: Unit) -> Person:
        actor = await acting(unit, by)
        held = _addresses(unit, addresses, held=())
        person = Person(unit.new_id("per"), name, frozenset(roles), frozenset(queues), held, unit.now)
        if not await unit.add_person(person):
            raise Conflict(f"There is already a person called {name}.")
        data = {"person": person.id, "roles": sorted(person.roles), "queues": sorted(person.queues)}
        await unit.record(Draft("person.added", unit.now, actor, data))
        await tell_of_change(unit, person, "added", by=by)
        return person

    return await desk.store.write(move)


async def list_people(desk: Desk) -> list[Person]:
    """Return everybody by name, the disabled too."""
    async with desk.store.reading() as reader:
        return await reader.people()


async def person_named(desk: Desk, name: str) -> Person:
    """Return a person by name.

    Raises:
        NotFound: Nobody has that name.
    """
    async with desk.store.reading() as reader:
        person = await reader.person_by_name(name)
        known = [] if person is not None else [one.name for one in await reader.people()]
    if person is None:
        raise NotFound(f"There is no person called {name}. There are: {', '.join(known) or 'none yet'}.")
    return person


async def disable_person(desk: Desk, name: str, *, by: SignIn | None = None) -> Person:
    """Sign a person out everywhere; they are alerted no more and decide nothing.

    Raises:
        NotFound: Nobody has that name.
        Forbidden: Whoever does it is no admin.
        Conflict: No admin would be left to undo it.
    """
    person = await person_named(desk, name)

    async def move(unit: Unit) -> None:
        actor = await acting(unit, by)
        await _check_admin_remains(unit, by, without=person.id)
        await unit.disable_person(person.id)
        await unit.record(Draft("person.disabled", unit.now, actor, {"person": person.id}))

    await desk.store.write(move)
    return person


async def change_person(
    desk: Desk,
    name: str,
    *,
    roles: Iterable[Role],
    queues: Iterable[str] = (),
    by: SignIn | None = None,
) -> Person:
    """Give a person these roles and queues, instead of those before. Other roles end their sign-in sessions.

    Nobody gives themselves the right to decide on a page: another admin does, or whoever has the server's terminal.

    Raises:
        NotFound: Nobody has that name.
        InvalidRequest: A role that does not exist, or none; a queue that cannot be one.
        Forbidden: Whoever does it is no admin, or gives themselves a role or queues to decide with.
        Conflict: No admin would be left to undo it.
    """
    _check_roles(roles)
    _check_queues(queues)
    person = await person_named(desk, name)
    changed = replace(person, roles=frozenset(roles), queues=frozenset(queues))

    async def move(unit: Unit) -> None:
        actor = await acting(unit, by)
        before = await unit.person(person.id) or person
        if by is not None and by.person.id == person.id:
            _check_gains_no_decision(before, changed)
        if "admin" not in changed.roles:
            await _check_admin_remains(unit, by, without=person.id)
        await unit.change_person(changed)
        data = {"person": person.id, "roles": sorted(changed.roles), "queues": sorted(changed.queues)}
        await unit.record(Draft("person.changed", unit.now, actor, data))
        if (changed.roles, changed.queues) != (before.roles, before.queues):
            await tell_of_change(unit, before, "roles", by=by)
        if changed.roles != before.roles:
            for session in await unit.sign_ins.open_of(person.id, unit.now):
                if by is None or session.id != by.session_id:
                    await unit.end_sign_in(session, by=actor)

    await desk.store.write(move)
    return changed


async def set_addresses(desk: Desk, name: str, addresses: tuple[str, ...], *, by: Actor = SYSTEM) -> Person:
    """Send a person's alerts to these addresses from now on; the caller has checked them.

    Args:
        addresses: Each as `label=url`, or as the URL alone, whose label is its kind.

    Raises:
        NotFound: Nobody has that name.
        InvalidRequest: Too many.
    """
    person = await person_named(desk, name)

    async def move(unit: Unit) -> Person:
        made = replace(person, addresses=_addresses(unit, addresses, held=person.addresses))
        await note_addresses(unit, person.id, made.addresses, by)
        return made

    return await desk.store.write(move)


async def give_addresses(
    desk: Desk, name: str, *, keep: Iterable[str], new: Iterable[str], by: SignIn
) -> Person:
    """Replace a person's addresses as an admin. Those that are new to somebody else take no links for a day.

    Args:
        keep: Ids of those that stay as they are: nobody reads them again.
        new: Each as `label=url`, or as the URL alone; the caller has checked them.

    Raises:
        NotFound: Nobody has that name.
        Forbidden: Whoever does it is no admin.
        Conflict: One of those to be kept is no address of this person, or not any more.
        InvalidRequest: Too many.
    """
    kept = tuple(dict.fromkeys(keep))
    person = await person_named(desk, name)

    async def move(unit: Unit) -> Person:
        actor = await acting(unit, by)
        before = await unit.person(person.id) or person
        held = before.addresses
        known = {one.id: f"{one.label}={one.url}" for one in held}
        if not known.keys() >= set(kept):
            raise Conflict("The addresses have changed meanwhile. Nothing was saved: load the page again.")
        wanted = [*(known[one] for one in kept), *new]
        until = None if by.person.id == person.id else unit.now + LINKS_AFTER
        made = replace(person, addresses=_addresses(unit, wanted, held=held, no_links_until=until))
        await note_addresses(unit, person.id, made.addresses, actor)
        if made.addresses != held:
            await tell_of_change(unit, before, "addresses", by=by)
        return made

    return await desk.store.write(move)


async def note_addresses(unit: Unit, person_id: str, addresses: tuple[Address, ...], by: Actor) -> None:
    """Send a person's alerts elsewhere from now on, with its event."""
    await unit.set_addresses(person_id, addresses)
    # Only the kinds: a digest of a phone number or a mail address is as good as the address.
    kinds = sorted({one.url.partition(":")[0] for one in addresses})
    data = {"person": person_id, "count": len(addresses), "channels": kinds}
    await unit.record(Draft("person.addresses_changed", unit.now, by, data))


def _addresses(
    unit: Unit, given: Iterable[str], *, held: Iterable[Address], no_links_until: datetime | None = None
) -> tuple[Address, ...]:
    """Return labelled addresses, each once; one that is held already stays as it is."""
    wanted = list(dict.fromkeys(map(split_label, given)))
    if len(wanted) > MOST_ADDRESSES:
        raise InvalidRequest(f"at most {MOST_ADDRESSES}.", field="addresses")
    known = {(one.label, one.url): one for one in held}
    return tuple(known.get(one) or Address(unit.new_id("adr"), *one, no_links_until) for one in wanted)


async def set_follow_up(desk: Desk, name: str, *, on: bool) -> Person:
    """Say whether a person hears who decided the cases that they were alerted to.

    Raises:
        NotFound: Nobody has that name.
    """
    person = await person_named(desk, name)

    async def move(unit: Unit) -> None:
        await unit.set_follow_up(person.id, on=on)
        data = {"person": person.id, "on": on}
        await unit.record(Draft("person.follow_up_changed", unit.now, SYSTEM, data))

    await desk.store.write(move)
    return replace(person, follow_up=on)


async def add_agent(
    desk: Desk, name: str, *, owner: str | None, by: SignIn | None = None
) -> tuple[Agent, str]:
    """Add an agent and return it with its key, which nobody can read again.

    Args:
        owner: Name of the person on whose behalf it runs.
        by: The admin who does it.

    Raises:
        NotFound: No such owner.
        Conflict: The name is taken.
        Forbidden: Whoever does it is no admin.
    """
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    return await _add_agent(desk, name, owner=owner, hashed=key_hash(key), by=by), key


async def local_agent(desk: Desk, name: str) -> Agent:
    """Return the agent that the local user runs over stdio, adding it the first time; it has no key."""
    async with desk.store.reading() as reader:
        found = await reader.agent_by_name(name)
    if found is not None:
        return found
    try:
        return await _add_agent(desk, name, owner=None, hashed=None, by=None)
    except Conflict:  # another process of the same user was first
        return await agent_named(desk, name)


async def rotate_agent_key(desk: Desk, name: str, *, by: SignIn | None = None) -> str:
    """Give an agent a new key and return it; the old one opens nothing from now on.

    Raises:
        NotFound: No such agent.
        Forbidden: Whoever does it is no admin.
    """
    agent = await agent_named(desk, name)
    key = KEY_PREFIX + secrets.token_urlsafe(32)

    async def move(unit: Unit) -> None:
        actor = await acting(unit, by)
        await unit.set_agent_key(agent.id, key_hash(key))
        await unit.record(Draft("agent.key_rotated", unit.now, actor, {"agent": agent.id}))

    await desk.store.write(move)
    return key


async def pause_agent(desk: Desk, name: str, *, by: SignIn | None = None) -> Agent:
    """Let an agent ask for nothing until it is resumed.

    Raises:
        NotFound: No such agent.
        Conflict: It is paused.
        Forbidden: Whoever does it is neither admin nor supervisor.
    """
    agent = await agent_named(desk, name)

    async def move(unit: Unit) -> None:
        actor = await acting(unit, by, roles=PAUSERS)
        if not await unit.pause_agent(agent.id):
            raise Conflict(f"{name} is paused already.")
        await unit.record(Draft("agent.paused", unit.now, actor, {"agent": agent.id}))

    await desk.store.write(move)
    return agent


async def resume_agent(desk: Desk, name: str, *, by: SignIn | None = None) -> Agent:
    """Let a paused agent ask again.

    Raises:
        NotFound: No such agent.
        Conflict: It is not paused.
        Forbidden: Whoever does it is neither admin nor supervisor.
    """
    agent = await agent_named(desk, name)

    async def move(unit: Unit) -> None:
        actor = await acting(unit, by, roles=PAUSERS)
        if not await unit.resume_agent(agent.id):
            raise Conflict(f"{name} is not paused.")
        await unit.record(Draft("agent.resumed", unit.now, actor, {"agent": agent.id}))

    await desk.store.write(move)
    return agent


async def agent_named(desk: Desk, name: str) -> Agent:
    """Return an agent by name.

    Raises:
        NotFound: None has that name.
    """
    async with desk.store.reading() as reader:
        agent = await reader.agent_by_name(name)
    if agent is None:
        raise NotFound(f"There is no agent called {name}. See `signoff agents list`.")
    return agent


async def agent_by_key(desk: Desk, key: str) -> Agent:
    """Return the agent that presents a key.

    Raises:
        Forbidden: The key opens nothing.
    """
    agent = await desk.store.agent_by_key(key_hash(key)) if key.startswith(KEY_PREFIX) else None
    if agent is None:
        raise Forbidden("This agent key is not valid. Get one with `signoff agents add NAME`.")
    return agent


async def list_agents(desk: Desk) -> list[Agent]:
    """Return every agent by name; those that ask for canaries under the name of another are none."""
    async with desk.store.reading() as reader:
        return [one for one in await reader.agents() if one.stands_for is None]


async def _add_agent(
    desk: Desk, name: str, *, owner: str | None, hashed: bytes | None, by: SignIn | None
) -> Agent:
    check_name(name)
    owner_id = None if owner is None else (await person_named(desk, owner)).id

    async def move(unit: Unit) -> Agent:
        actor = await acting(unit, by)
        agent = Agent(unit.new_id("agt"), name, owner_id, unit.now)
        if not await unit.add_agent(agent, hashed):
            raise Conflict(f"There is already an agent called {name}.")
        data = {"agent": agent.id, "owner": owner_id, "has_key": hashed is not None}
        await unit.record(Draft("agent.added", unit.now, actor, data))
        return agent

    return await desk.store.write(move)


async def acting(unit: Unit, by: SignIn | None, *, roles: frozenset[Role] = ADMINS) -> Actor:
    """Return who stands behind a change, as they are at its moment.

    Args:
        by: Who does it on a page; None for the command line.
        roles: One of these is needed.

    Raises:
        Forbidden: They came by a link of one case, are signed in no more, or have no such role any more.
    """
    if by is None:
        return SYSTEM
    check_full(by)
    check_role((await still(unit, by, unit.now)).person, roles)
    return by.actor


def check_role(person: Person, roles: frozenset[Role]) -> None:
    """Refuse whoever has none of some roles.

    Raises:
        Forbidden: They have none.
    """
    if not person.roles & roles:
        needed = " and ".join(f"{role}s" for role in ROLES if role in roles)
        raise Forbidden(f"This is for {needed} only.")


def _check_gains_no_decision(before: Person, changed: Person) -> None:
    """Refuse an admin who would decide more than before by their own hand."""
    gained = (changed.roles - before.roles) & DECIDERS
    operates = "operator" in changed.roles and "supervisor" not in changed.roles
    more_queues = bool(before.queues) and not (changed.queues and changed.queues <= before.queues)
    if gained or (operates and more_queues):
        raise Forbidden(
            "You cannot give yourself the right to decide, or more queues to decide in. Ask another admin, or"
            " whoever runs the server: signoff people change."
        )


async def _check_admin_remains(unit: Unit, by: SignIn | None, *, without: str) -> None:
    """Refuse to take the last admin away on a page; the command line can always add another."""
    if by is None:
        return
    if not any(
        "admin" in one.roles and one.disabled_at is None and one.id != without for one in await unit.people()
    ):
        raise Conflict("No admin would be left. Make somebody else an admin first.")


def _check_queues(queues: Iterable[str]) -> None:
    for one in queues:
        if not (0 < len(one) <= MAX_NAME_CHARS and one.isprintable() and one.strip() == one):
            raise InvalidRequest(f"each must be 1 to {MAX_NAME_CHARS} printable characters.", field="queues")


def _check_roles(roles: Iterable[Role]) -> None:
    if set(roles) - set(ROLES) or not roles:
        raise InvalidRequest(f"must be among {', '.join(ROLES)}; at least one.", field="roles")


def check_name(name: str) -> None:
    """Refuse a name that cannot be shown.

    Raises:
        InvalidRequest: Empty, too long, or with characters or spaces that cannot be seen.
    """
    if not (0 < len(name) <= MAX_NAME_CHARS and name.isprintable() and name.strip() == name):
        raise InvalidRequest(f"must be 1 to {MAX_NAME_CHARS} printable characters.", field="name")
