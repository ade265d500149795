"""Alerts leave the outbox, are tried again, and never vanish."""

from __future__ import annotations

import io
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import pytest
from tests._support.cases import approve, ask
from tests._support.clock import HandClock
from tests.alerts.conftest import Mailbox, address_of, text_of

from signoff.alerts.channels import Channels
from signoff.alerts.messages import Message
from signoff.alerts.worker import deliver, run_alerts, take_due
from signoff.app.hosting import stand_in
from signoff.desk.desk import Desk
from signoff.desk.heartbeat import silence
from signoff.desk.people import add_person, set_addresses
from signoff.desk.sign_in import open_link
from signoff.domain.alert import Failed, Sent
from signoff.domain.people import Agent, SignIn


class RecordingChannels(Channels):
    """Answers as a test says, and remembers what it was asked to send."""

    def __init__(self, *answers: Sent | Failed) -> None:
        super().__init__(io.StringIO())
        self.sent: list[tuple[str, Message]] = []
        self._answers = list(answers)

    async def send(self, address: str, message: Message) -> Sent | Failed:
        self.sent.append((address, message))
        return self._answers.pop(0) if self._answers else Sent()


@asynccontextmanager
async def working(desk: Desk, channels: Channels) -> AsyncGenerator[None]:
    """Run the worker as a server does."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(run_alerts, desk, channels, owner="worker"))
        yield
        tasks.cancel_scope.cancel()


async def one_round(desk: Desk, channels: Channels, *, owner: str = "test") -> int:
    """Do what the worker does, once, to the end."""
    errands = await take_due(desk, owner=owner, most=10)
    for errand in errands:
        await deliver(desk, channels, errand, owner=owner)
    return len(errands)


async def states(desk: Desk, escalation_id: str) -> list[str]:
    async with desk.store.reading() as reader:
        return [state for _, state in await reader.alerts_of_case(escalation_id)]


async def until_states(desk: Desk, escalation_id: str, *wanted: str) -> None:
    async with desk.store.watch(escalation_id) as watch:
        while await states(desk, escalation_id) != list(wanted):
            await watch.wait(5)


async def test_a_running_worker_sends_an_alert_once(desk: Desk, ada: Agent) -> None:
    channels = RecordingChannels()
    with anyio.fail_after(5):
        async with working(desk, channels):
            asked = await ask(desk, ada)
            await until_states(desk, asked.escalation_id, "sent")

    assert [address for address, _ in channels.sent] == ["terminal:"]
    assert await one_round(desk, channels) == 0


async def test_an_alert_that_failed_is_tried_again_later_under_the_same_id(
    desk: Desk, ada: Agent, clock: HandClock
) -> None:
    channels = RecordingChannels(Failed("busy"), Sent())
    asked = await ask(desk, ada)
    await one_round(desk, channels)
    assert await states(desk, asked.escalation_id) == ["waiting"]
    assert await one_round(desk, channels) == 0

    clock.advance(10)
    assert await one_round(desk, channels) == 1

    assert await states(desk, asked.escalation_id) == ["sent"]
    assert len({message.body.rsplit("\n", 1)[1].split(" ")[0] for _, message in channels.sent}) == 1
    assert len({message.body for _, message in channels.sent}) == 2  # each try has a link of its own


async def test_an_alert_whose_case_is_decided_meanwhile_is_dropped(
    desk: Desk, ada: Agent, omar: SignIn, clock: HandClock
) -> None:
    channels = RecordingChannels(Failed("busy"))
    asked = await ask(desk, ada)
    await one_round(desk, channels)
    await approve(desk, omar, asked.escalation_id)
    clock.advance(3600)

    assert await one_round(desk, channels) == 0
    assert await states(desk, asked.escalation_id) == ["dropped"]


async def test_an_alert_that_never_can_be_sent_is_given_up_visibly(desk: Desk, ada: Agent) -> None:
    asked = await ask(desk, ada)
    await one_round(desk, RecordingChannels(Failed("no such channel", permanent=True)))

    # Omar is not reached, so everybody else who may decide is asked at once.
    assert sorted(await states(desk, asked.escalation_id)) == ["failed", "waiting"]
    async with desk.store.reading() as reader:
        assert await reader.count_failed_alerts() == 1
        types = [type_ for _, type_, _ in await reader.typed_events_of_case(asked.escalation_id)]
    assert "alert.failed" in types


async def test_a_worker_that_died_while_sending_is_followed_by_another(
    desk: Desk, ada: Agent, clock: HandClock
) -> None:
    asked = await ask(desk, ada)
    assert len(await take_due(desk, owner="died", most=10)) == 1
    assert await one_round(desk, RecordingChannels(), owner="next") == 0

    clock.advance(61)
    assert await one_round(desk, RecordingChannels(), owner="next") == 1
    assert await states(desk, asked.escalation_id) == ["sent"]


async def test_a_channel_that_breaks_leaves_the_alert_to_a_later_try(
    desk: Desk, ada: Agent, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(RecordingChannels):
        async def send(self, address: str, message: Message) -> Sent | Failed:
            raise RuntimeError("a bug")

    asked = await ask(desk, ada)
    await one_round(desk, Broken())
    assert "internal error" in caplog.text

    clock.advance(61)
    assert await one_round(desk, RecordingChannels()) == 1
    assert await states(desk, asked.escalation_id) == ["sent"]


async def test_a_hanging_channel_holds_up_nobody_else(desk: Desk, ada: Agent, omar: SignIn) -> None:
    released = anyio.Event()

    class OneHangs(RecordingChannels):
        async def send(self, address: str, message: Message) -> Sent | Failed:
            if address == "ntfy://hangs":
                await released.wait()
            return await super().send(address, message)

    channels = OneHangs()
    await set_addresses(desk, omar.person.name, ("ntfy://hangs", "terminal:"))
    with anyio.fail_after(5):
        async with working(desk, channels):
            asked = await ask(desk, ada)
            await until_one_is_sent(desk, asked.escalation_id)
            assert [address for address, _ in channels.sent] == ["terminal:"]
            released.set()
            await until_states(desk, asked.escalation_id, "sent", "sent")


async def until_one_is_sent(desk: Desk, escalation_id: str) -> None:
    async with desk.store.watch(escalation_id) as watch:
        while "sent" not in await states(desk, escalation_id):
            await watch.wait(5)


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
async def test_a_mailed_link_opens_the_case(
    desk: Desk, ada: Agent, omar: SignIn, mailbox: tuple[Mailbox, int]
) -> None:
    box, port = mailbox
    await set_addresses(desk, omar.person.name, (address_of(port),))
    asked = await ask(desk, ada)
    with anyio.fail_after(20):
        await one_round(desk, Channels(io.StringIO()))

    assert await states(desk, asked.escalation_id) == ["sent"]
    (mail,) = box.mails
    found: Any = re.search(r"/d/(lnk_\w+)#(\S+)", text_of(mail))
    opened = await open_link(desk, found[1], found[2], source="test")
    assert opened.sign_in.person.name == omar.person.name
    assert opened.sign_in.only_case == asked.escalation_id


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
async def test_a_mail_that_is_repeated_carries_the_same_ids_in_its_headers(
    desk: Desk, ada: Agent, omar: SignIn, mailbox: tuple[Mailbox, int], clock: HandClock
) -> None:
    box, port = mailbox
    await set_addresses(desk, omar.person.name, (address_of(port),))
    asked = await ask(desk, ada)
    box.answer = "451 try later"
    with anyio.fail_after(40):
        await one_round(desk, Channels(io.StringIO()))
        box.answer = "250 OK"
        clock.advance(60)
        await one_round(desk, Channels(io.StringIO()))

    first, second = box.mails[0], box.mails[-1]
    assert first is not second
    assert first["X-Signoff-Alert"] == second["X-Signoff-Alert"]
    assert first["X-Signoff-Alert"].startswith("alr_")
    for mail in (first, second):
        assert mail["X-Signoff-Case"] == asked.escalation_id
        assert mail["References"] == mail["In-Reply-To"] == f"<{asked.escalation_id}@signoff>"


async def test_a_running_worker_is_seen_at_work(desk: Desk, ada: Agent, clock: HandClock) -> None:
    with anyio.fail_after(5):
        async with working(desk, RecordingChannels()):
            asked = await ask(desk, ada)
            await until_states(desk, asked.escalation_id, "sent")
            async with desk.store.reading() as reader:
                while await reader.outbox.last_beat() is None:  # noqa: ASYNC110 - no event says so
                    await anyio.sleep(0.01)


async def test_another_process_sends_what_a_silent_worker_does_not_and_tells_the_administrators(
    desk: Desk, ada: Agent, clock: HandClock
) -> None:
    await add_person(desk, "Root", roles=["admin"], addresses=("ntfy://root",))
    asked = await ask(desk, ada)
    channels = RecordingChannels()
    assert await stand_in(desk, channels, owner="another") == 0
    clock.advance(60)

    assert await stand_in(desk, channels, owner="another") == 2

    assert await states(desk, asked.escalation_id) == ["sent"]
    told = dict(channels.sent)
    assert "nobody sends them" in told["ntfy://root"].subject
    async with desk.store.reading() as reader:
        assert await silence(desk, reader) is None
