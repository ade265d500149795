"""What the pages need of the half that sends alerts, which they do not import."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from signoff.desk.addresses import AddressHealth
from signoff.domain.alert import Delivery
from signoff.domain.event import Actor


@dataclass(frozen=True, slots=True)
class Alerting:
    """Made by the composition root."""

    send_test: Callable[[AddressHealth, Actor], Awaitable[Delivery]]
    check_address: Callable[[str], str]
    """Returns an address that alerts may go to, or raises InvalidRequest."""
    push_key: str
    """The key that a browser subscribes with, base64url; empty where nothing is sent to browsers."""
    browser_address: Callable[[str, str, str], str]
    """Makes an address of endpoint, p256dh and auth, or raises InvalidRequest."""
    template_problems: Callable[[], list[tuple[str, str]]]
    """Names of the home's templates of alerts that are not used, and why."""
