"""Who is on duty, and what changes it: rotations, overrides, holidays."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from signoff.cli.commands import BadInput, Commands, examples, run, with_home

if TYPE_CHECKING:
    from signoff.config import Config
    from signoff.desk.duty import Duty, Standing
    from signoff.desk.roster import HandOvers, Vacancy
    from signoff.domain.duty import Override, Roster, Rotation
    from signoff.domain.hours import Hours
    from signoff.domain.people import Person

DAY_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
TURNS_SHOWN = 4
MOST_DAYS = 366

duty = Commands("duty", help="Who is on duty: show, rotation, override, end, holidays.")
rotation = Commands(
    "rotation", help="People who take the duty in turn, week by week: add, change, list, remove."
)
duty.add_command(rotation)


def _config(home: Path | None) -> Config:
    from signoff.config import find_home, load_config

    return load_config(find_home(home))


def read_span(starts: str | None, ends: str, zone: str, now: datetime) -> tuple[datetime | None, datetime]:
    """Return the instants of `--from` and `--until`; the first is None for now."""
    from signoff.domain.clock import parse_duration
    from signoff.domain.duty import read_instant

    try:
        starts_at = None if starts is None else read_instant(starts, zone)
    except ValueError as error:
        raise BadInput(f"--from: {error}") from None
    try:
        return starts_at, (starts_at or now) + parse_duration(ends)
    except ValueError:
        pass
    try:
        return starts_at, read_instant(ends, zone, ends=True)
    except ValueError as error:
        raise BadInput(f"--until: {error}, or a while such as 8h") from None


def local(at: datetime, zone: str) -> str:
    """Return an instant on the clocks of a zone, as people read it: `Mon 2026-11-30 09:00 CET`."""
    from zoneinfo import ZoneInfo

    return f"{at.astimezone(ZoneInfo(zone)):%a %Y-%m-%d %H:%M %Z}"


def said_vacancies(found: list[Vacancy], names: dict[str, str], zones: dict[str, str]) -> None:
    """Say on stderr which turns nobody has."""
    for one in found:
        zone = zones[one.rotation]
        click.echo(
            f"Nobody has {names[one.turn.person_id]}'s turn in {one.rotation} from {local(one.turn.starts_at, zone)}"
            f" until {local(one.turn.ends_at, zone)}: the next tier is alerted at once. To change that:\n"
            f"  signoff duty override {one.rotation} PERSON --instead-of {names[one.turn.person_id]} --until …",
            err=True,
        )


@duty.command("show")
@click.option("--at", help="Another instant than now: 2026-12-24, 2026-12-24T18:00 (in --zone), or with Z.")
@click.option("--queue", help="One queue only.")
@click.option(
    "--zone", default="UTC", show_default=True, help="The time zone in which --at and the headline are."
)
@with_home
@examples(
    "signoff duty show",
    "signoff duty show --at 2026-12-24T03:00 --zone Europe/Berlin --queue payments",
)
def show(at: str | None, queue: str | None, zone: str, home: Path | None) -> None:
    """Show who would be alerted: for every queue and tier, who is on duty and until when.

    Where a tier has nobody, the next one is alerted at once. What cases require (a role, another person than the
    agent's owner) is looked at when there is one.
    """
    from signoff.domain.duty import read_instant
    from signoff.domain.hours import check_zone

    try:
        check_zone(zone)
        then = None if at is None else read_instant(at, zone)
    except ValueError as error:
        raise BadInput(str(error)) from None
    found = run(_show, _config(home), then, queue)
    for line in _shown(found, zone):
        click.echo(line)


async def _show(config: Config, at: datetime | None, queue: str | None) -> Duty:
    from signoff.app import open_desk
    from signoff.desk.duty import duty as on_duty

    async with open_desk(config) as desk:
        return await on_duty(desk, at=at, queue=queue)


def _shown(found: Duty, zone: str) -> list[str]:
    lines = [f"On duty at {local(found.at, zone)}"]
    for queue, tiers in found.queues:
        lines += ["", queue]
        for number, tier in enumerate(tiers, 1):
            when = "at once" if tier.after is None else f"after {_length(tier.after)}"
            vacant = "" if not tier.is_vacant else "  nobody: the next tier at once"
            if tier.is_vacant and number == len(tiers):
                vacant = "  nobody, and no tier follows"
            lines.append(f"  tier {number}  {when}{vacant}")
            for target, standings in tier.targets:
                lines += [f"    {label:<24} {_said(one)}" for label, one in _labelled(target, standings)]
    roster = found.roster
    names = {one.id: one.name for one in roster.people.values()}
    noted = [
        *(f"  {one.id}  {_override_said(one, names)}" for one in roster.overrides),
        *(
            f"  {one.id}  {names[one.person_id]} is absent, {_span(one.starts_at, one.ends_at, _zone(roster, one.person_id))}"
            for one in roster.absences
        ),
    ]
    return [*lines, *(["", "Now and later (signoff duty end ID)", *noted] if noted else [])]


def _labelled(target: str, standings: tuple[Standing, ...]) -> list[tuple[str, Standing]]:
    return [(target if at == 0 else "", one) for at, one in enumerate(standings)]


def _said(one: Standing) -> str:
    until = "" if one.until is None else f", until {local(one.until, one.zone)}"
    if one.person is None:
        if one.meant is None:
            return f"nobody: {one.why}{until}"
        return f"not {one.meant.name}: {one.why}{until}"
    instead = "" if one.meant is None or one.meant.id == one.person.id else f" instead of {one.meant.name}"
    return f"{one.person.name}{instead}{until}"


def _zone(roster: Roster, person_id: str) -> str:
    return roster.people[person_id].hours.zone


def _span(starts_at: datetime, ends_at: datetime, zone: str) -> str:
    return f"{local(starts_at, zone)} to {local(ends_at, zone)}"


def _override_said(one: Override, names: dict[str, str]) -> str:
    away = "whoever has the turn" if one.instead_of is None else names[one.instead_of]
    where = "" if one.rotation is None else f" in {one.rotation}"
    return f"{names[one.person_id]} instead of {away}{where}, {_span(one.starts_at, one.ends_at, 'UTC')}"


def _length(after: timedelta) -> str:
    seconds = int(after.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


@duty.command("override")
@click.argument("name")
@click.argument("person")
@click.option("--instead-of", help="Only where this person has the turn; whoever has it otherwise.")
@click.option("--from", "starts", help="When it begins; now without it.")
@click.option(
    "--until", "ends", required=True, help="When it ends, or a while such as 8h; a day alone is included."
)
@with_home
@examples(
    "signoff duty override payments-night nina --until 8h",
    "signoff duty override payments-night nina --instead-of omar --from 2026-12-24 --until 2026-12-26",
)
def override(
    name: str, person: str, instead_of: str | None, starts: str | None, ends: str, home: Path | None
) -> None:
    """Let PERSON have the duty of the rotation NAME for a while, and say of which queues PERSON decides no cases.

    Times are in the rotation's zone. Of two overrides for the same time the later one holds.
    """
    made, zone, there, left = run(_override, _config(home), name, person, instead_of, starts, ends)
    click.echo(f"{person} is on duty in {name}, {_span(made.starts_at, made.ends_at, zone)}.")
    click.echo(f"End it with: signoff duty end {made.id}")
    from signoff.cli.stand_ins import warn_of_queues

    warn_of_queues(there, left, "of their cases nobody is alerted by this duty")


async def _override(
    config: Config, name: str, person: str, instead_of: str | None, starts: str | None, ends: str
) -> tuple[Override, str, Person, list[str]]:
    from signoff.app import open_desk
    from signoff.desk.people import person_named
    from signoff.desk.queues import not_served
    from signoff.desk.roster import add_override, list_rotations

    async with open_desk(config) as desk:
        roster, now = await list_rotations(desk)
        zone = roster.rotations[name].zone if name in roster.rotations else "UTC"
        starts_at, ends_at = read_span(starts, ends, zone, now)
        made = await add_override(
            desk, name, to=person, ends_at=ends_at, starts_at=starts_at, instead_of=instead_of
        )
        there = await person_named(desk, person)
        return made, zone, there, not_served(desk, name, there)


@duty.command("end")
@click.argument("override_or_absence")
@with_home
@examples("signoff duty end ovr_01JDD7Z0000000000000000000")
def end(override_or_absence: str, home: Path | None) -> None:
    """End an override, a hand-over or an absence now; `signoff duty show` prints its id."""
    run(_end, _config(home), override_or_absence)
    click.echo("Ended.")


async def _end(config: Config, given: str) -> None:
    from signoff.app import open_desk
    from signoff.desk.roster import end_absence, end_override

    async with open_desk(config) as desk:
        if given.startswith("abs_"):
            await end_absence(desk, given)
        else:
            await end_override(desk, given)


@duty.command("holidays")
@click.argument("who")
@click.argument("days", nargs=-1)
@with_home
@examples(
    "signoff duty holidays omar 2026-12-24..2026-12-26 2027-01-01",
    "signoff duty holidays rotation:payments-office 2026-12-25",
    "signoff duty holidays omar none",
    "signoff duty holidays omar",
)
def holidays(who: str, days: tuple[str, ...], home: Path | None) -> None:
    """Set the holidays of WHO, a person or `rotation:NAME`, instead of those before; without DAYS, print them.

    On a holiday working hours do not begin. A turn in a rotation holds on its person's holidays all the same: give it
    to somebody with `signoff duty override`, or make it the rotation's holiday.
    """
    made = run(_holidays, _config(home), who, None if not days else _days(days))
    for day in sorted(made.holidays):
        click.echo(f"{day:%a %Y-%m-%d}")
    if not made.holidays:
        click.echo(f"{who} has no holidays.")


def _days(given: tuple[str, ...]) -> list[date]:
    from signoff.domain.hours import read_day

    if given == ("none",):
        return []
    found: list[date] = []
    for one in given:
        first, _, last = one.partition("..")
        try:
            begins, ends = read_day(first), read_day(last or first)
        except ValueError as error:
            raise BadInput(f"'{one}' {error}") from None
        if not 0 <= (ends - begins).days < MOST_DAYS:
            raise BadInput(f"'{one}' ends before it begins, or lasts over a year.")
        found += [begins + timedelta(days=step) for step in range((ends - begins).days + 1)]
    return found


async def _holidays(config: Config, who: str, days: list[date] | None) -> Hours:
    from signoff.app import open_desk
    from signoff.desk.people import person_named
    from signoff.desk.roster import rotation_named, set_holidays, set_rotation_holidays

    kind, _, name = who.partition(":")
    async with open_desk(config) as desk:
        if kind == "rotation" and name:
            if days is None:
                return (await rotation_named(desk, name)).hours
            return await set_rotation_holidays(desk, name, days)
        if days is None:
            return (await person_named(desk, who)).hours
        return await set_holidays(desk, who, days)


def _clock(text: str) -> time:
    try:
        if len(text) == 5:
            return time.fromisoformat(text)
    except ValueError:
        pass
    raise BadInput(f"--at: '{text[:20]}' is no time of day: write one such as 09:00")


@rotation.command("add")
@click.argument("name")
@click.argument("people", nargs=-1, required=True)
@click.option(
    "--day",
    type=click.Choice(DAY_NAMES, case_sensitive=False),
    default="Mon",
    show_default=True,
    help="Of the hand-over.",
)
@click.option("--at", default="09:00", show_default=True, help="Of the hand-over, on the clocks of the zone.")
@click.option("--zone", default="UTC", show_default=True, help="Such as Europe/Berlin.")
@click.option(
    "--hours", default="", help="When it is served, such as 'Mon-Fri 18:00-08:00'; always without it."
)
@click.option("--starts", help="A day of a hand-over to the first of the people, instead of now.")
@with_home
@examples(
    "signoff duty rotation add payments-night omar nina ola --day Mon --at 09:00 --zone Europe/Berlin",
    "signoff duty rotation add office omar nina --hours 'Mon-Fri 08:00-18:00' --zone America/New_York",
)
def add_rotation(
    name: str,
    people: tuple[str, ...],
    day: str,
    at: str,
    zone: str,
    hours: str,
    starts: str | None,
    home: Path | None,
) -> None:
    """Let PEOPLE take the duty in turn, each for a week; the first of them has it now.

    A policy alerts whoever has the turn with `rotation:NAME`. They are on duty at any hour, whatever their own working
    hours say: limit the rotation with --hours instead.
    """
    from signoff.desk.roster import HandOvers
    from signoff.domain.hours import read_day

    try:
        starts_on = None if starts is None else read_day(starts)
    except ValueError as error:
        raise BadInput(f"--starts: '{starts}' {error}") from None
    when = HandOvers(DAY_NAMES.index(day.title()), _clock(at), zone, hours)
    _say_rotation(*run(_add_rotation, _config(home), name, people, when, starts_on))


async def _add_rotation(
    config: Config, name: str, people: tuple[str, ...], when: HandOvers, starts_on: date | None
) -> tuple[Roster, Rotation, datetime]:
    from signoff.app import open_desk
    from signoff.desk.roster import add_rotation, list_rotations

    async with open_desk(config) as desk:
        made = await add_rotation(desk, name, people, when, starts_on=starts_on)
        roster, now = await list_rotations(desk)
        return roster, made, now


@rotation.command("change")
@click.argument("name")
@click.argument("people", nargs=-1)
@click.option("--day", type=click.Choice(DAY_NAMES, case_sensitive=False), help="Of the hand-over.")
@click.option("--at", help="Of the hand-over, on the clocks of the zone.")
@click.option("--zone", help="Such as Europe/Berlin.")
@click.option("--hours", help="When it is served; '' for always.")
@with_home
@examples(
    "signoff duty rotation change payments-night omar nina ola zoe",
    "signoff duty rotation change payments-night --at 10:00",
)
def change_rotation(
    name: str,
    people: tuple[str, ...],
    day: str | None,
    at: str | None,
    zone: str | None,
    hours: str | None,
    home: Path | None,
) -> None:
    """Change who takes turns in a rotation, or when; what is not named stays.

    Whoever has the turn keeps it until the next hand-over, if they are still among PEOPLE; the first has it otherwise.
    """
    changed = (
        None if day is None else DAY_NAMES.index(day.title()),
        None if at is None else _clock(at),
        zone,
        hours,
    )
    _say_rotation(*run(_change_rotation, _config(home), name, people, changed))


async def _change_rotation(
    config: Config,
    name: str,
    people: tuple[str, ...],
    changed: tuple[int | None, time | None, str | None, str | None],
) -> tuple[Roster, Rotation, datetime]:
    from signoff.app import open_desk
    from signoff.desk.roster import HandOvers, change_rotation, list_rotations, rotation_named

    day, at, zone, hours = changed
    async with open_desk(config) as desk:
        held = await rotation_named(desk, name)
        when = HandOvers(
            held.first_on.weekday() if day is None else day,
            held.at if at is None else at,
            held.zone if zone is None else zone,
            held.hours.text if hours is None else hours,
        )
        made = await change_rotation(
            desk, name, people=people or None, when=None if changed == (None,) * 4 else when
        )
        roster, now = await list_rotations(desk)
        return roster, made, now


@rotation.command("list")
@with_home
@examples("signoff duty rotation list")
def list_rotations(home: Path | None) -> None:
    """List rotations with the next turns, and who has them."""
    roster, now = run(_list_rotations, _config(home))
    for one in roster.rotations.values():
        _say_rotation(roster, one, now)
    if not roster.rotations:
        click.echo("No rotations yet. Add one with `signoff duty rotation add NAME PERSON…`.")


async def _list_rotations(config: Config) -> tuple[Roster, datetime]:
    from signoff.app import open_desk
    from signoff.desk.roster import list_rotations

    async with open_desk(config) as desk:
        return await list_rotations(desk)


def _say_rotation(roster: Roster, one: Rotation, now: datetime) -> None:
    served = f"  served {one.hours.text}" if one.hours.text else ""
    days = f"  {len(one.hours.holidays)} holidays" if one.hours.holidays else ""
    hand_over = f"{DAY_NAMES[one.first_on.weekday()]} {one.at:%H:%M} {one.zone}"
    click.echo(f"{one.name}  hand-over {hand_over}{served}{days}")
    at = now
    for _ in range(TURNS_SHOWN):
        turn = one.turn(at)
        click.echo(f"  {local(turn.starts_at, one.zone)}  {roster.people[turn.person_id].name}")
        at = turn.ends_at
    until = at
    for gap in roster.vacancies(one.name, now, until):
        name = roster.people[gap.person_id].name
        click.echo(f"  nobody  {_span(gap.starts_at, gap.ends_at, one.zone)} ({name}'s turn)")


@rotation.command("remove")
@click.argument("name")
@with_home
@examples("signoff duty rotation remove payments-night")
def remove_rotation(name: str, home: Path | None) -> None:
    """Remove a rotation; where a policy still names it, the next tier is alerted at once."""
    run(_remove_rotation, _config(home), name)
    click.echo(f"Removed {name}.")


async def _remove_rotation(config: Config, name: str) -> None:
    from signoff.app import open_desk
    from signoff.desk.roster import remove_rotation

    async with open_desk(config) as desk:
        await remove_rotation(desk, name)
