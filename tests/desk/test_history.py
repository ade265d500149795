"""History signals: exact sums and counts over what was asked, as an agent's own next verdict shows them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests._support.cases import answer, verified
from tests._support.clock import HandClock
from tests._support.processes import Player, player, players

from signoff.audit.keys import CheckpointSigner, create_keys
from signoff.desk.check import Checked, check_triggers
from signoff.desk.claim import claim, report_outcome
from signoff.desk.close import cancel, expire_due
from signoff.desk.current_policy import note_current_policy
from signoff.desk.decide import undo
from signoff.desk.desk import Desk, DeskSettings
from signoff.desk.history import facts_of_asked
from signoff.desk.history_known import history_told
from signoff.desk.people import add_agent, add_person
from signoff.desk.record import CheckSettings
from signoff.desk.request import request_approval
from signoff.domain.action import Action
from signoff.domain.asked import Asked
from signoff.domain.bundle import Material
from signoff.domain.clock import from_text
from signoff.domain.decision import Answer
from signoff.domain.errors import SignoffError, StoreUnavailable
from signoff.domain.ids import new_id
from signoff.domain.people import Agent, SignIn
from signoff.store.sqlite import open_store
from signoff.triggers.watch import PolicyFile

START = datetime.fromisoformat("2026-01-01T00:00:00Z")


@dataclass
class Stage:
    """A desk under a policy, an agent that asks, and a person who decides."""

    desk: Desk
    clock: HandClock
    ada: Agent
    bea: Agent
    omar: SignIn
    policy_path: Path
    keys: Any = field(repr=False)

    async def check(
        self,
        tool: str = "pay",
        amount: Any = 10,
        *,
        who: str | None = "c1",
        session: str | None = None,
        **more: Any,
    ) -> Checked:
        return await check_triggers(
            self.desk, self.ada, action(tool, amount, **more), about(who), session=session
        )

    async def request(
        self, tool: str = "pay", amount: Any = 10, *, who: str | None = "c1", session: str | None = None
    ) -> str:
        made = await request_approval(self.desk, self.ada, action(tool, amount), about(who), session=session)
        return made.escalation_id

    async def asked(self) -> list[Asked]:
        async with self.desk.store.reading() as reader:
            return [one async for one in reader.asked_since(START)]

    async def seen(self) -> dict[str, Any]:
        """Return the history signals that the rules read at the newest ask."""
        return dict((await self.asked())[-1].history)

    async def use(self, policy: str) -> None:
        part = self.policy_path.with_suffix(".part")
        part.write_text(policy, encoding="utf-8")
        part.rename(self.policy_path)
        await note_current_policy(self.desk)


def action(tool: str = "pay", amount: Any = 10, **more: Any) -> Action:
    arguments = dict(more) if amount is None else {"amount": amount, **more}
    return Action(tool=tool, arguments=arguments)


def about(who: Any) -> Material:
    return Material() if who is None else Material.model_validate({"subject": {"id": who}})


def policy(signals: str, rules: str = "") -> str:
    """Return a policy whose shadow rule reads every signal that is declared, one a line."""
    names = [line.split(":")[0].strip() for line in signals.strip().splitlines()]
    reads = "".join(
        f"  - {{id: read-{n}, mode: shadow, when: has(signals.{n}), then: escalate}}\n" for n in names
    )
    lines = "".join(f"  {line.strip()}\n" for line in signals.strip().splitlines())
    return f"version: 1\nsignals:\n{lines}triggers:\n{reads}{rules}"


@asynccontextmanager
async def stage(
    folder: Path, text: str, *, clock: HandClock | None = None, running: bool = False, **more: Any
) -> AsyncGenerator[Stage]:
    clock = clock or HandClock()
    path = folder / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    keys = create_keys(folder / "keys", origin="signoff.example/test")
    settings_ = DeskSettings(base_url="http://127.0.0.1:8717", **{"undo_s": 0, **more})
    async with open_store(folder / "signoff.db", log=keys.origin, clock=clock, new_id=new_id) as store:
        desk = Desk(store, PolicyFile(path), keys, CheckpointSigner(keys), clock, new_id, settings_)
        async with store.reading() as reader:
            known = {one.name: one for one in await reader.agents()}
            people = {one.name: one for one in await reader.people()}
        if not known:
            people["Omar"] = await add_person(desk, "Omar", roles=["operator", "supervisor"])
            known["Ada"], _ = await add_agent(desk, "Ada", owner=None)
            known["Bea"], _ = await add_agent(desk, "Bea", owner=None)
        made = Stage(desk, clock, known["Ada"], known["Bea"], SignIn(people["Omar"], "session"), path, keys)
        if running:
            async with desk.recorder.running():
                await note_current_policy(desk)
                yield made
        else:
            await note_current_policy(desk)
            yield made


# What each kind says


async def test_a_sum_is_exact_and_holds_the_action_that_is_asked_about(tmp_path: Path) -> None:
    text = policy("total: {sum: action.arguments.amount, over: 24h, by: bundle.subject.id}")
    async with stage(tmp_path, text) as it:
        for amount in (0.1, 0.2, "19.99", 5):
            await it.check(amount=amount)
        assert (await it.seen())["total"] == 25.29
        await it.check(amount=0.3)
        assert (await it.seen())["total"] == 25.59
        await it.check(amount=7, who="c2")
        assert (await it.seen())["total"] == 7


async def test_a_limit_over_a_day_stops_the_refund_that_would_pass_it(tmp_path: Path) -> None:
    rules = "  - {id: limit, when: signals.total > 100, then: escalate, explain: '{{signals.total}} today'}\n"
    text = policy("total: {sum: action.arguments.amount, over: 24h, by: bundle.subject.id}", rules)
    async with stage(tmp_path, text) as it:
        assert (await it.check(amount=60)).verdict.outcome == "allow"
        assert (await it.check(amount=40)).verdict.outcome == "allow"
        stopped = await it.check(amount=0.01)
        assert stopped.verdict.outcome == "escalate"
        assert stopped.verdict.fired[0].explanation == "100.01 today"
        it.clock.advance(86400)
        assert (await it.check(amount=99)).verdict.outcome == "allow"


@pytest.mark.parametrize(
    "amount", ["1e3", "", " 5", "5.", "-2", "\u0661", -1, -0.5, True, [], {}, 1e61, 1e-50, "9" * 61]
)
async def test_what_is_no_plain_amount_fires_the_rule_and_changes_no_sum(tmp_path: Path, amount: Any) -> None:
    rules = "  - {id: limit, when: signals.total > 100, then: escalate}\n"
    async with stage(tmp_path, policy("total: {sum: action.arguments.amount, over: 24h}", rules)) as it:
        await it.check(amount=60)
        fired = (await it.check(amount=amount)).verdict.fired
        assert [one.reason for one in fired] == ["error: the signal total cannot be computed"]
        await it.check(amount=1)
        assert (await it.seen())["total"] == 61


async def test_an_ask_without_the_customer_or_the_amount_fires_as_missing(tmp_path: Path) -> None:
    rules = "  - {id: limit, when: signals.total > 100, then: escalate}\n"
    text = policy("total: {sum: action.arguments.amount, over: 24h, by: bundle.subject.id}", rules)
    async with stage(tmp_path, text) as it:
        for made in (await it.check(who=None), await it.check(amount=None)):
            assert [one.reason for one in made.verdict.fired] == ["missing signals.total"]


async def test_counts_rates_and_distinct_values_hold_this_ask(tmp_path: Path) -> None:
    text = policy(
        """loop: {count: true, over: 10m, of: same_action, by: session}
        pace: {rate: hour, over: 30m}
        customers: {distinct: bundle.subject.id, over: 1h}"""
    )
    async with stage(tmp_path, text) as it:
        await it.check(amount=1, session="s1")
        await it.check(amount=1, session="s1", who="c2")
        await it.check(amount=1, session="s1", who="c1")
        assert await it.seen() == {"loop": 3, "pace": 6.0, "customers": 2}
        await it.check(amount=1, session="s2")
        assert await it.seen() == {"loop": 1, "pace": 8.0, "customers": 2}
        await it.check(amount=2, session="s2", who="c3")
        assert await it.seen() == {"loop": 1, "pace": 10.0, "customers": 3}


async def test_failures_and_denials_count_when_they_happen_and_not_before(tmp_path: Path) -> None:
    rules = (
        "  - {id: big, when: action.arguments.amount >= 50, then: escalate}\n"
        "  - {id: never, tools: [nuke], then: deny}\n"
    )
    text = policy("fails: {failures: true, over: 1h}\n refused: {denials: true, over: 1h}", rules)
    async with stage(tmp_path, text) as it:
        await it.check("nuke")
        assert await it.seen() == {"fails": 0, "refused": 0}
        approved = await it.request(amount=60)
        assert await it.seen() == {"fails": 0, "refused": 1}
        await answer(it.desk, it.omar, approved, Answer("approve"))
        it.clock.advance(300)
        await claim(it.desk, it.ada, approved, action(amount=60))
        it.clock.advance(3000)
        await report_outcome(it.desk, it.ada, approved, "unknown")
        rejected = await it.request(amount=70)
        await answer(it.desk, it.omar, rejected, Answer("reject", note="no"))
        it.clock.advance(3000)
        await it.check()
        assert await it.seen() == {"fails": 1, "refused": 1}
        await report_outcome(it.desk, it.ada, approved, "succeeded")
        await it.check()
        assert await it.seen() == {"fails": 0, "refused": 1}


async def test_a_tool_is_new_until_it_was_used_and_asking_twice_is_no_use(tmp_path: Path) -> None:
    rules = "  - {id: new, when: signals.fresh, then: escalate}\n"
    async with stage(tmp_path, policy("fresh: {new_tool: true, over: 30d}", rules)) as it:
        assert (await it.check("rm")).verdict.outcome == "escalate"
        assert (await it.check("rm")).verdict.outcome == "escalate"
        case = await it.request("rm")
        await answer(it.desk, it.omar, case, Answer("approve"))
        assert (await it.check("rm")).verdict.outcome == "allow"
        assert (await it.check("ls")).verdict.outcome == "escalate"
        it.clock.advance(30 * 86400)
        assert (await it.check("rm")).verdict.outcome == "escalate"


# Whose, and of what


@pytest.mark.parametrize(
    ("of", "counted"),
    [
        ("", ["pay", "refund_card", "refund_bank", "read"]),
        ("of: pay, ", ["pay"]),
        ("of: refund_*, ", ["refund_card", "refund_bank"]),
        ("of: [pay, '*_bank'], ", ["pay", "refund_bank"]),
        ("of: [pay, same_action], ", ["pay"]),
    ],
)
async def test_a_signal_counts_the_tools_that_it_names(tmp_path: Path, of: str, counted: list[str]) -> None:
    async with stage(tmp_path, policy(f"n: {{count: true, {of}over: 1h}}")) as it:
        for tool in ("pay", "refund_card", "refund_bank", "read"):
            before = await it.seen() if await it.asked() else {"n": 0}
            await it.check(tool)
            now = await it.seen()
            if "same_action" in of:
                assert now["n"] == (1 if tool == "pay" else 0)
            else:
                assert now["n"] - before["n"] == (tool in counted)


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("", [1, 2, 3, 4, 1]),
        ("by: agent, ", [1, 2, 3, 4, 1]),
        ("by: everyone, ", [1, 2, 3, 4, 5]),
        ("by: session, ", [1, 1, 2, 2, 1]),
        ("by: bundle.subject.id, ", [1, 2, 1, 3, 4]),
        ("by: subject.id, ", [1, 2, 1, 3, 4]),
        ("by: action.arguments.to, ", [1, 2, 3, 1, 4]),
    ],
)
async def test_a_signal_counts_for_whom_it_says(tmp_path: Path, by: str, expected: list[int]) -> None:
    asks = [
        ("Ada", "s1", "c1", "x"),
        ("Ada", "s2", "c1", "x"),
        ("Ada", "s1", "c2", "x"),
        ("Ada", "s2", "c1", "y"),
        ("Bea", "s1", "c1", "x"),
    ]
    found = []
    async with stage(tmp_path, policy(f"n: {{count: true, {by}over: 1h}}")) as it:
        for name, session, who, to in asks:
            agent = it.ada if name == "Ada" else it.bea
            await check_triggers(it.desk, agent, action(amount=1, to=to), about(who), session=session)
            found.append((await it.seen())["n"])
    assert found == expected


# One ask


async def test_a_request_that_follows_its_check_is_one_ask(tmp_path: Path) -> None:
    rules = "  - {id: big, when: action.arguments.amount >= 50, then: escalate}\n"
    text = policy("total: {sum: action.arguments.amount, over: 1h}\n n: {count: true, over: 1h}", rules)
    async with stage(tmp_path, text) as it:
        await it.check(amount=60, session="s")
        it.clock.advance(30)
        case = await it.request(amount=60, session="s")
        (only,) = await it.asked()
        assert dict(only.history) == {"total": 60, "n": 1}
        assert (only.escalation_id, only.standing) == (case, "waiting")
        assert only.checked_at == only.at - timedelta(seconds=30)
        await it.request(amount=60, session="s")
        assert (await it.seen()) == {"total": 120, "n": 2}
        await it.check(amount=60, session="other")
        await it.request(amount=60, session="s")
        assert (await it.seen()) == {"total": 240, "n": 4}


async def test_a_check_that_let_it_run_and_a_request_are_two(tmp_path: Path) -> None:
    async with stage(tmp_path, policy("total: {sum: action.arguments.amount, over: 1h}")) as it:
        assert (await it.check(amount=60)).verdict.outcome == "allow"
        await it.request(amount=60)
        assert (await it.seen()) == {"total": 120}


async def test_a_check_waits_for_its_request_for_an_hour(tmp_path: Path) -> None:
    rules = "  - {id: all, then: escalate}\n"
    async with stage(tmp_path, policy("n: {count: true, over: 1d}", rules)) as it:
        await it.check()
        it.clock.advance(3600)
        await it.request()
        assert (await it.seen()) == {"n": 1}
        await it.check()
        it.clock.advance(3600.000001)
        await it.request()
        assert (await it.seen()) == {"n": 3}


@pytest.mark.parametrize("how", ["reject", "cancel", "expire"])
async def test_what_will_not_run_leaves_the_sum_and_undoing_brings_it_back(tmp_path: Path, how: str) -> None:
    rules = "  - {id: big, when: action.arguments.amount >= 50, then: escalate}\n"
    text = policy("total: {sum: action.arguments.amount, over: 24h}", rules)
    async with stage(tmp_path, text, undo_s=60) as it:
        case = await it.request(amount=60)
        await it.check(amount=1)
        assert (await it.seen()) == {"total": 61}
        if how == "reject":
            await answer(it.desk, it.omar, case, Answer("reject", note="no"))
            await it.check(amount=1)
            assert (await it.seen()) == {"total": 2}
            await undo(it.desk, it.omar, case)
            await it.check(amount=1)
            assert (await it.seen()) == {"total": 63}
            return
        if how == "cancel":
            await cancel(it.desk, it.ada, case, reason="no need")
        else:
            it.clock.advance(1801)
            await expire_due(it.desk)
        await it.check(amount=1)
        assert (await it.seen()) == {"total": 2}


# Exactness, against a model that sums a list

SIGNALS = """\
money: {sum: action.arguments.amount, over: 60s, by: bundle.subject.id}
spoken: {sum: action.arguments.amount, over: 1h, counts: asked, by: everyone, of: [pay, "re*"]}
loop: {count: true, over: 60s, of: same_action, by: session}
live: {count: true, over: 10m, counts: may_run}
people: {distinct: bundle.subject.id, over: 60s, counts: may_run, by: everyone}
names: {distinct: bundle.subject.id, over: 10m}
fails: {failures: true, over: 60s}
refused: {denials: true, over: 60s}
fresh: {new_tool: true, over: 60s}
"""
RULES = """\
  - {id: big, when: action.arguments.amount >= 50.0, then: escalate}
  - {id: never, when: action.arguments.amount >= 90.0, then: deny}
