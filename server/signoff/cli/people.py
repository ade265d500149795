"""People who decide, and agents that ask."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from signoff.cli.commands import Commands, examples, run, with_home

if TYPE_CHECKING:
    from signoff.config import Config
    from signoff.desk.desk import AgentLimits
    from signoff.desk.roster import Vacancy
    from signoff.domain.duty import Absence, Override, Roster
    from signoff.domain.people import Agent, Passkey, Person, Role
    from signoff.domain.verdict import Urgency

URGENCY_NAMES = ("low", "normal", "high", "critical")
ROLE_NAMES = ("operator", "supervisor", "auditor", "admin")

people = Commands(
    "people",
    help="Who decides, when, and where alerts reach them: add, address, prefer, hours, absence, hand-over …",
)
agents = Commands("agents", help="Who asks over HTTP, each with a key: add, list, rotate, limit, pause.")


def _config(home: Path | None) -> Config:
    from signoff.config import find_home, load_config

    return load_config(find_home(home))


def _checked(addresses: tuple[str, ...]) -> tuple[str, ...]:
    """Return addresses that alerts may go to; `-` reads them from stdin, where no process list shows them."""
    from signoff.alerts.channels import check_address
    from signoff.domain.address import split_label

    given = [line.strip() for line in sys.stdin] if addresses == ("-",) else list(addresses)
    labelled = [split_label(address) for address in given if address]
    return tuple(f"{label}={check_address(url)}" for label, url in labelled)


def _described(person: Person) -> str:
    roles = ", ".join(role for role in ROLE_NAMES if role in person.roles)
    queues = f"  queues: {', '.join(sorted(person.queues))}" if person.queues else ""
    ended = "  (disabled)" if person.disabled_at is not None else ""
    works = f"  works: {person.hours.text} {person.hours.zone}" if person.hours.text else ""
    spared = "" if person.follow_up else "  (not told who decided)"
    return f"{person.name}{ended}  {roles}{queues}{works}  alerts: {_told(person)}{spared}"


def _told(person: Person) -> str:
    """Return where a person's alerts go, with the urgencies that do not go everywhere."""
    from signoff.domain.address import kind_of
    from signoff.domain.shown_address import masked

    shown = ", ".join(
        masked(one.url) if one.label == kind_of(one.url) else f"{one.label}={masked(one.url)}"
        for one in person.addresses
    )
    only = "".join(f"  {urgency}: {', '.join(held)}" for urgency, held in person.preferences.items())
    return f"{shown or 'nowhere'}{only}"


@people.command("add")
@click.argument("name")
@click.option(
    "--role", "roles", multiple=True, type=click.Choice(ROLE_NAMES), default=("operator",), show_default=True,
    help="May be repeated.",
)  # fmt: skip
@click.option("--queue", "queues", multiple=True, help="A queue this operator works; all of them without it.")
@click.option(
    "--address", "addresses", multiple=True, default=("terminal:",), show_default=True,
    help="Where alerts go: terminal: or an Apprise URL, as URL or LABEL=URL; - reads them from stdin. May be repeated.",
)  # fmt: skip
@with_home
@examples(
    "signoff people add omar --role operator --queue payments",
    "echo 'mailtos://user:password@example.com?to=omar@example.com' | signoff people add omar --address -",
)
def add_person(
    name: str, roles: tuple[Role, ...], queues: tuple[str, ...], addresses: tuple[str, ...], home: Path | None
) -> None:
    """Add a person who is alerted and may decide."""
    person = run(_add_person, _config(home), name, roles, queues, _checked(addresses))
    click.echo(f"Added {_described(person)}")
    click.echo(f"Sign in with: signoff people link {shlex.quote(name)}")


async def _add_person(
    config: Config, name: str, roles: tuple[Role, ...], queues: tuple[str, ...], addresses: tuple[str, ...]
) -> Person:
    from signoff.app import open_desk
    from signoff.desk.people import add_person
    from signoff.desk.queues import check_queues

    async with open_desk(config) as desk:
        check_queues(desk, queues)
        return await add_person(desk, name, roles=roles, queues=queues, addresses=addresses)


@people.command("list")
@with_home
@examples("signoff people list")
def list_people(home: Path | None) -> None:
    """List people with their roles, queues and addresses (secrets masked)."""
    for person in run(_list_people, _config(home)):
        click.echo(_described(person))


