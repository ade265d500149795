"""Erase what agents and people wrote: of one case, of everything about somebody, or of what is old.

Events stay, and with them who decided what and when. Payloads and their salts go, and so does every row that
repeats them; `bundle.erased` names the commitments that nothing stands behind any more. Each case is one
transaction, so whatever ends the process, a case is erased whole or not at all, and asking again goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import anyio.to_thread
import orjson

from signoff.audit.erasures import ERASED, ErasureFile
from signoff.audit.fold import COMMITMENTS
from signoff.desk.desk import Desk
from signoff.domain.case import Escalation
from signoff.domain.erasure import (
    KINDS,
    AskRef,
    Cause,
    Contents,
    Kind,
    Part,
    UnderHold,
    kind_of,
    why_kept,
)
from signoff.domain.errors import Conflict, NotFound, StoreUnavailable
from signoff.domain.event import SYSTEM, Draft
from signoff.store.reader import Reader
from signoff.store.unit import Unit

AT_ONCE = 100  # cases that are looked for at a time, each a transaction of its own; checks that one transaction erases
ASKS_AN_EVENT = 1000
"""Of some 40 bytes each, so that an event stays below its limit of 60 KiB."""


@dataclass(frozen=True, slots=True)
class ErasedCase:
    """What went of one case."""

    escalation_id: str
    contents: Contents

    def counts(self) -> Counter[str]:
        """Return how many payloads of each kind, and rows of each other kind, went."""
        made = Counter[str](kind_of(part.field) for part in self.contents.parts)
        made.update(key=self.contents.keys, alert=self.contents.alerts, link=self.contents.links)
        checks = sum(one.is_check for one in self.contents.asks)
        made.update(ask=len(self.contents.asks) - checks, check=checks)
        return +made


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure did, and what it could not reach."""

    cases: tuple[ErasedCase, ...]
    checks: int = 0
    """Checks that belong to none of the cases."""
    holds: int = 0
    """Lifted holds whose words were erased."""
    kept: tuple[tuple[str, str], ...] = ()
    """Cases that were not erased, each with the reason."""
    exports: tuple[tuple[str, int], ...] = ()
    """Directories of earlier exports, with how many of these cases went into each."""
    scrubbed: bool = True
    """False: bytes of what was erased are still in free pages or the write-ahead log."""

    @property
    def alerts_sent(self) -> int:
        """Return how many alerts about these cases lie with people and their providers."""
        return sum(one.contents.alerts_sent for one in self.cases)

    def counts(self) -> Counter[str]:
        """Return the same for all of them together."""
        made: Counter[str] = Counter()
        for one in self.cases:
            made.update(one.counts())
        return made


@dataclass
class _Run:
    """One erasure as it goes on."""

    desk: Desk
    kinds: frozenset[Kind]
    cause: Cause
    by: str | None
    dry_run: bool
    cases: list[ErasedCase] = field(default_factory=list)
    kept: list[tuple[str, str]] = field(default_factory=list)


async def erase_case(
    desk: Desk, escalation_id: str, *, kinds: frozenset[Kind], by: str | None, dry_run: bool = False
) -> Erased:
    """Erase one case; again, it finds nothing left.

    Args:
        by: Id of the person who asked for it.
        dry_run: Change nothing, and return what would go.

    Raises:
        NotFound: There is no such case.
        Conflict: It is still decided or used, or a legal hold keeps it.
    """
    await desk.recorder.flush()
    run = _Run(desk, kinds, "request", by, dry_run)
    await _one(run, escalation_id, refuse=True)
    return await _finished(run, holds=await _erase_holds(run, case=escalation_id))


async def erase_subject(
    desk: Desk, subject: str, *, kinds: frozenset[Kind], by: str | None, dry_run: bool = False
) -> Erased:
    """Erase every case about somebody, by the id that bundles give as `subject.id`.

    Cases that are open, may still be used, or are held, are kept and named in what is returned. A case whose bundle
    is erased says no longer whom it was about. Checks about the subject go too, unless it is held.
    """
    await desk.recorder.flush()
    run = _Run(desk, kinds, "request", by, dry_run)
    async with desk.store.snapshot() as reader:
        found = await reader.cases_of_subject(subject)
    for escalation_id in found:
        await _one(run, escalation_id)
    checks = await _erase_checks_of(run, subject)
    return await _finished(run, checks=checks, holds=await _erase_holds(run, subject=subject))


