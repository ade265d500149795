"""Pages that follow what happens: what the stream tells whom, and when it ends."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from starlette.types import ASGIApp
from tests._support.cases import approve, second_hand
from tests._support.clock import HandClock
from tests.conftest import Cast
from tests.operators.conftest import NewVisitor, SignedIn, Visitor, ask, case_link, text_of
from tests.promises import promise

from signoff.desk.close import cancel
from signoff.desk.desk import Desk
from signoff.desk.handle import acknowledge, move_to_queue
from signoff.desk.people import add_person, disable_person
from signoff.desk.presence import PRESENT_FOR, come
from signoff.domain.errors import NotFound
from signoff.operators import live
from signoff.operators.streams import MOST_STREAMS, Streams
from signoff.operators.web import build_pages
from signoff.store.unit import Unit


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell at once what happens."""
    monkeypatch.setattr(live, "GATHER_S", 0.0)


@pytest.fixture
def streams() -> Streams:
    return Streams()


@pytest.fixture
def pages(desk: Desk, streams: Streams) -> ASGIApp:
    return build_pages(desk, streams=streams)


class Follower:
    """A page that follows: the status it got, and each event as it comes."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self._events: deque[tuple[str, Any]] = deque()
        self._came = anyio.Event()
        self.gone = anyio.Event()
        self.over = anyio.Event()

    async def heard(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        for part in message.get("body", b"").decode().split("\n\n"):
            if part.startswith("event: "):
                name, _, data = part.partition("\n")
                self._events.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
                self._came.set()

    async def _next(self) -> tuple[str, Any]:
        while not self._events:
            await self._came.wait()
            self._came = anyio.Event()
        return self._events.popleft()

    async def hears(self, until: Callable[[Any], bool] = lambda data: True) -> Any:
        """Return the next state that is as wanted."""
        with anyio.fail_after(5):
            while True:
                name, data = await self._next()
                if name == "state" and until(data):
                    return data

    async def hears_the_end(self) -> None:
        with anyio.fail_after(5):
            while (await self._next())[0] != "end":
                pass
            await self.over.wait()


Following = Callable[..., AbstractAsyncContextManager[Follower]]


@pytest.fixture
def following(pages: ASGIApp, desk: Desk) -> Following:
    """Return what opens a stream in somebody's browser, and goes away at the end."""

    @asynccontextmanager
    async def opened(
        browser: Visitor, query: str = "", *, accept: str = "text/event-stream"
    ) -> AsyncGenerator[Follower]:
        follower = Follower()
        cookie = "; ".join(f"{one.name}={one.value}" for one in browser.cookies.jar)
        headers = {"host": desk.settings.base_url.removeprefix("http://"), "cookie": cookie, "accept": accept}
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
            "method": "GET", "path": "/live", "raw_path": b"/live", "root_path": "", "scheme": "http",
            "query_string": query.encode(), "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8717),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }  # fmt: skip
        asked = False

        async def receive() -> Any:
            nonlocal asked
            if not asked:
                asked = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await follower.gone.wait()
            return {"type": "http.disconnect"}

        async def run() -> None:
            await pages(scope, receive, follower.heard)
            follower.over.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            yield follower
            follower.gone.set()
            with anyio.fail_after(5):
                await follower.over.wait()

    return opened


async def test_an_inbox_is_told_of_a_new_case_and_of_its_end(
    desk: Desk, cast: Cast, signed_in: SignedIn, following: Following
) -> None:
    async with following(await signed_in("Omar")) as page:
        first = await page.hears()
        assert (page.status, page.headers["content-type"].partition(";")[0]) == (200, "text/event-stream")
        assert page.headers["cache-control"] == "no-store"
        assert (first["waiting"], first["unread"]) == (0, 0)

        case = await ask(desk, cast.ada)
        told = await page.hears(lambda data: data["waiting"] == 1)
        assert told["unread"] == 1
        assert told["sign"] != first["sign"]

        await acknowledge(desk, cast.sofia, case)
        held = await page.hears(lambda data: data["sign"] != told["sign"])

        await approve(desk, cast.omar, case)
        assert (await page.hears(lambda data: data["waiting"] == 0))["sign"] != held["sign"]


