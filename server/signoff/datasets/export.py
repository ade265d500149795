"""Export decided cases: one snapshot, read once, memory flat; the same cases give the same bytes.

The event `export.made` is on disk before the manifest is, so no export leaves unrecorded; a crash leaves no
manifest, and files without one are no export.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

import anyio
import anyio.to_thread
import orjson

from signoff import __version__
from signoff.audit.durable import sync_folder
from signoff.datasets import manifest as manifests
from signoff.datasets.decided import DecidedCase, Excluded, read_decided
from signoff.datasets.files import LinesFile, prepare, unavailable
from signoff.datasets.formats import FORMATS
from signoff.datasets.formats.row import Row
from signoff.datasets.manifest import Counts, Manifest
from signoff.datasets.quarantine import Doubt, doubts_of
from signoff.desk.checkpoints import publish_checkpoint
from signoff.desk.desk import Desk
from signoff.domain.clock import to_text
from signoff.domain.errors import InvalidRequest
from signoff.domain.event import SYSTEM, Actor, Draft
from signoff.store.reader import Reader
from signoff.store.unit import Unit

QUARANTINE = "quarantine.jsonl"
PROGRESS_EVERY = 50  # cases


async def export(
    desk: Desk,
    *,
    format: str,
    out: Path,
    on_progress: Callable[[int, int], None],
    since: datetime | None = None,
    by: Actor = SYSTEM,
) -> Manifest:
    """Write a dataset into an empty or new directory, and return its manifest once all of it is on disk.

    `<format>.jsonl` holds the rows in the order in which cases were opened, `quarantine.jsonl` those to look at
    first, `manifest.json` the facts.

    Args:
        format: A key of `FORMATS`.
        on_progress: Called with the cases read and all cases.
        since: Leaves out what was decided before, UTC.
        by: Who exports, for the audit log.

    Raises:
        InvalidRequest: No such format, or the directory holds something already.
        StoreUnavailable: Nothing was exported: the disk is full, or the event cannot be recorded.
    """
    if format not in FORMATS:
        raise InvalidRequest(
            f"there is no format '{format[:40]}'; there are {', '.join(FORMATS)}.", field="format"
        )
    await anyio.to_thread.run_sync(prepare, out)
    files: dict[str, LinesFile] = {}
    try:
        for name in (f"{format}.jsonl", QUARANTINE, manifests.NAME):
            files[name] = LinesFile(out / name)
        rows, quarantine, manifest_file = files.values()
        async with desk.store.snapshot() as reader:
            # Signed after the snapshot is taken, so that it covers every event that a row can name.
            checkpoint = await publish_checkpoint(desk)
            passing = _Passing(desk, format, since=since, rows=rows, quarantine=quarantine)
            await passing.read_all(reader, on_progress)
            log = await reader.log_name()
        made = Manifest(
            format=format,
            made_at=passing.now,
            since=since,
            signoff_version=__version__,
            log=log or "",
            checkpoint=checkpoint,
            policy_digests=tuple(sorted(passing.policy_digests)),
            masks=tuple(mask.path for mask in passing.masks),
            counts=passing.counts(),
            files={f"{format}.jsonl": rows.finish(), QUARANTINE: quarantine.finish()},
        )
        manifest_file.write(made.raw.removesuffix(b"\n"))
        manifest_file.finish()
        await _record(desk, made, by, out=out, opened_seqs=passing.opened_seqs)
        await anyio.to_thread.run_sync(_put_in_place, out, files)
    except OSError as error:
        raise unavailable(out, error) from error
    finally:
        for file in files.values():
            file.discard()
    return made


class _Passing:
    """One pass over all cases."""

    def __init__(
        self, desk: Desk, format: str, *, since: datetime | None, rows: LinesFile, quarantine: LinesFile
    ) -> None:
        self.now = desk.clock.now()
        self.masks = desk.policy.current().policy.masks
        self.policy_digests: set[str] = set()
        self._row_of = FORMATS[format]
        self._since = since
        self._rows = rows
        self._quarantine = quarantine
        self.opened_seqs = array("q")
        """The exported cases by the numbers of their first events: an erasure can then say where they went."""
        self._cases = 0
        self._kept: Counter[str] = Counter()
        self._excluded: Counter[str] = Counter()
        self._doubts: Counter[str] = Counter()

    async def read_all(self, reader: Reader, on_progress: Callable[[int, int], None]) -> None:
        """Read every case once and write its row where it belongs."""
        total = await reader.count_cases()
        on_progress(0, total)
        async for opened_seq, case in reader.cases():
            self._cases += 1
            try:
                decided = await read_decided(
                    reader, case, opened_seq=opened_seq, masks=self.masks, now=self.now, since=self._since
                )
                self._write(decided, self._row_of(decided))
            except Excluded as excluded:
                self._excluded[excluded.reason] += 1
            if self._cases % PROGRESS_EVERY == 0:
                on_progress(self._cases, total)
        on_progress(self._cases, total)

    def _write(self, decided: DecidedCase, row: Row) -> None:
        self.policy_digests.add(decided.case.policy_digest)
        self.opened_seqs.append(decided.opened_seq)
        doubts: list[Doubt] = [*row.doubts, *doubts_of(decided, row.material)]
        if not doubts:
            self._kept["rows"] += 1
            self._rows.write(orjson.dumps(row.values))
            return
        self._kept["quarantined"] += 1
        self._doubts.update({one.reason for one in doubts})
        apart = {
            "escalation_id": decided.case.id,
            "audit_seq": decided.audit_seq,
            "reasons": [one.as_json() for one in doubts],
            "row": row.values,
        }
        self._quarantine.write(orjson.dumps(apart))

    def counts(self) -> Counts:
        """Return where the cases went."""
        return Counts(
            self._cases, self._kept["rows"], self._kept["quarantined"], self._excluded, self._doubts
        )


async def _record(desk: Desk, made: Manifest, by: Actor, *, out: Path, opened_seqs: Iterable[int]) -> None:
    counts = made.counts
    data = {
        "format": made.format,
        "cases": counts.cases,
        "rows": counts.rows,
        "quarantined": counts.quarantined,
        "excluded": dict(counts.excluded),
        "since": None if made.since is None else to_text(made.since),
        "manifest": made.digest,
    }

    where = await anyio.Path(out).absolute()

    async def write(unit: Unit) -> None:
        seq = await unit.record(Draft("export.made", unit.now, by, data))
        await unit.add_exported(seq, directory=str(where), opened_seqs=opened_seqs)

    await desk.store.write(write)


def _put_in_place(out: Path, files: dict[str, LinesFile]) -> None:
    for file in files.values():  # the manifest is the last of them
        file.put_in_place()
    sync_folder(out)
