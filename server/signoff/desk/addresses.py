"""The addresses of people as channels: how sending to each goes, test alerts, and browsers that subscribe.

Where an address is written down, and who may write it, is `desk/people.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from signoff.desk.desk import Desk
from signoff.desk.people import MOST_ADDRESSES, note_addresses
from signoff.desk.rights import still
from signoff.domain.address import kind_of
from signoff.domain.alert import Delivery, Failed, Health, Sent
from signoff.domain.errors import Conflict, Forbidden, NotFound
from signoff.domain.event import SYSTEM, Actor, Draft
from signoff.domain.people import Address, Person, SignIn
from signoff.domain.shown_address import WEB_PUSH
from signoff.store.unit import Unit

MAX_BROWSERS = 10  # of one person; each gets every alert


@dataclass(frozen=True, slots=True)
class AddressHealth:
    """One address of a person, and how sending to it goes."""

    person: Person
    held: Address
    health: Health

    @property
    def id(self) -> str:
        """Return what pages and commands call it."""
        return self.held.id

    @property
    def address(self) -> str:
        """Return its URL, which may hold passwords: show it masked."""
        return self.held.url

    @property
    def label(self) -> str:
        """Return the label that was given to it, empty where that is only its kind."""
        return "" if self.held.label == kind_of(self.held.url) else self.held.label


async def note_delivery(unit: Unit, person_id: str, address: str, delivery: Delivery) -> None:
    """Remember how sending went, and forget the subscription of a browser that took it back."""
    person = await unit.person(person_id)
    if person is None:
        return
    for one in person.addresses:
        if one.url == address:
            await unit.note_delivery(person_id, one.id, delivery)
    kept = tuple(one for one in person.addresses if one.url != address)
    if isinstance(delivery, Failed) and delivery.gone and kept != person.addresses:
        await note_addresses(unit, person.id, kept, SYSTEM)


async def health_of_addresses(desk: Desk) -> list[AddressHealth]:
    """Return every address of everybody who is not disabled, by name and in the person's order."""
    async with desk.store.reading() as reader:
        known = await reader.address_healths()
        people = [one for one in await reader.people() if one.disabled_at is None]
    return [
        AddressHealth(person, one, known.get((person.id, one.id), Health()))
        for person in people
        for one in person.addresses
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
        Conflict: The person has ten browsers already, or as many addresses as they may have.
    """
    _check_own(sign_in)

    async def move(unit: Unit) -> None:
        person = await _now(unit, sign_in)
        if any(one.url == address for one in person.addresses):
            return
        if sum(one.url.startswith(WEB_PUSH) for one in person.addresses) >= MAX_BROWSERS:
            raise Conflict(f"{MAX_BROWSERS} browsers get your alerts already. Take one off first.")
        if len(person.addresses) >= MOST_ADDRESSES:
            raise Conflict(f"You have {MOST_ADDRESSES} addresses already. Have one taken off first.")
        browser = Address(unit.new_id("adr"), kind_of(address), address)
        await note_addresses(unit, person.id, (*person.addresses, browser), sign_in.actor)

    await desk.store.write(move)


async def unsubscribe(desk: Desk, sign_in: SignIn, address_id: str) -> None:
    """Take a browser off a person's addresses; nothing happens where it is none of theirs.

    Raises:
        Forbidden: A magic link opens its case only.
    """
    _check_own(sign_in)

    async def move(unit: Unit) -> None:
        person = await _now(unit, sign_in)
        kept = tuple(
            one for one in person.addresses if one.id != address_id or not one.url.startswith(WEB_PUSH)
        )
        if kept != person.addresses:
            await note_addresses(unit, person.id, kept, sign_in.actor)

    await desk.store.write(move)


def _check_own(sign_in: SignIn) -> None:
    if sign_in.only_case is not None:
        raise Forbidden("This link opens one case. Sign in to change your settings.")


async def _now(unit: Unit, sign_in: SignIn) -> Person:
    """Return the person as they stand in the database now, not as they signed in."""
    return (await still(unit, sign_in, unit.now)).person