async def erase_older(
    desk: Desk,
    older_than: timedelta,
    *,
    kinds: frozenset[Kind],
    by: str | None,
    cause: Cause = "request",
    dry_run: bool = False,
) -> Erased:
    """Erase what ended longer ago than some time; others get their turn between any two cases."""
    await desk.recorder.flush()
    run = _Run(desk, kinds, cause, by, dry_run)
    before = desk.clock.now() - older_than
    seen: set[str] = set()
    while True:
        # What is not erased is found again, so the page grows past it.
        page = AT_ONCE + len(seen) - (0 if dry_run else len(run.cases))
        async with desk.store.reading() as reader:
            found = [one for one in await reader.cases_ended_before(before, kinds, page) if one not in seen]
        if not found:
            break
        for escalation_id in found:
            seen.add(escalation_id)
            await _one(run, escalation_id)
    return await _finished(run, checks=await _erase_checks_before(run, before), holds=0)


async def _one(run: _Run, escalation_id: str, *, refuse: bool = False) -> None:
    """Erase one case; what keeps it is an error or noted."""

    async def move(reader: Reader, now: datetime) -> ErasedCase | None:
        case = await reader.case(escalation_id)
        if case is None:
            raise NotFound("There is no such case. Check the id.")
        await _check_may_go(reader, case, now)
        left = (await reader.contents(escalation_id)).of_kinds(run.kinds)
        left = replace(left, asks=await _free(reader, left.asks) if run.cause == "request" else ())
        return None if left.is_empty else ErasedCase(escalation_id, left)

    async def erasing(unit: Unit) -> ErasedCase | None:
        await replay(unit, run.desk)
        gone = await move(unit, unit.now)
        if gone is not None:
            await _erase(unit, run, gone)
        return gone

    try:
        if run.dry_run:
            async with run.desk.store.reading() as reader:
                gone = await move(reader, run.desk.clock.now())
        else:
            gone = await run.desk.store.write(erasing)
    except Conflict as error:
        if refuse:
            raise
        run.kept.append((escalation_id, error.message))
        return
    if gone is not None:
        run.cases.append(gone)


async def _check_may_go(reader: Reader, case: Escalation, now: datetime) -> None:
    why = why_kept(case, now)
    if why is not None:
        raise Conflict(f"Case {case.id} {why}.")
    raw = await reader.document(case.id)
    subject = None
    if raw is not None:
        about = orjson.loads(raw).get("bundle", {}).get("subject")
        subject = about.get("id") if isinstance(about, dict) else None
    for hold in await reader.holds():
        if hold.covers(case.id, subject):
            raise UnderHold(hold.id, f"Case {case.id}")


async def _erase(unit: Unit, run: _Run, gone: ErasedCase) -> None:
    await unit.erase_parts(gone.contents.parts)
    await unit.erase_asks(gone.contents.asks)
    await unit.erase_rows(gone.escalation_id, run.kinds)
    await _record(
        unit,
        run.desk,
        [one.commitment for one in gone.contents.parts],
        escalation_id=gone.escalation_id,
        kinds=run.kinds,
        cause=run.cause,
        by=run.by,
        asks=gone.contents.asks,
    )


async def _free(reader: Reader, asks: Iterable[AskRef]) -> tuple[AskRef, ...]:
    """Return the asks about nobody who is under legal hold."""
    held = {one.subject for one in await reader.holds() if one.lifted_at is None and one.subject is not None}
    return tuple(one for one in asks if not (one.is_check and one.subject in held))


async def _erase_checks_of(run: _Run, subject: str) -> int:
    """Erase the checks about somebody, and return how many there were."""
    if "check" not in run.kinds:
        return 0

    async def move(unit: Unit) -> int:
        gone = (await _free(unit, await unit.checks_of_subject(subject)))[:AT_ONCE]
        await _erase_checks(unit, run, gone)
        return len(gone)

    if run.dry_run:
        async with run.desk.store.reading() as reader:
            return len(await _free(reader, await reader.checks_of_subject(subject)))
    count = 0
    while some := await run.desk.store.write(move):
        count += some
    return count


async def _erase_checks_before(run: _Run, before: datetime) -> int:
    """Erase the checks from before an instant, a page at a time, and return how many there were."""
    if "check" not in run.kinds:
        return 0
    count, last = 0, None
    while True:

        async def found(
            reader: Reader, last: AskRef | None = last
        ) -> tuple[list[AskRef], tuple[AskRef, ...]]:
            page = await reader.checks_before(before, after=last, most=AT_ONCE)
            return page, await _free(reader, page)

        async def move(unit: Unit) -> tuple[list[AskRef], tuple[AskRef, ...]]:
            page, gone = await found(unit)
            await _erase_checks(unit, run, gone)
            return page, gone

        if run.dry_run:
            async with run.desk.store.reading() as reader:
                page, gone = await found(reader)
        else:
            page, gone = await run.desk.store.write(move)
        if not page:
            return count
        count, last = count + len(gone), page[-1]


