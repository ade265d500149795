"""Nothing is released that no signed checkpoint covers, and none is signed over another history."""

from __future__ import annotations

import base64
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import metamorphic_log  # type: ignore[import-untyped]
import pytest
from tests._support.cases import WIRE, approve, ask, second_hand, verified
from tests._support.clock import HandClock
from tests.conftest import Cast
from tests.promises import promise

from signoff.audit import merkle
from signoff.audit.checkpoint import parse_checkpoint, parse_note, verify_note
from signoff.audit.keys import LAST_SIGNED, CheckpointSigner, create_keys, load_keys
from signoff.desk.checkpoints import publish_checkpoint
from signoff.desk.claim import claim
from signoff.desk.desk import Desk, DeskSettings
from signoff.desk.prove import prove
from signoff.desk.wait import wait_for_decision
from signoff.domain.errors import ClaimRefused, StoreUnavailable
from signoff.domain.ids import new_id
from signoff.store.sqlite import open_store
from signoff.triggers.watch import PolicyFile


@asynccontextmanager
async def reopened(home: Path, clock: HandClock) -> AsyncGenerator[Desk]:
    keys = load_keys(home / "keys")
    settings = DeskSettings(base_url="http://127.0.0.1:8717", undo_s=0)
    async with open_store(home / "signoff.db", log=keys.origin, clock=clock, new_id=new_id) as store:
        yield Desk(
            store, PolicyFile(home / "policy.yaml"), keys, CheckpointSigner(keys), clock, new_id, settings
        )


def back_up(home: Path, name: str = "old.db") -> Path:
    with second_hand(home / "signoff.db") as db:
        db.execute("VACUUM INTO ?", (str(home / name),))
    return home / name


def restore(home: Path, copy: Path) -> None:
    for part in home.glob("signoff.db*"):
        part.unlink()
    shutil.copyfile(copy, home / "signoff.db")


@promise("signed-first")
async def test_a_decision_is_told_under_a_checkpoint_that_covers_it(desk: Desk, cast: Cast) -> None:
    told = await ask(desk, cast.ada)
    await approve(desk, cast.omar, told.escalation_id)
    assert (await wait_for_decision(desk, cast.ada, told.escalation_id)).status == "approved"
    async with desk.store.reading() as reader:
        last = await reader.last_seq_of_case(told.escalation_id)
        newest = await reader.newest_checkpoint()
    assert newest is not None
    signed = verify_note(newest[1], desk.keys.public().log)
    assert signed.size == newest[0] > last
    assert desk.signer.last() == signed


@promise("signed-first", "fail-closed")
@pytest.mark.parametrize("fault", ["damaged", "foreign", "unwritable"])
async def test_a_signer_that_cannot_sign_releases_nothing(
    desk: Desk, cast: Cast, tmp_path: Path, fault: str
) -> None:
    told = await ask(desk, cast.ada)
    await approve(desk, cast.omar, told.escalation_id)
    signed = tmp_path / "keys" / LAST_SIGNED
    if fault == "damaged":
        signed.write_text("nonsense", encoding="utf-8")
    if fault == "foreign":
        other = CheckpointSigner(create_keys(tmp_path / "others", origin=desk.keys.origin))
        signed.write_text(other.sign(1000, bytes(32)), encoding="utf-8")
    if fault == "unwritable":
        signed.mkdir()
    for call in (
        lambda: wait_for_decision(desk, cast.ada, told.escalation_id),
        lambda: claim(desk, cast.ada, told.escalation_id, WIRE),
        lambda: prove(desk, cast.ada, told.escalation_id),
        lambda: publish_checkpoint(desk),
    ):
        with pytest.raises(StoreUnavailable) as refused:
            await call()
        assert str(tmp_path) not in refused.value.message
    if signed.is_dir():
        signed.rmdir()
    else:
        signed.unlink()
    assert (await claim(desk, cast.ada, told.escalation_id, WIRE)).claimed_at is not None


