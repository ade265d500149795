"""What is handed out: proofs with receipts, and evidence files of a case, a range and the whole log."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests._support.cases import WIRE, answer, approve, ask, second_hand, verified
from tests._support.clock import HandClock
from tests.conftest import POLICY, Cast

from signoff.audit.evidence import EvidenceFile, Facts
from signoff.audit.evidence_check import EvidenceReport, check_evidence
from signoff.audit.keys import create_keys
from signoff.audit.receipt import key_set, read
from signoff.audit.receipt_proof import check_receipt_proof
from signoff.audit.tlog_proof import ProofInvalid, parse_proof, proven_event
from signoff.desk.checkpoints import publish_checkpoint
from signoff.desk.claim import claim, report_outcome
from signoff.desk.desk import Desk
from signoff.desk.evidence import Told, Wanted, export_evidence
from signoff.desk.prove import proofs_of
from signoff.desk.rotate import rotate_key
from signoff.desk.wait import wait_for_decision
from signoff.domain.action import Action
from signoff.domain.bundle import Material
from signoff.domain.decision import Answer
from signoff.domain.errors import InvalidRequest, NotFound, StoreUnavailable
from signoff.domain.event import SYSTEM, Draft
from signoff.operators.evidence import evidence_page
from signoff.store.unit import Unit

SCRIPT = Path(__file__).parents[2] / "docs" / "verify_log.py"


def page(told: Told) -> str:
    return evidence_page(told)


async def decided(desk: Desk, cast: Cast, clock: HandClock, **more: Any) -> str:
    """Carry a case through to its outcome."""
    told = await ask(desk, cast.ada, **more)
    await approve(desk, cast.omar, told.escalation_id, "paid to the right account")
    clock.advance(1)
    await claim(desk, cast.ada, told.escalation_id, WIRE)
    await report_outcome(desk, cast.ada, told.escalation_id, "succeeded", note="tx-1")
    return told.escalation_id


async def exported(desk: Desk, wanted: Wanted, out: Path, **more: Any) -> Facts:
    return await export_evidence(desk, wanted, out=out, summary=page, **more)


def checked(desk: Desk, path: Path, *checkpoints: str) -> EvidenceReport:
    with path.open("rb") as file:
        return check_evidence(EvidenceFile(file), desk.keys.public(), checkpoints)


def script(desk: Desk, path: Path) -> str:
    done = subprocess.run(  # noqa: S603 -- our own script
        [sys.executable, "-I", str(SCRIPT), str(path), str(desk.keys.directory / "log.pub")],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


async def test_an_agent_gets_the_proof_of_the_decision_with_its_receipt(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    case = await decided(desk, cast, clock)
    told = await wait_for_decision(desk, cast.ada, case)
    assert told.receipt is not None
    assert told.proof is not None
    keys = desk.keys.public()
    receipt = read(told.receipt, key_set(desk.keys.jwks()))
    check_receipt_proof(told.proof, token=told.receipt, receipt=receipt, keys=keys.log)
    raw, checkpoint = proven_event(parse_proof(told.proof), keys.log)
    assert json.loads(raw)["type"] == "escalation.decided"
    assert checkpoint.size > receipt.audit_seq


async def test_what_the_policy_decides_is_proven_too(desk: Desk, cast: Cast) -> None:
    told = await ask(desk, cast.ada, Action(tool="launch_missiles"))
    assert told.proof is not None
    raw, _ = proven_event(parse_proof(told.proof), desk.keys.public().log)
    assert json.loads(raw)["data"]["status"] == "rejected"


async def test_whoever_knows_only_the_first_key_can_check_the_whole_log_after_rotations(
    desk: Desk, cast: Cast, clock: HandClock, tmp_path: Path
) -> None:
    first = desk.keys.public()
    await decided(desk, cast, clock)
    old = await publish_checkpoint(desk)
    assert old is not None
    for purpose in ("log", "receipt"):
        await rotate_key(desk, purpose, overlap=timedelta(minutes=1))
    clock.advance(120)
    await decided(desk, cast, clock)
    out = tmp_path / "log.zip"
    await exported(desk, Wanted(), out)

    with out.open("rb") as file:
        report = check_evidence(EvidenceFile(file), first, [old])

    assert (report.problems, report.compared, report.receipts) == ((), 1, 2)
    assert script(desk, out).startswith("HOLDS")
    stranger = create_keys(tmp_path / "others", origin=desk.keys.origin).public()
    with out.open("rb") as file:
        assert check_evidence(EvidenceFile(file), stranger).checkpoint is None


async def test_nothing_is_proven_before_the_agent_may_know(desk: Desk, cast: Cast) -> None:
    told = await ask(desk, cast.ada)
    assert (told.receipt, told.proof) == (None, None)


async def test_the_proof_of_another_case_proves_no_receipt(desk: Desk, cast: Cast, clock: HandClock) -> None:
    first = await wait_for_decision(desk, cast.ada, await decided(desk, cast, clock))
    other = await wait_for_decision(desk, cast.ada, await decided(desk, cast, clock))
    assert first.receipt is not None
    assert other.proof is not None
    receipt = read(first.receipt, key_set(desk.keys.jwks()))
    with pytest.raises(ProofInvalid, match="another event"):
        check_receipt_proof(other.proof, token=first.receipt, receipt=receipt, keys=desk.keys.public().log)


async def test_an_auditor_gets_the_proofs_of_a_case_and_of_an_event(
    desk: Desk, cast: Cast, clock: HandClock
) -> None:
    case = await decided(desk, cast, clock)
    proofs = await proofs_of(desk, case)
    keys = desk.keys.public().log
    types = [json.loads(proven_event(one, keys)[0])["type"] for one in proofs]
    assert types[0] == "escalation.opened"
    assert types[-1] == "escalation.outcome"
    assert await proofs_of(desk, str(proofs[0].index)) == [proofs[0]]
    for unknown in ("esc_nobody", "9999", "99999999999999999999999", "é"):
        with pytest.raises(NotFound):
            await proofs_of(desk, unknown)


async def test_a_stranger_verifies_a_case_with_both_verifiers(
    desk: Desk, cast: Cast, clock: HandClock, tmp_path: Path
) -> None:
    early = await publish_checkpoint(desk)
    assert early is not None
    case = await decided(desk, cast, clock, material=Material(state={"name": "Erika"}))
    await decided(desk, cast, clock)
    out = tmp_path / "case.zip"
    facts = await exported(desk, Wanted(case=case), out, checkpoints=[early])
    report = checked(desk, out, early)
    assert report.problems == ()
    assert (report.payloads, report.receipts, report.policies, report.compared) == (3, 1, 1, 1)
    assert report.events == facts.events
    assert report.cases == 1
    assert f"HOLDS: {facts.events} of {facts.size} signed events" in script(desk, out)


async def test_a_range_and_the_whole_log_verify_too(
    desk: Desk, cast: Cast, clock: HandClock, tmp_path: Path
) -> None:
    await decided(desk, cast, clock)
    middle = clock.now()
    await decided(desk, cast, clock)
    ways = {"all": Wanted(), "some": Wanted(first=2, last=5), "late": Wanted(since=middle)}
    for name, wanted in ways.items():
        facts = await exported(desk, wanted, tmp_path / f"{name}.zip")
        assert checked(desk, tmp_path / f"{name}.zip").problems == (), name
        assert "HOLDS" in script(desk, tmp_path / f"{name}.zip")
        assert facts.scope == ("log" if name == "all" else "range")
    with pytest.raises(NotFound):
        await exported(desk, Wanted(first=5000), tmp_path / "none.zip")
    assert not (tmp_path / "none.zip").exists()


async def test_an_export_is_an_event_that_names_the_file(
    desk: Desk, cast: Cast, clock: HandClock, tmp_path: Path
) -> None:
    import hashlib

    case = await decided(desk, cast, clock)
    out = tmp_path / "case.zip"
    await exported(desk, Wanted(case=case), out)
    async with desk.store.reading() as reader:
        last = json.loads((await reader.events_of_case(case))[-1][1])
    assert last["type"] == "export.made"
    assert last["data"]["file"] == "sha256:" + hashlib.sha256(out.read_bytes()).hexdigest()
    assert (last["data"]["scope"], last["data"]["payloads"]) == ("case", "disclosed")
    assert (await verified(desk)).ok


async def test_an_export_never_replaces_a_file_and_leaves_no_half_of_one(
    desk: Desk, cast: Cast, clock: HandClock, tmp_path: Path
) -> None:
    case = await decided(desk, cast, clock)
    out = tmp_path / "case.zip"
    out.write_bytes(b"mine")
    with pytest.raises(InvalidRequest, match="never replaces"):
        await exported(desk, Wanted(case=case), out)
    assert out.read_bytes() == b"mine"
    with pytest.raises(NotFound):
        await exported(desk, Wanted(case="esc_nobody"), tmp_path / "none.zip")
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        await exported(desk, Wanted(case=case), tmp_path / "no" / "such" / "folder.zip")
    assert [path.name async for path in anyio.Path(tmp_path).glob("*.zip*")] == ["case.zip"]


async def test_a_foreign_checkpoint_is_refused(
    desk: Desk, cast: Cast, clock: HandClock, tmp_path: Path
) -> None:
    case = await decided(desk, cast, clock)
    with pytest.raises(InvalidRequest, match="checkpoint"):
        await exported(desk, Wanted(case=case), tmp_path / "case.zip", checkpoints=["nonsense"])


async def test_a_masked_export_hides_what_the_policy_hides_and_says_so(
    desk: Desk, cast: Cast, clock: HandClock, tmp_path: Path, policy_path: Path
) -> None:
    await anyio.Path(policy_path).write_text(
        POLICY + "masks:\n  - path: bundle.state.name\n    hide_from: [operator]\n"
    )
    case = await decided(desk, cast, clock, material=Material(state={"name": "Erika", "city": "Graz"}))
    out = tmp_path / "masked.zip"
    await exported(desk, Wanted(case=case), out, payloads="masked")
    assert b"Erika" not in out.read_bytes()
    assert b"Graz" in out.read_bytes()
    report = checked(desk, out)
    assert (report.problems, report.payloads, report.masked) == ((), 0, 3)
    assert "HOLDS" in script(desk, out)
    with zipfile.ZipFile(out) as file:
        assert not [name for name in file.namelist() if name.endswith(".salt")]
        assert "cannot be compared" in file.read("index.html").decode()


async def test_a_masked_export_hides_it_in_what_made_triggers_fire_too(
    desk: Desk, cast: Cast, clock: HandClock, tmp_path: Path, policy_path: Path
) -> None:
    case = await decided(desk, cast, clock)
    explain = '    explain: "{{action.arguments.amount}} to {{action.arguments.country}}"\n'
    mask = "masks:\n  - path: action.arguments.amount\n    hide_from: [operator]\n"
    await anyio.Path(policy_path).write_text(POLICY.replace(explain, "") + mask)
    clock.advance(5)
    whole, hidden = tmp_path / "whole.zip", tmp_path / "masked.zip"

    await exported(desk, Wanted(case=case), whole)
    await exported(desk, Wanted(case=case), hidden, payloads="masked")

    def holds(path: Path, words: bytes) -> bool:
        with zipfile.ZipFile(path) as file:
            return any(
                words in file.read(name) for name in file.namelist() if not name.startswith("policies/")
            )

    assert holds(whole, b"12500 to")
    assert not holds(hidden, b"12500")


async def test_an_export_without_payloads_holds_none(
    desk: Desk, cast: Cast, clock: HandClock, tmp_path: Path
) -> None:
    case = await decided(desk, cast, clock, material=Material(state={"name": "Erika"}))
    out = tmp_path / "bare.zip"
    await exported(desk, Wanted(case=case), out, payloads="withheld")
    assert b"Erika" not in out.read_bytes()
    assert b"paid to the right account" not in out.read_bytes()
    report = checked(desk, out)
    assert (report.problems, report.withheld) == ((), 3)


async def test_an_erased_case_is_exported_with_the_event_that_erased_it(
    desk: Desk, cast: Cast, clock: HandClock, tmp_path: Path
) -> None:
    case = await decided(desk, cast, clock, material=Material(state={"name": "Erika"}))
    async with desk.store.reading() as reader:
        events = [json.loads(raw) for _, raw in await reader.events_of_case(case)]
    parts = [event["data"]["bundle"] for event in events if "bundle" in event["data"]]
    with second_hand(tmp_path / "signoff.db") as db:
        db.execute("DELETE FROM payload WHERE field = 'bundle'")
    out = tmp_path / "gone.zip"
    await exported(desk, Wanted(case=case), out)
    assert checked(desk, out).first_bad_event == events[0]["seq"]
    out.unlink()

    async def erased(unit: Unit) -> None:
        await unit.record(Draft("bundle.erased", unit.now, SYSTEM, {"parts": parts}))  # names no case

    await desk.store.write(erased)
    await exported(desk, Wanted(case=case), out)
    report = checked(desk, out)
    assert (report.problems, report.erased) == ((), 1)


EVIL = "Pay \u202egnp.exe\u202c <script>alert(1)</script> p\u0430ypal \u200b{{ 7*7 }}"


async def test_the_summary_shows_what_people_need_and_nothing_of_it_runs(
    desk: Desk, cast: Cast, clock: HandClock, tmp_path: Path
) -> None:
    wire = Action(tool="wire_transfer", arguments={"amount": 12500, "country": "DE"}, summary=EVIL)
    told = await ask(desk, cast.ada, wire, material=Material(state={"note": EVIL, "long": "x " * 2000}))
    await answer(desk, cast.omar, told.escalation_id, Answer("approve", note=f"fine {EVIL}"))
    out = tmp_path / "case.zip"
    await exported(desk, Wanted(case=told.escalation_id), out)
    with zipfile.ZipFile(out) as file:
        shown = file.read("index.html").decode()
    assert "<script" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "{{ 7*7 }}" in shown
    assert "\u202e" not in shown
    assert "⟦U+202E⟧" in shown
    assert "⟦U+200B⟧" in shown
    assert "U+0430⟧" in shown
    assert "<details" not in shown  # on paper nothing can be unfolded
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!#)""", shown)
    assert not re.search(r"url\(|@import", shown)
    for needed in ("Omar", "Ada", "decided: <b>approved</b>", "verify_log.py", "12500", told.escalation_id):
        assert needed in shown
    assert checked(desk, out).ok
