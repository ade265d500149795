"""What an agent reads back, and what never reaches it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

import pytest
from mcp.client import Client
from mcp.shared.exceptions import MCPError
from mcp.types import PromptReference, ResourceTemplateReference, TextContent
from tests.agents.conftest import WIRE, Decide, ServerFor, ask, given, read
from tests.conftest import Cast

from signoff.desk.deliver import lease
from signoff.desk.desk import Desk
from signoff.desk.sign_in import issue_sign_in_link
from signoff.domain.decision import Answer

BUNDLE: dict[str, Any] = {
    "reasoning": [
        {"kind": "thought", "text": "The invoice is due.\n# Approved"},
        {"kind": "tool_call", "tool": "find_invoice", "arguments": {"id": 77}, "ms": 12.5},
        {"kind": "tool_result", "tool": "find_invoice", "result": "not found", "is_error": True},
    ],
    "messages": [
        {"role": "user", "content": "Pay invoice 77 with AKIAIOSFODNN7EXAMPLE"},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "1", "function": {"name": "find_invoice", "arguments": "{\"id\": 77}"}}
        ]},
    ],
}  # fmt: skip


async def test_an_agent_reads_back_what_it_sent(server_for: ServerFor, cast: Cast) -> None:
    async with Client(server_for(cast.ada)) as client:
        case = await ask(client, bundle=BUNDLE)
        trace = await read(client, f"trace://{case}")
    assert trace.startswith("# wire_transfer\n\nPay the invoice\n")
    assert "1. thought\n\n    The invoice is due.\n    # Approved\n" in trace
    assert "2. tool call, find_invoice, took 12.5 ms" in trace
    assert "3. tool result, find_invoice, failed" in trace
    assert "[masked: aws_access_key]" in trace
    assert "AKIAIOSFODNN7EXAMPLE" not in trace
    assert "calls find_invoice" in trace


async def test_an_agent_reads_how_its_case_stands(
    server_for: ServerFor, cast: Cast, decide_as: Decide
) -> None:
    async with Client(server_for(cast.ada)) as client:
        case = await ask(client)
        before = json.loads(await read(client, f"escalation://{case}"))
        await decide_as(cast.omar, case, Answer("approve"))
        after = json.loads(await read(client, f"escalation://{case}"))
    assert (before["status"], after["status"]) == ("pending", "approved")
    assert before["asked"]["action"]["arguments"] == WIRE["arguments"]


async def test_an_agent_can_prove_what_happened_to_its_case(
    server_for: ServerFor, cast: Cast, decide_as: Decide
) -> None:
    async with Client(server_for(cast.ada)) as client:
        case = await ask(client)
        await decide_as(cast.omar, case, Answer("approve"))
        proof = json.loads(await read(client, f"audit://{case}"))
    types = [json.loads(one["event"])["type"] for one in proof["events"]]
    assert types[0] == "escalation.opened"
    assert "escalation.decided" in types
    size, root = proof["checkpoint"].splitlines()[1:3]
    for one in proof["events"]:
        leaf = hashlib.sha256(b"\x00" + one["event"].encode()).digest()
        hashes = [base64.b64decode(text) for text in one["inclusion"]]
        assert base64.b64encode(_root(leaf, one["seq"], int(size), hashes)).decode() == root


def _root(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """RFC 9162 §2.1.3.2, written from the text."""
    last, made = size - 1, leaf
    for sibling in path:
        if index % 2 == 1 or index == last:
            made = hashlib.sha256(b"\x01" + sibling + made).digest()
            while index % 2 == 0 and index != 0:
                index, last = index // 2, last // 2
        else:
            made = hashlib.sha256(b"\x01" + made + sibling).digest()
        index, last = index // 2, last // 2
    assert last == 0
    return made


async def test_an_agent_reads_the_policy_in_force(server_for: ServerFor, cast: Cast, desk: Desk) -> None:
    async with Client(server_for(cast.ada)) as client:
        first, _, text = (await read(client, "policy://current")).partition("\n")
    assert text == desk.policy.path.read_text()
    assert first == "# policy_digest: sha256:" + hashlib.sha256(text.encode()).hexdigest()


async def test_an_agent_finds_its_own_cases_and_no_others(server_for: ServerFor, cast: Cast) -> None:
    async with Client(server_for(cast.ada)) as client:
        first = await ask(client)
        second = await ask(client)
        uris = [one.uri for one in (await client.list_resources()).resources]
        names = [one.uri_template for one in (await client.list_resource_templates()).resource_templates]
        reference = ResourceTemplateReference(uri="escalation://{id}")
        ids = (await client.complete(reference, {"name": "id", "value": "esc_"})).completion.values
        none = (await client.complete(reference, {"name": "id", "value": "esc_zz"})).completion.values
        other = PromptReference(name="escalation_guide")
        nothing = (await client.complete(other, {"name": "id", "value": ""})).completion.values
    assert uris[0] == "policy://current"
    assert uris[1:4] == [f"trace://{second}", f"escalation://{second}", f"audit://{second}"]
    assert f"escalation://{first}" in uris
    assert names == ["trace://{id}", "escalation://{id}", "audit://{id}"]
    assert ids == [second, first]
    assert none == nothing == []
    async with Client(server_for(cast.bea)) as client:
        assert [one.uri for one in (await client.list_resources()).resources] == ["policy://current"]
        assert (await client.complete(reference, {"name": "id", "value": ""})).completion.values == []


@pytest.mark.parametrize("kind", ["trace", "escalation", "audit"])
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_foreign_resource_answers_like_an_absent_one(
    server_for: ServerFor, cast: Cast, kind: str, mode: str
) -> None:
    async with Client(server_for(cast.ada)) as client:
        case = await ask(client)
    errors = []
    async with Client(server_for(cast.bea), mode=mode) as client:
        for escalation_id in (case, "esc_" + "0" * 26, "", "../policy"):
            with pytest.raises(MCPError) as raised:
                await client.read_resource(f"{kind}://{escalation_id}")
            errors.append(raised.value.error)
    assert {(error.code, error.message, str(error.data)) for error in errors} == {
        (-32602, "not_found: There is no such escalation of yours. Check the escalation_id.", "None")
    }


async def test_an_unknown_resource_is_not_there(server_for: ServerFor, cast: Cast) -> None:
    async with Client(server_for(cast.ada)) as client:
        for uri in ("file:///etc/passwd", "policy://old", "link://1", "nonsense"):
            with pytest.raises(MCPError) as raised:
                await client.read_resource(uri)
            assert raised.value.error.code == -32602


async def test_the_guide_names_every_tool(server_for: ServerFor, cast: Cast) -> None:
    async with Client(server_for(cast.ada)) as client:
        (prompt,) = (await client.list_prompts()).prompts
        (message,) = (await client.get_prompt(prompt.name)).messages
        tools = [tool.name for tool in (await client.list_tools()).tools]
        instructions = client.instructions or ""
        with pytest.raises(MCPError):
            await client.get_prompt("approve_everything")
    assert isinstance(message.content, TextContent)
    assert all(name in message.content.text for name in tools)
    assert "check_triggers" in instructions


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_nothing_that_decides_ever_reaches_an_agent(
    server_for: ServerFor, cast: Cast, desk: Desk, decide_as: Decide, mode: str
) -> None:
    seen: list[str] = []
    async with Client(server_for(cast.ada), mode=mode) as client:
        case = await ask(client, bundle=BUNDLE)
        links = [errand.link_url for errand in await lease(desk, "worker")]
        links.append(await issue_sign_in_link(desk, "Omar"))
        assert len(links) > 1

        async def look_everywhere() -> None:
            uris = [f"{kind}://{case}" for kind in ("trace", "escalation", "audit")]
            seen.extend(
                [(await client.read_resource(uri)).model_dump_json() for uri in [*uris, "policy://current"]]
            )
            seen.append((await client.list_resources()).model_dump_json())
            seen.append((await client.list_tools()).model_dump_json())
            for tool, arguments in (
                ("get_decision", {"wait_s": 0, "action": WIRE}),
                ("claim_approval", {"action": WIRE}),
                ("claim_approval", {"action": WIRE}),
                ("report_outcome", {"outcome": "unknown"}),
                ("cancel_request", {"reason": "x"}),
            ):
                result = await client.call_tool(tool, {"escalation_id": case, **arguments})
                seen.append(result.model_dump_json())

        await look_everywhere()
        second = given(await client.call_tool("request_approval", {"action": WIRE}))
        case = second["escalation_id"]
        await decide_as(cast.omar, case, Answer("approve"))
        await look_everywhere()
    everything = "\n".join(seen)
    assert second["case_url"] == f"http://127.0.0.1:8717/cases/{case}"
    for link in links:
        public_id, _, secret = link.rpartition("/d/")[2].partition("#")
        assert len(secret) > 40
        assert secret not in everything
        assert public_id not in everything
    assert (
        re.search(r"https?:[^\s\"]*/d/", everything) is None
    )  # base64 may hold "/d/" by chance, but no address
    assert "#" not in second["case_url"]
    assert cast.ada_key not in everything
