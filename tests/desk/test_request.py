"""An agent asks: what it gets back, what is kept, and what is refused whole."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest
from tests._support.cases import WIRE, approve, ask, bytes_on_disk, verified
from tests._support.clock import HandClock
from tests.conftest import Cast
from tests.promises import promise

from signoff.audit.keys import CheckpointSigner, load_keys
from signoff.audit.receipt import verify
from signoff.desk.claim import claim, report_outcome
from signoff.desk.close import cancel
from signoff.desk.desk import Desk, DeskSettings
from signoff.desk.look import agent_case, agent_cases, look
from signoff.desk.wait import wait_for_decision
from signoff.domain.action import Action
from signoff.domain.bundle import Material, read_action, read_material
from signoff.domain.errors import Conflict, Forbidden, InvalidRequest, LimitExceeded
from signoff.domain.ids import new_id
from signoff.domain.people import Agent
from signoff.store.sqlite import open_store
from signoff.triggers.watch import PolicyFile

READ = Action(tool="read_file", arguments={"path": "/etc/motd"})
MISSILES = Action(tool="launch_missiles")


# What the policy says


async def test_a_denied_action_is_rejected_at_once_and_nobody_is_alerted(desk: Desk, ada: Agent) -> None:
    told = await ask(desk, ada, MISSILES)
    assert (told.status, told.verdict, told.decided_by, told.assurance) == ("rejected", "deny", (), "none")
    assert told.action is None
    assert told.receipt is not None
    receipt = verify(told.receipt, desk.keys.jwks(), now=desk.clock.now())
    assert (receipt.outcome, receipt.decided_by, receipt.action_digest) == ("rejected", "policy", None)
    async with desk.store.reading() as reader:
        assert await reader.alerts_of_case(told.escalation_id) == []


async def test_an_explicitly_allowed_action_is_approved_at_once_and_can_be_claimed(
    desk: Desk, ada: Agent
) -> None:
    told = await ask(desk, ada, READ)
    assert (told.status, told.verdict, told.assurance) == ("approved", "allow", "none")
    claimed = await claim(desk, ada, told.escalation_id, READ)
    assert claimed.claimed_at is not None
    assert (await verified(desk)).problems == ()


async def test_an_agent_that_asks_of_its_own_accord_gets_a_person(desk: Desk, cast: Cast) -> None:
    told = await ask(desk, cast.ada, Action(tool="tidy_up"))
    assert (told.status, [one["trigger"] for one in told.triggers]) == ("pending", ["agent-asked"])


async def test_an_agent_may_raise_the_urgency_and_never_lower_it(desk: Desk, ada: Agent) -> None:
    assert (await ask(desk, ada, urgency="critical")).urgency == "critical"
    assert (await ask(desk, ada, urgency="low")).urgency == "high"


async def test_a_paused_agent_gets_nothing_new(desk: Desk, cast: Cast) -> None:
    told = await ask(desk, cast.ada)
    await approve(desk, cast.omar, told.escalation_id)
    paused = Agent(cast.ada.id, "Ada", cast.ada.owner, cast.ada.created_at, desk.clock.now())
    for call in (ask(desk, paused), claim(desk, paused, told.escalation_id, WIRE)):
        with pytest.raises(Forbidden):
            await call


# Idempotency


@promise("same-key-same-case")
async def test_the_same_key_and_input_is_the_same_case(desk: Desk, cast: Cast) -> None:
    first = await ask(desk, cast.ada, idempotency_key="k")
    again = await ask(desk, cast.ada, idempotency_key="k")
    other = await ask(desk, cast.ada, idempotency_key="k2")
    assert first.escalation_id == again.escalation_id != other.escalation_id
    assert len(await agent_cases(desk, cast.ada)) == 2


@promise("same-key-same-case")
async def test_the_same_key_sent_at_once_by_many_is_one_case(desk: Desk, cast: Cast) -> None:
    got: list[str] = []

    async def call() -> None:
        got.append((await ask(desk, cast.ada, idempotency_key="k")).escalation_id)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(call)
    assert len(set(got)) == 1


@promise("same-key-same-case")
@pytest.mark.parametrize(
    "change",
    [
        {"action": Action(tool="wire_transfer", arguments={"amount": 12501, "country": "DE"})},
        {"action": Action(tool="wire_transfer", arguments={"amount": 12500, "country": "DE"}, summary="x")},
        {"material": Material(confidence=0.5)},
        {"material": Material(state={"a": None})},
        {"response_schema": {"type": "object"}},
        {"urgency": "critical"},
    ],
    ids=["arguments", "summary", "bundle", "null", "schema", "urgency"],
)
async def test_the_same_key_and_another_input_is_a_conflict(
    desk: Desk, ada: Agent, change: dict[str, Any]
) -> None:
    await ask(desk, ada, idempotency_key="k")
    with pytest.raises(Conflict) as refused:
        await ask(desk, ada, **change, idempotency_key="k")
    assert refused.value.code == "conflict"
    assert len(await agent_cases(desk, ada)) == 1


async def test_a_key_is_one_callers_own(desk: Desk, cast: Cast) -> None:
    hers = await ask(desk, cast.ada, idempotency_key="k")
    other = await ask(desk, cast.bea, idempotency_key="k")
    assert hers.escalation_id != other.escalation_id


async def test_a_key_stands_for_one_verb(desk: Desk, cast: Cast) -> None:
    told = await ask(desk, cast.ada, idempotency_key="k")
    with pytest.raises(Conflict):
        await cancel(desk, cast.ada, told.escalation_id, reason="", idempotency_key="k")


async def test_a_key_that_repeats_a_cancellation_is_used_up_too(desk: Desk, cast: Cast) -> None:
    told = await ask(desk, cast.ada)
    for key in ("k", "k2", "k2"):
        assert (
            await cancel(desk, cast.ada, told.escalation_id, reason="late", idempotency_key=key)
        ).status == "cancelled"
    with pytest.raises(Conflict):
        await cancel(desk, cast.ada, told.escalation_id, reason="other", idempotency_key="k2")


async def test_a_key_that_repeats_an_outcome_is_used_up_too(desk: Desk, cast: Cast) -> None:
    told = await ask(desk, cast.ada, READ)
    await claim(desk, cast.ada, told.escalation_id, READ)
    for key in (None, "k"):
        await report_outcome(desk, cast.ada, told.escalation_id, "succeeded", idempotency_key=key)
    with pytest.raises(Conflict):
        await report_outcome(desk, cast.ada, told.escalation_id, "failed", idempotency_key="k")


@pytest.mark.parametrize("key", ["", "x" * 201, "a\nb", "a\u202eb", "\ud800"])
async def test_a_key_that_cannot_be_one_is_refused(desk: Desk, ada: Agent, key: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await ask(desk, ada, idempotency_key=key)
    assert refused.value.field == "idempotency_key"


@promise("same-key-same-case", "nothing-lost")
async def test_a_key_survives_a_restart(
    tmp_path: Path, desk: Desk, cast: Cast, clock: HandClock, settings: DeskSettings
) -> None:
    first = await ask(desk, cast.ada, idempotency_key="k")
    keys = load_keys(tmp_path / "keys")
    async with open_store(tmp_path / "signoff.db", log=keys.origin, clock=clock, new_id=new_id) as store:
        restarted = Desk(
            store, PolicyFile(tmp_path / "policy.yaml"), keys, CheckpointSigner(keys), clock, new_id, settings
        )
        again = await ask(restarted, cast.ada, idempotency_key="k")
    assert again.escalation_id == first.escalation_id


# Secrets

SECRETS = {
    "aws_access_key": "AKIA" + "IOSFODNN7EXAMPLE",
    "github_token": "ghp_" + "a1B2c3D4e5" * 4,
    "anthropic_key": "sk-" + "ant-api03-" + "Zz9" * 10,
    "openai_key": "sk-" + "proj-" + "Qq8" * 14,
    "slack_token": "xoxb-" + "123456789012-abcdefABCDEF",
    "stripe_key": "sk_" + "live_" + "51H8abcdEFGHijkl",
    "google_api_key": "AIza" + "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q",
    "gitlab_token": "glpat-" + "xYz12345678901234567",
    "signoff_key": "sgn_" + "k" * 43,
    "jwt": "eyJhbGciOiJFZERTQSJ9." + "eyJzdWIiOiJhbGljZSJ9" + ".c2lnbmF0dXJlLWJ5dGVz",
    "bearer_token": "Bearer " + "abcdef0123456789ABCDEF.token",
    "card_number": "4111 1111 1111 1111",
    "private_key": (
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0011\n\n"
        + base64.b64encode(b"the very secret bytes of a key").decode()
        + "\n-----END RSA PRIVATE KEY-----"
    ),
}


def needle(secret: str) -> bytes:
    """Return the part of a secret that must not be found."""
    if "PRIVATE KEY" in secret:
        return base64.b64encode(b"the very secret bytes of a key")
    return secret.removeprefix("Bearer ").encode()


@promise("no-secret-stored")
@pytest.mark.parametrize("kind", SECRETS)
async def test_a_secret_is_nowhere_in_the_database(desk: Desk, cast: Cast, tmp_path: Path, kind: str) -> None:
    """In every place that an agent can put text, and in what it reports afterwards."""
    secret = SECRETS[kind]
    text = f"use {secret} please"
    action = Action(
        tool="read_file", arguments={"key": secret, "nested": [{"deep": text}], text: 1}, summary=text
    )
    material = read_material(
        {
            "reasoning": [{"kind": "tool_call", "text": text, "tool": "t", "arguments": {"a": text}}],
            "messages": [
                {"role": "user", "content": text},
                {"role": "assistant", "tool_calls": [{"function": {"name": "t", "arguments": text}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": text}]},
            ],
            "state": {"env": {text: text}},
            "subject": {"name": text, "note": text},
            "alternatives": [{"tool": "t", "arguments": {"a": text}, "why_not": text}],
            "risk": {"blast_radius": text},
            "attachments": [{"name": "n", "media_type": "text/plain", "data": text}],
        }
    )
    schema = {"type": "object", "description": text, "properties": {"a": {"enum": [text]}}}
    told = await ask(desk, cast.ada, action, material=material, response_schema=schema)
    await claim(desk, cast.ada, told.escalation_id, action)
    await report_outcome(desk, cast.ada, told.escalation_id, "succeeded", note=text, result={"out": text})
    other = await ask(desk, cast.ada, WIRE)
    await cancel(desk, cast.ada, other.escalation_id, reason=text)
    assert needle(secret) not in bytes_on_disk(tmp_path / "signoff.db")
    document = (await agent_case(desk, cast.ada, told.escalation_id)).document
    assert f"[masked: {kind}]" in orjson.dumps(document).decode()
    assert needle(secret) not in orjson.dumps(document)


@promise("approved-is-what-runs")
async def test_the_digest_is_over_what_the_agent_sent_and_not_over_what_is_kept(
    desk: Desk, cast: Cast
) -> None:
    secret = Action(tool="wire_transfer", arguments={"amount": 50_000, "key": SECRETS["aws_access_key"]})
    told = await ask(desk, cast.ada, secret)
    view = await approve(desk, cast.omar, told.escalation_id)
    assert view.case.masked == ("action.arguments.key",)
    after = await wait_for_decision(desk, cast.ada, told.escalation_id, action=secret)
    assert after.arguments_masked
    assert after.proceed
    assert after.action is not None
    shown = Action(tool="wire_transfer", arguments=after.action["arguments"])
    assert (await wait_for_decision(desk, cast.ada, told.escalation_id, action=shown)).proceed is False
    await claim(desk, cast.ada, told.escalation_id, secret)


# Refused whole


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


BAD: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    "arguments size": ({"arguments": {"a": "x" * 262_200}}, {}, "action.arguments", "262144 bytes"),
    "arguments depth": ({"arguments": {"a": deep(64)}}, {}, "action.arguments", "64 levels"),
    "arguments integer": ({"arguments": {"a": 2**53}}, {}, "action.arguments.a", "±2^53"),
    "arguments whole float": ({"arguments": {"a": 1e17}}, {}, "action.arguments.a", "±2^53"),
    "bundle size": ({}, {"state": ["x" * 60_000] * 36}, "bundle", "2097152 bytes"),
    "steps": ({}, {"reasoning": [{"kind": "note"}] * 2001}, "bundle.reasoning", "2000 steps"),
    "messages": ({}, {"messages": [{"role": "user"}] * 2001}, "bundle.messages", "2000 messages"),
    "step text": (
        {},
        {"reasoning": [{"kind": "note"}, {"kind": "note", "text": "é" * 32_769}]},
        "bundle.reasoning[1].text",
        "65536 bytes",
    ),
    "attachment": (
        {},
        {"attachments": [{"name": "n", "media_type": "text/plain", "data": "x" * 524_289}]},
        "bundle.attachments[0].data",
        "524288 bytes",
    ),
    "bundle depth": ({}, {"state": deep(65)}, "bundle.state", "64 levels"),
    "bundle depth, far": ({}, {"state": deep(5000)}, "bundle.state", "64 levels"),
    "bundle integer": ({}, {"state": {"n": -(2**53)}}, "bundle.state.n", "±2^53"),
}


@promise("refused-whole")
@pytest.mark.parametrize("name", BAD)
async def test_what_is_over_a_limit_is_refused_with_field_limit_and_size(
    desk: Desk, cast: Cast, name: str
) -> None:
    action, bundle, field, limit = BAD[name]
    async with desk.store.reading() as reader:
        before = await reader.head()
    with pytest.raises(LimitExceeded) as refused:
        await ask(
            desk,
            cast.ada,
            read_action({"tool": "wire_transfer", **action}),
            material=read_material(bundle),
        )
    error = refused.value
    assert error.code == "limit_exceeded"
    assert error.field.startswith(field)
    assert limit in error.limit
    assert error.size
    async with desk.store.reading() as reader:
        assert await reader.head() == before


@promise("refused-whole")
@pytest.mark.parametrize(
    ("bundle", "field"),
    [
        ({"state": float("nan")}, "bundle.state"),
        ({"state": {"a": [float("inf")]}}, "bundle.state.a[0]"),
        ({"state": "\ud800"}, "bundle.state"),
        ({"state": {"\ud800": 1}}, "bundle.state (a key)"),
        ({"state": "a\x00b"}, "bundle.state"),
        ({"subject": {"id": "1", "more": "a\x00b"}}, "bundle.subject.more"),
        ({"risk": {"more": float("nan")}}, "bundle.risk.more"),
        ({"messages": [{"role": "user", "content": "a\x00b"}]}, "bundle.messages[0].content"),
        ({"messages": [{"role": "user", "content": "\udfff"}]}, "bundle.messages[0].content"),
        ({"reasoning": [{"kind": "note", "result": {"x": float("nan")}}]}, "bundle.reasoning[0].result.x"),
        ({"reasoning": [{"kind": "note", "ms": float("inf")}]}, "bundle.reasoning[0].ms"),
        ({"state": {1: 2}}, "bundle.state"),
        ({"state": b"bytes"}, "bundle.state"),
        ({"confidence": 1.5}, "bundle.confidence"),
        ({"confidnce": 0.5}, "bundle.confidnce"),
        ({"reasoning": [{"kind": "guess"}]}, "bundle.reasoning[0].kind"),
        ({"messages": [{"role": "user", "tool_calls": 5}]}, "bundle.messages"),
        ({"messages": [{"role": "user", "content": 5}]}, "bundle.messages"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "bundle.messages"),
        ({"messages": [{"role": "user", "audio": {"id": 1}}]}, "bundle.messages"),
        ({"messages": "hello"}, "bundle.messages"),
        ([], "bundle"),
    ],
)
def test_what_has_no_one_form_is_refused_by_field(bundle: Any, field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_material(bundle)
    assert refused.value.field == field


def test_an_error_never_repeats_what_the_agent_sent() -> None:
    marker = "confidential" * 3
    for given in (
        {"tool": {"x": marker}},
        {"tool": marker + "\n"},
        {"tool": "t", "arguments": marker},
        {"tool": "t", "arguments": {"a": [marker, float("nan")]}},
        {"tool": "t", "summary": marker * 20},
    ):
        with pytest.raises(InvalidRequest) as refused:
            read_action(given)
        assert marker not in str(refused.value)


def test_an_error_stays_short_whatever_the_keys() -> None:
    for call, given in (
        (read_action, {"tool": "t", "k" * 100_000: 1}),
        (read_action, {"tool": "t", "arguments": {"k" * 100_000: float("nan")}}),
        (read_material, {"subject": {"\u202e" * 100_000: "\x00"}}),
    ):
        with pytest.raises(InvalidRequest) as refused:
            call(given)
        assert len(str(refused.value)) < 300
        assert str(refused.value).isprintable()


async def test_a_case_at_every_limit_can_be_looked_at_and_decided(desk: Desk, cast: Cast) -> None:
    """What is accepted must be readable again: numbers keep their value through storage."""
    numbers = {"int": 2**53 - 1, "low": -(2**53) + 1, "half": 0.5, "tiny": 5e-324, "huge": 1e300, "é": -0.0}
    action = Action(tool="wire_transfer", arguments={"amount": 20_000.5, "n": numbers, "deep": deep(60)})
    told = await ask(desk, cast.ada, action, material=Material(state=numbers))
    view = await look(desk, cast.omar, told.escalation_id)
    assert view.document["action"]["arguments"]["n"] == numbers
    after = await approve(desk, cast.omar, told.escalation_id)
    assert after.case.status == "approved"
    back = await wait_for_decision(desk, cast.ada, told.escalation_id)
    assert back.action is not None
    returned = read_action({"tool": "wire_transfer", "arguments": back.action["arguments"]})
    assert returned.digest == action.digest
    await claim(desk, cast.ada, told.escalation_id, returned)
