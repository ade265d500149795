"""`check_triggers` under a policy of a thousand triggers, against a tool that does nothing on the same transport."""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from tests.agents.conftest import given
from tests.bench.medians import Way, interleaved_calls, ratio, told
from tests.bench.noop import CONSTANT, high_level, high_level_async, low_level
from tests.bench.test_evaluate import TOOL, policy_text
from tests.conftest import Cast

from signoff.agents.mcp_door import Request
from signoff.agents.mcp_server import build_mcp_server
from signoff.desk.desk import Desk
from signoff.domain.people import Agent

GOAL = 1.15
ROUNDS, UNTIMED, CALLS = 20, 15, 30
"""In a row fewer than the recorder waits for: it writes between the rows, as it does between the calls of an agent, and
what it takes is in the processor time that is told beside."""
SETTLE_S = 0.3
ROOT = Path(__file__).parents[2]

MESSAGES = [
    {"role": "user", "content": "Hello, I ordered two lamps last week and one of them arrived broken. " * 2},
    {"role": "assistant", "content": "I am sorry to hear that. May I have your order number, please? " * 2},
    {
        "role": "user",
        "content": "It is #W2417020. I would like my money back for the broken one, not a new one.",
    },
]
ARGUMENTS: dict[str, Any] = {
    "action": {
        "tool": TOOL,
        "arguments": {"amount": 120, "country": "DE", "order": "#W2417020", "payment": "credit_card_7815826"},
        "summary": "Refund one lamp",
    },
    "bundle": {
        "messages": MESSAGES,
        "reasoning": [
            {
                "kind": "thought",
                "text": "The order is delivered; a broken item may be refunded in 30 days. " * 3,
            },
            {"kind": "tool_call", "tool": "get_order", "arguments": {"order": "#W2417020"}},
            {"kind": "tool_result", "tool": "get_order", "result": {"status": "delivered", "items": [1, 2]}},
        ],
        "subject": {"id": "cus_1", "name": "Eva Sommer", "tier": "gold", "region": "eu", "language": "en"},
        "confidence": 0.9,
        "confidence_source": "self_report",
        "state": {"step": 4, "order": {"id": "#W2417020", "total": 240, "delivered": True}},
    },
}

Call = Callable[[], Awaitable[object]]


def calling(client: Client) -> Call:
    async def call() -> object:
        return await client.call_tool("check_triggers", ARGUMENTS)

    return call


@dataclass(frozen=True)
class Server:
    """A client of a server, and what the server has spent so far, in seconds of processor time."""

    client: Client
    spent: Callable[[], float]


async def compared(
    transport: str,
    ours: Server,
    noop: Server,
    coroutine: Server,
    bare: Server,
    *,
    clock: Callable[[], float] = time.perf_counter,
    settle: Callable[[], Awaitable[object]] = lambda: anyio.sleep(SETTLE_S),
) -> float:
    """Print what a check costs on a transport, and return the ratio of what its caller waits to the no-op tool.

    The no-op tool is the leaner of the two that the SDK's users write, a coroutine with a typed answer: it takes the
    same arguments, announces the same answer, and both are checked. Beside it stand one that is a plain function, which
    the SDK runs in a thread, and the SDK's dispatch alone: a constant, the arguments unread. Last comes what the server
    spends, with all that it does behind its answers.
    """
    answer = given(await ours.client.call_tool("check_triggers", ARGUMENTS))
    assert answer.keys() == CONSTANT.keys()
    assert answer["verdict"] == "allow"
    ways = [Way(calling(server.client), server.spent) for server in (ours, noop, coroutine, bare)]
    for way in ways:
        for _ in range(50):
            await way.call()
    mine, base, other, least = await interleaved_calls(
        *ways, rounds=ROUNDS, calls=CALLS, untimed=UNTIMED, clock=clock, settle=settle
    )
    cost = mine.undisturbed / other.undisturbed
    told(
        f"check_triggers, 1,000 triggers, {transport} / a no-op coroutine, typed answer",
        cost,
        GOAL,
        f"{mine.undisturbed * 1e3:.2f} ms",
    )
    told("  the same, medians", ratio(mine.medians, other.medians), None)
    told("  the same / a no-op function", mine.undisturbed / base.undisturbed, None)
    told("  the same / a constant, arguments unread", mine.undisturbed / least.undisturbed, None)
    if all(base.spent):
        note = f"{statistics.median(mine.spent) * 1e3:.2f} ms"
        spent = ratio(mine.spent, other.spent)
        told("  processor time, the recording included / a no-op coroutine, typed answer", spent, None, note)
        told("  the same / a no-op function", ratio(mine.spent, base.spent), None)
    return cost


def nothing_known() -> float:
    return 0


def children() -> set[int]:
    """Return the processes that this one started, where the system tells."""
    found = Path("/proc/self/task").glob("*/children")
    return {int(number) for one in found for number in one.read_text().split()}