"""


@dataclass
class Did:
    """One ask as the model knows it."""

    at: datetime
    tool: str
    amount: float
    who: str
    session: str
    standing: str
    case: str | None = None
    outcome: str | None = None
    failed_at: datetime | None = None
    denied_at: datetime | None = None

    @property
    def may_run(self) -> bool:
        return self.standing in ("allowed", "waiting", "approved")


def expected(done: list[Did], this: Did) -> dict[str, Any]:
    """Return every signal of SIGNALS by going through the list."""
    others = [one for one in done if one is not this]

    def within(at: datetime | None, seconds: int) -> bool:
        return at is not None and at > this.at - timedelta(seconds=seconds)

    def total(asks: list[Did]) -> float:
        return float(sum((Decimal(repr(one.amount)) for one in asks), Decimal(0)))

    minute = [one for one in others if within(one.at, 60)]
    ten = [one for one in others if within(one.at, 600)]
    spoken = [one for one in [*others, this] if within(one.at, 3600) and one.tool in ("pay", "refund")]
    same = [
        one
        for one in [*minute, this]
        if (one.tool, one.amount, one.session) == (this.tool, this.amount, this.session)
    ]
    return {
        "money": total([one for one in minute if one.may_run and one.who == this.who] + [this]),
        "spoken": total(spoken),
        "loop": len(same),
        "live": sum(one.may_run for one in ten) + 1,
        "people": len({one.who for one in minute if one.may_run} | {this.who}),
        "names": len({one.who for one in ten} | {this.who}),
        "fails": sum(within(one.failed_at, 60) for one in others),
        "refused": sum(within(one.denied_at, 60) for one in others),
        "fresh": not any(one.tool == this.tool and one.standing in ("allowed", "approved") for one in minute),
    }


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "check",
                "check",
                "request",
                "request",
                "approve",
                "reject",
                "undo",
                "cancel",
                "expire",
                "run",
                "fail",
            ]
        ),
        st.sampled_from([0, 0.000001, 0.065536, 1, 29.5, 59.999999, 60, 60.000001, 599.999999, 600, -45]),
        st.sampled_from(["pay", "refund", "other"]),
        st.sampled_from([0.1, 0.2, 33.0, 50.0, 61.7, 95.5]),
        st.sampled_from(["c1", "c2"]),
        st.sampled_from(["s1", "s2"]),
        st.integers(0, 10),
    ),
    min_size=8,
    max_size=30,
)


@settings(max_examples=25, deadline=None)
@given(STEPS)
def test_every_window_is_what_going_through_the_list_would_give(steps: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        anyio.run(play, Path(folder), steps)


async def play(folder: Path, steps: list[Any]) -> None:
    done: list[Did] = []
    async with stage(folder, policy(SIGNALS, RULES), undo_s=30) as it:
        latest = it.clock.now()
        for verb, gap, tool, amount, who, session, which in steps:
            it.clock.advance(gap)
            if verb in ("check", "request"):
                latest = max(latest, it.clock.now())
                this = await asks(it, done, verb, Did(latest, tool, amount, who, session, ""))
                # A request that joins its own check keeps the check's number.
                mine = [one for one in await it.asked() if one.escalation_id == this.case]
                newest = max(mine, key=lambda one: (one.at, one.seq))
                assert newest.at == latest
                assert dict(newest.history) == expected(done, this)
                assert newest.standing == this.standing
                continue
            cases = [one for one in done if one.case is not None]
            if cases:
                await moves(it, verb, cases[which % len(cases)], latest)
                await notice_expired(it, cases)
                async with it.desk.store.reading() as reader:  # a refusal may have been recorded too
                    latest = max(latest, from_text((await reader.head()).at))
        assert (await verified(it.desk)).problems == ()


async def asks(it: Stage, done: list[Did], verb: str, this: Did) -> Did:
    standing = "allowed" if this.amount < 50 else "waiting" if this.amount < 90 else "denied"
    if verb == "check":
        await it.check(this.tool, this.amount, who=this.who, session=this.session)
    else:
        case = await it.request(this.tool, this.amount, who=this.who, session=this.session)
        standing = "denied" if this.amount >= 90 else "waiting"
        checks = [
            one
            for one in done
            if one.case is None
            and one.standing != "allowed"
            and (one.tool, one.amount, one.session) == (this.tool, this.amount, this.session)
            and one.at >= this.at - timedelta(hours=1)
        ]
        if checks:
            done.remove(max(checks, key=lambda one: one.at))
        this.case = case
    this.standing = standing
    this.denied_at = this.at if standing == "denied" else None
    done.append(this)
    return this


async def moves(it: Stage, verb: str, one: Did, latest: datetime) -> None:
    """Play one move of a case, if the desk lets it."""
    assert one.case is not None
    at = max(latest, it.clock.now())
    try:
        match verb:
            case "approve":
                await answer(it.desk, it.omar, one.case, Answer("approve"))
                one.standing = "approved"
            case "reject":
                await answer(it.desk, it.omar, one.case, Answer("reject", note="no"))
                one.standing, one.denied_at = "rejected", at
            case "undo":
                await undo(it.desk, it.omar, one.case)
                one.standing, one.denied_at = "waiting", None
            case "cancel":
                await cancel(it.desk, it.ada, one.case, reason="over")
                one.standing = "cancelled"
            case "run":
                await claim(it.desk, it.ada, one.case, action(one.tool, one.amount))
            case "fail":
                await report_outcome(it.desk, it.ada, one.case, "failed")
                one.failed_at = one.failed_at or at
            case _:
                await expire_due(it.desk)
    except SignoffError:
        return


async def notice_expired(it: Stage, cases: list[Did]) -> None:
    """Let the model know of cases that ended by themselves, or were found over by one who came too late."""
    async with it.desk.store.reading() as reader:
        for one in cases:
            case = await reader.case(one.case or "")
            if case is not None and case.status == "expired":
                one.standing = "expired"


# What was asked before a signal was declared

EMPTY = "version: 1\ntriggers: []\n"
TOTAL = "total: {sum: action.arguments.amount, over: 1h}"
LIMIT = "  - {id: limit, when: signals.total > 100000, then: escalate}\n"


async def test_a_new_signal_knows_what_was_asked_before_it_was_declared(tmp_path: Path) -> None:
    async with stage(tmp_path, EMPTY) as it:
        await it.check(amount=1000)
        it.clock.advance(1800)
        for _ in range(120):
            await it.check(amount=1)
        case = await it.request(amount=7)
        await answer(it.desk, it.omar, case, Answer("reject", note="no"))
        it.clock.advance(1800)
        await it.use(policy(TOTAL, LIMIT))
        # More than one batch: until all is in, the rule fires.
        assert [one.reason for one in (await it.check(amount=1)).verdict.fired] == ["missing signals.total"]
        (told,) = [one for one in await history_told(it.desk) if one.startswith("signals.")]
        assert told.startswith("signals.total: earlier asks are still being entered")
        async with it.desk.recorder.running():
            await filled(it)
        assert await history_told(it.desk) == ["1 of 1 history signals are complete"]
        assert (await it.check(amount=1)).verdict.fired == ()
        assert await it.seen() == {"total": 122}


async def filled(it: Stage) -> None:
    it.desk.recorder.wake()
    with anyio.fail_after(10):
        while True:
            async with it.desk.store.reading() as reader:
                if not any(one.filling for one in await reader.windows.states()):
                    return
            await anyio.lowlevel.checkpoint()


async def test_another_window_keeps_the_history_and_a_longer_one_looks_further_back(tmp_path: Path) -> None:
    async with stage(tmp_path, policy(TOTAL)) as it:
        await it.check(amount=5)
        it.clock.advance(5400)
        await it.check(amount=7)
        await it.use(policy(TOTAL.replace("1h", "1m")))
        await it.check(amount=1)
        assert await it.seen() == {"total": 8}
        await it.use(policy(TOTAL.replace("1h", "1d")))
        await it.check(amount=1)
        assert await it.seen() == {"total": 14}


async def test_what_went_uncounted_while_no_policy_asked_is_counted_again(tmp_path: Path) -> None:
    async with stage(tmp_path, policy(TOTAL)) as it:
        await it.check(amount=5)
        await it.use(EMPTY)
        await it.desk.recorder.forget_old()
        await it.check(amount=7)
        await it.use(policy(TOTAL))
        await it.check(amount=1)
        assert await it.seen() == {"total": 13}


async def test_a_signal_whose_past_is_kept_no_more_fires_until_its_window_has_passed(tmp_path: Path) -> None:
    nothing = CheckSettings(keep_documents_for=timedelta(0))
    async with stage(tmp_path, EMPTY, checks=nothing) as it:
        await it.check(amount=5)
        await it.use(policy(TOTAL, LIMIT))
        assert [one.reason for one in (await it.check(amount=1)).verdict.fired] == ["missing signals.total"]
        assert "complete at 2026-11-23T21:31:05.123456Z" in (await history_told(it.desk))[-1]
        it.clock.advance(3600)
        assert (await it.check(amount=2)).verdict.fired == ()
        assert await it.seen() == {"total": 2}
        assert all(one.document is None for one in await it.asked())


async def test_a_masked_value_is_no_value_to_count_afterwards(tmp_path: Path) -> None:
    key = "AKIAABCDEFGHIJKLMNOP"
    async with stage(tmp_path, EMPTY) as it:
        await it.check(amount=5, who=key)
        await it.use(policy("n: {distinct: bundle.subject.id, over: 1h}"))
        await it.check(amount=5, who=key)
        assert await it.seen() == {}
        assert key not in str([one.document for one in await it.asked()])


async def test_old_documents_and_old_entries_are_forgotten_and_the_asks_stay(tmp_path: Path) -> None:
    async with stage(tmp_path, policy(TOTAL.replace("1h", "90d"))) as it:
        for amount in (1, 2):
            await it.check(amount=amount)
        it.clock.advance(31 * 86400)
        await it.check(amount=4)
        assert await it.desk.recorder.forget_old() == 2
        assert [one.document is None for one in await it.asked()] == [True, True, False]
        it.clock.advance(59 * 86400 - 1)
        await it.check(amount=8)
        assert await it.seen() == {"total": 15}
        it.clock.advance(1)
        await it.check(amount=8)
        assert await it.seen() == {"total": 20}
        await it.desk.recorder.forget_old()
        await it.check(amount=8)
        assert await it.seen() == {"total": 28}
        assert len(await it.asked()) == 6


async def test_a_large_bundle_is_kept_without_what_made_it_large_and_says_so(tmp_path: Path) -> None:
    async with stage(tmp_path, EMPTY) as it:
        material = Material.model_validate(
            {
                "subject": {"id": "c1"},
                "messages": [{"role": "user", "content": "x" * 60_000}] * 5,
                "reasoning": [{"kind": "thought", "text": "y" * 60_000}],
                "state": {"step": 3},
            }
        )
        await check_triggers(it.desk, it.ada, action(), material)
        (only,) = await it.asked()
        assert only.document is not None
        assert only.document["not_kept"] == ["bundle.messages"]
        assert set(only.document["bundle"]) == {"subject", "reasoning", "state"}
        facts = facts_of_asked(only)
        assert facts is not None
        assert facts.bundle["state"] == {"step": 3}


# Recorded before or behind the answer


async def test_a_counted_ask_survives_a_restart_right_after_its_answer(tmp_path: Path) -> None:
    clock = HandClock()
    async with stage(tmp_path, policy(TOTAL), clock=clock) as it:
        await it.check(amount=5)
    async with stage(tmp_path, policy(TOTAL), clock=clock) as it:
        await it.check(amount=7)
        assert await it.seen() == {"total": 12}


async def test_other_checks_are_recorded_behind_the_answer_and_all_of_them_by_the_close(
    tmp_path: Path,
) -> None:
    clock = HandClock()
    async with stage(tmp_path, EMPTY, clock=clock, running=True) as it:
        for amount in range(250):
            await it.check(amount=amount)
        assert it.desk.recorder.waiting <= 101
    async with stage(tmp_path, EMPTY, clock=clock) as it:
        assert [
            one.document["action"]["arguments"]["amount"] for one in await it.asked() if one.document
        ] == list(range(250))


async def test_a_check_waits_until_it_is_on_disk_and_not_only_until_it_is_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(tmp_path, EMPTY, running=True) as it:
        await it.check()
        write, writing, go_on = it.desk.store.write, anyio.Event(), anyio.Event()

        async def held(work: Any) -> Any:
            writing.set()
            await go_on.wait()
            return await write(work)

        monkeypatch.setattr(it.desk.store, "write", held)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(it.desk.recorder.flush)
            with anyio.fail_after(5):
                await writing.wait()
                assert it.desk.recorder.waiting == 1
                go_on.set()
        assert it.desk.recorder.waiting == 0
        assert len(await it.asked()) == 1


async def test_a_request_finds_its_check_that_still_waits_to_be_recorded(tmp_path: Path) -> None:
    rules = "version: 1\ntriggers:\n  - {id: all, then: escalate}\n"
    async with stage(tmp_path, rules, running=True) as it:
        await it.check()
        assert it.desk.recorder.waiting == 1
        await it.request()
        (only,) = await it.asked()
        assert only.checked_at is not None


async def test_a_policy_that_begins_to_count_a_tool_counts_the_checks_that_still_wait(tmp_path: Path) -> None:
    async with stage(tmp_path, EMPTY, running=True) as it:
        await it.check(amount=5)
        assert it.desk.recorder.waiting == 1
        part = it.policy_path.with_suffix(".part")
        part.write_text(policy(TOTAL), encoding="utf-8")
        part.rename(it.policy_path)
        await it.check(amount=7)
        assert await it.seen() == {"total": 12}


async def test_what_waits_to_be_recorded_never_takes_more_than_its_share_of_memory(tmp_path: Path) -> None:
    async with stage(tmp_path, EMPTY, running=True) as it:
        large = Material.model_validate({"state": ["x" * 100_000] * 19})
        for amount in range(5):
            await check_triggers(it.desk, it.ada, action(amount=amount), large)
            assert it.desk.recorder.waiting <= 4
        assert len(await it.asked()) == 5


async def test_without_a_store_a_counted_check_is_refused_and_others_until_the_line_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(tmp_path, policy("n: {count: true, over: 1h, of: pay}"), running=True) as it:
        write = it.desk.store.write

        async def fails(work: Any) -> Any:
            raise StoreUnavailable("The disk is full.")

        monkeypatch.setattr(it.desk.store, "write", fails)
        with pytest.raises(StoreUnavailable):
            await it.check("pay")
        # The rules for every tool read n; a policy that reads nothing for `read` answers.
        part = it.policy_path.with_suffix(".part")
        part.write_text("version: 1\ntriggers: []\n", encoding="utf-8")
        part.rename(it.policy_path)
        for amount in range(100):
            await it.check("read", amount=amount)
        with pytest.raises(StoreUnavailable):
            await it.check("read", amount=100)
        monkeypatch.setattr(it.desk.store, "write", write)
        await it.check("read", amount=100)
        assert len(await it.asked()) == 101


@pytest.mark.parametrize(
    ("audit", "events"), [("none", []), ("fired", ["escalate"]), ("all", ["allow", "escalate"])]
)
async def test_checks_stand_in_the_log_where_the_settings_want_it(
    tmp_path: Path, audit: Any, events: list[str]
) -> None:
    rules = "version: 1\ntriggers:\n  - {id: big, when: action.arguments.amount > 50, then: escalate}\n"
    async with stage(tmp_path, rules, checks=CheckSettings(audit=audit)) as it:
        await it.check(amount=1)
        await it.check(amount=60)
        async with it.desk.store.reading() as reader:
            bodies = [json.loads(body) async for page in reader.events() for _, body in page]
        recorded = [one["data"] for one in bodies if one["type"] == "check.recorded"]
        assert [one["verdict"] for one in recorded] == events
        assert (await verified(it.desk)).problems == ()


# Other processes on the same database

BUDGET = policy(TOTAL, "  - {id: limit, when: signals.total > 30, then: escalate}\n")


async def test_two_processes_that_ask_at_once_never_pass_a_limit_together(tmp_path: Path) -> None:
    async with stage(tmp_path, BUDGET):
        pass
    heard: list[list[Any]] = []
    with anyio.fail_after(30):
        async with players(2, tmp_path, "check", "25") as both, anyio.create_task_group() as tasks:

            async def play_out(one: Player) -> None:
                await one.go()
                heard.append(await one.hear_all())

            for one in both:
                tasks.start_soon(play_out, one)
    assert [len(one) for one in heard] == [25, 25]
    assert sorted(heard[0] + heard[1]) == ["allow"] * 30 + ["escalate"] * 20


async def test_a_process_that_is_killed_has_recorded_every_check_that_it_answered(tmp_path: Path) -> None:
    async with stage(tmp_path, BUDGET):
        pass
    with anyio.fail_after(30):
        async with player(tmp_path, "check", "1000000") as one:
            await one.go()
            answered = [await one.hear() for _ in range(20)]
            await one.kill()
            answered += await one.hear_all()
    async with stage(tmp_path, BUDGET) as it:
        assert len(await it.asked()) in (len(answered), len(answered) + 1)
        await it.check(amount=1)
        assert await it.seen() == {"total": len(await it.asked())}
