"""A whole log, made with the real moves of cases, then tampered with in every way that must be noticed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from signoff.audit import chain
from signoff.audit.checkpoint import Checkpoint, SigningKey, sign
from signoff.audit.event_form import parse_event
from signoff.audit.fold import (
    COMMITMENTS,
    ERASED_TEXTS,
    HANDLING,
    ApprovalRow,
    CaseRow,
    DecisionRow,
    ReceiptRow,
)
from signoff.audit.keys import PublicKeys, ReceiptKey
from signoff.audit.merkle import leaf_hash
from signoff.audit.payloads import PayloadRow
from signoff.audit.receipt import Decider, Receipt, issue
from signoff.audit.report import Problem, Report
from signoff.audit.verifier import CheckpointRow, EventRow, HeadRow, PolicyRow, Verifier
from signoff.audit.verify import verify_log
from signoff.domain import escalation as moves
from signoff.domain import question
from signoff.domain.action import action_digest
from signoff.domain.canonical import canonical, sha256
from signoff.domain.change import Change
from signoff.domain.clock import from_text, to_text
from signoff.domain.decision import Answer
from signoff.domain.event import SYSTEM, Actor, Draft, commitment
from signoff.domain.people import Agent, Assurance, Person, Role, SignIn
from signoff.domain.verdict import Outcome as Verdicted
from signoff.domain.verdict import Requirement, Verdict

NOW = datetime(2026, 11, 23, 20, 31, 5, tzinfo=UTC)
LOG_KEY = SigningKey("example.com/log42", Ed25519PrivateKey.from_private_bytes(bytes(32)))
RECEIPT_KEY = ReceiptKey.of(Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32))
KEYS = PublicKeys((LOG_KEY.verifier,), {"keys": [RECEIPT_KEY.jwk]})
POLICY = sha256(b"a policy")
ADA = Agent("agt_ada", "Ada", None, NOW)
ARGUMENTS = {"amount": 12_000}
DIGEST = action_digest("wire_transfer", ARGUMENTS, server=None)
PROPOSED = moves.Proposed("wire_transfer", None, ARGUMENTS)
APPROVE, REJECT = Answer("approve"), Answer("reject", note="not this month")
MODIFY = Answer("modify", arguments={"amount": 500})


def person(name: str, *roles: Role) -> SignIn:
    return SignIn(Person(f"per_{name}", name, frozenset(roles), frozenset(), (), NOW), "session")


OMAR, SOFIA = person("omar", "operator"), person("sofia", "operator", "supervisor")

Row = TypeVar("Row")


async def in_batches(rows: Sequence[Row], size: int) -> AsyncIterator[Sequence[Row]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def filed(seq: int, raw: bytes) -> EventRow:
    """Return an event's row as its own bytes say that it is filed."""
    said = parse_event(raw) or {"type": "", "at": ""}
    return EventRow(seq, raw, said["type"], said["at"], said.get("escalation"), leaf_hash(raw))


