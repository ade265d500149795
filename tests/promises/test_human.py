"""An administrator with the whole database and every key of the server invents an approval; it shows.

Everything that a server can make is made here: event, chain, tree, checkpoint, receipt, projection. What it cannot
make is the signature of a person's passkey.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import orjson
import pytest
from click.testing import CliRunner, Result
from tests._support.authenticator import Authenticator
from tests._support.cases import ask
from tests._support.clock import HandClock
from tests._support.passkeys import ORIGIN, POLICY, VAULT, device, enrolled, sign, sign_and_decide, signed
from tests.conftest import Cast
from tests.promises import promise

from signoff.audit.evidence import EvidenceFile
from signoff.audit.evidence_check import check_evidence
from signoff.audit.keys import last_signed
from signoff.audit.operators import NoHumanSignature, Operators, check_receipt
from signoff.audit.passkey import Signed, base64url, read_signed
from signoff.audit.receipt import issue, key_set, read
from signoff.audit.report import Report
from signoff.audit.verify import verify_log
from signoff.cli import signoff
from signoff.desk.checkpoints import publish_checkpoint
from signoff.desk.desk import Desk, DeskSettings
from signoff.desk.evidence import Wanted, export_evidence
from signoff.desk.passkeys import pinned_keys, revoke_passkey
from signoff.desk.receipts import with_receipt
from signoff.domain.canonical import sha256
from signoff.domain.change import Change
from signoff.domain.clock import SystemClock, to_text
from signoff.domain.decision import Answer, decision_payload
from signoff.domain.escalation import Proposed, decided
from signoff.domain.event import Draft, commitment
from signoff.domain.people import Passkey
from signoff.operators.evidence import evidence_page
from signoff.store.log_source import LogSource
from signoff.store.unit import Unit

YES = Answer("approve")


@pytest.fixture
def policy_path(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY, encoding="utf-8")
    return path


@pytest.fixture
def settings() -> DeskSettings:
    return DeskSettings(base_url=ORIGIN, undo_s=0)


@dataclass
class Played:
    """A home in which Omar has signed one decision and another case waits; the auditor has pinned his key."""

    desk: Desk
    cast: Cast
    phone: Authenticator
    honest: str
    """A case that Omar approved."""
    waiting: str
    """A case that nobody has decided."""
    operators: Operators
    checkpoint: str
    """Kept by the auditor from before the attack."""

    async def signed_event(self) -> dict[str, Any]:
        """Return the event of Omar's own approval."""
        async with self.desk.store.reading() as reader:
            events = [orjson.loads(body) for _, body in await reader.events_of_case(self.honest)]
        event: dict[str, Any] = next(one for one in events if one["type"] == "escalation.decided")
        return event


@pytest.fixture
async def played(desk: Desk, cast: Cast) -> Played:
    phone = device()
    await enrolled(desk, cast.omar, phone, by=cast.sofia)
    honest = (await ask(desk, cast.ada, VAULT)).escalation_id
    await sign_and_decide(desk, cast.omar, phone, honest, YES)
    waiting = (await ask(desk, cast.ada, VAULT)).escalation_id
    note = await publish_checkpoint(desk)
    assert note is not None
    return Played(desk, cast, phone, honest, waiting, await pinned_keys(desk), note)


async def invent(
    played: Played, evidence: Signed | dict[str, Any] | None, *, salt: bytes | None = None
) -> int:
    """Append a perfect approval of the waiting case in Omar's name; returns the number of its event.

    The administrator runs the product's own code past its checks, with every key of the home.
    """
    desk = played.desk
    omar = replace(played.cast.omar, assurance="passkey")
    if isinstance(evidence, Signed):
        evidence = evidence.as_json()

    async def move(unit: Unit) -> int:
        case = await unit.case(played.waiting)
        assert case is not None
        change = decided(
            case,
            YES,
            proposed=Proposed(case.tool, case.server, dict(VAULT.arguments)),
            by=omar,
            owner=None,
            decision_id=unit.new_id("dec"),
            view_digest=sha256(b"a page that nobody saw") if salt is None else seen[0],
            now=unit.now,
            undo_s=0,
            signed=evidence,
        )
        change = replace(change, salts={} if salt is None else {"decision": salt})
        change = with_receipt(
            desk,
            change,
            receipt_id="dec_invented",
            seq=unit.next_seq,
            now=unit.now,
            by=omar,
            signed=() if evidence is None else (read_signed(evidence),),
        )
        seq = unit.next_seq
        await unit.apply(change)
        return seq

    seen = [evidence["statement"]["view_digest"] if evidence else ""]
    seq: int = await desk.store.write(move)
    await publish_checkpoint(desk)
    return seq


