"""Erasing, and what keeps from it: the statements behind `desk/erase.py` and `desk/holds.py`.

`ERASERS` is the one place that says which tables hold what agents and people wrote. A new table with such content
joins by one entry here, and by its rows in `Contents`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from signoff.domain.clock import from_text, to_text
from signoff.domain.erasure import ERASED_TOOL, FIELDS, AskRef, Contents, Exported, Hold, Kind, Part

if TYPE_CHECKING:
    from signoff.store.history import History

Row = Mapping[str, Any]
EVENTS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Eraser:
    """One table that is cleared when a kind of a case is erased."""

    kind: Kind
    table: str
    clear: Callable[[Any, Any, str], AsyncGenerator[Row]]
    """Runs a statement of `sql/erasure.sql`, given the queries, a connection and an escalation id; yields a row for
    each row that it cleared."""


async def _erase_words(queries: Any, db: Any, case: str) -> AsyncGenerator[Row]:
    """Clear the index of words; a virtual table returns no rows."""
    await queries.erase_case_words(db, escalation_id=case)
    for nothing in tuple[Row]():
        yield nothing


ERASERS: tuple[Eraser, ...] = (
    Eraser(
        "bundle",
        "escalation",
        lambda queries, db, case: queries.erase_texts(db, escalation_id=case, tool=ERASED_TOOL),
    ),
    Eraser(
        "bundle",
        "asked_document",
        lambda queries, db, case: queries.strip_ask_document(db, escalation_id=case),
    ),
    Eraser(
        "bundle",
        "asked",
        lambda queries, db, case: queries.strip_ask(db, escalation_id=case, tool=ERASED_TOOL),
    ),
    Eraser("bundle", "case_words", _erase_words),
    Eraser("bundle", "idempotency", lambda queries, db, case: queries.erase_keys(db, escalation_id=case)),
    Eraser(
        "alert", "alert_attempt", lambda queries, db, case: queries.erase_attempts(db, escalation_id=case)
    ),
    Eraser("alert", "alert", lambda queries, db, case: queries.erase_notices(db, escalation_id=case)),
    Eraser("alert", "alert", lambda queries, db, case: queries.erase_alerts(db, escalation_id=case)),
    Eraser("alert", "link", lambda queries, db, case: queries.erase_links(db, escalation_id=case)),
)
"""Every table with words of a case, besides `payload`, which is erased part by part with its commitments, and asks,
which `erase_asks` takes away whole with all that was counted of them. In this order: rows refer to the later ones."""


@dataclass(frozen=True, slots=True)
class ErasureState:
    """How far erasing has come in this database."""

    file_bytes: int
    """So much of the file of erasures is done here."""
    erased: int
    scrubbed: int

    @property
    def is_clean(self) -> bool:
        """Say whether no byte of what was erased is left in the database's files."""
        return self.scrubbed >= self.erased


class ErasureReads:
    """The reading half, part of every `Reader`."""

    _connection: Any
    _q: Any

    async def cases_of_subject(self, subject: str) -> list[str]:
        """Return the ids of cases whose bundle says that they are about a subject; erased ones are not found."""
        return [row["id"] async for row in self._q.cases_of_subject(self._connection, subject=subject)]

    async def cases_ended_before(self, before: datetime, kinds: Iterable[Kind], most: int) -> list[str]:
        """Return ids of cases that ended before an instant and have something of some kinds left."""
        wanted = set(kinds)
        fields = [name for name, kind in FIELDS.items() if kind in wanted]
        found = self._q.cases_ended_before(
            self._connection,
            before=to_text(before),
            fields=orjson.dumps(fields).decode(),
            alerts="alert" in wanted,
            most=most,
        )
        return [row["id"] async for row in found]

    async def contents(self, escalation_id: str) -> Contents:
        """Return what is left of a case."""
        found = self._q.parts_of_case(self._connection, escalation_id=escalation_id)
        parts = tuple([_part(row) async for row in found])
        row = await self._q.count_rows_of_case(self._connection, escalation_id=escalation_id)
        asked = self._q.asks_of_case(self._connection, escalation_id=escalation_id, tool=ERASED_TOOL)
        return Contents(
            row["opened_seq"],
            parts,
            row["keys"],
            row["alerts"],
            row["alerts_sent"],
            row["links"],
            tuple([_ask(one) async for one in asked]),
        )

    async def checks_of_subject(self, subject: str) -> list[AskRef]:
        """Return the checks about a subject that no case came of."""
        return [_ask(row) async for row in self._q.checks_of_subject(self._connection, subject=subject)]

    async def checks_before(self, before: datetime, *, after: AskRef | None, most: int) -> list[AskRef]:
        """Return checks from before an instant that no case came of, in the order of time, after one of them."""
        found = self._q.checks_before(
            self._connection,
            before=to_text(before),
            at="" if after is None else after.asked_at,
            seq=-1 if after is None else after.seq,
            most=most,
        )
        return [_ask(row) async for row in found]

    async def asks_named(self, names: Iterable[tuple[int, str]]) -> list[AskRef]:
        """Return those of some asks, by number and time, that are here."""
        made = []
        for seq, asked_at in names:
            row = await self._q.ask_named(self._connection, seq=seq, asked_at=asked_at)
            if row is not None:
                made.append(_ask(row))
        return made

    async def events_typed(self, type_: str) -> AsyncGenerator[bytes]:
        """Stream the bytes of every event of a type in order; reads the whole log."""
        seq = -1
        while True:
            found = self._q.events_typed(self._connection, type=type_, seq=seq, most=EVENTS_AT_ONCE)
            page = [(row["seq"], bytes(row["body"])) async for row in found]
            for _, body in page:
                yield body
            if len(page) < EVENTS_AT_ONCE:
                return
            seq = page[-1][0]

    async def data_of_case(self, escalation_id: str, type_: str) -> list[dict[str, Any]]:
        """Return the `data` of every event of one type of a case."""
        found = self._q.events_of_case_typed(self._connection, escalation_id=escalation_id, type=type_)
        return [orjson.loads(row["body"])["data"] async for row in found]

    async def event_body(self, seq: int) -> bytes | None:
        """Return the bytes of an event, None where there is no such number."""
        row = await self._q.event_body(self._connection, seq=seq)
        return None if row is None else bytes(row["body"])

    async def count_events(self, type_: str) -> int:
        """Return how many events of a type there are; reads the whole log."""
        return int((await self._q.count_events(self._connection, type=type_))["n"])

    async def erasure_state(self) -> ErasureState:
        """Return how far erasing has come."""
        row = await self._q.erasure_state(self._connection)
        return ErasureState(row["file_bytes"], row["erased"], row["scrubbed"])

    async def holds(self) -> list[Hold]:
        """Return every legal hold, oldest first, the lifted ones too."""
        return [_hold(row) async for row in self._q.holds(self._connection)]

    async def parts_of_hold(self, hold_id: str) -> tuple[Part, ...]:
        """Return the words of a hold that are left."""
        return tuple([_part(row) async for row in self._q.parts_of_hold(self._connection, id=hold_id)])

    async def exports(self) -> AsyncGenerator[Exported]:
        """Stream where exports went and which cases they hold, oldest first."""
        async for row in self._q.exports(self._connection):
            raw = zlib.decompress(row["cases"])
            seqs = frozenset(one for (one,) in struct.iter_unpack(">q", raw))
            yield Exported(row["directory"], from_text(row["made_at"]), seqs)