@dataclass
class MadeLog:
    """A store in memory, as the verifier sees it; `batch` rows come at once."""

    head: chain.Head = chain.EMPTY
    log: list[tuple[int, bytes]] = field(default_factory=list)
    kept: dict[tuple[int, str], PayloadRow] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    policies_kept: list[PolicyRow] = field(default_factory=list)
    rows: dict[str, CaseRow] = field(default_factory=dict)
    batch: int = 7

    async def count(self) -> int:
        return len(self.log)

    def events(self) -> AsyncIterator[Sequence[EventRow]]:
        return in_batches([filed(seq, raw) for seq, raw in self.log], self.batch)

    def payloads(self) -> AsyncIterator[Sequence[PayloadRow]]:
        return in_batches([self.kept[key] for key in sorted(self.kept)], self.batch)

    def checkpoints(self) -> AsyncIterator[Sequence[CheckpointRow]]:
        made = [CheckpointRow(_size_of(note), note, "2027-01-01T00:00:00.000000Z") for note in self.notes]
        return in_batches(made, self.batch)

    async def end(self) -> HeadRow | None:
        return None

    def nodes(self, level: int) -> AsyncIterator[Sequence[tuple[int, bytes]]]:
        return in_batches([], self.batch)

    def policies(self) -> AsyncIterator[Sequence[PolicyRow]]:
        return in_batches(self.policies_kept, self.batch)

    def cases(self) -> AsyncIterator[Sequence[CaseRow]]:
        return in_batches(list(self.rows.values()), self.batch)

    @property
    def now(self) -> datetime:
        """Never before the last event, as a unit of work has it."""
        return max(NOW, from_text(self.head.at)) if self.head.at else NOW

    def append(self, draft: Draft) -> int:
        self.head, made = chain.append(self.head, draft, log=LOG_KEY.name)
        self.log.append((made.seq, made.raw))
        return made.seq

    def note(self, kind: str, case_id: str | None = None, **data: Any) -> int:
        return self.append(Draft(kind, NOW, SYSTEM, data, case_id))

    def sign(self, key: SigningKey = LOG_KEY) -> str:
        note = sign(Checkpoint(LOG_KEY.name, self.head.size, self.head.root), key)
        self.notes.append(note)
        return note

    def apply(self, change: Change) -> moves.Escalation:
        """Write a change as the store does: payloads, receipt, event, row."""
        seq, case, data = self.head.size, change.case, dict(change.draft.data)
        for name, payload in change.payloads.items():
            salt = hashlib.sha256(f"{seq}{name}".encode()).digest()
            data[name] = commitment(salt, payload)
            self.kept[seq, name] = PayloadRow(seq, name, salt, payload)
        before = self.rows.get(case.id)
        decisions, receipts = (before.decisions, before.receipts) if before else ((), ())
        if change.draft.type == "escalation.decided":
            token = issue(receipt_of(case, seq, data), RECEIPT_KEY)
            data["receipt"] = sha256(token.encode())
            receipts = (*receipts, ReceiptRow(seq, case.id, token))
        if change.undoes is not None:
            taken_back = to_text(change.draft.at)
            decisions = tuple(one._replace(undone_at=one.undone_at or taken_back) for one in decisions)
        if change.decision is not None:
            decisions = (*decisions, decision_of(change, seq))
        assert self.append(replace(change.draft, data=data)) == seq
        opened_seq = before.opened_seq if before else seq
        self.rows[case.id] = row_of(case, decisions, receipts, opened_seq=opened_seq)
        return case

    def open(
        self,
        case_id: str,
        outcome: Verdicted = "escalate",
        approvals: int = 1,
        *,
        assurance: Assurance = "link",
    ) -> moves.Escalation:
        verdict = Verdict(
            outcome=outcome,
            fired=(),
            shadow=(),
            policy_digest=POLICY,
            queue="payments",
            urgency="high",
            require=Requirement(approvals=approvals, assurance=assurance),
            approve_within=timedelta(minutes=30),
            approval_valid_for=timedelta(minutes=10),
            on_deadline="expire",
        )
        document = canonical(
            {
                "action": {"tool": "wire_transfer", "arguments": ARGUMENTS, "summary": "Pay the bill"},
                "case": case_id,
            }
        )
        request = moves.Request("wire_transfer", None, "Pay the bill", DIGEST, (), document)
        return self.apply(
            moves.opened(request, verdict, case_id=case_id, agent=ADA, now=self.now, urgency="high")
        )

    def decide(
        self, case: moves.Escalation, answer: Answer, by: SignIn = OMAR, undo_s: int = 0
    ) -> moves.Escalation:
        return self.apply(
            moves.decided(
                case,
                answer,
                proposed=PROPOSED,
                by=by,
                owner=None,
                decision_id=f"dec_{self.head.size}",
                view_digest=sha256(b"a page"),
                now=self.now,
                undo_s=undo_s,
            )
        )

    def use(self, case: moves.Escalation, *outcomes: moves.Outcome) -> moves.Escalation:
        case = self.apply(moves.claimed(case, case.final_digest or "", by=ADA.actor, now=self.now))
        for outcome in outcomes:
            report = canonical({"note": outcome})
            case = self.apply(
                moves.outcome_reported(case, outcome, by=ADA.actor, report=report, now=self.now)
            )
        return case


def receipt_of(case: moves.Escalation, seq: int, data: dict[str, Any]) -> Receipt:
    assert case.decided_at is not None
    assert case.assurance is not None
    outcome: Any = case.status
    return Receipt(
        issuer=LOG_KEY.name,
        escalation_id=case.id,
        agent_id=case.agent_id,
        issued_at=case.decided_at,
        expires_at=case.valid_until or case.deadline_at,
        id=data["decision_id"],
        outcome=outcome,
        action_digest=case.final_digest,
        proposed_digest=case.action_digest,
        decided_by=tuple(Decider(one, ("operator",)) for one in case.decided_by),
        assurance=case.assurance,
        policy_digest=case.policy_digest,
        audit_seq=seq,
    )


def decision_of(change: Change, seq: int) -> DecisionRow:
    assert change.decision is not None
    taken = change.decision
    return DecisionRow(
        seq=seq,
        id=taken.id,
        escalation_id=change.case.id,
        choice=taken.answer.choice,
        person_id=taken.by.person.id,
        roles=tuple(sorted(taken.by.person.roles)),
        assurance=taken.by.assurance,
        decided_at=to_text(change.draft.at),
        undone_at=None,
        content=json.loads(change.payloads["decision"]),
    )


def row_of(
    case: moves.Escalation,
    decisions: tuple[DecisionRow, ...],
    receipts: tuple[ReceiptRow, ...],
    *,
    opened_seq: int,
) -> CaseRow:
    return CaseRow(
        escalation_id=case.id,
        version=case.version,
        status=case.status,
        agent_id=case.agent_id,
        action_digest=case.action_digest,
        final_digest=case.final_digest,
        policy_digest=case.policy_digest,
        queue=case.queue,
        urgency=case.urgency,
        triggers=case.triggers,
        require=case.require.as_json(),
        tier=case.tier,
        deadline_at=to_text(case.deadline_at),
        approvals=tuple(
            ApprovalRow(one.person_id, one.roles, one.assurance, to_text(one.at), one.final_digest)
            for one in case.approvals
        ),
        decided_by=case.decided_by,
        assurance=case.assurance,
        release_at=to_text(case.release_at) if case.release_at else None,
        valid_until=to_text(case.valid_until) if case.valid_until else None,
        claimed=case.claimed_at is not None,
        outcome=case.outcome,
        decisions=decisions,
        receipts=receipts,
        opened_seq=opened_seq,
        opened_at=to_text(case.opened_at),
        approval_valid_s=int(case.approval_valid_for.total_seconds()),
        decided_at=to_text(case.decided_at) if case.decided_at else None,
        claimed_at=to_text(case.claimed_at) if case.claimed_at else None,
        tool=case.tool,
        server=case.server,
        summary=case.summary,
        masked=case.masked,
        handled=case.handled,
        counts_from=to_text(case.counts_from) if case.counts_from else None,
        alerted_at=to_text(case.alerted_at) if case.alerted_at else None,
        acknowledged_by=case.acknowledged_by,
        acknowledged_at=to_text(case.acknowledged_at) if case.acknowledged_at else None,
        assigned_to=case.assigned_to,
        overridden_by=case.overridden_by,
        on_deadline=case.on_deadline,
        questions=case.questions,
        questioned_by=case.questioned_by,
        questioned_at=None if case.questioned_at is None else to_text(case.questioned_at),
    )


