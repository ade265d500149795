"""Erasing what people and agents wrote, and the legal holds that forbid it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from signoff.cli.commands import BadInput, Commands, Failure, examples, run, with_home

if TYPE_CHECKING:
    from collections.abc import Mapping

    from signoff.config import Config
    from signoff.desk.desk import Desk
    from signoff.desk.erase import Erased
    from signoff.domain.erasure import Hold, Kind

KIND_NAMES = ("bundle", "check", "decision", "report", "alert", "hold")
SHOWN = 20
_BY = click.option(
    "--by", help="Name of the person who says so, for the audit log. Default: you, if you are one."
)

hold = Commands("hold", help="Legal holds, which forbid erasing: add, list, lift.")


@click.command()
@click.option("--case", help="Erase this case.")
@click.option("--subject", help="Erase every case about this subject: the `subject.id` of its bundle.")
@click.option("--older-than", help="Erase what ended longer ago, such as 400d.")
@click.option(
    "--kind", "kinds", multiple=True, type=click.Choice(KIND_NAMES),
    help="Erase only this kind. May be repeated; everything without it.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Change nothing; say what would go.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--scrub", is_flag=True, help="Only bring what was erased before out of the database's files.")
@_BY
@with_home
@examples(
    "signoff erase --subject customer-4711 --dry-run",
    "signoff erase --case esc_01JDF0QK5Y4V7W8X9ZABCDEFGH --yes",
    "signoff erase --older-than 400d --kind bundle --yes",
)
def erase(
    case: str | None,
    subject: str | None,
    older_than: str | None,
    kinds: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    scrub: bool,
    by: str | None,
    home: Path | None,
) -> None:
    """Erase what agents and people wrote, for good.

    Events, times, ids and digests stay, and the log still verifies. Cases that wait, may still be used, or are under
    legal hold are kept. Exit code 1 where something was kept, or could not be brought out of the files.
    """
    from signoff.config import find_home, load_config

    if sum(one is not None for one in (case, subject, older_than)) + scrub != 1:
        raise BadInput("Name one of --case, --subject, --older-than, --scrub.")
    config = load_config(find_home(home))
    if scrub:
        if not run(_scrub, config):
            raise Failure(_BUSY)
        click.echo("No byte of what was erased is left in the database's files.")
        return
    age = None if older_than is None else _age(older_than)
    if not dry_run and not yes:
        planned = run(_erase, config, case, subject, age, kinds, by, True)
        _print_erased(planned, dry_run=True)
        click.confirm("Erase this, for good?", abort=True)
    erased = run(_erase, config, case, subject, age, kinds, by, dry_run)
    _print_erased(erased, dry_run=dry_run)
    if not erased.scrubbed:
        raise Failure(_BUSY)
    if erased.kept and not dry_run:
        raise Failure(f"{len(erased.kept)} {_cases(len(erased.kept))} kept.")


_BUSY = (
    "Remains of what was erased are still in the database's files, because others read it. Run"
    " `signoff erase --scrub` in a quiet moment."
)


def _age(text: str) -> timedelta:
    from signoff.domain.clock import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise BadInput(f"--older-than: {error}") from None


async def _erase(
    config: Config,
    case: str | None,
    subject: str | None,
    age: timedelta | None,
    kinds: tuple[str, ...],
    by: str | None,
    dry_run: bool,
) -> Erased:
    from signoff.app import open_desk
    from signoff.desk import erase as desk_erase
    from signoff.domain.erasure import check_kinds

    wanted: frozenset[Kind] = check_kinds(kinds)
    async with open_desk(config) as desk:
        who = await person_id(desk, by)
        if case is not None:
            return await desk_erase.erase_case(desk, case, kinds=wanted, by=who, dry_run=dry_run)
        if subject is not None:
            return await desk_erase.erase_subject(desk, subject, kinds=wanted, by=who, dry_run=dry_run)
        assert age is not None  # noqa: S101 - one of the three is given
        return await desk_erase.erase_older(desk, age, kinds=wanted, by=who, dry_run=dry_run)


async def _scrub(config: Config) -> bool:
    from signoff.app import open_desk
    from signoff.desk.erase import scrub

    async with open_desk(config) as desk:
        return await scrub(desk, vacuum=True)


async def person_id(desk: Desk, name: str | None) -> str | None:
    """Return the id of the person who is named, or of the local user where that is a person.

    Raises:
        NotFound: Nobody has that name.
    """
    from signoff.app import local_user
    from signoff.desk.people import person_named

    if name is not None:
        return (await person_named(desk, name)).id
    async with desk.store.reading() as reader:
        person = await reader.person_by_name(local_user())
    return None if person is None else person.id


WORDS = {
    "bundle": ("bundle", "bundles"),
    "decision": ("decision", "decisions"),
    "report": ("report", "reports"),
    "key": ("idempotency key", "idempotency keys"),
    "ask": ("recorded ask", "recorded asks"),
    "check": ("check", "checks"),
    "alert": ("alert", "alerts"),
    "link": ("link", "links"),
}


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(
        f"{counts[name]} {one if counts[name] == 1 else many}"
        for name, (one, many) in WORDS.items()
        if counts.get(name)
    )


def _print_erased(erased: Erased, *, dry_run: bool) -> None:
    head = f"{'Would erase' if dry_run else 'Erased'} {len(erased.cases)} {_cases(len(erased.cases))}"
    click.echo(f"{head}: {_counted(erased.counts())}." if erased.cases else f"{head}.")
    for one in erased.cases[:SHOWN]:
        click.echo(f"  {one.escalation_id}: {_counted(one.counts())}")
    if len(erased.cases) > SHOWN:
        click.echo(f"  … and {len(erased.cases) - SHOWN} more")
    if erased.checks:
        click.echo(f"  and {_checks(erased.checks)} that no case came of")
    if erased.holds:
        click.echo(f"  and the words of {erased.holds} lifted {'hold' if erased.holds == 1 else 'holds'}")
    for escalation_id, why in erased.kept[:SHOWN]:
        click.echo(f"  kept {escalation_id}: {why}")
    if len(erased.kept) > SHOWN:
        click.echo(f"  … and {len(erased.kept) - SHOWN} more kept")
    if not (erased.cases or erased.checks):
        return
    click.echo("Out of reach:")
    for directory, count in erased.exports:
        click.echo(f"  the export in {directory} holds {count} of them; delete it")
    if erased.alerts_sent:
        sent = erased.alerts_sent
        click.echo(f"  {sent} {'alert was' if sent == 1 else 'alerts were'} sent, which named the tool")
    click.echo("  backups, evidence files and copies of this database that lie elsewhere")


def _checks(count: int) -> str:
    return f"{count} {'check' if count == 1 else 'checks'}"


def _cases(count: int) -> str:
    return "case" if count == 1 else "cases"


@hold.command("add")
@click.option("--case", help="Keep this case.")
@click.option("--subject", help="Keep every case about this subject, also those that come.")
@click.option("--reason", required=True, help="Why. Kept beside the log, for your own people.")
@_BY
@with_home
@examples("signoff hold add --subject customer-4711 --reason 'lawsuit 7 O 12/26'")
def add(case: str | None, subject: str | None, reason: str, by: str | None, home: Path | None) -> None:
    """Forbid erasing a case, or everything about somebody, until the hold is lifted."""
    from signoff.config import find_home, load_config

    made = run(_add, load_config(find_home(home)), case, subject, reason, by)
    click.echo(f"Placed {made.id}. Nothing that it covers is erased until `signoff hold lift {made.id}`.")


async def _add(config: Config, case: str | None, subject: str | None, reason: str, by: str | None) -> Hold:
    from signoff.app import open_desk
    from signoff.desk.holds import place_hold

    async with open_desk(config) as desk:
        who = await person_id(desk, by)
        return await place_hold(desk, reason=reason, by=who, case=case, subject=subject)


@hold.command("list")
@with_home
@examples("signoff hold list")
def list_(home: Path | None) -> None:
    """List legal holds, oldest first, the lifted ones too."""
    from signoff.config import find_home, load_config
    from signoff.domain.characters import one_line

    holds, names = run(_list, load_config(find_home(home)))
    for one in holds:
        what = f"case {one.escalation_id}" if one.escalation_id else f"subject {one.subject or '[erased]'}"
        who = f" by {names.get(one.placed_by, one.placed_by)}" if one.placed_by else ""
        ended = f", lifted {one.lifted_at:%Y-%m-%d}" if one.lifted_at else ""
        reason = one_line(one.reason) or "[erased]"
        click.echo(f"{one.id}  {one_line(what)}  since {one.placed_at:%Y-%m-%d}{who}{ended}: {reason}")
    if not holds:
        click.echo("Nothing is under legal hold.")


async def _list(config: Config) -> tuple[list[Hold], dict[str, str]]:
    from signoff.app import open_desk
    from signoff.desk.holds import list_holds
    from signoff.desk.people import list_people

    async with open_desk(config) as desk:
        return await list_holds(desk), {person.id: person.name for person in await list_people(desk)}


@hold.command("lift")
@click.argument("hold_id")
@click.option("--reason", required=True, help="Why it is no longer needed.")
@_BY
@with_home
@examples("signoff hold lift hld_01JDF0QK5Y4V7W8X9ZABCDEFGH --reason 'settled'")
def lift(hold_id: str, reason: str, by: str | None, home: Path | None) -> None:
    """End a legal hold; what it kept may be erased again."""
    from signoff.config import find_home, load_config

    run(_lift, load_config(find_home(home)), hold_id, reason, by)
    click.echo(f"Lifted {hold_id}.")


async def _lift(config: Config, hold_id: str, reason: str, by: str | None) -> None:
    from signoff.app import open_desk
    from signoff.desk.holds import lift_hold

    async with open_desk(config) as desk:
        await lift_hold(desk, hold_id, reason=reason, by=await person_id(desk, by))
