"""Telling people, the desk's half: leases, links, and what came of sending. Who is told: `escalate.py`.

The worker in `alerts/` does the sending. At least once: an alert is forgotten only when a channel has it, when
its case has ended, or visibly, after the last try. Any number of processes may lease from the same outbox.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import orjson

from signoff.desk.addresses import note_delivery
from signoff.desk.checkpoints import footer, publish_checkpoint
from signoff.desk.dead_letters import ask_others, dead_letter_of, tell_admins
from signoff.desk.desk import Desk
from signoff.desk.digests import digest_of, gather
from signoff.desk.heartbeat import silence_of
from signoff.desk.moment import moment
from signoff.desk.reasons import strictest_first
from signoff.desk.rights_told import change_told
from signoff.desk.sign_in import issue_case_link
from signoff.domain.address import takes_links
from signoff.domain.alert import (
    ASKING,
    CLOSING,
    About,
    Alert,
    AlertDraft,
    AlertKind,
    Delivery,
    Failed,
    Sent,
)
from signoff.domain.clock import from_text
from signoff.domain.errors import SignoffError
from signoff.domain.escalation import Escalation
from signoff.domain.event import SYSTEM, Draft
from signoff.domain.people import Person, SignIn, may_see_case
from signoff.store.reader import Reader
from signoff.store.unit import Unit

GIVE_UP_AFTER = timedelta(hours=1)
"""How long a failing alert is tried; less where its case ends sooner, so that others can still be asked."""
FEWEST_TRIES = 3
FIRST_DELAY_S = 5
LONGEST_DELAY_S = 15 * 60
PER_ADDRESS = 3
"""Alerts on their way to one address at a time: one that hangs for half a minute holds up only its own."""


@dataclass(frozen=True, slots=True)
class Errand:
    """One alert of a case on its way, with all that a message may say. Holds a secret: the link."""

    alert: Alert
    person: Person
    case: Escalation
    link_url: str
    """A magic link, where there is something to decide and the address takes links; else the page of the case, which
    asks who you are."""
    why: str
    """Title of the strictest trigger that fired, and how many more did; the policy's words, not the agent's."""
    agent_name: str
    seconds_left: int
    footer: str
    """`audit 137 eH22nAG2`: the newest checkpoint, so that every reader holds an anchor of the log."""
    page_url: str = ""
    """The page of the case, without a token: it opens for people who are signed in."""
    by: tuple[str, ...] = ()
    """Names: who decided, or who handed the case over; empty where nobody did, or not yet."""
    is_canary: bool = False
    """It was put among the cases to be rejected. A message must not tell while it waits."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One alert on its way that is about no case."""

    alert: Alert
    person: Person
    about: About | None
    """None for a test."""
    link_url: str
    """The inbox; opening it needs a sign-in."""
    footer: str


async def lease(desk: Desk, owner: str, *, most: int = 10) -> list[Errand]:
    """Take alerts of cases that are due, each with a fresh link, most urgent first.

    A link is issued here and not earlier, so its secret is never stored. What is not recorded within
    `lease_s` is free for another worker.

    Args:
        owner: Names this worker; leases are recorded under it.
    """
    # The footer is an anchor of the log as it stands now. An alert goes out also where nothing can be signed.
    with suppress(SignoffError, OSError):
        await publish_checkpoint(desk)

    async def move(unit: Unit) -> list[Errand]:
        await gather(unit, desk.settings)
        made = []
        for alert in await _take(unit, desk, owner, most=most, of_cases=True):
            errand = await _errand(unit, desk, alert)
            if errand is None:
                await unit.finish_alert(alert.id, owner, state="dropped", error=None)
            else:
                made.append(errand)
        await unit.outbox.begin_attempts(owner, [one.alert for one in made])
        return made

    return await desk.store.write(move)


async def lease_notices(desk: Desk, owner: str, *, most: int = 10) -> list[Notice]:
    """Take alerts that are due and about no case: digests, and what administrators must know."""

    async def move(unit: Unit) -> list[Notice]:
        made = []
        for alert in await _take(unit, desk, owner, most=most, of_cases=False):
            notice = await _notice(unit, desk, alert)
            if notice is None:
                await unit.finish_alert(alert.id, owner, state="dropped", error=None)
            else:
                made.append(notice)
        await unit.outbox.begin_attempts(owner, [one.alert for one in made])
        return made

    return await desk.store.write(move)


async def _take(unit: Unit, desk: Desk, owner: str, *, most: int, of_cases: bool) -> list[Alert]:
    until = unit.now + timedelta(seconds=desk.settings.lease_s)
    return await unit.lease_alerts(owner, until=until, most=most, per_address=PER_ADDRESS, of_cases=of_cases)


