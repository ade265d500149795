"""Whoever kept a checkpoint can hold the log against it: agents with their next call, auditors, readers of an alert."""

from __future__ import annotations

import base64
import logging
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import metamorphic_log  # type: ignore[import-untyped]
import orjson
import pytest
from mcp import Client
from tests._support.cases import WIRE, approve, ask, second_hand, verified
from tests.conftest import Cast

from signoff.agents.mcp_server import build_mcp_server
from signoff.audit import merkle
from signoff.audit.checkpoint import Checkpoint, sign, verify_note
from signoff.audit.growth import parse_growth
from signoff.desk.checkpoints import publish_checkpoint
from signoff.desk.deliver import lease
from signoff.desk.desk import Desk
from signoff.desk.follow import OtherLog, compare, compare_footer
from signoff.domain.errors import ForkSuspected, InvalidRequest
from signoff.domain.event import SYSTEM
from signoff.domain.people import Agent


@pytest.fixture
async def client(desk: Desk, cast: Cast) -> AsyncGenerator[Client]:
    async def identify(_: object) -> Agent:
        return cast.ada

    async with Client(build_mcp_server(desk, identify)) as one:
        yield one


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return dict(result.structured_content)


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    return str(result.content[0].text)  # type: ignore[union-attr]


async def decided(desk: Desk, cast: Cast) -> str:
    told = await ask(desk, cast.ada)
    await approve(desk, cast.omar, told.escalation_id)
    return told.escalation_id


async def suspicions(desk: Desk) -> list[dict[str, Any]]:
    async with desk.store.reading() as reader:
        return [orjson.loads(body) for body in await reader.forks_suspected(10)]


async def other_history(desk: Desk, size: int) -> str:
    """Return a checkpoint that the log's key signed over events that are not this log's."""
    return sign(Checkpoint(desk.keys.origin, size, merkle.leaf_hash(b"another history")), desk.keys.log)


async def test_an_agent_sends_its_last_checkpoint_back_and_gets_the_proof_that_the_log_grew(
    desk: Desk, cast: Cast, client: Client
) -> None:
    keys = desk.keys.public().log
    first = await call(client, "get_decision", escalation_id=await decided(desk, cast), wait_s=0)
    assert "consistency" not in first
    case = await decided(desk, cast)
    second = await call(
        client, "get_decision", escalation_id=case, wait_s=0, seen_checkpoint=first["checkpoint"]
    )
    third = await call(
        client, "claim_approval", escalation_id=case, action=WIRE.model_dump(mode="json"),
        seen_checkpoint=second["checkpoint"],
    )  # fmt: skip
    for before, after in ((first, second), (second, third)):
        old = verify_note(before["checkpoint"], keys)
        growth = parse_growth(after["consistency"])
        new = verify_note(growth.note, keys)
        assert growth.old_size == old.size
        metamorphic_log.verify_consistency(old.size, new.size, list(growth.hashes), old.root, new.root)
    assert await suspicions(desk) == []


