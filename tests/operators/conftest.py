"""Browsers without a browser: each speaks to the pages in process and keeps its own cookies."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.types import ASGIApp

from signoff.desk.deliver import lease
from signoff.desk.desk import Desk
from signoff.desk.request import request_approval
from signoff.desk.sign_in import issue_sign_in_link
from signoff.domain.bundle import read_action, read_material
from signoff.domain.people import Agent
from signoff.operators.web import build_pages

WIRE = {
    "tool": "wire_transfer",
    "arguments": {"amount": 12000, "country": "FR"},
    "summary": "Pay the invoice",
}


class Visitor(httpx.AsyncClient):
    """Someone with a browser."""

    async def open_link(self, url: str) -> httpx.Response:
        """Do what the link's page does on a click."""
        parts = urlsplit(url)
        return await self.post(parts.path, data={"secret": parts.fragment})

    async def form(self, case: str) -> dict[str, str]:
        """Return the hidden fields that every form of a case page carries."""
        return hidden_fields((await self.get(f"/cases/{case}")).text)

    async def decide(self, case: str, **fields: str) -> httpx.Response:
        """Load the case page, then send a decision from it."""
        return await self.post(f"/cases/{case}/decide", data={**await self.form(case), **fields})


def hidden_fields(page: str) -> dict[str, str]:
    """Return version and view digest from a page."""
    return dict(re.findall(r'name="(version|view_digest)" value="([^"]*)"', page))


def text_of(page: str) -> str:
    """Return what a page says, without its tags."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())


@pytest.fixture
def pages(desk: Desk) -> ASGIApp:
    return build_pages(desk)


NewVisitor = Callable[[], Visitor]


@pytest.fixture
async def visitor(desk: Desk, pages: ASGIApp) -> AsyncGenerator[NewVisitor]:
    """Return what makes browsers; all of them are closed in the end."""
    made: list[Visitor] = []
    url = desk.settings.base_url

    def one() -> Visitor:
        # raise_app_exceptions stays on: whatever the pages let through would be a defect of theirs.
        visitor = Visitor(
            transport=httpx.ASGITransport(pages),
            base_url=url,
            headers={"Origin": url, "Sec-Fetch-Site": "same-origin"},
        )
        made.append(visitor)
        return visitor

    yield one
    for client in made:
        await client.aclose()


SignedIn = Callable[[str], Any]


@pytest.fixture
def signed_in(desk: Desk, visitor: NewVisitor, cast: Any) -> SignedIn:
    """Return what signs one of the cast in, in a browser of their own."""

    async def one(name: str) -> Visitor:
        browser = visitor()
        response = await browser.open_link(await issue_sign_in_link(desk, name))
        assert response.status_code == 303
        return browser

    return one


async def ask(desk: Desk, agent: Agent, action: Any = None, material: Any = None, **more: Any) -> str:
    """Open a case as its agent does, and return its id."""
    answer = await request_approval(desk, agent, read_action(action or WIRE), read_material(material), **more)
    return answer.escalation_id


async def case_link(desk: Desk, name: str) -> str:
    """Return the link that an alert brings to a person."""
    errands = [one for one in await lease(desk, "test") if one.person.name == name]
    return errands[0].link_url
