"""`signoff demo`: one case from question to proof, on a real server, with a real MCP client."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from signoff.cli.commands import Failure, examples, run, with_home

if TYPE_CHECKING:
    from signoff.cli.demo_agent import Ending
    from signoff.cli.story import Story, StoryTerminal
    from signoff.config import Config

AGENT = "ada"
UNDO_S = 3  # long enough to see that a decision can be taken back, short enough to go on watching


@click.command()
@click.option(
    "--auto", is_flag=True, help="Play the person too, through the same pages: for people in a hurry."
)
@click.option("--port", type=click.IntRange(1, 65535), help="Serve on this port instead of a free one.")
@with_home
@examples("signoff demo", "signoff demo --auto", "signoff demo --home ./signoff-demo")
def demo(auto: bool, port: int | None, home: Path | None) -> None:
    """Watch an agent ask, decide, and see what follows.

    You decide in your browser; then it is claimed, audited and exported. Everything is real: the server, the MCP client, the pages, the audit log. It all happens in a temporary home that
    is removed at the end; with --home or SIGNOFF_HOME it is kept.
    """
    from signoff.config import HOME_VARIABLE, Home, find_home, load_config

    keep = home is not None or bool(os.environ.get(HOME_VARIABLE))
    with _temporary(keep) as temporary:
        found = Home(temporary / "home") if temporary is not None else find_home(home)
        config = load_config(found, port=port or _free_port(), undo_s=1 if auto else UNDO_S)
        run(_demo, config, _free_directory(temporary or found.path), auto, keep)


@contextmanager
def _temporary(keep: bool) -> Generator[Path | None]:
    if keep:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="signoff-demo-") as made:
        yield Path(made)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _free_directory(parent: Path) -> Path:
    """Return a directory for a dataset that is not there yet: a home may have seen this demo before."""
    names = ("dataset", *(f"dataset-{number}" for number in range(2, 1000)))
    return next(parent / name for name in names if not (parent / name).exists())


async def _demo(config: Config, out: Path, auto: bool, keep: bool) -> None:
    import anyio

    from signoff import app
    from signoff.cli.story import Story, StoryTerminal
    from signoff.config import MCP_PATH

    _silence_libraries()
    story, terminal = Story(), StoryTerminal()
    story.title("signoff: an agent asks, a person decides, and what happened can be proved.")
    story.chapter("A server")
    key = await _agent_key(config)
    story.say("signoff", f"A home in {config.home.path}: settings, policy, keys, database.")
    ready, stop = anyio.Event(), anyio.Event()

    async def serve() -> None:
        # It ends by `stop` and not by being cancelled, so that it lets go of everything in order.
        with anyio.CancelScope(shield=True):
            await app.serve(config, terminal=terminal, ready=ready, stop=stop)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        await ready.wait()
        try:
            story.say("signoff", f"Pages on {config.base_url}/, MCP on {config.base_url}{MCP_PATH}")
            story.chapter("An agent at work")
            async with anyio.create_task_group() as players:
                players.start_soon(_person, terminal, story, auto)
                ending = await _agent(config, key, story)
                players.cancel_scope.cancel()
        finally:
            stop.set()
    await _prove(config, story)
    await _export(config, out, story)
    _bow(config, out, story, ending=ending, keep=keep)


def _silence_libraries() -> None:
    """Keep library chatter out of the story; errors still show."""
    import logging

    logging.basicConfig(stream=sys.stderr, level=logging.ERROR, format="signoff: %(name)s: %(message)s")


async def _agent_key(config: Config) -> str:
    """Return a key for the demo's agent, a new one where the home knows the agent from an earlier demo."""
    from signoff.app import open_desk
    from signoff.desk.people import add_agent, rotate_agent_key
    from signoff.domain.errors import Conflict

    async with open_desk(config) as desk:
        try:
            return (await add_agent(desk, AGENT, owner=None))[1]
        except Conflict:
            return await rotate_agent_key(desk, AGENT)


async def _agent(config: Config, key: str, story: Story) -> Ending:
    from signoff.cli.demo_agent import play_agent
    from signoff.config import MCP_PATH

    ending = await play_agent(config.base_url + MCP_PATH, key, story)
    if ending.status in ("allow", "deny"):
        raise Failure(
            f"The policy in {config.home.policy_file} says '{ending.status}' to the demo's refund, so there is nothing"
            " to decide. Run the demo in a home of its own."
        )
    return ending


async def _person(terminal: StoryTerminal, story: Story, auto: bool) -> None:
    await terminal.has_link.wait()
    if not auto:
        story.say("person", "That is you. Open the link above in a browser on this machine; the agent waits.")
        return
    from signoff.cli.demo_person import play_person

    await play_person(terminal.link or "", story)


async def _prove(config: Config, story: Story) -> None:
    import base64

    from signoff.app import verify_database
    from signoff.audit.keys import load_public

    story.chapter("Proof")
    anchors = [config.home.anchor_file.read_text(encoding="utf-8")]
    public = load_public(config.home.keys)
    report = await verify_database(
        config.home.database, public, on_progress=lambda done, total: None, anchors=anchors
    )
    if not report.ok:
        raise Failure(f"The audit log does not hold: {report.problems[0]}")
    root = base64.b64encode(report.root).decode()
    story.say(
        "signoff",
        f"audit verify: {report.events} events, {report.checkpoints} signed checkpoints, {report.payloads} payloads,"
        f" {report.cases} case{'s' if report.cases != 1 else ''}. Everything holds.",
        good=True,
    )
    story.say("signoff", f"Root {root}")


async def _export(config: Config, out: Path, story: Story) -> None:
    from signoff.app import open_desk
    from signoff.datasets.export import export

    async with open_desk(config) as desk:
        manifest = await export(desk, format="openai-chat", out=out, on_progress=lambda done, total: None)
    story.say("signoff", f"export openai-chat: {manifest.summary()}")


def _bow(config: Config, out: Path, story: Story, *, ending: Ending, keep: bool) -> None:
    story.chapter("The end" if ending.ran else "The end: nothing ran, as you decided")
    if not keep:
        story.plain("Everything is removed now. To keep it: signoff demo --home ./signoff-demo")
        return
    story.plain(f"Home     {config.home.path}")
    story.plain(f"Dataset  {out}")
    story.plain(f"Look again: signoff audit verify --home {config.home.path}")