USED, QUORUM, UNDONE, WAITING, ERASED = "esc_used", "esc_quorum", "esc_undone", "esc_waiting", "esc_erased"


@pytest.fixture
def made() -> MadeLog:
    """Every way a case can go, with a checkpoint now and then."""
    log = MadeLog()
    log.note("policy.loaded", policy_digest=POLICY)
    log.policies_kept.append(PolicyRow(POLICY, "a policy", to_text(NOW)))
    log.sign()
    used = log.open(USED)
    log.note("bundle.viewed", USED, view_digest=sha256(b"a page"))
    used = log.decide(used, APPROVE)
    log.sign()
    log.note("escalation.claim_refused", USED, reason="digest_mismatch", action_digest=POLICY)
    log.use(used, "unknown", "succeeded")

    quorum = log.open(QUORUM, approvals=2)
    quorum = log.decide(quorum, APPROVE, OMAR)
    quorum = log.decide(quorum, MODIFY, SOFIA)
    quorum = log.decide(quorum, APPROVE, OMAR)
    log.use(quorum, "failed")
    log.sign()

    undone = log.decide(log.open(UNDONE), REJECT, undo_s=10)
    taken_back = log.rows[UNDONE].decisions[-1].id
    later = NOW + timedelta(hours=1)
    undone = log.apply(moves.undone(undone, decision_id=taken_back, by=OMAR, now=NOW, deadline_at=later))
    log.decide(undone, APPROVE)
    log.decide(log.open("esc_rejected"), REJECT, SOFIA)
    log.open("esc_denied", "deny")
    log.use(log.open("esc_allowed", "allow"), "succeeded")
    late = log.open("esc_late")
    for number in (1, 2):
        ask = canonical({"question": f"Why? {number}"})
        late = log.apply(question.question_asked(late, ask, by=OMAR, owner=None, now=log.now))
        if number == 1:
            words = canonical({"answer": "Because.", "additions": {}, "masked": []})
            late = log.apply(question.question_answered(late, words, by=ADA.actor, number=1, now=log.now))
    log.apply(moves.expired(late, now=late.deadline_at))
    gone = log.open("esc_gone")
    log.apply(moves.cancelled(gone, by=ADA.actor, reason=canonical({"reason": "solved"}), now=log.now))
    log.open(WAITING)
    log.decide(log.open("esc_half", approvals=2), APPROVE)
    erased = log.open(ERASED)
    seq = next(seq for seq, raw in log.log if f'"escalation":"{erased.id}"' in raw.decode())
    part = json.loads(log.log[seq][1])["data"]["bundle"]
    del log.kept[seq, "bundle"]
    log.rows[ERASED] = replace(log.rows[ERASED], **ERASED_TEXTS)
    log.note("bundle.erased", ERASED, parts=[part])
    log.sign()
    log.note("audit.verified", ok=True)
    return log


async def verified(log: MadeLog, *anchors: str) -> Report:
    return await verify_log(log, KEYS, on_progress=lambda done, total: None, anchors=anchors)


def event_of(log: MadeLog, case_id: str, kind: str) -> int:
    for seq, raw in log.log:
        record = json.loads(raw)
        if record.get("escalation") == case_id and record["type"] == kind:
            return seq
    raise AssertionError(kind)


def _size_of(note: str) -> int:
    stated = note.split("\n")[1:2]
    return int(stated[0]) if stated and stated[0].isdigit() else 0


def edited(raw: bytes, **changes: Any) -> bytes:
    record = json.loads(raw)
    for name, value in changes.items():
        if name in record:
            record[name] = value
        else:
            record["data"][name] = value
    return canonical(record)


