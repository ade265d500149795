"""A test alert: the same words, channel and rules as any other, sent at once, and recorded."""

from __future__ import annotations

from signoff.alerts.channels import Channels
from signoff.alerts.facts import MAX_NAME_CHARS, made_facts
from signoff.alerts.messages import message_of
from signoff.alerts.quote import quoted
from signoff.desk.addresses import AddressHealth, record_test
from signoff.desk.checkpoints import footer
from signoff.desk.desk import Desk
from signoff.domain.alert import Delivery
from signoff.domain.errors import StoreUnavailable
from signoff.domain.event import Actor


async def send_test(desk: Desk, channels: Channels, tested: AddressHealth, *, by: Actor) -> Delivery:
    """Send a test alert to one address and record how it went.

    Raises:
        StoreUnavailable: Nothing may be written now, so nothing was sent; or how it went could not be recorded.
    """
    if desk.store.read_only is not None:
        raise StoreUnavailable(f"No test was sent, because it could not be recorded. {desk.store.read_only}")
    async with desk.store.reading() as reader:
        anchor = await footer(reader)
    page = f"{desk.settings.base_url}/"
    facts = made_facts(
        "test",
        urgency="normal",
        link=page,
        page=page,
        id=desk.new_id("alr", desk.clock.now()),
        footer=anchor,
        person=quoted(tested.person.name, MAX_NAME_CHARS),
    )
    delivery = await channels.send(tested.address, message_of(facts, channels.wording))
    await record_test(desk, by, tested, delivery)
    return delivery
