"""Checkpoints: the newest one, the proof that the log has only grown since an older one, and alerts' footers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from signoff.cli.commands import BadInput, examples, run, with_home

if TYPE_CHECKING:
    from signoff.config import Config

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
MAX_NOTE_BYTES = 200_000


@click.command("checkpoint")
@click.option(
    "--since", type=_FILE,
    help="A checkpoint that was kept: print the proof that the log has only grown since, with the newest one.",
)  # fmt: skip
@click.option(
    "--compare", metavar="FOOTER", help="The last line of an alert: say whether the log agrees with it."
)
@with_home
@examples(
    "signoff audit checkpoint > /mnt/elsewhere/checkpoint.txt",
    "signoff audit checkpoint --since /mnt/elsewhere/checkpoint.txt",
    'signoff audit checkpoint --compare "audit 137 eH22nAG2"',
)
def checkpoint(since: Path | None, compare: str | None, home: Path | None) -> None:
    """Sign the log as it stands and print the checkpoint. Keep it elsewhere: it proves what was there.

    Exit code 1 where the log contradicts what was kept: it was cut, restored from an old copy, or forked.
    """
    from signoff.config import find_home, load_config

    found = find_home(home)
    if compare is not None:
        if since is not None:
            raise BadInput("--since and --compare are two questions; ask one of them.")
        _say_agrees(run(_compare, found.database, compare))
        return
    click.echo(run(_checkpoint, load_config(found), _note(since)), nl=False)


def _note(path: Path | None) -> str | None:
    if path is None:
        return None
    with path.open("rb") as file:
        return file.read(MAX_NOTE_BYTES).decode("utf-8", errors="replace")


async def _checkpoint(config: Config, since: str | None) -> str:
    from signoff.app import open_desk, publish
    from signoff.desk.follow import compare
    from signoff.domain.event import SYSTEM

    async with open_desk(config) as desk:
        note = await publish(desk, config.home) or ""
        if since is None:
            return note
        return (await compare(desk, since, by=SYSTEM, field="since")).text


async def _compare(database: Path, footer: str) -> int:
    from signoff.app import compare_footer_with

    seen = await compare_footer_with(database, footer)
    return 0 if seen is None else seen.size


def _say_agrees(size: int) -> None:
    if size == 0:
        click.echo("Nothing had been signed when that alert was sent; any log agrees with it.")
    else:
        events = "event is" if size == 1 else f"{size} events are"
        click.echo(f"The log agrees: its first {events} those that the alert's sender had signed.")
