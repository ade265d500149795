"""Logs of any size in a real database file, made with the product's own moves and chain, and the same every time.

Keys, clock and salts are fixed, and rows go in by the thousand: a million events in a few minutes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests._support.cases import second_hand

from signoff.audit import chain
from signoff.audit.checkpoint import Checkpoint, SigningKey, sign
from signoff.audit.keys import PublicKeys, ReceiptKey
from signoff.audit.receipt import Decider, Receipt, issue
from signoff.domain import escalation as moves
from signoff.domain.action import action_digest
from signoff.domain.canonical import canonical, sha256
from signoff.domain.change import Change
from signoff.domain.clock import to_text
from signoff.domain.decision import Answer
from signoff.domain.event import NO_EVENT, SYSTEM, Actor, Draft, commitment
from signoff.domain.people import Agent, Person, Role, SignIn
from signoff.domain.verdict import Fired, Requirement, Verdict
from signoff.store import rows
from signoff.store.migrate import migrate_sqlite

NOW = datetime(2026, 11, 23, 20, 31, 5, tzinfo=UTC)
ORIGIN = "example.com/log42"
LOG_KEY = SigningKey(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(32)))
RECEIPT_KEY = ReceiptKey.of(Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32))
KEYS = PublicKeys((LOG_KEY.verifier,), {"keys": [RECEIPT_KEY.jwk]})
POLICY_TEXT = "version: 1\ntriggers: []\n"
POLICY = sha256(POLICY_TEXT.encode())
ADA = Agent("agt_ada", "Ada", None, NOW)
APPROVE, REJECT = Answer("approve"), Answer("reject", note="not this month")
MODIFY = Answer("modify", arguments={"amount": 500})
ROWS_AT_ONCE = 20_000


def person(name: str, *roles: Role) -> SignIn:
    return SignIn(Person(f"per_{name.lower()}", name, frozenset(roles), frozenset(), (), NOW), "session")


OMAR, SOFIA = person("Omar", "operator"), person("Sofia", "operator", "supervisor")


@dataclass
class LogFile:
    """A database that grows by events and by moves of cases; `finish` writes what is left."""

    db: Any
    step: timedelta = timedelta(milliseconds=10)
    """How far the clock goes with each event."""
    head: chain.Head = chain.EMPTY
    _waiting: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    _cases: dict[str, tuple[moves.Escalation, int]] = field(default_factory=dict)
    _full: int = 0

    @property
    def now(self) -> datetime:
        return NOW + self.head.size * self.step

    def event(
        self,
        kind: str,
        case_id: str | None = None,
        *,
        actor: Actor = SYSTEM,
        payloads: dict[str, bytes] | None = None,
        **data: Any,
    ) -> int:
        """Append an event, with what it commits to."""
        seq = self.head.size
        for name, body in (payloads or {}).items():
            salt = hashlib.sha256(f"salt {seq} {name}".encode()).digest()
            data[name] = commitment(salt, body)
            self._add("payload", seq, name, salt, body)
        self.head, made = chain.append(self.head, Draft(kind, self.now, actor, data, case_id), log=ORIGIN)
        self._add("audit_event", seq, case_id, kind, made.at, made.leaf_hash, made.raw)
        for level, index, digest in made.nodes[1:]:
            self._add("audit_node", level, index, digest)
        return seq

    def apply(self, change: Change) -> moves.Escalation:
        """Append a move of a case; its row is written once the case is dropped or the log is finished."""
        seq, case, data = self.head.size, change.case, dict(change.draft.data)
        if case.status in ("approved", "modified", "rejected") and change.closes:
            token = issue(receipt_of(case, seq, data), RECEIPT_KEY)
            data["receipt"] = sha256(token.encode())
            self._add("receipt", seq, case.id, token)
        if change.undoes is not None:
            self._flush()
            self.db.execute(
                "UPDATE decision SET undone_at = ? WHERE escalation_id = ? AND undone_at IS NULL",
                (to_text(self.now), case.id),
            )
        draft = change.draft
        self.event(draft.type, case.id, actor=draft.actor, payloads=dict(change.payloads), **data)
        if (taken := change.decision) is not None:
            roles = rows.to_json(sorted(taken.by.person.roles))
            by, at = taken.by, to_text(draft.at)
            self._add(
                "decision",
                taken.id,
                case.id,
                seq,
                taken.answer.choice,
                by.person.id,
                roles,
                by.assurance,
                at,
                None,
            )
        opened_seq = self._cases[case.id][1] if case.id in self._cases else seq
        self._cases[case.id] = (case, opened_seq)
        return case

    def open(
        self,
        case_id: str,
        *,
        arguments: dict[str, Any] | None = None,
        outcome: Any = "escalate",
        approvals: int = 1,
        bundle: dict[str, Any] | None = None,
        summary: str = "Pay the bill",
    ) -> moves.Escalation:
        """Open a case the way a request does."""
        arguments = {"amount": 12_000} if arguments is None else arguments
        fired = Fired(
            "large-wire", "Wire above 10,000", "value", "escalate", "12000 to DE", "matched", "high"
        )
        verdict = Verdict(
            outcome=outcome,
            fired=(fired,),
            shadow=(),
            policy_digest=POLICY,
            queue="payments",
            urgency="high",
            require=Requirement(approvals=approvals, assurance="link"),
            approve_within=timedelta(minutes=30),
            approval_valid_for=timedelta(minutes=10),
            on_deadline="expire",
        )
        document = {
            "action": {"tool": "wire_transfer", "arguments": arguments, "summary": summary},
            "bundle": bundle or {},
            "masked": [],
            "verdict": {"outcome": outcome, "fired": [fired.as_json()], "shadow": []},
        }
        digest = action_digest("wire_transfer", arguments, server=None)
        request = moves.Request("wire_transfer", None, summary, digest, (), canonical(document))
        return self.apply(
            moves.opened(request, verdict, case_id=case_id, agent=ADA, now=self.now, urgency="high")
        )

    def decide(
        self, case: moves.Escalation, answer: Answer = APPROVE, by: SignIn = OMAR, *, undo_s: int = 0
    ) -> moves.Escalation:
        """Decide a case as a page does."""
        return self.apply(
            moves.decided(
                case,
                answer,
                proposed=moves.Proposed("wire_transfer", None, {"amount": 12_000}),
                by=by,
                owner=None,
                decision_id=f"dec_{self.head.size}",
                view_digest=sha256(b"a page"),
                now=self.now,
                undo_s=undo_s,
            )
        )

    def use(self, case: moves.Escalation, *outcomes: Any) -> moves.Escalation:
        """Claim an approval and report what came of it."""
        case = self.apply(moves.claimed(case, case.final_digest or "", by=ADA.actor, now=self.now))
        for outcome in outcomes:
            report = canonical({"note": f"it {outcome}"})
            case = self.apply(
                moves.outcome_reported(case, outcome, by=ADA.actor, report=report, now=self.now)
            )
        return case

    def live(self, number: int) -> None:
        """Carry one case through everything that usually happens: seven events."""
        case_id = f"esc_{number:026d}"
        case = self.open(case_id, bundle=BUNDLE)
        self.event("alert.sent", case_id, alert=f"alr_{number}", person="per_omar", channel="ntfy", attempt=1)
        self.event("link.opened", case_id, actor=OMAR.actor, link=f"lnk_{number}", purpose="case")
        self.event("bundle.viewed", case_id, actor=OMAR.actor, view_digest=sha256(b"a page"), version=1)
        case = self.decide(case, (APPROVE, APPROVE, MODIFY, REJECT)[number % 4])
        if case.status == "rejected":
            self.event(
                "alert.sent", case_id, alert=f"alr_{number}b", person="per_omar", channel="ntfy", attempt=1
            )
            self.event("bundle.viewed", case_id, actor=SOFIA.actor, view_digest=sha256(b"a page"), version=2)
        else:
            self.use(case, "succeeded")
        self.drop(case_id)

    def drop(self, case_id: str) -> None:
        """Write the row of a case that moves no more."""
        case, opened_seq = self._cases.pop(case_id)
        values = {**rows.fixed_columns(case), **rows.moving_columns(case), "opened_seq": opened_seq}
        self._add("escalation", *(values[name] for name in _CASE_COLUMNS))

    def sign(self, key: SigningKey = LOG_KEY) -> str:
        """Sign the log as it stands, and keep the checkpoint."""
        note = sign(Checkpoint(key.name, self.head.size, self.head.root), key)
        self._add("checkpoint", self.head.size, note, to_text(self.now))
        return note

    def finish(self) -> None:
        """Write what is not written yet."""
        for case_id in list(self._cases):
            self.drop(case_id)
        self._flush()
        edge = b"".join(self.head.edge)
        self.db.execute(
            "UPDATE audit_head SET size = ?, prev = ?, edge = ?, at = ? WHERE id = 1",
            (self.head.size, self.head.prev, edge, self.head.at),
        )

    def _add(self, table: str, *values: Any) -> None:
        self._waiting.setdefault(table, []).append(values)
        self._full += 1
        if self._full >= ROWS_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        self.db.execute("BEGIN")
        for table, waiting in self._waiting.items():
            columns = f" ({', '.join(_CASE_COLUMNS)})" if table == "escalation" else ""
            marks = ", ".join("?" * len(waiting[0]))
            self.db.executemany(f"INSERT INTO {table}{columns} VALUES ({marks})", waiting)  # noqa: S608
        self.db.execute("COMMIT")
        self._waiting.clear()
        self._full = 0


_CASE_COLUMNS = (
    *("id", "agent_id", "version", "status", "tool", "server", "summary", "action_digest", "masked"),
    *("policy_digest", "triggers", "queue", "urgency", "urgency_rank", "tier", "require", "opened_at"),
    *(
        "deadline_at",
        "approval_valid_s",
        "approvals",
        "decided_at",
        "decided_by",
        "assurance",
        "final_digest",
    ),
    *("release_at", "valid_until", "claimed_at", "outcome", "opened_seq"),
)

BUNDLE: dict[str, Any] = {
    "goal": "Pay what is due before the end of the month, and nothing that was paid already.",
    "messages": [
        {"role": "user", "content": "Please pay invoice 77 of the joinery. They have sent a reminder."},
        {"role": "assistant", "content": "I shall look the invoice up and check the account it names."},
    ],
    "reasoning": [
        {
            "kind": "thought",
            "text": f"Step {n}: compare the amount, the account and the due date with the order.",
        }
        for n in range(12)
    ],
    "subject": {"name": "Joinery Ltd", "country": "DE", "since": "2019-04-01"},
}
"""About 2 KB, as a short conversation brings."""


def receipt_of(case: moves.Escalation, seq: int, data: dict[str, Any]) -> Receipt:
    assert case.decided_at is not None
    assert case.assurance is not None
    outcome: Any = case.status
    people = tuple(Decider(one.person_id, one.roles) for one in case.approvals)
    if case.status == "rejected":
        people = tuple(Decider(one, ("operator",)) for one in case.decided_by)
    return Receipt(
        issuer=ORIGIN,
        escalation_id=case.id,
        agent_id=case.agent_id,
        issued_at=case.decided_at,
        expires_at=case.valid_until or case.deadline_at,
        id=str(data.get("decision_id", f"rct_{seq}")),
        outcome=outcome,
        action_digest=case.final_digest,
        proposed_digest=case.action_digest,
        decided_by=people or "policy",
        assurance=case.assurance,
        policy_digest=case.policy_digest,
        audit_seq=seq,
    )


def expiring(case: moves.Escalation) -> Change:
    """Return the end of a case that nobody decided."""
    late = replace(case, deadline_at=case.opened_at)
    return replace(
        moves.expired(late, now=case.deadline_at), case=replace(late, deadline_at=case.deadline_at)
    )


@contextmanager
def log_file(path: Path, people: Iterable[SignIn] = (OMAR, SOFIA)) -> Generator[LogFile]:
    """Make a database with nothing in it but the people, to be filled; it is finished at the end."""
    with second_hand(path) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=OFF")
        migrate_sqlite(db)
        db.execute("INSERT INTO audit_head VALUES (1, ?, 0, ?, ?, '')", (ORIGIN, NO_EVENT, NO_EVENT))
        db.execute("INSERT INTO policy_version VALUES (?, ?, ?)", (POLICY, POLICY_TEXT, to_text(NOW)))
        db.execute(
            "INSERT INTO agent (id, name, created_at) VALUES (?, ?, ?)", (ADA.id, ADA.name, to_text(NOW))
        )
        for one in people:
            roles = rows.to_json(sorted(one.person.roles))
            db.execute(
                "INSERT INTO person (id, name, roles, queues, addresses, created_at) VALUES (?, ?, ?, '[]', '[]', ?)",
                (one.person.id, one.person.name, roles, to_text(NOW)),
            )
        log = LogFile(db)
        yield log
        log.finish()
