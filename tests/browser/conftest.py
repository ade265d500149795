"""A real server on a real port, real Chromium, and cases worth looking at."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
import uvicorn
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from signoff.desk.desk import Desk, DeskSettings
from signoff.desk.request import request_approval
from signoff.domain.bundle import read_action, read_material
from signoff.domain.people import Agent
from signoff.operators.alerting import Alerting
from signoff.operators.web import build_pages

WHOLE = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
"""A Chromium with everything that people have in theirs: only this one shows notifications."""
CHROMIUM = shutil.which("chromium-headless-shell") or WHOLE
"""Its engine without its windows, where it is installed: half the processor time."""
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

POLICY = """\
version: 1
queues:
  payments:
    tiers:
      - alert: [role:operator]
triggers:
  - id: large-refund
    title: Refund above 500
    category: value
    tools: [refund_payment]
    when: action.arguments.amount_eur > 500
    then: escalate
    queue: payments
    urgency: high
    explain: "{{action.arguments.amount_eur}} EUR to {{bundle.subject.name}}"
  - id: unsure
    title: The agent is not sure
    category: uncertainty
    when: has(bundle.confidence) && bundle.confidence < 0.7
    then: escalate
  - id: any-mail
    title: Mail leaves the company
    tools: [send_mail]
    then: escalate
  - id: production
    title: Change to production
    tools: [run_sql]
    then: escalate
    urgency: critical
    require: {role: operator, approvals: 2, reason: true}
"""

REFUND = {
    "tool": "refund_payment",
    "server": "stripe",
    "summary": "Refund the March invoice to Dana Whitfield, who was charged twice",
    "arguments": {
        "payment_id": "pi_3PqX7a2eZvKYlo2C",
        "amount_eur": 1240,
        "reason": "duplicate",
        "notify_customer": True,
        "lines": [
            {"invoice": "2026-0311", "amount_eur": 620},
            {"invoice": "2026-0312", "amount_eur": 620},
        ],
        "message": "Dear Dana,\n\nwe are sorry: your March invoice was charged twice. The second charge of 1,240 EUR"
        " is on its way back to your card and should arrive within five days.\n\nKind regards\nYour support team",
    },
}
REFUND_MATERIAL = {
    "subject": {"id": "cus_88213", "name": "Dana Whitfield", "tier": "business", "region": "EU"},
    "confidence": 0.62,
    "confidence_source": "self_report",
    "risk": {"reversible": False, "blast_radius": "one customer, one payment"},
    "reasoning": [
        {"kind": "thought", "text": "The customer says that the March invoice was charged twice."},
        {
            "kind": "tool_call",
            "tool": "list_charges",
            "arguments": {"customer": "cus_88213", "since": "2026-03-01"},
            "at": "2026-11-23T20:29:40Z",
        },
        {
            "kind": "tool_result",
            "tool": "list_charges",
            "ms": 412,
            "result": [
                {"id": "pi_3PqX7a2eZvKYlo2C", "amount_eur": 1240, "on": "2026-03-03"},
                {"id": "pi_3PqXbK2eZvKYlo2C", "amount_eur": 1240, "on": "2026-03-04"},
            ],
        },
        {"kind": "tool_call", "tool": "get_invoice", "arguments": {"number": "2026-0311"}},
        {"kind": "tool_result", "tool": "get_invoice", "is_error": True, "text": "Timed out after 10 s."},
        {"kind": "thought", "text": "Two charges of the same amount one day apart. I cannot see the invoice itself."},
    ],
    "messages": [
        {"role": "system", "content": "You are the support agent of Northwind Books. Be brief and kind."},
        {"role": "user", "content": "You took 1,240 EUR from my card twice in March. I want one of them back, today."},
        {"role": "assistant", "content": "I am sorry about that. Let me look at your charges.",
         "tool_calls": [{"id": "c1", "tool": "list_charges", "arguments": {"customer": "cus_88213"}}]},
        {"role": "user", "content": "Please hurry. I have been a customer for nine years."},
    ],
    "state": {"ticket": "T-20417", "step": "refund", "channel": "chat"},
}  # fmt: skip
REFUND_RESPONSE = {
    "type": "object",
    "required": ["root_cause"],
    "properties": {
        "root_cause": {
            "title": "What went wrong?",
            "enum": ["our billing", "the bank", "the customer", "not known"],
        },
        "goodwill_eur": {"title": "Goodwill on top, in EUR", "type": "integer", "minimum": 0, "maximum": 50},
    },
}


@pytest.fixture(scope="package", autouse=True)
async def launched() -> AsyncGenerator[Browser]:
    """Chromium, started once; every visitor has a profile of their own."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium: make chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture
async def chromium(launched: Browser, request: pytest.FixtureRequest) -> AsyncGenerator[Browser]:
    """The browser; whoever came with it leaves when the test ends."""
    if request.node.get_closest_marker("whole_chromium") is None:
        yield launched
        await everybody_leaves(launched)
    elif WHOLE is None:
        pytest.skip("there is no Chromium that shows notifications: make chromium")
    else:
        browser = await launched.browser_type.launch(executable_path=WHOLE, args=ARGUMENTS)
        yield browser
        await browser.close()


async def everybody_leaves(browser: Browser) -> None:
    """Close every profile: the next test begins with none."""
    for context in browser.contexts:
        await context.close()


@pytest.fixture
def policy_path(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY, encoding="utf-8")
    return path


@pytest.fixture
def listening() -> Generator[socket.socket]:
    """A socket that listens already, so that its port is known before the desk is made."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.setblocking(False)
        yield made


@pytest.fixture
def settings(listening: socket.socket) -> DeskSettings:
    return DeskSettings(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", undo_s=10)


@dataclass(frozen=True)
class Site:
    """A server that runs, and a browser to visit it with."""

    desk: Desk
    browser: Browser

    @property
    def url(self) -> str:
        return self.desk.settings.base_url

    async def visitor(self, **options: Any) -> BrowserContext:
        """Return a browser profile of its own: a person, or a scanner."""
        context = await self.browser.new_context(**options)
        context.set_default_timeout(8000)
        return context

    async def page(self, **options: Any) -> Page:
        return await (await self.visitor(**options)).new_page()


@asynccontextmanager
async def served(pages: Any, listening: socket.socket) -> AsyncGenerator[None]:
    """Serve pages; however the test ends, the server ends by itself: the event loop is the next test's, too."""
    server = uvicorn.Server(uvicorn.Config(pages, log_config=None, lifespan="off", ws="none"))
    ended = anyio.Event()

    async def serve() -> None:
        await server.serve([listening])
        ended.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        try:
            yield
        finally:
            server.should_exit = True
            with anyio.CancelScope(shield=True):
                await ended.wait()


Visit = Callable[[], AbstractAsyncContextManager[Site]]


@pytest.fixture
def page_alerting() -> Alerting | None:
    """What sends test alerts and subscribes browsers; nothing, where a test does not say otherwise."""
    return None


@pytest.fixture
def visit(desk: Desk, listening: socket.socket, page_alerting: Alerting | None, chromium: Browser) -> Visit:
    """Return what starts the server; entered in the test itself, for task groups belong to one task."""

    @asynccontextmanager
    async def started() -> AsyncGenerator[Site]:
        async with served(build_pages(desk, page_alerting), listening):
            try:
                yield Site(desk, chromium)
            finally:
                await everybody_leaves(chromium)

    return started


@pytest.fixture
def screenshots(tmp_path: Path) -> Path:
    """Where screenshots go; never into the repository."""
    folder = Path(os.environ.get("SIGNOFF_SCREENSHOTS", tmp_path / "screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


async def ask(desk: Desk, agent: Agent, action: Any, material: Any = None, **more: Any) -> str:
    """Open a case as its agent does, and return its id."""
    answer = await request_approval(desk, agent, read_action(action), read_material(material), **more)
    assert answer.status == "pending"
    return answer.escalation_id
