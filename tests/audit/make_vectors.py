"""Make `vectors/`: evidence files, good ones and tampered ones, with the verdict that each verifier must give.

    .venv/bin/python -m tests.audit.make_vectors

Keys, clock and salts are fixed, so that the files are the same bytes every time; `test_vectors.py` holds them to that.
A verdict is `holds`, or `fails` with the number of the first bad event where there is one.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests._support.cases import second_hand
from tests._support.logs import APPROVE, KEYS, LOG_KEY, MODIFY, OMAR, ORIGIN, REJECT, SOFIA, LogFile, log_file

from signoff.audit import merkle
from signoff.audit.checkpoint import Checkpoint, SigningKey, sign
from signoff.audit.evidence import EvidenceWriter, Facts
from signoff.audit.keys import ReceiptKey
from signoff.audit.receipt import ReceiptKeys, issue, read
from signoff.desk.evidence import Wanted, plan, write_evidence
from signoff.domain.canonical import sha256
from signoff.domain.event import NO_EVENT
from signoff.store.sqlite import open_snapshot

FOLDER = Path(__file__).with_name("vectors")
OTHER_KEY = SigningKey(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32))
OTHER_LOG = SigningKey("example.com/elsewhere", Ed25519PrivateKey.from_private_bytes(bytes(32)))
OTHER_RECEIPTS = ReceiptKey.of(Ed25519PrivateKey.from_private_bytes(bytes([8]) * 32))
USED, QUORUM, REFUSED, ERASED = "esc_used", "esc_quorum", "esc_refused", "esc_erased"


def fill(log: LogFile) -> dict[str, Any]:
    """Fill a log with four cases; returns what was signed before its end."""
    log.event("policy.loaded", policy_digest=sha256(b"version: 1\ntriggers: []\n"), triggers=0)
    case = log.open(USED, bundle={"goal": "Pay what is due"})  # 1
    log.event("bundle.viewed", USED, actor=OMAR.actor, view_digest=sha256(b"a page"), version=1)
    case = log.decide(case, APPROVE)  # 3
    log.use(case, "succeeded")  # 4, 5
    early = log.sign()
    case = log.open(QUORUM, approvals=2, summary="Two must agree")  # 6
    case = log.decide(case, APPROVE, OMAR)  # 7
    case = log.decide(case, MODIFY, SOFIA)  # 8: another action, so Omar's no longer counts
    log.decide(case, APPROVE, OMAR)  # 9
    case = log.open(REFUSED)  # 10
    log.decide(case, REJECT)  # 11
    log.open(ERASED, bundle={"subject": {"name": "Erika Mustermann"}})  # 12
    log.drop(ERASED)
    log._flush()
    (made,) = log.db.execute(
        "SELECT json_extract(body, '$.data.bundle') FROM audit_event WHERE seq = 12"
    ).fetchone()
    log.db.execute("DELETE FROM payload WHERE seq = 12")
    log.db.execute(
        "UPDATE escalation SET tool = '[erased]', server = NULL, summary = '', masked = '[]' WHERE opened_seq = 12"
    )
    log.event("bundle.erased", ERASED, parts=[made])  # 13
    log.event("alert.failed", QUORUM, alert="alr_1", person="per_omar", channel="ntfy", attempt=10)  # 14
    return {"early": early, "late": log.sign()}


@dataclass
class Parts:
    """An evidence file taken apart, to be changed and put together again."""

    members: dict[str, bytes]

    @classmethod
    def of(cls, raw: bytes) -> Parts:
        with zipfile.ZipFile(io.BytesIO(raw)) as file:
            return cls({name: file.read(name) for name in file.namelist()})

    def copy(self) -> Parts:
        return Parts(dict(self.members))

    @property
    def events(self) -> list[bytes]:
        return self.members["events.jsonl"].split(b"\n")[:-1]

    @events.setter
    def events(self, events: list[bytes]) -> None:
        self.members["events.jsonl"] = b"".join(one + b"\n" for one in events)
        self.fact(events=len(events))

    def fact(self, **changed: Any) -> None:
        facts = {**orjson.loads(self.members["evidence.json"]), **changed}
        self.members["evidence.json"] = Facts(**facts).raw

    def edit(self, seq: int, change: Callable[[dict[str, Any]], Any]) -> Parts:
        """Change an event where it stands, and nothing else."""
        events = self.events
        at = next(n for n, raw in enumerate(events) if orjson.loads(raw)["seq"] == seq)
        record = orjson.loads(events[at])
        change(record)
        events[at] = orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
        self.events = events
        return self

    def rechain(self, key: SigningKey | None = None, *, number: bool = True) -> Parts:
        """Give every event the hash of the one before it, and sign the tree with a key if one is given."""
        made: list[bytes] = []
        prev = NO_EVENT
        for at, raw in enumerate(self.events):
            record = orjson.loads(raw)
            record["prev"] = "sha256:" + prev.hex()
            if number:
                record["seq"] = at
            made.append(orjson.dumps(record, option=orjson.OPT_SORT_KEYS))
            prev = merkle.leaf_hash(made[-1])
        self.events = made
        return self if key is None else self.sign(key)

    def sign(self, key: SigningKey = LOG_KEY) -> Parts:
        size, edge = 0, merkle.Edge()
        for raw in self.events:
            edge, _ = merkle.append(size, edge, leaf=merkle.leaf_hash(raw))
            size += 1
        self.members["checkpoint.txt"] = sign(Checkpoint(key.name, size, merkle.root(edge)), key).encode()
        self.fact(size=size, last=max(size - 1, 0))
        return self

    def cut(self, size: int) -> Parts:
        """Keep the first events only, and what belongs to them."""
        self.events = self.events[:size]
        for name in [*self.members]:
            number = name.partition("/")[2].partition(".")[0]
            if name.startswith(("payloads/", "receipts/")) and int(number) >= size:
                del self.members[name]
        return self

    def raw(self) -> bytes:
        file = io.BytesIO()
        writer = EvidenceWriter(file)
        for name, data in self.members.items():
            if name not in ("README.txt", "verify_log.py"):
                writer.add(name, data)
        writer.finish()
        return file.getvalue()


@dataclass(frozen=True)
class Vector:
    """One file and what must be said of it."""

    name: str
    about: str
    file: bytes
    verify: Any
    """True: `signoff audit verify` says that it holds; else the number of the first bad event, or None for no event."""
    verify_log: Any
    """The same for `verify_log.py`."""
    trees: bool | None
    """Whether other people's trees find the checkpoint's root over these events; None where they cannot judge."""
    checkpoint: str | None = None
    """A checkpoint kept elsewhere, which `audit verify` is given."""

    def verdict(self) -> dict[str, Any]:
        def said(what: Any) -> dict[str, Any]:
            return {"holds": True} if what is True else {"holds": False, "first": what}

        return {
            "about": self.about,
            "audit verify": said(self.verify),
            "verify_log.py": said(self.verify_log),
            "metamorphic-log, pymerkle": self.trees,
            **({"checkpoint": self.checkpoint} if self.checkpoint else {}),
        }


def vectors(log: Parts, case: Parts, notes: dict[str, Any]) -> list[Vector]:
    """Return every vector, given the good log, the good case and what was signed."""
    made: list[Vector] = []
    early, late = notes["early"], notes["late"]

    def add(
        name: str, about: str, change: Callable[[Parts], Any], verify: Any, script: Any, trees: bool | None,
        *, of: Parts = log, checkpoint: str | None = None,
    ) -> None:  # fmt: skip
        parts = of.copy()
        change(parts)
        made.append(Vector(name, about, parts.raw(), verify, script, trees, checkpoint))

    def events(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Parts], None]:
        def apply(parts: Parts) -> None:
            parts.events = change(parts.events)

        return apply

    def edited(
        seq: int,
        change: Callable[[dict[str, Any]], Any],
        key: SigningKey | None = None,
        *,
        chain: bool = True,
    ) -> Callable[[Parts], None]:
        def apply(parts: Parts) -> None:
            parts.edit(seq, change)
            if chain:
                parts.rechain(key)

        return apply

    def member(name: str, data: Callable[[bytes], bytes] | None) -> Callable[[Parts], None]:
        def apply(parts: Parts) -> None:
            if data is None:
                del parts.members[name]
            else:
                parts.members[name] = data(parts.members[name])

        return apply

    def approve(record: dict[str, Any]) -> None:
        record["data"]["status"] = "approved"

    def by_another(record: dict[str, Any]) -> None:
        record["actor"]["id"] = "per_mallory"

    def another_page(record: dict[str, Any]) -> None:
        record["data"]["view_digest"] = sha256(b"another page")

    add("good-log", "a whole log, untouched", lambda parts: None, True, True, True, checkpoint=late)
    add(
        "good-log-and-an-older-checkpoint",
        "a whole log that begins as an older checkpoint says",
        lambda parts: None,
        True,
        True,
        True,
        checkpoint=early,
    )
    add("good-case", "one case, untouched", lambda parts: None, True, True, True, of=case, checkpoint=early)

    # Events, and nobody can sign.
    add("edited", "who decided was changed in an event", edited(3, by_another, chain=False), 3, 3, False)
    add(
        "edited-first",
        "the first event was changed",
        edited(0, lambda one: one["data"].update(triggers=9), chain=False),
        0,
        0,
        False,
    )
    add(
        "edited-last",
        "the last event was changed, which no later one names",
        edited(14, lambda one: one["data"].update(attempt=1), chain=False),
        None,
        None,
        False,
    )
    add("deleted-middle", "an event was taken out", events(lambda old: old[:7] + old[8:]), 7, 7, False)
    add("deleted-first", "the first event was taken out", events(lambda old: old[1:]), 0, 0, False)
    add("deleted-last", "the last event was taken out", events(lambda old: old[:-1]), 14, None, False)
    add("truncated", "the last third of the log was cut off", lambda parts: parts.cut(10), 10, None, False)
    add(
        "inserted",
        "an event was put between two others",
        events(lambda old: [*old[:4], old[2].replace(b'"seq":2', b'"seq":4'), *old[4:]]),
        3,
        3,
        False,
    )
    add(
        "swapped",
        "two events changed places",
        events(lambda old: [*old[:4], old[5], old[4], *old[6:]]),
        4,
        4,
        False,
    )
    add("duplicated", "an event stands twice", events(lambda old: [*old[:5], old[4], *old[5:]]), 4, 5, False)
    add(
        "rechained",
        "an event was changed and every later one made to name it",
        edited(3, another_page),
        None,
        None,
        False,
    )
    add(
        "rechained-after-delete",
        "an event was taken out and the others renumbered",
        lambda parts: (events(lambda old: old[:14])(parts), parts.rechain()),
        14,
        None,
        False,
    )
    add(
        "renamed",
        "the events name another log",
        lambda parts: (
            [parts.edit(n, lambda one: one.update(log="example.com/other")) for n in range(15)],
            parts.rechain(),
        ),
        0,
        0,
        False,
    )
    add(
        "spaces",
        "an event is written with a space in it",
        events(lambda old: [*old[:2], old[2].replace(b":", b": ", 1), *old[3:]]),
        2,
        2,
        False,
    )
    add("empty", "no events, and a checkpoint of fifteen", lambda parts: parts.cut(0), 0, None, False)

    # Somebody signs with another key.
    add(
        "signed-by-another-key",
        "the log was rewritten and signed with a key of the writer's own",
        edited(3, another_page, OTHER_KEY),
        None,
        None,
        True,
    )
    add(
        "checkpoint-of-another-log",
        "the checkpoint is that of another log, signed by its key",
        lambda parts: parts.sign(OTHER_LOG),
        None,
        None,
        True,
    )
    add(
        "checkpoint-signature-flipped",
        "one bit of the checkpoint's signature was changed",
        member("checkpoint.txt", _flip_signature),
        None,
        None,
        True,
    )
    add(
        "checkpoint-root-flipped",
        "one bit of the root in the checkpoint was changed",
        member("checkpoint.txt", _flip_root),
        None,
        None,
        False,
    )
    add(
        "checkpoint-size-changed",
        "the checkpoint says sixteen events",
        member("checkpoint.txt", lambda old: old.replace(b"\n15\n", b"\n16\n")),
        None,
        None,
        False,
    )

    # Whoever holds the log's key signs what never was; only what others kept or the rules of a case tell.
    add(
        "rewritten",
        "the log was rewritten and signed with the log's own key",
        edited(3, another_page, LOG_KEY),
        None,
        True,
        True,
        checkpoint=early,
    )
    add(
        "forked",
        "another log of the same size was signed with the log's own key",
        edited(14, lambda one: one["data"].update(attempt=1), LOG_KEY),
        None,
        True,
        True,
        checkpoint=late,
    )
    add(
        "restored",
        "a copy from before, with its own checkpoint; a newer one is known",
        lambda parts: (parts.cut(6), parts.sign()),
        None,
        True,
        True,
        checkpoint=late,
    )
    add(
        "time-back",
        "an event is older than the one before it",
        edited(8, lambda one: one.update(at="2026-11-23T20:31:05.000001Z"), LOG_KEY),
        8,
        8,
        True,
    )
    add(
        "wrong-number",
        "an event has the number of another",
        lambda parts: (parts.edit(4, lambda one: one.update(seq=5)), parts.rechain(LOG_KEY, number=False)),
        4,
        4,
        True,
    )
    add(
        "extra-field",
        "an event has a field that events do not have",
        edited(2, lambda one: one.update(zzz="more"), LOG_KEY),
        2,
        True,
        True,
    )
    add(
        "agent-decides",
        "the agent decided its own case",
        edited(3, lambda one: one["actor"].update(kind="agent", id="agt_ada"), LOG_KEY),
        3,
        True,
        True,
    )
    add(
        "claimed-twice",
        "an approval was used a second time",
        edited(
            5,
            lambda one: one.update(
                type="escalation.claimed",
                data={"action_digest": orjson.loads(log.events[4])["data"]["action_digest"]},
            ),
            LOG_KEY,
        ),
        5,
        True,
        True,
    )
    add(
        "one-approval-for-two",
        "one approval where two are needed",
        edited(9, lambda one: one["data"].update(decided_by=["per_omar"]), LOG_KEY),
        9,
        True,
        True,
    )
    add(
        "another-action-approved",
        "an action was approved that nobody asked for",
        edited(3, lambda one: one["data"].update(action_digest=sha256(b"x")), LOG_KEY),
        3,
        True,
        True,
    )
    add(
        "rejection-turned",
        "a rejection was turned into an approval",
        edited(11, approve, LOG_KEY),
        11,
        True,
        True,
    )

    # Payloads.
    add(
        "payload-edited",
        "a note was changed",
        member("payloads/11.decision.json", lambda old: old.replace(b"not this month", b"not this week.")),
        11,
        11,
        True,
    )
    add(
        "payload-salt-edited",
        "the salt of a bundle was changed",
        member("payloads/1.bundle.salt", lambda old: bytes(32)),
        1,
        1,
        True,
    )
    add("payloads-swapped", "two bundles changed places", _swap, 1, 1, True)
    add(
        "payload-gone",
        "a bundle is gone, and no event says why",
        lambda parts: [parts.members.pop(f"payloads/6.bundle.{end}") for end in ("json", "salt")],
        6,
        True,
        True,
    )
    add(
        "payload-without-salt",
        "a bundle stands without its salt, so nothing can be compared",
        member("payloads/6.bundle.salt", None),
        None,
        True,
        True,
    )
    add(
        "erasure-without-event",
        "what was erased is gone, and the event that says so, too",
        edited(13, lambda one: one.update(type="alert.sent", data={}), LOG_KEY),
        12,
        True,
        True,
    )
    add(
        "erased-and-there",
        "an event says that a bundle was erased which is there",
        edited(
            13, lambda one: one["data"].update(parts=[orjson.loads(log.events[6])["data"]["bundle"]]), LOG_KEY
        ),
        12,
        True,
        True,
    )
    add(
        "payload-of-no-event",
        "a payload is there that no event commits to",
        lambda parts: parts.members.update(
            {"payloads/2.bundle.json": b"{}", "payloads/2.bundle.salt": bytes(32)}
        ),
        None,
        True,
        True,
    )
    add(
        "action-shown-differs",
        "the bundle shows another action than the one that was decided",
        _other_action,
        1,
        True,
        True,
    )

    # Receipts and policies.
    add(
        "receipt-edited",
        "a receipt was changed",
        member("receipts/3.jwt", lambda old: old[:-3] + b"AAA"),
        3,
        3,
        True,
    )
    add(
        "receipt-of-another-case",
        "the receipt of another case stands in its place",
        lambda parts: parts.members.update({"receipts/3.jwt": parts.members["receipts/11.jwt"]}),
        3,
        3,
        True,
    )
    add("receipt-gone", "a receipt is gone", member("receipts/3.jwt", None), 3, True, True)
    add(
        "receipt-forged",
        "a receipt was made with another key, and the log rewritten to name it",
        _forged_receipt,
        3,
        True,
        True,
    )
    add(
        "policy-edited",
        "the policy in the file is another",
        lambda parts: [
            parts.members.update({name: b"version: 1\n"})
            for name in parts.members
            if name.startswith("policies/")
        ],
        0,
        True,
        True,
    )

    # One case.
    add(
        "case-edited",
        "an event of a case was changed",
        edited(3, by_another, chain=False),
        3,
        3,
        False,
        of=case,
    )
    add(
        "case-proof-of-another",
        "an event has the proof of another",
        lambda parts: parts.members.update({"proofs/4.tlog-proof": parts.members["proofs/5.tlog-proof"]}),
        4,
        4,
        None,
        of=case,
    )
    add(
        "case-proof-flipped",
        "one hash of a proof was changed",
        member("proofs/1.tlog-proof", _flip_proof),
        1,
        1,
        None,
        of=case,
    )
    add(
        "case-another-checkpoint",
        "the proofs are under another checkpoint than the file's",
        lambda parts: parts.members.update({"checkpoint.txt": early.encode()}),
        1,
        1,
        None,
        of=case,
    )
    add(
        "case-with-anothers-event",
        "an event of another case was put into the file",
        lambda parts: _borrow(parts, log, case),
        4,
        4,
        None,
        of=case,
    )
    add(
        "case-without-its-beginning",
        "the first event of a case was left out",
        lambda parts: _leave_out(parts, 1),
        3,
        True,
        True,
        of=case,
    )
    add(
        "case-event-left-out",
        "an event in the middle was left out: a part cannot show that",
        lambda parts: _leave_out(parts, 2),
        True,
        True,
        True,
        of=case,
    )
    add(
        "case-of-a-rewritten-log",
        "the case is proven in a log that does not begin as a kept checkpoint says",
        lambda parts: None,
        None,
        True,
        True,
        of=_another_history(case),
        checkpoint=early,
    )
    return made


@dataclass(frozen=True)
class Hand:
    """What an administrator does to the good database by hand, and the number of the first bad event."""

    about: str
    sql: str
    first: int | None


DATABASE: dict[str, Hand] = {
    "event-edited": Hand(
        "an event was changed where it is stored",
        "UPDATE audit_event SET body = CAST(replace(CAST(body AS TEXT), 'per_omar', 'per_amir') AS BLOB) WHERE seq = 3",
        3,
    ),
    "event-deleted": Hand("an event was deleted", "DELETE FROM audit_event WHERE seq = 7", 7),
    "event-filed-elsewhere": Hand(
        "an event is listed under another case",
        "UPDATE audit_event SET escalation_id = 'esc_used' WHERE seq = 7",
        7,
    ),
    "tail-cut": Hand("the end of the log was deleted", "DELETE FROM audit_event WHERE seq >= 10", 10),
    "case-approved": Hand(
        "a rejected case says that it was approved",
        "UPDATE escalation SET status = 'approved' WHERE id = 'esc_refused'",
        11,
    ),
    "case-other-people": Hand(
        "a case names another person as who decided",
        "UPDATE escalation SET decided_by = '[\"per_sofia\"]' WHERE id = 'esc_used'",
        3,
    ),
    "case-unclaimed": Hand(
        "a used approval can be used again",
        "UPDATE escalation SET claimed_at = NULL WHERE id = 'esc_used'",
        5,
    ),
    "case-deleted": Hand("a case is gone", "DELETE FROM escalation WHERE id = 'esc_refused'", 10),
    "case-requirement": Hand(
        "a case needs one approval instead of two",
        "UPDATE escalation SET require = replace(require, '\"approvals\":2', '\"approvals\":1') WHERE id = 'esc_quorum'",
        6,
    ),
    "decision-turned": Hand(
        "a rejection is shown as an approval", "UPDATE decision SET choice = 'approve' WHERE seq = 11", 11
    ),
    "payload-edited": Hand(
        "a bundle was changed",
        "UPDATE payload SET body = CAST('{}' AS BLOB) WHERE seq = 1 AND field = 'bundle'",
        1,
    ),
    "payload-moved": Hand("a note stands with another event", "UPDATE payload SET seq = 2 WHERE seq = 11", 2),
    "payload-deleted": Hand("a bundle was deleted without a trace", "DELETE FROM payload WHERE seq = 6", 6),
    "erased-again-there": Hand(
        "an erased bundle is there again",
        "INSERT INTO payload VALUES (12, 'bundle', zeroblob(32), CAST('{}' AS BLOB))",
        12,
    ),
    "erased-words-there": Hand(
        "a case whose bundle was erased says again what it was about",
        "UPDATE escalation SET summary = 'harmless' WHERE opened_seq = 12",
        12,
    ),
    "receipt-edited": Hand(
        "a receipt was changed", "UPDATE receipt SET token = token || 'A' WHERE seq = 3", 3
    ),
    "receipt-swapped": Hand(
        "a case has the receipt of another",
        "UPDATE receipt SET token = (SELECT token FROM receipt WHERE seq = 11) WHERE seq = 3",
        3,
    ),
    "checkpoint-edited": Hand(
        "a stored checkpoint was changed",
        "UPDATE checkpoint SET note = replace(note, '6', '5') WHERE size = 6",
        None,
    ),
}
"""Projections lie in the database only, so these are edits of the good one, made when they are tried."""


def _flip_signature(note: bytes) -> bytes:
    at = len(note) - 10
    return note[:at] + (b"A" if note[at : at + 1] != b"A" else b"B") + note[at + 1 :]


def _flip_root(note: bytes) -> bytes:
    lines = note.split(b"\n")
    lines[2] = (b"A" if lines[2][:1] != b"A" else b"B") + lines[2][1:]
    return b"\n".join(lines)


def _flip_proof(text: bytes) -> bytes:
    lines = text.split(b"\n")
    lines[2] = (b"A" if lines[2][:1] != b"A" else b"B") + lines[2][1:]
    return b"\n".join(lines)


def _swap(parts: Parts) -> None:
    for end in ("json", "salt"):
        one, other = f"payloads/1.bundle.{end}", f"payloads/6.bundle.{end}"
        parts.members[one], parts.members[other] = parts.members[other], parts.members[one]


def _other_action(parts: Parts) -> None:
    from signoff.domain.event import commitment

    shown = parts.members["payloads/1.bundle.json"].replace(b"12000", b"12", 1)
    parts.members["payloads/1.bundle.json"] = shown
    made = commitment(parts.members["payloads/1.bundle.salt"], shown)
    parts.edit(1, lambda one: one["data"].update(bundle=made))
    parts.rechain(LOG_KEY)


def _forged_receipt(parts: Parts) -> None:
    assert KEYS.receipts is not None
    token = issue(read(parts.members["receipts/3.jwt"].decode(), ReceiptKeys(KEYS.receipts)), OTHER_RECEIPTS)
    parts.members["receipts/3.jwt"] = token.encode()
    parts.edit(3, lambda one: one["data"].update(receipt=sha256(token.encode())))
    parts.rechain(LOG_KEY)


def _borrow(parts: Parts, log: Parts, case: Parts) -> None:
    events = parts.events
    foreign = log.events[10]
    at = next(n for n, raw in enumerate(events) if orjson.loads(raw)["seq"] == 4)
    events[at] = foreign.replace(b'"seq":10', b'"seq":4')
    parts.events = events


def _leave_out(parts: Parts, seq: int) -> None:
    kept = [raw for raw in parts.events if orjson.loads(raw)["seq"] != seq]
    parts.events = kept
    for name in [*parts.members]:
        if name.startswith((f"proofs/{seq}.", f"payloads/{seq}.", f"receipts/{seq}.")):
            del parts.members[name]
    parts.fact(first=orjson.loads(kept[0])["seq"])


def _another_history(case: Parts) -> Parts:
    """Return the case in a log of the same events but one, signed with the log's key."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "other.db"
        with log_file(path) as log:
            log.event("policy.loaded", policy_digest=sha256(b"version: 1\ntriggers: []\n"), triggers=99)
            made = log.open(USED, bundle={"goal": "Pay what is due"})
            made = log.decide(made, APPROVE)
            log.use(made, "succeeded")
            while log.head.size < 8:
                log.event("alert.sent", USED, alert="alr_1", person="per_omar", channel="ntfy", attempt=1)
            note = log.sign()
        return Parts.of(anyio.run(_exported, path, Wanted(case=USED), note))