async def _erase_checks(unit: Unit, run: _Run, gone: tuple[AskRef, ...]) -> None:
    if not gone:
        return
    await replay(unit, run.desk)
    await unit.erase_asks(gone)
    await _record(
        unit, run.desk, [], escalation_id=None, kinds=["check"], cause=run.cause, by=run.by, asks=gone
    )


async def _record(
    unit: Unit,
    desk: Desk,
    parts: list[str],
    *,
    escalation_id: str | None,
    kinds: Iterable[str],
    cause: Cause,
    by: str | None,
    asks: Sequence[AskRef] = (),
) -> None:
    """Record an erasure in the log and, before it is committed, in the file outside the database."""
    said: dict[str, Any] = {"kinds": sorted(kinds), "cause": cause, "by": by}
    for first in range(0, max(len(asks), 1), ASKS_AN_EVENT):
        named = [[one.seq, one.asked_at] for one in asks[first : first + ASKS_AN_EVENT]]
        data = {**said, "parts": [] if first else parts, **({"asks": named} if named else {})}
        seq = await unit.record(Draft("bundle.erased", unit.now, SYSTEM, data, escalation_id))
        body = await unit.event_body(seq)
        assert body is not None  # noqa: S101 -- recorded above
        size = await anyio.to_thread.run_sync(_file(desk).append, body)
        await unit.note_erasures(file_bytes=size, count=1)


def _file(desk: Desk) -> ErasureFile:
    if desk.erasures is None:
        raise StoreUnavailable(
            "There is no file of erasures here, so a backup could bring back what is erased."
        )
    return desk.erasures


async def _erase_holds(run: _Run, *, case: str | None = None, subject: str | None = None) -> int:
    """Erase the words of lifted holds on what was erased."""
    if "hold" not in run.kinds:
        return 0

    async def found(reader: Reader) -> list[tuple[Part, ...]]:
        lifted = [
            one
            for one in await reader.holds()
            if one.lifted_at is not None
            and ((case is not None and one.escalation_id == case) or (subject and one.subject == subject))
        ]
        parts = [await reader.parts_of_hold(one.id) for one in lifted]
        return [one for one in parts if one]

    async def move(unit: Unit) -> int:
        await replay(unit, run.desk)
        gone = await found(unit)
        for parts in gone:
            await unit.erase_parts(parts)
            await _record(
                unit,
                run.desk,
                [one.commitment for one in parts],
                escalation_id=case,
                kinds=["hold"],
                cause=run.cause,
                by=run.by,
            )
        return len(gone)

    async with run.desk.store.reading() as reader:
        count = len(await found(reader))
    return count if run.dry_run or not count else await run.desk.store.write(move)


async def _finished(run: _Run, *, holds: int, checks: int = 0) -> Erased:
    async with run.desk.store.snapshot() as reader:
        seqs = {one.contents.opened_seq for one in run.cases}
        exports: Counter[str] = Counter()
        async for export in reader.exports():
            exports[export.directory] += len(seqs & export.opened_seqs)
    scrubbed = True
    if run.cause != "retention" and not run.dry_run:  # the server scrubs after many of them
        scrubbed = await scrub(run.desk, vacuum=True)
    return Erased(
        tuple(run.cases),
        checks,
        holds,
        tuple(run.kept),
        tuple(sorted((+exports).items())),
        scrubbed=scrubbed,
    )


async def scrub(desk: Desk, *, vacuum: bool) -> bool:
    """Bring every byte of what was erased out of the database's files; True where none is left.

    Args:
        vacuum: Rewrite the database, which other writers wait for. Without it remains may be left in pages that were
            split, and the erasures still count as not scrubbed.
    """
    async with desk.store.reading() as reader:
        state = await reader.erasure_state()
    if state.is_clean:
        return True
    if not await desk.store.scrub(vacuum=vacuum) or not vacuum:
        return False

    async def note(unit: Unit) -> None:
        await unit.note_scrubbed(state.erased)

    await desk.store.mend(note)
    return True


async def replay(unit: Unit, desk: Desk) -> int:
    """Erase again, with events, what a restored backup brought back; return how many erasures there were.

    Costs one small read where the database and the file agree. A file that was lost is written again.

    Raises:
        StoreUnavailable: The file cannot be used.
    """
    if desk.erasures is None:
        return 0
    file = desk.erasures
    state, size = await unit.erasure_state(), await anyio.to_thread.run_sync(file.size)
    if size == state.file_bytes:
        return 0
    count = 0
    for event in await _events_of(unit, file):
        count += await _again(unit, desk, event)
    if size < state.file_bytes:
        async for body in unit.events_typed(ERASED):
            await anyio.to_thread.run_sync(file.append, body)
    await unit.note_erasures(file_bytes=await anyio.to_thread.run_sync(file.size), count=0)
    return count


