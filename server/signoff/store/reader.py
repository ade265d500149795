"""Reading: each method is one or two statements on one connection."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from signoff.audit.chain import Head
from signoff.audit.fold import CaseRow
from signoff.audit.merkle import NodeId
from signoff.audit.payloads import PayloadRow
from signoff.audit.verifier import CheckpointRow, EventRow, HeadRow, PolicyRow
from signoff.domain.alert import Alert, Attempt, Health
from signoff.domain.asked import Asked
from signoff.domain.clock import from_text, to_text
from signoff.domain.decision import Decision
from signoff.domain.duty import Roster, Rotation
from signoff.domain.escalation import Escalation
from signoff.domain.people import Address, Agent, Link, Passkey, Person, SignInSession
from signoff.domain.question import Question
from signoff.store import rows
from signoff.store.erasure import ErasureReads
from signoff.store.history import Windows
from signoff.store.inbox import InboxView
from signoff.store.insight import Insight
from signoff.store.outbox import OutboxView
from signoff.store.payload_process import Orders
from signoff.store.sealing import NO_KEY, Sealing
from signoff.store.sign_ins import SignIns

PAGE = 250  # small enough that what is read is still in the processor's cache when it is checked
POLICY_PAGE = 16
PAYLOAD_PAGE_BYTES = 1_000_000  # a payload has up to 2 MB, and most have a few KB


class Reader(ErasureReads):
    """A view of the store through one connection; several statements may see several states."""

    def __init__(self, connection: Any, queries: Any, sealing: Sealing = NO_KEY) -> None:
        self._connection = connection
        self._q = queries
        self._sealing = sealing
        self.windows = Windows(connection, queries)
        """What was asked, and what is counted of it."""
        self.outbox = OutboxView(connection, queries)
        """Who sends alerts, and what is wrong with that."""
        self.sign_ins: SignIns = SignIns(connection, queries)
        """Sign-in sessions, and links that were asked for."""
        self.inbox: InboxView = InboxView(connection, queries)
        """What waits for whom, who looks, and finding cases."""
        self.insight: Insight = Insight(connection, queries)
        """What statistics count."""

    # The log

    async def log_name(self) -> str | None:
        """Return the log's origin line, None before the log is started."""
        row = await self._q.head(self._connection)
        return None if row is None else row["log"]

    async def head(self) -> Head:
        """Return where the log ends."""
        return rows.head(await self._q.head(self._connection))

    async def events_of_case(self, escalation_id: str) -> list[tuple[int, bytes]]:
        """Return number and bytes of every event of a case, in order."""
        return [(seq, body) for seq, _, body in await self.typed_events_of_case(escalation_id)]

    async def typed_events_of_case(self, escalation_id: str) -> list[tuple[int, str, bytes]]:
        """Return number, type and bytes of every event of a case, in order."""
        found = self._q.events_of_case(self._connection, escalation_id=escalation_id)
        return [(row["seq"], row["type"], bytes(row["body"])) async for row in found]

    async def event(self, seq: int) -> bytes | None:
        """Return the bytes of an event."""
        row = await self._q.event(self._connection, seq=seq)
        return None if row is None else bytes(row["body"])

    async def first_event_since(self, since: datetime) -> int | None:
        """Return the number of the first event at or after an instant, None where there is none."""
        row = await self._q.first_event_since(self._connection, at=to_text(since))
        return None if row["seq"] is None else int(row["seq"])

    async def events_of_type(self, type_: str, *, after: int) -> list[tuple[int, bytes]]:
        """Return number and bytes of the events of one type after a number; reads the whole log from there."""
        found = self._q.events_of_type_after(self._connection, type=type_, seq=after)
        return [(row["seq"], bytes(row["body"])) async for row in found]

    async def payload(self, seq: int, field: str) -> PayloadRow | None:
        """Return what an event commits to under a name, None once erased."""
        row = await self._q.payload(self._connection, seq=seq, field=field)
        return None if row is None else PayloadRow(seq, field, bytes(row["salt"]), bytes(row["body"]))

    async def count_events_of_case(self, escalation_id: str, type_: str, since: datetime) -> int:
        """Return how often something happened to a case since an instant."""
        row = await self._q.count_events_of_case(
            self._connection, escalation_id=escalation_id, type=type_, since=to_text(since)
        )
        return int(row["n"])

    async def cases_changed_since(self, seq: int) -> list[str]:
        """Return the ids of cases with events numbered `seq` or above."""
        found = self._q.cases_changed_since(self._connection, seq=seq)
        return [row["escalation_id"] async for row in found]

    async def nodes(self, wanted: Iterable[NodeId]) -> dict[NodeId, bytes]:
        """Return perfect subtrees of the log's tree; level 0 are the events' leaf hashes."""
        made: dict[NodeId, bytes] = {}
        for level, index in wanted:
            if level == 0:
                row = await self._q.leaf(self._connection, seq=index)
            else:
                row = await self._q.node(self._connection, level=level, idx=index)
            made[level, index] = bytes(row["hash"])
        return made

    async def newest_checkpoint(self) -> tuple[int, str] | None:
        """Return size and signed note of the largest checkpoint."""
        row = await self._q.newest_checkpoint(self._connection)
        return None if row is None else (row["size"], row["note"])

    async def newest_policy_event(self) -> bytes | None:
        """Return the bytes of the event that said which policy is in force."""
        row = await self._q.newest_policy_event(self._connection)
        return None if row is None else bytes(row["body"])

    async def key_rotations(self) -> list[bytes]:
        """Return the bytes of every event of a key rotation, in order."""
        return [bytes(row["body"]) async for row in self._q.key_rotations(self._connection)]

    async def key_revocations(self) -> list[bytes]:
        """Return the bytes of every event that revoked a key, in order."""
        return [bytes(row["body"]) async for row in self._q.key_revocations(self._connection)]

    async def hashes(self, level: int, first: int, count: int) -> list[bytes]:
        """Return neighbouring perfect subtrees of one level, from left to right; fewer where the tree ends."""
        last = first + count - 1
        if level == 0:
            found = self._q.hashes_of_leaves(self._connection, first=first, last=last)
        else:
            found = self._q.hashes_of_nodes(self._connection, level=level, first=first, last=last)
        return [bytes(row["hash"]) async for row in found]

    async def bodies(self, first: int, count: int) -> list[bytes]:
        """Return the bytes of neighbouring events; fewer where the log ends."""
        found = self._q.bodies(self._connection, first=first, last=first + count - 1)
        return [bytes(row["body"]) async for row in found]

    async def newest_checkpoint_row(self) -> CheckpointRow | None:
        """Return the largest checkpoint with the time at which it was kept."""
        row = await self._q.newest_checkpoint_row(self._connection)
        return None if row is None else CheckpointRow(row["size"], row["note"], row["at"])

    async def newest_cosigned(self, most: int) -> list[tuple[CheckpointRow, list[str]]]:
        """Return the largest checkpoints that witnesses cosigned, the largest first, each with their lines.

        Args:
            most: How many cosignatures are read.
        """
        made: list[tuple[CheckpointRow, list[str]]] = []
        if await self._q.has_cosignatures(self._connection) is None:  # a copy that an older signoff made
            return made
        async for row in self._q.newest_cosignatures(self._connection, most=most):
            if not made or made[-1][0].size != row["size"]:
                made.append((CheckpointRow(row["size"], row["note"], row["at"]), []))
            made[-1][1].append(row["line"])
        return made

    async def forks_suspected(self, most: int) -> list[bytes]:
        """Return the events of checkpoints that contradict the log, the latest first."""
        return [bytes(row["body"]) async for row in self._q.forks_suspected(self._connection, most=most)]

    async def policy_text(self, digest: str) -> str | None:
        """Return a policy as it was when it gave a verdict."""
        row = await self._q.policy_version(self._connection, digest=digest)
        return None if row is None else row["text"]

    # Cases

    async def case(self, escalation_id: str) -> Escalation | None:
        """Return a case as it stands; None for any text that is no id."""
        if not escalation_id.isascii():  # half a surrogate pair could not even be asked for
            return None
        row = await self._q.case(self._connection, id=escalation_id)
        return None if row is None else rows.case(row)

    async def document(self, escalation_id: str) -> bytes | None:
        """Return the canonical bytes that the page may show; None once erased."""
        row = await self._q.document(self._connection, escalation_id=escalation_id)
        return None if row is None else bytes(row["body"])

    async def report(self, escalation_id: str) -> bytes | None:
        """Return the canonical bytes of the last outcome report."""
        row = await self._q.report(self._connection, escalation_id=escalation_id)
        return None if row is None else bytes(row["body"])

    async def decisions(self, escalation_id: str) -> list[Decision]:
        """Return the decisions that stand on a case, in order."""
        found = self._q.decisions_of_case(self._connection, escalation_id=escalation_id)
        return [rows.decision(row) async for row in found]

    async def questions(self, escalation_id: str) -> list[Question]:
        """Return the questions that were put to a case's agent, in order, each with its answer."""
        found = self._q.questions_of_case(self._connection, escalation_id=escalation_id)
        return rows.questions([row async for row in found])

    async def receipt_of_event(self, seq: int) -> str | None:
        """Return the receipt that goes with an event."""
        row = await self._q.receipt_of_event(self._connection, seq=seq)
        return None if row is None else row["token"]

    async def receipt_of_opening(self, escalation_id: str) -> str | None:
        """Return the receipt of a case that the policy decided at once."""
        row = await self._q.receipt_of_opening(self._connection, escalation_id=escalation_id)
        return None if row is None else row["token"]

    async def last_seq_of_case(self, escalation_id: str) -> int:
        """Return the number of a case's last event."""
        return int((await self._q.last_seq_of_case(self._connection, escalation_id=escalation_id))["seq"])

    async def ended_cases_of_tool(self, tool: str, most: int) -> list[tuple[Escalation, int | None]]:
        """Return cases of a tool that ended, newest first, with the bytes of what was asked; None once erased."""
        found = self._q.ended_cases_of_tool(self._connection, tool=tool, most=most)
        return [(rows.case(row), row["size"]) async for row in found]

    async def cases_of_agent(self, agent_id: str, most: int) -> list[Escalation]:
        """Return an agent's own cases, newest first."""
        found = self._q.cases_of_agent(self._connection, agent_id=agent_id, most=most)
        return [rows.case(row) async for row in found]

    async def due_cases(self, now: datetime, most: int) -> list[str]:
        """Return ids of pending cases whose deadline has passed."""
        return [row["id"] async for row in self._q.due_cases(self._connection, now=to_text(now), most=most)]

    async def cases_to_look_at(self, now: datetime, policy_digest: str) -> list[str]:
        """Return ids of pending cases whose tier may be due, oldest first."""
        found = self._q.cases_to_look_at(self._connection, now=to_text(now), policy=policy_digest)
        return [row["id"] async for row in found]

    async def cases(self) -> AsyncGenerator[tuple[int, Escalation]]:
        """Stream every case with the number of its first event, in the order of opening."""
        after = -1
        while True:
            page = [row async for row in self._q.cases_after(self._connection, opened_seq=after, most=PAGE)]
            if not page:
                return
            for row in page:
                yield row["opened_seq"], rows.case(row)
            after = page[-1]["opened_seq"]

    async def count_cases(self) -> int:
        """Return how many cases there are."""
        return int((await self._q.count_cases(self._connection))["n"])

    async def count_pending(self) -> int:
        """Return how many cases wait."""
        return int((await self._q.count_pending(self._connection))["n"])

    async def open_of_agent(self, agent_id: str) -> tuple[int, datetime | None]:
        """Return how many cases of an agent wait, and when the first of them expires."""
        row = await self._q.count_open_of_agent(self._connection, agent_id=agent_id)
        return int(row["n"]), rows.optional_time(row["deadline_at"])

    async def opened_before(self, agent_id: str, newer: int) -> datetime | None:
        """Return when an agent opened the case before its `newer` newest ones; None if there are no more."""
        row = await self._q.nth_newest_of_agent(self._connection, agent_id=agent_id, before=newer)
        return None if row is None else from_text(row["opened_at"])

    async def first_answer(self, caller: str, key: str) -> tuple[str, str, str] | None:
        """Return verb, input digest and escalation id that an idempotency key stands for."""
        row = await self._q.first_answer(self._connection, caller=caller, key=key)
        return None if row is None else (row["verb"], row["input_digest"], row["escalation_id"])

    # People and agents

    async def agent(self, agent_id: str) -> Agent | None:
        """Return an agent by id."""
        row = await self._q.agent(self._connection, id=agent_id)
        return None if row is None else rows.agent(row)

    async def agent_by_name(self, name: str) -> Agent | None:
        """Return an agent by name."""
        row = await self._q.agent_by_name(self._connection, name=name)
        return None if row is None else rows.agent(row)

    async def agent_by_key(self, key_hash: bytes) -> Agent | None:
        """Return the agent that holds a key."""
        row = await self._q.agent_by_key(self._connection, key_hash=key_hash)
        return None if row is None else rows.agent(row)

    async def agents(self) -> list[Agent]:
        """Return every agent by name."""
        return [rows.agent(row) async for row in self._q.agents(self._connection)]

    async def person(self, person_id: str) -> Person | None:
        """Return a person by id."""
        row = await self._q.person(self._connection, id=person_id)
        return None if row is None else await self._person(row)

    async def person_by_name(self, name: str) -> Person | None:
        """Return a person by name."""
        row = await self._q.person_by_name(self._connection, name=name)
        return None if row is None else await self._person(row)

    async def _person(self, row: rows.Row) -> Person:
        found = self._q.addresses_of(self._connection, person_id=row["id"])
        return rows.person(row, [rows.address(one, self._sealing) async for one in found])

    async def people(self) -> list[Person]:
        """Return everybody by name, the disabled too."""
        held: dict[str, list[Address]] = {}
        async for one in self._q.addresses(self._connection):
            held.setdefault(one["person_id"], []).append(rows.address(one, self._sealing))
        return [rows.person(row, held.get(row["id"], ())) async for row in self._q.people(self._connection)]

    async def rotations(self) -> dict[str, Rotation]:
        """Return every rotation by name."""
        return {row["name"]: rows.rotation(row) async for row in self._q.rotations(self._connection)}

    async def roster(self, since: datetime) -> Roster:
        """Return everything that says who is on duty at an instant or later."""
        text = to_text(since)
        return Roster(
            people={one.id: one for one in await self.people()},
            rotations=await self.rotations(),
            overrides=tuple(
                [rows.override(row) async for row in self._q.overrides(self._connection, since=text)]
            ),
            absences=tuple(
                [rows.absence(row) async for row in self._q.absences(self._connection, since=text)]
            ),
        )

    async def link(self, link_id: str) -> Link | None:
        """Return a magic link by the id in its path; None for any text that is no id."""
        if not link_id.isascii():
            return None
        row = await self._q.link(self._connection, id=link_id)
        return None if row is None else rows.link(row, self._sealing)

    async def sign_in(self, token_hash: bytes) -> SignInSession | None:
        """Return a sign-in session by its cookie's hash."""
        row = await self._q.sign_in(self._connection, token_hash=token_hash)
        return None if row is None else rows.sign_in(row)

    def asked_since(self, since: datetime) -> AsyncGenerator[Asked]:
        """Stream what agents asked from an instant on, in the order of time, one ask at a time.

        For as many as there are; use a `snapshot`, or asks that are moved meanwhile come twice.
        """
        return self.windows.since(since)

    async def passkey(self, credential: str) -> Passkey | None:
        """Return a passkey by its id; None for any text that is no id."""
        if not credential.isascii():
            return None
        row = await self._q.passkey(self._connection, credential=credential)
        return None if row is None else rows.passkey(row)

    async def passkeys_of(self, person_id: str) -> list[Passkey]:
        """Return a person's passkeys, those that wait or were revoked too."""
        found = self._q.passkeys_of(self._connection, person_id=person_id)
        return [rows.passkey(row) async for row in found]

    async def passkeys(self) -> list[Passkey]:
        """Return everybody's passkeys."""
        return [rows.passkey(row) async for row in self._q.passkeys(self._connection)]

    # The outbox

    async def alerts_of_case(self, escalation_id: str) -> list[tuple[Alert, str]]:
        """Return the alerts of a case, each with its state: waiting, sent, failed or dropped."""
        found = self._q.alerts_of_case(self._connection, escalation_id=escalation_id)
        return [(rows.alert(row, self._sealing), row["state"]) async for row in found]

    async def alert(self, alert_id: str) -> tuple[Alert, str] | None:
        """Return an alert and its state; None for any text that is no id."""
        if not alert_id.isascii():
            return None
        row = await self._q.alert(self._connection, id=alert_id)
        return None if row is None else (rows.alert(row, self._sealing), row["state"])

    async def alerts_lately(self, most: int, *, state: str | None = None) -> list[tuple[Alert, str]]:
        """Return the newest alerts with their states, newest first."""
        found = self._q.alerts_lately(self._connection, state=state, most=most)
        return [(rows.alert(row, self._sealing), row["state"]) async for row in found]

    async def attempts_of_alert(self, alert_id: str) -> list[Attempt]:
        """Return every try to send an alert, or the digest that it went out with, in order."""
        found = self._q.attempts_of_alert(self._connection, alert_id=alert_id)
        return [rows.attempt(row) async for row in found]

    async def dead_letter_told(self, person_id: str, address: str, *, alert_id: str, since: datetime) -> bool:
        """Say whether a person was told, since an instant, that alerts to an alert's address are given up."""
        row = await self._q.dead_letter_told(
            self._connection,
            person_id=person_id,
            address=self._sealing.seal(address, person_id),
            alert_id=alert_id,
            since=to_text(since),
        )
        return row is not None

    async def told_lately(self, kind: str, person_id: str, address: str, since: datetime) -> bool:
        """Say whether a person was told something of a kind, about no case, at an address since an instant."""
        row = await self._q.alert_like(
            self._connection,
            kind=kind,
            person_id=person_id,
            address=self._sealing.seal(address, person_id),
            since=to_text(since),
        )
        return row is not None

    async def next_alert_due(self) -> str | None:
        """Return when the outbox next has work, as text."""
        row = await self._q.next_alert_due(self._connection)
        return None if row is None else row["due_at"]

    async def count_failed_alerts(self, queues: Iterable[str] | None = None) -> int:
        """Return how many alerts of open cases were given up, in some queues or, for None, in all."""
        among = None if queues is None else rows.to_json(sorted(queues))
        return int((await self._q.count_failed_alerts(self._connection, queues=among))["n"])

    async def address_healths(self) -> dict[tuple[str, str], Health]:
        """Return how sending went of late, by person and the address's id."""
        found = self._q.address_healths(self._connection)
        return {(row["person_id"], row["address_id"]): rows.health(row) async for row in found}

    # The whole log, for the verifier (audit/verify.py: SourceOfLog)

    async def count(self) -> int:
        """Return how many events there are."""
        row = await self._q.head(self._connection)
        return 0 if row is None else int(row["size"])

    async def events(self, seq: int = 0) -> AsyncGenerator[Sequence[tuple[int, bytes]]]:
        """Stream numbers and bytes of events from a number on, in pages."""
        while True:
            page = await self._tuples(self._q.events_from, seq=seq, most=PAGE)
            if not page:
                return
            yield page
            seq = page[-1][0] + 1

    async def filed_events(self) -> AsyncGenerator[Sequence[EventRow]]:
        """Stream every event with what it is filed under, by number, in pages."""
        seq = 0
        while True:
            # Plain tuples of that shape: a million names are given to nothing that reads them.
            page: Sequence[EventRow] = await self._tuples(self._q.filed_events_from, seq=seq, most=PAGE)
            if not page:
                return
            yield page
            seq = page[-1][0] + 1

    async def payloads(self, seq: int = -1, field: str = "") -> AsyncGenerator[Sequence[PayloadRow]]:
        """Stream every payload after a number and field, in their order, in pages."""
        while True:
            sizes = await self._page(self._q.payload_sizes_from, seq=seq, field=field, most=PAGE)
            most = _fitting([size for (size,) in sizes])
            found = await self._tuples(self._q.payloads_from, seq=seq, field=field, most=most)
            page = [*map(PayloadRow._make, found)]
            if not page:
                return
            yield page
            seq, field = page[-1].seq, page[-1].field

    async def checkpoints(self) -> AsyncGenerator[Sequence[CheckpointRow]]:
        """Stream the signed checkpoints by size, in pages."""
        size = -1
        while True:
            found = self._q.checkpoints_from(self._connection, size=size, most=PAGE)
            page = [CheckpointRow(row["size"], row["note"], row["at"]) async for row in found]
            if not page:
                return
            yield page
            size = page[-1].size

    async def head_row(self) -> HeadRow:
        """Return where the log ends, as it is stored; one that is gone reads as an end of no log."""
        row = await self._q.head(self._connection)
        nodes = int((await self._q.count_nodes(self._connection))["n"])
        if row is None:
            return HeadRow("", 0, b"", b"", "", nodes)
        return HeadRow(row["log"], row["size"], bytes(row["prev"]), bytes(row["edge"]), row["at"], nodes)

    async def nodes_of_level(self, level: int) -> AsyncGenerator[Sequence[tuple[int, bytes]]]:
        """Stream index and hash of the tree nodes of a level, by index, in pages."""
        index = 0
        while True:
            page = await self._tuples(self._q.nodes_from, level=level, idx=index, most=PAGE)
            if not page:
                return
            yield page
            index = page[-1][0] + 1

    async def policies(self) -> AsyncGenerator[Sequence[PolicyRow]]:
        """Stream every version of the policy by digest, in pages."""
        digest = ""
        while True:
            found = self._q.policies_from(self._connection, digest=digest, most=POLICY_PAGE)
            page = [PolicyRow(row["digest"], row["text"], row["loaded_at"]) async for row in found]
            if not page:
                return
            yield page
            digest = page[-1].digest

    async def case_rows(self) -> AsyncGenerator[Sequence[CaseRow]]:
        """Stream every case in the words of its events, in pages.

        Rows that were edited by hand are streamed as they are, for the verifier to name.
        """
        after = -1
        while True:
            page = await self._page(self._q.stated_cases_after, opened_seq=after, most=PAGE)
            if not page:
                return
            last = page[-1]["opened_seq"]
            decisions = await self._page(self._q.every_decision_of_cases, after=after, last=last)
            receipts = await self._page(self._q.every_receipt_of_cases, after=after, last=last)
            yield rows.case_rows(page, decisions=decisions, receipts=receipts)
            after = last

    async def orders(self, path: Path, *, first: int) -> Orders:
        """Return what another process needs to read the payloads of the state that this reader sees.

        Args:
            path: Of the database that is read.
            first: The event from whose payloads on they are read.
        """
        head_sql: str = self._q.head.sql
        (row,) = await self._page(self._q.head)
        return Orders(path, head_sql, self._q.payloads_since.sql, tuple(row), first)

    async def _page(self, query: Any, **values: Any) -> Sequence[Any]:
        """Return rows at once: aiosql hands them out one by one, which is what reading a whole log then waits for."""
        found: Sequence[Any] = await self._connection.execute_fetchall(query.sql, values)
        return found

    async def _tuples(self, query: Any, **values: Any) -> Sequence[Any]:
        """Return rows at once that are read by their places; a connection that has no other work makes no others."""
        fetch = getattr(self._connection, "fetch_tuples", None)
        if fetch is None:
            return [*map(tuple, await self._page(query, **values))]
        found: Sequence[Any] = fetch(query.sql, values)
        return found


def _fitting(sizes: Sequence[int]) -> int:
    """Return how many of some payloads make a page: one at least."""
    total = 0
    for count, size in enumerate(sizes):
        total += size
        if total > PAYLOAD_PAGE_BYTES:
            return max(count, 1)
    return max(len(sizes), 1)
