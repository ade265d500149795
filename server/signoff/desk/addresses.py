"""The addresses of people as channels: how sending to each goes, test alerts, and browsers that subscribe.

Where an address is written down, and who may write it, is `desk/people.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from signoff.desk.desk import Desk
from signoff.domain.alert import Delivery, Failed, Health, Sent, address_id
from signoff.domain.errors import Conflict, Forbidden, NotFound
from signoff.domain.event import SYSTEM, Actor, Draft
from signoff.domain.people import Person, SignIn
from signoff.domain.shown_address import WEB_PUSH
from signoff.store.unit import Unit

MAX_BROWSERS = 10  # of one person; each gets every alert


@dataclass(frozen=True, slots=True)
class AddressHealth:
    """One address of a person, and how sending to it goes."""

    person: Person
    address: str
    """Holds passwords: show it masked."""
    health: Health

    @property
    def id(self) -> str:
        """Return what pages and commands call it."""
        return address_id(self.person.id, self.address)


async def note_delivery(unit: Unit, person_id: str, address: str, delivery: Delivery) -> None:
    """Remember how sending went, and forget the subscription of a browser that took it back."""
    await unit.note_delivery(person_id, address, delivery)
    if isinstance(delivery, Failed) and delivery.gone:
        person = await unit.person(person_id)
        if person is not None and address in person.addresses:
            kept = tuple(one for one in person.addresses if one != address)
            await _set_addresses(unit, person, kept, SYSTEM)


async def health_of_addresses(desk: Desk) -> list[AddressHealth]:
    """Return every address of everybody who is not disabled, by name and in the person's order."""
    async with desk.store.reading() as reader:
        known = await reader.address_healths()
        people = [one for one in await reader.people() if one.disabled_at is None]
    return [
        AddressHealth(person, address, known.get((person.id, address_id(person.id, address)), Health()))
        for person in people
        for address in dict.fromkeys(person.addresses)
    ]


async def address_health(desk: Desk, address_id: str) -> AddressHealth:
    """Return one address by its id.

    Raises:
        NotFound: Nobody has it any more.
    """
    for one in await health_of_addresses(desk):
        if one.id == address_id:
            return one
    raise NotFound("There is no such address any more.")


async def record_test(desk: Desk, by: Actor, tested: AddressHealth, delivery: Delivery) -> None:
    """Record a test alert and how it went."""

    async def move(unit: Unit) -> None:
        await note_delivery(unit, tested.person.id, tested.address, delivery)
        data = {
            "person": tested.person.id,
            "channel": tested.address.partition(":")[0],
            "result": "sent" if isinstance(delivery, Sent) else "failed",
        }
        await unit.record(Draft("alert.tested", unit.now, by, data))

    await desk.store.write(move)


def check_may_manage(sign_in: SignIn) -> None:
    """Refuse whoever is not signed in fully as an admin.

    Raises:
        Forbidden: Not an admin, or a magic link's sign-in, which shows its case only.
    """
    if "admin" not in sign_in.person.roles or sign_in.only_case is not None:
        raise Forbidden("Only admins see and test the addresses of others.")


async def subscribe(desk: Desk, sign_in: SignIn, address: str) -> None:
    """Send a person's alerts to one more browser; the caller has checked the address.

    Raises:
        Forbidden: A magic link opens its case only.
        Conflict: The person has ten browsers already.
    """
    _check_own(sign_in)

    async def move(unit: Unit) -> None:
        person = await _now(unit, sign_in)
        if address in person.addresses:
            return
        if sum(one.startswith(WEB_PUSH) for one in person.addresses) >= MAX_BROWSERS:
            raise Conflict(f"{MAX_BROWSERS} browsers get your alerts already. Take one off first.")
        await _set_addresses(unit, person, (*person.addresses, address), sign_in.actor)

    await desk.store.write(move)


async def unsubscribe(desk: Desk, sign_in: SignIn, address_id: str) -> None:
    """Take a browser off a person's addresses; nothing happens where it is none of theirs.

    Raises:
        Forbidden: A magic link opens its case only.
    """
    _check_own(sign_in)

    async def move(unit: Unit) -> None:
        person = await _now(unit, sign_in)
        kept = tuple(one for one in person.addresses if not _is(person, one, address_id))
        if kept != person.addresses:
            await _set_addresses(unit, person, kept, sign_in.actor)

    await desk.store.write(move)


def _is(person: Person, address: str, wanted: str) -> bool:
    return address.startswith(WEB_PUSH) and address_id(person.id, address) == wanted


def _check_own(sign_in: SignIn) -> None:
    if sign_in.only_case is not None:
        raise Forbidden("This link opens one case. Sign in to change your settings.")


async def _now(unit: Unit, sign_in: SignIn) -> Person:
    """Return the person as they stand in the database now, not as they signed in."""
    person = await unit.person(sign_in.person.id)
    if person is None or person.disabled_at is not None:
        raise Forbidden("You are not signed in.")
    return person


async def _set_addresses(unit: Unit, person: Person, addresses: tuple[str, ...], by: Actor) -> None:
    await unit.set_addresses(person.id, addresses)
    kinds = sorted({one.partition(":")[0] for one in addresses})
    data = {"person": person.id, "count": len(addresses), "channels": kinds}
    await unit.record(Draft("person.addresses_changed", unit.now, by, data))