def replay(log: MadeLog, start: int, change: Callable[[dict[str, Any]], None]) -> None:
    """Rewrite the log from an event on with all hashes recomputed, as someone with the code would."""
    head = chain.EMPTY
    for place, (seq, raw) in enumerate(log.log):
        record = json.loads(raw)
        if seq == start:
            change(record)
        actor = record["actor"]
        draft = Draft(
            record["type"],
            datetime.strptime(record["at"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC),
            Actor(actor["kind"], actor["id"], actor.get("assurance")),
            record["data"],
            record.get("escalation"),
        )
        head, made = chain.append(head, draft, log=LOG_KEY.name)
        log.log[place] = (made.seq, made.raw)
    log.head = head


@pytest.mark.parametrize("batch", [1, 3, 1000])
async def test_an_untouched_log_verifies(made: MadeLog, batch: int) -> None:
    made.batch = batch
    seen: list[tuple[int, int]] = []
    report = await verify_log(made, KEYS, on_progress=lambda done, total: seen.append((done, total)))

    assert report.problems == ()
    assert report.ok
    assert report.first_bad_event is None
    assert (report.events, report.size, report.root) == (made.head.size, made.head.size, made.head.root)
    assert (report.checkpoints, report.payloads, report.erased) == (4, len(made.kept), 1)
    assert report.cases == len(made.rows) == 11
    assert report.newest is not None
    assert report.newest.size == made.head.size - 1
    assert seen[-1] == (made.head.size, made.head.size)
    assert seen == sorted(seen)


async def test_an_empty_log_verifies() -> None:
    log = MadeLog()
    log.sign()
    report = await verified(log)
    assert report.ok
    assert (report.events, report.checkpoints, report.root) == (0, 1, hashlib.sha256(b"").digest())


async def test_the_sample_holds_every_kind_of_event_that_commits_to_a_payload(made: MadeLog) -> None:
    kinds = {json.loads(raw)["type"] for _, raw in made.log}
    # Holds and recoveries are of no case; tests/desk/test_erase.py and tests/audit/test_recovery.py make them.
    assert kinds >= {kind for kind in COMMITMENTS if kind.startswith("escalation.")}
    stored = {(json.loads(made.log[seq][1])["type"], name) for seq, name in made.kept}
    assert stored <= {(kind, name) for kind, names in COMMITMENTS.items() for name in names}


@pytest.mark.parametrize(
    "change",
    [
        {"at": "2026-11-23T20:31:05.000001Z"},
        {"at": "2026-11-23T20:31:04.000000Z"},
        {"extra": "added"},
        {"type": "alert.sent"},
        {"escalation": "esc_other"},
        {"data": {}},
        {"actor": {"kind": "person", "id": "per_mallory"}},
        {"seq": 99},
        {"prev": "sha256:" + "0" * 64},
    ],
    ids=str,
)
async def test_every_edited_event_is_named(made: MadeLog, change: dict[str, Any]) -> None:
    before = list(made.log)
    for seq, raw in before[:-1]:
        forged = edited(raw, **change)
        if forged != raw:
            made.log = [*before[:seq], (seq, forged), *before[seq + 1 :]]
            assert (await verified(made)).first_bad_event == seq, seq


async def test_the_last_event_edited_is_found_by_a_checkpoint_over_it(made: MadeLog) -> None:
    made.sign()
    seq, raw = made.log[-1]
    made.log[-1] = (seq, edited(raw, ok=False))
    report = await verified(made)
    assert report.first_bad_event == seq
    assert "rewritten" in report.problems[0].what


async def test_an_event_whose_link_was_edited_is_named_and_not_its_neighbour(made: MadeLog) -> None:
    seq, raw = made.log[5]
    made.log[5] = (seq, edited(raw, prev="sha256:" + "0" * 64))
    assert (await verified(made)).first_bad_event == 5


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"seq"', b' "seq"'),
        (b'"v":1', b'"v":1.0'),
        (b'"v":1', b'"v":1,"v":1'),
        (b'"v":1', b'"v":1,"w":1'),
        (b'"v":1', b'"v":18446744073709551615'),
        (b'"type"', b'"kind"'),
        (b"escalation.", b"\\u0065scalation."),
        (b"per_omar", b"per_\xff"),
        (b'"v":1}', b'"v":1'),
        (b"{", b"["),
    ],
)
async def test_an_event_in_another_form_is_named(made: MadeLog, old: bytes, new: bytes) -> None:
    seq = event_of(made, USED, "escalation.decided")
    assert old in made.log[seq][1]
    made.log[seq] = (seq, made.log[seq][1].replace(old, new))
    report = await verified(made)
    assert report.first_bad_event == seq
    assert "canonical" in report.problems[0].what


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b"null", b'"text"'])
async def test_an_event_that_is_none_is_named(made: MadeLog, raw: bytes) -> None:
    made.log[5] = (5, raw)
    assert (await verified(made)).first_bad_event == 5


async def test_events_of_another_log_are_named(made: MadeLog) -> None:
    made.log[4] = (4, edited(made.log[4][1], log="example.com/other"))
    assert (await verified(made)).problems[0] == Problem(4, None, "belongs to another log or version")


@pytest.mark.parametrize("seq", [0, 1, 12])
async def test_a_deleted_event_is_named(made: MadeLog, seq: int) -> None:
    del made.log[seq]
    assert (await verified(made)).problems[0] == Problem(seq, None, "is missing")


async def test_a_run_of_deleted_events_is_named(made: MadeLog) -> None:
    del made.log[4:9]
    assert (await verified(made)).problems[0] == Problem(4, None, "and all up to 8 are missing")


async def test_a_deleted_end_is_found_by_the_checkpoint_over_it(made: MadeLog) -> None:
    del made.log[-2:]
    report = await verified(made)
    problem = next(problem for problem in report.problems if "missing" in problem.what)
    assert problem.seq == made.head.size - 2
    assert f"size {made.head.size - 1} was signed" in problem.what


async def test_an_event_deleted_and_the_rest_renumbered_is_found(made: MadeLog) -> None:
    made.log = [(place, raw) for place, (_, raw) in enumerate(made.log[:6] + made.log[7:])]
    report = await verified(made)
    assert report.problems[0] == Problem(6, None, "holds the bytes of event 7")