async def _list_people(config: Config) -> list[Person]:
    from signoff.app import open_desk
    from signoff.desk.people import list_people

    async with open_desk(config) as desk:
        return await list_people(desk)


@people.command("link")
@click.argument("name")
@with_home
@examples("signoff people link omar")
def link(name: str, home: Path | None) -> None:
    """Print a link that signs a person in, once. Give it to them and to nobody else."""
    config = _config(home)
    url = run(_link, config, name)
    click.echo(url)
    minutes = round(config.settings.sign_in_link_valid_for.total_seconds() / 60)
    click.echo(f"Opens once, within {minutes} minutes; give it to nobody else.", err=True)
    from signoff.app import current_host

    if current_host(config.home) is None:
        click.echo("Nothing serves the pages now: start `signoff serve` first.", err=True)


async def _link(config: Config, name: str) -> str:
    from signoff.app import open_desk
    from signoff.desk.sign_in import issue_sign_in_link

    async with open_desk(config) as desk:
        return await issue_sign_in_link(desk, name)


@people.command("disable")
@click.argument("name")
@with_home
@examples("signoff people disable omar")
def disable(name: str, home: Path | None) -> None:
    """Sign a person out everywhere; they are alerted no more and decide nothing."""
    run(_disable, _config(home), name)
    click.echo(f"Disabled {name}.")


async def _disable(config: Config, name: str) -> None:
    from signoff.app import open_desk
    from signoff.desk.people import disable_person

    async with open_desk(config) as desk:
        await disable_person(desk, name)


@people.command("address")
@click.argument("name")
@click.argument("addresses", nargs=-1, required=True)
@with_home
@examples(
    "signoff people address omar terminal: ntfys://ntfy.example.com/omar-signoff",
    "pass show omar-alerts | signoff people address omar -",
)
def address(name: str, addresses: tuple[str, ...], home: Path | None) -> None:
    """Send a person's alerts to these ADDRESSES from now on, instead of those before.

    An address is `terminal:` or an Apprise URL (https://github.com/caronc/apprise), with a label of your own before it
    if you like: `night=twilio://…`. `-` reads them from stdin, one a line, so that no shell history and no process list
    shows their passwords. They are sealed in the database; the key is `keys/address.key`.
    """
    person = run(_address, _config(home), name, _checked(addresses))
    click.echo(f"Alerts for {name} go to {_told(person)}.")


async def _address(config: Config, name: str, addresses: tuple[str, ...]) -> Person:
    from signoff.app import open_desk
    from signoff.desk.people import set_addresses

    async with open_desk(config) as desk:
        return await set_addresses(desk, name, addresses)


@people.command("prefer")
@click.argument("name")
@click.argument("urgency", type=click.Choice(URGENCY_NAMES))
@click.argument("labels", nargs=-1, required=True)
@with_home
@examples(
    "signoff people prefer omar critical push sms",
    "signoff people prefer omar low mail",
    "signoff people prefer omar critical all",
)
def prefer(name: str, urgency: Urgency, labels: tuple[str, ...], home: Path | None) -> None:
    """Send a person's alerts of one URGENCY only to the addresses with these LABELS; `all` for every address.

    A label is the one given with the address, or else its kind: terminal, mail, push, sms, chat. If a person loses
    every address of the labels they prefer, all of their addresses are alerted.
    """
    person = run(_prefer, _config(home), name, urgency, () if labels == ("all",) else labels)
    click.echo(f"Alerts for {name} go to {_told(person)}.")


async def _prefer(config: Config, name: str, urgency: Urgency, labels: tuple[str, ...]) -> Person:
    from signoff.app import open_desk
    from signoff.desk.roster import prefer

    async with open_desk(config) as desk:
        return await prefer(desk, name, urgency, labels)


@people.command("hours")
@click.argument("name")
@click.argument("hours")
@click.option("--zone", help="Such as Europe/Berlin; the one before without it, UTC at first.")
@with_home
@examples(
    "signoff people hours omar 'Mon-Thu 09:00-17:00, Fri 09:00-15:00' --zone Europe/Berlin",
    "signoff people hours omar always",
)
def hours(name: str, hours: str, zone: str | None, home: Path | None) -> None:
    """Alert a person in these HOURS only, where a policy means them by role or name; `always` is the default.

    A turn in a rotation and a hand-over hold at any hour.
    """
    person = run(_hours, _config(home), name, "" if hours == "always" else hours, zone)
    click.echo(f"{name} works {person.hours.text or 'always'} ({person.hours.zone}).")


