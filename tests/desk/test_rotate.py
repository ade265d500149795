"""Key rotations: whoever holds an old key follows the log to the new one, and no crash loses either."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest
from tests._support.cases import approve, ask, verified
from tests._support.clock import HandClock
from tests.conftest import Cast

from signoff.audit.checkpoint import Checkpoint, SigningKey, parse_note, sign, verify_note
from signoff.audit.keyring import begin_rotation, finish_rotation, unfinished_rotations
from signoff.audit.keys import (
    CheckpointSigner,
    Keys,
    PublicKeys,
    create_keys,
    load_keys,
    load_public,
)
from signoff.audit.receipt import ReceiptInvalid, key_set, read
from signoff.audit.report import Report
from signoff.audit.rotation import Revocation, RotationInvalid, read_rotation
from signoff.audit.verify import verify_log
from signoff.desk import rotate
from signoff.desk.checkpoints import publish_checkpoint
from signoff.desk.desk import Desk
from signoff.desk.rotate import list_keys, revoke_key, rotate_key, settle_rotations
from signoff.domain.errors import Conflict, InvalidRequest, NotFound, StoreUnavailable
from signoff.domain.event import SYSTEM, Draft
from signoff.store.log_source import LogSource
from signoff.store.unit import Unit

DAY = timedelta(days=1)


async def verified_by(desk: Desk, public: PublicKeys, *anchors: str) -> Report:
    async with desk.store.snapshot() as reader:
        return await verify_log(LogSource(reader), public, on_progress=lambda done, of: None, anchors=anchors)


async def busy(desk: Desk, cast: Cast) -> str:
    """Let something happen, and sign it; returns the receipt."""
    case = (await ask(desk, cast.ada)).escalation_id
    view = await approve(desk, cast.omar, case)
    await publish_checkpoint(desk)
    return view.decisions[-1].receipt or ""


async def newest(desk: Desk) -> str:
    async with desk.store.reading() as reader:
        found = await reader.newest_checkpoint()
    assert found is not None
    return found[1]


def signers_of(note: str) -> int:
    return len(parse_note(note).signatures)


async def rotations(desk: Desk) -> list[dict[str, Any]]:
    async with desk.store.reading() as reader:
        return [orjson.loads(body) for body in await reader.key_rotations()]


async def test_an_auditor_who_pinned_the_first_key_follows_the_log_to_the_third(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    pinned = desk.keys.public()
    for _ in range(3):
        await busy(desk, cast)
        await rotate_key(desk, "log", overlap=DAY)
        await rotate_key(desk, "receipt", overlap=DAY)
        await busy(desk, cast)
        clock.advance(DAY.total_seconds() + 1)
        await busy(desk, cast)
    now = load_public(desk.keys.directory)
    assert len(now.log) == 4
    assert now.receipts is not None
    assert len(now.receipts["keys"]) == 4
    for public in (pinned, now):
        report = await verified_by(desk, public)
        assert report.problems == ()
        assert report.newest is not None
        assert report.newest.size == report.events


async def test_checkpoints_carry_both_signatures_until_the_overlap_is_over(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    await busy(desk, cast)
    old = load_keys(desk.keys.directory).log.verifier
    assert signers_of(await newest(desk)) == 1
    await rotate_key(desk, "log", overlap=DAY)
    new = load_keys(desk.keys.directory).log.verifier
    await busy(desk, cast)
    both = await newest(desk)
    assert signers_of(both) == 2
    assert verify_note(both, [old]) == verify_note(both, [new])
    clock.advance(DAY.total_seconds() + 1)
    await busy(desk, cast)
    note = await newest(desk)
    assert signers_of(note) == 1
    assert verify_note(note, [new]).origin == desk.keys.origin
    assert not (desk.keys.directory / "log.old.key").exists(), "the private key of before is gone"
    assert (await verified(desk)).problems == ()


async def test_what_older_keys_signed_verifies_for_ever(desk: Desk, cast: Cast, clock: HandClock) -> None:
    receipt = await busy(desk, cast)
    checkpoint = await newest(desk)
    await rotate_key(desk, "receipt", overlap=DAY)
    await rotate_key(desk, "log", overlap=DAY)
    clock.advance(2 * DAY.total_seconds())
    public = load_public(desk.keys.directory)
    assert public.receipts is not None
    assert read(receipt, key_set(public.receipts)).outcome == "approved"
    assert verify_note(checkpoint, public.log).origin == desk.keys.origin
    later = await busy(desk, cast)
    assert read(later, key_set({"keys": public.receipts["keys"][1:]})).outcome == "approved"
    assert (await verified_by(desk, public, checkpoint)).problems == ()


async def test_a_desk_that_was_open_before_signs_with_the_new_keys(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    """Another process rotates; this one keeps its `Keys` and its signer from before."""
    elsewhere = create_keys(desk.keys.directory)
    await rotate_key(desk, "receipt", overlap=DAY)
    await rotate_key(desk, "log", overlap=DAY)
    now = load_keys(desk.keys.directory)
    assert elsewhere.log.verifier == desk.keys.log.verifier != now.log.verifier
    receipt = await busy(desk, cast)
    assert read(receipt, key_set({"keys": [now.receipt.jwk]})).outcome == "approved"
    clock.advance(DAY.total_seconds() + 1)
    await busy(desk, cast)
    assert CheckpointSigner(elsewhere).last() == verify_note(await newest(desk), [now.log.verifier])


async def test_the_list_says_what_each_key_is(desk: Desk, cast: Cast, clock: HandClock) -> None:
    await busy(desk, cast)
    clock.advance(60)
    await rotate_key(desk, "log", overlap=DAY)
    states = [(one.purpose, one.state) for one in await list_keys(desk)]
    assert states == [("log", "overlap"), ("log", "current"), ("receipt", "current")]
    clock.advance(DAY.total_seconds() + 1)
    first, second, _ = await list_keys(desk)
    assert (first.state, second.state, second.used_until) == ("retired", "current", None)
    assert first.made_at is not None
    assert second.made_at is not None
    assert first.made_at < second.made_at < (first.used_until or "")


async def test_a_second_rotation_waits_for_the_end_of_the_first(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    await rotate_key(desk, "log", overlap=DAY)
    with pytest.raises(Conflict, match="overlaps until"):
        await rotate_key(desk, "log", overlap=DAY)
    clock.advance(DAY.total_seconds() + 1)
    await rotate_key(desk, "log", overlap=DAY)
    assert len(await rotations(desk)) == 2


@pytest.mark.parametrize("overlap", [timedelta(seconds=59), timedelta(days=366)])
async def test_an_overlap_out_of_range_is_refused(desk: Desk, overlap: timedelta) -> None:
    with pytest.raises(InvalidRequest, match="1m to 365d"):
        await rotate_key(desk, "log", overlap=overlap)
    assert unfinished_rotations(desk.keys.directory) == []


class Killed(BaseException):
    """What a process sees of kill -9, as near as one can come from within."""


def killed_at(monkeypatch: pytest.MonkeyPatch, step: int) -> Callable[[], None]:
    """Let the process die at its n-th change of a file in the keys directory: before it is in place."""
    left = [step]
    replace = Path.replace

    def counted(self: Path, target: Path) -> Path:
        if left[0] == 0:
            raise Killed
        left[0] -= 1
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", counted)
    return lambda: monkeypatch.setattr(Path, "replace", replace)


@pytest.mark.parametrize("purpose", ["log", "receipt"])
@pytest.mark.parametrize("step", range(7))
async def test_a_rotation_that_is_killed_at_any_step_is_finished_by_the_next_start(
    desk: Desk, cast: Cast, clock: HandClock, monkeypatch: pytest.MonkeyPatch, step: int, purpose: Any
) -> None:
    pinned = desk.keys.public()
    await busy(desk, cast)
    revive = killed_at(monkeypatch, step)
    dead = False
    try:
        with anyio.fail_after(10):
            await rotate_key(desk, purpose, overlap=DAY)
    except Killed:
        dead = True
    revive()
    assert dead or step >= (6 if purpose == "receipt" else 7) - 1

    # What another process, that knows nothing of it, signs meanwhile.
    receipt = await busy(desk, cast)
    await settle_rotations(desk)
    if dead and not await rotations(desk):
        await rotate_key(desk, purpose, overlap=DAY)  # it died before anything was signed: said again
    await busy(desk, cast)
    clock.advance(DAY.total_seconds() + 1)
    await busy(desk, cast)

    assert len(await rotations(desk)) == 1
    assert unfinished_rotations(desk.keys.directory) == []
    assert (
        read(receipt, key_set(load_public(desk.keys.directory).receipts or {"keys": []})).outcome
        == "approved"
    )
    assert (await verified_by(desk, pinned)).problems == ()
    public = load_public(desk.keys.directory)
    assert len(public.log) + len((public.receipts or {"keys": []})["keys"]) == 3
    private = [path for path in desk.keys.directory.iterdir() if path.suffix == ".key"]
    assert sorted(path.name for path in private) == ["log.key", "receipt.key"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}


async def test_a_rotation_whose_event_was_written_is_not_written_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(directory: Path, purpose: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(rotate, "finish_rotation", die)
        with pytest.raises(Killed):
            await rotate_key(desk, "log")
    assert len(await rotations(desk)) == 1
    await settle_rotations(desk)
    assert len(await rotations(desk)) == 1
    assert [one.state for one in await list_keys(desk)] == ["overlap", "current", "current"]


async def test_no_larger_log_is_forgotten_over_a_rotation(desk: Desk, cast: Cast) -> None:
    """The guard that never signs two histories holds across keys."""
    await busy(desk, cast)
    await rotate_key(desk, "log", overlap=DAY)
    before = CheckpointSigner(desk.keys).last()
    assert before is not None
    with pytest.raises(Conflict):
        CheckpointSigner(desk.keys).sign(before.size - 1, before.root)
    with pytest.raises(Conflict):
        CheckpointSigner(desk.keys).sign(before.size, bytes(32))


# What a verifier refuses


async def test_a_checkpoint_by_a_key_that_was_rotated_out_counts_no_more(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    """The old private key was stolen; it signs another history after its time."""
    stolen = load_keys(desk.keys.directory).log
    await rotate_key(desk, "log", overlap=DAY)
    clock.advance(DAY.total_seconds() + 1)
    await busy(desk, cast)
    real = verify_note(await newest(desk), load_public(desk.keys.directory).log)
    forged = sign(real, stolen)
    report = await verified_by(desk, load_public(desk.keys.directory), forged)
    (problem,) = report.problems
    assert "does not verify" in problem.what


async def test_a_rotation_that_one_key_did_not_sign_is_named_and_changes_nothing(
    desk: Desk, cast: Cast, tmp_path: Path
) -> None:
    """An administrator's key, brought in without the old one."""
    evil = create_keys(tmp_path / "evil", origin=desk.keys.origin)
    made = begin_rotation(
        evil.directory, "log", at="2026-01-01T00:00:00.000000Z", until="2027-01-01T00:00:00.000000Z"
    )
    data = {**made.as_json(), "old": desk.keys.log.verifier.text}
    with pytest.raises(RotationInvalid):
        read_rotation(data)

    async def forge(unit: Unit) -> int:
        seq = unit.next_seq
        await unit.record(Draft("key.rotated", unit.now, SYSTEM, data))
        return seq

    seq = await desk.store.write(forge)
    finish_rotation(evil.directory, "log")
    stranger = load_keys(evil.directory).log
    async with desk.store.reading() as reader:
        head = await reader.head()
    report = await verified_by(desk, desk.keys.public(), note_of(desk.keys, stranger, head.size, head.root))
    assert report.first_bad_event == seq
    assert [problem.what for problem in report.problems] == [
        "rotates a key without the signatures of both",
        f"the checkpoint of size {head.size} does not verify: checkpoint: none of the given keys signed it.",
    ]