async def _errand(unit: Unit, desk: Desk, alert: Alert) -> Errand | None:
    """Return what there is to say, None if nobody needs to hear it any more."""
    case, person = await unit.case(alert.escalation_id or ""), await unit.person(alert.person_id)
    if case is None or person is None or not _is_wanted(alert, case, person):
        return None
    agent = await unit.agent(case.agent_id)
    page_url = f"{desk.settings.base_url}/cases/{case.id}"
    return Errand(
        alert=alert,
        person=person,
        case=case,
        link_url=await issue_case_link(unit, desk, case, person, alert.address)
        if alert.kind not in CLOSING and takes_links(person, alert.address, unit.now)
        else page_url,
        why=await why_of(desk, unit, case),
        agent_name=agent.name if agent else case.agent_id,
        seconds_left=max(int((case.deadline_at - unit.now).total_seconds()), 0),
        footer=await footer(unit),
        page_url=page_url,
        by=await _by(unit, alert, case),
        is_canary=await unit.insight.canary(case.id) is not None,
    )


def _is_wanted(alert: Alert, case: Escalation, person: Person) -> bool:
    """Say whether an alert still helps: the case is open, or that it is over is what the alert says."""
    if person.disabled_at is not None or not may_see_case(SignIn(person, "link"), case.id, case.queue):
        return False
    return case.is_open != (alert.kind in CLOSING)


async def _by(unit: Unit, alert: Alert, case: Escalation) -> tuple[str, ...]:
    """Return the names of those who decided, or of whoever handed the case over."""
    who: Iterable[str] = case.decided_by
    if alert.kind == "handed_over":
        events = [orjson.loads(body) for _, body in await unit.events_of_case(case.id)]
        handed = [one for one in events if one["type"] in ("escalation.handed_over", "escalation.reassigned")]
        who = [one["actor"]["id"] for one in handed if one["data"].get("to") == alert.person_id][-1:]
    people = [await unit.person(one) for one in who]
    return tuple(one.name for one in people if one is not None)


async def _notice(unit: Unit, desk: Desk, alert: Alert) -> Notice | None:
    person = await unit.person(alert.person_id)
    if person is None or person.disabled_at is not None:
        return None
    about = await _about(unit, desk, alert)
    if about is None and alert.kind != "test":
        return None
    return Notice(alert, person, about, f"{desk.settings.base_url}/", await footer(unit))


async def _about(unit: Unit, desk: Desk, alert: Alert) -> About | None:
    """Return what a notice is about, None once that is over."""
    if alert.kind == "digest":
        return await digest_of(unit, desk.settings, alert.id)
    if alert.kind == "dead_letter":
        return await dead_letter_of(unit, alert.about or "")
    if alert.kind == "rights_changed":
        return await change_told(unit, alert)
    return await silence_of(unit, alert) if alert.kind == "heartbeat" else None


async def record(desk: Desk, owner: str, errand: Errand | Notice, delivery: Delivery) -> None:
    """Record how sending an alert went; a failure is tried again later, for about an hour, and then given up.

    Nothing changes for an alert that was dropped meanwhile, or whose lease another worker holds now; only the try
    itself is kept.
    """
    alert = errand.alert

    async def move(unit: Unit) -> None:
        error = delivery.why if isinstance(delivery, Failed) else None
        await unit.outbox.end_attempt(owner, alert, error=error)
        await note_delivery(unit, alert.person_id, alert.address, delivery)
        if isinstance(delivery, Sent):
            await _sent(unit, owner, alert)
            return
        again_at = None if delivery.permanent else await _again_at(unit, alert)
        if again_at is None:
            await _given_up(unit, desk, owner, alert, delivery.why)
        else:
            await unit.delay_alert(alert.id, owner, due_at=again_at, error=delivery.why)

    await desk.store.write(move)


async def _sent(unit: Unit, owner: str, alert: Alert) -> None:
    if not await unit.finish_alert(alert.id, owner, state="sent", error=None):
        await _sent_too_late(unit, alert)
        return
    for one in await _all_of(unit, alert):
        draft = Draft("alert.sent", unit.now, SYSTEM, _facts(one, alert), one.escalation_id)
        await unit.record(draft)
    await unit.outbox.finish_digested(alert.id, state="sent", error=None)


