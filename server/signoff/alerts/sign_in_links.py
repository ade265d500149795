"""Sends the sign-in links that people asked for, as alerts are sent, and says in each what to do if nobody asked.

At least once: a link that was sent and not recorded (a crash in between) is replaced by another, and opens nothing.
"""

from __future__ import annotations

import logging
from functools import partial

from signoff.alerts.channels import Channels
from signoff.alerts.messages import Message, time_left
from signoff.alerts.sending import keep_sending
from signoff.desk.desk import Desk
from signoff.desk.sign_in_requests import (
    SignInErrand,
    lease_sign_in_links,
    record_sign_in_link,
    sign_in_link_is_due,
)
from signoff.domain.errors import SignoffError

log = logging.getLogger("signoff.alerts")

AT_ONCE = 8


async def run_sign_in_links(desk: Desk, channels: Channels, *, owner: str) -> None:
    """Send sign-in links until cancelled.

    Args:
        owner: Names this worker among all processes; leases are held under it.
    """

    async def take(most: int) -> list[SignInErrand]:
        return await take_due(desk, owner=owner, most=most)

    await keep_sending(
        "Sign-in links",
        take=take,
        send=partial(deliver_link, desk, channels, owner=owner),
        at_once=AT_ONCE,
    )


async def take_due(desk: Desk, *, owner: str, most: int) -> list[SignInErrand]:
    """Lease what is due, without a transaction where nothing is, or nothing may be written."""
    if most == 0 or desk.store.read_only is not None or not await sign_in_link_is_due(desk):
        return []
    return await lease_sign_in_links(desk, owner, most=most)


async def deliver_link(desk: Desk, channels: Channels, errand: SignInErrand, *, owner: str) -> None:
    """Send one link and record the result; what goes wrong here ends with the lease, and another try."""
    try:
        delivery = await channels.send(errand.address, sign_in_message(errand))
        await record_sign_in_link(desk, owner, errand, delivery)
    except SignoffError as error:
        log.warning("How sign-in link %s went could not be recorded: %s", errand.link_id, error.message)
    except Exception:
        log.exception("Sign-in link %s failed with an internal error.", errand.link_id)


def sign_in_message(errand: SignInErrand) -> Message:
    """Put a sign-in link into words; nothing in them was written by whoever asked."""
    valid_for = time_left(int(errand.valid_for.total_seconds()))
    subject = "signoff: your sign-in link"
    lines = [
        "You asked to sign in. This link opens once, for you alone:",
        errand.url,
        "",
        f"It is good for {valid_for}. Opening it decides nothing.",
        "If you did not ask, leave it alone: without it nobody gets in. Tell your administrator if it happens again.",
        "",
        errand.request.id,
    ]
    return Message(subject, "\n".join(lines), f"{subject} {errand.url}")