async def test_the_page_says_what_the_stream_says_so_that_no_change_falls_between(
    desk: Desk, cast: Cast, signed_in: SignedIn, following: Following
) -> None:
    await ask(desk, cast.ada)
    omar = await signed_in("Omar")
    page = (await omar.get("/")).text
    async with following(omar) as stream:
        assert f'data-sign="{(await stream.hears())["sign"]}"' in page


@promise("only-that-human")
async def test_nobody_is_told_of_another_queue(
    desk: Desk, cast: Cast, signed_in: SignedIn, following: Following, policy_path: Path
) -> None:
    text = (await anyio.Path(policy_path).read_text()).replace(
        "queues:\n", "queues:\n  refunds:\n    tiers:\n      - alert: [role:operator]\n"
    )
    await anyio.Path(policy_path).write_text(text)
    await add_person(desk, "Olga", roles=["operator"], queues=["refunds"])
    async with following(await signed_in("Olga")) as page:
        await page.hears()
        case = await ask(desk, cast.ada)
        await come(desk, cast.sofia, case)
        await approve(desk, cast.sofia, case)
        # What is of no queue of hers changes nothing for her; what is, is heard, and alone.
        await ask(desk, cast.ada, {"tool": "sell_company", "arguments": {}})
        await move_to_queue(desk, cast.sofia, await ask(desk, cast.bea), queue="refunds")
        told = await page.hears(lambda data: data["waiting"])
    assert (told["waiting"], told["unread"]) == (1, 1)


@promise("only-that-human")
async def test_a_case_that_is_not_theirs_is_followed_by_nobody(
    desk: Desk, cast: Cast, signed_in: SignedIn, visitor: NewVisitor, following: Following
) -> None:
    await add_person(desk, "Olga", roles=["operator"], queues=["refunds"])
    case = await ask(desk, cast.ada)
    by_link = visitor()
    await by_link.open_link(await case_link(desk, "Omar"))
    other = await ask(desk, cast.ada)
    for browser, query, status in (
        (await signed_in("Olga"), f"case={case}", 404),
        (await signed_in("Omar"), "case=esc_0", 404),
        (visitor(), "", 401),
        (visitor(), f"case={case}", 401),
        (by_link, "", 403),
        (by_link, f"case={other}", 404),
    ):
        async with following(browser, query) as page:
            with anyio.fail_after(5):
                await page.over.wait()
        assert page.status == status
    async with following(by_link, f"case={case}") as page:
        assert (await page.hears())["status"] == "pending"


async def test_whoever_has_a_case_open_is_seen_by_the_others_until_they_go(
    desk: Desk, cast: Cast, signed_in: SignedIn, following: Following
) -> None:
    case = await ask(desk, cast.ada)
    omar, sofia = await signed_in("Omar"), await signed_in("Sofia")
    async with following(omar, f"case={case}") as his:
        assert (await his.hears())["present"] == []
        async with following(sofia, f"case={case}") as hers:
            assert (await hers.hears())["present"] == ["Omar"]
            assert (await his.hears(lambda data: data["present"]))["present"] == ["Sofia"]
            assert "Sofia has this open, too." in text_of((await omar.get(f"/cases/{case}")).text)
            assert "Omar has it open" in text_of((await sofia.get("/")).text)
            assert "Omar has it open" not in text_of((await omar.get("/")).text)
        assert (await his.hears(lambda data: not data["present"]))["present"] == []


async def test_without_script_opening_a_case_counts_for_a_while(
    desk: Desk, cast: Cast, signed_in: SignedIn, clock: HandClock
) -> None:
    case = await ask(desk, cast.ada)
    omar, sofia = await signed_in("Omar"), await signed_in("Sofia")
    await sofia.get(f"/cases/{case}")
    assert "Sofia has this open, too." in text_of((await omar.get(f"/cases/{case}")).text)

    clock.advance(PRESENT_FOR.total_seconds() + 1)

    assert "Sofia has this open" not in text_of((await omar.get(f"/cases/{case}")).text).partition("{a}")[0]