def note_of(keys: Keys, key: SigningKey, size: int, root: bytes) -> str:
    return sign(Checkpoint(keys.origin, size, root), key)


async def test_a_rotation_from_a_key_that_nobody_knows_is_named(
    desk: Desk, cast: Cast, tmp_path: Path
) -> None:
    evil = create_keys(tmp_path / "evil", origin=desk.keys.origin)
    for purpose in ("log", "receipt"):
        made = begin_rotation(
            evil.directory,
            purpose,
            at="2026-01-01T00:00:00.000000Z",
            until="2027-01-01T00:00:00.000000Z",
        )

        data = made.as_json()

        async def forge(unit: Unit, data: Any = data) -> None:
            await unit.record(Draft("key.rotated", unit.now, SYSTEM, data))

        await desk.store.write(forge)
    report = await verified(desk)
    assert [problem.what for problem in report.problems] == ["rotates a key that was not in use"] * 2


async def test_a_decision_without_a_receipt_key_is_not_taken_and_names_no_path(
    desk: Desk, cast: Cast
) -> None:
    case = (await ask(desk, cast.ada)).escalation_id
    (desk.keys.directory / "receipt.key").unlink()
    with pytest.raises(StoreUnavailable) as caught:
        await approve(desk, cast.omar, case)
    assert os.fspath(desk.keys.directory) not in caught.value.message