async def test_two_swapped_events_are_named(made: MadeLog) -> None:
    made.log[3], made.log[8] = (3, made.log[8][1]), (8, made.log[3][1])
    assert (await verified(made)).problems[0] == Problem(3, None, "holds the bytes of event 8")


async def test_an_event_stored_twice_is_named(made: MadeLog) -> None:
    made.log.insert(5, made.log[4])
    assert Problem(4, None, "is stored twice or out of order") in (await verified(made)).problems


async def test_a_rewritten_tail_is_found_by_any_earlier_checkpoint(made: MadeLog) -> None:
    last = made.head.size - 3
    first_sizes = [int(note.split("\n")[1]) for note in made.notes]

    def change(record: dict[str, Any]) -> None:
        record["data"]["note"] = "nothing happened"

    replay(made, last, change)
    report = await verified(made)

    assert report.first_bad_event == first_sizes[-2], "the first event that no good checkpoint covers"
    assert "rewritten" in report.problems[0].what
    assert report.newest is not None
    assert report.newest.size == first_sizes[-2]


async def test_an_old_copy_verifies_alone_and_not_against_a_checkpoint_kept_elsewhere(made: MadeLog) -> None:
    anchor = made.sign()
    cut = int(made.notes[2].split("\n")[1])
    old = MadeLog(log=made.log[:cut], notes=made.notes[:3], policies_kept=made.policies_kept)
    old.kept = {key: row for key, row in made.kept.items() if key[0] < cut}
    old.rows = {name: made.rows[name] for name in (USED, QUORUM)}

    assert (await verified(old)).ok
    report = await verified(old, anchor)
    assert report.first_bad_event == cut
    assert "missing" in report.problems[0].what


async def test_a_forked_log_does_not_verify_against_a_checkpoint_kept_elsewhere(made: MadeLog) -> None:
    anchor, seq = made.sign(), made.head.size - 1

    def change(record: dict[str, Any]) -> None:
        record["data"]["ok"] = False

    replay(made, seq, change)
    made.notes.pop()
    made.sign()
    assert (await verified(made)).ok
    assert not (await verified(made, anchor)).ok


async def test_a_checkpoint_by_another_key_is_found(made: MadeLog) -> None:
    made.notes.pop()
    made.sign(SigningKey(LOG_KEY.name, Ed25519PrivateKey.generate()))
    report = await verified(made)
    (problem,) = report.problems
    assert problem.seq is None
    assert "none of the given keys signed it" in problem.what


async def test_an_edited_checkpoint_is_found(made: MadeLog) -> None:
    made.notes[1] = made.notes[1].replace("\n4\n", "\n5\n")
    (problem,) = (await verified(made)).problems
    assert "checkpoint of size 5" in problem.what


@pytest.mark.parametrize("note", ["", "nonsense\n", "\n\n\n"])
async def test_a_damaged_checkpoint_is_found(made: MadeLog, note: str) -> None:
    made.notes[1] = note
    report = await verified(made)
    assert [problem.seq for problem in report.problems] == [None]
    assert report.checkpoints == 3


async def test_checkpoints_out_of_order_are_found(made: MadeLog) -> None:
    made.notes.reverse()
    made.batch = 1
    assert not (await verified(made)).ok


async def test_each_edited_payload_is_named(made: MadeLog) -> None:
    before = dict(made.kept)
    for key, row in before.items():
        for changed in (row._replace(data=row.data + b" "), row._replace(salt=bytes(32))):
            made.kept = {**before, key: changed}
            report = await verified(made)
            assert [problem.seq for problem in report.problems] == [row.seq]
            assert row.field in report.problems[0].what


async def test_each_payload_gone_without_an_erasure_is_named(made: MadeLog) -> None:
    before = dict(made.kept)
    for seq, name in before:
        made.kept = {key: row for key, row in before.items() if key != (seq, name)}
        assert (await verified(made)).problems == (
            Problem(seq, None, f"its {name} is gone, and no event says that it was erased"),
        )


async def test_payloads_that_changed_places_are_named(made: MadeLog) -> None:
    one, other = event_of(made, USED, "escalation.opened"), event_of(made, WAITING, "escalation.opened")
    rows = made.kept[one, "bundle"], made.kept[other, "bundle"]
    made.kept[one, "bundle"] = rows[1]._replace(seq=one)
    made.kept[other, "bundle"] = rows[0]._replace(seq=other)
    assert [problem.seq for problem in (await verified(made)).problems] == [one, other]


async def test_a_payload_that_nothing_commits_to_is_named(made: MadeLog) -> None:
    made.kept[0, "bundle"] = PayloadRow(0, "bundle", bytes(32), b"{}")
    assert [problem.seq for problem in (await verified(made)).problems] == [0]


async def test_an_erasure_that_erased_nothing_is_named(made: MadeLog) -> None:
    part = json.loads(made.log[event_of(made, USED, "escalation.opened")][1])["data"]["bundle"]
    seq = made.note("bundle.erased", USED, parts=[part])
    assert [problem.seq for problem in (await verified(made)).problems] == [seq]


