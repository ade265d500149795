"""A new home, from the first line that `signoff serve` prints to the second sign-in."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import anyio
import httpx2
from tests.cli.conftest import running, serving

from signoff.config import Config

LINK = re.compile(r"http://\S+/d/lnk_\S+#\S+")


def browser(config: Config) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        base_url=config.base_url, headers={"Origin": config.base_url, "Sec-Fetch-Site": "same-origin"}
    )


async def open_link(client: httpx2.AsyncClient, url: str) -> httpx2.Response:
    parts = urlsplit(url)
    return await client.post(parts.path, data={"secret": parts.fragment})


async def test_whoever_installs_signoff_gets_in_by_the_printed_link_and_back_by_their_name(
    config: Config,
) -> None:
    with anyio.fail_after(45):
        async with running(config.home, "serve") as server, browser(config) as dana:
            link = LINK.search(await server.read_until("Ctrl-C ends it"))
            assert link is not None
            assert (await open_link(dana, link[0])).headers["location"] == "/set-up"
            topic = {"address": "ntfys://ntfy.example.com/dana"}
            assert (await dana.post("/set-up/name", data={"name": "Dana"})).status_code == 303
            assert (await dana.post("/set-up/address", data={"address": "json://x"})).status_code == 422
            assert "ntfys" not in (await dana.get("/set-up")).text.split("Now:")[1][:100]
            assert await server.end() == 0
        async with serving(config.home) as server, browser(config) as dana:
            assert (await dana.post("/sign-in/link", data={"name": "dana"})).status_code == 200
            said = await server.read_until("/d/lnk_")
            again = LINK.search(said)
            assert again is not None
            assert (await open_link(dana, again[0])).headers["location"] == "/"
            assert (await dana.post("/set-up/address", data=topic)).status_code == 404


async def test_a_second_start_before_anybody_signed_in_prints_another_link(config: Config) -> None:
    with anyio.fail_after(45):
        async with running(config.home, "serve") as server:
            first = LINK.search(await server.read_until("Ctrl-C ends it"))
        async with running(config.home, "serve") as server, browser(config) as client:
            second = LINK.search(await server.read_until("Ctrl-C ends it"))
            assert first is not None
            assert second is not None
            assert (await open_link(client, first[0])).status_code == 403
            assert (await open_link(client, second[0])).status_code == 303
            assert await server.end() == 0
        async with running(config.home, "serve") as server:
            assert LINK.search(await server.read_until("Ctrl-C ends it")) is None