async def verified(played: Played, operators: Operators | None) -> Report:
    """Verify as a stranger would: with public keys, a checkpoint from before, and perhaps pins."""
    async with played.desk.store.snapshot() as reader:
        return await verify_log(
            LogSource(reader),
            played.desk.keys.public(),
            on_progress=lambda done, of: None,
            anchors=[played.checkpoint],
            operators=operators,
        )


async def receipt_of(played: Played, case: str) -> Any:
    async with played.desk.store.reading() as reader:
        token = (await reader.decisions(case))[-1].receipt
    assert token is not None
    return read(token, key_set(played.desk.keys.jwks()))


def assert_named(report: Report, seq: int, why: str = "") -> None:
    (problem,) = report.problems
    assert problem.seq == report.first_bad_event == seq
    assert "no valid human signature" in problem.what
    assert why in problem.what


@promise("provable")
async def test_an_honest_log_holds_with_and_without_pinned_keys(played: Played) -> None:
    for operators in (played.operators, None):
        report = await verified(played, operators)
        assert report.problems == ()
        assert (report.human_signatures, report.operators_pinned) == (1, operators is not None)
    assert check_receipt(await receipt_of(played, played.honest), played.operators) == 1


@promise("provable")
async def test_an_approval_that_an_administrator_invented_has_no_human_signature(played: Played) -> None:
    seq = await invent(played, None)
    for operators in (played.operators, None):
        assert_named(await verified(played, operators), seq)
    receipt = await receipt_of(played, played.waiting)
    assert (receipt.outcome, receipt.assurance) == ("approved", "passkey")
    with pytest.raises(NoHumanSignature, match="no valid human signature"):
        check_receipt(receipt, played.operators)


@promise("provable")
async def test_evidence_of_an_invented_approval_does_not_hold_against_pinned_keys(
    played: Played, tmp_path: Path
) -> None:
    seq = await invent(played, None)
    for scope in (Wanted(case=played.waiting), Wanted()):
        out = tmp_path / f"{scope.case or 'log'}.zip"
        await export_evidence(played.desk, scope, out=out, summary=evidence_page)
        with out.open("rb") as file:
            report = check_evidence(EvidenceFile(file), played.desk.keys.public(), operators=played.operators)
        (problem,) = report.problems
        assert (problem.seq, report.operators_pinned) == (seq, True)
        assert "no valid human signature" in problem.what
    out = tmp_path / "honest.zip"
    await export_evidence(played.desk, Wanted(case=played.honest), out=out, summary=evidence_page)
    with out.open("rb") as file:
        report = check_evidence(EvidenceFile(file), played.desk.keys.public(), operators=played.operators)
    assert (report.problems, report.human_signatures) == ((), 1)


@promise("provable")
async def test_a_signature_from_another_case_is_not_one_for_this(played: Played) -> None:
    seq = await invent(played, (await played.signed_event())["data"]["passkey"])
    assert_named(await verified(played, played.operators), seq, "names another case")
    with pytest.raises(NoHumanSignature, match="another case"):
        check_receipt(await receipt_of(played, played.waiting), played.operators)


@promise("provable")
async def test_a_signature_whose_statement_was_edited_to_fit_is_none(played: Played) -> None:
    evidence = (await played.signed_event())["data"]["passkey"]
    salt = bytes(32)
    async with played.desk.store.reading() as reader:
        case = await reader.case(played.waiting)
    assert case is not None
    evidence["statement"].update(
        case=case.id, version=case.version, decision=commitment(salt, decision_payload(YES))
    )
    seq = await invent(played, evidence, salt=salt)
    assert_named(await verified(played, played.operators), seq, "signed something else")


