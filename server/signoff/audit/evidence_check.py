"""Checking an evidence file: everything that can be checked without the log it was taken from.

What a file of one case or of a range shows: each event is in the signed log, at its number; payloads, receipts and
policies are those that the events name; and the moves of each case are ones that can have happened. What it cannot
show: that no event between those in the file belongs to the case, too. Only the whole log shows that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import orjson

from signoff.audit import merkle
from signoff.audit.checkpoint import Checkpoint, CheckpointInvalid, parse_checkpoint, parse_note
from signoff.audit.event_form import parse_event
from signoff.audit.evidence import Consistency, EvidenceFile, EvidenceInvalid, Payload
from signoff.audit.fold import COMMITMENTS, ERASED, MOVE_PREFIX, NO_MOVES, Folded, move_case, open_case
from signoff.audit.keys import PublicKeys
from signoff.audit.operators import HumanSignatures, Operators
from signoff.audit.receipt_checks import problems_of
from signoff.audit.report import PROBLEMS_KEPT, Problem
from signoff.audit.rotation import REVOKED, ROTATED, TrustedKeys
from signoff.audit.tlog_proof import ProofInvalid, parse_proof
from signoff.audit.verifier import TIME, stated_decision
from signoff.domain.action import action_digest
from signoff.domain.canonical import sha256 as digest_of
from signoff.domain.event import NO_EVENT, VERSION, commitment


@dataclass(frozen=True, slots=True)
class EvidenceReport:
    """What checking an evidence file found."""

    events: int
    checkpoint: Checkpoint | None
    """The file's checkpoint, where a trusted key signed it."""
    compared: int
    """Checkpoints kept elsewhere that the file's tree agrees with."""
    payloads: int
    """Payloads that are there and match."""
    masked: int
    withheld: int
    erased: int
    receipts: int
    policies: int
    cases: int
    human_signatures: int
    """Decisions that a person signed with a passkey, and that verify."""
    operators_pinned: bool
    """True: by keys that the verifier brought."""
    problems: tuple[Problem, ...]
    """The first ones by event, at most `PROBLEMS_KEPT`; those of no event first."""
    problem_count: int

    @property
    def ok(self) -> bool:
        """Say whether everything holds."""
        return self.problem_count == 0

    @property
    def first_bad_event(self) -> int | None:
        """Return the number of the first event at fault, None if no event is."""
        return min((one.seq for one in self.problems if one.seq is not None), default=None)


def check_evidence(
    file: EvidenceFile,
    keys: PublicKeys,
    checkpoints: Iterable[str] = (),
    *,
    operators: Operators | None = None,
) -> EvidenceReport:
    """Check an evidence file with keys that are trusted.

    Args:
        keys: The log's public keys, from elsewhere than the file; without receipt keys, receipts are compared with
            their digests in the events only.
        checkpoints: Signed checkpoints of the same log that were kept elsewhere.
        operators: The passkeys of people, kept elsewhere. Without them a file of the whole log is believed about whose
            passkey is whose, and signatures in other files are not checked.

    Raises:
        EvidenceInvalid: The file cannot be read.
    """
    check = _Check(file, keys, operators)
    check.keep(checkpoints)
    check.events()
    check.compare()
    return check.report()


