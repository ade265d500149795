"""Run a changed policy over what was asked before, and say what would have been different."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from signoff.cli.commands import BadInput, examples, run, with_home

if TYPE_CHECKING:
    from signoff.config import Home
    from signoff.triggers.load import LoadedPolicy
    from signoff.triggers.replay import Compared, Recorded, Tally

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
MAX_LINE_BYTES = 4 * 1024 * 1024
_SPOOL_BYTES = 1024 * 1024
_MOST_NAMED = 12
_WIDEST_NAME = 40
WORDS = {"allow": "go ahead", "escalate": "wait for a person", "deny": "are refused"}
_WOULD = {"allow": "would go ahead", "escalate": "would wait for a person", "deny": "would be refused"}


class Since(click.ParamType[datetime | timedelta]):
    """A date, or how long ago."""

    name = "when"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime | timedelta:
        """Read `30d`, `12h` or `2026-11-01`."""
        from signoff.domain.clock import parse_duration

        try:
            return parse_duration(value)
        except ValueError:
            pass
        try:
            made = datetime.fromisoformat(value)
        except ValueError:
            self.fail(
                f"{value} is neither a time such as 30d or 12h nor a date such as 2026-11-01.", param, ctx
            )
        return made if made.tzinfo else made.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the command was asked for."""

    home: Home
    file: Path
    against: LoadedPolicy | None
    since: datetime | None
    runs: Path | None
    show_cases: bool
    as_json: bool


@click.command()
@click.argument("file", type=_FILE)
@click.option("--since", type=Since(), help="Leave out what was asked before: 30d, 12h, or a date (UTC).")
@click.option("--against", type=_FILE, help="Compare with this policy instead of what was recorded.")
@click.option("--recorded", is_flag=True, help="Compare with what was recorded (the default).")
@click.option(
    "--from", "runs", type=_FILE,
    help="Replay the lines of this file instead of the home's cases: one JSON object a line, {action, bundle}, and"
    " where known agent, session, at, verdict and triggers.",
)  # fmt: skip
@click.option(
    "--cases", "show_cases", is_flag=True, help="List every action that would be answered differently."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print JSON; with --cases one object a line, the counts last."
)
@with_home
@examples(
    "signoff policy replay new.yaml --since 30d",
    "signoff policy replay new.yaml --since 30d --cases",
    "signoff policy replay new.yaml --from runs.jsonl --against policy.yaml",
)
def replay(
    file: Path, since: datetime | timedelta | None, against: Path | None, recorded: bool, runs: Path | None,
    show_cases: bool, as_json: bool, home: Path | None,
) -> None:  # fmt: skip
    """Run the policy FILE over what agents asked before, and show what it would have said differently.

    Reads the home's database beside a running server and writes nothing. Signals over history are computed anew from the
    actions that are replayed, so a sum over 24h is what it would have been; before the first of them there is nothing.
    A secret was masked when it was stored, so a rule about the secret itself may say something else.
    """
    from signoff.cli.policy_check import read_text
    from signoff.config import find_home
    from signoff.domain.clock import SystemClock
    from signoff.triggers.load import load_policy

    if recorded and against is not None:
        raise click.UsageError("Compare with --recorded or with --against, not with both.")
    if isinstance(since, timedelta):
        since = SystemClock().now() - since
    policy = load_policy(read_text(file), source=str(file))
    other = None if against is None else load_policy(read_text(against), source=str(against))
    asked = _Asked(find_home(home), file, other, since, runs, show_cases, as_json)
    with tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES, mode="w+", encoding="utf-8") as spool:
        tally, erased = run(_replay, asked, policy, spool)
        spool.seek(0)
        for line in spool:
            click.echo(line, nl=False)
        if as_json:
            made = {
                "policy": str(file),
                "against": str(against) if against else "recorded",
                **tally.as_json(),
            }
            click.echo(json.dumps(made, ensure_ascii=False, indent=None if show_cases else 2))
            return
        if show_cases and tally.changed:
            click.echo("")
    compared = f"under {against}" if against else "as they were decided then"
    show_tally(tally, policy, label=str(file), compared=compared, before=other)
    if erased:
        click.echo(f"\n{erased} more cannot be replayed: what the agent sent is kept no more.")


