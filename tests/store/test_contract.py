"""What every store promises; a second database joins by one more entry in `OPENERS`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests._support.clock import HandClock

from signoff.domain.clock import from_text, to_text
from signoff.domain.errors import Conflict, StoreUnavailable
from signoff.domain.escalation import Escalation
from signoff.domain.event import SYSTEM, Draft
from signoff.domain.ids import new_id
from signoff.domain.people import Agent
from signoff.store.sqlite import SqliteStore, open_store
from signoff.store.unit import Unit

LOG = "signoff.example/test"
Opener = Callable[[Path, HandClock], AbstractAsyncContextManager[SqliteStore]]


def on_sqlite(folder: Path, clock: HandClock) -> AbstractAsyncContextManager[SqliteStore]:
    return open_store(folder / "signoff.db", log=LOG, clock=clock, new_id=new_id)


OPENERS: dict[str, Opener] = {"sqlite": on_sqlite}


@pytest.fixture(params=OPENERS)
def opener(request: pytest.FixtureRequest) -> Opener:
    return OPENERS[request.param]


@pytest.fixture
async def store(opener: Opener, tmp_path: Path, clock: HandClock) -> AsyncGenerator[SqliteStore]:
    async with opener(tmp_path, clock) as made:
        yield made


async def size_of(store: SqliteStore) -> int:
    async with store.reading() as reader:
        return await reader.count()


def noting(clock: HandClock, word: str, case: str | None = None) -> Callable[[Unit], Any]:
    async def work(unit: Unit) -> int:
        return await unit.record(Draft("test.noted", clock.now(), SYSTEM, {"word": word}, case))

    return work


async def test_a_written_unit_is_read_back(store: SqliteStore, clock: HandClock) -> None:
    assert await store.write(noting(clock, "one")) == 0
    async with store.reading() as reader:
        head = await reader.head()
        events = [event async for page in reader.events() for event in page]
    assert head.size == 1
    assert b'"word":"one"' in events[0][1]


async def test_a_unit_that_raises_takes_nothing_with_it(store: SqliteStore, clock: HandClock) -> None:
    """Three units share a transaction; the middle one writes, then fails."""

    class Regret(Exception):
        pass

    async def failing(unit: Unit) -> None:
        await noting(clock, "never")(unit)
        await unit.add_checkpoint(7, "note")
        raise Regret

    errors: list[str] = []

    async def fail() -> None:
        try:
            await store.write(failing)
        except Regret:
            errors.append("regret")

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(store.write, noting(clock, "before"))
            tasks.start_soon(fail)
            tasks.start_soon(store.write, noting(clock, "after"))
    async with store.reading() as reader:
        bodies = [body for page in [page async for page in reader.events()] for _, body in page]
        assert await reader.newest_checkpoint() is None
    assert errors == ["regret"]
    assert [b"before" in bodies[0], b"after" in bodies[1], len(bodies)] == [True, True, 2]


async def test_a_unit_that_breaks_a_constraint_takes_nothing_with_it(
    store: SqliteStore, clock: HandClock
) -> None:
    async def broken(unit: Unit) -> None:
        await noting(clock, "never")(unit)
        await unit.keep_first_answer("ada", "key", verb="request", input_digest="", escalation_id="esc_none")

    with pytest.raises(Exception, match="FOREIGN KEY"):
        await store.write(broken)
    await store.write(noting(clock, "after"))
    assert await size_of(store) == 1


async def test_256_callers_share_few_transactions(store: SqliteStore, clock: HandClock) -> None:
    began: list[int] = []
    heads: set[int] = set()

    async def work(unit: Unit) -> int:
        began.append(1)
        heads.add(id(unit._batch))
        return await unit.record(Draft("test.noted", clock.now(), SYSTEM, {}))

    seqs: list[int] = []

    async def call() -> None:
        seqs.append(await store.write(work))

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            for _ in range(256):
                tasks.start_soon(call)
    assert sorted(seqs) == list(range(256))
    assert len(heads) <= 3
    assert await size_of(store) == 256


async def test_the_work_of_a_cancelled_caller_lands_whole(store: SqliteStore, clock: HandClock) -> None:
    entered, go_on = anyio.Event(), anyio.Event()

    async def slow(unit: Unit) -> None:
        await noting(clock, "first half")(unit)
        entered.set()
        await go_on.wait()
        await noting(clock, "second half")(unit)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(store.write, slow)
            await entered.wait()
            tasks.cancel_scope.cancel()
        go_on.set()
        await store.write(noting(clock, "next"))
    assert await size_of(store) == 3


async def test_what_waits_in_line_when_the_store_closes_is_still_written(
    opener: Opener, tmp_path: Path, clock: HandClock
) -> None:
    results: list[int] = []

    async def call(store: SqliteStore) -> None:
        results.append(await store.write(noting(clock, "late")))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks, opener(tmp_path, clock) as store:
            for _ in range(10):
                tasks.start_soon(call, store)
            await anyio.lowlevel.checkpoint()
    assert sorted(results) == list(range(10))
    with pytest.raises(StoreUnavailable):
        await store.write(noting(clock, "too late"))
    async with opener(tmp_path, clock) as store:
        assert await size_of(store) == 10


async def test_a_server_that_is_cancelled_closes_its_store_and_keeps_what_was_in_line(
    opener: Opener, tmp_path: Path, clock: HandClock
) -> None:
    """Ctrl-C cancels the task that holds the store open."""
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:

            async def serve() -> None:
                async with opener(tmp_path, clock) as store, anyio.create_task_group() as callers:
                    for _ in range(5):
                        callers.start_soon(store.write, noting(clock, "in line"))
                    await anyio.lowlevel.checkpoint()
                    tasks.cancel_scope.cancel()
                    await anyio.sleep_forever()

            tasks.start_soon(serve)
    with anyio.fail_after(5):
        async with opener(tmp_path, clock) as store:
            assert await size_of(store) == 5


async def test_everything_is_there_again_after_reopening(
    opener: Opener, tmp_path: Path, clock: HandClock
) -> None:
    async with opener(tmp_path, clock) as store:
        for word in ("one", "two", "three"):
            await store.write(noting(clock, word))
        async with store.reading() as reader:
            before = await reader.head()
    async with opener(tmp_path, clock) as store, store.reading() as reader:
        assert await reader.head() == before


def adding(name: str, key_hash: bytes) -> Callable[[Unit], Any]:
    async def work(unit: Unit) -> Agent:
        agent = Agent(unit.new_id("agt"), name, None, unit.now)
        await unit.add_agent(agent, key_hash)
        return agent

    return work


async def test_whoever_looks_for_an_agent_finds_what_is_committed_at_that_moment(
    opener: Opener, tmp_path: Path, clock: HandClock
) -> None:
    """Two stores on one database are two processes to each other."""
    first, second = b"1" * 32, b"2" * 32
    async with opener(tmp_path, clock) as mine, opener(tmp_path, clock) as other:
        assert await mine.agent("agt_nobody") is None
        assert await mine.agent_by_key(first) is None
        ada = await other.write(adding("Ada", first))
        assert await mine.agent(ada.id) == ada
        assert await mine.agent_by_key(first) == ada

        async def rotate(unit: Unit) -> None:
            await unit.set_agent_key(ada.id, second)
            # Not committed yet, so nobody else may see it.
            assert await mine.agent_by_key(first) == ada
            assert await mine.agent_by_key(second) is None

        await other.write(rotate)
        assert await mine.agent_by_key(first) is None
        assert await mine.agent_by_key(second) == ada


async def test_a_move_from_a_version_that_is_past_changes_nothing(desk_case: DeskCase) -> None:
    desk_store, stale = desk_case

    async def move(unit: Unit) -> None:
        from signoff.domain.escalation import cancelled

        await unit.apply(cancelled(stale, by=SYSTEM, reason=b"{}", now=unit.now))

    await desk_store.write(move)
    size = await size_of(desk_store)
    with pytest.raises(Conflict):
        await desk_store.write(move)
    assert await size_of(desk_store) == size


async def test_a_waiter_is_woken_by_a_commit_and_not_by_another_case(
    store: SqliteStore, clock: HandClock
) -> None:
    with anyio.fail_after(5):
        async with store.watch("esc_mine") as mine, store.watch("esc_other") as other:
            await store.write(noting(clock, "moved", "esc_mine"))
            assert await mine.wait(5)
            assert not await other.wait(0)


async def test_a_waiter_is_not_woken_by_what_was_rolled_back(store: SqliteStore, clock: HandClock) -> None:
    async def regretted(unit: Unit) -> None:
        await noting(clock, "moved", "esc_mine")(unit)
        raise KeyError

    async with store.watch("esc_mine") as mine:
        with pytest.raises(KeyError):
            await store.write(regretted)
        assert not await mine.wait(0)


async def test_event_times_never_decrease_though_the_clock_goes_back(
    store: SqliteStore, clock: HandClock
) -> None:
    nows = []
    for step in (0, 100, -5000, 1, 10_000):
        clock.advance(step)

        async def work(unit: Unit) -> None:
            nows.append(unit.now)
            await unit.record(Draft("test.noted", clock.now(), SYSTEM, {}))

        await store.write(work)
    assert nows == sorted(nows)
    async with store.reading() as reader:
        assert from_text((await reader.head()).at) == nows[-1]
        assert (await reader.head()).at == to_text(clock.now())


async def test_a_reader_that_fails_is_lent_again(store: SqliteStore) -> None:
    for _ in range(8):
        with pytest.raises(ZeroDivisionError):
            async with store.reading():
                raise ZeroDivisionError
    with anyio.fail_after(5):
        async with store.reading() as reader:
            assert await reader.count() == 0


async def test_a_snapshot_sees_one_state_while_others_write(store: SqliteStore, clock: HandClock) -> None:
    await store.write(noting(clock, "one"))
    async with store.snapshot() as reader:
        await store.write(noting(clock, "two"))
        events = [event async for page in reader.events() for event in page]
        assert len(events) == await reader.count() == 1
    assert await size_of(store) == 2


DeskCase = tuple[SqliteStore, Escalation]


@pytest.fixture
async def desk_case(store: SqliteStore, clock: HandClock) -> DeskCase:
    """A store with one open case."""
    from tests.domain.moves import opened_case

    from signoff.domain.people import Agent

    ada = Agent("agt_ada", "Ada", None, clock.now())
    change = opened_case(ada, clock.now())
    case = await store.write(lambda unit: unit.apply(change))
    return store, case
