"""What people were told, what could not be told them, and trying again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from signoff.cli.commands import Commands, examples, run, with_home

if TYPE_CHECKING:
    from signoff.config import Config
    from signoff.desk.alerts import AlertLine
    from signoff.domain.alert import Attempt

STATES = ("waiting", "digested", "sent", "failed", "dropped")

alerts = Commands(
    "alerts",
    help="What people are told: list, retry, preview, test, health of each address, and templates of your own.",
    found_in=dict.fromkeys(("preview", "test", "health", "check"), "signoff.cli.alert_channels"),
)


def _config(home: Path | None) -> Config:
    from signoff.config import find_home, load_config

    return load_config(find_home(home))


@alerts.command("list")
@click.option("--case", "case_id", metavar="ID", help="The alerts of one case, with every try.")
@click.option("--state", type=click.Choice(STATES), help="Only those; failed ones were given up.")
@click.option("--limit", "most", type=click.IntRange(1, 1000), default=20, show_default=True)
@with_home
@examples("signoff alerts list --state failed", "signoff alerts list --case esc_01JD8Z6T3V8Q5Y7W9X2C4B6N8M")
def list_alerts(case_id: str | None, state: str | None, most: int, home: Path | None) -> None:
    """List alerts, newest first: to whom, over which channel, and how it went. Addresses are masked."""
    found = run(_list, _config(home), case_id, state, most)
    for one in found:
        _show(one, tries=case_id is not None or one.state == "failed")
    if not found:
        click.echo("No such alerts.")


async def _list(config: Config, case_id: str | None, state: str | None, most: int) -> list[AlertLine]:
    from signoff.app import open_desk
    from signoff.desk.alerts import list_alerts

    async with open_desk(config) as desk:
        return await list_alerts(desk, escalation_id=case_id, state=state, most=most)


def _show(one: AlertLine, *, tries: bool) -> None:
    from signoff.domain.shown_address import masked

    about = one.alert.escalation_id or "no case"
    click.echo(
        f"{one.alert.id}  {one.state:8}  {one.alert.kind:11}  {one.person_name}, {masked(one.alert.address)}  {about}"
        f"  {one.alert.urgency}, due {one.alert.due_at:%Y-%m-%d %H:%M:%S}"
    )
    if one.alert.digest_id is not None:
        click.echo(f"    in the digest {one.alert.digest_id}")
    for attempt in one.attempts if tries else ():
        click.echo(f"    {attempt.began_at:%Y-%m-%d %H:%M:%S}  {_told(attempt)}")


def _told(attempt: Attempt) -> str:
    if attempt.result == "unknown":
        return "not known: the process that sent it ended first"
    return "taken by the channel" if attempt.error is None else attempt.error


@alerts.command("retry")
@click.argument("alert")
@with_home
@examples("signoff alerts retry alr_01JD8Z6T3V8Q5Y7W9X2C4B6N8M")
def retry(alert: str, home: Path | None) -> None:
    """Send an alert again that was given up. ALERT is its id, as `signoff alerts list` prints it."""
    run(_retry, _config(home), alert)
    click.echo("It is sent again as soon as a server runs.")


async def _retry(config: Config, alert: str) -> None:
    from signoff.app import open_desk
    from signoff.desk.dead_letters import retry_alert

    async with open_desk(config) as desk:
        await retry_alert(desk, alert)
