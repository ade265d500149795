"""A worker that sends no alerts is noticed."""

from __future__ import annotations

import pytest
from tests._support.cases import ask
from tests._support.clock import HandClock
from tests.conftest import Cast

from signoff.alerts.worker import take_due
from signoff.desk.deliver import lease, lease_notices, record
from signoff.desk.desk import Desk
from signoff.desk.heartbeat import beat, note_silence, silence
from signoff.desk.inbox import inbox
from signoff.desk.people import add_person
from signoff.domain.alert import Sent, Silence


async def found(desk: Desk) -> Silence | None:
    async with desk.store.reading() as reader:
        return await silence(desk, reader)


async def test_nothing_is_silent_while_nothing_is_due(desk: Desk, cast: Cast, clock: HandClock) -> None:
    await beat(desk, "worker")
    clock.advance(3600)
    assert await found(desk) is None


@pytest.mark.parametrize("seen", [True, False], ids=["seen once", "never seen"])
async def test_alerts_that_wait_for_a_silent_worker_are_shown_in_the_inbox(
    desk: Desk, cast: Cast, clock: HandClock, *, seen: bool
) -> None:
    if seen:
        await beat(desk, "worker")
    await ask(desk, cast.ada)
    clock.advance(59)
    assert (await inbox(desk, cast.sofia)).silence is None
    clock.advance(1)
    shown = (await inbox(desk, cast.sofia)).silence
    assert shown is not None
    assert (shown.waiting, shown.last_beat_at is not None) == (1, seen)

    await beat(desk, "worker")
    assert (await inbox(desk, cast.sofia)).silence is None


async def test_an_alert_that_is_being_sent_does_not_wait_in_vain(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    await ask(desk, cast.ada)
    clock.advance(100)
    (errand,) = await lease(desk, "worker")
    assert await found(desk) is None
    await record(desk, "worker", errand, Sent())
    assert await found(desk) is None


async def test_administrators_hear_of_a_silent_worker_once_an_hour_and_the_log_with_them(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    await add_person(desk, "Root", roles=["admin"], addresses=("ntfy://root",))
    await ask(desk, cast.ada)
    assert await note_silence(desk) is None
    clock.advance(60)
    for _ in range(3):
        assert await note_silence(desk) is not None

    (notice,) = await lease_notices(desk, "another")

    assert (notice.person.name, notice.alert.kind) == ("Root", "heartbeat")
    assert isinstance(notice.about, Silence)
    async with desk.store.reading() as reader:
        bodies = [body async for page in reader.events() for _, body in page]
    assert sum(b'"type":"worker.silent"' in one for one in bodies) == 1


async def test_a_beat_is_no_event(desk: Desk, cast: Cast) -> None:
    async with desk.store.reading() as reader:
        before = (await reader.head()).size
    for _ in range(5):
        await beat(desk, "worker")
    async with desk.store.reading() as reader:
        assert (await reader.head()).size == before


async def test_news_of_silence_is_dropped_once_somebody_sends_again(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    await add_person(desk, "Root", roles=["admin"], addresses=("ntfy://root",))
    await ask(desk, cast.ada)
    clock.advance(60)
    await note_silence(desk)
    await beat(desk, "worker")
    assert await lease_notices(desk, "worker") == []


async def test_a_read_only_server_sees_the_silence_and_writes_nothing(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    await add_person(desk, "Root", roles=["admin"], addresses=("ntfy://root",))
    await ask(desk, cast.ada)
    clock.advance(60)
    desk.store.read_only = "an older database was put back"

    await beat(desk, "worker")

    assert await note_silence(desk) is None
    assert await take_due(desk, owner="worker", most=10) == []
    assert await found(desk) is not None
    desk.store.read_only = None
    assert await note_silence(desk) is not None
