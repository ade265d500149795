"""How this home is: versions, the database's settings as read back, keys, policy, and who serves it."""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from signoff.cli.commands import Failure, examples, run, with_home

if TYPE_CHECKING:
    from signoff.config import Config
    from signoff.desk.desk import Desk
    from signoff.domain.alert import Silence

_MARKS = {True: ("ok", "green"), False: ("!!", "red")}


@click.command()
@with_home
@examples("signoff doctor")
def doctor(home: Path | None) -> None:
    """Say how this home is, and what to do about it.

    Exit code 1 if something is wrong.
    """
    from signoff import __version__
    from signoff.app import current_host
    from signoff.config import find_home, load_config

    config = load_config(find_home(home))
    click.echo(
        f"    signoff {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    )
    checks = [_home(config), *run(_desk, config)]
    for good, text in checks:
        mark, colour = _MARKS[good]
        click.echo(f"{click.style(mark, fg=colour)}  {text}")
    host = current_host(config.home)
    served = (
        f"served by `{host.command}` (process {host.pid}) at {host.base_url}"
        if host
        else "served by nobody now"
    )
    click.echo(f"    pages {served}")
    wrong = sum(not good for good, _ in checks)
    if wrong:
        raise Failure(f"{wrong} of {len(checks)} checks failed.")


def _home(config: Config) -> tuple[bool, str]:
    path = config.home.path
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        return False, f"home {path} is open to others (mode {mode:04o}). Run: chmod 700 '{path}'"
    return True, f"home {path}, its owner's only"


async def _desk(config: Config) -> list[tuple[bool, str]]:
    from signoff.app import open_desk, sqlite_settings
    from signoff.desk.heartbeat import silence
    from signoff.desk.history_known import history_told

    async with open_desk(config) as desk:
        made = [(True, _database(sqlite_settings(desk)))]
        if desk.store.read_only is not None:
            made.append((False, desk.store.read_only))
        async with desk.store.reading() as reader:
            pending, failed = await reader.count_pending(), await reader.count_failed_alerts()
            silent = await silence(desk, reader)
            forks = await reader.forks_suspected(100)
            made.append(
                (
                    True,
                    f"{await reader.count_cases()} cases, {pending} waiting; {await reader.count()} events",
                )
            )
            erasing = await reader.erasure_state()
        if not erasing.is_clean:
            made.append(
                (False, "remains of what was erased are in the database's files: signoff erase --scrub")
            )
        given_up = f"{failed} alerts given up on. See: signoff alerts list --state failed"
        made.append((not failed, given_up if failed else "no alert was given up on"))
        made.append((silent is None, _silence(silent)))
        made += await _alerts(desk, config)
        if forks:
            made.append(
                (
                    False,
                    f"{len(forks)} checkpoints were shown that this log contradicts (audit.fork_suspected)",
                )
            )
        made += _places(config)
        made.append((True, f"keys in {config.home.keys}, log {desk.keys.origin}"))
        loaded = desk.policy.current()
        triggers = len(loaded.policy.triggers)
        made.append((True, f"policy {config.home.policy_file}, {triggers} triggers, {loaded.digest[:19]}…"))
        made += await _queues(desk)
        made += [(True, text) for text in await history_told(desk)]
    return made


def _silence(silent: Silence | None) -> str:
    if silent is None:
        return "no alert waits in vain"
    seen = (
        "no process was ever seen sending them"
        if silent.last_beat_at is None
        else f"a process was last seen sending them at {silent.last_beat_at:%Y-%m-%d %H:%M:%S} UTC"
    )
    return (
        f"{silent.waiting} alert{' is' if silent.waiting == 1 else 's are'} due, the first since {silent.since:%Y-%m-%d %H:%M:%S} UTC, and {seen}."
        " Start `signoff serve`, or restart it"
    )


async def _alerts(desk: Desk, config: Config) -> list[tuple[bool, str]]:
    from signoff.alerts.wording import Wording
    from signoff.desk.addresses import health_of_addresses

    found = await health_of_addresses(desk)
    failing = sum(one.health.state == "failing" for one in found)
    told = f"{failing} of {len(found)} addresses did not take the last alert: signoff alerts health"
    made = [(not failing, told if failing else f"addresses for alerts: {len(found)}, none failing")]
    problems = Wording(config.home.alert_templates).problems()
    made += [(False, f"template {one.name} of alerts is not used: {one.why}") for one in problems]
    return made


async def _queues(desk: Desk) -> list[tuple[bool, str]]:
    """Say of everybody who works queues that the policy does not have."""
    from signoff.desk.people import list_people
    from signoff.desk.queues import queue_names, without_cases

    there_are = ", ".join(queue_names(desk))
    return [
        (
            False,
            f"{one.name} works {', '.join(none)}, which the policy does not have (there are: {there_are})."
            f" See: signoff people change {one.name} --help",
        )
        for one in await list_people(desk)
        if (none := without_cases(desk, one))
    ]


def _places(config: Config) -> list[tuple[bool, str]]:
    """Say of every anchor what it holds."""
    if not config.settings.anchors:
        return [
            (
                True,
                f"checkpoints go to {config.home.anchor_file} only; more places: `anchors` in signoff.yaml",
            )
        ]
    from signoff.app.anchors import standings

    made = []
    for one in standings(config):
        if one.error:
            made.append((False, f"{one.label} has failed since {one.failing_since[:19]}: {one.error}"))
        else:
            made.append((True, f"{one.label} has the checkpoint of {one.size} events, since {one.at[:19]}"))
    return made


def _database(settings: dict[str, str]) -> str:
    text = "SQLite {version} ({library}), journal_mode={journal_mode}, synchronous={synchronous}".format(
        **settings
    )
    if settings["journal_mode"] != "wal":
        text += (
            ". This SQLite can corrupt a database in WAL mode (fixed in 3.51.3), so a slower journal is used."
            f" A wheel of pysqlite3 for {sys.platform} brings a fixed one: pip install pysqlite3"
        )
    return text