FAKED: dict[str, Any] = {
    "status": "expired",
    "agent_id": "agt_mallory",
    "action_digest": POLICY,
    "final_digest": POLICY,
    "policy_digest": DIGEST,
    "queue": "other",
    "urgency": "low",
    "triggers": ("harmless",),
    "require": {"role": "operator", "approvals": 1},
    "tier": 5,
    "deadline_at": "2030-01-01T00:00:00.000000Z",
    "approvals": (ApprovalRow("per_mallory", ("operator",), "session", to_text(NOW), DIGEST),),
    "decided_by": ("per_mallory",),
    "assurance": "passkey",
    "valid_until": "2030-01-01T00:00:00.000000Z",
    "release_at": "2030-01-01T00:00:00.000000Z",
    "outcome": "failed",
    "version": 2,
}


@pytest.mark.parametrize("name", sorted(FAKED))
@pytest.mark.parametrize("case_id", [USED, QUORUM, UNDONE, WAITING, "esc_half", "esc_rejected", "esc_late"])
async def test_each_edited_field_of_a_stored_case_is_found(made: MadeLog, case_id: str, name: str) -> None:
    row = made.rows[case_id]
    fake = FAKED[name]
    if getattr(row, name) == fake:
        fake = 99 if isinstance(fake, int) else "succeeded"
    made.rows[case_id] = replace(row, **{name: fake})

    report = await verified(made)
    assert report.problems
    assert {problem.escalation_id for problem in report.problems} == {case_id}
    seqs = {seq for seq, raw in made.log if f'"escalation":"{case_id}"'.encode() in raw}
    assert report.first_bad_event in seqs
    assert any(name in problem.what or "row ends before" in problem.what for problem in report.problems)


async def test_an_approval_under_a_requirement_that_was_weakened_for_it_is_found(made: MadeLog) -> None:
    case = made.open("esc_weak", assurance="passkey")
    made.decide(replace(case, require=Requirement()), APPROVE)
    made.rows["esc_weak"] = replace(made.rows["esc_weak"], require=case.require.as_json())

    weak, unsigned = (await verified(made)).problems
    assert weak.seq == unsigned.seq == event_of(made, "esc_weak", "escalation.decided")
    assert "assurance passkey" in weak.what
    assert "no valid human signature" in unsigned.what


@pytest.mark.parametrize("case_id", [USED, WAITING, "esc_rejected"])
async def test_a_claim_that_was_invented_or_unmade_is_found(made: MadeLog, case_id: str) -> None:
    row = made.rows[case_id]
    made.rows[case_id] = replace(row, claimed=not row.claimed)
    assert [problem.escalation_id for problem in (await verified(made)).problems] == [case_id]


async def test_a_stored_decision_that_disagrees_names_the_deciding_event(made: MadeLog) -> None:
    made.rows["esc_rejected"] = replace(made.rows["esc_rejected"], final_digest=DIGEST)
    (problem,) = (await verified(made)).problems
    assert problem.seq == event_of(made, "esc_rejected", "escalation.decided")
    assert "final_digest" in problem.what


STORED_WRONGLY: dict[str, Callable[[CaseRow], CaseRow]] = {
    "a decision of somebody else": lambda row: with_decision(row, person_id="per_mallory"),
    "a decision by one with other roles": lambda row: with_decision(row, roles=("admin",)),
    "a decision by one who was surer": lambda row: with_decision(row, assurance="passkey"),
    "another choice": lambda row: with_decision(row, choice="modify"),
    "another choice after erasure": lambda row: with_decision(row, choice="reject", content=None),
    "a decision at another time": lambda row: with_decision(row, decided_at=to_text(NOW - timedelta(days=1))),
    "a decision taken back": lambda row: with_decision(row, undone_at=to_text(NOW)),
    "a decision filed under another case": lambda row: with_decision(row, escalation_id=WAITING),
    "a decision gone": lambda row: replace(row, decisions=row.decisions[:-1]),
    "a receipt gone": lambda row: replace(row, receipts=()),
    "a receipt filed under another case": lambda row: replace(
        row, receipts=(row.receipts[-1]._replace(escalation_id=WAITING),)
    ),
}


def with_decision(row: CaseRow, **changes: Any) -> CaseRow:
    return replace(row, decisions=(*row.decisions[:-1], row.decisions[-1]._replace(**changes)))


@pytest.mark.parametrize("name", STORED_WRONGLY)
async def test_a_decision_or_receipt_that_is_stored_wrongly_is_named(made: MadeLog, name: str) -> None:
    made.rows[USED] = STORED_WRONGLY[name](made.rows[USED])
    (problem,) = (await verified(made)).problems
    assert (problem.seq, problem.escalation_id) == (event_of(made, USED, "escalation.decided"), USED)


async def test_a_decision_and_a_receipt_that_no_event_states_are_named(made: MadeLog) -> None:
    row, used = made.rows[WAITING], made.rows[USED]
    decision, receipt = used.decisions[0], used.receipts[0]
    made.rows[WAITING] = replace(
        row,
        decisions=(decision._replace(escalation_id=WAITING),),
        receipts=(receipt._replace(escalation_id=WAITING),),
    )
    assert [(one.seq, one.escalation_id) for one in (await verified(made)).problems] == [
        (decision.seq, WAITING),
        (receipt.seq, WAITING),
    ]