async def test_presence_leaves_no_event_and_is_kept_for_open_cases_only(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    case = await ask(desk, cast.ada)
    async with desk.store.reading() as reader:
        before = await reader.head()
    await come(desk, cast.omar, case)
    async with desk.store.reading() as reader:
        assert await reader.head() == before
        assert len(await reader.inbox.present_anywhere(clock.now() - PRESENT_FOR)) == 1
    other = await ask(desk, cast.ada)
    await cancel(desk, cast.ada, other, reason="x")
    await come(desk, cast.omar, other)
    clock.advance(60)
    await come(desk, cast.sofia, case)
    async with desk.store.reading() as reader:
        held = await reader.inbox.present_anywhere(clock.now() - PRESENT_FOR * 10)
    assert [(one.escalation_id, one.name) for one in held] == [(case, "Sofia")]
    with pytest.raises(NotFound):
        await come(desk, cast.omar, "esc_0")


async def test_a_case_page_is_told_who_decided(
    desk: Desk, cast: Cast, signed_in: SignedIn, following: Following
) -> None:
    case = await ask(desk, cast.ada)
    async with following(await signed_in("Omar"), f"case={case}") as page:
        await page.hears()
        await approve(desk, cast.sofia, case)
        told = await page.hears(lambda data: data["status"] != "pending")
    assert (told["status"], told["decided_by"], told["mine"]) == ("approved", ["Sofia"], False)


async def test_what_another_process_writes_is_told_too(
    desk: Desk, cast: Cast, signed_in: SignedIn, following: Following, tmp_path: Path
) -> None:
    async with following(await signed_in("Omar")) as page:
        first = await page.hears()
        with second_hand(tmp_path / "signoff.db") as db:
            db.execute("INSERT INTO waiting_in VALUES ('payments', 7)")
        told = await page.hears(lambda data: data["sign"] != first["sign"])
    assert told["waiting"] == 7


@promise("only-that-human")
@pytest.mark.parametrize("how", ["signed out", "disabled", "expired"])
async def test_a_stream_ends_with_its_session(
    desk: Desk, cast: Cast, signed_in: SignedIn, following: Following, clock: HandClock, how: str
) -> None:
    omar = await signed_in("Omar")
    async with following(omar) as page:
        await page.hears()
        if how == "signed out":
            await omar.post("/sign-out")
        elif how == "disabled":
            await disable_person(desk, "Omar")
        else:
            clock.advance(13 * 3600)
        await ask(desk, cast.ada)
        await page.hears_the_end()


async def test_streams_end_at_once_when_the_server_stops(
    desk: Desk, cast: Cast, signed_in: SignedIn, following: Following, streams: Streams
) -> None:
    case = await ask(desk, cast.ada)
    omar = await signed_in("Omar")
    async with following(omar) as inbox, following(omar, f"case={case}") as page:
        await inbox.hears()
        await page.hears()
        streams.end()
        with anyio.fail_after(5):
            await inbox.over.wait()
            await page.over.wait()
        async with following(omar) as late:
            with anyio.fail_after(5):
                await late.over.wait()
        assert late.status == 429
    assert streams.by_session == {}


async def test_a_session_has_so_many_streams_and_no_more(
    desk: Desk, cast: Cast, signed_in: SignedIn, following: Following, streams: Streams
) -> None:
    omar, sofia = await signed_in("Omar"), await signed_in("Sofia")
    async with following(omar) as first:
        await first.hears()
        (session,) = streams.by_session
        for _ in range(MOST_STREAMS - 1):
            assert streams.take(session)
        async with following(omar) as refused:
            with anyio.fail_after(5):
                await refused.over.wait()
        assert (refused.status, refused.headers["retry-after"]) == (429, "30")
        async with following(sofia) as other:
            await other.hears()


async def test_whoever_does_not_follow_is_not_kept_waiting(
    desk: Desk, cast: Cast, signed_in: SignedIn
) -> None:
    response = await (await signed_in("Omar")).get("/live")

    assert response.status_code == 406


async def test_a_case_is_read_while_nothing_can_be_written(
    desk: Desk, cast: Cast, signed_in: SignedIn, following: Following
) -> None:
    case = await ask(desk, cast.ada)
    omar = await signed_in("Omar")
    desk.store.read_only = "The database is older than a checkpoint."
    async with following(omar, f"case={case}") as page:
        assert (await page.hears())["status"] == "pending"
    desk.store.read_only = None

    async def look(unit: Unit) -> Any:
        return await unit.inbox.present_anywhere(unit.now - PRESENT_FOR)

    assert await desk.store.write(look) == []
