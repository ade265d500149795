"""Alerts: how they read, whether they arrive, and what is wrong with templates of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from signoff.cli.commands import Failure, examples, run, with_home

if TYPE_CHECKING:
    from signoff.alerts.facts import Facts
    from signoff.config import Config
    from signoff.desk.addresses import AddressHealth
    from signoff.domain.alert import AlertKind, Delivery

CHANNELS = ("mail", "sms", "push", "telegram", "slack", "chat", "text")
KINDS = (
    "opened", "escalated", "repeated", "handed_over", "answered", "fresh_link", "decided", "expired", "digest", "dead_letter",
    "rights_changed", "test", "heartbeat",
)  # fmt: skip


def _config(home: Path | None) -> Config:
    from signoff.config import find_home, load_config

    return load_config(find_home(home))


@click.command("preview")
@click.argument("case")
@click.option("--channel", type=click.Choice(CHANNELS), default="text", show_default=True)
@click.option("--kind", type=click.Choice(KINDS), default="opened", show_default=True)
@with_home
@examples(
    "signoff alerts preview esc_01k9zr6m2t8vq4x7c3b5n1w0ye --channel sms",
    "signoff alerts preview esc_01k9zr6m2t8vq4x7c3b5n1w0ye --channel mail --kind decided > mail.html",
)
def preview(case: str, channel: str, kind: AlertKind, home: Path | None) -> None:
    """Print an alert about a case as a channel would show it, with your templates. Its link opens nothing.

    CASE is the id of a case, open or ended; the words of kinds without a case are made up.
    """
    config = _config(home)
    facts = run(_facts, config, case, kind)
    from signoff.alerts.wording import PREVIEWS, Wording

    words = Wording(config.home.alert_templates).words(facts)
    click.echo(PREVIEWS[channel](words, facts))
    if channel == "sms":
        click.echo(f"{len(words.sms)} characters", err=True)


async def _facts(config: Config, case: str, kind: AlertKind) -> Facts:
    from signoff.alerts.facts import facts_of, facts_of_notice
    from signoff.app import open_desk
    from signoff.desk.deliver import Errand
    from signoff.desk.preview import preview

    async with open_desk(config) as desk:
        made = await preview(desk, case, kind)
    return facts_of(made) if isinstance(made, Errand) else facts_of_notice(made)


@click.command("test")
@click.argument("name")
@click.argument("address", required=False)
@with_home
@examples("signoff alerts test omar", "signoff alerts test omar mailtos")
def test(name: str, address: str | None, home: Path | None) -> None:
    """Send a test alert to a person's addresses, now, and say how each took it.

    ADDRESS picks those of one label or kind (such as push, or mailtos), or one by the six letters in brackets
    that `signoff people list` shows. Exit code 1 if one of them failed.
    """
    tested = run(_test, _config(home), name, address)
    from signoff.domain.alert import Failed
    from signoff.domain.shown_address import masked

    for one, delivery in tested:
        how = f"failed: {delivery.why}" if isinstance(delivery, Failed) else "sent"
        click.echo(f"{masked(one.address)}  {how}")
    failed = sum(isinstance(delivery, Failed) for _, delivery in tested)
    if failed:
        raise Failure(f"{failed} of {len(tested)} did not take it.")


async def _test(config: Config, name: str, picked: str | None) -> list[tuple[AddressHealth, Delivery]]:
    from signoff.alerts.testing import send_test
    from signoff.app import open_desk
    from signoff.app.alerting import make_channels
    from signoff.desk.addresses import health_of_addresses
    from signoff.desk.people import person_named
    from signoff.domain.errors import NotFound
    from signoff.domain.event import SYSTEM

    async with open_desk(config) as desk:
        person = await person_named(desk, name)
        mine = [one for one in await health_of_addresses(desk) if one.person.id == person.id]
        chosen = [one for one in mine if picked is None or _is_meant(one, picked)]
        if not chosen:
            raise NotFound(f"{name} has no such address. See `signoff people list`.")
        channels = make_channels(config, desk.clock, terminal=sys.stdout)
        return [(one, await send_test(desk, channels, one, by=SYSTEM)) for one in chosen]


def _is_meant(one: AddressHealth, picked: str) -> bool:
    from signoff.domain.shown_address import masked

    known = (one.held.label, one.address, one.address.partition(":")[0])
    return picked in known or masked(one.address).endswith(f"({picked})")


@click.command("health")
@with_home
@examples("signoff alerts health")
def health(home: Path | None) -> None:
    """Say of every address when it last took an alert, and what went wrong since.

    Exit code 1 if one did not take the last alert.
    """
    found = run(_health, _config(home))
    for one in found:
        click.echo(_told(one))
    if not found:
        click.echo("Nobody has an address: no alert reaches anybody. See `signoff people address`.")
    failing = sum(one.health.state == "failing" for one in found)
    if failing:
        raise Failure(
            f"{failing} of {len(found)} addresses did not take the last alert. Try: signoff alerts test NAME"
        )


async def _health(config: Config) -> list[AddressHealth]:
    from signoff.app import open_desk
    from signoff.desk.addresses import health_of_addresses

    async with open_desk(config) as desk:
        return await health_of_addresses(desk)


def _told(one: AddressHealth) -> str:
    from signoff.domain.shown_address import masked

    how, parts = (
        one.health,
        [f"{one.person.name}  {f'{one.label}=' if one.label else ''}{masked(one.address)}"],
    )
    if how.state == "unknown":
        parts.append("nothing sent yet")
    if how.last_sent_at is not None:
        parts.append(f"last sent {how.last_sent_at:%Y-%m-%d %H:%M:%S} UTC")
    if how.last_failed_at is not None:
        parts.append(f"last failed {how.last_failed_at:%Y-%m-%d %H:%M:%S} UTC: {how.last_error}")
    if how.failures:
        parts.append(f"{how.failures} failed in a row")
    return "  ".join(parts)


@click.command("check")
@with_home
@examples("signoff alerts check")
def check(home: Path | None) -> None:
    """Try every template of alerts in this home with made-up alerts of each kind.

    Exit code 1 if one is not used, and why. Templates lie in templates/alerts of the home; docs/alerts.md lists their
    names and variables.
    """
    from signoff.alerts.wording import Wording

    config = _config(home)
    wording = Wording(config.home.alert_templates)
    problems: list[Any] = wording.problems()
    wrong = {one.name for one in problems}
    for name in wording.files():
        if name not in wrong:
            click.echo(f"{name}: used")
    for one in problems:
        click.echo(f"{one.name}: {one.why}")
    if not wording.files():
        click.echo(f"No templates in {config.home.alert_templates}: all words are the built-in ones.")
    if problems:
        raise Failure(f"{len(problems)} of {len(wording.files())} templates are not used.")