async def _hours(config: Config, name: str, hours: str, zone: str | None) -> Person:
    from signoff.app import open_desk
    from signoff.desk.roster import set_hours

    async with open_desk(config) as desk:
        return await set_hours(desk, name, hours, zone=zone)


@people.command("absence")
@click.argument("name")
@click.option("--from", "starts", help="When it begins, in the person's time zone; now without it.")
@click.option(
    "--until", "ends", required=True, help="When it ends, or a while such as 8h; a day alone is included."
)
@with_home
@examples(
    "signoff people absence omar --from 2026-12-24 --until 2026-12-26",
    "signoff people absence omar --until 8h",
)
def absence(name: str, starts: str | None, ends: str, home: Path | None) -> None:
    """Alert a person for nothing for a while, and say which turns nobody has then.

    Nobody takes their turns by itself: name somebody with `signoff people hand-over` or `signoff duty override`. Until
    then the next tier is alerted at once.
    """
    from signoff.cli.duty import local, said_vacancies

    made, found, roster = run(_absence, _config(home), name, starts, ends)
    zone = roster.people[made.person_id].hours.zone
    click.echo(f"{name} is absent, {local(made.starts_at, zone)} to {local(made.ends_at, zone)}.")
    click.echo(f"End it with: signoff duty end {made.id}")
    names = {one.id: one.name for one in roster.people.values()}
    said_vacancies(found, names, {one.name: one.zone for one in roster.rotations.values()})


async def _absence(
    config: Config, name: str, starts: str | None, ends: str
) -> tuple[Absence, list[Vacancy], Roster]:
    from signoff.app import open_desk
    from signoff.cli.duty import read_span
    from signoff.desk.people import person_named
    from signoff.desk.roster import add_absence, list_rotations

    async with open_desk(config) as desk:
        roster, now = await list_rotations(desk)
        person = await person_named(desk, name)
        starts_at, ends_at = read_span(starts, ends, person.hours.zone, now)
        made, found = await add_absence(desk, name, ends_at=ends_at, starts_at=starts_at)
        return made, found, roster


@people.command("hand-over")
@click.argument("name")
@click.argument("to")
@click.option("--from", "starts", help="When it begins, in NAME's time zone; now without it.")
@click.option(
    "--until", "ends", required=True, help="When it ends, or a while such as 8h; a day alone is included."
)
@with_home
@examples(
    "signoff people hand-over omar nina --until 8h",
    "signoff people hand-over omar nina --from 2026-12-24 --until 2026-12-26",
)
def hand_over(name: str, to: str, starts: str | None, ends: str, home: Path | None) -> None:
    """Let TO be alerted wherever NAME would be on duty, for a while, and say of which queues TO decides no cases."""
    from signoff.cli.duty import local
    from signoff.cli.stand_ins import warn_of_queues

    made, zone, there, left = run(_hand_over, _config(home), name, to, starts, ends)
    click.echo(f"{to} stands in for {name}, {local(made.starts_at, zone)} to {local(made.ends_at, zone)}.")
    click.echo(f"End it with: signoff duty end {made.id}")
    warn_of_queues(there, left, f"of their cases nobody is alerted instead of {name}")


async def _hand_over(
    config: Config, name: str, to: str, starts: str | None, ends: str
) -> tuple[Override, str, Person, list[str]]:
    from signoff.app import open_desk
    from signoff.cli.duty import read_span
    from signoff.desk.people import person_named
    from signoff.desk.queues import left_alone
    from signoff.desk.roster import hand_over, list_rotations

    async with open_desk(config) as desk:
        _, now = await list_rotations(desk)
        away, there = await person_named(desk, name), await person_named(desk, to)
        starts_at, ends_at = read_span(starts, ends, away.hours.zone, now)
        made = await hand_over(desk, name, to=to, ends_at=ends_at, starts_at=starts_at)
        return made, away.hours.zone, there, left_alone(desk, away, there)


@people.command("follow-up")
@click.argument("name")
@click.argument("state", type=click.Choice(("on", "off")))
@with_home
@examples("signoff people follow-up omar off")
def follow_up(name: str, state: str, home: Path | None) -> None:
    """Say whether a person hears who decided a case that they were alerted to. It is on for everybody at first."""
    run(_follow_up, _config(home), name, state == "on")
    hears = "hears who decided" if state == "on" else "does not hear who decided"
    click.echo(f"{name} {hears} the cases that they were alerted to.")