async def _sent_too_late(unit: Unit, alert: Alert) -> None:
    """Tell somebody how a case ended that ended while they were being asked."""
    found = await unit.alert(alert.id)
    if found is None or found[1] != "dropped" or alert.kind not in ASKING:
        return
    case, person = await unit.case(alert.escalation_id or ""), await unit.person(alert.person_id)
    if case is None or person is None or case.is_open or person.id in case.decided_by:
        return
    # Whoever was asked under another alert of the case is told of the end already.
    told = any(
        one.kind in CLOSING and (one.person_id, one.address) == (alert.person_id, alert.address)
        for one, _ in await unit.alerts_of_case(case.id)
    )
    if not told and (person.follow_up or case.status == "expired"):
        kind: AlertKind = "expired" if case.status == "expired" else "decided"
        due_at = max(case.release_at or unit.now, unit.now)
        await unit.add_alert(case.id, AlertDraft(kind, person.id, alert.address, "low", due_at))


async def _again_at(unit: Unit, alert: Alert) -> datetime | None:
    """Return when to try again after a failed try; None: not any more."""
    tries, since = await unit.outbox.tries(alert.id)
    give_up_at = (since or unit.now) + await _patience(unit, alert, since or unit.now)
    if tries >= FEWEST_TRIES and unit.now >= give_up_at:
        return None
    again_at = unit.now + retry_after(alert)
    # One last try just when the time is over.
    return min(again_at, give_up_at) if tries >= FEWEST_TRIES - 1 and give_up_at > unit.now else again_at


async def _patience(unit: Unit, alert: Alert, since: datetime) -> timedelta:
    """Return how long to try: an hour, or half of what the case had left, so that others can still be asked."""
    case = await unit.case(alert.escalation_id) if alert.escalation_id is not None else None
    if case is None or not case.is_open:
        return GIVE_UP_AFTER
    return min(GIVE_UP_AFTER, max((case.deadline_at - since) / 2, timedelta(0)))


async def _given_up(unit: Unit, desk: Desk, owner: str, alert: Alert, why: str) -> None:
    """Give an alert up, visibly: its event, a banner, the administrators, and whoever can be asked instead."""
    if not await unit.finish_alert(alert.id, owner, state="failed", error=why):
        return
    held = await _all_of(unit, alert)
    for one in held:
        draft = Draft("alert.failed", unit.now, SYSTEM, _facts(one, alert), one.escalation_id)
        await unit.record(draft)
    await unit.outbox.finish_digested(alert.id, state="failed", error=why)
    if alert.kind in ("dead_letter", "heartbeat", "test"):
        return  # what tells of a failure does not tell of its own: that would never end
    await tell_admins(unit, alert)
    for one in held:
        if one.escalation_id is not None:
            await ask_others(unit, one, one.escalation_id, desk.policy.current())


async def _all_of(unit: Unit, alert: Alert) -> list[Alert]:
    """Return an alert and, of a digest, every alert in it."""
    if alert.kind != "digest":
        return [alert]
    held = [await unit.alert(one.id) for one in await unit.outbox.in_digest(alert.id)]
    return [alert, *(one for one, _ in filter(None, held))]


def _facts(one: Alert, carrier: Alert) -> dict[str, Any]:
    """Return what an event says of how sending went, of an alert or of one in a digest."""
    return {
        "alert": one.id,
        "kind": one.kind,
        "person": one.person_id,
        "channel": one.address.partition(":")[0],
        "attempt": carrier.attempts,
        "digest": None if one is carrier else carrier.id,
    }


def retry_after(alert: Alert) -> timedelta:
    """Return how long to wait after a failed try: doubling from 5 s to 15 min, ±25% by the alert's id.

    The jitter comes from the id, so that a restart does not reshuffle it and alerts that failed together
    do not come back together.
    """
    base = min(FIRST_DELAY_S * 2 ** (alert.attempts - 1), LONGEST_DELAY_S)
    share = sha256(f"{alert.id}/{alert.attempts}".encode()).digest()[0] / 255
    return timedelta(seconds=base * (0.75 + share / 2))


async def is_due(desk: Desk) -> bool:
    """Say whether the outbox has work now; costs no transaction."""
    async with desk.store.reading() as reader:
        due_at = await reader.next_alert_due()
        return due_at is not None and from_text(due_at) <= await moment(desk, reader)


async def why_of(desk: Desk, reader: Reader, case: Escalation) -> str:
    """Return the title of the strictest trigger that fired, and how many more did; the policy's words."""
    document = await reader.document(case.id)
    fired = orjson.loads(document)["verdict"]["fired"] if document else []
    if not fired:
        return "The policy asks for a person"
    titles = {one["trigger"]: str(one["title"]) for one in fired}
    first = titles[strictest_first(desk, tuple(titles))[0]]
    return f"{first} and {len(titles) - 1} more" if len(titles) > 1 else first