@dataclass
class _Check:
    file: EvidenceFile
    keys: PublicKeys
    operators: Operators | None = None
    checkpoint: Checkpoint | None = None
    counts: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    _edge: merkle.Edge = ()
    _size: int = 0
    _given: list[str] = field(default_factory=list)
    _kept: list[Checkpoint] = field(default_factory=list)
    _roots: dict[int, bytes] = field(default_factory=dict)
    """Of the whole log, at the sizes of the checkpoints that were kept elsewhere."""
    _prev: bytes = NO_EVENT
    _last: int = -1
    _at: str = ""
    _cases: dict[str, Folded] = field(default_factory=dict)
    _due: dict[str, tuple[int, str]] = field(default_factory=dict)
    _there: dict[str, int] = field(default_factory=dict)
    _erased: dict[str, int] = field(default_factory=dict)
    _used: set[str] = field(default_factory=set)
    _policies: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        log = self.keys.log[0].name
        self._trusted = TrustedKeys(self.keys)
        self._whole = self.file.facts.scope == "log"
        self._humans = (
            HumanSignatures(log, self.operators) if self._whole or self.operators is not None else None
        )
        if not self._whole:  # its events do not say which key followed which, so the given ones must do
            self._sign()

    def _sign(self) -> None:
        """Take the file's checkpoint, once it is known which keys count."""
        try:
            self.checkpoint = self._trusted.ever(self.file.note)
        except CheckpointInvalid as error:
            self._say(None, f"the checkpoint does not verify: {error}")

    def _say(self, seq: int | None, what: str, case_id: str | None = None) -> None:
        self.problems.append(Problem(seq, case_id, what))

    def _count(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1

    def events(self) -> None:
        """Check the events in their order, then what only the last of them settles."""
        for raw in self.file.events():
            self._count("events")
            record = parse_event(raw)
            if record is None or type(record["seq"]) is not int:
                # Its number is the one it stands at, where the whole log tells; the one after the last otherwise.
                self._say(self._last + 1, "is not one canonical JSON object with the fields of an event")
                self._grow(raw, self._last + 1)
                continue
            self._event(record["seq"], raw, record)
        self._end()

    def _event(self, seq: int, raw: bytes, record: dict[str, Any]) -> None:
        self._order(seq, record)
        self._grow(raw, seq)
        if not self._whole:
            self._prove(seq, raw)
        case_id, kind = record.get("escalation"), record["type"]
        facts = self.file.facts
        if facts.scope == "case" and case_id != facts.escalation and kind != ERASED:
            self._say(seq, "is not about the case that the file says it is about")
        self._payloads(seq, kind, record["data"])
        if kind == ERASED:
            parts = record["data"].get("parts")
            self._erased |= dict.fromkeys(map(str, parts if isinstance(parts, list) else ()), seq)
        self._follow(seq, kind, record)
        if kind.startswith(MOVE_PREFIX) and kind not in NO_MOVES:
            self._move(seq, record)
        self._receipt(seq, record)
        if isinstance(policy := record["data"].get("policy_digest"), str):
            self._policy(seq, policy)

    def _follow(self, seq: int, kind: str, record: dict[str, Any]) -> None:
        """Take from an event which keys of the log and of people count from it on."""
        wrong = None
        if self._humans is not None:
            wrong = self._humans.follow(kind, record["data"], record["actor"])
        # A part may lack the rotation before, and then this one says nothing against the log.
        if kind == ROTATED and self._whole:
            wrong = self._trusted.follow(record["data"], log=self.file.facts.log)
        elif kind == REVOKED and self._whole:
            wrong = self._trusted.revoke(record["data"], log=self.file.facts.log)
        if wrong is not None:
            self._say(seq, wrong)

    def _order(self, seq: int, record: dict[str, Any]) -> None:
        if self._whole and seq != self._last + 1:
            which = self._last + 1 if seq > self._last else seq
            self._say(which, "is missing" if seq > self._last else "stands twice or out of order")
        elif seq <= self._last:
            self._say(seq, "stands twice or out of order")
        log = self.file.facts.log
        if record["v"] != VERSION or record["log"] != log or log != self.keys.log[0].name:
            self._say(seq, "belongs to another log or version")
        # In a part each event has a proof of its own, which tells better which of two neighbours is wrong.
        follows = self._whole and seq == self._last + 1
        if follows and record["prev"] != "sha256:" + self._prev.hex():
            self._say(max(seq - 1, 0), f"was changed: event {seq} names other bytes as the event before it")
        at = record["at"]
        if not TIME.fullmatch(at):
            self._say(seq, "has a time in another form")
        elif at < self._at:
            self._say(seq, "is older than the event before it")
        else:
            self._at = at

    def _grow(self, raw: bytes, seq: int) -> None:
        self._prev = merkle.leaf_hash(raw)
        self._last = max(seq, self._last)
        if self._whole:
            self._edge, _ = merkle.append(self._size, self._edge, leaf=self._prev)
            self._size += 1
            if self._size in self._roots:
                self._roots[self._size] = merkle.root(self._edge)

    def _prove(self, seq: int, raw: bytes) -> None:
        text = self.file.proof(seq)
        self._used.add(f"proofs/{seq}.tlog-proof")
        if text is None:
            self._say(seq, "has no proof that it is in the log")
            return
        try:
            proof = parse_proof(text)
        except ProofInvalid as error:
            self._say(seq, f"has no proof that it is in the log: {error}")
            return
        head = self.checkpoint
        if head is None:
            return  # that nothing is signed is said already
        if (
            proof.note != self.file.note
            or proof.index != seq
            or not merkle.check_inclusion(
                merkle.leaf_hash(raw), seq, size=head.size, proof=proof.hashes, root=head.root
            )
        ):
            self._say(seq, "is not the one that stands there in the log that was signed")

    def _payloads(self, seq: int, kind: str, data: dict[str, Any]) -> None:
        for name in COMMITMENTS.get(kind, ()):
            made = data.get(name)
            if made is None:
                continue
            if not isinstance(made, str):
                self._say(seq, f"its {name} is not a commitment")
                continue
            held = self.file.payload(seq, name)
            if held is None:
                self._due[made] = (seq, name)
                continue
            stem = f"payloads/{seq}.{name}"
            self._used |= {f"{stem}.json", f"{stem}.salt", f"{stem}.masked.json"}
            if held.salt is None:
                self._count("masked")
                continue
            self._there[made] = seq
            if len(held.salt) != 32 or commitment(held.salt, held.data) != made:
                self._say(seq, f"the {name} in the file is not the one that the event commits to")
                continue
            self._count("payloads")
            if name == "bundle":
                self._bundle(seq, held, data)

    def _bundle(self, seq: int, held: Payload, data: dict[str, Any]) -> None:
        """Check that the action which people saw is the one whose digest the event names."""
        try:
            document = orjson.loads(held.data)
            action, masked = document["action"], document["masked"]
            if any(str(path).startswith("action.arguments") for path in masked):
                return  # the digest is over what the agent sent, and a secret in it is not kept
            made = action_digest(action["tool"], action["arguments"], server=action.get("server"))
        except (ValueError, KeyError, TypeError):
            return  # a bundle of another form shows nothing, and its bytes are the ones that were committed to
        if made != data.get("action_digest"):
            self._say(seq, "names another action than the one that its bundle shows")

    def _move(self, seq: int, record: dict[str, Any]) -> None:
        case_id, data = record.get("escalation"), record["data"]
        if not isinstance(case_id, str):
            self._say(seq, "moves a case and does not name it")
        elif record["type"] == "escalation.opened":
            if case_id in self._cases:
                self._say(seq, "opens a case that is already open", case_id)
            opened = self._cases[case_id] = open_case(seq, data, at=record["at"])
            if self._humans is not None and (wrong := self._humans.opened_wrongly(opened)) is not None:
                self._say(seq, wrong, case_id)
        elif (case := self._cases.get(case_id)) is not None:
            unsigned = None
            if self._humans is not None:
                unsigned = self._humans.wrong(record["type"], case, record, version=case.version)
            wrong = move_case(
                case, seq, kind=record["type"], at=record["at"], data=data, actor=record["actor"]
            )
            for one in filter(None, (wrong, unsigned)):
                self._say(seq, one, case_id)
        elif self.file.facts.scope != "range":
            self._say(seq, "moves a case that was never opened", case_id)

    def _receipt(self, seq: int, record: dict[str, Any]) -> None:
        said, token = record["data"].get("receipt"), self.file.receipt(seq)
        if said is None and token is None:
            return
        self._used.add(f"receipts/{seq}.jwt")
        case_id = record.get("escalation")
        if token is None or said != digest_of(token.encode("utf-8")):
            what = "is not in the file" if token is None else "in the file is not the one that was issued"
            self._say(seq, f"its receipt {what}", case_id)
            return
        self._count("receipts")
        case = self._cases.get(str(case_id))
        stated = {} if case is None else stated_decision(case, str(case_id), log=self.file.facts.log)
        wrong = problems_of([(token, stated, self._trusted.receipts_at(seq))])[0]
        if wrong is not None:
            self._say(seq, wrong, case_id)

    def _policy(self, seq: int, digest: str) -> None:
        if digest in self._policies:
            return
        self._policies.add(digest)
        self._used.add(f"policies/{digest.replace(':', '-')}.yaml")
        text = self.file.policy(digest)
        if text is not None and "sha256:" + sha256(text).hexdigest() != digest:
            self._say(seq, "names another policy than the one in the file")
        elif text is not None:
            self._count("policies")

    def _end(self) -> None:
        if self._whole:
            self._sign()
            self._verify_kept()
        facts, head = self.file.facts, self.checkpoint
        if self._whole and head is not None:
            if self._size < head.size:
                what = (
                    "is missing"
                    if self._size + 1 == head.size
                    else f"and all up to {head.size - 1} are missing"
                )
                self._say(self._size, f"{what}: a checkpoint of size {head.size} was signed")
            elif self._size > head.size:
                self._say(head.size, f"and what follows is not under the checkpoint of size {head.size}")
            elif merkle.root(self._edge) != head.root and not self.problems:
                self._say(None, f"the log was rewritten: a checkpoint of {head.size} other events was signed")
        for made, (seq, name) in self._due.items():
            if made in self._erased:
                self._count("erased")
            elif facts.payloads == "disclosed":
                self._say(seq, f"its {name} is gone, and no event says that it was erased")
            else:
                self._count("withheld")
        for made in self._there.keys() & self._erased.keys():
            self._say(self._erased[made], "says that a payload was erased which is in the file")
        for name in self.file.leftovers(self._used):
            self._say(None, f"{name} belongs to none of the events")
        if self.counts.get("events", 0) != facts.events or (head is not None and head.size != facts.size):
            self._say(None, "evidence.json counts other events than there are")

    def keep(self, checkpoints: Iterable[str]) -> None:
        """Take checkpoints that were kept elsewhere; before the events."""
        for note in checkpoints:
            try:
                self._roots[parse_checkpoint(parse_note(note).text).size] = merkle.EMPTY_ROOT
            except CheckpointInvalid as error:
                self._say(None, f"a checkpoint that was given does not verify: {error}")
                continue
            self._given.append(note)
        if not self._whole:
            self._verify_kept()

    def _verify_kept(self) -> None:
        for note in self._given:
            try:
                self._kept.append(self._trusted.ever(note))
            except CheckpointInvalid as error:
                self._say(None, f"a checkpoint that was given does not verify: {error}")

    def compare(self) -> None:
        """Compare the file's tree with the checkpoints that were kept elsewhere."""
        proofs = {one.old: one for one in self.file.consistency()}
        for kept in self._kept:
            wrong = self._disagreement(kept, proofs.get(kept.size))
            if wrong is None:
                self._count("compared")
            else:
                self._say(None, wrong)

    def _disagreement(self, kept: Checkpoint, proof: Consistency | None) -> str | None:
        head = self.checkpoint
        if head is None:
            return None
        if kept.size == head.size:
            same = kept.root == head.root
        elif self._whole and kept.size < head.size:
            same = kept.root == self._roots[kept.size]
        elif kept.size > head.size:
            return f"the checkpoint of size {kept.size} is newer than the file; only a newer file shows that they agree"
        elif proof is not None:
            same = merkle.check_consistency(
                kept.size, head.size, proof=proof.hashes, old_root=kept.root, new_root=head.root
            )
        else:
            return (
                f"the file does not show that the log still begins as the checkpoint of size {kept.size} says;"
                " export it again with that checkpoint"
            )
        return (
            None
            if same
            else f"the log was rewritten: it does not begin as the checkpoint of size {kept.size} says"
        )

    def report(self) -> EvidenceReport:
        """Return what was found."""
        found = sorted(self.problems, key=lambda one: -1 if one.seq is None else one.seq)
        counted = self.counts.get
        return EvidenceReport(
            events=counted("events", 0),
            checkpoint=self.checkpoint,
            compared=counted("compared", 0),
            payloads=counted("payloads", 0),
            masked=counted("masked", 0),
            withheld=counted("withheld", 0),
            erased=counted("erased", 0),
            receipts=counted("receipts", 0),
            policies=counted("policies", 0),
            cases=len(self._cases),
            human_signatures=0 if self._humans is None else self._humans.valid,
            operators_pinned=self.operators is not None,
            problems=tuple(found[:PROBLEMS_KEPT]),
            problem_count=len(found),
        )


__all__ = ["EvidenceInvalid", "EvidenceReport", "check_evidence"]
