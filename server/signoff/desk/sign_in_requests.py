"""Sign-in links that people ask for on the sign-in page, and their way to where the person's alerts go.

Whoever asks learns nothing: not whether the name exists, not where the link goes, not whether one was sent. A link is
made when it is sent, so that its secret lies in no outbox. At least once, as alerts are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from signoff.desk.desk import Desk
from signoff.desk.moment import moment
from signoff.desk.sign_in import issue_link
from signoff.domain.address import takes_links
from signoff.domain.alert import Delivery, Sent
from signoff.domain.clock import from_text
from signoff.domain.event import SYSTEM, Draft
from signoff.domain.people import Person, SignInRequest
from signoff.domain.shown_address import WEB_PUSH
from signoff.store.unit import Unit

AGAIN_AFTER = timedelta(minutes=1)
MOST_PER_LINK_LIFE = 4
"""Within the life of a link: whoever asks in somebody's name to lock them out leaves a link that works."""
MOST_TRIES = 4
FIRST_DELAY_S = 5
_CASE = re.compile(r"esc_[0-9A-Z]{26}")


@dataclass(frozen=True, slots=True)
class SignInErrand:
    """A sign-in link on its way. Holds a secret: the link."""

    request: SignInRequest
    person: Person
    address: str = field(repr=False)
    link_id: str
    url: str = field(repr=False)
    valid_for: timedelta


async def ask_for_link(desk: Desk, name: str, *, source: str, back_to: str = "") -> None:
    """Send a person of this name a link that signs them in, to each of their addresses that takes links; otherwise do nothing.

    Takes as long for a name that nobody has. At most one a minute, and four within the life of a link, go to a person.

    Args:
        name: As somebody typed it.
        source: Where the request comes from, for the brake on floods; it is not kept.
        back_to: The case to go to afterwards.

    Raises:
        RateLimited: This source has asked too often, whatever it asked for.
    """
    desk.asks.check(source, desk.clock.now())
    desk.asks.count(source, desk.clock.now())
    case_id = back_to if _CASE.fullmatch(back_to) else None

    async def move(unit: Unit) -> None:
        person = _meant(name.strip(), await unit.people())
        if person is None or not await _may_have_one(unit, desk, person):
            await unit.sign_ins.ask(None, place=0, back_to=case_id)
            return
        asked = set[str]()
        for place, one in enumerate(person.addresses):
            if _takes_links(person, one.url, unit.now) and one.url not in asked:
                asked.add(one.url)
                await unit.sign_ins.ask(person.id, place=place, back_to=case_id)

    await desk.store.write(move)


def _takes_links(person: Person, url: str, now: datetime) -> bool:
    """Say whether a secret may go to an address: a browser's push message is kept by others until it is fetched."""
    return not url.startswith(WEB_PUSH) and takes_links(person, url, now)


def _meant(name: str, people: list[Person]) -> Person | None:
    """Return whom a name means; a phone may have written it with another first letter."""
    exactly = [one for one in people if one.name == name]
    nearly = [one for one in people if one.name.casefold() == name.casefold()]
    found = exactly or nearly
    return found[0] if len(found) == 1 else None


async def _may_have_one(unit: Unit, desk: Desk, person: Person) -> bool:
    if not desk.settings.sign_in_by_alert or person.disabled_at is not None:
        return False
    if not any(_takes_links(person, one.url, unit.now) for one in person.addresses):
        return False
    if await unit.sign_ins.count_requests(person.id, unit.now - AGAIN_AFTER):
        return False
    begin = unit.now - desk.settings.sign_in_link_valid_for
    return await unit.sign_ins.count_requests(person.id, begin) < MOST_PER_LINK_LIFE


async def sign_in_link_is_due(desk: Desk) -> bool:
    """Say whether a link has to be sent now; costs no transaction."""
    async with desk.store.reading() as reader:
        due_at = await reader.sign_ins.next_request_due()
        return due_at is not None and from_text(due_at) <= await moment(desk, reader)


async def lease_sign_in_links(desk: Desk, owner: str, *, most: int = 10) -> list[SignInErrand]:
    """Take sign-in links that are due, each made anew; what is not recorded within `lease_s` is free again.

    Args:
        owner: Names this worker; leases are recorded under it.
    """

    async def move(unit: Unit) -> list[SignInErrand]:
        until = unit.now + timedelta(seconds=desk.settings.lease_s)
        made = []
        for request in await unit.sign_ins.lease(owner, until=until, most=most):
            errand = await _errand(unit, desk, request)
            if errand is None:
                await unit.sign_ins.finish(request.id, owner, state="dropped")
            else:
                made.append(errand)
        return made

    return await desk.store.write(move)


async def _errand(unit: Unit, desk: Desk, request: SignInRequest) -> SignInErrand | None:
    """Return what there is to send; None where nobody waits for it any more."""
    person = await unit.person(request.person_id)
    valid_for = desk.settings.sign_in_link_valid_for
    if person is None or person.disabled_at is not None or request.place >= len(person.addresses):
        return None
    if unit.now >= request.asked_at + valid_for:
        return None
    address = person.addresses[request.place].url
    if not _takes_links(person, address, unit.now):  # the addresses have changed since it was asked for
        return None
    link = await issue_link(unit, desk, person, "sign_in", address=address, expires_at=unit.now + valid_for)
    await unit.sign_ins.put_on_its_way(request, link.id)
    return SignInErrand(request, person, address, link.id, link.url, valid_for)


async def record_sign_in_link(desk: Desk, owner: str, errand: SignInErrand, delivery: Delivery) -> None:
    """Record how sending a link went; a failure is tried again up to three times within a minute or so."""
    request = errand.request
    channel = errand.address.partition(":")[0]
    data = {"link": errand.link_id, "person": request.person_id, "channel": channel}

    async def move(unit: Unit) -> None:
        if isinstance(delivery, Sent):
            if await unit.sign_ins.finish(request.id, owner, state="sent"):
                await unit.record(Draft("link.sent", unit.now, SYSTEM, data))
            return
        if not delivery.permanent and request.attempts < MOST_TRIES:
            delay = timedelta(seconds=FIRST_DELAY_S * 2 ** (request.attempts - 1))
            await unit.sign_ins.delay(request.id, owner, due_at=unit.now + delay)
            return
        if await unit.sign_ins.finish(request.id, owner, state="failed"):
            await unit.sign_ins.revoke_link(errand.link_id)
            await unit.record(Draft("link.not_sent", unit.now, SYSTEM, data))

    await desk.store.write(move)
