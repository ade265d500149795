"""Puts the sending half together, and hands the pages what they need of it: pages import no channel."""

from __future__ import annotations

from typing import TextIO

from signoff.alerts.channels import Channels, check_address
from signoff.alerts.testing import send_test
from signoff.alerts.vapid import open_vapid
from signoff.alerts.webpush import PushSender, checked_subscription
from signoff.alerts.wording import Wording
from signoff.config import Config
from signoff.desk.addresses import AddressHealth
from signoff.desk.desk import Desk
from signoff.domain.alert import Delivery
from signoff.domain.clock import Clock
from signoff.domain.event import Actor
from signoff.operators.alerting import Alerting


def make_channels(config: Config, clock: Clock, *, terminal: TextIO) -> Channels:
    """Return the channels of a home, making its push key where it is missing.

    Raises:
        KeyExposed: The push key is open to others.
        KeyInvalid: The file holds no key.
    """
    vapid = open_vapid(config.home.keys, contact=config.contact)
    return Channels(
        terminal,
        time_limit_s=config.settings.alerts.time_limit_s,
        wording=Wording(config.home.alert_templates),
        push=PushSender(vapid, clock),
    )


def alerting(desk: Desk, channels: Channels) -> Alerting:
    """Return what the pages need of the channels."""

    async def send(tested: AddressHealth, by: Actor) -> Delivery:
        return await send_test(desk, channels, tested, by=by)

    def address(endpoint: str, p256dh: str, auth: str) -> str:
        return checked_subscription(endpoint, p256dh=p256dh, auth=auth).address

    def problems() -> list[tuple[str, str]]:
        return [(one.name, one.why) for one in channels.wording.problems()]

    return Alerting(
        send_test=send,
        check_address=check_address,
        push_key=channels.push_key,
        browser_address=address,
        template_problems=problems,
    )
