"""Making a home, and the two ways to run one: a server for all, or a child process of one agent."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from signoff.cli.commands import BadInput, examples, run, with_home

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import anyio

    from signoff.config import Config
    from signoff.desk.desk import Desk
    from signoff.domain.people import Agent


@click.command()
@click.option(
    "--starter", metavar="NAME", help="The policy to begin with; `signoff policy starters` lists them."
)
@with_home
@examples("signoff init", "signoff init --starter support", "signoff init --home ./signoff-home")
def init(starter: str | None, home: Path | None) -> None:
    """Make a home: settings, policy, keys and database. What is there is left alone."""
    from signoff.cli.policy import no_starter
    from signoff.config import create_home, find_home, load_config
    from signoff.triggers.load import load_policy
    from signoff.triggers.starters import STARTERS, starter_policy

    found = find_home(home)
    fresh = not found.database.exists()
    if starter is not None:
        if starter not in STARTERS:
            raise BadInput(no_starter(starter))
        if found.policy_file.exists() or not fresh:
            raise BadInput(
                f"{found.path} is a home already, and its policy is left alone."
                f" To see another one: signoff policy starters {starter}"
            )
        load_policy(
            starter_policy(starter), source=f"{starter}.yaml"
        )  # says what it needs before anything is made
        create_home(found, starter=starter)
    config = load_config(found)
    name = run(_init, config)
    click.echo(f"{'Made' if fresh else 'Found'} a home in {found.path}")
    click.echo(f"  settings  {found.config_file}")
    click.echo(f"  policy    {found.policy_file}")
    if found.policy_cases.exists():
        click.echo(f"  cases     {found.policy_cases}")
    click.echo(f"  keys      {found.keys}")
    click.echo(f"  database  {found.database}")
    click.echo(f"\nPeople: {name}. Next:\n")
    click.echo(
        "  signoff serve                        pages, alerts, MCP over HTTP; prints a link to set up and sign in"
    )
    click.echo("  signoff agents add NAME              a key for an agent")
    click.echo("  signoff policy test POLICY           what the policy says, case by case")
    click.echo("  signoff people address YOU ADDRESS   alerts by mail, push or chat\n")
    click.echo("Claude Desktop (claude_desktop_config.json):\n")
    click.echo(_desktop_snippet(config))


async def _init(config: Config) -> str:
    from signoff.app import open_desk
    from signoff.desk.people import list_people

    async with open_desk(config) as desk:
        return ", ".join(person.name for person in await list_people(desk) if person.disabled_at is None)


def _desktop_snippet(config: Config) -> str:
    """Return what starts this installation on this home, from a program that knows no PATH and none of our variables."""
    script = shutil.which("signoff", path=str(Path(sys.executable).parent))
    command, module = (script, []) if script is not None else (sys.executable, ["-m", "signoff"])
    server = {"command": command, "args": [*module, "mcp", "--home", str(config.home.path)]}
    return json.dumps({"mcpServers": {"signoff": server}}, indent=2, ensure_ascii=False)


@click.command()
@with_home
@click.option("--host", help="Listen on this address instead of the configured one.")
@click.option(
    "--port", type=click.IntRange(1, 65535), help="Listen on this port instead of the configured one."
)
@examples("signoff serve", "signoff serve --port 9000")
def serve(home: Path | None, host: str | None, port: int | None) -> None:
    """Serve pages, alerts and MCP over HTTP, until Ctrl-C."""
    from signoff.config import find_home, load_config

    config = load_config(find_home(home), host=host, port=port)
    _log_to(sys.stderr)
    run(_serve, config)


async def _serve(config: Config) -> None:
    import anyio

    from signoff import app
    from signoff.audit.keys import load_keys
    from signoff.config import MCP_PATH

    ready, stop = anyio.Event(), anyio.Event()
    set_up: list[str] = []

    async def greet() -> None:
        await ready.wait()
        click.echo(f"signoff serves {config.home.path}")
        click.echo(f"  pages   {config.base_url}/          (sign in: signoff people link NAME)")
        click.echo(f"  MCP     {config.base_url}{MCP_PATH}       (keys: signoff agents add NAME)")
        click.echo(f"  audit   {load_keys(config.home.keys).origin}")
        if set_up:
            click.echo(
                "\nNobody has signed in yet. Set this home up here; the link opens once, within an hour:\n"
            )
            click.echo(f"  {set_up[0]}\n")
        click.echo("Alerts without another address are printed here. Ctrl-C ends it.")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_until_signal, stop)
        tasks.start_soon(greet)
        await app.serve(config, terminal=sys.stdout, ready=ready, stop=stop, on_set_up=set_up.append)
        tasks.cancel_scope.cancel()
    click.echo("Stopped. Nothing that was acknowledged is lost.")


async def _until_signal(stop: anyio.Event) -> None:
    """Set `stop` at the first Ctrl-C or TERM; the second one ends the process at once.

    HUP, by which others are told to read their files again, ends nothing: the policy is read when it changes.
    """
    import anyio

    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        async for number in signals:
            if number != signal.SIGHUP:
                break
    stop.set()


@click.command()
@with_home
@click.option("--agent", default="local", show_default=True, help="The name under which this agent asks.")
@examples("signoff mcp --agent claude-desktop")
def mcp(home: Path | None, agent: str) -> None:
    """Speak MCP over stdin and stdout, for one agent.

    Agents start this themselves. Alerts go to stderr where no `signoff serve` runs, and this process then serves the pages for people while a
    case waits.
    """
    import gc

    # A start is imports, and clients wait for it: without the collector it takes a tenth less (measured 2026-11-24).
    gc.disable()
    from signoff.config import find_home, load_config

    config = load_config(find_home(home))
    _log_to(sys.stderr)
    run(_mcp, config, agent)


async def _mcp(config: Config, name: str) -> None:
    import anyio

    from signoff.agents.mcp_server import serve_stdio

    @asynccontextmanager
    async def opening() -> AsyncGenerator[tuple[Desk, Agent]]:
        import gc

        from signoff.app import host_when_needed, open_desk, stand_watch
        from signoff.desk.people import local_agent

        gc.freeze()  # what was made so far stays for good
        gc.enable()
        async with open_desk(config) as desk:
            agent = await local_agent(desk, name)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(partial(host_when_needed, desk, config, terminal=sys.stderr))
                tasks.start_soon(stand_watch, desk, config)
                yield desk, agent
                tasks.cancel_scope.cancel()

    stop = anyio.Event()
    async with anyio.create_task_group() as tasks:

        async def end() -> None:
            await stop.wait()
            tasks.cancel_scope.cancel()

        tasks.start_soon(_until_signal, stop)
        tasks.start_soon(end)
        await serve_stdio(opening)
        tasks.cancel_scope.cancel()


def _log_to(stream: TextIO) -> None:
    """Print warnings, and what signoff itself has to say, one line each."""
    import logging

    logging.basicConfig(
        stream=stream, level=logging.WARNING, format="signoff: %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("signoff").setLevel(logging.INFO)