class ErasureWrites:
    """The writing half, part of every `Unit`."""

    _connection: Any
    _q: Any
    now: datetime
    history: History

    async def erase_asks(self, asks: Iterable[AskRef]) -> None:
        """Delete asks with what was asked, and take them out of every window."""
        for one in asks:
            await self.history.take_out(one.seq)
            await self._q.erase_ask_document(self._connection, seq=one.seq)
            await self._q.erase_ask(self._connection, seq=one.seq)

    async def erase_rows(self, escalation_id: str, kinds: Iterable[str]) -> None:
        """Clear what tables beside the payloads hold of a case."""
        wanted = set(kinds)
        for eraser in ERASERS:
            if eraser.kind in wanted:
                async for _ in eraser.clear(self._q, self._connection, escalation_id):
                    pass

    async def erase_parts(self, parts: Sequence[Part]) -> None:
        """Delete payloads with their salts; commitments to them then reveal nothing."""
        for one in parts:
            await self._q.erase_payload(self._connection, seq=one.seq, field=one.field)

    async def note_erasures(self, *, file_bytes: int, count: int) -> None:
        """Remember how much of the file of erasures is done, and that bytes are left to be scrubbed."""
        await self._q.note_erasures(self._connection, file_bytes=file_bytes, count=count)

    async def note_scrubbed(self, erased: int) -> None:
        """Remember that no byte is left of the first so many erasures."""
        await self._q.note_scrubbed(self._connection, erased=erased)

    async def add_hold(self, hold_id: str, *, escalation_id: str | None, seq: int, by: str | None) -> None:
        """Keep a case, or a subject's cases, from being erased; the words are payloads of event `seq`."""
        await self._q.add_hold(
            self._connection,
            id=hold_id,
            escalation_id=escalation_id,
            placed_seq=seq,
            placed_at=to_text(self.now),
            placed_by=by,
        )

    async def lift_hold(self, hold_id: str, *, seq: int, by: str | None) -> bool:
        """End a hold; False if it was lifted before."""
        row = await self._q.lift_hold(
            self._connection, id=hold_id, lifted_seq=seq, lifted_at=to_text(self.now), lifted_by=by
        )
        return row is not None

    async def add_exported(self, seq: int, *, directory: str, opened_seqs: Iterable[int]) -> None:
        """Remember where an export went and which cases it holds.

        Args:
            seq: The number of its event.
            opened_seqs: Numbers of the cases' first events; a million of them take a few megabytes.
        """
        packed = b"".join(struct.pack(">q", one) for one in sorted(opened_seqs))
        await self._q.add_exported(
            self._connection,
            seq=seq,
            made_at=to_text(self.now),
            directory=directory,
            cases=zlib.compress(packed),
        )


def _ask(row: Row) -> AskRef:
    return AskRef(row["seq"], row["asked_at"], row["subject"], bool(row["is_check"]), bool(row["worded"]))


def _part(row: Row) -> Part:
    return Part(row["seq"], row["field"], orjson.loads(row["event"])["data"][row["field"]])


def _hold(row: Row) -> Hold:
    return Hold(
        id=row["id"],
        escalation_id=row["escalation_id"],
        subject=None if row["subject"] is None else orjson.loads(row["subject"])["subject"],
        reason="" if row["reason"] is None else orjson.loads(row["reason"])["reason"],
        placed_seq=row["placed_seq"],
        placed_at=from_text(row["placed_at"]),
        placed_by=row["placed_by"],
        lifted_at=None if row["lifted_at"] is None else from_text(row["lifted_at"]),
        lifted_by=row["lifted_by"],
    )
