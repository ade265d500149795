"""Tell subscribers that what a resource shows has changed.

An agent subscribes to `escalation://{id}`, `audit://{id}` or `policy://current`: with `subscriptions/listen`
(protocol 2026-07-28), or with `resources/subscribe` and notifications (the revisions before). A notification
names the URI and says nothing else; the reader reads again. No replay: a change between two subscriptions is
found by reading. A URI that is not the agent's own can be subscribed to like any other, and never fires.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.abc
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated
from mcp.types import SubscriptionFilter, SubscriptionsListenRequestParams, SubscriptionsListenResult

from signoff.agents.mcp_resources import POLICY_URI, case_uri
from signoff.agents.mcp_subscribers import Ready
from signoff.desk.desk import Desk
from signoff.desk.wait import own_case
from signoff.domain.errors import LimitExceeded, NotFound
from signoff.domain.escalation import Escalation
from signoff.domain.people import Agent

MAX_URIS = 100  # of one stream
MAX_STREAMS = 20  # of one agent
LOOK_AGAIN_S = 60.0  # a wake that got lost is found by then
POLICY_EVERY_S = 2.0  # one stat of the policy file

Notify = Callable[[], Awaitable[None]]


async def watch_resource(
    desk: Desk,
    agent: Agent,
    uri: str,
    *,
    notify: Notify,
    ready: Ready,
    policy_every_s: float = POLICY_EVERY_S,
) -> None:
    """Call `notify` each time that what a URI shows changes; return when it cannot change any more.

    Args:
        ready: Called once no later change can be missed; only then may the subscriber be told it is one.

    Raises:
        StoreUnavailable: It can no longer be watched.
    """
    named = case_uri(uri)
    if uri == POLICY_URI:
        await _watch_policy(desk, notify, ready, every_s=policy_every_s)
    elif named is not None and named[0] != "trace":  # a bundle never changes
        await _watch_case(desk, agent, named[1], notify=notify, ready=ready)
    else:
        ready()


class Listening:
    """Serves `subscriptions/listen`: one call is one stream of notifications, ended by the client."""

    def __init__(self) -> None:
        self._streams: Counter[str] = Counter()

    async def listen(
        self,
        desk: Desk,
        agent: Agent,
        ctx: ServerRequestContext[Any, Any],
        params: SubscriptionsListenRequestParams,
    ) -> SubscriptionsListenResult:
        """Acknowledge the resources that were asked for, then notify of their changes.

        Lists of tools, prompts and resources are not acknowledged: they do not change while a server runs, or
        change only by what the agent itself does.

        Raises:
            LimitExceeded: Too many URIs or streams.
            StoreUnavailable: A case can no longer be watched; listen again.
        """
        uris = list(dict.fromkeys(params.notifications.resource_subscriptions or ()))
        if len(uris) > MAX_URIS:
            raise LimitExceeded("resourceSubscriptions", f"{MAX_URIS} URIs", f"{len(uris)} URIs")
        if self._streams[agent.id] >= MAX_STREAMS:
            raise LimitExceeded(
                "subscriptions/listen", f"{MAX_STREAMS} streams", f"{MAX_STREAMS + 1} streams"
            )
        # A bus of its own for each stream: nothing that another agent watches can reach this one.
        bus = InMemorySubscriptionBus()
        accepted = SubscriptionFilter(resource_subscriptions=uris)
        self._streams[agent.id] += 1
        try:
            async with anyio.create_task_group() as tasks:
                for uri in uris:
                    await tasks.start(_watch_for_stream, desk, agent, uri, bus)
                result = await ListenHandler(bus)(ctx, params.model_copy(update={"notifications": accepted}))
                tasks.cancel_scope.cancel()
            return result
        finally:
            self._streams[agent.id] -= 1
            self._streams += Counter()  # forgets who has none left


async def _watch_for_stream(
    desk: Desk,
    agent: Agent,
    uri: str,
    bus: InMemorySubscriptionBus,
    *,
    task_status: anyio.abc.TaskStatus[None],
) -> None:
    async def publish() -> None:
        await bus.publish(ResourceUpdated(uri=uri))

    await watch_resource(desk, agent, uri, notify=publish, ready=task_status.started)


async def _watch_policy(desk: Desk, notify: Notify, ready: Ready, *, every_s: float) -> None:
    seen = desk.policy.current().digest
    ready()
    while True:
        await anyio.sleep(every_s)
        now = desk.policy.current().digest
        if now != seen:
            seen = now
            await notify()


async def _watch_case(desk: Desk, agent: Agent, escalation_id: str, *, notify: Notify, ready: Ready) -> None:
    async with desk.store.watch(escalation_id) as watch:
        try:
            case = await own_case(desk, agent, escalation_id)
        except NotFound:
            ready()
            return
        seen = _told(desk, case)
        ready()
        while not _settled(desk, case):
            await watch.wait(_until_release(desk, case))
            case = await own_case(desk, agent, escalation_id)
            now = _told(desk, case)
            if now != seen:
                seen = now
                await notify()


def _told(desk: Desk, case: Escalation) -> tuple[object, ...]:
    """Return what the agent may know of a case: a decision that can still be taken back looks pending."""
    if not case.released(desk.clock.now()):
        return ("pending", case.urgency, case.tier, case.questions, case.questioned_by is None)
    return (case.status, case.claimed_at, case.outcome)


def _until_release(desk: Desk, case: Escalation) -> float:
    """Return how long to sleep: the end of the undo window is no change in the store that would wake."""
    if case.is_open or case.release_at is None:
        return LOOK_AGAIN_S
    return min(LOOK_AGAIN_S, max((case.release_at - desk.clock.now()).total_seconds(), 0.05))


def _settled(desk: Desk, case: Escalation) -> bool:
    now = desk.clock.now()
    if not case.released(now):
        return False
    if case.status not in ("approved", "modified"):
        return True
    if case.claimed_at is None:
        return case.valid_until is not None and now >= case.valid_until
    return case.outcome in ("succeeded", "failed")