async def _replay(asked: _Asked, policy: LoadedPolicy, spool: IO[str]) -> tuple[Tally, int]:
    from signoff.cli.progress import progress
    from signoff.triggers.replay import Judge, Tally, compare

    now, before = Judge(policy), None if asked.against is None else Judge(asked.against)
    tally, erased = Tally(), 0
    since = asked.since
    # What was asked shortly before counts in the windows of the first actions.
    back = max(one.looks_back for one in (now, before) if one is not None)
    start = None if since is None else since - back
    with progress("Replaying") as on_progress:
        async with aclosing(_source(asked, start, on_progress)) as source:
            async for one in source:
                if one is None:
                    erased += 1
                    continue
                if since is not None and one.timed and one.facts.now < since:
                    now.say(one)
                    if before is not None:
                        before.say(one)
                    continue
                try:
                    compared = compare(one, now, before)
                except ValueError:
                    raise BadInput(
                        f"{one.id}: no verdict was recorded. Name the policy to compare with: --against policy.yaml"
                    ) from None
                tally.add(compared)
                if asked.show_cases and compared.changed:
                    spool.write(_case_json(compared) if asked.as_json else _case_line(compared))
    if not tally.total:
        raise BadInput(f"Nothing to replay in {asked.runs or asked.home.database}.")
    return tally, erased


async def _source(
    asked: _Asked, start: datetime | None, on_progress: Callable[[int, int], None]
) -> AsyncGenerator[Recorded | None]:
    from signoff.app import read_database
    from signoff.desk.recorded import count_recorded, recorded

    if asked.runs is not None:
        for one in read_runs(asked.runs, start, on_progress):
            yield one
        return
    async with read_database(asked.home.database) as reader:
        total, done = await count_recorded(reader), 0
        async with aclosing(recorded(reader, since=start)) as cases:
            async for one in cases:
                done += 1
                on_progress(min(done, total), total)
                yield one
        on_progress(total, total)


def read_runs(path: Path, since: datetime | None, on_progress: Callable[[int, int], None]) -> Any:
    """Yield the actions of a file of recorded runs, one a line.

    Raises:
        BadInput: A line that no agent could have sent; says which and where.
    """
    from signoff.triggers.runs import RunInvalid, read_run

    size, done = path.stat().st_size, 0
    with path.open("rb") as file:
        number = 0
        while line := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            done += len(line)
            on_progress(done, size)
            if len(line) > MAX_LINE_BYTES:
                raise BadInput(f"{path}:{number}: longer than {MAX_LINE_BYTES // 1024 // 1024} MB.")
            if not line.strip():
                continue
            try:
                one = read_run(line, id=f"{path.name}:{number}")
            except RunInvalid as error:
                raise BadInput(f"{path}:{number}: {error}") from None
            if since is None or not one.timed or one.facts.now >= since:
                yield one


def _case_line(compared: Compared) -> str:
    from signoff.domain.characters import one_line

    tool = one_line(str(compared.one.facts.action["tool"]))
    ended = f"  [{compared.one.ended}]" if compared.one.ended else ""
    why = f"  {' '.join(compared.because) or 'no trigger fires'}"
    return f"{compared.one.id}  {tool}  {compared.before.outcome} → {compared.now.outcome}{why}{ended}\n"


def _case_json(compared: Compared) -> str:
    one = compared.one
    made = {
        "id": one.id,
        "tool": one.facts.action["tool"],
        "at": one.facts.now.isoformat() if one.timed else None,
        "before": compared.before.outcome,
        "now": compared.now.outcome,
        "because": compared.because,
        "people": one.ended,
    }
    return json.dumps(made, ensure_ascii=False) + "\n"


