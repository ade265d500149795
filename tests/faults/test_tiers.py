"""Hosts that race the tier clock, and hosts that die of signal 9 while they alert: each tier hears once of each case."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import anyio
import orjson
import pytest
from tests._support.cases import ask, second_hand, verified
from tests._support.clock import HandClock
from tests._support.processes import player, players
from tests.conftest import POLICY, Cast
from tests.promises import promise

from signoff.desk.desk import Desk
from signoff.desk.escalate import escalate_due

CASES = 30


@pytest.fixture(autouse=True)
def two_tiers(policy_path: Path) -> None:
    later = "      - {after: 10m, alert: [role:supervisor]}\ntriggers:\n"
    policy_path.write_text(POLICY.replace("triggers:\n", later), encoding="utf-8")


def told_by_the_clock(path: Path) -> tuple[Counter[str], Counter[str]]:
    """Return, by case, how often its second tier came, and how many alerts it brought."""
    with second_hand(path) as db:
        rows = db.execute("SELECT body FROM audit_event WHERE type = 'escalation.escalated'").fetchall()
        moved = Counter(orjson.loads(body)["escalation"] for (body,) in rows)
        alerts = db.execute("SELECT escalation_id FROM alert WHERE kind = 'escalated'").fetchall()
    return moved, Counter(case for (case,) in alerts)


@promise("no-alert-forgotten")
async def test_two_hosts_that_race_the_tier_clock_alert_once(desk: Desk, cast: Cast, tmp_path: Path) -> None:
    asked = [(await ask(desk, cast.ada)).escalation_id for _ in range(CASES)]
    with anyio.fail_after(30):
        async with players(2, tmp_path, "tiers", "600") as hosts:  # both know already what is due
            for host in hosts:
                await host.go()
            said = [await host.hear_all() for host in hosts]
    assert [sorted(case for case, _ in one) for one in said] == [sorted(asked)] * 2
    moves = Counter(dict.fromkeys(asked, 0))
    for case, count in (*said[0], *said[1]):
        moves[case] += count
    assert moves == Counter(asked)
    assert told_by_the_clock(tmp_path / "signoff.db") == (Counter(asked), Counter(asked))


@promise("no-alert-forgotten", "nothing-lost")
@pytest.mark.parametrize(
    "rounds",
    [pytest.param(5, id="5"), pytest.param(50, id="50", marks=[pytest.mark.slow, pytest.mark.timeout(600)])],
)
async def test_a_host_killed_between_two_alerts_forgets_none_and_repeats_none(
    desk: Desk, cast: Cast, clock: HandClock, tmp_path: Path, rounds: int
) -> None:
    chance = random.Random(20261125)  # noqa: S311 -- when to kill, not a secret
    path = tmp_path / "signoff.db"
    asked: list[str] = []
    for _ in range(rounds):
        new = [(await ask(desk, cast.ada)).escalation_id for _ in range(6)]
        asked += new
        with anyio.fail_after(30):
            async with player(
                tmp_path, "tiers", str((clock.now() - HandClock().now()).total_seconds() + 600)
            ) as host:
                await host.go()
                heard = [await host.hear() for _ in range(chance.randint(1, 5))]
                host.process.kill()
                heard += await host.hear_all()
        moved, alerts = told_by_the_clock(path)
        assert moved == alerts
        assert all(moved[case] == 1 for case, _ in heard)
        clock.advance(600)
        await escalate_due(desk)  # the host that comes after it
        assert told_by_the_clock(path) == (Counter(asked), Counter(asked))
    assert (await verified(desk)).problems == ()
