"""`signoff serve` and `signoff mcp` as processes: who hosts, and what a kill or a stop loses (nothing)."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from tests._support.cases import approve
from tests.cli.conftest import environment, running, serving

from signoff.app import CannotHost, current_host, open_desk, publish, serve
from signoff.app.hosts import Lock
from signoff.app.http import bind
from signoff.app.recovery import confirm_recovery, propose_recovery
from signoff.cli.demo_agent import ACTION, BUNDLE
from signoff.cli.demo_person import play_person
from signoff.cli.story import Story
from signoff.config import MCP_PATH, Config
from signoff.desk.people import add_agent, add_person, person_named
from signoff.domain.people import SignIn

LINK = re.compile(r"http://\S+/d/lnk_\S+#\S+")


async def key_of_ada(config: Config) -> str:
    async with open_desk(config) as desk:
        return (await add_agent(desk, "ada", owner=None))[1]


@asynccontextmanager
async def over_http(config: Config, key: str) -> AsyncGenerator[Client]:
    http = httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=60.0)
    url = config.base_url + MCP_PATH
    async with http, Client(streamable_http_client(url, http_client=http)) as client:
        yield client


@asynccontextmanager
async def over_stdio(config: Config, errlog: Any, *, agent: str = "local") -> AsyncGenerator[Client]:
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "signoff", "mcp", "--agent", agent], env=environment(config.home)
    )
    async with Client(stdio_client(server, errlog=errlog)) as client:
        yield client


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return dict(result.structured_content)


async def ask(client: Client) -> str:
    return str((await call(client, "request_approval", action=ACTION, bundle=BUNDLE))["escalation_id"])


async def decide_as_omar(config: Config, escalation_id: str) -> None:
    """Decide from another process than the one that serves."""
    async with open_desk(config) as desk:
        omar = SignIn(await person_named(desk, "omar"), "session")
        await approve(desk, omar, escalation_id, note="The ledger shows both charges.")


@pytest.fixture
async def key(config: Config, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("LOGNAME", "omar")
    return await key_of_ada(config)


async def test_a_decision_that_fell_while_the_server_was_dead_is_told_after_its_restart(
    config: Config, key: str
) -> None:
    with anyio.fail_after(45):
        async with serving(config.home) as server:
            async with over_http(config, key) as client:
                escalation_id = await ask(client)
            waiting = anyio.Event()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wait_and_be_cut_off, config, key, escalation_id, waiting)
                await waiting.wait()
                await server.kill()
        await decide_as_omar(config, escalation_id)
        async with serving(config.home), over_http(config, key) as client:
            told = await call(client, "get_decision", escalation_id=escalation_id, wait_s=0)

    assert told["status"] == "approved"
    assert told["decided_by"][0]["name"] == "omar"


async def wait_and_be_cut_off(config: Config, key: str, escalation_id: str, waiting: anyio.Event) -> None:
    """Wait for a decision until the server is gone; `waiting` is set when it is being waited."""

    async def note(progress: float, total: float | None, message: str | None) -> None:
        waiting.set()

    # However a client says that its server is gone.
    with suppress(Exception):
        async with over_http(config, key) as client:
            arguments = {"escalation_id": escalation_id, "wait_s": 45}
            await client.call_tool("get_decision", arguments, progress_callback=note)


async def test_a_magic_link_printed_by_the_server_leads_to_the_decision(config: Config, key: str) -> None:
    with anyio.fail_after(45):
        async with serving(config.home) as server, over_http(config, key) as client:
            escalation_id = await ask(client)
            link = LINK.search(await server.read_until("/d/lnk_"))
            assert link is not None
            await play_person(link[0], Story())
            told = await call(client, "get_decision", escalation_id=escalation_id, wait_s=5, action=ACTION)

            assert (told["status"], told["proceed"], told["assurance"]) == ("approved", True, "link")
            assert link[0] not in str(told)
            assert await server.end() == 0


async def test_an_edited_policy_counts_at_once_and_a_broken_one_is_said(config: Config, key: str) -> None:
    with anyio.fail_after(45):
        async with serving(config.home) as server:
            server.process.send_signal(signal.SIGHUP)
            put(config, "version: 1\ntriggers: oops\n")
            said = await server.read_until("stays in force")
            async with over_http(config, key) as client:
                before = await call(client, "check_triggers", action=ACTION, bundle=BUNDLE)
                put(config, "version: 1\ndefaults: {unmatched: deny}\n")
                after = await call(client, "check_triggers", action=ACTION, bundle=BUNDLE)

    assert "policy.yaml:2:11" in said
    assert (before["verdict"], after["verdict"]) == ("escalate", "deny")


def put(config: Config, policy: str) -> None:
    """Replace the policy file whole, as an editor does."""
    new = config.home.policy_file.with_suffix(".new")
    new.write_text(policy, encoding="utf-8")
    new.replace(config.home.policy_file)


async def test_a_stopped_server_ends_well_within_ten_seconds_though_an_agent_waits(
    config: Config, key: str
) -> None:
    with anyio.fail_after(45):
        async with serving(config.home) as server:
            async with over_http(config, key) as client:
                escalation_id = await ask(client)
            waiting = anyio.Event()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wait_and_be_cut_off, config, key, escalation_id, waiting)
                await waiting.wait()
                with anyio.fail_after(9):
                    assert await server.end() == 0


async def test_two_stdio_agents_and_a_server_share_one_home(config: Config, key: str, capfd: Any) -> None:
    with anyio.fail_after(45):
        async with (
            serving(config.home) as server,
            over_stdio(config, sys.stderr, agent="one") as one,
            over_stdio(config, sys.stderr, agent="two") as two,
        ):
            case_of_one, case_of_two = await ask(one), await ask(two)
            first = LINK.search(await server.read_until("/d/lnk_"))
            second = LINK.search(await server.read_until("/d/lnk_"))
            assert first is not None
            assert second is not None
            await play_person(first[0], Story())
            await play_person(second[0], Story())
            for client, escalation_id in ((one, case_of_one), (two, case_of_two)):
                told = await call(client, "get_decision", escalation_id=escalation_id, wait_s=20)
                assert told["status"] == "approved"
            foreign = await one.call_tool("get_decision", {"escalation_id": case_of_two, "wait_s": 0})
            assert foreign.is_error

    assert "/d/lnk_" not in capfd.readouterr().err  # the server told people, so the agents' processes did not


async def test_an_agent_process_alone_serves_the_pages_while_a_case_waits(
    config: Config, key: str, pipe: Pipe
) -> None:
    with anyio.fail_after(45):
        async with over_stdio(config, pipe.writing) as client:
            assert current_host(config.home) is None
            escalation_id = await ask(client)
            link = await pipe.link()
            host = current_host(config.home)
            assert host is not None
            assert host.command == "signoff mcp"
            await play_person(link, Story())
            told = await call(client, "get_decision", escalation_id=escalation_id, wait_s=20)

    assert told["status"] == "approved"


async def test_an_agent_process_hands_the_pages_over_to_a_server(
    config: Config, key: str, pipe: Pipe
) -> None:
    with anyio.fail_after(45):
        async with over_stdio(config, pipe.writing) as client:
            escalation_id = await ask(client)
            link = await pipe.link()
            async with serving(config.home):
                host = current_host(config.home)
                assert host is not None
                assert host.command == "signoff serve"
                await play_person(link, Story())
                told = await call(client, "get_decision", escalation_id=escalation_id, wait_s=20)

    assert told["status"] == "approved"


class Pipe:
    """The stderr of a child process, read as it comes."""

    def __init__(self) -> None:
        self._reading, writing = os.pipe()
        self.writing = os.fdopen(writing, "w", encoding="utf-8")
        self._text = ""

    async def link(self) -> str:
        """Return the magic link that the process prints."""
        while (found := LINK.search(self._text)) is None:
            await self._more()
        return found[0]

    async def read_until(self, wanted: str) -> str:
        """Return all that it has printed once a text is among it."""
        while wanted not in self._text:
            await self._more()
        return self._text

    async def _more(self) -> None:
        await anyio.wait_readable(self._reading)
        self._text += os.read(self._reading, 65536).decode()

    def close(self) -> None:
        self.writing.close()
        os.close(self._reading)


@pytest.fixture
def pipe() -> Generator[Pipe]:
    made = Pipe()
    yield made
    made.close()


async def test_a_second_server_on_a_home_says_who_serves_it(config: Config, key: str) -> None:
    with anyio.fail_after(45):
        async with serving(config.home), running(config.home, "serve") as second:
            said = await second.read_until("signoff:")
            code = await second.process.wait()

    assert code == 1
    assert "is served already by `signoff serve` (process" in said
    assert config.base_url in said


async def test_a_taken_port_is_said_and_not_a_traceback(config: Config, key: str) -> None:
    with anyio.fail_after(30), bind(config):
        async with running(config.home, "serve") as server:
            said = await server.read_until("signoff:")
            code = await server.process.wait()

    assert code == 1
    assert f"Port {config.settings.port} on 127.0.0.1 cannot be used: address already in use." in said
    assert "--port" in said


async def test_no_key_of_an_agent_opens_a_page(config: Config, key: str) -> None:
    with anyio.fail_after(45):
        async with serving(config.home), over_http(config, key) as client:
            escalation_id = await ask(client)
            async with httpx2.AsyncClient(base_url=config.base_url) as browser:
                bearer = {"Authorization": f"Bearer {key}"}
                page = await browser.get(f"/cases/{escalation_id}", headers=bearer)
                home_page = await browser.get("/", headers=bearer)
                no_key = await browser.post(MCP_PATH, json={})
                probe = await browser.get("/healthz")

    assert (page.status_code, home_page.status_code) == (401, 401)
    assert no_key.status_code == 401
    assert probe.status_code == 200


def test_a_lock_is_held_by_one(config: Config) -> None:
    with Lock(config.home.serve_lock) as mine, Lock(config.home.serve_lock) as other:
        assert mine.take()
        assert not other.take()
        mine.release()
        assert other.take()


async def test_a_server_for_a_home_that_waits_for_another_gives_up_with_its_name(config: Config) -> None:
    with Lock(config.home.serve_next) as held:
        assert held.take()
        with pytest.raises(CannotHost):
            await serve(config, terminal=sys.stdout, ready=anyio.Event(), stop=anyio.Event())


async def test_an_agent_process_whose_port_is_taken_says_so_and_goes_on(
    config: Config, key: str, pipe: Pipe
) -> None:
    with anyio.fail_after(45), bind(config):
        async with over_stdio(config, pipe.writing) as client:
            escalation_id = await ask(client)
            said = await pipe.read_until("Port ")
            await decide_as_omar(config, escalation_id)
            told = await call(client, "get_decision", escalation_id=escalation_id, wait_s=20)

    assert "No page for people can be served from here." in said
    assert told["status"] == "approved"


async def test_a_server_on_yesterdays_database_tells_agents_to_stop_until_two_people_recover_it(
    config: Config, key: str
) -> None:
    async with open_desk(config) as desk:
        await add_person(desk, "sofia", roles=["supervisor"])
        await publish(desk, config.home)
    database = config.home.database
    yesterday = (
        database.read_bytes()
    )  # whole: the last process to close it leaves nothing in the log beside it
    async with open_desk(config) as desk:
        await add_person(desk, "amir", roles=["auditor"])
        await publish(desk, config.home)
    database.write_bytes(yesterday)
    with anyio.fail_after(55):
        async with running(config.home, "serve") as server:
            assert "READ-ONLY. signoff is read-only here" in await server.read_until("READ-ONLY")
            await server.read_until("Ctrl-C ends it")
            async with over_http(config, key) as client:
                refused = await client.call_tool("request_approval", {"action": ACTION, "bundle": BUNDLE})
                assert refused.is_error
                said = str(refused.content)
                assert "store_unavailable: signoff is read-only here" in said
                assert "Stop here and do not run the action." in said
                async with open_desk(config) as desk:
                    code = await propose_recovery(
                        desk, config, by="sofia", confirmer="omar", reason="the disk died", assurance="none"
                    )
                    await confirm_recovery(desk, config, by="omar", code=code)
                await server.read_until("signoff decides and stores again")
                assert await ask(client)
            assert await server.end() == 0