def show_tally(
    tally: Tally, policy: LoadedPolicy, *, label: str, compared: str, before: LoadedPolicy | None = None
) -> None:
    """Print the counts so that whoever answers for the policy sees what it would change.

    Args:
        label: What the new policy is called.
        compared: What it is compared with, as in "under …".
        before: The policy that it is compared with, where there is one.
    """
    _show_verdicts(tally, label=label, compared=compared)
    _show_changes(tally)
    _show_triggers(tally, policy, before)


def _show_verdicts(tally: Tally, *, label: str, compared: str) -> None:
    from signoff.triggers.replay import VERDICTS

    when = ""
    if tally.days is not None and tally.first is not None and tally.last is not None:
        days = tally.days
        when = f", {tally.first:%Y-%m-%d} to {tally.last:%Y-%m-%d} ({days} day{'' if days == 1 else 's'})"
    click.echo(click.style(f"{_count(tally.total, 'action')}{when}", bold=True))
    click.echo(f"  before  {compared}")
    click.echo(f"  now     under {label}\n")
    click.echo(click.style(f"  {'':<20}{'before':>9}{'now':>9}{'change':>9}", dim=True))
    for outcome in VERDICTS:
        old, new = tally.before(outcome), tally.now(outcome)
        click.echo(f"  {WORDS[outcome]:<20}{old:>9,}{new:>9,}{_signed(new - old):>9}")


def _show_changes(tally: Tally) -> None:
    click.echo("")
    if not tally.changed:
        click.echo("Nothing would have been answered differently.")
        return
    moves = [
        f"{abs(change):,} {'more' if change > 0 else 'fewer'} {_WOULD[outcome]}"
        for outcome in ("escalate", "allow", "deny")
        if (change := tally.now(outcome) - tally.before(outcome))
    ]
    share = tally.changed / tally.total
    click.echo(click.style((", ".join(moves) or "As many of each as before") + ".", bold=True))
    click.echo(
        f"{_count(tally.changed, 'action')} of {tally.total:,} ({share:.0%}) would have been answered differently:"
    )
    width = max(len(word) for word in WORDS.values())
    for old, new, count, people in tally.changes():
        ended = f"   people: {', '.join(f'{n:,} {how}' for how, n in people.items())}" if people else ""
        click.echo(f"  {WORDS[old]:<{width}} → {WORDS[new]:<{width}}{count:>8,}{ended}")
    days = tally.days
    if days is not None:
        click.echo(
            f"Cases for people: {_rate(tally.before('escalate') / days)} a day before,"
            f" {_rate(tally.now('escalate') / days)} a day now."
        )


def _show_triggers(tally: Tally, policy: LoadedPolicy, before: LoadedPolicy | None) -> None:
    from signoff.triggers.replay import untold

    rows = tally.triggers()
    known = {trigger.id: trigger for trigger in policy.policy.triggers}
    old = None if before is None else {trigger.id for trigger in before.policy.triggers}
    if rows:
        widest = max(12, shutil.get_terminal_size(fallback=(100, 24)).columns - 46)
        width = max(len("trigger"), min(max(len(name) for name, _, _ in rows), _WIDEST_NAME, widest))
        head = f"  {'trigger':<{width}}{'fired before':>14}{'fires now':>11}{'change':>9}"
        click.echo("\n" + click.style(head, dim=True))
        for name, was, now in rows:
            shown = name if len(name) <= width else name[: width - 1] + "…"
            mark = _mark(name in known, old is None or name in old, known[name].mode if name in known else "")
            click.echo(f"  {shown:<{width}}{was:>14,}{now:>11,}{_signed(now - was):>9}{mark}")
    silent = untold(policy, (name for name, _, _ in rows))
    if silent:
        more = f" and {len(silent) - _MOST_NAMED} more" if len(silent) > _MOST_NAMED else ""
        click.echo(f"  never fires here: {', '.join(silent[:_MOST_NAMED])}{more}")


def _mark(is_now: bool, was_before: bool, mode: str) -> str:
    if not is_now:
        return "  (gone)"
    if mode == "shadow":
        return "  (shadow now)"
    return "" if was_before else "  (new)"


def _signed(change: int) -> str:
    return f"{change:+,}" if change else "="


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
