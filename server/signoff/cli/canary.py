"""Canaries: cases that must be rejected, to see whether they are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from signoff.cli.commands import Commands, examples, run, with_home

if TYPE_CHECKING:
    from signoff.config import Config
    from signoff.desk.canaries import CanaryView, Drawn

MAX_FILE_BYTES = 4 * 1024 * 1024

canary = Commands(
    "canary", help="Cases that must be rejected, to see whether they are: make some, see what became of them."
)


def _config(home: Path | None) -> Config:
    from signoff.config import find_home, load_config

    return load_config(find_home(home))


@canary.command("add")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True))
@click.option("--agent", required=True, help="Name of the agent under whose name they are asked for.")
@click.option("--drill", help="Names the exercise that they belong to; letters, digits, dashes.")
@with_home
@examples(
    "signoff canary add wrong-wire.json --agent billing-bot",
    "signoff canary add ten.json --agent billing-bot --drill spring",
)
def add(file: Path, agent: str, drill: str | None, home: Path | None) -> None:
    """Put canaries among the cases: people are alerted as the policy says, and the first answer ends each.

    FILE is JSON: {"action": {"tool": …, "arguments": …}, "bundle": …}, or a list of up to 20 such; `-` for stdin. Nothing
    is ever approved by a canary, and no agent sees one.
    """
    from signoff.domain.canonical import parse_json
    from signoff.domain.errors import LimitExceeded
    from signoff.operators.canaries import read_canaries

    with click.open_file(str(file), "rb") as given:
        data = given.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise LimitExceeded("the file", f"{MAX_FILE_BYTES // 1024 // 1024} MB", "more")
    made = run(_add, _config(home), read_canaries(parse_json(data, field="file")), agent, drill)
    click.echo(f"{len(made)} {'canary waits' if len(made) == 1 else 'canaries wait'} among the cases.")
    click.echo("See what becomes of them with: signoff canary list")


async def _add(config: Config, drawn: list[Drawn], agent: str, drill: str | None) -> list[str]:
    from signoff.app import open_desk
    from signoff.desk.canaries import make_canaries

    async with open_desk(config) as desk:
        return await make_canaries(desk, drawn, agent=agent, drill=drill)


@canary.command("list")
@click.option("--days", type=click.Choice(["1", "7", "30", "90", "365"]), default="30", show_default=True)
@with_home
@examples("signoff canary list --days 90")
def list_(days: str, home: Path | None) -> None:
    """List canaries and what became of them, by drill. Whoever decides cases should not read this."""
    found = run(_list, _config(home), int(days))
    if not found.canaries:
        click.echo("No canaries in this time. Make some with `signoff canary add FILE --agent NAME`.")
        return
    for one in found.drills:
        waiting = f", {one.waiting} waiting" if one.waiting else ""
        unanswered = f", {one.unanswered} that nobody answered" if one.unanswered else ""
        rate = one.catch_rate
        share = f"{rate.share:.0%} ({rate.low:.0%} to {rate.high:.0%})" if rate else "too few to say"
        name = f"drill {one.name}" if one.name else "without a drill"
        click.echo(f"{name}: {one.caught} caught, {one.missed} missed{unanswered}{waiting}  {share}")
    for case in found.canaries:
        click.echo(f"  {case.escalation_id}  {_became(found, case.escalation_id)}")


def _became(found: CanaryView, escalation_id: str) -> str:
    from signoff.domain.characters import one_line

    one = next(case for case in found.canaries if case.escalation_id == escalation_id)
    if one.choice is None:
        state = "waiting" if one.status == "pending" else "nobody answered"
    else:
        who = found.names.get(one.answered_by or "", one.answered_by or "")
        state = f"{'caught' if one.caught else 'missed'} by {who}"
    return f"{one_line(one.tool)}  {one.queue}  {state}"


async def _list(config: Config, days: int) -> CanaryView:
    from signoff.app import open_desk
    from signoff.desk.canaries import canaries

    async with open_desk(config) as desk:
        return await canaries(desk, None, days=days)
