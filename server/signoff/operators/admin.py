"""Administration: people, agents, keys and the policy, each a page; what may be done is checked in the desk."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from signoff.audit.keys import load_public
from signoff.desk.addresses import health_of_addresses
from signoff.desk.follow import published_checkpoint
from signoff.desk.people import ADMINS, list_agents, list_people
from signoff.domain.errors import SignoffError
from signoff.operators import admin_agents, admin_people, admin_policy
from signoff.operators.sign_in import Door, who_holds


def admin_routes(door: Door) -> list[Route]:
    """Return the routes of administration; alert health has its own."""

    def post(path: str, answer: Callable[[Door, Request], Awaitable[Response]]) -> Route:
        return Route(path, partial(answer, door), methods=["POST"])

    return [
        Route("/admin", partial(show, door)),
        Route("/admin/people", partial(admin_people.show, door)),
        post("/admin/people", admin_people.add),
        Route("/admin/people/{person_id}", partial(admin_people.show_one, door)),
        post("/admin/people/{person_id}/roles", admin_people.change),
        post("/admin/people/{person_id}/addresses", admin_people.readdress),
        post("/admin/people/{person_id}/disable", admin_people.disable),
        Route("/admin/agents", partial(admin_agents.show, door)),
        post("/admin/agents", admin_agents.add),
        Route("/admin/agents/{agent_id}", partial(admin_agents.show_one, door)),
        post("/admin/agents/{agent_id}/key", admin_agents.rotate),
        post("/admin/agents/{agent_id}/pause", admin_agents.pause),
        post("/admin/agents/{agent_id}/resume", admin_agents.resume),
        post("/admin/agents/{agent_id}/limits", admin_agents.limit),
        Route("/admin/keys", partial(keys, door)),
        Route("/admin/policy", partial(admin_policy.show, door)),
        post("/admin/policy/try", admin_policy.replay),
        Route("/admin/policy/{digest}", partial(admin_policy.show_one, door)),
    ]


async def show(door: Door, request: Request) -> Response:
    """Answer GET /admin: what there is, and what needs somebody."""
    sign_in = await who_holds(door, request, ADMINS)
    people, agents = await list_people(door.desk), await list_agents(door.desk)
    addresses = await health_of_addresses(door.desk)
    policy = door.desk.policy.current()
    values = {
        "person": sign_in.person,
        "now": door.desk.clock.now(),
        "people": [one for one in people if one.disabled_at is None],
        "agents": agents,
        "paused": [one for one in agents if one.paused_at is not None],
        "failing": sum(one.health.state == "failing" for one in addresses),
        "unreachable": [one for one in people if one.disabled_at is None and not one.addresses],
        "triggers": len(policy.policy.triggers),
        "policy_problem": door.desk.policy.problem,
        "at": "admin",
    }
    return door.render.page("admin.html", values)


async def keys(door: Door, request: Request) -> Response:
    """Answer GET /admin/keys: the public halves of the keys, and the newest checkpoint."""
    sign_in = await who_holds(door, request, ADMINS)
    public, problem = None, ""
    try:
        public = await anyio.to_thread.run_sync(load_public, door.desk.keys.directory)
    except SignoffError as error:
        problem = error.message
    try:
        checkpoint = await published_checkpoint(door.desk)
    except SignoffError:  # nothing is signed yet, or the log is read-only
        checkpoint = ""
    values = {
        "person": sign_in.person,
        "now": door.desk.clock.now(),
        "log_keys": [one.text for one in public.log] if public is not None else [],
        "receipt_keys": public.receipts["keys"] if public is not None and public.receipts else [],
        "revoked": public.revoked if public is not None else {},
        "problem": problem,
        "checkpoint": checkpoint,
        "base_url": door.desk.settings.base_url,
        "at": "keys",
    }
    return door.render.page("admin_keys.html", values)