DEVICES: dict[str, tuple[Callable[[Played], Authenticator], str]] = {
    "a key that nobody knows": (lambda played: device(), "not pinned"),
    "Omar's id on another key": (
        lambda played: device(credential_id=played.phone.credential_id),
        "did not sign this decision",
    ),
    "Omar's phone without his finger": (
        lambda played: without_finger(played.phone),
        "did not check who you are",
    ),
    "Omar's phone on another page": (lambda played: elsewhere(played.phone), "other pages"),
}


def without_finger(phone: Authenticator) -> Authenticator:
    phone.verifies_user = False
    return phone


def elsewhere(phone: Authenticator) -> Authenticator:
    phone.origin = "https://signoff.evil"
    return phone


@promise("provable")
@pytest.mark.parametrize("what", DEVICES)
async def test_a_signature_of_the_wrong_device_is_none(played: Played, what: str) -> None:
    bent, why = DEVICES[what]
    _, proof = await sign(played.desk, played.cast.omar, played.phone, played.waiting, YES)
    got = bent(played).get(proof.signed.statement.challenge)
    forged = signed(proof.signed.statement, got)
    seq = await invent(played, forged, salt=proof.salt)
    assert_named(await verified(played, played.operators), seq, why)


@promise("provable")
async def test_a_signature_for_another_action_is_none(played: Played) -> None:
    """Omar was shown, and signed, a modification; the server records that he approved the proposal."""
    other = Answer("modify", arguments={"door": 8})
    _, proof = await sign(played.desk, played.cast.omar, played.phone, played.waiting, other)
    seq = await invent(played, proof.signed, salt=proof.salt)
    report = await verified(played, played.operators)
    assert_named(report, seq, "names another action_digest")


@promise("provable")
async def test_a_signed_no_is_not_a_yes(played: Played) -> None:
    no = Answer("reject", note="never")
    _, proof = await sign(played.desk, played.cast.omar, played.phone, played.waiting, no)
    seq = await invent(played, proof.signed, salt=proof.salt)
    assert_named(await verified(played, played.operators), seq, "names another action_digest")


@promise("provable")
async def test_a_key_that_the_administrator_enrolled_afterwards_is_not_pinned(played: Played) -> None:
    """Chain, tree, receipts, enrolment by "two people": all perfect. Only the auditor's file does not know the key."""
    desk, evil = played.desk, device()
    sofia = played.cast.sofia

    async def enrol(unit: Unit) -> None:
        passkey = Passkey(
            base64url(evil.credential_id),
            played.cast.omar.person.id,
            evil.public_key,
            evil.rp_id,
            "phone",
            0,
            unit.now,
        )
        await unit.add_passkey(passkey)
        await unit.enrol_passkey(passkey.credential, by=sofia.person.id)
        data = {
            "person": passkey.person_id,
            "credential": passkey.credential,
            "public_key": base64url(passkey.public_key),
            "key_digest": sha256(passkey.public_key),
            "rp_id": passkey.rp_id,
        }
        await unit.record(Draft("person.passkey_enrolled", unit.now, sofia.actor, data))

    await desk.store.write(enrol)
    _, proof = await sign(desk, played.cast.omar, evil, played.waiting, YES)
    seq = await invent(played, proof.signed, salt=proof.salt)

    assert (await verified(played, None)).ok, "without pins it is the server that vouches, and it lied"
    assert_named(await verified(played, played.operators), seq, "not pinned")
    with pytest.raises(NoHumanSignature, match="not pinned"):
        check_receipt(await receipt_of(played, played.waiting), played.operators)


@promise("provable")
async def test_an_enrolment_without_a_second_person_is_named(played: Played) -> None:
    evil = device()
    data = {
        "person": played.cast.omar.person.id,
        "credential": base64url(evil.credential_id),
        "public_key": base64url(evil.public_key),
        "key_digest": sha256(evil.public_key),
        "rp_id": evil.rp_id,
    }

    async def enrol(unit: Unit) -> int:
        seq = unit.next_seq
        await unit.record(Draft("person.passkey_enrolled", unit.now, played.cast.omar.actor, data))
        return seq

    seq = await played.desk.store.write(enrol)
    (problem,) = (await verified(played, None)).problems
    assert (problem.seq, problem.what) == (seq, "enrols a passkey without a second person")