async def _follow_up(config: Config, name: str, on: bool) -> None:
    from signoff.app import open_desk
    from signoff.desk.people import set_follow_up

    async with open_desk(config) as desk:
        await set_follow_up(desk, name, on=on)


@people.command("change")
@click.argument("name")
@click.option(
    "--role", "roles", multiple=True, type=click.Choice(ROLE_NAMES), required=True, help="May be repeated."
)
@click.option("--queue", "queues", multiple=True, help="A queue this operator works; all of them without it.")
@with_home
@examples("signoff people change omar --role operator --role supervisor --queue payments")
def change(name: str, roles: tuple[Role, ...], queues: tuple[str, ...], home: Path | None) -> None:
    """Give a person these roles and queues, instead of those before."""
    person = run(_change, _config(home), name, roles, queues)
    click.echo(f"Changed {_described(person)}")


async def _change(config: Config, name: str, roles: tuple[Role, ...], queues: tuple[str, ...]) -> Person:
    from signoff.app import open_desk
    from signoff.desk.people import change_person, person_named
    from signoff.desk.queues import check_queues

    async with open_desk(config) as desk:
        check_queues(desk, queues, held=(await person_named(desk, name)).queues)
        return await change_person(desk, name, roles=roles, queues=queues)


@people.command("passkeys")
@click.argument("name")
@with_home
@examples("signoff people passkeys omar")
def passkeys(name: str, home: Path | None) -> None:
    """List a person's passkeys: which are in use, who confirmed them, and which wait or were revoked."""
    held, names = run(_passkeys, _config(home), name)
    for one in held:
        by = f", confirmed by {names.get(one.enrolled_by, one.enrolled_by)}" if one.enrolled_by else ""
        click.echo(f"{one.credential}  {one.label}  {one.state}, since {one.offered_at:%Y-%m-%d}{by}")
    if not held:
        click.echo(f"{name} has no passkeys.")


async def _passkeys(config: Config, name: str) -> tuple[list[Passkey], dict[str, str]]:
    from signoff.app import open_desk
    from signoff.desk.passkeys import passkeys_of
    from signoff.desk.people import list_people

    async with open_desk(config) as desk:
        return await passkeys_of(desk, name), {one.id: one.name for one in await list_people(desk)}


@people.command("revoke")
@click.argument("credential")
@with_home
@examples("signoff people revoke MTIzNDU2Nzg5MGFiY2RlZg")
def revoke(credential: str, home: Path | None) -> None:
    """Let a passkey sign nothing from now on. CREDENTIAL is its id, as `signoff people passkeys` prints it."""
    passkey = run(_revoke, _config(home), credential)
    click.echo(f"Revoked {passkey.label}. What it signed before stays signed.")


async def _revoke(config: Config, credential: str) -> Passkey:
    from signoff.app import open_desk
    from signoff.desk.passkeys import revoke_passkey

    async with open_desk(config) as desk:
        return await revoke_passkey(desk, credential, by=None)


@people.command("pin")
@with_home
@examples("signoff people pin > operators.json", "signoff audit verify --operators operators.json")
def pin(home: Path | None) -> None:
    """Print the passkeys of people, for an auditor to keep where this server's administrator cannot change them."""
    click.echo(run(_pin, _config(home)), nl=False)


async def _pin(config: Config) -> str:
    from signoff.app import open_desk
    from signoff.desk.passkeys import pinned_keys

    async with open_desk(config) as desk:
        return (await pinned_keys(desk)).text()


@agents.command("add")
@click.argument("name")
@click.option(
    "--owner", help="Name of the person on whose behalf it runs; may not approve where the policy says so."
)
@with_home
@examples("signoff agents add billing-bot --owner omar")
def add_agent(name: str, owner: str | None, home: Path | None) -> None:
    """Add an agent and print its key, once."""
    config = _config(home)
    _, key = run(_add_agent, config, name, owner)
    click.echo(f"Added {name}. Its key, which is shown only now:\n\n  {key}\n")
    _show_use(config, key)


async def _add_agent(config: Config, name: str, owner: str | None) -> tuple[Agent, str]:
    from signoff.app import open_desk
    from signoff.desk.people import add_agent

    async with open_desk(config) as desk:
        return await add_agent(desk, name, owner=owner)


