"""People are told: the desk's half of it, and the links that alerts carry."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import anyio
import pytest
from tests._support.cases import WIRE, approve, ask, verified
from tests._support.clock import HandClock
from tests.conftest import POLICY, Cast
from tests.promises import promise

from signoff.desk.deliver import GIVE_UP_AFTER, Errand, is_due, lease, record
from signoff.desk.desk import Desk
from signoff.desk.people import add_person, disable_person
from signoff.desk.sessions import sign_out, signed_in
from signoff.desk.sign_in import MOST_REFUSED, fresh_link, issue_sign_in_link, open_link
from signoff.domain.action import Action
from signoff.domain.alert import Failed, Sent
from signoff.domain.clock import from_text
from signoff.domain.errors import Forbidden, LinkSpent, RateLimited


def link_of(errand: Errand) -> tuple[str, str]:
    link, _, secret = errand.link_url.rpartition("/d/")[2].partition("#")
    return link, secret


async def states(desk: Desk, escalation_id: str) -> Counter[str]:
    async with desk.store.reading() as reader:
        return Counter(state for _, state in await reader.alerts_of_case(escalation_id))


@promise("no-alert-forgotten")
async def test_an_alert_whose_worker_died_is_handed_out_again(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    await ask(desk, cast.ada)
    (first,) = await lease(desk, "dies")
    assert await lease(desk, "other") == []
    clock.advance(61)
    (again,) = await lease(desk, "other")
    assert (again.alert.id, again.alert.attempts) == (first.alert.id, 2)
    await record(desk, "dies", first, Sent())  # too late: the other holds it now
    assert await states(desk, again.case.id) == {"waiting": 1}
    with pytest.raises(LinkSpent):
        await open_link(desk, *link_of(first), source="s")
    await record(desk, "other", again, Sent())
    assert await states(desk, again.case.id) == {"sent": 1}
    assert (await open_link(desk, *link_of(again), source="s")).sign_in.person == cast.omar.person


async def next_due(desk: Desk) -> datetime | None:
    async with desk.store.reading() as reader:
        due_at = await reader.next_alert_due()
    return None if due_at is None else from_text(due_at)


async def test_an_alert_is_due_at_once_though_the_clock_went_back(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    clock.advance(-3600)
    await ask(desk, cast.ada)

    assert await is_due(desk)


async def test_an_alert_carries_the_log_as_it_stands(desk: Desk, cast: Cast) -> None:
    await ask(desk, cast.ada)
    async with desk.store.reading() as reader:
        size = (await reader.head()).size

    (errand,) = await lease(desk, "worker")

    assert errand.footer.startswith(f"audit {size} ")


def write_policy(path: Path, before: str, after: str) -> None:
    path.write_text(POLICY.replace(before, after), encoding="utf-8")


@pytest.mark.parametrize(
    ("approve_within", "tried_for"),
    [("4h", GIVE_UP_AFTER), ("30m", timedelta(minutes=15)), ("10m", timedelta(minutes=5))],
)
@promise("no-alert-forgotten")
async def test_an_alert_is_tried_for_an_hour_or_half_of_the_time_there_is_and_then_visibly_given_up(
    desk: Desk, cast: Cast, clock: HandClock, policy_path: Path, approve_within: str, tried_for: timedelta
) -> None:
    within = f"version: 1\ndefaults: {{approve_within: {approve_within}}}\n"
    write_policy(policy_path, "version: 1\n", within)
    told = await ask(desk, cast.ada)
    began, waited = clock.now(), []
    alert_id = ""
    while (due := await next_due(desk)) is not None:
        waited.append((due - max(clock.now(), began)).total_seconds())
        clock.at = max(clock.now(), due)
        (errand,) = [one for one in await lease(desk, "worker") if one.person.name == "Omar"]
        alert_id = errand.alert.id
        await record(desk, "worker", errand, Failed("no route"))
        if "failed" in await states(desk, told.escalation_id):
            break
    assert clock.now() - began == tried_for
    assert all(3.75 * 2**i <= wait <= 6.25 * 2**i for i, wait in enumerate(waited[1:5]))
    async with desk.store.reading() as reader:
        assert await reader.count_failed_alerts() == 1
        attempts = await reader.attempts_of_alert(alert_id)
    assert [one.number for one in attempts] == list(range(1, len(waited) + 1))
    assert {(one.result, one.error) for one in attempts} == {("failed", "no route")}


async def test_an_address_that_will_never_work_is_given_up_at_once(desk: Desk, cast: Cast) -> None:
    told = await ask(desk, cast.ada)
    (errand,) = await lease(desk, "worker")
    await record(desk, "worker", errand, Failed("bad address", permanent=True))
    assert await states(desk, told.escalation_id) == {"failed": 1, "waiting": 1}
    (instead,) = await lease(desk, "worker")
    assert (instead.person.name, instead.alert.kind) == ("Sofia", "escalated")


async def test_the_most_urgent_alert_is_handed_out_first(desk: Desk, cast: Cast) -> None:
    for urgency in ("low", "critical", "normal", "high", "critical"):
        await ask(desk, cast.bea, Action(tool="tidy_up"), urgency=urgency)
    ranks = [errand.case.urgency for errand in await lease(desk, "worker")]
    assert ranks[: ranks.count("critical")] == ["critical"] * ranks.count("critical")
    order = {"critical": 0, "high": 1, "normal": 2, "low": 3}
    assert ranks == sorted(ranks, key=order.__getitem__)


@promise("no-alert-forgotten")
async def test_workers_that_lease_at_once_take_each_alert_once(desk: Desk, cast: Cast) -> None:
    for _ in range(20):
        await ask(desk, cast.ada)
    taken: list[str] = []

    async def work(name: str) -> None:
        taken.extend([errand.alert.id for errand in await lease(desk, name, most=7)])

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for name in ("a", "b", "c", "d"):
                tasks.start_soon(work, name)
    assert (len(taken), len(set(taken))) == (20, 20)


async def test_no_alert_is_sent_once_the_case_has_ended(desk: Desk, cast: Cast) -> None:
    told = await ask(desk, cast.ada)
    (errand,) = await lease(desk, "worker")
    await approve(desk, cast.sofia, told.escalation_id)
    await record(desk, "worker", errand, Failed("no route"))
    assert await states(desk, told.escalation_id) == {"dropped": 1}
    with pytest.raises(LinkSpent):
        await open_link(desk, *link_of(errand), source="s")


@promise("no-alert-forgotten")
async def test_a_case_for_supervisors_reaches_one_though_its_queue_names_operators_only(
    desk: Desk, cast: Cast
) -> None:
    await ask(desk, cast.ada, Action(tool="sell_company"))

    told = {errand.person.name for errand in await lease(desk, "worker")}

    assert told == {"Sofia"}


async def test_where_a_queue_reaches_nobody_everybody_who_may_decide_is_told(desk: Desk, cast: Cast) -> None:
    await disable_person(desk, "Omar")
    await ask(desk, cast.ada)
    assert [errand.person.name for errand in await lease(desk, "w")] == ["Sofia"]


# Links


async def test_a_link_opens_once_and_every_refusal_sounds_the_same(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    await ask(desk, cast.ada)
    (errand,) = await lease(desk, "w")
    link, secret = link_of(errand)
    messages = set()
    for wrong in ((link, "x"), (link, secret[:-1]), ("lnk_none", secret), ("\ud800", "\ud800"), ("", "")):
        with pytest.raises(LinkSpent) as refused:
            await open_link(desk, *wrong, source="mallory")
        messages.add(refused.value.message)
    opened = await open_link(desk, link, secret, source="omar")
    assert opened.sign_in.only_case == errand.case.id
    with pytest.raises(LinkSpent) as refused:
        await open_link(desk, link, secret, source="omar")
    messages.add(refused.value.message)
    assert len(messages) == 1
    assert (await verified(desk)).problems == ()


@promise("one-decision")
async def test_of_two_who_open_a_link_at_once_one_gets_in(desk: Desk, cast: Cast) -> None:
    await ask(desk, cast.ada)
    (errand,) = await lease(desk, "w")
    results: list[bool] = []

    async def open_it() -> None:
        try:
            await open_link(desk, *link_of(errand), source="s")
            results.append(True)
        except LinkSpent:
            results.append(False)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(open_it)
    assert sorted(results) == [False] * 4 + [True]


async def test_guessing_is_braked_and_the_brake_wears_off(desk: Desk, cast: Cast, clock: HandClock) -> None:
    await ask(desk, cast.ada)
    (errand,) = await lease(desk, "w")
    link, secret = link_of(errand)
    for guess in range(MOST_REFUSED):
        with pytest.raises(LinkSpent):
            await open_link(desk, link, str(guess), source=f"10.0.0.{guess}")
    with pytest.raises(LinkSpent) as refused:  # even for the right secret, and in the same words
        await open_link(desk, link, secret, source="omar")
    assert refused.value.why == "throttled"
    clock.advance(600.1)
    await fresh_link(desk, link)
    (fresh,) = await lease(desk, "w2", most=1)
    opened = await open_link(desk, *link_of(fresh), source="omar")
    assert opened.sign_in.person == cast.omar.person


async def test_a_source_that_only_guesses_is_told_to_wait(desk: Desk, cast: Cast, clock: HandClock) -> None:
    for guess in range(30):
        with pytest.raises(LinkSpent):
            await open_link(desk, f"lnk_{guess}", "x", source="mallory")
    with pytest.raises(RateLimited) as refused:
        await open_link(desk, "lnk_x", "x", source="mallory")
    assert refused.value.retry_after_s == 600
    with pytest.raises(LinkSpent):
        await open_link(desk, "lnk_x", "x", source="somebody else")
    clock.advance(600)
    with pytest.raises(LinkSpent):
        await open_link(desk, "lnk_x", "x", source="mallory")


async def test_a_sign_in_ends_with_its_time_with_sign_out_and_with_the_person(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    tokens = []
    for _ in range(3):
        url = await issue_sign_in_link(desk, "Omar")
        link, _, secret = url.rpartition("/d/")[2].partition("#")
        tokens.append((await open_link(desk, link, secret, source="s")).token)
    assert (await signed_in(desk, tokens[0])).assurance == "session"
    await sign_out(desk, tokens[0])
    with pytest.raises(Forbidden):
        await signed_in(desk, tokens[0])
    clock.advance(12 * 3600)
    with pytest.raises(Forbidden):
        await signed_in(desk, tokens[1])
    url = await issue_sign_in_link(desk, "Omar")
    await disable_person(desk, "Omar")
    link, _, secret = url.rpartition("/d/")[2].partition("#")
    with pytest.raises(LinkSpent):
        await open_link(desk, link, secret, source="s")
    with pytest.raises(Forbidden):
        await issue_sign_in_link(desk, "Omar")


async def test_an_expired_link_opens_nothing(desk: Desk, cast: Cast, clock: HandClock) -> None:
    await ask(desk, cast.ada, WIRE)
    (errand,) = await lease(desk, "w")
    clock.advance(600)  # ten minutes for an urgent case
    with pytest.raises(LinkSpent) as refused:
        await open_link(desk, *link_of(errand), source="s")
    assert refused.value.why == "expired"


async def test_operators_of_other_queues_are_not_told(desk: Desk, cast: Cast) -> None:
    await add_person(desk, "Oskar", roles=["operator"], queues=["refunds"])
    await ask(desk, cast.ada)
    assert [errand.person.name for errand in await lease(desk, "w")] == ["Omar"]