async def test_an_agent_that_was_shown_another_log_is_told_to_stop_and_its_checkpoint_is_kept(
    desk: Desk, cast: Cast, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    case = await decided(desk, cast)
    forked = await other_history(desk, 3)
    with caplog.at_level(logging.ERROR):
        for tool, more in (
            ("get_decision", {"wait_s": 0}),
            ("claim_approval", {"action": WIRE.model_dump(mode="json")}),
        ):
            said = await refused(client, tool, escalation_id=case, seen_checkpoint=forked, **more)
            assert said.startswith("fork_suspected: ")
            assert "do not run the action" in said
    assert "FORK SUSPECTED" in caplog.text
    (event,) = await suspicions(desk)  # once, however often it is shown
    assert event["actor"] == {"kind": "agent", "id": cast.ada.id}
    assert (event["data"]["size"], event["data"]["checkpoint"]) == (3, forked)
    assert (await verified(desk)).problems == ()
    told = await call(client, "get_decision", escalation_id=case, wait_s=0)
    assert "claimed_at" not in told  # it was refused before anything was claimed


async def test_a_checkpoint_larger_than_the_log_is_a_fork_and_one_of_nobody_is_a_mistake(
    desk: Desk, cast: Cast, client: Client
) -> None:
    case = await decided(desk, cast)
    larger = await other_history(desk, 100_000)
    said = await refused(client, "get_decision", escalation_id=case, wait_s=0, seen_checkpoint=larger)
    assert said.startswith("fork_suspected: ")
    assert len(await suspicions(desk)) == 1
    told = await call(client, "get_decision", escalation_id=case, wait_s=0)
    real = told["checkpoint"]
    for forged in ("", "x", real[:-1], real.replace("\n", "\n1", 1), larger.replace("100000", "99999")):
        said = await refused(client, "get_decision", escalation_id=case, wait_s=0, seen_checkpoint=forged)
        assert said.startswith("invalid_request: seen_checkpoint: "), forged
    assert len(await suspicions(desk)) == 1  # what the log's key did not sign proves nothing


async def test_a_checkpoint_that_was_signed_and_not_stored_is_no_fork(
    desk: Desk, cast: Cast, tmp_path: Path
) -> None:
    """A crash between signing and storing leaves an agent ahead of the table of checkpoints."""
    await ask(desk, cast.ada)
    await publish_checkpoint(desk)
    await ask(desk, cast.ada)
    async with desk.store.reading() as reader:
        head = await reader.head()
    signed = desk.signer.sign(head.size, head.root)
    growth = await compare(desk, signed, by=SYSTEM)
    assert growth.old_size == growth.checkpoint.size == head.size
    assert growth.hashes == ()


async def test_a_restored_copy_is_found_by_the_checkpoint_that_somebody_kept(
    desk: Desk, cast: Cast, tmp_path: Path
) -> None:
    await ask(desk, cast.ada)
    await publish_checkpoint(desk)
    signed = tmp_path / "keys" / "log.signed"
    shutil.copy(signed, tmp_path / "old.signed")
    await ask(desk, cast.ada)
    kept = await publish_checkpoint(desk)
    assert kept is not None
    size = verify_note(kept, desk.keys.public().log).size
    # What a restore of everything looks like to the desk that runs on it.
    shutil.copy(tmp_path / "old.signed", signed)
    with second_hand(tmp_path / "signoff.db") as db:
        db.execute("DROP TRIGGER audit_event_stays")
        db.execute("UPDATE audit_event SET leaf = zeroblob(32) WHERE seq = ?", (size - 1,))
        db.execute("UPDATE audit_node SET hash = zeroblob(32) WHERE level > 0")
    with pytest.raises(ForkSuspected) as found:
        await compare(desk, kept, by=SYSTEM)
    assert (found.value.size, found.value.code) == (size, "fork_suspected")


async def test_the_footer_of_an_alert_is_the_newest_checkpoint_and_can_be_held_against_the_log(
    desk: Desk, cast: Cast
) -> None:
    footers = []
    for _ in range(3):
        await ask(desk, cast.ada)
        async with desk.store.reading() as reader:
            head = await reader.head()
        (errand,) = [one for one in await lease(desk, "test") if one.person.name == "Omar"]
        root = base64.b64encode(head.root).decode()
        assert errand.footer == f"audit {head.size} {root[:8]}"
        footers.append(errand.footer)
    async with desk.store.reading() as reader:
        for footer in footers:
            size = int(footer.split()[1])
            for written in (footer, f" {footer}… \n"):
                agreed = await compare_footer(reader, written)
                assert agreed is not None
                assert agreed.size == size
            for other in (
                f"audit {size} AAAAAAAA",
                f"audit {size + 1} {footer.split()[2]}",
                f"audit {size + 1000} {footer.split()[2]}",
            ):
                with pytest.raises(OtherLog):
                    await compare_footer(reader, other)
        assert await compare_footer(reader, "audit 0") is None
        for wrong in (
            "",
            "audit",
            "audit 5",
            f"audit 5 {footers[0].split()[2][:7]}",
            "audit -1 AAAAAAAA",
            "audit 0 AAAAAAAA",
        ):
            with pytest.raises(InvalidRequest):
                await compare_footer(reader, wrong)