@promise("provable")
async def test_what_a_revoked_key_signed_afterwards_does_not_count(played: Played) -> None:
    _, proof = await sign(played.desk, played.cast.omar, played.phone, played.waiting, YES)
    await revoke_passkey(played.desk, proof.signed.credential, by=None)
    seq = await invent(played, proof.signed, salt=proof.salt)
    for operators in (played.operators, None):
        assert_named(await verified(played, operators), seq, "was revoked")


@promise("provable")
async def test_an_old_signature_is_not_used_later(played: Played, clock: HandClock) -> None:
    _, proof = await sign(played.desk, played.cast.omar, played.phone, played.waiting, YES)
    clock.advance(301)
    seq = await invent(played, proof.signed, salt=proof.salt)
    assert_named(await verified(played, played.operators), seq, "names another time")


@promise("provable")
async def test_a_case_that_was_opened_as_approved_names_nobody(played: Played) -> None:
    """The administrator lets the policy have approved what it asks a person for."""

    async def move(unit: Unit) -> int:
        case = await unit.case(played.waiting)
        document = await unit.document(played.waiting)
        assert case is not None
        assert document is not None
        async with played.desk.store.reading() as reader:
            first = orjson.loads((await reader.events_of_case(case.id))[0][1])
        made = replace(
            case,
            id="esc_invented",
            status="approved",
            decided_at=unit.now,
            opened_at=unit.now,
            release_at=unit.now,
            valid_until=unit.now + case.approval_valid_for,
            assurance="none",
            final_digest=case.action_digest,
        )
        data = {
            **{name: value for name, value in first["data"].items() if name != "bundle"},
            "status": "approved",
            "final_digest": made.final_digest,
            "assurance": "none",
            "release_at": to_text(unit.now),
            "valid_until": to_text(unit.now + case.approval_valid_for),
        }
        change = Change(
            made,
            Draft("escalation.opened", unit.now, played.cast.ada.actor, data, made.id),
            payloads={"bundle": document},
        )
        seq = unit.next_seq
        change = with_receipt(played.desk, change, receipt_id="rcp_x", seq=seq, now=unit.now, by=None)
        await unit.apply(change)
        return seq

    seq: int = await played.desk.store.write(move)
    assert_named(await verified(played, played.operators), seq, "names nobody")


@promise("provable")
async def test_an_auditor_sees_the_invented_approval_at_the_command_line(
    played: Played, tmp_path: Path
) -> None:
    operators, anchor, receipt = (tmp_path / name for name in ("operators.json", "anchor.txt", "receipt.jwt"))
    operators.write_text(played.operators.text(), encoding="ascii")
    seq = await invent(played, None)
    anchor.write_text(last_signed(played.desk.keys.directory) or "", encoding="utf-8")
    now = SystemClock().now()  # the command line has no other
    fresh = replace(
        await receipt_of(played, played.waiting), issued_at=now, expires_at=now + timedelta(hours=1)
    )
    receipt.write_text(issue(fresh, played.desk.keys.receipt), encoding="ascii")
    pinned = ["--operators", str(operators), "--home", str(tmp_path)]
    database = ["--db", str(tmp_path / "signoff.db"), "--checkpoint", str(anchor)]

    told = await command("audit", "verify", *database, *pinned)
    assert told.exit_code == 1
    assert f"event {seq}: holds no valid human signature" in told.output
    assert "1 decisions signed by people, with pinned keys" in told.output
    assert f"First bad event: {seq}." in told.output
    refused = await command("verify-receipt", str(receipt), *pinned)
    assert refused.exit_code == 1
    assert "no valid human signature" in refused.output


async def command(*arguments: str) -> Result:
    """Run `signoff` in a thread: it brings an event loop of its own."""
    return await anyio.to_thread.run_sync(lambda: CliRunner().invoke(signoff, arguments))