async def forget(unit: Unit, desk: Desk) -> int:
    """Erase again what a restored backup brought back, without events: for a log that must not grow.

    Whoever recovers the log writes the events (`replay`). Returns how many payloads went.
    """
    if desk.erasures is None:
        return 0
    file, state = desk.erasures, await unit.erasure_state()
    if await anyio.to_thread.run_sync(file.size) == state.file_bytes:
        return 0
    gone = 0
    for event in await _events_of(unit, file):
        brought = await _brought_back(unit, event)
        await _take_away(unit, brought)
        gone += len(brought.present) + len(brought.asks)
    await unit.note_erasures(file_bytes=state.file_bytes, count=1 if gone else 0)
    return gone


@dataclass(frozen=True, slots=True)
class _Brought:
    """What of one erasure a restored database has not seen."""

    escalation_id: str | None
    kinds: frozenset[str]
    parts: tuple[Part, ...]
    """Commitments of the erasure that stand in events of this log, erased here or not."""
    present: tuple[Part, ...]
    """Of these, those whose payload is here."""
    rows: int
    """What other tables hold."""
    asks: tuple[AskRef, ...] = ()
    """The asks that it names and that are here."""


async def _events_of(unit: Unit, file: ErasureFile) -> list[dict[str, Any]]:
    log = await unit.log_name() or ""
    return await anyio.to_thread.run_sync(lambda: file.read(log=log))


async def _brought_back(unit: Unit, event: dict[str, Any]) -> _Brought:
    data, escalation_id = event["data"], event.get("escalation")
    kinds = frozenset(one for one in data["kinds"] if isinstance(one, str))
    commitments = frozenset(one for one in data["parts"] if isinstance(one, str))
    asks = tuple(await unit.asks_named(_names(data)))
    if isinstance(escalation_id, str) and await unit.case(escalation_id) is not None:
        events = [(seq, body) for seq, body in await unit.events_of_case(escalation_id)]
        left = await unit.contents(escalation_id)
        rows = left.of_kinds(one for one in KINDS if one in kinds)
        return _Brought(
            escalation_id,
            kinds,
            _parts_in(events, commitments),
            tuple(one for one in left.parts if one.commitment in commitments),
            rows.keys + rows.alerts + rows.links + sum(one.worded and not one.is_check for one in rows.asks),
            asks,
        )
    holds = await unit.holds()
    parts = [part for one in holds for part in await unit.parts_of_hold(one.id)]
    present = tuple(one for one in parts if one.commitment in commitments)
    return _Brought(None, kinds, present, present, 0, asks)


def _names(data: dict[str, Any]) -> list[tuple[int, str]]:
    """Return the asks that an erasure names, by number and time."""
    return [
        (one[0], one[1])
        for one in data.get("asks", [])
        if isinstance(one, list) and len(one) == 2 and type(one[0]) is int and type(one[1]) is str
    ]


def _parts_in(events: list[tuple[int, bytes]], commitments: frozenset[str]) -> tuple[Part, ...]:
    parsed = [(seq, orjson.loads(body)) for seq, body in events]
    return tuple(
        Part(seq, name, event["data"][name])
        for seq, event in parsed
        for name in COMMITMENTS.get(event["type"], ())
        if event["data"].get(name) in commitments
    )


async def _take_away(unit: Unit, brought: _Brought) -> None:
    await unit.erase_parts(brought.present)
    await unit.erase_asks(brought.asks)
    if brought.escalation_id is not None:
        await unit.erase_rows(brought.escalation_id, brought.kinds)


async def _again(unit: Unit, desk: Desk, event: dict[str, Any]) -> int:
    """Do one erasure of the file again, unless this log has it."""
    brought = await _brought_back(unit, event)
    known: set[str] = set()
    if brought.escalation_id is not None:
        for done in await unit.data_of_case(brought.escalation_id, ERASED):
            known.update(done["parts"])
    fresh = [one.commitment for one in brought.parts if one.commitment not in known]
    if not (fresh or brought.rows or brought.asks):
        return 0
    await _take_away(unit, brought)
    await _record(
        unit,
        desk,
        fresh,
        escalation_id=brought.escalation_id,
        kinds=brought.kinds,
        cause="restored",
        by=None,
        asks=brought.asks,
    )
    return 1
