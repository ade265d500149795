"""A process of its own that plays one part on a database: `python -m tests._support.player HOME PART [ARGUMENT]`.

It says `ready`, waits for a line on its standard input, then plays and says what happened, one JSON value a line.
What it says is flushed after the call that it speaks of has returned: an acknowledgement, in the words of the tests.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
from tests._support.cases import NOTHING, WIRE, approve
from tests._support.clock import HandClock

from signoff.audit.keys import CheckpointSigner, load_keys
from signoff.desk.check import check_triggers
from signoff.desk.claim import claim, report_outcome
from signoff.desk.close import cancel
from signoff.desk.deliver import lease, record
from signoff.desk.desk import AgentLimits, Desk, DeskSettings
from signoff.desk.escalate import escalate
from signoff.desk.people import agent_named, person_named
from signoff.desk.request import request_approval
from signoff.desk.wait import wait_for_decision
from signoff.domain.action import Action
from signoff.domain.alert import Sent
from signoff.domain.clock import SystemClock
from signoff.domain.errors import SignoffError
from signoff.domain.ids import new_id
from signoff.domain.people import SignIn
from signoff.store.sealing import open_sealing
from signoff.store.sqlite import open_store
from signoff.triggers.watch import PolicyFile


def say(value: Any) -> None:
    """Tell the test, at once."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


@asynccontextmanager
async def desk_in(home: Path) -> AsyncGenerator[Desk]:
    """Open the desk of a home that the test made; its clock stands where the test's began."""
    keys, clock = load_keys(home / "keys"), HandClock()
    # The clock stands still, so all that an agent ever asks here would be of one minute.
    unlimited = AgentLimits(max_open=0, requests_per_minute=0)
    settings = DeskSettings(base_url="http://127.0.0.1:8717", undo_s=0, limits=unlimited)
    path, sealing = home / "signoff.db", open_sealing(home / "keys")
    async with open_store(path, log=keys.origin, clock=clock, new_id=new_id, sealing=sealing) as store:
        yield Desk(
            store, PolicyFile(home / "policy.yaml"), keys, CheckpointSigner(keys), clock, new_id, settings
        )


async def go() -> None:
    """Wait for the test's word."""
    say("ready")
    await anyio.to_thread.run_sync(sys.stdin.readline)


async def play_open(home: Path, argument: str) -> None:
    """Open the store, making the database if need be, and say how many events there are."""
    await go()
    async with desk_in(home) as desk, desk.store.reading() as reader:
        say(await reader.count())


async def play_claim(home: Path, argument: str) -> None:
    """Claim a wire of Ada's and say how that ended."""
    async with desk_in(home) as desk:
        ada = await agent_named(desk, "Ada")
        await go()
        try:
            await claim(desk, ada, argument, WIRE)
            say("claimed")
        except SignoffError as error:
            say(getattr(error, "reason", error.code))


async def play_wait(home: Path, argument: str) -> None:
    """Wait for the decision on a case of Ada's."""
    async with desk_in(home) as desk:
        ada = await agent_named(desk, "Ada")
        await go()
        say((await wait_for_decision(desk, ada, argument, wait_s=40)).status)


async def play_decide(home: Path, argument: str) -> None:
    """Approve a case as Omar."""
    async with desk_in(home) as desk:
        omar = SignIn(await person_named(desk, "Omar"), "session")
        await go()
        say((await approve(desk, omar, argument)).case.status)


async def play_check(home: Path, argument: str) -> None:
    """Check payments of 1 as Ada, and say each verdict after its answer."""
    async with desk_in(home) as desk, desk.recorder.running():
        ada = await agent_named(desk, "Ada")
        await go()
        for _ in range(int(argument)):
            checked = await check_triggers(desk, ada, Action(tool="pay", arguments={"amount": 1}), NOTHING)
            say(checked.verdict.outcome)