def spent_by(process: int) -> Callable[[], float]:
    """Say what a process has spent, as the kernel counts it."""

    def spent() -> float:
        threads = Path(f"/proc/{process}/task").glob("*/schedstat")
        return sum(int(one.read_text().split()[0]) for one in threads) / 1e9

    return spent


@asynccontextmanager
async def started(opening: AbstractAsyncContextManager[Client]) -> AsyncGenerator[Server]:
    """Start a server that is a process of its own."""
    before = children()
    async with opening as client:
        new = children() - before
        yield Server(client, spent_by(new.pop()) if len(new) == 1 else nothing_known)


@pytest.fixture
def policy_path(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(policy_text(), encoding="utf-8")
    return path


async def test_a_check_in_memory_costs_little_more_than_nothing(desk: Desk, cast: Cast) -> None:
    """Nothing is sent, so the bare dispatch takes no time: this is the hardest of the three."""

    async def identify(_request: Request) -> Agent:
        found = await desk.store.agent(
            cast.ada.id
        )  # as over stdio; in memory there is no transport to say who asks
        assert found is not None
        return found

    async def recorded() -> None:
        await anyio.sleep(SETTLE_S)  # after a row of any way, so that none starts warmer than the others
        while desk.recorder.waiting:  # noqa: ASYNC110 -- nothing tells when the line is empty
            await anyio.sleep(0.01)

    async with desk.recorder.running(), AsyncExitStack() as stack:
        made = (build_mcp_server(desk, identify), high_level(), high_level_async(), low_level())
        servers = [Server(await stack.enter_async_context(Client(one)), time.process_time) for one in made]
        assert await compared("in memory", *servers, clock=time.process_time, settle=recorded) <= GOAL


def _environment(home: Path) -> dict[str, str]:
    paths = os.pathsep.join((str(ROOT / "server"), str(ROOT)))
    return {**os.environ, "SIGNOFF_HOME": str(home), "PYTHONPATH": paths}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with the thousand triggers as its policy."""
    made = tmp_path / "home"
    command = [sys.executable, "-m", "signoff", "agents", "add", "ada"]
    done = subprocess.run(command, env=_environment(made), capture_output=True, text=True, check=True)  # noqa: S603
    (tmp_path / "key").write_text(next(word for word in done.stdout.split() if word.startswith("sgn_")))
    (made / "policy.yaml").write_text(policy_text(), encoding="utf-8")
    return made


@pytest.mark.timeout(240)
async def test_a_check_over_stdio_costs_little_more_than_nothing(home: Path) -> None:
    environment = _environment(home)
    ours = StdioServerParameters(
        command=sys.executable, args=["-m", "signoff", "mcp", "--agent", "local"], env=environment
    )
    others = [
        StdioServerParameters(
            command=sys.executable, args=["-m", "tests.bench.noop", kind, "stdio"], env=environment
        )
        for kind in ("tool", "async", "bare")
    ]
    with anyio.fail_after(200):
        async with AsyncExitStack() as stack:
            servers = [await stack.enter_async_context(started(Client(one))) for one in (ours, *others)]
            assert await compared("stdio", *servers) <= GOAL


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


@asynccontextmanager
async def _served(command: list[str], home: Path, url: str, key: str) -> AsyncGenerator[Client]:
    async with await anyio.open_process(
        [sys.executable, "-m", *command], env=_environment(home), stdout=None, stderr=None
    ) as process:
        try:
            headers = {"authorization": f"Bearer {key}"}
            async with httpx2.AsyncClient(headers=headers, timeout=30, trust_env=False) as http:
                await _until_served(http, url)
                async with Client(streamable_http_client(url, http_client=http)) as client:
                    yield client
        finally:
            process.terminate()


async def _until_served(http: httpx2.AsyncClient, url: str) -> None:
    while True:
        try:
            await http.get(url)
        except httpx2.TransportError:
            await anyio.sleep(0.05)
        else:
            return


@pytest.mark.timeout(240)
async def test_a_check_over_http_costs_little_more_than_nothing(home: Path, tmp_path: Path) -> None:
    key = (tmp_path / "key").read_text()
    ports = [_free_port() for _ in range(4)]
    commands = (
        ["signoff", "serve", "--port", str(ports[0])],
        ["tests.bench.noop", "tool", "http", str(ports[1])],
        ["tests.bench.noop", "async", "http", str(ports[2])],
        ["tests.bench.noop", "bare", "http", str(ports[3])],
    )
    with anyio.fail_after(200):
        async with AsyncExitStack() as stack:
            servers = [
                await stack.enter_async_context(
                    started(_served(command, home, f"http://127.0.0.1:{port}/mcp", key))
                )
                for command, port in zip(commands, ports, strict=True)
            ]
            assert await compared("HTTP", *servers) <= GOAL
