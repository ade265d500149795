"""Each starter policy as an agent meets it over MCP, with a history that really was recorded."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client
from tests._support.clock import HandClock
from tests.agents.conftest import Decide, ServerFor, given
from tests.conftest import Cast

from signoff.domain.decision import Answer
from signoff.triggers.starters import STARTERS, starter_policy

HOUR = 3600
_TUESDAY = datetime(2026, 11, 24, 10, tzinfo=UTC)
"""In working hours."""


@pytest.fixture
def clock() -> HandClock:
    made = HandClock()
    made.at = _TUESDAY
    return made


@pytest.fixture
def policy_path(tmp_path: Path, starter: str) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(starter_policy(starter), encoding="utf-8")
    return path


async def check(client: Client, tool: str, *, about: str | None = None, **arguments: Any) -> dict[str, str]:
    """Return what a check says: `verdict`, and the explanation of every trigger by its id."""
    sent: dict[str, Any] = {"action": {"tool": tool, "arguments": arguments}}
    if about is not None:
        sent["bundle"] = {"subject": {"id": about}}
    told = given(await client.call_tool("check_triggers", sent))
    return {"verdict": told["verdict"], **{one["trigger"]: one["explanation"] for one in told["triggers"]}}


async def request(client: Client, tool: str, *, about: str | None = None, **arguments: Any) -> str:
    sent: dict[str, Any] = {"action": {"tool": tool, "arguments": arguments}}
    if about is not None:
        sent["bundle"] = {"subject": {"id": about}}
    case: str = given(await client.call_tool("request_approval", sent))["escalation_id"]
    return case


@pytest.mark.parametrize("starter", ["general"])
async def test_under_general_an_agent_refunds_a_little_and_asks_about_much(
    server_for: ServerFor, cast: Cast, starter: str
) -> None:
    async with Client(server_for(cast.ada)) as client:
        assert await check(client, "refund_order", amount=20) == {"verdict": "allow"}
        assert await check(client, "refund_order", amount=900) == {
            "verdict": "escalate",
            "large-amount": "900 in one go",
        }
        assert await check(client, "list_transfers") == {"verdict": "allow", "only-reads": "Only reads"}


@pytest.mark.parametrize("starter", ["support"])
async def test_under_support_the_third_refund_to_a_customer_waits_until_one_no_longer_counts(
    server_for: ServerFor, cast: Cast, decide_as: Decide, clock: HandClock, starter: str
) -> None:
    third = {"verdict": "escalate", "third-refund": "refund number 3 in 30 days"}
    async with Client(server_for(cast.ada)) as client:
        for order in ("A-1", "A-2"):
            said = await check(client, "refund_order", about="c1", order=order, amount_cents=300)
            assert said == {"verdict": "allow"}
        assert await check(client, "refund_order", about="c1", order="A-3", amount_cents=300) == third
        assert await check(client, "refund_order", about="c2", order="A-4", amount_cents=300) == {
            "verdict": "allow"
        }

        # A refund that a person rejects is none.
        case = await request(client, "refund_order", about="c1", order="A-3", amount_cents=300)
        await decide_as(cast.omar, case, Answer("reject", note="twice is enough"))
        assert await check(client, "refund_order", about="c1", order="A-5", amount_cents=300) == third

        clock.advance(30 * 24 * HOUR)
        assert await check(client, "refund_order", about="c1", order="A-6", amount_cents=300) == {
            "verdict": "allow"
        }


@pytest.mark.parametrize("starter", ["support"])
async def test_under_support_refunds_add_up_to_the_cent(
    server_for: ServerFor, cast: Cast, starter: str
) -> None:
    async with Client(server_for(cast.ada)) as client:
        said = await check(client, "credit_account", about="c1", amount_cents=5000)
        assert said == {"verdict": "allow"}
        said = await check(client, "refund_order", about="c1", order="A-1", amount_cents=10001)
        assert said["refunds-add-up"] == "15001 cents in 30 days, this one included"


@pytest.mark.parametrize("starter", ["payments"])
async def test_under_payments_a_large_sum_in_parts_is_noticed_and_so_is_the_same_bill_twice(
    server_for: ServerFor, cast: Cast, starter: str
) -> None:
    async with Client(server_for(cast.ada)) as client:
        for number in range(10):
            said = await check(
                client, "send_payment", payee="payee_landlord", amount_cents=99_900, reference=number
            )
            assert said == {"verdict": "allow", "small": "Up to 1,000.00"}
        said = await check(client, "send_payment", payee="payee_landlord", amount_cents=99_900, reference=10)
        assert (said["verdict"], said["split-payments"]) == (
            "escalate",
            "1098900 cents in 7 days, this one included",
        )

        bill: dict[str, Any] = {"payee": "payee_electricity", "amount_cents": 8_100, "reference": "R-11"}
        assert (await check(client, "send_payment", **bill))["verdict"] == "allow"
        assert (await check(client, "send_payment", **bill))["paid-twice"] == "number 2 of the same payment"


@pytest.mark.parametrize("starter", ["privacy"])
async def test_under_privacy_the_sixth_person_is_too_many_and_so_is_the_eleventh_deletion(
    server_for: ServerFor, cast: Cast, starter: str
) -> None:
    async with Client(server_for(cast.ada)) as client:
        for number in range(5):
            for _ in range(2):  # the same person twice is one
                said = await check(client, "export_profile", about=f"c{number}")
                assert said == {"verdict": "allow"}
        said = await check(client, "export_profile", about="c5")
        assert said == {"verdict": "escalate", "exports-of-many": "6 people in a day"}

        for number in range(10):
            assert (await check(client, "delete_note", id=number))["verdict"] == "escalate"
        said = await check(client, "delete_note", id=10)
        assert (said["verdict"], said["mass-deletion"]) == ("deny", "11 in an hour")


@pytest.mark.parametrize("starter", ["infrastructure"])
async def test_under_infrastructure_a_person_looks_once_things_fail(
    server_for: ServerFor, cast: Cast, decide_as: Decide, starter: str
) -> None:
    async with Client(server_for(cast.ada)) as client:
        for service in ("shop", "search", "mail"):
            said = await check(client, "restart", service=service, environment="staging")
            assert said == {"verdict": "allow", "not-production": "Not production, in working hours"}
            production = {"service": service, "environment": "production"}
            action = {"tool": "deploy", "arguments": production}
            case = await request(client, "deploy", **production)
            await decide_as(cast.omar, case, Answer("approve", note="go"))
            given(await client.call_tool("claim_approval", {"escalation_id": case, "action": action}))
            given(await client.call_tool("report_outcome", {"escalation_id": case, "outcome": "failed"}))
        said = await check(client, "restart", service="cart", environment="staging")
        assert (said["verdict"], said["things-fail"]) == ("escalate", "3 failed")


@pytest.mark.parametrize("starter", ["coding-agent"])
async def test_under_coding_agent_an_mcp_tool_is_known_once_a_person_approved_it(
    server_for: ServerFor, cast: Cast, decide_as: Decide, starter: str
) -> None:
    tool = "mcp__jira__create_issue"
    async with Client(server_for(cast.ada)) as client:
        assert await check(client, tool, title="A bug") == {
            "verdict": "escalate",
            "new-mcp-tool": f"“{tool}”",
        }
        case = await request(client, tool, title="A bug")
        await decide_as(cast.omar, case, Answer("approve"))
        assert await check(client, tool, title="Another bug") == {"verdict": "allow"}

        for _ in range(9):
            assert await check(client, "Bash", command="pytest -q") == {"verdict": "allow"}
        said = await check(client, "Bash", command="pytest -q")
        assert said == {"verdict": "escalate", "looping": "asked 10 times"}


def test_every_starter_is_driven_here() -> None:
    text = Path(__file__).read_text("utf-8")

    assert [name for name in STARTERS if f'"starter", ["{name}"]' not in text] == []
