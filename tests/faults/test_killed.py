"""Processes are killed with signal 9 while they work; what they had acknowledged is there afterwards."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest
from tests._support.cases import WIRE, approve, ask, second_hand, verified
from tests._support.processes import player
from tests.conftest import Cast
from tests.promises import promise

from signoff.audit.keys import Keys, create_keys, last_signed
from signoff.audit.verify import verify_log
from signoff.desk.desk import Desk
from signoff.desk.wait import wait_for_decision
from signoff.store.connect import driver
from signoff.store.log_source import LogSource
from signoff.store.sqlite import open_snapshot


@promise("nothing-lost")
async def test_an_agent_killed_while_waiting_finds_the_decision_afterwards(
    desk: Desk, cast: Cast, tmp_path: Path
) -> None:
    told = await ask(desk, cast.ada)
    with anyio.fail_after(20):
        async with player(tmp_path, "wait", told.escalation_id) as waiting:
            await waiting.go()
            await waiting.kill()
        await approve(desk, cast.omar, told.escalation_id)
        async with player(tmp_path, "wait", told.escalation_id) as again:
            await again.go()
            assert await again.hear() == "approved"


@promise("nothing-lost")
async def test_an_agent_in_another_process_is_woken_by_a_decision(
    desk: Desk, cast: Cast, tmp_path: Path
) -> None:
    """And it is found at once: the pause between two looks of its own is five seconds."""
    told = await ask(desk, cast.ada)
    with anyio.fail_after(20):
        async with player(tmp_path, "wait", told.escalation_id) as waiting:
            await waiting.go()
            await anyio.wait_all_tasks_blocked()
            await approve(desk, cast.omar, told.escalation_id)
            began = anyio.current_time()
            assert await waiting.hear() == "approved"
            assert anyio.current_time() - began < 4.5


@promise("nothing-lost")
async def test_a_server_killed_right_after_it_decided_has_decided(
    desk: Desk, cast: Cast, tmp_path: Path
) -> None:
    """Others wait meanwhile in a process of their own; the decision reaches them although the server is gone."""
    told = await ask(desk, cast.ada)
    with anyio.fail_after(30):
        async with (
            player(tmp_path, "wait", told.escalation_id) as waiting,
            player(tmp_path, "decide", told.escalation_id) as server,
        ):
            await waiting.go()
            await server.go()
            assert await server.hear() == "approved"
            await server.kill()
            assert await waiting.hear() == "approved"
    after = await wait_for_decision(desk, cast.ada, told.escalation_id, action=WIRE)
    assert (after.status, after.proceed, after.decided_by[0]["name"]) == ("approved", True, "Omar")


@promise("nothing-lost")
async def test_a_server_killed_while_others_wait_leaves_the_case_open_for_the_next(
    desk: Desk, cast: Cast, tmp_path: Path
) -> None:
    told = await ask(desk, cast.ada)
    with anyio.fail_after(30):
        async with player(tmp_path, "wait", told.escalation_id) as waiting:
            await waiting.go()
            async with player(tmp_path, "decide", told.escalation_id) as server:
                await server.kill()
            async with player(tmp_path, "decide", told.escalation_id) as restarted:
                await restarted.go()
                assert await restarted.hear() == "approved"
            assert await waiting.hear() == "approved"


ROUNDS = [
    pytest.param(10, id="10"),
    pytest.param(100, id="100", marks=[pytest.mark.slow, pytest.mark.timeout(600)]),
]


@promise("nothing-lost", "no-alert-forgotten", "one-decision")
@pytest.mark.parametrize("rounds", ROUNDS)
async def test_kill_9_at_any_point_loses_nothing_that_was_acknowledged(
    desk: Desk, cast: Cast, tmp_path: Path, rounds: int
) -> None:
    """Each round does everything at once in another process, which dies in the middle of it."""
    keys = create_keys(tmp_path / "keys")
    chance = random.Random(20261123)  # noqa: S311 -- when to kill, not a secret
    acknowledged: list[Any] = []
    for turn in range(rounds):
        with anyio.fail_after(30):
            async with player(tmp_path, "load", f"round{turn}") as load:
                await load.go()
                acknowledged.extend([await load.hear() for _ in range(chance.randint(1, 60))])
                load.process.kill()
                acknowledged.extend(await load.hear_all())
        await check(tmp_path / "signoff.db", keys, acknowledged)
    assert {one[0] for one in acknowledged} >= {
        "asked",
        "sent",
        "approved",
        "claimed",
        "succeeded",
        "cancelled",
    }
    assert (await verified(desk)).problems == ()


async def check(path: Path, keys: Keys, acknowledged: list[Any]) -> None:
    """Check what holds after any crash."""
    with second_hand(path) as db:
        db.row_factory = driver().Row
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        cases = {row["id"]: dict(row) for row in db.execute("SELECT * FROM escalation")}
        first_answers = {
            row["key"]: row["escalation_id"]
            for row in db.execute("SELECT key, escalation_id FROM idempotency")
        }
        decided = Counter(
            row["escalation_id"]
            for row in db.execute("SELECT escalation_id FROM decision WHERE undone_at IS NULL")
        )
        decisions = {
            row["id"]: row["escalation_id"] for row in db.execute("SELECT id, escalation_id FROM decision")
        }
        alerts: dict[str, list[str]] = defaultdict(list)
        alert_states = {}
        for row in db.execute("SELECT id, escalation_id, state FROM alert"):
            alerts[row["escalation_id"]].append(row["state"])
            alert_states[row["id"]] = row["state"]
        ends: Counter[str] = Counter()
        claims: Counter[str] = Counter()
        for row in db.execute("SELECT body FROM audit_event"):
            event = orjson.loads(row["body"])
            ends[event.get("escalation", "")] += event["type"] in (
                "escalation.decided", "escalation.expired", "escalation.cancelled",
            )  # fmt: skip
            claims[event.get("escalation", "")] += event["type"] == "escalation.claimed"

    for what, case, more in acknowledged:
        assert case in cases, (what, case)
        if what == "asked":
            assert first_answers[more] == case
        if what == "approved":
            assert (cases[case]["status"], decisions[more]) == ("approved", case)
        if what == "claimed":
            assert cases[case]["claimed_at"] is not None
        if what == "succeeded":
            assert cases[case]["outcome"] == "succeeded"
        if what == "cancelled":
            assert cases[case]["status"] == "cancelled"
        if what == "sent":
            # Dropped where the case ended between lease and record.
            ended = cases[case]["status"] != "pending"
            assert alert_states[more] in ("sent", "dropped" if ended else "sent")
    for case, row in cases.items():
        assert decided[case] <= 1
        assert claims[case] <= 1
        assert ends[case] == (row["status"] != "pending")
        assert alerts[case], "a case without an alert"
        if row["status"] == "pending":
            assert set(alerts[case]) <= {"sent", "waiting"}
    note = last_signed(keys.directory)
    async with open_snapshot(path) as reader:
        report = await verify_log(
            LogSource(reader),
            keys.public(),
            on_progress=lambda done, of: None,
            anchors=[note] if note is not None else [],
        )
    assert report.problems == ()
