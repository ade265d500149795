"""How sending to each address goes is known, and a browser that is gone is forgotten."""

from __future__ import annotations

import orjson
import pytest
from tests._support.cases import ask, verified
from tests._support.clock import HandClock
from tests.conftest import Cast

from signoff.desk.addresses import (
    MAX_BROWSERS,
    AddressHealth,
    address_health,
    health_of_addresses,
    record_test,
    subscribe,
    unsubscribe,
)
from signoff.desk.deliver import lease, record
from signoff.desk.desk import Desk
from signoff.desk.people import disable_person, set_addresses
from signoff.domain.alert import Delivery, Failed, Sent
from signoff.domain.errors import Conflict, Forbidden, NotFound
from signoff.domain.people import SignIn

MAIL = "mailto://127.0.0.1?to=omar@example.com"
BROWSER = "webpush:https://push.example.com/1#a.b"


async def delivered(desk: Desk, cast: Cast, *deliveries: Delivery) -> None:
    """Open a case per delivery, and let Omar's alert of it go like that."""
    for delivery in deliveries:
        await ask(desk, cast.ada)
        for errand in await lease(desk, "test"):
            await record(desk, "test", errand, delivery)


async def of(desk: Desk, name: str) -> list[AddressHealth]:
    return [one for one in await health_of_addresses(desk) if one.person.name == name]


async def events(desk: Desk, wanted: str) -> list[dict[str, object]]:
    async with desk.store.reading() as reader:
        found = [orjson.loads(body) async for page in reader.events() for _, body in page]
    return [one for one in found if one["type"] == wanted]


async def test_the_health_of_an_address_is_what_the_last_alerts_did(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    await set_addresses(desk, "Omar", (MAIL,))
    (before,) = await of(desk, "Omar")
    assert before.health.state == "unknown"

    await delivered(desk, cast, Sent())
    sent_at = clock.now()
    clock.advance(60)
    await delivered(desk, cast, Failed("busy"), Failed("no answer within 30 s"))

    (after,) = await of(desk, "Omar")
    assert after.health.state == "failing"
    assert after.health.failures == 2
    assert after.health.last_error == "no answer within 30 s"
    assert after.health.last_sent_at == sent_at
    assert after.health.last_failed_at == clock.now()

    await delivered(desk, cast, Sent())
    (mended,) = await of(desk, "Omar")
    assert (mended.health.state, mended.health.failures) == ("good", 0)


async def test_two_people_with_one_address_have_a_health_each(desk: Desk, cast: Cast) -> None:
    await set_addresses(desk, "Omar", (MAIL,))
    await set_addresses(desk, "Amir", (MAIL,))

    await delivered(desk, cast, Failed("busy"))

    assert [one.health.failures for one in await of(desk, "Omar")] == [1]
    assert [one.health.failures for one in await of(desk, "Amir")] == [0]


async def test_a_disabled_person_has_no_addresses_to_look_after(desk: Desk, cast: Cast) -> None:
    await disable_person(desk, "Omar")

    assert await of(desk, "Omar") == []


async def test_a_browser_that_took_its_subscription_back_is_forgotten(desk: Desk, cast: Cast) -> None:
    await set_addresses(desk, "Omar", (MAIL, BROWSER))
    await ask(desk, cast.ada)
    for errand in await lease(desk, "test"):
        gone = errand.alert.address == BROWSER
        await record(desk, "test", errand, Failed("gone", permanent=True, gone=True) if gone else Sent())

    assert [one.address for one in await of(desk, "Omar")] == [MAIL]
    changed = (await events(desk, "person.addresses_changed"))[-1]
    assert changed["data"] == {"person": cast.omar.person.id, "count": 1, "channels": ["mailto"]}
    assert (await verified(desk)).problems == ()


async def test_a_person_adds_and_takes_off_a_browser_of_their_own(desk: Desk, cast: Cast) -> None:
    await set_addresses(desk, "Omar", (MAIL,))

    await subscribe(desk, cast.omar, BROWSER)
    await subscribe(desk, cast.omar, BROWSER)

    assert [one.address for one in await of(desk, "Omar")] == [MAIL, BROWSER]
    (_, mine) = await of(desk, "Omar")
    await unsubscribe(desk, cast.sofia, mine.id)
    assert len(await of(desk, "Omar")) == 2
    await unsubscribe(desk, cast.omar, mine.id)
    assert [one.address for one in await of(desk, "Omar")] == [MAIL]


async def test_only_browsers_can_be_taken_off_by_their_owner(desk: Desk, cast: Cast) -> None:
    await set_addresses(desk, "Omar", (MAIL,))
    (mail,) = await of(desk, "Omar")

    await unsubscribe(desk, cast.omar, mail.id)

    assert [one.address for one in await of(desk, "Omar")] == [MAIL]


async def test_a_person_has_only_so_many_browsers(desk: Desk, cast: Cast) -> None:
    for number in range(MAX_BROWSERS):
        await subscribe(desk, cast.omar, f"{BROWSER}{number}")

    with pytest.raises(Conflict, match="Take one off"):
        await subscribe(desk, cast.omar, BROWSER)


async def test_a_magic_links_sign_in_and_a_disabled_person_change_no_addresses(
    desk: Desk, cast: Cast
) -> None:
    with pytest.raises(Forbidden):
        await subscribe(desk, SignIn(cast.omar.person, "link", "esc_1"), BROWSER)
    await disable_person(desk, "Omar")
    with pytest.raises(Forbidden):
        await subscribe(desk, cast.omar, BROWSER)


async def test_a_test_is_an_event_with_its_outcome_and_without_the_address(desk: Desk, cast: Cast) -> None:
    await set_addresses(desk, "Omar", (MAIL,))
    (mail,) = await of(desk, "Omar")

    await record_test(desk, cast.sofia.actor, mail, Failed("busy"))

    (event,) = await events(desk, "alert.tested")
    assert event["data"] == {"person": cast.omar.person.id, "channel": "mailto", "result": "failed"}
    assert event["actor"] == {"kind": "person", "id": cast.sofia.person.id, "assurance": "session"}
    assert (await address_health(desk, mail.id)).health.failures == 1


async def test_an_address_that_is_none_any_more_is_not_found(desk: Desk, cast: Cast) -> None:
    with pytest.raises(NotFound):
        await address_health(desk, "0" * 32)
