"""The checks on a log that is fed in order: events, tree, checkpoints, payloads, cases.

    events       canonical bytes, this log's name, numbers without gaps, `prev`, times that never decrease
    tree         each stored node, and where the store says that the log ends
    checkpoints  each one's signature, and the tree's root at its size
    payloads     each against its commitment; one that is absent must be erased by a later event
    cases        each stored case, its decisions and its receipts against what its events say (`fold.py`)
    policies     each stored text against its digest and the event that says when it was loaded
    people       each decision that needs a passkey against the signature that it carries (`operators.py`)

Only what is not settled yet is held: a case until its events have reached the version that its row has, and a
payload that is absent, with its case's row, until an event says that it was erased.
"""

from __future__ import annotations

import heapq
import re
from bisect import insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

from signoff.audit import merkle
from signoff.audit.checkpoint import Checkpoint, CheckpointInvalid, parse_checkpoint, parse_note
from signoff.audit.event_form import parse_event
from signoff.audit.fold import (
    COMMITMENTS,
    ERASED,
    ERASED_TEXTS,
    LOADED,
    MOVE_PREFIX,
    NO_MOVES,
    CaseRow,
    Folded,
    decision_problems,
    differences,
    move_case,
    open_case,
    short,
)
from signoff.audit.holds import HOLD_KINDS, Holds
from signoff.audit.keys import PublicKeys
from signoff.audit.operators import HUMAN_KINDS, HumanSignatures, Operators
from signoff.audit.payloads import PayloadDigest, PayloadRow, digest_payload
from signoff.audit.receipt_checks import ReceiptChecks
from signoff.audit.recovery import MARK, RECOVERY_KINDS, Recoveries
from signoff.audit.report import PROBLEMS_KEPT, Problem, Report
from signoff.audit.rotation import REVOKED, ROTATED, CheckpointUncounted, TrustedKeys
from signoff.domain.canonical import sha256 as digest_of
from signoff.domain.event import NO_EVENT, VERSION

MISMATCHES_KEPT = (
    1000  # a rewritten log may contradict every checkpoint there is; the first one tells the story
)

MANY = 20_000
"""From so many events on other processes help from the beginning."""

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


class EventRow(NamedTuple):
    """An event as it is stored: its bytes, and what it is filed under beside them; lists and lookups go by that."""

    seq: int
    raw: bytes
    type: str
    at: str
    escalation_id: str | None
    leaf_hash: bytes


class CheckpointRow(NamedTuple):
    """A checkpoint as it is stored."""

    size: int
    note: str
    at: str


class HeadRow(NamedTuple):
    """Where a store says that its log ends, so that the next event can be appended."""

    log: str
    size: int
    prev: bytes
    edge: bytes
    at: str
    nodes: int
    """How many nodes of the tree are stored, the leaves aside."""


class PolicyRow(NamedTuple):
    """A version of the policy, kept as its text."""

    digest: str
    text: str
    loaded_at: str


_WATCHED = frozenset(
    {
        *(HUMAN_KINDS | HOLD_KINDS | RECOVERY_KINDS),
        *(ROTATED, REVOKED, ERASED, LOADED),
        *(kind for kind in COMMITMENTS if not kind.startswith(MOVE_PREFIX)),
    }
)
"""Events that say something which is not about a case; most events say neither, and need no more than their place."""

_Place = tuple[int, int, str]
"""Where a problem with a receipt belongs: after those of events or among them, the event, the case."""


@dataclass(slots=True)
class _Case:
    folded: Folded
    row: CaseRow | None = None


