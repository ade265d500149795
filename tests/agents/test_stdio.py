"""`signoff mcp` as an agent's host starts it: a process, its stdin and its stdout."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.shared.exceptions import MCPError
from tests._support.cases import second_hand
from tests.agents.conftest import ask, given, read, refused

from signoff.agents import mcp_tools
from signoff.desk import request, wait
from signoff.store.sqlite import open_snapshot

INITIALIZE = (
    b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},'
    b'"clientInfo":{"name":"test","version":"1"}}}'
)
LIST = b'{"jsonrpc":"2.0","id":2,"method":"tools/list"}'


def _environment(home: Path) -> dict[str, str]:
    return {**os.environ, "SIGNOFF_HOME": str(home)}


def _server(home: Path, name: str = "local") -> StdioServerParameters:
    arguments = ["-m", "signoff", "mcp", "--agent", name]
    return StdioServerParameters(command=sys.executable, args=arguments, env=_environment(home))


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_an_agent_asks_over_stdio_and_another_process_finds_the_case(tmp_path: Path, mode: str) -> None:
    with anyio.fail_after(40):
        async with Client(_server(tmp_path), mode=mode) as client:
            case = await ask(client, idempotency_key="invoice-77")
            assert "wire_transfer" in await read(client, f"trace://{case}")
        async with Client(_server(tmp_path), mode=mode) as client:
            assert await ask(client, idempotency_key="invoice-77") == case
            told = await client.call_tool("get_decision", {"escalation_id": case, "wait_s": 0})
            assert given(told)["status"] == "pending"
        async with Client(_server(tmp_path, name="other"), mode=mode) as client:
            foreign = await client.call_tool("get_decision", {"escalation_id": case, "wait_s": 0})
            assert refused(foreign).startswith("not_found: ")


@asynccontextmanager
async def _process(home: Path) -> AsyncGenerator[tuple[anyio.abc.Process, BufferedByteReceiveStream]]:
    command = [sys.executable, "-m", "signoff", "mcp"]
    async with await anyio.open_process(command, env=_environment(home)) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_drain, process.stderr)
            yield process, BufferedByteReceiveStream(process.stdout)


async def _drain(stream: anyio.abc.ByteReceiveStream) -> None:
    async for _ in stream:
        pass


async def _exchange(
    process: anyio.abc.Process, answers: BufferedByteReceiveStream, line: bytes
) -> dict[str, Any]:
    assert process.stdin is not None
    await process.stdin.send(line + b"\n")
    answer: dict[str, Any] = json.loads(await answers.receive_until(b"\n", 1_000_000))
    return answer


async def test_a_bad_line_is_answered_and_the_connection_goes_on(tmp_path: Path) -> None:
    with anyio.fail_after(40):
        async with _process(tmp_path) as (process, answers):
            assert (await _exchange(process, answers, INITIALIZE))["id"] == 1
            for line, code, request_id in (
                (b'{"jsonrpc":"2.0","id":7,"method":"ping","method":"tools/call"}', -32600, 7),
                (b'{"jsonrpc":"2.0","id":8,"method":"ping","params":{"x":NaN}}', -32600, 8),
                (b"half a mess", -32700, None),
                (b'"' + b"x" * 5_000_000 + b'"', -32600, None),
            ):
                answer = await _exchange(process, answers, line)
                assert (answer["error"]["code"], answer["id"]) == (code, request_id)
            assert len((await _exchange(process, answers, LIST))["result"]["tools"]) == 7
            assert process.stdin is not None
            await process.stdin.aclose()
            assert await process.wait() == 0


async def test_a_server_that_is_told_to_end_does_not_wait_for_one_more_line(tmp_path: Path) -> None:
    driver = tmp_path / "driver.py"
    driver.write_text(
        """
from contextlib import asynccontextmanager
from datetime import UTC, datetime
import anyio
from signoff.agents.mcp_server import serve_stdio

@asynccontextmanager
async def opening():
    yield None, None

async def main():
    with anyio.move_on_after(0.1):
        await serve_stdio(opening)

