"""The door over HTTP: keys, hosts, sessions, and a real client over a real socket."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio
import httpx
import httpx2
import pytest
import uvicorn
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from starlette.types import Receive, Scope, Send
from tests.agents.conftest import WIRE, Decide, ask, given, read, refused
from tests.conftest import Cast

from signoff.agents.mcp_http import McpApp, mcp_asgi
from signoff.desk.desk import Desk
from signoff.desk.people import add_agent, rotate_agent_key
from signoff.domain.decision import Answer
from signoff.domain.errors import StoreUnavailable

HOST = "signoff.example"
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
PING = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
ACCEPT = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


@pytest.fixture
async def app(desk: Desk) -> AsyncGenerator[McpApp]:
    made = mcp_asgi(desk, allowed_hosts=[HOST, "127.0.0.1:*"], allowed_origins=[f"https://{HOST}"])
    async with made.running():
        yield made


@pytest.fixture
async def http(app: McpApp, cast: Cast) -> AsyncGenerator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {cast.ada_key}", **ACCEPT}
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}", headers=headers) as client:
        yield client


@pytest.mark.parametrize(
    ("authorization", "challenge"),
    [
        ([], "Bearer"),
        (["Basic YTpi"], "Bearer"),
        (["Bearer"], "Bearer"),
        (["Bearer ", "Bearer "], "Bearer"),
        (["Bearer " + "x" * 5000], "Bearer"),
        (["Bearer sgn_wrong"], 'Bearer error="invalid_token"'),
        (["Bearer  sgn_wrong\x80"], "Bearer"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_nobody_enters_without_a_key(
    app: McpApp, authorization: list[str], challenge: str, method: str
) -> None:
    transport = httpx.ASGITransport(app=app)
    headers = [(b"authorization", one.encode("latin-1")) for one in authorization]
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
        answer = await client.request(method, "/mcp", headers=headers, content=b"NaN")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == challenge
    assert "sgn_wrong" not in answer.text


async def test_a_rotated_key_opens_nothing(http: httpx.AsyncClient, desk: Desk) -> None:
    assert (await http.post("/mcp", json=INITIALIZE)).status_code == 200
    await rotate_agent_key(desk, "Ada")
    assert (await http.post("/mcp", json=INITIALIZE)).status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"host": f"{HOST}.evil.example"}, 421),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": f"https://{HOST}"}, 200),
        ({}, 200),
    ],
)
@pytest.mark.parametrize("version", [None, "2026-07-28"])
async def test_only_allowed_hosts_and_origins_are_served(
    http: httpx.AsyncClient, headers: dict[str, str], status: int, version: str | None
) -> None:
    modern = {"mcp-protocol-version": version, "mcp-method": "server/discover"} if version else {}
    meta: dict[str, Any] = {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    discover = {"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta": meta}}
    answer = await http.post("/mcp", json=discover if version else INITIALIZE, headers={**headers, **modern})
    assert answer.status_code == status


async def test_bad_json_is_answered_before_the_sdk_reads_it(http: httpx.AsyncClient) -> None:
    twice = '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a","name":"b"}}'
    answer = await http.post("/mcp", content=twice)
    assert answer.status_code == 400
    assert answer.json() == {
        "jsonrpc": "2.0",
        "id": 7,
        "error": {
            "code": -32600,
            "message": "invalid_request: message: the key name appears twice in one object.",
        },
    }
    nan = await http.post("/mcp", content=twice.replace('"name":"b"', '"x":NaN'))
    assert nan.json()["error"]["message"] == "invalid_request: message: NaN is not JSON."
    huge = await http.post("/mcp", content=b" " * (4 * 1024 * 1024 + 1))
    assert huge.status_code == 413


async def test_an_mcp_session_is_used_only_by_the_agent_that_opened_it(
    http: httpx.AsyncClient, desk: Desk
) -> None:
    opened = await http.post("/mcp", json=INITIALIZE)
    session = {"mcp-session-id": opened.headers["mcp-session-id"]}
    assert (await http.post("/mcp", json=PING, headers=session)).status_code == 200
    _, key = await add_agent(desk, "Eve", owner=None)
    foreign = await http.post("/mcp", json=PING, headers={**session, "authorization": f"Bearer {key}"})
    absent = await http.post("/mcp", json=PING, headers={"mcp-session-id": "0" * 32})
    assert foreign.status_code == absent.status_code == 404
    assert foreign.json() == absent.json()
    ended = await http.delete("/mcp", headers={**session, "authorization": f"Bearer {key}"})
    assert ended.status_code == 404
    assert (await http.post("/mcp", json=PING, headers=session)).status_code == 200


async def test_a_store_that_cannot_be_read_lets_nobody_in(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise StoreUnavailable("The store cannot be read.")

    monkeypatch.setattr("signoff.agents.mcp_http.agent_by_key", broken)
    answer = await http.post("/mcp", json=PING)
    assert answer.status_code == 503
    assert "do not run the action" in answer.json()["error"]["message"]


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@asynccontextmanager
async def _served(app: McpApp) -> AsyncGenerator[str]:
    async def http_only(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)

    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(http_only, lifespan="off", log_level="error", timeout_graceful_shutdown=1)
    server = _Server(config)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve, [listening])
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
        server.should_exit = True


@asynccontextmanager
async def _client(url: str, key: str, **more: Any) -> AsyncGenerator[Client]:
    headers = {"authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30, trust_env=False) as http,
        Client(streamable_http_client(url, http_client=http), **more) as client,
    ):
        yield client


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_an_agent_is_approved_over_a_real_connection(
    app: McpApp, cast: Cast, decide_as: Decide, mode: str
) -> None:
    told: dict[str, Any] = {}
    shown: list[str] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        shown.append(message or "")

    with anyio.fail_after(20):
        async with _served(app) as url, _client(url, cast.ada_key, mode=mode) as client:
            case = await ask(client)

            async def wait() -> None:
                result = await client.call_tool(
                    "get_decision", {"escalation_id": case, "wait_s": 45}, progress_callback=on_progress
                )
                told.update(given(result))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wait)
                await decide_as(cast.omar, case, Answer("approve"))
            assert told["status"] == "approved"
            assert all(message.startswith("Waiting for a person") for message in shown)
            claim = await client.call_tool("claim_approval", {"escalation_id": case, "action": WIRE})
            assert given(claim)["granted"] is True
            assert "escalation.claimed" in await read(client, f"audit://{case}")


async def test_changes_are_heard_over_a_real_connection(app: McpApp, cast: Cast, decide_as: Decide) -> None:
    with anyio.fail_after(20):
        async with _served(app) as url, _client(url, cast.ada_key) as client:
            case = await ask(client)
            async with client.listen(resource_subscriptions=[f"escalation://{case}"]) as heard:
                await decide_as(cast.omar, case, Answer("approve"))
                assert (await anext(heard)).uri == f"escalation://{case}"  # type: ignore[union-attr]


async def test_another_agents_key_sees_nothing_of_a_case(app: McpApp, cast: Cast, desk: Desk) -> None:
    _, key = await add_agent(desk, "Eve", owner=None)
    with anyio.fail_after(20):
        async with _served(app) as url:
            async with _client(url, cast.ada_key) as ada:
                case = await ask(ada)
            async with _client(url, key) as eve:
                foreign = refused(await eve.call_tool("get_decision", {"escalation_id": case}))
                absent = refused(await eve.call_tool("get_decision", {"escalation_id": "esc_" + "0" * 26}))
    assert foreign == absent


async def test_an_ask_is_filed_under_its_mcp_session_whose_name_is_not_kept(
    http: httpx.AsyncClient, desk: Desk, cast: Cast
) -> None:
    names = []
    for _ in range(2):
        name = (await http.post("/mcp", json=INITIALIZE)).headers["mcp-session-id"]
        session = {"mcp-session-id": name, "mcp-protocol-version": "2025-06-18"}
        await http.post(
            "/mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"}, headers=session
        )
        params = {"name": "check_triggers", "arguments": {"action": {"tool": "read_file"}}}
        check = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}
        for _ in range(2):
            assert (await http.post("/mcp", json=check, headers=session)).status_code == 200
        names.append(name)
    async with desk.store.reading() as reader:
        sessions = [one.session async for one in reader.asked_since(cast.ada.created_at)]
    assert [sessions.count(one) for one in sessions] == [2, 2, 2, 2]
    assert not set(names) & set(sessions)