# Revoking


async def test_what_a_revoked_key_signs_counts_for_nothing(desk: Desk, cast: Cast) -> None:
    stolen = load_keys(desk.keys.directory)
    before = await busy(desk, cast)
    await rotate_key(desk, "log", overlap=DAY)
    await rotate_key(desk, "receipt", overlap=DAY)
    await revoke_key(desk, stolen.log.verifier.key_id.hex())
    await revoke_key(desk, stolen.receipt.kid)
    await busy(desk, cast)
    note = await newest(desk)
    assert signers_of(note) == 1, "also within the overlap"
    assert not (desk.keys.directory / "log.old.key").exists()

    public = load_public(desk.keys.directory)
    with pytest.raises(ReceiptInvalid):
        read(before, key_set(public.receipts_in_use))
    report = await verified_by(desk, public)
    assert report.problems == (), "what it signed before is in the log and still holds"
    real = verify_note(note, public.log)
    for keys in (public, stolen.public()):
        forged = sign(Checkpoint(real.origin, real.size, bytes(32)), stolen.log)
        assert (await verified_by(desk, keys, forged)).problems == ()
    assert [one.state for one in await list_keys(desk)] == ["revoked", "current", "revoked", "current"]


async def test_a_key_is_revoked_once_and_never_the_one_that_signs(desk: Desk, cast: Cast) -> None:
    old = load_keys(desk.keys.directory).log.verifier.key_id.hex()
    with pytest.raises(Conflict, match="Rotate it first"):
        await revoke_key(desk, old)
    with pytest.raises(NotFound):
        await revoke_key(desk, "00000000")
    await rotate_key(desk, "log", overlap=DAY)
    with pytest.raises(InvalidRequest):
        await revoke_key(desk, old, from_seq=10_000)
    assert (await revoke_key(desk, old)).state == "revoked"
    with pytest.raises(Conflict, match="revoked before"):
        await revoke_key(desk, old)
    assert (await verified(desk)).problems == ()


async def test_a_revocation_that_the_current_key_did_not_sign_is_named(desk: Desk, cast: Cast) -> None:
    """The thief revokes the new key with the old one."""
    thief = load_keys(desk.keys.directory).log
    await rotate_key(desk, "log", overlap=DAY)
    new = load_keys(desk.keys.directory).log.verifier.text
    unsigned = Revocation("log", desk.keys.origin, new, 0)
    forged = replace(unsigned, signature=thief.private.sign(unsigned.covered))

    async def forge(unit: Unit) -> int:
        seq = unit.next_seq
        await unit.record(Draft("key.revoked", unit.now, SYSTEM, forged.as_json()))
        return seq

    seq = await desk.store.write(forge)
    await busy(desk, cast)
    (problem,) = (await verified_by(desk, load_public(desk.keys.directory))).problems
    assert (problem.seq, problem.what) == (seq, "revokes a key without the signature of the one in use")
