"""A backup of the database, while everything runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from signoff.cli.commands import examples, run, with_home

if TYPE_CHECKING:
    from signoff.audit.report import Report
    from signoff.config import Config


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The file to write; a new one.",
)
@with_home
@examples("signoff backup --out /mnt/backup/signoff-monday.db")
def backup(out: Path, home: Path | None) -> None:
    """Copy the database while everything runs, and verify the copy.

    The newest checkpoint lies beside it, in OUT.checkpoint. Keep the keys, `anchors/` and `erasures` apart from it:
    they show that a restored copy is old, and what must be erased in it again.
    """
    from signoff.config import find_home, load_config

    report = run(_backup, load_config(find_home(home)), out)
    click.echo(f"{out}")
    click.echo(f"  events       {report.events}")
    click.echo(f"  checkpoint   {out}.checkpoint")
    click.echo(click.style("The copy verifies.", fg="green"))


async def _backup(config: Config, out: Path) -> Report:
    from signoff.app import open_desk
    from signoff.app.backup import back_up
    from signoff.cli.progress import progress

    async with open_desk(config) as desk:
        with progress("Verifying") as on_progress:
            return await back_up(desk, config, out, on_progress=on_progress)