@pytest.mark.parametrize(
    ("change", "seq"),
    [
        ({"text": "a milder policy"}, 0),
        ({"loaded_at": "2020-01-01T00:00:00.000000Z"}, 0),
        ({"digest": DIGEST}, None),
    ],
    ids=str,
)
async def test_an_edited_policy_is_named(made: MadeLog, change: dict[str, str], seq: int | None) -> None:
    made.policies_kept = [made.policies_kept[0]._replace(**change)]
    assert seq in {problem.seq for problem in (await verified(made)).problems}


async def test_a_policy_that_is_gone_is_named(made: MadeLog) -> None:
    made.policies_kept = []
    assert (await verified(made)).problems == (Problem(0, None, "the policy that it loaded is not stored"),)


async def test_a_deleted_case_is_found(made: MadeLog) -> None:
    del made.rows[UNDONE]
    (problem,) = (await verified(made)).problems
    assert (problem.seq, problem.escalation_id) == (event_of(made, UNDONE, "escalation.opened"), UNDONE)


async def test_an_invented_case_is_found(made: MadeLog) -> None:
    made.rows["esc_fake"] = replace(made.rows[USED], escalation_id="esc_fake")
    assert (
        Problem(None, "esc_fake", "a case is stored that no event opened") in (await verified(made)).problems
    )


async def test_cases_in_another_order_verify_too(made: MadeLog) -> None:
    made.rows = dict(reversed(made.rows.items()))
    assert (await verified(made)).ok


async def test_receipts_are_compared_with_the_log_without_their_keys(made: MadeLog) -> None:
    keys = PublicKeys(KEYS.log, None)
    assert (await verify_log(made, keys, on_progress=lambda done, total: None)).ok
    (other,) = made.rows[QUORUM].receipts
    made.rows[USED] = replace(
        made.rows[USED], receipts=tuple(one._replace(token=other.token) for one in made.rows[USED].receipts)
    )
    report = await verify_log(made, keys, on_progress=lambda done, total: None)
    assert [problem.escalation_id for problem in report.problems] == [USED]


async def test_a_receipt_by_another_key_is_found_even_if_its_event_agrees() -> None:
    log = MadeLog()
    case = log.open(USED)
    change = moves.decided(
        case,
        APPROVE,
        proposed=PROPOSED,
        by=OMAR,
        owner=None,
        decision_id="dec_1",
        view_digest=POLICY,
        now=NOW,
        undo_s=0,
    )
    other = ReceiptKey.of(Ed25519PrivateKey.generate())
    for key, seq, said in ((other, 1, "does not verify"), (RECEIPT_KEY, 7, "states another decision")):
        bad = MadeLog(head=log.head, log=list(log.log), kept=dict(log.kept))
        token = issue(receipt_of(change.case, seq, dict(change.draft.data)), key)
        data = {**change.draft.data, "receipt": sha256(token.encode())}
        bad.append(replace(change.draft, data=data))
        receipt = ReceiptRow(1, USED, token)
        bad.rows[USED] = row_of(change.case, (decision_of(change, 1),), (receipt,), opened_seq=0)
        (problem,) = (await verified(bad)).problems
        assert (problem.seq, problem.escalation_id) == (1, USED)
        assert said in problem.what


IMPOSSIBLE: dict[str, tuple[str, str, dict[str, Any]]] = {
    "a second decision": (USED, "escalation.decided", {"status": "rejected", "action_digest": None}),
    "a second claim": (USED, "escalation.claimed", {"action_digest": DIGEST}),
    "a claim of a rejected case": ("esc_rejected", "escalation.claimed", {"action_digest": DIGEST}),
    "a claim of another action": (UNDONE, "escalation.claimed", {"action_digest": POLICY}),
    "an outcome without a claim": (UNDONE, "escalation.outcome", {"outcome": "succeeded"}),
    "a second outcome": (USED, "escalation.outcome", {"outcome": "failed"}),
    "an expiry of a decided case": (UNDONE, "escalation.expired", {}),
    "an undo after use": (QUORUM, "escalation.undone", {"decision_id": "dec_11"}),
    "an undo of nothing": (WAITING, "escalation.undone", {"decision_id": "dec_1"}),
    "one approval where two are needed": (
        "esc_half",
        "escalation.decided",
        {
            "status": "approved",
            "action_digest": DIGEST,
            "proposed_digest": DIGEST,
            "decided_by": ["per_omar"],
        },
    ),
    "an approval of another action": (
        WAITING,
        "escalation.decided",
        {
            "status": "approved",
            "action_digest": POLICY,
            "proposed_digest": DIGEST,
            "decided_by": ["per_omar"],
        },
    ),
    "a rejection that lets something run": (
        WAITING,
        "escalation.decided",
        {
            "status": "rejected",
            "action_digest": DIGEST,
            "proposed_digest": DIGEST,
            "decided_by": ["per_omar"],
        },
    ),
    "a decision on another proposal": (
        WAITING,
        "escalation.decided",
        {
            "status": "approved",
            "action_digest": POLICY,
            "proposed_digest": POLICY,
            "decided_by": ["per_omar"],
        },
    ),
    "a tier that had come already": (WAITING, "escalation.escalated", {"tier": 0}),
    "a tier that is none": (WAITING, "escalation.escalated", {"tier": "1"}),
    "a tier of a case that is over": (USED, "escalation.escalated", {"tier": 1}),
    "a reminder of a case that is over": (USED, "escalation.repeated", {"tier": 0}),
    "an acknowledgement after the end": (USED, "escalation.acknowledged", {}),
    "a hand-over after the end": (USED, "escalation.handed_over", {"to": "per_omar"}),
    "a question after the end": (USED, "escalation.asked", {"number": 1}),
    "a question out of turn": (WAITING, "escalation.asked", {"number": 2}),
    "an answer that a person gave": (WAITING, "escalation.answered", {"number": 0}),
    "an override of a used approval": (USED, "escalation.overridden", {"decision_id": None}),
    "a case opened twice": (WAITING, "escalation.opened", {"status": "pending"}),
    "a move of a case that never was": ("esc_never", "escalation.claimed", {"action_digest": DIGEST}),
    "values of the wrong kinds": (
        WAITING,
        "escalation.decided",
        {"status": [], "decided_by": [{}], "decision": {}},
    ),
}


