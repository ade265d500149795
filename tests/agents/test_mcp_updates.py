"""Who subscribed hears of changes, and nobody else does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from mcp.client import Client
from mcp.client.subscriptions import ResourceUpdated
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError
from mcp.types import ResourceUpdatedNotification
from tests._support.clock import HandClock
from tests.agents.conftest import WIRE, Decide, ServerFor, ask, given
from tests.conftest import Cast

from signoff.agents.mcp_updates import MAX_STREAMS, MAX_URIS, watch_resource
from signoff.desk.desk import Desk
from signoff.domain.decision import Answer


async def _next(subscription: AsyncIterator[Any]) -> str:
    with anyio.fail_after(5):
        event = await anext(subscription)
    assert isinstance(event, ResourceUpdated)
    return event.uri


async def test_a_listener_hears_of_each_move_of_its_case(
    server_for: ServerFor, cast: Cast, decide_as: Decide
) -> None:
    async with Client(server_for(cast.ada)) as client:
        case = await ask(client)
        uri = f"escalation://{case}"
        async with client.listen(resource_subscriptions=[uri], resources_list_changed=True) as heard:
            assert heard.honored.resource_subscriptions == [uri]
            assert heard.honored.resources_list_changed is None
            await decide_as(cast.omar, case, Answer("approve"))
            assert await _next(heard) == uri
            given(await client.call_tool("claim_approval", {"escalation_id": case, "action": WIRE}))
            assert await _next(heard) == uri


async def test_a_decision_is_heard_when_it_can_no_longer_be_taken_back(
    server_for: ServerFor, cast: Cast, decide_as: Decide, clock: HandClock, desk: Desk
) -> None:
    object.__setattr__(desk.settings, "undo_s", 1)
    async with Client(server_for(cast.ada)) as client:
        case = await ask(client)
        async with client.listen(resource_subscriptions=[f"audit://{case}"]) as heard:
            await decide_as(cast.omar, case, Answer("approve"))
            clock.advance(1)
            assert await _next(heard) == f"audit://{case}"
        told = await client.call_tool("get_decision", {"escalation_id": case})
        assert given(told)["status"] == "approved"


async def test_another_agents_case_can_be_listened_to_and_is_never_heard(
    server_for: ServerFor, cast: Cast, decide_as: Decide
) -> None:
    async with Client(server_for(cast.ada)) as ada, Client(server_for(cast.bea)) as bea:
        hers = await ask(ada)
        mine = await ask(bea)
        uris = [f"escalation://{hers}", f"escalation://{mine}", "escalation://esc_absent"]
        async with bea.listen(resource_subscriptions=uris) as heard:
            assert heard.honored.resource_subscriptions == uris
            await decide_as(cast.omar, hers, Answer("approve"))
            await decide_as(cast.omar, mine, Answer("approve"))
            assert await _next(heard) == f"escalation://{mine}"


async def test_clients_of_older_revisions_are_notified_until_they_unsubscribe(
    server_for: ServerFor, cast: Cast, decide_as: Decide
) -> None:
    notified: list[str] = []
    came = anyio.Event()

    async def handler(message: object) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            notified.append(str(message.params.uri))
            came.set()

    async with Client(server_for(cast.ada), mode="legacy", message_handler=handler) as client:
        first, second = await ask(client), await ask(client)
        with pytest.warns(MCPDeprecationWarning):
            await client.subscribe_resource(f"escalation://{first}")
        with pytest.warns(MCPDeprecationWarning):
            await client.subscribe_resource(f"escalation://{second}")
        with pytest.warns(MCPDeprecationWarning):
            await client.unsubscribe_resource(f"escalation://{first}")
        await decide_as(cast.omar, first, Answer("approve"))
        await decide_as(cast.omar, second, Answer("approve"))
        with anyio.fail_after(5):
            await came.wait()
    assert notified == [f"escalation://{second}"]


async def test_a_new_policy_is_heard_of(desk: Desk, cast: Cast) -> None:
    ready, heard = anyio.Event(), anyio.Event()

    async def notify() -> None:
        heard.set()

    async def watch() -> None:
        await watch_resource(
            desk, cast.ada, "policy://current", notify=notify, ready=ready.set, policy_every_s=0.01
        )

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch)
            await ready.wait()
            desk.policy.path.write_text("version: 1\n")
            await heard.wait()
            tasks.cancel_scope.cancel()


@pytest.mark.parametrize("uri", ["trace://esc_1", "escalation://esc_absent", "file:///etc/passwd"])
async def test_what_cannot_change_is_not_watched(desk: Desk, cast: Cast, uri: str) -> None:
    began: list[bool] = []

    async def notify() -> None:
        raise AssertionError

    with anyio.fail_after(5):
        await watch_resource(desk, cast.ada, uri, notify=notify, ready=lambda: began.append(True))
    assert began == [True]


async def test_a_settled_case_is_watched_no_longer(
    desk: Desk, server_for: ServerFor, cast: Cast, decide_as: Decide
) -> None:
    async def notify() -> None:
        raise AssertionError

    async with Client(server_for(cast.ada)) as client:
        case = await ask(client)
    await decide_as(cast.omar, case, Answer("reject", note="no"))
    with anyio.fail_after(5):
        await watch_resource(desk, cast.ada, f"escalation://{case}", notify=notify, ready=lambda: None)


async def test_subscriptions_are_limited(server_for: ServerFor, cast: Cast) -> None:
    many = [f"escalation://{number}" for number in range(MAX_URIS + 1)]
    async with Client(server_for(cast.ada)) as client:
        with pytest.raises(
            MCPError, match=f"limit_exceeded: resourceSubscriptions: .* at most {MAX_URIS} URIs"
        ):
            async with client.listen(resource_subscriptions=many):
                pass
        async with anyio.create_task_group() as tasks:
            for _ in range(MAX_STREAMS):
                await tasks.start(_hold_open, client)
            with pytest.raises(MCPError, match="limit_exceeded: subscriptions/listen"):
                async with client.listen(resource_subscriptions=["policy://current"]):
                    pass
            tasks.cancel_scope.cancel()


async def _hold_open(client: Client, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    async with client.listen(resource_subscriptions=["policy://current"]):
        task_status.started()
        await anyio.sleep_forever()