@promise("signed-first")
async def test_a_checkpoint_row_that_nobody_signed_covers_nothing(
    desk: Desk, cast: Cast, tmp_path: Path
) -> None:
    told = await ask(desk, cast.ada)
    await approve(desk, cast.omar, told.escalation_id)
    note = f"{desk.keys.origin}\n1000000\n{base64.b64encode(bytes(32)).decode()}\n\n— {desk.keys.origin} AAAAAAAAAAAA\n"
    with second_hand(tmp_path / "signoff.db") as db:
        db.execute("INSERT INTO checkpoint VALUES (1000000, ?, '')", (note,))
    before = desk.signer.last()
    await wait_for_decision(desk, cast.ada, told.escalation_id)
    assert desk.signer.last() != before


@promise("signed-first", "claimed-once")
async def test_a_restored_database_releases_nothing_and_lets_nothing_run_twice(
    desk: Desk, cast: Cast, tmp_path: Path, clock: HandClock
) -> None:
    told = await ask(desk, cast.ada)
    await approve(desk, cast.omar, told.escalation_id)
    await wait_for_decision(desk, cast.ada, told.escalation_id)
    old = back_up(tmp_path)
    await claim(desk, cast.ada, told.escalation_id, WIRE)
    await publish_checkpoint(desk)
    restore(tmp_path, old)
    async with reopened(tmp_path, clock) as restored:
        with pytest.raises(StoreUnavailable, match="old copy"):
            await wait_for_decision(restored, cast.ada, told.escalation_id)
        with pytest.raises(StoreUnavailable):
            await claim(restored, cast.ada, told.escalation_id, WIRE)
        for _ in range(20):  # grown past what was signed, it is another history all the same
            await ask(restored, cast.ada)
        with pytest.raises(StoreUnavailable):
            await claim(restored, cast.ada, told.escalation_id, WIRE)
        with pytest.raises(StoreUnavailable):
            await publish_checkpoint(restored)


@promise("signed-first")
async def test_a_signature_that_the_database_did_not_keep_is_made_again(
    desk: Desk, cast: Cast, tmp_path: Path
) -> None:
    """A crash between signing and keeping leaves the key's memory ahead of the table."""
    told = await ask(desk, cast.ada)
    first = await publish_checkpoint(desk)
    with second_hand(tmp_path / "signoff.db") as db:
        db.execute("DELETE FROM checkpoint")
    assert await publish_checkpoint(desk) == first
    await approve(desk, cast.omar, told.escalation_id)
    async with desk.store.reading() as reader:
        head = await reader.head()
    desk.signer.sign(head.size, head.root)
    assert (await wait_for_decision(desk, cast.ada, told.escalation_id)).status == "approved"
    assert (await verified(desk)).problems == ()


async def test_an_empty_log_has_no_checkpoint(desk: Desk) -> None:
    assert await publish_checkpoint(desk) is None


@promise("provable")
async def test_a_proof_convinces_other_peoples_code(desk: Desk, cast: Cast) -> None:
    for _ in range(6):
        await ask(desk, cast.ada)
    told = await ask(desk, cast.ada)
    await approve(desk, cast.omar, told.escalation_id)
    proof = await prove(desk, cast.ada, told.escalation_id)
    head = parse_checkpoint(parse_note(proof["checkpoint"]).text)
    assert len(proof["events"]) == 2
    for event in proof["events"]:
        leaf = merkle.leaf_hash(event["event"].encode())
        path = [base64.b64decode(one) for one in event["inclusion"]]
        metamorphic_log.verify_inclusion(event["seq"], head.size, leaf, path, head.root)


@promise("one-decision")
async def test_two_desks_on_one_file_sign_one_history(
    desk: Desk, cast: Cast, tmp_path: Path, clock: HandClock
) -> None:
    async with reopened(tmp_path, clock) as other:
        for _ in range(10):
            told = await ask(desk, cast.ada)
            await approve(other, cast.omar, told.escalation_id)
            await claim(desk, cast.ada, told.escalation_id, WIRE)
            with pytest.raises(ClaimRefused):
                await claim(other, cast.ada, told.escalation_id, WIRE)
    assert (await verified(desk)).problems == ()
