"""What was asked, replayed: the windows in memory hold what the store's series held, and each ask comes once."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from tests._support.cases import answer
from tests.desk.test_history import START, Stage, about, action, policy, stage

from signoff.desk.claim import claim, report_outcome
from signoff.desk.close import cancel, expire_due
from signoff.desk.recorded import count_recorded, recorded
from signoff.domain.decision import Answer
from signoff.domain.errors import SignoffError
from signoff.triggers.load import load_policy
from signoff.triggers.replay import Judge, Recorded
from signoff.triggers.windows import MemoryWindows

SIGNALS = """\
    total: {sum: action.arguments.amount, over: 2h, of: pay, by: bundle.subject.id}
    tried: {sum: action.arguments.amount, over: 1h, counts: asked}
    asks: {count: true, over: 30m, by: session}
    hourly: {rate: hour, over: 3h, by: everyone}
    same: {count: true, over: 1h, of: same_action}
    people: {distinct: bundle.subject.id, over: 45m, by: everyone}
    failed: {failures: true, over: 2h}
    refused: {denials: true, over: 2h}
    fresh: {new_tool: true, over: 90m}
"""
RULES = """\
  - {id: large, tools: [pay], when: action.arguments.amount > 60, then: escalate}
  - {id: huge, tools: [pay], when: action.arguments.amount > 90, then: deny}
  - {id: fine, tools: [pay, ship], when: action.arguments.amount <= 60, then: allow}
"""


async def replayed(it: Stage) -> list[Recorded]:
    async with it.desk.store.snapshot() as reader:
        made = [one async for one in recorded(reader)]
    assert all(one is not None for one in made)
    return [one for one in made if one is not None]


async def act_at_random(it: Stage, dice: random.Random) -> None:
    """Ask, decide, run and report as people and agents do, most of the time not at the same moment."""
    waiting: list[str] = []
    approved: list[tuple[str, str, float]] = []
    for _ in range(60):
        it.clock.advance(dice.choice([1, 60, 600, 1500]))
        what = dice.random()
        tool, amount = dice.choice(["pay", "pay", "ship"]), dice.choice([5, 20, 0.1, 70, 95])
        who, session = dice.choice(["c1", "c2", "c3"]), dice.choice(["s1", "s2", None])
        if what < 0.5:
            await it.check(tool, amount, who=who, session=session)
        elif what < 0.8:
            # Never what was checked: a request that follows its own check moves the check to its own time.
            amount += 1
            case = await it.request(tool, amount, who=who, session=session)
            waiting.append(case)
            approved.append((case, tool, amount))
        elif waiting:
            case = waiting.pop(dice.randrange(len(waiting)))
            try:
                if dice.random() < 0.2:
                    await cancel(it.desk, it.ada, case, reason="x")
                else:
                    await answer(it.desk, it.omar, case, Answer(dice.choice(["approve", "reject"]), note="x"))
            except SignoffError:
                continue  # decided by the policy, or out of time
        elif approved:
            case, tool, amount = approved.pop()
            try:
                await claim(it.desk, it.ada, case, action(tool, amount))
                await report_outcome(it.desk, it.ada, case, dice.choice(["succeeded", "failed"]))
            except SignoffError:
                continue
        await expire_due(it.desk)


@pytest.mark.parametrize("seed", range(6))
async def test_windows_in_memory_hold_what_the_store_held(tmp_path: Path, seed: int) -> None:
    text = policy(SIGNALS, RULES)
    async with stage(tmp_path, text) as it:
        await act_at_random(it, random.Random(seed))  # noqa: S311 -- a script of events, no secret
        stored = await it.asked()
        loaded = load_policy(text, source="policy.yaml")
        windows = MemoryWindows(loaded)
        for one, was in zip(await replayed(it), stored, strict=True):
            assert one.action_digest is not None
            made = windows.values(one.facts, one.action_digest)
            known = {name: value for name, value in made.items() if not isinstance(value, Exception)}
            assert known == dict(was.history), (was.seq, was.tool, was.checked_at)
            assert one.said is not None
            ended = "approved" if one.ended == "modified" else one.ended
            windows.enter(
                one.facts,
                one.action_digest,
                one.said.outcome,
                ended=ended,
                ended_at=one.ended_at,
                failed_at=one.failed_at,
            )


async def test_the_policy_of_the_time_says_again_what_it_said(tmp_path: Path) -> None:
    rules = RULES + "  - {id: limit, tools: [pay], when: signals.total > 150, then: escalate}\n"
    text = policy("total: {sum: action.arguments.amount, over: 2h, of: pay, by: bundle.subject.id}", rules)
    async with stage(tmp_path, text) as it:
        for amount in (60, 60, 70, 20, 95, 30):
            it.clock.advance(60)
            await it.check(amount=amount)
        it.clock.advance(3 * 3600)
        await it.request(amount=50)
        judge = Judge(load_policy(text, source="policy.yaml"))
        seen = await replayed(it)

    assert [judge.say(one).outcome for one in seen] == [one.said.outcome for one in seen if one.said]
    assert [one.said.fired for one in seen if one.said] == [
        {"fine"}, {"fine"}, {"large", "limit"}, {"fine", "limit"}, {"large", "huge", "limit"}, {"fine", "limit"}, {"fine"},
    ]  # fmt: skip


async def test_an_agent_that_asked_for_a_person_still_gets_one(tmp_path: Path) -> None:
    text = "version: 1\ntriggers: []\n"
    async with stage(tmp_path, text) as it:
        await it.check("ship")
        await it.request("pay")
        seen = await replayed(it)
        judge = Judge(load_policy(text, source="policy.yaml"))

    assert [(one.said.outcome, set(one.said.fired)) for one in seen if one.said] == [
        ("allow", set()),
        ("escalate", set()),
    ]
    assert [judge.say(one).outcome for one in seen] == ["allow", "escalate"]
    assert [one.ended for one in seen] == [None, "waiting"]


async def test_an_ask_is_replayed_from_its_case_when_its_own_copy_is_gone(tmp_path: Path) -> None:
    async with stage(tmp_path, "version: 1\n") as it:
        await it.check("ship")
        case = await it.request("pay", 70)

        async def forget(unit: object) -> None:
            await unit.history.drop_documents(it.clock.now().replace(year=2030), 100)  # type: ignore[attr-defined]

        await it.desk.store.write(forget)
        async with it.desk.store.snapshot() as reader:
            first, second = [one async for one in recorded(reader, since=START)]
            assert await count_recorded(reader) == 2

    assert first is None
    assert second is not None
    assert (second.id, second.facts.action["arguments"], second.ended) == (case, {"amount": 70}, "waiting")
    assert about("c1").as_json() == second.facts.bundle
