"""What was asked, and exact sums over it: series of entries, and buckets of time above them.

A window always ends now and no entry is later than now, so it is everything after one instant: whole buckets of each
level, and single entries only in the bucket of the lowest level that the instant falls into.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncGenerator, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, Inexact
from typing import Any

import orjson

from signoff.domain.asked import (
    Asked,
    Entry,
    Recording,
    SeriesState,
    Standing,
    Window,
    standing_of,
    stands,
)
from signoff.domain.case import Escalation
from signoff.domain.clock import from_text, to_text
from signoff.store import rows

LEVELS = 7
"""Of buckets. Seven of radix 16 from 65.5 ms reach 12.7 days, of which the longest window (90 days) holds 8."""
FIRST_SHIFT, RADIX_SHIFT = 16, 4
# 65.5 ms: what one writer commits meanwhile (at most some 260 asks) is all that is ever read one by one.
PAGE = 100

EXACT = Context(prec=200, traps=[Inexact])
"""Amounts have at most 61 digits before the point and 60 behind it; 200 digits hold the sum of any number of them."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_us(at: datetime) -> int:
    """Return microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def buckets_of(at_us: int) -> list[int]:
    """Return the bucket of each level that an instant falls into."""
    return [at_us >> (FIRST_SHIFT + RADIX_SHIFT * level) for level in range(LEVELS)]


def window_parameters(after_us: int) -> dict[str, int]:
    """Return where the stretches of a window begin and end, by level."""
    own = buckets_of(after_us)
    made = {"after": after_us, "end0": (own[0] + 1) << FIRST_SHIFT}
    for level in range(LEVELS):
        made[f"from{level}"] = own[level] + 1
        if level:
            made[f"end{level}"] = (own[level] + 1) << RADIX_SHIFT
    return made


class Windows:
    """Reads asks and series through one connection."""

    def __init__(self, connection: Any, queries: Any) -> None:
        self._connection = connection
        self._q = queries

    async def window(self, series: bytes, after: datetime) -> Window:
        """Return what a series holds strictly after an instant; costs the same however much that is."""
        total, n = Decimal(0), 0
        found = self._q.window(self._connection, series=series, **window_parameters(to_us(after)))
        async for row in found:
            total = EXACT.add(total, Decimal(row["total"]))
            n += row["n"]
        return Window(total, n)

    async def last(self, series: bytes) -> int | None:
        """Return when something of a series last counted, in microseconds since 1970."""
        row = await self._q.newest_entry(self._connection, series=series)
        return None if row is None else row["at_us"]

    async def last_of(self, series: bytes, mark: bytes) -> int | None:
        """Return when a value last counted in a series, in microseconds since 1970."""
        row = await self._q.newest_of_mark(self._connection, series=series, mark=mark, but=-1)
        return None if row is None else row["at_us"]

    async def states(self) -> list[SeriesState]:
        """Return everything that is counted, or was, in the order of declaration."""
        return [_state(row) async for row in self._q.every_series(self._connection)]

    async def last_asked(self) -> tuple[datetime | None, int]:
        """Return when the newest ask was made, and its number; None and -1 where there is none."""
        row = await self._q.last_asked_at(self._connection)
        return rows.optional_time(row["at"]), -1 if row["seq"] is None else row["seq"]

    async def count(self) -> int:
        """Return how many asks are recorded."""
        return int((await self._q.count_asked(self._connection))["n"])

    async def entries(self, seq: int) -> list[rows.Row]:
        """Return the places of an ask in series, as they are stored."""
        return [row async for row in self._q.entries_of(self._connection, asked=seq)]

    async def since(self, since: datetime) -> AsyncGenerator[Asked]:
        """Stream the asks from an instant on, in the order of time."""
        at, seq = to_text(since), -1
        while True:
            found = self._q.asked_from(self._connection, at=at, seq=seq, most=PAGE)
            page = [row async for row in found]
            if not page:
                return
            for row in page:
                yield _asked(row)
            at, seq = page[-1]["at"], page[-1]["seq"]

    async def check_before(
        self, agent_id: str, session: str, action_digest: str, *, since: datetime
    ) -> tuple[int, datetime] | None:
        """Return number and time of the newest check that a request may follow, None where there is none."""
        row = await self._q.check_before(
            self._connection,
            agent_id=agent_id,
            session=session,
            action_digest=action_digest,
            since=to_text(since),
        )
        return None if row is None else (row["seq"], from_text(row["checked_at"]))

    async def to_fill(self, state: SeriesState, most: int) -> list[Asked]:
        """Return the next earlier asks that a series must hold, newest first."""
        found = self._q.asked_back_from(
            self._connection,
            seq=state.fill_next,
            end=state.fill_end,
            moved_after=to_text(state.fill_from),
            most=most,
        )
        return [_asked(row) async for row in found]


class History(Windows):
    """Writes asks and series inside a unit of work."""

    def __init__(self, connection: Any, queries: Any, now: datetime) -> None:
        super().__init__(connection, queries)
        self._unit_now = now

    async def now(self) -> datetime:
        """Return the instant of this unit, never before the newest ask."""
        last, _ = await self.last_asked()
        return self._unit_now if last is None else max(self._unit_now, last)

    async def add(
        self,
        asked: Recording,
        entries: Iterable[Entry],
        *,
        case_id: str | None,
        standing: Standing,
    ) -> int:
        """Record an ask with its entries, and return its number."""
        last, newest = await self.last_asked()
        at = asked.asked_at if last is None else max(asked.asked_at, last)
        seq = newest + 1
        await self._q.add_asked(
            self._connection,
            seq=seq,
            at=to_text(at),
            checked_at=None,
            moved_at=to_text(at),
            agent_id=asked.agent_id,
            tool=asked.tool,
            server=asked.server,
            action_digest=asked.action_digest,
            outcome=None,
            **_said(asked, case_id, standing),
        )
        await self._put(seq, at, asked, entries, standing=standing)
        return seq

    async def ask_again(
        self,
        seq: int,
        checked_at: datetime,
        asked: Recording,
        entries: Iterable[Entry],
        *,
        case_id: str,
        standing: Standing,
    ) -> None:
        """Make a check and the request that follows it one ask, as it was requested.

        Its entries were taken out before (`take_out`).
        """
        at = await self.now()
        await self._q.ask_again(
            self._connection,
            seq=seq,
            at=to_text(at),
            checked_at=to_text(checked_at),
            moved_at=to_text(at),
            **_said(asked, case_id, standing),
        )
        await self._put(seq, at, asked, entries, standing=standing)

    async def _put(
        self, seq: int, at: datetime, asked: Recording, entries: Iterable[Entry], *, standing: Standing
    ) -> None:
        if asked.document is not None:
            await self._q.put_asked_document(self._connection, seq=seq, at=to_text(at), body=asked.document)
        for entry in entries:
            await self.enter(seq, entry, at=at, counts=stands(entry.counting, standing, None))

    async def moved(self, case: Escalation) -> None:
        """Let the ask that a case came of stand as the case does; nothing where there is none yet."""
        row = await self._q.asked_of_case(self._connection, escalation_id=case.id)
        standing = standing_of(case)
        if row is None or (row["standing"], row["outcome"]) == (standing, case.outcome):
            return
        now = await self.now()
        await self._q.move_asked(
            self._connection,
            seq=row["seq"],
            moved_at=to_text(now),
            standing=standing,
            outcome=case.outcome,
        )
        for entry in await self.entries(row["seq"]):
            counts = stands(entry["counting"], standing, case.outcome)
            if counts and not entry["stands"]:
                # A failure and a rejection happen now; the action itself counts when it was asked about.
                happens_now = entry["counting"] in ("failures", "denials")
                await self._on(entry, to_us(now) if happens_now else entry["at_us"])
            elif entry["stands"] and not counts:
                await self._off(entry)

    async def take_out(self, seq: int) -> None:
        """Take an ask out of every series."""
        for entry in await self.entries(seq):
            await self._drop(entry)

    async def enter(self, seq: int, entry: Entry, *, at: datetime, counts: bool) -> None:
        """Enter an ask in a series; nothing where it is in already."""
        at_us = to_us(at)
        row: dict[str, Any] = {
            "asked": seq,
            "series": entry.series,
            "at_us": at_us,
            "counting": entry.counting,
            "value": format(entry.value, "f"),
            "mark": entry.mark,
            "stands": 0,
        }
        if await self._q.add_entry(self._connection, **row) is not None and counts:
            await self._on({**row, "counted": 0}, at_us)

    async def drop_old(self, before: datetime, most: int) -> int:
        """Forget entries that no window reaches any more, a batch of them, and return how many there were."""
        last = await self._q.last_asked_before(self._connection, before=to_text(before))
        if last is None:
            return 0
        found = self._q.entries_before(self._connection, asked=last["seq"], at_us=to_us(before), most=most)
        old = [row async for row in found]
        for row in old:
            await self._drop(row)
        return len(old)

    async def drop_documents(self, before: datetime, most: int) -> int:
        """Forget what was asked before an instant, a batch of it, and return how many asks it were."""
        found = self._q.drop_asked_documents(self._connection, before=to_text(before), most=most)
        return len([row async for row in found])

    # What is counted

    async def declare(self, digest: str, definition: str, *, after: datetime) -> None:
        """Count something from now on, and what was asked after an instant once that is entered."""
        _, newest = await self.last_asked()
        first = await self._q.first_asked_after(self._connection, moved_after=to_text(after))
        await self._q.put_series(
            self._connection,
            digest=digest,
            definition=definition,
            fill_from=to_text(after),
            fill_next=newest,
            fill_end=newest + 1 if first["seq"] is None else first["seq"],
        )

    async def filled(self, state: SeriesState, *, down_to: int, lost_at: datetime | None) -> None:
        """Note that earlier asks down to a number are entered."""
        text = "" if lost_at is None else to_text(lost_at)
        await self._q.filled_series(self._connection, id=state.id, fill_next=down_to - 1, lost_at=text)

    async def retire(self, state: SeriesState) -> None:
        """Count something no more."""
        await self._q.retire_series(self._connection, id=state.id)

    # Entries and buckets

    async def _drop(self, entry: rows.Row) -> None:
        if entry["stands"]:
            await self._off(entry)
        await self._q.drop_entry(self._connection, asked=entry["asked"], series=entry["series"])

    async def _on(self, entry: rows.Row, at_us: int) -> None:
        """Let an entry count; of one value only the newest is in the buckets."""
        counted = True
        if entry["mark"] is not None:
            newest = await self._newest_other(entry)
            counted = newest is None or (newest["at_us"], newest["asked"]) <= (at_us, entry["asked"])
            if newest is not None and newest["counted"] and counted:
                await self._set(newest, at_us=newest["at_us"], stands=1, counted=0)
                await self._bump(newest, newest["at_us"], -1)
        await self._set(entry, at_us=at_us, stands=1, counted=int(counted))
        if counted:
            await self._bump(entry, at_us, 1)

    async def _off(self, entry: rows.Row) -> None:
        """Let an entry count no more; the newest of its value that is left counts instead."""
        await self._set(entry, at_us=entry["at_us"], stands=0, counted=0)
        if not entry["counted"]:
            return
        await self._bump(entry, entry["at_us"], -1)
        if entry["mark"] is not None:
            newest = await self._newest_other(entry)
            if newest is not None:
                await self._set(newest, at_us=newest["at_us"], stands=1, counted=1)
                await self._bump(newest, newest["at_us"], 1)

    async def _newest_other(self, entry: rows.Row) -> Any:
        return await self._q.newest_of_mark(
            self._connection, series=entry["series"], mark=entry["mark"], but=entry["asked"]
        )

    async def _set(self, entry: rows.Row, *, at_us: int, stands: int, counted: int) -> None:
        await self._q.set_entry(
            self._connection,
            asked=entry["asked"],
            series=entry["series"],
            at_us=at_us,
            stands=stands,
            counted=counted,
        )

    async def _bump(self, entry: rows.Row, at_us: int, sign: int) -> None:
        """Add an entry to the bucket of each level that it falls into, or take it out."""
        own = buckets_of(at_us)
        names = {f"b{level}": bucket for level, bucket in enumerate(own)}
        found = self._q.buckets_at(self._connection, series=entry["series"], **names)
        held = {row["level"]: (Decimal(row["total"]), row["n"]) async for row in found}
        value = EXACT.multiply(Decimal(entry["value"]), sign)
        made: list[dict[str, Any]] = []
        for level, bucket in enumerate(own):
            total, n = held.get(level, (Decimal(0), 0))
            made.append(
                {
                    "series": entry["series"],
                    "level": level,
                    "bucket": bucket,
                    "total": format(EXACT.add(total, value), "f"),
                    "n": n + sign,
                }
            )
        await self._q.put_buckets(self._connection, made)
        if sign < 0:
            keys = ("series", "level", "bucket")
            await self._q.drop_empty_buckets(
                self._connection, [{key: one[key] for key in keys} for one in made]
            )


def _said(asked: Recording, case_id: str | None, standing: Standing) -> dict[str, Any]:
    return {
        "session": asked.session,
        "subject": asked.subject,
        "verdict": asked.verdict,
        "fired": rows.to_json(asked.fired),
        "shadow": rows.to_json(asked.shadow),
        "history": rows.to_json(dict(asked.history)),
        "policy_digest": asked.policy_digest,
        "escalation_id": case_id,
        "standing": standing,
    }


def packed(document: Mapping[str, Any]) -> bytes:
    """Return a document as it is kept. It is not hashed, so its keys need no order."""
    return zlib.compress(
        orjson.dumps(document), level=1
    )  # 20 KB in 0.2 ms; level 6 takes twice that for 8 % less


def _asked(row: rows.Row) -> Asked:
    body = row["document"]
    return Asked(
        seq=row["seq"],
        at=from_text(row["at"]),
        checked_at=rows.optional_time(row["checked_at"]),
        agent_id=row["agent_id"],
        session=row["session"],
        tool=row["tool"],
        server=row["server"],
        subject=row["subject"],
        action_digest=row["action_digest"],
        verdict=row["verdict"],
        fired=tuple(orjson.loads(row["fired"])),
        shadow=tuple(orjson.loads(row["shadow"])),
        history=orjson.loads(row["history"]),
        policy_digest=row["policy_digest"],
        escalation_id=row["escalation_id"],
        standing=row["standing"],
        outcome=row["outcome"],
        moved_at=from_text(row["moved_at"]),
        document=None if body is None else orjson.loads(zlib.decompress(body)),
    )


def _state(row: rows.Row) -> SeriesState:
    return SeriesState(
        id=row["id"],
        digest=row["digest"],
        definition=row["definition"],
        active=bool(row["active"]),
        fill_from=from_text(row["fill_from"]),
        fill_next=row["fill_next"],
        fill_end=row["fill_end"],
        lost_at=from_text(row["lost_at"]) if row["lost_at"] else None,
    )