async def _exported(path: Path, wanted: Wanted, note: str, kept: tuple[str, ...] = ()) -> bytes:
    file = io.BytesIO()
    size = int(note.split("\n")[1])
    async with open_snapshot(path) as reader:
        source = await plan(reader, wanted, size=size)
        facts = Facts(
            log=ORIGIN, scope=source.scope, escalation=wanted.case, first=source.first, last=source.last,
            events=source.count, size=size, payloads="disclosed", made_at="2026-11-24T08:00:00.000000Z",
            signoff_version="vectors",
        )  # fmt: skip
        older = [(_checkpoint(one), one) for one in kept]
        await write_evidence(
            file, reader, source, facts=facts, note=note, keys=KEYS, policy=None, kept=older,
            summary=lambda told: "<!doctype html>\n<title>A test vector</title>\n",
            on_progress=lambda done, of: None,
        )  # fmt: skip
    return file.getvalue()


def _checkpoint(note: str) -> Checkpoint:
    from signoff.audit.checkpoint import verify_note

    return verify_note(note, KEYS.log)


def good(folder: Path) -> tuple[Path, dict[str, Any], Parts, Parts]:
    """Return the good database, what was signed, and the good evidence of all of it and of one case."""
    path = folder / "good.db"
    with log_file(path) as log:
        notes = fill(log)
    with second_hand(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = anyio.run(_exported, path, Wanted(), notes["late"])
    case = anyio.run(_exported, path, Wanted(case=USED), notes["late"], (notes["early"],))
    return path, notes, Parts.of(whole), Parts.of(case)


def make(folder: Path) -> dict[str, bytes]:
    """Return every file of `vectors/` by its name."""
    with TemporaryDirectory() as scratch:
        _, notes, log, case = good(Path(scratch))
    made = vectors(log, case, notes)
    files = {f"{one.name}.zip": one.file for one in made}
    files["log.pub"] = f"{LOG_KEY.verifier.text}\n".encode()
    files["receipt.pub"] = orjson.dumps(KEYS.receipts) + b"\n"
    verdicts = {one.name: one.verdict() for one in made}
    by_hand = {
        name: {"about": one.about, "sql": one.sql, "audit verify": {"holds": False, "first": one.first}}
        for name, one in DATABASE.items()
    }
    files["database.json"] = json.dumps(by_hand, indent=1, ensure_ascii=False).encode() + b"\n"
    files["verdicts.json"] = json.dumps(verdicts, indent=1, ensure_ascii=False).encode() + b"\n"
    return files


if __name__ == "__main__":
    for old in FOLDER.glob("*"):
        old.unlink()
    FOLDER.mkdir(exist_ok=True)
    for name, data in make(FOLDER).items():
        (FOLDER / name).write_bytes(data)
