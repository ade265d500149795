"""How people get in: magic links and sign-in sessions. Nothing an agent holds opens any of this."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from signoff.desk.desk import Desk
from signoff.desk.people import key_hash, person_named
from signoff.domain.alert import AlertDraft
from signoff.domain.errors import Forbidden, LinkSpent
from signoff.domain.escalation import Escalation
from signoff.domain.event import SYSTEM, Actor, Draft
from signoff.domain.people import Assurance, Link, Person, SignIn, SignInSession
from signoff.store.unit import Unit

SECRET_BYTES = 32
MOST_REFUSED = 20  # wrong tries per case in ten minutes, then even the right secret opens nothing for a while
REFUSED_WINDOW = timedelta(minutes=10)
FRESH_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Opened:
    """A link that was opened: who it let in, and the cookie that says so from now on."""

    sign_in: SignIn
    token: str
    expires_at: datetime


async def issue_case_link(unit: Unit, desk: Desk, case: Escalation, person: Person, address: str) -> str:
    """Issue a link that opens one case for one person, and return its address, secret included.

    It replaces earlier links to the same person and address. The secret stands in the fragment, so no server,
    proxy or scanner's GET carries it.
    """
    expires_at = case.deadline_at
    if case.urgency in ("high", "critical"):
        expires_at = min(expires_at, unit.now + desk.settings.urgent_link_valid_for)
    link, secret = _link(unit, person, address, case_id=case.id, expires_at=expires_at)
    await unit.add_link(link)
    data = {"link": link.id, "person": person.id, "purpose": link.purpose}
    await unit.record(Draft("link.issued", unit.now, SYSTEM, data, case.id))
    return f"{desk.settings.base_url}/d/{link.id}#{secret}"


async def issue_sign_in_link(desk: Desk, name: str) -> str:
    """Issue a link that signs a person in, and return its address, secret included.

    Raises:
        NotFound: Nobody has that name.
        Forbidden: The person is disabled.
    """
    person = await person_named(desk, name)
    if person.disabled_at is not None:
        raise Forbidden(f"{name} is disabled and cannot sign in.")

    async def move(unit: Unit) -> str:
        expires_at = unit.now + desk.settings.sign_in_link_valid_for
        link, secret = _link(unit, person, "terminal:", case_id=None, expires_at=expires_at)
        await unit.add_link(link)
        data = {"link": link.id, "person": person.id, "purpose": link.purpose}
        await unit.record(Draft("link.issued", unit.now, SYSTEM, data))
        return f"{desk.settings.base_url}/d/{link.id}#{secret}"

    return await desk.store.write(move)


def _link(
    unit: Unit, person: Person, address: str, *, case_id: str | None, expires_at: datetime
) -> tuple[Link, str]:
    secret = secrets.token_urlsafe(SECRET_BYTES)
    link = Link(
        id=unit.new_id("lnk"),
        purpose="case" if case_id else "sign_in",
        secret_hash=key_hash(secret),
        person_id=person.id,
        escalation_id=case_id,
        address=address,
        issued_at=unit.now,
        expires_at=expires_at,
    )
    return link, secret


async def open_link(desk: Desk, link_id: str, secret: str, *, source: str) -> Opened:
    """Use a magic link, once.

    Args:
        link_id: From the path.
        secret: From the fragment, sent by POST after a click.
        source: Where the request comes from, for the brake on guessing; it is not kept.

    Raises:
        LinkSpent: It opens nothing; the reader is told the same whatever the reason is.
        RateLimited: Too many wrong tries from this source.
    """
    desk.tries.check(source, desk.clock.now())

    async def move(unit: Unit) -> Opened | LinkSpent:
        link = await unit.link(link_id)
        if link is None:
            return LinkSpent("unknown")
        if link.escalation_id is not None:
            since = unit.now - REFUSED_WINDOW
            refused = await unit.count_events_of_case(link.escalation_id, "link.refused", since)
            if refused >= MOST_REFUSED:
                # Told like any dead link: another answer would say that the id exists.
                return LinkSpent("throttled")
        person = await unit.person(link.person_id)
        why = _why_not(link, secret, person, unit.now)
        if why is not None or person is None or not await unit.spend_link(link.id):
            data = {"link": link.id, "why": why or "used"}
            await unit.record(Draft("link.refused", unit.now, SYSTEM, data, link.escalation_id))
            return LinkSpent(why or "used")
        return await _let_in(unit, desk, link, person)

    made = await desk.store.write(move)
    if isinstance(made, LinkSpent):
        desk.tries.count(source, desk.clock.now())
        raise made
    return made


def _why_not(link: Link, secret: str, person: Person | None, now: datetime) -> str | None:
    # The secret first: who does not hold it learns nothing from the log's other words either.
    if not hmac.compare_digest(link.secret_hash, key_hash(secret)):
        return "forged"
    if link.revoked_at is not None:
        return "revoked"
    if link.spent_at is not None:
        return "used"
    if now >= link.expires_at:
        return "expired"
    if person is None or person.disabled_at is not None:
        return "disabled"
    return None


async def _let_in(unit: Unit, desk: Desk, link: Link, person: Person) -> Opened:
    assurance: Assurance = "link" if link.purpose == "case" else "session"
    valid_for = (
        desk.settings.case_sign_in_valid_for if link.purpose == "case" else desk.settings.sign_in_valid_for
    )
    token = secrets.token_urlsafe(SECRET_BYTES)
    session = SignInSession(
        person_id=person.id,
        assurance=assurance,
        only_case=link.escalation_id,
        opened_at=unit.now,
        expires_at=unit.now + valid_for,
        ended_at=None,
    )
    await unit.add_sign_in(key_hash(token), session)
    actor = Actor("person", person.id, assurance)
    data = {"link": link.id, "purpose": link.purpose}
    await unit.record(Draft("link.opened", unit.now, actor, data, link.escalation_id))
    return Opened(SignIn(person, assurance, link.escalation_id), token, session.expires_at)


async def fresh_link(desk: Desk, link_id: str) -> None:
    """Send a fresh link to where the old one went, if its case is still open; otherwise do nothing.

    The caller learns nothing either way. At most one a minute goes to an address.
    """

    async def move(unit: Unit) -> None:
        link = await unit.link(link_id)
        if link is None or link.escalation_id is None:
            return
        case, person = await unit.case(link.escalation_id), await unit.person(link.person_id)
        if case is None or person is None or not case.is_open or person.disabled_at is not None:
            return
        if unit.now >= case.deadline_at:
            return
        if await unit.count_events_of_case(case.id, "link.renewed", unit.now - FRESH_EVERY):
            return
        await unit.record(Draft("link.renewed", unit.now, SYSTEM, {"link": link.id}, case.id))
        draft = AlertDraft("fresh_link", person.id, link.address, case.urgency, unit.now)
        await unit.add_alert(case.id, draft)

    await desk.store.write(move)


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
    return SignIn(person, session.assurance, session.only_case)


async def sign_out(desk: Desk, token: str) -> None:
    """End a sign-in session; nothing happens for a cookie that signs nobody in."""

    async def move(unit: Unit) -> None:
        await unit.end_sign_in(key_hash(token))

    await desk.store.write(move)