async def play_tiers(home: Path, argument: str) -> None:
    """Find the cases whose tier is due some seconds later, then move them, one after the other, and say each."""
    async with desk_in(home) as desk:
        assert isinstance(desk.clock, HandClock)
        desk.clock.advance(float(argument))
        async with desk.store.reading() as reader:
            due = await reader.cases_to_look_at(desk.clock.now(), desk.policy.current().digest)
        await go()
        for escalation_id in due:
            say([escalation_id, await escalate(desk, escalation_id)])


async def play_alerts(home: Path, argument: str) -> None:
    """Send alerts as a server does, on the machine's clock, until killed; leases are short so that others follow soon."""
    from signoff.alerts.channels import Channels
    from signoff.alerts.worker import run_alerts

    keys, clock = load_keys(home / "keys"), SystemClock()
    settings = DeskSettings(
        base_url="http://127.0.0.1:8717", undo_s=0, lease_s=3, digest_within=timedelta(seconds=3)
    )
    path, sealing = home / "signoff.db", open_sealing(home / "keys")
    async with open_store(path, log=keys.origin, clock=clock, new_id=new_id, sealing=sealing) as store:
        desk = Desk(
            store, PolicyFile(home / "policy.yaml"), keys, CheckpointSigner(keys), clock, new_id, settings
        )
        await go()
        await run_alerts(desk, Channels(sys.stderr), owner=argument)


async def play_load(home: Path, argument: str) -> None:
    """Do everything that agents, people and workers do, until killed; each acknowledgement is said."""
    chance = random.Random(argument)  # noqa: S311 -- which step comes next, not a secret
    async with desk_in(home) as desk:
        ada = await agent_named(desk, "Ada")
        omar = SignIn(await person_named(desk, "Omar"), "session")
        await go()
        async with anyio.create_task_group() as tasks:
            for part in range(4):
                tasks.start_soon(_mixed, desk, ada, omar, chance, f"{argument}-{part}")


async def _mixed(desk: Desk, ada: Any, omar: SignIn, chance: random.Random, name: str) -> None:
    for turn in range(1_000_000):
        action = Action(tool="wire_transfer", arguments={"amount": 20_000 + turn, "country": name})
        asked = await request_approval(desk, ada, action, NOTHING, idempotency_key=f"{name}-{turn}")
        case = asked.escalation_id
        say(["asked", case, f"{name}-{turn}"])
        for errand in await lease(desk, name, most=3):
            if chance.random() < 0.7:  # otherwise this worker forgets it, and the lease runs out
                await record(desk, name, errand, Sent())
                say(["sent", errand.case.id, errand.alert.id])
        end = chance.choice((_approved, _approved, _cancelled, _left))
        await end(desk, ada, omar, case, action)


async def _approved(desk: Desk, ada: Any, omar: SignIn, case: str, action: Action) -> None:
    view = await approve(desk, omar, case)
    say(["approved", case, view.decisions[-1].id])
    await claim(desk, ada, case, action)
    say(["claimed", case, action.digest])
    await report_outcome(desk, ada, case, "succeeded")
    say(["succeeded", case, ""])


async def _cancelled(desk: Desk, ada: Any, omar: SignIn, case: str, action: Action) -> None:
    await cancel(desk, ada, case, reason="not needed")
    say(["cancelled", case, ""])


async def _left(desk: Desk, ada: Any, omar: SignIn, case: str, action: Action) -> None:
    say(["left", case, ""])


PARTS: dict[str, Callable[[Path, str], Awaitable[None]]] = {
    "open": play_open,
    "claim": play_claim,
    "wait": play_wait,
    "decide": play_decide,
    "check": play_check,
    "tiers": play_tiers,
    "load": play_load,
    "alerts": play_alerts,
}

if __name__ == "__main__":
    anyio.run(PARTS[sys.argv[2]], Path(sys.argv[1]), "".join(sys.argv[3:]))
