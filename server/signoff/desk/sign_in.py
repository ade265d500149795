"""How people get in by a link. Nothing an agent holds opens any of this; the session that begins is in `sessions.py`."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from signoff.desk.desk import Desk
from signoff.desk.people import key_hash, person_named
from signoff.desk.sessions import SECRET_BYTES, Opened, begin
from signoff.domain.alert import TERMINAL, AlertDraft
from signoff.domain.errors import Forbidden, LinkSpent
from signoff.domain.escalation import Escalation
from signoff.domain.event import SYSTEM, Draft
from signoff.domain.people import Link, LinkPurpose, Person
from signoff.store.unit import Unit

MOST_REFUSED = 20  # wrong tries per case in ten minutes, then even the right secret opens nothing for a while
REFUSED_WINDOW = timedelta(minutes=10)
FRESH_EVERY = timedelta(minutes=1)


async def issue_case_link(unit: Unit, desk: Desk, case: Escalation, person: Person, address: str) -> str:
    """Issue a link that opens one case for one person, and return its address, secret included.

    It replaces earlier links to the same person and address. The secret stands in the fragment, so no server,
    proxy or scanner's GET carries it.
    """
    expires_at = case.deadline_at
    if case.urgency in ("high", "critical"):
        expires_at = min(expires_at, unit.now + desk.settings.urgent_link_valid_for)
    made = await issue_link(
        unit, desk, person, "case", address=address, expires_at=expires_at, case_id=case.id
    )
    return made.url


async def issue_sign_in_link(desk: Desk, name: str) -> str:
    """Issue a link that signs a person in, and return its address, secret included.

    Raises:
        NotFound: Nobody has that name.
        Forbidden: The person is disabled.
    """
    person = await person_named(desk, name)
    if person.disabled_at is not None:
        raise Forbidden(f"{name} is disabled and cannot sign in.")

    async def move(unit: Unit) -> IssuedLink:
        return await issue_link(
            unit,
            desk,
            person,
            "sign_in",
            address=TERMINAL,
            expires_at=unit.now + desk.settings.sign_in_link_valid_for,
        )

    return (await desk.store.write(move)).url


@dataclass(frozen=True, slots=True)
class IssuedLink:
    """A link on its way to its person. Its address holds the secret, which is stored nowhere."""

    id: str
    url: str = field(repr=False)


async def issue_link(
    unit: Unit,
    desk: Desk,
    person: Person,
    purpose: LinkPurpose,
    *,
    address: str,
    expires_at: datetime,
    case_id: str | None = None,
) -> IssuedLink:
    """Issue a link, with its event; of a case, it replaces earlier ones to the same person and address."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    link = Link(
        id=unit.new_id("lnk"),
        purpose=purpose,
        secret_hash=key_hash(secret),
        person_id=person.id,
        escalation_id=case_id,
        address=address,
        issued_at=unit.now,
        expires_at=expires_at,
    )
    await unit.add_link(link)
    data = {"link": link.id, "person": person.id, "purpose": link.purpose}
    await unit.record(Draft("link.issued", unit.now, SYSTEM, data, case_id))
    return IssuedLink(link.id, f"{desk.settings.base_url}/d/{link.id}#{secret}")


async def open_link(desk: Desk, link_id: str, secret: str, *, source: str, browser: str = "") -> Opened:
    """Use a magic link, once.

    Args:
        link_id: From the path.
        secret: From the fragment, sent by POST after a click.
        source: Where the request comes from, for the brake on guessing; it is not kept.
        browser: What the browser says it is, for the list of sign-in sessions.

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
        if why is None and link.purpose == "set_up" and await unit.sign_ins.any():
            why = "set_up_over"
        if why is not None or person is None or not await unit.spend_link(link.id):
            data = {"link": link.id, "why": why or "used"}
            await unit.record(Draft("link.refused", unit.now, SYSTEM, data, link.escalation_id))
            return LinkSpent(why or "used")
        return await _let_in(unit, desk, link, person, browser=browser)

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


async def _let_in(unit: Unit, desk: Desk, link: Link, person: Person, *, browser: str) -> Opened:
    opened = await begin(
        unit,
        desk,
        person,
        "link" if link.purpose == "case" else "session",
        way="set_up" if link.purpose == "set_up" else "link",
        browser=browser,
        only_case=link.escalation_id,
    )
    data = {"link": link.id, "purpose": link.purpose}
    await unit.record(Draft("link.opened", unit.now, opened.sign_in.actor, data, link.escalation_id))
    request = await unit.sign_ins.request_of_link(link.id)
    if request is None:
        return opened
    # The others that went to the same person's other addresses are of no use any more.
    await unit.sign_ins.forget_requests_of(person.id)
    return replace(opened, back_to=request.back_to)


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