def _show_use(config: Config, key: str) -> None:
    url = f"{config.base_url}/mcp"
    click.echo("Claude Code:\n")
    click.echo(f'  claude mcp add --transport http signoff {url} --header "Authorization: Bearer {key}"\n')
    click.echo("Any other MCP client over streamable HTTP:\n")
    click.echo(f"  url     {url}\n  header  Authorization: Bearer {key}")


@agents.command("list")
@with_home
@examples("signoff agents list")
def list_agents(home: Path | None) -> None:
    """List agents with their owners, and the limits that are their own."""
    known, names = run(_list_agents, _config(home))
    for agent in known:
        owner = f"  owner: {names.get(agent.owner, agent.owner)}" if agent.owner else ""
        paused = "  (paused)" if agent.paused_at is not None else ""
        click.echo(f"{agent.name}{paused}{owner}{_own_limits(agent)}  since {agent.created_at:%Y-%m-%d}")
    if not known:
        click.echo("No agents yet. Add one with `signoff agents add NAME`, or run `signoff mcp`.")


def _own_limits(agent: Agent) -> str:
    held = [
        f"{'any number of' if value == 0 else value} {what}"
        for value, what in ((agent.max_open, "open cases"), (agent.requests_per_minute, "cases a minute"))
        if value is not None
    ]
    return f"  limits: {', '.join(held)}" if held else ""


async def _list_agents(config: Config) -> tuple[list[Agent], dict[str, str]]:
    from signoff.app import open_desk
    from signoff.desk.people import list_agents, list_people

    async with open_desk(config) as desk:
        return await list_agents(desk), {person.id: person.name for person in await list_people(desk)}


@agents.command("rotate")
@click.argument("name")
@with_home
@examples("signoff agents rotate billing-bot")
def rotate(name: str, home: Path | None) -> None:
    """Give an agent a new key and print it, once; the old key opens nothing from now on."""
    config = _config(home)
    key = run(_rotate, config, name)
    click.echo(f"The new key of {name}, which is shown only now:\n\n  {key}\n")
    _show_use(config, key)


async def _rotate(config: Config, name: str) -> str:
    from signoff.app import open_desk
    from signoff.desk.people import rotate_agent_key

    async with open_desk(config) as desk:
        return await rotate_agent_key(desk, name)


@agents.command("limit")
@click.argument("name")
@click.option(
    "--max-open",
    type=click.IntRange(0, 1_000_000),
    help="How many of its cases may wait at once; 0 for any number.",
)
@click.option(
    "--per-minute",
    type=click.IntRange(0, 1_000_000),
    help="How many cases it may open in a minute; 0 for any number.",
)
@with_home
@examples(
    "signoff agents limit billing-bot --max-open 50 --per-minute 20", "signoff agents limit billing-bot"
)
def limit(name: str, max_open: int | None, per_minute: int | None, home: Path | None) -> None:
    """Give an agent limits of its own; what is left out is as `agents` in signoff.yaml says."""
    limits = run(_limit, _config(home), name, max_open, per_minute)
    click.echo(
        f"{name} may have {limits.max_open or 'any number of'} cases waiting"
        f" and open {limits.requests_per_minute or 'any number'} a minute."
    )


async def _limit(config: Config, name: str, max_open: int | None, per_minute: int | None) -> AgentLimits:
    from signoff.app import open_desk
    from signoff.desk.limits import limit_agent

    async with open_desk(config) as desk:
        _, limits = await limit_agent(desk, name, max_open=max_open, requests_per_minute=per_minute)
        return limits


@agents.command("pause")
@click.argument("name")
@with_home
@examples("signoff agents pause billing-bot")
def pause(name: str, home: Path | None) -> None:
    """Let an agent ask for nothing until it is resumed; what it has asked for stays."""
    run(_pause, _config(home), name)
    click.echo(f"Paused {name}. Resume it with: signoff agents resume {name}")


async def _pause(config: Config, name: str) -> None:
    from signoff.app import open_desk
    from signoff.desk.people import pause_agent

    async with open_desk(config) as desk:
        await pause_agent(desk, name)


@agents.command("resume")
@click.argument("name")
@with_home
@examples("signoff agents resume billing-bot")
def resume(name: str, home: Path | None) -> None:
    """Let a paused agent ask again."""
    run(_resume, _config(home), name)
    click.echo(f"Resumed {name}.")


async def _resume(config: Config, name: str) -> None:
    from signoff.app import open_desk
    from signoff.desk.people import resume_agent

    async with open_desk(config) as desk:
        await resume_agent(desk, name)