anyio.run(main)
"""
    )
    with anyio.fail_after(40):
        async with await anyio.open_process([sys.executable, str(driver)], stderr=None) as process:
            assert await process.wait() == 0


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            'PolicyInvalid("policy.yaml", ["policy.yaml:3:5: a secret line"])',
            "policy_error: The policy cannot",
        ),
        ('KeyExposed(Path("/home/keys/log.key"), 0o644)', "store_unavailable: signoff cannot be opened here"),
        ('Conflict("Was an old copy restored?")', "store_unavailable: signoff cannot be opened here"),
    ],
)
async def test_an_agent_whose_house_cannot_be_opened_is_told_to_stop(
    tmp_path: Path, error: str, told: str
) -> None:
    """A server that vanished would tell its agent nothing; why, and where the keys lie, is not the agent's."""
    driver = tmp_path / "driver.py"
    driver.write_text(
        f"""
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
import anyio
from signoff.agents.mcp_server import serve_stdio
from signoff.audit.keys import KeyExposed
from signoff.domain.errors import Conflict, PolicyInvalid

@asynccontextmanager
async def opening():
    raise {error}
    yield

anyio.run(serve_stdio, opening)
"""
    )
    server = StdioServerParameters(command=sys.executable, args=[str(driver)], env=dict(os.environ))
    with anyio.fail_after(40):
        async with Client(server) as client:
            assert len((await client.list_tools()).tools) == 7
            said = refused(await client.call_tool("check_triggers", {"action": {"tool": "x"}}))
            with pytest.raises(MCPError) as raised:
                await client.read_resource("policy://current")
    assert said.startswith(told)
    assert "Stop here and do not run the action." in said
    assert raised.value.error.message == said


async def test_only_what_stdio_needs_is_loaded() -> None:
    """Apprise, FastAPI, Jinja2 and JSON Schema would cost every agent's start, and are for others."""
    listing = (
        "import sys, signoff.agents.{};"
        "print([m for m in ('apprise', 'fastapi', 'jinja2', 'jsonschema', 'signoff.{}') if m in sys.modules])"
    )
    for module, needless in (("mcp_server", "desk"), ("mcp_door", "operators")):
        found = await anyio.run_process([sys.executable, "-c", listing.format(module, needless)])
        assert found.stdout.strip() == b"[]"


def test_the_tools_announce_the_limits_of_the_desk() -> None:
    assert mcp_tools.MAX_WAIT_S == wait.MAX_WAIT_S
    assert mcp_tools.MAX_KEY_CHARS == request.MAX_KEY_CHARS


async def test_each_process_is_an_agent_session_of_its_own(tmp_path: Path) -> None:
    check = {"action": {"tool": "read_file", "arguments": {}}}
    with anyio.fail_after(40):
        for _ in range(2):
            async with Client(_server(tmp_path)) as client:
                for _ in range(2):
                    given(await client.call_tool("check_triggers", check))
    async with open_snapshot(tmp_path / "data" / "signoff.db") as reader:
        sessions = [one.session async for one in reader.asked_since(datetime(2026, 1, 1, tzinfo=UTC))]
    assert [sessions.count(one) for one in sessions] == [2, 2, 2, 2]
    assert all(one.startswith("ses_") for one in sessions)


async def test_an_agent_that_another_process_pauses_or_removes_is_refused_at_its_very_next_call(
    tmp_path: Path,
) -> None:
    check = {"action": {"tool": "read_file", "arguments": {}}}
    with anyio.fail_after(40):
        async with Client(_server(tmp_path)) as client:
            assert given(await client.call_tool("check_triggers", check))["verdict"] == "allow"
            with second_hand(tmp_path / "data" / "signoff.db") as db:
                db.execute("UPDATE agent SET paused_at = '2026-11-23T20:31:05.123456Z'")
                paused = refused(await client.call_tool("check_triggers", check))
                db.execute("UPDATE agent SET paused_at = NULL")
                assert given(await client.call_tool("check_triggers", check))["verdict"] == "allow"
                db.execute("PRAGMA foreign_keys=OFF")
                db.execute("DELETE FROM agent")
                removed = refused(await client.call_tool("check_triggers", check))
    assert paused.startswith("forbidden: This agent is paused")
    assert removed.startswith("forbidden: This agent is no longer known here")


async def test_what_else_a_server_prints_never_reaches_its_client(tmp_path: Path) -> None:
    driver = tmp_path / "driver.py"
    driver.write_text(
        """
import os, subprocess
from contextlib import asynccontextmanager
import anyio
from signoff.agents.mcp_server import serve_stdio

@asynccontextmanager
async def opening():
    print("a stray word", flush=True)
    os.write(1, b"another\\n")
    yield None, None

anyio.run(serve_stdio, opening)
print("served", flush=True)
"""
    )
    with anyio.fail_after(40):
        async with await anyio.open_process([sys.executable, str(driver)]) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            await process.stdin.send(INITIALIZE + b"\n")
            stream = BufferedByteReceiveStream(process.stdout)
            assert json.loads(await stream.receive_until(b"\n", 100_000))["id"] == 1
            await process.stdin.aclose()
            said = await stream.receive_until(b"\n", 100_000)
            noise = b"".join([piece async for piece in process.stderr])
    assert said == b"served"
    assert noise.index(b"a stray word") < noise.index(b"another")