@pytest.mark.parametrize("name", sorted(IMPOSSIBLE))
async def test_a_well_chained_event_that_cannot_have_happened_is_named(made: MadeLog, name: str) -> None:
    case_id, kind, data = IMPOSSIBLE[name]
    draft = Draft(kind, NOW, OMAR.actor, data, case_id)
    seq = made.append(draft)
    if case_id in made.rows:
        counter = "handled" if kind in HANDLING else "version"
        made.rows[case_id] = replace(
            made.rows[case_id], **{counter: getattr(made.rows[case_id], counter) + 1}
        )
    report = await verified(made)
    assert seq in {problem.seq for problem in report.problems}
    assert report.first_bad_event is not None


@pytest.mark.parametrize("kind", ["acknowledged", "handed_over", "reassigned", "overridden", "asked"])
async def test_what_only_people_do_is_named_where_the_server_did_it(made: MadeLog, kind: str) -> None:
    seq = made.note(f"escalation.{kind}", WAITING, to="per_omar", counts_from=None, number=1)
    row = made.rows[WAITING]
    counter = "handled" if f"escalation.{kind}" in HANDLING else "version"
    made.rows[WAITING] = replace(row, **{counter: getattr(row, counter) + 1})
    assert Problem(seq, WAITING, "is not done by a person") in (await verified(made)).problems


@pytest.mark.parametrize("approvals", [1, 2])
async def test_an_operator_who_decides_what_a_supervisor_took_over_is_named(approvals: int) -> None:
    log = MadeLog()
    log.policies_kept.append(PolicyRow(POLICY, "a policy", to_text(NOW)))
    log.note("policy.loaded", policy_digest=POLICY)
    case = log.open("esc_taken", approvals=approvals)
    sofia = SignIn(replace(OMAR.person, id="per_sofia", roles=frozenset({"supervisor"})), "session")
    case = log.apply(
        moves.overridden(case, decision_id=None, by=sofia, now=log.now, deadline_at=case.deadline_at)
    )
    assert (await verified(log)).ok
    seq = log.head.size
    after = log.decide(replace(case, overridden_by=None), APPROVE)
    log.rows[case.id] = replace(log.rows[case.id], overridden_by="per_sofia")
    assert after.is_open == (approvals == 2)
    (problem,) = (await verified(log)).problems
    assert (problem.seq, problem.what.startswith("is decided by somebody else than a supervisor")) == (
        seq,
        True,
    )


async def test_an_agent_that_decides_is_named(made: MadeLog) -> None:
    data = {
        "status": "approved",
        "action_digest": DIGEST,
        "proposed_digest": DIGEST,
        "decided_by": ["agt_ada"],
    }
    seq = made.append(Draft("escalation.decided", NOW, ADA.actor, data, WAITING))
    made.rows[WAITING] = replace(made.rows[WAITING], version=2)
    problems = (await verified(made)).problems
    assert Problem(seq, WAITING, "is an agent's decision") in problems


async def test_a_broken_log_is_reported_shortly_and_counted_wholly(made: MadeLog) -> None:
    made.log, made.kept = [(seq, b"{}") for seq, _ in made.log], {}
    report = await verified(made)
    assert len(report.problems) == 20
    assert report.problem_count > 40
    assert [problem.seq for problem in report.problems] == list(range(20))


async def test_memory_does_not_grow_with_the_log() -> None:
    log, verifier = MadeLog(), Verifier(KEYS)
    for number in range(300):
        log.use(log.decide(log.open(f"esc_{number}"), APPROVE), "succeeded")
    rows = iter(log.rows.values())
    for seq, raw in log.log:
        verifier.event(seq, raw)
        if b"escalation.opened" in raw:
            verifier.case(next(rows))
        for row in [row for key, row in log.kept.items() if key[0] == seq]:
            verifier.payload(row)
        assert len(verifier.__dict__["_cases"]) <= 1
        assert len(verifier.__dict__["_due"]) == 0
    assert verifier.finish().ok


@pytest.mark.parametrize(
    "lie",
    [
        {"leaf_hash": None},
        {"type": "note"},
        {"at": "1999-01-01T00:00:00.000000Z"},
        {"escalation_id": "esc_0"},
    ],
)
async def test_an_event_that_is_filed_wrongly_or_under_nothing_is_noticed(
    made: MadeLog, lie: dict[str, Any]
) -> None:
    rows = [filed(seq, raw) for seq, raw in made.log]
    verifier = Verifier(KEYS)

    verifier.events([*rows[:3], rows[3]._replace(**lie), *rows[4:]])

    assert any("is filed under another" in one.what for one in verifier.finish().problems if one.seq == 3)
