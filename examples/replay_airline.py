"""A hundred recorded conversations of an airline's agent, with people in the loop this time.

Every call that books, changes, cancels or gives something away becomes an action with the conversation so far as
its bundle. The policy in `airline/policy.yaml` decides which wait for a person. The agent is an MCP client, the
people use the pages: they approve where the recorded conversation ended well, and grant less or refuse where it
did not. Everything that was allowed is claimed and reported; then the audit log is verified and the decisions are
exported as datasets. All of it runs in this process, without network; nothing is booked.

    python examples/replay_airline.py [--data FILE] [--home DIR] [--limit N]
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import click
import httpx2
from airline.agent import AirlineAgent, Asked
from airline.person import Browser
from airline.recording import Call, default_file, read_calls
from mcp.client import Client

from signoff.agents.mcp_server import Request, build_mcp_server
from signoff.alerts.channels import Channels
from signoff.alerts.messages import alert_message
from signoff.alerts.worker import take_due
from signoff.app import local_user, open_desk, publish, verify_database
from signoff.audit.keys import load_public
from signoff.config import Home, load_config
from signoff.datasets.export import export
from signoff.datasets.formats import FORMATS
from signoff.datasets.manifest import Manifest
from signoff.desk.deliver import record
from signoff.desk.desk import Desk
from signoff.desk.people import add_agent, add_person, disable_person
from signoff.domain.errors import SignoffError
from signoff.domain.people import Agent
from signoff.operators.web import build_pages

POLICY = Path(__file__).parent / "airline" / "policy.yaml"
UNDO_S = 10
COLUMNS = ("calls", "allowed", "denied", "escalated", "approved", "modified", "rejected")


class ReplayClock:
    """The recording's own day; it passes as agents and people would take their time."""

    def __init__(self) -> None:
        self._now = datetime(2024, 5, 15, 15, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self._now

    def take(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


@dataclass
class Tally:
    """What happened, per tool and in all."""

    by_tool: dict[str, Counter[str]] = field(default_factory=dict)
    took: Counter[str] = field(default_factory=Counter)
    """Seconds spent, by whose part it was."""
    finished: int = 0
    """Cases that were claimed and reported."""

    def count(self, tool: str, *columns: str) -> None:
        self.by_tool.setdefault(tool, Counter()).update(columns)

    @contextmanager
    def timing(self, part: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.took[part] += time.perf_counter() - began  # type: ignore[assignment]


@dataclass
class House:
    """A desk with everybody around it."""

    desk: Desk
    clock: ReplayClock
    agent: AirlineAgent
    browsers: dict[str, Browser]
    letterboxes: dict[str, io.StringIO]
    """Where each person's alerts are printed."""
    refusals: int = 0

    async def alert_people(self) -> None:
        """Send what is in the outbox, as the worker of `signoff serve` does."""
        while errands := await take_due(self.desk, owner="replay", most=16):
            for errand in errands:
                channels = Channels(self.letterboxes[errand.person.name], time_limit_s=5)
                delivery = await channels.send(errand.alert.address, alert_message(errand))
                await record(self.desk, "replay", errand, delivery)

    async def decide(self, call: Call) -> None:
        """Have whoever was alerted open the link and decide: Omar if he was, Sofia otherwise."""
        for letterbox in self.letterboxes.values():
            letterbox.seek(0)
            letterbox.truncate()
        self.clock.take(2)
        await self.alert_people()
        name = next(name for name in ("Omar", "Sofia") if self.letterboxes[name].getvalue())
        self.clock.take(45)
        browser = self.browsers[name]
        page = await browser.open(self.letterboxes[name].getvalue())
        self.clock.take(30)
        if call.was_right:
            await browser.approve(page, "Agreed with the customer and within the rules.")
            return
        self.refusals += 1
        less = granting_less(call)
        if less and self.refusals % 2 == 1:
            await browser.modify(page, less, "This much and no more; offer it to the customer.")
            return
        await browser.reject(page, "Not within the rules as it stands. Check the booking and ask again.")


def granting_less(call: Call) -> dict[str, object]:
    """Return arguments that would grant less than the agent wants; nothing where there is no less."""
    given = call.arguments
    if given.get("cabin") == "business":
        return {"cabin": "economy"}
    if given.get("nonfree_baggages"):
        return {"nonfree_baggages": 0}
    if given.get("insurance") == "yes":
        return {"insurance": "no"}
    if isinstance(given.get("amount"), (int, float)):
        return {"amount": given["amount"] // 2}
    if isinstance(given.get("total_baggages"), int) and given["total_baggages"] > 0:
        return {"total_baggages": given["total_baggages"] - 1}
    return {}


@asynccontextmanager
async def open_house(home: Home) -> AsyncGenerator[House]:
    """Open a new home with this policy, an agent, an operator and a supervisor."""
    home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(POLICY, home.policy_file)
    clock = ReplayClock()
    async with open_desk(load_config(home, undo_s=UNDO_S), clock=clock) as desk:
        agent, _ = await add_agent(desk, "airline-agent", owner=None)
        await add_person(desk, "Omar", roles=["operator"])
        await add_person(desk, "Sofia", roles=["supervisor"])
        await disable_person(desk, local_user())  # nobody but these two is alerted
        async with Client(_server(desk, agent)) as client:
            transport = httpx2.ASGITransport(build_pages(desk))
            people = {
                name: httpx2.AsyncClient(
                    transport=transport, base_url=desk.settings.base_url, follow_redirects=True
                )
                for name in ("Omar", "Sofia")
            }
            try:
                yield House(
                    desk,
                    clock,
                    AirlineAgent(client),
                    browsers={name: Browser(http, name) for name, http in people.items()},
                    letterboxes={name: io.StringIO() for name in people},
                )
            finally:
                for http in people.values():
                    await http.aclose()


def _server(desk: Desk, agent: Agent):  # type: ignore[no-untyped-def]
    async def identify(_request: Request) -> Agent:
        return agent

    return build_mcp_server(desk, identify)


async def replay(house: House, calls: list[Call], on_progress: Callable[[], None]) -> Tally:
    """Put every call to the house, in order."""
    tally = Tally()
    for call in calls:
        with tally.timing("agent"):
            asked = await house.agent.ask(call)
        if asked.status == "pending":
            with tally.timing("people"):
                await house.decide(call)
            house.clock.take(UNDO_S)
        house.clock.take(1)
        with tally.timing("agent"):
            status = await house.agent.finish(call, asked)
        tally.count(call.tool, *_columns(asked, status))
        tally.finished += status in ("approved", "modified")  # or `finish` had failed
        house.clock.take(20)
        on_progress()
    return tally


def _columns(asked: Asked, status: str) -> tuple[str, ...]:
    if asked.verdict == "escalate":
        return ("calls", "escalated", status)
    return ("calls", "allowed" if asked.verdict == "allow" else "denied")


def table(tally: Tally) -> str:
    """Return the counts as text, one line per tool and one in all."""
    total: Counter[str] = Counter()
    for counted in tally.by_tool.values():
        total.update(counted)
    rows = [*sorted(tally.by_tool.items()), ("all", total)]
    width = max(len(name) for name, _ in rows)
    lines = ["".join([" " * width, *(f"{column:>11}" for column in COLUMNS)])]
    lines += [
        "".join([f"{name:<{width}}", *(f"{counted[column]:>11}" for column in COLUMNS)])
        for name, counted in rows
    ]
    lines.insert(-1, "-" * len(lines[0]))
    return "\n".join(lines)


@contextmanager
def home_for(given: Path | None) -> Iterator[Home]:
    """Return a home to work in: the one asked for, kept, or one that is removed afterwards."""
    if given is not None:
        if given.exists() and any(given.iterdir()):
            raise click.UsageError(f"{given} is not empty. A replay begins in a new home.")
        yield Home(given.absolute())
        return
    with tempfile.TemporaryDirectory(prefix="signoff-airline-") as made:
        yield Home(Path(made) / "home")


async def run(calls: list[Call], home: Home) -> None:
    """Replay, prove, export, and print what came of it."""
    began = time.perf_counter()
    with click.progressbar(length=len(calls), label="Replaying", file=sys.stderr) as bar:
        async with open_house(home) as house:
            tally = await replay(house, calls, lambda: bar.update(1))
            await publish(house.desk, home)
    seconds = time.perf_counter() - began
    print(table(tally))
    print()
    print(
        f"Claimed and reported: {tally.finished} of {sum(one['calls'] for one in tally.by_tool.values())} calls."
    )
    print(
        f"Time: {seconds:.1f} s; {tally.took['agent']:.1f} s the agent's MCP calls,"
        f" {tally.took['people']:.1f} s alerts and pages."
    )
    await verify(home)
    for manifest in await export_all(home):
        print(f"Export {manifest.format}: {manifest.summary()}.")


async def verify(home: Home) -> None:
    """Verify the whole log against the public keys and the checkpoint that lies outside the database."""
    with click.progressbar(length=1, label="Verifying", file=sys.stderr) as bar:

        def on_progress(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        report = await verify_database(
            home.database,
            load_public(home.keys),
            on_progress=on_progress,
            anchors=[home.anchor_file.read_text(encoding="utf-8")],
        )
    if not report.ok:
        raise click.ClickException(f"The audit log does not hold: {report.problems[0]}")
    print(
        f"Audit log: {report.events} events, {report.cases} cases, {report.payloads} payloads,"
        f" {report.checkpoints} checkpoints. Everything holds."
    )


async def export_all(home: Home) -> list[Manifest]:
    """Export every format into the home."""
    made = []
    async with open_desk(load_config(home)) as desk:
        for format_ in FORMATS:
            out = home.path / "datasets" / format_
            made.append(await export(desk, format=format_, out=out, on_progress=lambda done, total: None))
        await publish(desk, home)
    return made


@click.command()
@click.option("--data", type=click.Path(path_type=Path, dir_okay=False), help="The recording.")
@click.option("--home", type=click.Path(path_type=Path, file_okay=False), help="Keep everything here.")
@click.option("--limit", type=click.IntRange(min=1), help="Replay only the first calls.")
def main(data: Path | None, home: Path | None, limit: int | None) -> None:
    """Replay an airline agent's recorded calls with people in the loop."""
    path = data or default_file()
    if not path.is_file():
        raise click.UsageError(
            f"There is no recording at {path}. Name it with --data: historical_trajectories/gpt-4o-airline.json"
            " of the public repository sierra-research/tau-bench."
        )
    calls = read_calls(path)[:limit]
    with home_for(home) as found:
        try:
            anyio.run(run, calls, found)
        except SignoffError as error:
            raise click.ClickException(error.message) from None
    if home is not None:
        print(f"Kept in {home}. Look again: signoff serve --home {home}")


if __name__ == "__main__":
    main()
