"""Statistics of the cases, as on the page of that name."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from signoff.cli.commands import examples, run, with_home

if TYPE_CHECKING:
    from signoff.config import Config
    from signoff.desk.stats import Group, Stats

_MOST_ROWS = 20


@click.command("stats")
@click.option(
    "--days",
    type=click.Choice(["1", "7", "30", "90", "365"]),
    default="30",
    show_default=True,
    help="How far back.",
)
@click.option("--json", "as_json", is_flag=True, help="As JSON, with every number.")
@with_home
@examples("signoff stats --days 7", "signoff stats --days 90 --json")
def stats(days: str, as_json: bool, home: Path | None) -> None:
    """Show how long decisions take, how cases end, and which triggers people always approve.

    Canaries, and cases that the policy decided alone, are not counted.
    """
    from signoff.config import find_home, load_config

    found = run(_stats, load_config(find_home(home)), int(days))
    if as_json:
        click.echo(json.dumps(_as_json(found), ensure_ascii=False, indent=2))
        return
    opened = sum(found.opened_at_hour)
    click.echo(click.style(f"{opened:,} cases put to people in {days} days", bold=True))
    if not opened:
        return
    _show("queue", found.queues)
    _show("trigger", found.triggers)
    for one in found.always_approved:
        click.echo(
            f"\nAlways approved: {one.trigger}, {one.decided:,} of {one.decided:,} as they were; at 95% confidence fewer"
            f" than {one.at_most:.1%} would not be. {one.fast:,} within 5 seconds."
        )


def _show(what: str, groups: tuple[Group, ...]) -> None:
    head = f"{what:<32}{'opened':>8}{'approved':>10}{'modified':>10}{'rejected':>10}{'expired':>9}{'half':>12}{'95%':>12}"
    click.echo("\n" + click.style(head, dim=True))
    for one in groups[:_MOST_ROWS]:
        name = one.name if len(one.name) < 32 else one.name[:30] + "…"
        ended = one.ended
        click.echo(
            f"{name:<32}{one.opened:>8,}{ended['approved']:>10,}{ended['modified']:>10,}{ended['rejected']:>10,}"
            f"{ended['expired']:>9,}{_span(one.percentile(0.5)):>12}{_span(one.percentile(0.95)):>12}"
        )


def _span(seconds: float | None) -> str:
    from signoff.operators.present import span

    return "-" if seconds is None else span(timedelta(seconds=seconds))


def _as_json(found: Stats) -> dict[str, object]:
    return {
        "days": found.days,
        "since": found.since.isoformat(),
        "opened_at_hour": found.opened_at_hour,
        "decided_at_hour": found.decided_at_hour,
        "by_policy": found.by_policy,
        "queues": [_group(one) for one in found.queues],
        "triggers": [_group(one) for one in found.triggers],
        "always_approved": [
            {"trigger": one.trigger, "decided": one.decided, "at_most": one.at_most, "fast": one.fast}
            for one in found.always_approved
        ],
    }


def _group(one: Group) -> dict[str, object]:
    return {
        "name": one.name,
        "opened": one.opened,
        "decided": one.decided,
        "ended": dict(one.ended),
        "p50_s": one.percentile(0.5),
        "p95_s": one.percentile(0.95),
    }


async def _stats(config: Config, days: int) -> Stats:
    from signoff.app import open_desk
    from signoff.desk.stats import stats as count

    async with open_desk(config) as desk:
        return await count(desk, None, days=days)
