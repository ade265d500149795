"""What a stricter policy would have changed, before it counts: a hundred recorded conversations under two policies.

Every call of the airline's agent that books, changes, cancels or gives something away is put to `airline/policy.yaml`
and to `airline/stricter.yaml`, in the order of the recording, and counted. What `signoff policy replay` prints for a
home's own history is printed here for the recording; --lines writes the file that `signoff policy replay --from` reads.

    python examples/compare_policies.py [--data FILE] [--before FILE] [--now FILE] [--cases] [--lines FILE]
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from airline.agent import action_of
from airline.recording import Call, default_file, read_calls

from signoff.cli.policy_replay import show_tally
from signoff.domain.errors import PolicyInvalid
from signoff.triggers.load import LoadedPolicy, load_policy
from signoff.triggers.replay import Judge, Tally, compare
from signoff.triggers.runs import read_run

HERE = Path(__file__).parent / "airline"
BEGINS = datetime(2024, 5, 15, 8, 0, tzinfo=UTC)
APART = timedelta(minutes=20)
"""The recording has no times. Here a task begins every twenty minutes, and each of its trials has a day of its own."""


def lines(calls: list[Call]) -> list[str]:
    """Return what the agent asked as `signoff policy replay --from` reads it: one JSON object a line, in their order."""
    timed = sorted(((time_of(call), number) for number, call in enumerate(calls)))
    return [line(calls[number], at) for at, number in timed]


def time_of(call: Call) -> datetime:
    task, trial = map(int, call.conversation.split("-"))
    return BEGINS + timedelta(days=trial) + task * APART + timedelta(seconds=10 * call.number)


def line(call: Call, at: datetime) -> str:
    made = {
        "id": f"{call.conversation}/{call.number}",
        "action": action_of(call),
        "bundle": call.bundle,
        "agent": "airline-agent",
        "session": call.conversation,
        "at": at.isoformat(),
    }
    return json.dumps(made, ensure_ascii=False)


def policy_of(path: Path) -> LoadedPolicy:
    return load_policy(path.read_text(encoding="utf-8"), source=path.name)


@click.command()
@click.option("--data", type=click.Path(path_type=Path, dir_okay=False), help="The recording.")
@click.option("--before", type=click.Path(path_type=Path, exists=True), default=HERE / "policy.yaml")
@click.option("--now", type=click.Path(path_type=Path, exists=True), default=HERE / "stricter.yaml")
@click.option("--cases", is_flag=True, help="List every call that would be answered differently.")
@click.option(
    "--lines", "out", type=click.Path(path_type=Path, dir_okay=False), help="Write the recorded runs."
)
def main(data: Path | None, before: Path, now: Path, cases: bool, out: Path | None) -> None:
    """Compare two policies over an airline agent's recorded calls."""
    path = data or default_file()
    if not path.is_file():
        raise click.UsageError(
            f"There is no recording at {path}. Name it with --data: historical_trajectories/gpt-4o-airline.json"
            " of the public repository sierra-research/tau-bench."
        )
    try:
        old, new = policy_of(before), policy_of(now)
    except PolicyInvalid as error:
        raise click.ClickException(error.message) from None
    runs = lines(read_calls(path))
    if out is not None:
        out.write_text("".join(f"{run}\n" for run in runs), encoding="utf-8")
    judges, tally = (Judge(old), Judge(new)), Tally()
    with click.progressbar(runs, label="Replaying", file=sys.stderr) as asked:
        for run in asked:
            one = read_run(run.encode(), id="a line")
            compared = compare(one, judges[1], judges[0])
            tally.add(compared)
            if cases and compared.changed:
                why = " ".join(compared.because) or "no trigger fires"
                print(
                    f"{one.id}: {one.facts.action['tool']}, {compared.before.outcome} → {compared.now.outcome}, {why}"
                )
    if cases:
        print()
    show_tally(tally, new, label=now.name, compared=f"under {before.name}", before=old)


if __name__ == "__main__":
    main()