class Verifier:
    """Checks a log that it is fed, and gathers what is wrong.

    Feed events by number; a checkpoint before the event whose number is its size; payloads and cases at any time,
    best soon after their events. Then `finish`.
    """

    def __init__(self, keys: PublicKeys, operators: Operators | None = None, *, expected: int = 0) -> None:
        """Begin with an empty log.

        Args:
            expected: About how many events there will be; work on many begins to be shared out at once.
        """
        self._trusted = TrustedKeys(keys)
        self._receipts: ReceiptChecks[_Place] = ReceiptChecks(many=expected >= MANY)
        self._origin = keys.log[0].name
        self._humans = HumanSignatures(self._origin, operators)
        self._next = 0
        self._prev: str | None = "sha256:" + NO_EVENT.hex()
        self._last = NO_EVENT
        self._at = ""
        self._leaves = 0
        self._edge: list[bytes] = []
        self._suspect: int | None = None
        self._faults: set[int] = set()
        self._grown: list[list[tuple[int, bytes]]] = []
        self._tree: Problem | None = None
        self._head: HeadRow | None = None
        self._loaded: dict[str, tuple[int, str]] = {}
        self._heads: list[tuple[int, str, str]] = []
        self._signed: Checkpoint | None = None
        self._mismatched: list[tuple[int, int, bytes]] = []
        self._due: dict[str, tuple[int, str]] = {}
        self._cases: dict[str, _Case] = {}
        self._rows: dict[str, CaseRow] = {}
        self._bundles: dict[int, Folded] = {}
        self._unseen: dict[int, CaseRow] = {}
        self._holds = Holds()
        self._recoveries = Recoveries(self._origin)
        self._problems: list[tuple[tuple[int, int], int, Problem]] = []
        self._problem_count = self._events = self._opened = self._checkpoints = self._payloads = (
            self._erased
        ) = 0

    @property
    def size(self) -> int:
        """Return the number of the next event."""
        return self._next

    @property
    def opened(self) -> int:
        """Return how many cases were opened so far."""
        return self._opened

    def event(self, seq: int, raw: bytes) -> None:
        """Check the next event, given the number it is stored under and its bytes."""
        self._event(seq, raw, parse_event(raw), sha256(b"\x00" + raw).digest())

    def events(self, batch: Sequence[EventRow]) -> None:
        """Check the next events, and what each of them is filed under."""
        for seq, raw, kind, at, case, filed in batch:
            # One at a time: to read the next one into memory that the last one has left takes a third of the time.
            leaf, record = sha256(b"\x00" + raw).digest(), parse_event(raw)
            self._event(seq, raw, record, leaf)
            if record is not None:
                said = record["type"], record["at"], record.get("escalation"), leaf
                if said != (kind, at, case, filed):
                    self._fault(seq, "is filed under another type, time, case or hash than its bytes have")

    def _event(self, seq: int, raw: bytes, record: dict[str, Any] | None, leaf: bytes) -> None:
        if seq != self._next:
            self._out_of_place(seq)
        before = merkle.root(self._edge) if MARK in raw else b""
        self._grow(leaf)
        self._next = seq + 1
        self._events += 1
        if record is None:
            self._fault(seq, "is not one canonical JSON object with the fields of an event")
        else:
            self._check_record(seq, record)
            kind = record["type"]
            if kind in _WATCHED:
                self._watch(seq, record, before)
            elif kind.startswith(MOVE_PREFIX):
                self._follow_case(seq, record)
        self._last, self._prev = leaf, "sha256:" + leaf.hex()
        if self._heads and self._heads[0][0] <= self._next:
            self._compare_heads()

    def _out_of_place(self, seq: int) -> None:
        if seq < self._next:
            self._fault(seq, "is stored twice or out of order")
        elif seq == self._next + 1:
            self._fault(self._next, "is missing")
        else:
            self._fault(self._next, f"and all up to {seq - 1} are missing")
        self._settle_suspect()
        self._prev = None  # what follows a gap cannot match what stands before it

    def _grow(self, leaf: bytes) -> None:
        level, index, edge, grown = 0, self._leaves, self._edge, self._grown
        while index & 1:
            leaf = sha256(b"\x01" + edge.pop() + leaf).digest()
            level, index = level + 1, index >> 1
            if level > len(grown):
                grown.append([])
            grown[level - 1].append((index, leaf))
        edge.append(leaf)
        self._leaves += 1

    def grown(self) -> list[list[tuple[int, bytes]]]:
        """Return and forget index and hash of the nodes that the events since the last call complete, by level from 1."""
        made, self._grown = self._grown, [[] for _ in self._grown]
        return made

    def _check_record(self, seq: int, record: dict[str, Any]) -> None:
        at = record["at"]
        if (
            record["prev"] == self._prev
            and record["seq"] == seq
            and record["v"] == VERSION
            and record["log"] == self._origin
            and self._suspect is None
            and at >= self._at
            and TIME.fullmatch(at)
        ):
            self._at = at
            return
        if record["seq"] != seq:
            self._fault(seq, f"holds the bytes of event {record['seq']}")
        elif record["v"] != VERSION or record["log"] != self._origin:
            self._fault(seq, "belongs to another log or version")
        elif self._prev is not None and record["prev"] != self._prev:
            self._broken_link(seq)
        elif self._suspect is not None:
            self._settle_suspect()
        if not TIME.fullmatch(at):
            self._fault(seq, "has a time in another form")
        elif at < self._at:
            self._fault(seq, "is older than the event before it")
        else:
            self._at = at

    def _broken_link(self, seq: int) -> None:
        """Remember that an event does not name the one before; which of the two was changed shows at the next."""
        suspect, self._suspect = self._suspect, None
        if suspect is not None:
            what = f"was changed: it does not name event {suspect}, and event {seq} does not name it"
            self._fault(suspect + 1, what)
        elif seq == 0:
            self._fault(0, "names an event before it, and is the first")
        else:
            self._suspect = seq - 1

    def _settle_suspect(self) -> None:
        """Blame the event before a broken link, since nothing speaks against the one after it."""
        suspect, self._suspect = self._suspect, None
        if suspect is not None and suspect not in self._faults:
            self._fault(suspect, f"was changed: event {suspect + 1} names other bytes as the event before it")

    def _watch(self, seq: int, record: dict[str, Any], before: bytes) -> None:
        """Take from an event what it says of keys, people, policies, holds and erasures.

        Args:
            before: The tree's root before the event, if it is a recovery.
        """
        kind, data = record["type"], record["data"]
        self._expect(seq, kind, data)
        wrong = self._humans.follow(kind, data, record["actor"])
        if kind == ROTATED:
            wrong = self._trusted.follow(data, log=self._origin)
        elif kind == REVOKED:
            wrong = self._trusted.revoke(data, log=self._origin)
        if wrong is not None:
            self._add(Problem(seq, None, wrong))
        if kind == ERASED:
            self._erase(seq, data.get("parts"))
        if kind == LOADED:
            self._loaded.setdefault(str(data.get("policy_digest")), (seq, record["at"]))
        held = self._holds.follow(kind, data, record.get("escalation"))
        if held is not None:
            self._add(Problem(seq, record["escalation"], held))
        recovered = self._recoveries.follow(seq, kind, data, root=before, sound=not self._faults)
        if recovered is not None:
            self._add(Problem(seq, None, recovered))

    def _follow_case(self, seq: int, record: dict[str, Any]) -> None:
        """Take from an event what it says of its case."""
        kind, data = record["type"], record["data"]
        self._expect(seq, kind, data)
        if kind in NO_MOVES:
            return
        case_id = record.get("escalation")
        if not isinstance(case_id, str):
            self._add(Problem(seq, None, "moves a case and does not name it"))
        elif kind == "escalation.opened":
            self._open(seq, case_id, record)
        else:
            self._move(seq, case_id, record)

    def _expect(self, seq: int, kind: str, data: dict[str, Any]) -> None:
        """Take the commitments that an event makes."""
        for name in COMMITMENTS.get(kind, ()):
            made = data.get(name)
            if made is None:
                continue
            if not isinstance(made, str) or made in self._due:
                self._add(Problem(seq, None, f"its {name} is not a commitment of its own"))
            else:
                self._due[made] = (seq, name)

    def _erase(self, seq: int, parts: Any) -> None:
        for part in parts if isinstance(parts, list) else ():
            place = self._due.pop(part, None) if isinstance(part, str) else None
            if place is None:
                self._add(
                    Problem(seq, None, "says that a payload was erased which is still stored, or never was")
                )
                continue
            self._erased += 1
            if place[1] == "bundle":
                self._words(place[0], ERASED_TEXTS)

    def _words(self, seq: int, words: Mapping[str, Any]) -> None:
        """Take what the row of the case that event `seq` opened must say in the columns that repeat its bundle."""
        case = self._bundles.pop(seq, None)
        if case is not None:
            case.fields.update(words)
        row = self._unseen.pop(seq, None)
        if row is None:
            return
        for name, said in words.items():
            if said != getattr(row, name):
                self._add(Problem(seq, row.escalation_id, _differs(name, getattr(row, name), said)))

    def _open(self, seq: int, case_id: str, record: dict[str, Any]) -> None:
        if case_id in self._cases:
            self._add(Problem(seq, case_id, "opens a case that is already open"))
            return
        self._opened += 1
        folded = open_case(seq, record["data"], at=record["at"])
        wrong = self._humans.opened_wrongly(folded)
        if wrong is not None:
            self._add(Problem(seq, case_id, wrong))
        case = _Case(folded, self._rows.pop(case_id, None))
        self._cases[case_id] = case
        self._bundles[seq] = folded
        self._settle(case_id, case)

    def _move(self, seq: int, case_id: str, record: dict[str, Any]) -> None:
        case = self._cases.get(case_id)
        if case is None:
            # Also a case that was settled: its row has fewer moves than there are events.
            self._add(
                Problem(
                    seq, case_id, "moves a case that was never opened, or that its stored row ends before"
                )
            )
            return
        unsigned = self._humans.wrong(record["type"], case.folded, record, version=case.folded.version)
        wrong = move_case(
            case.folded, seq, kind=record["type"], at=record["at"], data=record["data"], actor=record["actor"]
        )
        for one in filter(None, (wrong, unsigned)):
            self._add(Problem(seq, case_id, one))
        self._settle(case_id, case)

    def case(self, row: CaseRow) -> None:
        """Take the stored form of a case, to be compared with what its events say."""
        case = self._cases.get(row.escalation_id)
        if case is None:
            self._rows[row.escalation_id] = row
            return
        case.row = row
        self._settle(row.escalation_id, case)

    def _settle(self, case_id: str, case: _Case) -> None:
        """Compare a case with its row once the events have come as far as the row, and let go of both."""
        row = case.row
        if row is None or case.folded.moves < row.moves:
            return
        del self._cases[case_id]
        self._bundles.pop(case.folded.opened_seq, None)
        self._compare(case.folded, row)

    def _compare(self, folded: Folded, row: CaseRow) -> None:
        if folded.commits and "tool" not in folded.fields:
            self._unseen[folded.opened_seq] = row
        for name, said, held in differences(folded, row):
            self._add(Problem(folded.source_of(name), row.escalation_id, _differs(name, held, said)))
        for seq, what in decision_problems(folded, row):
            self._add(Problem(seq, row.escalation_id, what))
        self._compare_receipts(folded, row)

    def _compare_receipts(self, folded: Folded, row: CaseRow) -> None:
        held = {one.seq: one for one in row.receipts}
        for seq in sorted(folded.receipts.keys() | held.keys()):
            one, said = held.get(seq), folded.receipts.get(seq)
            if one is None or digest_of(one.token.encode("utf-8")) != said:
                self._add(
                    Problem(seq, row.escalation_id, "the stored receipt is not the one that was issued")
                )
            elif one.escalation_id != row.escalation_id:
                self._add(Problem(seq, row.escalation_id, "its receipt is stored for another case"))
            elif seq == folded.decided_seq:  # one that was taken back states what the case no longer is
                self._check_receipt(one.token, folded, row)

    def _check_receipt(self, token: str, folded: Folded, row: CaseRow) -> None:
        seq = folded.decided_seq
        stated = stated_decision(folded, row.escalation_id, log=self._origin)
        place = (self._rank(), seq, row.escalation_id)
        self._tell(self._receipts.add(token, stated, place, jwks=self._trusted.receipts_at(seq)))

    def _tell(self, wrong: list[tuple[_Place, str]]) -> None:
        for (rank, seq, case_id), what in wrong:
            self._keep((rank, seq), Problem(seq, case_id, what))

    def payload(self, row: PayloadRow | PayloadDigest) -> None:
        """Check a stored payload against the event that commits to it."""
        if isinstance(row, PayloadRow):
            row = digest_payload(row)
        made, place = row.made, (row.seq, row.field)
        if self._due.get(made) == place:
            del self._due[made]
            self._payloads += 1
            if row.words is not None:
                self._words(row.seq, row.words)
            return
        for name, due in self._due.items():
            if due == place:
                del self._due[name]
                self._unseen.pop(row.seq, None)
                self._add(
                    Problem(row.seq, None, f"the stored {row.field} is not the one that the event commits to")
                )
                return
        self._add(
            Problem(row.seq, None, f"a {row.field} is stored with it that the event does not commit to")
        )

    def anchor(self, note: str) -> int:
        """Take a checkpoint that was kept elsewhere, to compare it with the tree.

        Returns:
            The size it states, 0 if that cannot be read.
        """
        return self._take_checkpoint(note, at="")

    def checkpoint(self, row: CheckpointRow) -> int:
        """Take a stored checkpoint, to compare it with the tree; returns as `anchor` does."""
        size = self._take_checkpoint(row.note, at=row.at)
        if size not in (0, row.size):
            self._add(Problem(None, None, f"the checkpoint of size {size} is stored as of size {row.size}"))
        if not TIME.fullmatch(row.at):
            self._add(Problem(None, None, f"the checkpoint of size {row.size} has a time in another form"))
        return size

    def _take_checkpoint(self, note: str, *, at: str) -> int:
        try:
            size = parse_checkpoint(parse_note(note).text).size
        except CheckpointInvalid as error:
            self._add(Problem(None, None, f"a stored checkpoint cannot be read: {error}"))
            return 0
        if size < self._next:
            if self._signed_root(size, note) is not None:
                self._add(Problem(None, None, f"the checkpoint of size {size} is stored out of order"))
            return size
        # Which keys count shows only once the log has come as far.
        heapq.heappush(self._heads, (size, note, at))
        if size == self._next:
            self._compare_heads()
        return size

    def _signed_root(self, size: int, note: str) -> bytes | None:
        """Return the root that a checkpoint states, None unless a key that counts now signed it."""
        try:
            return self._trusted.checkpoint(note, at=self._at).root
        except CheckpointUncounted:
            return None
        except CheckpointInvalid as error:
            self._add(Problem(None, None, f"the checkpoint of size {size} does not verify: {error}"))
            return None

    def _is_superseded(self, size: int, note: str) -> bool:
        """Say whether a recovery so far has given up a checkpoint: no key of the new history need count for it."""
        return self._recoveries.supersedes(size, parse_checkpoint(parse_note(note).text).root)

    def _compare_heads(self) -> None:
        root = merkle.root(self._edge)
        while self._heads and self._heads[0][0] <= self._next:
            size, note, at = heapq.heappop(self._heads)
            if self._is_superseded(size, note):
                continue
            stated = self._signed_root(size, note)
            if stated is None:
                continue
            if size == self._next and "" != at < self._at:
                self._add(Problem(None, None, f"the checkpoint of size {size} is older than its last event"))
            if size == self._next and stated == root:
                self._checkpoints += 1
                self._signed = Checkpoint(self._origin, size, stated)
                continue
            if len(self._mismatched) < MISMATCHES_KEPT:
                self._mismatched.append((self._signed.size if self._signed else 0, size, stated))

    def node_differs(self, level: int, index: int) -> None:
        """Take that a node which the events so far complete is not stored with the hash that they make.

        Called for the first such node, by the event that completes it: one is enough to know that the stored tree is
        another.
        """
        what = f"the tree node {level}/{index} that it completes is not stored as its events make it"
        self._tree = Problem(merkle.last_leaf(level, index), None, what)

    def head(self, row: HeadRow) -> None:
        """Take where the store says that the log ends."""
        self._head = row

    def policy(self, row: PolicyRow) -> None:
        """Check a stored version of the policy, once all events were fed."""
        seq, at = self._loaded.pop(row.digest, (None, None))
        if seq is None:
            self._add(Problem(None, None, f"a policy {short(row.digest)} is stored that no event loaded"))
        elif digest_of(row.text.encode("utf-8")) != row.digest:
            self._add(Problem(seq, None, "the stored text is not that of the policy that it loaded"))
        elif at != row.loaded_at:
            self._add(Problem(seq, None, "the policy is stored with another time than it was loaded at"))

    def _judge_tree(self) -> None:
        """Say what is wrong with the stored tree; where events are wrong it only follows from that."""
        head, size = self._head, self._leaves
        if head is None or self._faults:
            return
        if self._tree is not None:
            self._add(self._tree)
        elif head.nodes != (nodes := size - size.bit_count()):
            self._add(Problem(None, None, f"{head.nodes} tree nodes are stored, and the log has {nodes}"))
        edge = b"".join(self._edge)
        ends = (head.log, head.size, head.prev, head.edge, head.at)
        empty = (self._origin, 0, NO_EVENT, NO_EVENT, "")
        if ends != ((self._origin, size, self._last, edge, self._at) if size else empty):
            seq = size if head.size > size else size - 1
            what = (
                f"the log ends with event {size - 1}, and the store keeps another end, at {head.size} events"
            )
            self._add(Problem(seq if seq >= 0 else None, None, what))

    def finish(self) -> Report:
        """Settle what is left open and return the report."""
        self._settle_suspect()
        self._judge_heads()
        self._judge_tree()
        for seq, _ in self._loaded.values():
            self._add(Problem(seq, None, "the policy that it loaded is not stored"))
        for made_for in self._due.values():
            seq, name = made_for
            self._add(Problem(seq, None, f"its {name} is gone, and no event says that it was erased"))
        for case_id, case in self._cases.items():
            if case.row is None:
                self._add(Problem(case.folded.opened_seq, case_id, "the case that it opened is not stored"))
            else:
                self._compare(case.folded, case.row)
        for case_id in self._rows:
            self._add(Problem(None, case_id, "a case is stored that no event opened"))
        self._tell(self._receipts.finish())
        return Report(
            events=self._events,
            checkpoints=self._checkpoints,
            payloads=self._payloads,
            erased=self._erased,
            cases=self._opened,
            root=merkle.root(self._edge),
            newest=self._signed,
            recoveries=tuple(self._recoveries.found),
            problems=tuple(problem for _, _, problem in self._problems),
            problem_count=self._problem_count,
            human_signatures=self._humans.valid,
            operators_pinned=self._humans.pinned,
        )

    def _judge_heads(self) -> None:
        """Say what the checkpoints that do not match mean; those that a recovery names are given up, not broken."""
        for seq, wrong in self._recoveries.judge(self._trusted.ever):
            self._add(Problem(seq, None, wrong))
        missing = [
            size
            for size, note, _ in self._heads
            if not self._is_superseded(size, note) and self._signed_root(size, note) is not None
        ]
        if missing:
            size = max(missing)
            what = "is missing" if size == self._next + 1 else f"and all up to {size - 1} are missing"
            hint = self._recoveries.hint(size)
            self._fault(self._next, f"{what}: a checkpoint of size {size} was signed{hint}")
        mismatched = [one for one in self._mismatched if not self._recoveries.supersedes(*one[1:])]
        if not mismatched:
            return
        good, size, _ = mismatched[0]
        if any(good <= fault < size for fault in self._faults):
            count = f"{len(mismatched)}{'' if len(mismatched) < MISMATCHES_KEPT else ' or more'}"
            self._add(Problem(None, None, f"{count} checkpoints, from size {size} on, do not match"))
            return
        which = f"events {good} to {size - 1} are" if size - good > 1 else "it is"
        hint = self._recoveries.hint(size)
        self._fault(
            good,
            f"{which} not what the checkpoint of size {size} was signed over: the log was rewritten{hint}",
        )

    def _fault(self, seq: int, what: str) -> None:
        """Record that the bytes of the log are wrong at an event."""
        if len(self._faults) < 10_000:  # enough to explain a checkpoint; a log this broken needs no more
            self._faults.add(seq)
        self._keep((0, seq), Problem(seq, None, what))

    def _add(self, problem: Problem) -> None:
        """Record anything else that is wrong; once events are missing or changed it may only follow from that."""
        seq = problem.seq
        self._keep((2, 0) if seq is None else (self._rank(), seq), problem)

    def _rank(self) -> int:
        return 1 if self._faults else 0

    def _keep(self, place: tuple[int, int], problem: Problem) -> None:
        self._problem_count += 1
        insort(self._problems, (place, self._problem_count, problem))
        del self._problems[PROBLEMS_KEPT:]


def stated_decision(case: Folded, escalation_id: str, *, log: str) -> dict[str, Any]:
    """Return what the receipt of a case must state, by its events."""
    fields = case.fields
    return {
        # What the policy decides is stated by the opening event, which has no assurance.
        **({"assurance": fields["assurance"]} if "assurance" in fields else {}),
        "iss": log,
        "sub": escalation_id,
        "aud": fields["agent_id"],
        "outcome": fields["status"],
        "action_digest": fields.get("final_digest"),
        "proposed_digest": fields.get("action_digest"),
        "policy_digest": fields.get("policy_digest"),
        "audit_seq": case.decided_seq,
    }


def _differs(name: str, held: Any, said: Any) -> str:
    return f"the stored case says {name} {short(held)}, its events say {short(said)}"
